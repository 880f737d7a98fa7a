//! Zone file text to records.

use dotp2p_chain::name::Name;
use dotp2p_chain::records::{Limits, Owner, TTL_MAX, is_storable};

use super::fields::period;
use super::lexer::{Cursor, Entry, Place, Token, entries};
use super::rdata;
use super::records::{Record, gather};
use super::text::{DomainName, owner_text};
use super::types::{NS, SOA, type_number};
use super::{DEFAULT_TTL, Import, Note, Options, Problem, ZoneFileError};

/// Reads an ordinary zone file as the records of `name`. Rule R11.
///
/// - `text`: RFC 1035 master format; the origin is `name.tld.` until `$ORIGIN` says otherwise. A record without TTL
///   takes `$TTL`, else the TTL written last, else the SOA's negative TTL, else 3600.
/// - Result: the records, and notes on what was dropped or changed: SOA, NS of the name itself (kept with
///   [`Options::delegate`]), what a signer of zones had made, TTLs that differed within an RRset.
pub fn import(text: &str, name: &Name, tld: &str, options: Options, limits: Limits) -> Result<Import, ZoneFileError> {
    let mut reader = Reader::new(name, tld);
    let (mut records, mut notes) = (Vec::new(), Vec::new());
    for entry in entries(text)? {
        match entry.tokens.first() {
            Some(first) if !entry.indented && !first.quoted && first.text.starts_with('$') => {
                reader.directive(&entry)?;
            }
            _ => records.extend(reader.record(&entry, options, &mut notes)?),
        }
    }
    let mut import = gather(records, limits)?;
    import.notes.splice(0..0, notes);
    Ok(import)
}

/// Reads one record, `OWNER [TTL] [IN] TYPE DATA`, such as `www 300 A 192.0.2.7`. Nothing is dropped: NS at the name
/// itself delegates it, SOA is an error.
///
/// RDATA given as `\#` is taken as it is; [`check_rdata`](super::check_rdata) says whether it is sound.
pub fn record_line(line: &str, name: &Name, tld: &str) -> Result<Record, ZoneFileError> {
    let lines = entries(line.trim_start())?;
    let start = Place { line: 1, column: 1 };
    match lines.as_slice() {
        [] => Err(start.fail(Problem::Missing("an owner"))),
        [entry] => {
            let mut reader = Reader::new(name, tld);
            let (owner, head, mut tokens) = reader.head(entry)?;
            let owner = reader.relative(&owner).map_err(|problem| start.fail(problem))?;
            check_storable(head.rtype).map_err(|problem| head.at.fail(problem))?;
            let parsed = rdata::parse(head.rtype, &mut tokens, reader.zone())?;
            Ok(Record { owner, rtype: head.rtype, ttl: head.ttl.unwrap_or(DEFAULT_TTL), rdata: parsed.octets })
        }
        [_, more, ..] => {
            let extra = more.tokens.first().map(|token| (token.at, token.text.to_owned()));
            let (at, text) = extra.unwrap_or((start, String::new()));
            Err(at.fail(Problem::Extra(text)))
        }
    }
}

/// That records of a type can be stored. Rule R6.
pub(super) fn check_storable(rtype: u16) -> Result<(), Problem> {
    if is_storable(rtype) { Ok(()) } else { Err(Problem::NotStorable(rtype)) }
}

/// What stands between owner and RDATA.
struct Head {
    rtype: u16,
    /// Where the type stands.
    at: Place,
    ttl: Option<u32>,
}

/// What earlier lines settle for later ones.
pub(super) struct Reader {
    zone: DomainName,
    origin: DomainName,
    /// Of the record before.
    owner: Option<DomainName>,
    /// `$TTL`.
    default_ttl: Option<u32>,
    /// The last one written at a record.
    last_ttl: Option<u32>,
    /// The last field of the SOA.
    negative_ttl: Option<u32>,
}

impl Reader {
    pub(super) fn new(name: &Name, tld: &str) -> Self {
        let zone = DomainName::zone(name, tld);
        let origin = zone.clone();
        Self { zone, origin, owner: None, default_ttl: None, last_ttl: None, negative_ttl: None }
    }

    /// `name.tld.`
    pub(super) fn zone(&self) -> &DomainName {
        &self.zone
    }

    /// The owner that `text` names.
    pub(super) fn owner(&self, text: &str) -> Result<Owner, Problem> {
        self.relative(&DomainName::parse(text, &self.origin)?)
    }

    fn relative(&self, owner: &DomainName) -> Result<Owner, Problem> {
        owner
            .owner(&self.zone)
            .ok_or_else(|| Problem::Outside { owner: owner.to_string(), zone: self.zone.to_string() })
    }

