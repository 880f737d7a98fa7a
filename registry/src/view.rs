//! Views: reads fall through to the state below, writes stay above until somebody takes them.

use std::collections::HashMap;
use std::sync::Arc;

use dotp2p_chain::entry::{Account, EntryKey, NameEntry, TrieKey};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;

use crate::row::{NameRow, Row};
use crate::state::State;
use crate::state_tree::Leaf;

/// What a block, or a transaction on trial, changes above a state.
///
/// Everything written since a [`Mark`] can be taken back, so a refused transaction leaves nothing behind.
pub struct View<'a> {
    base: &'a State,
    places: HashMap<EntryKey, Place, foldhash::fast::RandomState>,
    slots: Vec<Slot<'a>>,
    journal: Vec<(Place, Now)>,
}

/// Where an entry stands in a view: looked up once, then read and written without its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(usize);

struct Slot<'a> {
    key: EntryKey,
    trie_key: TrieKey,
    before: Option<&'a Leaf>,
    now: Now,
}

/// What was written last. A name is packed at once, for it is seldom written twice in a block; a payer's account is written
/// with every op, and packed at the end.
enum Now {
    AsBefore,
    Nothing,
    Name(Leaf),
    Row(Row),
}

impl Slot<'_> {
    fn row(&self) -> Option<Row> {
        match &self.now {
            Now::AsBefore => self.before?.row(),
            Now::Nothing => None,
            Now::Name(leaf) => leaf.row(),
            Now::Row(row) => Some(row.clone()),
        }
    }

    /// The leaf of a name.
    fn name(&self) -> Option<&Leaf> {
        match &self.now {
            Now::AsBefore => self.before,
            Now::Name(leaf) => Some(leaf),
            Now::Nothing | Now::Row(_) => None,
        }
    }
}

/// A point to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// One entry that changed: the undo of a block is the `before` of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which entry.
    pub key: EntryKey,
    /// Its place in the state tree.
    pub trie_key: TrieKey,
    /// As it was.
    pub before: Option<Leaf>,
    /// As it is.
    pub after: Option<Leaf>,
}

impl<'a> View<'a> {
    /// A view of `base` with nothing written.
    #[must_use]
    pub fn new(base: &'a State) -> Self {
        Self { base, places: HashMap::default(), slots: Vec::new(), journal: Vec::new() }
    }

    /// Makes room for so many entries more.
    pub fn reserve(&mut self, entries: usize) {
        self.places.reserve(entries);
        self.slots.reserve(entries);
        self.journal.reserve(entries);
    }

    /// The state below.
    #[must_use]
    pub fn base(&self) -> &'a State {
        self.base
    }

    /// The place of `key` among the slots, which never moves.
    pub(crate) fn place(&mut self, key: &EntryKey) -> Place {
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        let place = Place(self.slots.len());
        let trie_key = key.trie_key();
        let before = self.base.tree().get(&trie_key, key);
        self.slots.push(Slot { key: key.clone(), trie_key, before, now: Now::AsBefore });
        self.places.insert(key.clone(), place);
        place
    }

    fn slot(&self, place: Place) -> Option<&Slot<'a>> {
        self.slots.get(place.0)
    }

    /// The row at `key`, as written last.
    pub fn get(&mut self, key: &EntryKey) -> Option<Row> {
        let place = self.place(key);
        self.slot(place)?.row()
    }

    /// The account of `key`.
    pub fn account(&mut self, key: &PublicKey) -> Option<Account> {
        let place = self.place(&EntryKey::Account(*key));
        self.account_at(place)
    }

    pub(crate) fn account_at(&self, place: Place) -> Option<Account> {
        match self.slot(place)?.row() {
            Some(Row::Account(account)) => Some(account),
            _ => None,
        }
    }

    /// The row of `name`, whatever its stage.
    pub fn name(&mut self, name: &Name) -> Option<Arc<NameRow>> {
        self.get(&EntryKey::Name(name.clone())).as_ref().and_then(Row::as_name).cloned()
    }

    /// What consensus knows of the name there, whatever its stage.
    pub(crate) fn entry_at(&self, place: Place) -> Option<NameEntry> {
        self.slot(place)?.name()?.name().map(|name| name.entry)
    }

    /// Writes `row` at `key`; `None` removes it.
    pub fn put(&mut self, key: &EntryKey, row: Option<Row>) {
        let place = self.place(key);
        self.put_at(place, row);
    }

    pub(crate) fn put_at(&mut self, place: Place, row: Option<Row>) {
        let now = match (row, self.slot(place)) {
            (None, _) => Now::Nothing,
            (Some(row @ Row::Name(_)), Some(slot)) => Now::Name(Leaf::new(&slot.trie_key, &slot.key, &row)),
            (Some(row), _) => Now::Row(row),
        };
        self.set(place, now);
    }

    /// Writes a name, by the transaction in that place of the block at `changed`; without `records` those it has stay.
    pub(crate) fn put_name(
        &mut self,
        place: Place,
        entry: &NameEntry,
        changed: Height,
        transaction: u32,
        records: Option<&[u8]>,
    ) {
        let Some(slot) = self.slot(place) else { return };
        let kept = || slot.name().and_then(Leaf::name).map_or(&[][..], |name| name.records);
        let records = records.unwrap_or_else(kept);
        let leaf = Leaf::of_name(&slot.trie_key, &slot.key, entry, changed, transaction, records);
        self.set(place, Now::Name(leaf));
    }

    fn set(&mut self, place: Place, now: Now) {
        if let Some(slot) = self.slots.get_mut(place.0) {
            self.journal.push((place, std::mem::replace(&mut slot.now, now)));
        }
    }

    /// Here, to be gone back to.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.journal.len())
    }

    /// Takes back everything written since `mark`.
    pub fn rollback(&mut self, mark: Mark) {
        for (place, now) in self.journal.drain(mark.0.min(self.journal.len())..).rev() {
            if let Some(slot) = self.slots.get_mut(place.0) {
                slot.now = now;
            }
        }
    }

    /// What changed, in the order of the state tree; entries that are as they were are left out.
    #[must_use]
    pub fn into_changes(self) -> Vec<Change> {
        let change = |slot: Slot<'_>| {
            let Slot { key, trie_key, before, now } = slot;
            let after = match now {
                Now::AsBefore => return None,
                Now::Nothing => None,
                Now::Name(leaf) => Some(leaf),
                Now::Row(row) => Some(Leaf::new(&trie_key, &key, &row)),
            };
            (before != after.as_ref()).then(|| Change { key, trie_key, before: before.cloned(), after })
        };
        let mut changes: Vec<Change> = self.slots.into_iter().filter_map(change).collect();
        changes.sort_unstable_by_key(|change| change.trie_key);
        changes
    }
}
