//! `dotp2p network …`

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::to_hex;
use dotp2p_chain::name::{Name, NameError};
use dotp2p_chain::params::Params;
use dotp2p_rpc::types::Coins;
use serde_json::json;
use zeroize::Zeroizing;

use super::{CliError, Output};
use crate::config::camp::{Camp, SPACING_MAX_S, SPACING_S};
use crate::config::{Settings, network_file, psk};
use crate::node::now_s;

/// How `dotp2p network` is used.
#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    #[command(subcommand)]
    command: NetworkCommand,
}

#[derive(Debug, Subcommand)]
enum NetworkCommand {
    /// Make a network of one's own: a file, with which others join
    #[command(after_help = "\
Examples:
  dotp2p network new --name camp                   writes camp.toml; hand it round
  dotp2p network new --name camp --tld camp        names end in .camp
  dotp2p network new --name camp --psk             only who has camp.psk too can join
  dotp2p node --network camp.toml --mine

Terms are made for a few days among people who trust one another: a name in some 20 seconds, light work, short waits.")]
    New(NewArgs),
    /// Show the network that commands use: its rules in short, its ports, whether a key is needed
    #[command(after_help = "\
Examples:
  dotp2p network show --network camp.toml
  dotp2p network show --network test --json")]
    Show,
}

#[derive(Debug, Args)]
struct NewArgs {
    /// Its name: 1 to 63 of a-z, 0-9 and inner hyphens
    #[arg(long)]
    name: Name,
    /// The top-level domain of its names
    #[arg(long, default_value = "p2p", value_parser = tld)]
    tld: String,
    /// Seconds between blocks
    #[arg(long, value_name = "SECONDS", default_value_t = SPACING_S)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=SPACING_MAX_S))]
    spacing: u64,
    /// Let in only who holds a key, which is written beside the file
    #[arg(long)]
    psk: bool,
    /// Where to write it [default: NAME.toml in the current folder]
    file: Option<PathBuf>,
}

/// Any label; a reserved name is none to claim, but may be a domain (B3l).
fn tld(text: &str) -> Result<String, NameError> {
    match Name::from_bytes(text.as_bytes()) {
        Ok(_) | Err(NameError::Reserved(_)) => Ok(text.to_owned()),
        Err(error) => Err(error),
    }
}

impl NetworkArgs {
    /// Whether the command is about a network that is not there yet.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.command, NetworkCommand::New(_))
    }
}

pub(super) fn run(args: NetworkArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    match args.command {
        NetworkCommand::New(args) => new(&args, out),
        NetworkCommand::Show => show(settings, out),
    }
}

fn new(args: &NewArgs, out: &Output) -> Result<(), CliError> {
    let path = args.file.clone().unwrap_or_else(|| PathBuf::from(format!("{}.toml", args.name)));
    let mut id = [0; 16];
    random(&mut id)?;
    let (name, tld) = (&args.name, args.tld.as_str());
    let camp = Camp { name, tld, spacing_s: args.spacing, psk: args.psk, id, genesis_time: now_s() };
    let text = camp.file();
    let params = network_file::parse(&text, &path)?;
    let key = args.psk.then(|| psk::beside(&path));
    if key.as_ref() == Some(&path) {
        return Err(CliError::Usage(format!(
            "{} is where the key would be: give the file another ending",
            path.display()
        )));
    }
    write_all(&path, &text, key.as_deref())?;
    if out.is_json() {
        let (name, chain_id) = (&params.deployment.name, params.chain_id.to_string());
        return out.json(&json!({ "file": path, "psk_file": key, "network": name, "chain_id": chain_id }));
    }
    let shown = path.display();
    out.pairs(&[
        ("network", Some(shown.to_string())),
        ("key", key.as_ref().map(|key| key.display().to_string())),
        ("chain id", Some(params.chain_id.to_string())),
        ("names end in", Some(format!(".{}", args.tld))),
    ])?;
    match key {
        None => out.note(format_args!("whoever has {shown} can join: hand it round")),
        Some(key) => out.note(format_args!(
            "to join, both files are needed: hand round {shown} as you like, but {} only by a private way, from hand to \
            hand; whoever has it can let in others",
            key.display()
        )),
    }
    out.note(format_args!("join with `dotp2p node --network {shown} --mine`"));
    Ok(())
}

