use super::*;
use crate::check::MEDIAN_SPAN;
use crate::hash::RootsCommitment;
use crate::pow::CompactTarget;

mod ends;
mod model;

/// Work 2.
const EASY: CompactTarget = CompactTarget::from_consensus(0x207f_ffff);
/// Work 4.
const HARD: CompactTarget = CompactTarget::from_consensus(0x203f_ffff);

fn header(parent: BlockHash, bits: CompactTarget, nonce: u64) -> Header {
    Header { version: 1, prev_blockhash: parent, commitment: RootsCommitment::ZERO, time: 1000 + nonce, bits, nonce }
}

fn genesis() -> Header {
    header(BlockHash::ZERO, EASY, 0)
}

/// A tree and a chain of so many easy headers after genesis, without bodies; `[0]` is genesis.
fn chain(len: u64) -> (HeaderTree, Vec<BlockHash>) {
    let mut tree = HeaderTree::new(&genesis());
    let mut hashes = vec![genesis().hash()];
    for nonce in 1..=len {
        hashes.push(insert(&mut tree, hashes[hashes.len() - 1], EASY, nonce));
    }
    (tree, hashes)
}

fn insert(tree: &mut HeaderTree, parent: BlockHash, bits: CompactTarget, nonce: u64) -> BlockHash {
    let header = header(parent, bits, nonce);
    assert_eq!(tree.insert(&header), Ok(InsertOutcome::Inserted));
    header.hash()
}

/// Inserts a header and gives its body.
fn connect(tree: &mut HeaderTree, parent: BlockHash, bits: CompactTarget, nonce: u64) -> BlockHash {
    let hash = insert(tree, parent, bits, nonce);
    tree.body_arrived(&hash).unwrap();
    hash
}

#[test]
fn genesis_alone_is_the_tip_and_cannot_be_rejected() {
    let mut tree = HeaderTree::new(&genesis());
    let hash = genesis().hash();
    assert_eq!(tree.reject(&hash), []);
    assert_eq!((tree.best(), tree.best_header(), tree.len()), (hash, hash, 1));
    let node = tree.get(&hash).unwrap();
    assert_eq!(node, tree.active_tip());
    assert_eq!((node.header, node.height), (genesis(), Height::GENESIS));
    assert_eq!((node.work, node.status), (EASY.to_target().unwrap().work(), Status::Connected { sequence: 0 }));
    assert_eq!(tree.body_arrived(&hash), Ok(vec![]));
    assert_eq!(tree.insert(&genesis()), Ok(InsertOutcome::Known));
}

#[test]
fn b16_a_header_without_a_body_neither_replaces_nor_delays_the_tip() {
    let (mut tree, hashes) = chain(1);
    tree.body_arrived(&hashes[1]).unwrap();
    // Much more work, never a body; and the same branch again with all bodies but its first.
    let withheld = insert(&mut tree, hashes[0], HARD, 100);
    let mut above = withheld;
    for nonce in 101..110 {
        above = connect(&mut tree, above, HARD, nonce);
    }
    assert_eq!((tree.best(), tree.best_header()), (hashes[1], above));
    assert_eq!(tree.get(&above).unwrap().status, Status::Body);
    let next = connect(&mut tree, hashes[1], EASY, 2);
    assert_eq!(tree.best(), next);
    assert_eq!(tree.missing_bodies(&above, 1024), [withheld]);
    // The body comes after all: everything above it connects at once, in order.
    let connected = tree.body_arrived(&withheld).unwrap();
    assert_eq!((connected.len(), connected[0], connected[9]), (10, withheld, above));
    assert_eq!(tree.best(), above);
    assert_eq!(tree.missing_bodies(&above, 1024), []);
}

