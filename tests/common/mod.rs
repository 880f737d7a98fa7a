//! A whole node in this process: on ports of its own, in a folder that goes away, with blocks made when a test says so.
//!
//! Block times are counted up from the genesis time, keys come from one phrase and signatures have no randomness, so a
//! run is like the one before. Nothing sleeps: a test waits for a view of the chain, with a generous deadline.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test program uses a part of it")]

mod forge;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dotp2p::import::Imported;
use dotp2p::miner;
use dotp2p::node::{Node, NodeConfig, NodeError, NodeHandle, PeersConfig};
use dotp2p_chain::block::Block;
use dotp2p_chain::hash::{StateRoot, Txid};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::Salt;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::query::Reader;
use dotp2p_registry::zonefile::{Options, import};
use dotp2p_rpc::node::{Node as _, SubmitError};
use dotp2p_rpc::types::NameInfo;
use dotp2p_rpc::{Auth, Client, ClientError};
use dotp2p_wallet::{FeeRate, Keys, Phrase, TxPlan, Wallet};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name as DnsName, RecordType};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub use forge::{block_on, header_changed, mined};

/// How long anything may take that is awaited.
pub const DEADLINE: Duration = Duration::from_secs(120);
/// The wallet of every test node.
pub const PHRASE: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
/// The salt of every commitment made by hand.
pub const SALT: Salt = [7; 16];

/// A running node.
pub struct TestNode {
    node: Option<Node>,
    /// Its handle.
    pub handle: Arc<NodeHandle>,
    /// Its network.
    pub params: Params,
    /// The keys of [`PHRASE`]; key 0 is rewarded by every block.
    pub keys: Keys,
    rpc: Client,
    folder: TempDir,
    branch: &'static [u8],
}

/// A DNS answer: the code, and the data of each record of the answer section.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer(pub ResponseCode, pub Vec<String>);

/// The answer that has just these records.
pub fn found<const N: usize>(data: [&str; N]) -> Answer {
    Answer(ResponseCode::NoError, data.iter().map(|data| (*data).to_owned()).collect())
}

/// The answer that there is no such name.
pub fn no_such_name() -> Answer {
    Answer(ResponseCode::NXDomain, Vec::new())
}

/// A network of such short terms that a name's whole life takes 41 blocks: 30 active, 5 in grace, 6 released.
pub fn short() -> Params {
    let rules = Rules {
        year: 30,
        grace: 5,
        halving_blocks: 2,
        halvings: 3,
        age_max: 10,
        id: *b"short terms test",
        ..Rules::regtest()
    };
    let deployment = dotp2p_chain::params::Deployment { name: "short".to_owned(), ..Params::regtest().deployment };
    Params::new(rules, deployment).unwrap()
}

/// Regtest, but DNS settles after `blocks`.
pub fn settling_after(blocks: u32) -> Params {
    let mut params = Params::regtest();
    params.deployment.dns_confirmations = blocks;
    params
}

/// The keys of [`PHRASE`].
pub fn keys() -> Keys {
    Keys::new(&PHRASE.parse::<Phrase>().unwrap().seed(), 8).unwrap()
}

/// A name.
pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Canonical records of a zone file's text.
pub fn records(zone: &str) -> Vec<u8> {
    let params = Params::regtest();
    let import = import(zone, &name("alice"), "p2p", Options::default(), params.rules.record_limits(63)).unwrap();
    import.records.encode()
}

/// Listens for peers on loopback, looks for none.
pub fn open_to_peers() -> PeersConfig {
    PeersConfig { listen: Some(vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()]), ..PeersConfig::alone() }
}

/// How a node is run in `dir`: any ports, nothing mined by itself.
pub fn config(params: &Params, dir: &Path) -> NodeConfig {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    NodeConfig { rpc_listen: any, dns_listen: vec![any], ..NodeConfig::new(params.clone(), dir.to_owned()) }
}

