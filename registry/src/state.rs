//! The state after a block: the tree, and what is looked up by something else than its key.
//!
//! Persistent like its tree: a clone is a snapshot. Indexes follow from the rows and are rebuilt with them.

use std::sync::Arc;

use dotp2p_chain::entry::{Account, CommitmentEntry, EntryKey, LEVEL_START, Stage, TrieKey};
use dotp2p_chain::hash::{CommitmentHash, StateRoot};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::params::Rules;
use imbl::OrdSet;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

use crate::row::{NameRow, Row};
use crate::state_tree::{self, Item, Leaf, StateTree};
use crate::view::Change;

/// The state after a block.
#[derive(Clone, Debug, Default)]
pub struct State {
    tree: StateTree,
    /// By the first bytes of the owner's key: whoever reads looks whether it is his.
    by_owner: OrdSet<(u64, Name)>,
    by_expiry: OrdSet<(Height, Name)>,
    commitments: OrdSet<(Height, CommitmentHash)>,
}

impl State {
    /// The state after genesis: the level alone (B5).
    #[must_use]
    pub fn genesis() -> Self {
        Self::from_rows(vec![(EntryKey::Level, Row::Level(LEVEL_START))])
    }

    /// The state of these rows, in any order; a key given twice keeps its last row.
    #[must_use]
    pub fn from_rows(rows: Vec<(EntryKey, Row)>) -> Self {
        Self::from_items(state_tree::items(rows))
    }

    /// The state of these leaves, as [`State::from_rows`].
    pub(crate) fn from_items(items: Vec<Item>) -> Self {
        let items = state_tree::in_order(items);
        let commitments = items.par_iter().filter_map(|(_, leaf)| match (leaf.key()?, leaf.row()?) {
            (EntryKey::Commitment(hash), Row::Commitment(entry)) => Some((entry.height, hash)),
            _ => None,
        });
        let commitments = sorted(commitments.collect());
        let names = items.par_iter().filter_map(|(_, leaf)| match (leaf.tenure()?, leaf.key()?) {
            ((owner, expires), EntryKey::Name(name)) => Some(((head(&owner), name.clone()), (expires, name))),
            _ => None,
        });
        let (owners, expiries) = names.unzip();
        let (tree, (by_owner, by_expiry)) =
            rayon::join(|| StateTree::from_items(&items), || rayon::join(|| sorted(owners), || sorted(expiries)));
        Self { tree, by_owner, by_expiry, commitments }
    }

    /// Does `changes`, which are strictly ascending by trie key and begin at this state.
    pub fn apply(&mut self, changes: &[Change]) {
        self.tree.update(changes.iter().map(|c| (&c.trie_key, &c.key, c.after.as_ref())));
        for change in changes {
            self.index(&change.key, change.before.as_ref(), change.after.as_ref());
        }
    }

    /// Takes `changes` back: `undo(apply(s)) == s`, roots included (S13).
    pub fn undo(&mut self, changes: &[Change]) {
        self.tree.update(changes.iter().map(|c| (&c.trie_key, &c.key, c.before.as_ref())));
        for change in changes {
            self.index(&change.key, change.after.as_ref(), change.before.as_ref());
        }
    }

    fn index(&mut self, key: &EntryKey, before: Option<&Leaf>, after: Option<&Leaf>) {
        match key {
            EntryKey::Name(name) => {
                let of = |leaf: Option<&Leaf>| leaf?.tenure().map(|(owner, expires)| (head(&owner), expires));
                let ((owner, expiry), (new_owner, new_expiry)) = (of(before).unzip(), of(after).unzip());
                replace(&mut self.by_owner, owner, new_owner, name);
                replace(&mut self.by_expiry, expiry, new_expiry, name);
            }
            EntryKey::Commitment(hash) => {
                let height = |leaf: Option<&Leaf>| match leaf?.row() {
                    Some(Row::Commitment(entry)) => Some(entry.height),
                    _ => None,
                };
                replace(&mut self.commitments, height(before), height(after), hash);
            }
            EntryKey::Account(_) | EntryKey::Reward(_) | EntryKey::Level => {}
        }
    }

    /// The root that a header commits to.
    #[must_use]
    pub fn root(&self) -> StateRoot {
        self.tree.root()
    }

    /// The tree, for proofs.
    #[must_use]
    pub fn tree(&self) -> &StateTree {
        &self.tree
    }

