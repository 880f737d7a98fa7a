//! The JSON shapes: what methods answer and what the command line reads.
//!
//! Amounts are [`Coins`]: a JSON number whose digits are the exact decimal text. Nothing here goes through a float on the
//! way out; a reader that has only floats still gets every amount below 67 million coins right.
//!
//! What is absent: enums that serde must look ahead for, and `flatten` of a shape with amounts. They would buffer a
//! number as a float.

use dotp2p_chain::amount::Amount;
use serde::{Deserialize, Serialize};

mod block;
mod coins;
mod name;
mod peer;
mod pool;

pub use block::{BlockInfo, CoinbaseInfo, HeaderInfo, OpInfo, TransactionInfo};
pub use coins::{AmountText, Coins};
pub use dotp2p_registry::zonefile::JsonRecord;
pub use name::{
    HistoryItem, NameInfo, NamePrice, NameProof, NameSummary, OfferInfo, PriceKind, RegistrationInfo, Sent, WaitingInfo,
};
pub use peer::{BanInfo, NetworkInfo, PeerInfo};
pub use pool::{ChainTip, ConflictInfo, ConflictNameInfo, MempoolInfo, PendingName, PoolVerdict};

/// `getinfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Of this program.
    pub version: String,
    /// The network's name.
    pub network: String,
    /// The genesis hash.
    pub chain_id: String,
    /// The top-level domain, without dots.
    pub tld: String,
    /// Height of the tip.
    pub blocks: u32,
    /// Height of the best header known.
    pub headers: u32,
    /// Hash of the tip.
    pub bestblockhash: String,
    /// Names that have an entry.
    pub names: u64,
    /// Transactions in the pool.
    pub pool: u64,
    /// Serial of the served zone.
    pub serial: u32,
    /// Seconds since the start.
    pub uptime: u64,
    /// Whether blocks are being made.
    pub mining: bool,
    /// The wallet's first address; `null` without a wallet.
    pub address: Option<String>,
    /// What the wallet can spend; `null` without a wallet.
    pub balance: Option<Coins>,
}

/// `getblockchaininfo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockchainInfo {
    /// The network's name.
    pub chain: String,
    /// The genesis hash.
    pub chain_id: String,
    /// The top-level domain, without dots.
    pub tld: String,
    /// Height of the tip.
    pub blocks: u32,
    /// Height of the best header known.
    pub headers: u32,
    /// Hash of the tip.
    pub bestblockhash: String,
    /// The tip's target in compact form.
    pub bits: String,
    /// The tip's target.
    pub target: String,
    /// How much harder it is than the network's easiest.
    pub difficulty: f64,
    /// The tip's time, in Unix seconds.
    pub time: u64,
    /// Median time of the last eleven blocks.
    pub mediantime: u64,
    /// Blocks of the headers known, from 0 to 1.
    pub verificationprogress: f64,
    /// Expected hashes of the whole chain.
    pub chainwork: String,
    /// Height of the block that decides who is served.
    pub settled: u32,
    /// Names that have an entry.
    pub names: u64,
    /// The price level.
    pub level: f64,
    /// Coins that came into being.
    pub issued: Coins,
    /// Coins that are no more.
    pub burned: Coins,
    /// What whoever runs the node should know: a deep reorganisation, blocks that are missing.
    pub warnings: Vec<String>,
}

/// `getmininginfo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MiningInfo {
    /// The network's name.
    pub chain: String,
    /// Height of the tip.
    pub blocks: u32,
    /// The tip's target in compact form.
    pub bits: String,
    /// How much harder it is than the network's easiest.
    pub difficulty: f64,
    /// Of the whole network, by the last 120 blocks.
    pub networkhashps: f64,
    /// Transactions in the pool.
    pub pooledtx: u64,
    /// What the next block issues.
    pub subsidy: Coins,
    /// Whether this node looks for blocks.
    pub mining: bool,
    /// On so many threads.
    pub threads: u32,
    /// Of this node.
    pub hashespersec: u64,
    /// Whom its blocks reward.
    pub address: Option<String>,
}

impl From<Amount> for Coins {
    fn from(amount: Amount) -> Self {
        Self(amount)
    }
}
