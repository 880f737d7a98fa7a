//! The bodies that are missing next: who was asked for each, and which wait for those before them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
/// Handed over and not taken yet, at most so many times.
const HANDS: usize = 2;

#[derive(Clone, Debug, PartialEq, Eq)]
enum State<P> {
    Free,
    Asked { peer: P, no: u64, at_ms: u64 },
    Here { peer: P, bytes: Vec<u8> },
    HandedOver { peer: P },
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
    /// In the order in which they are handed over.
    order: VecDeque<BlockHash>,
    states: BTreeMap<BlockHash, State<P>>,
    peers: BTreeMap<P, Peer>,
    /// Peers whose body of a block was not the block's.
    lied: BTreeSet<(BlockHash, P)>,
    next_no: u64,
    /// What bodies lately had.
    body_bytes: usize,
    hands: usize,
    /// Nothing is asked before: what came could not be taken.
    rests_ms: u64,
}

impl<P: Ord + Clone + Debug> Window<P> {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            order: VecDeque::new(),
            states: BTreeMap::new(),
            peers: BTreeMap::new(),
            lied: BTreeSet::new(),
            next_no: 0,
            body_bytes: BODY_BYTES_FIRST,
            hands: 0,
            rests_ms: 0,
        }
    }

    pub(super) fn connected(&mut self, peer: P) {
        self.peers.insert(peer, Peer::default());
    }

    pub(super) fn gone(&mut self, peer: &P) {
        self.peers.remove(peer);
        self.lied.retain(|(_, liar)| liar != peer);
        self.free(|state| matches!(state, State::Asked { peer: asked, .. } if asked == peer));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn buffered_bytes(&self) -> usize {
        let waits = |state: &State<P>| if let State::Here { bytes, .. } = state { bytes.len() } else { 0 };
        self.states.values().map(waits).sum()
    }

    /// Whether more should be asked of the chain.
    pub(super) fn is_low(&self) -> bool {
        !self.order.is_empty() && self.order.len() < self.config.window / 2
    }

    fn free(&mut self, is_to_be_freed: impl Fn(&State<P>) -> bool) {
        for state in self.states.values_mut().filter(|state| is_to_be_freed(state)) {
            *state = State::Free;
        }
    }

    /// What the chain lacks, in order; what came already keeps its place.
    pub(super) fn missing(&mut self, hashes: Vec<BlockHash>) {
        let mut before = std::mem::take(&mut self.states);
        self.order.clear();
        for hash in hashes.into_iter().take(self.config.window) {
            let state = before.remove(&hash).unwrap_or(State::Free);
            if self.states.insert(hash, state).is_none() {
                self.order.push_back(hash);
            }
        }
        // Handed over and taken meanwhile, or still to be: their verdicts come.
        self.states.extend(before.into_iter().filter(|(_, state)| matches!(state, State::HandedOver { .. })));
        let states = &self.states;
        self.lied.retain(|(hash, _)| states.contains_key(hash));
    }

    /// A peer's answer; what it is to blame for.
    pub(super) fn blocks_came(&mut self, peer: &P, no: u64, blocks: Vec<Vec<u8>>, now_ms: u64) -> Option<Misbehaviour> {
        let (first, mut waiting) = (self.first(), self.buffered_bytes());
        let it = self.peers.get_mut(peer)?;
        let mut asked = it.questions.remove(&no)?.into_iter();
        let rests_ms = now_ms + self.config.rest_ms;
        if blocks.is_empty() {
            // It does not have the next one.
            it.rests_ms = rests_ms;
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
            if let Some(state @ (State::Free | State::Asked { .. })) = self.states.get_mut(&hash).filter(|_| fits) {
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
        let was_waited_for = self.states.values().any(is_of_it);
        self.free(is_of_it);
        was_waited_for
    }

    /// The chain has judged a block; who brought it.
    pub(super) fn taken(&mut self, hash: &BlockHash) -> Option<P> {
        let state = self.states.remove(hash);
        if self.order.front() == Some(hash) {
            self.order.pop_front();
        } else {
            self.order.retain(|it| it != hash);
        }
        match state {
            Some(State::HandedOver { peer } | State::Here { peer, .. }) => Some(peer),
            _ => None,
        }
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
        self.states.insert(hash, State::Free);
        self.order.push_front(hash);
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
        self.states.values().filter(|state| is_late(state, timeout_ms)).for_each(&mut note);
        let is_waiting_for_first =
            !self.states.values().any(|state| matches!(state, State::Free)) && self.peers.len() > 1;
        let first = self.order.iter().filter_map(|hash| self.states.get(hash));
        let first = first.clone().find(|state| !matches!(state, State::HandedOver { .. }));
        let is_behind_it = self.states.values().any(|state| matches!(state, State::Here { .. }));
        first
            .filter(|state| is_waiting_for_first && is_behind_it && is_late(state, stall_ms))
            .into_iter()
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
        let here = self.states.values().map(|state| match state {
            State::Here { bytes, .. } => bytes.len(),
            State::Asked { .. } => each,
            State::Free | State::HandedOver { .. } => 0,
        });
        let mut room = window_bytes.saturating_sub(here.sum());
        let at_once = (question_bytes / each).clamp(1, BLOCKS_MAX);
        let mut free: VecDeque<BlockHash> =
            self.order.iter().filter(|hash| self.states.get(hash) == Some(&State::Free)).copied().collect();
        let first = self.first();
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
            let has_room = |count: usize, hash: &BlockHash| count < room / each || count == 0 && Some(*hash) == first;
            let (mut hashes, mut left) = (Vec::new(), VecDeque::new());
            while let Some(hash) = free.pop_front_if(|hash| hashes.len() < at_once && has_room(hashes.len(), hash)) {
                if self.lied.contains(&(hash, peer.clone())) { left.push_back(hash) } else { hashes.push(hash) }
            }
            left.append(&mut free);
            free = left;
            if hashes.is_empty() {
                useless.insert(peer.clone());
                continue;
            }
            room = room.saturating_sub(hashes.len() * each);
            let no = self.next_no;
            self.next_no += 1;
            it.questions.insert(no, hashes.clone());
            for hash in &hashes {
                self.states.insert(*hash, State::Asked { peer: peer.clone(), no, at_ms: now_ms });
            }
            asked.push((peer.clone(), no, hashes));
        }
        asked
    }

    /// The first block that was not handed over.
    fn first(&self) -> Option<BlockHash> {
        let is_handed_over = |hash: &&BlockHash| matches!(self.states.get(hash), Some(State::HandedOver { .. }));
        self.order.iter().find(|hash| !is_handed_over(hash)).copied()
    }

    /// The bodies that come next and are all here, unless enough are handed over already.
    pub(super) fn ready(&mut self) -> Option<(Vec<BlockHash>, Vec<Vec<u8>>)> {
        if self.hands >= HANDS {
            return None;
        }
        let (mut hashes, mut ready, mut bytes_handed) = (Vec::new(), Vec::new(), 0);
        for hash in &self.order {
            let Some(state) = self.states.get_mut(hash) else { break };
            match state {
                State::HandedOver { .. } => continue,
                State::Here { peer, bytes } if bytes_handed < HANDED_OVER => {
                    let (peer, bytes) = (peer.clone(), std::mem::take(bytes));
                    bytes_handed += bytes.len();
                    hashes.push(*hash);
                    ready.push(bytes);
                    *state = State::HandedOver { peer };
                }
                _ => break,
            }
        }
        self.hands += usize::from(!ready.is_empty());
        (!ready.is_empty()).then_some((hashes, ready))
    }
}
