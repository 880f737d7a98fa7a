//! A name that expires on one branch and is renewed on the other, switched both ways.

use crate::common::{TestNode, found, name, no_such_name, short};

#[tokio::test(flavor = "multi_thread")]
async fn expiry_on_one_branch_and_renewal_on_the_other() {
    let node = TestNode::start(&short()).await;
    node.register("alice", 1, "@ A 192.0.2.7").await;
    let expires = node.reader().state.name(&name("alice")).unwrap().entry.expires.0;
    node.mine_to(expires - 2).await;
    let (x, y) = (TestNode::start(&node.params).await, TestNode::start(&node.params).await);
    x.follow(&node).await;
    y.follow(&node).await;
    let (x, y) = (x.on_branch(b"renewed"), y.on_branch(b"expired"));

    let renewal = x.send(x.plan(0).renew(&name("alice"), 1)).await;
    x.mine_to(expires + 1).await;
    // Heights at which the other branch ends: grace from `expires` on, released from + 5, free from + 11.
    for (ends, state) in [(expires + 2, "grace"), (expires + 6, "released"), (expires + 12, "free")] {
        node.follow(&x).await;
        let shown = node.show("alice").await;
        assert_eq!((shown.state.as_str(), shown.expires_at), ("active", Some(expires + 30)));
        assert_eq!(node.dig_a("alice").await, found(["192.0.2.7"]), "renewed, before {state}");
        assert_eq!(node.pool().await, Vec::<String>::new());

        y.mine_to(ends).await;
        node.follow(&y).await;
        let shown = node.show("alice").await;
        assert_eq!(shown.state, state);
        assert_eq!(shown.expired, state != "free");
        assert_eq!(shown.expires_at, (state != "free").then_some(expires));
        assert_eq!(node.dig_a("alice").await, no_such_name(), "{state}");
        let returned = if state == "grace" { vec![renewal.to_string()] } else { vec![] };
        assert_eq!(node.pool().await, returned, "a renewal is valid in grace alone: {state}");
        x.mine_to(ends + 1).await;
    }
    node.follow(&x).await;
    assert_eq!(node.dig_a("alice").await, found(["192.0.2.7"]), "an entry that was removed is back");
    let node = node.restart().await;
    assert_eq!(node.state_root(), x.state_root());
    for node in [node, x, y] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_life() {
    let node = TestNode::start(&short()).await;
    node.register("alice", 1, "@ A 192.0.2.7").await;
    let expires = node.reader().state.name(&name("alice")).unwrap().entry.expires.0;
    let lives = [(expires - 1, "active"), (expires, "grace"), (expires + 4, "grace"), (expires + 5, "released")];
    for (height, state) in lives {
        node.mine_to(height).await;
        let shown = node.show("alice").await;
        assert_eq!((shown.state.as_str(), shown.expires_in), (state, Some(i64::from(expires) - i64::from(height))));
        let served = if state == "active" { found(["192.0.2.7"]) } else { no_such_name() };
        assert_eq!(node.dig_a("alice").await, served, "{height}");
    }
    node.mine_to(expires + 10).await;
    assert_eq!(node.show("alice").await.state, "released");
    node.mine(1).await;
    assert_eq!(node.show("alice").await.state, "free");
    assert_eq!(node.reader().state.name_count(), 0);
    node.register("alice", 2, "@ A 192.0.2.8").await;
    assert_eq!(node.dig_a("alice").await, found(["192.0.2.8"]));
    let history: Vec<dotp2p_rpc::types::HistoryItem> = node.call("name_history", serde_json::json!(["alice"])).await;
    assert_eq!(history.len(), 1, "a history begins where the name was last free");
    node.stop().await;
}
