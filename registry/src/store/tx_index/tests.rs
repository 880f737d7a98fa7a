//! What is found after merges, reorganisations and torn commits.

use dotp2p_chain::hash::sha256;
use dotp2p_chain::params::Params;

use super::*;
use crate::store::Store;

fn txid(height: u32, at: u32) -> Txid {
    Txid(sha256(&[height.to_le_bytes(), at.to_le_bytes()].concat()))
}

fn of(heights: std::ops::Range<u32>) -> Commit {
    let txids = |height| (0..30).map(|at| txid(height, at)).collect();
    let transactions = heights.map(|height| (Height(height), txids(height))).collect();
    Commit { transactions, ..Commit::default() }
}

fn commit(store: &mut Store, heights: std::ops::Range<u32>) {
    store.commit(&of(heights)).unwrap();
}

fn find(store: &Store, txid: &Txid) -> Vec<(Height, u32)> {
    let mut found: Vec<_> = store.lookup().transactions(txid).map(Result::unwrap).collect();
    found.dedup();
    found
}

/// A chain of blocks without transactions could once not be opened.
#[test]
fn what_is_merged_or_empty_is_not_missing() {
    let indexed = |heights: &[u32]| {
        let mut indexed = Indexed::default();
        heights.iter().for_each(|height| indexed.add(&list_key(*height, (0, 1))).unwrap());
        indexed
    };
    assert_eq!(indexed(&[]).missing(Height(0)), None);
    assert_eq!(indexed(&[768, 769, 770]).missing(Height(770)), None);
    assert_eq!(indexed(&[1, 2, 9]).missing(Height(2)), None, "a reorganisation left one behind");
    assert_eq!(indexed(&[768, 769]).missing(Height(500)), None, "many blocks were only taken back");
    assert_eq!(indexed(&[768, 770]).missing(Height(770)), Some(Height(769)));
    assert_eq!(indexed(&[768, 769]).missing(Height(770)), Some(Height(770)));
    assert_eq!(indexed(&[]).missing(Height(3)), Some(Height(3)));
}

/// Found by reading: lists and parts changed in one commit, and of a torn one nobody could tell that the parts were not there.
#[test]
fn lists_stay_until_their_parts_are_there_and_go_from_below() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path(), &Params::regtest(), false).unwrap();
    let lists = |store: &Store| -> Vec<u32> {
        let keys = store.lookup().0.scan_prefix([TX, BLOCKS]).keys();
        keys.map(|key| tx_number(&key.unwrap()).unwrap().0).collect()
    };
    let has_gap = |lists: &[u32]| lists.windows(2).any(|pair| pair[0] + 1 != pair[1]);
    commit(&mut store, 1..1_100);
    // A cut at any moment after the parts are there.
    let (db, mut batch) = (store.lookup().0, sled::Batch::default());
    let later = write(&db, &mut batch, &of(1_100..1_101)).unwrap();
    db.apply_batch(batch).unwrap();
    assert_eq!((later.replaced.len(), later.useless.len()), (0, 767));
    for key in later.useless.into_iter().take(300) {
        finish(&db, Later { useless: vec![key], ..Later::default() }).unwrap();
        assert!(!has_gap(&lists(&store)));
    }
    assert_eq!(find(&store, &txid(200, 3)), [(Height(200), 3)]);
    assert_eq!(lists(&store).first(), Some(&301));
    for height in 1_101..1_103 {
        commit(&mut store, height..height + 1);
        assert_eq!(lists(&store), (768..=height).collect::<Vec<_>>(), "the rest goes with the next commit");
    }
    // From 500 on other blocks: new transactions in group 1, none in group 2, whose parts are as they were.
    let other = |height| if height < 512 { vec![txid(height, 99)] } else { Vec::new() };
    let transactions = (500..1_104).map(|height| (Height(height), other(height))).collect();
    store.commit(&Commit { transactions, ..Commit::default() }).unwrap();
    let mut firsts = vec![lists(&store)[0]];
    for height in 1_104..1_107 {
        commit(&mut store, height..height + 1);
        assert!(!has_gap(&lists(&store)), "after {height}");
        firsts.push(lists(&store)[0]);
    }
    assert_eq!(firsts, [500, 768, 768, 768]);
    assert_eq!(find(&store, &txid(505, 99)), [(Height(505), 0)]);
    assert_eq!(find(&store, &txid(505, 7)), [(Height(505), 7)], "those of disconnected blocks stay");
    assert!((256..512).all(|height| (0..30).all(|at| !find(&store, &txid(height, at)).is_empty())));
}

/// A list of several rows is there when all of them are; the lowest one may be on its way out.
#[test]
fn a_row_that_is_missing_of_a_list_is_found() {
    let missing = |rows: &[(u32, Row)], tip| {
        let mut indexed = Indexed::default();
        rows.iter().for_each(|(height, row)| indexed.add(&list_key(*height, *row)).unwrap());
        indexed.missing(Height(tip))
    };
    assert_eq!(missing(&[(1, (0, 2)), (1, (1, 2)), (2, (0, 1))], 2), None);
    assert_eq!(missing(&[(1, (1, 2)), (2, (0, 1))], 2), Some(Height(1)), "nothing was merged yet");
    assert_eq!(missing(&[(256, (1, 3)), (256, (2, 3)), (257, (0, 1))], 257), None);
    assert_eq!(missing(&[(256, (0, 3)), (256, (2, 3)), (257, (0, 1))], 257), Some(Height(256)));
    assert_eq!(missing(&[(256, (0, 1)), (257, (1, 2))], 257), Some(Height(257)));
    assert_eq!(missing(&[(256, (0, 1)), (257, (0, 1)), (257, (0, 2))], 257), Some(Height(257)), "of two blocks");
}

