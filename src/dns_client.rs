//! Questions over real sockets: what the demo, `dotp2p dns query` and `dotp2p dns check` ask a DNS server.
//!
//! [`ask`] sends a [`Question`] and gives the [`Reply`] to it, or says why there is none. Nothing is cached or validated.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dotp2p_registry::zonefile::{rdata_text, type_name};
use hickory_proto::ProtoError;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{DEFAULT_MAX_PAYLOAD_LEN, Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name as DnsName, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// How long a server may take.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// How a question travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram; a truncated answer is asked for again over TCP.
    Udp,
    /// A stream.
    Tcp,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name, absolute.
    pub name: DnsName,
    /// Its type.
    pub rtype: RecordType,
    /// Whether the server is to ask others, as a resolver does (RD).
    pub recursion: bool,
    /// Whether signatures are wanted (DO).
    pub dnssec: bool,
    /// Whether even what fails validation is wanted (CD).
    pub unchecked: bool,
}

/// An answer to the question that was asked.
#[derive(Clone, Debug)]
pub struct Reply {
    /// All of it.
    pub message: Message,
    /// Its length.
    pub bytes: usize,
    /// How it came; TCP too where it did not fit into a datagram.
    pub transport: Transport,
    /// How long it took.
    pub took: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Nobody answers in time.
    #[error("no answer within {} s", DEADLINE.as_secs())]
    Timeout,
    /// The socket fails.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not a message, or not to our question.
    #[error("what came is no answer: {0}")]
    Answer(String),
}

impl Question {
    /// A question to a server that knows the answer itself, with neither recursion nor signatures.
    #[must_use]
    pub fn new(name: DnsName, rtype: RecordType) -> Self {
        Self { name, rtype, recursion: false, dnssec: false, unchecked: false }
    }

    fn message(&self, id: u16) -> Message {
        let mut edns = Edns::new();
        edns.set_max_payload(DEFAULT_MAX_PAYLOAD_LEN).set_dnssec_ok(self.dnssec);
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = self.recursion;
        message.metadata.checking_disabled = self.unchecked;
        message.add_query(Query::query(self.name.clone(), self.rtype)).set_edns(edns);
        message
    }
}

/// Asks `server`; `id` tells the answer from others, so whoever asks over a network gives a random one.
///
/// Errors: nobody answers within [`DEADLINE`], or what came is no answer to this.
pub async fn ask(server: SocketAddr, transport: Transport, id: u16, question: &Question) -> Result<Reply, QueryError> {
    let query = question.message(id);
    let bytes = query.to_vec().map_err(|error| not_an_answer(&error))?;
    let mut reply = exchange(server, transport, &bytes).await?;
    if reply.message.metadata.truncation && transport == Transport::Udp {
        reply = exchange(server, Transport::Tcp, &bytes).await?;
    }
    let Message { metadata, queries, .. } = &reply.message;
    if metadata.id != id || metadata.message_type != MessageType::Response || *queries != query.queries {
        return Err(QueryError::Answer("it belongs to another question".to_owned()));
    }
    Ok(reply)
}

pub(crate) fn not_an_answer(error: &ProtoError) -> QueryError {
    QueryError::Answer(error.to_string())
}

async fn exchange(server: SocketAddr, transport: Transport, query: &[u8]) -> Result<Reply, QueryError> {
    let began = Instant::now();
    let bytes = match transport {
        Transport::Udp => timeout(DEADLINE, over_udp(server, query)).await,
        Transport::Tcp => timeout(DEADLINE, over_tcp(server, query)).await,
    };
    let bytes = bytes.map_err(|_| QueryError::Timeout)??;
    let message = Message::from_vec(&bytes).map_err(|error| not_an_answer(&error.into()))?;
    Ok(Reply { message, bytes: bytes.len(), transport, took: began.elapsed() })
}

async fn over_udp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let local = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    let len = socket.recv(&mut buffer).await?;
    buffer.truncate(len);
    Ok(buffer)
}

async fn over_tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let len = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&len.to_be_bytes(), query].concat()).await?;
    let mut buffer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut buffer).await?;
    Ok(buffer)
}

/// A record's type and data as zone files write them; names in the data are absolute.
pub fn type_and_data(record: &Record) -> Result<(String, String), ProtoError> {
    let rtype = u16::from(record.record_type());
    if let RData::DNSSEC(data) = &record.data
        && let Some(text) = dnssec_text(data)?
    {
        return Ok((type_name(rtype), text));
    }
    let rdata = match &record.data {
        RData::Unknown { rdata, .. } => rdata.anything.clone(),
        data => {
            let mut bytes = Vec::new();
            let mut encoder = BinEncoder::new(&mut bytes);
            encoder.set_name_encoding(NameEncoding::Uncompressed);
            data.emit(&mut encoder)?;
            bytes
        }
    };
    Ok((type_name(rtype), rdata_text(rtype, &rdata)))
}

