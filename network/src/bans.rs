//! Who is not let in, and until when: by IP, by subnet, by peer id.
//!
//! - [`Ban`]: a [`Subject`], why, since when, until when, and who said so.
//! - [`Bans`]: all of them; `setban` and `listbanned` as bitcoind has them.
//! - `file`: `bans.json`, which people may read and edit.
//!
//! A peer that misbehaves is banned by its id, and by what its operator cannot change at will: the IPv4 address, the /64
//! of IPv6. On our own networks an address tells little: everybody behind a proxy, in a container or on this machine may
//! share it. So there a ban takes the id and that one private IP, never a wider subnet, and on loopback the id alone; new
//! ids cost nothing, but whoever has them there sits on our side of the door.
//!
//! Invariant: at most 1,000 automatic bans, of which the oldest goes, and 1,000 manual ones, which only end or are
//! removed; about 800 KiB. What is absent: a clock, and connections: who is banned is disconnected by the caller.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::address::{AddressError, LocalNet, NetGroup, PeerId, Subnet};

mod file;

/// Automatic bans that are kept.
pub const AUTOMATIC_MAX: usize = 1_000;
/// Manual bans that are taken.
pub const MANUAL_MAX: usize = 1_000;
/// How long a ban lasts of which nothing else is said: a day.
pub const DEFAULT_S: u64 = 24 * 3600;
/// Bytes of a reason; what is longer is cut.
pub const REASON_MAX: usize = 256;

/// Who is banned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// All addresses of a subnet; of one address, most often.
    Net(Subnet),
    /// A peer, wherever it comes from.
    Peer(PeerId),
}

/// Who said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The node, for misbehaviour.
    Automatic,
    /// The one who runs it.
    Manual,
}

/// How long a ban lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// A day.
    Default,
    /// So many seconds from now.
    For(u64),
    /// Until this time, in Unix seconds.
    Until(u64),
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who.
    pub subject: Subject,
    /// Why.
    pub reason: String,
    /// Since when, in Unix seconds.
    pub created_s: u64,
    /// Until when, in Unix seconds; then it is over.
    pub until_s: u64,
    /// Who said so.
    pub origin: Origin,
}

/// Why a ban is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BanError {
    /// It would be over.
    #[error("a ban until {until_s} would be over: it is {now_s}")]
    Over {
        /// The end, in Unix seconds.
        until_s: u64,
        /// Now.
        now_s: u64,
    },
    /// Remove some first.
    #[error("there are {MANUAL_MAX} manual bans already; a subnet may stand for many")]
    Full,
    /// Neither a subnet nor an id.
    #[error("{0:?} is neither an address, a subnet nor a peer id in hexadecimal")]
    Subject(String),
}

/// Who is banned. See the [module](self).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bans(BTreeMap<Subject, Ban>);

impl Bans {
    /// Nobody is banned.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bans at the word of the one who runs the node; a ban of the same subject is replaced.
    pub fn add(&mut self, subject: Subject, term: Term, reason: &str, now_s: u64) -> Result<Ban, BanError> {
        self.expire(now_s);
        let until_s = match term {
            Term::Default => now_s.saturating_add(DEFAULT_S),
            Term::For(seconds) => now_s.saturating_add(seconds),
            Term::Until(until_s) => until_s,
        };
        if until_s <= now_s {
            return Err(BanError::Over { until_s, now_s });
        }
        let replaces = self.0.get(&subject).is_some_and(|ban| ban.origin == Origin::Manual);
        if !replaces && self.count(Origin::Manual) >= MANUAL_MAX {
            return Err(BanError::Full);
        }
        let ban = Ban { subject, reason: cut(reason), created_s: now_s, until_s, origin: Origin::Manual };
        self.0.insert(ban.subject.clone(), ban.clone());
        Ok(ban)
    }

