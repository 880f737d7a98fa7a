//! Blocks with real headers and made-up bodies, and a node's chain of them.
//!
//! A body is whom it rewards and opaque transactions; the root in the head is the hash of its bytes, so a body that is not
//! the block's is noticed. The ledger's only rule: a block whose coinbase says [`INVALID`] is refused, once it would be
//! on the active chain; beside it nobody looks, as in the node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use dotp2p_chain::block::{BlockHead, Coinbase, Pow};
use dotp2p_chain::check::{self, BlockError, Condemns};
use dotp2p_chain::hash::{BlockHash, HistoryRoot, StateRoot, TxRoot, Wtxid, sha256, sha256d};
use dotp2p_chain::header::{Header, Roots};
use dotp2p_chain::header_tree::{HeaderTree, Status};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::pow::{CompactTarget, Work};
use dotp2p_network::chain::{BlockVerdict, HeadsTaken};
use dotp2p_network::message::{CompactBlock, HEADS_MAX, short_id};
use dotp2p_network::presync::{Fork, Judge};
use parity_scale_codec::Encode;

/// What the coinbase of an invalid block says.
pub const INVALID: &[u8] = b"invalid";
/// Blocks below the tip from which on a branch is worth storing: L9's 1,440, smaller.
const BRANCH_DEPTH: u32 = 12;
/// Blocks that a deep world begins with, and the height whose work its network demands (L9).
const DEEP: usize = 1_200;
const DEEP_DEMANDED: usize = 1_100;
/// Seconds between genesis and the simulation: enough for a branch of the easiest work.
const AGE_S: u64 = 365 * 86_400;
/// Blocks that the other worlds begin with: more work than the branch of little work below has.
const SHORT: usize = 24;
/// Heads in the branch of little work, and how many of them the short worlds see.
const LIGHT: usize = 10_000;
pub const LIGHT_SHORT: usize = 1_500;

/// A transaction: its id and bytes that mean nothing.
#[derive(Clone, Debug)]
pub struct Opaque {
    pub wtxid: Wtxid,
    pub bytes: Vec<u8>,
}

impl Opaque {
    pub fn new(number: u32, len: usize) -> Self {
        let bytes: Vec<u8> = number.to_le_bytes().into_iter().cycle().take(len).collect();
        Self { wtxid: Wtxid(sha256(&bytes)), bytes }
    }
}

/// A block, and what it is announced by.
#[derive(Debug)]
pub struct Made {
    pub hash: BlockHash,
    pub head: BlockHead,
    pub compact: CompactBlock,
    pub bytes: Vec<u8>,
    pub transactions: Vec<Arc<Opaque>>,
}

impl Made {
    pub fn is_valid(&self) -> bool {
        self.compact.coinbase.extra != INVALID
    }
}

/// Makes a child of `parent`: time and bits as the rules want them, a nonce that was searched for.
pub fn make(
    tree: &HeaderTree,
    parent: &BlockHash,
    rules: &Rules,
    now_s: u64,
    body: (Coinbase, Vec<Arc<Opaque>>),
) -> Made {
    let (coinbase, transactions) = body;
    let context = tree.context(parent).unwrap();
    let time = now_s.max(check::median_time(&context.times) + 1);
    let bits = check::required_bits(&context, time, rules);
    let header = Header {
        version: 1,
        prev_blockhash: *parent,
        commitment: Roots::commitment(&roots(0, [0; 32])),
        time,
        bits,
        nonce: 0,
    };
    let mut compact = CompactBlock {
        head: BlockHead { header, roots: roots(context.parent_height.0 + 1, [0; 32]), pow: Pow::Native },
        coinbase,
        short_ids: Vec::new(),
    };
    let join = |compact: &CompactBlock| {
        compact.join(transactions.iter().map(|tx| tx.bytes.as_slice()).collect::<Vec<_>>().into_iter())
    };
    compact.head.roots.tx_root = TxRoot(sha256(&join(&compact)[BlockHead::LEN..]));
    compact.head.header.commitment = compact.head.roots.commitment();
    compact.head.header = search(compact.head.header);
    let (bytes, hash) = (join(&compact), compact.head.hash());
    compact.short_ids = transactions.iter().map(|tx| short_id(&hash, &tx.wtxid)).collect();
    Made { hash, head: compact.head, compact, bytes, transactions }
}

fn roots(height: u32, tx_root: [u8; 32]) -> Roots {
    let (state_root, history_root) = (StateRoot([0; 32]), HistoryRoot([0; 32]));
    Roots { height: Height(height), tx_root: TxRoot(tx_root), state_root, history_root }
}

