//! The machine, or a scratch root: the only one that writes.
//!
//! What is to be is told apart from how one gets there: [`Machine::steps`] compares, [`Machine::apply`] writes, file by file
//! and each whole or not at all. The manifest is written before anything it speaks of, so a crash at any moment leaves
//! something that can be undone or done to the end.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::facts::below;
use super::files;
use super::manifest::{Before, Bytes, Entry, MANIFEST, Manifest, ManifestError, hash};
use super::{Change, Facts, Plan};

/// Permissions of files that are made: for everybody to read, as what stands beside them.
const FILE_MODE: u32 = 0o644;
/// Permissions of the manifest, which holds other files' bytes.
const MANIFEST_MODE: u32 = 0o600;

/// A root with a machine's files below it.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
    manifest: Option<Manifest>,
}

/// One file on its way from what it is to what it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where, on the machine.
    pub path: PathBuf,
    /// What is there.
    pub now: Option<Vec<u8>>,
    /// What is to be there.
    pub then: Option<Vec<u8>>,
}

/// Why something was not done; what was done before it can be undone.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file cannot be read or written.
    #[error("cannot {what} {path}: {source}{hint}", hint = hint(.source))]
    File {
        /// Read, write or remove.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody has a hand in it.
    #[error("{} was changed since `dotp2p dns setup` wrote it, and is left as it is; --force overwrites it", list(.0))]
    ChangedSince(Vec<PathBuf>),
    /// It changed between looking and writing.
    #[error("{0} changed just now; try again")]
    ChangedMeanwhile(PathBuf),
    /// A link, which would be replaced or would lead elsewhere.
    #[error(
        "{0} is a link or lies beyond one, and is not written to: change what it leads to by hand, or choose another --kind"
    )]
    Link(PathBuf),
    /// Nothing to undo.
    #[error("nothing was set up here, so there is nothing to undo")]
    NothingToUndo,
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ")
}

/// What to do where it cannot be written.
pub(super) fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied if files::is_root() => {
            "; not even root may: if `lsattr` shows that it or its folder is immutable (i), `chattr -i` ends that; then try again"
        }
        io::ErrorKind::PermissionDenied => "; the system's resolver is root's to change",
        io::ErrorKind::ReadOnlyFilesystem => "; have it mounted so that it can be written, and try again",
        _ => "",
    }
}

impl ApplyError {
    /// Whether rights were missing.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        let source = match self {
            Self::File { source, .. } | Self::Manifest(ManifestError::Read { source, .. }) => source,
            _ => return false,
        };
        source.kind() == io::ErrorKind::PermissionDenied
    }
}

impl Machine {
    /// Looks at what was set up below `root` before.
    pub fn open(root: &Path) -> Result<Self, ManifestError> {
        Ok(Self { root: root.to_owned(), manifest: Manifest::load(root)? })
    }

