//! Difficulty: aserti3-2d, with the waiting rule. Rules P4 and P5.
//!
//! The target follows from how far the chain is ahead of or behind a fixed timetable: every half-life behind doubles it,
//! every half-life ahead halves it. It depends on the [`Anchor`], the height and one time, not on the path between, so a
//! client can check the bits of any header it samples. [`reference_time`] chooses that time, [`next_bits`] does the rest;
//! which heights it applies to (P6) is the caller's.
//!
//! Source: the ASERT specification of 2020-11-15 (aserti3-2d), whose vectors hold.

use ruint::Uint;

use crate::height::Height;
use crate::pow::{CompactTarget, Target};

/// Spacings after the parent beyond which a block's own time counts (P5).
pub const WAITING_SPACINGS: u64 = 20;

/// The block the timetable starts at; on our networks block 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Its height.
    pub height: Height,
    /// Unix seconds of the block before it, real or assumed: for block 1, its own time − spacing.
    pub parent_time: u64,
    /// Its target.
    pub bits: CompactTarget,
}

/// The timetable and the bounds of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Seconds between blocks, aimed at.
    pub spacing: u64,
    /// Seconds behind the timetable that double the target; not 0 (B3a). A 0 is read as 1.
    pub half_life: u64,
    /// The easiest target.
    pub limit: CompactTarget,
}

/// The time that counts for a block's target: max(time(parent), time(block) − 20 · spacing). Rule P5.
///
/// All in Unix seconds, `spacing` in seconds. While a block is waited for longer than 20 spacings its target eases.
#[must_use]
pub const fn reference_time(parent_time: u64, block_time: u64, spacing: u64) -> u64 {
    let waited = block_time.saturating_sub(spacing.saturating_mul(WAITING_SPACINGS));
    if waited > parent_time { waited } else { parent_time }
}

/// The bits of the block after the one at `parent_height`. Rule P4.
///
/// - `anchor`, `schedule`: the timetable. Bits that are no target (P1) count as the limit; Rules with such are refused.
/// - `t_ref`: [`reference_time`] of parent and block, Unix seconds; it may run backwards along the chain.
/// - Result: canonical, at least target 1, never easier than the limit.
///
/// Heights and times of any value are answered: at both ends the result saturates.
#[must_use]
pub fn next_bits(anchor: &Anchor, schedule: &Schedule, parent_height: Height, t_ref: u64) -> CompactTarget {
    let Some(limit) = schedule.limit.to_target() else { return schedule.limit };
    let start = anchor.bits.to_target().unwrap_or(limit);
    // |t_ref − parent_time| < 2⁶⁴ and spacing · blocks ≤ 2⁶⁴ · 2³²: times 2¹⁶ all stay below 2¹¹³.
    let blocks = i128::from(parent_height.0) - i128::from(anchor.height.0) + 1;
    let behind = i128::from(t_ref) - i128::from(anchor.parent_time) - i128::from(schedule.spacing) * blocks;
    let exponent = behind * ONE / i128::from(schedule.half_life.max(1));
    scale(start, exponent, limit).to_compact()
}

/// 1 in fixed point: 16 fractional bits.
const ONE: i128 = 1 << 16;

/// ⌊start · 2^(exponent / 65536)⌋ by the cubic of the specification, within 1 and `limit`.
fn scale(start: Target, exponent: i128, limit: Target) -> Target {
    // Rounded towards −∞, so that the fraction is 0 to 65535.
    let shifts = exponent.div_euclid(ONE);
    let fraction = u64::try_from(exponent.rem_euclid(ONE)).expect("below 65536");
    // 256 bits times 18 bits.
    let product: Uint<320, 5> = start.value().widening_mul(Uint::<64, 1>::from(factor(fraction)));
    let limit_bits = limit.value().bit_len();
    let shifts = shifts - 16;
    let Ok(distance) = usize::try_from(shifts.unsigned_abs()) else {
        return if shifts < 0 { Target::HARDEST } else { limit };
    };
    let exact = if shifts < 0 {
        if distance < 320 { product >> distance } else { Uint::ZERO }
    } else if product.bit_len().saturating_add(distance) > limit_bits {
        return limit;
    } else {
        product << distance
    };
    if exact > Uint::from(limit.value()) {
        return limit;
    }
    Target::new(exact.saturating_to()).unwrap_or(Target::HARDEST)
}

/// 65536 · 2^(fraction / 65536), for `fraction` below 65536, by the cubic of the specification.
const fn factor(fraction: u64) -> u64 {
    let square = fraction * fraction;
    let cubic = 195_766_423_245_049 * fraction + 971_821_376 * square + 5127 * square * fraction;
    65536 + ((cubic + (1 << 47)) >> 48)
}

#[cfg(test)]
mod tests;
