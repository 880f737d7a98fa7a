//! Law 1 (C12) and what goes with it, followed from signatures and coins, without the rules.
//!
//! The reading of "a name changes hands only by its owner's signature (with the recovery key's where one is set), by
//! its recovery key's, by a purchase so offered, or after expiry and grace" that leaves no hole: *its* recovery key,
//! manager and offer are those that its present holder granted. What an earlier holder granted binds nobody.

use crate::key::{Key, KeySet};
use crate::ledger::{Entry, Ledger, Offer, terms};
use crate::ops::{Op, Tx};

/// Who holds the name by law, and the powers that this holder granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// Holds it.
    pub holder: Key,
    /// May write records.
    pub manager: Option<Key>,
    /// Guards it: nothing is handed over without this key, and it takes the name back.
    pub guard: Option<Key>,
    /// What holder and guard agreed to sell it for.
    pub deal: Option<Offer>,
}

impl Right {
    /// A holder who granted nothing.
    #[must_use]
    pub const fn of(holder: Key) -> Self {
        Self { holder, manager: None, guard: None, deal: None }
    }

    /// As an entry that nobody wronged has it.
    #[must_use]
    pub const fn as_written(entry: &Entry) -> Self {
        Self { holder: entry.owner, manager: entry.manager, guard: entry.recovery, deal: entry.offer }
    }

    /// The right after a transaction that was accepted, as far as its signatures and its payment carry.
    fn after(self, tx: &Tx, before: &Ledger, after: &Ledger) -> Self {
        let by_holder = tx.signed.has(self.holder);
        let agreed = by_holder && self.guard.is_none_or(|guard| tx.signed.has(guard));
        match tx.op {
            Op::Transfer { to } if agreed => Self::of(to),
            Op::Recover { to } if tx.signed.has_set(self.guard) => Self { guard: self.guard, ..Self::of(to) },
            Op::Buy { .. } if self.is_bought(tx, before, after) => Self::of(tx.payer),
            Op::SetKeys { recovery, manager } if agreed && recovery != self.guard => {
                Self { manager, guard: recovery, deal: None, ..self }
            }
            Op::SetKeys { manager, .. } if by_holder => Self { manager, ..self },
            Op::Offer { price: 0, .. } if by_holder => Self { deal: None, ..self },
            Op::Offer { price, buyer } if agreed => Self { deal: Some(Offer { price, buyer }), ..self },
            Op::Renew if before.name.is_some_and(|entry| entry.expires <= before.height) => Self { deal: None, ..self },
            _ => self,
        }
    }

    /// Whether the payer keeps to the deal: it was meant, and the holder has the price.
    fn is_bought(self, tx: &Tx, before: &Ledger, after: &Ledger) -> bool {
        let Some(deal) = self.deal else { return false };
        let [had, has] = [before, after].map(|ledger| u16::from(ledger.balance(self.holder).unwrap_or(0)));
        deal.buyer.is_none_or(|buyer| buyer == tx.payer) && has == had + u16::from(deal.price)
    }
}

/// What always holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Law {
    /// Law 1: the owner is the holder by right.
    Hands,
    /// The recovery key is the one its holder chose.
    Recovery,
    /// What is offered, holder and recovery key offered.
    Offers,
    /// The manager is the one its holder chose.
    Manager,
    /// Records change by holder or manager.
    Records,
    /// A term never shrinks.
    Term,
    /// A new name is for whom it was committed to, and free of whatever stood there.
    Claims,
    /// Without the keys of owner, recovery and manager one can renew it, or buy it as offered.
    Outsider,
    /// With the manager's key alone one can write records besides.
    ManagerThief,
    /// With the owner's key, where a recovery key is set: records, manager, withdrawing. Never hands, recovery, offers.
    OwnerThief,
    /// With the recovery key alone one can hand it over, but set nothing.
    RecoveryThief,
    /// Coins leave an account only where its key pays.
    Coins,
    /// Whoever loses a name to a buyer has its price.
    Seller,
    /// What was signed once is done once on a chain.
    Once,
}

