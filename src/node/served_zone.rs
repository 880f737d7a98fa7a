//! What DNS asks of the node, answered from one view of the registry.

use std::sync::Arc;

use dotp2p_dns::fast::BATCH;
use dotp2p_dns::zone::{Condition, Encoded, Zone};
use dotp2p_registry::query::Reader;

use super::{BEHIND, NodeHandle, now_s};

/// After so many seconds without a block the chain is told to be stale.
const STALE_S: u64 = 24 * 60 * 60;

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

    fn condition(&self) -> Condition {
        let reader = &self.reader;
        // Where blocks come on demand, none is late.
        let is_timed = reader.params.rules.half_life.is_some();
        if reader.headers.0.saturating_sub(reader.tip.0) >= BEHIND {
            Condition::Syncing
        } else if is_timed && now_s().saturating_sub(reader.next_context.parent_time) > STALE_S {
            Condition::Stale
        } else {
            Condition::Current
        }
    }

    fn has_lapsed(&self, label: &[u8]) -> bool {
        self.reader.is_in_grace(label)
    }

    fn encoded(&self, label: &[u8]) -> Encoded<'_> {
        Ok(self.reader.served(label, self.provisional).map(|served| served.records))
    }

    fn encoded_all<'z>(&'z self, labels: &[&[u8]], found: &mut [Encoded<'z>]) {
        let mut served = [None; BATCH];
        for (labels, found) in labels.chunks(BATCH).zip(found.chunks_mut(BATCH)) {
            self.reader.served_all(labels, self.provisional, &mut served);
            for (place, served) in found.iter_mut().zip(&served) {
                *place = Ok(served.map(|served| served.records));
            }
        }
    }
}
