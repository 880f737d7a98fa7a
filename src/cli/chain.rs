//! `dotp2p chain …`

use clap::{Args, Subcommand};
use dotp2p_rpc::types::{BlockInfo, BlockchainInfo, TransactionInfo};
use serde_json::json;

use super::client::NodeClient;
use super::{CliError, Output};
use crate::config::Settings;

mod export;
mod import;
mod place;

/// How `dotp2p chain` is used.
#[derive(Debug, Args)]
pub(super) struct ChainArgs {
    #[command(subcommand)]
    command: ChainCommand,
}

#[derive(Debug, Subcommand)]
enum ChainCommand {
    /// Show how far the chain is
    #[command(after_help = "\
Examples:
  dotp2p chain status
  dotp2p chain status --json | jq .blocks")]
    Status,
    /// Show a block and its transactions
    #[command(after_help = "\
Examples:
  dotp2p chain block               (the tip)
  dotp2p chain block 1200
  dotp2p chain block 000000a3…     (by its hash, 64 digits)")]
    Block {
        /// Its height or hash [default: the tip]
        #[arg(value_name = "HEIGHT|HASH")]
        block: Option<String>,
    },
    /// Write the chain into a file, to be carried where no network reaches
    #[command(after_help = "\
Examples:
  dotp2p chain export camp.dp2c              the whole chain; later again: what is new
  dotp2p chain export 1000.. new.dp2c        for somebody who has the first 999 blocks
  dotp2p chain export - | ssh away 'dotp2p chain import -'

With a node running it is asked, without one its folder is read, which is quicker.")]
    Export(export::ExportArgs),
    /// Read blocks out of a file that was carried here
    #[command(after_help = "\
Examples:
  dotp2p chain import camp.dp2c
  dotp2p chain import camp.dp2c --network camp.toml
  zstdcat camp.dp2c.zst | dotp2p chain import -

Every block is judged as one that a peer sends, so the file need not be trusted; blocks that are here are passed over.
With a node running it is given the blocks, without one they go into its folder, which is quicker: the way for a new machine.")]
    Import(import::ImportArgs),
}

pub(super) async fn run(args: ChainArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let node = || NodeClient::find(settings);
    match args.command {
        ChainCommand::Status => status(&node()?, out).await,
        ChainCommand::Block { block } => show(block.as_deref(), &node()?, out).await,
        ChainCommand::Export(args) => export::run(args, settings, out).await,
        ChainCommand::Import(args) => import::run(args, settings, out).await,
    }
}

async fn status(node: &NodeClient, out: &Output) -> Result<(), CliError> {
    let answer = node.call("getblockchaininfo", json!({})).await?;
    if out.is_json() {
        return out.json(&answer.raw());
    }
    let info: BlockchainInfo = answer.read()?;
    let percent = info.verificationprogress * 100.0;
    out.pairs(&[
        ("network", Some(info.chain)),
        ("chain id", Some(info.chain_id)),
        ("blocks", Some(format!("{} of {}, {percent:.2} %", info.blocks, info.headers))),
        ("tip", Some(info.bestblockhash)),
        ("difficulty", Some(format!("{} (bits {})", info.difficulty, info.bits))),
        ("DNS follows", Some(format!("block {}", info.settled))),
        ("names", Some(info.names.to_string())),
        ("price level", Some(info.level.to_string())),
        ("coins", Some(format!("{} issued, {} burned", info.issued, info.burned))),
    ])
}

async fn show(block: Option<&str>, node: &NodeClient, out: &Output) -> Result<(), CliError> {
    let hash: String = match block {
        None => node.call("getbestblockhash", json!({})).await?.read()?,
        Some(text) if text.len() == 64 => text.to_owned(),
        Some(text) => {
            let wrong = |_| CliError::Usage(format!("{text:?} is neither a height nor the 64 digits of a hash"));
            let height: u32 = text.parse().map_err(wrong)?;
            node.call("getblockhash", json!({ "height": height })).await?.read()?
        }
    };
    let answer = node.call("getblock", json!({ "blockhash": hash, "verbosity": 2 })).await?;
    if out.is_json() {
        return out.json(&answer.raw());
    }
    let info: BlockInfo<TransactionInfo> = answer.read()?;
    out.pairs(&[
        ("block", Some(info.header.hash)),
        ("height", Some(info.header.height.to_string())),
        ("confirmations", Some(info.header.confirmations.to_string())),
        ("time", Some(format!("{} (Unix seconds)", info.header.time))),
        ("rewards", Some(info.coinbase.to)),
        ("bytes", Some(info.size.to_string())),
    ])?;
    if info.tx.is_empty() {
        return Ok(());
    }
    out.line("")?;
    let row = |it: TransactionInfo| {
        let op = |op: &dotp2p_rpc::types::OpInfo| match &op.name {
            Some(name) => format!("{} {name}", op.op),
            None => op.op.clone(),
        };
        let ops: Vec<String> = it.ops.iter().map(op).collect();
        vec![it.txid, it.fee.to_string(), ops.join(", ")]
    };
    out.table(&["transaction", "fee", "does"], info.tx.into_iter().map(row).collect())
}
