//! Strict SCALE: what is decoded re-encodes to the same bytes, and nothing is left over.
//!
//! `parity-scale-codec` already refuses compact integers that are not minimal and Option bytes other than 0 and 1; this
//! adds bounds that are checked **before** anything is allocated, and the check that the input was used up.

use parity_scale_codec::{Compact, Decode, Error, Input};

/// Why bytes do not decode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The SCALE form is broken: too short, a compact integer not minimal, an unknown tag.
    #[error("not valid SCALE: {0}")]
    Scale(String),
    /// Bytes after the end of the value.
    #[error("{0} bytes follow the end")]
    TrailingBytes(usize),
    /// A length or count outside its bounds.
    #[error("{what} has length {len}, expected {min} to {max}")]
    Length {
        /// Which field.
        what: &'static str,
        /// Its length or count as encoded.
        len: usize,
        /// Smallest allowed.
        min: usize,
        /// Largest allowed.
        max: usize,
    },
    /// A version other than 1.
    #[error("transaction version {0}, expected 1")]
    BodyVersion(u8),
    /// Signers not strictly ascending, or the payer among them.
    #[error("signers are not strictly ascending keys other than the payer")]
    Signers,
    /// A proof-of-work tag this release does not know.
    #[error("proof-of-work tag {0} is not supported, expected 0 (native)")]
    PowTag(u8),
}

impl From<Error> for DecodeError {
    fn from(error: Error) -> Self {
        // Its text is a chain of causes on lines of their own; an error here is one line.
        Self::Scale(error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// Decodes all of `bytes` with `decode`; bytes left over are an error.
pub fn decode_all<'a, T>(
    bytes: &'a [u8],
    decode: impl FnOnce(&mut &'a [u8]) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut input = bytes;
    let value = decode(&mut input)?;
    if input.is_empty() { Ok(value) } else { Err(DecodeError::TrailingBytes(input.len())) }
}

/// Reads a compact count and refuses one outside `min..=max`, before anything is allocated.
pub fn decode_len(input: &mut impl Input, what: &'static str, min: usize, max: usize) -> Result<usize, DecodeError> {
    let len = usize::try_from(Compact::<u32>::decode(input)?.0).unwrap_or(usize::MAX);
    if (min..=max).contains(&len) { Ok(len) } else { Err(DecodeError::Length { what, len, min, max }) }
}

/// Takes `len` bytes off the front of `input`.
pub fn take<'a>(input: &mut &'a [u8], len: usize) -> Result<&'a [u8], DecodeError> {
    let (head, tail) = input.split_at_checked(len).ok_or_else(|| DecodeError::Scale("not enough data".to_owned()))?;
    *input = tail;
    Ok(head)
}

/// Reads a byte vector of at most `max` bytes without copying it.
pub fn decode_bytes<'a>(input: &mut &'a [u8], what: &'static str, max: usize) -> Result<&'a [u8], DecodeError> {
    let len = decode_len(input, what, 0, max)?;
    take(input, len)
}
