//! The node's wallet: which key pays, who must sign, what fee is offered, and registrations carried through.
//!
//! The wallet is a file that may appear while the node runs (`wallet create`), so it is looked for whenever it is
//! needed. One lock, held for a signature or a write of a small file; nothing of the chain waits for it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::{Account, CommitmentEntry, EntryKey, NameEntry, Stage};
use dotp2p_chain::hash::{BlockHash, ChainId, CommitmentHash, Txid};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{NameBytes, Op};
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::ledger::Draft;
use dotp2p_registry::price;
use dotp2p_registry::query::Reader;
use dotp2p_registry::rules::RuleError;
use dotp2p_rpc::node::{RegistrationStatus, WalletError};
use dotp2p_wallet::registration::{Request, Step, Waiting};
use dotp2p_wallet::{Action, Chain, FeeRate, FileError, Registration, Registrations, TxPlan, Wallet};

/// What an ordinary transaction offers.
const FEE_RATE: FeeRate = FeeRate(10);
/// The least that a claim offers, and how far it goes beyond the best of the pool.
const TOP_FEE_RATE: u64 = 100;

/// The wallet of a node.
pub struct WalletService {
    params: Arc<Params>,
    path: PathBuf,
    registrations_path: PathBuf,
    open: Mutex<Option<Open>>,
}

struct Open {
    wallet: Wallet,
    registrations: Registrations,
    waiting: HashMap<Name, (Waiting, Option<u32>)>,
    /// The tip at which registrations were last asked for.
    seen: Option<(Height, BlockHash)>,
}

fn file_error(error: &FileError) -> WalletError {
    WalletError::File(error.to_string())
}

impl WalletService {
    /// The wallet in the folder of a network, which need not be there yet.
    #[must_use]
    pub fn new(params: Arc<Params>, dir: &std::path::Path) -> Self {
        let (path, registrations_path) = (dir.join("wallet.json"), dir.join("registrations.json"));
        Self { params, path, registrations_path, open: Mutex::new(None) }
    }

