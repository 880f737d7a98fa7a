//! The bodies that are missing next: who was asked for each, and which wait for those before them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;

use dotp2p_chain::hash::{BlockHash, sha256d};
use dotp2p_chain::header::Header;

use super::Config;
use crate::message::BLOCKS_MAX;
use crate::score::Misbehaviour;

/// Bytes handed over at once: as many as an import checks together.
const HANDED_OVER: usize = 1 << 20;
/// What a body is taken to have before any came.
const BODY_BYTES_FIRST: usize = 4 << 10;
/// A run of fewer bytes waits for what follows it and was asked for: the chain writes, syncs and publishes once a hand,
const WORTH_A_HAND: usize = 256 << 10;
/// but no longer than so many milliseconds.
const GATHER_MS: u64 = 200;
/// Handed over and not taken yet, at most so many times.
const HANDS: usize = 2;

#[derive(Clone, Debug, PartialEq, Eq)]
enum State<P> {
    Free,
    Asked { peer: P, no: u64, at_ms: u64 },
    Here { peer: P, bytes: Vec<u8> },
}

/// A body that was not handed over.
#[derive(Debug)]
struct Slot<P> {
    hash: BlockHash,
    state: State<P>,
}

#[derive(Debug, Default)]
struct Peer {
    /// What it was asked and has not answered.
    questions: BTreeMap<u64, Vec<BlockHash>>,
    /// Not asked before.
    rests_ms: u64,
}

/// The window; see the [module](self).
#[derive(Debug)]
pub(super) struct Window<P> {
    config: Config,
    /// What is to be handed over, in this order. Each answer looks all of them over.
    slots: VecDeque<Slot<P>>,
    /// What the chain has to judge, and who brought it.
    handed_over: BTreeMap<BlockHash, P>,
    peers: BTreeMap<P, Peer>,
    /// Peers whose body of a block was not the block's.
    lied: BTreeSet<(BlockHash, P)>,
    /// Peers that had nothing to give when a block came first in a question: they are asked for others before.
    lacked: BTreeSet<(BlockHash, P)>,
    next_no: u64,
    /// What bodies lately had.
    body_bytes: usize,
    hands: usize,
    /// Since when a run waits to be handed over.
    gathers_from_ms: Option<u64>,
    /// The first, and since when it is that.
    first_from: Option<(BlockHash, u64)>,
    /// Nothing is asked before: what came could not be taken.
    rests_ms: u64,
}

