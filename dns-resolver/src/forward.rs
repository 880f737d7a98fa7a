//! What is outside our domain: asked of upstreams, and kept for as long as they say.
//!
//! - [`config`]: where to, and for whom; [`upstream`]: one of them, as it is written; `system`: those of the machine.
//! - `query`: a question on its way, hard to answer for whoever has not seen it; `told`: what of a reply is believed.
//! - `plain`, `encrypted`: the ways to an upstream; `server`: one upstream and how it does; `race`: one after the other.
//! - `cache`, `flights`: nobody is asked twice.
//! - `delegation`: the servers of names in our domain whose owners have their own; `lookup`: where those are.
//!
//! A [`Forwarder`] is handed names outside our domain, and drops whatever it is told about that; and those that the chain
//! delegates, with whom it delegates them to, who alone are asked. It does not validate: AD is the upstream's word, and with DO a client gets the signatures to see for itself.
//!
//! It must not ask itself. Addresses where this node listens are no upstreams. A resolver that asks us what we ask it is found
//! out by the name's case, which we choose at random and most resolvers keep: that question is answered SERVFAIL and the
//! resolver left alone for a while. Where the case is changed on the way, the question that comes round joins the one that
//! waits, so nothing circles, and both end with the deadline.

mod cache;
pub mod config;
mod delegation;
mod encrypted;
mod flights;
mod lookup;
mod plain;
mod query;
mod race;
mod server;
mod system;
#[cfg(test)]
mod tests;
mod told;
pub mod upstream;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::future::{BoxFuture, FutureExt};
use hickory_proto::rr::Name as DnsName;
use rustls::ClientConfig;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::extended::ExtendedError;
use cache::Cache;
use config::{Allowed, Config, Forward};
pub(crate) use delegation::{Delegation, address};
pub use encrypted::TrustError;
pub(crate) use flights::Place;
use flights::{Flights, Waiting};
use lookup::Lookups;
pub(crate) use query::Outside;
use server::Server;
use system::Files;
pub(crate) use told::{Told, covered, is_inside, is_proof};
use upstream::Transport;

/// Bytes of what was told that are kept.
const CACHE_BYTES: u64 = 16 << 20;
/// Questions that wait for upstreams at once: of all clients, and of one.
const WAITING_MAX: usize = 1_000;
const WAITING_PER_CLIENT: usize = 100;
/// Questions that wait for addresses of servers: so many, and no more than one for so many sockets; each is up to four.
const LOOKUPS_MAX: usize = 64;
const LOOKUP_SHARE: usize = 16;

/// Why there is no answer from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No upstream is known.
    NoUpstream,
    /// None answered in time.
    Unreachable,
    /// The question came round.
    Loop,
    /// Too many wait already, or there was nothing left to ask with.
    TooMany,
}

pub(crate) type Forwarded = Result<Told, Failure>;

/// The time, as tests may set it.
pub(crate) type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// How questions outside the domain have fared since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answered from the cache.
    pub hits: u64,
    /// Not in the cache.
    pub misses: u64,
    /// Queries sent to upstreams.
    pub sent: u64,
    /// Questions that came round.
    pub loops: u64,
}

/// Where the server of a delegated name is asked that has an address; `None`: it is not.
type Reach = Box<dyn Fn(IpAddr) -> Option<SocketAddr> + Send + Sync>;

/// Asks upstreams.
pub struct Forwarder {
    allow: Allowed,
    upstreams: Upstreams,
    /// Servers of delegated names, as far as is known how they do.
    delegates: moka::sync::Cache<SocketAddr, Arc<Server>>,
    /// Questions for whose sake addresses of such servers may be looked up at once: each takes sockets as several would.
    lookups: Arc<Lookups>,
    /// Counts questions of such servers, which are asked by turns.
    turn: AtomicUsize,
    reach: Reach,
    listeners: Vec<SocketAddr>,
    cache: Cache,
    flights: Arc<Flights>,
    waiting: Arc<Waiting>,
    /// Sockets that may be open; further questions wait.
    sockets: Semaphore,
    /// A question that has a socket has another for as long as more than so many are free: half of them.
    sockets_spare: usize,
    sent: AtomicU64,
    loops: AtomicU64,
    clock: Clock,
    runtime: Handle,
}

/// Whom to ask.
enum Upstreams {
    Configured(Vec<Arc<Server>>),
    System(Mutex<(Files, Vec<Arc<Server>>)>),
}

impl ExtendedError {
    /// Why there is no answer (RFC 8914).
    pub fn of(failure: Failure) -> Self {
        match failure {
            Failure::NoUpstream => Self::new(22, "no upstream resolver is known"),
            Failure::Unreachable => Self::new(23, "no upstream resolver answers"),
            Failure::Loop => Self::new(0, "the upstream resolver asks this server the same"),
            Failure::TooMany => Self::new(0, "too many questions wait for upstream resolvers"),
        }
    }
}

impl Forwarder {
    /// A forwarder; `None` where `config` says off. Must be called within tokio, which does the work.
    ///
    /// - `listeners`: where this node answers DNS; none of them is an upstream.
    /// - Errors: upstreams whose certificates cannot be held against any.
    pub fn new(config: &Config, listeners: Vec<SocketAddr>) -> Result<Option<Arc<Self>>, TrustError> {
        let ours = listeners.clone();
        let reach = Box::new(move |ip| delegation::reach(&ours, ip));
        Self::with(config, listeners, system::files(), Arc::new(Instant::now), reach)
    }

