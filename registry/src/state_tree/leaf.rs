//! A leaf: an entry in one piece of memory, because a node holds as many as there are names and accounts.
//!
//! id ‖ value ‖ what the node keeps beside the value; its kind, hash and lengths stand before. It is read where it lies, or
//! unpacked. Its place in the tree is hashed again where it is asked for, which is seldom: two leaves meet when one comes.

use std::cell::RefCell;

use dotp2p_chain::codec::{DecodeError, decode_all};
use dotp2p_chain::entry::{EntryKey, NameEntry, TrieKey, leaf_hash};
use dotp2p_chain::hash::tag;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use parity_scale_codec::{Compact, Decode, Encode};
use triomphe::ThinArc;

use super::Item;
use crate::row::Row;

/// An entry in the tree. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf(ThinArc<Head, u8>);

#[derive(Debug, PartialEq, Eq)]
struct Head {
    hash: [u8; 32],
    kind: u8,
    id_len: u8,
    value_len: u8,
}

/// Bytes of a key.
const KEY: usize = 32;
/// Bytes of a name's row between its value and its records: when it was written, and by which transaction.
const BEFORE_RECORDS: usize = 4 + 4;

/// Does `work` with an empty vector that has room already: one is made a thread, not a leaf.
fn packed<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    thread_local! {
        static BYTES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    BYTES.with_borrow_mut(|bytes| {
        bytes.clear();
        work(bytes)
    })
}

/// A name's row, read where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRef<'a> {
    /// What consensus knows.
    pub entry: NameEntry,
    /// Its records' bytes.
    pub records: &'a [u8],
}

impl Leaf {
    /// The leaf of an entry.
    #[must_use]
    pub fn of(key: &EntryKey, row: &Row) -> Self {
        Self::new(&key.trie_key(), key, row)
    }

    /// The leaf of an entry, whose place is `trie_key`.
    pub(crate) fn new(trie_key: &TrieKey, key: &EntryKey, row: &Row) -> Self {
        packed(|bytes| {
            key.id_to(bytes);
            let id_len = bytes.len();
            row.value_to(bytes);
            let value_len = bytes.len() - id_len;
            row.beside_to(bytes);
            Self::of_bytes(trie_key, key.kind(), bytes, id_len, value_len)
        })
    }

    /// The leaf of a name, from the parts of its row ([`crate::row::NameRow`]).
    pub(crate) fn of_name(
        trie_key: &TrieKey,
        key: &EntryKey,
        entry: &NameEntry,
        changed: Height,
        transaction: u32,
        records: &[u8],
    ) -> Self {
        packed(|bytes| {
            key.id_to(bytes);
            let id_len = bytes.len();
            entry.encode_to(bytes);
            let value_len = bytes.len() - id_len;
            (changed, transaction, records).encode_to(bytes);
            Self::of_bytes(trie_key, EntryKey::NAME, bytes, id_len, value_len)
        })
    }

    /// The leaf of these bytes: an id, a value, and what is beside it. Ids and values are shorter than 256 bytes.
    fn of_bytes(trie_key: &TrieKey, kind: u8, bytes: &[u8], id_len: usize, value_len: usize) -> Self {
        let value = bytes.get(id_len..id_len + value_len).unwrap_or_default();
        let hash = leaf_hash(trie_key, &tag::VALUE.hash(&[value]));
        let len = |len: usize| u8::try_from(len).unwrap_or(u8::MAX);
        let head = Head { hash, kind, id_len: len(id_len), value_len: len(value_len) };
        Self(ThinArc::from_header_and_slice(head, bytes))
    }

    /// The place and the leaf of an entry whose row is stored as `row` ([`Row::encode`]); errors as of [`Row::decode`].
    ///
    /// Nothing is unpacked: a million names would leave the heap full of holes.
    pub(crate) fn stored(key: &EntryKey, row: &[u8]) -> Result<Item, DecodeError> {
        let value_len = if let EntryKey::Name(_) = key {
            decode_all(row, |input| {
                NameEntry::decode(input)?;
                let value_len = row.len() - input.len();
                let (_, _, len) = <(Height, u32, Compact<u32>)>::decode(input)?;
                let records = usize::try_from(len.0).ok().and_then(|len| input.split_at_checked(len));
                *input = records.ok_or_else(|| DecodeError::Scale("records that end too soon".to_owned()))?.1;
                Ok(value_len)
            })?
        } else {
            Row::decode_kind(key.kind(), row)?;
            row.len()
        };
        let trie_key = key.trie_key();
        let leaf = packed(|bytes| {
            key.id_to(bytes);
            let id_len = bytes.len();
            bytes.extend_from_slice(row);
            Self::of_bytes(&trie_key, key.kind(), bytes, id_len, value_len)
        });
        Ok((trie_key, leaf))
    }

