//! A node: the machines, wired to chain, pool and links as the service does it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::check;
use dotp2p_chain::hash::{BlockHash, sha256d};
use dotp2p_chain::header::Header;
use dotp2p_chain::header_tree::Status;
use dotp2p_network::chain::BlockVerdict;
use dotp2p_network::message::{CompactBlock, LOCATOR_MAX, Request, short_id};
use dotp2p_network::relay::{self, Relay, Worth};
use dotp2p_network::score::{Misbehaviour, Scores};
use dotp2p_network::sync::{self, Sync};

use crate::asking::Question;
use crate::chain::{Chain, Opaque};
use crate::liar::Kind;
use crate::world::{Event, World};

#[derive(Debug)]
pub struct Node {
    pub chain: Chain,
    pub sync: Sync<usize>,
    pub relay: Relay<usize, u64>,
    /// Those that have said who they are.
    pub peers: BTreeSet<usize>,
    pub pool: BTreeMap<u32, Arc<Opaque>>,
    pub asked: BTreeMap<u64, Question>,
    pub scores: Scores,
    pub banned: BTreeSet<usize>,
    pub is_up: bool,
    /// How often it crashed.
    pub life: u32,
    pub greets_ms: u64,
    /// How it lies; none where it is honest.
    pub kind: Option<Kind>,
    /// Whose chain a liar shows where it has no other.
    pub view: usize,
    seen: BTreeSet<u64>,
    passed_on: BTreeSet<u64>,
    announced: BlockHash,
    /// Bytes of the longest answer to a question for bodies.
    pub longest: usize,
}

/// What the chain is asked to do.
#[derive(Debug)]
pub enum Op {
    Heads(usize, Vec<BlockHead>, bool),
    Blocks(Vec<BlockHash>, Vec<Vec<u8>>),
    Missing(u32),
    Judge(BlockHead),
    Fill(CompactBlock),
    Take(BlockHash, Vec<u8>),
}

impl Node {
    pub fn new(chain: Chain, sync: Sync<usize>, kind: Option<Kind>, view: usize) -> Self {
        let announced = chain.tree.active_tip().hash;
        Self {
            chain,
            sync,
            relay: Relay::default(),
            peers: BTreeSet::new(),
            pool: BTreeMap::new(),
            asked: BTreeMap::new(),
            scores: Scores::new(),
            banned: BTreeSet::new(),
            is_up: true,
            life: 0,
            greets_ms: 0,
            kind,
            view,
            seen: BTreeSet::new(),
            passed_on: BTreeSet::new(),
            announced,
            longest: 0,
        }
    }

    /// What a crash takes away, beside the machines.
    pub fn forget(&mut self) {
        self.pool.clear();
        self.asked.clear();
        self.peers.clear();
        self.seen.clear();
        self.passed_on.clear();
        self.scores = Scores::new();
        self.greets_ms = 0;
        self.announced = self.chain.tree.active_tip().hash;
    }
}

impl World {
    pub fn sync_event(&mut self, node: usize, event: sync::Event<usize>) {
        let (now_ms, is_answer) = (self.now_ms, matches!(event, sync::Event::Blocks(..)));
        let actions = self.nodes[node].sync.on(event, now_ms);
        for action in actions {
            match action {
                sync::Action::AskHeads(peer, after) => {
                    let mut hashes: Vec<BlockHash> = after.into_iter().collect();
                    hashes.extend(self.nodes[node].chain.locator());
                    hashes.truncate(LOCATOR_MAX);
                    self.ask(node, Question::Heads(peer), Request::Heads(hashes));
                }
                sync::Action::AskBlocks(peer, no, hashes) => {
                    let relayed = hashes.iter().filter(|hash| self.nodes[node].relay.has(hash)).count();
                    self.figures.twice += relayed as u64;
                    self.ask(node, Question::Blocks(peer, no), Request::Blocks(hashes));
                }
                sync::Action::TakeHeads(peer, heads, is_proven) => self.begin(node, Op::Heads(peer, heads, is_proven)),
                sync::Action::TakeBlocks(hashes, blocks) => {
                    let mut pairs = hashes.iter().zip(&blocks);
                    if !pairs.all(|(hash, bytes)| sha256d(&bytes[..Header::LEN]) == hash.0)
                        || hashes.len() != blocks.len()
                    {
                        self.fail(|| format!("{node} hands over bodies under other names"));
                    }
                    self.begin(node, Op::Blocks(hashes, blocks));
                }
                sync::Action::WantMissing(max) => self.begin(node, Op::Missing(max)),
                sync::Action::Penalise(peer, what, more) => self.penalise(node, peer, what, &more),
            }
        }
        let held = if is_answer { self.nodes[node].sync.buffered_bytes() } else { 0 };
        if held > self.config.window_bytes + self.nodes[node].longest {
            self.fail(|| format!("{node} holds {held} bytes of bodies"));
        }
    }

