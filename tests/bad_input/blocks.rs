//! Blocks that are no next block.

use dotp2p_chain::block::Block;
use dotp2p_chain::hash::{BlockHash, HistoryRoot, StateRoot, TxRoot};
use dotp2p_chain::height::Height;
use dotp2p_chain::params::Params;
use dotp2p_chain::pow::CompactTarget;
use serde_json::json;

use crate::common::{TestNode, block_on, header_changed, mined};
use crate::{block_refusal, refusal, taken};

/// A node with a transaction in the pool, and the good block that would mine it.
async fn node() -> (TestNode, Block) {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(12).await;
    node.send(node.commit("alice", 1)).await;
    let transactions = node.reader().pool.iter().map(|tx| tx.transaction.as_ref().clone()).collect();
    let block = block_on(&node.reader(), node.key(0), transactions);
    (node, block)
}

fn changed(block: &Block, change: impl FnOnce(&mut Block)) -> Block {
    let mut block = block.clone();
    change(&mut block);
    block
}

#[tokio::test(flavor = "multi_thread")]
async fn roots() {
    let (node, good) = node().await;
    // Roots that the header does not commit to: the message is bad, the hash is not.
    for bad in [
        changed(&good, |block| block.head.roots.height = Height(14)),
        changed(&good, |block| block.head.roots.tx_root = TxRoot([1; 32])),
        changed(&good, |block| block.head.roots.state_root = StateRoot([1; 32])),
        changed(&good, |block| block.head.roots.history_root = HistoryRoot([1; 32])),
    ] {
        assert_eq!(block_refusal(&node, &bad).await, "roots do not open the header's commitment (B7)");
    }
    let body = changed(&good, |block| block.transactions.clear());
    assert_eq!(block_refusal(&node, &body).await, "coinbase and transactions do not give tx_root (B10)");
    // Roots that the header commits to, and that are wrong.
    let bad = mined(changed(&good, |block| block.head.roots.tx_root = TxRoot([1; 32])));
    assert_eq!(block_refusal(&node, &bad).await, "coinbase and transactions do not give tx_root (B10)");
    let bad = mined(changed(&good, |block| block.head.roots.height = Height(14)));
    assert_eq!(block_refusal(&node, &bad).await, "height 14 in the roots, expected 13 (B7)");
    let bad = mined(changed(&good, |block| block.head.roots.history_root = HistoryRoot([1; 32])));
    let text = "commits to another history_root than its branch has (B14)";
    assert_eq!(block_refusal(&node, &bad).await, format!("block {} {text}", bad.hash()));
    let bad = mined(changed(&good, |block| block.head.roots.state_root = StateRoot([1; 32])));
    let (found, wrong) = (good.head.roots.state_root, "01".repeat(32));
    let text = format!("block {}: state root {found}, the header commits to {wrong} (B14)", bad.hash());
    assert_eq!(block_refusal(&node, &bad).await, text);
    // A block on a bad one.
    let child = header_changed(changed(&good, |block| block.head.header.prev_blockhash = bad.hash()));
    assert_eq!(block_refusal(&node, &child).await, format!("parent {} was rejected (B15)", bad.hash()));
    taken(&node, &good).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers() {
    let (node, good) = node().await;
    let reader = node.reader();
    let header = |change: &dyn Fn(&mut dotp2p_chain::header::Header)| {
        header_changed(changed(&good, |block| change(&mut block.head.header)))
    };
    let parent = BlockHash([7; 32]);
    let bad = header(&|header| header.prev_blockhash = parent);
    assert_eq!(block_refusal(&node, &bad).await, format!("parent {parent} is not known"));
    let bad = header(&|header| header.version = 2);
    assert_eq!(block_refusal(&node, &bad).await, "block version 2, expected 1 (B6)");
    let bad = header(&|header| header.bits = CompactTarget::from_consensus(0x207f_fffe));
    assert_eq!(block_refusal(&node, &bad).await, "bits 207ffffe, expected 207fffff (P6)");
    // The median of the last eleven is the sixth before the tip's next.
    let times = &reader.next_context.times;
    let median = dotp2p_chain::check::median_time(times);
    assert!(times.len() == 11 && median < reader.head.header.time);
    let bad = header(&|header| header.time = median);
    let text = format!("time {median} is not after {median}, the median of the blocks before (B12)");
    assert_eq!(block_refusal(&node, &bad).await, text);
    let bad = header(&|header| header.time = 1 << 40);
    assert_eq!(block_refusal(&node, &bad).await, "time 1099511627776 is not below 2^40 (B12)");
    let mut lazy = good.clone();
    let target = lazy.head.header.bits.to_target().unwrap();
    lazy.head.header.nonce = (0..)
        .find(|nonce| {
            lazy.head.header.nonce = *nonce;
            !target.is_met_by(&lazy.hash())
        })
        .unwrap();
    let text = format!("hash {} does not meet the target of bits 207fffff (P7)", lazy.hash());
    assert_eq!(block_refusal(&node, &lazy).await, text);
    let early = header(&|header| header.time = median + 1);
    taken(&node, &early).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large() {
    let (node, good) = node().await;
    let filled = |bytes: usize| {
        let mut encoded = good.encode();
        encoded.resize(bytes, 0);
        json!([dotp2p_chain::hash::to_hex(&encoded)])
    };
    let said = refusal(&node, "submitblock", filled(189 + 262_145)).await;
    assert_eq!(said, (-26, "body has 262145 bytes, at most 262144 are allowed (B9)".to_owned()));
    let (code, text) = refusal(&node, "submitblock", filled(good.encode().len() + 1)).await;
    assert_eq!((code, text.as_str()), (-22, "block does not decode: 1 bytes follow the end (B14)"));
    let (code, text) = refusal(&node, "submitblock", filled(good.encode().len() - 1)).await;
    let short =
        "block does not decode: not valid SCALE: Could not decode `Signature.0`: Not enough data to fill buffer (B14)";
    assert_eq!((code, text.as_str()), (-22, short));
    taken(&node, &good).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_twice() {
    let (node, good) = node().await;
    let commit = good.transactions[0].clone();
    let twice = block_on(&node.reader(), node.key(0), vec![commit.clone(), commit.clone()]);
    let text = format!("block {}: transaction 1: nonce 0, expected 1 (T7e)", twice.hash());
    assert_eq!(block_refusal(&node, &twice).await, text);
    taken(&node, &good).await;
    assert!(node.reader().pool.is_empty());
    let again = block_on(&node.reader(), node.key(0), vec![commit]);
    let text = format!("block {}: transaction 0: nonce 0, expected 1 (T7e)", again.hash());
    assert_eq!(block_refusal(&node, &again).await, text);
    let known = json!([dotp2p_chain::hash::to_hex(&good.encode())]);
    assert_eq!(node.call::<String>("submitblock", known).await, "duplicate");
    node.stop().await;
}
