//! What the methods need from the node. The binary implements [`Node`], tests fake it.
//!
//! This crate parses, asks and shapes. Which key pays, who must sign, what fee is offered and what a registration does
//! next is decided behind this trait, in one place.

use std::future::Future;
use std::sync::Arc;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::{BlockHash, Txid};
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::Op;
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::mempool::PoolError;
use dotp2p_registry::query::Reader;
use dotp2p_registry::rules::RuleError;
use dotp2p_wallet::BuildError;
use dotp2p_wallet::registration::{Request, RequestError, Step, Waiting};

mod peers;

pub use peers::{AddNode, BanStatus, BanTerm, NetworkStatus, PeerError, PeerStatus};

/// A running node, as the methods see it.
pub trait Node: Send + Sync + 'static {
    /// The newest view; taken once a call, so that everything a call answers belongs to one block.
    fn reader(&self) -> Result<Arc<Reader>, NotReady>;

    /// Checks the signatures, offers the transaction to the pool and has it relayed.
    fn submit(&self, transaction: Transaction) -> impl Future<Output = Result<Txid, SubmitError>> + Send;

    /// Makes `blocks` blocks that reward `to`, and returns when the last one is the tip.
    fn generate(
        &self,
        blocks: u32,
        to: PublicKey,
    ) -> impl Future<Output = Result<Vec<BlockHash>, GenerateError>> + Send;

    /// Checks an encoded block, imports it and returns after the durable write.
    fn submit_block(&self, encoded: Vec<u8>) -> impl Future<Output = Result<BlockTaken, SubmitBlockError>> + Send;

    /// What the miner is doing.
    fn mining(&self) -> MiningStatus;

    /// The keys of the wallet that were handed out or have been used, in order of their numbers; the first one pays.
    fn wallet_keys(&self) -> Result<Vec<PublicKey>, WalletError>;

    /// A key that was not handed out before; stored before it is returned.
    fn new_key(&self) -> impl Future<Output = Result<PublicKey, WalletError>> + Send;

    /// Makes one transaction of `ops`, pays and signs it with the wallet's keys, and submits it.
    ///
    /// The node adds the signers that each op needs (owner or manager, recovery key) and the fee.
    fn send(&self, ops: Vec<Op>) -> impl Future<Output = Result<Txid, WalletError>> + Send;

    /// Takes up a registration, which the node then carries through by itself, over restarts too. A registration of
    /// the same name that is under way is answered as it stands.
    fn register(&self, request: Request) -> impl Future<Output = Result<RegistrationStatus, WalletError>> + Send;

    /// The registrations under way and those that ended lately, by name.
    fn registrations(&self) -> Result<Vec<RegistrationStatus>, WalletError>;

    /// The peers that are connected.
    fn peers(&self) -> impl Future<Output = Result<Vec<PeerStatus>, Unavailable>> + Send;

    /// What the peer network looks like from here.
    fn network(&self) -> impl Future<Output = Result<NetworkStatus, Unavailable>> + Send;

    /// Stays connected to a peer, no longer does, or tries once; `text`: a multiaddr, or host and port.
    fn add_node(&self, text: String, what: AddNode) -> impl Future<Output = Result<(), PeerError>> + Send;

    /// Parts from a peer, by its id or address.
    fn disconnect_node(&self, text: String) -> impl Future<Output = Result<(), PeerError>> + Send;

    /// Bans an address, a subnet or a peer id.
    fn set_ban(&self, subject: String, term: BanTerm) -> impl Future<Output = Result<(), PeerError>> + Send;

    /// Lifts a ban.
    fn lift_ban(&self, subject: String) -> impl Future<Output = Result<(), PeerError>> + Send;

    /// The bans that hold.
    fn banned(&self) -> impl Future<Output = Result<Vec<BanStatus>, Unavailable>> + Send;

    /// Seconds by which the clock is behind the chain, where that is more than a block may be ahead (B12).
    fn clock_behind_s(&self) -> Option<u64>;

    /// Asks the node to stop; returns at once.
    fn stop(&self);

    /// Seconds since the node was started.
    fn uptime_s(&self) -> u64;
}

/// The node is not far enough to answer from a chain; the text says how far it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotReady(pub String);

/// Why a transaction is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The pool refuses it.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// A signature is not its key's.
    #[error("the signature of key {} is not good (T6)", dotp2p_chain::hash::to_hex(&.0.0))]
    Signature(PublicKey),
    /// The node cannot take it now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why no block was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// Blocks of this network take work.
    #[error("blocks are made on demand on regtest only; mine with `dotp2p node --mine`")]
    NotOnDemand,
    /// A block of our own making was refused.
    #[error("block {at} of those asked for was refused: {reason}")]
    Refused {
        /// Which one, from 1.
        at: u32,
        /// Why.
        reason: String,
    },
    /// The node cannot do it now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What became of a block that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockTaken {
    /// It is on the active chain.
    Active,
    /// It is kept on a branch of less work.
    Side,
    /// It was here before.
    Known,
}

/// Why a block is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitBlockError {
    /// Not a block.
    #[error("{0}")]
    Decode(String),
    /// A rule refuses it; the text names the rule.
    #[error("{0}")]
    Refused(String),
    /// The node cannot take it now.
    #[error("{0}")]
    Unavailable(String),
}

/// The node cannot do something now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// It is stopping.
    #[error("the node is stopping")]
    Stopping,
    /// It has not started yet.
    #[error(transparent)]
    NotReady(#[from] NotReady),
}

/// Why the wallet does not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// There is none.
    #[error("this node has no wallet; make one with `dotp2p wallet create`")]
    NoWallet,
    /// No transaction can be made of it: coins or keys are missing.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A rule forbids it at the tip, which was seen before anything was signed.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A transaction was made and not taken.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A registration cannot begin.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A file of the wallet cannot be read or written; the text names it.
    #[error("{0}")]
    File(String),
    /// The node cannot do it now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What the miner is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MiningStatus {
    /// Whether it looks for blocks, or would if there were need.
    pub mining: bool,
    /// On so many threads.
    pub threads: u32,
    /// Of all threads together, lately.
    pub hashes_per_second: u64,
    /// Whom its blocks reward.
    pub pays_to: Option<PublicKey>,
}

/// Where a registration stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationStatus {
    /// The name.
    pub name: Name,
    /// Who will own it.
    pub owner: PublicKey,
    /// The first records, canonical.
    pub records: Vec<u8>,
    /// How long, from the claim.
    pub years: u8,
    /// The most to spend on it; `None` for whatever it costs.
    pub limit: Option<Amount>,
    /// How far it is.
    pub step: Step,
    /// What it waits for, while it does.
    pub waiting: Option<Waiting>,
    /// Blocks until the name can be ours, if that can be told.
    pub blocks_left: Option<u32>,
    /// Fees and burns so far.
    pub spent: Amount,
    /// Its transactions, the oldest first.
    pub txids: Vec<Txid>,
    /// The last refusal, if there was one.
    pub error: Option<String>,
}
