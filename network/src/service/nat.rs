//! Behind a NAT: a place at a third peer, through which others reach this node until they find a direct way.
//!
//! AutoNAT tells whether others can dial us. Where they cannot, a peer that we dialled and that relays is asked for a
//! reservation; the address through it is told by identify like any other. DCUtR then tries the direct way.

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, autonat, dcutr, identify, relay};

use super::Service;
use super::connecting::is_relayed;
use super::info::ConnectionKind;
use crate::chain::Chain;

/// Milliseconds between two tries to find a relay.
const AGAIN_MS: u64 = 10_000;

/// Milliseconds until a direct way to a relayed peer is tried again, twice as many each time, and how often.
const DIRECT_AGAIN_MS: u64 = 10_000;
const DIRECT_TRIES: u32 = 3;

/// What is known of the way here.
#[derive(Debug, Default)]
pub(super) struct Nat {
    /// Whether others were seen to be unable to dial us.
    is_private: bool,
    /// The place at a relay: the listener, and the relay.
    place: Option<(ListenerId, PeerId)>,
    next_ms: u64,
}

impl<C: Chain> Service<C> {
    pub(super) fn nat_event(&mut self, event: &autonat::Event) {
        if let autonat::Event::StatusChanged { new, .. } = event {
            match new {
                autonat::NatStatus::Public(address) => tracing::info!(%address, "others can connect to this node"),
                autonat::NatStatus::Private => {
                    tracing::info!("others cannot connect to this node: looking for a relay")
                }
                autonat::NatStatus::Unknown => {}
            }
            self.nat.is_private = matches!(new, autonat::NatStatus::Private);
        }
    }

    /// A peer has told what it speaks: whether it relays is noted.
    pub(super) fn relays(&mut self, peer: PeerId, info: &identify::Info) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.relays = info.protocols.contains(&relay::HOP_PROTOCOL_NAME);
        }
    }

    /// Takes a place at a relay where one is needed.
    pub(super) fn find_relay(&mut self, now_ms: u64) {
        if !self.nat.is_private || self.nat.place.is_some() || self.nat.next_ms > now_ms {
            return;
        }
        self.nat.next_ms = now_ms + AGAIN_MS;
        let could = self
            .peers
            .iter()
            .find(|(_, known)| known.relays && known.kind != ConnectionKind::Inbound && !is_relayed(&known.address));
        let Some((relay, known)) = could else { return };
        let address: Multiaddr = known.address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect();
        let (relay, address) = (*relay, address.with(Protocol::P2p(*relay)).with(Protocol::P2pCircuit));
        match self.swarm.listen_on(address.clone()) {
            Ok(listener) => self.nat.place = Some((listener, relay)),
            Err(error) => tracing::debug!(%address, %error, "no place at a relay"),
        }
    }

    /// A direct way is looked for when a relayed connection is made, and holes on both sides must be made in one moment: where
    /// that failed, a new connection through the relay is another chance.
    pub(super) fn try_direct_again(&mut self, now_ms: u64) {
        let late = self.peers.iter_mut().filter(|(_, known)| {
            let due_ms = known.since_ms.saturating_add(DIRECT_AGAIN_MS << known.direct_tries);
            let may = known.kind != ConnectionKind::Inbound && known.direct_tries < DIRECT_TRIES;
            may && is_relayed(&known.address) && due_ms <= now_ms
        });
        let late: Vec<_> = late
            .map(|(peer, known)| {
                known.direct_tries += 1;
                (*peer, known.address.clone())
            })
            .collect();
        for (peer, address) in late {
            let opts = DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(vec![address]).build();
            if let Err(error) = self.swarm.dial(opts) {
                tracing::debug!(%peer, %error, "not dialled");
            }
        }
    }

    pub(super) fn listener_closed(&mut self, listener: ListenerId) {
        if self.nat.place.is_some_and(|(ours, _)| ours == listener) {
            self.nat.place = None;
        }
    }

    pub(super) fn relay_client_event(&self, event: &relay::client::Event) {
        if let relay::client::Event::ReservationReqAccepted { relay_peer_id, renewal: false, .. } = event {
            tracing::info!(relay = %relay_peer_id, "others reach this node through a relay");
        }
    }

    pub(super) fn direct_way(&self, event: &dcutr::Event) {
        match &event.result {
            Ok(_) => tracing::info!(peer = %event.remote_peer_id, "a direct way was found to a peer behind a NAT"),
            Err(error) => tracing::debug!(peer = %event.remote_peer_id, %error, "no direct way"),
        }
    }
}
