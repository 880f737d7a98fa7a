//! Fork choice as pure data: every header the node keeps, and which block should be the tip. Rule B16.
//!
//! [`HeaderTree::insert`] adds a header whose pow was checked, [`HeaderTree::body_arrived`] tells that its block is here,
//! [`HeaderTree::reject`] that it is invalid. A block is *connected* once the bodies of it and of all its ancestors have
//! arrived; [`HeaderTree::best`] is the connected block of most work, at equal work the one connected first. So a header
//! whose body nobody gives never moves or delays the tip. How to get there, [`HeaderTree::reorg`] tells; what the
//! caller's ledger has really connected, it reports back by [`HeaderTree::set_active_tip`]. The bodies' contents are
//! judged elsewhere: a block the ledger refuses comes back as `reject`, and the next best is the answer.
//!
//! Invariants: a parent stands before its children; below a connected block all are connected; above a rejected one all
//! are rejected; a child has more cumulative work than its parent, so only ends of branches compete. No operation
//! recurses, and none but `reject` costs more than O(log n) for each block it changes or returns.

mod entry;
mod walk;

use core::cmp::Reverse;
use std::collections::BTreeSet;

use self::entry::{Entry, Id};
use crate::hash::BlockHash;
use crate::header::Header;
use crate::height::Height;
use crate::pow::{CompactTarget, Work};

/// How far a block has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Only its header is here.
    Header,
    /// Its body is here, some ancestor's is not.
    Body,
    /// Its body and those of all ancestors are here.
    Connected {
        /// Its place in the order in which blocks became connected: at equal work the least wins. Genesis has 0.
        sequence: u64,
    },
    /// It or an ancestor is invalid.
    Rejected,
}

/// A header in the tree and what the tree knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderNode {
    /// The block's hash.
    pub hash: BlockHash,
    /// The header.
    pub header: Header,
    /// Blocks before it.
    pub height: Height,
    /// Its own work and that of all its ancestors.
    pub work: Work,
    /// How far it has come.
    pub status: Status,
}

/// What [`HeaderTree::insert`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertOutcome {
    /// The header is new.
    Inserted,
    /// It was there already; nothing changed.
    Known,
}

/// Why the tree cannot do what was asked; it is unchanged then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderTreeError {
    /// The parent must be asked for first; nothing is condemned.
    #[error("parent {0} is not known")]
    UnknownParent(BlockHash),
    /// No such header in the tree.
    #[error("header {0} is not known")]
    Unknown(BlockHash),
    /// The block was rejected before.
    #[error("block {0} was rejected (B15)")]
    Rejected(BlockHash),
    /// An ancestor was rejected before.
    #[error("parent {0} was rejected (B15)")]
    RejectedParent(BlockHash),
    /// The bits stand for no target; the work check refuses such a header.
    #[error("bits {0} are no target (P1)")]
    Bits(CompactTarget),
    /// The chain's work would not fit 256 bits.
    #[error("cumulative work exceeds 256 bits (P3)")]
    Work,
    /// The height would not fit 32 bits.
    #[error("no block has a height beyond 2^32 - 1 (B7)")]
    Height,
    /// A stored block is marked connected, but its parent is not.
    #[error("stored block {0} is connected and its parent is not")]
    Disconnected(BlockHash),
}

/// The way from one tip to another. Rule B16.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reorg {
    /// The last common block.
    pub fork: Height,
    /// Blocks to disconnect, the tip first.
    pub disconnect: Vec<BlockHash>,
    /// Blocks to connect, the lowest first.
    pub connect: Vec<BlockHash>,
}

/// Ends of branches, the best first: most work, then least order.
type Ends = BTreeSet<(Reverse<Work>, u64, Id)>;

/// All headers from genesis on; see the [module](self).
#[derive(Debug)]
pub struct HeaderTree {
    /// In the order inserted; never removed.
    entries: Vec<Entry>,
    /// Finds an entry by the first eight bytes of its hash; equal ones stand side by side.
    index: BTreeSet<(u64, Id)>,
    /// Headers not rejected that no such header follows; the order is that of arrival.
    header_ends: Ends,
    /// Connected blocks that no connected block follows; the order is that of connection.
    connected_ends: Ends,
    next_sequence: u64,
    /// What the ledger has connected, by height.
    active: Vec<Id>,
}

impl HeaderTree {
    /// The tree that holds genesis alone, connected and active.
    ///
    /// Its work is counted by its bits (B5); bits that are no target count nothing, Rules with such are refused (B3b).
    #[must_use]
    pub fn new(genesis: &Header) -> Self {
        let work = genesis.bits.to_target().map_or(Work::ZERO, |target| target.work());
        let entry = Entry::new(genesis, genesis.hash(), Height::GENESIS, work, Status::Connected { sequence: 0 });
        let end = (Reverse(work), 0, Id::GENESIS);
        Self {
            index: BTreeSet::from([(entry::prefix(&entry.hash), Id::GENESIS)]),
            entries: vec![entry],
            header_ends: BTreeSet::from([(Reverse(work), Id::GENESIS.order(), Id::GENESIS)]),
            connected_ends: BTreeSet::from([end]),
            next_sequence: 1,
            active: vec![Id::GENESIS],
        }
    }

