//! Blocks, and what is taken back: the model that the checker walks.

use std::hash::{Hash, Hasher};

use stateright::{Model, Property};

use crate::key::{Key, KeySet};
use crate::law::{self, Broken, Law};
use crate::ledger::{Entry, Ledger, Stage, terms};
use crate::ops::{self, Op, Tx};
use crate::properties;
use crate::rule::{InForce, Rule};

/// How far the checker goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Transactions on the way, over all branches.
    pub transactions: u8,
    /// Blocks above the start.
    pub blocks: u8,
    /// Reorganisations.
    pub reorgs: u8,
    /// Whether somebody keeps the first transaction of all, and sends it again.
    pub replays: bool,
}

/// What the checker walks through: everything that may happen within bounds, under the rules in force.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// The rules.
    pub rules: InForce,
    /// The bounds.
    pub bounds: Bounds,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A transaction enters the block in the making; whoever makes it chooses which.
    Tx(Tx),
    /// The transaction that was kept is sent again, as it is.
    Again,
    /// The block is mined, the reward goes to Mallory, and the next one begins.
    Mine,
    /// As many blocks are taken back. What follows is the other branch.
    Reorg(u8),
}

/// What a step was, where it is worth seeing that it happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Event {
    /// Nothing of these.
    #[default]
    Other,
    /// A purchase.
    Sale,
    /// A purchase that made the seller's account.
    FirstSale,
    /// A recovery key without the owner's.
    Recovery,
    /// A Transfer that a stranger pays for.
    Sponsored,
    /// A Claim of a name that somebody held before.
    Succession,
    /// A Renew in grace that withdraws an offer.
    LateRenewal,
    /// A transaction of a branch taken back stands in another.
    Returned,
    /// Blocks are taken back, and a purchase with them.
    SaleUndone,
    /// Blocks are taken back, and a name is its late holder's again.
    SuccessionUndone,
}

/// Beginnings that are kept: of this block, and of two that can be taken back.
const KEPT: usize = 3;

/// A chain, and how much more may happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The state with what the block in the making has so far.
    pub ledger: Ledger,
    /// How this block and the last ones began, the newest first. None where nothing may be taken back any more: states
    /// that differ in what does not matter are one.
    pub starts: [Option<Ledger>; KEPT],
    /// Whether the block in the making is empty.
    pub empty: bool,
    /// Transactions that may still come.
    pub transactions: u8,
    /// Reorganisations that may still come.
    pub reorgs: u8,
    /// The first transaction and its nonce, where replays are looked at.
    pub kept: Option<(Tx, u8)>,
    /// What the last step was.
    pub event: Event,
    /// Laws broken on the way.
    pub broken: Broken,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write(&self.ledger.bytes());
        for start in self.starts.iter().flatten() {
            hasher.write(&start.bytes());
        }
        let [low, high] = self.broken.0.to_le_bytes();
        let small = [self.empty.into(), self.transactions, self.reorgs, self.event as u8, low, high, 0, 0];
        hasher.write_u64(u64::from_le_bytes(small));
        if let Some((tx, nonce)) = self.kept {
            (tx, nonce).hash(hasher);
        }
    }
}

/// The price that is asked.
pub const PRICE: u8 = 5;

/// Every op there is to try.
fn every_op(ledger: &Ledger) -> impl Iterator<Item = Op> {
    let people = Key::PEOPLE.into_iter();
    let keys = [None, Some(Key::Gus)].into_iter().flat_map(|manager| {
        let recovery = [None, Some(Key::Rita), Some(Key::Mallory)].into_iter();
        recovery.map(move |recovery| Op::SetKeys { manager, recovery })
    });
    let offers = [(PRICE, None), (PRICE, Some(Key::Bob)), (0, None)];
    let records = !ledger.name.is_some_and(|entry| entry.records);
    [Op::Renew, Op::Update { records }, Op::Buy { price: PRICE }, Op::Buy { price: PRICE - 1 }]
        .into_iter()
        .chain(people.clone().map(|to| Op::Pay { to, amount: 3 }))
        .chain(people.clone().map(|owner| Op::Commit { owner }))
        .chain(people.clone().map(|owner| Op::Claim { owner }))
        .chain(people.clone().map(|to| Op::Transfer { to }))
        .chain(people.map(|to| Op::Recover { to }))
        .chain(offers.map(|(price, buyer)| Op::Offer { price, buyer }))
        .chain(keys)
}

/// Every transaction that is accepted, whoever signs, with as few signatures as do. One more forbids nothing and gives
/// more consent, so whoever is robbed is robbed with the fewest.
fn accepted(ledger: &Ledger, rules: InForce, mut found: impl FnMut(Tx)) {
    for op in every_op(ledger) {
        for payer in Key::PEOPLE {
            if ops::apply(ledger, &Tx { payer, signed: KeySet::ALL, op }, rules).is_err() {
                continue;
            }
            let mut enough = [KeySet::ALL; 6];
            let mut count = 0;
            for signed in KeySet::FEWEST_FIRST.into_iter().filter(|signed| signed.has(payer)) {
                if enough.iter().take(count).any(|less| signed.covers(*less)) {
                    continue;
                }
                let tx = Tx { payer, signed, op };
                if ops::apply(ledger, &tx, rules).is_ok() {
                    // Of four keys besides the payer, no more than six sets are without one another.
                    if let Some(slot) = enough.get_mut(count) {
                        *slot = signed;
                    }
                    count += 1;
                    found(tx);
                }
            }
        }
    }
}

