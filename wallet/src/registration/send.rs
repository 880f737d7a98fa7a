//! The transactions of a registration: built, priced, sent again, bumped.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::{Account, CommitmentEntry};
use dotp2p_chain::hash::Txid;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::records;
use dotp2p_chain::tx::Transaction;

use super::machine::{Missing, Reserved, wait};
use super::{Action, Chain, Failure, Registration, Sent, Step, Version, Waiting, claim_op};
use crate::build::{BuildError, FeeRate, TxPlan};
use crate::keys::Keys;

/// Blocks a Commit may wait: nothing else caps its burn while the level climbs (L10).
const COMMIT_EXPIRY: u32 = 10;
/// Blocks that anything another key co-signs may wait (L10).
const COSIGNED_EXPIRY: u32 = 1_440;

/// What became of a transaction that was sent, and whose effect is not in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// In the pool.
    Waits,
    /// Not in the pool, and it could still be mined.
    Lost,
    /// Too late.
    Expired,
    /// Another transaction has its nonce.
    Displaced,
    /// One before it is gone, so it must wait for another to fill the place.
    Gap,
}

pub(super) fn fate(sent: &Sent, chain: &impl Chain) -> Fate {
    if chain.tip().next() > sent.expiry {
        return Fate::Expired;
    }
    if sent.waits(chain) {
        return Fate::Waits;
    }
    let account = chain.account(&sent.payer).unwrap_or_default();
    let pooled = chain.pooled_account(&sent.payer).unwrap_or(account);
    match pooled.nonce.max(account.nonce).cmp(&sent.nonce) {
        std::cmp::Ordering::Less => Fate::Gap,
        std::cmp::Ordering::Equal => Fate::Lost,
        std::cmp::Ordering::Greater => Fate::Displaced,
    }
}

impl Sent {
    /// Whether a version is in the pool.
    fn waits(&self, chain: &impl Chain) -> bool {
        self.versions.iter().any(|version| chain.pending(&version.txid))
    }

    /// The id of the last version.
    pub(super) fn last(&self) -> Txid {
        self.versions.last().map_or(Txid::ZERO, |version| version.txid)
    }

    /// The fee of the last version.
    fn fee(&self) -> Amount {
        self.versions.last().map_or(Amount::ZERO, |version| version.fee)
    }

    /// The same bytes once more, at most once a height.
    pub(super) fn again(&mut self, chain: &impl Chain) -> Option<Transaction> {
        if self.at == chain.tip() {
            return None;
        }
        let tx = Transaction::decode(&mut self.versions.last()?.bytes.as_slice(), chain.rules()).ok()?;
        self.at = chain.tip();
        Some(tx)
    }

    /// What it took from the payer: burns and the fee of the version that was mined.
    pub(super) fn paid(&self, chain: &impl Chain) -> Amount {
        let mined = self.versions.iter().find(|version| chain.mined(&version.txid));
        mined.map_or(Amount::ZERO, |version| sum(&[version.fee, self.burn]))
    }
}

impl Registration {
    /// Fees and burns that went into it, as far as this wallet knows.
    #[must_use]
    pub fn spent(&self) -> Amount {
        let commits = self.committed.iter().flat_map(|it| [it.burn, it.sent.as_ref().map_or(Amount::ZERO, Sent::fee)]);
        let claim = self.claimed.map_or(Amount::ZERO, |it| it.spent);
        sum(&commits.chain([claim]).collect::<Vec<_>>())
    }

    /// Burns of the Claim's transaction, its commitment made at a level.
    pub(super) fn claim_cost(&self, chain: &impl Chain, level: u64) -> Amount {
        let claim = chain.claim_burn(&self.name, level);
        sum(&[claim, self.update_cost(chain), self.renew_cost(chain, self.years.saturating_sub(1))])
    }

    fn update_cost(&self, chain: &impl Chain) -> Amount {
        if self.records == records::EMPTY { Amount::ZERO } else { chain.update_burn(self.records.len()) }
    }

    fn renew_cost(&self, chain: &impl Chain, years: u8) -> Amount {
        if years == 0 { Amount::ZERO } else { chain.renew_burn(&self.name, years) }
    }

