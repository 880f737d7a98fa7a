//! A chain in memory: as much of consensus and pool as registrations meet, written apart from the product's own.

#![allow(missing_docs, dead_code, clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]

use std::collections::BTreeMap;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::{Account, CommitmentEntry, LEVEL_START, NameEntry, Stage};
use dotp2p_chain::hash::{ChainId, CommitmentHash, RecordsHash, Txid};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::Op;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::records::{EMPTY, records_hash};
use dotp2p_chain::tx::Transaction;
use dotp2p_wallet::{Action, Chain, FeeRate, Keys, Phrase, Registration};

pub const BASE: u64 = 100_000_000;

/// The keys of a wallet whose seed is told by one byte.
pub fn keys(seed: u8) -> Keys {
    Keys::new(&Phrase::from_entropy(&[seed; 16]).unwrap().seed(), 3).unwrap()
}

#[derive(Clone, Debug)]
pub struct State {
    pub accounts: BTreeMap<PublicKey, Account>,
    pub names: BTreeMap<Name, NameEntry>,
    pub commitments: BTreeMap<CommitmentHash, CommitmentEntry>,
    pub level: u64,
    /// Effective Commits on this branch, by payer.
    pub commits: Vec<(PublicKey, CommitmentHash, u32)>,
    /// Claims on this branch, by payer.
    pub claims: Vec<(PublicKey, Name)>,
}

pub struct Net {
    pub params: Params,
    /// Blocks above genesis.
    pub blocks: Vec<Vec<Transaction>>,
    states: Vec<State>,
    pub pool: Vec<Transaction>,
    pub fee_rate: u64,
    /// Coins that appear at a height, on every branch.
    pub gifts: Vec<(u32, PublicKey, Amount)>,
}

impl Net {
    pub fn new(age_min: u32, age_max: u32) -> Self {
        let params = Params::regtest();
        let rules = Rules { age_min, age_max, ..params.rules.clone() };
        let params = Params::new(rules, params.deployment).unwrap();
        let state = State {
            accounts: BTreeMap::new(),
            names: BTreeMap::new(),
            commitments: BTreeMap::new(),
            level: LEVEL_START,
            commits: Vec::new(),
            claims: Vec::new(),
        };
        Self { params, blocks: Vec::new(), states: vec![state], pool: Vec::new(), fee_rate: 10, gifts: Vec::new() }
    }

    pub fn give(&mut self, key: PublicKey, coins: u64) {
        let next = self.height() + 1;
        self.gifts.push((next, key, Amount::from_coins(coins)));
        self.mine();
    }

    pub fn height(&self) -> u32 {
        u32::try_from(self.blocks.len()).unwrap()
    }

    pub fn state(&self) -> &State {
        self.states.last().unwrap()
    }

    pub fn balance(&self, keys: &Keys) -> u64 {
        keys.all().iter().filter_map(|key| self.state().accounts.get(key)).map(|it| it.balance.atoms()).sum()
    }

    pub fn owner(&self, name: &str) -> Option<PublicKey> {
        self.state().names.get(name).map(|entry| entry.owner)
    }

    /// A block of everything in the pool.
    pub fn mine(&mut self) {
        self.mine_some(|_| true);
    }

    pub fn mine_empty(&mut self, blocks: u32) {
        for _ in 0..blocks {
            self.mine_some(|_| false);
        }
    }

    /// A block of what `chosen` takes from the pool, highest fee first where the nonces allow.
    pub fn mine_some(&mut self, mut chosen: impl FnMut(&Transaction) -> bool) {
        let (mut state, rules) = (self.begin_block(), &self.params.rules);
        let at = self.height() + 1;
        let mut candidates: Vec<_> = self.pool.iter().filter(|tx| chosen(tx)).cloned().collect();
        candidates.sort_by_key(|tx| std::cmp::Reverse(tx.body().fee));
        let mut block = Vec::new();
        let before = state.commits.len();
        while let Some(i) = candidates.iter().position(|tx| apply(&mut state, tx, at, &self.params).is_ok()) {
            block.push(candidates.remove(i));
        }
        let n = u64::try_from(state.commits.len() - before).unwrap();
        state.level = (state.level * (64 - u64::from(rules.commit_target) + n) / 64).clamp(LEVEL_START, 1 << 40);
        self.pool.retain(|tx| !block.contains(tx));
        self.blocks.push(block);
        self.states.push(state);
        self.clean_pool();
    }

