//! Ways through the tree: ancestors, the active chain, reorganisations, bodies still to fetch.

use core::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Entry, HeaderNode, HeaderTree, HeaderTreeError, Id, Reorg, Status};
use crate::check::{HeaderContext, MEDIAN_SPAN};
use crate::hash::BlockHash;
use crate::height::Height;
use crate::pow::Work;

impl HeaderTree {
    /// The ancestor of a block at `height`, the block itself at its own; `None` above it, or where it is unknown.
    #[must_use]
    pub fn ancestor(&self, hash: &BlockHash, height: Height) -> Option<BlockHash> {
        let id = self.find(hash)?;
        (height <= self.entry(id).height).then(|| self.entry(self.ancestor_of(id, height)).hash)
    }

    /// A block and its ancestors down to genesis; nothing where it is unknown.
    pub fn ancestors(&self, hash: &BlockHash) -> impl Iterator<Item = HeaderNode> {
        core::iter::successors(self.find(hash), |id| self.entry(*id).parent).map(|id| self.node(id))
    }

    /// What judging a child of `parent` reads of its ancestors (B12, P5); `None` where the parent is unknown.
    #[must_use]
    pub fn context(&self, parent: &BlockHash) -> Option<HeaderContext> {
        let id = self.find(parent)?;
        let height = self.entry(id).height;
        let first = (height > Height::GENESIS).then(|| self.ancestor_of(id, Height(1)));
        Some(HeaderContext {
            parent: *parent,
            parent_height: height,
            parent_time: self.entry(id).time,
            times: self.ancestors(parent).take(MEDIAN_SPAN).map(|node| node.header.time).collect(),
            first_time: first.map(|id| self.entry(id).time),
        })
    }

    /// As [`HeaderTree::best`], of the blocks that neither are nor follow one of `aside`; genesis cannot be set aside.
    #[must_use]
    pub fn best_without(&self, aside: &[BlockHash]) -> BlockHash {
        let mut aside: Vec<Id> = aside.iter().filter_map(|hash| self.find(hash)).collect();
        aside.sort_by_key(|id| Reverse(self.entry(*id).height));
        let mut best: Option<(Reverse<Work>, u64, Id)> = None;
        for end in &self.connected_ends {
            let below = aside.iter().fold(end.2, |id, first| {
                let follows = self.ancestor_of(id, self.entry(*first).height) == *first;
                if follows { self.entry(*first).parent.unwrap_or(id) } else { id }
            });
            let Entry { work, status, .. } = *self.entry(below);
            let Status::Connected { sequence } = status else { continue };
            let candidate = (Reverse(work), sequence, below);
            best = Some(best.map_or(candidate, |best| best.min(candidate)));
            if below == end.2 {
                // The ends come best first: no other has more than this one, which is left whole.
                break;
            }
        }
        self.entry(best.map_or(Id::GENESIS, |(_, _, id)| id)).hash
    }

    /// The way from tip `from` to tip `to`, over the last block they share; `None` where one of them is unknown.
    ///
    /// Costs O(log n) and a step for each block it names.
    #[must_use]
    pub fn reorg(&self, from: &BlockHash, to: &BlockHash) -> Option<Reorg> {
        let (mut old, mut new) = (self.find(from)?, self.find(to)?);
        let (mut disconnect, mut connect) = (Vec::new(), Vec::new());
        while old != new {
            let (a, b) = (self.entry(old), self.entry(new));
            if a.height >= b.height {
                disconnect.push(a.hash);
                old = a.parent?;
            }
            if b.height >= a.height {
                connect.push(b.hash);
                new = b.parent?;
            }
        }
        connect.reverse();
        Some(Reorg { fork: self.entry(old).height, disconnect, connect })
    }

    /// Notes which block the ledger has connected last.
    ///
    /// It need not be [`HeaderTree::best`]: between two of them the ledger passes every block on the way.
    pub fn set_active_tip(&mut self, hash: &BlockHash) -> Result<(), HeaderTreeError> {
        let mut id = self.find(hash).ok_or(HeaderTreeError::Unknown(*hash))?;
        let mut added = Vec::new();
        while !self.is_active_id(id) {
            added.push(id);
            let Some(parent) = self.entry(id).parent else { break };
            id = parent;
        }
        self.active.truncate(self.entry(id).height.0 as usize + 1);
        self.active.extend(added.into_iter().rev());
        Ok(())
    }

