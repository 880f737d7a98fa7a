//! Two implementations of the rules, driven side by side.
//!
//! [`naive`] is written from `docs/spec` alone. A [`recipe::Recipe`] follows from one number: the Rules of a private network,
//! who there is, and steps that become transactions, blocks, reorganisations and restarts. [`run::run`] does each step on
//! both sides and stops at the first [`run::Difference`]; [`shrink`] then leaves steps out for as long as one remains.
//!
//! Signatures are not checked here: which keys signed is given. What the steps are is decided by looking at the naive
//! state alone, so that most of what is tried is nearly right.

pub mod coverage;
mod durable;
pub mod maker;
pub mod naive;
pub mod real;
pub mod recipe;
pub mod run;
pub mod shrink;
mod words;
pub mod world;
