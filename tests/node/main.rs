//! Whole nodes, in this process, over real sockets and on real disks: one theme a module.
//!
//! `cargo test --test node expiry` runs one theme.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod expiry;
mod folder;
mod hostile;
mod peers;
mod provisional;
mod register;
mod reorganise;
mod restart;
mod settling;
