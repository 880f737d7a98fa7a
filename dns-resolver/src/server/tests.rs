//! The server over real sockets, spoken to in bytes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dotp2p_chain::records::{Owner, RecordSet};
use hickory_proto::op::{Message, ResponseCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::*;
use crate::fake::{FakeZone, number, wire};
use crate::forward::config::Forward;
use crate::zone::Zone;

pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// A query of one question `NAME TYPE`, recursion desired, with an OPT record of `payload` where one is given.
pub(super) fn query(id: u16, question: &str, payload: Option<u16>) -> Vec<u8> {
    let (name, rtype) = question.split_once(' ').unwrap();
    let mut out = [id.to_be_bytes(), [1, 0], [0, 1], [0, 0], [0, 0], [0, u8::from(payload.is_some())]].concat();
    out.extend(wire(name));
    out.extend([number(rtype).to_be_bytes(), [0, 1]].concat());
    if let Some(payload) = payload {
        out.extend([0, 0, 41]);
        out.extend(payload.to_be_bytes());
        out.extend([0; 6]);
    }
    out
}

pub(super) async fn start(zone: FakeZone) -> DnsServer {
    start_with(zone, refusing()).await
}

/// What is outside the domain is refused.
pub(super) fn refusing() -> Config {
    let forward = forward::config::Config { to: Forward::Off, ..Default::default() };
    Config { forward, ..Config::default() }
}

pub(super) async fn start_with(zone: FakeZone, config: Config) -> DnsServer {
    let zone: Arc<dyn Zone> = Arc::new(zone);
    DnsServer::bind(&["127.0.0.1:0".parse().unwrap()], move || zone.clone(), config).await.unwrap()
}

pub(super) async fn client(server: &DnsServer) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server.local_addrs()[0]).await.unwrap();
    socket
}

pub(super) async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_535];
    let len = timeout(DEADLINE, socket.recv(&mut buffer)).await.expect("an answer in time").unwrap();
    buffer.truncate(len);
    buffer
}

pub(super) async fn udp(server: &DnsServer, query: &[u8]) -> Vec<u8> {
    let socket = client(server).await;
    socket.send(query).await.unwrap();
    receive(&socket).await
}

pub(super) async fn tcp(stream: &mut TcpStream, query: &[u8]) -> Vec<u8> {
    stream.write_all(&[&u16::try_from(query.len()).unwrap().to_be_bytes(), query].concat()).await.unwrap();
    let len = timeout(DEADLINE, stream.read_u16()).await.expect("an answer in time").unwrap();
    let mut buffer = vec![0; len.into()];
    timeout(DEADLINE, stream.read_exact(&mut buffer)).await.expect("the rest in time").unwrap();
    buffer
}

pub(super) fn message(bytes: &[u8]) -> Message {
    Message::from_vec(bytes).unwrap()
}

/// `count` addresses at `www`.
fn addresses(count: usize) -> RecordSet {
    let rdatas = (0..count).map(|at| vec![10, 0, u8::try_from(at / 256).unwrap(), u8::try_from(at % 256).unwrap()]);
    RecordSet { owner: Owner::new([b"www".as_slice()]), rtype: 1, ttl: 60, rdatas: rdatas.collect() }
}

#[tokio::test]
async fn both_transports_have_one_port_and_give_it_back() {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let zone: Arc<dyn Zone> = Arc::new(FakeZone::default());
    let zones = move || zone.clone();
    let server = DnsServer::bind(&[any, any], zones.clone(), Config::default()).await.unwrap();
    let addrs = server.local_addrs().to_vec();
    assert_eq!(addrs.len(), 2);
    assert_ne!(addrs[0], addrs[1]);
    for addr in &addrs {
        assert_ne!(addr.port(), 0);
        let mut stream = TcpStream::connect(addr).await.unwrap();
        assert_eq!(message(&tcp(&mut stream, &query(1, "p2p. SOA", None)).await).answers.len(), 1);
    }
    let taken = DnsServer::bind(&[any, addrs[0]], zones.clone(), Config::default()).await;
    let error = taken.err().expect("the port is taken").to_string();
    assert!(error.starts_with(&format!("cannot listen for DNS on {} (UDP): ", addrs[0])), "{error}");
    timeout(DEADLINE, server.shutdown()).await.expect("an end in time");
    let again = DnsServer::bind(&addrs, zones, Config::default()).await.unwrap();
    assert_eq!(again.local_addrs(), addrs);
}