    /// The block the ledger has connected last; genesis at first.
    #[must_use]
    pub fn active_tip(&self) -> HeaderNode {
        self.node(self.active.last().copied().unwrap_or(Id::GENESIS))
    }

    /// The block at `height` of the active chain, `None` above its tip.
    #[must_use]
    pub fn active_at(&self, height: Height) -> Option<HeaderNode> {
        self.active.get(height.0 as usize).map(|id| self.node(*id))
    }

    /// Whether a block is in the active chain.
    #[must_use]
    pub fn is_active(&self, hash: &BlockHash) -> bool {
        self.find(hash).is_some_and(|id| self.is_active_id(id))
    }

    /// Blocks whose bodies are missing on the way to `tip`, the lowest first, among the `window` heights that follow its
    /// last connected ancestor; none where it is unknown or rejected.
    #[must_use]
    pub fn missing_bodies(&self, tip: &BlockHash, window: u32) -> Vec<BlockHash> {
        let Some(tip) = self.find(tip) else { return Vec::new() };
        let from = self.connected_height(tip);
        let end = Height(from.0.saturating_add(window)).min(self.entry(tip).height);
        let mut missing = Vec::new();
        let mut id = self.ancestor_of(tip, end);
        while self.entry(id).height > from {
            if self.entry(id).status == Status::Header {
                missing.push(self.entry(id).hash);
            }
            let Some(parent) = self.entry(id).parent else { break };
            id = parent;
        }
        missing.reverse();
        missing
    }

    /// Blocks whose bodies are missing, at most `window`: those on the way to the best header, the lowest first, and then those to
    /// the other branches of more work than the active chain, because nobody may have the body of the best.
    #[must_use]
    pub fn wanted_bodies(&self, window: u32) -> Vec<BlockHash> {
        /// Branches that are looked at: each end costs its maker a block.
        const BRANCHES: usize = 8;
        let (active, window_len) = (self.active_tip().work, window as usize);
        let mut wanted: Vec<BlockHash> = Vec::new();
        for tip in self.tips().take_while(|tip| tip.work > active).take(BRANCHES) {
            let seen: BTreeSet<BlockHash> = wanted.iter().copied().collect();
            wanted.extend(self.missing_bodies(&tip.hash, window).into_iter().filter(|hash| !seen.contains(hash)));
            if wanted.len() >= window_len {
                break;
            }
        }
        wanted.truncate(window_len);
        wanted
    }

    /// The height of the last connected block on the way to `tip`.
    fn connected_height(&self, tip: Id) -> Height {
        // Genesis is connected; from some height on, none is.
        let (mut connected, mut end) = (0, self.entry(tip).height.0.saturating_add(1));
        while end - connected > 1 {
            let middle = connected + (end - connected) / 2;
            if self.is_connected(self.ancestor_of(tip, Height(middle))) {
                connected = middle;
            } else {
                end = middle;
            }
        }
        Height(connected)
    }

    fn is_active_id(&self, id: Id) -> bool {
        self.active.get(self.entry(id).height.0 as usize) == Some(&id)
    }

    /// The ancestor of `id` at `height`, or `id` itself at that height and below.
    pub(super) fn ancestor_of(&self, id: Id, height: Height) -> Id {
        let mut id = id;
        while self.entry(id).height > height {
            let entry = self.entry(id);
            let here = skip_height(entry.height);
            // The parent's skip may reach further back without passing the height; then one step first pays.
            let next = entry.height.checked_sub(1).map_or(Height::GENESIS, skip_height);
            let is_parent_better = next.0 < here.0.saturating_sub(2) && next >= height;
            let skips = here == height || (here > height && !is_parent_better);
            let Some(before) = (if skips { entry.skip } else { entry.parent }) else { break };
            id = before;
        }
        id
    }
}

/// The height that a block of `height` keeps a link to: some power of two back, chosen so that links of neighbours differ.
///
/// Source: Bitcoin Core, `GetSkipHeight`.
pub(super) const fn skip_height(height: Height) -> Height {
    const fn clear_lowest_one(n: u32) -> u32 {
        n & n.wrapping_sub(1)
    }
    let n = height.0;
    Height(match n {
        0 | 1 => 0,
        _ if n & 1 == 1 => clear_lowest_one(clear_lowest_one(n - 1)) + 1,
        _ => clear_lowest_one(n),
    })
}
