//! Keys from a seed phrase, transactions built and signed, registrations under way.
//!
//! - [`seed`], [`keys`], [`salt`]: a BIP 39 phrase, the keys and salts derived from it (BIP 32).
//! - `file`: `wallet.json`, which holds the phrase; [`private_file`]: how such files are read and written.
//! - [`build`]: a transaction planned, priced, checked and signed.
//! - [`registration`]: the machine that takes a name from nothing to owned; [`registrations`]: its file.
//! - [`Wallet`]: the file, open.
//!
//! What is absent: prices (they are arguments, or asked of [`registration::Chain`]), the pool, the network, clocks.

mod bip32;
pub mod build;
pub mod file;
pub mod keys;
pub mod private_file;
pub mod registration;
pub mod registrations;
pub mod salt;
pub mod seed;
mod text;
mod wallet;

pub use build::{BuildError, FeeRate, Partial, TxPlan};
pub use file::FileError;
pub use keys::Keys;
pub use registration::{Action, Chain, Registration, Request, RequestError, Step, Waiting};
pub use registrations::Registrations;
pub use seed::{Phrase, Seed, SeedError, WordCount};
pub use wallet::Wallet;
