//! One question and several upstreams: the next is asked as well when one takes its time, and the first good answer is it.
//!
//! Sockets are few. Where many are in use a question has one alone: who is asked next gets that of who has been silent for
//! longest, which is waited for no more. So upstreams that say nothing keep nobody from those that do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{AbortHandle, abortable};
use futures::stream::FuturesUnordered;
use hickory_proto::op::ResponseCode;
use tokio::sync::{Notify, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::cache::FAILURE_TTL;
use super::query::{Outside, Query};
use super::server::{Server, is_of_this_machine};
use super::told::Told;
use super::{Failure, Forwarded, Forwarder};
use crate::extended::ExtendedError;

/// How long a question is worked on.
pub(super) const DEADLINE: Duration = Duration::from_secs(4);
/// Queries for one question, to all upstreams together.
const QUERIES_MAX: usize = 8;
/// Queries for one question to one upstream (RFC 9520 3.1).
const QUERIES_EACH: usize = 3;
/// How long an upstream that has done well is waited for when another has said that it cannot help: a name that nobody keeps
/// takes longer than the answers by which patience is measured.
const LAST_HOPE: Duration = Duration::from_millis(1_500);

/// An upstream that has not answered yet.
struct Asked<'s> {
    server: Arc<Server>,
    /// When it should have.
    until: Instant,
    /// When it is waited for no more, if another has said that it cannot help.
    last_hope: Instant,
    queries: usize,
    /// Told when it is to be asked again.
    again: Arc<Notify>,
    /// Ends the query.
    end: AbortHandle,
    socket: SemaphorePermit<'s>,
}

impl Asked<'_> {
    fn may_be_asked_again(&self) -> bool {
        self.queries < QUERIES_EACH && self.server.may_be_asked_again()
    }
}

impl Forwarder {
    /// Asks `servers` about `question`, which are looked for when there is a socket; `within`: [`DEADLINE`].
    pub(super) async fn race(
        &self,
        servers: impl FnOnce() -> Vec<Arc<Server>> + Send,
        question: &Outside,
        tld: &str,
        within: Duration,
    ) -> Forwarded {
        let deadline = Instant::now() + within;
        // Waited for before anybody is asked: nobody is to be taken for silent while it is we who are slow. And before they are
        // put in order: meanwhile others have found out who is silent.
        let Ok(Ok(socket)) = timeout_at(deadline, self.sockets.acquire()).await else { return Err(Failure::TooMany) };
        let Some(mut queue) = in_order(servers(), (self.clock)()) else { return Err(Failure::NoUpstream) };
        if queue.is_empty() {
            return Err(Failure::Loop);
        }
        queue.truncate(QUERIES_MAX);
        // Until an upstream has failed it is we who have.
        let (mut spare, mut last) = (Some(socket), Err(Failure::TooMany));
        let mut asked: Vec<Asked<'_>> = Vec::new();
        let mut running = FuturesUnordered::new();
        // When the next upstream is asked as well.
        let (mut queries, mut due) = (0, Instant::now());
        loop {
            let is_due = due <= Instant::now();
            if queue.is_empty() && last.is_ok() && last_hope(&asked).is_some_and(|until| until <= Instant::now()) {
                // One has said that it cannot help, and the others have had their time.
                self.lost(&asked);
                return last.map(failed);
            }
            if is_due && let Some(server) = queue.pop_front() {
                let mut socket = spare.take().or_else(|| self.another_socket());
                if socket.is_none() && !asked.is_empty() {
                    // They stand in the order in which they were asked: the first has been silent for longest.
                    let longest = asked.remove(0);
                    longest.end.abort();
                    last = self.given_up(std::slice::from_ref(&longest), last);
                    socket = Some(longest.socket);
                }
                // There is one: the socket is spare where all who were asked have failed.
                let Some(socket) = socket else { continue };
                let now = Instant::now();
                due = now + server.patience();
                let last_hope = if server.is_away((self.clock)()) { due } else { now + LAST_HOPE };
                queries += 1;
                let again = Arc::new(Notify::new());
                let (query, end) = abortable(self.query(server.clone(), again.clone(), question, tld));
                asked.push(Asked { server, until: due, last_hope, queries: 1, again, end, socket });
                running.push(query);
            } else if is_due && queries < QUERIES_MAX {
                // When all were asked, those that are silent are asked again: a packet may be lost.
                let silent = asked.iter_mut().filter(|it| it.may_be_asked_again());
                if let Some(silent) = silent.min_by_key(|it| it.queries) {
                    due = Instant::now() + silent.server.patience().saturating_mul(1 << silent.queries);
                    queries += 1;
                    silent.queries += 1;
                    silent.again.notify_one();
                    self.sent.fetch_add(1, Ordering::Relaxed);
                }
            }
            let has_more = queries < QUERIES_MAX && (!queue.is_empty() || asked.iter().any(Asked::may_be_asked_again));
            let until = last_hope(&asked).filter(|_| queue.is_empty() && last.is_ok());
            tokio::select! {
                biased;
                ended = running.next() => {
                    let Some(ended) = ended else { return last.map(failed) };
                    // Of who was given up nothing is waited for.
                    let Ok((server, result)) = ended else { continue };
                    let at = asked.iter().position(|other| Arc::ptr_eq(&other.server, &server));
                    spare = at.map(|at| asked.remove(at).socket).filter(|_| !queue.is_empty());
                    match result {
                        Ok(told) if is_conclusive(told.rcode) => {
                            self.lost(&asked);
                            return Ok(told);
                        }
                        result => last = better(last, result),
                    }
                    if !queue.is_empty() {
                        due = Instant::now();
                    }
                }
                () = sleep_until(due), if has_more => {}
                () = sleep_until(until.unwrap_or(deadline)), if until.is_some() => {}
                () = sleep_until(deadline) => return self.given_up(&asked, last).map(failed),
            }
        }
    }

