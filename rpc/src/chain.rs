//! Blocks, headers, transactions.

mod pool;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::Block;
use dotp2p_chain::hash::to_hex;
use dotp2p_chain::height::Height;
use dotp2p_registry::mempool::PoolError;
use dotp2p_registry::query::Reader;
use jsonrpsee::core::async_trait;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::Rpc;
use crate::api::ChainApiServer;
use crate::args;
use crate::error::{RpcError, RpcResult};
use crate::node::{Node, SubmitError};
use crate::shape::{self, count};
use crate::types::{BlockInfo, BlockchainInfo, ChainTip, CoinbaseInfo, Coins, MempoolInfo, PoolVerdict};

#[async_trait]
impl<N: Node> ChainApiServer for Rpc<N> {
    fn blockchain_info(&self) -> RpcResult<BlockchainInfo> {
        let reader = self.reader()?;
        let (params, header) = (&reader.params, &reader.head.header);
        let tip = reader.chain_row(reader.tip)?;
        let progress = f64::from(reader.tip.0) / f64::from(reader.headers.0.max(reader.tip.0).max(1));
        Ok(BlockchainInfo {
            chain: params.deployment.name.clone(),
            chain_id: params.chain_id.to_string(),
            tld: args::tld(params),
            blocks: reader.tip.0,
            headers: reader.headers.0,
            bestblockhash: tip.hash.to_string(),
            bits: header.bits.to_string(),
            target: header.bits.to_target().map(|target| target.to_string()).unwrap_or_default(),
            difficulty: shape::difficulty(header.bits, params),
            time: header.time,
            mediantime: shape::median(&reader, reader.tip)?,
            verificationprogress: if reader.headers == Height::GENESIS { 1.0 } else { progress },
            chainwork: reader.work.to_string(),
            settled: reader.settled.0.0,
            names: reader.state.name_count() as u64,
            level: shape::level(reader.state.level()),
            issued: Coins(Amount::from_atoms(tip.issued)),
            burned: Coins(Amount::from_atoms(tip.burned)),
            warnings: warnings(&reader, self.node.clock_behind_s()),
        })
    }

    fn block_count(&self) -> RpcResult<u32> {
        Ok(self.reader()?.tip.0)
    }

    fn best_block_hash(&self) -> RpcResult<String> {
        Ok(self.reader()?.tip_hash().to_string())
    }

    fn block_hash(&self, height: u32) -> RpcResult<String> {
        let reader = self.reader()?;
        let height = args::height(Some(height), &reader)?;
        Ok(reader.chain_row(height)?.hash.to_string())
    }

    fn block(&self, blockhash: String, verbosity: Option<u8>) -> RpcResult<Box<RawValue>> {
        let verbosity = args::within("verbosity", verbosity.unwrap_or(1).into(), 0, 2)?;
        let hash = args::block_hash(&blockhash)?;
        let reader = self.reader()?;
        let block = reader.block_of(&reader.head(&hash)?)?;
        let chain_id = &reader.params.chain_id;
        match verbosity {
            0 => json(&to_hex(&block.encode())),
            1 => json(&block_info(&reader, &block, |tx| tx.txid(chain_id).to_string())?),
            _ => json(&block_info(&reader, &block, |tx| shape::transaction(&reader, tx, Some(&block.head)))?),
        }
    }

    fn block_header(&self, blockhash: String, verbose: Option<bool>) -> RpcResult<Box<RawValue>> {
        let hash = args::block_hash(&blockhash)?;
        let reader = self.reader()?;
        let head = reader.head(&hash)?.head;
        if verbose.unwrap_or(true) {
            return json(&shape::header(&reader, &head)?);
        }
        let mut bytes = Vec::new();
        head.encode_to(&mut bytes);
        json(&to_hex(&bytes))
    }

