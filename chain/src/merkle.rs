//! The tree over a block's coinbase and transactions: RFC 6962 with plain SHA-256. Rule B10.
//!
//! Leaves and inner nodes are hashed with different first bytes, so that no node passes for a leaf, and an odd node is
//! carried up instead of being doubled, so that no two lists of leaves share a root.

use sha2::{Digest, Sha256};

use crate::hash::TxRoot;

/// The root over `leaves`, each the bytes of one leaf, in order. Rule B10.
///
/// The leaves are hashed as they come: what is kept is one hash a level, not one a leaf. A block always has leaf 0, the
/// coinbase; of no leaves the root is SHA-256 of nothing, as in the source.
///
/// Source: RFC 6962, section 2.1.
pub fn root<'a>(leaves: impl IntoIterator<Item = &'a [u8]>) -> TxRoot {
    // Roots of the perfect trees so far, largest first: one for each bit set in the number of leaves.
    let mut peaks: Vec<[u8; 32]> = Vec::new();
    for (count, leaf) in leaves.into_iter().enumerate() {
        let mut hash = leaf_hash(leaf);
        // The leaf completes as many trees as the count before it has ones at the end.
        for _ in 0..count.trailing_ones() {
            if let Some(left) = peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        peaks.push(hash);
    }
    let root = peaks.into_iter().rev().reduce(|right, left| node_hash(&left, &right));
    TxRoot(root.unwrap_or_else(|| crate::hash::sha256(b"")))
}

fn leaf_hash(data: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix([0x00]).chain_update(data).finalize().into()
}

fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new_with_prefix([0x01]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash::sha256;

    fn root_of(leaves: &[Vec<u8>]) -> String {
        root(leaves.iter().map(Vec::as_slice)).to_string()
    }

    /// The definition, word for word: split at the largest power of two below the number of leaves.
    fn naive(leaves: &[Vec<u8>]) -> [u8; 32] {
        match leaves {
            [] => sha256(b""),
            [leaf] => sha256(&[&[0x00], leaf.as_slice()].concat()),
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                sha256(&[&[0x01], naive(left).as_slice(), &naive(right)].concat())
            }
        }
    }

    #[test]
    fn b10_examples() {
        let leaves = [vec![0], vec![1], vec![2]];
        assert_eq!(root_of(&leaves), "3b6cccd7e3e023ff393006f030315ee7ad9eb111b022b41fba7e5b7a3973f688");
        assert_eq!(root_of(&leaves[..2]), "a20bf9a7cc2dc8a08f5f415a71b19f6ac427bab54d24eec868b5d3103449953a");
        assert_eq!(root_of(&leaves[..1]), "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7");
        assert_eq!(root_of(&[]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    /// The eight leaves with which implementations of RFC 6962 (Certificate Transparency) test their roots.
    #[test]
    fn certificate_transparency_roots() {
        let leaves =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let leaves: Vec<_> = leaves.iter().map(|hex| crate::hash::from_hex(hex).unwrap()).collect();
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (count, expected) in (1..).zip(roots) {
            assert_eq!(root_of(&leaves[..count]), expected, "{count} leaves");
        }
    }

    proptest! {
        #[test]
        fn streaming_is_the_definition(leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..70)) {
            prop_assert_eq!(root(leaves.iter().map(Vec::as_slice)).0, naive(&leaves));
        }
    }
}
