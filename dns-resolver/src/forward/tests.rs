//! The server without sockets of its own, before upstreams that are made up.

mod bounds;
mod delegated;
mod encrypted;
mod fake;
mod hostile;
mod proofs;
mod room;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_server::net::xfer::Protocol;
use tokio::time::timeout;

use super::config::{Config, Forward};
use super::*;
use crate::dnssec::key::Algorithm;
use crate::dnssec::key_file::KeyFile;
use crate::dnssec::signer::Signer;
use crate::fake::{FakeZone, dig};
use crate::full::{Full, Outcome};
use crate::zone::Zone;
use fake::{FakeUpstream, Via, query, reply, to};

const DEADLINE: Duration = Duration::from_secs(10);
const CLIENT: &str = "127.0.0.1";

/// A server of a zone that forwards, with a clock to turn.
pub(super) struct World {
    full: Full,
    pub forwarder: Option<Arc<Forwarder>>,
    ahead: Arc<Mutex<Duration>>,
}

impl World {
    pub fn new(config: &Config) -> Self {
        let zone = FakeZone::default()
            .with("alice", "@ A 192.0.2.7\nout CNAME www.example.\ndeep CNAME out\nhome CNAME back.example.\nmany CNAME m1.example.")
            .with("bob", "@ DNAME example.")
            .with("far", "sub NS ns.example.");
        Self::of(zone, config, Vec::new())
    }

    pub fn of(zone: impl Zone, config: &Config, listeners: Vec<SocketAddr>) -> Self {
        Self::with(zone, config, listeners, None)
    }

    /// As [`World::of`], with a zone that `signer` signs.
    fn with(zone: impl Zone, config: &Config, listeners: Vec<SocketAddr>, signer: Option<Arc<Signer>>) -> Self {
        let ours = listeners.clone();
        Self::reaching(zone, config, listeners, signer, Box::new(move |ip| delegation::reach(&ours, ip)))
    }

    /// As [`World::with`], with servers of names where `reach` says.
    fn reaching(
        zone: impl Zone,
        config: &Config,
        listeners: Vec<SocketAddr>,
        signer: Option<Arc<Signer>>,
        reach: Reach,
    ) -> Self {
        let (ahead, start) = (Arc::new(Mutex::new(Duration::ZERO)), Instant::now());
        let shown = ahead.clone();
        let clock: Clock = Arc::new(move || start + *shown.lock().unwrap());
        let forwarder = Forwarder::with(config, listeners, Vec::new(), clock, reach).unwrap();
        let zone: Arc<dyn Zone> = Arc::new(zone);
        let full = Full::with(move || zone.clone(), Default::default(), signer, forwarder.clone()).unwrap();
        Self { full, forwarder, ahead }
    }

    fn pass(&self, seconds: u64) {
        *self.ahead.lock().unwrap() += Duration::from_secs(seconds);
    }

    pub fn counts(&self) -> Counts {
        self.forwarder.as_ref().unwrap().counts()
    }

    pub async fn packet(&self, packet: &[u8], client: &str, protocol: Protocol) -> Message {
        let from = SocketAddr::new(client.parse::<IpAddr>().unwrap(), 4_444);
        let answer = match self.full.answer(packet, from, protocol) {
            Outcome::Answer(answer) => Some(answer),
            Outcome::Silence => None,
            Outcome::Forward(forwarding) => timeout(DEADLINE, self.full.forward(forwarding)).await.expect("in time"),
        };
        let answer = answer.unwrap();
        assert_eq!(answer[..2], packet[..2]);
        Message::from_vec(&answer).unwrap()
    }

    pub async fn ask(&self, question: &str, bits: &str) -> Message {
        self.packet(&query(question, bits), CLIENT, Protocol::Udp).await
    }

    /// The answer on a line: code, flags, records.
    pub async fn line(&self, question: &str, bits: &str) -> String {
        line(&self.ask(question, bits).await)
    }
}

