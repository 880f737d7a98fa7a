//! A question and a zone make an [`Answer`]. Pure: no socket, clock or configuration file.
//!
//! The domain is one zone: its apex and the zone's own servers are made here, every registered name hangs below it with
//! its records. [`answer`] goes down from the registered name label by label, so that a delegation hides what is below
//! it, a DNAME redirects it, and only what is left can match, exactly or by a wildcard.
//!
//! Rules: R10; RFC 1034 4.3.2 (the algorithm), 2308 (negative answers), 4592 (wildcards), 6604 (the code of a chain),
//! 6672 (DNAME), 8482 (ANY), 9471 (glue).

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
#[cfg(test)]
pub(crate) mod properties;
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

impl Answer {
    /// An answer without records.
    #[must_use]
    pub const fn empty(rcode: ResponseCode, aa: bool) -> Self {
        Self { rcode, aa, answer: Vec::new(), authority: Vec::new(), additional: Vec::new(), required: 0 }
    }
}

/// Answers a question from one state of the zone.
///
/// - `servers`: the addresses of `ns.dotp2p.<tld>.`.
/// - Errors: the zone could not be read.
pub fn answer(zone: &dyn Zone, servers: &[IpAddr], question: &Question) -> Result<Answer, ZoneError> {
    const IN: u16 = 1;
    let is_ours = question.name.iter().next_back() == Some(zone.tld().as_bytes());
    let is_transfer = matches!(question.qtype, rtype::AXFR | rtype::IXFR);
    if !is_ours || is_transfer || !matches!(question.qclass, IN | rtype::ANY) {
        return Ok(Answer::empty(ResponseCode::Refused, false));
    }
    // Nobody can speak for every class.
    let out = Answer::empty(ResponseCode::NoError, question.qclass == IN);
    let mut search = Search { zone, servers, qtype: question.qtype, read: Vec::new(), out };
    let mut next = Some(question.name.clone());
    while let Some(name) = next {
        next = search.step(&name)?;
    }
    Ok(search.out)
}

/// An answer in the making.
struct Search<'z> {
    zone: &'z dyn Zone,
    servers: &'z [IpAddr],
    qtype: u16,
    /// Names this query has read; a chain that returns to one does not read it again.
    read: Vec<(Name, Option<Arc<Records>>)>,
    out: Answer,
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
                return Ok(self.at_data(qname, data));
            };
            if let Some(dname) = data.get(rtype::DNAME) {
                return Ok(self.redirect(qname, rest, dname));
            }
            let child = node.child(label);
            if !child.exists() {
                // This node is the closest encloser.
                let wildcard = node.child(b"*");
                if wildcard.exists() {
                    return Ok(self.at_data(qname, wildcard.data()));
                }
                self.negative(ResponseCode::NXDomain);
                return Ok(None);
            }
            (node, rest) = (child, further);
        }
    }

    /// Answers with what stands at `qname`, or at the wildcard that stands for it.
    fn at_data(&mut self, qname: &DnsName, data: Data<'_>) -> Option<DnsName> {
        let cname = data.get(rtype::CNAME);
        if self.qtype == rtype::ANY {
            // An RRset that is there tells more than the one RFC 8482 lets us make up.
            match cname.or_else(|| data.get(rtype::HINFO)) {
                Some(set) => push(&mut self.out.answer, qname, set),
                None if data.is_empty() => self.negative(ResponseCode::NoError),
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
            self.negative(ResponseCode::NoError);
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
        if self.qtype == rtype::CNAME {
            return None;
        }
        self.unvisited(Some(renamed))
    }

    /// Refers to the servers of the delegation at `cut`, within the records of `name`.
    fn refer(
        &mut self,
        cut: &DnsName,
        ns: &RecordSet,
        data: Data<'_>,
        name: &DnsName,
        top: Node<'_>,
    ) -> Result<(), ZoneError> {
        // After an alias the answer section is still ours (RFC 1034 4.3.1).
        self.out.aa &= !self.out.answer.is_empty();
        push(&mut self.out.authority, cut, ns);
        if let Some(ds) = data.get(rtype::DS) {
            push(&mut self.out.authority, cut, ds);
        }
        let mut hosts: Vec<DnsName> = ns.rdatas.iter().filter_map(|rdata| rdata::target(rdata)).collect();
        hosts.iter_mut().for_each(|host| *host = host.to_lowercase());
        hosts.sort_unstable();
        hosts.dedup();
        // Glue below the cut first: without it the referral leads nowhere.
        let (needed, known): (Vec<_>, Vec<_>) = hosts.into_iter().partition(|host| cut.zone_of(host));
        for host in &needed {
            self.push_addresses(host, name, top);
        }
        self.out.required = self.out.additional.len();
        for host in known.iter().filter(|host| name.zone_of(host)) {
            self.push_addresses(host, name, top);
        }
        for host in known.iter().filter(|host| !name.zone_of(host)).take(MAX_SIBLINGS) {
            self.push_sibling(host)?;
        }
        Ok(())
    }

    /// Adds the addresses that `host` has in somebody else's name: two names that are each other's servers would
    /// otherwise lead nowhere (RFC 9471 2.3, 3.2).
    fn push_sibling(&mut self, host: &DnsName) -> Result<(), ZoneError> {
        let labels: Vec<&[u8]> = host.iter().collect();
        let [.., label, tld] = labels.as_slice() else { return Ok(()) };
        if *tld != self.zone.tld().as_bytes() {
            return Ok(());
        }
        let Ok(name) = Name::from_bytes(label) else { return Ok(()) };
        if let Some(records) = self.records(name)? {
            self.push_addresses(host, &host.trim_to(2), Node::apex(&records));
        }
        Ok(())
    }

    fn push_addresses(&mut self, host: &DnsName, name: &DnsName, top: Node<'_>) {
        let labels: Vec<&[u8]> = host.iter().take(host.iter().len() - name.iter().len()).collect();
        let data = top.descend(&labels).data();
        for set in [rtype::A, rtype::AAAA].into_iter().filter_map(|rtype| data.get(rtype)) {
            push(&mut self.out.additional, host, set);
        }
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

fn push(section: &mut Vec<Rr>, owner: &DnsName, set: &RecordSet) {
    let rr = |rdata: &Vec<u8>| Rr { owner: owner.clone(), rtype: set.rtype, ttl: set.ttl, rdata: rdata.clone() };
    section.extend(set.rdatas.iter().map(rr));
}

/// A domain name in uncompressed wire form.
fn wire(name: &DnsName) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 1);
    for label in name.iter() {
        out.push(u8::try_from(label.len()).unwrap_or_default());
        out.extend_from_slice(label);
    }
    out.push(0);
    out
}
