//! The miner.

use dotp2p_chain::hash::from_hex;
use dotp2p_chain::height::Height;
use dotp2p_registry::query::{QueryError, Reader};
use jsonrpsee::core::async_trait;

use crate::Rpc;
use crate::api::MiningApiServer;
use crate::args;
use crate::error::{RpcError, RpcResult};
use crate::node::{BlockTaken, Node};
use crate::shape;
use crate::types::{Coins, MiningInfo};

/// Blocks by which the network's speed is told.
const SPEED_BLOCKS: u32 = 120;
/// The most blocks that one call makes.
const BLOCKS_MAX: u32 = 10_000;

#[async_trait]
impl<N: Node> MiningApiServer for Rpc<N> {
    fn mining_info(&self) -> RpcResult<MiningInfo> {
        let reader = self.reader()?;
        let (params, bits) = (&reader.params, reader.head.header.bits);
        let status = self.node.mining();
        Ok(MiningInfo {
            chain: params.deployment.name.clone(),
            blocks: reader.tip.0,
            bits: bits.to_string(),
            difficulty: shape::difficulty(bits, params),
            networkhashps: speed(&reader)?,
            pooledtx: reader.pool.len() as u64,
            subsidy: Coins(params.rules.subsidy_at(reader.tip.next())),
            mining: status.mining,
            threads: status.threads,
            hashespersec: status.hashes_per_second,
            address: status.pays_to.map(|key| shape::address(&key, params)),
        })
    }

    async fn generate_to_address(&self, nblocks: u32, address: String) -> RpcResult<Vec<String>> {
        let nblocks = args::within("nblocks", nblocks, 1, BLOCKS_MAX)?;
        let to = args::address("address", &address, &self.reader()?.params)?;
        let hashes = self.node.generate(nblocks, to).await?;
        Ok(hashes.iter().map(ToString::to_string).collect())
    }

    async fn submit_block(&self, hexdata: String) -> RpcResult<Option<String>> {
        let encoded = from_hex(&hexdata).ok_or(RpcError::Decode {
            parameter: "hexdata",
            problem: "not hexadecimal digits, two a byte".to_owned(),
        })?;
        Ok(match self.node.submit_block(encoded).await? {
            BlockTaken::Active => None,
            BlockTaken::Side => Some("inconclusive".to_owned()),
            BlockTaken::Known => Some("duplicate".to_owned()),
        })
    }
}

/// Hashes a second that the last blocks took, by their own times; 0 where time did not pass.
fn speed(reader: &Reader) -> Result<f64, QueryError> {
    let first = reader.tip.0.saturating_sub(SPEED_BLOCKS);
    let mut hashes = 0.0;
    for height in first + 1..=reader.tip.0 {
        let head = reader.head(&reader.chain_row(Height(height))?.hash)?.head;
        hashes += shape::hashes(shape::work(head.header.bits));
    }
    let seconds = shape::time(reader, reader.tip)?.saturating_sub(shape::time(reader, Height(first))?);
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    Ok(if seconds == 0 { 0.0 } else { hashes / f64::from(seconds) })
}
