//! Files nobody else may read, written whole or not at all.
//!
//! A file is written beside its place, synced, then put there in one step, and the folder synced; so after a power cut
//! either the old content or the new one stands there. What is read is refused if it is a symbolic link, or if the
//! group or the world could read it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Not there.
    #[error("{0} does not exist")]
    Missing(PathBuf),
    /// Never overwritten.
    #[error("{0} exists already and is not overwritten: move it away first")]
    Exists(PathBuf),
    /// Could be turned to another file between check and use.
    #[error("{0} is a symbolic link: give the path of the file itself")]
    Symlink(PathBuf),
    /// A folder, a pipe.
    #[error("{0} is not a file")]
    NotAFile(PathBuf),
    /// Secrets in the open.
    #[error("{path} can be read by others (mode {mode:04o}): run `chmod 600 {path}`")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// More than such a file can hold.
    #[error("{path} has {len} bytes, at most {max} are expected")]
    Size {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        len: u64,
        /// The limit.
        max: u64,
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

/// Reads a private file of at most `max` bytes.
pub fn read(path: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>, AccessError> {
    let before = fs::symlink_metadata(path).map_err(|source| io_error("read", path, source))?;
    if before.is_symlink() {
        return Err(AccessError::Symlink(path.to_owned()));
    }
    let file = File::open(path).map_err(|source| io_error("read", path, source))?;
    let opened = file.metadata().map_err(|source| io_error("read", path, source))?;
    if !opened.is_file() {
        return Err(AccessError::NotAFile(path.to_owned()));
    }
    check_private(path, &before, &opened)?;
    if opened.len() > max {
        return Err(AccessError::Size { path: path.to_owned(), len: opened.len(), max });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(opened.len()).unwrap_or(0).saturating_add(1)));
    file.take(max).read_to_end(&mut bytes).map_err(|source| io_error("read", path, source))?;
    Ok(bytes)
}

#[cfg(unix)]
fn check_private(path: &Path, before: &fs::Metadata, opened: &fs::Metadata) -> Result<(), AccessError> {
    if (before.dev(), before.ino()) != (opened.dev(), opened.ino()) {
        return Err(AccessError::Symlink(path.to_owned()));
    }
    let mode = opened.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(AccessError::Mode { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &Path, _: &fs::Metadata, _: &fs::Metadata) -> Result<(), AccessError> {
    Ok(())
}

/// Writes a file that must not exist yet; folders that are missing are made, for this user alone.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), AccessError> {
    let folder = folder_of(path);
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(folder).map_err(|source| io_error("create", folder, source))?;
    if fs::symlink_metadata(path).is_ok() {
        return Err(AccessError::Exists(path.to_owned()));
    }
    let draft = write_draft(path, bytes)?;
    let placed = place_new(&draft, path);
    let _ = fs::remove_file(&draft);
    placed?;
    sync_folder(folder)?;
    sync_above(folder);
    Ok(())
}

/// Puts `bytes` in the place of what the file held, or makes it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), AccessError> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return Err(AccessError::Symlink(path.to_owned()));
    }
    let draft = write_draft(path, bytes)?;
    fs::rename(&draft, path).map_err(|source| io_error("write", path, source))?;
    sync_folder(folder_of(path))
}

/// Gives the draft its name in one step that fails where the name is taken: a hard link, or where the file system has
/// none, an empty file that only we can have made, replaced by the draft.
fn place_new(draft: &Path, path: &Path) -> Result<(), AccessError> {
    match fs::hard_link(draft, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(AccessError::Exists(path.to_owned())),
        Err(_) => {
            drop(create_new(path)?);
            fs::rename(draft, path).map_err(|source| io_error("write", path, source))
        }
    }
}

/// Writes and syncs `PATH.tmp`; one that a crash left behind is removed first.
fn write_draft(path: &Path, bytes: &[u8]) -> Result<PathBuf, AccessError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let draft = path.with_file_name(name);
    match fs::remove_file(&draft) {
        Err(source) if source.kind() != ErrorKind::NotFound => return Err(io_error("write", path, source)),
        _ => {}
    }
    // Whoever may not write there does not care for the draft.
    let mut file = create_new(&draft).map_err(|error| match error {
        AccessError::Io { source, .. } => io_error("write", path, source),
        other => other,
    })?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(source) = written {
        let _ = fs::remove_file(&draft);
        return Err(io_error("write", path, source));
    }
    Ok(draft)
}

fn create_new(path: &Path) -> Result<File, AccessError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => AccessError::Exists(path.to_owned()),
        _ => io_error("create", path, source),
    })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_folder(folder: &Path) -> Result<(), AccessError> {
    if cfg!(unix) {
        File::open(folder).and_then(|file| file.sync_all()).map_err(|source| io_error("sync", folder, source))?;
    }
    Ok(())
}

/// Makes the names on the way to `folder` survive a power cut: a folder is lost with its name in the folder above. Only
/// those that we may have made are ours to care for, and those can be synced.
fn sync_above(folder: &Path) {
    let Ok(folder) = std::path::absolute(folder) else { return };
    for above in folder.ancestors().skip(1).filter(|_| cfg!(unix)) {
        let _ = File::open(above).and_then(|above| above.sync_all());
    }
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> AccessError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound if doing == "read" => AccessError::Missing(path),
        _ => AccessError::Io { doing, path, source },
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn created_for_us_alone_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/secret");
        create(&path, b"one").unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(matches!(create(&path, b"two"), Err(AccessError::Exists(_))));
        assert_eq!(read(&path, 10).unwrap().as_slice(), b"one");
        replace(&path, b"three").unwrap();
        assert_eq!((read(&path, 10).unwrap().as_slice(), mode(&path)), (b"three".as_slice(), 0o600));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_draft_left_by_a_crash_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(folder.path().join("secret.tmp"), b"half").unwrap();
        create(&path, b"whole").unwrap();
        assert_eq!((read(&path, 10).unwrap().as_slice(), mode(&path)), (b"whole".as_slice(), 0o600));
    }

    #[test]
    fn what_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(matches!(read(&path, 10), Err(AccessError::Missing(_))));
        create(&path, b"0123456789").unwrap();
        assert!(matches!(read(&path, 9), Err(AccessError::Size { len: 10, max: 9, .. })));
        for bad in [0o640, 0o604, 0o610, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bad)).unwrap();
            let text = read(&path, 10).unwrap_err().to_string();
            let shown = path.display();
            assert_eq!(text, format!("{shown} can be read by others (mode {bad:04o}): run `chmod 600 {shown}`"));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read(&path, 10).is_ok());
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(read(&link, 10), Err(AccessError::Symlink(_))));
        assert!(matches!(replace(&link, b""), Err(AccessError::Symlink(_))));
        assert!(matches!(create(&link, b""), Err(AccessError::Exists(_))));
        assert!(matches!(read(folder.path(), 10), Err(AccessError::NotAFile(_))));
        let dangling = folder.path().join("dangling");
        symlink(folder.path().join("nowhere"), &dangling).unwrap();
        assert!(matches!(create(&dangling, b""), Err(AccessError::Exists(_))));
    }
}
