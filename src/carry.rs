//! A stretch of the chain as one file, to be carried where no network reaches. `docs/spec/carry.md`, X1 to X4.
//!
//! - [`file_head`] and [`record`] write it, [`CarryReader`] reads it block by block: what it gives is whole and follows
//!   on what came before. Whether a block is valid, import says.
//! - [`Tail`]: where a file that is there already ends, so that an export can go on behind it.
//!
//! What is absent: any trust in the file. Every length is bounded before memory is taken, and nothing of one damaged
//! record is used.

mod tail;

use std::io::{self, ErrorKind, Read};

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::codec::DecodeError;
use dotp2p_chain::hash::{BlockHash, ChainId, sha256d};
use dotp2p_chain::height::Height;
use dotp2p_chain::params::Params;

pub use self::tail::{Place, Tail};

/// Begins every file.
const MAGIC: [u8; 4] = *b"dp2c";
/// The only version there is.
const VERSION: u8 = 1;
/// Bytes before the first record: magic 4 ‖ version 1 ‖ chain id 32.
pub const FILE_HEAD_LEN: usize = 37;
/// Bytes before a block: length 4 LE ‖ checksum 4.
const RECORD_HEAD_LEN: usize = 8;

/// Why a file gives no further block. Offsets are bytes from its beginning.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// Some other file.
    #[error("it is no file of `dotp2p chain export`: it does not begin with `dp2c` (X1)")]
    Magic,
    /// A later form.
    #[error("it is of version {0}, this release reads {VERSION}: use a newer one (X1)")]
    Version(u8),
    /// Another network's.
    #[error("it is of the chain {found}, this network's is {expected}: give the --network that it is of (X1)")]
    OtherChain {
        /// The file's.
        found: ChainId,
        /// The network's.
        expected: ChainId,
    },
    /// It stops before a record does.
    #[error("it is cut off at offset {end}, in what begins at offset {at}{} (X2)", after(*.last))]
    Cut {
        /// Where the record, or the file's head, begins.
        at: u64,
        /// Where the file ends.
        end: u64,
        /// The last whole block.
        last: Option<Height>,
    },
    /// A length that no block has.
    #[error("it is damaged at offset {at}{}: a block has {min} to {max} bytes, not {len} (X2)", after(*.last))]
    Length {
        /// Where the record begins.
        at: u64,
        /// The last whole block.
        last: Option<Height>,
        /// As found.
        len: u32,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
    },
    /// Bytes that are not those that were written.
    #[error("it is damaged at offset {at}{}: the checksum does not match (X2)", after(*.last))]
    Checksum {
        /// Where the record begins.
        at: u64,
        /// The last whole block.
        last: Option<Height>,
    },
    /// Not a block.
    #[error("the record at offset {at}{}, is no block: {error} (X3)", after(*.last))]
    Head {
        /// Where the record begins.
        at: u64,
        /// The last whole block.
        last: Option<Height>,
        /// Why not.
        error: DecodeError,
    },
    /// Not the child of the block before, or genesis.
    #[error("the block of height {height} at offset {at}{}, does not follow on what is before it (X3)", after(*.last))]
    Order {
        /// Where the record begins.
        at: u64,
        /// The last whole block.
        last: Option<Height>,
        /// As the block has it.
        height: Height,
    },
    /// The system failed.
    #[error("cannot read it at offset {at}: {error}")]
    Io {
        /// Where.
        at: u64,
        /// What it says.
        error: io::Error,
    },
}

/// `, after block 7`.
fn after(last: Option<Height>) -> String {
    last.map_or(", before the first block".to_owned(), |height| format!(", after block {height}"))
}

/// What every file of a chain begins with. Rule X1.
#[must_use]
pub fn file_head(chain_id: &ChainId) -> [u8; FILE_HEAD_LEN] {
    let mut head = [0; FILE_HEAD_LEN];
    let parts = MAGIC.iter().chain(&[VERSION]).chain(&chain_id.0);
    head.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
    head
}

/// An encoded block as it stands in a file. Rule X2.
#[must_use]
pub fn record(block: &[u8]) -> Vec<u8> {
    let len = u32::try_from(block.len()).unwrap_or(u32::MAX);
    [&len.to_le_bytes(), &checksum(block)[..], block].concat()
}

fn checksum(block: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = sha256d(block);
    [a, b, c, d]
}

