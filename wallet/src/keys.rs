//! Keys derived from a seed.
//!
//! Key i is the secret at `m/86'/9353'/0'/0/i` (BIP 32), read as BIP 340 reads it: its public key is the 32 bytes of the
//! point's x, without the tweak BIP 86 adds (there are no scripts to commit to). The purpose is 86' because the keys
//! are x-only, the coin is 9353', our port. Change (`/1/i`) is not needed: accounts have balances. All networks share
//! the keys, because the chain id is in all that is signed.

use std::collections::BTreeMap;
use std::fmt;

use dotp2p_chain::hash::{ChainId, Sighash};
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::name::Name;
use dotp2p_chain::op::Salt;
use k256::schnorr::SigningKey;

use crate::bip32::ExtendedKey;
use crate::salt::SaltKey;
use crate::seed::Seed;

/// Keys derived beyond the last one handed out, so that coins and names of a restored wallet are recognised.
pub const GAP: u32 = 20;

/// What stands before a message that is signed to prove who one is; a sighash can never begin so, having 32 bytes.
pub const MESSAGE_PREFIX: &[u8] = b"dotp2p signed message:\n";

/// A key cannot be derived: chance 2⁻¹²⁷, so more likely broken memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key {0} cannot be derived from this seed")]
pub struct DeriveError(pub u32);

/// The keys of one seed. Secrets are derived when something is signed and wiped after it.
#[derive(Clone)]
pub struct Keys {
    receive: ExtendedKey,
    salts: SaltKey,
    public: Vec<PublicKey>,
    index: BTreeMap<PublicKey, u32>,
}

impl Keys {
    /// Derives keys 0 to `count` − 1, at least one.
    pub fn new(seed: &Seed, count: u32) -> Result<Self, DeriveError> {
        let account = ExtendedKey::master(seed)
            .and_then(|key| key.hardened(86))
            .and_then(|key| key.hardened(9353))
            .and_then(|key| key.hardened(0))
            .ok_or(DeriveError(0))?;
        let receive = account.normal(0).ok_or(DeriveError(0))?;
        let salts = SaltKey(account.hardened(1).ok_or(DeriveError(0))?.secret_bytes());
        let mut keys = Self { receive, salts, public: Vec::new(), index: BTreeMap::new() };
        keys.extend(count.max(1))?;
        Ok(keys)
    }

    /// Derives further keys until there are `count`.
    pub fn extend(&mut self, count: u32) -> Result<(), DeriveError> {
        for number in self.count()..count {
            let key = self.secret(number).ok_or(DeriveError(number))?;
            let public = PublicKey(key.verifying_key().to_bytes().into());
            self.public.push(public);
            self.index.insert(public, number);
        }
        Ok(())
    }

    /// How many keys are derived.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.public.len()).unwrap_or(u32::MAX)
    }

    /// The derived keys, by number.
    #[must_use]
    pub fn all(&self) -> &[PublicKey] {
        &self.public
    }

    /// Key 0.
    #[must_use]
    pub fn first(&self) -> PublicKey {
        self.public.first().copied().unwrap_or(PublicKey([0; 32]))
    }

    /// Key `number`, if it is derived.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<PublicKey> {
        self.public.get(usize::try_from(number).ok()?).copied()
    }

    /// The number of `key` among the derived ones.
    #[must_use]
    pub fn index_of(&self, key: &PublicKey) -> Option<u32> {
        self.index.get(key).copied()
    }

    /// Whether `key` is among the derived ones.
    #[must_use]
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.index.contains_key(key)
    }

    /// Signs as `key`; `None` if it is not ours.
    ///
    /// BIP 340 with auxiliary bytes of zero: the same body always gives the same transaction, so sending again
    /// after a restart makes no second one.
    #[must_use]
    pub fn sign(&self, key: &PublicKey, sighash: &Sighash) -> Option<Signature> {
        self.sign_bytes(key, &sighash.0)
    }

    /// Signs [`MESSAGE_PREFIX`] ‖ `message` as `key`; `None` if it is not ours.
    #[must_use]
    pub fn sign_message(&self, key: &PublicKey, message: &[u8]) -> Option<Signature> {
        self.sign_bytes(key, &[MESSAGE_PREFIX, message].concat())
    }

    /// The salt of the `attempt`-th commitment (from 0) to `name`; see [`crate::salt`].
    #[must_use]
    pub fn salt(&self, chain_id: &ChainId, name: &Name, attempt: u32) -> Salt {
        self.salts.salt(chain_id, name, attempt)
    }

    fn sign_bytes(&self, key: &PublicKey, bytes: &[u8]) -> Option<Signature> {
        let secret = self.secret(self.index_of(key)?)?;
        secret.sign_raw(bytes, &[0; 32]).ok().map(|signature| Signature(signature.to_bytes()))
    }

    fn secret(&self, number: u32) -> Option<SigningKey> {
        SigningKey::from_slice(self.receive.normal(number)?.secret_bytes().as_slice()).ok()
    }
}

