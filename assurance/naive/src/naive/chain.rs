//! Blocks and transactions: S9 to S12, T7 to T14. A block's state is a copy of its parent's.

use std::sync::Arc;

use dotp2p_chain::params::Rules;
use dotp2p_chain::tx::Body;

use super::bend::Bend;
use super::genesis;
use super::money;
use super::names::{Effect, Signed};
use super::state::{Account, Key, State};
use super::{Refused, RefusedTransaction, Rule};

/// A chain: the state after each of its blocks, genesis first.
pub struct Chain {
    rules: Arc<Rules>,
    chain_id: [u8; 32],
    bend: Option<Bend>,
    states: Vec<State>,
}

impl Chain {
    /// Genesis alone.
    pub fn new(rules: &Rules, bend: Option<Bend>) -> Self {
        let (rules, chain_id) = (Arc::new(rules.clone()), genesis::chain_id(rules));
        Self { rules, chain_id, bend, states: vec![State::genesis()] }
    }

    /// Genesis and then these accounts besides: a start that no chain has, for what no chain reaches.
    pub fn preset(&mut self, accounts: &[(Key, Account)]) {
        if let [genesis] = self.states.as_mut_slice() {
            genesis.accounts.extend(accounts.iter().copied());
        }
    }

    /// The tip's height.
    pub fn height(&self) -> u32 {
        u32::try_from(self.states.len() - 1).expect("chains here are short")
    }

    /// The state after the tip.
    pub fn tip(&self) -> &State {
        self.states.last().expect("genesis is never dropped")
    }

    /// Goes back to an earlier block: whatever came after it is forgotten.
    pub fn drop_to(&mut self, height: u32) {
        let level = self.tip().level;
        self.states.truncate(height as usize + 1);
        if let (Some(Bend::ReorgKeepsLevel), Some(tip)) = (self.bend, self.states.last_mut()) {
            tip.level = level;
        }
    }

    /// Steps 1 and 2 of the next block (S9).
    pub fn begin(&self) -> Block {
        let state = self.tip().clone();
        let (level, height) = (state.level, self.height() + 1);
        let (rules, chain_id, bend) = (self.rules.clone(), self.chain_id, self.bend);
        let mut block = Block { rules, chain_id, bend, height, level, state, fees: 0, commits: 0 };
        block.mature();
        block.expire();
        block
    }

    /// Steps 4 and 5: the block with this coinbase becomes the tip.
    pub fn finish(&mut self, block: Block, to: Key) {
        self.states.push(block.end(to));
    }
}

/// The block that is being made.
#[derive(Clone)]
pub struct Block {
    pub(super) rules: Arc<Rules>,
    pub(super) chain_id: [u8; 32],
    pub(super) bend: Option<Bend>,
    pub(super) height: u32,
    /// L: as the parent left it (N4).
    pub(super) level: u64,
    pub(super) state: State,
    fees: u128,
    /// Effective Commits so far (N7).
    pub(super) commits: u64,
}

impl Block {
    /// The state as the transactions so far left it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The block's height.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Effective Commits so far.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// Fees so far.
    pub fn fees(&self) -> u128 {
        self.fees
    }

    /// The reward of height h − maturity is credited, free of creation (S10).
    fn mature(&mut self) {
        let maturity = self.rules.maturity.saturating_add(u32::from(self.bend == Some(Bend::RewardMaturesLate)));
        let Some(from) = self.height.checked_sub(maturity) else { return };
        if let Some((to, amount)) = self.state.rewards.remove(&from) {
            self.credit(to, amount);
        }
    }

