//! What upstreams have told, for as long as it is good.
//!
//! Bounded in bytes. Times to live are counted down by whole seconds; what has run out is not served, not even in need. That
//! upstreams failed is kept for a second, so that whoever asks again does not start it all again (RFC 9520); it takes no
//! answer's place. That a question came round is not kept: one guess of a client's would fail it for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;

use super::query::Outside;
use super::told::Told;
use super::{Failure, Forwarded};

/// An answer of more bytes is not kept.
const ENTRY_MAX: usize = 32 << 10;
/// How long a failure is kept, in seconds.
pub(super) const FAILURE_TTL: u32 = 1;

/// Answers by question.
pub(super) struct Cache {
    entries: moka::sync::Cache<Outside, Arc<Entry>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct Entry {
    forwarded: Forwarded,
    since: Instant,
}

/// Seconds that it may be kept. What no upstream was asked for has not failed, and what came round may have been guessed.
fn ttl(forwarded: &Forwarded) -> u32 {
    match forwarded {
        Ok(told) => told.ttl,
        Err(Failure::Unreachable) => FAILURE_TTL,
        Err(Failure::NoUpstream | Failure::Loop | Failure::TooMany) => 0,
    }
}

fn is_failure(forwarded: &Forwarded) -> bool {
    forwarded.as_ref().map_or(true, |told| told.rcode == ResponseCode::ServFail)
}

fn weight(forwarded: &Forwarded) -> usize {
    forwarded.as_ref().map_or(0, Told::weight)
}

impl Cache {
    /// `bytes`: that it may take, about.
    pub fn new(bytes: u64) -> Self {
        let weigh = |question: &Outside, entry: &Arc<Entry>| {
            let delegation = question.delegation.as_ref().map_or(0, |delegation| delegation.weight());
            let question = size_of::<Outside>() + question.name.len() + delegation;
            let bytes = question + size_of::<Entry>() + weight(&entry.forwarded);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let entries = moka::sync::Cache::builder().max_capacity(bytes).weigher(weigh).build();
        Self { entries, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// What was told, if it is still good, with its times to live as they are now.
    pub fn get(&self, question: &Outside, now: Instant) -> Option<Forwarded> {
        let found = self.good(question, now);
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// As [`Cache::get`], for who has been counted.
    pub fn good(&self, question: &Outside, now: Instant) -> Option<Forwarded> {
        let entry = self.entries.get(question)?;
        let age = now.saturating_duration_since(entry.since);
        if age < Duration::from_secs(ttl(&entry.forwarded).into()) {
            let seconds = u32::try_from(age.as_secs()).unwrap_or(u32::MAX);
            return Some(entry.forwarded.as_ref().map(|told| told.aged(seconds)).map_err(|failure| *failure));
        }
        self.entries.invalidate(question);
        None
    }

    /// Keeps what was told just now, if it may be.
    pub fn put(&self, question: Outside, forwarded: Forwarded, now: Instant) {
        let may_be = ttl(&forwarded) > 0 && weight(&forwarded) <= ENTRY_MAX;
        let is_answered = || self.good(&question, now).is_some_and(|kept| !is_failure(&kept));
        if may_be && !(is_failure(&forwarded) && is_answered()) {
            self.entries.insert(question, Arc::new(Entry { forwarded, since: now }));
        }
    }

    /// Questions that were answered from it, and that were not.
    pub fn counts(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    #[cfg(test)]
    fn bytes(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.weighted_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Rr;
    use crate::fake::domain;

    fn outside(name: &str) -> Outside {
        Outside::of(domain(name), 1)
    }

    fn told(ttls: &[u32], bytes: usize) -> Told {
        let answer =
            ttls.iter().map(|ttl| Rr { owner: domain("a.example"), rtype: 1, ttl: *ttl, rdata: vec![7; bytes] });
        Told {
            rcode: ResponseCode::NoError,
            ad: false,
            answer: answer.collect(),
            authority: Vec::new(),
            additional: Vec::new(),
            errors: Vec::new(),
            leads_to: None,
            ttl: ttls.iter().copied().min().unwrap_or_default(),
        }
    }

    #[test]
    fn times_to_live_run_down_and_out() {
        let (cache, start) = (Cache::new(1 << 20), Instant::now());
        let later = |ms| start + Duration::from_millis(ms);
        cache.put(outside("a.example"), Ok(told(&[300, 60], 4)), start);
        let ttls = |ms| {
            let told = cache.get(&outside("A.Example"), later(ms))?.unwrap();
            Some(told.answer.iter().map(|rr| rr.ttl).collect::<Vec<_>>())
        };
        assert_eq!(ttls(0), Some(vec![300, 60]));
        assert_eq!(ttls(999), Some(vec![300, 60]));
        assert_eq!(ttls(1_000), Some(vec![299, 59]));
        assert_eq!(ttls(59_999), Some(vec![241, 1]));
        assert_eq!(ttls(60_000), None, "the first that runs out takes the others along");
        assert_eq!(ttls(0), None, "and it is gone");
        assert_eq!(cache.counts(), (4, 2));
        cache.put(outside("b.example"), Ok(told(&[0], 4)), start);
        assert_eq!(cache.get(&outside("b.example"), start), None, "what must not be kept");
    }

    #[test]
    fn a_failure_is_kept_for_a_second_and_a_refusal_of_ours_is_not() {
        let (cache, start) = (Cache::new(1 << 20), Instant::now());
        for (failure, kept) in [
            (Failure::Unreachable, true),
            (Failure::Loop, false),
            (Failure::TooMany, false),
            (Failure::NoUpstream, false),
        ] {
            cache.put(outside("a.example"), Err(failure), start);
            let later = |ms| cache.get(&outside("a.example"), start + Duration::from_millis(ms));
            assert_eq!((later(999), later(1_000)), (kept.then_some(Err(failure)), None));
        }
    }

    #[test]
    fn a_failure_takes_no_answers_place() {
        let (cache, start) = (Cache::new(1 << 20), Instant::now());
        let later = |seconds| start + Duration::from_secs(seconds);
        let (question, refused) = (outside("a.example"), Told { rcode: ResponseCode::ServFail, ..told(&[], 0) });
        cache.put(question.clone(), Ok(told(&[60], 4)), start);
        for failure in [Err(Failure::Unreachable), Ok(Told { ttl: FAILURE_TTL, ..refused })] {
            cache.put(question.clone(), failure.clone(), later(59));
            assert!(cache.get(&question, later(59)).unwrap().is_ok_and(|told| told.answer.len() == 1));
            let other = outside("b.example");
            cache.put(other.clone(), failure.clone(), later(59));
            assert_eq!(cache.get(&other, later(59)), Some(failure), "where there is none");
        }
        cache.put(question.clone(), Err(Failure::Unreachable), later(60));
        assert_eq!(cache.get(&question, later(60)), Some(Err(Failure::Unreachable)), "it had run out");
    }

    #[test]
    fn a_question_is_its_type_and_bits_too() {
        let (cache, now) = (Cache::new(1 << 20), Instant::now());
        cache.put(outside("a.example"), Ok(told(&[60], 4)), now);
        for other in [
            Outside { qtype: 28, ..outside("a.example") },
            Outside { dnssec_ok: true, ..outside("a.example") },
            Outside { checking_disabled: true, ..outside("a.example") },
        ] {
            assert_eq!(cache.get(&other, now), None);
        }
    }

    #[test]
    fn it_is_bounded_in_bytes() {
        let (cache, now) = (Cache::new(1 << 20), Instant::now());
        for at in 0..20_000 {
            cache.put(outside(&format!("n{at}.example")), Ok(told(&[60; 3], 100)), now);
        }
        assert!((900_000..=1 << 20).contains(&cache.bytes()), "{}", cache.bytes());
        cache.put(outside("large.example"), Ok(told(&[60; 100], 1_000)), now);
        assert_eq!(cache.get(&outside("large.example"), now), None);
    }
}
