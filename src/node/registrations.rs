//! Registrations carried on: each is asked for its next step at every new view.

use std::sync::Arc;

use dotp2p_chain::name::Name;
use dotp2p_registry::mempool::PoolError;
use dotp2p_rpc::node::{Node, SubmitError, WalletError};

use super::NodeHandle;

/// Carries registrations on at each new tip, until the node stops.
pub(super) async fn carry_on(handle: Arc<NodeHandle>) {
    let (mut readers, mut stop) = (handle.readers(), handle.stopping());
    loop {
        step_all(&handle).await;
        tokio::select! {
            changed = readers.changed() => if changed.is_err() {
                // The writer is gone, which without a stop is a panic: a node that cannot write must not seem to run.
                handle.stop.send_replace(true);
                return;
            },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// One at a time, each on the view that the one before has left: two of one payer must not take one nonce.
pub(super) async fn step_all(handle: &NodeHandle) {
    let _spending = handle.spending.lock().await;
    let names = match handle.wallet.under_way(&handle.newest()) {
        Ok(names) => names,
        Err(WalletError::NoWallet) => return,
        Err(error) => return tracing::warn!(%error, "registrations do not go on"),
    };
    for name in names {
        if let Err(error) = step(handle, &name).await {
            tracing::warn!(%name, %error, "a registration does not go on");
        }
    }
}

async fn step(handle: &NodeHandle, name: &Name) -> Result<(), WalletError> {
    let reader = handle.newest();
    let Some(transaction) = handle.wallet.step(name, &reader)? else { return Ok(()) };
    let txid = transaction.txid(&handle.params.chain_id);
    match handle.submit(transaction).await {
        Ok(_) => Ok(()),
        // The pool's state, not the transaction's fault: it is built anew at the next block.
        Err(SubmitError::Unavailable(_)) => Ok(()),
        Err(SubmitError::Pool(PoolError::Known | PoolError::Full | PoolError::Chain(_))) => Ok(()),
        Err(error) => {
            tracing::warn!(%name, %error, "a registration's transaction was refused");
            handle.wallet.refused(name, &txid, &error.to_string(), &reader)
        }
    }
}
