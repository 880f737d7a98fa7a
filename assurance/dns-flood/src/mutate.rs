//! Packets with wrong bytes, as fast as the server takes them.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::packet::{A, ANY, Head, TXT, query};

/// Wrong packets between two good ones: no more than a socket's queue holds.
const ROUND: u64 = 250;

/// A good query is asked again after so long, so often.
const PATIENCE: Duration = Duration::from_secs(1);
const TRIES: usize = 30;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Packets
    #[arg(long, default_value_t = 10_000_000)]
    count: u64,
}

pub(crate) fn run(server: SocketAddr, name: &str, seed: u64, args: Args) -> Result<Value, String> {
    let told = |error: io::Error| error.to_string();
    let wrong = UdpSocket::bind("127.0.0.1:0").map_err(told)?;
    let good = UdpSocket::bind("127.0.0.1:0").map_err(told)?;
    good.connect(server).map_err(told)?;
    good.set_read_timeout(Some(PATIENCE)).map_err(told)?;
    // Their answers are nobody's business: a socket that is full drops them.
    wrong.connect(server).map_err(told)?;
    let mut rng = fastrand::Rng::with_seed(seed);
    let seeds: Vec<Vec<u8>> = [A, TXT, ANY, 2, 6, 43, 252]
        .iter()
        .flat_map(|rtype| {
            [name, "p2p", "x.y.z.p2p", "ns.dotp2p.p2p", "example.org", ""].map(|name| query(1, name, *rtype))
        })
        .collect();
    let (began, mut sent, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    while sent < args.count {
        for _ in 0..ROUND.min(args.count - sent) {
            let packet = mutated(&mut rng, &seeds);
            let _ = wrong.send(&packet);
            sent += 1;
        }
        slowest = slowest.max(answered(&good, name, rng.u16(..)).map_err(|error| format!("after {sent}: {error}"))?);
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({ "seed": seed, "sent": sent, "seconds": seconds, "slowest_ms": slowest.as_millis() }))
}

/// Asks until it is answered; how long the answer took.
fn answered(socket: &UdpSocket, name: &str, id: u16) -> Result<Duration, String> {
    let (packet, mut buffer, began) = (query(id, name, A), [0; 4_096], Instant::now());
    for _ in 0..TRIES {
        socket.send(&packet).map_err(|error| error.to_string())?;
        while let Ok(len) = socket.recv(&mut buffer) {
            let head = buffer.get(..len).and_then(Head::read);
            if head.is_some_and(|head| head.id == id && head.rcode == 0 && head.answers > 0) {
                return Ok(began.elapsed());
            }
        }
    }
    Err("a good query was not answered any more".to_owned())
}

/// One of `seeds`, with some bytes changed, put in, taken out, doubled or cut off.
fn mutated(rng: &mut fastrand::Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut packet = rng.choice(seeds).cloned().unwrap_or_default();
    for _ in 0..=rng.usize(..4) {
        let at = rng.usize(..=packet.len());
        match rng.u8(..8) {
            0 => packet.truncate(at),
            1 => packet.insert(at, rng.u8(..)),
            2 if at < packet.len() => drop(packet.remove(at)),
            3 => {
                let more = rng.usize(..64);
                packet.extend(std::iter::repeat_with(|| rng.u8(..)).take(more));
            }
            4 => packet.extend_from_within(at..),
            _ => {
                if let Some(byte) = packet.get_mut(at) {
                    *byte = match rng.u8(..4) {
                        0 => 0xc0,
                        1 => 0,
                        2 => 0xff,
                        _ => rng.u8(..),
                    };
                }
            }
        }
    }
    packet
}
