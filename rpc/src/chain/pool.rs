//! The pool as a whole, and what it would take.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::check::signatures_good;
use dotp2p_chain::header_tree::Status;
use dotp2p_registry::query::{Branch, Reader};

use crate::args;
use crate::error::{RpcError, RpcResult};
use crate::types::{ChainTip, Coins, MempoolInfo, PoolVerdict};

/// Transactions that one call tries.
const TRIED_MAX: usize = 25;

/// Fees are told for so many bytes, as bitcoind does.
const RATE_BYTES: usize = 1_000;

pub(super) fn info(reader: &Reader) -> MempoolInfo {
    let pool = &reader.pool;
    let fees = pool.iter().map(|tx| tx.transaction.body().fee);
    let rate = Coins(pool.fee_for(RATE_BYTES));
    MempoolInfo {
        size: pool.len() as u64,
        bytes: pool.bytes() as u64,
        maxmempool: pool.limits().bytes as u64,
        mempoolminfee: rate,
        incrementalrelayfee: rate,
        total_fee: Coins(fees.fold(Amount::ZERO, |sum, fee| sum.checked_add(fee).unwrap_or(Amount::MAX))),
        provisional: reader.provisional.len() as u64,
    }
}

/// What the pool would say to each, those before it being in it.
pub(super) fn try_all(reader: &Reader, rawtxs: &[String]) -> RpcResult<Vec<PoolVerdict>> {
    if rawtxs.is_empty() || rawtxs.len() > TRIED_MAX {
        let problem = format!("expected 1 to {TRIED_MAX} transactions, not {}", rawtxs.len());
        return Err(RpcError::Content { parameter: "rawtxs", problem });
    }
    let mut pool = reader.pool.as_ref().clone();
    let mut verdicts = Vec::with_capacity(rawtxs.len());
    for text in rawtxs {
        let transaction = args::transaction(text, &reader.params)?;
        let chain_id = &reader.params.chain_id;
        let (txid, wtxid) = (transaction.txid(chain_id), transaction.wtxid());
        let (size, fee) = (crate::shape::count(transaction.bytes().len()), Coins(transaction.body().fee));
        let reject_reason = if signatures_good(&transaction, chain_id) {
            // Nothing is kept, so its age is of no matter.
            pool.add(transaction, &reader.state, reader.tip, &reader.params, 0).err().map(|error| error.to_string())
        } else {
            Some("a signature is not good (T6)".to_owned())
        };
        let (txid, wtxid, allowed) = (txid.to_string(), wtxid.to_string(), reject_reason.is_none());
        verdicts.push(PoolVerdict { txid, wtxid, allowed, size, fee, reject_reason });
    }
    Ok(verdicts)
}

pub(super) fn tip(branch: &Branch) -> ChainTip {
    let status = match branch.status {
        Status::Connected { .. } if branch.len == 0 => "active",
        Status::Connected { .. } => "valid-fork",
        Status::Header | Status::Body => "headers-only",
        Status::Rejected => "invalid",
    };
    let Branch { hash, height, len, .. } = branch;
    ChainTip { height: height.0, hash: hash.to_string(), branchlen: *len, status: status.to_owned() }
}
