//! What parameters say: each function reads one, or says which rule it breaks.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::{BlockHash, Txid, from_hex};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::params::Params;
use dotp2p_chain::records::{self, Records};
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::name_policy::{Typed, typed};
use dotp2p_registry::query::Reader;
use dotp2p_registry::zonefile::{self, Import, JsonRecord, Options, check_for_signing};

use crate::error::{RpcError, RpcResult};
use crate::types::AmountText;

/// The top-level domain.
pub(crate) fn tld(params: &Params) -> String {
    String::from_utf8_lossy(&params.rules.tld).into_owned()
}

/// A name as people type it.
pub(crate) fn name(text: &str, params: &Params) -> RpcResult<Typed> {
    typed(text, &tld(params)).map_err(|error| RpcError::wrong("name", text, error))
}

/// An address of the network.
pub(crate) fn address(parameter: &'static str, text: &str, params: &Params) -> RpcResult<PublicKey> {
    PublicKey::from_address(text, &params.deployment.address_prefix)
        .map_err(|error| RpcError::address(parameter, text, error))
}

/// An amount of coins.
pub(crate) fn amount(parameter: &'static str, text: &AmountText) -> RpcResult<Amount> {
    text.parse().map_err(|error| RpcError::wrong(parameter, text, error))
}

/// Years to be paid: 1 where nothing is given.
pub(crate) fn years(years: Option<u8>) -> RpcResult<u8> {
    let years = years.unwrap_or(1);
    if (1..=10).contains(&years) { Ok(years) } else { Err(RpcError::wrong("years", years, "expected 1 to 10 (N10)")) }
}

/// A number within bounds.
pub(crate) fn within(parameter: &'static str, value: u32, min: u32, max: u32) -> RpcResult<u32> {
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    Err(RpcError::wrong(parameter, value, format!("expected {min} to {max}")))
}

/// A height up to the tip: the tip where nothing is given.
pub(crate) fn height(height: Option<u32>, reader: &Reader) -> RpcResult<Height> {
    let Some(height) = height else { return Ok(reader.tip) };
    if height <= reader.tip.0 {
        return Ok(Height(height));
    }
    Err(RpcError::wrong("height", height, format!("expected a height up to the tip's, {}", reader.tip)))
}

/// A block's hash.
pub(crate) fn block_hash(text: &str) -> RpcResult<BlockHash> {
    text.parse().map_err(|_| RpcError::wrong("blockhash", text, "expected 64 hexadecimal digits"))
}

/// A transaction's id.
pub(crate) fn txid(text: &str) -> RpcResult<Txid> {
    text.parse().map_err(|_| RpcError::wrong("txid", text, "expected 64 hexadecimal digits"))
}

/// A transaction in hexadecimal.
pub(crate) fn transaction(text: &str, params: &Params) -> RpcResult<Transaction> {
    let parameter = "hexstring";
    let bytes = from_hex(text).ok_or_else(|| RpcError::Decode {
        parameter,
        problem: "expected an even number of hexadecimal digits".into(),
    })?;
    dotp2p_chain::codec::decode_all(&bytes, |input| Transaction::decode(input, &params.rules))
        .map_err(|error| RpcError::Decode { parameter, problem: format!("not a transaction: {error}") })
}

/// Records as they were given, and whether there were any.
#[derive(Debug)]
pub(crate) struct RecordArgs {
    /// A list.
    pub(crate) list: Option<Vec<JsonRecord>>,
    /// The text of a zone file.
    pub(crate) zone: Option<String>,
    /// Whether NS of the name itself are kept.
    pub(crate) delegate: Option<bool>,
}

/// Records that can be served, encoded, and what is to be said of them.
#[derive(Debug)]
pub(crate) struct CheckedRecords {
    /// Canonical.
    pub(crate) bytes: Vec<u8>,
    /// What was changed, and what is probably not meant.
    pub(crate) notes: Vec<String>,
}

impl RecordArgs {
    /// Reads and checks them (R11, R12); `None` where nothing was given.
    pub(crate) fn read(self, name: &Name, params: &Params) -> RpcResult<Option<CheckedRecords>> {
        let limits = params.rules.record_limits(name.as_bytes().len());
        let tld = tld(params);
        let (parameter, import) = match (self.list, self.zone) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let problem = "given beside records: give one of them".to_owned();
                return Err(RpcError::Content { parameter: "zone", problem });
            }
            (Some(list), None) => ("records", zonefile::from_json(&list, name, &tld, limits)),
            (None, Some(zone)) => {
                let options = Options { delegate: self.delegate.unwrap_or(false) };
                ("zone", zonefile::import(&zone, name, &tld, options, limits))
            }
        };
        let refused = |problem: &dyn ToString| RpcError::Content { parameter, problem: problem.to_string() };
        let Import { records, notes } = import.map_err(|error| refused(&error))?;
        let warnings = check_for_signing(&records, name, &tld).map_err(|error| refused(&error))?;
        let notes = notes.iter().map(ToString::to_string).chain(warnings.iter().map(ToString::to_string)).collect();
        Ok(Some(CheckedRecords { bytes: records.encode(), notes }))
    }
}

/// Stored records, which consensus has checked.
pub(crate) fn stored_records(bytes: &[u8], name: &Name, params: &Params) -> Records {
    Records::decode(bytes, params.rules.record_limits(name.as_bytes().len())).unwrap_or_default()
}

/// No records at all.
pub(crate) fn no_records() -> CheckedRecords {
    CheckedRecords { bytes: records::EMPTY.to_vec(), notes: Vec::new() }
}
