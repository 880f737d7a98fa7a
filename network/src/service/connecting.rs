//! Whom to connect to: those one was told to, those found nearby, and a few from the address book.

use std::net::IpAddr;

use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId};

use super::info::ConnectionKind;
use super::{Done, Service};
use crate::chain::Chain;
use crate::peer_text::{AddressTextError, Named, parse, socket_of, tcp_address};

/// Milliseconds before a connection that ended, or could not be made, is tried again; doubled up to the second.
const AGAIN_MS: u64 = 2_000;
const AGAIN_MAX_MS: u64 = 60_000;
/// Milliseconds that the one of two nearby nodes with the larger id leaves to the other.
const AFTER_YOU_MS: u64 = 3_000;

/// Somebody to stay connected to.
#[derive(Debug, Default)]
pub(super) struct Fixed {
    addresses: Vec<Multiaddr>,
    peer: Option<PeerId>,
    tries: u32,
    next_ms: u64,
}

/// The addresses that a text names; a host's are looked up by the system.
///
/// - `port`: where the text names none.
pub async fn addresses_of(text: &str, port: u16) -> Result<Vec<Multiaddr>, AddressTextError> {
    match parse(text, port)? {
        Named::Address(address) => Ok(vec![address]),
        Named::Host(host, port) => match tokio::net::lookup_host((host.as_str(), port)).await {
            Ok(found) => Ok(found.map(|socket| tcp_address(socket.ip(), socket.port())).collect()),
            Err(error) => {
                tracing::warn!(host, %error, "a peer's name does not resolve");
                Ok(Vec::new())
            }
        },
    }
}

/// The IP address in an address, if it begins with one.
pub(super) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

/// Whether an address goes through a third peer.
pub(super) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// Whether an address means nothing off its link.
pub(super) fn is_on_link(address: &Multiaddr) -> bool {
    ip_of(address).is_some_and(|ip| match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    })
}

/// Whether another machine could reach an address: not one of loopback, no relay that means nothing off its link, and no
/// IPv4 address in disguise, as a socket for both hears of it.
pub(super) fn is_dialable(address: &Multiaddr) -> bool {
    ip_of(address).is_some_and(|ip| {
        let is_mapped = matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
        !(ip.is_loopback() || ip.is_unspecified() || is_mapped || is_on_link(address) && is_relayed(address))
    })
}

fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last()? {
        Protocol::P2p(peer) => Some(peer),
        _ => None,
    }
}

impl<C: Chain> Service<C> {
    pub(super) fn stay_connected(&mut self, text: String) -> Result<(), AddressTextError> {
        parse(&text, self.params.deployment.p2p_port)?;
        self.resolve(text.clone(), true);
        self.fixed.insert(text, Fixed::default());
        Ok(())
    }

    pub(super) fn try_once(&mut self, text: String) -> Result<(), AddressTextError> {
        parse(&text, self.params.deployment.p2p_port)?;
        self.resolve(text, false);
        Ok(())
    }

    fn resolve(&self, text: String, stays: bool) {
        let port = self.params.deployment.p2p_port;
        self.beside(async move {
            let addresses = addresses_of(&text, port).await.unwrap_or_default();
            Done::Resolved { text, addresses, stays }
        });
    }

    pub(super) fn resolved(&mut self, text: String, addresses: Vec<Multiaddr>, stays: bool) {
        if !stays {
            addresses.into_iter().for_each(|address| self.dial(address));
            return;
        }
        let Some(fixed) = self.fixed.get_mut(&text) else { return };
        fixed.peer = fixed.peer.or_else(|| addresses.iter().find_map(peer_of));
        if let Some(first) = addresses.first().filter(|_| fixed.peer.is_none_or(|peer| !self.peers.contains_key(&peer)))
        {
            let first = first.clone();
            fixed.addresses = addresses;
            self.dial(first);
        } else {
            fixed.addresses = addresses;
        }
    }

