//! `SEED=… dotp2p-naive --ops 10000000`: random chains, done on both sides, until so many ops or seconds.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports on its run")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use dotp2p_naive::coverage::Coverage;
use dotp2p_naive::recipe::Recipe;
use dotp2p_naive::run::run;
use dotp2p_naive::shrink::shrink;

/// Drives the registry and a naive second implementation of its rules side by side.
#[derive(Parser)]
struct Args {
    /// Seed of the first chain; the next ones follow. A failing chain is the first of its own seed.
    #[arg(long, env = "SEED")]
    seed: Option<u64>,
    /// Ends after so many ops.
    #[arg(long)]
    ops: Option<u64>,
    /// Ends after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Ends after so many chains.
    #[arg(long)]
    chains: Option<u64>,
    /// Blocks of a chain, about.
    #[arg(long, default_value_t = 150)]
    blocks: usize,
    /// Threads; all cores where it is not given.
    #[arg(long)]
    threads: Option<usize>,
}

/// Ops from which on every refusal must have been met.
const LONG_RUN: u64 = 1_000_000;
/// Recipes that shrinking may try.
const TRIES: usize = 4_000;

fn main() -> ExitCode {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1 << 48));
    println!("seed {seed}");
    // A panic is reported as a difference, once, and not each time that shrinking meets it again.
    std::panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    let (next, found) = (AtomicU64::new(0), AtomicBool::new(false));
    let total = Mutex::new(Coverage::default());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let bounded = args.ops.is_some() || args.seconds.is_some() || args.chains.is_some();
    let chains = args.chains.unwrap_or(if bounded { u64::MAX } else { 100 });
    std::thread::scope(|scope| {
        for _ in 0..args.threads.unwrap_or(cores) {
            scope.spawn(|| {
                while !found.load(Ordering::Relaxed) {
                    let ops = total.lock().map_or(0, |total| total.ops);
                    let late = args.seconds.is_some_and(|seconds| begun.elapsed() >= Duration::from_secs(seconds));
                    let chain = next.fetch_add(1, Ordering::Relaxed);
                    if late || chain >= chains || args.ops.is_some_and(|limit| ops >= limit) {
                        break;
                    }
                    let mut coverage = Coverage::default();
                    if !one(seed.wrapping_add(chain), args.blocks, &mut coverage) {
                        found.store(true, Ordering::Relaxed);
                    }
                    if let Ok(mut total) = total.lock() {
                        total.add(&coverage);
                    }
                }
            });
        }
    });
    let Ok(total) = total.into_inner() else { return ExitCode::FAILURE };
    if found.into_inner() {
        return ExitCode::FAILURE;
    }
    println!("{total}");
    let missing = total.missing();
    if total.ops >= LONG_RUN && !missing.is_empty() {
        eprintln!("seed {seed}: never met in {} ops: {}", total.ops, missing.join(", "));
        return ExitCode::FAILURE;
    }
    let seconds = begun.elapsed().as_secs();
    let rate = total.ops / seconds.max(1);
    let kinds = total.outcomes.len();
    println!(
        "assurance: {} ops in {} chains and {} blocks, {} reorganisations, {kinds} kinds of outcome, 0 differences, \
         {seconds} s ({rate} ops/s), seed {seed}",
        total.ops, total.chains, total.blocks, total.reorgs.0
    );
    ExitCode::SUCCESS
}

/// Runs the chain of a seed; where the sides differ, says so with a recipe as short as can be found.
fn one(seed: u64, blocks: usize, coverage: &mut Coverage) -> bool {
    let recipe = Recipe::new(seed, blocks);
    let Err(difference) = run(&recipe, None, coverage, None) else { return true };
    eprintln!("chain {seed}, step {} of {}: {}", difference.step, recipe.steps.len(), difference.what);
    let until = Recipe { steps: recipe.steps.iter().take(difference.step + 1).cloned().collect(), ..recipe };
    let fails = |recipe: &Recipe| run(recipe, None, &mut Coverage::default(), None).is_err();
    let least = shrink(&until, TRIES, fails);
    eprintln!("shrunk to {} steps:", least.steps.len());
    let mut trace = Vec::new();
    let last = run(&least, None, &mut Coverage::default(), Some(&mut trace));
    trace.extend(last.err().map(|difference| difference.what));
    eprintln!("  {}", trace.join("\n  "));
    eprintln!("replay: SEED={seed} cargo run --release -p dotp2p-naive -- --chains 1 --blocks {blocks}");
    false
}
