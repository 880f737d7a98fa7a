//! Answers without detours: from a packet to a packet, for the questions that are asked most.
//!
//! - `query`: a packet as a question, if it is a plain one.
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

use crate::answer::apex;
use crate::rdata::rtype;
use crate::server::UDP_MIN;
use crate::zone::{Encoded, Zone};
use query::{HEADER_LEN, Query};
use sets::{Found, Sets};

/// The full server's to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere;

/// A pointer to the question's name.
const TO_QNAME: u16 = 0xc000 | 12;
const IN: u16 = 1;
const OPT: u16 = 41;
const QR_AA: u8 = 0x84;
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

/// Puts the answer to `packet`, which came over UDP, into `out`.
///
/// - Errors: the full server is to be asked; `out` holds nothing of use.
pub fn answer_into(zone: &dyn Zone, packet: &[u8], terms: Terms, out: &mut Vec<u8>) -> Result<(), Elsewhere> {
    let mut result = [Err(Elsewhere)];
    answer_all(zone, &[packet], terms, std::slice::from_mut(out), &mut result);
    result[0]
}

/// As [`answer_into`], for up to [`BATCH`] packets: their names are looked up together, so that the processor waits for
/// memory once and not for each.
pub fn answer_all(
    zone: &dyn Zone,
    packets: &[&[u8]],
    terms: Terms,
    outs: &mut [Vec<u8>],
    results: &mut [Result<(), Elsewhere>],
) {
    let queries: [Option<Query>; BATCH] = std::array::from_fn(|at| {
        let query = Query::read(packets.get(at)?)?;
        let (label, _) = query.below(zone.tld().as_bytes())?;
        let wants_proofs = terms.signed && query.edns_flags != 0;
        (label != apex::SERVERS && !is_meta(query.qtype) && !wants_proofs).then_some(query)
    });
    let mut labels: [&[u8]; BATCH] = [&[]; BATCH];
    let mut count = 0;
    for query in queries.iter().flatten() {
        if let (Some(place), Some((label, _))) = (labels.get_mut(count), query.below(zone.tld().as_bytes())) {
            *place = label;
            count += 1;
        }
    }
    let mut encoded: [Encoded<'_>; BATCH] = std::array::from_fn(|_| Ok(None));
    zone.encoded_all(labels.get(..count).unwrap_or_default(), encoded.get_mut(..count).unwrap_or_default());
    let mut encoded = encoded.iter();
    for (((packet, query), out), result) in packets.iter().zip(&queries).zip(outs).zip(results) {
        *result = match query.as_ref().and_then(|query| Some((query, encoded.next()?))) {
            Some((query, encoded)) => respond(zone, packet, query, encoded, terms.payload_max, out),
            None => Err(Elsewhere),
        };
    }
}

/// Answers a question from what there is of the name that it is about.
fn respond(
    zone: &dyn Zone,
    packet: &[u8],
    query: &Query,
    encoded: &Encoded<'_>,
    payload_max: u16,
    out: &mut Vec<u8>,
) -> Result<(), Elsewhere> {
    let (_, relative) = query.below(zone.tld().as_bytes()).ok_or(Elsewhere)?;
    let found = match encoded {
        Err(_) => return Err(Elsewhere),
        Ok(None) => Found::NoName,
        Ok(Some(records)) => Sets::new(records).and_then(|sets| sets.find(&relative, query.qtype)).ok_or(Elsewhere)?,
    };
    let limit = usize::from(query.payload.map_or(UDP_MIN, |theirs| theirs.min(payload_max).max(UDP_MIN)));
    out.clear();
    out.extend_from_slice(packet.get(..2).ok_or(Elsewhere)?);
    let rcode = if matches!(found, Found::NoName) { NX_DOMAIN } else { 0 };
    out.extend_from_slice(&[QR_AA | query.flags[0] & RD, query.flags[1] & CD | rcode]);
    let (answers, authorities) = match &found {
        Found::Data(set) => (set.count, 0),
        Found::NoData | Found::NoName => (0, 1),
    };
    let additionals = u16::from(query.payload.is_some());
    put_u16s(out, &[1, answers, authorities, additionals]);
    out.extend_from_slice(packet.get(HEADER_LEN..query.question_end).ok_or(Elsewhere)?);
    match found {
        Found::Data(set) => {
            for rdata in set.rdatas() {
                let rdata = rdata.ok_or(Elsewhere)?;
                put_u16s(out, &[TO_QNAME, set.rtype, IN]);
                out.extend_from_slice(&set.ttl.to_be_bytes());
                put_u16s(out, &[u16::try_from(rdata.len()).map_err(|_| Elsewhere)?]);
                out.extend_from_slice(rdata);
                if out.len() > limit {
                    return Err(Elsewhere);
                }
            }
        }
        Found::NoData | Found::NoName => put_soa(out, zone, query.tld_at),
    }
    if query.payload.is_some() {
        out.push(0);
        // Where there is an OPT record, the limit is below 64 KiB.
        put_u16s(out, &[OPT, u16::try_from(limit).map_err(|_| Elsewhere)?, 0, query.edns_flags, 0]);
    }
    if out.len() > limit { Err(Elsewhere) } else { Ok(()) }
}

/// Types that are no data: 128 to 255, and OPT; ANY and transfers are among them. And what a signed zone makes up itself.
const fn is_meta(qtype: u16) -> bool {
    matches!(qtype, 0 | OPT | rtype::RRSIG | rtype::NSEC | 128..=255)
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
