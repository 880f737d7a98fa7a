//! Shapes about names.

use dotp2p_registry::zonefile::JsonRecord;
use serde::{Deserialize, Serialize};

use super::Coins;

/// `name_show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameInfo {
    /// The canonical label.
    pub name: String,
    /// The label as people read it.
    pub unicode: String,
    /// `active`, `grace`, `released`, `pending` or `free`.
    pub state: String,
    /// Who holds it: an address; `null` where nobody does.
    pub owner: Option<String>,
    /// Who may change its records besides the owner.
    pub manager: Option<String>,
    /// Who may take it back.
    pub recovery: Option<String>,
    /// For sale, if it is.
    pub offer: Option<OfferInfo>,
    /// Its records, as the chain has them.
    pub records: Vec<JsonRecord>,
    /// The same as the text of a zone file.
    pub zone: String,
    /// The block that changed it last.
    pub height: Option<u32>,
    /// The transaction that changed it last.
    pub txid: Option<String>,
    /// Blocks since then, that block included.
    pub confirmations: u32,
    /// Height of the last change of owner.
    pub since: Option<u32>,
    /// The first height at which it is no longer active.
    pub expires_at: Option<u32>,
    /// Blocks until then; negative afterwards.
    pub expires_in: Option<i64>,
    /// Whether it is no longer active.
    pub expired: bool,
    /// Whether DNS answers with what the present owner says.
    pub served: bool,
    /// Whether newer records wait in the pool that DNS may answer with already (L5).
    pub provisional: bool,
}

/// A name for sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferInfo {
    /// What a buyer pays.
    pub price: Coins,
    /// The only address that may buy; `null` for anybody.
    pub buyer: Option<String>,
}

/// One of `name_list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameSummary {
    /// The canonical label.
    pub name: String,
    /// The label as people read it.
    pub unicode: String,
    /// `active`, `grace` or `released`.
    pub state: String,
    /// Who holds it.
    pub owner: String,
    /// The block that changed it last.
    pub height: u32,
    /// The first height at which it is no longer active.
    pub expires_at: u32,
    /// Blocks until then; negative afterwards.
    pub expires_in: i64,
    /// Whether it is no longer active.
    pub expired: bool,
    /// How many records it has.
    pub records: u32,
}

/// One of `name_history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryItem {
    /// The block.
    pub height: u32,
    /// The transaction.
    pub txid: String,
    /// What it did to the name, in order: `claim`, `update`, ….
    pub ops: Vec<String>,
    /// Who held the name after the block.
    pub owner: String,
    /// Until when, after the block.
    pub expires_at: u32,
    /// Its records after the block.
    pub records: Vec<JsonRecord>,
}

/// What [`NamePrice`] is the price of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PriceKind {
    /// Nobody holds the name.
    Registration,
    /// Somebody does.
    Renewal,
}

/// `name_price`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamePrice {
    /// The canonical label.
    pub name: String,
    /// The label as people read it.
    pub unicode: String,
    /// As in `name_show`.
    pub state: String,
    /// What is priced.
    pub kind: PriceKind,
    /// For so many years.
    pub years: u8,
    /// A year's price before demand is counted in.
    pub per_year: Coins,
    /// The factor by which demand raises the first year.
    pub level: f64,
    /// Burned by the commitment.
    pub commit: Coins,
    /// Burned by the claim, the premium apart.
    pub claim: Coins,
    /// On top for a name that was released lately.
    pub premium: Coins,
    /// For the years after the first, or for all of them in a renewal.
    pub renew: Coins,
    /// All of it.
    pub total: Coins,
    /// What makes the name easy to mistake for another.
    pub warnings: Vec<String>,
}

/// A transaction that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Its id.
    pub txid: String,
    /// What was changed on the way, and what is probably not meant.
    pub notes: Vec<String>,
}

/// One of `name_registrations`; also what `name_register` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationInfo {
    /// The canonical label.
    pub name: String,
    /// The label as people read it.
    pub unicode: String,
    /// Who will own it: an address.
    pub owner: String,
    /// The first records, as asked for.
    pub records: Vec<JsonRecord>,
    /// How long, from the claim.
    pub years: u8,
    /// The most to spend on it, fees included, if that was said.
    pub limit: Option<Coins>,
    /// `funds`, `commit`, `age`, `claim`, `rival`, `finish`, `done` or `failed`.
    pub step: String,
    /// The step in a sentence.
    pub text: String,
    /// Blocks until the name can be ours, if that can be told.
    pub blocks_left: Option<u32>,
    /// What it waits for.
    pub waiting: Option<WaitingInfo>,
    /// Fees and burns so far.
    pub spent: Coins,
    /// Its transactions, the oldest first.
    pub txids: Vec<String>,
    /// The last refusal, if there was one.
    pub error: Option<String>,
    /// What was changed in the records on the way, and what is probably not meant; of `name_register` alone.
    pub notes: Vec<String>,
}

/// What a registration waits for; the fields that do not apply are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingInfo {
    /// `coins`, `price`, `commit`, `age`, `claim`, `finish`, `rival` or `refused`.
    #[serde(rename = "for")]
    pub what: String,
    /// Where coins are to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_to: Option<String>,
    /// What is needed in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed: Option<Coins>,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub have: Option<Coins>,
    /// What may be spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Coins>,
    /// The transaction that is to be mined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
    /// Who has the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why a transaction was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `name_proof`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameProof {
    /// The canonical label.
    pub name: String,
    /// The block's height.
    pub height: u32,
    /// The block's hash, which whoever verifies must trust.
    pub hash: String,
    /// What is proved: `active`, `grace`, `released` or `free`.
    pub state: String,
    /// The proof, in hexadecimal.
    pub proof: String,
}
