//! What peers do wrong, in points that time takes away again.
//!
//! - [`Misbehaviour`]: what can be wrong, and how many points it is worth.
//! - [`Scores`]: the points of each peer; [`Scores::penalise`] says what follows from one more.
//!
//! An honest peer that is slow, old or unlucky stays below the bounds; one that sends what no honest peer can send is
//! banned at once. Points fade by 100 an hour.
//!
//! Invariant: at most 4,096 peers are remembered, about 600 KiB; when another comes, the one with the fewest points is
//! forgotten. What is absent: the ban itself ([`bans`](crate::bans)), connections, a clock.

use std::collections::BTreeMap;

use crate::address::PeerId;

/// Points at which a peer is disconnected,
pub const DISCONNECT_AT: u32 = 50;
/// and at which it is banned.
pub const BAN_AT: u32 = 100;
/// How long a ban lasts that follows from points: a day.
pub const BAN_S: u64 = 24 * 3600;
/// Time that takes away one point.
const FADE_S: u64 = 36;
const PEERS_MAX: usize = 4_096;

/// What a peer did that it should not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Misbehaviour {
    /// Bytes that are no message of the protocol.
    Malformed,
    /// More of something than a message may hold.
    Oversized,
    /// It follows other rules or another genesis.
    OtherChain,
    /// A header whose hash misses its own target, or whose target is not the one due.
    InvalidWork,
    /// A header that breaks another rule, or does not follow from the one before it.
    InvalidHeader,
    /// A block that the rules refuse.
    InvalidBlock,
    /// A transaction with a signature that is not of its key.
    InvalidSignature,
    /// A transaction that the rules refuse at our tip; at another it may be right.
    InvalidTransaction,
    /// Headers without end that lead to less work than we have.
    LowWorkHeaders,
    /// Headers that follow none of ours, again and again.
    Unconnected,
    /// Messages or bytes faster than agreed.
    Flood,
    /// More addresses than agreed.
    AddressFlood,
    /// An answer to no question of ours.
    Unrequested,
    /// No answer in time.
    Timeout,
    /// It promised blocks and held up the sync.
    Stalled,
}

impl Misbehaviour {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Malformed,
        Self::Oversized,
        Self::OtherChain,
        Self::InvalidWork,
        Self::InvalidHeader,
        Self::InvalidBlock,
        Self::InvalidSignature,
        Self::InvalidTransaction,
        Self::LowWorkHeaders,
        Self::Unconnected,
        Self::Flood,
        Self::AddressFlood,
        Self::Unrequested,
        Self::Timeout,
        Self::Stalled,
    ];

    /// What it is worth: 100 for what no honest peer sends, 50 where only this connection is of no use.
    #[must_use]
    pub fn points(self) -> u32 {
        match self {
            Self::Malformed | Self::Oversized => 100,
            Self::InvalidWork | Self::InvalidHeader | Self::InvalidBlock | Self::InvalidSignature => 100,
            Self::OtherChain | Self::LowWorkHeaders | Self::Stalled | Self::Flood => 50,
            Self::Timeout | Self::Unconnected => 20,
            Self::InvalidTransaction | Self::AddressFlood | Self::Unrequested => 10,
        }
    }

    /// What it was, for the log and the reason of a ban.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Malformed => "malformed message",
            Self::Oversized => "oversized message",
            Self::OtherChain => "other chain",
            Self::InvalidWork => "invalid work",
            Self::InvalidHeader => "invalid header",
            Self::InvalidBlock => "invalid block",
            Self::InvalidSignature => "invalid signature",
            Self::InvalidTransaction => "invalid transaction",
            Self::LowWorkHeaders => "headers of little work",
            Self::Unconnected => "headers that do not connect",
            Self::Flood => "flood of messages",
            Self::AddressFlood => "flood of addresses",
            Self::Unrequested => "unrequested answer",
            Self::Timeout => "no answer in time",
            Self::Stalled => "stalled the sync",
        }
    }
}

/// What follows from a misbehaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The connection stays.
    Keep,
    /// The connection ends; the peer may come again.
    Disconnect,
    /// The connection ends, and the peer is not let in before `until_s`.
    Ban {
        /// Unix seconds.
        until_s: u64,
        /// The last misbehaviour, for [`Misbehaviour::text`].
        reason: Misbehaviour,
    },
}

/// The points of each peer that has any.
#[derive(Clone, Debug, Default)]
pub struct Scores(BTreeMap<PeerId, Score>);

/// Points at a time; fewer later.
#[derive(Clone, Copy, Debug)]
struct Score {
    points: u32,
    at_s: u64,
}

impl Score {
    /// Takes away what time took; the rest of a step counts on.
    fn fade(&mut self, now_s: u64) {
        let steps = now_s.saturating_sub(self.at_s) / FADE_S;
        self.points = self.points.saturating_sub(u32::try_from(steps).unwrap_or(u32::MAX));
        self.at_s = self.at_s.saturating_add(steps.saturating_mul(FADE_S));
        if self.points == 0 {
            self.at_s = now_s;
        }
    }
}

