//! A name's records: the canonical container (R1 to R9). RDATA is opaque here; no DNS parser is part of consensus.
//!
//! Bytes: version 1, then RRsets in strictly ascending order of owner and type. Equal sets of records have equal bytes.

use core::cmp::Ordering;

use parity_scale_codec::{Compact, Decode, Encode};

use crate::codec::{DecodeError, decode_all, decode_bytes, decode_len};
use crate::hash::{RecordsHash, tag};

/// The version byte.
pub const VERSION: u8 = 1;
/// The greatest TTL in seconds (RFC 2181).
pub const TTL_MAX: u32 = (1 << 31) - 1;
/// The most bytes of RDATA (its length is 16 bits in a message).
pub const RDATA_MAX: usize = 65_535;
/// The bytes of no records at all.
pub const EMPTY: [u8; 2] = [VERSION, 0];

/// An owner relative to the name: labels leftmost first, none at the apex. Any octets but `A` to `Z` (R3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owner(Vec<Vec<u8>>);

impl Owner {
    /// The apex: the name itself.
    pub const APEX: Self = Self(Vec::new());

    /// An owner of these labels, leftmost first; capitals are folded. Lengths are checked with the whole set.
    #[must_use]
    pub fn new<'a>(labels: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(labels.into_iter().map(<[u8]>::to_ascii_lowercase).collect())
    }

    /// The labels, leftmost first.
    #[must_use]
    pub fn labels(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// Whether this is the name itself.
    #[must_use]
    pub fn is_apex(&self) -> bool {
        self.0.is_empty()
    }
}

