//! RRsets as they are signed (RFC 4034 6): names in lower case, records in order and each once.

use std::borrow::Cow;

use hickory_proto::rr::Name as DnsName;

use crate::answer::wire;
use crate::rdata;

/// The bytes of an RRset that a signature is of.
pub(super) struct Canonical(Vec<u8>);

impl Canonical {
    /// Of the records of one owner and type; `ttl`: the original one.
    pub(super) fn new<'a>(owner: &DnsName, rtype: u16, ttl: u32, rdatas: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut all: Vec<Cow<'_, [u8]>> = rdatas.map(|rdata| rdata::canonical(rtype, rdata)).collect();
        all.sort_unstable();
        // Two that differ by case alone are one.
        all.dedup();
        let mut head = wire(owner);
        head.make_ascii_lowercase();
        head.extend(rtype.to_be_bytes());
        head.extend([0, 1]);
        head.extend(ttl.to_be_bytes());
        let mut out = Vec::with_capacity(all.iter().map(|rdata| head.len() + 2 + rdata.len()).sum());
        for rdata in all {
            out.extend_from_slice(&head);
            out.extend(u16::try_from(rdata.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(&rdata);
        }
        Self(out)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The labels of an owner as a signature counts them: without the root and without a `*` in front.
pub(super) fn labels(owner: &DnsName) -> u8 {
    let wildcard = usize::from(owner.iter().next() == Some(b"*"));
    u8::try_from(owner.iter().len() - wildcard).unwrap_or(u8::MAX)
}
