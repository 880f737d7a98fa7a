//! A zone out of text, and answers as text: what the tests of this crate write and read.

#![allow(clippy::cast_possible_truncation, reason = "the texts of tests are short")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dotp2p_chain::records::{Limits, Owner, RecordSet, Records};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name as DnsName, RData, Record};
use hickory_proto::serialize::binary::BinDecodable;

use crate::answer::{Answer, Question, Rr, answer};
use crate::rdata::target;
use crate::zone::{Condition, Encoded, Zone, ZoneError};

/// Names and their records, encoded. `fails.p2p` cannot be read, and `panics.p2p` is a defect.
#[derive(Clone, Debug, Default)]
pub struct FakeZone(BTreeMap<Vec<u8>, Vec<u8>>);

impl Zone for FakeZone {
    fn tld(&self) -> &str {
        "p2p"
    }

    fn serial(&self) -> u32 {
        2_026
    }

    fn encoded(&self, label: &[u8]) -> Result<Option<&[u8]>, ZoneError> {
        match label {
            b"fails" => Err(ZoneError { name: "fails".to_owned(), source: "the disk is on fire".into() }),
            b"panics" => panic!("as asked"),
            _ => Ok(self.0.get(label).map(Vec::as_slice)),
        }
    }
}

/// A zone in that condition, whose `lapsed` has lapsed.
#[derive(Clone, Debug)]
pub struct InCondition(pub FakeZone, pub Condition);

impl Zone for InCondition {
    fn tld(&self) -> &str {
        self.0.tld()
    }

    fn serial(&self) -> u32 {
        self.0.serial()
    }

    fn encoded(&self, label: &[u8]) -> Encoded<'_> {
        self.0.encoded(label)
    }

    fn condition(&self) -> Condition {
        self.1
    }

    fn has_lapsed(&self, label: &[u8]) -> bool {
        label == b"lapsed"
    }
}

impl FakeZone {
    /// Adds a name with lines of `OWNER TYPE DATA`; TTL 60. Domain names in DATA are absolute with a dot at the end,
    /// others are below the name; data after `\#` is hexadecimal.
    pub fn with(mut self, name: &str, lines: &str) -> Self {
        let mut sets: Vec<RecordSet> = Vec::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.split_whitespace();
            let (owner, rtype) = (words.next().unwrap(), words.next().unwrap());
            let labels = owner.split('.').filter(|label| *label != "@").map(str::as_bytes);
            let (owner, (number, rdata)) = (Owner::new(labels), data(rtype, &words.collect::<Vec<_>>(), name));
            match sets.iter_mut().find(|set| set.owner == owner && set.rtype == number) {
                Some(set) => set.rdatas.push(rdata),
                None => sets.push(RecordSet { owner, rtype: number, ttl: 60, rdatas: vec![rdata] }),
            }
        }
        self.insert(name, sets);
        self
    }

    /// Adds a name with these RRsets.
    pub fn insert(&mut self, name: &str, sets: Vec<RecordSet>) {
        let limits = Limits { name_len: name.len(), tld_len: 3, max: 1 << 20 };
        self.0.insert(name.into(), Records::new(sets, limits).unwrap().encode());
    }

    /// Answers `NAME TYPE`.
    pub fn ask(&self, question: &str) -> Answer {
        let (name, rtype) = question.split_once(' ').unwrap();
        answer(self, &SERVERS, &Question { name: domain(name), qtype: number(rtype), qclass: 1 }).unwrap()
    }
}

/// A domain name of any labels without dots in them.
pub fn domain(name: &str) -> DnsName {
    DnsName::from_labels(name.split('.').filter(|label| !label.is_empty()).map(str::as_bytes)).unwrap()
}

/// The zone's servers.
pub const SERVERS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// A type's number.
pub fn number(rtype: &str) -> u16 {
    match (rtype.strip_prefix("TYPE"), rtype) {
        (Some(digits), _) => digits.parse().unwrap(),
        (_, "IXFR") => 251,
        _ => rtype.parse::<hickory_proto::rr::RecordType>().unwrap().into(),
    }
}

