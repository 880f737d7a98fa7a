//! Two sides of a fork: the product's importer as the honest node, and a branch that nobody sees.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dotp2p::import::{CheckedBlock, Importer};
use dotp2p::miner;
use dotp2p_chain::amount::Amount;
use dotp2p_chain::asert::WAITING_SPACINGS;
use dotp2p_chain::block::{Block, BlockHead, Coinbase, Pow, tx_root};
use dotp2p_chain::check::{HeaderContext, MEDIAN_SPAN, median_time, required_bits};
use dotp2p_chain::entry::EntryKey;
use dotp2p_chain::header::{Header, Roots};
use dotp2p_chain::height::Height;
use dotp2p_chain::history::{History, Node as HistoryNode};
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::op::Op;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::pow::{CompactTarget, Work};
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::ledger::apply_block;
use dotp2p_registry::mempool::Limits;
use dotp2p_registry::query::Reader;
use dotp2p_registry::state::State;
use dotp2p_registry::store::Store;

use crate::ledger::{key, transaction};
use crate::stats::{exponential, hashes};

/// The key that takes rewards.
const MINER: u64 = 99;
/// Seconds between two templates while the waiting rule eases.
const TEMPLATE_S: f64 = 30.0;

/// Main's rules, but 256 hashes for a block at the start, and rewards that mature at once.
fn params() -> Params {
    let main = Params::main();
    let rules = Rules {
        limit_bits: CompactTarget::from_consensus(0x207f_ffff),
        genesis_bits: CompactTarget::from_consensus(0x2000_ffff),
        maturity: 1,
        ..main.rules
    };
    Params::new(rules, main.deployment).expect("main's rules at another limit")
}

/// Hashes a second of everybody together: a block a minute at the start.
fn hash_rate(params: &Params) -> f64 {
    hashes(params.rules.genesis_bits) / params.rules.spacing as f64
}

/// When a block after `context` is found by `share` of all hash rate, from `clock` (Unix seconds) on.
fn find(context: &HeaderContext, clock: f64, share: f64, params: &Params, rng: &mut fastrand::Rng) -> f64 {
    let rate = hash_rate(params) * share;
    let eases = (context.parent_time + WAITING_SPACINGS * params.rules.spacing) as f64;
    let (mut clock, mut left) = (clock, exponential(rng));
    loop {
        let expected = hashes(required_bits(context, clock as u64, &params.rules)) / rate;
        let until = if clock < eases { eases } else { clock + TEMPLATE_S };
        if clock + left * expected <= until {
            return clock + left * expected;
        }
        left -= (until - clock) / expected;
        clock = until;
    }
}

fn mined(block: Block) -> Block {
    miner::mine(block, &AtomicBool::new(false), |_| ()).expect("256 hashes or so")
}

/// The honest node.
pub struct Node {
    importer: Importer,
    params: Arc<Params>,
    clock: f64,
    _dir: tempfile::TempDir,
}

impl Node {
    /// A node whose chain has given each of `people` coins.
    pub fn new(people: &[PublicKey]) -> Self {
        let params = Arc::new(params());
        // In memory where there is such a folder: the store syncs each block.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let dir = dir.expect("a temporary folder");
        let (store, loaded) = Store::open(dir.path(), &params, false).expect("an empty store");
        let (importer, _) =
            Importer::open(store, loaded, params.clone(), Limits::default(), |_| ()).expect("an empty store opens");
        let clock = params.rules.genesis_time as f64;
        let mut node = Self { importer, params, clock, _dir: dir };
        people.iter().for_each(|person| node.mine_to(*person, node.clock + 60.0));
        node.mine_quietly(1);
        node
    }

    pub fn params(&self) -> &Params {
        &self.params
    }

    pub fn reader(&self) -> Reader {
        self.importer.reader()
    }

    /// Unix seconds.
    pub fn clock(&self) -> f64 {
        self.clock
    }

    /// Offers a transaction to the pool.
    pub fn submit(&mut self, payer: u64, ops: Vec<Op>) {
        let reader = self.reader();
        let payer = key(payer);
        let nonce = reader.state.account(&payer).map_or(0, |account| account.nonce);
        let nonce = nonce + reader.pool.chain(&payer).len() as u64;
        let transaction = transaction(payer, nonce, Amount::from_atoms(10_000), ops);
        self.importer.submit(transaction, self.clock as u64).expect("the store works").expect("the pool takes it");
    }

    /// Whether a Commit is old enough for its Claim to stand in the next block.
    pub fn is_claimable(&self, commit: &Op) -> bool {
        let Op::Commit(commit) = commit else { return false };
        let reader = self.reader();
        let made = reader.state.get(&EntryKey::Commitment(commit.hash)).and(reader.state.commitment(&commit.hash));
        made.is_some_and(|entry| reader.tip.0 + 1 >= entry.height.0 + self.params.rules.age_min)
    }

