//! Who may do what with a name.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::NameEntry;
use dotp2p_chain::op::{Offer, Op, Recover, SetKeys, Transfer};
use dotp2p_chain::params::Params;
use dotp2p_wallet::TxPlan;

use crate::assert_refused;
use crate::common::{TestNode, found, name, records};

const PRICE: Amount = Amount::from_coins(5);
const OWNER: u32 = 1;
const MANAGER: u32 = 2;
const RECOVERY: u32 = 3;
const STRANGER: u32 = 4;

/// `alice`, owned by key 1, with a manager and a recovery key.
async fn alice() -> TestNode {
    let node = TestNode::start(&Params::regtest()).await;
    node.register("alice", OWNER, "@ A 192.0.2.7").await;
    node.send(set_keys(&node, Some(MANAGER), Some(RECOVERY)).signed_by(node.key(OWNER))).await;
    node.mine(1).await;
    node
}

fn entry(node: &TestNode) -> NameEntry {
    node.reader().state.name(&name("alice")).unwrap().entry.clone()
}

/// Signed by its payer alone, key 0, who has no power over the name.
fn set_keys(node: &TestNode, manager: Option<u32>, recovery: Option<u32>) -> TxPlan {
    let key = |number: Option<u32>| number.map(|number| node.key(number));
    let op = SetKeys { name: (&name("alice")).into(), manager: key(manager), recovery: key(recovery) };
    node.plan(0).op(Op::SetKeys(op))
}

fn transfer(node: &TestNode, to: u32) -> TxPlan {
    node.plan(0).op(Op::Transfer(Transfer { name: (&name("alice")).into(), to: node.key(to) }))
}

fn offer(node: &TestNode, price: Amount, buyer: Option<u32>) -> TxPlan {
    let buyer = buyer.map(|buyer| node.key(buyer));
    node.plan(0).op(Op::Offer(Offer { name: (&name("alice")).into(), price, buyer }))
}

fn recover(node: &TestNode, to: u32) -> TxPlan {
    node.plan(0).op(Op::Recover(Recover { name: (&name("alice")).into(), to: node.key(to) }))
}

/// Signed by further keys.
fn with(node: &TestNode, plan: TxPlan, keys: &[u32]) -> dotp2p_chain::tx::Transaction {
    node.sign(keys.iter().fold(plan, |plan, key| plan.signed_by(node.key(*key))))
}

