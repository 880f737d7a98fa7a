//! RDATA of one record: octets to text, text to octets, and whether octets are what their type says.

use super::error::{Fault, Problem, RdataError, ZoneFileError};
use super::fields::{Wire, hex, number, unhex};
use super::lexer::{Cursor, entries};
use super::text::DomainName;
use super::types::fields_of;

/// Checks that `rdata` is, to its last octet, what `rtype` says. Rule R12.
///
/// Types without a text form here may hold anything.
pub fn check_rdata(rtype: u16, rdata: &[u8]) -> Result<(), RdataError> {
    words(rtype, rdata).map(drop)
}

/// The text of `rdata`: by type, as `dig +nosplit` prints it, or `\# LENGTH HEX` (RFC 3597) where that would not
/// read back to the same octets.
///
/// Domain names are absolute and keep their case; strings stand in quotes; hexadecimal is in capitals.
#[must_use]
pub fn rdata_text(rtype: u16, rdata: &[u8]) -> String {
    let text = words(rtype, rdata).unwrap_or_default().join(" ");
    if !text.is_empty() && reads_back(rtype, rdata, &text) {
        return text;
    }
    match rdata {
        [] => "\\# 0".to_owned(),
        _ => format!("\\# {} {}", rdata.len(), hex(rdata)),
    }
}

/// The fields of `rdata` as text; none if the type has no text form.
fn words(rtype: u16, rdata: &[u8]) -> Result<Vec<String>, RdataError> {
    let fail = |fault| RdataError { rtype, fault };
    let (mut wire, mut out) = (Wire::new(rdata), Vec::new());
    let fields = fields_of(rtype);
    for field in fields {
        field.read(&mut wire, &mut out).map_err(fail)?;
    }
    match wire.left() {
        left if left > 0 && !fields.is_empty() => Err(fail(Fault::Trailing(left))),
        _ => Ok(out),
    }
}

fn reads_back(rtype: u16, rdata: &[u8], text: &str) -> bool {
    let root = DomainName::ROOT;
    entries(text).is_ok_and(|entries| match entries.as_slice() {
        [entry] => parse(rtype, &mut Cursor::new(entry), &root).is_ok_and(|parsed| parsed.octets == rdata),
        _ => false,
    })
}

/// RDATA read from text.
pub(super) struct Parsed {
    pub(super) octets: Vec<u8>,
    /// What is wrong with octets given as `\#`, which says nothing about them; anything else is checked.
    pub(super) doubt: Option<RdataError>,
}

/// Reads the tokens left as RDATA of `rtype`; relative names end in `origin`.
pub(super) fn parse(rtype: u16, tokens: &mut Cursor<'_, '_>, origin: &DomainName) -> Result<Parsed, ZoneFileError> {
    let start = tokens.place();
    if tokens.peek().is_some_and(|token| !token.quoted && token.text == "\\#") {
        let octets = parse_generic(tokens)?;
        let doubt = check_rdata(rtype, &octets).err();
        return Ok(Parsed { octets, doubt });
    }
    let fields = fields_of(rtype);
    if fields.is_empty() {
        return Err(start.fail(Problem::NoTextForm(rtype)));
    }
    let mut octets = Vec::new();
    for field in fields {
        field.parse(tokens, origin, &mut octets)?;
    }
    tokens.finish()?;
    check_rdata(rtype, &octets).map_err(|error| start.fail(error.into()))?;
    Ok(Parsed { octets, doubt: None })
}

/// `\# LENGTH HEX` (RFC 3597, 5).
fn parse_generic(tokens: &mut Cursor<'_, '_>) -> Result<Vec<u8>, ZoneFileError> {
    tokens.pop();
    let token = *tokens.take("the length of the RDATA")?;
    let announced = number(&token, 65_535, "a length from 0 to 65535")?;
    let octets = if tokens.peek().is_none() { Vec::new() } else { unhex(tokens, "hexadecimal")? };
    if octets.len() != announced {
        return Err(token.at.fail(Problem::GenericLength { announced, found: octets.len() }));
    }
    Ok(octets)
}

#[cfg(test)]
pub(super) mod tests;