    /// What is set up.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// What the machine is like without anything of ours.
    ///
    /// - `force`: files of ours that somebody changed are taken as if they had not.
    pub fn facts(&self, force: bool) -> Result<Facts, ApplyError> {
        self.check_unchanged(force)?;
        let mut facts = Facts::gather(&self.root);
        for entry in self.manifest.iter().flat_map(|manifest| &manifest.files) {
            facts.suppose(&entry.path, entry.before().map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
        }
        Ok(facts)
    }

    fn check_unchanged(&self, force: bool) -> Result<(), ApplyError> {
        let mut changed = Vec::new();
        for entry in self.manifest.iter().flat_map(|manifest| &manifest.files).filter(|_| !force) {
            if !entry.is_known(self.bytes(&entry.path)?.as_deref()) {
                changed.push(entry.path.clone());
            }
        }
        if changed.is_empty() { Ok(()) } else { Err(ApplyError::ChangedSince(changed)) }
    }

    fn bytes(&self, path: &Path) -> Result<Option<Vec<u8>>, ApplyError> {
        files::read(&self.root, path)
    }

    /// What remains to be done so that everything is as `changes` say, and whatever else is ours as it was before: first
    /// what is made, then what is changed, then what is removed. With no changes: how all is undone.
    pub fn steps(&self, changes: &[Change]) -> Result<Vec<Step>, ApplyError> {
        let ours = self.manifest.iter().flat_map(|manifest| &manifest.files);
        let paths: BTreeSet<&Path> =
            ours.map(|entry| entry.path.as_path()).chain(changes.iter().map(|change| change.path.as_path())).collect();
        let mut steps = Vec::new();
        for path in paths {
            let now = self.bytes(path)?;
            let then = match changes.iter().find(|change| change.path == path) {
                Some(change) => Some(change.text.clone().into_bytes()),
                None => self.manifest.as_ref().and_then(|manifest| manifest.entry(path)?.before().map(<[u8]>::to_vec)),
            };
            if now != then {
                self.check_no_link(path)?;
                steps.push(Step { path: path.to_owned(), now, then });
            }
        }
        // What is included comes before what includes it, and goes after: cut short between two, a resolver still starts.
        steps.sort_by_key(|step| match (&step.now, &step.then) {
            (None, _) => 0,
            (Some(_), Some(_)) => 1,
            (Some(_), None) => 2,
        });
        Ok(steps)
    }

    /// Errors: the file is a link, or its folder leads out of the root.
    fn check_no_link(&self, path: &Path) -> Result<(), ApplyError> {
        let link = || ApplyError::Link(path.to_owned());
        let full = below(&self.root, path);
        if full.is_symlink() {
            return Err(link());
        }
        let inner = full.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(&self.root);
        let real = |path: &Path| fs::canonicalize(path);
        match (real(inner), real(&self.root)) {
            (Ok(inner), Ok(root)) if inner.starts_with(&root) => Ok(()),
            _ => Err(link()),
        }
    }

    /// Errors: the first of the files that may not be written. Nothing is left changed.
    pub fn check_writable(&self, steps: &[Step]) -> Result<(), ApplyError> {
        for path in steps.iter().map(|step| step.path.as_path()).chain([Path::new(MANIFEST)]) {
            let full = below(&self.root, path);
            let folder = full.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(&self.root);
            let tried = tempfile::Builder::new().prefix(".dotp2p-").tempfile_in(folder);
            tried.map_err(|error| ApplyError::File {
                what: "write",
                path: path.to_owned(),
                source: files::plain(error),
            })?;
        }
        Ok(())
    }

    /// Takes the steps of a plan.
    pub fn apply(&mut self, plan: &Plan, tld: &str, steps: &[Step]) -> Result<(), ApplyError> {
        let mut next = Manifest::new(plan.kind, tld);
        for change in &plan.changes {
            let now = self.bytes(&change.path)?;
            let old = self.manifest.as_ref().and_then(|manifest| manifest.entry(&change.path));
            let before = match old {
                Some(entry) => entry.before.clone(),
                None => now.map(|bytes| self.before(&change.path, bytes)).transpose()?,
            };
            let is_as_before = before.as_ref().is_some_and(|before| before.bytes.0 == change.text.as_bytes());
            if !is_as_before {
                let mut written = vec![hash(change.text.as_bytes())];
                written.extend(old.iter().flat_map(|entry| entry.written.iter().cloned()));
                next.files.push(Entry { path: change.path.clone(), before, written });
            }
        }
        next.folders = self.folders(&next);
        // While it is under way: all that was, and all that will be.
        let mut both = next.clone();
        both.files.extend(
            self.manifest.iter().flat_map(|old| &old.files).filter(|it| next.entry(&it.path).is_none()).cloned(),
        );
        self.save(&both)?;
        self.take(&both, steps)?;
        next.files.iter_mut().for_each(|entry| entry.written.truncate(1));
        if next.files.is_empty() {
            return self.forget(&both.folders);
        }
        self.save(&next)
    }

    /// Takes the steps that undo everything.
    pub fn undo(&mut self, steps: &[Step]) -> Result<(), ApplyError> {
        let manifest = self.manifest.clone().ok_or(ApplyError::NothingToUndo)?;
        self.take(&manifest, steps)?;
        self.forget(&manifest.folders)
    }

    /// Errors: nothing is set up, or somebody changed a file of it.
    ///
    /// - `force`: whoever changed what does not matter.
    pub fn check_undo(&self, force: bool) -> Result<(), ApplyError> {
        if self.manifest.is_none() {
            return Err(ApplyError::NothingToUndo);
        }
        self.check_unchanged(force)
    }

    fn before(&self, path: &Path, bytes: Vec<u8>) -> Result<Before, ApplyError> {
        let meta = fs::metadata(below(&self.root, path));
        let meta = meta.map_err(|source| ApplyError::File { what: "read", path: path.to_owned(), source })?;
        let (mode, owner) = files::rights(&meta);
        Ok(Before { bytes: Bytes(bytes), mode, owner })
    }

    /// The folders that are not there yet, and those that were made before.
    fn folders(&self, next: &Manifest) -> Vec<PathBuf> {
        let files = next.files.iter().map(|entry| entry.path.as_path()).chain([Path::new(MANIFEST)]);
        let missing = files.flat_map(|path| path.ancestors().skip(1)).filter(|path| !below(&self.root, path).exists());
        let made = self.manifest.iter().flat_map(|manifest| &manifest.folders);
        let all: BTreeSet<PathBuf> = missing.map(Path::to_owned).chain(made.cloned()).collect();
        all.into_iter().collect()
    }

    fn save(&mut self, manifest: &Manifest) -> Result<(), ApplyError> {
        files::write(&self.root, Path::new(MANIFEST), &manifest.encode(), MANIFEST_MODE, None)?;
        self.manifest = Some(manifest.clone());
        Ok(())
    }

    /// Removes the manifest, and the folders that were made and are empty.
    fn forget(&mut self, folders: &[PathBuf]) -> Result<(), ApplyError> {
        files::remove(&self.root, Path::new(MANIFEST))?;
        self.manifest = None;
        for folder in folders.iter().rev() {
            // What somebody else put there keeps it.
            let _ = fs::remove_dir(below(&self.root, folder));
        }
        Ok(())
    }

    fn take(&self, manifest: &Manifest, steps: &[Step]) -> Result<(), ApplyError> {
        for Step { path, now, then } in steps {
            if self.bytes(path)? != *now {
                return Err(ApplyError::ChangedMeanwhile(path.clone()));
            }
            let before = manifest.entry(path).and_then(|entry| entry.before.as_ref());
            let (mode, owner) = before.map_or((FILE_MODE, None), |before| (before.mode, Some(before.owner)));
            match then {
                Some(bytes) => files::write(&self.root, path, bytes, mode, owner)?,
                None => files::remove(&self.root, path)?,
            }
        }
        Ok(())
    }
}
