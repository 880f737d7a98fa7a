//! The database's folder: opened, thrown away, and made to survive a power cut.
//!
//! sled writes three kinds: its log, which it leaves to the disk's cache; values too large for the log, a file each in
//! `blobs/`, which it never syncs; and at each open a snapshot of where its pages are, which it syncs, but not its name.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::StoreError;

/// How often and how long a database whose former owner is still closing it is waited for: 5 seconds in all.
const LOCK_TRIES: u32 = 250;
const LOCK_EVERY: Duration = Duration::from_millis(20);

/// The log and the large values.
#[derive(Debug)]
pub(super) struct DatabaseFiles {
    log: File,
    blobs: PathBuf,
    /// The large values that are durable.
    synced: BTreeSet<OsString>,
}

impl DatabaseFiles {
    /// Opens the files of a database that was just opened, and makes durable that they are there.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let log = File::open(dir.join("db"))?;
        File::open(dir.join("conf"))?.sync_all()?;
        let mut files = Self { log, blobs: dir.join("blobs"), synced: BTreeSet::new() };
        files.sync()?;
        File::open(dir)?.sync_all()?;
        Ok(files)
    }

    /// Makes everything that the database wrote survive a power cut.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let mut now = BTreeSet::new();
        for entry in fs::read_dir(&self.blobs)? {
            now.insert(entry?.file_name());
        }
        let mut is_new = false;
        for name in now.difference(&self.synced) {
            match File::open(self.blobs.join(name)) {
                Ok(blob) => blob.sync_all()?,
                // Replaced by a newer value meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            is_new = true;
        }
        if is_new {
            File::open(&self.blobs)?.sync_all()?;
        }
        self.synced = now;
        // The log last: it must not point to a value that is not there.
        self.log.sync_data()
    }
}

/// What the database says, with advice; where the disk is to blame, rebuilding is no remedy.
pub(super) fn error(dir: &Path, error: sled::Error) -> StoreError {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let error = match error {
        sled::Error::Io(error) => sled::Error::Io(as_system(error)),
        other => other,
    };
    match error {
        sled::Error::Io(error)
            if matches!(error.kind(), PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull) =>
        {
            StoreError::Io { path: dir.to_owned(), error }
        }
        error => StoreError::Database { dir: dir.to_owned(), error },
    }
}

/// The system's error of one that the engine has copied: it keeps no more of it than the text `Os { code: 28, … }`.
fn as_system(error: io::Error) -> io::Error {
    let text = error.to_string();
    let code = text.strip_prefix("Os { code: ").and_then(|rest| rest.split(',').next()?.parse().ok());
    code.map_or(error, io::Error::from_raw_os_error)
}

/// Opens the database. Its own lock may outlive its last owner for a moment, and ours says that nobody else has it.
pub(super) fn open(config: &sled::Config) -> sled::Result<sled::Db> {
    let mut tries = 0;
    loop {
        match config.open() {
            Err(sled::Error::Io(error)) if tries < LOCK_TRIES && error.to_string().contains("acquire lock") => {
                tries += 1;
                std::thread::sleep(LOCK_EVERY);
            }
            opened => return opened,
        }
    }
}

/// Has the log read from end to end, beside everything else. The engine reads a page here and a page there, and a disk that
/// was not asked for the whole gives each of them late.
pub(super) fn warm(dir: &Path) {
    let log = dir.join("db");
    std::thread::spawn(move || {
        // What cannot be read is told by whoever needs it.
        let _ = File::open(log).and_then(|mut log| io::copy(&mut log, &mut io::sink()));
    });
}

/// Removes the database, if there is one. Renamed first, so that a crash never leaves half a database under its name.
pub(super) fn throw_away(dir: &Path) -> io::Result<()> {
    let old = dir.with_file_name("db.old");
    if old.exists() {
        fs::remove_dir_all(&old)?;
    }
    if dir.exists() {
        fs::rename(dir, &old)?;
        fs::remove_dir_all(&old)?;
    }
    Ok(())
}

