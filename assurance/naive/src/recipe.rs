//! What is done to both sides, in order.

use fastrand::Rng;

/// One step. Its numbers are seeds: what they become depends on the state they meet, so a step still means something
/// when those before it are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A transaction is tried on the open block; a number for the whole and one for each op.
    Transaction(u64, Vec<u64>),
    /// The open block's transactions in another order, one twice, one left out, a refused one among them, or another root:
    /// judged as a block, and taken back.
    Forge(u64),
    /// The open block is closed and connected.
    Mine(u64),
    /// Blocks are disconnected, and sometimes connected again.
    Reorg(u64),
    /// The product's state is written out as rows and read again.
    Restart(u64),
}

/// Steps on the network of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Decides the network and who there is.
    pub seed: u64,
    /// In order.
    pub steps: Vec<Step>,
}

impl Recipe {
    /// The recipe of a seed, of about so many blocks.
    #[must_use]
    pub fn new(seed: u64, blocks: usize) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x7265_6369_7065);
        let mut steps = Vec::new();
        // Blocks are of different sizes, and so are the chains' habits.
        let busy = if rng.bool() { rng.usize(1..=12) } else { rng.usize(12..=120) };
        for _ in 0..blocks {
            for _ in 0..rng.usize(0..=busy) {
                let ops = if rng.u8(0..60) == 0 { rng.usize(20..=100) } else { 1 + rng.usize(0..5) * rng.usize(0..2) };
                steps.push(Step::Transaction(rng.u64(..), (0..ops).map(|_| rng.u64(..)).collect()));
            }
            if rng.u8(0..6) == 0 {
                steps.push(Step::Forge(rng.u64(..)));
            }
            match rng.u8(0..40) {
                0..=1 => steps.push(Step::Reorg(rng.u64(..))),
                2 => steps.push(Step::Restart(rng.u64(..))),
                _ => steps.push(Step::Mine(rng.u64(..))),
            }
        }
        Self { seed, steps }
    }

    /// How many ops it has.
    #[must_use]
    pub fn ops(&self) -> usize {
        self.steps.iter().map(|step| if let Step::Transaction(_, ops) = step { ops.len() } else { 0 }).sum()
    }
}
