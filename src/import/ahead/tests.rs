#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_registry::mempool::Limits;
use dotp2p_registry::store::Store;

use super::*;
use crate::import::{CheckedBlock, Imported};
use crate::miner;

const DAY_S: u64 = 86_400;
const YEAR_S: u64 = 365 * DAY_S;
const GENESIS_S: u64 = 1_793_491_200;
/// Months after genesis.
const NOW_S: u64 = GENESIS_S + 100 * DAY_S;

/// Regtest with difficulty, so that blocks from the future count (B12c).
fn params() -> Params {
    Params::new(Rules { half_life: Some(7_200), ..Rules::regtest() }, Params::regtest().deployment).unwrap()
}

fn open(dir: &Path, params: &Params, now_s: u64, reindex: bool) -> Importer {
    let params = Arc::new(params.clone());
    let (store, loaded) = Store::open(dir, &params, reindex).unwrap();
    Importer::open_at(store, loaded, params, Limits::default(), now_s, |_| ()).unwrap().0
}

/// Mines a block by that clock and takes it.
fn mine(importer: &mut Importer, now_s: u64) -> BlockHash {
    let template = miner::template(&importer.reader(), PublicKey([1; 32]), Vec::new(), now_s).unwrap();
    let block = miner::mine(template, &AtomicBool::new(false), |_| ()).unwrap();
    let checked = CheckedBlock::decode(block.encode(), &importer.params.clone(), |_| false).unwrap();
    assert_eq!(importer.import(checked, now_s).unwrap(), Imported::Active);
    importer.commit(0).unwrap();
    block.hash()
}

/// Twenty blocks, a minute apart; the last at [`NOW_S`].
fn chain(importer: &mut Importer) -> Vec<BlockHash> {
    (0..20).map(|at| mine(importer, NOW_S - 60 * (19 - at))).collect()
}

/// Looks at the clock; the tip after it.
fn look(importer: &mut Importer, now_s: u64) -> BlockHash {
    importer.clock_moved(now_s).unwrap();
    importer.commit(0).unwrap();
    let reader = importer.reader();
    // What is told of the tip is told of one block, and the next would stand on it.
    let hash = reader.tip_hash();
    assert_eq!((reader.head.hash(), reader.next_context.parent), (hash, hash));
    assert_eq!(reader.state.root(), reader.head.roots.state_root);
    hash
}

#[test]
fn blocks_of_a_clock_that_was_ten_years_ahead_are_left_when_it_is_mended() {
    for lead in [7_200, DAY_S, YEAR_S, 10 * YEAR_S] {
        let (dir, params) = (tempfile::tempdir().unwrap(), params());
        let mut importer = open(dir.path(), &params, NOW_S, false);
        let right = chain(&mut importer);
        let ahead: Vec<_> = (0..5).map(|at| mine(&mut importer, NOW_S + lead + at)).collect();
        assert_eq!(look(&mut importer, NOW_S + lead + 5), ahead[4], "nothing is known against them yet");
        assert_eq!(look(&mut importer, NOW_S + 30), right[19]);
        // A restart knows it at once, and neither condemned nor lost them.
        drop(importer);
        let mut importer = open(dir.path(), &params, NOW_S + 31, false);
        let reader = importer.reader();
        assert_eq!((reader.tip_hash(), reader.aside), (right[19], 1));
        assert_eq!(look(&mut importer, NOW_S + lead - FUTURE_MAX_S + 5), ahead[4], "the clock has come near");
        assert_eq!(importer.reader().aside, 0);
        assert_eq!(look(&mut importer, NOW_S + 32), right[19]);
        // What is mined by the right clock stays, though the others have more work.
        let next = mine(&mut importer, NOW_S + 33);
        assert_eq!(look(&mut importer, NOW_S + 33), next);
        drop(importer);
        assert_eq!(open(dir.path(), &params, NOW_S + 34, true).reader().tip_hash(), next, "rebuilt");
    }
}

#[test]
fn a_clock_that_is_behind_leaves_nothing() {
    let (dir, params) = (tempfile::tempdir().unwrap(), params());
    let mut importer = open(dir.path(), &params, NOW_S, false);
    let chain = chain(&mut importer);
    for behind in [700, 900, 7_200, DAY_S, 99 * DAY_S, 100 * DAY_S, YEAR_S, 10 * YEAR_S, NOW_S] {
        assert_eq!(look(&mut importer, NOW_S - behind), chain[19], "{behind} s behind");
    }
    drop(importer);
    assert_eq!(open(dir.path(), &params, 0, false).reader().tip_hash(), chain[19]);
    assert_eq!(open(dir.path(), &params, 0, true).reader().tip_hash(), chain[19], "rebuilt");
}

#[test]
fn what_a_checkpoint_pins_is_not_left() {
    let (dir, mut params) = (tempfile::tempdir().unwrap(), params());
    let mut importer = open(dir.path(), &params, NOW_S, false);
    chain(&mut importer);
    let pinned = mine(&mut importer, NOW_S + YEAR_S);
    drop(importer);
    params.deployment.checkpoints = vec![(Height(21), pinned)];
    let mut importer = open(dir.path(), &params, NOW_S + 30, false);
    assert_eq!(look(&mut importer, NOW_S + 30), pinned);
}

#[test]
fn without_a_half_life_no_block_is_from_the_future() {
    let dir = tempfile::tempdir().unwrap();
    let mut importer = open(dir.path(), &Params::regtest(), NOW_S, false);
    chain(&mut importer);
    let tip = mine(&mut importer, NOW_S + 10 * YEAR_S);
    assert_eq!(look(&mut importer, NOW_S + 30), tip);
}
