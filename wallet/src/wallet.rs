//! The wallet: its file, open, and the keys of its phrase.

use std::fmt;
use std::path::{Path, PathBuf};

use dotp2p_chain::hash::ChainId;
use dotp2p_chain::key::{AddressError, PublicKey};
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::Transaction;
use zeroize::Zeroizing;

use crate::build::{BuildError, TxPlan};
use crate::file::{FileError, VERSION, WalletFile};
use crate::keys::{GAP, Keys};
use crate::private_file;
use crate::seed::{Phrase, WordCount};

/// Keys that one wallet hands out at most: each is derived when it is opened, at a fifth of a millisecond.
pub const KEYS_MAX: u32 = 10_000;

/// An open wallet of one network.
pub struct Wallet {
    path: PathBuf,
    file: WalletFile,
    keys: Keys,
    chain_id: ChainId,
    address_prefix: String,
}

impl Wallet {
    /// Makes a wallet with a new phrase. A file that is there already is never overwritten.
    ///
    /// `created`: now, in Unix seconds, if it is to be noted.
    pub fn create(path: &Path, params: &Params, words: WordCount, created: Option<u64>) -> Result<Self, FileError> {
        let phrase = Phrase::generate(words).map_err(|source| FileError::Phrase { path: path.to_owned(), source })?;
        Self::restore(path, params, &phrase, created)
    }

    /// Makes a wallet of a phrase that was written down. A file that is there already is never overwritten.
    pub fn restore(path: &Path, params: &Params, phrase: &Phrase, created: Option<u64>) -> Result<Self, FileError> {
        let file = WalletFile {
            version: VERSION,
            network: params.deployment.name.clone(),
            chain_id: params.chain_id.to_string(),
            phrase: phrase.text().to_string(),
            next_index: 1,
            created,
        };
        let wallet = Self::with_file(path, params, file, phrase)?;
        private_file::create(path, &wallet.file.to_json())?;
        Ok(wallet)
    }

    /// Opens a wallet.
    pub fn open(path: &Path, params: &Params) -> Result<Self, FileError> {
        let file = WalletFile::read(path, params)?;
        let phrase = file.phrase.parse().map_err(|source| FileError::Phrase { path: path.to_owned(), source })?;
        Self::with_file(path, params, file, &phrase)
    }

    fn with_file(path: &Path, params: &Params, file: WalletFile, phrase: &Phrase) -> Result<Self, FileError> {
        check_keys(path, file.next_index)?;
        let keys = Keys::new(&phrase.seed(), file.next_index.saturating_add(GAP))?;
        let address_prefix = params.deployment.address_prefix.clone();
        Ok(Self { path: path.to_owned(), file, keys, chain_id: params.chain_id, address_prefix })
    }

    /// Where its file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its keys: those handed out and [`GAP`] beyond.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The words to write down. Show them to nobody but the owner.
    #[must_use]
    pub fn phrase(&self) -> Zeroizing<String> {
        Zeroizing::new(self.file.phrase.clone())
    }

    /// When it was made, in Unix seconds, if that was noted.
    #[must_use]
    pub fn created(&self) -> Option<u64> {
        self.file.created
    }

    /// The keys handed out so far, the first one included.
    pub fn handed_out(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.all().iter().take(usize::try_from(self.file.next_index).unwrap_or(usize::MAX))
    }

    /// The address of a key on this network.
    #[must_use]
    pub fn address(&self, key: &PublicKey) -> String {
        key.address(&self.address_prefix)
    }

    /// Reads an address of this network.
    pub fn parse_address(&self, text: &str) -> Result<PublicKey, AddressError> {
        PublicKey::from_address(text, &self.address_prefix)
    }

    /// The address of key 0.
    #[must_use]
    pub fn first_address(&self) -> String {
        self.address(&self.keys.first())
    }

    /// Hands out the next key, after the file says that it is handed out.
    pub fn new_key(&mut self) -> Result<PublicKey, FileError> {
        let number = self.file.next_index;
        self.hand_out(number.saturating_add(1))?;
        self.keys.get(number).ok_or_else(|| crate::keys::DeriveError(number).into())
    }

    /// [`Wallet::new_key`] as an address.
    pub fn new_address(&mut self) -> Result<String, FileError> {
        let key = self.new_key()?;
        Ok(self.address(&key))
    }

    /// Finds the keys that were in use before a restore: `is_used` says whether the chain knows one. Looks until
    /// [`GAP`] keys in a row are not; how many keys are handed out now.
    pub fn discover(&mut self, is_used: impl Fn(&PublicKey) -> bool) -> Result<u32, FileError> {
        let mut next = self.file.next_index.max(1);
        let mut number = 0;
        while number < next.saturating_add(GAP) {
            self.keys.extend(number.saturating_add(1))?;
            if self.keys.get(number).is_some_and(|key| is_used(&key)) {
                next = next.max(number.saturating_add(1));
            }
            number += 1;
        }
        if next != self.file.next_index {
            self.hand_out(next)?;
        }
        Ok(next)
    }

    /// Signs a plan; see [`TxPlan::sign`].
    pub fn sign(&self, plan: &TxPlan) -> Result<Transaction, BuildError> {
        plan.sign(&self.keys, &self.chain_id)
    }

    /// Writes a copy of the file to a place where there is none.
    pub fn backup(&self, to: &Path) -> Result<(), FileError> {
        Ok(private_file::create(to, &self.file.to_json())?)
    }

    fn hand_out(&mut self, next_index: u32) -> Result<(), FileError> {
        check_keys(&self.path, next_index)?;
        self.keys.extend(next_index.saturating_add(GAP))?;
        let before = self.file.next_index;
        self.file.next_index = next_index;
        let written = private_file::replace(&self.path, &self.file.to_json());
        if written.is_err() {
            self.file.next_index = before;
        }
        Ok(written?)
    }
}

fn check_keys(path: &Path, next_index: u32) -> Result<(), FileError> {
    if next_index <= KEYS_MAX {
        return Ok(());
    }
    Err(FileError::Keys { path: path.to_owned(), found: next_index, max: KEYS_MAX })
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wallet").field("path", &self.path).field("keys", &self.keys).finish_non_exhaustive()
    }
}
