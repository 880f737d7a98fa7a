//! A block as it is announced: its head, whom it rewards, and a short id for each transaction.
//!
//! Whoever has the transactions puts the block together again and asks for the few it lacks. The root in the head tells
//! whether it was put together right, so a short id that fits two transactions costs a question and nothing else.

use std::collections::HashMap;

use dotp2p_chain::block::{Block, BlockHead, Coinbase};
use dotp2p_chain::codec::{DecodeError, decode_all, decode_bytes, decode_len, take};
use dotp2p_chain::hash::{BlockHash, Wtxid, tag};
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::tx::Transaction;
use parity_scale_codec::{Compact, Decode, Encode};

use super::WTXIDS_MAX;

/// The first six bytes of `H("dotp2p/short-id", block hash ‖ wtxid)`: another block's tell nothing of this one's.
pub type ShortId = [u8; 6];

/// The short id of a transaction in the block `hash`.
#[must_use]
pub fn short_id(hash: &BlockHash, wtxid: &Wtxid) -> ShortId {
    let hash = tag::SHORT_ID.hash(&[&hash.0, &wtxid.0]);
    hash.first_chunk().copied().unwrap_or_default()
}

/// A block's announcement: 3 % of a block of common updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactBlock {
    /// Header, roots and work.
    pub head: BlockHead,
    /// Whom it rewards.
    pub coinbase: Coinbase,
    /// Of each transaction, in order.
    pub short_ids: Vec<ShortId>,
}

impl CompactBlock {
    /// The announcement of `block`.
    #[must_use]
    pub fn of(block: &Block) -> Self {
        let hash = block.hash();
        let short_ids = block.transactions.iter().map(|tx| short_id(&hash, &tx.wtxid())).collect();
        Self { head: block.head, coinbase: block.coinbase.clone(), short_ids }
    }

    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BlockHead::LEN + 128 + self.short_ids.len() * size_of::<ShortId>());
        self.head.encode_to(&mut out);
        out.append(&mut self.coinbase.encode());
        Compact(u32::try_from(self.short_ids.len()).unwrap_or(u32::MAX)).encode_to(&mut out);
        self.short_ids.iter().for_each(|id| out.extend_from_slice(id));
        out
    }

    /// Reads a message; nothing may be left over.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_all(bytes, |input| {
            let head = BlockHead::decode(input)?;
            let to = PublicKey::decode(input)?;
            let extra = decode_bytes(input, "extra", Coinbase::MAX_EXTRA)?.to_vec();
            let most = WTXIDS_MAX.min(input.len() / size_of::<ShortId>());
            let count = decode_len(input, "short ids", 0, most)?;
            let mut short_ids = Vec::with_capacity(count);
            for _ in 0..count {
                let id = take(input, size_of::<ShortId>())?;
                short_ids.push(id.try_into().map_err(|_| DecodeError::Scale("not enough data".to_owned()))?);
            }
            Ok(Self { head, coinbase: Coinbase { to, extra }, short_ids })
        })
    }

    /// Fills the places whose transactions are among `known`; the rest is `None`, as are those whose short id fits two.
    #[must_use]
    pub fn fill<'a>(&self, known: impl Iterator<Item = (&'a Wtxid, &'a Transaction)>) -> Vec<Option<&'a Transaction>> {
        let hash = self.head.hash();
        let mut wanted: HashMap<ShortId, (Option<&Transaction>, u32)> =
            self.short_ids.iter().map(|id| (*id, (None, 0))).collect();
        for (wtxid, transaction) in known {
            if let Some((found, fits)) = wanted.get_mut(&short_id(&hash, wtxid)) {
                *found = Some(transaction);
                *fits += 1;
            }
        }
        let place = |id| wanted.get(id).and_then(|(found, fits)| found.filter(|_| *fits == 1));
        self.short_ids.iter().map(place).collect()
    }

    /// The whole block's bytes, of its transactions' bytes in order.
    #[must_use]
    pub fn join<'a>(&self, transactions: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        self.head.encode_to(&mut out);
        out.append(&mut self.coinbase.encode());
        Compact(u32::try_from(transactions.len()).unwrap_or(u32::MAX)).encode_to(&mut out);
        transactions.for_each(|bytes| out.extend_from_slice(bytes));
        out
    }
}
