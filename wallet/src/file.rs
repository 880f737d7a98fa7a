//! The wallet file, `wallet.json`, and what it shares with `registrations.json`: a version, a network, a chain id.
//!
//! ```json
//! {
//!   "version": 1,
//!   "network": "regtest",
//!   "chain_id": "…64 hexadecimal digits…",
//!   "phrase": "abandon abandon … about",
//!   "next_index": 1,
//!   "created": 1793491200,
//!   "checksum": "…16 hexadecimal digits…"
//! }
//! ```
//!
//! The checksum is the first 8 bytes of the SHA-256 of all bytes before the comma in front of it. A phrase has four bits
//! of its own, so one damaged word in sixteen would give other keys without a word of warning. A file made by hand may
//! do without.
//!
//! The phrase is **not encrypted** in this release: the file's mode (0600) is all that guards it, so keep it on an
//! encrypted disk. `next_index` is the number of the first key not handed out; `created` (Unix seconds) may be absent.

use std::path::{Path, PathBuf};

use dotp2p_chain::hash::{ChainId, sha256, to_hex};
use dotp2p_chain::name::Name;
use dotp2p_chain::params::Params;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::keys::DeriveError;
use crate::private_file::{self, AccessError};
use crate::seed::SeedError;

/// The version both files have.
pub const VERSION: u32 = 1;
/// The most bytes a wallet file can have.
const WALLET_MAX: u64 = 64 * 1024;

/// Why a file of the wallet cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Not readable or writable.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// It ends too early.
    #[error("{path} is cut off at line {line}, column {column}: {advice}")]
    CutOff {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What to do.
        advice: &'static str,
    },
    /// It is no JSON.
    #[error("{path} is damaged at line {line}, column {column}: {advice}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What to do.
        advice: &'static str,
    },
    /// It is JSON, but not what was written.
    #[error("{path} was changed since it was written, its checksum is wrong: {advice}")]
    Checksum {
        /// The file.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
    },
    /// More keys than are ever derived.
    #[error(
        "{path}: next_index is {found}, a wallet hands out at most {max} keys: use an address again, or restore a backup"
    )]
    Keys {
        /// The file.
        path: PathBuf,
        /// What it says, or would.
        found: u32,
        /// The most.
        max: u32,
    },
    /// It is JSON, but not what belongs here.
    #[error("{path}, line {line}: {what}")]
    Content {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong; never a value, which could be the phrase.
        what: String,
    },
    /// Another release's.
    #[error("{path} has version {found}, this release reads version {known}: use the release that wrote it")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Whose it is cannot be read.
    #[error("{path}: {what}: {advice}")]
    Whose {
        /// The file.
        path: PathBuf,
        /// Which field is wrong; never its value, which could be the phrase.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Another network's.
    #[error("{path} belongs to network {found:?}, not to {expected:?}")]
    Network {
        /// The file.
        path: PathBuf,
        /// Its network.
        found: String,
        /// Ours.
        expected: String,
    },
    /// A network of the same name with other rules.
    #[error("{path} belongs to another chain named {network:?}: its chain id is {found}, expected {expected}")]
    Chain {
        /// The file.
        path: PathBuf,
        /// The name both have.
        network: String,
        /// Its chain id.
        found: ChainId,
        /// Ours.
        expected: ChainId,
    },
    /// The phrase in it is none.
    #[error("{path}: {source}")]
    Phrase {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: SeedError,
    },
    /// No such key.
    #[error(transparent)]
    Derive(#[from] DeriveError),
}

/// What a wallet file holds.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub(crate) struct WalletFile {
    pub(crate) version: u32,
    pub(crate) network: String,
    pub(crate) chain_id: String,
    pub(crate) phrase: String,
    pub(crate) next_index: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<u64>,
}

impl WalletFile {
    pub(crate) fn read(path: &Path, params: &Params) -> Result<Self, FileError> {
        const ADVICE: &str = "restore a backup of it, or the seed phrase with `dotp2p wallet restore`";
        let bytes = private_file::read(path, WALLET_MAX)?;
        parse(path, &bytes, params, ADVICE)
    }

    pub(crate) fn to_json(&self) -> zeroize::Zeroizing<Vec<u8>> {
        to_json(self)
    }
}

