//! What an upstream says, and how much of it is believed.
//!
//! Records are read one by one and kept in wire form, every type as it came, so that a client that validates finds what it
//! needs. What is left out: whatever is said about our own domain, in any section; what is not of class IN; and in the answer
//! whatever the question does not lead to. An answer that leads into our domain ends there: the zone knows how it goes on.
//! Whom a name of ours is delegated to is believed about what is below it, and nothing else.

use std::collections::HashSet;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name as DnsName;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, DecodeError};

use super::query::Outside;
use crate::answer::Rr;
use crate::extended::ExtendedError;
use crate::rdata::{rtype, target};

/// The most aliases that are followed in an answer.
const LINKS_MAX: usize = 16;
/// The longest an upstream's word is kept, in seconds.
const TTL_MAX: u32 = 86_400;
/// The longest it is kept that there is nothing, in seconds.
const NEGATIVE_TTL_MAX: u32 = 3_600;
/// Records of a message, and bytes they take in memory, about: pointers make a name of 255 bytes out of two. Whoever asks for a
/// name outside, or owns one that is delegated, chooses what is told, and everybody who waits for it gets a copy.
const RECORDS_MAX: usize = 512;
const WEIGHT_MAX: usize = 96 << 10;
/// Errors of a message that are passed on.
const ERRORS_MAX: usize = 4;
/// Bytes of an error's text that are passed on.
const ERROR_TEXT_MAX: usize = 256;

const OPT: u16 = 41;
const RRSIG: u16 = 46;

/// An upstream's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub rcode: ResponseCode,
    /// Whether the upstream has validated it.
    pub ad: bool,
    pub answer: Vec<Rr>,
    pub authority: Vec<Rr>,
    pub additional: Vec<Rr>,
    pub errors: Vec<ExtendedError>,
    /// The name that the answer leads to, and who told it is not asked about: of an upstream one in our domain.
    pub leads_to: Option<DnsName>,
    /// Seconds it may be kept; 0: not at all.
    pub ttl: u32,
}

/// A message as it is read.
#[derive(Debug)]
pub(super) struct Reading {
    pub told: Told,
    /// Whether it must be asked for again over TCP (TC).
    pub is_truncated: bool,
    /// Whether it names servers and nothing else, without being an authority: it is for others to answer.
    pub is_referral: bool,
}

impl Reading {
    /// Of a message that would take too much: its sender is well, and others are asked.
    fn too_large() -> Self {
        let told = Told {
            rcode: ResponseCode::ServFail,
            ad: false,
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            errors: vec![ExtendedError::ours(0, "the answer has more records than are taken")],
            leads_to: None,
            ttl: 0,
        };
        Self { told, is_truncated: false, is_referral: false }
    }
}

/// Whether `name` is our domain or below it, in any case.
pub(crate) fn is_inside(name: &DnsName, tld: &str) -> bool {
    name.iter().next_back().is_some_and(|label| label.eq_ignore_ascii_case(tld.as_bytes()))
}

impl Told {
    /// Reads the reply `packet` to `question`. Errors: it is no whole message.
    pub(super) fn read(packet: &[u8], question: &Outside, tld: &str) -> Result<Reading, DecodeError> {
        let mut decoder = BinDecoder::new(packet);
        decoder.read_u16()?;
        let flags = decoder.read_u16()?.unverified();
        let mut counts = [0; 4];
        for count in &mut counts {
            *count = decoder.read_u16()?.unverified();
        }
        let [questions, answers, authorities, additionals] = counts;
        for _ in 0..questions {
            DnsName::read(&mut decoder)?;
            decoder.read_u32()?;
        }
        let mut told = Self {
            rcode: ResponseCode::NoError,
            ad: flags & 0x20 != 0,
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            errors: Vec::new(),
            leads_to: None,
            ttl: 0,
        };
        let (mut rcode_high, mut has_servers, mut has_soa) = (0, false, false);
        let is_truncated = flags & 0x0200 != 0;
        let records = [answers, authorities, additionals].into_iter().map(usize::from).sum::<usize>();
        // A message that was cut may end anywhere: it is asked for again.
        if !is_truncated {
            if records > RECORDS_MAX {
                return Ok(Reading::too_large());
            }
            let sections =
                [(answers, &mut told.answer), (authorities, &mut told.authority), (additionals, &mut told.additional)];
            for (count, section) in sections {
                for _ in 0..count {
                    let Some(record) = record(&mut decoder)? else { continue };
                    if record.rtype == OPT {
                        rcode_high = record.ttl.to_be_bytes()[0];
                        told.errors = errors(&record.rdata);
                        continue;
                    }
                    has_servers |= record.rtype == rtype::NS;
                    has_soa |= record.rtype == rtype::SOA;
                    if question.is_believed(&record.owner, tld) {
                        section.push(record);
                    }
                }
            }
        }
        if told.weight() > WEIGHT_MAX {
            return Ok(Reading::too_large());
        }
        let [_, low] = flags.to_be_bytes();
        told.rcode = ResponseCode::from(rcode_high, low & 0x0f);
        told.keep_the_chain(question, tld);
        told.ttl = told.lifetime(question);
        let is_authority = flags & 0x0400 != 0 || told.rcode != ResponseCode::NoError;
        let is_referral = answers == 0 && has_servers && !has_soa && !is_authority;
        Ok(Reading { told, is_truncated, is_referral })
    }

