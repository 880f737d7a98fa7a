//! Batches in which points are the same or opposite on purpose, so that additions meet every exceptional case.

use k256::elliptic_curve::point::AffineCoordinates;

use super::*;

/// Signs as BIP 340 does, but with any nonce: `R = nonce·G`, its sign and that of the key turned where y is odd.
fn signed(secret: Scalar, nonce: Scalar, sighash: Sighash) -> Made {
    let even = |scalar: Scalar| {
        let point = (ProjectivePoint::GENERATOR * scalar).to_affine();
        (if point.y_is_odd().into() { -scalar } else { scalar }, <[u8; 32]>::from(point.x()))
    };
    let ((secret, key), (nonce, r)) = (even(secret), even(nonce));
    let challenge = tag::CHALLENGE.hash(&[&r, &key, &sighash.0]);
    let s = nonce + <Scalar as Reduce<FieldBytes>>::reduce(&challenge.into()) * secret;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s.to_bytes());
    (PublicKey(key), sighash, Signature(signature))
}

fn sighash(at: usize) -> Sighash {
    Sighash(sha256(&at.to_le_bytes()))
}

/// The batch is good, and is not once any one byte of it is off.
fn is_good_and_brittle(batch: &[Made]) {
    assert!(batch.iter().all(|(key, sighash, signature)| key.verifies(sighash, signature)));
    assert!(verdict(batch));
    for at in [0, batch.len() / 2, batch.len() - 1] {
        for byte in 0..64 {
            fails_with(batch, at, &format!("signature, byte {byte}"), |it| it.2.0[byte] ^= 1 << (byte % 8));
        }
        for byte in (0..32).step_by(5) {
            fails_with(batch, at, &format!("key, byte {byte}"), |it| it.0.0[byte] ^= 1);
            fails_with(batch, at, &format!("sighash, byte {byte}"), |it| it.1.0[byte] ^= 1);
        }
    }
}

#[test]
fn one_signature_many_times() {
    is_good_and_brittle(&vec![signed(Scalar::from(77u64), Scalar::from(99u64), sighash(0)); 20]);
}

#[test]
fn one_nonce_in_all() {
    let batch: Vec<Made> =
        (0..20).map(|at| signed(Scalar::from(at as u64 + 1), Scalar::from(99u64), sighash(at))).collect();
    is_good_and_brittle(&batch);
}

#[test]
fn one_key_and_one_nonce_in_all() {
    let batch: Vec<Made> = (0..20).map(|at| signed(Scalar::from(77u64), Scalar::from(99u64), sighash(at))).collect();
    is_good_and_brittle(&batch);
}

/// The key's secret is the nonce, or its opposite, which has the same x.
#[test]
fn keys_that_are_nonces() {
    let batch: Vec<Made> = (0..20)
        .map(|at| {
            let secret = Scalar::from(at as u64 / 4 + 1);
            signed(secret, if at % 2 == 0 { secret } else { -secret }, sighash(at))
        })
        .collect();
    is_good_and_brittle(&batch);
}

/// The generator as key, as nonce and as both, with neighbours whose sums and differences are points of the batch.
#[test]
fn the_generator_and_its_small_multiples() {
    let small = |at: usize| Scalar::from(at as u64 % 4 + 1);
    let batch: Vec<Made> = (0..24).map(|at| signed(small(at), small(at / 4), sighash(at % 3))).collect();
    is_good_and_brittle(&batch);
}

/// Images of each other under the endomorphism: y is the same, x is not.
#[test]
fn keys_that_are_images_of_each_other() {
    let lambda = <Scalar as Reduce<FieldBytes>>::reduce(&FieldBytes::from([
        0x53, 0x63, 0xad, 0x4c, 0xc0, 0x5c, 0x30, 0xe0, 0xa5, 0x26, 0x1c, 0x02, 0x88, 0x12, 0x64, 0x5a, 0x12, 0x2e,
        0x22, 0xea, 0x20, 0x81, 0x66, 0x78, 0xdf, 0x02, 0x96, 0x7c, 0x1b, 0x23, 0xbd, 0x72,
    ]));
    assert_eq!(lambda.square() + lambda + Scalar::ONE, Scalar::ZERO);
    let powers = [Scalar::ONE, lambda, lambda.square()];
    let batch: Vec<Made> = (0..18).map(|at| signed(powers[at % 3], powers[at / 3 % 3], sighash(at))).collect();
    is_good_and_brittle(&batch);
}

/// As in a single check, whatever R is.
#[test]
fn s_of_zero_is_no_signature() {
    let mut batch = made(9);
    batch[4].2.0[32..].fill(0);
    let (key, sighash, signature) = batch[4];
    assert!(!key.verifies(&sighash, &signature) && !verdict(&batch));
}
