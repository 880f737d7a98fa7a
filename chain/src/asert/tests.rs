use proptest::prelude::*;

use super::*;

const LIMIT: CompactTarget = CompactTarget::from_consensus(0x1e00_ffff);
const MAIN: Schedule = Schedule { spacing: 60, half_life: 7200, limit: LIMIT };
/// Time of block 1 in the examples of P5.
const T: u64 = 1_793_492_200;

fn bits(bits: u32) -> CompactTarget {
    CompactTarget::from_consensus(bits)
}

fn required(genesis_bits: u32, height: u32, parent_time: u64, block_time: u64) -> CompactTarget {
    let anchor = Anchor { height: Height(1), parent_time: T - 60, bits: bits(genesis_bits) };
    next_bits(&anchor, &MAIN, Height(height - 1), reference_time(parent_time, block_time, MAIN.spacing))
}

#[test]
fn p5_worked_examples() {
    // On schedule, block k has this time.
    let s = |k: u64| T + 60 * (k - 1);
    for (genesis_bits, height, parent, block, expected) in [
        (0x1e00_ffff, 2, T, T + 60, 0x1e00_ffff),
        (0x1e00_ffff, 242, T + 7200, T + 7260, 0x1d7f_ff80),
        (0x1e00_ffff, 242, s(241) + 7200, s(241) + 7260, 0x1e00_ffff),
        (0x1b04_04cb, 122, s(121), s(122), 0x1b04_04cb),
        (0x1b04_04cb, 122, s(121) + 1, s(122), 0x1b04_04e3),
        (0x1b04_04cb, 122, s(121) - 1, s(122), 0x1b04_04b2),
        (0x1b04_04cb, 122, s(121) + 7200, s(121) + 7260, 0x1b08_0996),
        (0x1b04_04cb, 122, s(121), s(121) + 1200, 0x1b04_04cb),
        (0x1b04_04cb, 122, s(121), s(121) + 1201, 0x1b04_04e3),
        (0x1b04_04cb, 122, s(121), s(121) + 8400, 0x1b08_0996),
        (0x1b04_04cb, 122, s(121), s(121) + 86400, 0x1c39_4a53),
        (0x1b04_04cb, 122, s(121), s(121) + 864_000, 0x1e00_ffff),
        (0x1b04_04cb, 122, s(121) - 3600, s(121), 0x1b03_94a7),
        (0x1b04_04cb, 10_000_000, T + 600, T + 700, 0x0101_0000),
    ] {
        assert_eq!(
            required(genesis_bits, height, parent, block),
            bits(expected),
            "height {height}, times {parent}, {block}"
        );
    }
}

#[test]
fn reference_time_saturates() {
    assert_eq!(reference_time(0, 5, 60), 0);
    assert_eq!(reference_time(7, 1200, 60), 7);
    assert_eq!(reference_time(7, 1208, 60), 8);
    assert_eq!(reference_time(7, u64::MAX, u64::MAX), 7);
    assert_eq!(reference_time(u64::MAX, 0, 0), u64::MAX);
}

#[test]
fn factor_spans_one_doubling() {
    assert_eq!(factor(0), 65536);
    assert_eq!(factor(9), 65542);
    assert_eq!(factor(54613), 116_784);
    assert_eq!(factor(65527), 131_060);
    assert_eq!(factor(65535), 131_071);
}

#[test]
fn rules_that_would_be_refused_do_not_panic() {
    let anchor = Anchor { height: Height(1), parent_time: 0, bits: bits(0) };
    let schedule = Schedule { spacing: 0, half_life: 0, limit: LIMIT };
    assert_eq!(next_bits(&anchor, &schedule, Height(1), 0), LIMIT);
    let schedule = Schedule { limit: bits(0xff12_3456), ..schedule };
    assert_eq!(next_bits(&anchor, &schedule, Height(1), 0), schedule.limit);
}

#[test]
fn both_ends_saturate_at_any_exponent() {
    for start in [Target::HARDEST, Target::EASIEST] {
        for limit in [Target::HARDEST, LIMIT.to_target().unwrap(), Target::EASIEST] {
            for far in [272 * ONE, 1 << 80, i128::MAX] {
                assert_eq!(scale(start, far, limit), limit);
                assert_eq!(scale(start, -far, limit), Target::HARDEST);
            }
        }
    }
    // The high bits that a 256-bit product would lose.
    assert_eq!(scale(Target::EASIEST, -ONE, Target::EASIEST).value(), Target::EASIEST.value() >> 1);
    assert_eq!(scale(Target::HARDEST, 255 * ONE, Target::EASIEST).value().bit_len(), 256);
    assert_eq!(scale(Target::HARDEST, 256 * ONE, Target::EASIEST), Target::EASIEST);
}

proptest! {
    #[test]
    fn any_input_gives_canonical_bits_within_the_limit(
        (anchor_height, parent_height) in any::<(u32, u32)>(),
        (parent_time, t_ref, spacing, half_life) in any::<(u64, u64, u64, u64)>(),
        (start, limit) in any::<(u32, u32)>(),
    ) {
        let anchor = Anchor { height: Height(anchor_height), parent_time, bits: bits(start) };
        let schedule = Schedule { spacing, half_life, limit: bits(limit) };
        let next = next_bits(&anchor, &schedule, Height(parent_height), t_ref);
        if let Some(limit) = schedule.limit.to_target() {
            prop_assert!(next.is_canonical());
            prop_assert!(next.to_target().unwrap() <= limit);
        } else {
            prop_assert_eq!(next, schedule.limit);
        }
    }

    #[test]
    fn later_is_never_harder(parent_height in 1_u32..1_000_000, t_ref in 0_u64..1 << 40, wait in 0_u64..1 << 20) {
        let anchor = Anchor { height: Height(1), parent_time: T - 60, bits: bits(0x1b04_04cb) };
        let at = |time| next_bits(&anchor, &MAIN, Height(parent_height), time).to_target().unwrap();
        prop_assert!(at(t_ref) <= at(t_ref + wait));
    }

    /// The formula over integers of 1,024 bits, without any of the shortcuts.
    #[test]
    fn scale_is_the_formula_over_wide_integers(
        (start, drop) in (any::<[u8; 32]>(), 0_usize..256),
        exponent in -300_i128 * ONE..300 * ONE,
    ) {
        type Wide = Uint<1024, 16>;
        let start = Target::new(Uint::from_le_bytes(start) >> drop).unwrap_or(Target::HARDEST);
        let limit = LIMIT.to_target().unwrap();
        let fraction = u64::try_from(exponent & 0xffff).unwrap();
        let lifted = (Wide::from(start.value()) * Wide::from(factor(fraction))) << 400;
        let shifts = i32::try_from(exponent >> 16).unwrap() - 16;
        let by = usize::try_from(shifts.unsigned_abs()).unwrap();
        let exact: Wide = (if shifts < 0 { lifted >> by } else { lifted << by }) >> 400;
        let expected = exact.clamp(Wide::from(1), Wide::from(limit.value()));
        prop_assert_eq!(Wide::from(scale(start, exponent, limit).value()), expected);
    }
}
