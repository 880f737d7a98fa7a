//! TCP that also connects to link-local IPv6 addresses: those of a cable or a Wi-Fi on which nobody hands out others.
//!
//! Such an address does not say on which interface it is, and neither does whoever found it: all are tried at once.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::select_ok;
use libp2p::Multiaddr;
use libp2p::core::Transport;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::tcp::tokio::{TcpStream, Transport as Tcp};

/// libp2p's TCP, which knows no interfaces, around link-local addresses.
pub(super) struct LinkLocal(pub(super) Tcp);

impl Transport for LinkLocal {
    type Output = TcpStream;
    type Error = io::Error;
    type ListenerUpgrade = <Tcp as Transport>::ListenerUpgrade;
    type Dial = <Tcp as Transport>::Dial;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
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
    fn what_is_on_a_link_alone() {
        let of = |text: &str| link_local(&text.parse().unwrap());
        assert_eq!(of("/ip6/fe80::7/tcp/9353"), Some(("fe80::7".parse().unwrap(), 9353)));
        for other in ["/ip6/fd00::7/tcp/9353", "/ip4/169.254.0.7/tcp/9353", "/ip6/fe80::7/udp/9353", "/ip6/fe80::7"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
