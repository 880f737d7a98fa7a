//! UDP and TCP listeners around the answers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::dnssec::key::Algorithm;
use crate::dnssec::signer::Signer;
use crate::forward::{self, Counts, Forwarder, TrustError};
use crate::full::Full;
use crate::tcp::Listeners;
use crate::udp::{Sockets, Workers};
use crate::zone::Zones;

#[cfg(test)]
mod protection;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tests;

/// The least payload every client can take (RFC 1035).
pub(crate) const UDP_MIN: u16 = 512;

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
    /// Answers a second over UDP to a network of clients (/24, /56) that shows no cookie; 0: no limit.
    pub rate_limit: u32,
    /// Networks without such a limit.
    pub rate_limit_exempt: Vec<IpNet>,
    /// Seconds after which an idle TCP connection is closed.
    pub tcp_timeout_s: u64,
    /// TCP connections at a time; when there are so many, a new one takes the place of the one that has been idle longest.
    pub tcp_max: usize,
    /// TCP connections at a time of a network of clients (/24, /56).
    pub tcp_max_per_network: usize,
    /// Whether the zone is signed, for those who ask with DO.
    pub dnssec: bool,
    /// How the key signs that is made where there is none.
    pub dnssec_algorithm: Algorithm,
    /// What is done with questions outside the domain.
    pub forward: forward::config::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ns_addresses: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            udp_payload: 1_232,
            rate_limit: 200,
            rate_limit_exempt: vec![
                Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(),
                IpAddr::from(Ipv6Addr::LOCALHOST).into(),
            ],
            tcp_timeout_s: 10,
            tcp_max: 1_000,
            tcp_max_per_network: 100,
            dnssec: true,
            dnssec_algorithm: Algorithm::default(),
            forward: forward::config::Config::default(),
        }
    }
}

/// Why there is no server, or none any more.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// An address that cannot be listened on.
    #[error("cannot listen for DNS on {addr} ({transport}): {source}; {}", advice(source))]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// `UDP` or `TCP`.
        transport: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// There is no randomness to make cookies by.
    #[error("no random bytes for DNS cookies: {0}")]
    Random(getrandom::Error),
    /// Upstreams that cannot be trusted.
    #[error("cannot ask DNS upstreams over TLS: {0}")]
    Trust(#[from] TrustError),
    /// A worker could not be started, or ended by itself.
    #[error("DNS over UDP stopped: {0}")]
    Worker(String),
}

/// A running DNS server. Dropping it closes its sockets at once.
pub struct DnsServer {
    tcp: Listeners,
    udp: Workers,
    local_addrs: Vec<SocketAddr>,
    forwarder: Option<Arc<Forwarder>>,
}

impl DnsServer {
    /// Listens on each address, over UDP and TCP on the same port, and answers from `zones`.
    ///
    /// - `addrs`: port 0 stands for any port that is free for both.
    /// - Errors: an address that cannot be had, or upstreams whom nothing can be held against; then nothing is listened on.
    pub async fn bind(addrs: &[SocketAddr], zones: impl Zones, config: Config) -> Result<Self, DnsError> {
        Self::bind_signed(addrs, zones, config, None).await
    }

    /// The same, signed by `signer` if there is one and the configuration does not say no.
    pub async fn bind_signed(
        addrs: &[SocketAddr],
        zones: impl Zones,
        config: Config,
        signer: Option<Arc<Signer>>,
    ) -> Result<Self, DnsError> {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let mut local_addrs = Vec::with_capacity(addrs.len());
        let (mut sockets, mut listeners) = (Vec::with_capacity(addrs.len()), Vec::with_capacity(addrs.len()));
        for &addr in addrs {
            let (udp, listener) = bind_pair(addr, workers).await?;
            local_addrs.push(udp.local);
            sockets.push(udp);
            listeners.push(listener);
        }
        let signer = signer.filter(|_| config.dnssec);
        let forwarder = Forwarder::new(&config.forward, local_addrs.clone())?;
        let full = Full::with(zones, config, signer, forwarder.clone()).map_err(DnsError::Random)?;
        let tcp = Listeners::start(listeners, &full);
        let udp = Workers::start(sockets, &full).map_err(|error| DnsError::Worker(error.to_string()))?;
        tracing::info!(addresses = ?local_addrs, "DNS is answered");
        Ok(Self { tcp, udp, local_addrs, forwarder })
    }

    /// The addresses that were bound, in the order asked for, with their real ports.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// How questions outside the domain have fared; `None`: they are refused.
    #[must_use]
    pub fn forwarded(&self) -> Option<Counts> {
        self.forwarder.as_ref().map(|forwarder| forwarder.counts())
    }

    /// Waits until a worker ends, which without [`DnsServer::shutdown`] only an error brings about.
    pub async fn stopped(&mut self) -> Result<(), DnsError> {
        Err(DnsError::Worker(self.udp.failed().await))
    }

    /// Stops listening and waits for the listeners to end.
    pub async fn shutdown(self) {
        self.udp.stop().await;
        self.tcp.stop().await;
    }
}

/// What to do where an address cannot be listened on.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied if cfg!(target_os = "linux") => {
            "ports below 1024 need CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=), or choose another with --dns-listen"
        }
        _ => "choose another with --dns-listen",
    }
}

async fn bind_pair(addr: SocketAddr, workers: usize) -> Result<(Sockets, TcpListener), DnsError> {
    let error = |transport| move |source| DnsError::Bind { addr, transport, source };
    let mut tries = if addr.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        let udp = Sockets::bind(addr, workers).map_err(error("UDP"))?;
        tries -= 1;
        match TcpListener::bind(udp.local).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(source) if tries == 0 || source.kind() != io::ErrorKind::AddrInUse => {
                return Err(error("TCP")(source));
            }
            Err(_) => {}
        }
    }
}
