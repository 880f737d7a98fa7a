//! Records that are not canonical, too many, or no records.

use dotp2p_chain::op::{Op, Update};
use dotp2p_chain::params::Params;
use dotp2p_chain::records::{Owner, RecordSet, Records};
use dotp2p_rpc::types::Sent;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use serde_json::{Value, json};

use crate::common::{Answer, TestNode, found, name};
use crate::{assert_refused, pool_refusal, refusal};

async fn alice() -> TestNode {
    let node = TestNode::start(&Params::regtest()).await;
    node.register("alice", 0, "@ A 192.0.2.7").await;
    node
}

fn record(owner: &str, rtype: &str, data: &str) -> Value {
    json!({ "owner": owner, "type": rtype, "data": data })
}

#[tokio::test(flavor = "multi_thread")]
async fn typed() {
    let node = alice().await;
    let label = "a".repeat(64);
    let large: Vec<Value> = (0..17).map(|_| record("@", "TXT", &format!("\"{}\"", "a".repeat(239)))).collect();
    let large: Vec<Value> = (0..)
        .zip(large)
        .map(|(at, mut it)| {
            it["owner"] = json!(format!("h{at}"));
            it
        })
        .collect();
    let cases = [
        (
            json!([record("@", "A", "192.0.2")]),
            "records: record 0: \"192.0.2\" is not an IPv4 address, such as 192.0.2.7",
        ),
        (
            json!([record("@", "AAAA", "2001::g")]),
            "records: record 0: \"2001::g\" is not an IPv6 address, such as 2001:db8::7",
        ),
        (
            json!([record("@", "A", "192.0.2.1"), record("@", "MX", "mail")]),
            "records: record 1: \"mail\" is not a number from 0 to 65535",
        ),
        (
            json!([record("@", "SOA", "a b 1 2 3 4 5")]),
            "records: record 0: SOA records cannot be stored: servers make them, or they are only asked for (R6)",
        ),
        (
            json!([record("@", "TYPE255", "\\# 0")]),
            "records: record 0: TYPE255 records cannot be stored: servers make them, or they are only asked for (R6)",
        ),
        (
            json!([record("@", "TYPE1", "\\# 3 0a0b0c")]),
            "records: @: A RDATA: it ends before an IPv4 address is complete",
        ),
        (
            json!([record("@", "CNAME", "www"), record("@", "A", "192.0.2.1")]),
            "records: @ has a CNAME beside A: an alias has nothing else, remove one of them",
        ),
        (
            json!([record("www.carol.p2p.", "A", "192.0.2.1")]),
            "records: record 0: owner www.carol.p2p. is outside alice.p2p.: write it relative to the name, or correct $ORIGIN",
        ),
    ];
    let mut wrong = Vec::new();
    for (records, text) in cases {
        let (code, updating) = refusal(&node, "name_update", json!(["alice", records])).await;
        let register = json!({ "name": "bobby", "records": records });
        let (also, registering) = refusal(&node, "name_register", register).await;
        let registering = registering.replace("bobby", "alice");
        if (code, also) != (-8, -8) || updating != text || registering != text.replace("bobby", "alice") {
            wrong.push(format!("{code} {updating}\n{also} {registering}\nexpected {text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (code, text) = refusal(&node, "name_update", json!(["alice", [record(&label, "A", "192.0.2.1")]])).await;
    let expected =
        format!("records: record 0: {label:?} is no domain name: a label has 64 octets, at most 63 are allowed");
    assert_eq!((code, text), (-8, expected));
    let (code, text) = refusal(&node, "name_update", json!(["alice", large])).await;
    assert_eq!((code, text.as_str()), (-8, "records: records have 4259 bytes, at most 4096 are allowed (R7)"));
    assert_eq!(node.dig_a("alice").await, found(["192.0.2.7"]));
    node.stop().await;
}

fn update(node: &TestNode, records: Vec<u8>) -> dotp2p_wallet::TxPlan {
    node.plan(0).op(Op::Update(Update { name: (&name("alice")).into(), records }))
}

/// An RRset's bytes (R2), the counts below 64.
fn set(labels: &[&[u8]], rtype: u8, rdatas: &[&[u8]]) -> Vec<u8> {
    let short = |bytes: &[u8]| [&[u8::try_from(bytes.len()).unwrap() * 4], bytes].concat();
    let count = |len: usize| u8::try_from(len).unwrap() * 4;
    let mut out = vec![count(labels.len())];
    labels.iter().for_each(|label| out.extend(short(label)));
    out.extend([rtype * 4, 60 * 4, count(rdatas.len())]);
    rdatas.iter().for_each(|rdata| out.extend(short(rdata)));
    out
}

fn container(sets: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![1, u8::try_from(sets.len()).unwrap() * 4];
    sets.iter().for_each(|set| out.extend(set));
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_transaction() {
    let node = alice().await;
    let (apex, www): (&[&[u8]], &[&[u8]]) = (&[], &[b"www"]);
    let (one, two): (&[u8], &[u8]) = (&[192, 0, 2, 1], &[192, 0, 2, 2]);
    let good = container(&[set(apex, 1, &[one, two]), set(www, 1, &[one])]);
    let limits = node.params.rules.record_limits(5);
    assert_eq!(Records::decode(&good, limits).unwrap().encode(), good);
    let mut long_label = container(&[]);
    long_label[1] = 4;
    long_label.extend([4, 1, 1]);
    long_label.extend([b'a'; 64]);
    long_label.extend([4, 4, 4, 4, 7]);
    let cases = [
        (container(&[set(apex, 1, &[two, one])]), "records of @ type 1 are out of order or there twice (R5) (N9e)"),
        (container(&[set(apex, 1, &[one, one])]), "records of @ type 1 are out of order or there twice (R5) (N9e)"),
        (
            container(&[set(www, 1, &[one]), set(apex, 1, &[one])]),
            "RRset @ type 1 is out of order or there twice (R4) (N9e)",
        ),
        (
            container(&[set(www, 1, &[one]), set(www, 1, &[two])]),
            "RRset www type 1 is out of order or there twice (R4) (N9e)",
        ),
        (container(&[set(apex, 1, &[])]), "RRset @ type 1 has no records (R5) (N9e)"),
        (
            container(&[set(apex, 6, &[one])]),
            "type 6 cannot be stored: its records are made by servers or only asked for (R6) (N9e)",
        ),
        (
            container(&[set(&[b"WWW"], 1, &[one])]),
            "an owner holds the capital 0x57: owners are stored in lower case (R3) (N9e)",
        ),
        (container(&[set(&[b""], 1, &[one])]), "a label of an owner has 0 octets, expected 1 to 63 (R3) (N9e)"),
        (long_label, "a label of an owner has 64 octets, expected 1 to 63 (R3) (N9e)"),
        ([good.as_slice(), &[0]].concat(), "records: 1 bytes follow the end (R1) (N9e)"),
        (vec![2, 0], "records version 2, expected 1 (R1) (N9e)"),
    ];
    for (records, text) in cases {
        assert_refused(&node, node.sign(update(&node, records)), text).await;
    }
    let said = pool_refusal(&node, node.sign(update(&node, vec![1; 4_097])).bytes()).await;
    assert_eq!(said, "hexstring: not a transaction: records has length 4097, expected 0 to 4096");
    assert_eq!(node.dig_a("alice").await, found(["192.0.2.7"]));
    node.stop().await;
}

/// What people give in any order, and twice, is put in order for them.
#[tokio::test(flavor = "multi_thread")]
async fn put_in_order() {
    let node = alice().await;
    let give = json!([
        record("www", "A", "192.0.2.2"),
        record("@", "A", "192.0.2.9"),
        record("@", "A", "192.0.2.1"),
        record("@", "A", "192.0.2.9")
    ]);
    let _: Sent = node.call("name_update", json!(["alice", give])).await;
    node.mine(1).await;
    let row = node.reader().state.name(&name("alice")).unwrap().clone();
    assert!(Records::decode(&row.records, node.params.rules.record_limits(5)).is_ok());
    assert_eq!(node.dig_a("alice").await, found(["192.0.2.1", "192.0.2.9"]));
    node.stop().await;
}

/// Consensus carries what no wallet signs; DNS leaves out the RRset that cannot be served, and serves the others.
#[tokio::test(flavor = "multi_thread")]
async fn that_only_consensus_carries() {
    let node = alice().await;
    let set = |rtype, rdata: &[u8]| RecordSet { owner: Owner::APEX, rtype, ttl: 60, rdatas: vec![rdata.to_vec()] };
    let sets = vec![set(1, &[192, 0, 2]), set(16, b"\x02hi")];
    let records = Records::new(sets, node.params.rules.record_limits(5)).unwrap();
    node.send(update(&node, records.encode())).await;
    node.mine(1).await;
    assert_eq!(node.dig_a("alice").await, Answer(ResponseCode::NoError, vec![]));
    assert_eq!(node.dig("alice.p2p.", RecordType::TXT).await, found(["hi"]));
    node.stop().await;
}
