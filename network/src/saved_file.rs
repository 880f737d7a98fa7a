//! Files that outlive the process and may be lost: written whole or not at all, and set aside when they make no sense.
//!
//! A file is written beside its place, synced, put there in one step, and the folder synced. Only its owner can read it:
//! whom a node knows is nobody's business. What is absent: any knowledge of what stands in the file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// More than such a file can hold.
    #[error("{path} has more than the {max} bytes that are expected")]
    Size {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// Bytes that cannot be understood.
    #[error("{path} is damaged: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The operating system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A file that could not be used at start, and what became of it. It is told, and the start goes on without.
#[derive(Debug, thiserror::Error)]
#[error("{error}; {}; {without}", match .moved {
    Some(path) => format!("set aside as {}", path.display()),
    None => "left where it is".to_owned(),
})]
pub struct Unusable {
    /// What is wrong with it.
    pub error: FileError,
    /// Where it lies now, if it could be moved.
    pub moved: Option<PathBuf>,
    /// What is done without it.
    pub without: &'static str,
}

/// Reads a file of at most `max` bytes and understands it by `parse`; `None` where there is none. One that is damaged or
/// too large is moved to `PATH.bad`, over the one before.
pub(crate) fn load<T>(
    path: &Path,
    max: u64,
    without: &'static str,
    parse: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<Option<T>, Unusable> {
    let read = read(path, max).and_then(|bytes| {
        let Some(bytes) = bytes else { return Ok(None) };
        // What it says of a damaged file may quote it.
        let one_line = |why: String| why.replace(char::is_control, "\u{fffd}");
        parse(&bytes).map(Some).map_err(|why| FileError::Damaged { path: path.to_owned(), why: one_line(why) })
    });
    read.map_err(|error| {
        let readable = !matches!(error, FileError::Io { .. });
        Unusable { error, moved: readable.then(|| set_aside(path)).flatten(), without }
    })
}

fn read(path: &Path, max: u64) -> Result<Option<Vec<u8>>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error("read", path, source)),
    };
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(|source| io_error("read", path, source))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
        return Err(FileError::Size { path: path.to_owned(), max });
    }
    Ok(Some(bytes))
}

fn set_aside(path: &Path) -> Option<PathBuf> {
    let bad = beside(path, ".bad");
    fs::rename(path, &bad).ok()?;
    let _ = sync_folder(path);
    Some(bad)
}

/// Puts `bytes` in the place of what the file held, or makes it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let draft = beside(path, ".tmp");
    match fs::remove_file(&draft) {
        Err(source) if source.kind() != ErrorKind::NotFound => return Err(io_error("remove", &draft, source)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(&draft).map_err(|source| io_error("create", &draft, source))?;
    let placed = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&draft, path)).map_err(
        |source| {
            let _ = fs::remove_file(&draft);
            io_error("write", path, source)
        },
    );
    placed?;
    sync_folder(path)
}

/// Removes the file for good, if there is one.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path),
        Err(source) if source.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(io_error("remove", path, source)),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

fn sync_folder(path: &Path) -> Result<(), FileError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) {
        File::open(folder).and_then(|file| file.sync_all()).map_err(|source| io_error("sync", folder, source))?;
    }
    Ok(())
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> FileError {
    FileError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_whole_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.dat");
        let parse = |bytes: &[u8]| Ok(bytes.to_vec());
        assert!(load(&path, 9, "without", parse).unwrap().is_none());
        fs::write(folder.path().join("some.dat.tmp"), b"half, of a crash").unwrap();
        replace(&path, b"one").unwrap();
        replace(&path, b"three").unwrap();
        assert_eq!(load(&path, 5, "without", parse).unwrap().unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn set_aside_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.dat");
        replace(&path, b"first").unwrap();
        let told =
            load(&path, 9, "the start goes on", |_| Err::<(), _>("it\nrhymes".to_owned())).unwrap_err().to_string();
        let shown = path.display();
        assert_eq!(told, format!("{shown} is damaged: it\u{fffd}rhymes; set aside as {shown}.bad; the start goes on"));
        replace(&path, b"longer").unwrap();
        let told = load(&path, 5, "without", |_| Ok(())).unwrap_err();
        assert!(matches!(told.error, FileError::Size { max: 5, .. }));
        assert_eq!(fs::read(beside(&path, ".bad")).unwrap(), b"longer");
        assert!(!path.exists());
    }

    #[test]
    fn what_the_system_refuses_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let told = load(folder.path(), 5, "without", |_| Ok(())).unwrap_err();
        assert!(told.moved.is_none() && matches!(told.error, FileError::Io { .. }), "{told}");
    }
}