fn line(message: &Message) -> String {
    let lines = dig(message);
    let mut out = lines.lines().next().unwrap().split(", id").next().unwrap().replace(";; status: ", "");
    let flags = lines.lines().nth(1).unwrap().replace(";; flags: qr", "");
    out += &flags;
    out += if message.metadata.authentic_data { " ad" } else { "" };
    for (code, _) in errors(message) {
        out += &format!(" ede={code}");
    }
    for record in lines.lines().filter(|line| !line.starts_with(';')) {
        out += " | ";
        out += record;
    }
    out
}

pub(super) fn errors(message: &Message) -> Vec<(u16, String)> {
    let options = message.edns.as_ref().map(|edns| edns.options().as_ref().to_vec()).unwrap_or_default();
    let error = |option: &EdnsOption| match option {
        EdnsOption::Unknown(15, data) => {
            Some((u16::from_be_bytes([data[0], data[1]]), String::from_utf8_lossy(&data[2..]).into_owned()))
        }
        _ => None,
    };
    options.iter().filter_map(|(_, option)| error(option)).collect()
}

#[tokio::test]
async fn what_there_is_and_what_there_is_not() {
    let upstream = FakeUpstream::start(|_, query| {
        let name = Message::from_vec(query).unwrap().queries[0].name().to_lowercase().to_string();
        vec![match name.as_str() {
            "www.example." => reply(query, 0, ["www.example 300 CNAME a.example.\na.example 60 A 192.0.2.1", "", ""]),
            "no.example." => reply(query, 3, ["", "example 300 SOA 60", ""]),
            _ => reply(query, 0, ["", "example 30 SOA 60", ""]),
        }]
    })
    .await;
    let world = World::new(&to(&[&upstream]));
    let www = "NOERROR rd ra | www.example. 300 IN CNAME a.example. | a.example. 60 IN A 192.0.2.1";
    assert_eq!(world.line("www.example A", "r").await, www);
    assert!(world.line("no.example A", "r").await.starts_with("NXDOMAIN rd ra | example. 60 IN SOA "));
    assert!(world.line("nothing.example AAAA", "r").await.starts_with("NOERROR rd ra | example. 30 IN SOA "));
    // The question comes back in the case it was asked in, and so does its owner's name.
    let cased = world.ask("WwW.eXample A", "r").await;
    assert_eq!(cased.queries[0].name().to_ascii(), "WwW.eXample.");
    assert_eq!(cased.answers[0].name.to_ascii(), "WwW.eXample.");
    assert_eq!(world.counts(), Counts { hits: 1, misses: 3, sent: 3, loops: 0 });
}

#[tokio::test]
async fn who_gets_no_recursion() {
    let upstream = FakeUpstream::saying(0, ["www.example 60 A 192.0.2.1", "", ""]).await;
    let world = World::new(&to(&[&upstream]));
    assert_eq!(world.line("www.example A", "").await, "REFUSED ra", "it was not asked for");
    let far = |question| query(question, "r");
    let got = world.packet(&far("www.example A"), "192.0.2.1", Protocol::Udp).await;
    assert_eq!(line(&got), "REFUSED rd ede=18");
    let got = world.packet(&far("out.alice.p2p A"), "192.0.2.1", Protocol::Udp).await;
    assert_eq!(line(&got), "NOERROR aa rd | out.alice.p2p. 60 IN CNAME www.example.", "left to the client");
    assert_eq!(world.line("out.alice.p2p A", "").await, "NOERROR aa ra | out.alice.p2p. 60 IN CNAME www.example.");
    assert_eq!(world.line("www.example AXFR", "r").await, "REFUSED rd ra");
    let off = World::new(&Config { to: Forward::Off, ..Config::default() });
    assert_eq!(off.line("www.example A", "r").await, "REFUSED rd");
    assert_eq!(off.line("out.alice.p2p A", "r").await, "NOERROR aa rd | out.alice.p2p. 60 IN CNAME www.example.");
    assert_eq!(upstream.came().len(), 0);
}

