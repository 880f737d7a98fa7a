//! The steps of the benchmark of scale; each prints its figures as `name=value` words.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dotp2p::import::{CheckedBlock, Importer};
use dotp2p_chain::entry::EntryKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::proof::NameProof;
use dotp2p_registry::mempool::Limits;
use dotp2p_registry::query::Reader;
use dotp2p_registry::row::{NameRow, Row};
use dotp2p_registry::state::State;
use dotp2p_registry::state_tree::Leaf;
use dotp2p_registry::store::{Loaded, Store};
use dotp2p_registry::view::Change;

use super::Figures;
use super::chain_maker::{self, ChainMaker, Owners, file};

/// Updates of a block that is connected by itself, and how many such blocks.
const UPDATES: usize = 600;
const MORE: u32 = 20;
/// Proofs made and checked, half of them of names that nobody has.
const PROOFS: u32 = 2_000;
/// Names changed at once in the state tree, and how often.
const BATCH: u32 = 1_000;
const BATCHES: u32 = 50;
/// How long a node idles before its memory is read.
const IDLE: Duration = Duration::from_secs(5);
/// Steps through all names in an order that is none: a prime.
const STRIDE: u64 = 1_000_003;

/// Makes the chains of one size: names, each updated once; and some blocks more.
pub fn make(names: u32, main: &Path, more: &Path) {
    let began = Instant::now();
    let params = chain_maker::network();
    let mut maker = ChainMaker::new(params.clone());
    let mut owners = Owners::new(0, names, 1);
    maker.names(&owners);
    let updates = owners.updates(1, &params);
    maker.full_blocks(updates);
    file::write(main, &std::mem::take(&mut maker.blocks));
    for serial in 0..MORE {
        let from = u64::from(serial) * UPDATES as u64;
        let places: Vec<usize> = (from..from + UPDATES as u64).map(|at| pick(at, names) as usize).collect();
        let updates = owners.updates_by(&places, serial + 2, &params);
        maker.block(updates);
    }
    file::write(more, &maker.blocks);
    println!("{names} names: chain made in {:.0} s, {}", began.elapsed().as_secs_f64(), main.display());
}

fn pick(at: u64, names: u32) -> u32 {
    (at * STRIDE % u64::from(names)) as u32
}

/// One step, in this process.
pub fn run(step: &str, dir: &Path, chain: &Path) {
    let figures = match step {
        "import" => import(dir, chain),
        "weigh" => weigh(dir, chain),
        "open" => open(dir),
        "open-killed" => open_killed(dir),
        "reindex" => reindex(dir),
        "use" => use_it(dir, chain),
        other => panic!("no step is called {other}"),
    };
    let words: Vec<String> = figures.iter().map(|(name, value)| format!("{name}={value}")).collect();
    println!("{}", words.join(" "));
}

fn figures<const N: usize>(figures: [(&str, f64); N]) -> Figures {
    figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn opened(dir: &Path, reindex: bool) -> Importer {
    let params = chain_maker::network();
    let (store, loaded) = Store::open(dir, &params, reindex).unwrap();
    Importer::open(store, loaded, params, Limits::default(), |_| ()).unwrap().0
}

/// A fresh node takes the whole chain from a file.
fn import(dir: &Path, chain: &Path) -> Figures {
    let blocks = file::read(chain).count() as u64;
    let mut importer = opened(dir, false);
    let began = Instant::now();
    let spent = importer.import_all(file::read(chain).map(|block| (block, None)), |_| ()).unwrap();
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!((spent.blocks, spent.refused), (blocks, 0));
    let peak = status_kb("VmHWM");
    let began = Instant::now();
    importer.close();
    let stop = began.elapsed().as_secs_f64();
    figures([
        ("blocks", blocks as f64),
        ("import_s", seconds),
        ("import_check_s", spent.check.as_secs_f64()),
        ("import_connect_s", spent.connect.as_secs_f64()),
        ("import_write_s", spent.write.as_secs_f64()),
        ("import_peak_mb", peak / 1e3),
        ("stop_s", stop),
    ])
}

/// What is on disk: the database with all its indexes, the bare rows in it, the blocks and their undo.
fn weigh(dir: &Path, chain: &Path) -> Figures {
    let params = chain_maker::network();
    let (store, Loaded { state, .. }) = Store::open(dir, &params, false).unwrap();
    let (database, files) = store.disk_bytes().unwrap();
    let bytes = |leaf: &Leaf| 1 + leaf.key().unwrap().bytes().len() + leaf.row_bytes().len();
    let row_bytes: usize = state.tree().leaves().map(bytes).sum();
    let blocks = std::fs::metadata(chain).unwrap().len();
    figures([
        ("database_bytes", database as f64),
        ("row_bytes", row_bytes as f64),
        ("block_bytes", blocks as f64),
        ("undo_bytes", files as f64 - blocks as f64),
    ])
}

/// The store is opened by somebody who has nothing of it in memory: rows read, then tree and indexes built.
fn open(dir: &Path) -> Figures {
    forget_pages(dir);
    let params = chain_maker::network();
    let before = status_kb("VmRSS");
    let began = Instant::now();
    let (store, loaded) = Store::open(dir, &params, false).unwrap();
    let read = began.elapsed().as_secs_f64();
    let importer = Importer::open(store, loaded, params, Limits::default(), |_| ()).unwrap().0;
    let seconds = began.elapsed().as_secs_f64();
    let memory = (status_kb("VmRSS") - before) * 1e3;
    drop(importer);
    figures([("start_s", seconds), ("start_read_s", read), ("memory_bytes", memory)])
}

/// The same after a kill, which leaves no copy of the state.
fn open_killed(dir: &Path) -> Figures {
    std::fs::remove_file(dir.join("state.dat")).unwrap();
    figures([("start_after_kill_s", open(dir)["start_s"])])
}

/// The database is thrown away and rebuilt from the block files.
fn reindex(dir: &Path) -> Figures {
    let began = Instant::now();
    let importer = opened(dir, true);
    let seconds = began.elapsed().as_secs_f64();
    drop(importer);
    figures([("reindex_s", seconds)])
}

/// The program itself, started on a store and left alone.
pub fn idle_node(data_dir: &Path, store: &Path) -> Figures {
    forget_pages(store);
    let began = Instant::now();
    let mut node = Command::new(env!("CARGO_BIN_EXE_dotp2p"))
        .args(["node", "--rpc-listen", "127.0.0.1:0", "--dns-listen", "127.0.0.1:0", "--mine=0"])
        .args(["--p2p-listen", "/ip4/127.0.0.1/tcp/0", "--no-discovery"])
        .arg("--network")
        .arg(chain_maker::NETWORK_FILE)
        .arg("--data-dir")
        .arg(data_dir)
        .env_clear()
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(node.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("node is ready")), "the node did not start");
    let seconds = began.elapsed().as_secs_f64();
    std::thread::sleep(IDLE);
    let status = format!("/proc/{}/status", node.id());
    let (idle, peak) = (status_kb_of(&status, "VmRSS"), status_kb_of(&status, "VmHWM"));
    assert!(Command::new("kill").arg("-INT").arg(node.id().to_string()).status().unwrap().success());
    log.for_each(drop);
    assert!(node.wait().unwrap().success());
    figures([("node_start_s", seconds), ("node_idle_mb", idle / 1e3), ("node_peak_mb", peak / 1e3)])
}