    pub(super) fn send_commit(&mut self, chain: &impl Chain, keys: &Keys, reserved: &Reserved) -> Action {
        let (tip, level) = (chain.tip(), chain.level());
        let burn = chain.commit_burn(level);
        let hash = claim_op(chain, keys, &self.name, &self.owner, self.attempt).commitment(&chain.chain_id());
        // It expires before its hash can be claimed, so that it cannot burn once more after the claim.
        let expiry = plus(tip, COMMIT_EXPIRY.min(chain.rules().age_min));
        let rate = chain.fee_rate();
        let raised = FeeRate(rate.0.saturating_mul(1_u64.checked_shl(self.expired).unwrap_or(u64::MAX)));
        let plan = |payer, nonce| {
            let plan = TxPlan::new(payer, nonce).commit(hash).expires(expiry);
            let (least, raised) = (plan.clone().with_fee_rate(rate), plan.with_fee_rate(raised));
            if raised.fee <= burn {
                raised
            } else {
                let fee = burn.max(least.fee);
                least.with_fee(fee)
            }
        };
        // The Claim is paid for by the same key, twice its fee kept for bumps.
        let like = CommitmentEntry { height: tip.next(), level };
        let claim_fee =
            self.claim_plan(chain, keys, like, self.owner, u64::MAX).with_fee_rate(chain.top_fee_rate()).fee;
        let commit_fee = plan(self.owner, u64::MAX).fee;
        let needed = sum(&[burn, commit_fee, self.claim_cost(chain, level), claim_fee, claim_fee]);
        if let Some(action) = self.over_limit(sum(&[burn, commit_fee, self.claim_cost(chain, level), claim_fee])) {
            return action;
        }
        let (payer, account) = match self.payer(chain, keys, needed, reserved) {
            Ok(found) => found,
            Err(waiting) => return self.wait_for_funds(waiting),
        };
        let plan = plan(payer, account.nonce);
        match self.signed(&plan, burn, &account, chain, keys) {
            Ok((tx, sent)) => {
                self.commit = Some(sent);
                self.step = Step::Commit;
                Action::Send(tx)
            }
            Err(action) => action,
        }
    }

    pub(super) fn send_claim(&mut self, entry: CommitmentEntry, chain: &impl Chain, keys: &Keys) -> Action {
        let cost = self.claim_cost(chain, entry.level);
        let rate = chain.top_fee_rate();
        let fee = self.claim_plan(chain, keys, entry, self.owner, u64::MAX).with_fee_rate(rate).fee;
        if let Some(action) = self.over_limit(sum(&[cost, fee])) {
            return action;
        }
        let (payer, account) = match self.payer(chain, keys, sum(&[cost, fee]), &Reserved::new()) {
            Ok(found) => found,
            Err(waiting) => return self.wait_for_funds(waiting),
        };
        let plan = self.claim_plan(chain, keys, entry, payer, account.nonce).with_fee_rate(rate);
        match self.signed(&plan, cost, &account, chain, keys) {
            Ok((tx, sent)) => {
                self.claim = Some(sent);
                self.step = Step::Claim;
                Action::Send(tx)
            }
            Err(action) => action,
        }
    }

    /// The Claim with half as much fee again, in the same place; `None` where it is high enough or cannot be paid.
    ///
    /// The ceiling is what the Commit burned: for more, one could commit anew. A step of less than an eighth is not
    /// worth a replacement.
    pub(super) fn bump_claim(&mut self, entry: CommitmentEntry, chain: &impl Chain, keys: &Keys) -> Option<Action> {
        let sent = self.claim.clone()?;
        let plan = self.claim_plan(chain, keys, entry, sent.payer, sent.nonce).with_fee_rate(chain.top_fee_rate());
        let tried = sent.tried.atoms();
        let raised = Amount::from_atoms(tried.saturating_add(tried / 2).saturating_add(1));
        let fee = plan.fee.max(raised.min(chain.commit_burn(entry.level)));
        let cost = self.claim_cost(chain, entry.level);
        let within = self.limit.is_none_or(|limit| sum(&[self.spent(), cost, fee]) <= limit);
        if fee.atoms() <= tried.saturating_add(tried / 8) || !within {
            return None;
        }
        let pooled = chain.pooled_account(&sent.payer)?;
        let freed = if sent.waits(chain) { sum(&[sent.fee(), sent.burn]) } else { Amount::ZERO };
        let account = Account { balance: sum(&[pooled.balance, freed]), nonce: sent.nonce };
        let plan = plan.with_fee(fee);
        plan.check(Some(&account), cost, chain.tip().next()).ok()?;
        let (tx, mut bumped) = self.signed(&plan, cost, &account, chain, keys).ok()?;
        bumped.versions.splice(0..0, sent.versions);
        self.claim = Some(bumped);
        Some(Action::Send(tx))
    }

