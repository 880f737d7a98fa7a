//! Transactions: planned, priced, checked, signed.
//!
//! A [`TxPlan`] collects ops with the keys that must sign them. [`TxPlan::with_fee_rate`] sets the fee by the exact
//! size; [`TxPlan::check`] refuses what consensus would refuse for sure; [`TxPlan::sign`] makes the transaction.
//! Where a key is in somebody else's wallet, a [`Partial`] goes round until every signature is there.

mod partial;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::{Account, NameEntry};
use dotp2p_chain::hash::{ChainId, CommitmentHash, to_hex};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{
    Buy, Claim, Commit, NameBytes, Offer, Op, Pay, Recover, Renew, Salt, SetKeys, Transfer, Update,
};
use dotp2p_chain::tx::{Body, MAX_OPS, MAX_SIGNERS, Transaction};

use crate::keys::Keys;

pub use partial::Partial;

/// Bytes of a signature.
const SIGNATURE_LEN: usize = 64;

/// What a miner gets for each byte of a transaction, in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeeRate(pub u64);

impl FeeRate {
    /// The fee of so many bytes; saturates.
    #[must_use]
    pub fn fee(self, bytes: usize) -> Amount {
        Amount::from_atoms(self.0.saturating_mul(u64::try_from(bytes).unwrap_or(u64::MAX)))
    }
}

/// Why a plan makes no transaction that a block could hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Too few or too many ops.
    #[error("a transaction has 1 to {max} ops, this one {0} (T4)", max = MAX_OPS)]
    Ops(usize),
    /// Too many signers.
    #[error("a transaction has at most {max} signers besides its payer, this one {0} (T4)", max = MAX_SIGNERS)]
    Signers(usize),
    /// Paying nothing, or an offer bought for nothing.
    #[error("the amount is 0 (N6, N14)")]
    ZeroAmount,
    /// Paying oneself.
    #[error("the payer cannot pay itself (N6)")]
    PaysItself,
    /// Not 1 to 10.
    #[error("a name is renewed for 1 to 10 years, not {0} (N10)")]
    Years(u8),
    /// A buyer in a withdrawal.
    #[error("an offer of price 0 is a withdrawal and names no buyer (N13)")]
    WithdrawalBuyer,
    /// Coins never reached this key.
    #[error("key {} has no account: it has never received coins (T7)", to_hex(&.0.0))]
    NoAccount(PublicKey),
    /// Another transaction took the place.
    #[error("nonce {nonce} is used: the next of this payer is {next} (T7)")]
    Nonce {
        /// The plan's.
        nonce: u64,
        /// The account's.
        next: u64,
    },
    /// Not enough coins.
    #[error("{have} coins are not enough: {needed} are needed, fee included (T7, T11)")]
    Balance {
        /// Fee, burns and payments.
        needed: Amount,
        /// The payer's.
        have: Amount,
    },
    /// Too late already.
    #[error("the transaction expires at {expiry}, the next block is {next} (T7)")]
    Expired {
        /// The plan's.
        expiry: Height,
        /// Tip + 1.
        next: Height,
    },
    /// Somebody else's key must sign.
    #[error("key {} must sign and is not in this wallet", to_hex(&.0.0))]
    MissingKey(PublicKey),
    /// The entry has none.
    #[error("name {0} has no recovery key (N15)")]
    NoRecovery(Name),
}

/// A transaction before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxPlan {
    /// Pays fee, burns and payments; always signs.
    pub payer: PublicKey,
    /// How many transactions the payer has made before.
    pub nonce: u64,
    /// To the miner.
    pub fee: Amount,
    /// The last height at which it is valid; `None` for ever.
    pub expiry: Option<Height>,
    /// In the order in which they are carried out.
    pub ops: Vec<Op>,
    /// Keys that sign besides the payer, ascending; [`TxPlan::signed_by`] keeps them so.
    signers: Vec<PublicKey>,
}

