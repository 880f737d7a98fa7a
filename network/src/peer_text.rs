//! What people type to name a peer, and the multiaddresses that come of it.

use std::net::IpAddr;

pub use multiaddr::Multiaddr;
use multiaddr::Protocol;

/// Why a text names no peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no peer: give HOST, HOST:PORT, or a multiaddr such as /ip4/192.0.2.7/tcp/9353")]
pub struct AddressTextError(pub String);

/// What a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// An address.
    Address(Multiaddr),
    /// A host that the system must look up, and its port.
    Host(String, u16),
}

/// What `text` names, at `port` where it says none.
pub fn parse(text: &str, port: u16) -> Result<Named, AddressTextError> {
    let wrong = || AddressTextError(text.to_owned());
    if text.starts_with('/') {
        return text.parse().map(Named::Address).map_err(|_| wrong());
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Ok(Named::Address(tcp_address(socket.ip(), socket.port())));
    }
    if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(Named::Address(tcp_address(ip, port)));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
        None => (text, port),
    };
    let is_host = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    if is_host { Ok(Named::Host(host.to_owned(), port)) } else { Err(wrong()) }
}

/// Whether a text can name a peer; that it resolves is not looked at.
pub fn check_peer_text(text: &str) -> Result<(), AddressTextError> {
    parse(text, 0).map(drop)
}

/// A TCP address in libp2p's form.
#[must_use]
pub fn tcp_address(ip: IpAddr, port: u16) -> Multiaddr {
    Multiaddr::from(ip).with(Protocol::Tcp(port))
}

/// `IP:PORT` of an address over TCP.
#[must_use]
pub fn socket_of(address: &Multiaddr) -> Option<std::net::SocketAddr> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some((ip, port).into()),
        _ => None,
    }
}
