//! A network's pre-shared key as a file, in the form that libp2p programs share: `/key/swarm/psk/1.0.0/`, `/base16/` and
//! 64 hexadecimal digits, a line each.
//!
//! The key only shuts the door between peers: it judges no block, and whoever holds it can hand it on.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use dotp2p_chain::hash::{from_hex, to_hex};

/// The first line.
const FORM: &str = "/key/swarm/psk/1.0.0/";
/// The second: how the third is written.
const BASE: &str = "/base16/";
/// More than such a file has bytes.
const LEN_MAX: u64 = 1024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum PskError {
    /// Not there.
    #[error(
        "the network needs a pre-shared key and there is no {0}; get the file from who made the network and put it there, \
        or say where it is with --psk"
    )]
    Missing(PathBuf),
    /// Cannot be read.
    #[error("cannot read the pre-shared key {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Not of the form.
    #[error("{path} is no pre-shared key: {what}; get the file anew from who made the network")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is not as it must be.
        what: &'static str,
    },
}

/// Where the key of the network in `file` is, unless something else is said.
#[must_use]
pub fn beside(file: &Path) -> PathBuf {
    file.with_extension("psk")
}

/// Reads a key. Spaces around a line and empty lines at the end do not count.
pub fn read(path: &Path) -> Result<[u8; 32], PskError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => PskError::Missing(path.to_owned()),
        _ => PskError::Read { path: path.to_owned(), source },
    };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LEN_MAX).read_to_end(&mut bytes)).map_err(failed)?;
    parse(&bytes).map_err(|what| PskError::Form { path: path.to_owned(), what })
}

fn parse(bytes: &[u8]) -> Result<[u8; 32], &'static str> {
    let text = str::from_utf8(bytes).map_err(|_| "it is no text")?;
    let mut lines = text.trim_end().lines().map(str::trim);
    if lines.next() != Some(FORM) {
        return Err("line 1 is not /key/swarm/psk/1.0.0/");
    }
    if lines.next() != Some(BASE) {
        return Err("line 2 is not /base16/");
    }
    let key = lines.next().and_then(from_hex).and_then(|key| key.try_into().ok());
    if lines.next().is_some() {
        return Err("more follows after line 3");
    }
    key.ok_or("line 3 is not 64 hexadecimal digits")
}

/// Writes a key that only its owner can read; a file that is there is not touched.
pub fn write(path: &Path, key: &[u8; 32]) -> io::Result<()> {
    let mut text = String::new();
    let _ = writeln!(text, "{FORM}\n{BASE}\n{}", to_hex(key));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

    #[test]
    fn written_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = beside(&folder.path().join("camp.toml"));
        assert_eq!(path, folder.path().join("camp.psk"));
        write(&path, &KEY).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let digits = "303132333435363738396162636465666768696a6b6c6d6e6f70717273747576";
        assert_eq!(text, format!("/key/swarm/psk/1.0.0/\n/base16/\n{digits}\n"));
        assert_eq!(read(&path).unwrap(), KEY);
        assert_eq!(write(&path, &[0; 32]).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&path).unwrap(), KEY, "it was not touched");
        std::fs::write(&path, text.replace('\n', "\r\n") + "\r\n").unwrap();
        assert_eq!(read(&path).unwrap(), KEY, "an editor of another system saved it");
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("camp.psk");
        write(&path, &KEY).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_key() {
        let good = format!("{FORM}\n{BASE}\n{}\n", to_hex(&KEY));
        let cases = [
            (String::new(), "line 1 is not /key/swarm/psk/1.0.0/"),
            (good.replace("psk/1", "psk/2"), "line 1 is not /key/swarm/psk/1.0.0/"),
            (good.replace("16", "64"), "line 2 is not /base16/"),
            (good.replace("/base16/\n", ""), "line 2 is not /base16/"),
            (good.replace("30313", "3031"), "line 3 is not 64 hexadecimal digits"),
            (good.replace("30313", "30x13"), "line 3 is not 64 hexadecimal digits"),
            (format!("{FORM}\n{BASE}\n"), "line 3 is not 64 hexadecimal digits"),
            (format!("{good}more\n"), "more follows after line 3"),
        ];
        for (text, what) in cases {
            assert_eq!(parse(text.as_bytes()), Err(what), "{text:?}");
        }
        assert_eq!(parse(b"\xff"), Err("it is no text"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("camp.psk");
        let missing = read(&path).unwrap_err().to_string();
        let (start, rest) = missing.split_once(path.to_str().unwrap()).unwrap();
        assert_eq!(start, "the network needs a pre-shared key and there is no ");
        assert_eq!(rest, "; get the file from who made the network and put it there, or say where it is with --psk");
        std::fs::write(&path, vec![b' '; 5_000]).unwrap();
        assert!(read(&path).unwrap_err().to_string().ends_with(
            "is no pre-shared key: line 1 is not /key/swarm/psk/1.0.0/; get the file anew from who made the network"
        ));
    }
}
