//! DNS over UDP: a socket a core, packets in and out by the batch.
//!
//! A worker is a thread with its own socket of an address (SO_REUSEPORT: the system shares clients out among them). It takes
//! what has come, has each packet answered (`fast`, and what that leaves by the full server), and sends the answers together.
//! Where the system has no calls for many packets, it takes them one by one. What is absent: locks, and allocations a query.

#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "udp/batch.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "udp/single.rs")]
mod packets;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use hickory_server::net::xfer::Protocol;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::watch;

use crate::full::{Full, Outcome};
use packets::{Local, Packets, send_late};

/// Bytes that wait in a socket's queue: in less, bursts are lost.
const QUEUE_BYTES: usize = 4 << 20;

/// Errors in a row after which a socket is taken to be of no use any more.
const FAILURES_MAX: u32 = 100;

/// Sockets on one address and port, one for each worker.
pub(crate) struct Sockets {
    pub local: SocketAddr,
    all: Vec<std::net::UdpSocket>,
}

impl Sockets {
    /// Binds `workers` sockets; port 0 stands for any.
    pub fn bind(addr: SocketAddr, workers: usize) -> io::Result<Self> {
        // The first one alone shows whether somebody else has the port; only then it is shared.
        let first = socket(addr)?;
        first.bind(&addr.into())?;
        let first = std::net::UdpSocket::from(first);
        let local = first.local_addr()?;
        let mut all = vec![first];
        if cfg!(target_os = "linux") && workers > 1 {
            all.iter().try_for_each(|first| set_reuse_port(&SockRef::from(first)))?;
            for _ in 1..workers {
                let another = socket(addr)?;
                set_reuse_port(&SockRef::from(&another))?;
                another.bind(&local.into())?;
                all.push(another.into());
            }
        }
        Ok(Self { local, all })
    }
}

fn socket(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    // More than the system allows is cut to what it does.
    let _ = socket.set_recv_buffer_size(QUEUE_BYTES);
    packets::prepare(&socket, addr)?;
    Ok(socket)
}

#[cfg(unix)]
fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(unix))]
fn set_reuse_port(_: &Socket) -> io::Result<()> {
    Ok(())
}

/// The threads that answer.
pub(crate) struct Workers {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    ended: watch::Receiver<Option<String>>,
}

impl Workers {
    /// A thread for each socket.
    pub fn start(sockets: Vec<Sockets>, full: &Full) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = watch::channel(None);
        let mut threads = Vec::new();
        for socket in sockets.into_iter().flat_map(|sockets| sockets.all) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
            let (full, stopped, end) = (full.clone(), stopped.clone(), end.clone());
            let thread = std::thread::Builder::new().name("dns-udp".to_owned()).spawn(move || {
                // Whoever ends in a panic is missed as well: half of the clients would hear nothing any more.
                let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(work(socket, &full, stopped))));
                let reason = match ended {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "a worker panicked".to_owned(),
                };
                end.send_replace(Some(reason));
            })?;
            threads.push(thread);
        }
        Ok(Self { stop, threads, ended })
    }

    /// Waits until a worker ends by itself; gives why.
    pub async fn failed(&mut self) -> String {
        match self.ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            // All have ended as they were told to.
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends the workers and waits for them.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let threads = std::mem::take(&mut self.threads);
        let _ = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|it| drop(it.join()))).await;
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn work(socket: std::net::UdpSocket, full: &Full, mut stopped: watch::Receiver<bool>) -> io::Result<()> {
    let full = Answerer { full, late: Arc::new(socket.try_clone()?) };
    let socket = UdpSocket::from_std(socket)?;
    let (mut packets, mut failures) = (Packets::new(&socket)?, 0);
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return Ok(()),
            ready = socket.readable() => ready?,
        }
        while !*stopped.borrow() {
            match packets.receive(&socket) {
                Ok(()) => failures = 0,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Most are of single packets, or pass: the socket goes on.
                Err(error) if failures < FAILURES_MAX => {
                    tracing::debug!(%error, "a packet could not be taken");
                    failures += 1;
                    continue;
                }
                Err(error) => return Err(error),
            }
            packets.answer(&full);
            packets.send(&socket);
        }
    }
}

/// The full server beside a socket: what it answers at once, the worker sends; what waits for others leaves by itself.
struct Answerer<'a> {
    full: &'a Full,
    /// The same socket.
    late: Arc<std::net::UdpSocket>,
}

impl Answerer<'_> {
    /// The answer, if there is one now; `at`: the address that was asked, where that is in doubt.
    fn answer(&self, packet: &[u8], from: SocketAddr, at: Option<Local>) -> Option<Vec<u8>> {
        unless_it_panics(|| match self.full.answer(packet, from, Protocol::Udp) {
            Outcome::Answer(answer) => Some(answer),
            Outcome::Silence => None,
            Outcome::Forward(forwarding) => {
                let socket = self.late.clone();
                self.full.forward_later(forwarding, move |answer| send_late(&socket, answer, from, at));
                None
            }
        })
        .flatten()
    }
}

/// Says in an answer of the fast way what the full server says: whether recursion is available to the client.
fn set_recursion_available(answer: &mut [u8], is_available: bool) {
    const RA: u8 = 0x80;
    if let Some(flags) = answer.get_mut(3).filter(|_| is_available) {
        *flags |= RA;
    }
}

/// Whatever a packet does to the server, the others are answered: `None` where `work` panicked.
fn unless_it_panics<T>(work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.inspect_err(|_| tracing::error!("a query could not be answered: the server panicked")).ok()
}

/// Whether an answer may go there: port 0 and no address at all are nobody's.
fn is_somebody(from: &SocketAddr) -> bool {
    let is_broadcast = matches!(from.ip(), IpAddr::V4(ip) if ip.is_broadcast());
    from.port() != 0 && !from.ip().is_unspecified() && !from.ip().is_multicast() && !is_broadcast
}
