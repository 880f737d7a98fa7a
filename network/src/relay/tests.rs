#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

use dotp2p_chain::block::{Block, Coinbase};
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::Rules;
use dotp2p_chain::pow::Work;

use super::*;

type Machine = Relay<u8, u8>;

fn compact(parts: usize) -> CompactBlock {
    let head = Block::genesis(&Rules::regtest()).head;
    let coinbase = Coinbase { to: PublicKey([1; 32]), extra: Vec::new() };
    CompactBlock { head, coinbase, short_ids: (0..parts).map(|at| [at as u8; 6]).collect() }
}

fn stored(hash: BlockHash) -> HeadsTaken {
    HeadsTaken::Stored { last: hash, work: Work::ZERO }
}

/// Announced by peer 1, judged and searched for; `here`: which parts the pool has.
fn begun(machine: &mut Machine, here: &[bool]) -> (BlockHash, Vec<Action<u8, u8>>) {
    let block = compact(here.len());
    let hash = block.head.hash();
    assert_eq!(machine.on(Event::Announced(1, 11, block.clone()), 0), [Action::Judge(block.head)]);
    assert_eq!(machine.on(Event::Judged(hash, stored(hash)), 0), [Action::Fill(block)]);
    let parts = here.iter().enumerate().map(|(at, here)| here.then(|| vec![at as u8; 2])).collect();
    (hash, machine.on(Event::Filled(hash, parts), 0))
}

#[test]
fn a_block_whose_transactions_are_known_needs_no_question() {
    let mut machine = Machine::default();
    let (hash, actions) = begun(&mut machine, &[true, true]);
    let whole = compact(2).join([&[0u8, 0][..], &[1, 1]].into_iter());
    assert_eq!(actions, [Action::Take(hash, whole)]);
    assert_eq!(machine.on(Event::Announced(2, 22, compact(2)), 0), []);
    let passed = [Action::Report(1, 11, Worth::PassOn), Action::Report(2, 22, Worth::PassOn)];
    assert_eq!(machine.on(Event::Taken(hash, BlockVerdict::Taken), 0), passed);
    assert!(!machine.has(&hash));
}

#[test]
fn what_the_pool_lacks_is_asked_of_the_sender() {
    let mut machine = Machine::default();
    let (hash, actions) = begun(&mut machine, &[true, false, true, false]);
    assert_eq!(actions, [Action::AskTransactions(1, hash, vec![1, 3])]);
    let whole = compact(4).join([&[0u8, 0][..], &[7], &[2, 2], &[8, 8]].into_iter());
    let came = machine.on(Event::Transactions(1, hash, vec![vec![7], vec![8, 8]]), 1);
    assert_eq!(came, [Action::Take(hash, whole)]);
}

#[test]
fn a_short_id_that_fit_another_transaction_is_nobodys_fault() {
    let mut machine = Machine::default();
    let (hash, _) = begun(&mut machine, &[true]);
    let refused = BlockVerdict::Refused { condemns: Condemns::Message, reason: "tx_root".to_owned() };
    assert_eq!(machine.on(Event::Taken(hash, refused.clone()), 0), [Action::AskBlock(1, hash)]);
    assert_eq!(machine.on(Event::Block(1, hash, vec![9]), 0), [Action::Take(hash, vec![9])]);
    // The whole block from its sender is another matter; the hash is not condemned, the next sender is asked.
    assert_eq!(machine.on(Event::Announced(2, 22, compact(1)), 0), []);
    let actions = machine.on(Event::Taken(hash, refused), 0);
    let blamed = Action::Penalise(1, Misbehaviour::InvalidBlock, "tx_root".to_owned());
    assert_eq!(actions, [blamed, Action::AskBlock(2, hash)]);
}

