//! A bucket: a few leaves under one node, because most nodes of a trie have few leaves below them.
//!
//! It stands for the nodes between its place and its leaves, whose hashes are made again when one of them changes, and kept
//! of the uppermost alone. Beside its leaves are the next bits of their places, by which they are told apart and in order:
//! places themselves are hashed again where those bits are the same, which is seldom.

use dotp2p_chain::entry::{TrieKey, node_hash};
use dotp2p_chain::proof::bit;
use triomphe::ThinArc;

use super::{Item, Leaf};

/// Leaves in a bucket at most; two at least.
pub(super) const LEAVES_MAX: usize = 8;

/// The bits of a place from a depth on; beyond its end there are none.
pub(super) type Mark = u16;

/// Leaves, ascending, in the bucket of a depth.
#[derive(Clone, Debug)]
pub(super) struct Bucket(ThinArc<Head, Leaf>);

#[derive(Debug)]
struct Head {
    hash: [u8; 32],
    marks: [Mark; LEAVES_MAX],
}

/// The mark of `key` at `depth`.
pub(super) fn mark(key: &TrieKey, depth: usize) -> Mark {
    let byte = |at: usize| key.get(depth / 8 + at).copied().unwrap_or_default();
    let bits = u32::from_be_bytes([0, byte(0), byte(1), byte(2)]);
    // The 16 bits behind the first few of 24.
    Mark::try_from(bits >> (8 - depth % 8) & 0xffff).unwrap_or_default()
}

/// Whether the place of a leaf, by its number, has a bit, by its depth.
type Bits<'a> = &'a dyn Fn(usize, usize) -> bool;

/// The bits that marks of a bucket at `depth` have.
fn bits_of(depth: usize, marks: &[Mark]) -> impl Fn(usize, usize) -> bool {
    move |at, to| marks.get(at).is_some_and(|mark| mark >> (15 - to.saturating_sub(depth).min(15)) & 1 == 1)
}

/// The hash of the node at `depth` above leaves `from..to`, two at least or one, by the bits of their places.
fn root(depth: usize, range: (usize, usize), bit: Bits<'_>, leaves: &[Leaf]) -> [u8; 32] {
    let (from, to) = range;
    if to - from <= 1 {
        return leaves.get(from).filter(|_| to > from).map_or([0; 32], Leaf::hash);
    }
    if depth >= 256 {
        // No two places are the same.
        return [0; 32];
    }
    let middle = split(range, depth, bit);
    node_hash(&root(depth + 1, (from, middle), bit, leaves), &root(depth + 1, (middle, to), bit, leaves))
}

/// Where the leaves of a range begin that have the bit at `depth`.
fn split((from, to): (usize, usize), depth: usize, bit: Bits<'_>) -> usize {
    (from..to).find(|at| bit(*at, depth)).unwrap_or(to)
}

/// Whether two that follow each other are the same.
pub(super) fn has_twins(marks: &[Mark]) -> bool {
    marks.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
}

impl Bucket {
    /// The bucket at `depth` of 2 to [`LEAVES_MAX`] items, strictly ascending.
    pub fn of_items(depth: usize, items: &[Item]) -> Self {
        let leaves: Vec<Leaf> = items.iter().map(|(_, leaf)| leaf.clone()).collect();
        let bit = |at: usize, depth: usize| items.get(at).is_some_and(|(key, _)| bit(key, depth));
        let hash = root(depth, (0, leaves.len()), &bit, &leaves);
        let mut marks = [0; LEAVES_MAX];
        marks.iter_mut().zip(items).for_each(|(place, (key, _))| *place = mark(key, depth));
        Self(ThinArc::from_header_and_iter(Head { hash, marks }, leaves.into_iter()))
    }

    /// The same of leaves whose marks differ, which then say all there is to know of their places.
    pub fn of_marked(depth: usize, marks: [Mark; LEAVES_MAX], leaves: Vec<Leaf>) -> Self {
        let hash = root(depth, (0, leaves.len()), &bits_of(depth, &marks), &leaves);
        Self(ThinArc::from_header_and_iter(Head { hash, marks }, leaves.into_iter()))
    }

    pub fn hash(&self) -> [u8; 32] {
        self.0.header.header.hash
    }

    pub fn leaves(&self) -> &[Leaf] {
        &self.0.slice
    }

    fn marks(&self) -> &[Mark] {
        self.0.header.header.marks.get(..self.leaves().len()).unwrap_or_default()
    }

    /// Its leaves with their marks; `None` where some have the same.
    pub fn marked(&self) -> Option<impl Iterator<Item = (Mark, &Leaf)>> {
        let marks = self.marks();
        (!has_twins(marks)).then(|| marks.iter().copied().zip(self.leaves()))
    }

    /// The first leaf of that mark: the one asked for, where it is there and no twin stands before it.
    pub fn first_of(&self, mark: Mark) -> Option<&Leaf> {
        self.find(mark, |_| true)
    }

    /// Its leaves with their places.
    pub fn items(&self) -> Vec<Item> {
        self.leaves().iter().map(|leaf| (leaf.trie_key(), leaf.clone())).collect()
    }

    /// Appends the siblings on the path from this bucket at `depth` to `key`; gives the leaf at its end.
    pub fn prove(&self, mut depth: usize, key: &TrieKey, siblings: &mut Vec<Option<[u8; 32]>>) -> Option<&Leaf> {
        let (leaves, marks) = (self.leaves(), self.marks());
        let places: Vec<TrieKey> =
            if has_twins(marks) { leaves.iter().map(Leaf::trie_key).collect() } else { Vec::new() };
        let by_marks = bits_of(depth, marks);
        let by_places = |at: usize, to: usize| places.get(at).is_some_and(|place| bit(place, to));
        let bits: Bits<'_> = if places.is_empty() { &by_marks } else { &by_places };
        let (mut from, mut to) = (0, leaves.len());
        while to - from > 1 {
            let middle = split((from, to), depth, bits);
            let (next, other) =
                if bit(key, depth) { ((middle, to), (from, middle)) } else { ((from, middle), (middle, to)) };
            depth += 1;
            siblings.push(Some(root(depth, other, bits, leaves)).filter(|hash| *hash != [0; 32]));
            (from, to) = next;
        }
        leaves.get(from).filter(|_| to > from)
    }

    /// The leaf that `is_it`, where the place in question has that mark.
    pub fn find(&self, mark: Mark, is_it: impl Fn(&Leaf) -> bool) -> Option<&Leaf> {
        self.marks().iter().zip(self.leaves()).find(|(its, leaf)| **its == mark && is_it(leaf)).map(|(_, leaf)| leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_next_sixteen_bits() {
        let mut key = [0; 32];
        key.iter_mut().zip(0u8..).for_each(|(byte, at)| *byte = at.wrapping_mul(37) ^ 0x5a);
        for depth in 0..256 {
            let expected = (depth..depth + 16).fold(0, |mark, at| mark << 1 | u16::from(at < 256 && bit(&key, at)));
            assert_eq!(mark(&key, depth), expected, "at {depth}");
        }
    }
}
