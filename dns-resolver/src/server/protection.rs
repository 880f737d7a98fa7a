//! What protects the server and those whose address is forged, over real sockets.

use std::sync::Arc;

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::tests::{DEADLINE, client, message, query, receive, refusing, start, start_with, tcp, udp};
use super::*;
use crate::fake::{FakeZone, InCondition};
use crate::zone::{Condition, Zone};

fn zone() -> FakeZone {
    FakeZone::default().with("alice", "@ A 192.0.2.7\n* A 192.0.2.8")
}

/// A query with an option.
fn with_option(question: &str, code: u16, data: &[u8]) -> Vec<u8> {
    let mut out = query(1, question, Some(1_232));
    let len = u16::try_from(data.len()).unwrap();
    out.truncate(out.len() - 2);
    for number in [len + 4, code, len] {
        out.extend(number.to_be_bytes());
    }
    out.extend(data);
    out
}

fn option(message: &Message, code: u16) -> Option<Vec<u8>> {
    let option = message.edns.as_ref().map(Edns::options)?.get(EdnsCode::from(code))?;
    match option {
        EdnsOption::Unknown(_, data) => Some(data.clone()),
        _ => None,
    }
}

/// RFC 7873 5.2: what each form of the option gets, by the fast way (`alice`) and by the full server (a wildcard), over both.
#[tokio::test]
async fn cookies_are_given_and_known_again() {
    let server = start(zone()).await;
    let mut stream = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    for question in ["alice.p2p. A", "x.alice.p2p. A", "nobody.p2p. A"] {
        let first = message(&udp(&server, &with_option(question, 10, &[7; 8])).await);
        let cookie = option(&first, 10).expect(question);
        assert_eq!((cookie.len(), &cookie[..8]), (24, &[7; 8][..]));
        for again in [cookie.clone(), [&cookie[..8], &[9; 16]].concat(), [&cookie[..8], &[9; 32]].concat()] {
            let sent = with_option(question, 10, &again);
            for got in [message(&udp(&server, &sent).await), message(&tcp(&mut stream, &sent).await)] {
                assert_eq!(option(&got, 10).map(|it| it.len()), Some(24), "{question}");
                assert_eq!(got.answers.len(), first.answers.len());
            }
        }
        for len in [0, 7, 9, 15, 41] {
            let sent = with_option(question, 10, &vec![7; len]);
            for got in [message(&udp(&server, &sent).await), message(&tcp(&mut stream, &sent).await)] {
                assert_eq!(got.metadata.response_code, ResponseCode::FormErr, "{question}, {len} bytes");
                assert_eq!((option(&got, 10), got.answers.len()), (None, 0));
            }
        }
    }
}

/// RFC 7873 5.4: a query without a question, for a cookie alone.
#[tokio::test]
async fn a_cookie_alone_may_be_asked_for() {
    let server = start(zone()).await;
    let mut stream = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    let asked = |data: &[u8]| {
        let whole = with_option(". A", 10, data);
        let mut out = [&whole[..12], &whole[12 + 5..]].concat();
        out[4..6].copy_from_slice(&[0, 0]);
        out
    };
    let first = message(&udp(&server, &asked(&[7; 8])).await);
    let cookie = option(&first, 10).unwrap();
    let wrong = [&cookie[..8], &[9; 16]].concat();
    for (given, rcode, len) in [
        (&[7; 8][..], ResponseCode::NoError, Some(24)),
        (&cookie, ResponseCode::NoError, Some(24)),
        (&wrong, ResponseCode::BADCOOKIE, Some(24)),
        (&[7; 9], ResponseCode::FormErr, None),
    ] {
        let sent = asked(given);
        for got in [message(&udp(&server, &sent).await), message(&tcp(&mut stream, &sent).await)] {
            assert_eq!(got.metadata.response_code, rcode, "{given:?}");
            assert_eq!(option(&got, 10).map(|it| it.len()), len, "{given:?}");
            assert_eq!((got.queries.len(), got.answers.len(), got.authorities.len()), (0, 0, 0));
        }
    }
}

