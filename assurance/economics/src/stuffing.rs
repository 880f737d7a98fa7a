//! The 16 slots for Commits of every block, filled by somebody who claims nothing: what it costs him, how long an honest
//! Commit waits, and how the price level rises and falls.
//!
//! Real pool, templates and blocks. The attacker pays by 16 accounts, so that a single better-paid Commit of somebody else
//! pushes out one of his, not all.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::LEVEL_START;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_registry::price::{commit_burn, next_level};

use crate::ledger::{Ledger, key, label, registration, transaction};
use crate::plot::{Axis, Legend, Line, chart};
use crate::stats::{atoms_as_coins, number, table};
use crate::{Report, Scale};

/// What each attacker's Commit pays its miner.
const FEE: u64 = 100_000;

/// What an attack came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Blocks whose slots he filled.
    pub blocks: u32,
    /// Coins he burned.
    pub burned: f64,
    /// Blocks until a Commit that pays less than his was mined.
    pub waits_below: u32,
    /// The most blocks until one that pays more was mined.
    pub waits_above: u32,
    /// The level after each block, as a multiple of the least.
    pub level: Vec<f64>,
    /// Blocks from the end of the attack until the level is the least again.
    pub recovers: u32,
}

fn attacker(n: u64) -> PublicKey {
    key(1_000 + n)
}

/// Fills all slots of every block until `budget` coins are burned or `blocks` have passed.
#[must_use]
pub fn fill(budget: u64, blocks: u32) -> Outcome {
    let (poor, rich) = (key(1), key(2));
    let each = 20_000_000_000;
    let accounts = (0..16).map(|n| (attacker(n), 4_000_000_000)).chain([(poor, each), (rich, each)]);
    let mut ledger = Ledger::funded(accounts);
    let slots = u64::from(ledger.params.rules.commit_max);
    let budget = Amount::from_coins(budget).atoms();
    let mut outcome = Outcome::default();
    let (mut number, mut burned, mut waiting) = (0, 0u64, None);
    let low = commit_op(&mut number, &ledger.params);
    ledger.submit(transaction(poor, 0, Amount::from_atoms(FEE / 2), vec![low])).expect("an honest Commit");
    for block in 0.. {
        let cost = commit_burn(ledger.state.level()).atoms().saturating_mul(slots);
        // Once he stopped he has stopped: what is left of the budget would buy a few blocks more when the level has fallen.
        let attacks = outcome.recovers == 0 && block < blocks && burned + cost <= budget;
        if attacks {
            for n in 0..slots {
                let payer = attacker(n);
                if ledger.pool.chain(&payer).is_empty() {
                    let op = commit_op(&mut number, &ledger.params);
                    let commit = transaction(payer, ledger.nonce(&payer), Amount::from_atoms(FEE), vec![op]);
                    ledger.submit(commit).expect("the attacker has the coins");
                }
            }
            // Every ten blocks somebody pays more than the attacker.
            if block % 10 == 5 && waiting.is_none() {
                let op = commit_op(&mut number, &ledger.params);
                let commit = transaction(rich, ledger.nonce(&rich), Amount::from_atoms(FEE * 2), vec![op]);
                ledger.submit(commit).expect("an honest Commit");
                waiting = Some(block);
            }
        } else if outcome.recovers == 0 {
            outcome.blocks = block;
            // What he still had in the pool is withdrawn with him: it could only cost him more.
            let poors: Vec<_> = ledger.pool.chain(&poor).iter().map(|tx| tx.transaction.as_ref().clone()).collect();
            ledger.pool = dotp2p_registry::mempool::Mempool::new(dotp2p_registry::mempool::Limits::default());
            poors.into_iter().for_each(|tx| ledger.submit(tx).expect("it was there before"));
        }
        let mine = || (0..slots).map(|n| ledger.balance(&attacker(n)).atoms()).sum::<u64>();
        let before = mine();
        let template = ledger.template();
        let tally = ledger.mine(&template);
        let fees = template.iter().filter(|tx| tx.body().payer != poor && tx.body().payer != rich).count() as u64 * FEE;
        let mine: u64 = (0..slots).map(|n| ledger.balance(&attacker(n)).atoms()).sum();
        burned += (before - mine).saturating_sub(fees);
        assert!(!attacks || u64::from(tally.commits) == slots, "a slot stayed empty in block {block}");
        if let Some(since) = waiting.filter(|_| ledger.pool.chain(&rich).is_empty()) {
            outcome.waits_above = outcome.waits_above.max(block + 1 - since);
            waiting = None;
        }
        if outcome.waits_below == 0 && ledger.pool.chain(&poor).is_empty() {
            outcome.waits_below = block + 1;
        }
        outcome.level.push(ledger.state.level() as f64 / LEVEL_START as f64);
        if !attacks {
            outcome.recovers += 1;
            if ledger.state.level() == LEVEL_START {
                break;
            }
        }
    }
    outcome.burned = atoms_as_coins(burned.into());
    outcome
}

