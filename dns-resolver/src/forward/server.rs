//! One upstream: its connection, how it has done so far, and whether it leads back to us.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_proto::rr::Name as DnsName;
use rustls::ClientConfig;
use tokio::sync::Notify;

use super::encrypted::{Connection, Kind};
use super::plain::{ask_tcp, ask_udp};
use super::query::Query;
use super::upstream::{Transport, Upstream};

/// How long a first answer is waited for before another upstream is asked as well.
const PATIENCE_FIRST: Duration = Duration::from_millis(400);
/// The same, when it is known how long answers take: at least, and at most.
const PATIENCE_MIN: Duration = Duration::from_millis(150);
const PATIENCE_MAX: Duration = Duration::from_millis(400);
/// How long an upstream is asked last after it failed once; twice as long each time, up to the second.
const AWAY_MIN: Duration = Duration::from_secs(1);
const AWAY_MAX: Duration = Duration::from_secs(30);
/// Failures in a row of which the log tells, once: single packets get lost.
const FAILURES_TOLD: u32 = 3;
/// How long an upstream that asked us what we asked it is not asked at all.
const LOOPING: Duration = Duration::from_secs(30);
/// Names that have to come round from its address within so long before it is taken to: one alone may have been guessed by a client
/// that shares it.
const ROUNDS: usize = 3;
const ROUNDS_WITHIN: Duration = Duration::from_secs(10);

/// An upstream, and what is known about it.
pub(super) struct Server {
    pub upstream: Upstream,
    connection: Option<Arc<Connection>>,
    /// Whether it was chosen here, and not by the owner of a name.
    is_chosen: bool,
    health: Mutex<Health>,
}

#[derive(Clone, Debug, Default)]
struct Health {
    /// How long its answers take, smoothed (RFC 6298).
    rtt: Option<Duration>,
    failures: u32,
    /// Why it failed last, if it said anything.
    reason: Option<String>,
    away_until: Option<Instant>,
    looping_until: Option<Instant>,
    /// Names that came round lately, and when.
    rounds: Vec<(DnsName, Instant)>,
}

impl Server {
    /// `trust`: whom its certificate is held against, if it has one.
    pub fn new(upstream: Upstream, trust: Option<&Arc<ClientConfig>>) -> Self {
        let connection = trust.and_then(|trust| {
            let (name, kind) = match &upstream.transport {
                Transport::Udp | Transport::Tcp => return None,
                Transport::Tls { name } => (name, Kind::Tls),
                Transport::Https { name, path } => (name, Kind::Https { path: path.clone() }),
            };
            Some(Arc::new(Connection::new(upstream.addr, name.clone(), kind, trust.clone())))
        });
        Self { upstream, connection, is_chosen: true, health: Mutex::default() }
    }

    /// A server that names are delegated to.
    pub fn of_names(addr: SocketAddr) -> Self {
        Self { is_chosen: false, ..Self::new(Upstream { addr, transport: Transport::Udp }, None) }
    }

    /// The upstream's message, which replies to `query`. When `again` is told, what was sent may be lost, and a connection
    /// have died.
    pub async fn ask(&self, query: &Query, again: &Notify) -> io::Result<Vec<u8>> {
        match (&self.upstream.transport, &self.connection) {
            (Transport::Udp, _) => ask_udp(self.upstream.addr, query, again).await,
            (Transport::Tcp, _) => ask_tcp(self.upstream.addr, query).await,
            (_, Some(connection)) => connection.ask(query, again).await,
            (_, None) => Err(io::Error::other("there is no certificate to trust")),
        }
    }

    /// Whether it helps: over TCP the system sees to what is lost.
    pub fn may_be_asked_again(&self) -> bool {
        self.upstream.transport != Transport::Tcp
    }