#[tokio::test]
async fn an_alias_out_of_our_domain_is_followed() {
    let upstream = FakeUpstream::start(|_, query| {
        let name = Message::from_vec(query).unwrap().queries[0].name().to_lowercase().to_string();
        vec![match name.as_str() {
            "www.example." => reply(query, 0x20, ["www.example 9 A 192.0.2.1", "", ""]),
            // Back into our domain, where the upstream's word is not taken.
            "back.example." => {
                reply(query, 3, ["back.example 9 CNAME alice.p2p.\nalice.p2p 9 A 6.6.6.6", ". 9 SOA 9", ""])
            }
            "missing.example." => reply(query, 3, ["missing.example 9 CNAME no.p2p.", ". 9 SOA 9", ""]),
            _ => reply(query, 3, ["", "example 9 SOA 9", ""]),
        }]
    })
    .await;
    let world = World::new(&to(&[&upstream]));
    let out = "out.alice.p2p. 60 IN CNAME www.example. | www.example. 9 IN A 192.0.2.1";
    assert_eq!(world.line("out.alice.p2p A", "ra").await, format!("NOERROR aa rd ra | {out}"));
    assert_eq!(
        world.line("deep.alice.p2p A", "r").await,
        format!("NOERROR aa rd ra | deep.alice.p2p. 60 IN CNAME out.alice.p2p. | {out}")
    );
    let dname = "bob.p2p. 60 IN DNAME example. | www.bob.p2p. 60 IN CNAME www.example. | www.example. 9 IN A 192.0.2.1";
    assert_eq!(world.line("www.bob.p2p A", "r").await, format!("NOERROR aa rd ra | {dname}"));
    let home = "home.alice.p2p. 60 IN CNAME back.example. | back.example. 9 IN CNAME alice.p2p. | alice.p2p. 60 IN A 192.0.2.7";
    assert_eq!(world.line("home.alice.p2p A", "r").await, format!("NOERROR aa rd ra | {home}"));
    let back = "back.example. 9 IN CNAME alice.p2p. | alice.p2p. 60 IN A 192.0.2.7";
    assert_eq!(world.line("back.example A", "ra").await, format!("NOERROR rd ra | {back}"));
    let missing = world.line("missing.example A", "r").await;
    assert!(missing.starts_with("NXDOMAIN rd ra | missing.example. 9 IN CNAME no.p2p. | p2p. 60 IN SOA "), "{missing}");
    let nowhere = world.line("many.alice.p2p A", "r").await;
    assert!(
        nowhere.starts_with("NXDOMAIN aa rd ra | many.alice.p2p. 60 IN CNAME m1.example. | example. 9 IN SOA "),
        "{nowhere}"
    );
    assert_eq!(
        world.line("out.alice.p2p CNAME", "r").await,
        "NOERROR aa rd ra | out.alice.p2p. 60 IN CNAME www.example."
    );
    assert_eq!(upstream.names(), ["www.example.", "back.example.", "missing.example.", "m1.example."]);
}

#[tokio::test]
async fn aliases_in_and_out_come_to_an_end() {
    // bN.p2p leads to bN.example, which leads to bN+1.p2p, and so on; the last returns to the first.
    let zone =
        (0..9).fold(FakeZone::default(), |zone, at| zone.with(&format!("b{at}"), &format!("@ CNAME b{at}.example.")));
    let upstream = FakeUpstream::start(|_, query| {
        let name = Message::from_vec(query).unwrap().queries[0].name().to_lowercase().to_string();
        let at: usize = name[1..2].parse().unwrap();
        let line = format!("b{at}.example 60 CNAME b{}.p2p.", (at + 1) % 2);
        let other = format!("b{at}.example 60 CNAME b{}.p2p.", at + 1);
        vec![reply(query, 0, [if at < 2 { &line } else { &other }, "", ""])]
    })
    .await;
    let world = World::of(zone, &to(&[&upstream]), Vec::new());
    let ring = world.ask("b0.p2p A", "r").await;
    assert_eq!((ring.metadata.response_code, ring.answers.len()), (ResponseCode::NoError, 4), "{}", dig(&ring));
    let long = world.ask("b2.p2p A", "r").await;
    assert_eq!((long.metadata.response_code, long.answers.len()), (ResponseCode::ServFail, 0), "{}", dig(&long));
    assert!(upstream.came().len() <= 2 + 4);
}

