//! Many blocks in a row: the next ones are checked on all cores while one connects and those before are written.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use dotp2p_chain::check;
use dotp2p_chain::hash::BlockHash;
use dotp2p_registry::store::{BlockFiles, End, Place, RecordKind, StoreError};

use super::{CheckedBlock, ImportError, Imported, Importer};

/// Groups of blocks that are checked ahead.
const AHEAD: usize = 1;
/// Bytes of blocks whose signatures are checked together: the first group, so that connecting begins soon, and the
/// largest. Each is twice the one before.
const GROUP_FIRST: usize = 64 << 10;
const GROUP_MAX: usize = 1 << 20;
/// Rows after which a run of blocks is written, and with which it waits for the write before.
const ROWS_PER_WRITE: usize = 40_000;
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
    /// Blocks that were here before.
    pub known: u64,
    /// Blocks that were refused once their parent was there.
    pub refused: u64,
}

/// What ended a run of blocks that were to be taken in order.
#[derive(Debug)]
pub struct Refusal {
    /// The block's place in the run, from 0.
    pub at: u64,
    /// Why it was refused.
    pub error: ImportError,
}

/// What a run does with blocks that are refused, or come before their parents.
#[derive(Clone, Copy)]
enum Run {
    /// Passes over the one and keeps the other until the parent is there; the clock is not asked.
    AnyOrder,
    /// Ends with the first, by this clock in Unix seconds.
    InOrder { now_s: u64 },
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

/// A block that was checked and where it is stored, or why it is none.
type Checked = Result<(CheckedBlock, Option<Place>), ImportError>;

/// A durable write on its way; gives how long it took.
type Write<'scope> = ScopedJoinHandle<'scope, Result<Duration, StoreError>>;

/// A block whose parent has not come; one that is stored already is not held in memory.
enum Waiting {
    Block(Box<CheckedBlock>),
    Stored(Place),
}

/// By parent, with the hash of each.
type WaitingBlocks = HashMap<BlockHash, Vec<(BlockHash, Waiting)>>;

impl Importer {
    /// Imports encoded blocks, parents first or not, and makes them durable; what is refused is passed over.
    ///
    /// `progress` hears how many blocks there are so far.
    pub fn import_all(
        &mut self,
        blocks: impl Iterator<Item = (Vec<u8>, Option<Place>)> + Send,
        progress: impl FnMut(u64),
    ) -> Result<Spent, ImportError> {
        Ok(self.run(blocks, Run::AnyOrder, progress)?.0)
    }

    /// Imports encoded blocks that come from elsewhere, parents first, up to the first that is refused, and makes them
    /// durable; what was good before that one stays.
    ///
    /// - `now_s`: the clock in Unix seconds, which no block may be far ahead of (B12c).
    /// - The outer error is the store's: then nothing is taken any more.
    pub fn import_in_order(
        &mut self,
        blocks: impl Iterator<Item = Vec<u8>> + Send,
        now_s: u64,
    ) -> Result<(Spent, Option<Refusal>), ImportError> {
        self.run(blocks.map(|block| (block, None)), Run::InOrder { now_s }, |_| ())
    }

    fn run(
        &mut self,
        blocks: impl Iterator<Item = (Vec<u8>, Option<Place>)> + Send,
        run: Run,
        progress: impl FnMut(u64),
    ) -> Result<(Spent, Option<Refusal>), ImportError> {
        self.recent.clear();
        self.in_run = true;
        let ended = self.stages(blocks, run, progress);
        self.in_run = false;
        self.writing = None;
        ended
    }

