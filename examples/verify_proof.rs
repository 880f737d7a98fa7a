//! Proves what a block says of a name, and checks the proof without a node: `cargo run --example verify_proof`.
//!
//! Whoever knows the hash of a block can check what a stranger tells about a name: that it belongs to somebody, with which
//! records, or that nobody has it. [`NameProof::verify`] does no I/O and compiles to WebAssembly.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use dotp2p::node::{Node, NodeConfig};
use dotp2p_chain::hash::{BlockHash, from_hex};
use dotp2p_chain::name::Name;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::proof::{NameProof, ProofError, Proved};
use dotp2p_chain::records::Records;
use dotp2p_rpc::types::RegistrationInfo;
use dotp2p_rpc::{Auth, Client, auth, types};
use dotp2p_wallet::{Wallet, WordCount};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A node that knows alice: see the example register_and_resolve.
    let folder = tempfile::tempdir()?;
    let params = Params::regtest();
    Wallet::create(&folder.path().join("wallet.json"), &params, WordCount::Twelve, None)?;
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = NodeConfig::new(params.clone(), folder.path().to_owned());
    let node = Node::start(NodeConfig { rpc_listen: any, dns_listen: vec![any], mine: Some(1), ..config }).await?;
    let cookie = Auth::Cookie(folder.path().join(auth::COOKIE_FILE));
    let rpc = Client::connect(&node.rpc_addr().to_string(), &cookie)?;
    let records = json!([{ "owner": "@", "type": "A", "data": "192.0.2.7" }]);
    let _: RegistrationInfo = rpc.call("name_register", json!({ "name": "alice", "records": records })).await?;
    let (alice, bob): (Name, Name) = ("alice".parse()?, "bob".parse()?);
    let mut views = node.handle().readers();
    let height = views.wait_for(|view| view.name(&alice).is_some()).await?.tip;

    // What must be known and trusted: the hash of a block. Everything else comes from the node and is checked.
    let trusted: BlockHash = rpc.call::<String>("getblockhash", json!([height.0])).await?.parse()?;
    let answer: types::NameProof = rpc.call("name_proof", json!(["alice", height.0])).await?;
    let present = from_hex(&answer.proof).ok_or("the proof is hexadecimal")?;
    let answer: types::NameProof = rpc.call("name_proof", json!(["bob", height.0])).await?;
    let absent = from_hex(&answer.proof).ok_or("the proof is hexadecimal")?;
    node.stop().await?;

    // From here on there is no node.
    let rules = &params.rules;
    let (entry, stage, records) = verify(&present, &alice, &trusted, rules)?.name.ok_or("alice is there")?;
    let records = Records::decode(&records, rules.record_limits("alice".len()))?;
    println!("{} bytes prove that alice is {} and expires at block {}", present.len(), stage.as_str(), entry.expires);
    assert_eq!(records.sets().len(), 1);

    assert!(verify(&absent, &bob, &trusted, rules)?.name.is_none());
    println!("{} bytes prove that nobody has bob", absent.len());

    // A proof is of one name and of one block, and there is no byte in it that could be another.
    assert!(verify(&present, &bob, &trusted, rules).is_err());
    assert!(verify(&absent, &alice, &trusted, rules).is_err());
    assert!(verify(&present, &alice, &params.genesis.hash(), rules).is_err());
    for (proof, name) in [(&present, &alice), (&absent, &bob)] {
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
            assert!(verify(&changed, name, &trusted, rules).is_err(), "byte {at} of the proof can be changed");
        }
    }
    println!("any changed byte fails");
    Ok(())
}

/// What the bytes of a proof say of `name` in the block `trusted`.
fn verify(proof: &[u8], name: &Name, trusted: &BlockHash, rules: &Rules) -> Result<Proved, ProofError> {
    NameProof::decode(proof, rules)?.verify(name, trusted, rules)
}