#[tokio::test]
async fn header_and_question_come_back() {
    let server = start(FakeZone::default().with("alice", "@ A 192.0.2.7")).await;
    for (id, flags) in [(0, [0, 0]), (0xabcd, [1, 0]), (0xffff, [1, 0x10]), (7, [0x01, 0x60])] {
        let mut sent = query(id, "AliCE.p2P. A", None);
        sent[2..4].copy_from_slice(&flags);
        let got = udp(&server, &sent).await;
        assert_eq!(got[..2], id.to_be_bytes());
        // QR and AA are set, RD and CD copied; AD, Z and RA are not.
        assert_eq!(got[2..4], [0x84 | (flags[0] & 1), flags[1] & 0x10], "{flags:?}");
        assert_eq!(got[12..sent.len()], sent[12..], "the question, in its case");
        let answer = &message(&got).answers[0];
        assert!(answer.name.eq_case(&message(&got).queries[0].name), "{}", answer.name);
    }
}

#[tokio::test]
async fn an_answer_is_whole_or_truncated() {
    let mut zone = FakeZone::default();
    for count in 1..90 {
        zone.insert(&format!("n{count}"), vec![addresses(count)]);
    }
    let server = start(zone).await;
    let mut stream = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    for (payload, limit) in [(None, 512), (Some(0), 512), (Some(700), 700), (Some(1_232), 1_232), (Some(65_535), 1_232)]
    {
        let mut truncated = 0;
        for count in 1..90 {
            let sent = query(9, &format!("www.n{count}.p2p. A"), payload);
            let (short, full) = (udp(&server, &sent).await, tcp(&mut stream, &sent).await);
            assert_eq!(message(&full).answers.len(), count);
            assert!(!message(&full).metadata.truncation);
            let short_message = message(&short);
            assert_eq!(short_message.edns.as_ref().map(|edns| edns.max_payload()), payload.map(|_| 1_232));
            if short_message.metadata.truncation {
                truncated += 1;
                assert!(full.len() > limit && short.len() < 64, "{count} in {limit}");
                assert_eq!((short_message.answers.len(), short_message.metadata.authoritative), (0, true));
            } else {
                assert!(short.len() <= limit && short_message == message(&full), "{count} in {limit}");
            }
        }
        assert!((1..89).contains(&truncated), "{truncated} of 89 in {limit}");
    }
}

#[tokio::test]
async fn what_fits_no_message_is_an_error() {
    // Every RRset fits; a referral with all the glue that it needs does not.
    let hosts = (0..1_500).map(|at| format!("sub NS h{at}.sub\nh{at}.sub A 192.0.2.1\nh{at}.sub AAAA 2001:db8::1\n"));
    let server = start(FakeZone::default().with("big", &hosts.collect::<String>())).await;
    let sent = query(9, "x.sub.big.p2p. A", None);
    assert!(message(&udp(&server, &sent).await).metadata.truncation);
    let mut stream = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    let got = message(&tcp(&mut stream, &sent).await);
    assert_eq!((got.metadata.response_code, got.answers.len()), (ResponseCode::ServFail, 0));
}

#[tokio::test]
async fn glue_that_is_needed_is_never_left_out_silently() {
    let hosts = |below: &str| -> String {
        (0..14)
            .map(|at| {
                format!(
                    "sub NS {}{at}.{below}\nns{at}.x.sub A 10.0.0.{at}\n{}{at}.{below} AAAA 2001:db8::{at}\n",
                    "long-host-name-".repeat(3),
                    "long-host-name-".repeat(3)
                )
            })
            .collect()
    };
    let server = start(FakeZone::default().with("needed", &hosts("sub")).with("known", &hosts("else"))).await;
    let needed = message(&udp(&server, &query(1, "www.sub.needed.p2p. A", Some(1_232))).await);
    assert!(needed.metadata.truncation && needed.additionals.is_empty() && needed.edns.is_some());
    let known = message(&udp(&server, &query(1, "www.sub.known.p2p. A", Some(1_232))).await);
    assert!(!known.metadata.truncation && known.edns.is_some());
    assert_eq!(known.authorities.len(), 14);
    assert!((1..14).contains(&known.additionals.len()), "{}", known.additionals.len());
}

