//! A miner with 60 % of the hash rate mines in secret for hours, then shows his branch: what DNS said, minute by minute.
//!
//! The honest node is the product's importer with its own store, fork choice, pool and served zone (L1 to L6), below the
//! signature check. Its rules are main's, with a work limit that makes real blocks cheap. Four names stand before the
//! fork or come after it:
//!
//! - `sold`: its owner sells it twice: to Bob on the public branch, to Mallory on the secret one.
//! - `kept`: its owner does nothing.
//! - `moved`: its owner changes its records on the public branch.
//! - `fresh`: first claimed by Erin on the public branch; the attacker, who sees her Claim, claims it on his.

mod chain;

use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{NameBytes, Op, Transfer, Update};
use dotp2p_chain::records::{Owner, RecordSet, Records};
use dotp2p_registry::query::Reader;

use self::chain::{Branch, Node};
use crate::ledger::{key, label, registration};
use crate::plot::{Axis, Legend, Line, chart, steps};
use crate::stats::{number, quantile, table};
use crate::{Report, Scale};

/// The attacker's share of all hash rate.
const SHARE: f64 = 0.6;
/// Minutes watched after the branch was shown.
const AFTER_MIN: u32 = 30;

const ALICE: u64 = 1;
const BOB: u64 = 2;
const MALLORY: u64 = 3;
const CAROL: u64 = 4;
const DORA: u64 = 5;
const ERIN: u64 = 6;

/// Whose records an answer holds: the byte that each writes into them.
type Whose = Option<u8>;

/// Records that say whose they are, and which version.
fn records_of(who: u64, version: u8) -> Vec<u8> {
    let address = vec![10, 0, version, who as u8];
    let set = RecordSet { owner: Owner::APEX, rtype: 1, ttl: 60, rdatas: vec![address] };
    let limits = dotp2p_chain::params::Params::main().rules.record_limits(5);
    Records::new(vec![set], limits).expect("one A record").encode()
}

/// Who wrote these records; none of the empty set.
fn author(records: &[u8]) -> Whose {
    let limits = dotp2p_chain::params::Params::main().rules.record_limits(5);
    let records = Records::decode(records, limits).ok()?;
    records.get(&Owner::APEX, 1)?.rdatas.first()?.last().copied()
}

fn version(records: &[u8]) -> Option<u8> {
    let limits = dotp2p_chain::params::Params::main().rules.record_limits(5);
    let records = Records::decode(records, limits).ok()?;
    records.get(&Owner::APEX, 1)?.rdatas.first()?.get(2).copied()
}

struct Names {
    sold: Name,
    kept: Name,
    moved: Name,
    fresh: Name,
}

impl Names {
    fn new() -> Self {
        let name = |n| label(5, n);
        Self { sold: name(0), kept: name(1), moved: name(2), fresh: name(3) }
    }
}

/// What one minute looked like.
#[derive(Clone, Copy, Debug)]
struct Minute {
    /// Minutes since the fork.
    at: f64,
    /// `sold`, as DNS serves it and as the tip has it.
    sold: (Whose, Whose),
    /// Whether `kept` is served as ever.
    kept: bool,
    /// The version of `moved` that DNS serves, and that the tip has.
    moved: (Option<u8>, Option<u8>),
    /// `fresh`, served and at the tip.
    fresh: (Whose, Whose),
}

/// What one attack came to.
#[derive(Clone, Debug, Default)]
pub struct Attack {
    minutes: Vec<Minute>,
    /// Minute of the reorganisation.
    shown: f64,
    /// Blocks that the honest node disconnected.
    pub depth: u32,
    /// Blocks that replaced them.
    pub replaced_by: u32,
    /// Whether the attacker had the most work when his time was up (else he went on until he had).
    pub in_time: bool,
}

impl Attack {
    fn after(&self) -> impl Iterator<Item = &Minute> {
        self.minutes.iter().filter(|minute| minute.at >= self.shown)
    }

    /// Minutes after the reorganisation until DNS serves Mallory for `sold`: (as served, by the tip).
    #[must_use]
    pub fn until_mallory(&self) -> (f64, f64) {
        let first = |of: fn(&Minute) -> Whose| {
            let found = self.after().find(|minute| of(minute) == Some(MALLORY as u8));
            found.map_or(f64::INFINITY, |minute| minute.at - self.shown)
        };
        (first(|minute| minute.sold.0), first(|minute| minute.sold.1))
    }

    /// The same for `fresh`.
    #[must_use]
    pub fn until_fresh_stolen(&self) -> f64 {
        let found = self.after().find(|minute| minute.fresh.0 == Some(MALLORY as u8));
        found.map_or(f64::INFINITY, |minute| minute.at - self.shown)
    }

    /// Minutes in which `kept` was not served as ever.
    #[must_use]
    pub fn kept_wrong(&self) -> usize {
        self.minutes.iter().filter(|minute| !minute.kept).count()
    }

