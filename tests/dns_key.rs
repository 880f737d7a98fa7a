//! `dotp2p dns key` as people meet it: the anchors, a roll, refusals. Renewed with `cargo insta review`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A key that is always the same.
const KEY: &str = r#"{"version": 1, "keys": [{"algorithm": "ecdsap256", "pkcs8": "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIcWihmd7u6zy94T1GUcn7ZOOCbAf2XPn1NIipRQ5uVyhRANCAARlNpKyqho/Z57jV9m0pOPSdAFTIqwBInChLvQ505FSDs+ggZ2WYWdVlZetnZymV+tZ19com/IMy1+ANMj8UFvq"}]}"#;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.0.path().join("regtest")).unwrap();
        folder
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("regtest").join("dnssec.key")
    }

    fn with_key() -> Self {
        let folder = Self::new();
        std::fs::write(folder.file(), KEY).unwrap();
        folder.mode(0o600);
        folder
    }

    fn mode(&self, mode: u32) {
        std::fs::set_permissions(self.file(), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Exit code, stdout and stderr of `dotp2p dns key ARGS…`.
    fn run(&self, args: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_dotp2p"))
            .env_clear()
            .env("DOTP2P_NETWORK", "regtest")
            .env("DOTP2P_DATA_DIR", self.0.path())
            .args(["dns", "key"])
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(self.0.path().to_str().unwrap(), "DIR");
        let mut shown = format!("exit {}\n", output.status.code().unwrap());
        for (title, text) in [("stdout", text(&output.stdout)), ("stderr", text(&output.stderr))] {
            if !text.is_empty() {
                shown.push_str(&format!("--- {title}\n{text}"));
            }
        }
        shown
    }
}

#[test]
fn anchors() {
    let folder = Folder::with_key();
    insta::assert_snapshot!("key", folder.run(&[]));
    insta::assert_snapshot!("key_json", folder.run(&["--json"]));
    insta::assert_snapshot!("key_for_unbound", folder.run(&["--for", "unbound"]));
    insta::assert_snapshot!("help", folder.run(&["--help"]));
    insta::assert_snapshot!("help_roll", folder.run(&["roll", "--help"]));
}

#[test]
fn a_roll() {
    let folder = Folder::with_key();
    let first = folder.run(&["--for", "zone"]);
    let began = folder.run(&["roll", "--algorithm", "ed25519"]);
    assert!(
        began.starts_with("exit 0\n--- stdout\nkey ") && began.contains("`dotp2p dns key roll --finish`"),
        "{began}"
    );
    let both = folder.run(&["--for", "zone"]);
    assert!(both.starts_with(&first) && both.lines().count() == 6, "{both}");
    assert_eq!(std::fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777, 0o600);
    let shown = folder.run(&[]);
    assert!(shown.contains("rolls to") && shown.contains("a roll is running"), "{shown}");
    let refused = folder.run(&["roll"]);
    assert!(refused.starts_with("exit 1\n--- stderr\ndotp2p: a roll to key "), "{refused}");
    let refused = folder.run(&["roll", "--finish"]);
    assert!(refused.contains("add --early if no resolver has asked since"), "{refused}");
    let done = folder.run(&["roll", "--finish", "--early"]);
    assert!(done.starts_with("exit 0\n--- stdout\nthe roll is over: key "), "{done}");
    let last = folder.run(&["--for", "zone"]);
    assert_eq!(both.replace(first.trim_start_matches("exit 0\n--- stdout\n"), ""), last);
    let anchors = std::fs::read_to_string(folder.file().with_file_name("dnssec.anchor")).unwrap();
    assert_eq!(last, format!("exit 0\n--- stdout\n{anchors}"));
}

#[test]
fn refusals() {
    let mut shown = Vec::new();
    let folder = Folder::new();
    shown.extend([folder.run(&[]), folder.run(&["roll"]), folder.run(&["roll", "--finish"])]);
    let folder = Folder::with_key();
    shown.extend([folder.run(&["roll", "--finish"]), folder.run(&["roll", "--early"])]);
    shown.extend([folder.run(&["roll", "--algorithm", "rsa"]), folder.run(&["--for", "windows"])]);
    folder.mode(0o644);
    shown.extend([folder.run(&[]), folder.run(&["roll"])]);
    std::fs::write(folder.file(), &KEY[..60]).unwrap();
    folder.mode(0o600);
    shown.push(folder.run(&[]));
    insta::assert_snapshot!("refusals", shown.join("\n"));
}