    pub(super) fn send_finish(&mut self, missing: Missing, chain: &impl Chain, keys: &Keys) -> Action {
        let update = if missing.records { self.update_cost(chain) } else { Amount::ZERO };
        let cost = sum(&[update, self.renew_cost(chain, missing.years)]);
        let plan = |payer, nonce| {
            let mut plan = TxPlan::new(payer, nonce).expires(plus(chain.tip(), COMMIT_EXPIRY));
            if missing.records {
                plan = plan.update(&self.name, self.records.clone(), self.owner);
            }
            if missing.years > 0 {
                plan = plan.renew(&self.name, missing.years);
            }
            plan.with_fee_rate(chain.fee_rate())
        };
        let needed = sum(&[cost, plan(self.owner, u64::MAX).fee]);
        let (payer, account) = match self.payer(chain, keys, needed, &Reserved::new()) {
            Ok(found) => found,
            Err(waiting) => return wait(waiting, None),
        };
        let plan = plan(payer, account.nonce);
        match self.signed(&plan, cost, &account, chain, keys) {
            Ok((tx, sent)) => {
                self.finish = Some(sent);
                Action::Send(tx)
            }
            Err(action) => action,
        }
    }

    /// Claim, first records, further years: one transaction, so that the name never stands empty.
    fn claim_plan(
        &self,
        chain: &impl Chain,
        keys: &Keys,
        entry: CommitmentEntry,
        payer: PublicKey,
        nonce: u64,
    ) -> TxPlan {
        let expiry = plus(entry.height, chain.rules().age_max).min(plus(chain.tip(), COSIGNED_EXPIRY));
        let claim = claim_op(chain, keys, &self.name, &self.owner, self.attempt);
        let mut plan = TxPlan::new(payer, nonce).expires(expiry).claim(&self.name, self.owner, claim.salt);
        if self.records != records::EMPTY {
            plan = plan.update(&self.name, self.records.clone(), self.owner);
        }
        if self.years > 1 {
            plan = plan.renew(&self.name, self.years - 1);
        }
        plan
    }

    /// The first key that can pay `needed`, those that paid before and the owner first.
    fn payer(
        &self,
        chain: &impl Chain,
        keys: &Keys,
        needed: Amount,
        reserved: &Reserved,
    ) -> Result<(PublicKey, Account), Waiting> {
        let before = [&self.claim, &self.commit].into_iter().flatten();
        let before = before.chain(self.committed.iter().rev().filter_map(|it| it.sent.as_ref())).map(|sent| sent.payer);
        let mut richest = (keys.first(), Amount::ZERO);
        for key in before.chain([self.owner]).chain(keys.all().iter().copied()).filter(|key| keys.contains(key)) {
            let Some(account) = chain.pooled_account(&key) else { continue };
            let kept = reserved.get(&key).copied().unwrap_or_default();
            let free = account.balance.saturating_sub(kept);
            if free >= needed {
                return Ok((key, account));
            }
            if free > richest.1 {
                richest = (key, free);
            }
        }
        Err(Waiting::Coins { pay_to: richest.0, needed, have: richest.1 })
    }

    fn over_limit(&mut self, further: Amount) -> Option<Action> {
        let needed = sum(&[self.spent(), further]);
        let limit = self.limit.filter(|limit| needed > *limit)?;
        Some(self.wait_for_funds(Waiting::Price { needed, limit }))
    }

    fn wait_for_funds(&mut self, waiting: Waiting) -> Action {
        self.step = Step::Funds;
        wait(waiting, None)
    }

    #[allow(clippy::result_large_err, reason = "both sides are as large, and moved once")]
    /// Checks and signs; what cannot be signed ends the registration, what cannot be paid waits.
    fn signed(
        &mut self,
        plan: &TxPlan,
        burn: Amount,
        account: &Account,
        chain: &impl Chain,
        keys: &Keys,
    ) -> Result<(Transaction, Sent), Action> {
        let tip = chain.tip();
        let chain_id = chain.chain_id();
        let signed = plan.check(Some(account), burn, tip.next()).and_then(|()| plan.sign(keys, &chain_id));
        let tx = signed.map_err(|error| match error {
            BuildError::Balance { needed, have } => {
                self.wait_for_funds(Waiting::Coins { pay_to: plan.payer, needed, have })
            }
            BuildError::MissingKey(key) => self.fail(Failure::Key { key }),
            error => self.fail(Failure::Refused { reason: error.to_string() }),
        })?;
        let txid = tx.txid(&chain_id);
        self.txids.push(txid);
        let sent = Sent {
            attempt: self.attempt,
            payer: plan.payer,
            nonce: plan.nonce,
            burn,
            at: tip,
            expiry: plan.expiry.unwrap_or(Height(u32::MAX)),
            tried: plan.fee,
            versions: vec![Version { txid, fee: plan.fee, bytes: tx.bytes().to_vec() }],
        };
        Ok((tx, sent))
    }
}

fn plus(height: Height, blocks: u32) -> Height {
    Height(height.0.saturating_add(blocks))
}

fn sum(amounts: &[Amount]) -> Amount {
    amounts.iter().try_fold(Amount::ZERO, |sum, amount| sum.checked_add(*amount)).unwrap_or(Amount::MAX)
}
