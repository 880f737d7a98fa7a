//! The rules of headers and bodies (B6 to B17, P7), each at its boundary and with its reason: by what is refused and by
//! what just passes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dotp2p_chain::block::{Block, BlockHead, Coinbase, Pow};
use dotp2p_chain::check::{
    BlockError, Condemns, FUTURE_MAX_S, HeaderContext, check_body, check_checkpoint, check_clock, check_header,
    check_height, check_roots, check_time, check_tx_root, check_work, required_bits,
};
use dotp2p_chain::hash::{BlockHash, HistoryRoot, RootsCommitment, StateRoot, TxRoot};
use dotp2p_chain::header::{Header, Roots};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::{Params, Rules, TIME_END};
use dotp2p_chain::pow::CompactTarget;

const EASIEST: CompactTarget = CompactTarget::from_consensus(0x207f_ffff);

fn context(parent: BlockHash, parent_height: u32, time: u64) -> HeaderContext {
    let parent_height = Height(parent_height);
    HeaderContext { parent, parent_height, parent_time: time, times: vec![time], first_time: Some(time) }
}

/// A header above `parent` that regtest accepts.
fn header(parent: BlockHash, time: u64) -> Header {
    Header { version: 1, prev_blockhash: parent, commitment: RootsCommitment::ZERO, time, bits: EASIEST, nonce: 0 }
}

fn roots(height: u32) -> Roots {
    let (tx_root, state_root) = (TxRoot([1; 32]), StateRoot([2; 32]));
    Roots { height: Height(height), tx_root, state_root, history_root: HistoryRoot([3; 32]) }
}

/// A head whose hash meets the easiest target, or does not.
fn head(bits: CompactTarget, is_met: bool) -> BlockHead {
    let header = Header { bits, ..header(BlockHash::ZERO, 7) };
    let target = EASIEST.to_target().unwrap();
    let mut mined = (0..).map(|nonce| Header { nonce, ..header });
    let header = mined.find(|header| target.is_met_by(&header.hash()) == is_met).unwrap();
    BlockHead { header, roots: roots(1), pow: Pow::Native }
}

#[test]
fn p7_work_is_asked_of_the_bits_and_the_bits_of_the_limit() {
    let rules = Rules::regtest();
    assert_eq!(check_work(&head(EASIEST, true), &rules), Ok(()), "the limit itself");
    let refused = |head: BlockHead, rules: &Rules| {
        let error = BlockError::Work { hash: head.hash(), bits: head.header.bits };
        assert_eq!(check_work(&head, rules), Err(error));
    };
    refused(head(EASIEST, false), &rules);
    // Every hash meets these, but they are easier than the network allows.
    let easier = CompactTarget::from_consensus(0x2100_ffff);
    refused(head(easier, true), &rules);
    refused(head(EASIEST, true), &Rules::public([0; 16]));
    refused(head(CompactTarget::from_consensus(0), true), &rules);
}

#[test]
fn b13_a_header_is_refused_with_the_rule_it_breaks() {
    let (params, parent) = (Params::regtest(), BlockHash([9; 32]));
    let (context, good) = (context(parent, 4, 1_000), header(parent, 1_001));
    assert_eq!(check_header(&good, &context, &params), Ok(()));
    let check = |header: Header| check_header(&header, &context, &params);
    let expected = Err(BlockError::Parent { found: BlockHash::ZERO, expected: parent });
    assert_eq!(check(Header { prev_blockhash: BlockHash::ZERO, ..good }), expected);
    for version in [0, 2] {
        assert_eq!(check(Header { version, ..good }), Err(BlockError::Version(version)));
    }
    assert_eq!(check(Header { time: 1_000, ..good }), Err(BlockError::TimeTooOld { time: 1_000, median: 1_000 }));
    assert_eq!(check(Header { time: TIME_END, ..good }), Err(BlockError::TimeRange(TIME_END)));
    let found = CompactTarget::from_consensus(0x207f_fffe);
    assert_eq!(check(Header { bits: found, ..good }), Err(BlockError::Bits { found, expected: EASIEST }));
    // The checkpoint of its own height is asked, not of another's.
    let mut pinned = params.clone();
    pinned.deployment.checkpoints = vec![(Height(4), BlockHash([1; 32])), (Height(6), BlockHash([1; 32]))];
    assert_eq!(check_header(&good, &context, &pinned), Ok(()));
    pinned.deployment.checkpoints.push((Height(5), BlockHash([2; 32])));
    let (height, found) = (Height(5), good.hash());
    let expected = BlockError::Checkpoint { height, found, expected: BlockHash([2; 32]) };
    assert_eq!(check_header(&good, &context, &pinned), Err(expected));
}

#[test]
fn b17_only_the_checkpoint_itself_passes_at_its_height() {
    let (mut params, header) = (Params::regtest(), header(BlockHash::ZERO, 5));
    let check = |params: &Params, height| check_checkpoint(&header, Height(height), params);
    assert_eq!(check(&params, 3), Ok(()), "no checkpoint");
    params.deployment.checkpoints = vec![(Height(3), header.hash())];
    assert_eq!(check(&params, 3), Ok(()));
    params.deployment.checkpoints = vec![(Height(3), BlockHash([4; 32]))];
    let expected = BlockHash([4; 32]);
    assert_eq!(check(&params, 3), Err(BlockError::Checkpoint { height: Height(3), found: header.hash(), expected }));
    assert_eq!(check(&params, 2), Ok(()));
}

