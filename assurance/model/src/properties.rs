//! What is asked of every state, and what must happen somewhere.

use stateright::Property;

use crate::chain::{Event, State, World};
use crate::key::{Key, KeySet};
use crate::law::Law;
use crate::ledger::{Entry, Stage, terms};
use crate::ops::{self, Op, Tx};
use crate::rule::InForce;

/// A property that no step on the way broke this law.
macro_rules! law {
    ($name:literal, $law:ident) => {
        Property::always($name, |_, state: &State| !state.broken.has(Law::$law))
    };
}

/// A property that a step of this kind happens.
macro_rules! happens {
    ($name:literal, $event:ident) => {
        Property::sometimes($name, |_, state: &State| state.event == Event::$event)
    };
}

/// All of them; what comes of sending transactions again only where somebody does.
#[must_use]
pub fn all(world: &World) -> Vec<Property<World>> {
    let mut all = vec![
        law!("a name changes hands only by law 1", Hands),
        law!("a recovery key is its holder's choice", Recovery),
        law!("an offer is its holder's and the recovery key's", Offers),
        law!("a manager is its holder's choice", Manager),
        law!("records are written by holder or manager", Records),
        law!("a term never shrinks", Term),
        law!("a claim is for whom it was committed to, and whole", Claims),
        law!("a stranger can only renew, or buy as offered", Outsider),
        law!("a thief of the manager's key can only write records", ManagerThief),
        law!("a thief of a guarded owner's key hands over and offers nothing", OwnerThief),
        law!("a thief of the recovery key alone sets nothing", RecoveryThief),
        law!("what was signed once is done once on a chain", Once),
        law!("coins leave an account only where it pays", Coins),
        law!("a seller is paid the price", Seller),
        Property::always("balances and rewards are what was issued and not burned", |_, state: &State| {
            supply_holds(state)
        }),
        Property::always("the recovery key takes the name back", |world: &World, state: &State| {
            recovery_takes_back(state, world.rules)
        }),
        happens!("a name is sold", Sale),
        happens!("a sale makes the seller's account", FirstSale),
        happens!("a name is recovered", Recovery),
        happens!("a stranger pays for a transfer", Sponsored),
        happens!("a released name is claimed by another", Succession),
        happens!("a renewal in grace withdraws an offer", LateRenewal),
        happens!("a reorganisation undoes a sale", SaleUndone),
        happens!("a reorganisation gives a claimed name back", SuccessionUndone),
    ];
    if world.bounds.replays {
        all.push(happens!("a transaction comes back on another branch", Returned));
    }
    all
}

/// Σ balances + rewards = issued − burned (S14), fees on their way to a reward included.
fn supply_holds(state: &State) -> bool {
    state.ledger.held_coins() + u32::from(state.ledger.burned) == u32::from(state.ledger.issued)
}

/// Whatever a thief did with the owner's and the manager's keys: the recovery key takes the name back, renewing it
/// first where it is in grace, and leaves nothing to anybody else.
fn recovery_takes_back(state: &State, rules: InForce) -> bool {
    let mut ledger = state.ledger;
    let Some((held, right)) = ledger.held().zip(ledger.right) else { return true };
    let Some(guard) = right.guard else { return true };
    // Somebody lends the coins.
    let payer = Key::Bob;
    if let Some(slot) = ledger.accounts.get_mut(payer.index()) {
        *slot = Some(terms::RENEW + 2 * terms::FEE);
    }
    let signed = KeySet::default().with(payer).with(guard);
    if ledger.stage() == Stage::Grace {
        let Ok(renewed) = ops::apply(&ledger, &Tx { payer, signed, op: Op::Renew }, rules) else { return false };
        ledger = renewed;
    }
    let Ok(after) = ops::apply(&ledger, &Tx { payer, signed, op: Op::Recover { to: right.holder } }, rules) else {
        return false;
    };
    let clean = Entry { recovery: Some(guard), expires: 0, records: false, ..Entry::new(right.holder, 0) };
    held.owner == right.holder && after.name.is_some_and(|entry| Entry { expires: 0, records: false, ..entry } == clean)
}
