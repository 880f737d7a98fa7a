//! What the language-neutral vectors say is true: the statements that no proof may contradict.

use std::sync::LazyLock;

use dotp2p_chain::codec::decode_all;
use dotp2p_chain::entry::EntryKey;
use dotp2p_chain::hash::{BlockHash, StateRoot, from_hex};
use dotp2p_chain::name::Name;
use dotp2p_chain::params::Rules;
use dotp2p_chain::proof::{NameProof, Proved, TreeProof};
use parity_scale_codec::Decode;
use serde_json::Value;

/// A key of a state, what stands there, and the proof of it.
pub struct TreeCase {
    /// The state's root.
    pub root: StateRoot,
    /// The hashed key.
    pub key: [u8; 32],
    /// The value's bytes, if there is an entry.
    pub value: Option<Vec<u8>>,
    /// As the vectors prove it.
    pub proof: TreeProof,
}

/// A name at a block, what is true of it, and the proof.
pub struct NameCase {
    /// The network's rules.
    pub rules: Rules,
    /// The name.
    pub name: Name,
    /// The block.
    pub trusted: BlockHash,
    /// What the proof shows.
    pub truth: Proved,
    /// As the vectors prove it.
    pub proof: NameProof,
}

/// Every key that `trie.json` has a proof for.
pub static TREE: LazyLock<Vec<TreeCase>> = LazyLock::new(|| {
    let file = read(include_str!("../../tests/vectors/trie.json"));
    let sets = file["sets"].as_array().expect("sets").iter();
    sets.flat_map(|set| {
        let root = StateRoot(bytes(&set["root"]).try_into().expect("32 bytes"));
        set["proofs"].as_array().expect("proofs").iter().map(move |case| TreeCase {
            root,
            key: dotp2p_chain::hash::tag::KEY.hash(&[&bytes(&case["key"])]),
            value: (!case["value"].is_null()).then(|| bytes(&case["value"])),
            proof: TreeProof::decode(&mut bytes(&case["proof"]).as_slice()).expect("a good proof"),
        })
    })
    .collect()
});

/// Every good proof of `proofs.json` of a name that can be claimed.
pub static NAMES: LazyLock<Vec<NameCase>> = LazyLock::new(|| {
    let file = read(include_str!("../../tests/vectors/proofs.json"));
    let good = file["good"].as_array().expect("good").iter();
    good.filter_map(|case| {
        let name: Name = text(&case["name"]).parse().ok()?;
        let rules = bytes(&file["networks"][text(&case["network"])]["rules"]);
        let rules = decode_all(&rules, |input| Ok(Rules::decode(input)?)).expect("rules");
        let trusted = BlockHash(bytes(&case["trusted"]).try_into().expect("32 bytes"));
        let proof = NameProof::decode(&bytes(&case["proof"]), &rules).expect("a proof");
        let truth = proof.verify(&name, &trusted, &rules).expect("a good proof");
        Some(NameCase { rules, name, trusted, truth, proof })
    })
    .collect()
});

/// The leaf keys of all names in use, for proofs that end at somebody else's entry.
pub fn other_keys() -> impl Iterator<Item = [u8; 32]> {
    TREE.iter().map(|case| case.key).chain(NAMES.iter().map(|case| EntryKey::Name(case.name.clone()).trie_key()))
}

fn read(json: &str) -> Value {
    serde_json::from_str(json).expect("the vectors are JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn bytes(value: &Value) -> Vec<u8> {
    from_hex(text(value)).expect("hexadecimal")
}
