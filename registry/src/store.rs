//! Where the registry is kept: sled for what is derived, append-only files for blocks and undo.
//!
//! The only module that knows the engine. A [`Commit`] is one atomic write: a block's place, the rows it changed, the
//! indexes and the tip. `sled::flush` alone survives a killed process but not a power cut, so its file is synced as
//! well before a commit counts as durable (`store/database.rs`). Everything here but the block files can be made anew from them.

mod block_files;
mod database;
mod schema;
mod state_file;
mod tx_index;

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::entry::EntryKey;
use dotp2p_chain::hash::{BlockHash, Txid};
use dotp2p_chain::height::Height;
use dotp2p_chain::params::Params;
use parity_scale_codec::{Compact, Decode, Encode};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

pub use self::block_files::{BlockFiles, BlockWriter, End, Place, RecordKind};
use self::database::DatabaseFiles;
use crate::row::Row;
use crate::state::State;
use crate::state_tree::{Item, Leaf};
use crate::view::Change;

/// The number of this release's layout on disk.
pub const FORMAT: u32 = 1;
/// Bytes that sled may cache.
const CACHE_BYTES: u64 = 64 << 20;

/// Why the store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error("{0} is in use by another node; stop it, or give this one another --data-dir")]
    InUse(PathBuf),
    /// Another network's.
    #[error("{dir} belongs to network {found}, this node runs {expected}; give it another --data-dir")]
    OtherNetwork {
        /// The folder.
        dir: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// Written by a later release.
    #[error(
        "{dir} has format {found}, this release reads {FORMAT}; use the release that wrote it, or a newer one; \
        if none did, the file format.json in it is damaged: remove it"
    )]
    NewerFormat {
        /// The folder.
        dir: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The file that says what the folder is cannot be understood.
    #[error("{0} is damaged; start once with --reindex, which writes it anew if the blocks are this network's")]
    FormatFile(PathBuf),
    /// The engine failed.
    #[error("database {dir}: {error}; if this persists, start once with --reindex, which rebuilds it from the blocks")]
    Database {
        /// The folder.
        dir: PathBuf,
        /// What it says.
        error: sled::Error,
    },
    /// The file system failed.
    #[error("{path}: {error}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
    /// What is stored contradicts itself.
    #[error("{dir} is damaged: {what}; start once with --reindex, which rebuilds it from the blocks")]
    Damaged {
        /// The folder.
        dir: PathBuf,
        /// What does not fit.
        what: String,
    },
}

/// A block of the active chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ChainRow {
    /// Its hash.
    pub hash: BlockHash,
    /// Where it is.
    pub block: Place,
    /// Where its undo is; genesis has none.
    pub undo: Option<Place>,
    /// Atoms burned by it and all blocks before.
    pub burned: u64,
    /// Atoms issued by it and all blocks before.
    pub issued: u64,
}

/// A known header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadRow {
    /// In the order they came; a parent's is lower.
    pub sequence: u64,
    /// Header, roots and work.
    pub head: BlockHead,
    /// The body, if it is here.
    pub block: Option<Place>,
    /// Whether the ledger refused it, or a block before it.
    pub rejected: bool,
}

/// What is stored once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Meta {
    /// The serial of the served zone: one more for each version that block state gives.
    pub serial: u32,
    /// The hold after a reorganisation: last common height, the height at which it ends (L3).
    pub hold: Option<(Height, Height)>,
    /// The next [`HeadRow::sequence`].
    pub sequence: u64,
    /// Where the block files ended; what lies behind was written by a run that was killed before its commit.
    pub end: End,
    /// Whether the database is being rebuilt from the block files; one found so was interrupted and is thrown away.
    pub reindexing: bool,
}

/// One atomic write.
#[derive(Debug, Default)]
pub struct Commit {
    /// Rows that changed; `None` removes.
    pub rows: HashMap<EntryKey, Option<Leaf>, foldhash::fast::RandomState>,
    /// Heights of the active chain that changed; `None` above the new tip.
    pub chain: BTreeMap<Height, Option<ChainRow>>,
    /// Headers that are new or changed.
    pub heads: BTreeMap<BlockHash, HeadRow>,
    /// Transactions of connected blocks, for the index.
    pub transactions: BTreeMap<Height, Vec<Txid>>,
    /// As it is after the write.
    pub meta: Meta,
}

/// All that was stored, read at start.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The state; that its root is the tip's is not checked yet.
    pub state: State,
    /// The active chain from genesis on.
    pub chain: Vec<ChainRow>,
    /// Every header, in order of sequence.
    pub heads: Vec<(BlockHash, HeadRow)>,
    /// What is stored once.
    pub meta: Meta,
    /// What the state is made of.
    items: Vec<Item>,
    indexed: tx_index::Indexed,
}