#[tokio::test]
async fn of_a_truncated_answer_the_rrsets_that_fit_are_sent() {
    let text: String = (0..60).map(|at| format!("end TXT text-{at}\n")).collect();
    let server = start(FakeZone::default().with("alice", &format!("www CNAME next\nnext CNAME end\n{text}"))).await;
    let got = message(&udp(&server, &query(1, "www.alice.p2p. TXT", None)).await);
    assert!(got.metadata.truncation && got.metadata.authoritative);
    assert_eq!(
        got.answers.iter().map(|rr| rr.name.to_string()).collect::<Vec<_>>(),
        ["www.alice.p2p.", "next.alice.p2p."]
    );
}

#[tokio::test]
async fn names_in_rdata_do_not_truncate_an_answer_that_fits() {
    let hosts: String = (0..14).map(|at| format!("sub NS name-server-{at}.far.example.\n")).collect();
    let server = start(FakeZone::default().with("alice", &hosts)).await;
    let got = message(&udp(&server, &query(1, "sub.alice.p2p. A", None)).await);
    assert_eq!((got.metadata.truncation, got.authorities.len()), (false, 14));
}

#[tokio::test]
async fn ds_is_told_only_to_who_asks_for_dnssec() {
    let zone = FakeZone::default().with(
        "alice",
        r"sub NS ns.example.
        sub DS \# 00010d02aabbccdd",
    );
    let server = start(zone).await;
    let mut sent = query(1, "www.sub.alice.p2p. A", Some(1_232));
    assert_eq!(message(&udp(&server, &sent).await).authorities.len(), 1);
    assert_eq!(message(&udp(&server, &query(1, "www.sub.alice.p2p. DS", None)).await).authorities.len(), 1);
    assert_eq!(message(&udp(&server, &query(1, "sub.alice.p2p. DS", None)).await).answers.len(), 1);
    let flags_at = sent.len() - 4;
    sent[flags_at] |= 0x80;
    assert_eq!(message(&udp(&server, &sent).await).authorities.len(), 2);
}

#[tokio::test]
async fn edns_of_another_version() {
    let server = start(FakeZone::default()).await;
    let mut sent = query(3, "p2p. SOA", Some(1_232));
    let version = sent.len() - 5;
    sent[version] = 1;
    let got = message(&udp(&server, &sent).await);
    assert_eq!(u16::from(got.metadata.response_code), 16, "BADVERS");
    assert_eq!((got.edns.unwrap().version(), got.answers.len()), (0, 0));
    // DO comes back (RFC 3225).
    sent[version..version + 2].copy_from_slice(&[0, 0x80]);
    assert!(message(&udp(&server, &sent).await).edns.unwrap().flags().dnssec_ok);
}

#[tokio::test]
async fn what_is_no_query() {
    let server = start(FakeZone::default()).await;
    let plain = query(5, "p2p. SOA", None);
    let with = |at: usize, bytes: &[u8]| {
        let mut sent = plain.clone();
        sent[at..at + bytes.len()].copy_from_slice(bytes);
        sent
    };
    let two = [with(4, &[0, 2]), plain[12..].to_vec()].concat();
    // A question that points into the header.
    let pointing = [&plain[..12], &[0xc0, 0, 0, 6, 0, 1]].concat();
    let two_opts = [&with(10, &[0, 2])[..], &[0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0].repeat(2)].concat();
    let cases = [
        ("STATUS", with(2, &[0x10]), ResponseCode::NotImp),
        ("NOTIFY", with(2, &[0x20]), ResponseCode::NotImp),
        ("UPDATE", with(2, &[0x28]), ResponseCode::NotImp),
        ("no question", plain[..4].iter().chain(&[0; 8]).copied().collect(), ResponseCode::FormErr),
        ("two questions", two, ResponseCode::FormErr),
        ("a question cut short", plain[..plain.len() - 1].to_vec(), ResponseCode::FormErr),
        ("a count without records", with(10, &[0, 1]), ResponseCode::FormErr),
        ("a pointer", pointing, ResponseCode::FormErr),
        ("two OPT records", two_opts, ResponseCode::FormErr),
        ("class CH", with(plain.len() - 1, &[3]), ResponseCode::Refused),
    ];
    for (title, sent, expected) in cases {
        let got = udp(&server, &sent).await;
        let got = message(&got);
        assert_eq!((got.metadata.response_code, got.metadata.id), (expected, 5), "{title}");
        assert!(!got.metadata.authoritative && got.answers.is_empty(), "{title}");
    }
}

