//! Who may connect to us, and who makes room when all places are taken.
//!
//! - [`Inbound`]: the connections that others opened; [`Inbound::admit`] lets one in or says why not.
//! - [`InboundLimits`]: how many in all, from one customer, from one site.
//! - `evict`: the choice of who goes, after Bitcoin Core's.
//!
//! A customer is an IPv4 address or a /64 of IPv6, a site a /24 or a /48. Loopback has no limit of its own unless it is
//! asked for: proxies and tests sit there.
//!
//! Invariant: at most `total` connections are kept, about 200 bytes each; a customer has at most `per_customer`, a site at
//! most `per_site`. What is absent: bans (ask [`bans`](crate::bans) first), sockets, a clock.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::address::{LocalNet, NetGroup, Subnet};

mod evict;

/// The caller's number for a connection; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey(pub u64);

/// How many connections others may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboundLimits {
    /// In all: 125 less the eight that we open.
    pub total: usize,
    /// From an IPv4 address or a /64 of IPv6.
    pub per_customer: usize,
    /// From a /24 of IPv4 or a /48 of IPv6.
    pub per_site: usize,
    /// Whether the last two hold for loopback too.
    pub limit_loopback: bool,
}

impl Default for InboundLimits {
    fn default() -> Self {
        Self { total: 117, per_customer: 4, per_site: 16, limit_loopback: false }
    }
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// All places are taken; [`Inbound::candidate_to_evict`] may free one.
    #[error("all {0} places for inbound connections are taken")]
    Full(usize),
    /// Too many of one customer.
    #[error("{net} has {max} connections already")]
    Customer {
        /// An address or a /64.
        net: Subnet,
        /// The limit.
        max: usize,
    },
    /// Too many of one site.
    #[error("{net} has {max} connections already")]
    Site {
        /// A /24 or /48.
        net: Subnet,
        /// The limit.
        max: usize,
    },
    /// The caller counted wrong.
    #[error("connection {0:?} is there already")]
    Twice(ConnectionKey),
}

/// What is known of a connection when somebody must go. Times are Unix seconds, 0 for never.
#[derive(Clone, Copy, Debug)]
struct Connection {
    ip: IpAddr,
    since_s: u64,
    /// The shortest seen.
    ping_ms: Option<u32>,
    last_block_s: u64,
    last_tx_s: u64,
    /// Not evicted: the operator's own.
    is_kept: bool,
}

/// The connections that others opened. See the [module](self).
#[derive(Clone, Debug)]
pub struct Inbound {
    limits: InboundLimits,
    secret: [u8; 32],
    connections: BTreeMap<ConnectionKey, Connection>,
}

impl Inbound {
    /// No connection yet. `secret`: 32 random bytes; they choose the groups that are never evicted, so that nobody can aim
    /// for one.
    #[must_use]
    pub fn new(limits: InboundLimits, secret: [u8; 32]) -> Self {
        Self { limits, secret, connections: BTreeMap::new() }
    }

    /// Lets a connection in, or says why not.
    pub fn admit(&mut self, key: ConnectionKey, ip: IpAddr, now_s: u64) -> Result<(), Refused> {
        let ip = ip.to_canonical();
        if self.connections.contains_key(&key) {
            return Err(Refused::Twice(key));
        }
        if self.limits.limit_loopback || NetGroup::of(ip) != NetGroup::Local(LocalNet::Loopback) {
            let InboundLimits { per_customer, per_site, .. } = self.limits;
            let (customer, site) = (Subnet::customer(ip), Subnet::site(ip));
            if self.count(customer) >= per_customer {
                return Err(Refused::Customer { net: customer, max: per_customer });
            }
            if self.count(site) >= per_site {
                return Err(Refused::Site { net: site, max: per_site });
            }
        }
        if self.connections.len() >= self.limits.total {
            return Err(Refused::Full(self.limits.total));
        }
        let connection =
            Connection { ip, since_s: now_s, ping_ms: None, last_block_s: 0, last_tx_s: 0, is_kept: false };
        self.connections.insert(key, connection);
        Ok(())
    }

    /// Forgets a connection that ended; whether it was known.
    pub fn closed(&mut self, key: ConnectionKey) -> bool {
        self.connections.remove(&key).is_some()
    }

    /// Never evicts this one.
    pub fn keep(&mut self, key: ConnectionKey) {
        self.update(key, |connection| connection.is_kept = true);
    }

    /// Notes how long an answer took; the shortest counts, for no peer can make that up.
    pub fn pinged(&mut self, key: ConnectionKey, ping_ms: u32) {
        self.update(key, |connection| {
            connection.ping_ms = Some(connection.ping_ms.map_or(ping_ms, |shortest| shortest.min(ping_ms)));
        });
    }

    /// Notes that a valid block was first heard of here.
    pub fn brought_block(&mut self, key: ConnectionKey, now_s: u64) {
        self.update(key, |connection| connection.last_block_s = now_s);
    }

    /// Notes that a transaction that the pool took was first heard of here.
    pub fn brought_tx(&mut self, key: ConnectionKey, now_s: u64) {
        self.update(key, |connection| connection.last_tx_s = now_s);
    }

    /// How many connections there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Who goes to make room for another, if anybody is not protected. The connection stays until [`Self::closed`].
    #[must_use]
    pub fn candidate_to_evict(&self) -> Option<ConnectionKey> {
        evict::choose(&self.connections, &self.secret)
    }

    fn count(&self, net: Subnet) -> usize {
        self.connections.values().filter(|connection| net.contains(connection.ip)).count()
    }

    fn update(&mut self, key: ConnectionKey, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.connections.get_mut(&key) {
            change(connection);
        }
    }
}

#[cfg(test)]
mod tests;
