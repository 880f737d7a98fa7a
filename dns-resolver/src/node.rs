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
        let key = |set: &RecordSet| {
            let at = set.owner.labels().len().checked_sub(self.depth + 1)?;
            set.owner.labels().get(at).map(|found| found.as_slice().cmp(label))
        };
        // Those at this node itself have no such label and come first.
        let start = self.sets.partition_point(|set| key(set).is_none_or(|order| order.is_lt()));
        let rest = self.sets.get(start..).unwrap_or_default();
        let len = rest.partition_point(|set| key(set).is_some_and(|order| order.is_eq()));
        Self { sets: rest.get(..len).unwrap_or_default(), depth: self.depth + 1 }
    }

    /// The node at `labels`, leftmost first, below this one.
    pub fn descend(self, labels: &[&[u8]]) -> Self {
        labels.iter().rev().fold(self, |node, label| node.child(label))
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

impl<'a> Data<'a> {
    /// The RRset of a type.
    pub fn get(self, rtype: u16) -> Option<&'a RecordSet> {
        let at = self.0.binary_search_by_key(&rtype, |set| set.rtype).ok()?;
        self.0.get(at).filter(|set| is_servable(set))
    }

    /// Whether there is none of any type.
    pub fn is_empty(self) -> bool {
        !self.0.iter().any(is_servable)
    }
}
