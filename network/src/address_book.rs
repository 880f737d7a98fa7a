//! The addresses we know of, kept so that whoever tells us many does not choose our peers: Bitcoin Core's `addrman`,
//! sized for us.
//!
//! Two tables of slots. `new` has what we were told, `tried` what we reached. Which slot an address may take follows
//! from a secret, its [`NetGroup`](crate::address::NetGroup) and, in `new`, the group of whoever told it:
//!
//! | | slots | within reach of one group |
//! |---|---|---|
//! | `new` | 256 buckets of 32 | 16 buckets a group of tellers: a sixteenth |
//! | `tried` | 64 buckets of 32 | 2 buckets a group of addresses: a thirty-second |
//!
//! - [`AddressBook`]: [`add`](AddressBook::add), then [`attempt`](AddressBook::attempt) and its outcome,
//!   [`good`](AddressBook::good) or [`failed`](AddressBook::failed).
//! - `select`: whom to dial next, a feeler's target, a sample for those who ask.
//! - `entry`: what is known of an address, and when it is worth nothing any more.
//! - `place`: the secret hash that puts it in a bucket.
//! - `file`: `peers.dat`; [`anchors`]: `anchors.dat`, the two peers to dial first.
//!
//! Invariants: a slot holds one address at most; an address in `tried` is in no slot of `new`; one in `new` has 1 to 4.
//! So there are at most 10,240 entries of about 300 bytes with their slots, 3 MiB, whatever we are told.
//!
//! What is absent: a clock, randomness and a transport, which are arguments or the caller's; addresses found by local
//! discovery, which are refused; ids of peers as they are told: only a handshake's is kept.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{PeerAddress, PeerId};

pub mod anchors;
mod entry;
mod file;
mod place;
mod select;

pub use entry::Source;
pub use select::{Candidate, OUTBOUND, SAMPLE_MAX};

use entry::Entry;
use place::Slot;

/// Slots of an address in `new`: one a teller, up to this.
const SOURCES_MAX: usize = 4;
/// Addresses that wait for the holder of their slot in `tried` to be tested.
const COLLISIONS_MAX: usize = 10;
/// A holder that was reached within this time keeps its slot.
const HOLDER_FRESH_S: u64 = 4 * 3600;
/// How long a dial may take before its silence counts.
const DIAL_S: u64 = 60;
/// A collision that nobody tested for this long is decided for the newcomer.
const TEST_WINDOW_S: u64 = 40 * 60;
/// Gossiped times are taken for this much older: whoever passes on an address knows less than who saw it.
const GOSSIP_PENALTY_S: u64 = 2 * 3600;
/// The age of an address of which no time is told, or one that cannot be.
const UNTOLD_AGE_S: u64 = 5 * 24 * 3600;
/// How far ahead a told time may be.
const FUTURE_S: u64 = 10 * 60;
/// A connection that ends renews the time seen only if that is older than this, so that it tells nothing of us.
const SEEN_STEP_S: u64 = 20 * 60;

/// What somebody told us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Where the peer listens.
    pub address: PeerAddress,
    /// Who told.
    pub source: Source,
    /// When it was last seen, as told, in Unix seconds.
    pub seen_s: u64,
}

/// What became of a sighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// Not known before.
    New,
    /// Known, and now in one more slot.
    Again,
    /// Known; at most its time was renewed.
    Known,
    /// Its slot is held by one that is still worth it.
    Crowded,
}

/// Why a sighting is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// Strangers could not reach it.
    #[error("{0} cannot be reached from the internet")]
    NotRoutable(PeerAddress),
    /// Whoever shares our network could fill the tables.
    #[error("{0} was found by local discovery, which is not kept")]
    LocalDiscovery(PeerAddress),
}

/// What became of an address that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Good {
    /// It is in `tried`.
    Tried,
    /// This other one holds its slot and is to be tested first; a feeler goes there.
    Collides(PeerAddress),
    /// It is not in the book; nothing happened.
    Unknown,
}

/// How many addresses stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Told, not reached yet.
    pub new: usize,
    /// Reached.
    pub tried: usize,
    /// Reached, waiting for a slot.
    pub colliding: usize,
}

/// The book. See the [module](self).
#[derive(Clone, Debug)]
pub struct AddressBook {
    secret: [u8; 32],
    accept_local: bool,
    entries: BTreeMap<PeerAddress, Entry>,
    slots: BTreeMap<Slot, PeerAddress>,
    tried: usize,
    collisions: BTreeSet<PeerAddress>,
    /// When any peer was last reached: failures before it are as likely our own network's.
    last_good_s: u64,
}

impl AddressBook {
    /// An empty book.
    ///
    /// - `secret`: 32 random bytes that nobody else knows; they place the addresses.
    /// - `accept_local`: whether loopback and private addresses are kept; for networks that live on one machine.
    #[must_use]
    pub fn new(secret: [u8; 32], accept_local: bool) -> Self {
        Self {
            secret,
            accept_local,
            entries: BTreeMap::new(),
            slots: BTreeMap::new(),
            tried: 0,
            collisions: BTreeSet::new(),
            last_good_s: 1,
        }
    }

