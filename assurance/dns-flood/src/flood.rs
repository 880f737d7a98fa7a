//! Hostile clients beside honest ones.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::packet::{A, ANY, Head, TXT, query};

/// An answer that takes longer is none.
const LATE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Queries a second by all hostile clients
    #[arg(long, default_value_t = 20_000)]
    hostile_rate: u64,
    /// Hostile clients, each in a /24 of its own
    #[arg(long, default_value_t = 50)]
    hostile: u8,
    /// Queries a second by all honest clients
    #[arg(long, default_value_t = 1_000)]
    honest_rate: u64,
    /// Honest clients, each in a /24 of its own
    #[arg(long, default_value_t = 100)]
    honest: u8,
    /// How long
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// Clients that ask at a pace, and what they saw.
struct Clients {
    sockets: Vec<UdpSocket>,
    rate: u64,
    rng: fastrand::Rng,
    /// When what was asked by which socket under which id.
    asked: HashMap<(usize, u16), Instant>,
    sent: u64,
    sent_bytes: u64,
    got_bytes: u64,
    answered: u64,
    cut: u64,
    late: u64,
    latencies_us: Vec<u64>,
}

impl Clients {
    /// `count` clients: 127.`block`.0.1, 127.`block`.1.1 and so on.
    fn new(server: SocketAddr, block: u8, count: u8, rate: u64, seed: u64) -> io::Result<Self> {
        let socket = |at| {
            let socket = UdpSocket::bind((Ipv4Addr::new(127, block, at, 1), 0))?;
            socket.set_nonblocking(true)?;
            socket.connect(server)?;
            Ok(socket)
        };
        Ok(Self {
            sockets: (0..count).map(socket).collect::<io::Result<_>>()?,
            rate,
            rng: fastrand::Rng::with_seed(seed),
            asked: HashMap::new(),
            sent: 0,
            sent_bytes: 0,
            got_bytes: 0,
            answered: 0,
            cut: 0,
            late: 0,
            latencies_us: Vec::new(),
        })
    }

    /// Asks what `next` gives, at the rate, for so long, and takes the answers.
    fn run(mut self, time: Duration, next: impl Fn(&mut fastrand::Rng, u16) -> Vec<u8>) -> io::Result<Self> {
        let began = Instant::now();
        let mut tick = began;
        while began.elapsed() < time + LATE {
            let passed = began.elapsed().min(time);
            let due = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX).saturating_mul(self.rate) / 1_000_000;
            while self.sent < due {
                let at = usize::try_from(self.sent).unwrap_or_default() % self.sockets.len().max(1);
                let id = self.rng.u16(..);
                let packet = next(&mut self.rng, id);
                let Some(socket) = self.sockets.get(at) else { break };
                // What the system does not take is lost, as a packet may be.
                if socket.send(&packet).is_ok() {
                    self.asked.insert((at, id), Instant::now());
                    self.sent_bytes += u64::try_from(packet.len()).unwrap_or_default();
                }
                self.sent += 1;
            }
            self.receive()?;
            tick += Duration::from_millis(1);
            thread::sleep(tick.saturating_duration_since(Instant::now()));
        }
        Ok(self)
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4_096];
        for (at, socket) in self.sockets.iter().enumerate() {
            loop {
                let len = match socket.recv(&mut buffer) {
                    Ok(len) => len,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                };
                self.got_bytes += u64::try_from(len).unwrap_or_default();
                let Some(head) = buffer.get(..len).and_then(Head::read) else { continue };
                let Some(sent) = self.asked.remove(&(at, head.id)) else { continue };
                let took = sent.elapsed();
                if head.is_cut && head.answers == 0 {
                    self.cut += 1;
                } else if took > LATE {
                    self.late += 1;
                } else if head.rcode == 0 || head.rcode == 3 {
                    self.answered += 1;
                    self.latencies_us.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
                }
            }
        }
        Ok(())
    }

    fn figures(mut self) -> Value {
        self.latencies_us.sort_unstable();
        let at = |per_mille: usize| {
            let place = (self.latencies_us.len() * per_mille / 1_000).min(self.latencies_us.len().saturating_sub(1));
            self.latencies_us.get(place).copied()
        };
        json!({
            "sent": self.sent, "answered": self.answered, "cut": self.cut, "late": self.late,
            "sent_bytes": self.sent_bytes, "got_bytes": self.got_bytes,
            "median_us": at(500), "p99_us": at(990), "max_us": self.latencies_us.last(),
        })
    }
}

pub(crate) fn run(server: SocketAddr, name: &str, seed: u64, args: Args) -> Result<Value, String> {
    let time = Duration::from_secs(args.seconds);
    let told = |error: io::Error| error.to_string();
    let hostile = Clients::new(server, 200, args.hostile, args.hostile_rate, seed).map_err(told)?;
    let honest = Clients::new(server, 100, args.honest, args.honest_rate, seed ^ 1).map_err(told)?;
    let big = name.to_owned();
    let flood = thread::spawn(move || {
        // What gives the longest answers, and names that are not there.
        hostile.run(time, |rng, id| match rng.u8(..4) {
            0 => query(id, &big, ANY),
            1 => query(id, &format!("{:x}.p2p", rng.u64(..)), A),
            _ => query(id, &big, TXT),
        })
    });
    let honest = honest.run(time, |rng, id| match rng.u8(..10) {
        0 => query(id, &format!("{:x}.p2p", rng.u64(..)), A),
        _ => query(id, name, A),
    });
    let hostile = flood.join().map_err(|_| "the flood panicked".to_owned())?;
    Ok(json!({ "seed": seed, "honest": honest.map_err(told)?.figures(), "hostile": hostile.map_err(told)?.figures() }))
}