/// Whether `signature` is `key`'s over `message`, as [`Keys::sign_message`] makes it.
#[must_use]
pub fn verify_message(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    key.verifies_message(&[MESSAGE_PREFIX, message].concat(), signature)
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("count", &self.count()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Phrase;
    use dotp2p_chain::hash::to_hex;

    fn keys(count: u32) -> Keys {
        let phrase: Phrase =
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
                .parse()
                .unwrap();
        Keys::new(&phrase.seed(), count).unwrap()
    }

    /// Computed apart, in Python from BIP 32's text: what other wallets of the same phrase must get.
    #[test]
    fn worked_example() {
        let keys = keys(3);
        let expected = [
            "3b72b482ff7656a4f86f17bafecd959ada350df1db088cebe57eb84dda708fc4",
            "1e1d6bf450f9671ef029789b1c2946c2ca6c03a1d61fe283eab8bf04db6de446",
            "9a10f95ea32eaf4697d31ab2fb851c97e493a9e67fc29faa37053e5edffcd118",
        ];
        assert_eq!(keys.all().iter().map(|key| to_hex(&key.0)).collect::<Vec<_>>(), expected);
        let salt = keys.salt(&ChainId([0; 32]), &"alice".parse().unwrap(), 0);
        assert_eq!(to_hex(&salt), "b9a6724bb2b2b5088da9299c2cb90eb6");
    }

    #[test]
    fn extending_keeps_what_there_was() {
        let mut keys_ = keys(2);
        keys_.extend(4).unwrap();
        assert_eq!(keys_.all(), keys(4).all());
        assert_eq!(keys_.index_of(&keys_.get(3).unwrap()), Some(3));
        assert_eq!(keys_.first(), keys(1).first());
        assert_eq!(keys_.get(4), None);
    }

    #[test]
    fn signs_for_its_keys_only() {
        let keys = keys(3);
        let sighash = Sighash([7; 32]);
        for key in keys.all() {
            let signature = keys.sign(key, &sighash).unwrap();
            assert!(key.verifies(&sighash, &signature));
            assert_eq!(keys.sign(key, &sighash), Some(signature));
        }
        assert_eq!(keys.sign(&PublicKey([1; 32]), &sighash), None);
    }

    #[test]
    fn a_message_is_no_transaction() {
        let (keys, hash) = (keys(1), [9; 32]);
        let signature = keys.sign_message(&keys.first(), &hash).unwrap();
        assert!(verify_message(&keys.first(), &hash, &signature));
        assert!(!keys.first().verifies(&Sighash(hash), &signature));
        assert!(!verify_message(&keys.first(), b"another", &signature));
    }

    #[test]
    fn salts_depend_on_everything() {
        let keys = keys(1);
        let (a, b): (Name, Name) = ("alice".parse().unwrap(), "alicf".parse().unwrap());
        let salts = [
            keys.salt(&ChainId([0; 32]), &a, 0),
            keys.salt(&ChainId([0; 32]), &a, 1),
            keys.salt(&ChainId([0; 32]), &b, 0),
            keys.salt(&ChainId([1; 32]), &a, 0),
        ];
        for (i, salt) in salts.iter().enumerate() {
            assert_eq!(salts.iter().position(|other| other == salt), Some(i));
        }
        assert_eq!(keys.salt(&ChainId([0; 32]), &a, 0), salts[0]);
    }
}
