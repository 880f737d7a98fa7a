//! The node itself.

use jsonrpsee::core::async_trait;

use crate::Rpc;
use crate::api::ControlApiServer;
use crate::args;
use crate::error::{RpcError, RpcResult};
use crate::help;
use crate::node::{Node, WalletError};
use crate::shape;
use crate::types::{Coins, Info};
use crate::wallet::balance;

#[async_trait]
impl<N: Node> ControlApiServer for Rpc<N> {
    fn info(&self) -> RpcResult<Info> {
        let reader = self.reader()?;
        let params = &reader.params;
        let keys = match self.node.wallet_keys() {
            Ok(keys) => Some(keys),
            Err(WalletError::NoWallet) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Info {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            network: params.deployment.name.clone(),
            chain_id: params.chain_id.to_string(),
            tld: args::tld(params),
            blocks: reader.tip.0,
            headers: reader.headers.0,
            bestblockhash: reader.tip_hash().to_string(),
            names: reader.state.name_count() as u64,
            pool: reader.pool.len() as u64,
            serial: reader.meta.serial,
            uptime: self.node.uptime_s(),
            mining: self.node.mining().mining,
            address: keys.as_ref().and_then(|keys| keys.first()).map(|key| shape::address(key, params)),
            balance: keys.map(|keys| Coins(balance(&reader, &keys))),
        })
    }

    fn help(&self, method: Option<String>) -> RpcResult<String> {
        let Some(name) = method else { return Ok(help::list()) };
        help::method(&name).map(help::page).ok_or(RpcError::Method(name))
    }

    fn uptime(&self) -> RpcResult<u64> {
        Ok(self.node.uptime_s())
    }

    fn stop(&self) -> RpcResult<String> {
        self.node.stop();
        Ok("dotp2p is stopping".to_owned())
    }
}
