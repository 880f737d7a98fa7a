//! What the peer network asks of the node, and how it is started: the node's key, where it listens, whom it knows.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::check;
use dotp2p_chain::hash::{BlockHash, from_hex, to_hex};
use dotp2p_chain::tx::Transaction;
use dotp2p_network::address::AddressError;
use dotp2p_network::bans::{Ban, Subject, Term};
use dotp2p_network::chain::{BlockVerdict, Chain, HeadsTaken, TransactionVerdict};
use dotp2p_network::gate::peer_bytes;
use dotp2p_network::peer_text::{AddressTextError, tcp_address};
use dotp2p_network::score::Misbehaviour;
use dotp2p_network::service::{Config, Handle, Multiaddr, PeerId, PeerInfo};
use dotp2p_registry::mempool::PoolError;
use dotp2p_registry::query::Reader;
use dotp2p_registry::rules::RuleError;
use dotp2p_rpc::node::{AddNode, BanStatus, BanTerm, NetworkStatus, NotReady, PeerError, PeerStatus, Unavailable};
use dotp2p_wallet::private_file::{self, AccessError};
use tokio::sync::watch;

use super::{NodeConfig, NodeError, NodeHandle, now_s};
use crate::import::{CheckedBlock, ImportError, Imported};

/// The file of the node's own secrets as a peer: 32 bytes of its key, 32 by which it chooses among addresses.
const KEY_FILE: &str = "peer.key";
const KEY_BYTES: usize = 64;
/// Peers that may connect.
const INBOUND_MAX: usize = 117;

/// What the node does about peers.
#[derive(Clone, Debug)]
pub struct PeersConfig {
    /// Where others may connect; `None`: on all addresses, at the network's port.
    pub listen: Option<Vec<Multiaddr>>,
    /// Whom to stay connected to.
    pub peers: Vec<String>,
    /// Whether others are looked for.
    pub discovery: bool,
    /// The key of a closed network.
    pub psk: Option<[u8; 32]>,
}

impl Default for PeersConfig {
    fn default() -> Self {
        Self { listen: None, peers: Vec::new(), discovery: true, psk: None }
    }
}

impl PeersConfig {
    /// Nobody is listened for or looked for: a node by itself, as tests and the demo want it.
    #[must_use]
    pub fn alone() -> Self {
        Self { listen: Some(Vec::new()), discovery: false, ..Self::default() }
    }
}

/// The network's configuration for a node; makes the node's key at the first start.
pub(super) fn config(node: &NodeConfig) -> Result<Config, NodeError> {
    let port = node.params.deployment.p2p_port;
    let (listen, listen_if_possible) = match &node.peers.listen {
        Some(listen) => (listen.clone(), Vec::new()),
        // Not every machine speaks IPv6.
        None => (
            vec![tcp_address(Ipv4Addr::UNSPECIFIED.into(), port)],
            vec![tcp_address(Ipv6Addr::UNSPECIFIED.into(), port)],
        ),
    };
    let (identity, secret) = secrets(&node.dir.join(KEY_FILE))?;
    Ok(Config {
        listen,
        listen_if_possible,
        peers: node.peers.peers.clone(),
        discovery: node.peers.discovery,
        psk: node.peers.psk,
        identity,
        secret,
        // Main's peers are on the Internet; a private network may be on one machine.
        accept_local: !matches!(node.params.deployment.name.as_str(), "main" | "test"),
        dir: node.dir.clone(),
        agent: agent(),
        inbound_max: INBOUND_MAX,
    })
}

/// The node's secrets as a peer, as kept or made now. A file that holds none is set aside: a node loses nothing but its name.
fn secrets(path: &Path) -> Result<([u8; 32], [u8; 32]), NodeError> {
    let failed = |error: &dyn std::fmt::Display| NodeError::PeerKey(error.to_string());
    match private_file::read(path, 1_024) {
        Ok(text) => {
            if let Some(halves) = halves(&text) {
                return Ok(halves);
            }
            let aside = path.with_extension("key.bad");
            std::fs::rename(path, &aside).map_err(|error| failed(&error))?;
            let (path, aside) = (path.display(), aside.display());
            tracing::warn!(%path, %aside, "not 128 hexadecimal digits: set aside, this node has a new peer id");
        }
        Err(AccessError::Missing(_)) => {}
        Err(error) => return Err(failed(&error)),
    }
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| failed(&error))?;
    let text = format!("{}\n", to_hex(&bytes));
    private_file::create(path, text.as_bytes()).map_err(|error| failed(&error))?;
    halves(text.as_bytes()).ok_or_else(|| failed(&"what was written does not read"))
}

