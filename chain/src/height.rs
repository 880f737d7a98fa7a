//! Heights: blocks counted from genesis.

use core::fmt;

use parity_scale_codec::{Decode, Encode};

/// A block's distance from genesis, which has height 0; also a number of blocks added to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Height(pub u32);

impl Height {
    /// The height of the first block.
    pub const GENESIS: Self = Self(0);

    /// The next block's height; saturates at `u32::MAX`, where a chain ends (B5).
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The height so many blocks before, or `None` before genesis.
    #[must_use]
    pub const fn checked_sub(self, blocks: u32) -> Option<Self> {
        match self.0.checked_sub(blocks) {
            Some(height) => Some(Self(height)),
            None => None,
        }
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
