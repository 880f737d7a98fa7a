//! The JSON-RPC surface: parse, ask, shape.
//!
//! - [`api`]: the methods, a trait a group; the reference manual. [`help`] prints it.
//! - [`node`]: what the methods need from the node, which the binary implements.
//! - `name`, `chain`, `mining`, `wallet`, `peer`, `control`: the methods themselves, on [`Rpc`].
//! - [`types`]: the JSON shapes; [`error`]: numbers, texts and rules of refusals.
//! - [`server`] with [`auth`]: HTTP around it; [`client`]: the other end.
//!
//! What is absent: state, and every decision about keys, fees and consensus.

pub mod api;
mod args;
pub mod auth;
mod chain;
pub mod client;
mod control;
pub mod error;
mod guard;
pub mod help;
mod metrics;
mod mining;
mod name;
pub mod node;
mod params;
mod peer;
pub mod server;
mod shape;
pub mod types;
mod wallet;

use std::sync::Arc;

use dotp2p_registry::query::Reader;
use jsonrpsee::RpcModule;
use jsonrpsee::server::RegisterMethodError;

pub use crate::client::{Auth, Client, ClientError};
pub use crate::error::{RpcError, RpcResult};
pub use crate::node::Node;
pub use crate::server::{Config, RpcServer, RpcServerError};

use crate::api::{ChainApiServer, ControlApiServer, MiningApiServer, NameApiServer, PeerApiServer, WalletApiServer};

/// The methods over a node.
#[derive(Debug)]
pub struct Rpc<N> {
    node: Arc<N>,
}

impl<N> Clone for Rpc<N> {
    fn clone(&self) -> Self {
        Self { node: self.node.clone() }
    }
}

impl<N: Node> Rpc<N> {
    /// The methods over `node`.
    #[must_use]
    pub fn new(node: Arc<N>) -> Self {
        Self { node }
    }

    /// All of them in one module.
    pub fn module(&self) -> Result<RpcModule<()>, RegisterMethodError> {
        let mut module = RpcModule::new(());
        module.merge(NameApiServer::into_rpc(self.clone()))?;
        module.merge(ChainApiServer::into_rpc(self.clone()))?;
        module.merge(MiningApiServer::into_rpc(self.clone()))?;
        module.merge(WalletApiServer::into_rpc(self.clone()))?;
        module.merge(PeerApiServer::into_rpc(self.clone()))?;
        module.merge(ControlApiServer::into_rpc(self.clone()))?;
        Ok(module)
    }

    /// The view that one call answers from.
    fn reader(&self) -> RpcResult<Arc<Reader>> {
        Ok(self.node.reader()?)
    }
}
