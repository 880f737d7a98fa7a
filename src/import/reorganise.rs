//! From one tip to another: tried on a snapshot, then taken over whole or dropped whole.

use std::collections::VecDeque;

use dotp2p_chain::block::Block;
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::header_tree::{HeaderTreeError, Reorg};
use dotp2p_chain::height::Height;
use dotp2p_chain::history::Node as HistoryNode;
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::ledger;
use dotp2p_registry::query::undo_changes;
use dotp2p_registry::state::State;
use dotp2p_registry::store::{ChainRow, Commit, HeadRow, RecordKind, decode_undo, encode_undo};
use imbl::Vector;

use super::{ImportError, Importer, history_leaf};

/// A reorganisation on trial.
struct Trial {
    state: State,
    chain: Vector<ChainRow>,
    recent: VecDeque<(Height, State)>,
    commit: Commit,
    disconnected: Vec<Transaction>,
}

impl Importer {
    /// Goes to the best block; gives the last refusal met on the way. `block` is the one that just came.
    pub(super) fn advance(&mut self, hash: &BlockHash, block: &Block) -> Result<Option<ImportError>, ImportError> {
        let mut refused = None;
        loop {
            let (from, to) = (self.tree.active_tip().hash, self.tree.best());
            if from == to {
                return Ok(refused);
            }
            let Some(reorg) = self.tree.reorg(&from, &to) else {
                return Err(HeaderTreeError::Unknown(to).into());
            };
            match self.go(&reorg, hash, block)? {
                Ok(()) => self.tree.set_active_tip(&to)?,
                Err((bad, error)) => {
                    tracing::warn!(block = %bad, %error, "block refused");
                    for rejected in self.tree.reject(&bad) {
                        if let Some(row) = self.head(&rejected)? {
                            self.pending.heads.insert(rejected, HeadRow { rejected: true, ..row });
                        }
                    }
                    refused = Some(error);
                }
            }
        }
    }

    pub(super) fn head(&self, hash: &BlockHash) -> Result<Option<HeadRow>, ImportError> {
        if let Some(row) = self.pending.heads.get(hash) {
            return Ok(Some(*row));
        }
        let row = self.store.lookup().head(hash);
        row.map_err(|error| ImportError::Store(self.store.damaged(error.to_string())))
    }

    /// Disconnects and connects; where a block is refused, everything is as before and the block is named.
    #[allow(clippy::type_complexity, reason = "outer: the store failed; inner: a block was refused")]
    fn go(
        &mut self,
        reorg: &Reorg,
        hash: &BlockHash,
        block: &Block,
    ) -> Result<Result<(), (BlockHash, ImportError)>, ImportError> {
        let pinned = self.params.deployment.checkpoints.iter().map(|(height, _)| *height).filter(|at| *at <= self.tip());
        if let (Some(pinned), Some(first)) = (pinned.max(), reorg.connect.first())
            && reorg.fork < pinned
        {
            return Ok(Err((*first, ImportError::Checkpoint(*first))));
        }
        let mut trial = Trial {
            state: self.state.clone(),
            chain: self.chain.clone(),
            recent: if reorg.disconnect.is_empty() { VecDeque::new() } else { self.recent.clone() },
            commit: Commit::default(),
            disconnected: Vec::new(),
        };
        let mut popped = Vec::new();
        for gone in &reorg.disconnect {
            let node = self.tree.get(gone).ok_or(HeaderTreeError::Unknown(*gone))?;
            popped.push(HistoryNode::leaf(&node.header));
            self.disconnect(&mut trial, node.height)?;
        }
        self.history.truncate(reorg.fork.0 + 1);
        for next in &reorg.connect {
            let stored;
            let body = if next == hash { block } else {
                stored = self.load(next)?;
                &stored
            };
            if let Err(error) = self.connect(&mut trial, next, body)? {
                self.history.truncate(reorg.fork.0 + 1);
                popped.into_iter().rev().flatten().for_each(|leaf| self.history.push(leaf));
                return Ok(Err((*next, error)));
            }
        }
        self.accept(reorg, trial);
        Ok(Ok(()))
    }

    fn load(&self, hash: &BlockHash) -> Result<Block, ImportError> {
        let damaged = |what: String| ImportError::Store(self.store.damaged(what));
        let place = self.head(hash)?.and_then(|row| row.block);
        let place = place.ok_or_else(|| damaged(format!("the body of block {hash} is missing")))?;
        let bytes = self.store.files().read(place).map_err(|error| damaged(error.to_string()))?;
        Block::decode(&bytes, &self.params.rules).map_err(|error| damaged(format!("block {hash}: {error}")))
    }

