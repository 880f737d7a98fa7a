//! The peers of a running node: one task owns the connections and the machines, everybody else holds a [`Handle`].
//!
//! - [`Config`]: where to listen, whom to connect to.
//! - [`Network`]: started and stopped by the node.
//! - [`Handle`]: asks the task; whatever the chain or the disk must do is done beside it and comes back as a message.
//!
//! Invariant: the task never waits for the chain, the disk or a peer; every queue is bounded.

mod asking;
mod book;
mod connecting;
mod events;
mod gossip;
mod info;
mod judging;
mod nat;
mod serving;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dotp2p_chain::hash::{BlockHash, Txid};
use dotp2p_chain::params::Params;
use dotp2p_registry::query::Reader;
use futures::StreamExt;
use libp2p::gossipsub::MessageId;
use libp2p::identity::Keypair;
use libp2p::request_response::{InboundRequestId, OutboundRequestId, ResponseChannel};
use libp2p::swarm::{Config as SwarmConfig, Swarm};
pub use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::bans::{Ban, BanError, Subject, Term};
use crate::behaviour::{Behaviour, Setup};
use crate::chain::{BlockVerdict, Chain, HeadsTaken, TransactionVerdict};
use crate::gate::Gate;
use crate::inbound::InboundLimits;
use crate::message::{Request, Response};
use crate::peer_text::AddressTextError;
use crate::protocol::Protocols;
use crate::rate::TokenBucket;
use crate::relay::Relay;
use crate::score::Scores;
use crate::sync::{self, Sync};
use crate::transport;
use crate::unsent::Unsent;
use crate::waiting::WaitingRoom;
use asking::Question;
use book::Chosen;
use gossip::Came;
use info::Known;
use nat::Nat;

pub use connecting::addresses_of;
pub use info::{ConnectionKind, NetworkInfo, PeerInfo};

/// How the peers of a node are run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where others may connect; port 0 for any.
    pub listen: Vec<Multiaddr>,
    /// The same, but no failure where it cannot be.
    pub listen_if_possible: Vec<Multiaddr>,
    /// Whom to stay connected to: addresses, or host and port, as people type them.
    pub peers: Vec<String>,
    /// Whether others are looked for, nearby and far.
    pub discovery: bool,
    /// The key that closes the network, if it is closed.
    pub psk: Option<[u8; 32]>,
    /// The secret of this node's Ed25519 key, which is its peer id.
    pub identity: [u8; 32],
    /// Where address book and bans are kept.
    pub dir: PathBuf,
    /// What the program calls itself.
    pub agent: String,
    /// Connections that others may open.
    pub inbound_max: usize,
    /// Whether addresses on our own networks are kept: where the network lives on one of them.
    pub accept_local: bool,
    /// 32 random bytes, kept: by them places are given that nobody else shall foresee.
    pub secret: [u8; 32],
}

/// Connections that this node opens: to whom it chose, to whom it was told, and for a moment to try addresses.
const OUTBOUND_MAX: u32 = 48;
/// Commands that wait.
const COMMANDS: usize = 256;
/// Messages from what is done beside the task.
const DONE: usize = 1_024;
/// How often time passes for the machines.
const TICK: Duration = Duration::from_millis(250);
/// How long a start waits for its first address.
const LISTEN_WITHIN: Duration = Duration::from_secs(5);

/// Why peers cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// An address that cannot be listened on.
    #[error("cannot listen for peers on {address}: {reason}; choose another with --p2p-listen")]
    Listen {
        /// As asked.
        address: Multiaddr,
        /// What the system says.
        reason: String,
    },
    /// A text that names no peer.
    #[error(transparent)]
    Address(#[from] AddressTextError),
    /// The protocols do not fit together.
    #[error("cannot start the peer network: {0}")]
    Setup(String),
}

/// What the task is asked.
enum Command {
    Peers(oneshot::Sender<Vec<PeerInfo>>),
    Info(oneshot::Sender<NetworkInfo>),
    Add(String, oneshot::Sender<Result<(), AddressTextError>>),
    Remove(String, oneshot::Sender<bool>),
    Try(String, oneshot::Sender<Result<(), AddressTextError>>),
    Disconnect(String, oneshot::Sender<bool>),
    Ban(Subject, Term, oneshot::Sender<Result<Ban, BanError>>),
    Unban(Subject, oneshot::Sender<bool>),
    Banned(oneshot::Sender<Vec<Ban>>),
    Announce(Txid),
    Stop(oneshot::Sender<()>),
}

