//! A recipe done on both sides, compared at every step.

mod compare;
mod forge;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::Account;
use dotp2p_chain::height::Height;
use dotp2p_chain::tx::{Body, Transaction};
use dotp2p_registry::ledger::Draft;
use dotp2p_registry::state::State;
use fastrand::Rng;

use crate::coverage::Coverage;
use crate::maker::Maker;
use crate::naive::{self, Bend, Chain};
use crate::real::{Real, block, unsigned};
use crate::recipe::{Recipe, Step};
use crate::words;
use crate::world::{ELDER, MINERS, World, key, wild_rules};

/// Where the two sides differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The step, from 0.
    pub step: usize,
    /// What each side says.
    pub what: String,
}

/// Both sides of one chain.
struct Sides<'a> {
    world: World,
    real: Real,
    naive: Chain,
    maker: Maker,
    coverage: &'a mut Coverage,
    trace: Option<&'a mut Vec<String>>,
}

/// The transactions of the open block.
#[derive(Default)]
struct Open {
    taken: Vec<Transaction>,
    refused: Vec<Transaction>,
}

/// Does `recipe` on both sides; `bend` alters a rule of the naive one, `trace` collects the steps in words.
///
/// A panic of either side is a difference too.
pub fn run(
    recipe: &Recipe,
    bend: Option<Bend>,
    coverage: &mut Coverage,
    trace: Option<&mut Vec<String>>,
) -> Result<(), Difference> {
    let step = Cell::new(0);
    let done = catch_unwind(AssertUnwindSafe(|| run_steps(recipe, bend, coverage, trace, &step)));
    done.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("a panic: {}", text.unwrap_or_default()))
    })
    .map_err(|what| Difference { step: step.get(), what })
}

fn run_steps(
    recipe: &Recipe,
    bend: Option<Bend>,
    coverage: &mut Coverage,
    trace: Option<&mut Vec<String>>,
    step: &Cell<usize>,
) -> Result<(), String> {
    let world = World::new(recipe.seed);
    let nonce = u64::MAX - 3;
    let elder = [(key(ELDER), Account { balance: Amount::ZERO, nonce })];
    let preset = elder.get(..usize::from(world.elder)).unwrap_or_default();
    let real = Real::new(&world.params, preset, world.durable);
    let mut naive = Chain::new(&world.params.rules, bend);
    let account = naive::Account { balance: 0, nonce };
    naive.preset(&preset.iter().map(|(key, _)| (key.0, account)).collect::<Vec<_>>());
    coverage.chains += 1;
    let mut sides = Sides { world, real, naive, maker: Maker::default(), coverage, trace };
    let params = sides.world.params.clone();
    sides.say(|| format!("{:?}", params.rules));
    if naive::chain_id(&params.rules) != params.chain_id.0 {
        return Err("chain ids differ (B4, B5)".to_owned());
    }
    same_rules(recipe.seed)?;
    while let Some(rest) = recipe.steps.get(step.get()..).filter(|rest| !rest.is_empty()) {
        sides.block(rest, step)?;
    }
    Ok(())
}

/// Which Rules a node may start on (B3).
fn same_rules(seed: u64) -> Result<(), String> {
    let mut rng = Rng::with_seed(seed ^ 0x0072_756c_6573);
    for _ in 0..16 {
        let rules = wild_rules(&mut rng);
        let (real, naive) = (rules.check(), naive::rules_allowed(&rules));
        if real.is_ok() != naive {
            return Err(format!("the product says {real:?}, the naive side {naive}, of {rules:?}"));
        }
    }
    Ok(())
}

