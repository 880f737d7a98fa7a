//! The model's ledger beside the product's state, moved by the same steps.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::Coinbase;
use dotp2p_chain::entry::{Account, EntryKey, LEVEL_START, NameEntry, NameOffer};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{self as real, Op as RealOp};
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::records::{self, Owner, RecordSet, Records, records_hash};
use dotp2p_chain::tx::{Body, Transaction};
use dotp2p_model::key::Key;
use dotp2p_model::law;
use dotp2p_model::ledger::{Entry, Ledger, Offer, terms};
use dotp2p_model::ops::{self, Op, Tx};
use dotp2p_model::rule::InForce;
use dotp2p_registry::ledger::{Draft, disconnect_block};
use dotp2p_registry::row::{NameRow, Row};
use dotp2p_registry::state::State;
use dotp2p_registry::view::{Change, View};

/// Atoms of the model's unit, 0.05 coin.
const UNIT: u64 = 5_000_000;

/// The model's terms, as a network of the product.
pub fn params() -> Params {
    let rules = Rules {
        subsidy: u64::from(terms::SUBSIDY) * UNIT,
        halving_interval: 1_000,
        maturity: terms::MATURITY.into(),
        age_min: terms::AGE_MIN.into(),
        age_max: terms::AGE_MAX.into(),
        // So that the price level never moves.
        commit_target: 64,
        commit_max: 64,
        year: terms::YEAR.into(),
        years_ahead: terms::YEARS_AHEAD.into(),
        grace: terms::GRACE.into(),
        premium_start: u64::from(terms::PREMIUM) * UNIT,
        halving_blocks: 1,
        halvings: terms::HALVINGS.into(),
        ..Rules::regtest()
    };
    Params::new(rules, Params::regtest().deployment).unwrap()
}

fn name() -> Name {
    "alice".parse().unwrap()
}

fn key(key: Key) -> PublicKey {
    PublicKey([u8::try_from(key.index()).unwrap() + 1; 32])
}

fn units(units: u8) -> Amount {
    Amount::from_atoms(u64::from(units) * UNIT)
}

fn records(set: bool) -> Vec<u8> {
    if !set {
        return records::EMPTY.to_vec();
    }
    let text = RecordSet { owner: Owner::APEX, rtype: 16, ttl: 60, rdatas: vec![b"\x05hello".to_vec()] };
    Records::new(vec![text], params().rules.record_limits(5)).unwrap().encode()
}

/// One of the three claims that the model knows.
fn claim(owner: Key) -> real::Claim {
    real::Claim { name: (&name()).into(), owner: key(owner), salt: [7; 16] }
}

fn real_op(op: Op, params: &Params) -> RealOp {
    let field = || (&name()).into();
    match op {
        Op::Pay { to, amount } => RealOp::Pay(real::Pay { to: key(to), amount: units(amount) }),
        Op::Commit { owner } => RealOp::Commit(real::Commit { hash: claim(owner).commitment(&params.chain_id) }),
        Op::Claim { owner } => RealOp::Claim(claim(owner)),
        Op::Update { records: set } => RealOp::Update(real::Update { name: field(), records: records(set) }),
        Op::Renew => RealOp::Renew(real::Renew { name: field(), years: 1 }),
        Op::SetKeys { manager, recovery } => {
            RealOp::SetKeys(real::SetKeys { name: field(), manager: manager.map(key), recovery: recovery.map(key) })
        }
        Op::Transfer { to } => RealOp::Transfer(real::Transfer { name: field(), to: key(to) }),
        Op::Offer { price, buyer } => {
            RealOp::Offer(real::Offer { name: field(), price: units(price), buyer: buyer.map(key) })
        }
        Op::Buy { price } => RealOp::Buy(real::Buy { name: field(), price: units(price) }),
        Op::Recover { to } => RealOp::Recover(real::Recover { name: field(), to: key(to) }),
    }
}

fn real_entry(entry: &Entry, since: Height) -> NameEntry {
    let offer = |Offer { price, buyer }| NameOffer { price: units(price), buyer: buyer.map(key) };
    NameEntry {
        owner: key(entry.owner),
        manager: entry.manager.map(key),
        recovery: entry.recovery.map(key),
        since,
        expires: Height(entry.expires.into()),
        records: records_hash(&records(entry.records)),
        offer: entry.offer.map(offer),
    }
}

/// Both, and what led here.
pub struct Twin {
    params: Params,
    rules: InForce,
    state: State,
    undo: Vec<Vec<Change>>,
    pub ledger: Ledger,
    starts: Vec<Ledger>,
}

impl Twin {
    /// Both at the model's start.
    pub fn new(ledger: Ledger, rules: InForce) -> Self {
        let mut rows = vec![(EntryKey::Level, Row::Level(LEVEL_START))];
        for person in Key::PEOPLE {
            if let Some(balance) = ledger.balance(person) {
                let account = Account { balance: units(balance), nonce: 0 };
                rows.push((EntryKey::Account(key(person)), Row::Account(account)));
            }
        }
        if let Some(entry) = &ledger.name {
            let entry = real_entry(entry, Height(1));
            let row = NameRow { entry, changed: Height(1), transaction: 0, records: records(false) };
            rows.push((EntryKey::Name(name()), Row::Name(row.into())));
        }
        let state = State::from_rows(rows);
        Self { params: params(), rules, state, undo: Vec::new(), ledger, starts: vec![ledger] }
    }

