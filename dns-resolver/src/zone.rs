//! What the node serves now: the two traits this crate asks for, which the node implements and tests fake.

use std::error::Error;
use std::sync::Arc;

use dotp2p_chain::name::Name;
use dotp2p_chain::records::Records;

/// One immutable state of the served domain.
pub trait Zone: Send + Sync + 'static {
    /// The top-level domain: one label in lower case, without a dot.
    fn tld(&self) -> &str;

    /// The SOA's serial (RFC 1982): greater for each version of the zone.
    fn serial(&self) -> u32;

    /// The records that are served for `name`; `None` where it is not registered or not served (L1, L4).
    fn records(&self, name: &Name) -> Result<Option<Arc<Records>>, ZoneError>;
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
    pub name: Name,
    /// Why.
    pub source: Box<dyn Error + Send + Sync>,
}
