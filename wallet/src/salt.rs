//! The salts of claims, derived so that a restored seed finds its commitments again.
//!
//! ```text
//! salt key = the 32 secret bytes at m/86'/9353'/0'/1'                                  (BIP 32)
//! salt     = the first 16 bytes of HMAC-SHA256(salt key, "dotp2p/salt" ‖ chain id [32] ‖ attempt u32 LE ‖ name)
//! ```
//!
//! Who restores a seed and types the name computes the commitments of attempts 0, 1, 2 … and looks which one is live.
//! Without the seed a salt is 128 bits of randomness, so a commitment tells nothing about its name.

use dotp2p_chain::hash::ChainId;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::Salt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The key that salts are derived with; wiped when dropped.
#[derive(Clone)]
pub(crate) struct SaltKey(pub(crate) Zeroizing<[u8; 32]>);

impl SaltKey {
    /// The salt of the `attempt`-th commitment (from 0) to `name` on a chain.
    pub(crate) fn salt(&self, chain_id: &ChainId, name: &Name, attempt: u32) -> Salt {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("any length");
        for part in [b"dotp2p/salt".as_slice(), &chain_id.0, &attempt.to_le_bytes(), name.as_bytes()] {
            mac.update(part);
        }
        let bytes: [u8; 32] = mac.finalize().into_bytes().into();
        bytes.first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dotp2p_chain::hash::to_hex;

    /// Computed apart (Python's hmac): what other wallets of the same seed must get.
    #[test]
    fn worked_example() {
        let key = SaltKey(Zeroizing::new([7; 32]));
        let salt = key.salt(&ChainId([1; 32]), &"alice".parse().unwrap(), 2);
        assert_eq!(to_hex(&salt), "64fdda8ff4f46819c5cd7d9ed8cef732");
    }
}
