//! One packet by one call, for systems that have none for many.

use std::io;
use std::net::SocketAddr;

use tokio::net::UdpSocket;

use super::{Answerer, is_somebody, unless_it_panics};
use crate::fast;

/// Bytes of a query that are read; a longer one is none.
const QUERY_MAX: usize = 4_096;

/// A packet that came, and the answer to it.
pub(super) struct Packets {
    buffer: [u8; QUERY_MAX],
    came: Option<(usize, SocketAddr)>,
    answer: Vec<u8>,
}

impl Packets {
    pub(super) fn new() -> Self {
        Self { buffer: [0; QUERY_MAX], came: None, answer: Vec::new() }
    }

    /// Takes what has come.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
        self.came = None;
        self.came = Some(socket.try_recv_from(&mut self.buffer)?);
        Ok(())
    }

    /// Answers what came.
    pub(super) fn answer(&mut self, full: &Answerer<'_>) {
        let came = self.came.filter(|(_, from)| is_somebody(from));
        let Some((packet, from)) = came.and_then(|(len, from)| Some((self.buffer.get(..len)?, from))) else {
            self.came = None;
            return;
        };
        let (zone, max) = (full.full.zone(), full.full.udp_payload());
        let fast = unless_it_panics(|| fast::answer_into(&*zone, packet, max, &mut self.answer));
        if matches!(fast, Some(Ok(()))) {
            full.set_recursion_available(&mut self.answer, from.ip());
        } else {
            match full.answer(packet, from) {
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