    /// The row of an entry, whose place in the tree is `trie_key`.
    #[must_use]
    pub fn get_at(&self, trie_key: &TrieKey, key: &EntryKey) -> Option<Row> {
        self.tree.get(trie_key, key)?.row()
    }

    /// The row of an entry.
    #[must_use]
    pub fn get(&self, key: &EntryKey) -> Option<Row> {
        self.get_at(&key.trie_key(), key)
    }

    /// The price level, in millionths.
    #[must_use]
    pub fn level(&self) -> u64 {
        match self.get(&EntryKey::Level) {
            Some(Row::Level(level)) => level,
            _ => LEVEL_START,
        }
    }

    /// The account of a key.
    #[must_use]
    pub fn account(&self, key: &PublicKey) -> Option<Account> {
        match self.get(&EntryKey::Account(*key)) {
            Some(Row::Account(account)) => Some(account),
            _ => None,
        }
    }

    /// The row of a name, whatever its stage.
    #[must_use]
    pub fn name(&self, name: &Name) -> Option<Arc<NameRow>> {
        match self.get(&EntryKey::Name(name.clone())) {
            Some(Row::Name(row)) => Some(row),
            _ => None,
        }
    }

    /// The row of a name and its stage at height `at`; `None` for a free one.
    #[must_use]
    pub fn name_at(&self, name: &Name, at: Height, rules: &Rules) -> Option<(Arc<NameRow>, Stage)> {
        let row = self.name(name)?;
        let stage = Stage::of(row.entry.expires, at, rules);
        (stage != Stage::Free).then_some((row, stage))
    }

    /// A live commitment.
    #[must_use]
    pub fn commitment(&self, hash: &CommitmentHash) -> Option<CommitmentEntry> {
        match self.get(&EntryKey::Commitment(*hash)) {
            Some(Row::Commitment(entry)) => Some(entry),
            _ => None,
        }
    }

    /// The names of an owner, in order.
    pub fn names_of(&self, owner: &PublicKey) -> impl Iterator<Item = &Name> {
        let (owner, head) = (*owner, head(owner));
        let names = self.by_owner.range((head, Name::first())..).take_while(move |(of, _)| *of == head);
        let is_his = move |name: &&Name| {
            self.tree.of_name(name.as_bytes()).and_then(Leaf::tenure).is_some_and(|(of, _)| of == owner)
        };
        names.map(|(_, name)| name).filter(is_his)
    }

    /// The names whose entry says they expire at `height`, in order.
    pub fn names_expiring(&self, height: Height) -> impl Iterator<Item = &Name> {
        self.by_expiry.range((height, Name::first())..).take_while(move |(at, _)| *at == height).map(|(_, name)| name)
    }

    /// The commitments made at `height`.
    pub fn commitments_of(&self, height: Height) -> impl Iterator<Item = &CommitmentHash> {
        let from = (height, CommitmentHash::ZERO);
        self.commitments.range(from..).take_while(move |(at, _)| *at == height).map(|(_, hash)| hash)
    }

    /// Whether any commitment is live.
    #[must_use]
    pub fn has_commitments(&self) -> bool {
        !self.commitments.is_empty()
    }

    /// How many names have an entry.
    #[must_use]
    pub fn name_count(&self) -> usize {
        self.by_owner.len()
    }
}

/// The first bytes of a key: that others have the same costs time and nothing else.
fn head(key: &PublicKey) -> u64 {
    key.0.first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

/// An index of all at once. What is put in in order leaves every node half full; every second one first, and then those
/// between, fills them.
fn sorted<T: Ord + Clone + Send>(mut items: Vec<T>) -> OrdSet<T> {
    items.par_sort_unstable();
    let mut index: OrdSet<T> = items.iter().step_by(2).cloned().collect();
    index.extend(items.into_iter().skip(1).step_by(2));
    index
}

/// Moves `id` from one place in an index to another; where they are the same, nothing is touched.
fn replace<P: Ord + Clone, I: Ord + Clone>(index: &mut OrdSet<(P, I)>, before: Option<P>, after: Option<P>, id: &I) {
    if before != after {
        if let Some(before) = before {
            index.remove(&(before, id.clone()));
        }
        if let Some(after) = after {
            index.insert((after, id.clone()));
        }
    }
}
