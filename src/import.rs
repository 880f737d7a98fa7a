//! The only writer: a block in, the tip out.
//!
//! check (context-free, signatures on all cores; [`CheckedBlock`]) → header tree → ledger → one durable write → publish.
//! A reorganisation is tried on a snapshot, so one that fails leaves nothing behind. Callers hear of a block only after
//! the write that a power cut cannot undo.

mod ahead;
mod checked;
mod conflicts;
mod heads;
mod pipeline;
mod reorganise;
mod settle;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::BlockHead;
use dotp2p_chain::check::{self, BlockError};
use dotp2p_chain::hash::{BlockHash, Txid};
use dotp2p_chain::header_tree::{HeaderTree, HeaderTreeError, Status};
use dotp2p_chain::height::Height;
use dotp2p_chain::history::{History, Node as HistoryNode};
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::conflict::Conflicts;
use dotp2p_registry::mempool::{self, Dropped, Mempool, PoolError};
use dotp2p_registry::query::{Reorganisations, Unsettled};
use dotp2p_registry::state::State;
use dotp2p_registry::store::{ChainRow, Commit, End, HeadRow, Loaded, Place, RecordKind, Store, StoreError};
use imbl::Vector;

pub use self::checked::{CheckedBlock, ImportError};
pub use self::pipeline::{Refusal, Spent};

/// Ids of transactions that take as much memory until they are written as a row of the state does.
const TXIDS_A_ROW: usize = 8;

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is on the active chain.
    Active,
    /// It is kept on a branch of less work, or waits for a parent's body.
    Side,
    /// It was here before.
    Known,
}

/// The writer's state: see the [module](self).
pub struct Importer {
    params: Arc<Params>,
    store: Store,
    tree: HeaderTree,
    history: History,
    state: State,
    chain: Vector<ChainRow>,
    /// States of the last blocks, the tip's last: whose owners DNS serves is decided by one of them (L2).
    recent: VecDeque<(Height, State)>,
    /// Whether a run of blocks is imported, between which nobody is served.
    in_run: bool,
    settled: (Height, State),
    /// Names whose owner changed after the settled block, with what is served instead.
    unsettled: Arc<Unsettled>,
    /// The block at which they were found.
    unsettled_at: (Height, BlockHash),
    tip_head: BlockHead,
    pool: Mempool,
    /// What the next durable write will hold.
    pending: Commit,
    /// Ids of transactions in it.
    pending_txids: usize,
    /// What is being written meanwhile, in a run of blocks.
    writing: Option<Arc<Commit>>,
    disconnected: Vec<Arc<Transaction>>,
    /// Their ids; whether a block that was connected later has them again.
    is_back: HashMap<Txid, bool>,
    conflicts: Conflicts,
    reorganisations: Reorganisations,
    moved: bool,
    /// Whether something waits to be written that peers would not simply give again.
    is_owed: bool,
    /// Where branches begin that a mended clock shows to lie ahead of it (L11).
    aside: Vec<BlockHash>,
    failed: Option<String>,
}

/// How a start went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The tip's height.
    pub tip: Height,
    /// Blocks that were read from the block files because the database did not have them.
    pub reindexed: u64,
}

impl Importer {
    /// Opens the store and takes up where it ended; with `reindex`, rebuilds everything from the block files.
    ///
    /// `progress` hears how many blocks were reindexed so far.
    pub fn open(
        store: Store,
        loaded: Loaded,
        params: Arc<Params>,
        limits: mempool::Limits,
        progress: impl FnMut(u64),
    ) -> Result<(Self, Opened), ImportError> {
        Self::open_at(store, loaded, params, limits, u64::MAX, progress)
    }

