//! What a reorganisation undid for good: found, told, kept over restarts.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use dotp2p_chain::hash::{ChainId, Txid, to_hex};
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::conflict::{CONFLICTS_MAX, Conflict, Conflicts};
use dotp2p_registry::mempool::Dropped;
use parity_scale_codec::{Decode, Encode};

use super::Importer;

const FILE: &str = "conflicts.dat";
/// Names of a reorganisation that the log tells one by one.
const NAMES_TOLD: usize = 20;
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
        let is_there = |txid: &Txid| self.pool.has(txid) || is_back.get(txid) == Some(&true);
        let undone = undone(disconnected, &chain_id, is_there, dropped);
        let mut found = Vec::new();
        let mut told = 0;
        for (transaction, txid, reason) in undone.iter().skip(undone.len().saturating_sub(CONFLICTS_MAX)) {
            let conflict = Conflict::new(transaction, *txid, reason.clone(), &self.state, tip);
            for undone in conflict.names.iter().take(NAMES_TOLD - told) {
                told += 1;
                let (op, name) = (&undone.op, &undone.name);
                let owner = undone.owner.map_or_else(|| "nobody".to_owned(), |key| to_hex(&key.0));
                let reason = &conflict.reason;
                tracing::warn!(name, op, %txid, owner, reason, "undone by a reorganisation: the other branch has won");
            }
            found.push(Arc::new(conflict));
        }
        if found.is_empty() {
            return;
        }
        tracing::warn!(count = undone.len(), %tip, "transactions were undone by a reorganisation; `name_conflicts` lists them");
        self.conflicts.extend(found);
        while self.conflicts.len() > CONFLICTS_MAX {
            self.conflicts.pop_front();
        }
        if let Err(error) = save(self.store.dir(), &self.conflicts) {
            tracing::warn!(%error, "conflicts are not kept over a restart");
        }
    }
}

/// What is undone of `disconnected`, each once, and why: what is not there again.
fn undone<'a>(
    disconnected: &'a [Arc<Transaction>],
    chain_id: &ChainId,
    is_there: impl Fn(&Txid) -> bool,
    dropped: &[Dropped],
) -> Vec<(&'a Transaction, Txid, String)> {
    let dropped: HashMap<Txid, &Dropped> = dropped.iter().map(|it| (it.txid, it)).collect();
    // Several reorganisations may have taken back the same.
    let mut seen = HashSet::new();
    let undone = disconnected.iter().filter_map(|transaction| {
        let txid = transaction.txid(chain_id);
        let reason = match dropped.get(&txid) {
            Some(Dropped { error: Some(error), .. }) => error.to_string(),
            Some(Dropped { error: None, .. }) => "the pool has no room for it; it can be sent again".to_owned(),
            None => "another transaction of its payer has its nonce (T7e)".to_owned(),
        };
        (!is_there(&txid) && seen.insert(txid)).then_some((&**transaction, txid, reason))
    });
    undone.collect()
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

#[cfg(test)]
mod tests {
    use dotp2p_chain::amount::Amount;
    use dotp2p_chain::key::{PublicKey, Signature};
    use dotp2p_chain::op::{Op, Pay};
    use dotp2p_chain::tx::Body;
    use dotp2p_registry::rules::RuleError;

    use super::*;

    fn payment(nonce: u64) -> Arc<Transaction> {
        let ops = vec![Op::Pay(Pay { to: PublicKey([9; 32]), amount: Amount::from_atoms(1) })];
        let fee = Amount::from_atoms(1);
        let body = Body { payer: PublicKey([7; 32]), nonce, fee, expiry: None, signers: Vec::new(), ops };
        Arc::new(Transaction::new(body, vec![Signature([0; 64])]).unwrap())
    }

    /// Found by reading: each was searched for among all that were dropped, and told again for each reorganisation.
    #[test]
    fn what_is_undone_is_told_once_and_why() {
        let chain_id = ChainId([3; 32]);
        let txid = |transaction: &Transaction| transaction.txid(&chain_id);
        let all: Vec<_> = (0..50_000).map(payment).collect();
        let error = RuleError::Nonce { found: 7, expected: 8 };
        let drop = |transaction: &Arc<Transaction>| Dropped {
            transaction: transaction.clone(),
            txid: txid(transaction),
            error: (transaction.body().nonce >= 10).then(|| error.clone()),
        };
        // The first ten found no room, the last ten were not dropped: five are there, and five others have their nonces.
        let dropped: Vec<_> = all.iter().take(49_990).map(drop).collect();
        let there: HashSet<Txid> = all.iter().rev().take(5).map(|transaction| txid(transaction)).collect();
        let disconnected: Vec<_> = all.iter().chain(&all).cloned().collect();
        let undone = undone(&disconnected, &chain_id, |txid| there.contains(txid), &dropped);
        assert_eq!(undone.len(), 50_000 - 5);
        assert!(undone[9].2.contains("no room"));
        assert_eq!((undone[10].1, &undone[10].2), (txid(&all[10]), &error.to_string()));
        assert!(undone.last().unwrap().2.contains("T7e"));
    }
}
