//! The victim's wire, from below: connections, streams, and messages as bytes.
//!
//! No swarm, no behaviours: those are for nodes that keep the rules, and would spend more on a bad message than it takes to
//! refuse it. What a peer sends is put together beforehand and written as it is.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt};
use libp2p::core::muxing::StreamMuxer;
use libp2p::core::upgrade::OutboundConnectionUpgrade;
use libp2p::identity::Keypair;
use libp2p::{noise, tcp, yamux};
use tokio::net::TcpSocket;

const MULTISTREAM: &str = "/multistream/1.0.0";
/// Bytes of a line of multistream-select that are read.
const LINE_MAX: usize = 1_024;

/// A stream of a connection.
pub type Stream = yamux::Stream;

/// A connection that was secured; it does nothing unless it is polled for what the other side opens.
pub struct Connection(yamux::Muxer<noise::Output<tcp::tokio::TcpStream>>);

impl Connection {
    /// Connects from `source`, where it is given, and shows `identity`.
    pub async fn open(victim: SocketAddr, source: Option<IpAddr>, identity: &Keypair) -> io::Result<Self> {
        let socket = if victim.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(source) = source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let socket = socket.connect(victim).await?;
        socket.set_nodelay(true)?;
        let mut plain = tcp::tokio::TcpStream(socket);
        agree(&mut plain, "/noise").await?;
        let noise = noise::Config::new(identity).map_err(io::Error::other)?;
        let (_, mut secured) = noise.upgrade_outbound(plain, "/noise").await.map_err(io::Error::other)?;
        agree(&mut secured, "/yamux/1.0.0").await?;
        Ok(Self(yamux::Config::default().upgrade_outbound(secured, "/yamux/1.0.0").await?))
    }

    /// The next stream that the other side opens; meanwhile all streams move. An error is the end of the connection.
    pub fn poll_inbound(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        Pin::new(&mut self.0).poll_inbound(context).map_err(Into::into)
    }

    /// A new stream, unless the other side has not yet taken those before it.
    pub fn open_stream(&mut self) -> Option<Stream> {
        let muxer = &mut self.0;
        std::future::poll_fn(|context| Pin::new(&mut *muxer).poll_outbound(context)).now_or_never()?.ok()
    }
}

fn line(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 3);
    put_varint(&mut out, text.len() + 1);
    out.extend_from_slice(text.as_bytes());
    out.push(b'\n');
    out
}

/// What opens a stream of one protocol. Whoever is sure of it need not wait for the answer.
pub fn opening(protocol: &str) -> Vec<u8> {
    [line(MULTISTREAM), line(protocol)].concat()
}

async fn read_line(io: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let (mut length, mut shift, mut byte) = (0, 0, [0]);
    loop {
        io.read_exact(&mut byte).await?;
        let [value] = byte;
        length |= usize::from(value & 0x7f) << shift;
        shift += 7;
        if value & 0x80 == 0 {
            break;
        }
        if shift > 14 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let mut text = vec![0; length.min(LINE_MAX)];
    io.read_exact(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
}

async fn agree(io: &mut (impl AsyncRead + AsyncWrite + Unpin), protocol: &str) -> io::Result<()> {
    io.write_all(&opening(protocol)).await?;
    io.flush().await?;
    let is_agreed = read_line(io).await? == MULTISTREAM && read_line(io).await? == protocol;
    if is_agreed { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

/// Lets the other side choose a protocol of its stream; `None` where it proposes none of these. Whoever proposes `never` is
/// not answered.
pub async fn choose<'a>(stream: &mut Stream, spoken: &[&'a str], never: Option<&str>) -> io::Result<Option<&'a str>> {
    read_line(stream).await?;
    stream.write_all(&line(MULTISTREAM)).await?;
    for _ in 0..4 {
        let proposed = read_line(stream).await?;
        if never == Some(&proposed) {
            std::future::pending::<()>().await;
        }
        let chosen = spoken.iter().find(|it| **it == proposed);
        stream.write_all(&line(chosen.map_or("na", |it| *it))).await?;
        stream.flush().await?;
        if let Some(chosen) = chosen {
            return Ok(Some(*chosen));
        }
    }
    Ok(None)
}

fn put_varint(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or_default());
}

/// A field of protobuf that has a length. `number` is below 16.
pub fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 6);
    out.push(number << 3 | 2);
    put_varint(&mut out, value.len());
    out.extend_from_slice(value);
    out
}

/// An RPC of gossipsub as it is framed.
pub fn framed(rpc: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rpc.len() + 4);
    put_varint(&mut out, rpc.len());
    out.extend_from_slice(rpc);
    out
}

/// A question or an answer with its length before it.
pub fn with_length(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_le_bytes();
    [length.as_slice(), message].concat()
}
