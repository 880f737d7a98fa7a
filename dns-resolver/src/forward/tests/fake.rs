//! Upstreams that tests make up, on UDP and TCP of one port, and questions as clients ask them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hickory_proto::op::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::fake::{data, number, wire};
use crate::forward::config::{Config, Forward};
use crate::forward::upstream::{Transport, Upstream};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Udp,
    Tcp,
}

/// What came: how, and the query.
pub type Came = (Via, Vec<u8>);

pub struct FakeUpstream {
    pub addr: SocketAddr,
    came: Arc<Mutex<Vec<Came>>>,
}

impl FakeUpstream {
    /// Answers each query with what `replies` makes of it, packet by packet.
    pub async fn start(replies: impl Fn(Via, &[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let addr = udp.local_addr().unwrap();
        let (came, replies) = (Arc::new(Mutex::new(Vec::new())), Arc::new(replies));
        let take = {
            let came = came.clone();
            move |via: Via, query: &[u8]| {
                came.lock().unwrap().push((via, query.to_vec()));
                replies(via, query)
            }
        };
        let take = Arc::new(take);
        let take_udp = take.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            while let Ok((len, from)) = udp.recv_from(&mut buffer).await {
                for reply in take_udp(Via::Udp, &buffer[..len]) {
                    udp.send_to(&reply, from).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let take = take.clone();
                tokio::spawn(async move {
                    while let Ok(len) = stream.read_u16().await {
                        let mut query = vec![0; len.into()];
                        stream.read_exact(&mut query).await.unwrap();
                        for reply in take(Via::Tcp, &query) {
                            let len = u16::try_from(reply.len()).unwrap().to_be_bytes();
                            let _ = stream.write_all(&[&len, &reply[..]].concat()).await;
                        }
                    }
                });
            }
        });
        Self { addr, came }
    }

    /// Says nothing, ever.
    pub async fn silent() -> Self {
        Self::start(|_, _| Vec::new()).await
    }

    /// Nobody is there.
    pub async fn closed() -> Self {
        let addr = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        Self { addr, came: Arc::default() }
    }

    /// The same sections for every question; rcode and flags of the last header byte.
    pub async fn saying(flags: u8, sections: [&'static str; 3]) -> Self {
        Self::start(move |_, query| vec![reply(query, flags, sections)]).await
    }

    pub fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    /// Names that were asked for, in lower case.
    pub fn names(&self) -> Vec<String> {
        let name = |(_, query): &Came| Message::from_vec(query).unwrap().queries[0].name().to_lowercase().to_string();
        self.came().iter().map(name).collect()
    }
}

/// These upstreams, in order.
pub fn to(upstreams: &[&FakeUpstream]) -> Config {
    let all = upstreams.iter().map(|it| Upstream { addr: it.addr, transport: Transport::Udp }).collect();
    Config { to: Forward::Upstreams(all), ..Config::default() }
}

/// The reply to `query` with lines of `OWNER TTL TYPE DATA` in its sections; data after `\#` is hexadecimal.
pub fn reply(query: &[u8], flags: u8, sections: [&str; 3]) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let mut out = [&query[..2], &[0x81, 0x80 | flags], &[0, 1]].concat();
    let records = sections
        .map(|lines| lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(record).collect::<Vec<_>>());
    for section in &records {
        out.extend(u16::try_from(section.len()).unwrap().to_be_bytes());
    }
    out.extend_from_slice(&query[12..end]);
    out.extend(records.into_iter().flatten().flatten());
    out
}

fn record(line: &str) -> Vec<u8> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [owner, ttl, rtype, rest @ ..] = &words[..] else { panic!("{line}") };
    let (number, rdata) = match (*rtype, rest) {
        ("SOA", [minimum]) => {
            let numbers = [1, 2, 3, 4, minimum.parse::<u32>().unwrap()].map(u32::to_be_bytes).concat();
            (6, [wire("ns.example"), wire("root.example"), numbers].concat())
        }
        ("OPT", _) => (41, data("TXT", &[&[r"\#"], rest].concat(), "").1),
        _ => data(rtype, rest, ""),
    };
    let class = if *rtype == "OPT" { 1_232_u16 } else { 1 };
    let head = [number.to_be_bytes(), class.to_be_bytes()].concat();
    let len = u16::try_from(rdata.len()).unwrap().to_be_bytes();
    [wire(owner), head, ttl.parse::<u32>().unwrap().to_be_bytes().to_vec(), len.to_vec(), rdata].concat()
}

/// A client's query for `NAME TYPE`; `bits`: RD, AD, CD and DO as letters.
pub fn query(question: &str, bits: &str) -> Vec<u8> {
    let (name, rtype) = question.split_once(' ').unwrap();
    let bit = |letter, value| if bits.contains(letter) { value } else { 0 };
    let flags = [bit('r', 1), bit('a', 0x20) | bit('c', 0x10)];
    let mut out = [[0x12, 0x34], flags, [0, 1], [0, 0], [0, 0], [0, 1]].concat();
    out.extend(wire(name));
    out.extend([number(rtype).to_be_bytes(), [0, 1]].concat());
    out.extend([0, 0, 41, 4, 208, 0, 0, bit('d', 0x80), 0, 0, 0]);
    out
}