/// What was done beside the task.
enum Done {
    HeadsTaken(PeerId, HeadsTaken),
    Missing(Vec<BlockHash>),
    BlocksTaken(Vec<(BlockHash, BlockVerdict)>),
    Judged(BlockHash, HeadsTaken),
    Filled(BlockHash, Vec<Option<Vec<u8>>>),
    Taken(BlockHash, BlockVerdict),
    Transaction { came: Came, verdict: TransactionVerdict },
    Answer(PeerId, InboundRequestId, ResponseChannel<Response>, Response),
    Resolved { text: String, addresses: Vec<Multiaddr>, stays: bool },
    Seeds(u8, Vec<Multiaddr>),
}

/// The peers of a node, running.
#[derive(Debug)]
pub struct Network {
    handle: Handle,
    task: tokio::task::JoinHandle<()>,
}

/// The way to the task. What it answers `None` to, it was stopped before.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    local: PeerId,
    listening: watch::Receiver<Vec<Multiaddr>>,
}

/// The task.
struct Service<C> {
    chain: Arc<C>,
    params: Arc<Params>,
    protocols: Protocols,
    agent: String,
    swarm: Swarm<Behaviour>,
    readers: watch::Receiver<Arc<Reader>>,
    sync: Sync<PeerId>,
    relay: Relay<PeerId, MessageId>,
    peers: BTreeMap<PeerId, Known>,
    scores: Scores,
    chosen: Chosen,
    discovery: bool,
    /// Where it was asked to listen.
    own: Vec<Multiaddr>,
    nat: Nat,
    dir: PathBuf,
    asked: HashMap<OutboundRequestId, Question>,
    /// Whom to stay connected to, as typed, with the addresses that were found.
    fixed: BTreeMap<String, connecting::Fixed>,
    /// Nearby peers that were found and not dialled yet, and when to.
    nearby: BTreeMap<PeerId, (Vec<Multiaddr>, u64)>,
    /// Transactions that wait for others of their payer.
    early: WaitingRoom<Came>,
    early_ms: u64,
    serving: usize,
    unsent: Unsent<InboundRequestId, PeerId>,
    judging: usize,
    to_judge: VecDeque<Came>,
    to_judge_bytes: usize,
    done: mpsc::Sender<Done>,
    listening: watch::Sender<Vec<Multiaddr>>,
    started: Instant,
    /// The tip that was announced last.
    announced: BlockHash,
    /// The block that was passed on last.
    relayed: BlockHash,
    /// Whether a header is known that has more work than the tip.
    is_behind: bool,
    /// Whether there are bans that the file has not, and who writes it.
    are_bans_unsaved: bool,
    saving_bans: Option<JoinHandle<()>>,
    /// Transactions of the pool that are still to be gossiped, and how many may be.
    to_tell: VecDeque<Txid>,
    telling: TokenBucket,
}

