//! Upstreams over UDP and TCP.
//!
//! A query over UDP has a socket, and so a port, of its own that takes packets from its upstream alone. What comes and is no
//! reply to it is passed over: it neither ends the wait nor shortens it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::query::{Match, Query};

/// Bytes over UDP that are taken; more were not asked for.
const UDP_MAX: usize = 4_096;

/// How long the right case is still waited for when another has come; then TCP is tried, where nobody can slip in replies.
const CASE_PATIENCE: Duration = Duration::from_millis(300);

/// Set in the third byte of a message that was cut (TC).
const TC: u8 = 0x02;

/// Asks over UDP, and over TCP where the answer does not fit. When `again` is told the same packet is sent once more from the
/// same socket, and whichever is answered first is good.
///
/// Waits for as long as it takes; the caller has the clock. Errors: nobody listens there, or there is no way.
pub(super) async fn ask_udp(addr: SocketAddr, query: &Query, again: &Notify) -> io::Result<Vec<u8>> {
    let any: SocketAddr =
        if addr.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(addr).await?;
    match ask_over(&socket, query, again).await? {
        Some(reply) => Ok(reply),
        None => {
            // One socket at a time: they are counted.
            drop(socket);
            ask_tcp(addr, query).await
        }
    }
}

/// Asks over UDP; `None`: TCP is to be tried.
async fn ask_over(socket: &UdpSocket, query: &Query, again: &Notify) -> io::Result<Option<Vec<u8>>> {
    socket.send(query.bytes()).await?;
    let mut buffer = vec![0; UDP_MAX];
    let mut until = None;
    loop {
        let len = tokio::select! {
            received = socket.recv(&mut buffer) => received?,
            () = again.notified() => {
                // The first one may still be answered.
                if let Err(error) = socket.send(query.bytes()).await {
                    tracing::debug!(%error, "a question was not sent again");
                }
                continue;
            }
            () = passed(until) => return Ok(None),
        };
        let packet = buffer.get(..len).unwrap_or_default();
        match query.matches(packet) {
            Match::Reply if packet.get(2).is_some_and(|flags| flags & TC != 0) => return Ok(None),
            Match::Reply => {
                buffer.truncate(len);
                return Ok(Some(buffer));
            }
            Match::OtherCase => until = until.or_else(|| Some(Instant::now() + CASE_PATIENCE)),
            Match::Stranger => tracing::debug!("a packet that is no reply to the question"),
        }
    }
}

async fn passed(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Asks over TCP, by a connection of its own. Errors: there is none, or what comes is no reply.
pub(super) async fn ask_tcp(addr: SocketAddr, query: &Query) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let len = u16::try_from(query.bytes().len()).map_err(io::Error::other)?;
    stream.write_all(&[&len.to_be_bytes(), query.bytes()].concat()).await?;
    let mut reply = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut reply).await?;
    match query.matches(&reply) {
        Match::Reply | Match::OtherCase => Ok(reply),
        Match::Stranger => Err(io::Error::new(io::ErrorKind::InvalidData, "no reply to the question")),
    }
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;
    use tokio::task::yield_now;

    use super::super::query::Outside;
    use super::*;
    use crate::fake::domain;

    /// A socket over which nothing more goes out, as when the way there is gone for a while.
    #[tokio::test]
    async fn a_repeat_that_cannot_be_sent_ends_nothing() {
        let upstream = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(upstream.local_addr().unwrap()).await.unwrap();
        let outside = Outside::of(domain("a.example"), 1);
        let (query, again) = (Query::new(&outside).unwrap(), Notify::new());
        let (reply, ()) = tokio::join!(ask_over(&socket, &query, &again), async {
            let mut buffer = [0; 512];
            let (len, from) = upstream.recv_from(&mut buffer).await.unwrap();
            SockRef::from(&socket).shutdown(std::net::Shutdown::Write).unwrap();
            assert!(socket.try_send(b"more").is_err());
            again.notify_one();
            for _ in 0..10 {
                yield_now().await;
            }
            buffer[2] |= 0x80;
            upstream.send_to(&buffer[..len], from).await.unwrap();
        });
        assert!(reply.unwrap().is_some_and(|reply| reply[2] & 0x80 != 0));
    }
}