    fn disconnect(&self, trial: &mut Trial, height: Height) -> Result<(), ImportError> {
        let damaged = |what: String| ImportError::Store(self.store.damaged(what));
        let row = trial.chain.pop_back().ok_or_else(|| damaged("the chain is empty".to_owned()))?;
        let undo = row.undo.ok_or_else(|| damaged(format!("block {} has no undo", row.hash)))?;
        let files = self.store.files();
        let bytes = files.read(undo).map_err(|error| damaged(error.to_string()))?;
        let before = decode_undo(&bytes).ok_or_else(|| damaged(format!("the undo of block {} is broken", row.hash)))?;
        let changes = undo_changes(&trial.state, before);
        ledger::disconnect_block(&mut trial.state, &changes);
        trial.commit.disconnect(&changes);
        trial.commit.chain.insert(height, None);
        while trial.recent.back().is_some_and(|(at, _)| *at >= height) {
            trial.recent.pop_back();
        }
        let block = files.read(row.block).map_err(|error| damaged(error.to_string()))?;
        let block = Block::decode(&block, &self.params.rules)?;
        trial.disconnected.splice(0..0, block.transactions);
        Ok(())
    }

    /// The inner error refuses the block, the outer one is the store's.
    fn connect(
        &mut self,
        trial: &mut Trial,
        hash: &BlockHash,
        block: &Block,
    ) -> Result<Result<(), ImportError>, ImportError> {
        let roots = &block.head.roots;
        if roots.history_root != self.history.root() {
            return Ok(Err(ImportError::History(*hash)));
        }
        let connected = match ledger::connect_block(&mut trial.state, block, &self.params) {
            Ok(connected) => connected,
            Err(error) => return Ok(Err(ImportError::Ledger { hash: *hash, error })),
        };
        let place = self.head(hash)?.and_then(|row| row.block).unwrap_or_default();
        let undo = self.append(RecordKind::Undo, &encode_undo(&connected.changes))?;
        self.history.push(history_leaf(&block.head)?);
        let before = trial.chain.last().copied();
        let (burned, issued) = before.map_or((0, 0), |row| (row.burned, row.issued));
        let row = ChainRow {
            hash: *hash,
            block: place,
            undo: Some(undo),
            burned: burned.saturating_add(connected.tally.burned.atoms()),
            issued: issued.saturating_add(self.params.rules.subsidy_at(roots.height).atoms()),
        };
        trial.chain.push_back(row);
        trial.commit.connect(&connected.changes);
        trial.commit.chain.insert(roots.height, Some(row));
        let chain_id = &self.params.chain_id;
        let txids = block.transactions.iter().map(|tx| tx.txid(chain_id)).collect();
        trial.commit.transactions.insert(roots.height, txids);
        trial.recent.push_back((roots.height, trial.state.clone()));
        Ok(Ok(()))
    }

    fn accept(&mut self, reorg: &Reorg, mut trial: Trial) {
        self.state = trial.state;
        self.chain = trial.chain;
        if reorg.disconnect.is_empty() {
            self.recent.append(&mut trial.recent);
        } else {
            self.recent = trial.recent;
        }
        let keep = usize::try_from(self.params.deployment.dns_confirmations).unwrap_or(usize::MAX).saturating_add(1);
        while self.recent.len() > keep {
            self.recent.pop_front();
        }
        self.pending.rows.append(&mut trial.commit.rows);
        self.pending.chain.append(&mut trial.commit.chain);
        self.pending.transactions.append(&mut trial.commit.transactions);
        let (tip, c) = (self.tip(), self.params.deployment.dns_confirmations);
        if reorg.disconnect.len() >= 2 {
            let before = Height(reorg.fork.0.saturating_add(u32::try_from(reorg.disconnect.len()).unwrap_or(u32::MAX)));
            let in_force = self.pending.meta.hold.filter(|(_, end)| before.0 < end.0.saturating_add(c));
            let fork = in_force.map_or(reorg.fork, |(fork, _)| fork.min(reorg.fork));
            self.pending.meta.hold = Some((fork, tip));
        }
        self.pending.meta.serial = self.pending.meta.serial.wrapping_add(1);
        self.disconnected.splice(0..0, trial.disconnected);
        self.moved = true;
    }
}
