use proptest::prelude::*;

use super::*;

fn target(hex: &str) -> Target {
    Target::new(U256::from_str_radix(hex, 16).unwrap()).unwrap()
}

fn compact(bits: u32) -> CompactTarget {
    CompactTarget::from_consensus(bits)
}

/// `digits` followed by so many zero bits.
fn shifted(digits: u64, bits: usize) -> Target {
    Target::new(U256::from(digits).checked_shl(bits).unwrap()).unwrap()
}

#[test]
fn p1_compact_forms_and_whether_they_are_canonical() {
    for (bits, expected, canonical) in [
        (0x1e00_ffff, shifted(0xffff, 216), true),
        (0x207f_ffff, shifted(0x7f_ffff, 232), true),
        (0x1d7f_ff80, shifted(0x7f_ff80, 208), true),
        (0x0101_0000, Target::HARDEST, true),
        (0x2100_ffff, shifted(0xffff, 240), true),
        (0x0112_3456, target("12"), false),
        (0x0200_8000, target("80"), true),
        (0x0300_0001, Target::HARDEST, false),
        (0x2200_00ff, shifted(0xff, 248), false),
        (0x1e00_00ff, shifted(0xff, 216), false),
    ] {
        assert_eq!(compact(bits).to_target(), Some(expected), "{bits:08x}");
        assert_eq!(compact(bits).is_canonical(), canonical, "{bits:08x}");
    }
    assert_eq!(compact(0x1e00_00ff).to_target().unwrap().to_compact(), compact(0x1d00_ff00));
}

#[test]
fn p1_refuses_sign_zero_and_overflow() {
    let sign = [0x0480_0001, 0x1e80_0000, 0x20ff_ffff];
    let zero = [0, 0x0012_3456, 0x0100_3456, 0x0300_0000, 0xff00_0000];
    let overflow = [0x2101_0000, 0x2200_ffff, 0x2300_0001, 0xff12_3456, 0xff7f_ffff];
    for bits in sign.into_iter().chain(zero).chain(overflow) {
        assert_eq!(compact(bits).to_target(), None, "{bits:08x}");
        assert!(!compact(bits).is_canonical());
    }
}

#[test]
fn p2_truncates() {
    for (value, bits) in [
        ("1", 0x0101_0000),
        ("7f", 0x017f_0000),
        ("80", 0x0200_8000),
        ("ff", 0x0200_ff00),
        ("7fff", 0x027f_ff00),
        ("8000", 0x0300_8000),
        ("7fffff", 0x037f_ffff),
        ("800000", 0x0400_8000),
        ("123456789abc", 0x0612_3456),
        ("8000000000000000000000000000000000000000000000000000000000000000", 0x2100_8000),
        ("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 0x2100_ffff),
    ] {
        assert_eq!(target(value).to_compact(), compact(bits), "{value}");
    }
}

#[test]
fn p3_work() {
    let work = |bits| compact(bits).to_target().unwrap().work();
    assert_eq!(work(0x207f_ffff), Work(U256::from(2)));
    assert_eq!(work(0x1e00_ffff), Work(U256::from(16_777_472)));
    assert_eq!(work(0x1d00_ffff), Work(U256::from(4_295_032_833_u64)));
    assert_eq!(work(0x0101_0000), Work(U256::from(1) << 255));
    assert_eq!(Target::EASIEST.work(), Work(U256::from(1)));
    assert_eq!(Work::default(), Work::ZERO);
    assert_eq!(Work::MAX.checked_add(Work(U256::from(1))), None);
    assert_eq!(Work::MAX.saturating_add(Work::MAX), Work::MAX);
}

#[test]
fn p7_a_hash_equal_to_the_target_meets_it() {
    let limit = compact(0x1e00_ffff).to_target().unwrap();
    let mut hash = BlockHash(limit.to_le_bytes());
    assert!(limit.is_met_by(&hash));
    hash.0[0] = 1;
    assert!(!limit.is_met_by(&hash));
    // The most significant byte is the last: the example block of regtest ends in 67.
    let regtest = compact(0x207f_ffff).to_target().unwrap();
    let example = "672643fe273e985d4c61f804158eb9a9854e33c92e659c8273593c5d51f766b3".parse().unwrap();
    assert!(regtest.is_met_by(&example));
    assert!(!regtest.is_met_by(&BlockHash([0x80; 32])));
}

#[test]
fn texts_and_bytes() {
    assert_eq!(compact(0x0101_0000).to_string(), "01010000");
    assert_eq!(compact(0x1e00_ffff).encode(), [0xff, 0xff, 0x00, 0x1e]);
    assert_eq!(Target::HARDEST.to_string(), format!("{:064}", 1));
    assert_eq!(Work(U256::from(0xabc)).to_string(), format!("{:0>64}", "abc"));
    let mut one = [0; 32];
    one[0] = 1;
    assert_eq!(Work(U256::from(1)).encode(), one);
    assert_eq!(Target::from_le_bytes(one), Some(Target::HARDEST));
    assert_eq!(Target::from_le_bytes([0; 32]), None);
}

prop_compose! {
    /// Targets of every size: uniform ones would nearly all have 32 bytes.
    fn any_target()(bytes in any::<[u8; 32]>(), drop in 0_usize..256) -> Target {
        Target::new(U256::from_le_bytes(bytes) >> drop).unwrap_or(Target::HARDEST)
    }
}

proptest! {
    #[test]
    fn compact_is_the_closest_below(target in any_target()) {
        let bits = target.to_compact();
        let kept = bits.to_target().unwrap();
        prop_assert!(bits.is_canonical());
        prop_assert!(kept <= target);
        // At least 15 significant bits are kept.
        prop_assert!(target.value() - kept.value() <= target.value() >> 15);
    }

    #[test]
    fn every_valid_compact_round_trips_through_its_target(bits in any::<u32>()) {
        let bits = compact(bits);
        prop_assert_eq!(CompactTarget::decode(&mut bits.encode().as_slice()), Ok(bits));
        if let Some(target) = bits.to_target() {
            prop_assert_eq!(target.to_compact().to_target(), Some(target));
        }
    }

    #[test]
    fn a_harder_target_is_never_less_work(a in any_target(), b in any_target()) {
        let (hard, easy) = if a <= b { (a, b) } else { (b, a) };
        prop_assert!(hard.work() >= easy.work());
        prop_assert!(easy.work() > Work::ZERO);
    }

    #[test]
    fn work_is_the_exact_quotient(target in any_target()) {
        use ruint::Uint;
        let wide = Uint::<320, 5>::from(target.value()) + Uint::from(1);
        let exact = (Uint::<320, 5>::from(1) << 256) / wide;
        prop_assert_eq!(Uint::from(target.work().0), exact);
    }

    #[test]
    fn work_round_trips(bytes in any::<[u8; 32]>()) {
        let work = Work::from_le_bytes(bytes);
        prop_assert_eq!(work.encode(), bytes.to_vec());
        prop_assert_eq!(Work::decode(&mut bytes.as_slice()), Ok(work));
    }
}
