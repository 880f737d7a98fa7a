//! Reorganisations: what a branch of more work takes away comes back with its own branch.

use dotp2p::import::Imported;
use dotp2p_chain::params::Params;
use dotp2p_rpc::types::HistoryItem;
use serde_json::json;

use crate::common::{TestNode, found, name, no_such_name};

/// Two nodes that share the blocks of `root` and will not agree on the next one.
async fn branches(root: &TestNode) -> (TestNode, TestNode) {
    let (x, y) = (TestNode::start(&root.params).await, TestNode::start(&root.params).await);
    x.follow(root).await;
    y.follow(root).await;
    (x.on_branch(b"x"), y.on_branch(b"y"))
}

async fn history(node: &TestNode, label: &str) -> Vec<HistoryItem> {
    node.call("name_history", json!([label])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_takes_a_name_away_and_gives_it_back() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    let commit = node.send(node.commit("alice", 1)).await;
    node.mine(2).await;
    let (x, y) = branches(&node).await;

    let claim = x.send(x.claim("alice", 1, "@ A 192.0.2.7")).await;
    x.mine(1).await;
    let payment = x.send(x.plan(0).pay(x.key(3), dotp2p_chain::amount::Amount::from_coins(1))).await;
    x.mine(1).await;
    node.follow(&x).await;
    assert_eq!(node.dig_a("alice").await, found(["192.0.2.7"]));
    assert_eq!(node.pool().await, Vec::<String>::new());

    y.mine(3).await;
    node.follow(&y).await;
    let shown = node.show("alice").await;
    assert_eq!((shown.state.as_str(), shown.owner, shown.served), ("pending", None, false));
    assert_eq!(node.dig_a("alice").await, no_such_name());
    assert_eq!(history(&node, "alice").await, []);
    assert_eq!(node.pool().await, [claim.to_string(), payment.to_string()], "its transactions are back, in order");

    x.mine(2).await;
    node.follow(&x).await;
    let shown = node.show("alice").await;
    assert_eq!((shown.state.as_str(), shown.owner, shown.served), ("active", Some(node.address(1)), true));
    assert_eq!((shown.height, shown.txid), (Some(5), Some(claim.to_string())));
    assert_eq!(node.dig_a("alice").await, found(["192.0.2.7"]));
    let history = history(&node, "alice").await;
    assert_eq!((history.len(), history[0].height), (1, 5));
    assert_eq!(node.pool().await, Vec::<String>::new());
    let found: serde_json::Value = node.call("getrawtransaction", json!([commit.to_string(), true])).await;
    assert_eq!((found["height"].as_u64(), found["confirmations"].as_u64()), (Some(3), Some(6)));
    for node in [node, x, y] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_has_another_owner_on_another_branch() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    node.send(node.commit("alice", 1)).await;
    node.send(node.commit("alice", 2)).await;
    node.mine(2).await;
    let (x, y) = branches(&node).await;
    x.send(x.claim("alice", 1, "@ A 192.0.2.1")).await;
    x.mine(1).await;
    y.send(y.claim("alice", 2, "@ A 192.0.2.2")).await;
    y.mine(2).await;

    let mut blocks = 1;
    node.follow(&x).await;
    for (branch, owner, address) in [(&y, 2, "192.0.2.2"), (&x, 1, "192.0.2.1"), (&y, 2, "192.0.2.2")] {
        branch.mine(blocks).await;
        node.follow(branch).await;
        let shown = node.show("alice").await;
        assert_eq!((shown.owner, shown.since), (Some(node.address(owner)), Some(5)));
        assert_eq!(node.dig_a("alice").await, found([address]));
        assert_eq!(history(&node, "alice").await.len(), 1, "the other branch's claim is not its history");
        let names: Vec<dotp2p_rpc::types::NameSummary> = node.call("name_list", json!([node.address(owner)])).await;
        assert_eq!(names.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["alice"]);
        let others: Vec<dotp2p_rpc::types::NameSummary> =
            node.call("name_list", json!([node.address(3 - owner)])).await;
        assert_eq!(others, []);
        assert_eq!(node.pool().await, Vec::<String>::new(), "the other claim is no longer valid");
        blocks = 3;
    }
    for node in [node, x, y] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_equal_work_the_first_one_stays() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    let (x, y) = branches(&node).await;
    x.mine(2).await;
    y.mine(2).await;
    node.follow(&x).await;
    let before = node.picture();
    node.take_all(&y).await;
    assert_eq!(node.picture(), before);
    y.mine(1).await;
    node.follow(&y).await;
    for node in [node, x, y] {
        node.stop().await;
    }
}

/// What waits in the pool behind a transaction that a reorganisation returns must not be lost with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_behind_a_returned_transaction_stays() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    let (x, y) = branches(&node).await;
    let first = x.send(x.commit("alice", 1)).await;
    x.mine(1).await;
    node.follow(&x).await;
    let second = node.send(node.commit("bobby", 1)).await;
    y.mine(2).await;
    node.follow(&y).await;
    assert_eq!(node.pool().await, [first.to_string(), second.to_string()]);
    for node in [node, x, y] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_may_come_in_any_order_and_twice() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    node.register("alice", 1, "@ A 192.0.2.7").await;
    let other = TestNode::start(&node.params).await;
    let reader = node.reader();
    let block = |height| reader.block(dotp2p_chain::height::Height(height)).unwrap();
    let early = other.handle.import(block(2).encode()).await.unwrap_err().to_string();
    assert_eq!(early, format!("parent {} is not known", block(1).hash()));
    other.submit_block(&block(1)).await;
    assert_eq!(other.submit_block(&block(1)).await, Imported::Known);
    other.follow(&node).await;
    assert_eq!(other.reader().state.name(&name("alice")).unwrap(), reader.state.name(&name("alice")).unwrap());
    node.stop().await;
    other.stop().await;
}
