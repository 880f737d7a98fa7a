//! The zone's key: read or made at the start, followed while the node runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dotp2p_dns::dnssec::key_file::{KeyFile, KeyFileError};
use dotp2p_dns::dnssec::signer::{CACHE_BYTES, KeyWatch, Signer, apex_of};
use dotp2p_dns::server::Config;

use super::{NodeHandle, now_s};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What signs, and what follows the file; `None` where nothing is signed.
pub(super) fn open(dir: &Path, tld: &str, config: &Config) -> Result<Option<(Arc<Signer>, KeyWatch)>, KeyFileError> {
    if !config.dnssec {
        return Ok(None);
    }
    // Before the keys are read, so that no change is missed.
    let mut watch = KeyWatch::new(dir);
    let file = KeyFile::load_or_create(dir, config.dnssec_algorithm, &apex_of(tld))?;
    tracing::info!(keys = ?file.anchors().map(|key| key.tag()).collect::<Vec<_>>(), "DNS answers are signed");
    let signer = Arc::new(Signer::new(tld, file, CACHE_BYTES, now_s));
    watch.look(&signer)?;
    Ok(Some((signer, watch)))
}

/// Gives the signer the file's keys when it changes, until the node stops.
pub(super) async fn follow(handle: Arc<NodeHandle>, signer: Arc<Signer>, mut watch: KeyWatch) {
    let mut stop = handle.stopping();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        match watch.look(&signer) {
            Ok(false) => {}
            Ok(true) => tracing::info!("the DNSSEC keys have changed"),
            Err(error) => tracing::error!(%error, "the DNSSEC keys stay as they were"),
        }
    }
}
