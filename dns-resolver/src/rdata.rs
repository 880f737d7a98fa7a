//! RDATA, as far as a server must understand it: whether a type's fields fill it, and the one name that it follows.
//!
//! Only the fields that a client trips over are checked. A type that is not listed is opaque, and served as it is.

use std::borrow::Cow;

use dotp2p_chain::records::RecordSet;
use hickory_proto::rr::Name as DnsName;
use hickory_proto::serialize::binary::BinDecodable;

/// Type numbers that decide how an answer is made.
pub(crate) mod rtype {
    pub const A: u16 = 1;
    pub const NS: u16 = 2;
    pub const CNAME: u16 = 5;
    pub const SOA: u16 = 6;
    pub const HINFO: u16 = 13;
    pub const AAAA: u16 = 28;
    pub const DNAME: u16 = 39;
    pub const DS: u16 = 43;
    pub const RRSIG: u16 = 46;
    pub const NSEC: u16 = 47;
    pub const DNSKEY: u16 = 48;
    pub const CDS: u16 = 59;
    pub const CDNSKEY: u16 = 60;
    pub const IXFR: u16 = 251;
    pub const AXFR: u16 = 252;
    pub const ANY: u16 = 255;
}

/// The most bytes an RRset may take, counted without its owner: the rest of a message is left for the question, the
/// owner and an OPT record.
const RRSET_MAX: usize = 65_000;

/// Type, class, TTL and length of a record, and a pointer as its owner.
const RECORD_HEAD: usize = 12;

enum Field {
    /// So many bytes.
    Bytes(usize),
    /// An uncompressed domain name.
    Domain,
    /// One character-string.
    Text,
    /// One character-string or more, to the end.
    Texts,
    /// At least so many bytes, to the end.
    Rest(usize),
}

/// The fields of the types whose RDATA a client takes apart (RFC 1035, 3596, 4034, 9460 and their kin).
const fn fields(rtype: u16) -> &'static [Field] {
    use Field::{Bytes, Domain, Rest, Text, Texts};
    match rtype {
        rtype::A => &[Bytes(4)],
        rtype::AAAA => &[Bytes(16)],
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, NSAP-PTR, DNAME
        2..=5 | 7..=9 | 12 | 23 | 39 => &[Domain],
        rtype::HINFO => &[Text, Text],
        // MINFO, RP
        14 | 17 => &[Domain, Domain],
        // MX, AFSDB, RT, KX, LP
        15 | 18 | 21 | 36 | 107 => &[Bytes(2), Domain],
        // TXT, SPF
        16 | 99 => &[Texts],
        // PX
        26 => &[Bytes(2), Domain, Domain],
        // SRV
        33 => &[Bytes(6), Domain],
        // NAPTR
        35 => &[Bytes(4), Text, Text, Text, Domain],
        // DS, CDS
        43 | 59 => &[Bytes(4), Rest(1)],
        // TLSA, SMIMEA
        52 | 53 => &[Bytes(3), Rest(1)],
        // SSHFP
        44 => &[Bytes(2), Rest(1)],
        // SVCB, HTTPS
        64 | 65 => &[Bytes(2), Domain, Rest(0)],
        // CAA
        257 => &[Bytes(1), Text, Rest(0)],
        _ => &[Rest(0)],
    }
}

/// Whether an RRset can be served. One that cannot is treated as if it were not there (R10): RDATA that does not parse
/// for its type, more than one target of an alias, or more bytes than a message has.
pub(crate) fn is_servable(set: &RecordSet) -> bool {
    is_servable_set(set.rtype, set.rdatas.iter().map(Vec::as_slice))
}

