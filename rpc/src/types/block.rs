//! Shapes about blocks and transactions.

use serde::{Deserialize, Serialize};

use super::Coins;

/// `getblockheader`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeaderInfo {
    /// Its hash.
    pub hash: String,
    /// Blocks from it to the tip, both included; -1 off the active chain.
    pub confirmations: i64,
    /// Its height.
    pub height: u32,
    /// 1.
    pub version: u32,
    /// Of the coinbase and the transactions.
    pub tx_root: String,
    /// Of the state after it.
    pub state_root: String,
    /// Of all headers before it.
    pub history_root: String,
    /// Unix seconds, as the miner says.
    pub time: u64,
    /// Median time of it and the ten blocks before; on the active chain alone.
    pub mediantime: Option<u64>,
    /// As the miner found it.
    pub nonce: u64,
    /// The target in compact form.
    pub bits: String,
    /// The target.
    pub target: String,
    /// How much harder it is than the network's easiest.
    pub difficulty: f64,
    /// The parent; `null` for genesis.
    pub previousblockhash: Option<String>,
    /// The active block on top of it.
    pub nextblockhash: Option<String>,
}

/// `getblock`: `T` is a txid or a [`TransactionInfo`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockInfo<T> {
    /// The header's fields stand among the block's, as in bitcoind.
    #[serde(flatten)]
    pub header: HeaderInfo,
    /// Bytes of the whole block.
    pub size: u32,
    /// Whom it rewards.
    pub coinbase: CoinbaseInfo,
    /// Subsidy and fees.
    pub reward: Coins,
    /// How many transactions it has.
    #[serde(rename = "nTx")]
    pub n_tx: u32,
    /// The transactions, in order.
    pub tx: Vec<T>,
}

/// Whom a block rewards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoinbaseInfo {
    /// The address.
    pub to: String,
    /// The miner's own bytes, in hexadecimal.
    pub extra: String,
}

/// `getrawtransaction` with `verbose`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionInfo {
    /// Its id.
    pub txid: String,
    /// Its id with signatures.
    pub wtxid: String,
    /// Its bytes.
    pub size: u32,
    /// Who pays.
    pub payer: String,
    /// The payer's transactions before it.
    pub nonce: u64,
    /// To the miner.
    pub fee: Coins,
    /// The last height at which it is valid; `null` for ever.
    pub expiry: Option<u32>,
    /// Who signs besides the payer.
    pub signers: Vec<String>,
    /// What it does, in order.
    pub ops: Vec<OpInfo>,
    /// Blocks since it was mined, that block included; 0 in the pool.
    pub confirmations: u32,
    /// Its block.
    pub blockhash: Option<String>,
    /// Its block's height.
    pub height: Option<u32>,
    /// Its block's time.
    pub blocktime: Option<u64>,
    /// Its bytes, in hexadecimal.
    pub hex: String,
}

/// An op; the fields it does not have are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpInfo {
    /// `pay`, `commit`, `claim`, `update`, `renew`, `setkeys`, `transfer`, `offer`, `buy` or `recover`.
    pub op: String,
    /// The name, bytes that are none as `\DDD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who is paid, or the new owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Coins>,
    /// The commitment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The owner that a claim names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The salt of a claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The records' bytes, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<String>,
    /// Years paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub years: Option<u8>,
    /// The new manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// The new recovery key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
    /// What is asked or paid for a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Coins>,
    /// The only address that may buy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buyer: Option<String>,
}