#[test]
fn b12_the_last_time_and_the_clock() {
    let context = context(BlockHash::ZERO, 1, 10);
    assert_eq!(check_time(TIME_END - 1, &context), Ok(()));
    assert_eq!(check_time(TIME_END, &context), Err(BlockError::TimeRange(TIME_END)));
    assert_eq!(check_time(11, &context), Ok(()));
    assert_eq!(check_time(10, &context), Err(BlockError::TimeTooOld { time: 10, median: 10 }));
    let rules = Rules::public([0; 16]);
    let (now, limit) = (5_000, 5_000 + FUTURE_MAX_S);
    assert_eq!(check_clock(limit, now, &rules), Ok(()));
    assert_eq!(check_clock(limit + 1, now, &rules), Err(BlockError::Future { time: limit + 1, now }));
    assert_eq!(check_clock(limit + 1, now, &Rules::regtest()), Ok(()), "blocks on demand know no clock");
}

#[test]
fn p6_the_first_blocks_have_the_bits_of_genesis() {
    let mut rules = Rules::public([0; 16]);
    rules.genesis_bits = CompactTarget::from_consensus(0x1b04_04cb);
    let start = rules.genesis_time;
    let child_of = |parent_height, first_time| HeaderContext {
        first_time,
        ..context(BlockHash::ZERO, parent_height, start + 60 * u64::from(parent_height))
    };
    // Block 1, as late as may be; and so if its own time is taken for known.
    assert_eq!(required_bits(&child_of(0, None), start + 1_000_000, &rules), rules.genesis_bits);
    assert_eq!(required_bits(&child_of(0, Some(start)), start + 1_000_000, &rules), rules.genesis_bits);
    // From block 2 on the timetable counts: block 1 in time keeps them, block 1 + a half-life late halves the work.
    let late = HeaderContext { parent_time: start + 60 + 7_200, ..child_of(1, Some(start + 60)) };
    assert_eq!(required_bits(&child_of(1, Some(start + 60)), start + 120, &rules), rules.genesis_bits);
    assert_eq!(required_bits(&late, start + 7_400, &rules), CompactTarget::from_consensus(0x1b08_0996));
    // Without a half-life every block has the limit.
    rules.half_life = None;
    for context in [child_of(0, None), child_of(1, Some(start)), late] {
        assert_eq!(required_bits(&context, start + 7_400, &rules), rules.limit_bits);
    }
}

#[test]
fn b7_the_roots_open_the_commitment_and_tell_the_height() {
    let good = Header { commitment: roots(8).commitment(), ..header(BlockHash::ZERO, 1) };
    assert_eq!(check_roots(&good, &roots(8)), Ok(()));
    assert_eq!(check_roots(&good, &roots(9)), Err(BlockError::Roots));
    assert_eq!(check_height(&roots(8), Height(7)), Ok(()));
    for parent in [6, 8] {
        let expected = BlockError::Height { found: Height(8), expected: Height(parent + 1) };
        assert_eq!(check_height(&roots(8), Height(parent)), Err(expected));
    }
    assert_eq!(check_height(&roots(u32::MAX), Height(u32::MAX - 1)), Ok(()));
    // After the last height comes none, not genesis.
    let beyond = BlockError::Height { found: Height::GENESIS, expected: Height::GENESIS };
    assert_eq!(check_height(&roots(0), Height(u32::MAX)), Err(beyond));
}

#[test]
fn b14_a_body_is_what_its_header_committed_to() {
    let coinbase = Coinbase { to: PublicKey([5; 32]), extra: vec![1] };
    let seal = |roots: Roots, coinbase: &Coinbase| {
        let header = Header { commitment: roots.commitment(), ..header(BlockHash::ZERO, 1) };
        let head = BlockHead { header, roots, pow: Pow::Native };
        Block { head, coinbase: coinbase.clone(), transactions: Vec::new() }
    };
    let good = seal(Roots { tx_root: seal(roots(8), &coinbase).tx_root(), ..roots(8) }, &coinbase);
    assert_eq!((check_tx_root(&good), check_body(&good, Height(7))), (Ok(()), Ok(())));
    let mut other = good.clone();
    other.coinbase.extra = vec![2];
    assert_eq!(
        (check_tx_root(&other), check_body(&other, Height(7))),
        (Err(BlockError::TxRoot), Err(BlockError::TxRoot))
    );
    let expected = BlockError::Height { found: Height(8), expected: Height(9) };
    assert_eq!(check_body(&good, Height(8)), Err(expected));
    let mut unsealed = good;
    unsealed.head.roots.state_root = StateRoot::ZERO;
    assert_eq!(check_body(&unsealed, Height(7)), Err(BlockError::Roots));
}

#[test]
fn b15_what_a_refusal_condemns() {
    let (hash, bits) = (BlockHash::ZERO, EASIEST);
    for error in [
        BlockError::Work { hash, bits },
        BlockError::Roots,
        BlockError::TxRoot,
        BlockError::BodySize { len: 2, max: 1 },
    ] {
        assert_eq!(error.condemns(), Condemns::Message, "{error}");
    }
    let (height, found, expected) = (Height(1), hash, BlockHash([1; 32]));
    for error in [
        BlockError::Version(2),
        BlockError::Parent { found, expected },
        BlockError::Checkpoint { height, found, expected },
        BlockError::TimeRange(TIME_END),
        BlockError::TimeTooOld { time: 1, median: 1 },
        BlockError::Bits { found: bits, expected: bits },
        BlockError::Height { found: height, expected: height },
        BlockError::Signature { at: 0 },
    ] {
        assert_eq!(error.condemns(), Condemns::Hash, "{error}");
    }
    assert_eq!(BlockError::Future { time: 2, now: 1 }.condemns(), Condemns::Nothing);
}