impl Sides<'_> {
    /// Steps up to and including the one that closes or abandons the block; `step` counts them.
    fn block(&mut self, steps: &[Step], step: &Cell<usize>) -> Result<(), String> {
        // A snapshot, so that the draft does not hold the state: clones share everything.
        let (state, params) = (self.real.state.clone(), self.world.params.clone());
        let height = Height(self.naive.height() + 1);
        let begun = Draft::begin(&state, height, &params);
        let mut draft = begun.map_err(|error| format!("a block cannot begin: {error}"))?;
        let mut pad = self.naive.begin();
        let mut open = Open::default();
        let begun_at = step.get();
        for (at, next) in steps.iter().enumerate() {
            step.set(begun_at + at);
            match next {
                Step::Transaction(seed, ops) => {
                    let body = self.maker.body(*seed, ops, &self.world, &pad);
                    self.transaction(body, &mut draft, &mut pad, &mut open)?;
                    continue;
                }
                Step::Forge(seed) => {
                    self.forge(*seed, &open)?;
                    continue;
                }
                Step::Mine(seed) => self.mine(*seed, draft, pad, open)?,
                Step::Reorg(seed) => self.reorg(*seed)?,
                Step::Restart(seed) => self.restart(*seed)?,
            }
            step.set(begun_at + at + 1);
            return Ok(());
        }
        step.set(begun_at + steps.len());
        Ok(())
    }

    fn transaction(
        &mut self,
        body: Body,
        draft: &mut Draft<'_>,
        pad: &mut naive::Block,
        open: &mut Open,
    ) -> Result<(), String> {
        let transaction = unsigned(body);
        let body = transaction.body();
        let (real, naive) = (draft.apply(&transaction), pad.transaction(body));
        self.say(|| {
            let words = words::transaction(body);
            format!("transaction at {}: {words}\n    product {real:?}, naive {naive:?}", pad.height())
        });
        self.same_outcome(body, real.as_ref().err(), &naive)?;
        self.same_tally(draft.tally(), pad)?;
        compare::touched(body, draft.view(), pad.state())?;
        if real.is_ok() {
            open.taken.push(transaction)
        } else {
            open.refused.push(transaction)
        }
        Ok(())
    }

    fn mine(&mut self, seed: u64, draft: Draft<'_>, pad: naive::Block, open: Open) -> Result<(), String> {
        let to = key(Rng::with_seed(seed).u8(0..MINERS)).0;
        self.say(|| format!("block {} of {} transactions", pad.height(), open.taken.len()));
        let (params, height) = (&self.world.params, pad.height());
        self.naive.finish(pad, to);
        let tip = self.naive.tip();
        let (have, issued_less_burned) = tip.supply();
        if have != issued_less_burned {
            return Err(format!("S14: {have} atoms exist, {issued_less_burned} were issued and not burned"));
        }
        // Its root is the naive side's: the ledger refuses the block where its own is another.
        let block = block(params, height, to, open.taken, tip.root());
        let drafted = draft.finish(&block.coinbase).map_err(|error| format!("a draft does not finish: {error}"))?;
        let connected = self.real.connect(block, params).map_err(|error| format!("a block is refused: {error}"))?;
        if drafted != connected {
            return Err(format!("the draft gives {drafted:?}, the block {connected:?}"));
        }
        self.coverage.blocks += 1;
        let most = &mut self.coverage.most;
        *most = (most.0.max(tip.names.len()), most.1.max(tip.level));
        compare::entries(&self.real.state, tip)?;
        if height.is_multiple_of(8) { compare::indexes(&self.real.state, tip) } else { Ok(()) }
    }

    fn reorg(&mut self, seed: u64) -> Result<(), String> {
        let mut rng = Rng::with_seed(seed);
        let depth = if rng.u8(0..4) == 0 { rng.u32(1..40) } else { rng.u32(1..6) };
        let depth = depth.min(self.naive.height());
        let tip = self.naive.height();
        self.say(|| format!("{depth} blocks back from {tip}"));
        let from_bytes = rng.bool();
        let mut blocks = Vec::new();
        for _ in 0..depth {
            blocks.extend(self.real.disconnect(from_bytes)?);
        }
        self.naive.drop_to(self.naive.height() - depth);
        self.coverage.reorgs = (self.coverage.reorgs.0 + 1, self.coverage.reorgs.1.max(depth));
        self.same_state(&self.real.state)?;
        compare::indexes(&self.real.state, self.naive.tip())?;
        if rng.u8(0..3) == 0 {
            self.say(|| "and forward again".to_owned());
            for again in blocks.into_iter().rev() {
                let mut pad = self.naive.begin();
                for transaction in &again.transactions {
                    pad.transaction(transaction.body()).map_err(|why| format!("refused the second time: {why:?}"))?;
                }
                self.naive.finish(pad, again.coinbase.to.0);
                let params = &self.world.params;
                self.real.connect(again, params).map_err(|error| format!("refused the second time: {error}"))?;
                self.same_state(&self.real.state)?;
            }
        }
        Ok(())
    }

    fn restart(&mut self, seed: u64) -> Result<(), String> {
        let tip = self.naive.height();
        self.say(|| format!("restart at {tip}"));
        let stored = self.real.restart(&mut Rng::with_seed(seed), &self.world.params)?;
        self.coverage.restarts = (self.coverage.restarts.0 + 1, self.coverage.restarts.1 + u64::from(stored));
        self.same_state(&self.real.state)?;
        compare::indexes(&self.real.state, self.naive.tip())
    }

    fn say(&mut self, words: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(words());
        }
    }

    fn same_state(&self, state: &State) -> Result<(), String> {
        compare::states(state, self.naive.tip())
    }
}
