//! What is known of each peer, and what of it people are shown.

use dotp2p_chain::height::Height;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use super::Service;
use crate::chain::Chain;
use crate::message::Hello;
use crate::rate::TokenBucket;

/// How a connection came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionKind {
    /// The peer opened it.
    Inbound,
    /// This node chose the peer.
    Outbound,
    /// This node was told to stay connected.
    Manual,
    /// Found nearby.
    Nearby,
}

impl ConnectionKind {
    /// As RPC says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Manual => "manual",
            Self::Nearby => "nearby",
        }
    }
}

/// A connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its id.
    pub peer: PeerId,
    /// Where it is.
    pub address: Multiaddr,
    /// How the connection came to be.
    pub kind: ConnectionKind,
    /// Whether it goes through a third peer.
    pub is_relayed: bool,
    /// Seconds since it was connected.
    pub connected_s: u64,
    /// What its program calls itself; empty before it has said so.
    pub agent: String,
    /// The height of its chain as it said last.
    pub height: Option<Height>,
    /// The last round trip in milliseconds.
    pub ping_ms: Option<u64>,
    /// Whether it knows the same checkpoints and activations; `None` before it has said so.
    pub same_deployment: Option<bool>,
    /// Points for what it did that it should not.
    pub points: u32,
}

/// The network as seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkInfo {
    /// This node's id.
    pub local: PeerId,
    /// Where it listens.
    pub listening: Vec<Multiaddr>,
    /// Where others say that they reach it.
    pub external: Vec<Multiaddr>,
    /// Peers that opened their connection.
    pub inbound: usize,
    /// Peers whose connection this node opened.
    pub outbound: usize,
    /// Whether blocks or headers are being fetched.
    pub syncing: bool,
}

/// What is known of a connected peer.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) address: Multiaddr,
    /// The connection at that address.
    pub(super) connection: ConnectionId,
    /// How often a direct way was tried again, while everything goes through a third peer.
    pub(super) direct_tries: u32,
    pub(super) kind: ConnectionKind,
    pub(super) since_ms: u64,
    pub(super) hello: Option<Hello>,
    /// When it was greeted last.
    pub(super) greeted_ms: u64,
    pub(super) ping_ms: Option<u64>,
    /// Whether it passes on what others send to each other.
    pub(super) relays: bool,
    /// How many questions it may put.
    pub(super) questions: TokenBucket,
    /// Questions that it put all the same.
    pub(super) refused: u32,
    /// Transactions that it announced by their id and was asked for.
    pub(super) promised: usize,
    /// How often it said which topics it listens to.
    pub(super) subscriptions: u32,
    /// Whether it is being parted from: nothing that it sent is looked at.
    pub(super) is_parted: bool,
    /// Questions of it that are being answered.
    pub(super) serving: usize,
}

impl<C: Chain> Service<C> {
    pub(super) fn peer_infos(&self) -> Vec<PeerInfo> {
        let deployment = self.params.deployment.hash();
        let now_ms = self.now_ms();
        let info = |(peer, known): (&PeerId, &Known)| PeerInfo {
            peer: *peer,
            address: known.address.clone(),
            kind: known.kind,
            is_relayed: super::connecting::is_relayed(&known.address),
            connected_s: now_ms.saturating_sub(known.since_ms) / 1_000,
            agent: known.hello.as_ref().map_or_else(String::new, |hello| hello.agent.clone()),
            height: known.hello.as_ref().map(|hello| hello.height),
            ping_ms: known.ping_ms,
            same_deployment: known.hello.as_ref().map(|hello| hello.deployment == deployment),
            points: self.points(peer),
        };
        self.peers.iter().map(info).collect()
    }

    pub(super) fn network_info(&self) -> NetworkInfo {
        let inbound = self.peers.values().filter(|known| known.kind == ConnectionKind::Inbound).count();
        NetworkInfo {
            local: *self.swarm.local_peer_id(),
            listening: self.listening.borrow().clone(),
            external: self.swarm.external_addresses().cloned().collect(),
            inbound,
            outbound: self.peers.len() - inbound,
            syncing: self.sync.is_busy(),
        }
    }
}
