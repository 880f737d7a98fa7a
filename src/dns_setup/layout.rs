//! The configuration of each resolver, in its own words.

pub(super) mod bind;
pub(super) mod dnsmasq;
pub(super) mod macos;
pub(super) mod resolv_conf;
pub(super) mod resolved;
pub(super) mod unbound;
pub(super) mod windows;

use std::path::Path;

use super::{PlanError, Target};

/// The first line of every file of ours.
const HEAD: &str = "# Made by `dotp2p dns setup`; `dotp2p dns setup --undo` takes it away.\n";

/// Errors: a line of `text`, comments aside, is about the target's domain.
fn check_untaken(path: &Path, text: &str, target: &Target, is_it: impl Fn(&str) -> bool) -> Result<(), PlanError> {
    let mut lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    match lines.find(|line| is_it(line)) {
        None => Ok(()),
        Some(line) => Err(PlanError::Taken { path: path.to_owned(), tld: target.tld.clone(), line: line.to_owned() }),
    }
}

/// `text` with lines after it, on lines of their own.
fn appended(text: &str, lines: &str) -> String {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{end}{lines}")
}
