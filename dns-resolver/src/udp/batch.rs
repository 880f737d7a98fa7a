//! Many packets by one call: `recvmmsg` and `sendmmsg`.
//!
//! A socket that is bound to every address is told which one a packet came to, and answers from that, packet by packet.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike,
    SockaddrStorage, recvmmsg, sendmmsg, sendmsg, setsockopt, sockopt,
};
use socket2::Socket;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::{Answerer, is_somebody, set_recursion_available, unless_it_panics};
use crate::fast::{self, Asked, BATCH, Elsewhere};
use crate::guard::Verdict;
use crate::guard::cookie::Cookie;

/// Bytes of a query that are read; a longer one is none.
const QUERY_MAX: usize = 4_096;

/// Packets that came, and the answers to them, on a socket of one family or the other: an address of no family in particular is
/// eight times as large, and every packet has two.
pub(super) enum Packets {
    V4(Batch<SockaddrIn>),
    V6(Batch<SockaddrIn6>),
}

/// Packets between addresses of one kind.
pub(super) struct Batch<A> {
    received: MultiHeaders<A>,
    sending: MultiHeaders<A>,
    buffers: Vec<[u8; QUERY_MAX]>,
    came: Vec<Came<A>>,
    answers: Vec<Vec<u8>>,
    to: Vec<Option<A>>,
    /// The addresses that the packets came to, in the order of `to`, where the socket is bound to every one.
    at: Vec<Option<Local>>,
}

/// Has the system tell which address each packet came to, where `addr` stands for every one. To be done before anything comes.
pub(super) fn prepare(socket: &Socket, addr: SocketAddr) -> io::Result<()> {
    match addr {
        _ if !addr.ip().is_unspecified() => {}
        SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?,
    }
    Ok(())
}

/// The address a packet came to, as the system tells and takes it.
#[derive(Clone, Copy)]
pub(super) enum Local {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

impl Local {
    fn of(message: ControlMessageOwned) -> Option<Self> {
        match message {
            // By which interface the answer leaves is for the routes to say.
            ControlMessageOwned::Ipv4PacketInfo(info) => Some(Self::V4(libc::in_pktinfo { ipi_ifindex: 0, ..info })),
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(Self::V6(info)),
            _ => None,
        }
    }

    fn message(&self) -> ControlMessage<'_> {
        match self {
            Self::V4(info) => ControlMessage::Ipv4PacketInfo(info),
            Self::V6(info) => ControlMessage::Ipv6PacketInfo(info),
        }
    }
}

/// A packet that came, in the buffer of its place.
struct Came<A> {
    len: usize,
    /// Whom it is from, where that is somebody.
    from: Option<SocketAddr>,
    address: A,
    at: Option<Local>,
}

impl Packets {
    pub(super) fn new(socket: &UdpSocket) -> io::Result<Self> {
        let local = socket.local_addr()?;
        let is_any = local.ip().is_unspecified();
        Ok(match local {
            SocketAddr::V4(_) => Self::V4(Batch::new(is_any.then(|| cmsg_space!(libc::in_pktinfo)))),
            SocketAddr::V6(_) => Self::V6(Batch::new(is_any.then(|| cmsg_space!(libc::in6_pktinfo)))),
        })
    }

    /// Takes what has come.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
        match self {
            Self::V4(batch) => batch.receive(socket),
            Self::V6(batch) => batch.receive(socket),
        }
    }

    /// Answers what came.
    pub(super) fn answer(&mut self, server: &Answerer<'_>) {
        match self {
            Self::V4(batch) => batch.answer(server),
            Self::V6(batch) => batch.answer(server),
        }
    }

    /// Sends the answers. What the system does not take now is lost, as UDP may be.
    pub(super) fn send(&mut self, socket: &UdpSocket) {
        match self {
            Self::V4(batch) => batch.send(socket),
            Self::V6(batch) => batch.send(socket),
        }
    }
}

impl<A: SockaddrLike + Copy + Into<SocketAddr>> Batch<A> {
    /// `space`: what the system needs to tell which address a packet came to, where that is asked.
    fn new(space: Option<Vec<u8>>) -> Self {
        Self {
            received: MultiHeaders::preallocate(BATCH, space),
            sending: MultiHeaders::preallocate(BATCH, None),
            buffers: vec![[0; QUERY_MAX]; BATCH],
            came: Vec::with_capacity(BATCH),
            answers: vec![Vec::new(); BATCH],
            to: Vec::with_capacity(BATCH),
            at: Vec::with_capacity(BATCH),
        }
    }

    fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
        self.came.clear();
        let mut buffers = self.buffers.iter_mut();
        let mut slices: [_; BATCH] = std::array::from_fn(|_| {
            let buffer: &mut [u8] = buffers.next().map_or(&mut [], |buffer| buffer);
            [IoSliceMut::new(buffer)]
        });
        socket.try_io(Interest::READABLE, || {
            let fd = socket.as_raw_fd();
            for packet in recvmmsg(fd, &mut self.received, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)? {
                // What does not fit is cut and cannot be read.
                let len = if packet.flags.contains(MsgFlags::MSG_TRUNC) { 0 } else { packet.bytes };
                let Some(address) = packet.address else { break };
                let at = packet.cmsgs().ok().and_then(|mut messages| messages.find_map(Local::of));
                let from = Some(address.into()).filter(is_somebody);
                self.came.push(Came { len, from, address, at });
            }
            Ok(())
        })
    }

    fn answer(&mut self, server: &Answerer<'_>) {
        let full = server.full;
        let (guard, now) = (full.guard(), full.guard().now());
        let packet = |at: usize| {
            let came = self.came.get(at)?;
            let from = came.from?;
            Some((self.buffers.get(at)?.get(..came.len)?, from))
        };
        let mut verdicts = [Verdict::Drop; BATCH];
        let mut asked: [Option<Asked<'_>>; BATCH] = std::array::from_fn(|at| {
            let (packet, from) = packet(at)?;
            let asked = Asked::read(packet, from.ip(), guard, now);
            let cookie = asked.as_ref().map_or(&Cookie::Absent, Asked::cookie);
            let verdict = guard.judge(cookie, from.ip(), now);
            *verdicts.get_mut(at)? = verdict;
            asked
        });
        self.to.clear();
        self.at.clear();
        let mut results = [Err(Elsewhere); BATCH];
        let count = self.came.len();
        for ((asked, verdict), (out, result)) in
            asked.iter_mut().zip(&verdicts).zip(self.answers.iter_mut().zip(&mut results)).take(count)
        {
            // It is taken out, so that it is not looked up.
            if *verdict != Verdict::Answer
                && let Some(asked) = asked.take()
                && *verdict == Verdict::ComeAgain
            {
                *result = asked.come_again(out);
            }
        }
        let (zone, terms) = (full.zone(), full.terms());
        // Most of a batch are of few clients.
        let mut recurses = (IpAddr::from([0; 4]), full.recurses_for([0; 4].into()));
        // After a panic each is the full server's, by itself.
        if unless_it_panics(|| fast::answer_all(&*zone, &asked, terms, &mut self.answers, &mut results)).is_none() {
            results = [Err(Elsewhere); BATCH];
        }
        for (at, (came, verdict)) in self.came.iter().zip(&verdicts).enumerate() {
            // What is not answered leaves its place to the next.
            let place = self.to.len();
            debug_assert!(place <= at, "what was answered is still to be sent");
            if results.get(at).is_some_and(Result::is_ok) {
                self.answers.swap(place, at);
                if let (Some(from), Some(answer)) = (came.from, self.answers.get_mut(place)) {
                    if recurses.0 != from.ip() {
                        recurses = (from.ip(), full.recurses_for(from.ip()));
                    }
                    set_recursion_available(answer, recurses.1);
                }
            } else if *verdict == Verdict::Answer
                && let Some((packet, from)) = packet(at)
                && let Some(answer) = server.answer(packet, from, came.at)
                && let Some(out) = self.answers.get_mut(place)
            {
                out.clear();
                out.extend_from_slice(&answer);
            } else {
                continue;
            }
            self.to.push(Some(came.address));
            self.at.push(came.at);
        }
    }

    fn send(&mut self, socket: &UdpSocket) {
        let mut first = 0;
        while first < self.to.len() {
            let (answers, to) =
                (self.answers.get(first..).unwrap_or_default(), self.to.get(first..).unwrap_or_default());
            let slice = |at| answers.get(at).map(Vec::as_slice).unwrap_or_default();
            if let Some(local) = self.at.get(first).copied().flatten() {
                let to = to.first().and_then(Option::as_ref);
                let fd = socket.as_raw_fd();
                match sendmsg(fd, &[IoSlice::new(slice(0))], &[local.message()], MsgFlags::MSG_DONTWAIT, to) {
                    Err(nix::errno::Errno::EAGAIN) => return,
                    _ => first += 1,
                }
                continue;
            }
            let slices: [_; BATCH] = std::array::from_fn(|at| [IoSlice::new(slice(at))]);
            let sent = sendmmsg(socket.as_raw_fd(), &mut self.sending, slices.iter(), to, [], MsgFlags::MSG_DONTWAIT);
            match sent {
                Ok(sent) => first += sent.count().max(1),
                Err(nix::errno::Errno::EAGAIN) => return,
                // The first of them cannot be sent there.
                Err(_) => first += 1,
            }
        }
    }
}

/// Sends an answer that comes late, from the address that was asked. What the system does not take now is lost.
pub(super) fn send_late(socket: &std::net::UdpSocket, answer: &[u8], to: SocketAddr, at: Option<Local>) {
    let messages: &[ControlMessage<'_>] = &at.as_ref().map(Local::message).into_iter().collect::<Vec<_>>();
    let to = SockaddrStorage::from(to);
    let _ = sendmsg(socket.as_raw_fd(), &[IoSlice::new(answer)], messages, MsgFlags::MSG_DONTWAIT, Some(&to));
}
