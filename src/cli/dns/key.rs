//! `dotp2p dns key …`: the anchors of this node's zone, and their roll. Works on the files; a node that runs follows them.

mod forms;

use std::io;
use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use dotp2p_dns::dnssec::key::{Algorithm, DnsKey};
use dotp2p_dns::dnssec::key_file::{ANCHOR_FILE, KEY_FILE, KeyFile, KeyFileError, begin_roll, finish_roll};
use dotp2p_dns::dnssec::signer::apex_of;
use serde_json::{Value, json};

use super::{CliError, Output, Settings, for_another_user};
use crate::node::now_s;
use forms::Anchor;

/// How it is used; below its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  dotp2p dns key                        the anchor, as each resolver wants it
  dotp2p dns key --for unbound          just that, to be written into a file
  dotp2p dns key roll                   begin a roll: a second key, then trusted beside the first
  dotp2p dns key roll --finish          end it: the first one is dropped";

/// How `dotp2p dns key` is used.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct KeyArgs {
    /// Print only what this resolver reads
    #[arg(long = "for", value_name = "RESOLVER")]
    resolver: Option<Resolver>,
    #[command(subcommand)]
    command: Option<KeyCommand>,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Change the key in two steps, so that no resolver stops believing the node
    #[command(after_help = "\
Examples:
  dotp2p dns key roll                        make a second key; both are trusted from now on
  dotp2p dns key                             give both anchors to every resolver, in place of the old one
  dotp2p dns key roll --finish               after an hour at least: the old key is dropped, its anchor may go")]
    Roll(RollArgs),
}

#[derive(Debug, Args)]
struct RollArgs {
    /// End the roll that runs: the old key signs no more
    #[arg(long)]
    finish: bool,
    /// End it even though a resolver may not have seen the new key yet
    #[arg(long, requires = "finish")]
    early: bool,
    /// How the new key signs: ecdsap256 or ed25519 [default: as the settings say]
    #[arg(long, conflicts_with = "finish")]
    algorithm: Option<Algorithm>,
}

/// The resolvers whose words are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Resolver {
    Unbound,
    Bind,
    SystemdResolved,
    Dnsmasq,
    Knot,
    Powerdns,
    Delv,
    /// Records of a zone file.
    Zone,
}

impl Resolver {
    const ALL: [Self; 8] = [
        Self::Unbound,
        Self::Bind,
        Self::SystemdResolved,
        Self::Dnsmasq,
        Self::Knot,
        Self::Powerdns,
        Self::Delv,
        Self::Zone,
    ];

    /// The resolver, and where the lines belong.
    const fn title(self) -> &'static str {
        match self {
            Self::Unbound => "Unbound, in its server: clause",
            Self::Bind => "BIND, in named.conf",
            Self::SystemdResolved => "systemd-resolved, as /etc/dnssec-trust-anchors.d/dotp2p.positive",
            Self::Dnsmasq => "dnsmasq, in dnsmasq.conf",
            Self::Knot => "Knot Resolver, in kresd.conf",
            Self::Powerdns => "PowerDNS Recursor, in its Lua configuration",
            Self::Delv => "delv, in the file of -a, with +root=ZONE",
            Self::Zone => "records, as dnssec.anchor beside the key has them",
        }
    }

    const fn id(self) -> &'static str {
        match self {
            Self::Unbound => "unbound",
            Self::Bind => "bind",
            Self::SystemdResolved => "systemd_resolved",
            Self::Dnsmasq => "dnsmasq",
            Self::Knot => "knot",
            Self::Powerdns => "powerdns",
            Self::Delv => "delv",
            Self::Zone => "zone",
        }
    }

    fn lines(self, anchors: &[Anchor]) -> String {
        match self {
            Self::Unbound => forms::unbound(anchors),
            Self::Bind | Self::Delv => forms::bind(anchors),
            Self::SystemdResolved => forms::systemd_resolved(anchors),
            Self::Dnsmasq => forms::dnsmasq(anchors),
            Self::Knot => forms::knot(anchors),
            Self::Powerdns => forms::powerdns(anchors),
            Self::Zone => forms::zone(anchors),
        }
    }
}

pub(super) fn run(args: KeyArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let (dir, apex, now) = (&settings.dir, apex_of(&settings.tld()), now_s());
    let command = if args.command.is_some() { "dns key roll" } else { "dns key" };
    let explained = |error| explain(error, command, settings);
    match args.command {
        None => show(&KeyFile::load(dir).map_err(explained)?, args.resolver, settings, out),
        Some(KeyCommand::Roll(RollArgs { finish: true, early, .. })) => {
            let file = finish_roll(dir, &apex, now, early).map_err(explained)?;
            if out.is_json() {
                return out.json(&document(&file, settings));
            }
            out.line(format_args!("the roll is over: key {} alone signs and is trusted", file.lasting().tag()))?;
            out.note("the anchor of the old key may be taken out of the resolvers; a running node has followed within seconds");
            Ok(())
        }
        Some(KeyCommand::Roll(args)) => {
            let algorithm = args.algorithm.unwrap_or(settings.node.dns.dnssec_algorithm);
            let file = begin_roll(dir, algorithm, &apex, now).map_err(explained)?;
            if out.is_json() {
                return out.json(&document(&file, settings));
            }
            out.line(format_args!(
                "key {} is there beside the old one, and both are to be trusted",
                file.lasting().tag()
            ))?;
            out.note(
                "give every resolver the anchors that `dotp2p dns key` prints, then, an hour from now at the earliest: \
                `dotp2p dns key roll --finish`",
            );
            Ok(())
        }
    }
}

