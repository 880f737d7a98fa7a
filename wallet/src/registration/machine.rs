//! What to do next, from the chain as it is.

use std::collections::BTreeMap;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::{CommitmentEntry, NameEntry, Stage};
use dotp2p_chain::hash::Txid;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::records::{self, records_hash};

use super::send::{Fate, fate};
use super::{
    ATTEMPT_MAX, Action, Chain, Claimed, Committed, Failure, Registration, SETTLED_BLOCKS, Step, TxidText, Waiting,
    live, oldest_live,
};
use crate::keys::Keys;

/// Refusals by the pool, each at another tip, after which a registration gives up.
const REFUSALS_MAX: u32 = 20;
/// Blocks that make somebody else's claim final, unless the network's least commitment age is smaller.
const RIVAL_BLOCKS: u32 = 6;
/// Blocks after which a Claim that waits is sent with a higher fee.
pub(super) const BUMP_BLOCKS: u32 = 2;

/// Coins that other registrations count on, by payer.
pub(crate) type Reserved = BTreeMap<PublicKey, Amount>;

impl Registration {
    /// What to do at the chain's tip. Deterministic and total; asks nothing but its arguments.
    pub fn next(&mut self, chain: &impl Chain, keys: &Keys) -> Action {
        self.next_reserving(chain, keys, &Reserved::new())
    }

    /// [`Registration::next`] while other registrations count on `reserved`.
    pub(crate) fn next_reserving(&mut self, chain: &impl Chain, keys: &Keys, reserved: &Reserved) -> Action {
        if let Step::Failed(failure) = &self.step {
            return Action::Failed(failure.clone());
        }
        if self.settled {
            return Action::Done;
        }
        if self.refused_at == Some(chain.tip().0) {
            let reason = self.error.clone().unwrap_or_default();
            return wait(Waiting::Refused { reason }, None);
        }
        self.refused_at = None;
        let name = chain.name(&self.name);
        if name.as_ref().is_some_and(|(_, stage)| matches!(stage, Stage::Active | Stage::Grace)) {
            self.see_spent_commitment(chain, keys);
        }
        match name {
            Some((entry, Stage::Active)) if entry.owner == self.owner => self.owned(&entry, chain, keys),
            Some((entry, Stage::Active | Stage::Grace)) => self.taken(&entry, chain),
            Some((_, Stage::Released | Stage::Free)) | None => self.open(chain, keys, reserved),
        }
    }

    /// Goes on with a registration that was over, if its Claim is in the chain no more: a reorganisation was deeper than
    /// [`SETTLED_BLOCKS`]. Whether it does.
    ///
    /// `reorganised`: a tip that was seen has left the chain. Without that, as at a start, a chain that ends below the Claim
    /// is one that has not come that far. A name that would have lapsed by now is let go.
    pub fn reopen(&mut self, chain: &impl Chain, reorganised: bool) -> bool {
        let tip = chain.tip();
        let is_gone = |seen: &Claimed| {
            let reaches = reorganised || tip >= seen.since;
            let is_mined = seen.by.map_or(tip >= seen.since, |TxidText(by)| chain.mined(&by));
            tip < seen.expires && reaches && !is_mined
        };
        let reopens = self.settled && self.claimed.as_ref().is_some_and(is_gone);
        self.settled &= !reopens;
        reopens
    }

    /// Takes note that the pool refused a transaction at height `tip`. If it was a version with a higher fee, the one
    /// before still stands; else it is built anew at the next block.
    pub fn refused(&mut self, txid: &Txid, tip: Height, reason: &str) {
        let mut stands = false;
        for slot in [&mut self.commit, &mut self.claim, &mut self.finish] {
            let Some(sent) = slot.as_mut().filter(|sent| sent.versions.iter().any(|it| it.txid == *txid)) else {
                continue;
            };
            sent.versions.retain(|version| version.txid != *txid);
            stands = !sent.versions.is_empty();
            if !stands {
                *slot = None;
            }
        }
        self.txids.retain(|sent| sent != txid);
        self.error = Some(reason.to_owned());
        if stands {
            return;
        }
        self.refused_at = Some(tip.0);
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals >= REFUSALS_MAX {
            self.step = Step::Failed(Failure::Refused { reason: reason.to_owned() });
        }
    }

    /// Coins that this registration will still need for its Claim, and the key that should have them.
    pub(crate) fn reserves(&self, chain: &impl Chain) -> Option<(PublicKey, Amount)> {
        let committed = self.committed.iter().find(|it| it.attempt == self.attempt)?;
        let payer = committed.sent.as_ref().map_or(self.owner, |sent| sent.payer);
        let waits = matches!(self.step, Step::Age) && self.claim.is_none();
        waits.then(|| (payer, self.claim_cost(chain, chain.level())))
    }