fn halves(text: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let bytes = from_hex(std::str::from_utf8(text).ok()?.trim())?;
    let (identity, secret) = bytes.split_first_chunk()?;
    Some((*identity, secret.try_into().ok()?))
}

impl Chain for NodeHandle {
    fn readers(&self) -> watch::Receiver<Arc<Reader>> {
        self.readers.clone()
    }

    async fn take_heads(&self, heads: Vec<BlockHead>, is_proven: bool) -> HeadsTaken {
        let taken = self.writer.heads(heads, is_proven).await;
        taken.unwrap_or_else(|| HeadsTaken::Other("the node is stopping".to_owned()))
    }

    async fn missing(&self, max: u32) -> Vec<BlockHash> {
        self.writer.missing(max).await.unwrap_or_default()
    }

    async fn take_blocks(&self, blocks: Vec<Vec<u8>>) -> Vec<BlockVerdict> {
        let (count, params, pool) = (blocks.len(), self.params.clone(), self.newest().pool.clone());
        let checked = tokio::task::spawn_blocking(move || match <[Vec<u8>; 1]>::try_from(blocks) {
            // One that was just announced: the pool has checked most of its signatures.
            Ok([block]) => vec![CheckedBlock::decode(block, &params, |tx| pool.has_verified(&tx.wtxid()))],
            Err(blocks) => CheckedBlock::decode_all(blocks, &params),
        });
        let imported = match checked.await {
            Ok(checked) => self.writer.blocks(checked).await,
            Err(_) => None,
        };
        let verdicts = imported.map(|all| all.into_iter().map(verdict).collect());
        verdicts.unwrap_or_else(|| vec![BlockVerdict::later("the node is stopping"); count])
    }

    async fn take_transaction(&self, encoded: Vec<u8>) -> TransactionVerdict {
        let params = self.params.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let malformed = |error: dotp2p_chain::codec::DecodeError| (Misbehaviour::Malformed, error.to_string());
            let transaction = Transaction::from_bytes(&encoded, &params.rules).map_err(malformed)?;
            let is_good = check::signatures_good(&transaction, &params.chain_id);
            let bad = || (Misbehaviour::InvalidSignature, "a signature is not good (T6)".to_owned());
            if is_good { Ok(transaction) } else { Err(bad()) }
        });
        match checked.await {
            Ok(Ok(transaction)) => {
                let (payer, nonce) = (transaction.body().payer, transaction.body().nonce);
                match self.writer.transaction(transaction).await {
                    Some(Ok(Ok(_))) => TransactionVerdict::Taken { payer, nonce },
                    Some(Ok(Err(refused))) if is_early(&refused) => TransactionVerdict::Early { payer, nonce },
                    Some(Ok(Err(refused))) => TransactionVerdict::Unwanted(refused.to_string()),
                    Some(Err(reason)) => TransactionVerdict::Unwanted(reason),
                    None => TransactionVerdict::Unwanted("the node is stopping".to_owned()),
                }
            }
            Ok(Err((what, reason))) => TransactionVerdict::Invalid(what, reason),
            Err(_) => TransactionVerdict::Unwanted("the node is stopping".to_owned()),
        }
    }

    fn now_s(&self) -> u64 {
        now_s()
    }
}

/// Whether a transaction lacks nothing but others of its payer that come before it.
fn is_early(refused: &PoolError) -> bool {
    match refused {
        PoolError::Gap { .. } => true,
        PoolError::Rule(RuleError::Nonce { found, expected }) => found > expected,
        _ => false,
    }
}

fn stopping<T>(answer: Option<T>) -> Result<T, Unavailable> {
    answer.ok_or(Unavailable::Stopping)
}

impl NodeHandle {
    fn peers_handle(&self) -> Result<&Handle, Unavailable> {
        self.peers.get().ok_or_else(|| NotReady("peers are not listened for yet".to_owned()).into())
    }

