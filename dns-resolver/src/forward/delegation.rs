//! Names below ours that were delegated: who is asked about what is below them, for a client that wants the answer and not
//! the way to it.
//!
//! Their servers are asked without RD and believed for what is below the cut alone; what their answers lead to is asked where
//! it belongs. A server that says who else is to be asked must point further down. Whoever owns a name chooses whom we send
//! questions to, so it is port 53, neither loopback nor where this node listens, and few servers a question
//! ([`ADDRESSES_MAX`]). Whose address only upstreams know is asked when the others do not answer: `lookup`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name as DnsName;
use tokio::time::Instant;

use super::query::Outside;
use super::race::{DEADLINE, better};
use super::server::Server;
use super::system::is_ours;
use super::told::{Told, is_inside};
use super::{Failure, Forwarded, Forwarder};
use crate::answer::Rr;
use crate::rdata::{rtype, target};

/// Addresses of servers that are asked.
const ADDRESSES_MAX: usize = 6;
/// Servers of a delegation that are looked at, those outside our domain that are kept, and those in it that are looked for in
/// the zone.
const SERVERS_MAX: usize = 16;
const HOSTS_KEPT: usize = 8;
const INSIDE_MAX: usize = 4;
/// How long servers have whose addresses are known, if there are others.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// How long all of them have together, with looking for their addresses.
const ALL_WAIT: Duration = Duration::from_millis(5_500);
/// Servers of which it is kept how they do.
pub(super) const SERVERS_KEPT: u64 = 1_000;

/// A part of our domain that others answer for, and how they are reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Delegation {
    /// Where it begins.
    pub cut: DnsName,
    pub(super) addresses: Vec<IpAddr>,
    /// Servers outside our domain, whose addresses are to be found there.
    pub hosts: Vec<DnsName>,
}

impl Delegation {
    /// Where these records of an answer without data refer who asks for `name`; `None`: nowhere.
    ///
    /// - `inside`: the addresses of a server in our domain, by the zone; for those that have none beside the answer.
    pub fn of(
        authority: &[Rr],
        additional: &[Rr],
        name: &DnsName,
        tld: &str,
        inside: impl Fn(&DnsName) -> Vec<IpAddr>,
    ) -> Option<Self> {
        let cut = cut(authority, name)?;
        let servers = authority.iter().filter(|rr| rr.rtype == rtype::NS && rr.owner == cut);
        let mut servers: Vec<DnsName> =
            servers.filter_map(|rr| target(&rr.rdata)).map(|host| host.to_lowercase()).collect();
        // In an order of their own: another is no other delegation.
        servers.sort_unstable();
        servers.dedup();
        servers.truncate(SERVERS_MAX);
        let (mut addresses, mut hosts, mut looked_up) = (Vec::new(), Vec::new(), 0);
        for host in servers {
            let glue: Vec<IpAddr> = additional.iter().filter(|rr| rr.owner == host).filter_map(address).collect();
            match (glue.is_empty(), is_inside(&host, tld)) {
                (false, _) => addresses.extend(glue),
                (true, true) if addresses.len() < ADDRESSES_MAX && looked_up < INSIDE_MAX => {
                    looked_up += 1;
                    addresses.extend(inside(&host));
                }
                (true, true) => {}
                (true, false) => hosts.push(host),
            }
        }
        hosts.truncate(HOSTS_KEPT);
        Some(Self { cut, addresses: some_of_both(addresses), hosts })
    }

    /// Bytes it takes in memory, about.
    pub(super) fn weight(&self) -> usize {
        let names: usize = self.hosts.iter().chain([&self.cut]).map(|name| size_of::<DnsName>() + name.len()).sum();
        size_of::<Self>() + names + self.addresses.len() * size_of::<IpAddr>()
    }
}

/// Some of these addresses, of IPv4 and IPv6 by turns: a machine may reach only one of them.
pub(super) fn some_of_both(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.iter_mut().for_each(|ip| *ip = ip.to_canonical());
    addresses.sort_unstable();
    addresses.dedup();
    let (of_v4, of_v6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
    let mut by_turns: Vec<(usize, IpAddr)> =
        of_v4.into_iter().enumerate().chain(of_v6.into_iter().enumerate()).collect();
    by_turns.sort_unstable();
    by_turns.into_iter().map(|(_, ip)| ip).take(ADDRESSES_MAX).collect()
}

/// Where the servers begin to answer that a message without data refers to.
fn cut(authority: &[Rr], name: &DnsName) -> Option<DnsName> {
    if authority.iter().any(|rr| rr.rtype == rtype::SOA) {
        return None;
    }
    let cut = authority.iter().find(|rr| rr.rtype == rtype::NS)?.owner.to_lowercase();
    (cut.iter().len() >= 2 && cut.zone_of(name)).then_some(cut)
}

impl Told {
    /// Whether a server of `delegation` refers who asks for `name` further down.
    pub fn refers(&self, name: &DnsName, delegation: &Delegation) -> bool {
        let is_further = |cut: DnsName| delegation.cut.zone_of(&cut) && cut != delegation.cut;
        self.rcode == ResponseCode::NoError
            && self.answer.is_empty()
            && cut(&self.authority, name).is_some_and(is_further)
    }
}

pub(crate) fn address(rr: &Rr) -> Option<IpAddr> {
    match rr.rtype {
        rtype::A => <[u8; 4]>::try_from(rr.rdata.as_slice()).ok().map(IpAddr::from),
        rtype::AAAA => <[u8; 16]>::try_from(rr.rdata.as_slice()).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Where the servers of delegated names answer: on port 53, and neither on loopback nor where this node listens. Other
/// addresses of this machine may be a server's: of who has a name, and a node beside it.
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
    /// Asks the servers of `delegation`: first those whose addresses are known.
    pub(super) async fn ask_delegates(
        self: &Arc<Self>,
        delegation: &Delegation,
        question: &Outside,
        tld: &str,
    ) -> Forwarded {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let deadline = Instant::now() + ALL_WAIT;
        let mut search = self.search(delegation, turn);
        let known = self.delegates(search.known(), turn);
        let mut last = Err(Failure::NoUpstream);
        if !known.is_empty() {
            let within = if search.is_over() { DEADLINE } else { FIRST_WAIT };
            last = self.race(|| known, question, tld, within).await;
        }
        // Those whose addresses come first, and once more those that have come when these do not help.
        for _ in 0..2 {
            let is_open = match &last {
                Ok(told) => told.rcode == ResponseCode::ServFail,
                Err(failure) => matches!(failure, Failure::NoUpstream | Failure::Unreachable),
            };
            if !is_open {
                break;
            }
            match self.look_up(&mut search, tld).await {
                Ok(found) if found.is_empty() => break,
                Ok(found) => {
                    let found = self.delegates(found, turn);
                    if !found.is_empty() {
                        let within = FIRST_WAIT.min(deadline.saturating_duration_since(Instant::now()));
                        last = better(last, self.race(|| found, question, tld, within).await);
                    }
                }
                // That known servers have failed is kept for a while.
                Err(failure) => {
                    last = better(last, Err(failure));
                    break;
                }
            }
        }
        last
    }

    /// The servers at these addresses, another first each time.
    fn delegates(&self, mut addresses: Vec<IpAddr>, turn: usize) -> Vec<Arc<Server>> {
        if !addresses.is_empty() {
            let first = turn % addresses.len();
            addresses.rotate_left(first);
        }
        let server = |at| self.delegates.get_with(at, || Arc::new(Server::of_names(at)));
        addresses.into_iter().filter_map(|ip| (self.reach)(ip)).map(server).collect()
    }
}
