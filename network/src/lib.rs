//! Peers: finding them, syncing with them, relaying to them.
//!
//! - [`address`]: where a peer listens, and which part of the internet that is.
//! - [`address_book`]: the addresses we know of, kept so that nobody else chooses our peers.
//! - [`score`], [`bans`]: what peers do wrong, and who is not let in.
//! - [`rate`], [`inbound`]: how much one peer may send, and how many may connect.
//! - [`saved_file`]: files that may be lost, written whole and set aside when damaged.

pub mod address;
pub mod address_book;
pub mod bans;
pub mod inbound;
pub mod rate;
pub mod saved_file;
pub mod score;
