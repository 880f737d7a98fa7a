//! `dotp2p dns …`

use std::net::SocketAddr;

use clap::{Args, Subcommand};
use dotp2p_chain::params::Params;

use super::client::NodeFile;
use super::{CliError, Output};
use crate::config::Settings;
use crate::dns_setup::askable;

mod check;
mod key;
mod links;
mod query;
mod setup;

/// How `dotp2p dns` is used.
#[derive(Debug, Args)]
pub(super) struct DnsArgs {
    #[command(subcommand)]
    command: DnsCommand,
}

#[derive(Debug, Subcommand)]
enum DnsCommand {
    /// Have the system's resolver ask the node for the network's names, or undo that
    #[command(after_help = "\
Examples:
  dotp2p dns setup --dry-run                 show what would change
  sudo dotp2p dns setup --data-dir ~/.local/share/dotp2p --reload
  sudo dotp2p dns setup --kind unbound --server 127.0.0.1:9355
  sudo dotp2p dns setup --undo               give every file back as it was

It finds the resolver that the system uses: systemd-resolved, NetworkManager's dnsmasq, dnsmasq, Unbound, BIND, or \
/etc/resolv.conf alone; on macOS /etc/resolver. For Windows it prints what to type. It shows every change and asks before it \
writes.")]
    Setup(setup::SetupArgs),
    /// See whether the system resolves the network's names, and if not, which link is broken
    #[command(after_help = "\
Examples:
  dotp2p dns check
  dotp2p dns check alice.p2p
  dotp2p dns check --resolver 127.0.0.1:5353     a resolver that resolv.conf does not name

Exit code 0 only if every link holds.")]
    Check(check::CheckArgs),
    /// Ask the node's DNS, and show the whole answer
    #[command(after_help = "\
Examples:
  dotp2p dns query alice                  (alice.p2p, type A)
  dotp2p dns query www.alice.p2p AAAA
  dotp2p dns query alice.p2p TXT --tcp
  dotp2p dns query p2p SOA --dnssec --server 192.0.2.7:9355")]
    Query(query::QueryArgs),
    /// Show the key that DNS answers are signed with as each resolver wants it, or change it
    #[command(after_help = key::EXAMPLES)]
    Key(key::KeyArgs),
}

pub(super) async fn run(args: DnsArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    match args.command {
        DnsCommand::Setup(args) => setup::run(&args, settings, out),
        DnsCommand::Check(args) => check::run(args, settings, out).await,
        DnsCommand::Query(args) => query::run(&args, settings, out).await,
        DnsCommand::Key(args) => key::run(args, settings, out),
    }
}

/// Where the node can be asked: as was said, else what the running node wrote; one address at least.
fn servers(said: Option<SocketAddr>, settings: &Settings) -> Result<Vec<SocketAddr>, CliError> {
    let listening = match said {
        Some(server) => vec![server],
        None => {
            let instead = |error| CliError::Refused(format!("{error}; or say with --server where it answers DNS"));
            NodeFile::read(settings).map_err(instead)?.dns
        }
    };
    let servers = askable(&listening);
    if servers.is_empty() {
        return Err(CliError::Refused("the node answers no DNS: start it with --dns-listen".to_owned()));
    }
    Ok(servers)
}

/// `dotp2p COMMAND` for another user, whose home is another, so that the folder is named.
fn for_another_user(command: &str, settings: &Settings) -> String {
    let mut command = format!("dotp2p {command}");
    let network = settings.params.deployment.name.as_str();
    if network != "main" && Params::named(network).is_some() {
        command.push_str(&format!(" --network {network}"));
    }
    let data_dir = settings.dir.parent().unwrap_or(&settings.dir);
    let data_dir = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    command.push_str(&format!(" --data-dir {}", data_dir.display()));
    command
}

/// A random id, by which an answer is told from a forged one.
fn random_id() -> Result<u16, CliError> {
    let mut id = [0; 2];
    let filled = getrandom::fill(&mut id);
    filled.map_err(|error| CliError::Refused(format!("the system gives no random numbers: {error}")))?;
    Ok(u16::from_be_bytes(id))
}
