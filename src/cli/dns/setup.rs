//! `dotp2p dns setup`

use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::json;

use super::super::{CliError, Output, Tone};
use super::{for_another_user, servers};
use crate::config::Settings;
use crate::dns_setup::anchor::ANCHOR_MAX;
use crate::dns_setup::{Anchor, ApplyError, Kind, Machine, Step, Target, detect, is_root, plan, unified_diff};
use dotp2p_dns::dnssec::key_file::ANCHOR_FILE;

/// The machine itself.
const ROOT: &str = "/";

#[derive(Debug, Args)]
pub(super) struct SetupArgs {
    /// Take back what was set up: every file as it was
    #[arg(long, conflicts_with_all = ["kind", "server", "anchor"])]
    undo: bool,
    /// Which resolver: resolved (systemd), network-manager (with its dnsmasq), dnsmasq, unbound, bind, resolv-conf, macos or
    /// windows [default: the one that the system uses]
    #[arg(long, value_name = "KIND", value_enum, hide_possible_values = true)]
    kind: Option<Kind>,
    /// Where the node answers DNS [default: the running node of this data directory]
    #[arg(long, value_name = "ADDR:PORT")]
    server: Option<SocketAddr>,
    /// The trust anchor with which the resolver checks signatures, or none [default: the node's dnssec.anchor]
    #[arg(long, value_name = "FILE|none")]
    anchor: Option<PathBuf>,
    /// Change files below this folder instead of the system's
    #[arg(long, value_name = "DIR", default_value = ROOT, hide_default_value = true)]
    root: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before changing files
    #[arg(long)]
    yes: bool,
    /// Then have the resolver read its files anew
    #[arg(long)]
    reload: bool,
    /// Overwrite files of ours that were changed since
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &SetupArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    if !args.root.is_dir() {
        return Err(CliError::Usage(format!("--root {}: there is no such folder", args.root.display())));
    }
    if args.reload && args.root != Path::new(ROOT) {
        return Err(CliError::Usage("--reload is for the system's own files: leave it out, or --root".to_owned()));
    }
    let explained = |error| explain(&error, args, settings);
    let machine = Machine::open(&args.root).map_err(|error| explained(error.into()))?;
    if args.undo { undo(machine, args, settings, out) } else { set_up(machine, args, settings, out) }
}

fn set_up(mut machine: Machine, args: &SetupArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let explained = |error| explain(&error, args, settings);
    let target =
        Target { tld: settings.tld(), servers: servers(args.server, settings)?, anchor: anchor(args, settings)? };
    let facts = machine.facts(args.force).map_err(explained)?;
    let (kind, why) = match args.kind {
        Some(kind) => (kind, "as --kind says".to_owned()),
        None => detect(&facts).map_err(|error| CliError::Refused(error.to_string()))?,
    };
    let mut plan = plan(kind, &facts, &target).map_err(|error| CliError::Refused(error.to_string()))?;
    let would_check = matches!(kind, Kind::Resolved | Kind::Unbound | Kind::Bind);
    if would_check && target.anchor.is_none() && args.anchor.is_none() {
        let path = settings.dir.join(ANCHOR_FILE);
        plan.notes.push(format!(
            "there is no trust anchor {}, so {} will check no signatures of .{}: give the node's folder with --data-dir, or the \
             anchor with --anchor FILE; --anchor none says that this is meant",
            path.display(),
            kind.title(),
            target.tld
        ));
    }
    let steps = machine.steps(&plan.changes).map_err(explained)?;
    let other = machine.manifest().filter(|it| it.tld != target.tld || it.kind != kind);
    plan.notes.extend(other.map(|it| format!("this takes the place of .{} in {}", it.tld, it.kind.title())));
    let (title, server, tld) = (kind.title(), plan.server, &target.tld);
    if !out.is_json() {
        out.note(format_args!("{title}: {why}"));
        show(&steps, out)?;
        plan.by_hand.iter().try_for_each(|line| out.line(line))?;
        plan.notes.iter().for_each(|note| out.note(format_args!("note: {note}")));
    }
    let question = format!("Have {title} ask {server} for .{tld}?");
    let writes = !steps.is_empty() && is_agreed(&machine, &steps, &question, args, settings, out)?;
    if writes {
        machine.apply(&plan, tld, &steps).map_err(explained)?;
    }
    let reload = reload(kind, tld, writes, args, out)?;
    if out.is_json() {
        return out.json(&json!({
            "kind": kind,
            "why": why,
            "tld": tld,
            "server": server,
            "anchor": target.anchor.iter().flat_map(Anchor::ds_lines).collect::<Vec<_>>(),
            "changes": changes(&steps),
            "by_hand": plan.by_hand,
            "notes": plan.notes,
            "reload": reload,
            "done": writes,
        }));
    }
    match (steps.is_empty(), writes) {
        (true, _) if plan.by_hand.is_empty() => out.line(format_args!("{title} already asks {server} for .{tld}")),
        (_, true) => {
            out.line(format_args!("{title} is set up to ask {server} for .{tld}"))?;
            out.note("see with `dotp2p dns check`; taken back by `dotp2p dns setup --undo`");
            Ok(())
        }
        _ => Ok(()),
    }
}

