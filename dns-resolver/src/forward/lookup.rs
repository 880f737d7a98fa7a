//! Addresses of servers outside our domain, to whom names of ours are delegated, as upstreams tell them.
//!
//! Who owns a name says who its servers are, and may have one that refers each question to others. So few are looked up for one
//! question, few at once, and of these no more than a share for one registered name.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use hickory_proto::rr::Name as DnsName;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::delegation::{Delegation, address, some_of_both};
use super::query::Outside;
use super::{Failure, Forwarder};
use crate::rdata::rtype;

/// Servers whose addresses are asked of upstreams for one question; each costs two.
const HOSTS_MAX: usize = 2;
/// How long their addresses are waited for, and how long others when there is one.
const HOSTS_WAIT: Duration = Duration::from_millis(1_500);
const HOSTS_GRACE: Duration = Duration::from_millis(100);
/// What part of the lookups one registered name may have.
const NAME_SHARE: usize = 4;

/// Lookups that are under way.
pub(super) struct Lookups {
    permits: Arc<Semaphore>,
    each_max: usize,
    /// Of each registered name the permits of its share, and how many have or want one.
    names: Mutex<HashMap<DnsName, (Arc<Semaphore>, usize)>>,
}

/// One of them; dropping it makes room for another.
pub(super) struct Permit {
    lookups: Arc<Lookups>,
    name: DnsName,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Lookups {
    /// So many at once.
    pub fn new(max: usize) -> Self {
        let permits = Arc::new(Semaphore::new(max));
        Self { permits, each_max: max.div_ceil(NAME_SHARE), names: Mutex::default() }
    }

    /// Waits for room: first in the share of the name that `cut` belongs to, so that no more of one name stand before others.
    pub async fn enter(self: &Arc<Self>, cut: &DnsName) -> Option<Permit> {
        let name = cut.trim_to(2);
        let share = {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            let (share, count) =
                names.entry(name.clone()).or_insert_with(|| (Arc::new(Semaphore::new(self.each_max)), 0));
            *count += 1;
            share.clone()
        };
        // Counted while it waits as well.
        let mut entered = Permit { lookups: self.clone(), name, permits: Vec::with_capacity(2) };
        for semaphore in [share, self.permits.clone()] {
            entered.permits.push(semaphore.acquire_owned().await.ok()?);
        }
        Some(entered)
    }

    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.permits.available_permits()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.clear();
        let mut names = self.lookups.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = names.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                names.remove(&self.name);
            }
        }
    }
}

/// The addresses of a delegation's servers, as they become known.
pub(super) struct Search {
    cut: DnsName,
    /// Those that have been handed out.
    found: Vec<IpAddr>,
    /// What upstreams have yet to be asked.
    open: Vec<Outside>,
    pending: Option<(UnboundedReceiver<Vec<IpAddr>>, Instant)>,
}

impl Search {
    /// What was known from the beginning.
    pub fn known(&self) -> Vec<IpAddr> {
        self.found.clone()
    }

    /// Whether no more can be found.
    pub fn is_over(&self) -> bool {
        self.open.is_empty() && self.pending.is_none()
    }
}

impl Forwarder {
    /// A search for the addresses of `delegation`: begins with what it holds itself, and with what upstreams have told before.
    pub(super) fn search(&self, delegation: &Delegation, turn: usize) -> Search {
        let both = |host: &DnsName| [rtype::A, rtype::AAAA].map(|qtype| Outside::of(host.clone(), qtype));
        let (mut kept, mut open) = (Vec::new(), Vec::new());
        let hosts = &delegation.hosts;
        for (at, host) in hosts.iter().cycle().skip(turn % hosts.len().max(1)).take(hosts.len()).enumerate() {
            for question in both(host) {
                match self.cache.good(&question, (self.clock)()) {
                    Some(Ok(told)) => kept.extend(told.answer.iter().filter_map(address)),
                    Some(Err(_)) => {}
                    None if at < HOSTS_MAX => open.push(question),
                    None => {}
                }
            }
        }
        let mut found = delegation.addresses.clone();
        kept.retain(|ip| !found.contains(ip));
        found.extend(some_of_both(kept));
        Search { cut: delegation.cut.clone(), found, open, pending: None }
    }

    /// Addresses that the search has not given yet, as soon as there are some; none if there are no more. Errors: too many are
    /// looked up already.
    pub(super) async fn look_up(self: &Arc<Self>, search: &mut Search, tld: &str) -> Result<Vec<IpAddr>, Failure> {
        let until = Instant::now() + HOSTS_WAIT;
        let questions = std::mem::take(&mut search.open);
        if !questions.is_empty() {
            let entered = timeout_at(until, self.lookups.enter(&search.cut)).await;
            let permit = entered.ok().flatten().ok_or(Failure::TooMany)?;
            let (this, tld) = (self.clone(), tld.to_owned());
            let (found, pending) = unbounded_channel();
            search.pending = Some((pending, until));
            // By a task that has the permit until the last one has ended, whoever has what he needs before: no more of them are
            // on their way than there are permits for.
            tokio::spawn(async move {
                let each = questions.iter().map(async |question| {
                    let told = this.ask(question, &tld).await;
                    let addresses = told.map(|told| told.answer.iter().filter_map(address).collect::<Vec<_>>());
                    let _ = found.send(addresses.unwrap_or_default());
                });
                join_all(each).await;
                drop(permit);
            });
        }
        let Some((pending, until)) = &mut search.pending else { return Ok(Vec::new()) };
        let (mut all, mut until) = (Vec::new(), *until);
        while let Ok(Some(found)) = timeout_at(until, pending.recv()).await {
            all.extend(found.into_iter().filter(|ip| !search.found.contains(ip)));
            if !all.is_empty() {
                until = until.min(Instant::now() + HOSTS_GRACE);
            }
        }
        let some = some_of_both(all);
        search.found.extend(&some);
        Ok(some)
    }
}