fn search(mut header: Header) -> Header {
    let target = header.bits.to_target().unwrap();
    let mut bytes = header.encode();
    while !target.is_met_by(&BlockHash(sha256d(&bytes))) {
        header.nonce += 1;
        bytes[Header::NONCE_AT..].copy_from_slice(&header.nonce.to_le_bytes());
    }
    header
}

/// Blocks of 256 hashes each on schedule, of two when they come late: so there are branches of little work.
fn params(minimum_work: Work) -> Params {
    let (harder, mut deployment) = (CompactTarget::from_consensus(0x2000_ffff), Params::regtest().deployment);
    deployment.minimum_work = minimum_work;
    Params::new(Rules { half_life: Some(7_200), genesis_bits: harder, ..Rules::regtest() }, deployment).unwrap()
}

/// What all worlds share: it is the same for each and costs most of their time.
pub struct Shared {
    pub plain: Arc<Params>,
    /// A network that demands the work of a long chain.
    pub deep: Arc<Params>,
    /// What they begin with.
    pub short: Vec<Arc<Made>>,
    pub long: Vec<Arc<Made>>,
    /// Heads of a branch of little work.
    pub light: Vec<BlockHead>,
    /// Where each of them stands there.
    pub light_at: BTreeMap<BlockHash, usize>,
}

pub fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let plain = params(Work::ZERO);
        let now_s = plain.rules.genesis_time + AGE_S;
        let on_schedule = |count: usize| branch(&plain, count, |at| now_s - 60 * (count as u64 - at));
        let (short, long) = (on_schedule(SHORT), on_schedule(DEEP));
        let light =
            branch(&plain, LIGHT, |at| plain.rules.genesis_time + at * 60 + if at > 1 { 30 * 86_400 } else { 0 });
        let work = long[..DEEP_DEMANDED]
            .iter()
            .fold(Work::ZERO, |sum, made| sum.saturating_add(made.head.header.bits.to_target().unwrap().work()));
        let (deep, plain) = (Arc::new(params(work)), Arc::new(plain));
        let light_at = light.iter().enumerate().map(|(at, made)| (made.hash, at)).collect();
        Shared { plain, deep, short, long, light: light.iter().map(|made| made.head).collect(), light_at }
    })
}

fn branch(params: &Params, count: usize, time: impl Fn(u64) -> u64) -> Vec<Arc<Made>> {
    let mut tree = HeaderTree::new(&params.genesis.head.header);
    let mut made: Vec<Arc<Made>> = Vec::new();
    for at in 1..=count as u64 {
        let coinbase = Coinbase { to: PublicKey([7; 32]), extra: Vec::new() };
        let next = make(&tree, &tree.best_header(), &params.rules, time(at), (coinbase, Vec::new()));
        tree.insert(&next.head.header).unwrap();
        made.push(Arc::new(next));
    }
    made
}

/// A node's chain. What it holds outlives a crash.
#[derive(Debug)]
pub struct Chain {
    pub params: Arc<Params>,
    pub tree: HeaderTree,
    pub heads: BTreeMap<BlockHash, BlockHead>,
    pub bodies: BTreeSet<BlockHash>,
    invalid: BTreeSet<BlockHash>,
}

impl Chain {
    pub fn new(params: &Arc<Params>) -> Self {
        let tree = HeaderTree::new(&params.genesis.head.header);
        let (heads, invalid) = (BTreeMap::new(), BTreeSet::new());
        Self { params: params.clone(), tree, heads, bodies: BTreeSet::from([params.genesis.hash()]), invalid }
    }

    /// Has blocks that nobody needs to judge any more.
    pub fn begin_with(&mut self, blocks: &[Arc<Made>]) {
        for made in blocks {
            self.tree.insert(&made.head.header).unwrap();
            self.tree.body_arrived(&made.hash).unwrap();
        }
        self.heads.extend(blocks.iter().map(|made| (made.hash, made.head)));
        self.bodies.extend(blocks.iter().map(|made| made.hash));
        self.reorganise();
    }

    pub fn now_s(&self, now_ms: u64) -> u64 {
        self.params.rules.genesis_time + AGE_S + now_ms / 1_000
    }

    pub fn work(&self) -> Work {
        self.tree.active_tip().work
    }

    pub fn headers_work(&self) -> Work {
        self.tree.get(&self.tree.best_header()).unwrap().work
    }

    fn threshold(&self) -> Work {
        let tip = self.tree.active_tip().height.0;
        let deep = tip.checked_sub(BRANCH_DEPTH).and_then(|height| self.tree.active_at(Height(height)));
        deep.map_or(Work::ZERO, |node| node.work).max(self.params.deployment.minimum_work)
    }

