//! Targets, work and the difficulty rule: total, canonical, never easier than the limit.

#![no_main]

use arbitrary::Arbitrary;
use dotp2p_chain::asert::{Anchor, Schedule, next_bits, reference_time};
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::height::Height;
use dotp2p_chain::pow::{CompactTarget, Target, Work};
use dotp2p_fuzz::{Cost, within};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    bits: u32,
    limit: u32,
    target: [u8; 32],
    hash: [u8; 32],
    spacing: u64,
    half_life: u64,
    anchor_time: u64,
    parent_height: u32,
    parent_time: u64,
    block_time: u64,
}

fuzz_target!(|input: Input| within(0, Cost { per_byte: 0, cpu_ms: 50 }, || run(&input)));

fn run(input: &Input) {
    let bits = CompactTarget::from_consensus(input.bits);
    if let Some(target) = bits.to_target() {
        let compact = target.to_compact();
        assert_eq!(compact.to_target(), Some(target), "a compact target's value is exact");
        assert!(compact.is_canonical());
        assert_eq!(bits.is_canonical(), bits == compact);
        assert!(target.work() > Work::ZERO, "every target takes work");
        assert!(target.is_met_by(&BlockHash(target.to_le_bytes())), "a hash that equals it meets it");
    }
    if let Some(target) = Target::from_le_bytes(input.target) {
        let rounded = target.to_compact().to_target().expect("a target's compact form is one");
        assert!(rounded <= target, "rounded towards harder");
        assert!(rounded.work() >= target.work());
        assert_eq!(target.is_met_by(&BlockHash(input.hash)), {
            let be = |bytes: [u8; 32]| bytes.iter().rev().copied().collect::<Vec<u8>>();
            be(input.hash) <= be(input.target)
        });
    }
    // What B3 lets through: canonical, the anchor not easier than the limit, times below 2^40.
    let limit = CompactTarget::from_consensus(input.limit);
    if !bits.is_canonical() || !limit.is_canonical() || bits.to_target() > limit.to_target() {
        return;
    }
    let time = |time: u64| time % (1 << 40);
    let (spacing, half_life) = (time(input.spacing).max(1), input.half_life.max(1));
    let reference = reference_time(time(input.parent_time), time(input.block_time), spacing);
    let anchor = Anchor { height: Height(1), parent_time: time(input.anchor_time), bits };
    let schedule = Schedule { spacing, half_life, limit };
    let next = next_bits(&anchor, &schedule, Height(input.parent_height.max(1)), reference);
    assert!(next.is_canonical(), "canonical bits: {next}");
    assert!(next.to_target() <= limit.to_target(), "never easier than the limit");
    let later = next_bits(&anchor, &schedule, Height(input.parent_height.max(1)), reference.saturating_add(spacing));
    assert!(later.to_target() >= next.to_target(), "waiting never makes it harder");
}
