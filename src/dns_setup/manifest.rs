//! What was done to a machine, so that it can be undone to the byte: `/var/lib/dotp2p/dns-setup/manifest.json`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dotp2p_chain::hash::to_hex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::Kind;
use super::facts::below;

/// Where it is, on the machine.
pub(super) const MANIFEST: &str = "/var/lib/dotp2p/dns-setup/manifest.json";
/// The form that this program writes.
const VERSION: u32 = 1;

/// Every file that was made or changed, as it was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    /// The resolver that was set up.
    pub kind: Kind,
    /// The domain.
    pub tld: String,
    /// The files.
    pub files: Vec<Entry>,
    /// The folders that were made, outer ones first.
    pub folders: Vec<PathBuf>,
}

/// A file that was made or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where, on the machine.
    pub path: PathBuf,
    /// What it was; `None`: there was none.
    pub before: Option<Before>,
    /// SHA-256 of what was written; while it is being written anew, of what was there too.
    pub written: Vec<String>,
}

/// A file as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its permissions; 0 where there is no such thing.
    pub mode: u32,
    /// Whose it was: user and group, by number.
    pub owner: (u32, u32),
}

/// Bytes, in JSON as Base64.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Why there is no telling what was done.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}{hint}", hint = super::machine::hint(.source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not as this program writes it.
    #[error(
        "{path} is not as dotp2p writes it ({what}), so what was set up cannot be undone by itself; it is text, and holds what was there"
    )]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl Manifest {
    pub(super) fn new(kind: Kind, tld: &str) -> Self {
        Self { version: VERSION, kind, tld: tld.to_owned(), files: Vec::new(), folders: Vec::new() }
    }

    /// Reads it below `root`; `None`: nothing is set up.
    pub(super) fn load(root: &Path) -> Result<Option<Self>, ManifestError> {
        let path = below(root, Path::new(MANIFEST));
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ManifestError::Read { path, source }),
        };
        let form = |what: String| ManifestError::Form { path: path.clone(), what };
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| form(error.to_string()))?;
        if manifest.version != VERSION {
            return Err(form(format!("version {}", manifest.version)));
        }
        let is_wrong = |path: &&Path| !path.is_absolute() || path.components().any(|part| part.as_os_str() == "..");
        let mut paths = manifest
            .files
            .iter()
            .map(|entry| entry.path.as_path())
            .chain(manifest.folders.iter().map(PathBuf::as_path));
        if let Some(path) = paths.find(is_wrong) {
            return Err(form(format!("the path {}", path.display())));
        }
        Ok(Some(manifest))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    pub(super) fn entry(&self, path: &Path) -> Option<&Entry> {
        self.files.iter().find(|entry| entry.path == path)
    }
}

impl Entry {
    /// What the file was.
    pub(super) fn before(&self) -> Option<&[u8]> {
        self.before.as_ref().map(|before| before.bytes.0.as_slice())
    }

    /// Whether this is what was written, or what was there before anything was.
    pub(super) fn is_known(&self, now: Option<&[u8]>) -> bool {
        now == self.before() || now.is_some_and(|bytes| self.written.contains(&hash(bytes)))
    }
}

pub(super) fn hash(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}
