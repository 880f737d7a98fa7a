//! What a wallet looks at before it signs records (R12).

use core::fmt;

use dotp2p_chain::name::Name;
use dotp2p_chain::records::{Owner, RecordSet, Records};

use super::error::RdataError;
use super::fields::Wire;
use super::rdata::check_rdata;
use super::text::{DomainName, owner_text};
use super::types::{A, AAAA, CNAME, DNAME, DS, MX, NS, SRV, type_name};

/// Records that cannot be served as they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// RDATA that is not what its type says.
    #[error("{owner}: {error}")]
    Rdata {
        /// Where.
        owner: String,
        /// What is wrong.
        error: RdataError,
    },
    /// A CNAME beside other types (RFC 1034, 3.6.2).
    #[error("{owner} has a CNAME beside {}: an alias has nothing else, remove one of them", type_name(*.other))]
    CnameAndOther {
        /// Where.
        owner: String,
        /// Another type there.
        other: u16,
    },
    /// More than one CNAME or DNAME.
    #[error("{owner} has {count} {} records, one is allowed", type_name(*.rtype))]
    OnlyOne {
        /// Where.
        owner: String,
        /// CNAME or DNAME.
        rtype: u16,
        /// How many.
        count: usize,
    },
}

/// Records that can be served and are probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Below a DNAME, which redirects everything below it.
    BelowDname {
        /// The record's owner.
        owner: String,
        /// The DNAME's.
        dname: String,
    },
    /// At or below a delegation, which hands everything but DS and glue to others.
    Delegated {
        /// The record's owner.
        owner: String,
        /// Its type.
        rtype: u16,
        /// The delegation's owner.
        cut: String,
    },
    /// A server inside what it serves, without an address beside the delegation.
    GlueMissing {
        /// The delegation's owner.
        cut: String,
        /// The server.
        target: String,
    },
    /// DS without NS.
    DsAlone {
        /// Where.
        owner: String,
    },
    /// An MX, NS or SRV record that names an alias (RFC 2181, 10.3).
    TargetIsAlias {
        /// The record's owner.
        owner: String,
        /// Its type.
        rtype: u16,
        /// The alias.
        target: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BelowDname { owner, dname } => {
                write!(f, "{owner} is below the DNAME of {dname} and will not be seen")
            }
            Self::Delegated { owner, rtype, cut } => {
                let rtype = type_name(*rtype);
                write!(f, "{owner} {rtype} is under the delegation of {cut} and will not be served")
            }
            Self::GlueMissing { cut, target } => {
                write!(f, "{cut} is delegated to {target}, which is inside it and has no address here")
            }
            Self::DsAlone { owner } => write!(f, "{owner} has DS without NS: there is no delegation for it"),
            Self::TargetIsAlias { owner, rtype, target } => {
                write!(f, "{owner} {} names {target}, which is an alias (CNAME)", type_name(*rtype))
            }
        }
    }
}

/// Checks records before they are signed and paid for. Rule R12.
///
/// - Result: warnings, to be shown and confirmed.
pub fn check_for_signing(records: &Records, name: &Name, tld: &str) -> Result<Vec<Warning>, SigningError> {
    let zone = DomainName::zone(name, tld);
    let mut warnings = Vec::new();
    for set in records.sets() {
        check_set(set, records)?;
        warn_hidden(set, records, &mut warnings);
        warn_targets(set, records, &zone, &mut warnings);
    }
    Ok(warnings)
}

fn check_set(set: &RecordSet, records: &Records) -> Result<(), SigningError> {
    let owner = || owner_text(&set.owner);
    for rdata in &set.rdatas {
        check_rdata(set.rtype, rdata).map_err(|error| SigningError::Rdata { owner: owner(), error })?;
    }
    let count = set.rdatas.len();
    if matches!(set.rtype, CNAME | DNAME) && count > 1 {
        return Err(SigningError::OnlyOne { owner: owner(), rtype: set.rtype, count });
    }
    if set.rtype != CNAME && records.get(&set.owner, CNAME).is_some() {
        return Err(SigningError::CnameAndOther { owner: owner(), other: set.rtype });
    }
    Ok(())
}

/// The owners above `owner`, nearest first, the apex last.
fn above(owner: &Owner) -> impl Iterator<Item = Owner> {
    (1..=owner.labels().len()).map(|skip| Owner::new(owner.labels().iter().skip(skip).map(Vec::as_slice)))
}

