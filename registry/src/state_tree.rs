//! The state tree: a compact binary trie whose leaves are the state itself (S8).
//!
//! Persistent: a clone costs one pointer, and a change copies only its path, so every reader holds the tree of its own
//! block and a reorganisation that fails is simply dropped. Hashes of inner nodes are computed once a batch,
//! on the caller's thread: while it connects a block, the other cores check the signatures of the next ones.

mod bucket;
mod leaf;

use dotp2p_chain::entry::{EntryKey, TrieKey, node_hash};
use dotp2p_chain::hash::{StateRoot, tag};
use dotp2p_chain::proof::{PathEnd, TreeProof, bit};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;
use triomphe::Arc;

use self::bucket::{Bucket, LEAVES_MAX, has_twins, mark};
pub use self::leaf::{Leaf, NameRef};
use crate::row::Row;

#[derive(Clone, Debug, Default)]
enum Node {
    #[default]
    Empty,
    Leaf(Leaf),
    Bucket(Bucket),
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
            Self::Bucket(bucket) => bucket.hash(),
            Self::Inner(inner) => inner.hash,
        }
    }

    /// The leaf that `is_it`, whose place is `key`, in this node at `depth` that is no inner one.
    fn find(&self, key: &TrieKey, depth: usize, is_it: impl Fn(&Leaf) -> bool) -> Option<&Leaf> {
        match self {
            Self::Leaf(leaf) => Some(leaf).filter(|leaf| is_it(leaf)),
            Self::Bucket(bucket) => bucket.find(mark(key, depth), is_it),
            Self::Empty | Self::Inner(_) => None,
        }
    }
}

