//! A key of the zone.

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hickory_proto::dnssec::crypto::{EcdsaSigningKey, Ed25519SigningKey};
use hickory_proto::dnssec::rdata::DNSKEY;
use hickory_proto::dnssec::{Algorithm as Number, DigestType, PublicKey, PublicKeyBuf, SigningKey, TBS};
use hickory_proto::rr::Name as DnsName;
use hickory_proto::serialize::binary::BinEncodable;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How a key signs (RFC 8624: what every validator knows).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA with curve P-256 and SHA-256: number 13.
    #[default]
    #[serde(rename = "ecdsap256")]
    EcdsaP256,
    /// Number 15.
    #[serde(rename = "ed25519")]
    Ed25519,
}

/// What is no [`Algorithm`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no DNSSEC algorithm: use ecdsap256 or ed25519")]
pub struct AlgorithmError(String);

/// A key that signs, its secret with it.
pub struct ZoneKey {
    pkcs8: Zeroizing<Vec<u8>>,
    secret: Box<dyn SigningKey>,
    public: DnsKey,
}

/// What everybody may know of a key: its DNSKEY record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsKey {
    algorithm: Algorithm,
    dnskey: DNSKEY,
    rdata: Vec<u8>,
    tag: u16,
}

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(String);

impl Algorithm {
    /// Its number in records.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::EcdsaP256 => 13,
            Self::Ed25519 => 15,
        }
    }

    /// The name that settings and zone files have for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsap256",
            Self::Ed25519 => "ed25519",
        }
    }

    const fn public_len(self) -> usize {
        match self {
            Self::EcdsaP256 => 64,
            Self::Ed25519 => 32,
        }
    }

    fn hickory(self) -> Number {
        Number::from_u8(self.number())
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = AlgorithmError;

    fn from_str(text: &str) -> Result<Self, AlgorithmError> {
        match text {
            "ecdsap256" | "13" => Ok(Self::EcdsaP256),
            "ed25519" | "15" => Ok(Self::Ed25519),
            _ => Err(AlgorithmError(text.to_owned())),
        }
    }
}

impl KeyError {
    pub(super) fn new(what: &str) -> Self {
        Self(what.to_owned())
    }
}

fn failed(error: impl fmt::Display) -> KeyError {
    KeyError(error.to_string())
}

impl ZoneKey {
    /// A new key, from the system's random numbers.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let pkcs8 = match algorithm {
            Algorithm::EcdsaP256 => EcdsaSigningKey::generate_pkcs8(algorithm.hickory()).map_err(failed)?,
            Algorithm::Ed25519 => Ed25519SigningKey::generate_pkcs8().map_err(failed)?,
        };
        Self::from_pkcs8(Zeroizing::new(pkcs8.secret_pkcs8_der().to_vec()), algorithm)
    }

    /// A key from its PKCS#8 form (DER).
    ///
    /// Errors: it is no key of the algorithm.
    pub fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>, algorithm: Algorithm) -> Result<Self, KeyError> {
        let der = &pkcs8.as_slice().into();
        let secret: Box<dyn SigningKey> = match algorithm {
            Algorithm::EcdsaP256 => Box::new(EcdsaSigningKey::from_pkcs8(der, algorithm.hickory()).map_err(failed)?),
            Algorithm::Ed25519 => Box::new(Ed25519SigningKey::from_pkcs8(der).map_err(failed)?),
        };
        let public = secret.to_public_key().map_err(failed)?;
        let public = DnsKey::new(public.public_bytes(), algorithm)?;
        Ok(Self { pkcs8, secret, public })
    }

    /// Its PKCS#8 form (DER).
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// What everybody may know of it.
    #[must_use]
    pub fn public(&self) -> &DnsKey {
        &self.public
    }

    /// Signs bytes. Errors: the system gives no random numbers.
    pub(super) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.secret.sign(&TBS::from(bytes)).map_err(failed)
    }
}

impl fmt::Debug for ZoneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ZoneKey").field(&self.public).finish_non_exhaustive()
    }
}

