//! Updates that are served before they are in a block: rules L5 and L6.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::height::Height;
use dotp2p_chain::params::Params;
use dotp2p_wallet::TxPlan;

use crate::common::{TestNode, found, name, records};

const MINED: &str = "192.0.2.1";
const WAITING: &str = "192.0.2.2";

async fn alice() -> TestNode {
    let node = TestNode::start(&Params::regtest()).await;
    node.register("alice", 1, &format!("@ A {MINED}")).await;
    node
}

fn update(node: &TestNode, signer: u32) -> TxPlan {
    node.plan(0).update(&name("alice"), records(&format!("@ A {WAITING}")), node.key(signer))
}

async fn is_served(node: &TestNode, address: &str) {
    assert_eq!(node.dig_a("alice").await, found([address]));
    assert_eq!(node.show("alice").await.provisional, address == WAITING);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_the_owner_is_served_at_once_and_stays() {
    let node = alice().await;
    is_served(&node, MINED).await;
    node.send(update(&node, 1)).await;
    is_served(&node, WAITING).await;
    node.mine(1).await;
    assert_eq!((node.dig_a("alice").await, node.show("alice").await.provisional), (found([WAITING]), false));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_is_replaced_is_withdrawn() {
    let node = alice().await;
    let plan = update(&node, 1);
    let nonce = plan.nonce;
    node.send(plan).await;
    is_served(&node, WAITING).await;
    let payment = TxPlan::new(node.key(0), nonce).pay(node.key(3), Amount::from_coins(1));
    node.send(payment.with_fee(Amount::from_atoms(100_000))).await;
    is_served(&node, MINED).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_expires_unmined_is_withdrawn() {
    let (node, miner) = (alice().await, TestNode::start(&Params::regtest()).await);
    miner.follow(&node).await;
    node.send(update(&node, 1).expires(Height(node.tip() + 1))).await;
    is_served(&node, WAITING).await;
    miner.mine(1).await;
    node.follow(&miner).await;
    is_served(&node, MINED).await;
    assert_eq!(node.pool().await, Vec::<String>::new());
    node.stop().await;
    miner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_before_its_block() {
    let node = alice().await;
    let alice = name("alice");
    let large = records(&format!("@ A {WAITING}\n@ TXT \"{}\" \"{}\" \"{}\"", "a".repeat(250), "b".repeat(250), "c"));
    assert!(large.len() > 512);
    let entry = node.reader().state.name(&alice).unwrap().entry.clone();
    let handed_over = node.plan(0).transfer(&alice, &entry, node.key(2));
    let plans = [
        ("records of more than 512 bytes", node.plan(0).update(&alice, large, node.key(1))),
        ("beside a payment", update(&node, 1).pay(node.key(3), Amount::from_coins(1))),
        ("by the owner after a transfer", handed_over.update(&alice, records(&format!("@ A {WAITING}")), node.key(2))),
    ];
    for (fee, (what, plan)) in (1..).zip(plans) {
        // Each replaces the one before.
        node.send(plan.with_fee(Amount::from_atoms(1_000_000 * fee))).await;
        assert_eq!(node.dig_a("alice").await, found([MINED]), "{what}");
    }
    let folder = node.stop().await;
    let off = |config: &mut dotp2p::node::NodeConfig| config.dns_provisional = false;
    let node = TestNode::start_in(folder, &Params::regtest(), off).await.unwrap_or_else(|error| panic!("{}", error.0));
    node.send(update(&node, 1)).await;
    assert_eq!(node.dig_a("alice").await, found([MINED]), "switched off");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_is_served_until_the_owner_speaks() {
    let node = alice().await;
    let alice = name("alice");
    let entry = node.reader().state.name(&alice).unwrap().entry.clone();
    node.send(node.plan(0).pay(node.key(2), Amount::from_coins(1))).await;
    node.send(node.plan(0).set_keys(&alice, &entry, Some(node.key(2)), None)).await;
    node.mine(1).await;
    let by_manager = node.plan(2).update(&alice, records(&format!("@ A {WAITING}")), node.key(2));
    node.send(by_manager).await;
    is_served(&node, WAITING).await;
    node.send(node.plan(0).renew(&alice, 1).signed_by(node.key(1))).await;
    is_served(&node, MINED).await;
    node.stop().await;
}
