//! How many files and sockets the node may have open: every peer, TCP client and question to an upstream is one.

use dotp2p_dns::forward::config::SOCKETS;

/// More would never be used, and some systems refuse no bound at all.
#[cfg(unix)]
const ENOUGH: u64 = 65_536;

/// Raises the soft limit, mostly 1,024 or 256, as far as the hard one allows.
#[cfg(unix)]
fn raise() -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = hard.min(ENOUGH);
        if soft < wanted {
            setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
        }
        Ok(soft.max(wanted))
    });
    raised.inspect_err(|error| tracing::warn!(%error, "the limit of open files stays as it is")).ok()
}

/// There is no such limit.
#[cfg(not(unix))]
fn raise() -> Option<u64> {
    None
}

/// Raises the limit of open files as far as the system allows; gives how many of them may be sockets to upstreams: a quarter.
pub(super) fn for_upstreams() -> usize {
    raise().and_then(|limit| usize::try_from(limit / 4).ok()).unwrap_or(SOCKETS)
}
