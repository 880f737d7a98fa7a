//! Octets and domain names as a zone file writes them: `\DDD`, `\X`, quotes, dots (RFC 1035, 5.1).

use core::fmt;

use dotp2p_chain::name::Name;
use dotp2p_chain::records::Owner;

use super::error::{NameFault, Problem};

/// Characters that mean something in a domain name or a line, escaped with a backslash.
const SPECIAL: &[u8] = b".\\\"@$;()";

/// An absolute domain name: labels leftmost first, the root's empty one left out. The case is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DomainName(Vec<Vec<u8>>);

impl DomainName {
    /// `.`
    pub(super) const ROOT: Self = Self(Vec::new());

    /// `name.tld.`
    pub(super) fn zone(name: &Name, tld: &str) -> Self {
        let labels = core::iter::once(name.as_str()).chain(tld.split('.').filter(|label| !label.is_empty()));
        Self(labels.map(|label| label.as_bytes().to_vec()).collect())
    }

    /// A name of these labels, if it fits in 255 octets.
    pub(super) fn new(labels: Vec<Vec<u8>>) -> Result<Self, NameFault> {
        if let Some(label) = labels.iter().find(|label| label.len() > 63) {
            return Err(NameFault::LabelLength(label.len()));
        }
        match labels.iter().map(|label| label.len() + 1).sum::<usize>() + 1 {
            len @ 256.. => Err(NameFault::Length(len)),
            _ => Ok(Self(labels)),
        }
    }

    /// Reads `raw`: `@` is the origin, a final dot makes it absolute, anything else is completed with the origin.
    pub(super) fn parse(raw: &str, origin: &Self) -> Result<Self, Problem> {
        let fail = |fault| Problem::Name { text: raw.to_owned(), fault };
        if !raw.is_ascii() {
            let label = idna::domain_to_ascii_strict(raw.trim_end_matches('.')).ok();
            return Err(fail(NameFault::NotAscii(label)));
        }
        match raw {
            "@" => return Ok(origin.clone()),
            "." => return Ok(Self::ROOT),
            "" => return Err(fail(NameFault::EmptyLabel)),
            _ => {}
        }
        let mut labels: Vec<Vec<u8>> = vec![Vec::new()];
        for (octet, escaped) in unescape(raw)? {
            match labels.last_mut() {
                Some(label) if octet != b'.' || escaped => label.push(octet),
                _ => labels.push(Vec::new()),
            }
        }
        if labels.last().is_some_and(Vec::is_empty) {
            labels.pop();
        } else {
            labels.extend(origin.0.iter().cloned());
        }
        if labels.iter().any(Vec::is_empty) {
            return Err(fail(NameFault::EmptyLabel));
        }
        Self::new(labels).map_err(fail)
    }

    /// The owner relative to `zone`, if the name is at or below it.
    pub(super) fn owner(&self, zone: &Self) -> Option<Owner> {
        let below = self.0.len().checked_sub(zone.0.len())?;
        let (labels, rest) = self.0.split_at_checked(below)?;
        let same = rest.iter().zip(&zone.0).all(|(a, b)| a.eq_ignore_ascii_case(b));
        same.then(|| Owner::new(labels.iter().map(Vec::as_slice)))
    }

    /// The uncompressed wire form.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        for label in &self.0 {
            out.extend(u8::try_from(label.len()));
            out.extend_from_slice(label);
        }
        out.push(0);
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(".");
        }
        self.0.iter().try_for_each(|label| write!(f, "{}.", escape(label, SPECIAL, b'!')))
    }
}

/// An owner as a zone file writes it below its origin, `@` at the apex.
#[must_use]
pub fn owner_text(owner: &Owner) -> String {
    if owner.is_apex() {
        return "@".to_owned();
    }
    owner.labels().iter().map(|label| escape(label, SPECIAL, b'!')).collect::<Vec<_>>().join(".")
}

/// Octets in quotes.
pub(super) fn quoted(octets: &[u8]) -> String {
    format!("\"{}\"", escape(octets, b"\\\"", b' '))
}

/// Octets from `first` to `~` as they are, those in `special` after a backslash, the others as `\DDD`.
fn escape(octets: &[u8], special: &[u8], first: u8) -> String {
    let mut out = String::with_capacity(octets.len());
    for &octet in octets {
        match octet {
            _ if special.contains(&octet) => out.extend(['\\', char::from(octet)]),
            _ if (first..=b'~').contains(&octet) => out.push(char::from(octet)),
            _ => out.push_str(&format!("\\{octet:03}")),
        }
    }
    out
}

/// The octets that `raw` stands for.
pub(super) fn octets(raw: &str) -> Result<Vec<u8>, Problem> {
    Ok(unescape(raw)?.into_iter().map(|(octet, _)| octet).collect())
}

/// The octets that `raw` stands for, and of each whether it was escaped.
fn unescape(raw: &str) -> Result<Vec<(u8, bool)>, Problem> {
    let bad = || Problem::Escape(raw.to_owned());
    let mut out = Vec::with_capacity(raw.len());
    let mut input = raw.bytes();
    while let Some(octet) = input.next() {
        if octet != b'\\' {
            out.push((octet, false));
            continue;
        }
        let escaped = input.next().ok_or_else(bad)?;
        if !escaped.is_ascii_digit() {
            out.push((escaped, true));
            continue;
        }
        let mut value = u32::from(escaped - b'0');
        for _ in 0..2 {
            let digit = input.next().filter(u8::is_ascii_digit).ok_or_else(bad)?;
            value = value * 10 + u32::from(digit - b'0');
        }
        out.push((u8::try_from(value).map_err(|_| bad())?, true));
    }
    Ok(out)
}