    /// As [`Importer::open`], by a clock (Unix seconds) that blocks in the folder may be ahead of (L11).
    pub fn open_at(
        store: Store,
        loaded: Loaded,
        params: Arc<Params>,
        limits: mempool::Limits,
        now_s: u64,
        progress: impl FnMut(u64),
    ) -> Result<(Self, Opened), ImportError> {
        // A rebuild that was interrupted left a chain that is whole but short: it must not pass for all there is.
        let end = loaded.meta.end;
        let rebuild = loaded.chain.is_empty() || loaded.meta.reindexing;
        let mut importer =
            if rebuild { Self::genesis(store, params, limits)? } else { Self::restore(store, loaded, params, limits)? };
        let mut reindexed = 0;
        if rebuild {
            reindexed = importer.import_files(End::default(), progress)?;
            importer.pending.meta.reindexing = false;
            importer.write()?;
        } else {
            importer.aside = importer.blocks_ahead(now_s);
            if !importer.aside.is_empty() {
                tracing::warn!("blocks in the folder lie ahead of the clock and are kept aside until it is near (L11)");
            }
            importer.advance(None)?;
            // Blocks that came whole before a kill and were not committed: taken now, in the order of the files, so that a
            // rebuild from the files finds the same tip at equal work; but for bodies that came before their parent's, in
            // another order than their headers.
            importer.import_files(end, progress)?;
        }
        importer.clock_moved(now_s)?;
        if importer.has_pending() {
            importer.write()?;
        }
        importer.moved = false;
        importer.forget_disconnected();
        importer.settle()?;
        let tip = importer.tip();
        Ok((importer, Opened { tip, reindexed }))
    }

    fn genesis(mut store: Store, params: Arc<Params>, limits: mempool::Limits) -> Result<Self, ImportError> {
        store.clear()?;
        let genesis = &params.genesis;
        let block = store.append(RecordKind::Block, &genesis.encode())?;
        let hash = genesis.hash();
        let state = State::genesis();
        let row = ChainRow { hash, block, undo: None, burned: 0, issued: 0 };
        let mut pending = Commit::default();
        pending.rows.extend(state.tree().leaves().filter_map(|leaf| Some((leaf.key()?, Some(leaf.clone())))));
        pending.chain.insert(Height::GENESIS, Some(row));
        let head = HeadRow { sequence: 0, head: genesis.head, block: Some(block), rejected: false };
        pending.heads.insert(hash, head);
        pending.meta.sequence = 1;
        pending.meta.reindexing = true;
        store.commit(&pending)?;
        let mut history = History::default();
        history.push(history_leaf(&genesis.head)?);
        let tree = HeaderTree::new(&genesis.head.header);
        let pending = Commit { meta: pending.meta, ..Commit::default() };
        let head = params.genesis.head;
        Ok(Self::new(store, params, tree, history, state, Vector::unit(row), head, limits, pending))
    }

    #[allow(clippy::too_many_arguments, reason = "the two ways to start give the same nine parts")]
    fn new(
        store: Store,
        params: Arc<Params>,
        tree: HeaderTree,
        history: History,
        state: State,
        chain: Vector<ChainRow>,
        tip_head: BlockHead,
        limits: mempool::Limits,
        pending: Commit,
    ) -> Self {
        let tip = Height(importer_tip(&chain));
        let conflicts = conflicts::load(store.dir());
        Self {
            params,
            store,
            tree,
            history,
            recent: VecDeque::from([(tip, state.clone())]),
            in_run: false,
            settled: (tip, state.clone()),
            unsettled: Arc::default(),
            unsettled_at: (Height::GENESIS, BlockHash::ZERO),
            state,
            chain,
            tip_head,
            pool: Mempool::new(limits),
            pending,
            writing: None,
            pending_txids: 0,
            disconnected: Vec::new(),
            is_back: HashMap::new(),
            conflicts,
            reorganisations: Reorganisations::default(),
            moved: false,
            is_owed: false,
            aside: Vec::new(),
            failed: None,
        }
    }