    /// The name is ours.
    fn owned(&mut self, entry: &NameEntry, chain: &impl Chain, keys: &Keys) -> Action {
        let mined = |by: TxidText| chain.mined(&by.0);
        // Given to oneself, `since` changes and `expires` does not; renewed, the other way round; neither ever falls.
        let kept = |seen: &Claimed| {
            seen.expires == entry.expires || (seen.since == entry.since && seen.expires < entry.expires)
        };
        let same = |seen: &Claimed| match seen.complete {
            true => kept(seen) && seen.by.is_none_or(mined),
            false => seen.since == entry.since,
        };
        let mut seen = self.claimed.filter(same).unwrap_or_else(|| Claimed {
            since: entry.since,
            expires: entry.expires,
            spent: self.claim.as_ref().map_or(Amount::ZERO, |sent| sent.paid(chain)),
            complete: false,
            by: None,
        });
        self.refusals = 0;
        let missing = if seen.complete { Missing::default() } else { self.missing(entry, chain) };
        if missing != Missing::default() {
            self.claimed = Some(seen);
            self.step = Step::Finish;
            return self.finish(missing, chain, keys);
        }
        if !seen.complete {
            let finish = self.finish.as_ref().map_or(Amount::ZERO, |sent| sent.paid(chain));
            seen.spent = seen.spent.checked_add(finish).unwrap_or(Amount::MAX);
            let versions = self.finish.iter().chain(&self.claim).flat_map(|sent| &sent.versions);
            seen.by = versions.map(|version| version.txid).find(|txid| chain.mined(txid)).map(TxidText);
            (seen.complete, seen.expires) = (true, entry.expires);
        }
        self.claimed = Some(seen);
        self.error = None;
        self.step = Step::Done;
        self.settled = chain.tip().0 >= seen.since.0.saturating_add(SETTLED_BLOCKS);
        Action::Done
    }

    /// What a Claim alone left undone: somebody else sent ours, without the ops that stood beside it.
    fn missing(&self, entry: &NameEntry, chain: &impl Chain) -> Missing {
        let year = u64::from(chain.rules().year).max(1);
        let paid_until = u64::from(entry.since.0) + u64::from(self.years) * year;
        let years = paid_until.saturating_sub(u64::from(entry.expires.0)).div_ceil(year);
        Missing {
            records: self.records != records::EMPTY && entry.records == records_hash(&records::EMPTY),
            years: u8::try_from(years).unwrap_or(u8::MAX).min(10),
        }
    }

    /// Somebody else has the name.
    fn taken(&mut self, entry: &NameEntry, chain: &impl Chain) -> Action {
        let moved = |seen: &Claimed| seen.complete && seen.expires == entry.expires && seen.since < entry.since;
        if self.claimed.as_ref().is_some_and(moved) {
            self.settled = true;
            return Action::Done;
        }
        self.claimed = None;
        let final_at = entry.since.0.saturating_add(RIVAL_BLOCKS.min(chain.rules().age_min)).saturating_sub(1);
        let left = final_at.saturating_sub(chain.tip().0);
        if left > 0 {
            self.step = Step::Rival;
            return wait(Waiting::Rival { by: entry.owner }, Some(left));
        }
        self.fail(Failure::Taken { by: entry.owner, since: entry.since, spent: self.spent() })
    }

    /// Nobody has the name.
    fn open(&mut self, chain: &impl Chain, keys: &Keys, reserved: &Reserved) -> Action {
        self.claimed = None;
        let found = live(chain, keys, &self.name, &self.owner, self.attempt)
            .map(|entry| (self.attempt, entry))
            .or_else(|| oldest_live(chain, keys, &self.name, &self.owner));
        if let Some((attempt, entry)) = found {
            self.attempt = attempt;
            self.see_commitment(entry, chain);
            return self.claim(entry, chain, keys);
        }
        if !self.next_attempt(chain) {
            return self.fail(Failure::Attempts { attempts: self.attempt + 1, spent: self.spent() });
        }
        self.commit(chain, keys, reserved)
    }

    /// Takes note of this attempt's commitment.
    fn see_commitment(&mut self, entry: CommitmentEntry, chain: &impl Chain) {
        let (attempt, height) = (self.attempt, entry.height);
        if self.committed.iter().any(|it| it.attempt == attempt && it.height == height) {
            return;
        }
        let before = self.committed.iter().position(|it| it.attempt == attempt).map(|at| self.committed.remove(at));
        let sent = self.commit.take_if(|sent| sent.attempt == attempt).or_else(|| before.and_then(|it| it.sent));
        self.committed.push(Committed { attempt, height, burn: chain.commit_burn(entry.level), sent });
        (self.expired, self.refusals, self.error) = (0, 0, None);
    }

