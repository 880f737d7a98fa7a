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
mod tests;
