//! What people type: one binary, a file a command group.
//!
//! [`main`] parses, resolves the settings and runs the command; [`CliError`] is how it can end, [`Output`] where results
//! go. Commands but `node`, `demo`, `network`, `dns key`, `dns setup`, `wallet create` and `wallet restore` ask a running node
//! ([`client`]); `chain export` and `chain import` do without one.
//!
//! What is absent: rules. What a name costs, who must sign and what comes next is the node's to say.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Layer, NodeLayer, Settings};

mod chain;
pub mod client;
mod dns;
mod error;
mod mine;
mod name;
mod network;
mod node;
mod output;
mod peer;
mod progress;
mod stop;
mod wallet;

pub use error::CliError;
pub use output::{Output, Tone};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "dotp2p", bin_name = "dotp2p", version, about, long_about = None, max_term_width = 120, after_help = "\
Examples:
  dotp2p demo                          see it work, in seconds and without leaving a trace
  dotp2p wallet create                 make a wallet; write the words down
  dotp2p node --mine                   run a node and earn coins
  dotp2p name register alice --record '@ A 192.0.2.7' --wait")]
pub struct Cli {
    #[command(flatten)]
    global: Layer,
    #[command(subcommand)]
    command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Show it all on a throwaway network: mine, register a name, resolve it over real DNS
    #[command(after_help = "\
Examples:
  dotp2p demo             then try what it prints, until Ctrl-C
  dotp2p demo --once      check every answer and leave: exit code 0 if all are right")]
    Demo(DemoArgs),
    /// Run the node: chain, peers, DNS, JSON-RPC and wallet, until Ctrl-C
    #[command(after_help = "\
Examples:
  dotp2p node
  dotp2p node --mine=2 --network test
  dotp2p node --peer 192.0.2.7 --peer friend.example:9353
  dotp2p node --dns-listen 127.0.0.1:53 --dns-listen '[::1]:53'")]
    Node(NodeLayer),
    /// Register, show and change names
    Name(name::NameArgs),
    /// Make a wallet, receive and send coins
    Wallet(wallet::WalletArgs),
    /// Have the system's resolver ask the node, see whether it does, ask the node yourself
    Dns(dns::DnsArgs),
    /// Look at the chain, carry it in a file
    Chain(chain::ChainArgs),
    /// See and choose whom the node is connected to
    Peer(peer::PeerArgs),
    /// Make blocks at once (regtest), or see what the miner does
    Mine(mine::MineArgs),
    /// Make a network of one's own, or show the one in use
    Network(network::NetworkArgs),
    /// Stop the running node
    #[command(after_help = "\
Examples:
  dotp2p stop
  dotp2p stop --network regtest")]
    Stop,
}

/// How `dotp2p demo` is run.
#[derive(Debug, clap::Args)]
struct DemoArgs {
    /// Check the answers and leave, instead of staying to be tried out
    #[arg(long)]
    once: bool,
}

/// Runs the program on its arguments.
#[must_use]
pub fn main() -> ExitCode {
    let end = run(std::env::args_os());
    match &end {
        Ok(()) => {}
        Err(CliError::Shown { .. }) => {}
        Err(error) if error.is_broken_pipe() => return ExitCode::SUCCESS,
        Err(error) => output::complain(error),
    }
    ExitCode::from(end.map_or_else(|error| error.exit_code(), |()| 0))
}

