//! The product's database and block files in a folder of their own, written as the node writes them.

use dotp2p_chain::block::Block;
use dotp2p_chain::entry::EntryKey;
use dotp2p_chain::hash::ChainId;
use dotp2p_chain::height::Height;
use dotp2p_chain::params::Params;
use dotp2p_registry::row::Row;
use dotp2p_registry::state_tree::Leaf;
use dotp2p_registry::store::{ChainRow, Commit, Place, RecordKind, Store};
use dotp2p_registry::view::Change;
use tempfile::TempDir;

/// A store, and where the undo of each block is.
pub struct Durable {
    dir: TempDir,
    store: Option<Store>,
    undos: Vec<Place>,
    /// What was not committed yet: blocks of one reorganisation go in one write.
    pending: Commit,
}

impl Durable {
    pub fn new(params: &Params, rows: &[(EntryKey, Row)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let (mut store, _) = Store::open(dir.path(), params, false).expect("an empty folder opens");
        let mut pending = Commit::default();
        pending.rows.extend(rows.iter().map(|(key, row)| (key.clone(), Some(Leaf::of(key, row)))));
        let place = store.append(RecordKind::Block, &params.genesis.encode()).expect("the block files take a record");
        let genesis = ChainRow { hash: params.genesis.hash(), block: place, undo: None, burned: 0, issued: 0 };
        pending.chain.insert(Height::GENESIS, Some(genesis));
        pending.transactions.insert(Height::GENESIS, Vec::new());
        let mut durable = Self { dir, store: Some(store), undos: Vec::new(), pending };
        durable.commit();
        durable
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().expect("open but while it is opened again")
    }

    fn commit(&mut self) {
        let commit = std::mem::take(&mut self.pending);
        self.store().commit(&commit).expect("the store takes a commit");
    }

    pub fn connect(&mut self, block: &Block, changes: &[Change], undo: &[u8], chain_id: &ChainId) {
        let files = "the block files take a record";
        let place = self.store().append(RecordKind::Block, &block.encode()).expect(files);
        let undo = self.store().append(RecordKind::Undo, undo).expect(files);
        self.undos.push(undo);
        self.pending.rows.extend(changes.iter().map(|change| (change.key.clone(), change.after.clone())));
        let row = ChainRow { hash: block.hash(), block: place, undo: Some(undo), burned: 0, issued: 0 };
        let height = block.head.roots.height;
        self.pending.chain.insert(height, Some(row));
        let txids = block.transactions.iter().map(|transaction| transaction.txid(chain_id)).collect();
        self.pending.transactions.insert(height, txids);
        self.commit();
    }

    /// The undo of the last block, from its file.
    pub fn last_undo(&mut self) -> Vec<u8> {
        let place = self.undos.pop().unwrap_or_default();
        self.store().files().read(place).expect("what was appended can be read")
    }

    /// Not committed by itself: the node writes a reorganisation as a whole.
    pub fn disconnect(&mut self, changes: &[Change]) {
        self.pending.rows.extend(changes.iter().map(|change| (change.key.clone(), change.before.clone())));
        let above = u32::try_from(self.undos.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.pending.chain.insert(Height(above), None);
    }

    /// Closes the store, opens it, and gives the rows that it has.
    pub fn reopen(&mut self, params: &Params) -> Vec<(EntryKey, Row)> {
        self.commit();
        self.store = None;
        let (store, loaded) = Store::open(self.dir.path(), params, false).expect("a closed store opens again");
        self.store = Some(store);
        loaded.state.tree().entries().collect()
    }
}