    pub fn relay_event(&mut self, node: usize, event: relay::Event<usize, u64>) {
        let actions = self.nodes[node].relay.on(event, self.now_ms);
        for action in actions {
            match action {
                relay::Action::Judge(head) => self.begin(node, Op::Judge(head)),
                relay::Action::Fill(block) => self.begin(node, Op::Fill(block)),
                relay::Action::AskTransactions(peer, hash, places) => {
                    self.ask(node, Question::Announced(peer, hash), Request::BlockTransactions(hash, places));
                }
                relay::Action::AskBlock(peer, hash) => {
                    self.ask(node, Question::Announced(peer, hash), Request::Blocks(vec![hash]));
                }
                relay::Action::Take(hash, bytes) => self.begin(node, Op::Take(hash, bytes)),
                relay::Action::Report(peer, message, worth) => self.report(node, peer, message, worth),
                relay::Action::Claims(peer) => self.sync_event(node, sync::Event::Claims(peer, None)),
                relay::Action::Penalise(peer, what, more) => self.penalise(node, peer, what, &more),
            }
        }
    }

    fn begin(&mut self, node: usize, op: Op) {
        let (life, took_ms) = (self.nodes[node].life, self.rng.u64(1..30));
        self.push(took_ms, Event::Done(node, life, op));
    }

    pub fn done(&mut self, node: usize, life: u32, op: Op) {
        if self.nodes[node].life != life || !self.nodes[node].is_up {
            return;
        }
        // The new view may be seen before the answer or after it.
        let (is_view_first, now_s) = (self.rng.bool(), self.nodes[node].chain.now_s(self.now_ms));
        let is_later = self.rng.u8(..) == 0;
        let chain = &mut self.nodes[node].chain;
        let take = |chain: &mut Chain, bytes: &Vec<u8>| {
            if is_later { BlockVerdict::later("the disk is full") } else { chain.take_block(bytes, now_s) }
        };
        let (mut of_sync, mut of_relay) = (None, None);
        match op {
            Op::Heads(peer, heads, is_proven) => {
                let taken = chain.take_heads(heads, is_proven, now_s);
                self.note(|| format!("{node} has judged the heads of {peer}: {taken:.60?}"));
                of_sync = Some(sync::Event::HeadsTaken(peer, taken));
            }
            Op::Blocks(hashes, blocks) => {
                let verdicts: Vec<_> = blocks.iter().map(|bytes| take(chain, bytes)).collect();
                self.note(|| format!("{node} has taken {} blocks: {verdicts:.90?}", hashes.len()));
                of_sync = Some(sync::Event::BlocksTaken(hashes.into_iter().zip(verdicts).collect()));
            }
            Op::Missing(max) => {
                of_sync = Some(sync::Event::Missing(chain.tree.wanted_bodies(max)));
            }
            Op::Judge(head) => {
                of_relay = Some(relay::Event::Judged(head.hash(), chain.take_heads(vec![head], false, now_s)));
            }
            Op::Fill(block) => of_relay = Some(relay::Event::Filled(block.head.hash(), self.fill(node, &block))),
            Op::Take(hash, bytes) => {
                let verdict = take(chain, &bytes);
                self.note(|| format!("{node} has taken the announced {hash}: {verdict:?}"));
                of_relay = Some(relay::Event::Taken(hash, verdict));
            }
        }
        if is_view_first {
            self.tip_moved(node);
        }
        of_sync.into_iter().for_each(|event| self.sync_event(node, event));
        of_relay.into_iter().for_each(|event| self.relay_event(node, event));
        if !is_view_first {
            self.tip_moved(node);
        }
    }

