//! What everybody reads: whose records are served, and the snapshot of the tip.

use std::sync::Arc;

use dotp2p_chain::check;
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::header_tree::HeaderNode;
use dotp2p_chain::height::Height;
use dotp2p_registry::query::{Branch, QueryError, Reader};
use dotp2p_registry::state::State;

use super::{ImportError, Importer};

/// Ends of branches that are told.
const BRANCHES_MAX: usize = 20;

impl Importer {
    /// Finds the state that decides who is served. Rules L2, L3.
    pub(super) fn settle(&mut self) -> Result<(), ImportError> {
        let (tip, c) = (self.tip(), self.params.deployment.dns_confirmations);
        let mut settled = Height(tip.0.saturating_sub(c));
        if let Some((fork, end)) = self.pending.meta.hold
            && tip < end
        {
            settled = settled.min(fork);
        }
        let damaged = |error: QueryError| ImportError::Store(self.store.damaged(error.to_string()));
        let mut reader = self.reader();
        let root =
            reader.head(&reader.chain_row(settled).map_err(damaged)?.hash).map_err(damaged)?.head.roots.state_root;
        let is_right = |(height, state): &(Height, _)| *height == settled && State::root(state) == root;
        // A hold stays at one block for many: then only what the last blocks changed can have changed its answer.
        let stays = is_right(&self.settled);
        let (height, hash) = self.unsettled_at;
        let known = (stays && settled <= height && reader.is_active(height, &hash)).then_some(height);
        reader.settled = match std::iter::once(&self.settled).chain(&self.recent).find(|known| is_right(known)) {
            Some(known) => known.clone(),
            None => (settled, reader.state_at(settled).map_err(damaged)?),
        };
        self.unsettled = Arc::new(reader.find_unsettled(known).map_err(damaged)?);
        self.unsettled_at = (tip, reader.tip_hash());
        self.settled = reader.settled;
        Ok(())
    }

    /// Ends of branches, the best first.
    fn branches(&self) -> Vec<Branch> {
        let branch = |node: HeaderNode| {
            let HeaderNode { hash, height, status, .. } = node;
            Branch { hash, height, len: height.0.saturating_sub(self.fork(&hash, height).0), status }
        };
        self.tree.tips().take(BRANCHES_MAX).map(branch).collect()
    }

    /// Where the branch that ends in `hash` at `height` leaves the chain. By halves: some branches are as old as the chain.
    fn fork(&self, hash: &BlockHash, height: Height) -> Height {
        let (mut shared, mut own) = (0, height.0.saturating_add(1));
        while shared + 1 < own {
            let middle = shared + (own - shared) / 2;
            match self.tree.ancestor(hash, Height(middle)) {
                Some(ancestor) if self.tree.is_active(&ancestor) => shared = middle,
                _ => own = middle,
            }
        }
        Height(shared)
    }

    /// A snapshot of the tip for everybody who reads.
    #[must_use]
    pub fn reader(&self) -> Reader {
        let tip = self.tip();
        let node = self.tree.active_tip();
        let best = self.tree.get(&self.tree.best_header());
        let is_settled = |name: &_| !self.unsettled.contains_key(name);
        let provisional = self.pool.provisional(&self.state, tip, &self.params.rules, is_settled);
        let parent = self.tree.context(&node.hash);
        Reader {
            params: self.params.clone(),
            tip,
            head: self.tip_head,
            work: node.work,
            headers: best.map_or(tip, |best| best.height),
            headers_work: best.map_or(node.work, |best| best.work),
            next_context: parent.unwrap_or(check::HeaderContext {
                parent: node.hash,
                parent_height: tip,
                parent_time: node.header.time,
                times: vec![node.header.time],
                first_time: None,
            }),
            next_history: self.history.root(),
            state: self.state.clone(),
            settled: self.settled.clone(),
            unsettled: self.unsettled.clone(),
            chain: self.chain.clone(),
            pool: Arc::new(self.pool.clone()),
            provisional: Arc::new(provisional),
            branches: Arc::new(self.branches()),
            conflicts: self.conflicts.clone(),
            aside: self.aside.len(),
            reorganisations: self.reorganisations,
            meta: self.pending.meta,
            files: self.store.files(),
            lookup: self.store.lookup(),
        }
    }
}