fn random(bytes: &mut [u8]) -> Result<(), CliError> {
    getrandom::fill(bytes).map_err(|error| CliError::Refused(format!("the system gives no random numbers: {error}")))
}

/// Writes the network's file and, where it has one, its key: both or neither, and over nothing that is there.
fn write_all(path: &Path, text: &str, key: Option<&Path>) -> Result<(), CliError> {
    let failed = |path: &Path, error: io::Error| {
        CliError::Refused(match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!(
                    "{} exists already and is not overwritten: give another FILE, or move it away first",
                    path.display()
                )
            }
            _ => format!("cannot write {}: {error}", path.display()),
        })
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| failed(path, error))?;
    let write_key = |key: &Path| {
        let mut secret = Zeroizing::new([0; 32]);
        random(secret.as_mut_slice())?;
        psk::write(key, &secret).map_err(|error| failed(key, error))
    };
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| failed(path, error));
    let written = written.and_then(|()| key.map_or(Ok(()), write_key));
    if written.is_err() {
        // It is ours, just made, and half of what was asked for.
        let _ = fs::remove_file(path);
    }
    written
}

fn show(settings: &Settings, out: &Output) -> Result<(), CliError> {
    let Params { rules, deployment, chain_id, .. } = &settings.params;
    let key = settings.node.psk.as_ref().filter(|_| deployment.psk);
    let tld = settings.tld();
    if out.is_json() {
        return out.json(&json!({
            "network": deployment.name,
            "chain_id": chain_id.to_string(),
            "tld": tld,
            "address_prefix": deployment.address_prefix,
            "p2p_port": deployment.p2p_port,
            "rpc_port": deployment.rpc_port,
            "dns_port": deployment.dns_port,
            "dns_confirmations": deployment.dns_confirmations,
            "on_demand": deployment.on_demand,
            "psk": deployment.psk,
            "psk_file": key,
            "dir": settings.dir,
            "rules": {
                "spacing": rules.spacing,
                "half_life": rules.half_life,
                "limit_bits": rules.limit_bits.to_string(),
                "body_max": rules.body_max,
                "subsidy": Coins(Amount::from_atoms(rules.subsidy)),
                "halving_interval": rules.halving_interval,
                "maturity": rules.maturity,
                "age_min": rules.age_min,
                "age_max": rules.age_max,
                "commit_target": rules.commit_target,
                "commit_max": rules.commit_max,
                "year": rules.year,
                "years_ahead": rules.years_ahead,
                "grace": rules.grace,
                "premium_start": Coins(Amount::from_atoms(rules.premium_start)),
                "halving_blocks": rules.halving_blocks,
                "halvings": rules.halvings,
                "records_max": rules.records_max,
                "id": to_hex(&rules.id),
                "genesis_time": rules.genesis_time,
                "genesis_bits": rules.genesis_bits.to_string(),
            },
        }));
    }
    let time = |blocks: u32| match deployment.on_demand {
        true => format!("{blocks} blocks"),
        false => format!("{blocks} blocks, {}", span(u64::from(blocks).saturating_mul(rules.spacing))),
    };
    let ports = format!("peers {}, RPC {}, DNS {}", deployment.p2p_port, deployment.rpc_port, deployment.dns_port);
    let every = if deployment.on_demand { "when there is need of one".to_owned() } else { span(rules.spacing) };
    out.pairs(&[
        ("network", Some(deployment.name.clone())),
        ("chain id", Some(chain_id.to_string())),
        ("names end in", Some(format!(".{tld}"))),
        ("addresses begin", Some(format!("{}1", deployment.address_prefix))),
        ("ports", Some(ports)),
        ("key", Some(key.map_or("none is needed".to_owned(), |key| format!("needed, in {}", key.display())))),
        ("a block every", Some(every)),
        (
            "its reward",
            Some(format!("{} coins, spent after {}", Amount::from_atoms(rules.subsidy), time(rules.maturity))),
        ),
        ("a claim waits", Some(format!("{}; at most {}", time(rules.age_min), time(rules.age_max)))),
        ("a name's year", Some(time(rules.year))),
        ("then in grace", Some(time(rules.grace))),
        ("easiest work", Some(format!("bits {}", rules.limit_bits))),
        ("DNS follows", Some(format!("a new owner after {}", time(deployment.dns_confirmations)))),
        ("folder", Some(settings.dir.display().to_string())),
    ])
}

/// Seconds in the largest unit that does not hide much.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