#[test]
fn b16_at_equal_work_the_first_connected_stays() {
    let (mut tree, hashes) = chain(0);
    let late = insert(&mut tree, hashes[0], EASY, 1);
    let first = connect(&mut tree, hashes[0], EASY, 2);
    tree.body_arrived(&late).unwrap();
    assert_eq!(tree.best(), first, "header order does not matter, connection does");
    let ahead = connect(&mut tree, late, EASY, 3);
    assert_eq!(tree.best(), ahead);
    let level = connect(&mut tree, first, EASY, 4);
    assert_eq!(tree.best(), ahead, "a tie does not switch");
    // One hard block is worth the two easy ones above genesis: less than nothing is gained by it.
    connect(&mut tree, hashes[0], HARD, 5);
    assert_eq!(tree.best(), ahead);
    tree.reject(&ahead);
    assert_eq!(tree.best(), level, "of the others with equal work the first");
}

#[test]
fn l11_the_best_block_without_those_set_aside() {
    let (mut tree, hashes) = chain(4);
    hashes.iter().for_each(|hash| drop(tree.body_arrived(hash).unwrap()));
    let fork = connect(&mut tree, hashes[1], EASY, 100);
    assert_eq!(tree.best_without(&[]), tree.best());
    assert_eq!(tree.best_without(&[hashes[4]]), hashes[3]);
    assert_eq!(tree.best_without(&[hashes[3], hashes[4]]), hashes[2], "one above the other; the fork came later");
    assert_eq!(tree.best_without(&[hashes[2]]), fork, "the other branch has more than what remains of this one");
    assert_eq!(tree.best_without(&[hashes[2], fork]), hashes[1]);
    assert_eq!(tree.best_without(&[hashes[1]]), hashes[0], "both branches stand on it");
    assert_eq!(
        tree.best_without(&[hashes[0], BlockHash::ZERO]),
        hashes[4],
        "genesis stays; what is unknown changes nothing"
    );
    // A branch of more work than all the rest does not hide the rest.
    let heavy = connect(&mut tree, hashes[0], HARD, 200);
    let heavier = connect(&mut tree, heavy, HARD, 201);
    let end = connect(&mut tree, heavier, HARD, 202);
    assert_eq!((tree.best(), tree.best_without(&[heavier])), (end, hashes[4]));
    assert_eq!(tree.best_without(&[end]), hashes[4], "at equal work the first connected");
    assert_eq!(tree.best_without(&[end, hashes[3]]), heavier);
}

#[test]
fn b15_rejection_takes_descendants_and_the_parent_competes_again() {
    let (mut tree, hashes) = chain(5);
    for hash in &hashes {
        tree.body_arrived(hash).unwrap();
    }
    let fork = insert(&mut tree, hashes[3], HARD, 100);
    let mut rejected = tree.reject(&hashes[3]);
    rejected.sort_unstable();
    let mut expected = vec![hashes[3], hashes[4], hashes[5], fork];
    expected.sort_unstable();
    assert_eq!(rejected, expected);
    assert_eq!((tree.best(), tree.best_header()), (hashes[2], hashes[2]));
    assert_eq!(tree.reject(&hashes[4]), [], "it was already");
    assert_eq!(tree.reject(&hashes[3]), [], "again");
    assert_eq!(tree.best(), hashes[2]);
    assert_eq!(tree.reject(&BlockHash([7; 32])), []);
    let dead = hashes[4];
    assert_eq!(tree.body_arrived(&fork), Err(HeaderTreeError::Rejected(fork)));
    assert_eq!(tree.insert(&header(dead, EASY, 200)), Err(HeaderTreeError::RejectedParent(dead)));
    assert_eq!(tree.insert(&header(hashes[3], EASY, 4)), Err(HeaderTreeError::Rejected(dead)));
    // The way back from a rejected tip is still known.
    let back = tree.reorg(&hashes[5], &tree.best()).unwrap();
    assert_eq!(back.disconnect, [hashes[5], hashes[4], hashes[3]]);
    assert_eq!((back.fork, back.connect), (Height(2), vec![]));
}

