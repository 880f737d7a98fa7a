//! How far the chain is behind its best header, told while it catches up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::NodeHandle;

/// How often it is told.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Fewer blocks behind are no matter.
const BEHIND: u32 = 20;

/// Tells in the log how the chain catches up, until the node stops.
pub(super) async fn tell(handle: Arc<NodeHandle>) {
    let (mut readers, mut stop) = (handle.readers(), handle.stopping());
    loop {
        tokio::select! {
            changed = readers.changed() => if changed.is_err() { return },
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let reader = readers.borrow_and_update().clone();
        if reader.headers.0.saturating_sub(reader.tip.0) < BEHIND {
            continue;
        }
        tracing::info!(tip = %reader.tip, headers = %reader.headers, "catching up");
        let (mut told, mut before) = (Instant::now(), reader.tip.0);
        loop {
            tokio::select! {
                changed = readers.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(TELL_EVERY) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let reader = readers.borrow_and_update().clone();
            let left = reader.headers.0.saturating_sub(reader.tip.0);
            if left == 0 {
                tracing::info!(tip = %reader.tip, names = reader.state.name_count(), "caught up");
                break;
            }
            let passed_ms = u64::try_from(told.elapsed().as_millis()).unwrap_or(u64::MAX);
            if told.elapsed() < TELL_EVERY {
                continue;
            }
            let blocks = u64::from(reader.tip.0.saturating_sub(before));
            let a_second = blocks.saturating_mul(1_000) / passed_ms.max(1);
            let left_s = u64::from(left).saturating_mul(passed_ms) / blocks.max(1) / 1_000;
            tracing::info!(tip = %reader.tip, headers = %reader.headers, a_second, left_s, "catching up");
            (told, before) = (Instant::now(), reader.tip.0);
        }
    }
}
