//! How many files and sockets the node may have open: every peer, TCP client and question to an upstream is one.

/// More would never be used, and some systems refuse no bound at all.
#[cfg(unix)]
const ENOUGH: u64 = 65_536;

/// Raises the soft limit, mostly 1,024 or 256, as far as the hard one allows.
#[cfg(unix)]
pub(super) fn raise() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = hard.min(ENOUGH);
        if soft < wanted { setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// There is no such limit.
#[cfg(not(unix))]
pub(super) fn raise() {}
