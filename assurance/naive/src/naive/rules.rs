//! Rules that are refused: B3, with P1 and P2 for the bits. All sums in u128.

use dotp2p_chain::params::Rules;

use super::label;

/// Whether a node may start on these Rules (B3).
pub fn allowed(rules: &Rules) -> bool {
    let wide = |number: u32| u128::from(number);
    let numbers = [
        rules.spacing.into(),
        rules.half_life.map_or(1, u128::from),
        wide(rules.limit_bits.to_consensus()),
        wide(rules.body_max),
        rules.subsidy.into(),
        wide(rules.halving_interval),
        wide(rules.maturity),
        wide(rules.age_min),
        wide(rules.age_max),
        wide(rules.commit_target),
        wide(rules.commit_max),
        wide(rules.year),
        wide(rules.years_ahead),
        wide(rules.grace),
        rules.premium_start.into(),
        wide(rules.halving_blocks),
        wide(rules.halvings),
        wide(rules.records_max),
        rules.genesis_time.into(),
        wide(rules.genesis_bits.to_consensus()),
    ];
    let (limit, genesis) = (target(rules.limit_bits.to_consensus()), target(rules.genesis_bits.to_consensus()));
    let canonical = |bits: u32, target: &Option<Target>| target.as_ref().is_some_and(|target| compact(target) == bits);
    let held = wide(rules.grace) + wide(rules.halving_blocks) * wide(rules.halvings);
    let issue = |k: u32| u128::from(rules.subsidy >> k) * wide(rules.halving_interval);
    let refused = [
        numbers.contains(&0),
        !canonical(rules.limit_bits.to_consensus(), &limit),
        !canonical(rules.genesis_bits.to_consensus(), &genesis),
        genesis > limit,
        rules.genesis_time < rules.spacing,
        rules.genesis_time >= 1 << 40,
        rules.age_min >= rules.age_max,
        rules.commit_target > rules.commit_max || rules.commit_target > 64,
        rules.halvings > 63,
        held >= wide(rules.year),
        u128::from(rules.premium_start) * wide(rules.halving_blocks) > u128::from(u64::MAX),
        held + wide(rules.year) * wide(rules.years_ahead) >= 1 << 32,
        label::refused(&rules.tld) == Some("N8a"),
        rules.body_max < 139,
        (0..64).map(issue).sum::<u128>() > u128::from(u64::MAX),
    ];
    !refused.contains(&true)
}

/// 32 bytes, the most significant first.
type Target = [u8; 32];

/// P1: the target of bits, where they are valid.
fn target(bits: u32) -> Option<Target> {
    if bits & 0x0080_0000 != 0 {
        return None;
    }
    let (size, mantissa) = (bits >> 24, bits & 0x007f_ffff);
    let mut bytes: Vec<u8> = mantissa.to_be_bytes().to_vec();
    // `size` bytes of a number whose first three are the mantissa's.
    if size <= 3 {
        bytes = (mantissa >> (8 * (3 - size))).to_be_bytes().to_vec();
    } else {
        bytes.extend((3..size).map(|_| 0));
    }
    let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    if significant.is_empty() || significant.len() > 32 {
        return None;
    }
    let mut padded = vec![0; 32 - significant.len()];
    padded.extend(significant);
    padded.try_into().ok()
}

/// P2: the bits of a target.
fn compact(target: &Target) -> u32 {
    let significant: Vec<u8> = target.iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut size = u32::try_from(significant.len()).expect("at most 32");
    let first_three = significant.iter().copied().chain([0, 0, 0]).take(3);
    let mut mantissa = first_three.fold(0, |mantissa: u32, byte| mantissa << 8 | u32::from(byte));
    if mantissa & 0x0080_0000 != 0 {
        mantissa >>= 8;
        size += 1;
    }
    size << 24 | mantissa
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p1_and_p2_tables() {
        for (bits, again) in [
            (0x1e00_ffff, 0x1e00_ffff),
            (0x207f_ffff, 0x207f_ffff),
            (0x1d7f_ff80, 0x1d7f_ff80),
            (0x0101_0000, 0x0101_0000),
            (0x2100_ffff, 0x2100_ffff),
            (0x0112_3456, 0x0112_0000),
            (0x0200_8000, 0x0200_8000),
            (0x0300_0001, 0x0101_0000),
            (0x2200_00ff, 0x2100_ff00),
            (0x1e00_00ff, 0x1d00_ff00),
        ] {
            assert_eq!(compact(&target(bits).unwrap()), again, "{bits:08x}");
        }
        for bits in
            [0x0012_3456, 0x0100_3456, 0x0300_0000, 0x0480_0001, 0x20ff_ffff, 0x2101_0000, 0x2300_0001, 0xff12_3456]
        {
            assert_eq!(target(bits), None, "{bits:08x}");
        }
        assert!(allowed(&Rules::regtest()) && allowed(&Rules::public([0; 16])));
    }
}
