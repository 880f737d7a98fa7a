//! Amounts in JSON, exactly.

use core::fmt;

use dotp2p_chain::amount::{Amount, AmountError};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// An amount on its way out: the JSON number `12.50000000`, whose text is exact.
///
/// Through [`RawValue`] and not serde_json's `arbitrary_precision`, which would change every number of every crate in
/// the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coins(pub Amount);

impl fmt::Display for Coins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Coins {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Coins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AmountText::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// An amount on its way in: the text of a JSON number or string, not yet known to be an amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmountText(pub String);

impl AmountText {
    /// The amount. Exponents are read, because programs write 0.0000001 as `1e-7`.
    pub fn parse(&self) -> Result<Amount, AmountError> {
        without_exponent(&self.0).unwrap_or_else(|| self.0.clone()).parse()
    }
}

impl From<Amount> for AmountText {
    fn from(amount: Amount) -> Self {
        Self(amount.to_string())
    }
}

impl Serialize for AmountText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AmountText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        match text.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(text.get()).map(Self).map_err(D::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Self(text.get().to_owned())),
            _ => Err(D::Error::custom("an amount is a number of coins, or a string that holds one")),
        }
    }
}

/// `1.5e-3` as `0.0015`; `None` if it has no exponent or one beyond what an amount could need.
fn without_exponent(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok().filter(|exponent| (-30..=30).contains(exponent))?;
    let (whole, places) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || !whole.bytes().chain(places.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let mut digits = format!("{whole}{places}");
    if point < 1 {
        let zeros = usize::try_from(1 - point).ok()?;
        digits.insert_str(0, &"0".repeat(zeros));
    }
    let point = usize::try_from(point.max(1)).ok()?;
    let missing = point.saturating_sub(digits.len());
    digits.push_str(&"0".repeat(missing));
    let (whole, places) = digits.split_at_checked(point)?;
    Some(if places.is_empty() { whole.to_owned() } else { format!("{whole}.{places}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_both_ways() {
        for atoms in [0, 1, 10_000_000, u64::MAX, (1 << 53) + 1] {
            let coins = Coins(Amount::from_atoms(atoms));
            let text = serde_json::to_string(&coins).unwrap();
            assert_eq!(text, coins.to_string());
            assert_eq!(serde_json::from_str::<Coins>(&text).unwrap(), coins);
            assert_eq!(serde_json::from_str::<Coins>(&format!("{text:?}")).unwrap(), coins);
        }
    }

    #[test]
    fn a_value_that_holds_floats_still_reads() {
        let value = serde_json::json!({ "a": 0.1, "b": 1e-8, "c": 90_000_000 });
        let coins = |key: &str| serde_json::from_value::<Coins>(value[key].clone()).unwrap().0.atoms();
        assert_eq!((coins("a"), coins("b"), coins("c")), (10_000_000, 1, 9_000_000_000_000_000));
    }

    #[test]
    fn exponents() {
        let parse = |text: &str| AmountText(text.to_owned()).parse().map(Amount::atoms).ok();
        assert_eq!(parse("1e-7"), Some(10));
        assert_eq!(parse("1.5e-3"), Some(150_000));
        assert_eq!(parse("12.5E+1"), Some(12_500_000_000));
        assert_eq!(parse("1e2"), Some(10_000_000_000));
        assert_eq!(parse("25e-1"), Some(250_000_000));
        for text in ["-1", "-1e2", "1e-9", "1e99", "e1", "1e", "1.5e-3e", "+1", "1e30", ".e1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_at_all() {
        for json in ["null", "true", "[1]", r#"{"coins":1}"#] {
            assert!(serde_json::from_str::<AmountText>(json).is_err(), "{json}");
        }
    }
}