/// The types that no zone file here may hold, as RFC 4034 and RFC 5155 write them; `None`: another.
fn dnssec_text(data: &DNSSECRData) -> Result<Option<String>, ProtoError> {
    // Hickory's own text knows fewer types, and algorithms by names alone.
    let with_types = |text: String, types: &mut dyn Iterator<Item = RecordType>| {
        types.fold(text, |text, it| format!("{text} {}", type_name(it.into())))
    };
    let text = match data {
        DNSSECRData::DNSKEY(key) => key.to_string(),
        DNSSECRData::NSEC(nsec) => with_types(name_text(nsec.next_domain_name())?, &mut nsec.type_bit_maps()),
        DNSSECRData::NSEC3(nsec3) => {
            let before: Vec<String> = nsec3.to_string().split(' ').take(5).map(str::to_owned).collect();
            with_types(before.join(" "), &mut nsec3.type_bit_maps())
        }
        DNSSECRData::NSEC3PARAM(param) => param.to_string(),
        DNSSECRData::RRSIG(rrsig) => {
            let input = rrsig.input();
            let (covered, algorithm) = (type_name(input.type_covered.into()), u8::from(input.algorithm));
            let (labels, ttl, tag) = (input.num_labels, input.original_ttl, input.key_tag);
            let (expires, begins) = (time(input.sig_expiration.get()), time(input.sig_inception.get()));
            let (signer, signature) = (name_text(&input.signer_name)?, STANDARD.encode(rrsig.sig()));
            format!("{covered} {algorithm} {labels} {ttl} {expires} {begins} {tag} {signer} {signature}")
        }
        _ => return Ok(None),
    };
    Ok(Some(text))
}

/// A name as zone files write it, absolute; hickory's own text has its bytes in octal.
pub fn name_text(name: &DnsName) -> Result<String, ProtoError> {
    Ok(rdata_text(RecordType::NS.into(), &name.to_bytes()?))
}

/// Unix seconds as `YYYYMMDDHHmmSS` in UTC (RFC 4034, 3.2).
fn time(seconds: u32) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Counted from 1 March of the year 0, so that a leap day comes last in its year; an era is 400 years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u32::from(month <= 2);
    format!("{year}{month:02}{day:02}{:02}{:02}{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// As dig prints it: `NXDOMAIN`.
#[must_use]
pub fn rcode_text(code: ResponseCode) -> String {
    match code {
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        other => format!("{other:?}").to_ascii_uppercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rtype: u16, rdata: &[u8]) -> String {
        // A whole answer, since that is what records come in.
        let mut wire = vec![0, 1, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
        wire.extend(rtype.to_be_bytes());
        wire.extend([0, 1, 0, 0, 0, 60, 0, u8::try_from(rdata.len()).unwrap()]);
        wire.extend(rdata);
        type_and_data(&Message::from_vec(&wire).unwrap().answers[0]).unwrap().1
    }

    /// They were shown in hexadecimal.
    #[test]
    fn records_of_dnssec_are_shown_as_their_rfcs_write_them() {
        // The examples of RFC 4034 (2.3, 3.3, 4.3, 5.4), their keys cut short.
        assert_eq!(text(48, &[1, 0, 3, 5, 1, 3, 255]), "256 3 5 AQP/");
        let mut rrsig = vec![0, 1, 5, 3, 0, 1, 0x51, 0x80];
        rrsig.extend([1_048_354_263_u32, 1_045_762_263].map(u32::to_be_bytes).concat());
        rrsig.extend([&[0x0a, 0x52][..], b"\x07example\x03com\0", &[0xa0, 9, 7]].concat());
        assert_eq!(text(46, &rrsig), "A 5 3 86400 20030322173103 20030220173103 2642 example.com. oAkH");
        let mut nsec = b"\x04host\x07example\x03com\0\0\x06\x40\x01\0\0\0\x03\x04\x1b".to_vec();
        nsec.extend([0; 26]);
        nsec.push(0x20);
        assert_eq!(text(47, &nsec), "host.example.com. A MX RRSIG NSEC TYPE1234");
        assert_eq!(text(47, b"\x0exn--bcher-kva\xff\0\0\x01\x40"), "xn--bcher-kva\\255. A");
        let ds = [&[0xec, 0x45, 5, 1][..], &[0x2b; 20]].concat();
        assert_eq!(text(43, &ds), format!("60485 5 1 {}", "2B".repeat(20)));
        // RFC 5155, 3.3 and 4.3.
        let nsec3 = [&[1, 1, 0, 12, 4, 0xaa, 0xbb, 0xcc, 0xdd, 2, 0xff, 0, 0, 1, 0x40][..]].concat();
        assert_eq!(text(50, &nsec3), "1 1 12 AABBCCDD vs00 A");
        assert_eq!(text(51, &[1, 0, 0, 0, 0]), "1 0 0 -");
    }

    #[test]
    fn times_of_signatures() {
        let cases = [
            (0, "19700101000000"),
            (951_782_399, "20000228235959"),
            (951_782_400, "20000229000000"),
            (951_868_800, "20000301000000"),
            (1_735_689_599, "20241231235959"),
            (4_107_542_400, "21000301000000"),
            (u32::MAX, "21060207062815"),
        ];
        for (seconds, text) in cases {
            assert_eq!(time(seconds), text);
        }
    }
}