    fn head(&self) -> &Head {
        &self.0.header.header
    }

    /// Its hash in the tree (S8).
    pub(super) fn hash(&self) -> [u8; 32] {
        self.head().hash
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        self.0.slice.split_at_checked(usize::from(self.head().id_len)).unwrap_or_default()
    }

    /// Whether it is the leaf of that entry.
    pub(super) fn is_of(&self, key: &EntryKey) -> bool {
        self.head().kind == key.kind() && key.has_id(self.parts().0)
    }

    /// Whether it is the leaf of the name `label`.
    pub(crate) fn is_of_name(&self, label: &[u8]) -> bool {
        self.head().kind == EntryKey::NAME && self.parts().0 == label
    }

    /// Its place in the tree.
    #[must_use]
    pub fn trie_key(&self) -> TrieKey {
        tag::KEY.hash(&[&[self.head().kind], self.parts().0])
    }

    /// The value's bytes (S2 to S6).
    #[must_use]
    pub fn value(&self) -> &[u8] {
        self.parts().1.get(..usize::from(self.head().value_len)).unwrap_or_default()
    }

    /// Appends kind and id, as [`EntryKey::bytes_to`] does.
    pub fn key_to(&self, out: &mut Vec<u8>) {
        out.push(self.head().kind);
        out.extend_from_slice(self.parts().0);
    }

    /// The bytes in which its row is stored ([`Row::encode`]).
    #[must_use]
    pub fn row_bytes(&self) -> &[u8] {
        self.parts().1
    }

    /// [`Leaf::row_bytes`] before the records, and those with their length; `None` for what is no name's.
    pub(crate) fn beside_records(&self) -> Option<(&[u8], &[u8])> {
        let is_name = self.head().kind == EntryKey::NAME;
        let value_len = usize::from(self.head().value_len);
        is_name.then(|| self.row_bytes().split_at_checked(value_len + BEFORE_RECORDS)).flatten()
    }

    /// A name's owner, and the height at which it expires.
    pub(crate) fn tenure(&self) -> Option<(PublicKey, Height)> {
        type Begin = (PublicKey, Option<PublicKey>, Option<PublicKey>, Height, Height);
        let mut value = (self.head().kind == EntryKey::NAME).then(|| self.value())?;
        let (owner, _, _, _, expires) = Begin::decode(&mut value).ok()?;
        Some((owner, expires))
    }

    /// Its kind and id. There always is one; kept total rather than panicking.
    #[must_use]
    pub fn key(&self) -> Option<EntryKey> {
        EntryKey::from_parts(self.head().kind, self.parts().0)
    }

    /// What it holds. There always is that; kept total rather than panicking.
    #[must_use]
    pub fn row(&self) -> Option<Row> {
        Row::decode_kind(self.head().kind, self.parts().1).ok()
    }

    /// The height at which a name expires, and its records' bytes: what DNS asks for each question, so nothing else is read.
    pub(crate) fn served(&self) -> Option<(Height, &[u8])> {
        let (row, mut records) = self.beside_records()?;
        // Owner, manager, recovery key; the height since when, and this one.
        let mut rest = row.get(KEY..)?;
        for _ in 0..2 {
            let (is_there, behind) = rest.split_first()?;
            rest = if *is_there == 0 { behind } else { behind.get(KEY..)? };
        }
        let expires = u32::from_le_bytes(*rest.get(4..)?.first_chunk()?);
        let len = Compact::<u32>::decode(&mut records).ok()?.0;
        Some((Height(expires), records.get(..usize::try_from(len).ok()?)?))
    }