/// Type and RDATA of a record at `name`.
pub fn data(rtype: &str, words: &[&str], name: &str) -> (u16, Vec<u8>) {
    let target = |text: &str| {
        let text = match text {
            "@" => format!("{name}.p2p."),
            _ if text.ends_with('.') => text.to_owned(),
            _ => format!("{text}.{name}.p2p."),
        };
        wire(&text)
    };
    let rdata = match (rtype, words) {
        (_, [r"\#", rest @ ..]) => {
            let hex = rest.concat();
            (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
        }
        ("A", [ip]) => ip.parse::<Ipv4Addr>().unwrap().octets().to_vec(),
        ("AAAA", [ip]) => ip.parse::<Ipv6Addr>().unwrap().octets().to_vec(),
        ("NS" | "CNAME" | "DNAME" | "PTR", [host]) => target(host),
        ("MX", [preference, host]) => {
            [preference.parse::<u16>().unwrap().to_be_bytes().as_slice(), &target(host)].concat()
        }
        ("TXT" | "HINFO", texts) => {
            texts.iter().flat_map(|text| [&[text.len() as u8], text.as_bytes()].concat()).collect()
        }
        _ => panic!("{rtype} {words:?}"),
    };
    (number(rtype), rdata)
}

/// A domain name in wire form.
pub fn wire(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).chain([0]).collect()
}

/// An answer on a line: `CODE [aa] | answer | authority | additional`, the SOA as that word alone.
pub fn line(answer: &Answer) -> String {
    let section = |rrs: &[Rr]| match rrs {
        [soa] if soa.rtype == 6 => "SOA".to_owned(),
        _ => rrs.iter().map(show).collect::<Vec<_>>().join("; "),
    };
    let aa = if answer.aa { " aa" } else { "" };
    let sections = [&answer.answer, &answer.authority, &answer.additional].map(|rrs| section(rrs));
    format!("{}{aa} | {}", code(answer.rcode), sections.join(" | ")).trim_end_matches(['|', ' ']).to_owned()
}

/// A record as zone files have it; types that hickory does not know as RFC 3597, but for DNAME.
fn text(record: &Record) -> String {
    let RData::Unknown { code, rdata } = &record.data else { return record.to_string() };
    let head = format!("{} {} {}", record.name, record.ttl, record.dns_class);
    if let (39, Some(target)) = (u16::from(*code), target(&rdata.anything)) {
        return format!("{head} DNAME {target}");
    }
    let hex: String = rdata.anything.iter().map(|byte| format!("{byte:02X}")).collect();
    format!(r"{head} TYPE{} \# {} {hex}", u16::from(*code), rdata.anything.len()).trim_end().to_owned()
}

/// The same without TTL 60 and class.
fn show(rr: &Rr) -> String {
    let mut bytes = wire(&rr.owner.to_ascii());
    bytes.extend(rr.rtype.to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(rr.ttl.to_be_bytes());
    bytes.extend((rr.rdata.len() as u16).to_be_bytes());
    bytes.extend(&rr.rdata);
    let text = text(&Record::from_bytes(&bytes).unwrap());
    text.replacen(" 60 IN ", " ", 1).replacen(" IN ", " ", 1)
}

fn code(rcode: ResponseCode) -> String {
    match rcode {
        ResponseCode::YXDomain => "YXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        _ => format!("{rcode:?}").to_uppercase(),
    }
}

/// A message as dig shows it.
pub fn dig(message: &Message) -> String {
    let metadata = &message.metadata;
    let mut out = format!(";; status: {}, id: {}\n;; flags: qr", code(metadata.response_code), metadata.id);
    let flags = [
        ("aa", metadata.authoritative),
        ("tc", metadata.truncation),
        ("rd", metadata.recursion_desired),
        ("ra", metadata.recursion_available),
    ];
    for (flag, _) in flags.into_iter().filter(|(_, set)| *set) {
        write!(out, " {flag}").unwrap();
    }
    if let Some(edns) = &message.edns {
        let dnssec_ok = if edns.flags().dnssec_ok { "do" } else { "" };
        write!(out, "\n;; EDNS: version {}; flags: {dnssec_ok}; udp: {}", edns.version(), edns.max_payload()).unwrap();
    }
    for query in &message.queries {
        write!(out, "\n;{}\t{}\t{}", query.name(), query.query_class(), query.query_type()).unwrap();
    }
    let sections = [&message.answers, &message.authorities, &message.additionals];
    for (title, records) in ["ANSWER", "AUTHORITY", "ADDITIONAL"].into_iter().zip(sections) {
        if !records.is_empty() {
            write!(out, "\n;; {title}").unwrap();
        }
        for record in records {
            write!(out, "\n{}", text(record)).unwrap();
        }
    }
    out
}
