//! Answers that barely fit: what may be left out goes before the message is called truncated.

use super::*;
use crate::fake::InCondition;
use crate::zone::Condition;

/// RDATA of so many bytes, in hexadecimal.
fn bytes(len: usize) -> String {
    "ab".repeat(len)
}

#[tokio::test]
async fn an_error_gives_way_to_an_answer_that_fits_without_it() {
    // With header, question, OPT and the record's head 48 bytes less than the message.
    let zone = |len| {
        InCondition(FakeZone::default().with("big", &format!(r"@ TYPE65280 \# {}", bytes(len))), Condition::Stale)
    };
    let config = Config { to: Forward::Off, ..Config::default() };
    for (len, expected) in [
        (1_232 - 48 - 28, (false, 1, vec![3])),
        (1_232 - 48 - 27, (false, 1, vec![])),
        (1_232 - 48, (false, 1, vec![])),
        (1_232 - 47, (true, 0, vec![])),
    ] {
        let got = World::of(zone(len), &config, Vec::new()).ask("big.p2p TYPE65280", "").await;
        let codes: Vec<u16> = errors(&got).iter().map(|(code, _)| *code).collect();
        assert_eq!((got.metadata.truncation, got.answers.len(), codes), expected, "{len}");
    }
}

#[tokio::test]
async fn what_an_upstream_says_of_an_error_gives_way_too() {
    let errors_of_1024: String = (0..4).map(|_| format!("000f01020006{}", bytes(256))).collect();
    let answer = format!(r"a.example 60 TYPE65280 \# {}", bytes(500));
    let upstream =
        FakeUpstream::start(move |_, query| vec![reply(query, 0, [&answer, "", &format!(". 0 OPT {errors_of_1024}")])])
            .await;
    let world = World::new(&to(&[&upstream]));
    let got = world.ask("a.example TYPE65280", "r").await;
    assert_eq!((got.metadata.truncation, got.answers.len(), errors(&got).len()), (false, 1, 0));
    let got = world.packet(&query("a.example TYPE65280", "r"), CLIENT, Protocol::Tcp).await;
    assert_eq!((got.answers.len(), errors(&got).len()), (1, 4), "where there is room they are told");
}

#[tokio::test]
async fn an_upstreams_servers_that_do_not_fit_are_no_truncation() {
    let servers: String = (0..20).map(|at| format!("example 60 NS ns{at}.a-long-name-of-a-server.test.\n")).collect();
    let proof = format!(r"vv.example 60 NSEC \# {}", "027777076578616d706c6500000140");
    let upstream = FakeUpstream::start(move |_, query| {
        let name = Message::from_vec(query).unwrap().queries[0].name().to_lowercase().to_string();
        let (len, authority) = match name.as_str() {
            "room.example." => (10, servers.clone()),
            "servers.example." => (1_100, servers.clone()),
            "proof.example." => (1_100, format!("{servers}{proof}")),
            _ => (1_170, format!("{servers}{proof}")),
        };
        let answer = format!(r"{} 60 TYPE65280 \# {}", name.trim_end_matches('.'), bytes(len));
        vec![reply(query, 0, [&answer, &authority, "ns1.a-long-name-of-a-server.test 60 A 192.0.2.1"])]
    })
    .await;
    let world = World::new(&to(&[&upstream]));
    for (name, expected) in [
        ("room", (false, 1, 20)),
        ("servers", (false, 1, 0)),
        ("proof", (false, 1, 1)),
        // A proof is no extra: who validates would be without it.
        ("tight", (true, 1, 0)),
    ] {
        let got = world.ask(&format!("{name}.example TYPE65280"), "rd").await;
        assert_eq!((got.metadata.truncation, got.answers.len(), got.authorities.len()), expected, "{name}");
    }
}
