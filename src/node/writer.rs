//! The thread that owns the [`Importer`], and the way to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::hash::{BlockHash, Txid};
use dotp2p_chain::tx::Transaction;
use dotp2p_network::chain::HeadsTaken;
use dotp2p_registry::mempool::PoolError;
use dotp2p_registry::query::Reader;
use tokio::sync::{mpsc, oneshot, watch};

use super::now_s;
use crate::import::{CheckedBlock, ImportError, Imported, Importer};

/// Commands that may wait.
const QUEUE: usize = 256;
/// Rows after which a run of blocks is written.
const ROWS_PER_WRITE: usize = 20_000;
/// How long a run of blocks may wait to be written.
const WRITE_AFTER: Duration = Duration::from_millis(200);

type Reply<T> = oneshot::Sender<T>;

/// What became of a transaction; the outer error says why nothing is taken any more.
type Added = Result<Result<Txid, PoolError>, String>;

enum Command {
    Block(Box<CheckedBlock>, Reply<Result<Imported, ImportError>>),
    Transaction(Box<Transaction>, Reply<Added>),
    Blocks(Vec<Result<CheckedBlock, ImportError>>, Reply<Vec<Result<Imported, ImportError>>>),
    Heads(Vec<BlockHead>, bool, Reply<HeadsTaken>),
    Missing(u32, Reply<Vec<BlockHash>>),
    Clock(Reply<()>),
    Stop,
}

/// The way to the writer.
#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Command>);

impl Writer {
    /// Imports a block; `None` if the writer has stopped.
    pub(super) async fn block(&self, block: CheckedBlock) -> Option<Result<Imported, ImportError>> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Command::Block(Box::new(block), reply)).await.ok()?;
        answer.await.ok()
    }

    /// Offers a transaction to the pool; `None` if the writer has stopped.
    pub(super) async fn transaction(&self, transaction: Transaction) -> Option<Added> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Command::Transaction(Box::new(transaction), reply)).await.ok()?;
        answer.await.ok()
    }

    /// Imports blocks in order, an answer for each; `None` if the writer has stopped.
    pub(super) async fn blocks(
        &self,
        blocks: Vec<Result<CheckedBlock, ImportError>>,
    ) -> Option<Vec<Result<Imported, ImportError>>> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Command::Blocks(blocks, reply)).await.ok()?;
        answer.await.ok()
    }

    /// Judges and stores heads; `None` if the writer has stopped.
    pub(super) async fn heads(&self, heads: Vec<BlockHead>, is_proven: bool) -> Option<HeadsTaken> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Command::Heads(heads, is_proven, reply)).await.ok()?;
        answer.await.ok()
    }

    /// Blocks whose bodies are missing, at most `max`; `None` if the writer has stopped.
    pub(super) async fn missing(&self, max: u32) -> Option<Vec<BlockHash>> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Command::Missing(max, reply)).await.ok()?;
        answer.await.ok()
    }

    /// Has the chain follow the clock (L11); returns when it does.
    pub(super) async fn clock(&self) {
        let (reply, answer) = oneshot::channel();
        if self.0.send(Command::Clock(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }

    pub(super) async fn stop(&self) {
        let _ = self.0.send(Command::Stop).await;
    }
}

pub(super) fn spawn(importer: Importer) -> (Writer, std::thread::JoinHandle<()>, watch::Receiver<Arc<Reader>>) {
    let (commands, queue) = mpsc::channel(QUEUE);
    let (publish, readers) = watch::channel(Arc::new(importer.reader()));
    let thread = std::thread::spawn(move || run(importer, queue, &publish));
    (Writer(commands), thread, readers)
}

/// A block's answer waits for the write; what it says is known before.
type Waiting = (Reply<Result<Imported, ImportError>>, Imported);

/// A run of blocks, likewise.
type Run = (Reply<Vec<Result<Imported, ImportError>>>, Vec<Result<Imported, ImportError>>);

fn run(mut importer: Importer, mut queue: mpsc::Receiver<Command>, publish: &watch::Sender<Arc<Reader>>) {
    let mut stop = false;
    // How long something was in the pool is no matter of the wall clock, which may be set: a leap must neither empty the
    // pool nor keep anything in it for ever.
    let started = Instant::now();
    let age_s = || started.elapsed().as_secs();
    while !stop {
        let Some(mut command) = queue.blocking_recv() else { break };
        let began = Instant::now();
        let mut waiting: Vec<Waiting> = Vec::new();
        let mut added: Vec<(Reply<Added>, Txid)> = Vec::new();
        let mut runs: Vec<Run> = Vec::new();
        let mut looked: Vec<Reply<()>> = Vec::new();
        // Whatever is queued is taken together: one write and one new view for all of it.
        loop {
            match command {
                Command::Block(block, reply) => match importer.import(*block, now_s()) {
                    Ok(imported) => waiting.push((reply, imported)),
                    Err(error) => drop(reply.send(Err(error))),
                },
                Command::Transaction(transaction, reply) => match importer.submit(*transaction, age_s()) {
                    Ok(Ok(txid)) => added.push((reply, txid)),
                    Ok(Err(refused)) => drop(reply.send(Ok(Err(refused)))),
                    Err(error) => drop(reply.send(Err(error.to_string()))),
                },
                Command::Blocks(blocks, reply) => runs.push((reply, importer.import_run(blocks, now_s()))),
                Command::Heads(heads, is_proven, reply) => {
                    drop(reply.send(importer.take_heads(heads, is_proven, now_s())));
                }
                Command::Missing(max, reply) => drop(reply.send(importer.missing_bodies(max))),
                Command::Clock(reply) => {
                    if let Err(error) = importer.clock_moved(now_s()) {
                        tracing::debug!(%error, "the chain does not follow the clock");
                    }
                    looked.push(reply);
                }
                Command::Stop => stop = true,
            }
            if stop || importer.pending_rows() > ROWS_PER_WRITE || began.elapsed() > WRITE_AFTER {
                break;
            }
            match queue.try_recv() {
                Ok(next) => command = next,
                Err(_) => break,
            }
        }
        let moved = importer.has_pending();
        // The clock is looked at every few seconds: at the latest then they are written.
        let can_wait = importer.has_only_heads() && looked.is_empty() && importer.pending_rows() <= ROWS_PER_WRITE;
        let written = if can_wait { Ok(()) } else { importer.commit(age_s()) };
        if written.is_ok() && (moved || !added.is_empty()) {
            publish.send_replace(Arc::new(importer.reader()));
        }
        let failed = written.err().map(|error| error.to_string());
        for (reply, imported) in waiting {
            let answer = failed.clone().map_or(Ok(imported), |reason| Err(ImportError::Stopped(reason)));
            drop(reply.send(answer));
        }
        for (reply, imported) in runs {
            let stopped = |reason: &String| Err(ImportError::Stopped(reason.clone()));
            let answer = imported.into_iter().map(|it| match &failed {
                Some(reason) if it.is_ok() => stopped(reason),
                _ => it,
            });
            drop(reply.send(answer.collect()));
        }
        for reply in looked {
            let _ = reply.send(());
        }
        for (reply, txid) in added {
            drop(reply.send(failed.clone().map_or(Ok(Ok(txid)), Err)));
        }
    }
    importer.close();
}
