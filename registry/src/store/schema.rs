//! Keys and values in the database. One tree; the first byte of a key says what it is.

use std::fs::File;
use std::io::{self, Write};
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
    put(batch, vec![META], Some(Meta { end, ..commit.meta }.encode()));
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
        META => loaded.meta = whole::<Meta>(value).ok_or("the tip does not decode")?,
        TX => loaded.indexed.add(key)?,
        other => return Err(format!("a key of unknown kind {other:#04x}")),
    }
    Ok(())
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
