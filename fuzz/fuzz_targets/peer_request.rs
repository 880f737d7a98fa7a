//! A question of a peer: what decodes has no other bytes and stays within what a question may hold.

#![no_main]

use dotp2p_fuzz::{Cost, check_error, within};
use dotp2p_network::message::{
    AGENT_MAX, BLOCKS_MAX, LOCATOR_MAX, REQUEST_BYTES_MAX, Request, TRANSACTIONS_MAX, WTXIDS_MAX,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    within(data.len(), Cost { per_byte: 16, cpu_ms: 50 }, || run(data));
});

fn run(data: &[u8]) {
    let request = match Request::decode(data) {
        Ok(request) => request,
        Err(error) => return check_error(&error),
    };
    assert_eq!(request.encode(), data, "a question has one form");
    assert!(data.len() <= REQUEST_BYTES_MAX, "it fits what the codec reads");
    match request {
        Request::Hello(hello) => {
            assert!(hello.agent.len() <= AGENT_MAX && !hello.agent.contains(char::is_control), "it is shown to people");
        }
        Request::Heads(locator) => assert!(locator.len() <= LOCATOR_MAX),
        Request::Blocks(hashes) => assert!(hashes.len() <= BLOCKS_MAX),
        Request::BlockTransactions(_, places) => {
            assert!(places.len() <= WTXIDS_MAX && places.is_sorted_by(|a, b| a < b), "no place twice");
        }
        Request::Transactions(wtxids) => assert!(wtxids.len() <= TRANSACTIONS_MAX),
        Request::Pool | Request::Addresses => {}
    }
}
