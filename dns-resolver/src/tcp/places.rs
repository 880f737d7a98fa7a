//! The places of TCP connections: so many in all, so many a network of clients.
//!
//! Nobody is turned away: who comes gets the place of another that is idle. Where a network has its number, that is one of
//! the address there that has most, so a host with many connections shuts out itself alone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::guard::{client_of, network_of};

/// Who is connected.
pub(super) struct Places {
    max: usize,
    max_per_network: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    all: HashMap<u64, Entry>,
    networks: HashMap<[u8; 8], usize>,
}

struct Entry {
    network: [u8; 8],
    from: IpAddr,
    /// Whether questions are being answered.
    is_busy: bool,
    last: Instant,
    lost: Arc<Notify>,
}

/// A connection's place, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    lost: Arc<Notify>,
}

impl Places {
    pub fn new(max: usize, max_per_network: usize) -> Arc<Self> {
        Arc::new(Self { max: max.max(1), max_per_network: max_per_network.max(1), taken: Mutex::default() })
    }

    /// A place for a connection from there. Where its network has enough, or all are taken, another is lost.
    pub fn take(places: &Arc<Self>, from: IpAddr) -> Place {
        let (network, from) = (network_of(from), client_of(from));
        let mut taken = places.taken();
        let is_network_full = taken.networks.get(&network).is_some_and(|count| *count >= places.max_per_network);
        let gives_way = if is_network_full {
            taken.of_the_busiest(network)
        } else if taken.all.len() >= places.max {
            taken.idle_longest(|_| true)
        } else {
            None
        };
        if let Some(entry) = gives_way.and_then(|number| taken.remove(number)) {
            entry.lost.notify_one();
        }
        let (number, lost) = (taken.next, Arc::new(Notify::new()));
        taken.next += 1;
        *taken.networks.entry(network).or_default() += 1;
        taken.all.insert(number, Entry { network, from, is_busy: false, last: Instant::now(), lost: lost.clone() });
        Place { places: places.clone(), number, lost }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// The connection that has been idle longest, of those that are `meant`; one that is busy if all are.
    fn idle_longest(&self, meant: impl Fn(&Entry) -> bool) -> Option<u64> {
        let meant = self.all.iter().filter(|(_, entry)| meant(entry));
        meant.min_by_key(|(number, entry)| (entry.is_busy, entry.last, **number)).map(|(number, _)| *number)
    }

    /// Of the addresses in `network` that have most connections, the connection that has been idle longest.
    fn of_the_busiest(&self, network: [u8; 8]) -> Option<u64> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for entry in self.all.values().filter(|entry| entry.network == network) {
            *counts.entry(entry.from).or_default() += 1;
        }
        let most = counts.values().max()?;
        self.idle_longest(|entry| entry.network == network && counts.get(&entry.from) == Some(most))
    }

    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.all.remove(&number)?;
        if let Some(count) = self.networks.get_mut(&entry.network) {
            *count -= 1;
            if *count == 0 {
                self.networks.remove(&entry.network);
            }
        }
        Some(entry)
    }
}

impl Place {
    /// It was not idle; `is_busy`: nor is it.
    pub fn touch(&self, is_busy: bool) {
        if let Some(entry) = self.places.taken().all.get_mut(&self.number) {
            (entry.is_busy, entry.last) = (is_busy, Instant::now());
        }
    }

    /// Waits until somebody else has it.
    pub async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn take(places: &Arc<Places>, from: &str) -> Place {
        Places::take(places, from.parse().unwrap())
    }

    fn is_lost(place: &Place) -> bool {
        place.lost().now_or_never().is_some()
    }

    #[test]
    fn a_network_has_so_many() {
        let places = Places::new(10, 2);
        let first = take(&places, "192.0.2.1");
        let second = take(&places, "192.0.2.2");
        let elsewhere = [take(&places, "192.0.3.1"), take(&places, "2001:db8::1")];
        assert!(!is_lost(&first));
        let third = take(&places, "192.0.2.3");
        assert!(is_lost(&first));
        drop(third);
        let fourth = take(&places, "192.0.2.4");
        assert!([&second, &fourth, &elsewhere[0], &elsewhere[1]].into_iter().all(|place| !is_lost(place)));
    }

    #[test]
    fn a_host_that_fills_its_networks_places_shuts_out_itself_alone() {
        let places = Places::new(100, 8);
        let neighbour = take(&places, "192.0.2.1");
        let many: Vec<Place> = (0..50).map(|_| take(&places, "192.0.2.66")).collect();
        let another = take(&places, "192.0.2.2");
        assert!(!is_lost(&neighbour) && !is_lost(&another));
        assert_eq!(many.iter().filter(|place| !is_lost(place)).count(), 6);
    }

    #[test]
    fn the_one_idle_longest_gives_way() {
        let places = Places::new(3, 10);
        let all: Vec<Place> = ["192.0.2.1", "192.0.3.1", "192.0.4.1"].map(|from| take(&places, from)).into();
        all[0].touch(false);
        all[1].touch(true);
        all[2].touch(false);
        let newcomer = take(&places, "192.0.5.1");
        assert_eq!(all.iter().map(is_lost).collect::<Vec<_>>(), [true, false, false]);
        // Who lost its place takes none when it ends.
        drop(all);
        assert_eq!(places.taken().all.len(), 1);
        assert_eq!(places.taken().networks.len(), 1);
        drop(newcomer);
        assert!(places.taken().networks.is_empty());
    }
}
