//! Files that are whole or not there, and secrets that only their owner reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeroize::Zeroizing;

use super::KeyFileError;

/// More than such a file has bytes.
const LEN_MAX: u64 = 64 << 10;

/// Which state of a file there is: a change makes another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

impl Stamp {
    /// Of the file there is now; `None`: there is none.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&meta);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self { modified: meta.modified().ok(), len: meta.len(), inode })
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
    move |source| KeyFileError::File { what, path: path.to_owned(), source }
}

/// Reads a text that nobody else may.
pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing(path.to_owned()),
        _ => KeyFileError::File { what: "read", path: path.to_owned(), source },
    })?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata().map_err(failed("read", path))?) & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Mode { path: path.to_owned(), mode });
        }
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LEN_MAX).read_to_end(&mut bytes).map_err(failed("read", path))?;
    let text = str::from_utf8(&bytes);
    let damaged = |_| KeyFileError::Damaged { path: path.to_owned(), what: "it is no text".to_owned() };
    text.map(|text| Zeroizing::new(text.to_owned())).map_err(damaged)
}

/// Puts a file in the place of `path`, which has the old or the new text whatever happens.
pub(super) fn replace(path: &Path, text: &str, is_secret: bool) -> Result<(), KeyFileError> {
    let temp = PathBuf::from(format!("{}.new", path.display()));
    let written = (|| {
        // What an interrupted write left.
        match fs::remove_file(&temp) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, if is_secret { 0o600 } else { 0o644 });
        let mut file = options.open(&temp)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temp, path)?;
        #[cfg(unix)]
        if let Some(dir) = path.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    })();
    written.map_err(failed("write", path))
}

/// Holds `path` until it is dropped; waits for whoever does.
pub(super) fn lock(path: &Path) -> Result<File, KeyFileError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).and_then(|file| file.lock().map(|()| file));
    file.map_err(failed("lock", path))
}
