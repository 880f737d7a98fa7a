//! What the server makes up by itself: the domain's apex, the zone's own servers, SOA, and the answer to ANY.

use std::net::IpAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name as DnsName;

use super::{Rr, Search, push, wire};
use crate::rdata::rtype;

/// The reserved name that the zone's servers are below.
pub(crate) const SERVERS: &[u8] = b"dotp2p";

/// Seconds that the apex's NS and the servers' addresses may be kept.
const TTL: u32 = 3_600;

/// Seconds that a negative answer may be kept (RFC 2308): the SOA's minimum and its own TTL.
pub(crate) const NEGATIVE_TTL: u32 = 60;

/// Refresh, retry and expire of the SOA, in seconds.
pub(crate) const SOA_TIMES: [u32; 3] = [1_800, 900, 604_800];

/// TTL and RDATA of the HINFO that answers ANY (RFC 8482).
const ANY_TTL: u32 = 3_789;
const ANY_RDATA: &[u8] = b"\x07RFC8482\x00";

/// The answer to ANY where something is at `owner` (RFC 8482).
pub(super) fn any_hinfo(owner: &DnsName) -> Rr {
    Rr { owner: owner.clone(), rtype: rtype::HINFO, ttl: ANY_TTL, rdata: ANY_RDATA.to_vec() }
}

impl Search<'_> {
    /// Answers at `<tld>.`
    pub(super) fn at_apex(&mut self, apex: &DnsName) {
        let types = self.apex_types();
        if self.answer_about_types(apex, apex, || types.clone()) {
            return;
        }
        let added = self.signing.and_then(|signing| signing.apex.iter().find(|set| set.rtype == self.qtype));
        match self.qtype {
            _ if added.is_some() => added.into_iter().for_each(|set| push(&mut self.out.answer, apex, set)),
            rtype::SOA => {
                let soa = self.soa();
                self.out.answer.push(soa);
            }
            rtype::NS => {
                let host = self.domain(&[b"ns", SERVERS]);
                self.out.answer.push(Rr { owner: apex.clone(), rtype: rtype::NS, ttl: TTL, rdata: wire(&host) });
                let addresses: Vec<Rr> = self.servers.iter().map(|address| address_rr(&host, *address)).collect();
                self.out.additional.extend(addresses);
                if self.wants_proofs() {
                    self.out.notes.own_hosts.push(host);
                }
            }
            rtype::ANY => self.out.answer.push(any_hinfo(apex)),
            _ => self.no_data(apex, || types),
        }
    }

    /// The types at the apex of a signed zone.
    pub(super) fn apex_types(&self) -> Vec<u16> {
        let added = self.signing.iter().flat_map(|signing| signing.apex).map(|set| set.rtype);
        [rtype::NS, rtype::SOA].into_iter().chain(added).collect()
    }

    /// The types at `ns`.
    pub(super) fn server_types(&self) -> Vec<u16> {
        self.servers.iter().map(|address| if address.is_ipv4() { rtype::A } else { rtype::AAAA }).collect()
    }

    /// Answers at and below `dotp2p.<tld>.`, which only leads to `ns`; `relative` are the labels below it.
    pub(super) fn at_servers(&mut self, qname: &DnsName, relative: &[&[u8]]) {
        match relative {
            [] if self.answer_about_types(qname, qname, Vec::new) => {}
            [] => self.no_data(qname, Vec::new),
            [host] if *host == b"ns" => {
                let types = self.server_types();
                if self.answer_about_types(qname, qname, || types.clone()) {
                    return;
                }
                let all = self.servers.iter().map(|address| address_rr(qname, *address));
                let found: Vec<Rr> = match self.qtype {
                    rtype::ANY if !self.servers.is_empty() => vec![any_hinfo(qname)],
                    qtype => all.filter(|rr| rr.rtype == qtype).collect(),
                };
                if found.is_empty() {
                    self.no_data(qname, || types);
                }
                self.out.answer.extend(found);
            }
            _ => {
                self.deny_server(relative);
                self.negative(ResponseCode::NXDomain);
            }
        }
    }

    /// Says that there is no such name, or no such type at it: both with the SOA.
    pub(super) fn negative(&mut self, rcode: ResponseCode) {
        self.out.rcode = rcode;
        let soa = self.soa();
        self.out.authority.push(soa);
    }

    fn soa(&self) -> Rr {
        let [refresh, retry, expire] = SOA_TIMES;
        let mut rdata = wire(&self.domain(&[b"ns", SERVERS]));
        rdata.extend(wire(&self.domain(&[b"hostmaster", SERVERS])));
        for number in [self.zone.serial(), refresh, retry, expire, NEGATIVE_TTL] {
            rdata.extend(number.to_be_bytes());
        }
        Rr { owner: self.domain(&[]), rtype: rtype::SOA, ttl: NEGATIVE_TTL, rdata }
    }

    /// The domain name of `labels` below the top-level domain.
    pub(super) fn domain(&self, labels: &[&[u8]]) -> DnsName {
        let all = labels.iter().copied().chain([self.zone.tld().as_bytes()]);
        // Labels of at most 63 bytes, three at most: it always fits.
        DnsName::from_labels(all).unwrap_or_default()
    }
}

fn address_rr(owner: &DnsName, address: IpAddr) -> Rr {
    let (rtype, rdata) = match address {
        IpAddr::V4(v4) => (rtype::A, v4.octets().to_vec()),
        IpAddr::V6(v6) => (rtype::AAAA, v6.octets().to_vec()),
    };
    Rr { owner: owner.clone(), rtype, ttl: TTL, rdata }
}