impl Loaded {
    /// Adds what stood behind it in the database.
    fn append(&mut self, mut behind: Self) {
        self.items.append(&mut behind.items);
        self.chain.append(&mut behind.chain);
        self.heads.append(&mut behind.heads);
        self.indexed.append(behind.indexed);
    }
}

/// The store of one network's folder; holding one locks the folder.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    db: sled::Db,
    db_files: Arc<Mutex<DatabaseFiles>>,
    writer: BlockWriter,
    /// The tip whose rows stand in `state.dat`, until more is written.
    copied: Option<BlockHash>,
    _lock: File,
}

impl Store {
    /// Opens the folder `dir`, making it where it is missing; refuses one of another network, of a newer format, in use.
    ///
    /// `reindex` throws the database away first; the blocks stay.
    pub fn open(dir: &Path, params: &Params, reindex: bool) -> Result<(Self, Loaded), StoreError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |error| StoreError::Io { path, error }
        };
        std::fs::create_dir_all(dir).map_err(io(dir))?;
        let lock_path = dir.join(".lock");
        let lock = File::create(&lock_path).map_err(io(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse(dir.to_owned()),
            TryLockError::Error(error) => StoreError::Io { path: lock_path.clone(), error },
        })?;
        schema::check_format(dir, params, reindex)?;
        let blocks = dir.join("blocks");
        let writer = BlockWriter::open(&blocks).map_err(io(&blocks))?;
        let db_dir = dir.join("db");
        if reindex {
            database::throw_away(&db_dir).map_err(io(&db_dir))?;
            state_file::remove(dir).map_err(io(dir))?;
        }
        database::remove_drafts(&db_dir).map_err(io(&db_dir))?;
        state_file::remove_draft(dir).map_err(io(dir))?;
        let config = sled::Config::new().path(&db_dir).cache_capacity(CACHE_BYTES).flush_every_ms(Some(500));
        let (db, copy) = rayon::join(
            || database::open(&config),
            || {
                let copy = state_file::read(dir);
                database::warm(&db_dir);
                copy.map(|(tip, items)| (tip, State::from_items(items)))
            },
        );
        let db = db.map_err(|error| database::error(&db_dir, error))?;
        let db_files = Arc::new(Mutex::new(DatabaseFiles::open(&db_dir).map_err(io(&db_dir))?));
        sync_path(dir).map_err(io(dir))?;
        let mut store = Self { dir: dir.to_owned(), db, db_files, writer, copied: None, _lock: lock };
        let loaded = store.load(copy)?;
        if loaded.meta.reindexing {
            // Emptying it in place could be interrupted half-way.
            drop(store);
            return Self::open(dir, params, true);
        }
        Ok((store, loaded))
    }

    /// Reads everything but the state, and that too unless `copy` is of the tip.
    fn load(&mut self, copy: Option<(BlockHash, State)>) -> Result<Loaded, StoreError> {
        let meta = self.db.get(schema::meta_key()).map_err(|error| self.database(error))?;
        let meta = meta.map(|value| schema::decode_meta(&value)).transpose().map_err(|what| self.damaged(what))?;
        let meta = meta.unwrap_or_default();
        if meta.reindexing {
            // A rebuild that was interrupted is begun anew, whatever it has left.
            return Ok(Loaded { meta, ..Loaded::default() });
        }
        let mut loaded = Loaded { meta, ..self.load_ranges(schema::other_ranges(&self.db))? };
        let tip = loaded.chain.last().map(|row| row.hash);
        self.copied = copy.as_ref().map(|(of, _)| *of);
        if let Some((of, state)) = copy
            && Some(of) == tip
        {
            loaded.state = state;
        } else {
            let items = self.load_ranges(schema::state_ranges(&self.db))?.items;
            loaded.state = State::from_items(items);
        }
        loaded.heads.sort_by_key(|(_, head)| head.sequence);
        self.check_loaded(&loaded).map_err(|what| self.damaged(what))?;
        Ok(loaded)
    }

    /// Many ranges, for all cores: the engine reads a page at a time and only when asked.
    fn load_ranges(&self, ranges: sled::Result<Vec<schema::Range>>) -> Result<Loaded, StoreError> {
        let ranges = ranges.map_err(|error| self.database(error))?;
        let parts: Vec<Loaded> =
            ranges.into_par_iter().map(|range| self.load_range(range)).collect::<Result<_, _>>()?;
        let mut loaded = Loaded::default();
        parts.into_iter().for_each(|part| loaded.append(part));
        Ok(loaded)
    }

    fn load_range(&self, range: schema::Range) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded::default();
        for item in self.db.range(range) {
            let (key, value) = item.map_err(|error| self.database(error))?;
            schema::load(&mut loaded, &key, &value).map_err(|what| self.damaged(what))?;
        }
        Ok(loaded)
    }

    /// Whether all parts of the last commit are there. The engine keeps a commit whole while its log is; where the log
    /// was torn or damaged, it may have kept some of one.
    fn check_loaded(&self, loaded: &Loaded) -> Result<(), String> {
        let (known, found) = (loaded.meta.end, self.writer.end());
        if found < known {
            return Err(format!("the block files end at {found}, where {known} was written"));
        }
        if loaded.heads.last().is_some_and(|(_, head)| head.sequence >= loaded.meta.sequence) {
            return Err("a header is newer than the tip".to_owned());
        }
        match loaded.indexed.missing(Height(u32::try_from(loaded.chain.len().saturating_sub(1)).unwrap_or(u32::MAX))) {
            Some(height) => Err(format!("the index of transactions lacks height {height}")),
            None => Ok(()),
        }
    }

    fn database(&self, error: sled::Error) -> StoreError {
        database::error(&self.dir.join("db"), error)
    }

    /// Throws away everything but the block files.
    pub fn clear(&mut self) -> Result<(), StoreError> {
        self.db.clear().map_err(|error| self.database(error))?;
        self.db.flush().map(|_| ()).map_err(|error| self.database(error))
    }

    /// The network's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// An error that says what does not fit and how to mend it.
    #[must_use]
    pub fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { dir: self.dir.clone(), what: what.into() }
    }

    /// The block files, for readers.
    #[must_use]
    pub fn files(&self) -> Arc<BlockFiles> {
        self.writer.files()
    }

    /// A handle that finds headers and transactions.
    #[must_use]
    pub fn lookup(&self) -> Lookup {
        Lookup(self.db.clone())
    }

    /// Appends a block or an undo; durable with the next commit.
    pub fn append(&mut self, kind: RecordKind, bytes: &[u8]) -> Result<Place, StoreError> {
        self.writer.append(kind, bytes).map_err(|error| StoreError::Io { path: self.dir.join("blocks"), error })
    }

    /// Does `commit` as a whole or not at all, and returns when a power cut can no longer undo it.
    pub fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.begin_write()?.finish(commit)
    }

    /// Begins a durable write, which may be finished on another thread while more is appended. One is finished before the
    /// next is: a later one counts on what is written by those before.
    pub fn begin_write(&mut self) -> Result<DurableWrite, StoreError> {
        // What is written from here on would not be in it, and a torn commit that it hides would be found much later.
        if self.copied.take().is_some() {
            let removed = state_file::remove(&self.dir).and_then(|()| File::open(&self.dir)?.sync_all());
            removed.map_err(|error| StoreError::Io { path: self.dir.join("state.dat"), error })?;
        }
        let blocks = self.writer.unsynced();
        let blocks = blocks.map_err(|error| StoreError::Io { path: self.dir.join("blocks"), error })?;
        let (dir, end) = (self.dir.clone(), self.writer.end());
        Ok(DurableWrite { dir, blocks, end, db: self.db.clone(), db_files: self.db_files.clone() })
    }

    /// Leaves a copy of the state at `tip`, from which the next start is quicker; what is there already is not written again.
    pub fn copy_state<'a>(
        &mut self,
        tip: &BlockHash,
        leaves: impl Iterator<Item = &'a Leaf>,
    ) -> Result<(), StoreError> {
        if self.copied == Some(*tip) {
            return Ok(());
        }
        self.copied = None;
        state_file::write(&self.dir, tip, leaves)
            .map_err(|error| StoreError::Io { path: self.dir.join("state.dat"), error })?;
        self.copied = Some(*tip);
        Ok(())
    }

    /// Bytes on disk: database with the copy of the state, and block files.
    pub fn disk_bytes(&self) -> io::Result<(u64, u64)> {
        let blocks = std::fs::read_dir(self.dir.join("blocks"))?
            .map(|entry| entry.and_then(|entry| entry.metadata()).map(|meta| meta.len()))
            .sum::<io::Result<u64>>()?;
        let db = self.db.size_on_disk().map_err(io::Error::other)?;
        Ok((db + state_file::size(&self.dir), blocks))
    }
}

