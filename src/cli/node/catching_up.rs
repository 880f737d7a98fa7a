//! How far the chain is behind its best header, told while it catches up: a bar on a terminal, a line of the log otherwise.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dotp2p_registry::query::Reader;

use crate::cli::progress::Progress;
use crate::node::{BEHIND, NodeHandle};

/// How often a bar moves, and how often the log is told.
const TICK: Duration = Duration::from_millis(250);
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Tells how the chain catches up, until the node stops.
pub(super) async fn tell(handle: Arc<NodeHandle>) {
    let (mut readers, mut stop) = (handle.readers(), handle.stopping());
    loop {
        let reader = readers.borrow_and_update().clone();
        if left(&reader) >= BEHIND {
            let mut catching_up = CatchingUp::from(&reader);
            loop {
                tokio::select! {
                    () = tokio::time::sleep(TICK) => {}
                    _ = stop.wait_for(|stop| *stop) => return,
                }
                if catching_up.is_over(&readers.borrow_and_update().clone()) {
                    break;
                }
            }
        }
        tokio::select! {
            changed = readers.changed() => if changed.is_err() { return },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

fn left(reader: &Reader) -> u32 {
    reader.headers.0.saturating_sub(reader.tip.0)
}

struct CatchingUp {
    from: u32,
    progress: Progress,
    told: Instant,
}

impl CatchingUp {
    fn from(reader: &Reader) -> Self {
        let progress = Progress::new("sync", Some(left(reader).into()));
        if !progress.is_shown() {
            tracing::info!(tip = %reader.tip, headers = %reader.headers, "catching up");
        }
        Self { from: reader.tip.0, progress, told: Instant::now() }
    }

    fn is_over(&mut self, reader: &Reader) -> bool {
        if left(reader) == 0 {
            self.progress.finish();
            tracing::info!(tip = %reader.tip, names = reader.state.name_count(), "caught up");
            return true;
        }
        let done = reader.tip.0.saturating_sub(self.from).into();
        let text = self.progress.reached(reader.tip, done, done + u64::from(left(reader)));
        if !self.progress.is_shown() && self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            tracing::info!(headers = %reader.headers, "catching up: {text}");
        }
        false
    }
}
