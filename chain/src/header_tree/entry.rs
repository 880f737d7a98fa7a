//! How a header is kept: its fields and links, small.

use core::num::NonZeroU32;

use super::Status;
use crate::hash::{BlockHash, RootsCommitment};
use crate::header::Header;
use crate::height::Height;
use crate::pow::{CompactTarget, Work};

/// An entry's place among the entries, counted from 1, so that an absent one takes no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(NonZeroU32);

impl Id {
    pub(super) const GENESIS: Self = Self(NonZeroU32::MIN);
    pub(super) const LAST: Self = Self(NonZeroU32::MAX);

    /// The id of the last of so many entries; `None` where there are none or 2³² and more.
    pub(super) fn of_last(entries: usize) -> Option<Self> {
        u32::try_from(entries).ok().and_then(NonZeroU32::new).map(Self)
    }

    /// Where its entry stands.
    pub(super) const fn place(self) -> usize {
        self.0.get() as usize - 1
    }

    /// The order of arrival.
    pub(super) fn order(self) -> u64 {
        self.0.get().into()
    }
}

/// A header with its links. The parent's hash is not kept: the parent has it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) hash: BlockHash,
    pub(super) commitment: RootsCommitment,
    pub(super) work: Work,
    pub(super) time: u64,
    pub(super) nonce: u64,
    pub(super) status: Status,
    pub(super) version: u32,
    pub(super) bits: CompactTarget,
    pub(super) height: Height,
    /// `None` for genesis alone.
    pub(super) parent: Option<Id>,
    /// An ancestor further back, so that any ancestor is O(log n) steps away.
    pub(super) skip: Option<Id>,
    pub(super) first_child: Option<Id>,
    pub(super) next_sibling: Option<Id>,
}

impl Entry {
    pub(super) fn new(header: &Header, hash: BlockHash, height: Height, work: Work, status: Status) -> Self {
        let Header { version, prev_blockhash: _, commitment, time, bits, nonce } = *header;
        let (parent, skip, first_child, next_sibling) = (None, None, None, None);
        Self {
            hash,
            commitment,
            work,
            time,
            nonce,
            status,
            version,
            bits,
            height,
            parent,
            skip,
            first_child,
            next_sibling,
        }
    }
}

/// The bytes of a hash that work does not make zero.
pub(super) fn prefix(hash: &BlockHash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = hash.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
