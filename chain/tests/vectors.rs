//! The project's own vectors (`tests/vectors`), made by an independent script from `docs/spec`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;

use dotp2p_chain::block::Block;
use dotp2p_chain::check::signatures_good;
use dotp2p_chain::entry::Stage;
use dotp2p_chain::hash::{BlockHash, ChainId, StateRoot, from_hex, tag, to_hex};
use dotp2p_chain::header::Roots;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::{Name, NameError};
use dotp2p_chain::op::Op;
use dotp2p_chain::params::{Deployment, Params, Rules};
use dotp2p_chain::proof::{NameProof, TreeProof};
use dotp2p_chain::records::{Owner, RecordSet, Records, records_hash};
use dotp2p_chain::tx::Transaction;
use parity_scale_codec::{Compact, Decode, Encode};
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

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {value}"))
}

fn bytes(value: &Value, key: &str) -> Vec<u8> {
    from_hex(text(value, key)).unwrap_or_else(|| panic!("{key} is not hex"))
}

fn hash32(value: &Value, key: &str) -> [u8; 32] {
    bytes(value, key).try_into().unwrap()
}

/// A number, whether written as one or as a decimal string.
fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn rules_of(file: &Value, network: &str) -> Rules {
    let encoded = bytes(&file["networks"][network], "rules");
    Rules::decode(&mut encoded.as_slice()).unwrap()
}

fn chain_id_of(file: &Value, network: &str) -> ChainId {
    ChainId(hash32(&file["networks"][network], "chain_id"))
}

#[test]
fn networks_and_their_genesis() {
    let file = load("rules.json");
    for (name, network) in file["networks"].as_object().unwrap() {
        let rules = rules_of(&file, name);
        assert_eq!(rules.encode(), bytes(network, "rules"), "{name}");
        let params = Params::new(rules, Params::regtest().deployment).unwrap();
        assert_eq!(to_hex(&params.genesis.encode()), text(network, "block"), "{name}");
        assert_eq!(params.chain_id.0, hash32(network, "chain_id"), "{name}");
        assert_eq!(params.chain_id.to_string(), text(network, "chain_id_text"), "{name}");
        if let Some(built_in) = Params::named(name) {
            assert_eq!(built_in.chain_id, params.chain_id, "{name}");
        }
    }
    for case in list(&file, "refused") {
        let encoded = bytes(case, "rules");
        let rules = Rules::decode(&mut encoded.as_slice()).unwrap();
        let error = rules.check().expect_err(text(case, "comment")).to_string();
        assert!(error.ends_with("(B3)"), "{error}");
    }
    for case in list(&file, "good") {
        let rules = Rules::decode(&mut bytes(case, "rules").as_slice()).unwrap();
        assert_eq!(rules.check(), Ok(()), "{}", text(case, "comment"));
        assert_eq!(Block::genesis(&rules).hash().0, hash32(case, "chain_id"));
    }
    for case in list(&file, "undecodable") {
        let encoded = bytes(case, "rules");
        let mut input = encoded.as_slice();
        let whole = Rules::decode(&mut input).is_ok_and(|rules| input.is_empty() && rules.check().is_ok());
        assert!(!whole, "{}", text(case, "comment"));
    }
    for case in list(&file, "deployments") {
        let height = |pair: &Value| Height(u32::try_from(number(&pair[0])).unwrap());
        let deployment = Deployment {
            activations: case["activations"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| (height(pair), pair[1].as_str().unwrap().as_bytes().to_vec()))
                .collect(),
            checkpoints: case["checkpoints"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| {
                    let hash: [u8; 32] = from_hex(pair[1].as_str().unwrap()).unwrap().try_into().unwrap();
                    (height(pair), BlockHash(hash))
                })
                .collect(),
            ..Params::regtest().deployment
        };
        assert_eq!(deployment.hash(), hash32(case, "hash"));
    }
}

