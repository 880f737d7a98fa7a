//! Who goes when all places are taken, after Bitcoin Core's `eviction.cpp`.
//!
//! Some stay for what an attacker cannot fake all at once: the group they are in, how near they are, the transactions and
//! blocks they brought first, how long they have been here. Of the others the youngest of the most crowded group goes.

use std::collections::BTreeMap;

use dotp2p_chain::hash::sha256;

use super::{Connection, ConnectionKey};
use crate::address::NetGroup;

/// Connections that stay: of groups that a secret prefers,
const BY_GROUP: usize = 4;
/// with the shortest ping,
const BY_PING: usize = 8;
/// that brought transactions last,
const BY_TX: usize = 4;
/// that brought blocks last.
const BY_BLOCK: usize = 8;

pub(super) fn choose(connections: &BTreeMap<ConnectionKey, Connection>, secret: &[u8; 32]) -> Option<ConnectionKey> {
    let unkept = connections.iter().filter(|(_, connection)| !connection.is_kept);
    let mut left: Vec<_> = unkept.map(|(key, connection)| (*key, *connection)).collect();
    protect_groups(&mut left, secret);
    protect(&mut left, BY_PING, |it| u64::from(it.ping_ms.unwrap_or(u32::MAX)));
    protect(&mut left, BY_TX, |it| u64::MAX - it.last_tx_s);
    protect(&mut left, BY_BLOCK, |it| u64::MAX - it.last_block_s);
    let half = left.len() / 2;
    protect(&mut left, half, |it| it.since_s);
    most_crowded(&left)
}

/// Takes out of `left` the `count` connections of the least `rank`; of equals, those that are here longest.
fn protect(left: &mut Vec<(ConnectionKey, Connection)>, count: usize, rank: impl Fn(&Connection) -> u64) {
    left.sort_by_key(|(key, connection)| (rank(connection), connection.since_s, *key));
    left.drain(..count.min(left.len()));
}

/// Takes out of `left` one connection each of the groups that the secret puts first, the one that is here longest.
fn protect_groups(left: &mut Vec<(ConnectionKey, Connection)>, secret: &[u8; 32]) {
    let mut oldest = BTreeMap::new();
    left.sort_by_key(|(key, connection)| (connection.since_s, *key));
    for (key, connection) in left.iter() {
        oldest.entry(NetGroup::of(connection.ip)).or_insert(*key);
    }
    let rank = |group: &NetGroup| sha256(&[secret.as_slice(), &group.to_bytes()].concat());
    let mut ranked: Vec<_> = oldest.into_iter().map(|(group, key)| (rank(&group), key)).collect();
    ranked.sort_unstable();
    ranked.truncate(BY_GROUP);
    left.retain(|(key, _)| ranked.iter().all(|(_, kept)| kept != key));
}

/// The youngest of the group with the most connections; of equal groups, of the one that has the youngest.
fn most_crowded(left: &[(ConnectionKey, Connection)]) -> Option<ConnectionKey> {
    let mut groups: BTreeMap<NetGroup, (usize, u64, ConnectionKey)> = BTreeMap::new();
    for (key, connection) in left {
        let entry = groups.entry(NetGroup::of(connection.ip)).or_insert((0, 0, *key));
        entry.0 = entry.0.saturating_add(1);
        (entry.1, entry.2) = (entry.1, entry.2).max((connection.since_s, *key));
    }
    groups.into_values().max().map(|(_, _, key)| key)
}
