//! Many blocks in a row: the next ones are checked on all cores while one connects and those before are written.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use dotp2p_chain::hash::BlockHash;
use dotp2p_registry::store::{End, Place, RecordKind, StoreError};

use super::{CheckedBlock, ImportError, Imported, Importer};

/// Groups of blocks that are checked ahead.
const AHEAD: usize = 1;
/// Bytes of blocks whose signatures are checked together: the first group, so that connecting begins soon, and the
/// largest. Each is twice the one before.
const GROUP_FIRST: usize = 64 << 10;
const GROUP_MAX: usize = 1 << 20;
/// Rows after which a run of blocks is written, and with which it waits for the write before.
const ROWS_PER_WRITE: usize = 20_000;
const ROWS_MAX: usize = 2 * ROWS_PER_WRITE;

/// How long the stages of a run took, each on its own thread or threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Decoding, roots and signatures, on all cores.
    pub check: Duration,
    /// Header tree, ledger, state root, undo and block files.
    pub connect: Duration,
    /// The durable writes.
    pub write: Duration,
    /// Blocks that joined the tree.
    pub blocks: u64,
    /// Blocks that were refused once their parent was there.
    pub refused: u64,
}

/// Blocks of `size` bytes, or one that is larger.
fn next_group(
    blocks: &mut impl Iterator<Item = (Vec<u8>, Option<Place>)>,
    size: usize,
) -> Vec<(Vec<u8>, Option<Place>)> {
    let (mut group, mut bytes) = (Vec::new(), 0);
    while bytes < size
        && let Some(block) = blocks.next()
    {
        bytes += block.0.len();
        group.push(block);
    }
    group
}

/// A durable write on its way; gives how long it took.
type Write<'scope> = ScopedJoinHandle<'scope, Result<Duration, StoreError>>;

/// A block whose parent has not come; one that is stored already is not held in memory.
enum Waiting {
    Block(Box<CheckedBlock>),
    Stored(Place),
}

impl Importer {
    /// Imports encoded blocks, parents first or not, and makes them durable; what is refused is passed over.
    ///
    /// `progress` hears how many blocks there are so far.
    pub fn import_all(
        &mut self,
        blocks: impl Iterator<Item = (Vec<u8>, Option<Place>)> + Send,
        progress: impl FnMut(u64),
    ) -> Result<Spent, ImportError> {
        self.recent.clear();
        self.in_run = true;
        let spent = self.run(blocks, progress);
        self.in_run = false;
        self.writing = None;
        spent
    }

    fn run(
        &mut self,
        blocks: impl Iterator<Item = (Vec<u8>, Option<Place>)> + Send,
        mut progress: impl FnMut(u64),
    ) -> Result<Spent, ImportError> {
        let params = self.params.clone();
        let (ready, queue) = sync_channel::<Vec<(CheckedBlock, Option<Place>)>>(AHEAD);
        let stored = self.store.files();
        std::thread::scope(|scope| {
            // Owned here, so that an early return drops it and the checker does not wait for ever.
            let queue = queue;
            let checker_params = params.clone();
            let checker = scope.spawn(move || {
                let (mut spent, mut size) = (Duration::ZERO, GROUP_FIRST);
                let mut blocks = blocks;
                loop {
                    let (encoded, places): (Vec<_>, Vec<_>) = next_group(&mut blocks, size).into_iter().unzip();
                    if encoded.is_empty() {
                        break;
                    }
                    size = (2 * size).min(GROUP_MAX);
                    let began = Instant::now();
                    let checked = CheckedBlock::decode_all(encoded, &checker_params);
                    spent += began.elapsed();
                    let passed = |(checked, place): (Result<_, _>, _)| {
                        checked.inspect_err(|error| tracing::debug!(%error, "passed over")).ok().map(|it| (it, place))
                    };
                    if ready.send(checked.into_iter().zip(places).filter_map(passed).collect()).is_err() {
                        break;
                    }
                }
                spent
            });
            let mut spent = Spent::default();
            let mut write: Option<Write<'_>> = None;
            let mut waiting: HashMap<BlockHash, Vec<Waiting>> = HashMap::new();
            for next in queue.iter().flatten() {
                let began = Instant::now();
                let mut ready = vec![next];
                while let Some((checked, place)) = ready.pop() {
                    let hash = checked.hash();
                    if let Some(parent) = self.missing_parent(&checked) {
                        let later = place.map_or_else(|| Waiting::Block(Box::new(checked)), Waiting::Stored);
                        waiting.entry(parent).or_default().push(later);
                        continue;
                    }
                    match self.take(checked, place) {
                        Ok(Imported::Active | Imported::Side) => {
                            spent.blocks += 1;
                            progress(spent.blocks);
                        }
                        Ok(Imported::Known) => {}
                        Err(error @ (ImportError::Store(_) | ImportError::Stopped(_))) => return Err(error),
                        Err(error) => {
                            spent.refused += 1;
                            tracing::warn!(%hash, %error, "block refused");
                        }
                    }
                    for later in waiting.remove(&hash).unwrap_or_default() {
                        let block = match later {
                            Waiting::Block(block) => Some((*block, None)),
                            Waiting::Stored(place) => stored.read(place).ok().and_then(|encoded| {
                                let checked = CheckedBlock::decode(encoded, &params, |_| false).ok()?;
                                Some((checked, Some(place)))
                            }),
                        };
                        ready.extend(block);
                    }
                }
                spent.connect += began.elapsed();
                let rows = self.pending.rows.len();
                let is_free = write.as_ref().is_none_or(ScopedJoinHandle::is_finished);
                if rows > ROWS_MAX || rows > ROWS_PER_WRITE && is_free {
                    spent.write += self.wait_for(write.take())?;
                    write = Some(self.write_beside(scope)?);
                }
            }
            spent.write += self.wait_for(write)?;
            let last = self.write_beside(scope)?;
            spent.write += self.wait_for(Some(last))?;
            spent.check = checker.join().unwrap_or_default();
            Ok(spent)
        })
    }

    /// Has what waits written on a thread of its own; what was written before must be done.
    fn write_beside<'scope>(&mut self, scope: &'scope Scope<'scope, '_>) -> Result<Write<'scope>, ImportError> {
        let begun = self.store.begin_write();
        let begun = self.written(begun)?;
        let commit = Arc::new(self.take_pending());
        self.writing = Some(commit.clone());
        Ok(scope.spawn(move || {
            let began = Instant::now();
            begun.finish(&commit).map(|()| began.elapsed())
        }))
    }

    /// How long a write took, when it is done.
    fn wait_for(&mut self, write: Option<Write<'_>>) -> Result<Duration, ImportError> {
        let Some(write) = write else { return Ok(Duration::ZERO) };
        let written = write.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        self.written(written)
    }

    fn missing_parent(&self, checked: &CheckedBlock) -> Option<BlockHash> {
        let parent = checked.parent();
        self.tree.get(&parent).is_none().then_some(parent)
    }

    /// Imports every block that stands in the block files from `start` on, in the order written; what is damaged or
    /// refused is passed over.
    pub(super) fn import_files(&mut self, start: End, progress: impl FnMut(u64)) -> Result<u64, ImportError> {
        let files = self.store.files();
        let scanned = files.scan(RecordKind::Block, start);
        let places = scanned.map_err(|error| ImportError::Store(self.store.damaged(error.to_string())))?;
        let blocks = places.into_iter().filter_map(|place| Some((files.read(place).ok()?, Some(place))));
        Ok(self.import_all(blocks, progress)?.blocks)
    }
}
