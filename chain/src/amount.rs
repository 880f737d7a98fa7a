//! Amounts of coins, in atoms.

use core::fmt;
use core::str::FromStr;

use parity_scale_codec::{CompactAs, Decode, Encode};

/// A non-negative amount in **atoms**; one coin is 10⁸ atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CompactAs)]
pub struct Amount(u64);

impl Amount {
    /// No coins.
    pub const ZERO: Self = Self(0);
    /// Atoms in one coin.
    pub const COIN: u64 = 100_000_000;
    /// Every amount there can be.
    pub const MAX: Self = Self(u64::MAX);

    /// An amount of so many atoms.
    #[must_use]
    pub const fn from_atoms(atoms: u64) -> Self {
        Self(atoms)
    }

    /// An amount of so many whole coins; saturates at [`Amount::MAX`].
    #[must_use]
    pub const fn from_coins(coins: u64) -> Self {
        Self(coins.saturating_mul(Self::COIN))
    }

    /// The amount in atoms.
    #[must_use]
    pub const fn atoms(self) -> u64 {
        self.0
    }

    /// The sum, or `None` beyond `u64`.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(atoms) => Some(Self(atoms)),
            None => None,
        }
    }

    /// The difference, or `None` below zero.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(atoms) => Some(Self(atoms)),
            None => None,
        }
    }

    /// The difference, zero where it would be negative.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Decimal coins with eight places, as bitcoind prints them: `12.50000000`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08}", self.0 / Self::COIN, self.0 % Self::COIN)
    }
}

/// Why a text is not an [`Amount`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not of the form `12` or `12.5`.
    #[error("amount {0:?} is not a decimal number of coins such as 12 or 12.5")]
    Form(String),
    /// An atom is the eighth place.
    #[error("amount {0:?} has more than 8 decimal places")]
    Places(String),
    /// Beyond 2⁶⁴ − 1 atoms.
    #[error("amount {0:?} is more than there can be")]
    TooLarge(String),
}

impl FromStr for Amount {
    type Err = AmountError;

    /// Reads decimal coins, exactly: no exponent, no sign, at most eight places.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
        if !digits(whole) || !digits(places) {
            return Err(AmountError::Form(text.to_owned()));
        }
        let places = places.trim_end_matches('0');
        if places.len() > 8 {
            return Err(AmountError::Places(text.to_owned()));
        }
        let too_large = || AmountError::TooLarge(text.to_owned());
        let atoms: u64 = format!("{places:0<8}").parse().map_err(|_| too_large())?;
        let coins: u64 = whole.parse().map_err(|_| too_large())?;
        coins.checked_mul(Self::COIN).and_then(|a| a.checked_add(atoms)).map(Self).ok_or_else(too_large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for (text, atoms) in [("0", 0), ("1", 100_000_000), ("0.00000001", 1), ("12.50", 1_250_000_000)] {
            assert_eq!(text.parse::<Amount>(), Ok(Amount::from_atoms(atoms)));
        }
        assert_eq!(Amount::from_atoms(1_250_000_000).to_string(), "12.50000000");
        assert_eq!(Amount::MAX.to_string().parse(), Ok(Amount::MAX));
    }

    #[test]
    fn sums_and_differences() {
        let [two, three, five] = [2, 3, 5].map(Amount::from_atoms);
        assert_eq!((two.checked_add(three), Amount::MAX.checked_add(two)), (Some(five), None));
        assert_eq!((five.checked_sub(three), two.checked_sub(three)), (Some(two), None));
    }

    #[test]
    fn text_that_is_no_amount() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", " 1", "1,5", "0x1"] {
            assert_eq!(text.parse::<Amount>(), Err(AmountError::Form(text.to_owned())));
        }
        assert_eq!("0.000000001".parse::<Amount>(), Err(AmountError::Places("0.000000001".to_owned())));
        let beyond = "184467440737.09551616";
        assert_eq!(beyond.parse::<Amount>(), Err(AmountError::TooLarge(beyond.to_owned())));
    }
}
