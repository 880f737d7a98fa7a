//! From nothing to an answer: a name registered over RPC and resolved over UDP and TCP.

use dotp2p_chain::params::Params;
use dotp2p_rpc::types::{BlockchainInfo, HistoryItem, RegistrationInfo, Sent};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use serde_json::json;

use crate::common::{Answer, TestNode, found, no_such_name};

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_registered_updated_and_resolved() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    assert_eq!(node.dig_a("alice").await, no_such_name());
    assert_eq!(node.show("alice").await.state, "free");

    let records = json!([{ "owner": "@", "type": "A", "data": "192.0.2.7" }]);
    let register = json!({ "name": "alice", "records": records, "years": 2 });
    let info: RegistrationInfo = node.call("name_register", register.clone()).await;
    assert_eq!((info.step.as_str(), info.txids.len()), ("commit", 1));
    assert_eq!(node.pool().await, info.txids, "the commit waits for its block");
    assert_eq!(node.dig_a("alice").await, no_such_name());

    node.mine(2).await;
    node.wait_for("the claim is sent", |reader| !reader.pool.is_empty()).await;
    assert_eq!(node.show("alice").await.state, "pending");
    assert_eq!(node.dig_a("alice").await, no_such_name(), "a claim is not served before its block");

    node.mine(1).await;
    let shown = node.show("alice").await;
    assert_eq!((shown.state.as_str(), shown.owner), ("active", Some(node.address(0))));
    assert_eq!((shown.since, shown.expires_at, shown.expires_in), (Some(5), Some(405), Some(400)));
    assert!(shown.served, "a first claim resolves at once");
    assert_eq!(node.dig_a("alice").await, found(["192.0.2.7"]));
    assert_eq!(node.dig_a("www.alice").await, no_such_name());
    assert_eq!(node.dig("alice.p2p.", RecordType::AAAA).await, Answer(ResponseCode::NoError, vec![]));

    let info: RegistrationInfo = node.call("name_register", register).await;
    assert_eq!((info.step.as_str(), info.txids.len()), ("done", 2), "asked again, it answers how it ended");
    let chain: BlockchainInfo = node.call("getblockchaininfo", json!([])).await;
    assert_eq!(chain.burned.to_string(), "2.00000000", "two years of a name of five bytes");

    let records = json!([{ "owner": "www", "type": "A", "ttl": 300, "data": "192.0.2.8" }]);
    let sent: Sent = node.call("name_update", json!(["alice", records])).await;
    node.mine(1).await;
    assert_eq!(node.dig_a("alice").await, Answer(ResponseCode::NoError, vec![]), "NODATA: there is www below");
    assert_eq!(node.dig_a("WWW.Alice").await, found(["192.0.2.8"]));
    let history: Vec<HistoryItem> = node.call("name_history", json!(["alice"])).await;
    let ops: Vec<_> = history.iter().map(|item| (item.height, item.ops.join(" "))).collect();
    assert_eq!(ops, [(6, "update".to_owned()), (5, "claim update renew".to_owned())]);
    assert_eq!((&history[0].txid, &history[1].txid), (&sent.txid, &info.txids[1]));
    assert_eq!(history[1].records[0].data, "192.0.2.7", "as it was then");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_shown_as_it_was() {
    let node = TestNode::start(&Params::regtest()).await;
    node.register("alice", 1, "@ A 192.0.2.7").await;
    let claimed = node.tip();
    let entry = node.reader().state.name(&crate::common::name("alice")).unwrap().entry.clone();
    node.send(node.plan(0).transfer(&crate::common::name("alice"), &entry, node.key(2))).await;
    node.mine(3).await;
    let at = |height: u32| json!(["alice", height]);
    let owner = |info: dotp2p_rpc::types::NameInfo| (info.state, info.owner);
    assert_eq!(owner(node.call("name_show", at(claimed - 1)).await), ("free".to_owned(), None));
    assert_eq!(owner(node.call("name_show", at(claimed)).await), ("active".to_owned(), Some(node.address(1))));
    assert_eq!(owner(node.call("name_show", at(claimed + 1)).await), ("active".to_owned(), Some(node.address(2))));
    let (code, text, _) = node.refused("name_show", at(claimed + 9)).await;
    let (asked, tip) = (claimed + 9, node.tip());
    assert_eq!((code, text), (-8, format!("height {asked}: expected a height up to the tip's, {tip}")));
    node.stop().await;
}

/// Registrations due at one tip once took one nonce and gave up after twenty refusals.
#[tokio::test(flavor = "multi_thread")]
async fn many_registrations_at_once_are_all_carried_through() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(5).await;
    for number in 0..30 {
        let info: RegistrationInfo = node.call("name_register", json!([format!("name-{number}")])).await;
        assert_ne!(info.step, "failed");
    }
    let mut left = 30;
    for _ in 0..20 {
        node.mine(1).await;
        // Asked for over RPC, every registration has been asked for its next step at the new tip.
        let all: Vec<RegistrationInfo> = node.call("name_registrations", json!([])).await;
        assert!(all.iter().all(|it| it.step != "failed"), "{all:?}");
        let _: RegistrationInfo = node.call("name_register", json!(["name-0"])).await;
        let all: Vec<RegistrationInfo> = node.call("name_registrations", json!([])).await;
        left = all.iter().filter(|it| it.step != "done").count();
        if left == 0 {
            break;
        }
    }
    assert_eq!(left, 0);
    node.stop().await;
}

/// What could not be written, such as on a full disk, went on in memory, and a restart knew nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_cannot_be_stored_is_not_taken_up() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(3).await;
    let _: RegistrationInfo = node.call("name_register", json!(["alice"])).await;
    // Where the draft is written, so that nothing can be.
    let obstacle = node.dir().join("registrations.json.tmp");
    std::fs::create_dir(&obstacle).unwrap();
    let (_, text, _) = node.refused("name_register", json!(["bob"])).await;
    assert!(text.contains("registrations.json"), "{text}");
    let names = async || {
        let all: Vec<RegistrationInfo> = node.call("name_registrations", json!([])).await;
        all.into_iter().map(|it| (it.name, it.txids.len())).collect::<Vec<_>>()
    };
    assert_eq!(names().await, [("alice".to_owned(), 1)]);
    node.mine(3).await;
    assert_eq!(names().await, [("alice".to_owned(), 1)], "and nothing is sent that is not stored");
    std::fs::remove_dir(&obstacle).unwrap();
    let _: RegistrationInfo = node.call("name_register", json!(["bob"])).await;
    assert_eq!(names().await, [("alice".to_owned(), 2), ("bob".to_owned(), 1)], "both go on");
    node.stop().await;
}