    /// Adds a header. Its pow must have been checked (P10), else it costs nothing to fill the tree.
    ///
    /// Errors: the parent is unknown; the header or its parent was rejected; bits, work or height that no block has.
    pub fn insert(&mut self, header: &Header) -> Result<InsertOutcome, HeaderTreeError> {
        let hash = header.hash();
        if let Some(id) = self.find(&hash) {
            return match self.entry(id).status {
                Status::Rejected => Err(HeaderTreeError::Rejected(hash)),
                _ => Ok(InsertOutcome::Known),
            };
        }
        let parent = self.find(&header.prev_blockhash).ok_or(HeaderTreeError::UnknownParent(header.prev_blockhash))?;
        if self.entry(parent).status == Status::Rejected {
            return Err(HeaderTreeError::RejectedParent(header.prev_blockhash));
        }
        let id = self.attach(parent, header, hash)?;
        self.add_header_end(parent, id);
        Ok(InsertOutcome::Inserted)
    }

    /// Adds a header as it was stored, at start; parents come first, as in the order of heights.
    ///
    /// - `status`: as [`HeaderTree::get`] told when it was stored. Below a rejected block all are rejected; a body whose
    ///   parent is connected is connected.
    ///
    /// Errors: as [`HeaderTree::insert`], and a block connected where its parent is not. A header known already is left
    /// as it is.
    pub fn restore(&mut self, header: &Header, status: Status) -> Result<InsertOutcome, HeaderTreeError> {
        let hash = header.hash();
        if self.find(&hash).is_some() {
            return Ok(InsertOutcome::Known);
        }
        let parent = self.find(&header.prev_blockhash).ok_or(HeaderTreeError::UnknownParent(header.prev_blockhash))?;
        let parent_status = self.entry(parent).status;
        let is_parent_connected = matches!(parent_status, Status::Connected { .. });
        if matches!(status, Status::Connected { .. }) && !is_parent_connected && parent_status != Status::Rejected {
            return Err(HeaderTreeError::Disconnected(hash));
        }
        let id = self.attach(parent, header, hash)?;
        if parent_status == Status::Rejected || status == Status::Rejected {
            self.entry_mut(id).status = Status::Rejected;
            return Ok(InsertOutcome::Inserted);
        }
        self.add_header_end(parent, id);
        match status {
            Status::Connected { sequence } => self.connect(id, sequence),
            Status::Body if is_parent_connected => self.connect(id, self.next_sequence),
            _ => self.entry_mut(id).status = status,
        }
        Ok(InsertOutcome::Inserted)
    }

    /// Notes that the block of a header is here, and gives the blocks that are connected by it, parents first: none where
    /// it was here already or an ancestor's is missing.
    ///
    /// Blocks that were waiting for this one connect in the order in which their headers came.
    pub fn body_arrived(&mut self, hash: &BlockHash) -> Result<Vec<BlockHash>, HeaderTreeError> {
        let id = self.find(hash).ok_or(HeaderTreeError::Unknown(*hash))?;
        match self.entry(id).status {
            Status::Header => self.entry_mut(id).status = Status::Body,
            Status::Body | Status::Connected { .. } => return Ok(Vec::new()),
            Status::Rejected => return Err(HeaderTreeError::Rejected(*hash)),
        }
        let parent = self.entry(id).parent;
        if !parent.is_some_and(|parent| self.is_connected(parent)) {
            return Ok(Vec::new());
        }
        let mut connected = Vec::new();
        let mut ready = BTreeSet::from([id]);
        while let Some(id) = ready.pop_first() {
            self.connect(id, self.next_sequence);
            connected.push(self.entry(id).hash);
            ready.extend(self.children(id).filter(|child| self.entry(*child).status == Status::Body));
        }
        Ok(connected)
    }

    /// Marks a block and every descendant invalid, and gives those that were not before. Rule B15.
    ///
    /// Genesis is never rejected, nor a hash that is not in the tree. Where the active tip is among them, it stays the
    /// active tip until the caller has gone from there to [`HeaderTree::best`].
    pub fn reject(&mut self, hash: &BlockHash) -> Vec<BlockHash> {
        let Some(first) = self.find(hash) else { return Vec::new() };
        let Some(parent) = self.entry(first).parent else { return Vec::new() };
        let mut rejected = Vec::new();
        let mut pending = vec![first];
        while let Some(id) = pending.pop() {
            let Entry { hash, work, status, .. } = *self.entry(id);
            match status {
                Status::Rejected => continue,
                Status::Connected { sequence } => _ = self.connected_ends.remove(&(Reverse(work), sequence, id)),
                Status::Header | Status::Body => {}
            }
            self.header_ends.remove(&(Reverse(work), id.order(), id));
            self.entry_mut(id).status = Status::Rejected;
            rejected.push(hash);
            pending.extend(self.children(id));
        }
        if !rejected.is_empty() {
            self.restore_ends(parent);
        }
        rejected
    }

