//! Who owns what: the ten operations, the state they act on, and where it is kept.
//!
//! - [`rules`]: one op applied to a [`view`]; [`price`]: what it costs.
//! - [`ledger`]: a block applied to a [`state`], whose [`state_tree`] gives the root and proofs.
//! - [`store`]: the database and the block files, one atomic write a block.
//! - [`mempool`]: candidates over a view.
//! - [`query`]: [`query::Reader`], an immutable view of one tip; all that RPC and DNS may see.
//! - [`zonefile`], [`name_policy`]: what people type, and how records look to them.
//!
//! What is absent: a clock, randomness and, the store excepted, I/O. They are arguments.

pub mod conflict;
pub mod ledger;
pub mod mempool;
pub mod name_policy;
pub mod price;
pub mod query;
pub mod row;
pub mod rules;
pub mod state;
pub mod state_tree;
pub mod store;
pub mod view;
pub mod zonefile;
