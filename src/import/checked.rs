//! The checks that need no other block, and every reason for which a block is not imported.

use dotp2p_chain::block::{Block, BlockHead};
use dotp2p_chain::check::{self, BlockError, Condemns};
use dotp2p_chain::codec::DecodeError;
use dotp2p_chain::hash::{BlockHash, ChainId};
use dotp2p_chain::header_tree::HeaderTreeError;
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::ledger::LedgerError;
use dotp2p_registry::store::StoreError;
use rayon::iter::ParallelIterator;
use rayon::slice::ParallelSlice;

/// Fewer transactions are not worth another thread.
const BATCH_MIN: usize = 16;
/// More make a batch no cheaper, and one that fails dearer.
const BATCH_MAX: usize = 512;

/// A block that passed everything that needs no other block: work, roots, body and signatures.
#[derive(Clone, Debug)]
pub struct CheckedBlock {
    pub(super) block: Block,
    pub(super) encoded: Vec<u8>,
    pub(super) hash: BlockHash,
    /// The first transaction with a bad signature: that condemns the hash, so the header must still be judged.
    pub(super) bad_signature: Option<usize>,
}

impl CheckedBlock {
    /// Checks an encoded block; `is_verified` tells which transactions had their signatures checked before.
    pub fn decode(
        encoded: Vec<u8>,
        params: &Params,
        is_verified: impl Fn(&Transaction) -> bool + Sync,
    ) -> Result<Self, ImportError> {
        let max = usize::try_from(params.rules.body_max).unwrap_or(usize::MAX);
        let len = encoded.len().saturating_sub(BlockHead::LEN);
        if len > max {
            return Err(BlockError::BodySize { len, max }.into());
        }
        let block = Block::decode(&encoded, &params.rules)?;
        check::check_work(&block.head, &params.rules)?;
        check::check_roots(&block.head.header, &block.head.roots)?;
        check::check_tx_root(&block)?;
        let unverified: Vec<_> = block.transactions.iter().enumerate().filter(|(_, tx)| !is_verified(tx)).collect();
        let bad_signature = first_bad_signature(&unverified, &params.chain_id);
        let hash = block.hash();
        Ok(Self { block, encoded, hash, bad_signature })
    }

    /// Its parent's hash.
    #[must_use]
    pub fn parent(&self) -> BlockHash {
        self.block.head.header.prev_blockhash
    }

    /// The block's hash.
    #[must_use]
    pub fn hash(&self) -> BlockHash {
        self.hash
    }
}

/// The place of the first transaction with a bad signature. Rule T6.
fn first_bad_signature(transactions: &[(usize, &Transaction)], chain_id: &ChainId) -> Option<usize> {
    // The more signatures in one equation, the cheaper each; but every core is to have its share.
    let share = transactions.len().div_ceil(rayon::current_num_threads()).clamp(BATCH_MIN, BATCH_MAX);
    let first_bad = |share: &[(usize, &Transaction)]| {
        let all: Vec<_> = share.iter().map(|(_, tx)| *tx).collect();
        if check::all_signatures_good(&all, chain_id) {
            return None;
        }
        share.iter().find(|(_, tx)| !check::signatures_good(tx, chain_id)).map(|(at, _)| *at)
    };
    transactions.par_chunks(share).filter_map(first_bad).min()
}

/// Why a block is not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not a block.
    #[error("block does not decode: {0} (B14)")]
    Decode(#[from] DecodeError),
    /// A rule of headers or bodies.
    #[error("{0}")]
    Block(#[from] BlockError),
    /// The tree has no place for it.
    #[error("{0}")]
    Tree(#[from] HeaderTreeError),
    /// The ledger refuses it.
    #[error("block {hash}: {error}")]
    Ledger {
        /// The block.
        hash: BlockHash,
        /// Why.
        error: LedgerError,
    },
    /// Another history than the branch has.
    #[error("block {0} commits to another history_root than its branch has (B14)")]
    History(BlockHash),
    /// It would disconnect what a release vouches for.
    #[error("block {0} forks below a checkpoint (B17)")]
    Checkpoint(BlockHash),
    /// Reading or writing failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Writing failed before; nothing is taken until a restart.
    #[error("the node no longer writes since: {0}; mend the cause and restart it")]
    Stopped(String),
}

impl ImportError {
    /// What the refusal condemns. Rule B15.
    #[must_use]
    pub fn condemns(&self) -> Condemns {
        match self {
            Self::Decode(_) => Condemns::Message,
            Self::Block(error) => error.condemns(),
            Self::Tree(HeaderTreeError::UnknownParent(_) | HeaderTreeError::Unknown(_)) => Condemns::Nothing,
            Self::Tree(_) | Self::Ledger { .. } | Self::History(_) | Self::Checkpoint(_) => Condemns::Hash,
            Self::Store(_) | Self::Stopped(_) => Condemns::Nothing,
        }
    }
}
