//! `dotp2p mine …`

use std::io::{self, IsTerminal};

use clap::{Args, Subcommand};
use dotp2p_rpc::types::{Info, MiningInfo};
use indicatif::ProgressBar;
use serde_json::json;

use super::client::NodeClient;
use super::{CliError, Output};
use crate::config::Settings;

/// Blocks asked for in one call.
const BATCH: u32 = 100;

/// How `dotp2p mine` is used.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  dotp2p mine 5 --network regtest
  dotp2p mine 5 --network regtest --to rp2p1…
  dotp2p mine status

On networks where blocks take work, run the node with `dotp2p node --mine`."
)]
pub(super) struct MineArgs {
    /// So many blocks, at once
    #[arg(required = true)]
    blocks: Option<u32>,
    /// Whom they reward [default: the wallet's first address]
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    #[command(subcommand)]
    command: Option<MineCommand>,
}

#[derive(Debug, Subcommand)]
enum MineCommand {
    /// Show what the node's miner and the network's do
    #[command(after_help = "\
Examples:
  dotp2p mine status")]
    Status,
}

pub(super) async fn run(args: MineArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let node = NodeClient::find(settings)?;
    match (args.command, args.blocks) {
        (None, Some(blocks)) => mine(blocks, args.to, &node, out).await,
        _ => status(&node, out).await,
    }
}

async fn mine(blocks: u32, to: Option<String>, node: &NodeClient, out: &Output) -> Result<(), CliError> {
    let to = match to {
        Some(to) => to,
        None => {
            let info: Info = node.call("getinfo", json!({})).await?.read()?;
            let none = "no wallet for the reward: make one with `dotp2p wallet create`, or give --to ADDRESS";
            info.address.ok_or_else(|| CliError::Refused(none.to_owned()))?
        }
    };
    let bar = io::stderr().is_terminal().then(|| ProgressBar::new(blocks.into()));
    let mut hashes: Vec<String> = Vec::new();
    let mut left = blocks;
    loop {
        let batch = left.min(BATCH);
        let answer = node.call("generatetoaddress", json!({ "nblocks": batch, "address": to })).await?;
        hashes.append(&mut answer.read()?);
        left -= batch;
        if let Some(bar) = &bar {
            bar.inc(batch.into());
        }
        if left == 0 {
            break;
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    if out.is_json() {
        return out.json(&hashes);
    }
    out.pairs(&[("blocks", Some(hashes.len().to_string())), ("last", hashes.last().cloned()), ("reward to", Some(to))])
}

async fn status(node: &NodeClient, out: &Output) -> Result<(), CliError> {
    let answer = node.call("getmininginfo", json!({})).await?;
    if out.is_json() {
        return out.json(&answer.raw());
    }
    let info: MiningInfo = answer.read()?;
    let state = if info.mining { format!("yes, on {} threads", info.threads) } else { "no".to_owned() };
    out.pairs(&[
        ("mining", Some(state)),
        ("hashes a second", Some(info.hashespersec.to_string())),
        ("network's", Some(format!("{:.3}", info.networkhashps))),
        ("reward to", info.address),
        ("blocks", Some(info.blocks.to_string())),
        ("difficulty", Some(info.difficulty.to_string())),
        ("pool", Some(format!("{} transactions", info.pooledtx))),
    ])
}
