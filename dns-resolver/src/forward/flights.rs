//! Questions on their way: equal ones share one answer, and one that has come round is known.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hickory_proto::rr::Name as DnsName;
use tokio::sync::{Notify, watch};

use super::query::{Outside, Query, is_mark};
use super::{Failure, Forwarded, LOOKUPS_MAX, WAITING_MAX};
use crate::guard::client_of;

/// Questions on their way: of each that waits, and those for the sake of some.
const FLIGHTS_MAX: usize = WAITING_MAX + 4 * LOOKUPS_MAX;

/// What is on its way.
#[derive(Default)]
pub(super) struct Flights {
    shared: Mutex<HashMap<Outside, watch::Receiver<Option<Forwarded>>>>,
    marks: Mutex<HashMap<(DnsName, u16), Vec<Mark>>>,
    next_mark: AtomicU64,
}

/// A question as it went out.
struct Mark {
    number: u64,
    wire_name: Vec<u8>,
    upstream: IpAddr,
    round: Arc<Round>,
}

/// Whether a question has come round, and whether from the upstream that it went to: how it was written is seen by the servers
/// of its name's owner as well, and whoever has it from there can send it to us.
#[derive(Default)]
struct Round {
    came: Notify,
    is_of_upstream: AtomicBool,
}

/// A question is marked for as long as this lives.
pub(super) struct Marked<'a> {
    flights: &'a Flights,
    key: (DnsName, u16),
    number: u64,
    round: Arc<Round>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Flights {
    /// The answer to a question: where it is on its way, the one that comes; else that of `work`, which goes on even if
    /// nobody waits any more. There is no more on its way than may wait.
    ///
    /// - `known`: the answer, if it has come since the caller looked. Kept by `work`, so before it is on its way no more.
    pub async fn share(
        self: &Arc<Self>,
        question: &Outside,
        known: impl FnOnce() -> Option<Forwarded>,
        work: impl Future<Output = Forwarded> + Send + 'static,
    ) -> Forwarded {
        let mut receiver = {
            let mut shared = lock(&self.shared);
            match shared.get(question) {
                Some(receiver) => receiver.clone(),
                None => {
                    if let Some(forwarded) = known() {
                        return forwarded;
                    }
                    if shared.len() >= FLIGHTS_MAX {
                        return Err(Failure::TooMany);
                    }
                    let (sender, receiver) = watch::channel(None);
                    shared.insert(question.clone(), receiver.clone());
                    let landing = Landing { flights: self.clone(), question: question.clone() };
                    tokio::spawn(async move {
                        let forwarded = work.await;
                        drop(landing);
                        sender.send_replace(Some(forwarded));
                    });
                    receiver
                }
            }
        };
        let arrived = receiver.wait_for(Option::is_some).await;
        arrived.ok().and_then(|forwarded| forwarded.clone()).unwrap_or(Err(Failure::Unreachable))
    }

    /// Waits until a question is on its way no more.
    pub async fn landed(&self, question: &Outside) {
        let receiver = lock(&self.shared).get(question).cloned();
        if let Some(mut receiver) = receiver {
            let _ = receiver.wait_for(Option::is_some).await;
        }
    }

    /// Marks a question as it goes out to `upstream`.
    pub fn mark(&self, question: &Outside, query: &Query, upstream: IpAddr) -> Option<Marked<'_>> {
        if !is_mark(query.wire_name()) {
            return None;
        }
        let number = self.next_mark.fetch_add(1, Ordering::Relaxed);
        let (key, round) = ((question.name.clone(), question.qtype), Arc::<Round>::default());
        let (upstream, wire_name) = (upstream.to_canonical(), query.wire_name().to_vec());
        let mark = Mark { number, wire_name, upstream, round: round.clone() };
        lock(&self.marks).entry(key.clone()).or_default().push(mark);
        Some(Marked { flights: self, key, number, round })
    }

    /// Whether a question that comes in from `client` is one that went out; then who waits for it is told.
    pub fn has_come_round(&self, name: &DnsName, qtype: u16, wire_name: &[u8], client: IpAddr) -> bool {
        let marks = lock(&self.marks);
        let same = marks.get(&(name.clone(), qtype)).into_iter().flatten().find(|mark| mark.wire_name == wire_name);
        let Some(mark) = same else { return false };
        let client = client.to_canonical();
        // A resolver on this machine asks from whichever of its addresses the system takes.
        let is_here = mark.upstream.is_loopback() && client.is_loopback();
        mark.round.is_of_upstream.fetch_or(is_here || mark.upstream == client, Ordering::Relaxed);
        mark.round.came.notify_one();
        true
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        lock(&self.shared).is_empty() && lock(&self.marks).is_empty()
    }
}

impl Marked<'_> {
    /// Waits until the question has come round; whether from the upstream itself.
    pub async fn came_round(&self) -> bool {
        self.round.came.notified().await;
        self.round.is_of_upstream.load(Ordering::Relaxed)
    }
}

impl Drop for Marked<'_> {
    fn drop(&mut self) {
        let mut marks = lock(&self.flights.marks);
        if let Some(same) = marks.get_mut(&self.key) {
            same.retain(|mark| mark.number != self.number);
            if same.is_empty() {
                marks.remove(&self.key);
            }
        }
    }
}

/// Takes a question out when its answer is there, or whoever works on it has panicked.
struct Landing {
    flights: Arc<Flights>,
    question: Outside,
}

impl Drop for Landing {
    fn drop(&mut self) {
        lock(&self.flights.shared).remove(&self.question);
    }
}

