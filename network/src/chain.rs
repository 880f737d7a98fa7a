//! What peers need of the chain. The binary implements [`Chain`], tests fake it.

use std::future::Future;
use std::sync::Arc;

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::check::{BlockError, Condemns};
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::pow::Work;
use dotp2p_registry::query::Reader;
use tokio::sync::watch;

use crate::presync::Fork;
use crate::score::Misbehaviour;

/// The node's chain and pool, as this crate sees them.
pub trait Chain: Send + Sync + 'static {
    /// The newest view and those that follow.
    fn readers(&self) -> watch::Receiver<Arc<Reader>>;

    /// Judges heads, each the parent of the next, and stores them if their branch is worth it (L9) or `is_proven`.
    fn take_heads(&self, heads: Vec<BlockHead>, is_proven: bool) -> impl Future<Output = HeadsTaken> + Send;

    /// Blocks whose bodies are missing on the way to the best header, the lowest first, at most `max`.
    fn missing(&self, max: u32) -> impl Future<Output = Vec<BlockHash>> + Send;

    /// Checks and imports encoded blocks; an answer for each. Those taken are durable.
    fn take_blocks(&self, blocks: Vec<Vec<u8>>) -> impl Future<Output = Vec<BlockVerdict>> + Send;

    /// Checks an encoded transaction and offers it to the pool.
    fn take_transaction(&self, encoded: Vec<u8>) -> impl Future<Output = TransactionVerdict> + Send;

    /// The clock in Unix seconds.
    fn now_s(&self) -> u64;
}

/// The newest view.
pub fn newest(readers: &watch::Receiver<Arc<Reader>>) -> Arc<Reader> {
    readers.borrow().clone()
}

/// What became of heads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadsTaken {
    /// They are stored now, or were.
    Stored {
        /// The last of them.
        last: BlockHash,
        /// Work of the chain up to it.
        work: Work,
    },
    /// Good, but of a branch that is not worth storing yet (L9); given back.
    LowWork(Box<Fork>, Vec<BlockHead>),
    /// The parent of the first is not known here.
    Unconnected,
    /// A rule refuses one; those before it may be stored.
    Refused(BlockError),
    /// The branch was refused before, or the node cannot take it now; the text says which.
    Other(String),
}

/// What became of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockVerdict {
    /// It is stored, on the active chain or beside it.
    Taken,
    /// It was here before.
    Known,
    /// It is refused.
    Refused {
        /// The block, its bytes, or neither (B15).
        condemns: Condemns,
        /// The rule, for the log.
        reason: String,
    },
}

impl BlockVerdict {
    /// Nothing could be said of it now.
    #[must_use]
    pub fn later(reason: &str) -> Self {
        Self::Refused { condemns: Condemns::Nothing, reason: reason.to_owned() }
    }
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionVerdict {
    /// It is in the pool now.
    Taken {
        /// Who pays.
        payer: PublicKey,
        /// Its place among that payer's.
        nonce: u64,
    },
    /// It is good, but others of its payer come before it.
    Early {
        /// Who pays.
        payer: PublicKey,
        /// Its place among that payer's.
        nonce: u64,
    },
    /// It was there before, or this node does not want it; another may.
    Unwanted(String),
    /// No node can take it: not a transaction, or a bad signature.
    Invalid(Misbehaviour, String),
}
