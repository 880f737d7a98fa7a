//! How a command can end badly: one line for people, an exit code for programs.

use std::io;

use clap::error::ErrorKind;
use dotp2p_dns::dnssec::key_file::KeyFileError;
use dotp2p_registry::name_policy::TypedError;
use dotp2p_wallet::{FileError, SeedError};

use super::client::ClientError;
use crate::config::ConfigError;
use crate::demo::DemoError;
use crate::node::NodeError;

/// Why a command did not do what was asked. Exit code 2: it was asked wrongly; 1: it was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Asked wrongly.
    #[error("{0}")]
    Usage(String),
    /// Settings that cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What was typed is no name.
    #[error(transparent)]
    Name(#[from] TypedError),
    /// Refused, or not as it must be to go on.
    #[error("{0}")]
    Refused(String),
    /// The node, or the lack of one.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file of the wallet.
    #[error(transparent)]
    Wallet(#[from] FileError),
    /// No seed phrase.
    #[error(transparent)]
    Phrase(#[from] SeedError),
    /// The zone's keys.
    #[error(transparent)]
    ZoneKey(#[from] KeyFileError),
    /// The node did not start, or stopped badly.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The demo did not work.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
    /// Threads cannot be started.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// Everything was said already: help, or a list of what is wrong.
    #[error("")]
    Shown {
        /// What remains to be told.
        exit_code: u8,
    },
}

impl CliError {
    /// What the program ends with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Config(_) | Self::Name(_) => 2,
            Self::Shown { exit_code } => *exit_code,
            _ => 1,
        }
    }

    /// Whether the reader of the result went away, which is no error.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What clap says of `command`, such as `dotp2p name`, on one line; help and version are printed.
    pub(super) fn of_clap(error: &clap::Error, command: &str) -> Self {
        match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let printed = error.print().is_ok();
                let exit_code = if printed { u8::from(error.use_stderr()) * 2 } else { 0 };
                Self::Shown { exit_code }
            }
            _ => Self::Usage(one_line(&error.render().to_string(), command)),
        }
    }
}

/// `error: WHAT ⏎ tip: TIP ⏎ Usage: …` as `WHAT; TIP; see dotp2p COMMAND --help`.
fn one_line(text: &str, command: &str) -> String {
    let is_what = |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more information");
    let what: Vec<&str> = text.lines().take_while(is_what).flat_map(str::split_whitespace).collect();
    let what = what.join(" ").replacen("error: ", "", 1).replace(" tip: ", "; ");
    format!("{what}; see `{command} --help`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_on_one_line() {
        let text = "error: unexpected argument '--foo' found\n\n  tip: a similar argument exists: '--for'\n\n\
                    Usage: dotp2p name show [OPTIONS] <NAME>\n\nFor more information, try '--help'.\n";
        assert_eq!(
            one_line(text, "dotp2p name show"),
            "unexpected argument '--foo' found; a similar argument exists: '--for'; see `dotp2p name show --help`"
        );
        let text = "error: invalid value 'x' for '--mine': no\n\nFor more information, try '--help'.\n";
        assert_eq!(one_line(text, "dotp2p"), "invalid value 'x' for '--mine': no; see `dotp2p --help`");
    }
}
