//! Names below ours that were delegated: who is asked about what is below them, for a client that wants the answer and not
//! the way to it.
//!
//! Their servers are asked without RD and believed for what is below the cut alone; what their answers lead to is asked where
//! it belongs. A server that says who else is to be asked must point further down. Whoever owns a name chooses whom we send
//! questions to, so it is port 53, never this machine, and few servers a question: [`ADDRESSES_MAX`], [`HOSTS_MAX`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use hickory_proto::rr::Name as DnsName;
use tokio::time::timeout;

use super::Forwarder;
use super::query::Outside;
use super::server::Server;
use super::system::is_ours;
use super::told::{Told, is_inside};
use crate::answer::Rr;
use crate::rdata::{rtype, target};

/// Addresses of servers that are asked.
const ADDRESSES_MAX: usize = 6;
/// Servers whose addresses are asked of upstreams, where there is not more than one without: each costs two questions.
const HOSTS_MAX: usize = 2;
/// How long those addresses are waited for.
const HOSTS_WAIT: Duration = Duration::from_millis(1_500);
/// Servers of which it is kept how they do.
pub(super) const SERVERS_KEPT: u64 = 1_000;

/// A part of our domain that others answer for, and how they are reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Delegation {
    /// Where it begins.
    pub cut: DnsName,
    addresses: Vec<IpAddr>,
    /// Servers outside our domain, whose addresses are to be found there.
    hosts: Vec<DnsName>,
}

impl Delegation {
    /// Where these records of an answer without data refer who asks for `name`; `None`: nowhere.
    pub fn of(authority: &[Rr], additional: &[Rr], name: &DnsName, tld: &str) -> Option<Self> {
        if authority.iter().any(|rr| rr.rtype == rtype::SOA) {
            return None;
        }
        let cut = authority.iter().find(|rr| rr.rtype == rtype::NS)?.owner.to_lowercase();
        if cut.iter().len() < 2 || !cut.zone_of(name) {
            return None;
        }
        let servers = authority.iter().filter(|rr| rr.rtype == rtype::NS && rr.owner == cut);
        let servers: Vec<DnsName> =
            servers.filter_map(|rr| target(&rr.rdata)).map(|host| host.to_lowercase()).collect();
        let glue = additional.iter().filter(|rr| servers.contains(&rr.owner));
        let mut addresses: Vec<IpAddr> = glue.filter_map(address).collect();
        addresses.truncate(ADDRESSES_MAX);
        let mut hosts: Vec<DnsName> = servers.into_iter().filter(|host| !is_inside(host, tld)).collect();
        hosts.truncate(HOSTS_MAX);
        Some(Self { cut, addresses, hosts })
    }

    /// Bytes it takes in memory, about.
    pub(super) fn weight(&self) -> usize {
        let names: usize = self.hosts.iter().chain([&self.cut]).map(|name| size_of::<DnsName>() + name.len()).sum();
        size_of::<Self>() + names + self.addresses.len() * size_of::<IpAddr>()
    }
}

impl Told {
    /// Where a server of `delegation` refers who asks for `name`, if it does.
    pub fn refers(&self, name: &DnsName, tld: &str) -> Option<Delegation> {
        if self.answer.is_empty() { Delegation::of(&self.authority, &self.additional, name, tld) } else { None }
    }

    /// Whether who says this, without being an authority for it, leads nowhere: back to where the question came from, or up.
    pub(super) fn is_lame(&self, question: &Outside, delegation: &Delegation, tld: &str) -> bool {
        let further = self.refers(&question.name, tld).filter(|to| to.cut != delegation.cut);
        self.answer.is_empty() && further.is_none()
    }
}

fn address(rr: &Rr) -> Option<IpAddr> {
    match rr.rtype {
        rtype::A => <[u8; 4]>::try_from(rr.rdata.as_slice()).ok().map(IpAddr::from),
        rtype::AAAA => <[u8; 16]>::try_from(rr.rdata.as_slice()).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Where the servers of delegated names answer: on port 53, and not on this machine.
pub(super) fn reach(listeners: &[SocketAddr], ip: IpAddr) -> Option<SocketAddr> {
    let ip = ip.to_canonical();
    let is_nobody = match ip {
        IpAddr::V4(ip) => ip.is_broadcast() || ip.is_link_local(),
        // It would say nothing without an interface.
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let at = SocketAddr::new(ip, 53);
    let may_be = !(is_nobody || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || is_ours(at, listeners));
    may_be.then_some(at)
}

impl Forwarder {
    /// The servers of a delegation.
    pub(super) async fn delegated(self: &Arc<Self>, delegation: &Delegation, tld: &str) -> Vec<Arc<Server>> {
        let mut all = delegation.addresses.clone();
        if all.len() < 2 {
            let questions = delegation
                .hosts
                .iter()
                .flat_map(|host| [rtype::A, rtype::AAAA].map(|qtype| Outside::of(host.clone(), qtype)));
            let looked_up = join_all(questions.map(|question| async move {
                let told = match self.cache.good(&question, (self.clock)()) {
                    Some(known) => known,
                    None => timeout(HOSTS_WAIT, self.ask(&question, tld)).await.ok()?,
                };
                Some(told.ok()?.answer.iter().filter_map(address).collect::<Vec<_>>())
            }));
            all.extend(looked_up.await.into_iter().flatten().flatten().take(ADDRESSES_MAX));
        }
        let server = |at: SocketAddr| self.delegates.get_with(at, || Arc::new(Server::of_names(at)));
        all.into_iter().filter_map(|ip| (self.reach)(ip)).map(server).collect()
    }
}
