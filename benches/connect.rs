//! Connecting blocks of updates, from encoded blocks to a durable store: `cargo bench --bench connect`.
//!
//! - 100,000 keys (or NAMES) with a name each send an Update each; full blocks, beside the same signatures alone.
//! - Blocks of 600 updates, which is what hsd lets a block hold: as 600 transactions of one, and as 6 of a hundred;
//!   BLOCKS of each (100). `-- shapes` does these only, `-- shapes json` prints them for `benches/hsd/run.sh`.
//!
//! What imports has seen none of the signatures: it decodes, checks on all cores, connects, compares the state root and
//! writes durably.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a benchmark, not a service")]

mod chain_maker;
mod stages;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use chain_maker::{ChainMaker, Owners};
use dotp2p::import::{CheckedBlock, Importer, Spent};
use dotp2p_chain::block::Block;
use dotp2p_chain::check::signatures_good;
use dotp2p_chain::params::Params;
use dotp2p_registry::mempool::Limits;
use dotp2p_registry::store::Store;
use rayon::prelude::*;
use stages::Stages;

/// Updates in a block of hsd.
const HSD_MAX: u32 = 600;

fn open(dir: &Path, params: &Arc<Params>) -> Importer {
    let (store, loaded) = Store::open(dir, params, false).unwrap();
    Importer::open(store, loaded, params.clone(), Limits::default(), |_| ()).unwrap().0
}

/// Imports a run of blocks, written once at its end; gives the seconds it took.
fn import(importer: &mut Importer, blocks: Vec<Vec<u8>>) -> (Spent, f64) {
    let (began, count) = (Instant::now(), blocks.len());
    let spent = importer.import_all(blocks.into_iter().map(|block| (block, None)), |_| ()).unwrap();
    assert_eq!((usize::try_from(spent.blocks).unwrap(), spent.refused), (count, 0));
    (spent, began.elapsed().as_secs_f64())
}

/// Imports blocks that come one at a time, each durable before the next; gives the seconds of each.
fn import_singly(importer: &mut Importer, blocks: Vec<Vec<u8>>, params: &Params) -> Vec<f64> {
    let one = |block: Vec<u8>| {
        let began = Instant::now();
        let checked = CheckedBlock::decode(block, params, |_| false).unwrap();
        importer.import(checked, u64::MAX).unwrap();
        importer.commit(u64::MAX).unwrap();
        began.elapsed().as_secs_f64()
    };
    blocks.into_iter().map(one).collect()
}

fn variable(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => {
            full_blocks();
            shapes(false);
        }
        ["shapes"] => shapes(false),
        ["shapes", "json"] => shapes(true),
        other => panic!("{other:?}: expected nothing, `shapes` or `shapes json`"),
    }
}

/// Every name is updated once, by an owner of its own, in blocks as full as they get.
fn full_blocks() {
    let (params, names) = (chain_maker::network(), variable("NAMES", 100_000));
    let mut maker = ChainMaker::new(params.clone());
    let mut owners = Owners::new(0, names, 1);
    maker.names(&owners);
    let setup = std::mem::take(&mut maker.blocks);
    let state = maker.state.clone();
    let updates = owners.updates(1, &params);
    maker.full_blocks(updates.clone());
    let blocks = std::mem::take(&mut maker.blocks);
    println!("{names} names in {} blocks, then an update of each in {} blocks", setup.len(), blocks.len());

    let began = Instant::now();
    let good = updates.par_iter().filter(|tx| signatures_good(tx, &params.chain_id)).count();
    let alone = f64::from(names) / began.elapsed().as_secs_f64();
    assert_eq!(good, updates.len());
    drop(updates);
    println!("signatures one by one, {} threads: {alone:.0}/s", rayon::current_num_threads());

    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut importer = open(dir.path(), &params);
    let (_, seconds) = import(&mut importer, setup);
    println!("names made: {seconds:.1} s, {:.0} ops/s", f64::from(names) * 3.0 / seconds);
    let stages = Stages::of(&blocks, state, &params);
    let (spent, seconds) = import(&mut importer, blocks);
    let reader = importer.reader();
    assert_eq!((reader.tip, reader.state.root()), maker.tip(), "tip and state root are the maker's");
    let rate = f64::from(names) / seconds;
    println!("updates connected: {rate:.0}/s, {:.0} % of signatures one by one", 100.0 * rate / alone);
    let share = |part: std::time::Duration| 100.0 * part.as_secs_f64() / seconds;
    println!(
        "  of {seconds:.2} s: check on all cores {:.0} %, beside it connect {:.0} % and durable write {:.0} %",
        share(spent.check),
        share(spent.connect),
        share(spent.write),
    );
    stages.print(f64::from(names), spent.write);
    println!("assurance: {names} updates connected at {rate:.0}/s, {:.0} % of signatures alone", 100.0 * rate / alone);
}

/// A shape of block and what was measured of it.
struct Shape {
    title: &'static str,
    per_key: u32,
    import: f64,
    median: f64,
}

fn shapes(json: bool) {
    let mut shapes =
        [("600x1", 1), ("6x100", 100)].map(|(title, per_key)| Shape { title, per_key, import: 0.0, median: 0.0 });
    let blocks = variable("BLOCKS", 100);
    for shape in &mut shapes {
        measure(shape, blocks, json);
    }
    if json {
        let fields =
            shapes.iter().map(|s| format!("\"{}\":{{\"import\":{:.0},\"median\":{:.0}}}", s.title, s.import, s.median));
        println!("{{{}}}", fields.collect::<Vec<_>>().join(","));
        return;
    }
    let figures =
        shapes.iter().map(|s| format!("{}: {:.0}/s imported, {:.0}/s one by one", s.title, s.import, s.median));
    println!("assurance: updates in blocks of 600 as {}", figures.collect::<Vec<_>>().join("; "));
}

fn measure(shape: &mut Shape, blocks: u32, json: bool) {
    let params = chain_maker::network();
    let mut maker = ChainMaker::new(params.clone());
    let mut owners = Owners::new(0, HSD_MAX, shape.per_key);
    maker.names(&owners);
    let setup = std::mem::take(&mut maker.blocks);
    let state = maker.state.clone();
    for serial in 0..2 * blocks {
        let updates = owners.updates(serial, &params);
        maker.block(updates);
    }
    let mut run = std::mem::take(&mut maker.blocks);
    let single = run.split_off(usize::try_from(blocks).unwrap());
    let bytes = run[0].len();
    let transactions = Block::decode(&run[0], &params.rules).unwrap().transactions.len();
    let stages = Stages::of(&run, state, &params);

    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut importer = open(dir.path(), &params);
    import(&mut importer, setup);
    let (spent, seconds) = import(&mut importer, run);
    let updates = f64::from(blocks * HSD_MAX);
    shape.import = updates / seconds;
    let mut each = import_singly(&mut importer, single, &params);
    let reader = importer.reader();
    assert_eq!((reader.tip, reader.state.root()), maker.tip(), "tip and state root are the maker's");
    each.sort_unstable_by(f64::total_cmp);
    let median = each[each.len() / 2];
    shape.median = f64::from(HSD_MAX) / median;
    if json {
        return;
    }
    println!("\n{HSD_MAX} updates a block in {transactions} transactions, {bytes} bytes; {blocks} blocks");
    println!(
        "  imported: {:.0}/s; a block at a time, each durable: {:.0}/s, {:.1} ms",
        shape.import,
        shape.median,
        median * 1e3
    );
    stages.print(updates, spent.write);
}
