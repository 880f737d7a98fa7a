//! `peers.dat`: a line that says what it is, a version, the book in SCALE, and the SHA-256 of all before it.
//!
//! No slot stands in the file: each follows from the secret and the sources, so no file can put an address where it does
//! not belong.

use std::path::Path;

use dotp2p_chain::hash::sha256;
use parity_scale_codec::{Decode, DecodeAll, Encode};

use super::entry::{Entry, Source};
use super::place::Slot;
use super::{AddressBook, SOURCES_MAX};
use crate::address::{PeerAddress, PeerId};
use crate::saved_file::{self, FileError, Unusable};

const MAGIC: &[u8] = b"dotp2p peers\n";
const VERSION: u8 = 1;
const MAX: u64 = 4 * 1024 * 1024;
const WITHOUT: &str = "the address book starts empty";

#[derive(Encode, Decode)]
struct Body {
    secret: [u8; 32],
    rows: Vec<Row>,
}

#[derive(Encode, Decode)]
struct Row {
    address: PeerAddress,
    sources: Vec<[u8; 6]>,
    tried: bool,
    seen_s: u64,
    last_attempt_s: u64,
    last_success_s: u64,
    failures: u32,
    peer: Option<PeerId>,
}

impl AddressBook {
    /// Reads `peers.dat`, or begins an empty book where there is none or none that makes sense; then it is told what was
    /// wrong, and the file is set aside as `peers.dat.bad`.
    ///
    /// - `secret`: for an empty book; one that was saved keeps its own, or a restart would shuffle the tables.
    /// - `accept_local`: as for [`AddressBook::new`]; if it is no longer so, local addresses are left out.
    /// - `now_s`: no time in the book is later, even if the clock was ahead when it was saved.
    #[must_use]
    pub fn load(path: &Path, secret: [u8; 32], accept_local: bool, now_s: u64) -> (Self, Option<Unusable>) {
        match saved_file::load(path, MAX, WITHOUT, |bytes| Self::decode(bytes, accept_local, now_s)) {
            Ok(Some(book)) => (book, None),
            Ok(None) => (Self::new(secret, accept_local), None),
            Err(unusable) => (Self::new(secret, accept_local), Some(unusable)),
        }
    }

    /// Writes `peers.dat`, durably.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        saved_file::replace(path, &self.encode())
    }

    /// The content of the file. What waits for a slot in `tried` is not kept; it is found again.
    pub(super) fn encode(&self) -> Vec<u8> {
        let row = |(address, entry): (&PeerAddress, &Entry)| Row {
            address: *address,
            sources: entry.sources.iter().map(|source| source.to_bytes()).collect(),
            tried: entry.tried,
            seen_s: entry.seen_s,
            last_attempt_s: entry.last_attempt_s,
            last_success_s: entry.last_success_s,
            failures: entry.failures,
            peer: entry.peer.clone(),
        };
        seal(MAGIC, VERSION, &Body { secret: self.secret, rows: self.entries.iter().map(row).collect() })
    }

    /// Reads the content of the file; the error says what is wrong with it.
    pub(super) fn decode(bytes: &[u8], accept_local: bool, now_s: u64) -> Result<Self, String> {
        let body: Body = unseal(MAGIC, VERSION, bytes)?;
        let mut book = Self::new(body.secret, accept_local);
        for row in body.rows {
            let address = row.address;
            let sources = row.sources.iter().map(|bytes| Source::from_bytes(*bytes)).collect::<Option<Vec<_>>>();
            let sources = sources.ok_or_else(|| format!("{address} has a source of no known kind"))?;
            let max = if row.tried { 1 } else { SOURCES_MAX };
            let Some(first) = sources.first().filter(|_| sources.len() <= max) else {
                return Err(format!("{address} has {} sources", sources.len()));
            };
            if book.check_kept(address, *first).is_err() {
                continue;
            }
            let entry = Entry {
                sources,
                tried: row.tried,
                seen_s: row.seen_s.min(now_s),
                last_attempt_s: row.last_attempt_s.min(now_s),
                last_counted_s: 0,
                last_success_s: row.last_success_s.min(now_s),
                failures: row.failures,
                peer: row.peer,
            };
            book.restore(address, entry)?;
        }
        Ok(book)
    }

    fn restore(&mut self, address: PeerAddress, entry: Entry) -> Result<(), String> {
        let slots: Vec<Slot> = self.slots_of(&address, &entry);
        for slot in slots {
            if let Some(holder) = self.slots.insert(slot, address) {
                return Err(format!("{holder} and {address} are in one slot"));
            }
        }
        self.tried = self.tried.saturating_add(usize::from(entry.tried));
        match self.entries.insert(address, entry) {
            Some(_) => Err(format!("{address} is there twice")),
            None => Ok(()),
        }
    }
}

/// A line that says what it is, a version, the content, and the SHA-256 of all before it.
pub(super) fn seal(magic: &[u8], version: u8, content: &impl Encode) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.push(version);
    content.encode_to(&mut bytes);
    let digest = sha256(&bytes);
    bytes.extend_from_slice(&digest);
    bytes
}

/// The content of what [`seal`] made.
pub(super) fn unseal<T: Decode>(magic: &[u8], version: u8, bytes: &[u8]) -> Result<T, String> {
    let (sealed, digest) = bytes.split_last_chunk::<32>().ok_or("it is cut short")?;
    let rest = sealed.strip_prefix(magic).ok_or("it is another kind of file")?;
    if sha256(sealed) != *digest {
        return Err("its checksum does not match".to_owned());
    }
    match rest.split_first() {
        Some((found, content)) if *found == version => {
            // The codec's own words are a line for each part that it was in.
            T::decode_all(&mut &*content).map_err(|_| "what it holds is of another form".to_owned())
        }
        Some((found, _)) => Err(format!("it has version {found}, expected {version}")),
        None => Err("it is empty".to_owned()),
    }
}
