//! A question and a zone make an [`Answer`]. Pure: no socket, clock or configuration file.
//!
//! The domain is one zone: its apex and the zone's own servers are made here, every registered name hangs below it with
//! its records. [`answer`] goes down from the registered name label by label, so that a delegation hides what is below
//! it, a DNAME redirects it, and only what is left can match, exactly or by a wildcard.
//!
//! Where the zone is signed and the client wants proofs, an answer that says "no" brings the NSEC records that show it
//! (`proof`); signatures are made of it afterwards ([`crate::dnssec::signer`]).
//!
//! Rules: R10; RFC 1034 4.3.2 (the algorithm), 2308 (negative answers), 4035 3.1 (proofs), 4592 (wildcards), 6604 (the code
//! of a chain), 6672 (DNAME), 8482 (ANY), 9471 (glue).

use std::net::IpAddr;
use std::sync::Arc;

use dotp2p_chain::name::Name;
use dotp2p_chain::records::{RecordSet, Records};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name as DnsName;

use crate::node::{Data, Node};
use crate::rdata::{self, rtype};
use crate::zone::{Zone, ZoneError};

pub(crate) mod apex;
mod proof;
#[cfg(test)]
mod proof_properties;
#[cfg(test)]
pub(crate) mod properties;
mod referral;
#[cfg(test)]
mod tests;

/// The most CNAMEs in an answer, synthesised ones included; a longer chain is the resolver's to go on with.
pub const MAX_LINKS: usize = 16;

/// The most servers of a delegation whose addresses are looked for in other names.
const MAX_SIBLINGS: usize = 8;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name asked for, in lower case.
    pub name: DnsName,
    /// The type's number.
    pub qtype: u16,
    /// The class's number.
    pub qclass: u16,
}

/// A record of class IN.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rr {
    /// Where.
    pub owner: DnsName,
    /// The type's number.
    pub rtype: u16,
    /// Seconds a resolver may keep it.
    pub ttl: u32,
    /// Uncompressed wire form.
    pub rdata: Vec<u8>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The response code.
    pub rcode: ResponseCode,
    /// Whether it is authoritative.
    pub aa: bool,
    /// The records asked for, with the aliases that lead to them.
    pub answer: Vec<Rr>,
    /// SOA of a negative answer; NS and DS of a referral.
    pub authority: Vec<Rr>,
    /// Addresses of servers; those that nobody could find elsewhere come first.
    pub additional: Vec<Rr>,
    /// How many of `additional`, from the front, must not be left out: in-domain glue (RFC 9471).
    pub required: usize,
    /// What its records do not tell a signer.
    pub notes: Notes,
}

/// What a signer has to know of an [`Answer`] beside its records; empty where the zone is not signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Owners of the answer section at which a wildcard stands, and that wildcard: it is what is signed.
    pub expanded: Vec<(DnsName, DnsName)>,
    /// Owners of CNAMEs that follow from a DNAME, whose signature is theirs too.
    pub redirected: Vec<DnsName>,
    /// Owners in the additional section whose addresses are the zone's own, and no glue.
    pub own_hosts: Vec<DnsName>,
    /// Whether the signatures of the answer's NSEC were asked for, and not the NSEC.
    pub only_signatures: bool,
}

/// What signing adds to a zone.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// What stands at the apex beside the rest: DNSKEY, CDS and CDNSKEY.
    pub apex: &'a [RecordSet],
    /// Whether the client wants proofs (DO).
    pub proofs: bool,
}

impl Answer {
    /// An answer without records.
    #[must_use]
    pub const fn empty(rcode: ResponseCode, aa: bool) -> Self {
        let notes =
            Notes { expanded: Vec::new(), redirected: Vec::new(), own_hosts: Vec::new(), only_signatures: false };
        Self { rcode, aa, answer: Vec::new(), authority: Vec::new(), additional: Vec::new(), required: 0, notes }
    }
}

/// Answers a question from one state of the zone.
///
/// - `servers`: the addresses of `ns.dotp2p.<tld>.`.
/// - Errors: the zone could not be read.
pub fn answer(zone: &dyn Zone, servers: &[IpAddr], question: &Question) -> Result<Answer, ZoneError> {
    answer_with(zone, servers, question, None)
}