impl Scores {
    /// Nobody did anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the points of a misbehaviour to a peer's and says what follows. The points outlive the connection; a ban
    /// clears them, for after it the peer begins anew.
    pub fn penalise(&mut self, peer: &PeerId, what: Misbehaviour, now_s: u64) -> Verdict {
        if !self.0.contains_key(peer) && self.0.len() >= PEERS_MAX {
            self.forget_least(now_s);
        }
        let score = self.0.entry(peer.clone()).or_insert(Score { points: 0, at_s: now_s });
        score.fade(now_s);
        score.points = score.points.saturating_add(what.points());
        match score.points {
            BAN_AT.. => {
                self.0.remove(peer);
                Verdict::Ban { until_s: now_s.saturating_add(BAN_S), reason: what }
            }
            DISCONNECT_AT.. => Verdict::Disconnect,
            _ => Verdict::Keep,
        }
    }

    /// The points of a peer now.
    #[must_use]
    pub fn points(&self, peer: &PeerId, now_s: u64) -> u32 {
        self.0.get(peer).map_or(0, |score| {
            let mut score = *score;
            score.fade(now_s);
            score.points
        })
    }

    /// How many peers have points, or had when they were last looked at.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody has any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets those whose points are gone, or the one with the fewest, of those the one that was last seen longest ago.
    fn forget_least(&mut self, now_s: u64) {
        self.0.retain(|_, score| {
            score.fade(now_s);
            score.points > 0
        });
        if self.0.len() < PEERS_MAX {
            return;
        }
        let least = self.0.iter().min_by_key(|(_, score)| (score.points, score.at_s)).map(|(peer, _)| peer.clone());
        if let Some(peer) = least {
            self.0.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn peer(number: u32) -> PeerId {
        PeerId::new(&number.to_be_bytes()).unwrap()
    }

    #[test]
    fn what_no_honest_peer_sends_is_banned_at_once() {
        let mut scores = Scores::new();
        for what in Misbehaviour::ALL {
            let verdict = scores.penalise(&peer(what as u32), what, 1_000);
            let expected = match what.points() {
                100 => Verdict::Ban { until_s: 1_000 + BAN_S, reason: what },
                50 => Verdict::Disconnect,
                _ => Verdict::Keep,
            };
            assert_eq!(verdict, expected, "{}", what.text());
        }
        assert_eq!(scores.points(&peer(Misbehaviour::InvalidWork as u32), 1_000), 0, "a ban clears");
    }

    #[test]
    fn points_add_up_and_fade_by_100_an_hour() {
        let (mut scores, honest) = (Scores::new(), peer(1));
        let late: Vec<_> = (0..5).map(|_| scores.penalise(&honest, Misbehaviour::Timeout, 0)).collect();
        use Verdict::{Ban, Disconnect, Keep};
        assert_eq!(late, [Keep, Keep, Disconnect, Disconnect, Ban { until_s: BAN_S, reason: Misbehaviour::Timeout }]);
        scores.penalise(&honest, Misbehaviour::Stalled, 0);
        assert_eq!([35, 36, 1_800].map(|now_s| scores.points(&honest, now_s)), [50, 49, 0]);
        for minute in 0..600 {
            assert_eq!(
                scores.penalise(&honest, Misbehaviour::Timeout, 3_600 + minute * 720),
                Keep,
                "one in twelve minutes"
            );
        }
        scores.penalise(&honest, Misbehaviour::Stalled, 10_000_000);
        assert_eq!(scores.points(&honest, 5), 50, "a clock that runs back forgives nothing");
    }

    #[test]
    fn whoever_brings_many_ids_does_not_wash_one() {
        let (mut scores, bad) = (Scores::new(), peer(u32::MAX));
        scores.penalise(&bad, Misbehaviour::Stalled, 0);
        for number in 0..10_000 {
            scores.penalise(&peer(number), Misbehaviour::Unrequested, 1);
            assert!(scores.len() <= PEERS_MAX);
        }
        assert!(matches!(scores.penalise(&bad, Misbehaviour::Stalled, 1), Verdict::Ban { .. }));
    }

    proptest! {
        #[test]
        fn never_more_points_than_were_given(deeds in prop::collection::vec((0_u32..4, 0_usize..15, 0_u64..200), 0..60)) {
            let (mut scores, mut now_s, mut given) = (Scores::new(), 0_u64, [0_u32; 4]);
            for (who, what, passed_s) in deeds {
                now_s += passed_s;
                let what = Misbehaviour::ALL[what];
                given[who as usize] += what.points();
                let verdict = scores.penalise(&peer(who), what, now_s);
                let points = scores.points(&peer(who), now_s);
                prop_assert!(points <= given[who as usize] && points < BAN_AT);
                match verdict {
                    Verdict::Keep => prop_assert!(points < DISCONNECT_AT),
                    Verdict::Disconnect => prop_assert!(points >= DISCONNECT_AT),
                    Verdict::Ban { .. } => prop_assert!(given[who as usize] >= BAN_AT && points == 0),
                }
            }
        }
    }
}
