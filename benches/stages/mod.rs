//! Where the time of a block goes: each step alone, one after the other, by the functions that an import calls.

use std::time::{Duration, Instant};

use dotp2p::import::CheckedBlock;
use dotp2p_chain::block::Block;
use dotp2p_chain::check::{check_roots, check_tx_root, check_work};
use dotp2p_chain::params::Params;
use dotp2p_registry::ledger::apply_block;
use dotp2p_registry::state::State;
use dotp2p_registry::store::encode_undo;

/// Time by step.
#[derive(Default)]
pub struct Stages {
    decode: Duration,
    roots: Duration,
    signatures: Duration,
    ops: Duration,
    state: Duration,
    undo: Duration,
}

impl Stages {
    /// Takes `blocks`, which follow on `state`.
    pub fn of(blocks: &[Vec<u8>], mut state: State, params: &Params) -> Self {
        let mut stages = Self::default();
        for encoded in blocks {
            let block = timed(&mut stages.decode, || Block::decode(encoded, &params.rules).unwrap());
            timed(&mut stages.roots, || {
                check_work(&block.head, &params.rules).unwrap();
                check_roots(&block.head.header, &block.head.roots).unwrap();
                check_tx_root(&block).unwrap();
            });
            let owned = encoded.clone();
            timed(&mut stages.signatures, || CheckedBlock::decode(owned, params, |_| false).unwrap());
            let height = block.head.roots.height;
            let apply = || apply_block(&state, height, &block.coinbase, &block.transactions, params).unwrap();
            let connected = timed(&mut stages.ops, apply);
            timed(&mut stages.state, || state.apply(&connected.changes));
            assert_eq!(state.root(), block.head.roots.state_root);
            timed(&mut stages.undo, || encode_undo(&connected.changes));
        }
        // A checked block was decoded and its roots compared as well.
        stages.signatures = stages.signatures.saturating_sub(stages.decode + stages.roots);
        stages
    }

    /// Prints microseconds an update; `write`: what the durable writes took.
    pub fn print(&self, updates: f64, write: Duration) {
        let steps = [
            ("decode", self.decode),
            ("work and roots", self.roots),
            ("signatures, all cores", self.signatures),
            ("ops", self.ops),
            ("state tree and indexes", self.state),
            ("undo", self.undo),
            ("durable write", write),
        ];
        let micros = steps.map(|(step, took)| format!("{step} {:.2}", took.as_secs_f64() * 1e6 / updates));
        println!("  microseconds an update, each step alone: {}", micros.join(", "));
    }
}

fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    *total += began.elapsed();
    done
}
