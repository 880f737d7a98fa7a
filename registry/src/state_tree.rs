//! The state tree: a compact binary trie whose leaves are the state itself (S8).
//!
//! Persistent: a clone costs one pointer, and a change copies only its path, so every reader holds the tree of its own
//! block and a reorganisation that fails is simply dropped. Hashes of inner nodes are computed once a batch,
//! on the caller's thread: while it connects a block, the other cores check the signatures of the next ones.

mod leaf;

use dotp2p_chain::entry::{EntryKey, TrieKey, node_hash};
use dotp2p_chain::hash::{StateRoot, tag};
use dotp2p_chain::proof::{PathEnd, TreeProof, bit};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;
use triomphe::Arc;

pub use self::leaf::{Leaf, NameRef};
use crate::row::Row;

#[derive(Clone, Debug, Default)]
enum Node {
    #[default]
    Empty,
    Leaf(Leaf),
    Inner(Arc<Inner>),
}

#[derive(Clone, Debug)]
struct Inner {
    hash: [u8; 32],
    left: Node,
    right: Node,
}

impl Node {
    fn hash(&self) -> [u8; 32] {
        match self {
            Self::Empty => [0; 32],
            Self::Leaf(leaf) => leaf.hash(),
            Self::Inner(inner) => inner.hash,
        }
    }
}

/// Leaves from which on a subtree is built on all cores: at start, not while a block connects. Tests have few leaves.
const FOR_ALL_CORES: usize = if cfg!(test) { 4 } else { 65_536 };

/// Keys that are looked up together.
pub const TOGETHER: usize = 64;

/// What stands at a place in the tree, or comes there.
trait Placed: Sync {
    fn trie_key(&self) -> &TrieKey;
    /// The leaf that is to be there, if one is.
    fn leaf(&self) -> Option<Leaf>;
}

/// A leaf and its place, which many compare.
pub(crate) type Item = (TrieKey, Leaf);

impl Placed for Item {
    fn trie_key(&self) -> &TrieKey {
        &self.0
    }

    fn leaf(&self) -> Option<Leaf> {
        Some(self.1.clone())
    }
}

/// A leaf to be written, or none.
struct Edit<'a> {
    trie_key: &'a TrieKey,
    key: &'a EntryKey,
    leaf: Option<&'a Leaf>,
}

impl Placed for Edit<'_> {
    fn trie_key(&self) -> &TrieKey {
        self.trie_key
    }

    fn leaf(&self) -> Option<Leaf> {
        self.leaf.cloned()
    }
}

/// A leaf for each of these rows, made on all cores.
pub(crate) fn items(rows: Vec<(EntryKey, Row)>) -> Vec<Item> {
    let item = |(key, row): (EntryKey, Row)| {
        let trie_key = key.trie_key();
        (trie_key, Leaf::new(&trie_key, &key, &row))
    };
    rows.into_par_iter().map(item).collect()
}

/// These in the order of the tree; of those at one place the last stays.
pub(crate) fn in_order(mut items: Vec<Item>) -> Vec<Item> {
    items.par_sort_by_key(|item| item.0);
    items.dedup_by(|later, kept| {
        later.0 == kept.0 && {
            std::mem::swap(later, kept);
            true
        }
    });
    items
}

/// The state tree.
#[derive(Clone, Debug, Default)]
pub struct StateTree(Node);

impl StateTree {
    /// The tree of what [`in_order`] gave, made on all cores.
    pub(crate) fn from_items(items: &[Item]) -> Self {
        Self(build(0, items))
    }

    /// The root's hash.
    #[must_use]
    pub fn root(&self) -> StateRoot {
        StateRoot(self.0.hash())
    }

    /// The leaf of an entry, whose place is `trie_key`.
    #[must_use]
    pub fn get(&self, trie_key: &TrieKey, key: &EntryKey) -> Option<&Leaf> {
        self.towards(trie_key).filter(|leaf| leaf.is_of(key))
    }

    /// The leaf of the name `label`, whether that is one or not.
    pub(crate) fn of_name(&self, label: &[u8]) -> Option<&Leaf> {
        self.towards(&EntryKey::trie_key_of_name(label)).filter(|leaf| leaf.is_of_name(label))
    }