    /// Commitments too old to be claimed and names that are free go (S11, S12).
    fn expire(&mut self) {
        let oldest = u64::from(self.rules.age_max) + u64::from(self.bend == Some(Bend::CommitmentLivesLonger));
        let height = u64::from(self.height);
        self.state.commitments.retain(|_, commitment| height - u64::from(commitment.height) <= oldest);
        let freed = |name: &&Vec<u8>| self.state.names.get(*name).is_some_and(|name| self.ends(name).1 <= height);
        let free: Vec<Vec<u8>> = self.state.names.keys().filter(freed).cloned().collect();
        for label in free {
            self.state.names.remove(&label);
        }
    }

    /// One transaction, signatures apart (T7). Where it is refused nothing of it remains.
    pub fn transaction(&mut self, body: &Body) -> Result<Vec<Effect>, RefusedTransaction> {
        let mut trial = self.clone();
        let outcome = trial.try_transaction(body);
        if outcome.is_ok() {
            *self = trial;
        } else if self.bend == Some(Bend::RefusedPaysFee) && self.clone().pay_fee(body).is_ok() {
            let _ = self.pay_fee(body);
        }
        outcome
    }

    fn try_transaction(&mut self, body: &Body) -> Result<Vec<Effect>, RefusedTransaction> {
        self.pay_fee(body).map_err(|rule| RefusedTransaction { op: None, rules: vec![rule] })?;
        let keys = std::iter::once(&body.payer).chain(&body.signers).map(|key| key.0).collect();
        let signed = Signed { payer: body.payer.0, keys };
        let in_order = body.ops.iter().enumerate();
        in_order
            .map(|(at, op)| self.op(op, &signed).map_err(|rules| RefusedTransaction { op: Some(at), rules }))
            .collect()
    }

    /// T7c to T7f, T7h, T9.
    fn pay_fee(&mut self, body: &Body) -> Result<(), Rule> {
        let early = u64::from(self.bend == Some(Bend::ExpiryIsExclusive));
        if body.expiry.is_some_and(|last| u64::from(self.height) + early > u64::from(last.0)) {
            return Err("T7c");
        }
        let account = self.state.accounts.get_mut(&body.payer.0).ok_or("T7d")?;
        if body.nonce != account.nonce {
            return Err("T7e");
        }
        let fee = u128::from(body.fee.atoms());
        if fee > account.balance {
            return Err("T7f");
        }
        account.balance -= fee;
        account.nonce = account.nonce.checked_add(1).ok_or("T7h")?;
        self.fees += fee;
        Ok(())
    }

    /// The money of an op (T11, T12): nothing happens where it is refused.
    pub(super) fn charge(&mut self, payer: Key, burn: u128, payment: Option<(Key, u64)>) -> Result<(), Refused> {
        let creates = payment.is_some_and(|(to, _)| !self.state.accounts.contains_key(&to));
        let creation = if creates && self.bend != Some(Bend::CreationIsFree) { money::CREATION } else { 0 };
        let cost = burn + creation + payment.map_or(0, |(_, amount)| u128::from(amount));
        let account = self.state.accounts.get_mut(&payer).expect("T7d: the payer has an account");
        if cost > u128::from(u64::MAX) || cost > account.balance {
            return Err(vec!["T11a"]);
        }
        account.balance -= cost;
        self.state.burned += burn + creation;
        if let Some((to, amount)) = payment {
            self.credit(to, amount);
        }
        Ok(())
    }

    fn credit(&mut self, to: Key, amount: u64) {
        let account = self.state.accounts.entry(to).or_insert(Account { balance: 0, nonce: 0 });
        account.balance += u128::from(amount);
    }

    fn end(mut self, to: Key) -> State {
        let subsidy = money::subsidy(&self.rules, self.height.into(), self.bend);
        self.state.issued += subsidy;
        let fees = if self.bend == Some(Bend::FeesAreLost) { 0 } else { self.fees };
        let amount = u64::try_from(subsidy + fees).expect("B3m: no reward can overflow");
        if amount > 0 {
            self.state.rewards.insert(self.height, (to, amount));
        }
        self.state.level = money::next_level(&self.rules, self.level, self.commits, self.bend);
        self.state
    }
}
