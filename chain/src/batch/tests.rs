//! A batch says what its signatures say one by one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use k256::schnorr::SigningKey;

use super::*;
use crate::hash::sha256;

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
            let mut bad = good.clone();
            bad[at].0.0[byte] ^= 1;
            assert!(!verdict(&bad), "key {at}, byte {byte}");
            let mut bad = good.clone();
            bad[at].1.0[byte] ^= 0x80;
            assert!(!verdict(&bad), "sighash {at}, byte {byte}");
            for byte in [byte, byte + 32] {
                let mut bad = good.clone();
                bad[at].2.0[byte] ^= 1;
                assert!(!verdict(&bad), "signature {at}, byte {byte}");
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

/// Every width, with scalars at the edges, against k256's own multiplication.
#[test]
fn sums_are_those_of_plain_multiplication() {
    let point = |at: u32| lift_x(&made(at + 1)[at as usize].0.0).unwrap();
    let edges =
        [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, Scalar::ROOT_OF_UNITY, Scalar::from(u64::MAX), -Scalar::from(2u64)];
    let mut widths = std::collections::BTreeSet::new();
    for count in [1, 2, 6, 30, 100, 400, 1_500, 4_000] {
        widths.insert(best_width(count));
        let points = [point(0), point(1), point(3)];
        let terms: Vec<Term> = (0..count).map(|at| (points[at % 3], edges[at % edges.len()])).collect();
        let plain = terms.iter().fold(ProjectivePoint::IDENTITY, |sum, (point, scalar)| sum + *point * *scalar);
        assert_eq!(sum_of_products(&terms), plain, "{count} terms");
    }
    assert!(widths.len() >= 6, "{widths:?}");
}
