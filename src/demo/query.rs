//! Questions over real sockets, and answers in the form that [`super::expected`] compares.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use dotp2p_registry::zonefile::{rdata_text, type_name, type_number};
use hickory_proto::ProtoError;
use hickory_proto::op::{DEFAULT_MAX_PAYLOAD_LEN, Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name as DnsName, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::expected::{Expected, record_line};

/// How long a server may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// How a question travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram; a truncated answer is asked for again over TCP.
    Udp,
    /// A stream.
    Tcp,
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

/// Asks `server` what `expected` is the answer to; the answer in the same form.
pub async fn ask(
    server: SocketAddr,
    transport: Transport,
    id: u16,
    expected: &Expected,
) -> Result<Expected, QueryError> {
    let query = query(id, &expected.qname, &expected.qtype)?;
    let bytes = query.to_vec().map_err(|error| not_an_answer(&error))?;
    let mut answer = exchange(server, transport, &bytes).await?;
    if answer.metadata.truncation && transport == Transport::Udp {
        answer = exchange(server, Transport::Tcp, &bytes).await?;
    }
    if answer.metadata.id != id
        || answer.metadata.message_type != MessageType::Response
        || answer.queries != query.queries
    {
        return Err(QueryError::Answer("it belongs to another question".to_owned()));
    }
    shape(&answer, expected).map_err(|error| not_an_answer(&error))
}

fn not_an_answer(error: &ProtoError) -> QueryError {
    QueryError::Answer(error.to_string())
}

fn query(id: u16, qname: &str, qtype: &str) -> Result<Message, QueryError> {
    let name = DnsName::from_ascii(qname).map_err(|error| not_an_answer(&error))?;
    let number = type_number(qtype).ok_or_else(|| QueryError::Answer(format!("{qtype} is no type")))?;
    let mut edns = Edns::new();
    edns.set_max_payload(DEFAULT_MAX_PAYLOAD_LEN).set_dnssec_ok(true);
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(name, RecordType::from(number))).set_edns(edns);
    Ok(message)
}

async fn exchange(server: SocketAddr, transport: Transport, query: &[u8]) -> Result<Message, QueryError> {
    let bytes = match transport {
        Transport::Udp => timeout(DEADLINE, over_udp(server, query)).await,
        Transport::Tcp => timeout(DEADLINE, over_tcp(server, query)).await,
    };
    let bytes = bytes.map_err(|_| QueryError::Timeout)??;
    Message::from_vec(&bytes).map_err(|error| QueryError::Answer(error.to_string()))
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

/// An answer as the question's [`Expected`] would have it.
fn shape(answer: &Message, question: &Expected) -> Result<Expected, ProtoError> {
    Ok(Expected {
        qname: question.qname.clone(),
        qtype: question.qtype.clone(),
        rcode: rcode_text(answer.metadata.response_code),
        aa: answer.metadata.authoritative,
        answer: section(&answer.answers)?,
        authority: section(&answer.authorities)?,
        additional: section(&answer.additionals)?,
    })
}

fn section(records: &[Record]) -> Result<Vec<String>, ProtoError> {
    let is_compared = |record: &&Record| !matches!(type_name(record.record_type().into()).as_str(), "RRSIG" | "NSEC");
    let mut lines = records.iter().filter(is_compared).map(line).collect::<Result<Vec<_>, _>>()?;
    lines.sort_unstable();
    Ok(lines)
}

fn line(record: &Record) -> Result<String, ProtoError> {
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
    Ok(record_line(&record.name.to_ascii(), record.ttl, &type_name(rtype), &rdata_text(rtype, &rdata)))
}

/// As dig prints it.
fn rcode_text(code: ResponseCode) -> String {
    match code {
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        other => format!("{other:?}").to_ascii_uppercase(),
    }
}
