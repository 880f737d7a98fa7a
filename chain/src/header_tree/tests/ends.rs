//! What the tree promises of its cost: links that skip far, and no more ends than branches.

use super::*;
use crate::header_tree::walk::skip_height;

/// By hand from Bitcoin Core's `GetSkipHeight`.
#[test]
fn links_skip_as_in_bitcoin_core() {
    let expected = [0, 0, 0, 1, 0, 1, 4, 1, 0, 1, 8, 1, 8, 1, 12, 9, 0, 1];
    for (height, skipped) in (0..).zip(expected) {
        assert_eq!(skip_height(Height(height)), Height(skipped), "from {height}");
    }
    for (height, skipped) in [(100, 96), (101, 65), (1 << 31, 0), (u32::MAX, u32::MAX - 6)] {
        assert_eq!(skip_height(Height(height)), Height(skipped), "from {height}");
    }
}

#[test]
fn a_block_with_another_good_child_is_no_end() {
    let (mut tree, hashes) = chain(0);
    let parent = connect(&mut tree, hashes[0], EASY, 1);
    let children = [2, 3, 4].map(|nonce| connect(&mut tree, parent, EASY, nonce));
    let ends = |tree: &HeaderTree| (tree.connected_ends.len(), tree.header_ends.len());
    assert_eq!(ends(&tree), (3, 3));
    tree.reject(&children[0]);
    assert_eq!(ends(&tree), (2, 2), "two children still follow it");
    tree.reject(&children[1]);
    assert_eq!(ends(&tree), (1, 1));
    // A header follows: it is the end of the headers, of the connected blocks its parent is.
    insert(&mut tree, parent, EASY, 5);
    tree.reject(&children[2]);
    assert_eq!((ends(&tree), tree.best()), ((1, 1), parent));
}

/// The heights that Bitcoin Core's `GetAncestor` visits on its way down.
fn visited(from: u32, to: u32) -> Vec<u32> {
    let skip = |height| skip_height(Height(height)).0;
    let mut way = vec![from];
    let mut at = from;
    while at > to {
        let (here, next) = (skip(at), skip(at - 1));
        let skips = here == to || (here > to && !(next + 2 < here && next >= to));
        at = if skips { here } else { at - 1 };
        way.push(at);
    }
    way
}

#[test]
fn an_ancestor_is_reached_by_few_links() {
    let (mut tree, hashes) = chain(140);
    let links: Vec<_> = tree.entries.iter().map(|entry| (entry.parent, entry.skip)).collect();
    for from in 1..=140_u32 {
        for to in 0..from {
            let way = visited(from, to);
            assert!(way.len() <= 25, "{} steps from {from} to {to}", way.len() - 1);
            // Every other block leads nowhere: a step beside the way and the ancestor is not found.
            for ((height, entry), links) in (0..).zip(&mut tree.entries).zip(&links) {
                (entry.parent, entry.skip) = if way.contains(&height) { *links } else { (None, None) };
            }
            let found = tree.ancestor(&hashes[from as usize], Height(to));
            assert_eq!(found, Some(hashes[to as usize]), "from {from} to {to}");
        }
    }
}
