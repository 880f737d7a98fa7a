//! The state that the rules act on, in bytes: a name, three accounts, commitments, a reward on its way.
//!
//! Amounts are in units of 0.05 coin, so that every price of the real rules is a whole number of them. Heights are
//! those of the block in the making.

use crate::key::{Key, byte};
use crate::law::Right;
use crate::rule::{InForce, Rule};

/// The terms of the model's network. B3 accepts them, and `tests/conformance.rs` builds the real Rules from them.
pub mod terms {
    /// Blocks of a year.
    pub const YEAR: u8 = 4;
    /// Years a name can be paid ahead.
    pub const YEARS_AHEAD: u8 = 2;
    /// Blocks of grace.
    pub const GRACE: u8 = 1;
    /// The premium at release; it halves with each block.
    pub const PREMIUM: u8 = 4;
    /// How often it halves before the name is free.
    pub const HALVINGS: u8 = 2;
    /// Least age of a commitment to be claimed.
    pub const AGE_MIN: u8 = 1;
    /// Greatest age of a commitment to be claimed.
    pub const AGE_MAX: u8 = 3;
    /// Units issued with a block.
    pub const SUBSIDY: u8 = 6;
    /// Blocks until a reward can be spent.
    pub const MATURITY: u8 = 2;
    /// What every transaction pays to the miner.
    pub const FEE: u8 = 1;
    /// Burned by a Commit.
    pub const COMMIT: u8 = 2;
    /// Burned by a Claim, beyond its Commit and without premium.
    pub const CLAIM: u8 = 18;
    /// Burned by a Renew of one year.
    pub const RENEW: u8 = 20;
    /// Burned where an account is made.
    pub const CREATION: u8 = 1;
    /// The height of the block in the making at the start.
    pub const START: u8 = 2;
}

/// A name for sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// In units; not 0.
    pub price: u8,
    /// The only one who may buy.
    pub buyer: Option<Key>,
}

/// The entry of the name (S3), but `since`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who the rules say holds it.
    pub owner: Key,
    /// May write records.
    pub manager: Option<Key>,
    /// May take it back.
    pub recovery: Option<Key>,
    /// First height at which it is no longer active.
    pub expires: u8,
    /// Which of two sets of records it has.
    pub records: bool,
    /// For sale, if it is.
    pub offer: Option<Offer>,
}

impl Entry {
    /// As a Claim writes it.
    #[must_use]
    pub const fn new(owner: Key, expires: u8) -> Self {
        Self { owner, manager: None, recovery: None, expires, records: false, offer: None }
    }
}

/// Where the name stands (N3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its owner's.
    Active,
    /// Its owner's, who can only renew.
    Grace,
    /// Nobody's; a Claim pays a premium.
    Released,
    /// Nobody's.
    Free,
}

/// Everything that a block can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Of the block in the making.
    pub height: u8,
    /// Of [`Key::PEOPLE`], where they have one.
    pub accounts: [Option<u8>; 3],
    /// The name's entry.
    pub name: Option<Entry>,
    /// Height of the live commitment to a Claim for each of [`Key::PEOPLE`].
    pub commitments: [Option<u8>; 3],
    /// The reward of the block before.
    pub reward: Option<(Key, u8)>,
    /// Fees of this block so far.
    pub fees: u8,
    /// Burned since the start.
    pub burned: u8,
    /// What the start had, and every block since added.
    pub issued: u8,
    /// Who should hold the name, by law 1.
    pub right: Option<Right>,
    /// The next nonces of [`Key::PEOPLE`], where replays are looked at; else 0.
    pub nonces: [u8; 3],
    /// Whether this chain holds the transaction that somebody keeps to send it again.
    pub holds_kept: bool,
}

impl Ledger {
    /// The start: balances, and the name as somebody's or nobody's.
    #[must_use]
    pub fn start(accounts: [Option<u8>; 3], name: Option<Entry>) -> Self {
        let issued = accounts.iter().flatten().sum();
        let right = name.as_ref().map(Right::as_written);
        let (height, commitments) = (terms::START, [None; 3]);
        let (nonces, holds_kept) = ([0; 3], false);
        Self {
            height,
            accounts,
            name,
            commitments,
            reward: None,
            fees: 0,
            burned: 0,
            issued,
            right,
            nonces,
            holds_kept,
        }
    }