fn undo(mut machine: Machine, args: &SetupArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let explained = |error| explain(&error, args, settings);
    machine.check_undo(args.force).map_err(explained)?;
    let steps = machine.steps(&[]).map_err(explained)?;
    let was = machine.manifest().map(|manifest| (manifest.kind, manifest.tld.clone()));
    let (kind, tld) = was.ok_or(ApplyError::NothingToUndo).map_err(explained)?;
    if !out.is_json() {
        show(&steps, out)?;
    }
    let question = format!("Take back what makes {} ask the node for .{tld}?", kind.title());
    let writes = is_agreed(&machine, &steps, &question, args, settings, out)?;
    if writes {
        machine.undo(&steps).map_err(explained)?;
    }
    let reload = reload(kind, &tld, writes, args, out)?;
    if out.is_json() {
        let changes = changes(&steps);
        return out.json(&json!({ "kind": kind, "tld": tld, "changes": changes, "reload": reload, "done": writes }));
    }
    if writes { out.line("every file is as it was before `dotp2p dns setup`") } else { Ok(()) }
}

/// The trust anchor that was named, else the node's, if it has one.
fn anchor(args: &SetupArgs, settings: &Settings) -> Result<Option<Anchor>, CliError> {
    let path = match &args.anchor {
        Some(path) if path == Path::new("none") => return Ok(None),
        Some(path) => path.clone(),
        None => settings.dir.join(ANCHOR_FILE),
    };
    let mut text = String::new();
    let read = fs::File::open(&path).and_then(|file| file.take(ANCHOR_MAX).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound && args.anchor.is_none() => return Ok(None),
        Err(error) => {
            return Err(CliError::Refused(format!("cannot read the trust anchor {}: {error}", path.display())));
        }
        Ok(_) => {}
    }
    let anchor = Anchor::parse(&text, &settings.tld());
    let wrong = |error| {
        CliError::Refused(format!("{} is no trust anchor: {error}; get it from `dotp2p dns key`", path.display()))
    };
    anchor.map(Some).map_err(wrong)
}

/// Whether to go on: it is no dry run, the files can be written, and whoever is asked agrees.
fn is_agreed(
    machine: &Machine,
    steps: &[Step],
    question: &str,
    args: &SetupArgs,
    settings: &Settings,
    out: &Output,
) -> Result<bool, CliError> {
    if args.dry_run {
        return Ok(false);
    }
    // Who may not write is not asked first.
    machine.check_writable(steps).map_err(|error| explain(&error, args, settings))?;
    out.confirm(question, args.yes)?;
    Ok(true)
}

/// Runs what makes the resolver read its files, or says what that is; gives the commands.
fn reload(kind: Kind, tld: &str, written: bool, args: &SetupArgs, out: &Output) -> Result<Vec<String>, CliError> {
    let commands = kind.reload(tld);
    if args.reload && !args.dry_run {
        for command in &commands {
            let mut words = command.split(' ');
            let ran = Command::new(words.next().unwrap_or_default()).args(words).stdin(Stdio::null()).output();
            let failed = |why: &str| CliError::Refused(format!("the files are written, but `{command}` failed: {why}"));
            let output = ran.map_err(|error| failed(&error.to_string()))?;
            if !output.status.success() {
                return Err(failed(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim()));
            }
        }
    } else if written && !commands.is_empty() {
        out.note(format_args!("for {} to notice, as root: {}", kind.title(), commands.join(" && ")));
    }
    Ok(commands)
}

/// Every change as a diff.
fn show(steps: &[Step], out: &Output) -> Result<(), CliError> {
    for line in steps.iter().map(diff).collect::<String>().lines() {
        let tone = match line.bytes().next() {
            _ if line.starts_with("+++") || line.starts_with("---") => Some(Tone::Bold),
            Some(b'+') => Some(Tone::Good),
            Some(b'-') => Some(Tone::Bad),
            Some(b'@') => Some(Tone::Faint),
            _ => None,
        };
        out.line(tone.map_or(line.to_owned(), |tone| out.paint(line, tone)))?;
    }
    Ok(())
}

fn diff(step: &Step) -> String {
    unified_diff(&step.path.display().to_string(), step.now.as_deref(), step.then.as_deref())
}

fn changes(steps: &[Step]) -> Vec<serde_json::Value> {
    let action = |step: &Step| match (&step.now, &step.then) {
        (None, _) => "create",
        (_, None) => "remove",
        _ => "change",
    };
    steps.iter().map(|step| json!({ "path": step.path, "action": action(step), "diff": diff(step) })).collect()
}

/// With the command that has the rights, where they are missing: root's home is another, so folders are named.
fn explain(error: &ApplyError, args: &SetupArgs, settings: &Settings) -> CliError {
    if !error.is_denied() || is_root() {
        return CliError::Refused(error.to_string());
    }
    let command =
        if args.undo { "dotp2p dns setup --undo".to_owned() } else { for_another_user("dns setup", settings) };
    CliError::Refused(format!("{error}: `sudo {command}`, with the other options as here"))
}
