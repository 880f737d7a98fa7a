//! What is read of a machine: the few files that say which resolver it has, and how that is configured.
//!
//! Paths are those of the machine (`/etc/…`); the root they are looked for under is known to [`Facts::gather`] alone, and
//! links are followed within it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// Most bytes of a file that is looked into.
const FILE_MAX: u64 = 1024 * 1024;
/// Links that are followed one after the other before it is a circle.
const LINKS_MAX: usize = 16;

/// The resolver's own file of servers.
pub(super) const RESOLV_CONF: &str = "/etc/resolv.conf";
/// How names are looked up.
pub(super) const NSSWITCH: &str = "/etc/nsswitch.conf";
/// There while systemd-resolved runs.
pub(super) const RESOLVED_RUNS: &str = "/run/systemd/resolve";

const FILES: [&str; 11] = [
    RESOLV_CONF,
    NSSWITCH,
    "/etc/systemd/resolved.conf",
    "/etc/NetworkManager/NetworkManager.conf",
    "/etc/dnsmasq.conf",
    "/etc/default/dnsmasq",
    "/etc/unbound/unbound.conf",
    "/etc/bind/named.conf",
    "/etc/bind/named.conf.local",
    "/etc/bind/named.conf.options",
    "/etc/named.conf",
];

/// Folders, and how the names of those files in them end that are read.
const FOLDERS: [(&str, &str); 14] = [
    ("/etc/systemd/resolved.conf.d", ".conf"),
    ("/run/systemd/resolved.conf.d", ".conf"),
    ("/usr/local/lib/systemd/resolved.conf.d", ".conf"),
    ("/usr/lib/systemd/resolved.conf.d", ".conf"),
    ("/etc/dnssec-trust-anchors.d", ".negative"),
    ("/run/dnssec-trust-anchors.d", ".negative"),
    ("/usr/lib/dnssec-trust-anchors.d", ".negative"),
    ("/usr/lib/NetworkManager/conf.d", ".conf"),
    ("/run/NetworkManager/conf.d", ".conf"),
    ("/etc/NetworkManager/conf.d", ".conf"),
    ("/etc/NetworkManager/dnsmasq.d", ""),
    ("/etc/dnsmasq.d", ""),
    ("/etc/unbound/unbound.conf.d", ".conf"),
    ("/etc/unbound/conf.d", ".conf"),
];

/// Where systemd keeps the library whose name tells its version.
const SYSTEMD_FOLDERS: [&str; 6] = [
    "/usr/lib/systemd",
    "/usr/lib64/systemd",
    "/lib/systemd",
    "/usr/lib/x86_64-linux-gnu/systemd",
    "/usr/lib/aarch64-linux-gnu/systemd",
    "/usr/lib/arm-linux-gnueabihf/systemd",
];

/// What is known of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    texts: BTreeMap<PathBuf, String>,
    unreadable: BTreeMap<PathBuf, String>,
    links: BTreeMap<PathBuf, PathBuf>,
    folders: BTreeSet<PathBuf>,
    systemd: Option<u32>,
}

/// A file that matters, and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {path}: {why}")]
pub struct FactsError {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub why: String,
}

impl Facts {
    /// Reads what there is below `root`. A file that cannot be read is an error only for who asks for it.
    #[must_use]
    pub fn gather(root: &Path) -> Self {
        let mut facts = Self::default();
        for path in FILES {
            facts.read(root, Path::new(path));
        }
        for (folder, ending) in FOLDERS {
            for name in names(root, folder) {
                if name.ends_with(ending) && !name.starts_with('.') && !name.ends_with('~') {
                    facts.read(root, &Path::new(folder).join(name));
                }
            }
        }
        let folders = FOLDERS.iter().map(|(folder, _)| *folder).chain([RESOLVED_RUNS]);
        facts.folders = folders.filter(|folder| below(root, Path::new(folder)).is_dir()).map(PathBuf::from).collect();
        let libraries = SYSTEMD_FOLDERS.iter().flat_map(|folder| names(root, folder));
        facts.systemd = libraries.filter_map(|name| systemd_version(&name)).max();
        facts
    }

    fn read(&mut self, root: &Path, path: &Path) {
        let mut at = path.to_owned();
        for _ in 0..LINKS_MAX {
            let Ok(to) = fs::read_link(below(root, &at)) else { break };
            at = normal(&at.parent().unwrap_or(Path::new("/")).join(to));
            self.links.insert(path.to_owned(), at.clone());
        }
        match text(&below(root, &at)) {
            Ok(text) => drop(self.texts.insert(path.to_owned(), text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => drop(self.unreadable.insert(path.to_owned(), error.to_string())),
        }
    }

    /// A file's text; `None`: there is none.
    pub fn text(&self, path: &str) -> Result<Option<&str>, FactsError> {
        let path = Path::new(path);
        match self.unreadable.get(path) {
            Some(why) => Err(FactsError { path: path.to_owned(), why: why.clone() }),
            None => Ok(self.texts.get(path).map(String::as_str)),
        }
    }

    /// Whether there is such a file.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.texts.contains_key(Path::new(path)) || self.unreadable.contains_key(Path::new(path))
    }

    /// Whether there is such a folder, of those that are looked for.
    #[must_use]
    pub fn has_folder(&self, path: &str) -> bool {
        self.folders.contains(Path::new(path))
    }

    /// The files of a folder, by name.
    pub fn folder(&self, folder: &str) -> impl Iterator<Item = (&Path, &str)> {
        let is_inside = move |path: &Path| path.parent() == Some(Path::new(folder));
        let all = self.texts.iter().filter(move |(path, _)| is_inside(path));
        all.map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// Where a link leads in the end.
    #[must_use]
    pub fn link(&self, path: &str) -> Option<&Path> {
        self.links.get(Path::new(path)).map(PathBuf::as_path)
    }

    /// The version of systemd, if there is any.
    #[must_use]
    pub fn systemd(&self) -> Option<u32> {
        self.systemd
    }

    /// As if a file had this text, or were not there.
    pub(super) fn suppose(&mut self, path: &Path, text: Option<String>) {
        self.unreadable.remove(path);
        match text {
            Some(text) => drop(self.texts.insert(path.to_owned(), text)),
            None => drop(self.texts.remove(path)),
        }
    }
}

/// The place of the machine's `path` under `root`.
pub(super) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Without `.` and `..`, which never lead out of the root.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => drop(out.pop()),
            _ => {}
        }
    }
    out
}

fn text(path: &Path) -> io::Result<String> {
    let file = fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = String::new();
    let read = file.take(FILE_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > FILE_MAX {
        return Err(io::Error::other(format!("it has more than {FILE_MAX} bytes")));
    }
    Ok(text)
}

/// The names in a folder, sorted; none where there is no such folder.
fn names(root: &Path, folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(below(root, Path::new(folder))).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// `libsystemd-shared-256.7-1.fc41.so` is of 256.
fn systemd_version(library: &str) -> Option<u32> {
    let version = library.strip_prefix("libsystemd-shared-")?.strip_suffix(".so")?;
    let digits = version.find(|letter: char| !letter.is_ascii_digit()).map_or(version, |end| version.split_at(end).0);
    digits.parse().ok()
}