#[test]
fn a_sender_that_does_not_answer_loses_the_block_to_the_next() {
    let mut machine = Machine::default();
    let (hash, _) = begun(&mut machine, &[false]);
    assert_eq!(machine.on(Event::Announced(2, 22, compact(1)), 0), []);
    assert_eq!(machine.on(Event::Tick, PATIENCE_MS - 1), []);
    assert_eq!(machine.on(Event::Tick, PATIENCE_MS), [Action::AskBlock(2, hash)]);
    assert_eq!(machine.on(Event::Transactions(1, hash, vec![vec![1]]), PATIENCE_MS), [], "too late");
    // Nobody left: what is not told here is left to sync.
    let left = machine.on(Event::Gone(2), PATIENCE_MS);
    let both = [1, 2].map(|peer| [Action::Report(peer, 11 * peer, Worth::Ignore), Action::Claims(peer)]).concat();
    assert_eq!(left, both);
}

#[test]
fn an_invalid_block_is_not_passed_on_and_nobodys_fault_who_passed_it_on() {
    let mut machine = Machine::default();
    let (hash, _) = begun(&mut machine, &[]);
    machine.on(Event::Announced(2, 22, compact(0)), 0);
    let refused = BlockVerdict::Refused { condemns: Condemns::Hash, reason: "N8f".to_owned() };
    let ignored = [1, 2].map(|peer| Action::Report(peer, 11 * peer, Worth::Ignore));
    assert_eq!(machine.on(Event::Taken(hash, refused), 0), ignored);
}

#[test]
fn a_head_that_leads_nowhere_known_is_a_claim() {
    let mut machine = Machine::default();
    let block = compact(1);
    let hash = block.head.hash();
    machine.on(Event::Announced(1, 11, block), 0);
    let claims = [Action::Report(1, 11, Worth::Ignore), Action::Claims(1)];
    assert_eq!(machine.on(Event::Judged(hash, HeadsTaken::Unconnected), 0), claims);
}

#[test]
fn no_more_than_so_many_blocks_and_senders_are_held() {
    let mut machine = Machine::default();
    let other = |nonce| {
        let mut block = compact(1);
        block.head.header.nonce = nonce;
        block
    };
    for nonce in 0..BLOCKS_MAX as u64 {
        assert!(matches!(machine.on(Event::Announced(1, 1, other(nonce)), 0).as_slice(), [Action::Judge(_)]));
    }
    let beyond = [Action::Report(1, 1, Worth::Ignore), Action::Claims(1)];
    assert_eq!(machine.on(Event::Announced(1, 1, other(99)), 0), beyond);
    for peer in 2..=SENDERS_MAX as u8 {
        assert_eq!(machine.on(Event::Announced(peer, 1, other(0)), 0), []);
    }
    assert_eq!(machine.on(Event::Announced(9, 9, other(0)), 0), [Action::Report(9, 9, Worth::Ignore)]);
}

#[test]
fn a_sender_that_is_gone_is_not_asked() {
    let here = |part: Option<Vec<u8>>| {
        let mut machine = Machine::default();
        let hash = compact(1).head.hash();
        machine.on(Event::Announced(1, 11, compact(1)), 0);
        machine.on(Event::Gone(1), 0);
        machine.on(Event::Judged(hash, stored(hash)), 0);
        let filled = machine.on(Event::Filled(hash, vec![part]), 0);
        (machine, hash, filled)
    };
    let left = [Action::Report(1, 11, Worth::Ignore), Action::Claims(1)];
    let (machine, hash, filled) = here(None);
    assert_eq!(filled, left);
    assert!(!machine.has(&hash));
    let (mut machine, hash, filled) = here(Some(vec![0]));
    assert!(matches!(filled.as_slice(), [Action::Take(..)]), "nobody is needed: {filled:?}");
    let refused = BlockVerdict::Refused { condemns: Condemns::Message, reason: "tx_root".to_owned() };
    assert_eq!(machine.on(Event::Taken(hash, refused), 0), left);
}

#[test]
fn of_the_senders_only_those_that_are_here_are_asked_next() {
    let mut machine = Machine::default();
    let (hash, _) = begun(&mut machine, &[false]);
    for peer in [2, 3] {
        machine.on(Event::Announced(peer, 11 * peer, compact(1)), 0);
    }
    assert_eq!(machine.on(Event::Gone(2), 0), []);
    assert_eq!(machine.on(Event::Nothing(1, hash), 0), [Action::AskBlock(3, hash)]);
}
