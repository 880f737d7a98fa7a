//! The checker sees: with all rules in force nothing is stolen, and with any one switched off it finds how.

#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "a test fails by panicking, and shows the theft")]

use std::collections::BTreeSet;

use dotp2p_model::chain::{Bounds, PRICE, Step, World};
use dotp2p_model::key::{Key, KeySet};
use dotp2p_model::ops::{Op, Tx};
use dotp2p_model::rule::{InForce, Rule};
use stateright::{Checker, HasDiscoveries, Model};

const HANDS: &str = "a name changes hands only by law 1";
const RECOVERY: &str = "a recovery key is its holder's choice";
const OFFERS: &str = "an offer is its holder's and the recovery key's";
const MANAGER: &str = "a manager is its holder's choice";
const RECORDS: &str = "records are written by holder or manager";
const CLAIMS: &str = "a claim is for whom it was committed to, and whole";
const STRANGER: &str = "a stranger can only renew, or buy as offered";
const OWNER_THIEF: &str = "a thief of a guarded owner's key hands over and offers nothing";
const RECOVERY_THIEF: &str = "a thief of the recovery key alone sets nothing";
const SELLER: &str = "a seller is paid the price";
const COINS: &str = "coins leave an account only where it pays";
const SUPPLY: &str = "balances and rewards are what was issued and not burned";
const ONCE: &str = "what was signed once is done once on a chain";
const TERM: &str = "a term never shrinks";
const MANAGER_THIEF: &str = "a thief of the manager's key can only write records";
const TAKES_BACK: &str = "the recovery key takes the name back";

fn world(off: &[Rule], [transactions, blocks, reorgs]: [u8; 3]) -> World {
    World { rules: InForce::without(off), bounds: Bounds { transactions, blocks, reorgs, replays: true } }
}

/// How the property is broken without these rules: within bounds so small that nothing but the theft fits in.
fn theft(off: &[Rule], property: &'static str, bounds: [u8; 3]) -> Vec<Step> {
    let finish = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = world(off, bounds).checker().finish_when(finish).spawn_bfs().join();
    let found = checker.discovery(property).unwrap_or_else(|| panic!("without {off:?}: {property}: not found"));
    println!("without {off:?}, broken: {property}\n{found}");
    found.into_actions()
}

fn ops(path: &[Step]) -> Vec<Op> {
    path.iter().filter_map(|step| if let Step::Tx(tx) = step { Some(tx.op) } else { None }).collect()
}

#[test]
fn nothing_is_stolen_and_everything_happens() {
    let checker = world(&[], [2, 6, 1]).checker().spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.unique_state_count() > 100_000);
}

/// An earlier draft: a recovery key set after an offer survived the sale, and took the name back from its buyer.
#[test]
fn a_recovery_key_set_after_an_offer_and_surviving_the_sale() {
    let off = [Rule::NewRecoveryWithdrawsOffer, Rule::BuyClearsRecovery];
    let path = theft(&off, HANDS, [3, 0, 0]);
    assert!(path.len() <= 3, "{path:?}");
    // Of the ways there are, the draft's: the seller takes back what was paid for, and the buyer never signed for it.
    let sold = |rules: &[Rule]| {
        let world = world(rules, [4, 0, 0]);
        let signed = |keys: &[Key]| keys.iter().fold(KeySet::default(), |set, key| set.with(*key));
        let script = [
            (Op::Offer { price: PRICE, buyer: None }, Key::Alice, signed(&[Key::Alice])),
            (Op::SetKeys { manager: None, recovery: Some(Key::Rita) }, Key::Alice, signed(&[Key::Alice])),
            (Op::Buy { price: PRICE }, Key::Bob, signed(&[Key::Bob])),
            (Op::Recover { to: Key::Alice }, Key::Alice, signed(&[Key::Alice, Key::Rita])),
        ];
        let mut state = world.init_states().swap_remove(0);
        for (op, payer, signed) in script {
            state = world.next_state(&state, Step::Tx(Tx { payer, signed, op }))?;
        }
        Some(state)
    };
    let robbed = sold(&off).expect("the draft's rules accept it all");
    assert_eq!(robbed.ledger.name.map(|entry| entry.owner), Some(Key::Alice));
    assert!(robbed.ledger.balance(Key::Bob) < Some(30 - PRICE), "Bob has paid");
    assert!(sold(&[Rule::BuyClearsRecovery]).is_none(), "with the first rule the offer is gone");
    assert!(sold(&[Rule::NewRecoveryWithdrawsOffer]).is_none(), "with the second the key is gone");
}

