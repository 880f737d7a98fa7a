//! A node without threads, files of its own or policy: it does what it is told, at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::Block;
use dotp2p_chain::check::signatures_good;
use dotp2p_chain::hash::{BlockHash, Txid};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::Op;
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::query::Reader;
use dotp2p_registry::zonefile::{Options, import};
use dotp2p_rpc::Node;
use dotp2p_rpc::node::{
    AddNode, BanStatus, BanTerm, BlockTaken, GenerateError, MiningStatus, NetworkStatus, NotReady, PeerError,
    PeerStatus, RegistrationStatus, SubmitBlockError, SubmitError, Unavailable, WalletError,
};
use dotp2p_wallet::registration::{Failure, Request, Step, Waiting};
use dotp2p_wallet::{FeeRate, Keys, Phrase, TxPlan};

use crate::test_chain::TestChain;

const PHRASE: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

/// What the fake can be made to say.
#[derive(Default)]
pub struct Switches {
    pub not_ready: AtomicBool,
    pub no_wallet: AtomicBool,
    pub stopping: AtomicBool,
    pub not_on_demand: AtomicBool,
    pub clock_behind: AtomicBool,
}

pub struct FakeNode {
    pub switches: Switches,
    pub stopped: AtomicBool,
    keys: Keys,
    chain: Mutex<TestChain>,
}

fn on(switch: &AtomicBool) -> bool {
    switch.load(Ordering::Relaxed)
}

impl FakeNode {
    /// At genesis.
    pub fn new() -> Self {
        let phrase: Phrase = PHRASE.parse().unwrap();
        Self {
            switches: Switches::default(),
            stopped: AtomicBool::new(false),
            keys: Keys::new(&phrase.seed(), 4).unwrap(),
            chain: Mutex::new(TestChain::new()),
        }
    }

    /// At height 7: key 0 has coins, and `alice` since height 6; a payment of 2 coins to key 3 is in the pool.
    pub fn with_alice() -> Arc<Self> {
        let node = Self::new();
        let (alice, key) = (name("alice"), node.key(0));
        let (claim, hash) = {
            let chain = node.chain();
            let salt = node.keys.salt(&chain.params.chain_id, &alice, 0);
            let plan = TxPlan::new(key, 1).claim(&alice, key, salt);
            let Op::Claim(op) = &plan.ops[0] else { panic!() };
            let hash = op.commitment(&chain.params.chain_id);
            let zone = "@ 300 A 192.0.2.7\nwww 300 CNAME @\n@ TXT \"caf\\195\\169\"";
            let limits = chain.params.rules.record_limits(5);
            let records = import(zone, &alice, "p2p", Options::default(), limits).unwrap().records;
            (plan.update(&alice, records.encode(), key), hash)
        };
        node.mine(3);
        let commit = node.sign(TxPlan::new(key, 0).commit(hash));
        node.chain().mine(key, vec![commit]);
        node.mine(1);
        let claim = node.sign(claim);
        node.chain().mine(key, vec![claim]);
        node.mine(1);
        let pay = node.sign(TxPlan::new(key, 2).pay(node.key(3), Amount::from_coins(2)));
        node.chain().offer(pay).unwrap();
        Arc::new(node)
    }

