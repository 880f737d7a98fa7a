//! Blocks that nobody drafted: hostile orders, and roots that are wrong. Each is judged as a whole and taken back.

use dotp2p_chain::block::Block;
use dotp2p_chain::height::Height;
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::ledger::{Draft, LedgerError, connect_block, disconnect_block};
use fastrand::Rng;

use super::{Open, Sides, compare};
use crate::naive::RefusedTransaction;
use crate::real::block;
use crate::world::{MINERS, key};

impl Sides<'_> {
    /// A block of the open one's transactions, rearranged.
    pub(super) fn forge(&mut self, seed: u64, open: &Open) -> Result<(), String> {
        let mut rng = Rng::with_seed(seed);
        let transactions = rearranged(&mut rng, open);
        let to = key(rng.u8(0..MINERS)).0;
        self.say(|| format!("forged block of {} transactions", transactions.len()));
        let height = self.naive.height() + 1;
        let expected = self.judge(&transactions, to);
        let mut root = expected.as_ref().map_or([0; 32], |(_, root)| *root);
        let wrong_root = rng.u8(0..4) == 0;
        if let Some(byte) = root.get_mut(rng.usize(0..32)).filter(|_| wrong_root) {
            *byte ^= 1 << rng.u8(0..8);
        }
        self.same_trial(height, &transactions, &expected)?;
        let block = block(&self.world.params, height, to, transactions, root);
        let outcome = self.same_verdict(&block, &expected, wrong_root);
        // The naive side judged by making the block its tip.
        if expected.is_ok() {
            self.naive.drop_to(height - 1);
        }
        outcome
    }

    /// The naive verdict: the block becomes the tip and gives its root, or the first refusal with its place.
    fn judge(
        &mut self,
        transactions: &[Transaction],
        to: [u8; 32],
    ) -> Result<(u64, [u8; 32]), (usize, RefusedTransaction)> {
        let mut pad = self.naive.begin();
        for (at, transaction) in transactions.iter().enumerate() {
            let outcome = pad.transaction(transaction.body()).map_err(|refused| (at, refused));
            outcome?;
        }
        let commits = pad.commits();
        self.naive.finish(pad, to);
        Ok((commits, self.naive.tip().root()))
    }

    fn same_verdict(
        &mut self,
        block: &Block,
        expected: &Result<(u64, [u8; 32]), (usize, RefusedTransaction)>,
        wrong_root: bool,
    ) -> Result<(), String> {
        let before = self.real.state.root();
        let mut state = self.real.state.clone();
        let found = connect_block(&mut state, block, &self.world.params);
        let says = |found: &dyn std::fmt::Debug| format!("a forged block: product {found:?}, naive {expected:?}");
        match (found, expected) {
            (Ok(connected), Ok(_)) if !wrong_root => {
                self.coverage.forged.0 += 1;
                compare::states(&state, self.naive.tip())?;
                disconnect_block(&mut state, &connected.changes);
            }
            (Err(LedgerError::StateRoot { .. }), Ok(_)) if wrong_root => self.coverage.forged.1 += 1,
            (Err(LedgerError::Transaction { at, error }), Err((place, refused))) if at == *place => {
                self.coverage.forged.1 += 1;
                let body = block.transactions.get(at).ok_or("a place beyond the block")?.body().clone();
                self.same_outcome(&body, Some(&error), &Err(refused.clone()))?;
            }
            (found, _) => return Err(says(&found)),
        }
        if state.root() == before { Ok(()) } else { Err("a refused or disconnected block left something".to_owned()) }
    }

    /// A trial leaves out the removal of names that become free; no verdict may depend on it (N3).
    fn same_trial(
        &self,
        height: u32,
        transactions: &[Transaction],
        expected: &Result<(u64, [u8; 32]), (usize, RefusedTransaction)>,
    ) -> Result<(), String> {
        let params = &self.world.params;
        let mut trial =
            Draft::begin_trial(&self.real.state, Height(height), params).map_err(|error| error.to_string())?;
        let refused = transactions.iter().position(|transaction| trial.apply(transaction).is_err());
        let place = expected.as_ref().err().map(|(at, _)| *at);
        if refused == place { Ok(()) } else { Err(format!("a trial refuses {refused:?}, a block {place:?}")) }
    }
}

fn rearranged(rng: &mut Rng, open: &Open) -> Vec<Transaction> {
    let mut all = open.taken.clone();
    match rng.u8(0..6) {
        0 | 1 => rng.shuffle(&mut all),
        2 => {
            let refused = rng.choice(&open.refused).cloned();
            let at = rng.usize(0..=all.len());
            all.splice(at..at, refused);
        }
        3 => {
            let twice = rng.choice(&open.taken).cloned();
            let at = rng.usize(0..=all.len());
            all.splice(at..at, twice);
        }
        4 if !all.is_empty() => drop(all.remove(rng.usize(0..all.len()))),
        _ => {}
    }
    all
}
