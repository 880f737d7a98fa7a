//! Context-free rules: what a header, a body or a transaction must be before any state is asked.
//!
//! One function a rule or a step of B13 and B14, each citing it. [`HeaderContext`] is all that a header's verdict reads
//! of its ancestors. What an error condemns, [`BlockError::condemns`] says.

use crate::asert::{self, Anchor, Schedule};
use crate::batch::{self, Signed};
use crate::block::{Block, BlockHead, Pow};
use crate::hash::{BlockHash, ChainId};
use crate::header::{Header, Roots};
use crate::height::Height;
use crate::params::{Params, Rules, TIME_END};
use crate::pow::CompactTarget;
use crate::tx::Transaction;

/// Blocks whose times make the median (B12).
pub const MEDIAN_SPAN: usize = 11;
/// Seconds that a header may be ahead of the node's clock (B12).
pub const FUTURE_MAX_S: u64 = 600;

/// What judging a header reads of its ancestors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderContext {
    /// The parent's hash.
    pub parent: BlockHash,
    /// The parent's height.
    pub parent_height: Height,
    /// The parent's time.
    pub parent_time: u64,
    /// Times of the up to [`MEDIAN_SPAN`] blocks before, in any order, the parent's among them.
    pub times: Vec<u64>,
    /// Time of block 1, where the schedule starts; `None` while judging block 1.
    pub first_time: Option<u64>,
}

/// Why a header or block is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The hash does not meet the target, or the target is none.
    #[error("hash {hash} does not meet the target of bits {bits} (P7)")]
    Work {
        /// The block.
        hash: BlockHash,
        /// Its bits.
        bits: CompactTarget,
    },
    /// Not version 1.
    #[error("block version {0}, expected 1 (B6)")]
    Version(u32),
    /// Another parent than the one it is judged after.
    #[error("previous block is {found}, expected {expected} (B6)")]
    Parent {
        /// As in the header.
        found: BlockHash,
        /// As it should be.
        expected: BlockHash,
    },
    /// Another hash than a release vouches for.
    #[error("block {found} at height {height} is not the checkpoint {expected} (B17)")]
    Checkpoint {
        /// The height.
        height: Height,
        /// The block's.
        found: BlockHash,
        /// The checkpoint's.
        expected: BlockHash,
    },
    /// 2⁴⁰ or later.
    #[error("time {0} is not below 2^40 (B12)")]
    TimeRange(u64),
    /// Not after the median.
    #[error("time {time} is not after {median}, the median of the blocks before (B12)")]
    TimeTooOld {
        /// The header's.
        time: u64,
        /// The median.
        median: u64,
    },
    /// Bits other than the difficulty rule gives.
    #[error("bits {found}, expected {expected} (P6)")]
    Bits {
        /// The header's.
        found: CompactTarget,
        /// The rule's.
        expected: CompactTarget,
    },
    /// The roots do not hash to the commitment.
    #[error("roots do not open the header's commitment (B7)")]
    Roots,
    /// The commitment opens to another height.
    #[error("height {found} in the roots, expected {expected} (B7)")]
    Height {
        /// In the roots.
        found: Height,
        /// The parent's + 1.
        expected: Height,
    },
    /// The body gives another root.
    #[error("coinbase and transactions do not give tx_root (B10)")]
    TxRoot,
    /// Above the limit.
    #[error("body has {len} bytes, at most {max} are allowed (B9)")]
    BodySize {
        /// Its bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Some signature is not good.
    #[error("transaction {at}: a signature is not good (T6)")]
    Signature {
        /// Its place in the block, from 0.
        at: usize,
    },
    /// Further ahead than clocks differ; nothing is condemned, it is tried again.
    #[error("time {time} is more than 600 s ahead of this node's clock ({now}) (B12)")]
    Future {
        /// The header's.
        time: u64,
        /// The clock's.
        now: u64,
    },
}

/// What a refusal says of whom (B15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condemns {
    /// The message and its sender; the same hash may come whole from somebody else.
    Message,
    /// The hash and every descendant.
    Hash,
    /// Nothing: it is tried again.
    Nothing,
}

