//! Block templates and CPU mining.

use std::sync::atomic::{AtomicBool, Ordering};

use dotp2p_chain::block::{Block, BlockHead, Coinbase, Pow, tx_root};
use dotp2p_chain::check::{median_time, required_bits};
use dotp2p_chain::header::{Header, Roots};
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::pow::Target;
use dotp2p_registry::ledger;
use dotp2p_registry::query::Reader;
use sha2::{Digest, Sha256};

/// Nonces tried between two looks at the outside world.
pub const BATCH: u64 = 1 << 16;

/// A block on the reader's tip with the best of its pool, all but the work done.
///
/// - `to`: whom it rewards; `extra`: free bytes, at most 64, that set templates of two threads apart.
/// - `now_s`: the clock in Unix seconds; the block's time is later where the median rule asks it.
/// - Result: `None` where the chain has reached the last height.
#[must_use]
pub fn template(reader: &Reader, to: PublicKey, extra: Vec<u8>, now_s: u64) -> Option<Block> {
    let params = &reader.params;
    let height = reader.tip.next();
    let coinbase = Coinbase { to, extra };
    let transactions = reader.pool.select(&reader.state, height, &coinbase, params);
    let connected = ledger::apply_block(&reader.state, height, &coinbase, &transactions, params).ok()?;
    let mut state = reader.state.clone();
    state.apply(&connected.changes);
    let roots = Roots {
        height,
        tx_root: tx_root(&coinbase, &transactions),
        state_root: state.root(),
        history_root: reader.next_history,
    };
    let time = now_s.max(median_time(&reader.next_context.times) + 1);
    let header = Header {
        version: 1,
        prev_blockhash: reader.next_context.parent,
        commitment: roots.commitment(),
        time,
        bits: required_bits(&reader.next_context, time, &params.rules),
        nonce: 0,
    };
    Some(Block { head: BlockHead { header, roots, pow: Pow::Native }, coinbase, transactions })
}

/// Tries [`BATCH`] nonces from `start`; the nonce that meets the target, if one does.
///
/// The first 64 bytes are hashed once, so a try costs two blocks of SHA-256.
#[must_use]
pub fn search(header: &Header, target: &Target, start: u64) -> Option<u64> {
    let bytes = parity_scale_codec::Encode::encode(header);
    let (first, rest) = bytes.split_at_checked(64)?;
    let before_nonce = rest.get(..Header::NONCE_AT - 64)?;
    let midstate = Sha256::new_with_prefix(first).chain_update(before_nonce);
    (start..start.checked_add(BATCH)?).find(|nonce| {
        let once = midstate.clone().chain_update(nonce.to_le_bytes()).finalize();
        target.is_met_by(&dotp2p_chain::hash::BlockHash(Sha256::digest(once).into()))
    })
}

/// Works on `block` until its header meets its target; `None` when `stop` is raised or the nonces are used up.
///
/// `tried` hears how many nonces each batch took.
pub fn mine(mut block: Block, stop: &AtomicBool, mut tried: impl FnMut(u64)) -> Option<Block> {
    let target = block.head.header.bits.to_target()?;
    let mut start = 0;
    while !stop.load(Ordering::Relaxed) {
        let found = search(&block.head.header, &target, start);
        tried(found.map_or(BATCH, |nonce| nonce - start + 1));
        if let Some(nonce) = found {
            block.head.header.nonce = nonce;
            return Some(block);
        }
        start = start.checked_add(BATCH)?;
    }
    None
}
