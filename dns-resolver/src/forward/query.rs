//! A question on its way to an upstream, and whether a reply is one to it.
//!
//! Whoever wants to slip in a reply must guess the port, the ID and the case of every letter of the name (0x20). The case
//! is a mark as well: most resolvers pass a name on as it is written, so a question that comes in as it went out has come
//! round.

use std::sync::Arc;

use hickory_proto::rr::Name as DnsName;

use super::delegation::Delegation;
use super::told::is_inside;

/// Bytes of a header.
const HEADER_LEN: usize = 12;
/// Bytes over UDP that are asked for (RFC 9715).
const PAYLOAD: u16 = 1_232;
/// Letters in a name below which its case says too little to tell that it came round: somebody could send every way to write it.
const MARK_LETTERS: usize = 14;

/// What others are asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Outside {
    /// The name, in lower case.
    pub name: DnsName,
    /// The type's number.
    pub qtype: u16,
    /// Whether signatures are wanted (DO).
    pub dnssec_ok: bool,
    /// Whether what fails validation is wanted too (CD).
    pub checking_disabled: bool,
    /// Whom it is asked of, where that is not the upstreams. Another delegation makes it another question: what the servers
    /// of a name told is forgotten when its owner, or another, names others.
    pub delegation: Option<Arc<Delegation>>,
}

impl Outside {
    /// A question of upstreams, without signatures.
    pub fn of(name: DnsName, qtype: u16) -> Self {
        Self { name, qtype, dnssec_ok: false, checking_disabled: false, delegation: None }
    }

    /// Whether who is asked is believed about `owner`.
    pub fn is_believed(&self, owner: &DnsName, tld: &str) -> bool {
        match &self.delegation {
            Some(delegation) => delegation.cut.zone_of(owner),
            None => !is_inside(owner, tld),
        }
    }
}

/// A question as it goes out.
#[derive(Clone, Debug)]
pub(super) struct Query {
    bytes: Vec<u8>,
    question_end: usize,
}

/// What a packet from an upstream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// A reply to the question.
    Reply,
    /// One with another case, but right otherwise.
    OtherCase,
    /// Something else.
    Stranger,
}

impl Query {
    /// A query of its own for `question`. Errors: the system has no random numbers.
    pub fn new(question: &Outside) -> Result<Self, getrandom::Error> {
        let mut random = [0; 34];
        getrandom::fill(&mut random)?;
        let (id, mut bits) = random.split_at(2);
        // RD, and AD: whether it is validated is of interest (RFC 6840 5.7). Who answers for a name is not to ask others.
        let [recursion, validated] = if question.delegation.is_none() { [0x01, 0x20] } else { [0; 2] };
        let flags = [recursion, validated | if question.checking_disabled { 0x10 } else { 0 }];
        let mut bytes = [id, &flags, &[0, 1, 0, 0, 0, 0, 0, 1]].concat();
        let (mut byte, mut left) = (0, 0);
        for label in question.name.iter() {
            bytes.push(u8::try_from(label.len()).unwrap_or_default());
            for &letter in label {
                if left == 0 {
                    // 256 bits: more letters than a name has.
                    (byte, left) = (bits.first().copied().unwrap_or_default(), 8);
                    bits = bits.get(1..).unwrap_or_default();
                }
                let is_flipped = letter.is_ascii_alphabetic() && byte & 1 == 1;
                bytes.push(if is_flipped { letter ^ 0x20 } else { letter });
                (byte, left) = (byte >> 1, left - 1);
            }
        }
        bytes.push(0);
        bytes.extend_from_slice(&question.qtype.to_be_bytes());
        bytes.extend_from_slice(&[0, 1]);
        let question_end = bytes.len();
        bytes.extend_from_slice(&[0, 0, 41]);
        bytes.extend_from_slice(&PAYLOAD.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, if question.dnssec_ok { 0x80 } else { 0 }, 0, 0, 0]);
        Ok(Self { bytes, question_end })
    }

    /// The message.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The name, in wire form, as it is written in the message.
    pub fn wire_name(&self) -> &[u8] {
        self.bytes.get(HEADER_LEN..self.question_end - 4).unwrap_or_default()
    }

    /// What `packet` is to this query; byte for byte, but for the case.
    pub fn matches(&self, packet: &[u8]) -> Match {
        if packet.get(..2) == self.bytes.get(..2) { self.matches_unnumbered(packet) } else { Match::Stranger }
    }

    /// As [`Query::matches`], where the connection has seen to the ID.
    pub fn matches_unnumbered(&self, packet: &[u8]) -> Match {
        let question = |bytes: &[u8]| bytes.get(HEADER_LEN..self.question_end).map(<[u8]>::to_vec);
        let (Some(theirs), Some(ours)) = (question(packet), question(&self.bytes)) else { return Match::Stranger };
        // A response to a standard query, with one question.
        let is_response = packet.get(2).is_some_and(|flags| flags & 0xf8 == 0x80) && packet.get(4..6) == Some(&[0, 1]);
        if !is_response || !theirs.eq_ignore_ascii_case(&ours) {
            return Match::Stranger;
        }
        // What differs by case alone may be the number of a type.
        if theirs == ours {
            Match::Reply
        } else if theirs.get(theirs.len() - 4..) == ours.get(ours.len() - 4..) {
            Match::OtherCase
        } else {
            Match::Stranger
        }
    }
}