/// With whose the key is, where this user may not have it. Its owner is to change it, not root: the file would be root's then.
fn explain(error: KeyFileError, command: &str, settings: &Settings) -> CliError {
    let is_denied = match &error {
        KeyFileError::File { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
        // Nobody can tell what is in a folder that is closed to them.
        KeyFileError::Missing(path) => path.try_exists().is_err(),
        _ => false,
    };
    let path = settings.dir.join(KEY_FILE);
    match owner(&path).filter(|_| is_denied) {
        Some(owner) => {
            let command = for_another_user(command, settings);
            let path = path.display();
            let text = format!(
                "{path} is for user {owner} alone: `sudo -u {owner} {command}`, with the other options as here"
            );
            CliError::Refused(text)
        }
        None => error.into(),
    }
}

/// The user whose the file is, or the innermost folder on the way to it that can be seen; `None`: this one.
#[cfg(unix)]
fn owner(path: &Path) -> Option<String> {
    use nix::unistd::{Uid, User};
    let seen = path.ancestors().find_map(|path| std::fs::symlink_metadata(path).ok())?;
    let uid = Uid::from_raw(std::os::unix::fs::MetadataExt::uid(&seen));
    let name = || User::from_uid(uid).ok().flatten().map_or_else(|| format!("'#{uid}'"), |user| user.name);
    (uid != Uid::effective()).then(name)
}

#[cfg(not(unix))]
fn owner(_: &Path) -> Option<String> {
    None
}

fn show(file: &KeyFile, only: Option<Resolver>, settings: &Settings, out: &Output) -> Result<(), CliError> {
    if out.is_json() {
        return out.json(&document(file, settings));
    }
    let anchors = anchors(file, settings);
    if let Some(resolver) = only {
        return out.text(&resolver.lines(&anchors));
    }
    let tags = |wanted: &dyn Fn(&DnsKey) -> bool| {
        let all: Vec<String> = file
            .anchors()
            .filter(|key| wanted(key))
            .map(|key| format!("{} ({})", key.tag(), key.algorithm()))
            .collect();
        all.join(", ")
    };
    let lasting = file.lasting().tag();
    let is_rolling = file.roll_began().is_some();
    out.pairs(&[
        ("zone", Some(format!("{}.", settings.tld()))),
        ("key", Some(tags(&|key| !is_rolling || key.tag() != lasting))),
        ("rolls to", is_rolling.then(|| tags(&|key| key.tag() == lasting))),
        ("kept in", Some(settings.dir.join(KEY_FILE).display().to_string())),
        ("anchors in", Some(settings.dir.join(ANCHOR_FILE).display().to_string())),
    ])?;
    for resolver in Resolver::ALL {
        out.line("")?;
        out.line(format_args!("# {}", resolver.title()))?;
        out.text(&resolver.lines(&anchors))?;
    }
    if is_rolling {
        out.note(
            "a roll is running: give both anchors to every resolver, then end it with `dotp2p dns key roll --finish`",
        );
    }
    Ok(())
}

fn anchors(file: &KeyFile, settings: &Settings) -> Vec<Anchor> {
    file.anchors().map(|key| Anchor::new(key, &apex_of(&settings.tld()))).collect()
}

/// Everything as JSON.
fn document(file: &KeyFile, settings: &Settings) -> Value {
    let anchors = anchors(file, settings);
    let key = |(key, anchor): (&DnsKey, &Anchor)| {
        json!({
            "tag": key.tag(),
            "algorithm": key.algorithm().number(),
            "algorithm_name": key.algorithm().name(),
            "lasting": key.tag() == file.lasting().tag(),
            "ds": format!("{} {} 2 {}", anchor.tag, anchor.algorithm, anchor.digest),
            "dnskey": format!("257 3 {} {}", anchor.algorithm, anchor.key),
        })
    };
    let keys: Vec<Value> = file.anchors().zip(&anchors).map(key).collect();
    let forms: serde_json::Map<String, Value> =
        Resolver::ALL.iter().map(|it| (it.id().to_owned(), it.lines(&anchors).into())).collect();
    json!({
        "zone": format!("{}.", settings.tld()),
        "roll_began": file.roll_began(),
        "anchors": keys,
        "key_file": settings.dir.join(KEY_FILE),
        "anchor_file": settings.dir.join(ANCHOR_FILE),
        "resolvers": forms,
    })
}
