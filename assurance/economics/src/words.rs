//! Ten thousand dictionary words, claimed as fast as the slots allow, over a day, over a month; beside what the same
//! costs on Namecoin and Handshake.
//!
//! Words are made up, of the lengths that a dictionary has: only the length has a price. The blocks are real ones.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::LEVEL_START;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::Op;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_registry::price;

use crate::ledger::{Ledger, key, label, registration, transaction};
use crate::plot::{Axis, Legend, Line, chart};
use crate::stats::{atoms_as_coins, coins, duration, number, table};
use crate::{Report, Scale};

/// Words of a–z by length from 1 on, in Debian's wamerican-small 2020.12.07-2 (`american-english-small`): 40,134.
const LENGTHS: [usize; 18] =
    [3, 51, 501, 1_939, 3_568, 5_433, 6_858, 6_673, 5_563, 4_162, 2_661, 1_484, 754, 321, 118, 28, 12, 5];

/// The subsidy that costs are told in: our first years' 50 coins.
fn reward(rules: &Rules) -> f64 {
    rules.subsidy as f64 / Amount::COIN as f64
}

/// So many words, with the dictionary's lengths, in random order; `from` letters and more.
#[must_use]
pub fn dictionary(words: usize, from: usize, rng: &mut fastrand::Rng) -> Vec<Name> {
    let all: usize = LENGTHS.iter().skip(from - 1).sum();
    let (mut seen, mut made) = (0, Vec::with_capacity(words));
    for (at, count) in LENGTHS.into_iter().enumerate().skip(from - 1) {
        seen += count;
        let until = words * seen / all;
        let start = made.len();
        (start..until).for_each(|n| made.push(label(at + 1, n - start)));
    }
    rng.shuffle(&mut made);
    made
}

/// How somebody claims many names.
#[derive(Clone, Copy, Debug)]
struct Pace {
    label: &'static str,
    /// Commits in each block, on average.
    a_block: f64,
    /// Everybody else's Commits in each block.
    others: u32,
    /// Words shorter than this are left out.
    from: usize,
}

/// What it came to.
#[derive(Clone, Debug)]
pub struct Bill {
    /// Blocks until the last Claim.
    pub blocks: u32,
    /// Atoms burned by the hoarder.
    pub burned: u128,
    /// Coins burned for each name, in order.
    pub each: Vec<f64>,
    /// The highest level on the way, in millionths.
    pub level: u64,
}

/// Claims `names` at `pace` in real blocks, whatever it costs.
fn hoard(names: &[Name], pace: Pace) -> Bill {
    // More coins than there will ever be: the bill tells who could have paid it.
    const RICH: u64 = 80_000_000_000;
    let (hoarder, others) = (key(1), key(2));
    let mut ledger = Ledger::funded([(hoarder, RICH), (others, RICH)]);
    let (start, age) = (ledger.tip.0, ledger.params.rules.age_min);
    let registrations: Vec<(Op, Op)> =
        names.iter().enumerate().map(|(n, name)| registration(name, hoarder, n as u64, &ledger.params)).collect();
    let mut bill = Bill { blocks: 0, burned: 0, each: Vec::with_capacity(names.len()), level: LEVEL_START };
    let (mut committed, mut claimed, mut due) = (0, 0, 0.0);
    let mut waiting = std::collections::VecDeque::new();
    let mut other = 0;
    while claimed < names.len() {
        due += pace.a_block;
        let until = names.len().min(due as usize);
        let level = ledger.state.level();
        bill.level = bill.level.max(level);
        let mut ops: Vec<Op> = registrations[committed..until].iter().map(|(commit, _)| commit.clone()).collect();
        for name in &names[committed..until] {
            let claim = price::claim_burn(name, level, Amount::ZERO).expect("within 64 bits");
            bill.each.push(coins(claim) + coins(price::commit_burn(level)));
        }
        waiting.push_back((ledger.tip.0 + 1 + age, until));
        committed = until;
        if let Some(&(_, until)) = waiting.front().filter(|(at, _)| *at <= ledger.tip.0 + 1) {
            waiting.pop_front();
            ops.extend(registrations[claimed..until].iter().map(|(_, claim)| claim.clone()));
            claimed = until;
        }
        let before = ledger.balance(&hoarder);
        let mut block = Vec::new();
        if !ops.is_empty() {
            block.push(transaction(hoarder, ledger.nonce(&hoarder), Amount::ZERO, ops));
        }
        if pace.others > 0 {
            let commits = (0..pace.others).map(|_| {
                other += 1;
                registration(&label(20, other), others, 0, &ledger.params).0
            });
            let commits = commits.collect();
            block.push(transaction(others, ledger.nonce(&others), Amount::ZERO, commits));
        }
        ledger.connect(&block);
        bill.burned += u128::from(before.atoms() - ledger.balance(&hoarder).atoms());
    }
    bill.blocks = ledger.tip.0 - start;
    assert!(names.iter().all(|name| ledger.state.name(name).is_some_and(|row| row.entry.owner == hoarder)));
    bill
}