/// An earlier draft: a recovery key that Transfer leaves in place takes the name back from whom it was given to.
#[test]
fn a_transfer_that_keeps_the_sellers_recovery_key() {
    let path = theft(&[Rule::TransferClearsRecovery], HANDS, [2, 0, 0]);
    assert!(matches!(ops(&path)[..], [Op::Transfer { .. }, Op::Recover { .. }]), "{path:?}");
}

/// An earlier draft: whoever has the owner's key gives the name away, recovery key or not.
#[test]
fn a_transfer_without_the_recovery_keys_signature() {
    let path = theft(&[Rule::TransferNeedsRecovery], HANDS, [1, 0, 0]);
    assert!(matches!(ops(&path)[..], [Op::Transfer { .. }]), "{path:?}");
    theft(&[Rule::TransferNeedsRecovery], OWNER_THIEF, [1, 0, 0]);
}

/// A buyer is as free of the seller's key as whoever is given a name.
#[test]
fn a_purchase_that_keeps_the_sellers_recovery_key() {
    let path = theft(&[Rule::BuyClearsRecovery], HANDS, [3, 0, 0]);
    assert!(matches!(ops(&path)[..], [Op::Offer { .. }, Op::Buy { .. }, Op::Recover { .. }]), "{path:?}");
}

/// Whoever asks for a name in public loses it at that price also to the thief of the owner's key, who pays himself: the
/// recovery key has signed the offer. This is the law as it stands; wallets name a buyer, or withdraw.
#[test]
fn an_open_offer_outranks_the_recovery_key() {
    let world = world(&[], [4, 0, 0]);
    let signed = |keys: &[Key]| keys.iter().fold(KeySet::default(), |set, key| set.with(*key));
    let script = [
        (Op::Offer { price: PRICE, buyer: None }, Key::Alice, signed(&[Key::Alice, Key::Rita])),
        (Op::Buy { price: PRICE }, Key::Mallory, signed(&[Key::Mallory])),
        (Op::Pay { to: Key::Mallory, amount: PRICE }, Key::Alice, signed(&[Key::Alice])),
    ];
    let mut state = world.init_states().swap_remove(1);
    for (op, payer, signed) in script {
        state = world.next_state(&state, Step::Tx(Tx { payer, signed, op })).expect("accepted");
    }
    assert_eq!(state.ledger.name.map(|entry| (entry.owner, entry.recovery)), Some((Key::Mallory, None)));
    assert_eq!(state.ledger.balance(Key::Mallory), Some(29), "the fee is all it cost");
    assert_eq!(state.broken.0, 0);
}