    /// Bans a peer for misbehaviour, by its id and by its address as the [module](self) says. A manual ban stays as it is,
    /// and no ban is made shorter. Result: what was banned; nothing, for an unknown peer on loopback.
    pub fn add_automatic(
        &mut self,
        ip: IpAddr,
        peer: Option<&PeerId>,
        until_s: u64,
        reason: &str,
        now_s: u64,
    ) -> Vec<Ban> {
        self.expire(now_s);
        let net = match NetGroup::of(ip) {
            NetGroup::Local(LocalNet::Loopback) => None,
            NetGroup::Local(_) | NetGroup::Reserved => Some(Subnet::exact(ip)),
            NetGroup::V4(_) | NetGroup::V6(_) => Some(Subnet::customer(ip)),
        };
        let subjects = net.map(Subject::Net).into_iter().chain(peer.cloned().map(Subject::Peer));
        let mut banned = Vec::new();
        for subject in subjects.filter(|_| until_s > now_s) {
            if self.0.get(&subject).is_some_and(|ban| ban.origin == Origin::Manual || ban.until_s >= until_s) {
                continue;
            }
            let ban = Ban { subject, reason: cut(reason), created_s: now_s, until_s, origin: Origin::Automatic };
            self.insert_automatic(ban.clone());
            banned.push(ban);
        }
        banned
    }

    /// Lifts a ban; whether there was one of exactly this subject.
    pub fn remove(&mut self, subject: &Subject) -> bool {
        self.0.remove(subject).is_some()
    }

    /// Lifts all bans.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The bans that hold now, subnets first.
    pub fn list(&self, now_s: u64) -> impl Iterator<Item = &Ban> {
        self.0.values().filter(move |ban| ban.until_s > now_s)
    }

    /// The ban that keeps an IP out: of the narrowest subnet.
    #[must_use]
    pub fn is_banned(&self, ip: IpAddr, now_s: u64) -> Option<&Ban> {
        Subnet::around(ip).find_map(|net| self.holding(&Subject::Net(net), now_s))
    }

    /// The ban that keeps a peer out, wherever it comes from.
    #[must_use]
    pub fn is_peer_banned(&self, peer: &PeerId, now_s: u64) -> Option<&Ban> {
        self.holding(&Subject::Peer(peer.clone()), now_s)
    }

    /// Forgets the bans that are over; how many there were.
    pub fn expire(&mut self, now_s: u64) -> usize {
        let before = self.0.len();
        self.0.retain(|_, ban| ban.until_s > now_s);
        before.saturating_sub(self.0.len())
    }

    fn holding(&self, subject: &Subject, now_s: u64) -> Option<&Ban> {
        self.0.get(subject).filter(|ban| ban.until_s > now_s)
    }

    fn count(&self, origin: Origin) -> usize {
        self.0.values().filter(|ban| ban.origin == origin).count()
    }

    fn insert_automatic(&mut self, ban: Ban) {
        if !self.0.contains_key(&ban.subject) && self.count(Origin::Automatic) >= AUTOMATIC_MAX {
            let automatic = self.0.values().filter(|ban| ban.origin == Origin::Automatic);
            let oldest = automatic.min_by_key(|ban| (ban.created_s, ban.until_s)).map(|ban| ban.subject.clone());
            if let Some(oldest) = oldest {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(ban.subject.clone(), ban);
    }
}

/// At most [`REASON_MAX`] bytes, and no control characters.
fn cut(reason: &str) -> String {
    let mut text: String = reason.chars().filter(|char| !char.is_control()).collect();
    let end = (0..=REASON_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or(0));
    text
}

impl core::fmt::Display for Subject {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::Peer(peer) => peer.fmt(f),
        }
    }
}

/// A text with a dot, a colon or a slash is a subnet; any other is an id.
impl core::str::FromStr for Subject {
    type Err = BanError;
    fn from_str(text: &str) -> Result<Self, BanError> {
        let subject: Result<Self, AddressError> = match text.contains(['.', ':', '/']) {
            true => text.parse().map(Self::Net),
            false => text.parse().map(Self::Peer),
        };
        subject.map_err(|_| BanError::Subject(text.to_owned()))
    }
}

#[cfg(test)]
mod tests;
