//! Registers a name on a network of its own and resolves it: `cargo run --example register_and_resolve`.
//!
//! A node, its wallet and a DNS question, all in one program. What the node is asked over JSON-RPC, any program in any
//! language can ask it; what is asked over DNS, any resolver can.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use dotp2p::node::{Node, NodeConfig};
use dotp2p_chain::name::Name;
use dotp2p_chain::params::Params;
use dotp2p_rpc::types::RegistrationInfo;
use dotp2p_rpc::{Auth, Client, auth};
use dotp2p_wallet::{Wallet, WordCount};
use hickory_proto::rr::RecordType;
use serde_json::json;

mod common;

use common::resolve;

/// The records: an ordinary zone file.
const ZONE: &str = include_str!("hello.zone");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A network for one node, whose blocks are made when there is something to put into them.
    let folder = tempfile::tempdir()?;
    let params = Params::regtest();
    Wallet::create(&folder.path().join("wallet.json"), &params, WordCount::Twelve, None)?;
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = NodeConfig::new(params, folder.path().to_owned());
    let node = Node::start(NodeConfig { rpc_listen: any, dns_listen: vec![any], mine: Some(1), ..config }).await?;

    // One call: the node commits to the name, waits, claims it, sets the records.
    let cookie = Auth::Cookie(folder.path().join(auth::COOKIE_FILE));
    let rpc = Client::connect(&node.rpc_addr().to_string(), &cookie)?;
    let _: RegistrationInfo = rpc.call("name_register", json!({ "name": "alice", "zone": ZONE })).await?;

    // A program elsewhere would ask `name_registrations` how it goes on; here we wait for the block that has the name.
    let alice: Name = "alice".parse()?;
    let mut views = node.handle().readers();
    let view = views.wait_for(|view| view.name(&alice).is_some()).await?.clone();
    println!("alice is registered in block {}", view.tip);

    // Anybody can resolve it now.
    let server = *node.dns_addrs().first().ok_or("the node listens for DNS")?;
    let addresses = resolve(server, "alice.p2p.", RecordType::A).await?;
    println!("alice.p2p has the addresses {addresses:?}");
    assert_eq!(addresses, ["192.0.2.7", "192.0.2.8"]);
    assert_eq!(resolve(server, "mail.alice.p2p.", RecordType::AAAA).await?, ["2001:db8::25"]);
    assert!(resolve(server, "bob.p2p.", RecordType::A).await?.is_empty(), "nobody has registered bob");

    node.stop().await?;
    Ok(())
}
