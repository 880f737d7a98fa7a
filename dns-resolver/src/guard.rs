//! What stands between the network and the answers over UDP: nobody is flooded through us, and nobody keeps others from their answers.
//!
//! - [`cookie`]: a client that shows it is where it says it is has no limit.
//! - [`rate`]: everybody else has so many answers a second, by network. What is above is not answered, but for one of two,
//!   which is told to come again by TCP (slip) or, where the client knows cookies, to bring the one it gets with it (BADCOOKIE).
//!
//! What is absent: state a client; the table of networks never grows.

pub mod cookie;
pub mod rate;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use cookie::{Cookie, Secret};
use ipnet::IpNet;
use rate::Rates;

use crate::server::Config;

/// Answers that are not given for one that is told to come again.
const SLIP: u64 = 2;

/// A moment, by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since the server's start: rates.
    pub since_start_us: u64,
    /// Unix seconds, as 32 bits that run over: cookies.
    pub unix_s: u32,
}

/// What is done with a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is answered.
    Answer,
    /// It is above the rate, and told to come again: with the cookie where it knows cookies (BADCOOKIE), by TCP else (TC).
    ComeAgain,
    /// It is above the rate.
    Drop,
}

/// Cookies and rates of one server. Shared by all its threads.
#[derive(Debug)]
pub struct Guard {
    secret: Secret,
    rates: Option<Rates>,
    exempt: Vec<IpNet>,
    /// Queries above the rate; which of two is told to come again is drawn, or whoever keeps in step with it could take all.
    dropped: AtomicU64,
    drawn: RandomState,
    start: Instant,
}

impl Guard {
    /// - `key`: 32 random bytes.
    #[must_use]
    pub fn new(config: &Config, key: [u8; 32]) -> Self {
        let (mut cookies, mut rates) = ([0; 16], [0; 16]);
        cookies.copy_from_slice(key.first_chunk::<16>().unwrap_or(&[0; 16]));
        rates.copy_from_slice(key.last_chunk::<16>().unwrap_or(&[0; 16]));
        Self {
            secret: Secret::new(cookies),
            rates: (config.rate_limit > 0).then(|| Rates::new(config.rate_limit, rates)),
            exempt: config.rate_limit_exempt.clone(),
            dropped: AtomicU64::new(0),
            drawn: RandomState::new(),
            start: Instant::now(),
        }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Moment {
        let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Moment {
            since_start_us: u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX),
            // Cookies count in a circle of 2^32 seconds.
            unix_s: u32::try_from(unix_s & u64::from(u32::MAX)).unwrap_or_default(),
        }
    }

    /// A query's cookie; `option`: the option's data, where it has one.
    #[must_use]
    pub fn cookie(&self, option: Option<&[u8]>, from: IpAddr, now: Moment) -> Cookie {
        self.secret.read(option, from, now.unix_s)
    }

    /// Whether a query that came over UDP is answered. It is counted.
    #[must_use]
    pub fn judge(&self, cookie: &Cookie, from: IpAddr, now: Moment) -> Verdict {
        let Some(rates) = &self.rates else { return Verdict::Answer };
        if matches!(cookie, Cookie::Ours(_)) || self.is_exempt(from) || rates.take(from, now.since_start_us) {
            return Verdict::Answer;
        }
        let dropped = self.dropped.fetch_add(1, Ordering::Relaxed);
        // Of each SLIP in a row one.
        let chosen = self.drawn.hash_one(dropped / SLIP) % SLIP;
        if dropped % SLIP == chosen { Verdict::ComeAgain } else { Verdict::Drop }
    }

    fn is_exempt(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        self.exempt.iter().any(|net| net.contains(&from))
    }
}

/// The network of a client, which is counted as one: a /24 or a /56.
#[must_use]
pub(crate) fn network_of(from: IpAddr) -> [u8; 8] {
    match from.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            [4, a, b, c, 0, 0, 0, 0]
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, ..] = ip.octets();
            [6, a, b, c, d, e, f, g]
        }
    }
}

/// Who is counted as one client: an address; a /64, of which a host can take every address; all of this machine.
#[must_use]
pub(crate) fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        address if address.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment { since_start_us: 0, unix_s: 1_000 };

    #[test]
    fn above_the_rate_one_of_two_queries_is_told_to_come_again() {
        let config =
            Config { rate_limit: 10, rate_limit_exempt: vec!["127.0.0.0/8".parse().unwrap()], ..Config::default() };
        let guard = Guard::new(&config, [1; 32]);
        let verdicts = |from: &str, option: Option<&[u8]>, count: usize| -> Vec<Verdict> {
            let from: IpAddr = from.parse().unwrap();
            (0..count).map(|_| guard.judge(&guard.cookie(option, from, NOW), from, NOW)).collect()
        };
        let count = |verdicts: &[Verdict], of: Verdict| verdicts.iter().filter(|it| **it == of).count();
        let got = verdicts("192.0.2.1", None, 110);
        assert_eq!([Verdict::Answer, Verdict::ComeAgain, Verdict::Drop].map(|of| count(&got, of)), [10, 50, 50],);
        assert_eq!(count(&verdicts("127.0.0.9", None, 100), Verdict::Answer), 100, "exempt");
        assert_eq!(count(&verdicts("::ffff:127.0.0.9", None, 100), Verdict::Answer), 100, "exempt, mapped");
        assert_eq!(count(&verdicts("192.0.2.1", Some(&[5; 8]), 100), Verdict::Answer), 0, "half a cookie is none");
        let from = "192.0.2.1".parse().unwrap();
        let cookie = *guard.cookie(Some(&[5; 8]), from, NOW).answer().unwrap();
        assert_eq!(count(&verdicts("192.0.2.1", Some(&cookie), 100), Verdict::Answer), 100, "it is there");
        assert_eq!(count(&verdicts("192.0.2.2", Some(&cookie), 100), Verdict::Answer), 0, "it is not there");
    }

    #[test]
    fn no_rate_is_no_limit() {
        let config = Config { rate_limit: 0, rate_limit_exempt: Vec::new(), ..Config::default() };
        let guard = Guard::new(&config, [1; 32]);
        let from = "192.0.2.1".parse().unwrap();
        assert!((0..10_000).all(|_| guard.judge(&Cookie::Absent, from, NOW) == Verdict::Answer));
    }
}
