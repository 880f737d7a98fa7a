//! Heads that come before their bodies, and which bodies are missing. Rules L8 and L9.

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::check::{self, BlockError};
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::header_tree::Status;
use dotp2p_chain::height::Height;
use dotp2p_chain::pow::Work;
use dotp2p_network::chain::HeadsTaken;
use dotp2p_network::presync::{Fork, Judge};
use dotp2p_registry::store::HeadRow;

use super::{CheckedBlock, ImportError, Imported, Importer};

/// So many blocks below the tip begins what a branch must exceed to be stored (L9).
const BRANCH_DEPTH: u32 = 1_440;
/// From so many blocks at once on, no snapshot is kept of each.
const RUN: usize = 8;

impl Importer {
    /// Judges heads, each the parent of the next, by the node's clock (Unix seconds), and keeps those that are good: if their
    /// branch has the work that L9 asks for, or `is_proven` to have it. They are written with what comes next.
    pub fn take_heads(&mut self, mut heads: Vec<BlockHead>, is_proven: bool, now_s: u64) -> HeadsTaken {
        if let Some(reason) = &self.failed {
            return HeadsTaken::Other(reason.clone());
        }
        let new = heads.iter().position(|head| self.tree.get(&head.hash()).is_none());
        let known = new.unwrap_or(heads.len());
        let last_known = known.checked_sub(1).and_then(|at| heads.get(at)).map(BlockHead::hash);
        let mut heads = heads.split_off(known);
        let Some(parent) = heads.first().map(|head| head.header.prev_blockhash).or(last_known) else {
            return HeadsTaken::Other("no heads".to_owned());
        };
        let Some(node) = self.tree.get(&parent) else { return HeadsTaken::Unconnected };
        if node.status == Status::Rejected {
            return HeadsTaken::Other(format!("block {parent} was refused before"));
        }
        let Some(context) = self.tree.context(&parent) else { return HeadsTaken::Unconnected };
        let fork = Fork { context, work: node.work, threshold: self.branch_threshold() };
        let mut judge = Judge::new(fork.context.clone(), fork.work);
        let mut judged = |head: &BlockHead| -> Result<(), BlockError> {
            check::check_clock(head.header.time, now_s, &self.params.rules)?;
            judge.check(head, &self.params)
        };
        let refused = heads.iter().enumerate().find_map(|(at, head)| Some((at, judged(head).err()?)));
        if let Some((at, _)) = refused {
            heads.truncate(at);
        } else if !heads.is_empty() && !is_proven && judge.work() <= fork.threshold {
            return HeadsTaken::LowWork(Box::new(fork), heads);
        }
        let is_worth_it = is_proven || judge.work() > fork.threshold;
        for head in heads.iter().filter(|_| is_worth_it) {
            if let Err(error) = self.tree.insert(&head.header) {
                return HeadsTaken::Other(error.to_string());
            }
            let row = HeadRow { sequence: self.pending.meta.sequence, head: *head, block: None, rejected: false };
            self.pending.meta.sequence += 1;
            self.pending.heads.insert(head.hash(), row);
        }
        match refused {
            Some((_, error)) => HeadsTaken::Refused(error),
            None => HeadsTaken::Stored { last: judge.last(), work: judge.work() },
        }
    }

    /// What a branch's work must exceed for its heads to be stored. Rule L9.
    fn branch_threshold(&self) -> Work {
        let deep = self.tip().0.checked_sub(BRANCH_DEPTH).and_then(|height| self.tree.active_at(Height(height)));
        deep.map_or(Work::ZERO, |node| node.work).max(self.params.deployment.minimum_work)
    }

    /// Blocks whose bodies are missing on the way to more work, at most `window`; see [`HeaderTree::wanted_bodies`].
    ///
    /// [`HeaderTree::wanted_bodies`]: dotp2p_chain::header_tree::HeaderTree::wanted_bodies
    #[must_use]
    pub fn missing_bodies(&self, window: u32) -> Vec<BlockHash> {
        self.tree.wanted_bodies(window)
    }

    /// Takes blocks one after the other, as [`Importer::import`] does.
    pub fn import_run(
        &mut self,
        blocks: Vec<Result<CheckedBlock, ImportError>>,
        now_s: u64,
    ) -> Vec<Result<Imported, ImportError>> {
        // A snapshot of each state makes every change after it a copy; of a run nobody needs them.
        let is_run = blocks.len() >= RUN;
        if is_run {
            self.recent.clear();
        }
        self.in_run = is_run;
        let taken = blocks.into_iter().map(|block| self.import(block?, now_s)).collect();
        self.in_run = false;
        taken
    }
}
