//! Twenty nodes, the links between them, and a queue of what happens in virtual milliseconds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dotp2p_chain::block::Coinbase;
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::Params;
use dotp2p_chain::pow::Work;
use dotp2p_network::message::{CompactBlock, Request, Response};
use dotp2p_network::relay;
use dotp2p_network::sync::{self, Config, Sync};
use fastrand::Rng;

use crate::chain::{Chain, LIGHT_SHORT, Made, Opaque, make, shared};
use crate::liar::Kind;
use crate::node::{Node, Op};

pub const NODES: usize = 20;
/// Milliseconds after which a question has failed: as the service waits.
pub const QUESTION_MS: u64 = 20_000;
const TICK_MS: u64 = 500;
const GREET_MS: u64 = 30_000;
/// Virtual time within which all must be of one mind: after the last trouble, and after the last block.
pub const SETTLED_MS: u64 = 180_000;

/// What is delivered when its time has come.
#[derive(Debug)]
pub enum Event {
    Tick(usize, u32),
    Open(usize, usize),
    Close(usize, usize, u32),
    Greeting { from: usize, to: usize, link: u32, work: Work },
    Ask { from: usize, to: usize, link: u32, id: u64, request: Request },
    Answer { from: usize, to: usize, link: u32, id: u64, response: Response },
    TimeIsUp(usize, u64),
    Gossip { from: usize, to: usize, link: u32, message: u64 },
    Done(usize, u32, Op),
    Learn(usize, Arc<Opaque>, u32),
    Spend,
    Mine,
    Trouble,
    Heal,
    Restart(usize),
    Calm,
    Look,
}

/// Between two nodes, the lower number first.
#[derive(Debug)]
pub struct Link {
    pub base_ms: u64,
    pub is_open: bool,
    /// Nothing comes through, and nobody notices.
    pub is_cut: bool,
    pub life: u32,
}

/// What a world saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub events: u64,
    pub blocks: u64,
    pub questions: u64,
    pub lost: u64,
    pub partitions: u64,
    pub crashes: u64,
    /// Bodies that sync fetched while relay was at them.
    pub twice: u64,
    pub bans: u64,
    /// The most points an honest node had at another.
    pub points: u32,
    pub settled_ms: u64,
    pub last_ms: u64,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Troubled,
    Settling(u64),
    Last(u64, BlockHash),
    Over,
}

#[derive(Debug)]
pub struct World {
    pub now_ms: u64,
    pub rng: Rng,
    pub nodes: Vec<Node>,
    pub links: BTreeMap<(usize, usize), Link>,
    pub blocks: BTreeMap<BlockHash, Arc<Made>>,
    pub messages: Vec<Arc<CompactBlock>>,
    /// Announcements by block and by who made them up; 0: as they should be.
    pub message_ids: BTreeMap<(BlockHash, usize), u64>,
    pub config: Config,
    pub figures: Figures,
    /// Whether messages that were seen before reach the machine too.
    pub is_chatty: bool,
    /// Heads of little work that there are.
    pub light: usize,
    pub failed: Option<String>,
    pub next_id: u64,
    pub params: Arc<Params>,
    /// Blocks that the world began with.
    pub base: BTreeSet<BlockHash>,
    queue: BTreeMap<(u64, u64), Event>,
    pub stage: Stage,
    transactions: u32,
    trace: bool,
}