fn warn_hidden(set: &RecordSet, records: &Records, warnings: &mut Vec<Warning>) {
    let owner = || owner_text(&set.owner);
    if let Some(dname) = above(&set.owner).find(|above| records.get(above, DNAME).is_some()) {
        warnings.push(Warning::BelowDname { owner: owner(), dname: owner_text(&dname) });
    }
    let cut = above(&set.owner).find(|above| records.get(above, NS).is_some());
    match cut {
        Some(cut) if !matches!(set.rtype, A | AAAA) => {
            warnings.push(Warning::Delegated { owner: owner(), rtype: set.rtype, cut: owner_text(&cut) });
        }
        Some(_) => {}
        None if records.get(&set.owner, NS).is_none() => {
            if set.rtype == DS {
                warnings.push(Warning::DsAlone { owner: owner() });
            }
        }
        None => {
            // An address beside NS is glue where the server has the cut's own name.
            if !matches!(set.rtype, NS | DS | A | AAAA) {
                warnings.push(Warning::Delegated { owner: owner(), rtype: set.rtype, cut: owner() });
            }
        }
    }
}

fn warn_targets(set: &RecordSet, records: &Records, zone: &DomainName, warnings: &mut Vec<Warning>) {
    let before = match set.rtype {
        NS => 0,
        MX => 2,
        SRV => 6,
        _ => return,
    };
    let targets = set.rdatas.iter().filter_map(|rdata| Wire::new(rdata.get(before..)?).name("").ok());
    for name in targets {
        let Some(target) = name.owner(zone) else { continue };
        if records.get(&target, CNAME).is_some() {
            let (owner, target) = (owner_text(&set.owner), name.to_string());
            warnings.push(Warning::TargetIsAlias { owner, rtype: set.rtype, target });
        } else if set.rtype == NS && (target == set.owner || above(&target).any(|above| above == set.owner)) {
            let address = [A, AAAA].iter().any(|rtype| records.get(&target, *rtype).is_some());
            if !address {
                let (cut, target) = (owner_text(&set.owner), name.to_string());
                warnings.push(Warning::GlueMissing { cut, target });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dotp2p_chain::records::Limits;

    use super::*;
    use crate::zonefile::{Options, import};

    fn check(text: &str) -> Result<Vec<String>, String> {
        let name: Name = "hello".parse().unwrap();
        let limits = Limits { name_len: 5, tld_len: 3, max: 4_096 };
        let import = import(text, &name, "p2p", Options { delegate: true }, limits).unwrap();
        match check_for_signing(&import.records, &name, "p2p") {
            Ok(warnings) => Ok(warnings.iter().map(ToString::to_string).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn what_cannot_be_served() {
        for (text, error) in [
            ("w CNAME @\nw A 192.0.2.1", "w has a CNAME beside A: an alias has nothing else, remove one of them"),
            ("w CNAME @\nw DNAME a", "w has a CNAME beside DNAME: an alias has nothing else, remove one of them"),
            ("w CNAME a\nw CNAME b", "w has 2 CNAME records, one is allowed"),
            ("@ DNAME a\n@ DNAME b", "@ has 2 DNAME records, one is allowed"),
            ("w MX \\# 2 0000", "w: MX RDATA: bad domain name: it does not end"),
        ] {
            assert_eq!(check(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_probably_not_meant() {
        for (text, warning) in [
            ("d DNAME e\na.b.d A 192.0.2.1", "a.b.d is below the DNAME of d and will not be seen"),
            ("@ DNAME e.example.\na A 192.0.2.1", "a is below the DNAME of @ and will not be seen"),
            ("s NS n.example.\ns TXT x", "s TXT is under the delegation of s and will not be served"),
            ("s NS n.example.\na.s MX 0 .", "a.s MX is under the delegation of s and will not be served"),
            ("@ NS n.example.\na CNAME b", "a CNAME is under the delegation of @ and will not be served"),
            ("s NS n.s", "s is delegated to n.s.hello.p2p., which is inside it and has no address here"),
            ("s NS s", "s is delegated to s.hello.p2p., which is inside it and has no address here"),
            (
                "s DS 1 13 2 (\n00000000000000000000000000000000 00000000000000000000000000000000)",
                "s has DS without NS: there is no delegation for it",
            ),
            ("m MX 10 w\nw CNAME @", "m MX names w.hello.p2p., which is an alias (CNAME)"),
            ("m SRV 0 0 1 W\nw CNAME @", "m SRV names W.hello.p2p., which is an alias (CNAME)"),
            ("s NS w\nw CNAME @", "s NS names w.hello.p2p., which is an alias (CNAME)"),
        ] {
            assert_eq!(check(text), Ok(vec![warning.to_owned()]), "{text}");
        }
    }

    #[test]
    fn what_is_in_order() {
        for text in [
            "",
            "@ CNAME elsewhere.example.",
            "@ DNAME elsewhere.example.\n@ A 192.0.2.1",
            "s NS n.s\nn.s A 192.0.2.1\nn.s AAAA ::1",
            "s NS s\ns A 192.0.2.1",
            "s NS n\nn A 192.0.2.1",
            "m MX 10 w.example.\nw CNAME @",
        ] {
            assert_eq!(check(text), Ok(Vec::new()), "{text}");
        }
    }
}
