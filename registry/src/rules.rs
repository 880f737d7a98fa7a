//! The ten ops: each refuses before it writes, and names the rule (N6 to N16, T7 to T12).
//!
//! Pure: a transition reads and writes a [`View`] and nothing else. Whoever lets a refused transaction's earlier ops
//! stand has broken T10, so [`apply_transaction`] goes back to where it began.

mod ops;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::{Account, EntryKey};
use dotp2p_chain::hash::ChainId;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::{Name, NameError};
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::records::RecordsError;
use dotp2p_chain::tx::Body;

use crate::price::ACCOUNT_BURN;
use crate::row::Row;
use crate::view::View;

/// What an op reads besides the state: the block it would be in.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The network's rules.
    pub rules: &'a Rules,
    /// The chain.
    pub chain_id: &'a ChainId,
    /// The block's height.
    pub height: Height,
    /// The price level before the block, in millionths.
    pub level: u64,
}

impl<'a> Context<'a> {
    /// The context of the block at `height`, whose parent left the price level `level`.
    #[must_use]
    pub fn new(params: &'a Params, height: Height, level: u64) -> Self {
        Self { rules: &params.rules, chain_id: &params.chain_id, height, level }
    }
}

/// What a block's transactions add up to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Transactions applied; the next one's place in the block.
    pub transactions: u32,
    /// Commits that made an entry.
    pub commits: u32,
    /// Fees, to the miner.
    pub fees: Amount,
    /// Coins that are no more.
    pub burned: Amount,
}

