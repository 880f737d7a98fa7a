//! The header: 88 bytes that carry a block's work.

use parity_scale_codec::{Decode, Encode};

use crate::hash::{BlockHash, HistoryRoot, RootsCommitment, StateRoot, TxRoot, sha256d, tag};
use crate::height::Height;
use crate::pow::CompactTarget;

/// A block's header, 88 bytes, integers little-endian (B6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Header {
    /// 1.
    pub version: u32,
    /// The parent's hash; zero in genesis.
    pub prev_blockhash: BlockHash,
    /// [`Roots::commitment`] of the block.
    pub commitment: RootsCommitment,
    /// Unix seconds, as the miner says.
    pub time: u64,
    /// The target in compact form.
    pub bits: CompactTarget,
    /// Free for the miner.
    pub nonce: u64,
}

impl Header {
    /// The encoded length in bytes.
    pub const LEN: usize = 88;
    /// Bytes before the nonce: what a miner hashes once.
    pub const NONCE_AT: usize = 80;

    /// The block's hash: double SHA-256 of the 88 bytes.
    #[must_use]
    pub fn hash(&self) -> BlockHash {
        BlockHash(sha256d(&self.encode()))
    }
}

/// What a header commits to besides its parent: the height and the three roots (B7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Roots {
    /// The parent's height + 1.
    pub height: Height,
    /// Over coinbase and transactions.
    pub tx_root: TxRoot,
    /// Of the state after the block.
    pub state_root: StateRoot,
    /// Over all earlier headers.
    pub history_root: HistoryRoot,
}

impl Roots {
    /// `H("dotp2p/commitment", height LE ‖ tx_root ‖ state_root ‖ history_root)`.
    #[must_use]
    pub fn commitment(&self) -> RootsCommitment {
        RootsCommitment(tag::COMMITMENT.hash(&[&self.encode()]))
    }
}
