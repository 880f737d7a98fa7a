//! Referrals: to whom a part of a name was delegated (RFC 1034 4.3.2, 9471), and whether signed (RFC 4035 3.1.4).

use dotp2p_chain::records::RecordSet;
use hickory_proto::rr::Name as DnsName;

use super::{Search, proof, push};
use crate::node::{Data, Node};
use crate::rdata::{self, rtype};

impl Search<'_> {
    /// Refers to the servers of the delegation at `cut`, within the records of `name`.
    pub(super) fn refer(&mut self, cut: &DnsName, ns: &RecordSet, data: Data<'_>, name: &DnsName, top: Node<'_>) {
        // After an alias the answer section is still ours (RFC 1034 4.3.1).
        self.out.aa &= !self.out.answer.is_empty();
        push(&mut self.out.authority, cut, ns);
        match data.get(rtype::DS) {
            Some(ds) => push(&mut self.out.authority, cut, ds),
            None => self.prove_types(cut, || proof::types(data, false)),
        }
        let mut hosts: Vec<DnsName> = ns.rdatas.iter().filter_map(|rdata| rdata::target(rdata)).collect();
        hosts.retain(|host| name.zone_of(host));
        hosts.iter_mut().for_each(|host| *host = host.to_lowercase());
        hosts.sort_unstable();
        hosts.dedup();
        // Glue below the cut first: without it the referral leads nowhere.
        let (needed, known): (Vec<_>, Vec<_>) = hosts.into_iter().partition(|host| cut.zone_of(host));
        for host in &needed {
            self.push_addresses(host, name, top);
        }
        self.out.required = self.out.additional.len();
        for host in &known {
            self.push_addresses(host, name, top);
        }
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
