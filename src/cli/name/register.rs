//! `dotp2p name register`: what it costs, whether to pay, and how far it is.

use std::io::{self, IsTerminal};
use std::pin::pin;
use std::time::Duration;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::Params;
use dotp2p_registry::name_policy::Typed;
use dotp2p_registry::price;
use dotp2p_registry::zonefile::{JsonRecord, from_json};
use dotp2p_rpc::types::{Coins, NamePrice, PriceKind, RegistrationInfo};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::records::RecordArgs;
use super::show::price_pairs;
use super::{fold, shown, years_text};
use crate::cli::client::NodeClient;
use crate::cli::{CliError, Output, Tone, interrupted};
use crate::config::Settings;

/// How often the node is asked how far it is.
const POLL_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(super) struct RegisterArgs {
    /// The name: alice, alice.p2p, in capitals or with letters of any script
    name: String,
    #[command(flatten)]
    records: RecordArgs,
    /// For so many years [default: 1]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=10))]
    years: Option<u8>,
    /// Who will hold it [default: the wallet's first address]
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<String>,
    /// The most coins to spend on it, fees included
    #[arg(long, value_name = "COINS")]
    limit: Option<Amount>,
    /// Do not ask before paying
    #[arg(long)]
    yes: bool,
    /// Wait until the name is ours, and show how far it is
    #[arg(long)]
    wait: bool,
}

pub(super) async fn run(args: RegisterArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let name = fold(&args.name, settings, out)?;
    if let Some(owner) = &args.owner {
        let key = PublicKey::from_address(owner, &settings.params.deployment.address_prefix);
        key.map_err(|error| CliError::Usage(format!("--owner {owner}: {error}")))?;
    }
    if args.records.reads_stdin() && !args.yes {
        let text = "--zone - takes stdin, so nobody can be asked before paying: add --yes to agree";
        return Err(CliError::Usage(text.to_owned()));
    }
    let records = args.records.read(&name.name, settings, out)?;
    if records.as_ref().is_some_and(Vec::is_empty) {
        let text = "the zone holds no records; to register the name without any, leave --zone out";
        return Err(CliError::Refused(text.to_owned()));
    }
    let node = NodeClient::find(settings)?;
    if !is_under_way(&name, &node).await? {
        let records_cost = records.as_deref().map(|list| records_cost(list, &name, settings)).unwrap_or_default();
        agree(&name, &args, records_cost, &node, out).await?;
    }
    let params = json!({
        "name": name.name.as_str(),
        "records": records,
        "years": args.years,
        "owner": args.owner,
        "limit": args.limit.map(|limit| limit.to_string()),
    });
    let answer = node.call("name_register", params).await?;
    let info: RegistrationInfo = answer.read()?;
    check_taken(&name, &args, records.as_deref(), &info)?;
    if args.wait {
        return wait(&name, info, &node, settings, out).await;
    }
    if out.is_json() {
        return out.json(&answer.raw());
    }
    out.pairs(&[
        ("step", Some(info.text.clone())),
        ("owner", Some(info.owner.clone())),
        ("blocks left", info.blocks_left.map(|left| left.to_string())),
        ("spent", Some(format!("{} coins", info.spent))),
    ])?;
    if !ended(&name, &info)? {
        let again = format!("`dotp2p name register {} --wait` shows how far it is", name.name);
        out.note(format_args!("the node carries on by itself; {again}"));
    }
    Ok(())
}

/// Whether the node carries the name already, so that there is nothing to agree to.
async fn is_under_way(name: &Typed, node: &NodeClient) -> Result<bool, CliError> {
    let is_over = |it: &RegistrationInfo| matches!(it.step.as_str(), "done" | "failed");
    Ok(registration(name, node).await?.is_some_and(|it| !is_over(&it)))
}

async fn registration(name: &Typed, node: &NodeClient) -> Result<Option<RegistrationInfo>, CliError> {
    let all: Vec<RegistrationInfo> = node.call("name_registrations", json!({})).await?.read()?;
    Ok(all.into_iter().find(|it| it.name == name.name.as_str()))
}

