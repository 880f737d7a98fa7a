#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use dotp2p_chain::block::{Block, tx_root};
use dotp2p_chain::header_tree::HeaderTree;
use dotp2p_chain::params::Params;

use super::*;
use crate::message::HEADS_MAX;
use crate::presync::{Fork, Judge};

type Machine = Sync<u8>;
type Todo = Vec<Action<u8>>;

/// `count` blocks on `parent`, without transactions, that reward `to`.
fn branch(parent: &Block, count: usize, to: u8) -> Vec<Block> {
    let mut blocks = Vec::with_capacity(count);
    let mut parent = parent.clone();
    for _ in 0..count {
        let mut next = parent.clone();
        next.coinbase.to.0 = [to; 32];
        next.head.roots.height = parent.head.roots.height.next();
        next.head.roots.tx_root = tx_root(&next.coinbase, &[]);
        next.head.header.prev_blockhash = parent.hash();
        next.head.header.commitment = next.head.roots.commitment();
        next.head.header.time = parent.head.header.time + 60;
        let target = next.head.header.bits.to_target().unwrap();
        while !target.is_met_by(&next.hash()) {
            next.head.header.nonce += 1;
        }
        parent = next.clone();
        blocks.push(next);
    }
    blocks
}

/// A chain that takes everything, and what was taken in which order.
struct Taker {
    params: Arc<Params>,
    tree: HeaderTree,
    taken: Vec<BlockHash>,
    threshold: Work,
}

impl Taker {
    fn new(params: &Arc<Params>) -> Self {
        let tree = HeaderTree::new(&params.genesis.head.header);
        Self { params: params.clone(), tree, taken: Vec::new(), threshold: Work::ZERO }
    }

    fn heads(&mut self, heads: Vec<BlockHead>, is_proven: bool) -> HeadsTaken {
        let new: Vec<BlockHead> = heads.iter().filter(|head| self.tree.get(&head.hash()).is_none()).copied().collect();
        let Some(parent) = new.first().map(|head| head.header.prev_blockhash) else {
            let last = heads.last().unwrap().hash();
            return HeadsTaken::Stored { last, work: self.tree.get(&last).unwrap().work };
        };
        let Some(context) = self.tree.context(&parent) else { return HeadsTaken::Unconnected };
        let fork = Fork { work: self.tree.get(&parent).unwrap().work, context, threshold: self.threshold };
        let mut judge = Judge::new(fork.context.clone(), fork.work);
        if let Some(error) = new.iter().find_map(|head| judge.check(head, &self.params).err()) {
            return HeadsTaken::Refused(error);
        }
        if !is_proven && judge.work() <= self.threshold {
            return HeadsTaken::LowWork(Box::new(fork), new);
        }
        for head in &new {
            self.tree.insert(&head.header).unwrap();
        }
        HeadsTaken::Stored { last: judge.last(), work: judge.work() }
    }

    fn blocks(&mut self, hashes: &[BlockHash]) -> Vec<(BlockHash, BlockVerdict)> {
        for hash in hashes {
            self.tree.body_arrived(hash).unwrap();
            self.taken.push(*hash);
        }
        hashes.iter().map(|hash| (*hash, BlockVerdict::Taken)).collect()
    }
}

/// How a peer answers.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Honest,
    /// Gives heads and never a body.
    NoBodies,
    /// Gives bodies of another block.
    WrongBodies,
}

/// One machine, its chain, and peers that all have the same blocks.
struct World {
    machine: Machine,
    chain: Taker,
    blocks: Vec<Block>,
    ways: BTreeMap<u8, Way>,
    blamed: Vec<(u8, Misbehaviour)>,
    served: BTreeMap<u8, usize>,
    now_ms: u64,
}

impl World {
    fn new(blocks: Vec<Block>, ways: &[(u8, Way)]) -> Self {
        let params = Arc::new(Params::regtest());
        let genesis = params.genesis.head.header.bits.to_target().unwrap().work();
        let machine = Machine::new(Config::default(), params.clone(), genesis);
        let (ways, chain) = (ways.iter().copied().collect(), Taker::new(&params));
        Self { machine, chain, blocks, ways, blamed: Vec::new(), served: BTreeMap::new(), now_ms: 0 }
    }

