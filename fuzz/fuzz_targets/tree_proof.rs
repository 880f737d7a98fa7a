//! Tree proofs: whatever is done to a proof, it never shows anything but the truth. The states and their true entries
//! are those of `tests/vectors/trie.json`.

#![no_main]

use arbitrary::Arbitrary;
use dotp2p_chain::proof::{PathEnd, TREE_PROOF_MAX, TreeProof};
use dotp2p_fuzz::vectors::{TREE, TreeCase, other_keys};
use dotp2p_fuzz::{Cost, check_error, within};
use libfuzzer_sys::fuzz_target;

/// What is done to a real proof before it is shown for some key of some state.
#[derive(Arbitrary, Debug)]
struct Attack {
    /// The statement it is shown for.
    case: u16,
    /// The proof it begins as; the statement's own where there is none.
    other: Option<u16>,
    edits: Vec<Edit>,
    /// Bytes to be shown as they are, instead.
    bytes: Option<Vec<u8>>,
}

#[derive(Arbitrary, Debug)]
enum Edit {
    Flip { at: u16, byte: u8, bit: u8 },
    Drop { at: u16 },
    Insert { at: u16, sibling: Option<[u8; 32]> },
    Swap { at: u16, with: u16 },
    Blank { at: u16 },
    CutTo { len: u16 },
    EndOf { case: u16 },
    Nothing,
    Value { bytes: Vec<u8> },
    OtherKey { case: u16, value_hash: [u8; 32] },
    OtherHash { value_hash: [u8; 32] },
    SiblingOf { case: u16, from: u16, at: u16 },
}

fuzz_target!(|attack: Attack| {
    let len = attack.bytes.as_ref().map_or(0, Vec::len) + 64 * attack.edits.len();
    within(len.max(TREE_PROOF_MAX), Cost { per_byte: 256, cpu_ms: 100 }, || run(&attack));
});

fn case(at: u16) -> &'static TreeCase {
    &TREE[usize::from(at) % TREE.len()]
}

fn run(attack: &Attack) {
    let shown = case(attack.case);
    let proof = match &attack.bytes {
        Some(bytes) => {
            let mut rest = bytes.as_slice();
            match TreeProof::decode(&mut rest) {
                Ok(proof) => {
                    let used = bytes.len() - rest.len();
                    assert_eq!(proof.encode(), bytes[..used], "a tree proof has one form");
                    assert!(used <= TREE_PROOF_MAX, "{used} bytes");
                    proof
                }
                Err(error) => return check_error(&error),
            }
        }
        None => {
            let mut proof = attack.other.map_or(shown, case).proof.clone();
            attack.edits.iter().for_each(|edit| apply(edit, &mut proof));
            proof
        }
    };
    let verdict = proof.verify(&shown.key, &shown.root);
    match &verdict {
        Ok(value) => assert_eq!(*value, shown.value.as_deref(), "a proof of what is not so: {proof:?}"),
        Err(error) => check_error(error),
    }
    // What cannot be sent need not be looked at further.
    if let Ok(sent) = TreeProof::decode(&mut proof.encode().as_slice())
        && sent == proof
    {
        assert_eq!(sent.verify(&shown.key, &shown.root), verdict, "sent, it says the same");
    }
}

fn apply(edit: &Edit, proof: &mut TreeProof) {
    let len = proof.siblings.len();
    let place = |at: &u16| usize::from(*at) % len.max(1);
    match edit {
        Edit::Flip { at, byte, bit } => {
            if let Some(Some(sibling)) = proof.siblings.get_mut(place(at)) {
                sibling[usize::from(*byte % 32)] ^= 1 << (bit % 8);
            }
        }
        Edit::Drop { at } if len > 0 => {
            proof.siblings.remove(place(at));
        }
        Edit::Insert { at, sibling } if len < 300 => proof.siblings.insert(place(at), *sibling),
        Edit::Swap { at, with } if len > 0 => proof.siblings.swap(place(at), place(with)),
        Edit::Blank { at } if len > 0 => proof.siblings[place(at)] = None,
        Edit::CutTo { len } => proof.siblings.truncate((*len).into()),
        Edit::EndOf { case: at } => proof.end = case(*at).proof.end.clone(),
        Edit::Nothing => proof.end = PathEnd::Nothing,
        Edit::Value { bytes } => proof.end = PathEnd::Entry(bytes.clone()),
        Edit::OtherKey { case, value_hash } => {
            let key = other_keys().nth(usize::from(*case) % TREE.len()).unwrap_or_default();
            proof.end = PathEnd::Other { key, value_hash: *value_hash };
        }
        Edit::OtherHash { value_hash: new } => {
            if let PathEnd::Other { value_hash, .. } = &mut proof.end {
                *value_hash = *new;
            }
        }
        Edit::SiblingOf { case: at, from, at: to } if len > 0 => {
            let theirs = &case(*at).proof.siblings;
            if let Some(sibling) = theirs.get(usize::from(*from) % theirs.len().max(1)) {
                proof.siblings[place(to)] = *sibling;
            }
        }
        _ => {}
    }
}
