//! Hash rate that comes and goes: how far apart blocks are under ASERT with the waiting rule (P4 to P6) and without it.
//!
//! Blocks are found at exponential times at the difficulty that the real rule asks of them; a miner renews his template
//! each half minute while he waits. Block times are the clock's, later where the median asks it (B12b), and a block more
//! than 600 s ahead waits (B12c).

use dotp2p_chain::asert::{self, Anchor, Schedule, WAITING_SPACINGS};
use dotp2p_chain::check::{FUTURE_MAX_S, HeaderContext, MEDIAN_SPAN, median_time, required_bits};
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::height::Height;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::pow::CompactTarget;

use crate::plot::{Axis, Legend, Line, chart};
use crate::stats::{duration, exponential, hashes, mean, number, quantile, table};
use crate::{Report, Scale};

/// Blocks at the old hash rate before the step.
const BEFORE: usize = 400;
/// Blocks at the new one after the spacing is back.
const AFTER: usize = 1_000;
/// How near to 60 s the expected spacing must come to count as back.
const BAND: f64 = 0.10;
/// Seconds between two templates of a miner whose target eases while he waits.
const TEMPLATE_S: f64 = 30.0;
/// Nobody looks further than so many blocks after the step.
const BLOCKS_MAX: usize = 2_000_000;

/// Which rule asks for the bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// ASERT with the waiting rule, as the product has it.
    Waiting,
    /// ASERT alone: the parent's time is the reference, whatever the block's own.
    Plain,
}

/// Main's rules, at a difficulty so high that the limit is far away whatever happens here.
fn rules() -> Rules {
    Rules { genesis_bits: CompactTarget::from_consensus(0x1600_ffff), ..Params::main().rules }
}

/// A chain under one rule, as far as difficulty sees it.
struct Chain {
    rules: Rules,
    rule: Rule,
    context: HeaderContext,
    /// Seconds since the genesis time, the real ones.
    clock: f64,
}

/// A block as it came.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Seconds since the block before, on the clock.
    waited: f64,
    /// Expected seconds for a block of its bits at the present hash rate.
    expected: f64,
}

impl Chain {
    fn new(rule: Rule) -> Self {
        let rules = rules();
        let time = rules.genesis_time;
        let context = HeaderContext {
            parent: BlockHash::ZERO,
            parent_height: Height(1),
            parent_time: time,
            times: vec![time],
            first_time: Some(time),
        };
        Self { rules, rule, context, clock: 0.0 }
    }

    fn bits(&self, time: u64) -> CompactTarget {
        match self.rule {
            Rule::Waiting => required_bits(&self.context, time, &self.rules),
            Rule::Plain => {
                let spacing = self.rules.spacing;
                let first = self.context.first_time.unwrap_or_default();
                let anchor = Anchor { height: Height(1), parent_time: first - spacing, bits: self.rules.genesis_bits };
                let half_life = self.rules.half_life.unwrap_or(1);
                let schedule = Schedule { spacing, half_life, limit: self.rules.limit_bits };
                asert::next_bits(&anchor, &schedule, self.context.parent_height, self.context.parent_time)
            }
        }
    }

    /// Finds the next block at `rate` hashes a second.
    fn next(&mut self, rate: f64, rng: &mut fastrand::Rng) -> Found {
        let genesis = self.rules.genesis_time;
        let earliest = median_time(&self.context.times) + 1;
        let began = self.clock;
        self.clock = self.clock.max((earliest - genesis) as f64 - FUTURE_MAX_S as f64);
        let mut left = exponential(rng);
        let waiting_from = (self.context.parent_time - genesis + WAITING_SPACINGS * self.rules.spacing) as f64;
        loop {
            let time = (genesis + self.clock as u64).max(earliest);
            let bits = self.bits(time);
            let expected = hashes(bits) / rate;
            let until = match self.rule {
                Rule::Plain => f64::INFINITY,
                Rule::Waiting if self.clock < waiting_from => waiting_from,
                Rule::Waiting => self.clock + TEMPLATE_S,
            };
            if self.clock + left * expected <= until {
                self.clock += left * expected;
                let time = (genesis + self.clock as u64).max(earliest);
                self.connect(time);
                return Found { waited: self.clock - began, expected };
            }
            left -= (until - self.clock) / expected;
            self.clock = until;
        }
    }

