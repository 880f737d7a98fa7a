//! What values say of themselves: their text, their parts, their sums at the edges.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap};

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::{Block, BlockHead, Coinbase};
use dotp2p_chain::codec::DecodeError;
use dotp2p_chain::hash::{ChainId, CommitmentHash, to_hex};
use dotp2p_chain::height::Height;
use dotp2p_chain::history::{History, Node};
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{Buy, Claim, Commit, NameBytes, Offer, Op, Pay, Recover, Renew, SetKeys, Transfer, Update};
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::pow::{CompactTarget, Target, Work};
use dotp2p_chain::tx::{Body, Transaction};

const KEY: PublicKey = PublicKey([0xab; 32]);

fn body() -> Body {
    let pay = Op::Pay(Pay { to: PublicKey([1; 32]), amount: Amount::from_atoms(1) });
    Body { payer: KEY, nonce: 0, fee: Amount::ZERO, expiry: None, signers: vec![PublicKey([2; 32])], ops: vec![pay] }
}

#[test]
fn a_name_and_an_ops_name_field() {
    let name: Name = "alice".parse().unwrap();
    assert_eq!((name.as_str(), name.as_bytes(), name.to_string()), ("alice", b"alice".as_slice(), "alice".to_owned()));
    assert_eq!(format!("{name:?}"), "Name(alice)");
    let field = NameBytes::from(&name);
    assert_eq!((field.as_bytes(), field.to_name()), (b"alice".as_slice(), Ok(name)));
    assert_eq!(NameBytes::new(b"No name").unwrap().as_bytes(), b"No name");
    assert_eq!(NameBytes::new(&[b'a'; 63]).map(|field| field.as_bytes().len()), Some(63));
    assert_eq!(NameBytes::new(&[b'a'; 64]), None);
}

#[test]
fn a_map_of_names_is_asked_with_a_text() {
    let names = ["alice", "bob", "carol"];
    let sorted: BTreeMap<Name, usize> =
        names.iter().enumerate().map(|(at, name)| (name.parse().unwrap(), at)).collect();
    let hashed: HashMap<Name, usize> = sorted.clone().into_iter().collect();
    for (at, name) in names.into_iter().enumerate() {
        assert_eq!((sorted.get(name), hashed.get(name)), (Some(&at), Some(&at)));
    }
    assert_eq!((sorted.get("dave"), hashed.get("")), (None, None));
}

#[test]
fn an_op_tells_its_kind_and_its_name() {
    let (name, amount) = (NameBytes::new(b"alice").unwrap(), Amount::from_atoms(1));
    let named = [
        (Op::Claim(Claim { name: name.clone(), owner: KEY, salt: [0; 16] }), "claim"),
        (Op::Update(Update { name: name.clone(), records: vec![] }), "update"),
        (Op::Renew(Renew { name: name.clone(), years: 1 }), "renew"),
        (Op::SetKeys(SetKeys { name: name.clone(), manager: None, recovery: None }), "setkeys"),
        (Op::Transfer(Transfer { name: name.clone(), to: KEY }), "transfer"),
        (Op::Offer(Offer { name: name.clone(), price: amount, buyer: None }), "offer"),
        (Op::Buy(Buy { name: name.clone(), price: amount }), "buy"),
        (Op::Recover(Recover { name: name.clone(), to: KEY }), "recover"),
    ];
    for (op, kind) in named {
        assert_eq!((op.name(), op.kind()), (Some(&name), kind));
    }
    let others =
        [(Op::Pay(Pay { to: KEY, amount }), "pay"), (Op::Commit(Commit { hash: CommitmentHash::ZERO }), "commit")];
    for (op, kind) in others {
        assert_eq!((op.name(), op.kind()), (None, kind));
    }
}