/// The JSON of a file's content, wiped when dropped.
pub(crate) fn to_json(content: &impl Serialize) -> zeroize::Zeroizing<Vec<u8>> {
    let mut json = zeroize::Zeroizing::new(Vec::with_capacity(4096));
    #[allow(clippy::expect_used, reason = "writing to memory, and no map has keys that are no strings")]
    serde_json::to_writer_pretty(&mut *json, content).expect("serialises");
    let content = json.len().saturating_sub(END.len());
    json.truncate(content);
    let last = checksum_field(&json);
    json.extend_from_slice(last.as_bytes());
    json
}

/// The end of an object, before its last line break.
const END: &[u8] = b"\n}";
/// Where the last field begins.
const CHECKSUM: &str = ",\n  \"checksum\": \"";

/// The last field and the end of a file that begins with `content`.
fn checksum_field(content: &[u8]) -> String {
    let sum = sha256(content);
    format!("{CHECKSUM}{}\"\n}}\n", to_hex(sum.first_chunk::<8>().unwrap_or(&[0; 8])))
}

/// The file's bytes without the checksum, after checking it. One without it was made by hand.
fn verified(path: &Path, bytes: &[u8], advice: &'static str) -> Result<zeroize::Zeroizing<Vec<u8>>, FileError> {
    let at = bytes.windows(CHECKSUM.len()).rposition(|window| window == CHECKSUM.as_bytes());
    let (content, rest) = bytes.split_at(at.unwrap_or(bytes.len()));
    let mut json = zeroize::Zeroizing::new(content.to_vec());
    if at.is_some() {
        if rest.trim_ascii_end() != checksum_field(content).trim_ascii_end().as_bytes() {
            // What is no JSON any more is told with its place.
            serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| json_error(path, &error, advice))?;
            return Err(FileError::Checksum { path: path.to_owned(), advice });
        }
        json.extend_from_slice(END);
    }
    Ok(json)
}

/// What is read before anything else, so that another network's or a newer file is called just that.
#[derive(Deserialize)]
struct Header {
    version: u32,
    network: String,
    chain_id: String,
}

/// Reads a file's JSON: version and network first, then everything, unknown fields refused.
pub(crate) fn parse<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
    params: &Params,
    advice: &'static str,
) -> Result<T, FileError> {
    let json_error = |error: &serde_json::Error| json_error(path, error, advice);
    let bytes: &[u8] = &verified(path, bytes, advice)?;
    let header: Header = serde_json::from_slice(bytes).map_err(|error| json_error(&error))?;
    let path = || path.to_owned();
    if header.version != VERSION {
        return Err(FileError::Version { path: path(), found: header.version, known: VERSION });
    }
    let expected = &params.deployment.name;
    if header.network.parse::<Name>().is_err() {
        return Err(FileError::Whose { path: path(), what: "its network is not the name of one", advice });
    }
    if header.network != *expected {
        return Err(FileError::Network { path: path(), found: header.network, expected: expected.clone() });
    }
    let Ok(found) = header.chain_id.parse::<ChainId>() else {
        return Err(FileError::Whose { path: path(), what: "its chain_id is not 64 hexadecimal digits", advice });
    };
    if found != params.chain_id {
        let expected = params.chain_id;
        return Err(FileError::Chain { path: path(), network: header.network, found, expected });
    }
    serde_json::from_slice(bytes).map_err(|error| json_error(&error))
}

fn json_error(path: &Path, error: &serde_json::Error, advice: &'static str) -> FileError {
    let (path, line, column) = (path.to_owned(), error.line(), error.column());
    match error.classify() {
        Category::Eof => FileError::CutOff { path, line, column, advice },
        Category::Syntax | Category::Io => FileError::Damaged { path, line, column, advice },
        Category::Data => {
            // Without what would move the cursor.
            let text = error.to_string().replace(char::is_control, "\u{fffd}");
            let named = ["unknown field", "missing field", "duplicate field"].iter().any(|it| text.starts_with(it));
            let what = text.split(" at line ").next().filter(|_| named);
            FileError::Content { path, line, what: what.unwrap_or("a value is not of the right kind").to_owned() }
        }
    }
}
