//! The machines of sync and relay, driven by any events in any order: no panic, nobody who is gone is asked, no peer has
//! more questions than agreed, what waits stays within the window.

#![no_main]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a target fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use dotp2p_chain::block::{Block, BlockHead, Coinbase};
use dotp2p_chain::check::Condemns;
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::header_tree::HeaderTree;
use dotp2p_chain::pow::Work;
use dotp2p_fuzz::networks::regtest;
use dotp2p_fuzz::{Cost, within};
use dotp2p_network::chain::{BlockVerdict, HeadsTaken};
use dotp2p_network::message::CompactBlock;
use dotp2p_network::presync::Fork;
use dotp2p_network::relay::{self, Relay};
use dotp2p_network::sync::{self, Config, Sync};
use libfuzzer_sys::fuzz_target;

/// Blocks that peers and chain speak of.
const BLOCKS: usize = 24;
const PEERS: u8 = 5;
/// The longest body that a peer sends, and what may wait.
const BODY: usize = 4_000;
const WINDOW_BYTES: usize = 2_000;

#[derive(Arbitrary, Debug)]
enum Step {
    Connected(u8, u8),
    Claims(u8, Option<u8>),
    Gone(u8),
    /// So many from that one on.
    Heads(u8, u8, u8),
    /// To the question of that place among the open ones: which of the blocks, and how long.
    Blocks(u8, Vec<(u8, u16)>),
    NoHeads(u8),
    NoBlocks(u8),
    HeadsTaken(u8, Taken),
    BlocksTaken(Vec<(u8, Verdict)>),
    Missing(u8, u8),
    BestHeader(u8),
    Pass(u16),
    Announced(u8, u8, u8),
    Judged(u8, Taken),
    Filled(u8, Vec<bool>),
    Transactions(u8, u8, u8),
    Whole(u8, u8),
    Nothing(u8, u8),
    Taken(u8, Verdict),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Taken {
    Stored(u8, u8),
    LowWork(u8, u8, u8),
    Unconnected,
    Refused,
    Other,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Verdict {
    Taken,
    Known,
    Message,
    Hash,
    Nothing,
}

fuzz_target!(|data: &[u8]| {
    within(data.len(), Cost { per_byte: 1_024, cpu_ms: 500 }, || {
        let steps: Vec<Step> = Unstructured::new(data).arbitrary().unwrap_or_default();
        World::default().run(&steps);
    });
});

static HEADS: LazyLock<Vec<BlockHead>> = LazyLock::new(|| {
    let mut heads = Vec::new();
    let mut last = regtest().genesis.head;
    for _ in 0..BLOCKS {
        last.header.prev_blockhash = last.hash();
        last.roots.height = last.roots.height.next();
        last.header.commitment = last.roots.commitment();
        last.header.time += 60;
        let target = last.header.bits.to_target().unwrap();
        while !target.is_met_by(&last.hash()) {
            last.header.nonce += 1;
        }
        heads.push(last);
    }
    heads
});
static HASHES: LazyLock<Vec<BlockHash>> = LazyLock::new(|| HEADS.iter().map(BlockHead::hash).collect());

fn hash(at: u8) -> BlockHash {
    HASHES[usize::from(at) % BLOCKS]
}

fn work(of: u8) -> Work {
    if of == u8::MAX { Work::MAX } else { Work::from_le_bytes(std::array::from_fn(|at| if at == 0 { of } else { 0 })) }
}

fn heads(from: u8, count: u8) -> Vec<BlockHead> {
    HEADS.iter().skip(usize::from(from) % BLOCKS).take(usize::from(count)).copied().collect()
}

impl Taken {
    fn of(self) -> HeadsTaken {
        match self {
            Self::Stored(last, of) => HeadsTaken::Stored { last: hash(last), work: work(of) },
            Self::LowWork(from, count, threshold) => {
                let genesis = regtest().genesis.head.header;
                let context = HeaderTree::new(&genesis).context(&genesis.hash()).unwrap();
                let fork = Fork { context, work: Work::ZERO, threshold: work(threshold) };
                HeadsTaken::LowWork(Box::new(fork), heads(from, count))
            }
            Self::Unconnected => HeadsTaken::Unconnected,
            Self::Refused => HeadsTaken::Refused(dotp2p_chain::check::BlockError::Roots),
            Self::Other => HeadsTaken::Other("busy".to_owned()),
        }
    }
}

impl Verdict {
    fn of(self) -> BlockVerdict {
        let refused = |condemns| BlockVerdict::Refused { condemns, reason: String::new() };
        match self {
            Self::Taken => BlockVerdict::Taken,
            Self::Known => BlockVerdict::Known,
            Self::Message => refused(Condemns::Message),
            Self::Hash => refused(Condemns::Hash),
            Self::Nothing => refused(Condemns::Nothing),
        }
    }
}

struct World {
    sync: Sync<u8>,
    relay: Relay<u8, u8>,
    peers: BTreeSet<u8>,
    /// Open questions for bodies.
    asked: BTreeMap<u64, (u8, Vec<BlockHash>)>,
    /// Open questions for heads.
    heads: BTreeSet<u8>,
    now_ms: u64,
}

impl Default for World {
    fn default() -> Self {
        let config = Config { window: 16, window_bytes: WINDOW_BYTES, question_bytes: 8 << 10, ..Config::default() };
        let sync = Sync::new(config, Arc::new(regtest().clone()), Work::ZERO);
        let (peers, asked, heads) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        Self { sync, relay: Relay::default(), peers, asked, heads, now_ms: 0 }
    }
}

impl World {
    fn run(mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
            assert!(self.sync.buffered_bytes() <= WINDOW_BYTES + BODY, "what waits stays within the window");
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Connected(peer, of) if self.peers.insert(peer % PEERS) => {
                self.on(sync::Event::Connected(peer % PEERS, work(*of)));
            }
            Step::Connected(..) => {}
            Step::Claims(peer, of) => self.on(sync::Event::Claims(peer % PEERS, of.map(work))),
            Step::Gone(peer) => {
                let peer = peer % PEERS;
                self.peers.remove(&peer);
                self.asked.retain(|_, (asked, _)| *asked != peer);
                self.heads.remove(&peer);
                self.on(sync::Event::Gone(peer));
                self.relay(relay::Event::Gone(peer));
            }
            Step::Heads(peer, from, count) => {
                // An answer to no question comes too.
                self.heads.remove(&(peer % PEERS));
                self.on(sync::Event::Heads(peer % PEERS, heads(*from, *count)));
            }
            Step::NoHeads(peer) => {
                self.heads.remove(&(peer % PEERS));
                self.on(sync::Event::NoHeads(peer % PEERS));
            }
            Step::Blocks(at, bodies) => {
                let Some((no, (peer, hashes))) = self.open(*at) else { return };
                let body = |(which, len): &(u8, u16)| {
                    let asked = hashes.get(usize::from(*which)).and_then(|hash| HASHES.iter().position(|it| it == hash));
                    let mut bytes = Vec::new();
                    HEADS[asked.unwrap_or(usize::from(*which) % BLOCKS)].encode_to(&mut bytes);
                    bytes.resize(usize::from(*len) % BODY, 0);
                    bytes
                };
                self.on(sync::Event::Blocks(peer, no, bodies.iter().take(64).map(body).collect()));
            }
            Step::NoBlocks(at) => {
                let Some((no, (peer, _))) = self.open(*at) else { return };
                self.on(sync::Event::NoBlocks(peer, no));
            }
            Step::HeadsTaken(peer, taken) => self.on(sync::Event::HeadsTaken(peer % PEERS, taken.of())),
            Step::BlocksTaken(verdicts) => {
                let of = |(at, verdict): &(u8, Verdict)| (hash(*at), verdict.of());
                self.on(sync::Event::BlocksTaken(verdicts.iter().map(of).collect()));
            }
            Step::Missing(from, count) => {
                let from = usize::from(*from) % BLOCKS;
                self.on(sync::Event::Missing(HASHES.iter().skip(from).take(usize::from(*count)).copied().collect()));
            }
            Step::BestHeader(of) => self.on(sync::Event::BestHeader(work(*of))),
            Step::Pass(ms) => {
                self.now_ms += u64::from(*ms);
                self.on(sync::Event::Tick);
                self.relay(relay::Event::Tick);
            }
            Step::Announced(peer, at, parts) if self.peers.contains(&(peer % PEERS)) => {
                let coinbase = Coinbase { to: regtest().genesis.coinbase.to.clone(), extra: Vec::new() };
                let head = HEADS[usize::from(*at) % BLOCKS];
                let block = CompactBlock { head, coinbase, short_ids: vec![[*at; 6]; usize::from(parts % 4)] };
                self.relay(relay::Event::Announced(peer % PEERS, *parts, block));
            }
            Step::Announced(..) => {}
            Step::Judged(at, taken) => self.relay(relay::Event::Judged(hash(*at), taken.of())),
            Step::Filled(at, parts) => {
                let part = |is_here: &bool| is_here.then(|| vec![1]);
                self.relay(relay::Event::Filled(hash(*at), parts.iter().map(part).collect()));
            }
            Step::Transactions(peer, at, count) => {
                self.relay(relay::Event::Transactions(peer % PEERS, hash(*at), vec![vec![2]; usize::from(*count)]));
            }
            Step::Whole(peer, at) => {
                self.relay(relay::Event::Block(peer % PEERS, hash(*at), Block::encode(&regtest().genesis)));
            }
            Step::Nothing(peer, at) => self.relay(relay::Event::Nothing(peer % PEERS, hash(*at))),
            Step::Taken(at, verdict) => self.relay(relay::Event::Taken(hash(*at), verdict.of())),
        }
    }

    fn open(&mut self, at: u8) -> Option<(u64, (u8, Vec<BlockHash>))> {
        let no = *self.asked.keys().nth(usize::from(at) % self.asked.len().max(1))?;
        self.asked.remove(&no).map(|asked| (no, asked))
    }

    fn on(&mut self, event: sync::Event<u8>) {
        for action in self.sync.on(event, self.now_ms) {
            match action {
                sync::Action::AskHeads(peer, _) => {
                    assert!(self.peers.contains(&peer), "{peer} is gone and was asked for heads");
                    assert!(self.heads.insert(peer), "{peer} was asked for heads twice at a time");
                }
                sync::Action::AskBlocks(peer, no, hashes) => {
                    assert!(self.peers.contains(&peer), "{peer} is gone and was asked for blocks");
                    assert!(!hashes.is_empty() && self.asked.insert(no, (peer, hashes)).is_none(), "each has its number");
                    let open = self.asked.values().filter(|(asked, _)| *asked == peer).count();
                    assert!(open <= Config::default().questions, "{peer} has {open} questions");
                }
                sync::Action::TakeBlocks(hashes, blocks) => assert_eq!(hashes.len(), blocks.len()),
                _ => {}
            }
        }
    }

    fn relay(&mut self, event: relay::Event<u8, u8>) {
        for action in self.relay.on(event, self.now_ms) {
            match action {
                relay::Action::AskTransactions(peer, ..) | relay::Action::AskBlock(peer, _) => {
                    assert!(self.peers.contains(&peer), "{peer} is gone and was asked for a block");
                }
                relay::Action::Claims(peer) => self.on(sync::Event::Claims(peer, None)),
                _ => {}
            }
        }
    }
}