    fn directive(&mut self, entry: &Entry<'_>) -> Result<(), ZoneFileError> {
        let mut tokens = Cursor::new(entry);
        let word = tokens.take("a directive")?;
        match word.text.to_ascii_uppercase().as_str() {
            "$ORIGIN" => self.origin = self.name(tokens.take("a domain name")?)?,
            "$TTL" => self.default_ttl = Some(ttl(tokens.take("a TTL")?)?),
            "$INCLUDE" => {
                let file = tokens.pop().map_or_else(String::new, |token| token.text.to_owned());
                return Err(word.at.fail(Problem::Include(file)));
            }
            "$GENERATE" => return Err(word.at.fail(Problem::Generate)),
            _ => return Err(word.at.fail(Problem::Directive(word.text.to_owned()))),
        }
        tokens.finish()
    }

    fn name(&self, token: &Token<'_>) -> Result<DomainName, ZoneFileError> {
        DomainName::parse(token.text, &self.origin).map_err(|problem| token.at.fail(problem))
    }

    /// Reads owner, TTL, class and type; RDATA is left in the cursor.
    fn head<'t, 'a>(&mut self, entry: &'t Entry<'a>) -> Result<(DomainName, Head, Cursor<'t, 'a>), ZoneFileError> {
        let mut tokens = Cursor::new(entry);
        let owner = if entry.indented {
            self.owner.clone().ok_or_else(|| tokens.place().fail(Problem::NoOwner))?
        } else {
            self.name(tokens.take("an owner")?)?
        };
        self.owner = Some(owner.clone());
        let (mut seen_ttl, mut class) = (None, false);
        loop {
            let token = tokens.take("a record type")?;
            let word = token.text.to_ascii_uppercase();
            if seen_ttl.is_none() && word.starts_with(|first: char| first.is_ascii_digit()) {
                seen_ttl = Some(ttl(token)?);
            } else if !class && word == "IN" {
                class = true;
            } else if !class && matches!(word.as_str(), "CH" | "HS" | "CS" | "ANY" | "NONE") {
                return Err(token.at.fail(Problem::Class(word)));
            } else {
                let rtype = type_number(&word).ok_or_else(|| token.at.fail(Problem::Type(token.text.to_owned())))?;
                self.last_ttl = seen_ttl.or(self.last_ttl);
                return Ok((owner, Head { rtype, at: token.at, ttl: seen_ttl }, tokens));
            }
        }
    }

    /// Reads a record; `None` if it is dropped, which a note then says.
    fn record(
        &mut self,
        entry: &Entry<'_>,
        options: Options,
        notes: &mut Vec<Note>,
    ) -> Result<Option<Record>, ZoneFileError> {
        let (owner, head, mut tokens) = self.head(entry)?;
        let start = entry.tokens.first().map_or(entry.end, |token| token.at);
        let owner = self.relative(&owner).map_err(|problem| start.fail(problem))?;
        let (line, rtype) = (start.line, head.rtype);
        if is_signers(rtype) {
            notes.push(Note::SignedDropped { line, rtype });
            return Ok(None);
        }
        let parsed = rdata::parse(rtype, &mut tokens, &self.origin)?;
        if rtype == SOA {
            self.negative_ttl = parsed.octets.last_chunk::<4>().map(|minimum| u32::from_be_bytes(*minimum));
            notes.push(Note::SoaDropped { line });
            return Ok(None);
        }
        if rtype == NS && owner.is_apex() && !options.delegate {
            notes.push(Note::NsDropped { line, target: rdata::rdata_text(NS, &parsed.octets) });
            return Ok(None);
        }
        check_storable(rtype).map_err(|problem| head.at.fail(problem))?;
        notes.extend(parsed.doubt.map(|error| Note::Unreadable { owner: owner_text(&owner), error }));
        let settled = head.ttl.or(self.default_ttl).or(self.last_ttl).or(self.negative_ttl);
        let ttl = settled.unwrap_or(DEFAULT_TTL).min(TTL_MAX);
        Ok(Some(Record { owner, rtype, ttl, rdata: parsed.octets }))
    }
}

/// DNSKEY, RRSIG, NSEC and their kin: whoever serves the zone signs it.
const fn is_signers(rtype: u16) -> bool {
    matches!(rtype, 24 | 30 | 46 | 47 | 48 | 50 | 51)
}

fn ttl(token: &Token<'_>) -> Result<u32, ZoneFileError> {
    Some(period(token)?).filter(|ttl| *ttl <= TTL_MAX).ok_or_else(|| token.is_not("a TTL up to 2147483647"))
}
