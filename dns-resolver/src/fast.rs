//! Answers without detours: from a packet to a packet, for the questions that are asked most.
//!
//! - `query`: a packet as a question, and whether it is a plain one.
//! - `sets`: a name's canonical records (R1 to R9), read where they lie. They are sorted, bounded and hold RDATA in wire form,
//!   so an answer is copied out of them and nothing has to be prepared.
//! - [`answer_into`], [`answer_all`]: data, NODATA and NXDOMAIN. Whatever else a question may come to (delegations, aliases,
//!   wildcards, ANY, signatures, an answer that does not fit, a name that cannot be read) is [`Elsewhere`]: the full server's.
//!
//! Nothing is allocated but what `out` needs to grow. A property holds the answers to those of the full server.

mod query;
mod sets;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::answer::apex;
use crate::guard::cookie::{self, Cookie};
use crate::guard::{Guard, Moment};
use crate::rdata::rtype;
use crate::server::UDP_MIN;
use crate::zone::{Condition, Encoded, Zone};
use query::{HEADER_LEN, Query};
use sets::{Found, Sets};

/// The full server's to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere;

/// A pointer to the question's name.
const TO_QNAME: u16 = 0xc000 | 12;
const IN: u16 = 1;
const OPT: u16 = 41;
const QR: u8 = 0x80;
const AA: u8 = 0x04;
const RD: u8 = 0x01;
const CD: u8 = 0x10;
const NX_DOMAIN: u8 = 3;

/// What the server is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The most bytes of an answer over UDP, at least 512.
    pub payload_max: u16,
    /// Whether the zone is signed: who asks with DO is then answered elsewhere.
    pub signed: bool,
}

/// Packets that are answered together at most.
pub const BATCH: usize = 64;
/// Bytes of the longest label.
const LABEL_MAX: usize = 63;

/// A packet that was read as a question.
#[derive(Clone, Debug)]
pub struct Asked<'p> {
    packet: &'p [u8],
    query: Query<'p>,
    cookie: Cookie,
}

impl<'p> Asked<'p> {
    /// Reads a packet that came from `from`; `None`: it is no question, or malformed, which the full server is to be asked.
    #[must_use]
    pub fn read(packet: &'p [u8], from: IpAddr, guard: &Guard, now: Moment) -> Option<Self> {
        let query = Query::read(packet)?;
        let cookie = guard.cookie(query.cookie, from, now);
        Some(Self { packet, query, cookie })
    }

    /// Its cookie.
    #[must_use]
    pub fn cookie(&self) -> &Cookie {
        &self.cookie
    }

    /// Puts into `out` that the client may come again: with the cookie, or by TCP. It is no longer than the query, but for the
    /// cookie.
    pub fn come_again(&self, out: &mut Vec<u8>) -> Result<(), Elsewhere> {
        const TC: u8 = 0x02;
        const BAD_COOKIE: u16 = 23;
        let Self { packet, query, cookie } = self;
        let (flags, rcode) = if cookie.answer().is_some() { (0, BAD_COOKIE) } else { (TC, 0) };
        self.put_header(QR | flags, low_bits(rcode), 0, 0, out)?;
        out.extend_from_slice(packet.get(HEADER_LEN..query.question_end).ok_or(Elsewhere)?);
        self.put_opt(UDP_MIN, rcode, out)
    }

    fn put_header(
        &self,
        flags: u8,
        rcode: u8,
        answers: u16,
        authorities: u16,
        out: &mut Vec<u8>,
    ) -> Result<(), Elsewhere> {
        let [high, low] = self.query.flags;
        out.clear();
        out.extend_from_slice(self.packet.get(..2).ok_or(Elsewhere)?);
        out.extend_from_slice(&[flags | high & RD, low & CD | rcode]);
        let questions = u16::from(self.query.question_end > HEADER_LEN);
        put_u16s(out, &[questions, answers, authorities, u16::from(self.query.payload.is_some())]);
        Ok(())
    }