    /// A socket for a question that has one.
    fn another_socket(&self) -> Option<SemaphorePermit<'_>> {
        if self.sockets.available_permits() > self.sockets_spare { self.sockets.try_acquire().ok() } else { None }
    }

    /// One question to one upstream; `again`: when it is to be asked once more.
    async fn query(
        &self,
        server: Arc<Server>,
        again: Arc<Notify>,
        question: &Outside,
        tld: &str,
    ) -> (Arc<Server>, Forwarded) {
        let result = self.query_once(&server, &again, question, tld).await;
        match &result {
            Ok(told) if is_conclusive(told.rcode) || told.rcode == ResponseCode::ServFail => {}
            // What somebody says of a name that it was given without being asked makes it no worse for others.
            Ok(_) if question.delegation.is_some() => {}
            // Somebody may have guessed how it was written, or it was not asked.
            Err(Failure::Loop | Failure::TooMany) => {}
            _ => server.failed((self.clock)()),
        }
        (server, result)
    }

    async fn query_once(&self, server: &Server, again: &Notify, question: &Outside, tld: &str) -> Forwarded {
        let query = Query::new(question).map_err(|_| Failure::TooMany)?;
        let mark = self.flights.mark(question, &query, server.upstream.addr.ip());
        let came_round = async {
            match &mark {
                Some(mark) => mark.came_round().await,
                None => std::future::pending().await,
            }
        };
        self.sent.fetch_add(1, Ordering::Relaxed);
        let asked_at = Instant::now();
        let reply = tokio::select! {
            reply = server.ask(&query, again) => reply,
            is_of_upstream = came_round => {
                self.loops.fetch_add(1, Ordering::Relaxed);
                if is_of_upstream {
                    server.came_round(&question.name, (self.clock)());
                }
                return Err(Failure::Loop);
            }
        };
        let problem = |error: &dyn std::fmt::Display| {
            tracing::debug!(upstream = %server.upstream, name = %question.name, %error, "no answer");
            server.note(error.to_string());
            Failure::Unreachable
        };
        let reply = reply.map_err(|error| {
            let failure = problem(&error);
            if is_of_this_machine(&error) { Failure::TooMany } else { failure }
        })?;
        let reading = Told::read(&reply, question, tld).map_err(|error| problem(&error))?;
        if reading.is_truncated {
            return Err(problem(&"it does not fit"));
        }
        if let Some(delegation) = &question.delegation
            && reading.is_referral
            && !reading.told.refers(&question.name, delegation)
        {
            // It does not answer for the name: it points back, or up.
            let refused = Told { rcode: ResponseCode::Refused, authority: Vec::new(), ..reading.told };
            return Ok(Told { additional: Vec::new(), ..refused });
        }
        server.answered(asked_at.elapsed());
        if !is_conclusive(reading.told.rcode) {
            server.note(format!("it says {}", reading.told.rcode));
        }
        Ok(reading.told)
    }

    /// Takes note of upstreams that should have answered; whether there are any.
    fn lost(&self, asked: &[Asked<'_>]) -> bool {
        let now = Instant::now();
        let silent = asked.iter().filter(|it| it.until <= now);
        silent.map(|it| it.server.failed((self.clock)())).count() > 0
    }

    /// As [`Forwarder::lost`]; the failure, which was `last`, when these are waited for no more.
    fn given_up(&self, asked: &[Asked<'_>], last: Forwarded) -> Forwarded {
        if self.lost(asked) { better(last, Err(Failure::Unreachable)) } else { last }
    }
}

/// When none of these is waited for any more, if another has said that it cannot help.
fn last_hope(asked: &[Asked<'_>]) -> Option<Instant> {
    asked.iter().map(|it| it.last_hope).max()
}

/// Those that do well first, else as they were given. `None`: there is none; empty: all of them lead back to us.
fn in_order(servers: Vec<Arc<Server>>, now: std::time::Instant) -> Option<VecDeque<Arc<Server>>> {
    if servers.is_empty() {
        return None;
    }
    let mut all: Vec<_> = servers.into_iter().filter(|server| !server.is_looping(now)).collect();
    all.sort_by_key(|server| server.is_away(now));
    Some(all.into())
}

/// Whether another upstream would know no better.
fn is_conclusive(rcode: ResponseCode) -> bool {
    matches!(rcode, ResponseCode::NoError | ResponseCode::NXDomain | ResponseCode::YXDomain)
}

/// The answer, or the failure that tells more.
pub(super) fn better(before: Forwarded, now: Forwarded) -> Forwarded {
    match (before, now) {
        (_, Ok(now)) if is_conclusive(now.rcode) => Ok(now),
        (Ok(before), Ok(now)) => Ok(if before.errors.is_empty() { now } else { before }),
        (Ok(told), Err(_)) | (Err(_), Ok(told)) => Ok(told),
        (Err(Failure::Loop), _) | (_, Err(Failure::Loop)) => Err(Failure::Loop),
        (Err(Failure::Unreachable), _) | (_, Err(Failure::Unreachable)) => Err(Failure::Unreachable),
        (Err(_), Err(now)) => Err(now),
    }
}

/// What is passed on of an upstream's failure: that it failed, and why.
fn failed(mut told: Told) -> Told {
    if told.errors.is_empty() {
        let code = told.rcode.to_str();
        told.errors.push(ExtendedError::new(22, format!("who was asked says: {code}")));
    }
    told.answer.clear();
    told.authority.clear();
    told.additional.clear();
    Told { rcode: ResponseCode::ServFail, ad: false, leads_to: None, ttl: FAILURE_TTL, ..told }
}