/// Whether a name in wire form is a mark: written as nobody writes it.
pub(super) fn is_mark(wire_name: &[u8]) -> bool {
    let letters = wire_name.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    // Lengths of labels are below the letters.
    letters >= MARK_LETTERS && wire_name.iter().any(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::fake::{domain, number};

    fn outside(name: &str, rtype: &str) -> Outside {
        Outside { dnssec_ok: true, ..Outside::of(domain(name), number(rtype)) }
    }

    #[test]
    fn ids_and_cases_are_random() {
        let question = outside("a-name.with-many-letters.example", "A");
        let queries: Vec<Query> = (0..1_000).map(|_| Query::new(&question).unwrap()).collect();
        let ids: HashSet<_> = queries.iter().map(|query| query.bytes()[..2].to_vec()).collect();
        let names: HashSet<_> = queries.iter().map(|query| query.wire_name().to_vec()).collect();
        assert!(ids.len() > 900 && names.len() > 990, "{} {}", ids.len(), names.len());
        assert!(queries.iter().filter(|query| is_mark(query.wire_name())).count() > 990);
        assert!(!is_mark(b"\x09lowercase\x07example\0") && !is_mark(b"\x02Ab\x02cd\0"));
    }

    #[test]
    fn a_name_of_255_bytes_and_the_root() {
        let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
        for name in [long.as_str(), "."] {
            let query = Query::new(&outside(name, "NS")).unwrap();
            let message = hickory_proto::op::Message::from_vec(query.bytes()).unwrap();
            assert_eq!(message.queries[0].name(), &domain(name));
            assert!(message.metadata.recursion_desired && message.edns.unwrap().flags().dnssec_ok);
        }
    }

    #[test]
    fn only_a_reply_matches() {
        let query = Query::new(&outside("www.example", "A")).unwrap();
        let mut reply = query.bytes().to_vec();
        assert_eq!(query.matches(&reply), Match::Stranger, "a query");
        reply[2] |= 0x80;
        assert_eq!(query.matches(&reply), Match::Reply);
        for len in 0..query.question_end {
            assert_eq!(query.matches(&reply[..len]), Match::Stranger);
        }
        for at in 0..query.question_end {
            for bit in 0..8 {
                let mut other = reply.clone();
                other[at] ^= 1 << bit;
                // Counts of sections and flags that say something else are of no matter here.
                let is_free = (6..12).contains(&at) || at == 3 || (at == 2 && bit < 3);
                let is_letter =
                    query.bytes()[at].is_ascii_alphabetic() && (HEADER_LEN..query.question_end - 5).contains(&at);
                let expected = match (is_free, is_letter && bit == 5) {
                    (true, _) => Match::Reply,
                    (_, true) => Match::OtherCase,
                    _ => Match::Stranger,
                };
                assert_eq!(query.matches(&other), expected, "byte {at}, bit {bit}");
            }
        }
    }
}
