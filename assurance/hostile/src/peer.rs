//! A hostile peer's life: it connects, says what its kind says until it is parted from, and comes again.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use libp2p::PeerId;
use libp2p::identity::Keypair;
use tokio::time::{Instant, MissedTickBehavior};

use crate::kind::{Kind, Target, gossip_protocol};
use crate::wire::{Connection, Stream, choose, opening};

/// How long a connection may take until it is secured.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the victim may take to say anything, once it is.
const LET_IN: Duration = Duration::from_secs(10);
/// How long a peer waits before it comes again.
const AGAIN: Duration = Duration::from_millis(100);
/// Refusals in a row after which it takes another identity.
const REFUSALS: u32 = 3;
/// How often messages are sent: those of that time at once.
const TICK: Duration = Duration::from_millis(10);
/// Questions on their way.
const ASKING_MAX: usize = 256;

const PING: &str = "/ipfs/ping/1.0.0";

/// A hostile peer.
pub struct Peer {
    /// Which of them.
    pub number: u64,
    /// What it says.
    pub kind: Kind,
    /// Whom it says it to.
    pub victim: SocketAddr,
    /// Where it comes from; the system's choice where it is not given.
    pub source: Option<IpAddr>,
    /// Messages a second.
    pub rate: u64,
    /// When it ends.
    pub end: Instant,
    /// What its identities are made from.
    pub seed: u64,
}

/// What became of an identity.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// From its first message until it was first parted from.
    pub parted: Option<Duration>,
    /// From its first message until it was parted from and not let in again.
    pub banned: Option<Duration>,
    /// From its first message until the end, if it was still there.
    pub stood: Option<Duration>,
}

/// What a peer did and met.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// Messages that were sent.
    pub sent: u64,
    /// How long it was let in, in all.
    pub connected: Duration,
    /// Each time that it came again: let in, or not.
    pub accepted: u64,
    /// Not let in.
    pub refused: u64,
    /// Connections that were not made at all.
    pub failed: u64,
    /// One after the other.
    pub identities: Vec<Identity>,
}

/// How a connection went.
enum Visit {
    /// It was closed before the victim said anything.
    Refused,
    /// It was let in at the one time and parted from at the other.
    Parted(Instant, Instant),
    /// It was let in then, and is there still.
    Stood(Instant),
    /// The time was over.
    Over,
}

/// What a future that writes leaves behind.
type Written = io::Result<(u64, Stream)>;

/// Identity `number` of a peer: another in every run with another seed.
pub fn identity(seed: u64, peer: u64, number: u64) -> Keypair {
    let mut rng = fastrand::Rng::with_seed(seed ^ peer.rotate_left(48) ^ number.rotate_left(24));
    let mut secret = [0; 32];
    rng.fill(&mut secret);
    Keypair::ed25519_from_bytes(secret).unwrap_or_else(|_| Keypair::generate_ed25519())
}

impl Peer {
    /// The peer's first id.
    pub fn first_id(&self) -> PeerId {
        identity(self.seed, self.number, 0).public().to_peer_id()
    }

    /// Lives until the end.
    pub async fn run(self, target: Arc<Target>) -> Life {
        let mut life = Life::default();
        let mut number = self.number << 32;
        let mut is_first_visit = true;
        for which in 0.. {
            let keypair = identity(self.seed, self.number, which);
            let (mut it, mut refusals, mut first, mut last) = (Identity::default(), 0, None, None);
            while refusals < REFUSALS && Instant::now() < self.end {
                let connected = tokio::time::timeout(CONNECT, Connection::open(self.victim, self.source, &keypair));
                let visit = match connected.await {
                    Ok(Ok(connection)) => Some(self.visit(connection, &target, &mut number, &mut life).await),
                    Ok(Err(_)) | Err(_) => None,
                };
                let is_again = !std::mem::take(&mut is_first_visit);
                match visit {
                    None => life.failed += 1,
                    Some(Visit::Refused) => {
                        life.refused += 1;
                        refusals += 1;
                        if let (Some(first), Some(last)) = (first, last) {
                            it.banned = it.banned.or(Some(last - first));
                        }
                    }
                    Some(Visit::Parted(began, ended)) => {
                        life.accepted += u64::from(is_again);
                        let first = *first.get_or_insert(began);
                        it.parted = it.parted.or(Some(ended - first));
                        // It was not banned before.
                        (it.banned, refusals, last) = (None, 0, Some(ended));
                    }
                    Some(Visit::Stood(began)) => {
                        life.accepted += u64::from(is_again);
                        it.stood = Some(self.end - *first.get_or_insert(began));
                    }
                    Some(Visit::Over) => {}
                }
                tokio::time::sleep_until(self.end.min(Instant::now() + AGAIN)).await;
            }
            if first.is_some() {
                life.identities.push(it);
            }
            if Instant::now() >= self.end {
                break;
            }
        }
        life
    }

