//! Rows: an entry of the state together with what this node keeps beside it.
//!
//! Consensus knows [`Row::value`] alone. A name's row also keeps its records' bytes (consensus knows their hash, S7) and
//! which transaction wrote it, so that one read answers a query and a chain of undo records is the name's history.

use std::sync::Arc;

use dotp2p_chain::codec::{DecodeError, decode_all};
use dotp2p_chain::entry::{Account, CommitmentEntry, Entry, EntryKey, NameEntry, RewardEntry};
use dotp2p_chain::height::Height;
use parity_scale_codec::{Decode, Encode, Output};

/// A name's row.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NameRow {
    /// What consensus knows.
    pub entry: NameEntry,
    /// Height of the block that wrote it last.
    pub changed: Height,
    /// That transaction's place in its block, from 0.
    pub transaction: u32,
    /// The bytes that hash to `entry.records`.
    pub records: Vec<u8>,
}

/// An entry as the node keeps it. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Kind 0.
    Account(Account),
    /// Kind 1.
    Name(Arc<NameRow>),
    /// Kind 2.
    Commitment(CommitmentEntry),
    /// Kind 3.
    Reward(RewardEntry),
    /// Kind 4, in millionths.
    Level(u64),
}

impl Row {
    /// The entry that consensus knows.
    #[must_use]
    pub fn to_entry(&self) -> Entry {
        match self {
            Self::Account(account) => Entry::Account(*account),
            Self::Name(row) => Entry::Name(row.entry.clone()),
            Self::Commitment(entry) => Entry::Commitment(*entry),
            Self::Reward(entry) => Entry::Reward(*entry),
            Self::Level(level) => Entry::Level(*level),
        }
    }

    /// The value's bytes in the state tree (S2 to S6).
    #[must_use]
    pub fn value(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.value_to(&mut bytes);
        bytes
    }

    /// Appends [`Row::value`].
    pub(crate) fn value_to<O: Output>(&self, out: &mut O) {
        match self {
            Self::Account(account) => account.encode_to(out),
            Self::Name(row) => row.entry.encode_to(out),
            Self::Commitment(entry) => entry.encode_to(out),
            Self::Reward(entry) => entry.encode_to(out),
            Self::Level(level) => level.encode_to(out),
        }
    }

    /// The bytes in which the row is stored; local, unlike [`Row::value`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode_to(&mut bytes);
        bytes
    }

    /// Appends [`Row::encode`]: the value, and what is kept beside it.
    pub fn encode_to(&self, out: &mut Vec<u8>) {
        self.value_to(out);
        self.beside_to(out);
    }

    /// Appends what this node keeps beside the value.
    pub(crate) fn beside_to(&self, out: &mut Vec<u8>) {
        if let Self::Name(row) = self {
            (row.changed, row.transaction, &row.records).encode_to(out);
        }
    }

    /// Reads what [`Row::encode`] wrote for `key`; nothing may be left over.
    pub fn decode(key: &EntryKey, bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_kind(key.kind(), bytes)
    }

    /// The same for any key of that kind.
    pub(crate) fn decode_kind(kind: u8, bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_all(bytes, |input| {
            Ok(match kind {
                0 => Self::Account(Account::decode(input)?),
                EntryKey::NAME => Self::Name(Arc::new(NameRow::decode(input)?)),
                2 => Self::Commitment(CommitmentEntry::decode(input)?),
                3 => Self::Reward(RewardEntry::decode(input)?),
                _ => Self::Level(u64::decode(input)?),
            })
        })
    }

    /// The name's row, if this is one.
    #[must_use]
    pub fn as_name(&self) -> Option<&Arc<NameRow>> {
        match self {
            Self::Name(row) => Some(row),
            _ => None,
        }
    }
}
