//! Files below a root, each read and written whole.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::ApplyError;
use super::facts::below;

/// A file's bytes; `None`: there is no such file.
pub(super) fn read(root: &Path, path: &Path) -> Result<Option<Vec<u8>>, ApplyError> {
    match fs::read(below(root, path)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ApplyError::File { what: "read", path: path.to_owned(), source }),
    }
}

/// Writes a file whole or not at all; makes the folders that it needs.
///
/// - `mode`: its permissions; `owner`: user and group, if not those of this process.
pub(super) fn write(
    root: &Path,
    path: &Path,
    bytes: &[u8],
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(), ApplyError> {
    let full = below(root, path);
    let written = full.parent().ok_or(io::Error::from(io::ErrorKind::NotFound)).and_then(|folder| {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".dotp2p-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        set_rights(&file, mode, owner)?;
        file.as_file().sync_all()?;
        replace(file, &full, bytes)?;
        fs::File::open(folder)?.sync_all()
    });
    written.map_err(|error| ApplyError::File { what: "write", path: path.to_owned(), source: plain(error) })
}

/// Removes a file; that there is none is no error.
pub(super) fn remove(root: &Path, path: &Path) -> Result<(), ApplyError> {
    match fs::remove_file(below(root, path)) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ApplyError::File { what: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Puts the new file into the old one's place. A file that is a mount of its own, as resolv.conf is in containers, cannot be
/// replaced and is written to instead.
fn replace(new: NamedTempFile, at: &Path, bytes: &[u8]) -> io::Result<()> {
    match new.persist(at) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::ResourceBusy => {
            let mut file = fs::OpenOptions::new().write(true).truncate(true).open(at)?;
            file.write_all(bytes)?;
            file.sync_all()
        }
        Err(error) => Err(error.error),
    }
}

/// The error itself, without the temporary file's name.
pub(super) fn plain(error: io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::from(error.kind()), io::Error::from_raw_os_error)
}

/// Whether this process may do what root may.
#[cfg(unix)]
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// Whether this process may do what root may; here there is none.
#[cfg(not(unix))]
#[must_use]
pub fn is_root() -> bool {
    false
}

#[cfg(unix)]
pub(super) fn rights(meta: &fs::Metadata) -> (u32, (u32, u32)) {
    use std::os::unix::fs::MetadataExt;
    (meta.mode() & 0o7777, (meta.uid(), meta.gid()))
}

#[cfg(not(unix))]
pub(super) fn rights(_: &fs::Metadata) -> (u32, (u32, u32)) {
    (0, (0, 0))
}

#[cfg(unix)]
fn set_rights(file: &NamedTempFile, mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let meta = file.as_file().metadata()?;
    if let Some((user, group)) = owner.filter(|owner| *owner != (meta.uid(), meta.gid())) {
        fchown(file.as_file(), Some(user), Some(group))?;
    }
    file.as_file().set_permissions(Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_rights(_: &NamedTempFile, _: u32, _: Option<(u32, u32)>) -> io::Result<()> {
    Ok(())
}
