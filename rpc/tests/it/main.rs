//! The methods over a small chain, in memory and over real sockets.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod fake_node;
mod methods;
mod refusals;
mod server;
mod session;
mod test_chain;
