//! How far something long is: a bar on a terminal, nothing elsewhere. What is logged meanwhile stands above the bar.

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use dotp2p_chain::height::Height;
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};

/// How often the bar is drawn anew.
const TICK: Duration = Duration::from_millis(250);

/// The bars that are shown; whoever writes between them has them moved away first.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Standard error, above the bars.
pub(super) struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Of blocks that are written or read.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    began: Instant,
    blocks: u64,
}

impl Progress {
    /// `length`: of what is to be done, in any unit; `None` where nobody knows.
    pub(super) fn new(what: &'static str, length: Option<u64>) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = BARS.add(ProgressBar::new(length.unwrap_or(0)));
            let template = if length.is_some() { "{prefix} {bar:24} {msg}" } else { "{prefix} {spinner} {msg}" };
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(what);
            bar.enable_steady_tick(TICK);
            bar
        });
        Self { bar, began: Instant::now(), blocks: 0 }
    }

    /// Whether there is a terminal to show it on.
    pub(super) fn is_shown(&self) -> bool {
        self.bar.is_some()
    }

    /// One block more; `done`: of the length.
    pub(super) fn block(&mut self, height: Height, done: u64) {
        self.blocks += 1;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(text(height, self.blocks, self.began.elapsed(), done, bar.length().unwrap_or(0)));
        }
    }

    /// So many blocks of `length` are done, which may have grown; gives what is said of it.
    pub(super) fn reached(&mut self, height: Height, blocks: u64, length: u64) -> String {
        self.blocks = blocks;
        let text = text(height, blocks, self.began.elapsed(), blocks, length);
        if let Some(bar) = &self.bar {
            bar.set_length(length);
            bar.set_position(blocks);
            bar.set_message(text.clone());
        }
        text
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// `height 1200, 340 blocks/s, about 2 minutes left`.
fn text(height: Height, blocks: u64, passed: Duration, done: u64, length: u64) -> String {
    let passed_ms = passed.as_millis().max(1);
    let speed = u128::from(blocks) * 1_000 / passed_ms;
    let left = passed_ms * u128::from(length.saturating_sub(done)) / u128::from(done.max(1));
    let left = Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX));
    let left = if length > done { format!(", about {} left", HumanDuration(left)) } else { String::new() };
    format!("height {height}, {speed} blocks/s{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_and_time_left() {
        let ten = Duration::from_secs(10);
        assert_eq!(text(Height(1_200), 1_200, ten, 1_200, 13_200), "height 1200, 120 blocks/s, about 2 minutes left");
        assert_eq!(text(Height(1_200), 1_200, ten, 1_200, 1_200), "height 1200, 120 blocks/s");
        assert_eq!(text(Height(9), 1, Duration::ZERO, 0, 0), "height 9, 1000 blocks/s");
    }
}
