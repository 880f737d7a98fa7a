//! Sums of many multiples of points, by Pippenger's method.
//!
//! Each multiple is written in digits. Points with the same digit in the same window go to one bucket, so that whatever
//! number of points costs the same few doublings. Source: Bernstein et al., "Faster batch forgery identification"
//! (2012), section 4; signed digits halve the buckets.

use k256::ProjectivePoint;

use super::point::Point;
use super::sums::Sums;

/// A point and how many times it counts.
pub(super) type Term = (Point, u128);

/// Bits of a digit: fewer do not pay for a batch, more for no number that a block holds.
const WIDTH_MIN: u32 = 3;
const WIDTH_MAX: u32 = 12;

/// `Σ multiple · point`; never `None`, which stands for a slot or an inverse that is not there.
pub(super) fn sum_of_products(terms: Vec<Term>) -> Option<ProjectivePoint> {
    let width = best_width(terms.len());
    sum_by_digits(terms, width)
}

/// With digits of `width` bits.
fn sum_by_digits(terms: Vec<Term>, width: u32) -> Option<ProjectivePoint> {
    let bits = unfold(fill(terms, width)?, width)?;
    let mut sum = ProjectivePoint::IDENTITY;
    for point in bits.into_iter().rev() {
        sum = sum.double();
        if let Some(point) = point {
            sum += &point.to_k256()?;
        }
    }
    Some(sum)
}

/// Adds each point to the bucket of each of its digits, which are between -(2^(width-1) - 1) and 2^(width-1).
fn fill(mut terms: Vec<Term>, width: u32) -> Option<Sums> {
    let mut buckets = Sums::new(windows(width) * stride(width));
    for first in (0..windows(width)).map(|window| window * stride(width)) {
        for (point, rest) in &mut terms {
            // At most WIDTH_MAX bits.
            let digit = usize::try_from(*rest & ((1 << width) - 1)).ok()?;
            *rest >>= width;
            if digit > 1 << (width - 1) {
                *rest += 1;
                buckets.add(first + ((1 << width) - digit), -*point)?;
            } else if digit > 0 {
                buckets.add(first + digit, *point)?;
            }
        }
    }
    buckets.settle()?;
    Some(buckets)
}

/// From the buckets, each of which counts as many times as its digit says, one point for each bit of a multiple: what
/// is in bucket `2^bit + rest` counts in that bit, and goes on to bucket `rest`.
fn unfold(mut buckets: Sums, width: u32) -> Option<Vec<Option<Point>>> {
    let mut bits = Sums::new(windows(width) * width as usize);
    for bit in (0..width).rev() {
        for window in 0..windows(width) {
            for rest in 0..(1 << bit).min(stride(width) - (1 << bit)) {
                let first = window * stride(width);
                if let Some(point) = buckets.take(first + (1 << bit) + rest)? {
                    bits.add(window * width as usize + bit as usize, point)?;
                    if rest > 0 {
                        buckets.add(first + rest, point)?;
                    }
                }
            }
        }
        buckets.settle()?;
    }
    bits.finish()
}

/// Windows of `width` bits in a multiple, with room for the last carry.
const fn windows(width: u32) -> usize {
    (u128::BITS / width + 1) as usize
}

/// Digits of a window but for their sign, with that of zero, which stays empty.
const fn stride(width: u32) -> usize {
    (1 << (width - 1)) + 1
}

/// The width with the fewest additions: one for a term, two for a bucket, less the first of each bucket.
fn best_width(terms: usize) -> u32 {
    (WIDTH_MIN..=WIDTH_MAX).min_by_key(|width| windows(*width) * (terms + stride(*width))).unwrap_or(WIDTH_MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use k256::Scalar;

    use super::*;
    use crate::batch::point::lift_all;

    /// Every width, with multiples at the edges, points that repeat and cancel out, and several rounds of additions.
    #[test]
    fn sums_of_every_width_are_those_of_plain_multiplication() {
        let edges = [0, 1, 2, u128::MAX, u128::MAX - 1, 1 << 127, (1 << 127) - 1, u128::from(u64::MAX)];
        let x = [1, 2, 3, 4].map(|last| core::array::from_fn(|at| if at == 31 { last } else { 0 }));
        let mut points = lift_all(&x.each_ref()).unwrap();
        points.push(-points[0]);
        let term = |at: usize| (points[at % points.len()], edges[at % edges.len()]);
        for width in WIDTH_MIN..=WIDTH_MAX {
            for count in [0usize, 1, 2, 39, 40, 1_000] {
                // Points and edges repeat together after 40 terms.
                let plain = (0..count.min(40)).fold(ProjectivePoint::IDENTITY, |sum, at| {
                    let times = Scalar::from((count - at).div_ceil(40) as u64);
                    sum + term(at).0.to_k256().unwrap() * (Scalar::from(term(at).1) * times)
                });
                let sum = sum_by_digits((0..count).map(term).collect(), width).unwrap();
                assert_eq!(sum, plain, "{count} terms in digits of {width} bits");
            }
        }
    }

    /// Wider digits for more terms; what they cost is windows × (terms + buckets).
    #[test]
    fn digits_are_as_wide_as_pays() {
        assert_eq!([3, 7, 8, 12].map(windows), [43, 19, 17, 11]);
        let terms = [1, 24, 100, 300, 900, 1_800, 6_000, 100_000];
        assert_eq!(terms.map(best_width), [3, 5, 6, 7, 9, 10, 11, 12]);
    }
}
