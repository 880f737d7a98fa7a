//! The naive side knows the product's encoded types and nothing else of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

/// What may be used besides `std`, `core` and the naive side itself.
const ALLOWED: [&str; 5] = [
    "dotp2p_chain::op::{Buy, Claim, Commit, Offer as OfferOp, Op, Pay, Recover, Renew, SetKeys, Transfer, Update}",
    "dotp2p_chain::params::Rules",
    "dotp2p_chain::tx::Body",
    "sha2::{Digest, Sha256}",
    "dotp2p_chain::pow::CompactTarget",
];

/// Methods of the product's types that compute what a rule says.
const FORBIDDEN: [&str; 12] = [
    "dotp2p_registry",
    ".commitment(",
    ".check(",
    "subsidy_at",
    "record_limits",
    "to_name(",
    "Stage::of",
    ".encode(",
    "trie_key",
    ".sighash(",
    "is_canonical",
    "to_target",
];

#[test]
fn naive_side_imports_encoded_types_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![src.join("naive.rs")];
    files.extend(std::fs::read_dir(src.join("naive")).unwrap().map(|entry| entry.unwrap().path()));
    assert!(files.len() > 8, "the naive side was not found");
    let mut allowed_met: std::collections::BTreeSet<&str> = std::collections::BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code.clone() {
            for forbidden in FORBIDDEN {
                assert!(!line.contains(forbidden), "{}: {line}", file.display());
            }
        }
        let code: String = code.collect::<Vec<_>>().join("\n");
        for import in code.split("use ").skip(1).filter_map(|rest| rest.split_once(';')).map(|(import, _)| import) {
            let import = import.split_whitespace().collect::<Vec<_>>().join(" ");
            let own =
                ["super::", "std::", "bend::", "bytes::", "chain::", "genesis::", "names::", "state::", "rules::"];
            let allowed = ALLOWED.iter().find(|allowed| **allowed == import);
            allowed_met.extend(allowed.copied());
            assert!(allowed.is_some() || own.iter().any(|own| import.starts_with(own)), "{}: {import}", file.display());
        }
        // No path written out where it is used, either.
        let written_out = code.matches("dotp2p_").count() + code.matches("sha2::").count();
        let imported = ALLOWED.iter().map(|allowed| code.matches(&format!("use {allowed};")).count()).sum::<usize>();
        assert_eq!(written_out, imported, "{}: a path that is no import", file.display());
    }
    assert!(allowed_met.len() >= 4, "only {allowed_met:?} are imported");
}
