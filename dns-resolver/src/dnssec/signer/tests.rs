//! Signed messages, verified by hickory's own verifier.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use hickory_proto::dnssec::Verifier;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{DNSClass, RData, Record};
use hickory_server::net::xfer::Protocol;

use super::*;
use crate::dnssec::key::Algorithm;
use crate::dnssec::key_file::{RETIRED_S, begin_roll, finish_roll};
use crate::fake::{FakeZone, domain, number, wire as wire_name};
use crate::full::Full;
use crate::server::Config;
use crate::zone::Zone;

const NOW: u64 = 1_800_000_000;

/// Where an RRset begins, its records, its signatures.
type Found<'a> = (usize, Vec<&'a Record>, Vec<&'a RRSIG>);

/// A signed zone, its clock, and whoever asks it.
struct Signed {
    full: Full,
    signer: Arc<Signer>,
    clock: Arc<AtomicU64>,
}

impl Signed {
    fn new(zone: FakeZone, file: KeyFile, cache_bytes: u64) -> Self {
        let clock = Arc::new(AtomicU64::new(NOW));
        let now = clock.clone();
        let signer = Arc::new(Signer::new("p2p", file, cache_bytes, move || now.load(Ordering::Relaxed)));
        let zone: Arc<dyn Zone> = Arc::new(zone);
        let full = Full::with(move || zone.clone(), Config::default(), Some(signer.clone()), None).unwrap();
        Self { full, signer, clock }
    }

    fn bytes(&self, question: &str, flags: u16, protocol: Protocol) -> Vec<u8> {
        let (name, rtype) = question.split_once(' ').unwrap();
        let mut packet = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        packet.extend(wire_name(name));
        packet.extend([number(rtype).to_be_bytes(), [0, 1]].concat());
        packet.extend([0, 0, 41, 4, 208, 0, 0]);
        packet.extend(flags.to_be_bytes());
        packet.extend([0, 0]);
        self.full.answer(&packet, "192.0.2.1:5300".parse().unwrap(), protocol).answer().unwrap()
    }

    fn ask(&self, question: &str) -> Message {
        Message::from_vec(&self.bytes(question, 0x8000, Protocol::Tcp)).unwrap()
    }

    fn keys(&self) -> Vec<DNSKEY> {
        let message = self.ask("p2p. DNSKEY");
        let key = |record: &Record| match &record.data {
            RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some(key.clone()),
            _ => None,
        };
        message.answers.iter().filter_map(key).collect()
    }

    /// Each RRset of a section on a line, with the number of its signatures, each of which is verified.
    fn section(&self, records: &[Record]) -> Vec<String> {
        let mut sets: BTreeMap<(String, u16), Found<'_>> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            let rtype = match &record.data {
                RData::DNSSEC(DNSSECRData::RRSIG(sig)) => sig.input().type_covered,
                _ => record.record_type(),
            };
            let key = (record.name.to_lowercase().to_string(), u16::from(rtype));
            let set = sets.entry(key).or_insert_with(|| (at, Vec::new(), Vec::new()));
            match &record.data {
                RData::DNSSEC(DNSSECRData::RRSIG(sig)) => set.2.push(sig),
                _ => set.1.push(record),
            }
        }
        let (keys, now) = (self.keys(), u32::try_from(self.clock.load(Ordering::Relaxed)).unwrap());
        let mut lines = Vec::new();
        for ((owner, rtype), (at, set, sigs)) in sets {
            for sig in &sigs {
                let input = sig.input();
                assert!(input.sig_inception.get() <= now && now < input.sig_expiration.get());
                assert_eq!(input.signer_name, domain("p2p."));
                assert!(set.is_empty() || set.iter().all(|record| record.ttl == input.original_ttl));
                let key = keys.iter().find(|key| key.calculate_key_tag().unwrap() == input.key_tag).unwrap();
                if let Some(first) = set.first() {
                    let all = set.iter().copied();
                    key.verify_rrsig(&first.name, DNSClass::IN, sig, all).expect(&owner);
                }
            }
            let text: Vec<String> = set.iter().map(|record| record.data.to_string()).collect();
            let labels = sigs.first().map(|sig| usize::from(sig.input().num_labels));
            let expanded = labels.is_some_and(|labels| labels < domain_len(&owner) && !owner.starts_with("*."));
            let how = match (sigs.len(), expanded) {
                (0, _) => "unsigned".to_owned(),
                (count, false) => format!("{count} sig"),
                (count, true) => format!("{count} sig of a wildcard"),
            };
            let rtype = hickory_proto::rr::RecordType::from(rtype);
            let line = match rtype.to_string().as_str() {
                "SOA" | "DNSKEY" | "CDS" | "CDNSKEY" => format!("{owner} {rtype}: {how}"),
                _ => format!("{owner} {rtype} {}: {how}", text.join(", ")),
            };
            lines.push((at, line));
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    fn show(&self, question: &str) -> String {
        let message = self.ask(question);
        let mut out = format!("{question}: {:?}\n", message.metadata.response_code);
        for (title, records) in [("=", &message.answers), ("?", &message.authorities), ("+", &message.additionals)] {
            for line in self.section(records) {
                out.push_str(&format!("  {title} {line}\n"));
            }
        }
        out
    }
}

