//! Shapes about the pool, branches, and what reorganisations undid.

use serde::{Deserialize, Serialize};

use super::Coins;

/// `getmempoolinfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MempoolInfo {
    /// Transactions.
    pub size: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that it may have; beyond, the lowest fee rates go.
    pub maxmempool: u64,
    /// The least fee of a thousand bytes.
    pub mempoolminfee: Coins,
    /// By how much a replacement's fee must exceed that of the transaction it replaces, for a thousand bytes.
    pub incrementalrelayfee: Coins,
    /// All fees.
    pub total_fee: Coins,
    /// Names whose newer records are served already (L5).
    pub provisional: u64,
}

/// One of `testmempoolaccept`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolVerdict {
    /// Its id.
    pub txid: String,
    /// Its id with signatures.
    pub wtxid: String,
    /// Whether it would be taken.
    pub allowed: bool,
    /// Its bytes.
    pub size: u32,
    /// Its fee.
    pub fee: Coins,
    /// Why not; `null` where it is allowed.
    #[serde(rename = "reject-reason")]
    pub reject_reason: Option<String>,
}

/// One of `getchaintips`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainTip {
    /// Of its last block.
    pub height: u32,
    /// Of its last block.
    pub hash: String,
    /// Blocks that are not on the active chain.
    pub branchlen: u32,
    /// `active`, `valid-fork` (all blocks are here), or `headers-only`.
    pub status: String,
}

/// One of `name_pending`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingName {
    /// The canonical label.
    pub name: String,
    /// `claim`, `update`, `renew`, ….
    pub op: String,
    /// The transaction.
    pub txid: String,
    /// Who pays for it.
    pub payer: String,
    /// Whether DNS answers with it already (L5).
    pub provisional: bool,
}

/// One of `name_conflicts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictInfo {
    /// The transaction that was undone.
    pub txid: String,
    /// Who paid for it.
    pub payer: String,
    /// The tip after the reorganisation.
    pub height: u32,
    /// Why no block can hold it any more.
    pub reason: String,
    /// What it did to names, and who holds them now.
    pub names: Vec<ConflictNameInfo>,
}

/// An op that was undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictNameInfo {
    /// The canonical label.
    pub name: String,
    /// `claim`, `update`, ….
    pub op: String,
    /// Who holds the name on the branch that won; `null` if nobody does.
    pub owner: Option<String>,
}