    fn connect(&mut self, time: u64) {
        self.context.parent_height = self.context.parent_height.next();
        self.context.parent_time = time;
        if self.context.times.len() == MEDIAN_SPAN {
            self.context.times.remove(0);
        }
        self.context.times.push(time);
    }
}

/// What happened after a step.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Mean spacing of the blocks before it, seconds.
    pub before: f64,
    /// The same until the spacing was back.
    pub during: f64,
    /// The same of the blocks after that.
    pub after: f64,
    /// The longest wait for a block, seconds.
    pub longest: f64,
    /// Blocks until the expected spacing was within 10 % of 60 s.
    pub blocks: f64,
    /// Seconds until then.
    pub seconds: f64,
    /// Seconds since the step and expected spacing, block by block.
    pub path: Vec<(f64, f64)>,
}

/// One chain whose hash rate is multiplied by `factor` at once.
#[must_use]
pub fn step(rule: Rule, factor: f64, seed: u64) -> Outcome {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut chain = Chain::new(rule);
    let spacing = chain.rules.spacing as f64;
    let old = hashes(chain.rules.genesis_bits) / spacing;
    let before: Vec<f64> = (0..BEFORE).map(|_| chain.next(old, &mut rng).waited).collect();
    let (began, rate) = (chain.clock, old * factor);
    let mut outcome = Outcome { before: mean(&before), ..Outcome::default() };
    while outcome.blocks < BLOCKS_MAX as f64 {
        let found = chain.next(rate, &mut rng);
        outcome.blocks += 1.0;
        outcome.longest = outcome.longest.max(found.waited);
        outcome.path.push((chain.clock - began, found.expected));
        if (found.expected / spacing - 1.0).abs() <= BAND {
            break;
        }
    }
    outcome.seconds = chain.clock - began;
    outcome.during = outcome.seconds / outcome.blocks;
    let after: Vec<f64> = (0..AFTER).map(|_| chain.next(rate, &mut rng).waited).collect();
    outcome.after = mean(&after);
    outcome
}

/// Hash rate times `factor` for six hours, then back: (longest wait, seconds after its end until the spacing is back).
#[must_use]
pub fn visit(rule: Rule, factor: f64, seed: u64) -> (f64, f64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut chain = Chain::new(rule);
    let spacing = chain.rules.spacing as f64;
    let rate = hashes(chain.rules.genesis_bits) / spacing;
    (0..BEFORE).for_each(|_| _ = chain.next(rate, &mut rng));
    let end = chain.clock + 6.0 * 3_600.0;
    while chain.clock < end {
        chain.next(rate * factor, &mut rng);
    }
    let (end, mut longest) = (chain.clock, 0f64);
    loop {
        let found = chain.next(rate, &mut rng);
        longest = longest.max(found.waited);
        if (found.expected / spacing - 1.0).abs() <= BAND {
            return (longest, chain.clock - end);
        }
    }
}

const FACTORS: [(f64, &str); 6] =
    [(1e2, "× 100"), (1e4, "× 10⁴"), (1e6, "× 10⁶"), (1e-2, "÷ 100"), (1e-4, "÷ 10⁴"), (1e-6, "÷ 10⁶")];

