//! What a reorganisation undid for good: found, told, kept over restarts.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use dotp2p_chain::hash::{Txid, to_hex};
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::conflict::{CONFLICTS_MAX, Conflict, Conflicts};
use dotp2p_registry::mempool::Dropped;
use parity_scale_codec::{Decode, Encode};

use super::Importer;

const FILE: &str = "conflicts.dat";
/// Bytes beyond which the file is not ours.
const BYTES_MAX: u64 = 16 << 20;

impl Importer {
    /// Of what was disconnected, what is neither in the pool again nor in a block of the chain that won: `is_back` by id, for
    /// the index would have to be searched to its beginning for each.
    pub(super) fn note_conflicts(
        &mut self,
        disconnected: &[Arc<Transaction>],
        is_back: &HashMap<Txid, bool>,
        dropped: &[Dropped],
    ) {
        if disconnected.is_empty() {
            return;
        }
        let (chain_id, tip) = (self.params.chain_id, self.tip());
        let mut found = Vec::new();
        for transaction in disconnected {
            let txid = transaction.txid(&chain_id);
            if self.pool.get(&txid).is_some() || is_back.get(&txid) == Some(&true) {
                continue;
            }
            let refused = dropped.iter().find(|it| it.txid == txid).map(|it| it.error.to_string());
            let reason = refused.unwrap_or_else(|| "another transaction of its payer has its nonce (T7e)".to_owned());
            let conflict = Conflict::new(transaction, txid, reason, &self.state, tip);
            for undone in &conflict.names {
                let (op, name) = (&undone.op, &undone.name);
                let owner = undone.owner.map_or_else(|| "nobody".to_owned(), |key| to_hex(&key.0));
                let reason = &conflict.reason;
                tracing::warn!(name, op, %txid, owner, reason, "undone by a reorganisation for good: the other branch has won");
            }
            found.push(Arc::new(conflict));
        }
        if found.is_empty() {
            return;
        }
        tracing::warn!(count = found.len(), %tip, "transactions were undone by a reorganisation; `name_conflicts` lists them");
        self.conflicts.extend(found);
        while self.conflicts.len() > CONFLICTS_MAX {
            self.conflicts.pop_front();
        }
        if let Err(error) = save(self.store.dir(), &self.conflicts) {
            tracing::warn!(%error, "conflicts are not kept over a restart");
        }
    }
}

/// The conflicts that were kept; none where the file cannot be read, which is told.
pub(super) fn load(dir: &Path) -> Conflicts {
    let path = dir.join(FILE);
    let read = || -> Result<Conflicts, String> {
        let meta = std::fs::metadata(&path).map_err(|error| error.to_string())?;
        if meta.len() > BYTES_MAX {
            return Err(format!("{} bytes, at most {BYTES_MAX} are expected", meta.len()));
        }
        let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
        let all = Vec::<Conflict>::decode(&mut bytes.as_slice()).map_err(|_| "it does not decode".to_owned())?;
        Ok(all.into_iter().map(Arc::new).collect())
    };
    if !path.exists() {
        return Conflicts::new();
    }
    read().unwrap_or_else(|reason| {
        tracing::warn!(path = %path.display(), reason, "what earlier reorganisations undid cannot be read; move the file away");
        Conflicts::new()
    })
}

/// Written beside its place, synced, then put there.
fn save(dir: &Path, conflicts: &Conflicts) -> std::io::Result<()> {
    let (path, draft) = (dir.join(FILE), dir.join("conflicts.dat.new"));
    let all: Vec<&Conflict> = conflicts.iter().map(Arc::as_ref).collect();
    let mut file = std::fs::File::create(&draft)?;
    file.write_all(&all.encode())?;
    file.sync_all()?;
    std::fs::rename(&draft, &path)
}
