//! Block bodies and undo records in append-only files, `blocks/00000.dat` and so on.
//!
//! A record is magic ‖ kind ‖ length ‖ checksum ‖ bytes. Nothing is ever overwritten or truncated: a record cut off by a
//! crash is skipped by whoever scans (`--reindex`), and nobody else knows of it, because its place was never committed.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use dotp2p_chain::hash::sha256d;
use parity_scale_codec::{Decode, Encode};

/// Starts every record.
const MAGIC: [u8; 4] = *b"dp2r";
/// magic 4 ‖ kind 1 ‖ length 4 LE ‖ checksum 4.
const HEAD: u32 = 13;
const HEAD_LEN: usize = 13;
/// A file is closed when it has grown beyond this many bytes.
const FILE_MAX: u64 = 128 << 20;
/// The most bytes of a record. A block of 256 KiB can replace 26,000 names' records of 4 KiB, and thousands of names may
/// become free in it, so its undo may have hundreds of MiB; an undo that could not be kept would stop the chain.
const RECORD_MAX: u32 = 1 << 30;

/// More than the record of genesis has.
const FIRST_MAX: u64 = 1 << 20;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordKind {
    /// An encoded block.
    Block = 1,
    /// The undo of a block.
    Undo = 2,
}

/// Where a record's bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Place {
    file: u32,
    at: u32,
    len: u32,
}

/// Where everything written so far ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct End {
    file: u32,
    at: u64,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:05}.dat offset {}", self.file, self.at)
    }
}

/// The files, read by everybody and written by one.
#[derive(Debug)]
pub struct BlockFiles {
    dir: PathBuf,
    files: RwLock<Vec<Arc<File>>>,
}

/// The one who appends.
#[derive(Debug)]
pub struct BlockWriter {
    files: Arc<BlockFiles>,
    file: u32,
    end: u64,
    dirty: bool,
}

impl BlockFiles {
    fn path(&self, file: u32) -> PathBuf {
        self.dir.join(format!("{file:05}.dat"))
    }

    fn file(&self, file: u32) -> io::Result<Arc<File>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("{} is missing", self.path(file).display()));
        files.get(usize::try_from(file).unwrap_or(usize::MAX)).cloned().ok_or_else(missing)
    }

    /// The bytes at `place`; those that fail their checksum are an error that names the file.
    pub fn read(&self, place: Place) -> io::Result<Vec<u8>> {
        let file = self.file(place.file)?;
        let head = u64::from(place.at.saturating_sub(HEAD));
        let mut bytes = vec![0; HEAD_LEN + usize::try_from(place.len).unwrap_or(0)];
        file.read_exact_at(&mut bytes, head).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged(place, "the file ends before the record does"),
            // The disk may give it the next time.
            kind => io::Error::new(kind, format!("{}: {error}", self.path(place.file).display())),
        })?;
        let body = bytes.split_off(HEAD_LEN);
        if bytes.get(9..) != Some(&checksum(&body)) {
            return Err(self.damaged(place, "checksum does not match"));
        }
        Ok(body)
    }

    fn damaged(&self, place: Place, what: &str) -> io::Error {
        let path = self.path(place.file);
        io::Error::new(io::ErrorKind::InvalidData, format!("{} at offset {}: {what}", path.display(), place.at))
    }

    /// The place of every whole record of `kind` from `start` on, in the order written; damaged stretches are skipped.
    pub fn scan(&self, kind: RecordKind, start: End) -> io::Result<Vec<Place>> {
        let count = self.files.read().unwrap_or_else(PoisonError::into_inner).len();
        let mut places = Vec::new();
        for file in start.file..u32::try_from(count).unwrap_or(u32::MAX) {
            let bytes = std::fs::read(self.path(file))?;
            let mut at = if file == start.file { usize::try_from(start.at).unwrap_or(usize::MAX) } else { 0 };
            while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= HEAD_LEN) {
                match record(rest) {
                    Some((found, body)) => {
                        if found == kind as u8 {
                            places.push(Place { file, at: offset(at + HEAD_LEN), len: offset(body.len()) });
                        }
                        at += HEAD_LEN + body.len();
                    }
                    None => {
                        // To the next whole record at once: what looks like heads may stand close together.
                        let from = at;
                        at += 1 + rest.get(1..).and_then(find_whole).unwrap_or(rest.len());
                        let (path, bytes) = (self.path(file), at.min(bytes.len()) - from);
                        tracing::warn!(path = %path.display(), offset = from, bytes, "no whole record, as where a write was cut short; passed over");
                    }
                }
            }
        }
        Ok(places)
    }
}

