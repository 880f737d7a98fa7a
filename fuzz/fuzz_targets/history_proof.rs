//! History proofs: a real range, a real proof, and what an attacker does to it; never is another leaf, place or length
//! proved than the true one.

#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use dotp2p_chain::history::{History, HistoryProof, Node};
use dotp2p_chain::pow::Work;
use dotp2p_fuzz::{Cost, check_error, within};
use libfuzzer_sys::fuzz_target;
use parity_scale_codec::{Decode, Encode};

#[derive(Arbitrary, Debug)]
struct Attack {
    /// Headers in the range.
    leaves: u8,
    /// The true leaf.
    index: u8,
    /// What is claimed.
    claim: Claim,
    /// What is done to the proof's bytes.
    edits: Vec<Edit>,
    /// What is shown instead of the proof.
    bytes: Option<Vec<u8>>,
}

#[derive(Arbitrary, Debug)]
struct Claim {
    leaves: Option<u32>,
    index: Option<u32>,
    leaf: Option<u8>,
    /// A node above as the leaf.
    sibling: Option<u8>,
}

#[derive(Arbitrary, Debug)]
enum Edit {
    Flip { at: u16, bit: u8 },
    Drop { at: u8 },
    Swap { at: u8, with: u8 },
    Repeat { at: u8 },
    Foreign { at: u8, leaves: u8, index: u8 },
}

static LONGEST: LazyLock<History> = LazyLock::new(|| history(255));

fuzz_target!(|attack: Attack| {
    LazyLock::force(&LONGEST);
    let len = attack.bytes.as_ref().map_or(0, Vec::len) + 128 * attack.edits.len();
    within(len.max(256 * Node::LEN), Cost { per_byte: 16, cpu_ms: 200 }, || run(&attack));
});

/// All leaves have the same work, so that counts can lie without the work telling.
fn leaf(index: u8) -> Node {
    let mut work = [0; 32];
    work[0] = 2;
    let hash = dotp2p_chain::hash::sha256(&[index]);
    Node { hash, count: 1, work: Work::from_le_bytes(work), last_time: 60 * u64::from(index) }
}

fn history(leaves: u8) -> History {
    let mut history = History::new();
    (0..leaves).for_each(|index| history.push(leaf(index)));
    history
}

fn run(attack: &Attack) {
    let range = history(attack.leaves);
    let (leaves, root) = (range.len(), range.root());
    let mut shorter = LONGEST.clone();
    shorter.truncate(leaves);
    assert_eq!((shorter.root(), shorter.len()), (root, leaves), "what is cut off is as if it had never been");
    let index = u32::from(attack.index) % leaves.max(1);
    let proof = range.prove(index);
    assert_eq!(proof.is_some(), index < leaves, "what is there can be proved");
    if let Some(proof) = &proof {
        assert_eq!(proof.check(&root, leaves, index, &leaf(index as u8)), Ok(()), "the truth");
    }
    let shown = match &attack.bytes {
        Some(bytes) => HistoryProof::decode(bytes),
        None => {
            let mut nodes = proof.map_or(Vec::new(), |proof| nodes(&proof));
            attack.edits.iter().for_each(|edit| apply(edit, &mut nodes));
            HistoryProof::decode(&nodes.encode())
        }
    };
    let shown = match shown {
        Ok(shown) => shown,
        Err(error) => return check_error(&error),
    };
    if let Some(bytes) = &attack.bytes {
        assert_eq!(shown.encode(), *bytes, "a history proof has one form");
    }
    let (claimed, place) = (attack.claim.leaves.unwrap_or(leaves), attack.claim.index.unwrap_or(index));
    let mut of = leaf(attack.claim.leaf.unwrap_or(index as u8));
    if let Some(sibling) = attack.claim.sibling.and_then(|at| nodes(&shown).get(usize::from(at)).copied()) {
        of = sibling;
    }
    match shown.check(&root, claimed, place, &of) {
        Ok(()) => {
            assert_eq!(claimed, leaves, "another length is proved");
            // Where there is but one leaf the root does not cover work and time: the verifier has them from the header.
            let truth = leaf(u8::try_from(place).expect("within the range"));
            assert_eq!(of.hash, truth.hash, "another leaf is proved");
            assert!(leaves == 1 || of == truth, "another work or time is proved");
        }
        Err(error) => check_error(&error),
    }
}

fn nodes(proof: &HistoryProof) -> Vec<Node> {
    Vec::<Node>::decode(&mut proof.encode().as_slice()).expect("nodes")
}

fn apply(edit: &Edit, nodes: &mut Vec<Node>) {
    let len = nodes.len();
    if len == 0 {
        return;
    }
    let place = |at: u8| usize::from(at) % len;
    match *edit {
        Edit::Flip { at, bit } => {
            let mut bytes = nodes.encode();
            let at = 1 + usize::from(at) % (bytes.len() - 1);
            bytes[at] ^= 1 << (bit % 8);
            *nodes = Vec::decode(&mut bytes.as_slice()).unwrap_or_default();
        }
        Edit::Drop { at } => {
            nodes.remove(place(at));
        }
        Edit::Swap { at, with } => nodes.swap(place(at), place(with)),
        Edit::Repeat { at } => nodes.insert(place(at), nodes[place(at)]),
        Edit::Foreign { at, leaves, index } => {
            let theirs = history(leaves).prove(u32::from(index)).map(|proof| self::nodes(&proof)).unwrap_or_default();
            if let Some(node) = theirs.get(place(at)) {
                nodes[place(at)] = *node;
            }
        }
    }
}