/// The bill by prices alone, for a curve: `count` five-letter names, `a_block` in each block.
fn price_of(count: usize, a_block: f64, rules: &Rules) -> f64 {
    let (mut level, mut committed, mut due, mut atoms) = (LEVEL_START, 0, 0.0, 0u128);
    while committed < count {
        due += a_block;
        let until = count.min(due as usize);
        let n = (until - committed) as u32;
        atoms += u128::from(n) * u128::from(level) * u128::from(Amount::COIN) / u128::from(LEVEL_START);
        level = price::next_level(level, n, rules);
        committed = until;
    }
    atoms_as_coins(atoms)
}

/// All paces, and the two other chains.
#[must_use]
pub fn run(scale: Scale, seed: u64) -> Report {
    let mut report = Report::default();
    let rules = Params::main().rules;
    let count = scale.of(1_000, 10_000);
    // A tenth of a month where the words are a tenth.
    let month = 10_000.0 / 43_200.0;
    let paces = [
        Pace { label: "all 16 slots of every block", a_block: 16.0, others: 0, from: 1 },
        Pace { label: "12 of every block", a_block: 12.0, others: 0, from: 1 },
        Pace { label: "9 of every block", a_block: 9.0, others: 0, from: 1 },
        Pace { label: "8 of every block, where the level stands still", a_block: 8.0, others: 0, from: 1 },
        Pace { label: "the same, words of 5 letters and more", a_block: 8.0, others: 0, from: 5 },
        Pace { label: "the same, while others make 2 a block", a_block: 8.0, others: 2, from: 5 },
        Pace { label: "6 of every block, while others make 2", a_block: 6.0, others: 2, from: 5 },
        Pace { label: "over a month", a_block: month, others: 0, from: 1 },
        Pace { label: "over a month, words of 5 letters and more", a_block: month, others: 0, from: 5 },
    ];
    let subsidy = reward(&rules);
    let mut rows = Vec::new();
    let mut bills = Vec::new();
    for pace in paces {
        let mut rng = fastrand::Rng::with_seed(seed);
        let bill = hoard(&dictionary(count, pace.from, &mut rng), pace);
        let burned = atoms_as_coins(bill.burned);
        rows.push(vec![
            pace.label.to_owned(),
            duration(f64::from(bill.blocks) * 60.0),
            number(burned),
            number(bill.each.last().copied().unwrap_or_default()),
            number(burned / subsidy),
            format!("{} %", number(100.0 * burned / (subsidy * f64::from(bill.blocks)))),
        ]);
        bills.push(bill);
    }
    let head =
        ["10,000 words", "time", "coins burned", "the last name", "in block rewards", "of the coins issued meanwhile"];
    report.tables.push(("words", table(&head, &rows)));
    let cheapest = atoms_as_coins(bills[4].burned);
    report.tables.push(("words-chains", others(cheapest, f64::from(bills[4].blocks) * 60.0, subsidy)));
    // Nobody can take a dictionary in hours: more would be burned than there will ever be.
    let least = scale.of(100_000.0, 210_240_000.0);
    report.expect(atoms_as_coins(bills[0].burned) > least, "all slots: the level does not stop it");
    report.expect(scale == Scale::Quick || bills[2].level > 100 * LEVEL_START, "9 a block: the level does not climb");
    report.expect((cheapest - count as f64).abs() < 1e-6, "8 a block: not one coin a name");
    plots(&mut report, &bills, count, subsidy, &rules);
    report.figure = format!(
        "10,000 words cost {} coins at 8 a block ({}), {} at 9, more than there are at 16",
        number(atoms_as_coins(bills[3].burned)),
        duration(f64::from(bills[3].blocks) * 60.0),
        number(atoms_as_coins(bills[2].burned)),
    );
    report
}

