//! Transactions that overtook others of their payer: kept until those are in the pool, then judged again.
//!
//! Gossip takes many ways, so a payer's transactions arrive in any order; the pool takes them by nonce only. Sans-I/O: the
//! time is an argument. `T` is whatever the caller needs to judge one again.
//!
//! Invariant: at most [`EACH_MAX`] of a payer, [`ALL_MAX`] and [`BYTES_MAX`] in all; none for longer than [`KEPT_MS`].
//! What is absent: any judgement. Only what is good but for its nonce may come in, so filling the room takes accounts and
//! signatures.

use std::collections::BTreeMap;

use dotp2p_chain::key::PublicKey;

/// Of one payer: as many as the pool takes of one.
pub const EACH_MAX: usize = 25;
/// Of all payers.
pub const ALL_MAX: usize = 2_000;
/// Bytes of all.
pub const BYTES_MAX: usize = 4 << 20;
/// Milliseconds.
pub const KEPT_MS: u64 = 300_000;

/// The room; see the [module](self).
#[derive(Debug)]
pub struct WaitingRoom<T> {
    payers: BTreeMap<PublicKey, BTreeMap<u64, Kept<T>>>,
    count: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Kept<T> {
    item: T,
    bytes: usize,
    since_ms: u64,
}

impl<T> Default for WaitingRoom<T> {
    fn default() -> Self {
        Self { payers: BTreeMap::new(), count: 0, bytes: 0 }
    }
}

impl<T> WaitingRoom<T> {
    /// Keeps a transaction of `bytes` bytes; gives back what is not kept: itself where there is no room, or the one of the
    /// same nonce that it replaces.
    pub fn keep(&mut self, payer: PublicKey, nonce: u64, item: T, bytes: usize, now_ms: u64) -> Option<T> {
        let before = self.remove(&payer, nonce);
        let of_payer = self.payers.get(&payer).map_or(0, BTreeMap::len);
        if of_payer >= EACH_MAX || self.count >= ALL_MAX || self.bytes.saturating_add(bytes) > BYTES_MAX {
            return Some(item);
        }
        self.count += 1;
        self.bytes += bytes;
        self.payers.entry(payer).or_default().insert(nonce, Kept { item, bytes, since_ms: now_ms });
        before
    }

    /// The transaction of just that nonce, if it waits.
    pub fn remove(&mut self, payer: &PublicKey, nonce: u64) -> Option<T> {
        let of_payer = self.payers.get_mut(payer)?;
        let kept = of_payer.remove(&nonce)?;
        if of_payer.is_empty() {
            self.payers.remove(payer);
        }
        self.count -= 1;
        self.bytes -= kept.bytes;
        Some(kept.item)
    }

    /// The first of each payer, at most `max`: after a new tip they may be next.
    pub fn firsts(&mut self, max: usize) -> Vec<T> {
        let first = |(payer, of_payer): (&PublicKey, &BTreeMap<u64, _>)| Some((*payer, *of_payer.keys().next()?));
        let firsts: Vec<(PublicKey, u64)> = self.payers.iter().filter_map(first).take(max).collect();
        firsts.iter().filter_map(|(payer, nonce)| self.remove(payer, *nonce)).collect()
    }

    /// What has waited too long.
    pub fn expired(&mut self, now_ms: u64) -> Vec<T> {
        let is_old = |kept: &Kept<T>| kept.since_ms.saturating_add(KEPT_MS) <= now_ms;
        let old: Vec<(PublicKey, u64)> = self
            .payers
            .iter()
            .flat_map(|(payer, all)| all.iter().filter(|(_, kept)| is_old(kept)).map(|(nonce, _)| (*payer, *nonce)))
            .collect();
        old.iter().filter_map(|(payer, nonce)| self.remove(payer, *nonce)).collect()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test fails by panicking")]

    use super::*;

    const PAYER: PublicKey = PublicKey([1; 32]);

    #[test]
    fn what_overtook_waits_for_its_turn() {
        let mut room = WaitingRoom::default();
        for nonce in [15, 14, 17] {
            assert_eq!(room.keep(PAYER, nonce, nonce, 200, 0), None);
        }
        assert_eq!(room.remove(&PAYER, 13), None);
        assert_eq!(
            (room.remove(&PAYER, 14), room.remove(&PAYER, 15), room.remove(&PAYER, 16)),
            (Some(14), Some(15), None)
        );
        assert_eq!((room.firsts(9), room.len(), room.bytes), (vec![17], 0, 0));
    }

    #[test]
    fn room_is_bounded_for_each_and_for_all() {
        let mut room = WaitingRoom::default();
        for nonce in 0..EACH_MAX as u64 {
            assert_eq!(room.keep(PAYER, nonce, nonce, 1, 0), None);
        }
        assert_eq!(room.keep(PAYER, 99, 99, 1, 0), Some(99));
        assert_eq!(room.keep(PAYER, 3, 1_003, 1, 0), Some(3), "another of the same nonce takes its place");
        assert_eq!(room.keep(PublicKey([2; 32]), 0, 7, BYTES_MAX, 0), Some(7), "too large beside the others");
        for other in 0..ALL_MAX {
            let mut payer = [3; 32];
            payer[..8].copy_from_slice(&(other as u64).to_le_bytes());
            room.keep(PublicKey(payer), 0, 0, 1, 0);
        }
        assert_eq!((room.len(), room.bytes), (ALL_MAX, ALL_MAX));
    }

    #[test]
    fn nothing_waits_for_ever() {
        let mut room = WaitingRoom::default();
        room.keep(PAYER, 1, 'a', 1, 0);
        room.keep(PAYER, 2, 'b', 1, 5);
        assert!(room.expired(KEPT_MS - 1).is_empty());
        assert_eq!((room.expired(KEPT_MS), room.len()), (vec!['a'], 1));
    }
}
