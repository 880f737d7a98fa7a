//! The CPU miner: always on a network of work, on demand on regtest.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dotp2p_chain::block::Block;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::op::Op;
use dotp2p_registry::query::Reader;
use dotp2p_rpc::node::MiningStatus;

use super::{NodeHandle, clock, lock, now_s};
use crate::miner;

/// The least time between two blocks made on demand.
const ON_DEMAND_EVERY: Duration = Duration::from_millis(200);
/// How often one looks whether a wallet or a need has appeared.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a template is worked on: the time in it and the pool grow old.
const TEMPLATE_FOR: Duration = Duration::from_secs(10);

/// What the miner does, for whoever asks.
pub(super) struct Mining {
    threads: usize,
    pub(super) pays_to: Option<PublicKey>,
    tried: AtomicU64,
    measured: Mutex<(Instant, u64, u64)>,
}

impl Mining {
    pub(super) fn new(threads: usize, pays_to: Option<PublicKey>) -> Self {
        Self { threads, pays_to, tried: AtomicU64::new(0), measured: Mutex::new((Instant::now(), 0, 0)) }
    }

    pub(super) fn status(&self, pays_to: Option<PublicKey>) -> MiningStatus {
        MiningStatus {
            mining: self.threads > 0,
            threads: u32::try_from(self.threads).unwrap_or(u32::MAX),
            hashes_per_second: self.rate(),
            pays_to,
        }
    }

    /// Hashes a second since the last look at least a second ago.
    fn rate(&self) -> u64 {
        let tried = self.tried.load(Ordering::Relaxed);
        let mut measured = lock(&self.measured);
        let (since, before, rate) = *measured;
        let passed_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        if passed_ms < 1_000 {
            return rate;
        }
        let rate = tried.saturating_sub(before).saturating_mul(1_000) / passed_ms;
        *measured = (Instant::now(), tried, rate);
        rate
    }
}

/// Mines until the node stops.
pub(super) async fn run(handle: Arc<NodeHandle>) {
    let mut stop = handle.stopping();
    let mut told = false;
    let mut round = 0u64;
    while !*stop.borrow() {
        let reader = handle.newest();
        let on_demand = handle.params.deployment.on_demand;
        let pays_to = handle.mining.pays_to.or_else(|| handle.wallet.keys(&reader).ok()?.first().copied());
        let began = Instant::now();
        match pays_to {
            None if !told => {
                told = true;
                tracing::info!("mining waits for an address: run `dotp2p wallet create`, or give --mine-to");
            }
            None => {}
            // It would be refused here, too (B12); whoever watches the clock has told why nothing is mined.
            Some(_) if clock::lag(&reader, now_s()).is_some() => {}
            Some(to) if !on_demand || is_wanted(&handle, &reader, &to) => {
                round += 1;
                if let Some(block) = find(&handle, reader, to, round).await {
                    let (height, hash) = (block.head.roots.height, block.hash());
                    match handle.import(block.encode()).await {
                        Ok(_) => tracing::info!(%height, %hash, "mined"),
                        Err(error) => tracing::warn!(%height, %hash, %error, "a block of our own was refused"),
                    }
                }
                if !on_demand {
                    continue;
                }
            }
            Some(_) => {}
        }
        let rest = if on_demand { ON_DEMAND_EVERY.saturating_sub(began.elapsed()) } else { LOOK_EVERY };
        tokio::select! {
            () = tokio::time::sleep(rest.max(Duration::from_millis(1))) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Whether a block on demand would bring something forward.
fn is_wanted(handle: &NodeHandle, reader: &Reader, pays_to: &PublicKey) -> bool {
    !reader.pool.is_empty()
        || handle.wallet.wants_blocks(reader, pays_to)
        || has_young_commitment(reader)
        || has_unsettled_owner(reader)
}

/// A commitment that cannot be claimed yet.
fn has_young_commitment(reader: &Reader) -> bool {
    let young = reader.params.rules.age_min.saturating_sub(1).min(reader.tip.0);
    (reader.tip.0 - young..=reader.tip.0).any(|at| reader.state.commitments_of(Height(at)).next().is_some())
}

/// A change of owner that DNS does not serve yet (L2).
fn has_unsettled_owner(reader: &Reader) -> bool {
    let changes_owner = |op: &Op| matches!(op, Op::Claim(_) | Op::Transfer(_) | Op::Buy(_) | Op::Recover(_));
    (reader.settled.0.0 + 1..=reader.tip.0).any(|height| {
        let block = reader.block(Height(height));
        block.is_ok_and(|block| block.transactions.iter().flat_map(|tx| &tx.body().ops).any(changes_owner))
    })
}

/// Looks for a block on the reader's tip, on all threads, until one finds it, the tip moves or the template is old.
async fn find(handle: &Arc<NodeHandle>, reader: Arc<Reader>, to: PublicKey, round: u64) -> Option<Block> {
    let done = Arc::new(AtomicBool::new(false));
    let (found, mut result) = tokio::sync::mpsc::channel(1);
    for thread in 0..handle.mining.threads.max(1) {
        let (handle, reader, done, found) = (handle.clone(), reader.clone(), done.clone(), found.clone());
        tokio::task::spawn_blocking(move || {
            let mut extra = round.to_le_bytes().to_vec();
            extra.extend_from_slice(&(thread as u64).to_le_bytes());
            let block = miner::template(&reader, to, extra, now_s())?;
            let tried = |count| {
                handle.mining.tried.fetch_add(count, Ordering::Relaxed);
            };
            let block = miner::mine(block, &done, tried)?;
            drop(found.try_send(block));
            Some(())
        });
    }
    drop(found);
    let (mut readers, mut stop) = (handle.readers(), handle.stopping());
    let tip = reader.tip_hash();
    let block = tokio::select! {
        block = result.recv() => block,
        _ = readers.wait_for(|newest| newest.tip_hash() != tip) => None,
        _ = stop.wait_for(|stop| *stop) => None,
        () = tokio::time::sleep(TEMPLATE_FOR) => None,
    };
    done.store(true, Ordering::Relaxed);
    block
}
