//! Whole blocks through the importer: good ones, bad ones and branches, made by an independent script
//! (`tests/vectors/chain.json`). After each event the tip, and after each good block its state, must be as that script
//! has them; then everything is restored from disk and rebuilt from the block files.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dotp2p::import::{CheckedBlock, ImportError, Importer};
use dotp2p_chain::check::Condemns;
use dotp2p_chain::hash::{from_hex, to_hex};
use dotp2p_chain::params::{Params, Rules};
use dotp2p_registry::mempool::Limits;
use dotp2p_registry::row::Row;
use dotp2p_registry::state::State;
use dotp2p_registry::store::Store;
use parity_scale_codec::Decode;
use serde_json::Value;

/// Far ahead of every block.
const NOW_S: u64 = 1 << 41;

fn load() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/chain.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn open(dir: &Path, params: &Arc<Params>, reindex: bool) -> Importer {
    let (store, loaded) = Store::open(dir, params, reindex).unwrap();
    Importer::open(store, loaded, params.clone(), Limits::default(), |_| ()).unwrap().0
}

fn entries(state: &State) -> BTreeMap<String, String> {
    state.tree().entries().map(|(key, row)| (to_hex(&key.bytes()), to_hex(&row.value()))).collect()
}

fn deliver(importer: &mut Importer, params: &Params, encoded: Vec<u8>) -> Result<(), ImportError> {
    let checked = CheckedBlock::decode(encoded, params, |_| false)?;
    importer.import(checked, NOW_S).map(|_| ())
}

fn run(chain: &str) {
    let file = load();
    let chains = file["chains"].as_array().unwrap();
    let about = chains.iter().find(|it| it["chain"] == chain).unwrap();
    let network = &file["networks"][about["network"].as_str().unwrap()];
    let rules = Rules::decode(&mut from_hex(network["rules"].as_str().unwrap()).unwrap().as_slice()).unwrap();
    let params = Arc::new(Params::new(rules, Params::regtest().deployment).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut importer = open(dir.path(), &params, false);
    let mut lenient = Vec::new();
    for (at, event) in file[chain].as_array().unwrap().iter().enumerate() {
        let comment = format!("{chain} event {at}, {}", event["comment"].as_str().unwrap());
        let encoded = from_hex(event["block"].as_str().unwrap()).unwrap();
        let verdict = deliver(&mut importer, &params, encoded);
        importer.commit(NOW_S).unwrap();
        let reader = importer.reader();
        assert_eq!(to_hex(&reader.tip_hash().0), event["tip"].as_str().unwrap(), "{comment}: tip ({verdict:?})");
        if event["result"] == "good" {
            verdict.unwrap_or_else(|error| panic!("{comment}: {error}"));
            check_tip(&importer, event, &comment);
            continue;
        }
        match verdict {
            Err(error) => {
                let condemns = match error.condemns() {
                    Condemns::Message => "message",
                    Condemns::Hash => "hash",
                    Condemns::Nothing => "nothing",
                };
                assert_eq!(condemns, event["condemns"].as_str().unwrap(), "{comment}: {error}");
            }
            // A block that is bad only where its branch connects, and whose branch is not the best.
            Ok(()) => lenient.push((comment, event["late"].as_bool().unwrap_or(false))),
        }
    }
    assert!(lenient.iter().all(|(_, late)| *late), "{lenient:?}");
    let (tip, state) = (importer.reader().tip_hash(), entries(&importer.reader().state));
    drop(importer);
    for reindex in [false, true] {
        let importer = open(dir.path(), &params, reindex);
        let reader = importer.reader();
        assert_eq!(reader.tip_hash(), tip, "reindex {reindex}");
        assert_eq!(entries(&reader.state), state, "reindex {reindex}");
    }
}

/// Where the event's block is the tip, everything the script knows of it holds.
fn check_tip(importer: &Importer, event: &Value, comment: &str) {
    let reader = importer.reader();
    if event["hash"] != event["tip"] {
        return;
    }
    assert_eq!(to_hex(&reader.state.root().0), event["state_root"].as_str().unwrap(), "{comment}");
    assert_eq!(u64::from(reader.tip.0), number(&event["height"]), "{comment}");
    assert_eq!(reader.state.level(), number(&event["level"]), "{comment}");
    let (mut balances, mut unmatured) = (0, 0);
    for (_, row) in reader.state.tree().entries() {
        match &row {
            Row::Account(account) => balances += account.balance.atoms(),
            Row::Reward(reward) => unmatured += reward.amount.atoms(),
            _ => {}
        }
    }
    let (issued, burned) = importer.supply();
    assert_eq!(balances, number(&event["balances"]), "{comment}");
    assert_eq!(unmatured, number(&event["unmatured"]), "{comment}");
    assert_eq!(issued.atoms(), number(&event["issued"]), "{comment}");
    assert_eq!(burned.atoms(), number(&event["burned"]), "{comment}");
    assert_eq!(balances + unmatured, issued.atoms() - burned.atoms(), "S14, {comment}");
    if let Some(expected) = event["state"].as_array() {
        let pair = |pair: &Value| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned());
        assert_eq!(entries(&reader.state), expected.iter().map(pair).collect(), "{comment}");
    }
}

#[test]
fn a_long_life_on_regtest() {
    run("regtest");
}

#[test]
fn a_network_of_short_terms_and_real_difficulty() {
    run("short");
}

#[test]
fn random_branches() {
    run("random");
}
