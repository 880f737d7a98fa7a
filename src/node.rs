//! A running node: started in order, stopped in reverse.
//!
//! One thread writes ([`crate::import`]); everybody else holds a [`NodeHandle`], reads the newest [`Reader`] from a
//! watch channel and sends commands over a bounded one. No lock stands around the ledger.

mod clock;
mod mining;
mod peers;
mod registrations;
mod served_zone;
mod writer;
mod zone_key;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use dotp2p_chain::hash::{BlockHash, Txid};
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::op::Op;
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::Transaction;
use dotp2p_dns::dnssec::key_file::KeyFileError;
use dotp2p_dns::server::{DnsError, DnsServer};
use dotp2p_dns::zone::Zone;
use dotp2p_network::service::{Handle as PeersHandle, Multiaddr, Network, NetworkError};
use dotp2p_registry::mempool::Limits;
use dotp2p_registry::query::Reader;
use dotp2p_registry::store::{Store, StoreError};
use dotp2p_rpc::node::{
    AddNode, BanStatus, BanTerm, BlockTaken, GenerateError, MiningStatus, NetworkStatus, NotReady, PeerError,
    PeerStatus, RegistrationStatus, SubmitBlockError, SubmitError, Unavailable, WalletError,
};
use dotp2p_wallet::registration::Request;
use tokio::sync::watch;

use crate::import::{CheckedBlock, ImportError, Imported, Importer};
use crate::miner;
use crate::wallet_service::WalletService;
use mining::Mining;
pub use peers::PeersConfig;
use served_zone::ServedZone;
use writer::Writer;

/// How a node is run.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The network.
    pub params: Params,
    /// The network's folder: `DATA_DIR/NETWORK`.
    pub dir: PathBuf,
    /// Where RPC listens; port 0 for any.
    pub rpc_listen: SocketAddr,
    /// Where DNS listens; port 0 for any.
    pub dns_listen: Vec<SocketAddr>,
    /// Threads that mine; `None`: none.
    pub mine: Option<usize>,
    /// Whom mined blocks reward; `None`: the wallet's first key.
    pub mine_to: Option<PublicKey>,
    /// Whether everything is rebuilt from the block files first.
    pub reindex: bool,
    /// Whether an owner's update is served before it is mined (L5).
    pub dns_provisional: bool,
    /// How DNS answers.
    pub dns: dotp2p_dns::server::Config,
    /// How RPC answers.
    pub rpc: dotp2p_rpc::server::Config,
    /// The pool's bounds.
    pub pool: Limits,
    /// Where peers are listened for, and who they are.
    pub peers: PeersConfig,
}

impl NodeConfig {
    /// The defaults of a network: loopback, its ports, no mining, no peers.
    #[must_use]
    pub fn new(params: Params, dir: PathBuf) -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            rpc_listen: loopback(params.deployment.rpc_port),
            dns_listen: vec![loopback(params.deployment.dns_port)],
            params,
            dir,
            mine: None,
            mine_to: None,
            reindex: false,
            dns_provisional: true,
            dns: Default::default(),
            rpc: Default::default(),
            pool: Limits::default(),
            peers: PeersConfig::alone(),
        }
    }
}