    /// The OPT record, where the query has one.
    fn put_opt(&self, payload: u16, rcode: u16, out: &mut Vec<u8>) -> Result<(), Elsewhere> {
        if self.query.payload.is_none() {
            return Ok(());
        }
        let option = self.cookie.answer().map_or(&[][..], |cookie| cookie);
        let len = if option.is_empty() { 0 } else { 4 + cookie::LEN };
        out.push(0);
        put_u16s(out, &[OPT, payload, rcode >> 4 << 8, self.query.edns_flags]);
        put_u16s(out, &[u16::try_from(len).map_err(|_| Elsewhere)?]);
        if !option.is_empty() {
            put_u16s(out, &[cookie::OPTION, u16::try_from(option.len()).map_err(|_| Elsewhere)?]);
            out.extend_from_slice(option);
        }
        Ok(())
    }

    /// The registered name that it asks for, in the client's case, if this is the place to answer it.
    ///
    /// - `is_current`: whether there is nothing to tell of the zone itself (RFC 8914).
    /// - `signed`: whether there are signatures, for who wants them.
    fn label(&self, tld: &[u8], is_current: bool, signed: bool) -> Option<&'p [u8]> {
        let label = self.query.registered(tld)?;
        let wants_proofs = signed && self.query.edns_flags != 0;
        let is_plain = self.query.is_plain
            && !wants_proofs
            && !label.eq_ignore_ascii_case(apex::SERVERS)
            && !is_meta(self.query.qtype)
            && self.cookie != Cookie::Malformed;
        (is_plain && (is_current || self.query.payload.is_none())).then_some(label)
    }
}

/// Puts the answer to a question that came over UDP into `out`.
///
/// - Errors: the full server is to be asked; `out` holds nothing of use.
pub fn answer_into(zone: &dyn Zone, asked: Asked<'_>, terms: Terms, out: &mut Vec<u8>) -> Result<(), Elsewhere> {
    let mut result = [Err(Elsewhere)];
    answer_all(zone, &[Some(asked)], terms, std::slice::from_mut(out), &mut result);
    result[0]
}

