//! Points in affine coordinates, and the points of given x.

use core::ops::Neg;

use k256::elliptic_curve::hazmat::FieldArithmetic;
use k256::elliptic_curve::point::AffineCoordinates;
use k256::{AffinePoint, FieldBytes, Secp256k1};

/// A coordinate. k256 reduces it lazily: a sum's magnitude is that of its terms together, `negate(m)` has m + 1, and a
/// product, whose factors may have 8, has 1. None here goes beyond 4, for limbs of 26 bits (up to 31) as of 52.
pub(super) type Field = <Secp256k1 as FieldArithmetic>::FieldElement;

/// A point of the curve, never the one at infinity. Both coordinates have magnitude 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) x: Field,
    pub(super) y: Field,
}

impl Neg for Point {
    type Output = Self;

    fn neg(self) -> Self {
        Self { x: self.x, y: self.y.negate(1).normalize_weak() }
    }
}

impl Point {
    /// The same in k256's type, which takes no point off the curve.
    pub(super) fn to_k256(self) -> Option<AffinePoint> {
        AffinePoint::from_coordinates(&self.x.to_bytes(), &self.y.to_bytes()).into()
    }
}

/// For each x the point of even y; `None` if there is one without, or that is no coordinate. Source: BIP 340, `lift_x`.
pub(super) fn lift_all(all: &[&[u8; 32]]) -> Option<Vec<Point>> {
    let mut points = Vec::with_capacity(all.len());
    for chunk in all.chunks(LANES) {
        let mut lanes = [Field::ONE; LANES];
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = Option::from(Field::from_bytes(&FieldBytes::from(**x)))?;
        }
        let squares = lanes.map(|x| x.square().mul(&x) + Field::from_u64(7));
        let roots = powers_of_quarter(squares);
        for ((x, square), root) in lanes.into_iter().zip(squares).zip(roots).take(chunk.len()) {
            if !bool::from((root.square().negate(1) + square).normalizes_to_zero()) {
                return None;
            }
            let y = root.normalize();
            let y = if y.is_odd().into() { y.negate(1).normalize_weak() } else { y };
            points.push(Point { x, y });
        }
    }
    Some(points)
}

/// Powers computed together: one alone leaves the processor waiting for its last product, and more bring nothing.
const LANES: usize = 2;
type Lanes = [Field; LANES];

/// The power (p + 1) / 4 of each, which is a square root if there is one. Source: the chain of additions for the blocks
/// of ones in (p + 1) / 4, of 2, 22 and 223 bits, is that of libsecp256k1's `secp256k1_fe_sqrt`.
fn powers_of_quarter(x: Lanes) -> Lanes {
    let x2 = mul(square(x, 1), x);
    let x3 = mul(square(x2, 1), x);
    let x6 = mul(square(x3, 3), x3);
    let x9 = mul(square(x6, 3), x3);
    let x11 = mul(square(x9, 2), x2);
    let x22 = mul(square(x11, 11), x11);
    let x44 = mul(square(x22, 22), x22);
    let x88 = mul(square(x44, 44), x44);
    let x176 = mul(square(x88, 88), x88);
    let x220 = mul(square(x176, 44), x44);
    let x223 = mul(square(x220, 3), x3);
    square(mul(square(mul(square(x223, 23), x22), 6), x2), 2)
}

/// Each squared `times` times.
fn square(mut lanes: Lanes, times: usize) -> Lanes {
    for _ in 0..times {
        for x in &mut lanes {
            *x = x.square();
        }
    }
    lanes
}

fn mul([a, b]: Lanes, [c, d]: Lanes) -> Lanes {
    [a.mul(&c), b.mul(&d)]
}
