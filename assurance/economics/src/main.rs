//! Runs the simulations and writes what they found into `docs/`.
//!
//! `cargo run --release -p dotp2p-economics [-- NAME…]`: all, or those named. `SEED=` takes another seed; only the default
//! one writes, for docs/economics.md is made with it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]

use std::process::ExitCode;
use std::time::Instant;

use dotp2p_economics::{Report, SEED, Scale, difficulty, front_running, growth, page, secret_branch, stuffing, words};

type Simulation = fn(Scale, u64) -> Report;

const SIMULATIONS: [(&str, Simulation); 6] = [
    ("difficulty", difficulty::run),
    ("secret-branch", secret_branch::run),
    ("words", words::run),
    ("stuffing", stuffing::run),
    ("front-running", front_running::run),
    ("growth", growth::run),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| SIMULATIONS.iter().all(|(known, _)| known != name)) {
        let known: Vec<&str> = SIMULATIONS.iter().map(|(name, _)| *name).collect();
        eprintln!("no simulation {unknown}; there are {}", known.join(", "));
        return ExitCode::FAILURE;
    }
    let seed = match std::env::var("SEED").map(|text| text.parse()) {
        Err(_) => SEED,
        Ok(Ok(seed)) => seed,
        Ok(Err(error)) => {
            eprintln!("SEED: {error}");
            return ExitCode::FAILURE;
        }
    };
    let began = Instant::now();
    let mut reports = Vec::new();
    for (name, simulate) in SIMULATIONS.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| w == name))
    {
        let began = Instant::now();
        let report = simulate(Scale::Full, seed);
        eprintln!("{name}: {} ({:.1} s, seed {seed})", report.figure, began.elapsed().as_secs_f64());
        report.tables.iter().for_each(|(_, table)| eprintln!("{table}"));
        reports.push(report);
    }
    if seed == SEED
        && let Err(error) = page::write(&page::docs(), &reports)
    {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let broken: Vec<&String> = reports.iter().flat_map(|report| &report.broken).collect();
    if !broken.is_empty() {
        broken.iter().for_each(|promise| eprintln!("broken: {promise}"));
        return ExitCode::FAILURE;
    }
    let figures: Vec<&str> = reports.iter().map(|report| report.figure.as_str()).collect();
    println!("assurance: {}; {:.0} s, seed {seed}", figures.join("; "), began.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}
