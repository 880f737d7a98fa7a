//! What the server makes up by itself: the domain's apex, the zone's own servers, SOA, and the answer to ANY.

use std::net::IpAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name as DnsName;

use super::{Rr, Search, wire};
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
        match self.qtype {
            rtype::SOA => {
                let soa = self.soa();
                self.out.answer.push(soa);
            }
            rtype::NS => {
                let host = self.domain(&[b"ns", SERVERS]);
                self.out.answer.push(Rr { owner: apex.clone(), rtype: rtype::NS, ttl: TTL, rdata: wire(&host) });
                let addresses: Vec<Rr> = self.servers.iter().map(|address| address_rr(&host, *address)).collect();
                self.out.additional.extend(addresses);
            }
            rtype::ANY => self.out.answer.push(any_hinfo(apex)),
            _ => self.negative(ResponseCode::NoError),
        }
    }

    /// Answers at and below `dotp2p.<tld>.`, which only leads to `ns`; `relative` are the labels below it.
    pub(super) fn at_servers(&mut self, qname: &DnsName, relative: &[&[u8]]) {
        match relative {
            [] => self.negative(ResponseCode::NoError),
            [host] if *host == b"ns" => {
                let all = self.servers.iter().map(|address| address_rr(qname, *address));
                let found: Vec<Rr> = match self.qtype {
                    rtype::ANY if !self.servers.is_empty() => vec![any_hinfo(qname)],
                    qtype => all.filter(|rr| rr.rtype == qtype).collect(),
                };
                if found.is_empty() {
                    self.negative(ResponseCode::NoError);
                }
                self.out.answer.extend(found);
            }
            _ => self.negative(ResponseCode::NXDomain),
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
    fn domain(&self, labels: &[&[u8]]) -> DnsName {
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
