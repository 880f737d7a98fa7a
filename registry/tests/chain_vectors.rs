//! The ledger over the vectors' whole chains (`tests/vectors/chain.json`): every block of every branch is connected to the
//! state of its parent, gives what the script says, and is taken back. The node runs the same file through its importer.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use dotp2p_chain::block::Block;
use dotp2p_chain::entry::{EntryKey, LEVEL_START};
use dotp2p_chain::hash::{BlockHash, from_hex, to_hex};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_registry::ledger::{LedgerError, apply_block, connect_block, disconnect_block};
use dotp2p_registry::row::Row;
use dotp2p_registry::state::State;
use dotp2p_registry::state_tree::Leaf;
use parity_scale_codec::Decode;
use serde_json::Value;

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn bytes(value: &Value) -> Vec<u8> {
    from_hex(value.as_str().unwrap()).unwrap()
}

fn entries(state: &State) -> BTreeMap<String, String> {
    state.tree().entries().map(|(key, row)| (to_hex(&key.bytes()), to_hex(&row.value()))).collect()
}

fn run(chain: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/chain.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let about = file["chains"].as_array().unwrap().iter().find(|it| it["chain"] == chain).unwrap();
    let rules = bytes(&file["networks"][about["network"].as_str().unwrap()]["rules"]);
    let params = Params::new(Rules::decode(&mut rules.as_slice()).unwrap(), Params::regtest().deployment).unwrap();
    // After each block that was accepted.
    let mut states = HashMap::from([(params.genesis.hash(), State::genesis())]);
    assert_eq!(State::genesis().root(), params.genesis.head.roots.state_root);
    let (mut connected, mut refused) = (0, 0);
    for event in file[chain].as_array().unwrap() {
        let comment = format!("{chain}, {}", event["comment"].as_str().unwrap());
        if event["result"] == "good" {
            let block = Block::decode(&bytes(&event["block"]), &params.rules).unwrap();
            let state = connect(&states, &block, event, &params, &comment);
            states.insert(block.hash(), state);
            connected += 1;
        } else if matches!(event["step"].as_str(), Some("B14.8" | "B14.9")) {
            let block = Block::decode(&bytes(&event["block"]), &params.rules).unwrap();
            refuse(&states, &block, event, &params, &comment);
            refused += 1;
        }
    }
    assert!(connected > 100, "{connected} blocks");
    assert!(refused > 10 || chain == "random", "{refused} refusals");
}

/// The state after a good block.
fn connect(states: &HashMap<BlockHash, State>, block: &Block, event: &Value, params: &Params, comment: &str) -> State {
    let parent = &states[&block.head.header.prev_blockhash];
    let mut state = parent.clone();
    let done = connect_block(&mut state, block, params).unwrap_or_else(|error| panic!("{comment}: {error}"));
    assert_eq!(to_hex(&state.root().0), event["state_root"].as_str().unwrap(), "{comment}");
    assert_eq!(state.level(), number(&event["level"]), "{comment}");
    assert_eq!(u64::from(done.tally.commits), number(&event["commits"]), "{comment}");
    assert_eq!(done.tally.fees.atoms(), number(&event["fees"]), "{comment}");
    assert_eq!(done.tally.transactions as usize, block.transactions.len(), "{comment}");
    if let Some(expected) = event["state"].as_array() {
        let pair = |pair: &Value| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned());
        assert_eq!(entries(&state), expected.iter().map(pair).collect(), "{comment}");
    }
    looks_up(&state, block.head.roots.height, params, comment);
    // What no header commits to: which transaction wrote a name, and the records' bytes.
    for change in &done.changes {
        let Some(Row::Name(row)) = change.after.as_ref().and_then(Leaf::row) else { continue };
        let written = &block.transactions[row.transaction as usize];
        let EntryKey::Name(name) = &change.key else { panic!("{comment}: a name's row at {:?}", change.key) };
        let writes = |bytes: Option<&[u8]>| bytes == Some(name.as_bytes());
        assert_eq!(row.changed, block.head.roots.height, "{comment}");
        let mut ops = written.body().ops.iter();
        assert!(ops.any(|op| writes(op.name().map(|name| name.as_bytes()))), "{comment}: {name} by {written:?}");
        assert_eq!(dotp2p_chain::records::records_hash(&row.records), row.entry.records, "{comment}");
    }
    let mut back = state.clone();
    disconnect_block(&mut back, &done.changes);
    assert_eq!((back.root(), entries(&back)), (parent.root(), entries(parent)), "{comment}: taken back");
    state
}

