//! Properties of proofs: what the NSEC records of an answer say is so, and it is what the answer says.
//!
//! The checker knows the zone as a list of names with their types, and reads NSEC records as RFC 4035 5.4 has a validator do.
//! A name is its labels from the root down; then the canonical order is that of lists.

use std::collections::BTreeMap;

use dotp2p_chain::records::Owner;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::fake::{FakeZone, SERVERS, domain, wire};
use crate::rdata::is_servable;

type Labels = Vec<Vec<u8>>;

/// What an NSEC record says.
#[derive(Debug)]
struct Nsec {
    owner: Labels,
    next: Labels,
    types: Vec<u16>,
}

fn down(name: &DnsName) -> Labels {
    let mut labels: Labels = name.iter().map(<[u8]>::to_ascii_lowercase).collect();
    labels.reverse();
    labels
}

fn read(rr: &Rr) -> Nsec {
    let (mut at, mut next) = (0, Vec::new());
    while rr.rdata[at] != 0 {
        let len = usize::from(rr.rdata[at]);
        next.push(rr.rdata[at + 1..at + 1 + len].to_vec());
        at += 1 + len;
    }
    next.reverse();
    at += 1;
    assert!(at <= 255, "the next name has {at} bytes");
    let mut types = Vec::new();
    while at < rr.rdata.len() {
        let (window, len) = (u16::from(rr.rdata[at]), usize::from(rr.rdata[at + 1]));
        assert!((1..=32).contains(&len) && rr.rdata[at + 1 + len] != 0, "{rr:?}");
        for (number, byte) in (0_u16..).zip(&rr.rdata[at + 2..at + 2 + len]) {
            types.extend((0..8).filter(|bit| byte & (0x80 >> bit) != 0).map(|bit| window << 8 | number << 3 | bit));
        }
        at += 2 + len;
    }
    Nsec { owner: down(&rr.owner), next, types }
}

impl Nsec {
    /// Whether it shows that nothing is at or below a name.
    fn covers(&self, name: &Labels) -> bool {
        let is_before_next = *name < self.next || self.next.len() == 1;
        // What is below a delegation or a DNAME is not the owner's to deny.
        let is_cut =
            self.types.contains(&rtype::NS) && !self.types.contains(&rtype::SOA) || self.types.contains(&rtype::DNAME);
        self.owner < *name
            && is_before_next
            && !self.next.starts_with(name)
            && !(is_cut && name.starts_with(&self.owner))
    }

    /// The closest encloser of a name that it covers.
    fn encloser(&self, name: &Labels) -> Labels {
        let common = |other: &Labels| name.iter().zip(other).take_while(|(a, b)| a == b).count();
        name[..common(&self.owner).max(common(&self.next))].to_vec()
    }

    fn denies_type(&self, name: &Labels, qtype: u16) -> bool {
        let is_cut = self.types.contains(&rtype::NS) && !self.types.contains(&rtype::SOA);
        let is_side = !is_cut || qtype == rtype::DS;
        self.owner == *name && is_side && !self.types.contains(&qtype) && !self.types.contains(&rtype::CNAME)
    }
}

/// Every name of the zone that is its own, with its types; what is below a delegation or a DNAME is not.
fn truth(names: &[(&str, &[RecordSet])]) -> BTreeMap<Labels, Vec<u16>> {
    let at = |labels: &[&str]| labels.iter().map(|label| label.as_bytes().to_vec()).collect::<Labels>();
    let mut all = BTreeMap::from([
        (at(&["p2p"]), vec![rtype::NS, rtype::SOA]),
        (at(&["p2p", "dotp2p"]), vec![]),
        (at(&["p2p", "dotp2p", "ns"]), vec![rtype::A, rtype::AAAA]),
    ]);
    for (name, sets) in names {
        let top = at(&["p2p", name]);
        let served: Vec<&RecordSet> = sets.iter().filter(|set| is_servable(set)).collect();
        let types = |owner: &Labels| {
            let here = |set: &&&RecordSet| {
                let mut labels: Labels = set.owner.labels().to_vec();
                labels.reverse();
                [top.clone(), labels].concat() == *owner
            };
            let mut types: Vec<u16> = served.iter().filter(here).map(|set| set.rtype).collect();
            types.sort_unstable();
            if types.contains(&rtype::CNAME) { vec![rtype::CNAME] } else { types }
        };
        let mut owners = vec![top.clone()];
        for set in &served {
            let labels = set.owner.labels();
            for start in 0..labels.len() {
                owners.push(top.iter().cloned().chain(labels[start..].iter().rev().cloned()).collect());
            }
        }
        for owner in owners {
            let is_hidden = (top.len()..owner.len()).any(|len| {
                let above = types(&owner[..len].to_vec());
                above.contains(&rtype::NS) || above.contains(&rtype::DNAME)
            });
            if !is_hidden {
                let mut types = types(&owner);
                if types.contains(&rtype::NS) {
                    types.retain(|rtype| matches!(*rtype, rtype::NS | rtype::DS));
                }
                all.insert(owner, types);
            }
        }
    }
    all
}

