//! HTTP around the methods: limits, cookie, start and stop.
//!
//! What is absent: WebSocket, CORS, TLS. Whoever wants the node from elsewhere puts SSH or a proxy in front of it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::core::middleware::RpcServiceBuilder;
use jsonrpsee::server::{BatchRequestConfig, RegisterMethodError, Server, ServerConfig, ServerHandle};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::Rpc;
use crate::auth::{COOKIE_FILE, Cookie, CookieError};
use crate::guard::{self, Guard};
use crate::metrics;
use crate::node::Node;
use crate::params::CheckParams;

/// The most bytes of a request.
pub const REQUEST_MAX: u32 = 1_000_000;
/// The most bytes of an answer: a full pool's txids fit.
pub const RESPONSE_MAX: u32 = 16_000_000;
/// The most calls of a batch.
pub const BATCH_MAX: u32 = 50;
/// How long a connection may be open without a request.
const FIRST_REQUEST: Duration = Duration::from_secs(10);

/// What can be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Host headers that are accepted besides `localhost`, `127.0.0.1`, `[::1]` and the bound address, without ports.
    pub allowed_hosts: Vec<String>,
    /// Requests that are served at the same time.
    pub max_connections: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { allowed_hosts: Vec::new(), max_connections: 64 }
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum RpcServerError {
    /// The address is taken or not ours.
    #[error("cannot listen for RPC on {addr}: {error}; choose another address with --rpc-listen")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// No cookie.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// Two methods of one name, which the tests would have found.
    #[error(transparent)]
    Methods(#[from] RegisterMethodError),
}

/// A running server. Dropping it stops it and removes the cookie; [`RpcServer::stop`] also waits.
#[derive(Debug)]
pub struct RpcServer {
    addr: SocketAddr,
    handle: ServerHandle,
    cookie: Arc<Cookie>,
}

impl RpcServer {
    /// Listens on `addr` (port 0 takes any), writes a new [cookie](COOKIE_FILE) to `dir`, and serves `node`.
    pub async fn start<N: Node>(
        addr: SocketAddr,
        node: Arc<N>,
        config: Config,
        dir: &Path,
    ) -> Result<Self, RpcServerError> {
        let listen = |error| RpcServerError::Listen { addr, error };
        let module = Rpc::new(node.clone()).module()?;
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let cookie = Arc::new(Cookie::create(&dir.join(COOKIE_FILE))?);
        let rules = guard::Rules {
            hosts: guard::hosts(bound, &config.allowed_hosts),
            cookie: cookie.clone(),
            ready: {
                let node = node.clone();
                Box::new(move || node.reader().map(drop))
            },
            metrics: Box::new(move || {
                let node = node.clone();
                Box::pin(async move {
                    let network = node.network().await.ok();
                    let reader = node.reader()?;
                    Ok(metrics::text(&reader, network.as_ref(), node.uptime_s()))
                })
            }),
        };
        let limits = ServerConfig::builder()
            .http_only()
            .max_request_body_size(REQUEST_MAX)
            .max_response_body_size(RESPONSE_MAX)
            .max_connections(config.max_connections)
            .set_batch_request_config(BatchRequestConfig::Limit(BATCH_MAX))
            .set_first_request_timeout(Some(FIRST_REQUEST))
            .build();
        let listener = listener.into_std().map_err(listen)?;
        let server = Server::builder()
            .set_config(limits)
            .set_http_middleware(tower::ServiceBuilder::new().layer(Guard(Arc::new(rules))))
            .set_rpc_middleware(RpcServiceBuilder::new().layer_fn(CheckParams))
            .build_from_tcp(listener)
            .map_err(listen)?;
        Ok(Self { addr: bound, handle: server.start(module), cookie })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Lets the calls under way finish, stops, and removes the cookie.
    pub async fn stop(self) {
        // Err: it has stopped already.
        let _ = self.handle.stop();
        self.handle.clone().stopped().await;
    }
}

impl Drop for RpcServer {
    fn drop(&mut self) {
        // Connections that still end hold the cookie too; the file goes now.
        self.cookie.remove();
    }
}
