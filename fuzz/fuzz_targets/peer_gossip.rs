//! What is gossiped, a block's announcement or a transaction: one form, and a block of the parts it names or none.

#![no_main]

use dotp2p_chain::block::{Block, BlockHead};
use dotp2p_chain::tx::Transaction;
use dotp2p_fuzz::networks::regtest;
use dotp2p_fuzz::{Cost, check_error, within};
use dotp2p_network::message::{CompactBlock, GossipTransaction, WHOLE_MAX, WTXIDS_MAX};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    within(data.len(), Cost { per_byte: 32, cpu_ms: 50 }, || run(data));
});

fn run(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    match first % 3 {
        0 => match CompactBlock::decode(rest) {
            Ok(compact) => {
                assert_eq!(compact.encode(), rest, "an announcement has one form");
                assert!(compact.short_ids.len() <= WTXIDS_MAX);
                let parts = compact.fill(std::iter::empty());
                assert_eq!(parts.len(), compact.short_ids.len(), "a place for each");
                assert!(parts.iter().all(Option::is_none), "of nothing comes nothing");
            }
            Err(error) => check_error(&error),
        },
        1 => match GossipTransaction::decode(rest) {
            Ok(gossip) => {
                assert_eq!(gossip.encode(), rest, "a transaction has one form");
                if let GossipTransaction::Whole(bytes) = gossip {
                    assert!(bytes.len() <= WHOLE_MAX);
                    if let Ok(transaction) = Transaction::from_bytes(&bytes, &regtest().rules) {
                        let again = GossipTransaction::new(transaction.bytes(), transaction.wtxid());
                        assert_eq!(again.encode(), rest, "what was read is passed on as it came");
                    }
                }
            }
            Err(error) => check_error(&error),
        },
        // A block that is announced and put together again is the same.
        _ => {
            let Ok(block) = Block::decode(rest, &regtest().rules) else { return };
            let compact = CompactBlock::of(&block);
            assert_eq!(CompactBlock::decode(&compact.encode()).as_ref(), Ok(&compact));
            let ids: Vec<_> = block.transactions.iter().map(Transaction::wtxid).collect();
            let parts = compact.fill(ids.iter().zip(&block.transactions));
            if let Some(parts) = parts.into_iter().collect::<Option<Vec<_>>>() {
                let parts: Vec<&[u8]> = parts.iter().map(|transaction| transaction.bytes()).collect();
                assert_eq!(compact.join(parts.into_iter()), rest, "put together it is the block");
            } else {
                let twice = (1..ids.len()).any(|at| ids[..at].contains(&ids[at]));
                assert!(twice, "only a transaction that is there twice is not found");
            }
            assert!(compact.encode().len() >= BlockHead::LEN);
        }
    }
}
