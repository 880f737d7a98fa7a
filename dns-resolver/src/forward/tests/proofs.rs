//! Proofs that something is not there, where an alias crosses the border of our domain (RFC 4035 3.1.3.3, 5.3.4).

use hickory_proto::rr::Record;

use super::*;

/// Of the type whose number is `covered`, by ECDSA P-256, with `labels` labels, by `signer` in wire form; both in hexadecimal.
fn signature(owner: &str, covered: &str, labels: &str, signer: &str) -> String {
    format!(r"{owner} 60 RRSIG \# {covered}0d{labels}0000003c70000000600000001234{signer}aabbccdd")
}

const EXAMPLE: &str = "076578616d706c6500";
const ROOT: &str = "00";

/// `alice` has a wildcard that leads to `www.example`, `bob` one that leads nowhere, and all of it is signed.
fn signed(upstream: &FakeUpstream) -> World {
    let zone =
        FakeZone::default().with("alice", "* CNAME www.example.\n@ A 192.0.2.7").with("bob", "* CNAME no.example.");
    let keys = KeyFile::generate(Algorithm::Ed25519).unwrap();
    let signer = Arc::new(Signer::new("p2p", keys, 1 << 20, || 1_800_000_000));
    World::with(zone, &to(&[upstream]), Vec::new(), Some(signer))
}

fn types(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| format!("{} {}", record.name, record.record_type())).collect()
}

async fn upstream() -> FakeUpstream {
    FakeUpstream::start(|_, query| {
        let name = Message::from_vec(query).unwrap().queries[0].name().to_lowercase().to_string();
        // What there is not between vv and ww, by the zone itself, and between ovh and pa by the root: that would be us.
        let denials = [
            r"vv.example 60 NSEC \# 027777076578616d706c6500000140",
            &signature("vv.example", "002f", "02", EXAMPLE),
            r". 60 SOA 60",
            &signature(".", "0006", "00", ROOT),
            r"ovh 60 NSEC \# 02706100000140",
            &signature("ovh", "002f", "01", ROOT),
        ]
        .join("\n");
        vec![match name.as_str() {
            "www.example." => {
                let answer = format!("www.example 9 A 192.0.2.1\n{}", signature("www.example", "0001", "02", EXAMPLE));
                reply(query, 0, [&answer, "example 60 NS ns.example.", ""])
            }
            "no.example." => reply(query, 3, ["", "example 60 SOA 60", ""]),
            // Made of *.example: its signature has one label.
            _ => {
                let to = if name == "wild1.example." { "nobody.p2p." } else { "alice.p2p." };
                let owner = name.trim_end_matches('.');
                let answer = format!("{owner} 60 CNAME {to}\n{}", signature(owner, "0005", "01", EXAMPLE));
                reply(query, if to == "nobody.p2p." { 3 } else { 0 }, [&answer, &denials, ""])
            }
        }]
    })
    .await
}

#[tokio::test]
async fn the_proof_for_our_wildcard_stays_when_its_alias_leads_outside() {
    let upstream = upstream().await;
    let world = signed(&upstream);
    let got = world.ask("foo.alice.p2p A", "rd").await;
    assert_eq!(
        types(&got.answers),
        ["foo.alice.p2p. CNAME", "foo.alice.p2p. RRSIG", "www.example. A", "www.example. RRSIG"]
    );
    let proof = world.ask("foo.alice.p2p CNAME", "rd").await;
    let expected = [vec!["example. NS".to_owned()], types(&proof.authorities)].concat();
    assert!(proof.authorities.len() == 2 && types(&got.authorities) == expected, "{}", dig(&got));
    // Again, with what is outside from the cache.
    assert_eq!(types(&world.ask("foo.alice.p2p A", "rd").await.authorities), expected);
    let nowhere = world.ask("foo.bob.p2p A", "rd").await;
    assert_eq!(nowhere.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(types(&nowhere.authorities)[0], "example. SOA");
    assert_eq!(nowhere.authorities.len(), 3, "{}", dig(&nowhere));
    // Who does not want proofs gets none.
    assert_eq!(types(&world.ask("foo.alice.p2p A", "r").await.authorities), ["example. NS"]);
}

#[tokio::test]
async fn the_proof_for_an_upstreams_wildcard_stays_when_its_alias_leads_into_our_domain() {
    let upstream = upstream().await;
    let world = signed(&upstream);
    let denied = types(&world.ask("nobody.p2p A", "rd").await.authorities);
    for from in ["the upstream", "the cache"] {
        let got = world.ask("wild1.example A", "rd").await;
        assert_eq!(got.metadata.response_code, ResponseCode::NXDomain);
        assert_eq!(types(&got.answers), ["wild1.example. CNAME", "wild1.example. RRSIG"]);
        let expected = [denied.clone(), vec!["vv.example. NSEC".to_owned(), "vv.example. RRSIG".to_owned()]].concat();
        assert_eq!(types(&got.authorities), expected, "from {from}; the root's word about our domain is not passed on");
        let got = world.ask("wild2.example A", "rd").await;
        assert_eq!(types(&got.authorities), ["vv.example. NSEC", "vv.example. RRSIG"], "from {from}");
        assert_eq!(got.answers.len(), 4, "{}", dig(&got));
    }
    assert_eq!(upstream.came().len(), 2);
    let plain = world.ask("wild2.example A", "r").await;
    assert!(plain.authorities.is_empty(), "{}", dig(&plain));
}