/// Every look-up says what the leaves say.
fn looks_up(state: &State, height: Height, params: &Params, comment: &str) {
    let entries: Vec<(EntryKey, Row)> = state.tree().entries().collect();
    let mut by_owner = BTreeMap::<PublicKey, Vec<_>>::new();
    let mut by_expiry = BTreeMap::<Height, Vec<_>>::new();
    let mut by_commit = BTreeMap::<Height, Vec<_>>::new();
    let mut level = LEVEL_START;
    for (key, row) in &entries {
        assert_eq!(state.get(key).as_ref(), Some(row), "{comment}");
        match (key, row) {
            (EntryKey::Account(key), Row::Account(account)) => {
                assert_eq!(state.account(key), Some(*account), "{comment}");
                by_owner.entry(*key).or_default();
            }
            (EntryKey::Name(name), Row::Name(row)) => {
                assert_eq!(state.name(name).as_ref(), Some(row), "{comment}");
                // Who is free at this height was removed with its block.
                assert!(
                    state.name_at(name, height, &params.rules).is_some_and(|(found, _)| found == *row),
                    "{comment}"
                );
                by_owner.entry(row.entry.owner).or_default().push(name);
                by_expiry.entry(row.entry.expires).or_default().push(name);
            }
            (EntryKey::Commitment(hash), Row::Commitment(entry)) => {
                assert_eq!(state.commitment(hash), Some(*entry), "{comment}");
                by_commit.entry(entry.height).or_default().push(hash);
            }
            (EntryKey::Level, Row::Level(found)) => level = *found,
            (EntryKey::Reward(_), Row::Reward(_)) => {}
            _ => panic!("{comment}: {row:?} at {key:?}"),
        }
    }
    assert_eq!(state.level(), level, "{comment}");
    assert_eq!(state.name_count(), by_owner.values().map(Vec::len).sum::<usize>(), "{comment}");
    assert_eq!(state.has_commitments(), !by_commit.is_empty(), "{comment}");
    for (owner, names) in &mut by_owner {
        names.sort();
        assert_eq!(state.names_of(owner).collect::<Vec<_>>(), *names, "{comment}");
    }
    for at in (0..=height.0 + 1).map(Height) {
        let (names, hashes) = (by_expiry.entry(at).or_default(), by_commit.entry(at).or_default());
        names.sort();
        hashes.sort();
        assert_eq!(state.names_expiring(at).collect::<Vec<_>>(), *names, "{comment}");
        assert_eq!(state.commitments_of(at).collect::<Vec<_>>(), *hashes, "{comment}");
    }
    assert_eq!(state.account(&PublicKey([0xee; 32])), None, "{comment}");
}

/// A block that only the ledger refuses, by the rule the script names; nothing of it stays.
fn refuse(states: &HashMap<BlockHash, State>, block: &Block, event: &Value, params: &Params, comment: &str) {
    let parent = &states[&block.head.header.prev_blockhash];
    let mut state = parent.clone();
    let error = connect_block(&mut state, block, params).expect_err(comment);
    match (event["step"].as_str().unwrap(), &error) {
        ("B14.8", LedgerError::Transaction { error, .. }) => {
            let rule = event["rule"].as_str().unwrap();
            // What is no good by a letter of its own text is told with the letters beside it.
            assert!(error.to_string().contains(rule), "{comment}: {rule}, but: {error}");
        }
        ("B14.9", LedgerError::StateRoot { found, expected }) => {
            assert_eq!(*expected, block.head.roots.state_root, "{comment}");
            let changes = apply_block(parent, block.head.roots.height, &block.coinbase, &block.transactions, params);
            let mut applied = parent.clone();
            applied.apply(&changes.unwrap().changes);
            assert_eq!(*found, applied.root(), "{comment}");
        }
        _ => panic!("{comment}: {error}"),
    }
    assert_eq!((state.root(), entries(&state)), (parent.root(), entries(parent)), "{comment}: unchanged");
}

#[test]
fn a_long_life_on_regtest() {
    run("regtest");
}

#[test]
fn a_network_of_short_terms() {
    run("short");
}

#[test]
fn random_branches() {
    run("random");
}
