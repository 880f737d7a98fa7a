//! Restarts: nothing that was acknowledged is lost, and nothing is paid for twice.

use dotp2p_chain::params::Params;
use dotp2p_rpc::types::{BlockchainInfo, HistoryItem, RegistrationInfo};
use serde_json::{Value, json};

use crate::common::{TestNode, found, name};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything() {
    let node = TestNode::start(&Params::regtest()).await;
    node.register("alice", 1, "@ A 192.0.2.7\nwww 300 CNAME @").await;
    node.register("bobby", 2, "@ A 192.0.2.8").await;
    let bobby = node.reader().state.name(&name("bobby")).unwrap().entry.clone();
    node.send(node.plan(0).transfer(&name("bobby"), &bobby, node.key(1))).await;
    node.mine(1).await;
    let txid = node.reader().block(node.reader().tip).unwrap().transactions[0].txid(&node.params.chain_id);
    let calls = [
        ("getblockchaininfo", json!([])),
        ("getbestblockhash", json!([])),
        ("getblock", json!([node.reader().tip_hash().to_string(), 2])),
        ("getbalance", json!([])),
        ("name_list", json!([node.address(1)])),
        ("name_show", json!(["alice"])),
        ("name_show", json!(["bobby", 7])),
        ("name_history", json!(["bobby"])),
        ("name_proof", json!(["alice"])),
        ("getrawtransaction", json!([txid.to_string(), true])),
    ];
    let mut before: Vec<Value> = Vec::new();
    for (method, params) in &calls {
        before.push(node.call(method, params.clone()).await);
    }
    let (state, meta) = (node.state_root(), node.reader().meta);
    let kept = (state, meta.serial, meta.hold);
    let mut node = node;
    for _ in 0..2 {
        node = node.restart().await;
        for ((method, params), before) in calls.iter().zip(&before) {
            assert_eq!(&node.call::<Value>(method, params.clone()).await, before, "{method}");
        }
        let meta = node.reader().meta;
        assert_eq!((node.state_root(), meta.serial, meta.hold), kept);
        assert_eq!(node.dig_a("www.alice").await, found(["alice.p2p.", "192.0.2.7"]));
        assert_eq!(node.dig_a("bobby").await, found(["192.0.2.8"]));
    }
    node.mine(1).await;
    node.stop().await;
}

/// The registration of `alice`, as the node has it after looking once more.
async fn look(node: &TestNode) -> RegistrationInfo {
    let records = json!([{ "owner": "@", "type": "A", "data": "192.0.2.7" }]);
    node.call("name_register", json!({ "name": "alice", "records": records, "years": 3 })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_survives_restarts_and_never_pays_twice() {
    let mut node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    let mut steps = Vec::new();
    for round in 0.. {
        let info = look(&node).await;
        steps.push(info.step.clone());
        if info.step == "done" {
            break;
        }
        assert!(round < 20, "{steps:?}");
        // The pool is lost with the node; what was lost is sent again at the next block, and that is mined.
        node = node.restart().await;
        look(&node).await;
        node.mine(1).await;
        look(&node).await;
        node = if round % 2 == 0 { node } else { node.restart().await };
        look(&node).await;
        node.mine(1).await;
    }
    for step in ["commit", "claim", "done"] {
        assert!(steps.iter().any(|it| it == step), "{step} was not seen: {steps:?}");
    }
    let chain: BlockchainInfo = node.call("getblockchaininfo", json!([])).await;
    assert_eq!(chain.burned.to_string(), "3.00000000", "three years, once: {steps:?}");
    let history: Vec<HistoryItem> = node.call("name_history", json!(["alice"])).await;
    assert_eq!(history.iter().map(|it| it.ops.join(" ")).collect::<Vec<_>>(), ["claim update renew"]);
    assert_eq!(node.dig_a("alice").await, found(["192.0.2.7"]));
    node.mine(3).await;
    assert_eq!(look(&node).await.step, "done");
    assert_eq!(node.pool().await, Vec::<String>::new());
    node.stop().await;
}

/// A lost `registrations.json` is made up for by the chain and the seed.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_found_again_by_its_seed() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    assert_eq!(look(&node).await.step, "commit");
    node.mine(1).await;
    let (params, folder) = (node.params.clone(), node.stop().await);
    std::fs::remove_file(folder.path().join("registrations.json")).unwrap();
    let node = TestNode::start_in(folder, &params, |_| ()).await.unwrap_or_else(|error| panic!("{}", error.0));
    assert_eq!(look(&node).await.step, "age");
    node.mine(1).await;
    look(&node).await;
    node.wait_for("the claim is sent", |reader| !reader.pool.is_empty()).await;
    node.mine(1).await;
    assert_eq!(look(&node).await.step, "done");
    let chain: BlockchainInfo = node.call("getblockchaininfo", json!([])).await;
    assert_eq!(chain.burned.to_string(), "3.00000000");
    node.stop().await;
}