    /// The leaf at the end of the path to a place; it may be another's.
    fn towards(&self, key: &TrieKey) -> Option<&Leaf> {
        let mut node = &self.0;
        for at in 0..=256 {
            match node {
                Node::Empty => return None,
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(inner) => node = if bit(key, at) { &inner.right } else { &inner.left },
            }
        }
        None
    }

    /// The leaves of several names, each into its place; `found` has as many.
    pub(crate) fn of_names<'t>(&'t self, labels: &[&[u8]], found: &mut [Option<&'t Leaf>]) {
        for (labels, found) in labels.chunks(TOGETHER).zip(found.chunks_mut(TOGETHER)) {
            let key = |at: usize| labels.get(at).map(|label| EntryKey::trie_key_of_name(label)).unwrap_or_default();
            let keys: [TrieKey; TOGETHER] = std::array::from_fn(key);
            self.towards_all(keys.get(..labels.len()).unwrap_or_default(), found);
            for (label, place) in labels.iter().zip(found) {
                *place = place.filter(|leaf| leaf.is_of_name(label));
            }
        }
    }

    /// The leaves at the ends of the paths to several places; `found` has as many.
    ///
    /// All go down together, a level at a time: of one alone the processor would wait for the memory at every level.
    fn towards_all<'t>(&'t self, keys: &[TrieKey], found: &mut [Option<&'t Leaf>]) {
        for (keys, found) in keys.chunks(TOGETHER).zip(found.chunks_mut(TOGETHER)) {
            let mut nodes = [&self.0; TOGETHER];
            for at in 0..=256 {
                let mut is_over = true;
                for (key, node) in keys.iter().zip(&mut nodes) {
                    if let Node::Inner(inner) = node {
                        *node = if bit(key, at) { &inner.right } else { &inner.left };
                        is_over = false;
                    }
                }
                if is_over {
                    break;
                }
            }
            for (node, place) in nodes.into_iter().zip(found) {
                *place = if let Node::Leaf(leaf) = node { Some(leaf) } else { None };
            }
        }
    }

    /// Writes leaves (`None` removes) at places that are strictly ascending.
    pub fn update<'a>(&mut self, changes: impl Iterator<Item = (&'a TrieKey, &'a EntryKey, Option<&'a Leaf>)>) {
        let edits: Vec<Edit<'_>> = changes.map(|(trie_key, key, leaf)| Edit { trie_key, key, leaf }).collect();
        debug_assert!(edits.is_sorted_by(|a, b| a.trie_key < b.trie_key), "changes are not strictly ascending");
        self.0 = update(std::mem::take(&mut self.0), 0, &edits);
    }

    /// The path to `key` and what ends it. Rule V1.
    #[must_use]
    pub fn prove(&self, key: &TrieKey) -> TreeProof {
        let mut siblings = Vec::new();
        let mut node = &self.0;
        loop {
            match node {
                Node::Empty => return TreeProof { siblings, end: PathEnd::Nothing },
                Node::Leaf(leaf) => {
                    let (found, value) = (leaf.trie_key(), leaf.value());
                    let other = || PathEnd::Other { key: found, value_hash: tag::VALUE.hash(&[value]) };
                    let end = if found == *key { PathEnd::Entry(value.to_vec()) } else { other() };
                    return TreeProof { siblings, end };
                }
                Node::Inner(inner) => {
                    let right = bit(key, siblings.len());
                    let (next, sibling) = if right { (&inner.right, &inner.left) } else { (&inner.left, &inner.right) };
                    siblings.push(Some(sibling.hash()).filter(|hash| *hash != [0; 32]));
                    node = next;
                }
            }
        }
    }

    /// Every entry, in the order of the tree.
    pub fn entries(&self) -> impl Iterator<Item = (EntryKey, Row)> {
        self.leaves().filter_map(|leaf| Some((leaf.key()?, leaf.row()?)))
    }

    /// Every leaf, in the order of the tree.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        let mut stack = vec![&self.0];
        std::iter::from_fn(move || {
            loop {
                match stack.pop()? {
                    Node::Empty => {}
                    Node::Leaf(leaf) => return Some(leaf),
                    Node::Inner(inner) => stack.extend([&inner.right, &inner.left]),
                }
            }
        })
    }
}

