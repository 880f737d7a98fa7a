//! Whom to dial, and whom to tell of.

use std::collections::BTreeSet;

use super::entry::{CHANCE_ONE, Entry};
use super::place::{BUCKET_LEN, Slot, Table};
use super::{AddressBook, COLLISIONS_MAX};
use crate::address::{NetGroup, PeerAddress, PeerId};

/// Peers that we dial and keep, each in a group of its own.
pub const OUTBOUND: usize = 8;
/// Of the book, at most so much is told at once, in percent.
const SAMPLE_PERCENT: usize = 23;
/// And at most so many addresses.
pub const SAMPLE_MAX: usize = 1_000;
/// An address is left alone for so long after a dial,
const RETRY_S: u64 = 10 * 60;
/// or for so long if there is no other.
const RETRY_ALONE_S: u64 = 60;
/// Draws before all addresses are looked through.
const DRAWS: u32 = 256;

/// An address to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where.
    pub address: PeerAddress,
    /// Who was met there last; whoever answers now is as welcome.
    pub peer: Option<PeerId>,
    /// Whether it was reached before.
    pub is_tried: bool,
}

impl AddressBook {
    /// The next address for an outbound connection, of a group that is not among `connected`: one peer a group, so the
    /// few groups of an attacker leave room for others however many addresses they hold. Local groups do not count.
    ///
    /// Half of the choices are from `tried`; then each bucket that is not empty is as likely as another, and an address
    /// the likelier the fewer its failures. One dialled in the last ten minutes is passed over, unless there is no other.
    /// `None` where nothing is left to dial now.
    #[must_use]
    pub fn select_outbound(
        &self,
        connected: &BTreeSet<NetGroup>,
        now_s: u64,
        rng: &mut fastrand::Rng,
    ) -> Option<Candidate> {
        let is_free = |address: &PeerAddress| {
            let group = address.group();
            group.is_local() || !connected.contains(&group)
        };
        let table = |book: &Self, rng: &mut fastrand::Rng| match (book.counts().new, book.tried) {
            (_, 0) => Table::New,
            (0, _) => Table::Tried,
            _ if rng.bool() => Table::Tried,
            _ => Table::New,
        };
        self.draw_where(table, is_free, now_s, rng)
    }

    /// The next address for a feeler, a connection that only asks whether somebody is there: first those who hold the slot
    /// of another, then one from `new`.
    #[must_use]
    pub fn select_feeler(&self, now_s: u64, rng: &mut fastrand::Rng) -> Option<Candidate> {
        let holders = self.collisions.iter().take(COLLISIONS_MAX).filter_map(|address| {
            let holder = *self.slots.get(&Slot::tried_for(&self.secret, address))?;
            let entry = self.entries.get(&holder)?;
            (!entry.was_attempted(RETRY_S, now_s)).then(|| candidate(holder, entry))
        });
        let holders: Vec<_> = holders.collect();
        if !holders.is_empty() {
            return rng.choice(holders);
        }
        if self.counts().new == 0 {
            return None;
        }
        self.draw_where(|_, _| Table::New, |address| self.is_tried(address) == Some(false), now_s, rng)
    }

    /// Addresses to tell somebody who asks: at most `max`, at most 23 % of the book, at most 1,000; none that is worth
    /// nothing. Each with the time it was last seen, which our own connections renew late and coarsely. To answer the same
    /// asker twice in a day with two samples would tell it the whole book: the caller keeps the answer.
    #[must_use]
    pub fn sample(&self, max: usize, now_s: u64, rng: &mut fastrand::Rng) -> Vec<(PeerAddress, u64)> {
        let share = self.entries.len().saturating_mul(SAMPLE_PERCENT).div_ceil(100);
        let worth = self.entries.iter().filter(|(_, entry)| !entry.is_terrible(now_s));
        let worth: Vec<_> = worth.map(|(address, entry)| (*address, entry.seen_s)).collect();
        let mut chosen = rng.choose_multiple(worth, share.min(max).min(SAMPLE_MAX));
        rng.shuffle(&mut chosen);
        chosen
    }

    fn draw_where(
        &self,
        table: impl Fn(&Self, &mut fastrand::Rng) -> Table,
        is_wanted: impl Fn(&PeerAddress) -> bool,
        now_s: u64,
        rng: &mut fastrand::Rng,
    ) -> Option<Candidate> {
        for draw in 0..DRAWS {
            let table = table(self, rng);
            let Some((address, entry)) = self.draw(table, rng) else { continue };
            if !is_wanted(&address) || entry.was_attempted(RETRY_S, now_s) || entry.is_terrible(now_s) {
                continue;
            }
            // The pickiness ends: after a hundred draws nobody is passed over for its failures.
            let chance = entry.chance().saturating_mul(draw.saturating_add(50) / 50);
            if rng.u32(..CHANCE_ONE) < chance {
                return Some(candidate(address, entry));
            }
        }
        let left = |within_s: u64, terrible: bool| -> Vec<Candidate> {
            let all = self.entries.iter().filter(|(address, entry)| {
                is_wanted(address) && !entry.was_attempted(within_s, now_s) && (terrible || !entry.is_terrible(now_s))
            });
            all.map(|(address, entry)| candidate(*address, entry)).collect()
        };
        rng.choice(left(RETRY_S, false)).or_else(|| rng.choice(left(RETRY_ALONE_S, true)))
    }

    /// A random bucket, and in it the first address from a random position on; `None` where the bucket is empty.
    fn draw(&self, table: Table, rng: &mut fastrand::Rng) -> Option<(PeerAddress, &Entry)> {
        let bucket = rng.u16(..table.buckets());
        let position = rng.u16(..BUCKET_LEN);
        let at = |position| Slot { table, bucket, position };
        let (before, from) = (at(0)..at(position), at(position)..at(BUCKET_LEN));
        let (_, address) = self.slots.range(from).chain(self.slots.range(before)).next()?;
        Some((*address, self.entries.get(address)?))
    }
}

fn candidate(address: PeerAddress, entry: &Entry) -> Candidate {
    Candidate { address, peer: entry.peer.clone(), is_tried: entry.tried }
}
