//! The places of TCP connections: so many in all, so many a network of clients.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::guard::network_of;

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

    /// A place for a connection from there; `None` where its network has enough. Where all are taken, the one that has been
    /// idle longest is lost.
    pub fn take(places: &Arc<Self>, from: IpAddr) -> Option<Place> {
        let network = network_of(from);
        let mut taken = places.taken();
        if taken.networks.get(&network).is_some_and(|count| *count >= places.max_per_network) {
            return None;
        }
        if taken.all.len() >= places.max {
            let idle = taken.all.iter().min_by_key(|(_, entry)| entry.last).map(|(number, _)| *number);
            if let Some(entry) = idle.and_then(|number| taken.remove(number)) {
                entry.lost.notify_one();
            }
        }
        let (number, lost) = (taken.next, Arc::new(Notify::new()));
        taken.next += 1;
        *taken.networks.entry(network).or_default() += 1;
        taken.all.insert(number, Entry { network, last: Instant::now(), lost: lost.clone() });
        Some(Place { places: places.clone(), number, lost })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
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
    /// It was not idle.
    pub fn touch(&self) {
        if let Some(entry) = self.places.taken().all.get_mut(&self.number) {
            entry.last = Instant::now();
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

    fn take(places: &Arc<Places>, from: &str) -> Option<Place> {
        Places::take(places, from.parse().unwrap())
    }

    fn is_lost(place: &Place) -> bool {
        place.lost().now_or_never().is_some()
    }

    #[test]
    fn a_network_has_so_many() {
        let places = Places::new(10, 2);
        let first = take(&places, "192.0.2.1").unwrap();
        let second = take(&places, "192.0.2.2").unwrap();
        assert!(take(&places, "192.0.2.3").is_none());
        assert!(take(&places, "192.0.3.1").is_some());
        assert!(take(&places, "2001:db8::1").is_some());
        drop(first);
        assert!(take(&places, "192.0.2.3").is_some());
        assert!(!is_lost(&second));
    }

    #[test]
    fn the_one_idle_longest_gives_way() {
        let places = Places::new(3, 10);
        let all: Vec<Place> = ["192.0.2.1", "192.0.3.1", "192.0.4.1"].map(|from| take(&places, from).unwrap()).into();
        all[0].touch();
        let newcomer = take(&places, "192.0.5.1").unwrap();
        assert_eq!(all.iter().map(is_lost).collect::<Vec<_>>(), [false, true, false]);
        // Who lost its place takes none when it ends.
        drop(all);
        assert_eq!(places.taken().all.len(), 1);
        assert_eq!(places.taken().networks.len(), 1);
        drop(newcomer);
        assert!(places.taken().networks.is_empty());
    }
}
