//! What the node serves now: the two traits this crate asks for, which the node implements and tests fake.

use std::error::Error;
use std::sync::Arc;

use dotp2p_chain::name::Name;
use dotp2p_chain::records::{Limits, Records, RecordsError};

/// What is served for a name, or why that cannot be told.
pub type Encoded<'z> = Result<Option<&'z [u8]>, ZoneError>;

/// How far what is served can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// As the network has it, as far as is known.
    Current,
    /// The chain is being taken from others: names may be missing, and owners of yesterday be served.
    Syncing,
    /// There has been no new block for long: the network may have gone on without this node.
    Stale,
}

/// One immutable state of the served domain.
pub trait Zone: Send + Sync + 'static {
    /// The top-level domain: one label in lower case, without a dot.
    fn tld(&self) -> &str;

    /// The SOA's serial (RFC 1982): greater for each version of the zone.
    fn serial(&self) -> u32;

    /// The canonical bytes (R1 to R9) of the records that are served for the name `label`, in lower case; `None` where it is
    /// not registered or not served (L1, L4), or no name at all.
    fn encoded(&self, label: &[u8]) -> Encoded<'_>;

    /// The same for several labels, each into its place; `found` has as many. Whoever can look them up together does.
    fn encoded_all<'z>(&'z self, labels: &[&[u8]], found: &mut [Encoded<'z>]) {
        for (label, place) in labels.iter().zip(found) {
            *place = self.encoded(label);
        }
    }

    /// How far it can be relied on.
    fn condition(&self) -> Condition {
        Condition::Current
    }

    /// Whether the name `label` is not served because it has expired, while its owner may still renew it (S16).
    fn has_lapsed(&self, _label: &[u8]) -> bool {
        false
    }

    /// The same records, decoded.
    fn records(&self, name: &Name) -> Result<Option<Arc<Records>>, ZoneError> {
        let Some(bytes) = self.encoded(name.as_bytes())? else { return Ok(None) };
        // What is on the chain has kept the network's limits.
        let limits = Limits { name_len: name.as_bytes().len(), tld_len: self.tld().len(), max: usize::MAX };
        let records = Records::decode(bytes, limits);
        let failed = |error: RecordsError| ZoneError { name: name.to_string(), source: error.into() };
        records.map(|records| Some(Arc::new(records))).map_err(failed)
    }
}

/// Where the zones come from. A query takes one and uses it for all its lookups.
///
/// Closures that return an `Arc<dyn Zone>` are one.
pub trait Zones: Send + Sync + 'static {
    /// The newest zone. Called once a query, so it should only copy a pointer.
    fn current(&self) -> Arc<dyn Zone>;
}

impl<F: Fn() -> Arc<dyn Zone> + Send + Sync + 'static> Zones for F {
    fn current(&self) -> Arc<dyn Zone> {
        self()
    }
}

/// A zone that could not be read; the client is told SERVFAIL and may ask elsewhere.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the records of {name}: {source}")]
pub struct ZoneError {
    /// Whose records.
    pub name: String,
    /// Why.
    pub source: Box<dyn Error + Send + Sync>,
}
