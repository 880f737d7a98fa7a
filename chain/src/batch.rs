//! Many signatures checked as one equation, with k256's arithmetic.
//!
//! BIP 340's batch verification: with coefficients aᵢ that nobody can choose, `Σ aᵢsᵢ·G = Σ aᵢ·Rᵢ + Σ aᵢeᵢ·Pᵢ` holds iff
//! every `sᵢ·G = Rᵢ + eᵢ·Pᵢ` does, but for a chance of 2⁻¹²⁸. The coefficients are hashed from the whole batch, so a
//! verdict is the same on every node and needs no randomness. The sum is made with Pippenger's buckets, which share the
//! doublings of all the points; a key that signs often costs one point. Source: BIP 340, "Batch Verification".

use std::collections::BTreeMap;

use k256::elliptic_curve::ops::Reduce;
use k256::elliptic_curve::{Group, PrimeField};
use k256::schnorr::{self, VerifyingKey};
use k256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};

use crate::hash::{Sighash, tag};
use crate::key::{PublicKey, Signature};

/// Below so many, one by one is as quick.
const BATCH_MIN: usize = 8;
/// Of a coefficient: what a forger's chance is measured in.
const COEFFICIENT_BYTES: usize = 16;
/// Bits of a digit: fewer do not pay for [`BATCH_MIN`] signatures, more for no number that a block holds.
const WIDTH_MIN: u32 = 3;
const WIDTH_MAX: u32 = 12;

/// One signature to be checked.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// Who is said to have signed.
    pub key: &'a PublicKey,
    /// What.
    pub sighash: Sighash,
    /// The signature.
    pub signature: &'a Signature,
}

