//! What people type, and the canonical label that consensus sees.
//!
//! [`Typed`] is one label, folded by UTS 46 (non-transitional) and checked; a top-level domain behind it is stripped.
//! Letters that look like others are allowed by consensus, so they come back as [`Warning`]s, to be shown before
//! anybody pays.
//!
//! What is absent: consensus. A name claimed with other software may fail every check here.

use core::fmt;

use dotp2p_chain::name::{Name, NameError};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_security::confusable_detection::skeleton;
use unicode_security::{GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection};

/// A name as somebody typed it, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The canonical label.
    pub name: Name,
    /// The label as people read it: an A-label's letters, else the same as `name`.
    pub unicode: String,
    /// Whether `name` differs from the label that was typed, so that what was taken should be shown.
    pub folded: bool,
    /// What makes the name easy to mistake for another.
    pub warnings: Vec<Warning>,
}

/// Why what was typed is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypedError {
    /// Not a label by N1 or N2.
    #[error("{typed:?}: {error}")]
    Name {
        /// What was typed.
        typed: String,
        /// The rule it breaks.
        error: NameError,
    },
    /// More than one label before the top-level domain.
    #[error(
        "{typed:?} has more than one label: a name is one label below {tld}, what is below it goes into its records"
    )]
    Labels {
        /// What was typed.
        typed: String,
        /// The top-level domain.
        tld: String,
    },
    /// Characters or an order of them that IDNA refuses.
    #[error("{0:?} holds what no internationalised label may hold (UTS 46)")]
    Idna(String),
    /// `xn--` and then something that no letters are encoded as.
    #[error("{0:?} begins with xn-- and is no A-label (RFC 5890): type the letters themselves")]
    ALabel(String),
}

/// Something that makes a name easy to mistake for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Every letter has a twin in ASCII.
    LooksLike {
        /// The name with letters of its own.
        unicode: String,
        /// What it reads as.
        ascii: String,
    },
    /// Letters of scripts that are not written together (UTS 39, beyond "highly restrictive").
    MixedScripts(String),
    /// A character that identifiers should not hold, such as an emoji or an obsolete letter (UTS 39).
    Unusual(char),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LooksLike { unicode, ascii } => {
                write!(f, "{unicode} looks like {ascii}, which is another name")
            }
            Self::MixedScripts(unicode) => {
                write!(f, "{unicode} mixes scripts that are not written together")
            }
            Self::Unusual(character) => {
                let code = u32::from(*character);
                write!(f, "{character} (U+{code:04X}) is unusual in names, and not every program accepts it")
            }
        }
    }
}

/// Reads `input`: `alice`, `alice.p2p` or `alice.p2p.`, in capitals or not, with letters of any script or as an
/// A-label. Rules N1, N2.
///
/// - `tld`: the network's top-level domain, such as `p2p`; one is stripped.
pub fn typed(input: &str, tld: &str) -> Result<Typed, TypedError> {
    let typed = input.trim();
    let uts46 = Uts46::new();
    let ascii = uts46
        .to_ascii(typed.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore)
        .map_err(|_| refused(typed))?;
    let label = strip(&ascii, tld);
    if label.contains('.') {
        return Err(TypedError::Labels { typed: typed.to_owned(), tld: tld.to_owned() });
    }
    let name: Name = label.parse().map_err(|error| TypedError::Name { typed: typed.to_owned(), error })?;
    let unicode = to_unicode(&name).ok_or_else(|| TypedError::ALabel(typed.to_owned()))?;
    let folded = strip(typed, tld) != name.as_str();
    let warnings = warnings(&unicode);
    Ok(Typed { name, unicode, folded, warnings })
}

/// A name as people read it. An `xn--` label that is no A-label stays as it is.
#[must_use]
pub fn unicode(name: &Name) -> String {
    to_unicode(name).unwrap_or_else(|| name.to_string())
}

fn refused(typed: &str) -> TypedError {
    match typed.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("xn--") => TypedError::ALabel(typed.to_owned()),
        _ => TypedError::Idna(typed.to_owned()),
    }
}

/// `label.tld.` and `label.tld` without their ends.
fn strip<'a>(input: &'a str, tld: &str) -> &'a str {
    let input = input.strip_suffix('.').unwrap_or(input);
    match input.rsplit_once('.') {
        Some((label, last)) if last.eq_ignore_ascii_case(tld) => label,
        _ => input,
    }
}

/// The letters of `name`, if they encode to it and to nothing else.
fn to_unicode(name: &Name) -> Option<String> {
    let uts46 = Uts46::new();
    let (unicode, result) = uts46.to_unicode(name.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow);
    result.ok()?;
    let back = uts46.to_ascii(unicode.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow, DnsLength::Verify).ok()?;
    (back == name.as_str()).then(|| unicode.into_owned())
}

fn warnings(unicode: &str) -> Vec<Warning> {
    if unicode.is_ascii() {
        return Vec::new();
    }
    let mut out = Vec::new();
    let twin: String = skeleton(unicode).collect();
    if twin.is_ascii() {
        out.push(Warning::LooksLike { unicode: unicode.to_owned(), ascii: twin.to_ascii_lowercase() });
    }
    let (usual, unusual): (String, String) = unicode.chars().partition(|letter| letter.identifier_allowed());
    if usual.as_str().detect_restriction_level() > RestrictionLevel::HighlyRestrictive {
        out.push(Warning::MixedScripts(unicode.to_owned()));
    }
    out.extend(unusual.chars().map(Warning::Unusual));
    out
}

#[cfg(test)]
mod tests;
