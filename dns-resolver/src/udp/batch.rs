//! Many packets by one call: `recvmmsg` and `sendmmsg`.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::{Answerer, is_somebody, unless_it_panics};
use crate::fast::{self, BATCH, Elsewhere};

/// Bytes of a query that are read; a longer one is none.
const QUERY_MAX: usize = 4_096;

/// Packets that came, and the answers to them.
pub(super) struct Packets {
    received: MultiHeaders<SockaddrStorage>,
    sending: MultiHeaders<SockaddrStorage>,
    buffers: Vec<[u8; QUERY_MAX]>,
    came: Vec<(usize, SockaddrStorage)>,
    answers: Vec<Vec<u8>>,
    to: Vec<Option<SockaddrStorage>>,
}

impl Packets {
    pub(super) fn new() -> Self {
        Self {
            received: MultiHeaders::preallocate(BATCH, None),
            sending: MultiHeaders::preallocate(BATCH, None),
            buffers: vec![[0; QUERY_MAX]; BATCH],
            came: Vec::with_capacity(BATCH),
            answers: vec![Vec::new(); BATCH],
            to: Vec::with_capacity(BATCH),
        }
    }

    /// Takes what has come.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
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
                self.came.extend(packet.address.map(|from| (len, from)));
            }
            Ok(())
        })
    }

    /// Answers what came.
    pub(super) fn answer(&mut self, full: &Answerer<'_>) {
        let mut packets: [&[u8]; BATCH] = [&[]; BATCH];
        for (((len, _), buffer), packet) in self.came.iter().zip(&self.buffers).zip(&mut packets) {
            *packet = buffer.get(..*len).unwrap_or_default();
        }
        let packets = packets.get(..self.came.len()).unwrap_or_default();
        let mut results = [Err(Elsewhere); BATCH];
        let (zone, max) = (full.full.zone(), full.full.udp_payload());
        // After a panic each is the full server's, by itself.
        if unless_it_panics(|| fast::answer_all(&*zone, packets, max, &mut self.answers, &mut results)).is_none() {
            results = [Err(Elsewhere); BATCH];
        }
        self.to.clear();
        for (at, ((_, from), packet)) in self.came.iter().zip(packets).enumerate() {
            let Some(address) = socket_addr(from).filter(is_somebody) else { continue };
            let is_fast = results.get(at).is_some_and(Result::is_ok);
            // What is not answered leaves its place to the next.
            let place = self.to.len();
            if is_fast {
                self.answers.swap(place, at);
                self.answers.get_mut(place).into_iter().for_each(|it| full.set_recursion_available(it, address.ip()));
            } else if let (Some(answer), Some(out)) = (full.answer(packet, address), self.answers.get_mut(place)) {
                debug_assert!(place <= at, "what was answered is still to be sent");
                out.clear();
                out.extend_from_slice(&answer);
            } else {
                continue;
            }
            self.to.push(Some(*from));
        }
    }

    /// Sends the answers. What the system does not take now is lost, as UDP may be.
    pub(super) fn send(&mut self, socket: &UdpSocket) {
        let mut first = 0;
        while first < self.to.len() {
            let (answers, to) =
                (self.answers.get(first..).unwrap_or_default(), self.to.get(first..).unwrap_or_default());
            let slice = |at| answers.get(at).map(Vec::as_slice).unwrap_or_default();
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

fn socket_addr(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|it| SocketAddr::V4((*it).into()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|it| SocketAddr::V6((*it).into())))
}
