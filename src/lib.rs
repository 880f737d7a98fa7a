//! dotp2p: the node, composed of its parts.
//!
//! - [`import`]: the only writer; [`miner`]: templates and CPU mining.
//! - [`node`]: everything started in order and stopped in reverse; [`wallet_service`]: the node's wallet.
//! - [`carry`]: a stretch of the chain as a file.
//! - [`dns_setup`]: the machine's own resolver, told to ask the node; [`dns_client`]: questions over real sockets.
//! - [`config`], [`cli`], [`demo`]: what people type.

pub mod carry;
pub mod cli;
pub mod config;
pub mod demo;
pub mod dns_client;
pub mod dns_setup;
pub mod import;
pub mod miner;
pub mod node;
pub mod wallet_service;
