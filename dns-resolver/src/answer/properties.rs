//! Properties: the way down a name's records against a slow reading of the RFCs, and what holds for every answer.

use dotp2p_chain::records::{Limits, Owner};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::fake::{FakeZone, domain, wire};
use crate::rdata::is_servable;

const APEX: &str = "n.p2p.";

/// What is decided about a name: by whose records it is answered, if by any.
#[derive(Debug, PartialEq)]
enum Verdict {
    Referral(Vec<u8>),
    Redirect(Vec<u8>),
    Data(Vec<u8>),
    NoData,
    NoName,
}

/// Decides as the RFCs say it, looking at every RRset again for every question. Owners are leftmost first.
fn naive(sets: &[RecordSet], qname: &[Vec<u8>], qtype: u16) -> Verdict {
    let served: Vec<&RecordSet> = sets.iter().filter(|set| is_servable(set)).collect();
    let exists = |owner: &[Vec<u8>]| owner.is_empty() || served.iter().any(|set| set.owner.labels().ends_with(owner));
    let find = |owner: &[Vec<u8>], rtype: u16| {
        let at = |rtype| served.iter().find(|set| set.owner.labels() == owner && set.rtype == rtype);
        // CNAME beats the others at its owner.
        let beaten = rtype != rtype::CNAME && at(rtype::CNAME).is_some();
        if beaten { None } else { at(rtype).and_then(|set| set.rdatas.first().cloned()) }
    };
    for start in (0..=qname.len()).rev() {
        let owner = &qname[start..];
        let is_qname = start == 0;
        if let Some(ns) = find(owner, rtype::NS)
            && !(is_qname && qtype == rtype::DS)
        {
            return Verdict::Referral(ns);
        }
        if let Some(dname) = find(owner, rtype::DNAME)
            && !is_qname
        {
            return Verdict::Redirect(dname);
        }
    }
    let source = if exists(qname) {
        qname.to_vec()
    } else {
        let encloser = (1..=qname.len()).map(|start| &qname[start..]).find(|owner| exists(owner)).unwrap();
        let wildcard = [&[b"*".to_vec()], encloser].concat();
        if !exists(&wildcard) {
            return Verdict::NoName;
        }
        wildcard
    };
    match find(&source, rtype::CNAME).or_else(|| find(&source, qtype)) {
        Some(rdata) => Verdict::Data(rdata),
        None => Verdict::NoData,
    }
}

/// The verdict that an answer shows. Every target is outside the domain, so there is no chain.
fn verdict(answer: &Answer) -> Verdict {
    match (answer.answer.first(), answer.authority.first()) {
        (Some(rr), None) if rr.rtype == rtype::DNAME && answer.answer.len() == 2 => Verdict::Redirect(rr.rdata.clone()),
        (Some(rr), None) => Verdict::Data(rr.rdata.clone()),
        (None, Some(rr)) if rr.rtype == rtype::NS && !answer.aa => Verdict::Referral(rr.rdata.clone()),
        (None, Some(rr)) if rr.rtype == rtype::SOA && answer.rcode == ResponseCode::NXDomain => Verdict::NoName,
        (None, Some(rr)) if rr.rtype == rtype::SOA => Verdict::NoData,
        _ => panic!("no verdict: {answer:?}"),
    }
}

pub(crate) fn labels() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(select(vec![&b"a"[..], b"b", b"*", b"*", b"ab"]).prop_map(<[u8]>::to_vec), 0..5)
}

/// RRsets at owners that come near one another; the RDATA says which one it is, and now and then cannot be served.
pub(crate) fn sets() -> impl Strategy<Value = Vec<RecordSet>> {
    let kinds = vec![rtype::A, rtype::A, rtype::NS, rtype::CNAME, rtype::DNAME, rtype::DS];
    vec((labels(), select(kinds), prop::bool::weighted(0.9)), 0..12).prop_map(|all| {
        let mut sets: Vec<RecordSet> = Vec::new();
        for (number, (labels, rtype, good)) in (0_u8..).zip(all) {
            let owner = Owner::new(labels.iter().map(Vec::as_slice));
            if sets.iter().any(|set| set.owner == owner && set.rtype == rtype) {
                continue;
            }
            let rdata = match rtype {
                _ if !good => vec![7; 3],
                rtype::A => vec![192, 0, 2, number],
                rtype::DS => vec![0, 0, 0, 0, number],
                _ => wire(&format!("t{number}.example.")),
            };
            sets.push(RecordSet { owner, rtype, ttl: 60, rdatas: vec![rdata] });
        }
        sets
    })
}

