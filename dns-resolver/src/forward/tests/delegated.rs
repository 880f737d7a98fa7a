//! Names with servers of their own, for a client that wants the answer.

use std::collections::HashMap;

use super::*;
use crate::answer::Rr;
use crate::fake::{domain, wire};

/// The zone, an upstream, and servers of names at 192.0.2.53, .54 and so on.
struct Delegated {
    world: World,
    upstream: FakeUpstream,
    servers: Vec<FakeUpstream>,
}

/// What a server says: of a name in lower case and its type, the header's AA and rcode, and the sections.
type Says = fn(&str) -> (bool, u8, [&'static str; 3]);

async fn saying(says: Says) -> FakeUpstream {
    FakeUpstream::start(move |_, query| {
        let message = Message::from_vec(query).unwrap();
        let question = &message.queries[0];
        let (is_authoritative, rcode, sections) =
            says(&format!("{}{}", question.name().to_lowercase(), question.query_type()));
        let mut reply = reply(query, rcode, sections);
        reply[2] |= if is_authoritative { 4 } else { 0 };
        // Of a server of which only one address is known: about the other nothing is said.
        if question.name().to_lowercase().to_string() == "half.example." && question.query_type() == RecordType::AAAA {
            return Vec::new();
        }
        vec![reply]
    })
    .await
}

const NOTHING: Says = |_| (true, 3, [""; 3]);

impl Delegated {
    async fn new(servers: &[Says]) -> Self {
        let upstream = saying(|question| match question {
            "www.example.A" => (false, 0, ["www.example 60 A 192.0.2.1", "", ""]),
            "half.example.A" => (false, 0, ["half.example 60 A 192.0.2.53", "", ""]),
            "ns.example.A" => (false, 0, ["ns.example 60 A 192.0.2.53", "", ""]),
            "six.example.AAAA" => (false, 0, ["six.example 60 AAAA 2001:db8::6", "", ""]),
            "six.example.A" => (false, 0, ["six.example 60 A 192.0.2.53", "", ""]),
            "in.example.A" => (false, 0, ["in.example 60 CNAME www.carol.p2p.", "", ""]),
            _ => (false, 0, ["", "example 60 SOA 60", ""]),
        })
        .await;
        let mut all = Vec::new();
        for says in servers {
            all.push(saying(*says).await);
        }
        let zone = FakeZone::default()
            .with("alice", "@ A 192.0.2.7\nto CNAME www.carol.p2p.")
            .with("carol", "@ NS ns\nns A 192.0.2.53")
            .with("two", "sub NS ns1.sub\nsub NS ns2.sub\nns1.sub A 192.0.2.53\nns2.sub A 192.0.2.54")
            .with("away", "@ NS ns.example.")
            .with("here", "@ NS ns\nns A 127.0.0.1")
            .with("hosted", "@ NS ns1.host.p2p.\n")
            .with("half", "@ NS half.example.")
            .with("six", "@ NS six.example.")
            .with("host", "ns1 CNAME ns2\nns2 A 192.0.2.53")
            .with("dual", "@ NS ns\n@ NS ns.example.\nns A 192.0.2.98\nns AAAA 2001:db8::98");
        let at = (53..).zip(&all).map(|(last, server)| (IpAddr::from([192, 0, 2, last]), server.addr));
        let at: HashMap<_, _> = at.collect();
        let reach = Box::new(move |ip| at.get(&ip).copied());
        let world = World::reaching(zone, &to(&[&upstream]), Vec::new(), None, reach);
        Self { world, upstream, servers: all }
    }
}

const CAROL: Says = |question| match question {
    "www.carol.p2p.A" => (true, 0, ["www.carol.p2p 60 A 198.51.100.1", "", ""]),
    "out.carol.p2p.A" => (true, 0, ["out.carol.p2p 60 CNAME www.example.\nwww.example 60 A 203.0.113.66", "", ""]),
    "in.carol.p2p.A" => (true, 0, ["in.carol.p2p 60 CNAME alice.p2p.\nalice.p2p 60 A 203.0.113.66", "", ""]),
    "bad.carol.p2p.A" => (
        true,
        0,
        [
            "bad.carol.p2p 60 A 198.51.100.2\nalice.p2p 60 A 203.0.113.66",
            "p2p 60 NS evil.example.",
            "alice.p2p 60 A 203.0.113.66",
        ],
    ),
    "none.carol.p2p.A" => (true, 3, ["", "carol.p2p 60 SOA 60", ""]),
    "y.away.p2p.A" => (true, 0, ["y.away.p2p 60 A 198.51.100.3", "", ""]),
    "www.away.p2p.A" => (true, 0, ["www.away.p2p 60 A 198.51.100.3", "", ""]),
    "www.half.p2p.A" => (true, 0, ["www.half.p2p 60 A 198.51.100.8", "", ""]),
    "www.six.p2p.A" => (true, 0, ["www.six.p2p 60 A 198.51.100.9", "", ""]),
    "x.hosted.p2p.A" => (true, 0, ["x.hosted.p2p 60 A 198.51.100.6", "", ""]),
    "x.dual.p2p.A" => (true, 0, ["x.dual.p2p 60 A 198.51.100.7", "", ""]),
    // An alias to what is delegated further, in an order of its own, and one that is not followed.
    "lb.carol.p2p.A" => {
        (true, 0, ["lb2.carol.p2p 60 CNAME x.deep.carol.p2p.\nlb.carol.p2p 60 CNAME lb2.carol.p2p.", "", ""])
    }
    "far.carol.p2p.A" => (true, 0, ["far.carol.p2p 60 CNAME lb.carol.p2p.", "", ""]),
    "lazy.carol.p2p.A" => (true, 0, ["lazy.carol.p2p 60 CNAME www.carol.p2p.", "", ""]),
    // As dnsmasq says it, and RFC 2308 2.1 and 2.2 in other ways.
    "gone.carol.p2p.A" => (false, 3, ["", "", ""]),
    "gone2.carol.p2p.A" => (true, 3, ["", "carol.p2p 60 NS ns.carol.p2p.", ""]),
    "empty.carol.p2p.A" => (false, 0, ["", "", ""]),
    "empty2.carol.p2p.A" => (true, 0, ["", "carol.p2p 60 NS ns.carol.p2p.", ""]),
    "x.deep.carol.p2p.A" => {
        (false, 0, ["", "deep.carol.p2p 60 NS ns.deep.carol.p2p.", "ns.deep.carol.p2p 60 A 192.0.2.54"])
    }
    "x.loop.carol.p2p.A" => (false, 0, ["", "carol.p2p 60 NS ns.carol.p2p.", "ns.carol.p2p 60 A 192.0.2.53"]),
    _ => (true, 0, ["", "carol.p2p 60 SOA 60", ""]),
};

#[tokio::test]
async fn a_delegated_name_is_resolved_for_who_wants_that() {
    let there = Delegated::new(&[CAROL]).await;
    let world = &there.world;
    assert_eq!(world.line("www.carol.p2p A", "r").await, "NOERROR rd ra | www.carol.p2p. 60 IN A 198.51.100.1");
    assert_eq!(world.line("WWW.Carol.p2p A", "r").await, "NOERROR rd ra | WWW.Carol.p2p. 60 IN A 198.51.100.1");
    assert!(world.line("none.carol.p2p A", "r").await.starts_with("NXDOMAIN rd ra | carol.p2p. 60 IN SOA "));
    assert!(world.line("carol.p2p AAAA", "r").await.starts_with("NOERROR rd ra | carol.p2p. 60 IN SOA "));
    let alias = "NOERROR aa rd ra | to.alice.p2p. 60 IN CNAME www.carol.p2p. | www.carol.p2p. 60 IN A 198.51.100.1";
    assert_eq!(world.line("to.alice.p2p A", "r").await, alias);
    // Once each, without RD, and nobody else.
    let came = there.servers[0].came();
    assert_eq!(there.servers[0].names(), ["www.carol.p2p.", "none.carol.p2p.", "carol.p2p."]);
    assert!(came.iter().all(|(_, query)| query[2] & 1 == 0));
    assert_eq!(there.upstream.names(), [""; 0]);
    // Who asks without RD, or is nobody's concern, goes there himself.
    let referral = "NOERROR ra | carol.p2p. 60 IN NS ns.carol.p2p. | ns.carol.p2p. 60 IN A 192.0.2.53";
    assert_eq!(world.line("www.carol.p2p A", "").await, referral);
    let stranger = world.packet(&query("www.carol.p2p A", "r"), "203.0.113.9", Protocol::Udp).await;
    assert_eq!(line(&stranger), referral.replace("ra", "rd"));
}

#[tokio::test]
async fn what_a_delegated_name_leads_to_is_asked_where_it_belongs() {
    let there = Delegated::new(&[CAROL]).await;
    let out = "NOERROR rd ra | out.carol.p2p. 60 IN CNAME www.example. | www.example. 60 IN A 192.0.2.1";
    assert_eq!(there.world.line("out.carol.p2p A", "r").await, out);
    assert_eq!(there.upstream.names(), ["www.example."]);
    let into = "NOERROR rd ra | in.carol.p2p. 60 IN CNAME alice.p2p. | alice.p2p. 60 IN A 192.0.2.7";
    assert_eq!(there.world.line("in.carol.p2p A", "r").await, into);
    let from = "NOERROR rd ra | in.example. 60 IN CNAME www.carol.p2p. | www.carol.p2p. 60 IN A 198.51.100.1";
    assert_eq!(there.world.line("in.example A", "r").await, from);
    let bad = there.world.line("bad.carol.p2p A", "r").await;
    assert_eq!(bad, "NOERROR rd ra | bad.carol.p2p. 60 IN A 198.51.100.2", "it has no say about others");
}

#[tokio::test]
async fn the_servers_of_a_delegated_name_are_found() {
    let further: Says = |_| (true, 0, ["x.deep.carol.p2p 60 A 198.51.100.4", "", ""]);
    let there = Delegated::new(&[CAROL, further]).await;
    assert_eq!(there.world.line("www.away.p2p A", "r").await, "NOERROR rd ra | www.away.p2p. 60 IN A 198.51.100.3");
    assert_eq!(there.upstream.names().iter().filter(|name| *name == "ns.example.").count(), 2, "A and AAAA");
    let deep = there.world.line("x.deep.carol.p2p A", "r").await;
    assert_eq!(deep, "NOERROR rd ra | x.deep.carol.p2p. 60 IN A 198.51.100.4");
    assert_eq!(there.servers[1].names(), ["x.deep.carol.p2p."]);
}

/// Found by reading: all of these were SERVFAIL, or an alias that led nowhere.
#[tokio::test]
async fn what_servers_say_in_other_ways_is_understood() {
    let further: Says = |_| (true, 0, ["x.deep.carol.p2p 60 A 198.51.100.4", "", ""]);
    let there = Delegated::new(&[CAROL, further]).await;
    let world = &there.world;
    let aliases = "lb.carol.p2p. 60 IN CNAME lb2.carol.p2p. | lb2.carol.p2p. 60 IN CNAME x.deep.carol.p2p.";
    let got = world.line("lb.carol.p2p A", "r").await;
    assert_eq!(got, format!("NOERROR rd ra | {aliases} | x.deep.carol.p2p. 60 IN A 198.51.100.4"));
    let lazy = "lazy.carol.p2p. 60 IN CNAME www.carol.p2p. | www.carol.p2p. 60 IN A 198.51.100.1";
    assert_eq!(world.line("lazy.carol.p2p A", "r").await, format!("NOERROR rd ra | {lazy}"));
    for (name, rcode) in [("gone", "NXDOMAIN"), ("gone2", "NXDOMAIN"), ("empty", "NOERROR"), ("empty2", "NOERROR")] {
        let got = world.line(&format!("{name}.carol.p2p A"), "r").await;
        assert!(got.starts_with(rcode) && !got.contains(" A "), "{name}: {got}");
    }
    assert_eq!(world.line("x.hosted.p2p A", "r").await, "NOERROR rd ra | x.hosted.p2p. 60 IN A 198.51.100.6");
}

#[tokio::test]
async fn a_server_outside_is_asked_when_those_beside_the_delegation_do_not_answer() {
    let there = Delegated::new(&[CAROL]).await;
    assert_eq!(there.world.line("x.dual.p2p A", "r").await, "NOERROR rd ra | x.dual.p2p. 60 IN A 198.51.100.7");
}

/// Found by reading: one name's lookups took all the room, and others failed though their servers' addresses were known.
#[tokio::test]
async fn a_name_has_a_share_of_the_lookups_and_what_is_known_needs_none() {
    let there = Delegated::new(&[CAROL]).await;
    let lookups = &there.world.forwarder.as_ref().unwrap().lookups;
    let mut all = Vec::new();
    for at in 0..4 {
        for _ in 0..4 {
            all.push(lookups.enter(&domain(&format!("deep.evil{at}.p2p"))).await.unwrap());
        }
        let more = timeout(Duration::ZERO, lookups.enter(&domain(&format!("evil{at}.p2p")))).await;
        assert!(more.is_err(), "it has its share");
    }
    assert_eq!(lookups.free(), 0);
    assert_eq!(there.world.line("y.away.p2p A", "r").await, "SERVFAIL rd ra ede=0");
    all.truncate(15);
    let found = "NOERROR rd ra | www.away.p2p. 60 IN A 198.51.100.3";
    assert_eq!(there.world.line("www.away.p2p A", "r").await, found);
    while let Ok(Some(permit)) = timeout(Duration::ZERO, lookups.enter(&domain("evil9.p2p"))).await {
        all.push(permit);
    }
    assert_eq!(there.world.line("y.away.p2p A", "r").await, found.replace("www", "y"));
}

/// Found by reading: an address that cannot be reached was taken for enough.
#[tokio::test]
async fn a_server_that_is_known_by_the_wrong_family_is_looked_up() {
    let there = Delegated::new(&[CAROL]).await;
    assert!(there.world.line("six.example AAAA", "r").await.ends_with("AAAA 2001:db8::6"));
    assert_eq!(there.world.line("www.six.p2p A", "r").await, "NOERROR rd ra | www.six.p2p. 60 IN A 198.51.100.9");
}

/// Found by reading: six addresses of IPv4 left none of IPv6, and one server was asked as two.
#[test]
fn addresses_of_both_families_are_kept() {
    let v4 = (1..9).map(|last| IpAddr::from([192, 0, 2, last]));
    let v6 = ["::ffff:192.0.2.1", "2001:db8::2", "2001:db8::1"].map(|ip| ip.parse().unwrap());
    let some: Vec<_> = delegation::some_of_both(v4.chain(v6).collect()).iter().map(IpAddr::to_string).collect();
    assert_eq!(some, ["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2", "192.0.2.3", "192.0.2.4"]);
}

/// Found by reading: 64 KiB of pointers were megabytes for each who waited, and as many records seconds of work.
#[test]
fn a_reply_of_very_many_records_or_bytes_is_not_taken() {
    let question = Outside::of(domain("a.example"), 1);
    let long = [[vec![63; 64], vec![63; 64], vec![63; 64], vec![60; 61]].concat(), vec![0]].concat();
    let reply = |count: u16, is_long: bool| {
        let mut packet = [vec![0, 1, 0x81, 0x80, 0, 1], count.to_be_bytes().to_vec(), vec![0; 4]].concat();
        packet.extend(if is_long { long.clone() } else { wire("a.example") });
        packet.extend([0, 1, 0, 1]);
        for at in 0..count {
            let data =
                if is_long { vec![0, 2, 192, 12] } else { [vec![0, 4, 9, 9], at.to_be_bytes().to_vec()].concat() };
            packet.extend([vec![192, 12, 0, if is_long { 2 } else { 1 }, 0, 1, 0, 0, 0, 60], data].concat());
        }
        packet
    };
    let read = |count, is_long| {
        let told = Told::read(&reply(count, is_long), &question, "p2p").unwrap().told;
        assert!(told.weight() < 100_000);
        (told.rcode, told.errors.len())
    };
    assert_eq!(read(512, false), (ResponseCode::NoError, 0));
    assert_eq!(read(513, false), (ResponseCode::ServFail, 1));
    assert_eq!(read(100, true), (ResponseCode::NoError, 0));
    assert_eq!(read(400, true), (ResponseCode::ServFail, 1));
}

/// Found by reading: half of a chain passed for one without an address.
#[tokio::test]
async fn a_chain_that_is_given_up_has_failed() {
    let further: Says = |question| match question {
        "x.deep.carol.p2p.A" => (true, 0, ["x.deep.carol.p2p 60 CNAME www.example.", "", ""]),
        _ => (true, 0, ["", "carol.p2p 60 SOA 60", ""]),
    };
    let there = Delegated::new(&[CAROL, further]).await;
    let out = "x.deep.carol.p2p. 60 IN CNAME www.example. | www.example. 60 IN A 192.0.2.1";
    let got = there.world.line("x.deep.carol.p2p A", "r").await;
    assert_eq!(got, format!("NOERROR rd ra | {out}"), "two ways to it, and one out");
    let failed = there.world.ask("far.carol.p2p A", "r").await;
    assert_eq!(line(&failed), "SERVFAIL rd ra ede=0");
    assert_eq!(errors(&failed), [(0, "the name leads on through too many servers".to_owned())]);
}

/// Found by reading: who had an address gave the permit back, while another question for the same went on.
#[tokio::test]
async fn a_lookup_has_its_permit_until_the_last_question_has_ended() {
    let there = Delegated::new(&[CAROL]).await;
    let forwarder = there.world.forwarder.as_ref().unwrap();
    assert_eq!(there.world.line("www.half.p2p A", "r").await, "NOERROR rd ra | www.half.p2p. 60 IN A 198.51.100.8");
    assert_eq!(forwarder.lookups.free(), 15, "nobody answers for AAAA");
    let question = Outside::of(domain("half.example"), 28);
    timeout(DEADLINE, forwarder.landed(&question)).await.expect("it ends by itself");
    while forwarder.lookups.free() < 16 {
        tokio::task::yield_now().await;
    }
}

/// A name's servers may be many, and their owner need not give them addresses.
#[test]
fn few_servers_are_looked_for_in_the_zone() {
    let server = |at: usize| Rr { owner: domain("carol.p2p"), rtype: 2, ttl: 60, rdata: wire(&format!("ns{at}.p2p")) };
    let (servers, asked) = ((0..100).map(server).collect::<Vec<_>>(), AtomicUsize::new(0));
    let inside = |_: &_| {
        asked.fetch_add(1, Ordering::SeqCst);
        Vec::new()
    };
    assert!(Delegation::of(&servers, &[], &domain("carol.p2p"), "p2p", inside).is_some());
    assert_eq!(asked.into_inner(), 4);
}

/// One server whom a name was given without being asked, and refuses it, is no worse for the others.
#[tokio::test]
async fn a_server_that_refuses_a_name_has_not_failed() {
    let refusing: Says = |_| (false, 5, [""; 3]);
    let there = Delegated::new(&[refusing]).await;
    assert_eq!(there.world.line("www.carol.p2p A", "r").await, "SERVFAIL rd ra ede=22");
    let forwarder = there.world.forwarder.as_ref().unwrap();
    let server = forwarder.delegates.get(&there.servers[0].addr).unwrap();
    assert!(!server.is_away((forwarder.clock)()));
}

#[tokio::test]
async fn a_server_that_does_not_answer_for_the_name_is_passed_over() {
    let up: Says = |_| (false, 0, ["", ". 60 NS a.root.example.", ""]);
    let refusing: Says = |_| (false, 5, [""; 3]);
    let good: Says = |_| (true, 0, ["x.sub.two.p2p 60 A 198.51.100.5", "", ""]);
    for lame in [up, refusing] {
        let there = Delegated::new(&[lame, good]).await;
        assert_eq!(
            there.world.line("x.sub.two.p2p A", "r").await,
            "NOERROR rd ra | x.sub.two.p2p. 60 IN A 198.51.100.5"
        );
        assert_eq!([0, 1].map(|at| there.servers[at].came().len()), [1, 1]);
    }
    let there = Delegated::new(&[CAROL]).await;
    let world = &there.world;
    let failed = "SERVFAIL rd ra ede=22";
    assert_eq!(world.line("x.loop.carol.p2p A", "r").await, failed, "it refers to itself");
    assert_eq!(world.line("here.p2p A", "r").await, failed, "nobody is asked on this machine");
    assert_eq!(
        errors(&world.ask("here.p2p A", "r").await),
        [(22, "no server answers that the name is delegated to".to_owned())]
    );
}

/// A sold name, or one that has another server, is not served from what the one before said.
#[tokio::test]
async fn another_delegation_is_another_question() {
    let there = Delegated::new(&[NOTHING]).await;
    let of = |server: &str| {
        let rr = Rr { owner: domain("carol.p2p"), rtype: 2, ttl: 60, rdata: wire(server) };
        let delegation = Delegation::of(&[rr], &[], &domain("www.carol.p2p"), "p2p", |_| Vec::new()).unwrap();
        Outside { delegation: Some(Arc::new(delegation)), ..Outside::of(domain("www.carol.p2p"), 1) }
    };
    let forwarder = there.world.forwarder.as_ref().unwrap();
    let told = Told::read(
        &reply(&query("www.carol.p2p A", ""), 0, ["www.carol.p2p 60 A 192.0.2.9", "", ""]),
        &of("a.example"),
        "p2p",
    );
    forwarder.cache.put(of("a.example"), Ok(told.unwrap().told), (forwarder.clock)());
    assert!(forwarder.cached(&of("a.example")).is_some());
    assert!(forwarder.cached(&of("b.example")).is_none());
}

#[test]
fn nobody_chooses_that_this_machine_is_asked() {
    let ours = ["192.0.2.5:53".parse().unwrap()];
    let cases = [
        ("192.0.2.1", true),
        ("10.0.0.1", true),
        ("2001:db8::1", true),
        ("192.0.2.5", false),
        ("127.0.0.1", false),
        ("::ffff:127.0.0.1", false),
        ("::1", false),
        ("0.0.0.0", false),
        ("::", false),
        ("224.0.0.251", false),
        ("255.255.255.255", false),
        ("169.254.1.1", false),
        ("fe80::1", false),
        ("ff02::fb", false),
    ];
    for (ip, is_asked) in cases {
        let at = delegation::reach(&ours, ip.parse().unwrap());
        assert_eq!(at.map(|at| at.port()), is_asked.then_some(53), "{ip}");
    }
}
