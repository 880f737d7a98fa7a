//! What every method refuses, and how it says so.

use std::sync::atomic::Ordering;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::to_hex;
use dotp2p_rpc::error::code;
use serde_json::json;

use crate::fake_node::{FakeNode, name};
use crate::session::Session;

#[tokio::test]
async fn wrong_values() {
    let node = FakeNode::with_alice();
    let mut session = Session::new(&node);
    let address = node.address(3);
    for (method, params) in [
        ("name_show", json!(["a_b"])),
        ("name_show", json!(["a.b.p2p"])),
        ("name_show", json!(["alice", 8])),
        ("name_price", json!(["alice", 11])),
        ("name_list", json!(["p2p1qqqq"])),
        ("name_update", json!(["alice"])),
        ("name_update", json!(["alice", [{ "owner": "@", "type": "A", "data": "192.0.2.256" }]])),
        ("name_update", json!({ "name": "alice", "zone": "@ A 192.0.2.7\n@ A" })),
        ("name_update", json!({ "name": "alice", "zone": "", "records": [] })),
        ("name_register", json!({ "name": "bob", "limit": "1,5" })),
        ("name_history", json!(["alice", 0])),
        ("sendtoaddress", json!([address, 0])),
        ("sendtoaddress", json!([address, "1.000000001"])),
        ("sendtoaddress", json!([address, -1])),
        ("generatetoaddress", json!([0, address])),
        ("getblock", json!(["00"])),
        ("getblock", json!(["00".repeat(32)])),
        ("getblockhash", json!([8])),
        ("getrawtransaction", json!(["00".repeat(32)])),
        ("sendrawtransaction", json!(["zz"])),
        ("sendrawtransaction", json!(["00"])),
        ("help", json!(["nonsense"])),
    ] {
        session.call(method, &params.to_string()).await;
    }
    insta::assert_snapshot!(session.transcript());
}

#[tokio::test]
async fn wrong_types() {
    let node = FakeNode::with_alice();
    let session = Session::new(&node);
    for (method, params) in [
        ("name_show", json!([])),
        ("name_show", json!({})),
        ("name_show", json!([1])),
        ("name_show", json!(["alice", "high"])),
        ("name_price", json!(["alice", 256])),
        ("name_update", json!(["alice", [{ "owner": "@", "type": "A", "data": "192.0.2.7", "tll": 1 }]])),
        ("sendtoaddress", json!([node.address(3), true])),
        ("getblock", json!([null])),
    ] {
        let (number, ..) = session.error(method, params.clone()).await;
        assert_eq!(number, i64::from(code::INVALID_PARAMS), "{method} {params}");
    }
    assert_eq!(session.error("nonsense", json!([])).await.0, i64::from(code::METHOD_NOT_FOUND));
}

#[tokio::test]
async fn rules_and_pool() {
    let node = FakeNode::with_alice();
    let mut session = Session::new(&node);
    let plans = [
        ("a claim nobody committed to", node.plan().claim(&name("bob"), node.key(0), [1; 16])),
        ("a name nobody holds", node.plan().renew(&name("bob"), 1)),
        ("more coins than there are", node.plan().pay(node.key(3), Amount::from_coins(1_000_000))),
        (
            "a key that has no account",
            dotp2p_wallet::TxPlan::new(node.key(2), 0).pay(node.key(3), Amount::from_coins(1)),
        ),
    ];
    for (_, plan) in plans {
        session.call("sendrawtransaction", &json!([to_hex(node.sign(plan).bytes())]).to_string()).await;
    }
    let mut late = node.plan().renew(&name("alice"), 1);
    late.nonce += 5;
    session.call("sendrawtransaction", &json!([to_hex(node.sign(late).bytes())]).to_string()).await;
    let mut forged = node.sign(node.plan().renew(&name("alice"), 1)).bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    session.call("sendrawtransaction", &json!([to_hex(&forged)]).to_string()).await;
    let genesis = session.result("getblockhash", json!([0])).await;
    let genesis = session.result("getblock", json!([genesis, 0])).await;
    for block in [genesis, json!("00"), json!("0")] {
        session.call("submitblock", &json!([block]).to_string()).await;
    }
    session.call("name_renew", r#"["bob"]"#).await;
    session.call("sendtoaddress", &json!([node.address(0), 1]).to_string()).await;
    insta::assert_snapshot!(session.transcript());
}

#[tokio::test]
async fn states_of_the_node() {
    let node = FakeNode::with_alice();
    let mut session = Session::new(&node);
    node.switches.not_on_demand.store(true, Ordering::Relaxed);
    session.call("generatetoaddress", &json!([1, node.address(3)]).to_string()).await;
    node.switches.no_wallet.store(true, Ordering::Relaxed);
    for method in ["getbalance", "getnewaddress", "name_list", "name_registrations"] {
        session.call(method, "[]").await;
    }
    session.call("name_renew", r#"["alice"]"#).await;
    node.switches.no_wallet.store(false, Ordering::Relaxed);
    node.switches.stopping.store(true, Ordering::Relaxed);
    session.call("name_renew", r#"["alice"]"#).await;
    node.switches.not_ready.store(true, Ordering::Relaxed);
    session.call("getblockcount", "[]").await;
    session.call("name_show", r#"["alice"]"#).await;
    insta::assert_snapshot!(session.transcript());
}
