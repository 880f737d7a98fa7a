//! The zone's keys as a file, `dnssec.key`, and its anchors as text beside it, `dnssec.anchor`.
//!
//! The file is read and written as a whole: a new one is made beside it, synced and renamed. It is never made anew where
//! one is that cannot be read, because every resolver that trusts the old key would stop believing the node.
//!
//! A roll has three stages. [`begin_roll`] puts a second key beside the first: both are anchors and sign the keys, the first
//! goes on signing everything else. [`finish_roll`] leaves the second alone; the first one's secret is gone at once, its
//! public part stays among the keys for [`RETIRED_S`], for signatures that are still in caches.

mod files;
mod form;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use hickory_proto::rr::Name as DnsName;

use super::key::{Algorithm, DnsKey, KeyError, ZoneKey};
pub use files::Stamp;
use files::{read_secret, replace};

/// The file's name, in the network's folder.
pub const KEY_FILE: &str = "dnssec.key";
/// The name of the anchors' file, beside it.
pub const ANCHOR_FILE: &str = "dnssec.anchor";
/// What is held while the keys are changed, so that two changes do not meet.
const LOCK_FILE: &str = "dnssec.lock";

/// Seconds that resolvers may keep the keys: the TTL of DNSKEY, CDS and CDNSKEY.
pub const KEYS_TTL: u32 = 3_600;
/// Seconds that a key stays published after a roll has ended.
pub const RETIRED_S: u64 = 86_400;

/// The keys of a zone.
#[derive(Debug)]
pub struct KeyFile {
    /// The one that signs.
    current: ZoneKey,
    /// The one that will, while a roll runs.
    next: Option<Next>,
    /// Those that do no more.
    retired: Vec<Retired>,
}

/// The key that a roll leads to.
#[derive(Debug)]
struct Next {
    key: ZoneKey,
    /// When the roll began, in Unix seconds.
    began: u64,
}

#[derive(Debug)]
struct Retired {
    key: DnsKey,
    /// Until when it is published, in Unix seconds.
    until: u64,
}

/// Why there are no keys, or why they are not changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Not there.
    #[error("there is no zone key {0} yet: the node makes it at its first start (`dotp2p node`)")]
    Missing(PathBuf),
    /// Cannot be read or written.
    #[error("cannot {what} {path}: {source}")]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others may read it.
    #[error(
        "{path} can be used by others (mode {mode:04o}): `chmod 600 {path}`, and, if somebody may have read it, roll the key: \
        `dotp2p dns key roll`"
    )]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Damaged.
    #[error(
        "{path} is damaged: {what}; bring it back from a backup, or move it away and the node makes a new key, which resolvers \
        have to be told of"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// No key can be made.
    #[error("no key can be made: {0}")]
    Key(#[from] KeyError),
    /// A second roll.
    #[error(
        "a roll to key {tag} is running already: give its anchor to every resolver, then end it with `dotp2p dns key roll --finish`"
    )]
    Rolling {
        /// The new key's tag.
        tag: u16,
    },
    /// No roll.
    #[error("no roll is running, so there is none to finish: begin one with `dotp2p dns key roll`")]
    NotRolling,
    /// Too soon.
    #[error(
        "the roll began {age_s} s ago, and resolvers may keep the keys as they were for {KEYS_TTL} s: wait {wait_s} s, or add \
        --early if no resolver has asked since"
    )]
    Early {
        /// Seconds since the roll began.
        age_s: u64,
        /// Seconds to go.
        wait_s: u64,
    },
}

