//! Denial: names just before and just after another one, and NSEC records made of them (RFC 4470).
//!
//! A name stands between [`label_before`] and [`name_after`] with all that could be below it and, where the caller has
//! looked for siblings there, with nothing else.

use hickory_proto::rr::Name as DnsName;

use crate::answer::{Rr, apex::NEGATIVE_TTL, wire};
use crate::rdata::rtype;

/// Bytes of a label, and of a domain name, at most.
const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 255;

/// A label that comes before `label`, as near as its length allows; `None`: the parent itself comes just before it.
///
/// - `label`: in lower case, not empty.
/// - `parent`: what the label stands below.
///
/// No label without bytes of 0xff comes between the two but, where it is shorter than it could be, the result itself.
pub(crate) fn label_before(label: &[u8], parent: &DnsName) -> Option<Vec<u8>> {
    let (last, head) = label.split_last()?;
    let mut out = head.to_vec();
    if let Some(before) = last.checked_sub(1) {
        // Between `@` and `[` are capitals, which count as small letters.
        out.push(if before.is_ascii_uppercase() { b'@' } else { before });
        if out.len() < LABEL_MAX && wire_len(parent) + 1 + out.len() < NAME_MAX {
            out.push(0xff);
        }
    }
    (!out.is_empty()).then_some(out)
}

/// The name that comes after `name` and all that may be below it, as near as its length allows.
pub(crate) fn name_after(name: &DnsName, apex: &DnsName) -> DnsName {
    let mut labels: Vec<&[u8]> = name.iter().collect();
    while labels.len() > apex.iter().len() {
        let label = labels.remove(0);
        let mut next = label.to_vec();
        let len = 1 + label.len() + labels.iter().map(|label| 1 + label.len()).sum::<usize>() + 1;
        if label.len() < LABEL_MAX && len < NAME_MAX {
            next.push(0);
        } else {
            while next.last() == Some(&0xff) {
                next.pop();
            }
            if let Some(last) = next.last_mut() {
                *last += 1;
                *last = if last.is_ascii_uppercase() { b'[' } else { *last };
            }
        }
        if let (false, Ok(name)) =
            (next.is_empty(), DnsName::from_labels(std::iter::once(next.as_slice()).chain(labels.iter().copied())))
        {
            return name;
        }
        // Nothing comes after it below its parent: what comes after the parent does.
    }
    apex.clone()
}

/// An NSEC record at a name that exists: just these types are there (and NSEC and RRSIG), and nothing is between it and
/// what could be first below it.
pub(crate) fn matching(owner: &DnsName, types: &[u16], apex: &DnsName) -> Rr {
    let first_below = owner.prepend_label(&[0_u8][..]);
    let next = first_below.unwrap_or_else(|_| name_after(owner, apex));
    covering(owner, types, &next)
}

/// An NSEC record from `owner` to `next`.
pub(crate) fn covering(owner: &DnsName, types: &[u16], next: &DnsName) -> Rr {
    let mut rdata = wire(next);
    let mut all = types.to_vec();
    all.extend([rtype::RRSIG, rtype::NSEC]);
    all.sort_unstable();
    all.dedup();
    put_types(&mut rdata, &all);
    Rr { owner: owner.clone(), rtype: rtype::NSEC, ttl: NEGATIVE_TTL, rdata }
}

/// Type bit maps (RFC 4034 4.1.2); `types` ascending.
fn put_types(out: &mut Vec<u8>, types: &[u16]) {
    for window in types.chunk_by(|a, b| a >> 8 == b >> 8) {
        let mut bits = [0_u8; 32];
        let mut len = 0;
        for rtype in window {
            let [_, low] = rtype.to_be_bytes();
            if let Some(byte) = bits.get_mut(usize::from(low / 8)) {
                *byte |= 0x80 >> (low % 8);
            }
            len = low / 8 + 1;
        }
        let [number, _] = window.first().copied().unwrap_or_default().to_be_bytes();
        out.extend([number, len]);
        out.extend(bits.iter().take(len.into()));
    }
}

fn wire_len(name: &DnsName) -> usize {
    name.iter().map(|label| 1 + label.len()).sum::<usize>() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::domain;

    fn name(labels: &[&[u8]]) -> DnsName {
        DnsName::from_labels(labels.iter().copied().chain([&b"p2p"[..]])).unwrap()
    }

    #[test]
    fn just_before() {
        let cases: [(&[u8], Option<&[u8]>); 8] = [
            (b"b", Some(b"a\xff")),
            (b"alice", Some(b"alicd\xff")),
            (b"*", Some(b")\xff")),
            (b"a", Some(b"`\xff")),
            (b"[", Some(b"@\xff")),
            (b"ab\0", Some(b"ab")),
            (b"\0", None),
            (b"\x01", Some(b"\0\xff")),
        ];
        for (label, expected) in cases {
            assert_eq!(label_before(label, &domain("p2p.")).as_deref(), expected, "{label:?}");
        }
        let long = [b'b'; 63];
        assert_eq!(label_before(&long, &domain("p2p.")).unwrap(), [&[b'b'; 62][..], b"a"].concat());
        // 4 + 3 × 64 + 5 bytes: a label of 53 fills them up to 255.
        let parent = name(&[&[b'x'; 63], &[b'x'; 63], &[b'x'; 63]]);
        assert_eq!(wire_len(&parent), 197);
        assert_eq!(label_before(&[b'b'; 57], &parent).unwrap().len(), 57);
        assert_eq!(label_before(&[b'b'; 56], &parent).unwrap().len(), 57);
    }

    #[test]
    fn just_after() {
        let apex = domain("p2p.");
        let after = |labels: &[&[u8]]| name_after(&name(labels), &apex);
        assert_eq!(after(&[b"alice"]), name(&[b"alice\0"]));
        assert_eq!(after(&[b"x", b"alice"]), name(&[b"x\0", b"alice"]));
        assert_eq!(after(&[&[b'z'; 63]]), name(&[&[&[b'z'; 62][..], b"{"].concat()]));
        assert_eq!(after(&[&[b'@'; 63]]), name(&[&[&[b'@'; 62][..], b"["].concat()]));
        assert_eq!(after(&[&[&b"a"[..], &[0xff; 62]].concat()]), name(&[b"b"]));
        assert_eq!(after(&[&[0xff; 63], b"alice"]), name(&[b"alice\0"]));
        assert_eq!(after(&[&[0xff; 63]]), apex);
        let parent: [&[u8]; 3] = [&[b'x'; 63], &[b'x'; 63], &[b'x'; 63]];
        let full = [&[&[b'b'; 57][..]], &parent[..]].concat();
        assert_eq!(wire_len(&name(&full)), 255);
        assert_eq!(after(&full), name(&[&[&[&[b'b'; 56][..], b"c"].concat()[..]], &parent[..]].concat()));
        assert_eq!(matching(&name(&full), &[], &apex).rdata[..58], wire(&after(&full))[..58]);
    }

    #[test]
    fn bit_maps() {
        let apex = domain("p2p.");
        let rdata = |types: &[u16]| covering(&apex, types, &apex).rdata[5..].to_vec();
        assert_eq!(rdata(&[]), [0, 6, 0, 0, 0, 0, 0, 3]);
        assert_eq!(rdata(&[1, 28]), [0, 6, 0x40, 0, 0, 0x08, 0, 3]);
        assert_eq!(rdata(&[1, 257, 65_280]), [0, 6, 0x40, 0, 0, 0, 0, 3, 1, 1, 0x40, 255, 1, 0x80]);
    }
}
