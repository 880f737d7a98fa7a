//! What a reorganisation undid: transactions that were in a block and can be in none any more, and who won.

use std::sync::Arc;

use dotp2p_chain::hash::Txid;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::tx::Transaction;
use imbl::Vector;
use parity_scale_codec::{Decode, Encode};

use crate::state::State;

/// Conflicts that are kept; the oldest goes.
pub const CONFLICTS_MAX: usize = 1_000;

/// The newest last.
pub type Conflicts = Vector<Arc<Conflict>>;

/// A transaction that was in a block of the branch that was left, and is not valid on the one that won.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Conflict {
    /// The tip that won, as it was when this was found.
    pub tip: Height,
    /// The transaction.
    pub txid: Txid,
    /// Who paid for it.
    pub payer: PublicKey,
    /// Why it is in no block: the rule that keeps it out, or that the pool has no room for it.
    pub reason: String,
    /// What it did to names.
    pub names: Vec<ConflictName>,
}

/// An op that was undone, and who holds the name now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ConflictName {
    /// `claim`, `update`, ….
    pub op: String,
    /// The label.
    pub name: String,
    /// Who holds it on the branch that won; `None` if nobody does.
    pub owner: Option<PublicKey>,
}

impl Conflict {
    /// The conflict of `transaction`, which `reason` keeps out, with the state at `tip`.
    #[must_use]
    pub fn new(transaction: &Transaction, txid: Txid, reason: String, state: &State, tip: Height) -> Self {
        let named = |op: &dotp2p_chain::op::Op| {
            let name: Name = op.name()?.to_name().ok()?;
            let owner = state.name(&name).map(|row| row.entry.owner);
            let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
            Some(ConflictName { op: op.kind().to_owned(), name, owner })
        };
        let names = transaction.body().ops.iter().filter_map(named).collect();
        Self { tip, txid, payer: transaction.body().payer, reason, names }
    }
}