    /// Takes in what somebody told.
    pub fn add(&mut self, sighting: &Sighting, now_s: u64, rng: &mut fastrand::Rng) -> Result<Added, AddError> {
        let Sighting { address, source, seen_s } = *sighting;
        self.check_kept(address, source)?;
        let seen_s = believed_seen(seen_s, source, address, now_s);
        let Some(entry) = self.entries.get_mut(&address) else {
            return Ok(self.insert_new(address, Entry::told(source, seen_s), now_s));
        };
        let news = seen_s > entry.seen_s;
        entry.seen_s = entry.seen_s.max(seen_s);
        let count = entry.sources.len();
        if entry.tried || !news || count >= SOURCES_MAX || entry.sources.contains(&source) {
            return Ok(Added::Known);
        }
        // Each further slot is twice as hard to get.
        if rng.u32(..1_u32.checked_shl(u32::try_from(count).unwrap_or(31)).unwrap_or(u32::MAX)) != 0 {
            return Ok(Added::Known);
        }
        let slot = Slot::new_for(&self.secret, &address, source);
        match self.slots.get(&slot).copied() {
            Some(holder) if holder == address => Ok(Added::Known),
            Some(holder) if !self.gives_way(&holder, true, now_s) => Ok(Added::Crowded),
            _ => {
                self.clear(slot);
                if let Some(entry) = self.entries.get_mut(&address) {
                    entry.sources.push(source);
                }
                self.slots.insert(slot, address);
                Ok(Added::Again)
            }
        }
    }

    /// Notes that an address is being dialled.
    pub fn attempt(&mut self, address: &PeerAddress, now_s: u64) {
        if let Some(entry) = self.entries.get_mut(address) {
            entry.last_attempt_s = now_s;
        }
    }

    /// Notes that a dial came to nothing. It counts only if some peer was reached since the last one that counted, so a
    /// night without a network forgets nobody.
    pub fn failed(&mut self, address: &PeerAddress, now_s: u64) {
        let last_good_s = self.last_good_s;
        let Some(entry) = self.entries.get_mut(address) else { return };
        entry.last_attempt_s = now_s;
        if entry.last_counted_s < last_good_s {
            entry.last_counted_s = now_s;
            entry.failures = entry.failures.saturating_add(1);
        }
    }

    /// Notes that a peer of our chain answered there, and who it is. Test before evict: while the slot in `tried` is held,
    /// the newcomer waits in `new`.
    pub fn good(&mut self, address: &PeerAddress, peer: Option<&PeerId>, now_s: u64) -> Good {
        let Some(entry) = self.entries.get_mut(address) else { return Good::Unknown };
        entry.last_success_s = now_s;
        entry.last_attempt_s = now_s;
        entry.failures = 0;
        if let Some(peer) = peer {
            entry.peer = Some(peer.clone());
        }
        self.last_good_s = self.last_good_s.max(now_s);
        if entry.tried {
            return Good::Tried;
        }
        match self.slots.get(&Slot::tried_for(&self.secret, address)).copied() {
            Some(holder) => {
                if self.collisions.len() < COLLISIONS_MAX {
                    self.collisions.insert(*address);
                }
                Good::Collides(holder)
            }
            None => {
                self.move_to_tried(*address, now_s);
                Good::Tried
            }
        }
    }

    /// Notes that a connection ended which had been good until now.
    pub fn disconnected(&mut self, address: &PeerAddress, now_s: u64) {
        if let Some(entry) = self.entries.get_mut(address)
            && now_s.saturating_sub(entry.seen_s) > SEEN_STEP_S
        {
            entry.seen_s = now_s;
        }
    }

    /// Decides the collisions whose holder was tested, or that nobody tested in time. To be called every minute or so.
    pub fn resolve_collisions(&mut self, now_s: u64) {
        for address in std::mem::take(&mut self.collisions) {
            let Some(entry) = self.entries.get(&address).filter(|entry| !entry.tried) else { continue };
            let waits_s = now_s.saturating_sub(entry.last_success_s);
            let slot = Slot::tried_for(&self.secret, &address);
            let Some(holder) = self.slots.get(&slot).and_then(|holder| self.entries.get(holder)) else {
                self.move_to_tried(address, now_s);
                continue;
            };
            if now_s.saturating_sub(holder.last_success_s) < HOLDER_FRESH_S {
                continue;
            }
            let tested_s = now_s.saturating_sub(holder.last_attempt_s);
            if (DIAL_S..HOLDER_FRESH_S).contains(&tested_s) || waits_s > TEST_WINDOW_S {
                self.move_to_tried(address, now_s);
            } else {
                self.collisions.insert(address);
            }
        }
    }

