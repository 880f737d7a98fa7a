#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::{Arc, LazyLock};

use dotp2p_chain::records::{Owner, RecordSet};
use hickory_proto::op::{Message, ResponseCode};
use hickory_server::net::xfer::Protocol;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::answer::properties::{labels, sets, wild_sets};
use crate::dnssec::key::Algorithm;
use crate::dnssec::key_file::KeyFile;
use crate::dnssec::signer::Signer;
use crate::fake::{FakeZone, number, wire};
use crate::full::Full;
use crate::server::Config;

const TERMS: Terms = Terms { payload_max: 1_232, signed: false };

/// A query as a client may send it.
#[derive(Clone, Debug)]
struct Sent {
    /// In wire form.
    name: Vec<u8>,
    qtype: u16,
    flags: [u8; 2],
    /// Payload and flags of an OPT record.
    edns: Option<(u16, u16)>,
}

impl Sent {
    fn of(question: &str) -> Self {
        let (name, rtype) = question.split_once(' ').unwrap();
        Self { name: wire(name), qtype: number(rtype), flags: [1, 0], edns: None }
    }

    fn packet(&self) -> Vec<u8> {
        let mut out = [[0x12, 0x34], self.flags, [0, 1], [0; 2], [0; 2], [0, u8::from(self.edns.is_some())]].concat();
        out.extend_from_slice(&self.name);
        put_u16s(&mut out, &[self.qtype, IN]);
        if let Some((payload, flags)) = self.edns {
            out.push(0);
            put_u16s(&mut out, &[OPT, payload, 0, flags, 0]);
        }
        out
    }

    fn fast(&self, zone: &FakeZone) -> Option<Message> {
        let mut out = Vec::new();
        answer(zone, &self.packet(), &mut out).ok()?;
        Some(Message::from_vec(&out).unwrap())
    }

    fn full(&self, zone: &FakeZone) -> Message {
        let zone: Arc<dyn Zone> = Arc::new(zone.clone());
        let full = Full::new(move || zone.clone(), Config::default()).unwrap();
        let answer = full.answer(&self.packet(), "192.0.2.1:53".parse().unwrap(), Protocol::Udp).answer().unwrap();
        Message::from_vec(&answer).unwrap()
    }
}

fn answer(zone: &dyn Zone, packet: &[u8], out: &mut Vec<u8>) -> Result<(), Elsewhere> {
    let guard = Guard::new(&Config::default(), [4; 32]);
    let asked = Asked::read(packet, "192.0.2.1".parse().unwrap(), &guard, guard.now()).ok_or(Elsewhere)?;
    answer_into(zone, asked, TERMS, out)
}

fn zone() -> FakeZone {
    FakeZone::default().with("empty", "").with("bob", "* A 192.0.2.8").with(
        "alice",
        r"@ A 192.0.2.7
          @ A 192.0.2.9
          @ MX 10 Mail
          www A 192.0.2.10
          alias CNAME www
          old DNAME bob.p2p.
          sub NS ns.sub
          sub DS \# 00010d02aabbccdd
          ns.sub A 192.0.2.53
          a.deep.owner TXT hello
          bad A \# c00002",
    )
}

#[test]
fn what_is_answered_here_and_what_is_left() {
    let zone = zone();
    for question in [
        "alice.p2p. A",
        "AlIcE.P2p. MX",
        "alice.p2p. AAAA",
        "www.alice.p2p. A",
        "alias.alice.p2p. CNAME",
        "old.alice.p2p. DNAME",
        "deep.owner.alice.p2p. A",
        "bad.alice.p2p. A",
        "nobody.p2p. A",
        "not_a_name.p2p. A",
        "a.b.nobody.p2p. TYPE65280",
        "nothing.alice.p2p. A",
        "empty.p2p. A",
        "www.empty.p2p. A",
        "*.bob.p2p. A",
    ] {
        let sent = Sent::of(question);
        assert_eq!(sent.fast(&zone).expect(question), sent.full(&zone), "{question}");
    }
    for question in [
        "p2p. SOA",
        ". NS",
        "alice.example. A",
        "ns.dotp2p.p2p. A",
        "alice.p2p. ANY",
        "alice.p2p. AXFR",
        "alice.p2p. RRSIG",
        "alice.p2p. NSEC",
        "alias.alice.p2p. A",
        "x.old.alice.p2p. A",
        "sub.alice.p2p. A",
        "sub.alice.p2p. DS",
        "x.sub.alice.p2p. A",
        "x.bob.p2p. A",
        "fails.p2p. A",
        "1.2.3.4.5.6.7.8.9.alice.p2p. A",
    ] {
        assert_eq!(Sent::of(question).fast(&zone), None, "{question}");
    }
}

