//! Shapes about peers.

use serde::{Deserialize, Serialize};

/// A peer of `getpeerinfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerInfo {
    /// Its peer id.
    pub id: String,
    /// Where it is, a multiaddr.
    pub addr: String,
    /// Whether it opened the connection.
    pub inbound: bool,
    /// `inbound`, `outbound`, `manual` or `nearby`.
    pub connection_type: String,
    /// Whether a third peer passes everything on.
    pub relayed: bool,
    /// Seconds since it was connected.
    pub conntime: u64,
    /// What its program calls itself; empty before it has said so.
    pub subver: String,
    /// Height of its chain, as it said last; `null` before.
    pub height: Option<u32>,
    /// The last round trip in milliseconds; `null` before there was one.
    pub ping_ms: Option<u64>,
    /// Whether it knows the same checkpoints and activations; `null` before it has said so.
    pub same_deployment: Option<bool>,
    /// Points for misbehaviour; at 100 it is banned.
    pub banscore: u32,
}

/// `getnetworkinfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInfo {
    /// The node's peer id.
    pub id: String,
    /// What its program calls itself.
    pub subversion: String,
    /// Connected peers.
    pub connections: u64,
    /// Those that opened the connection.
    pub connections_in: u64,
    /// Those whose connection this node opened.
    pub connections_out: u64,
    /// Where it listens, with its peer id: give one of these to others.
    pub localaddresses: Vec<String>,
    /// Where others reach it, as far as that is known.
    pub externaladdresses: Vec<String>,
    /// Whether headers or blocks are being fetched.
    pub syncing: bool,
}

/// A ban of `listbanned`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanInfo {
    /// An address, a subnet or a peer id.
    pub address: String,
    /// Since when, Unix seconds.
    pub ban_created: u64,
    /// Until when.
    pub banned_until: u64,
    /// Why.
    pub reason: String,
}
