//! Names: who holds them, what they cost, and what can be done with them.

mod pending;
mod price;
mod registration;

use dotp2p_chain::entry::Stage;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{NameBytes, Op, Renew, Transfer, Update};
use dotp2p_registry::name_policy::unicode;
use dotp2p_registry::query::Reader;
use dotp2p_registry::row::NameRow;
use dotp2p_registry::zonefile::{export, to_json};
use dotp2p_wallet::registration::Request;
use jsonrpsee::core::async_trait;

use crate::Rpc;
use crate::api::NameApiServer;
use crate::args::{self, RecordArgs};
use crate::error::{RpcError, RpcResult};
use crate::node::Node;
use crate::shape::{self, count};
use crate::types::{
    AmountText, Coins, ConflictInfo, HistoryItem, JsonRecord, NameInfo, NamePrice, NameProof, NameSummary, OfferInfo,
    PendingName, RegistrationInfo, Sent,
};

/// Transactions that `name_history` shows unless told otherwise, and at most.
const HISTORY: (u32, u32) = (100, 1_000);

#[async_trait]
impl<N: Node> NameApiServer for Rpc<N> {
    fn name_show(&self, name: String, height: Option<u32>) -> RpcResult<NameInfo> {
        let reader = self.reader()?;
        let name = args::name(&name, &reader.params)?.name;
        let at = args::height(height, &reader)?;
        show(&reader, &name, at)
    }

    fn name_list(&self, owner: Option<String>) -> RpcResult<Vec<NameSummary>> {
        let reader = self.reader()?;
        let owners = match owner {
            Some(owner) => vec![args::address("owner", &owner, &reader.params)?],
            None => self.node.wallet_keys()?,
        };
        let names = owners.iter().flat_map(|owner| reader.state.names_of(owner));
        let held = names.filter_map(|name| reader.name(name).map(|(row, stage)| (name, row, stage)));
        let mut list: Vec<_> = held.map(|(name, row, stage)| summary(&reader, name, &row, stage)).collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(list)
    }

    fn name_pending(&self, name: Option<String>) -> RpcResult<Vec<PendingName>> {
        let reader = self.reader()?;
        let only = name.map(|name| args::name(&name, &reader.params)).transpose()?.map(|typed| typed.name);
        Ok(pending::pending(&reader, only.as_ref()))
    }

    fn name_conflicts(&self) -> RpcResult<Vec<ConflictInfo>> {
        Ok(pending::conflicts(&*self.reader()?))
    }

    fn name_history(&self, name: String, limit: Option<u32>) -> RpcResult<Vec<HistoryItem>> {
        let limit = args::within("limit", limit.unwrap_or(HISTORY.0), 1, HISTORY.1)?;
        let reader = self.reader()?;
        let name = args::name(&name, &reader.params)?.name;
        let items = reader.history(&name, usize::try_from(limit).unwrap_or(usize::MAX))?;
        let shaped = items.into_iter().map(|item| HistoryItem {
            height: item.height.0,
            txid: item.txid.to_string(),
            ops: item.ops.into_iter().map(str::to_owned).collect(),
            owner: shape::address(&item.row.entry.owner, &reader.params),
            expires_at: item.row.entry.expires.0,
            records: to_json(&args::stored_records(&item.row.records, &name, &reader.params)),
        });
        Ok(shaped.collect())
    }

    fn name_price(&self, name: String, years: Option<u8>) -> RpcResult<NamePrice> {
        let years = args::years(years)?;
        let reader = self.reader()?;
        Ok(price::price(&reader, &args::name(&name, &reader.params)?, years))
    }

    async fn name_register(
        &self,
        name: String,
        records: Option<Vec<JsonRecord>>,
        years: Option<u8>,
        owner: Option<String>,
        zone: Option<String>,
        delegate: Option<bool>,
        limit: Option<AmountText>,
    ) -> RpcResult<RegistrationInfo> {
        let params = self.reader()?.params.clone();
        let typed = args::name(&name, &params)?;
        let records = RecordArgs { list: records, zone, delegate }.read(&typed.name, &params)?;
        let records = records.unwrap_or_else(args::no_records);
        let request = Request {
            name: typed.name,
            owner: owner.map(|owner| args::address("owner", &owner, &params)).transpose()?,
            records: records.bytes,
            years: args::years(years)?,
            limit: limit.map(|limit| args::amount("limit", &limit)).transpose()?,
        };
        let status = self.node.register(request).await?;
        let mut info = registration::info(status, &params);
        info.notes = records.notes;
        info.notes.extend(typed.warnings.iter().map(ToString::to_string));
        Ok(info)
    }

    fn name_registrations(&self) -> RpcResult<Vec<RegistrationInfo>> {
        let params = self.reader()?.params.clone();
        let all = self.node.registrations()?;
        Ok(all.into_iter().map(|status| registration::info(status, &params)).collect())
    }

    async fn name_update(
        &self,
        name: String,
        records: Option<Vec<JsonRecord>>,
        zone: Option<String>,
        delegate: Option<bool>,
    ) -> RpcResult<Sent> {
        let params = self.reader()?.params.clone();
        let name = args::name(&name, &params)?.name;
        let records = RecordArgs { list: records, zone, delegate }.read(&name, &params)?;
        let missing = || RpcError::Content {
            parameter: "records",
            problem: "give records or zone; an empty list removes all records".to_owned(),
        };
        let records = records.ok_or_else(missing)?;
        let update = Op::Update(Update { name: NameBytes::from(&name), records: records.bytes });
        Ok(Sent { notes: records.notes, ..self.send(update).await? })
    }

