//! The ten ops as the spec has them: each refuses, or changes the ledger. Read it beside `docs/spec/names.md`.

use std::fmt;

use crate::key::{Key, KeySet};
use crate::ledger::{Entry, Ledger, Offer, Stage, terms};
use crate::rule::{InForce, Rule};

/// An op on the one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// N6.
    Pay {
        /// Who is paid.
        to: Key,
        /// Units.
        amount: u8,
    },
    /// N7, of the Claim for `owner`.
    Commit {
        /// Whom the Claim will be for.
        owner: Key,
    },
    /// N8.
    Claim {
        /// Whom it is for.
        owner: Key,
    },
    /// N9.
    Update {
        /// Which of the two sets.
        records: bool,
    },
    /// N10, of one year.
    Renew,
    /// N11.
    SetKeys {
        /// The new manager.
        manager: Option<Key>,
        /// The new recovery key.
        recovery: Option<Key>,
    },
    /// N12.
    Transfer {
        /// The new owner.
        to: Key,
    },
    /// N13; price 0 withdraws.
    Offer {
        /// Units.
        price: u8,
        /// The only one who may buy.
        buyer: Option<Key>,
    },
    /// N14.
    Buy {
        /// Units.
        price: u8,
    },
    /// N15.
    Recover {
        /// The new owner.
        to: Key,
    },
}

/// A transaction of one op. More ops in one are the same as one after another, but that all or none apply (T10).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tx {
    /// Pays fee and burns, and signs.
    pub payer: Key,
    /// Whoever signed, the payer among them.
    pub signed: KeySet,
    /// What is done.
    pub op: Op,
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, paid by {:?}, signed {:?}", self.op, self.payer, self.signed)
    }
}

/// The rule that refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub &'static str);

type Verdict<T = ()> = Result<T, Refused>;

fn check(holds: bool, rule: &'static str) -> Verdict {
    if holds { Ok(()) } else { Err(Refused(rule)) }
}

/// The ledger after `tx`, or the rule that refuses it.
pub fn apply(before: &Ledger, tx: &Tx, rules: InForce) -> Verdict<Ledger> {
    let mut next = *before;
    debit(&mut next, tx.payer, terms::FEE, "T7f", rules)?;
    next.fees += terms::FEE;
    let on = Applied { tx, rules, ledger: &mut next };
    match tx.op {
        Op::Pay { to, amount } => on.pay_op(to, amount),
        Op::Commit { owner } => on.commit(owner),
        Op::Claim { owner } => on.claim(owner),
        Op::Update { records } => on.update(records),
        Op::Renew => on.renew(),
        Op::SetKeys { manager, recovery } => on.set_keys(manager, recovery),
        Op::Transfer { to } => on.transfer(to),
        Op::Offer { price, buyer } => on.offer(price, buyer),
        Op::Buy { price } => on.buy(price),
        Op::Recover { to } => on.recover(to),
    }?;
    Ok(next)
}

fn debit(ledger: &mut Ledger, payer: Key, amount: u8, rule: &'static str, rules: InForce) -> Verdict {
    let slot = ledger.accounts.get_mut(payer.index()).ok_or(Refused("T7d"))?;
    let balance = slot.ok_or(Refused("T7d"))?;
    check(balance >= amount || !rules.has(Rule::CostFits), rule)?;
    *slot = Some(balance.saturating_sub(amount));
    Ok(())
}

/// A ledger that takes one op.
struct Applied<'a> {
    tx: &'a Tx,
    rules: InForce,
    ledger: &'a mut Ledger,
}

