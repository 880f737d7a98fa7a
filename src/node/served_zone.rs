//! What DNS asks of the node, answered from one view of the registry.

use std::sync::Arc;

use dotp2p_chain::name::Name;
use dotp2p_chain::records::Records;
use dotp2p_dns::zone::{Zone, ZoneError};
use dotp2p_registry::query::Reader;

use super::NodeHandle;

/// The zone that one reader gives.
pub(super) struct ServedZone {
    reader: Arc<Reader>,
    tld: String,
    provisional: bool,
}

impl ServedZone {
    pub(super) fn new(handle: &NodeHandle) -> Self {
        let tld = String::from_utf8_lossy(&handle.params.rules.tld).into_owned();
        Self { reader: handle.newest(), tld, provisional: handle.dns_provisional }
    }
}

impl Zone for ServedZone {
    fn tld(&self) -> &str {
        &self.tld
    }

    fn serial(&self) -> u32 {
        self.reader.meta.serial
    }

    fn records(&self, name: &Name) -> Result<Option<Arc<Records>>, ZoneError> {
        let fail = |source: Box<dyn std::error::Error + Send + Sync>| ZoneError { name: name.clone(), source };
        let Some(served) = self.reader.served(name, self.provisional) else { return Ok(None) };
        let limits = self.reader.params.rules.record_limits(name.as_bytes().len());
        let records = Records::decode(&served.records, limits).map_err(|error| fail(error.into()))?;
        Ok(Some(Arc::new(records)))
    }
}