#[tokio::test]
async fn what_gets_no_answer_does_no_harm() {
    let server = start(FakeZone::default()).await;
    let socket = client(&server).await;
    let mut response = query(6, "p2p. SOA", None);
    response[2] |= 0x80;
    for silent in [&b""[..], b"\0", &[0xff; 11], &response] {
        socket.send(silent).await.unwrap();
    }
    socket.send(&query(7, "p2p. SOA", None)).await.unwrap();
    assert_eq!(message(&receive(&socket).await).metadata.id, 7);
    for seed in 0..2_000_u32 {
        let noise: Vec<u8> =
            (0..seed % 60).map(|at| seed.wrapping_mul(2_654_435_761).rotate_left(at).to_le_bytes()[0]).collect();
        socket.send(&noise).await.unwrap();
        let id = 10_000 + u16::try_from(seed).unwrap();
        socket.send(&query(id, "p2p. SOA", None)).await.unwrap();
        while receive(&socket).await[..2] != id.to_be_bytes() {}
    }
}

#[tokio::test]
async fn a_connection_carries_many_queries() {
    let server = start(FakeZone::default().with("alice", "@ A 192.0.2.7")).await;
    let mut stream = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    for id in 0..100 {
        let got = message(&tcp(&mut stream, &query(id, "alice.p2p. A", None)).await);
        assert_eq!((got.metadata.id, got.answers.len()), (id, 1));
    }
}

#[tokio::test]
async fn a_query_has_one_zone_and_the_next_has_the_newest() {
    let zones = ["192.0.2.1", "192.0.2.2"].map(|address| -> Arc<dyn Zone> {
        Arc::new(FakeZone::default().with("alice", &format!("a CNAME b\nb CNAME c\nc A {address}")))
    });
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    // One is taken by the fast way, which does not follow aliases, the next by the full server.
    let newest = move || zones[counter.fetch_add(1, Ordering::SeqCst) / 2].clone();
    let server = DnsServer::bind(&["127.0.0.1:0".parse().unwrap()], newest, Config::default()).await.unwrap();
    for last in [1, 2] {
        let got = message(&udp(&server, &query(1, "a.alice.p2p. A", None)).await);
        assert_eq!(got.answers[2].to_string(), format!("c.alice.p2p. 60 IN A 192.0.2.{last}"));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

/// The system shares clients out among the workers' sockets: every one of them answers, and goes on whatever it was sent.
#[tokio::test]
async fn every_worker_answers_whatever_came_before() {
    let server = start(FakeZone::default().with("alice", "@ A 192.0.2.7")).await;
    for id in 0..64 {
        let socket = client(&server).await;
        for before in [Vec::new(), vec![0; 11], vec![0x55; 5_000], query(9, "panics.p2p. A", None)] {
            socket.send(&before).await.unwrap();
            socket.send(&query(id, "alice.p2p. A", None)).await.unwrap();
            let got = receive(&socket).await;
            assert_eq!((message(&got).metadata.id, message(&got).answers.len()), (id, 1));
        }
    }
}

/// Packets that are taken together go back each to its client, of whichever family.
#[tokio::test]
async fn each_of_many_clients_gets_its_own_answer() {
    for (listen, asked) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("[::]:0", "::1")] {
        let zone: Arc<dyn Zone> = Arc::new(FakeZone::default().with("alice", "* A 192.0.2.8"));
        let server = DnsServer::bind(&[listen.parse().unwrap()], move || zone.clone(), refusing()).await.unwrap();
        let asked = SocketAddr::new(asked.parse().unwrap(), server.local_addrs()[0].port());
        let mut clients = Vec::new();
        for id in 0..100 {
            let socket = UdpSocket::bind((asked.ip(), 0)).await.unwrap();
            socket.connect(asked).await.unwrap();
            // Some by the fast way, some by the full server, some that are cut short before the others.
            let question = match id % 3 {
                0 => format!("nobody-{id}.p2p. A"),
                1 => format!("x{id}.alice.p2p. A"),
                _ => format!("alice.p2p. TYPE{}", 1_000 + id),
            };
            clients.push((socket, query(id, &question, None)));
        }
        for (socket, sent) in &clients {
            socket.send(sent).await.unwrap();
        }
        for (socket, sent) in &clients {
            let got = receive(socket).await;
            assert_eq!((&got[..2], &got[12..sent.len()]), (&sent[..2], &sent[12..]), "{listen}");
        }
        server.shutdown().await;
    }
}
