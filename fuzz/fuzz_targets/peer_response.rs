//! An answer of a peer: what decodes has no other bytes, stays within what an answer may hold, and heads can be judged.

#![no_main]

use dotp2p_chain::check;
use dotp2p_chain::header_tree::HeaderTree;
use dotp2p_fuzz::networks::regtest;
use dotp2p_fuzz::{Cost, check_error, within};
use dotp2p_network::message::{ADDRESSES_MAX, BLOCKS_MAX, HEADS_MAX, Response, TRANSACTIONS_MAX, WTXIDS_MAX};
use dotp2p_network::presync::Judge;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    within(data.len(), Cost { per_byte: 32, cpu_ms: 50 }, || run(data));
});

fn run(data: &[u8]) {
    let response = match Response::decode(data) {
        Ok(response) => response,
        Err(error) => return check_error(&error),
    };
    assert_eq!(response.encode(), data, "an answer has one form");
    match response {
        Response::Heads(heads) => {
            assert!(heads.len() <= HEADS_MAX);
            let genesis = regtest().genesis.head.header;
            let context = HeaderTree::new(&genesis).context(&genesis.hash()).expect("genesis is there");
            let mut judge = Judge::new(context, Default::default());
            for head in &heads {
                let before = judge.work();
                match judge.check(head, regtest()) {
                    Ok(()) => assert!(judge.work() > before && judge.last() == head.hash(), "work adds up"),
                    Err(error) => {
                        check_error(&error);
                        assert_eq!(judge.work(), before, "a head that is refused counts nothing");
                        break;
                    }
                }
                assert!(check::check_work(head, &regtest().rules).is_ok());
            }
        }
        Response::Blocks(blocks) => assert!(blocks.len() <= BLOCKS_MAX),
        Response::BlockTransactions(transactions) => assert!(transactions.len() <= WTXIDS_MAX),
        Response::Pool(wtxids) => assert!(wtxids.len() <= WTXIDS_MAX),
        Response::Transactions(transactions) => assert!(transactions.len() <= TRANSACTIONS_MAX),
        Response::Addresses(addresses) => assert!(addresses.len() <= ADDRESSES_MAX),
        Response::Hello(_) | Response::Busy => {}
    }
}
