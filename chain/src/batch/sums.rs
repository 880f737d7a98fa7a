//! Many sums of points at a time, with few inversions.
//!
//! An addition of affine points divides once. Additions that do not depend on each other are collected, and their
//! divisors inverted together: three products each instead of an inversion. With them an addition takes six products,
//! k256's in projective coordinates eleven. Source: Montgomery, "Speeding the Pollard and elliptic curve methods of
//! factorization" (1987), section 10.3.1.
//!
//! The points may be anybody's choice, so nothing is assumed of them: equal ones are doubled, opposite ones vanish, and
//! neither puts a zero into the product of the divisors.

use super::point::{Field, Point};

/// Additions to an inversion: of so many, its share is a few hundredths, and they fit into a core's cache.
const ROUND: usize = 512;

/// Sums in numbered slots, each empty (infinity) at first.
pub(super) struct Sums {
    slots: Vec<Option<Point>>,
    pending: Vec<Addition>,
    /// Of the divisors of all that is pending; never zero, because none of them is.
    product: Field,
}

/// `a + b`, to be put back into the slot.
struct Addition {
    slot: usize,
    a: Point,
    b: Field,
    slope: Slope,
    /// The product of the divisors of all additions before this one.
    before: Field,
}

/// Of the line through two points. Magnitudes are at most 3.
struct Slope {
    rise: Field,
    /// Not zero.
    run: Field,
}

impl Slope {
    /// The chord's, or the tangent's where both are one point; `None` where they are opposite, that is, cancel out.
    fn through(a: &Point, b: &Point) -> Option<Self> {
        let run = b.x + a.x.negate(1);
        if !bool::from(run.normalizes_to_zero()) {
            return Some(Self { rise: b.y + a.y.negate(1), run });
        }
        // The same x leaves only y or -y, and no point has y = 0, because the order of the group is odd.
        let run = a.y + b.y;
        (!bool::from(run.normalizes_to_zero())).then(|| Self { rise: a.x.square().mul_single(3), run })
    }
}

impl Sums {
    pub(super) fn new(slots: usize) -> Self {
        Self { slots: vec![None; slots], pending: Vec::with_capacity(ROUND), product: Field::ONE }
    }

    /// Adds `point` to what the slot will hold once all is settled; `None` if there is no such slot.
    pub(super) fn add(&mut self, slot: usize, point: Point) -> Option<()> {
        self.put(slot, point)?;
        if self.pending.len() < ROUND { Some(()) } else { self.round() }
    }

    fn put(&mut self, slot: usize, point: Point) -> Option<()> {
        let place = self.slots.get_mut(slot)?;
        let Some(a) = place.take() else {
            *place = Some(point);
            return Some(());
        };
        // Opposite points leave the slot empty.
        if let Some(slope) = Slope::through(&a, &point) {
            let before = self.product;
            self.product = before.mul(&slope.run);
            self.pending.push(Addition { slot, a, b: point.x, slope, before });
        }
        Some(())
    }

    /// Does what is pending, and puts the sums back, which may make new additions: at most half as many.
    fn round(&mut self) -> Option<()> {
        let mut inverse = Option::<Field>::from(self.product.invert_vartime())?;
        self.product = Field::ONE;
        let pending = core::mem::replace(&mut self.pending, Vec::with_capacity(ROUND));
        for Addition { slot, a, b, slope, before } in pending.iter().rev() {
            let gradient = inverse.mul(before).mul(&slope.rise);
            inverse = inverse.mul(&slope.run);
            let x = (gradient.square() + (a.x + b).negate(2)).normalize_weak();
            let y = (gradient.mul(&(a.x + x.negate(1))) + a.y.negate(1)).normalize_weak();
            self.put(*slot, Point { x, y })?;
        }
        Some(())
    }

    /// Finishes all additions.
    pub(super) fn settle(&mut self) -> Option<()> {
        while !self.pending.is_empty() {
            self.round()?;
        }
        Some(())
    }

    /// Empties a slot; outer `None` if there is no such slot.
    pub(super) fn take(&mut self, slot: usize) -> Option<Option<Point>> {
        self.slots.get_mut(slot).map(Option::take)
    }

    /// All slots, settled.
    pub(super) fn finish(mut self) -> Option<Vec<Option<Point>>> {
        self.settle()?;
        Some(self.slots)
    }
}