/// Why an op or transaction is refused: a variant a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// T7c.
    #[error("transaction expired at height {expiry}, the block has {height} (T7c)")]
    Expired {
        /// Its last height.
        expiry: Height,
        /// The block's.
        height: Height,
    },
    /// T7d.
    #[error("the payer has no account: nothing was ever paid to it (T7d)")]
    NoAccount,
    /// T7e.
    #[error("nonce {found}, expected {expected} (T7e)")]
    Nonce {
        /// The transaction's.
        found: u64,
        /// The account's.
        expected: u64,
    },
    /// T7f.
    #[error("fee {fee} exceeds the payer's balance {balance} (T7f)")]
    Fee {
        /// The fee.
        fee: Amount,
        /// The balance.
        balance: Amount,
    },
    /// T9, T7h.
    #[error("the payer's nonce cannot count further (T9, T7h)")]
    NonceEnd,
    /// T11a.
    #[error("cost {cost} exceeds the payer's balance {balance} (T11a)")]
    Cost {
        /// Burn, payment and account creation.
        cost: Amount,
        /// What is left after the fee.
        balance: Amount,
    },
    /// T11a, beyond 64 bits.
    #[error("the cost exceeds every amount there can be (T11a)")]
    CostRange,
    /// N6a, N14d.
    #[error("amount or price is 0 ({0})")]
    Zero(&'static str),
    /// N6b.
    #[error("the payer pays itself (N6b)")]
    PaysItself,
    /// N7a.
    #[error("more than {0} commitments in a block (N7a)")]
    TooManyCommits(u32),
    /// N8a, N8b.
    #[error("{0} (N8a, N8b)")]
    ClaimName(NameError),
    /// Letter a of N9 to N15: what is no name is held by nobody.
    #[error("{error} ({rule}a)")]
    Name {
        /// What is wrong with it.
        error: NameError,
        /// The op's rule.
        rule: &'static str,
    },
    /// N8c.
    #[error("no live commitment to this name, owner and salt (N8c)")]
    NoCommitment,
    /// N8d.
    #[error("commitment is {age} blocks old, a claim needs {min} (N8d)")]
    TooYoung {
        /// Its age.
        age: u32,
        /// The least.
        min: u32,
    },
    /// N8e.
    #[error("commitment is {age} blocks old, a claim allows {max} (N8e)")]
    TooOld {
        /// Its age.
        age: u32,
        /// The most.
        max: u32,
    },
    /// N8f.
    #[error("name {0} is taken (N8f)")]
    Taken(Name),
    /// N8g.
    #[error("name {0} has expired and is in grace: only its holder's Renew is accepted (N8g)")]
    ClaimInGrace(Name),
    /// N8h, N10d.
    #[error("the name would expire beyond the last height ({0})")]
    Beyond(&'static str),
    /// Letter a of N9 to N15.
    #[error("nobody holds name {name} ({rule}a)")]
    Absent {
        /// The name.
        name: Name,
        /// The op's rule.
        rule: &'static str,
    },
    /// Letter b of N9 to N15.
    #[error("name {name} was released: it can only be claimed ({rule}b)")]
    Released {
        /// The name.
        name: Name,
        /// The op's rule.
        rule: &'static str,
    },
    /// Letter c of N9 and N11 to N15.
    #[error("name {name} has expired and is in grace: only Renew is accepted ({rule}c)")]
    InGrace {
        /// The name.
        name: Name,
        /// The op's rule.
        rule: &'static str,
    },
    /// Letter d of N11 to N13.
    #[error("the owner of {name} did not sign ({rule}d)")]
    NotOwner {
        /// The name.
        name: Name,
        /// The op's rule.
        rule: &'static str,
    },
    /// N9d.
    #[error("neither the owner nor the manager of {0} signed (N9d)")]
    NotOwnerNorManager(Name),
    /// N9e.
    #[error("{0} (N9e)")]
    Records(#[from] RecordsError),
    /// N10c.
    #[error("years {0}, expected 1 to 10 (N10c)")]
    Years(u8),
    /// Letter e of N11 to N13.
    #[error("the recovery key of {name} did not sign ({rule}e)")]
    RecoveryMustSign {
        /// The name.
        name: Name,
        /// The op's rule.
        rule: &'static str,
    },
    /// N13f.
    #[error("an offer at price 0 withdraws and names no buyer (N13f)")]
    WithdrawalWithBuyer,
    /// N13g, N14e.
    #[error("name {name} is not offered ({rule})")]
    NoOffer {
        /// The name.
        name: Name,
        /// The rule and its letter.
        rule: &'static str,
    },
    /// N14f.
    #[error("price {found}, the offer's is {expected} (N14f)")]
    Price {
        /// The op's.
        found: Amount,
        /// The offer's.
        expected: Amount,
    },
    /// N14g.
    #[error("name {0} is offered to another key (N14g)")]
    NotTheBuyer(Name),
    /// N14h.
    #[error("the payer owns {0} already (N14h)")]
    BuysFromItself(Name),
    /// N15d.
    #[error("name {0} has no recovery key (N15d)")]
    NoRecoveryKey(Name),
    /// N15e.
    #[error("the recovery key of {0} did not sign (N15e)")]
    NotRecovery(Name),
}

/// Which keys signed a transaction. Rule T8.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a>(&'a Body);

impl Signed<'_> {
    pub(crate) fn by(&self, key: &PublicKey) -> bool {
        self.0.payer == *key || self.0.signers.binary_search(key).is_ok()
    }
}

/// Carries out a transaction whose signatures are good; refused, it leaves the view as it was. Rules T7, T9, T10.
pub fn apply_transaction(
    view: &mut View<'_>,
    body: &Body,
    context: &Context<'_>,
    tally: &mut Tally,
) -> Result<(), RuleError> {
    let mark = view.mark();
    let mut after = *tally;
    match try_transaction(view, body, context, &mut after) {
        Ok(()) => {
            after.transactions += 1;
            *tally = after;
            Ok(())
        }
        Err(error) => {
            view.rollback(mark);
            Err(error)
        }
    }
}

fn try_transaction(
    view: &mut View<'_>,
    body: &Body,
    context: &Context<'_>,
    tally: &mut Tally,
) -> Result<(), RuleError> {
    if let Some(expiry) = body.expiry.filter(|expiry| context.height > *expiry) {
        return Err(RuleError::Expired { expiry, height: context.height });
    }
    let account = view.account(&body.payer).ok_or(RuleError::NoAccount)?;
    if body.nonce != account.nonce {
        return Err(RuleError::Nonce { found: body.nonce, expected: account.nonce });
    }
    let fee = RuleError::Fee { fee: body.fee, balance: account.balance };
    let balance = account.balance.checked_sub(body.fee).ok_or(fee)?;
    let nonce = account.nonce.checked_add(1).ok_or(RuleError::NonceEnd)?;
    view.put(&EntryKey::Account(body.payer), Some(Row::Account(Account { balance, nonce })));
    tally.fees = tally.fees.checked_add(body.fee).ok_or(RuleError::CostRange)?;
    body.ops.iter().try_for_each(|op| ops::apply(view, op, body, context, tally))
}

/// Takes burn, payment and the creation of the credited account from the payer, and pays. Rules T11, T12.
fn pay(
    view: &mut View<'_>,
    payer: &PublicKey,
    burn: Amount,
    payment: Option<(PublicKey, Amount)>,
    tally: &mut Tally,
) -> Result<(), RuleError> {
    let credited = payment.map(|(to, amount)| (to, amount, view.account(&to)));
    let creation = match credited {
        Some((_, _, None)) => ACCOUNT_BURN,
        _ => Amount::ZERO,
    };
    let burn = burn.checked_add(creation).ok_or(RuleError::CostRange)?;
    let amount = payment.map_or(Amount::ZERO, |(_, amount)| amount);
    let cost = burn.checked_add(amount).ok_or(RuleError::CostRange)?;
    if cost == Amount::ZERO {
        return Ok(());
    }
    let place = view.place(&EntryKey::Account(*payer));
    let account = view.account_at(place).ok_or(RuleError::NoAccount)?;
    let balance = account.balance.checked_sub(cost).ok_or(RuleError::Cost { cost, balance: account.balance })?;
    tally.burned = tally.burned.checked_add(burn).ok_or(RuleError::CostRange)?;
    view.put_at(place, Some(Row::Account(Account { balance, ..account })));
    if let Some((to, amount, account)) = credited {
        credit(view, &to, account.unwrap_or_default(), amount)?;
    }
    Ok(())
}

/// Adds `amount` to an account; no balance can overflow on a chain whose Rules pass B3m.
pub(crate) fn credit(view: &mut View<'_>, to: &PublicKey, account: Account, amount: Amount) -> Result<(), RuleError> {
    let balance = account.balance.checked_add(amount).ok_or(RuleError::CostRange)?;
    view.put(&EntryKey::Account(*to), Some(Row::Account(Account { balance, ..account })));
    Ok(())
}
