//! A network of its own and who there is on it.

use std::sync::Arc;

use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::pow::CompactTarget;
use fastrand::Rng;

/// Keys that coinbases pay.
pub const MINERS: u8 = 8;
/// Keys there are: those after the miners' have no account until somebody pays them.
pub const KEYS: u8 = 20;
/// The key whose account begins near the last nonce, where there is one.
pub const ELDER: u8 = KEYS - 1;

/// Commits in a block that take the price level to its greatest within a chain.
const MANY_COMMITS: u32 = 400;

/// A network, names, and what is done more often than else.
#[derive(Clone, Debug)]
pub struct World {
    /// The network.
    pub params: Arc<Params>,
    /// What a name field may hold; some are no names.
    pub labels: Vec<Vec<u8>>,
    /// How often each op comes, by its number.
    pub weights: [u32; 10],
    /// Whether [`ELDER`] has an account from the start, whose nonce soon ends.
    pub elder: bool,
    /// Whether the product's side is a database in a folder.
    pub durable: bool,
}

/// The key of that number.
#[must_use]
pub fn key(number: u8) -> PublicKey {
    PublicKey([number + 1; 32])
}

impl World {
    /// The world of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let params = loop {
            let rules = rules(&mut rng);
            if let Ok(params) = Params::new(rules, Params::regtest().deployment) {
                break Arc::new(params);
            }
        };
        let mut weights = [1, 3, 3, 2, 2, 2, 1, 2, 2, 1];
        if let Some(often) = weights.get_mut(rng.usize(0..30)) {
            *often += 12;
        }
        if params.rules.commit_max == MANY_COMMITS {
            weights = [1, 60, 6, 1, 1, 1, 1, 1, 1, 1];
        }
        Self { params, labels: labels(&mut rng), weights, elder: rng.u8(0..8) == 0, durable: rng.u8(0..128) == 0 }
    }
}

/// Rules with terms so short that names live and die within a chain; most of them pass B3.
fn rules(rng: &mut Rng) -> Rules {
    let (halving_blocks, halvings, grace) = (rng.u32(1..6), rng.u32(1..6), rng.u32(1..8));
    let age_min = rng.u32(1..4);
    let commit_max = rng.u32(1..20);
    let mut rules = Rules {
        subsidy: pick(rng, &[1_000_000_000, 50_000_000_000, 1_000_000_000_000, 1_000_000_000_000_000]),
        halving_interval: rng.u32(8..400),
        maturity: rng.u32(1..6),
        age_min,
        age_max: age_min + rng.u32(1..10),
        commit_target: rng.u32(1..=commit_max),
        commit_max,
        year: grace + halving_blocks * halvings + rng.u32(1..30),
        years_ahead: rng.u32(1..13),
        grace,
        premium_start: pick(rng, &[1, 1_000, 100_000_000, 64_000_000_000, 1_000_000_000_000]) + rng.u64(0..100),
        halving_blocks,
        halvings,
        records_max: pick(rng, &[1, 2, 40, 600, 600, 4_096]),
        id: [rng.u8(..); 16],
        tld: vec![b'p'; rng.usize(1..64)],
        ..Rules::regtest()
    };
    // What is rare: the ends of the ranges.
    match rng.u8(0..24) {
        // Heights beyond u32 (N8h, N10d).
        0 => (rules.year, rules.years_ahead) = (u32::MAX - 40 - rng.u32(0..10), 1),
        1 => {
            (rules.grace, rules.halving_blocks, rules.halvings) = (1, 1, 1);
            (rules.year, rules.years_ahead) = ((u32::MAX - 8) / 4 - rng.u32(0..6), 4);
        }
        // Costs beyond u64 (T11a).
        2 => rules.premium_start = u64::MAX / u64::from(halving_blocks) - rng.u64(0..3),
        // Coins up to the last of u64 (B3m).
        3 => rules.subsidy = u64::MAX / 2 / u64::from(rules.halving_interval) - rng.u64(0..1_000),
        // Coins that soon halve to nothing.
        4 => (rules.subsidy, rules.halving_interval) = (rng.u64(1..200), rng.u32(1..5)),
        5 => rules.halving_interval = rng.u32(1..4),
        // The level up to its greatest.
        6 => (rules.commit_target, rules.commit_max, rules.subsidy) = (1, MANY_COMMITS, 20_000_000_000_000_000),
        7 => (rules.commit_target, rules.commit_max) = (64, 64 + rng.u32(0..200)),
        // Many halvings, and rewards that never mature.
        8 => (rules.halving_blocks, rules.halvings, rules.year) = (1, 63, 80),
        9 => rules.maturity = rng.u32(100..u32::MAX),
        10 => (rules.age_min, rules.age_max) = (1, u32::MAX - rng.u32(0..2)),
        11 => rules.records_max = 70_000,
        _ => {}
    }
    rules
}

