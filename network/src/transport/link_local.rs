//! TCP that also connects to link-local IPv6 addresses: those of a cable or a Wi-Fi on which nobody hands out others. And that
//! notices that somebody else listens already, which libp2p, for whom ports are there to be shared, does not.
//!
//! Such an address does not say on which interface it is, and neither does whoever found it: all are tried at once.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::select_ok;
use libp2p::Multiaddr;
use libp2p::core::Transport;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::tcp::tokio::{TcpStream, Transport as Tcp};
use socket2::{Domain, Socket, Type};

/// libp2p's TCP, which knows no interfaces, around link-local addresses.
pub(super) struct LinkLocal(pub(super) Tcp);

impl Transport for LinkLocal {
    type Output = TcpStream;
    type Error = io::Error;
    type ListenerUpgrade = <Tcp as Transport>::ListenerUpgrade;
    type Dial = <Tcp as Transport>::Dial;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        if let Some(at) = listener(&address) {
            is_free(at).map_err(TransportError::Other)?;
        }
        self.0.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.0.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, opts: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        match link_local(&address) {
            Some((ip, port)) => Ok(Box::pin(connect(ip, port))),
            None => self.0.dial(address, opts),
        }
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Pin::new(&mut self.0).poll(context)
    }
}

fn listener(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    match (parts.next()?, parts.next()?) {
        (Protocol::Ip4(ip), Protocol::Tcp(port)) => Some((ip, port).into()),
        (Protocol::Ip6(ip), Protocol::Tcp(port)) => Some((ip, port).into()),
        _ => None,
    }
}

/// Listens for a moment without sharing the port. Errors: another does, or it is not ours to listen there.
fn is_free(at: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a node that has just ended are no listener.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&at.into())?;
    socket.listen(1)
}

fn link_local(address: &Multiaddr) -> Option<(Ipv6Addr, u16)> {
    let mut parts = address.iter();
    match (parts.next()?, parts.next()?) {
        (Protocol::Ip6(ip), Protocol::Tcp(port)) if ip.is_unicast_link_local() => Some((ip, port)),
        _ => None,
    }
}

async fn connect(ip: Ipv6Addr, port: u16) -> io::Result<TcpStream> {
    let tries: Vec<_> = interfaces()?
        .into_iter()
        .map(|index| Box::pin(tokio::net::TcpStream::connect(SocketAddrV6::new(ip, port, 0, index))))
        .collect();
    if tries.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NetworkUnreachable, "no interface has a link-local IPv6 address"));
    }
    let (stream, _) = select_ok(tries).await?;
    stream.set_nodelay(true)?;
    Ok(TcpStream(stream))
}

/// The numbers of the interfaces that have a link-local IPv6 address.
fn interfaces() -> io::Result<Vec<u32>> {
    let is_link_local = |ip| matches!(ip, std::net::IpAddr::V6(ip) if ip.is_unicast_link_local());
    let all = if_addrs::get_if_addrs()?.into_iter().filter(|interface| is_link_local(interface.ip()));
    let mut indexes: Vec<u32> = all.filter_map(|interface| interface.index).collect();
    indexes.sort_unstable();
    indexes.dedup();
    Ok(indexes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_somebody_shares_is_not_free() {
        for ip in ["127.0.0.1", "::1"] {
            let any: SocketAddr = (ip.parse::<std::net::IpAddr>().unwrap(), 0).into();
            let other = Socket::new(Domain::for_address(any), Type::STREAM, None).unwrap();
            #[cfg(unix)]
            other.set_reuse_port(true).unwrap();
            other.bind(&any.into()).unwrap();
            other.listen(1).unwrap();
            let at = other.local_addr().unwrap().as_socket().unwrap();
            assert_eq!(is_free(at).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            drop(other);
            is_free(at).unwrap();
        }
    }

    #[test]
    fn what_is_on_a_link_alone() {
        let of = |text: &str| link_local(&text.parse().unwrap());
        assert_eq!(of("/ip6/fe80::7/tcp/9353"), Some(("fe80::7".parse().unwrap(), 9353)));
        for other in ["/ip6/fd00::7/tcp/9353", "/ip4/169.254.0.7/tcp/9353", "/ip6/fe80::7/udp/9353", "/ip6/fe80::7"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
