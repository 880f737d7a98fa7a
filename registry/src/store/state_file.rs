//! `state.dat`: the rows of the state as they were at a clean stop, in one piece.
//!
//! The engine keeps rows in pages all over its log, and gathering them is most of a start. This is a copy: it counts
//! only at the tip it was made at, and where it is missing, old or damaged, the database has the rows.
//!
//! magic ‖ hash of the tip's header 32 ‖ parts. A part is length 4 LE ‖ checksum 8 ‖ pairs of key and row; an empty one
//! is the last.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use dotp2p_chain::entry::EntryKey;
use dotp2p_chain::hash::{BlockHash, sha256};
use parity_scale_codec::{Decode, Encode};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use crate::state_tree::{Item, Leaf};

const NAME: &str = "state.dat";
const DRAFT: &str = "state.dat.new";
/// Another where rows are encoded otherwise.
const MAGIC: [u8; 4] = *b"dps1";
const HEAD_LEN: usize = 4 + 32;
const PART_HEAD_LEN: usize = 4 + 8;
/// Bytes from which on a part ends; a row of full records more is the most that one has.
const PART: usize = 1 << 20;

/// Writes the rows of the state at `tip`, durably, in place of the file that is there.
pub(super) fn write<'a>(dir: &Path, tip: &BlockHash, leaves: impl Iterator<Item = &'a Leaf>) -> io::Result<()> {
    let draft = dir.join(DRAFT);
    let written = write_to(&draft, tip, leaves).and_then(|()| fs::rename(&draft, dir.join(NAME)));
    if let Err(error) = written {
        // Room that others may need.
        remove_draft(dir)?;
        return Err(error);
    }
    File::open(dir)?.sync_all()
}

fn write_to<'a>(path: &Path, tip: &BlockHash, leaves: impl Iterator<Item = &'a Leaf>) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&MAGIC)?;
    file.write_all(&tip.0)?;
    let (mut part, mut bytes, mut index) = (Vec::with_capacity(PART + PART / 4), Vec::new(), 0);
    for leaf in leaves {
        leaf.key_to(&mut bytes);
        bytes.as_slice().encode_to(&mut part);
        bytes.clear();
        leaf.row_bytes().encode_to(&mut part);
        if part.len() >= PART {
            write_part(&mut file, tip, index, &part)?;
            part.clear();
            index += 1;
        }
    }
    if !part.is_empty() {
        write_part(&mut file, tip, index, &part)?;
        index += 1;
    }
    write_part(&mut file, tip, index, &[])?;
    file.into_inner()?.sync_all()
}

fn write_part(file: &mut impl Write, tip: &BlockHash, index: usize, part: &[u8]) -> io::Result<()> {
    let len = u32::try_from(part.len()).map_err(io::Error::other)?;
    file.write_all(&len.to_le_bytes())?;
    file.write_all(&checksum(tip, index, part))?;
    file.write_all(part)
}

/// Of the bytes and of where they belong.
fn checksum(tip: &BlockHash, index: usize, part: &[u8]) -> [u8; 8] {
    let mut hashed = sha256(part).to_vec();
    hashed.extend_from_slice(&tip.0);
    hashed.extend_from_slice(&(index as u64).to_le_bytes());
    let [a, b, c, d, e, f, g, h, ..] = sha256(&hashed);
    [a, b, c, d, e, f, g, h]
}

/// Bytes of the file; 0 where there is none.
pub(super) fn size(dir: &Path) -> u64 {
    fs::metadata(dir.join(NAME)).map_or(0, |meta| meta.len())
}

/// Removes the file, if there is one.
pub(super) fn remove(dir: &Path) -> io::Result<()> {
    remove_file(&dir.join(NAME))
}

/// Removes a file that was not finished, if there is one.
pub(super) fn remove_draft(dir: &Path) -> io::Result<()> {
    remove_file(&dir.join(DRAFT))
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The tip and the rows in the file; `None` where there is none, or, with a warning, where it is damaged.
pub(super) fn read(dir: &Path) -> Option<(BlockHash, Vec<Item>)> {
    match read_from(&dir.join(NAME)) {
        Ok(read) => Some(read),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            let path = dir.join(NAME);
            tracing::warn!(path = %path.display(), %error, "not read; the database has what it holds");
            None
        }
    }
}