    pub(super) async fn peer_statuses(&self) -> Result<Vec<PeerStatus>, Unavailable> {
        let peers = stopping(self.peers_handle()?.peers().await)?;
        let status = |peer: PeerInfo| PeerStatus {
            id: peer.peer.to_string(),
            address: peer.address.to_string(),
            kind: peer.kind.as_str(),
            is_relayed: peer.is_relayed,
            connected_s: peer.connected_s,
            agent: peer.agent,
            height: peer.height.map(|height| height.0),
            ping_ms: peer.ping_ms,
            same_deployment: peer.same_deployment,
            points: peer.points,
        };
        Ok(peers.into_iter().map(status).collect())
    }

    pub(super) async fn network_status(&self) -> Result<NetworkStatus, Unavailable> {
        let handle = self.peers_handle()?;
        let info = stopping(handle.info().await)?;
        Ok(NetworkStatus {
            id: info.local.to_string(),
            agent: agent(),
            listening: handle.listening().iter().map(ToString::to_string).collect(),
            external: info.external.iter().map(ToString::to_string).collect(),
            inbound: info.inbound,
            outbound: info.outbound,
            syncing: info.syncing,
        })
    }

    pub(super) async fn add_peer(&self, text: String, what: AddNode) -> Result<(), PeerError> {
        let handle = self.peers_handle()?;
        let wrong = |error: AddressTextError| PeerError::Wrong(error.to_string());
        match what {
            AddNode::Add => stopping(handle.add(text).await)?.map_err(wrong),
            AddNode::OneTry => stopping(handle.try_once(text).await)?.map_err(wrong),
            AddNode::Remove => listed(stopping(handle.remove(text.clone()).await)?, text),
        }
    }

    pub(super) async fn disconnect_peer(&self, text: String) -> Result<(), PeerError> {
        listed(stopping(self.peers_handle()?.disconnect(text.clone()).await)?, text)
    }

    pub(super) async fn ban(&self, text: &str, term: BanTerm) -> Result<(), PeerError> {
        let term = match term {
            BanTerm::Default => Term::Default,
            BanTerm::For(seconds) => Term::For(seconds),
            BanTerm::Until(time) => Term::Until(time),
        };
        let banned = stopping(self.peers_handle()?.ban(subject(text)?, term).await)?;
        banned.map(drop).map_err(|error| PeerError::Wrong(error.to_string()))
    }

    pub(super) async fn unban(&self, text: String) -> Result<(), PeerError> {
        listed(stopping(self.peers_handle()?.unban(subject(&text)?).await)?, text)
    }

    pub(super) async fn bans(&self) -> Result<Vec<BanStatus>, Unavailable> {
        let bans = stopping(self.peers_handle()?.banned().await)?;
        let status = |ban: Ban| BanStatus {
            subject: match &ban.subject {
                Subject::Net(net) => net.to_string(),
                Subject::Peer(id) => {
                    PeerId::from_bytes(id.as_bytes()).map_or_else(|_| id.to_string(), |id| id.to_string())
                }
            },
            created_s: ban.created_s,
            until_s: ban.until_s,
            reason: ban.reason,
        };
        Ok(bans.into_iter().map(status).collect())
    }
}

fn listed(was_listed: bool, text: String) -> Result<(), PeerError> {
    if was_listed { Ok(()) } else { Err(PeerError::NotListed(text)) }
}

/// Whom a text bans: an address, a subnet or a peer id.
fn subject(text: &str) -> Result<Subject, PeerError> {
    if let Some(id) = text.parse::<PeerId>().ok().and_then(|peer| peer_bytes(&peer)) {
        return Ok(Subject::Peer(id));
    }
    text.parse().map(Subject::Net).map_err(|error: AddressError| PeerError::Wrong(error.to_string()))
}

/// What the program calls itself.
fn agent() -> String {
    format!("dotp2p/{}", env!("CARGO_PKG_VERSION"))
}

fn verdict(imported: Result<Imported, ImportError>) -> BlockVerdict {
    match imported {
        Ok(Imported::Active | Imported::Side) => BlockVerdict::Taken,
        Ok(Imported::Known) => BlockVerdict::Known,
        Err(error) => BlockVerdict::Refused { condemns: error.condemns(), reason: error.to_string() },
    }
}
