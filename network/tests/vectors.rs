//! Every message of M2 and M3 against vectors that an independent script made from `docs/spec/peers.md`
//! (`tests/vectors/peers.json`): good ones decode to their fields and are written so again, bad ones are refused.

#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use dotp2p_chain::block::{Block, BlockHead, Coinbase};
use dotp2p_chain::codec::DecodeError;
use dotp2p_chain::hash::{BlockHash, Wtxid, from_hex, tag, to_hex};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::Params;
use dotp2p_chain::pow::Work;
use dotp2p_network::address::PeerAddress;
use dotp2p_network::codec::Codec;
use dotp2p_network::message::{CompactBlock, GossipTransaction, Hello, Request, Response, short_id};
use futures::FutureExt;
use libp2p::StreamProtocol;
use libp2p::request_response::Codec as _;
use serde_json::Value;

const ASK: StreamProtocol = StreamProtocol::new("/ask");

fn load() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/peers.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn cases<'a>(file: &'a Value, list: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    file[list].as_array().unwrap().iter().map(|case| (case["comment"].as_str().unwrap(), case))
}

fn number<T: TryFrom<u64, Error: std::fmt::Debug>>(value: &Value) -> T {
    value.as_u64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap()).try_into().unwrap()
}

/// Hex, or parts of it, some of which repeat or count up.
fn bytes(value: &Value) -> Vec<u8> {
    let part = |part: &Value| match part {
        Value::Array(run) => bytes(&run[0]).repeat(number(&run[1])),
        Value::Object(_) => counting(&part["u32s"][0], &part["u32s"][1]).flat_map(u32::to_le_bytes).collect(),
        hex => from_hex(hex.as_str().unwrap()).unwrap(),
    };
    value.as_array().map_or_else(|| part(value), |parts| parts.iter().flat_map(part).collect())
}