/// RRsets full of aliases into each other, delegations and nonsense.
pub(crate) fn wild_sets() -> impl Strategy<Value = Vec<RecordSet>> {
    let target = vec(select(vec!["a", "B", "*", "c"]), 0..4).prop_map(|labels| {
        let labels: String = labels.iter().map(|label| format!("{label}.")).collect();
        wire(&format!("{labels}{APEX}"))
    });
    let rdata = prop_oneof![4 => target, 1 => vec(any::<u8>(), 0..20), 1 => Just(vec![192, 0, 2, 1])];
    let kinds = vec![rtype::A, rtype::AAAA, rtype::NS, rtype::CNAME, rtype::CNAME, rtype::DNAME, rtype::HINFO, 65_280];
    let owner = vec(select(vec!["a", "b", "*", "c"]), 0..4);
    vec((owner, select(kinds), vec(rdata, 1..4)), 0..12).prop_map(|all| {
        let mut sets: Vec<RecordSet> = Vec::new();
        for (labels, rtype, rdatas) in all {
            let owner = Owner::new(labels.iter().map(|label| label.as_bytes()));
            if !sets.iter().any(|set| set.owner == owner && set.rtype == rtype) {
                sets.push(RecordSet { owner, rtype, ttl: 60, rdatas });
            }
        }
        sets
    })
}

fn zone(sets: Vec<RecordSet>) -> (FakeZone, Records) {
    let limits = Limits { name_len: 1, tld_len: 3, max: 1 << 20 };
    let mut zone = FakeZone::default();
    zone.insert("n", sets.clone());
    (zone, Records::new(sets, limits).unwrap())
}

fn ask(zone: &FakeZone, labels: &[Vec<u8>], qtype: u16) -> Answer {
    let apex = domain(APEX);
    let name = DnsName::from_labels(labels.iter().map(Vec::as_slice).chain(apex.iter())).unwrap();
    answer(zone, &[], &Question { name, qtype, qclass: 1 }).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_way_down_agrees_with_the_naive_one(sets in sets(), qname in labels(), ds in any::<bool>()) {
        let qtype = if ds { rtype::DS } else { rtype::A };
        let (zone, records) = zone(sets);
        let found = ask(&zone, &qname, qtype);
        prop_assert_eq!(verdict(&found), naive(records.sets(), &qname, qtype), "{:?}", records);
    }

    #[test]
    fn every_answer_is_bounded(
        sets in wild_sets(),
        qname in vec(select(vec![&b"a"[..], b"b", b"*", b"c"]).prop_map(<[u8]>::to_vec), 0..5),
        qtype in prop_oneof![select(vec![1, 2, 5, 6, 12, 28, 39, 43, 255, 65_280]), any::<u16>()],
    ) {
        let (zone, _) = zone(sets);
        let answer = ask(&zone, &qname, qtype);
        prop_assert!(answer.answer.iter().filter(|rr| rr.rtype == rtype::CNAME).count() <= MAX_LINKS);
        prop_assert!(answer.required <= answer.additional.len());
        let sections = [&answer.answer, &answer.authority, &answer.additional];
        for section in sections {
            for (at, rr) in section.iter().enumerate() {
                prop_assert!(!section[..at].contains(rr), "twice: {rr:?}");
                prop_assert!(domain("p2p.").zone_of(&rr.owner));
            }
        }
        // Nothing to say is said with the SOA, or not said at all.
        let is_silent = sections.iter().all(|section| section.is_empty());
        prop_assert!(!is_silent || answer.rcode == ResponseCode::Refused);
    }
}
