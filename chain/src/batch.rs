//! Many signatures checked as one equation, with k256's arithmetic.
//!
//! BIP 340's batch verification: with coefficients aᵢ that nobody can choose, `Σ aᵢsᵢ·G = Σ aᵢ·Rᵢ + Σ aᵢeᵢ·Pᵢ` holds iff
//! every `sᵢ·G = Rᵢ + eᵢ·Pᵢ` does, but for a chance of 2⁻¹²⁸. The coefficients are hashed from the whole batch, so a
//! verdict is the same on every node and needs no randomness. The sum is made with Pippenger's buckets, which share the
//! doublings of all the points; a key that signs often costs one point. Source: BIP 340, "Batch Verification".

mod buckets;
mod endomorphism;
mod point;
mod sums;

use std::collections::BTreeMap;

use k256::elliptic_curve::ops::Reduce;
use k256::elliptic_curve::{Group, PrimeField};
use k256::{FieldBytes, ProjectivePoint, Scalar, schnorr};

use self::buckets::{Term, sum_of_products};
use self::endomorphism::halves;
use self::point::lift_all;
use crate::hash::{Sighash, tag};
use crate::key::{PublicKey, Signature};

/// Below so many, one by one is as quick.
const BATCH_MIN: usize = 8;

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
    let equal = || {
        let (left, terms) = sides(batch)?;
        let difference = ProjectivePoint::mul_by_generator_vartime(&left) - sum_of_products(terms)?;
        Some(difference.is_identity().into())
    };
    equal().unwrap_or(false)
}

/// `Σ aᵢsᵢ`, and the terms of the right side; `None` where a key or a signature is not of the form that BIP 340 asks for.
fn sides(batch: &[Signed<'_>]) -> Option<(Scalar, Vec<Term>)> {
    let seed = seed(batch);
    let mut left = Scalar::ZERO;
    let (mut nonces, mut coefficients) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    let mut keys = BTreeMap::<&PublicKey, Scalar>::new();
    for (at, &Signed { key, sighash, signature }) in (0u64..).zip(batch) {
        let (r, s) = signature.0.split_first_chunk::<32>()?;
        // Refuses what is no signature exactly as a single check does.
        schnorr::Signature::try_from(signature.0.as_slice()).ok()?;
        let s = Option::<Scalar>::from(Scalar::from_repr(FieldBytes::try_from(s).ok()?))?;
        let challenge = tag::CHALLENGE.hash(&[r, &key.0, &sighash.0]);
        let challenge = <Scalar as Reduce<FieldBytes>>::reduce(&challenge.into());
        let coefficient = coefficient(&seed, at)?;
        let scalar = Scalar::from(coefficient);
        left += scalar * s;
        nonces.push(r);
        coefficients.push(coefficient);
        *keys.entry(key).or_insert(Scalar::ZERO) += scalar * challenge;
    }
    // The points with even y: a good signature's R, and its key.
    let mut terms: Vec<Term> = lift_all(&nonces)?.into_iter().zip(coefficients).collect();
    let points = lift_all(&keys.keys().map(|key| &key.0).collect::<Vec<_>>())?;
    for (point, sum) in points.into_iter().zip(keys.values()) {
        terms.extend(halves(point, sum)?);
    }
    Some((left, terms))
}

/// A hash of everything that is checked.
fn seed(batch: &[Signed<'_>]) -> [u8; 32] {
    let parts: Vec<&[u8]> =
        batch.iter().flat_map(|it| [it.key.0.as_slice(), &it.sighash.0, it.signature.0.as_slice()]).collect();
    tag::BATCH.hash(&parts)
}

/// 128 bits: what a forger's chance is measured in.
fn coefficient(seed: &[u8; 32], at: u64) -> Option<u128> {
    let hash = tag::BATCH.hash(&[seed, &at.to_le_bytes()]);
    hash.first_chunk().map(|bytes| u128::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
