//! What libp2p does for a node: the protocols it speaks, put together and bounded.

use std::time::Duration;

use dotp2p_chain::hash::sha256;
use libp2p::gossipsub::{self, MessageAuthenticity, MessageId, PeerScoreParams, PeerScoreThresholds, TopicScoreParams};
use libp2p::identity::Keypair;
use libp2p::kad::store::MemoryStore;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{autonat, connection_limits, dcutr, identify, kad, mdns, memory_connection_limits, ping, relay};

use crate::codec::Codec;
use crate::gate::Gate;
use crate::gossip::{Gossip, OwnTopics};
use crate::message::GOSSIP_BYTES_MAX;
use crate::protocol::Protocols;

/// Connections to one peer: a relayed one, and the direct one that takes its place.
const CONNECTIONS_PER_PEER: u32 = 3;
/// Connections being negotiated: beyond the places there are, so that the gate chooses who goes.
const PENDING_MAX: u32 = 256;
/// How often a connection is tried, and how long an answer may take before it counts as dead.
const PING_EVERY: Duration = Duration::from_secs(10);
const PONG_WITHIN: Duration = Duration::from_secs(10);
/// How long a question may take, whoever asks.
const QUESTION: Duration = Duration::from_secs(20);
/// Questions of one peer that are answered at a time.
const STREAMS_PER_PEER: usize = 8;
/// Part of the machine's memory from which on no connection is taken.
const MEMORY_SHARE: f64 = 0.9;
/// The score at which gossipsub no longer listens to a peer.
pub const SHUNNED: f64 = -1_000.0;
/// How long a message is known: longer than it is on its way anywhere. After that the pool and the chain know it; what nobody
/// wanted takes some 150 bytes each, and fifty peers may send 2,500 a second (M3).
const KNOWN: Duration = Duration::from_secs(60);

pub use derived::{Behaviour, BehaviourEvent};

mod derived {
    #![allow(missing_docs, reason = "each field is a protocol of that name, and the derive makes an event of each")]

    use super::*;

    /// The protocols of a node. The gate comes first: who is banned is told nothing.
    #[derive(NetworkBehaviour)]
    pub struct Behaviour {
        pub gate: Gate,
        pub limits: connection_limits::Behaviour,
        pub memory: memory_connection_limits::Behaviour,
        pub identify: identify::Behaviour,
        pub ping: ping::Behaviour,
        pub ask: request_response::Behaviour<Codec>,
        pub gossip: Gossip,
        pub kad: Toggle<kad::Behaviour<MemoryStore>>,
        pub mdns: Toggle<mdns::tokio::Behaviour>,
        pub mdns6: Toggle<mdns::tokio::Behaviour>,
        pub relay: relay::Behaviour,
        pub relay_client: relay::client::Behaviour,
        pub dcutr: dcutr::Behaviour,
        pub autonat: autonat::Behaviour,
    }
}

/// What a node's protocols depend on.
pub struct Setup<'a> {
    /// The node's key.
    pub keypair: &'a Keypair,
    /// The protocols' names.
    pub protocols: &'a Protocols,
    /// What the program calls itself.
    pub agent: &'a str,
    /// Whether peers are looked for, nearby and far.
    pub discovery: bool,
    /// Whether the network lives on private addresses.
    pub accept_local: bool,
    /// Who is let in.
    pub gate: Gate,
    /// Connections that others may open.
    pub inbound_max: u32,
    /// Connections that this node opens.
    pub outbound_max: u32,
}