fn domain_len(name: &str) -> usize {
    domain(name).iter().len()
}

fn zone() -> FakeZone {
    FakeZone::default()
        .with(
            "alice",
            r"@ A 192.0.2.7
              @ A 192.0.2.9
              @ MX 10 Mail
              www A 192.0.2.10
              alias CNAME WWW
              out CNAME x.example.
              nowhere CNAME nobody.p2p.
              old DNAME bob.p2p.
              sub NS ns.sub
              sub NS dns
              sub DS \# 00010d02aabbccdd
              ns.sub A 192.0.2.53
              dns A 192.0.2.54
              insec NS ns.example.
              a.deep.owner TXT hello
              odd TYPE65280 \# c00c",
        )
        .with("bob", "* A 192.0.2.8\n* TXT Hi\n*.cn CNAME alias.alice.p2p.\n*.ent.x A 192.0.2.1")
        .with("carol", "@ NS ns.carol.p2p.\nns A 192.0.2.55")
        .with("empty", "")
}

fn signed() -> Signed {
    Signed::new(zone(), KeyFile::generate(Algorithm::EcdsaP256).unwrap(), CACHE_BYTES)
}

#[test]
fn what_is_there() {
    let signed = signed();
    let all = [
        "AlicE.p2p. A",
        "alice.p2p. MX",
        "odd.alice.p2p. TYPE65280",
        "alias.alice.p2p. A",
        "out.alice.p2p. A",
        "v.old.alice.p2p. A",
        "old.alice.p2p. DNAME",
        "*.bob.p2p. A",
        "x.y.bob.p2p. TXT",
        "z.cn.bob.p2p. A",
        "alice.p2p. ANY",
        "ns.dotp2p.p2p. AAAA",
        "p2p. NS",
        "p2p. SOA",
        "p2p. DNSKEY",
        "p2p. CDS",
        "p2p. CDNSKEY",
        "p2p. NSEC",
        "alias.alice.p2p. NSEC",
        "alice.p2p. RRSIG",
    ];
    insta::assert_snapshot!(all.map(|question| signed.show(question)).concat());
}

#[test]
fn what_is_not_there() {
    let signed = signed();
    let all = [
        "alice.p2p. AAAA",
        "alias.alice.p2p. NSEC",
        "owner.alice.p2p. A",
        "empty.p2p. A",
        "p2p. TXT",
        "p2p. DS",
        "dotp2p.p2p. A",
        "ns.dotp2p.p2p. TXT",
        "nobody.p2p. A",
        "a.b.nobody.p2p. A",
        "alice\u{0}.p2p. A",
        "x.empty.p2p. A",
        "x.y.www.alice.p2p. A",
        "wwx.alice.p2p. A",
        "x.dotp2p.p2p. A",
        "x.ns.dotp2p.p2p. A",
        "nt.dotp2p.p2p. A",
        "nowhere.alice.p2p. A",
        "v.bob.p2p. AAAA",
        "v.cn.bob.p2p. NSEC",
        "q.x.bob.p2p. A",
        "ent.x.bob.p2p. A",
    ];
    insta::assert_snapshot!(all.map(|question| signed.show(question)).concat());
}