impl TestNode {
    /// A node of `params` in a new folder, with the wallet of [`PHRASE`].
    pub async fn start(params: &Params) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Wallet::restore(&folder.path().join("wallet.json"), params, &PHRASE.parse().unwrap(), None).unwrap();
        Self::start_in(folder, params, |_| ()).await.unwrap_or_else(|error| panic!("{}", error.0))
    }

    /// A node in a folder that is there; `change` has the last word on how it is run.
    pub async fn start_in(
        folder: TempDir,
        params: &Params,
        change: impl FnOnce(&mut NodeConfig),
    ) -> Result<Self, (NodeError, TempDir)> {
        let mut config = config(params, folder.path());
        change(&mut config);
        let mut tries = 0;
        let node = loop {
            match Node::start(config.clone()).await {
                Ok(node) => break node,
                // The database's threads may hold its file for a moment after a node of this process has stopped.
                Err(error) if tries < 1_000 && error.to_string().contains("could not acquire lock") => tries += 1,
                Err(error) => return Err((error, folder)),
            }
        };
        let auth = Auth::Cookie(folder.path().join(dotp2p_rpc::auth::COOKIE_FILE));
        let rpc = Client::connect(&node.rpc_addr().to_string(), &auth).unwrap();
        let (handle, params, keys) = (node.handle(), params.clone(), keys());
        Ok(Self { node: Some(node), handle, params, keys, rpc, folder, branch: b"" })
    }

    /// A node in a new folder that stays connected to `peers`, and may be connected to.
    pub async fn connected(params: &Params, peers: &[&TestNode]) -> Self {
        let peers = peers.iter().map(|peer| peer.p2p()).collect();
        Self::with_peers(params, PeersConfig { peers, ..open_to_peers() }).await
    }

    /// A node in a new folder with such peers.
    pub async fn with_peers(params: &Params, peers: PeersConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Wallet::restore(&folder.path().join("wallet.json"), params, &PHRASE.parse().unwrap(), None).unwrap();
        let started = Self::start_in(folder, params, |config| config.peers = peers);
        started.await.unwrap_or_else(|error| panic!("{}", error.0))
    }

    /// Where peers may connect.
    pub fn p2p(&self) -> String {
        self.node.as_ref().unwrap().p2p_addrs()[0].to_string()
    }

    /// Waits until it has the tip of another.
    pub async fn wait_for_tip_of(&self, other: &TestNode) {
        let tip = other.reader().tip_hash();
        self.wait_for(&format!("tip {tip}"), |reader| reader.tip_hash() == tip).await;
        assert_eq!(self.state_root(), other.state_root());
    }

    /// Sets its blocks apart from those of another node on the same parent.
    pub fn on_branch(mut self, branch: &'static [u8]) -> Self {
        self.branch = branch;
        self
    }

    /// Stops it; the folder stays.
    pub async fn stop(mut self) -> TempDir {
        self.node.take().unwrap().stop().await.unwrap();
        self.folder
    }

    /// Stops it and starts another in the same folder.
    pub async fn restart(self) -> Self {
        let (params, branch) = (self.params.clone(), self.branch);
        let started = Self::start_in(self.stop().await, &params, |_| ()).await;
        started.unwrap_or_else(|error| panic!("{}", error.0)).on_branch(branch)
    }

    /// The network's folder.
    pub fn dir(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The newest view.
    pub fn reader(&self) -> Arc<Reader> {
        self.handle.newest()
    }

    /// The tip's height.
    pub fn tip(&self) -> u32 {
        self.reader().tip.0
    }

    /// What every node of the same chain agrees on.
    pub fn state_root(&self) -> StateRoot {
        self.reader().state.root()
    }

    /// Tip, state root, pool: what a refusal leaves as it is.
    pub fn picture(&self) -> (String, StateRoot, Vec<Txid>) {
        let reader = self.reader();
        (reader.tip_hash().to_string(), reader.state.root(), reader.pool.iter().map(|tx| tx.txid).collect())
    }

    /// Key `number` of the wallet.
    pub fn key(&self, number: u32) -> PublicKey {
        self.keys.get(number).unwrap()
    }

    /// The address of key `number`.
    pub fn address(&self, number: u32) -> String {
        self.key(number).address(&self.params.deployment.address_prefix)
    }

    /// Waits until a view satisfies `reached`.
    pub async fn wait_for(&self, what: &str, reached: impl Fn(&Reader) -> bool) -> Arc<Reader> {
        let mut readers = self.handle.readers();
        let waited = timeout(DEADLINE, readers.wait_for(|reader| reached(reader))).await;
        waited.unwrap_or_else(|_| panic!("waited in vain: {what}")).unwrap().clone()
    }

    /// Makes blocks of the pool, a minute apart, that reward key 0.
    pub async fn mine(&self, blocks: u32) {
        for _ in 0..blocks {
            let reader = self.reader();
            let time = reader.head.header.time + 60;
            let template = miner::template(&reader, self.key(0), self.branch.to_vec(), time).unwrap();
            let block = miner::mine(template, &AtomicBool::new(false), |_| ()).unwrap();
            assert_eq!(self.submit_block(&block).await, Imported::Active);
        }
    }

    /// Makes blocks until the tip is at `height`.
    pub async fn mine_to(&self, height: u32) {
        self.mine(height.checked_sub(self.tip()).unwrap()).await;
        assert_eq!(self.tip(), height);
    }

    /// Gives it a block that it must take.
    pub async fn submit_block(&self, block: &Block) -> Imported {
        self.handle.import(block.encode()).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Gives it every block of another node's active chain, lowest first.
    pub async fn take_all(&self, other: &TestNode) {
        let reader = other.reader();
        for height in 1..=reader.tip.0 {
            if !self.reader().is_active(Height(height), &reader.chain_row(Height(height)).unwrap().hash) {
                self.submit_block(&reader.block(Height(height)).unwrap()).await;
            }
        }
    }

    /// [`TestNode::take_all`], after which both have the same tip and state.
    pub async fn follow(&self, other: &TestNode) {
        self.take_all(other).await;
        assert_eq!(self.reader().tip_hash(), other.reader().tip_hash());
        assert_eq!(self.state_root(), other.state_root());
    }

    /// A plan paid by key `payer`, after its earlier transactions in the pool.
    pub fn plan(&self, payer: u32) -> TxPlan {
        let (reader, key) = (self.reader(), self.key(payer));
        let pooled = reader.pool.chain(&key).last().map(|tx| tx.transaction.body().nonce + 1);
        TxPlan::new(key, pooled.unwrap_or_else(|| reader.state.account(&key).map_or(0, |account| account.nonce)))
    }

    /// Signs a plan, at an ordinary fee if it has none.
    pub fn sign(&self, plan: TxPlan) -> Transaction {
        let plan = if plan.fee.atoms() == 0 { plan.with_fee_rate(FeeRate(10)) } else { plan };
        plan.sign(&self.keys, &self.params.chain_id).unwrap()
    }

    /// Signs a plan and offers it to the pool.
    pub async fn try_send(&self, plan: TxPlan) -> Result<Txid, SubmitError> {
        self.handle.submit(self.sign(plan)).await
    }

    /// Signs a plan and offers it to the pool, which must take it.
    pub async fn send(&self, plan: TxPlan) -> Txid {
        self.try_send(plan).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Offers a transaction to the pool, which must take it.
    pub async fn submit(&self, transaction: Transaction) -> Txid {
        self.handle.submit(transaction).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// A plan that commits to `label` for key `owner`, paid by key 0.
    pub fn commit(&self, label: &str, owner: u32) -> TxPlan {
        let claim = dotp2p_chain::op::Claim { name: (&name(label)).into(), owner: self.key(owner), salt: SALT };
        self.plan(0).commit(claim.commitment(&self.params.chain_id))
    }

    /// A plan that claims what [`TestNode::commit`] committed to, and sets records.
    pub fn claim(&self, label: &str, owner: u32, zone: &str) -> TxPlan {
        let name = name(label);
        self.plan(0).claim(&name, self.key(owner), SALT).update(&name, records(zone), self.key(owner))
    }

    /// Registers `label` for key `owner` with records, by hand, in as few blocks as there can be.
    pub async fn register(&self, label: &str, owner: u32, zone: &str) {
        if self.tip() < 2 {
            self.mine_to(2).await;
        }
        self.send(self.commit(label, owner)).await;
        self.mine(self.params.rules.age_min).await;
        self.send(self.claim(label, owner, zone)).await;
        self.mine(1).await;
        assert_eq!(self.reader().state.name(&name(label)).unwrap().entry.owner, self.key(owner));
    }

    /// Calls a method, which must answer.
    pub async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> T {
        self.rpc.call(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Calls a method, which must refuse: code, text, and what `data` says of the rule.
    pub async fn refused(&self, method: &str, params: Value) -> (i32, String, Option<String>) {
        match self.rpc.call::<Value>(method, params).await {
            Err(ClientError::Call { code, message, data }) => {
                let rule = data.and_then(|data| Some(data.get("rule")?.as_str()?.to_owned()));
                (code, message, rule)
            }
            other => panic!("{method} is not refused: {other:?}"),
        }
    }

    /// `name_show`.
    pub async fn show(&self, label: &str) -> NameInfo {
        self.call("name_show", serde_json::json!([label])).await
    }

    /// The txids of the pool.
    pub async fn pool(&self) -> Vec<String> {
        self.call("getrawmempool", serde_json::json!([])).await
    }

    /// Asks over UDP and over TCP, which must answer alike.
    pub async fn dig(&self, qname: &str, rtype: RecordType) -> Answer {
        let server = self.node.as_ref().unwrap().dns_addrs()[0];
        let mut query = Message::new(4321, MessageType::Query, OpCode::Query);
        query.add_query(Query::query(DnsName::from_ascii(qname).unwrap(), rtype));
        let query = query.to_vec().unwrap();
        let answer = |bytes: Vec<u8>| {
            let message = Message::from_vec(&bytes).unwrap();
            assert_eq!(message.metadata.id, 4321);
            let data = message.answers.iter().map(|record| record.data.to_string()).collect();
            Answer(message.metadata.response_code, data)
        };
        let udp = answer(timeout(DEADLINE, over_udp(server, &query)).await.unwrap());
        let tcp = answer(timeout(DEADLINE, over_tcp(server, &query)).await.unwrap());
        assert_eq!(udp, tcp, "{qname}: UDP and TCP differ");
        udp
    }

    /// The addresses of a label under the network's domain.
    pub async fn dig_a(&self, label: &str) -> Answer {
        self.dig(&format!("{label}.p2p."), RecordType::A).await
    }
}

async fn over_udp(server: SocketAddr, query: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server).await.unwrap();
    socket.send(query).await.unwrap();
    let mut buffer = vec![0; 4_096];
    let len = socket.recv(&mut buffer).await.unwrap();
    buffer.truncate(len);
    buffer
}

async fn over_tcp(server: SocketAddr, query: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let len = u16::try_from(query.len()).unwrap();
    stream.write_all(&[&len.to_be_bytes(), query].concat()).await.unwrap();
    let mut buffer = vec![0; stream.read_u16().await.unwrap().into()];
    stream.read_exact(&mut buffer).await.unwrap();
    buffer
}