/// A durable write that was begun: of everything appended until then.
#[derive(Debug)]
#[must_use = "nothing is durable before it is finished"]
pub struct DurableWrite {
    dir: PathBuf,
    blocks: Option<Arc<File>>,
    end: End,
    db: sled::Db,
    db_files: Arc<Mutex<DatabaseFiles>>,
}

impl DurableWrite {
    /// Does `commit` as a whole or not at all, and returns when a power cut can no longer undo it.
    pub fn finish(self, commit: &Commit) -> Result<(), StoreError> {
        let io = |folder: &str| {
            let path = self.dir.join(folder);
            move |error| StoreError::Io { path, error }
        };
        let database = |error| database::error(&self.dir.join("db"), error);
        if let Some(blocks) = &self.blocks {
            blocks.sync_data().map_err(io("blocks"))?;
        }
        let mut batch = sled::Batch::default();
        schema::write(&mut batch, commit, self.end);
        let later = tx_index::write(&self.db, &mut batch, commit).map_err(database)?;
        self.db.apply_batch(batch).map_err(database)?;
        self.db.flush().map_err(database)?;
        self.db_files.lock().unwrap_or_else(PoisonError::into_inner).sync().map_err(io("db"))?;
        tx_index::finish(&self.db, later).map_err(database)?;
        // The engine frees the pages that were replaced a few at each call: with nothing but large writes they pile up
        // to gigabytes. One call for each four rows, none of which reads a page that is not there, keeps pace.
        (0..commit.rows.len() / 4).try_for_each(|_| self.db.get(schema::meta_key()).map(drop)).map_err(database)
    }
}

