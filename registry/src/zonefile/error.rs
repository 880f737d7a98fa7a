//! What can be wrong with text and with RDATA. Every text names the place, what stands there and what to do.

use dotp2p_chain::records::RecordsError;

use super::types::type_name;

/// Why text does not become records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneFileError {
    /// Something in a line of a zone file.
    #[error("line {line}, column {column}: {problem}")]
    Line {
        /// Its line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong.
        problem: Problem,
    },
    /// Something in a record of a JSON list.
    #[error("record {index}: {problem}")]
    Record {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong.
        problem: Problem,
    },
    /// Each record is in order, all of them together are not.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// `$INCLUDE`.
    #[error("$INCLUDE is not followed: put the lines of {0:?} here instead")]
    Include(String),
    /// `$GENERATE`.
    #[error("$GENERATE is not expanded: write its records out, one a line")]
    Generate,
    /// Another word with a dollar sign.
    #[error(
        "{0:?} is no directive known here: $ORIGIN and $TTL are (write \\$ for an owner that begins with a dollar)"
    )]
    Directive(String),
    /// The line ends too early.
    #[error("the line ends where {0} should stand")]
    Missing(&'static str),
    /// The line ends too late.
    #[error("{0:?} is left over: the record was complete before it (text with spaces needs quotes)")]
    Extra(String),
    /// A first line without owner.
    #[error(
        "an indented line belongs to the owner above it, and there is none: begin the line with its owner, `@` for the name itself"
    )]
    NoOwner,
    /// A record of somebody else's name.
    #[error("owner {owner} is outside {zone}: write it relative to the name, or correct $ORIGIN")]
    Outside {
        /// The owner.
        owner: String,
        /// The name with its top-level domain.
        zone: String,
    },
    /// A class other than IN.
    #[error("class {0:?} is not served: only IN is")]
    Class(String),
    /// No type where one should be.
    #[error("{0:?} is no record type: expected [TTL] [IN] TYPE, such as A or TYPE65280, after the owner")]
    Type(String),
    /// A type whose records servers make or that is only asked for.
    #[error("{} records cannot be stored: servers make them, or they are only asked for (R6)", type_name(*.0))]
    NotStorable(u16),
    /// A type known by name alone.
    #[error("{} has no text form here: write its RDATA as \\# LENGTH HEX (RFC 3597)", type_name(*.0))]
    NoTextForm(u16),
    /// A value that is none.
    #[error("{text:?} is not {expected}")]
    Value {
        /// What stands there.
        text: String,
        /// What should.
        expected: &'static str,
    },
    /// A domain name that is none.
    #[error("{text:?} is no domain name: {fault}")]
    Name {
        /// What stands there.
        text: String,
        /// Why not.
        fault: NameFault,
    },
    /// A backslash followed by nothing it could escape.
    #[error("{0:?} holds a bad escape: write \\DDD with a number up to 255, or \\ and one character")]
    Escape(String),
    /// A quote that nothing closes.
    #[error("the quote is not closed on its line")]
    OpenQuote,
    /// A quote inside a word.
    #[error("a quote inside a word: put a space before it, or write \\\" for the character")]
    InnerQuote,
    /// A parenthesis that nothing closes.
    #[error("the parenthesis is never closed")]
    OpenParenthesis,
    /// A parenthesis that nothing opened.
    #[error("the parenthesis closes nothing: write \\) for the character")]
    StrayParenthesis,
    /// A character-string longer than its length octet can say.
    #[error("a string has {0} octets, at most 255 fit one: split it into several in quotes")]
    StringLength(usize),
    /// A key of SvcParams given twice (RFC 9460, 2.1).
    #[error("parameter {0} is there twice")]
    ParamTwice(String),
    /// RFC 3597's length differs from what follows.
    #[error("\\# announces {announced} octets, and {found} follow")]
    GenericLength {
        /// The number after `\#`.
        announced: usize,
        /// The octets given.
        found: usize,
    },
    /// Values that are each in order, and together are not.
    #[error(transparent)]
    Rdata(#[from] RdataError),
}

/// Why octets or text are no domain name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Two dots in a row, or one in front.
    #[error("a label is empty")]
    EmptyLabel,
    /// More than 63 octets.
    #[error("a label has {0} octets, at most 63 are allowed")]
    LabelLength(usize),
    /// More than 255 octets.
    #[error("it has {0} octets in a message, at most 255 are allowed")]
    Length(usize),
    /// Letters that the DNS carries encoded only.
    #[error("write it as an A-label{}", .0.as_ref().map(|label| format!(", {label}")).unwrap_or_default())]
    NotAscii(Option<String>),
    /// A compression pointer or an unknown kind of label.
    #[error("length octet {0:#04x} is none (names in records are not compressed)")]
    LengthOctet(u8),
    /// The octets end before the name does.
    #[error("it does not end")]
    Unfinished,
}

/// RDATA that is not what its type says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} RDATA: {fault}", type_name(*.rtype))]
pub struct RdataError {
    /// The type.
    pub rtype: u16,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with RDATA.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It ends inside or before a field.
    #[error("it ends before {0} is complete")]
    Short(&'static str),
    /// Octets follow the last field.
    #[error("octets left over: {0}")]
    Trailing(usize),
    /// A domain name inside.
    #[error("bad domain name: {0}")]
    Name(#[from] NameFault),
    /// A digest of another length than its algorithm gives.
    #[error("{what} has {len} octets, expected {expected}")]
    Digest {
        /// Which field.
        what: &'static str,
        /// Its octets.
        len: usize,
        /// What the algorithm gives.
        expected: usize,
    },
    /// A value outside what the type allows.
    #[error("expected {0}")]
    Value(&'static str),
    /// Keys of SvcParams out of order or twice (RFC 9460, 2.2).
    #[error("parameter {0} is out of order or there twice")]
    ParamOrder(String),
    /// A SvcParam's value (RFC 9460, 7).
    #[error("bad value of parameter {0}")]
    Param(String),
    /// A key listed as mandatory and not there, or there only in the company of another (RFC 9460, 2.4.1, 7.1).
    #[error("parameter {0} is needed by another and missing")]
    ParamMissing(String),
}
