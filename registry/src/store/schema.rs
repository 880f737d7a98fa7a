//! Keys and values in the database. One tree; the first byte of a key says what it is.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Bound;
use std::path::Path;

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::entry::EntryKey;
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::height::Height;
use dotp2p_chain::params::Params;
use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{ChainRow, Commit, End, FORMAT, HeadRow, Loaded, Meta, Place, StoreError, block_files};
use crate::row::Row;

/// A row of the state, by kind and id.
const STATE: u8 = b's';
/// A block of the active chain, by height, big-endian.
const CHAIN: u8 = b'c';
/// A header, by hash.
const HEAD: u8 = b'h';
/// What is stored once.
const META: u8 = b'm';
/// The index of transactions; see [`super::tx_index`].
pub(super) const TX: u8 = b't';

fn key(kind: u8, id: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + id.len());
    key.push(kind);
    key.extend_from_slice(id);
    key
}

pub(super) fn write(batch: &mut sled::Batch, commit: &Commit, end: End) {
    for (entry, row) in &commit.rows {
        put(batch, key(STATE, &entry.bytes()), row.as_ref().map(Row::encode));
    }
    for (height, row) in &commit.chain {
        put(batch, key(CHAIN, &height.0.to_be_bytes()), row.map(|row| row.encode()));
    }
    for (hash, row) in &commit.heads {
        put(batch, head_key(hash), Some(encode_head(row)));
    }
    put(batch, meta_key().to_vec(), Some(Meta { end, ..commit.meta }.encode()));
}

fn put(batch: &mut sled::Batch, key: Vec<u8>, value: Option<Vec<u8>>) {
    match value {
        Some(value) => batch.insert(key, value),
        None => batch.remove(key),
    }
}

/// Adds one stored pair to `loaded`, or says what does not fit.
pub(super) fn load(loaded: &mut Loaded, key: &[u8], value: &[u8]) -> Result<(), String> {
    let (kind, id) = key.split_first().ok_or("an empty key")?;
    match *kind {
        STATE => {
            let key = EntryKey::from_bytes(id).ok_or("an entry's key does not decode")?;
            let row = Row::decode(&key, value).map_err(|error| format!("an entry does not decode: {error}"))?;
            loaded.rows.push((key, row));
        }
        CHAIN => {
            let height = id.try_into().map(u32::from_be_bytes).map_err(|_| "a height's key does not decode")?;
            if usize::try_from(height).ok() != Some(loaded.chain.len()) {
                return Err(format!("the active chain has a gap before height {height}"));
            }
            loaded.chain.push(whole::<ChainRow>(value).ok_or("a block's place does not decode")?);
        }
        HEAD => {
            let hash = BlockHash(id.try_into().map_err(|_| "a header's key does not decode")?);
            loaded.heads.push((hash, decode_head(value).ok_or("a header does not decode")?));
        }
        // Read by itself.
        META => {}
        TX => loaded.indexed.add(key)?,
        other => return Err(format!("a key of unknown kind {other:#04x}")),
    }
    Ok(())
}

/// Keys from one to another.
pub(super) type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// Where the database is cut into ranges of about one size that can be read side by side: ids of accounts and headers are as
/// good as random, names are not, and all else is little and stays in one range.
pub(super) fn ranges() -> Vec<Range> {
    let heads = (0..=u8::MAX).step_by(16).map(|first| key(HEAD, &[first]));
    let rows = (0..2).flat_map(|kind| (0..=u8::MAX).step_by(4).map(move |first| key(STATE, &[kind, first])));
    let cuts: Vec<Vec<u8>> = heads.chain(rows).collect();
    let begins = std::iter::once(Bound::Unbounded).chain(cuts.iter().cloned().map(Bound::Included));
    let ends = cuts.iter().cloned().map(Bound::Excluded).chain([Bound::Unbounded]);
    begins.zip(ends).collect()
}

pub(super) fn meta_key() -> [u8; 1] {
    [META]
}

pub(super) fn decode_meta(value: &[u8]) -> Result<Meta, String> {
    whole(value).ok_or_else(|| "the tip does not decode".to_owned())
}

fn whole<T: Decode>(mut bytes: &[u8]) -> Option<T> {
    T::decode(&mut bytes).ok().filter(|_| bytes.is_empty())
}

pub(super) fn head_key(hash: &BlockHash) -> Vec<u8> {
    key(HEAD, &hash.0)
}

