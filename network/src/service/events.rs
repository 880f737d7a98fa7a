//! What libp2p tells, sorted to those whom it concerns.

use libp2p::core::ConnectedPoint;
use libp2p::request_response::{Event as AskEvent, Message as AskMessage};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, gossipsub, identify, kad, mdns};

use super::connecting::{ip_of, is_dialable, is_on_link, is_relayed};
use super::gossip::TELLING_AT_FIRST;
use super::info::{ConnectionKind, Known};
use super::serving::QUESTIONS;
use super::{LISTEN_WITHIN, Service};
use crate::address::is_routable;
use crate::behaviour::BehaviourEvent;
use crate::chain::Chain;
use crate::codec::Question;
use crate::message::Response;
use crate::rate::TokenBucket;
use crate::score::Misbehaviour;
use crate::sync;

impl<C: Chain> Service<C> {
    /// Waits for the first address of each listener, so that whoever started the node knows where it is.
    pub(super) async fn wait_until_listening(&mut self, listeners: usize) {
        use futures::StreamExt;
        let first = async {
            while self.listening.borrow().len() < listeners {
                let event = self.swarm.select_next_some().await;
                self.swarm_event(event);
            }
        };
        let _ = tokio::time::timeout(LISTEN_WITHIN, first).await;
    }

