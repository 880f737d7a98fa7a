//! A name's RRsets, read from its canonical bytes without making anything of them.

use super::query::{LABELS_MAX, Relative};
use crate::rdata::{is_servable_set, rtype};

/// RRsets that are looked at for a question; a name with more is the full server's.
const SETS_MAX: u32 = 64;

/// The canonical bytes of a name's records.
pub(super) struct Sets<'a> {
    count: u32,
    bytes: &'a [u8],
}

/// An RRset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set<'a> {
    pub rtype: u16,
    pub ttl: u32,
    /// Records in it.
    pub count: u16,
    rdatas: &'a [u8],
}

/// What there is for a question.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    Data(Set<'a>),
    NoData,
    NoName,
}

/// An owner's labels, as the bytes have them: leftmost first.
struct Labels<'a> {
    labels: [&'a [u8]; LABELS_MAX + 1],
    len: usize,
}

impl<'a> Set<'a> {
    /// Its RDATA; `None` among them: it does not read.
    pub fn rdatas(&self) -> impl Iterator<Item = Option<&'a [u8]>> + Clone + use<'a> {
        let mut rest = self.rdatas;
        (0..self.count).map(move |_| take_bytes(&mut rest))
    }

    fn is_servable(&self) -> bool {
        is_servable_set(self.rtype, self.rdatas().map(Option::unwrap_or_default))
    }
}

impl<'a> Sets<'a> {
    /// `None`: not the container that is known here.
    pub fn new(records: &'a [u8]) -> Option<Self> {
        let (1, mut bytes) = records.split_first().map(|(version, rest)| (*version, rest))? else { return None };
        let count = take_compact(&mut bytes).filter(|count| *count <= SETS_MAX)?;
        Some(Self { count, bytes })
    }

    /// What stands at `relative`, labels below the name. `None`: the full server is to look.
    ///
    /// One pass: the name's shape is known when every RRset was held against the question.
    pub fn find(&self, relative: &Relative<'_>, qtype: u16) -> Option<Found<'a>> {
        let wanted = relative.down();
        let (mut exists, mut encloser, mut wildcards) = (wanted.is_empty(), 0, 0u16);
        let mut found = None;
        let mut rest = self.bytes;
        for _ in 0..self.count {
            let (owner, set) = take_set(&mut rest)?;
            let down = owner.labels.get(..owner.len)?;
            let common = down.iter().rev().zip(wanted).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
            let is_above = common == owner.len;
            let is_at = is_above && common == wanted.len();
            // Which of an owner's labels comes below those in common, if any.
            let next = owner.len.checked_sub(common + 1).and_then(|at| down.get(at));
            let decides = match set.rtype {
                rtype::NS | rtype::CNAME | rtype::DNAME => is_above,
                _ => false,
            };
            let is_wanted = is_at && set.rtype == qtype && set.rtype != rtype::NS;
            if found.is_some() && !is_above {
                // Owners ascend, and those above come before: what decides was seen.
                break;
            }
            let is_wild = next == Some(&b"*".as_slice()) && wildcards & 1 << common == 0;
            let is_new = common > encloser || (common == wanted.len() && !exists) || is_wild;
            if !(is_wanted || decides || is_new) || !set.is_servable() {
                continue;
            }
            if is_wanted {
                found = Some(set);
            } else if decides && !(is_at && set.rtype == rtype::DNAME) {
                return None;
            }
            exists |= common == wanted.len();
            encloser = encloser.max(common);
            if is_wild {
                wildcards |= 1 << common;
            }
        }
        Some(match found {
            Some(set) => Found::Data(set),
            None if exists => Found::NoData,
            None if wildcards & (1 << encloser) != 0 => return None,
            None => Found::NoName,
        })
    }
}

/// The owner and the RRset that `bytes` begin with.
fn take_set<'a>(bytes: &mut &'a [u8]) -> Option<(Labels<'a>, Set<'a>)> {
    let len = usize::try_from(take_compact(bytes)?).ok().filter(|len| *len <= LABELS_MAX + 1)?;
    let mut labels = Labels { labels: [&[]; LABELS_MAX + 1], len };
    for label in labels.labels.get_mut(..len)? {
        *label = take_bytes(bytes)?;
    }
    let rtype = u16::try_from(take_compact(bytes)?).ok()?;
    let ttl = take_compact(bytes)?;
    let count = u16::try_from(take_compact(bytes)?).ok()?;
    let rdatas = *bytes;
    for _ in 0..count {
        take_bytes(bytes)?;
    }
    Some((labels, Set { rtype, ttl, count, rdatas }))
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_compact(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

/// A compact integer of SCALE, up to 32 bits.
fn take_compact(bytes: &mut &[u8]) -> Option<u32> {
    let (value, len) = match **bytes {
        [a, ..] if a & 3 == 0 => (u32::from(a), 1),
        [a, b, ..] if a & 3 == 1 => (u32::from(u16::from_le_bytes([a, b])), 2),
        [a, b, c, d, ..] if a & 3 == 2 => (u32::from_le_bytes([a, b, c, d]), 4),
        // The four-byte form of what does not fit 30 bits: such TTLs are.
        [3, a, b, c, d, ..] => {
            *bytes = bytes.get(5..)?;
            return Some(u32::from_le_bytes([a, b, c, d]));
        }
        _ => return None,
    };
    *bytes = bytes.get(len..)?;
    Some(value >> 2)
}
