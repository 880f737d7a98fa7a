//! The DNS server between decoding a packet and sending the answer, without sockets: hickory's request, our handler,
//! hickory's encoder.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use dotp2p_chain::name::Name;
use dotp2p_chain::records::Records;
use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_server::net::BufDnsStreamHandle;
use hickory_server::net::runtime::TokioTime;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, RequestHandler, ResponseHandle};

use crate::server::Config;
use crate::zone::{Zone, ZoneError};

// It is private in its crate; here it is the same source, compiled again.
#[path = "../../dns-resolver/src/handler.rs"]
#[allow(dead_code, missing_docs, reason = "somebody else's module")]
mod handler;

/// The most bytes over UDP, as configured.
const UDP_MAX: usize = 1_232;

/// Names and their records.
#[derive(Clone, Default)]
pub struct FixedZone(pub BTreeMap<Name, Arc<Records>>);

impl Zone for FixedZone {
    fn tld(&self) -> &str {
        "p2p"
    }

    fn serial(&self) -> u32 {
        2_026
    }

    fn records(&self, name: &Name) -> Result<Option<Arc<Records>>, ZoneError> {
        match name.as_str() {
            "fails" => Err(ZoneError { name: name.clone(), source: "the disk is on fire".into() }),
            _ => Ok(self.0.get(name).cloned()),
        }
    }
}

/// A server of one zone.
pub struct Server {
    handler: handler::Handler,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Serves `zone`.
    pub fn new(zone: FixedZone) -> Self {
        let zone: Arc<dyn Zone> = Arc::new(zone);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { handler: handler::Handler::new(move || zone.clone(), Config::default()), runtime }
    }

    /// The answer to a packet. `None` where hickory does not call us: it is no message, or a response.
    pub fn ask(&self, packet: &[u8], protocol: Protocol) -> Option<Vec<u8>> {
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 9_999));
        let request = Request::from_bytes(packet.to_vec(), from, protocol).ok()?;
        if request.metadata.message_type == MessageType::Response {
            return None;
        }
        let (sender, mut receiver) = BufDnsStreamHandle::new(from);
        let out = ResponseHandle::new(from, sender, protocol);
        let work = self.handler.handle_request::<_, TokioTime>(&request, out);
        let info = self.runtime.block_on(work);
        let sent = receiver.peek_now().unwrap_or_else(|| panic!("no answer was sent: {info:?}"));
        Some(sent)
    }
}

/// What was sent, if anything was, without waiting.
trait PeekNow {
    fn peek_now(&mut self) -> Option<Vec<u8>>;
}

impl PeekNow for hickory_server::net::xfer::StreamReceiver {
    fn peek_now(&mut self) -> Option<Vec<u8>> {
        let sent = futures_util::StreamExt::next(self);
        futures_util::FutureExt::now_or_never(sent).flatten().map(|message| message.into_parts().0)
    }
}

/// Asserts of an answer what holds for every one; returns it parsed.
pub fn check(packet: &[u8], reply: &[u8], protocol: Protocol) -> Message {
    let asked = Message::from_vec(packet).ok();
    let got =
        Message::from_vec(reply).unwrap_or_else(|error| panic!("the answer does not parse: {error}: {reply:02x?}"));
    assert_eq!(reply[..2], packet[..2], "the id comes back");
    assert_eq!(reply[2] & 0x80, 0x80, "an answer is a response");
    assert_eq!(reply[2] & 0x79, packet[2] & 0x79, "opcode and RD come back");
    let edns = asked.as_ref().and_then(|asked| asked.edns.as_ref()).map(|edns| usize::from(edns.max_payload()));
    let limit = match protocol {
        Protocol::Udp => edns.map_or(512, |payload| payload.clamp(512, UDP_MAX)),
        _ => usize::from(u16::MAX),
    };
    // Where hickory reads the request and not the message, there is no telling what was offered.
    let limit = if asked.is_some() || protocol != Protocol::Udp { limit } else { UDP_MAX };
    assert!(reply.len() <= limit, "{} bytes of at most {limit}", reply.len());
    let meta = &got.metadata;
    let records = got.answers.len() + got.authorities.len() + got.additionals.len();
    let names_only = got.answers.iter().all(|rr| matches!(rr.record_type(), RecordType::CNAME | RecordType::DNAME));
    let soa = got.authorities.iter().any(|rr| rr.record_type() == RecordType::SOA);
    assert!(!meta.truncation || (records == 0 && protocol == Protocol::Udp), "truncated is empty, and over UDP");
    match meta.response_code {
        ResponseCode::NoError => {
            assert!(records > 0 || meta.truncation, "an answer without records says that there is nothing by its SOA");
            assert!(!soa || got.answers.is_empty() || names_only || asked_for_soa(&got), "SOA beside data");
        }
        ResponseCode::NXDomain => {
            assert!(names_only, "a name that does not exist has records: {got:?}");
            assert!(soa || meta.truncation, "a name that does not exist is denied by the SOA");
        }
        ResponseCode::YXDomain => assert!(names_only, "a name too long has records: {got:?}"),
        _ => assert!(records == 0 && !meta.authoritative, "an error has records: {got:?}"),
    }
    if meta.op_code != OpCode::Query {
        assert_ne!(meta.response_code, ResponseCode::NoError, "only queries are answered");
    }
    got
}

fn asked_for_soa(got: &Message) -> bool {
    got.queries.iter().any(|query| query.query_type() == RecordType::SOA)
}

/// The addresses of the zone's server.
pub const SERVERS: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