#[tokio::test]
async fn what_does_not_fit_is_asked_for_over_tcp() {
    let lines: String = (0..200).map(|at| format!("big.example 60 A 10.0.0.{at}\n")).collect();
    let upstream = FakeUpstream::start(move |via, query| {
        let mut out = reply(query, 0, [&lines, "", ""]);
        if via == Via::Udp {
            out.truncate(500);
            out[2] |= 2;
        }
        vec![out]
    })
    .await;
    let world = World::new(&to(&[&upstream]));
    let short = world.ask("big.example A", "r").await;
    assert!(short.metadata.truncation && short.answers.is_empty());
    let full = world.packet(&query("big.example A", "r"), CLIENT, Protocol::Tcp).await;
    assert_eq!((full.answers.len(), full.metadata.truncation), (200, false));
    let vias: Vec<Via> = upstream.came().iter().map(|(via, _)| *via).collect();
    assert_eq!(vias, [Via::Udp, Via::Tcp], "the second comes from the cache");
}

#[tokio::test]
async fn an_upstream_that_is_gone_costs_less_than_a_second_once() {
    let good = FakeUpstream::saying(0, ["a.example 0 A 192.0.2.1\nb.example 0 A 192.0.2.1", "", ""]).await;
    let silent = FakeUpstream::silent().await;
    let closed = FakeUpstream::closed().await;
    for gone in [&silent, &closed] {
        let world = World::new(&to(&[gone, &good]));
        let before = Instant::now();
        assert_eq!(world.line("a.example A", "r").await, "NOERROR rd ra | a.example. 0 IN A 192.0.2.1");
        let took = before.elapsed();
        let asked = (gone.came().len(), good.came().len());
        assert_eq!(world.line("b.example A", "r").await, "NOERROR rd ra | b.example. 0 IN A 192.0.2.1");
        assert_eq!((gone.came().len(), good.came().len()), (asked.0, asked.1 + 1), "it is not asked first any more");
        assert_eq!(world.counts().sent, 3, "each once, then the good one");
        assert!(took < Duration::from_secs(1), "{took:?}");
        println!("failover: {took:?}");
    }
    assert_eq!(silent.came().len(), 1);
}

#[tokio::test]
async fn an_upstream_that_stops_answering_is_left_within_a_second() {
    let is_up = Arc::new(AtomicBool::new(true));
    let says = "a.example 0 A 192.0.2.1\nb.example 0 A 192.0.2.1\nc.example 0 A 192.0.2.1";
    let shown = is_up.clone();
    let first = FakeUpstream::start(move |_, query| match shown.load(Ordering::SeqCst) {
        true => vec![reply(query, 0, [says, "", ""])],
        false => Vec::new(),
    })
    .await;
    let second = FakeUpstream::saying(0, [says, "", ""]).await;
    let world = World::new(&to(&[&first, &second]));
    world.ask("a.example A", "r").await;
    assert_eq!((first.came().len(), second.came().len()), (1, 0));
    is_up.store(false, Ordering::SeqCst);
    let before = Instant::now();
    assert_eq!(world.line("b.example A", "r").await, "NOERROR rd ra | b.example. 0 IN A 192.0.2.1");
    println!("failover: {:?}", before.elapsed());
    assert!(before.elapsed() < Duration::from_secs(1));
    assert_eq!((first.came().len(), second.came().len()), (2, 1));
    world.ask("c.example A", "r").await;
    assert_eq!((first.came().len(), second.came().len()), (2, 2));
    // It is tried again when its time has passed.
    is_up.store(true, Ordering::SeqCst);
    world.pass(1);
    world.ask("a.example A", "r").await;
    assert_eq!((first.came().len(), second.came().len()), (3, 2));
}