/// All steps under both rules.
#[must_use]
pub fn run(scale: Scale, seed: u64) -> Report {
    let mut report = Report::default();
    let (mut rows, mut up, mut down) = (Vec::new(), Vec::new(), Vec::new());
    let (mut worst, mut worst_plain) = (0.0, 0.0);
    for (at, (factor, label)) in FACTORS.into_iter().enumerate() {
        for rule in [Rule::Waiting, Rule::Plain] {
            let seeds = match rule {
                Rule::Waiting => scale.of(3, 400),
                Rule::Plain => scale.of(1, if factor < 1e-5 { 20 } else { 100 }),
            };
            if scale == Scale::Quick && rule == Rule::Plain && factor < 1e-3 {
                continue;
            }
            let outcomes: Vec<Outcome> = (0..seeds).map(|n| step(rule, factor, seed * 1_000 + n)).collect();
            let of = |field: fn(&Outcome) -> f64| outcomes.iter().map(field).collect::<Vec<f64>>();
            let (median, p99) = (quantile(&of(|o| o.longest), 0.5), quantile(&of(|o| o.longest), 0.99));
            let after = mean(&of(|o| o.after));
            if rule == Rule::Waiting {
                check(&mut report, label, factor, p99, after, &of(|o| o.before));
            }
            if factor < 1e-5 {
                *(if rule == Rule::Waiting { &mut worst } else { &mut worst_plain }) = median;
            }
            rows.push(vec![
                format!("{label}{}", if rule == Rule::Plain { ", plain ASERT" } else { "" }),
                duration(mean(&of(|o| o.before))),
                duration(quantile(&of(|o| o.during), 0.5)),
                duration(after),
                duration(median),
                duration(p99),
                number(quantile(&of(|o| o.blocks), 0.5)),
                duration(quantile(&of(|o| o.seconds), 0.5)),
                duration(quantile(&of(|o| o.seconds), 0.99)),
            ]);
            let path = outcomes[0].path.iter();
            let points = if factor > 1.0 {
                path.map(|(seconds, spacing)| (seconds / 3_600.0, *spacing)).collect()
            } else {
                path.zip(1..=1_000).map(|((seconds, _), n)| (f64::from(n), seconds / 3_600.0)).collect()
            };
            let plain = rule == Rule::Plain;
            let line = Line::new(format!("{label}{}", if plain { ", plain" } else { "" }), at % 3, points);
            match (factor > 1.0, plain) {
                (true, false) => up.push(line),
                (true, true) => {}
                (false, false) => down.push(line),
                (false, true) => down.push(line.dashed()),
            }
        }
    }
    let head = [
        "hash rate",
        "spacing before",
        "until back",
        "after",
        "longest wait, median",
        "p99",
        "blocks until back",
        "time until back, median",
        "p99",
    ];
    report.tables.push(("difficulty", table(&head, &rows)));
    report.tables.push(("visit", visits(scale, seed)));
    let x = Axis { label: "hours since the step", log: true, range: (0.001, 100.0) };
    let y = Axis { label: "expected spacing, seconds", log: true, range: (1e-5, 1e3) };
    let title = "Hash rate multiplied at once: expected spacing, block by block";
    report.plots.push(("difficulty-more", chart(title, x, y, Legend::Left, &up)));
    let x = Axis { label: "blocks since the step", log: true, range: (1.0, 1_000.0) };
    let y = Axis { label: "hours until that block", log: true, range: (0.1, 1e6) };
    let title = "Hash rate divided at once: the waiting rule (full) and plain ASERT (dashed)";
    report.plots.push(("difficulty-less", chart(title, x, y, Legend::Right, &down)));
    report.figure = format!(
        "hash rate ÷ 10⁶: longest wait {} in the median (plain ASERT {})",
        duration(worst),
        duration(worst_plain)
    );
    report
}

/// What the rule promises: it comes back, and nobody waits longer than the logarithm of what left.
fn check(report: &mut Report, label: &str, factor: f64, p99: f64, after: f64, before: &[f64]) {
    let near = |value: f64, share: f64| (value / 60.0 - 1.0).abs() <= share;
    report.expect(near(mean(before), 0.05), format!("{label}: spacing before the step is {} s", mean(before)));
    report.expect(near(after, 0.10), format!("{label}: spacing after recovery is {after} s"));
    // 20 spacings, then a half-life for each doubling that is missing, and as many again for bad luck.
    let bound = if factor < 1.0 { 1_200.0 + 7_200.0 * (4.0 + (1.0 / factor).log2()) } else { 3_600.0 };
    report.expect(p99 <= bound, format!("{label}: longest wait {p99} s, bound {bound} s"));
}

fn visits(scale: Scale, seed: u64) -> String {
    let rows = [10.0, 100.0, 1_000.0].into_iter().map(|factor| {
        let of = |rule| -> Vec<(f64, f64)> {
            (0..scale.of(2, 200)).map(|n| visit(rule, factor, seed * 1_000 + n)).collect()
        };
        let half = |values: &[(f64, f64)]| {
            let longest: Vec<f64> = values.iter().map(|(longest, _)| *longest).collect();
            let back: Vec<f64> = values.iter().map(|(_, back)| *back).collect();
            [duration(quantile(&longest, 0.5)), duration(quantile(&longest, 0.99)), duration(quantile(&back, 0.5))]
        };
        let mut row = vec![format!("× {factor} for six hours, then gone")];
        row.extend(half(&of(Rule::Waiting)));
        row.extend(half(&of(Rule::Plain)));
        row
    });
    let head =
        ["hash rate", "longest wait, median", "p99", "back after", "plain ASERT: longest, median", "p99", "back after"];
    table(&head, &rows.collect::<Vec<_>>())
}