#[test]
fn headers_that_no_block_has_are_refused() {
    let (mut tree, hashes) = chain(0);
    let orphan = header(BlockHash([1; 32]), EASY, 1);
    assert_eq!(tree.insert(&orphan), Err(HeaderTreeError::UnknownParent(BlockHash([1; 32]))));
    assert_eq!(tree.body_arrived(&orphan.hash()), Err(HeaderTreeError::Unknown(orphan.hash())));
    let bits = CompactTarget::from_consensus(0);
    assert_eq!(tree.insert(&header(hashes[0], bits, 1)), Err(HeaderTreeError::Bits(bits)));
    // Two blocks of work 2²⁵⁵ do not fit 256 bits.
    let hardest = CompactTarget::from_consensus(0x0101_0000);
    let first = insert(&mut tree, hashes[0], hardest, 1);
    assert_eq!(tree.insert(&header(first, hardest, 2)), Err(HeaderTreeError::Work));
    assert_eq!(tree.len(), 2);
}

#[test]
fn reorg_names_both_ways() {
    let (mut tree, hashes) = chain(3);
    let mut side = vec![hashes[1]];
    for nonce in 100..105 {
        side.push(insert(&mut tree, side[side.len() - 1], EASY, nonce));
    }
    let there = tree.reorg(&hashes[3], &side[5]).unwrap();
    assert_eq!(there.fork, Height(1));
    assert_eq!(there.disconnect, [hashes[3], hashes[2]]);
    assert_eq!(there.connect, side[1..]);
    let back = tree.reorg(&side[5], &hashes[3]).unwrap();
    assert_eq!(back.connect, hashes[2..]);
    let nothing = Reorg { fork: Height(3), disconnect: vec![], connect: vec![] };
    assert_eq!(tree.reorg(&hashes[3], &hashes[3]), Some(nothing));
    assert_eq!(tree.reorg(&BlockHash::ZERO, &hashes[3]), None);
}

#[test]
fn the_active_chain_follows_the_ledger() {
    let (mut tree, hashes) = chain(5);
    let side = insert(&mut tree, hashes[2], EASY, 100);
    for tip in [hashes[5], side, hashes[1], hashes[4]] {
        tree.set_active_tip(&tip).unwrap();
        assert_eq!(tree.active_tip().hash, tip);
        let height = tree.active_tip().height;
        for node in tree.ancestors(&tip) {
            assert_eq!(tree.active_at(node.height), Some(node));
            assert!(tree.is_active(&node.hash));
        }
        assert_eq!(tree.active_at(height.next()), None);
        assert_eq!(tree.is_active(&side), tip == side);
    }
    let unknown = BlockHash([9; 32]);
    assert_eq!(tree.set_active_tip(&unknown), Err(HeaderTreeError::Unknown(unknown)));
    assert_eq!(tree.active_tip().hash, hashes[4]);
}

#[test]
fn context_reads_eleven_times_and_the_first() {
    let (tree, hashes) = chain(20);
    let context = tree.context(&hashes[20]).unwrap();
    let (times, first_time) = ((1010..=1020).rev().collect::<Vec<_>>(), Some(1001));
    assert_eq!((context.parent, context.parent_height, context.parent_time), (hashes[20], Height(20), 1020));
    assert_eq!((context.times.len(), &context.times, context.first_time), (MEDIAN_SPAN, &times, first_time));
    let context = tree.context(&hashes[0]).unwrap();
    assert_eq!((context.times, context.first_time), (vec![1000], None));
    assert_eq!(tree.context(&hashes[1]).unwrap().first_time, Some(1001));
    assert_eq!(tree.context(&BlockHash::ZERO), None);
}

#[test]
fn every_ancestor_is_found() {
    let (tree, hashes) = chain(400);
    for (height, hash) in (0..).zip(&hashes) {
        for (at, expected) in (0..=height).zip(&hashes) {
            assert_eq!(tree.ancestor(hash, Height(at)), Some(*expected), "{at} below {height}");
        }
        assert_eq!(tree.ancestor(hash, Height(height + 1)), None);
    }
}

#[test]
fn missing_bodies_keeps_to_its_window() {
    let (mut tree, hashes) = chain(20);
    for at in [1, 2, 4, 6] {
        tree.body_arrived(&hashes[at]).unwrap();
    }
    assert_eq!(tree.missing_bodies(&hashes[20], 4), [hashes[3], hashes[5]]);
    assert_eq!(tree.missing_bodies(&hashes[7], u32::MAX), [hashes[3], hashes[5], hashes[7]]);
    assert_eq!(tree.missing_bodies(&hashes[20], 0), []);
    assert_eq!(tree.missing_bodies(&hashes[2], 9), []);
    tree.reject(&hashes[7]);
    assert_eq!(tree.missing_bodies(&hashes[20], 9), [hashes[3], hashes[5]]);
}

