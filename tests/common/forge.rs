//! Blocks by hand, good and bad.

use std::sync::atomic::AtomicBool;

use dotp2p::miner;
use dotp2p_chain::block::{Block, BlockHead, Coinbase, Pow, tx_root};
use dotp2p_chain::check::required_bits;
use dotp2p_chain::header::{Header, Roots};
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::ledger;
use dotp2p_registry::query::Reader;

/// A block of just these transactions on a view's tip, mined. Where one of them is refused, so that there is no state
/// after it, the state root is the parent's.
pub fn block_on(reader: &Reader, to: PublicKey, transactions: Vec<Transaction>) -> Block {
    let (height, params) = (reader.tip.next(), &reader.params);
    let coinbase = Coinbase { to, extra: Vec::new() };
    let mut state = reader.state.clone();
    if let Ok(connected) = ledger::apply_block(&state, height, &coinbase, &transactions, params) {
        state.apply(&connected.changes);
    }
    let roots = Roots {
        height,
        tx_root: tx_root(&coinbase, &transactions),
        state_root: state.root(),
        history_root: reader.next_history,
    };
    let time = reader.head.header.time + 60;
    let header = Header {
        version: 1,
        prev_blockhash: reader.next_context.parent,
        commitment: roots.commitment(),
        time,
        bits: required_bits(&reader.next_context, time, &params.rules),
        nonce: 0,
    };
    mined(Block { head: BlockHead { header, roots, pow: Pow::Native }, coinbase, transactions })
}

/// The block with the header's commitment made to fit the roots again, and the work done.
pub fn mined(mut block: Block) -> Block {
    block.head.header.commitment = block.head.roots.commitment();
    header_changed(block)
}

/// The block with the work done for its header as it is.
pub fn header_changed(mut block: Block) -> Block {
    block.head.header.nonce = 0;
    miner::mine(block, &AtomicBool::new(false), |_| ()).unwrap()
}