    /// A header and what is known of it.
    #[must_use]
    pub fn get(&self, hash: &BlockHash) -> Option<HeaderNode> {
        self.find(hash).map(|id| self.node(id))
    }

    /// The block that should be the tip: of all connected blocks the one of most work, at equal work the one connected
    /// first. Rule B16.
    #[must_use]
    pub fn best(&self) -> BlockHash {
        self.entry(self.connected_ends.first().map_or(Id::GENESIS, |(_, _, id)| *id)).hash
    }

    /// The header of most work that is not rejected, whether or not bodies are here: what to download towards.
    #[must_use]
    pub fn best_header(&self) -> BlockHash {
        self.entry(self.header_ends.first().map_or(Id::GENESIS, |(_, _, id)| *id)).hash
    }

    /// Every end of a branch that is not rejected, most work first.
    pub fn tips(&self) -> impl Iterator<Item = HeaderNode> {
        self.header_ends.iter().map(|(_, _, id)| self.node(*id))
    }

    /// How many headers the tree holds, genesis and rejected ones included.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "genesis is always there")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Appends an entry below `parent` and links it; it competes for nothing yet.
    fn attach(&mut self, parent: Id, header: &Header, hash: BlockHash) -> Result<Id, HeaderTreeError> {
        let Entry { work, height, first_child, .. } = *self.entry(parent);
        let own = header.bits.to_target().ok_or(HeaderTreeError::Bits(header.bits))?.work();
        let work = work.checked_add(own).ok_or(HeaderTreeError::Work)?;
        let height = Height(height.0.checked_add(1).ok_or(HeaderTreeError::Height)?);
        let mut entry = Entry::new(header, hash, height, work, Status::Header);
        entry.parent = Some(parent);
        entry.skip = Some(self.ancestor_of(parent, walk::skip_height(height)));
        entry.next_sibling = first_child;
        self.entries.push(entry);
        let id = Id::of_last(self.entries.len()).expect("2^32 entries do not fit in memory");
        self.entry_mut(parent).first_child = Some(id);
        self.index.insert((entry::prefix(&hash), id));
        Ok(id)
    }

    fn add_header_end(&mut self, parent: Id, id: Id) {
        let end = |id: Id, entry: &Entry| (Reverse(entry.work), id.order(), id);
        self.header_ends.remove(&end(parent, self.entry(parent)));
        self.header_ends.insert(end(id, self.entry(id)));
    }

    /// Makes a block connected whose parent is.
    fn connect(&mut self, id: Id, sequence: u64) {
        self.next_sequence = self.next_sequence.max(sequence.saturating_add(1));
        self.entry_mut(id).status = Status::Connected { sequence };
        let Entry { work, parent, .. } = *self.entry(id);
        self.connected_ends.insert((Reverse(work), sequence, id));
        let Some(parent) = parent else { return };
        let Entry { work, status, .. } = *self.entry(parent);
        if let Status::Connected { sequence } = status {
            self.connected_ends.remove(&(Reverse(work), sequence, parent));
        }
    }

    /// Makes a block an end again where its last child that followed was rejected.
    fn restore_ends(&mut self, id: Id) {
        let Entry { work, status, .. } = *self.entry(id);
        let children = || self.children(id).map(|child| self.entry(child).status);
        let is_header_end = children().all(|child| child == Status::Rejected);
        let is_connected_end = !children().any(|child| matches!(child, Status::Connected { .. }));
        if is_header_end {
            self.header_ends.insert((Reverse(work), id.order(), id));
        }
        match status {
            Status::Connected { sequence } if is_connected_end => {
                self.connected_ends.insert((Reverse(work), sequence, id));
            }
            _ => {}
        }
    }

    fn find(&self, hash: &BlockHash) -> Option<Id> {
        let prefix = entry::prefix(hash);
        let mut same = self.index.range((prefix, Id::GENESIS)..=(prefix, Id::LAST)).map(|(_, id)| *id);
        same.find(|id| self.entry(*id).hash == *hash)
    }

    fn entry(&self, id: Id) -> &Entry {
        self.entries.get(id.place()).expect("ids are given to entries that were pushed, and none is removed")
    }

    fn entry_mut(&mut self, id: Id) -> &mut Entry {
        self.entries.get_mut(id.place()).expect("ids are given to entries that were pushed, and none is removed")
    }

    fn is_connected(&self, id: Id) -> bool {
        matches!(self.entry(id).status, Status::Connected { .. })
    }

    fn children(&self, id: Id) -> impl Iterator<Item = Id> {
        core::iter::successors(self.entry(id).first_child, |child| self.entry(*child).next_sibling)
    }

    fn node(&self, id: Id) -> HeaderNode {
        let Entry { hash, commitment, work, time, nonce, status, version, bits, height, parent, .. } = *self.entry(id);
        let prev_blockhash = parent.map_or(BlockHash::ZERO, |parent| self.entry(parent).hash);
        let header = Header { version, prev_blockhash, commitment, time, bits, nonce };
        HeaderNode { hash, header, height, work, status }
    }
}

#[cfg(test)]
mod tests;