    /// What it holds of a name, if it is one's.
    #[must_use]
    pub fn name(&self) -> Option<NameRef<'_>> {
        if self.head().kind != EntryKey::NAME {
            return None;
        }
        let mut input = self.parts().1;
        let entry = NameEntry::decode(&mut input).ok()?;
        let (_, _, len) = <(Height, u32, Compact<u32>)>::decode(&mut input).ok()?;
        Some(NameRef { entry, records: input.get(..usize::try_from(len.0).ok()?)? })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Arc;

    use dotp2p_chain::amount::Amount;
    use dotp2p_chain::entry::{Account, CommitmentEntry, NameOffer, RewardEntry};
    use dotp2p_chain::hash::{CommitmentHash, RecordsHash};

    use super::*;
    use crate::row::NameRow;

    fn rows() -> Vec<(EntryKey, Row)> {
        let key = PublicKey([7; 32]);
        let offer = NameOffer { price: Amount::from_atoms(5), buyer: Some(key) };
        let name = |rare: Option<PublicKey>, records: Vec<u8>| {
            let (since, expires, offer) = (Height(3), Height(70_000), rare.map(|_| offer));
            let records_hash = RecordsHash([1; 32]);
            let entry =
                NameEntry { owner: key, manager: rare, recovery: rare, since, expires, records: records_hash, offer };
            Row::Name(Arc::new(NameRow { entry, changed: Height(9), transaction: 2, records }))
        };
        let named = |text: &str| EntryKey::Name(text.parse().unwrap_or_else(|_| dotp2p_chain::name::Name::first()));
        vec![
            (EntryKey::Account(key), Row::Account(Account { balance: Amount::from_atoms(1), nonce: 8 })),
            (named("a"), name(None, Vec::new())),
            (named(&"b".repeat(63)), name(Some(key), vec![4; 300])),
            (
                EntryKey::Commitment(CommitmentHash([2; 32])),
                Row::Commitment(CommitmentEntry { height: Height(1), level: 2 }),
            ),
            (EntryKey::Reward(Height(6)), Row::Reward(RewardEntry { to: key, amount: Amount::from_atoms(3) })),
            (EntryKey::Level, Row::Level(u64::MAX)),
        ]
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        for (key, row) in rows() {
            let (place, stored) = Leaf::stored(&key, &row.encode()).unwrap();
            let made = Leaf::new(&key.trie_key(), &key, &row);
            for leaf in [stored, made] {
                assert_eq!((leaf.key(), leaf.row(), leaf.trie_key()), (Some(key.clone()), Some(row.clone()), place));
                assert_eq!((leaf.value(), leaf.row_bytes()), (&row.value()[..], &row.encode()[..]));
                assert_eq!(leaf.hash(), leaf_hash(&place, &tag::VALUE.hash(&[&row.value()])));
                let mut bytes = Vec::new();
                leaf.key_to(&mut bytes);
                assert_eq!(bytes, key.bytes());
                let name = row.as_name().map(|row| NameRef { entry: row.entry.clone(), records: &row.records });
                assert_eq!(leaf.name(), name);
                let (expires, owner) = name.as_ref().map(|it| (it.entry.expires, it.entry.owner)).unzip();
                assert_eq!(leaf.tenure().unzip(), (owner, expires));
                assert_eq!(leaf.served().unzip(), (expires, name.map(|it| it.records)));
                let others = rows().into_iter().filter(|(other, _)| *other != key);
                assert!(leaf.is_of(&key) && others.into_iter().all(|(other, _)| !leaf.is_of(&other)));
            }
        }
    }

    #[test]
    fn what_is_stored_is_read_as_strictly_as_a_row() {
        for (key, row) in rows() {
            let whole = row.encode();
            let mut cases = vec![[&whole[..], &[0]].concat()];
            cases.extend((0..whole.len()).map(|end| whole[..end].to_vec()));
            cases.extend((0..8 * whole.len()).map(|bit| {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                flipped
            }));
            for bytes in cases {
                let stored = Leaf::stored(&key, &bytes).ok().and_then(|(_, leaf)| leaf.row());
                assert_eq!(stored, Row::decode(&key, &bytes).ok(), "{key:?} {bytes:02x?}");
            }
        }
    }
}
