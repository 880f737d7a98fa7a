//! Where a file that is there already ends, and from which of its last blocks an export can go on.

use std::collections::VecDeque;
use std::io::Read;

use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::height::Height;
use dotp2p_chain::params::Params;

use super::{CarryError, CarryReader, read_up_to};

/// Blocks whose places are kept: how deep a reorganisation may have gone since the file was written.
const KEEP: usize = 10_000;

/// A block of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: BlockHash,
    /// Where its record ends.
    pub end: u64,
}

/// What a file holds, by its ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The height of its first block.
    pub first: Option<Height>,
    /// Its last blocks, the last one last.
    pub last: VecDeque<Place>,
    /// Whether its head is whole.
    pub has_head: bool,
    /// Whether a block that was not written to its end follows.
    pub is_torn: bool,
}

impl Tail {
    /// Reads a file through. One that was cut off in its last record is good up to there: rule X4.
    ///
    /// Errors: it is of another chain, or damaged before its end.
    pub fn of(file: impl Read, params: &Params) -> Result<Self, CarryError> {
        let mut reader = match CarryReader::open(file, params) {
            Ok(reader) => reader,
            Err(CarryError::Cut { end, .. }) => return Ok(Self { is_torn: end > 0, ..Self::default() }),
            Err(error) => return Err(error),
        };
        let mut tail = Self { has_head: true, ..Self::default() };
        while let Some(next) = reader.next() {
            match next {
                Ok(block) => {
                    tail.first.get_or_insert(block.height);
                    if tail.last.len() == KEEP {
                        tail.last.pop_front();
                    }
                    tail.last.push_back(Place { height: block.height, hash: block.hash, end: block.end });
                }
                Err(CarryError::Cut { .. }) => tail.is_torn = true,
                // The last record's length may have reached the disk before its bytes.
                Err(error @ CarryError::Checksum { .. }) => {
                    let rest = read_up_to(&mut reader.into_input(), 1);
                    if rest.is_ok_and(|rest| rest.is_empty()) {
                        tail.is_torn = true;
                        break;
                    }
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(tail)
    }
}
