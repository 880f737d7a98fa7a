//! A model of who holds a name, small enough that a checker visits every state of it.
//!
//! One name, five keys, a few coins, a few blocks. Whoever holds a key may sign anything at any time, a miner puts the
//! transactions in any order, and the last blocks may be taken back. Beside the entry that the rules write the model
//! keeps the [`law::Right`]: who holds the name, and which powers *this* holder granted, followed from signatures
//! alone. Where entry and right part, somebody was robbed.
//!
//! - [`key`], [`ledger`]: the state, and what a block does before its first transaction.
//! - [`ops`]: the ten ops, each rule of which can be switched off ([`rule`]).
//! - [`law`]: law 1 (C12) and what goes with it, told without the rules.
//! - [`chain`]: blocks, reorganisations, transactions sent again; the model for [`stateright`]. [`properties`]: what is
//!   asked of it.
//!
//! What is absent: `since`, fees by choice, a second name, the price level, which cannot move in the model's terms, and
//! transactions of several ops, which are the same as several of one but for all or none (T10).

pub mod chain;
pub mod key;
pub mod law;
pub mod ledger;
pub mod ops;
pub mod properties;
pub mod rule;