fn counting(first: &Value, count: &Value) -> impl Iterator<Item = u32> {
    (number(first)..=u32::MAX).take(number(count))
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

/// The items, or one of them so many times.
fn list<T: Clone>(value: &Value, one: impl Fn(&Value) -> T) -> Vec<T> {
    match value.as_array() {
        Some(items) => items.iter().map(one).collect(),
        None => vec![one(&value["of"]); number(&value["times"])],
    }
}

fn places(value: &Value) -> Vec<u32> {
    match value.as_array() {
        Some(places) => places.iter().map(number).collect(),
        None => counting(&value["from"], &value["times"]).collect(),
    }
}

fn head(value: &Value) -> BlockHead {
    BlockHead::decode(&mut bytes(value).as_slice()).unwrap()
}

fn hello(message: &Value) -> Hello {
    let mut work: [u8; 32] =
        from_hex(&format!("{:0>64}", message["work"].as_str().unwrap())).unwrap().try_into().unwrap();
    work.reverse();
    Hello {
        version: number(&message["version"]),
        deployment: array(&message["deployment"]),
        tip: BlockHash(array(&message["tip"])),
        height: Height(number(&message["height"])),
        work: Work::from_le_bytes(work),
        agent: message["agent"].as_str().unwrap().to_owned(),
    }
}

fn request(message: &Value) -> Request {
    let hashes = |field: &str| list(&message[field], |hash| BlockHash(array(hash)));
    match number(&message["kind"]) {
        0 => Request::Hello(hello(message)),
        1 => Request::Heads(hashes("locator")),
        2 => Request::Blocks(hashes("hashes")),
        3 => Request::BlockTransactions(BlockHash(array(&message["hash"])), places(&message["places"])),
        4 => Request::Pool,
        5 => Request::Transactions(list(&message["wtxids"], |wtxid| Wtxid(array(wtxid)))),
        6 => Request::Addresses,
        kind => panic!("{kind}"),
    }
}

fn response(message: &Value) -> Response {
    let address = |row: &Value| {
        let ip = row[0].as_str().unwrap().parse().unwrap();
        (PeerAddress::new(ip, number(&row[1])).unwrap(), number(&row[2]))
    };
    match number(&message["kind"]) {
        0 => Response::Hello(hello(message)),
        1 => Response::Heads(list(&message["heads"], head)),
        2 => Response::Blocks(list(&message["blocks"], bytes)),
        3 => Response::BlockTransactions(list(&message["transactions"], bytes)),
        4 => Response::Pool(list(&message["wtxids"], |wtxid| Wtxid(array(wtxid)))),
        5 => Response::Transactions(list(&message["transactions"], bytes)),
        6 => Response::Addresses(list(&message["addresses"], address)),
        255 => Response::Busy,
        kind => panic!("{kind}"),
    }
}

fn read_request(mut wire: &[u8]) -> io::Result<Request> {
    Codec.read_request(&ASK, &mut wire).now_or_never().unwrap()?
}

fn read_response(mut wire: &[u8]) -> io::Result<Response> {
    Codec.read_response(&ASK, &mut wire).now_or_never().unwrap()
}

#[test]
fn questions() {
    let (file, mut kinds) = (load(), BTreeSet::new());
    for (comment, case) in cases(&file, "questions") {
        let (wire, question) = (bytes(&case["bytes"]), request(&case["message"]));
        kinds.insert(number::<u8>(&case["message"]["kind"]));
        // Not `assert_eq!`: some have megabytes.
        assert!(read_request(&wire).unwrap() == question, "{comment}");
        assert!(Request::decode(&wire[4..]).unwrap() == question, "{comment}");
        let mut written = Vec::new();
        Codec.write_request(&ASK, &mut written, Ok(question)).now_or_never().unwrap().unwrap();
        assert!(written == wire, "{comment}");
    }
    assert_eq!(kinds, BTreeSet::from([0, 1, 2, 3, 4, 5, 6]));
}

#[test]
fn answers() {
    let (file, mut kinds) = (load(), BTreeSet::new());
    for (comment, case) in cases(&file, "answers") {
        let (wire, answer) = (bytes(&case["bytes"]), response(&case["message"]));
        kinds.insert(number::<u8>(&case["message"]["kind"]));
        assert!(read_response(&wire).unwrap() == answer, "{comment}");
        assert!(Response::decode(&wire[4..]).unwrap() == answer, "{comment}");
        let mut written = Vec::new();
        Codec.write_response(&ASK, &mut written, answer).now_or_never().unwrap().unwrap();
        assert!(written == wire, "{comment}");
    }
    assert_eq!(kinds, BTreeSet::from([0, 1, 2, 3, 4, 5, 6, 255]));
}

#[test]
fn gossiped_transactions() {
    let (file, mut whole, mut ids) = (load(), 0, 0);
    for (comment, case) in cases(&file, "transactions") {
        let (transaction, message) = (bytes(&case["transaction"]), bytes(&case["bytes"]));
        let wtxid = Wtxid(tag::WTX.hash(&[&transaction]));
        assert_eq!(to_hex(&wtxid.0), case["wtxid"].as_str().unwrap(), "{comment}");
        let gossip = GossipTransaction::new(&transaction, wtxid);
        assert!(gossip.encode() == message, "{comment}");
        assert!(GossipTransaction::decode(&message).unwrap() == gossip, "{comment}");
        match gossip {
            GossipTransaction::Whole(bytes) => whole += usize::from(bytes == transaction),
            GossipTransaction::Id(id) => ids += usize::from(id == wtxid),
        }
    }
    assert_eq!((whole, ids), (2, 1));
}

#[test]
fn announced_blocks() {
    let (file, rules) = (load(), Params::regtest().rules);
    let mut whole = 0;
    for (comment, case) in cases(&file, "blocks") {
        let message = bytes(&case["bytes"]);
        let announced = CompactBlock {
            head: head(&case["head"]),
            coinbase: Coinbase { to: PublicKey(array(&case["to"])), extra: bytes(&case["extra"]) },
            short_ids: list(&case["short_ids"], array),
        };
        assert_eq!(CompactBlock::decode(&message), Ok(announced.clone()), "{comment}");
        assert_eq!(announced.encode(), message, "{comment}");
        let Some(encoded) = case.get("block").map(bytes) else { continue };
        let block = Block::decode(&encoded, &rules).unwrap();
        assert_eq!(to_hex(&block.hash().0), case["hash"].as_str().unwrap(), "{comment}");
        assert_eq!(CompactBlock::of(&block), announced, "{comment}");
        let wtxids = list(&case["wtxids"], |wtxid| Wtxid(array(wtxid)));
        let short_ids: Vec<[u8; 6]> = wtxids.iter().map(|wtxid| short_id(&block.hash(), wtxid)).collect();
        assert_eq!(short_ids, announced.short_ids, "{comment}");
        let joined = announced.join(block.transactions.iter().map(|transaction| transaction.bytes()));
        assert_eq!(joined, encoded, "{comment}");
        whole += 1;
    }
    assert_eq!(whole, 3);
}

/// That a refusal is for what is wrong. Counts are bounded by what is left, too.
fn is_for(reason: &str, error: &DecodeError) -> bool {
    match reason {
        "bytes left over" => *error == DecodeError::TrailingBytes(1),
        "too many" | "too long" => matches!(error, DecodeError::Length { .. }),
        "unknown pow tag" => *error == DecodeError::PowTag(1),
        "bytes missing" => matches!(error, DecodeError::Scale(_) | DecodeError::Length { .. }),
        _ => matches!(error, DecodeError::Scale(_)),
    }
}

fn refused<T>(read: io::Result<T>, reason: &str, comment: &str) {
    let Err(error) = read else { panic!("{comment}: read") };
    match error.get_ref().and_then(|error| error.downcast_ref::<DecodeError>()) {
        Some(error) => assert!(is_for(reason, error), "{comment}: {reason}, but: {error}"),
        None if reason == "length above the limit" => {
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{comment}");
            assert!(error.to_string().contains("bytes announced, at most"), "{comment}: {error}");
        }
        None => assert_eq!((reason, error.kind()), ("bytes missing", io::ErrorKind::UnexpectedEof), "{comment}"),
    }
}

#[test]
fn what_is_bad_is_refused() {
    let (file, mut seen) = (load(), BTreeSet::new());
    for (comment, case) in cases(&file, "bad") {
        let (wire, reason) = (bytes(&case["bytes"]), case["reason"].as_str().unwrap());
        let what = case["what"].as_str().unwrap();
        seen.insert(what);
        match what {
            "question" => refused(read_request(&wire), reason, comment),
            "answer" => refused(read_response(&wire), reason, comment),
            "transaction" => assert!(GossipTransaction::decode(&wire).is_err(), "{comment}"),
            "block" => {
                let error = CompactBlock::decode(&wire).expect_err(comment);
                assert!(is_for(reason, &error), "{comment}: {reason}, but: {error}");
            }
            what => panic!("{what}"),
        }
    }
    assert_eq!(seen, BTreeSet::from(["answer", "block", "question", "transaction"]));
}
