//! How much a peer may send: a bucket of tokens that time fills.
//!
//! - [`Rate`]: tokens a second, and how many may be saved up.
//! - [`TokenBucket`]: one kind of token.
//!
//! Invariant: in any `t` seconds no more than `burst + per_s × t` tokens are taken, as long as the clock does not run back
//! and forth: the caller's is monotonic. What is absent: a clock, floating point, waiting; the caller drops the message, or stops reading.

/// How fast, on the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens a second.
    pub per_s: u32,
    /// Tokens that may be taken at once after a silence.
    pub burst: u32,
}

/// Too fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooFast {
    /// Allowed later.
    #[error("too fast: allowed in {0} ms")]
    Wait(u64),
    /// Never allowed: more than may be saved up.
    #[error("{wanted} at once, at most {burst} are allowed")]
    Never {
        /// Tokens that were asked for.
        wanted: u64,
        /// The most there can be.
        burst: u32,
    },
}

/// Tokens of one kind. Full at first.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    rate: Rate,
    /// Thousandths of a token.
    milli: u64,
    at_ms: u64,
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub fn new(rate: Rate, now_ms: u64) -> Self {
        Self { rate, milli: u64::from(rate.burst).saturating_mul(1_000), at_ms: now_ms }
    }

    /// The same with no more than `tokens` in it.
    #[must_use]
    pub fn at_most(mut self, tokens: u64, now_ms: u64) -> Self {
        self.fill(now_ms);
        Self { milli: self.milli.min(tokens.saturating_mul(1_000)), ..self }
    }

    /// Takes `tokens`, or none and says why. A clock that runs back gives nothing.
    pub fn take(&mut self, tokens: u64, now_ms: u64) -> Result<(), TooFast> {
        self.check(tokens, now_ms)?;
        self.milli = self.milli.saturating_sub(tokens.saturating_mul(1_000));
        Ok(())
    }

    /// Whether `tokens` could be taken.
    pub fn check(&mut self, tokens: u64, now_ms: u64) -> Result<(), TooFast> {
        self.fill(now_ms);
        let wanted = tokens.saturating_mul(1_000);
        if tokens > u64::from(self.rate.burst) {
            return Err(TooFast::Never { wanted: tokens, burst: self.rate.burst });
        }
        match wanted.saturating_sub(self.milli) {
            0 => Ok(()),
            // A token a second is a thousandth of a token a millisecond.
            missing if self.rate.per_s > 0 => Err(TooFast::Wait(missing.div_ceil(self.rate.per_s.into()))),
            _ => Err(TooFast::Wait(u64::MAX)),
        }
    }

    fn fill(&mut self, now_ms: u64) {
        let gained = now_ms.saturating_sub(self.at_ms).saturating_mul(self.rate.per_s.into());
        self.milli = self.milli.saturating_add(gained).min(u64::from(self.rate.burst).saturating_mul(1_000));
        self.at_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEN: Rate = Rate { per_s: 10, burst: 20 };

    #[test]
    fn burst_then_rate() {
        let mut bucket = TokenBucket::new(TEN, 5_000);
        assert_eq!(bucket.take(20, 5_000), Ok(()));
        assert_eq!(bucket.take(1, 5_000), Err(TooFast::Wait(100)));
        assert_eq!(bucket.take(1, 5_099), Err(TooFast::Wait(1)));
        assert_eq!(bucket.take(1, 5_100), Ok(()));
        assert_eq!(bucket.take(21, 99_000), Err(TooFast::Never { wanted: 21, burst: 20 }));
        assert_eq!(bucket.take(20, 99_000), Ok(()));
        assert_eq!(bucket.take(1, 0), Err(TooFast::Wait(100)), "a clock that runs back gives nothing");
        assert_eq!(bucket.take(1, 100), Ok(()), "and takes nothing for good");
        let mut fresh = TokenBucket::new(TEN, 0).at_most(2, 0);
        assert_eq!(
            (fresh.take(2, 0), fresh.take(1, 0), fresh.take(20, 2_000)),
            (Ok(()), Err(TooFast::Wait(100)), Ok(()))
        );
        assert_eq!(TokenBucket::new(TEN, 0).at_most(99, 0).take(20, 0), Ok(()), "no more than it holds");
        let mut never = TokenBucket::new(Rate { per_s: 0, burst: 1 }, 0);
        assert_eq!((never.take(1, 0), never.take(1, u64::MAX)), (Ok(()), Err(TooFast::Wait(u64::MAX))));
    }

    proptest! {
        #[test]
        fn no_more_than_the_rate_in_any_time(
            per_s in 0_u32..1_000,
            burst in 0_u32..1_000,
            steps in prop::collection::vec((0_u64..300, 0_u64..100), 0..200),
        ) {
            let mut bucket = TokenBucket::new(Rate { per_s, burst }, 0);
            let (mut now_ms, mut taken) = (0, 0);
            for (passed_ms, tokens) in steps {
                now_ms += passed_ms;
                match bucket.take(tokens, now_ms) {
                    Ok(()) => taken += tokens,
                    Err(TooFast::Wait(ms)) if ms < u64::MAX => {
                        let mut later = bucket;
                        prop_assert!(ms > 0 && later.take(tokens, now_ms + ms).is_ok(), "the wait is enough");
                        prop_assert!(bucket.take(tokens, now_ms + ms - 1).is_err(), "and not too long");
                        now_ms += ms - 1;
                    }
                    Err(_) => {}
                }
                prop_assert!(taken * 1_000 <= u64::from(burst) * 1_000 + u64::from(per_s) * now_ms);
            }
        }
    }
}