    /// Leaves in the answer what the question leads to, as far as whoever told it is believed.
    fn keep_the_chain(&mut self, question: &Outside, tld: &str) {
        let mut chain = vec![question.name.clone()];
        while chain.len() <= LINKS_MAX && !matches!(question.qtype, rtype::CNAME | rtype::ANY) {
            let last = chain.last();
            let link = self.answer.iter().find(|rr| rr.rtype == rtype::CNAME && Some(&rr.owner) == last);
            let Some(next) = link.and_then(|rr| target(&rr.rdata)).map(|next| next.to_lowercase()) else { break };
            if !question.is_believed(&next, tld) {
                self.leads_to = Some(next);
                break;
            }
            if chain.contains(&next) {
                break;
            }
            chain.push(next);
        }
        let is_dname = |rr: &Rr| rr.rtype == rtype::DNAME || covered(rr) == Some(rtype::DNAME);
        let place =
            |rr: &Rr| chain.iter().position(|name| *name == rr.owner || (is_dname(rr) && rr.owner.zone_of(name)));
        self.answer.retain(|rr| place(rr).is_some());
        // In the order of the chain: whoever goes on at its end looks for that in the last alias.
        self.answer.sort_by_cached_key(place);
        let is_end = |rr: &Rr| rr.rtype == question.qtype || rr.rtype == rtype::CNAME;
        if question.delegation.is_some()
            && self.rcode == ResponseCode::NoError
            && let [_, .., last] = chain.as_slice()
            && !self.answer.iter().any(|rr| rr.owner == *last && is_end(rr))
            && !self.authority.iter().any(|rr| rr.rtype == rtype::SOA)
        {
            // A server for a name answers what it is asked; where its own alias leads may be another's below it.
            self.leads_to = self.leads_to.take().or_else(|| Some(last.clone()));
        }
        if self.leads_to.is_some() {
            // How it goes on there is no business of theirs.
            self.rcode = ResponseCode::NoError;
            self.ad = false;
            // Nor is it to be kept from who checks signatures that a name was made out of a wildcard.
            self.keep_proofs(question.dnssec_ok);
            self.additional.clear();
        }
    }

    /// Leaves the proofs in the authority section, where they are `wanted`. Those of the root prove no wildcard, but that our
    /// domain is not there, which is none of its business.
    fn keep_proofs(&mut self, wanted: bool) {
        let is_good = |rr: &Rr| is_proof(rr) && covered(rr).is_some() && !is_by_root(rr);
        let signatures = self.authority.iter().filter(|rr| is_good(rr));
        let signed: HashSet<(DnsName, u16)> =
            signatures.filter_map(|by| Some((by.owner.clone(), covered(by)?))).collect();
        let is_signed = |rr: &Rr| is_proof(rr) && signed.contains(&(rr.owner.clone(), rr.rtype));
        self.authority.retain(|rr| wanted && (is_good(rr) || is_signed(rr)));
    }

    /// How long this may be kept. RFC 2308.
    fn lifetime(&mut self, question: &Outside) -> u32 {
        let is_answered = self.leads_to.is_some()
            || self.answer.iter().any(|rr| rr.rtype == question.qtype || question.qtype == rtype::ANY);
        let most = match self.rcode {
            ResponseCode::NoError if is_answered => TTL_MAX,
            ResponseCode::NoError | ResponseCode::NXDomain => {
                let Some(soa) = self.authority.iter_mut().find(|rr| rr.rtype == rtype::SOA) else { return 0 };
                let minimum = soa.rdata.last_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
                soa.ttl = soa.ttl.min(minimum).min(NEGATIVE_TTL_MAX);
                NEGATIVE_TTL_MAX
            }
            _ => return 0,
        };
        let all = self.answer.iter().chain(&self.authority).chain(&self.additional);
        all.map(|rr| rr.ttl).min().unwrap_or_default().min(most)
    }

    /// The same, `seconds` later.
    pub(super) fn aged(&self, seconds: u32) -> Self {
        let mut aged = self.clone();
        for section in [&mut aged.answer, &mut aged.authority, &mut aged.additional] {
            section.iter_mut().for_each(|rr| rr.ttl = rr.ttl.saturating_sub(seconds));
        }
        aged
    }

