//! Who is let in: not the banned, and only so many of one address. Asked before anything is said to a peer.
//!
//! When all places are taken, whoever is of least use makes room for the next ([`Inbound::candidate_to_evict`]).

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use crate::address;
use crate::bans::Bans;
use crate::inbound::{ConnectionKey, Inbound, InboundLimits, Refused};

/// Silent connections that keep their place when others come.
const SILENT_MAX: usize = 8;

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Shut {
    /// Its address or id is banned.
    #[error("banned: {0}")]
    Banned(String),
    /// Others came while it had not said who it is.
    #[error("it was silent while others came")]
    TooSlow,
    /// Too many of its kind are here.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// The gate; see the [module](self).
#[derive(Debug)]
pub struct Gate {
    bans: Bans,
    inbound: Inbound,
    keys: HashMap<ConnectionId, ConnectionKey>,
    peers: BTreeMap<ConnectionKey, (ConnectionId, PeerId)>,
    /// Those that have not said who they are, the oldest first.
    silent: VecDeque<ConnectionId>,
    /// Those of them that lost their place.
    lost: HashSet<ConnectionId>,
    next: u64,
    to_close: VecDeque<(PeerId, ConnectionId)>,
    waker: Option<Waker>,
}

/// The clock in Unix seconds: bans are told and kept in them.
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The IP address at the other end, if it is not reached through a third peer.
fn direct_ip(address: &Multiaddr) -> Option<IpAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    (!parts.any(|part| part == Protocol::P2pCircuit)).then_some(ip)
}

/// A peer id as the bans and the address book hold it.
#[must_use]
pub fn peer_bytes(peer: &PeerId) -> Option<address::PeerId> {
    address::PeerId::new(&peer.to_bytes()).ok()
}

impl Gate {
    /// A gate with these bans. `secret`: 32 random bytes.
    #[must_use]
    pub fn new(bans: Bans, limits: InboundLimits, secret: [u8; 32]) -> Self {
        Self {
            bans,
            inbound: Inbound::new(limits, secret),
            keys: HashMap::new(),
            peers: BTreeMap::new(),
            silent: VecDeque::new(),
            lost: HashSet::new(),
            next: 0,
            to_close: VecDeque::new(),
            waker: None,
        }
    }

    /// Who is banned.
    #[must_use]
    pub fn bans(&self) -> &Bans {
        &self.bans
    }

    /// Who is banned, to be changed. Whoever is connected stays until it is parted from.
    pub fn bans_mut(&mut self) -> &mut Bans {
        &mut self.bans
    }

    /// Notes a round trip with a peer, in milliseconds.
    pub fn pinged(&mut self, connection: &ConnectionId, ping_ms: u32) {
        if let Some(key) = self.keys.get(connection) {
            self.inbound.pinged(*key, ping_ms);
        }
    }

    /// Notes that a peer brought a block or a transaction that was new and good.
    pub fn brought(&mut self, peer: &PeerId, is_block: bool) {
        let keys: Vec<ConnectionKey> =
            self.peers.iter().filter(|(_, (_, it))| it == peer).map(|(key, _)| *key).collect();
        for key in keys {
            if is_block {
                self.inbound.brought_block(key, now_s());
            } else {
                self.inbound.brought_tx(key, now_s());
            }
        }
    }

    fn check_peer(&self, peer: &PeerId) -> Result<(), ConnectionDenied> {
        let ban = peer_bytes(peer).and_then(|peer| self.bans.is_peer_banned(&peer, now_s()).cloned());
        ban.map_or(Ok(()), |ban| Err(ConnectionDenied::new(Shut::Banned(ban.reason))))
    }

    fn forget(&mut self, connection: &ConnectionId) {
        self.silent.retain(|it| it != connection);
        self.lost.remove(connection);
        if let Some(key) = self.keys.remove(connection) {
            self.inbound.closed(key);
            self.peers.remove(&key);
        }
    }

    /// Makes room by parting from whoever is of least use; whether there is somebody.
    ///
    /// Those who do not even say who they are go first, the oldest of them: whoever holds places by silence alone holds
    /// none for longer than it takes others to come.
    fn evict(&mut self) -> bool {
        if self.silent.len() > SILENT_MAX
            && let Some(oldest) = self.silent.pop_front()
        {
            self.forget(&oldest);
            self.lost.insert(oldest);
            return true;
        }
        let Some((connection, peer)) = self.inbound.candidate_to_evict().and_then(|key| self.peers.get(&key).copied())
        else {
            return false;
        };
        self.forget(&connection);
        self.to_close.push_back((peer, connection));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        true
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let Some(ip) = direct_ip(remote) else { return Ok(()) };
        if let Some(ban) = self.bans.is_banned(ip, now_s()) {
            return Err(ConnectionDenied::new(Shut::Banned(ban.reason.clone())));
        }
        let key = ConnectionKey(self.next);
        self.next += 1;
        let mut admitted = self.inbound.admit(key, ip, now_s());
        if matches!(admitted, Err(Refused::Full(_))) && self.evict() {
            admitted = self.inbound.admit(key, ip, now_s());
        }
        admitted.map_err(|refused| ConnectionDenied::new(Shut::Refused(refused)))?;
        self.keys.insert(connection, key);
        self.silent.push_back(connection);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.silent.retain(|it| *it != connection);
        if self.lost.remove(&connection) {
            return Err(ConnectionDenied::new(Shut::TooSlow));
        }
        self.check_peer(&peer)?;
        if let Some(key) = self.keys.get(&connection) {
            self.peers.insert(*key, (connection, peer));
        }
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        peer.map_or(Ok(()), |peer| self.check_peer(&peer)).map(|()| Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check_peer(&peer).map(|()| dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(closed) => self.forget(&closed.connection_id),
            FromSwarm::ListenFailure(failure) => self.forget(&failure.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some((peer_id, connection)) = self.to_close.pop_front() {
            return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(connection) });
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
