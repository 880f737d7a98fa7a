//! A name's records as the tree that they are.
//!
//! Records are sorted by owner from the last label and by type, so a node's descendants follow it without a gap: a
//! [`Node`] is a slice of them, going down a label is two binary searches in that slice.

use dotp2p_chain::records::{RecordSet, Records};

use crate::rdata::{is_servable, rtype};

/// A domain name at or below a registered name: the RRsets at it and below it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    sets: &'a [RecordSet],
    /// Labels below the registered name.
    depth: usize,
}

/// What can be served at a node. CNAME beats the other types at its owner (R10): where one stands, it stands alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data<'a>(&'a [RecordSet]);

impl<'a> Node<'a> {
    /// The registered name itself.
    pub fn apex(records: &'a Records) -> Self {
        Self { sets: records.sets(), depth: 0 }
    }

    /// The node one label below.
    pub fn child(self, label: &[u8]) -> Self {
        let key = |set: &RecordSet| label_at(set, self.depth).map(|found| found.cmp(label));
        // Those at this node itself have no such label and come first.
        let start = self.sets.partition_point(|set| key(set).is_none_or(|order| order.is_lt()));
        let rest = self.sets.get(start..).unwrap_or_default();
        let len = rest.partition_point(|set| key(set).is_some_and(|order| order.is_eq()));
        Self { sets: rest.get(..len).unwrap_or_default(), depth: self.depth + 1 }
    }

    /// The node at `labels`, leftmost first, below this one, and whether its data are the zone's own: no delegation and no
    /// DNAME stands above them, nor a delegation at them.
    pub fn descend_within(self, labels: &[&[u8]]) -> (Self, bool) {
        let (mut node, mut is_own) = (self, true);
        for label in labels.iter().rev() {
            let data = node.data();
            is_own &= data.get(rtype::NS).is_none() && data.get(rtype::DNAME).is_none();
            node = node.child(label);
        }
        (node, is_own && node.data().get(rtype::NS).is_none())
    }

    /// The last of the labels of existing children that is below `end`, and not below `start`.
    pub fn last_child(self, start: &[u8], end: Option<&[u8]>) -> Option<&'a [u8]> {
        let depth = self.depth;
        let len =
            self.sets.partition_point(|set| label_at(set, depth).is_none_or(|label| end.is_none_or(|end| label < end)));
        let before = self.sets.get(..len).unwrap_or_default().iter().rev();
        let mut near =
            before.map_while(|set| label_at(set, depth).filter(|label| *label >= start).map(|label| (set, label)));
        near.find(|(set, _)| is_servable(set)).map(|(_, label)| label)
    }

    /// Whether this domain name below the registered one, which always exists, does: something at or below it can be
    /// served. One with nothing at itself is an empty non-terminal.
    pub fn exists(self) -> bool {
        self.sets.iter().any(is_servable)
    }

    /// What can be served at this node.
    pub fn data(self) -> Data<'a> {
        let len = self.sets.partition_point(|set| set.owner.labels().len() == self.depth);
        let here = Data(self.sets.get(..len).unwrap_or_default());
        here.get(rtype::CNAME).map_or(here, |cname| Data(core::slice::from_ref(cname)))
    }
}

/// The label that leads from a node `depth` labels below the registered name down to an RRset; `None`: it is at the node.
fn label_at(set: &RecordSet, depth: usize) -> Option<&[u8]> {
    let at = set.owner.labels().len().checked_sub(depth + 1)?;
    set.owner.labels().get(at).map(Vec::as_slice)
}

impl<'a> Data<'a> {
    /// The RRset of a type.
    pub fn get(self, rtype: u16) -> Option<&'a RecordSet> {
        let at = self.0.binary_search_by_key(&rtype, |set| set.rtype).ok()?;
        self.0.get(at).filter(|set| is_servable(set))
    }

    /// The types that can be served, ascending.
    pub fn types(self) -> impl Iterator<Item = u16> + use<'a> {
        self.0.iter().filter(|set| is_servable(set)).map(|set| set.rtype)
    }

    /// Whether there is none of any type.
    pub fn is_empty(self) -> bool {
        !self.0.iter().any(is_servable)
    }
}
