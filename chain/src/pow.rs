//! Targets and work: how hard a header's hash is to find, in the three forms the rules use.
//!
//! [`CompactTarget`] is the `bits` of a header, four bytes that may mean nothing; [`Target`] is the number they stand
//! for, never zero; [`Work`] is how many hashes meeting it takes on average. Only a valid compact target becomes a
//! target, only a target has work. Which bits a header must have is [`crate::asert`]'s.

use core::fmt;

use parity_scale_codec::{Decode, Encode, EncodeLike, Error, Input, Output};
use ruint::aliases::U256;

use crate::hash::{BlockHash, to_hex};

/// A target in compact form, as a header carries it: a size in the high byte, a mantissa in the 23 low bits. Rule P1.
///
/// Any four bytes can be held; [`CompactTarget::to_target`] tells whether they are valid. Encoded as a u32 LE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct CompactTarget(u32);

impl CompactTarget {
    /// The bit that would be a sign; no valid target has it (P1a).
    const SIGN: u32 = 0x0080_0000;
    const MANTISSA: u32 = 0x007f_ffff;

    /// The compact target with these bits, valid or not.
    #[must_use]
    pub const fn from_consensus(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits, as a header encodes them.
    #[must_use]
    pub const fn to_consensus(self) -> u32 {
        self.0
    }

    /// The target, or `None` where the sign bit is set (P1a), the value is 0 (P1b) or 2²⁵⁶ and more (P1c).
    #[must_use]
    pub fn to_target(self) -> Option<Target> {
        if self.0 & Self::SIGN != 0 {
            return None;
        }
        let size = self.0 >> 24;
        let mantissa = U256::from(self.0 & Self::MANTISSA);
        let value = match size.checked_sub(3) {
            None => mantissa >> shift(3 - size),
            Some(_) if mantissa.is_zero() => return None,
            Some(bytes) => mantissa.checked_shl(shift(bytes))?,
        };
        Target::new(value)
    }

    /// Whether the bits are valid and the ones [`Target::to_compact`] gives (P2). Only a network's Rules must be (B3b).
    #[must_use]
    pub fn is_canonical(self) -> bool {
        self.to_target().is_some_and(|target| target.to_compact() == self)
    }
}

impl fmt::Display for CompactTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A number of bytes as a number of bits.
const fn shift(bytes: u32) -> usize {
    8 * bytes as usize
}

/// What a block hash must not exceed: 1 to 2²⁵⁶ − 1, smaller is harder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(U256);

impl Target {
    /// The hardest target: 1.
    pub const HARDEST: Self = Self(U256::ONE);
    /// The easiest target, which every hash meets: 2²⁵⁶ − 1.
    pub const EASIEST: Self = Self(U256::MAX);

    /// The target of this value; `None` where it is 0.
    pub(crate) fn new(value: U256) -> Option<Self> {
        (!value.is_zero()).then_some(Self(value))
    }

    pub(crate) const fn value(self) -> U256 {
        self.0
    }

    /// The target with these little-endian bytes; `None` where all are 0.
    #[must_use]
    pub fn from_le_bytes(bytes: [u8; 32]) -> Option<Self> {
        Self::new(U256::from_le_bytes(bytes))
    }

    /// The target's little-endian bytes.
    #[must_use]
    pub fn to_le_bytes(self) -> [u8; 32] {
        self.0.to_le_bytes()
    }

    /// The compact form, rounded towards harder: what three bytes cannot hold is dropped. Rule P2.
    #[must_use]
    pub fn to_compact(self) -> CompactTarget {
        let mut size = u32::try_from(self.0.byte_len()).expect("256 bits are at most 32 bytes");
        let mut mantissa: u32 = match size.checked_sub(3) {
            None => self.0.saturating_to::<u32>() << shift(3 - size),
            Some(bytes) => (self.0 >> shift(bytes)).saturating_to(),
        };
        if mantissa & CompactTarget::SIGN != 0 {
            mantissa >>= 8;
            size += 1;
        }
        CompactTarget(size << 24 | mantissa)
    }

    /// Whether `hash`, read as a little-endian integer, is at most this target. Rule P7.
    #[must_use]
    pub fn is_met_by(&self, hash: &BlockHash) -> bool {
        U256::from_le_bytes(hash.0) <= self.0
    }

    /// Hashes needed on average to meet it: ⌊2²⁵⁶ / (target + 1)⌋, at least 1. Rule P3.
    #[must_use]
    pub fn work(self) -> Work {
        // 2²⁵⁶ / (t + 1) = (2²⁵⁶ − 1 − t) / (t + 1) + 1, and 2²⁵⁶ − 1 − t is the complement of t.
        let divisor = self.0.wrapping_add(U256::ONE);
        Work((!self.0).checked_div(divisor).unwrap_or_default().wrapping_add(U256::ONE))
    }
}

impl fmt::Display for Target {
    /// 64 hexadecimal digits, most significant first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0.to_be_bytes::<32>()))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// Expected hashes, of one block or of a chain. Encoded as 32 LE bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work(U256);

impl Work {
    /// None.
    pub const ZERO: Self = Self(U256::ZERO);
    /// As much as can be counted: 2²⁵⁶ − 1.
    pub const MAX: Self = Self(U256::MAX);

    /// The work with these little-endian bytes.
    #[must_use]
    pub const fn from_le_bytes(bytes: [u8; 32]) -> Self {
        Self(U256::from_le_bytes(bytes))
    }

    /// The work's little-endian bytes.
    #[must_use]
    pub const fn to_le_bytes(self) -> [u8; 32] {
        self.0.to_le_bytes()
    }

    /// The sum; `None` at 2²⁵⁶ and more, where a block is invalid (P3).
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The sum, or [`Work::MAX`].
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Work {
    /// 64 hexadecimal digits, most significant first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0.to_be_bytes::<32>()))
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Work({self})")
    }
}

impl Encode for Work {
    fn size_hint(&self) -> usize {
        32
    }

    fn encode_to<T: Output + ?Sized>(&self, dest: &mut T) {
        dest.write(&self.to_le_bytes());
    }
}

impl EncodeLike for Work {}

impl Decode for Work {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        <[u8; 32]>::decode(input).map(Self::from_le_bytes)
    }
}

#[cfg(test)]
mod tests;
