//! The pool's bounds.

use dotp2p_chain::entry::{Account, EntryKey};
use dotp2p_chain::key::Signature;
use dotp2p_chain::op::{Op, Pay};
use dotp2p_chain::tx::Body;

use super::*;
use crate::row::Row;

fn key(number: u8) -> PublicKey {
    PublicKey([number; 32])
}

/// A payment of `ops` ops; nobody looks at its signature here.
fn payment(payer: u8, nonce: u64, fee: u64, ops: usize) -> Transaction {
    let pay = Op::Pay(Pay { to: key(200), amount: Amount::from_atoms(1) });
    let (payer, fee) = (key(payer), Amount::from_atoms(fee));
    let body = Body { payer, nonce, fee, expiry: None, signers: Vec::new(), ops: vec![pay; ops] };
    Transaction::new(body, vec![Signature([0; 64])]).unwrap()
}

fn state() -> State {
    let account = |number| {
        let account = Account { balance: Amount::from_coins(1), nonce: 0 };
        (EntryKey::Account(key(number)), Row::Account(account))
    };
    State::from_rows((1..=200).map(account).collect())
}

fn txids(pool: &Mempool) -> Vec<Txid> {
    pool.iter().map(|tx| tx.txid).collect()
}

#[test]
fn a_transaction_that_finds_no_room_evicts_nothing() {
    let (state, params) = (state(), Params::regtest());
    let bytes = payment(1, 0, 1_000, 1).bytes().len();
    let mut pool = Mempool::new(Limits { bytes: 20 * bytes, ..Limits::default() });
    for payer in 1..=20 {
        let fee = if payer <= 10 { 1_000 } else { 9_000 };
        pool.add(payment(payer, 0, fee, 1), &state, Height(1), &params, 0).unwrap();
    }
    let before = txids(&pool);
    let large = payment(21, 0, 11 * 3_600, 100);
    assert!(large.bytes().len() > 20 * bytes, "more than the cheap half would free");
    assert_eq!(pool.add(large, &state, Height(1), &params, 0), Err(PoolError::Full));
    assert_eq!(txids(&pool), before);
    pool.add(payment(21, 0, 5_000, 1), &state, Height(1), &params, 0).unwrap();
    assert_eq!((pool.len(), pool.bytes()), (20, 20 * bytes), "one of the cheap ones made room");
}

/// Found by reading: a reorganisation filled it without bound, and each block after looked at all of that.
#[test]
fn what_a_reorganisation_brings_back_keeps_to_the_bounds() {
    let (state, params) = (state(), Params::regtest());
    let bytes = payment(1, 0, 1_000, 1).bytes().len();
    let mut pool = Mempool::new(Limits { bytes: 20 * bytes, ..Limits::default() });
    // Of ten payers four each; the third of each pays least, and the fourth cannot stay without it.
    let fee = |payer: u8, nonce: u64| if nonce == 2 { 1_000 + u64::from(payer) } else { 9_000 };
    let all = (1..=10).flat_map(|payer| (0..4).map(move |nonce| Arc::new(payment(payer, nonce, fee(payer, nonce), 1))));
    let dropped = pool.tip_moved(all.clone().collect(), &state, Height(1), &params, 0);
    assert_eq!((pool.len(), pool.bytes(), dropped.len()), (20, 20 * bytes, 20));
    assert!(dropped.iter().all(|it| it.error.is_none() && it.transaction.body().nonce >= 2));
    assert_eq!(pool.by_rate.len(), 20);
    let mut pool = Mempool::new(Limits { bytes: 37 * bytes, ..Limits::default() });
    let dropped = pool.tip_moved(all.collect(), &state, Height(1), &params, 0);
    let gone: Vec<_> = dropped.iter().map(|it| (it.transaction.body().payer, it.transaction.body().nonce)).collect();
    assert_eq!(gone, [(key(1), 2), (key(1), 3), (key(2), 2), (key(2), 3)]);
    assert_eq!(pool.len(), 36);
}

#[test]
fn a_used_nonce_is_no_gap() {
    let (mut state, params) = (state(), Params::regtest());
    let mut view = crate::view::View::new(&state);
    view.put(&EntryKey::Account(key(1)), Some(Row::Account(Account { balance: Amount::from_coins(1), nonce: 5 })));
    let changes = view.into_changes();
    state.apply(&changes);
    let mut pool = Mempool::new(Limits::default());
    let used = pool.add(payment(1, 4, 1_000, 1), &state, Height(1), &params, 0);
    assert_eq!(used, Err(RuleError::Nonce { found: 4, expected: 5 }.into()));
    pool.add(payment(1, 5, 1_000, 1), &state, Height(1), &params, 0).unwrap();
    let gap = pool.add(payment(1, 8, 1_000, 1), &state, Height(1), &params, 0);
    assert_eq!(gap, Err(PoolError::Gap { found: 8, expected: 6 }));
}