    /// The open wallet; opened now if its file has appeared.
    fn open(&self, reader: &Reader) -> Result<MutexGuard<'_, Option<Open>>, WalletError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            if !self.path.exists() {
                return Err(WalletError::NoWallet);
            }
            let mut wallet = Wallet::open(&self.path, &self.params).map_err(|error| file_error(&error))?;
            let used =
                |key: &PublicKey| reader.state.account(key).is_some() || reader.state.names_of(key).next().is_some();
            wallet.discover(used).map_err(|error| file_error(&error))?;
            let registrations = Registrations::open(&self.registrations_path, &self.params);
            let registrations = registrations.map_err(|error| file_error(&error))?;
            tracing::info!(path = %self.path.display(), address = %wallet.first_address(), "wallet opened");
            *open = Some(Open { wallet, registrations, waiting: HashMap::new(), seen: None });
        }
        Ok(open)
    }

    fn with<T>(
        &self,
        reader: &Reader,
        work: impl FnOnce(&mut Open) -> Result<T, WalletError>,
    ) -> Result<T, WalletError> {
        let mut open = self.open(reader)?;
        work(open.as_mut().ok_or(WalletError::NoWallet)?)
    }

    /// Stores the registrations. Where that fails, such as on a full disk, they are again what the file says: nothing is
    /// told or sent that a restart would not know of.
    fn save(&self, open: &mut Open) -> Result<(), WalletError> {
        let saved = open.registrations.save();
        if saved.is_err()
            && let Ok(stored) = Registrations::open(&self.registrations_path, &self.params)
        {
            open.registrations = stored;
        }
        saved.map_err(|error| file_error(&error))
    }

    /// The keys handed out, in order of their numbers.
    pub fn keys(&self, reader: &Reader) -> Result<Vec<PublicKey>, WalletError> {
        self.with(reader, |open| Ok(open.wallet.handed_out().copied().collect()))
    }

    /// A key that was not handed out before.
    pub fn new_key(&self, reader: &Reader) -> Result<PublicKey, WalletError> {
        self.with(reader, |open| open.wallet.new_key().map_err(|error| file_error(&error)))
    }

    /// One transaction of `ops`, paid by the first key that can and signed by every key an op needs.
    pub fn build(&self, ops: &[Op], reader: &Reader) -> Result<Transaction, WalletError> {
        self.with(reader, |open| {
            let keys = open.wallet.keys();
            let view = View(reader);
            // The refusal that tells most: of a key that has an account, if one has.
            let mut last: Option<(bool, RuleError)> = None;
            for payer in open.wallet.handed_out() {
                let account = view.pooled_account(payer);
                if account.is_none() && last.is_some() {
                    continue;
                }
                let nonce = account.map_or(0, |account| account.nonce);
                let plan = ops.iter().fold(TxPlan::new(*payer, nonce), |plan, op| add(plan, op, reader, keys));
                let plan = plan.with_fee_rate(FEE_RATE);
                let transaction = plan.sign(keys, &reader.params.chain_id)?;
                match try_on(&transaction, reader) {
                    Ok(()) => return Ok(transaction),
                    Err(error) if last.as_ref().is_none_or(|(had_account, _)| !had_account && account.is_some()) => {
                        last = Some((account.is_some(), error));
                    }
                    Err(_) => {}
                }
            }
            Err(last.map_or(WalletError::NoWallet, |(_, error)| WalletError::Rule(error)))
        })
    }

    /// Takes up a registration; one of the same name that is under way is answered as it stands.
    pub fn register(&self, request: Request, reader: &Reader) -> Result<RegistrationStatus, WalletError> {
        let name = request.name.clone();
        self.with(reader, |open| {
            if open.registrations.find(&name).is_none_or(Registration::is_over) {
                let registration = Registration::begin(request, &View(reader), open.wallet.keys())?;
                open.registrations.add(registration);
                self.save(open)?;
            }
            open.registrations.find(&name).map(|it| open.status(it)).ok_or(WalletError::NoWallet)
        })
    }

    /// Where every registration stands.
    pub fn registrations(&self, reader: &Reader) -> Result<Vec<RegistrationStatus>, WalletError> {
        self.with(reader, |open| {
            let mut all: Vec<_> = open.registrations.iter().map(|it| open.status(it)).collect();
            all.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(all)
        })
    }

    /// Whether a registration waits for blocks; for coins, blocks help only if they pay this wallet.
    #[must_use]
    pub fn wants_blocks(&self, reader: &Reader, pays_to: &PublicKey) -> bool {
        let wants = self.with(reader, |open| {
            let ours = open.wallet.keys().contains(pays_to);
            let waits = |it: &Registration| match (it.step(), open.waiting.get(it.name())) {
                (Step::Done | Step::Failed(_), _) | (_, Some((Waiting::Price { .. }, _))) => false,
                (_, Some((Waiting::Coins { .. }, _))) => ours,
                _ => true,
            };
            Ok(ours && reader.state.account(pays_to).is_none() || open.registrations.iter().any(waits))
        });
        wants.unwrap_or(false)
    }

    /// The names whose registration is not over. At start, and when the last tip seen is no longer in the chain, those whose
    /// claim went with it are under way again.
    pub fn under_way(&self, reader: &Reader) -> Result<Vec<Name>, WalletError> {
        self.with(reader, |open| {
            let is_there = open.seen.map(|(height, hash)| reader.is_active(height, &hash));
            if is_there != Some(true) && open.registrations.reopen(&View(reader), is_there.is_some()) {
                tracing::warn!("a reorganisation took a registered name away; it is registered again");
                self.save(open)?;
            }
            open.seen = Some((reader.tip, reader.tip_hash()));
            Ok(open.registrations.under_way().map(|(name, _)| name.clone()).collect())
        })
    }

    /// Asks a registration for its next step at the reader's tip; what it wants sent is stored before it is given.
    pub fn step(&self, name: &Name, reader: &Reader) -> Result<Option<Transaction>, WalletError> {
        self.with(reader, |open| {
            let before = open.registrations.find(name).cloned();
            let action = open.registrations.next(name, &View(reader), open.wallet.keys());
            open.waiting.remove(name);
            if open.registrations.find(name) != before.as_ref() {
                self.save(open)?;
            }
            Ok(match action {
                Some(Action::Send(transaction)) => Some(transaction),
                Some(Action::Wait { what, blocks_left }) => {
                    open.waiting.insert(name.clone(), (what, blocks_left));
                    None
                }
                Some(Action::Done | Action::Failed(_)) | None => None,
            })
        })
    }

    /// Tells a registration that the pool refused what it sent.
    pub fn refused(&self, name: &Name, txid: &Txid, reason: &str, reader: &Reader) -> Result<(), WalletError> {
        self.with(reader, |open| {
            if let Some(registration) = open.registrations.find_mut(name) {
                registration.refused(txid, reader.tip, reason);
                self.save(open)?;
            }
            Ok(())
        })
    }
}

impl Open {
    fn status(&self, registration: &Registration) -> RegistrationStatus {
        let waiting = self.waiting.get(registration.name());
        RegistrationStatus {
            name: registration.name().clone(),
            owner: registration.owner(),
            records: registration.records().to_vec(),
            years: registration.years(),
            limit: registration.limit(),
            step: registration.step().clone(),
            waiting: waiting.map(|(what, _)| what.clone()),
            blocks_left: waiting.and_then(|(_, left)| *left),
            spent: registration.spent(),
            txids: registration.txids().to_vec(),
            error: registration.error().map(str::to_owned),
        }
    }
}