    /// Now and then a short id fits another transaction.
    fn fill(&mut self, node: usize, block: &CompactBlock) -> Vec<Option<Vec<u8>>> {
        let (hash, pool) = (block.head.hash(), &self.nodes[node].pool);
        let known: BTreeMap<_, _> = pool.values().map(|tx| (short_id(&hash, &tx.wtxid), &tx.bytes)).collect();
        let mut parts: Vec<_> = block.short_ids.iter().map(|id| known.get(id).map(|bytes| (*bytes).clone())).collect();
        if self.rng.u8(..) < 4
            && let Some(Some(part)) = parts.first_mut()
        {
            part.push(0);
        }
        parts
    }

    pub fn tip_moved(&mut self, node: usize) {
        let it = &self.nodes[node];
        let (headers_work, tip) = (it.chain.headers_work(), it.chain.tree.active_tip());
        self.sync_event(node, sync::Event::BestHeader(headers_work));
        let it = &mut self.nodes[node];
        if std::mem::replace(&mut it.announced, tip.hash) == tip.hash {
            return;
        }
        let Some(made) = self.blocks.get(&tip.hash).cloned() else { return };
        it.pool.retain(|_, tx| !made.transactions.iter().any(|in_block| in_block.wtxid == tx.wtxid));
        if headers_work <= tip.work {
            let message = self.message(&made.compact, 0);
            self.publish(node, message);
        }
    }

    /// The number of an announcement; `author` 0: as it should be.
    pub fn message(&mut self, compact: &CompactBlock, author: usize) -> u64 {
        let next = self.messages.len() as u64;
        let id = *self.message_ids.entry((compact.head.hash(), author)).or_insert(next);
        if id == next {
            self.messages.push(Arc::new(compact.clone()));
        }
        id
    }

    pub fn publish(&mut self, node: usize, message: u64) {
        if self.nodes[node].seen.insert(message) {
            self.pass_on(node, None, message);
        }
    }

    pub fn pass_on(&mut self, node: usize, source: Option<usize>, message: u64) {
        if !self.nodes[node].passed_on.insert(message) {
            return;
        }
        for to in self.neighbours(node).into_iter().filter(|to| Some(*to) != source) {
            self.send(node, to, 0, |link| Event::Gossip { from: node, to, link, message });
        }
    }

    pub fn gossiped(&mut self, node: usize, from: usize, message: u64) {
        let is_new = self.nodes[node].seen.insert(message);
        let block = Arc::clone(&self.messages[message as usize]);
        if self.is_liar(node) {
            if is_new {
                self.liar_hears(node, from, message, &block);
            }
            return;
        }
        let hash = block.head.hash();
        let it = &self.nodes[node];
        if !(is_new || self.is_chatty && it.relay.has(&hash)) {
            return;
        }
        let judged = check::check_work(&block.head, &it.chain.params.rules)
            .and_then(|()| check::check_roots(&block.head.header, &block.head.roots));
        if let Err(error) = judged {
            self.report(node, from, message, Worth::Reject);
            self.penalise(node, from, Misbehaviour::InvalidWork, &error.to_string());
            return;
        }
        let is_rejected = it.chain.tree.get(&hash).is_some_and(|it| it.status == Status::Rejected);
        if (it.chain.bodies.contains(&hash) || is_rejected) && !it.relay.has(&hash) {
            self.report(node, from, message, Worth::Ignore);
            return;
        }
        self.relay_event(node, relay::Event::Announced(from, message, (*block).clone()));
    }

    fn report(&mut self, node: usize, from: usize, message: u64, worth: Worth) {
        let hash = self.messages[message as usize].head.hash();
        match worth {
            Worth::PassOn => self.pass_on(node, Some(from), message),
            Worth::Ignore => {}
            Worth::Reject => {
                let is_as_made = self.message_ids.get(&(hash, 0)) == Some(&message);
                if is_as_made && self.blocks.get(&hash).is_some_and(|made| made.is_valid()) {
                    self.fail(|| format!("{node} rejects the announcement of the good block {hash}"));
                }
            }
        }
    }
}
