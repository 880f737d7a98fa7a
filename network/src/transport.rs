//! How bytes get from one node to another: TCP, closed by a pre-shared key where the network has one, Noise, yamux; QUIC
//! besides with the feature `quic`, where the network is open.
//!
//! Peers behind a NAT are reached through a third one (a relay), over the same encryption end to end. Absent: a resolver.
//! Peers have addresses; a name is only ever what somebody typed, and the system resolves it ([`crate::service`]).

mod link_local;

use std::time::Duration;

use libp2p::core::Transport as _;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::transport::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::pnet::{PnetConfig, PreSharedKey};
use libp2p::{PeerId, noise, relay, tcp, yamux};
use link_local::LinkLocal;

/// How long a connection may take until both sides know each other.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Connections to peers whose id is known, each carrying many streams.
pub type Transport = Boxed<(PeerId, StreamMuxerBox)>;

/// Bytes become a connection: encrypted, its peer known, many streams. A macro, for a function would have to spell out what
/// libp2p asks of a transport.
macro_rules! secured {
    ($transport:expr, $noise:expr) => {
        $transport
            .upgrade(Version::V1Lazy)
            .authenticate($noise)
            .multiplex(yamux::Config::default())
            .timeout(HANDSHAKE)
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
            .boxed()
    };
}

/// The transport of a node, and the part of it that knows relays.
///
/// Errors: the key cannot sign, which no Ed25519 key does.
pub fn build(keypair: &Keypair, psk: Option<[u8; 32]>) -> Result<(Transport, relay::client::Behaviour), noise::Error> {
    let noise = noise::Config::new(keypair)?;
    let (relayed, relay) = relay::client::new(keypair.public().to_peer_id());
    let relayed = secured!(relayed, noise.clone());
    let tcp = LinkLocal(tcp::tokio::Transport::new(tcp::Config::default().nodelay(true)));
    let direct = match psk {
        Some(key) => {
            secured!(tcp.and_then(move |socket, _| PnetConfig::new(PreSharedKey::new(key)).handshake(socket)), noise)
        }
        None => with_quic(secured!(tcp, noise), keypair),
    };
    Ok((relayed.or_transport(direct).map(|either, _| either.into_inner()).boxed(), relay))
}

/// A pre-shared key is TCP's alone: a closed network has no QUIC.
#[cfg(feature = "quic")]
fn with_quic(tcp: Transport, keypair: &Keypair) -> Transport {
    let mut config = libp2p::quic::Config::new(keypair);
    config.handshake_timeout = HANDSHAKE;
    let quic = libp2p::quic::tokio::Transport::new(config).map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    tcp.or_transport(quic).map(|either, _| either.into_inner()).boxed()
}

#[cfg(not(feature = "quic"))]
fn with_quic(tcp: Transport, _: &Keypair) -> Transport {
    tcp
}
