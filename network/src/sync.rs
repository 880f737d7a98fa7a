//! The machine that brings this node's chain up to its peers': heads first, then the bodies of the best branch.
//!
//! Sans-I/O: [`Sync::on`] takes an event and the time and gives what to do about it; it knows neither sockets nor clocks
//! nor the chain's store. A question carries a number, and its answer or failure comes back with it.
//!
//! - **Heads** (`heads`) are asked of one peer at a time, of another for each answer, as long as one claims more work than
//!   the best header has. A branch of little work is judged without being stored ([`crate::presync`]).
//! - **Bodies** are asked of all peers at once, a window ahead of the first that is missing (`window`), and handed over
//!   in order. Who does not answer loses its blocks to others; the first of the window is not waited for long.
//!
//! Invariants: no more than [`Config::window_bytes`] of bodies wait, and the first that is missing; a peer has at most
//! [`Config::questions`] questions for bodies and one for heads; every answer is of a question that was asked. Absent:
//! what a misbehaviour costs, which is [`crate::score`]'s.

mod heads;
mod window;

use std::collections::BTreeMap;
use std::fmt::Debug;

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::check::{BlockError, Condemns};
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::params::Params;
use dotp2p_chain::pow::Work;

use crate::chain::{BlockVerdict, HeadsTaken};
use crate::presync::Presync;
use crate::relay::PATIENCE_MS;
use crate::score::Misbehaviour;
use window::Window;