#[tokio::test]
async fn above_the_rate_one_is_told_to_come_again() {
    let config = Config { rate_limit: 1, rate_limit_exempt: Vec::new(), ..Config::default() };
    let server = start_with(zone(), config).await;
    let socket = client(&server).await;
    let sent = query(1, "x.alice.p2p. A", None);
    // The first is answered, and others if a second has passed meanwhile; of any three in a row one at least is told to come again.
    let truncated = loop {
        for _ in 0..3 {
            socket.send(&sent).await.unwrap();
        }
        let got = receive(&socket).await;
        if message(&got).metadata.truncation {
            break got;
        }
    };
    assert_eq!(truncated.len(), sent.len());
    assert_eq!(truncated[12..], sent[12..]);
    assert!(message(&truncated).answers.is_empty());
    // By TCP it is answered at once.
    let mut stream = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    assert_eq!(message(&tcp(&mut stream, &sent).await).answers.len(), 1);
    // Who knows cookies gets one, and is answered with it however often.
    let sent = with_option("x.alice.p2p. A", 10, &[7; 8]);
    let cookie = loop {
        for _ in 0..3 {
            socket.send(&sent).await.unwrap();
        }
        let got = message(&receive(&socket).await);
        if u16::from(got.metadata.response_code) == 23 {
            assert!(!got.metadata.truncation && got.answers.is_empty());
            break option(&got, 10).unwrap();
        }
    };
    let other = client(&server).await;
    for _ in 0..100 {
        other.send(&with_option("x.alice.p2p. A", 10, &cookie)).await.unwrap();
        assert_eq!(message(&receive(&other).await).answers.len(), 1);
    }
}

/// What only the full server answers is told to come again as well: the apex, long names, other options, other classes.
#[tokio::test]
async fn above_the_rate_no_kind_of_question_is_left_without_a_word() {
    let config = Config { rate_limit: 1, rate_limit_exempt: Vec::new(), ..refusing() };
    let server = start_with(zone(), config).await;
    let socket = client(&server).await;
    let long = format!("{}alice.p2p. A", "a.".repeat(100));
    socket.send(&with_option("alice.p2p. A", 10, &[7; 8])).await.unwrap();
    let cookie = option(&message(&receive(&socket).await), 10).unwrap();
    for question in ["p2p. SOA", "p2p. DNSKEY", ". NS", long.as_str()] {
        // Of any three in a row one is told, or answered if a second has passed meanwhile.
        let socket = client(&server).await;
        loop {
            let sent = query(1, question, None);
            for _ in 0..3 {
                socket.send(&sent).await.unwrap();
            }
            let got = receive(&socket).await;
            if message(&got).metadata.truncation {
                assert_eq!(got[12..], sent[12..]);
                break;
            }
        }
        // With a cookie it is answered however often, whatever else is in the query.
        let socket = client(&server).await;
        let mut sent = with_option(question, 10, &cookie);
        let len_at = sent.len() - 4 - cookie.len() - 2;
        sent[len_at..len_at + 2].copy_from_slice(&u16::try_from(8 + cookie.len()).unwrap().to_be_bytes());
        sent.extend([0, 3, 0, 0]);
        for _ in 0..20 {
            socket.send(&sent).await.unwrap();
            let got = message(&receive(&socket).await);
            assert!(!got.metadata.truncation && u16::from(got.metadata.response_code) != 23, "{question}");
        }
    }
}

/// RFC 7873 5.4: a question for a cookie alone is one as well.
#[tokio::test]
async fn above_the_rate_who_asks_for_a_cookie_alone_is_told() {
    let config = Config { rate_limit: 1, rate_limit_exempt: Vec::new(), ..refusing() };
    let server = start_with(zone(), config).await;
    let alone = |cookie: &[u8]| {
        let mut sent = with_option("p2p. A", 10, cookie);
        // Without the question: its name of 5 bytes, type and class.
        sent.drain(12..21);
        sent[5] = 0;
        sent
    };
    let socket = client(&server).await;
    let cookie = loop {
        for _ in 0..3 {
            socket.send(&alone(&[7; 8])).await.unwrap();
        }
        let got = receive(&socket).await;
        assert_eq!(got[4..6], [0, 0]);
        let got = message(&got);
        assert!(got.queries.is_empty() && !got.metadata.truncation);
        if u16::from(got.metadata.response_code) == 23 {
            break option(&got, 10).unwrap();
        }
    };
    let socket = client(&server).await;
    for _ in 0..20 {
        socket.send(&alone(&cookie)).await.unwrap();
        let got = message(&receive(&socket).await);
        assert_eq!(got.metadata.response_code, ResponseCode::NoError);
        assert_eq!(option(&got, 10), Some(cookie.clone()));
    }
}

