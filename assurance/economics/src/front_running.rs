//! A claim seen and copied: somebody who reads every Commit and Claim in the pool, pays 100 times the fee and orders the
//! block as he likes, tries to own the name.
//!
//! Real pool, real blocks, below the signature check. For each victim he tries everything that N7 and N8 leave to try:
//! the Commit copied; the Claim with himself as owner; his own Commit as soon as he knows the name, and its Claim in the
//! same block, in the next one, and when it is old enough; the Claim copied verbatim.

use std::collections::BTreeMap;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{Claim, Op};
use dotp2p_chain::tx::Transaction;
use dotp2p_registry::ledger::Draft;
use dotp2p_registry::mempool::PoolError;
use dotp2p_registry::rules::RuleError;

use crate::ledger::{Ledger, key, label, registration, transaction};
use crate::stats::{number, table, thousands};
use crate::{Report, Scale};

/// What an honest transaction pays.
const FEE: Amount = Amount::from_atoms(1_000);
/// What the attacker pays.
const FEE_100: Amount = Amount::from_atoms(100_000);
/// Claims that begin in each block; with the attacker's own Commits the slots stand at their target.
const A_BLOCK: usize = 4;
/// Accounts that the attacker pays from, so that none has too many transactions in the pool.
const PURSES: u64 = 8;

/// One honest registration.
struct Victim {
    name: Name,
    key: PublicKey,
    commit: Op,
    claim: Op,
    /// The attacker's own, from when he knows the name.
    thief_commit: Op,
    thief_claim: Op,
}

/// What came of all attempts.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Names whose owner is the attacker, or not the honest one.
    pub wins: usize,
    /// Attempts by what they tried, and by the rule that refused them or what they brought.
    pub attempts: BTreeMap<(&'static str, String), u64>,
    /// Coins that the attacker burned for others.
    pub spent: Amount,
}

impl Outcome {
    fn note(&mut self, what: &'static str, came: impl Into<String>) {
        *self.attempts.entry((what, came.into())).or_default() += 1;
    }
}

fn rule_of(error: &RuleError) -> String {
    let text = error.to_string();
    let rule = text.rsplit_once('(').and_then(|(_, rule)| rule.strip_suffix(')'));
    format!("refused, {}", rule.unwrap_or(&text))
}

struct Duel {
    ledger: Ledger,
    outcome: Outcome,
    rng: fastrand::Rng,
}

impl Duel {
    fn purse(&mut self) -> PublicKey {
        key(1_000 + self.rng.u64(0..PURSES))
    }

    /// The attacker's transaction into the pool, at his fee.
    fn attack(&mut self, what: &'static str, ops: Vec<Op>) {
        let purse = self.purse();
        let attempt = transaction(purse, self.ledger.nonce(&purse), FEE_100, ops);
        match self.ledger.submit(attempt) {
            Ok(()) => self.outcome.note(what, "mined first"),
            Err(PoolError::Rule(error)) => self.outcome.note(what, rule_of(&error)),
            Err(error) => self.outcome.note(what, error.to_string()),
        }
    }

    /// The attacker as the miner: his transaction as the first of the block, whatever the pool says.
    fn first_in_block(&mut self, what: &'static str, ops: Vec<Op>) {
        let purse = self.purse();
        let nonce = self.ledger.state.account(&purse).map_or(0, |account| account.nonce);
        let attempt = transaction(purse, nonce, FEE_100, ops);
        let Ledger { state, tip, params, .. } = &self.ledger;
        let mut draft = Draft::begin(state, tip.next(), params).expect("a block begins");
        match draft.apply(&attempt) {
            Ok(()) => self.outcome.note(what, "ACCEPTED"),
            Err(error) => self.outcome.note(what, rule_of(&error)),
        }
    }
}

