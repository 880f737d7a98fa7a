//! A chain of a few blocks, made by the ledger itself.

use std::sync::Arc;

use dotp2p_chain::block::{Block, BlockHead, Coinbase, Pow, tx_root};
use dotp2p_chain::check::HeaderContext;
use dotp2p_chain::hash::HistoryRoot;
use dotp2p_chain::header::{Header, Roots};
use dotp2p_chain::height::Height;
use dotp2p_chain::history::{History, Node as HistoryNode};
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::Params;
use dotp2p_chain::pow::Work;
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::ledger::{Connected, apply_block};
use dotp2p_registry::mempool::{Limits, Mempool, PoolError};
use dotp2p_registry::query::Reader;
use dotp2p_registry::state::State;
use dotp2p_registry::store::{ChainRow, Commit, HeadRow, Meta, RecordKind, Store, encode_undo};
use imbl::Vector;

/// A growing chain of regtest.
pub struct TestChain {
    pub params: Arc<Params>,
    pub pool: Mempool,
    store: Store,
    heads: Vec<BlockHead>,
    states: Vec<State>,
    rows: Vector<ChainRow>,
    history: History,
    work: Work,
    _dir: tempfile::TempDir,
}

impl TestChain {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let params = Arc::new(Params::regtest());
        let (store, _) = Store::open(dir.path(), &params, false).unwrap();
        let mut chain = Self {
            params: params.clone(),
            pool: Mempool::new(Limits::default()),
            store,
            heads: Vec::new(),
            states: Vec::new(),
            rows: Vector::new(),
            history: History::new(),
            work: Work::ZERO,
            _dir: dir,
        };
        chain.store(&params.genesis, State::genesis(), None);
        chain
    }

    pub fn tip(&self) -> Height {
        Height(u32::try_from(self.rows.len()).unwrap() - 1)
    }

    pub fn state(&self) -> &State {
        self.states.last().unwrap()
    }

    /// Mines a block of `transactions` that rewards `to`.
    pub fn mine(&mut self, to: PublicKey, transactions: Vec<Transaction>) {
        let (height, coinbase) = (self.tip().next(), Coinbase { to, extra: Vec::new() });
        let connected = apply_block(self.state(), height, &coinbase, &transactions, &self.params).unwrap();
        let mut state = self.state().clone();
        state.apply(&connected.changes);
        let roots = Roots {
            height,
            tx_root: tx_root(&coinbase, &transactions),
            state_root: state.root(),
            history_root: self.history.root(),
        };
        let rules = &self.params.rules;
        let mut header = Header {
            version: 1,
            prev_blockhash: self.heads.last().unwrap().hash(),
            commitment: roots.commitment(),
            time: rules.genesis_time + 60 * u64::from(height.0),
            bits: rules.genesis_bits,
            nonce: 0,
        };
        let target = header.bits.to_target().unwrap();
        while !target.is_met_by(&header.hash()) {
            header.nonce += 1;
        }
        let block = Block { head: BlockHead { header, roots, pow: Pow::Native }, coinbase, transactions };
        self.store(&block, state, Some(&connected));
        let (state, params) = (self.state().clone(), self.params.clone());
        self.pool.tip_moved(Vec::new(), &state, height, &params, 0);
    }

    fn store(&mut self, block: &Block, state: State, connected: Option<&Connected>) {
        let (hash, height) = (block.hash(), block.head.roots.height);
        let place = self.store.append(RecordKind::Block, &block.encode()).unwrap();
        let undo = connected.map(|it| self.store.append(RecordKind::Undo, &encode_undo(&it.changes)).unwrap());
        let before = self.rows.last().map_or((0, 0), |row| (row.burned, row.issued));
        let row = ChainRow {
            hash,
            block: place,
            undo,
            burned: before.0 + connected.map_or(0, |it| it.tally.burned.atoms()),
            issued: before.1 + self.params.rules.subsidy_at(height).atoms(),
        };
        let head = HeadRow { sequence: height.0.into(), head: block.head, block: Some(place), rejected: false };
        let txids = block.transactions.iter().map(|tx| tx.txid(&self.params.chain_id)).collect();
        let mut commit = Commit {
            chain: [(height, Some(row))].into(),
            heads: [(hash, head)].into(),
            transactions: [(height, txids)].into(),
            ..Commit::default()
        };
        if let Some(connected) = connected {
            commit.rows.extend(connected.changes.iter().map(|change| (change.key.clone(), change.after.clone())));
        }
        self.store.commit(&commit).unwrap();
        self.history.push(HistoryNode::leaf(&block.head.header).unwrap());
        self.work = self.work.saturating_add(block.head.header.bits.to_target().unwrap().work());
        self.heads.push(block.head);
        self.states.push(state);
        self.rows.push_back(row);
    }

    pub fn offer(&mut self, transaction: Transaction) -> Result<(), PoolError> {
        let (state, tip, params) = (self.state().clone(), self.tip(), self.params.clone());
        self.pool.add(transaction, &state, tip, &params, 0).map(drop)
    }

    pub fn reader(&self) -> Reader {
        let tip = self.tip();
        let settled = Height(tip.0.saturating_sub(self.params.deployment.dns_confirmations));
        let settled = (settled, self.states[settled.0 as usize].clone());
        let state = self.state().clone();
        let head = *self.heads.last().unwrap();
        let mut reader = Reader {
            params: self.params.clone(),
            tip,
            head,
            work: self.work,
            headers: tip,
            headers_work: self.work,
            next_context: HeaderContext {
                parent: head.hash(),
                parent_height: tip,
                parent_time: head.header.time,
                times: vec![head.header.time],
                first_time: None,
            },
            next_history: HistoryRoot::ZERO,
            chain: self.rows.clone(),
            pool: Arc::new(self.pool.clone()),
            unsettled: Arc::default(),
            provisional: Arc::default(),
            branches: Default::default(),
            conflicts: Default::default(),
            aside: 0,
            reorganisations: Default::default(),
            meta: Meta { serial: 7, ..Meta::default() },
            files: self.store.files(),
            lookup: self.store.lookup(),
            settled,
            state,
        };
        let unsettled = reader.find_unsettled(None).unwrap();
        let served = |name: &_| !unsettled.contains_key(name);
        let provisional = self.pool.provisional(&reader.state, tip, &self.params.rules, served);
        (reader.unsettled, reader.provisional) = (Arc::new(unsettled), Arc::new(provisional));
        reader
    }
}
