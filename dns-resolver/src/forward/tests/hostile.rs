//! Upstreams that lie, strangers that answer in their place, and questions that come round.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::*;
use crate::fake::{domain, wire};
use crate::server::DnsServer;

/// Replies to `query` that are none, by one who sees it and gets something wrong: 100 of them.
fn wrong_replies(query: &[u8]) -> Vec<Vec<u8>> {
    let spoofed = ["a-long-name.example 60 A 6.6.6.6", "", ""];
    let right = reply(query, 0, spoofed);
    let letters: Vec<usize> = (12..query.len() - 15).filter(|at| query[*at].is_ascii_alphabetic()).collect();
    let mut out = Vec::new();
    for at in 0..40_u8 {
        // Another ID.
        let mut reply = right.clone();
        reply[1] ^= at + 1;
        out.push(reply);
        // Another case.
        let mut reply = right.clone();
        reply[letters[usize::from(at) % letters.len()]] ^= 0x20;
        out.push(reply);
    }
    for at in 0..5_u8 {
        // Another question, none, a query, too short, nothing.
        let mut name = right.clone();
        name[13] = b'0' + at;
        let mut none = right.clone();
        none[5] = 0;
        let mut is_query = right.clone();
        is_query[2] &= 0x7f;
        out.extend([name, none, is_query, right[..20].to_vec()]);
    }
    out
}