impl Applied<'_> {
    fn has(&self, rule: Rule) -> bool {
        self.rules.has(rule)
    }

    /// T11: burns.
    fn burn(&mut self, amount: u8) -> Verdict {
        let owner = self.ledger.name.map(|entry| entry.owner).filter(|_| !self.has(Rule::PayerPays));
        debit(self.ledger, owner.unwrap_or(self.tx.payer), amount, "T11a", self.rules)?;
        self.ledger.burned += amount;
        Ok(())
    }

    /// T11, T12: pays `to`, and makes its account.
    fn pay(&mut self, to: Key, amount: u8) -> Verdict {
        if self.ledger.balance(to).is_none() {
            debit(self.ledger, self.tx.payer, terms::CREATION, "T11a", self.rules)?;
            self.ledger.burned += if self.has(Rule::CreationBurns) { terms::CREATION } else { 0 };
        }
        debit(self.ledger, self.tx.payer, amount, "T11a", self.rules)?;
        if let Some(slot) = self.ledger.accounts.get_mut(to.index()) {
            *slot = Some(slot.unwrap_or(0).saturating_add(amount));
        }
        Ok(())
    }

    /// The entry for an op that only an active name takes.
    fn active(&self) -> Verdict<Entry> {
        let entry = self.ledger.name.ok_or(Refused("a"))?;
        match self.ledger.stage() {
            Stage::Free => Err(Refused("a")),
            Stage::Released if self.has(Rule::ReleasedIsInert) => Err(Refused("b")),
            Stage::Grace if self.has(Rule::GraceIsInert) => Err(Refused("c")),
            _ => Ok(entry),
        }
    }

    fn owner_signs(&self, entry: &Entry, rule: Rule, letter: &'static str) -> Verdict {
        let manager = !self.has(Rule::ManagerOnlyWrites) && self.tx.signed.has_set(entry.manager);
        check(self.tx.signed.has(entry.owner) || manager || !self.has(rule), letter)
    }

    fn recovery_signs(&self, entry: &Entry, rule: Rule, letter: &'static str) -> Verdict {
        let signs = entry.recovery.is_none_or(|key| self.tx.signed.has(key));
        check(signs || !self.has(rule), letter)
    }

    fn write(&mut self, entry: Entry) {
        self.ledger.name = Some(entry);
    }

    fn pay_op(mut self, to: Key, amount: u8) -> Verdict {
        check(amount != 0, "N6a")?;
        check(to != self.tx.payer, "N6b")?;
        self.pay(to, amount)
    }

    fn commit(mut self, owner: Key) -> Verdict {
        let height = self.ledger.height;
        if matches!(self.ledger.commitments.get(owner.index()), Some(Some(_))) {
            return Ok(());
        }
        self.burn(terms::COMMIT)?;
        let slot = self.ledger.commitments.get_mut(owner.index()).ok_or(Refused("no such commitment in the model"))?;
        *slot = Some(height);
        Ok(())
    }

    fn claim(mut self, owner: Key) -> Verdict {
        match self.ledger.stage() {
            Stage::Active => check(!self.has(Rule::ClaimNeedsExpiry), "N8f")?,
            Stage::Grace => check(!self.has(Rule::ClaimWaitsForGrace), "N8g")?,
            Stage::Released | Stage::Free => {}
        }
        let made = self.ledger.commitments.get(owner.index()).copied().flatten();
        if self.has(Rule::ClaimNeedsCommitment) {
            let age = self.ledger.height - made.ok_or(Refused("N8c"))?;
            check(age >= terms::AGE_MIN, "N8d")?;
            check(age <= terms::AGE_MAX, "N8e")?;
        }
        self.burn(terms::CLAIM + self.ledger.premium())?;
        if let Some(slot) = self.ledger.commitments.get_mut(owner.index()) {
            *slot = None;
        }
        let owner = if self.has(Rule::ClaimIsForItsOwner) { owner } else { self.tx.payer };
        let new = Entry::new(owner, self.ledger.height + terms::YEAR);
        let kept = self.ledger.name.filter(|_| !self.has(Rule::ClaimReplacesWhole));
        self.write(kept.map_or(new, |old| Entry { recovery: old.recovery, ..new }));
        Ok(())
    }

    fn update(mut self, records: bool) -> Verdict {
        let entry = self.active()?;
        let signs = self.tx.signed.has(entry.owner) || self.tx.signed.has_set(entry.manager);
        check(signs || !self.has(Rule::UpdateNeedsKey), "N9d")?;
        self.write(Entry { records, ..entry });
        Ok(())
    }

    fn renew(mut self) -> Verdict {
        let entry = self.ledger.name.ok_or(Refused("N10a"))?;
        let stage = self.ledger.stage();
        check(stage != Stage::Free, "N10a")?;
        check(stage != Stage::Released, "N10b")?;
        let adds = self.has(Rule::RenewAdds);
        let expires = if adds { entry.expires + terms::YEAR } else { entry.expires.saturating_sub(terms::YEAR) };
        if expires > self.ledger.height + terms::YEARS_AHEAD * terms::YEAR {
            return Ok(());
        }
        self.burn(terms::RENEW)?;
        let stays = stage == Stage::Active || !self.has(Rule::LateRenewWithdrawsOffer);
        self.write(Entry { expires, offer: entry.offer.filter(|_| stays), ..entry });
        Ok(())
    }

    fn set_keys(mut self, manager: Option<Key>, recovery: Option<Key>) -> Verdict {
        let entry = self.active()?;
        self.owner_signs(&entry, Rule::SetKeysNeedsOwner, "N11d")?;
        let changes = recovery != entry.recovery;
        if changes {
            self.recovery_signs(&entry, Rule::SetKeysNeedsRecovery, "N11e")?;
        }
        let withdraws = changes && self.has(Rule::NewRecoveryWithdrawsOffer);
        self.write(Entry { manager, recovery, offer: entry.offer.filter(|_| !withdraws), ..entry });
        Ok(())
    }

    fn transfer(mut self, to: Key) -> Verdict {
        let entry = self.active()?;
        self.owner_signs(&entry, Rule::TransferNeedsOwner, "N12d")?;
        self.recovery_signs(&entry, Rule::TransferNeedsRecovery, "N12e")?;
        let clears = [Rule::TransferClearsManager, Rule::TransferClearsRecovery, Rule::TransferClearsOffer];
        self.write(self.handed(entry, to, clears));
        Ok(())
    }

    fn offer(mut self, price: u8, buyer: Option<Key>) -> Verdict {
        check(price != 0 || buyer.is_none(), "N13f")?;
        let entry = self.active()?;
        self.owner_signs(&entry, Rule::OfferNeedsOwner, "N13d")?;
        if price == 0 {
            check(entry.offer.is_some(), "N13g")?;
        } else {
            self.recovery_signs(&entry, Rule::OfferNeedsRecovery, "N13e")?;
        }
        self.write(Entry { offer: (price != 0).then_some(Offer { price, buyer }), ..entry });
        Ok(())
    }

    fn buy(mut self, price: u8) -> Verdict {
        let payer = self.tx.payer;
        check(price != 0, "N14d")?;
        let entry = self.active()?;
        check(entry.owner != payer, "N14h")?;
        check(entry.offer.is_some() || !self.has(Rule::BuyNeedsOffer), "N14e")?;
        if let Some(offer) = entry.offer {
            check(price == offer.price || !self.has(Rule::BuyNeedsPrice), "N14f")?;
            check(offer.buyer.is_none_or(|buyer| buyer == payer) || !self.has(Rule::BuyNeedsBuyer), "N14g")?;
        }
        let had = self.ledger.balance(payer);
        self.pay(entry.owner, price)?;
        if !self.has(Rule::BuyPaysOwner)
            && let Some(slot) = self.ledger.accounts.get_mut(entry.owner.index())
        {
            *slot = slot.map(|balance| balance.saturating_sub(price));
        }
        if !self.has(Rule::BuyCosts)
            && let Some(slot) = self.ledger.accounts.get_mut(payer.index())
        {
            *slot = had;
        }
        let clears = [Rule::BuyClearsManager, Rule::BuyClearsRecovery, Rule::BuyClearsOffer];
        self.write(self.handed(entry, payer, clears));
        Ok(())
    }

    fn recover(mut self, to: Key) -> Verdict {
        let entry = self.active()?;
        if self.has(Rule::RecoverNeedsRecovery) {
            check(entry.recovery.is_some(), "N15d")?;
            check(self.tx.signed.has_set(entry.recovery), "N15e")?;
        }
        let recovery = entry.recovery.filter(|_| self.has(Rule::RecoverKeepsRecovery));
        let clears = [Rule::RecoverClearsManager, Rule::BuyClearsRecovery, Rule::RecoverClearsOffer];
        self.write(Entry { recovery, ..self.handed(entry, to, clears) });
        Ok(())
    }

    /// The entry under its new owner; each of manager, recovery and offer goes where its rule is in force.
    fn handed(&self, entry: Entry, owner: Key, [manager, recovery, offer]: [Rule; 3]) -> Entry {
        Entry {
            owner,
            manager: entry.manager.filter(|_| !self.has(manager)),
            recovery: entry.recovery.filter(|_| !self.has(recovery)),
            offer: entry.offer.filter(|_| !self.has(offer)),
            ..entry
        }
    }
}