    /// Minutes after the reorganisation in which `moved` was not served with its newest records: (as served, by the tip).
    #[must_use]
    pub fn moved_stale(&self) -> (usize, usize) {
        let count = |of: fn(&Minute) -> Option<u8>| self.after().filter(|minute| of(minute) != Some(2)).count();
        (count(|minute| minute.moved.0), count(|minute| minute.moved.1))
    }
}

fn served(reader: &Reader, name: &Name) -> Option<Vec<u8>> {
    reader.served(name.as_bytes(), true).map(|served| served.records.to_vec())
}

fn at_tip(reader: &Reader, name: &Name) -> Option<Vec<u8>> {
    reader.name(name).map(|(row, _)| row.records.clone())
}

fn look(reader: &Reader, names: &Names, at: f64) -> Minute {
    let whose = |records: Option<Vec<u8>>| records.and_then(|records| author(&records));
    let version = |records: Option<Vec<u8>>| records.and_then(|records| version(&records));
    let both = |name| (whose(served(reader, name)), whose(at_tip(reader, name)));
    Minute {
        at,
        sold: both(&names.sold),
        kept: served(reader, &names.kept) == Some(records_of(CAROL, 1)),
        moved: (version(served(reader, &names.moved)), version(at_tip(reader, &names.moved))),
        fresh: both(&names.fresh),
    }
}

fn update(name: &Name, who: u64, version: u8) -> Op {
    Op::Update(Update { name: NameBytes::from(name), records: records_of(who, version) })
}

fn transfer(name: &Name, to: u64) -> Op {
    Op::Transfer(Transfer { name: NameBytes::from(name), to: key(to) })
}

/// One attack of `hours`.
#[must_use]
pub fn attack(hours: f64, seed: u64) -> Attack {
    let mut rng = fastrand::Rng::with_seed(seed);
    let names = Names::new();
    let people: Vec<PublicKey> = (ALICE..=ERIN).map(key).collect();
    let mut node = Node::new(&people);
    let params = node.params().clone();
    // Before the fork: three names with their first records, long settled.
    let owners = [(&names.sold, ALICE), (&names.kept, CAROL), (&names.moved, DORA)];
    for (name, who) in owners {
        node.submit(who, vec![registration(name, key(who), 0, &params).0]);
    }
    node.mine_quietly(12);
    for (name, who) in owners {
        node.submit(who, vec![registration(name, key(who), 0, &params).1, update(name, who, 1)]);
    }
    node.mine_quietly(12);
    let fork = node.reader().tip;
    let began = node.clock();
    let mut secret = Branch::at(&node.reader());
    // Mallory's side of the double sale stands in the first secret block, her records in the second.
    secret.queue(ALICE, vec![transfer(&names.sold, MALLORY)]);
    secret.queue(MALLORY, vec![update(&names.sold, MALLORY, 1)]);

    let end = began + hours * 3_600.0;
    let mut result = Attack::default();
    let (mut public_next, mut secret_next) =
        (node.next_block(1.0 - SHARE, &mut rng), secret.next_block(SHARE, &mut rng));
    let (mut minute, mut done) = (began, 0);
    let (mut bob_wrote, mut fresh_claimed, mut mallory_commits) = (false, false, None);
    loop {
        let now = public_next.min(secret_next).min(minute);
        if now >= end && secret.work() > node.reader().work {
            break;
        }
        result.in_time = now < end;
        if now == minute {
            let reader = node.reader();
            result.minutes.push(look(&reader, &names, (now - began) / 60.0));
            minute += 60.0;
            // The public side of the story. Bob can write his records once he owns the name on the chain.
            match done {
                2 => node.submit(ALICE, vec![transfer(&names.sold, BOB)]),
                6 => node.submit(DORA, vec![update(&names.moved, DORA, 2)]),
                8 => node.submit(ERIN, vec![registration(&names.fresh, key(ERIN), 0, &params).0]),
                _ => {}
            }
            let owner = reader.state.name(&names.sold).map(|row| row.entry.owner);
            if !bob_wrote && owner == Some(key(BOB)) {
                node.submit(BOB, vec![update(&names.sold, BOB, 1)]);
                bob_wrote = true;
            }
            done += 1;
            let commit = registration(&names.fresh, key(ERIN), 0, &params);
            if !fresh_claimed && node.is_claimable(&commit.0) {
                node.submit(ERIN, vec![commit.1, update(&names.fresh, ERIN, 1)]);
                fresh_claimed = true;
                // The attacker reads the name in the pool, and commits to it on his branch.
                secret.queue(MALLORY, vec![registration(&names.fresh, key(MALLORY), 1, &params).0]);
                mallory_commits = Some(secret.height() + 1);
            }
        } else if now == public_next {
            node.mine(now);
            public_next = node.next_block(1.0 - SHARE, &mut rng);
        } else {
            if mallory_commits.is_some_and(|height| secret.height() >= height + 10) {
                mallory_commits = None;
                let claim = registration(&names.fresh, key(MALLORY), 1, &params).1;
                secret.queue(MALLORY, vec![claim, update(&names.fresh, MALLORY, 1)]);
            }
            secret.mine(now);
            secret_next = secret.next_block(SHARE, &mut rng);
        }
    }
    // Shown: the node takes the branch whole, and from now on everybody mines on it.
    let clock = node.clock().max(secret.clock()).max(end);
    let before = node.reader().tip;
    result.depth = before.0 - fork.0;
    result.replaced_by = secret.height() - fork.0;
    node.take(secret.blocks(), clock);
    result.shown = (clock - began) / 60.0;
    let last = clock + 60.0 * f64::from(AFTER_MIN);
    let (mut next, mut minute) = (node.next_block(1.0, &mut rng), clock);
    while next.min(minute) <= last {
        if minute <= next {
            result.minutes.push(look(&node.reader(), &names, (minute - began) / 60.0));
            minute += 60.0;
        } else {
            node.mine(next);
            next = node.next_block(1.0, &mut rng);
        }
    }
    result
}

