//! A block applied to the state, in the steps of S9; the way back is the changes themselves (S13).

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::{Block, Coinbase};
use dotp2p_chain::entry::{EntryKey, RewardEntry};
use dotp2p_chain::hash::StateRoot;
use dotp2p_chain::height::Height;
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::Transaction;

use crate::price::next_level;
use crate::row::Row;
use crate::rules::{Context, RuleError, Tally, apply_transaction, credit};
use crate::state::State;
use crate::view::{Change, View};

/// What a block did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Every entry that changed, in the order of the state tree; the block's undo.
    pub changes: Vec<Change>,
    /// Its fees, burns and Commits.
    pub tally: Tally,
}

/// Why a block does not connect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// A transaction is refused.
    #[error("transaction {at}: {error}")]
    Transaction {
        /// Its place in the block, from 0.
        at: usize,
        /// The rule it breaks.
        error: RuleError,
    },
    /// A reward or its credit does not fit; not possible on Rules that pass B3m.
    #[error("the block's rewards exceed 64 bits: {0}")]
    Reward(RuleError),
    /// Another root than the header commits to.
    #[error("state root {found}, the header commits to {expected} (B14)")]
    StateRoot {
        /// As computed.
        found: StateRoot,
        /// As committed to.
        expected: StateRoot,
    },
}

/// Applies `block` to the state of its parent and checks its state root. On error the state is unchanged. Rules S9, B14.
pub fn connect_block(state: &mut State, block: &Block, params: &Params) -> Result<Connected, LedgerError> {
    let height = block.head.roots.height;
    let connected = apply_block(state, height, &block.coinbase, &block.transactions, params)?;
    state.apply(&connected.changes);
    let (found, expected) = (state.root(), block.head.roots.state_root);
    if found == expected {
        return Ok(connected);
    }
    state.undo(&connected.changes);
    Err(LedgerError::StateRoot { found, expected })
}

/// Takes a connected block back. Rule S13.
pub fn disconnect_block(state: &mut State, changes: &[Change]) {
    state.undo(changes);
}

/// What a block of these transactions at `height` would change. Rule S9, steps 1 to 5.
pub fn apply_block(
    state: &State,
    height: Height,
    coinbase: &Coinbase,
    transactions: &[Transaction],
    params: &Params,
) -> Result<Connected, LedgerError> {
    let mut draft = Draft::begin(state, height, params).map_err(LedgerError::Reward)?;
    draft.view.reserve(transactions.iter().map(|transaction| 1 + transaction.body().ops.len()).sum());
    for (at, transaction) in transactions.iter().enumerate() {
        draft.apply(transaction).map_err(|error| LedgerError::Transaction { at, error })?;
    }
    draft.finish(coinbase).map_err(LedgerError::Reward)
}

/// A block in the making: a template tries transactions one by one, the ledger takes them all.
pub struct Draft<'a> {
    view: View<'a>,
    context: Context<'a>,
    tally: Tally,
}

impl<'a> Draft<'a> {
    /// Steps 1 and 2 of S9: what a block at `height` does before its first transaction.
    pub fn begin(state: &'a State, height: Height, params: &'a Params) -> Result<Self, RuleError> {
        let mut draft = Self::begin_trial(state, height, params)?;
        let rules = &params.rules;
        let held = u64::from(rules.grace) + u64::from(rules.halvings) * u64::from(rules.halving_blocks);
        if let Some(expired) = u32::try_from(held).ok().and_then(|held| height.checked_sub(held)) {
            for name in state.names_expiring(expired) {
                draft.view.put(&EntryKey::Name(name.clone()), None);
            }
        }
        Ok(draft)
    }

    /// [`Draft::begin`] without removing the names that become free, which may be many: to every op an entry that stands
    /// at its free height is absent anyway (N3). For trying transactions, not for a block.
    pub fn begin_trial(state: &'a State, height: Height, params: &'a Params) -> Result<Self, RuleError> {
        let mut view = View::new(state);
        let rules = &params.rules;
        if let Some(matured) = height.checked_sub(rules.maturity) {
            let key = EntryKey::Reward(matured);
            if let Some(Row::Reward(RewardEntry { to, amount })) = view.get(&key) {
                let account = view.account(&to).unwrap_or_default();
                credit(&mut view, &to, account, amount)?;
                view.put(&key, None);
            }
        }
        if let Some(dead) = height.checked_sub(rules.age_max.saturating_add(1)) {
            for hash in state.commitments_of(dead) {
                view.put(&EntryKey::Commitment(*hash), None);
            }
        }
        Ok(Self { view, context: Context::new(params, height, state.level()), tally: Tally::default() })
    }

    /// Step 3, one transaction; refused, it leaves the draft as it was.
    pub fn apply(&mut self, transaction: &Transaction) -> Result<(), RuleError> {
        apply_transaction(&mut self.view, transaction.body(), &self.context, &mut self.tally)
    }

    /// Does `work` and takes back everything it applied.
    pub fn tried<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let (mark, tally) = (self.view.mark(), self.tally);
        let done = work(self);
        self.view.rollback(mark);
        self.tally = tally;
        done
    }

    /// Forgets the Commits so far: what follows may stand in a later block.
    pub fn forget_commits(&mut self) {
        self.tally.commits = 0;
    }

    /// What it adds up to so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The entries as the draft left them.
    pub fn view(&mut self) -> &mut View<'a> {
        &mut self.view
    }

    /// Steps 4 and 5: the reward and the price level.
    pub fn finish(mut self, coinbase: &Coinbase) -> Result<Connected, RuleError> {
        let Context { rules, height, level, .. } = self.context;
        let amount = rules.subsidy_at(height).checked_add(self.tally.fees).ok_or(RuleError::CostRange)?;
        if amount != Amount::ZERO {
            let reward = RewardEntry { to: coinbase.to, amount };
            self.view.put(&EntryKey::Reward(height), Some(Row::Reward(reward)));
        }
        let next = next_level(level, self.tally.commits, rules);
        self.view.put(&EntryKey::Level, Some(Row::Level(next)));
        Ok(Connected { changes: self.view.into_changes(), tally: self.tally })
    }
}