    pub fn chain(&self) -> MutexGuard<'_, TestChain> {
        self.chain.lock().unwrap()
    }

    pub fn key(&self, number: u32) -> PublicKey {
        self.keys.get(number).unwrap()
    }

    pub fn address(&self, number: u32) -> String {
        self.key(number).address("rp2p")
    }

    /// Mines empty blocks to key 0.
    pub fn mine(&self, blocks: u32) {
        let key = self.key(0);
        for _ in 0..blocks {
            self.chain().mine(key, Vec::new());
        }
    }

    pub fn sign(&self, plan: TxPlan) -> Transaction {
        plan.with_fee_rate(FeeRate(10)).sign(&self.keys, &self.chain().params.chain_id).unwrap()
    }

    /// A plan of key 0's next transaction.
    pub fn plan(&self) -> TxPlan {
        let (key, chain) = (self.key(0), self.chain());
        let nonce = chain.state().account(&key).map_or(0, |account| account.nonce);
        TxPlan::new(key, nonce + chain.pool.chain(&key).len() as u64)
    }

    fn check_wallet(&self) -> Result<(), WalletError> {
        if on(&self.switches.no_wallet) { Err(WalletError::NoWallet) } else { Ok(()) }
    }
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn status(name: Name, owner: PublicKey, step: Step, waiting: Option<Waiting>) -> RegistrationStatus {
    let blocks_left = waiting.as_ref().map(|_| 2);
    let (txids, error) = (vec![Txid([7; 32])], None);
    RegistrationStatus {
        name,
        owner,
        records: dotp2p_chain::records::EMPTY.to_vec(),
        years: 1,
        limit: None,
        step,
        waiting,
        blocks_left,
        spent: Amount::from_atoms(10_002_340),
        txids,
        error,
    }
}

impl Node for FakeNode {
    fn reader(&self) -> Result<Arc<Reader>, NotReady> {
        if on(&self.switches.not_ready) {
            return Err(NotReady("reads the blocks it has: 120 of 500".to_owned()));
        }
        Ok(Arc::new(self.chain().reader()))
    }

    async fn submit(&self, transaction: Transaction) -> Result<Txid, SubmitError> {
        if on(&self.switches.stopping) {
            return Err(Unavailable::Stopping.into());
        }
        let mut chain = self.chain();
        if !signatures_good(&transaction, &chain.params.chain_id) {
            return Err(SubmitError::Signature(transaction.body().payer));
        }
        let txid = transaction.txid(&chain.params.chain_id);
        chain.offer(transaction)?;
        Ok(txid)
    }

    /// Knows the tip and refuses everything else.
    async fn submit_block(&self, encoded: Vec<u8>) -> Result<BlockTaken, SubmitBlockError> {
        let reader = self.chain().reader();
        let block =
            Block::decode(&encoded, &reader.params.rules).map_err(|e| SubmitBlockError::Decode(e.to_string()))?;
        if block.hash() == reader.tip_hash() {
            return Ok(BlockTaken::Known);
        }
        Err(SubmitBlockError::Refused(format!("block {} is not the tip (B16)", block.hash())))
    }

    async fn generate(&self, blocks: u32, to: PublicKey) -> Result<Vec<BlockHash>, GenerateError> {
        if on(&self.switches.not_on_demand) {
            return Err(GenerateError::NotOnDemand);
        }
        let mut chain = self.chain();
        let made = (0..blocks).map(|_| {
            let pool = chain.pool.iter().map(|tx| tx.transaction.as_ref().clone()).collect();
            chain.mine(to, pool);
            chain.reader().tip_hash()
        });
        Ok(made.collect())
    }

    fn mining(&self) -> MiningStatus {
        MiningStatus { mining: true, threads: 2, hashes_per_second: 1_000, pays_to: Some(self.key(0)) }
    }

    fn wallet_keys(&self) -> Result<Vec<PublicKey>, WalletError> {
        self.check_wallet()?;
        Ok(vec![self.key(0), self.key(1)])
    }

    async fn new_key(&self) -> Result<PublicKey, WalletError> {
        self.check_wallet()?;
        Ok(self.key(2))
    }

    async fn send(&self, ops: Vec<Op>) -> Result<Txid, WalletError> {
        self.check_wallet()?;
        let plan = ops.into_iter().fold(self.plan(), TxPlan::op).with_fee_rate(FeeRate(10));
        {
            let chain = self.chain();
            plan.check(chain.state().account(&plan.payer).as_ref(), Amount::ZERO, Height(8))?;
        }
        let transaction = self.sign(plan);
        Ok(self.submit(transaction).await?)
    }

