//! A message's bytes, with every name compressed that may be.
//!
//! A name is put out as a pointer to the same labels further up, in whichever case (RFC 1035 4.1.4, 4343 4.1): owners, and the
//! names in RDATA of the types of RFC 1035, since nobody who reads a message can be without them (RFC 3597 4). A DNAME's
//! target stands in full (RFC 6672 2.5) and may be pointed to. What is absent: records in part, and a message that is
//! longer than it may be.

use std::collections::HashMap;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Header, HeaderCounts, Metadata};
use hickory_proto::rr::{RData, Record};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder};

use crate::answer::wire;
use crate::rdata::rtype;

/// Bytes of a header.
const HEADER_LEN: usize = 12;
/// Where a pointer reaches.
const REACH: usize = 0x3fff;

/// What a message is made of.
pub(crate) struct Parts<'a> {
    /// Its header, but for the counts.
    pub metadata: &'a Metadata,
    /// The one question in wire form, not compressed; empty: it has none.
    pub question: &'a [u8],
    /// Answer, authority and additional section.
    pub sections: [&'a [Record]; 3],
    /// Its OPT record.
    pub edns: Option<&'a Edns>,
}

/// A message, and how much of it fitted.
pub(crate) struct Encoded {
    pub bytes: Vec<u8>,
    /// Records of each section that are in it.
    pub counts: [usize; 3],
}

/// Encodes a message of at most `limit` bytes: its records in their order up to the first that does not fit, and the OPT
/// record in any case.
pub(crate) fn encode(parts: &Parts<'_>, limit: usize) -> Result<Encoded, ProtoError> {
    let mut opt = Vec::new();
    if let Some(mut edns) = parts.edns.cloned() {
        edns.set_rcode_high(parts.metadata.response_code.high());
        edns.emit(&mut BinEncoder::new(&mut opt))?;
    }
    let mut writer = Writer { out: vec![0; HEADER_LEN], limit: limit.saturating_sub(opt.len()), known: HashMap::new() };
    writer.put_question(parts.question);
    let mut counts = [0; 3];
    'all: for (section, count) in parts.sections.iter().zip(&mut counts) {
        for record in *section {
            let start = writer.out.len();
            writer.put_record(record);
            if writer.out.len() > writer.limit {
                writer.out.truncate(start);
                break 'all;
            }
            *count += 1;
        }
    }
    let mut bytes = writer.out;
    bytes.extend_from_slice(&opt);
    let count = |section: usize| u16::try_from(counts.get(section).copied().unwrap_or_default()).unwrap_or(u16::MAX);
    let counted = HeaderCounts {
        queries: u16::from(!parts.question.is_empty()),
        answers: count(0),
        authorities: count(1),
        additionals: count(2) + u16::from(parts.edns.is_some()),
    };
    let mut header = Vec::with_capacity(HEADER_LEN);
    Header { metadata: *parts.metadata, counts: counted }.emit(&mut BinEncoder::new(&mut header))?;
    if let (Some(place), Some(header)) = (bytes.get_mut(..HEADER_LEN), header.get(..HEADER_LEN)) {
        place.copy_from_slice(header);
    }
    Ok(Encoded { bytes, counts })
}

/// A message in the making.
struct Writer {
    out: Vec<u8>,
    limit: usize,
    /// Where names begin: in wire form without the root, in lower case.
    known: HashMap<Vec<u8>, u16>,
}

impl Writer {
    fn put_question(&mut self, question: &[u8]) {
        let name = question.get(..question.len().saturating_sub(4)).unwrap_or_default();
        self.put_name(name, false);
        let rest = question.get(name.len()..).unwrap_or_default();
        self.out.extend_from_slice(rest);
    }

    fn put_record(&mut self, record: &Record) {
        self.put_name(&wire(&record.name), true);
        let rtype = u16::from(record.record_type());
        self.put_u16(rtype);
        self.put_u16(record.dns_class.into());
        self.out.extend_from_slice(&record.ttl.to_be_bytes());
        let length_at = self.out.len();
        self.put_u16(0);
        if let RData::Unknown { rdata, .. } = &record.data {
            self.put_rdata(rtype, &rdata.anything);
        }
        // RDATA has at most 65,535 bytes (R5), and compression never makes it longer.
        let length = u16::try_from(self.out.len() - length_at - 2).unwrap_or(u16::MAX);
        if let Some(place) = self.out.get_mut(length_at..length_at + 2) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// RDATA as it is stored, but for the names in it that may be compressed.
    fn put_rdata(&mut self, rtype: u16, rdata: &[u8]) {
        let (before, names) = match rtype {
            // NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME
            2..=5 | 7..=9 | 12 | rtype::DNAME => (0, 1),
            // SOA, MINFO
            rtype::SOA | 14 => (0, 2),
            // MX
            15 => (2, 1),
            _ => (0, 0),
        };
        let (head, mut rest) = rdata.split_at_checked(before).unwrap_or((rdata, &[]));
        self.out.extend_from_slice(head);
        for _ in 0..names {
            let (name, further) = rest.split_at_checked(name_len(rest)).unwrap_or((rest, &[]));
            self.put_name(name, rtype != rtype::DNAME);
            rest = further;
        }
        self.out.extend_from_slice(rest);
    }

    /// Puts out a name in wire form, with a pointer as soon as there is something to point to.
    fn put_name(&mut self, name: &[u8], may_point: bool) {
        let mut rest = name;
        while let Some(len) = rest.first().map(|len| usize::from(*len)).filter(|len| *len > 0) {
            let key = rest.to_ascii_lowercase();
            let at = self.out.len();
            match self.known.get(&key) {
                Some(known) if may_point => {
                    let pointer = 0xc000 | *known;
                    return self.put_u16(pointer);
                }
                Some(_) => {}
                None => {
                    if let Some(at) = u16::try_from(at).ok().filter(|_| at <= REACH) {
                        self.known.insert(key, at);
                    }
                }
            }
            let (label, further) = rest.split_at_checked(1 + len).unwrap_or((rest, &[]));
            self.out.extend_from_slice(label);
            rest = further;
        }
        self.out.extend_from_slice(rest);
    }

    fn put_u16(&mut self, number: u16) {
        self.out.extend_from_slice(&number.to_be_bytes());
    }
}

/// Bytes of the uncompressed name that `bytes` begin with; all of them where there is none.
fn name_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match bytes.get(at) {
            Some(0) => return at + 1,
            Some(len) => at += 1 + usize::from(*len),
            None => return bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests;
