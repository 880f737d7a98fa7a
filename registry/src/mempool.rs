//! Candidates for the next blocks: valid on the tip after their payer's earlier ones, ordered by fee rate (L7).
//!
//! Everything in the pool had its signatures checked, so an import need not check them again. A transaction is tried on
//! the tip's state and its own payer's earlier transactions only: one that needs another payer's unmined transaction is
//! refused until that one is mined. `now` is an argument, in seconds of a clock that is never set: it measures ages alone.

mod provisional;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::Coinbase;
use dotp2p_chain::hash::{Txid, Wtxid};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::tx::Transaction;
use imbl::{HashMap, OrdMap, OrdSet};

use crate::ledger::Draft;
use crate::rules::RuleError;
use crate::state::State;

/// The pool's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all transactions.
    pub bytes: usize,
    /// Transactions of one payer.
    pub per_payer: usize,
    /// Seconds that a transaction is kept.
    pub age_s: u64,
    /// Atoms a byte that a transaction must pay, and by which a replacement must pay more.
    pub fee_rate_min: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 << 20, per_payer: 25, age_s: 14 * 24 * 3_600, fee_rate_min: 1 }
    }
}

/// Why a transaction is not taken into the pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// It is there.
    #[error("transaction is in the pool already")]
    Known,
    /// A rule refuses it in the next block.
    #[error("{0}")]
    Rule(#[from] RuleError),
    /// Its payer has not paid for the ones before.
    #[error("nonce {found} leaves a gap: the payer's next is {expected} (T7e)")]
    Gap {
        /// Its nonce.
        found: u64,
        /// The one that could be taken.
        expected: u64,
    },
    /// Too many of one payer.
    #[error("the payer has {0} transactions in the pool, the most there can be")]
    Chain(usize),
    /// A fee below the least.
    #[error("fee {fee} is below {min}, the least for {bytes} bytes")]
    FeeRate {
        /// Its fee.
        fee: Amount,
        /// The least.
        min: Amount,
        /// Its bytes.
        bytes: usize,
    },
    /// A replacement that pays too little more.
    #[error("it would replace a transaction of fee {old} and must pay at least {min}, not {fee}")]
    Replacement {
        /// Its fee.
        fee: Amount,
        /// The fee of the one in the pool.
        old: Amount,
        /// The least.
        min: Amount,
    },
    /// Too large for any block.
    #[error("transaction has {0} bytes and fits in no block (T4h)")]
    Size(usize),
    /// The pool is full of better ones.
    #[error("the pool is full and the fee rate is below that of everything in it")]
    Full,
}

/// A transaction in the pool.
#[derive(Clone, Debug)]
pub struct PoolTx {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// Its id.
    pub txid: Txid,
    /// Its id with signatures.
    pub wtxid: Wtxid,
    /// When it came, by the `now` it was added with.
    pub since_s: u64,
}

impl PoolTx {
    fn rate(&self) -> Rate {
        Rate::of(&self.transaction)
    }
}

/// A transaction that the pool no longer holds, though no block has it.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// Its id.
    pub txid: Txid,
    /// The rule that refuses it, or the one that it waited for; `None`: there was no room.
    pub error: Option<RuleError>,
}

/// Atoms a byte, exactly: fee × 2³² / bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rate(u128);

impl Rate {
    fn of(transaction: &Transaction) -> Self {
        let bytes = u128::try_from(transaction.bytes().len()).unwrap_or(u128::MAX).max(1);
        Self((u128::from(transaction.body().fee.atoms()) << 32) / bytes)
    }
}

/// The pool. Persistent: a clone is a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Mempool {
    limits: Limits,
    payers: OrdMap<PublicKey, Vec<PoolTx>>,
    txids: HashMap<Txid, PublicKey>,
    wtxids: HashMap<Wtxid, Txid>,
    by_rate: OrdSet<(Rate, Txid)>,
    bytes: usize,
}

