#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::{Block, Coinbase};
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::op::{Op, Pay};
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::tx::{Body, Transaction};

use super::*;

fn hello() -> Hello {
    Hello {
        version: 1,
        deployment: [7; 32],
        tip: BlockHash([8; 32]),
        height: Height(9),
        work: Work::from_le_bytes([1; 32]),
        agent: "dotp2p/0.1.0".to_owned(),
    }
}

fn transaction(nonce: u64) -> Transaction {
    let ops = vec![Op::Pay(Pay { to: PublicKey([9; 32]), amount: Amount::from_atoms(1) })];
    let payer = PublicKey([5; 32]);
    let body = Body { payer, nonce, fee: Amount::from_atoms(1), expiry: None, signers: Vec::new(), ops };
    Transaction::new(body, vec![Signature([3; 64])]).unwrap()
}

fn block(transactions: u64) -> Block {
    let mut block = Block::genesis(&Rules::regtest());
    block.coinbase = Coinbase { to: PublicKey([1; 32]), extra: vec![1, 2] };
    block.transactions = (0..transactions).map(transaction).collect();
    block
}

fn requests() -> Vec<Request> {
    let hash = BlockHash([3; 32]);
    vec![
        Request::Hello(hello()),
        Request::Heads(vec![hash; LOCATOR_MAX]),
        Request::Blocks(vec![hash; BLOCKS_MAX]),
        Request::BlockTransactions(hash, (0..300).collect()),
        Request::Pool,
        Request::Transactions(vec![Wtxid([4; 32]); 2]),
        Request::Addresses,
    ]
}

fn responses() -> Vec<Response> {
    let head = block(0).head;
    vec![
        Response::Hello(hello()),
        Response::Heads(vec![head; 3]),
        Response::Heads(Vec::new()),
        Response::Blocks(vec![block(2).encode(), vec![]]),
        Response::BlockTransactions(vec![vec![1, 2], vec![3]]),
        Response::Pool(vec![Wtxid([4; 32]); 5]),
        Response::Transactions(vec![transaction(1).bytes().to_vec()]),
        Response::Addresses(vec![("192.0.2.7:9353".parse().unwrap(), 1_793_500_000)]),
        Response::Busy,
    ]
}

#[test]
fn the_largest_questions_fit() {
    let places = (0..u32::try_from(WTXIDS_MAX).unwrap()).collect();
    for request in [
        Request::Transactions(vec![Wtxid([4; 32]); TRANSACTIONS_MAX]),
        Request::BlockTransactions(BlockHash([3; 32]), places),
    ] {
        let bytes = request.encode();
        assert_eq!(Request::decode(&bytes), Ok(request));
        assert!(bytes.len() <= REQUEST_BYTES_MAX, "{} bytes", bytes.len());
    }
}

#[test]
fn what_is_encoded_decodes_and_nothing_less_or_more_does() {
    for request in requests() {
        let bytes = request.encode();
        assert_eq!(Request::decode(&bytes), Ok(request.clone()));
        assert!(bytes.len() <= REQUEST_BYTES_MAX);
        assert!((0..bytes.len()).all(|len| Request::decode(&bytes[..len]).is_err()), "{request:?}");
        assert_eq!(Request::decode(&[&bytes[..], &[0]].concat()), Err(DecodeError::TrailingBytes(1)));
    }
    for response in responses() {
        let bytes = response.encode();
        assert_eq!(Response::decode(&bytes), Ok(response.clone()));
        assert!((0..bytes.len()).all(|len| Response::decode(&bytes[..len]).is_err()), "{response:?}");
        assert_eq!(Response::decode(&[&bytes[..], &[0]].concat()), Err(DecodeError::TrailingBytes(1)));
    }
}

#[test]
fn every_count_has_its_bound() {
    let hash = [3; 32];
    let too_many = |kind: u8, max: usize| {
        let mut bytes = vec![kind];
        Compact(u32::try_from(max + 1).unwrap()).encode_to(&mut bytes);
        bytes.extend(std::iter::repeat_n(hash, max + 1).flatten());
        bytes
    };
    for (kind, max) in [(1, LOCATOR_MAX), (2, BLOCKS_MAX), (5, TRANSACTIONS_MAX)] {
        let refused = Request::decode(&too_many(kind, max));
        assert!(
            matches!(refused, Err(DecodeError::Length { len, max: at, .. }) if len == max + 1 && at == max),
            "{kind}"
        );
    }
    let refused = Response::decode(&too_many(4, WTXIDS_MAX));
    assert!(matches!(refused, Err(DecodeError::Length { max: WTXIDS_MAX, .. })));
}