/// The same number of names elsewhere. Sources: docs/economics.md.
fn others(ours: f64, seconds: f64, subsidy: f64) -> String {
    let row = |chain: &str, coins: &str, rewards: f64, issue_s: f64, time: &str, kept: &str| {
        vec![
            chain.to_owned(),
            coins.to_owned(),
            number(rewards),
            duration(rewards * issue_s),
            time.to_owned(),
            kept.to_owned(),
        ]
    };
    let rows = [
        row(
            "dotp2p, 8 a block, 5 letters and more",
            &format!("{} coins", number(ours)),
            ours / subsidy,
            60.0,
            &duration(seconds),
            "burned",
        ),
        row(
            "Namecoin, 0.01 a name, first reward",
            "100 NMC",
            100.0 / 50.0,
            600.0,
            "2 h and its blocks' room",
            "locked",
        ),
        row("Namecoin, after three halvings", "100 NMC", 100.0 / 6.25, 600.0, "the same", "locked"),
        row("Handshake, nobody else bids", "0 HNS", 0.0, 300.0, "15 days", "fees only"),
        row("Handshake, at the mean of its first 28,006", "1,260,000 HNS", 631.0, 300.0, "15 days", "burned"),
    ];
    let head = ["10,000 names", "price", "in block rewards", "issue of", "time, at least", "what becomes of the coins"];
    table(&head, &rows)
}

fn plots(report: &mut Report, bills: &[Bill], count: usize, subsidy: f64, rules: &Rules) {
    let n = Axis { label: "names claimed so far", log: true, range: (1.0, 10_000.0) };
    let cost = Axis { label: "cost of the next name, block rewards", log: true, range: (1e-4, 1e5) };
    // The level alone: what a name of five letters and more costs, as the plain price of its Commit's block.
    let path = |a_block: f64| {
        let (mut level, mut committed, mut due, mut points) = (LEVEL_START, 0usize, 0.0, Vec::new());
        while committed < count {
            due += a_block;
            let until = count.min(due as usize);
            if until > committed {
                points.push((committed.max(1) as f64, level as f64 / LEVEL_START as f64 / subsidy));
            }
            level = price::next_level(level, (until - committed) as u32, rules);
            committed = until;
        }
        points
    };
    let flat = |value: f64| vec![(1.0, value), (count as f64, value)];
    let lines = [
        Line::new("16 a block", 3, path(16.0)),
        Line::new("12 a block", 1, path(12.0)),
        Line::new("9 a block", 4, path(9.0)),
        Line::new("8 a block or fewer", 0, path(8.0)),
        Line::new("Namecoin, 0.01 of 50 NMC", 2, flat(0.01 / 50.0)).dashed(),
        Line::new("Handshake, mean of the first 28,006", 5, flat(126.0 / 2_000.0)).dashed(),
    ];
    let title = "What the next name costs somebody who claims many (5 letters and more)";
    report.plots.push(("words-next", chart(title, n, cost, Legend::Left, &lines)));
    let hours = Axis { label: "hours for 10,000 names", log: true, range: (10.0, 1_000.0) };
    let total = Axis { label: "coins for all of them", log: true, range: (1e3, 1e11) };
    let points = (0..=240).map(|step| {
        let a_block = 16.0 * (0.25f64 / 16.0).powf(f64::from(step) / 240.0);
        (count as f64 / a_block / 60.0, price_of(count, a_block, rules))
    });
    let points: Vec<(f64, f64)> = points.collect();
    let year = Line::new("all coins issued in the first year", 3, vec![(10.0, 26_280_000.0), (1_000.0, 26_280_000.0)]);
    let lines = [Line::new("10,000 names of 5 letters and more", 0, points), year.dashed()];
    let title = "What 10,000 names cost, by how long one takes";
    report.plots.push(("words-total", chart(title, hours, total, Legend::Right, &lines)));
    let burned: Vec<f64> = bills.iter().map(|bill| atoms_as_coins(bill.burned)).collect();
    report.expect(burned[7] <= burned[3] * 1.000_1, "a month costs more than a day");
}
