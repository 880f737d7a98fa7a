//! `dotp2p peer …`

use clap::{Args, Subcommand};
use dotp2p_rpc::types::{BanInfo, NetworkInfo, PeerInfo};
use serde_json::json;

use super::client::NodeClient;
use super::{CliError, Output};
use crate::config::Settings;

/// How `dotp2p peer` is used.
#[derive(Debug, Args)]
pub(super) struct PeerArgs {
    #[command(subcommand)]
    command: PeerCommand,
}

#[derive(Debug, Subcommand)]
enum PeerCommand {
    /// List the peers that are connected, and the addresses to give to others
    #[command(after_help = "\
Examples:
  dotp2p peer list
  dotp2p peer list --json | jq '.[].addr'")]
    List,
    /// Stay connected to a peer, until the node stops
    #[command(after_help = "\
Examples:
  dotp2p peer add 192.0.2.7
  dotp2p peer add friend.example:9353
  dotp2p peer add /ip4/192.0.2.7/tcp/9353/p2p/12D3KooW…
  dotp2p peer add 192.0.2.7 --remove

A line `peer = [\"192.0.2.7\"]` below [node] in dotp2p.toml lasts.")]
    Add {
        /// Host, host and port, or multiaddr
        #[arg(value_name = "HOST[:PORT]|MULTIADDR")]
        peer: String,
        /// No longer stay connected to it
        #[arg(long)]
        remove: bool,
    },
    /// Ban an address, a subnet or a peer, or list who is banned
    #[command(after_help = "\
Examples:
  dotp2p peer ban                          (list)
  dotp2p peer ban 192.0.2.7                (for a day)
  dotp2p peer ban 192.0.2.0/24 --seconds 3600
  dotp2p peer ban 192.0.2.7 --lift")]
    Ban {
        /// An address, a subnet, or a peer's id [default: list]
        #[arg(value_name = "ADDRESS|SUBNET|ID")]
        subject: Option<String>,
        /// For how long [default: a day]
        #[arg(long, value_name = "SECONDS", requires = "subject", conflicts_with = "lift")]
        seconds: Option<u64>,
        /// Let it in again
        #[arg(long, requires = "subject")]
        lift: bool,
    },
}

pub(super) async fn run(args: PeerArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let node = NodeClient::find(settings)?;
    match args.command {
        PeerCommand::List => list(&node, out).await,
        PeerCommand::Add { peer, remove } => {
            let command = if remove { "remove" } else { "add" };
            let answer = node.call("addnode", json!({ "node": peer, "command": command })).await?;
            if out.is_json() {
                return out.json(&answer.raw());
            }
            out.line(if remove { format!("no longer connects to {peer}") } else { format!("connects to {peer}") })
        }
        PeerCommand::Ban { subject: None, .. } => banned(&node, out).await,
        PeerCommand::Ban { subject: Some(subject), seconds, lift } => {
            let command = if lift { "remove" } else { "add" };
            let params = json!({ "subnet": subject, "command": command, "bantime": seconds });
            let answer = node.call("setban", params).await?;
            if out.is_json() {
                return out.json(&answer.raw());
            }
            out.line(if lift { format!("{subject} is let in again") } else { format!("{subject} is banned") })
        }
    }
}

async fn list(node: &NodeClient, out: &Output) -> Result<(), CliError> {
    let answer = node.call("getpeerinfo", json!({})).await?;
    if out.is_json() {
        return out.json(&answer.raw());
    }
    let peers: Vec<PeerInfo> = answer.read()?;
    if !peers.is_empty() {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let row = |peer: PeerInfo| {
            let kind = if peer.relayed { format!("{}, relayed", peer.connection_type) } else { peer.connection_type };
            vec![
                peer.addr,
                kind,
                number(peer.height.map(u64::from)),
                number(peer.ping_ms),
                peer.conntime.to_string(),
                peer.subver,
            ]
        };
        let header = ["peer", "kind", "height", "ping ms", "seconds", "program"];
        out.table(&header, peers.into_iter().map(row).collect())?;
        out.line("")?;
    }
    let network: NetworkInfo = node.call("getnetworkinfo", json!({})).await?.read()?;
    out.pairs(&[
        ("connected", Some(format!("{} in, {} out", network.connections_in, network.connections_out))),
        ("syncing", network.syncing.then(|| "yes".to_owned())),
        ("own id", Some(network.id)),
    ])?;
    for address in network.localaddresses {
        out.pairs(&[("listens on", Some(address))])?;
    }
    Ok(())
}

async fn banned(node: &NodeClient, out: &Output) -> Result<(), CliError> {
    let answer = node.call("listbanned", json!({})).await?;
    if out.is_json() {
        return out.json(&answer.raw());
    }
    let bans: Vec<BanInfo> = answer.read()?;
    if bans.is_empty() {
        return out.line("nobody is banned");
    }
    let row = |ban: BanInfo| vec![ban.address, ban.banned_until.to_string(), ban.reason];
    out.table(&["banned", "until (Unix seconds)", "why"], bans.into_iter().map(row).collect())
}
