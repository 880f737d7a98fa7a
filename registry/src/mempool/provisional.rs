//! Updates served before a block holds them (L5, L6).

use std::collections::{BTreeMap, BTreeSet};

use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::Op;
use dotp2p_chain::params::Rules;

use super::Mempool;
use crate::state::State;

impl Mempool {
    /// Records that an Update in the pool would give a name, to be served before they are mined. Rules L5, L6.
    ///
    /// `is_settled` tells whether an active name's present owner is the one that DNS serves (L4).
    #[must_use]
    pub fn provisional(
        &self,
        state: &State,
        tip: Height,
        rules: &Rules,
        is_settled: impl Fn(&Name) -> bool,
    ) -> BTreeMap<Name, Vec<u8>> {
        let mut served: BTreeMap<Name, (bool, Vec<u8>)> = BTreeMap::new();
        let mut touched_by_owner: BTreeSet<Name> = BTreeSet::new();
        for tx in self.iter() {
            let body = tx.transaction.body();
            let names = body.ops.iter().filter_map(|op| op.name()?.to_name().ok());
            let rows: Vec<_> = names
                .filter_map(|name| state.name_at(&name, tip.next(), rules).map(|(row, _)| (name, row.clone())))
                .collect();
            let signed = |key: &PublicKey| body.payer == *key || body.signers.binary_search(key).is_ok();
            for (name, row) in &rows {
                if signed(&row.entry.owner) {
                    touched_by_owner.insert(name.clone());
                }
            }
            let harmless = body.ops.iter().all(|op| matches!(op, Op::Update(_) | Op::Renew(_) | Op::SetKeys(_)));
            let one_owner = rows.windows(2).all(|pair| matches!(pair, [a, b] if a.1.entry.owner == b.1.entry.owner));
            if !harmless || !one_owner || rows.len() != body.ops.len() {
                continue;
            }
            for (op, (name, row)) in body.ops.iter().zip(rows) {
                let Op::Update(update) = op else { continue };
                let by_owner = signed(&row.entry.owner);
                let by_manager = row.entry.manager.is_some_and(|key| signed(&key));
                let may = (by_owner || by_manager) && is_settled(&name);
                let hidden = served.get(&name).is_some_and(|(owner, _)| *owner && !by_owner);
                if may && !hidden && update.records.len() <= crate::price::RECORDS_FREE {
                    served.insert(name, (by_owner, update.records.clone()));
                }
            }
        }
        served.retain(|name, (by_owner, _)| *by_owner || !touched_by_owner.contains(name));
        served.into_iter().map(|(name, (_, records))| (name, records)).collect()
    }
}
