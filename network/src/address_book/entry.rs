//! What is known of an address.

use crate::address::{NetGroup, PeerId};

/// Who told us of an address. What one group tells can fill a sixteenth of `new`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A peer of this group.
    Gossip(NetGroup),
    /// A seed, by its number in the list of seeds; each is a group of its own.
    Seed(u8),
    /// The one who runs this node.
    Operator,
    /// Multicast on the local network. Never kept: see [`AddError::LocalDiscovery`](super::AddError::LocalDiscovery).
    LocalDiscovery,
}

impl Source {
    /// Six bytes that no other source has.
    pub(super) fn to_bytes(self) -> [u8; 6] {
        match self {
            Self::Gossip(group) => {
                let [a, b, c, d, e] = group.to_bytes();
                [0, a, b, c, d, e]
            }
            Self::Seed(number) => [1, number, 0, 0, 0, 0],
            Self::Operator => [2, 0, 0, 0, 0, 0],
            Self::LocalDiscovery => [3, 0, 0, 0, 0, 0],
        }
    }

    /// The source that [`Self::to_bytes`] was called on.
    pub(super) fn from_bytes(bytes: [u8; 6]) -> Option<Self> {
        match bytes {
            [0, a, b, c, d, e] => NetGroup::from_bytes([a, b, c, d, e]).map(Self::Gossip),
            [1, number, 0, 0, 0, 0] => Some(Self::Seed(number)),
            [2, 0, 0, 0, 0, 0] => Some(Self::Operator),
            [3, 0, 0, 0, 0, 0] => Some(Self::LocalDiscovery),
            _ => None,
        }
    }
}

/// Not seen for so long: gone.
const HORIZON_S: u64 = 30 * 24 * 3600;
/// Failures in a row of one that was never reached: it is not there.
const NEVER_FAILURES: u32 = 3;
/// Failures in a row of one that was once reached, over at least [`LOST_S`].
const LOST_FAILURES: u32 = 10;
const LOST_S: u64 = 7 * 24 * 3600;
/// One that is being dialled is not judged.
const UNDER_WAY_S: u64 = 60;
/// Certainty, for [`Entry::chance`].
pub(super) const CHANCE_ONE: u32 = 1 << 16;

/// An address in one of the tables. Times are Unix seconds, 0 for never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Who told: one for each slot in `new`, the first first. One alone in `tried`.
    pub sources: Vec<Source>,
    /// Which table it stands in.
    pub tried: bool,
    pub seen_s: u64,
    pub last_attempt_s: u64,
    pub last_counted_s: u64,
    pub last_success_s: u64,
    /// In a row, counted as `failed` counts.
    pub failures: u32,
    /// Who proved to be there.
    pub peer: Option<PeerId>,
}

impl Entry {
    pub fn told(source: Source, seen_s: u64) -> Self {
        Self {
            sources: vec![source],
            tried: false,
            seen_s,
            last_attempt_s: 0,
            last_counted_s: 0,
            last_success_s: 0,
            failures: 0,
            peer: None,
        }
    }

    /// Whether it is worth nothing: its slot is free for another, and nobody is told of it.
    pub fn is_terrible(&self, now_s: u64) -> bool {
        if self.was_attempted(UNDER_WAY_S, now_s) {
            return false;
        }
        let gone = now_s.saturating_sub(self.seen_s) > HORIZON_S;
        let never = self.last_success_s == 0 && self.failures >= NEVER_FAILURES;
        let lost = now_s.saturating_sub(self.last_success_s) > LOST_S && self.failures >= LOST_FAILURES;
        gone || never || lost
    }

    /// How often, of [`CHANCE_ONE`] times, it is taken when it is drawn: two thirds for each failure, up to eight.
    pub fn chance(&self) -> u32 {
        (0..self.failures.min(8)).fold(CHANCE_ONE, |chance, _| chance / 3 * 2)
    }

    /// Whether it was dialled less than so long ago; not if that was by a clock ahead of ours.
    pub fn was_attempted(&self, within_s: u64, now_s: u64) -> bool {
        now_s.checked_sub(self.last_attempt_s).is_some_and(|ago_s| ago_s < within_s)
    }
}
