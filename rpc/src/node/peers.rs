//! Peers, as the methods see them. The words are libp2p's (`peer id`, `multiaddr`), as text.

use super::Unavailable;

/// A connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its peer id.
    pub id: String,
    /// Where it is, a multiaddr.
    pub address: String,
    /// `inbound`, `outbound`, `manual` or `nearby`.
    pub kind: &'static str,
    /// Whether a third peer passes everything on.
    pub is_relayed: bool,
    /// Seconds since it was connected.
    pub connected_s: u64,
    /// What its program calls itself; empty before it has said so.
    pub agent: String,
    /// Height of its chain, as it said last.
    pub height: Option<u32>,
    /// The last round trip, in milliseconds.
    pub ping_ms: Option<u64>,
    /// Whether it knows the same checkpoints and activations (B18); `None` before it has said so.
    pub same_deployment: Option<bool>,
    /// Points for misbehaviour; 100 are a ban.
    pub points: u32,
}

/// The peer network, as seen from the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkStatus {
    /// The node's peer id.
    pub id: String,
    /// What its program calls itself.
    pub agent: String,
    /// Where it listens, with its peer id.
    pub listening: Vec<String>,
    /// Where others reach it, as far as that is known.
    pub external: Vec<String>,
    /// Peers that opened their connection.
    pub inbound: usize,
    /// Peers whose connection the node opened.
    pub outbound: usize,
    /// Whether headers or blocks are being fetched.
    pub syncing: bool,
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanStatus {
    /// An address, a subnet or a peer id.
    pub subject: String,
    /// Since when, Unix seconds.
    pub created_s: u64,
    /// Until when.
    pub until_s: u64,
    /// Why.
    pub reason: String,
}

/// What is done with a peer one names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddNode {
    /// Stay connected to it.
    Add,
    /// No longer do.
    Remove,
    /// Connect once.
    OneTry,
}

/// How long a ban lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanTerm {
    /// A day.
    Default,
    /// So many seconds.
    For(u64),
    /// Until that time, Unix seconds.
    Until(u64),
}

/// Why something about peers is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// A text that names no peer, subnet or term; it says why.
    #[error("{0}")]
    Wrong(String),
    /// It was not added, or is not banned.
    #[error("{0:?} is not on the list")]
    NotListed(String),
    /// The node cannot do it now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
