//! The mountain range over all headers before a block: what `history_root` commits to. Rule B11.
//!
//! A [`Node`] stands for one header or for a run of them: its hash, how many, their work, the time of the last.
//! [`History`] keeps every node of the range in the order it became complete, so that appending never rewrites, and
//! taking headers back is cutting off the end. Nothing here knows branches: whoever follows another branch truncates to
//! the fork and pushes from there.
//!
//! A leaf's work and time are the header's own; who verifies a [`HistoryProof`] takes them from the header, not from the
//! peer that sent it: where there is but one leaf the root does not cover them.

use parity_scale_codec::{Decode, Encode};

use crate::codec::{DecodeError, decode_all, decode_len};
use crate::hash::{HistoryRoot, tag};
use crate::header::Header;
use crate::pow::Work;

/// A header, or a run of headers, in the range: 76 bytes, integers little-endian. Rule B11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Node {
    /// A leaf's block hash; above, the tagged hash of both children.
    pub hash: [u8; 32],
    /// Headers below it.
    pub count: u32,
    /// Their work.
    pub work: Work,
    /// The time of the last of them, Unix seconds.
    pub last_time: u64,
}

impl Node {
    /// The encoded length in bytes.
    pub const LEN: usize = 76;

    /// The leaf of `header`; `None` where its bits are no target (P1), so that it has no work.
    #[must_use]
    pub fn leaf(header: &Header) -> Option<Self> {
        let work = header.bits.to_target()?.work();
        Some(Self { hash: header.hash().0, count: 1, work, last_time: header.time })
    }

    /// The node above `left` and `right`.
    ///
    /// Count and work saturate: a chain whose work overflows is invalid (P3), and no block has 2³² before it (B7).
    #[must_use]
    pub fn parent(left: &Self, right: &Self) -> Self {
        Self {
            hash: tag::HISTORY.hash(&[&left.encode(), &right.encode()]),
            count: left.count.saturating_add(right.count),
            work: left.work.saturating_add(right.work),
            last_time: right.last_time,
        }
    }
}

/// The mountain range over the headers of heights 0 to `len() − 1`.
#[derive(Clone, Debug, Default)]
pub struct History {
    leaves: u32,
    /// Every node in the order it became complete: both children, then their parent. So n leaves have the same first
    /// nodes whatever follows them.
    nodes: Vec<Node>,
}

impl History {
    /// The range over no header.
    #[must_use]
    pub const fn new() -> Self {
        Self { leaves: 0, nodes: Vec::new() }
    }

    /// Headers in the range.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.leaves
    }

    /// Whether no header is in the range.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.leaves == 0
    }

    /// Appends the leaf of the header of height `len()`. Costs a hash for each tree it completes, one on average.
    ///
    /// Does nothing once `u32::MAX` headers are in: the last block there can be has as many before it (B7).
    pub fn push(&mut self, leaf: Node) {
        let Some(leaves) = self.leaves.checked_add(1) else { return };
        let mut node = leaf;
        self.nodes.push(node);
        for height in 0..self.leaves.trailing_ones() {
            let first = self.leaves & (u32::MAX << height << 1);
            let left = self.node(first, height).expect("the left sibling was pushed before its right one");
            node = Node::parent(left, &node);
            self.nodes.push(node);
        }
        self.leaves = leaves;
    }

    /// Takes back all headers but the first `leaves`; with no more than these in the range, none.
    pub fn truncate(&mut self, leaves: u32) {
        if leaves < self.leaves {
            self.leaves = leaves;
            self.nodes.truncate(nodes_of(leaves));
        }
    }

    /// The `history_root` of the block of height `len()`: zero for genesis. Costs a hash a peak.
    #[must_use]
    pub fn root(&self) -> HistoryRoot {
        self.total().map_or(HistoryRoot::ZERO, |node| HistoryRoot(node.hash))
    }

    /// The node over the whole range: its count, work and last time are the chain's. `None` over no header.
    #[must_use]
    pub fn total(&self) -> Option<Node> {
        self.bag(peaks(self.leaves))
    }

    /// The leaf of the header of height `index`.
    #[must_use]
    pub fn leaf(&self, index: u32) -> Option<&Node> {
        if index < self.leaves { self.node(index, 0) } else { None }
    }

    /// Proves that the header of height `index` is in the range; `None` where it is not.
    #[must_use]
    pub fn prove(&self, index: u32) -> Option<HistoryProof> {
        let place = Place::of(self.leaves, index)?;
        let mut siblings = Vec::with_capacity(place.siblings());
        for height in 0..place.height {
            let first = ((index >> height) ^ 1) << height;
            siblings.push(*self.node(first, height)?);
        }
        siblings.extend(self.bag(peaks(self.leaves).skip(place.peaks_left + 1)));
        let left: Vec<_> = peaks(self.leaves).take(place.peaks_left).collect();
        for (first, height) in left.into_iter().rev() {
            siblings.push(*self.node(first, height)?);
        }
        Some(HistoryProof { siblings })
    }

    /// The root of the perfect tree over 2^`height` leaves from leaf `first`, a multiple of as many.
    fn node(&self, first: u32, height: u32) -> Option<&Node> {
        self.nodes.get(nodes_of(first) + nodes_of(1 << height) - 1)
    }

    /// parent(p1, parent(p2, …)), in the order given.
    fn bag(&self, peaks: impl Iterator<Item = (u32, u32)>) -> Option<Node> {
        let peaks: Vec<_> = peaks.filter_map(|(first, height)| self.node(first, height)).copied().collect();
        peaks.into_iter().rev().reduce(|right, left| Node::parent(&left, &right))
    }
}

