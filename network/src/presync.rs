//! A branch of headers that is not worth storing yet: checked as it comes, remembered by four bytes a header. Rule L9.
//!
//! First all headers are checked and forgotten, until their work exceeds the threshold. Then they are asked for again and
//! stored as they come; the four bytes, of a hash that only this node can compute, tell that they are the same ones. So a
//! branch of little work costs its sender that work, and this node four bytes a header for as long as it is judged.

use std::hash::{BuildHasher, RandomState};

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::check::{self, BlockError, HeaderContext, MEDIAN_SPAN};
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::height::Height;
use dotp2p_chain::params::Params;
use dotp2p_chain::pow::Work;

/// Headers of a branch that are remembered at most: sixteen years of main's blocks below the threshold, 33 MB.
const HEADERS_MAX: usize = 1 << 23;

/// Where a branch leaves the stored headers, and what it must exceed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// What judging the first head reads; its parent is stored.
    pub context: HeaderContext,
    /// Work of the chain up to that parent.
    pub work: Work,
    /// What the branch must exceed to be stored.
    pub threshold: Work,
}

/// Judges heads one after the other without storing any.
#[derive(Clone, Debug)]
pub struct Judge {
    context: HeaderContext,
    work: Work,
}

impl Judge {
    /// Begins above `context.parent`, up to which the chain has `work`.
    #[must_use]
    pub fn new(mut context: HeaderContext, work: Work) -> Self {
        // The header tree gives the newest first; here the oldest is the next to go.
        context.times.reverse();
        Self { context, work }
    }

    /// The next head: its pow, that its roots open its commitment, and everything its ancestors decide.
    pub fn check(&mut self, head: &BlockHead, params: &Params) -> Result<(), BlockError> {
        check::check_work(head, &params.rules)?;
        check::check_roots(&head.header, &head.roots)?;
        check::check_header(&head.header, &self.context, params)?;
        check::check_height(&head.roots, self.context.parent_height)?;
        let own = head.header.bits.to_target().map_or(Work::ZERO, |target| target.work());
        self.work = self.work.saturating_add(own);
        let context = &mut self.context;
        context.parent = head.hash();
        context.parent_height = context.parent_height.next();
        context.parent_time = head.header.time;
        context.times.push(head.header.time);
        if context.times.len() > MEDIAN_SPAN {
            context.times.remove(0);
        }
        if context.parent_height == Height(1) {
            context.first_time = Some(head.header.time);
        }
        Ok(())
    }

    /// Work of the chain up to the last head that was checked.
    #[must_use]
    pub fn work(&self) -> Work {
        self.work
    }

    /// The last head that was checked.
    #[must_use]
    pub fn last(&self) -> BlockHash {
        self.context.parent
    }
}

/// What to do next with a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask for the heads after this one.
    Ask(BlockHash),
    /// Store these, then ask for the heads after them.
    Store(Vec<BlockHead>),
    /// It ends and is not worth it.
    Worthless,
    /// Other heads than the first time, or more than are remembered.
    Lie,
    /// A rule refuses one.
    Refused(BlockError),
}

/// A branch being judged.
#[derive(Debug)]
pub struct Presync {
    fork: BlockHash,
    threshold: Work,
    judge: Judge,
    secret: RandomState,
    seen: Vec<u32>,
    /// How many came the second time; `None` the first time.
    again: Option<usize>,
    /// The last head that came, or where the branch begins.
    last: BlockHash,
}

impl Presync {
    /// Begins above the last stored header; the heads that were found too light come first.
    #[must_use]
    pub fn new(fork: Fork) -> Self {
        Self {
            fork: fork.context.parent,
            last: fork.context.parent,
            threshold: fork.threshold,
            judge: Judge::new(fork.context, fork.work),
            secret: RandomState::new(),
            seen: Vec::new(),
            again: None,
        }
    }

    fn commitment(&self, hash: &BlockHash) -> u32 {
        let hash = self.secret.hash_one(hash.0);
        u32::try_from(hash >> 32).unwrap_or_default()
    }

    /// The next heads; `is_last`: the peer has none after them.
    pub fn heads(&mut self, heads: Vec<BlockHead>, is_last: bool, params: &Params) -> Next {
        let Some(again) = self.again else { return self.first_time(&heads, is_last, params) };
        let hashes = heads.iter().map(BlockHead::hash);
        let is_same = hashes.zip(self.seen.iter().skip(again)).all(|(hash, seen)| self.commitment(&hash) == *seen);
        if !is_same || is_last && again + heads.len() < self.seen.len() {
            return Next::Lie;
        }
        self.again = Some(again + heads.len());
        self.last = heads.last().map_or(self.last, BlockHead::hash);
        Next::Store(heads)
    }

    fn first_time(&mut self, heads: &[BlockHead], is_last: bool, params: &Params) -> Next {
        for head in heads {
            if let Err(error) = self.judge.check(head, params) {
                return Next::Refused(error);
            }
            self.seen.push(self.commitment(&self.judge.last()));
        }
        if self.judge.work() > self.threshold {
            self.again = Some(0);
            return Next::Ask(self.fork);
        }
        if is_last {
            return Next::Worthless;
        }
        if self.seen.len() > HEADERS_MAX { Next::Lie } else { Next::Ask(self.judge.last()) }
    }

    /// The head after which it goes on.
    #[must_use]
    pub fn last(&self) -> BlockHash {
        self.last
    }

    /// Whether all that was remembered came again: what follows is judged like any other heads.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.again.is_some_and(|again| again >= self.seen.len())
    }
}
