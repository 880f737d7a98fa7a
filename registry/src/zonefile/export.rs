//! Records as zone file text.

use dotp2p_chain::name::Name;
use dotp2p_chain::records::{Owner, Records};

use super::rdata::rdata_text;
use super::text::{DomainName, owner_text};
use super::types::{NS, type_name};

/// Writes `records` as a zone file with `name.tld.` as its origin, one record a line, in columns.
///
/// [`import`](super::import) reads it back to the same records, with [`Options::delegate`](super::Options) where NS
/// records stand at the name itself (the text says so).
#[must_use]
pub fn export(records: &Records, name: &Name, tld: &str) -> String {
    let mut out = format!("$ORIGIN {}\n", DomainName::zone(name, tld));
    if records.get(&Owner::APEX, NS).is_some() {
        out.push_str("; The NS records delegate the whole name: they are kept only where the import is told to.\n");
    }
    let rows: Vec<[String; 4]> = records
        .sets()
        .iter()
        .flat_map(|set| set.rdatas.iter().map(move |rdata| (set, rdata)))
        .map(|(set, rdata)| {
            let data = rdata_text(set.rtype, rdata);
            [owner_text(&set.owner), set.ttl.to_string(), type_name(set.rtype), data]
        })
        .collect();
    let width = |pick: fn(&[String; 4]) -> &String| rows.iter().map(|row| pick(row).len()).max().unwrap_or(0);
    let (owner_width, ttl_width, type_width) = (width(|row| &row[0]), width(|row| &row[1]), width(|row| &row[2]));
    for [owner, ttl, rtype, data] in &rows {
        out.push_str(&format!("{owner:owner_width$} {ttl:>ttl_width$} IN {rtype:type_width$} {data}\n"));
    }
    out
}
