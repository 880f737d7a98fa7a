//! What every method answers.

use std::sync::atomic::Ordering;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::{from_hex, to_hex};
use dotp2p_chain::proof::NameProof;
use dotp2p_chain::records::EMPTY;
use dotp2p_rpc::help;
use dotp2p_wallet::TxPlan;
use serde_json::{Value, json};

use crate::fake_node::{FakeNode, name};
use crate::session::Session;

#[tokio::test]
async fn names() {
    let node = FakeNode::with_alice();
    let mut session = Session::new(&node);
    session.call("name_show", r#"["Alice.P2P."]"#).await;
    session.call("name_show", r#"{"name":"alice","height":5}"#).await;
    session.call("name_list", "[]").await;
    session.call("name_list", &format!("[{:?}]", node.address(3))).await;
    session.call("name_history", r#"["alice"]"#).await;
    session.call("name_price", r#"["bücher", 3]"#).await;
    session.call("name_price", r#"{"name":"abc"}"#).await;
    session.call("name_price", r#"["alice", 2]"#).await;
    session.call("name_registrations", "[]").await;
    session.call("name_proof", r#"["alice"]"#).await;
    session.call("name_proof", r#"["alice", 2]"#).await;
    insta::assert_snapshot!(session.transcript());
}

#[tokio::test]
async fn changes_of_names() {
    let node = FakeNode::with_alice();
    let mut session = Session::new(&node);
    session.call("name_update", r#"["alice", [{"owner":"www","type":"A","ttl":300,"data":"192.0.2.8"}]]"#).await;
    session.call("name_show", r#"["alice"]"#).await;
    session.call("name_pending", "[]").await;
    session.call("name_pending", r#"["bob"]"#).await;
    session.call("name_conflicts", "[]").await;
    session
        .call("name_update", r#"{"name":"alice","zone":"@ SOA a b 1 2 3 4 5\n@ NS ns.example.\n@ A 192.0.2.9"}"#)
        .await;
    session.call("name_renew", r#"["alice"]"#).await;
    session.call("name_transfer", &format!(r#"["alice", {:?}]"#, node.address(3))).await;
    session.call("generatetoaddress", &format!(r#"[1, {:?}]"#, node.address(1))).await;
    session.call("name_show", r#"["alice"]"#).await;
    session
        .call("name_register", r#"{"name":"bob","zone":"@ A 192.0.2.1\nm DS 1 8 2 00\n","years":2,"limit":"2.5"}"#)
        .await;
    insta::assert_snapshot!(session.transcript());
}

#[tokio::test]
async fn a_clock_that_is_behind_is_warned_of() {
    let node = FakeNode::with_alice();
    node.switches.clock_behind.store(true, Ordering::Relaxed);
    let info = Session::new(&node).result("getblockchaininfo", json!([])).await;
    let warning =
        "the clock is 7300 s behind the chain: nothing is mined and new blocks may be refused until it is set right";
    assert_eq!(info["warnings"], json!([warning]));
}

#[tokio::test]
async fn chain() {
    let node = FakeNode::with_alice();
    let mut session = Session::new(&node);
    let tip = session.result("getbestblockhash", json!([])).await;
    let claim = session.result("getblockhash", json!([6])).await;
    let txid = session.result("getrawmempool", json!([])).await[0].clone();
    session.call("getblockchaininfo", "[]").await;
    session.call("getblockcount", "[]").await;
    session.call("getblockhash", r#"{"height":0}"#).await;
    session.call("getblock", &json!([claim]).to_string()).await;
    session.call("getblock", &json!([claim, 2]).to_string()).await;
    session.call("getblock", &json!([tip, 0]).to_string()).await;
    session.call("getblockheader", &json!([tip]).to_string()).await;
    session.call("getblockheader", &json!([tip, false]).to_string()).await;
    session.call("getrawmempool", "[]").await;
    session.call("getmempoolinfo", "[]").await;
    session.call("getchaintips", "[]").await;
    session.call("getrawtransaction", &json!([txid, true]).to_string()).await;
    session.call("getmininginfo", "[]").await;
    insta::assert_snapshot!(session.transcript());
}

#[tokio::test]
async fn wallet_and_control() {
    let node = FakeNode::with_alice();
    let mut session = Session::new(&node);
    session.call("getnewaddress", "[]").await;
    session.call("getbalance", "[]").await;
    session.call("sendtoaddress", &json!([node.address(3), 0.1]).to_string()).await;
    session.call("sendtoaddress", &json!({ "address": node.address(3), "amount": "0.00000001" }).to_string()).await;
    session.call("getinfo", "[]").await;
    session.call("uptime", "[]").await;
    node.switches.no_wallet.store(true, Ordering::Relaxed);
    session.call("getinfo", "{}").await;
    session.call("stop", "[]").await;
    assert!(node.stopped.load(Ordering::Relaxed));
    insta::assert_snapshot!(session.transcript());
}

#[tokio::test]
async fn peers() {
    let node = FakeNode::with_alice();
    let mut session = Session::new(&node);
    session.call("getpeerinfo", "[]").await;
    session.call("getnetworkinfo", "[]").await;
    session.call("addnode", r#"["192.0.2.7:9353", "onetry"]"#).await;
    session.call("addnode", r#"["nowhere", "add"]"#).await;
    session.call("addnode", r#"["nowhere", "remove"]"#).await;
    session.call("addnode", r#"["192.0.2.7:9353", "dial"]"#).await;
    session.call("disconnectnode", r#"["192.0.2.8:9353"]"#).await;
    session.call("setban", r#"["192.0.2.0/24", "add"]"#).await;
    session.call("setban", r#"["192.0.2.0/24", "add", 5, true]"#).await;
    session.call("setban", r#"["here", "add", 3600]"#).await;
    session.call("setban", r#"{"subnet": "192.0.2.1", "command": "remove"}"#).await;
    session.call("listbanned", "[]").await;
    insta::assert_snapshot!(session.transcript());
}

#[tokio::test]
async fn a_transaction_is_found_in_the_pool_and_in_its_block() {
    let node = FakeNode::with_alice();
    let session = Session::new(&node);
    let pay = node.sign(node.plan().pay(node.key(3), Amount::from_atoms(5)));
    let hex = to_hex(pay.bytes());
    let txid = session.result("sendrawtransaction", json!([hex])).await;
    assert_eq!(session.result("sendrawtransaction", json!([hex])).await, txid, "again is no error");
    assert_eq!(session.result("getrawtransaction", json!([txid])).await, json!(hex));
    session.result("generatetoaddress", json!([2, node.address(1)])).await;
    let found = session.result("getrawtransaction", json!([txid, true])).await;
    assert_eq!((&found["height"], &found["confirmations"]), (&json!(8), &json!(2)));
    assert_eq!(found["ops"][0]["amount"], json!(0.00000005));
    assert_eq!(session.result("getrawmempool", json!([])).await, json!([]));
}

#[tokio::test]
async fn the_pool_says_what_it_would_take_and_takes_nothing() {
    let node = FakeNode::with_alice();
    let session = Session::new(&node);
    let pay = |nonce: u64, amount| {
        let plan = TxPlan::new(node.key(0), nonce).pay(node.key(3), Amount::from_coins(amount));
        to_hex(node.sign(plan).bytes())
    };
    let mut bad = pay(3, 2);
    bad.replace_range(bad.len() - 2.., if bad.ends_with("00") { "01" } else { "00" });
    let before = session.result("getrawmempool", json!([])).await;
    let verdicts = session.result("testmempoolaccept", json!([[pay(3, 1), pay(4, 1), pay(9, 1), bad]])).await;
    let seen: Vec<(bool, Value)> = verdicts
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["allowed"].as_bool().unwrap(), it["reject-reason"].clone()))
        .collect();
    let gap = json!("nonce 9 leaves a gap: the payer's next is 5 (T7e)");
    let expected =
        [(true, Value::Null), (true, Value::Null), (false, gap), (false, json!("a signature is not good (T6)"))];
    assert_eq!(seen, expected);
    assert_eq!(session.result("getrawmempool", json!([])).await, before);
    let (code, text, _) = session.error("testmempoolaccept", json!([[]])).await;
    assert_eq!((code, text.as_str()), (-8, "rawtxs: expected 1 to 25 transactions, not 0"));
}

#[tokio::test]
async fn a_name_goes_through_its_states() {
    let node = FakeNode::with_alice();
    let session = Session::new(&node);
    let state = async |name: &str| session.result("name_show", json!([name])).await["state"].clone();
    assert_eq!(state("carol").await, "free");
    let (key, carol) = (node.key(0), name("carol"));
    let plan: TxPlan = node.plan().claim(&carol, key, [9; 16]);
    let dotp2p_chain::op::Op::Claim(claim) = plan.ops[0].clone() else { panic!() };
    let hash = claim.commitment(&node.chain().params.chain_id);
    session.result("generatetoaddress", json!([1, node.address(1)])).await;
    let commit = node.sign(node.plan().commit(hash));
    session.result("sendrawtransaction", json!([to_hex(commit.bytes())])).await;
    session.result("generatetoaddress", json!([2, node.address(1)])).await;
    assert_eq!(state("carol").await, "free", "a commitment tells no name");
    let claim = node.sign(node.plan().claim(&carol, key, [9; 16]).update(&carol, EMPTY.to_vec(), key));
    session.result("sendrawtransaction", json!([to_hex(claim.bytes())])).await;
    assert_eq!(state("carol").await, "pending");
    session.result("generatetoaddress", json!([1, node.address(1)])).await;
    assert_eq!(state("carol").await, "active");
    session.result("generatetoaddress", json!([195, node.address(1)])).await;
    assert_eq!(state("alice").await, "grace");
    let shown = session.result("name_show", json!(["alice"])).await;
    assert_eq!((&shown["expired"], &shown["expires_in"], &shown["served"]), (&json!(true), &json!(0), &json!(false)));
    session.result("generatetoaddress", json!([20, node.address(1)])).await;
    assert_eq!(state("alice").await, "released");
    let price = session.result("name_price", json!(["alice"])).await;
    assert_eq!((&price["kind"], &price["premium"]), (&json!("registration"), &json!(917_504.0)));
    session.result("generatetoaddress", json!([20, node.address(1)])).await;
    assert_eq!(state("alice").await, "free");
    assert_eq!(session.result("name_history", json!(["alice"])).await, json!([]));
}

#[tokio::test]
async fn a_proof_convinces_whoever_trusts_the_block() {
    let node = FakeNode::with_alice();
    let session = Session::new(&node);
    let params = node.chain().params.clone();
    for (height, held) in [(7, true), (6, true), (5, false), (0, false)] {
        let answer = session.result("name_proof", json!({ "name": "alice", "height": height })).await;
        let proof = NameProof::decode(&from_hex(answer["proof"].as_str().unwrap()).unwrap(), &params.rules).unwrap();
        let trusted = session.result("getblockhash", json!([height])).await;
        let trusted = trusted.as_str().unwrap().parse().unwrap();
        let proved = proof.verify(&name("alice"), &trusted, &params.rules).unwrap();
        assert_eq!((proved.name.is_some(), proved.height.0), (held, height));
    }
}

#[tokio::test]
async fn every_method_has_help_and_an_example_that_works_both_ways() {
    let listed: Vec<&str> = help::methods().iter().map(|method| method.name.as_str()).collect();
    let node = FakeNode::with_alice();
    let mut served = Session::new(&node).method_names();
    served.sort_unstable();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, served);

    for method in help::methods() {
        assert!(!method.summary().contains('\n') && method.summary().len() <= 100, "{}: one line", method.name);
        let example = method.example().unwrap_or_else(|| panic!("{} has no example", method.name));
        let mut replies = Vec::new();
        for named in [false, true] {
            let node = FakeNode::with_alice();
            let session = Session::new(&node);
            let mut params = example.replace("ADDRESS", &node.address(3));
            let tip = session.result("getbestblockhash", json!([])).await;
            let words = [
                ("TXID", session.result("getrawmempool", json!([])).await[0].clone()),
                ("BLOCK", session.result("getblock", json!([tip, 0])).await),
                ("HASH", tip),
            ];
            for (word, value) in words {
                params = params.replace(&format!("\"{word}\""), &value.to_string());
            }
            params = params.replace("HEX", &to_hex(node.sign(node.plan().renew(&name("alice"), 1)).bytes()));
            let params: Vec<Value> = serde_json::from_str(&params).unwrap();
            for parameter in method.parameters.iter().skip(params.len()) {
                assert!(parameter.optional, "{}: the example leaves out {}", method.name, parameter.name);
            }
            let names = method.parameters.iter().map(|parameter| parameter.name.clone());
            let by_name = names.zip(params.clone()).collect::<serde_json::Map<_, _>>();
            let params = if named { json!(by_name) } else { json!(params) };
            replies.push(session.result(&method.name, params).await);
        }
        assert_eq!(replies[0], replies[1], "{}", method.name);
    }
}

#[test]
fn help_text() {
    let page = help::page(help::method("sendtoaddress").unwrap());
    insta::assert_snapshot!(format!("{}\n\n----\n\n{page}", help::list()));
}
