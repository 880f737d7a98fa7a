//! Single records, gathered into canonical RRsets and taken out of them again.

use std::collections::BTreeMap;

use dotp2p_chain::records::{Limits, Owner, RecordSet, Records};

use super::text::owner_text;
use super::{Import, Note, ZoneFileError};

/// One record, below a name that the context knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where, relative to the name.
    pub owner: Owner,
    /// The type's number.
    pub rtype: u16,
    /// Seconds a resolver may keep it.
    pub ttl: u32,
    /// Its uncompressed wire form.
    pub rdata: Vec<u8>,
}

/// The records of all RRsets, one by one, in canonical order.
pub fn flatten(records: &Records) -> impl Iterator<Item = Record> {
    records.sets().iter().flat_map(|set| {
        let RecordSet { owner, rtype, ttl, rdatas } = set;
        rdatas.iter().map(|rdata| Record { owner: owner.clone(), rtype: *rtype, ttl: *ttl, rdata: rdata.clone() })
    })
}

/// Gathers records into RRsets. Records given twice are kept once; of differing TTLs of one RRset the smallest is
/// taken (RFC 2181, 5.2), and a note says so.
pub fn gather(records: impl IntoIterator<Item = Record>, limits: Limits) -> Result<Import, ZoneFileError> {
    let mut sets = BTreeMap::<(Owner, u16), (RecordSet, u32)>::new();
    for Record { owner, rtype, ttl, rdata } in records {
        let (set, longest) = sets.entry((owner.clone(), rtype)).or_insert_with(|| {
            let set = RecordSet { owner, rtype, ttl, rdatas: Vec::new() };
            (set, ttl)
        });
        set.ttl = set.ttl.min(ttl);
        *longest = ttl.max(*longest);
        set.rdatas.push(rdata);
    }
    let lowered = sets.values().filter(|(set, longest)| set.ttl != *longest);
    let notes = lowered
        .map(|(set, longest)| Note::TtlLowered {
            owner: owner_text(&set.owner),
            rtype: set.rtype,
            ttl: set.ttl,
            longest: *longest,
        })
        .collect();
    let records = Records::new(sets.into_values().map(|(set, _)| set).collect(), limits)?;
    Ok(Import { records, notes })
}