fn read_from(path: &Path) -> io::Result<(BlockHash, Vec<Item>)> {
    let file = File::open(path)?;
    let mut head = [0; HEAD_LEN];
    file.read_exact_at(&mut head, 0)?;
    let (magic, tip) = head.split_at(MAGIC.len());
    let tip = BlockHash(tip.try_into().map_err(io::Error::other)?);
    if magic != MAGIC {
        return Err(io::Error::other("damaged: it does not begin as such a file does"));
    }
    let parts = parts(&file)?;
    let read = parts.into_par_iter().enumerate().map(|(index, (at, len, sum))| {
        let mut part = vec![0; len];
        file.read_exact_at(&mut part, at)?;
        let damaged = || io::Error::other(format!("damaged between offsets {at} and {}", at + part.len() as u64));
        if checksum(&tip, index, &part) != sum {
            return Err(damaged());
        }
        items(&part).ok_or_else(damaged)
    });
    let read: Vec<Vec<Item>> = read.collect::<io::Result<_>>()?;
    let mut items = Vec::with_capacity(read.iter().map(Vec::len).sum());
    read.into_iter().for_each(|mut part| items.append(&mut part));
    Ok((tip, items))
}

/// Where each part's bytes begin, how many there are, and their checksum.
fn parts(file: &File) -> io::Result<Vec<(u64, usize, [u8; 8])>> {
    let (mut parts, mut at, end) = (Vec::new(), HEAD_LEN as u64, file.metadata()?.len());
    loop {
        let mut head = [0; PART_HEAD_LEN];
        file.read_exact_at(&mut head, at)?;
        let [a, b, c, d, sum @ ..] = head;
        let len = u32::from_le_bytes([a, b, c, d]);
        at += PART_HEAD_LEN as u64;
        if at.saturating_add(len.into()) > end {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        parts.push((at, usize::try_from(len).map_err(io::Error::other)?, sum));
        if len == 0 {
            return Ok(parts);
        }
        at += u64::from(len);
    }
}

fn items(mut part: &[u8]) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    while !part.is_empty() {
        let key = EntryKey::from_bytes(slice(&mut part)?)?;
        items.push(Leaf::stored(&key, slice(&mut part)?).ok()?);
    }
    Some(items)
}

/// What an encoded vector of bytes holds, without a vector.
fn slice<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = parity_scale_codec::Compact::<u32>::decode(input).ok()?.0;
    let (bytes, rest) = input.split_at_checked(usize::try_from(len).ok()?)?;
    *input = rest;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use dotp2p_chain::height::Height;

    use super::*;
    use crate::row::Row;
    use crate::state_tree;

    type Rows = Vec<(EntryKey, Row)>;

    const TIP: BlockHash = BlockHash([7; 32]);

    fn rewards(count: u32) -> Rows {
        let row = |at: u32| {
            let entry = dotp2p_chain::entry::RewardEntry {
                to: dotp2p_chain::key::PublicKey(sha256(&at.to_le_bytes())),
                amount: dotp2p_chain::amount::Amount::from_atoms(u64::from(at)),
            };
            (EntryKey::Reward(Height(at)), Row::Reward(entry))
        };
        (0..count).map(row).collect()
    }

    fn written(dir: &Path, rows: &Rows) {
        let items = state_tree::in_order(state_tree::items(rows.clone()));
        write(dir, &TIP, items.iter().map(|(_, leaf)| leaf)).unwrap();
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).is_none(), "there is none yet");
        // None, one part, several parts.
        for count in [0, 1, 1_000, 50_000] {
            let rows = rewards(count);
            written(dir.path(), &rows);
            let (tip, items) = read(dir.path()).unwrap();
            assert!(items.is_sorted_by_key(|item| item.0));
            let mut read: Rows = items.iter().map(|(_, leaf)| (leaf.key().unwrap(), leaf.row().unwrap())).collect();
            read.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!((tip, read), (TIP, rows));
        }
        let parts = parts(&File::open(dir.path().join(NAME)).unwrap()).unwrap();
        assert_eq!(parts.len(), 4, "full ones, the rest, and the end");
        assert!(!dir.path().join(DRAFT).exists());
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_found() {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path(), &rewards(20));
        let path = dir.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, &flipped).unwrap();
            assert!(read(dir.path()).is_none(), "byte {at} flipped");
            fs::write(&path, &whole[..at]).unwrap();
            assert!(read(dir.path()).is_none(), "cut off after {at} bytes");
        }
    }

    #[test]
    fn a_part_missing_or_in_another_place_is_found() {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path(), &rewards(50_000));
        let path = dir.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        let parts = parts(&File::open(&path).unwrap()).unwrap();
        let begin = |part: usize| usize::try_from(parts[part].0).unwrap() - PART_HEAD_LEN;
        let (second, third) = (begin(1), begin(2));
        let (head, first) = whole[..second].split_at(HEAD_LEN);
        let swapped = [head, &whole[second..third], first, &whole[third..]].concat();
        let missing = [head, &whole[second..]].concat();
        let last_missing = [&whole[..third], &whole[whole.len() - PART_HEAD_LEN..]].concat();
        for damaged in [swapped, missing, last_missing] {
            fs::write(&path, damaged).unwrap();
            assert!(read(dir.path()).is_none());
        }
    }
}
