//! DNS queries from many addresses at once, to a server on this machine.
//!
//! - `flood`: hostile clients, each in a /24 of its own, ask much; honest ones in other networks ask little. It tells how many of
//!   either were answered, how soon, and how many bytes came back for each that was sent.
//! - `mutate`: packets that are queries but for some bytes; every thousand of them a good one, which must be answered.
//!
//! All of 127/8 is this machine, so nothing is forged: a client is a socket bound to its address. The last line is JSON.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for scripts")]

mod flood;
mod mutate;
mod packet;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "Asks a DNS server from many addresses at once")]
struct Args {
    /// The server
    #[arg(long)]
    server: SocketAddr,
    /// What queries are made from
    #[arg(long, env = "SEED")]
    seed: Option<u64>,
    /// A name that has an address
    #[arg(long)]
    name: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Hostile clients beside honest ones
    Flood(flood::Args),
    /// Packets with wrong bytes
    Mutate(mutate::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SEED={seed}");
    let ended = match args.what {
        What::Flood(what) => flood::run(args.server, &args.name, seed, what),
        What::Mutate(what) => mutate::run(args.server, &args.name, seed, what),
    };
    match ended {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
