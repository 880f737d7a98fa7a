//! From one tip to another: tried on a snapshot, then taken over whole or dropped whole.

use std::collections::VecDeque;
use std::sync::Arc;

use dotp2p_chain::block::{Block, BlockHead};
use dotp2p_chain::entry::EntryKey;
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::header_tree::{HeaderTreeError, Reorg};
use dotp2p_chain::height::Height;
use dotp2p_chain::history::Node as HistoryNode;
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::ledger::{self, Connected};
use dotp2p_registry::query::undo_changes;
use dotp2p_registry::state::State;
use dotp2p_registry::state_tree::Leaf;
use dotp2p_registry::store::{ChainRow, Commit, HeadRow, RecordKind, decode_undo, encode_undo};
use imbl::Vector;

use super::{ImportError, Importer, history_leaf};

/// The longest hold: a day of main's blocks.
const HOLD_MAX: u32 = 1_440;

/// A reorganisation on trial.
struct Trial {
    state: State,
    chain: Vector<ChainRow>,
    head: BlockHead,
    recent: VecDeque<(Height, State)>,
    /// Rows that changed, the last of each the valid one.
    rows: Vec<(EntryKey, Option<Leaf>)>,
    /// The rest of what is to be written.
    commit: Commit,
    /// The transactions of each block taken back, the tip's first.
    disconnected: Vec<Vec<Transaction>>,
}

/// A block that is refused, and why.
type Refusal = (BlockHash, ImportError);

impl Importer {
    /// Goes to the best block; gives the last refusal met on the way. `came` is the block that just came, if one did.
    ///
    /// The outer error is the store's: then nothing is taken any more, for what is on disk cannot be told.
    pub(super) fn advance(&mut self, came: Option<(&BlockHash, &Block)>) -> Result<Option<ImportError>, ImportError> {
        let advanced = self.try_advance(came);
        if let Err(error) = &advanced {
            self.failed = Some(error.to_string());
        }
        advanced
    }

    fn try_advance(&mut self, came: Option<(&BlockHash, &Block)>) -> Result<Option<ImportError>, ImportError> {
        let mut refused = None;
        loop {
            let (from, to) = (self.tree.active_tip().hash, self.tree.best_without(&self.aside));
            if from == to {
                return Ok(refused);
            }
            let Some(reorg) = self.tree.reorg(&from, &to) else {
                return Err(HeaderTreeError::Unknown(to).into());
            };
            match self.go(&reorg, came)? {
                Ok(()) => self.tree.set_active_tip(&to)?,
                Err((bad, error)) => {
                    tracing::warn!(block = %bad, %error, "block refused");
                    for rejected in self.tree.reject(&bad) {
                        if let Some(row) = self.head(&rejected)? {
                            self.note(rejected, HeadRow { rejected: true, ..row });
                        }
                    }
                    refused = Some(error);
                }
            }
        }
    }

    pub(super) fn head(&self, hash: &BlockHash) -> Result<Option<HeadRow>, ImportError> {
        let unwritten = [Some(&self.pending), self.writing.as_deref()];
        if let Some(row) = unwritten.into_iter().flatten().find_map(|commit| commit.heads.get(hash)) {
            return Ok(Some(*row));
        }
        let row = self.store.lookup().head(hash);
        row.map_err(|error| ImportError::Store(self.store.damaged(error.to_string())))
    }

