//! `dotp2p dns …`

mod key;

use clap::{Args, Subcommand};

use super::{CliError, Output};
use crate::config::Settings;

/// How `dotp2p dns` is used.
#[derive(Debug, Args)]
pub(super) struct DnsArgs {
    #[command(subcommand)]
    command: DnsCommand,
}

#[derive(Debug, Subcommand)]
enum DnsCommand {
    /// Show the key that DNS answers are signed with as each resolver wants it, or change it
    #[command(after_help = key::EXAMPLES)]
    Key(key::KeyArgs),
}

pub(super) fn run(args: DnsArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    match args.command {
        DnsCommand::Key(args) => key::run(args, settings, out),
    }
}
