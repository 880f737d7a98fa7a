//! Prices, level and subsidy: N4, N5, T11, B19. All in u128.

use dotp2p_chain::params::Rules;

use super::bend::Bend;

/// The level at genesis and its least, in millionths (N4).
pub const LEAST_LEVEL: u64 = 1_000_000;
const GREATEST_LEVEL: u128 = 1_000_000_000_000;

/// Atoms of a year, by the bytes of the label (N4).
pub fn base(label: &[u8]) -> u128 {
    let coins = match label.len() {
        0 | 1 => 2_000,
        2 => 500,
        3 => 100,
        4 => 20,
        _ => 1,
    };
    coins * 100_000_000
}

/// ⌈atoms × level / 10⁶⌉.
fn at_level(atoms: u128, level: u64) -> u128 {
    (atoms * u128::from(level)).div_ceil(1_000_000)
}

/// What an effective Commit burns (N7).
pub fn commit(level: u64) -> u128 {
    at_level(10_000_000, level)
}

/// The premium `since` blocks after release (N5).
pub fn premium(rules: &Rules, since: u64, bend: Option<Bend>) -> u128 {
    let half = u128::from(rules.halving_blocks);
    let (k, r) = (u128::from(since) / half, u128::from(since) % half);
    let p = u128::from(rules.premium_start) / (1 << k);
    let fall = p * r / (2 * half);
    if bend == Some(Bend::PremiumRoundsDown) { p - (p * r).div_ceil(2 * half) } else { p - fall }
}

/// What a Claim burns, less what its Commit burned (N8).
pub fn claim(label: &[u8], commit_level: u64, premium: u128) -> u128 {
    at_level(base(label), commit_level) + premium - commit(commit_level)
}

/// What an Update burns (N9).
pub fn update(bytes: usize, bend: Option<Bend>) -> u128 {
    let free = if bend == Some(Bend::Update513BytesFree) { 513 } else { 512 };
    100_000 * (bytes as u128).saturating_sub(free)
}

/// What the creation of an account burns (T12).
pub const CREATION: u128 = 5_000_000;

/// The level after a block of `commits` effective Commits (N4).
pub fn next_level(rules: &Rules, level: u64, commits: u64, bend: Option<Bend>) -> u64 {
    let by = 64 - u128::from(rules.commit_target) + u128::from(commits);
    let moved = u128::from(level) * by;
    let moved = if bend == Some(Bend::LevelRoundsUp) { moved.div_ceil(64) } else { moved / 64 };
    let least = u128::from(LEAST_LEVEL);
    u64::try_from(moved.max(least).min(GREATEST_LEVEL)).expect("at most 10^12")
}

/// What the block at `height` issues (B19).
pub fn subsidy(rules: &Rules, height: u64, bend: Option<Bend>) -> u128 {
    let height = if bend == Some(Bend::HalvingABlockLate) { height.saturating_sub(1) } else { height };
    let k = height / u64::from(rules.halving_interval);
    if k >= 64 { 0 } else { u128::from(rules.subsidy) / (1 << k) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n4_example() {
        let mut level = LEAST_LEVEL;
        let expected = [
            (16, 1_125_000),
            (16, 1_265_625),
            (16, 1_423_828),
            (16, 1_601_806),
            (8, 1_601_806),
            (12, 1_701_918),
            (0, 1_489_178),
            (0, 1_303_030),
            (0, 1_140_151),
            (0, 1_000_000),
            (9, 1_015_625),
            (16, 1_142_578),
        ];
        for (commits, then) in expected {
            level = next_level(&Rules::regtest(), level, commits, None);
            assert_eq!(level, then);
        }
    }

    #[test]
    fn n5_examples() {
        let main = Rules::public([0; 16]);
        for (since, premium_then) in [
            (0, 104_857_600_000_000),
            (1, 104_821_191_111_112),
            (720, 78_643_200_000_000),
            (1_439, 52_465_208_888_889),
            (1_440, 52_428_800_000_000),
            (2_881, 26_205_297_777_778),
            (28_800, 100_000_000),
            (30_239, 50_034_723),
        ] {
            assert_eq!(premium(&main, since, None), premium_then, "{since}");
        }
        assert_eq!(premium(&Rules::regtest(), 19, None), 4_096_000_000_000);
    }

    #[test]
    fn n8_examples() {
        assert_eq!(claim(b"alice", 1_000_000, 0), 90_000_000);
        assert_eq!(claim(b"alice", 1_265_625, 0), 113_906_250);
        assert_eq!(claim(b"a", 1_000_000, 0), 199_990_000_000);
        assert_eq!(claim(b"alice", 1_000_000, 78_643_200_000_000), 78_643_290_000_000);
    }
}
