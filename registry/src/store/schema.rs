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
use crate::state_tree::Leaf;

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
    for (entry, leaf) in &commit.rows {
        put(batch, key(STATE, &entry.bytes()), leaf.as_ref().map(|leaf| leaf.row_bytes().to_vec()));
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
            let item = Leaf::stored(&key, value).map_err(|error| format!("an entry does not decode: {error}"))?;
            loaded.items.push(item);
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

/// All but the rows of the state, in ranges that can be read side by side: headers are cut into [`PARTS`], all else is little
/// and stays whole.
pub(super) fn other_ranges(db: &sled::Db) -> sled::Result<Vec<Range>> {
    let mut ranges = cut(db, (Bound::Unbounded, Bound::Excluded(vec![STATE])), &[&[HEAD]])?;
    ranges.push((Bound::Included(vec![STATE + 1]), Bound::Unbounded));
    Ok(ranges)
}

/// The rows of the state, accounts and names cut into [`PARTS`] each.
pub(super) fn state_ranges(db: &sled::Db) -> sled::Result<Vec<Range>> {
    cut(db, (Bound::Included(vec![STATE]), Bound::Excluded(vec![STATE + 1])), &[&[STATE, 0], &[STATE, 1]])
}

/// A range cut where keys begin like those given, which ascend.
fn cut(db: &sled::Db, (begin, end): Range, prefixes: &[&[u8]]) -> sled::Result<Vec<Range>> {
    let mut cuts = Vec::new();
    for prefix in prefixes {
        let mut keys = db.scan_prefix(prefix).keys();
        if let (Some(first), Some(last)) = (keys.next().transpose()?, keys.next_back().transpose()?) {
            cuts.extend(between(&first, &last));
        }
    }
    let begins = std::iter::once(begin).chain(cuts.iter().cloned().map(Bound::Included));
    let ends = cuts.iter().cloned().map(Bound::Excluded).chain([end]);
    Ok(begins.zip(ends).collect())
}

/// Parts of a kind: many more than cores, because names do not spread evenly.
const PARTS: u64 = 64;

/// Keys at even distances from `first` to `last`, by the eight bytes after those that both begin with; `first` among them.
fn between(first: &[u8], last: &[u8]) -> Vec<Vec<u8>> {
    let common = first.iter().zip(last).take_while(|(a, b)| a == b).count();
    let number = |key: &[u8]| {
        let bytes = key.iter().copied().skip(common).chain(std::iter::repeat(0));
        bytes.take(8).fold(0u64, |number, byte| number << 8 | u64::from(byte))
    };
    let (begin, step) = (number(first), number(last).saturating_sub(number(first)) / PARTS);
    let cut = |part: u64| {
        let mut key = first.get(..common).unwrap_or_default().to_vec();
        key.extend_from_slice(&(begin + part * step).to_be_bytes());
        key
    };
    let mut cuts = vec![first.to_vec()];
    // The numbers ascend, the keys too: only the first, which may be shorter or longer than its number, is left out.
    cuts.extend((1..PARTS).filter(|_| step > 0).map(cut));
    cuts
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
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn every_key_is_in_one_range_and_the_chain_in_one_alone() {
        let dir = tempfile::tempdir().unwrap();
        let db = sled::open(dir.path()).unwrap();
        let ranges = |db| [other_ranges(db).unwrap(), state_ranges(db).unwrap()].concat();
        assert_eq!(ranges(&db).len(), 3, "an empty database");
        let names = (0..500).map(|at| key(STATE, &[&[1][..], format!("name{at}").as_bytes()].concat()));
        let accounts = (0..=255).map(|at| key(STATE, &[&[0, at][..], &[at; 31]].concat()));
        let heads = (0..100).map(|at| head_key(&BlockHash([at; 32])));
        let rest = [vec![0], key(CHAIN, &[0; 4]), key(CHAIN, &[255; 4]), vec![META], key(STATE, &[2, 9]), vec![TX, 1]];
        let keys: Vec<Vec<u8>> = names.chain(accounts).chain(heads).chain(rest).collect();
        keys.iter().for_each(|key| assert!(db.insert(key, &[]).unwrap().is_none()));
        let ranges = ranges(&db);
        let parts: Vec<Vec<sled::IVec>> =
            ranges.iter().map(|range| db.range(range.clone()).keys().collect::<Result<_, _>>().unwrap()).collect();
        let mut found = parts.concat();
        found.sort();
        assert_eq!(found, db.iter().keys().collect::<Result<Vec<_>, _>>().unwrap(), "each once");
        assert!(parts.iter().all(|part| part.is_sorted()), "in order");
        let chain = [key(CHAIN, &[0; 4]), key(CHAIN, &[255; 4])];
        assert!(parts.iter().any(|part| chain.iter().all(|key| part.contains(&key.as_slice().into()))));
        assert!(parts.iter().all(|part| part.len() < 120), "none is much larger than the others");
    }

    #[test]
    fn cuts_ascend() {
        for (first, last) in
            [("a", "a"), ("a", "b"), ("a", "ab"), ("", "zz"), ("name0", "name999999"), ("abcdefgh1", "abcdefgh2")]
        {
            let cuts = between(first.as_bytes(), last.as_bytes());
            assert_eq!(cuts[0], first.as_bytes());
            assert!(
                cuts.is_sorted_by(|a, b| a < b)
                    && cuts[1..].iter().all(|cut| *cut < [last.as_bytes(), &[0; 8]].concat()),
                "{first} {last}: {cuts:02x?}"
            );
        }
    }
}
