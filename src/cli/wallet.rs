//! `dotp2p wallet …`

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dotp2p_chain::amount::Amount;
use dotp2p_chain::key::PublicKey;
use dotp2p_rpc::types::Coins;
use dotp2p_wallet::private_file::AccessError;
use dotp2p_wallet::{FileError, Phrase, Wallet, WordCount};
use serde_json::json;

use super::client::NodeClient;
use super::{CliError, Output, Tone};
use crate::config::Settings;
use crate::node::now_s;

/// More than any phrase can have.
const PHRASE_MAX: u64 = 4096;

/// How `dotp2p wallet` is used.
#[derive(Debug, Args)]
pub(super) struct WalletArgs {
    #[command(subcommand)]
    command: WalletCommand,
}

#[derive(Debug, Subcommand)]
enum WalletCommand {
    /// Make a wallet and show its seed phrase, once
    #[command(after_help = "\
Examples:
  dotp2p wallet create
  dotp2p wallet create --words 24

A running node takes the wallet into use by itself.")]
    Create {
        /// How long the seed phrase is: 12 or 24 words
        #[arg(long, default_value = "12", value_parser = ["12", "24"])]
        words: String,
    },
    /// Make a wallet of a seed phrase that was written down
    #[command(after_help = "\
Examples:
  dotp2p wallet restore                              (asks for the words)
  dotp2p wallet restore --phrase-file words.txt
  pass show dotp2p | dotp2p wallet restore

The words are never an argument: other users could see them.")]
    Restore {
        /// A file that holds the words
        #[arg(long, value_name = "FILE")]
        phrase_file: Option<PathBuf>,
    },
    /// Show the first address, or a new one
    #[command(after_help = "\
Examples:
  dotp2p wallet address            (works without a node)
  dotp2p wallet address --new")]
    Address {
        /// One that was not handed out before; asks the node
        #[arg(long)]
        new: bool,
    },
    /// Show the coins that can be spent
    #[command(after_help = "\
Examples:
  dotp2p wallet balance")]
    Balance,
    /// Pay coins to an address
    #[command(after_help = "\
Examples:
  dotp2p wallet send p2p1… 12.5
  dotp2p wallet send p2p1… 12.5 --yes")]
    Send {
        /// Whom
        address: String,
        /// What arrives, in coins
        #[arg(value_name = "COINS")]
        amount: Amount,
        /// Do not ask before paying
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(args: WalletArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    match args.command {
        WalletCommand::Create { words } => create(&words, settings, out),
        WalletCommand::Restore { phrase_file } => restore(phrase_file.as_deref(), settings, out),
        WalletCommand::Address { new } => address(new, settings, out).await,
        WalletCommand::Balance => balance(settings, out).await,
        WalletCommand::Send { address, amount, yes } => send(&address, amount, yes, settings, out).await,
    }
}

fn create(words: &str, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let words = if words == "24" { WordCount::TwentyFour } else { WordCount::Twelve };
    let path = settings.wallet_path();
    let wallet = Wallet::create(&path, &settings.params, words, Some(now_s())).map_err(with_place)?;
    let (phrase, address) = (wallet.phrase(), wallet.first_address());
    if out.is_json() {
        return out.json(&json!({ "path": path, "address": address, "phrase": *phrase }));
    }
    out.line(out.paint(&phrase, Tone::Bold))?;
    out.line("")?;
    out.note(
        "Write these words down now, on paper. They are shown this once. Whoever has them has the coins and the names;",
    );
    out.note("without them, nobody can bring them back.");
    out.note("");
    out.pairs(&[("wallet", Some(path.display().to_string())), ("address", Some(address))])
}

/// With what says where it goes, where it cannot be written.
fn with_place(error: FileError) -> CliError {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match &error {
        FileError::Access(AccessError::Io { source, .. })
            if matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem) =>
        {
            CliError::Refused(format!("{error}; say with --data-dir where the wallet and the rest can be kept"))
        }
        _ => error.into(),
    }
}

fn restore(file: Option<&Path>, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let path = settings.wallet_path();
    let refused = |error: io::Error| {
        let source = file.map_or("stdin".to_owned(), |file| file.display().to_string());
        CliError::Refused(format!("cannot read the seed phrase from {source}: {error}"))
    };
    let mut text = zeroize::Zeroizing::new(String::new());
    match file {
        Some(file) => fs::File::open(file).map_err(refused)?.take(PHRASE_MAX).read_to_string(&mut text),
        None if io::stdin().is_terminal() => {
            write!(io::stderr(), "The 12 or 24 words of the seed phrase, on one line (they will be seen here): ")?;
            io::stdin().read_line(&mut text)
        }
        None => io::stdin().take(PHRASE_MAX).read_to_string(&mut text),
    }
    .map_err(refused)?;
    let phrase: Phrase = text.parse()?;
    let wallet = Wallet::restore(&path, &settings.params, &phrase, None).map_err(with_place)?;
    let address = wallet.first_address();
    if out.is_json() {
        return out.json(&json!({ "path": path, "address": address }));
    }
    out.pairs(&[("wallet", Some(path.display().to_string())), ("address", Some(address))])?;
    out.note(
        "the node finds coins and names by itself; a registration under way goes on when its name is registered again",
    );
    Ok(())
}

async fn address(new: bool, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let address = if new {
        NodeClient::find(settings)?.call("getnewaddress", json!({})).await?.read()?
    } else {
        let path = settings.wallet_path();
        if !path.exists() {
            let text = format!("there is no wallet at {}; make one with `dotp2p wallet create`", path.display());
            return Err(CliError::Refused(text));
        }
        Wallet::open(&path, &settings.params)?.first_address()
    };
    if out.is_json() { out.json(&address) } else { out.line(address) }
}

async fn balance(settings: &Settings, out: &Output) -> Result<(), CliError> {
    let answer = NodeClient::find(settings)?.call("getbalance", json!({})).await?;
    if out.is_json() {
        return out.json(&answer.raw());
    }
    out.line(answer.read::<Coins>()?)
}

async fn send(address: &str, amount: Amount, yes: bool, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let key = PublicKey::from_address(address, &settings.params.deployment.address_prefix);
    key.map_err(|error| CliError::Usage(format!("{address}: {error}")))?;
    let node = NodeClient::find(settings)?;
    out.confirm(&format!("Pay {amount} coins and the miner's fee to {address}?"), yes)?;
    let answer = node.call("sendtoaddress", json!({ "address": address, "amount": amount.to_string() })).await?;
    if out.is_json() {
        return out.json(&answer.raw());
    }
    out.pairs(&[("sent", Some(answer.read()?))])
}