#[tokio::test(flavor = "multi_thread")]
async fn updates() {
    let node = alice().await;
    let update = |node: &TestNode, address: &str| {
        let op =
            dotp2p_chain::op::Update { name: (&name("alice")).into(), records: records(&format!("@ A {address}")) };
        node.plan(0).op(Op::Update(op))
    };
    let text = "neither the owner nor the manager of alice signed (N9d)";
    assert_refused(&node, with(&node, update(&node, "192.0.2.66"), &[STRANGER]), text).await;
    assert_refused(&node, with(&node, update(&node, "192.0.2.66"), &[RECOVERY]), text).await;
    node.submit(with(&node, update(&node, "192.0.2.8"), &[MANAGER])).await;
    node.mine(1).await;
    assert_eq!(node.dig_a("alice").await, found(["192.0.2.8"]), "by the manager");
    node.submit(with(&node, transfer(&node, STRANGER), &[OWNER, RECOVERY])).await;
    node.mine(1).await;
    assert_refused(&node, with(&node, update(&node, "192.0.2.66"), &[OWNER]), text).await;
    assert_refused(&node, with(&node, update(&node, "192.0.2.66"), &[MANAGER]), text).await;
    node.submit(with(&node, update(&node, "192.0.2.9"), &[STRANGER])).await;
    node.mine(2).await;
    assert_eq!(node.dig_a("alice").await, found(["192.0.2.9"]), "by the new owner");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_key() {
    let node = alice().await;
    let before = entry(&node);
    let owner_missing = |rule| format!("the owner of alice did not sign ({rule})");
    let recovery_missing = |rule| format!("the recovery key of alice did not sign ({rule})");
    let steal = || transfer(&node, STRANGER);
    assert_refused(&node, with(&node, steal(), &[OWNER]), &recovery_missing("N12e")).await;
    assert_refused(&node, with(&node, steal(), &[RECOVERY]), &owner_missing("N12d")).await;
    assert_refused(&node, with(&node, steal(), &[MANAGER, STRANGER]), &owner_missing("N12d")).await;
    let sell = || offer(&node, PRICE, None);
    assert_refused(&node, with(&node, sell(), &[OWNER]), &recovery_missing("N13e")).await;
    assert_refused(&node, with(&node, sell(), &[RECOVERY]), &owner_missing("N13d")).await;
    let disarm = || set_keys(&node, None, None);
    assert_refused(&node, with(&node, disarm(), &[OWNER]), &recovery_missing("N11e")).await;
    let and_then = |plan: TxPlan, op: TxPlan| op.ops.into_iter().fold(plan, TxPlan::op);
    assert_refused(&node, with(&node, and_then(disarm(), steal()), &[OWNER]), &recovery_missing("N11e")).await;
    let take_back = || recover(&node, STRANGER);
    assert_refused(&node, with(&node, take_back(), &[OWNER]), "the recovery key of alice did not sign (N15e)").await;
    assert_eq!(entry(&node), before);
    node.submit(with(&node, take_back(), &[RECOVERY])).await;
    node.mine(1).await;
    assert_eq!((entry(&node).owner, entry(&node).recovery), (node.key(STRANGER), Some(node.key(RECOVERY))));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn set_keys_withdraws_an_offer() {
    let node = alice().await;
    node.submit(with(&node, offer(&node, PRICE, None), &[OWNER, RECOVERY])).await;
    node.mine(1).await;
    assert_eq!(entry(&node).offer.unwrap().price, PRICE);
    node.submit(with(&node, set_keys(&node, None, Some(RECOVERY)), &[OWNER])).await;
    node.mine(1).await;
    assert!(entry(&node).offer.is_some(), "the recovery key is the same: the offer stays");
    node.submit(with(&node, set_keys(&node, None, None), &[OWNER, RECOVERY])).await;
    node.mine(1).await;
    assert_eq!(entry(&node).offer, None);
    let late = node.plan(0).buy(&name("alice"), PRICE);
    assert_refused(&node, node.sign(late), "name alice is not offered (N14e)").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn purchases() {
    let node = alice().await;
    // Accounts for the buyer and the owner.
    let coins = Amount::from_coins(20);
    node.send(node.plan(0).pay(node.key(STRANGER), coins).pay(node.key(OWNER), coins)).await;
    node.mine(1).await;
    let buy = |payer: u32, price: Amount| node.sign(node.plan(payer).buy(&name("alice"), price));
    assert_refused(&node, buy(0, PRICE), "name alice is not offered (N14e)").await;
    node.submit(with(&node, offer(&node, PRICE, Some(STRANGER)), &[OWNER, RECOVERY])).await;
    node.mine(1).await;
    let less = Amount::from_coins(4);
    assert_refused(&node, buy(STRANGER, less), "price 4.00000000, the offer's is 5.00000000 (N14f)").await;
    assert_refused(&node, buy(STRANGER, Amount::from_coins(6)), "price 6.00000000, the offer's is 5.00000000 (N14f)")
        .await;
    assert_refused(&node, buy(0, PRICE), "name alice is offered to another key (N14g)").await;
    assert_refused(&node, buy(OWNER, PRICE), "the payer owns alice already (N14h)").await;
    let free =
        node.plan(STRANGER).op(Op::Buy(dotp2p_chain::op::Buy { name: (&name("alice")).into(), price: Amount::ZERO }));
    let body = free.with_fee(Amount::from_atoms(10_000)).body();
    let signature = node.keys.sign(&body.payer, &body.sighash(&node.params.chain_id)).unwrap();
    let free = dotp2p_chain::tx::Transaction::new(body, vec![signature]).unwrap();
    assert_refused(&node, free, "amount or price is 0 (N14d)").await;
    node.submit(buy(STRANGER, PRICE)).await;
    node.mine(1).await;
    assert_eq!(entry(&node).owner, node.key(STRANGER));
    let paid = node.reader().state.account(&node.key(OWNER)).unwrap().balance;
    assert_eq!(paid, Amount::from_coins(25), "the seller is paid");
    node.stop().await;
}