/// Both ways are one link.
pub fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl World {
    pub fn new(seed: u64, trace: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let (shared, is_deep) = (shared(), seed % 16 == 7);
        let params = if is_deep { shared.deep.clone() } else { shared.plain.clone() };
        let config = if is_deep {
            Config::default()
        } else {
            Config { window: 16, window_bytes: 4 << 10, question_bytes: 1 << 10, ..Config::default() }
        };
        let liars = rng.usize(0..=4);
        let mut world = Self {
            now_ms: 0,
            nodes: Vec::new(),
            links: BTreeMap::new(),
            blocks: BTreeMap::new(),
            messages: Vec::new(),
            message_ids: BTreeMap::new(),
            config,
            figures: Figures::default(),
            is_chatty: rng.bool(),
            light: if is_deep { shared.light.len() } else { LIGHT_SHORT },
            failed: None,
            next_id: 0,
            params: params.clone(),
            base: BTreeSet::new(),
            queue: BTreeMap::new(),
            stage: Stage::Troubled,
            transactions: 0,
            trace,
            rng,
        };
        let base = if is_deep { &shared.long } else { &shared.short };
        world.blocks.extend(base.iter().map(|made| (made.hash, made.clone())));
        world.base = world.blocks.keys().copied().collect();
        for at in 0..NODES {
            let kind = (at >= NODES - liars).then(|| Kind::any(&mut world.rng));
            let mut chain = Chain::new(&params);
            // Two begin with nothing.
            if kind.is_none() && at > 1 {
                chain.begin_with(base);
            }
            let sync = Sync::new(config, params.clone(), chain.headers_work());
            world.nodes.push(Node::new(chain, sync, kind, world.rng.usize(2..NODES - liars)));
        }
        world.connect(NODES - liars);
        for at in 0..NODES {
            let first_ms = world.rng.u64(0..TICK_MS);
            world.push(first_ms, Event::Tick(at, 0));
        }
        world.push(1_000, Event::Spend);
        world.push(2_000, Event::Mine);
        let (trouble_ms, calm_ms) = (world.rng.u64(3_000..20_000), world.rng.u64(50_000..110_000));
        world.push(trouble_ms, Event::Trouble);
        world.push(calm_ms, Event::Calm);
        world
    }

    /// A ring of honest nodes, chords, and liars among them.
    fn connect(&mut self, honest: usize) {
        let mut pairs: BTreeSet<(usize, usize)> = (0..honest).map(|at| pair(at, (at + 1) % honest)).collect();
        for at in 0..NODES {
            let chords = if at < honest { self.rng.usize(1..=2) } else { self.rng.usize(2..=6) };
            pairs.extend((0..chords).map(|_| pair(at, self.rng.usize(0..honest))).filter(|(a, b)| a != b));
        }
        for (a, b) in pairs {
            let base_ms = if self.rng.u8(..) < 20 { self.rng.u64(300..1_500) } else { self.rng.u64(5..150) };
            self.links.insert((a, b), Link { base_ms, is_open: false, is_cut: false, life: 0 });
            let open_ms = self.rng.u64(0..2_000);
            self.push(open_ms, Event::Open(a, b));
        }
    }

    pub fn push(&mut self, after_ms: u64, event: Event) {
        let no = self.next_id();
        self.queue.insert((self.now_ms + after_ms, no), event);
    }

    pub fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn fail(&mut self, why: impl FnOnce() -> String) {
        if self.failed.is_none() {
            self.failed = Some(format!("at {} ms: {}", self.now_ms, why()));
        }
    }

    pub fn note(&self, line: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>8} {}", self.now_ms, line());
        }
    }

    pub fn is_liar(&self, node: usize) -> bool {
        self.nodes[node].kind.is_some()
    }

    pub fn is_open(&self, a: usize, b: usize) -> bool {
        self.links.get(&pair(a, b)).is_some_and(|link| link.is_open)
    }

    pub fn neighbours(&self, node: usize) -> Vec<usize> {
        let open = self.links.iter().filter(|((a, b), link)| link.is_open && (*a == node || *b == node));
        open.map(|((a, b), _)| if *a == node { *b } else { *a }).collect()
    }

    /// Sends over a link, if there is one and it lasts; `event` is told which.
    pub fn send(&mut self, from: usize, to: usize, more_ms: u64, event: impl FnOnce(u32) -> Event) {
        let Some(link) = self.links.get(&pair(from, to)).filter(|link| link.is_open && !link.is_cut) else { return };
        let (base_ms, life) = (link.base_ms, link.life);
        let spike = if self.rng.u8(..) == 0 { 10 } else { 1 };
        let delay_ms = base_ms / 2 + self.rng.u64(0..=base_ms * spike);
        self.push(more_ms + delay_ms + 1, event(life));
    }

    fn comes_through(&self, from: usize, to: usize, life: u32) -> bool {
        let link = &self.links[&pair(from, to)];
        link.is_open && !link.is_cut && link.life == life
    }

    pub fn run(mut self) -> Result<Figures, String> {
        while let Some(((at_ms, _), event)) = self.queue.pop_first() {
            self.now_ms = at_ms;
            self.figures.events += 1;
            self.happens(event);
            if let Some(why) = self.failed {
                return Err(why);
            }
            if self.stage == Stage::Over {
                break;
            }
        }
        Ok(self.figures)
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Tick(node, life) => self.tick(node, life),
            Event::Open(a, b) => self.open(a, b),
            Event::Close(a, b, life) if self.links[&pair(a, b)].life == life => self.close(a, b),
            Event::Greeting { from, to, link, work } if self.comes_through(from, to, link) => {
                self.greeted(from, to, work)
            }
            Event::Ask { from, to, link, id, request } if self.comes_through(from, to, link) => {
                self.asked(from, to, id, request);
            }
            Event::Answer { from, to, link, id, response } if self.comes_through(from, to, link) => {
                self.answered(to, from, id, response);
            }
            Event::TimeIsUp(node, id) => self.time_is_up(node, id),
            Event::Gossip { from, to, link, message } if self.comes_through(from, to, link) => {
                self.gossiped(to, from, message);
            }
            Event::Close(..)
            | Event::Greeting { .. }
            | Event::Ask { .. }
            | Event::Answer { .. }
            | Event::Gossip { .. } => {}
            Event::Done(node, life, op) => self.done(node, life, op),
            Event::Learn(node, transaction, number) => drop(self.nodes[node].pool.insert(number, transaction)),
            Event::Spend => self.spend(),
            Event::Mine if self.stage == Stage::Troubled => {
                let miner = self.rng.usize(0..NODES);
                if self.is_liar(miner) {
                    self.liar_mines(miner);
                } else {
                    self.mine(miner);
                }
                let next_ms = self.rng.u64(300..6_000);
                self.push(next_ms, Event::Mine);
            }
            Event::Trouble if self.stage == Stage::Troubled => self.trouble(),
            Event::Mine | Event::Trouble => {}
            Event::Heal => self.heal(),
            Event::Restart(node) => self.restart(node),
            Event::Calm => {
                self.heal();
                (0..NODES)
                    .filter(|at| !self.nodes[*at].is_up)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .for_each(|at| self.restart(at));
                self.stage = Stage::Settling(self.now_ms);
                self.push(500, Event::Look);
            }
            Event::Look => self.look(),
        }
    }

    fn tick(&mut self, node: usize, life: u32) {
        if self.nodes[node].life != life || !self.nodes[node].is_up {
            return;
        }
        self.push(TICK_MS, Event::Tick(node, life));
        if !self.is_liar(node) {
            self.sync_event(node, sync::Event::Tick);
            self.relay_event(node, relay::Event::Tick);
        }
        if self.now_ms >= self.nodes[node].greets_ms {
            self.nodes[node].greets_ms = self.now_ms + GREET_MS;
            self.neighbours(node).into_iter().for_each(|peer| self.greet(node, peer));
        }
    }

    pub fn greet(&mut self, from: usize, to: usize) {
        let is_liar = self.is_liar(from);
        let work = if is_liar { Work::MAX } else { self.nodes[from].chain.work() };
        self.send(from, to, 0, |link| Event::Greeting { from, to, link, work });
    }

    fn greeted(&mut self, from: usize, to: usize, work: Work) {
        if self.is_liar(to) {
            return;
        }
        let is_first = self.nodes[to].peers.insert(from);
        let event = if is_first { sync::Event::Connected(from, work) } else { sync::Event::Claims(from, Some(work)) };
        self.sync_event(to, event);
    }

    fn time_is_up(&mut self, node: usize, id: u64) {
        if self.nodes[node].asked.contains_key(&id) {
            self.figures.lost += 1;
            self.unanswered(node, id, true);
        }
    }

    fn spend(&mut self) {
        self.transactions += 1;
        let len = if self.rng.u8(..) < 8 { 3_000 } else { self.rng.usize(40..300) };
        let (number, transaction) = (self.transactions, Arc::new(Opaque::new(self.transactions, len)));
        for node in 0..NODES {
            if self.rng.u8(..) < 230 {
                let after_ms = self.rng.u64(0..2_000);
                self.push(after_ms, Event::Learn(node, transaction.clone(), number));
            }
        }
        let next_ms = self.rng.u64(300..1_500);
        self.push(next_ms, Event::Spend);
    }

    pub fn mine(&mut self, miner: usize) -> Option<BlockHash> {
        if !self.nodes[miner].is_up {
            return None;
        }
        let node = &self.nodes[miner];
        let (tip, now_s) = (node.chain.tree.active_tip().hash, node.chain.now_s(self.now_ms));
        let transactions = node.pool.values().take(5).cloned().collect();
        let mut to = [0; 32];
        self.rng.fill(&mut to);
        let coinbase = Coinbase { to: PublicKey(to), extra: Vec::new() };
        let made = make(&node.chain.tree, &tip, &self.params.rules, now_s, (coinbase, transactions));
        let (hash, bytes) = (made.hash, made.bytes.clone());
        self.note(|| format!("{miner} mines {hash} on {tip}"));
        self.blocks.insert(hash, Arc::new(made));
        self.figures.blocks += 1;
        let _ = self.nodes[miner].chain.take_block(&bytes, now_s);
        self.tip_moved(miner);
        Some(hash)
    }
}
