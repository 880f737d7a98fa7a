//! The NSEC records that show what an answer says (RFC 4035 3.1.3), made for the question: each covers one name and what
//! is below it (RFC 4470), and its type bits are exact where its owner exists.
//!
//! A name that is missing is shown by its ancestor that is missing first: with that one everything below it is. Where a
//! name that exists stands so near before it that a made-up owner would hide it, the last one that exists is the owner.

use dotp2p_chain::name::Name;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name as DnsName;

use super::{Search, apex};
use crate::dnssec::nsec::{covering, label_before, matching, name_after};
use crate::node::{Data, Node};
use crate::rdata::rtype;
use crate::zone::ZoneError;

/// The label of the zone's server below [`apex::SERVERS`].
const SERVER: &[u8] = b"ns";

/// The types that a name's NSEC shows. At a delegation only what is the parent's.
///
/// - `is_expanded`: a wildcard that stands for another name, where an NS record delegates nothing (RFC 4592 4.2 leaves it
///   open). The bit would make validators take it for a delegation.
pub(super) fn types(data: Data<'_>, is_expanded: bool) -> Vec<u16> {
    let has_ns = data.get(rtype::NS).is_some();
    let is_shown = |rtype: &u16| match (has_ns, is_expanded) {
        (false, _) => true,
        (true, false) => matches!(*rtype, rtype::NS | rtype::DS),
        (true, true) => *rtype != rtype::NS,
    };
    data.types().filter(is_shown).collect()
}

/// The last name at or below `node` that exists, and its types. `owner`: its name.
fn last_below(node: Node<'_>, owner: DnsName) -> (DnsName, Vec<u16>) {
    let (mut node, mut owner) = (node, owner);
    loop {
        let data = node.data();
        let is_end = data.get(rtype::NS).is_some() || data.get(rtype::DNAME).is_some();
        let last = node.last_child(&[], None).filter(|_| !is_end);
        match last.and_then(|label| Some((label, owner.prepend_label(label).ok()?))) {
            Some((label, child)) => (node, owner) = (node.child(label), child),
            None => return (owner, types(data, false)),
        }
    }
}

impl Search<'_> {
    /// Whether NSEC records are to be made.
    pub(super) fn wants_proofs(&self) -> bool {
        self.signing.is_some_and(|signing| signing.proofs)
    }

    /// Says that there is no such type at `owner`, a name that exists and has `types`.
    pub(super) fn no_data(&mut self, owner: &DnsName, types: impl FnOnce() -> Vec<u16>) {
        self.prove_types(owner, types);
        self.negative(ResponseCode::NoError);
    }

    /// Shows which types there are at `owner`.
    pub(super) fn prove_types(&mut self, owner: &DnsName, types: impl FnOnce() -> Vec<u16>) {
        if self.wants_proofs() {
            let nsec = matching(owner, &types(), &self.domain(&[]));
            self.prove(nsec);
        }
    }

    /// Answers a question for NSEC or RRSIG at a name that exists, in a signed zone: with its NSEC, or the signature of it,
    /// which is one of those there are (as RFC 8482 does it for ANY).
    pub(super) fn answer_about_types(
        &mut self,
        qname: &DnsName,
        owner: &DnsName,
        types: impl FnOnce() -> Vec<u16>,
    ) -> bool {
        let is_asked = self.signing.is_some() && matches!(self.qtype, rtype::NSEC | rtype::RRSIG);
        if is_asked {
            let mut nsec = matching(owner, &types(), &self.domain(&[]));
            nsec.owner = qname.clone();
            self.out.answer.push(nsec);
            self.out.notes.only_signatures = self.qtype == rtype::RRSIG;
        }
        is_asked
    }

    /// Notes that the wildcard below `encloser` stands for `qname`; gives it.
    pub(super) fn expand(&mut self, qname: &DnsName, encloser: &DnsName) -> Option<DnsName> {
        self.signing?;
        let wildcard = encloser.prepend_label(&b"*"[..]).ok()?;
        self.out.notes.expanded.push((qname.clone(), wildcard.clone()));
        Some(wildcard)
    }

    /// Shows that nothing is at or below the child `label` of a registered name's `node`, whose name is `encloser`.
    pub(super) fn deny_child(&mut self, encloser: &DnsName, node: Node<'_>, label: &[u8]) {
        if !self.wants_proofs() {
            return;
        }
        let before = label_before(label, encloser);
        let (owner, types) = match &before {
            None => (encloser.clone(), types(node.data(), false)),
            Some(before) => match node.last_child(before, Some(label)) {
                Some(sibling) => last_below(node.child(sibling), child_of(encloser, sibling)),
                None => (child_of(encloser, before), Vec::new()),
            },
        };
        self.cover(&owner, &types, &child_of(encloser, label));
    }

    /// Shows that nothing is at or below `label` in the domain, nor a wildcard.
    ///
    /// Registered names are of letters, digits and hyphens: between a name and the one made up before it is none.
    pub(super) fn deny_top_level(&mut self, label: &[u8]) -> Result<(), ZoneError> {
        if !self.wants_proofs() {
            return Ok(());
        }
        let apex = self.domain(&[]);
        for label in [label, b"*"] {
            let before = label_before(label, &apex);
            let (owner, types) = match before.as_deref() {
                None => (apex.clone(), self.apex_types()),
                Some(apex::SERVERS) => (self.domain(&[SERVER, apex::SERVERS]), self.server_types()),
                Some(before) => {
                    let records = match Name::from_bytes(before) {
                        Ok(name) => self.records(name)?,
                        Err(_) => None,
                    };
                    let owner = child_of(&apex, before);
                    records.map_or((owner.clone(), Vec::new()), |records| last_below(Node::apex(&records), owner))
                }
            };
            self.cover(&owner, &types, &child_of(&apex, label));
        }
        Ok(())
    }

    /// Shows that nothing is at `relative` below the reserved name, nor a wildcard.
    pub(super) fn deny_server(&mut self, relative: &[&[u8]]) {
        if !self.wants_proofs() {
            return;
        }
        let (encloser, is_at_server, missing) = match relative {
            [.., label, server] if *server == SERVER => (self.domain(&[SERVER, apex::SERVERS]), true, *label),
            [.., label] => (self.domain(&[apex::SERVERS]), false, *label),
            [] => return,
        };
        for label in [missing, b"*"] {
            let (owner, types) = match label_before(label, &encloser) {
                None if is_at_server => (encloser.clone(), self.server_types()),
                None => (encloser.clone(), Vec::new()),
                Some(before) if !is_at_server && before.as_slice() <= SERVER && SERVER < label => {
                    (child_of(&encloser, SERVER), self.server_types())
                }
                Some(before) => (child_of(&encloser, &before), Vec::new()),
            };
            self.cover(&owner, &types, &child_of(&encloser, label));
        }
    }

    /// An NSEC record from `owner` to behind `missing`.
    fn cover(&mut self, owner: &DnsName, types: &[u16], missing: &DnsName) {
        let nsec = covering(owner, types, &name_after(missing, &self.domain(&[])));
        self.prove(nsec);
    }

    fn prove(&mut self, nsec: super::Rr) {
        if !self.proofs.contains(&nsec) {
            self.proofs.push(nsec);
        }
    }
}

/// The child `label` of `parent`. Whoever asks has a label that fits there.
fn child_of(parent: &DnsName, label: &[u8]) -> DnsName {
    parent.prepend_label(label).unwrap_or_else(|_| parent.clone())
}