impl<P: Ord + Clone + Debug> Window<P> {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            slots: VecDeque::new(),
            handed_over: BTreeMap::new(),
            peers: BTreeMap::new(),
            lied: BTreeSet::new(),
            lacked: BTreeSet::new(),
            next_no: 0,
            body_bytes: BODY_BYTES_FIRST,
            hands: 0,
            gathers_from_ms: None,
            first_from: None,
            rests_ms: 0,
        }
    }

    pub(super) fn connected(&mut self, peer: P) {
        self.peers.insert(peer, Peer::default());
    }

    pub(super) fn gone(&mut self, peer: &P) {
        self.peers.remove(peer);
        self.lied.retain(|(_, liar)| liar != peer);
        self.lacked.retain(|(_, lacks)| lacks != peer);
        self.free(|state| matches!(state, State::Asked { peer: asked, .. } if asked == peer));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.handed_over.is_empty()
    }

    pub(super) fn buffered_bytes(&self) -> usize {
        let waits = |state: &State<P>| if let State::Here { bytes, .. } = state { bytes.len() } else { 0 };
        self.states().map(waits).sum()
    }

    fn states(&self) -> impl Iterator<Item = &State<P>> {
        self.slots.iter().map(|slot| &slot.state)
    }

    /// Whether more should be asked of the chain.
    pub(super) fn is_low(&self) -> bool {
        !self.is_empty() && self.slots.len() + self.handed_over.len() < self.config.window / 2
    }

    fn free(&mut self, is_to_be_freed: impl Fn(&State<P>) -> bool) {
        for slot in self.slots.iter_mut().filter(|slot| is_to_be_freed(&slot.state)) {
            slot.state = State::Free;
        }
    }

    /// What the chain lacks, in order; what came already keeps its place.
    pub(super) fn missing(&mut self, hashes: Vec<BlockHash>) {
        let mut before: HashMap<BlockHash, State<P>> =
            self.slots.drain(..).map(|slot| (slot.hash, slot.state)).collect();
        let mut seen = BTreeSet::new();
        for hash in hashes.into_iter().take(self.config.window) {
            // What was handed over waits for its verdict.
            if seen.insert(hash) && !self.handed_over.contains_key(&hash) {
                self.slots.push_back(Slot { hash, state: before.remove(&hash).unwrap_or(State::Free) });
            }
        }
        let handed_over = &self.handed_over;
        let stays = |(hash, _): &(BlockHash, P)| seen.contains(hash) || handed_over.contains_key(hash);
        self.lied.retain(stays);
        self.lacked.retain(stays);
    }

    /// A peer's answer; what it is to blame for.
    pub(super) fn blocks_came(&mut self, peer: &P, no: u64, blocks: Vec<Vec<u8>>, now_ms: u64) -> Option<Misbehaviour> {
        let (first, mut waiting) = (self.first(), self.buffered_bytes());
        // Answers mostly come in the order of the window.
        let mut slots = Cursor::default();
        let it = self.peers.get_mut(peer)?;
        let mut asked = it.questions.remove(&no)?.into_iter().peekable();
        let rests_ms = now_ms + self.config.rest_ms;
        if blocks.is_empty() {
            // It does not have the next one, and what follows that neither unless it is of another branch.
            it.rests_ms = rests_ms;
            self.lacked.extend(asked.peek().map(|hash| (*hash, peer.clone())));
        }
        let mut blame = None;
        for bytes in blocks {
            let hash = bytes.get(..Header::LEN).map(|header| BlockHash(sha256d(header)));
            // In the order asked, some may be left out.
            let Some(hash) = hash.filter(|hash| asked.any(|asked| asked == *hash)) else {
                // Others first, or it would be asked for the same at once.
                it.rests_ms = rests_ms;
                blame = Some(Misbehaviour::Unrequested);
                break;
            };
            self.body_bytes = (7 * self.body_bytes + bytes.len()) / 8;
            // Bodies longer than expected are fetched again once there is room; the first is never left out.
            let fits = waiting + bytes.len() <= self.config.window_bytes || first == Some(hash);
            if let Some(state @ (State::Free | State::Asked { .. })) =
                slots.find(&mut self.slots, &hash).filter(|_| fits)
            {
                waiting += bytes.len();
                *state = State::Here { peer: peer.clone(), bytes };
            }
        }
        self.free(|state| matches!(state, State::Asked { peer: asked, no: at, .. } if asked == peer && *at == no));
        blame
    }

    /// A question that will not be answered; whether its blocks were still waited for.
    pub(super) fn no_answer(&mut self, peer: &P, no: u64, now_ms: u64) -> bool {
        let Some(it) = self.peers.get_mut(peer) else { return false };
        if it.questions.remove(&no).is_none() {
            return false;
        }
        it.rests_ms = now_ms + self.config.rest_ms;
        let is_of_it =
            |state: &State<P>| matches!(state, State::Asked { peer: asked, no: at, .. } if asked == peer && *at == no);
        let was_waited_for = self.states().any(is_of_it);
        self.free(is_of_it);
        was_waited_for
    }

    /// The chain has judged a block; who brought it.
    pub(super) fn taken(&mut self, hash: &BlockHash) -> Option<P> {
        self.handed_over.remove(hash)
    }

    /// The chain has judged what was handed over once.
    pub(super) fn hand_is_free(&mut self) {
        self.hands = self.hands.saturating_sub(1);
    }

    /// Nothing is asked for a while.
    pub(super) fn rest(&mut self, now_ms: u64) {
        self.rests_ms = now_ms + self.config.rest_ms;
    }

    /// Has a block fetched again, from another peer than the one whose body was wrong.
    pub(super) fn again(&mut self, hash: BlockHash, liar: Option<&P>) {
        self.slots.push_front(Slot { hash, state: State::Free });
        self.lied.extend(liar.map(|peer| (hash, peer.clone())));
    }

    /// Who has not answered in time, or holds up everything; its blocks go to others.
    pub(super) fn tick(&mut self, now_ms: u64) -> Vec<P> {
        let Config { timeout_ms, stall_ms, .. } = self.config;
        let is_late =
            |state: &State<P>, after_ms| matches!(state, State::Asked { at_ms, .. } if at_ms + after_ms <= now_ms);
        let mut late: BTreeSet<P> = BTreeSet::new();
        let mut note = |state: &State<P>| {
            if let State::Asked { peer, .. } = state {
                late.insert(peer.clone());
            }
        };
        self.states().filter(|state| is_late(state, timeout_ms)).for_each(&mut note);
        let is_waiting_for_first = !self.states().any(|state| matches!(state, State::Free)) && self.peers.len() > 1;
        let is_behind_it = self.states().any(|state| matches!(state, State::Here { .. }));
        self.states()
            .take(1)
            .filter(|state| is_waiting_for_first && is_behind_it && is_late(state, stall_ms))
            .for_each(note);
        for peer in &late {
            self.free(|state| matches!(state, State::Asked { peer: asked, .. } if asked == peer));
            if let Some(it) = self.peers.get_mut(peer) {
                // What it still answers is of use, but nobody waits for it.
                it.rests_ms = now_ms + self.config.rest_ms;
            }
        }
        late.into_iter().collect()
    }

    /// Questions that can be put now.
    pub(super) fn ask(&mut self, now_ms: u64) -> Vec<(P, u64, Vec<BlockHash>)> {
        let Config { questions, question_bytes, window_bytes, .. } = self.config;
        if self.rests_ms > now_ms {
            return Vec::new();
        }
        let each = self.body_bytes.max(1);
        let mut free: Vec<usize> = Vec::new();
        let mut room = window_bytes;
        for (at, state) in self.states().enumerate() {
            match state {
                State::Here { bytes, .. } => room = room.saturating_sub(bytes.len()),
                State::Asked { .. } => room = room.saturating_sub(each),
                State::Free => free.push(at),
            }
        }
        let at_once = (question_bytes / each).clamp(1, BLOCKS_MAX);
        let mut asked = Vec::new();
        // Those that have nothing to give of what is left.
        let mut useless: BTreeSet<P> = BTreeSet::new();
        // Whoever has least to answer comes next, so that a few blocks do not all go to one.
        while !free.is_empty() {
            let may = |peer: &P, it: &Peer| {
                it.questions.len() < questions && it.rests_ms <= now_ms && !useless.contains(peer)
            };
            let next = self.peers.iter_mut().filter(|(peer, it)| may(peer, it));
            let Some((peer, it)) = next.min_by_key(|(_, it)| it.questions.len()) else { break };
            // The first is asked for even if there is no room: everything else waits for it.
            let has_room = |count: usize, at: usize| count < room / each || count == 0 && at == 0;
            let state = || State::Asked { peer: peer.clone(), no: self.next_no, at_ms: now_ms };
            let is_of = |set: &BTreeSet<(BlockHash, P)>, hash: BlockHash| {
                !set.is_empty() && set.contains(&(hash, peer.clone()))
            };
            let mut order = free.clone();
            if !self.lacked.is_empty() {
                order.sort_by_key(|at| self.slots.get(*at).is_some_and(|slot| is_of(&self.lacked, slot.hash)));
            }
            let mut hashes = Vec::new();
            for at in order {
                if hashes.len() >= at_once {
                    break;
                }
                // The first may come last here.
                let it = self.slots.get_mut(at).filter(|_| has_room(hashes.len(), at));
                if let Some(slot) = it.filter(|slot| !is_of(&self.lied, slot.hash)) {
                    slot.state = state();
                    hashes.push(slot.hash);
                }
            }
            free.retain(|at| self.slots.get(*at).is_some_and(|slot| slot.state == State::Free));
            if hashes.is_empty() {
                useless.insert(peer.clone());
                continue;
            }
            room = room.saturating_sub(hashes.len() * each);
            let no = self.next_no;
            self.next_no += 1;
            it.questions.insert(no, hashes.clone());
            asked.push((peer.clone(), no, hashes));
        }
        asked
    }

    /// The first block that was not handed over.
    fn first(&self) -> Option<BlockHash> {
        self.slots.front().map(|slot| slot.hash)
    }

    /// Whether the first has been that for so long that others should have been asked in vain.
    fn is_stuck(&mut self, now_ms: u64) -> bool {
        let first = self.first();
        if self.first_from.map(|(hash, _)| hash) != first {
            self.first_from = first.map(|hash| (hash, now_ms));
        }
        self.first_from.is_some_and(|(_, from_ms)| from_ms + self.config.rest_ms <= now_ms)
    }

    /// Whether the run at the front is too short to be worth a hand, and more of it is on its way.
    fn gathers(&mut self, now_ms: u64) -> bool {
        let mut run_bytes = 0;
        for slot in &self.slots {
            match &slot.state {
                State::Here { bytes, .. } if run_bytes < WORTH_A_HAND => run_bytes += bytes.len(),
                State::Asked { .. } if (1..WORTH_A_HAND).contains(&run_bytes) => {
                    return now_ms < *self.gathers_from_ms.get_or_insert(now_ms) + GATHER_MS;
                }
                _ => break,
            }
        }
        false
    }

    /// The bodies that come next and are all here, unless enough are handed over already.
    pub(super) fn ready(&mut self, now_ms: u64) -> Option<(Vec<BlockHash>, Vec<Vec<u8>>)> {
        if self.hands >= HANDS || self.gathers(now_ms) {
            return None;
        }
        let is_here = |slot: &Slot<P>| matches!(slot.state, State::Here { .. });
        // Nobody may have the first: what is behind it goes on without it, for it may be of another branch.
        let at = if self.is_stuck(now_ms) { self.slots.iter().position(is_here)? } else { 0 };
        let (mut hashes, mut ready, mut bytes_handed) = (Vec::new(), Vec::new(), 0);
        while bytes_handed < HANDED_OVER
            && self.slots.get(at).is_some_and(is_here)
            && let Some(Slot { hash, state: State::Here { peer, bytes } }) = self.slots.remove(at)
        {
            bytes_handed += bytes.len();
            self.handed_over.insert(hash, peer);
            hashes.push(hash);
            ready.push(bytes);
        }
        self.gathers_from_ms = None;
        self.hands += usize::from(!ready.is_empty());
        (!ready.is_empty()).then_some((hashes, ready))
    }
}

/// Finds blocks in the window, each from where the one before was found.
#[derive(Debug, Default)]
struct Cursor(usize);

impl Cursor {
    fn find<'w, P>(&mut self, slots: &'w mut VecDeque<Slot<P>>, hash: &BlockHash) -> Option<&'w mut State<P>> {
        let behind = slots.iter().skip(self.0).position(|slot| slot.hash == *hash).map(|at| self.0 + at);
        self.0 = behind.or_else(|| slots.iter().take(self.0).position(|slot| slot.hash == *hash))?;
        slots.get_mut(self.0).map(|slot| &mut slot.state)
    }
}