#[test]
fn subsidies() {
    let file = load("pow.json");
    for row in list(&file, "subsidy") {
        let rules = rules_of(&file, row[0].as_str().unwrap());
        assert_eq!(rules.subsidy_at(Height(u32::try_from(number(&row[1])).unwrap())).atoms(), number(&row[2]), "{row}");
    }
    let odd = Rules { subsidy: 1 << 63, halving_interval: 1, ..Rules::regtest() };
    for row in list(&file, "subsidy_odd") {
        let height = Height(u32::try_from(number(&row[0])).unwrap());
        assert_eq!(odd.subsidy_at(height).atoms(), number(&row[1]), "{row}");
    }
}

#[test]
fn commitments_of_headers() {
    let file = load("pow.json");
    for case in list(&file, "commitments") {
        let encoded = bytes(case, "roots");
        let roots = Roots::decode(&mut encoded.as_slice()).unwrap();
        assert_eq!(roots.encode(), encoded);
        assert_eq!(roots.commitment().0, hash32(case, "commitment"));
    }
}

#[test]
fn codec_compacts() {
    let file = load("codec.json");
    for case in list(&file, "compacts") {
        let (encoded, n) = (bytes(case, "bytes"), number(&case["n"]));
        for width in list(case, "fits").iter().map(number) {
            let mut input = encoded.as_slice();
            let found = match width {
                16 => Compact::<u16>::decode(&mut input).map(|n| u64::from(n.0)),
                32 => Compact::<u32>::decode(&mut input).map(|n| u64::from(n.0)),
                _ => Compact::<u64>::decode(&mut input).map(|n| n.0),
            };
            assert_eq!((found.unwrap(), input.len()), (n, 0));
            assert_eq!(Compact(n).encode(), encoded);
        }
    }
    for case in list(&file, "bad_compacts") {
        let encoded = bytes(case, "bytes");
        assert!(Compact::<u64>::decode(&mut encoded.as_slice()).is_err(), "{case}");
    }
}

#[test]
fn codec_transactions() {
    let file = load("codec.json");
    for case in list(&file, "txs") {
        let (rules, chain_id) = (rules_of(&file, text(case, "network")), chain_id_of(&file, text(case, "network")));
        let encoded = bytes(case, "bytes");
        let tx = Transaction::from_bytes(&encoded, &rules).unwrap_or_else(|e| panic!("{e}: {}", text(case, "comment")));
        assert_eq!(tx.bytes(), encoded);
        let again = Transaction::new(tx.body().clone(), tx.signatures().to_vec()).unwrap();
        assert_eq!(again, tx, "re-encoding");
        let body = tx.body();
        assert_eq!(body.encode().len() as u64, number(&case["body_length"]));
        assert_eq!(body.payer.0, hash32(case, "payer"));
        assert_eq!(body.nonce, number(&case["nonce"]));
        assert_eq!(body.fee.atoms(), number(&case["fee"]));
        assert_eq!(u64::from(body.expiry.map_or(0, |h| h.0)), number(&case["expiry"]));
        let kinds: Vec<String> = list(case, "ops").iter().map(|op| text(op, "op").to_lowercase()).collect();
        assert_eq!(body.ops.iter().map(Op::kind).collect::<Vec<_>>(), kinds);
        assert_eq!(tx.sighash(&chain_id).0, hash32(case, "sighash"));
        assert_eq!(tx.txid(&chain_id).0, hash32(case, "txid"));
        assert_eq!(tx.wtxid().0, hash32(case, "wtxid"));
        let claims = body.ops.iter().filter_map(|op| match op {
            Op::Claim(claim) => Some(claim.commitment(&chain_id).to_string()),
            _ => None,
        });
        let expected: Vec<String> = case.get("claims").map_or_else(Vec::new, |claims| {
            claims.as_array().unwrap().iter().map(|hash| hash.as_str().unwrap().to_owned()).collect()
        });
        assert_eq!(claims.collect::<Vec<_>>(), expected);
        check_signatures(&tx, &chain_id, case);
    }
    for case in list(&file, "undecodable") {
        let rules = rules_of(&file, text(case, "network"));
        let decoded = Transaction::from_bytes(&bytes(case, "bytes"), &rules);
        assert!(decoded.is_err(), "{}: {}", text(case, "rule"), text(case, "comment"));
    }
    for case in list(&file, "signatures") {
        let (rules, chain_id) = (rules_of(&file, text(case, "network")), chain_id_of(&file, text(case, "network")));
        let tx = Transaction::from_bytes(&bytes(case, "bytes"), &rules).unwrap();
        check_signatures(&tx, &chain_id, case);
    }
}

