//! Peers.

use jsonrpsee::core::async_trait;

use crate::Rpc;
use crate::api::PeerApiServer;
use crate::error::{RpcError, RpcResult};
use crate::node::{AddNode, BanTerm, Node};
use crate::types::{BanInfo, NetworkInfo, PeerInfo};

#[async_trait]
impl<N: Node> PeerApiServer for Rpc<N> {
    async fn peer_info(&self) -> RpcResult<Vec<PeerInfo>> {
        let peers = self.node.peers().await?;
        let shape = |peer: crate::node::PeerStatus| PeerInfo {
            id: peer.id,
            addr: peer.address,
            inbound: peer.kind == "inbound",
            connection_type: peer.kind.to_owned(),
            relayed: peer.is_relayed,
            conntime: peer.connected_s,
            subver: peer.agent,
            height: peer.height,
            ping_ms: peer.ping_ms,
            same_deployment: peer.same_deployment,
            banscore: peer.points,
        };
        Ok(peers.into_iter().map(shape).collect())
    }

    async fn network_info(&self) -> RpcResult<NetworkInfo> {
        let network = self.node.network().await?;
        let (inbound, outbound) = (network.inbound as u64, network.outbound as u64);
        Ok(NetworkInfo {
            id: network.id,
            subversion: network.agent,
            connections: inbound + outbound,
            connections_in: inbound,
            connections_out: outbound,
            localaddresses: network.listening,
            externaladdresses: network.external,
            syncing: network.syncing,
        })
    }

    async fn add_node(&self, node: String, command: String) -> RpcResult<()> {
        let what = match command.as_str() {
            "add" => AddNode::Add,
            "remove" => AddNode::Remove,
            "onetry" => AddNode::OneTry,
            _ => return Err(RpcError::wrong("command", &command, "expected \"add\", \"remove\" or \"onetry\"")),
        };
        Ok(self.node.add_node(node, what).await?)
    }

    async fn disconnect_node(&self, address: String) -> RpcResult<()> {
        Ok(self.node.disconnect_node(address).await?)
    }

    async fn set_ban(
        &self,
        subnet: String,
        command: String,
        bantime: Option<u64>,
        absolute: Option<bool>,
    ) -> RpcResult<()> {
        let term = match (bantime, absolute) {
            (None | Some(0), _) => BanTerm::Default,
            (Some(until), Some(true)) => BanTerm::Until(until),
            (Some(seconds), _) => BanTerm::For(seconds),
        };
        match command.as_str() {
            "add" => Ok(self.node.set_ban(subnet, term).await?),
            "remove" => Ok(self.node.lift_ban(subnet).await?),
            _ => Err(RpcError::wrong("command", &command, "expected \"add\" or \"remove\"")),
        }
    }

    async fn list_banned(&self) -> RpcResult<Vec<BanInfo>> {
        let shape = |ban: crate::node::BanStatus| BanInfo {
            address: ban.subject,
            ban_created: ban.created_s,
            banned_until: ban.until_s,
            reason: ban.reason,
        };
        Ok(self.node.banned().await?.into_iter().map(shape).collect())
    }
}
