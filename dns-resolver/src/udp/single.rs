//! One packet by one call, for systems that have none for many.

use std::io;
use std::net::SocketAddr;

use socket2::Socket;
use tokio::net::UdpSocket;

use super::{Answerer, is_somebody, set_recursion_available, unless_it_panics};
use crate::fast::{self, Asked};
use crate::guard::Verdict;
use crate::guard::cookie::Cookie;

/// Bytes of a query that are read; a longer one is none.
const QUERY_MAX: usize = 4_096;

/// Nothing here tells which of its addresses a packet came to.
pub(super) fn prepare(_socket: &Socket, _addr: SocketAddr) -> io::Result<()> {
    Ok(())
}

/// The address a packet came to: it is not known here.
#[derive(Clone, Copy)]
pub(super) enum Local {}

/// Sends an answer that comes late. What the system does not take now is lost.
pub(super) fn send_late(socket: &std::net::UdpSocket, answer: &[u8], to: SocketAddr, _at: Option<Local>) {
    let _ = socket.send_to(answer, to);
}

/// A packet that came, and the answer to it.
pub(super) struct Packets {
    buffer: [u8; QUERY_MAX],
    came: Option<(usize, SocketAddr)>,
    answer: Vec<u8>,
}

impl Packets {
    pub(super) fn new(_socket: &UdpSocket) -> io::Result<Self> {
        Ok(Self { buffer: [0; QUERY_MAX], came: None, answer: Vec::new() })
    }

    /// Takes what has come.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
        self.came = None;
        self.came = Some(socket.try_recv_from(&mut self.buffer)?);
        Ok(())
    }

    /// Answers what came.
    pub(super) fn answer(&mut self, server: &Answerer<'_>) {
        let came = self.came.filter(|(_, from)| is_somebody(from));
        let Some((packet, from)) = came.and_then(|(len, from)| Some((self.buffer.get(..len)?, from))) else {
            self.came = None;
            return;
        };
        let full = server.full;
        let (guard, now) = (full.guard(), full.guard().now());
        let asked = Asked::read(packet, from.ip(), guard, now);
        let cookie = asked.as_ref().map_or(&Cookie::Absent, Asked::cookie);
        let verdict = guard.judge(cookie, from.ip(), now);
        let (zone, terms) = (full.zone(), full.terms());
        let is_done = match (verdict, asked) {
            (Verdict::Answer, Some(asked)) => {
                matches!(unless_it_panics(|| fast::answer_into(&*zone, asked, terms, &mut self.answer)), Some(Ok(())))
            }
            (Verdict::ComeAgain, Some(asked)) => asked.come_again(&mut self.answer).is_ok(),
            _ => false,
        };
        if is_done {
            set_recursion_available(&mut self.answer, full.recurses_for(from.ip()));
        } else {
            match (verdict == Verdict::Answer).then(|| server.answer(packet, from, None)).flatten() {
                Some(answer) => self.answer = answer,
                None => self.came = None,
            }
        }
    }

    /// Sends the answer. What the system does not take now is lost, as UDP may be.
    pub(super) fn send(&mut self, socket: &UdpSocket) {
        if let Some((_, from)) = self.came {
            let _ = socket.try_send_to(&self.answer, from);
        }
    }
}
