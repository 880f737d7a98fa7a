//! How keys, work, headers, transactions and ops look in JSON.

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::check::{MEDIAN_SPAN, median_time};
use dotp2p_chain::hash::to_hex;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::op::{NameBytes, Op};
use dotp2p_chain::params::Params;
use dotp2p_chain::pow::{CompactTarget, Work};
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::query::{QueryError, Reader};

use crate::types::{Coins, HeaderInfo, OpInfo, TransactionInfo};

/// A key's address on the network.
pub(crate) fn address(key: &PublicKey, params: &Params) -> String {
    key.address(&params.deployment.address_prefix)
}

/// A length as JSON counts it.
pub(crate) fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Expected hashes as a float, for ratios.
pub(crate) fn hashes(work: Work) -> f64 {
    work.to_le_bytes().iter().rev().fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte))
}

/// The work of a target; none where it is not valid.
pub(crate) fn work(bits: CompactTarget) -> Work {
    bits.to_target().map_or(Work::ZERO, |target| target.work())
}

/// How much harder `bits` are than the network's easiest.
pub(crate) fn difficulty(bits: CompactTarget, params: &Params) -> f64 {
    hashes(work(bits)) / hashes(work(params.rules.limit_bits)).max(1.0)
}

/// A price level in millionths as the factor it is.
#[allow(clippy::cast_precision_loss, reason = "a level has at most 10^12 millionths, which a float holds exactly")]
pub(crate) fn level(millionths: u64) -> f64 {
    millionths as f64 / 1e6
}

/// The time of an active block.
pub(crate) fn time(reader: &Reader, height: Height) -> Result<u64, QueryError> {
    Ok(reader.head(&reader.chain_row(height)?.hash)?.head.header.time)
}

/// Median time of an active block and the ten before it. Rule B12.
pub(crate) fn median(reader: &Reader, height: Height) -> Result<u64, QueryError> {
    let first = height.0.saturating_sub(count(MEDIAN_SPAN) - 1);
    let times: Vec<u64> = (first..=height.0).map(|at| time(reader, Height(at))).collect::<Result<_, _>>()?;
    Ok(median_time(&times))
}

/// A header, on the active chain or not.
pub(crate) fn header(reader: &Reader, head: &BlockHead) -> Result<HeaderInfo, QueryError> {
    let (hash, height, header) = (head.hash(), head.roots.height, head.header);
    let active = reader.is_active(height, &hash);
    let next = reader.chain_row(height.next()).ok().filter(|_| active);
    let previous = (height != Height::GENESIS).then(|| header.prev_blockhash.to_string());
    Ok(HeaderInfo {
        hash: hash.to_string(),
        confirmations: if active { i64::from(reader.tip.0) - i64::from(height.0) + 1 } else { -1 },
        height: height.0,
        version: header.version,
        tx_root: head.roots.tx_root.to_string(),
        state_root: head.roots.state_root.to_string(),
        history_root: head.roots.history_root.to_string(),
        time: header.time,
        mediantime: if active { Some(median(reader, height)?) } else { None },
        nonce: header.nonce,
        bits: header.bits.to_string(),
        target: header.bits.to_target().map(|target| target.to_string()).unwrap_or_default(),
        difficulty: difficulty(header.bits, &reader.params),
        previousblockhash: previous,
        nextblockhash: next.map(|row| row.hash.to_string()),
    })
}

/// A transaction of the pool (`head` is `None`) or of a block.
pub(crate) fn transaction(reader: &Reader, tx: &Transaction, head: Option<&BlockHead>) -> TransactionInfo {
    let (params, body) = (&*reader.params, tx.body());
    let active = |head: &&BlockHead| reader.is_active(head.roots.height, &head.hash());
    let depth = |head: &BlockHead| (reader.tip.0 - head.roots.height.0).saturating_add(1);
    TransactionInfo {
        txid: tx.txid(&params.chain_id).to_string(),
        wtxid: tx.wtxid().to_string(),
        size: count(tx.bytes().len()),
        payer: address(&body.payer, params),
        nonce: body.nonce,
        fee: Coins(body.fee),
        expiry: body.expiry.map(|height| height.0),
        signers: body.signers.iter().map(|key| address(key, params)).collect(),
        ops: body.ops.iter().map(|op| op_info(op, params)).collect(),
        confirmations: head.filter(active).map_or(0, depth),
        blockhash: head.map(|head| head.hash().to_string()),
        height: head.map(|head| head.roots.height.0),
        blocktime: head.map(|head| head.header.time),
        hex: to_hex(tx.bytes()),
    }
}

fn op_info(op: &Op, params: &Params) -> OpInfo {
    let key = |key: &PublicKey| Some(address(key, params));
    let optional = |other: &Option<PublicKey>| other.as_ref().and_then(key);
    let info = OpInfo { op: op.kind().to_owned(), name: op.name().map(label), ..OpInfo::default() };
    match op {
        Op::Pay(op) => OpInfo { to: key(&op.to), amount: Some(Coins(op.amount)), ..info },
        Op::Commit(op) => OpInfo { hash: Some(op.hash.to_string()), ..info },
        Op::Claim(op) => OpInfo { owner: key(&op.owner), salt: Some(to_hex(&op.salt)), ..info },
        Op::Update(op) => OpInfo { records: Some(to_hex(&op.records)), ..info },
        Op::Renew(op) => OpInfo { years: Some(op.years), ..info },
        Op::SetKeys(op) => OpInfo { manager: optional(&op.manager), recovery: optional(&op.recovery), ..info },
        Op::Transfer(op) => OpInfo { to: key(&op.to), ..info },
        Op::Offer(op) => OpInfo { price: Some(Coins(op.price)), buyer: optional(&op.buyer), ..info },
        Op::Buy(op) => OpInfo { price: Some(Coins(op.price)), ..info },
        Op::Recover(op) => OpInfo { to: key(&op.to), ..info },
    }
}

/// A name field, which may hold any bytes.
fn label(name: &NameBytes) -> String {
    let show = |byte: &u8| match byte {
        b'\\' => "\\\\".to_owned(),
        b'!'..=b'~' => char::from(*byte).to_string(),
        _ => format!("\\{byte:03}"),
    };
    name.as_bytes().iter().map(show).collect()
}
