//! What must be the same on both sides.

use std::collections::{BTreeMap, BTreeSet};

use dotp2p_chain::entry::EntryKey;
use dotp2p_chain::hash::to_hex;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::op::Op;
use dotp2p_chain::tx::Body;
use dotp2p_registry::row::Row;
use dotp2p_registry::rules::{RuleError, Tally};
use dotp2p_registry::state::State;
use dotp2p_registry::view::View;

use super::Sides;
use crate::coverage::ROWS;
use crate::naive::{self, Effect, RefusedTransaction};
use crate::real::{rows, rule_of};
use crate::world::{KEYS, key};

type Naive = Result<Vec<Effect>, RefusedTransaction>;

impl Sides<'_> {
    /// Both take the transaction, or both refuse it and the product names a rule that the naive side found broken.
    pub(super) fn same_outcome(&mut self, body: &Body, real: Option<&RuleError>, naive: &Naive) -> Result<(), String> {
        let tried = match naive {
            Err(refused) => refused.op.map_or(0, |op| op + 1),
            Ok(_) => body.ops.len(),
        };
        self.coverage.ops += tried as u64;
        match (real, naive) {
            (None, Ok(effects)) => {
                for (op, effect) in body.ops.iter().zip(effects) {
                    self.coverage.met(op.kind(), if *effect == Effect::Done { "done" } else { "nothing" });
                }
                Ok(())
            }
            (Some(error), Err(refused)) => {
                let (named, first) = (rule_of(error), refused.rules.first().copied().unwrap_or_default());
                if !refused.rules.contains(&named.as_str()) {
                    return Err(format!("the product names {error}, the naive side {:?}", refused.rules));
                }
                if named != first {
                    *self.coverage.other_order.entry((named.clone(), first.to_owned())).or_default() += 1;
                }
                let row = refused.op.and_then(|at| body.ops.get(at)).map_or("transaction", Op::kind);
                debug_assert!(ROWS.contains(&row), "every op has a row");
                self.coverage.met(row, named);
                Ok(())
            }
            (real, naive) => Err(format!("the product says {real:?}, the naive side {naive:?}")),
        }
    }

    /// Fees, burns and Commits of the open block.
    pub(super) fn same_tally(&self, real: Tally, pad: &naive::Block) -> Result<(), String> {
        let burned = pad.state().burned - self.naive.tip().burned;
        let real = (u128::from(real.fees.atoms()), u128::from(real.burned.atoms()), u64::from(real.commits));
        let naive = (pad.fees(), burned, pad.commits());
        if real == naive { Ok(()) } else { Err(format!("fees, burns, Commits: product {real:?}, naive {naive:?}")) }
    }
}

/// Every entry, and the root.
pub(super) fn states(real: &State, naive: &naive::State) -> Result<(), String> {
    entries(real, naive)?;
    let (root, expected) = (real.root().0, naive.root());
    if root == expected {
        return Ok(());
    }
    Err(format!("the entries agree, the roots do not: product {}, naive {}", to_hex(&root), to_hex(&expected)))
}

/// Every entry.
pub(super) fn entries(real: &State, naive: &naive::State) -> Result<(), String> {
    let entries: BTreeMap<Vec<u8>, Vec<u8>> =
        real.tree().entries().map(|(key, row)| (key.bytes(), row.value())).collect();
    let expected = naive.entries();
    if entries != expected {
        let all: BTreeSet<&Vec<u8>> = entries.keys().chain(expected.keys()).collect();
        let differ = all.into_iter().filter(|key| entries.get(*key) != expected.get(*key));
        let hex = |value: Option<&Vec<u8>>| value.map_or("none".to_owned(), |value| to_hex(value));
        let lines = differ.map(|key| {
            format!("entry {}: product {}, naive {}", to_hex(key), hex(entries.get(key)), hex(expected.get(key)))
        });
        return Err(lines.collect::<Vec<_>>().join("\n"));
    }
    Ok(())
}

/// The entries that a transaction may have touched, as the open block has them.
pub(super) fn touched(body: &Body, real: &mut View<'_>, naive: &naive::State) -> Result<(), String> {
    let mut keys: BTreeSet<PublicKey> = BTreeSet::from([body.payer]);
    for op in &body.ops {
        if let Op::Pay(op) = op {
            keys.insert(op.to);
        }
        if let Op::Commit(op) = op {
            let found = real.get(&EntryKey::Commitment(op.hash)).is_some();
            if found != naive.commitments.contains_key(&op.hash.0) {
                return Err(format!("commitment {}: product {found}", op.hash));
            }
        }
        let Some(Ok(name)) = op.name().map(|name| name.to_name()) else { continue };
        let found = real.name(&name).map(|row| to_hex(&Row::Name(row).value()));
        let expected = naive.names.get(name.as_bytes()).map(|name| to_hex(&name.value()));
        if found != expected {
            return Err(format!("{name}: product {found:?}, naive {expected:?}"));
        }
        keys.extend(naive.names.get(name.as_bytes()).map(|name| PublicKey(name.owner)));
    }
    for key in keys {
        let found = real.account(&key).map(|account| (u128::from(account.balance.atoms()), account.nonce));
        let expected = naive.accounts.get(&key.0).map(|account| (account.balance, account.nonce));
        if found != expected {
            return Err(format!("account {key:?}: product {found:?}, naive {expected:?}"));
        }
    }
    Ok(())
}

/// The product's look-ups against a scan, and the records that it keeps beside the entries.
pub(super) fn indexes(real: &State, naive: &naive::State) -> Result<(), String> {
    for (key, row) in rows(real) {
        if let Row::Name(row) = row
            && naive::records_hash(&row.records) != row.entry.records.0
        {
            return Err(format!("S7: {key:?} keeps other records than its hash says"));
        }
    }
    for owner in (0..KEYS).map(key) {
        let found = real.names_of(&owner).map(|name| name.as_bytes().to_vec());
        let scanned = naive.names.iter().filter(|(_, name)| name.owner == owner.0).map(|(label, _)| label.clone());
        if !found.eq(scanned) {
            return Err(format!("names of {owner:?}"));
        }
    }
    for expires in naive.names.values().map(|name| name.expires).collect::<BTreeSet<_>>() {
        let found = real.names_expiring(Height(expires)).map(|name| name.as_bytes().to_vec());
        let scanned = naive.names.iter().filter(|(_, name)| name.expires == expires).map(|(label, _)| label.clone());
        if !found.eq(scanned) {
            return Err(format!("names that expire at {expires}"));
        }
    }
    for height in naive.commitments.values().map(|commitment| commitment.height).collect::<BTreeSet<_>>() {
        let found = real.commitments_of(Height(height)).map(|hash| hash.0);
        let scanned = naive.commitments.iter().filter(|(_, it)| it.height == height).map(|(hash, _)| *hash);
        if !found.eq(scanned) {
            return Err(format!("commitments of {height}"));
        }
    }
    let counts = (real.name_count(), real.has_commitments());
    let scanned = (naive.names.len(), !naive.commitments.is_empty());
    if counts == scanned { Ok(()) } else { Err(format!("counts: product {counts:?}, naive {scanned:?}")) }
}