/// A block out of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Its height, as it says.
    pub height: Height,
    /// Its hash.
    pub hash: BlockHash,
    /// Its parent's.
    pub parent: BlockHash,
    /// Its bytes.
    pub encoded: Vec<u8>,
    /// Where its record ends.
    pub end: u64,
}

/// Gives the blocks of a file, in order, up to the first that is not whole; after an error nothing more comes.
#[derive(Debug)]
pub struct CarryReader<R> {
    input: R,
    /// The most bytes of a block.
    max: usize,
    /// Bytes read of whole records.
    end: u64,
    last: Option<(Height, BlockHash)>,
    is_over: bool,
}

impl<R: Read> CarryReader<R> {
    /// Reads the file's head. Rule X1.
    pub fn open(mut input: R, params: &Params) -> Result<Self, CarryError> {
        let expected = file_head(&params.chain_id);
        let head = read_up_to(&mut input, FILE_HEAD_LEN).map_err(|error| CarryError::Io { at: 0, error })?;
        let end = head.len();
        let (magic, rest) = head.split_at_checked(MAGIC.len()).unwrap_or((&head, &[]));
        if !MAGIC.starts_with(magic) {
            return Err(CarryError::Magic);
        }
        if let Some(version) = rest.first().filter(|version| **version != VERSION) {
            return Err(CarryError::Version(*version));
        }
        let found = rest.get(1..).and_then(|id| <[u8; 32]>::try_from(id).ok()).map(ChainId);
        match found {
            Some(found) if found != params.chain_id => {
                return Err(CarryError::OtherChain { found, expected: params.chain_id });
            }
            None if !expected.starts_with(&head) => return Err(CarryError::Magic),
            None => return Err(CarryError::Cut { at: 0, end: offset(end), last: None }),
            Some(_) => {}
        }
        let body_max = usize::try_from(params.rules.body_max).unwrap_or(usize::MAX);
        let max = body_max.saturating_add(BlockHead::LEN);
        Ok(Self { input, max, end: offset(end), last: None, is_over: false })
    }

    /// Where the last whole record ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The rest of the input, behind what was read.
    pub(crate) fn into_input(self) -> R {
        self.input
    }

    fn read(&mut self) -> Result<Option<Carried>, CarryError> {
        let (at, last) = (self.end, self.last.map(|(height, _)| height));
        let io = |error| CarryError::Io { at, error };
        let head = read_up_to(&mut self.input, RECORD_HEAD_LEN).map_err(io)?;
        if head.is_empty() {
            return Ok(None);
        }
        let cut = |len: usize| CarryError::Cut { at, end: at + offset(len), last };
        let Some((len, sum)) = head.split_first_chunk::<4>().filter(|(_, sum)| sum.len() == 4) else {
            return Err(cut(head.len()));
        };
        let len_u32 = u32::from_le_bytes(*len);
        let (len, min, max) = (usize::try_from(len_u32).unwrap_or(usize::MAX), BlockHead::LEN + 1, self.max);
        if !(min..=max).contains(&len) {
            return Err(CarryError::Length { at, last, len: len_u32, min, max });
        }
        let encoded = read_up_to(&mut self.input, len).map_err(io)?;
        if encoded.len() < len {
            return Err(cut(RECORD_HEAD_LEN + encoded.len()));
        }
        if sum != checksum(&encoded) {
            return Err(CarryError::Checksum { at, last });
        }
        let head = BlockHead::decode(&mut encoded.as_slice()).map_err(|error| CarryError::Head { at, last, error })?;
        let (height, hash, parent) = (head.roots.height, head.hash(), head.header.prev_blockhash);
        let follows = match self.last {
            None => height != Height::GENESIS,
            Some((before, hash)) => height.0.checked_sub(1) == Some(before.0) && parent == hash,
        };
        if !follows {
            return Err(CarryError::Order { at, last, height });
        }
        self.end += offset(RECORD_HEAD_LEN + len);
        self.last = Some((height, hash));
        Ok(Some(Carried { height, hash, parent, encoded, end: self.end }))
    }
}

impl<R: Read> Iterator for CarryReader<R> {
    type Item = Result<Carried, CarryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = self.read().transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Reads `len` bytes, or as many as there are; memory is taken as they come.
fn read_up_to(input: &mut impl Read, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        match input.by_ref().take(offset(len - bytes.len())).read_to_end(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read.map(|_| bytes),
        }
    }
}

fn offset(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
