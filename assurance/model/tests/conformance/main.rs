//! The model is a model of the product: both take the same random steps, accept and refuse the same by the same rules,
//! and are in the same state after each. `SEED=n` walks another way.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it has seen"
)]

mod twin;

use std::collections::BTreeMap;

use dotp2p_model::chain::PRICE;
use dotp2p_model::key::{Key, KeySet};
use dotp2p_model::ledger::{Entry, Ledger, terms};
use dotp2p_model::ops::{Op, Tx};
use dotp2p_model::rule::{InForce, Rule};
use fastrand::Rng;
use twin::Twin;

/// Blocks of a walk: as many as its amounts, which are bytes, allow.
const BLOCKS: usize = 18;

fn seed() -> u64 {
    std::env::var("SEED").map_or(7, |seed| seed.parse().expect("SEED is a number"))
}

fn start(random: &mut Rng) -> Ledger {
    let owned = Entry::new(Key::Alice, terms::START + 2);
    let guarded = Entry { recovery: Some(Key::Rita), manager: Some(Key::Gus), ..owned };
    let name = [None, Some(owned), Some(guarded)][random.usize(..3)];
    let third = [None, Some(30)][random.usize(..2)];
    Ledger::start([third, Some(50), Some(40)], name)
}

/// A transaction that is often what somebody would really send, and else anything.
fn transaction(random: &mut Rng, ledger: &Ledger) -> Tx {
    let any = |random: &mut Rng| Key::ALL[random.usize(..5)];
    let person = |random: &mut Rng| Key::PEOPLE[random.usize(..3)];
    let maybe = |random: &mut Rng| random.bool().then(|| any(random));
    let held = ledger.held();
    let likely = if held.is_some() || random.u8(..4) == 0 { 20 } else { 8 };
    let op = match random.u8(..likely) {
        0 => Op::Pay { to: person(random), amount: random.u8(..4) },
        1..=3 => Op::Commit { owner: person(random) },
        4..=6 => Op::Claim { owner: person(random) },
        7 | 8 => Op::Renew,
        9 => Op::Update { records: random.bool() },
        10 | 11 => Op::SetKeys { manager: maybe(random), recovery: maybe(random) },
        12 | 13 => Op::Transfer { to: person(random) },
        14..=16 => Op::Offer { price: [0, PRICE, PRICE + 1][random.usize(..3)], buyer: maybe(random) },
        17 | 18 => {
            let asked = held.and_then(|entry| entry.offer).filter(|_| random.u8(..4) > 0);
            Op::Buy { price: asked.map_or(random.u8(..8), |offer| offer.price) }
        }
        _ => Op::Recover { to: person(random) },
    };
    let payer = if random.u8(..12) == 0 { any(random) } else { person(random) };
    let mut signed = KeySet::default().with(payer);
    for key in held.iter().flat_map(|entry| [Some(entry.owner), entry.recovery, entry.manager]).flatten() {
        signed = if random.u8(..3) > 0 { signed.with(key) } else { signed };
    }
    if random.u8(..4) == 0 {
        signed = signed.with(any(random));
    }
    Tx { payer, signed, op }
}

/// One walk; `heard` is told of each verdict.
fn walk(seed: u64, rules: InForce, mut heard: impl FnMut(&Tx, &str)) -> Result<(), String> {
    let mut random = Rng::with_seed(seed);
    let mut twin = Twin::new(start(&mut random), rules);
    let mut reorgs = 4;
    while twin.blocks() < BLOCKS {
        let count = random.usize(..6);
        let mut draws = random.fork();
        twin.block(count, |ledger| transaction(&mut draws, ledger), &mut heard)?;
        if reorgs > 0 && random.u8(..5) == 0 {
            reorgs -= 1;
            twin.reorg(random.usize(1..=twin.blocks().min(3)))?;
        }
    }
    Ok(())
}

#[test]
fn model_and_product_agree() {
    let first = seed();
    let mut seen = BTreeMap::<String, u32>::new();
    for seed in first..first + 1_500 {
        let heard = |tx: &Tx, verdict: &str| {
            let kind = format!("{:?}", tx.op).split([' ', '{']).next().unwrap_or_default().to_owned();
            *seen.entry(format!("{kind} {verdict}")).or_default() += 1;
        };
        walk(seed, InForce::ALL, heard).unwrap_or_else(|parted| panic!("SEED={seed}: {parted}"));
    }
    println!("{} verdicts from SEED={first}: {seen:#?}", seen.values().sum::<u32>());
    for op in ["Pay", "Commit", "Claim", "Update", "Renew", "SetKeys", "Transfer", "Offer", "Buy", "Recover"] {
        assert!(seen.get(&format!("{op} accepted")).is_some_and(|count| *count > 50), "{op} is hardly ever accepted");
    }
    let refusals = "T7d T7f T11a N6a N6b N8c N8d N8f N8g N9d N10a N10b N11d N11e N12d N12e N13d N13e N13f N13g N14d \
                    N14e N14f N14g N14h N15d N15e";
    for rule in refusals.split_whitespace() {
        assert!(seen.keys().any(|key| key.ends_with(&format!(" {rule}"))), "{rule} never refuses");
    }
}

/// Each switch is a rule that the product has: without it the two part.
#[test]
fn without_any_one_rule_they_part() {
    for rule in Rule::ALL {
        // Nonces and undo are not in a ledger's steps; `chain::State` has them.
        if matches!(rule, Rule::NonceCounts | Rule::UndoRestoresCoins | Rule::UndoRestoresName) {
            continue;
        }
        let parted = (0..2_000).find_map(|seed| walk(seed, InForce::without(&[rule]), |_, _| {}).err());
        assert!(parted.is_some(), "{rule:?} makes no difference");
    }
}
