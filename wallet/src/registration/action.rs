//! What a registration says: where it stands, what it waits for, what is to be done.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::{Txid, to_hex};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::tx::Transaction;
use serde::{Deserialize, Serialize};

use crate::text;

/// Where a registration stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Waits for coins, or for the price to fall below the limit.
    Funds,
    /// The Commit is to be mined.
    Commit,
    /// The commitment must grow old enough.
    Age,
    /// The Claim is to be mined.
    Claim,
    /// Somebody else has the name; it is not certain yet that it stays so.
    Rival,
    /// The name is ours; records or years are still to come.
    Finish,
    /// The name is ours, with all that was asked for.
    Done,
    /// It ended without the name.
    Failed(Failure),
}

/// Why a registration ended without the name, or without all that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Somebody else was first.
    #[error("the name is taken by {} since height {since}; {spent} coins were spent", to_hex(&.by.0))]
    Taken {
        /// The owner.
        #[serde(with = "text::key")]
        by: PublicKey,
        /// Since when.
        #[serde(with = "text::height")]
        since: Height,
        /// Fees and burns so far.
        #[serde(with = "text::atoms")]
        spent: Amount,
    },
    /// Too many commitments died.
    #[error("{attempts} commitments grew too old without a claim being mined; {spent} coins were spent")]
    Attempts {
        /// How many.
        attempts: u32,
        /// Fees and burns so far.
        #[serde(with = "text::atoms")]
        spent: Amount,
    },
    /// The pool refused too often.
    #[error("transactions were refused again and again: {reason}")]
    Refused {
        /// The last refusal.
        reason: String,
    },
    /// The wallet is not the one it began with.
    #[error("key {} is not in this wallet", to_hex(&.key.0))]
    Key {
        /// The key.
        #[serde(with = "text::key")]
        key: PublicKey,
    },
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Coins at one key of the wallet.
    Coins {
        /// Where to send them.
        pay_to: PublicKey,
        /// What must be there, fees included.
        needed: Amount,
        /// What is there.
        have: Amount,
    },
    /// A price within the limit.
    Price {
        /// What it would cost in all.
        needed: Amount,
        /// What may be spent.
        limit: Amount,
    },
    /// The Commit's block.
    Commit(Txid),
    /// The commitment's age.
    Age,
    /// The Claim's block.
    Claim(Txid),
    /// The block of what came after somebody else's Claim for us.
    Finish(Txid),
    /// A few blocks on top of somebody else's claim.
    Rival {
        /// Who has the name.
        by: PublicKey,
    },
    /// A new block, after a refusal.
    Refused {
        /// Why.
        reason: String,
    },
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "made once a block and registration, moved once")]
pub enum Action {
    /// Nothing before the next block.
    Wait {
        /// For what.
        what: Waiting,
        /// Blocks until the name can be ours, if that can be told.
        blocks_left: Option<u32>,
    },
    /// Store the registration, then offer this to the pool; tell a refusal to [`refused`](super::Registration::refused).
    Send(Transaction),
    /// The name is ours, with all that was asked for.
    Done,
    /// It has ended.
    Failed(Failure),
}
