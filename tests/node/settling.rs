//! Whose records DNS serves after a name changed hands: rules L2 to L4.

use dotp2p_chain::name::Name;
use dotp2p_registry::query::Reorganisations;

use crate::common::{TestNode, found, name, settling_after};

const OLD: &str = "192.0.2.1";
const NEW: &str = "192.0.2.2";

/// Gives `alice` from key 1 to key 2 in the next block, and new records in the one after that.
async fn hand_over(node: &TestNode) -> Name {
    let alice = name("alice");
    let entry = node.reader().state.name(&alice).unwrap().entry.clone();
    node.send(node.plan(0).transfer(&alice, &entry, node.key(2))).await;
    node.mine(1).await;
    let zone = crate::common::records(&format!("@ A {NEW}"));
    node.send(node.plan(0).update(&alice, zone, node.key(2))).await;
    node.mine(1).await;
    alice
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_owner_is_served_when_the_transfer_has_settled() {
    let node = TestNode::start(&settling_after(6)).await;
    node.register("alice", 1, &format!("@ A {OLD}")).await;
    assert_eq!(node.dig_a("alice").await, found([OLD]), "a first claim is served at once");
    node.mine(6).await;
    let transfer = node.tip() + 1;
    hand_over(&node).await;
    for tip in transfer + 1..transfer + 6 {
        node.mine_to(tip).await;
        assert_eq!(node.dig_a("alice").await, found([OLD]), "tip {tip}, transfer in {transfer}");
        assert!(!node.show("alice").await.served);
    }
    node.mine_to(transfer + 6).await;
    assert_eq!(node.dig_a("alice").await, found([NEW]));
    assert!(node.show("alice").await.served);
    node.stop().await;
}

/// The example of L3, with the transfer in the last common block but one and the two after it replaced.
#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_of_two_blocks_holds_what_is_served() {
    let node = TestNode::start(&settling_after(6)).await;
    node.register("alice", 1, &format!("@ A {OLD}")).await;
    node.mine(6).await;
    let (x, y) = (TestNode::start(&node.params).await, TestNode::start(&node.params).await);
    x.follow(&node).await;
    y.follow(&node).await;
    let (x, y) = (x.on_branch(b"x"), y.on_branch(b"y"));
    let fork = node.tip();
    x.mine(2).await;
    hand_over(&y).await;
    y.mine(1).await;
    node.follow(&x).await;
    node.follow(&y).await;
    let end = fork + 3;
    assert_eq!(node.tip(), end);
    assert_eq!(node.reader().reorganisations, Reorganisations { count: 1, deep: 1, deepest: 2 });
    for tip in end..end + 6 {
        y.mine_to(tip).await;
        node.follow(&y).await;
        assert_eq!(node.reader().settled.0.0, (tip - 6).min(fork), "tip {tip}");
        assert_eq!(node.dig_a("alice").await, found([OLD]), "held at tip {tip}");
        // Without the reorganisation the transfer, which is in block fork + 1, has settled at fork + 7.
        let settled = if tip < fork + 7 { OLD } else { NEW };
        assert_eq!(y.dig_a("alice").await, found([settled]), "not held at tip {tip}");
    }
    let node = node.restart().await;
    assert_eq!(node.dig_a("alice").await, found([OLD]), "a restart does not lift the hold");
    y.mine_to(end + 6).await;
    node.follow(&y).await;
    assert_eq!((node.reader().settled.0.0, node.dig_a("alice").await), (end, found([NEW])));
    for node in [node, x, y] {
        node.stop().await;
    }
}

/// A secret branch has more blocks ready than confirmations are asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_deep_reorganisation_holds_for_twice_as_many_blocks_as_were_left() {
    let node = TestNode::start(&settling_after(2)).await;
    node.register("alice", 1, &format!("@ A {OLD}")).await;
    node.register("bob", 1, &format!("@ A {OLD}")).await;
    node.mine(2).await;
    let (x, y) = (TestNode::start(&node.params).await, TestNode::start(&node.params).await);
    x.follow(&node).await;
    y.follow(&node).await;
    let (x, y) = (x.on_branch(b"x"), y.on_branch(b"y"));
    let fork = node.tip();
    x.mine(5).await;
    node.follow(&x).await;
    hand_over(&y).await;
    y.mine(4).await;
    node.follow(&y).await;
    let end = fork + 6 + 10;
    for tip in fork + 6..end {
        y.mine_to(tip).await;
        node.follow(&y).await;
        let reader = node.reader();
        assert_eq!((reader.tip.0, reader.settled.0.0), (tip, fork));
        assert_eq!(node.dig_a("alice").await, found([OLD]), "held at tip {tip}");
        // Found from block to block it is what it is found anew, also while a name goes to and fro.
        assert_eq!(*reader.unsettled, reader.find_unsettled(None).unwrap(), "tip {tip}");
        let bob_is_away = (fork + 8..fork + 12).contains(&tip);
        assert_eq!(
            reader.unsettled.keys().map(Name::as_str).collect::<Vec<_>>(),
            match bob_is_away {
                true => vec!["alice", "bob"],
                false => vec!["alice"],
            }
        );
        if let Some(to) = [(fork + 7, 2), (fork + 11, 1)].iter().find_map(|(at, to)| (*at == tip).then_some(*to)) {
            let bob = name("bob");
            let entry = y.reader().state.name(&bob).unwrap().entry.clone();
            y.send(y.plan(0).transfer(&bob, &entry, y.key(to))).await;
        }
    }
    y.mine_to(end).await;
    node.follow(&y).await;
    assert_eq!((node.reader().settled.0.0, node.dig_a("alice").await), (end - 2, found([NEW])));
    for node in [node, x, y] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_of_one_block_holds_nothing() {
    let node = TestNode::start(&settling_after(6)).await;
    node.mine_to(8).await;
    let (x, y) = (TestNode::start(&node.params).await, TestNode::start(&node.params).await);
    x.follow(&node).await;
    y.follow(&node).await;
    let (x, y) = (x.on_branch(b"x"), y.on_branch(b"y"));
    x.mine(1).await;
    y.mine(2).await;
    node.follow(&x).await;
    node.follow(&y).await;
    assert_eq!((node.reader().meta.hold, node.reader().settled.0.0), (None, 4));
    assert_eq!(node.reader().reorganisations, Reorganisations { count: 1, deep: 0, deepest: 1 });
    for node in [node, x, y] {
        node.stop().await;
    }
}