/// Rules that may break B3 anywhere, a few fields at its limits.
#[must_use]
pub fn wild_rules(rng: &mut Rng) -> Rules {
    let mut wild = rules(rng);
    for _ in 0..rng.u8(0..4) {
        let small =
            |rng: &mut Rng| rng.choice([0, 1, 2, 63, 64, 65, 138, 139, 1 << 16, u32::MAX - 1, u32::MAX]).unwrap_or(0);
        let large = |rng: &mut Rng| match rng.u8(0..3) {
            0 => rng
                .choice([0, 1, 59, 60, 61, (1 << 40) - 1, 1 << 40, u64::MAX / 4, u64::MAX / 2, u64::MAX])
                .unwrap_or(0),
            1 => u64::MAX / rng.u64(1..20) - rng.u64(0..2),
            _ => rng.u64(..),
        };
        let held = wild.grace.saturating_add(wild.halving_blocks.saturating_mul(wild.halvings));
        match rng.u8(0..22) {
            0 => wild.spacing = large(rng),
            1 => wild.half_life = Some(rng.u64(0..2)),
            2 => wild.limit_bits = bits(rng),
            3 => wild.genesis_bits = bits(rng),
            4 => wild.body_max = small(rng),
            5 => wild.subsidy = large(rng),
            6 => wild.halving_interval = small(rng),
            7 => wild.maturity = small(rng),
            8 => wild.age_min = wild.age_max.wrapping_sub(rng.u32(0..2)),
            9 => wild.age_max = small(rng),
            10 => wild.commit_target = small(rng),
            11 => wild.commit_max = small(rng),
            12 => wild.year = held.saturating_add(rng.u32(0..2)),
            13 => wild.years_ahead = ((u32::MAX - held) / wild.year.max(1)).saturating_add(rng.u32(0..2)),
            14 => wild.grace = small(rng),
            15 => wild.premium_start = (u64::MAX / u64::from(wild.halving_blocks.max(1))).saturating_add(rng.u64(0..2)),
            16 => wild.halving_blocks = small(rng),
            17 => wild.halvings = small(rng),
            18 => wild.records_max = small(rng),
            19 => wild.tld = no_name(rng),
            20 => wild.genesis_time = large(rng),
            _ => wild.subsidy = u64::MAX / 2 / u64::from(wild.halving_interval.max(1)) + rng.u64(0..3),
        }
    }
    wild
}

fn bits(rng: &mut Rng) -> CompactTarget {
    let size = rng.choice([0, 1, 2, 3, 4, 31, 32, 33, 34, 255]).unwrap_or(0);
    let mantissa = rng.choice([0, 1, 0xff, 0xff00, 0x8000, 0x7f_ffff, 0x80_0000, 0xff_ffff, 0x01_0000, 0x7f_ff80]);
    CompactTarget::from_consensus(size << 24 | mantissa.unwrap_or(0))
}

fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    *rng.choice(of).expect("never empty")
}

/// A few names of every price, and what is no name.
fn labels(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut labels: Vec<Vec<u8>> = (0..rng.usize(2..10)).map(|at| format!("name{at}").into_bytes()).collect();
    for len in [1, 2, 3, 4, 62, 63] {
        if rng.bool() {
            labels.push(vec![b'a' + rng.u8(0..3); len]);
        }
    }
    for text in ["xn--mnchen-3ya", "a--b", "a-b", "0x"] {
        if rng.u8(0..4) == 0 {
            labels.push(text.as_bytes().to_vec());
        }
    }
    labels
}

/// What no Claim may name.
#[must_use]
pub fn no_name(rng: &mut Rng) -> Vec<u8> {
    let texts =
        ["", "-a", "a-", "-", "ab--c", "xn--", "Alice", "a_b", "a.b", "a b", "dotp2p", "localhost", "onion", "test"];
    match rng.choice(texts) {
        Some(text) if rng.u8(0..4) != 0 => text.as_bytes().to_vec(),
        _ => (0..rng.usize(0..64)).map(|_| rng.u8(..)).collect(),
    }
}
