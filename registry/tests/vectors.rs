//! The vectors of the state: prices, the trie, and every op in every stage, made by an independent script.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::check::signatures_good;
use dotp2p_chain::entry::{Entry, EntryKey, NameEntry};
use dotp2p_chain::hash::{ChainId, from_hex, tag, to_hex};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::params::Rules;
use dotp2p_chain::records::{EMPTY, records_hash};
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::price;
use dotp2p_registry::row::{NameRow, Row};
use dotp2p_registry::rules::{Context, Tally, apply_transaction};
use dotp2p_registry::state::State;
use dotp2p_registry::state_tree::Leaf;
use dotp2p_registry::view::View;
use parity_scale_codec::Decode;
use serde_json::Value;

fn load(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    let list = value[key].as_array().unwrap_or_else(|| panic!("{key} is no list"));
    assert!(!list.is_empty(), "{key} is empty");
    list
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn height(value: &Value) -> Height {
    Height(u32::try_from(number(value)).unwrap())
}

fn hex(value: &Value) -> Vec<u8> {
    from_hex(value.as_str().unwrap()).unwrap()
}

fn rules_of(file: &Value, network: &Value) -> Rules {
    Rules::decode(&mut hex(&file["networks"][network.as_str().unwrap()]["rules"]).as_slice()).unwrap()
}

/// A row of the value's bytes; a name's records are the empty set where the vectors give none.
fn row(key: &EntryKey, value: &[u8]) -> Row {
    match Entry::decode(key, value).unwrap() {
        Entry::Account(account) => Row::Account(account),
        Entry::Commitment(entry) => Row::Commitment(entry),
        Entry::Reward(entry) => Row::Reward(entry),
        Entry::Level(level) => Row::Level(level),
        Entry::Name(entry) => {
            Row::Name(Arc::new(NameRow { entry, changed: Height(0), transaction: 0, records: EMPTY.to_vec() }))
        }
    }
}

fn name_of(bytes: u64) -> Name {
    "a".repeat(usize::try_from(bytes).unwrap()).parse().unwrap()
}

#[test]
fn prices_levels_and_premiums() {
    let file = load("names.json");
    for case in list(&file, "prices") {
        assert_eq!(price::base(&name_of(number(&case[0]))).atoms(), number(&case[1]), "{case}");
    }
    for case in list(&file, "levels") {
        let rules = rules_of(&file, &case["network"]);
        let mut level = number(&case["start"]);
        for (commits, after) in list(case, "commits").iter().zip(list(case, "levels")) {
            level = price::next_level(level, u32::try_from(number(commits)).unwrap(), &rules);
            assert_eq!(level, number(after));
        }
    }
    let wide = Rules { commit_target: 64, commit_max: 1_000, ..Rules::regtest() };
    for case in list(&file, "levels_wide") {
        let commits = u32::try_from(number(&case[1])).unwrap();
        assert_eq!(price::next_level(number(&case[0]), commits, &wide), number(&case[2]), "{case}");
    }
    for case in list(&file, "premiums") {
        let rules = rules_of(&file, &case[0]);
        let expires = Height(1_000);
        let entry = NameEntry {
            owner: PublicKey([1; 32]),
            manager: None,
            recovery: None,
            since: Height(1),
            expires,
            records: records_hash(&EMPTY),
            offer: None,
        };
        let at = Height(expires.0 + rules.grace + u32::try_from(number(&case[1])).unwrap());
        assert_eq!(price::premium(Some(&entry), at, &rules).atoms(), number(&case[2]), "{case}");
    }
    assert_eq!(price::premium(None, Height(5), &Rules::regtest()), Amount::ZERO);
    for case in list(&file, "burns") {
        let (name, level, premium) = (case[0].as_str().unwrap().parse().unwrap(), number(&case[1]), number(&case[2]));
        assert_eq!(price::commit_burn(level).atoms(), number(&case[3]), "{case}");
        let burn = price::claim_burn(&name, level, Amount::from_atoms(premium));
        assert_eq!(burn.map(Amount::atoms), Some(number(&case[4])), "{case}");
    }
}

#[test]
fn trie_roots_and_proofs() {
    let file = load("trie.json");
    // Sets of values that are no entries are for other trees than ours, whose leaves are the state itself.
    let mut proved = 0;
    for set in list(&file, "sets") {
        let entries = set["entries"].as_array().unwrap();
        let rows: Option<Vec<(EntryKey, Row)>> = entries
            .iter()
            .map(|pair| {
                let key = EntryKey::from_bytes(&hex(&pair[0]))?;
                Entry::decode(&key, &hex(&pair[1])).ok()?;
                Some((key.clone(), row(&key, &hex(&pair[1]))))
            })
            .collect();
        let Some(rows) = rows else { continue };
        let state = State::from_rows(rows);
        assert_eq!(to_hex(&state.root().0), set["root"].as_str().unwrap(), "{}", set["comment"]);
        for case in set["proofs"].as_array().unwrap() {
            let proof = state.tree().prove(&tag::KEY.hash(&[&hex(&case["key"])]));
            assert_eq!(to_hex(&proof.encode()), case["proof"].as_str().unwrap());
            proved += 1;
        }
    }
    assert!(proved > 0);
}

#[test]
fn every_op_in_every_stage() {
    let file = load("ops.json");
    let mut otherwise = Vec::new();
    let mut rules_seen = std::collections::BTreeSet::new();
    for case in list(&file, "cases") {
        let comment = case["comment"].as_str().unwrap();
        let rules = rules_of(&file, &case["network"]);
        let network = &file["networks"][case["network"].as_str().unwrap()];
        let chain_id = ChainId(hex(&network["chain_id"]).try_into().unwrap());
        let rows = list(case, "state").iter().map(|pair| {
            let key = EntryKey::from_bytes(&hex(&pair[0])).unwrap();
            (key.clone(), row(&key, &hex(&pair[1])))
        });
        let mut state = State::from_rows(rows.collect());
        assert_eq!(to_hex(&state.root().0), case["state_root"].as_str().unwrap(), "{comment}");
        let before = state.root();
        let context = Context {
            rules: &rules,
            chain_id: &chain_id,
            height: height(&case["height"]),
            level: number(&case["level"]),
        };
        let mut tally = Tally { commits: u32::try_from(number(&case["commits"])).unwrap(), ..Tally::default() };
        let mut view = View::new(&state);
        let verdict =
            Transaction::from_bytes(&hex(&case["tx"]), &rules).map_err(|e| format!("{e} (T7a)")).and_then(|tx| {
                if !signatures_good(&tx, &chain_id) {
                    return Err("a signature is not good (T7b)".to_owned());
                }
                apply_transaction(&mut view, tx.body(), &context, &mut tally).map_err(|e| e.to_string()).map(|()| tx)
            });
        let changes = view.into_changes();
        if let Some(rule) = case.get("rule") {
            let (rule, error) = (rule.as_str().unwrap(), verdict.expect_err(comment));
            if !error.contains(rule) {
                otherwise.push(format!("{comment}: refused by {rule}, but: {error}"));
            }
            assert!(changes.is_empty(), "{comment}: a refusal left something behind");
            rules_seen.insert(rule.to_owned());
            continue;
        }
        let tx = verdict.unwrap_or_else(|error| panic!("{comment}: {error}"));
        assert_eq!(to_hex(&tx.txid(&chain_id).0), case["txid"].as_str().unwrap());
        assert_eq!(tally.burned.atoms(), number(&case["burned"]), "{comment}");
        assert_eq!(tally.fees.atoms(), number(&case["fee"]), "{comment}");
        assert_eq!(u64::from(tally.commits), number(&case["commits_after"]), "{comment}");
        let value = |leaf: &Option<Leaf>| leaf.as_ref().map(|leaf| to_hex(leaf.value()));
        let found: BTreeMap<String, Option<String>> = changes
            .iter()
            .filter(|change| value(&change.before) != value(&change.after))
            .map(|change| (to_hex(&change.key.bytes()), value(&change.after)))
            .collect();
        let expected: BTreeMap<String, Option<String>> = case["changed"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().map(str::to_owned)))
            .collect();
        assert_eq!(found, expected, "{comment}");
        for change in &changes {
            if let Some(name) = change.after.as_ref().and_then(Leaf::name) {
                let brought = case["records"].get(to_hex(&name.entry.records.0));
                if let Some(brought) = brought {
                    assert_eq!(to_hex(name.records), brought.as_str().unwrap(), "{comment}");
                }
            }
        }
        state.apply(&changes);
        assert_eq!(to_hex(&state.root().0), case["root_after"].as_str().unwrap(), "{comment}");
        state.undo(&changes);
        assert_eq!(state.root(), before, "{comment}: undo");
    }
    assert!(otherwise.is_empty(), "{otherwise:#?}");
    assert!(rules_seen.len() > 55, "only {} rules refuse something: {rules_seen:?}", rules_seen.len());
}
