//! Blocks that a mended clock shows to lie ahead of it: kept aside, and taken up again when the clock has come near. L11.

use dotp2p_chain::check::FUTURE_MAX_S;
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::height::Height;

use super::{ImportError, Importer};

/// So many times nearer to a block's parent than to the block must the clock be.
const TIMES_NEARER: u64 = 8;

impl Importer {
    /// Looks at the clock (Unix seconds): leaves a branch that lies ahead of it, or takes it up again. Rule L11.
    ///
    /// Nothing is durable before [`Importer::commit`].
    pub fn clock_moved(&mut self, now_s: u64) -> Result<(), ImportError> {
        if let Some(reason) = &self.failed {
            return Err(ImportError::Stopped(reason.clone()));
        }
        let aside = self.blocks_ahead(now_s);
        if aside == self.aside {
            return Ok(());
        }
        let before = self.tip();
        self.aside = aside;
        self.advance(None)?;
        let (aside, tip) = (self.aside.len(), self.tip());
        tracing::warn!(%before, %tip, aside, "the clock was set: blocks ahead of it are kept aside until it is near (L11)");
        Ok(())
    }

    /// The first block of each branch that would be the best and lies ahead of the clock.
    pub(super) fn blocks_ahead(&self, now_s: u64) -> Vec<BlockHash> {
        let mut aside = Vec::new();
        if self.params.rules.half_life.is_none() {
            return aside;
        }
        while let Some(first) = self.first_ahead(&self.tree.best_without(&aside), now_s) {
            aside.push(first);
        }
        aside
    }

    /// Where the blocks up to `tip` leap over the clock: the block after the leap, if it may be left.
    ///
    /// A clock that is behind shows the same, but for the leap: there the times run on evenly from below it to above.
    /// Block 1 starts the timetable itself (P6) and has nothing before it to leap from.
    fn first_ahead(&self, tip: &BlockHash, now_s: u64) -> Option<BlockHash> {
        let on_active =
            |(height, hash): &&(Height, BlockHash)| self.tree.active_at(*height).is_some_and(|node| node.hash == *hash);
        let pinned = self.params.deployment.checkpoints.iter().filter(on_active).map(|(height, _)| *height).max();
        let mut ahead = None;
        for node in self.tree.ancestors(tip) {
            let time = node.header.time;
            if time > now_s.saturating_add(FUTURE_MAX_S) {
                ahead = Some((node.hash, time));
                continue;
            }
            let (first, leaps_to) = ahead?;
            let is_near = leaps_to.saturating_sub(now_s) / TIMES_NEARER > now_s.abs_diff(time);
            return (is_near && node.height >= pinned.unwrap_or(Height(1)).max(Height(1))).then_some(first);
        }
        None
    }
}

#[cfg(test)]
mod tests;