/// As [`answer_into`], for up to [`BATCH`] questions: their names are looked up together, so that the processor waits for
/// memory once and not for each. Where there is no question, `outs` and `results` stay as they are.
pub fn answer_all(
    zone: &dyn Zone,
    asked: &[Option<Asked<'_>>],
    terms: Terms,
    outs: &mut [Vec<u8>],
    results: &mut [Result<(), Elsewhere>],
) {
    let (tld, is_current) = (zone.tld().as_bytes(), zone.condition() == Condition::Current);
    let mut lowered = [[0; LABEL_MAX]; BATCH];
    let (mut lengths, mut is_looked_up, mut count) = ([0; BATCH], [false; BATCH], 0);
    for (asked, is_looked_up) in asked.iter().zip(&mut is_looked_up) {
        let label = asked.as_ref().and_then(|asked| asked.label(tld, is_current, terms.signed)).unwrap_or_default();
        let to = lowered.get_mut(count).and_then(|to| to.get_mut(..label.len()));
        if let (Some(to), Some(length), false) = (to, lengths.get_mut(count), label.is_empty()) {
            to.copy_from_slice(label);
            to.make_ascii_lowercase();
            (*length, *is_looked_up) = (label.len(), true);
            count += 1;
        }
    }
    let mut lowered = lowered.iter().zip(lengths).map(|(label, len)| label.get(..len).unwrap_or_default());
    let labels: [&[u8]; BATCH] = std::array::from_fn(|_| lowered.next().unwrap_or_default());
    let mut encoded: [Encoded<'_>; BATCH] = std::array::from_fn(|_| Ok(None));
    zone.encoded_all(labels.get(..count).unwrap_or_default(), encoded.get_mut(..count).unwrap_or_default());
    let mut looked_up = labels.iter().zip(&encoded).take(count);
    for (((asked, out), result), is_looked_up) in asked.iter().zip(outs).zip(results).zip(is_looked_up) {
        let Some(asked) = asked else { continue };
        *result = match if is_looked_up { looked_up.next() } else { None } {
            Some((label, encoded)) => respond(zone, asked, label, encoded, terms.payload_max, out),
            None => Err(Elsewhere),
        };
    }
}

/// Answers a question from what there is of the name `label` that it is about.
fn respond(
    zone: &dyn Zone,
    asked: &Asked<'_>,
    label: &[u8],
    encoded: &Encoded<'_>,
    payload_max: u16,
    out: &mut Vec<u8>,
) -> Result<(), Elsewhere> {
    let query = &asked.query;
    let relative = query.relative().ok_or(Elsewhere)?;
    let found = match encoded {
        Err(_) => return Err(Elsewhere),
        // There is more to say of it, where the client can hear it.
        Ok(None) if query.payload.is_some() && zone.has_lapsed(label) => return Err(Elsewhere),
        Ok(None) => Found::NoName,
        Ok(Some(records)) => Sets::new(records).and_then(|sets| sets.find(&relative, query.qtype)).ok_or(Elsewhere)?,
    };
    let limit = query.payload.map_or(UDP_MIN, |theirs| theirs.min(payload_max).max(UDP_MIN));
    let (answers, authorities) = match &found {
        Found::Data(set) => (set.count, 0),
        Found::NoData | Found::NoName => (0, 1),
    };
    let rcode = if matches!(found, Found::NoName) { NX_DOMAIN } else { 0 };
    asked.put_header(QR | AA, rcode, answers, authorities, out)?;
    out.extend_from_slice(asked.packet.get(HEADER_LEN..query.question_end).ok_or(Elsewhere)?);
    match found {
        Found::Data(set) => {
            for rdata in set.rdatas() {
                let rdata = rdata.ok_or(Elsewhere)?;
                put_u16s(out, &[TO_QNAME, set.rtype, IN]);
                out.extend_from_slice(&set.ttl.to_be_bytes());
                put_u16s(out, &[u16::try_from(rdata.len()).map_err(|_| Elsewhere)?]);
                out.extend_from_slice(rdata);
                if out.len() > usize::from(limit) {
                    return Err(Elsewhere);
                }
            }
        }
        Found::NoData | Found::NoName => put_soa(out, zone, query.tld_at),
    }
    asked.put_opt(payload_max.max(UDP_MIN), 0, out)?;
    if out.len() > usize::from(limit) { Err(Elsewhere) } else { Ok(()) }
}

/// Types that are no data: 128 to 255, and OPT; ANY and transfers are among them. And what a signed zone makes up itself.
const fn is_meta(qtype: u16) -> bool {
    matches!(qtype, 0 | OPT | rtype::RRSIG | rtype::NSEC | 128..=255)
}

/// What a header has room for of a response code.
fn low_bits(rcode: u16) -> u8 {
    u8::try_from(rcode & 0xf).unwrap_or_default()
}

fn put_u16s(out: &mut Vec<u8>, numbers: &[u16]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
}

/// The SOA of a negative answer (RFC 2308); `tld_at`: where in the message the domain's name stands.
fn put_soa(out: &mut Vec<u8>, zone: &dyn Zone, tld_at: u16) {
    put_u16s(out, &[0xc000 | tld_at, rtype::SOA, IN]);
    out.extend_from_slice(&apex::NEGATIVE_TTL.to_be_bytes());
    let length_at = out.len();
    put_u16s(out, &[0]);
    let label = |out: &mut Vec<u8>, label: &[u8]| {
        out.push(u8::try_from(label.len()).unwrap_or_default());
        out.extend_from_slice(label);
    };
    label(out, b"ns");
    let servers_at = u16::try_from(out.len()).unwrap_or_default();
    label(out, apex::SERVERS);
    put_u16s(out, &[0xc000 | tld_at]);
    label(out, b"hostmaster");
    put_u16s(out, &[0xc000 | servers_at]);
    let [refresh, retry, expire] = apex::SOA_TIMES;
    for number in [zone.serial(), refresh, retry, expire, apex::NEGATIVE_TTL] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    let length = u16::try_from(out.len() - length_at - 2).unwrap_or_default();
    if let Some(place) = out.get_mut(length_at..length_at + 2) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}
