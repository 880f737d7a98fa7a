//! Questions over real sockets: what the demo, `dotp2p dns query` and `dotp2p dns check` ask a DNS server.
//!
//! [`ask`] sends a [`Question`] and gives the [`Reply`] to it, or says why there is none. Nothing is cached or validated.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dotp2p_registry::zonefile::{rdata_text, type_name};
use hickory_proto::ProtoError;
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

/// As dig prints it: `NXDOMAIN`.
#[must_use]
pub fn rcode_text(code: ResponseCode) -> String {
    match code {
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        other => format!("{other:?}").to_ascii_uppercase(),
    }
}
