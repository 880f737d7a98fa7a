//! Types and rules of the dotp2p chain.
//!
//! Everything here is pure: no async, threads, I/O, clock, float, randomness or hash map, so that a phone, a browser
//! and a server reach the same verdict from the same bytes. The rules are numbered in `docs/spec/`; a function that
//! enforces one cites its number.
//!
//! - [`amount`], [`height`], [`hash`], [`key`], [`name`], [`records`]: newtypes, each checked once, in its constructor.
//! - [`op`], [`tx`], [`block`], [`header`]: what is signed, hashed and mined.
//! - [`merkle`], [`history`], [`proof`]: the three commitments of a header, and verification against them.
//! - [`pow`], [`asert`], [`params`]: work, difficulty, networks.
//! - [`check`]: context-free rules, one function each.
//! - [`header_tree`]: fork choice as pure data.
//!
//! What is absent: who owns which name. That is `dotp2p-registry`; a block it refuses comes back as
//! [`header_tree::HeaderTree::reject`].

pub mod amount;
pub mod asert;
pub mod batch;
pub mod block;
pub mod check;
pub mod codec;
pub mod entry;
pub mod hash;
pub mod header;
pub mod header_tree;
pub mod height;
pub mod history;
pub mod key;
pub mod merkle;
pub mod name;
pub mod op;
pub mod params;
pub mod pow;
pub mod proof;
pub mod records;
pub mod tx;