/// Which laws were broken on the way here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Broken(pub u16);

impl Broken {
    fn unless(&mut self, holds: bool, law: Law) {
        self.0 |= u16::from(!holds) << law as u8;
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This law alone.
    #[must_use]
    pub const fn only(law: Law) -> Self {
        Self(1 << law as u8)
    }

    /// Whether `law` was.
    #[must_use]
    pub const fn has(self, law: Law) -> bool {
        self.0 >> law as u8 & 1 == 1
    }
}

/// Follows the right through an accepted transaction, and tells which laws it breaks.
#[must_use]
pub fn judge(before: &Ledger, tx: &Tx, after: &mut Ledger) -> Broken {
    let mut broken = Broken::default();
    for key in Key::PEOPLE {
        let pays = key == tx.payer && tx.signed.has(key);
        broken.unless(pays || after.balance(key) >= before.balance(key), Law::Coins);
    }
    match (before.held().zip(before.right), after.name) {
        (Some((old, right)), Some(new)) => {
            let next = right.after(tx, before, after);
            after.right = Some(next);
            broken.unless(new.records == old.records || may_write(&right, tx.signed), Law::Records);
            broken.unless(new.expires >= old.expires, Law::Term);
            let sold = matches!(tx.op, Op::Buy { .. }) && new.owner != old.owner;
            broken.unless(!sold || right.is_bought(tx, before, after), Law::Seller);
            thieves(&right, tx, &old, &new, next != right, &mut broken);
        }
        (None, Some(new)) if after.name != before.name => {
            after.right = Some(Right::of(new.owner));
            let made = before.commitments.get(new.owner.index()).copied().flatten();
            let meant = matches!(tx.op, Op::Claim { owner } if owner == new.owner)
                && made.is_some_and(|made| made + terms::AGE_MIN <= before.height);
            broken.unless(meant && new == Entry::new(new.owner, before.height + terms::YEAR), Law::Claims);
        }
        (held, new) => broken.unless(held.is_none() || new.is_some(), Law::Hands),
    }
    broken.and(parted(after))
}

fn may_write(right: &Right, signed: KeySet) -> bool {
    signed.has(right.holder) || signed.has_set(right.manager)
}

/// Where the entry of a held name does not say what the right says.
#[must_use]
pub fn parted(ledger: &Ledger) -> Broken {
    let mut broken = Broken::default();
    let Some((entry, right)) = ledger.held().zip(ledger.right) else { return broken };
    broken.unless(entry.owner == right.holder, Law::Hands);
    broken.unless(entry.recovery == right.guard, Law::Recovery);
    broken.unless(entry.manager == right.manager, Law::Manager);
    broken.unless(entry.offer.is_none() || entry.offer == right.deal, Law::Offers);
    broken
}

/// What a thief can do by the keys he has, whatever the op: his keys are all that signed, those of strangers included.
fn thieves(right: &Right, tx: &Tx, old: &Entry, new: &Entry, by_right: bool, broken: &mut Broken) {
    let [holder, guard] = [tx.signed.has(right.holder), tx.signed.has_set(right.guard)];
    let bought = by_right && matches!(tx.op, Op::Buy { .. });
    let offer_stays = new.offer.is_none() || new.offer == old.offer;
    let same_hands = new.owner == old.owner && new.recovery == old.recovery;
    match (holder, guard) {
        _ if bought => {}
        (false, false) => {
            let only_renews = same_hands && new.manager == old.manager && offer_stays;
            if tx.signed.has_set(right.manager) {
                broken.unless(only_renews, Law::ManagerThief);
            } else {
                broken.unless(only_renews && new.records == old.records, Law::Outsider);
            }
        }
        (true, false) if right.guard.is_some() => broken.unless(same_hands && offer_stays, Law::OwnerThief),
        (false, true) => {
            let sets_nothing = new.manager.is_none() || new.manager == old.manager;
            broken.unless(new.recovery == old.recovery && sets_nothing && offer_stays, Law::RecoveryThief);
        }
        _ => {}
    }
}
