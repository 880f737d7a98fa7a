//! A registration under way: Commit, wait, Claim, first records, further years.
//!
//! A [`Registration`] is a machine without I/O, clock or randomness. At each new tip its owner asks [`Registration::next`]
//! what to do; the answer depends on the [`Chain`] as it is, so that a restart, a lost file, a dropped transaction and a
//! reorganisation all lead back to the right step. What the file adds to the chain is what was asked for, which
//! transactions were sent, and what was spent.
//!
//! ```text
//!            ┌──────────────── attempt + 1: the commitment grew too old ───────────────┐
//!            ▼                                                                         │
//! coins ─► Commit sent ─► mined, c ─► at c + least age: Claim + Update + Renew sent ─► mined: done
//!            ▲  ▲ expired │              │ higher fee each two blocks
//!            │  └─────────┘              ▼
//!            └── a reorganisation took the commitment away
//! ```
//!
//! Why no name is paid for twice: all Commits of an attempt have one hash, and a Commit of a live hash burns nothing; a
//! Commit expires before its hash can be claimed; a Claim needs the name to be free; and what is missing after a
//! Claim is read from the name's entry.

mod action;
mod machine;
mod send;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::{Account, CommitmentEntry, NameEntry, Stage};
use dotp2p_chain::hash::{ChainId, CommitmentHash, Txid};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{Claim, NameBytes};
use dotp2p_chain::params::Rules;
use dotp2p_chain::records::{self, Limits, Records, RecordsError};
use serde::{Deserialize, Serialize};

use crate::build::FeeRate;
use crate::keys::Keys;
use crate::text;

pub use action::{Action, Failure, Step, Waiting};

/// The last attempt: after so many commitments that died, something else is wrong.
pub const ATTEMPT_MAX: u32 = 20;
/// Blocks after its claim in which a registration still answers a reorganisation.
pub const SETTLED_BLOCKS: u32 = 100;

/// What a registration must see: one tip, and the pool over it.
pub trait Chain {
    /// Height of the tip.
    fn tip(&self) -> Height;
    /// The network's rules.
    fn rules(&self) -> &Rules;
    /// The chain's id.
    fn chain_id(&self) -> ChainId;
    /// The price level that the next block reads, in millionths.
    fn level(&self) -> u64;
    /// The account at the tip.
    fn account(&self, key: &PublicKey) -> Option<Account>;
    /// The account as its own transactions in the pool will leave it: the next nonce, and what is left to spend.
    fn pooled_account(&self, key: &PublicKey) -> Option<Account>;
    /// The entry of a name and its stage at tip + 1.
    fn name(&self, name: &Name) -> Option<(NameEntry, Stage)>;
    /// A commitment at the tip.
    fn commitment(&self, hash: &CommitmentHash) -> Option<CommitmentEntry>;
    /// Whether a transaction is in the pool.
    fn pending(&self, txid: &Txid) -> bool;
    /// Whether a transaction is in a block of the active chain.
    fn mined(&self, txid: &Txid) -> bool;
    /// What gets a transaction into the next blocks.
    fn fee_rate(&self) -> FeeRate;
    /// What gets it into the very next block: the pool's top band.
    fn top_fee_rate(&self) -> FeeRate;
    /// What an effective Commit burns at a price level (N7).
    fn commit_burn(&self, level: u64) -> Amount;
    /// What a Claim in the next block burns, its commitment made at a price level, premium included (N8).
    fn claim_burn(&self, name: &Name, level: u64) -> Amount;
    /// What an Update with so many bytes of records burns (N9).
    fn update_burn(&self, records_len: usize) -> Amount;
    /// What an effective Renew burns (N10).
    fn renew_burn(&self, name: &Name, years: u8) -> Amount;
}

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name.
    pub name: Name,
    /// Who will own it. `None`: the key a live commitment was made for, else the wallet's first.
    pub owner: Option<PublicKey>,
    /// The first records, canonical ([`Records::encode`]); [`records::EMPTY`] for none.
    pub records: Vec<u8>,
    /// How long, from the claim.
    pub years: u8,
    /// The most to spend on it, fees included; `None` for whatever it costs.
    pub limit: Option<Amount>,
}