/// Whether all signatures of `batch` are good; which are not, only [`PublicKey::verifies`] tells. Rule C6.
#[must_use]
pub fn all_verify(batch: &[Signed<'_>]) -> bool {
    if batch.len() < BATCH_MIN {
        return batch.iter().all(|it| it.key.verifies(&it.sighash, it.signature));
    }
    sides(batch).is_some_and(|(left, terms)| {
        let difference = ProjectivePoint::mul_by_generator_vartime(&left) - sum_of_products(&terms);
        difference.is_identity().into()
    })
}

/// A point and what it is multiplied by.
type Term = (AffinePoint, Scalar);

/// `Σ aᵢsᵢ`, and the terms of the right side; `None` where a key or a signature is not of the form that BIP 340 asks for.
fn sides(batch: &[Signed<'_>]) -> Option<(Scalar, Vec<Term>)> {
    let seed = seed(batch);
    let mut left = Scalar::ZERO;
    let mut terms = Vec::with_capacity(2 * batch.len());
    let mut keys = BTreeMap::<&PublicKey, Scalar>::new();
    for (at, &Signed { key, sighash, signature }) in (0u64..).zip(batch) {
        let (r, s) = signature.0.split_first_chunk::<32>()?;
        // Refuses what is no signature exactly as a single check does.
        schnorr::Signature::try_from(signature.0.as_slice()).ok()?;
        let s = Option::<Scalar>::from(Scalar::from_repr(FieldBytes::try_from(s).ok()?))?;
        let challenge = tag::CHALLENGE.hash(&[r, &key.0, &sighash.0]);
        let challenge = <Scalar as Reduce<FieldBytes>>::reduce(&challenge.into());
        let coefficient = coefficient(&seed, at)?;
        left += coefficient * s;
        // The point with even y: R, if the signature is good.
        terms.push((lift_x(r)?, coefficient));
        *keys.entry(key).or_insert(Scalar::ZERO) += coefficient * challenge;
    }
    for (key, sum) in keys {
        terms.push((lift_x(&key.0)?, sum));
    }
    Some((left, terms))
}

/// The point of even y with this x. Source: BIP 340, lift_x.
fn lift_x(x: &[u8; 32]) -> Option<AffinePoint> {
    VerifyingKey::from_slice(x).ok().map(|key| *key.as_affine())
}

/// A hash of everything that is checked.
fn seed(batch: &[Signed<'_>]) -> [u8; 32] {
    let parts: Vec<&[u8]> =
        batch.iter().flat_map(|it| [it.key.0.as_slice(), &it.sighash.0, it.signature.0.as_slice()]).collect();
    tag::BATCH.hash(&parts)
}

fn coefficient(seed: &[u8; 32], at: u64) -> Option<Scalar> {
    let hash = tag::BATCH.hash(&[seed, &at.to_le_bytes()]);
    let mut bytes = FieldBytes::default();
    let (_, low) = bytes.split_last_chunk_mut::<COEFFICIENT_BYTES>()?;
    low.copy_from_slice(hash.first_chunk::<COEFFICIENT_BYTES>()?);
    Scalar::from_repr(bytes).into()
}

/// `Σ scalar · point`. Source: Pippenger's method with signed digits, as in Bernstein et al., "Faster batch forgery
/// identification" (2012), section 4.
fn sum_of_products(terms: &[Term]) -> ProjectivePoint {
    let width = best_width(terms.len());
    let digits: Vec<Digits> = terms.iter().map(|(_, scalar)| Digits::new(scalar, width)).collect();
    let mut sum = ProjectivePoint::IDENTITY;
    let mut buckets = vec![ProjectivePoint::IDENTITY; 1 << (width - 1)];
    for window in (0..windows(width)).rev() {
        for _ in 0..width {
            sum = sum.double();
        }
        buckets.fill(ProjectivePoint::IDENTITY);
        for ((point, _), digits) in terms.iter().zip(&digits) {
            let digit = digits.at(window);
            let bucket = usize::from(digit.unsigned_abs()).checked_sub(1).and_then(|at| buckets.get_mut(at));
            match bucket {
                Some(bucket) if digit.is_positive() => *bucket += point,
                Some(bucket) => *bucket -= point,
                None => {}
            }
        }
        // Bucket d counts d times: the sum of all sums from the top down to it.
        let (mut from_top, mut weighted) = (ProjectivePoint::IDENTITY, ProjectivePoint::IDENTITY);
        for bucket in buckets.iter().rev() {
            from_top += bucket;
            weighted += &from_top;
        }
        sum += &weighted;
    }
    sum
}

/// Windows of `width` bits in a scalar, with room for the last carry.
const fn windows(width: u32) -> usize {
    (256 / width + 1) as usize
}

/// The width with the fewest additions: an addition a term and window, two a bucket and window.
fn best_width(terms: usize) -> u32 {
    (WIDTH_MIN..=WIDTH_MAX).min_by_key(|width| windows(*width) * (terms + (1 << width))).unwrap_or(WIDTH_MAX)
}

/// A scalar's digits in base 2^width, between -(2^(width-1) - 1) and 2^(width-1).
struct Digits([i16; windows(WIDTH_MIN)]);

impl Digits {
    fn new(scalar: &Scalar, width: u32) -> Self {
        let mut words = [0u64; 5];
        for (word, bytes) in words.iter_mut().zip(scalar.to_repr().rchunks_exact(8)) {
            *word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        let (base, half) = (1i16 << width, 1i16 << (width - 1));
        let mut carry = 0;
        let mut digits = [0; windows(WIDTH_MIN)];
        for digit in digits.iter_mut().take(windows(width)) {
            // Fits: masked to at most WIDTH_MAX bits.
            let value = i16::try_from(words[0] & ((1 << width) - 1)).unwrap_or(0) + carry;
            carry = i16::from(value > half);
            *digit = value - base * carry;
            shift_right(&mut words, width);
        }
        Self(digits)
    }

    fn at(&self, window: usize) -> i16 {
        self.0.get(window).copied().unwrap_or(0)
    }
}

fn shift_right(words: &mut [u64; 5], bits: u32) {
    let [a, b, c, d, e] = *words;
    let low = |high: u64, low: u64| low >> bits | high << (64 - bits);
    *words = [low(b, a), low(c, b), low(d, c), low(e, d), e >> bits];
}

#[cfg(test)]
mod tests;