    /// Disconnects and connects; where a block is refused, or the store fails, everything is as before.
    ///
    /// The inner error names the block that is refused, the outer one is the store's.
    fn go(&mut self, reorg: &Reorg, came: Option<(&BlockHash, &Block)>) -> Result<Result<(), Refusal>, ImportError> {
        let on_active = |(height, hash): &(Height, BlockHash)| {
            let active = self.tree.active_at(*height).is_some_and(|node| node.hash == *hash);
            active.then_some(*height)
        };
        let pinned = self.params.deployment.checkpoints.iter().filter_map(on_active).max();
        if let (Some(pinned), Some(first)) = (pinned, reorg.connect.first())
            && reorg.fork < pinned
        {
            return Ok(Err((*first, ImportError::Checkpoint(*first))));
        }
        let gone = reorg.disconnect.iter().map(|hash| {
            let node = self.tree.get(hash).ok_or(HeaderTreeError::Unknown(*hash))?;
            HistoryNode::leaf(&node.header).ok_or(HeaderTreeError::Bits(node.header.bits))
        });
        let gone: Vec<HistoryNode> = gone.collect::<Result<_, _>>()?;
        self.history.truncate(reorg.fork.0 + 1);
        let (in_place, mut trial) = self.begin(reorg);
        let followed = self.follow(reorg, came, &mut trial);
        if let Ok(Ok(())) = followed {
            self.accept(reorg, trial);
        } else {
            self.restore_history(reorg, gone);
            if in_place {
                self.state = trial.state;
            }
        }
        followed
    }

    fn restore_history(&mut self, reorg: &Reorg, gone: Vec<HistoryNode>) {
        self.history.truncate(reorg.fork.0 + 1);
        gone.into_iter().rev().for_each(|leaf| self.history.push(leaf));
    }

    /// A trial that begins where the chain stands; whether it has the state itself, to be given back, or a snapshot.
    fn begin(&mut self, reorg: &Reorg) -> (bool, Trial) {
        // One block more needs no snapshot to go back to: refused, it leaves the state as it was. To what is shared with a
        // snapshot every change is a copy of all nodes above it.
        let in_place = matches!((reorg.disconnect.as_slice(), reorg.connect.as_slice()), ([], [_]));
        let trial = Trial {
            state: if in_place { std::mem::take(&mut self.state) } else { self.state.clone() },
            chain: self.chain.clone(),
            head: self.tip_head,
            recent: self.recent.clone(),
            rows: Vec::new(),
            commit: Commit::default(),
            disconnected: Vec::new(),
        };
        (in_place, trial)
    }

    /// Disconnects and connects on `trial`; where the last block fails, its state is that before it.
    fn follow(
        &mut self,
        reorg: &Reorg,
        came: Option<(&BlockHash, &Block)>,
        trial: &mut Trial,
    ) -> Result<Result<(), Refusal>, ImportError> {
        for _ in &reorg.disconnect {
            self.disconnect(trial)?;
        }
        for next in &reorg.connect {
            let stored;
            let body = match came {
                Some((hash, block)) if hash == next => block,
                _ => {
                    stored = self.load(next)?;
                    &stored
                }
            };
            if let Err(error) = self.connect(trial, next, body)? {
                return Ok(Err((*next, error)));
            }
        }
        Ok(Ok(()))
    }

    fn load(&self, hash: &BlockHash) -> Result<Block, ImportError> {
        let damaged = |what: String| ImportError::Store(self.store.damaged(what));
        let place = self.head(hash)?.and_then(|row| row.block);
        let place = place.ok_or_else(|| damaged(format!("the body of block {hash} is missing")))?;
        let bytes = self.store.files().read(place).map_err(|error| damaged(error.to_string()))?;
        Block::decode(&bytes, &self.params.rules).map_err(|error| damaged(format!("block {hash}: {error}")))
    }

    fn disconnect(&self, trial: &mut Trial) -> Result<(), ImportError> {
        let damaged = |what: String| ImportError::Store(self.store.damaged(what));
        let row = trial.chain.pop_back().ok_or_else(|| damaged("the chain is empty".to_owned()))?;
        let undo = row.undo.ok_or_else(|| damaged(format!("block {} has no undo", row.hash)))?;
        let files = self.store.files();
        let bytes = files.read(undo).map_err(|error| damaged(error.to_string()))?;
        let before = decode_undo(&bytes).ok_or_else(|| damaged(format!("the undo of block {} is broken", row.hash)))?;
        let changes = undo_changes(&trial.state, before);
        ledger::disconnect_block(&mut trial.state, &changes);
        trial.rows.extend(changes.into_iter().map(|change| (change.key, change.before)));
        let height = Height(super::importer_tip(&trial.chain)).next();
        trial.commit.chain.insert(height, None);
        // Where nothing is connected after, this is the tip.
        let below = trial.chain.last().ok_or_else(|| damaged("genesis cannot be taken back".to_owned()))?;
        let head = self.head(&below.hash)?.ok_or_else(|| damaged(format!("header {} is missing", below.hash)))?;
        trial.head = head.head;
        while trial.recent.back().is_some_and(|(at, _)| *at >= height) {
            trial.recent.pop_back();
        }
        let block = files.read(row.block).map_err(|error| damaged(error.to_string()))?;
        let block = Block::decode(&block, &self.params.rules)?;
        trial.disconnected.push(block.transactions);
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
        let recorded = self.record(trial, hash, block, &connected);
        if let Err(error) = recorded {
            ledger::disconnect_block(&mut trial.state, &connected.changes);
            return Err(error);
        }
        trial.rows.extend(connected.changes.into_iter().map(|change| (change.key, change.after)));
        Ok(Ok(()))
    }