    async fn register(&self, request: Request) -> Result<RegistrationStatus, WalletError> {
        self.check_wallet()?;
        let owner = request.owner.unwrap_or_else(|| self.key(0));
        Ok(status(request.name, owner, Step::Commit, Some(Waiting::Commit(Txid([7; 32])))))
    }

    fn registrations(&self) -> Result<Vec<RegistrationStatus>, WalletError> {
        self.check_wallet()?;
        let (key, other) = (self.key(0), self.key(3));
        let coins = Waiting::Coins { pay_to: key, needed: Amount::from_coins(2), have: Amount::ZERO };
        let refused = Waiting::Refused { reason: "the pool is full".to_owned() };
        let taken = Failure::Taken { by: other, since: Height(6), spent: Amount::from_atoms(10_002_340) };
        Ok(vec![
            status(name("bob"), key, Step::Age, Some(Waiting::Age)),
            status(name("carol"), key, Step::Funds, Some(coins)),
            status(name("dave"), key, Step::Claim, Some(refused)),
            status(name("erin"), key, Step::Rival, Some(Waiting::Rival { by: other })),
            status(name("frank"), key, Step::Failed(taken), None),
            status(name("grace"), key, Step::Done, None),
        ])
    }

    async fn peers(&self) -> Result<Vec<PeerStatus>, Unavailable> {
        let peer = PeerStatus {
            id: "12D3KooWPeer".to_owned(),
            address: "/ip4/192.0.2.7/tcp/9353".to_owned(),
            kind: "inbound",
            is_relayed: false,
            connected_s: 61,
            agent: "dotp2p/0.1.0".to_owned(),
            height: Some(7),
            ping_ms: Some(12),
            same_deployment: Some(true),
            points: 20,
        };
        let new = PeerStatus { kind: "nearby", height: None, ping_ms: None, same_deployment: None, ..peer.clone() };
        Ok(vec![peer, new])
    }

    async fn network(&self) -> Result<NetworkStatus, Unavailable> {
        if on(&self.switches.stopping) {
            return Err(Unavailable::Stopping);
        }
        Ok(NetworkStatus {
            id: "12D3KooWOwn".to_owned(),
            agent: "dotp2p/0.1.0".to_owned(),
            listening: vec!["/ip4/127.0.0.1/tcp/29353/p2p/12D3KooWOwn".to_owned()],
            external: Vec::new(),
            inbound: 1,
            outbound: 1,
            syncing: false,
        })
    }

    async fn add_node(&self, text: String, what: AddNode) -> Result<(), PeerError> {
        match (text.as_str(), what) {
            ("192.0.2.7:9353", _) => Ok(()),
            (_, AddNode::Remove) => Err(PeerError::NotListed(text)),
            _ => Err(PeerError::Wrong(format!("{text:?} names no peer"))),
        }
    }

    async fn disconnect_node(&self, text: String) -> Result<(), PeerError> {
        if text == "192.0.2.7:9353" { Ok(()) } else { Err(PeerError::NotListed(text)) }
    }

    async fn set_ban(&self, subject: String, term: BanTerm) -> Result<(), PeerError> {
        match term {
            BanTerm::Until(until) => Err(PeerError::Wrong(format!("{until} is over"))),
            _ if subject.starts_with("192.0.2.") => Ok(()),
            _ => Err(PeerError::Wrong(format!("{subject:?} is not a subnet"))),
        }
    }

    async fn lift_ban(&self, subject: String) -> Result<(), PeerError> {
        if subject == "192.0.2.0/24" { Ok(()) } else { Err(PeerError::NotListed(subject)) }
    }

    async fn banned(&self) -> Result<Vec<BanStatus>, Unavailable> {
        let reason = "invalid block".to_owned();
        Ok(vec![BanStatus {
            subject: "192.0.2.0/24".to_owned(),
            created_s: 1_793_500_000,
            until_s: 1_793_586_400,
            reason,
        }])
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn clock_behind_s(&self) -> Option<u64> {
        on(&self.switches.clock_behind).then_some(7_300)
    }

    fn uptime_s(&self) -> u64 {
        3_600
    }
}