impl KeyFile {
    /// A first key, in no file yet.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        Ok(Self { current: ZoneKey::generate(algorithm)?, next: None, retired: Vec::new() })
    }

    /// Reads the keys of the network's folder `dir`.
    pub fn load(dir: &Path) -> Result<Self, KeyFileError> {
        let path = dir.join(KEY_FILE);
        let text = read_secret(&path)?;
        form::read(&text).map_err(|what| KeyFileError::Damaged { path, what })
    }

    /// Reads the keys, or makes the first; writes the anchors where they are not as they should be.
    ///
    /// - `algorithm`: of a new key; one that is there stays as it is.
    /// - `apex`: the zone, for the anchors.
    pub fn load_or_create(dir: &Path, algorithm: Algorithm, apex: &DnsName) -> Result<Self, KeyFileError> {
        let file = match Self::load(dir) {
            Err(KeyFileError::Missing(_)) => {
                let _lock = files::lock(&dir.join(LOCK_FILE))?;
                match Self::load(dir) {
                    Err(KeyFileError::Missing(path)) => {
                        let file = Self::generate(algorithm)?;
                        replace(&path, &form::write(&file), true)?;
                        tracing::info!(key = file.current.public().tag(), %algorithm, "a DNSSEC key was made");
                        Ok(file)
                    }
                    other => other,
                }
            }
            other => other,
        }?;
        let (path, anchors) = (dir.join(ANCHOR_FILE), file.anchor_text(apex));
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&anchors) {
            replace(&path, &anchors, false)?;
        }
        Ok(file)
    }

    /// The keys to be trusted, the one that will stay last.
    pub fn anchors(&self) -> impl Iterator<Item = &DnsKey> {
        self.signing().map(ZoneKey::public)
    }

    /// The keys that are published: the anchors, and those that were not long ago.
    ///
    /// - `now`: Unix seconds.
    pub fn published(&self, now: u64) -> impl Iterator<Item = &DnsKey> {
        self.anchors().chain(self.retired.iter().filter(move |it| now < it.until).map(|it| &it.key))
    }

    /// When fewer keys will be published than now; `None`: of itself never.
    #[must_use]
    pub fn changes_at(&self, now: u64) -> Option<u64> {
        self.retired.iter().map(|it| it.until).filter(|until| now < *until).min()
    }

    /// When the running roll began, in Unix seconds.
    #[must_use]
    pub fn roll_began(&self) -> Option<u64> {
        self.next.as_ref().map(|next| next.began)
    }

    /// The key whose anchor will stay.
    #[must_use]
    pub fn lasting(&self) -> &DnsKey {
        self.next.as_ref().map_or(&self.current, |next| &next.key).public()
    }

    /// The keys that have secrets, the one that signs everything first.
    pub(super) fn signing(&self) -> impl Iterator<Item = &ZoneKey> {
        std::iter::once(&self.current).chain(self.next.as_ref().map(|next| &next.key))
    }

    /// The anchors as lines of a zone file: a DS and a DNSKEY record for each.
    #[must_use]
    pub fn anchor_text(&self, apex: &DnsName) -> String {
        let mut out = String::new();
        for key in self.anchors() {
            let (tag, algorithm) = (key.tag(), key.algorithm().number());
            let _ = write!(out, "{apex} IN DS {tag} {algorithm} 2 ");
            for byte in key.digest(apex) {
                let _ = write!(out, "{byte:02X}");
            }
            let _ = writeln!(out, "\n{apex} IN DNSKEY 257 3 {algorithm} {}", key.base64());
        }
        out
    }
}

/// Begins a roll: makes a second key and writes both files.
///
/// - `now`: Unix seconds.
/// - Errors: a roll is running, or the files are not as they must be; then nothing is changed.
pub fn begin_roll(dir: &Path, algorithm: Algorithm, apex: &DnsName, now: u64) -> Result<KeyFile, KeyFileError> {
    change(dir, apex, now, |file| {
        if let Some(next) = &file.next {
            return Err(KeyFileError::Rolling { tag: next.key.public().tag() });
        }
        // A tag says which key a signature is of; one that is taken would only cost validators a try.
        let mut key = ZoneKey::generate(algorithm)?;
        while file.published(now).any(|other| other.tag() == key.public().tag()) {
            key = ZoneKey::generate(algorithm)?;
        }
        file.next = Some(Next { key, began: now });
        Ok(())
    })
}

/// Ends a roll: the second key is the only one, and both files say so.
///
/// - `now`: Unix seconds.
/// - `early`: even where a resolver may not have seen the second key yet.
/// - Errors: no roll is running, it began too lately, or the files are not as they must be; then nothing is changed.
pub fn finish_roll(dir: &Path, apex: &DnsName, now: u64, early: bool) -> Result<KeyFile, KeyFileError> {
    change(dir, apex, now, |file| {
        let began = file.roll_began().ok_or(KeyFileError::NotRolling)?;
        let age_s = now.saturating_sub(began);
        let wait_s = u64::from(KEYS_TTL).saturating_sub(age_s);
        if wait_s > 0 && !early {
            return Err(KeyFileError::Early { age_s, wait_s });
        }
        let next = file.next.take().ok_or(KeyFileError::NotRolling)?;
        let old = std::mem::replace(&mut file.current, next.key);
        // A zone is signed with every algorithm that its keys have (RFC 4035 2.2): with this one it no longer is.
        if old.public().algorithm() == file.current.public().algorithm() {
            file.retired.push(Retired { key: old.public().clone(), until: now.saturating_add(RETIRED_S) });
        }
        Ok(())
    })
}

fn change(
    dir: &Path,
    apex: &DnsName,
    now: u64,
    change: impl FnOnce(&mut KeyFile) -> Result<(), KeyFileError>,
) -> Result<KeyFile, KeyFileError> {
    let path = dir.join(KEY_FILE);
    if !path.exists() {
        return Err(KeyFileError::Missing(path));
    }
    let _lock = files::lock(&dir.join(LOCK_FILE))?;
    let mut file = KeyFile::load(dir)?;
    change(&mut file)?;
    file.retired.retain(|it| now < it.until);
    replace(&path, &form::write(&file), true)?;
    replace(&dir.join(ANCHOR_FILE), &file.anchor_text(apex), false)?;
    Ok(file)
}
