//! The importer's bad days: a rebuild cut short, a checkpoint against the stored chain, a body that cannot be read.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dotp2p::import::{CheckedBlock, ImportError, Imported, Importer};
use dotp2p::miner;
use dotp2p_chain::block::{Block, tx_root};
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::Params;
use dotp2p_network::chain::HeadsTaken;
use dotp2p_registry::mempool::Limits;
use dotp2p_registry::store::{Commit, HeadRow, Store};

const NOW_S: u64 = 1_793_500_000;

fn open(dir: &Path, params: &Params, reindex: bool) -> Importer {
    let params = Arc::new(params.clone());
    let (store, loaded) = Store::open(dir, &params, reindex).unwrap();
    Importer::open(store, loaded, params, Limits::default(), |_| ()).unwrap().0
}

/// The next block on the importer's tip, rewarding a key of that byte.
fn next(importer: &Importer, to: u8) -> Block {
    let template = miner::template(&importer.reader(), PublicKey([to; 32]), Vec::new(), NOW_S).unwrap();
    miner::mine(template, &AtomicBool::new(false), |_| ()).unwrap()
}

fn take(importer: &mut Importer, block: &Block) -> Result<Imported, ImportError> {
    let params = importer.reader().params.clone();
    let imported = importer.import(CheckedBlock::decode(block.encode(), &params, |_| false)?, NOW_S + 10_000)?;
    importer.commit(NOW_S)?;
    Ok(imported)
}

/// `blocks` blocks on a chain of their own that reward `to`.
fn branch(blocks: usize, to: u8) -> Vec<Block> {
    let dir = tempfile::tempdir().unwrap();
    let mut importer = open(dir.path(), &Params::regtest(), false);
    (0..blocks)
        .map(|_| {
            let block = next(&importer, to);
            assert_eq!(take(&mut importer, &block).unwrap(), Imported::Active);
            block
        })
        .collect()
}

#[test]
fn a_rebuild_that_was_cut_short_does_not_pass_for_the_whole_chain() {
    let dir = tempfile::tempdir().unwrap();
    let params = Params::regtest();
    let chain = branch(20, 1);
    let mut importer = open(dir.path(), &params, false);
    chain.iter().for_each(|block| assert_eq!(take(&mut importer, block).unwrap(), Imported::Active));
    drop(importer);
    let cut = catch_unwind(AssertUnwindSafe(|| {
        let params = Arc::new(params.clone());
        let (store, loaded) = Store::open(dir.path(), &params, true).unwrap();
        let stop = |blocks| assert!(blocks < 5, "killed here");
        Importer::open(store, loaded, params, Limits::default(), stop).map(drop)
    }));
    assert!(cut.is_err());
    let reader = open(dir.path(), &params, false).reader();
    assert_eq!((reader.tip, reader.tip_hash()), (Height(20), chain[19].hash()));
}

/// Found by reading: every start removed it, and every stop wrote it anew.
#[test]
fn the_copy_of_the_state_stays_until_there_is_something_to_write() {
    let dir = tempfile::tempdir().unwrap();
    let params = Params::regtest();
    let chain = branch(2, 1);
    let copy = dir.path().join("state.dat");
    let mut importer = open(dir.path(), &params, false);
    assert_eq!(take(&mut importer, &chain[0]).unwrap(), Imported::Active);
    importer.close();
    assert!(copy.exists());
    drop(open(dir.path(), &params, false));
    assert!(copy.exists());
    assert_eq!(take(&mut open(dir.path(), &params, false), &chain[1]).unwrap(), Imported::Active);
    assert!(!copy.exists());
}

