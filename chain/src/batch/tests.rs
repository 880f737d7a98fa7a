//! A batch says what its signatures say one by one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod arithmetic;
mod crafted;

use k256::schnorr::SigningKey;

use super::*;
use crate::amount::Amount;
use crate::check::all_signatures_good;
use crate::hash::{ChainId, sha256};
use crate::op::{Op, Pay};
use crate::tx::{Body, Transaction};

/// A key, what it signed, and the signature.
type Made = (PublicKey, Sighash, Signature);

/// Of each three, two share a key.
fn made(count: u32) -> Vec<Made> {
    let one = |at: u32| {
        let mut secret = [1; 32];
        secret[..4].copy_from_slice(&(if at % 3 == 2 { at - 1 } else { at }).to_be_bytes());
        let key = SigningKey::from_slice(&secret).unwrap();
        let sighash = Sighash(sha256(&at.to_le_bytes()));
        let signature = key.sign_raw(&sighash.0, &[0; 32]).unwrap();
        (PublicKey(key.verifying_key().to_bytes().into()), sighash, Signature(signature.to_bytes()))
    };
    (0..count).map(one).collect()
}

fn verdict(batch: &[Made]) -> bool {
    let signed: Vec<_> =
        batch.iter().map(|(key, sighash, signature)| Signed { key, sighash: *sighash, signature }).collect();
    all_verify(&signed)
}

/// The batch is bad once the one at a place is changed.
fn fails_with(good: &[Made], at: usize, what: &str, change: impl FnOnce(&mut Made)) {
    let mut bad = good.to_vec();
    change(&mut bad[at]);
    assert!(!verdict(&bad), "{at}: {what}");
}

#[test]
fn good_batches_of_every_size_pass() {
    let all = made(150);
    for count in (0..40).chain([63, 64, 65, 127, 128, 129, 150]) {
        assert!(verdict(&all[..count]), "{count}");
    }
}

#[test]
fn one_changed_bit_anywhere_fails() {
    let good = made(12);
    for at in 0..good.len() {
        for byte in [0, 15, 31] {
            fails_with(&good, at, &format!("key, byte {byte}"), |it| it.0.0[byte] ^= 1);
            fails_with(&good, at, &format!("sighash, byte {byte}"), |it| it.1.0[byte] ^= 0x80);
            for byte in [byte, byte + 32] {
                fails_with(&good, at, &format!("signature, byte {byte}"), |it| it.2.0[byte] ^= 1);
            }
        }
    }
}

/// Without coefficients, one s raised and another lowered would cancel out.
#[test]
fn errors_do_not_cancel_out() {
    let mut batch = made(9);
    let shift = |signature: &mut Signature, by: Scalar| {
        let s = Scalar::from_repr(FieldBytes::try_from(&signature.0[32..]).unwrap()).unwrap();
        signature.0[32..].copy_from_slice(&(s + by).to_repr());
    };
    shift(&mut batch[1].2, Scalar::ONE);
    shift(&mut batch[2].2, -Scalar::ONE);
    assert_eq!(batch[1].0, batch[2].0, "the same key, so that nothing but coefficients tells them apart");
    assert!(!verdict(&batch));
}

#[test]
fn what_has_no_point_or_no_scalar_fails() {
    let good = made(9);
    let order = {
        // n = 0 - 1 + 1 of the scalars: one more than the largest.
        let mut bytes = (-Scalar::ONE).to_repr();
        bytes[31] += 1;
        bytes
    };
    let changes: [fn(&mut Made, &[u8]); 4] = [
        |it, _| it.0.0 = [0xff; 32],
        |it, _| it.2.0[..32].fill(0xff),
        |it, _| it.2.0[32..].fill(0xff),
        |it, order| it.2.0[32..].copy_from_slice(order),
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad[4], &order);
        assert!(!verdict(&bad), "change {at}");
    }
}

/// Those of T6, over whole transactions: every key of each.
#[test]
fn one_bad_signature_among_many_transactions_is_seen() {
    let chain_id = ChainId([7; 32]);
    let secret = |number: u8| SigningKey::from_slice(&[number; 32]).unwrap();
    let public = |number: u8| PublicKey(secret(number).verifying_key().to_bytes().into());
    let transaction = |nonce: u64, spoilt: Option<usize>| {
        let mut signers = vec![2u8, 3];
        signers.sort_by_key(|number| public(*number));
        let keys: Vec<u8> = std::iter::once(1).chain(signers).collect();
        let body = Body {
            payer: public(keys[0]),
            nonce,
            fee: Amount::from_atoms(1),
            expiry: None,
            signers: keys[1..].iter().map(|number| public(*number)).collect(),
            ops: vec![Op::Pay(Pay { to: public(9), amount: Amount::from_atoms(nonce + 1) })],
        };
        let sighash = body.sighash(&chain_id);
        let sign = |number: &u8| Signature(secret(*number).sign_raw(&sighash.0, &[0; 32]).unwrap().to_bytes());
        let mut signatures: Vec<Signature> = keys.iter().map(sign).collect();
        if let Some(at) = spoilt {
            signatures[at].0[40] ^= 1;
        }
        Transaction::new(body, signatures).unwrap()
    };
    let good: Vec<Transaction> = (0..5).map(|nonce| transaction(nonce, None)).collect();
    assert!(all_signatures_good(&good.iter().collect::<Vec<_>>(), &chain_id));
    assert!(!all_signatures_good(&good.iter().collect::<Vec<_>>(), &ChainId([8; 32])), "signed for another chain");
    for (at, of) in [(0, 0), (2, 1), (4, 2)] {
        let mut bad = good.clone();
        bad[at] = transaction(at as u64, Some(of));
        assert!(!all_signatures_good(&bad.iter().collect::<Vec<_>>(), &chain_id), "transaction {at}, signature {of}");
    }
}

/// Whoever could foresee the coefficients could choose errors that cancel out.
#[test]
fn coefficients_depend_on_everything_that_is_checked() {
    let good = made(9);
    let seed_of = |batch: &[Made]| {
        let signed: Vec<_> =
            batch.iter().map(|(key, sighash, signature)| Signed { key, sighash: *sighash, signature }).collect();
        seed(&signed)
    };
    let changes: [fn(&mut Made); 5] =
        [|it| it.0.0[31] ^= 1, |it| it.1.0[31] ^= 1, |it| it.2.0[0] ^= 1, |it| it.2.0[31] ^= 1, |it| it.2.0[63] ^= 1];
    let mut seeds = std::collections::BTreeSet::from([seed_of(&good), seed_of(&good[1..]), seed_of(&good[..8])]);
    for at in [0, 4, 8] {
        for change in changes {
            let mut other = good.clone();
            change(&mut other[at]);
            seeds.insert(seed_of(&other));
        }
    }
    assert_eq!(seeds.len(), 3 + 3 * changes.len(), "each change gives another seed");
    let coefficients: std::collections::BTreeSet<_> =
        seeds.iter().flat_map(|seed| (0..4).map(|at| coefficient(seed, at).unwrap())).collect();
    assert_eq!(coefficients.len(), 4 * seeds.len(), "each seed and place gives another coefficient");
    // 128 bits, as many in the upper half as in the lower one.
    assert!(coefficients.iter().any(|it| it >> 127 == 1) && coefficients.iter().any(|it| it & 1 == 1));
}
