//! The cookie: who can read the node's folder may command the node.
//!
//! As in bitcoind: a file `__cookie__:<64 hexadecimal digits>`, new at each start and gone after it, sent back with HTTP
//! Basic. Compared in constant time.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dotp2p_chain::hash::to_hex;
use http::HeaderValue;
use subtle::ConstantTimeEq;

/// The user that the cookie is the password of.
pub const COOKIE_USER: &str = "__cookie__";
/// Its name in the network's folder.
pub const COOKIE_FILE: &str = ".cookie";

/// Why there is no cookie.
#[derive(Debug, thiserror::Error)]
pub enum CookieError {
    /// The file cannot be written.
    #[error("cannot write the RPC cookie {path}: {error}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The operating system gives no entropy.
    #[error("no entropy for the RPC cookie: {0}")]
    Entropy(getrandom::Error),
}

/// The cookie of a running node; dropping it removes the file.
pub struct Cookie {
    path: PathBuf,
    credentials: String,
}

impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cookie").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Cookie {
    /// Writes a new one to `path`, whole or not at all, for this user alone (0600).
    pub fn create(path: &Path) -> Result<Self, CookieError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(CookieError::Entropy)?;
        let credentials = format!("{COOKIE_USER}:{}", to_hex(&secret));
        write_private(path, credentials.as_bytes())
            .map_err(|error| CookieError::Write { path: path.to_owned(), error })?;
        Ok(Self { path: path.to_owned(), credentials })
    }

    /// Whether an `Authorization` header carries it.
    #[must_use]
    pub fn admits(&self, header: &HeaderValue) -> bool {
        let Some((scheme, encoded)) = header.to_str().ok().and_then(|text| text.split_once(' ')) else { return false };
        let Ok(given) = STANDARD.decode(encoded.trim()) else { return false };
        scheme.eq_ignore_ascii_case("basic") && given.ct_eq(self.credentials.as_bytes()).into()
    }
}

impl Cookie {
    /// Removes the file, unless another node has started here since and put its own there.
    pub fn remove(&self) {
        if fs::read(&self.path).is_ok_and(|content| content == self.credentials.as_bytes()) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for Cookie {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The header that carries `user:password`.
#[must_use]
pub fn basic(credentials: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(credentials))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    // What a start that was killed left behind.
    let _ = fs::remove_file(&draft);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&draft)?.write_all(bytes)?;
    fs::rename(&draft, path)
}