#[test]
fn a_release_that_pins_another_block_leaves_the_stored_branch() {
    let dir = tempfile::tempdir().unwrap();
    let mut params = Params::regtest();
    let (wrong, right) = (branch(3, 1), branch(2, 2));
    let mut importer = open(dir.path(), &params, false);
    wrong.iter().for_each(|block| assert_eq!(take(&mut importer, block).unwrap(), Imported::Active));
    drop(importer);
    params.deployment.checkpoints = vec![(Height(1), right[0].hash())];
    let mut importer = open(dir.path(), &params, false);
    assert_eq!(importer.tip(), Height(0), "what contradicts the checkpoint is left");
    right.iter().for_each(|block| assert_eq!(take(&mut importer, block).unwrap(), Imported::Active));
    // Longer or not, nothing that forks below the checkpoint is taken.
    assert!(take(&mut importer, &wrong[0]).is_err());
    drop(importer);
    assert_eq!(open(dir.path(), &params, false).reader().tip_hash(), right[1].hash());
}

#[test]
fn a_side_body_that_cannot_be_read_condemns_no_good_block() {
    let dir = tempfile::tempdir().unwrap();
    let params = Params::regtest();
    let (a, b) = (branch(3, 1), branch(2, 2));
    let mut importer = open(dir.path(), &params, false);
    assert_eq!(take(&mut importer, &a[0]).unwrap(), Imported::Active);
    assert_eq!(take(&mut importer, &b[0]).unwrap(), Imported::Side);
    let file = dir.path().join("blocks/00000.dat");
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &damaged).unwrap();
    let error = take(&mut importer, &b[1]).unwrap_err().to_string();
    assert!(error.contains("checksum does not match") && error.contains("--reindex"), "{error}");
    assert!(matches!(take(&mut importer, &a[1]), Err(ImportError::Stopped(_))), "nothing is judged by half a disk");
    drop(importer);
    // Mended, the node goes on where it was.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[..whole.len()].copy_from_slice(&whole);
    std::fs::write(&file, &bytes).unwrap();
    let mut importer = open(dir.path(), &params, false);
    let tip = importer.reader().tip_hash();
    assert!([a[0].hash(), b[0].hash(), b[1].hash()].contains(&tip), "{tip}");
    for block in &a[1..] {
        take(&mut importer, block).unwrap();
    }
    assert_eq!(importer.reader().tip_hash(), a[2].hash());
    assert_ne!(importer.reader().tip_hash(), BlockHash::ZERO);
}

/// A block on `parent` whose header is good and whose state root is not.
fn unsound_child(parent: &Block, to: u8) -> Block {
    let mut block = parent.clone();
    block.coinbase.to = PublicKey([to; 32]);
    block.transactions.clear();
    let roots = &mut block.head.roots;
    (roots.height, roots.tx_root) = (roots.height.next(), tx_root(&block.coinbase, &[]));
    block.head.header.prev_blockhash = parent.hash();
    block.head.header.time += 1;
    block.head.header.commitment = block.head.roots.commitment();
    miner::mine(block, &AtomicBool::new(false), |_| ()).unwrap()
}

#[test]
fn a_rejected_branch_of_several_blocks_does_not_keep_the_node_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let params = Params::regtest();
    let mut importer = open(dir.path(), &params, false);
    let good = branch(3, 1);
    good.iter().for_each(|block| assert_eq!(take(&mut importer, block).unwrap(), Imported::Active));
    let mut parent = params.genesis.clone();
    for height in 1..=4 {
        let block = unsound_child(&parent, 9);
        let taken = take(&mut importer, &block);
        assert_eq!(taken.is_err(), height == 4, "the fourth makes the branch the best, and its first block is refused");
        parent = block;
    }
    assert_eq!(importer.reader().tip_hash(), good[2].hash());
    drop(importer);
    let mut importer = open(dir.path(), &params, false);
    assert_eq!(importer.reader().tip_hash(), good[2].hash());
    let error = take(&mut importer, &unsound_child(&parent, 9)).unwrap_err().to_string();
    assert!(error.contains("was rejected (B15)"), "{error}");
}

