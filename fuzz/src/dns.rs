//! The DNS server between a packet and the answer to it, without sockets: the full server, and the fast way beside it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use dotp2p_chain::name::Name;
use dotp2p_chain::records::{Limits, Records};
use dotp2p_dns::dnssec::key::Algorithm;
use dotp2p_dns::dnssec::key_file::KeyFile;
use dotp2p_dns::dnssec::signer::{CACHE_BYTES, Signer};
use dotp2p_dns::fast::{self, Asked};
use dotp2p_dns::full::Full;
use dotp2p_dns::guard::cookie;
use dotp2p_dns::server::Config;
use dotp2p_dns::zone::{Zone, ZoneError};
use dotp2p_registry::zonefile::{Options, import};
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_server::net::xfer::Protocol;

/// The most bytes over UDP, as configured.
const UDP_MAX: usize = 1_232;

/// The time of signatures, in Unix seconds.
const SIGNED_AT: u64 = 1_800_000_000;

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

/// Delegations, wildcards, chains, loops, and what fits no packet.
const TANGLE: &str = r"@ NS ns
ns A 192.0.2.1
ns AAAA 2001:db8::1
";
const WEB: &str = r#"* TXT "wild"
*.deep CNAME a
a CNAME b
b CNAME c
c CNAME a
self CNAME self
x DNAME y
y DNAME x
out DNAME example.
up DNAME @
long DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.long
sub NS ns.sub
sub NS ns.else
sub NS ns.example.
sub DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
ns.sub A 192.0.2.2
ns.else A 192.0.2.3
hello CNAME www.hello.p2p.
tangle CNAME www.tangle.p2p.
gone CNAME www.nobody.p2p.
broken CNAME x.fails.p2p.
bad A \# 3 000000
any HINFO a b
"#;

/// A zone with records of every type, and with everything that leads from one name to another.
pub fn tangled() -> FixedZone {
    let hello = include_str!("../../examples/hello.zone");
    let many: String = (0..120).map(|at| format!("many A 192.0.2.{at}\nmany AAAA 2001:db8::{at}\n")).collect();
    let zones = [("hello", hello, false), ("tangle", TANGLE, true), ("web", WEB, false), ("big", &many, false)];
    FixedZone::new(zones.into_iter().map(|(name, text, delegate)| {
        let name: Name = name.parse().expect("a name");
        let limits = Limits { name_len: name.as_bytes().len(), tld_len: 3, max: 65_535 };
        let read = import(text, &name, "p2p", Options { delegate }, limits).expect("a zone");
        (name, read.records)
    }))
}

/// A server of one zone.
pub struct Server(Full);

impl Server {
    /// Serves `zone`.
    pub fn new(zone: FixedZone) -> Self {
        let zone: Arc<dyn Zone> = Arc::new(zone);
        Self(Full::new(move || zone.clone(), Config::default()).expect("random bytes"))
    }

    /// Serves `zone` with signatures by a key of its own, always at the same time.
    pub fn signed(zone: FixedZone) -> Self {
        let zone: Arc<dyn Zone> = Arc::new(zone);
        let keys = KeyFile::generate(Algorithm::Ed25519).expect("a key");
        let signer = Arc::new(Signer::new("p2p", keys, CACHE_BYTES, || SIGNED_AT));
        Self(Full::with(move || zone.clone(), Config::default(), Some(signer), None).expect("random bytes"))
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
    let leads_on = |rtype| matches!(rtype, RecordType::CNAME | RecordType::DNAME | RecordType::RRSIG);
    let names_only = got.answers.iter().all(|rr| leads_on(rr.record_type()));
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
