//! What names cost: base price, price level, premium (N4, N5). Integers only; every result in atoms.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::{LEVEL_START, NameEntry, Stage};
use dotp2p_chain::height::Height;
use dotp2p_chain::name::Name;
use dotp2p_chain::params::Rules;

/// The highest price level, in millionths.
pub const LEVEL_MAX: u64 = 1_000_000_000_000;
/// Bytes of records that cost nothing (N9).
pub const RECORDS_FREE: usize = 512;
/// Burned for each byte of records above that: 0.001 coin.
pub const RECORDS_BYTE_BURN: u64 = 100_000;
/// Burned when a credit makes an account: 0.05 coin (T12).
pub const ACCOUNT_BURN: Amount = Amount::from_atoms(5_000_000);

/// The price of a year of `name`, by its bytes. Rule N4.
#[must_use]
pub fn base(name: &Name) -> Amount {
    Amount::from_coins(match name.as_bytes().len() {
        1 => 2_000,
        2 => 500,
        3 => 100,
        4 => 20,
        _ => 1,
    })
}

/// What an effective Commit burns at `level`: ⌈10⁷ × L / 10⁶⌉. Rule N7.
#[must_use]
pub const fn commit_burn(level: u64) -> Amount {
    Amount::from_atoms(level.saturating_mul(10))
}

/// What years of `name` burn in a Renew; `None` beyond 64 bits. Rule N10.
#[must_use]
pub fn renew_burn(name: &Name, years: u8) -> Option<Amount> {
    base(name).atoms().checked_mul(years.into()).map(Amount::from_atoms)
}

/// What an Update with records of `len` bytes burns. Rule N9.
#[must_use]
pub fn update_burn(len: usize) -> Amount {
    let above = u64::try_from(len.saturating_sub(RECORDS_FREE)).unwrap_or(u64::MAX);
    Amount::from_atoms(above.saturating_mul(RECORDS_BYTE_BURN))
}

/// What a Claim burns beyond its Commit: ⌈base × L / 10⁶⌉ + premium − the Commit's burn; `None` beyond 64 bits. Rule N8.
#[must_use]
pub fn claim_burn(name: &Name, level: u64, premium: Amount) -> Option<Amount> {
    let price = (u128::from(base(name).atoms()) * u128::from(level)).div_ceil(LEVEL_START.into());
    let total = price + u128::from(premium.atoms());
    let burn = total.saturating_sub(commit_burn(level).atoms().into());
    u64::try_from(burn).ok().map(Amount::from_atoms)
}

/// The premium on a Claim at height `at` that replaces `before`: 0 for a free name. Rule N5.
#[must_use]
pub fn premium(before: Option<&NameEntry>, at: Height, rules: &Rules) -> Amount {
    let Some(before) = before.filter(|entry| Stage::of(entry.expires, at, rules) == Stage::Released) else {
        return Amount::ZERO;
    };
    let since = u64::from(at.0) - (u64::from(before.expires.0) + u64::from(rules.grace));
    let halving = u64::from(rules.halving_blocks);
    let start = u128::from(rules.premium_start >> (since / halving).min(63));
    let falls = start * u128::from(since % halving) / (2 * u128::from(halving));
    Amount::from_atoms(u64::try_from(start - falls).unwrap_or(u64::MAX))
}

/// The price level after a block with `commits` effective Commits. Rule N4.
#[must_use]
pub fn next_level(level: u64, commits: u32, rules: &Rules) -> u64 {
    let weight = 64 - u128::from(rules.commit_target) + u128::from(commits);
    let next = u128::from(level) * weight / 64;
    u64::try_from(next).unwrap_or(u64::MAX).clamp(LEVEL_START, LEVEL_MAX)
}