    /// When the next block is found by `share` of all hash rate.
    pub fn next_block(&self, share: f64, rng: &mut fastrand::Rng) -> f64 {
        find(&self.reader().next_context, self.clock, share, &self.params, rng)
    }

    /// A block of what is in the pool, found at `clock`.
    pub fn mine(&mut self, clock: f64) {
        self.mine_to(key(MINER), clock);
    }

    /// Blocks a minute apart.
    pub fn mine_quietly(&mut self, blocks: u32) {
        (0..blocks).for_each(|_| self.mine(self.clock + 60.0));
    }

    fn mine_to(&mut self, to: PublicKey, clock: f64) {
        let template = miner::template(&self.reader(), to, Vec::new(), clock as u64).expect("far from the last height");
        self.take(&[mined(template)], clock);
    }

    /// Imports blocks and makes them durable, as the writer's thread does.
    pub fn take(&mut self, blocks: &[Block], clock: f64) {
        self.clock = clock;
        for block in blocks {
            // Signatures are not what is simulated; they are blank.
            let checked = CheckedBlock::decode(block.encode(), &self.params, |_| true).expect("a good block");
            self.importer.import(checked, clock as u64).expect("the block follows the rules");
        }
        self.importer.commit(clock as u64).expect("the store works");
    }
}

/// A branch in one miner's memory.
pub struct Branch {
    params: Arc<Params>,
    context: HeaderContext,
    state: State,
    history: History,
    work: Work,
    clock: f64,
    queue: VecDeque<(u64, Vec<Op>)>,
    blocks: Vec<Block>,
}

impl Branch {
    /// Begins after the reader's tip.
    pub fn at(reader: &Reader) -> Self {
        let mut history = History::default();
        for height in 0..=reader.tip.0 {
            let block = reader.block(Height(height)).expect("the active chain is stored");
            history.push(HistoryNode::leaf(&block.head.header).expect("good bits"));
        }
        // Oldest first, so that the front is what falls out of the median.
        let mut context = reader.next_context.clone();
        context.times.reverse();
        Self {
            params: reader.params.clone(),
            context,
            state: reader.state.clone(),
            history,
            work: reader.work,
            clock: reader.head.header.time as f64,
            queue: VecDeque::new(),
            blocks: Vec::new(),
        }
    }

    /// The work of the whole chain up to its tip.
    pub fn work(&self) -> Work {
        self.work
    }

    pub fn height(&self) -> u32 {
        self.context.parent_height.0
    }

    pub fn clock(&self) -> f64 {
        self.clock
    }

    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Puts a transaction into a secret block of its own, after those queued before.
    pub fn queue(&mut self, payer: u64, ops: Vec<Op>) {
        self.queue.push_back((payer, ops));
    }

    /// When the next block is found by `share` of all hash rate.
    pub fn next_block(&self, share: f64, rng: &mut fastrand::Rng) -> f64 {
        find(&self.context, self.clock, share, &self.params, rng)
    }

    /// A block of what is queued, found at `clock`.
    pub fn mine(&mut self, clock: f64) {
        self.clock = clock;
        let next = self.queue.pop_front().map(|(payer, ops)| {
            let nonce = self.state.account(&key(payer)).map_or(0, |account| account.nonce);
            transaction(key(payer), nonce, Amount::from_atoms(10_000), ops)
        });
        let transactions: Vec<Transaction> = next.into_iter().collect();
        let coinbase = Coinbase { to: key(MINER), extra: b"secret".to_vec() };
        let height = self.context.parent_height.next();
        let connected = apply_block(&self.state, height, &coinbase, &transactions, &self.params)
            .unwrap_or_else(|error| panic!("secret block {height}: {error}"));
        self.state.apply(&connected.changes);
        let roots = Roots {
            height,
            tx_root: tx_root(&coinbase, &transactions),
            state_root: self.state.root(),
            history_root: self.history.root(),
        };
        let time = (clock as u64).max(median_time(&self.context.times) + 1);
        let header = Header {
            version: 1,
            prev_blockhash: self.context.parent,
            commitment: roots.commitment(),
            time,
            bits: required_bits(&self.context, time, &self.params.rules),
            nonce: 0,
        };
        let block = mined(Block { head: BlockHead { header, roots, pow: Pow::Native }, coinbase, transactions });
        let work = block.head.header.bits.to_target().expect("good bits").work();
        self.work = self.work.checked_add(work).expect("far from 2^256");
        self.history.push(HistoryNode::leaf(&block.head.header).expect("good bits"));
        self.context.parent = block.hash();
        self.context.parent_height = height;
        self.context.parent_time = time;
        if self.context.times.len() == MEDIAN_SPAN {
            self.context.times.remove(0);
        }
        self.context.times.push(time);
        self.blocks.push(block);
    }
}
