//! Vectors that others published: every row must come out, and every row must have been read.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where its vectors are not as expected")]

use std::fs;
use std::path::PathBuf;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Bech32m};
use dotp2p_chain::asert::{Anchor, Schedule, next_bits};
use dotp2p_chain::hash::from_hex;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::pow::CompactTarget;
use serde_json::Value;

fn vectors(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn bits(text: &str) -> CompactTarget {
    CompactTarget::from_consensus(u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap())
}

/// aserti3-2d (rule P4). A row's height and time are the parent's, its target is the next block's.
#[test]
fn asert() {
    let limit = CompactTarget::from_consensus(0x1d00_ffff);
    let schedule = Schedule { spacing: 600, half_life: 172_800, limit };
    let mut rows = 0;
    for run in 1..=12 {
        let text = vectors(&format!("asert/run{run:02}"));
        let stated = |key: &str| {
            let line = text.lines().find(|line| line.contains(key)).unwrap();
            line.split(": ").nth(1).unwrap().trim()
        };
        let anchor_height: u64 = stated("anchor height").parse().unwrap();
        let parent_time = if text.contains("parent time") { "anchor parent time" } else { "anchor ancestor time" };
        let parent_time = stated(parent_time).parse().unwrap();
        // Some run at heights beyond 32 bits; only the distance to the anchor counts.
        let anchor = Anchor { height: Height(1), parent_time, bits: bits(stated("anchor nBits")) };
        let mut run_rows = 0;
        for row in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let fields: Vec<&str> = row.split_whitespace().collect();
            let height: u64 = fields[1].parse().unwrap();
            let parent_height = Height(u32::try_from(height - anchor_height + 1).unwrap());
            let next = next_bits(&anchor, &schedule, parent_height, fields[2].parse().unwrap());
            assert_eq!(next, bits(fields[3]), "run {run}, row {row}");
            run_rows += 1;
        }
        assert_eq!(run_rows.to_string(), stated("iterations"));
        rows += run_rows;
    }
    assert_eq!(rows, 14_000);
}

/// Schnorr signatures (rule C6), of messages of every length.
#[test]
fn bip340() {
    let text = vectors("bip340-test-vectors.csv");
    let (mut good, mut bad) = (0, 0);
    for row in text.lines().skip(1) {
        let fields: Vec<&str> = row.splitn(8, ',').collect();
        let key = PublicKey(from_hex(fields[2]).unwrap().try_into().unwrap());
        let message = from_hex(fields[4]).unwrap();
        let signature = Signature(from_hex(fields[5]).unwrap().try_into().unwrap());
        let expected = fields[6] == "TRUE";
        assert_eq!(key.verifies_message(&message, &signature), expected, "{row}");
        *(if expected { &mut good } else { &mut bad }) += 1;
    }
    assert_eq!((good, bad), (9, 10));
}

/// Bech32m (rule C8).
#[test]
fn bip350() {
    let vectors: Value = serde_json::from_str(&vectors("bip350.json")).unwrap();
    let list = |name: &str| vectors[name].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for valid in list("valid").iter().map(text) {
        let checked = CheckedHrpstring::new::<Bech32m>(&valid).unwrap_or_else(|error| panic!("{valid}: {error}"));
        assert!(CheckedHrpstring::new::<Bech32>(&valid).is_err(), "{valid} is valid in both");
        // None of them holds a key, not even under its own prefix.
        assert!(PublicKey::from_address(&valid, &checked.hrp().to_lowercase()).is_err(), "{valid}");
    }
    for invalid in list("invalid") {
        let (invalid, reason) = (text(&invalid["string"]), text(&invalid["reason"]));
        assert!(CheckedHrpstring::new::<Bech32m>(&invalid).is_err(), "{invalid}: {reason}");
        assert!(PublicKey::from_address(&invalid, "p2p").is_err(), "{invalid}: {reason}");
    }
    assert_eq!((list("valid").len(), list("invalid").len()), (7, 14));
}

/// What BIP 350 was made for: no single mistyped symbol, and no change of length at the end, leaves an address valid.
#[test]
fn a_mistyped_address_is_refused() {
    let key = PublicKey([0xa5; 32]);
    for prefix in ["p2p", "tp2p", "rp2p"] {
        let address = key.address(prefix);
        assert_eq!(address.len(), prefix.len() + 1 + 52 + 6);
        assert_eq!(PublicKey::from_address(&address, prefix), Ok(key));
        assert_eq!(PublicKey::from_address(&address.to_uppercase(), prefix), Ok(key));
        for at in prefix.len() + 1..address.len() {
            for symbol in
                "qpzry9x8gf2tvdw0s3jn54khce6mua7l".chars().filter(|symbol| !address[at..].starts_with(*symbol))
            {
                let mistyped = format!("{}{symbol}{}", &address[..at], &address[at + 1..]);
                assert!(PublicKey::from_address(&mistyped, prefix).is_err(), "{mistyped}");
            }
            let shorter = format!("{}{}", &address[..at], &address[at + 1..]);
            assert!(PublicKey::from_address(&shorter, prefix).is_err(), "{shorter}");
        }
        let mixed = address.replacen('p', "P", 1);
        assert!(PublicKey::from_address(&mixed, prefix).is_err(), "{mixed}");
    }
    assert!(PublicKey::from_address(&key.address("p2p"), "tp2p").is_err());
}

/// What is mistyped is repeated in the error, but not what would move the cursor.
#[test]
fn the_error_of_a_mistyped_address_is_one_line() {
    for text in ["a\0b", "p2p1\n", "p2p1q\u{1b}[2Jqqqqqqq", "p2p1\u{85}q"] {
        let error = PublicKey::from_address(text, "p2p").unwrap_err().to_string();
        assert!(!error.contains(char::is_control), "{error:?}");
    }
}
