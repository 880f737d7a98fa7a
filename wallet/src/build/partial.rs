//! A transaction that collects its signatures in several wallets, on line or off.

use std::collections::BTreeMap;

use dotp2p_chain::hash::ChainId;
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::tx::{Body, Transaction};

use crate::keys::Keys;

/// A body and those of its signatures that are there; each is good for its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial {
    body: Body,
    chain_id: ChainId,
    signatures: BTreeMap<PublicKey, Signature>,
}

impl Partial {
    /// A body nobody has signed.
    #[must_use]
    pub fn new(body: Body, chain_id: ChainId) -> Self {
        Self { body, chain_id, signatures: BTreeMap::new() }
    }

    /// What is signed.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The signatures there are.
    #[must_use]
    pub fn signatures(&self) -> &BTreeMap<PublicKey, Signature> {
        &self.signatures
    }

    /// The keys that have not signed, the payer first.
    pub fn missing(&self) -> impl Iterator<Item = &PublicKey> {
        self.body.keys().filter(|key| !self.signatures.contains_key(*key))
    }

    /// Signs with every key of the wallet that is wanted; how many signatures were added.
    pub fn sign(&mut self, keys: &Keys) -> usize {
        let sighash = self.body.sighash(&self.chain_id);
        let wanted: Vec<PublicKey> = self.missing().copied().collect();
        let before = self.signatures.len();
        self.signatures.extend(wanted.into_iter().filter_map(|key| Some((key, keys.sign(&key, &sighash)?))));
        self.signatures.len() - before
    }

    /// Takes a signature made elsewhere; whether it is wanted and good.
    pub fn add(&mut self, key: PublicKey, signature: Signature) -> bool {
        let good = self.body.keys().any(|wanted| *wanted == key)
            && key.verifies(&self.body.sighash(&self.chain_id), &signature);
        if good {
            self.signatures.insert(key, signature);
        }
        good
    }

    /// The transaction, once nobody is missing.
    #[must_use]
    pub fn complete(&self) -> Option<Transaction> {
        let signatures: Option<Vec<_>> = self.body.keys().map(|key| self.signatures.get(key).copied()).collect();
        Transaction::new(self.body.clone(), signatures?)
    }
}