fn check_signatures(tx: &Transaction, chain_id: &ChainId, case: &Value) {
    let sighash = tx.sighash(chain_id);
    let good: Vec<bool> = tx.key_signatures().map(|(key, signature)| key.verifies(&sighash, signature)).collect();
    let expected: Vec<bool> = list(case, "good").iter().map(|good| good.as_bool().unwrap()).collect();
    assert_eq!(good, expected, "{}", text(case, "comment"));
    assert_eq!(signatures_good(tx, chain_id), good.iter().all(|good| *good));
}

#[test]
fn names_and_stages() {
    let file = load("names.json");
    for case in list(&file, "labels") {
        let found = Name::from_bytes(&bytes(case, "label"));
        match (case["rule"].as_str(), case["reserved"].as_bool().unwrap()) {
            (None, false) => assert!(found.is_ok(), "{case}"),
            (None, true) => assert!(matches!(found, Err(NameError::Reserved(_))), "{case}"),
            (Some(_), _) => assert!(!matches!(found, Ok(_) | Err(NameError::Reserved(_))), "{case}"),
        }
    }
    for row in list(&file, "stages") {
        let rules = rules_of(&file, row[0].as_str().unwrap());
        let height = |at: usize| Height(u32::try_from(number(&row[at])).unwrap());
        assert_eq!(Stage::of(height(1), height(2), &rules).as_str(), row[3].as_str().unwrap(), "{row}");
    }
}

#[test]
fn records() {
    let file = load("records.json");
    let encoded = |case: &Value| {
        let mut encoded = bytes(case, "bytes");
        let pad = case.get("pad").map_or(0, number);
        encoded.resize(encoded.len() + usize::try_from(pad).unwrap(), 0);
        encoded
    };
    let decode = |case: &Value| {
        let rules = rules_of(&file, text(case, "network"));
        Records::decode(&encoded(case), rules.record_limits(text(case, "name").len()))
    };
    for case in list(&file, "good") {
        let comment = text(case, "comment");
        let records = decode(case).unwrap_or_else(|error| panic!("{comment}: {error}"));
        assert_eq!(records.encode(), encoded(case), "{comment}");
        assert_eq!(records_hash(&encoded(case)).0, hash32(case, "hash"), "{comment}");
        let Some(sets) = case["rrsets"].as_array() else { continue };
        let hex = |value: &Value| from_hex(value.as_str().unwrap()).unwrap();
        let expected: Vec<RecordSet> = sets
            .iter()
            .map(|set| {
                let labels: Vec<Vec<u8>> = set["owner"].as_array().unwrap().iter().map(hex).collect();
                RecordSet {
                    owner: Owner::new(labels.iter().map(Vec::as_slice)),
                    rtype: u16::try_from(number(&set["type"])).unwrap(),
                    ttl: u32::try_from(number(&set["ttl"])).unwrap(),
                    rdatas: set["rdatas"].as_array().unwrap().iter().map(hex).collect(),
                }
            })
            .collect();
        assert_eq!(records.sets(), expected, "{comment}");
    }
    for case in list(&file, "bad") {
        assert!(decode(case).is_err(), "{}: {}", text(case, "rule"), text(case, "comment"));
    }
}