impl Mempool {
    /// An empty pool.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// How many transactions are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.txids.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.txids.is_empty()
    }

    /// Bytes of all transactions in it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The pool's bounds.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether just these bytes are in it, their signatures checked.
    #[must_use]
    pub fn has_verified(&self, wtxid: &Wtxid) -> bool {
        self.wtxids.contains_key(wtxid)
    }

    /// The transaction of that id.
    #[must_use]
    pub fn get(&self, txid: &Txid) -> Option<&PoolTx> {
        self.chain(self.txids.get(txid)?).iter().find(|tx| tx.txid == *txid)
    }

    /// Whether the transaction of that id is in it.
    #[must_use]
    pub fn has(&self, txid: &Txid) -> bool {
        self.txids.contains_key(txid)
    }

    /// The transaction of just these bytes, by the hash of them.
    #[must_use]
    pub fn by_wtxid(&self, wtxid: &Wtxid) -> Option<&PoolTx> {
        self.get(self.wtxids.get(wtxid)?)
    }

    /// A payer's transactions, by nonce.
    #[must_use]
    pub fn chain(&self, payer: &PublicKey) -> &[PoolTx] {
        self.payers.get(payer).map_or(&[], Vec::as_slice)
    }

    /// Every transaction, each payer's in their order.
    pub fn iter(&self) -> impl Iterator<Item = &PoolTx> {
        self.payers.values().flatten()
    }

    /// Takes a transaction whose signatures are good. Rule L7.
    pub fn add(
        &mut self,
        transaction: Transaction,
        state: &State,
        tip: Height,
        params: &Params,
        now_s: u64,
    ) -> Result<Txid, PoolError> {
        let (txid, wtxid) = (transaction.txid(&params.chain_id), transaction.wtxid());
        if self.wtxids.contains_key(&wtxid) {
            return Err(PoolError::Known);
        }
        self.check_policy(&transaction, &params.rules)?;
        let body = transaction.body();
        let (payer, nonce) = (body.payer, body.nonce);
        let chain = self.chain(&payer);
        let expected = state.account(&payer).map_or(0, |account| account.nonce);
        let first = chain.first().map(|tx| tx.transaction.body().nonce);
        let place = match nonce.checked_sub(first.unwrap_or(expected)) {
            Some(place) => usize::try_from(place).unwrap_or(usize::MAX),
            None => return Err(RuleError::Nonce { found: nonce, expected }.into()),
        };
        match chain.get(place) {
            Some(old) => self.check_replacement(&transaction, old)?,
            // Without an account or others in the pool, the account's rule tells more than a gap would.
            None if place > chain.len() && first.is_some() => {
                let expected = expected.saturating_add(u64::try_from(chain.len()).unwrap_or(u64::MAX));
                return Err(PoolError::Gap { found: nonce, expected });
            }
            None if chain.len() >= self.limits.per_payer => return Err(PoolError::Chain(chain.len())),
            None => {}
        }
        let since_s = now_s;
        let tx = PoolTx { transaction: Arc::new(transaction), txid, wtxid, since_s };
        let mut candidate = chain.to_vec();
        candidate.truncate(place);
        let mut tail: Vec<PoolTx> = chain.get(place + 1..).unwrap_or_default().to_vec();
        candidate.push(tx);
        let new = candidate.len();
        candidate.append(&mut tail);
        let mut draft = Draft::begin_trial(state, tip.next(), params)?;
        let (kept, refused) = valid_prefix(candidate, &mut draft);
        if let Some((_, error)) = refused.filter(|_| kept.len() < new) {
            return Err(error.into());
        }
        self.make_room(&payer, &kept)?;
        self.replace_chain(payer, kept);
        Ok(txid)
    }

    fn check_policy(&self, transaction: &Transaction, rules: &Rules) -> Result<(), PoolError> {
        let bytes = transaction.bytes().len();
        if bytes > usize::try_from(rules.body_max).unwrap_or(usize::MAX).saturating_sub(Transaction::AROUND) {
            return Err(PoolError::Size(bytes));
        }
        let fee = transaction.body().fee;
        let min = self.fee_for(bytes);
        if fee < min { Err(PoolError::FeeRate { fee, min, bytes }) } else { Ok(()) }
    }

    /// Atoms a byte of the best transaction, rounded up; 0 in an empty pool.
    #[must_use]
    pub fn best_rate(&self) -> u64 {
        self.by_rate.get_max().map_or(0, |(rate, _)| u64::try_from(rate.0.div_ceil(1 << 32)).unwrap_or(u64::MAX))
    }

    /// The least fee for so many bytes.
    #[must_use]
    pub fn fee_for(&self, bytes: usize) -> Amount {
        Amount::from_atoms(self.limits.fee_rate_min.saturating_mul(u64::try_from(bytes).unwrap_or(u64::MAX)))
    }

    fn check_replacement(&self, transaction: &Transaction, old: &PoolTx) -> Result<(), PoolError> {
        let (fee, old_fee) = (transaction.body().fee, old.transaction.body().fee);
        let min = old_fee.checked_add(self.fee_for(transaction.bytes().len())).unwrap_or(Amount::MAX);
        if fee < min || Rate::of(transaction) <= old.rate() {
            return Err(PoolError::Replacement { fee, old: old_fee, min });
        }
        Ok(())
    }

    /// Drops the worst transactions of others until `kept` fits. If `kept` is itself the worst, nothing is dropped.
    fn make_room(&mut self, payer: &PublicKey, kept: &[PoolTx]) -> Result<(), PoolError> {
        let size = |chain: &[PoolTx]| chain.iter().map(|tx| tx.transaction.bytes().len()).sum::<usize>();
        let needed = (self.bytes - size(self.chain(payer)) + size(kept)).saturating_sub(self.limits.bytes);
        let worst_new = kept.iter().map(PoolTx::rate).min();
        let mut ends: BTreeMap<PublicKey, usize> = BTreeMap::new();
        let mut freed = 0;
        for (rate, txid) in &self.by_rate {
            if freed >= needed {
                break;
            }
            if Some(*rate) >= worst_new {
                return Err(PoolError::Full);
            }
            let Some(other) = self.txids.get(txid).filter(|other| *other != payer) else { continue };
            let chain = self.chain(other);
            let end = ends.get(other).copied().unwrap_or(chain.len());
            let at = chain.iter().position(|tx| tx.txid == *txid).unwrap_or(end);
            if at < end {
                // Its payer's later ones cannot stay without it.
                freed += size(chain.get(at..end).unwrap_or_default());
                ends.insert(*other, at);
            }
        }
        if freed < needed {
            return Err(PoolError::Full);
        }
        for (other, end) in ends {
            let mut chain = self.chain(&other).to_vec();
            chain.truncate(end);
            self.replace_chain(other, chain);
        }
        Ok(())
    }

    fn replace_chain(&mut self, payer: PublicKey, chain: Vec<PoolTx>) {
        for old in self.payers.remove(&payer).unwrap_or_default() {
            self.txids.remove(&old.txid);
            self.wtxids.remove(&old.wtxid);
            self.by_rate.remove(&(old.rate(), old.txid));
            self.bytes -= old.transaction.bytes().len();
        }
        for tx in &chain {
            self.txids.insert(tx.txid, payer);
            self.wtxids.insert(tx.wtxid, tx.txid);
            self.by_rate.insert((tx.rate(), tx.txid));
            self.bytes += tx.transaction.bytes().len();
        }
        if !chain.is_empty() {
            self.payers.insert(payer, chain);
        }
    }

    /// After the tip moved: drops what is mined, dead or too old, and takes back what was disconnected.
    ///
    /// Returns what was dropped without being mined, each with the reason.
    pub fn tip_moved(
        &mut self,
        disconnected: Vec<Arc<Transaction>>,
        state: &State,
        tip: Height,
        params: &Params,
        now_s: u64,
    ) -> Vec<Dropped> {
        let mut chains: BTreeMap<PublicKey, BTreeMap<u64, PoolTx>> = BTreeMap::new();
        for transaction in disconnected {
            let (txid, wtxid) = (transaction.txid(&params.chain_id), transaction.wtxid());
            let (payer, nonce) = (transaction.body().payer, transaction.body().nonce);
            let tx = PoolTx { transaction, txid, wtxid, since_s: now_s };
            chains.entry(payer).or_default().insert(nonce, tx);
        }
        // What the pool took later than the block wins: it has replaced what was mined there.
        for tx in self.iter().filter(|tx| tx.since_s.saturating_add(self.limits.age_s) >= now_s) {
            chains.entry(tx.transaction.body().payer).or_default().insert(tx.transaction.body().nonce, tx.clone());
        }
        *self = Self::new(self.limits);
        let mut dropped = Vec::new();
        let Ok(mut draft) = Draft::begin_trial(state, tip.next(), params) else { return dropped };
        for (payer, chain) in chains {
            let nonce = state.account(&payer).map_or(0, |account| account.nonce);
            let chain = chain.into_values().filter(|tx| tx.transaction.body().nonce >= nonce).collect();
            let (kept, rest) = valid_prefix(chain, &mut draft);
            if let Some((rest, error)) = rest {
                // Its payer's later ones cannot stay without it.
                let each = rest.into_iter().map(|PoolTx { transaction, txid, .. }| (transaction, txid));
                dropped.extend(each.map(|(transaction, txid)| Dropped {
                    transaction,
                    txid,
                    error: Some(error.clone()),
                }));
            }
            self.replace_chain(payer, kept);
        }
        dropped.extend(self.shrink());
        dropped
    }

    /// Drops the worst, each with its payer's later ones, until the rest fits: many blocks may have been disconnected.
    fn shrink(&mut self) -> Vec<Dropped> {
        let mut excess = self.bytes.saturating_sub(self.limits.bytes);
        if excess == 0 {
            return Vec::new();
        }
        let places: HashMap<Txid, usize> =
            self.payers.values().flat_map(|chain| (0..).zip(chain).map(|(at, tx)| (tx.txid, at))).collect();
        let (mut ends, mut dropped) = (BTreeMap::<PublicKey, usize>::new(), Vec::new());
        for (_, txid) in &self.by_rate {
            let (Some(payer), Some(at), true) = (self.txids.get(txid), places.get(txid), excess > 0) else { break };
            let chain = self.chain(payer);
            let end = ends.entry(*payer).or_insert(chain.len());
            for PoolTx { transaction, txid, .. } in chain.get(*at..*end).unwrap_or_default() {
                excess = excess.saturating_sub(transaction.bytes().len());
                dropped.push(Dropped { transaction: transaction.clone(), txid: *txid, error: None });
            }
            *end = (*end).min(*at);
        }
        for (payer, end) in ends {
            let mut chain = self.chain(&payer).to_vec();
            chain.truncate(end);
            self.replace_chain(payer, chain);
        }
        dropped
    }

    /// The transactions of a block at `height` on `state`, by fee rate, each payer's in order, and what they add up to.
    #[must_use]
    pub fn select(&self, state: &State, height: Height, coinbase: &Coinbase, params: &Params) -> Vec<Transaction> {
        let Ok(mut draft) = Draft::begin(state, height, params) else { return Vec::new() };
        let mut room = usize::try_from(params.rules.body_max).unwrap_or(usize::MAX);
        room = room.saturating_sub(coinbase.encode().len() + 4);
        let mut next: BTreeSet<(Rate, PublicKey, usize)> = BTreeSet::new();
        for (payer, chain) in &self.payers {
            if let Some(tx) = chain.first() {
                next.insert((tx.rate(), *payer, 0));
            }
        }
        let mut selected = Vec::new();
        while let Some((_, payer, at)) = next.pop_last() {
            let chain = self.chain(&payer);
            let Some(tx) = chain.get(at) else { continue };
            let bytes = tx.transaction.bytes().len();
            if bytes > room || draft.apply(&tx.transaction).is_err() {
                continue;
            }
            room -= bytes;
            selected.push(tx.transaction.as_ref().clone());
            if let Some(tx) = chain.get(at + 1) {
                next.insert((tx.rate(), payer, at + 1));
            }
        }
        selected
    }
}

/// The longest prefix of a payer's chain that is valid in `draft`, which is left as it was; the rest, and what refuses its
/// first.
fn valid_prefix(mut chain: Vec<PoolTx>, draft: &mut Draft<'_>) -> (Vec<PoolTx>, Option<(Vec<PoolTx>, RuleError)>) {
    let refused = draft.tried(|draft| {
        let mut each = chain.iter().enumerate();
        each.find_map(|(at, tx)| {
            // A transaction has its limit of Commits, a payer has none: his next ones wait for the next blocks (L7).
            draft.forget_commits();
            Some((at, draft.apply(&tx.transaction).err()?))
        })
    });
    let Some((at, error)) = refused else { return (chain, None) };
    let rest = chain.split_off(at);
    (chain, Some((rest, error)))
}