impl Ord for Owner {
    /// Label by label from the last, as octets, a missing label first (R4).
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl PartialOrd for Owner {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The records of one owner and type (R2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// Where, relative to the name.
    pub owner: Owner,
    /// The type's number.
    pub rtype: u16,
    /// Seconds a resolver may keep them.
    pub ttl: u32,
    /// Uncompressed wire form, strictly ascending as octet strings, at least one.
    pub rdatas: Vec<Vec<u8>>,
}

/// A name's records, known to be canonical and within every limit (R1 to R7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records(Vec<RecordSet>);

/// Why records are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    /// Not SCALE.
    #[error("records: {0} (R1)")]
    Decode(#[from] DecodeError),
    /// Not version 1.
    #[error("records version {0}, expected 1 (R1)")]
    Version(u8),
    /// Above the network's limit.
    #[error("records have {len} bytes, at most {max} are allowed (R7)")]
    Size {
        /// Their bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// A label of 0 or more than 63 octets.
    #[error("a label of an owner has {0} octets, expected 1 to 63 (R3)")]
    LabelLength(usize),
    /// A capital letter, which DNS folds.
    #[error("an owner holds the capital {0:#04x}: owners are stored in lower case (R3)")]
    Capital(u8),
    /// Longer than a domain name can be.
    #[error("an owner makes a domain name of {0} octets, at most 255 are allowed (R3)")]
    OwnerLength(usize),
    /// Out of order or twice.
    #[error("RRset {owner} type {rtype} is out of order or there twice (R4)")]
    RrsetOrder {
        /// Its owner.
        owner: String,
        /// Its type.
        rtype: u16,
    },
    /// A type that cannot be data here.
    #[error("type {0} cannot be stored: its records are made by servers or only asked for (R6)")]
    Type(u16),
    /// Above 2³¹ − 1.
    #[error("TTL {0} exceeds 2147483647 (R5)")]
    Ttl(u32),
    /// RDATA out of order or twice.
    #[error("records of {owner} type {rtype} are out of order or there twice (R5)")]
    RdataOrder {
        /// Their owner.
        owner: String,
        /// Their type.
        rtype: u16,
    },
    /// An RRset without records.
    #[error("RRset {owner} type {rtype} has no records (R5)")]
    NoRdata {
        /// Its owner.
        owner: String,
        /// Its type.
        rtype: u16,
    },
    /// RDATA of more than 65,535 bytes.
    #[error("a record has {0} bytes of RDATA, at most 65535 fit a message (R5)")]
    RdataLength(usize),
}

/// What the limits of records depend on (R3, R7).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the name.
    pub name_len: usize,
    /// Bytes of the top-level domain.
    pub tld_len: usize,
    /// Most bytes of encoded records.
    pub max: usize,
}

/// Whether records of a type may be stored: not 0, SOA, OPT, those of DNSSEC that a server signs with, queries (R6).
#[must_use]
pub const fn is_storable(rtype: u16) -> bool {
    !matches!(rtype, 0 | 6 | 24 | 30 | 41 | 46 | 47 | 48 | 50 | 51 | 128..=255)
}

impl Records {
    /// The RRsets in canonical order.
    #[must_use]
    pub fn sets(&self) -> &[RecordSet] {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The RRset of an owner and type.
    #[must_use]
    pub fn get(&self, owner: &Owner, rtype: u16) -> Option<&RecordSet> {
        let at = self.0.binary_search_by(|set| set.owner.cmp(owner).then(set.rtype.cmp(&rtype))).ok()?;
        self.0.get(at)
    }

    /// Sorts `sets` into canonical order, drops records given twice, and checks every limit.
    ///
    /// RRsets of one owner and type are an error: their TTLs would have to be chosen between.
    pub fn new(mut sets: Vec<RecordSet>, limits: Limits) -> Result<Self, RecordsError> {
        for set in &mut sets {
            set.rdatas.sort_unstable();
            set.rdatas.dedup();
        }
        sets.sort_by(|a, b| a.owner.cmp(&b.owner).then(a.rtype.cmp(&b.rtype)));
        let records = Self(sets);
        Self::decode(&records.encode(), limits)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_len(&mut out, self.0.len());
        for set in &self.0 {
            set.owner.0.encode_to(&mut out);
            Compact(set.rtype).encode_to(&mut out);
            Compact(set.ttl).encode_to(&mut out);
            set.rdatas.encode_to(&mut out);
        }
        out
    }

    /// Reads canonical records; anything else is refused, with the rule it breaks. Rules R1 to R7.
    pub fn decode(bytes: &[u8], limits: Limits) -> Result<Self, RecordsError> {
        Ok(Self(checked_sets(bytes, limits)?.iter().map(Set::to_owned).collect()))
    }

    /// Whether [`Self::decode`] would read them; copies none of them, being asked for every Update of every block.
    pub fn check(bytes: &[u8], limits: Limits) -> Result<(), RecordsError> {
        checked_sets(bytes, limits).map(drop)
    }
}

/// The RRsets of canonical records, as they stand in `bytes`.
fn checked_sets(bytes: &[u8], limits: Limits) -> Result<Vec<Set<'_>>, RecordsError> {
    if bytes.len() > limits.max {
        return Err(RecordsError::Size { len: bytes.len(), max: limits.max });
    }
    match bytes.first() {
        Some(&VERSION) => {}
        Some(&version) => return Err(RecordsError::Version(version)),
        None => return Err(DecodeError::Scale("no bytes".to_owned()).into()),
    }
    let sets = decode_all(bytes.get(1..).unwrap_or_default(), |input| {
        let count = decode_len(input, "RRsets", 0, input.len())?;
        (0..count).map(|_| Set::decode(input)).collect::<Result<Vec<_>, _>>()
    })?;
    for set in &sets {
        check_set(set, limits)?;
    }
    for pair in sets.windows(2) {
        if let [a, b] = pair
            && a.owner.cmp_owner(&b.owner).then(a.rtype.cmp(&b.rtype)) != Ordering::Less
        {
            return Err(RecordsError::RrsetOrder { owner: show_owner(&b.owner), rtype: b.rtype });
        }
    }
    Ok(sets)
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    Compact(u32::try_from(len).unwrap_or(u32::MAX)).encode_to(out);
}

/// Byte strings in a row, each with its length, as they stand in an encoding.
#[derive(Clone, Copy)]
struct Strings<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Strings<'a> {
    fn decode(input: &mut &'a [u8], all: &'static str, one: &'static str) -> Result<Self, DecodeError> {
        let count = decode_len(input, all, 0, input.len())?;
        let bytes = *input;
        (0..count).try_for_each(|_| decode_bytes(input, one, input.len()).map(drop))?;
        let len = bytes.len().saturating_sub(input.len());
        Ok(Self { count, bytes: bytes.get(..len).unwrap_or_default() })
    }

    fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.count).scan(self.bytes, |input, _| decode_bytes(input, "", input.len()).ok())
    }

    fn to_vecs(self) -> Vec<Vec<u8>> {
        self.iter().map(<[u8]>::to_vec).collect()
    }

    /// As owners compare: [`Owner::cmp`].
    fn cmp_owner(&self, other: &Self) -> Ordering {
        match (self.count, other.count) {
            (0, _) | (_, 0) => self.count.cmp(&other.count),
            _ => Owner(self.to_vecs()).cmp(&Owner(other.to_vecs())),
        }
    }
}