    fn with_health<T>(&self, change: impl FnOnce(&mut Health) -> T) -> T {
        change(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// It has answered, after so long.
    pub fn answered(&self, after: Duration) {
        let was_gone = self.with_health(|health| {
            health.rtt = Some(health.rtt.map_or(after, |rtt| (rtt * 7 + after) / 8));
            health.away_until = None;
            std::mem::take(&mut health.failures) >= FAILURES_TOLD && self.is_chosen
        });
        if was_gone {
            tracing::info!(upstream = %self.upstream, "the upstream answers again");
        }
    }

    /// Why there will be no answer, for the log when it [`Server::failed`].
    pub fn note(&self, reason: String) {
        self.with_health(|health| health.reason = Some(reason));
    }

    /// It has not answered, or with an error of its own. While it is asked last it fails no more: that many questions lost to
    /// it at once says no more than that one did.
    pub fn failed(&self, now: Instant) {
        let told = self.with_health(|health| {
            let reason = health.reason.take();
            if health.away_until.is_some_and(|until| now < until) {
                return None;
            }
            let away = AWAY_MIN.saturating_mul(1 << health.failures.min(8)).min(AWAY_MAX);
            health.failures = health.failures.saturating_add(1);
            health.away_until = Some(now + away);
            (self.is_chosen && health.failures == FAILURES_TOLD)
                .then(|| reason.unwrap_or_else(|| "it is silent".to_owned()))
        });
        if let Some(reason) = told {
            tracing::warn!(upstream = %self.upstream, reason, "the upstream has failed several times; it is asked last until it answers");
        }
    }

    /// Somebody asks us about `name` as we have asked it.
    pub fn came_round(&self, name: &DnsName, now: Instant) {
        let loops = self.with_health(|health| {
            health.rounds.retain(|(other, at)| other != name && now.saturating_duration_since(*at) < ROUNDS_WITHIN);
            health.rounds.push((name.clone(), now));
            let loops = health.rounds.len() >= ROUNDS;
            if loops {
                health.rounds.clear();
                health.looping_until = Some(now + LOOPING);
            }
            loops
        });
        if loops {
            tracing::warn!(upstream = %self.upstream, "the upstream asks this node what this node asks it; it is not asked for a while");
        }
    }

    /// Whether it may be asked at all.
    pub fn is_looping(&self, now: Instant) -> bool {
        self.with_health(|health| health.looping_until.is_some_and(|until| now < until))
    }

    /// Whether others are asked first.
    pub fn is_away(&self, now: Instant) -> bool {
        self.with_health(|health| health.away_until.is_some_and(|until| now < until))
    }

    /// How long it is waited for before another is asked as well.
    pub fn patience(&self) -> Duration {
        let rtt = self.with_health(|health| health.rtt);
        rtt.map_or(PATIENCE_FIRST, |rtt| (rtt * 3).clamp(PATIENCE_MIN, PATIENCE_MAX))
    }
}

/// Whether it is this machine that has no file or memory left: no upstream has failed, as none was asked.
pub(super) fn is_of_this_machine(error: &io::Error) -> bool {
    // ENFILE and EMFILE; WSAEMFILE.
    error.kind() == io::ErrorKind::OutOfMemory || matches!(error.raw_os_error(), Some(23 | 24 | 10_024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_files_left_is_no_upstreams_failure() {
        let of_this_machine = |number| is_of_this_machine(&io::Error::from_raw_os_error(number));
        assert!(of_this_machine(24) && of_this_machine(23));
        assert!(!is_of_this_machine(&io::ErrorKind::ConnectionRefused.into()));
        assert!(!is_of_this_machine(&io::Error::other("no reply to the question")));
    }

    #[test]
    fn an_upstream_that_fails_is_asked_last_for_longer_each_time() {
        let server = Server::new("192.0.2.1".parse().unwrap(), None);
        let start = Instant::now();
        assert!(!server.is_away(start));
        let (mut away, mut now) = (Vec::new(), start);
        for _ in 0..7 {
            // However many questions it has lost at once.
            (0..100).for_each(|_| server.failed(now));
            away.push((0..60).find(|seconds| !server.is_away(now + Duration::from_secs(*seconds))).unwrap());
            now += Duration::from_secs(*away.last().unwrap());
        }
        assert_eq!(away, [1, 2, 4, 8, 16, 30, 30]);
        server.answered(Duration::from_millis(20));
        assert!(!server.is_away(now));
        server.failed(start);
        assert!(!server.is_away(start + Duration::from_secs(1)), "from the beginning again");
    }

    #[test]
    fn patience_follows_what_was_measured() {
        let server = Server::new("192.0.2.1".parse().unwrap(), None);
        assert_eq!(server.patience(), PATIENCE_FIRST);
        server.answered(Duration::from_millis(80));
        assert_eq!(server.patience(), Duration::from_millis(240));
        (0..50).for_each(|_| server.answered(Duration::from_millis(1)));
        assert_eq!(server.patience(), PATIENCE_MIN);
        (0..50).for_each(|_| server.answered(Duration::from_secs(3)));
        assert_eq!(server.patience(), PATIENCE_MAX);
    }

    #[test]
    fn an_upstream_that_leads_back_is_let_alone_for_a_while() {
        let (server, start) = (Server::new("192.0.2.1".parse().unwrap(), None), Instant::now());
        let name = |at: u64| format!("name-{at}.example.").parse::<DnsName>().unwrap();
        let seconds = |at| start + Duration::from_secs(at);
        for at in 0..5 {
            server.came_round(&name(0), seconds(at));
            server.came_round(&name(1), seconds(at));
            assert!(!server.is_looping(seconds(at)), "two names, however often");
        }
        server.came_round(&name(2), seconds(15));
        assert!(!server.is_looping(seconds(15)), "that was long ago");
        server.came_round(&name(3), seconds(16));
        server.came_round(&name(4), seconds(17));
        assert!(server.is_looping(seconds(17)) && server.is_looping(seconds(46)));
        assert!(!server.is_looping(seconds(47)));
    }
}