#[test]
fn delegations() {
    let signed = signed();
    let all = [
        "x.sub.alice.p2p. A",
        "sub.alice.p2p. NS",
        "sub.alice.p2p. DS",
        "insec.alice.p2p. A",
        "insec.alice.p2p. DS",
        "www.carol.p2p. A",
        "carol.p2p. DS",
    ];
    insta::assert_snapshot!(all.map(|question| signed.show(question)).concat());
}

#[test]
fn who_does_not_ask_for_proofs_gets_none() {
    let (signed, plain) = (
        signed(),
        Full::new(
            {
                let zone: Arc<dyn Zone> = Arc::new(zone());
                move || zone.clone()
            },
            Config::default(),
        )
        .unwrap(),
    );
    for question in ["alice.p2p. A", "nobody.p2p. A", "x.bob.p2p. A", "x.sub.alice.p2p. A", "insec.alice.p2p. DS"] {
        let got = signed.bytes(question, 0, Protocol::Udp);
        let (name, rtype) = question.split_once(' ').unwrap();
        let mut packet = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        packet.extend(wire_name(name));
        packet.extend([number(rtype).to_be_bytes(), [0, 1]].concat());
        packet.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        let want = plain.answer(&packet, "192.0.2.1:5300".parse().unwrap(), Protocol::Udp).answer().unwrap();
        assert_eq!(got, want, "{question}");
    }
    let message = Message::from_vec(&signed.bytes("p2p. DNSKEY", 0, Protocol::Udp)).unwrap();
    assert_eq!((message.answers.len(), message.authorities.len()), (1, 0));
    let message = Message::from_vec(&signed.bytes("alice.p2p. RRSIG", 0, Protocol::Udp)).unwrap();
    assert_eq!((message.answers.len(), message.authorities.len()), (1, 0));
}

#[test]
fn with_ed25519() {
    let signed = Signed::new(zone(), KeyFile::generate(Algorithm::Ed25519).unwrap(), CACHE_BYTES);
    for question in ["alice.p2p. MX", "nobody.p2p. A", "x.bob.p2p. A", "p2p. DNSKEY"] {
        let shown = signed.show(question);
        assert!(shown.contains("1 sig") && !shown.contains("unsigned"), "{shown}");
    }
}

#[test]
fn a_signed_no_fits() {
    let long = "a".repeat(63);
    for algorithm in [Algorithm::EcdsaP256, Algorithm::Ed25519] {
        let dir = tempfile::tempdir().unwrap();
        KeyFile::load_or_create(dir.path(), algorithm, &apex_of("p2p")).unwrap();
        let rolling = begin_roll(dir.path(), algorithm, &apex_of("p2p"), NOW).unwrap();
        let signed = Signed::new(zone().with(&long, ""), rolling, CACHE_BYTES);
        let deep = format!("{long}.{long}.{}", "b".repeat(50));
        for name in ["nobody", &deep, &format!("{deep}.alice"), &format!("x.{long}"), &format!("{long}.{long}.{long}")]
        {
            let bytes = signed.bytes(&format!("{name}.p2p. A"), 0x8000, Protocol::Udp);
            let message = Message::from_vec(&bytes).unwrap();
            assert_eq!(message.metadata.response_code, ResponseCode::NXDomain);
            assert!(!message.metadata.truncation && bytes.len() <= 1_232, "{name}: {}", bytes.len());
            assert_eq!(message.authorities.len(), 6, "SOA, two NSEC, their signatures");
        }
    }
}