impl Network {
    /// Listens, and begins to look for peers. Returns when each address listens, or cannot.
    pub async fn start<C: Chain>(config: Config, chain: Arc<C>, params: Arc<Params>) -> Result<Self, NetworkError> {
        let setup = |error: &dyn std::fmt::Display| NetworkError::Setup(error.to_string());
        let mut secret = config.identity;
        let keypair = Keypair::ed25519_from_bytes(&mut secret).map_err(|error| setup(&error))?;
        let local = keypair.public().to_peer_id();
        let protocols = Protocols::of(&params.chain_id);
        let (transport, relay_client) = transport::build(&keypair, config.psk).map_err(|error| setup(&error))?;
        let bans = Service::<C>::load_bans(&config.dir, chain.now_s());
        let limits = InboundLimits { total: config.inbound_max, ..InboundLimits::default() };
        let behaviour = Setup {
            keypair: &keypair,
            protocols: &protocols,
            agent: &config.agent,
            discovery: config.discovery,
            accept_local: config.accept_local,
            gate: Gate::new(bans, limits, config.secret),
            inbound_max: u32::try_from(config.inbound_max).unwrap_or(u32::MAX),
            outbound_max: OUTBOUND_MAX,
        };
        let behaviour = Behaviour::new(behaviour, relay_client).map_err(|error| setup(&error))?;
        // Connections are closed by whom they are of no use to, not by silence.
        let swarm = SwarmConfig::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(86_400));
        let mut swarm = Swarm::new(transport, behaviour, local, swarm);
        for address in &config.listen {
            let listened = swarm.listen_on(address.clone());
            listened.map_err(|error| NetworkError::Listen { address: address.clone(), reason: error.to_string() })?;
        }
        for address in &config.listen_if_possible {
            if let Err(error) = swarm.listen_on(address.clone()) {
                tracing::info!(%address, %error, "not listening for peers");
            }
        }
        let (commands, queue) = mpsc::channel(COMMANDS);
        let (done, dones) = mpsc::channel(DONE);
        let (listening, listens) = watch::channel(Vec::new());
        let now_s = chain.now_s();
        // What others see of the choices tells nothing of this: it comes from the key that nobody knows.
        let seed = config.secret.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk)) ^ now_s;
        let readers = chain.readers();
        let best = readers.borrow().headers_work;
        let announced = readers.borrow().tip_hash();
        let mut service = Service {
            sync: Sync::new(sync::Config::default(), params.clone(), best),
            chain,
            params,
            protocols,
            agent: config.agent,
            swarm,
            readers,
            relay: Relay::default(),
            peers: BTreeMap::new(),
            scores: Scores::new(),
            chosen: Chosen::load(&config.dir, config.secret, seed, config.accept_local, now_s),
            discovery: config.discovery,
            own: config.listen.clone(),
            nat: Nat::default(),
            dir: config.dir,
            asked: HashMap::new(),
            fixed: BTreeMap::new(),
            nearby: BTreeMap::new(),
            early: WaitingRoom::default(),
            early_ms: 0,
            serving: 0,
            unsent: Unsent::default(),
            judging: 0,
            to_judge: VecDeque::new(),
            to_judge_bytes: 0,
            done,
            listening,
            started: Instant::now(),
            announced,
            relayed: announced,
            is_behind: false,
            are_bans_unsaved: false,
            saving_bans: None,
            to_tell: VecDeque::new(),
            telling: TokenBucket::new(gossip::TELLING, 0),
        };
        service.wait_until_listening(config.listen.len()).await;
        for text in config.peers {
            service.stay_connected(text)?;
        }
        if config.discovery && service.knows_nobody() {
            if service.params.deployment.bootstrap.is_empty() {
                tracing::info!(
                    "no peer is known yet: those nearby are found by themselves, others with --peer HOST, or `dotp2p peer add HOST`"
                );
            }
            service.bootstrap();
        }
        let task = tokio::spawn(service.run(queue, dones));
        Ok(Self { handle: Handle { commands, local, listening: listens }, task })
    }

    /// The way to the task.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Closes every connection and waits until the task has ended.
    pub async fn stop(self) {
        let (reply, answer) = oneshot::channel();
        if self.handle.commands.send(Command::Stop(reply)).await.is_ok() {
            let _ = answer.await;
        }
        let _ = self.task.await;
    }
}

