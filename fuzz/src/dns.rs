//! The DNS server between a packet and the answer to it, without sockets: the full server, and the fast way beside it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use dotp2p_chain::name::Name;
use dotp2p_chain::records::Records;
use dotp2p_dns::fast::{self, Asked};
use dotp2p_dns::full::Full;
use dotp2p_dns::guard::cookie;
use dotp2p_dns::server::Config;
use dotp2p_dns::zone::{Zone, ZoneError};
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_server::net::xfer::Protocol;

/// The most bytes over UDP, as configured.
const UDP_MAX: usize = 1_232;

/// Names and their records, encoded.
#[derive(Clone, Default)]
pub struct FixedZone(BTreeMap<Vec<u8>, Vec<u8>>);

impl FixedZone {
    /// These names.
    pub fn new(names: impl IntoIterator<Item = (Name, Records)>) -> Self {
        Self(names.into_iter().map(|(name, records)| (name.as_bytes().to_vec(), records.encode())).collect())
    }
}

impl Zone for FixedZone {
    fn tld(&self) -> &str {
        "p2p"
    }

    fn serial(&self) -> u32 {
        2_026
    }

    fn encoded(&self, label: &[u8]) -> Result<Option<&[u8]>, ZoneError> {
        match label {
            b"fails" => Err(ZoneError { name: "fails".to_owned(), source: "the disk is on fire".into() }),
            _ => Ok(self.0.get(label).map(Vec::as_slice)),
        }
    }
}

/// A server of one zone.
pub struct Server(Full);

impl Server {
    /// Serves `zone`.
    pub fn new(zone: FixedZone) -> Self {
        let zone: Arc<dyn Zone> = Arc::new(zone);
        Self(Full::new(move || zone.clone(), Config::default()).expect("random bytes"))
    }

    /// The full server's answer to a packet, which is that of the fast way where that has one. `None`: it is no message, or a
    /// response.
    pub fn ask(&self, packet: &[u8], protocol: Protocol) -> Option<Vec<u8>> {
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 9_999));
        let full = self.0.answer(packet, from, protocol).answer();
        let guard = self.0.guard();
        let Some(asked) = Asked::read(packet, from.ip(), guard, guard.now()).filter(|_| protocol == Protocol::Udp) else {
            return full;
        };
        let read = |bytes: &[u8]| Message::from_vec(bytes).expect("an answer parses");
        let mut out = Vec::new();
        asked.come_again(&mut out).expect("what is a question can be told to come again");
        assert!(read(&out).answers.is_empty() && out.len() <= packet.len() + cookie::LEN, "it is no longer than the query");
        if fast::answer_into(&*self.0.zone(), asked, self.0.terms(), &mut out).is_ok() {
            let before = full.as_ref().expect("what is answered fast is answered");
            // A cookie tells the second that it was made in.
            let after = self.0.answer(packet, from, protocol).answer().expect("it is answered again");
            let fast = read(&out);
            assert!(fast == read(before) || fast == read(&after), "the fast way says what the full server says: {fast}, {}", read(before));
        }
        full
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
    assert!(
        !meta.truncation || (records == got.answers.len() && protocol == Protocol::Udp),
        "truncated is at most an answer, and over UDP"
    );
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
