//! Keys, signatures and addresses (BIP 340, bech32m).

use core::fmt;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use k256::schnorr;
use parity_scale_codec::{Decode, Encode};

use crate::hash::{Sighash, to_hex};

/// A key: any 32 bytes, read as an x-only secp256k1 key. One that is no curve point can simply never sign (C6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct PublicKey(pub [u8; 32]);

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", to_hex(&self.0))
    }
}

/// A BIP 340 signature as it travels; whether it is good, [`PublicKey::verifies`] says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", to_hex(&self.0))
    }
}

impl PublicKey {
    /// Whether `signature` is this key's over the 32 bytes of `sighash`, which are BIP 340's message itself (C6).
    #[must_use]
    pub fn verifies(&self, sighash: &Sighash, signature: &Signature) -> bool {
        self.verifies_message(&sighash.0, signature)
    }

    /// Whether `signature` is this key's over `message`, of any length. Source: BIP 340.
    #[must_use]
    pub fn verifies_message(&self, message: &[u8], signature: &Signature) -> bool {
        let Ok(key) = schnorr::VerifyingKey::from_slice(&self.0) else { return false };
        let Ok(signature) = schnorr::Signature::try_from(signature.0.as_slice()) else { return false };
        key.verify_raw(message, &signature).is_ok()
    }

    /// The address: the 32 bytes in bech32m with the network's `prefix`, no version symbol (C8).
    #[must_use]
    pub fn address(&self, prefix: &str) -> String {
        let hrp = Hrp::parse_unchecked(prefix);
        bech32::encode::<Bech32m>(hrp, &self.0).unwrap_or_default()
    }

    /// Reads an address of the network with `prefix`.
    pub fn from_address(text: &str, prefix: &str) -> Result<Self, AddressError> {
        let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(AddressError::form)?;
        if checked.hrp() != Hrp::parse_unchecked(prefix) {
            let (found, expected) = (checked.hrp().to_lowercase(), prefix.to_owned());
            return Err(AddressError::Network { found, expected });
        }
        checked.validate_segwit_padding().map_err(AddressError::form)?;
        let bytes: Vec<u8> = checked.byte_iter().collect();
        let len = bytes.len();
        bytes.try_into().map(Self).map_err(|_| AddressError::Length(len))
    }
}

impl AddressError {
    /// On one line: bech32 repeats the character that it stumbles on, whatever it is.
    fn form(error: impl fmt::Display) -> Self {
        Self::Form(error.to_string().replace(char::is_control, "\u{fffd}"))
    }
}

/// Why a text is not an address of this network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not bech32m, or mistyped.
    #[error("not an address: {0}")]
    Form(String),
    /// Another network's.
    #[error("address is of network prefix {found:?}, expected {expected:?}")]
    Network {
        /// The prefix it has.
        found: String,
        /// This network's.
        expected: String,
    },
    /// Not 32 bytes.
    #[error("address holds {0} bytes, expected 32")]
    Length(usize),
}
