//! Where an address may stand: a hash under our secret. Nobody else can tell which addresses collide.

use dotp2p_chain::hash::sha256;
use parity_scale_codec::Encode;

use super::entry::Source;
use crate::address::PeerAddress;

/// Buckets of `new`, and those that one group of tellers can reach.
pub(super) const NEW_BUCKETS: u16 = 256;
const NEW_BUCKETS_A_SOURCE: u16 = 16;
/// Buckets of `tried`, and those that one group of addresses can reach.
pub(super) const TRIED_BUCKETS: u16 = 64;
const TRIED_BUCKETS_A_GROUP: u16 = 2;
/// Slots of a bucket.
pub(super) const BUCKET_LEN: u16 = 32;

/// One of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    New,
    Tried,
}

impl Table {
    pub fn buckets(self) -> u16 {
        match self {
            Self::New => NEW_BUCKETS,
            Self::Tried => TRIED_BUCKETS,
        }
    }
}

/// A place for one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub table: Table,
    pub bucket: u16,
    pub position: u16,
}

impl Slot {
    /// The slot in `new` for what this source tells. The source's group chooses 16 buckets; the address's group one of
    /// them, so that a teller cannot spread one group over all it reaches.
    pub fn new_for(secret: &[u8; 32], address: &PeerAddress, source: Source) -> Self {
        let source = source.to_bytes();
        let among = draw(secret, b'a', &[&address.group().to_bytes(), &source], NEW_BUCKETS_A_SOURCE);
        let bucket = draw(secret, b'n', &[&source, &among.to_be_bytes()], NEW_BUCKETS);
        Self::at(secret, Table::New, bucket, address)
    }

    /// The slot in `tried`. The address chooses one of the two buckets of its group.
    pub fn tried_for(secret: &[u8; 32], address: &PeerAddress) -> Self {
        let among = draw(secret, b'b', &[&address.encode()], TRIED_BUCKETS_A_GROUP);
        let bucket = draw(secret, b't', &[&address.group().to_bytes(), &among.to_be_bytes()], TRIED_BUCKETS);
        Self::at(secret, Table::Tried, bucket, address)
    }

    fn at(secret: &[u8; 32], table: Table, bucket: u16, address: &PeerAddress) -> Self {
        let purpose = match table {
            Table::New => b'N',
            Table::Tried => b'T',
        };
        let position = draw(secret, purpose, &[&bucket.to_be_bytes(), &address.encode()], BUCKET_LEN);
        Self { table, bucket, position }
    }
}

/// A number below `end` that follows from the secret, the purpose and the parts. Only the last part may vary in length.
fn draw(secret: &[u8; 32], purpose: u8, parts: &[&[u8]], end: u16) -> u16 {
    let mut bytes = Vec::with_capacity(96);
    bytes.extend_from_slice(b"dotp2p/address-book");
    bytes.extend_from_slice(secret);
    bytes.push(purpose);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    let [a, b, c, d, ..] = sha256(&bytes);
    let number = u32::from_be_bytes([a, b, c, d]) % u32::from(end.max(1));
    u16::try_from(number).unwrap_or(0)
}
