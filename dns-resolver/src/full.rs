//! The full server for one packet: hickory's reader, our handler, our writer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_proto::op::{Header, MessageType, Metadata, ResponseCode};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use hickory_server::net::xfer::Protocol;
use hickory_server::server::Request;

use crate::dnssec::signer::Signer;
use crate::fast::Terms;
use crate::forward::Forwarder;
use crate::guard::Guard;
use crate::handler::{Handler, Progress, Reply};
use crate::message::{self, Parts};
use crate::resolve::Resolving;
use crate::server::{Config, UDP_MIN};
use crate::zone::{Zone, Zones};

/// Answers every packet, one at a time.
#[derive(Clone)]
pub struct Full(Handler);

/// What becomes of a packet.
pub enum Outcome {
    /// It is answered.
    Answer(Vec<u8>),
    /// There is no answer: it is too short for a header, or a response.
    Silence,
    /// Upstreams are to be asked: [`Full::forward`].
    Forward(Forwarding),
}

/// A request that waits for upstreams. It holds its client's place among those that wait; dropping it gives the place back.
pub struct Forwarding {
    request: Box<Request>,
    resolving: Box<Resolving>,
}

impl Outcome {
    /// The answer, if there is one now.
    #[must_use]
    pub fn answer(self) -> Option<Vec<u8>> {
        if let Self::Answer(answer) = self { Some(answer) } else { None }
    }
}

impl Full {
    /// Answers from `zones` alone, unsigned; what is outside is refused.
    ///
    /// Errors: the system has no random bytes, which cookies are made by.
    pub fn new(zones: impl Zones, config: Config) -> Result<Self, getrandom::Error> {
        Self::with(zones, config, None, None)
    }

    /// The same, signed by `signer` and with what is outside from `forwarder`, where there are any.
    pub fn with(
        zones: impl Zones,
        config: Config,
        signer: Option<Arc<Signer>>,
        forwarder: Option<Arc<Forwarder>>,
    ) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let guard = Guard::new(&config, key);
        Ok(Self(Handler::new(zones, config, guard, signer, forwarder)))
    }

    /// What the fast path must know.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms { payload_max: self.0.config().udp_payload, signed: self.0.signs() }
    }

    /// The newest zone.
    #[must_use]
    pub fn zone(&self) -> Arc<dyn Zone> {
        self.0.zone()
    }

    /// Cookies and rates.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        self.0.guard()
    }

    /// How it answers.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.0.config()
    }

    /// Whether answers to that client say that recursion is available (RA).
    #[must_use]
    pub fn recurses_for(&self, client: IpAddr) -> bool {
        self.0.recurses_for(client)
    }

    /// What becomes of a packet. Never waits.
    ///
    /// A packet that has a header and no message after it is told so (FORMERR).
    #[must_use]
    pub fn answer(&self, packet: &[u8], from: SocketAddr, protocol: Protocol) -> Outcome {
        let Ok(header) = Header::read(&mut BinDecoder::new(packet)) else { return Outcome::Silence };
        if header.metadata.message_type == MessageType::Response {
            return Outcome::Silence;
        }
        match Request::from_bytes(packet.to_vec(), from, protocol) {
            Ok(request) => match self.0.begin(&request) {
                Progress::Replied(reply) => self.written(&request, reply).map_or(Outcome::Silence, Outcome::Answer),
                Progress::Waits(resolving) => Outcome::Forward(Forwarding { request: Box::new(request), resolving }),
            },
            Err(error) => {
                tracing::debug!(%from, %error, "not a message");
                not_a_message(&header).map_or(Outcome::Silence, Outcome::Answer)
            }
        }
    }

    /// Waits for upstreams, and gives the answer; at most some seconds later.
    pub async fn forward(&self, forwarding: Forwarding) -> Option<Vec<u8>> {
        let Forwarding { request, resolving } = forwarding;
        let reply = self.0.finish(&request, *resolving).await;
        self.written(&request, reply)
    }

    /// As [`Full::forward`], by a task on the forwarder's runtime, which hands the answer to `send`.
    pub(crate) fn forward_later(&self, forwarding: Forwarding, send: impl FnOnce(&[u8]) + Send + 'static) {
        let Some(forwarder) = self.0.forwarder() else { return };
        let full = self.clone();
        forwarder.runtime().spawn(async move {
            if let Some(answer) = full.forward(forwarding).await {
                send(&answer);
            }
        });
    }

    fn written(&self, request: &Request, reply: Reply) -> Option<Vec<u8>> {
        let written = self.0.encode(request, &reply);
        written.inspect_err(|error| tracing::error!(%error, "an answer could not be written")).ok()
    }
}

/// What somebody is told who sent a header and no message.
fn not_a_message(header: &Header) -> Option<Vec<u8>> {
    let mut metadata = Metadata::response_from_request(&header.metadata);
    metadata.response_code = ResponseCode::FormErr;
    let parts = Parts { metadata: &metadata, question: &[], sections: [&[]; 3], edns: None };
    message::encode(&parts, UDP_MIN.into()).map(|encoded| encoded.bytes).ok()
}