/// Why a node does not start, or stopped badly.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in it.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// DNS cannot listen.
    #[error(transparent)]
    Dns(#[from] DnsError),
    /// The zone's key.
    #[error(transparent)]
    ZoneKey(#[from] KeyFileError),
    /// RPC cannot listen.
    #[error(transparent)]
    Rpc(#[from] dotp2p_rpc::server::RpcServerError),
    /// Peers cannot be listened for.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The node's key as a peer.
    #[error("the node's key as a peer: {0}")]
    PeerKey(String),
    /// A file of the node.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A thread panicked; its message was printed.
    #[error("a thread of the node ended by a panic")]
    Panicked,
}

/// A running node.
pub struct Node {
    handle: Arc<NodeHandle>,
    writer: Option<std::thread::JoinHandle<()>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    rpc: dotp2p_rpc::server::RpcServer,
    dns: DnsServer,
    network: Network,
    stop: watch::Receiver<bool>,
}

/// What a running node can be asked for.
pub struct NodeHandle {
    params: Arc<Params>,
    dir: PathBuf,
    readers: watch::Receiver<Arc<Reader>>,
    writer: Writer,
    wallet: WalletService,
    mining: Mining,
    /// Held from building a transaction to its place in the pool, so that no two of ours take one nonce.
    spending: tokio::sync::Mutex<()>,
    stop: watch::Sender<bool>,
    started: Instant,
    dns_provisional: bool,
    /// The way to the peers, once they are listened for.
    peers: OnceLock<PeersHandle>,
}

/// Whoever has so many blocks less than headers is catching up; fewer are no matter.
pub(crate) const BEHIND: u32 = 20;

/// The clock in Unix seconds.
#[must_use]
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Node {
    /// Opens the folder and starts writer, DNS, RPC, registrations and the miner, in this order.
    ///
    /// `node.json` is complete before this returns. Errors: the folder is another network's, of a newer format, in use
    /// or damaged; an address cannot be listened on.
    pub async fn start(config: NodeConfig) -> Result<Self, NodeError> {
        let params = Arc::new(config.params.clone());
        let opened = {
            let (params, dir) = (params.clone(), config.dir.clone());
            let (reindex, limits) = (config.reindex, config.pool);
            tokio::task::spawn_blocking(move || open(&params, &dir, reindex, limits))
        };
        let importer = opened.await.map_err(|_| NodeError::Panicked)??;
        let wallet = WalletService::new(params.clone(), &config.dir);
        let (writer, thread, readers) = writer::spawn(importer);
        let (stop, stopped) = watch::channel(false);
        let mining = Mining::new(config.mine.unwrap_or(0), config.mine_to);
        let handle = Arc::new(NodeHandle {
            params,
            dir: config.dir.clone(),
            readers,
            writer,
            wallet,
            mining,
            spending: tokio::sync::Mutex::new(()),
            stop,
            started: Instant::now(),
            dns_provisional: config.dns_provisional,
            peers: OnceLock::new(),
        });
        let network = Network::start(peers::config(&config)?, handle.clone(), handle.params.clone()).await?;
        let peers = network.handle();
        let _ = handle.peers.set(peers.clone());
        let zones = {
            let handle = handle.clone();
            move || Arc::new(ServedZone::new(&handle)) as Arc<dyn Zone>
        };
        let tld = String::from_utf8_lossy(&handle.params.rules.tld).into_owned();
        let key = zone_key::open(&config.dir, &tld, &config.dns)?;
        let signer = key.as_ref().map(|(signer, _)| signer.clone());
        let dns = DnsServer::bind_signed(&config.dns_listen, zones, config.dns, signer).await?;
        let rpc =
            dotp2p_rpc::server::RpcServer::start(config.rpc_listen, handle.clone(), config.rpc, &config.dir).await?;
        write_node_json(&config.dir, &handle.params, rpc.local_addr(), dns.local_addrs(), &peers)?;
        let mut tasks =
            vec![tokio::spawn(registrations::carry_on(handle.clone())), tokio::spawn(clock::watch(handle.clone()))];
        if let Some((signer, watch)) = key {
            tasks.push(tokio::spawn(zone_key::follow(handle.clone(), signer, watch)));
        }
        if config.mine.is_some() {
            tasks.push(tokio::spawn(mining::run(handle.clone())));
        }
        Ok(Self { handle, writer: Some(thread), tasks, rpc, dns, network, stop: stopped })
    }

    /// Where RPC listens.
    #[must_use]
    pub fn rpc_addr(&self) -> SocketAddr {
        self.rpc.local_addr()
    }

    /// Where DNS listens, over UDP and TCP.
    #[must_use]
    pub fn dns_addrs(&self) -> &[SocketAddr] {
        self.dns.local_addrs()
    }

    /// Where peers may connect, each with the node's peer id.
    #[must_use]
    pub fn p2p_addrs(&self) -> Vec<Multiaddr> {
        self.network.handle().listening()
    }

    /// For whoever asks the node from inside the process.
    #[must_use]
    pub fn handle(&self) -> Arc<NodeHandle> {
        self.handle.clone()
    }

    /// Waits until somebody asks the node to stop.
    ///
    /// Errors: DNS ended by itself. A node that answers nobody shall not look alive.
    pub async fn stopped(&mut self) -> Result<(), NodeError> {
        tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => Ok(()),
            ended = self.dns.stopped() => Ok(ended?),
        }
    }

    /// Stops in reverse order; what was acknowledged is durable already.
    pub async fn stop(mut self) -> Result<(), NodeError> {
        self.handle.stop.send_replace(true);
        for task in self.tasks.drain(..) {
            let _ = task.await;
        }
        self.rpc.stop().await;
        self.dns.shutdown().await;
        self.network.stop().await;
        self.handle.writer.stop().await;
        let thread = self.writer.take();
        let joined = tokio::task::spawn_blocking(move || thread.map_or(Ok(()), std::thread::JoinHandle::join)).await;
        // Nobody shall look for this node any more; a file that cannot be removed is overwritten by the next start.
        let _ = std::fs::remove_file(self.handle.dir.join("node.json"));
        if !matches!(joined, Ok(Ok(()))) {
            return Err(NodeError::Panicked);
        }
        Ok(())
    }
}

/// Opens a network's folder and takes up where it ended.
pub(crate) fn open(params: &Arc<Params>, dir: &Path, reindex: bool, limits: Limits) -> Result<Importer, NodeError> {
    let (store, loaded) = Store::open(dir, params, reindex)?;
    let progress = |blocks: u64| {
        if blocks.is_multiple_of(1_000) {
            tracing::info!(blocks, "reindexing");
        }
    };
    let (importer, opened) = Importer::open_at(store, loaded, params.clone(), limits, now_s(), progress)?;
    tracing::info!(tip = %opened.tip, reindexed = opened.reindexed, "chain opened");
    Ok(importer)
}

/// `node.json`: where the other commands find the node.
fn write_node_json(
    dir: &Path,
    params: &Params,
    rpc: SocketAddr,
    dns: &[SocketAddr],
    peers: &PeersHandle,
) -> Result<(), NodeError> {
    let (path, temp) = (dir.join("node.json"), dir.join("node.json.new"));
    let json = serde_json::json!({
        "pid": std::process::id(),
        "rpc": rpc.to_string(),
        "dns": dns.iter().map(SocketAddr::to_string).collect::<Vec<_>>(),
        "p2p": peers.listening().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "network": params.deployment.name,
        "chain_id": params.chain_id.to_string(),
    });
    let written = std::fs::write(&temp, format!("{json:#}\n")).and_then(|()| std::fs::rename(&temp, &path));
    written.map_err(|error| NodeError::File { path, error })
}

impl NodeHandle {
    /// The newest view.
    #[must_use]
    pub fn newest(&self) -> Arc<Reader> {
        self.readers.borrow().clone()
    }

    /// For waiting on a new view.
    #[must_use]
    pub fn readers(&self) -> watch::Receiver<Arc<Reader>> {
        self.readers.clone()
    }

    /// For waiting until the node stops.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Checks an encoded block on all cores and imports it; returns after the durable write.
    pub async fn import(&self, encoded: Vec<u8>) -> Result<Imported, ImportError> {
        let (params, pool) = (self.params.clone(), self.newest().pool.clone());
        let checked = tokio::task::spawn_blocking(move || {
            CheckedBlock::decode(encoded, &params, |tx| pool.has_verified(&tx.wtxid()))
        });
        let stopping = || ImportError::Stopped("the node is stopping".to_owned());
        let checked = checked.await.map_err(|_| stopping())??;
        self.writer.block(checked).await.unwrap_or_else(|| Err(stopping()))
    }
}

impl dotp2p_rpc::node::Node for NodeHandle {
    fn reader(&self) -> Result<Arc<Reader>, NotReady> {
        Ok(self.newest())
    }

    async fn submit(&self, transaction: Transaction) -> Result<Txid, SubmitError> {
        let sighash = transaction.sighash(&self.params.chain_id);
        if let Some((key, _)) = transaction.key_signatures().find(|(key, signature)| !key.verifies(&sighash, signature))
        {
            return Err(SubmitError::Signature(*key));
        }
        match self.writer.transaction(transaction).await {
            Some(Ok(added)) => {
                let txid = added?;
                if let Some(peers) = self.peers.get() {
                    peers.announce(txid).await;
                }
                Ok(txid)
            }
            Some(Err(reason)) => Err(SubmitError::Unavailable(NotReady(reason).into())),
            None => Err(SubmitError::Unavailable(Unavailable::Stopping)),
        }
    }

    async fn generate(&self, blocks: u32, to: PublicKey) -> Result<Vec<BlockHash>, GenerateError> {
        if !self.params.deployment.on_demand {
            return Err(GenerateError::NotOnDemand);
        }
        let mut hashes = Vec::new();
        for at in 1..=blocks {
            let refused = |reason: String| GenerateError::Refused { at, reason };
            let reader = self.newest();
            let made = tokio::task::spawn_blocking(move || {
                let block = miner::template(&reader, to, at.to_le_bytes().to_vec(), now_s())?;
                miner::mine(block, &std::sync::atomic::AtomicBool::new(false), |_| ())
            });
            let block = made.await.ok().flatten().ok_or_else(|| refused("the chain has reached its end".to_owned()))?;
            let hash = block.hash();
            self.import(block.encode()).await.map_err(|error| refused(error.to_string()))?;
            hashes.push(hash);
            if *self.stop.borrow() {
                return Err(Unavailable::Stopping.into());
            }
        }
        Ok(hashes)
    }

    async fn submit_block(&self, encoded: Vec<u8>) -> Result<BlockTaken, SubmitBlockError> {
        match self.import(encoded).await {
            Ok(Imported::Active) => Ok(BlockTaken::Active),
            Ok(Imported::Side) => Ok(BlockTaken::Side),
            Ok(Imported::Known) => Ok(BlockTaken::Known),
            Err(error @ ImportError::Decode(_)) => Err(SubmitBlockError::Decode(error.to_string())),
            Err(error @ (ImportError::Store(_) | ImportError::Stopped(_))) => {
                Err(SubmitBlockError::Unavailable(error.to_string()))
            }
            Err(error) => Err(SubmitBlockError::Refused(error.to_string())),
        }
    }

    fn mining(&self) -> MiningStatus {
        let pays_to = self.mining.pays_to.or_else(|| self.wallet.keys(&self.newest()).ok()?.first().copied());
        self.mining.status(pays_to)
    }

    fn wallet_keys(&self) -> Result<Vec<PublicKey>, WalletError> {
        self.wallet.keys(&self.newest())
    }

    async fn new_key(&self) -> Result<PublicKey, WalletError> {
        self.wallet.new_key(&self.newest())
    }

    async fn send(&self, ops: Vec<Op>) -> Result<Txid, WalletError> {
        let _spending = self.spending.lock().await;
        let transaction = self.wallet.build(&ops, &self.newest())?;
        Ok(self.submit(transaction).await?)
    }

    async fn register(&self, request: Request) -> Result<RegistrationStatus, WalletError> {
        let name = request.name.clone();
        let status = self.wallet.register(request, &self.newest())?;
        registrations::step_all(self).await;
        let all = self.wallet.registrations(&self.newest())?;
        Ok(all.into_iter().find(|it| it.name == name).unwrap_or(status))
    }

    fn registrations(&self) -> Result<Vec<RegistrationStatus>, WalletError> {
        self.wallet.registrations(&self.newest())
    }

    async fn peers(&self) -> Result<Vec<PeerStatus>, Unavailable> {
        self.peer_statuses().await
    }

    async fn network(&self) -> Result<NetworkStatus, Unavailable> {
        self.network_status().await
    }

    async fn add_node(&self, text: String, what: AddNode) -> Result<(), PeerError> {
        self.add_peer(text, what).await
    }

    async fn disconnect_node(&self, text: String) -> Result<(), PeerError> {
        self.disconnect_peer(text).await
    }

    async fn set_ban(&self, subject: String, term: BanTerm) -> Result<(), PeerError> {
        self.ban(&subject, term).await
    }

    async fn lift_ban(&self, subject: String) -> Result<(), PeerError> {
        self.unban(subject).await
    }

    async fn banned(&self) -> Result<Vec<BanStatus>, Unavailable> {
        self.bans().await
    }

    fn stop(&self) {
        self.stop.send_replace(true);
    }

    fn clock_behind_s(&self) -> Option<u64> {
        clock::lag(&self.newest(), now_s())
    }

    fn uptime_s(&self) -> u64 {
        self.started.elapsed().as_secs()
    }
}

/// A lock whose holder panicked still holds whole data: every critical section writes it in one assignment.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
