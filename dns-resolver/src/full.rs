//! The full server for one packet: hickory's reader, our handler, hickory's writer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use hickory_proto::op::{Header, MessageType, ResponseCode};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use hickory_server::net::BufDnsStreamHandle;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, ResponseHandle, ResponseHandler};
use hickory_server::zone_handler::{MessageResponseBuilder, Queries};

use crate::forward::Forwarder;
use crate::handler::{Handler, Progress, Reply};
use crate::resolve::Resolving;
use crate::server::Config;
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
    /// Answers from `zones` alone; what is outside is refused.
    pub fn new(zones: impl Zones, config: Config) -> Self {
        Self(Handler::new(zones, config, None))
    }

    /// Answers from `zones`, and what is outside through `forwarder`.
    pub fn with_forwarder(zones: impl Zones, config: Config, forwarder: Option<Arc<Forwarder>>) -> Self {
        Self(Handler::new(zones, config, forwarder))
    }

    /// The newest zone.
    #[must_use]
    pub fn zone(&self) -> Arc<dyn Zone> {
        self.0.zone()
    }

    /// The most bytes of an answer over UDP.
    #[must_use]
    pub fn udp_payload(&self) -> u16 {
        self.0.udp_payload()
    }

    /// Whether answers to that client say that recursion is available (RA).
    #[must_use]
    pub fn recurses_for(&self, client: IpAddr) -> bool {
        self.0.recurses_for(client)
    }

    pub(crate) fn handler(&self) -> Handler {
        self.0.clone()
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
                not_a_message(header, from, protocol).map_or(Outcome::Silence, Outcome::Answer)
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
        let (sender, mut sent) = BufDnsStreamHandle::new(request.src());
        let mut out = ResponseHandle::new(request.src(), sender, request.protocol());
        // Nothing in it waits, so it is done when it was polled once.
        self.0.send(request, reply, &mut out).now_or_never()?;
        sent.next().now_or_never().flatten().map(|message| message.into_parts().0)
    }
}

/// What somebody is told who sent a header and no message.
fn not_a_message(header: Header, from: SocketAddr, protocol: Protocol) -> Option<Vec<u8>> {
    let (sender, mut sent) = BufDnsStreamHandle::new(from);
    let mut out = ResponseHandle::new(from, sender, protocol);
    let none = Queries::read(&mut BinDecoder::new(&[]), 0).ok()?;
    let message = MessageResponseBuilder::new(&none, None).error_msg(&header.metadata, ResponseCode::FormErr);
    out.send_response(message).now_or_never()?.ok()?;
    sent.next().now_or_never().flatten().map(|message| message.into_parts().0)
}