impl BlockError {
    /// What this refusal condemns. Rule B15.
    #[must_use]
    pub fn condemns(&self) -> Condemns {
        match self {
            Self::Work { .. } | Self::Roots | Self::TxRoot | Self::BodySize { .. } => Condemns::Message,
            Self::Future { .. } => Condemns::Nothing,
            _ => Condemns::Hash,
        }
    }
}

/// The proof of work meets the header's bits, which no limit exceeds. Rule P7.
pub fn check_work(head: &BlockHead, rules: &Rules) -> Result<(), BlockError> {
    let (hash, bits) = (head.hash(), head.header.bits);
    let Pow::Native = head.pow;
    let met =
        bits.to_target().is_some_and(|target| Some(target) <= rules.limit_bits.to_target() && target.is_met_by(&hash));
    if met { Ok(()) } else { Err(BlockError::Work { hash, bits }) }
}

/// Steps 4 to 8 of B13: version, parent, checkpoint, time and bits, given the ancestors.
pub fn check_header(header: &Header, context: &HeaderContext, params: &Params) -> Result<(), BlockError> {
    if header.prev_blockhash != context.parent {
        return Err(BlockError::Parent { found: header.prev_blockhash, expected: context.parent });
    }
    if header.version != 1 {
        return Err(BlockError::Version(header.version));
    }
    check_checkpoint(header, context.parent_height.next(), params)?;
    check_time(header.time, context)?;
    let expected = required_bits(context, header.time, &params.rules);
    if header.bits != expected {
        return Err(BlockError::Bits { found: header.bits, expected });
    }
    Ok(())
}

/// No other hash at a checkpoint's height. Rule B17.
pub fn check_checkpoint(header: &Header, height: Height, params: &Params) -> Result<(), BlockError> {
    let pinned = params.deployment.checkpoints.iter().find(|(at, _)| *at == height);
    match pinned {
        Some((_, expected)) if header.hash() != *expected => {
            Err(BlockError::Checkpoint { height, found: header.hash(), expected: *expected })
        }
        _ => Ok(()),
    }
}

/// Below 2⁴⁰ and after the median of the times before. Rules B12a, B12b.
pub fn check_time(time: u64, context: &HeaderContext) -> Result<(), BlockError> {
    if time >= TIME_END {
        return Err(BlockError::TimeRange(time));
    }
    let median = median_time(&context.times);
    if time <= median { Err(BlockError::TimeTooOld { time, median }) } else { Ok(()) }
}

/// Element ⌊n / 2⌋ of the sorted times; 0 of none.
#[must_use]
pub fn median_time(times: &[u64]) -> u64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// Not too far ahead of `now` (Unix seconds), on networks with a half-life. Rule B12c, local.
pub fn check_clock(time: u64, now: u64, rules: &Rules) -> Result<(), BlockError> {
    if rules.half_life.is_some() && time > now.saturating_add(FUTURE_MAX_S) {
        return Err(BlockError::Future { time, now });
    }
    Ok(())
}

/// The bits that the block after `context` must have if its time is `time`. Rule P6.
#[must_use]
pub fn required_bits(context: &HeaderContext, time: u64, rules: &Rules) -> CompactTarget {
    let (Some(half_life), Some(first_time)) = (rules.half_life, context.first_time) else {
        return if rules.half_life.is_some() { rules.genesis_bits } else { rules.limit_bits };
    };
    if context.parent_height == Height::GENESIS {
        return rules.genesis_bits;
    }
    let anchor =
        Anchor { height: Height(1), parent_time: first_time.saturating_sub(rules.spacing), bits: rules.genesis_bits };
    let schedule = Schedule { spacing: rules.spacing, half_life, limit: rules.limit_bits };
    let reference = asert::reference_time(context.parent_time, time, rules.spacing);
    asert::next_bits(&anchor, &schedule, context.parent_height, reference)
}