fn run(args: impl IntoIterator<Item = OsString>) -> Result<(), CliError> {
    let args: Vec<OsString> = args.into_iter().collect();
    let refused = |error| CliError::of_clap(&error, &command_of(&args));
    let matches = command().try_get_matches_from(&args).map_err(refused)?;
    check_demo(&matches)?;
    let cli = Cli::from_arg_matches(&matches).map_err(refused)?;
    let mut flags = cli.global;
    if let Command::Node(node) = &cli.command {
        flags.node = node.clone();
    }
    if matches!(&cli.command, Command::Network(args) if args.is_new()) {
        // The file that the settings name may be the one to be made.
        flags.network = Some("main".to_owned());
    }
    let mut settings = Settings::resolve(flags)?;
    let is_node = matches!(cli.command, Command::Node(_));
    if is_node {
        settings.load_psk()?;
        settings.check_ca_file()?;
    }
    start_logging(is_node, settings.verbose);
    let mut runtime = match cli.command {
        Command::Node(_) | Command::Demo(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build().map_err(CliError::Runtime)?;
    let out = Output::new(settings.json);
    let end = runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => crate::demo::run(&out, args.once).await,
            Command::Node(_) => node::run(&settings).await,
            Command::Name(args) => name::run(args, &settings, &out).await,
            Command::Wallet(args) => wallet::run(args, &settings, &out).await,
            Command::Dns(args) => dns::run(args, &settings, &out).await,
            Command::Chain(args) => chain::run(args, &settings, &out).await,
            Command::Peer(args) => peer::run(args, &settings, &out).await,
            Command::Mine(args) => mine::run(args, &settings, &out).await,
            Command::Network(args) => network::run(args, &settings, &out),
            Command::Stop => stop::run(&settings, &out).await,
        }
    });
    // A prompt that was interrupted may still hold a thread; nobody waits for it.
    runtime.shutdown_background();
    end
}

/// Global options that say which network: the demo makes one of its own.
const NOT_FOR_DEMO: [&str; 4] = ["network", "data_dir", "config", "rpc"];

/// The command line, the demo's help without [`NOT_FOR_DEMO`].
fn command() -> clap::Command {
    let command = Cli::command();
    let not_shown = command.get_arguments().filter(|arg| NOT_FOR_DEMO.contains(&arg.get_id().as_str()));
    // Options of its own stand in for the global ones.
    let not_shown: Vec<Arg> = not_shown.map(|arg| arg.clone().global(false).hide(true)).collect();
    command.mut_subcommand("demo", |demo| demo.args(not_shown))
}

/// Errors: the demo was given one of [`NOT_FOR_DEMO`]; variables are for the other commands, too.
fn check_demo(matches: &ArgMatches) -> Result<(), CliError> {
    let Some(("demo", demo)) = matches.subcommand() else { return Ok(()) };
    let is_typed = |id: &&str| demo.value_source(id) == Some(ValueSource::CommandLine);
    match NOT_FOR_DEMO.into_iter().find(is_typed) {
        Some(id) => {
            let text =
                format!("the demo takes no --{}: its network is its own, and goes with it", id.replace('_', "-"));
            Err(CliError::Usage(text))
        }
        None => Ok(()),
    }
}

/// The command that was meant, as far as it exists: `dotp2p name show`.
fn command_of(args: &[OsString]) -> String {
    let mut command = Cli::command();
    let mut path = vec!["dotp2p".to_owned()];
    for arg in args {
        if let Some(found) = command.find_subcommand(arg) {
            path.push(found.get_name().to_owned());
            command = found.clone();
        }
    }
    path.join(" ")
}

/// Waits for Ctrl-C or, where there is one, SIGTERM. From the call on, neither ends the program by itself.
pub(crate) fn interrupted() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    };
    async move {
        #[cfg(unix)]
        if let (Ok(mut interrupt), Ok(mut terminate)) = signals {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Log lines go to stderr: the node's doings, of everything else only what went wrong. `DOTP2P_LOG` filters further.
fn start_logging(is_node: bool, verbose: u8) {
    let level = match (is_node, verbose) {
        (false, 0) => "error",
        (true, 0) | (false, 1) => {
            "dotp2p=info,dotp2p_network=info,libp2p_gossipsub=off,libp2p_request_response=error,warn"
        }
        (true, 1) | (false, 2) => {
            "dotp2p=debug,dotp2p_dns=debug,dotp2p_rpc=debug,dotp2p_registry=debug,dotp2p_network=debug,libp2p_gossipsub=off,libp2p_request_response=error,info"
        }
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("DOTP2P_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| progress::AboveBars)
        .with_ansi(io::stderr().is_terminal() && output::is_colour_wanted())
        .with_target(verbose > 0)
        .log_internal_errors(false)
        .try_init();
    drop(started);
}
