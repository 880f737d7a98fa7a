use dotp2p_chain::hash::{RecordsHash, from_hex};
use dotp2p_chain::params::Params;
use proptest::prelude::*;

use super::*;
use crate::seed::Phrase;

fn keys() -> Keys {
    Keys::new(&Phrase::from_entropy(&[7; 16]).unwrap().seed(), 4).unwrap()
}

fn alice() -> Name {
    "alice".parse().unwrap()
}

fn entry(owner: PublicKey, recovery: Option<PublicKey>) -> NameEntry {
    NameEntry {
        owner,
        manager: None,
        recovery,
        since: Height(1),
        expires: Height(201),
        records: RecordsHash::ZERO,
        offer: None,
    }
}

/// The Commit of T5's worked example, byte for byte, but for its signature.
#[test]
fn worked_example() {
    let payer = PublicKey(
        from_hex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798").unwrap().try_into().unwrap(),
    );
    let hash = "408a99cda1c97095fb0d09a790db9b4cad5bc116e69b048bc2512dd45dfddf35".parse().unwrap();
    let plan = TxPlan { fee: Amount::from_atoms(1000), ..TxPlan::new(payer, 0).expires(Height(13)).commit(hash) };
    assert_eq!(plan.size(), 136);
    let chain_id = Params::regtest().chain_id;
    assert_eq!(
        plan.body().sighash(&chain_id).to_string(),
        "3a5bfb0d9b06c5a0b19d1167efba22c5a5f56eed8f339075b8d9cf1d75c9069b"
    );
}

#[test]
fn each_op_is_signed_by_the_right_keys() {
    let keys = keys();
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| keys.get(i).unwrap());
    let plan = || TxPlan::new(a, 0);
    let (own, guarded) = (entry(b, None), entry(b, Some(c)));
    let coin = Amount::from_coins(1);
    let name = alice();
    let cases = [
        (plan().pay(b, coin), vec![]),
        (plan().claim(&name, b, [0; 16]), vec![]),
        (plan().update(&name, vec![1, 0], b), vec![b]),
        (plan().update(&name, vec![1, 0], a), vec![]),
        (plan().renew(&name, 3), vec![]),
        (plan().set_keys(&name, &own, Some(d), Some(c)), vec![b]),
        (plan().set_keys(&name, &guarded, Some(d), Some(c)), vec![b]),
        (plan().set_keys(&name, &guarded, None, Some(d)), vec![b, c]),
        (plan().set_keys(&name, &guarded, None, None), vec![b, c]),
        (plan().transfer(&name, &own, d), vec![b]),
        (plan().transfer(&name, &guarded, d), vec![b, c]),
        (plan().offer(&name, &guarded, coin, None), vec![b, c]),
        (plan().offer(&name, &guarded, Amount::ZERO, None), vec![b]),
        (plan().buy(&name, coin), vec![]),
        (plan().recover(&name, &guarded, d).unwrap(), vec![c]),
    ];
    for (plan, mut signers) in cases {
        signers.sort_unstable();
        assert_eq!(plan.signers(), signers, "{:?}", plan.ops);
        let chain_id = ChainId([1; 32]);
        let tx = plan.sign(&keys, &chain_id).unwrap();
        let sighash = tx.sighash(&chain_id);
        assert!(tx.key_signatures().all(|(key, signature)| key.verifies(&sighash, signature)));
    }
    assert_eq!(plan().recover(&name, &own, d), Err(BuildError::NoRecovery(name)));
}

#[test]
fn what_no_block_could_hold() {
    let keys = keys();
    let (a, b) = (keys.get(0).unwrap(), keys.get(1).unwrap());
    let coin = Amount::from_coins(1);
    let plan = TxPlan { fee: Amount::from_atoms(9), ..TxPlan::new(a, 3).expires(Height(8)).pay(b, coin) };
    let account = |balance, nonce| Account { balance, nonce };
    let rich = account(Amount::from_coins(5), 3);
    let (next, late) = (Height(8), Height(9));
    let cases = [
        (plan.check(None, coin, next), BuildError::NoAccount(a)),
        (plan.check(Some(&account(coin, 4)), coin, next), BuildError::Nonce { nonce: 3, next: 4 }),
        (
            plan.check(Some(&account(coin, 3)), coin, next),
            BuildError::Balance { needed: Amount::from_atoms(100_000_009), have: coin },
        ),
        (plan.check(Some(&rich), coin, late), BuildError::Expired { expiry: Height(8), next: late }),
        (TxPlan::new(a, 0).check_form(), BuildError::Ops(0)),
        (TxPlan::new(a, 0).pay(b, Amount::ZERO).check_form(), BuildError::ZeroAmount),
        (TxPlan::new(a, 0).pay(a, coin).check_form(), BuildError::PaysItself),
        (TxPlan::new(a, 0).renew(&alice(), 11).check_form(), BuildError::Years(11)),
        (TxPlan::new(a, 0).renew(&alice(), 0).check_form(), BuildError::Years(0)),
        (
            TxPlan::new(a, 0).offer(&alice(), &entry(a, None), Amount::ZERO, Some(b)).check_form(),
            BuildError::WithdrawalBuyer,
        ),
    ];
    for (result, error) in cases {
        assert_eq!(result, Err(error));
    }
    assert_eq!(plan.check(Some(&rich), coin, next), Ok(()));
    let foreign = PublicKey([9; 32]);
    assert_eq!(
        TxPlan::new(a, 0).pay(b, coin).signed_by(foreign).sign(&keys, &ChainId::ZERO),
        Err(BuildError::MissingKey(foreign))
    );
}

#[test]
fn signatures_come_together() {
    let (ours, theirs) = (keys(), Keys::new(&Phrase::from_entropy(&[8; 16]).unwrap().seed(), 1).unwrap());
    let chain_id = ChainId([3; 32]);
    let plan = TxPlan::new(ours.first(), 0).renew(&alice(), 1).signed_by(theirs.first());
    let mut partial = Partial::new(plan.body(), chain_id);
    assert_eq!(partial.missing().count(), 2);
    assert_eq!(partial.sign(&ours), 1);
    assert_eq!(partial.complete(), None);
    let signature = theirs.sign(&theirs.first(), &plan.body().sighash(&chain_id)).unwrap();
    assert!(!partial.add(ours.first(), signature));
    assert!(!partial.add(PublicKey([9; 32]), signature));
    assert!(partial.add(theirs.first(), signature));
    let tx = partial.complete().unwrap();
    assert_eq!(tx.signatures().len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The fee pays the rate for the transaction as signed, and no byte too many.
    #[test]
    fn fee_is_exact(rate in 0_u64..5_000_000_000, ops in 1_u8..20, nonce: u64, signer: bool) {
        let keys = keys();
        let mut plan = TxPlan::new(keys.first(), nonce);
        for i in 1..=ops {
            plan = plan.pay(PublicKey([i; 32]), Amount::from_atoms(u64::from(i) << i));
        }
        if signer {
            plan = plan.signed_by(keys.get(1).unwrap());
        }
        let plan = plan.with_fee_rate(FeeRate(rate));
        let tx = plan.sign(&keys, &ChainId::ZERO).unwrap();
        prop_assert_eq!(tx.bytes().len(), plan.size());
        prop_assert!(plan.fee >= FeeRate(rate).fee(plan.size()));
        prop_assert!(plan.fee <= FeeRate(rate).fee(plan.size() + 8));
    }
}