/// Nodes that `leaves` leaves make: two a leaf, less one a peak.
const fn nodes_of(leaves: u32) -> usize {
    2 * leaves as usize - leaves.count_ones() as usize
}

/// The perfect trees that `leaves` leaves make, from the left, largest first: the first leaf and the height of each.
fn peaks(leaves: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..u32::BITS)
        .rev()
        .filter(move |height| leaves >> height & 1 == 1)
        .map(move |height| (leaves & (u32::MAX << height << 1), height))
}

/// Where a leaf stands in a range.
struct Place {
    /// Of the perfect tree it is in.
    height: u32,
    /// Perfect trees before that one.
    peaks_left: usize,
    /// Whether one follows.
    has_right: bool,
}

impl Place {
    fn of(leaves: u32, index: u32) -> Option<Self> {
        if index >= leaves {
            return None;
        }
        // The highest bit in which they differ is the tree's: above it the leaf shares all peaks before.
        let height = (leaves ^ index).ilog2();
        let peaks_left = (leaves >> height >> 1).count_ones() as usize;
        Some(Self { height, peaks_left, has_right: leaves & !(u32::MAX << height) != 0 })
    }

    fn siblings(&self) -> usize {
        self.height as usize + self.peaks_left + usize::from(self.has_right)
    }
}

/// Why a [`HistoryProof`] proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryProofError {
    /// The leaf would lie outside the range.
    #[error("header {index} is not among the first {leaves}")]
    Index {
        /// The height asked about.
        index: u32,
        /// Headers in the range.
        leaves: u32,
    },
    /// Not the shape that a proof for this leaf has.
    #[error("proof has {found} nodes, expected {expected}")]
    Siblings {
        /// Nodes in the proof.
        found: usize,
        /// Nodes it must have.
        expected: usize,
    },
    /// The nodes give another root.
    #[error("proof gives history_root {0}")]
    Root(HistoryRoot),
    /// The nodes do not count as many headers as the range has.
    #[error("proof counts {found} headers, expected {expected}")]
    Count {
        /// Headers counted.
        found: u32,
        /// Headers in the range.
        expected: u32,
    },
}

/// Proves that a header is one of those a `history_root` covers, by the nodes beside the way from its leaf to the root.
///
/// No rule fixes its form yet (V7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryProof {
    /// From the leaf up: inside its tree, then all trees to the right as one, then those to the left, nearest first.
    siblings: Vec<Node>,
}

impl HistoryProof {
    /// The most nodes a proof has, over any number of headers.
    pub const MAX_NODES: usize = 32;

    /// Checks that `leaf` is the header of height `index` among the first `leaves` headers, which `root` covers.
    ///
    /// `leaf` must come from the header itself ([`Node::leaf`]); `leaves` is the height of the block that has `root`.
    pub fn check(&self, root: &HistoryRoot, leaves: u32, index: u32, leaf: &Node) -> Result<(), HistoryProofError> {
        let place = Place::of(leaves, index).ok_or(HistoryProofError::Index { index, leaves })?;
        let (found, expected) = (self.siblings.len(), place.siblings());
        if found != expected {
            return Err(HistoryProofError::Siblings { found, expected });
        }
        let turns_in_tree = (0..place.height).map(|height| index >> height & 1 == 1);
        let is_right = turns_in_tree.chain(place.has_right.then_some(false)).chain(core::iter::repeat(true));
        let top = self.siblings.iter().zip(is_right).fold(*leaf, |node, (sibling, is_right)| {
            if is_right { Node::parent(sibling, &node) } else { Node::parent(&node, sibling) }
        });
        if top.hash != root.0 {
            return Err(HistoryProofError::Root(HistoryRoot(top.hash)));
        }
        if top.count != leaves {
            return Err(HistoryProofError::Count { found: top.count, expected: leaves });
        }
        Ok(())
    }

    /// compact count ‖ nodes of 76 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.siblings.encode()
    }

    /// Reads a proof of at most [`HistoryProof::MAX_NODES`] nodes; nothing may be left over.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_all(bytes, |input| {
            let count = decode_len(input, "history proof", 0, Self::MAX_NODES)?;
            let siblings = (0..count).map(|_| Node::decode(input)).collect::<Result<_, _>>()?;
            Ok(Self { siblings })
        })
    }
}

#[cfg(test)]
mod tests;