#[test]
fn the_bodies_of_a_rival_are_wanted_beside_those_that_nobody_may_have() {
    let (mut tree, hashes) = chain(3);
    for hash in &hashes[1..3] {
        tree.body_arrived(hash).unwrap();
    }
    tree.set_active_tip(&hashes[2]).unwrap();
    let insert = |tree: &mut HeaderTree, parent, salt| {
        let header = header(parent, EASY, salt);
        tree.insert(&header).unwrap();
        header.hash()
    };
    let rival = insert(&mut tree, hashes[2], 90);
    let stale = insert(&mut tree, hashes[1], 91);
    assert_eq!(tree.wanted_bodies(9), [hashes[3], rival], "{stale} has no more work than the active chain");
    assert_eq!(tree.wanted_bodies(1), [hashes[3]]);
    let longer = insert(&mut tree, stale, 92);
    let longest = insert(&mut tree, longer, 93);
    assert_eq!(tree.wanted_bodies(9), [stale, longer, longest, hashes[3], rival], "the most work first");
    tree.body_arrived(&rival).unwrap();
    tree.set_active_tip(&rival).unwrap();
    assert_eq!(tree.wanted_bodies(9), [stale, longer, longest]);
}

#[test]
fn restore_refuses_and_repairs_what_does_not_fit() {
    let (mut tree, hashes) = chain(1);
    let connected = Status::Connected { sequence: 9 };
    let child = header(hashes[1], EASY, 2);
    assert_eq!(tree.restore(&child, connected), Err(HeaderTreeError::Disconnected(child.hash())));
    let sibling = header(hashes[0], EASY, 3);
    tree.restore(&sibling, connected).unwrap();
    assert_eq!(tree.restore(&sibling, Status::Rejected), Ok(InsertOutcome::Known));
    let next = header(sibling.hash(), EASY, 4);
    tree.restore(&next, Status::Body).unwrap();
    assert_eq!(tree.get(&next.hash()).unwrap().status, Status::Connected { sequence: 10 });
    let dead = header(next.hash(), EASY, 5);
    tree.restore(&dead, Status::Rejected).unwrap();
    let below = header(dead.hash(), EASY, 6);
    tree.restore(&below, Status::Connected { sequence: 11 }).unwrap();
    assert_eq!(tree.get(&below.hash()).unwrap().status, Status::Rejected);
    assert_eq!((tree.best(), tree.best_header()), (next.hash(), next.hash()));
}

#[test]
fn long_chains_connect_and_fall_without_recursion() {
    let (mut tree, hashes) = chain(50_000);
    for hash in hashes[2..].iter().rev() {
        assert_eq!(tree.body_arrived(hash), Ok(vec![]));
    }
    assert_eq!(tree.body_arrived(&hashes[1]).unwrap(), hashes[1..]);
    assert_eq!(tree.best(), hashes[50_000]);
    assert_eq!((tree.connected_ends.len(), tree.header_ends.len()), (1, 1), "only ends of branches compete");
    assert_eq!(tree.reject(&hashes[1]), hashes[1..]);
    assert_eq!((tree.best(), tree.tips().count()), (hashes[0], 1));
}

#[test]
fn an_entry_stays_compact() {
    assert!(size_of::<Entry>() <= 160, "{}", size_of::<Entry>());
}

#[test]
fn hashes_with_equal_prefixes_are_told_apart() {
    let (mut tree, hashes) = chain(2);
    // Both as if they began with the same eight bytes.
    let index = tree.index.iter().map(|(_, id)| (0, *id)).collect();
    tree.index = index;
    for (height, hash) in (0..).zip(hashes) {
        let mut zeroed = hash;
        zeroed.0[..8].fill(0);
        tree.entries[height as usize].hash = zeroed;
        assert_eq!(tree.get(&zeroed).unwrap().height, Height(height));
        assert_eq!(tree.get(&hash), None);
    }
}
