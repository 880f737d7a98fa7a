//! The registry as a machine: blocks of transactions that are mostly valid, reorganisations to any depth and back,
//! restarts from what is stored. The state is always that of its blocks, coins neither appear nor vanish, and nobody
//! loses a name without having signed.
//!
//! The maker of transactions is that of the registry's property tests.

#![no_main]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a target fails by panicking")]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use dotp2p_chain::entry::{EntryKey, NameEntry, Stage};
use dotp2p_chain::hash::StateRoot;
use dotp2p_chain::height::Height;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::Op;
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::Transaction;
use dotp2p_fuzz::{Cost, within};
use dotp2p_registry::ledger::{self, Connected, Draft};
use dotp2p_registry::query::undo_changes;
use dotp2p_registry::row::Row;
use dotp2p_registry::rules::Tally;
use dotp2p_registry::state::State;
use dotp2p_registry::store::{decode_undo, encode_undo};
use dotp2p_registry::view::Change;
use libfuzzer_sys::fuzz_target;

#[path = "../../registry/tests/properties/world.rs"]
#[allow(dead_code, reason = "somebody else's module")]
mod world;

use world::{KEYS, Maker, NAMES, OpWish, Wish, coinbase, name, params, unsigned};

#[derive(Arbitrary, Debug)]
enum Step {
    Block(Vec<Tx>),
    /// So many blocks without transactions.
    Wait(u8),
    /// So many blocks back, and then the same ones again or nothing.
    Reorg {
        depth: u8,
        again: bool,
    },
    /// From the stored rows, in any order.
    Reboot,
}

#[derive(Arbitrary, Debug)]
struct Tx {
    payer: u8,
    fee: u16,
    wrong: u8,
    ops: Vec<(u8, u8, u8, u16, u8)>,
}

impl Tx {
    fn wish(&self) -> Wish {
        let ops = self.ops.iter().take(6).map(|&(kind, name, key, number, blind)| OpWish {
            kind: kind % 16,
            name: name % 4,
            key: key % KEYS,
            number,
            blind: blind % 8,
        });
        Wish { payer: self.payer % KEYS, fee: self.fee, ops: ops.collect(), wrong: self.wrong % 24 }
    }
}

/// Steps that a run has at most; the rest of the input is left alone.
const STEPS: usize = 64;
/// Blocks on the chain at most: three years.
const BLOCKS: usize = 90;

fuzz_target!(|steps: Vec<Step>| {
    within(BLOCKS * 1_024, Cost { per_byte: 48, cpu_ms: 500 }, || {
        let mut chain = Chain::new();
        steps.iter().take(STEPS).for_each(|step| chain.step(step));
        chain.check();
        while !chain.blocks.is_empty() {
            chain.disconnect();
        }
        assert_eq!(rows(&chain.state), rows(&State::genesis()), "taken back to genesis");
    });
});

/// A block that is connected: what led there and what leads back.
struct Connect {
    before: StateRoot,
    undo: Vec<u8>,
    transactions: Vec<Transaction>,
    tally: Tally,
}

struct Chain {
    params: Params,
    state: State,
    maker: Maker,
    blocks: Vec<Connect>,
}

impl Chain {
    fn new() -> Self {
        Self { params: params(), state: State::genesis(), maker: Maker::default(), blocks: Vec::new() }
    }