/// Attacks of several lengths, several seeds each.
#[must_use]
pub fn run(scale: Scale, seed: u64) -> Report {
    let mut report = Report::default();
    let mut rows = Vec::new();
    let lengths: &[f64] = scale.of(&[1.0], &[1.0, 6.0, 12.0, 24.0]);
    let mut drawn = None;
    let (mut deepest, mut attacks_run, mut kept_wrong) = (0, 0, 0);
    for &hours in lengths {
        let seeds = scale.of(1, if hours > 6.0 { 3 } else { 10 });
        let attacks: Vec<Attack> = (0..seeds).map(|n| attack(hours, seed * 1_000 + n)).collect();
        let median = |of: &dyn Fn(&Attack) -> f64| quantile(&attacks.iter().map(of).collect::<Vec<_>>(), 0.5);
        rows.push(vec![
            format!("{hours} h"),
            number(median(&|a| a.depth.into())),
            number(median(&|a| a.replaced_by.into())),
            minutes(median(&|a| a.until_mallory().1)),
            minutes(median(&|a| a.until_mallory().0)),
            minutes(median(&|a| a.until_fresh_stolen())),
            number(median(&|a| a.kept_wrong() as f64)),
            number(median(&|a| a.moved_stale().1 as f64)),
            number(median(&|a| a.moved_stale().0 as f64)),
        ]);
        for one in &attacks {
            kept_wrong += one.kept_wrong();
            attacks_run += 1;
            deepest = deepest.max(one.depth);
            let stale = one.moved_stale().0;
            let held = one.until_mallory().0;
            report.expect(
                hours < 6.0 || held.is_infinite(),
                format!("{hours} h: the thief is served after {held} minutes"),
            );
            report.expect(stale == 0, format!("{hours} h: {stale} minutes without an owner's newest records"));
        }
        if hours >= 1.0 && drawn.is_none() {
            drawn = attacks.into_iter().next();
        }
    }
    report.expect(kept_wrong == 0, format!("{kept_wrong} wrong minutes for a name that nobody touched"));
    let head = [
        "mined in secret",
        "blocks disconnected",
        "blocks instead",
        "sold twice: the thief is served after, by the tip, minutes",
        "by our rules",
        "claimed since the fork: the thief is served after, minutes",
        "untouched: wrong minutes",
        "updated since the fork: stale minutes, by the tip",
        "by our rules",
    ];
    report.tables.push(("secret-branch", table(&head, &rows)));
    if let Some(attack) = drawn {
        report.plots.push(("secret-branch", plot(&attack)));
    }
    report.figure = format!(
        "{attacks_run} secret branches of a 60 % miner, up to {deepest} blocks: {kept_wrong} wrong minutes for untouched names"
    );
    report
}

/// A time after the branch was shown, which is watched for [`AFTER_MIN`].
fn minutes(time: f64) -> String {
    if time.is_finite() { number(time) } else { format!("more than {AFTER_MIN}") }
}

/// Whose records stand for the name that was sold twice: DNS and the tip.
fn plot(attack: &Attack) -> String {
    let shown = attack.shown;
    let place = |whose: Whose| match whose.map(u64::from) {
        Some(ALICE) => 1.0,
        Some(BOB) => 2.0,
        Some(MALLORY) => 3.0,
        _ => 0.0,
    };
    let line = |shift: f64, of: fn(&Minute) -> Whose| {
        let points: Vec<(f64, f64)> = attack.minutes.iter().map(|m| (m.at, place(of(m)) + shift)).collect();
        steps(&points)
    };
    let x = Axis { label: "minutes since the secret branch began", log: false, range: (0.0, shown + 30.0) };
    let y = Axis { label: "1 seller   2 public buyer   3 secret buyer", log: false, range: (0.0, 4.0) };
    let lines = [
        Line::new("by our rules (L1 to L6)", 0, line(0.0, |m| m.sold.0)),
        Line::new("by the tip alone", 3, line(0.05, |m| m.sold.1)).dashed(),
        Line::new("the branch is shown", 1, vec![(shown, 0.0), (shown, 3.4)]).dashed(),
    ];
    chart("A name sold twice: whose records are served", x, y, Legend::Left, &lines)
}