    /// As [`Forwarder::new`], with other files to name the system's resolvers, a clock, and other places for servers.
    pub(crate) fn with(
        config: &Config,
        listeners: Vec<SocketAddr>,
        files: Vec<PathBuf>,
        clock: Clock,
        reach: Reach,
    ) -> Result<Option<Arc<Self>>, TrustError> {
        let upstreams = match &config.to {
            Forward::Off => return Ok(None),
            Forward::System => Upstreams::System(Mutex::new((Files::new(files), Vec::new()))),
            Forward::Upstreams(all) => {
                let is_plain = |transport: &Transport| matches!(transport, Transport::Udp | Transport::Tcp);
                let trust: Option<Arc<ClientConfig>> = match all.iter().all(|it| is_plain(&it.transport)) {
                    true => None,
                    false => Some(encrypted::trust(config.ca_file.as_deref())?),
                };
                let (ours, others): (Vec<_>, Vec<_>) =
                    all.iter().cloned().partition(|upstream| system::is_ours(upstream.addr, &listeners));
                if !ours.is_empty() {
                    tracing::warn!(upstreams = ?ours, "these upstreams are this node itself and are left out");
                }
                Upstreams::Configured(others.into_iter().map(|it| Arc::new(Server::new(it, trust.as_ref()))).collect())
            }
        };
        Ok(Some(Arc::new(Self {
            allow: config.allow.clone(),
            upstreams,
            delegates: moka::sync::Cache::new(delegation::SERVERS_KEPT),
            lookups: Arc::new(Lookups::new((config.sockets / LOOKUP_SHARE).clamp(1, LOOKUPS_MAX))),
            turn: AtomicUsize::new(0),
            reach,
            listeners,
            cache: Cache::new(CACHE_BYTES),
            flights: Arc::default(),
            waiting: Arc::new(Waiting::new(WAITING_MAX, WAITING_PER_CLIENT)),
            sockets: Semaphore::new(config.sockets.max(1)),
            sockets_spare: config.sockets / 2,
            sent: AtomicU64::new(0),
            loops: AtomicU64::new(0),
            clock,
            runtime: Handle::current(),
        })))
    }

    /// Whether that client's questions are forwarded.
    #[must_use]
    pub fn allows(&self, client: IpAddr) -> bool {
        self.allow.has(client)
    }

    /// How questions have fared.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let (hits, misses) = self.cache.counts();
        let (sent, loops) = (self.sent.load(Ordering::Relaxed), self.loops.load(Ordering::Relaxed));
        Counts { hits, misses, sent, loops }
    }

    /// Where its tasks run.
    pub(crate) const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// What was told before and is still good, or failed just now.
    pub(crate) fn cached(&self, question: &Outside) -> Option<Forwarded> {
        self.cache.get(question, (self.clock)())
    }

    /// A place for a question that waits.
    pub(crate) fn enter(&self, client: IpAddr) -> Option<Place> {
        self.waiting.enter(client)
    }

    /// Whether a client's question is one of ours that came round; `wire_name`: the name as it was sent.
    pub(crate) fn has_come_round(&self, name: &DnsName, qtype: u16, wire_name: &[u8], client: IpAddr) -> bool {
        self.flights.has_come_round(name, qtype, wire_name, client)
    }

    /// Asks the upstreams, or whom a name is delegated to. `tld`: our domain, whose records are dropped, but for what is below
    /// the delegation; no other `question` is in it.
    pub(crate) fn ask<'a>(self: &'a Arc<Self>, question: &'a Outside, tld: &'a str) -> BoxFuture<'a, Forwarded> {
        debug_assert!(question.is_believed(&question.name, tld), "our domain does not leave the machine");
        let (this, ours, own) = (self.clone(), question.clone(), tld.to_owned());
        let work = async move {
            let forwarded = match &ours.delegation {
                Some(delegation) => this.ask_delegates(delegation, &ours, &own).await,
                None => this.race(|| this.servers(), &ours, &own, race::DEADLINE).await,
            };
            this.cache.put(ours, forwarded.clone(), (this.clock)());
            forwarded
        };
        let known = || self.cache.good(question, (self.clock)());
        self.flights.share(question, known, work).boxed()
    }

    /// Waits until `question` is on its way no more; at once if it is not.
    pub(crate) async fn landed(&self, question: &Outside) {
        self.flights.landed(question).await;
    }

    /// The upstreams, as they are now.
    fn servers(&self) -> Vec<Arc<Server>> {
        match &self.upstreams {
            Upstreams::Configured(all) => all.clone(),
            Upstreams::System(system) => {
                let (files, servers) = &mut *system.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(named) = files.changed((self.clock)(), &self.listeners) {
                    let known = std::mem::take(servers);
                    *servers = named
                        .into_iter()
                        .map(|upstream| {
                            let same = known.iter().find(|server| server.upstream == upstream);
                            same.cloned().unwrap_or_else(|| Arc::new(Server::new(upstream, None)))
                        })
                        .collect();
                }
                servers.clone()
            }
        }
    }
}