#[test]
fn what_does_not_fit_is_truncated() {
    let mut many = String::new();
    (0..70).for_each(|at| many.push_str(&format!("@ A 192.0.2.{at}\n")));
    let signed = Signed::new(zone().with("n", &many), KeyFile::generate(Algorithm::EcdsaP256).unwrap(), CACHE_BYTES);
    let message = Message::from_vec(&signed.bytes("n.p2p. A", 0x8000, Protocol::Udp)).unwrap();
    assert_eq!((message.metadata.truncation, message.answers.len()), (true, 70), "its signature has no place");
    let message = Message::from_vec(&signed.bytes("n.p2p. A", 0, Protocol::Udp)).unwrap();
    assert_eq!(message.answers.len(), 70, "without the signature it fits");
    assert_eq!(signed.ask("n.p2p. A").answers.len(), 71);
}

fn signature(signed: &Signed, question: &str) -> RRSIG {
    let message = signed.ask(question);
    let found = message.answers.iter().find_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(sig)) => Some(sig.clone()),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn a_signature_is_kept_and_renewed_in_time() {
    let signed = signed();
    let mut seen: Vec<RRSIG> = Vec::new();
    // 60 days by quarters of a day.
    for quarter in 0..240 {
        let now = NOW + quarter * 21_600;
        signed.clock.store(now, Ordering::Relaxed);
        let now = u32::try_from(now).unwrap();
        let got = signature(&signed, "alice.p2p. A");
        assert!(got.input().sig_inception.get() <= now - 3_600);
        assert!(now + 7 * 86_400 <= got.input().sig_expiration.get(), "a week is left");
        assert!(got.input().sig_expiration.get() <= now + 14 * 86_400);
        if seen.last() != Some(&got) {
            seen.push(got);
        }
    }
    assert!((60 / 7..=60 / 4 + 1).contains(&seen.len()), "{} signatures", seen.len());
    let lives: std::collections::BTreeSet<u32> = ["alice.p2p. MX", "p2p. SOA", "p2p. NS", "www.alice.p2p. A"]
        .into_iter()
        .map(|question| signature(&signed, question))
        .map(|sig| sig.input().sig_expiration.get() - sig.input().sig_inception.get())
        .collect();
    assert_eq!(lives.len(), 4, "they do not end at once");
}

#[test]
fn a_clock_that_goes_back() {
    let signed = signed();
    let first = signature(&signed, "alice.p2p. A");
    signed.clock.store(NOW - 86_400, Ordering::Relaxed);
    let second = signature(&signed, "alice.p2p. A");
    assert_ne!(first, second);
    assert!(u64::from(second.input().sig_inception.get()) < NOW - 86_400);
    signed.show("alice.p2p. A");
}

#[test]
fn a_signature_is_of_its_data_alone() {
    let keys = || KeyFile::generate(Algorithm::EcdsaP256).unwrap();
    let signed = Signed::new(FakeZone::default(), keys(), CACHE_BYTES);
    let rr = |owner: &str, ttl, last| Rr { owner: domain(owner), rtype: 1, ttl, rdata: vec![192, 0, 2, last] };
    let now = signed.signer.keys();
    let sign = |rrs: &[Rr], owner: &str| signed.signer.signatures(&now, &domain(owner), rrs).unwrap().remove(0);
    let first = sign(&[rr("a.p2p.", 60, 1)], "a.p2p.");
    assert_eq!(sign(&[rr("a.p2p.", 60, 1)], "a.p2p."), first, "kept");
    assert_eq!(sign(&[rr("A.p2p.", 60, 1)], "A.P2P."), first, "case says nothing");
    let others = [
        sign(&[rr("a.p2p.", 60, 2)], "a.p2p."),
        sign(&[rr("a.p2p.", 61, 1)], "a.p2p."),
        sign(&[rr("b.p2p.", 60, 1)], "b.p2p."),
        sign(&[rr("a.p2p.", 60, 1)], "*.p2p."),
        sign(&[rr("a.p2p.", 60, 1), rr("a.p2p.", 60, 2)], "a.p2p."),
    ];
    for other in &others {
        assert_ne!(other[18 + 5..], first[18 + 5..]);
    }
    // In whatever order, and however often.
    let both = sign(&[rr("a.p2p.", 60, 2), rr("a.p2p.", 60, 1), rr("a.p2p.", 60, 2)], "a.p2p.");
    assert_eq!(both, others[4]);
}

