//! Answers that were given and are not sent yet: who asks for much and reads slowly holds a bounded part of the memory.
//!
//! Room is [reserved](Unsent::reserve) before anything is looked up, [settled](Unsent::settle) when the answer's length is
//! known, and [freed](Unsent::free) when it was sent or its connection is gone.
//!
//! Invariant: what is reserved is never more than [`TOTAL`], and of one peer never more than [`OF_ONE_PEER`]. An answer's first
//! item may be longer than its room: a block that fits nowhere could not be had at all. What is absent: a clock, connections.

use std::collections::HashMap;
use std::hash::Hash;

use crate::message::BYTES_MAX;

/// Bytes of all answers. A node whose peers read as they ask has next to none.
pub const TOTAL: usize = 16 << 20;
/// Bytes of the answers to one peer: the longest that there may be, and as many again for what it asks for meanwhile.
pub const OF_ONE_PEER: usize = 2 * BYTES_MAX;
/// Less room than this is none: the longest answer of which a part will not do, a thousand heads, fits.
pub const ROOM_MIN: usize = 192 << 10;
/// Milliseconds after which whoever holds room that others want has to go.
pub const PATIENCE_MS: u64 = 3_000;

/// The room that answers take, by the id of their question.
#[derive(Debug)]
pub struct Unsent<I, P> {
    answers: HashMap<I, Answer<P>>,
    total: usize,
}

#[derive(Debug)]
struct Answer<P> {
    peer: P,
    bytes: usize,
    since_ms: u64,
}

impl<I, P> Default for Unsent<I, P> {
    fn default() -> Self {
        Self { answers: HashMap::new(), total: 0 }
    }
}

impl<I: Eq + Hash, P: Eq + Copy> Unsent<I, P> {
    /// Reserves room for an answer and tells how much: a quarter of what is left for all, so that there is some for others, and
    /// half of what is left for that peer, which asks for several at a time. `None`: too little is left.
    pub fn reserve(&mut self, id: I, peer: P, now_ms: u64) -> Option<usize> {
        let of_peer: usize =
            self.answers.values().filter(|answer| answer.peer == peer).map(|answer| answer.bytes).sum();
        let left = (TOTAL.saturating_sub(self.total) / 4).min(OF_ONE_PEER.saturating_sub(of_peer) / 2);
        let bytes = Some(left).filter(|left| *left >= ROOM_MIN)?;
        self.free(&id);
        self.total += bytes;
        self.answers.insert(id, Answer { peer, bytes, since_ms: now_ms });
        Some(bytes)
    }

    /// The answer has so many bytes.
    pub fn settle(&mut self, id: &I, bytes: usize) {
        if let Some(answer) = self.answers.get_mut(id) {
            self.total = self.total.saturating_sub(answer.bytes).saturating_add(bytes);
            answer.bytes = bytes;
        }
    }

    /// The answer was sent, or never will be.
    pub fn free(&mut self, id: &I) {
        if let Some(answer) = self.answers.remove(id) {
            self.total = self.total.saturating_sub(answer.bytes);
        }
    }

    /// Whoever has held room for the longest, if that is longer than [`PATIENCE_MS`].
    pub fn slowest(&self, now_ms: u64) -> Option<P> {
        let oldest = self.answers.values().min_by_key(|answer| answer.since_ms)?;
        (now_ms.saturating_sub(oldest.since_ms) > PATIENCE_MS).then_some(oldest.peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_peer_holds_little_and_all_leave_some() {
        let mut unsent = Unsent::default();
        // Four at a time, as many as are answered: a sync that asks for the next blocks meanwhile is not told to wait.
        let room: Vec<usize> = (0..9).map_while(|id| unsent.reserve(id, 'a', 0)).collect();
        assert_eq!(room, [2 << 20, 1 << 20, 512 << 10, 256 << 10]);
        unsent.settle(&0, 1_000);
        assert_eq!(unsent.reserve(4, 'a', 1), Some(((4 << 20) - (1_792 << 10) - 1_000) / 2), "the answer was shorter");
        let room: Vec<usize> = (5..100).map_while(|id| unsent.reserve(id, char::from(id), 2)).collect();
        assert!(room.len() > 8 && room.is_sorted_by(|a, b| a >= b), "{room:?}");
        assert_eq!((unsent.slowest(PATIENCE_MS), unsent.slowest(PATIENCE_MS + 1)), (None, Some('a')));
        (0..100).for_each(|id| unsent.free(&id));
        assert_eq!((unsent.reserve(0, 'z', 9), unsent.slowest(9)), (Some(BYTES_MAX), None));
    }

    proptest! {
        #[test]
        fn what_is_reserved_is_bounded(steps in prop::collection::vec((0_u8..60, 0_u8..9, 0..=BYTES_MAX), 0..300)) {
            let mut unsent = Unsent::default();
            for (id, peer, bytes) in steps {
                if bytes % 3 == 0 {
                    unsent.free(&id);
                } else if let Some(room) = unsent.reserve(id, peer, 0) {
                    unsent.settle(&id, bytes.min(room));
                }
                let held: usize = unsent.answers.values().map(|answer| answer.bytes).sum();
                let of_peer: usize =
                    unsent.answers.values().filter(|answer| answer.peer == peer).map(|answer| answer.bytes).sum();
                prop_assert_eq!(unsent.total, held);
                prop_assert!(held <= TOTAL && of_peer <= OF_ONE_PEER);
            }
        }
    }
}