    fn on(&mut self, event: Event<u8>) {
        let mut todo = self.machine.on(event, self.now_ms);
        while !todo.is_empty() {
            let mut next = Todo::new();
            for action in todo {
                for event in self.act(action) {
                    next.extend(self.machine.on(event, self.now_ms));
                }
            }
            todo = next;
        }
    }

    fn act(&mut self, action: Action<u8>) -> Vec<Event<u8>> {
        match action {
            Action::AskHeads(peer, after) => {
                let active = self.chain.tree.best();
                let known = |hash: &BlockHash| self.blocks.iter().position(|block| block.hash() == *hash);
                let from = after.as_ref().or(Some(&active)).and_then(known).map_or(0, |at| at + 1);
                let heads = self.blocks.iter().skip(from).take(HEADS_MAX).map(|block| block.head);
                vec![Event::Heads(peer, heads.collect())]
            }
            Action::AskBlocks(peer, no, hashes) => {
                let find = |hash: &BlockHash| self.blocks.iter().find(|block| block.hash() == *hash).map(Block::encode);
                match self.ways[&peer] {
                    Way::Honest => {
                        *self.served.entry(peer).or_default() += hashes.len();
                        vec![Event::Blocks(peer, no, hashes.iter().filter_map(find).collect())]
                    }
                    Way::NoBodies => Vec::new(),
                    Way::WrongBodies => vec![Event::Blocks(peer, no, vec![self.chain.params.genesis.encode()])],
                }
            }
            Action::TakeHeads(peer, heads, is_proven) => {
                vec![Event::HeadsTaken(peer, self.chain.heads(heads, is_proven))]
            }
            Action::TakeBlocks(hashes, blocks) => {
                assert_eq!(hashes.len(), blocks.len());
                vec![Event::BlocksTaken(self.chain.blocks(&hashes))]
            }
            Action::WantMissing(max) => {
                vec![Event::Missing(self.chain.tree.wanted_bodies(max))]
            }
            Action::Penalise(peer, what, _) => {
                self.blamed.push((peer, what));
                Vec::new()
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 250 {
            self.now_ms += 250;
            self.on(Event::Tick);
        }
    }

    fn all_in_order(&self) -> bool {
        self.chain.taken.iter().eq(self.blocks.iter().map(Block::hash).collect::<Vec<_>>().iter())
    }
}

fn work_of(blocks: &[Block]) -> Work {
    blocks
        .iter()
        .fold(Work::ZERO, |work, block| work.saturating_add(block.head.header.bits.to_target().unwrap().work()))
}

#[test]
fn everything_is_fetched_from_all_peers_and_handed_over_in_order() {
    let blocks = branch(&Params::regtest().genesis, 2_500, 1);
    let mut world = World::new(blocks, &[(1, Way::Honest), (2, Way::Honest), (3, Way::Honest)]);
    let claims = Work::MAX;
    for peer in [1, 2, 3] {
        world.on(Event::Connected(peer, claims));
    }
    world.pass(1_000);
    assert!(world.all_in_order(), "{} of 2500", world.chain.taken.len());
    assert_eq!(world.blamed, []);
    assert!(!world.machine.is_busy());
    assert_eq!(world.served.values().sum::<usize>(), 2_500, "no body is fetched twice");
}

#[test]
fn a_peer_that_gives_no_bodies_loses_them_to_others() {
    let blocks = branch(&Params::regtest().genesis, 600, 1);
    let mut world = World::new(blocks, &[(1, Way::NoBodies), (2, Way::Honest)]);
    world.on(Event::Connected(1, Work::MAX));
    world.on(Event::Connected(2, Work::MAX));
    world.pass(40_000);
    assert!(world.all_in_order(), "{} of 600", world.chain.taken.len());
    assert!(world.blamed.iter().all(|(peer, what)| (*peer, *what) == (1, Misbehaviour::Timeout)), "{:?}", world.blamed);
    assert!(!world.blamed.is_empty());
}

#[test]
fn a_peer_that_gives_other_blocks_is_blamed_and_passed_over() {
    let blocks = branch(&Params::regtest().genesis, 40, 1);
    let mut world = World::new(blocks, &[(1, Way::WrongBodies), (2, Way::Honest)]);
    world.on(Event::Connected(1, Work::MAX));
    world.on(Event::Connected(2, Work::MAX));
    world.pass(40_000);
    assert!(world.all_in_order());
    assert!(world.blamed.contains(&(1, Misbehaviour::Unrequested)), "{:?}", world.blamed);
}

#[test]
fn a_peer_that_leaves_leaves_its_blocks_to_others() {
    let blocks = branch(&Params::regtest().genesis, 100, 1);
    let mut world = World::new(blocks, &[(1, Way::NoBodies), (2, Way::Honest)]);
    world.on(Event::Connected(1, Work::MAX));
    assert_eq!(world.chain.taken, []);
    world.on(Event::Gone(1));
    world.on(Event::Connected(2, Work::MAX));
    world.pass(250);
    assert!(world.all_in_order());
    assert_eq!(world.blamed, []);
}

#[test]
fn a_heavy_branch_is_stored_the_second_time_it_comes() {
    let blocks = branch(&Params::regtest().genesis, 2_300, 1);
    let mut world = World::new(blocks, &[(1, Way::Honest)]);
    world.chain.threshold = work_of(&world.blocks[..2_100]);
    world.on(Event::Connected(1, Work::MAX));
    world.pass(1_000);
    assert!(world.all_in_order(), "{} of 2300", world.chain.taken.len());
    assert_eq!(world.blamed, []);
}

#[test]
fn a_light_branch_is_never_stored() {
    let blocks = branch(&Params::regtest().genesis, 2_300, 1);
    let mut world = World::new(blocks, &[(1, Way::Honest)]);
    world.chain.threshold = work_of(&world.blocks).saturating_add(Work::from_le_bytes([1; 32]));
    world.on(Event::Connected(1, Work::MAX));
    world.pass(5_000);
    assert_eq!((world.chain.tree.len(), world.chain.taken.len()), (1, 0));
    assert_eq!(world.blamed, [(1, Misbehaviour::LowWorkHeaders)]);
}

#[test]
fn heads_that_do_not_follow_each_other_are_blamed() {
    let blocks = branch(&Params::regtest().genesis, 3, 1);
    let mut world = World::new(Vec::new(), &[(1, Way::NoBodies)]);
    let asked = world.machine.on(Event::Connected(1, Work::MAX), 0);
    assert!(asked.contains(&Action::AskHeads(1, None)));
    let heads = vec![blocks[0].head, blocks[2].head];
    let blamed = world.machine.on(Event::Heads(1, heads), 0);
    assert!(matches!(blamed.as_slice(), [Action::Penalise(1, Misbehaviour::InvalidHeader, _)]), "{blamed:?}");
}

#[test]
fn a_body_that_is_not_the_blocks_is_fetched_from_another_and_the_hash_stays_good() {
    let blocks = branch(&Params::regtest().genesis, 1, 1);
    let hash = blocks[0].hash();
    let mut world = World::new(blocks, &[(1, Way::Honest), (2, Way::Honest)]);
    let machine = &mut world.machine;
    machine.on(Event::Connected(1, Work::ZERO), 0);
    let asked = machine.on(Event::Missing(vec![hash]), 0);
    assert_eq!(asked, [Action::AskBlocks(1, 0, vec![hash])]);
    let body = world.blocks[0].encode();
    let handed = machine.on(Event::Blocks(1, 0, vec![body.clone()]), 0);
    assert_eq!(handed, [Action::TakeBlocks(vec![hash], vec![body])]);
    machine.on(Event::Connected(2, Work::ZERO), 0);
    let refused = BlockVerdict::Refused { condemns: Condemns::Message, reason: "tx_root".to_owned() };
    let again = machine.on(Event::BlocksTaken(vec![(hash, refused)]), 0);
    assert!(again.contains(&Action::AskBlocks(2, 1, vec![hash])), "{again:?}");
    assert!(again.contains(&Action::Penalise(1, Misbehaviour::InvalidBlock, "tx_root".to_owned())));
}

#[test]
fn what_cannot_be_taken_now_is_not_asked_for_again_at_once() {
    let blocks = branch(&Params::regtest().genesis, 1, 1);
    let hash = blocks[0].hash();
    let mut world = World::new(blocks, &[(1, Way::Honest)]);
    let machine = &mut world.machine;
    machine.on(Event::Connected(1, Work::ZERO), 0);
    machine.on(Event::Missing(vec![hash]), 0);
    machine.on(Event::Blocks(1, 0, vec![world.blocks[0].encode()]), 0);
    let later = machine.on(Event::BlocksTaken(vec![(hash, BlockVerdict::later("the disk is full"))]), 0);
    assert!(matches!(later.as_slice(), [Action::WantMissing(_)]), "{later:?}");
    let rest_ms = Config::default().rest_ms;
    assert_eq!(machine.on(Event::Missing(vec![hash]), rest_ms - 1), []);
    assert_eq!(machine.on(Event::Missing(vec![hash]), rest_ms), [Action::AskBlocks(1, 1, vec![hash])]);
}

/// A machine with room for two bodies of the length expected at first, and peers that claim nothing.
fn narrow(peers: &[u8]) -> Machine {
    let params = Arc::new(Params::regtest());
    let config = Config { window_bytes: 8 << 10, question_bytes: 1, ..Config::default() };
    let mut machine = Machine::new(config, params, Work::ZERO);
    peers.iter().for_each(|peer| drop(machine.on(Event::Connected(*peer, Work::ZERO), 0)));
    machine
}

/// The body of a block with so many bytes behind it that it is no more.
fn padded(block: &Block, len: usize) -> Vec<u8> {
    let mut bytes = block.encode();
    bytes.resize(len, 0);
    bytes
}

#[test]
fn the_first_that_is_missing_is_asked_for_though_the_window_is_full() {
    let blocks = branch(&Params::regtest().genesis, 2, 1);
    let (first, second) = (blocks[0].hash(), blocks[1].hash());
    let mut machine = narrow(&[1, 2]);
    let asked = machine.on(Event::Missing(vec![first, second]), 0);
    assert_eq!(asked, [Action::AskBlocks(1, 0, vec![first]), Action::AskBlocks(2, 1, vec![second])]);
    assert_eq!(machine.on(Event::Blocks(2, 1, vec![padded(&blocks[1], 8_000)]), 0), []);
    let again = machine.on(Event::NoBlocks(1, 0), 0);
    assert!(again.contains(&Action::AskBlocks(2, 2, vec![first])), "{again:?}");
}

#[test]
fn bodies_longer_than_expected_do_not_wait_beyond_the_windows_bytes() {
    let blocks = branch(&Params::regtest().genesis, 2, 1);
    let (first, second) = (blocks[0].hash(), blocks[1].hash());
    let mut machine = narrow(&[1, 2]);
    machine.on(Event::Missing(vec![first, second]), 0);
    let again = machine.on(Event::Blocks(2, 1, vec![padded(&blocks[1], 9_000)]), 0);
    assert_eq!((machine.buffered_bytes(), again), (0, vec![]), "there is no room for it now");
    let body = padded(&blocks[0], 9_000);
    let taken = machine.on(Event::Blocks(1, 0, vec![body.clone()]), 0);
    assert_eq!(taken, [Action::TakeBlocks(vec![first], vec![body])]);
    assert!(machine.on(Event::Tick, 0).contains(&Action::AskBlocks(1, 2, vec![second])), "now there is");
}

/// What a chain says of heads above genesis whose branch must have more than `threshold`.
fn low_work(heads: &[BlockHead], threshold: Work) -> HeadsTaken {
    let genesis = Params::regtest().genesis.head.header;
    let context = HeaderTree::new(&genesis).context(&genesis.hash()).unwrap();
    HeadsTaken::LowWork(Box::new(Fork { context, work: Work::ZERO, threshold }), heads.to_vec())
}

#[test]
fn a_peer_that_left_while_its_heads_were_judged_is_not_asked_for_more() {
    let heads: Vec<BlockHead> = branch(&Params::regtest().genesis, 3, 1).iter().map(|block| block.head).collect();
    for is_back in [false, true] {
        let mut machine = narrow(&[]);
        machine.on(Event::Connected(1, Work::MAX), 0);
        assert_eq!(machine.on(Event::Heads(1, heads.clone()), 0), [Action::TakeHeads(1, heads.clone(), false)]);
        machine.on(Event::Gone(1), 0);
        if is_back {
            assert_eq!(machine.on(Event::Connected(1, Work::MAX), 0), [Action::AskHeads(1, None)]);
        }
        assert_eq!(machine.on(Event::HeadsTaken(1, low_work(&heads, Work::ZERO)), 0), []);
    }
}

#[test]
fn a_question_for_heads_that_is_late_is_blamed_once_and_not_put_again_before_it_ends() {
    let mut machine = narrow(&[]);
    assert_eq!(machine.on(Event::Connected(1, Work::MAX), 0)[0], Action::AskHeads(1, None));
    let late_ms = Config::default().timeout_ms;
    let blamed = machine.on(Event::Tick, late_ms);
    assert!(matches!(blamed.as_slice(), [Action::Penalise(1, Misbehaviour::Timeout, _)]), "{blamed:?}");
    assert_eq!(machine.on(Event::Claims(1, Some(Work::MAX)), late_ms + 1), [], "the first one may still be answered");
    assert_eq!(machine.on(Event::NoHeads(1), late_ms + 5_000), [Action::AskHeads(1, None)]);
}

#[test]
fn an_invalid_block_condemns_its_hash_and_not_who_gave_it() {
    let blocks = branch(&Params::regtest().genesis, 1, 1);
    let hash = blocks[0].hash();
    let mut machine = narrow(&[1]);
    machine.on(Event::Missing(vec![hash]), 0);
    machine.on(Event::Blocks(1, 0, vec![blocks[0].encode()]), 0);
    let refused = BlockVerdict::Refused { condemns: Condemns::Hash, reason: "N8f".to_owned() };
    let after = machine.on(Event::BlocksTaken(vec![(hash, refused)]), 0);
    assert!(matches!(after.as_slice(), [Action::WantMissing(_)]), "{after:?}");
}

#[test]
fn full_answers_that_lead_no_further_are_not_asked_for_again() {
    let heads: Vec<BlockHead> =
        branch(&Params::regtest().genesis, HEADS_MAX, 1).iter().map(|block| block.head).collect();
    let last = heads.last().unwrap().hash();
    let mut machine = narrow(&[]);
    machine.on(Event::Connected(1, Work::MAX), 0);
    for asked in [Some(Action::AskHeads(1, Some(last))), None] {
        machine.on(Event::Heads(1, heads.clone()), 0);
        let stored = HeadsTaken::Stored { last, work: Work::from_le_bytes([1; 32]) };
        let next = machine.on(Event::HeadsTaken(1, stored), 0);
        assert_eq!(next.into_iter().find(|action| matches!(action, Action::AskHeads(..))), asked);
    }
}

#[test]
fn who_mined_on_a_short_branch_and_claimed_nothing_is_not_blamed_for_it() {
    let heads: Vec<BlockHead> = branch(&Params::regtest().genesis, 3, 1).iter().map(|block| block.head).collect();
    for (told, is_blamed) in [(Work::ZERO, false), (Work::MAX, true)] {
        let mut machine = narrow(&[]);
        machine.on(Event::Connected(1, told), 0);
        machine.on(Event::Claims(1, None), 0);
        assert_eq!(machine.on(Event::Heads(1, heads.clone()), 0), [Action::TakeHeads(1, heads.clone(), false)]);
        let after = machine.on(Event::HeadsTaken(1, low_work(&heads, Work::MAX)), 0);
        let blamed = Action::Penalise(1, Misbehaviour::LowWorkHeaders, String::new());
        assert_eq!(after, if is_blamed { vec![blamed] } else { vec![] });
    }
}

#[test]
fn a_block_that_was_announced_is_left_to_the_relay_for_a_while() {
    let mut machine = narrow(&[1]);
    assert_eq!(machine.on(Event::BestHeader(Work::from_le_bytes([1; 32])), 0), []);
    assert_eq!(machine.on(Event::Tick, PATIENCE_MS - 1), []);
    assert!(matches!(machine.on(Event::Tick, PATIENCE_MS).as_slice(), [Action::WantMissing(_)]));
    assert_eq!(machine.on(Event::Tick, 2 * PATIENCE_MS), []);
}

#[test]
fn a_short_run_waits_a_while_for_what_was_asked_of_others() {
    let blocks = branch(&Params::regtest().genesis, 2, 1);
    let hashes: Vec<BlockHash> = blocks.iter().map(Block::hash).collect();
    let bodies: Vec<Vec<u8>> = blocks.iter().map(Block::encode).collect();
    for (answered_ms, expected) in [(249, 2), (251, 1)] {
        let mut machine = narrow(&[1, 2]);
        machine.on(Event::Missing(hashes.clone()), 0);
        let mut taken = Vec::new();
        let mut note = |todo: Todo| {
            taken.extend(todo.into_iter().filter(|action| matches!(action, Action::TakeBlocks(..))));
            taken.len()
        };
        assert_eq!(note(machine.on(Event::Blocks(1, 0, bodies[..1].to_vec()), 50)), 0);
        assert_eq!(note(machine.on(Event::Tick, 249)), 0);
        if answered_ms > 250 {
            assert_eq!(note(machine.on(Event::Tick, 250)), 1, "nobody may hold up what is here");
        }
        note(machine.on(Event::Blocks(2, 1, bodies[1..].to_vec()), answered_ms));
        assert_eq!(taken[0], Action::TakeBlocks(hashes[..expected].to_vec(), bodies[..expected].to_vec()));
    }
}

#[test]
fn a_run_that_is_long_waits_for_nobody() {
    let blocks = branch(&Params::regtest().genesis, 2, 1);
    let (first, second) = (blocks[0].hash(), blocks[1].hash());
    let mut machine = narrow(&[1, 2]);
    machine.on(Event::Missing(vec![first, second]), 0);
    let body = padded(&blocks[0], 256 << 10);
    assert_eq!(machine.on(Event::Blocks(1, 0, vec![body.clone()]), 0), [Action::TakeBlocks(vec![first], vec![body])]);
}

#[test]
fn a_block_that_nobody_gives_does_not_hold_up_its_rival() {
    let genesis = Params::regtest().genesis;
    let (withheld, rival) = (branch(&genesis, 1, 1)[0].hash(), branch(&genesis, 1, 2).remove(0));
    let mut machine = narrow(&[1]);
    let asked = machine.on(Event::Missing(vec![withheld, rival.hash()]), 0);
    assert_eq!(asked, [Action::AskBlocks(1, 0, vec![withheld]), Action::AskBlocks(1, 1, vec![rival.hash()])]);
    assert_eq!(machine.on(Event::Blocks(1, 0, Vec::new()), 0), []);
    assert_eq!(machine.on(Event::Blocks(1, 1, vec![rival.encode()]), 0), []);
    let (rest_ms, taken) = (Config::default().rest_ms, Action::TakeBlocks(vec![rival.hash()], vec![rival.encode()]));
    assert!(!machine.on(Event::Tick, rest_ms - 1).contains(&taken), "somebody may still have the first");
    assert!(machine.on(Event::Tick, rest_ms).contains(&taken));
}

#[test]
fn the_first_is_asked_for_again_though_nothing_else_fits() {
    let blocks = branch(&Params::regtest().genesis, 3, 1);
    let hashes: Vec<BlockHash> = blocks.iter().map(Block::hash).collect();
    let mut machine = narrow(&[1]);
    machine.on(Event::Missing(hashes.clone()), 0);
    assert_eq!(machine.on(Event::Blocks(1, 1, vec![padded(&blocks[1], 8_000)]), 0), []);
    assert_eq!(machine.on(Event::Blocks(1, 0, Vec::new()), 0), [], "it has nothing for a while");
    let again = machine.on(Event::Tick, Config::default().rest_ms);
    assert!(again.contains(&Action::AskBlocks(1, 2, vec![hashes[0]])), "{again:?}");
}