/// A [`RecordSet`] as it stands in an encoding.
struct Set<'a> {
    owner: Strings<'a>,
    rtype: u16,
    ttl: u32,
    rdatas: Strings<'a>,
}

impl<'a> Set<'a> {
    fn decode(input: &mut &'a [u8]) -> Result<Self, DecodeError> {
        let owner = Strings::decode(input, "labels", "label")?;
        let rtype = Compact::<u16>::decode(input)?.0;
        let ttl = Compact::<u32>::decode(input)?.0;
        Ok(Self { owner, rtype, ttl, rdatas: Strings::decode(input, "records", "RDATA")? })
    }

    fn to_owned(&self) -> RecordSet {
        let Self { owner, rtype, ttl, rdatas } = *self;
        RecordSet { owner: Owner(owner.to_vecs()), rtype, ttl, rdatas: rdatas.to_vecs() }
    }
}

fn check_set(set: &Set<'_>, limits: Limits) -> Result<(), RecordsError> {
    let mut domain_len = limits.name_len + 1 + limits.tld_len + 1 + 1;
    for label in set.owner.iter() {
        if !(1..=63).contains(&label.len()) {
            return Err(RecordsError::LabelLength(label.len()));
        }
        if let Some(&capital) = label.iter().find(|octet| octet.is_ascii_uppercase()) {
            return Err(RecordsError::Capital(capital));
        }
        domain_len += label.len() + 1;
    }
    if domain_len > 255 {
        return Err(RecordsError::OwnerLength(domain_len));
    }
    if !is_storable(set.rtype) {
        return Err(RecordsError::Type(set.rtype));
    }
    if set.ttl > TTL_MAX {
        return Err(RecordsError::Ttl(set.ttl));
    }
    let (owner, rtype) = (|| show_owner(&set.owner), set.rtype);
    if set.rdatas.count == 0 {
        return Err(RecordsError::NoRdata { owner: owner(), rtype });
    }
    if set.rdatas.bytes.len() > RDATA_MAX
        && let Some(long) = set.rdatas.iter().find(|rdata| rdata.len() > RDATA_MAX)
    {
        return Err(RecordsError::RdataLength(long.len()));
    }
    if !set.rdatas.iter().is_sorted_by(|a, b| a < b) {
        return Err(RecordsError::RdataOrder { owner: owner(), rtype });
    }
    Ok(())
}

/// An owner for an error text: `@` at the apex, octets that do not print as `\DDD`.
fn show_owner(owner: &Strings<'_>) -> String {
    if owner.count == 0 {
        return "@".to_owned();
    }
    let label = |octets: &[u8]| -> String {
        octets
            .iter()
            .map(|&octet| match octet {
                b'.' | b'\\' => format!("\\{}", char::from(octet)),
                b'!'..=b'~' => char::from(octet).to_string(),
                _ => format!("\\{octet:03}"),
            })
            .collect()
    };
    owner.iter().map(label).collect::<Vec<_>>().join(".")
}

/// `H("dotp2p/records", bytes)` (R9).
#[must_use]
pub fn records_hash(bytes: &[u8]) -> RecordsHash {
    RecordsHash(tag::RECORDS.hash(&[bytes]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_are_checked_are_judged_as_if_they_were_read() {
        let limits = Limits { name_len: 5, tld_len: 3, max: 64 };
        // RRsets of type 1 at the apex and at `a`, in order and not; a record of four bytes each.
        let (apex, below) = ([0, 4, 0, 4, 16, 1, 2, 3, 4], [4, 4, b'a', 4, 0, 4, 16, 1, 2, 3, 4]);
        let ordered = [&[1, 8][..], &apex, &below].concat();
        let reversed = [&[1, 8][..], &below, &apex].concat();
        assert_eq!(Records::check(&ordered, limits), Ok(()));
        let refused = RecordsError::RrsetOrder { owner: "@".to_owned(), rtype: 1 };
        assert_eq!(Records::check(&reversed, limits), Err(refused));
        for bytes in [&ordered[..], &reversed, &EMPTY, &[], &[2, 0], &[1, 0, 0], &[1, 4], &[1; 65]] {
            assert_eq!(Records::check(bytes, limits), Records::decode(bytes, limits).map(drop), "{bytes:?}");
        }
    }
}