    /// Notes what a connected block changed, for the next durable write and for the way back.
    fn record(
        &mut self,
        trial: &mut Trial,
        hash: &BlockHash,
        block: &Block,
        connected: &Connected,
    ) -> Result<(), ImportError> {
        let roots = &block.head.roots;
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
        trial.commit.chain.insert(roots.height, Some(row));
        let chain_id = &self.params.chain_id;
        let txids = block.transactions.iter().map(|tx| tx.txid(chain_id)).collect();
        trial.commit.transactions.insert(roots.height, txids);
        trial.head = block.head;
        if !self.in_run {
            trial.recent.push_back((roots.height, trial.state.clone()));
        }
        let keep = usize::try_from(self.params.deployment.dns_confirmations).unwrap_or(usize::MAX).saturating_add(1);
        while trial.recent.len() > keep {
            trial.recent.pop_front();
        }
        Ok(())
    }

    fn accept(&mut self, reorg: &Reorg, trial: Trial) {
        self.state = trial.state;
        self.chain = trial.chain;
        self.tip_head = trial.head;
        self.recent = trial.recent;
        // Not `append`, which rebuilds the whole map: what waits may be a hundred times what a block adds.
        self.pending.rows.extend(trial.rows);
        self.pending.chain.extend(trial.commit.chain);
        self.pending_txids += trial.commit.transactions.values().map(Vec::len).sum::<usize>();
        let lost = trial.disconnected.into_iter().rev().flatten().map(Arc::new);
        let before = self.disconnected.len();
        self.disconnected.extend(lost);
        for transaction in self.disconnected.iter().skip(before) {
            self.is_back.insert(transaction.txid(&self.params.chain_id), false);
        }
        if !self.is_back.is_empty() {
            for txid in trial.commit.transactions.values().flatten() {
                self.is_back.entry(*txid).and_modify(|is_back| *is_back = true);
            }
        }
        self.pending.transactions.extend(trial.commit.transactions);
        let left = u32::try_from(reorg.disconnect.len()).unwrap_or(u32::MAX);
        if left > 0 {
            self.reorganisations.count += 1;
            self.reorganisations.deepest = self.reorganisations.deepest.max(left);
        }
        if left >= 2 {
            self.reorganisations.deep += 1;
            self.hold(reorg.fork, left);
        }
        self.pending.meta.serial = self.pending.meta.serial.wrapping_add(1);
        self.moved = true;
    }

    /// Holds owners back for twice as many blocks as were left: whoever brought so many at once has more ready. Rule L3.
    fn hold(&mut self, fork: Height, left: u32) {
        let (tip, c) = (self.tip(), self.params.deployment.dns_confirmations);
        let before = Height(fork.0.saturating_add(left));
        let end = Height(tip.0.saturating_add(c.max(left.saturating_mul(2).min(HOLD_MAX))));
        let in_force = self.pending.meta.hold.filter(|(_, end)| before < *end);
        let (from, end) = in_force.map_or((fork, end), |(f, e)| (f.min(fork), e.max(end)));
        self.pending.meta.hold = Some((from, end));
        tracing::warn!(
            %fork, left, %tip, until = %end,
            "deep reorganisation: changed owners are held back in DNS (L3)"
        );
    }
}