#[test]
fn a_count_without_the_bytes_makes_no_room() {
    // 2^30 - 1 as a compact integer: refused by what is left of the message.
    for kind in 1..=6 {
        let bytes = [&[kind][..], &[0xfe, 0xff, 0xff, 0xff], &[0; 40]].concat();
        assert!(Response::decode(&bytes).is_err(), "response {kind}");
        assert!(Request::decode(&bytes).is_err(), "request {kind}");
    }
}

#[test]
fn an_agent_cannot_write_over_a_terminal() {
    let mut hello = hello();
    hello.agent = "\u{1b}[2J".to_owned();
    let bytes = Request::Hello(hello.clone()).encode();
    assert_eq!(Request::decode(&bytes), Err(DecodeError::Scale("agent is not printable ASCII".to_owned())));
    hello.agent = "a".repeat(AGENT_MAX + 1);
    let Ok(Request::Hello(read)) = Request::decode(&Request::Hello(hello).encode()) else { panic!() };
    assert_eq!(read.agent.len(), AGENT_MAX, "a long one is cut by whoever says it");
}

#[test]
fn places_ascend() {
    let wrong = Request::BlockTransactions(BlockHash([0; 32]), vec![2, 2]);
    assert_eq!(
        Request::decode(&wrong.encode()),
        Err(DecodeError::Scale("places are not strictly ascending".to_owned()))
    );
}

#[test]
fn a_long_transaction_is_gossiped_by_its_id() {
    let short = GossipTransaction::new(&[1, 2, 3], Wtxid([4; 32]));
    let long = GossipTransaction::new(&vec![0; WHOLE_MAX + 1], Wtxid([4; 32]));
    assert_eq!(short, GossipTransaction::Whole(vec![1, 2, 3]));
    assert_eq!(long, GossipTransaction::Id(Wtxid([4; 32])));
    for message in [short, long] {
        assert_eq!(GossipTransaction::decode(&message.encode()), Ok(message));
    }
    for wrong in [&[][..], &[2, 0], &[1; 32], &[1; 34], &vec![0; WHOLE_MAX + 2]] {
        assert!(GossipTransaction::decode(wrong).is_err(), "{} bytes", wrong.len());
    }
}

#[test]
fn a_compact_block_is_a_twentieth_and_becomes_the_block_again() {
    let rules = Params::regtest().rules;
    let block = block(600);
    let encoded = block.encode();
    let compact = CompactBlock::of(&block);
    let message = compact.encode();
    assert_eq!(CompactBlock::decode(&message), Ok(compact.clone()));
    assert!(20 * message.len() < encoded.len(), "{} of {}", message.len(), encoded.len());
    let pool: Vec<(Wtxid, &Transaction)> = block.transactions.iter().map(|tx| (tx.wtxid(), tx)).collect();
    let filled = compact.fill(pool.iter().map(|(wtxid, tx)| (wtxid, *tx)));
    let parts: Vec<&[u8]> = filled.iter().map(|tx| tx.unwrap().bytes()).collect();
    assert_eq!(compact.join(parts.into_iter()), encoded);
    assert_eq!(Block::decode(&encoded, &rules).unwrap(), block);
    let without = compact.fill(pool.iter().skip(3).map(|(wtxid, tx)| (wtxid, *tx)));
    assert_eq!(without.iter().filter(|part| part.is_none()).count(), 3);
}

#[test]
fn a_short_id_that_fits_two_is_asked_for() {
    let block = block(2);
    let mut compact = CompactBlock::of(&block);
    compact.short_ids[1] = compact.short_ids[0];
    let wtxids: Vec<Wtxid> = block.transactions.iter().map(Transaction::wtxid).collect();
    let known = [(&wtxids[0], &block.transactions[0]), (&wtxids[0], &block.transactions[0])];
    assert_eq!(compact.fill(known.into_iter()), [None, None]);
}