/// As [`answer`], with what signing adds; signatures are not among it.
pub fn answer_with(
    zone: &dyn Zone,
    servers: &[IpAddr],
    question: &Question,
    signing: Option<Signing<'_>>,
) -> Result<Answer, ZoneError> {
    const IN: u16 = 1;
    let is_ours = question.name.iter().next_back() == Some(zone.tld().as_bytes());
    let is_transfer = matches!(question.qtype, rtype::AXFR | rtype::IXFR);
    if !is_ours || is_transfer || !matches!(question.qclass, IN | rtype::ANY) {
        return Ok(Answer::empty(ResponseCode::Refused, false));
    }
    // Nobody can speak for every class.
    let out = Answer::empty(ResponseCode::NoError, question.qclass == IN);
    let signing = signing.filter(|_| question.qclass == IN);
    let (read, proofs) = (Vec::new(), Vec::new());
    let mut search = Search { zone, servers, qtype: question.qtype, signing, read, out, proofs };
    let mut next = Some(question.name.clone());
    while let Some(name) = next {
        next = search.step(&name)?;
    }
    search.out.authority.append(&mut search.proofs);
    Ok(search.out)
}

/// An answer in the making.
struct Search<'z> {
    zone: &'z dyn Zone,
    servers: &'z [IpAddr],
    qtype: u16,
    /// `None`: the zone is not signed.
    signing: Option<Signing<'z>>,
    /// Names this query has read; a chain that returns to one does not read it again.
    read: Vec<(Name, Option<Arc<Records>>)>,
    out: Answer,
    /// NSEC records, which come last.
    proofs: Vec<Rr>,
}

