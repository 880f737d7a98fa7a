//! Nodes that are connected: they agree on one chain and one pool, and on nothing with nodes of another network.

#[cfg(feature = "quic")]
use dotp2p::node::PeersConfig;
use dotp2p_chain::amount::Amount;
use dotp2p_chain::params::Params;
use dotp2p_rpc::types::{BlockchainInfo, ChainTip, ConflictInfo, ConflictNameInfo, NetworkInfo, PeerInfo};
use dotp2p_wallet::{Keys, Phrase};
use serde_json::{Value, json};

use crate::common::{PHRASE, TestNode, found, name, records};

async fn peers(node: &TestNode) -> Vec<PeerInfo> {
    node.call("getpeerinfo", json!([])).await
}

/// Waits until a node has so many peers that have said who they are.
async fn wait_for_peers(node: &TestNode, count: usize) -> Vec<PeerInfo> {
    let greeted = async {
        loop {
            let peers = peers(node).await;
            if peers.iter().filter(|peer| peer.height.is_some()).count() == count {
                return peers;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::common::DEADLINE, greeted).await.expect("peers greet each other")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joins_has_the_chain_and_resolves_its_names() {
    let first = TestNode::connected(&Params::regtest(), &[]).await;
    first.register("alice", 1, "@ A 192.0.2.7").await;
    first.mine_to(150).await;
    let second = TestNode::connected(&first.params, &[&first]).await;
    second.wait_for_tip_of(&first).await;
    assert_eq!(second.dig_a("alice").await, found(["192.0.2.7"]));

    first.mine(1).await;
    second.wait_for_tip_of(&first).await;
    second.mine(1).await;
    first.wait_for_tip_of(&second).await;

    let seen = wait_for_peers(&second, 1).await;
    assert_eq!(
        (seen[0].connection_type.as_str(), seen[0].inbound, seen[0].same_deployment),
        ("manual", false, Some(true))
    );
    assert_eq!(wait_for_peers(&first, 1).await[0].connection_type, "inbound");
    let network: NetworkInfo = second.call("getnetworkinfo", json!([])).await;
    assert_eq!((network.connections, network.connections_out), (1, 1));
    assert!(
        first.p2p().starts_with(&seen[0].addr) || seen[0].addr == first.p2p(),
        "{} is {}",
        seen[0].addr,
        first.p2p()
    );
    second.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_reaches_every_pool_and_an_owners_update_is_served_at_once() {
    let first = TestNode::connected(&Params::regtest(), &[]).await;
    first.register("alice", 1, "@ A 192.0.2.1").await;
    let middle = TestNode::connected(&first.params, &[&first]).await;
    let last = TestNode::connected(&first.params, &[&middle]).await;
    last.wait_for_tip_of(&first).await;
    wait_for_peers(&last, 1).await;

    let update = first.plan(0).update(&name("alice"), records("@ A 192.0.2.2"), first.key(1));
    let txid = first.send(update).await;
    last.wait_for("the update in the pool", |reader| reader.pool.get(&txid).is_some()).await;
    assert_eq!(last.dig_a("alice").await, found(["192.0.2.2"]));
    assert!(last.show("alice").await.provisional);

    last.mine(1).await;
    first.wait_for_tip_of(&last).await;
    assert_eq!((first.pool().await, first.show("alice").await.provisional), (Vec::new(), false));
    assert_eq!(first.dig_a("alice").await, found(["192.0.2.2"]));
    for node in [last, middle, first] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_of_one_payer_reach_every_pool_whatever_overtakes_what() {
    let first = TestNode::connected(&Params::regtest(), &[]).await;
    first.mine_to(3).await;
    let middle = TestNode::connected(&first.params, &[&first]).await;
    let last = TestNode::connected(&first.params, &[&middle, &first]).await;
    last.wait_for_tip_of(&first).await;
    middle.wait_for_tip_of(&first).await;
    wait_for_peers(&last, 2).await;
    for _ in 0..20 {
        first.send(first.plan(0).pay(first.key(3), Amount::from_atoms(1))).await;
    }
    for node in [&middle, &last] {
        node.wait_for("all twenty", |reader| reader.pool.len() == 20).await;
    }
    for node in [last, middle, first] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_in_a_pool_is_told_to_whoever_connects() {
    let first = TestNode::connected(&Params::regtest(), &[]).await;
    first.mine_to(3).await;
    let txid = first.send(first.plan(0).pay(first.key(3), Amount::from_coins(1))).await;
    let second = TestNode::connected(&first.params, &[&first]).await;
    // Before the blocks were here it could not be judged: then it is asked for again.
    second.wait_for("the payment in the pool", |reader| reader.pool.get(&txid).is_some()).await;
    second.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn islands_that_meet_agree_on_the_heavier_chain_and_lose_no_transaction() {
    let params = Params::regtest();
    let island = TestNode::connected(&params, &[]).await;
    island.mine_to(5).await;
    let mainland = TestNode::connected(&params, &[]).await;
    mainland.follow(&island).await;
    let (island, mainland) = (island.on_branch(b"island"), mainland.on_branch(b"mainland"));
    let payment = island.send(island.plan(0).pay(island.key(3), Amount::from_coins(1))).await;
    island.mine(3).await;
    mainland.mine(6).await;

    let _: Value = island.call("addnode", json!([mainland.p2p(), "add"])).await;
    island.wait_for_tip_of(&mainland).await;
    mainland.wait_for("the island's payment", |reader| reader.pool.get(&payment).is_some()).await;
    mainland.mine(1).await;
    island.wait_for_tip_of(&mainland).await;
    let found: Value = island.call("getrawtransaction", json!([payment.to_string(), true])).await;
    assert_eq!(found["confirmations"], json!(1));
    island.stop().await;
    mainland.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reorganisation_brought_back_is_told_though_gossip_knows_it() {
    let params = Params::regtest();
    let island = TestNode::connected(&params, &[]).await.on_branch(b"island");
    island.mine_to(5).await;
    let mainland = TestNode::connected(&params, &[&island]).await.on_branch(b"mainland");
    mainland.wait_for_tip_of(&island).await;
    wait_for_peers(&island, 1).await;
    // Both have heard of it, and of each other's blocks, while the mainland's are not told yet.
    let payment = island.send(island.plan(0).pay(island.key(3), Amount::from_coins(1))).await;
    mainland.wait_for("the payment", |reader| reader.pool.get(&payment).is_some()).await;
    let newcomer = TestNode::start(&params).await.on_branch(b"newcomer");
    newcomer.follow(&island).await;
    newcomer.mine(3).await;
    let third = TestNode::connected(&params, &[&mainland]).await;
    third.wait_for_tip_of(&mainland).await;
    wait_for_peers(&third, 1).await;
    island.mine(2).await;
    third.wait_for_tip_of(&island).await;
    assert!(third.reader().pool.get(&payment).is_none(), "it is in a block");
    third.take_all(&newcomer).await;
    for node in [&island, &mainland] {
        node.wait_for_tip_of(&newcomer).await;
        node.wait_for("the payment again", |reader| reader.pool.get(&payment).is_some()).await;
    }
    for node in [third, newcomer, mainland, island] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_island_with_a_full_pool_is_not_taken_for_a_flood() {
    const PAYERS: u32 = 48;
    const OF_EACH: usize = 25;
    let params = Params::regtest();
    let mut island = TestNode::connected(&params, &[]).await;
    island.keys = Keys::new(&PHRASE.parse::<Phrase>().unwrap().seed(), PAYERS + 1).unwrap();
    island.mine_to(5).await;
    let funds = (1..=PAYERS).fold(island.plan(0), |plan, payer| plan.pay(island.key(payer), Amount::from_coins(1)));
    island.send(funds).await;
    island.mine(1).await;
    let mainland = TestNode::connected(&params, &[]).await;
    mainland.follow(&island).await;
    let (island, mainland) = (island.on_branch(b"island"), mainland.on_branch(b"mainland"));
    for payer in 1..=PAYERS {
        for _ in 0..OF_EACH {
            island.send(island.plan(payer).pay(island.key(0), Amount::from_atoms(1))).await;
        }
    }
    island.mine(1).await;
    assert!(island.reader().pool.is_empty(), "all are in a block");
    mainland.mine(3).await;

    let _: Value = island.call("addnode", json!([mainland.p2p(), "add"])).await;
    island.wait_for_tip_of(&mainland).await;
    mainland.wait_for("all of the island's", |reader| reader.pool.len() == PAYERS as usize * OF_EACH).await;
    let points: Vec<u32> = peers(&mainland).await.iter().map(|peer| peer.banscore).collect();
    assert_eq!(points, [0]);
    island.stop().await;
    mainland.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_two_networks_part_at_once() {
    let (regtest, test) = (Params::regtest(), Params::test());
    let first = TestNode::connected(&regtest, &[]).await;
    let mut other = regtest.clone();
    other.rules.id = [9; 16];
    let other = Params::new(other.rules, test.deployment.clone()).unwrap();
    let stranger = TestNode::connected(&other, &[&first]).await;
    first.mine(1).await;
    let friend = TestNode::connected(&regtest, &[&first]).await;
    friend.wait_for_tip_of(&first).await;
    assert_eq!(stranger.tip(), 0);
    assert_eq!(wait_for_peers(&first, 1).await.len(), 1, "the friend alone");
    for node in [friend, stranger, first] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_banned_is_parted_from_and_not_let_in() {
    let first = TestNode::connected(&Params::regtest(), &[]).await;
    let second = TestNode::connected(&first.params, &[&first]).await;
    let seen = wait_for_peers(&first, 1).await;
    let _: Value = first.call("setban", json!([seen[0].id, "add", 3600])).await;
    let parted = async {
        while !peers(&first).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::common::DEADLINE, parted).await.expect("it is parted from");
    let banned: Value = first.call("listbanned", json!([])).await;
    assert_eq!((&banned[0]["address"], &banned[0]["reason"]), (&json!(seen[0].id), &json!("manually added")));
    let _: Value = first.call("setban", json!([seen[0].id, "remove"])).await;
    first.mine(1).await;
    second.wait_for_tip_of(&first).await;
    second.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_both_islands_claimed_is_told_with_who_won() {
    let params = Params::regtest();
    let island = TestNode::connected(&params, &[]).await;
    island.mine_to(2).await;
    island.send(island.commit("alice", 1)).await;
    island.send(island.commit("alice", 2)).await;
    island.mine(2).await;
    let mainland = TestNode::connected(&params, &[]).await;
    mainland.follow(&island).await;
    let (island, mainland) = (island.on_branch(b"island"), mainland.on_branch(b"mainland"));
    let lost = island.send(island.claim("alice", 1, "@ A 192.0.2.1")).await;
    island.mine(2).await;
    mainland.send(mainland.claim("alice", 2, "@ A 192.0.2.2")).await;
    mainland.mine(4).await;

    let _: Value = island.call("addnode", json!([mainland.p2p(), "add"])).await;
    island.wait_for_tip_of(&mainland).await;
    let conflicts: Vec<ConflictInfo> = island.call("name_conflicts", json!([])).await;
    let told: Vec<_> = conflicts.iter().map(|it| (it.txid.clone(), it.height, it.names.clone())).collect();
    let won = Some(island.address(2));
    let names = ["claim", "update"].map(|op| ConflictNameInfo {
        name: "alice".to_owned(),
        op: op.to_owned(),
        owner: won.clone(),
    });
    assert_eq!(told, [(lost.to_string(), 8, names.to_vec())]);
    let chain: BlockchainInfo = island.call("getblockchaininfo", json!([])).await;
    assert!(chain.warnings.iter().any(|text| text.contains("name_conflicts")), "{:?}", chain.warnings);
    let tips: Vec<ChainTip> = island.call("getchaintips", json!([])).await;
    let seen: Vec<_> = tips.iter().map(|tip| (tip.status.as_str(), tip.height, tip.branchlen)).collect();
    assert_eq!(seen, [("active", 8, 0), ("valid-fork", 6, 2)]);

    let island = island.restart().await;
    let kept: Vec<ConflictInfo> = island.call("name_conflicts", json!([])).await;
    assert_eq!(kept, conflicts, "over a restart, too");
    island.stop().await;
    mainland.stop().await;
}

#[cfg(feature = "quic")]
#[tokio::test(flavor = "multi_thread")]
async fn nodes_agree_over_quic_too() {
    let params = Params::regtest();
    let over_quic = |peers| PeersConfig {
        listen: Some(vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()]),
        peers,
        ..PeersConfig::alone()
    };
    let first = TestNode::with_peers(&params, over_quic(Vec::new())).await;
    first.mine_to(30).await;
    let second = TestNode::with_peers(&params, over_quic(vec![first.p2p()])).await;
    second.wait_for_tip_of(&first).await;
    first.mine(1).await;
    second.wait_for_tip_of(&first).await;
    assert!(wait_for_peers(&second, 1).await[0].addr.contains("/quic-v1"), "{}", first.p2p());
    second.stop().await;
    first.stop().await;
}