impl TxPlan {
    /// A plan without ops, fee and expiry.
    #[must_use]
    pub fn new(payer: PublicKey, nonce: u64) -> Self {
        Self { payer, nonce, fee: Amount::ZERO, expiry: None, ops: Vec::new(), signers: Vec::new() }
    }

    /// Lets it expire after height `expiry`.
    #[must_use]
    pub fn expires(mut self, expiry: Height) -> Self {
        self.expiry = Some(expiry);
        self
    }

    /// Sets the fee.
    #[must_use]
    pub fn with_fee(mut self, fee: Amount) -> Self {
        self.fee = fee;
        self
    }

    /// Adds an op.
    #[must_use]
    pub fn op(mut self, op: Op) -> Self {
        self.ops.push(op);
        self
    }

    /// Lets `key` sign too; nothing changes if it is the payer or signs already.
    #[must_use]
    pub fn signed_by(mut self, key: PublicKey) -> Self {
        if key != self.payer
            && let Err(at) = self.signers.binary_search(&key)
        {
            self.signers.insert(at, key);
        }
        self
    }

    /// Adds a Pay. Rule N6.
    #[must_use]
    pub fn pay(self, to: PublicKey, amount: Amount) -> Self {
        self.op(Op::Pay(Pay { to, amount }))
    }

    /// Adds a Commit. Rule N7.
    #[must_use]
    pub fn commit(self, hash: CommitmentHash) -> Self {
        self.op(Op::Commit(Commit { hash }))
    }

    /// Adds a Claim. Rule N8.
    #[must_use]
    pub fn claim(self, name: &Name, owner: PublicKey, salt: Salt) -> Self {
        self.op(Op::Claim(Claim { name: name.into(), owner, salt }))
    }

    /// Adds an Update with canonical `records`, signed by `signer`: the owner or the manager. Rule N9.
    #[must_use]
    pub fn update(self, name: &Name, records: Vec<u8>, signer: PublicKey) -> Self {
        self.op(Op::Update(Update { name: name.into(), records })).signed_by(signer)
    }

    /// Adds a Renew. Rule N10.
    #[must_use]
    pub fn renew(self, name: &Name, years: u8) -> Self {
        self.op(Op::Renew(Renew { name: name.into(), years }))
    }

    /// Adds a SetKeys, signed by the owner, and by the recovery key where one is set and changes. Rule N11.
    #[must_use]
    pub fn set_keys(
        self,
        name: &Name,
        entry: &NameEntry,
        manager: Option<PublicKey>,
        recovery: Option<PublicKey>,
    ) -> Self {
        let changed = entry.recovery.filter(|_| entry.recovery != recovery);
        self.op(Op::SetKeys(SetKeys { name: name.into(), manager, recovery }))
            .signed_by(entry.owner)
            .signed_by_any(changed)
    }

    /// Adds a Transfer, signed by the owner, and by the recovery key where one is set. Rule N12.
    #[must_use]
    pub fn transfer(self, name: &Name, entry: &NameEntry, to: PublicKey) -> Self {
        self.op(Op::Transfer(Transfer { name: name.into(), to })).signed_by(entry.owner).signed_by_any(entry.recovery)
    }

    /// Adds an Offer, signed by the owner, and by the recovery key where one is set; price 0 withdraws and needs the
    /// owner alone. Rule N13.
    #[must_use]
    pub fn offer(self, name: &Name, entry: &NameEntry, price: Amount, buyer: Option<PublicKey>) -> Self {
        let recovery = entry.recovery.filter(|_| price != Amount::ZERO);
        self.op(Op::Offer(Offer { name: name.into(), price, buyer })).signed_by(entry.owner).signed_by_any(recovery)
    }

    /// Adds a Buy: the payer will own the name. Rule N14.
    #[must_use]
    pub fn buy(self, name: &Name, price: Amount) -> Self {
        self.op(Op::Buy(Buy { name: name.into(), price }))
    }

