//! What was tried and how it went: a run that never met a refusal proves nothing of it.

use std::collections::BTreeMap;
use std::fmt;

/// Rows of the table: the ops by number, then the transaction as a whole.
pub const ROWS: [&str; 11] =
    ["pay", "commit", "claim", "update", "renew", "setkeys", "transfer", "offer", "buy", "recover", "transaction"];

/// Everything that a long run must have met, by row.
const REQUIRED: [(&str, &str); 11] = [
    ("pay", "done N6a N6b T11a"),
    ("commit", "done nothing N7a T11a"),
    ("claim", "done N8a N8b N8c N8d N8f N8g N8h T11a"),
    ("update", "done N9a N9b N9c N9d N9e T11a"),
    ("renew", "done nothing N10a N10b N10c N10d T11a"),
    ("setkeys", "done N11a N11b N11c N11d N11e"),
    ("transfer", "done N12a N12b N12c N12d N12e"),
    ("offer", "done N13a N13b N13c N13d N13e N13f N13g"),
    ("buy", "done N14a N14b N14c N14d N14e N14f N14g N14h T11a"),
    ("recover", "done N15a N15b N15c N15d N15e"),
    ("transaction", "T7c T7d T7e T7f T7h"),
];

/// Refusals that cannot be met here, and why.
pub const UNREACHABLE: [(&str, &str); 3] = [
    ("N8e", "S11 has removed the commitment by then, so it shows as N8c, as the rule says"),
    ("T7a", "a matter of bytes: what is compared here is decoded"),
    ("T7b", "signatures are left out: which keys signed is given"),
];

/// Counts of a run.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// By row and outcome: `done`, `nothing`, or the rule that the product named.
    pub outcomes: BTreeMap<(&'static str, String), u64>,
    /// By the rule the product named and the one that N16 has first.
    pub other_order: BTreeMap<(String, String), u64>,
    /// Ops judged by both sides, those of forged blocks among them.
    pub ops: u64,
    /// Recipes.
    pub chains: u64,
    /// Blocks connected.
    pub blocks: u64,
    /// Blocks judged out of order, with a refused transaction, or with another root: taken, refused.
    pub forged: (u64, u64),
    /// Reorganisations, and the deepest.
    pub reorgs: (u64, u32),
    /// States written out and read again; of these, through a database.
    pub restarts: (u64, u64),
    /// The most names there were at once, and the greatest level.
    pub most: (usize, u64),
}

impl Coverage {
    /// Counts an outcome.
    pub fn met(&mut self, row: &'static str, outcome: impl Into<String>) {
        *self.outcomes.entry((row, outcome.into())).or_default() += 1;
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Self) {
        for (key, count) in &other.outcomes {
            *self.outcomes.entry(key.clone()).or_default() += count;
        }
        for (key, count) in &other.other_order {
            *self.other_order.entry(key.clone()).or_default() += count;
        }
        self.ops += other.ops;
        self.chains += other.chains;
        self.blocks += other.blocks;
        self.forged = (self.forged.0 + other.forged.0, self.forged.1 + other.forged.1);
        self.reorgs = (self.reorgs.0 + other.reorgs.0, self.reorgs.1.max(other.reorgs.1));
        self.restarts = (self.restarts.0 + other.restarts.0, self.restarts.1 + other.restarts.1);
        self.most = (self.most.0.max(other.most.0), self.most.1.max(other.most.1));
    }

    /// What a long run should have met and did not.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let all = REQUIRED.iter().flat_map(|(row, outcomes)| outcomes.split(' ').map(move |outcome| (*row, outcome)));
        all.filter(|(row, outcome)| !self.outcomes.contains_key(&(*row, (*outcome).to_owned())))
            .map(|(row, outcome)| format!("{row} {outcome}"))
            .collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in ROWS {
            let of_row = self.outcomes.iter().filter(|((of, _), _)| *of == row);
            let cells: Vec<String> = of_row.map(|((_, outcome), count)| format!("{outcome} {count}")).collect();
            writeln!(f, "{row:12} {}", cells.join(" · "))?;
        }
        for ((named, first), count) in &self.other_order {
            writeln!(f, "both refuse, named {named} where N16 has {first} before it: {count}")?;
        }
        for (rule, why) in UNREACHABLE {
            writeln!(f, "not met here: {rule}, {why}")?;
        }
        let (chains, blocks, most) = (self.chains, self.blocks, self.most);
        let ((reorgs, deepest), (restarts, stored)) = (self.reorgs, self.restarts);
        let (taken, refused) = self.forged;
        write!(
            f,
            "{chains} chains, {blocks} blocks, {reorgs} reorganisations (the deepest of {deepest}), {restarts} restarts \
             ({stored} from a database), forged blocks: {taken} taken, {refused} refused; at most {} names and level {}",
            most.0, most.1
        )
    }
}
