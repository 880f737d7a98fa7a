//! Hierarchical keys (BIP 32), secrets only.
//!
//! Sixty lines on `hmac` and `k256` instead of a crate: no extended-key strings, fingerprints or public derivation are
//! wanted, and with them come base58, RIPEMD-160 and ECDSA. Held against BIP 32's published vectors.

use hmac::{Hmac, KeyInit, Mac};
use k256::elliptic_curve::sec1::ToSec1Point;
use k256::{NonZeroScalar, SecretKey};
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::seed::Seed;

/// The bit of a child's number that makes it hardened.
const HARDENED: u32 = 1 << 31;

/// A secret key with its chain code; both are wiped when dropped.
#[derive(Clone)]
pub(crate) struct ExtendedKey {
    secret: SecretKey,
    chain_code: Zeroizing<[u8; 32]>,
}

impl ExtendedKey {
    /// The master key of a seed; `None` with probability 2⁻¹²⁷.
    pub(crate) fn master(seed: &Seed) -> Option<Self> {
        Self::master_of(seed.as_bytes())
    }

    fn master_of(seed: &[u8]) -> Option<Self> {
        let (left, chain_code) = hmac_sha512(b"Bitcoin seed", &[seed]);
        Some(Self { secret: SecretKey::from_slice(left.as_slice()).ok()?, chain_code })
    }

    /// Child `number` whose parent cannot be found from it; `number` < 2³¹.
    pub(crate) fn hardened(&self, number: u32) -> Option<Self> {
        let secret = Zeroizing::new(self.secret.to_bytes());
        self.child(&[&[0], secret.as_slice()], number | HARDENED)
    }

    /// Child `number` of the ordinary kind; `number` < 2³¹.
    pub(crate) fn normal(&self, number: u32) -> Option<Self> {
        let public = self.secret.public_key().to_sec1_point(true);
        self.child(&[public.as_bytes()], number & !HARDENED)
    }

    /// The secret in 32 bytes.
    pub(crate) fn secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes().into())
    }

    fn child(&self, parent: &[&[u8]], number: u32) -> Option<Self> {
        let number = number.to_be_bytes();
        let mut parts = parent.to_vec();
        parts.push(&number);
        let (left, chain_code) = hmac_sha512(self.chain_code.as_slice(), &parts);
        let tweak = SecretKey::from_slice(left.as_slice()).ok()?;
        let sum = *tweak.to_nonzero_scalar() + *self.secret.to_nonzero_scalar();
        let sum: NonZeroScalar = NonZeroScalar::new(sum).into_option()?;
        Some(Self { secret: SecretKey::from(sum), chain_code })
    }
}

type Halves = (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>);

fn hmac_sha512(key: &[u8], parts: &[&[u8]]) -> Halves {
    #[allow(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("any length");
    for part in parts {
        mac.update(part);
    }
    let bytes = Zeroizing::new(<[u8; 64]>::from(mac.finalize().into_bytes()));
    let (mut left, mut right) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
    let (a, b) = bytes.split_at(32);
    left.copy_from_slice(a);
    right.copy_from_slice(b);
    (left, right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dotp2p_chain::hash::{from_hex, to_hex};

    #[test]
    fn published_vectors() {
        let file: serde_json::Value = serde_json::from_str(include_str!("../tests/vectors/bip32.json")).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            let seed = from_hex(vector["seed"].as_str().unwrap()).unwrap();
            for row in vector["keys"].as_array().unwrap() {
                let path = row["path"].as_str().unwrap();
                let key = path.split('/').skip(1).fold(ExtendedKey::master_of(&seed).unwrap(), |key, step| match step
                    .strip_suffix('\'')
                {
                    Some(number) => key.hardened(number.parse().unwrap()).unwrap(),
                    None => key.normal(step.parse().unwrap()).unwrap(),
                });
                assert_eq!(to_hex(key.secret_bytes().as_slice()), row["secret"], "{path}");
                assert_eq!(to_hex(key.chain_code.as_slice()), row["chain_code"], "{path}");
            }
        }
    }
}
