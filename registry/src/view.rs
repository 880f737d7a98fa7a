//! Views: reads fall through to the state below, writes stay above until somebody takes them.

use std::collections::HashMap;

use dotp2p_chain::entry::{Account, EntryKey, TrieKey};
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;

use crate::row::Row;
use crate::state::State;

/// What a block, or a transaction on trial, changes above a state.
///
/// Everything written since a [`Mark`] can be taken back, so a refused transaction leaves nothing behind.
pub struct View<'a> {
    base: &'a State,
    slots: HashMap<EntryKey, Slot>,
    journal: Vec<(EntryKey, Option<Row>)>,
}

struct Slot {
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
        Self { base, slots: HashMap::new(), journal: Vec::new() }
    }

    /// The state below.
    #[must_use]
    pub fn base(&self) -> &'a State {
        self.base
    }

    fn slot(&mut self, key: &EntryKey) -> &mut Slot {
        self.slots.entry(key.clone()).or_insert_with_key(|key| {
            let trie_key = key.trie_key();
            let before = self.base.get_at(&trie_key).cloned();
            Slot { trie_key, now: before.clone(), before }
        })
    }

    /// The row at `key`, as written last.
    pub fn get(&mut self, key: &EntryKey) -> Option<Row> {
        self.slot(key).now.clone()
    }

    /// The account of `key`.
    pub fn account(&mut self, key: &PublicKey) -> Option<Account> {
        match self.slot(&EntryKey::Account(*key)).now {
            Some(Row::Account(account)) => Some(account),
            _ => None,
        }
    }

    /// The row of `name`, whatever its stage.
    pub fn name(&mut self, name: &Name) -> Option<std::sync::Arc<crate::row::NameRow>> {
        match &self.slot(&EntryKey::Name(name.clone())).now {
            Some(Row::Name(row)) => Some(row.clone()),
            _ => None,
        }
    }

    /// Writes `row` at `key`; `None` removes it.
    pub fn put(&mut self, key: EntryKey, row: Option<Row>) {
        let before = std::mem::replace(&mut self.slot(&key).now, row);
        self.journal.push((key, before));
    }

    /// Here, to be gone back to.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.journal.len())
    }

    /// Takes back everything written since `mark`.
    pub fn rollback(&mut self, mark: Mark) {
        while self.journal.len() > mark.0 {
            if let Some((key, row)) = self.journal.pop() {
                self.slot(&key).now = row;
            }
        }
    }

    /// What changed, in the order of the state tree; entries that are as they were are left out.
    #[must_use]
    pub fn into_changes(self) -> Vec<Change> {
        let mut changes: Vec<Change> = self
            .slots
            .into_iter()
            .filter(|(_, slot)| slot.before != slot.now)
            .map(|(key, slot)| Change { key, trie_key: slot.trie_key, before: slot.before, after: slot.now })
            .collect();
        changes.sort_unstable_by_key(|change| change.trie_key);
        changes
    }
}
