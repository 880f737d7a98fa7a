//! `dotp2p-model [--states N] [--threads N]`: visits every state of the model within ever wider bounds, until one
//! walk has visited N. A law that is broken, or a thing that never happens, is a failure.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the report is what this program is for")]

use std::process::ExitCode;
use std::time::Instant;

use dotp2p_model::chain::{Bounds, World};
use dotp2p_model::rule::InForce;
use stateright::{Checker, Expectation, Model};

/// The first walk has whoever sends transactions again; the rest go ever further without him.
const WALKS: [Bounds; 3] = [
    Bounds { transactions: 2, blocks: 6, reorgs: 1, replays: true },
    Bounds { transactions: 3, blocks: 6, reorgs: 1, replays: false },
    Bounds { transactions: 3, blocks: 6, reorgs: 2, replays: false },
];

/// What is asked for on the command line.
struct Asked {
    states: usize,
    threads: usize,
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked { states: 10_000_000, threads: 1 };
    while let Some(flag) = arguments.next() {
        let slot = match flag.as_str() {
            "--states" => &mut asked.states,
            "--threads" => &mut asked.threads,
            other => return Err(format!("{other}: expected --states N or --threads N")),
        };
        let number = arguments.next().ok_or_else(|| format!("{flag}: a number is missing"))?;
        *slot = number.parse().map_err(|error| format!("{flag} {number}: {error}"))?;
    }
    Ok(asked)
}

fn main() -> ExitCode {
    let asked = match asked(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    for bounds in WALKS {
        let Bounds { transactions, blocks, reorgs, replays } = bounds;
        let again = if replays { ", the first sent again" } else { "" };
        println!(
            "up to {transactions} transactions in {blocks} blocks, {reorgs} times 1 or 2 blocks taken back{again}:"
        );
        match walk(bounds, asked.threads) {
            Ok((states, line)) if states >= asked.states => {
                println!("assurance: {line}");
                return ExitCode::SUCCESS;
            }
            Ok((_, line)) => println!("  {line}"),
            Err(()) => return ExitCode::FAILURE,
        }
    }
    eprintln!("the widest bounds have fewer than {} states", asked.states);
    ExitCode::FAILURE
}

/// Visits every state, shortest ways first, and prints each property's verdict; the number of states, and what to say.
fn walk(bounds: Bounds, threads: usize) -> Result<(usize, String), ()> {
    let world = World { rules: InForce::ALL, bounds };
    let begun = Instant::now();
    let checker = world.checker().threads(threads).spawn_bfs().join();
    let (states, depth, seconds) = (checker.unique_state_count(), checker.max_depth(), begun.elapsed().as_secs());
    println!("  {states} states, {} steps tried, depth {depth}, {seconds} s", checker.state_count());
    let (mut broken, mut always, mut sometimes) = (0, 0, 0);
    let mut found = checker.discoveries();
    for property in world.properties() {
        let path = found.remove(property.name);
        let (holds, verdict) = match (&property.expectation, &path) {
            (Expectation::Sometimes, Some(_)) => (true, "happens"),
            (Expectation::Sometimes, None) => (false, "NEVER HAPPENS"),
            (_, None) => (true, "holds"),
            (_, Some(_)) => (false, "BROKEN"),
        };
        println!("  {verdict:>13}: {}", property.name);
        if !holds {
            broken += 1;
            path.iter().for_each(|path| println!("{path}"));
        }
        *(if property.expectation == Expectation::Sometimes { &mut sometimes } else { &mut always }) += 1;
    }
    if broken > 0 {
        eprintln!("{broken} properties fail");
        return Err(());
    }
    let line = format!(
        "{states} states, all there are with {} transactions, {} blocks, {} reorganisations: {always} invariants hold, \
         {sometimes} events happen, {seconds} s",
        bounds.transactions, bounds.blocks, bounds.reorgs
    );
    Ok((states, line))
}