    fn next(&self) -> Height {
        Height(u32::try_from(self.blocks.len()).unwrap() + 1)
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Block(wishes) => self.block(wishes),
            Step::Wait(blocks) => (0..blocks % 8).for_each(|_| self.block(&[])),
            Step::Reorg { depth, again } => self.reorg(usize::from(*depth), *again),
            Step::Reboot => self.reboot(),
        }
    }

    /// A block of what the wishes become; a refused one leaves no trace.
    fn block(&mut self, wishes: &[Tx]) {
        if self.blocks.len() >= BLOCKS {
            return;
        }
        let (height, params, before) = (self.next(), self.params.clone(), self.state.clone());
        let mut draft = Draft::begin(&before, height, &params).unwrap();
        let mut transactions = Vec::new();
        for tx in wishes.iter().take(6) {
            let wish = tx.wish();
            if wish.ops.is_empty() {
                continue;
            }
            let body = self.maker.transaction(&wish, draft.view(), height, &params);
            let transaction = unsigned(body);
            let (entries, tally) = (names(&mut draft), draft.tally());
            match draft.apply(&transaction) {
                Ok(()) => {
                    nobody_is_robbed(&entries, &names(&mut draft), &transaction, height, &params);
                    transactions.push(transaction);
                }
                Err(error) => {
                    dotp2p_fuzz::check_error(&error);
                    assert_eq!((names(&mut draft), draft.tally()), (entries, tally), "refused, so nothing changed");
                }
            }
        }
        let connected = draft.finish(&coinbase(height)).unwrap();
        self.connect(transactions, connected);
    }

    fn connect(&mut self, transactions: Vec<Transaction>, connected: Connected) {
        let height = self.next();
        let again = ledger::apply_block(&self.state, height, &coinbase(height), &transactions, &self.params);
        assert_eq!(again.as_ref(), Ok(&connected), "the ledger makes the same of it");
        let before = self.state.root();
        self.state.apply(&connected.changes);
        let undo = encode_undo(&connected.changes);
        self.blocks.push(Connect { before, undo, transactions, tally: connected.tally });
    }

    /// Takes the last block back by its stored undo.
    fn disconnect(&mut self) -> Option<Vec<Transaction>> {
        let block = self.blocks.pop()?;
        let prior = decode_undo(&block.undo).expect("what we wrote can be read");
        let changes: Vec<Change> = undo_changes(&self.state, prior);
        ledger::disconnect_block(&mut self.state, &changes);
        assert_eq!(self.state.root(), block.before, "undo(apply(s)) == s");
        Some(block.transactions)
    }

    fn reorg(&mut self, depth: usize, again: bool) {
        let (root, depth) = (self.state.root(), depth % (self.blocks.len() + 1));
        let before = rows(&self.state);
        let taken: Vec<Vec<Transaction>> = (0..depth).map_while(|_| self.disconnect()).collect();
        self.check();
        if !again {
            return;
        }
        for transactions in taken.into_iter().rev() {
            let height = self.next();
            let connected =
                ledger::apply_block(&self.state, height, &coinbase(height), &transactions, &self.params).unwrap();
            self.connect(transactions, connected);
        }
        assert_eq!((self.state.root(), rows(&self.state)), (root, before), "back and forth again");
    }

    /// The state from its stored rows alone.
    fn reboot(&mut self) {
        let stored: Vec<(Vec<u8>, Vec<u8>)> =
            rows(&self.state).into_iter().rev().map(|(key, row)| (key.bytes(), row.encode())).collect();
        let read = stored.iter().map(|(key, row)| {
            let key = EntryKey::from_bytes(key).expect("a key we wrote");
            let row = Row::decode(&key, row).expect("a row we wrote");
            (key, row)
        });
        let again = State::from_rows(read.collect());
        assert_eq!(again.root(), self.state.root(), "the root depends on the rows alone");
        assert_eq!(rows(&again), rows(&self.state));
        assert_eq!(indexes(&again), indexes(&self.state), "and so do the indexes");
        self.state = again;
        self.check();
    }

    /// Supply: what was issued and not burned is in accounts and rewards (S14).
    fn check(&self) {
        let heights = 1..=u32::try_from(self.blocks.len()).unwrap();
        let issued: u64 = heights.map(|at| self.params.rules.subsidy_at(Height(at)).atoms()).sum();
        let burned: u64 = self.blocks.iter().map(|block| block.tally.burned.atoms()).sum();
        let held = rows(&self.state).into_iter().map(|(_, row)| match row {
            Row::Account(account) => account.balance.atoms(),
            Row::Reward(reward) => reward.amount.atoms(),
            _ => 0,
        });
        assert_eq!(held.sum::<u64>(), issued - burned, "supply");
    }
}

type Names = BTreeMap<Name, Option<NameEntry>>;

fn names(draft: &mut Draft<'_>) -> Names {
    let all = (0..u8::try_from(NAMES.len()).unwrap()).map(name);
    all.map(|name| (name.clone(), draft.view().name(&name).map(|row| row.entry.clone()))).collect()
}

/// The first law (C12): a name that somebody holds changes hands by its owner's signature, with the recovery key's
/// where one is set, by the recovery key's, or by a purchase as offered.
fn nobody_is_robbed(before: &Names, after: &Names, transaction: &Transaction, at: Height, params: &Params) {
    let signed = |key| transaction.body().keys().any(|signer| *signer == key);
    for (name, old) in before {
        let Some(old) = old else { continue };
        let held = matches!(Stage::of(old.expires, at, &params.rules), Stage::Active | Stage::Grace);
        let new = after[name].as_ref().expect("no transaction removes a name");
        if !held || new.owner == old.owner {
            continue;
        }
        let by_owner = signed(old.owner) && old.recovery.is_none_or(signed);
        let by_recovery = old.recovery.is_some_and(signed);
        let bought = transaction.body().ops.iter().any(|op| match op {
            Op::Buy(buy) => buy.name.as_bytes() == name.as_bytes() && old.offer.is_some_and(|it| it.price == buy.price),
            _ => false,
        });
        assert!(by_owner || by_recovery || bought, "{name} was taken from {old:?} by {transaction:?}");
    }
}

fn rows(state: &State) -> Vec<(EntryKey, Row)> {
    state.tree().entries().collect()
}

/// What can be looked up otherwise than by key.
fn indexes(state: &State) -> String {
    let owners = (0..KEYS).map(|number| state.names_of(&world::key(number)).collect::<Vec<_>>());
    let expiring = (0..300).flat_map(|at| state.names_expiring(Height(at)).collect::<Vec<_>>());
    let commitments = (0..100).flat_map(|at| state.commitments_of(Height(at)).collect::<Vec<_>>());
    let counts = (state.name_count(), state.has_commitments(), state.level());
    format!(
        "{:?} {:?} {:?} {counts:?}",
        owners.collect::<Vec<_>>(),
        expiring.collect::<Vec<_>>(),
        commitments.collect::<Vec<_>>()
    )
}