/// [`is_servable`] of an RRset that lies somewhere else.
pub(crate) fn is_servable_set<'a>(rtype: u16, rdatas: impl Iterator<Item = &'a [u8]> + Clone) -> bool {
    let is_alias = matches!(rtype, rtype::CNAME | rtype::DNAME);
    let size: usize = rdatas.clone().map(|rdata| RECORD_HEAD + rdata.len()).sum();
    let count = rdatas.clone().count();
    !(is_alias && count != 1) && size <= RRSET_MAX && rdatas.into_iter().all(|rdata| is_well_formed(rtype, rdata))
}

/// The domain name that an NS, CNAME or DNAME record points to, in the case it is written.
pub(crate) fn target(rdata: &[u8]) -> Option<DnsName> {
    let (name, rest) = split_name(rdata)?;
    // No pointer can be in it, so the reader stays within these bytes.
    if rest.is_empty() { DnsName::from_bytes(name).ok() } else { None }
}

fn is_well_formed(rtype: u16, rdata: &[u8]) -> bool {
    let mut rest = Some(rdata);
    for field in fields(rtype) {
        rest = rest.and_then(|bytes| match field {
            Field::Bytes(count) => bytes.get(*count..),
            Field::Domain => split_name(bytes).map(|(_, rest)| rest),
            Field::Text => split_text(bytes),
            Field::Texts => {
                let mut bytes = split_text(bytes)?;
                while !bytes.is_empty() {
                    bytes = split_text(bytes)?;
                }
                Some(bytes)
            }
            Field::Rest(least) => bytes.get(*least..).map(|_| [].as_slice()),
        });
    }
    rest.is_some_and(<[u8]>::is_empty)
}

/// RDATA as it is signed: the names in it in lower case, where the type is one of those that have them so (RFC 4034 6.2,
/// RFC 6840 5.1). A6 is none here: validators do not agree on it.
pub(crate) fn canonical(rtype: u16, rdata: &[u8]) -> Cow<'_, [u8]> {
    let has_names = matches!(rtype, 2..=5 | 7..=9 | 12 | 14 | 15 | 17 | 18 | 21 | 26 | 33 | 35 | 36 | 39);
    if !has_names || !rdata.iter().any(u8::is_ascii_uppercase) {
        return Cow::Borrowed(rdata);
    }
    let mut out = rdata.to_vec();
    let mut rest = rdata;
    for field in fields(rtype) {
        let after = match field {
            Field::Bytes(count) => rest.get(*count..),
            Field::Text => split_text(rest),
            Field::Domain => split_name(rest).map(|(name, after)| {
                let at = rdata.len() - rest.len();
                // Lengths are below `A`.
                out.iter_mut().skip(at).take(name.len()).for_each(u8::make_ascii_lowercase);
                after
            }),
            Field::Texts | Field::Rest(_) => None,
        };
        match after {
            Some(after) => rest = after,
            None => break,
        }
    }
    Cow::Owned(out)
}

/// The uncompressed domain name `bytes` begin with, and what follows.
fn split_name(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        let len = usize::from(*bytes.get(at)?);
        at += 1 + len;
        if len > 63 || at > 255 {
            return None;
        }
        if len == 0 {
            return bytes.split_at_checked(at);
        }
    }
}