impl Behaviour {
    /// The protocols, and the relay client that belongs to the transport.
    ///
    /// Errors: gossipsub's text, where its parameters contradict each other.
    pub fn new(setup: Setup<'_>, relay_client: relay::client::Behaviour) -> Result<Self, String> {
        let Setup { keypair, protocols, agent, discovery, accept_local, gate, inbound_max, outbound_max } = setup;
        let local = keypair.public().to_peer_id();
        let limits = connection_limits::ConnectionLimits::default()
            .with_max_pending_incoming(Some(PENDING_MAX))
            .with_max_pending_outgoing(Some(PENDING_MAX))
            .with_max_established_incoming(Some(inbound_max))
            .with_max_established_outgoing(Some(outbound_max))
            .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER));
        let identify = identify::Config::new(protocols.network.clone(), keypair.public())
            .with_agent_version(agent.to_owned())
            .with_push_listen_addr_updates(true)
            .with_cache_size(0);
        let asking = request_response::Config::default()
            .with_request_timeout(QUESTION)
            .with_max_concurrent_streams(STREAMS_PER_PEER);
        let ask =
            request_response::Behaviour::with_codec(Codec, [(protocols.ask.clone(), ProtocolSupport::Full)], asking);
        // Nearby peers are found where the system lets us listen for them; where it does not, the rest goes on.
        let nearby = |enable_ipv6| {
            let config = mdns::Config { enable_ipv6, ..mdns::Config::default() };
            let mdns = discovery.then(|| mdns::tokio::Behaviour::new(config, local))?;
            mdns.inspect_err(|error| tracing::warn!(%error, "nearby peers cannot be looked for")).ok()
        };
        let autonat = autonat::Config {
            boot_delay: Duration::from_secs(5),
            retry_interval: Duration::from_secs(30),
            only_global_ips: !accept_local,
            ..autonat::Config::default()
        };
        Ok(Self {
            gate,
            limits: connection_limits::Behaviour::new(limits),
            memory: memory_connection_limits::Behaviour::with_max_percentage(MEMORY_SHARE),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_EVERY).with_timeout(PONG_WITHIN)),
            ask,
            gossip: gossip(protocols)?,
            kad: discovery.then(|| kademlia(local, protocols)).into(),
            mdns: nearby(false).into(),
            mdns6: nearby(true).into(),
            relay: relay::Behaviour::new(local, relay::Config::default()),
            relay_client,
            dcutr: dcutr::Behaviour::new(local),
            autonat: autonat::Behaviour::new(local, autonat),
        })
    }
}

fn kademlia(local: libp2p::PeerId, protocols: &Protocols) -> kad::Behaviour<MemoryStore> {
    let mut config = kad::Config::new(protocols.kad.clone());
    // Peers alone are kept there, no records of anybody's.
    config.set_record_filtering(kad::StoreInserts::FilterBoth).set_kbucket_inserts(kad::BucketInserts::Manual);
    let mut kad = kad::Behaviour::with_config(local, MemoryStore::new(local), config);
    kad.set_mode(Some(kad::Mode::Server));
    kad
}

/// Gossip of transactions and blocks: nothing is passed on before it was checked, nothing tells who sent it first.
fn gossip(protocols: &Protocols) -> Result<Gossip, String> {
    let config = gossipsub::ConfigBuilder::default()
        .protocol_id_prefix(protocols.gossip.clone())
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::new(&sha256(&message.data)))
        .max_transmit_size(GOSSIP_BYTES_MAX)
        // Rates count RPCs.
        .max_publish_messages(1)
        .duplicate_cache_time(KNOWN)
        // A message that waits to be judged must still be there when it was.
        .history_length(30)
        .history_gossip(5)
        .build()
        .map_err(|error| error.to_string())?;
    let topics = OwnTopics::new(protocols.blocks.hash(), [protocols.transactions.hash()]);
    let mut gossip = gossipsub::Behaviour::new_with_transform(MessageAuthenticity::Anonymous, config, topics)?;
    let topic = TopicScoreParams {
        topic_weight: 1.0,
        // Blocks come once a minute: nobody is to blame for having little to pass on.
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        first_message_deliveries_weight: 1.0,
        first_message_deliveries_cap: 20.0,
        invalid_message_deliveries_weight: -100.0,
        invalid_message_deliveries_decay: 0.99,
        ..TopicScoreParams::default()
    };
    let params = PeerScoreParams {
        topics: [&protocols.transactions, &protocols.blocks].map(|name| (name.hash(), topic.clone())).into(),
        // How many share an address is the gate's to bound; behind one NAT there may be many.
        ip_colocation_factor_weight: 0.0,
        ..PeerScoreParams::default()
    };
    let thresholds = PeerScoreThresholds {
        gossip_threshold: -100.0,
        publish_threshold: -500.0,
        graylist_threshold: SHUNNED,
        ..PeerScoreThresholds::default()
    };
    gossip.with_peer_score(params, thresholds)?;
    for topic in [&protocols.transactions, &protocols.blocks] {
        gossip.subscribe(topic).map_err(|error| error.to_string())?;
    }
    Ok(Gossip::new(gossip))
}
