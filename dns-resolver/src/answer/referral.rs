//! Referrals: to whom a part of a name was delegated (RFC 1034 4.3.2, 9471), and whether signed (RFC 4035 3.1.4).

use dotp2p_chain::name::Name;
use dotp2p_chain::records::RecordSet;
use hickory_proto::rr::Name as DnsName;

use super::{MAX_SIBLINGS, Search, proof, push};
use crate::node::{Data, Node};
use crate::rdata::{self, rtype};
use crate::zone::ZoneError;

impl Search<'_> {
    /// Refers to the servers of the delegation at `cut`, within the records of `name`.
    pub(super) fn refer(
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
        match data.get(rtype::DS) {
            Some(ds) => push(&mut self.out.authority, cut, ds),
            None => self.prove_types(cut, || proof::types(data, false)),
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
        let (host_node, is_own) = top.descend_within(&labels);
        if is_own && self.wants_proofs() {
            self.out.notes.own_hosts.push(host.clone());
        }
        let data = host_node.data();
        for set in [rtype::A, rtype::AAAA].into_iter().filter_map(|rtype| data.get(rtype)) {
            push(&mut self.out.additional, host, set);
        }
    }
}