/// Makes the names on the way to `dir` survive a power cut: a folder is lost with its name in the folder above.
fn sync_path(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()?;
    for above in std::path::absolute(dir)?.ancestors().skip(1) {
        // Only those that we may have made are ours to care for, and those can be synced.
        let _ = File::open(above).and_then(|above| above.sync_all());
    }
    Ok(())
}

/// Finds headers and transactions by what names them.
#[derive(Clone, Debug)]
pub struct Lookup(sled::Db);

impl Lookup {
    /// The header of that hash, on the active chain or not.
    pub fn head(&self, hash: &BlockHash) -> Result<Option<HeadRow>, sled::Error> {
        Ok(self.0.get(schema::head_key(hash))?.and_then(|value| schema::decode_head(&value)))
    }

    /// Where transactions whose id begins like `txid` may be: height and place in the block. Candidates, newest first, some
    /// perhaps twice: the caller compares ids, because entries of disconnected blocks are left behind.
    pub fn transactions(&self, txid: &Txid) -> impl Iterator<Item = Result<(Height, u32), sled::Error>> {
        tx_index::candidates(&self.0, txid)
    }
}

/// The bytes of an undo: the prior row of each entry that a block changed. Records that the block left as they were are
/// left out; whoever goes back has them in the row after it ([`crate::query::undo_changes`]).
#[must_use]
pub fn encode_undo(changes: &[Change]) -> Vec<u8> {
    // As a `Vec<(Vec<u8>, Option<Vec<u8>>)>`, but none of these vectors is made.
    let (mut out, mut bytes) = (Vec::with_capacity(256 * changes.len()), Vec::new());
    let put = |out: &mut Vec<u8>, bytes: &mut Vec<u8>| {
        bytes.as_slice().encode_to(out);
        bytes.clear();
    };
    Compact(u32::try_from(changes.len()).unwrap_or(u32::MAX)).encode_to(&mut out);
    for change in changes {
        change.key.bytes_to(&mut bytes);
        put(&mut out, &mut bytes);
        let Some(before) = &change.before else {
            out.push(0);
            continue;
        };
        out.push(1);
        let after = change.after.as_ref().and_then(Leaf::beside_records);
        match (before.beside_records(), after) {
            (Some((row, records)), Some((_, same))) if records == same => {
                bytes.extend_from_slice(row);
                bytes.push(0);
            }
            _ => bytes.extend_from_slice(before.row_bytes()),
        }
        put(&mut out, &mut bytes);
    }
    out
}

/// The prior rows that [`encode_undo`] wrote.
pub fn decode_undo(bytes: &[u8]) -> Option<Vec<(EntryKey, Option<Row>)>> {
    let mut input = bytes;
    let rows = Vec::<(Vec<u8>, Option<Vec<u8>>)>::decode(&mut input).ok()?;
    if !input.is_empty() {
        return None;
    }
    rows.into_iter()
        .map(|(key, row)| {
            let key = EntryKey::from_bytes(&key)?;
            let row = row.map(|row| Row::decode(&key, &row)).transpose().ok()?;
            Some((key, row))
        })
        .collect()
}