/// Holds an answer's NSEC records against the zone, and the answer against them.
fn check(truth: &BTreeMap<Labels, Vec<u16>>, question: &Question, answer: &Answer) -> Result<(), TestCaseError> {
    let nsecs: Vec<Nsec> = answer.authority.iter().filter(|rr| rr.rtype == rtype::NSEC).map(read).collect();
    let apex = down(&domain("p2p."));
    for nsec in &nsecs {
        prop_assert!(nsec.owner.starts_with(&apex) && nsec.next.starts_with(&apex), "{:?}", nsec);
        prop_assert!(nsec.owner < nsec.next || nsec.next == apex, "{:?}", nsec);
        let between = truth.keys().find(|name| **name > nsec.owner && (**name < nsec.next || nsec.next == apex));
        prop_assert_eq!(between, None, "{:?}", nsec);
        let mut types = truth.get(&nsec.owner).cloned().unwrap_or_default();
        types.extend([rtype::RRSIG, rtype::NSEC]);
        types.sort_unstable();
        let is_open = nsec.owner.last().is_some_and(|label| label == b"*") && types.contains(&rtype::NS);
        prop_assert!(is_open || nsec.types == types, "{:?}", nsec);
    }
    let covering = |name: &Labels| nsecs.iter().find(|nsec| nsec.covers(name));
    for (owner, wildcard) in &answer.notes.expanded {
        let (owner, wildcard) = (down(owner), down(wildcard));
        let nsec = covering(&owner);
        prop_assert!(nsec.is_some(), "{:?} is expanded without proof", owner);
        prop_assert_eq!(nsec.map(|nsec| nsec.encloser(&owner)), Some(wildcard[..wildcard.len() - 1].to_vec()));
    }
    let qname = down(&question.name);
    let wildcard = answer.notes.expanded.first().map(|(_, wildcard)| down(wildcard));
    let is_referral = answer.authority.first().is_some_and(|rr| rr.rtype == rtype::NS);
    let mut needed = answer.notes.expanded.len();
    if is_referral {
        let cut = down(&answer.authority[0].owner);
        let has_ds = answer.authority.iter().any(|rr| rr.rtype == rtype::DS);
        let is_shown = |nsec: &Nsec| nsec.denies_type(&cut, rtype::DS) && nsec.types.contains(&rtype::NS);
        prop_assert!(has_ds != nsecs.iter().any(is_shown), "{:?}", nsecs);
        needed += usize::from(!has_ds);
    } else if answer.rcode == ResponseCode::NXDomain {
        let nsec = covering(&qname);
        prop_assert!(nsec.is_some(), "nothing covers {:?}: {:?}", qname, nsecs);
        let encloser = nsec.map(|nsec| nsec.encloser(&qname)).unwrap_or_default();
        prop_assert!(truth.contains_key(&encloser), "{:?} does not exist", encloser);
        prop_assert!(!truth.contains_key(&qname[..encloser.len() + 1].to_vec()));
        let wildcard = [encloser, vec![b"*".to_vec()]].concat();
        prop_assert!(covering(&wildcard).is_some(), "nothing covers {:?}: {:?}", wildcard, nsecs);
        needed += 2;
    } else if answer.answer.is_empty() {
        let name = wildcard.unwrap_or(qname);
        let is_shown = |nsec: &Nsec| nsec.denies_type(&name, question.qtype);
        prop_assert!(nsecs.iter().any(is_shown), "{:?} {}: {:?}", name, question.qtype, nsecs);
        needed += 1;
    }
    prop_assert!(nsecs.len() <= needed, "{} records, {} are needed", nsecs.len(), needed);
    Ok(())
}

