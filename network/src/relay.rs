//! The machine that turns a block's announcement into the block: judged by its head, put together from the pool, the rest
//! asked for, taken, and only then passed on.
//!
//! Sans-I/O, like [`crate::sync`]. `P` tells peers apart, `M` messages: each is reported once it is known what it was worth,
//! which decides whether it is passed on. A bad body or signature condemns the message and its sender, never the hash: the
//! same block may come whole from somebody else.
//!
//! Invariants: at most [`BLOCKS_MAX`] blocks are being put together, and of each at most [`SENDERS_MAX`] senders are
//! remembered; nothing but the head is looked at before its work was checked. What a branch that is not known here leads
//! to, is [`crate::sync`]'s.

use std::collections::BTreeMap;
use std::fmt::Debug;

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::check::Condemns;
use dotp2p_chain::hash::BlockHash;

use crate::chain::{BlockVerdict, HeadsTaken};
use crate::message::CompactBlock;
use crate::score::Misbehaviour;
use crate::sync::misbehaviour_of;

/// Blocks that are put together at a time.
pub const BLOCKS_MAX: usize = 16;
/// Senders of one block's announcement that are remembered.
pub const SENDERS_MAX: usize = 8;
/// Milliseconds for which a sender's answer is waited for.
pub const PATIENCE_MS: u64 = 3_000;

