//! Transactions that are wrong before any op is looked at.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::height::Height;
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::Transaction;
use dotp2p_wallet::TxPlan;

use crate::common::{TestNode, block_on};
use crate::{assert_refused, block_refusal, pool_refusal};

const FEE: Amount = Amount::from_atoms(10_000);

async fn node() -> TestNode {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(4).await;
    node
}

/// A payment that is good: every case spoils one thing of it.
fn payment(node: &TestNode) -> TxPlan {
    node.plan(0).pay(node.key(1), Amount::from_coins(1)).with_fee(FEE)
}

#[tokio::test(flavor = "multi_thread")]
async fn judged_by_state() {
    let node = node().await;
    let balance = node.reader().state.account(&node.key(0)).unwrap().balance;
    let next = balance.checked_add(Amount::from_coins(50)).unwrap();
    let mut low = payment(&node);
    node.send(low.clone()).await;
    node.mine(1).await;
    low.nonce = 0;
    assert_refused(&node, node.sign(low), "nonce 0, expected 1 (T7e)").await;
    let mut high = payment(&node);
    high.nonce = 9;
    assert_refused(&node, node.sign(high), "nonce 9, expected 1 (T7e)").await;
    let foreign = TxPlan::new(node.key(5), 0).pay(node.key(1), FEE).with_fee(FEE);
    let text = "the payer has no account: nothing was ever paid to it (T7d)";
    assert_refused(&node, node.sign(foreign), text).await;
    let has = node.reader().state.account(&node.key(0)).unwrap().balance;
    assert!(has < next);
    // The next block credits a further reward before its first transaction.
    let spendable = has.checked_add(Amount::from_coins(50)).unwrap();
    let spendable = spendable.checked_add(FEE).unwrap();
    let fee = spendable.checked_add(Amount::from_atoms(1)).unwrap();
    let text = format!("fee {fee} exceeds the payer's balance {spendable} (T7f)");
    assert_refused(&node, node.sign(payment(&node).with_fee(fee)), &text).await;
    let broke = node.plan(0).pay(node.key(1), spendable).with_fee(FEE);
    let left = spendable.checked_sub(FEE).unwrap();
    let text = format!("cost {spendable} exceeds the payer's balance {left} (T11a)");
    assert_refused(&node, node.sign(broke), &text).await;
    let late = payment(&node).expires(Height(node.tip()));
    let text = format!("transaction expired at height {}, the block has {} (T7c)", node.tip(), node.tip() + 1);
    assert_refused(&node, node.sign(late), &text).await;
    node.send(payment(&node).expires(Height(node.tip() + 1))).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures() {
    let node = node().await;
    let good = node.sign(payment(&node));
    let body = good.body().clone();
    let by = |signature| Transaction::new(body.clone(), vec![signature]).unwrap();
    let elsewhere = body.sighash(&Params::test().chain_id);
    let here = body.sighash(&node.params.chain_id);
    let mut changed = good.signatures()[0];
    changed.0[40] ^= 1;
    let mut paid_more = body.clone();
    paid_more.fee = Amount::from_atoms(10_001);
    let key = dotp2p_chain::hash::to_hex(&node.key(0).0);
    for (what, bad) in [
        ("signed for another network", by(node.keys.sign(&node.key(0), &elsewhere).unwrap())),
        ("signed by another key", by(node.keys.sign(&node.key(1), &here).unwrap())),
        ("a byte of the signature changed", by(changed)),
        ("a byte of the body changed", Transaction::new(paid_more, good.signatures().to_vec()).unwrap()),
    ] {
        let said = pool_refusal(&node, bad.bytes()).await;
        assert_eq!(said, format!("the signature of key {key} is not good (T6)"), "{what}");
        let block = block_on(&node.reader(), node.key(0), vec![bad]);
        assert_eq!(block_refusal(&node, &block).await, "transaction 0: a signature is not good (T6)", "{what}");
    }
    // A cosigner's signature counts as much as the payer's.
    let two = node.sign(payment(&node).signed_by(node.key(1)));
    let swapped = Transaction::new(two.body().clone(), vec![two.signatures()[0]; 2]).unwrap();
    let key = dotp2p_chain::hash::to_hex(&node.key(1).0);
    let said = pool_refusal(&node, swapped.bytes()).await;
    assert_eq!(said, format!("the signature of key {key} is not good (T6)"));
    // Verified in the pool is verified for just these bytes.
    node.submit(good.clone()).await;
    let block = block_on(&node.reader(), node.key(1), vec![by(changed)]);
    assert_eq!(block_refusal(&node, &block).await, "transaction 0: a signature is not good (T6)");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_do_not_decode() {
    let node = node().await;
    let good = node.sign(payment(&node));
    let bytes = good.bytes().to_vec();
    let with = |at: usize, new: &[u8]| [&bytes[..at], new, &bytes[at + 1..]].concat();
    let signer = node.sign(payment(&node).signed_by(node.key(1)));
    let mut payer_signs = signer.bytes().to_vec();
    let at = payer_signs.windows(32).rposition(|window| window == node.key(1).0).unwrap();
    assert!(at > 40, "the last is the Pay's own");
    let at = payer_signs.windows(32).position(|window| window == node.key(1).0).unwrap();
    payer_signs.splice(at..at + 32, node.key(0).0);
    let cases = [
        ("nonce 0 in two bytes", with(33, &[1, 0]), "not valid SCALE: out of range decoding Compact<u64>"),
        ("a byte left over", [bytes.as_slice(), &[0]].concat(), "1 bytes follow the end"),
        (
            "the last byte missing",
            bytes[..bytes.len() - 1].to_vec(),
            "not valid SCALE: Could not decode `Signature.0`: Not enough data to fill buffer",
        ),
        ("version 2", with(0, &[2]), "transaction version 2, expected 1"),
        ("no ops", with(38, &[0]), "ops has length 0, expected 1 to 100"),
        ("op 10", with(39, &[10]), "not valid SCALE: Could not decode `Op`, variant doesn't exist"),
        ("the payer among the signers", payer_signs, "signers are not strictly ascending keys other than the payer"),
        ("17 signers", with(37, &[17 * 4]), "signers has length 17, expected 0 to 16"),
    ];
    assert_eq!(
        (bytes[33], bytes[36], bytes[37], bytes[38], bytes[39]),
        (0, 0, 0, 4, 0),
        "nonce, expiry, signers, ops, Pay"
    );
    let mut wrong = Vec::new();
    for (what, bad, text) in cases {
        let (said, expected) = (pool_refusal(&node, &bad).await, format!("hexstring: not a transaction: {text}"));
        if said != expected {
            wrong.push(format!("{what}: {said}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(pool_refusal_text(&node, "0g").await, "hexstring: expected an even number of hexadecimal digits");
    assert_eq!(pool_refusal_text(&node, "012").await, "hexstring: expected an even number of hexadecimal digits");
    node.submit(good).await;
    node.stop().await;
}

async fn pool_refusal_text(node: &TestNode, hex: &str) -> String {
    crate::refusal(node, "sendrawtransaction", serde_json::json!([hex])).await.1
}