#[tokio::test]
async fn what_upstreams_fail_at() {
    let refusing = FakeUpstream::saying(5, [""; 3]).await;
    // SERVFAIL with EDE 6 (DNSSEC Bogus) "bad".
    let bogus = FakeUpstream::saying(2, ["", "", ". 0 OPT 000f00050006626164"]).await;
    let good = FakeUpstream::saying(0, ["a.example 60 A 192.0.2.1", "", ""]).await;
    let world = World::new(&to(&[&refusing, &bogus, &good]));
    assert_eq!(world.line("a.example A", "r").await, "NOERROR rd ra | a.example. 60 IN A 192.0.2.1");
    let world = World::new(&to(&[&refusing, &bogus]));
    let got = world.ask("a.example A", "r").await;
    assert_eq!((line(&got).as_str(), errors(&got)), ("SERVFAIL rd ra ede=6", vec![(6, "bad".to_owned())]));
    let sent = world.counts().sent;
    assert_eq!(world.line("a.example A", "r").await, "SERVFAIL rd ra ede=6");
    assert_eq!(world.counts().sent, sent, "kept for a second");
    world.pass(1);
    assert_eq!(world.line("a.example A", "r").await, "SERVFAIL rd ra ede=6");
    assert_eq!(world.counts().sent, sent + 2);
    let silent = FakeUpstream::silent().await;
    let world = World::new(&to(&[&silent, &refusing]));
    let before = Instant::now();
    assert_eq!(world.line("a.example A", "r").await, "SERVFAIL rd ra ede=22");
    assert!(before.elapsed() < Duration::from_secs(2), "the silent one is not waited for to the end");
    let world = World::new(&to(&[&refusing]));
    assert_eq!(world.line("a.example A", "r").await, "SERVFAIL rd ra ede=22");
    assert_eq!(world.line("deep.alice.p2p A", "r").await, "SERVFAIL rd ra ede=22", "no half answers");
}

/// Cached answers come within a millisecond, and what nobody keeps takes its time: here until it was asked for a second time.
#[tokio::test]
async fn a_good_upstream_has_time_for_a_name_beside_one_that_refuses() {
    let seen = Mutex::new(0);
    let slow = FakeUpstream::start(move |_, query| {
        let is_cold = Message::from_vec(query).unwrap().queries[0].name().to_lowercase().to_string() == "cold.example.";
        *seen.lock().unwrap() += usize::from(is_cold);
        let is_silent = is_cold && *seen.lock().unwrap() < 2;
        if is_silent { Vec::new() } else { vec![reply(query, 0, ["", "example 60 SOA 60", ""])] }
    })
    .await;
    let refusing = FakeUpstream::saying(5, [""; 3]).await;
    let world = World::new(&to(&[&refusing, &slow]));
    for at in 0..30 {
        assert!(world.line(&format!("warm-{at}.example A"), "r").await.starts_with("NOERROR rd ra "));
    }
    assert!(world.line("cold.example A", "r").await.starts_with("NOERROR rd ra "));
}

#[tokio::test]
async fn a_lost_packet_is_sent_again() {
    let lost = AtomicBool::new(false);
    let upstream = FakeUpstream::start(move |_, query| match lost.swap(true, Ordering::SeqCst) {
        true => vec![reply(query, 0, ["a.example 60 A 192.0.2.1", "", ""])],
        false => Vec::new(),
    })
    .await;
    let world = World::new(&to(&[&upstream]));
    assert_eq!(world.line("a.example A", "r").await, "NOERROR rd ra | a.example. 60 IN A 192.0.2.1");
    assert_eq!(upstream.came().len(), 2);
}

#[tokio::test]
async fn signatures_and_bits_pass() {
    let upstream = FakeUpstream::start(|_, query| {
        let asked = Message::from_vec(query).unwrap();
        assert!(asked.metadata.authentic_data && asked.metadata.recursion_desired);
        // Of A, by ECDSA P-256, two labels, a time, a tag, `example.`, and no signature that anybody would believe.
        let signature = r"a.example 60 RRSIG \# 00010d020000003c70000000600000001234076578616d706c6500aabbccdd";
        let with = format!("a.example 60 A 192.0.2.1\n{signature}");
        let is_signed = asked.edns.unwrap().flags().dnssec_ok;
        let ad = if asked.metadata.checking_disabled { 0x10 } else { 0x20 };
        vec![reply(query, ad, [if is_signed { &with } else { "a.example 60 A 192.0.2.1" }, "", ""])]
    })
    .await;
    let world = World::new(&to(&[&upstream]));
    let plain = "a.example. 60 IN A 192.0.2.1";
    assert_eq!(world.line("a.example A", "r").await, format!("NOERROR rd ra | {plain}"));
    assert_eq!(world.line("a.example A", "ra").await, format!("NOERROR rd ra ad | {plain}"));
    let signed = world.ask("a.example A", "rd").await;
    assert_eq!(signed.answers.len(), 2);
    assert!(signed.metadata.authentic_data && signed.edns.as_ref().unwrap().flags().dnssec_ok);
    assert_eq!(signed.answers[1].record_type(), RecordType::RRSIG);
    let unchecked = world.ask("a.example A", "rdc").await;
    assert!(unchecked.metadata.checking_disabled && !unchecked.metadata.authentic_data);
    assert_eq!(upstream.came().len(), 3, "each in its own place of the cache");
}

