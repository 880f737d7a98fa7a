//! `dotp2p-hostile --victim /ip4/127.0.0.1/tcp/9353`: peers that say nothing good, a thousand times a second each.
//!
//! Each has an identity of its own, sends messages of its kind, comes again when it is parted from, and takes another
//! identity when it is not let in. Printed: a line of JSON with their first ids at the beginning, one with figures at the end.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports on its run")]

mod figures;
mod kind;
mod peer;
mod wire;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use dotp2p_chain::params::Params;
use dotp2p_network::protocol::Protocols;
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde_json::json;
use tokio::time::Instant;

use kind::{Kind, Target};
use peer::{Peer, identity};
use wire::Connection;

/// Says nothing good to a node, with many voices.
#[derive(Parser)]
struct Args {
    /// Where the victim listens: `/ip4/…/tcp/…`.
    #[arg(long)]
    victim: Multiaddr,
    /// The victim's network.
    #[arg(long, default_value = "regtest")]
    network: String,
    /// How many hostile peers.
    #[arg(long, default_value_t = 50)]
    peers: u64,
    /// Messages a second of each.
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where the first peer comes from, and each other from the next address: all of 127/8 is this machine. Where it is not
    /// given, they come from one.
    #[arg(long)]
    source: Option<Ipv4Addr>,
    /// What they say, by turns; where it is not given, all kinds that a victim bans (unread is none: it only waits).
    #[arg(long, value_delimiter = ',', value_parser = Kind::named)]
    kinds: Vec<Kind>,
    /// What identities are made from.
    #[arg(long, env = "SEED")]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), String> {
    let params = Params::named(&args.network).ok_or_else(|| format!("no network is called {}", args.network))?;
    let victim = socket(&args.victim).ok_or_else(|| format!("{} is no address over TCP", args.victim))?;
    let kinds =
        if args.kinds.is_empty() { Kind::ALL.into_iter().filter(|kind| kind.reads()).collect() } else { args.kinds };
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let heads = heads_of(victim, &params, seed).await.map_err(|error| format!("{victim}: {error}"))?;
    let target = Arc::new(Target::new(params, seed, &heads, &kinds)?);
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let peer = |(number, kind): (u64, &Kind)| {
        let source = args.source.map(|first| IpAddr::from(Ipv4Addr::from(u32::from(first).wrapping_add(low(number)))));
        Peer { number, kind: *kind, victim, source, rate: args.rate, end, seed }
    };
    let peers: Vec<Peer> = (0..args.peers).zip(kinds.iter().cycle()).map(peer).collect();
    let ids: Vec<String> = peers.iter().map(|peer| peer.first_id().to_string()).collect();
    println!("{}", json!({ "seed": seed, "ids": ids }));
    let tasks: Vec<_> = peers.into_iter().map(|peer| (peer.kind, tokio::spawn(peer.run(target.clone())))).collect();
    let mut lives = Vec::new();
    for (kind, task) in tasks {
        lives.push((kind, task.await.map_err(|error| error.to_string())?));
    }
    println!("{}", figures::of(&lives));
    Ok(())
}

fn low(number: u64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

fn socket(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    match (parts.next()?, parts.next()?) {
        (Protocol::Ip4(ip), Protocol::Tcp(port)) => Some((ip, port).into()),
        (Protocol::Ip6(ip), Protocol::Tcp(port)) => Some((ip, port).into()),
        _ => None,
    }
}

/// Asks the victim for its heads, as anybody may: some bad blocks must look as if they came after its own.
async fn heads_of(victim: SocketAddr, params: &Params, seed: u64) -> std::io::Result<Vec<u8>> {
    let mut connection = Connection::open(victim, None, &identity(seed, u64::MAX, 0)).await?;
    let mut stream = connection.open_stream().ok_or(std::io::ErrorKind::NotConnected)?;
    let protocols = Protocols::of(&params.chain_id);
    let asking = async move {
        stream.write_all(&kind::ask_heads(&protocols)).await?;
        stream.close().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        // Before it comes that the protocol is spoken, in as many bytes as it was asked.
        Ok(answer.split_off(wire::opening(protocols.ask.as_ref()).len().min(answer.len())))
    };
    let mut asking = std::pin::pin!(asking);
    // What the victim opens is kept: it parts from whom it cannot ping.
    let mut opened = Vec::new();
    loop {
        tokio::select! {
            answer = &mut asking => return answer,
            stream = std::future::poll_fn(|context| connection.poll_inbound(context)) => opened.push(stream?),
        }
    }
}