/// Why a registration cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Too many or too few.
    #[error("a name is registered for 1 to {max} years, not {years} (N10)")]
    Years {
        /// As asked.
        years: u8,
        /// The network's limit.
        max: u32,
    },
    /// Refused by consensus.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// Only the owner can sign the first records.
    #[error("the owner is not in this wallet, so its first records cannot be signed: register without records")]
    ForeignOwner,
    /// Nothing to do.
    #[error("name {0} is yours already: update, renew or transfer it")]
    Yours(Name),
    /// Yours, but expired.
    #[error("name {0} is yours and has expired: renew it")]
    YoursInGrace(Name),
    /// Somebody else's.
    #[error("name {name} is taken until height {expires} at least")]
    Taken {
        /// The name.
        name: Name,
        /// When it expires if nobody renews it.
        expires: Height,
    },
}

/// A transaction that was sent, in all its versions: of rising fee and one nonce; any of them may be mined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    attempt: u32,
    #[serde(with = "text::key")]
    payer: PublicKey,
    nonce: u64,
    #[serde(with = "text::atoms")]
    burn: Amount,
    /// The tip when the last version was sent.
    #[serde(with = "text::height")]
    at: Height,
    #[serde(with = "text::height")]
    expiry: Height,
    /// The highest fee tried, even if the pool refused it.
    #[serde(with = "text::atoms")]
    tried: Amount,
    /// Oldest first, none of them refused.
    versions: Vec<Version>,
}

/// One version of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    #[serde(with = "text::display")]
    txid: Txid,
    #[serde(with = "text::atoms")]
    fee: Amount,
    #[serde(with = "text::bytes")]
    bytes: Vec<u8>,
}

/// A commitment that was seen in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Committed {
    attempt: u32,
    #[serde(with = "text::height")]
    height: Height,
    #[serde(with = "text::atoms")]
    burn: Amount,
    /// Ours, unless somebody else (or a wallet of the same seed) committed.
    sent: Option<Sent>,
}

/// A claim that was seen in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claimed {
    #[serde(with = "text::height")]
    since: Height,
    #[serde(with = "text::height")]
    expires: Height,
    /// Fees and burns of ours that brought it about.
    #[serde(with = "text::atoms")]
    spent: Amount,
    /// Whether it had records and years as asked for.
    complete: bool,
    /// Our transaction that made it so, if it was ours; a reorganisation may take it away.
    by: Option<TxidText>,
}

/// A [`Txid`] as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct TxidText(#[serde(with = "text::display")] Txid);

/// A registration under way; see the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    #[serde(with = "text::display")]
    name: Name,
    #[serde(with = "text::key")]
    owner: PublicKey,
    #[serde(with = "text::bytes")]
    records: Vec<u8>,
    years: u8,
    #[serde(with = "text::atoms_option")]
    limit: Option<Amount>,
    attempt: u32,
    step: Step,
    commit: Option<Sent>,
    claim: Option<Sent>,
    finish: Option<Sent>,
    committed: Vec<Committed>,
    claimed: Option<Claimed>,
    #[serde(with = "text::display_list")]
    txids: Vec<Txid>,
    /// Commits of this attempt that expired unmined: each doubles the next one's fee.
    expired: u32,
    refusals: u32,
    refused_at: Option<u32>,
    error: Option<String>,
    settled: bool,
}