fn encode_head(row: &HeadRow) -> Vec<u8> {
    let mut out = (row.sequence, row.block, row.rejected).encode();
    row.head.encode_to(&mut out);
    out
}

pub(super) fn decode_head(mut bytes: &[u8]) -> Option<HeadRow> {
    let (sequence, block, rejected) = <(u64, Option<Place>, bool)>::decode(&mut bytes).ok()?;
    let head = BlockHead::decode(&mut bytes).ok()?;
    bytes.is_empty().then_some(HeadRow { sequence, head, block, rejected })
}

/// `format.json`: what the folder is, readable without opening the database.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FormatFile {
    format: u32,
    network: String,
    chain_id: String,
}

/// Refuses a folder of another network or a newer format; writes the file into a new folder.
///
/// A file that cannot be right is written anew with `reindex`, if the first block says whose folder it is.
pub(super) fn check_format(dir: &Path, params: &Params, reindex: bool) -> Result<(), StoreError> {
    let path = dir.join("format.json");
    let io = |error| StoreError::Io { path: path.clone(), error };
    let expected =
        FormatFile { format: FORMAT, network: params.deployment.name.clone(), chain_id: params.chain_id.to_string() };
    if !path.exists() {
        return write_format(dir, &path, &expected).map_err(io);
    }
    let bytes = std::fs::read(&path).map_err(io)?;
    let found = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
    // The number is read first: a newer release may have added fields that this one does not know.
    let format = found.as_ref().and_then(|found| found.get("format")).and_then(serde_json::Value::as_u64);
    if let Some(format) = format.filter(|format| *format > FORMAT.into()) {
        let found = u32::try_from(format).unwrap_or(u32::MAX);
        return Err(StoreError::NewerFormat { dir: dir.to_owned(), found });
    }
    let found = found.and_then(|found| serde_json::from_value::<FormatFile>(found).ok());
    let found = found.filter(|found| found.format == FORMAT);
    if found.as_ref().is_some_and(|found| found.chain_id == expected.chain_id) {
        return Ok(());
    }
    let is_ours = block_files::first(&dir.join("blocks")).map_err(io)? == Some(params.genesis.encode());
    match found {
        Some(found) if !is_ours => {
            let name = |file: &FormatFile| format!("{} ({})", file.network, file.chain_id);
            Err(StoreError::OtherNetwork { dir: dir.to_owned(), found: name(&found), expected: name(&expected) })
        }
        _ if is_ours && reindex => write_format(dir, &path, &expected).map_err(io),
        _ => Err(StoreError::FormatFile(path)),
    }
}

fn write_format(dir: &Path, path: &Path, format: &FormatFile) -> io::Result<()> {
    let draft = dir.join("format.json.new");
    let mut file = File::create(&draft)?;
    file.write_all((serde_json::to_string(format).unwrap_or_default() + "\n").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    File::open(dir)?.sync_all()
}

/// The key of an index value: `TX` ‖ level ‖ big-endian number ‖ rest.
pub(super) fn tx_key(level: u8, number: u32, rest: &[u8]) -> Vec<u8> {
    let mut key = vec![TX, level];
    key.extend_from_slice(&number.to_be_bytes());
    key.extend_from_slice(rest);
    key
}

/// The number in a key that [`tx_key`] made.
pub(super) fn tx_number(key: &[u8]) -> Option<Height> {
    let bytes = key.get(2..6)?.try_into().ok()?;
    Some(Height(u32::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_one_range_and_the_chain_in_one_alone() {
        let ranges = ranges();
        let keys = [vec![], key(CHAIN, &[0; 4]), key(CHAIN, &[255; 4]), head_key(&BlockHash([7; 32])), vec![META]];
        let rows =
            [(0, 0), (0, 255), (1, b'0'), (1, b'z'), (2, 9), (4, 0)].map(|(kind, id)| key(STATE, &[kind, id, 8]));
        let range_of = |key: &Vec<u8>| -> Vec<usize> {
            let places = ranges.iter().enumerate();
            places.filter(|(_, range)| std::ops::RangeBounds::contains(*range, key)).map(|(at, _)| at).collect()
        };
        for key in keys.iter().chain(&rows).chain([&vec![TX, 1], &vec![255]]) {
            assert_eq!(range_of(key).len(), 1, "{key:02x?}");
        }
        assert_eq!(range_of(&keys[1]), range_of(&keys[2]));
        assert!(range_of(&rows[0]) < range_of(&rows[1]) && range_of(&rows[1]) < range_of(&rows[2]));
    }
}