#[test]
fn numbers_keys_and_targets_as_text() {
    assert_eq!((Height(7).to_string(), format!("{:>4}", Height(7))), ("7".to_owned(), "   7".to_owned()));
    assert_eq!(format!("{KEY:?}"), format!("PublicKey({})", "ab".repeat(32)));
    assert_eq!(format!("{:?}", Signature([0xcd; 64])), format!("Signature({})", "cd".repeat(64)));
    assert_eq!(format!("{:?}", Target::HARDEST), format!("Target({:064})", 1));
    assert_eq!(format!("{:?}", Work::MAX), format!("Work({})", "f".repeat(64)));
    assert_eq!(CompactTarget::from_consensus(0x1e00_ffff).to_consensus(), 0x1e00_ffff);
    let five = Amount::from_atoms(5);
    assert_eq!(five.saturating_sub(Amount::from_atoms(3)), Amount::from_atoms(2));
    assert_eq!(five.saturating_sub(Amount::from_atoms(6)), Amount::ZERO);
    assert_eq!(Amount::from_coins(2), Amount::from_atoms(200_000_000));
    assert_eq!(Amount::from_coins(u64::MAX), Amount::MAX);
}

#[test]
fn a_history_is_empty_until_something_is_in_it() {
    let mut history = History::new();
    assert!(history.is_empty());
    history.push(Node { hash: [1; 32], count: 1, work: Work::ZERO, last_time: 1 });
    assert_eq!((history.is_empty(), history.len()), (false, 1));
    history.truncate(0);
    assert!(history.is_empty());
}

#[test]
fn a_body_and_its_transaction_are_signed_alike() {
    let (body, chain) = (body(), ChainId([3; 32]));
    let transaction = Transaction::new(body.clone(), vec![Signature([0; 64]); 2]).unwrap();
    assert_eq!(body.sighash(&chain), transaction.sighash(&chain));
    assert_ne!(body.sighash(&chain), body.sighash(&ChainId([4; 32])), "bound to its chain");
    assert_eq!(body.keys().collect::<Vec<_>>(), [&KEY, &PublicKey([2; 32])]);
    assert_eq!(Transaction::new(body, vec![Signature([0; 64])]), None, "a signature for each key");
}

/// B9: the limit counts the body alone, and comes before anything in it is read.
#[test]
fn b9_a_body_of_just_the_limit_is_read() {
    let params = Params::regtest();
    let coinbase = Coinbase { to: KEY, extra: vec![7; 64] };
    let transaction = Transaction::new(body(), vec![Signature([0; 64]); 2]).unwrap();
    let block = Block { coinbase, transactions: vec![transaction; 3], ..params.genesis };
    let (encoded, len) = (block.encode(), block.encode_body().len());
    let limited = |max: usize| Rules { body_max: u32::try_from(max).unwrap(), ..Rules::regtest() };
    for max in [len, len + 1] {
        assert_eq!(Block::decode(&encoded, &limited(max)).as_ref(), Ok(&block));
    }
    for max in [len - 1, len - 2, 0] {
        let expected = DecodeError::Length { what: "body", len, min: 0, max };
        assert_eq!(Block::decode(&encoded, &limited(max)), Err(expected));
    }
}

/// No room is made for more transactions than the bytes could hold, each of 105 at least.
#[test]
fn a_count_is_bounded_by_the_bytes_that_follow() {
    let genesis = Params::regtest().genesis;
    let coinbase = Coinbase { to: KEY, extra: vec![] };
    let empty = Block { coinbase, transactions: vec![], ..genesis }.encode();
    let count_at = empty.len() - 1;
    assert_eq!((count_at, to_hex(&empty[count_at..])), (BlockHead::LEN + 33, "00".to_owned()));
    // A count of 50 in one byte, and after it the room of so many.
    for (bytes, max) in [(0, 0), (103, 0), (104, 1), (209, 2), (1_000, 9)] {
        let mut claimed = empty.clone();
        claimed[count_at] = 50 << 2;
        claimed.resize(claimed.len() + bytes, 0);
        let expected = DecodeError::Length { what: "transactions", len: 50, min: 0, max };
        assert_eq!(Block::decode(&claimed, &Rules::regtest()), Err(expected), "{bytes} bytes follow");
    }
}
