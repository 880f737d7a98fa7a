//! Records at the boundary of each rule (R1 to R7), with the reason and what it says of where.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dotp2p_chain::codec::DecodeError;
use dotp2p_chain::records::{Limits, Owner, RDATA_MAX, RecordSet, Records, RecordsError, TTL_MAX, is_storable};
use parity_scale_codec::{Compact, Encode};

/// `alice.p2p`, and room for everything.
const LIMITS: Limits = Limits { name_len: 5, tld_len: 3, max: 1 << 20 };

/// An RRset as it might come, well-formed or not.
#[derive(Clone)]
struct Set {
    labels: Vec<Vec<u8>>,
    rtype: u16,
    ttl: u32,
    rdatas: Vec<Vec<u8>>,
}

/// One record of type 16 at an owner of these labels.
fn at(labels: &[&[u8]]) -> Set {
    let labels = labels.iter().map(|label| label.to_vec()).collect();
    Set { labels, rtype: 16, ttl: 60, rdatas: vec![vec![7]] }
}

fn encode(sets: &[Set]) -> Vec<u8> {
    let mut out = vec![1];
    Compact(u32::try_from(sets.len()).unwrap()).encode_to(&mut out);
    for set in sets {
        set.labels.encode_to(&mut out);
        Compact(set.rtype).encode_to(&mut out);
        Compact(set.ttl).encode_to(&mut out);
        set.rdatas.encode_to(&mut out);
    }
    out
}

fn check(sets: &[Set]) -> Result<(), RecordsError> {
    let encoded = encode(sets);
    let records = Records::decode(&encoded, LIMITS)?;
    assert_eq!(records.encode(), encoded);
    Ok(())
}

#[test]
fn r1_the_version_and_r7_the_size() {
    let encoded = encode(&[at(&[])]);
    let len = encoded.len();
    assert!(Records::decode(&encoded, Limits { max: len, ..LIMITS }).is_ok());
    let short = Records::decode(&encoded, Limits { max: len - 1, ..LIMITS });
    assert_eq!(short, Err(RecordsError::Size { len, max: len - 1 }));
    for version in [0, 2] {
        assert_eq!(Records::decode(&[version, 0], LIMITS), Err(RecordsError::Version(version)));
    }
    assert!(matches!(Records::decode(&[], LIMITS), Err(RecordsError::Decode(DecodeError::Scale(_)))));
    assert_eq!(Records::decode(&[1, 0, 0], LIMITS), Err(DecodeError::TrailingBytes(1).into()));
}

#[test]
fn r3_labels_have_1_to_63_octets_and_no_capitals() {
    assert_eq!(check(&[at(&[&[b'a'; 63]])]), Ok(()));
    assert_eq!(check(&[at(&[b"b", &[b'a'; 64]])]), Err(RecordsError::LabelLength(64)));
    assert_eq!(check(&[at(&[b"b", b""])]), Err(RecordsError::LabelLength(0)));
    for capital in [b'A', b'Z'] {
        assert_eq!(check(&[at(&[b"b", &[b'a', capital]])]), Err(RecordsError::Capital(capital)));
    }
    assert_eq!(check(&[at(&[b"@[`{\xc3\x00."])]), Ok(()), "any other octet");
}

#[test]
fn r3_owner_and_name_make_255_octets_at_most() {
    // 1 + 5 + 1 + 3 + 1 for alice.p2p, 3 × 64, and 52: 255.
    let long = [b'a'; 63];
    assert_eq!(check(&[at(&[&[b'a'; 51], &long, &long, &long])]), Ok(()));
    assert_eq!(check(&[at(&[&[b'a'; 52], &long, &long, &long])]), Err(RecordsError::OwnerLength(256)));
    let encoded = encode(&[at(&[&[b'a'; 51], &long, &long, &long])]);
    for (name_len, tld_len) in [(6, 3), (5, 4)] {
        let refused = Records::decode(&encoded, Limits { name_len, tld_len, ..LIMITS });
        assert_eq!(refused, Err(RecordsError::OwnerLength(256)));
    }
    // Five labels less and they fit a longer name: each costs its octets and one more.
    let labels = [b"a".as_slice(); 122];
    assert_eq!(check(&[at(&labels)]), Ok(()));
    let one_more = [b"a".as_slice(); 123];
    assert_eq!(check(&[at(&one_more)]), Err(RecordsError::OwnerLength(257)));
}

