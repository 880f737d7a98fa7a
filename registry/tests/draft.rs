//! A block in the making, by what the pool and the miner rely on: what is counted, and that a trial leaves nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::Coinbase;
use dotp2p_chain::entry::{Account, EntryKey, LEVEL_START, RewardEntry};
use dotp2p_chain::hash::CommitmentHash;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::op::{Commit, Op, Pay};
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::tx::{Body, Transaction};
use dotp2p_registry::ledger::Draft;
use dotp2p_registry::row::Row;
use dotp2p_registry::rules::{RuleError, Tally};
use dotp2p_registry::state::State;
use dotp2p_registry::state_tree::Leaf;

const PAYER: PublicKey = PublicKey([1; 32]);

/// The payer alone, with a hundred coins.
fn state() -> State {
    let account = Account { balance: Amount::from_coins(100), nonce: 0 };
    State::from_rows(vec![(EntryKey::Account(PAYER), Row::Account(account))])
}

/// Signatures are not looked at here.
fn transaction(nonce: u64, ops: Vec<Op>) -> Transaction {
    let fee = Amount::from_atoms(10);
    let body = Body { payer: PAYER, nonce, fee, expiry: None, signers: Vec::new(), ops };
    Transaction::new(body, vec![Signature([0; 64])]).unwrap()
}

fn commits(from: u8, count: u8) -> Vec<Op> {
    (from..from + count).map(|at| Op::Commit(Commit { hash: CommitmentHash([at; 32]) })).collect()
}

#[test]
fn n7_commits_are_counted_until_they_are_forgotten() {
    let (state, params) = (state(), Params::regtest());
    let max = params.rules.commit_max;
    let mut draft = Draft::begin(&state, Height(1), &params).unwrap();
    draft.apply(&transaction(0, commits(1, u8::try_from(max).unwrap()))).unwrap();
    let full = draft.tally();
    assert_eq!((full.commits, full.transactions, full.fees), (max, 1, Amount::from_atoms(10)));
    let next = transaction(1, commits(100, 1));
    assert_eq!(draft.apply(&next), Err(RuleError::TooManyCommits(max)));
    // One that lives already is not counted, so it is still accepted.
    draft.tried(|draft| draft.apply(&transaction(1, commits(1, 1)))).unwrap();
    draft.forget_commits();
    assert_eq!(draft.tally(), Tally { commits: 0, ..full });
    draft.apply(&next).unwrap();
    assert_eq!((draft.tally().commits, draft.tally().transactions), (1, 2));
}

#[test]
fn a_trial_leaves_nothing() {
    let (state, params) = (state(), Params::regtest());
    let mut draft = Draft::begin(&state, Height(1), &params).unwrap();
    let pay = Op::Pay(Pay { to: PublicKey([2; 32]), amount: Amount::from_coins(1) });
    let paid = draft.tried(|draft| {
        draft.apply(&transaction(0, vec![pay.clone()])).unwrap();
        draft.view().account(&PublicKey([2; 32])).map(|account| account.balance)
    });
    assert_eq!(paid, Some(Amount::from_coins(1)));
    assert_eq!(draft.tally(), Tally::default());
    assert_eq!(draft.view().account(&PublicKey([2; 32])), None);
    assert_eq!(draft.view().account(&PAYER), state.account(&PAYER));
    assert_eq!((draft.view().base().root(), state.name_count()), (state.root(), 0));
    draft.apply(&transaction(0, vec![pay])).unwrap();
}

/// S9, steps 1, 4 and 5: rewards come due at their height and not before; nothing is no reward; the level is written.
#[test]
fn s9_rewards_mature_and_nothing_is_no_reward() {
    let rules = Rules { maturity: 3, subsidy: 1, halving_interval: 1, ..Rules::regtest() };
    let params = Params::new(rules, Params::regtest().deployment).unwrap();
    let (to, amount) = (PublicKey([3; 32]), Amount::from_coins(7));
    let reward = |height| (EntryKey::Reward(Height(height)), Row::Reward(RewardEntry { to, amount }));
    let state = State::from_rows(vec![reward(1), reward(2)]);
    for (height, balance) in [(3, None), (4, Some(amount)), (5, Some(amount))] {
        let mut draft = Draft::begin(&state, Height(height), &params).unwrap();
        assert_eq!(draft.view().account(&to).map(|account| account.balance), balance, "at {height}");
        let changes = draft.finish(&Coinbase { to, extra: Vec::new() }).unwrap().changes;
        let found = |key: EntryKey| changes.iter().find(|change| change.key == key);
        let after = |key: EntryKey| found(key).map(|change| change.after.as_ref().and_then(Leaf::row));
        // The subsidy has halved to nothing, and nobody pays a fee.
        assert_eq!(after(EntryKey::Reward(Height(height))), None, "at {height}");
        assert_eq!(after(EntryKey::Level), Some(Some(Row::Level(LEVEL_START))), "at {height}");
        let due = height.checked_sub(3).map(|height| EntryKey::Reward(Height(height)));
        assert_eq!(due.and_then(after), balance.map(|_| None), "spent at {height}");
    }
}
