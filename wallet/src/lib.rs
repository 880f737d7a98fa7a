//! Keys from a seed phrase, transactions built and signed, registrations under way.

mod bip32;
pub mod build;
pub mod keys;
pub mod salt;
pub mod seed;
mod text;

pub use build::{BuildError, FeeRate, Partial, TxPlan};
pub use keys::Keys;
pub use seed::{Phrase, Seed, WordCount};
