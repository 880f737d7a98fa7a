//! What may be asked of the registry: an immutable view of one tip.
//!
//! A [`Reader`] is taken once a request, so that everything it says belongs to one block. It holds snapshots, no locks;
//! what is old is read from the block files through the undo records.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use dotp2p_chain::block::{Block, BlockHead};
use dotp2p_chain::check::HeaderContext;
use dotp2p_chain::codec::DecodeError;
use dotp2p_chain::entry::{EntryKey, Stage};
use dotp2p_chain::hash::{BlockHash, HistoryRoot, Txid};
use dotp2p_chain::header_tree::Status;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::params::Params;
use dotp2p_chain::pow::Work;
use dotp2p_chain::proof::NameProof;
use imbl::Vector;

use crate::conflict::Conflicts;
use crate::mempool::Mempool;
use crate::row::{NameRow, Row};
use crate::state::State;
use crate::state_tree::{Leaf, TOGETHER};
use crate::store::{BlockFiles, ChainRow, HeadRow, Lookup, Meta, decode_undo};
use crate::view::Change;

/// Why something old cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Above the tip.
    #[error("height {height} is above the tip, {tip}")]
    Height {
        /// As asked.
        height: Height,
        /// The tip's.
        tip: Height,
    },
    /// Not known here.
    #[error("block {0} is not known")]
    UnknownBlock(BlockHash),
    /// The block files or the database failed.
    #[error("{0}; start once with --reindex if this persists")]
    Io(#[from] io::Error),
    /// A stored block does not decode.
    #[error("a stored block does not decode: {0}; start once with --reindex")]
    Decode(#[from] DecodeError),
    /// A stored undo does not decode.
    #[error("the undo of block {0} does not decode; start once with --reindex")]
    Undo(Height),
}

/// The active chain and the state at its tip, with what makes older states.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The network.
    pub params: Arc<Params>,
    /// The tip's height.
    pub tip: Height,
    /// The tip's header, roots and work.
    pub head: BlockHead,
    /// Work of the whole active chain.
    pub work: Work,
    /// The height of the best header known, whose body may still be missing.
    pub headers: Height,
    /// Work of the chain up to that header.
    pub headers_work: Work,
    /// What judging the next header reads.
    pub next_context: HeaderContext,
    /// The history root that the next block commits to.
    pub next_history: HistoryRoot,
    /// The state after the tip.
    pub state: State,
    /// The block that decides who is served (L2, L3), and the state after it.
    pub settled: (Height, State),
    /// Names whose owner changed after that block, with what is served instead (L4).
    pub unsettled: Arc<Unsettled>,
    /// The active chain from genesis on.
    pub chain: Vector<ChainRow>,
    /// The pool.
    pub pool: Arc<Mempool>,
    /// Records served before they are mined (L5).
    pub provisional: Arc<BTreeMap<Name, Vec<u8>>>,
    /// Ends of branches that are not refused, the best first; the active tip among them.
    pub branches: Arc<Vec<Branch>>,
    /// What reorganisations undid for good.
    pub conflicts: Conflicts,
    /// Branches that are kept aside because they lie ahead of the clock (L11).
    pub aside: usize,
    /// How often the chain was reorganised.
    pub reorganisations: Reorganisations,
    /// Serial and hold.
    pub meta: Meta,
    /// Block bodies and undo.
    pub files: Arc<BlockFiles>,
    /// Finds headers and transactions.
    pub lookup: Lookup,
}

/// Reorganisations since the start: moves that left blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reorganisations {
    /// How many.
    pub count: u64,
    /// Those that left two blocks or more, which do not happen by chance and slowness alone (L3).
    pub deep: u64,
    /// The most blocks that one left.
    pub deepest: u32,
}

/// The end of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The last block.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// Blocks after the last that is on the active chain too; 0 for the active tip.
    pub len: u32,
    /// How far its last block has come.
    pub status: Status,
}

/// Names whose owner at the settled block is not today's, each with the row that is served instead (L4).
pub type Unsettled = BTreeMap<Name, Option<Arc<NameRow>>>;

/// One change in a name's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryItem {
    /// The block.
    pub height: Height,
    /// The transaction's place in it, from 0.
    pub transaction: u32,
    /// Its id.
    pub txid: Txid,
    /// What it did to the name, in order: `claim`, `update`, ….
    pub ops: Vec<&'static str>,
    /// The name after it.
    pub row: Arc<NameRow>,
}

/// What DNS says of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served<'a> {
    /// Canonical records.
    pub records: &'a [u8],
    /// Whether they are from the pool, not from a block.
    pub provisional: bool,
}

impl Reader {
    /// The tip's hash.
    #[must_use]
    pub fn tip_hash(&self) -> BlockHash {
        self.chain.last().map_or(BlockHash::ZERO, |row| row.hash)
    }

    /// The place of the active block at `height`.
    pub fn chain_row(&self, height: Height) -> Result<ChainRow, QueryError> {
        let at = usize::try_from(height.0).unwrap_or(usize::MAX);
        self.chain.get(at).copied().ok_or(QueryError::Height { height, tip: self.tip })
    }

