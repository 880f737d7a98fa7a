//! The networks whose rules the decoders read by.

use std::sync::LazyLock;

use dotp2p_chain::params::{Params, Rules};

/// Regtest, main, and one with the shortest limits that the rules allow a test to have.
pub static NETWORKS: LazyLock<[Params; 3]> = LazyLock::new(|| [Params::regtest(), Params::main(), narrow()]);

/// Limits so small that an input reaches them: bodies of 600 bytes, records of 64, terms of a few blocks.
fn narrow() -> Params {
    let rules = Rules {
        maturity: 2,
        age_min: 1,
        age_max: 5,
        commit_target: 2,
        commit_max: 4,
        year: 24,
        years_ahead: 3,
        grace: 3,
        halving_blocks: 2,
        halvings: 3,
        body_max: 600,
        records_max: 64,
        halving_interval: 500,
        ..Rules::regtest()
    };
    Params::new(rules, Params::regtest().deployment).expect("the rules do not contradict themselves")
}

/// Regtest's rules.
pub fn regtest() -> &'static Params {
    &NETWORKS[0]
}