/// A limit that an answer exceeds by one byte, and one that it fits.
/// The longest names, in the client's case: nothing of them is copied, and they are told back as they came.
#[test]
fn names_of_every_length_are_answered_in_their_case() {
    let zone = |owner: &str| FakeZone::default().with("alice", &format!("{owner} A 192.0.2.1\n{owner} MX 10 Mail"));
    for len in 1..=230 {
        // Labels of up to 60 bytes.
        let labels: Vec<String> = (0..len).step_by(61).map(|at| "x".repeat((len - at).min(60))).collect();
        let owner = labels.join(".");
        let zone = zone(&owner);
        let mixed: String =
            owner.chars().zip(0..).map(|(it, at)| if at % 3 == 0 { it.to_ascii_uppercase() } else { it }).collect();
        for question in [
            format!("{mixed}.aLiCe.P2P. A"),
            format!("{mixed}.aLiCe.P2P. AAAA"),
            format!("{mixed}.NoBody.P2p. MX"),
            format!("Y{}.alicE.p2P. A", mixed.get(1..).unwrap()),
        ] {
            let sent = Sent::of(&question);
            let (fast, full) = (sent.fast(&zone).expect(&question), sent.full(&zone));
            assert_eq!(fast, full, "{question}");
            assert_eq!(fast.queries[0].name().to_string(), question.split_once(' ').unwrap().0);
        }
    }
}

#[test]
fn what_does_not_fit_is_left() {
    let rdatas = (0..=255).map(|last| vec![10, 0, 0, last]).take(29).collect();
    let mut zone = FakeZone::default();
    zone.insert("n", vec![RecordSet { owner: Owner::APEX, rtype: 1, ttl: 60, rdatas }]);
    // 12 + 11 + 29 × 16 = 487, and 11 of an OPT record: 498.
    let sent = Sent::of("n.p2p. A");
    assert_eq!(sent.fast(&zone).map(|message| message.answers.len()), Some(29));
    let mut long = Sent { name: wire("a.very.long.name.n.p2p."), ..sent.clone() };
    assert_eq!(long.fast(&zone).map(|message| message.metadata.response_code), Some(ResponseCode::NXDomain));
    zone.insert("n", vec![RecordSet { owner: Owner::APEX, rtype: 16, ttl: 60, rdatas: vec![vec![200; 201]; 1] }]);
    long = Sent { name: wire("n.p2p."), qtype: 16, ..long };
    for (len, payload, fits) in
        [(466, 512, true), (467, 512, false), (467, 513, true), (1_186, 4_096, true), (1_187, 4_096, false)]
    {
        zone.insert("n", vec![RecordSet { owner: Owner::APEX, rtype: 65_280, ttl: 60, rdatas: vec![vec![7; len]] }]);
        let sent = Sent { qtype: 65_280, edns: Some((payload, 0)), ..long.clone() };
        assert_eq!(sent.fast(&zone).is_some(), fits, "{len} bytes for {payload}");
    }
}

