//! The laws of the state, on chains that nobody wrote down: blocks of transactions that are mostly valid, a few keys and
//! names, terms so short that names expire, are released and claimed again.
//!
//! After every transaction and every block all of [`laws`] is asserted. A failure prints the wishes it came from, shrunk.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod laws;
mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};

use laws::Chain;
use world::{Wish, wish};

/// Blocks of up to four wishes; most runs of the random numbers leave some empty.
fn blocks(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Vec<Wish>>> {
    proptest::collection::vec(proptest::collection::vec(wish(), 0..5), len)
}

fn config(cases: u32) -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    match config.rng_seed {
        RngSeed::Random => ProptestConfig { rng_seed: RngSeed::Fixed(20_261_123), ..config },
        RngSeed::Fixed(_) => config,
    }
}

proptest! {
    #![proptest_config(config(100))]

    /// `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for others, and for more.
    #[test]
    fn every_law_holds_on_random_chains(blocks in blocks(30..90)) {
        let mut chain = Chain::new();
        for wishes in &blocks {
            chain.block(wishes);
        }
        chain.take_all_back();
    }
}

/// The maker is worth something: in one long run every op is accepted and refused, and every reason for a change of
/// owner occurs.
#[test]
fn a_long_chain_sees_everything() {
    let mut runner = TestRunner::new(config(1));
    let blocks = blocks(1_200..1_201).new_tree(&mut runner).unwrap().current();
    let mut chain = Chain::new();
    for wishes in &blocks {
        chain.block(wishes);
    }
    let seen = &chain.seen;
    let counts: BTreeMap<_, _> = seen.iter().map(|(what, count)| (what.as_str(), count)).collect();
    println!("{counts:#?}");
    let ops = ["pay", "commit", "claim", "update", "renew", "setkeys", "transfer", "offer", "buy", "recover"];
    for op in ops {
        for verdict in ["accepted", "refused"] {
            let what = format!("{op} {verdict}");
            assert!(seen.get(&what).is_some_and(|count| *count >= 5), "{what}: {counts:#?}");
        }
    }
    for reason in ["owner and recovery key", "owner alone", "recovery key", "purchase", "expiry and grace"] {
        assert!(seen.get(reason).is_some_and(|count| *count >= 5), "owner changed by {reason}: {counts:#?}");
    }
    chain.take_all_back();
}