/// Found by reading: its head was written, and put before its parent by the next start.
#[test]
fn a_block_refused_for_its_height_does_not_keep_the_node_from_starting() {
    let params = Params::regtest();
    for claimed in [0, 2, 77] {
        let dir = tempfile::tempdir().unwrap();
        let mut importer = open(dir.path(), &params, false);
        let good = branch(5, 1);
        good.iter().for_each(|block| assert_eq!(take(&mut importer, block).unwrap(), Imported::Active));
        let mut block = next(&importer, 2);
        block.head.roots.height = Height(claimed);
        block.head.header.commitment = block.head.roots.commitment();
        let block = miner::mine(block, &AtomicBool::new(false), |_| ()).unwrap();
        let error = take(&mut importer, &block).unwrap_err().to_string();
        assert!(error.contains("B7"), "{error}");
        let good = next(&importer, 3);
        assert_eq!(take(&mut importer, &good).unwrap(), Imported::Active);
        drop(importer);
        assert_eq!(open(dir.path(), &params, false).reader().tip_hash(), good.hash(), "{claimed}");
    }
}

/// Found by reading: of a reorganisation whose commit was torn the database may keep a row of the old branch.
#[test]
fn a_stored_chain_of_two_branches_is_found_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let params = Params::regtest();
    let (a, b) = (branch(2, 1), branch(3, 2));
    let mut importer = open(dir.path(), &params, false);
    a.iter().for_each(|block| assert_eq!(take(&mut importer, block).unwrap(), Imported::Active));
    drop(importer);
    let old = Store::open(dir.path(), &params, false).unwrap().1.chain[1];
    let mut importer = open(dir.path(), &params, false);
    for (block, imported) in b.iter().zip([Imported::Side, Imported::Side, Imported::Active]) {
        assert_eq!(take(&mut importer, block).unwrap(), imported);
    }
    assert_eq!(importer.reader().tip_hash(), b[2].hash());
    drop(importer);
    let (mut store, loaded) = Store::open(dir.path(), &params, false).unwrap();
    let chain = [(Height(1), Some(old))].into();
    store.commit(&Commit { meta: loaded.meta, chain, ..Commit::default() }).unwrap();
    drop(store);
    let (store, loaded) = Store::open(dir.path(), &params, false).unwrap();
    let opened = Importer::open(store, loaded, Arc::new(params), Limits::default(), |_| ());
    let error = opened.map(drop).unwrap_err().to_string();
    assert!(error.contains("is not on the one below it") && error.contains("--reindex"), "{error}");
}

/// Found by reading: a commit may have lost a head's row alone, of which an older one without body is there from when heads
/// came first; then the chain from there on was given up without a word.
#[test]
fn a_head_whose_row_is_older_than_its_body_loses_no_block() {
    let dir = tempfile::tempdir().unwrap();
    let params = Params::regtest();
    let blocks = branch(5, 1);
    let mut importer = open(dir.path(), &params, false);
    blocks.iter().for_each(|block| assert_eq!(take(&mut importer, block).unwrap(), Imported::Active));
    drop(importer);
    let (mut store, loaded) = Store::open(dir.path(), &params, false).unwrap();
    let third = blocks[2].hash();
    let (_, row) = *loaded.heads.iter().find(|(hash, _)| *hash == third).unwrap();
    let heads = [(third, HeadRow { block: None, sequence: 1, ..row })].into();
    store.commit(&Commit { meta: loaded.meta, heads, ..Commit::default() }).unwrap();
    drop(store);
    for _ in 0..2 {
        assert_eq!(open(dir.path(), &params, false).reader().tip_hash(), blocks[4].hash());
    }
    let (_, loaded) = Store::open(dir.path(), &params, false).unwrap();
    assert!(loaded.heads.iter().all(|(_, row)| row.block.is_some()), "and the row is whole again");
}

