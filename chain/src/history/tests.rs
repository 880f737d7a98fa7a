use proptest::prelude::*;
use ruint::aliases::U256;

use super::*;
use crate::hash::{BlockHash, RootsCommitment, sha256};
use crate::pow::CompactTarget;

/// The leaves of B11's examples.
fn leaf(i: u32) -> Node {
    let work = Work::from_le_bytes(U256::from(16_777_472).to_le_bytes());
    Node { hash: sha256(&[i.to_le_bytes()[0]]), count: 1, work, last_time: 1_793_491_200 + 60 * u64::from(i) }
}

fn history(leaves: u32) -> History {
    let mut history = History::new();
    (0..leaves).for_each(|i| history.push(leaf(i)));
    history
}

/// The range by its definition: split at the largest power of two not above the number of leaves, bag from the right.
fn naive(leaves: &[Node]) -> Option<Node> {
    match leaves {
        [] => None,
        [leaf] => Some(*leaf),
        _ => {
            let half = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(half);
            Some(Node::parent(&naive(left)?, &naive(right)?))
        }
    }
}

#[test]
fn b11_examples() {
    let roots = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "3cde4b8130aebe3c405313490d9c84f53bf0c99338a920abfee6239a7352e4b1",
        "af9e72abbac70d69c9d48767f520745c0d5e8f82db0722f64e68cabf39815c2e",
        "1bfdf5a7030ecbccd2abaae66a427c1269b4985ce96309f2c190b23e0989b5ad",
        "eaa38172f97838605195f11c905dc38e4baa2abf2f361b788185cc7ac5c7e262",
    ];
    for (leaves, root) in (0..).zip(roots) {
        assert_eq!(history(leaves).root().to_string(), root, "{leaves} leaves");
    }
    let hex = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d0100000000010001000000000000000000000000000000000000000000000000000000000081e66a00000000";
    assert_eq!(crate::hash::to_hex(&leaf(0).encode()), hex);
    assert_eq!(leaf(0).encode().len(), Node::LEN);
}

#[test]
fn a_leaf_is_its_header() {
    let bits = CompactTarget::from_consensus(0x1e00_ffff);
    let header = Header {
        version: 1,
        prev_blockhash: BlockHash::ZERO,
        commitment: RootsCommitment::ZERO,
        time: 7,
        bits,
        nonce: 0,
    };
    let leaf = Node::leaf(&header).unwrap();
    assert_eq!((leaf.hash, leaf.count, leaf.last_time), (header.hash().0, 1, 7));
    assert_eq!(leaf.work, bits.to_target().unwrap().work());
    assert_eq!(Node::leaf(&Header { bits: CompactTarget::from_consensus(0), ..header }), None);
}

#[test]
fn total_sums_count_and_work() {
    let total = history(1000).total().unwrap();
    assert_eq!((total.count, total.last_time), (1000, leaf(999).last_time));
    assert_eq!(total.work, Work::from_le_bytes(U256::from(16_777_472_000_u64).to_le_bytes()));
    assert_eq!(History::new().total(), None);
}

#[test]
fn every_leaf_is_proved_and_no_other_passes() {
    for leaves in 1..=40 {
        let history = history(leaves);
        let root = history.root();
        for index in 0..leaves {
            let proof = history.prove(index).unwrap();
            assert_eq!(HistoryProof::decode(&proof.encode()), Ok(proof.clone()));
            assert_eq!(history.leaf(index), Some(&leaf(index)));
            assert_eq!(proof.check(&root, leaves, index, &leaf(index)), Ok(()), "{index} of {leaves}");
            for other in (0..leaves).filter(|other| *other != index) {
                assert!(proof.check(&root, leaves, other, &leaf(index)).is_err());
                assert!(proof.check(&root, leaves, index, &leaf(other)).is_err());
            }
            let mut forged = proof.clone();
            if let Some(node) = forged.siblings.last_mut() {
                node.last_time += 1;
                assert!(matches!(forged.check(&root, leaves, index, &leaf(index)), Err(HistoryProofError::Root(_))));
                forged.siblings.pop();
                let refused = forged.check(&root, leaves, index, &leaf(index));
                assert!(matches!(refused, Err(HistoryProofError::Siblings { .. })));
            }
        }
        assert_eq!(history.prove(leaves), None);
        assert_eq!(history.leaf(leaves), None);
    }
}

#[test]
fn proofs_are_refused_with_a_reason() {
    let (history, root) = (history(3), history(3).root());
    let proof = history.prove(0).unwrap();
    assert_eq!(proof.check(&root, 3, 3, &leaf(0)), Err(HistoryProofError::Index { index: 3, leaves: 3 }));
    // The hashes of a range that counts a header twice; no valid block has such a root.
    let odd = Node { count: 2, ..leaf(0) };
    let proof_of_odd = HistoryProof { siblings: vec![leaf(1)] };
    let root = HistoryRoot(Node::parent(&odd, &leaf(1)).hash);
    let refused = proof_of_odd.check(&root, 2, 0, &odd);
    assert_eq!(refused, Err(HistoryProofError::Count { found: 3, expected: 2 }));
    let mut long = vec![33 << 2];
    long.resize(1 + 33 * Node::LEN, 0);
    assert!(matches!(HistoryProof::decode(&long), Err(DecodeError::Length { len: 33, .. })));
    assert!(matches!(HistoryProof::decode(&[0, 0]), Err(DecodeError::TrailingBytes(1))));
    assert!(HistoryProof::decode(&[4]).is_err());
}

#[test]
fn no_place_needs_more_than_the_bound() {
    for leaves in [1, 2, 3, u32::MAX - 1, u32::MAX, 1 << 31, (1 << 31) + 1] {
        for index in [0, 1, leaves / 2, leaves - 1] {
            let most = Place::of(leaves, index).map_or(0, |place| place.siblings());
            assert!(most <= HistoryProof::MAX_NODES, "{index} of {leaves}: {most}");
        }
    }
    assert_eq!(nodes_of(u32::MAX), 2 * u32::MAX as usize - 32);
    assert_eq!(peaks(u32::MAX).last(), Some((u32::MAX - 1, 0)));
}

proptest! {
    #[test]
    fn root_is_the_definition(leaves in 0_u32..300) {
        let all: Vec<_> = (0..leaves).map(leaf).collect();
        let expected = naive(&all).map_or(HistoryRoot::ZERO, |node| HistoryRoot(node.hash));
        prop_assert_eq!(history(leaves).root(), expected);
    }

    #[test]
    fn truncate_undoes_push(steps in prop::collection::vec((1_u32..40, 0_u32..40), 1..20)) {
        let mut model: Vec<Node> = Vec::new();
        let mut history = History::new();
        let mut next = 0;
        for (push, back) in steps {
            for _ in 0..push {
                history.push(leaf(next));
                model.push(leaf(next));
                next += 1;
            }
            let before = history.clone();
            (0..back).for_each(|i| history.push(leaf(i)));
            history.truncate(before.len());
            prop_assert_eq!(&history.nodes, &before.nodes);
            let kept = history.len().saturating_sub(back);
            history.truncate(kept);
            model.truncate(kept as usize);
            prop_assert_eq!(history.len(), kept);
            prop_assert_eq!(history.total(), naive(&model));
        }
    }

    #[test]
    fn decoding_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(proof) = HistoryProof::decode(&bytes) {
            prop_assert_eq!(proof.encode(), bytes);
        }
    }
}