#[test]
fn r5_ttl_and_rdata() {
    let set = at(&[b"www"]);
    assert_eq!(check(&[Set { ttl: TTL_MAX, ..set.clone() }]), Ok(()));
    assert_eq!(TTL_MAX, 2_147_483_647);
    assert_eq!(check(&[Set { ttl: TTL_MAX + 1, ..set.clone() }]), Err(RecordsError::Ttl(TTL_MAX + 1)));
    let (owner, rtype) = ("www".to_owned(), 16);
    let none = Set { rdatas: vec![], ..set.clone() };
    assert_eq!(check(&[none]), Err(RecordsError::NoRdata { owner: owner.clone(), rtype }));
    assert_eq!(check(&[Set { rdatas: vec![vec![0; RDATA_MAX]], ..set.clone() }]), Ok(()));
    let long = Set { rdatas: vec![vec![0], vec![1; RDATA_MAX + 1]], ..set.clone() };
    assert_eq!(check(&[long]), Err(RecordsError::RdataLength(RDATA_MAX + 1)));
    assert_eq!(check(&[Set { rdatas: vec![vec![], vec![1], vec![1, 0], vec![2]], ..set.clone() }]), Ok(()));
    for rdatas in [vec![vec![1], vec![1]], vec![vec![2], vec![1]], vec![vec![1, 0], vec![1]]] {
        let expected = RecordsError::RdataOrder { owner: owner.clone(), rtype };
        assert_eq!(check(&[Set { rdatas, ..set.clone() }]), Err(expected));
    }
}

#[test]
fn r6_types_that_servers_make_are_not_stored() {
    for rtype in 0..=300 {
        let refused = matches!(rtype, 0 | 6 | 24 | 30 | 41 | 46..=48 | 50 | 51 | 128..=255);
        assert_eq!(is_storable(rtype), !refused, "{rtype}");
        let expected = if refused { Err(RecordsError::Type(rtype)) } else { Ok(()) };
        assert_eq!(check(&[Set { rtype, ..at(&[]) }]), expected);
    }
}

#[test]
fn r4_order_and_the_owner_as_it_is_told() {
    let typed = |labels: &[&[u8]], rtype| Set { rtype, ..at(labels) };
    assert_eq!(
        check(&[typed(&[], 1), typed(&[], 16), typed(&[b"z", b"a"], 1), typed(&[b"b"], 1), typed(&[b"a", b"b"], 1)]),
        Ok(())
    );
    let out_of_order = |first: Set, second: Set, owner: &str| {
        let rtype = second.rtype;
        let expected = RecordsError::RrsetOrder { owner: owner.to_owned(), rtype };
        assert_eq!(check(&[at(&[]), first, second]), Err(expected));
    };
    out_of_order(typed(&[b"a"], 1), typed(&[b"a"], 1), "a");
    out_of_order(typed(&[b"a"], 2), typed(&[b"a"], 1), "a");
    out_of_order(typed(&[b"b"], 1), typed(&[b"z", b"a"], 2), "z.a");
    out_of_order(typed(&[b"b"], 1), typed(&[], 2), "@");
    let odd: &[&[u8]] = &[b"a.\\b", b"!~ \x7f\x00", b"\xff"];
    out_of_order(typed(odd, 2), typed(odd, 1), "a\\.\\\\b.!~\\032\\127\\000.\\255");
}

#[test]
fn what_is_there_is_found_and_nothing_else() {
    let set = |labels: &[&[u8]], rtype| {
        let owner = Owner::new(labels.iter().copied());
        RecordSet { owner, rtype, ttl: 60, rdatas: vec![vec![7]] }
    };
    let sets = vec![set(&[b"WWW"], 16), set(&[], 1), set(&[b"www"], 1)];
    let records = Records::new(sets, LIMITS).unwrap();
    let (www, apex) = (Owner::new([b"www".as_slice()]), Owner::APEX);
    assert_eq!(records.sets(), [set(&[], 1), set(&[b"www"], 1), set(&[b"www"], 16)]);
    for (owner, rtype) in [(&apex, 1), (&www, 1), (&www, 16)] {
        assert_eq!(records.get(owner, rtype).map(|set| (&set.owner, set.rtype)), Some((owner, rtype)));
    }
    for (owner, rtype) in [(&apex, 16), (&www, 2), (&Owner::new([b"ww".as_slice()]), 1)] {
        assert_eq!(records.get(owner, rtype), None);
    }
    assert_eq!((records.is_empty(), Records::default().is_empty()), (false, true));
    assert_eq!((apex.is_apex(), www.is_apex(), Owner::default().is_apex()), (true, false, true));
    assert_eq!(www.labels(), [b"www"]);
    // Told apart as it is sorted: the nearest label to the name decides first, and a missing one comes first.
    let [a, za, b] = [&[b"a".as_slice()][..], &[b"z", b"a"], &[b"b"]].map(|labels| Owner::new(labels.iter().copied()));
    assert!(apex < a && a < za && za < b && (b.partial_cmp(&za)) == Some(std::cmp::Ordering::Greater));
}
