//! A packet to a signed answer: it is the unsigned one with signatures that hold, and a denial that denies.

#![no_main]

use std::sync::LazyLock;

use dotp2p_fuzz::dns::{Server, check, tangled};
use dotp2p_fuzz::{Cost, within};
use hickory_proto::dnssec::Verifier;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, NSEC, RRSIG};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_server::net::xfer::Protocol;
use libfuzzer_sys::fuzz_target;

static PLAIN: LazyLock<Server> = LazyLock::new(|| Server::new(tangled()));
static SIGNED: LazyLock<Server> = LazyLock::new(|| Server::signed(tangled()));
static KEYS: LazyLock<Vec<DNSKEY>> = LazyLock::new(|| {
    let asked = b"\0\x01\0\0\0\x01\0\0\0\0\0\0\x03p2p\0\0\x30\0\x01";
    let reply = SIGNED.ask(asked, Protocol::Tcp).expect("keys are told");
    let key = |record: Record| match record.data {
        RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some(key),
        _ => None,
    };
    let keys: Vec<DNSKEY> = Message::from_vec(&reply).expect("they parse").answers.into_iter().filter_map(key).collect();
    assert_eq!(keys.len(), 1);
    keys
});

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&PLAIN);
    LazyLock::force(&KEYS);
    within(data.len().max(15 * 1_024), Cost { per_byte: 1_024, cpu_ms: 200 }, || run(data));
});

/// What only a signed zone has.
fn is_of_signing(rtype: RecordType) -> bool {
    use RecordType::{ANY, CDNSKEY, CDS, DNSKEY, NSEC, RRSIG};
    matches!(rtype, ANY | CDNSKEY | CDS | DNSKEY | NSEC | RRSIG)
}

fn run(packet: &[u8]) {
    if let Some(short) = SIGNED.ask(packet, Protocol::Udp) {
        check(packet, &short, Protocol::Udp);
    }
    let (Some(plain), Some(signed)) = (PLAIN.ask(packet, Protocol::Tcp), SIGNED.ask(packet, Protocol::Tcp)) else {
        assert!(SIGNED.ask(packet, Protocol::Tcp).is_none(), "it answers what the unsigned one does not");
        return;
    };
    let (plain, signed) = (check(packet, &plain, Protocol::Tcp), check(packet, &signed, Protocol::Tcp));
    let Some(query) = signed.queries.first() else { return };
    let (name, rtype) = (query.name().clone(), query.query_type());
    for section in [&signed.answers, &signed.authorities, &signed.additionals] {
        verify(section);
    }
    if is_of_signing(rtype) {
        return;
    }
    assert_eq!(plain.metadata.response_code, signed.metadata.response_code, "{rtype}");
    let unsigned: Vec<&Record> = signed.answers.iter().filter(|rr| rr.record_type() != RecordType::RRSIG).collect();
    assert_eq!(plain.answers.iter().collect::<Vec<_>>(), unsigned, "without its signatures it is the unsigned answer");
    let wants = signed.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
    let has = |section: &[Record]| section.iter().any(|rr| is_of_signing(rr.record_type()));
    if !wants {
        assert!(!has(&signed.answers) && !has(&signed.authorities) && !has(&signed.additionals), "nobody asked for it");
    } else if signed.metadata.authoritative {
        complete(&signed);
        denied(&signed, last(&name, &signed.answers), rtype);
    }
}

/// Every signature of a section is one of the records beside it.
fn verify(section: &[Record]) {
    for record in section {
        let Some(sig) = signature(record) else { continue };
        let covered = sig.input().type_covered;
        let set: Vec<&Record> =
            section.iter().filter(|rr| rr.record_type() == covered && rr.name == record.name).collect();
        if !set.is_empty() {
            let is_good = KEYS.iter().any(|key| key.verify_rrsig(&record.name, DNSClass::IN, sig, set.iter().copied()).is_ok());
            assert!(is_good, "a signature of {covered} at {} does not hold", record.name);
        }
    }
}

fn signature(record: &Record) -> Option<&RRSIG> {
    match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(sig)) => Some(sig),
        _ => None,
    }
}

/// Every RRset of the zone's own in answer and authority has a signature; a CNAME that a DNAME makes has the DNAME's.
fn complete(message: &Message) {
    for section in [&message.answers, &message.authorities] {
        let is_signed = |rr: &Record| {
            section.iter().any(|of| {
                of.name == rr.name && signature(of).is_some_and(|sig| sig.input().type_covered == rr.record_type())
            })
        };
        let is_made = |rr: &Record| {
            let above = |of: &&Record| of.record_type() == RecordType::DNAME && of.name.zone_of(&rr.name) && of.name != rr.name;
            rr.record_type() == RecordType::CNAME && section.iter().any(|of| above(&of))
        };
        let is_childs = |rr: &Record| rr.record_type() == RecordType::NS && rr.name.num_labels() > 1;
        for rr in section.iter().filter(|rr| rr.record_type() != RecordType::RRSIG) {
            assert!(is_signed(rr) || is_made(rr) || is_childs(rr), "nothing signs {rr}");
        }
    }
}

/// Where the records of an answer lead.
fn last(name: &Name, answers: &[Record]) -> Name {
    let mut at = name.clone();
    for _ in answers {
        let next = answers.iter().find_map(|rr| match &rr.data {
            RData::CNAME(to) if rr.name == at => Some(to.0.clone()),
            _ => None,
        });
        let Some(next) = next else { break };
        at = next;
    }
    at
}

/// What is said not to be is proven not to be.
fn denied(message: &Message, name: Name, rtype: RecordType) {
    let nsecs: Vec<(&Name, &NSEC)> = message
        .authorities
        .iter()
        .filter_map(|rr| match &rr.data {
            RData::DNSSEC(DNSSECRData::NSEC(nsec)) => Some((&rr.name, nsec)),
            _ => None,
        })
        .collect();
    let apex = Name::from_ascii("p2p.").expect("a name");
    let covers = |owner: &Name, nsec: &NSEC| {
        *owner < name && (name < *nsec.next_domain_name() || *nsec.next_domain_name() == apex)
    };
    let matches = |owner: &Name, _: &NSEC| *owner == name;
    for (owner, nsec) in &nsecs {
        let shown = |which: RecordType| nsec.type_set().iter().any(|it| it == which);
        assert!(!matches(owner, nsec) || !shown(rtype) && !shown(RecordType::CNAME), "{name} {rtype} is denied by what has it");
    }
    let says_soa = message.authorities.iter().any(|rr| rr.record_type() == RecordType::SOA);
    match message.metadata.response_code {
        ResponseCode::NXDomain => {
            assert!(nsecs.iter().any(|(owner, nsec)| covers(owner, nsec)), "nothing covers {name}");
            assert!(!nsecs.iter().any(|(owner, nsec)| matches(owner, nsec)), "{name} is denied and there");
        }
        // A name that is there, or the wildcard that stands for one that is not.
        ResponseCode::NoError if says_soa && apex.zone_of(&name) => {
            let is_shown = nsecs.iter().any(|(owner, nsec)| matches(owner, nsec) || covers(owner, nsec));
            assert!(is_shown, "nothing says that {name} has no {rtype}");
        }
        _ => {}
    }
}