    pub(super) fn dial(&mut self, address: Multiaddr) {
        let opts = match peer_of(&address) {
            Some(peer) => DialOpts::peer_id(peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(vec![address.clone()])
                .build(),
            None => DialOpts::unknown_peer_id().address(address.clone()).build(),
        };
        if let Err(error) = self.swarm.dial(opts) {
            tracing::debug!(%address, %error, "not dialled");
        }
    }

    /// Dials a peer at all addresses it is known by.
    pub(super) fn dial_peer(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        let addresses: Vec<Multiaddr> = addresses.into_iter().filter(is_dialable).collect();
        if addresses.is_empty() {
            return;
        }
        let condition = PeerCondition::DisconnectedAndNotDialing;
        let opts = DialOpts::peer_id(peer).condition(condition).addresses(addresses).build();
        if let Err(error) = self.swarm.dial(opts) {
            tracing::debug!(%peer, %error, "not dialled");
        }
    }

    /// A connection was made: if its other end is one to stay connected to, that is known by its id from now on.
    pub(super) fn kind_of(&mut self, peer: PeerId, address: &Multiaddr, is_dialer: bool) -> ConnectionKind {
        if !is_dialer {
            return ConnectionKind::Inbound;
        }
        let bare = |address: &Multiaddr| {
            address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect::<Multiaddr>()
        };
        let is_it = |fixed: &&mut Fixed| {
            fixed.peer == Some(peer) || fixed.addresses.iter().any(|known| bare(known) == bare(address))
        };
        if let Some(fixed) = self.fixed.values_mut().find(is_it) {
            fixed.peer = Some(peer);
            fixed.tries = 0;
            return ConnectionKind::Manual;
        }
        if self.nearby.contains_key(&peer) { ConnectionKind::Nearby } else { ConnectionKind::Outbound }
    }

    /// Dials whoever should be connected and is not.
    pub(super) fn keep_connected(&mut self, now_ms: u64) {
        let mut to_dial = Vec::new();
        let (mut to_resolve, mut nearby) = (Vec::new(), Vec::new());
        for (text, fixed) in &mut self.fixed {
            let is_connected = fixed.peer.is_some_and(|peer| self.peers.contains_key(&peer));
            if is_connected || fixed.next_ms > now_ms {
                continue;
            }
            let wait = AGAIN_MS.saturating_mul(1 << fixed.tries.min(5)).min(AGAIN_MAX_MS);
            fixed.next_ms = now_ms + wait;
            fixed.tries = fixed.tries.saturating_add(1);
            let at = usize::try_from(fixed.tries).unwrap_or(0).checked_rem(fixed.addresses.len());
            match at.and_then(|at| fixed.addresses.get(at)) {
                // The first was dialled when it was resolved.
                Some(_) if fixed.tries == 1 => {}
                Some(address) => to_dial.push(address.clone()),
                None => to_resolve.push(text.clone()),
            }
        }
        for (peer, (addresses, next_ms)) in &mut self.nearby {
            if *next_ms <= now_ms && !self.peers.contains_key(peer) {
                *next_ms = now_ms + AGAIN_MAX_MS;
                nearby.push((*peer, addresses.clone()));
            }
        }
        to_dial.into_iter().for_each(|address| self.dial(address));
        to_resolve.into_iter().for_each(|text| self.resolve(text, true));
        nearby.into_iter().for_each(|(peer, addresses)| self.dial_peer(peer, addresses));
    }

    /// A node nearby: of two that find each other, the one with the smaller id dials.
    pub(super) fn found_nearby(&mut self, peer: PeerId, address: Multiaddr, now_ms: u64) {
        let local = *self.swarm.local_peer_id();
        let first_ms = if local < peer { now_ms } else { now_ms + AFTER_YOU_MS };
        let (addresses, _) = self.nearby.entry(peer).or_insert((Vec::new(), first_ms));
        if !addresses.contains(&address) && addresses.len() < 8 {
            addresses.push(address);
        }
    }

    pub(super) fn lost_nearby(&mut self, peer: &PeerId) {
        self.nearby.remove(peer);
    }

    pub(super) fn disconnect(&mut self, text: &str) -> bool {
        let is_it = |peer: &PeerId, address: &Multiaddr| {
            let socket = socket_of(address).map(|socket| socket.to_string());
            peer.to_string() == text || address.to_string() == text || socket.as_deref() == Some(text)
        };
        let found = self.peers.iter().find(|(peer, known)| is_it(peer, &known.address)).map(|(peer, _)| *peer);
        found.is_some_and(|peer| self.swarm.disconnect_peer_id(peer).is_ok())
    }
}