/// How many questions wait, in all and for each client.
///
/// A client has at most half as many places as are free (Choudhury and Hahne's dynamic thresholds): the more clients take all
/// they can get, the less each of them gets. Likewise an address has at most half of what is left of its client's.
pub(super) struct Waiting {
    total_max: usize,
    client_max: usize,
    clients: Mutex<(usize, HashMap<IpAddr, usize>)>,
}

/// A place among those that wait; dropping it gives it back.
pub(crate) struct Place {
    waiting: Arc<Waiting>,
    /// Its client, and of a /64 the address.
    of: [Option<IpAddr>; 2],
}

impl Waiting {
    pub fn new(total_max: usize, client_max: usize) -> Self {
        Self { total_max, client_max, clients: Mutex::default() }
    }

    /// A place for a question of `client`; `None`: it, or all of them together, have too many.
    pub fn enter(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let (client, address) = (client_of(client), client.to_canonical());
        // Of a /64 that many hosts share.
        let address = Some(address).filter(|address| address.is_ipv6() && !address.is_loopback() && *address != client);
        let mut clients = lock(&self.clients);
        let (total, each) = &mut *clients;
        let count = |of: &IpAddr| each.get(of).copied().unwrap_or_default();
        let left =
            self.total_max.saturating_sub(*total).div_ceil(2).min(self.client_max).saturating_sub(count(&client));
        if left == 0 || address.is_some_and(|address| count(&address) >= left.div_ceil(2)) {
            return None;
        }
        *total += 1;
        let of = [Some(client), address];
        of.into_iter().flatten().for_each(|of| *each.entry(of).or_default() += 1);
        Some(Place { waiting: self.clone(), of })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = lock(&self.waiting.clients);
        let (total, each) = &mut *clients;
        *total = total.saturating_sub(1);
        for of in self.of.iter().flatten() {
            if let Some(count) = each.get_mut(of) {
                *count -= 1;
                if *count == 0 {
                    each.remove(of);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::FutureExt;

    use super::*;
    use crate::fake::domain;

    #[tokio::test]
    async fn what_is_on_its_way_is_bounded() {
        let flights = Arc::<Flights>::default();
        let outside = |at: usize| Outside::of(domain(&format!("n{at}.example")), 1);
        for at in 0..FLIGHTS_MAX {
            let question = outside(at);
            let share = flights.share(&question, || None, pending());
            assert_eq!(share.now_or_never(), None, "and whoever asked is gone");
        }
        let question = outside(FLIGHTS_MAX);
        assert_eq!(flights.share(&question, || None, pending()).await, Err(Failure::TooMany));
        let known = || Some(Err(Failure::Unreachable));
        assert_eq!(flights.share(&question, known, pending()).await, Err(Failure::Unreachable));
        let question = outside(0);
        let share = flights.share(&question, || None, pending());
        assert_eq!(share.now_or_never(), None, "it joins the one that is there");
    }

    #[test]
    fn places_are_bounded_in_all_and_for_each_client() {
        let waiting = Arc::new(Waiting::new(5, 2));
        let client = |at: u8| IpAddr::from([192, 0, 2, at]);
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let first = waiting.enter(client(1)).unwrap();
        let _second = waiting.enter(mapped).unwrap();
        assert!(waiting.enter(client(1)).is_none() && waiting.enter(mapped).is_none());
        let _others: Vec<_> = (2..5).map(|at| waiting.enter(client(at)).unwrap()).collect();
        assert!(waiting.enter(client(9)).is_none(), "all are taken");
        drop(first);
        assert!(waiting.enter(client(1)).is_none(), "it has as many as are free");
        let again = waiting.enter(client(9)).unwrap();
        drop((again, _second, _others));
        assert!(lock(&waiting.clients).1.is_empty() && lock(&waiting.clients).0 == 0);
    }

    #[test]
    fn a_host_with_many_addresses_is_one_client() {
        for [first, second, other] in [
            ["127.0.0.1", "127.9.9.9", "192.0.2.1"],
            ["::1", "127.0.0.1", "::2"],
            ["2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::1"],
        ] {
            let waiting = Arc::new(Waiting::new(10, 1));
            let enter = |address: &str| waiting.enter(address.parse().unwrap());
            let _place = enter(first).unwrap();
            assert!(enter(second).is_none() && enter(other).is_some(), "{first} {second} {other}");
        }
    }

    #[test]
    fn a_host_of_a_shared_network_leaves_places_to_its_neighbours() {
        let waiting = Arc::new(Waiting::new(WAITING_MAX, 100));
        let fill =
            |address: &str| -> Vec<_> { std::iter::from_fn(|| waiting.enter(address.parse().unwrap())).collect() };
        let (first, second, third) = (fill("fe80::1"), fill("fe80::2"), fill("fe80::3"));
        assert_eq!([first.len(), second.len(), third.len()], [34, 22, 15]);
        drop((first, second, third));
        assert!(lock(&waiting.clients).1.is_empty());
    }

    #[test]
    fn clients_that_take_all_they_can_get_leave_places_to_others() {
        let waiting = Arc::new(Waiting::new(WAITING_MAX, WAITING_MAX));
        let client = |at: u8| IpAddr::from([192, 0, 2, at]);
        let mut taken = Vec::new();
        loop {
            let round: Vec<_> = (0..10).filter_map(|greedy| waiting.enter(client(greedy))).collect();
            if round.is_empty() {
                break;
            }
            taken.extend(round);
        }
        let own: Vec<_> = std::iter::from_fn(|| waiting.enter(client(200))).collect();
        assert!((820..850).contains(&taken.len()) && own.len() > 50, "{} {}", taken.len(), own.len());
    }
}