/// Who asks and never reads is parted from when another needs the place, and does not hold up the end.
#[tokio::test]
async fn who_does_not_read_gives_way() {
    let config = Config { tcp_max: 1, tcp_max_per_network: 4, tcp_timeout_s: 600, ..Config::default() };
    let server = start_with(zone(), config).await;
    let at = server.local_addrs()[0];
    let sent = query(1, "alice.p2p. A", None);
    let framed = [&u16::try_from(sent.len()).unwrap().to_be_bytes()[..], &sent].concat();
    let stuck = |mut stream: TcpStream| {
        let framed = framed.clone();
        // As much as both sides' buffers take, and the server's answers with them.
        tokio::spawn(async move {
            let all = framed.repeat(2_000);
            while timeout(std::time::Duration::from_millis(300), stream.write_all(&all))
                .await
                .is_ok_and(|sent| sent.is_ok())
            {}
            stream
        })
    };
    let mut stream = stuck(TcpStream::connect(at).await.unwrap()).await.unwrap();
    let mut newcomer = TcpStream::connect(at).await.unwrap();
    assert_eq!(message(&tcp(&mut newcomer, &sent).await).answers.len(), 1);
    let mut answers = Vec::new();
    let end = timeout(DEADLINE, stream.read_to_end(&mut answers)).await;
    assert!(end.is_ok(), "its connection has ended");
    drop(newcomer);
    let held = stuck(TcpStream::connect(at).await.unwrap()).await.unwrap();
    timeout(DEADLINE, server.shutdown()).await.expect("an end in time");
    drop(held);
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    timeout(DEADLINE, stream.read_u8()).await.expect("an end in time").is_err()
}

#[tokio::test]
async fn connections_are_bounded_and_the_idle_give_way() {
    let config = Config { tcp_max: 4, tcp_max_per_network: 4, ..Config::default() };
    let server = start_with(zone(), config).await;
    let at = server.local_addrs()[0];
    let sent = query(1, "alice.p2p. A", None);
    let mut first = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(at).await.unwrap();
        tcp(&mut stream, &sent).await;
        first.push(stream);
    }
    // All are of one network.
    let mut more = TcpStream::connect(at).await.unwrap();
    assert_eq!(message(&tcp(&mut more, &sent).await).answers.len(), 1);
    assert!(is_closed(&mut first[0]).await);
    for stream in &mut first[1..] {
        assert_eq!(message(&tcp(stream, &sent).await).answers.len(), 1);
    }
    drop(first);

    let config = Config { tcp_max: 2, tcp_max_per_network: 4, ..Config::default() };
    let server = start_with(zone(), config).await;
    let at = server.local_addrs()[0];
    let mut idle = TcpStream::connect(at).await.unwrap();
    tcp(&mut idle, &sent).await;
    let mut busy = TcpStream::connect(at).await.unwrap();
    tcp(&mut busy, &sent).await;
    let mut newest = TcpStream::connect(at).await.unwrap();
    assert_eq!(message(&tcp(&mut newest, &sent).await).answers.len(), 1);
    assert!(is_closed(&mut idle).await);
    assert_eq!(message(&tcp(&mut busy, &sent).await).answers.len(), 1);
}

/// Messages of no bytes are no queries, and keep no place.
#[tokio::test]
async fn messages_without_a_header_end_the_connection() {
    let server = start(zone()).await;
    let sent = query(1, "alice.p2p. A", None);
    for message_of in [0, 11] {
        let mut stream = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
        assert_eq!(message(&tcp(&mut stream, &sent).await).answers.len(), 1);
        stream.write_all(&[0, message_of]).await.unwrap();
        assert!(is_closed(&mut stream).await, "{message_of}");
    }
}

/// Whoever sends nothing, or byte by byte without end, is parted from; many queries at once are all answered.
#[tokio::test]
async fn connections_are_bounded_in_time() {
    let server = start_with(zone(), Config { tcp_timeout_s: 1, ..Config::default() }).await;
    let at = server.local_addrs()[0];
    let sent = query(1, "alice.p2p. A", None);
    let mut silent = TcpStream::connect(at).await.unwrap();
    let mut slow = TcpStream::connect(at).await.unwrap();
    slow.write_all(&[0]).await.unwrap();
    let mut many = TcpStream::connect(at).await.unwrap();
    let framed = [&u16::try_from(sent.len()).unwrap().to_be_bytes()[..], &sent].concat();
    many.write_all(&framed.repeat(100)).await.unwrap();
    many.shutdown().await.unwrap();
    let mut all = Vec::new();
    timeout(DEADLINE, many.read_to_end(&mut all)).await.expect("all in time").unwrap();
    let mut count = 0;
    while let Some((len, rest)) = all.split_first_chunk() {
        let (one, further) = rest.split_at(u16::from_be_bytes(*len).into());
        assert_eq!(message(one).answers.len(), 1);
        (all, count) = (further.to_vec(), count + 1);
    }
    assert_eq!(count, 100);
    // Half a length is no query, however long it stands there.
    assert!(is_closed(&mut slow).await);
    assert!(is_closed(&mut silent).await);
}