/// Labels that come near one another in the canonical order.
fn label() -> impl Strategy<Value = Vec<u8>> {
    let long = |last: &[u8]| [vec![b'a'; 63 - last.len()], last.to_vec()].concat();
    let odd = vec![
        b"\0".to_vec(),
        b"a\0".to_vec(),
        b"`\xff".to_vec(),
        b"`\xff\xff".to_vec(),
        b")\xff".to_vec(),
        b")\xff\x01".to_vec(),
        b"\xff".to_vec(),
        b"[".to_vec(),
        b"@".to_vec(),
        long(b"a"),
        long(b"b"),
        long(b"\0"),
        vec![0xff; 63],
    ];
    prop_oneof![3 => select(vec![&b"a"[..], b"b", b"*", b"*", b"ab"]).prop_map(<[u8]>::to_vec), 1 => select(odd)]
}

fn fits(labels: &[Vec<u8>]) -> bool {
    labels.iter().map(|label| label.len() + 1).sum::<usize>() <= 240
}

fn labels() -> impl Strategy<Value = Labels> {
    vec(label(), 0..5).prop_filter("a name fits in 255 bytes", |labels| fits(labels))
}

fn sets() -> impl Strategy<Value = Vec<RecordSet>> {
    let kinds = vec![rtype::A, rtype::A, rtype::A, rtype::NS, rtype::CNAME, rtype::DNAME, rtype::DS, 65_280];
    vec((labels(), select(kinds), prop::bool::weighted(0.9)), 0..12).prop_map(|all| {
        let mut sets: Vec<RecordSet> = Vec::new();
        for (labels, rtype, good) in all {
            let owner = Owner::new(labels.iter().map(Vec::as_slice));
            if sets.iter().any(|set| set.owner == owner && set.rtype == rtype) {
                continue;
            }
            let rdata = match rtype {
                _ if !good => vec![7; 3],
                rtype::A => vec![192, 0, 2, 1],
                rtype::DS => vec![0, 0, 0, 0, 1],
                _ => wire("t.example."),
            };
            sets.push(RecordSet { owner, rtype, ttl: 60, rdatas: vec![rdata] });
        }
        sets
    })
}

/// Names to ask for: below a registered one, near registered ones, and near those of the servers.
fn qname() -> impl Strategy<Value = Labels> {
    let tops =
        vec![&b"n"[..], b"m", b"n\0", b"n\0\0", b"o", b"\0", b"*", b"dotp2p", b"dotp2p\0", b"dotp2q", b"\xff", b"zz"];
    let servers = vec![&b"ns"[..], b"nt", b"ns\0", b"nr", b"*", b"\0"];
    prop_oneof![
        4 => labels().prop_map(|labels| [labels, vec![b"n".to_vec()]].concat()),
        2 => (vec(label(), 0..2), select(tops)).prop_map(|(labels, top)| [labels, vec![top.to_vec()]].concat()),
        1 => (vec(label(), 0..2), select(servers))
            .prop_map(|(labels, it)| [labels, vec![it.to_vec(), b"dotp2p".to_vec()]].concat()),
        1 => Just(vec![]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_proof_is_true_and_shows_what_the_answer_says(
        sets in sets(),
        has_m in any::<bool>(),
        qname in qname(),
        qtype in select(vec![rtype::A, rtype::A, rtype::DS, rtype::CNAME, rtype::NS, rtype::SOA, 65_280]),
    ) {
        let mut zone = FakeZone::default();
        zone.insert("n", sets.clone());
        let mut names = vec![("n", sets.as_slice())];
        if has_m {
            zone.insert("m", sets.clone());
            names.push(("m", &sets));
        }
        let name = DnsName::from_labels(qname.iter().map(Vec::as_slice).chain([&b"p2p"[..]])).unwrap();
        let question = Question { name, qtype, qclass: 1 };
        let signing = Signing { apex: &[], proofs: true };
        let proven = answer_with(&zone, &SERVERS, &question, Some(signing)).unwrap();
        check(&truth(&names), &question, &proven)?;
        // What is said is what is said without proofs.
        let plain = answer(&zone, &SERVERS, &question).unwrap();
        let without: Vec<Rr> = proven.authority.iter().filter(|rr| rr.rtype != rtype::NSEC).cloned().collect();
        prop_assert_eq!((proven.rcode, proven.aa, &proven.answer), (plain.rcode, plain.aa, &plain.answer));
        prop_assert_eq!((&without, &proven.additional), (&plain.authority, &plain.additional));
    }
}