impl Search<'_> {
    /// Answers for one name of a chain and returns the next, if it is an alias to follow.
    fn step(&mut self, qname: &DnsName) -> Result<Option<DnsName>, ZoneError> {
        let labels: Vec<&[u8]> = qname.iter().collect();
        let Some((tld, below)) = labels.split_last() else { return Ok(None) };
        if *tld != self.zone.tld().as_bytes() {
            return Ok(None);
        }
        let Some((label, relative)) = below.split_last() else {
            self.at_apex(qname);
            return Ok(None);
        };
        if *label == apex::SERVERS {
            self.at_servers(qname, relative);
            return Ok(None);
        }
        let records = match Name::from_bytes(label) {
            Ok(name) => self.records(name)?,
            Err(_) => None,
        };
        let Some(records) = records else {
            self.deny_top_level(label)?;
            self.negative(ResponseCode::NXDomain);
            return Ok(None);
        };
        self.within(qname, relative, &records)
    }

    fn records(&mut self, name: Name) -> Result<Option<Arc<Records>>, ZoneError> {
        if let Some((_, records)) = self.read.iter().find(|(read, _)| *read == name) {
            return Ok(records.clone());
        }
        let records = self.zone.records(&name)?;
        self.read.push((name, records.clone()));
        Ok(records)
    }

    /// Answers from a registered name's records: goes down from its apex along `relative` (leftmost first).
    fn within(&mut self, qname: &DnsName, relative: &[&[u8]], records: &Records) -> Result<Option<DnsName>, ZoneError> {
        let top = Node::apex(records);
        let (mut node, mut rest) = (top, relative);
        loop {
            let data = node.data();
            let is_parent_side = rest.is_empty() && self.qtype == rtype::DS;
            if let Some(ns) = data.get(rtype::NS).filter(|_| !is_parent_side) {
                let cut = ancestor(qname, rest.len());
                let name = ancestor(qname, relative.len());
                self.refer(&cut, ns, data, &name, top)?;
                return Ok(None);
            }
            let Some((label, further)) = rest.split_last() else {
                return Ok(self.at_data(qname, data, None));
            };
            if let Some(dname) = data.get(rtype::DNAME) {
                return Ok(self.redirect(qname, rest, dname));
            }
            let child = node.child(label);
            if !child.exists() {
                // This node is the closest encloser.
                let encloser = ancestor(qname, rest.len());
                self.deny_child(&encloser, node, label);
                let wildcard = node.child(b"*");
                if wildcard.exists() {
                    let source = self.expand(qname, &encloser);
                    return Ok(self.at_data(qname, wildcard.data(), source.as_ref()));
                }
                self.deny_child(&encloser, node, b"*");
                self.negative(ResponseCode::NXDomain);
                return Ok(None);
            }
            (node, rest) = (child, further);
        }
    }

    /// Answers with what stands at `qname`, or at the wildcard `source` that stands for it.
    fn at_data(&mut self, qname: &DnsName, data: Data<'_>, source: Option<&DnsName>) -> Option<DnsName> {
        let cname = data.get(rtype::CNAME);
        let (owner, types) = (source.unwrap_or(qname), || proof::types(data, source.is_some()));
        if self.answer_about_types(qname, owner, types) {
            return None;
        }
        if self.qtype == rtype::ANY {
            // An RRset that is there tells more than the one RFC 8482 lets us make up.
            match cname.or_else(|| data.get(rtype::HINFO)) {
                Some(set) => push(&mut self.out.answer, qname, set),
                None if data.is_empty() => self.no_data(owner, types),
                None => self.out.answer.push(apex::any_hinfo(qname)),
            }
            return None;
        }
        if let Some(set) = data.get(self.qtype) {
            // The DNAME that was asked for may have led here.
            if !self.has_answer(qname, self.qtype) {
                push(&mut self.out.answer, qname, set);
            }
            return None;
        }
        // A CNAME does not stand in for the NSEC beside it (RFC 4035 2.5).
        let Some(cname) = cname.filter(|_| self.qtype != rtype::NSEC) else {
            self.no_data(owner, types);
            return None;
        };
        if !self.can_link() {
            return None;
        }
        push(&mut self.out.answer, qname, cname);
        self.unvisited(cname.rdatas.first().and_then(|rdata| rdata::target(rdata)))
    }

    fn has_answer(&self, owner: &DnsName, rtype: u16) -> bool {
        self.out.answer.iter().any(|rr| rr.rtype == rtype && rr.owner == *owner)
    }

    /// Redirects `qname`, which has the labels `rest` below a DNAME's owner. RFC 6672.
    fn redirect(&mut self, qname: &DnsName, rest: &[&[u8]], dname: &RecordSet) -> Option<DnsName> {
        if !self.can_link() {
            return None;
        }
        let owner = ancestor(qname, rest.len());
        if !self.has_answer(&owner, rtype::DNAME) {
            push(&mut self.out.answer, &owner, dname);
        }
        let target = dname.rdatas.first().and_then(|rdata| rdata::target(rdata))?;
        let Ok(renamed) = DnsName::from_labels(rest.iter().copied().chain(target.iter())) else {
            self.out.rcode = ResponseCode::YXDomain;
            return None;
        };
        let rdata = wire(&renamed);
        self.out.answer.push(Rr { owner: qname.clone(), rtype: rtype::CNAME, ttl: dname.ttl, rdata });
        if self.wants_proofs() {
            self.out.notes.redirected.push(qname.clone());
        }
        if self.qtype == rtype::CNAME {
            return None;
        }
        self.unvisited(Some(renamed))
    }

    /// Whether the chain may grow by another CNAME.
    fn can_link(&self) -> bool {
        self.out.answer.iter().filter(|rr| rr.rtype == rtype::CNAME).count() < MAX_LINKS
    }

    /// Where an alias leads, unless the chain was there before.
    fn unvisited(&self, target: Option<DnsName>) -> Option<DnsName> {
        let target = target?.to_lowercase();
        let is_visited = |rr: &Rr| rr.rtype == rtype::CNAME && rr.owner == target;
        (!self.out.answer.iter().any(is_visited)).then_some(target)
    }
}

/// `name` without its first `labels` labels.
fn ancestor(name: &DnsName, labels: usize) -> DnsName {
    name.trim_to(name.iter().len() - labels)
}

pub(crate) fn push(section: &mut Vec<Rr>, owner: &DnsName, set: &RecordSet) {
    let rr = |rdata: &Vec<u8>| Rr { owner: owner.clone(), rtype: set.rtype, ttl: set.ttl, rdata: rdata.clone() };
    section.extend(set.rdatas.iter().map(rr));
}

/// A domain name in uncompressed wire form.
pub(crate) fn wire(name: &DnsName) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 1);
    for label in name.iter() {
        out.push(u8::try_from(label.len()).unwrap_or_default());
        out.extend_from_slice(label);
    }
    out.push(0);
    out
}
