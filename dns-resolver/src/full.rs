//! The full server for one packet: hickory's reader, our handler, our writer.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_proto::op::{Header, MessageType, Metadata, ResponseCode};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use hickory_server::net::xfer::Protocol;
use hickory_server::server::Request;

use crate::dnssec::signer::Signer;
use crate::fast::Terms;
use crate::guard::Guard;
use crate::handler::Handler;
use crate::message::{self, Parts};
use crate::server::{Config, UDP_MIN};
use crate::zone::{Zone, Zones};

/// Answers every packet, one at a time.
#[derive(Clone)]
pub struct Full(Handler);

impl Full {
    /// Answers from `zones`.
    ///
    /// Errors: the system has no random bytes, which cookies are made by.
    pub fn new(zones: impl Zones, config: Config) -> Result<Self, getrandom::Error> {
        Self::with(zones, config, None)
    }

    /// The same, signed by `signer` if there is one.
    pub fn with(zones: impl Zones, config: Config, signer: Option<Arc<Signer>>) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let guard = Guard::new(&config, key);
        Ok(Self(Handler::new(zones, config, guard, signer)))
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

    /// The answer to a packet; `None` where there is none: it is too short for a header, or a response.
    ///
    /// A packet that has a header and no message after it is told so (FORMERR).
    #[must_use]
    pub fn answer(&self, packet: &[u8], from: SocketAddr, protocol: Protocol) -> Option<Vec<u8>> {
        let header = Header::read(&mut BinDecoder::new(packet)).ok()?;
        if header.metadata.message_type == MessageType::Response {
            return None;
        }
        let written = match Request::from_bytes(packet.to_vec(), from, protocol) {
            Ok(request) => self.0.answer(&request),
            Err(error) => {
                tracing::debug!(%from, %error, "not a message");
                let mut metadata = Metadata::response_from_request(&header.metadata);
                metadata.response_code = ResponseCode::FormErr;
                let parts = Parts { metadata: &metadata, question: &[], sections: [&[]; 3], edns: None };
                message::encode(&parts, UDP_MIN.into()).map(|encoded| encoded.bytes)
            }
        };
        written.inspect_err(|error| tracing::error!(%from, %error, "an answer could not be written")).ok()
    }
}
