//! A header after any ancestors: the head has one form, and the verdict is what the rules say in one line each.

#![no_main]

use arbitrary::Arbitrary;
use dotp2p_chain::block::BlockHead;
use dotp2p_chain::check::{
    HeaderContext, check_clock, check_header, check_roots, check_work, median_time, required_bits,
};
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::height::Height;
use dotp2p_chain::params::TIME_END;
use dotp2p_fuzz::networks::NETWORKS;
use dotp2p_fuzz::{Cost, check_error, within};
use libfuzzer_sys::fuzz_target;

/// What comes before the 189 bytes of the head.
#[derive(Arbitrary, Debug)]
struct Ancestors {
    network: u8,
    parent_fits: bool,
    bits_fit: bool,
    time_fits: bool,
    parent_height: u32,
    parent_time: u64,
    first_time: Option<u64>,
    now: u64,
    times: Vec<u64>,
    head: Vec<u8>,
}

fuzz_target!(|input: Ancestors| {
    within(input.head.len() + 8 * input.times.len(), Cost { per_byte: 16, cpu_ms: 50 }, || run(&input));
});

fn run(input: &Ancestors) {
    let params = &NETWORKS[usize::from(input.network) % NETWORKS.len()];
    let mut rest = input.head.as_slice();
    let Ok(mut head) = BlockHead::decode(&mut rest) else { return };
    let mut again = Vec::new();
    head.encode_to(&mut again);
    assert_eq!(again, input.head[..BlockHead::LEN], "a head has one form");
    let mut times = input.times.clone();
    times.truncate(11);
    times.push(input.parent_time);
    let context = HeaderContext {
        parent: if input.parent_fits { head.header.prev_blockhash } else { BlockHash::ZERO },
        parent_height: Height(input.parent_height),
        parent_time: input.parent_time,
        times,
        first_time: input.first_time,
    };
    let median = median_time(&context.times);
    if input.time_fits {
        head.header.time = median.saturating_add(1).min(TIME_END - 1);
    }
    let expected = required_bits(&context, head.header.time, &params.rules);
    assert!(expected.is_canonical(), "the rule gives canonical bits: {expected}");
    assert!(expected.to_target() <= params.rules.limit_bits.to_target(), "and never easier than the limit");
    if input.bits_fit {
        head.header.bits = expected;
    }
    match check_header(&head.header, &context, params) {
        Ok(()) => {
            assert_eq!((head.header.version, head.header.bits), (1, expected));
            assert_eq!(head.header.prev_blockhash, context.parent);
            assert!(median < head.header.time && head.header.time < TIME_END);
        }
        Err(error) => check_error(&error),
    }
    let work = check_work(&head, &params.rules);
    if let Some(target) = head.header.bits.to_target() {
        assert_eq!(work.is_ok(), target.is_met_by(&head.hash()) && Some(target) <= params.rules.limit_bits.to_target());
        assert!(dotp2p_chain::history::Node::leaf(&head.header).is_some());
    } else {
        assert!(work.is_err(), "bits that are no target are met by nothing");
    }
    let opens = check_roots(&head.header, &head.roots).is_ok();
    assert_eq!(opens, head.roots.commitment() == head.header.commitment);
    if let Err(error) = check_clock(head.header.time, input.now, &params.rules) {
        check_error(&error);
    }
}