    /// Takes note of this attempt's commitment where the name is taken: still live, or, if the chain went on unseen,
    /// consumed or dead already.
    fn see_spent_commitment(&mut self, chain: &impl Chain, keys: &Keys) {
        if let Some(entry) = live(chain, keys, &self.name, &self.owner, self.attempt) {
            self.see_commitment(entry, chain);
        }
        if let Some(sent) = self.commit.take_if(|sent| sent.paid(chain) > Amount::ZERO) {
            self.committed.push(Committed {
                attempt: sent.attempt,
                height: sent.at.next(),
                burn: sent.burn,
                sent: Some(sent),
            });
        }
    }

    /// Passes to the next attempt if this one's commitment grew too old, and forgets one that a reorganisation took
    /// away; whether there is an attempt left.
    fn next_attempt(&mut self, chain: &impl Chain) -> bool {
        let next = u64::from(chain.tip().next().0);
        while let Some(at) = self.committed.iter().position(|it| it.attempt == self.attempt) {
            let Some(seen) = self.committed.get(at) else { break };
            if next <= u64::from(seen.height.0) + u64::from(chain.rules().age_max) {
                let seen = self.committed.remove(at);
                self.commit = self.commit.take().or(seen.sent);
                break;
            }
            if self.attempt >= ATTEMPT_MAX {
                return false;
            }
            self.attempt += 1;
            (self.commit, self.claim) = (None, None);
        }
        true
    }

    fn commit(&mut self, chain: &impl Chain, keys: &Keys, reserved: &Reserved) -> Action {
        let attempt = self.attempt;
        if let Some(sent) = self.commit.as_mut().filter(|sent| sent.attempt == attempt) {
            match fate(sent, chain) {
                fate @ (Fate::Waits | Fate::Lost) => {
                    self.step = Step::Commit;
                    let what = Waiting::Commit(sent.last());
                    let again = if fate == Fate::Lost { sent.again(chain) } else { None };
                    let left = chain.rules().age_min.saturating_add(1);
                    return again.map_or_else(|| wait(what, Some(left)), Action::Send);
                }
                Fate::Expired => self.expired = self.expired.saturating_add(1),
                Fate::Displaced | Fate::Gap => {}
            }
        }
        self.commit = None;
        self.send_commit(chain, keys, reserved)
    }

    fn claim(&mut self, entry: CommitmentEntry, chain: &impl Chain, keys: &Keys) -> Action {
        let tip = chain.tip();
        let claim_at = entry.height.0.saturating_add(chain.rules().age_min);
        let left = Some(claim_at.saturating_sub(tip.0).max(1));
        if tip.next().0 < claim_at {
            self.step = Step::Age;
            return wait(Waiting::Age, left);
        }
        let attempt = self.attempt;
        if let Some(sent) = self.claim.as_mut().filter(|sent| sent.attempt == attempt) {
            let fate = fate(sent, chain);
            if matches!(fate, Fate::Waits | Fate::Lost) {
                self.step = Step::Claim;
                let what = Waiting::Claim(sent.last());
                if tip.0 >= sent.at.0.saturating_add(BUMP_BLOCKS)
                    && let Some(action) = self.bump_claim(entry, chain, keys)
                {
                    return action;
                }
                let again = self.claim.as_mut().filter(|_| fate == Fate::Lost).and_then(|sent| sent.again(chain));
                return again.map_or_else(|| wait(what, left), Action::Send);
            }
        }
        self.claim = None;
        self.send_claim(entry, chain, keys)
    }

    fn finish(&mut self, missing: Missing, chain: &impl Chain, keys: &Keys) -> Action {
        if let Some(sent) = &mut self.finish {
            match fate(sent, chain) {
                Fate::Waits | Fate::Gap => return wait(Waiting::Finish(sent.last()), Some(1)),
                Fate::Lost => {
                    let what = Waiting::Finish(sent.last());
                    return sent.again(chain).map_or_else(|| wait(what, Some(1)), Action::Send);
                }
                Fate::Expired | Fate::Displaced => {}
            }
        }
        self.finish = None;
        self.send_finish(missing, chain, keys)
    }

    pub(super) fn fail(&mut self, failure: Failure) -> Action {
        self.step = Step::Failed(failure.clone());
        self.error = Some(failure.to_string());
        Action::Failed(failure)
    }
}

/// What is to be added to a claimed name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) records: bool,
    pub(super) years: u8,
}

pub(super) fn wait(what: Waiting, blocks_left: Option<u32>) -> Action {
    Action::Wait { what, blocks_left }
}