/// What follows the character-string `bytes` begin with.
fn split_text(bytes: &[u8]) -> Option<&[u8]> {
    let (len, rest) = bytes.split_first()?;
    rest.get(usize::from(*len)..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dotp2p_chain::records::Owner;

    fn set(rtype: u16, rdatas: &[&[u8]]) -> RecordSet {
        RecordSet { owner: Owner::APEX, rtype, ttl: 60, rdatas: rdatas.iter().map(|rdata| rdata.to_vec()).collect() }
    }

    #[test]
    fn what_can_be_served() {
        let long_label = [&[64][..], &[b'a'; 64], &[0]].concat();
        let long_name = [[&[63][..], &[b'a'; 63]].concat().repeat(4), vec![0]].concat();
        let cases: [(u16, &[u8], bool); 34] = [
            (1, &[192, 0, 2, 7], true),
            (1, &[192, 0, 2], false),
            (1, &[192, 0, 2, 7, 0], false),
            (28, &[0; 16], true),
            (28, &[0; 4], false),
            (2, b"\x02ns\x00", true),
            (2, b"\x00", true),
            (2, b"", false),
            (2, b"\x02ns", false),
            (2, b"\x02ns\x00\x00", false),
            (5, b"\xc0\x0c", false),
            (5, &long_label, false),
            (39, &long_name, false),
            (12, b"\x01a\x00", true),
            (15, b"\x00\x0a\x01a\x00", true),
            (15, b"\x00\x0a", false),
            (15, b"\x00", false),
            (16, b"\x02hi", true),
            (16, b"\x02hi\x00\x01a", true),
            (16, b"", false),
            (16, b"\x03hi", false),
            (13, b"\x01a\x01b", true),
            (13, b"\x01a", false),
            (33, b"\0\0\0\0\0\0\x01a\0", true),
            (33, b"\0\0\0\0\0\x01a\0", false),
            (35, b"\0\0\0\0\0\0\0\0", true),
            (43, b"\0\x01\x08\x02\xff", true),
            (43, b"\0\x01\x08\x02", false),
            (65, b"\0\x01\0", true),
            (65, b"\0\x01", false),
            (257, b"\0\x05issueca.example", true),
            (257, b"\0\x06issue", false),
            (65_280, b"", true),
            (65_280, b"\xc0\x0c", true),
        ];
        for (rtype, rdata, expected) in cases {
            assert_eq!(is_servable(&set(rtype, &[rdata])), expected, "type {rtype} {rdata:02x?}");
        }
    }

    #[test]
    fn an_alias_has_one_target() {
        assert!(is_servable(&set(2, &[b"\x01a\x00", b"\x01b\x00"])));
        assert!(!is_servable(&set(5, &[b"\x01a\x00", b"\x01b\x00"])));
        assert!(!is_servable(&set(39, &[b"\x01a\x00", b"\x01b\x00"])));
    }

    #[test]
    fn one_bad_record_leaves_out_the_rrset() {
        assert!(!is_servable(&set(1, &[&[192, 0, 2], &[192, 0, 2, 7]])));
    }

    #[test]
    fn what_no_message_can_hold() {
        assert!(is_servable(&set(65_280, &[&vec![0; RRSET_MAX - RECORD_HEAD]])));
        assert!(!is_servable(&set(65_280, &[&vec![0; RRSET_MAX - RECORD_HEAD + 1]])));
    }

    #[test]
    fn names_are_signed_in_lower_case() {
        let cases: [(u16, &[u8], &[u8]); 8] = [
            (2, b"\x02NS\x01X\x00", b"\x02ns\x01x\x00"),
            (15, b"AA\x01M\x00", b"AA\x01m\x00"),
            (17, b"\x01A\x00\x01B\x00", b"\x01a\x00\x01b\x00"),
            (33, b"ABCDEF\x01S\x00", b"ABCDEF\x01s\x00"),
            (35, b"ABCD\x01S\x01T\x01R\x01N\x00", b"ABCD\x01S\x01T\x01R\x01n\x00"),
            // SVCB, LP and TXT are signed as they are.
            (64, b"\0\x01\x01S\x00", b"\0\x01\x01S\x00"),
            (107, b"\0\x01\x01S\x00", b"\0\x01\x01S\x00"),
            (16, b"\x02Hi", b"\x02Hi"),
        ];
        for (rtype, rdata, expected) in cases {
            assert_eq!(canonical(rtype, rdata), expected, "type {rtype}");
        }
    }

    #[test]
    fn targets() {
        assert_eq!(target(b"\x01A\x03p2p\x00").map(|name| name.to_string()), Some("A.p2p.".to_owned()));
        assert_eq!(target(b"\x00").map(|name| name.to_string()), Some(".".to_owned()));
        assert_eq!(target(b"\xc0\x00"), None);
        assert_eq!(target(b"\x00\x00"), None);
    }
}