    fn restore(
        store: Store,
        loaded: Loaded,
        params: Arc<Params>,
        limits: mempool::Limits,
    ) -> Result<Self, ImportError> {
        let damaged = |what: String| ImportError::Store(store.damaged(what));
        if loaded.chain.first().map(|row| row.hash) != Some(params.genesis.hash()) {
            return Err(damaged("the stored chain does not begin with this network's genesis".to_owned()));
        }
        let mut tree = HeaderTree::new(&params.genesis.head.header);
        // A head may have come long before its body, whose arrival gave it a later number: parents go by height.
        let mut by_height: Vec<_> = loaded.heads.iter().map(|(hash, row)| (row.head.roots.height, hash, row)).collect();
        by_height.sort_by_key(|(height, ..)| *height);
        for (_, hash, row) in by_height.iter().filter(|(height, ..)| *height != Height::GENESIS) {
            match tree.insert(&row.head.header) {
                // One that was refused for its height, written by an earlier version.
                Err(HeaderTreeError::UnknownParent(_)) if row.rejected => {}
                Err(error) => return Err(damaged(format!("header {hash}: {error}"))),
                Ok(_) => {}
            }
        }
        let is_whole = |row: &HeadRow| row.block.is_some() && !row.rejected && row.head.roots.height != Height::GENESIS;
        // The stored chain's first: of two branches of the same work the one connected first stays (B16), and which that was
        // is not to be told from the bodies' order. Of a torn commit the row of a head may be older than its body.
        let active: HashMap<BlockHash, Place> = loaded.chain.iter().skip(1).map(|row| (row.hash, row.block)).collect();
        let others = loaded.heads.iter().filter(|(hash, row)| is_whole(row) && !active.contains_key(hash));
        for hash in loaded.chain.iter().skip(1).map(|row| &row.hash).chain(others.map(|(hash, _)| hash)) {
            tree.body_arrived(hash).map_err(|error| damaged(format!("block {hash}: {error}")))?;
        }
        let older =
            loaded.heads.iter().filter(|(_, row)| row.block.is_none()).filter_map(|(hash, row)| {
                active.get(hash).map(|place| (*hash, HeadRow { block: Some(*place), ..*row }))
            });
        let heads = older.collect();
        let mut history = History::default();
        let mut tip_head = params.genesis.head;
        let mut below = params.genesis.head.header.prev_blockhash;
        for row in &loaded.chain {
            let node = tree.get(&row.hash).ok_or_else(|| damaged(format!("header {} is missing", row.hash)))?;
            if node.header.prev_blockhash != below {
                return Err(damaged(format!("block {} of the stored chain is not on the one below it", row.hash)));
            }
            below = row.hash;
            let leaf = HistoryNode::leaf(&node.header).ok_or_else(|| damaged(format!("bits of {}", row.hash)))?;
            history.push(leaf);
        }
        if let Some(tip) = loaded.chain.last() {
            tree.set_active_tip(&tip.hash)?;
            // Rejected only now, for nothing can be inserted above a rejected header. A release may have pinned other
            // blocks since these were taken, the tip's branch among them: whoever advances leaves it.
            for (hash, row) in &loaded.heads {
                let pinned = check::check_checkpoint(&row.head.header, row.head.roots.height, &params);
                if row.rejected || pinned.is_err() {
                    tree.reject(hash);
                }
            }
            let head = loaded.heads.iter().find(|(hash, _)| *hash == tip.hash);
            tip_head =
                head.map(|(_, row)| row.head).ok_or_else(|| damaged("the tip's header is missing".to_owned()))?;
        }
        let state = loaded.state;
        if state.root() != tip_head.roots.state_root {
            let (found, expected) = (state.root(), tip_head.roots.state_root);
            return Err(damaged(format!("the stored state has root {found}, the tip commits to {expected}")));
        }
        let pending = Commit { meta: loaded.meta, heads, ..Commit::default() };
        Ok(Self::new(store, params, tree, history, state, loaded.chain.into(), tip_head, limits, pending))
    }

