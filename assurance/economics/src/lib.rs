//! What the rules cost and do, simulated with the code that judges blocks, not with a copy of it.
//!
//! A module a question: [`difficulty`] (hash rate that comes and goes), [`secret_branch`] (a majority miner's reorganisation
//! and what DNS says of it), [`words`] (hoarding a dictionary), [`stuffing`] (the slots for Commits, filled), [`front_running`]
//! (a claim seen and copied), [`growth`] (how fast disks fill). Each gives its [`Report`]: tables and plots for
//! `docs/economics.md`, one figure, and the promises that it must keep.
//!
//! Everything random comes from one seed, so a run repeats byte for byte. What is absent: networking, propagation and
//! latency; a block is everywhere at once.

#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a simulation: figures are far below the bounds of their types, and a wrong index should stop it"
)]

pub mod difficulty;
pub mod front_running;
pub mod growth;
pub mod ledger;
pub mod page;
pub mod plot;
pub mod secret_branch;
pub mod stats;
pub mod stuffing;
pub mod words;

/// The seed of a run that names none; docs/economics.md is made with it.
pub const SEED: u64 = 7;

/// How much of a simulation is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// A few seconds without optimisation, for tests.
    Quick,
    /// As documented.
    Full,
}

impl Scale {
    /// `quick` or `full`.
    pub fn of<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// What a simulation found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Markdown tables by the name of their place in docs/economics.md.
    pub tables: Vec<(&'static str, String)>,
    /// Plots by file name without `.svg`.
    pub plots: Vec<(&'static str, String)>,
    /// One clause for the line that ends a run.
    pub figure: String,
    /// Promises that were not kept, empty where all were.
    pub broken: Vec<String>,
}

impl Report {
    /// Notes `promise` as broken unless it `holds`.
    pub fn expect(&mut self, holds: bool, promise: impl Into<String>) {
        if !holds {
            self.broken.push(promise.into());
        }
    }
}
