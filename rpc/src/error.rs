//! Why a call fails: a number that programs test, a text for people, and the rule that was broken.
//!
//! The numbers are bitcoind's where it has one for the case. `data` names the rule of `docs/spec` where there is one, and
//! for a wrong parameter also the parameter and its value.

use dotp2p_chain::hash::{BlockHash, Txid};
use dotp2p_chain::proof::ProofError;
use dotp2p_registry::mempool::PoolError;
use dotp2p_registry::query::QueryError;
use dotp2p_registry::rules::RuleError;
use dotp2p_wallet::{BuildError, RequestError};
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned};
use serde::Serialize;

use crate::node::{GenerateError, NotReady, PeerError, SubmitBlockError, SubmitError, Unavailable, WalletError};

/// The numbers.
pub mod code {
    /// A method that does not exist (JSON-RPC's own).
    pub const METHOD_NOT_FOUND: i32 = -32_601;
    /// A parameter of the wrong type, missing, or unknown (JSON-RPC's own).
    pub const INVALID_PARAMS: i32 = -32_602;
    /// Something that no other number says.
    pub const MISC: i32 = -1;
    /// The wallet refuses.
    pub const WALLET: i32 = -4;
    /// No such address, name, block or transaction.
    pub const NOT_FOUND: i32 = -5;
    /// Not enough coins.
    pub const FUNDS: i32 = -6;
    /// A value of the right type that is wrong.
    pub const WRONG_VALUE: i32 = -8;
    /// There is no wallet.
    pub const NO_WALLET: i32 = -18;
    /// Block files or database fail.
    pub const DATABASE: i32 = -20;
    /// Bytes that do not decode.
    pub const DECODE: i32 = -22;
    /// A transaction that another one must come before.
    pub const VERIFY: i32 = -25;
    /// A transaction that a rule or the pool refuses.
    pub const REJECTED: i32 = -26;
    /// A peer or ban that is not on the list.
    pub const NOT_LISTED: i32 = -24;
    /// An address or subnet that is none.
    pub const INVALID_NET: i32 = -30;
    /// The node is starting, or stopping.
    pub const WARMING_UP: i32 = -28;
}