/// The node that `node` at `depth` becomes when `edits`, strictly ascending, are written below it.
fn update(node: Node, depth: usize, edits: &[Edit<'_>]) -> Node {
    if edits.is_empty() {
        return node;
    }
    match node {
        Node::Empty => build(depth, edits),
        Node::Leaf(leaf) => {
            let is_among = edits.iter().any(|edit| leaf.is_of(edit.key));
            let built = build(depth, edits);
            if is_among { built } else { insert(built, depth, (leaf.trie_key(), leaf)) }
        }
        Node::Inner(mut inner) => {
            let (left, right) = {
                let inner = Arc::make_mut(&mut inner);
                (std::mem::take(&mut inner.left), std::mem::take(&mut inner.right))
            };
            let (low, high) = split(depth, edits);
            let (left, right) = (update(left, depth + 1, low), update(right, depth + 1, high));
            join(Some(inner), left, right)
        }
    }
}

/// The node that `node` at `depth` becomes with one leaf more, whose place is free.
fn insert(node: Node, depth: usize, leaf: Item) -> Node {
    let (reuse, left, right) = match node {
        Node::Empty => return Node::Leaf(leaf.1),
        Node::Leaf(other) if bit(&other.trie_key(), depth) => (None, Node::Empty, Node::Leaf(other)),
        Node::Leaf(other) => (None, Node::Leaf(other), Node::Empty),
        Node::Inner(mut inner) => {
            let unshared = Arc::make_mut(&mut inner);
            let (left, right) = (std::mem::take(&mut unshared.left), std::mem::take(&mut unshared.right));
            (Some(inner), left, right)
        }
    };
    if bit(&leaf.0, depth) {
        join(reuse, left, insert(right, depth + 1, leaf))
    } else {
        join(reuse, insert(left, depth + 1, leaf), right)
    }
}

/// The subtree at `depth` that holds just `items`, strictly ascending.
fn build<T: Placed>(depth: usize, items: &[T]) -> Node {
    match items {
        [] => Node::Empty,
        [item] => item.leaf().map_or(Node::Empty, Node::Leaf),
        _ => {
            let (low, high) = split(depth, items);
            let (left, right) = if items.len() > FOR_ALL_CORES {
                rayon::join(|| build(depth + 1, low), || build(depth + 1, high))
            } else {
                (build(depth + 1, low), build(depth + 1, high))
            };
            join(None, left, right)
        }
    }
}

fn split<T: Placed>(depth: usize, items: &[T]) -> (&[T], &[T]) {
    items.split_at(items.partition_point(|item| !bit(item.trie_key(), depth)))
}

/// The node above two: a leaf alone rises, so that the shape depends on the content alone.
fn join(reuse: Option<Arc<Inner>>, left: Node, right: Node) -> Node {
    match (&left, &right) {
        (Node::Empty, Node::Empty | Node::Leaf(_)) => right,
        (Node::Leaf(_), Node::Empty) => left,
        _ => {
            let hash = node_hash(&left.hash(), &right.hash());
            let inner = Inner { hash, left, right };
            Node::Inner(match reuse {
                Some(mut arc) => {
                    *Arc::make_mut(&mut arc) = inner;
                    arc
                }
                None => Arc::new(inner),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use dotp2p_chain::name::Name;

    use super::*;

    /// More names than go down together, every other of an entry that is not there.
    #[test]
    fn what_is_looked_up_together_is_what_each_alone_gives() {
        let label = |at: u64| format!("name-{at}");
        let key = |at: u64| EntryKey::Name(label(at).parse().unwrap_or_else(|_| Name::first()));
        let rows = (0..300).step_by(2).map(|at| (key(at), Row::Level(at))).collect();
        let tree = StateTree::from_items(&in_order(items(rows)));
        let labels: Vec<String> = (0..300).map(label).collect();
        let labels: Vec<&[u8]> = labels.iter().map(String::as_bytes).collect();
        let value = |leaf: Option<&Leaf>| leaf.map(|leaf| leaf.value().to_vec());
        let mut found = vec![None; labels.len()];
        tree.of_names(&labels, &mut found);
        let found: Vec<_> = found.into_iter().map(value).collect();
        let alone: Vec<_> = labels.iter().map(|label| value(tree.of_name(label))).collect();
        let expected: Vec<_> = (0..300u64).map(|at| (at % 2 == 0).then(|| at.to_le_bytes().to_vec())).collect();
        assert_eq!((&found, &alone), (&expected, &expected));
        let empty = StateTree::default();
        let mut found = vec![tree.of_name(b"name-0"); labels.len()];
        empty.of_names(&labels, &mut found);
        assert!(found.iter().all(Option::is_none));
    }
}