    async fn name_renew(&self, name: String, years: Option<u8>) -> RpcResult<Sent> {
        let years = args::years(years)?;
        let name = args::name(&name, &self.reader()?.params)?.name;
        self.send(Op::Renew(Renew { name: NameBytes::from(&name), years })).await
    }

    async fn name_transfer(&self, name: String, address: String) -> RpcResult<Sent> {
        let params = self.reader()?.params.clone();
        let name = args::name(&name, &params)?.name;
        let to = args::address("address", &address, &params)?;
        self.send(Op::Transfer(Transfer { name: NameBytes::from(&name), to })).await
    }

    fn name_proof(&self, name: String, height: Option<u32>) -> RpcResult<NameProof> {
        let reader = self.reader()?;
        let name = args::name(&name, &reader.params)?.name;
        let height = args::height(height, &reader)?;
        let proof = reader.prove(&name, height)?;
        let hash = proof.head.hash();
        let stage = proof.verify(&name, &hash, &reader.params.rules).map_err(RpcError::Proof)?.name;
        Ok(NameProof {
            name: name.to_string(),
            height: height.0,
            hash: hash.to_string(),
            state: stage.map_or(Stage::Free, |(_, stage, _)| stage).as_str().to_owned(),
            proof: dotp2p_chain::hash::to_hex(&proof.encode()),
        })
    }
}

impl<N: Node> Rpc<N> {
    async fn send(&self, op: Op) -> RpcResult<Sent> {
        let txid = self.node.send(vec![op]).await?;
        Ok(Sent { txid: txid.to_string(), notes: Vec::new() })
    }
}

/// Whether a claim of `name` waits in the pool.
fn is_claimed(reader: &Reader, name: &Name) -> bool {
    let claims = |op: &Op| matches!(op, Op::Claim(claim) if claim.name.as_bytes() == name.as_bytes());
    reader.pool.iter().any(|tx| tx.transaction.body().ops.iter().any(claims))
}

/// Blocks from `at` to a height, negative if that has passed.
fn blocks_until(height: Height, at: Height) -> i64 {
    i64::from(height.0) - i64::from(at.0)
}

fn show(reader: &Reader, name: &Name, at: Height) -> RpcResult<NameInfo> {
    let params = &reader.params;
    let state = if at == reader.tip { reader.state.clone() } else { reader.state_at(at)? };
    let found = state.name_at(name, at, &params.rules);
    let (row, stage) = found.map_or((None, Stage::Free), |(row, stage)| (Some(row), stage));
    let held = matches!(stage, Stage::Active | Stage::Grace);
    let pending = !held && at == reader.tip && is_claimed(reader, name);
    let row = row.as_ref();
    let address = |key: &PublicKey| shape::address(key, params);
    let entry = row.map(|row| &row.entry);
    let records = row.map(|row| args::stored_records(&row.records, name, params)).unwrap_or_default();
    let txid = row.map(|row| txid(reader, row)).transpose()?.flatten();
    Ok(NameInfo {
        name: name.to_string(),
        unicode: unicode(name),
        state: if pending { "pending" } else { stage.as_str() }.to_owned(),
        owner: entry.map(|entry| address(&entry.owner)),
        manager: entry.and_then(|entry| entry.manager.as_ref().map(address)),
        recovery: entry.and_then(|entry| entry.recovery.as_ref().map(address)),
        offer: entry
            .and_then(|entry| entry.offer.as_ref())
            .map(|offer| OfferInfo { price: Coins(offer.price), buyer: offer.buyer.as_ref().map(address) }),
        zone: row.map(|_| export(&records, name, &args::tld(params))).unwrap_or_default(),
        records: to_json(&records),
        height: row.map(|row| row.changed.0),
        txid,
        confirmations: row.map_or(0, |row| reader.tip.0.saturating_sub(row.changed.0).saturating_add(1)),
        since: entry.map(|entry| entry.since.0),
        expires_at: entry.map(|entry| entry.expires.0),
        expires_in: entry.map(|entry| blocks_until(entry.expires, at)),
        expired: entry.is_some() && stage != Stage::Active,
        served: at == reader.tip && stage == Stage::Active && !reader.unsettled.contains_key(name),
        provisional: at == reader.tip && stage == Stage::Active && reader.provisional.contains_key(name),
    })
}

/// The transaction that wrote a row.
fn txid(reader: &Reader, row: &NameRow) -> RpcResult<Option<String>> {
    let block = reader.block(row.changed)?;
    let found = usize::try_from(row.transaction).ok().and_then(|at| block.transactions.get(at));
    Ok(found.map(|tx| tx.txid(&reader.params.chain_id).to_string()))
}

fn summary(reader: &Reader, name: &Name, row: &NameRow, stage: Stage) -> NameSummary {
    let records = args::stored_records(&row.records, name, &reader.params);
    NameSummary {
        name: name.to_string(),
        unicode: unicode(name),
        state: stage.as_str().to_owned(),
        owner: shape::address(&row.entry.owner, &reader.params),
        height: row.changed.0,
        expires_at: row.entry.expires.0,
        expires_in: blocks_until(row.entry.expires, reader.tip),
        expired: stage != Stage::Active,
        records: count(records.sets().iter().map(|set| set.rdatas.len()).sum()),
    }
}