    fn stages(
        &mut self,
        blocks: impl Iterator<Item = (Vec<u8>, Option<Place>)> + Send,
        run: Run,
        mut progress: impl FnMut(u64),
    ) -> Result<(Spent, Option<Refusal>), ImportError> {
        let params = self.params.clone();
        let (ready, queue) = sync_channel::<Vec<Checked>>(AHEAD);
        std::thread::scope(|scope| {
            // Owned here, so that an early return drops it and the checker does not wait for ever.
            let queue = queue;
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
                    let checked = CheckedBlock::decode_all(encoded, &params);
                    spent += began.elapsed();
                    let placed = |(checked, place): (Result<_, _>, _)| checked.map(|checked| (checked, place));
                    if ready.send(checked.into_iter().zip(places).map(placed).collect()).is_err() {
                        break;
                    }
                }
                spent
            });
            let mut spent = Spent::default();
            let mut write: Option<Write<'_>> = None;
            let mut waiting = WaitingBlocks::new();
            let mut refusal = None;
            'run: for (next, at) in queue.iter().flatten().zip(0..) {
                // It, and those that have waited for it, one by one: however many they are, what waits to be written is bounded.
                let mut ready = vec![next];
                while let Some(next) = ready.pop() {
                    let began = Instant::now();
                    let taken = match (run, next) {
                        (Run::InOrder { now_s }, next) => self.take_next(next, now_s, &mut spent),
                        (Run::AnyOrder, Ok(next)) => {
                            self.take_or_wait(next, &mut waiting, &mut ready, &mut spent, &mut progress)
                        }
                        (Run::AnyOrder, Err(error)) => {
                            tracing::debug!(%error, "passed over");
                            Ok(())
                        }
                    };
                    match taken {
                        Ok(()) => {}
                        Err(error @ (ImportError::Store(_) | ImportError::Stopped(_))) => return Err(error),
                        Err(error) => {
                            refusal = Some(Refusal { at, error });
                            break 'run;
                        }
                    }
                    spent.connect += began.elapsed();
                    if matches!(run, Run::AnyOrder) {
                        self.forget_disconnected();
                    }
                    let rows = self.pending_rows();
                    let is_free = write.as_ref().is_none_or(ScopedJoinHandle::is_finished);
                    if rows > ROWS_MAX || rows > ROWS_PER_WRITE && is_free {
                        spent.write += self.wait_for(write.take())?;
                        write = Some(self.write_beside(scope)?);
                    }
                }
            }
            // A checker that waits to hand over more shall not.
            drop(queue);
            let left: HashSet<BlockHash> = waiting.values().flatten().map(|(hash, _)| *hash).collect();
            for parent in waiting.keys().filter(|parent| !left.contains(parent)) {
                tracing::warn!(blocks = left.len(), %parent, "blocks are left out, for this one is not there; peers, if there are any, give it");
            }
            spent.write += self.wait_for(write)?;
            if self.has_pending() {
                let last = self.write_beside(scope)?;
                spent.write += self.wait_for(Some(last))?;
            }
            spent.check = checker.join().unwrap_or_default();
            Ok((spent, refusal))
        })
    }

    /// Takes the next block of a run in order.
    fn take_next(&mut self, next: Checked, now_s: u64, spent: &mut Spent) -> Result<(), ImportError> {
        let (checked, place) = next?;
        check::check_clock(checked.block.head.header.time, now_s, &self.params.rules)?;
        match self.take(checked, place)? {
            Imported::Active | Imported::Side => spent.blocks += 1,
            Imported::Known => spent.known += 1,
        }
        Ok(())
    }

    /// Takes a block; one whose parent is missing waits. Those that waited for it are `ready` then, the first in the files
    /// last: it is to be taken first (B16). What is refused is passed over.
    fn take_or_wait(
        &mut self,
        next: (CheckedBlock, Option<Place>),
        waiting: &mut WaitingBlocks,
        ready: &mut Vec<Checked>,
        spent: &mut Spent,
        progress: &mut impl FnMut(u64),
    ) -> Result<(), ImportError> {
        let (checked, place) = next;
        let hash = checked.hash();
        if let Some(parent) = self.missing_parent(&checked) {
            let later = place.map_or_else(|| Waiting::Block(Box::new(checked)), Waiting::Stored);
            waiting.entry(parent).or_default().push((hash, later));
            return Ok(());
        }
        match self.take(checked, place) {
            Ok(Imported::Active | Imported::Side) => {
                spent.blocks += 1;
                progress(spent.blocks);
            }
            Ok(Imported::Known) => spent.known += 1,
            Err(error @ (ImportError::Store(_) | ImportError::Stopped(_))) => return Err(error),
            Err(error) => {
                spent.refused += 1;
                tracing::warn!(%hash, %error, "block refused");
            }
        }
        for (_, later) in waiting.remove(&hash).unwrap_or_default().into_iter().rev() {
            ready.extend(self.again(later)?.map(Ok));
        }
        Ok(())
    }

    /// A block that waited for its parent.
    fn again(&self, later: Waiting) -> Result<Option<(CheckedBlock, Option<Place>)>, ImportError> {
        let place = match later {
            Waiting::Block(block) => return Ok(Some((*block, None))),
            Waiting::Stored(place) => place,
        };
        let Some(encoded) = read_undamaged(&self.store.files(), place).map_err(|error| self.unreadable(error))? else {
            return Ok(None);
        };
        let checked = CheckedBlock::decode(encoded, &self.params, |_| false).ok();
        Ok(checked.map(|checked| (checked, Some(place))))
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

    fn unreadable(&self, error: io::Error) -> ImportError {
        ImportError::Store(StoreError::Io { path: self.store.dir().join("blocks"), error })
    }

    /// Imports every block that stands in the block files from `start` on, in the order written; what is damaged or
    /// refused is passed over, with a warning.
    pub(super) fn import_files(&mut self, start: End, progress: impl FnMut(u64)) -> Result<u64, ImportError> {
        let files = self.store.files();
        let places = files.scan(RecordKind::Block, start).map_err(|error| self.unreadable(error))?;
        let failed = Mutex::new(None);
        let read = |place| match read_undamaged(&files, place) {
            Ok(encoded) => Some(encoded.map(|encoded| (encoded, Some(place)))),
            Err(error) => {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        };
        let spent = self.import_all(places.into_iter().map_while(read).flatten(), progress)?;
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            // What follows it would be given up.
            Some(error) => Err(self.unreadable(error)),
            None => Ok(spent.blocks),
        }
    }
}

/// The bytes of a block; `None`: they are damaged, which is told. Errors: the disk does not give them.
fn read_undamaged(files: &BlockFiles, place: Place) -> io::Result<Option<Vec<u8>>> {
    match files.read(place) {
        Ok(encoded) => Ok(Some(encoded)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            tracing::warn!(%error, "a block is damaged and passed over");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