/// Whether a message is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It is, and speaks for its sender.
    PassOn,
    /// It is not, and nobody is to blame.
    Ignore,
    /// It is not, and its sender is to blame.
    Reject,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event<P, M> {
    /// A block was announced whose body is not here; the head's work is good and its roots open its commitment.
    Announced(P, M, CompactBlock),
    /// The chain has judged the head.
    Judged(BlockHash, HeadsTaken),
    /// The pool was searched: each place's transaction, where it was there.
    Filled(BlockHash, Vec<Option<Vec<u8>>>),
    /// A peer's answer to a question for transactions.
    Transactions(P, BlockHash, Vec<Vec<u8>>),
    /// A peer's answer to a question for the block.
    Block(P, BlockHash, Vec<u8>),
    /// No answer, or an empty one.
    Nothing(P, BlockHash),
    /// What the chain did with the block.
    Taken(BlockHash, BlockVerdict),
    /// A peer is gone.
    Gone(P),
    /// Time has passed.
    Tick,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<P, M> {
    /// Have the chain judge a head, and store it.
    Judge(BlockHead),
    /// Search the pool for a block's transactions.
    Fill(CompactBlock),
    /// Ask a peer for transactions of a block, by place.
    AskTransactions(P, BlockHash, Vec<u32>),
    /// Ask a peer for the whole block.
    AskBlock(P, BlockHash),
    /// Have the chain take a block.
    Take(BlockHash, Vec<u8>),
    /// Tell what a message was worth.
    Report(P, M, Worth),
    /// A peer has a branch that is not known here.
    Claims(P),
    /// A peer did what it should not; the text says more for the log.
    Penalise(P, Misbehaviour, String),
}

#[derive(Debug)]
enum Stage<P> {
    Judging,
    Filling,
    Asked {
        peer: P,
        at_ms: u64,
    },
    /// `is_here`: whoever it came from can still be asked.
    Taking {
        from: P,
        is_whole: bool,
        is_here: bool,
    },
}

#[derive(Debug)]
struct Pending<P, M> {
    block: CompactBlock,
    parts: Vec<Option<Vec<u8>>>,
    /// Who announced it, and by which message; the next to be asked is the last.
    senders: Vec<(P, M)>,
    /// Those that were asked already.
    asked: Vec<(P, M)>,
    stage: Stage<P>,
}

/// The machine; see the [module](self).
#[derive(Debug)]
pub struct Relay<P, M> {
    pending: BTreeMap<BlockHash, Pending<P, M>>,
    out: Vec<Action<P, M>>,
}

impl<P, M> Default for Relay<P, M> {
    fn default() -> Self {
        Self { pending: BTreeMap::new(), out: Vec::new() }
    }
}

impl<P: Ord + Clone + Debug, M: Clone + Debug> Relay<P, M> {
    /// Takes an event at `now_ms` (milliseconds of a clock that is never set); gives what to do, in order.
    pub fn on(&mut self, event: Event<P, M>, now_ms: u64) -> Vec<Action<P, M>> {
        match event {
            Event::Announced(peer, message, block) => self.announced(peer, message, block),
            Event::Judged(hash, taken) => self.judged(hash, taken),
            Event::Filled(hash, parts) => self.filled(hash, parts, now_ms),
            Event::Transactions(peer, hash, transactions) => self.transactions(&peer, hash, transactions, now_ms),
            Event::Block(peer, hash, encoded) => {
                if self.is_asked(&hash, &peer) {
                    self.take(hash, peer, encoded, true);
                }
            }
            Event::Nothing(peer, hash) => {
                if self.is_asked(&hash, &peer) {
                    self.ask_next(hash, now_ms);
                }
            }
            Event::Taken(hash, verdict) => self.taken(hash, verdict, now_ms),
            Event::Gone(peer) => {
                self.pending.values_mut().for_each(|it| it.gone(&peer));
                let of_it =
                    |it: &Pending<P, M>| matches!(&it.stage, Stage::Asked { peer: asked, .. } if *asked == peer);
                for hash in self.found(of_it) {
                    self.ask_next(hash, now_ms);
                }
            }
            Event::Tick => {
                let late = |it: &Pending<P, M>| matches!(it.stage, Stage::Asked { at_ms, .. } if at_ms + PATIENCE_MS <= now_ms);
                for hash in self.found(late) {
                    self.ask_next(hash, now_ms);
                }
            }
        }
        std::mem::take(&mut self.out)
    }

    /// Whether a block is being put together.
    #[must_use]
    pub fn has(&self, hash: &BlockHash) -> bool {
        self.pending.contains_key(hash)
    }

    /// Whether a block was put together and is with the chain.
    #[must_use]
    pub fn is_taking(&self, hash: &BlockHash) -> bool {
        matches!(self.pending.get(hash).map(|it| &it.stage), Some(Stage::Taking { .. }))
    }

    fn found(&self, is_it: impl Fn(&Pending<P, M>) -> bool) -> Vec<BlockHash> {
        self.pending.iter().filter(|(_, it)| is_it(it)).map(|(hash, _)| *hash).collect()
    }

    fn is_asked(&self, hash: &BlockHash, peer: &P) -> bool {
        let stage = self.pending.get(hash).map(|it| &it.stage);
        matches!(stage, Some(Stage::Asked { peer: asked, .. }) if asked == peer)
    }

    fn announced(&mut self, peer: P, message: M, block: CompactBlock) {
        let hash = block.head.hash();
        if let Some(it) = self.pending.get_mut(&hash) {
            if it.senders.len() + it.asked.len() < SENDERS_MAX {
                it.senders.insert(0, (peer, message));
            } else {
                self.out.push(Action::Report(peer, message, Worth::Ignore));
            }
            return;
        }
        if self.pending.len() >= BLOCKS_MAX {
            // Its work was checked: it is worth a question to its sender, no more.
            self.out.push(Action::Report(peer.clone(), message, Worth::Ignore));
            self.out.push(Action::Claims(peer));
            return;
        }
        self.out.push(Action::Judge(block.head));
        let (senders, asked) = (vec![(peer, message)], Vec::new());
        self.pending.insert(hash, Pending { block, parts: Vec::new(), senders, asked, stage: Stage::Judging });
    }

    fn judged(&mut self, hash: BlockHash, taken: HeadsTaken) {
        let Some(it) = self.pending.get_mut(&hash).filter(|it| matches!(it.stage, Stage::Judging)) else { return };
        match taken {
            HeadsTaken::Stored { .. } => {
                it.stage = Stage::Filling;
                self.out.push(Action::Fill(it.block.clone()));
            }
            HeadsTaken::LowWork(..) | HeadsTaken::Unconnected => self.leave_to_sync(&hash),
            HeadsTaken::Refused(error) if error.condemns() != Condemns::Nothing => {
                let (what, reason) = misbehaviour_of(&error);
                self.reject(&hash, what, &reason);
            }
            HeadsTaken::Refused(_) | HeadsTaken::Other(_) => {
                for (peer, message) in self.drop_pending(&hash) {
                    self.out.push(Action::Report(peer, message, Worth::Ignore));
                }
            }
        }
    }

    fn filled(&mut self, hash: BlockHash, parts: Vec<Option<Vec<u8>>>, now_ms: u64) {
        let Some(it) = self.pending.get_mut(&hash).filter(|it| matches!(it.stage, Stage::Filling)) else { return };
        it.parts = parts;
        let lacks = || it.parts.iter().zip(0u32..).filter(|(part, _)| part.is_none()).map(|(_, place)| place);
        let places: Vec<u32> = lacks().collect();
        let sender = it.senders.pop();
        it.asked.extend(sender.clone());
        if places.is_empty() {
            let encoded = it.block.join(it.parts.iter().flatten().map(Vec::as_slice).collect::<Vec<_>>().into_iter());
            let Some((from, _)) = it.asked.last().cloned() else { return };
            self.take(hash, from.clone(), encoded, false);
            if sender.is_none()
                && let Some(it) = self.pending.get_mut(&hash)
            {
                it.gone(&from);
            }
            return;
        }
        let Some((peer, _)) = sender else { return self.leave_to_sync(&hash) };
        it.stage = Stage::Asked { peer: peer.clone(), at_ms: now_ms };
        self.out.push(Action::AskTransactions(peer, hash, places));
    }

    fn transactions(&mut self, peer: &P, hash: BlockHash, transactions: Vec<Vec<u8>>, now_ms: u64) {
        if !self.is_asked(&hash, peer) {
            return;
        }
        let Some(it) = self.pending.get_mut(&hash) else { return };
        let lacking = it.parts.iter().filter(|part| part.is_none()).count();
        if transactions.len() != lacking {
            self.ask_whole(hash, peer.clone(), now_ms);
            return;
        }
        let mut came = transactions.into_iter();
        it.parts.iter_mut().filter(|part| part.is_none()).for_each(|part| *part = came.next());
        let encoded = it.block.join(it.parts.iter().flatten().map(Vec::as_slice).collect::<Vec<_>>().into_iter());
        self.take(hash, peer.clone(), encoded, false);
    }

    fn take(&mut self, hash: BlockHash, from: P, encoded: Vec<u8>, is_whole: bool) {
        if let Some(it) = self.pending.get_mut(&hash) {
            it.parts = Vec::new();
            it.stage = Stage::Taking { from, is_whole, is_here: true };
            self.out.push(Action::Take(hash, encoded));
        }
    }

    fn taken(&mut self, hash: BlockHash, verdict: BlockVerdict, now_ms: u64) {
        let Some(it) = self.pending.get(&hash) else { return };
        let Stage::Taking { from, is_whole, is_here } = &it.stage else { return };
        match verdict {
            BlockVerdict::Taken | BlockVerdict::Known => {
                for (peer, message) in self.drop_pending(&hash) {
                    self.out.push(Action::Report(peer, message, Worth::PassOn));
                }
            }
            BlockVerdict::Refused { condemns: Condemns::Message, reason } => {
                let (from, is_whole, is_here) = (from.clone(), *is_whole, *is_here);
                if is_whole {
                    self.out.push(Action::Penalise(from, Misbehaviour::InvalidBlock, reason));
                    self.ask_next(hash, now_ms);
                } else if !is_here {
                    self.ask_next(hash, now_ms);
                } else {
                    // A short id may have fit another transaction of the pool: nobody's fault.
                    self.ask_whole(hash, from, now_ms);
                }
            }
            // Of an invalid block only the hash is condemned (B15): beside its tip a node passes on what the ledger has not
            // judged.
            BlockVerdict::Refused { condemns: Condemns::Hash | Condemns::Nothing, .. } => {
                for (peer, message) in self.drop_pending(&hash) {
                    self.out.push(Action::Report(peer, message, Worth::Ignore));
                }
            }
        }
    }

    fn ask_whole(&mut self, hash: BlockHash, peer: P, now_ms: u64) {
        if let Some(it) = self.pending.get_mut(&hash) {
            it.stage = Stage::Asked { peer: peer.clone(), at_ms: now_ms };
            self.out.push(Action::AskBlock(peer, hash));
        }
    }

    /// The next sender is asked for the whole block; where none is left, the senders are left to sync.
    fn ask_next(&mut self, hash: BlockHash, now_ms: u64) {
        let Some(it) = self.pending.get_mut(&hash) else { return };
        if let Some((peer, message)) = it.senders.pop() {
            it.asked.push((peer.clone(), message));
            self.ask_whole(hash, peer, now_ms);
            return;
        }
        self.leave_to_sync(&hash);
    }

    fn leave_to_sync(&mut self, hash: &BlockHash) {
        for (peer, message) in self.drop_pending(hash) {
            self.out.push(Action::Report(peer.clone(), message, Worth::Ignore));
            self.out.push(Action::Claims(peer));
        }
    }

    fn reject(&mut self, hash: &BlockHash, what: Misbehaviour, reason: &str) {
        for (peer, message) in self.drop_pending(hash) {
            self.out.push(Action::Report(peer.clone(), message, Worth::Reject));
            self.out.push(Action::Penalise(peer, what, reason.to_owned()));
        }
    }

    fn drop_pending(&mut self, hash: &BlockHash) -> Vec<(P, M)> {
        let Some(it) = self.pending.remove(hash) else { return Vec::new() };
        it.asked.into_iter().chain(it.senders).collect()
    }
}

impl<P: Ord + Clone, M: Clone> Pending<P, M> {
    /// A peer that is gone is still told of, and not asked.
    fn gone(&mut self, peer: &P) {
        self.asked.extend(self.senders.extract_if(.., |(sender, _)| sender == peer));
        if let Stage::Taking { from, is_here, .. } = &mut self.stage
            && from == peer
        {
            *is_here = false;
        }
    }
}

#[cfg(test)]
mod tests;