/// Errors: a registration that was begun before answers, and something else was given now.
fn check_taken(
    name: &Typed,
    args: &RegisterArgs,
    records: Option<&[JsonRecord]>,
    info: &RegistrationInfo,
) -> Result<(), CliError> {
    let is_done = info.step == "done";
    let differ = [
        ("records", Some("update"), records.is_some_and(|given| given != info.records)),
        ("years", Some("renew"), args.years.is_some_and(|given| given != info.years)),
        ("owner", Some("transfer"), args.owner.as_ref().is_some_and(|given| !given.eq_ignore_ascii_case(&info.owner))),
        ("limit", None, !is_done && args.limit.is_some_and(|given| Some(Coins(given)) != info.limit)),
    ];
    let differ = || differ.iter().filter(|(.., differs)| *differs);
    if differ().next().is_none() {
        return Ok(());
    }
    let what: Vec<&str> = differ().map(|(what, ..)| *what).collect();
    let how: Vec<String> = differ().filter_map(|(_, how, _)| how.map(|how| format!("`dotp2p name {how}`"))).collect();
    let (is, then) = if is_done { ("yours", "use") } else { ("being registered", "once it is yours, use") };
    let then = if how.is_empty() { String::new() } else { format!("; {then} {}", how.join(" and ")) };
    let (name, what) = (shown(name), what.join(", "));
    Err(CliError::Refused(format!("{name} is {is} already, and what was given now is not taken: {what}{then}")))
}

/// What the first records burn beyond those that are free (N9).
fn records_cost(records: &[JsonRecord], name: &Typed, settings: &Settings) -> Amount {
    let limits = settings.params.rules.record_limits(name.name.as_bytes().len());
    let encoded = from_json(records, &name.name, &settings.tld(), limits).map(|import| import.records.encode());
    price::update_burn(encoded.map_or(0, |bytes| bytes.len()))
}

/// Shows the price and what is odd about the name, and asks. A name that is held is the node's to refuse.
async fn agree(
    name: &Typed,
    args: &RegisterArgs,
    records_cost: Amount,
    node: &NodeClient,
    out: &Output,
) -> Result<(), CliError> {
    let years = args.years.unwrap_or(1);
    let params = json!({ "name": name.name.as_str(), "years": years });
    let price: NamePrice = node.call("name_price", params).await?.read()?;
    if price.kind == PriceKind::Renewal {
        return Ok(());
    }
    if !out.is_json() {
        price_pairs(&price, records_cost, out)?;
    }
    name.warnings.iter().for_each(|warning| out.note(format_args!("warning: {warning}")));
    let limit = args.limit.map(|limit| format!(", at most {limit} in all")).unwrap_or_default();
    let total = price.total.0.checked_add(records_cost).unwrap_or(Amount::MAX);
    let years = years_text(years);
    let question = format!("Register {} for {years}, for {total} coins and the miners' fees{limit}?", shown(name));
    out.confirm(&question, args.yes)
}

async fn wait(
    name: &Typed,
    first: RegistrationInfo,
    node: &NodeClient,
    settings: &Settings,
    out: &Output,
) -> Result<(), CliError> {
    let mut interrupt = pin!(interrupted());
    let mut progress = Progress::new(name, &settings.params);
    let mut info = first;
    loop {
        progress.show(&info);
        if ended(name, &info)? {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(POLL_EVERY) => {}
            () = &mut interrupt => {
                progress.finish();
                let text = format!("no longer waiting: the node carries {} through by itself", shown(name));
                return Err(CliError::Refused(text));
            }
        }
        if let Some(newer) = registration(name, node).await? {
            info = newer;
        }
    }
    progress.finish();
    if out.is_json() {
        return out.json(&info);
    }
    let done = format!("{} is yours; {} coins were spent", shown(name), info.spent);
    out.line(out.paint(&done, Tone::Good))
}

