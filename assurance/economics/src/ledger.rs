//! A chain of blocks without headers: the real state, pool and rules of main, below the signature check.
//!
//! Accounts are funded as if long ago; heights begin far from genesis, so that nothing depends on the first blocks.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::Coinbase;
use dotp2p_chain::entry::{Account, EntryKey, LEVEL_START};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{Claim, Commit, NameBytes, Op};
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::{Body, Transaction};
use dotp2p_registry::ledger::apply_block;
use dotp2p_registry::mempool::{Limits, Mempool, PoolError};
use dotp2p_registry::row::Row;
use dotp2p_registry::rules::Tally;
use dotp2p_registry::state::State;

/// Where simulations begin.
const START: Height = Height(100_000);

/// State, pool and height of a chain.
pub struct Ledger {
    /// Main.
    pub params: Params,
    /// After the tip.
    pub state: State,
    /// The last block's height.
    pub tip: Height,
    /// Candidates for the next one.
    pub pool: Mempool,
}

impl Ledger {
    /// Main's rules, with these balances in coins.
    #[must_use]
    pub fn funded(accounts: impl IntoIterator<Item = (PublicKey, u64)>) -> Self {
        let account = |(key, coins)| {
            let account = Account { balance: Amount::from_coins(coins), nonce: 0 };
            (EntryKey::Account(key), Row::Account(account))
        };
        let mut rows: Vec<(EntryKey, Row)> = accounts.into_iter().map(account).collect();
        rows.push((EntryKey::Level, Row::Level(LEVEL_START)));
        let state = State::from_rows(rows);
        Self { params: Params::main(), state, tip: START, pool: Mempool::new(Limits::default()) }
    }

    /// The clock, in Unix seconds: a block a minute.
    #[must_use]
    pub fn now_s(&self) -> u64 {
        self.params.rules.genesis_time + 60 * u64::from(self.tip.0)
    }

    /// Connects a block of these transactions.
    ///
    /// # Panics
    ///
    /// Where a rule refuses one: the simulation is wrong then.
    pub fn connect(&mut self, transactions: &[Transaction]) -> Tally {
        let coinbase = Coinbase { to: key(u64::MAX), extra: Vec::new() };
        let connected = apply_block(&self.state, self.tip.next(), &coinbase, transactions, &self.params)
            .unwrap_or_else(|error| panic!("block {}: {error}", self.tip.next()));
        self.state.apply(&connected.changes);
        self.tip = self.tip.next();
        connected.tally
    }

    /// Offers a transaction to the pool.
    pub fn submit(&mut self, transaction: Transaction) -> Result<(), PoolError> {
        let now_s = self.now_s();
        self.pool.add(transaction, &self.state, self.tip, &self.params, now_s).map(drop)
    }

    /// What an honest miner takes: the pool by fee rate.
    #[must_use]
    pub fn template(&self) -> Vec<Transaction> {
        let coinbase = Coinbase { to: key(u64::MAX), extra: Vec::new() };
        self.pool.select(&self.state, self.tip.next(), &coinbase, &self.params)
    }

    /// Connects a block and brings the pool to the new tip.
    pub fn mine(&mut self, transactions: &[Transaction]) -> Tally {
        let tally = self.connect(transactions);
        let now_s = self.now_s();
        self.pool.tip_moved(Vec::new(), &self.state, self.tip, &self.params, now_s);
        tally
    }

    /// The nonce that a key's next transaction needs, those in the pool counted.
    #[must_use]
    pub fn nonce(&self, key: &PublicKey) -> u64 {
        let mined = self.state.account(key).map_or(0, |account| account.nonce);
        mined + self.pool.chain(key).len() as u64
    }

    /// What a key can spend.
    #[must_use]
    pub fn balance(&self, key: &PublicKey) -> Amount {
        self.state.account(key).map_or(Amount::ZERO, |account| account.balance)
    }
}

/// A key by number. Nobody can sign for it, and nobody needs to here.
#[must_use]
pub fn key(number: u64) -> PublicKey {
    let mut bytes = [0x55; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    PublicKey(bytes)
}

/// A transaction of one payer, its signature left blank.
///
/// # Panics
///
/// Never: there is one key and one signature.
#[must_use]
pub fn transaction(payer: PublicKey, nonce: u64, fee: Amount, ops: Vec<Op>) -> Transaction {
    let body = Body { payer, nonce, fee, expiry: None, signers: Vec::new(), ops };
    Transaction::new(body, vec![Signature([0; 64])]).expect("one signature for one key")
}

/// A claim and the Commit that goes before it.
#[must_use]
pub fn registration(name: &Name, owner: PublicKey, salt: u64, params: &Params) -> (Op, Op) {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&salt.to_be_bytes());
    let claim = Claim { name: NameBytes::from(name), owner, salt: bytes };
    (Op::Commit(Commit { hash: claim.commitment(&params.chain_id) }), Op::Claim(claim))
}

/// The n-th of the labels that have `len` letters: `aaa`, `aab`, ….
///
/// # Panics
///
/// Where `len` is no label's length; a label so made is never reserved while n is small.
#[must_use]
pub fn label(len: usize, n: usize) -> Name {
    let mut bytes = vec![b'a'; len];
    let mut rest = n;
    for byte in bytes.iter_mut().rev() {
        *byte = b'a' + (rest % 26) as u8;
        rest /= 26;
    }
    Name::from_bytes(&bytes).expect("letters are a label")
}