    /// Disconnects blocks; their transactions return to the pool where they still fit.
    pub fn disconnect(&mut self, blocks: u32) {
        for _ in 0..blocks.min(self.height()) {
            let mut block = self.blocks.pop().unwrap();
            self.states.pop();
            block.append(&mut self.pool);
            self.pool = block;
        }
        self.clean_pool();
    }

    pub fn offer(&mut self, tx: Transaction) -> Result<(), &'static str> {
        let (payer, nonce, fee) = (tx.body().payer, tx.body().nonce, tx.body().fee);
        if self.pool.contains(&tx) {
            return Ok(());
        }
        let there = self.pool.iter().position(|it| (it.body().payer, it.body().nonce) == (payer, nonce));
        let before = self.pool.clone();
        match there {
            Some(i) if fee.atoms() * 10 < before[i].body().fee.atoms() * 11 => {
                return Err("replacement pays too little");
            }
            Some(i) => self.pool[i] = tx.clone(),
            None => self.pool.push(tx.clone()),
        }
        self.clean_pool();
        if self.pool.contains(&tx) {
            return Ok(());
        }
        self.pool = before;
        Err("not valid at the tip")
    }

    /// Drops what could not be in the next block.
    pub fn clean_pool(&mut self) {
        let (_, kept) = self.pooled();
        self.pool = kept;
    }

    fn begin_block(&self) -> State {
        let (mut state, at) = (self.state().clone(), self.height() + 1);
        for (_, key, amount) in self.gifts.iter().filter(|(height, ..)| *height == at) {
            let account = state.accounts.entry(*key).or_default();
            account.balance = account.balance.checked_add(*amount).unwrap();
        }
        let rules = &self.params.rules;
        state.commitments.retain(|_, entry| at - entry.height.0 <= rules.age_max);
        state.names.retain(|_, entry| Stage::of(entry.expires, Height(at), rules) != Stage::Free);
        state
    }

    /// The state after everything in the pool, and what of the pool led there.
    fn pooled(&self) -> (State, Vec<Transaction>) {
        let mut state = self.begin_block();
        let kept = self.pool.iter().filter(|tx| apply(&mut state, tx, self.height() + 1, &self.params).is_ok());
        let kept = kept.cloned().collect();
        (state, kept)
    }
}

/// Carries out a transaction; on error the state is unchanged.
pub fn apply(state: &mut State, tx: &Transaction, at: u32, params: &Params) -> Result<(), &'static str> {
    let mut after = state.clone();
    let (body, rules) = (tx.body(), &params.rules);
    let sighash = tx.sighash(&params.chain_id);
    let signed = |key: &PublicKey| body.keys().any(|it| it == key);
    if !tx.key_signatures().all(|(key, signature)| key.verifies(&sighash, signature)) {
        return Err("signature");
    }
    if body.expiry.is_some_and(|expiry| at > expiry.0) {
        return Err("expired");
    }
    let account = after.accounts.get_mut(&body.payer).ok_or("account")?;
    if account.nonce != body.nonce {
        return Err("nonce");
    }
    account.nonce += 1;
    let mut balance = account.balance.checked_sub(body.fee).ok_or("fee")?;
    let mut burn = |amount: u64| -> Result<(), &'static str> {
        balance = balance.checked_sub(Amount::from_atoms(amount)).ok_or("balance")?;
        Ok(())
    };
    for op in &body.ops {
        let name = op.name().map(|name| name.to_name().unwrap());
        let stage = |entry: &NameEntry| Stage::of(entry.expires, Height(at), rules);
        match op {
            Op::Commit(commit) => {
                if !after.commitments.contains_key(&commit.hash) {
                    burn(10 * after.level)?;
                    after.commitments.insert(commit.hash, CommitmentEntry { height: Height(at), level: after.level });
                    after.commits.push((body.payer, commit.hash, at));
                }
            }
            Op::Claim(claim) => {
                let entry = after.commitments.remove(&claim.commitment(&params.chain_id)).ok_or("no commitment")?;
                if at - entry.height.0 < rules.age_min {
                    return Err("too young");
                }
                let name = name.unwrap();
                if after.names.get(&name).is_some_and(|it| matches!(stage(it), Stage::Active | Stage::Grace)) {
                    return Err("taken");
                }
                burn((BASE / 1_000_000 - 10) * entry.level)?;
                let expires = Height(at + rules.year);
                let records = records_hash(&EMPTY);
                let since = Height(at);
                after.claims.push((body.payer, name.clone()));
                let entry = NameEntry {
                    owner: claim.owner,
                    manager: None,
                    recovery: None,
                    since,
                    expires,
                    records,
                    offer: None,
                };
                after.names.insert(name, entry);
            }
            Op::Update(update) => {
                let entry = after.names.get_mut(&name.unwrap()).ok_or("absent")?;
                if !signed(&entry.owner) || stage(entry) != Stage::Active {
                    return Err("not owner");
                }
                burn(100_000 * u64::try_from(update.records.len().saturating_sub(512)).unwrap())?;
                entry.records = records_hash(&update.records);
            }
            Op::Renew(renew) => {
                let entry = after.names.get_mut(&name.unwrap()).ok_or("absent")?;
                let expires = entry.expires.0 + u32::from(renew.years) * rules.year;
                if expires <= at + rules.years_ahead * rules.year {
                    burn(BASE * u64::from(renew.years))?;
                    entry.expires = Height(expires);
                }
            }
            Op::Transfer(transfer) => {
                let entry = after.names.get_mut(&name.unwrap()).ok_or("absent")?;
                if !signed(&entry.owner) {
                    return Err("not owner");
                }
                (entry.owner, entry.since) = (transfer.to, Height(at));
            }
            Op::Pay(pay) => burn(pay.amount.atoms())?,
            _ => return Err("not needed here"),
        }
    }
    after.accounts.get_mut(&body.payer).unwrap().balance = balance;
    *state = after;
    Ok(())
}

