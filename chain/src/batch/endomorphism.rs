//! A multiple of a point as two multiples of half the length (Gallant, Lambert, Vanstone).
//!
//! `λ·(x, y) = (β·x, y)` costs one product, so with `k = k₁ + k₂·λ`, `k·(x, y)` is `k₁·(x, y) + k₂·(β·x, y)`.
//! Sources: Hankerson, Menezes, Vanstone, "Guide to Elliptic Curve Cryptography", algorithm 3.74; the constants, and the
//! proof that both halves have 128 bits, are those of libsecp256k1's `scalar_impl.h`, as in k256's `arithmetic/mul.rs`.

use k256::elliptic_curve::bigint::U256;
use k256::elliptic_curve::ops::Reduce;
use k256::elliptic_curve::scalar::IsHigh;
use k256::{FieldBytes, Scalar};

use super::point::{Field, Point};

/// A cube root of one among the scalars.
const LAMBDA: U256 = U256::from_be_hex("5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72");
/// The cube root of one among the coordinates that belongs to it.
const BETA: U256 = U256::from_be_hex("7ae96a2b657c07106e64479eac3434e99cf0497512f58995c1396c28719501ee");
/// -b₁ and b₂ of the two short vectors.
const MINUS_B1: u128 = 0xe443_7ed6_010e_8828_6f54_7fa9_0abf_e4c3;
const B2: u128 = 0x3086_d221_a7d4_6bcd_e86c_90e4_9284_eb15;
/// 2³⁸⁴·b₂ / n and 2³⁸⁴·(-b₁) / n, rounded.
const G1: U256 = U256::from_be_hex("3086d221a7d46bcde86c90e49284eb153daa8a1471e8ca7fe893209a45dbb031");
const G2: U256 = U256::from_be_hex("e4437ed6010e88286f547fa90abfe4c4221208ac9df506c61571b4ae8ac47f71");

/// Two points and multiples with the sum `scalar · point`; never `None`, because both halves are short enough.
pub(super) fn halves(point: Point, scalar: &Scalar) -> Option<[(Point, u128); 2]> {
    let (first, second) = split(scalar);
    let beta = Option::<Field>::from(Field::from_bytes(&FieldBytes::from(BETA.to_be_bytes())))?;
    let image = Point { x: point.x.mul(&beta), y: point.y };
    Some([of_short(point, first)?, of_short(image, second)?])
}

/// k₁ and k₂ with `k = k₁ + k₂·λ`, each of at most 128 bits but for its sign.
fn split(k: &Scalar) -> (Scalar, Scalar) {
    let [c1, c2] = [G1, G2].map(|g| {
        // k·g / 2³⁸⁴, rounded.
        let (_, high) = U256::from_be_slice(&k.to_bytes()).widening_mul(&g);
        let rounded = high.shr_vartime(127).wrapping_add(&U256::ONE).shr_vartime(1);
        Scalar::reduce(&rounded)
    });
    let second = c1 * Scalar::from(MINUS_B1) - c2 * Scalar::from(B2);
    (*k - second * Scalar::reduce(&LAMBDA), second)
}

/// The sign goes to the point.
fn of_short(point: Point, scalar: Scalar) -> Option<(Point, u128)> {
    let negative = bool::from(scalar.is_high());
    let bytes = if negative { -scalar } else { scalar }.to_bytes();
    let (high, low) = bytes.split_first_chunk::<16>()?;
    let multiple = u128::from_be_bytes(*low.first_chunk()?);
    (*high == [0; 16]).then_some((if negative { -point } else { point }, multiple))
}