/// Proofs, the state tree, and blocks that come one at a time.
fn use_it(dir: &Path, more: &Path) -> Figures {
    let mut importer = opened(dir, false);
    let reader = importer.reader();
    let names = reader.state.name_count() as u32;
    let mut figures = proofs(&reader, names);
    figures.append(&mut tree(&reader.state, names));
    drop(reader);
    let params = chain_maker::network();
    let mut each: Vec<f64> = file::read(more)
        .map(|block| {
            let began = Instant::now();
            let checked = CheckedBlock::decode(block, &params, |_| false).unwrap();
            importer.import(checked, u64::MAX).unwrap();
            importer.commit(u64::MAX).unwrap();
            began.elapsed().as_secs_f64()
        })
        .collect();
    figures.insert("block_of_600_ms".to_owned(), median(&mut each) * 1e3);
    figures
}

fn proofs(reader: &Reader, names: u32) -> Figures {
    let (mut bytes, mut made, mut checked) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..PROOFS {
        let name: Name = match at % 2 {
            0 => chain_maker::name(pick(at.into(), names)),
            _ => format!("nobody-{at}").parse().unwrap(),
        };
        let began = Instant::now();
        let proof = reader.prove(&name, reader.tip).unwrap().encode();
        made.push(began.elapsed().as_secs_f64());
        let began = Instant::now();
        let rules = &reader.params.rules;
        let proved = NameProof::decode(&proof, rules).unwrap().verify(&name, &reader.tip_hash(), rules).unwrap();
        checked.push(began.elapsed().as_secs_f64());
        std::hint::black_box(proved);
        bytes.push(proof.len() as f64);
    }
    let max = bytes.iter().copied().fold(0.0, f64::max);
    figures([
        ("proof_p50_bytes", median(&mut bytes)),
        ("proof_max_bytes", max),
        ("proof_make_us", median(&mut made) * 1e6),
        ("proof_check_us", median(&mut checked) * 1e6),
    ])
}

/// The tree under batches of changed names, and made anew from its rows.
fn tree(state: &State, names: u32) -> Figures {
    let batch = |at: u32| {
        let mut changes: Vec<Change> = (0..BATCH)
            .map(|i| {
                let name = chain_maker::name(pick(u64::from(at * BATCH + i), names));
                let before = state.name(&name).unwrap();
                let mut after = NameRow::clone(&before);
                after.entry.records.0[0] ^= 1;
                let key = EntryKey::Name(name);
                let leaf = |row: NameRow| Some(Leaf::of(&key, &Row::Name(row.into())));
                let (before, after) = (leaf(before.as_ref().clone()), leaf(after));
                Change { trie_key: key.trie_key(), key, before, after }
            })
            .collect();
        changes.sort_unstable_by_key(|change| change.trie_key);
        changes
    };
    let batches: Vec<Vec<Change>> = (0..BATCHES.min(names / BATCH)).map(batch).collect();
    let mut changed = state.clone();
    let began = Instant::now();
    batches.iter().for_each(|changes| changed.apply(changes));
    let rate = f64::from(BATCH) * batches.len() as f64 / began.elapsed().as_secs_f64();
    assert_ne!(changed.root(), state.root());
    let rows: Vec<(EntryKey, Row)> = state.tree().entries().collect();
    let count = rows.len() as f64;
    let began = Instant::now();
    assert_eq!(State::from_rows(rows).root(), state.root());
    let rebuilt = began.elapsed().as_secs_f64();
    figures([("tree_updates_a_second", rate), ("tree_entries", count), ("tree_rebuild_s", rebuilt)])
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Drops a folder's files from the page cache, so that they are read from the disk.
fn forget_pages(dir: &Path) {
    let script = "sync; find \"$1\" -type f -exec dd if={} iflag=nocache count=0 status=none \\;";
    assert!(Command::new("sh").args(["-c", script, "sh"]).arg(dir).status().unwrap().success());
}

fn status_kb(field: &str) -> f64 {
    status_kb_of("/proc/self/status", field)
}

fn status_kb_of(path: &str, field: &str) -> f64 {
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()).unwrap().parse().unwrap()
}