#[test]
fn what_is_no_plain_question_is_left() {
    let zone = zone();
    let good = Sent::of("alice.p2p. A").packet();
    let mut out = Vec::new();
    assert_eq!(answer(&zone, &good, &mut out), Ok(()));
    let mut changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut packet = good.clone();
        change(&mut packet);
        answer(&zone, &packet, &mut out)
    };
    for bit in [0x80, 0x40, 0x08, 0x04, 0x02] {
        assert_eq!(changed(&|packet| packet[2] |= bit), Err(Elsewhere), "{bit:#x} of the third byte");
    }
    for at in [5, 7, 9, 11] {
        assert_eq!(changed(&|packet| packet[at] += 1), Err(Elsewhere), "a count, byte {at}");
    }
    assert_eq!(changed(&|packet| packet.push(0)), Err(Elsewhere), "something follows");
    assert_eq!(changed(&|packet| *packet.last_mut().unwrap() = 3), Err(Elsewhere), "class CHAOS");
    assert_eq!(changed(&|packet| packet[12] = 0xc0), Err(Elsewhere), "a pointer");
    for len in 0..good.len() {
        assert_eq!(changed(&|packet| packet.truncate(len)), Err(Elsewhere), "cut at {len}");
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let name = (labels(), select(vec!["n", "N", "m"]), any::<u64>()).prop_map(|(labels, name, capitals)| {
        let below: String = labels.iter().map(|label| format!("{}.", String::from_utf8_lossy(label))).collect();
        let mut wire = wire(&format!("{below}{name}.p2p."));
        for (at, byte) in wire.iter_mut().enumerate().filter(|(_, byte)| byte.is_ascii_lowercase()) {
            byte.make_ascii_uppercase();
            *byte |= u8::from(capitals >> (at % 64) & 1 == 0) << 5;
        }
        wire
    });
    let qtype = prop_oneof![4 => select(vec![1, 2, 5, 6, 28, 39, 43, 255, 65_280]), 1 => any::<u16>()];
    let flags = select(vec![[0, 0], [1, 0], [1, 0x10], [1, 0x20], [0, 0x30]]);
    let edns = proptest::option::of((select(vec![0, 511, 512, 1_232, 4_096]), select(vec![0, 0x8000, 0x8001])));
    (name, qtype, flags, edns).prop_map(|(name, qtype, flags, edns)| Sent { name, qtype, flags, edns })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_answered_is_what_the_full_server_says(
        mut sets in prop_oneof![sets(), wild_sets()],
        queries in vec(sent(), 4),
    ) {
        let mut zone = FakeZone::default();
        // Empty RDATA may be served (RFC 3597), but hickory, which reads the answers here, takes it for an error.
        sets.retain(|set| set.rdatas.iter().all(|rdata| !rdata.is_empty()));
        zone.insert("n", sets);
        for sent in queries {
            if let Some(fast) = sent.fast(&zone) {
                prop_assert_eq!(fast, sent.full(&zone), "{:?}", sent);
            }
        }
    }

    /// A signed zone is the same to who does not ask for proofs; who does is answered in full.
    #[test]
    fn a_signed_zone_too(mut sets in prop_oneof![sets(), wild_sets()], queries in vec(sent(), 4)) {
        static SIGNER: LazyLock<Arc<Signer>> = LazyLock::new(|| {
            let keys = KeyFile::generate(Algorithm::Ed25519).unwrap();
            Arc::new(Signer::new("p2p", keys, 1 << 20, || 1_800_000_000))
        });
        let mut zone = FakeZone::default();
        sets.retain(|set| set.rdatas.iter().all(|rdata| !rdata.is_empty()));
        zone.insert("n", sets);
        let shared: Arc<dyn Zone> = Arc::new(zone.clone());
        let full = Full::with(move || shared.clone(), Config::default(), Some(SIGNER.clone()), None).unwrap();
        for sent in queries {
            let mut out = Vec::new();
            let packet = sent.packet();
            let guard = full.guard();
            let asked = Asked::read(&packet, "192.0.2.1".parse().unwrap(), guard, guard.now());
            let fast = asked.map_or(Err(Elsewhere), |asked| answer_into(&zone, asked, full.terms(), &mut out));
            if sent.edns.is_some_and(|(_, flags)| flags & 0x8000 != 0) {
                prop_assert_eq!(fast, Err(Elsewhere));
            } else if fast.is_ok() {
                let whole = full.answer(&sent.packet(), "192.0.2.1:53".parse().unwrap(), Protocol::Udp).answer().unwrap();
                prop_assert_eq!(Message::from_vec(&out).unwrap(), Message::from_vec(&whole).unwrap(), "{:?}", sent);
            }
        }
    }

    #[test]
    fn no_packet_and_no_records_do_harm(packet in vec(any::<u8>(), 0..80), records in vec(any::<u8>(), 0..80)) {
        struct Bare(Vec<u8>);
        impl Zone for Bare {
            fn tld(&self) -> &str {
                "p2p"
            }
            fn serial(&self) -> u32 {
                1
            }
            fn encoded(&self, _: &[u8]) -> Result<Option<&[u8]>, crate::zone::ZoneError> {
                Ok(Some(&self.0))
            }
        }
        let mut out = Vec::new();
        let _ = answer(&Bare(records.clone()), &packet, &mut out);
        let plain = Sent::of("n.p2p. A").packet();
        let _ = answer(&Bare([vec![1], records].concat()), &plain, &mut out);
    }
}