fn commit_op(number: &mut usize, params: &Params) -> dotp2p_chain::op::Op {
    *number += 1;
    registration(&label(12, *number), key(3), 0, params).0
}

/// Coins to raise the level to `times` the least, and to hold it there for a day of 1,440 blocks.
fn hold(times: u64, rules: &Rules) -> (f64, f64, f64) {
    let mut level = LEVEL_START;
    let (mut raising, mut blocks) = (0u128, 0);
    while level < times * LEVEL_START {
        raising += u128::from(commit_burn(level).atoms()) * u128::from(rules.commit_max);
        level = next_level(level, rules.commit_max, rules);
        blocks += 1;
    }
    let holding = u128::from(commit_burn(times * LEVEL_START).atoms()) * u128::from(rules.commit_target) * 1_440;
    (f64::from(blocks), atoms_as_coins(raising), atoms_as_coins(holding))
}

/// Attacks of several budgets, and what holding a price costs.
#[must_use]
pub fn run(scale: Scale, _seed: u64) -> Report {
    let mut report = Report::default();
    let rules = Params::main().rules;
    let budgets: &[(u64, &str)] = scale.of(
        &[(15_000, "15,000: five hours of all mining")],
        &[
            (100, "100: two blocks' rewards"),
            (1_000, "1,000"),
            (15_000, "15,000: five hours of all mining"),
            (72_000, "72,000: a day of all mining"),
            (2_160_000, "2,160,000: a month of all mining"),
            (26_280_000, "26,280,000: the first year of all mining"),
            (210_240_000, "210,240,000: all coins there will ever be"),
        ],
    );
    let (mut rows, mut lines, mut longest) = (Vec::new(), Vec::new(), 0);
    for (at, (budget, label)) in budgets.iter().enumerate() {
        let outcome = fill(*budget, 10_080);
        let peak = outcome.level.iter().copied().fold(1.0, f64::max);
        let dear = outcome.level.iter().filter(|level| **level > 2.0).count();
        rows.push(vec![
            (*label).to_owned(),
            number(outcome.blocks.into()),
            number(outcome.burned),
            number(outcome.waits_below.into()),
            number(outcome.waits_above.into()),
            number(peak),
            number(outcome.recovers.into()),
            number(dear as f64),
        ]);
        report.expect(outcome.waits_above == 1, format!("{label}: a better fee waited {} blocks", outcome.waits_above));
        report.expect(
            outcome.waits_below == outcome.blocks + 1,
            format!("{label}: a lesser fee waited {} of {} blocks", outcome.waits_below, outcome.blocks),
        );
        report.expect(outcome.recovers <= 105, format!("{label}: {} blocks to recover", outcome.recovers));
        report.expect(outcome.blocks < 250, format!("{label}: {} blocks filled", outcome.blocks));
        longest = longest.max(outcome.blocks);
        if [1, 2, 3, 5].contains(&at) {
            let points = outcome.level.iter().enumerate().map(|(n, level)| ((n + 1) as f64, *level));
            let name = label.split(':').next().unwrap_or_default();
            lines.push(Line::new(format!("{name} coins"), lines.len(), points.collect()));
        }
    }
    let head = [
        "budget, coins",
        "blocks filled",
        "burned",
        "a lesser fee waits, blocks",
        "a better fee waits",
        "peak price, coins a name",
        "blocks until it is 1 again",
        "blocks above 2",
    ];
    report.tables.push(("stuffing", table(&head, &rows)));
    let rows: Vec<Vec<String>> = [2, 5, 10, 31, 100, 1_000]
        .into_iter()
        .map(|times| {
            let (blocks, raising, holding) = hold(times, &rules);
            vec![
                number(times as f64),
                number(blocks),
                number(raising),
                number(holding),
                format!("{} %", number(100.0 * holding / 72_000.0)),
            ]
        })
        .collect();
    let head = [
        "price held, coins a name",
        "blocks to raise it",
        "coins to raise it",
        "coins to hold it for a day",
        "of the day's issue",
    ];
    report.tables.push(("holding", table(&head, &rows)));
    let x = Axis { label: "blocks (minutes) since the attack began", log: false, range: (0.0, 240.0) };
    let y = Axis { label: "price of a name, coins", log: true, range: (1.0, 1e6) };
    let title = "All slots filled until the budget is burned";
    report.plots.push(("stuffing", chart(title, x, y, Legend::Right, &lines)));
    report.figure = format!("all coins of all time fill the Commit slots for {longest} blocks");
    report
}
