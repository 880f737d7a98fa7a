//! The rules a second time, from `docs/spec` alone: plain maps, whole copies instead of undo, nothing remembered that can
//! be computed again, a scan where a node has an index.
//!
//! - [`State`]: the five kinds of entry (S1) and their root (S8), made from bytes written here.
//! - [`Chain`]: one copy of the state a block (S9); a reorganisation drops copies.
//! - [`Block`]: the block that is being made, transaction by transaction (T7 to T14).
//! - [`Bend`]: a rule altered on purpose, to see that the comparison notices.
//!
//! What is absent: anything of the product but the types of what is signed ([`Body`](dotp2p_chain::tx::Body) and its
//! ops) and the fields of [`Rules`](dotp2p_chain::params::Rules). A test reads these files and holds them to that.

mod bend;
mod bytes;
mod chain;
mod genesis;
mod label;
mod money;
mod names;
mod records;
mod rules;
mod state;

pub use bend::Bend;
pub use bytes::compact;
pub use chain::{Block, Chain};
pub use genesis::chain_id;
pub use names::{Effect, Stage};
pub use rules::allowed as rules_allowed;
pub use state::{Account, Commitment, Key, Name, Offer, State};

/// The number and letter of a rule, such as `N12d`.
pub type Rule = &'static str;

/// Every rule that refuses an op, in the order of N16: which of them is named is not consensus, so the product may name
/// any of these, and no other.
pub type Refused = Vec<Rule>;

/// A transaction that is refused: the place of the op that is to blame, where one is, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedTransaction {
    /// From 0; none where T7c to T7f or T7h refuses.
    pub op: Option<usize>,
    /// Why.
    pub rules: Refused,
}

/// The hash of records' bytes (R9).
pub fn records_hash(bytes: &[u8]) -> [u8; 32] {
    bytes::tagged("records", bytes)
}
