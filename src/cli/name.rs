//! `dotp2p name …`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use dotp2p_registry::name_policy::{Typed, typed};

use super::client::NodeClient;
use super::{CliError, Output};
use crate::config::Settings;

mod change;
mod records;
mod register;
mod show;

/// How `dotp2p name` is used.
#[derive(Debug, Args)]
pub(super) struct NameArgs {
    #[command(subcommand)]
    command: NameCommand,
}

#[derive(Debug, Subcommand)]
enum NameCommand {
    /// Register a name: commit, wait, claim, set records; one command, also after an interruption
    #[command(after_help = "\
Examples:
  dotp2p name register alice --record '@ A 192.0.2.7' --record 'www CNAME @' --wait
  dotp2p name register alice --zone alice.zone --years 2 --yes
  dotp2p name register alice --zone - --yes < alice.zone

The node carries a registration through by itself; the same command again shows how far it is.")]
    Register(register::RegisterArgs),
    /// Show who holds a name, until when, and its records
    #[command(after_help = "\
Examples:
  dotp2p name show alice
  dotp2p name show alice --height 1200
  dotp2p name show bücher.p2p --json")]
    Show {
        /// The name: alice, alice.p2p, in capitals or with letters of any script
        name: String,
        /// As it was after this block
        #[arg(long)]
        height: Option<u32>,
    },
    /// List the names of this wallet, or of an address
    #[command(after_help = "\
Examples:
  dotp2p name list
  dotp2p name list --owner p2p1…")]
    List {
        /// The address that holds them [default: those of the node's wallet]
        #[arg(long, value_name = "ADDRESS")]
        owner: Option<String>,
    },
    /// List what was done to a name, the newest first
    #[command(after_help = "\
Examples:
  dotp2p name history alice
  dotp2p name history alice --limit 5")]
    History {
        /// The name
        name: String,
        /// At most so many transactions
        #[arg(long, value_name = "COUNT")]
        limit: Option<u32>,
    },
    /// Replace all records of a name
    #[command(after_help = "\
Examples:
  dotp2p name update alice --record '@ A 192.0.2.8'
  dotp2p name update alice --zone alice.zone
  dotp2p name show alice --json | jq .records > alice.json
  dotp2p name update alice --json-records alice.json
  echo '[]' | dotp2p name update alice --json-records -      (removes all)")]
    Update(change::UpdateArgs),
    /// Pay further years, for one's own name or anybody's
    #[command(after_help = "\
Examples:
  dotp2p name renew alice
  dotp2p name renew alice --years 5 --yes")]
    Renew(change::RenewArgs),
    /// Give a name away
    #[command(after_help = "\
Examples:
  dotp2p name transfer alice p2p1…")]
    Transfer(change::TransferArgs),
    /// Prove what a block says of a name, to anybody who knows that block's hash
    #[command(after_help = "\
Examples:
  dotp2p name proof alice
  dotp2p name proof alice --height 1200 --out alice.proof.json")]
    Proof {
        /// The name
        name: String,
        /// The block [default: the tip]
        #[arg(long)]
        height: Option<u32>,
        /// Write the proof, as JSON, into this file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Tell what a name costs now
    #[command(after_help = "\
Examples:
  dotp2p name price alice
  dotp2p name price alice --years 3")]
    Price {
        /// The name
        name: String,
        /// For so many years
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10))]
        years: u8,
    },
}

pub(super) async fn run(args: NameArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let node = || NodeClient::find(settings);
    let fold = |name: &str| fold(name, settings, out);
    match args.command {
        NameCommand::Register(args) => register::run(args, settings, out).await,
        NameCommand::Show { name, height } => show::show(&fold(&name)?, height, &node()?, out).await,
        NameCommand::List { owner } => show::list(owner, &node()?, out).await,
        NameCommand::History { name, limit } => show::history(&fold(&name)?, limit, &node()?, out).await,
        NameCommand::Update(args) => change::update(args, settings, out).await,
        NameCommand::Renew(args) => change::renew(args, settings, out).await,
        NameCommand::Transfer(args) => change::transfer(args, settings, out).await,
        NameCommand::Proof { name, height, out: file } => {
            show::proof(&fold(&name)?, height, file.as_deref(), &node()?, out).await
        }
        NameCommand::Price { name, years } => show::price(&fold(&name)?, years, &node()?, out).await,
    }
}

/// Reads a name as people type it, and says what was taken where that is not what was typed.
fn fold(text: &str, settings: &Settings, out: &Output) -> Result<Typed, CliError> {
    let typed = typed(text, &settings.tld())?;
    if typed.folded && !out.is_json() {
        out.note(format_args!("{} is taken as {}", text.trim(), shown(&typed)));
    }
    Ok(typed)
}

/// `alice`, or `xn--bcher-kva (bücher)`.
fn shown(name: &Typed) -> String {
    both(name.name.as_str(), &name.unicode)
}

fn both(name: &str, unicode: &str) -> String {
    if name == unicode { name.to_owned() } else { format!("{name} ({unicode})") }
}

fn years_text(years: u8) -> String {
    if years == 1 { "1 year".to_owned() } else { format!("{years} years") }
}
