//! A block: what decodes has no other bytes and fits its network, and the checks that need no state have a verdict.

#![no_main]

use dotp2p_chain::block::{Block, BlockHead};
use dotp2p_chain::check::{check_body, check_work};
use dotp2p_chain::height::Height;
use dotp2p_fuzz::networks::NETWORKS;
use dotp2p_fuzz::{Cost, check_error, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    within(data.len(), Cost { per_byte: 16, cpu_ms: 50 }, || run(data));
});

fn run(data: &[u8]) {
    for params in NETWORKS.iter() {
        let block = match Block::decode(data, &params.rules) {
            Ok(block) => block,
            Err(error) => {
                check_error(&error);
                continue;
            }
        };
        assert_eq!(block.encode(), data, "a block has one form");
        let body = block.encode_body();
        assert_eq!(body, data[BlockHead::LEN..], "what the limit counts is the rest");
        assert!(body.len() <= params.rules.body_max as usize, "within the limit (B9)");
        let parent = Height(block.head.roots.height.0.wrapping_sub(1));
        if let Err(error) = check_body(&block, parent) {
            check_error(&error);
        } else {
            assert_eq!(block.head.roots.commitment(), block.head.header.commitment);
            assert_eq!(block.head.roots.tx_root, block.tx_root());
            assert!(block.head.roots.height > Height::GENESIS, "no parent has genesis as its child's height");
        }
        if let Err(error) = check_work(&block.head, &params.rules) {
            check_error(&error);
        }
    }
}