    /// As the node's importer does it (L9).
    pub fn take_heads(&mut self, mut heads: Vec<BlockHead>, is_proven: bool, now_s: u64) -> HeadsTaken {
        let known = heads.iter().position(|head| self.tree.get(&head.hash()).is_none()).unwrap_or(heads.len());
        let last_known = known.checked_sub(1).map(|at| heads[at].hash());
        let mut heads = heads.split_off(known);
        let parent = heads.first().map(|head| head.header.prev_blockhash).or(last_known);
        let Some(parent) = parent else { return HeadsTaken::Other("no heads".to_owned()) };
        let Some(node) = self.tree.get(&parent) else { return HeadsTaken::Unconnected };
        if node.status == Status::Rejected {
            return HeadsTaken::Other("refused before".to_owned());
        }
        let context = self.tree.context(&parent).unwrap();
        let fork = Fork { context, work: node.work, threshold: self.threshold() };
        let mut judge = Judge::new(fork.context.clone(), fork.work);
        let mut judged = |head: &BlockHead| -> Result<(), BlockError> {
            check::check_clock(head.header.time, now_s, &self.params.rules)?;
            judge.check(head, &self.params)
        };
        let refused = heads.iter().enumerate().find_map(|(at, head)| Some((at, judged(head).err()?)));
        if let Some((at, _)) = refused {
            heads.truncate(at);
        } else if !heads.is_empty() && !is_proven && judge.work() <= fork.threshold {
            return HeadsTaken::LowWork(Box::new(fork), heads);
        }
        if is_proven || judge.work() > fork.threshold {
            for head in &heads {
                self.tree.insert(&head.header).unwrap();
                self.heads.insert(head.hash(), *head);
            }
        }
        match refused {
            Some((_, error)) => HeadsTaken::Refused(error),
            None => HeadsTaken::Stored { last: judge.last(), work: judge.work() },
        }
    }

    pub fn take_block(&mut self, bytes: &[u8], now_s: u64) -> BlockVerdict {
        let refused = |condemns, reason: &str| BlockVerdict::Refused { condemns, reason: reason.to_owned() };
        let Ok(head) = BlockHead::decode(&mut &*bytes) else { return refused(Condemns::Message, "undecodable") };
        let body = &bytes[BlockHead::LEN..];
        if check::check_roots(&head.header, &head.roots).is_err() || head.roots.tx_root != TxRoot(sha256(body)) {
            return refused(Condemns::Message, "not the block's body");
        }
        let hash = head.hash();
        if self.bodies.contains(&hash) {
            return BlockVerdict::Known;
        }
        match self.take_heads(vec![head], true, now_s) {
            HeadsTaken::Stored { .. } => {}
            HeadsTaken::Other(reason) => return refused(Condemns::Hash, &reason),
            HeadsTaken::Refused(error) => return refused(error.condemns(), &error.to_string()),
            HeadsTaken::Unconnected | HeadsTaken::LowWork(..) => return BlockVerdict::later("its parent is not known"),
        }
        match self.tree.body_arrived(&hash) {
            Ok(_) => self.bodies.insert(hash),
            Err(error) => return refused(Condemns::Hash, &error.to_string()),
        };
        if body.get(33..33 + INVALID.len()) == Some(INVALID) {
            self.invalid.insert(hash);
        }
        self.reorganise();
        let is_rejected = self.tree.get(&hash).unwrap().status == Status::Rejected;
        if is_rejected { refused(Condemns::Hash, "the ledger refuses it") } else { BlockVerdict::Taken }
    }

    fn reorganise(&mut self) {
        loop {
            let (from, to) = (self.tree.active_tip().hash, self.tree.best());
            let connect = self.tree.reorg(&from, &to).unwrap().connect;
            let Some(bad) = connect.iter().find(|hash| self.invalid.contains(hash)) else {
                return self.tree.set_active_tip(&to).unwrap();
            };
            self.bodies.remove(bad);
            self.tree.reject(bad);
        }
    }

    pub fn locator(&self) -> Vec<BlockHash> {
        let (mut hashes, mut height, mut step) = (Vec::new(), self.tree.active_tip().height.0, 1);
        loop {
            hashes.extend(self.tree.active_at(Height(height)).map(|node| node.hash));
            if height == 0 {
                return hashes;
            }
            step *= if hashes.len() >= 10 { 2 } else { 1 };
            height = height.saturating_sub(step);
        }
    }

    /// The answer to a question for heads.
    pub fn heads_after(&self, locator: &[BlockHash]) -> Vec<BlockHead> {
        let from = locator.iter().find(|hash| self.tree.is_active(hash));
        let from = from.map_or(0, |hash| self.tree.get(hash).unwrap().height.0);
        let hashes = (from + 1..).map_while(|height| self.tree.active_at(Height(height)));
        hashes.take(HEADS_MAX).map(|node| self.heads[&node.hash]).collect()
    }
}
