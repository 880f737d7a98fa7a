//! Transactions by id: a list for each block, and one for a group of 256 blocks once they are old.
//!
//! A key a transaction would cost more than the transaction's own two rows. So a block's ids are one sorted list; when
//! a group lies a whole group below the tip, its lists become one that is sorted across the group. An entry is
//! the first 8 bytes of the id, the height and the place in the block. Entries of disconnected blocks stay in groups.
//!
//! A row holds 256 entries at most, and a long list is in several: of larger ones the engine makes files of their own, and what
//! it writes of its log by itself may point to files that a power cut takes.

use std::collections::{BTreeMap, BTreeSet};

use dotp2p_chain::hash::Txid;
use dotp2p_chain::height::Height;
use parity_scale_codec::{Decode, Encode};

use super::Commit;
use super::schema::{TX, tx_key, tx_number};

const GROUP: u32 = 256;
/// Entries of a row.
const PART: usize = 256;
const BLOCKS: u8 = 0;
const GROUPS: u8 = 1;

type Entry = ([u8; 8], u32, u32);

fn prefix(txid: &Txid) -> [u8; 8] {
    txid.0.first_chunk().copied().unwrap_or_default()
}

/// Which row of a block's list, from 0, and of how many.
type Row = (u16, u16);

/// How many rows a list has: one if it is empty.
fn rows(entries: usize) -> u16 {
    u16::try_from(entries.div_ceil(PART).max(1)).unwrap_or(u16::MAX)
}

/// The key of a row of a block's list: of the only one, or with its place and their number.
fn list_key(height: u32, (at, of): Row) -> Vec<u8> {
    let rest = [at.to_be_bytes(), of.to_be_bytes()].concat();
    tx_key(BLOCKS, height, if of == 1 { &[] } else { &rest })
}

fn list_row(key: &[u8]) -> Option<Row> {
    match key.get(6..)? {
        [] => Some((0, 1)),
        [a, b, c, d] => Some((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))),
        _ => None,
    }
}

/// What is to be done when a commit is durable: [`finish`].
#[derive(Debug, Default)]
pub(super) struct Later {
    /// Parts in the place of others.
    replaced: Vec<(sled::IVec, Vec<u8>)>,
    /// Keys that are of no use then.
    useless: Vec<sled::IVec>,
}

/// Puts the index of a commit's transactions into `batch`, and gives what must wait until that is durable.
pub(super) fn write(db: &sled::Db, batch: &mut sled::Batch, commit: &Commit) -> Result<Later, sled::Error> {
    for (height, txids) in &commit.transactions {
        let places = (0u32..).zip(txids);
        let mut entries: Vec<Entry> = places.map(|(at, txid)| (prefix(txid), height.0, at)).collect();
        entries.sort_unstable();
        let of = rows(entries.len());
        for at in 0..of {
            let row: Vec<Entry> = entries.iter().skip(usize::from(at) * PART).take(PART).copied().collect();
            batch.insert(list_key(height.0, (at, of)), row.encode());
        }
    }
    let (Some((first, _)), Some((last, _))) =
        (commit.transactions.first_key_value(), commit.transactions.last_key_value())
    else {
        return Ok(Later::default());
    };
    // Where another block was, its list may have had another number of rows.
    for key in db.range(tx_key(BLOCKS, first.0, &[])..tx_key(BLOCKS, last.0.saturating_add(1), &[])).keys() {
        let key = key?;
        let txids = tx_number(&key).and_then(|height| commit.transactions.get(&height));
        if txids.is_some_and(|txids| list_row(&key).map(|row| row.1) != Some(rows(txids.len()))) {
            batch.remove(key);
        }
    }
    // Whole groups that this commit does not touch and that are a group below the tip.
    let end = (first.0 / GROUP).min((last.0 / GROUP).saturating_sub(1));
    let oldest = db.scan_prefix([TX, BLOCKS]).next().transpose()?;
    let begin = oldest.and_then(|(key, _)| tx_number(&key)).map_or(end, |height| height.0 / GROUP);
    let mut later = Later::default();
    (begin..end).try_for_each(|group| merge(db, batch, group, &mut later))?;
    Ok(later)
}

/// Does what had to wait, row by row and in its order: of a batch that was torn any might be left, and lists must be without a
/// gap ([`Indexed::missing`]). What is lost of it does no harm: the next commit finds the lists again.
pub(super) fn finish(db: &sled::Db, later: Later) -> Result<(), sled::Error> {
    later.replaced.into_iter().try_for_each(|(key, part)| db.insert(key, part).map(drop))?;
    later.useless.into_iter().try_for_each(|key| db.remove(key).map(drop))
}