#[tokio::test]
async fn what_was_told_is_kept_and_counted_down() {
    let upstream = FakeUpstream::saying(0, ["a.example 60 A 192.0.2.1\na.example 999999 A 192.0.2.2", "", ""]).await;
    let world = World::new(&to(&[&upstream]));
    let ttls = |message: &Message| message.answers.iter().map(|rr| rr.ttl).collect::<Vec<_>>();
    assert_eq!(ttls(&world.ask("a.example A", "r").await), [60, 86_400], "a day at most");
    world.pass(59);
    assert_eq!(ttls(&world.ask("a.example A", "r").await), [1, 86_341]);
    assert_eq!((upstream.came().len(), world.counts().hits), (1, 1));
    world.pass(1);
    assert_eq!(ttls(&world.ask("a.example A", "r").await), [60, 86_400], "asked again");
    assert_eq!((upstream.came().len(), world.counts().hits), (2, 1));
}

#[tokio::test]
async fn equal_questions_are_asked_once() {
    let upstream = FakeUpstream::saying(0, ["a.example 0 A 192.0.2.1", "", ""]).await;
    let world = World::new(&to(&[&upstream]));
    let all = futures::future::join_all((0..50).map(|_| world.line("a.example A", "r"))).await;
    assert!(all.iter().all(|line| line == "NOERROR rd ra | a.example. 0 IN A 192.0.2.1"));
    assert_eq!(upstream.came().len(), 1);
    assert!(world.forwarder.as_ref().unwrap().flights.is_empty());
}

#[tokio::test]
async fn those_that_wait_are_bounded() {
    let silent = FakeUpstream::silent().await;
    let world = World::new(&to(&[&silent]));
    let answer = |client: u8, at: usize| {
        let from = SocketAddr::from(([10, 0, 0, client], 4_444));
        world.full.answer(&query(&format!("n{at}.example A"), "r"), from, Protocol::Udp)
    };
    let mut waiting = Vec::new();
    for client in 0..100 {
        let before = waiting.len();
        let refused = loop {
            match answer(client, waiting.len()) {
                Outcome::Forward(forwarding) => waiting.push(forwarding),
                refused => break refused.answer().unwrap(),
            }
        };
        assert_eq!(line(&Message::from_vec(&refused).unwrap()), "SERVFAIL rd ra ede=0");
        let share = (WAITING_MAX - before).div_ceil(3).min(WAITING_PER_CLIENT);
        assert!((share..=share + 1).contains(&(waiting.len() - before)), "{client}: {before} to {}", waiting.len());
    }
    assert_eq!(waiting.len(), WAITING_MAX);
    waiting.truncate(WAITING_MAX - 1);
    assert!(matches!(answer(199, 0), Outcome::Forward(_)));
}

#[tokio::test]
async fn this_node_is_no_upstream_of_its_own() {
    let upstream = FakeUpstream::silent().await;
    let world = World::of(FakeZone::default(), &to(&[&upstream]), vec![upstream.addr]);
    assert_eq!(world.line("a.example A", "r").await, "SERVFAIL rd ra ede=22");
    assert_eq!((world.counts().sent, upstream.came().len()), (0, 0));
    let system = World::new(&Config::default());
    assert_eq!(system.line("a.example A", "r").await, "SERVFAIL rd ra ede=22", "no file names a resolver");
}
