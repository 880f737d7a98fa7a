//! What only looks: show, list, history, proof, price.

use std::path::Path;

use dotp2p_chain::amount::Amount;
use dotp2p_registry::name_policy::Typed;
use dotp2p_rpc::types::{Coins, HistoryItem, NameInfo, NamePrice, NameProof, NameSummary, PriceKind};
use serde_json::json;

use super::{both, shown, years_text};
use crate::cli::client::NodeClient;
use crate::cli::{CliError, Output, Tone};

pub(super) async fn show(name: &Typed, height: Option<u32>, node: &NodeClient, out: &Output) -> Result<(), CliError> {
    let answer = node.call("name_show", json!({ "name": name.name.as_str(), "height": height })).await?;
    if out.is_json() {
        return out.json(&answer.raw());
    }
    let info: NameInfo = answer.read()?;
    let state = out.paint(&info.state, if info.state == "active" { Tone::Good } else { Tone::Bold });
    let expires = info.expires_at.zip(info.expires_in).map(|(at, left)| expires_text(at, left));
    let changed = info.height.zip(info.txid.as_ref()).map(|(height, txid)| format!("at height {height} by {txid}"));
    let served = match (info.served, info.provisional) {
        (false, _) => "no",
        (true, false) => "yes",
        (true, true) => "yes, with newer records that wait for their block",
    };
    let sale = info.offer.as_ref().map(|offer| match &offer.buyer {
        Some(buyer) => format!("{} coins, to {buyer} alone", offer.price),
        None => format!("{} coins", offer.price),
    });
    let is_held = info.owner.is_some();
    out.pairs(&[
        ("name", Some(both(&info.name, &info.unicode))),
        ("state", Some(state)),
        ("owner", info.owner),
        ("since", info.since.map(|height| format!("height {height}"))),
        ("manager", info.manager),
        ("recovery", info.recovery),
        ("for sale", sale),
        ("expires", expires),
        ("changed", changed),
        ("in DNS", is_held.then(|| served.to_owned())),
    ])?;
    if is_held {
        out.line("")?;
        out.text(&info.zone)?;
    }
    Ok(())
}

fn expires_text(at: u32, left: i64) -> String {
    match left {
        1.. => format!("at height {at}, in {left} blocks"),
        _ => format!("at height {at}, {} blocks ago", left.unsigned_abs()),
    }
}

pub(super) async fn list(owner: Option<String>, node: &NodeClient, out: &Output) -> Result<(), CliError> {
    let answer = node.call("name_list", json!({ "owner": owner })).await?;
    if out.is_json() {
        return out.json(&answer.raw());
    }
    let names: Vec<NameSummary> = answer.read()?;
    if names.is_empty() {
        out.note("no names");
        return Ok(());
    }
    let row = |it: NameSummary| {
        let left = it.expires_in.to_string();
        vec![both(&it.name, &it.unicode), it.state, it.expires_at.to_string(), left, it.records.to_string(), it.owner]
    };
    out.table(&["name", "state", "expires at", "blocks left", "records", "owner"], names.into_iter().map(row).collect())
}

pub(super) async fn history(name: &Typed, limit: Option<u32>, node: &NodeClient, out: &Output) -> Result<(), CliError> {
    let answer = node.call("name_history", json!({ "name": name.name.as_str(), "limit": limit })).await?;
    if out.is_json() {
        return out.json(&answer.raw());
    }
    let items: Vec<HistoryItem> = answer.read()?;
    if items.is_empty() {
        out.note(format_args!("{} is free: nothing was done to it", shown(name)));
        return Ok(());
    }
    let row = |it: HistoryItem| {
        let (height, records) = (it.height.to_string(), it.records.len().to_string());
        vec![height, it.ops.join(", "), it.expires_at.to_string(), records, it.owner, it.txid]
    };
    out.table(
        &["height", "done", "expires at", "records", "owner", "transaction"],
        items.into_iter().map(row).collect(),
    )
}

pub(super) async fn proof(
    name: &Typed,
    height: Option<u32>,
    file: Option<&Path>,
    node: &NodeClient,
    out: &Output,
) -> Result<(), CliError> {
    let answer = node.call("name_proof", json!({ "name": name.name.as_str(), "height": height })).await?;
    if let Some(path) = file {
        let text = format!("{}\n", answer.raw().get());
        let refused = |error| CliError::Refused(format!("cannot write {}: {error}", path.display()));
        std::fs::write(path, text).map_err(refused)?;
    }
    if out.is_json() {
        return out.json(&answer.raw());
    }
    let proof: NameProof = answer.read()?;
    let written = file.map(|path| path.display().to_string());
    out.pairs(&[
        ("name", Some(proof.name)),
        ("state", Some(proof.state)),
        ("height", Some(proof.height.to_string())),
        ("block", Some(proof.hash)),
        ("bytes", Some((proof.proof.len() / 2).to_string())),
        ("proof", written.is_none().then_some(proof.proof)),
        ("written", written),
    ])
}

pub(super) async fn price(name: &Typed, years: u8, node: &NodeClient, out: &Output) -> Result<(), CliError> {
    let answer = node.call("name_price", json!({ "name": name.name.as_str(), "years": years })).await?;
    if out.is_json() {
        return out.json(&answer.raw());
    }
    let price: NamePrice = answer.read()?;
    price_pairs(&price, Amount::ZERO, out)?;
    price.warnings.iter().for_each(|warning| out.note(format_args!("warning: {warning}")));
    Ok(())
}

/// What a name costs, part by part; parts that are nothing are left out.
/// `records`: what the first records burn beside.
pub(super) fn price_pairs(price: &NamePrice, records: Amount, out: &Output) -> Result<(), CliError> {
    let zero = Coins::default();
    let coins = |amount: Coins| (amount != zero).then(|| format!("{amount} coins"));
    let total = price.total.0.checked_add(records).unwrap_or(Amount::MAX);
    let what = match price.kind {
        PriceKind::Registration => "registration",
        PriceKind::Renewal => "renewal",
    };
    out.pairs(&[
        ("name", Some(both(&price.name, &price.unicode))),
        ("state", Some(price.state.clone())),
        ("price of", Some(format!("{what}, {}", years_text(price.years)))),
        ("commitment", coins(price.commit)),
        ("claim", coins(price.claim)),
        ("premium", coins(price.premium)),
        ("years", coins(price.renew)),
        ("records", coins(Coins(records))),
        ("total", Some(format!("{total} coins, and the miners' fees"))),
    ])
}