/// The bytes of the first record in a folder of block files, if it is there and whole: genesis.
pub(super) fn first(dir: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(dir.join("00000.dat")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(FIRST_MAX).read_to_end(&mut bytes)?;
    Ok(record(&bytes).map(|(_, body)| body.to_owned()))
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn find_magic(bytes: &[u8]) -> Option<usize> {
    bytes.windows(MAGIC.len()).position(|window| window == MAGIC)
}

/// Where the next whole record begins.
fn find_whole(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        at += find_magic(rest)?;
        if bytes.get(at..).is_some_and(|rest| record(rest).is_some()) {
            return Some(at);
        }
        at += 1;
    }
}

fn record(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD_LEN)?;
    let (magic, head) = head.split_first_chunk::<4>()?;
    let (kind, head) = head.split_first()?;
    let (len, sum) = head.split_first_chunk::<4>()?;
    let body = rest.get(..usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
    (*magic == MAGIC && sum == checksum(body)).then_some((*kind, body))
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = sha256d(bytes);
    [a, b, c, d]
}

impl BlockWriter {
    /// Opens the folder, making it where it is missing. New records go behind everything that is there.
    pub fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let files = Arc::new(BlockFiles { dir: dir.to_owned(), files: RwLock::default() });
        let mut writer = Self { files, file: 0, end: 0, dirty: false };
        while writer.files.path(writer.file).exists() || writer.file == 0 {
            writer.open_file()?;
            writer.file += 1;
        }
        writer.file -= 1;
        writer.end = writer.files.file(writer.file)?.metadata()?.len();
        Ok(writer)
    }

    fn open_file(&mut self) -> io::Result<()> {
        let path = self.files.path(self.file);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        self.files.files.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(file));
        File::open(&self.files.dir)?.sync_all()
    }

    /// Where the next record will begin.
    #[must_use]
    pub fn end(&self) -> End {
        End { file: self.file, at: self.end }
    }

    /// For readers.
    #[must_use]
    pub fn files(&self) -> Arc<BlockFiles> {
        self.files.clone()
    }

    /// Appends a record; it is durable when what [`BlockWriter::unsynced`] gives is synced. A failed write leaves only dead bytes.
    pub fn append(&mut self, kind: RecordKind, bytes: &[u8]) -> io::Result<Place> {
        let len = u32::try_from(bytes.len()).ok().filter(|len| *len <= RECORD_MAX);
        let len =
            len.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "record too large for a block file"))?;
        while self.end > FILE_MAX {
            if let Some(file) = self.unsynced()? {
                file.sync_data()?;
            }
            self.file += 1;
            self.open_file()?;
            // Where files before it were lost it may be there already: nothing is ever overwritten.
            self.end = self.files.file(self.file)?.metadata()?.len();
        }
        let mut record = Vec::with_capacity(HEAD_LEN + bytes.len());
        record.extend_from_slice(&MAGIC);
        record.push(kind as u8);
        record.extend_from_slice(&len.to_le_bytes());
        record.extend_from_slice(&checksum(bytes));
        record.extend_from_slice(bytes);
        self.files.file(self.file)?.write_all_at(&record, self.end)?;
        self.dirty = true;
        let at = u32::try_from(self.end).unwrap_or(u32::MAX) + HEAD;
        self.end += record.len() as u64;
        Ok(Place { file: self.file, at, len })
    }

    /// The file that must be synced for everything appended so far to survive a power cut, if one must; given once.
    pub fn unsynced(&mut self) -> io::Result<Option<Arc<File>>> {
        std::mem::take(&mut self.dirty).then(|| self.files.file(self.file)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_record_is_skipped_and_the_next_one_found() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = BlockWriter::open(dir.path()).unwrap();
        let first = writer.append(RecordKind::Block, b"first").unwrap();
        writer.append(RecordKind::Undo, b"undo").unwrap();
        let end = writer.end();
        let path = dir.path().join("00000.dat");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"dp2r\x01\xff\xff\x00\x00torn");
        std::fs::write(&path, &bytes).unwrap();
        let mut writer = BlockWriter::open(dir.path()).unwrap();
        let second = writer.append(RecordKind::Block, b"second").unwrap();
        let files = writer.files();
        assert_eq!(files.read(first).unwrap(), b"first");
        assert_eq!(files.read(second).unwrap(), b"second");
        assert_eq!(files.scan(RecordKind::Block, End::default()).unwrap(), [first, second]);
        assert_eq!(files.scan(RecordKind::Block, end).unwrap(), [second]);
    }

    #[test]
    fn a_flipped_byte_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = BlockWriter::open(dir.path()).unwrap();
        let place = writer.append(RecordKind::Block, b"block").unwrap();
        let path = dir.path().join("00000.dat");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let error = writer.files().read(place).unwrap_err().to_string();
        assert!(error.ends_with("00000.dat at offset 13: checksum does not match"), "{error}");
    }
}
