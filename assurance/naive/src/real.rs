//! The product's side: the registry's own state, ledger and store, driven as the node drives them.

use dotp2p_chain::block::{Block, BlockHead, Coinbase};
use dotp2p_chain::entry::{Account, EntryKey};
use dotp2p_chain::hash::{StateRoot, TxRoot};
use dotp2p_chain::header::Roots;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::name::NameError;
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::{Body, Transaction};
use dotp2p_registry::ledger::{Connected, LedgerError, connect_block, disconnect_block};
use dotp2p_registry::query::undo_changes;
use dotp2p_registry::row::Row;
use dotp2p_registry::rules::RuleError;
use dotp2p_registry::state::State;
use dotp2p_registry::store::{decode_undo, encode_undo};
use dotp2p_registry::view::Change;
use fastrand::Rng;

use crate::durable::Durable;
use crate::naive::Key;

/// A block that was connected, and the way back.
pub struct Done {
    /// As connected.
    pub block: Block,
    /// The state before, a snapshot.
    pub before: State,
    changes: Vec<Change>,
    undo: Vec<u8>,
}

/// The registry's state and the blocks above genesis.
pub struct Real {
    /// After the last block.
    pub state: State,
    /// In order.
    pub done: Vec<Done>,
    durable: Option<Durable>,
}

impl Real {
    /// Genesis, and these accounts besides.
    pub fn new(params: &Params, preset: &[(PublicKey, Account)], durable: bool) -> Self {
        let genesis = State::genesis();
        let mut rows = rows(&genesis);
        rows.extend(preset.iter().map(|(key, account)| (EntryKey::Account(*key), Row::Account(*account))));
        let durable = durable.then(|| Durable::new(params, &rows));
        Self { state: State::from_rows(rows), done: Vec::new(), durable }
    }

    /// Connects a block, and stores it where there is a database.
    pub fn connect(&mut self, block: Block, params: &Params) -> Result<Connected, LedgerError> {
        let before = self.state.clone();
        let connected = connect_block(&mut self.state, &block, params)?;
        let undo = encode_undo(&connected.changes);
        if let Some(durable) = &mut self.durable {
            durable.connect(&block, &connected.changes, &undo, &params.chain_id);
        }
        self.done.push(Done { block, before, changes: connected.changes.clone(), undo });
        Ok(connected)
    }

    /// Takes the last block back: by the changes it gave, or by the undo that is on disk.
    pub fn disconnect(&mut self, from_bytes: bool) -> Result<Option<Block>, String> {
        let Some(done) = self.done.pop() else { return Ok(None) };
        let mut changes = done.changes;
        if from_bytes || self.durable.is_some() {
            let undo = self.durable.as_mut().map_or(done.undo, Durable::last_undo);
            let rows = decode_undo(&undo).ok_or("the undo does not decode")?;
            let read = undo_changes(&self.state, rows);
            if read != changes {
                return Err(format!("the undo reads {read:?}, the block changed {changes:?}"));
            }
            changes = read;
        }
        disconnect_block(&mut self.state, &changes);
        if let Some(durable) = &mut self.durable {
            durable.disconnect(&changes);
        }
        match same_rows(&self.state, &done.before) {
            true => Ok(Some(done.block)),
            false => Err("S13: a disconnected block left something behind".to_owned()),
        }
    }

    /// Writes the state out as rows and reads it again; says whether a database had a part in it.
    pub fn restart(&mut self, rng: &mut Rng, params: &Params) -> Result<bool, String> {
        let stored = match &mut self.durable {
            Some(durable) => durable.reopen(params),
            None => {
                let written = rows(&self.state).into_iter().map(|(key, row)| (key.bytes(), row.encode()));
                let mut written: Vec<_> = written.collect();
                rng.shuffle(&mut written);
                let read = written.into_iter().map(|(key, row)| {
                    let key = EntryKey::from_bytes(&key)?;
                    let row = Row::decode(&key, &row).ok()?;
                    Some((key, row))
                });
                read.collect::<Option<Vec<_>>>().ok_or("a row does not decode")?
            }
        };
        let again = State::from_rows(stored);
        if !same_rows(&again, &self.state) || again.root() != self.state.root() {
            return Err("the state read again is another".to_owned());
        }
        self.state = again;
        Ok(self.durable.is_some())
    }
}

/// Every row of a state.
pub fn rows(state: &State) -> Vec<(EntryKey, Row)> {
    state.tree().entries().collect()
}

fn same_rows(a: &State, b: &State) -> bool {
    a.tree().entries().eq(b.tree().entries())
}

/// A block that says what the ledger looks at: height, state root, coinbase, transactions.
pub fn block(params: &Params, height: u32, to: Key, transactions: Vec<Transaction>, state_root: [u8; 32]) -> Block {
    let (height, state_root) = (Height(height), StateRoot(state_root));
    let coinbase = Coinbase { to: PublicKey(to), extra: Vec::new() };
    let roots = Roots { height, tx_root: TxRoot::ZERO, state_root, ..params.genesis.head.roots };
    Block { head: BlockHead { roots, ..params.genesis.head }, coinbase, transactions }
}

/// With signatures that nobody checks here.
pub fn unsigned(body: Body) -> Transaction {
    let signatures = vec![Signature([0; 64]); 1 + body.signers.len()];
    Transaction::new(body, signatures).expect("a signature for the payer and one for each signer")
}

/// The rule that an error names: the last one in parentheses.
pub fn rule_of(error: &RuleError) -> String {
    match error {
        RuleError::ClaimName(NameError::Reserved(_)) => return "N8b".to_owned(),
        RuleError::ClaimName(_) => return "N8a".to_owned(),
        RuleError::NonceEnd => return "T7h".to_owned(),
        _ => {}
    }
    let text = error.to_string();
    text.rsplit_once('(').and_then(|(_, rule)| rule.strip_suffix(')')).unwrap_or(&text).to_owned()
}