/// Bounds and times of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Blocks ahead of the first that is missing.
    pub window: usize,
    /// Bytes of bodies that wait for those before them, or were asked for.
    pub window_bytes: usize,
    /// Questions for bodies that a peer has at a time.
    pub questions: usize,
    /// Bytes of bodies asked for at once, by what bodies lately had.
    pub question_bytes: usize,
    /// Milliseconds after which an answer is no longer waited for.
    pub timeout_ms: u64,
    /// Milliseconds that the first of the window is waited for while nothing else is left to ask.
    pub stall_ms: u64,
    /// Milliseconds for which a peer that had nothing is not asked again.
    pub rest_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: 1_024,
            window_bytes: 16 << 20,
            questions: 2,
            question_bytes: 512 << 10,
            timeout_ms: 15_000,
            stall_ms: 2_000,
            rest_ms: 10_000,
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event<P> {
    /// A peer is here and claims a chain of so much work.
    Connected(P, Work),
    /// It claims more now, or said nothing of the work: then `None`.
    Claims(P, Option<Work>),
    /// It is gone.
    Gone(P),
    /// Its answer to a question for heads.
    Heads(P, Vec<BlockHead>),
    /// Its answer to a question for bodies: encoded, in the order asked.
    Blocks(P, u64, Vec<Vec<u8>>),
    /// No answer came to a question for heads.
    NoHeads(P),
    /// No answer came to a question for bodies.
    NoBlocks(P, u64),
    /// What the chain did with the heads of a peer.
    HeadsTaken(P, HeadsTaken),
    /// What the chain did with blocks, in the order given.
    BlocksTaken(Vec<(BlockHash, BlockVerdict)>),
    /// Blocks whose bodies are missing on the way to the best header, the lowest first, and those of its rivals.
    Missing(Vec<BlockHash>),
    /// The work of the best header known, whoever brought it. The block of one that was announced is left to
    /// [`crate::relay`] for a while.
    BestHeader(Work),
    /// Time has passed.
    Tick,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<P> {
    /// Ask a peer for heads: after this one, where it has it, else by the chain's locator.
    AskHeads(P, Option<BlockHash>),
    /// Ask a peer for bodies; the number comes back with the answer.
    AskBlocks(P, u64, Vec<BlockHash>),
    /// Have the chain judge heads, and store them if they are proven to be worth it.
    TakeHeads(P, Vec<BlockHead>, bool),
    /// Have the chain take these blocks, in this order.
    TakeBlocks(Vec<BlockHash>, Vec<Vec<u8>>),
    /// Ask the chain which bodies are missing, so many at most.
    WantMissing(u32),
    /// A peer did what it should not; the text says more for the log.
    Penalise(P, Misbehaviour, String),
}

#[derive(Debug, Default)]
enum Heads {
    #[default]
    Idle,
    Asked {
        at_ms: u64,
    },
    /// Asked, and no longer waited for; until its answer or failure comes, it is not asked again.
    Late,
    Judged {
        is_full: bool,
    },
}

impl Heads {
    fn is_waited_for(&self) -> bool {
        matches!(self, Self::Asked { .. } | Self::Judged { .. })
    }
}

#[derive(Debug, Default)]
struct Peer {
    /// Work of the chain that it is taken to have.
    claims: Work,
    /// What it said itself of that.
    told: Work,
    heads: Heads,
    presync: Option<Presync>,
    /// When it was asked for heads last.
    asked_ms: u64,
    /// Not asked for heads before.
    rests_ms: u64,
}

/// The machine; see the [module](self). `P` tells peers apart.
#[derive(Debug)]
pub struct Sync<P> {
    config: Config,
    params: std::sync::Arc<Params>,
    peers: BTreeMap<P, Peer>,
    best: Work,
    /// The last head stored of a run that goes on, and the work up to it.
    after: Option<(BlockHash, Work)>,
    /// Whether the chain is to be asked what is missing,
    wants_missing: bool,
    /// and from when on, where a head came that nobody was asked for.
    left_ms: Option<u64>,
    window: Window<P>,
    out: Vec<Action<P>>,
}

impl<P: Ord + Clone + Debug> Sync<P> {
    /// A machine without peers, at a chain whose best header has work `best`.
    #[must_use]
    pub fn new(config: Config, params: std::sync::Arc<Params>, best: Work) -> Self {
        let (peers, window) = (BTreeMap::new(), Window::new(config));
        Self { config, params, peers, best, after: None, wants_missing: true, left_ms: None, window, out: Vec::new() }
    }

    /// Takes an event at `now_ms` (milliseconds of a clock that is never set); gives what to do, in order.
    pub fn on(&mut self, event: Event<P>, now_ms: u64) -> Vec<Action<P>> {
        match event {
            Event::Connected(peer, claims) => {
                let heads = Heads::Idle;
                let new = Peer { claims, told: claims, heads, presync: None, asked_ms: 0, rests_ms: 0 };
                self.peers.insert(peer.clone(), new);
                self.window.connected(peer);
            }
            Event::Claims(peer, claims) => {
                if let Some(it) = self.peers.get_mut(&peer) {
                    // Who announces what does not fit here has something that was not seen yet.
                    it.claims = it.claims.max(claims.unwrap_or(Work::MAX));
                    it.told = claims.unwrap_or(it.told);
                    it.rests_ms = it.rests_ms.min(now_ms);
                }
            }
            Event::Gone(peer) => {
                self.peers.remove(&peer);
                self.window.gone(&peer);
            }
            Event::Heads(peer, heads) => self.heads_came(peer, heads, now_ms),
            Event::NoHeads(peer) => self.no_heads(&peer, now_ms),
            Event::HeadsTaken(peer, taken) => self.heads_taken(peer, taken, now_ms),
            Event::Blocks(peer, question, blocks) => {
                let blamed = self.window.blocks_came(&peer, question, blocks, now_ms);
                self.out.extend(blamed.map(|what| Action::Penalise(peer, what, String::new())));
            }
            Event::NoBlocks(peer, question) => {
                if self.window.no_answer(&peer, question, now_ms) {
                    self.out.push(Action::Penalise(peer, Misbehaviour::Timeout, "blocks".to_owned()));
                }
            }
            Event::BlocksTaken(verdicts) => self.blocks_taken(verdicts, now_ms),
            Event::Missing(hashes) => self.window.missing(hashes),
            Event::BestHeader(work) => {
                if work > self.best {
                    self.left_ms = self.left_ms.or(Some(now_ms + PATIENCE_MS));
                }
                self.best = work;
            }
            Event::Tick => self.tick(now_ms),
        }
        self.ask(now_ms);
        std::mem::take(&mut self.out)
    }

    /// Whether bodies are missing, or a peer is being asked for heads.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.window.is_empty() || self.peers.values().any(|peer| peer.heads.is_waited_for())
    }

    /// Bytes of bodies that wait for those before them.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.window.buffered_bytes()
    }

    fn blocks_taken(&mut self, verdicts: Vec<(BlockHash, BlockVerdict)>, now_ms: u64) {
        self.window.hand_is_free();
        for (hash, verdict) in verdicts {
            let from = self.window.taken(&hash);
            let BlockVerdict::Refused { condemns, reason } = verdict else { continue };
            match condemns {
                Condemns::Message => {
                    // The same block may come whole from somebody else.
                    self.window.again(hash, from.as_ref());
                    self.out.extend(from.map(|peer| Action::Penalise(peer, Misbehaviour::InvalidBlock, reason)));
                }
                // Beside its tip a node keeps and gives what the ledger has not judged: only the hash is condemned (B15).
                Condemns::Hash => {}
                Condemns::Nothing => self.window.rest(now_ms),
            }
        }
        self.wants_missing = true;
    }

    fn tick(&mut self, now_ms: u64) {
        let late = |it: &Peer| matches!(it.heads, Heads::Asked { at_ms } if at_ms + self.config.timeout_ms <= now_ms);
        let late: Vec<P> = self.peers.iter().filter(|(_, it)| late(it)).map(|(peer, _)| peer.clone()).collect();
        for peer in late {
            self.blame_late(&peer, Heads::Late, now_ms);
        }
        for peer in self.window.tick(now_ms) {
            self.blame(peer, Misbehaviour::Timeout, "blocks that others wait for");
        }
        if self.window.is_low() || self.left_ms.is_some_and(|left_ms| left_ms <= now_ms) {
            self.wants_missing = true;
        }
    }

    fn blame(&mut self, peer: P, what: Misbehaviour, more: &str) {
        self.out.push(Action::Penalise(peer, what, more.to_owned()));
    }

    /// Whatever can be asked now.
    fn ask(&mut self, now_ms: u64) {
        let is_asking = |it: &Peer| it.heads.is_waited_for() && it.presync.is_none();
        if !self.peers.values().any(is_asking) {
            let best = self.best;
            let could = |it: &Peer| matches!(it.heads, Heads::Idle) && it.claims > best && it.rests_ms <= now_ms;
            let could = self.peers.iter_mut().filter(|(_, it)| could(it));
            if let Some((peer, it)) = could.min_by_key(|(_, it)| it.asked_ms) {
                it.heads = Heads::Asked { at_ms: now_ms };
                it.asked_ms = now_ms;
                it.presync = None;
                self.out.push(Action::AskHeads(peer.clone(), self.after.map(|(last, _)| last)));
            }
        }
        // A peer in presync whose heads were stored goes on by itself.
        for (peer, it) in &mut self.peers {
            if let Some(presync) = &it.presync
                && matches!(it.heads, Heads::Idle)
            {
                it.heads = Heads::Asked { at_ms: now_ms };
                self.out.push(Action::AskHeads(peer.clone(), Some(presync.last())));
            }
        }
        self.out
            .extend(self.window.ask(now_ms).into_iter().map(|(peer, no, hashes)| Action::AskBlocks(peer, no, hashes)));
        if let Some((hashes, blocks)) = self.window.ready(now_ms) {
            self.out.push(Action::TakeBlocks(hashes, blocks));
        }
        if std::mem::take(&mut self.wants_missing) {
            self.left_ms = None;
            self.out.push(Action::WantMissing(u32::try_from(self.config.window).unwrap_or(u32::MAX)));
        }
    }
}

impl Peer {
    /// Nothing more is expected of it before `rests_ms`: it claims no more than is here.
    fn give_up(&mut self, best: Work, rests_ms: u64) {
        self.heads = Heads::Idle;
        self.presync = None;
        self.claims = self.claims.min(best);
        self.rests_ms = rests_ms;
    }
}

/// What it is to send a head that a rule refuses.
pub(crate) fn misbehaviour_of(error: &BlockError) -> (Misbehaviour, String) {
    let what = match error {
        BlockError::Work { .. } | BlockError::Bits { .. } => Misbehaviour::InvalidWork,
        _ => Misbehaviour::InvalidHeader,
    };
    (what, error.to_string())
}

#[cfg(test)]
mod tests;
