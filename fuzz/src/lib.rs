//! What the fuzz targets share: a limit on the memory of an input, the networks, the vectors, a DNS server without sockets.
//!
//! A target asserts; what an assertion says when it fails is all there is to read, so each has a sentence.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a target fails by panicking")]

use std::sync::Mutex;
use std::time::Duration;

use cpu_time::ProcessTime;
use peak_alloc::PeakAlloc;

pub mod dns;
pub mod networks;
pub mod vectors;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes in a mebibyte.
const MIB: usize = 1 << 20;

/// What an input may cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Memory beyond one mebibyte, for each of the input's bytes.
    pub per_byte: usize,
    /// Time on the processor, all threads together. Of the instrumented build, which is several times slower.
    pub cpu_ms: u64,
}

/// Runs `work` on an input of `len` bytes and asserts that it stays within `cost`: never more memory beyond what there
/// was before, and no more time.
///
/// Work that took too long is done again: on a busy machine even time on the processor is now and then several times
/// what it would be alone. What an input costs is the least of what was seen.
pub fn within(len: usize, cost: Cost, work: impl Fn()) {
    const AGAIN: usize = 9;
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut took = timed(&work);
    for _ in 0..AGAIN {
        if took > Duration::from_millis(cost.cpu_ms) {
            took = took.min(timed(&work));
        }
    }
    let grown = MEMORY.peak_usage().saturating_sub(before);
    let limit = MIB + cost.per_byte * len;
    assert!(grown <= limit, "an input of {len} bytes took {grown} bytes of memory, the limit is {limit}");
    assert!(took <= Duration::from_millis(cost.cpu_ms), "an input of {len} bytes took {took:?}, the limit is {cost:?}");
    note(100 * grown / limit, took);
}

fn timed(work: impl Fn()) -> Duration {
    let began = ProcessTime::now();
    work();
    began.elapsed()
}

/// Prints what is more than any input before has cost; `run.sh` shows the last of it.
fn note(percent: usize, took: Duration) {
    static MOST: Mutex<(usize, u128)> = Mutex::new((0, 0));
    let mut most = MOST.lock().expect("nothing panics while it is held");
    let now = (most.0.max(percent), most.1.max(took.as_millis()));
    if now != *most {
        *most = now;
        eprintln!("costliest: {} % of the memory, {} ms", now.0, now.1);
    }
}

/// The text of `data` after its first byte. Where that is 254 or 255, the text's second half stands there over and over,
/// up to 64 KiB: what is slow only when it is long.
pub fn text(data: &[u8]) -> Option<String> {
    const LONG: usize = 64 * 1024;
    let (first, rest) = data.split_first()?;
    let text = core::str::from_utf8(rest).ok()?;
    if *first < 0xfe || rest.is_empty() {
        return Some(text.to_owned());
    }
    let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at))?;
    let (start, again) = text.split_at(middle);
    Some(start.to_owned() + &again.repeat(LONG / again.len().max(1)))
}

/// An error as people see it: one line, without characters that move the cursor.
pub fn check_error(error: &dyn std::error::Error) {
    let text = error.to_string();
    assert!(!text.contains(char::is_control), "an error holds a control character: {text:?}");
    assert!(!text.is_empty(), "an error says nothing: {error:?}");
}

/// A file of this process for `bytes`, readable by nobody else.
///
/// In the folder of temporary files, which `run.sh` sets to one that it removes.
pub fn private_file(name: &str, bytes: &[u8]) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("dotp2p-fuzz-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).expect("the folder of temporary files can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("the file is ours");
    path
}
