//! What changes a name that is held: update, renew, transfer.

use std::path::PathBuf;

use dotp2p_chain::amount::Amount;
use dotp2p_registry::zonefile::{JsonRecord, from_json};
use dotp2p_rpc::types::{NamePrice, PriceKind, Sent};
use serde_json::{Value, json};

use super::records::{RecordArgs, read_json};
use super::{fold, shown, years_text};
use crate::cli::client::NodeClient;
use crate::cli::{CliError, Output};
use crate::config::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct UpdateArgs {
    /// The name
    name: String,
    #[command(flatten)]
    records: RecordArgs,
    /// The records of a JSON list, as `name show --json` has it; `-` reads it from stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["records", "zone"])]
    json_records: Option<PathBuf>,
    /// Do not ask, where records above 512 bytes cost coins
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RenewArgs {
    /// The name
    name: String,
    /// So many years
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10))]
    years: u8,
    /// Do not ask before paying
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct TransferArgs {
    /// The name
    name: String,
    /// The new owner
    address: String,
    /// Do not ask before giving it away
    #[arg(long)]
    yes: bool,
}

pub(super) async fn update(args: UpdateArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let name = fold(&args.name, settings, out)?;
    let records = match &args.json_records {
        Some(path) => Some(read_json(path, &name.name, settings, out)?),
        None => args.records.read(&name.name, settings, out)?,
    };
    let none = || CliError::Usage("no records: give --record, --zone or --json-records".to_owned());
    let records = records.ok_or_else(none)?;
    if records.is_empty() && args.json_records.is_none() {
        // A file that is empty by mistake shall not cost a name its records; `[]` is nobody's mistake.
        let text = format!(
            "the zone holds no records, and all that {0} has would go; if that is meant: `echo '[]' | dotp2p name update {0} \
             --json-records -`",
            name.name
        );
        return Err(CliError::Refused(text));
    }
    let node = NodeClient::find(settings)?;
    let burn = burn_of(&records, &name.name, settings);
    if burn > Amount::ZERO {
        let question = format!("Records of {} above 512 bytes cost {burn} coins. Pay?", shown(&name));
        out.confirm(&question, args.yes)?;
    }
    let params = json!({ "name": name.name.as_str(), "records": records });
    send("name_update", params, "updated in its next block", &node, out).await
}

/// What an update burns (N9).
fn burn_of(records: &[JsonRecord], name: &dotp2p_chain::name::Name, settings: &Settings) -> Amount {
    let limits = settings.params.rules.record_limits(name.as_bytes().len());
    let import = from_json(records, name, &settings.tld(), limits);
    import.map_or(Amount::ZERO, |import| dotp2p_registry::price::update_burn(import.records.encode().len()))
}

pub(super) async fn renew(args: RenewArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let name = fold(&args.name, settings, out)?;
    let node = NodeClient::find(settings)?;
    let params = json!({ "name": name.name.as_str(), "years": args.years });
    let price: NamePrice = node.call("name_price", params.clone()).await?.read()?;
    if price.kind == PriceKind::Registration {
        let text = format!("{} is {}: nobody can renew it, register it instead", shown(&name), price.state);
        return Err(CliError::Refused(text));
    }
    let (years, total) = (years_text(args.years), price.total);
    let question = format!("Renew {} for {years}, for {total} coins and the miner's fee?", shown(&name));
    out.confirm(&question, args.yes)?;
    send("name_renew", params, "renewed in its next block", &node, out).await
}

pub(super) async fn transfer(args: TransferArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let name = fold(&args.name, settings, out)?;
    let prefix = &settings.params.deployment.address_prefix;
    let address = dotp2p_chain::key::PublicKey::from_address(&args.address, prefix);
    address.map_err(|error| CliError::Usage(format!("{}: {error}", args.address)))?;
    let node = NodeClient::find(settings)?;
    let question = format!("Give {} to {}? There is no way back without its new owner.", shown(&name), args.address);
    out.confirm(&question, args.yes)?;
    let params = json!({ "name": name.name.as_str(), "address": args.address });
    send("name_transfer", params, "transferred in its next block", &node, out).await
}

async fn send(method: &str, params: Value, done: &str, node: &NodeClient, out: &Output) -> Result<(), CliError> {
    let answer = node.call(method, params).await?;
    if out.is_json() {
        return out.json(&answer.raw());
    }
    let sent: Sent = answer.read()?;
    out.pairs(&[("sent", Some(sent.txid)), ("then", Some(done.to_owned()))])
}