/// Found by reading: of blocks that waited for one parent a rebuild took the last first.
#[test]
fn a_rebuild_takes_blocks_that_waited_in_the_order_of_the_files() {
    let params = Params::regtest();
    let parent = branch(1, 1).remove(0);
    let children = {
        let dir = tempfile::tempdir().unwrap();
        let mut importer = open(dir.path(), &params, false);
        take(&mut importer, &parent).unwrap();
        [next(&importer, 2), next(&importer, 3)]
    };
    let dir = tempfile::tempdir().unwrap();
    let mut importer = open(dir.path(), &params, false);
    let heads = vec![parent.head, children[0].head];
    assert!(matches!(importer.take_heads(heads, false, NOW_S + 10_000), HeadsTaken::Stored { .. }));
    assert!(matches!(importer.take_heads(vec![children[1].head], false, NOW_S + 10_000), HeadsTaken::Stored { .. }));
    children.iter().for_each(|block| assert_eq!(take(&mut importer, block).unwrap(), Imported::Side));
    assert_eq!(take(&mut importer, &parent).unwrap(), Imported::Active);
    assert_eq!(importer.reader().tip_hash(), children[0].hash());
    drop(importer);
    assert_eq!(open(dir.path(), &params, true).reader().tip_hash(), children[0].hash());
}

/// Found by reading: which of two branches of the same work was connected first is not the order in which bodies came.
#[test]
fn a_restart_changes_nothing_between_branches_of_the_same_work() {
    let dir = tempfile::tempdir().unwrap();
    let params = Params::regtest();
    let mut importer = open(dir.path(), &params, false);
    let parent = branch(1, 1).remove(0);
    assert_eq!(take(&mut importer, &parent).unwrap(), Imported::Active);
    let (a, b) = (next(&importer, 2), next(&importer, 3));
    drop(importer);
    let dir = tempfile::tempdir().unwrap();
    let mut importer = open(dir.path(), &params, false);
    let heads = vec![parent.head, a.head];
    assert!(matches!(importer.take_heads(heads, false, NOW_S + 10_000), HeadsTaken::Stored { .. }));
    assert!(matches!(importer.take_heads(vec![b.head], false, NOW_S + 10_000), HeadsTaken::Stored { .. }));
    for block in [&b, &a] {
        assert_eq!(take(&mut importer, block).unwrap(), Imported::Side, "its parent's body is not there");
    }
    assert_eq!(take(&mut importer, &parent).unwrap(), Imported::Active);
    let tip = importer.reader().tip_hash();
    assert_eq!(tip, a.hash());
    drop(importer);
    assert_eq!(open(dir.path(), &params, false).reader().tip_hash(), tip);
}

#[test]
fn heads_alone_wait_for_a_write_and_a_body_beside_the_chain_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let params = Params::regtest();
    let (a, b) = (branch(3, 1), branch(2, 2));
    let mut importer = open(dir.path(), &params, false);
    assert!(!importer.has_only_heads());
    let heads = a.iter().map(|block| block.head).collect();
    assert!(matches!(importer.take_heads(heads, false, NOW_S + 10_000), HeadsTaken::Stored { .. }));
    assert!(importer.has_only_heads());
    for (block, imported) in [(&a[0], Imported::Active), (&b[0], Imported::Side)] {
        let checked = CheckedBlock::decode(block.encode(), &params, |_| false).unwrap();
        assert_eq!(importer.import(checked, NOW_S + 10_000).unwrap(), imported);
        assert!(!importer.has_only_heads(), "somebody waits to hear that it is durable");
        importer.commit(NOW_S).unwrap();
        assert!(!importer.has_pending());
    }
    // What was only a head is written with the body of another, and what nothing was written for is gone.
    let heads = b.iter().map(|block| block.head).collect();
    assert!(matches!(importer.take_heads(heads, true, NOW_S + 10_000), HeadsTaken::Stored { .. }));
    assert!(importer.has_only_heads());
    drop(importer);
    let importer = open(dir.path(), &params, false);
    assert_eq!((importer.tip(), importer.reader().headers), (Height(1), Height(3)));
    assert_eq!(importer.missing_bodies(9), [a[1].hash(), a[2].hash()]);
    assert!(importer.reader().head(&b[0].hash()).unwrap().block.is_some());
    assert!(importer.reader().head(&b[1].hash()).is_err());
}
