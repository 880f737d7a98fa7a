//! UDP and TCP listeners around the answers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::NetError;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, UdpSocket};

use crate::handler::Handler;
use crate::zone::Zones;

#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tests;

/// Answers a connection may have waiting; its next query is read when one has gone out.
const TCP_RESPONSES: usize = 8;

/// Ports tried where the system's choice for UDP is taken for TCP.
const PORT_TRIES: usize = 16;

/// How the server answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Addresses of `ns.dotp2p.<tld>.`, the zone's server: where the clients of this node reach it.
    pub ns_addresses: Vec<IpAddr>,
    /// The most bytes of an answer over UDP (at least 512); what is longer is truncated and asked for again over TCP.
    pub udp_payload: u16,
    /// Seconds after which an idle TCP connection is closed.
    pub tcp_timeout_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ns_addresses: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            udp_payload: 1_232,
            tcp_timeout_s: 10,
        }
    }
}

/// Why there is no server, or none any more.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// An address that cannot be listened on.
    #[error("cannot listen for DNS on {addr} ({transport}): {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// `UDP` or `TCP`.
        transport: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A listener ended by itself.
    #[error("a DNS listener stopped: {0}")]
    Stopped(#[from] NetError),
}

/// A running DNS server. Dropping it closes its sockets at once.
pub struct DnsServer {
    server: Server<Handler>,
    local_addrs: Vec<SocketAddr>,
}

impl DnsServer {
    /// Listens on each address, over UDP and TCP on the same port, and answers from `zones`.
    ///
    /// - `addrs`: port 0 stands for any port that is free for both.
    /// - Errors: an address that cannot be had; then nothing is listened on.
    pub async fn bind(addrs: &[SocketAddr], zones: impl Zones, config: Config) -> Result<Self, DnsError> {
        let mut local_addrs = Vec::with_capacity(addrs.len());
        let mut sockets = Vec::with_capacity(addrs.len());
        for &addr in addrs {
            let (local, udp, tcp) = bind_pair(addr).await?;
            local_addrs.push(local);
            sockets.push((udp, tcp));
        }
        let timeout = Duration::from_secs(config.tcp_timeout_s);
        let mut server = Server::new(Handler::new(zones, config));
        for (udp, tcp) in sockets {
            server.register_socket(udp);
            server.register_listener(tcp, timeout, TCP_RESPONSES);
        }
        tracing::info!(addresses = ?local_addrs, "DNS is answered");
        Ok(Self { server, local_addrs })
    }

    /// The addresses that were bound, in the order asked for, with their real ports.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// Waits until a listener ends, which without [`DnsServer::shutdown`] only an error brings about.
    pub async fn stopped(&mut self) -> Result<(), DnsError> {
        Ok(self.server.block_until_done().await?)
    }

    /// Stops listening and waits for the listeners to end.
    pub async fn shutdown(mut self) -> Result<(), DnsError> {
        Ok(self.server.shutdown_gracefully().await?)
    }
}

async fn bind_pair(addr: SocketAddr) -> Result<(SocketAddr, UdpSocket, TcpListener), DnsError> {
    let error = |transport| move |source| DnsError::Bind { addr, transport, source };
    let mut tries = if addr.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        let udp = UdpSocket::bind(addr).await.map_err(error("UDP"))?;
        let local = udp.local_addr().map_err(error("UDP"))?;
        tries -= 1;
        match TcpListener::bind(local).await {
            Ok(tcp) => return Ok((local, udp, tcp)),
            Err(source) if tries == 0 || source.kind() != io::ErrorKind::AddrInUse => {
                return Err(error("TCP")(source));
            }
            Err(_) => {}
        }
    }
}
