//! Names: one label below the network's top-level domain.

use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

/// Names nobody can claim (N2): the zone's own servers, and what RFC 2606 and RFC 6761 keep for special use.
pub const RESERVED: [&str; 7] = ["dotp2p", "example", "invalid", "local", "localhost", "onion", "test"];

/// A registered name: 1 to 63 bytes of `a-z`, `0-9` and `-`, no `-` at either end nor in both third and fourth place
/// unless it begins `xn--`, and not [`RESERVED`] (N1, N2).
///
/// Holding one is the proof that it was checked; nothing downstream checks again. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a string is not a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Too short or too long.
    #[error("name has {0} bytes, expected 1 to {max} (N1)", max = Name::MAX_LEN)]
    Length(usize),
    /// A byte that no label may hold, or a hyphen where none may stand.
    #[error("byte {byte:#04x} is not allowed at offset {at} of a name: a-z, 0-9 and inner hyphens only (N1)")]
    Byte {
        /// The byte.
        byte: u8,
        /// Its offset from 0.
        at: usize,
    },
    /// Hyphens in third and fourth place, which IDNA keeps for itself.
    #[error("name {0:?} has hyphens in third and fourth place, allowed only after `xn` (N1)")]
    Hyphens(String),
    /// Kept for special use.
    #[error("name {0:?} is reserved (N2)")]
    Reserved(String),
}

impl Name {
    /// The most bytes a label can have (RFC 1035).
    pub const MAX_LEN: usize = 63;

    /// `0`: the name that sorts before every other.
    #[must_use]
    pub fn first() -> Self {
        Self("0".into())
    }

    /// The label as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Checks that `label` is a name. Rules N1, N2.
    pub fn from_bytes(label: &[u8]) -> Result<Self, NameError> {
        if label.is_empty() || label.len() > Self::MAX_LEN {
            return Err(NameError::Length(label.len()));
        }
        for (at, &byte) in label.iter().enumerate() {
            let hyphen = byte == b'-' && at != 0 && at + 1 != label.len();
            if !(byte.is_ascii_lowercase() || byte.is_ascii_digit() || hyphen) {
                return Err(NameError::Byte { byte, at });
            }
        }
        // ASCII by now, so this never fails.
        let text = str::from_utf8(label).unwrap_or_default();
        if label.get(2..4) == Some(b"--") && !label.starts_with(b"xn") {
            return Err(NameError::Hyphens(text.to_owned()));
        }
        if RESERVED.contains(&text) {
            return Err(NameError::Reserved(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

/// So that maps of names are asked with a text that is in hand.
impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;
    fn from_str(label: &str) -> Result<Self, NameError> {
        Self::from_bytes(label.as_bytes())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let longest = "a".repeat(63);
        for text in ["a", "7", "0-9", "a--", "ab-c", "xn--bcher-kva", "a-b--c", &longest] {
            let ok = !text.ends_with('-');
            assert_eq!(text.parse::<Name>().is_ok(), ok, "{text}");
        }
    }

    #[test]
    fn what_is_no_name() {
        use NameError::{Byte, Hyphens, Length, Reserved};
        let cases = [
            ("", Length(0)),
            (&"a".repeat(64), Length(64)),
            ("a_b", Byte { byte: b'_', at: 1 }),
            ("a.b", Byte { byte: b'.', at: 1 }),
            ("a b", Byte { byte: b' ', at: 1 }),
            ("a\0", Byte { byte: 0, at: 1 }),
            ("Alice", Byte { byte: b'A', at: 0 }),
            ("-a", Byte { byte: b'-', at: 0 }),
            ("a-", Byte { byte: b'-', at: 1 }),
            ("ab--c", Hyphens("ab--c".to_owned())),
            ("localhost", Reserved("localhost".to_owned())),
            ("dotp2p", Reserved("dotp2p".to_owned())),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Name>(), Err(error), "{text:?}");
        }
        assert_eq!("bücher".parse::<Name>(), Err(Byte { byte: 0xc3, at: 1 }));
    }
}