/// Removes snapshots that were not finished. The database takes one for the newest there is, and calls itself corrupt.
pub(super) fn remove_drafts(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use dotp2p_chain::hash::{Txid, sha256};
    use dotp2p_chain::height::Height;
    use dotp2p_chain::params::Params;

    use parity_scale_codec::Encode;

    use super::*;
    use crate::store::schema::tx_key;
    use crate::store::{Commit, Store, StoreError};

    fn txid(height: u32, at: u32) -> Txid {
        Txid(sha256(&[height.to_le_bytes(), at.to_le_bytes()].concat()))
    }

    /// A folder whose database keeps large values apart, as it once did with full blocks' lists of transactions.
    fn with_blobs(dir: &Path) -> Store {
        let (mut store, _) = Store::open(dir, &Params::regtest(), false).unwrap();
        for height in 1..40u32 {
            let mut entries: Vec<([u8; 8], u32, u32)> =
                (0..1_200).map(|at| (*txid(height, at).0.first_chunk().unwrap(), height, at)).collect();
            entries.sort_unstable();
            store.db.insert(tx_key(0, height, &[]), entries.encode()).unwrap();
            store.commit(&Commit::default()).unwrap();
        }
        store
    }

    fn blobs(dir: &Path) -> BTreeSet<OsString> {
        fs::read_dir(dir.join("db/blobs")).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    /// It was shown as Rust's debug text.
    #[test]
    fn a_full_disk_is_told_in_the_systems_words() {
        let full = || sled::Error::Io(io::Error::from_raw_os_error(28));
        let text = io::Error::from_raw_os_error(28);
        for error in [full(), full().clone()] {
            assert_eq!(super::error(Path::new("db"), error).to_string(), format!("db: {text}"));
        }
    }

    #[test]
    fn a_large_value_is_durable_with_its_commit() {
        let dir = tempfile::tempdir().unwrap();
        let store = with_blobs(dir.path());
        assert!(!blobs(dir.path()).is_empty(), "the test needs some");
        assert_eq!(store.db_files.lock().unwrap().synced, blobs(dir.path()));
    }

    #[test]
    fn a_damaged_large_value_is_found_at_start() {
        let dir = tempfile::tempdir().unwrap();
        drop(with_blobs(dir.path()));
        // The restart has the database take stock, so that it knows what must be there.
        drop(Store::open(dir.path(), &Params::regtest(), false).unwrap());
        let mut refused = 0;
        for name in blobs(dir.path()) {
            let path = dir.path().join("db/blobs").join(name);
            let written = fs::read(&path).unwrap();
            let mut flipped = written.clone();
            flipped[written.len() / 2] ^= 1;
            for damaged in [Some(&flipped[..]), Some(&written[..written.len() / 2]), Some(&[]), None] {
                match damaged {
                    Some(bytes) => fs::write(&path, bytes).unwrap(),
                    None => fs::remove_file(&path).unwrap(),
                }
                match Store::open(dir.path(), &Params::regtest(), false) {
                    Err(error) => {
                        assert!(matches!(error, StoreError::Database { .. } | StoreError::Damaged { .. }), "{error}");
                        refused += 1;
                    }
                    Ok((store, _)) => {
                        let found = |height| {
                            store.lookup().transactions(&txid(height, 7)).map(Result::unwrap).collect::<Vec<_>>()
                        };
                        assert!((1..40).all(|height| found(height) == [(Height(height), 7)]), "{}", path.display());
                    }
                }
                fs::write(&path, &written).unwrap();
            }
        }
        assert!(refused > 0);
    }

    #[test]
    fn an_unfinished_snapshot_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        drop(with_blobs(dir.path()));
        let draft = dir.path().join("db/snap.FFFFFFFFFFFFFFFF.generating");
        fs::write(&draft, "half").unwrap();
        drop(Store::open(dir.path(), &Params::regtest(), false).unwrap());
        assert!(!draft.exists());
    }
}