impl Chain for Net {
    fn tip(&self) -> Height {
        Height(self.height())
    }
    fn rules(&self) -> &Rules {
        &self.params.rules
    }
    fn chain_id(&self) -> ChainId {
        self.params.chain_id
    }
    fn level(&self) -> u64 {
        self.state().level
    }
    fn account(&self, key: &PublicKey) -> Option<Account> {
        self.state().accounts.get(key).copied()
    }
    fn pooled_account(&self, key: &PublicKey) -> Option<Account> {
        self.account(key).and_then(|_| self.pooled().0.accounts.get(key).copied())
    }
    fn name(&self, name: &Name) -> Option<(NameEntry, Stage)> {
        let entry = self.state().names.get(name)?;
        Some((entry.clone(), Stage::of(entry.expires, Height(self.height() + 1), self.rules())))
    }
    fn commitment(&self, hash: &CommitmentHash) -> Option<CommitmentEntry> {
        self.state().commitments.get(hash).copied()
    }
    fn pending(&self, txid: &Txid) -> bool {
        self.pool.iter().any(|tx| tx.txid(&self.params.chain_id) == *txid)
    }
    fn mined(&self, txid: &Txid) -> bool {
        self.blocks.iter().flatten().any(|tx| tx.txid(&self.params.chain_id) == *txid)
    }
    fn fee_rate(&self) -> FeeRate {
        FeeRate(self.fee_rate)
    }
    fn top_fee_rate(&self) -> FeeRate {
        FeeRate(self.fee_rate * 4)
    }
    fn commit_burn(&self, level: u64) -> Amount {
        Amount::from_atoms(10 * level)
    }
    fn claim_burn(&self, _: &Name, level: u64) -> Amount {
        Amount::from_atoms((BASE / 1_000_000 - 10) * level)
    }
    fn update_burn(&self, len: usize) -> Amount {
        Amount::from_atoms(100_000 * u64::try_from(len.saturating_sub(512)).unwrap())
    }
    fn renew_burn(&self, _: &Name, years: u8) -> Amount {
        Amount::from_atoms(BASE * u64::from(years))
    }
}

/// Asks once, and offers what is to be sent; as a node does at each new tip.
pub fn step(net: &mut Net, registration: &mut Registration, keys: &Keys) -> Action {
    let action = registration.next(net, keys);
    if let Action::Send(tx) = &action {
        let txid = tx.txid(&net.params.chain_id);
        if let Err(reason) = net.offer(tx.clone()) {
            let tip = net.tip();
            registration.refused(&txid, tip, reason);
        }
    }
    action
}

pub fn no_records() -> RecordsHash {
    records_hash(&EMPTY)
}