/// Makes parts of a group's lists, and of the parts it has from before a reorganisation. What they are made of stays until
/// they are durable: of a commit that was torn nobody could tell afterwards that it was. A part that takes another's place may
/// hold less than that, so it waits as well. Old parts go before the lists, by which a merge that was interrupted is found again.
fn merge(db: &sled::Db, batch: &mut sled::Batch, group: u32, later: &mut Later) -> Result<(), sled::Error> {
    let (first, next) = (group * GROUP, group.saturating_add(1));
    let lists = db.range(tx_key(BLOCKS, first, &[])..tx_key(BLOCKS, first.saturating_add(GROUP), &[]));
    let parts = db.range(tx_key(GROUPS, group, &[])..tx_key(GROUPS, next, &[]));
    let lists = lists.collect::<Result<Vec<_>, _>>()?;
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let mut entries: Vec<Entry> = lists.iter().chain(&parts).flat_map(|(_, value)| decode(value)).collect();
    entries.sort_unstable();
    entries.dedup();
    let merged = entries.chunks(PART).filter_map(|part| Some((tx_key(GROUPS, group, &part.first()?.0), part.encode())));
    let merged: Vec<(Vec<u8>, Vec<u8>)> = merged.collect();
    let stays: BTreeSet<&[u8]> = merged.iter().map(|(key, _)| &key[..]).collect();
    later.useless.extend(parts.iter().map(|(key, _)| key).filter(|key| !stays.contains(&key[..])).cloned());
    later.useless.extend(lists.into_iter().map(|(key, _)| key));
    let parts: BTreeMap<sled::IVec, sled::IVec> = parts.into_iter().collect();
    for (key, part) in merged {
        match parts.get(&key[..]) {
            None => batch.insert(key, part),
            Some(old) if old[..] == part[..] => {}
            Some(_) => later.replaced.push((key.into(), part)),
        }
    }
    Ok(())
}

/// The rows of lists, by height. Every block has a list, also an empty one, until it is merged; a merged group without
/// transactions leaves nothing.
#[derive(Debug, Default)]
pub(super) struct Indexed(BTreeMap<u32, BTreeSet<Row>>);

impl Indexed {
    /// Adds a key of the index as it is read at start.
    pub(super) fn add(&mut self, key: &[u8]) -> Result<(), &'static str> {
        let number = tx_number(key).ok_or("a key of the index of transactions does not decode")?.0;
        if key.get(1) == Some(&BLOCKS) {
            let row = list_row(key).ok_or("a key of the index of transactions does not decode")?;
            self.0.entry(number).or_default().insert(row);
        }
        Ok(())
    }

    /// Adds what another range of the index held.
    pub(super) fn append(&mut self, other: Self) {
        other.0.into_iter().for_each(|(height, mut rows)| self.0.entry(height).or_default().append(&mut rows));
    }

    /// The first height from the lowest list on, up to `tip`, that has no list, or not all of it.
    pub(super) fn missing(&self, tip: Height) -> Option<Height> {
        let Some((first, _)) = self.0.first_key_value() else { return (tip > Height::GENESIS).then_some(tip) };
        // Rows of merged lists go from below, and the removal may have been interrupted.
        let is_going = |height| height == *first && height > 1;
        let is_whole = |height: u32, rows: &BTreeSet<Row>| {
            let numbers: BTreeSet<u16> = rows.iter().map(|(_, of)| *of).collect();
            numbers.into_iter().all(|of| {
                let from = rows.iter().find(|row| row.1 == of).map_or(0, |row| row.0);
                (from == 0 || is_going(height)) && (from..of).all(|at| rows.contains(&(at, of)))
            })
        };
        let is_missing = |height: &u32| !self.0.get(height).is_some_and(|rows| is_whole(*height, rows));
        (*first..=tip.0).find(is_missing).map(Height)
    }
}

fn decode(mut value: &[u8]) -> Vec<Entry> {
    Vec::decode(&mut value).unwrap_or_default()
}

/// Where the transaction may be, the newest first; looked for no further than the caller goes.
pub(super) fn candidates(db: &sled::Db, txid: &Txid) -> impl Iterator<Item = Result<(Height, u32), sled::Error>> {
    let wanted = prefix(txid);
    let search = move |item: Result<(sled::IVec, sled::IVec), sled::Error>| match item {
        Ok((_, value)) => {
            let entries = decode(&value);
            let from = entries.partition_point(|entry| entry.0 < wanted);
            let equal = entries.into_iter().skip(from).take_while(|entry| entry.0 == wanted);
            let mut found: Vec<_> = equal.map(|(_, height, at)| Ok((Height(height), at))).collect();
            found.reverse();
            found
        }
        Err(error) => vec![Err(error)],
    };
    // Looked at only when the lists have been: whoever merges meanwhile puts the parts there before the lists go.
    let groups = std::iter::once_with(move || {
        let (last, failed) = match db.scan_prefix([TX, GROUPS]).next_back().transpose() {
            Ok(last) => (last.and_then(|(key, _)| tx_number(&key)), None),
            Err(error) => (None, Some(Err(error))),
        };
        let parts = std::iter::successors(last, |number| number.checked_sub(1)).flat_map(move |number| {
            // The part that may hold the id begins at or below it; equal ids can only straddle into the part before. Parts of
            // a merge that was interrupted may stand between.
            db.range(tx_key(GROUPS, number.0, &[])..=tx_key(GROUPS, number.0, &wanted)).rev().take(4)
        });
        failed.into_iter().chain(parts)
    });
    db.scan_prefix([TX, BLOCKS]).rev().chain(groups.flatten()).flat_map(search)
}

#[cfg(test)]
mod tests {
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
            Commit {
                transactions: heights.map(|height| (Height(height), txids(height))).collect(),
                ..Commit::default()
            }
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
        assert!(
            (256..512).all(|height| (0..30).all(|at| find(&store, &txid(height, at)).contains(&(Height(height), at))))
        );
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
}
