//! Answers a second that a network of clients may have over UDP: whoever forges its victim's address cannot have it flooded.
//!
//! A generic cell rate algorithm a network (/24, /56), in a table whose size never changes, without locks: a bucket is one
//! atomic number. Networks that fall into one set of buckets push out the one that has been quiet longest, which then has its
//! whole burst again.

use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

use super::network_of;

/// Sets of buckets; a power of two.
const SETS: usize = 1 << 15;
/// Buckets of a set.
const WAYS: usize = 4;
/// Bits of a bucket that say when it is empty again, in units of [`TICKS_S`]: 17 years of them.
const TIME_BITS: u32 = 45;
/// Units of time a second.
const TICKS_S: u64 = 1 << 16;

/// Counts answers by the network they go to.
///
/// A bucket: 19 bits that tell networks of a set apart, and the time when the network has its whole burst again.
pub struct Rates {
    buckets: Box<[[AtomicU64; WAYS]]>,
    key: [u8; 16],
    /// What an answer costs, in units of time.
    cost: u64,
    /// How far a network may be ahead.
    burst: u64,
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rates").field("cost", &self.cost).field("burst", &self.burst).finish_non_exhaustive()
    }
}

impl Rates {
    /// - `per_s`: answers a second, at least 1; as many may come at once.
    /// - `key`: 16 random bytes, so that nobody can choose who shares a bucket with whom.
    #[must_use]
    pub fn new(per_s: u32, key: [u8; 16]) -> Self {
        let cost = TICKS_S.div_ceil(u64::from(per_s.max(1)));
        let empty = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            buckets: std::iter::repeat_with(empty).take(SETS).collect(),
            key,
            cost,
            burst: cost * u64::from(per_s.max(1)),
        }
    }

    /// Whether the client's network may have another answer, which is counted.
    ///
    /// - `now`: microseconds since some moment, never less than before.
    #[must_use]
    pub fn take(&self, from: IpAddr, now: u64) -> bool {
        let now = 1 + self.burst + (now / 1_000_000) * TICKS_S + (now % 1_000_000) * TICKS_S / 1_000_000;
        let hash = self.hash(from);
        let tag = (hash >> TIME_BITS) << TIME_BITS;
        let at = usize::try_from(hash).unwrap_or_default() & (SETS - 1);
        let Some(set) = self.buckets.get(at) else { return true };
        let time = |bucket: u64| bucket & ((1 << TIME_BITS) - 1);
        let held = set.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
        let ours = held.iter().position(|bucket| bucket & !((1 << TIME_BITS) - 1) == tag && *bucket != 0);
        // A network that is not there takes the place of the one that has been quiet longest.
        let quiet = || (0..WAYS).min_by_key(|way| held.get(*way).map_or(0, |bucket| time(*bucket)));
        let way = ours.or_else(quiet).unwrap_or_default();
        let (Some(bucket), Some(before)) = (set.get(way), held.get(way)) else { return true };
        let empty_at = if ours.is_some() { time(*before).max(now) } else { now };
        let next = empty_at + self.cost;
        if next > now + self.burst {
            return false;
        }
        // Where two cores count at once, one count may be lost: the limit is about, not to the last answer.
        let _ = bucket.compare_exchange(*before, tag | next, Ordering::Relaxed, Ordering::Relaxed);
        true
    }

    fn hash(&self, from: IpAddr) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(&network_of(from));
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn taken(rates: &Rates, from: &str, now: u64, tries: usize) -> usize {
        (0..tries).filter(|_| rates.take(address(from), now)).count()
    }

    #[test]
    fn a_network_has_its_rate_and_its_burst() {
        let rates = Rates::new(50, [3; 16]);
        assert_eq!(taken(&rates, "192.0.2.1", 0, 1_000), 50);
        assert_eq!(taken(&rates, "192.0.2.200", 0, 1), 0, "the same network");
        assert_eq!(taken(&rates, "192.0.3.1", 0, 1), 1, "another one");
        assert_eq!(taken(&rates, "::ffff:192.0.2.7", 0, 1), 0, "the same, mapped");
        // Half a second later it has half of it again; whatever was refused was not counted.
        let half = taken(&rates, "192.0.2.1", 500_000, 1_000);
        assert!((24..=25).contains(&half), "{half}");
        // However long it is quiet, it has no more than its burst.
        assert_eq!(taken(&rates, "192.0.2.1", 3_600_000_000, 1_000), 50);
    }

    #[test]
    fn networks_of_ipv6_are_of_56_bits() {
        let rates = Rates::new(1, [3; 16]);
        assert_eq!(taken(&rates, "2001:db8:0:100::1", 0, 2), 1);
        assert_eq!(taken(&rates, "2001:db8:0:1ff::1", 0, 1), 0);
        assert_eq!(taken(&rates, "2001:db8:0:200::1", 0, 1), 1);
    }

    /// Steady traffic within the rate is never refused, whatever a flood of other networks does to the table.
    #[test]
    fn who_keeps_the_rate_is_served_beside_a_flood() {
        let rates = Rates::new(20, [9; 16]);
        let mut rng = fastrand::Rng::with_seed(7);
        let mut flooded = 0;
        for step in 0..20_000u64 {
            let now = step * 50_000;
            for _ in 0..20 {
                let from = IpAddr::from([10, rng.u8(..), rng.u8(..4), 1]);
                flooded += usize::from(rates.take(from, now));
            }
            assert!(rates.take(address("192.0.2.1"), now), "step {step}");
        }
        assert!(flooded > 0);
    }

    /// A flood from few networks gets its rate and not more.
    #[test]
    fn a_flood_gets_its_rate() {
        let rates = Rates::new(100, [9; 16]);
        let mut answered = 0;
        for step in 0..200_000u64 {
            // 20,000 a second from 50 networks, for 10 s.
            let from = IpAddr::from([127, 1, u8::try_from(step % 50).unwrap(), 1]);
            answered += u64::from(rates.take(from, step * 50));
        }
        let most = 50 * 100 * 11;
        assert!((50_000..=most).contains(&answered), "{answered}");
    }
}
