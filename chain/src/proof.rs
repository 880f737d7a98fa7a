//! Proofs of a name at a block: verified without I/O, for a header that the verifier already trusts (V1 to V6).

use parity_scale_codec::{Compact, Decode, Encode};

use crate::block::BlockHead;
use crate::check;
use crate::codec::{DecodeError, decode_all, decode_bytes, take};
use crate::entry::{Entry, EntryKey, NameEntry, Stage, TrieKey, leaf_hash, node_hash};
use crate::hash::{BlockHash, StateRoot, tag};
use crate::height::Height;
use crate::name::Name;
use crate::params::Rules;
use crate::records::records_hash;

/// The most bytes of an entry's value (V2e).
pub const VALUE_MAX: usize = 180;
/// The most bytes of a tree proof: 2 + 32 + 256 × 32 + 1 + 2 + 180 (V2f).
pub const TREE_PROOF_MAX: usize = 8_409;

/// What stands at the end of a path through the state tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathEnd {
    /// Tag 0: an empty subtree.
    Nothing,
    /// Tag 1: the entry, with its value's bytes.
    Entry(Vec<u8>),
    /// Tag 2: another entry alone, which shares the path.
    Other {
        /// Its key.
        key: TrieKey,
        /// The hash of its value.
        value_hash: [u8; 32],
    },
}

/// The path of a key through the state tree (V1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeProof {
    /// The sibling at each level, from right below the root; `None` for an empty one. At most 256.
    pub siblings: Vec<Option<[u8; 32]>>,
    /// Where the path ends.
    pub end: PathEnd,
}

/// Why a proof fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not the bytes of a proof.
    #[error("proof does not decode: {0} (V2, V5a)")]
    Decode(#[from] DecodeError),
    /// Deeper than a key has bits.
    #[error("tree proof of depth {0}, at most 256 (V2a)")]
    Depth(u16),
    /// A bit of the bitmap that stands for no level.
    #[error("a spare bit of the bitmap is set (V2b)")]
    SpareBit,
    /// An empty sibling written out.
    #[error("a present sibling is zero (V2c)")]
    ZeroSibling,
    /// Neither 0, 1 nor 2.
    #[error("tag {0} ends no path (V2d)")]
    Tag(u8),
    /// The other entry is this one, or not on the path.
    #[error("the other entry does not stand on this path (V3a, V3b)")]
    OtherKey,
    /// The path leads elsewhere.
    #[error("the path does not lead to the state root (V3c)")]
    Root,
    /// Another block.
    #[error("the proof is for block {found}, not for the trusted {trusted} (V5b)")]
    Block {
        /// The proof's.
        found: BlockHash,
        /// The one trusted.
        trusted: BlockHash,
    },
    /// Header and roots do not hold together.
    #[error("{0} (V5c, V5d)")]
    Header(#[from] check::BlockError),
    /// Records beside a proof of absence.
    #[error("records beside a proof of absence (V5f)")]
    RecordsOfNothing,
    /// The entry's hash is another.
    #[error("the records are not those of the entry (V5h)")]
    Records,
    /// No state holds such an entry.
    #[error("the entry would be free at height {0} (V5i)")]
    Freed(Height),
}

/// Bit `at` of a key, the most significant first.
#[must_use]
pub fn bit(key: &TrieKey, at: usize) -> bool {
    key.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
}

impl TreeProof {
    /// depth ‖ bitmap ‖ siblings ‖ tag ‖ end (V1).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let depth = u16::try_from(self.siblings.len()).unwrap_or(u16::MAX);
        let mut out = depth.encode();
        for eight in self.siblings.chunks(8) {
            let bits = eight.iter().enumerate().filter(|(_, sibling)| sibling.is_some());
            out.push(bits.fold(0, |byte, (at, _)| byte | 0x80 >> at));
        }
        for sibling in self.siblings.iter().flatten() {
            out.extend_from_slice(sibling);
        }
        match &self.end {
            PathEnd::Nothing => out.push(0),
            PathEnd::Entry(value) => {
                out.push(1);
                value.encode_to(&mut out);
            }
            PathEnd::Other { key, value_hash } => {
                out.push(2);
                out.extend_from_slice(key);
                out.extend_from_slice(value_hash);
            }
        }
        out
    }

    /// Reads a tree proof off the front of `input`. Rule V2.
    pub fn decode(input: &mut &[u8]) -> Result<Self, ProofError> {
        let depth = u16::decode(input).map_err(DecodeError::from)?;
        if depth > 256 {
            return Err(ProofError::Depth(depth));
        }
        let bitmap = take(input, usize::from(depth).div_ceil(8))?;
        let is_set = |at: usize| bitmap.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
        if (usize::from(depth)..bitmap.len() * 8).any(is_set) {
            return Err(ProofError::SpareBit);
        }
        let mut siblings = Vec::with_capacity(usize::from(depth));
        for at in 0..usize::from(depth) {
            let sibling = if is_set(at) { Some(<[u8; 32]>::decode(input).map_err(DecodeError::from)?) } else { None };
            if sibling == Some([0; 32]) {
                return Err(ProofError::ZeroSibling);
            }
            siblings.push(sibling);
        }
        let end = match u8::decode(input).map_err(DecodeError::from)? {
            0 => PathEnd::Nothing,
            1 => PathEnd::Entry(decode_bytes(input, "value", VALUE_MAX)?.to_vec()),
            2 => {
                let (key, value_hash) = Decode::decode(input).map_err(DecodeError::from)?;
                PathEnd::Other { key, value_hash }
            }
            tag => return Err(ProofError::Tag(tag)),
        };
        Ok(Self { siblings, end })
    }

    /// The value's bytes that the proof shows at `key` under `root`, or `None` if it shows that there is none. Rule V3.
    pub fn verify(&self, key: &TrieKey, root: &StateRoot) -> Result<Option<&[u8]>, ProofError> {
        let mut hash = match &self.end {
            PathEnd::Nothing => [0; 32],
            PathEnd::Entry(value) => leaf_hash(key, &tag::VALUE.hash(&[value])),
            PathEnd::Other { key: other, value_hash } => {
                if other == key || (0..self.siblings.len()).any(|at| bit(other, at) != bit(key, at)) {
                    return Err(ProofError::OtherKey);
                }
                leaf_hash(other, value_hash)
            }
        };
        for (at, sibling) in self.siblings.iter().enumerate().rev() {
            let sibling = sibling.unwrap_or([0; 32]);
            hash = if bit(key, at) { node_hash(&sibling, &hash) } else { node_hash(&hash, &sibling) };
        }
        if hash != root.0 {
            return Err(ProofError::Root);
        }
        Ok(match &self.end {
            PathEnd::Entry(value) => Some(value),
            _ => None,
        })
    }
}

