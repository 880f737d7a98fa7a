//! The full server for one packet: hickory's reader, our handler, hickory's writer.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use hickory_proto::op::{Header, MessageType, ResponseCode};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use hickory_server::net::BufDnsStreamHandle;
use hickory_server::net::runtime::TokioTime;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, RequestHandler, ResponseHandle, ResponseHandler};
use hickory_server::zone_handler::{MessageResponseBuilder, Queries};

use crate::dnssec::signer::Signer;
use crate::fast::Terms;
use crate::handler::Handler;
use crate::server::Config;
use crate::zone::{Zone, Zones};

/// Answers every packet, one at a time.
#[derive(Clone)]
pub struct Full(Handler);

impl Full {
    /// Answers from `zones`.
    pub fn new(zones: impl Zones, config: Config) -> Self {
        Self(Handler::new(zones, config, None))
    }

    /// The same, signed by `signer` if there is one.
    pub fn signed(zones: impl Zones, config: Config, signer: Option<Arc<Signer>>) -> Self {
        Self(Handler::new(zones, config, signer))
    }

    /// What the fast path must know.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms { payload_max: self.0.udp_payload(), signed: self.0.signs() }
    }

    /// The newest zone.
    #[must_use]
    pub fn zone(&self) -> Arc<dyn Zone> {
        self.0.zone()
    }

    pub(crate) fn handler(&self) -> Handler {
        self.0.clone()
    }

    /// The answer to a packet; `None` where there is none: it is too short for a header, or a response.
    ///
    /// A packet that has a header and no message after it is told so (FORMERR).
    #[must_use]
    pub fn answer(&self, packet: &[u8], from: SocketAddr, protocol: Protocol) -> Option<Vec<u8>> {
        // Nothing in it waits, so it is done when it was polled once.
        answer(&self.0, packet, from, protocol).now_or_never().flatten()
    }
}

async fn answer(handler: &Handler, packet: &[u8], from: SocketAddr, protocol: Protocol) -> Option<Vec<u8>> {
    let header = Header::read(&mut BinDecoder::new(packet)).ok()?;
    if header.metadata.message_type == MessageType::Response {
        return None;
    }
    let (sender, mut sent) = BufDnsStreamHandle::new(from);
    let mut out = ResponseHandle::new(from, sender, protocol);
    match Request::from_bytes(packet.to_vec(), from, protocol) {
        Ok(request) => {
            handler.handle_request::<_, TokioTime>(&request, out).await;
        }
        Err(error) => {
            tracing::debug!(%from, %error, "not a message");
            let none = Queries::read(&mut BinDecoder::new(&[]), 0).ok()?;
            let message = MessageResponseBuilder::new(&none, None).error_msg(&header.metadata, ResponseCode::FormErr);
            out.send_response(message).await.ok()?;
        }
    }
    // It was sent before the handler returned.
    sent.next().now_or_never().flatten().map(|message| message.into_parts().0)
}
