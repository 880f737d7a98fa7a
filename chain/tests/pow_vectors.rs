//! The vectors of the rules P1 to P7, B10, B11 and B12b, which were made without this crate.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where its vectors are not as expected")]

use std::fs;
use std::path::PathBuf;

use dotp2p_chain::check::{HeaderContext, median_time, required_bits};
use dotp2p_chain::hash::{BlockHash, from_hex, sha256, to_hex};
use dotp2p_chain::header::Header;
use dotp2p_chain::height::Height;
use dotp2p_chain::history::{History, Node};
use dotp2p_chain::merkle;
use dotp2p_chain::params::Rules;
use dotp2p_chain::pow::{CompactTarget, Target, Work};
use parity_scale_codec::{Decode, Encode};
use serde_json::Value;

fn vectors(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn rows<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    let rows = vectors[name].as_array().unwrap();
    assert!(!rows.is_empty(), "{name}");
    rows
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    from_hex(text(value)).unwrap()
}

fn array(value: &Value) -> [u8; 32] {
    bytes(value).try_into().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| text(value).parse().unwrap())
}

fn height(value: &Value) -> Height {
    Height(u32::try_from(number(value)).unwrap())
}

fn bits(value: &Value) -> CompactTarget {
    CompactTarget::from_consensus(u32::from_str_radix(text(value), 16).unwrap())
}

#[test]
fn p1_p2_p3() {
    let pow = vectors("pow.json");
    for row in rows(&pow, "compact") {
        let target = bits(&row["bits"]).to_target();
        assert_eq!(target.map(|target| target.to_string()).as_deref(), row["target"].as_str(), "{row}");
        assert_eq!(bits(&row["bits"]).is_canonical(), row["canonical"].as_bool().unwrap_or(false), "{row}");
        if let Some(target) = target {
            assert_eq!(target.work().to_string(), text(&row["work"]), "{row}");
            assert_eq!(target.to_compact(), bits(&row["canonical_bits"]), "{row}");
        }
    }
    for row in rows(&pow, "targets") {
        let mut le = array(&row["target"]);
        le.reverse();
        let compact = Target::from_le_bytes(le).unwrap().to_compact();
        let kept = compact.to_target().unwrap();
        assert_eq!(compact, bits(&row["bits"]), "{row}");
        assert_eq!(kept.to_string(), text(&row["target_of_bits"]), "{row}");
        assert_eq!(kept.work().to_string(), text(&row["work_of_bits"]), "{row}");
    }
}

fn context(parent_height: Height, parent_time: u64, first_time: u64) -> HeaderContext {
    let first_time = (parent_height > Height::GENESIS).then_some(first_time);
    HeaderContext { parent: BlockHash::ZERO, parent_height, parent_time, times: Vec::new(), first_time }
}

#[test]
fn p4_p5_p6() {
    let pow = vectors("pow.json");
    let rules = |network: &str| Rules::decode(&mut bytes(&pow["networks"][network]["rules"]).as_slice()).unwrap();
    for row in rows(&pow, "required") {
        // Genesis is judged by nobody.
        let Some(parent) = height(&row["height"]).checked_sub(1) else { continue };
        let (rules, first_time) = (rules(text(&row["network"])), number(&row["first_time"]));
        if first_time < rules.spacing && parent > Height::GENESIS {
            // No chain has such a block 1: the genesis time is not less than spacing (B3d).
            continue;
        }
        let context = context(parent, number(&row["parent_time"]), first_time);
        let required = required_bits(&context, number(&row["time"]), &rules);
        assert_eq!(required, bits(&row["bits"]), "{row}");
    }
    for row in rows(&pow, "series") {
        let context = context(height(&row[0]).checked_sub(1).unwrap(), number(&row[1]), 1_793_492_200);
        assert_eq!(required_bits(&context, number(&row[2]), &rules("hard")), bits(&row[3]), "{row}");
    }
}

#[test]
fn p7_and_b12b() {
    let pow = vectors("pow.json");
    let limit = CompactTarget::from_consensus(0x207f_ffff).to_target().unwrap();
    for row in rows(&pow, "headers") {
        let header = Header::decode(&mut bytes(&row["header"]).as_slice()).unwrap();
        assert_eq!(to_hex(&header.encode()), text(&row["header"]));
        assert_eq!(to_hex(&header.hash().0), text(&row["hash"]), "{row}");
        assert_eq!(header.hash().to_string(), text(&row["text"]), "{row}");
        let target = header.bits.to_target().filter(|target| *target <= limit);
        let meets = target.is_some_and(|target| target.is_met_by(&header.hash()));
        assert_eq!(meets, row["meets"].as_bool().unwrap(), "{row}");
    }
    for row in rows(&pow, "medians") {
        let times: Vec<u64> = rows(row, "times").iter().map(number).collect();
        assert_eq!(median_time(&times), number(&row["median"]), "{row}");
    }
}

#[test]
fn b10() {
    let merkle = vectors("merkle.json");
    for row in rows(&merkle, "cases") {
        let leaves: Vec<_> = rows(row, "leaves").iter().map(bytes).collect();
        assert_eq!(merkle::root(leaves.iter().map(Vec::as_slice)).to_string(), text(&row["root"]), "{row}");
    }
    for row in rows(&merkle, "counted") {
        let leaves: Vec<_> = (0..height(&row["leaves"]).0).map(u32::to_le_bytes).collect();
        assert_eq!(merkle::root(leaves.iter().map(<[u8; 4]>::as_slice)).to_string(), text(&row["root"]), "{row}");
    }
}

/// 2²⁴⁰ + `i`, or `i` alone.
fn work(is_huge: bool, i: u32) -> Work {
    let mut le = [0; 32];
    le[..4].copy_from_slice(&i.to_le_bytes());
    le[30] = u8::from(is_huge);
    Work::from_le_bytes(le)
}

#[test]
fn b11() {
    let vectors = vectors("history.json");
    let same_work = |i: u32| {
        let hash = sha256(&i.to_le_bytes()[..1]);
        Node { hash, count: 1, work: work(false, 16_777_472), last_time: 1_793_491_200 + 60 * u64::from(i) }
    };
    let counted = |i: u32| {
        let hash = sha256(&i.to_le_bytes());
        Node { hash, count: 1, work: work(true, i), last_time: u64::from(5 * i % 997) }
    };
    for (name, leaf) in [("same_work", &same_work as &dyn Fn(u32) -> Node), ("counted", &counted)] {
        let mut history = History::new();
        for row in rows(&vectors, name) {
            while history.len() < height(&row["leaves"]).0 {
                history.push(leaf(history.len()));
            }
            history.truncate(height(&row["leaves"]).0);
            assert_eq!(history.len(), height(&row["leaves"]).0);
            assert_eq!(history.root().to_string(), text(&row["root"]), "{name} {row}");
            assert_eq!(history.total().unwrap().encode(), bytes(&row["node"]), "{name} {row}");
        }
    }
}