    /// The active block at `height`.
    pub fn block(&self, height: Height) -> Result<Block, QueryError> {
        let row = self.chain_row(height)?;
        Ok(Block::decode(&self.files.read(row.block)?, &self.params.rules)?)
    }

    /// A header by hash, on the active chain or not.
    pub fn head(&self, hash: &BlockHash) -> Result<HeadRow, QueryError> {
        self.lookup.head(hash).map_err(io::Error::other)?.ok_or(QueryError::UnknownBlock(*hash))
    }

    /// The block of a header, if its body is here.
    pub fn block_of(&self, head: &HeadRow) -> Result<Block, QueryError> {
        let place = head.block.ok_or_else(|| QueryError::UnknownBlock(head.head.hash()))?;
        Ok(Block::decode(&self.files.read(place)?, &self.params.rules)?)
    }

    /// The hash at `height`, if the block of that hash is on the active chain.
    #[must_use]
    pub fn is_active(&self, height: Height, hash: &BlockHash) -> bool {
        self.chain_row(height).is_ok_and(|row| row.hash == *hash)
    }

    /// A mined transaction: its block's height, its place in it, the block.
    pub fn transaction(&self, txid: &Txid) -> Result<Option<(Height, u32, Block)>, QueryError> {
        for candidate in self.lookup.transactions(txid) {
            let (height, at) = candidate.map_err(io::Error::other)?;
            if height > self.tip {
                continue;
            }
            let block = self.block(height)?;
            let found = block.transactions.get(usize::try_from(at).unwrap_or(usize::MAX));
            if found.is_some_and(|tx| tx.txid(&self.params.chain_id) == *txid) {
                return Ok(Some((height, at, block)));
            }
        }
        Ok(None)
    }

    /// The row of a name and its stage at the tip; `None` for a free one.
    #[must_use]
    pub fn name(&self, name: &Name) -> Option<(Arc<NameRow>, Stage)> {
        self.state.name_at(name, self.tip, &self.params.rules)
    }

    fn undo_rows(&self, height: Height) -> Result<Vec<(EntryKey, Option<Row>)>, QueryError> {
        let place = self.chain_row(height)?.undo.ok_or(QueryError::Undo(height))?;
        decode_undo(&self.files.read(place)?).ok_or(QueryError::Undo(height))
    }

    /// The state after the active block at `height`, reached from the tip by undo: costs what changed since.
    pub fn state_at(&self, height: Height) -> Result<State, QueryError> {
        self.chain_row(height)?;
        let mut state = self.state.clone();
        let mut at = self.tip;
        while at > height {
            let changes = undo_changes(&state, self.undo_rows(at)?);
            state.undo(&changes);
            at = Height(at.0 - 1);
        }
        Ok(state)
    }

    /// The row that a name had before the block that wrote `row`.
    fn before(&self, name: &Name, row: &NameRow) -> Result<Option<Arc<NameRow>>, QueryError> {
        let key = EntryKey::Name(name.clone());
        let rows = self.undo_rows(row.changed)?;
        let before = rows.into_iter().find(|(at, _)| *at == key).and_then(|(_, row)| row);
        Ok(before.and_then(|before| with_records(before, Some(&row.records)).as_name().cloned()))
    }