/// A client that asked one of the machine's addresses takes no answer from another.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn whoever_listens_everywhere_answers_from_where_it_was_asked() {
    for (listen, asked) in [("0.0.0.0:0", ["127.0.0.2", "127.9.9.9"]), ("[::]:0", ["::1", "127.0.0.3"])] {
        let zone: Arc<dyn Zone> = Arc::new(zone());
        let server =
            DnsServer::bind(&[listen.parse().unwrap()], move || zone.clone(), Config::default()).await.unwrap();
        for ip in asked {
            let socket = UdpSocket::bind(if ip.contains(':') { "[::1]:0" } else { "127.0.0.1:0" }).await.unwrap();
            socket.connect((ip.parse::<IpAddr>().unwrap(), server.local_addrs()[0].port())).await.unwrap();
            for _ in 0..3 {
                socket.send(&query(1, "alice.p2p. A", None)).await.unwrap();
                assert_eq!(message(&receive(&socket).await).answers.len(), 1, "{listen} {ip}");
            }
        }
    }
}

/// RFC 8914: what an answer is worth, where the code does not tell.
#[tokio::test]
async fn extended_errors_say_why() {
    let cases = [
        (Condition::Current, "alice.p2p. A", None),
        (Condition::Current, "x.lapsed.p2p. A", Some((0, "the name has expired; its owner can still renew it"))),
        (Condition::Current, "nobody.p2p. A", None),
        (Condition::Current, "fails.p2p. A", Some((0, "the name's records cannot be read"))),
        (Condition::Syncing, "alice.p2p. A", Some((14, "the chain is being synchronised"))),
        (Condition::Syncing, "nobody.p2p. A", Some((14, "the chain is being synchronised"))),
        (Condition::Syncing, "example.org. A", None),
        (Condition::Stale, "alice.p2p. A", Some((3, "no new block for a day"))),
        (Condition::Stale, "lapsed.p2p. A", Some((19, "no new block for a day"))),
    ];
    for (condition, question, expected) in cases {
        let zone: Arc<dyn Zone> = Arc::new(InCondition(zone(), condition));
        let any = ["127.0.0.1:0".parse().unwrap()];
        let server = DnsServer::bind(&any, move || zone.clone(), Config::default()).await.unwrap();
        let got = message(&udp(&server, &query(1, question, Some(1_232))).await);
        let told = option(&got, 15)
            .map(|it| (u16::from_be_bytes([it[0], it[1]]), String::from_utf8(it[2..].to_vec()).unwrap()));
        assert_eq!(told, expected.map(|(code, text)| (code, text.to_owned())), "{condition:?} {question}");
        assert_eq!(message(&udp(&server, &query(1, question, None)).await).edns, None);
    }
}

/// RFC 8914: why an answer is worth less takes no record's place.
#[tokio::test]
async fn an_extended_error_is_left_out_where_the_answer_needs_its_room() {
    let texts = |last: usize| {
        let line = |len: usize, mark: char| format!("@ TXT {}\n", mark.to_string().repeat(len));
        line(200, 'a') + &line(200, 'b') + &line(last, 'c')
    };
    let zone = FakeZone::default().with("roomy", &texts(1)).with("tight", &texts(32)).with("full", &texts(60));
    let zone: Arc<dyn Zone> = Arc::new(InCondition(zone, Condition::Stale));
    let any = ["127.0.0.1:0".parse().unwrap()];
    let server = DnsServer::bind(&any, move || zone.clone(), Config::default()).await.unwrap();
    for (name, is_whole, is_told) in [("roomy", true, true), ("tight", true, false), ("full", false, false)] {
        let got = message(&udp(&server, &query(1, &format!("{name}.p2p. TXT"), Some(512))).await);
        let (whole, told) = (got.answers.len() == 3 && !got.metadata.truncation, option(&got, 15).is_some());
        assert_eq!((whole, told), (is_whole, is_told), "{name}");
    }
}

/// RFC 7828: over TCP, where the client asks for it.
#[tokio::test]
async fn keepalive_tells_the_timeout() {
    let server = start(zone()).await;
    let mut stream = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    let sent = with_option("alice.p2p. A", 11, &[]);
    assert_eq!(option(&message(&tcp(&mut stream, &sent).await), 11), Some(vec![0, 100]));
    assert_eq!(option(&message(&udp(&server, &sent).await), 11), None);
}
