//! A tiny Internet: a network of its own from one file and one key, two nodes of it, a name that one registers and the other
//! resolves: `cargo run --example private_network`.
//!
//! It is what `dotp2p network new --name camp --tld camp --psk` and `dotp2p node --network camp.toml --mine` do, in one program.
//! Neither node asks anything on the Internet; it runs beside main.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use dotp2p::config::camp::Camp;
use dotp2p::config::{network_file, psk};
use dotp2p::node::{Node, NodeConfig, PeersConfig};
use dotp2p_chain::name::Name;
use dotp2p_rpc::types::RegistrationInfo;
use dotp2p_rpc::{Auth, Client, auth};
use dotp2p_wallet::{Wallet, WordCount};
use hickory_proto::rr::RecordType;
use serde_json::json;

mod common;

use common::resolve;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The network: a file that is handed round, and a key that goes from hand to hand.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("camp.toml");
    let name: Name = "camp".parse()?;
    let genesis_time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let camp = Camp { name: &name, tld: "camp", spacing_s: 1, psk: true, id: random()?, genesis_time };
    std::fs::write(&file, camp.file())?;
    psk::write(&psk::beside(&file), &random()?)?;

    // Alice mines. Bob has both files and knows where Alice is; in one room he would find her by himself.
    let alice = join(&file, &folder.path().join("alice"), Vec::new(), Some(1)).await?;
    let at = alice.p2p_addrs().first().ok_or("the node listens for peers")?.to_string();
    let bob = join(&file, &folder.path().join("bob"), vec![at], None).await?;

    // Alice registers a name at her node, as soon as a reward of hers can be spent.
    let cookie = Auth::Cookie(folder.path().join("alice").join(auth::COOKIE_FILE));
    let rpc = Client::connect(&alice.rpc_addr().to_string(), &cookie)?;
    let zone = "@ A 10.0.0.7\n";
    let _: RegistrationInfo = rpc.call("name_register", json!({ "name": "kitchen", "zone": zone })).await?;

    // Bob's node judges Alice's blocks for itself, and then answers.
    let kitchen: Name = "kitchen".parse()?;
    let mut views = bob.handle().readers();
    let view = views.wait_for(|view| view.name(&kitchen).is_some()).await?.clone();
    println!("bob knows since block {} who owns kitchen.camp", view.tip);
    let server = *bob.dns_addrs().first().ok_or("the node listens for DNS")?;
    let addresses = resolve(server, "kitchen.camp.", RecordType::A).await?;
    println!("kitchen.camp has the address {addresses:?}");
    assert_eq!(addresses, ["10.0.0.7"]);

    bob.stop().await?;
    alice.stop().await?;
    Ok(())
}

/// A node of the network in `file`, with its key and a wallet of its own.
async fn join(file: &Path, dir: &Path, peers: Vec<String>, mine: Option<usize>) -> Result<Node, Box<dyn Error>> {
    let params = network_file::read(file)?;
    std::fs::create_dir(dir)?;
    Wallet::create(&dir.join("wallet.json"), &params, WordCount::Twelve, None)?;
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let peers = PeersConfig {
        listen: Some(vec!["/ip4/127.0.0.1/tcp/0".parse()?]),
        peers,
        discovery: false,
        psk: Some(psk::read(&psk::beside(file))?),
    };
    let config = NodeConfig::new(params, dir.to_owned());
    Ok(Node::start(NodeConfig { rpc_listen: any, dns_listen: vec![any], mine, peers, ..config }).await?)
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