    /// The stage of the name in this block.
    #[must_use]
    pub fn stage(&self) -> Stage {
        let Some(entry) = self.name else { return Stage::Free };
        let released = entry.expires + terms::GRACE;
        match self.height {
            at if at < entry.expires => Stage::Active,
            at if at < released => Stage::Grace,
            at if at < released + terms::HALVINGS => Stage::Released,
            _ => Stage::Free,
        }
    }

    /// The entry while the name is somebody's: active or in grace.
    #[must_use]
    pub fn held(&self) -> Option<Entry> {
        self.name.filter(|_| matches!(self.stage(), Stage::Active | Stage::Grace))
    }

    /// What a Claim now pays above the price (N5): the term's end is told by the entry it replaces.
    #[must_use]
    pub fn premium(&self) -> u8 {
        match self.name {
            Some(entry) if self.stage() == Stage::Released => {
                terms::PREMIUM >> (self.height - entry.expires - terms::GRACE)
            }
            _ => 0,
        }
    }

    /// The account of `key`; Rita and Gus never have one.
    #[must_use]
    pub fn balance(&self, key: Key) -> Option<u8> {
        self.accounts.get(key.index()).copied().flatten()
    }

    /// Counts one more transaction of `payer`: its nonce (T9).
    pub fn count(&mut self, payer: Key) -> Option<u8> {
        let next = self.nonces.get_mut(payer.index())?;
        *next += 1;
        Some(*next - 1)
    }

    /// Coins that somebody has or will have.
    #[must_use]
    pub fn held_coins(&self) -> u32 {
        let reward = self.reward.map_or(0, |(_, amount)| amount);
        self.accounts.iter().flatten().chain([&reward, &self.fees]).map(|coins| u32::from(*coins)).sum()
    }

    /// Ends the block with its reward for `to` and begins the next: S9, steps 4, then 1 and 2.
    #[must_use]
    pub fn mined(&self, to: Key, rules: InForce) -> Self {
        let mut next = *self;
        let fees = if rules.has(Rule::FeesAreTheReward) { self.fees } else { 2 * self.fees };
        next.issued += terms::SUBSIDY;
        next.height += 1;
        next.fees = 0;
        if let Some((to, amount)) = self.reward
            && let Some(slot) = next.accounts.get_mut(to.index())
        {
            *slot = Some(slot.unwrap_or(0).saturating_add(amount));
        }
        // Switched off, the old reward lies beside the new one once more.
        let again = self.reward.filter(|_| !rules.has(Rule::RewardGoesWhenPaid)).map_or(0, |(_, amount)| amount);
        next.reward = Some((to, terms::SUBSIDY + fees + again));
        for slot in &mut next.commitments {
            *slot = slot.filter(|made| next.height - made <= terms::AGE_MAX);
        }
        if next.stage() == Stage::Free {
            next.name = None;
        }
        next.right = next.right.filter(|_| next.held().is_some());
        next
    }

    /// All of it, for hashing at one go.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        let amount = |amount: Option<u8>| amount.map_or(u8::MAX, |amount| amount);
        let offer = |offer: Option<Offer>| offer.map_or((0, 0), |offer| (offer.price, byte(offer.buyer)));
        let [a, b, m] = self.accounts.map(amount);
        let [ca, cb, cm] = self.commitments.map(amount);
        let (to, reward) = self.reward.map_or((0, 0), |(to, amount)| (byte(Some(to)), amount));
        let mut bytes = [0; 32];
        let name = self.name.map(|entry| {
            let (price, buyer) = offer(entry.offer);
            let (manager, recovery) = (byte(entry.manager), byte(entry.recovery));
            [byte(Some(entry.owner)), manager, recovery, entry.expires, entry.records.into(), price, buyer]
        });
        let right = self.right.map(|right| {
            let (price, buyer) = offer(right.deal);
            [byte(Some(right.holder)), byte(right.manager), byte(right.guard), price, buyer]
        });
        let [na, nb, nm] = self.nonces;
        let [kept, fees, burned, issued] = [self.holds_kept.into(), self.fees, self.burned, self.issued];
        let rest = [self.height, a, b, m, ca, cb, cm, to, reward, fees, burned, issued, na, nb, nm, kept];
        let all = rest.into_iter().chain(name.unwrap_or_default()).chain(right.unwrap_or_default());
        bytes.iter_mut().zip(all).for_each(|(slot, byte)| *slot = byte);
        bytes
    }
}