    pub(super) fn swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.behaviour_event(event),
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "listening for peers");
                // What was asked for by its own address, and what the Internet routes, others can reach.
                let is_open = ip_of(&address).is_some_and(is_routable) || self.own.contains(&address);
                if is_open && is_dialable(&address) && !is_relayed(&address) {
                    self.swarm.add_external_address(address.clone());
                }
                self.listening.send_modify(|all| all.push(address));
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.listening.send_modify(|all| all.retain(|it| *it != address));
            }
            SwarmEvent::ListenerClosed { listener_id, .. } => self.listener_closed(listener_id),
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listening for peers"),
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, connection_id, .. } => {
                self.connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, cause, .. } => {
                tracing::debug!(peer = %peer_id, ?cause, "peer gone");
                if let Some(known) = self.peers.remove(&peer_id).filter(|known| known.kind == ConnectionKind::Outbound)
                {
                    self.left(&known.address);
                }
                self.sync_event(sync::Event::Gone(peer_id));
                self.relay_event(crate::relay::Event::Gone(peer_id));
            }
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } => {
                tracing::debug!(peer = ?peer_id, %error, "cannot connect");
                if let DialError::Transport(tried) = &error {
                    tried.iter().for_each(|(address, _)| self.not_reached(address));
                }
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "not let in");
            }
            _ => {}
        }
    }

    fn connected(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        let address = endpoint.get_remote_address().clone();
        let kind = self.kind_of(peer, &address, endpoint.is_dialer());
        let now_ms = self.now_ms();
        if let Some(known) = self.peers.get_mut(&peer) {
            // The direct way, once there is one; a relayed one takes the place of the one before.
            if is_relayed(&known.address) {
                let before = std::mem::replace(&mut known.connection, connection);
                // Whoever tries again closes: of two that dial each other at once each would close the other's.
                let is_again = is_relayed(&address) && endpoint.is_dialer() && known.direct_tries > 0;
                known.address = address;
                if is_again {
                    self.swarm.close_connection(before);
                }
            }
            return;
        }
        tracing::debug!(%peer, %address, kind = kind.as_str(), "peer connected");
        let known = Known {
            address,
            connection,
            direct_tries: 0,
            kind,
            since_ms: now_ms,
            hello: None,
            greeted_ms: now_ms,
            ping_ms: None,
            relays: false,
            questions: TokenBucket::new(QUESTIONS, now_ms),
            refused: 0,
            promised: 0,
            subscriptions: 0,
            is_parted: false,
            serving: 0,
        };
        self.peers.insert(peer, known);
        self.telling = self.telling.at_most(TELLING_AT_FIRST, now_ms);
        // One greeting is enough: each tells who it is.
        if endpoint.is_dialer() {
            self.greet(peer);
        }
    }

    fn behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Ask(event) => self.ask_event(event),
            BehaviourEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                self.gossiped(propagation_source, message_id, &message);
            }
            BehaviourEvent::Gossip(
                gossipsub::Event::Subscribed { peer_id, .. } | gossipsub::Event::Unsubscribed { peer_id, .. },
            ) => self.subscribed(peer_id),
            BehaviourEvent::Gossip(gossipsub::Event::GossipsubNotSupported { peer_id }) => {
                tracing::debug!(peer = %peer_id, "a peer that does not gossip on this chain");
            }
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => self.identified(peer_id, info),
            BehaviourEvent::Mdns(mdns::Event::Discovered(found))
            | BehaviourEvent::Mdns6(mdns::Event::Discovered(found)) => {
                let now_ms = self.now_ms();
                for (peer, address) in found {
                    tracing::debug!(%peer, %address, "found nearby");
                    self.found_nearby(peer, address, now_ms);
                }
                self.keep_connected(now_ms);
            }
            BehaviourEvent::Mdns(mdns::Event::Expired(lost)) | BehaviourEvent::Mdns6(mdns::Event::Expired(lost)) => {
                lost.iter().for_each(|(peer, _)| self.lost_nearby(peer));
            }
            BehaviourEvent::Autonat(event) => self.nat_event(&event),
            BehaviourEvent::RelayClient(event) => self.relay_client_event(&event),
            BehaviourEvent::Dcutr(event) => self.direct_way(&event),
            BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed {
                result: kad::QueryResult::GetClosestPeers(Ok(found)),
                ..
            }) => {
                found.peers.into_iter().for_each(|peer| self.heard_of(peer.peer_id, peer.addrs));
            }
            BehaviourEvent::Ping(event) => match event.result {
                Ok(took) => {
                    if let Some(known) = self.peers.get_mut(&event.peer) {
                        known.ping_ms = u64::try_from(took.as_millis()).ok();
                    }
                    let ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
                    self.swarm.behaviour_mut().gate.pinged(&event.connection, ms);
                }
                Err(error) => {
                    // A cut cable says nothing: without this, what a dead peer was asked for is waited for again and again.
                    tracing::debug!(peer = %event.peer, %error, "a peer no longer answers");
                    self.swarm.close_connection(event.connection);
                }
            },
            _ => {}
        }
    }

    fn ask_event(&mut self, event: AskEvent<Question, Response>) {
        match event {
            AskEvent::Message { peer, message: AskMessage::Request { request_id, request, channel }, .. } => {
                self.serve(peer, request_id, request, channel);
            }
            AskEvent::Message { message: AskMessage::Response { request_id, response }, .. } => {
                self.answered(request_id, response);
            }
            AskEvent::OutboundFailure { request_id, error, .. } => self.not_answered(request_id, &error),
            AskEvent::InboundFailure { peer, request_id, error, .. } => {
                self.unsent.free(&request_id);
                self.not_asked_well(peer, &error);
            }
            AskEvent::ResponseSent { request_id, .. } => self.unsent.free(&request_id),
        }
    }

    fn not_asked_well(&mut self, peer: PeerId, error: &libp2p::request_response::InboundFailure) {
        use libp2p::request_response::InboundFailure;
        if let InboundFailure::Timeout = error {
            self.penalise(peer, Misbehaviour::Timeout, "an answer that it did not take");
        }
    }

    fn identified(&mut self, peer: PeerId, info: identify::Info) {
        if info.protocol_version != self.protocols.network {
            tracing::debug!(%peer, network = info.protocol_version, "a peer of another network");
            let _ = self.swarm.disconnect_peer_id(peer);
            return;
        }
        self.listens_at(peer, &info.listen_addrs);
        self.relays(peer, &info);
        // Only where it is itself, or through a relay: nobody has others dialled by naming them.
        let own = self.peers.get(&peer).and_then(|known| ip_of(&known.address));
        let is_its = |address: &&Multiaddr| {
            is_dialable(address) && !is_on_link(address) && (is_relayed(address) || ip_of(address) == own)
        };
        if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
            for address in info.listen_addrs.iter().filter(is_its).take(8) {
                kad.add_address(&peer, address.clone());
            }
        }
    }
}