impl Registration {
    /// Begins: checks the request, and takes up a commitment this seed has made before.
    pub fn begin(request: Request, chain: &impl Chain, keys: &Keys) -> Result<Self, RequestError> {
        let Request { name, owner, records, years, limit } = request;
        let rules = chain.rules();
        let max = rules.years_ahead.min(10);
        if !(1..=max).contains(&u32::from(years)) {
            return Err(RequestError::Years { years, max });
        }
        let limits = Limits {
            name_len: name.as_bytes().len(),
            tld_len: rules.tld.len(),
            max: usize::try_from(rules.records_max).unwrap_or(usize::MAX),
        };
        let is_empty = Records::decode(&records, limits)?.is_empty();
        if !is_empty && owner.is_some_and(|owner| !keys.contains(&owner)) {
            return Err(RequestError::ForeignOwner);
        }
        match chain.name(&name) {
            Some((entry, stage @ (Stage::Active | Stage::Grace))) => {
                let ours = owner.map_or_else(|| keys.contains(&entry.owner), |owner| entry.owner == owner);
                return Err(match (ours, stage) {
                    (true, Stage::Active) => RequestError::Yours(name),
                    (true, _) => RequestError::YoursInGrace(name),
                    (false, _) => RequestError::Taken { name, expires: entry.expires },
                });
            }
            Some((_, Stage::Released | Stage::Free)) | None => {}
        }
        let found = match owner {
            Some(owner) => oldest_live(chain, keys, &name, &owner).map(|(attempt, _)| (owner, attempt)),
            None => keys.all().iter().find_map(|owner| Some((*owner, oldest_live(chain, keys, &name, owner)?.0))),
        };
        let (owner, attempt) = found.unwrap_or((owner.unwrap_or_else(|| keys.first()), 0));
        Ok(Self {
            name,
            owner,
            records: if is_empty { records::EMPTY.to_vec() } else { records },
            years,
            limit,
            attempt,
            step: Step::Funds,
            commit: None,
            claim: None,
            finish: None,
            committed: Vec::new(),
            claimed: None,
            txids: Vec::new(),
            expired: 0,
            refusals: 0,
            refused_at: None,
            error: None,
            settled: false,
        })
    }
}

impl Registration {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Who will own it.
    #[must_use]
    pub fn owner(&self) -> PublicKey {
        self.owner
    }

    /// The first records, canonical.
    #[must_use]
    pub fn records(&self) -> &[u8] {
        &self.records
    }

    /// How long.
    #[must_use]
    pub fn years(&self) -> u8 {
        self.years
    }

    /// The most to spend.
    #[must_use]
    pub fn limit(&self) -> Option<Amount> {
        self.limit
    }

    /// The number of the commitment it stands by, from 0.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Where it stood when it was last asked.
    #[must_use]
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// All that was sent, oldest first, every version.
    #[must_use]
    pub fn txids(&self) -> &[Txid] {
        &self.txids
    }

    /// The last refusal, if nothing went forward since.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Whether nothing can change any more: it failed, or is done and deep in the chain.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.settled || matches!(self.step, Step::Failed(_))
    }
}

/// The Claim of an attempt.
fn claim_op(chain: &impl Chain, keys: &Keys, name: &Name, owner: &PublicKey, attempt: u32) -> Claim {
    let salt = keys.salt(&chain.chain_id(), name, attempt);
    Claim { name: NameBytes::from(name), owner: *owner, salt }
}

/// The commitment of an attempt, if the next block would still take its Claim, now or when it is older.
fn live(chain: &impl Chain, keys: &Keys, name: &Name, owner: &PublicKey, attempt: u32) -> Option<CommitmentEntry> {
    let hash = claim_op(chain, keys, name, owner, attempt).commitment(&chain.chain_id());
    let last = |entry: &CommitmentEntry| u64::from(entry.height.0) + u64::from(chain.rules().age_max);
    chain.commitment(&hash).filter(|entry| u64::from(chain.tip().next().0) <= last(entry))
}

/// The live commitment that can be claimed first, among all attempts.
fn oldest_live(chain: &impl Chain, keys: &Keys, name: &Name, owner: &PublicKey) -> Option<(u32, CommitmentEntry)> {
    (0..=ATTEMPT_MAX)
        .filter_map(|attempt| Some((attempt, live(chain, keys, name, owner, attempt)?)))
        .min_by_key(|(_, entry)| entry.height)
}