/// Adds an op with the signers that the name's entry asks for; a name nobody holds asks for none, and a rule refuses it.
fn add(plan: TxPlan, op: &Op, reader: &Reader, keys: &dotp2p_wallet::Keys) -> TxPlan {
    let entry = |name: &NameBytes| reader.state.name(&name.to_name().ok()?).map(|row| row.entry.clone());
    let signers: Vec<PublicKey> = match op {
        Op::Pay(_) | Op::Commit(_) | Op::Claim(_) | Op::Renew(_) | Op::Buy(_) => Vec::new(),
        Op::Update(op) => entry(&op.name)
            .map(|entry| match entry.manager {
                Some(manager) if !keys.contains(&entry.owner) && keys.contains(&manager) => manager,
                _ => entry.owner,
            })
            .into_iter()
            .collect(),
        Op::SetKeys(op) => entry(&op.name)
            .map(|entry| {
                let changes = entry.recovery.filter(|_| entry.recovery != op.recovery);
                std::iter::once(entry.owner).chain(changes).collect()
            })
            .unwrap_or_default(),
        Op::Transfer(op) => entry(&op.name)
            .map(|entry| std::iter::once(entry.owner).chain(entry.recovery).collect())
            .unwrap_or_default(),
        Op::Offer(op) => entry(&op.name)
            .map(|entry| {
                let recovery = entry.recovery.filter(|_| op.price != Amount::ZERO);
                std::iter::once(entry.owner).chain(recovery).collect()
            })
            .unwrap_or_default(),
        Op::Recover(op) => entry(&op.name).and_then(|entry| entry.recovery).into_iter().collect(),
    };
    signers.into_iter().fold(plan.op(op.clone()), TxPlan::signed_by)
}

/// Whether the next block would take a transaction after its payer's earlier ones in the pool.
fn try_on(transaction: &Transaction, reader: &Reader) -> Result<(), dotp2p_registry::rules::RuleError> {
    let mut draft = Draft::begin(&reader.state, reader.tip.next(), &reader.params)?;
    for earlier in reader.pool.chain(&transaction.body().payer) {
        draft.apply(&earlier.transaction)?;
    }
    draft.apply(transaction)
}

/// A reader as registrations see it.
pub struct View<'a>(pub &'a Reader);

impl Chain for View<'_> {
    fn tip(&self) -> Height {
        self.0.tip
    }

    fn rules(&self) -> &Rules {
        &self.0.params.rules
    }

    fn chain_id(&self) -> ChainId {
        self.0.params.chain_id
    }

    fn level(&self) -> u64 {
        self.0.state.level()
    }

    fn account(&self, key: &PublicKey) -> Option<Account> {
        self.0.state.account(key)
    }

    fn pooled_account(&self, key: &PublicKey) -> Option<Account> {
        let mut draft = Draft::begin(&self.0.state, self.0.tip.next(), &self.0.params).ok()?;
        for earlier in self.0.pool.chain(key) {
            draft.apply(&earlier.transaction).ok()?;
        }
        match draft.view().get(&EntryKey::Account(*key)) {
            Some(dotp2p_registry::row::Row::Account(account)) => Some(account),
            _ => None,
        }
    }

    fn name(&self, name: &Name) -> Option<(NameEntry, Stage)> {
        let (row, stage) = self.0.state.name_at(name, self.0.tip.next(), &self.0.params.rules)?;
        Some((row.entry.clone(), stage))
    }

    fn commitment(&self, hash: &CommitmentHash) -> Option<CommitmentEntry> {
        self.0.state.commitment(hash)
    }

    fn pending(&self, txid: &Txid) -> bool {
        self.0.pool.get(txid).is_some()
    }

    fn mined(&self, txid: &Txid) -> bool {
        self.0.transaction(txid).is_ok_and(|found| found.is_some())
    }

    fn fee_rate(&self) -> FeeRate {
        FEE_RATE
    }

    fn top_fee_rate(&self) -> FeeRate {
        FeeRate(self.0.pool.best_rate().saturating_add(1).max(TOP_FEE_RATE))
    }

    fn commit_burn(&self, level: u64) -> Amount {
        price::commit_burn(level)
    }

    fn claim_burn(&self, name: &Name, level: u64) -> Amount {
        let next = self.0.tip.next();
        let before = self.0.state.name(name);
        let premium = price::premium(before.as_ref().map(|row| &row.entry), next, &self.0.params.rules);
        price::claim_burn(name, level, premium).unwrap_or(Amount::MAX)
    }

    fn update_burn(&self, records_len: usize) -> Amount {
        price::update_burn(records_len)
    }

    fn renew_burn(&self, name: &Name, years: u8) -> Amount {
        price::renew_burn(name, years).unwrap_or(Amount::MAX)
    }
}