/// What a method answers.
pub type RpcResult<T> = Result<T, RpcError>;

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// A value of the right type that is wrong.
    #[error("{}", about(parameter, value, rule))]
    WrongValue {
        /// Which parameter.
        parameter: &'static str,
        /// As given, as JSON.
        value: String,
        /// What it must be.
        rule: String,
    },
    /// Not an address of this network.
    #[error("{}", about(parameter, value, rule))]
    Address {
        /// Which parameter.
        parameter: &'static str,
        /// As given, as JSON.
        value: String,
        /// Why not.
        rule: String,
    },
    /// A long value that is wrong, and not repeated.
    #[error("{parameter}: {problem}")]
    Content {
        /// Which parameter.
        parameter: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Bytes that do not decode.
    #[error("{parameter}: {problem}")]
    Decode {
        /// Which parameter.
        parameter: &'static str,
        /// Why not.
        problem: String,
    },
    /// No such block.
    #[error("block {0} is not known")]
    Block(BlockHash),
    /// No such transaction.
    #[error("transaction {0} is neither in the pool nor in a block")]
    Transaction(Txid),
    /// No such method, asked of `help`.
    #[error("there is no method {0:?}; `help` lists them")]
    Method(String),
    /// An answer that is no JSON; cannot happen with the shapes there are.
    #[error("the answer cannot be written: {0}")]
    Answer(#[from] serde_json::Error),
    /// A proof of our own that does not hold.
    #[error("{0}; start once with --reindex")]
    Proof(ProofError),
    /// The chain's past cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The wallet refuses.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// A transaction is not taken.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// No block was made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A block is not taken.
    #[error(transparent)]
    SubmitBlock(#[from] SubmitBlockError),
    /// Something about peers is not done.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The node cannot do it now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The node cannot answer yet.
    #[error(transparent)]
    NotReady(#[from] NotReady),
}

/// What `data` says.
#[derive(Debug, Serialize)]
struct Data {
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<serde_json::value::RawValue>>,
    rule: String,
}

impl RpcError {
    /// A wrong value, shown as JSON.
    pub(crate) fn wrong(parameter: &'static str, value: impl Serialize, rule: impl ToString) -> Self {
        Self::WrongValue { parameter, value: json(value), rule: rule.to_string() }
    }

    /// A text that is no address.
    pub(crate) fn address(parameter: &'static str, value: &str, rule: impl ToString) -> Self {
        Self::Address { parameter, value: json(value), rule: rule.to_string() }
    }

    /// The number that programs test.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::WrongValue { .. } | Self::Content { .. } => code::WRONG_VALUE,
            Self::Query(QueryError::Height { .. }) => code::WRONG_VALUE,
            Self::Address { .. } | Self::Block(_) | Self::Transaction(_) => code::NOT_FOUND,
            Self::Query(QueryError::UnknownBlock(_)) => code::NOT_FOUND,
            Self::Query(_) | Self::Proof(_) => code::DATABASE,
            Self::Decode { .. } => code::DECODE,
            Self::Method(_) => code::METHOD_NOT_FOUND,
            Self::Answer(_) | Self::Generate(GenerateError::NotOnDemand | GenerateError::Refused { .. }) => code::MISC,
            Self::Wallet(error) => wallet_code(error),
            Self::Submit(error) => submit_code(error),
            Self::SubmitBlock(SubmitBlockError::Decode(_)) => code::DECODE,
            Self::SubmitBlock(SubmitBlockError::Refused(_)) => code::REJECTED,
            Self::SubmitBlock(SubmitBlockError::Unavailable(_)) => code::WARMING_UP,
            Self::Peer(PeerError::Wrong(_)) => code::INVALID_NET,
            Self::Peer(PeerError::NotListed(_)) => code::NOT_LISTED,
            Self::Peer(PeerError::Unavailable(_)) | Self::Unavailable(_) => code::WARMING_UP,
            Self::NotReady(_) | Self::Generate(GenerateError::Unavailable(_)) => code::WARMING_UP,
        }
    }

    fn data(&self) -> Option<Data> {
        let text = self.to_string();
        match self {
            Self::WrongValue { parameter, value, rule } | Self::Address { parameter, value, rule } => {
                let value = serde_json::value::RawValue::from_string(value.clone()).ok();
                let rule = rule_number(rule).unwrap_or(rule).to_owned();
                Some(Data { parameter: Some(parameter), value, rule })
            }
            Self::Content { parameter, problem } | Self::Decode { parameter, problem } => {
                let rule = rule_number(problem).unwrap_or(problem).to_owned();
                Some(Data { parameter: Some(parameter), value: None, rule })
            }
            _ => rule_number(&text).map(|rule| Data { parameter: None, value: None, rule: rule.to_owned() }),
        }
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        ErrorObject::owned(error.code(), error.to_string(), error.data())
    }
}

/// Says the value, unless it is a text that the rule says already.
fn about(parameter: &str, value: &str, rule: &str) -> String {
    if value.starts_with('"') && rule.contains(value) {
        format!("{parameter}: {rule}")
    } else {
        format!("{parameter} {value}: {rule}")
    }
}

fn json(value: impl Serialize) -> String {
    serde_json::to_string(&value).unwrap_or_default()
}

fn wallet_code(error: &WalletError) -> i32 {
    match error {
        WalletError::NoWallet => code::NO_WALLET,
        WalletError::Build(BuildError::Balance { .. } | BuildError::NoAccount(_)) => code::FUNDS,
        WalletError::Build(BuildError::Years(_) | BuildError::ZeroAmount | BuildError::PaysItself) => code::WRONG_VALUE,
        WalletError::Request(RequestError::Years { .. } | RequestError::Records(_)) => code::WRONG_VALUE,
        WalletError::Build(_) | WalletError::Request(_) | WalletError::File(_) => code::WALLET,
        WalletError::Rule(error) => rule_code(error),
        WalletError::Submit(error) => submit_code(error),
        WalletError::Unavailable(Unavailable::NotReady(_) | Unavailable::Stopping) => code::WARMING_UP,
    }
}

fn submit_code(error: &SubmitError) -> i32 {
    match error {
        SubmitError::Pool(PoolError::Gap { .. }) => code::VERIFY,
        SubmitError::Pool(PoolError::Rule(error)) => rule_code(error),
        SubmitError::Pool(_) | SubmitError::Signature(_) => code::REJECTED,
        SubmitError::Unavailable(_) => code::WARMING_UP,
    }
}

fn rule_code(error: &RuleError) -> i32 {
    match error {
        RuleError::Fee { .. } | RuleError::Cost { .. } | RuleError::NoAccount => code::FUNDS,
        RuleError::Absent { .. } => code::NOT_FOUND,
        _ => code::REJECTED,
    }
}

/// The rule that an error's text names at its end: `N8f` of `name alice is taken (N8f)`.
fn rule_number(text: &str) -> Option<&str> {
    let (_, last) = text.strip_suffix(')')?.rsplit_once('(')?;
    let first = last.split(", ").next()?;
    let mut bytes = first.bytes();
    let letter = bytes.next().is_some_and(|byte| byte.is_ascii_uppercase());
    let digit = bytes.next().is_some_and(|byte| byte.is_ascii_digit());
    (letter && digit && first.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_numbers() {
        assert_eq!(rule_number("name alice is taken (N8f)"), Some("N8f"));
        assert_eq!(rule_number("name has 0 bytes, expected 1 to 63 (N1)"), Some("N1"));
        assert_eq!(rule_number("not enough (T7, T11)"), Some("T7, T11"));
        for text in ["no rule", "too (late)", "(UTS 46)", "ends (N8f) early", "()"] {
            assert_eq!(rule_number(text), None, "{text}");
        }
    }
}