impl DnsKey {
    /// A key from its bytes as a DNSKEY record has them. Errors: not as many as the algorithm's keys have.
    pub fn new(bytes: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        if bytes.len() != algorithm.public_len() {
            return Err(KeyError(format!(
                "a public key of {algorithm} has {} bytes, this one {}",
                algorithm.public_len(),
                bytes.len()
            )));
        }
        // Zone key and secure entry point: flags 257.
        let dnskey = DNSKEY::new(true, true, false, PublicKeyBuf::new(bytes.to_vec(), algorithm.hickory()));
        let (rdata, tag) = (dnskey.to_bytes().map_err(failed)?, dnskey.calculate_key_tag().map_err(failed)?);
        Ok(Self { algorithm, dnskey, rdata, tag })
    }

    /// How it signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key tag (RFC 4034 appendix B).
    #[must_use]
    pub fn tag(&self) -> u16 {
        self.tag
    }

    /// RDATA of its DNSKEY and CDNSKEY records.
    #[must_use]
    pub fn rdata(&self) -> &[u8] {
        &self.rdata
    }

    /// The key's bytes: RDATA without flags, protocol and algorithm.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.dnskey.public_key().public_bytes()
    }

    /// The same in base64.
    #[must_use]
    pub fn base64(&self) -> String {
        BASE64_STANDARD.encode(self.bytes())
    }

    /// Its SHA-256 digest (RFC 4509), as the key of the zone `apex`.
    #[must_use]
    pub fn digest(&self, apex: &DnsName) -> Vec<u8> {
        // A name and a digest that are known: there is nothing to fail.
        self.dnskey.to_digest(apex, DigestType::SHA256).map(|it| it.as_ref().to_vec()).unwrap_or_default()
    }

    /// RDATA of its DS and CDS records.
    #[must_use]
    pub fn ds_rdata(&self, apex: &DnsName) -> Vec<u8> {
        let [high, low] = self.tag.to_be_bytes();
        [&[high, low, self.algorithm.number(), u8::from(DigestType::SHA256)], self.digest(apex).as_slice()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::domain;

    /// RFC 6605 6.1 and RFC 8080 6.1: keys, their tags and digests.
    #[test]
    fn published_examples() {
        let cases = [
            (
                Algorithm::EcdsaP256,
                "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
                55_648,
                "b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17",
            ),
            (
                Algorithm::Ed25519,
                "l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
                3_613,
                "3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
            ),
        ];
        for (algorithm, key, tag, digest) in cases {
            let key = DnsKey::new(&BASE64_STANDARD.decode(key).unwrap(), algorithm).unwrap();
            assert_eq!(key.tag(), tag, "{algorithm}");
            let hex: String = key.digest(&domain("example.net.")).iter().map(|byte| format!("{byte:02x}")).collect();
            let other: String = key.digest(&domain("example.com.")).iter().map(|byte| format!("{byte:02x}")).collect();
            assert!([hex, other].contains(&digest.to_owned()), "{algorithm}");
        }
    }

    #[test]
    fn a_key_comes_back_from_its_bytes() {
        for algorithm in [Algorithm::EcdsaP256, Algorithm::Ed25519] {
            let key = ZoneKey::generate(algorithm).unwrap();
            let again = ZoneKey::from_pkcs8(Zeroizing::new(key.pkcs8().to_vec()), algorithm).unwrap();
            assert_eq!(again.public(), key.public());
            assert_eq!(key.public().rdata()[..4], [1, 1, 3, algorithm.number()]);
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
            let text = format!("{key:?}");
            assert!(!text.contains("pkcs8") && !text.contains("secret"), "{text}");
        }
        assert!("rsa".parse::<Algorithm>().is_err());
        assert!(ZoneKey::from_pkcs8(Zeroizing::new(vec![0x30, 0]), Algorithm::Ed25519).is_err());
        assert!(DnsKey::new(&[0; 32], Algorithm::EcdsaP256).is_err());
    }
}