/// `claims` honest registrations, each attacked.
#[must_use]
pub fn duel(claims: usize, seed: u64) -> Outcome {
    let victim_key = |n: usize| key(1_000_000 + n as u64);
    let victims = (0..claims).map(|n| (victim_key(n), 10));
    let purses = (0..PURSES).map(|n| (key(1_000 + n), 10_000_000));
    let ledger = Ledger::funded(victims.chain(purses));
    let thief = key(999);
    let victims: Vec<Victim> = (0..claims)
        .map(|n| {
            let name = label(6, n);
            let (commit, claim) = registration(&name, victim_key(n), n as u64, &ledger.params);
            let (thief_commit, thief_claim) = registration(&name, thief, n as u64, &ledger.params);
            Victim { name, key: victim_key(n), commit, claim, thief_commit, thief_claim }
        })
        .collect();
    let age = ledger.params.rules.age_min as usize;
    let rng = fastrand::Rng::with_seed(seed);
    let mut duel = Duel { ledger, outcome: Outcome::default(), rng };
    let before: u64 = (0..PURSES).map(|n| duel.ledger.balance(&key(1_000 + n)).atoms()).sum();
    let groups: Vec<&[Victim]> = victims.chunks(A_BLOCK).collect();
    // Group g commits in block g, claims in block g + age; the attacker's own Commit is old enough in g + 2 · age.
    for block in 0..groups.len() + 2 * age + 1 {
        let group = |offset: usize| block.checked_sub(offset).and_then(|g| groups.get(g)).copied().unwrap_or_default();
        for victim in group(0) {
            let honest = transaction(victim.key, duel.ledger.nonce(&victim.key), FEE, vec![victim.commit.clone()]);
            duel.ledger.submit(honest).expect("an honest Commit");
            duel.attack("copies the Commit", vec![victim.commit.clone()]);
        }
        for victim in group(age) {
            let honest = transaction(victim.key, duel.ledger.nonce(&victim.key), FEE, vec![victim.claim.clone()]);
            duel.ledger.submit(honest).expect("an honest Claim");
            let Op::Claim(claim) = &victim.claim else { continue };
            let renamed = Op::Claim(Claim { owner: key(999), ..claim.clone() });
            duel.attack("copies the Claim, himself as owner", vec![renamed.clone()]);
            duel.first_in_block("the same, as the miner", vec![renamed]);
            let both = vec![victim.thief_commit.clone(), victim.thief_claim.clone()];
            duel.first_in_block("own Commit and Claim in one block, as the miner", both);
            duel.attack("own Commit as soon as he knows the name", vec![victim.thief_commit.clone()]);
            if duel.rng.bool() {
                duel.attack("copies the Claim to the letter", vec![victim.claim.clone()]);
            }
        }
        for victim in group(age + 1) {
            duel.first_in_block("own Claim a block later, as the miner", vec![victim.thief_claim.clone()]);
        }
        for victim in group(2 * age) {
            duel.first_in_block("own Claim when old enough, as the miner", vec![victim.thief_claim.clone()]);
        }
        let template: Vec<Transaction> = duel.ledger.template();
        duel.ledger.mine(&template);
    }
    let owner = |victim: &&Victim| duel.ledger.state.name(&victim.name).map(|row| row.entry.owner);
    duel.outcome.wins = victims.iter().filter(|victim| owner(victim) != Some(victim.key)).count();
    let after: u64 = (0..PURSES).map(|n| duel.ledger.balance(&key(1_000 + n)).atoms()).sum();
    duel.outcome.spent = Amount::from_atoms(before - after);
    duel.outcome
}

/// Whether a miner who keeps an honest Claim out of `blocks` blocks, his own Commit in the first, owns the name.
#[must_use]
pub fn censored(blocks: u32) -> bool {
    let (honest, thief) = (key(1), key(2));
    let mut ledger = Ledger::funded([(honest, 10), (thief, 10)]);
    let name = label(6, 0);
    let (commit, claim) = registration(&name, honest, 0, &ledger.params);
    let (thief_commit, thief_claim) = registration(&name, thief, 1, &ledger.params);
    ledger.connect(&[transaction(honest, 0, FEE, vec![commit])]);
    (1..ledger.params.rules.age_min).for_each(|_| _ = ledger.connect(&[]));
    // From here on the honest Claim could stand in a block, and its name is known.
    for block in 0..blocks {
        let mut transactions = Vec::new();
        if block == 0 {
            transactions.push(transaction(thief, 0, FEE, vec![thief_commit.clone()]));
        } else if block + 1 == blocks {
            let attempt = transaction(thief, 1, FEE, vec![thief_claim.clone()]);
            let mut draft = Draft::begin(&ledger.state, ledger.tip.next(), &ledger.params).expect("a block begins");
            if draft.apply(&attempt).is_ok() {
                transactions.push(attempt);
            }
        }
        ledger.connect(&transactions);
    }
    if ledger.state.name(&name).is_none() {
        ledger.connect(&[transaction(honest, 1, FEE, vec![claim])]);
    }
    ledger.state.name(&name).is_some_and(|row| row.entry.owner == thief)
}

/// Ten thousand claims, and what a censor needs.
#[must_use]
pub fn run(scale: Scale, seed: u64) -> Report {
    let mut report = Report::default();
    let claims = scale.of(200, 10_000);
    let outcome = duel(claims, seed);
    let row = |((what, came), count): (&(&'static str, String), &u64)| {
        vec![(*what).to_owned(), thousands(&count.to_string()), came.clone()]
    };
    let rows: Vec<Vec<String>> = outcome.attempts.iter().map(row).collect();
    report.tables.push(("front-running", table(&["attempt", "times", "came to"], &rows)));
    report.expect(outcome.wins == 0, format!("{} names lost to a copier", outcome.wins));
    let accepted = outcome.attempts.keys().any(|(_, came)| came == "ACCEPTED");
    report.expect(!accepted, "a thief's op was accepted");
    let needed = (1..30).find(|blocks| censored(*blocks)).unwrap_or(u32::MAX);
    report.expect(needed == 11, format!("a censor needs {needed} blocks in a row, expected 11"));
    let rows: Vec<Vec<String>> = [0.1, 0.2, 0.33, 0.4, 0.5, 0.6]
        .into_iter()
        .map(|share: f64| {
            let chance = share.powi(needed as i32);
            vec![format!("{} %", number(share * 100.0)), format!("1 in {}", number(1.0 / chance))]
        })
        .collect();
    report.tables.push(("censor", table(&["hash rate of the censor", "names he takes"], &rows)));
    report.figure = format!(
        "{} wins in {} claims copied at 100 times the fee, {} attempts",
        outcome.wins,
        thousands(&claims.to_string()),
        thousands(&outcome.attempts.values().sum::<u64>().to_string()),
    );
    report
}