#[test]
fn addresses() {
    let file = load("address.json");
    let prefix = |case: &Value| Params::named(text(case, "network")).unwrap().deployment.address_prefix;
    for case in list(&file, "good") {
        let key = PublicKey(hash32(case, "key"));
        assert_eq!(key.address(&prefix(case)), text(case, "address"));
        assert_eq!(PublicKey::from_address(text(case, "address"), &prefix(case)), Ok(key));
    }
    for case in list(&file, "bad") {
        assert!(PublicKey::from_address(text(case, "address"), &prefix(case)).is_err(), "{case}");
    }
}

#[test]
fn tree_proofs() {
    let file = load("trie.json");
    let trie_key = |value: &Value| tag::KEY.hash(&[&bytes(value, "key")]);
    for set in list(&file, "sets") {
        let root = StateRoot(hash32(set, "root"));
        for case in set["proofs"].as_array().unwrap() {
            let encoded = bytes(case, "proof");
            let mut input = encoded.as_slice();
            let proof = TreeProof::decode(&mut input).unwrap();
            assert!(input.is_empty());
            assert_eq!(proof.encode(), encoded);
            let value = proof.verify(&trie_key(case), &root).unwrap();
            assert_eq!(value.map(to_hex), case["value"].as_str().map(str::to_owned));
        }
    }
    for case in list(&file, "broken") {
        let encoded = bytes(case, "proof");
        let mut input = encoded.as_slice();
        let root = StateRoot(hash32(case, "root"));
        let good = TreeProof::decode(&mut input)
            .is_ok_and(|proof| input.is_empty() && proof.verify(&trie_key(case), &root).is_ok());
        assert!(!good, "{}: {}", text(case, "rule"), text(case, "comment"));
    }
}

#[test]
fn name_proofs() {
    let file = load("proofs.json");
    for case in list(&file, "good") {
        let (rules, encoded) = (rules_of(&file, text(case, "network")), bytes(case, "proof"));
        let Ok(name) = text(case, "name").parse() else { continue };
        let trusted = BlockHash(hash32(case, "trusted"));
        let proof = NameProof::decode(&encoded, &rules).unwrap();
        assert_eq!(proof.encode(), encoded);
        let proved = proof.verify(&name, &trusted, &rules).unwrap_or_else(|e| panic!("{e}: {}", text(case, "comment")));
        assert_eq!(u64::from(proved.height.0), number(&case["height"]));
        match proved.name {
            Some((entry, stage, records)) => {
                assert_eq!(to_hex(&entry.encode()), text(case, "value"));
                assert_eq!(stage.as_str(), text(case, "stage"));
                assert_eq!(to_hex(&records), text(case, "records"));
            }
            None => assert!(case["value"].is_null(), "{case}"),
        }
        every_changed_byte_fails(&encoded, &name, &trusted, &rules);
    }
    for case in list(&file, "bad") {
        let (rules, encoded) = (rules_of(&file, text(case, "network")), bytes(case, "proof"));
        let Ok(name) = text(case, "name").parse() else { continue };
        let trusted = BlockHash(hash32(case, "trusted"));
        let verdict = NameProof::decode(&encoded, &rules).and_then(|proof| proof.verify(&name, &trusted, &rules));
        assert!(verdict.is_err(), "{}: {}", text(case, "rule"), text(case, "comment"));
    }
}

fn every_changed_byte_fails(encoded: &[u8], name: &Name, trusted: &BlockHash, rules: &Rules) {
    for at in 0..encoded.len() {
        let mut changed = encoded.to_vec();
        changed[at] ^= 1 << (at % 8);
        let verdict = NameProof::decode(&changed, rules).and_then(|proof| proof.verify(name, trusted, rules));
        assert!(verdict.is_err(), "byte {at} of {} changed", encoded.len());
    }
}
