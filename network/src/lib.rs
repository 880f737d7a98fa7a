//! Peers: finding them, syncing with them, relaying to them.
//!
//! - [`message`]: what crosses the wire, bounded before it allocates; [`codec`] puts it on a stream, [`protocol`] names it.
//! - [`sync`], [`presync`], [`relay`], [`waiting`]: the machines that decide. Sans-I/O: an event and the time in, what to do out.
//! - [`chain`]: what they need of the node, as a trait that it implements.
//! - [`behaviour`], [`transport`], [`service`]: connections; with [`gate`], [`gossip`], [`codec`] and [`protocol`] the only modules that know
//!   libp2p, and there with the feature `service` alone.
//! - [`peer_text`]: what people type to name a peer.
//! - [`address`]: where a peer listens, and which part of the internet that is.
//! - [`address_book`]: the addresses we know of, kept so that nobody else chooses our peers.
//! - [`score`], [`bans`]: what peers do wrong, and who is not let in.
//! - [`rate`], [`gossip`], [`inbound`], [`unsent`]: how much one peer may send, how many may connect, how much may wait for a peer.
//! - [`saved_file`]: files that may be lost, written whole and set aside when damaged.
//!
//! Invariant: nothing that a peer sends is believed before it was checked, and nothing grows with what peers send. What is
//! absent: any server of ours, and any rule of the chain.

pub mod address;
pub mod address_book;
pub mod bans;
#[cfg(feature = "service")]
pub mod behaviour;
pub mod chain;
#[cfg(feature = "service")]
pub mod codec;
#[cfg(feature = "service")]
pub mod gate;
#[cfg(feature = "service")]
pub mod gossip;
pub mod inbound;
pub mod message;
pub mod peer_text;
pub mod presync;
#[cfg(feature = "service")]
pub mod protocol;
pub mod rate;
pub mod relay;
pub mod saved_file;
pub mod score;
#[cfg(feature = "service")]
pub mod service;
pub mod sync;
#[cfg(feature = "service")]
pub mod transport;
pub mod unsent;
pub mod waiting;