    /// What DNS serves for the name `label` now, with updates from the pool if `provisional`. Rules L1 to L5.
    #[must_use]
    pub fn served(&self, label: &[u8], provisional: bool) -> Option<Served<'_>> {
        self.served_of(label, self.state.tree().of_name(label), provisional)
    }

    /// The same for several labels, each into its place; `found` has as many.
    pub fn served_all<'r>(&'r self, labels: &[&[u8]], provisional: bool, found: &mut [Option<Served<'r>>]) {
        for (labels, found) in labels.chunks(TOGETHER).zip(found.chunks_mut(TOGETHER)) {
            let mut leaves = [None; TOGETHER];
            self.state.tree().of_names(labels, &mut leaves);
            for ((label, leaf), place) in labels.iter().zip(leaves).zip(found) {
                *place = self.served_of(label, leaf, provisional);
            }
        }
    }

    /// What is served for the name `label`, whose leaf this is.
    fn served_of<'r>(&'r self, label: &[u8], leaf: Option<&'r Leaf>, provisional: bool) -> Option<Served<'r>> {
        let (expires, records) = leaf?.served()?;
        if Stage::of(expires, self.tip, &self.params.rules) != Stage::Active {
            return None;
        }
        // It is the label of a name.
        let name = str::from_utf8(label).ok()?;
        if let Some(records) = self.provisional.get(name).filter(|_| provisional) {
            return Some(Served { records, provisional: true });
        }
        let records = match self.unsettled.get(name) {
            Some(of_settled_owner) => &of_settled_owner.as_ref()?.records,
            None => records,
        };
        Some(Served { records, provisional: false })
    }

    /// Whether the name `label` has expired and can still be renewed.
    #[must_use]
    pub fn is_in_grace(&self, label: &[u8]) -> bool {
        let tenure = self.state.tree().of_name(label).and_then(Leaf::tenure);
        tenure.is_some_and(|(_, expires)| Stage::of(expires, self.tip, &self.params.rules) == Stage::Grace)
    }

    /// Whether a name's present owner is the one whose records are served. Rule L4.
    #[must_use]
    pub fn is_served_owner(&self, name: &Name) -> bool {
        matches!(self.name(name), Some((_, Stage::Active))) && !self.unsettled.contains_key(name)
    }

    /// The names whose owner at the settled block is not today's, each with its row as of the last block in which he
    /// was; `None` where nobody held it there. Rule L4, steps 2 to 5.
    ///
    /// `known`: an active height at which [`Reader::unsettled`] was right with the same settled block; only what changed
    /// since is looked at. `None` looks at every block after the settled one.
    pub fn find_unsettled(&self, known: Option<Height>) -> Result<Unsettled, QueryError> {
        let (settled, state) = &self.settled;
        let mut unsettled = known.map_or_else(BTreeMap::new, |_| self.unsettled.as_ref().clone());
        let mut seen = BTreeSet::new();
        for height in known.unwrap_or(*settled).0 + 1..=self.tip.0 {
            for (key, _) in self.undo_rows(Height(height))? {
                let EntryKey::Name(name) = key else { continue };
                if !seen.insert(name.clone()) {
                    continue;
                }
                unsettled.remove(&name);
                let Some(today) = self.state.name(&name) else { continue };
                let owner = match state.name_at(&name, *settled, &self.params.rules) {
                    None => continue,
                    Some((_, Stage::Released | Stage::Free)) => None,
                    Some((then, _)) => Some(then.entry.owner),
                };
                if owner != Some(today.entry.owner) {
                    let row = owner.map(|owner| self.last_row_of(&name, &today, &owner)).transpose()?.flatten();
                    unsettled.insert(name, row);
                }
            }
        }
        Ok(unsettled)
    }

    fn last_row_of(
        &self,
        name: &Name,
        today: &Arc<NameRow>,
        owner: &PublicKey,
    ) -> Result<Option<Arc<NameRow>>, QueryError> {
        let mut row = Some(today.clone());
        while let Some(later) = row.as_ref().filter(|row| row.entry.owner != *owner) {
            row = self.before(name, later)?;
        }
        Ok(row)
    }

    /// What happened to a name since it was last free, newest first, at most `limit` transactions.
    pub fn history(&self, name: &Name, limit: usize) -> Result<Vec<HistoryItem>, QueryError> {
        let mut items = Vec::new();
        let mut next = self.state.name(name);
        while let Some(row) = next {
            if items.len() >= limit {
                break;
            }
            let block = self.block(row.changed)?;
            next = self.before(name, &row)?;
            // Several transactions of a block may have written the name; only the last one's row is kept.
            let wrote = block.transactions.iter().zip(0u32..).filter_map(|(tx, at)| {
                let about = |op: &&dotp2p_chain::op::Op| op.name().is_some_and(|n| n.as_bytes() == name.as_bytes());
                let ops: Vec<_> = tx.body().ops.iter().filter(about).map(dotp2p_chain::op::Op::kind).collect();
                let txid = tx.txid(&self.params.chain_id);
                let item = HistoryItem { height: row.changed, transaction: at, txid, ops, row: row.clone() };
                (!item.ops.is_empty()).then_some(item)
            });
            let mut wrote: Vec<_> = wrote.collect();
            wrote.reverse();
            items.append(&mut wrote);
        }
        items.truncate(limit);
        Ok(items)
    }

    /// Proves what the active block at `height` says of a name. Rule V4.
    pub fn prove(&self, name: &Name, height: Height) -> Result<NameProof, QueryError> {
        let state = self.state_at(height)?;
        let head = self.head(&self.chain_row(height)?.hash)?.head;
        let tree = state.tree().prove(&EntryKey::Name(name.clone()).trie_key());
        let records = state.name(name).map(|row| row.records.clone()).unwrap_or_default();
        Ok(NameProof { head, tree, records })
    }
}

/// The changes that lead from the rows before a block to `state`, which is right after it.
#[must_use]
pub fn undo_changes(state: &State, before: Vec<(EntryKey, Option<Row>)>) -> Vec<Change> {
    before
        .into_iter()
        .map(|(key, before)| {
            let trie_key = key.trie_key();
            let after = state.tree().get(&trie_key, &key).cloned();
            let records = after.as_ref().and_then(Leaf::name).map(|name| name.records);
            let before = before.map(|before| Leaf::new(&trie_key, &key, &with_records(before, records)));
            Change { key, trie_key, before, after }
        })
        .collect()
}

/// A prior row with the records that its undo left out because the block did not change them.
fn with_records(before: Row, after: Option<&[u8]>) -> Row {
    match (before, after) {
        (Row::Name(row), Some(records)) if row.records.is_empty() => {
            Row::Name(Arc::new(NameRow { records: records.to_vec(), ..row.as_ref().clone() }))
        }
        (before, _) => before,
    }
}