    /// Forgets an address; whether it was known. For those that turned out to be our own, or banned for good.
    pub fn forget(&mut self, address: &PeerAddress) -> bool {
        let Some(entry) = self.entries.remove(address) else { return false };
        self.collisions.remove(address);
        for slot in self.slots_of(address, &entry) {
            self.slots.remove(&slot);
        }
        if entry.tried {
            self.tried = self.tried.saturating_sub(1);
        }
        true
    }

    /// Who was met there last.
    #[must_use]
    pub fn peer_at(&self, address: &PeerAddress) -> Option<&PeerId> {
        self.entries.get(address)?.peer.as_ref()
    }

    /// Whether an address is known, and then whether it is in `tried`.
    #[must_use]
    pub fn is_tried(&self, address: &PeerAddress) -> Option<bool> {
        Some(self.entries.get(address)?.tried)
    }

    /// How many addresses stand where.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let new = self.entries.len().saturating_sub(self.tried);
        Counts { new, tried: self.tried, colliding: self.collisions.len() }
    }

    /// All addresses, in order.
    pub fn addresses(&self) -> impl Iterator<Item = PeerAddress> {
        self.entries.keys().copied()
    }

    fn check_kept(&self, address: PeerAddress, source: Source) -> Result<(), AddError> {
        if source == Source::LocalDiscovery {
            return Err(AddError::LocalDiscovery(address));
        }
        if address.is_routable() || self.accept_local && address.group().is_local() {
            return Ok(());
        }
        Err(AddError::NotRoutable(address))
    }

    /// Puts an entry that is in no slot into the slot of its first source, if that is free or gives way.
    fn insert_new(&mut self, address: PeerAddress, entry: Entry, now_s: u64) -> Added {
        let Some(source) = entry.sources.first() else { return Added::Crowded };
        let slot = Slot::new_for(&self.secret, &address, *source);
        if self.slots.get(&slot).is_some_and(|holder| !self.gives_way(holder, false, now_s)) {
            return Added::Crowded;
        }
        self.clear(slot);
        self.slots.insert(slot, address);
        self.entries.insert(address, entry);
        Added::New
    }

    /// Whether the holder of a slot in `new` leaves it: it is worth nothing, or stands elsewhere too and the newcomer, if
    /// not `known`, nowhere.
    fn gives_way(&self, holder: &PeerAddress, known: bool, now_s: u64) -> bool {
        let holder = self.entries.get(holder);
        holder.is_none_or(|entry| entry.is_terrible(now_s) || !known && entry.sources.len() > 1)
    }

    /// Empties a slot of `new`; whoever stood only there is forgotten.
    fn clear(&mut self, slot: Slot) {
        let Some(holder) = self.slots.remove(&slot) else { return };
        let secret = self.secret;
        let Some(entry) = self.entries.get_mut(&holder) else { return };
        entry.sources.retain(|source| Slot::new_for(&secret, &holder, *source) != slot);
        if entry.sources.is_empty() {
            self.entries.remove(&holder);
            self.collisions.remove(&holder);
        }
    }

    /// Moves an entry from `new` to `tried`. Who held the slot there goes back to `new`, where it takes its slot from
    /// whoever has it.
    fn move_to_tried(&mut self, address: PeerAddress, now_s: u64) {
        let Some(mut entry) = self.entries.remove(&address) else { return };
        for slot in self.slots_of(&address, &entry) {
            self.slots.remove(&slot);
        }
        self.collisions.remove(&address);
        let slot = Slot::tried_for(&self.secret, &address);
        if let Some(holder) = self.slots.remove(&slot)
            && let Some(mut old) = self.entries.remove(&holder)
        {
            old.tried = false;
            self.tried = self.tried.saturating_sub(1);
            if let Some(source) = old.sources.first() {
                self.clear(Slot::new_for(&self.secret, &holder, *source));
            }
            self.insert_new(holder, old, now_s);
        }
        entry.tried = true;
        entry.sources.truncate(1);
        self.tried = self.tried.saturating_add(1);
        self.slots.insert(slot, address);
        self.entries.insert(address, entry);
    }

    fn slots_of(&self, address: &PeerAddress, entry: &Entry) -> Vec<Slot> {
        if entry.tried {
            return vec![Slot::tried_for(&self.secret, address)];
        }
        entry.sources.iter().map(|source| Slot::new_for(&self.secret, address, *source)).collect()
    }
}

/// The time seen that we believe: not ahead of us, and older than told unless the peer told of itself.
fn believed_seen(told_s: u64, source: Source, address: PeerAddress, now_s: u64) -> u64 {
    if told_s == 0 || told_s > now_s.saturating_add(FUTURE_S) {
        return now_s.saturating_sub(UNTOLD_AGE_S);
    }
    match source {
        Source::Gossip(group) if group != address.group() => told_s.saturating_sub(GOSSIP_PENALTY_S),
        _ => told_s.min(now_s),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
