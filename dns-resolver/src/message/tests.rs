use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{Name as DnsName, RecordType};
use hickory_proto::serialize::binary::BinDecodable;

use super::*;
use crate::fake::wire;

fn record(owner: &str, rtype: u16, rdata: Vec<u8>) -> Record {
    let mut opaque = NULL::new();
    opaque.anything = rdata;
    let rdata = RData::Unknown { code: RecordType::from(rtype), rdata: opaque };
    Record::from_rdata(owner.parse::<DnsName>().unwrap(), 60, rdata)
}

fn encoded(question: &str, answer: &[Record], limit: usize) -> Encoded {
    let metadata = Metadata::new(7, MessageType::Response, OpCode::Query);
    let question = [wire(question), vec![0, 15, 0, 1]].concat();
    encode(&Parts { metadata: &metadata, question: &question, sections: [answer, &[], &[]], edns: None }, limit)
        .unwrap()
}

fn mx(count: u8) -> Vec<Record> {
    let rdata = |at: u8| [vec![0, at], wire(&format!("mail-{at}.Some.Where.Alice.p2p."))].concat();
    (0..count).map(|at| record("alice.p2p.", 15, rdata(at))).collect()
}

#[test]
fn names_in_the_rdata_of_old_types_are_compressed() {
    let got = encoded("alice.P2P.", &mx(20), 65_535);
    // Header, question, and for each record: a pointer, ten bytes, preference, a label of 7 or 8 bytes and a pointer.
    let first = "Some".len() + "Where".len() + 2;
    assert_eq!(got.bytes.len(), 12 + 15 + 20 * (2 + 10 + 2 + 2) + 10 * 7 + 10 * 8 + first);
    assert_eq!(got.counts, [20, 0, 0]);
    let message = Message::from_bytes(&got.bytes).unwrap();
    for (record, at) in message.answers.iter().zip(0..) {
        assert_eq!(record.data.to_string(), format!("{at} mail-{at}.Some.Where.alice.P2P."));
        assert_eq!(record.name.to_string(), "alice.P2P.", "the question's case");
    }
}

#[test]
fn names_in_the_rdata_of_newer_types_stand_in_full() {
    let target = wire("sip.alice.p2p.");
    for (rtype, before) in [(33, 6), (39, 0), (35, 7), (64, 2), (18, 2), (17, 0)] {
        let rdata = [vec![0; before], target.clone()].concat();
        let got = encoded("alice.p2p.", &[record("alice.p2p.", rtype, rdata.clone())], 65_535);
        assert!(got.bytes.ends_with(&rdata), "type {rtype}");
    }
}

#[test]
fn a_name_may_point_into_a_dname() {
    let answer =
        [record("old.alice.p2p.", 39, wire("far.example.")), record("a.old.alice.p2p.", 5, wire("a.far.example."))];
    let got = encoded("a.old.alice.p2p.", &answer, 65_535);
    assert!(got.bytes.ends_with(&[1, b'a', 0xc0, 45]), "{:02x?}", got.bytes);
    let message = Message::from_bytes(&got.bytes).unwrap();
    assert_eq!(message.answers[1].data.to_string(), "a.far.example.");
}

#[test]
fn what_does_not_fit_is_left_out_whole() {
    let all = encoded("alice.p2p.", &mx(20), 65_535).bytes.len();
    for limit in 27..=all {
        let got = encoded("alice.p2p.", &mx(20), limit);
        assert!(got.bytes.len() <= limit, "{} bytes of {limit}", got.bytes.len());
        let message = Message::from_bytes(&got.bytes).unwrap();
        assert_eq!([message.answers.len(), 0, 0], got.counts);
        assert_eq!(got.counts[0] == 20, limit == all);
    }
}

#[test]
fn an_opt_record_has_its_place_and_the_upper_half_of_the_code() {
    let mut metadata = Metadata::new(7, MessageType::Response, OpCode::Query);
    metadata.response_code = ResponseCode::BADVERS;
    let edns = Edns::new();
    let records = mx(20);
    let parts = Parts { metadata: &metadata, question: &[], sections: [&records, &[], &[]], edns: Some(&edns) };
    let got = encode(&parts, 100).unwrap();
    let message = Message::from_bytes(&got.bytes).unwrap();
    assert_eq!(u16::from(message.metadata.response_code), 16);
    assert!(got.bytes.len() <= 100 && message.edns.is_some() && message.queries.is_empty());
}

#[test]
fn what_is_beyond_the_reach_of_a_pointer_stands_in_full() {
    let filler: Vec<Record> = (0..40).map(|at| record("alice.p2p.", 65_280, vec![at; 500])).collect();
    let late = [record("late.example.", 1, vec![0; 4]), record("late.example.", 1, vec![1; 4])];
    let got = encoded("alice.p2p.", &[filler, late.to_vec()].concat(), 65_535);
    assert!(got.bytes.len() > 0x4000);
    let message = Message::from_bytes(&got.bytes);
    assert_eq!(message.map(|message| message.answers.len()).ok(), Some(42));
}
