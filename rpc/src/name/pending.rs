//! What waits in the pool, and what reorganisations undid.

use std::sync::Arc;

use dotp2p_chain::name::Name;
use dotp2p_registry::conflict::Conflict;
use dotp2p_registry::query::Reader;

use crate::shape;
use crate::types::{ConflictInfo, ConflictNameInfo, PendingName};

/// Every op of the pool on a name, or on `only` that one; each payer's in their order.
pub(super) fn pending(reader: &Reader, only: Option<&Name>) -> Vec<PendingName> {
    let of = |tx: &dotp2p_registry::mempool::PoolTx| {
        let body = tx.transaction.body();
        let op = |op: &dotp2p_chain::op::Op| {
            let name = op.name()?.to_name().ok().filter(|name| only.is_none_or(|only| only == name))?;
            Some(PendingName {
                op: op.kind().to_owned(),
                txid: tx.txid.to_string(),
                payer: shape::address(&body.payer, &reader.params),
                provisional: op.kind() == "update" && reader.provisional.contains_key(&name),
                name: String::from_utf8_lossy(name.as_bytes()).into_owned(),
            })
        };
        body.ops.iter().filter_map(op).collect::<Vec<_>>()
    };
    reader.pool.iter().flat_map(of).collect()
}

/// The newest first.
pub(super) fn conflicts(reader: &Reader) -> Vec<ConflictInfo> {
    let shape = |conflict: &Arc<Conflict>| ConflictInfo {
        txid: conflict.txid.to_string(),
        payer: shape::address(&conflict.payer, &reader.params),
        height: conflict.tip.0,
        reason: conflict.reason.clone(),
        names: conflict
            .names
            .iter()
            .map(|undone| ConflictNameInfo {
                name: undone.name.clone(),
                op: undone.op.clone(),
                owner: undone.owner.map(|key| shape::address(&key, &reader.params)),
            })
            .collect(),
    };
    reader.conflicts.iter().rev().map(shape).collect()
}