/// Leaves from which on a subtree is built on all cores: at start, not while a block connects. Tests have few leaves.
const FOR_ALL_CORES: usize = if cfg!(test) { 16 } else { 65_536 };

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
        self.find(trie_key, |leaf| leaf.is_of(key))
    }

    /// The leaf of the name `label`, whether that is one or not.
    pub(crate) fn of_name(&self, label: &[u8]) -> Option<&Leaf> {
        self.find(&EntryKey::trie_key_of_name(label), |leaf| leaf.is_of_name(label))
    }

    fn find(&self, key: &TrieKey, is_it: impl Fn(&Leaf) -> bool) -> Option<&Leaf> {
        let (mut node, mut depth) = (&self.0, 0);
        while let Node::Inner(inner) = node {
            node = if bit(key, depth) { &inner.right } else { &inner.left };
            depth += 1;
        }
        node.find(key, depth, is_it)
    }

    /// The leaves of several names, each into its place; `found` has as many.
    ///
    /// All go down together, a level at a time: of one alone the processor would wait for the memory at every level.
    pub(crate) fn of_names<'t>(&'t self, labels: &[&[u8]], found: &mut [Option<&'t Leaf>]) {
        for (labels, found) in labels.chunks(TOGETHER).zip(found.chunks_mut(TOGETHER)) {
            let key = |at: usize| labels.get(at).map(|label| EntryKey::trie_key_of_name(label)).unwrap_or_default();
            let keys: [TrieKey; TOGETHER] = std::array::from_fn(key);
            let mut ways = [(&self.0, 0); TOGETHER];
            let mut is_over = false;
            while !is_over {
                is_over = true;
                for (key, (node, depth)) in keys.iter().zip(&mut ways).take(labels.len()) {
                    if let Node::Inner(inner) = node {
                        *node = if bit(key, *depth) { &inner.right } else { &inner.left };
                        *depth += 1;
                        is_over = false;
                    }
                }
            }
            // First those that most likely are meant, and only then what they hold: both are waited for together.
            for ((_, (key, (node, depth))), place) in labels.iter().zip(keys.iter().zip(&ways)).zip(found.iter_mut()) {
                *place = match node {
                    Node::Leaf(leaf) => Some(leaf),
                    Node::Bucket(bucket) => bucket.first_of(mark(key, *depth)),
                    Node::Empty | Node::Inner(_) => None,
                };
            }
            for (((label, key), (node, depth)), place) in labels.iter().zip(&keys).zip(ways).zip(found) {
                if place.is_some_and(|leaf| !leaf.is_of_name(label)) {
                    *place = node.find(key, depth, |leaf| leaf.is_of_name(label));
                }
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
        let leaf = loop {
            match node {
                Node::Empty => break None,
                Node::Leaf(leaf) => break Some(leaf),
                Node::Bucket(bucket) => break bucket.prove(siblings.len(), key, &mut siblings),
                Node::Inner(inner) => {
                    let right = bit(key, siblings.len());
                    let (next, other) = if right { (&inner.right, &inner.left) } else { (&inner.left, &inner.right) };
                    siblings.push(Some(other.hash()).filter(|hash| *hash != [0; 32]));
                    node = next;
                }
            }
        };
        let end = match leaf.map(|leaf| (leaf, leaf.trie_key())) {
            None => PathEnd::Nothing,
            Some((leaf, found)) if found == *key => PathEnd::Entry(leaf.value().to_vec()),
            Some((leaf, found)) => PathEnd::Other { key: found, value_hash: tag::VALUE.hash(&[leaf.value()]) },
        };
        TreeProof { siblings, end }
    }

    /// Every entry, in the order of the tree.
    pub fn entries(&self) -> impl Iterator<Item = (EntryKey, Row)> {
        self.leaves().filter_map(|leaf| Some((leaf.key()?, leaf.row()?)))
    }

    /// Every leaf, in the order of the tree.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        let (mut stack, mut within) = (vec![&self.0], [].iter());
        std::iter::from_fn(move || {
            loop {
                if let Some(leaf) = within.next() {
                    return Some(leaf);
                }
                match stack.pop()? {
                    Node::Empty => {}
                    Node::Leaf(leaf) => return Some(leaf),
                    Node::Bucket(bucket) => within = bucket.leaves().iter(),
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
        Node::Leaf(leaf) => match edits {
            [edit] if leaf.is_of(edit.key) => edit.leaf().map_or(Node::Empty, Node::Leaf),
            _ => rebuilt(depth, vec![(leaf.trie_key(), leaf)], edits),
        },
        Node::Bucket(bucket) => {
            remarked(depth, &bucket, edits).unwrap_or_else(|| rebuilt(depth, bucket.items(), edits))
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

/// The subtree at `depth` of a few items under `edits`.
fn rebuilt(depth: usize, items: Vec<Item>, edits: &[Edit<'_>]) -> Node {
    let is_edited = |(key, _): &Item| edits.binary_search_by_key(&key, |edit| edit.trie_key).is_ok();
    let new = edits.iter().filter_map(|edit| Some((*edit.trie_key, edit.leaf()?)));
    let mut all: Vec<Item> = items.into_iter().filter(|item| !is_edited(item)).chain(new).collect();
    all.sort_unstable_by_key(|item| item.0);
    build(depth, &all)
}

/// The same of a bucket, by marks alone; `None`: they do not suffice, or there are too many leaves for it.
fn remarked(depth: usize, bucket: &Bucket, edits: &[Edit<'_>]) -> Option<Node> {
    let mut old = bucket.marked()?.peekable();
    let mut new = edits.iter().map(|edit| (mark(edit.trie_key, depth), edit)).peekable();
    let (mut marks, mut leaves) = ([0; LEAVES_MAX], Vec::with_capacity(LEAVES_MAX));
    while old.peek().is_some() || new.peek().is_some() {
        let edited = new.next_if(|(mark, _)| old.peek().is_none_or(|(its, _)| mark <= its));
        let kept = old.next_if(|(its, _)| edited.is_none_or(|(mark, _)| mark == *its));
        let (mark, leaf) = match (kept, edited) {
            // Another entry, with the same bits.
            (Some((_, leaf)), Some((_, edit))) if !leaf.is_of(edit.key) => return None,
            (_, Some((mark, edit))) => (mark, edit.leaf()),
            (kept, None) => (kept?.0, kept.map(|(_, leaf)| leaf.clone())),
        };
        if let Some(leaf) = leaf {
            *marks.get_mut(leaves.len())? = mark;
            leaves.push(leaf);
        }
    }
    if has_twins(marks.get(..leaves.len())?) {
        return None;
    }
    Some(match leaves.len() {
        0 | 1 => leaves.pop().map_or(Node::Empty, Node::Leaf),
        _ => Node::Bucket(Bucket::of_marked(depth, marks, leaves)),
    })
}

/// The subtree at `depth` that holds just `items`, strictly ascending.
fn build<T: Placed>(depth: usize, items: &[T]) -> Node {
    if items.len() <= LEAVES_MAX {
        let there = items.iter().filter_map(|item| Some((*item.trie_key(), item.leaf()?)));
        let there: Vec<Item> = there.collect();
        return match there.as_slice() {
            [] => Node::Empty,
            [(_, leaf)] => Node::Leaf(leaf.clone()),
            some => Node::Bucket(Bucket::of_items(depth, some)),
        };
    }
    let (low, high) = split(depth, items);
    let (left, right) = if items.len() > FOR_ALL_CORES {
        rayon::join(|| build(depth + 1, low), || build(depth + 1, high))
    } else {
        (build(depth + 1, low), build(depth + 1, high))
    };
    join(None, left, right)
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
#[allow(clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    use dotp2p_chain::name::Name;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn name(text: &str) -> EntryKey {
        EntryKey::Name(text.parse().unwrap_or_else(|_| Name::first()))
    }

    /// The hash of the node at `depth` above these, as S8 has it.
    fn root_of(depth: usize, items: &[Item]) -> [u8; 32] {
        match items {
            [] => [0; 32],
            [(_, leaf)] => leaf.hash(),
            some => {
                let (low, high) = split(depth, some);
                node_hash(&root_of(depth + 1, low), &root_of(depth + 1, high))
            }
        }
    }

    /// Names whose places begin alike in 16 bits and more, which marks do not tell apart, among others.
    static NAMES: LazyLock<Vec<(TrieKey, EntryKey)>> = LazyLock::new(|| {
        let mut all: Vec<_> = (0..4_000).map(|at| name(&format!("n{at}"))).map(|key| (key.trie_key(), key)).collect();
        all.sort();
        let is_twin = |pair: &[(TrieKey, EntryKey)]| mark(&pair[0].0, 0) == mark(&pair[1].0, 0);
        let twins: Vec<_> = all.windows(2).filter(|pair| is_twin(pair)).flatten().cloned().collect();
        assert!(twins.len() > 100, "{}", twins.len());
        let mut names = [twins, all.into_iter().step_by(40).collect()].concat();
        names.sort();
        names.dedup();
        names
    });

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(20_261_127),
            ..ProptestConfig::with_cases(60)
        })]
        #[test]
        fn whatever_is_written_the_tree_is_that_of_what_is_there(
            batches in vec(vec((any::<Index>(), any::<Option<u64>>()), 0..60), 1..12),
        ) {
            let names = &*NAMES;
            let mut there = BTreeMap::new();
            let mut tree = StateTree::default();
            for batch in batches {
                let batch: BTreeMap<_, _> = batch.iter().map(|(at, level)| (at.index(names.len()), level)).collect();
                let leaf = |at: usize, level: u64| Leaf::of(&names[at].1, &Row::Level(level));
                let edits: Vec<_> = batch.iter().map(|(at, level)| (*at, level.map(|level| leaf(*at, level)))).collect();
                let before = tree.clone();
                tree.update(edits.iter().map(|(at, leaf)| (&names[*at].0, &names[*at].1, leaf.as_ref())));
                let mut back = tree.clone();
                let was: Vec<_> = edits.iter().map(|(at, _)| (*at, there.get(at).cloned())).collect();
                back.update(was.iter().map(|(at, leaf)| (&names[*at].0, &names[*at].1, leaf.as_ref())));
                prop_assert_eq!(back.root(), before.root(), "and back");
                for (at, leaf) in edits {
                    match leaf {
                        Some(leaf) => there.insert(at, leaf),
                        None => there.remove(&at),
                    };
                }
                let items: Vec<Item> = there.iter().map(|(at, leaf)| (names[*at].0, leaf.clone())).collect();
                prop_assert_eq!(tree.root().0, root_of(0, &items));
                prop_assert_eq!(StateTree::from_items(&items).root(), tree.root());
                prop_assert!(tree.leaves().eq(there.values()), "in order");
                for (at, (place, key)) in names.iter().enumerate().step_by(7) {
                    let (leaf, proof) = (tree.get(place, key), tree.prove(place));
                    prop_assert_eq!(leaf, there.get(&at));
                    prop_assert_eq!(proof.verify(place, &tree.root()), Ok(leaf.map(Leaf::value)));
                }
            }
        }
    }

    /// More names than go down together, every other of an entry that is not there.
    #[test]
    fn what_is_looked_up_together_is_what_each_alone_gives() {
        let label = |at: u64| format!("name-{at}");
        let key = |at: u64| name(&label(at));
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

    /// Names that marks do not tell apart, of which one is there and the other asked for.
    #[test]
    fn a_name_is_not_taken_for_its_twin() {
        let twins: Vec<_> = NAMES
            .windows(2)
            .filter(|pair| mark(&pair[0].0, 0) == mark(&pair[1].0, 0))
            .map(|pair| [&pair[0].1, &pair[1].1])
            .collect();
        assert!(twins.len() > 50, "{}", twins.len());
        let label = |key: &EntryKey| {
            let mut id = Vec::new();
            key.id_to(&mut id);
            id
        };
        for there in [0, 1] {
            // Each pair alone, so that nothing but the marks decides; and all together.
            for pairs in twins.chunks(1).chain([&twins[..]]) {
                let rows: BTreeMap<_, _> = pairs.iter().map(|pair| (pair[there].clone(), Row::Level(7))).collect();
                let tree = StateTree::from_items(&in_order(items(rows.clone().into_iter().collect())));
                let labels: Vec<Vec<u8>> = pairs.iter().flatten().map(|key| label(key)).collect();
                let labels: Vec<&[u8]> = labels.iter().map(Vec::as_slice).collect();
                let mut found = vec![None; labels.len()];
                tree.of_names(&labels, &mut found);
                for ((key, label), found) in pairs.iter().flatten().zip(&labels).zip(found) {
                    let expected = rows.contains_key(*key).then(|| 7u64.to_le_bytes().to_vec());
                    let alone = tree.of_name(label).map(|leaf| leaf.value().to_vec());
                    assert_eq!((found.map(|leaf| leaf.value().to_vec()), alone), (expected.clone(), expected));
                }
            }
        }
        // What is no name's is not a name's, whatever its id.
        let key = EntryKey::Account(dotp2p_chain::key::PublicKey([b'a'; 32]));
        let leaf = Leaf::of(&key, &Row::Level(7));
        assert!(!leaf.is_of_name(&[b'a'; 32]));
    }
}
