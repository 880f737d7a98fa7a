//! The checks that need no other block, and every reason for which a block is not imported.

use std::collections::BTreeMap;

use dotp2p_chain::block::{Block, BlockHead};
use dotp2p_chain::check::{self, BlockError, Condemns};
use dotp2p_chain::codec::DecodeError;
use dotp2p_chain::hash::{BlockHash, ChainId};
use dotp2p_chain::header_tree::HeaderTreeError;
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::ledger::LedgerError;
use dotp2p_registry::store::StoreError;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rayon::slice::ParallelSlice;

/// Fewer transactions are not worth another thread.
const BATCH_MIN: usize = 16;
/// More make a batch hardly cheaper, and one that fails dearer.
const BATCH_MAX: usize = 2_048;

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
        let mut checked = Self::without_signatures(encoded, params)?;
        let unverified = checked.signed(0).filter(|it| !is_verified(it.transaction)).collect();
        checked.bad_signature = first_bad_signatures(unverified, &params.chain_id).remove(&0);
        Ok(checked)
    }

    /// Checks encoded blocks as [`Self::decode`] does, the signatures of all of them together: the more stand in one
    /// equation, the cheaper each is.
    pub fn decode_all(encoded: Vec<Vec<u8>>, params: &Params) -> Vec<Result<Self, ImportError>> {
        let one = |encoded| Self::without_signatures(encoded, params);
        let mut all: Vec<_> = encoded.into_par_iter().map(one).collect();
        let checked = all.iter().enumerate().filter_map(|(block, it)| Some((block, it.as_ref().ok()?)));
        let unverified = checked.flat_map(|(block, it)| it.signed(block)).collect();
        for (block, at) in first_bad_signatures(unverified, &params.chain_id) {
            if let Some(Ok(checked)) = all.get_mut(block) {
                checked.bad_signature = Some(at);
            }
        }
        all
    }

    fn without_signatures(encoded: Vec<u8>, params: &Params) -> Result<Self, ImportError> {
        let max = usize::try_from(params.rules.body_max).unwrap_or(usize::MAX);
        let len = encoded.len().saturating_sub(BlockHead::LEN);
        if len > max {
            return Err(BlockError::BodySize { len, max }.into());
        }
        let block = Block::decode(&encoded, &params.rules)?;
        check::check_work(&block.head, &params.rules)?;
        check::check_roots(&block.head.header, &block.head.roots)?;
        check::check_tx_root(&block)?;
        let hash = block.hash();
        Ok(Self { block, encoded, hash, bad_signature: None })
    }

    /// Its transactions, as those of the block numbered `block`.
    fn signed(&self, block: usize) -> impl Iterator<Item = Placed<'_>> {
        self.block.transactions.iter().enumerate().map(move |(at, transaction)| Placed { block, at, transaction })
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

/// A transaction, and where it stands among the blocks that are checked together.
struct Placed<'a> {
    block: usize,
    at: usize,
    transaction: &'a Transaction,
}

/// By block, the place of the first transaction with a bad signature. Rule T6.
fn first_bad_signatures(transactions: Vec<Placed<'_>>, chain_id: &ChainId) -> BTreeMap<usize, usize> {
    // Every core is to have as much to do as any other.
    let threads = rayon::current_num_threads();
    let rounds = transactions.len().div_ceil(threads * BATCH_MAX).max(1);
    let share = transactions.len().div_ceil(threads * rounds).max(BATCH_MIN);
    let all_good = |part: &[Placed<'_>]| {
        let all: Vec<_> = part.iter().map(|it| it.transaction).collect();
        check::all_signatures_good(&all, chain_id)
    };
    let bad_of = |share: &[Placed<'_>]| -> Vec<(usize, usize)> {
        if all_good(share) {
            return Vec::new();
        }
        let blocks = share.chunk_by(|a, b| a.block == b.block).filter(|block| !all_good(block));
        blocks
            .filter_map(|block| block.iter().find(|it| !check::signatures_good(it.transaction, chain_id)))
            .map(|it| (it.block, it.at))
            .collect()
    };
    let mut bad: Vec<_> = transactions.par_chunks(share).flat_map_iter(bad_of).collect();
    // The first of a block is to stay.
    bad.sort_unstable_by(|a, b| b.cmp(a));
    bad.into_iter().collect()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use std::sync::atomic::AtomicBool;

    use dotp2p_chain::amount::Amount;
    use dotp2p_chain::block::tx_root;
    use dotp2p_chain::key::{PublicKey, Signature};
    use dotp2p_chain::op::{Op, Pay};
    use dotp2p_chain::tx::Body;
    use k256::schnorr::SigningKey;

    use super::*;
    use crate::miner;

    /// A payment, its signature spoilt or not.
    fn payment(nonce: u64, is_bad: bool, chain_id: &ChainId) -> Transaction {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let ops = vec![Op::Pay(Pay { to: PublicKey([9; 32]), amount: Amount::from_atoms(1) })];
        let payer = PublicKey(key.verifying_key().to_bytes().into());
        let body = Body { payer, nonce, fee: Amount::from_atoms(1), expiry: None, signers: Vec::new(), ops };
        let mut signature = key.sign_raw(&body.sighash(chain_id).0, &[0; 32]).unwrap().to_bytes();
        signature[40] ^= u8::from(is_bad);
        Transaction::new(body, vec![Signature(signature)]).unwrap()
    }

    /// A block of `count` payments, of which those at the places `bad` are spoilt; all but signatures is right.
    fn block(count: usize, bad: &[usize], params: &Params) -> Vec<u8> {
        let mut block = params.genesis.clone();
        let payment = |at: usize| payment(at as u64, bad.contains(&at), &params.chain_id);
        block.transactions = (0..count).map(payment).collect();
        block.head.roots.tx_root = tx_root(&block.coinbase, &block.transactions);
        block.head.header.commitment = block.head.roots.commitment();
        miner::mine(block, &AtomicBool::new(false), |_| ()).unwrap().encode()
    }

    #[test]
    fn blocks_checked_together_are_judged_as_each_alone() {
        let params = Params::regtest();
        let mut blocks: Vec<Vec<u8>> =
            [(20, &[][..]), (9, &[8, 3]), (0, &[]), (1, &[0]), (40, &[39]), (200, &[]), (300, &[17, 16, 250])]
                .into_iter()
                .map(|(count, bad)| block(count, bad, &params))
                .collect();
        blocks.insert(2, vec![0; 400]);
        let alone = |block: &Vec<u8>| {
            CheckedBlock::decode(block.clone(), &params, |_| false)
                .map(|it| it.bad_signature)
                .map_err(|e| e.to_string())
        };
        let alone: Vec<_> = blocks.iter().map(alone).collect();
        assert!(alone[2].is_err());
        let first = [None, Some(3), None, Some(0), Some(39), None, Some(16)];
        assert_eq!(alone.iter().filter_map(|it| it.clone().ok()).collect::<Vec<_>>(), first);
        let together = CheckedBlock::decode_all(blocks, &params);
        let together: Vec<_> =
            together.into_iter().map(|it| it.map(|it| it.bad_signature).map_err(|e| e.to_string())).collect();
        assert_eq!(together, alone);
    }

    #[test]
    fn what_was_verified_before_is_not_checked_again() {
        let params = Params::regtest();
        let bad = block(20, &[4], &params);
        let decode = |known: u64| CheckedBlock::decode(bad.clone(), &params, |tx| tx.body().nonce == known);
        assert_eq!([3, 4].map(|known| decode(known).unwrap().bad_signature), [Some(4), None]);
    }
}
