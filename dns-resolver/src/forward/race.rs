//! One question and several upstreams: the next is asked as well when one takes its time, and the first good answer is it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hickory_proto::op::ResponseCode;
use tokio::time::sleep_until;

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
/// How long a failure is kept (RFC 9520), in seconds.
const FAILURE_TTL: u32 = 1;

impl Forwarder {
    /// Asks `servers` about `question`.
    pub(super) async fn race(&self, servers: Vec<Arc<Server>>, question: &Outside, tld: &str) -> Forwarded {
        let now = (self.clock)();
        let Some(mut queue) = in_order(servers, now) else { return Err(Failure::NoUpstream) };
        queue.truncate(QUERIES_MAX);
        let most = QUERIES_MAX.min(QUERIES_EACH * queue.len());
        let (count, mut last) =
            (queue.len(), if queue.is_empty() { Err(Failure::Loop) } else { Err(Failure::Unreachable) });
        let mut asked: Vec<(Arc<Server>, Instant)> = Vec::new();
        let mut running = FuturesUnordered::new();
        let deadline = sleep_until(tokio::time::Instant::now() + DEADLINE);
        tokio::pin!(deadline);
        // When the next upstream is asked as well.
        let (mut queries, mut due) = (0, tokio::time::Instant::now());
        loop {
            let is_due = due <= tokio::time::Instant::now();
            if is_due && queue.is_empty() && last.is_ok() {
                // One has said that it cannot help, and the others have had their time.
                self.lost(&asked);
                return last.map(failed);
            }
            if is_due && queries < most {
                // When all were asked, those that are silent are asked again: a packet may be lost.
                let again = || asked.get(queries % asked.len().max(1)).map(|(server, _)| server.clone());
                if let Some(server) = queue.pop_front().or_else(again) {
                    let round = u32::try_from(queries / count.max(1)).unwrap_or_default();
                    due += server.patience().saturating_mul(1 << round);
                    queries += 1;
                    asked.push((server.clone(), Instant::now()));
                    running.push(self.query(server, question, tld));
                } else {
                    due += DEADLINE;
                }
            }
            tokio::select! {
                biased;
                ended = running.next() => {
                    let Some((server, result)) = ended else { return last.map(failed) };
                    asked.retain(|(other, _)| !Arc::ptr_eq(other, &server));
                    match result {
                        Ok(told) if is_conclusive(told.rcode) => {
                            self.lost(&asked);
                            return Ok(told);
                        }
                        result => last = better(last, result),
                    }
                    if !queue.is_empty() {
                        due = tokio::time::Instant::now();
                    }
                }
                () = sleep_until(due), if queries < most || last.is_ok() => {}
                () = &mut deadline => {
                    self.lost(&asked);
                    return last.map(failed);
                }
            }
        }
    }

    /// One query to one upstream.
    async fn query(&self, server: Arc<Server>, question: &Outside, tld: &str) -> (Arc<Server>, Forwarded) {
        let result = self.query_once(&server, question, tld).await;
        match &result {
            Ok(told) if is_conclusive(told.rcode) || told.rcode == ResponseCode::ServFail => {}
            // Somebody may have guessed how it was written.
            Err(Failure::Loop) => {}
            _ => server.failed((self.clock)()),
        }
        (server, result)
    }

    async fn query_once(&self, server: &Server, question: &Outside, tld: &str) -> Forwarded {
        let query = Query::new(question).map_err(|_| Failure::Unreachable)?;
        let mark = self.flights.mark(question, &query);
        let came_round = async {
            match &mark {
                Some(mark) => mark.came_round().await,
                None => std::future::pending().await,
            }
        };
        // Whoever waits here is not asking yet; the race has its deadline.
        let _socket = self.sockets.acquire().await.map_err(|_| Failure::Unreachable)?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        let asked_at = Instant::now();
        let reply = tokio::select! {
            reply = server.ask(&query) => reply,
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
    fn lost(&self, asked: &[(Arc<Server>, Instant)]) {
        for (server, since) in asked {
            if since.elapsed() >= server.patience() {
                server.failed((self.clock)());
            }
        }
    }
}

/// Those that do well first, else as they were given. `None`: there is none; empty: all of them lead back to us.
fn in_order(servers: Vec<Arc<Server>>, now: Instant) -> Option<VecDeque<Arc<Server>>> {
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
