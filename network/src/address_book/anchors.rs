//! `anchors.dat`: the two peers that a node dials first when it starts again.
//!
//! An attacker who can make a node restart gains nothing if the node goes back to whom it had. The file is written at a
//! clean stop, and removed as it is read: a node that crashes on what an anchor sends does not go back to it.

use std::path::Path;

use super::file::{seal, unseal};
use crate::address::PeerAddress;
use crate::saved_file::{self, FileError, Unusable};

/// How many there are.
pub const ANCHORS: usize = 2;

const MAGIC: &[u8] = b"dotp2p anchors\n";
const VERSION: u8 = 1;
const MAX: u64 = 1024;
const WITHOUT: &str = "no peer is dialled before the others";

/// Of the outbound peers that relay blocks, each with the time since which it is connected, the anchors: those that
/// lasted longest, of two groups. Whoever came with the attack came late.
#[must_use]
pub fn choose(outbound: &[(PeerAddress, u64)]) -> Vec<PeerAddress> {
    let mut longest: Vec<_> = outbound.iter().map(|(address, since_s)| (*since_s, *address)).collect();
    longest.sort_unstable();
    let mut anchors: Vec<PeerAddress> = Vec::new();
    for (_, address) in longest {
        let group = address.group();
        if anchors.len() < ANCHORS && (group.is_local() || anchors.iter().all(|anchor| anchor.group() != group)) {
            anchors.push(address);
        }
    }
    anchors
}

/// Writes the file, durably; at a clean stop. Of more than two, the first two.
pub fn save(path: &Path, anchors: &[PeerAddress]) -> Result<(), FileError> {
    let anchors: Vec<_> = anchors.iter().take(ANCHORS).copied().collect();
    saved_file::replace(path, &seal(MAGIC, VERSION, &anchors))
}

/// Reads the file and removes it. Where there is none, or none that makes sense, there are no anchors; the latter is told.
/// None is given out if the file cannot be removed.
pub fn take(path: &Path) -> Result<Vec<PeerAddress>, Unusable> {
    let anchors = saved_file::load(path, MAX, WITHOUT, |bytes| unseal::<Vec<PeerAddress>>(MAGIC, VERSION, bytes))?;
    saved_file::remove(path).map_err(|error| Unusable { error, moved: None, without: WITHOUT })?;
    let mut anchors = anchors.unwrap_or_default();
    anchors.truncate(ANCHORS);
    Ok(anchors)
}