/// A name's entry and records at a block, or that there is none (V4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameProof {
    /// The block's header, roots and work.
    pub head: BlockHead,
    /// The name's path.
    pub tree: TreeProof,
    /// The records' bytes; none where absence is proved.
    pub records: Vec<u8>,
}

/// What a [`NameProof`] shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The block's height.
    pub height: Height,
    /// The entry, its stage at that height and its records; `None` where there is no entry.
    pub name: Option<(NameEntry, Stage, Vec<u8>)>,
}

impl NameProof {
    /// header ‖ roots ‖ pow ‖ tree proof ‖ records (V4).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1_024);
        self.head.encode_to(&mut out);
        self.tree.encode().encode_to(&mut out);
        Compact(u32::try_from(self.records.len()).unwrap_or(u32::MAX)).encode_to(&mut out);
        out.extend_from_slice(&self.records);
        out
    }

    /// Reads a proof; nothing may be left over. Rule V5a.
    pub fn decode(bytes: &[u8], rules: &Rules) -> Result<Self, ProofError> {
        let records_max = usize::try_from(rules.records_max).unwrap_or(usize::MAX);
        let (head, tree, records) = decode_all(bytes, |input| {
            let head = BlockHead::decode(input)?;
            let tree = decode_bytes(input, "tree proof", TREE_PROOF_MAX)?;
            Ok((head, tree, decode_bytes(input, "records", records_max)?.to_vec()))
        })?;
        let mut rest = tree;
        let tree = TreeProof::decode(&mut rest)?;
        if rest.is_empty() {
            Ok(Self { head, tree, records })
        } else {
            Err(DecodeError::TrailingBytes(rest.len()).into())
        }
    }

    /// What the proof shows of `name` at the block `trusted`. Rule V5.
    ///
    /// Pure: no clock, no I/O. That `trusted` is on the best chain is the caller's knowledge.
    pub fn verify(&self, name: &Name, trusted: &BlockHash, rules: &Rules) -> Result<Proved, ProofError> {
        let found = self.head.hash();
        if found != *trusted {
            return Err(ProofError::Block { found, trusted: *trusted });
        }
        // The roots first: only they tell genesis, which nobody worked for.
        check::check_roots(&self.head.header, &self.head.roots)?;
        let height = self.head.roots.height;
        if height != Height::GENESIS {
            check::check_work(&self.head, rules)?;
        }
        let key = EntryKey::Name(name.clone());
        let Some(value) = self.tree.verify(&key.trie_key(), &self.head.roots.state_root)? else {
            let absent = Proved { height, name: None };
            return if self.records.is_empty() { Ok(absent) } else { Err(ProofError::RecordsOfNothing) };
        };
        let entry = decode_all(value, |input| Ok(NameEntry::decode(input)?))?;
        if records_hash(&self.records) != entry.records {
            return Err(ProofError::Records);
        }
        match Stage::of(entry.expires, height, rules) {
            Stage::Free => Err(ProofError::Freed(height)),
            stage => Ok(Proved { height, name: Some((entry, stage, self.records.clone())) }),
        }
    }
}

impl From<&NameEntry> for Entry {
    fn from(entry: &NameEntry) -> Self {
        Self::Name(entry.clone())
    }
}