impl State {
    fn with(&self, tx: &Tx, world: &World) -> Option<Self> {
        let mut ledger = ops::apply(&self.ledger, tx, world.rules).ok()?;
        let broken = self.broken.and(law::judge(&self.ledger, tx, &mut ledger));
        let event = event(&self.ledger, tx, &ledger);
        let mut kept = self.kept;
        if world.bounds.replays {
            let nonce = ledger.count(tx.payer)?;
            if kept.is_none() {
                (kept, ledger.holds_kept) = (Some((*tx, nonce)), true);
            }
        }
        Some(Self { ledger, broken, event, kept, empty: false, transactions: self.transactions - 1, ..*self })
    }

    /// The kept transaction once more. Who signed it agreed to it once.
    fn again(&self, world: &World) -> Option<Self> {
        let (tx, nonce) = self.kept?;
        let mut ledger = ops::apply(&self.ledger, &tx, world.rules).ok()?;
        if ledger.count(tx.payer)? != nonce && world.rules.has(Rule::NonceCounts) {
            return None;
        }
        let twice = self.ledger.holds_kept;
        let agreed = if twice { Tx { signed: KeySet::default(), ..tx } } else { tx };
        let mut broken = self.broken.and(law::judge(&self.ledger, &agreed, &mut ledger));
        if twice {
            broken = broken.and(Broken::only(Law::Once));
        }
        ledger.holds_kept = true;
        let event = Event::Returned;
        Some(Self { ledger, broken, event, empty: false, transactions: self.transactions - 1, ..*self })
    }

    fn mined(&self, rules: InForce) -> Self {
        let ledger = self.ledger.mined(Key::Mallory, rules);
        let [this, last, _] = self.starts;
        let starts = if self.reorgs > 0 { [Some(ledger), this, last] } else { [None; KEPT] };
        Self { ledger, starts, empty: true, event: Event::Other, ..*self }
    }

    fn taken_back(&self, blocks: u8, rules: InForce) -> Option<Self> {
        let tip = self.ledger;
        let mut ledger = (*self.starts.get(usize::from(blocks))?)?;
        let event = undone(&ledger, &tip);
        if !rules.has(Rule::UndoRestoresCoins) {
            ledger.accounts = tip.accounts;
        }
        if !rules.has(Rule::UndoRestoresName) {
            ledger.name = tip.name;
        }
        let broken = self.broken.and(law::parted(&ledger));
        let reorgs = self.reorgs - 1;
        let mut starts = [None; KEPT];
        if reorgs > 0 {
            let kept = self.starts.iter().skip(usize::from(blocks));
            starts.iter_mut().zip(kept).for_each(|(slot, start)| *slot = *start);
        }
        Some(Self { ledger, starts, reorgs, event, broken, ..*self })
    }
}

fn event(before: &Ledger, tx: &Tx, after: &Ledger) -> Event {
    let (old, new) = (before.name, after.name);
    match tx.op {
        Op::Buy { .. } if after.burned > before.burned => Event::FirstSale,
        Op::Buy { .. } => Event::Sale,
        Op::Recover { .. } if old.is_some_and(|old| !tx.signed.has(old.owner)) => Event::Recovery,
        Op::Transfer { to } if old.is_some_and(|old| tx.payer != to && tx.payer != old.owner) => Event::Sponsored,
        Op::Claim { owner } if old.is_some_and(|old| old.owner != owner) => Event::Succession,
        Op::Renew if old.is_some_and(|old| old.offer.is_some()) && new.is_some_and(|new| new.offer.is_none()) => {
            Event::LateRenewal
        }
        _ => Event::Other,
    }
}

/// What going back from `tip` to `start` undoes.
fn undone(start: &Ledger, tip: &Ledger) -> Event {
    let Some((was, is)) = start.name.zip(tip.name) else { return Event::Other };
    let gains = |key: Key| tip.balance(key) > start.balance(key);
    match start.stage() {
        Stage::Released if is.owner != was.owner => Event::SuccessionUndone,
        Stage::Active if is.owner != was.owner && was.offer.is_some() && gains(was.owner) => Event::SaleUndone,
        _ => Event::Other,
    }
}

impl Model for World {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let Bounds { transactions, reorgs, .. } = self.bounds;
        let owned = Entry::new(Key::Alice, terms::START + 2);
        let guarded = Entry { recovery: Some(Key::Rita), manager: Some(Key::Gus), ..owned };
        let rich = [Some(30), Some(30), Some(30)];
        [(rich, Some(owned)), (rich, Some(guarded)), ([None, Some(30), Some(50)], Some(owned)), (rich, None)]
            .into_iter()
            .map(|(accounts, name)| {
                let ledger = Ledger::start(accounts, name);
                let starts = [Some(ledger).filter(|_| reorgs > 0), None, None];
                let (event, broken) = (Event::Other, Broken::default());
                State { ledger, starts, empty: true, transactions, reorgs, kept: None, event, broken }
            })
            .collect()
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.transactions > 0 {
            accepted(&state.ledger, self.rules, |tx| steps.push(Step::Tx(tx)));
            steps.extend(state.kept.map(|_| Step::Again));
        }
        if state.ledger.height < terms::START + self.bounds.blocks {
            steps.push(Step::Mine);
        }
        // A block in the making that is thrown away is one that was never begun.
        if state.reorgs > 0 && state.empty {
            steps.extend([Step::Reorg(1), Step::Reorg(2)]);
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        match step {
            Step::Tx(tx) => state.with(&tx, self),
            Step::Again => state.again(self),
            Step::Mine => Some(state.mined(self.rules)),
            Step::Reorg(blocks) => state.taken_back(blocks, self.rules),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}
