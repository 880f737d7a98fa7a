//! How cost grows with names: `cargo bench --bench scale -- 1000000`; without a number up to 100,000.
//!
//! At 10,000 names, ten times as many, and so on: chains are made (and kept in `target/bench`), imported by a fresh node,
//! rebuilt from the block files, opened, asked for proofs and given more blocks, and a real node idles on them. Each
//! step runs in a process of its own, whose memory is then nobody else's. Every name has an owner of its own with an
//! account, an address at the apex and one at `www`, and was updated once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a benchmark, not a service")]
#![allow(clippy::cast_possible_truncation, reason = "figures for people")]

mod chain_maker;
mod scale_steps;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use chain_maker::file;

/// The least number of names.
const FIRST: u32 = 10_000;

/// Figures of one size, by name; the goals below cite them.
type Figures = BTreeMap<String, f64>;

/// What must hold at the size given, or at the first.
const GOALS: [(&str, u32, f64); 5] = [
    ("database_bytes_a_name", 1_000_000, 1_000.0),
    ("proof_max_bytes", 1_000_000, 1_500.0),
    ("start_s", 1_000_000, 5.0),
    ("node_start_s", 1_000_000, 5.0),
    ("node_idle_mb", 10_000, 100.0),
];

/// What may grow at most 1.5 times from the first size to the last.
const FLAT: [&str; 8] = [
    "import_us_a_name",
    "reindex_us_a_name",
    "database_bytes_a_name",
    "undo_bytes_a_name",
    "memory_bytes_a_name",
    "proof_p50_bytes",
    "proof_make_us",
    "block_of_600_ms",
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => sizes(100_000),
        [most] => sizes(most.parse().expect("the most names, a number")),
        [step, dir, chain] => scale_steps::run(step, Path::new(dir), Path::new(chain)),
        other => panic!("{other:?}: expected the most names"),
    }
}

fn sizes(most: u32) {
    let mut all: Vec<(u32, Figures)> = Vec::new();
    let mut names = FIRST;
    while names <= most {
        let figures = measure(names);
        println!("\n{names} names");
        figures.iter().for_each(|(name, value)| println!("  {name:<32}{}", number(*value)));
        all.push((names, figures));
        names *= 10;
    }
    let [(first, small), .., (last, large)] = all.as_slice() else { return };
    println!("\ngrowth from {first} to {last} names");
    let growths: Vec<(&str, f64)> = FLAT.into_iter().map(|name| (name, large[name] / small[name])).collect();
    growths.iter().for_each(|(name, times)| println!("  {name:<32}{times:.2}"));
    let mut missed = Vec::new();
    for (name, at, goal) in GOALS {
        let Some((_, figures)) = all.iter().find(|(names, _)| *names == at) else { continue };
        if figures[name] > goal {
            missed.push(format!("{name} is {} at {at} names, the goal is {goal}", number(figures[name])));
        }
    }
    missed.extend(
        growths.iter().filter(|(_, times)| *times > 1.5).map(|(name, times)| format!("{name} grows {times:.2} times")),
    );
    println!();
    missed.iter().for_each(|what| println!("MISSED: {what}"));
    println!(
        "assurance: {last} names imported in {:.0} s, started in {:.1} s, {:.0} bytes of database and {:.0} of memory a name, \
         proofs of at most {:.0} bytes; growth a name from {first} at most {:.2} times; {} of {} goals missed",
        large["import_s"],
        large["node_start_s"],
        large["database_bytes_a_name"],
        large["memory_bytes_a_name"],
        large["proof_max_bytes"],
        growths.iter().map(|(_, times)| *times).fold(0.0, f64::max),
        missed.len(),
        GOALS.len() + FLAT.len(),
    );
    if !missed.is_empty() {
        std::process::exit(1);
    }
}

/// Every step at one size.
fn measure(names: u32) -> Figures {
    let (main, more) = (file::path(&format!("{names}-names")), file::path(&format!("{names}-more")));
    if !main.exists() || !more.exists() {
        scale_steps::make(names, &main, &more);
    }
    // The node keeps each network in a folder of its own below its data directory.
    let data_dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let dir = data_dir.path().join(&chain_maker::network().deployment.name);
    let mut figures = Figures::new();
    for step in ["import", "weigh", "open"] {
        figures.append(&mut child(step, &dir, &main));
    }
    figures.append(&mut scale_steps::idle_node(data_dir.path(), &dir));
    figures.append(&mut child("open-killed", &dir, &main));
    figures.append(&mut child("reindex", &dir, &main));
    figures.append(&mut child("use", &dir, &more));
    let count = f64::from(names);
    let mut each = |total: &str, name: &str, times: f64| {
        let value = figures[total] * times / count;
        figures.insert(name.to_owned(), value);
    };
    each("import_s", "import_us_a_name", 1e6);
    each("reindex_s", "reindex_us_a_name", 1e6);
    each("database_bytes", "database_bytes_a_name", 1.0);
    each("row_bytes", "row_bytes_a_name", 1.0);
    each("block_bytes", "block_bytes_a_name", 1.0);
    each("undo_bytes", "undo_bytes_a_name", 1.0);
    each("memory_bytes", "memory_bytes_a_name", 1.0);
    let per_block = (figures["block_bytes"] + figures["undo_bytes"]) / figures["blocks"];
    figures.insert("files_bytes_a_block".to_owned(), per_block);
    figures
}

/// Runs a step in a process of its own; its last line is its figures.
fn child(step: &str, dir: &Path, chain: &Path) -> Figures {
    let program: PathBuf = std::env::current_exe().unwrap();
    let output = Command::new(program).arg(step).arg(dir).arg(chain).output().unwrap();
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "step {step}: {error}");
    let figure = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.parse().unwrap()));
    text.lines().last().unwrap_or_default().split(' ').filter_map(figure).collect()
}

fn number(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
