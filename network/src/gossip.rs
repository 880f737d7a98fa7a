//! Gossipsub with what it lacks: a bound on how fast a peer may gossip, and an eye for messages of topics that are none of
//! ours.
//!
//! By itself it hands on whatever comes however fast, remembers each message for minutes, and keeps the bytes of those whose
//! topic nobody here listens to without telling anybody.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::{Deref, DerefMut};
use std::task::{Context, Poll};
use std::time::Instant;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::gossipsub::{self, DataTransform, Message, RawMessage, TopicHash};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use crate::rate::{Rate, TokenBucket};

/// What a peer may send: what blocks full of the smallest transactions need, and after a reorganisation as much as waits in a
/// sender's queue.
const MESSAGES: Rate = Rate { per_s: 50, burst: 5_000 };
/// Who has just come has had no silence to save them up in: nothing is gained by coming again.
const AT_FIRST: u64 = 50;
/// Messages beyond the rate that are one offence.
const OFFENCE: u32 = 1_000;

type Inner = gossipsub::Behaviour<OwnTopics>;

/// Gossipsub, bounded; see the [module](self).
pub struct Gossip {
    inner: Inner,
    meters: HashMap<PeerId, Meter>,
    started: Instant,
}

#[derive(Debug)]
struct Meter {
    messages: TokenBucket,
    beyond: u32,
}

impl Gossip {
    /// Bounds gossipsub.
    #[must_use]
    pub fn new(inner: Inner) -> Self {
        Self { inner, meters: HashMap::new(), started: Instant::now() }
    }

    /// Who gossiped too fast since this was asked last.
    pub fn take_too_fast(&mut self) -> Vec<PeerId> {
        let too_fast = self.meters.iter_mut().filter(|(_, meter)| meter.beyond >= OFFENCE);
        too_fast.map(|(peer, meter)| (*peer, meter.beyond = 0).0).collect()
    }

    fn is_too_fast(&mut self, peer: PeerId) -> bool {
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let new = || Meter { messages: TokenBucket::new(MESSAGES, now_ms).at_most(AT_FIRST, now_ms), beyond: 0 };
        let meter = self.meters.entry(peer).or_insert_with(new);
        let is_too_fast = meter.messages.take(1, now_ms).is_err();
        meter.beyond = meter.beyond.saturating_add(u32::from(is_too_fast));
        is_too_fast
    }
}

impl Deref for Gossip {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Gossip {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

/// Shows a message of a topic that is not ours as an announcement without a block: nobody listens to that topic, so it is
/// its sender's fault, and the node only hears of topics that it listens to.
pub struct OwnTopics {
    blocks: TopicHash,
    all: HashSet<TopicHash>,
}

impl OwnTopics {
    /// These topics; messages of others are shown as those of `blocks`.
    #[must_use]
    pub fn new(blocks: TopicHash, others: impl IntoIterator<Item = TopicHash>) -> Self {
        let all = others.into_iter().chain([blocks.clone()]).collect();
        Self { blocks, all }
    }
}

impl DataTransform for OwnTopics {
    fn inbound_transform(&self, raw: RawMessage) -> io::Result<Message> {
        let is_ours = self.all.contains(&raw.topic);
        let (topic, data) = if is_ours { (raw.topic, raw.data) } else { (self.blocks.clone(), Vec::new()) };
        Ok(Message { source: raw.source, data, sequence_number: raw.sequence_number, topic })
    }

    fn outbound_transform(&self, _: &TopicHash, data: Vec<u8>) -> io::Result<Vec<u8>> {
        Ok(data)
    }
}

impl NetworkBehaviour for Gossip {
    type ConnectionHandler = <Inner as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = gossipsub::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(closed) = &event
            && closed.remaining_established == 0
        {
            self.meters.remove(&closed.peer_id);
        }
        self.inner.on_swarm_event(event);
    }

    /// What a connection brings: a message, most often. Beyond the rate it is forgotten, whatever it is.
    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        if !self.is_too_fast(peer) {
            self.inner.on_connection_handler_event(peer, connection, event);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<gossipsub::Event, THandlerInEvent<Self>>> {
        self.inner.poll(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use libp2p::gossipsub::{ConfigBuilder, IdentTopic, MessageAuthenticity, ValidationMode};

    use super::*;

    fn topics() -> OwnTopics {
        OwnTopics::new(IdentTopic::new("blocks").hash(), [IdentTopic::new("transactions").hash()])
    }

    #[test]
    fn what_nobody_here_listens_to_is_no_announcement() {
        let come = |topic: &str| {
            let topic = IdentTopic::new(topic).hash();
            let data = vec![7; 9];
            let (source, sequence_number, signature, key) = (None, None, None, None);
            let raw = RawMessage { source, data, sequence_number, topic, signature, key, validated: false };
            let message = topics().inbound_transform(raw).unwrap();
            (message.topic.into_string(), message.data.len())
        };
        assert_eq!(come("blocks"), ("blocks".to_owned(), 9));
        assert_eq!(come("transactions"), ("transactions".to_owned(), 9));
        assert_eq!(come("elsewhere"), ("blocks".to_owned(), 0));
    }

    #[test]
    fn who_gossips_too_fast_is_told_of_once_for_each_thousand() {
        let config = ConfigBuilder::default().validation_mode(ValidationMode::Anonymous).build().unwrap();
        let anonymous = MessageAuthenticity::Anonymous;
        let mut gossip = Gossip::new(Inner::new_with_transform(anonymous, config, topics()).unwrap());
        let (fast, slow) = (PeerId::random(), PeerId::random());
        assert!((0..AT_FIRST).all(|_| !gossip.is_too_fast(fast) && !gossip.is_too_fast(slow)));
        assert!(gossip.take_too_fast().is_empty());
        // Time goes on meanwhile and gives some back.
        for _ in 0..OFFENCE + 1_000 {
            gossip.is_too_fast(fast);
        }
        assert_eq!((gossip.take_too_fast(), gossip.take_too_fast()), (vec![fast], Vec::new()));
    }
}