    /// The tip's height.
    #[must_use]
    pub fn tip(&self) -> Height {
        Height(importer_tip(&self.chain))
    }

    /// Takes a checked block, without making it durable yet: [`Importer::commit`] does.
    ///
    /// `now_s`: the node's clock in Unix seconds.
    pub fn import(&mut self, checked: CheckedBlock, now_s: u64) -> Result<Imported, ImportError> {
        if let Some(reason) = &self.failed {
            return Err(ImportError::Stopped(reason.clone()));
        }
        check::check_clock(checked.block.head.header.time, now_s, &self.params.rules)?;
        self.take(checked, None)
    }

    fn take(&mut self, checked: CheckedBlock, place: Option<Place>) -> Result<Imported, ImportError> {
        let CheckedBlock { block, encoded, hash, bad_signature } = checked;
        if let Some(node) = self.tree.get(&hash) {
            match node.status {
                Status::Rejected => return Err(HeaderTreeError::Rejected(hash).into()),
                Status::Body | Status::Connected { .. } => return Ok(Imported::Known),
                Status::Header => {}
            }
        }
        let parent = block.head.header.prev_blockhash;
        let context = self.tree.context(&parent).ok_or(HeaderTreeError::UnknownParent(parent))?;
        check::check_header(&block.head.header, &context, &self.params)?;
        self.tree.insert(&block.head.header)?;
        if let Err(error) = check::check_height(&block.head.roots, context.parent_height) {
            // Not written: a start puts heads in order by the height that stands in them.
            self.tree.reject(&hash);
            return Err(error.into());
        }
        let sequence = self.pending.meta.sequence;
        self.pending.meta.sequence += 1;
        let mut head = HeadRow { sequence, head: block.head, block: None, rejected: true };
        if let Some(at) = bad_signature {
            self.note(hash, head);
            self.tree.reject(&hash);
            return Err(BlockError::Signature { at }.into());
        }
        let place = match place {
            Some(place) => place,
            None => self.append(RecordKind::Block, &encoded)?,
        };
        head = HeadRow { block: Some(place), rejected: false, ..head };
        self.note(hash, head);
        self.tree.body_arrived(&hash)?;
        let refused = self.advance(Some((&hash, &block)));
        if self.in_run {
            // Thousands of small pieces: whoever has time gives them back.
            rayon::spawn(move || drop((block, encoded)));
        }
        match refused? {
            Some(error) if self.tree.get(&hash).is_some_and(|node| node.status == Status::Rejected) => Err(error),
            _ if self.tree.is_active(&hash) => Ok(Imported::Active),
            _ => Ok(Imported::Side),
        }
    }

    /// Has what is known of a block's body written with the next write.
    fn note(&mut self, hash: BlockHash, row: HeadRow) {
        self.pending.heads.insert(hash, row);
        self.is_owed = true;
    }

    fn append(&mut self, kind: RecordKind, bytes: &[u8]) -> Result<Place, ImportError> {
        let place = self.store.append(kind, bytes);
        if let Err(error) = &place {
            self.failed = Some(error.to_string());
        }
        Ok(place?)
    }

    /// Takes a transaction whose signatures are good into the pool.
    ///
    /// `age_s`: seconds of a clock that is never set, such as since the start.
    ///
    /// The outer error: nothing is written any more, so nothing can be mined here either.
    pub fn submit(&mut self, transaction: Transaction, age_s: u64) -> Result<Result<Txid, PoolError>, ImportError> {
        if let Some(reason) = &self.failed {
            return Err(ImportError::Stopped(reason.clone()));
        }
        let tip = self.tip();
        Ok(self.pool.add(transaction, &self.state, tip, &self.params, age_s))
    }