/// Step 2 of B14: the roots are what the header committed to.
pub fn check_roots(header: &Header, roots: &Roots) -> Result<(), BlockError> {
    if roots.commitment() == header.commitment { Ok(()) } else { Err(BlockError::Roots) }
}

/// Step 3 of B14.
pub fn check_height(roots: &Roots, parent: Height) -> Result<(), BlockError> {
    let (found, expected) = (roots.height, Height(parent.0.wrapping_add(1)));
    if found == expected && expected != Height::GENESIS { Ok(()) } else { Err(BlockError::Height { found, expected }) }
}

/// Step 5 of B14: the body is what the roots committed to.
pub fn check_tx_root(block: &Block) -> Result<(), BlockError> {
    if block.tx_root() == block.head.roots.tx_root { Ok(()) } else { Err(BlockError::TxRoot) }
}

/// Steps 2, 3 and 5 of B14: everything about a body but signatures and state. What was decoded is within B9.
pub fn check_body(block: &Block, parent: Height) -> Result<(), BlockError> {
    check_roots(&block.head.header, &block.head.roots)?;
    check_height(&block.head.roots, parent)?;
    check_tx_root(block)
}

/// Whether every signature of a transaction is good on the chain. Rule T6.
#[must_use]
pub fn signatures_good(transaction: &Transaction, chain_id: &ChainId) -> bool {
    let sighash = transaction.sighash(chain_id);
    transaction.key_signatures().all(|(key, signature)| key.verifies(&sighash, signature))
}

/// Whether every signature of all these transactions is good; which are not, [`signatures_good`] tells. Rule T6.
#[must_use]
pub fn all_signatures_good(transactions: &[&Transaction], chain_id: &ChainId) -> bool {
    let mut batch = Vec::with_capacity(transactions.len());
    for transaction in transactions {
        let sighash = transaction.sighash(chain_id);
        batch.extend(transaction.key_signatures().map(|(key, signature)| Signed { key, sighash, signature }));
    }
    batch::all_verify(&batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(times: &[u64], parent_height: u32) -> HeaderContext {
        let parent_time = times.last().copied().unwrap_or(0);
        let (parent, parent_height) = (BlockHash::ZERO, Height(parent_height));
        HeaderContext { parent, parent_height, parent_time, times: times.to_vec(), first_time: times.first().copied() }
    }

    #[test]
    fn median_of_an_even_count_is_the_upper() {
        assert_eq!(median_time(&[100, 200]), 200);
        assert_eq!(median_time(&[100, 300, 200]), 200);
        assert_eq!(check_time(200, &context(&[100, 200], 1)), Err(BlockError::TimeTooOld { time: 200, median: 200 }));
        assert_eq!(check_time(201, &context(&[100, 200], 1)), Ok(()));
        assert_eq!(check_time(1 << 40, &context(&[1], 1)), Err(BlockError::TimeRange(1 << 40)));
    }

    #[test]
    fn waiting_eases_the_target() {
        let rules = Params::main().rules;
        let start = rules.genesis_time + 60;
        let context = HeaderContext { first_time: Some(start), ..context(&[start], 1) };
        let soon = required_bits(&context, start + 20 * 60, &rules);
        assert_eq!(soon, required_bits(&context, start + 1, &rules), "within 20 spacings the wait does not count");
        let mut hard = rules.clone();
        hard.genesis_bits = CompactTarget::from_consensus(0x1b00_ffff);
        let at = |wait: u64| required_bits(&context, start + wait, &hard).to_target();
        assert!(at(20 * 60 + 7_200) > at(20 * 60), "after that it does");
    }

    #[test]
    fn the_clock_defers_and_does_not_condemn() {
        let rules = Params::main().rules;
        assert_eq!(check_clock(1_600, 1_000, &rules), Ok(()));
        let error = check_clock(1_601, 1_000, &rules).unwrap_err();
        assert_eq!(error.condemns(), Condemns::Nothing);
        assert_eq!(check_clock(u64::MAX, 0, &Params::regtest().rules), Ok(()));
    }
}
