//! How newtypes of the chain stand in this crate's JSON files: keys and bytes as hexadecimal, heights and atoms as
//! integers, everything else as it is displayed.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::{from_hex, to_hex};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What has a text form: names, hashes.
pub(crate) mod display {
    use super::{Deserialize, Deserializer, Error, Serializer};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Vectors of what has a text form.
pub(crate) mod display_list {
    use super::{Deserialize, Deserializer, Error, Serializer};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(crate) fn serialize<T: Display, S: Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(ToString::to_string))
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        Vec::<String>::deserialize(from)?.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}

macro_rules! as_other {
    ($($(#[$doc:meta])* $module:ident: $ty:ty as $other:ty, $to:expr, $from:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) mod $module {
            #[allow(clippy::wildcard_imports, reason = "the macro's own module")]
            use super::*;

            pub(crate) fn serialize<S: Serializer>(value: &$ty, to: S) -> Result<S::Ok, S::Error> {
                let convert: fn(&$ty) -> $other = $to;
                convert(value).serialize(to)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$ty, D::Error> {
                let convert: fn($other) -> Option<$ty> = $from;
                convert(<$other>::deserialize(from)?).ok_or_else(|| D::Error::custom(concat!("not a ", stringify!($module))))
            }
        }
    )*};
}

as_other! {
    /// A key as 64 hexadecimal digits.
    key: PublicKey as String, |key| to_hex(&key.0), |text| Some(PublicKey(from_hex(&text)?.try_into().ok()?));
    /// Bytes as hexadecimal digits.
    bytes: Vec<u8> as String, |bytes| to_hex(bytes), |text| from_hex(&text);
    /// A height as an integer.
    height: Height as u32, |height| height.0, |height| Some(Height(height));
    /// An amount as an integer of atoms.
    atoms: Amount as u64, |amount| amount.atoms(), |atoms| Some(Amount::from_atoms(atoms));
    /// An amount or none.
    atoms_option: Option<Amount> as Option<u64>, |amount| amount.map(Amount::atoms), |atoms| Some(atoms.map(Amount::from_atoms));
}