/// What each rule keeps from happening, and how little it takes without it: transactions, blocks, reorganisations.
#[rustfmt::skip]
const PROTECTS: [(Rule, &str, [u8; 3]); 52] = [
    (Rule::ClaimNeedsCommitment, CLAIMS, [1, 0, 0]),
    (Rule::ClaimIsForItsOwner, CLAIMS, [2, 1, 0]),
    (Rule::ClaimNeedsExpiry, HANDS, [2, 1, 0]),
    (Rule::ClaimWaitsForGrace, HANDS, [2, 2, 0]),
    (Rule::ClaimReplacesWhole, CLAIMS, [2, 3, 0]),
    (Rule::ClaimReplacesWhole, RECOVERY, [2, 3, 0]),
    (Rule::UpdateNeedsKey, RECORDS, [1, 0, 0]),
    (Rule::LateRenewWithdrawsOffer, OFFERS, [2, 2, 0]),
    (Rule::SetKeysNeedsOwner, MANAGER, [1, 0, 0]),
    (Rule::SetKeysNeedsOwner, STRANGER, [1, 0, 0]),
    (Rule::SetKeysNeedsOwner, RECOVERY_THIEF, [1, 0, 0]),
    (Rule::SetKeysNeedsRecovery, RECOVERY, [1, 0, 0]),
    (Rule::SetKeysNeedsRecovery, OWNER_THIEF, [1, 0, 0]),
    (Rule::SetKeysNeedsRecovery, TAKES_BACK, [1, 0, 0]),
    (Rule::NewRecoveryWithdrawsOffer, OFFERS, [2, 0, 0]),
    (Rule::TransferNeedsOwner, HANDS, [1, 0, 0]),
    (Rule::TransferNeedsOwner, STRANGER, [1, 0, 0]),
    (Rule::TransferNeedsRecovery, TAKES_BACK, [1, 0, 0]),
    (Rule::TransferClearsManager, MANAGER, [1, 0, 0]),
    (Rule::TransferClearsRecovery, RECOVERY, [1, 0, 0]),
    (Rule::TransferClearsOffer, OFFERS, [2, 0, 0]),
    (Rule::OfferNeedsOwner, OFFERS, [1, 0, 0]),
    (Rule::OfferNeedsOwner, STRANGER, [1, 0, 0]),
    (Rule::OfferNeedsRecovery, OFFERS, [1, 0, 0]),
    (Rule::OfferNeedsRecovery, OWNER_THIEF, [1, 0, 0]),
    (Rule::BuyNeedsOffer, HANDS, [1, 0, 0]),
    (Rule::BuyNeedsPrice, SELLER, [2, 0, 0]),
    (Rule::BuyNeedsBuyer, HANDS, [2, 0, 0]),
    (Rule::BuyPaysOwner, SELLER, [2, 0, 0]),
    (Rule::BuyPaysOwner, SUPPLY, [2, 0, 0]),
    (Rule::BuyCosts, SUPPLY, [2, 0, 0]),
    (Rule::BuyClearsManager, MANAGER, [2, 0, 0]),
    (Rule::BuyClearsRecovery, RECOVERY, [2, 0, 0]),
    (Rule::BuyClearsOffer, OFFERS, [2, 0, 0]),
    (Rule::RecoverNeedsRecovery, HANDS, [1, 0, 0]),
    (Rule::RecoverClearsManager, MANAGER, [1, 0, 0]),
    (Rule::RecoverClearsOffer, OFFERS, [2, 0, 0]),
    (Rule::RecoverKeepsRecovery, RECOVERY, [1, 0, 0]),
    (Rule::ReleasedIsInert, CLAIMS, [1, 3, 0]),
    (Rule::CostFits, SUPPLY, [2, 0, 0]),
    (Rule::NonceCounts, ONCE, [2, 0, 0]),
    (Rule::NonceCounts, COINS, [2, 0, 0]),
    (Rule::NonceCounts, HANDS, [3, 0, 0]),
    (Rule::PayerPays, COINS, [1, 0, 0]),
    (Rule::ManagerOnlyWrites, MANAGER_THIEF, [1, 0, 0]),
    (Rule::RenewAdds, TERM, [1, 0, 0]),
    (Rule::CreationBurns, SUPPLY, [1, 0, 0]),
    (Rule::FeesAreTheReward, SUPPLY, [1, 1, 0]),
    (Rule::RewardGoesWhenPaid, SUPPLY, [0, 2, 0]),
    (Rule::UndoRestoresCoins, SUPPLY, [1, 1, 1]),
    (Rule::UndoRestoresName, HANDS, [1, 1, 1]),
    (Rule::UndoRestoresName, RECOVERY, [1, 1, 1]),
];

#[test]
fn without_any_one_rule_a_theft_is_found() {
    for (rule, property, bounds) in PROTECTS {
        theft(&[rule], property, bounds);
    }
    let unproved: Vec<Rule> =
        Rule::ALL.into_iter().filter(|rule| PROTECTS.iter().all(|(protects, ..)| protects != rule)).collect();
    // Whoever may act while the name is active robs nobody in grace; the rule is for the records' sake alone.
    assert_eq!(unproved, [Rule::GraceIsInert]);
}
