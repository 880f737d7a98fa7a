//! Numbers as people read them.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::pow::CompactTarget;

/// A draw from the exponential distribution of mean 1: the work until the next block, in blocks.
pub fn exponential(rng: &mut fastrand::Rng) -> f64 {
    -(1.0 - rng.f64()).ln()
}

/// The value below which `share` (0 to 1) of `values` lie; 0 where there are none.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((share * last as f64).round() as usize).copied().unwrap_or(0.0)
}

/// The arithmetic mean; 0 of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// Expected hashes for a block of these bits; infinite where they are no target.
#[must_use]
pub fn hashes(bits: CompactTarget) -> f64 {
    let Some(target) = bits.to_target() else { return f64::INFINITY };
    target.work().to_le_bytes().iter().rev().fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte))
}

/// Coins, for plots and ratios.
#[must_use]
pub fn coins(amount: Amount) -> f64 {
    atoms_as_coins(amount.atoms().into())
}

/// Coins of a sum of atoms that may be beyond 64 bits.
#[must_use]
pub fn atoms_as_coins(atoms: u128) -> f64 {
    atoms as f64 / Amount::COIN as f64
}

/// Seconds in the unit that suits them: `0.6 s`, `42 min`, `25 h`, `3.1 y`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 120.0 => (s, "s"),
        s if s < 7_200.0 => (s / 60.0, "min"),
        s if s < 172_800.0 => (s / 3_600.0, "h"),
        s if s < 730.0 * 86_400.0 => (s / 86_400.0, "days"),
        s => (s / (365.25 * 86_400.0), "years"),
    };
    format!("{} {unit}", number(value))
}

/// Three significant figures, thousands apart: `0.0123`, `4.56`, `78.9`, `12,300`.
#[must_use]
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if magnitude >= 15 {
        return format!("{value:.2e}");
    }
    let unit = 10f64.powi(magnitude - 2);
    let rounded = (value / unit).round() * unit;
    let places = usize::try_from(2 - magnitude).unwrap_or(0).min(8);
    let text = format!("{rounded:.places$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}", thousands(whole))
}

/// A whole number with commas.
#[must_use]
pub fn thousands(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut out = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A Markdown table; the first column is text, the others are numbers.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut out = line(head.iter().map(|cell| (*cell).to_owned()).collect());
    out.push_str("|---");
    out.push_str(&"|---:".repeat(head.len().saturating_sub(1)));
    out.push_str("|\n");
    rows.iter().for_each(|row| out.push_str(&line(row.clone())));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_whole_ones_stay_whole() {
        let cases = [(0.0, "0"), (1.0, "1"), (0.012_345, "0.0123"), (99.96, "100"), (1_234.0, "1,230"), (10.0, "10")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(duration(90_000.0), "25 h");
        assert_eq!(thousands("1234567"), "1,234,567");
    }

    #[test]
    fn work_of_the_limit() {
        assert_eq!(hashes(CompactTarget::from_consensus(0x1e00_ffff)), 16_777_472.0);
    }
}
