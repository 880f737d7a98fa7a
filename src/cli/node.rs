//! `dotp2p node`

mod catching_up;
mod open_files;

use super::{CliError, interrupted};
use crate::config::Settings;
use crate::node::{Node, NodeConfig, PeersConfig};

/// Exit code of a node that was not given the time to stop.
const ABORTED: i32 = 1;

pub(super) async fn run(settings: &Settings) -> Result<(), CliError> {
    let node = &settings.node;
    let mut dns = node.dns.clone();
    dns.forward.sockets = open_files::for_upstreams();
    let config = NodeConfig {
        rpc_listen: node.rpc_listen,
        dns_listen: node.dns_listen.clone(),
        mine: node.mine,
        mine_to: node.mine_to,
        reindex: node.reindex,
        dns_provisional: node.dns_provisional,
        dns,
        peers: PeersConfig {
            listen: node.p2p_listen.clone(),
            peers: node.peers.clone(),
            discovery: node.discovery,
            psk: settings.psk,
        },
        ..NodeConfig::new(settings.params.clone(), settings.dir.clone())
    };
    let mut node = Node::start(config).await?;
    tracing::info!(
        network = %settings.params.deployment.name,
        folder = %settings.dir.display(),
        rpc = %format_args!("http://{}", node.rpc_addr()),
        dns = ?node.dns_addrs(),
        "node is ready"
    );
    tokio::spawn(catching_up::tell(node.handle()));
    let ended = tokio::select! {
        () = interrupted() => {
            tracing::info!("stopping; once more aborts");
            Ok(())
        }
        ended = node.stopped() => {
            match &ended {
                Ok(()) => tracing::info!("stopping, as asked over RPC"),
                Err(error) => tracing::error!(%error, "stopping"),
            }
            ended
        }
    };
    tokio::select! {
        stopped = node.stop() => ended.and(stopped)?,
        () = interrupted() => {
            tracing::warn!("aborted");
            std::process::exit(ABORTED);
        }
    }
    tracing::info!("stopped");
    Ok(())
}