/// Found by reading: of rows of 64 KiB the engine made files, to which a log may point that are not there.
#[test]
fn long_lists_are_in_short_rows_and_another_block_leaves_none_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path(), &Params::regtest(), false).unwrap();
    let full = |heights: std::ops::Range<u32>, count: u32| {
        let txids = |height| (0..count).map(|at| txid(height, at)).collect();
        Commit { transactions: heights.map(|height| (Height(height), txids(height))).collect(), ..Commit::default() }
    };
    store.commit(&full(1..600, 1_900)).unwrap();
    for height in 600..603 {
        store.commit(&full(height..height + 1, 1_900)).unwrap();
    }
    assert_eq!(std::fs::read_dir(dir.path().join("db/blobs")).unwrap().count(), 0);
    let longest = store.lookup().0.scan_prefix([TX]).values().map(|value| value.unwrap().len()).max();
    assert!(longest.unwrap() < 4_200);
    for (height, at) in [(1, 0), (255, 1_899), (300, 700), (602, 256), (602, 1_899)] {
        assert_eq!(find(&store, &txid(height, at)), [(Height(height), at)]);
    }
    let rows = |store: &Store, height| {
        let keys = store.lookup().0.scan_prefix(tx_key(BLOCKS, height, &[])).keys();
        keys.map(|key| list_row(&key.unwrap()).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(rows(&store, 601).len(), 8);
    store.commit(&full(600..603, 300)).unwrap();
    assert_eq!(rows(&store, 601), [(0, 2), (1, 2)]);
    store.commit(&full(601..602, 0)).unwrap();
    assert_eq!(rows(&store, 601), [(0, 1)]);
    assert_eq!(find(&store, &txid(601, 7)), []);
}

/// Found by reading: a part took the place of one that held more, before the rest was there.
#[test]
fn a_torn_merge_of_what_was_merged_before_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path(), &Params::regtest(), false).unwrap();
    commit(&mut store, 1..1_100);
    commit(&mut store, 1_100..1_101);
    // Other transactions in group 1, which is merged again.
    let other = |height| (100..103).map(|at| txid(height, at)).collect();
    let transactions = (500..1_102).map(|height| (Height(height), other(height))).collect();
    store.commit(&Commit { transactions, ..Commit::default() }).unwrap();
    let (db, mut batch) = (store.lookup().0, sled::Batch::default());
    let later = write(&db, &mut batch, &of(1_102..1_103)).unwrap();
    assert!(!later.replaced.is_empty());
    // Of the batch nothing is left; of what replaces, nothing was to be done before the batch is durable.
    let old: Vec<_> = db.scan_prefix([TX, GROUPS]).collect::<Result<_, _>>().unwrap();
    assert!(later.replaced.iter().all(|(key, _)| old.iter().any(|(known, _)| known == key)));
    drop(batch);
    commit(&mut store, 1_102..1_103);
    assert!((256..512).all(|height| (0..30).all(|at| find(&store, &txid(height, at)).contains(&(Height(height), at)))));
    assert!((500..512).all(|height| (0..3).all(|at| !find(&store, &txid(height, 100 + at)).is_empty())));
}

/// Found by reading: readers do not wait for the writer, and groups were counted before the lists were looked at.
#[test]
fn what_is_merged_while_somebody_looks_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path(), &Params::regtest(), false).unwrap();
    commit(&mut store, 1..1_100);
    let (lookup, wanted) = (store.lookup(), txid(5, 3));
    let looking = lookup.transactions(&wanted);
    commit(&mut store, 1_100..1_101);
    assert_eq!(looking.map(Result::unwrap).collect::<Vec<_>>(), [(Height(5), 3)]);
}

#[test]
fn a_run_of_many_blocks_is_merged_too_and_nothing_is_lost_by_a_deep_reorganisation() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path(), &Params::regtest(), false).unwrap();
    let count = |store: &Store, kind| store.lookup().0.scan_prefix([TX, kind]).count();
    commit(&mut store, 1..1_100);
    commit(&mut store, 1_100..1_101);
    assert_eq!((count(&store, BLOCKS), count(&store, GROUPS)), (1_101 - 3 * 256, 90), "three groups are parts");
    commit(&mut store, 1_101..1_102);
    assert_eq!((count(&store, BLOCKS), count(&store, GROUPS)), (1_102 - 3 * 256, 90));
    // Blocks of a merged group are connected again, and merged again.
    commit(&mut store, 700..701);
    commit(&mut store, 1_102..1_104);
    commit(&mut store, 1_104..1_105);
    assert_eq!((count(&store, BLOCKS), count(&store, GROUPS)), (1_105 - 3 * 256, 90));
    for (height, at) in [(1, 0), (300, 29), (699, 3), (700, 7), (767, 1), (768, 2), (1_100, 5), (1_101, 9)] {
        assert_eq!(find(&store, &txid(height, at)), [(Height(height), at)]);
    }
    assert_eq!(find(&store, &txid(2_000, 0)), []);
}
