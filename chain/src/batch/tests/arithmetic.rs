//! Sums, halves and square roots are k256's.

use k256::elliptic_curve::Field as _;
use k256::elliptic_curve::point::AffineCoordinates;
use k256::schnorr::VerifyingKey;
use k256::{AffinePoint, ProjectivePoint, Scalar};
use proptest::prelude::*;

use super::super::buckets::sum_of_products;
use super::super::endomorphism::halves;
use super::super::point::{Field, Point, lift_all};
use super::super::sums::Sums;
use super::*;

fn of_k256(point: &AffinePoint) -> Point {
    let [x, y] = [point.x(), point.y()].map(|bytes| Field::from_bytes(&bytes).unwrap());
    Point { x, y }
}

fn multiple_of_generator(scalar: i32) -> ProjectivePoint {
    let times = ProjectivePoint::GENERATOR * Scalar::from(scalar.unsigned_abs());
    if scalar < 0 { -times } else { times }
}

fn of_slot(slot: Option<Point>) -> ProjectivePoint {
    slot.map_or(ProjectivePoint::IDENTITY, |point| point.to_k256().unwrap().into())
}

/// Small multiples of the generator, so that equal and opposite points, and sums that vanish, come up all the time.
fn small() -> impl Strategy<Value = i32> {
    prop_oneof![(1..=3i32), (-3..=-1i32), (1..1_000_000i32)]
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        (0..=5u64).prop_map(Scalar::from),
        (0..=5u64).prop_map(|it| -Scalar::from(it)),
        // At the edges of words, halves and windows.
        (0..256u32, any::<bool>(), -2..=2i32).prop_map(|(bit, negative, off)| {
            let power = Scalar::from(2u64).pow_vartime([u64::from(bit)]);
            let off = if off < 0 { -Scalar::from(off.unsigned_abs()) } else { Scalar::from(off.unsigned_abs()) };
            if negative { off - power } else { off + power }
        }),
        any::<[u8; 32]>().prop_map(|bytes| <Scalar as Reduce<FieldBytes>>::reduce(&bytes.into())),
    ]
}

fn short() -> impl Strategy<Value = u128> {
    prop_oneof![0..=5u128, (0..=5u128).prop_map(|it| u128::MAX - it), any::<u128>(), (0..128u32).prop_map(|it| 1 << it)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// In slots, with rounds that overlap.
    #[test]
    fn sums_are_those_of_single_additions(
        points in proptest::collection::vec((0..4usize, small()), 0..60),
        repeated in 0..=3usize,
    ) {
        let mut sums = Sums::new(4);
        let mut plain = [ProjectivePoint::IDENTITY; 4];
        let points: Vec<_> = points.iter().map(|(slot, it)| (*slot, multiple_of_generator(*it).to_affine())).collect();
        for (slot, point) in points.iter().cycle().take(points.len() << (2 * repeated)) {
            sums.add(*slot, of_k256(point)).unwrap();
            plain[*slot] += point;
        }
        let slots: Vec<_> = sums.finish().unwrap().into_iter().map(of_slot).collect();
        prop_assert_eq!(slots, plain);
    }

    /// Also where most terms share a point, or cancel out.
    #[test]
    fn sums_of_products_are_those_of_plain_multiplication(
        terms in proptest::collection::vec((small(), scalar(), short()), 0..40),
        repeated in 0..3usize,
    ) {
        let (mut plain, mut all) = (ProjectivePoint::IDENTITY, Vec::new());
        for (multiple, scalar, short) in &terms {
            let point = multiple_of_generator(*multiple);
            let affine = of_k256(&point.to_affine());
            plain += point * *scalar + point * Scalar::from(*short);
            all.extend(halves(affine, scalar).unwrap());
            all.push((affine, *short));
        }
        let times = 1 << repeated;
        prop_assert_eq!(sum_of_products(all.repeat(times)).unwrap(), plain * Scalar::from(times as u64));
    }

    /// What the halves stand for, in k256's own multiplication; `halves` refuses those of more than 128 bits.
    #[test]
    fn halves_make_up_the_whole(multiple in small(), scalar in scalar()) {
        let point = multiple_of_generator(multiple);
        let [(first, a), (second, b)] = halves(of_k256(&point.to_affine()), &scalar).unwrap();
        let sum = first.to_k256().unwrap() * Scalar::from(a) + second.to_k256().unwrap() * Scalar::from(b);
        prop_assert_eq!(sum, point * scalar);
    }

    /// Every x, half of which have no point: the same points are found, and the same x refused.
    #[test]
    fn points_are_those_that_a_key_has(all in proptest::collection::vec(any::<[u8; 32]>(), 1..10)) {
        let single = |x: &[u8; 32]| VerifyingKey::from_slice(x).ok().map(|key| *key.as_affine());
        let lifted = |all: &[&[u8; 32]]| {
            let points = lift_all(all)?;
            Some(points.into_iter().map(|point| point.to_k256().unwrap()).collect::<Vec<_>>())
        };
        prop_assert_eq!(lifted(&all.iter().collect::<Vec<_>>()), all.iter().map(single).collect());
        let (good, bad): (Vec<_>, Vec<_>) = all.iter().partition(|x| single(x).is_some());
        prop_assert_eq!(lifted(&good).unwrap(), good.iter().map(|x| single(x).unwrap()).collect::<Vec<_>>());
        // One without a point, in each lane.
        for (at, bad) in bad.iter().enumerate() {
            let mut mixed = good.clone();
            mixed.insert(at % (good.len() + 1), bad);
            prop_assert_eq!(lifted(&mixed), None);
        }
    }
}

#[test]
fn x_at_the_edges_is_treated_as_in_a_key() {
    let edge = |last: [u8; 5]| {
        let mut x = [0xff; 32];
        x[27..].copy_from_slice(&last);
        x
    };
    // Around p = 2^256 - 2^32 - 977, and small ones.
    let mut all: Vec<[u8; 32]> = (0x20..=0x40).map(|low| edge([0xfe, 0xff, 0xff, 0xfc, low])).collect();
    all.extend((0..=20).map(|low| core::array::from_fn(|at| if at == 31 { low } else { 0 })));
    all.push([0xff; 32]);
    for x in &all {
        let key = VerifyingKey::from_slice(x).ok().map(|key| *key.as_affine());
        assert_eq!(lift_all(&[x]).map(|points| points[0].to_k256().unwrap()), key, "{x:x?}");
    }
}

#[test]
fn the_image_is_that_of_k256s_endomorphism() {
    let generator = of_k256(&AffinePoint::GENERATOR);
    let one = halves(generator, &Scalar::ONE).unwrap();
    assert_eq!(one.map(|(_, multiple)| multiple), [1, 0]);
    let image = one[1].0.to_k256().unwrap();
    let lambda = ProjectivePoint::GENERATOR.endomorphism().to_affine();
    assert_eq!(image, lambda);
}
