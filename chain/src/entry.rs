//! Entries: what the state is made of, byte for byte, because its root is in every header.

use parity_scale_codec::{Decode, Encode};

use crate::amount::Amount;
use crate::codec::{DecodeError, decode_all};
use crate::hash::{CommitmentHash, RecordsHash, StateRoot, tag};
use crate::height::Height;
use crate::key::PublicKey;
use crate::name::Name;
use crate::params::Rules;

/// Where an entry stands: its kind and its id (S1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKey {
    /// Kind 0: the account of a key.
    Account(PublicKey),
    /// Kind 1: a name.
    Name(Name),
    /// Kind 2: a live commitment.
    Commitment(CommitmentHash),
    /// Kind 3: the unmatured reward of the block at a height.
    Reward(Height),
    /// Kind 4: the price level.
    Level,
}

/// An entry's key, hashed: its place in the trie, from the most significant bit.
pub type TrieKey = [u8; 32];

impl EntryKey {
    /// The kind of a name.
    pub const NAME: u8 = 1;

    /// The kind byte.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Self::Account(_) => 0,
            Self::Name(_) => Self::NAME,
            Self::Commitment(_) => 2,
            Self::Reward(_) => 3,
            Self::Level => 4,
        }
    }

    /// Does `work` with the id's bytes; heights little-endian.
    fn with_id<T>(&self, work: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Account(key) => work(&key.0),
            Self::Name(name) => work(name.as_bytes()),
            Self::Commitment(hash) => work(&hash.0),
            Self::Reward(height) => work(&height.0.to_le_bytes()),
            Self::Level => work(&[]),
        }
    }

    /// Whether these are the id's bytes.
    #[must_use]
    pub fn has_id(&self, id: &[u8]) -> bool {
        self.with_id(|its| its == id)
    }

    /// Appends the id's bytes.
    pub fn id_to(&self, out: &mut Vec<u8>) {
        self.with_id(|id| out.extend_from_slice(id));
    }

    /// kind byte ‖ id; heights little-endian.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.bytes_to(&mut bytes);
        bytes
    }

    /// Appends [`EntryKey::bytes`].
    pub fn bytes_to(&self, out: &mut Vec<u8>) {
        out.push(self.kind());
        self.id_to(out);
    }

    /// Reads what [`EntryKey::bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, id) = bytes.split_first()?;
        Self::from_parts(*kind, id)
    }

    /// The key of that kind and id.
    #[must_use]
    pub fn from_parts(kind: u8, id: &[u8]) -> Option<Self> {
        match kind {
            0 => Some(Self::Account(PublicKey(id.try_into().ok()?))),
            Self::NAME => Name::from_bytes(id).ok().map(Self::Name),
            2 => Some(Self::Commitment(CommitmentHash(id.try_into().ok()?))),
            3 => Some(Self::Reward(Height(u32::from_le_bytes(id.try_into().ok()?)))),
            4 if id.is_empty() => Some(Self::Level),
            _ => None,
        }
    }

    /// `H("dotp2p/key", kind byte ‖ id)` (S8).
    #[must_use]
    pub fn trie_key(&self) -> TrieKey {
        self.with_id(|id| tag::KEY.hash(&[&[self.kind()], id]))
    }

    /// The place of the name `label`, whether that is one or not.
    #[must_use]
    pub fn trie_key_of_name(label: &[u8]) -> TrieKey {
        tag::KEY.hash(&[&[Self::NAME], label])
    }
}

/// Kind 0: coins of a key and how many transactions it has paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Account {
    /// Spendable now.
    pub balance: Amount,
    /// The nonce its next transaction must have.
    pub nonce: u64,
}

/// A name for sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NameOffer {
    /// What the buyer pays the owner.
    pub price: Amount,
    /// The only key that may buy, if one is named.
    pub buyer: Option<PublicKey>,
}