#[test]
fn what_is_kept_is_bounded() {
    let signed = Signed::new(FakeZone::default(), KeyFile::generate(Algorithm::EcdsaP256).unwrap(), 100_000);
    for at in 0..2_000 {
        signed.ask(&format!("n{at}.p2p. A"));
    }
    signed.signer.kept.run_pending_tasks();
    let (bytes, entries) = (signed.signer.kept.weighted_size(), signed.signer.kept.entry_count());
    assert!(bytes <= 100_000 && entries >= 100, "{bytes} bytes, {entries} entries");
}

/// The tags that sign what a question is answered with.
fn signers(signed: &Signed, question: &str) -> Vec<u16> {
    signed.show(question);
    let message = signed.ask(question);
    let tag = |record: &Record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(sig)) => Some(sig.input().key_tag),
        _ => None,
    };
    message.answers.iter().filter_map(tag).collect()
}

#[test]
fn a_roll_reaches_what_runs() {
    for (before, after) in [
        (Algorithm::EcdsaP256, Algorithm::EcdsaP256),
        (Algorithm::EcdsaP256, Algorithm::Ed25519),
        (Algorithm::Ed25519, Algorithm::EcdsaP256),
    ] {
        let (dir, apex) = (tempfile::tempdir().unwrap(), apex_of("p2p"));
        let file = KeyFile::load_or_create(dir.path(), before, &apex).unwrap();
        let old = file.lasting().tag();
        let signed = Signed::new(zone(), file, CACHE_BYTES);
        let mut watch = KeyWatch::new(dir.path());
        assert!(!watch.look(&signed.signer).unwrap());
        assert_eq!(signers(&signed, "alice.p2p. A"), [old]);

        let new = begin_roll(dir.path(), after, &apex, NOW).unwrap().lasting().tag();
        assert!(watch.look(&signed.signer).unwrap() && !watch.look(&signed.signer).unwrap());
        let both = vec![old, new];
        for question in ["p2p. DNSKEY", "p2p. CDS", "p2p. CDNSKEY"] {
            assert_eq!(signers(&signed, question), both, "either anchor leads to the keys");
        }
        let expected = if before == after { vec![old] } else { both };
        assert_eq!(signers(&signed, "alice.p2p. A"), expected);
        let RData::DNSSEC(DNSSECRData::CDS(cds)) = signed.ask("p2p. CDS").answers[0].data.clone() else {
            panic!("no CDS")
        };
        assert_eq!((cds.key_tag(), signed.keys().len()), (new, 2));

        finish_roll(dir.path(), &apex, NOW + 3_600, false).unwrap();
        signed.clock.store(NOW + 3_600, Ordering::Relaxed);
        assert!(watch.look(&signed.signer).unwrap());
        assert_eq!((signers(&signed, "p2p. DNSKEY"), signers(&signed, "alice.p2p. A")), (vec![new], vec![new]));
        // What is in caches can still be verified: by the old key, or because it has signatures of both algorithms.
        assert_eq!(signed.keys().len(), if before == after { 2 } else { 1 });
        signed.clock.store(NOW + 3_600 + RETIRED_S, Ordering::Relaxed);
        assert_eq!(signed.keys().len(), 1);

        std::fs::write(dir.path().join(KEY_FILE), "{").unwrap();
        assert!(watch.look(&signed.signer).is_err());
        assert!(!watch.look(&signed.signer).unwrap(), "it is said once");
        assert_eq!(signers(&signed, "alice.p2p. A"), [new]);
    }
}