    pub fn blocks(&self) -> usize {
        self.undo.len()
    }

    /// A block of up to `count` transactions out of `next`, mined by Mallory. Says where the two part.
    pub fn block(
        &mut self,
        count: usize,
        mut next: impl FnMut(&Ledger) -> Tx,
        mut heard: impl FnMut(&Tx, &str),
    ) -> Result<(), String> {
        let state = self.state.clone();
        let height = Height(self.ledger.height.into());
        let mut draft = Draft::begin(&state, height, &self.params).unwrap();
        self.compare(draft.view())?;
        let burned = self.ledger.burned;
        for _ in 0..count {
            let tx = next(&self.ledger);
            let nonce = draft.view().account(&key(tx.payer)).unwrap_or_default().nonce;
            let signed = transaction(&tx, nonce, &self.params);
            let real = draft.apply(&signed);
            let model = ops::apply(&self.ledger, &tx, self.rules);
            match (&real, model) {
                (Ok(()), Ok(mut after)) => {
                    let broken = law::judge(&self.ledger, &tx, &mut after);
                    if broken.0 != 0 {
                        return Err(format!("{tx:?} at {height} breaks laws {:#b} of {:?}", broken.0, self.ledger));
                    }
                    self.ledger = after;
                    if !draft.apply(&signed).is_err_and(|error| error.to_string().ends_with("(T7e)")) {
                        return Err(format!("{tx:?} at {height} is carried out twice"));
                    }
                    heard(&tx, "accepted");
                }
                (Err(real), Err(model)) if real.to_string().ends_with(&format!("{})", model.0)) => {
                    heard(&tx, model.0);
                }
                (_, model) => return Err(format!("{tx:?} at {height}: product {real:?}, model {model:?}")),
            }
            self.compare(draft.view()).map_err(|error| format!("after {tx:?} at {height}: {error}"))?;
        }
        let connected = draft.finish(&Coinbase { to: key(Key::Mallory), extra: Vec::new() }).unwrap();
        if connected.tally.burned != units(self.ledger.burned - burned) {
            return Err(format!("burned at {height}: {:?}, {}", connected.tally, self.ledger.burned - burned));
        }
        self.state.apply(&connected.changes);
        self.undo.push(connected.changes);
        self.ledger = self.ledger.mined(Key::Mallory, self.rules);
        self.starts.push(self.ledger);
        Ok(())
    }

    /// Takes `blocks` back in both.
    pub fn reorg(&mut self, blocks: usize) -> Result<(), String> {
        for changes in self.undo.split_off(self.undo.len() - blocks).iter().rev() {
            disconnect_block(&mut self.state, changes);
        }
        self.starts.truncate(self.starts.len() - blocks);
        self.ledger = *self.starts.last().unwrap();
        let state = self.state.clone();
        let mut draft = Draft::begin(&state, Height(self.ledger.height.into()), &self.params).unwrap();
        self.compare(draft.view()).map_err(|error| format!("{blocks} blocks back: {error}"))
    }

    /// Every entry of the one is an entry of the other.
    fn compare(&self, view: &mut View<'_>) -> Result<(), String> {
        let same = |what: &str, real: String, model: String| {
            if real == model { Ok(()) } else { Err(format!("{what}: product {real}, model {model}")) }
        };
        for person in Key::PEOPLE {
            let real = view.account(&key(person)).map(|account| account.balance);
            let model = self.ledger.balance(person).map(units);
            same("balance", format!("{person:?} {real:?}"), format!("{person:?} {model:?}"))?;
            let real = match view.get(&EntryKey::Commitment(claim(person).commitment(&self.params.chain_id))) {
                Some(Row::Commitment(entry)) => Some(entry.height.0),
                _ => None,
            };
            let model = self.ledger.commitments[person.index()].map(u32::from);
            same("commitment", format!("{real:?}"), format!("{model:?}"))?;
        }
        let real = view.name(&name()).map(|row| row.entry.clone());
        let model =
            self.ledger.name.map(|entry| real_entry(&entry, real.as_ref().map_or(Height(0), |real| real.since)));
        same("name", format!("{real:?}"), format!("{model:?}"))?;
        let last = Height(u32::from(self.ledger.height) - 1);
        let real = match view.get(&EntryKey::Reward(last)) {
            Some(Row::Reward(reward)) => Some((reward.to, reward.amount)),
            _ => None,
        };
        let model = self.ledger.reward.map(|(to, amount)| (key(to), units(amount)));
        same("reward", format!("{real:?}"), format!("{model:?}"))
    }
}

/// With signatures that nobody checks here.
fn transaction(tx: &Tx, nonce: u64, params: &Params) -> Transaction {
    let mut signers: Vec<PublicKey> = tx.signed.keys().filter(|signer| *signer != tx.payer).map(key).collect();
    signers.sort_unstable();
    let signatures = vec![Signature([0; 64]); 1 + signers.len()];
    let (payer, fee, ops) = (key(tx.payer), units(terms::FEE), vec![real_op(tx.op, params)]);
    Transaction::new(Body { payer, nonce, fee, expiry: None, signers, ops }, signatures).unwrap()
}
