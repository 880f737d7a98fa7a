//! Records as people write them: zone files (RFC 1035), JSON lists, lines on a command line (R11); and the checks a
//! wallet makes before it signs (R12).
//!
//! - [`import`], [`export`]: zone file text. [`to_json`], [`from_json`]: a list of [`JsonRecord`]. [`record_line`]: one
//!   line. Each of them is lossless from records to text to records; RDATA that its type cannot read is written as
//!   `\#` (RFC 3597) and comes back untouched.
//! - [`Record`], [`gather`], [`flatten`]: between single records and canonical RRsets.
//! - [`check_rdata`], [`rdata_text`], [`type_name`], [`type_number`]: one record's data. What RDATA is made of stands in one table
//!   (`types`), of fields that each read and write themselves (`fields`).
//! - [`check_for_signing`]: what cannot be served, and what is probably not meant.
//!
//! Owners are folded to lower case. Domain names inside RDATA keep the case they were given: relative ones are
//! completed with the origin, and they are always written absolute.
//!
//! What is absent: consensus. A chain may carry RDATA that all of this refuses (R8).

use core::fmt;

use dotp2p_chain::records::Records;

mod error;
mod export;
mod fields;
mod import;
mod json;
mod lexer;
mod loc;
mod rdata;
mod records;
mod signing;
mod svcb;
mod text;
mod types;

pub use error::{Fault, NameFault, Problem, RdataError, ZoneFileError};
pub use export::export;
pub use import::{import, record_line};
pub use json::{JsonRecord, from_json, to_json};
pub use rdata::{check_rdata, rdata_text};
pub use records::{Record, flatten, gather};
pub use signing::{SigningError, Warning, check_for_signing};
pub use text::owner_text;
pub use types::{type_name, type_number};

/// The TTL of records that say none, in seconds.
pub const DEFAULT_TTL: u32 = 3_600;

/// How an ordinary zone file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Keeps NS records of the name itself: other servers answer for it.
    pub delegate: bool,
}

/// Records read from text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The records.
    pub records: Records,
    /// What was dropped or changed on the way; to be shown.
    pub notes: Vec<Note>,
}

/// Something that was dropped or changed while reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The SOA.
    SoaDropped {
        /// Its line.
        line: usize,
    },
    /// An NS record of the name itself.
    NsDropped {
        /// Its line.
        line: usize,
        /// The server it names.
        target: String,
    },
    /// A record that a signer of zones had made.
    SignedDropped {
        /// Its line.
        line: usize,
        /// Its type.
        rtype: u16,
    },
    /// TTLs differed within an RRset.
    TtlLowered {
        /// The RRset's owner.
        owner: String,
        /// Its type.
        rtype: u16,
        /// The TTL taken.
        ttl: u32,
        /// The longest one given.
        longest: u32,
    },
    /// RDATA given as `\#` that is not what its type says. It is kept; [`check_for_signing`] refuses it.
    Unreadable {
        /// The owner.
        owner: String,
        /// What is wrong.
        error: RdataError,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SoaDropped { line } => write!(f, "line {line}: SOA left out, the top-level domain has its own"),
            Self::NsDropped { line, target } => {
                write!(f, "line {line}: NS {target} left out, the name is served from the chain (--delegate keeps it)")
            }
            Self::SignedDropped { line, rtype } => {
                write!(f, "line {line}: {} left out, whoever serves the zone signs it", type_name(*rtype))
            }
            Self::TtlLowered { owner, rtype, ttl, longest } => {
                let rtype = type_name(*rtype);
                write!(f, "{owner} {rtype}: TTLs from {ttl} to {longest} in one RRset, the smallest is taken")
            }
            Self::Unreadable { owner, error } => write!(f, "{owner}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