    /// Whether anything waits to be made durable.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.heads.is_empty() || self.moved
    }

    /// Whether heads without bodies are all that waits: a write of their own would cost as much as one of the blocks that
    /// follow, and who loses them is given them again.
    #[must_use]
    pub fn has_only_heads(&self) -> bool {
        !self.pending.heads.is_empty() && !self.moved && !self.is_owed
    }

    /// Rows that wait to be made durable, and what takes as much memory: ids of transactions by the row.
    #[must_use]
    pub fn pending_rows(&self) -> usize {
        self.pending.rows.len() + self.pending.heads.len() + self.pending_txids / TXIDS_A_ROW
    }

    /// Makes everything imported so far durable, then brings pool and served owners up to the new tip.
    ///
    /// `age_s`: as for [`Importer::submit`].
    pub fn commit(&mut self, age_s: u64) -> Result<(), ImportError> {
        if let Some(reason) = &self.failed {
            return Err(ImportError::Stopped(reason.clone()));
        }
        if !self.has_pending() {
            return Ok(());
        }
        self.write()?;
        if self.moved {
            if let Err(error) = self.settle() {
                self.failed = Some(error.to_string());
                return Err(error);
            }
            self.moved = false;
            let disconnected = std::mem::take(&mut self.disconnected);
            let is_back = std::mem::take(&mut self.is_back);
            let tip = self.tip();
            let dropped = self.pool.tip_moved(disconnected.clone(), &self.state, tip, &self.params, age_s);
            for Dropped { txid, error, .. } in &dropped {
                match error {
                    Some(error) => tracing::info!(%txid, %error, "dropped from the pool"),
                    None => tracing::info!(%txid, "dropped from the pool, which is full of better ones"),
                }
            }
            self.note_conflicts(&disconnected, &is_back, &dropped);
        }
        Ok(())
    }

    /// There is no pool yet that they would go back to.
    fn forget_disconnected(&mut self) {
        self.disconnected.clear();
        self.is_back.clear();
    }

    fn write(&mut self) -> Result<(), ImportError> {
        let written = self.store.commit(&self.pending);
        self.written(written)?;
        self.take_pending();
        Ok(())
    }

    /// After a write that failed nothing is taken any more.
    fn written<T>(&mut self, written: Result<T, StoreError>) -> Result<T, ImportError> {
        if let Err(error) = &written {
            tracing::error!(%error, "cannot write; the node answers from what it has and takes nothing new");
            self.failed = Some(error.to_string());
        }
        Ok(written?)
    }

    /// What waits to be written; from now on nothing does.
    fn take_pending(&mut self) -> Commit {
        self.is_owed = false;
        self.pending_txids = 0;
        let next = Commit { meta: self.pending.meta, ..Commit::default() };
        std::mem::replace(&mut self.pending, next)
    }

    /// Ends, leaving a copy of the state for the next start.
    ///
    /// Without it nothing is lost: whatever is durable was so before.
    pub fn close(mut self) {
        if self.failed.is_some() || self.has_pending() && self.write().is_err() {
            return;
        }
        let tip = self.tree.active_tip().hash;
        if let Err(error) = self.store.copy_state(&tip, self.state.tree().leaves()) {
            tracing::warn!(%error, "the next start takes longer");
        }
    }

    /// Bytes on disk: database and block files.
    pub fn disk_bytes(&self) -> std::io::Result<(u64, u64)> {
        self.store.disk_bytes()
    }

    /// Coins issued and burned up to the tip.
    #[must_use]
    pub fn supply(&self) -> (Amount, Amount) {
        let row = self.chain.last();
        let atoms = row.map_or((0, 0), |row| (row.issued, row.burned));
        (Amount::from_atoms(atoms.0), Amount::from_atoms(atoms.1))
    }
}

fn importer_tip(chain: &Vector<ChainRow>) -> u32 {
    u32::try_from(chain.len().saturating_sub(1)).unwrap_or(u32::MAX)
}

fn history_leaf(head: &BlockHead) -> Result<HistoryNode, ImportError> {
    HistoryNode::leaf(&head.header).ok_or(ImportError::Tree(HeaderTreeError::Bits(head.header.bits)))
}