/// Kind 1: a name (S1).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NameEntry {
    /// Who holds it.
    pub owner: PublicKey,
    /// May change records besides the owner.
    pub manager: Option<PublicKey>,
    /// May take it back, and must sign transfers and offers.
    pub recovery: Option<PublicKey>,
    /// Height of the last accepted Claim, Transfer, Buy or Recover.
    pub since: Height,
    /// The first height at which it is no longer active.
    pub expires: Height,
    /// `H("dotp2p/records", bytes)`.
    pub records: RecordsHash,
    /// For sale, if it is.
    pub offer: Option<NameOffer>,
}

/// Kind 2: a commitment that waits for its claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CommitmentEntry {
    /// The block that holds the Commit.
    pub height: Height,
    /// The price level that its block read, in millionths.
    pub level: u64,
}

/// Kind 3: a reward that waits for maturity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RewardEntry {
    /// Whom the block rewards.
    pub to: PublicKey,
    /// Subsidy and fees.
    pub amount: Amount,
}

/// An entry's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Kind 0.
    Account(Account),
    /// Kind 1.
    Name(NameEntry),
    /// Kind 2.
    Commitment(CommitmentEntry),
    /// Kind 3.
    Reward(RewardEntry),
    /// Kind 4, in millionths.
    Level(u64),
}

impl Entry {
    /// The value's bytes: fixed-width little-endian integers, SCALE options.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Account(entry) => entry.encode(),
            Self::Name(entry) => entry.encode(),
            Self::Commitment(entry) => entry.encode(),
            Self::Reward(entry) => entry.encode(),
            Self::Level(level) => level.encode(),
        }
    }

    /// Reads the value of the entry at `key`; nothing may be left over.
    pub fn decode(key: &EntryKey, bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_all(bytes, |input| {
            Ok(match key {
                EntryKey::Account(_) => Self::Account(Account::decode(input)?),
                EntryKey::Name(_) => Self::Name(NameEntry::decode(input)?),
                EntryKey::Commitment(_) => Self::Commitment(CommitmentEntry::decode(input)?),
                EntryKey::Reward(_) => Self::Reward(RewardEntry::decode(input)?),
                EntryKey::Level => Self::Level(u64::decode(input)?),
            })
        })
    }

    /// `H("dotp2p/value", value)` (S8).
    #[must_use]
    pub fn value_hash(&self) -> [u8; 32] {
        tag::VALUE.hash(&[&self.encode()])
    }
}

/// `H("dotp2p/leaf", key ‖ value hash)` (S8).
#[must_use]
pub fn leaf_hash(key: &TrieKey, value_hash: &[u8; 32]) -> [u8; 32] {
    tag::LEAF.hash(&[key, value_hash])
}

/// `H("dotp2p/node", left ‖ right)`, an empty side 32 zero bytes (S8).
#[must_use]
pub fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    tag::NODE.hash(&[left, right])
}

/// The price level at genesis: 1, in millionths (S6).
pub const LEVEL_START: u64 = 1_000_000;

/// The root of the state after genesis: the level alone.
#[must_use]
pub fn genesis_state_root() -> StateRoot {
    StateRoot(leaf_hash(&EntryKey::Level.trie_key(), &Entry::Level(LEVEL_START).value_hash()))
}

/// Where a name stands at a height (N3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Resolves.
    Active,
    /// Expired; only Renew is accepted.
    Grace,
    /// Anyone may claim it, at a premium that falls.
    Released,
    /// As if it had never been; the entry is removed.
    Free,
}

impl Stage {
    /// The stage at height `at` of a name that `expires`.
    #[must_use]
    pub fn of(expires: Height, at: Height, rules: &Rules) -> Self {
        let (at, expires) = (u64::from(at.0), u64::from(expires.0));
        let released = expires + u64::from(rules.grace);
        let free = released + u64::from(rules.halvings) * u64::from(rules.halving_blocks);
        match at {
            _ if at < expires => Self::Active,
            _ if at < released => Self::Grace,
            _ if at < free => Self::Released,
            _ => Self::Free,
        }
    }

    /// As RPC and CLI say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Grace => "grace",
            Self::Released => "released",
            Self::Free => "free",
        }
    }
}
