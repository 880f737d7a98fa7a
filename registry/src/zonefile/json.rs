//! Records as a JSON list, one entry a record.

use dotp2p_chain::name::Name;
use dotp2p_chain::records::{Limits, Records};
use serde::{Deserialize, Serialize};

use super::import::{Reader, check_storable};
use super::lexer::{Cursor, Entry, Place, entries};
use super::rdata::{self, rdata_text};
use super::records::{Record, flatten, gather};
use super::text::owner_text;
use super::types::{type_name, type_number};
use super::{DEFAULT_TTL, Import, Note, Problem, ZoneFileError};

/// A record in JSON: `{"owner": "www", "type": "A", "ttl": 300, "data": "192.0.2.7"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonRecord {
    /// As in a zone file: relative to the name, `@` for the name itself, or absolute with a final dot.
    pub owner: String,
    /// A mnemonic, or `TYPE65280`.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Seconds; 3600 where it is left out.
    #[serde(default = "default_ttl")]
    pub ttl: u32,
    /// As in a zone file; domain names in it are written absolute.
    pub data: String,
}

const fn default_ttl() -> u32 {
    DEFAULT_TTL
}

/// The records as a list, in canonical order.
#[must_use]
pub fn to_json(records: &Records) -> Vec<JsonRecord> {
    flatten(records)
        .map(|record| JsonRecord {
            owner: owner_text(&record.owner),
            rtype: type_name(record.rtype),
            ttl: record.ttl,
            data: rdata_text(record.rtype, &record.rdata),
        })
        .collect()
}

/// Reads a list of records. Nothing is dropped: NS at the name itself delegates it, SOA is an error.
pub fn from_json(list: &[JsonRecord], name: &Name, tld: &str, limits: Limits) -> Result<Import, ZoneFileError> {
    let reader = Reader::new(name, tld);
    let mut notes = Vec::new();
    let mut records = Vec::with_capacity(list.len());
    for (index, entry) in list.iter().enumerate() {
        let record = from_entry(entry, &reader, &mut notes).map_err(|error| match error {
            ZoneFileError::Line { problem, .. } => ZoneFileError::Record { index, problem },
            other => other,
        })?;
        records.push(record);
    }
    let mut import = gather(records, limits)?;
    import.notes.splice(0..0, notes);
    Ok(import)
}

fn from_entry(entry: &JsonRecord, reader: &Reader, notes: &mut Vec<Note>) -> Result<Record, ZoneFileError> {
    let at = Place { line: 1, column: 1 };
    let owner = reader.owner(&entry.owner).map_err(|problem| at.fail(problem))?;
    let rtype = type_number(&entry.rtype).ok_or_else(|| at.fail(Problem::Type(entry.rtype.clone())))?;
    check_storable(rtype).map_err(|problem| at.fail(problem))?;
    let lines = entries(&entry.data)?;
    let data = match lines.as_slice() {
        [] => &Entry { tokens: Vec::new(), indented: false, end: at },
        [data] => data,
        [_, more, ..] => {
            let extra = more.tokens.first().map(|token| token.text.to_owned());
            return Err(at.fail(Problem::Extra(extra.unwrap_or_default())));
        }
    };
    let parsed = rdata::parse(rtype, &mut Cursor::new(data), reader.zone())?;
    notes.extend(parsed.doubt.map(|error| Note::Unreadable { owner: owner_text(&owner), error }));
    Ok(Record { owner, rtype, ttl: entry.ttl, rdata: parsed.octets })
}