/// Whether it is done; one that failed is an error.
fn ended(name: &Typed, info: &RegistrationInfo) -> Result<bool, CliError> {
    match info.step.as_str() {
        "done" => Ok(true),
        "failed" => Err(CliError::Refused(format!("{} is not yours: {}", shown(name), info.text))),
        _ => Ok(false),
    }
}

/// How far it is: a bar on a terminal, else a line a step.
struct Progress {
    bar: Option<ProgressBar>,
    name: String,
    /// Between blocks, where the clock makes them.
    spacing_s: Option<u64>,
    /// Blocks, as last told.
    left: u32,
    most_left: u32,
    last: String,
}

impl Progress {
    fn new(name: &Typed, params: &Params) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(1);
            let style = ProgressStyle::with_template("{prefix} {bar:24} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(name.name.to_string());
            bar.enable_steady_tick(POLL_EVERY);
            bar
        });
        let spacing_s = (!params.deployment.on_demand).then_some(params.rules.spacing);
        Self { bar, name: name.name.to_string(), spacing_s, left: 1, most_left: 1, last: String::new() }
    }

    fn show(&mut self, info: &RegistrationInfo) {
        self.left = match info.blocks_left {
            Some(left) => left,
            None if info.step == "done" => 0,
            None => self.left,
        };
        self.most_left = self.most_left.max(self.left);
        let text = self.text(info);
        match &self.bar {
            Some(bar) => {
                bar.set_length(self.most_left.into());
                bar.set_position((self.most_left - self.left).into());
                bar.set_message(text);
            }
            None if text != self.last => {
                use std::io::Write;
                let _ = writeln!(io::stderr(), "{}: {text}", self.name);
                self.last = text;
            }
            None => {}
        }
    }

    /// The node's sentence tells the blocks left; the time is added where the clock makes blocks.
    fn text(&self, info: &RegistrationInfo) -> String {
        let time = info.blocks_left.zip(self.spacing_s).map(|(left, spacing)| {
            let seconds = u64::from(left).saturating_mul(spacing);
            format!(", about {}", indicatif::HumanDuration(Duration::from_secs(seconds)))
        });
        let refused = info.error.as_ref().map(|error| format!(" (refused before: {error})"));
        format!("{}{}{}", info.text, time.unwrap_or_default(), refused.unwrap_or_default())
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use dotp2p_registry::name_policy::typed;

    use super::*;

    fn info(step: &str, text: &str) -> RegistrationInfo {
        let (name, owner) = ("xn--bcher-kva", "rp2p1…");
        let json = json!({
            "name": name, "unicode": "bücher", "owner": owner, "records": [], "years": 1, "limit": null, "step": step,
            "text": text, "blocks_left": 3, "waiting": null, "spent": 0.1, "txids": [], "error": null, "notes": [],
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn somebody_else_was_first() {
        let name = typed("bücher", "p2p").unwrap();
        let text = "the name is taken by rp2p1… since height 9; 0.10001360 coins were spent";
        let error = ended(&name, &info("failed", text)).unwrap_err();
        assert_eq!((error.exit_code(), error.to_string()), (1, format!("xn--bcher-kva (bücher) is not yours: {text}")));
        assert!(ended(&name, &info("done", "")).unwrap());
        assert!(!ended(&name, &info("age", "")).unwrap());
    }

    #[test]
    fn blocks_and_time_left() {
        let name = typed("bücher", "p2p").unwrap();
        let text = |params: Params| {
            let text = "the commitment grows old enough to be claimed, 3 blocks to go";
            Progress::new(&name, &params).text(&info("age", text))
        };
        assert_eq!(text(Params::regtest()), "the commitment grows old enough to be claimed, 3 blocks to go");
        assert_eq!(
            text(Params::main()),
            "the commitment grows old enough to be claimed, 3 blocks to go, about 3 minutes"
        );
    }
}
