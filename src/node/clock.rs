//! The clock, watched: it may be wrong at the start, and it may be set while the node runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dotp2p_chain::check::{FUTURE_MAX_S, check_clock, median_time};
use dotp2p_registry::query::Reader;

use super::{NodeHandle, now_s};

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Has the chain follow the clock (L11), and tells when it was set or is behind the chain, until the node stops.
pub(super) async fn watch(handle: Arc<NodeHandle>) {
    let mut stop = handle.stopping();
    let mut at = (now_s(), Instant::now());
    let mut was_behind = false;
    loop {
        let now = now_s();
        let expected = at.0.saturating_add(at.1.elapsed().as_secs());
        if now.abs_diff(expected) > FUTURE_MAX_S {
            tracing::warn!(now, expected, "the clock leapt: it was set, or the machine slept");
            at = (now, Instant::now());
        }
        handle.writer.clock().await;
        match lag(&handle.newest(), now) {
            Some(lag_s) if !was_behind => {
                let what = "the clock is behind the chain: nothing is mined and new blocks may be refused until it is set right";
                tracing::warn!(now, lag_s, "{what}");
                was_behind = true;
            }
            None if was_behind => {
                tracing::info!(now, "the clock is no longer behind the chain");
                was_behind = false;
            }
            _ => {}
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// By how many seconds the clock is behind the least time of a block on the reader's tip, where that is more than a block
/// may be ahead (B12): this node would refuse what it mines, as others would if the clock is right.
pub(super) fn lag(reader: &Reader, now_s: u64) -> Option<u64> {
    let least = median_time(&reader.next_context.times).saturating_add(1);
    check_clock(least, now_s, &reader.params.rules).is_err().then(|| least.saturating_sub(now_s))
}