#[tokio::test]
async fn ten_thousand_spoofed_replies_and_none_is_believed() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let upstream = FakeUpstream::start(move |via, query| {
        let mut all = if via == Via::Udp { wrong_replies(query) } else { Vec::new() };
        counter.fetch_add(all.len(), Ordering::SeqCst);
        all.push(reply(query, 0, ["a-long-name.example 0 A 192.0.2.1", "", ""]));
        all
    })
    .await;
    let world = World::new(&to(&[&upstream]));
    let mut asked = 0;
    while sent.load(Ordering::SeqCst) < 10_000 {
        let line = world.line("a-long-name.example A", "r").await;
        assert_eq!(line, "NOERROR rd ra | a-long-name.example. 0 IN A 192.0.2.1");
        asked += 1;
    }
    println!("{} spoofed replies to {asked} questions", sent.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_reply_from_elsewhere_is_none() {
    let (port, seen) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let config = Config { to: format!("{}", port.local_addr().unwrap()).parse().unwrap(), ..Config::default() };
    let world = World::new(&config);
    let (line, ()) = tokio::join!(world.line("a.example A", "r"), async {
        let mut buffer = [0; 512];
        let (len, from) = port.recv_from(&mut buffer).await.unwrap();
        for _ in 0..100 {
            // The right reply, from another port.
            let spoofed = reply(&buffer[..len], 0, ["a.example 60 A 6.6.6.6", "", ""]);
            let _ = seen.send_to(&spoofed, from).await;
        }
        port.send_to(&reply(&buffer[..len], 0, ["a.example 60 A 192.0.2.1", "", ""]), from).await.unwrap();
    });
    assert_eq!(line, "NOERROR rd ra | a.example. 60 IN A 192.0.2.1");
}

#[tokio::test]
async fn ports_are_the_systems_random_ones() {
    let upstream = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let config = Config { to: upstream.local_addr().unwrap().to_string().parse().unwrap(), ..Config::default() };
    let world = World::new(&config);
    let mut ports = HashSet::new();
    for _ in 0..50 {
        let (_, ()) = tokio::join!(world.line("a.example A", "r"), async {
            let mut buffer = [0; 512];
            let (len, from) = upstream.recv_from(&mut buffer).await.unwrap();
            ports.insert(from.port());
            upstream.send_to(&reply(&buffer[..len], 0, ["a.example 0 A 192.0.2.1", "", ""]), from).await.unwrap();
        });
    }
    assert!(ports.len() >= 45, "{}", ports.len());
}

/// An upstream that writes the question in lower case: over UDP it cannot be told from a stranger.
#[tokio::test]
async fn an_upstream_that_changes_the_case_is_asked_over_tcp() {
    let upstream = FakeUpstream::start(|_, query| {
        let mut reply = reply(query, 0, ["a-long-name.example 60 A 192.0.2.1", "", ""]);
        reply[12..30].make_ascii_lowercase();
        vec![reply]
    })
    .await;
    let world = World::new(&to(&[&upstream]));
    let line = world.line("a-long-name.example A", "r").await;
    assert_eq!(line, "NOERROR rd ra | a-long-name.example. 60 IN A 192.0.2.1");
    assert_eq!(upstream.came().last().unwrap().0, Via::Tcp);
}

#[tokio::test]
async fn nothing_an_upstream_says_about_our_domain_is_believed() {
    let answer = "evil.example 60 CNAME x.p2p.\nx.p2p 60 A 6.6.6.6\nX.P2P 60 A 6.6.6.6\np2p 60 A 6.6.6.6\nother.example 60 A 6.6.6.6";
    let authority =
        "p2p 60 NS ns.evil.example.\np2p 60 SOA 60\nalice.p2p 60 NS ns.evil.example.\nexample 60 NS ns.example.";
    let additional = "alice.p2p 60 A 6.6.6.6\nns.x.p2p 60 AAAA ::6\nns.example 60 A 192.0.2.5";
    let upstream = FakeUpstream::start(move |_, query| {
        let name = Message::from_vec(query).unwrap().queries[0].name().to_lowercase().to_string();
        let direct = format!("honest.example 60 A 192.0.2.1\n{answer}");
        vec![reply(query, 0, [if name == "honest.example." { &direct } else { answer }, authority, additional])]
    })
    .await;
    let world = World::new(&to(&[&upstream]));
    let expected = "NOERROR rd ra | honest.example. 60 IN A 192.0.2.1 | example. 60 IN NS ns.example. | ns.example. 60 IN A 192.0.2.5";
    assert_eq!(world.line("honest.example A", "r").await, expected);
    assert_eq!(world.line("honest.example A", "r").await, expected, "from the cache");
    let evil = world.line("evil.example A", "r").await;
    assert!(
        evil.starts_with("NXDOMAIN rd ra | evil.example. 60 IN CNAME x.p2p. | p2p. 60 IN SOA ns.dotp2p.p2p."),
        "{evil}"
    );
    for question in ["x.p2p A", "alice.p2p A", "p2p NS", "ns.x.p2p AAAA"] {
        let got = world.ask(question, "r").await;
        assert!(got.metadata.authoritative && !dig(&got).contains("6.6.6.6") && !dig(&got).contains("evil"));
    }
}

#[tokio::test]
async fn our_domain_never_leaves_the_machine() {
    let upstream = FakeUpstream::saying(3, ["", "example 60 SOA 60", ""]).await;
    let world = World::new(&to(&[&upstream]));
    let names = [
        "p2p",
        "P2P",
        "alice.p2p",
        "no.p2p",
        "x.ALICE.p2P",
        "sub.far.p2p",
        "a.b.c.d.p2p",
        "*.p2p",
        "dotp2p.p2p",
        "_x.p2p",
    ];
    for name in names {
        for rtype in ["A", "AAAA", "NS", "SOA", "DS", "DNSKEY", "ANY", "TXT", "AXFR", "TYPE65280"] {
            for bits in ["r", "rd", "rdc", ""] {
                for protocol in [Protocol::Udp, Protocol::Tcp] {
                    world.packet(&query(&format!("{name} {rtype}"), bits), CLIENT, protocol).await;
                }
            }
        }
    }
    // Those of a delegated name are its servers' to answer, whose addresses are asked for.
    assert_eq!(upstream.names(), ["ns.example."; 2]);
    // Outside they are, whatever they look like.
    for name in ["p2p.example", "xp2p", "alice.p2p.org", "p2pp", "."] {
        world.ask(&format!("{name} A"), "r").await;
    }
    assert_eq!(upstream.names()[2..], ["p2p.example.", "xp2p.", "alice.p2p.org.", "p2pp.", "."]);
}

/// Another resolver that asks us everything, as Unbound or dnsmasq told to forward to us do.
#[tokio::test]
async fn a_question_that_comes_round_is_not_sent_again() {
    let bound = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolver = bound.local_addr().unwrap();
    let forward = Config { to: resolver.to_string().parse().unwrap(), ..Config::default() };
    let zone: Arc<dyn Zone> = Arc::new(FakeZone::default());
    let config = crate::server::Config { forward, ..Default::default() };
    let server = DnsServer::bind(&["127.0.0.1:0".parse().unwrap()], move || zone.clone(), config).await.unwrap();
    let ours = server.local_addrs()[0];
    let passed = Arc::new(AtomicUsize::new(0));
    let counter = passed.clone();
    let round = tokio::spawn(async move {
        let mut buffer = [0; 4_096];
        loop {
            let (len, from) = bound.recv_from(&mut buffer).await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            let ask = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            ask.send_to(&buffer[..len], ours).await.unwrap();
            let mut answer = [0; 4_096];
            let len = ask.recv(&mut answer).await.unwrap();
            bound.send_to(&answer[..len], from).await.unwrap();
        }
    });
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut buffer = [0; 4_096];
    for number in ["a", "another", "one-more", "the-last"] {
        let question = &format!("{number}-name-with-letters.example A");
        client.send_to(&query(question, "r"), ours).await.unwrap();
        let (len, from) = timeout(DEADLINE, client.recv_from(&mut buffer)).await.expect("in time").unwrap();
        assert_eq!(from, ours, "from the address that was asked");
        let got = Message::from_vec(&buffer[..len]).unwrap();
        assert_eq!(line(&got), "SERVFAIL rd ra ede=0");
    }
    assert_eq!(passed.load(Ordering::SeqCst), 3, "after the third name, it is let alone");
    assert_eq!(server.forwarded().unwrap().loops, 3);
    round.abort();
}

/// How a question is written is seen by the servers of its name's owner, who may send it to us from anywhere: that fails his names.
#[tokio::test]
async fn questions_that_come_round_from_elsewhere_leave_the_upstream_alone() {
    let upstream = slow_about_some().await;
    let world = World::new(&to(&[&upstream]));
    for at in 0..4 {
        let question = format!("slow-name-with-letters-{at}.example A");
        let copied = || {
            upstream.came().iter().map(|it| it.1.clone()).find(|it| it.windows(2).any(|two| two == [b'-', b'0' + at]))
        };
        let copy = async {
            let query = loop {
                match copied() {
                    Some(query) => break query,
                    None => tokio::task::yield_now().await,
                }
            };
            line(&world.packet(&query, "192.168.7.7", Protocol::Udp).await)
        };
        let (asked, copy) = tokio::join!(world.line(&question, "r"), timeout(DEADLINE, copy));
        let copy = copy.expect("it was sent");
        assert_eq!((asked.as_str(), copy.as_str()), ("SERVFAIL rd ra ede=0", "SERVFAIL rd ra ede=0"));
    }
    assert_eq!(world.counts().loops, 4);
    let servers = world.forwarder.as_ref().unwrap().servers();
    assert!(servers.iter().all(|server| !server.is_looping(Instant::now())));
    assert_eq!(world.line("quick.example A", "r").await, "NOERROR rd ra | quick.example. 60 IN A 192.0.2.1");
}

/// An upstream that is silent about names that begin with "slow".
async fn slow_about_some() -> FakeUpstream {
    FakeUpstream::start(|_, query| match query[13].to_ascii_lowercase() {
        b's' => Vec::new(),
        _ => vec![reply(query, 0, ["quick.example 60 A 192.0.2.1", "", ""])],
    })
    .await
}

/// The first query that came, when it has come.
async fn first(upstream: &FakeUpstream) -> Vec<u8> {
    loop {
        match upstream.came().first() {
            Some((_, query)) => return query.clone(),
            None => tokio::task::yield_now().await,
        }
    }
}

/// Somebody asks for a name whose server is slow, and then in every case there is, until one is ours.
#[tokio::test]
async fn who_guesses_the_case_of_a_question_fails_that_question_alone() {
    let is_slow = Arc::new(AtomicBool::new(true));
    let shown = is_slow.clone();
    let answer = "slow-name-with-letters.example 60 A 192.0.2.1\nquick.example 60 A 192.0.2.1";
    let upstream = FakeUpstream::start(move |_, query| match shown.load(Ordering::SeqCst) {
        true => Vec::new(),
        false => vec![reply(query, 0, [answer, "", ""])],
    })
    .await;
    let world = World::new(&to(&[&upstream]));
    let (slow, guessed) = tokio::join!(world.line("slow-name-with-letters.example A", "r"), async {
        let right = first(&upstream).await;
        is_slow.store(false, Ordering::SeqCst);
        line(&world.packet(&right, CLIENT, Protocol::Udp).await)
    });
    assert_eq!((slow.as_str(), guessed.as_str()), ("SERVFAIL rd ra ede=0", "SERVFAIL rd ra ede=0"));
    let servers = world.forwarder.as_ref().unwrap().servers();
    assert!(servers.iter().all(|server| !server.is_away(Instant::now()) && !server.is_looping(Instant::now())));
    assert_eq!(world.line("quick.example A", "r").await, "NOERROR rd ra | quick.example. 60 IN A 192.0.2.1");
    assert_eq!(world.counts().loops, 1);
    let again = world.line("slow-name-with-letters.example A", "r").await;
    assert_eq!(again, "NOERROR rd ra | slow-name-with-letters.example. 60 IN A 192.0.2.1", "and that for no time");
}

/// Eight questions a connection, which ends as the next one takes its place.
#[tokio::test]
async fn questions_of_a_connection_that_has_ended_keep_their_places() {
    let upstream = slow_about_some().await;
    let config = crate::server::Config { tcp_max: 1, forward: to(&[&upstream]), ..Default::default() };
    let zone: Arc<dyn Zone> = Arc::new(FakeZone::default());
    let server = DnsServer::bind(&["127.0.0.1:0".parse().unwrap()], move || zone.clone(), config).await.unwrap();
    let connect = || TcpStream::connect(server.local_addrs()[0]);
    let question = |at: usize| {
        let query = query(&format!("slow{at}.example A"), "r");
        [&u16::try_from(query.len()).unwrap().to_be_bytes()[..], &query].concat()
    };
    let mut stream = connect().await.unwrap();
    for at in 0..WAITING_PER_CLIENT {
        if at % 8 == 0 {
            while upstream.names().into_iter().collect::<HashSet<_>>().len() < at {
                tokio::task::yield_now().await;
            }
            stream = connect().await.unwrap();
        }
        stream.write_all(&question(at)).await.unwrap();
    }
    stream.write_all(&question(WAITING_PER_CLIENT)).await.unwrap();
    let len = timeout(DEADLINE, stream.read_u16()).await.expect("in time").unwrap();
    let mut answer = vec![0; len.into()];
    stream.read_exact(&mut answer).await.unwrap();
    let told = Message::from_vec(&answer).unwrap();
    assert_eq!(told.queries[0].name().to_string(), format!("slow{WAITING_PER_CLIENT}.example."));
    assert_eq!(errors(&told), [(0, "too many questions wait for upstream resolvers".to_owned())]);
}

/// A guess takes a place like any question, so there are no more guesses than places.
#[tokio::test]
async fn a_client_without_a_place_does_not_guess_on() {
    let upstream = slow_about_some().await;
    let world = World::new(&to(&[&upstream]));
    let guess = |packet: &[u8]| world.full.answer(packet, "127.0.0.1:4444".parse().unwrap(), Protocol::Udp);
    let wrong = query("slow-name-with-letters.example A", "r");
    let slow = world.packet(&wrong, "10.0.0.9", Protocol::Udp);
    let (_, ()) = tokio::join!(slow, async {
        let right = first(&upstream).await;
        let waiting: Vec<Outcome> = (0..WAITING_PER_CLIENT).map(|_| guess(&wrong)).collect();
        assert!(waiting.iter().all(|outcome| matches!(outcome, Outcome::Forward(_))));
        let told = Message::from_vec(&guess(&right).answer().unwrap()).unwrap();
        assert_eq!(errors(&told), [(0, "too many questions wait for upstream resolvers".to_owned())]);
        drop(waiting);
        let told = Message::from_vec(&guess(&right).answer().unwrap()).unwrap();
        assert_eq!(errors(&told), [(0, "the upstream resolver asks this server the same".to_owned())]);
    });
}

fn outside() -> Outside {
    Outside { dnssec_ok: true, ..Outside::of(domain("www.example"), 1) }
}

#[test]
fn compressed_names_are_written_out() {
    let query = query("www.example A", "r");
    let mut packet = reply(&query, 0, ["", "", ""]);
    packet[9] = 1;
    // An SOA at a pointer, with pointers in it and 20 bytes after them.
    packet.extend([0xc0, 16, 0, 6, 0, 1, 0, 0, 0, 60, 0, 27, 2, b'n', b's', 0xc0, 16, 0xc0, 12]);
    packet.extend([0; 16]);
    packet.extend([0, 0, 0, 30]);
    let told = Told::read(&packet, &outside(), "p2p").unwrap().told;
    let expected = [wire("ns.example"), wire("www.example"), vec![0; 16], vec![0, 0, 0, 30]].concat();
    assert_eq!((&told.authority[0].rdata, told.authority[0].ttl, told.ttl), (&expected, 30, 30));
    // RDATA that ends before its name does.
    packet[query.len() - 11 + 11] = 3;
    assert!(Told::read(&packet, &outside(), "p2p").is_err());
}

#[test]
fn a_naptrs_compressed_name_is_written_out() {
    let query = query("www.example NAPTR", "r");
    let mut packet = reply(&query, 0, ["", "", ""]);
    packet[7] = 1;
    // Order, preference, flags "s", services "SIP+D2U", no expression, and `_sip` before a pointer to `example`.
    let texts = b"\x01s\x07SIP+D2U\x00";
    packet.extend([0xc0, 12, 0, 35, 0, 1, 0, 0, 0, 60, 0, 22, 0, 10, 0, 20]);
    packet.extend([texts.as_slice(), b"\x04_sip\xc0\x10"].concat());
    let question = Outside { qtype: 35, ..outside() };
    let told = Told::read(&packet, &question, "p2p").unwrap().told;
    assert_eq!(told.answer[0].rdata, [&[0, 10, 0, 20], texts.as_slice(), &wire("_sip.example")].concat());
    // A text that is longer than what is left.
    let at = packet.len() - texts.len() - 7;
    packet[at] = 200;
    assert!(Told::read(&packet, &question, "p2p").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever comes, reading it ends, without panic and without our domain.
    #[test]
    fn any_reply_is_read_or_not(flips in proptest::collection::vec((12_usize..200, any::<u8>()), 0..8), cut in 0_usize..400) {
        let sections = [
            "www.example 60 CNAME a.example.\na.example 60 A 192.0.2.1\nx.p2p 60 A 6.6.6.6",
            "example 60 SOA 60\nexample 60 MX 5 mail.example.",
            ". 0 OPT 000f00050006626164",
        ];
        let mut packet = reply(&query("www.example A", "r"), 0, sections);
        for (at, byte) in flips {
            let len = packet.len();
            packet[at % len] = byte;
        }
        packet.truncate(packet.len().min(cut + 12));
        if let Ok(reading) = Told::read(&packet, &outside(), "p2p") {
            let told = reading.told;
            for rr in told.answer.iter().chain(&told.authority).chain(&told.additional) {
                prop_assert!(!is_inside(&rr.owner, "p2p"));
            }
        }
    }
}
