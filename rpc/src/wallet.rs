//! The wallet's coins.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::op::{Op, Pay};
use dotp2p_registry::query::Reader;
use jsonrpsee::core::async_trait;

use crate::Rpc;
use crate::api::WalletApiServer;
use crate::args;
use crate::error::{RpcError, RpcResult};
use crate::node::Node;
use crate::shape;
use crate::types::{AmountText, Coins};

#[async_trait]
impl<N: Node> WalletApiServer for Rpc<N> {
    async fn new_address(&self) -> RpcResult<String> {
        let params = self.reader()?.params.clone();
        let key = self.node.new_key().await?;
        Ok(shape::address(&key, &params))
    }

    fn balance(&self) -> RpcResult<Coins> {
        let reader = self.reader()?;
        Ok(Coins(balance(&reader, &self.node.wallet_keys()?)))
    }

    async fn send_to_address(&self, address: String, amount: AmountText) -> RpcResult<String> {
        let params = self.reader()?.params.clone();
        let to = args::address("address", &address, &params)?;
        let coins = args::amount("amount", &amount)?;
        if coins == Amount::ZERO {
            return Err(RpcError::wrong("amount", amount, "expected more than 0 (N6a)"));
        }
        let txid = self.node.send(vec![Op::Pay(Pay { to, amount: coins })]).await?;
        Ok(txid.to_string())
    }
}

/// What `keys` can spend at the tip.
pub(crate) fn balance(reader: &Reader, keys: &[PublicKey]) -> Amount {
    let balances = keys.iter().filter_map(|key| reader.state.account(key)).map(|account| account.balance);
    balances.fold(Amount::ZERO, |sum, balance| sum.checked_add(balance).unwrap_or(Amount::MAX))
}