    /// Adds a Recover, signed by the entry's recovery key. Rule N15.
    pub fn recover(self, name: &Name, entry: &NameEntry, to: PublicKey) -> Result<Self, BuildError> {
        let recovery = entry.recovery.ok_or_else(|| BuildError::NoRecovery(name.clone()))?;
        Ok(self.op(Op::Recover(Recover { name: NameBytes::from(name), to })).signed_by(recovery))
    }

    /// The keys that sign besides the payer, ascending.
    #[must_use]
    pub fn signers(&self) -> &[PublicKey] {
        &self.signers
    }

    /// What will be signed.
    #[must_use]
    pub fn body(&self) -> Body {
        Body {
            payer: self.payer,
            nonce: self.nonce,
            fee: self.fee,
            expiry: self.expiry,
            signers: self.signers.clone(),
            ops: self.ops.clone(),
        }
    }

    /// The bytes the signed transaction will have.
    #[must_use]
    pub fn size(&self) -> usize {
        self.body().encode().len() + SIGNATURE_LEN * (1 + self.signers.len())
    }

    /// Sets the least fee that pays `rate` for every byte, those of the fee itself included.
    #[must_use]
    pub fn with_fee_rate(mut self, rate: FeeRate) -> Self {
        self.fee = Amount::ZERO;
        loop {
            let fee = rate.fee(self.size());
            if fee <= self.fee {
                return self;
            }
            self.fee = fee;
        }
    }

    /// Refuses what no block after the tip could hold. Rules T4, T7, T11, and the forms of N6 to N14.
    ///
    /// - `account`: the payer's, as the transactions before this one leave it.
    /// - `cost`: burns, payments and creations of the ops, without the fee.
    /// - `next`: the height of the next block.
    pub fn check(&self, account: Option<&Account>, cost: Amount, next: Height) -> Result<(), BuildError> {
        self.check_form()?;
        if let Some(expiry) = self.expiry.filter(|expiry| *expiry < next) {
            return Err(BuildError::Expired { expiry, next });
        }
        let account = account.ok_or(BuildError::NoAccount(self.payer))?;
        if self.nonce < account.nonce {
            return Err(BuildError::Nonce { nonce: self.nonce, next: account.nonce });
        }
        let needed = cost.checked_add(self.fee).unwrap_or(Amount::MAX);
        if account.balance < needed {
            return Err(BuildError::Balance { needed, have: account.balance });
        }
        Ok(())
    }

    /// Refuses what is wrong whatever the state is.
    pub fn check_form(&self) -> Result<(), BuildError> {
        if !(1..=MAX_OPS).contains(&self.ops.len()) {
            return Err(BuildError::Ops(self.ops.len()));
        }
        if self.signers.len() > MAX_SIGNERS {
            return Err(BuildError::Signers(self.signers.len()));
        }
        self.ops.iter().try_for_each(|op| match op {
            Op::Pay(pay) if pay.amount == Amount::ZERO => Err(BuildError::ZeroAmount),
            Op::Pay(pay) if pay.to == self.payer => Err(BuildError::PaysItself),
            Op::Buy(buy) if buy.price == Amount::ZERO => Err(BuildError::ZeroAmount),
            Op::Renew(renew) if !(1..=10).contains(&renew.years) => Err(BuildError::Years(renew.years)),
            Op::Offer(offer) if offer.price == Amount::ZERO && offer.buyer.is_some() => {
                Err(BuildError::WithdrawalBuyer)
            }
            _ => Ok(()),
        })
    }

    /// Signs with the wallet's keys; every key must be among them.
    pub fn sign(&self, keys: &Keys, chain_id: &ChainId) -> Result<Transaction, BuildError> {
        self.check_form()?;
        let body = self.body();
        let sighash = body.sighash(chain_id);
        let signatures = body
            .keys()
            .map(|key| keys.sign(key, &sighash).ok_or(BuildError::MissingKey(*key)))
            .collect::<Result<Vec<_>, _>>()?;
        Transaction::new(body, signatures).ok_or(BuildError::Signers(self.signers.len()))
    }

    fn signed_by_any(self, key: Option<PublicKey>) -> Self {
        match key {
            Some(key) => self.signed_by(key),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests;
