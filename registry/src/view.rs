//! Views: reads fall through to the state below, writes stay above until somebody takes them.

use std::collections::HashMap;
use std::sync::Arc;

use dotp2p_chain::entry::{Account, EntryKey, TrieKey};
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;

use crate::row::{NameRow, Row};
use crate::state::State;

/// What a block, or a transaction on trial, changes above a state.
///
/// Everything written since a [`Mark`] can be taken back, so a refused transaction leaves nothing behind.
pub struct View<'a> {
    base: &'a State,
    places: HashMap<EntryKey, usize>,
    slots: Vec<Slot>,
    journal: Vec<(usize, Option<Row>)>,
}

struct Slot {
    key: EntryKey,
    trie_key: TrieKey,
    before: Option<Row>,
    now: Option<Row>,
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
    pub before: Option<Row>,
    /// As it is.
    pub after: Option<Row>,
}

impl<'a> View<'a> {
    /// A view of `base` with nothing written.
    #[must_use]
    pub fn new(base: &'a State) -> Self {
        Self { base, places: HashMap::new(), slots: Vec::new(), journal: Vec::new() }
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
    fn place(&mut self, key: &EntryKey) -> usize {
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        let place = self.slots.len();
        let trie_key = key.trie_key();
        let before = self.base.get_at(&trie_key, key);
        self.slots.push(Slot { key: key.clone(), trie_key, now: before.clone(), before });
        self.places.insert(key.clone(), place);
        place
    }

    fn now(&mut self, key: &EntryKey) -> Option<&Row> {
        let place = self.place(key);
        self.slots.get(place)?.now.as_ref()
    }

    /// The row at `key`, as written last.
    pub fn get(&mut self, key: &EntryKey) -> Option<Row> {
        self.now(key).cloned()
    }

    /// The account of `key`.
    pub fn account(&mut self, key: &PublicKey) -> Option<Account> {
        match self.now(&EntryKey::Account(*key)) {
            Some(Row::Account(account)) => Some(*account),
            _ => None,
        }
    }

    /// The row of `name`, whatever its stage.
    pub fn name(&mut self, name: &Name) -> Option<Arc<NameRow>> {
        self.now(&EntryKey::Name(name.clone())).and_then(Row::as_name).cloned()
    }

    /// Writes `row` at `key`; `None` removes it.
    pub fn put(&mut self, key: &EntryKey, row: Option<Row>) {
        let place = self.place(key);
        if let Some(slot) = self.slots.get_mut(place) {
            self.journal.push((place, std::mem::replace(&mut slot.now, row)));
        }
    }

    /// Here, to be gone back to.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.journal.len())
    }

    /// Takes back everything written since `mark`.
    pub fn rollback(&mut self, mark: Mark) {
        for (place, row) in self.journal.drain(mark.0.min(self.journal.len())..).rev() {
            if let Some(slot) = self.slots.get_mut(place) {
                slot.now = row;
            }
        }
    }

    /// What changed, in the order of the state tree; entries that are as they were are left out.
    #[must_use]
    pub fn into_changes(self) -> Vec<Change> {
        let changed = self.slots.into_iter().filter(|slot| slot.before != slot.now);
        let change =
            |slot: Slot| Change { key: slot.key, trie_key: slot.trie_key, before: slot.before, after: slot.now };
        let mut changes: Vec<Change> = changed.map(change).collect();
        // A change is several times as large as its key.
        changes.sort_by_cached_key(|change| change.trie_key);
        changes
    }
}
