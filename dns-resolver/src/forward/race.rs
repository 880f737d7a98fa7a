//! One question and several upstreams: the next is asked as well when one takes its time, and the first good answer is it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hickory_proto::op::ResponseCode;
use tokio::sync::{Notify, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::cache::FAILURE_TTL;
use super::query::{Outside, Query};
use super::server::Server;
use super::told::Told;
use super::{Failure, Forwarded, Forwarder};
use crate::extended::ExtendedError;

/// How long a question is worked on.
const DEADLINE: Duration = Duration::from_secs(4);
/// Queries for one question, to all upstreams together.
const QUERIES_MAX: usize = 8;
/// Queries for one question to one upstream (RFC 9520 3.1).
const QUERIES_EACH: usize = 3;
/// How long another upstream waits for a socket before it is looked for again.
const SOCKET_WAIT: Duration = Duration::from_millis(50);

/// An upstream that has not answered yet.
struct Asked {
    server: Arc<Server>,
    since: Instant,
    queries: usize,
    /// Told when it is to be asked again.
    again: Arc<Notify>,
}

impl Asked {
    fn may_be_asked_again(&self) -> bool {
        self.queries < QUERIES_EACH && self.server.may_be_asked_again()
    }
}

impl Forwarder {
    /// Asks `servers` about `question`.
    pub(super) async fn race(&self, servers: Vec<Arc<Server>>, question: &Outside, tld: &str) -> Forwarded {
        let Some(mut queue) = in_order(servers, (self.clock)()) else { return Err(Failure::NoUpstream) };
        if queue.is_empty() {
            return Err(Failure::Loop);
        }
        queue.truncate(QUERIES_MAX);
        let deadline = Instant::now() + DEADLINE;
        // Waited for before anybody is asked: nobody is to be taken for silent while it is we who are slow.
        let Ok(Ok(socket)) = timeout_at(deadline, self.sockets.acquire()).await else { return Err(Failure::TooMany) };
        let (mut spare, mut last) = (Some(socket), Err(Failure::Unreachable));
        let mut asked: Vec<Asked> = Vec::new();
        let mut running = FuturesUnordered::new();
        // When the next upstream is asked as well.
        let (mut queries, mut due) = (0, Instant::now());
        loop {
            let is_due = due <= Instant::now();
            if is_due && queue.is_empty() && last.is_ok() {
                // One has said that it cannot help, and the others have had their time.
                self.lost(&asked);
                return last.map(failed);
            }
            if is_due && !queue.is_empty() {
                let socket = spare.take().or_else(|| self.sockets.try_acquire().ok());
                due = Instant::now() + SOCKET_WAIT;
                if let Some(socket) = socket
                    && let Some(server) = queue.pop_front()
                {
                    due = Instant::now() + server.patience();
                    queries += 1;
                    let again = Arc::new(Notify::new());
                    asked.push(Asked {
                        server: server.clone(),
                        since: Instant::now(),
                        queries: 1,
                        again: again.clone(),
                    });
                    running.push(self.query(server, again, socket, question, tld));
                }
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
            tokio::select! {
                biased;
                ended = running.next() => {
                    let Some((server, socket, result)) = ended else { return last.map(failed) };
                    asked.retain(|other| !Arc::ptr_eq(&other.server, &server));
                    spare = Some(socket).filter(|_| !queue.is_empty());
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
                () = sleep_until(due), if has_more || (last.is_ok() && queue.is_empty()) => {}
                () = sleep_until(deadline) => {
                    self.lost(&asked);
                    return last.map(failed);
                }
            }
        }
    }

    /// One question to one upstream, which has the socket; `again`: when it is to be asked once more.
    async fn query<'s>(
        &self,
        server: Arc<Server>,
        again: Arc<Notify>,
        socket: SemaphorePermit<'s>,
        question: &Outside,
        tld: &str,
    ) -> (Arc<Server>, SemaphorePermit<'s>, Forwarded) {
        let result = self.query_once(&server, &again, question, tld).await;
        match &result {
            Ok(told) if is_conclusive(told.rcode) || told.rcode == ResponseCode::ServFail => {}
            // Somebody may have guessed how it was written.
            Err(Failure::Loop) => {}
            _ => server.failed((self.clock)()),
        }
        (server, socket, result)
    }

    async fn query_once(&self, server: &Server, again: &Notify, question: &Outside, tld: &str) -> Forwarded {
        let query = Query::new(question).map_err(|_| Failure::Unreachable)?;
        let mark = self.flights.mark(question, &query);
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
            () = came_round => {
                self.loops.fetch_add(1, Ordering::Relaxed);
                server.came_round(&question.name, (self.clock)());
                return Err(Failure::Loop);
            }
        };
        let problem = |error: &dyn std::fmt::Display| {
            tracing::debug!(upstream = %server.upstream, name = %question.name, %error, "no answer");
            Failure::Unreachable
        };
        let reply = reply.map_err(|error| problem(&error))?;
        let reading = Told::read(&reply, question, tld).map_err(|error| problem(&error))?;
        if reading.is_truncated {
            return Err(problem(&"it does not fit"));
        }
        server.answered(asked_at.elapsed());
        Ok(reading.told)
    }

    /// Takes note of upstreams that others were waited for less than.
    fn lost(&self, asked: &[Asked]) {
        for Asked { server, since, .. } in asked {
            if since.elapsed() >= server.patience() {
                server.failed((self.clock)());
            }
        }
    }
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

/// The failure that tells more.
fn better(before: Forwarded, now: Forwarded) -> Forwarded {
    match (before, now) {
        (Ok(before), Ok(now)) => Ok(if before.errors.is_empty() { now } else { before }),
        (Ok(told), Err(_)) | (Err(_), Ok(told)) => Ok(told),
        (Err(Failure::Loop), _) | (_, Err(Failure::Loop)) => Err(Failure::Loop),
        (Err(_), Err(now)) => Err(now),
    }
}

/// What is passed on of an upstream's failure: that it failed, and why.
fn failed(mut told: Told) -> Told {
    if told.errors.is_empty() {
        let code = told.rcode.to_str();
        told.errors.push(ExtendedError::new(22, format!("the upstream resolver says: {code}")));
    }
    told.answer.clear();
    told.authority.clear();
    told.additional.clear();
    Told { rcode: ResponseCode::ServFail, ad: false, leads_to: None, ttl: FAILURE_TTL, ..told }
}
