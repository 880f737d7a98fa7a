//! The state tree: a compact binary trie whose leaves are the state itself (S8).
//!
//! Persistent: a clone costs one pointer, and a change copies only its path, so every reader holds the tree of its own
//! block and a reorganisation that fails is simply dropped. Hashes of inner nodes are computed once a batch,
//! on the caller's thread: while it connects a block, the other cores check the signatures of the next ones.

use std::cmp::Ordering;
use std::sync::Arc;

use dotp2p_chain::entry::{EntryKey, TrieKey, leaf_hash, node_hash};
use dotp2p_chain::hash::{StateRoot, tag};
use dotp2p_chain::proof::{PathEnd, TreeProof, bit};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

use crate::row::Row;

/// An entry in the tree.
#[derive(Debug)]
pub struct Leaf {
    /// Its place.
    pub trie_key: TrieKey,
    /// Its kind and id.
    pub key: EntryKey,
    /// What it holds.
    pub row: Row,
    hash: [u8; 32],
}

impl Leaf {
    fn new(trie_key: TrieKey, key: EntryKey, row: Row) -> Self {
        let hash = leaf_hash(&trie_key, &tag::VALUE.hash(&[&row.value()]));
        Self { trie_key, key, row, hash }
    }
}

#[derive(Clone, Debug, Default)]
enum Node {
    #[default]
    Empty,
    Leaf(Arc<Leaf>),
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
            Self::Leaf(leaf) => leaf.hash,
            Self::Inner(inner) => inner.hash,
        }
    }
}

/// Leaves from which on a subtree is built on all cores: at start, not while a block connects. Tests have few leaves.
const FOR_ALL_CORES: usize = if cfg!(test) { 4 } else { 65_536 };

/// A new leaf at a key, or none.
pub(crate) type Item = (TrieKey, Option<Arc<Leaf>>);

/// A leaf for each of these rows, in the order of the tree, made on all cores; a key given twice keeps its last row.
pub(crate) fn items(rows: Vec<(EntryKey, Row)>) -> Vec<Item> {
    let item = |(key, row): (EntryKey, Row)| {
        let trie_key = key.trie_key();
        (trie_key, Some(Arc::new(Leaf::new(trie_key, key, row))))
    };
    let mut items: Vec<Item> = rows.into_par_iter().map(item).collect();
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
    /// The tree of what [`items`] gave, made on all cores.
    pub(crate) fn from_items(mut items: Vec<Item>) -> Self {
        Self(build(0, &mut items))
    }

    /// The root's hash.
    #[must_use]
    pub fn root(&self) -> StateRoot {
        StateRoot(self.0.hash())
    }

    /// The row at `key`.
    #[must_use]
    pub fn get(&self, key: &TrieKey) -> Option<&Row> {
        let mut node = &self.0;
        for at in 0..=256 {
            match node {
                Node::Empty => return None,
                Node::Leaf(leaf) => return (leaf.trie_key == *key).then_some(&leaf.row),
                Node::Inner(inner) => node = if bit(key, at) { &inner.right } else { &inner.left },
            }
        }
        None
    }

    /// Writes rows (`None` removes) at keys that are strictly ascending.
    pub fn update<'a>(&mut self, changes: impl Iterator<Item = (TrieKey, &'a EntryKey, Option<&'a Row>)>) {
        let mut items: Vec<Item> = changes
            .map(|(trie_key, key, row)| {
                (trie_key, row.map(|row| Arc::new(Leaf::new(trie_key, key.clone(), row.clone()))))
            })
            .collect();
        debug_assert!(items.is_sorted_by(|a, b| a.0 < b.0), "changes are not strictly ascending");
        self.0 = update(std::mem::take(&mut self.0), 0, &mut items);
    }

    /// The path to `key` and what ends it. Rule V1.
    #[must_use]
    pub fn prove(&self, key: &TrieKey) -> TreeProof {
        let mut siblings = Vec::new();
        let mut node = &self.0;
        loop {
            match node {
                Node::Empty => return TreeProof { siblings, end: PathEnd::Nothing },
                Node::Leaf(leaf) if leaf.trie_key == *key => {
                    return TreeProof { siblings, end: PathEnd::Entry(leaf.row.value()) };
                }
                Node::Leaf(leaf) => {
                    let value_hash = tag::VALUE.hash(&[&leaf.row.value()]);
                    return TreeProof { siblings, end: PathEnd::Other { key: leaf.trie_key, value_hash } };
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

    /// Every leaf, in the order of the tree.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        let mut stack = vec![&self.0];
        std::iter::from_fn(move || {
            loop {
                match stack.pop()? {
                    Node::Empty => {}
                    Node::Leaf(leaf) => return Some(leaf.as_ref()),
                    Node::Inner(inner) => stack.extend([&inner.right, &inner.left]),
                }
            }
        })
    }
}

/// The node that `node` at `depth` becomes when `items`, strictly ascending, are written below it.
fn update(node: Node, depth: usize, items: &mut [Item]) -> Node {
    if items.is_empty() {
        return node;
    }
    match node {
        Node::Empty => build(depth, items),
        Node::Leaf(leaf) => {
            if items.binary_search_by(|item| item.0.cmp(&leaf.trie_key)).is_ok() {
                return build(depth, items);
            }
            let mut items = items.to_vec();
            let at = items.partition_point(|item| item.0.cmp(&leaf.trie_key) == Ordering::Less);
            items.insert(at, (leaf.trie_key, Some(leaf)));
            build(depth, &mut items)
        }
        Node::Inner(mut inner) => {
            let (left, right) = {
                let inner = Arc::make_mut(&mut inner);
                (std::mem::take(&mut inner.left), std::mem::take(&mut inner.right))
            };
            let (low, high) = split(depth, items);
            let (left, right) = (update(left, depth + 1, low), update(right, depth + 1, high));
            join(Some(inner), left, right)
        }
    }
}

/// The subtree at `depth` that holds just `items`.
fn build(depth: usize, items: &mut [Item]) -> Node {
    let mut some = items.iter().filter_map(|item| item.1.as_ref());
    match (some.next(), some.next()) {
        (None, _) => Node::Empty,
        (Some(leaf), None) => Node::Leaf(leaf.clone()),
        _ => {
            let is_large = items.len() > FOR_ALL_CORES;
            let (low, high) = split(depth, items);
            let (left, right) = if is_large {
                rayon::join(|| build(depth + 1, low), || build(depth + 1, high))
            } else {
                (build(depth + 1, low), build(depth + 1, high))
            };
            join(None, left, right)
        }
    }
}

fn split(depth: usize, items: &mut [Item]) -> (&mut [Item], &mut [Item]) {
    let at = items.partition_point(|item| !bit(&item.0, depth));
    items.split_at_mut(at)
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
