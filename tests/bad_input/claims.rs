//! Commitments and claims.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::CommitmentHash;
use dotp2p_chain::params::Params;
use dotp2p_rpc::types::BlockchainInfo;
use serde_json::json;

use crate::common::{SALT, TestNode, block_on, name, short};
use crate::{assert_refused, block_refusal, taken};

const NO_COMMITMENT: &str = "no live commitment to this name, owner and salt (N8c)";

/// A node whose tip's next block holds a commitment of `alice` for key 1.
async fn committed(params: &Params) -> TestNode {
    let node = TestNode::start(params).await;
    node.mine_to(2).await;
    node.send(node.commit("alice", 1)).await;
    node.mine(1).await;
    node
}

fn claim(node: &TestNode, owner: u32) -> dotp2p_wallet::TxPlan {
    node.plan(0).claim(&name("alice"), node.key(owner), SALT)
}

async fn burned(node: &TestNode) -> String {
    node.call::<BlockchainInfo>("getblockchaininfo", json!([])).await.burned.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn age() {
    let node = committed(&short()).await;
    let text = "commitment is 1 blocks old, a claim needs 2 (N8d)";
    assert_refused(&node, node.sign(claim(&node, 1)), text).await;
    let both = node.plan(0).commit(CommitmentHash([1; 32])).claim(&name("bobby"), node.key(1), SALT);
    assert_refused(&node, node.sign(both), NO_COMMITMENT).await;
    // The last block that may hold the claim is 3 + 10.
    node.mine_to(13).await;
    assert_refused(&node, node.sign(claim(&node, 1)), NO_COMMITMENT).await;
    assert_eq!(burned(&node).await, "0.10000000");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_block_for_a_claim() {
    let node = committed(&short()).await;
    node.mine_to(12).await;
    node.send(claim(&node, 1)).await;
    node.mine(1).await;
    assert_eq!(node.show("alice").await.since, Some(13));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn otherwise_than_committed() {
    let node = committed(&Params::regtest()).await;
    node.mine(1).await;
    assert_refused(&node, node.sign(claim(&node, 2)), NO_COMMITMENT).await;
    let salt = node.plan(0).claim(&name("alice"), node.key(1), [8; 16]);
    assert_refused(&node, node.sign(salt), NO_COMMITMENT).await;
    let another = node.plan(0).claim(&name("alicf"), node.key(1), SALT);
    assert_refused(&node, node.sign(another), NO_COMMITMENT).await;
    node.send(claim(&node, 1)).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_name_that_is_held() {
    let node = TestNode::start(&short()).await;
    node.register("alice", 1, "@ A 192.0.2.7").await;
    let expires = node.reader().state.name(&name("alice")).unwrap().entry.expires.0;
    // A commitment that can be claimed both in the last active block and in grace.
    node.mine_to(expires - 5).await;
    node.send(node.commit("alice", 2)).await;
    node.mine_to(expires - 2).await;
    assert_refused(&node, node.sign(claim(&node, 2)), "name alice is taken (N8f)").await;
    node.mine(1).await;
    let text = "name alice has expired and is in grace: only its holder's Renew is accepted (N8g)";
    assert_refused(&node, node.sign(claim(&node, 2)), text).await;
    assert_eq!(node.show("alice").await.owner, Some(node.address(1)));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_consumed_commitment() {
    let node = TestNode::start(&short()).await;
    node.register("alice", 1, "@ A 192.0.2.7").await;
    let expires = node.reader().state.name(&name("alice")).unwrap().entry.expires.0;
    node.mine_to(expires + 11).await;
    assert_eq!(node.show("alice").await.state, "free");
    assert_refused(&node, node.sign(claim(&node, 1)), NO_COMMITMENT).await;
    node.register("alice", 1, "@ A 192.0.2.7").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_commit_of_a_live_hash() {
    let node = committed(&Params::regtest()).await;
    let commitments = |node: &TestNode| {
        let leaves = node.reader();
        let hash = *leaves.state.commitments_of(dotp2p_chain::height::Height(3)).next().unwrap();
        (hash, leaves.state.commitment(&hash))
    };
    let (before, balance) = (commitments(&node), node.reader().state.account(&node.key(0)).unwrap().balance);
    assert_eq!(burned(&node).await, "0.10000000");
    let again = node.plan(0).commit(before.0).with_fee(Amount::from_atoms(5_000));
    node.send(again).await;
    node.mine(1).await;
    assert_eq!(burned(&node).await, "0.10000000", "nothing more");
    assert_eq!(commitments(&node), before, "the older height stays");
    let reader = node.reader();
    assert_eq!(reader.state.commitments_of(reader.tip).next(), None);
    let after = reader.state.account(&node.key(0)).unwrap().balance;
    let matured = Amount::from_coins(50).checked_add(Amount::from_atoms(node_fee(&node, 3))).unwrap();
    let paid = balance.checked_add(matured).unwrap().checked_sub(after).unwrap();
    assert_eq!(paid, Amount::from_atoms(5_000), "the fee alone");
    node.stop().await;
}

/// Fees of the transactions in a block.
fn node_fee(node: &TestNode, height: u32) -> u64 {
    let block = node.reader().block(dotp2p_chain::height::Height(height)).unwrap();
    block.transactions.iter().map(|tx| tx.body().fee.atoms()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_one_name_in_a_block() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    node.send(node.commit("alice", 1)).await;
    node.send(node.commit("alice", 2)).await;
    node.mine(2).await;
    let first = node.sign(claim(&node, 1));
    let mut second = claim(&node, 2);
    second.nonce += 1;
    let second = node.sign(second);
    let block = block_on(&node.reader(), node.key(0), vec![first.clone(), second]);
    let text = format!("block {}: transaction 1: name alice is taken (N8f)", block.hash());
    assert_eq!(block_refusal(&node, &block).await, text);
    let twice = node.sign(claim(&node, 1).claim(&name("alice"), node.key(2), SALT));
    assert_refused(&node, twice, "name alice is taken (N8f)").await;
    taken(&node, &block_on(&node.reader(), node.key(0), vec![first])).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seventeen_commitments_in_a_block() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    let commits = |range: std::ops::Range<u8>, nonce: u64| {
        let mut plan = range.fold(node.plan(0), |plan, at| plan.commit(CommitmentHash([at; 32])));
        plan.nonce += nonce;
        node.sign(plan)
    };
    let text = "more than 16 commitments in a block (N7a)";
    assert_refused(&node, commits(0..17, 0), text).await;
    let block = block_on(&node.reader(), node.key(0), vec![commits(0..9, 0), commits(9..17, 1)]);
    assert_eq!(block_refusal(&node, &block).await, format!("block {}: transaction 1: {text}", block.hash()));
    // The pool may hold more than a block; what is mined of it is one block's worth.
    node.send(node.plan(0).pay(node.key(1), Amount::from_coins(20))).await;
    node.mine(1).await;
    for at in 0..17 {
        node.send(node.plan(u32::from(at % 2)).commit(CommitmentHash([at; 32]))).await;
    }
    node.mine(1).await;
    let reader = node.reader();
    assert_eq!((reader.state.commitments_of(reader.tip).count(), reader.pool.len()), (16, 1));
    assert_eq!(reader.state.level(), 1_125_000, "one block's demand");
    assert_eq!(burned(&node).await, "1.65000000", "with the making of an account");
    let known = reader.pool.iter().next().unwrap().transaction.bytes().to_vec();
    assert_eq!(node.call::<String>("sendrawtransaction", json!([dotp2p_chain::hash::to_hex(&known)])).await.len(), 64);
    node.stop().await;
}