    /// Bytes it takes in memory, about.
    pub(super) fn weight(&self) -> usize {
        const RECORD: usize = size_of::<Rr>() + 16;
        let all = self.answer.iter().chain(&self.authority).chain(&self.additional);
        let records: usize = all.map(|rr| RECORD + rr.owner.len() + rr.rdata.len()).sum();
        let errors: usize = self.errors.iter().map(|error| size_of::<ExtendedError>() + error.text.len()).sum();
        size_of::<Self>() + records + errors
    }
}

/// Whether a record proves that something is not there: where a wildcard stands in for it (RFC 4035 3.1.3.3), the answer needs that.
pub(crate) fn is_proof(rr: &Rr) -> bool {
    const NSEC3: u16 = 50;
    let of = |rtype| matches!(rtype, rtype::NSEC | NSEC3);
    of(rr.rtype) || covered(rr).is_some_and(of)
}

/// The type that a record is a signature of.
pub(crate) fn covered(rr: &Rr) -> Option<u16> {
    let covered = rr.rdata.first_chunk().filter(|_| rr.rtype == RRSIG)?;
    Some(u16::from_be_bytes(*covered))
}

/// Whether a signature is the root's: its signer's name stands after 18 bytes.
fn is_by_root(signature: &Rr) -> bool {
    signature.rdata.get(18) == Some(&0)
}

/// The next record; `None`: it is of another class.
fn record(decoder: &mut BinDecoder<'_>) -> Result<Option<Rr>, DecodeError> {
    let owner = DnsName::read(decoder)?;
    let number = decoder.read_u16()?.unverified();
    let class = decoder.read_u16()?.unverified();
    let ttl = decoder.read_u32()?.unverified();
    let len = usize::from(decoder.read_u16()?.unverified());
    let end = decoder.index() + len;
    let rdata = rdata(decoder, number, end)?;
    if number == OPT {
        return Ok(Some(Rr { owner, rtype: number, ttl, rdata }));
    }
    // The highest bit is no part of the number (RFC 2181 8).
    let ttl = if ttl > i32::MAX.unsigned_abs() { 0 } else { ttl.min(TTL_MAX) };
    Ok((class == 1).then_some(Rr { owner, rtype: number, ttl, rdata }))
}

const NAPTR: u16 = 35;

/// RDATA up to `end`, with the names in it written out where a type may have them compressed (RFC 3597 4).
fn rdata(decoder: &mut BinDecoder<'_>, number: u16, end: usize) -> Result<Vec<u8>, DecodeError> {
    let (before, names) = match number {
        2..=5 | 7..=9 | 12 | rtype::DNAME => (0, 1),
        NAPTR => (0, 1),
        rtype::SOA | 14 | 17 => (0, 2),
        15 | 18 | 21 | 36 => (2, 1),
        26 => (2, 2),
        33 => (6, 1),
        _ => (0, 0),
    };
    let mut out = decoder.read_slice(before)?.unverified().to_vec();
    if number == NAPTR {
        // Order and preference, and three strings, each with its length before it.
        out.extend_from_slice(decoder.read_slice(4)?.unverified());
        for _ in 0..3 {
            let string = decoder.read_character_data()?.unverified();
            out.push(u8::try_from(string.len()).unwrap_or_default());
            out.extend_from_slice(string);
        }
    }
    for _ in 0..names {
        let name = DnsName::read(decoder)?;
        for label in name.iter() {
            out.push(u8::try_from(label.len()).unwrap_or_default());
            out.extend_from_slice(label);
        }
        out.push(0);
    }
    let rest = end.checked_sub(decoder.index()).ok_or(DecodeError::InsufficientBytes)?;
    out.extend_from_slice(decoder.read_slice(rest)?.unverified());
    Ok(out)
}

/// The errors among an OPT record's options.
fn errors(mut options: &[u8]) -> Vec<ExtendedError> {
    let mut all = Vec::new();
    while let Some(([code, len], rest)) =
        options.split_first_chunk::<4>().map(|(head, rest)| (halves(*head), rest)).filter(|_| all.len() < ERRORS_MAX)
    {
        let Some((data, further)) = rest.split_at_checked(usize::from(len)) else { break };
        if let Some((info, text)) = data.split_first_chunk::<2>().filter(|_| code == crate::extended::OPTION) {
            let text = text.get(..text.len().min(ERROR_TEXT_MAX)).unwrap_or_default();
            all.push(ExtendedError::new(u16::from_be_bytes(*info), text));
        }
        options = further;
    }
    all
}

const fn halves([a, b, c, d]: [u8; 4]) -> [u16; 2] {
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}