    async fn send_raw_transaction(&self, hexstring: String) -> RpcResult<String> {
        let params = self.reader()?.params.clone();
        let transaction = args::transaction(&hexstring, &params)?;
        let txid = transaction.txid(&params.chain_id);
        match self.node.submit(transaction).await {
            Ok(_) | Err(SubmitError::Pool(PoolError::Known)) => Ok(txid.to_string()),
            Err(error) => Err(error.into()),
        }
    }

    fn mempool_info(&self) -> RpcResult<MempoolInfo> {
        Ok(pool::info(&*self.reader()?))
    }

    fn test_mempool_accept(&self, rawtxs: Vec<String>) -> RpcResult<Vec<PoolVerdict>> {
        pool::try_all(&*self.reader()?, &rawtxs)
    }

    fn chain_tips(&self) -> RpcResult<Vec<ChainTip>> {
        Ok(self.reader()?.branches.iter().map(pool::tip).collect())
    }

    fn raw_mempool(&self) -> RpcResult<Vec<String>> {
        Ok(self.reader()?.pool.iter().map(|tx| tx.txid.to_string()).collect())
    }

    fn raw_transaction(&self, txid: String, verbose: Option<bool>) -> RpcResult<Box<RawValue>> {
        let txid = args::txid(&txid)?;
        let reader = self.reader()?;
        let verbose = verbose.unwrap_or(false);
        let shaped = |tx, head| {
            if verbose { json(&shape::transaction(&reader, tx, head)) } else { json(&to_hex(tx.bytes())) }
        };
        if let Some(tx) = reader.pool.get(&txid) {
            return shaped(&tx.transaction, None);
        }
        let (_, at, block) = reader.transaction(&txid)?.ok_or(RpcError::Transaction(txid))?;
        let tx = usize::try_from(at).ok().and_then(|at| block.transactions.get(at));
        shaped(tx.ok_or(RpcError::Transaction(txid))?, Some(&block.head))
    }
}

/// What whoever runs the node should know.
fn warnings(reader: &Reader, clock_behind_s: Option<u64>) -> Vec<String> {
    let clock = clock_behind_s.map(|behind_s| {
        format!("the clock is {behind_s} s behind the chain: nothing is mined and new blocks may be refused until it is set right")
    });
    let aside = (reader.aside > 0).then(|| {
        format!(
            "{} branches lie ahead of the clock and are kept aside until it is near: was it set? (L11)",
            reader.aside
        )
    });
    let hold = reader.meta.hold.filter(|(_, end)| reader.tip < *end).map(|(fork, end)| {
        format!(
            "a reorganisation left blocks after height {fork}: changed owners are held back in DNS until {end} (L3)"
        )
    });
    let undone = reader.conflicts.len();
    let undone =
        (undone > 0).then(|| format!("reorganisations undid {undone} transactions for good: see name_conflicts"));
    [clock, aside, hold, undone].into_iter().flatten().collect()
}

fn json(value: &impl Serialize) -> RpcResult<Box<RawValue>> {
    Ok(to_raw_value(value)?)
}

fn block_info<T>(
    reader: &Reader,
    block: &Block,
    transaction: impl Fn(&dotp2p_chain::tx::Transaction) -> T,
) -> RpcResult<BlockInfo<T>> {
    let subsidy = reader.params.rules.subsidy_at(block.head.roots.height);
    let fees = block.transactions.iter().map(|tx| tx.body().fee);
    let reward = fees.fold(subsidy, |sum, fee| sum.checked_add(fee).unwrap_or(Amount::MAX));
    Ok(BlockInfo {
        header: shape::header(reader, &block.head)?,
        size: count(block.encode().len()),
        coinbase: CoinbaseInfo {
            to: shape::address(&block.coinbase.to, &reader.params),
            extra: to_hex(&block.coinbase.extra),
        },
        reward: Coins(reward),
        n_tx: count(block.transactions.len()),
        tx: block.transactions.iter().map(transaction).collect(),
    })
}