impl Handle {
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }

    /// The addresses that are listened on, each with this node's peer id.
    #[must_use]
    pub fn listening(&self) -> Vec<Multiaddr> {
        let own = |address: &Multiaddr| address.clone().with_p2p(self.local).unwrap_or_else(|address| address);
        self.listening.borrow().iter().map(own).collect()
    }

    /// The peers that are connected.
    pub async fn peers(&self) -> Option<Vec<PeerInfo>> {
        self.ask(Command::Peers).await
    }

    /// What the network looks like from here.
    pub async fn info(&self) -> Option<NetworkInfo> {
        self.ask(Command::Info).await
    }

    /// Stays connected to a peer from now on; `text`: an address, or host and port.
    pub async fn add(&self, text: String) -> Option<Result<(), AddressTextError>> {
        self.ask(|reply| Command::Add(text, reply)).await
    }

    /// No longer stays connected to a peer; `false`: it was not asked to.
    pub async fn remove(&self, text: String) -> Option<bool> {
        self.ask(|reply| Command::Remove(text, reply)).await
    }

    /// Connects to a peer once.
    pub async fn try_once(&self, text: String) -> Option<Result<(), AddressTextError>> {
        self.ask(|reply| Command::Try(text, reply)).await
    }

    /// Parts from a peer, by its id or address; `false`: there is none such.
    pub async fn disconnect(&self, text: String) -> Option<bool> {
        self.ask(|reply| Command::Disconnect(text, reply)).await
    }

    /// Bans a subnet or a peer, and parts from whom it hits.
    pub async fn ban(&self, subject: Subject, term: Term) -> Option<Result<Ban, BanError>> {
        self.ask(|reply| Command::Ban(subject, term, reply)).await
    }

    /// Lifts a ban; `false`: there was none of just this subject.
    pub async fn unban(&self, subject: Subject) -> Option<bool> {
        self.ask(|reply| Command::Unban(subject, reply)).await
    }

    /// The bans that hold.
    pub async fn banned(&self) -> Option<Vec<Ban>> {
        self.ask(Command::Banned).await
    }

    /// Gossips a transaction that is in the pool.
    pub async fn announce(&self, txid: Txid) {
        let _ = self.commands.send(Command::Announce(txid)).await;
    }
}

impl<C: Chain> Service<C> {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut dones: mpsc::Receiver<Done>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.swarm_event(event),
                Some(done) = dones.recv() => self.done(done),
                command = commands.recv() => match command {
                    Some(Command::Stop(reply)) => {
                        self.close_book();
                        self.close_bans().await;
                        let _ = reply.send(());
                        return;
                    }
                    Some(command) => self.command(command),
                    None => return,
                },
                changed = self.readers.changed() => match changed {
                    Ok(()) => self.tip_moved(),
                    // The node's writer is gone: it is stopping.
                    Err(_) => return,
                },
                _ = ticks.tick() => self.tick(),
            }
        }
    }

    /// Milliseconds since the start: a clock that is never set.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn newest(&self) -> Arc<Reader> {
        self.readers.borrow().clone()
    }

    /// Does something beside the task; what comes of it comes back as a message.
    fn beside(&self, work: impl Future<Output = Done> + Send + 'static) {
        let done = self.done.clone();
        tokio::spawn(async move {
            let what = work.await;
            let _ = done.send(what).await;
        });
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Peers(reply) => drop(reply.send(self.peer_infos())),
            Command::Info(reply) => drop(reply.send(self.network_info())),
            Command::Add(text, reply) => drop(reply.send(self.stay_connected(text))),
            Command::Remove(text, reply) => drop(reply.send(self.fixed.remove(&text).is_some())),
            Command::Try(text, reply) => drop(reply.send(self.try_once(text))),
            Command::Disconnect(text, reply) => drop(reply.send(self.disconnect(&text))),
            Command::Ban(subject, term, reply) => drop(reply.send(self.ban(subject, term))),
            Command::Unban(subject, reply) => drop(reply.send(self.unban(&subject))),
            Command::Banned(reply) => drop(reply.send(self.banned())),
            Command::Announce(txid) => {
                self.to_tell.push_back(txid);
                self.tell();
            }
            Command::Stop(reply) => drop(reply.send(())),
        }
    }

    fn tick(&mut self) {
        let now_ms = self.now_ms();
        self.sync_event(sync::Event::Tick);
        self.relay_event(crate::relay::Event::Tick);
        self.keep_connected(now_ms);
        self.choose(now_ms);
        self.find_relay(now_ms);
        self.try_direct_again(now_ms);
        self.tidy_early(now_ms);
        self.greet_again(now_ms);
        self.tell();
        self.judge_gossip();
        self.save_bans();
    }

    fn ask_peer(&mut self, peer: PeerId, request: Request, question: Question) {
        let id = self.swarm.behaviour_mut().ask.send_request(&peer, Ok(request));
        self.asked.insert(id, question);
    }
}