    /// One connection, until it ends: what the victim opens is attended to, and once it opened something, messages are sent.
    async fn visit(
        &self,
        mut connection: Connection,
        target: &Arc<Target>,
        number: &mut u64,
        life: &mut Life,
    ) -> Visit {
        let came = Instant::now();
        let mut attending = FuturesUnordered::<BoxFuture<'static, ()>>::new();
        let mut writing = FuturesUnordered::<BoxFuture<'static, Written>>::new();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut began, mut fired) = (None, 0u64);
        // The stream of gossip, while nothing is being written to it.
        let (mut gossip, mut is_open) = (None, false);
        let visit = loop {
            tokio::select! {
                opened = std::future::poll_fn(|context| connection.poll_inbound(context)) => match (opened, began) {
                    (Ok(stream), _) => {
                        began = began.or_else(|| Some(Instant::now()));
                        attending.push(attend(stream, self.kind, target.clone()).map(drop).boxed());
                    }
                    (Err(_), Some(began)) => break Visit::Parted(began, Instant::now()),
                    (Err(_), None) => break Visit::Refused,
                },
                Some(()) = attending.next(), if !attending.is_empty() => {}
                Some(written) = writing.next(), if !writing.is_empty() => match written {
                    Ok((count, stream)) => {
                        life.sent += count;
                        if self.kind.asks() {
                            attending.push(after(stream, self.kind).map(drop).boxed());
                        } else {
                            gossip = Some(stream);
                        }
                    }
                    Err(_) => is_open = false,
                },
                now = ticks.tick() => {
                    let Some(began) = began else {
                        if now > came + LET_IN {
                            break Visit::Refused;
                        }
                        continue;
                    };
                    // What could not be sent for long is not made up for.
                    let due = self.due(now - began).max(1);
                    fired = fired.max(due.saturating_sub(self.rate / 5));
                    if self.kind.asks() {
                        while fired < due && writing.len() + attending.len() < ASKING_MAX && let Some(stream) = connection.open_stream() {
                            writing.push(put(stream, target.message(self.kind, *number)).boxed());
                            (fired, *number) = (fired + 1, *number + 1);
                        }
                    } else {
                        let mut bytes = Vec::new();
                        if !is_open && let Some(stream) = connection.open_stream() {
                            bytes = opening(&gossip_protocol(target.protocols()));
                            (gossip, is_open) = (Some(stream), true);
                        }
                        let Some(stream) = gossip.take() else { continue };
                        let count = due - fired;
                        for _ in 0..count {
                            bytes.extend_from_slice(&target.message(self.kind, *number));
                            *number += 1;
                        }
                        fired = due;
                        writing.push(publish(stream, bytes, count).boxed());
                    }
                },
                () = tokio::time::sleep_until(self.end) => break began.map_or(Visit::Over, Visit::Stood),
            }
        };
        if let Some(began) = began {
            life.connected += began.elapsed();
        }
        visit
    }

    /// Messages that are due when so much time has passed.
    fn due(&self, passed: Duration) -> u64 {
        u64::try_from(passed.as_micros()).unwrap_or(u64::MAX).saturating_mul(self.rate) / 1_000_000
    }
}

/// Puts a question on a stream of its own.
async fn put(mut stream: Stream, message: Vec<u8>) -> Written {
    stream.write_all(&message).await?;
    stream.close().await?;
    Ok((1, stream))
}

/// Waits until the other side is done with a stream.
async fn drain(mut stream: Stream) -> io::Result<()> {
    futures::io::copy(&mut stream, &mut futures::io::sink()).await.map(drop)
}

/// What is done with a stream that a question went out on.
async fn after(stream: Stream, kind: Kind) -> io::Result<()> {
    if kind.reads() {
        return drain(stream).await;
    }
    // Kept open: to the victim it looks like a slow reader.
    let _unread = stream;
    std::future::pending().await
}

async fn publish(mut stream: Stream, messages: Vec<u8>, count: u64) -> Written {
    stream.write_all(&messages).await?;
    stream.flush().await?;
    Ok((count, stream))
}

/// Attends to a stream that the victim opened: no more than it takes not to be thought dead, and to be asked.
async fn attend(mut stream: Stream, kind: Kind, target: Arc<Target>) -> io::Result<()> {
    let gossip = gossip_protocol(target.protocols());
    let ask = target.protocols().ask.as_ref();
    let never = (kind == Kind::Ids).then_some(ask);
    match choose(&mut stream, &[PING, ask, &gossip], never).await? {
        Some(PING) => loop {
            let mut bytes = [0; 32];
            stream.read_exact(&mut bytes).await?;
            stream.write_all(&bytes).await?;
            stream.flush().await?;
        },
        Some(protocol) if protocol == ask => {
            let mut question = Vec::new();
            (&mut stream).take(64 << 10).read_to_end(&mut question).await?;
            let question = question.split_first_chunk::<4>().map_or(&[][..], |(_, question)| question);
            if let Some(answer) = target.answer(kind, question) {
                stream.write_all(&answer).await?;
            }
            stream.close().await
        }
        Some(_) => drain(stream).await,
        None => Ok(()),
    }
}
