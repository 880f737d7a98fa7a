//! A chain that asserts its laws as it grows.

use std::collections::BTreeMap;

use dotp2p_chain::entry::{EntryKey, NameEntry, Stage};
use dotp2p_chain::hash::StateRoot;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::op::Op;
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::Body;
use dotp2p_registry::ledger::{self, Draft};
use dotp2p_registry::query::undo_changes;
use dotp2p_registry::row::Row;
use dotp2p_registry::rules::{Context, Tally, apply_transaction};
use dotp2p_registry::state::State;
use dotp2p_registry::store::{decode_undo, encode_undo};
use dotp2p_registry::view::{Change, View};

use crate::world::{KEYS, Maker, NAMES, Wish, coinbase, key, name, params, unsigned};

/// Every entry that a transaction could touch.
type Picture = BTreeMap<EntryKey, Option<Row>>;

/// A chain of one branch.
pub struct Chain {
    params: Params,
    state: State,
    maker: Maker,
    /// Root after each block, and what leads there.
    blocks: Vec<(StateRoot, Vec<Change>)>,
    issued: u64,
    burned: u64,
    /// How often what happened.
    pub seen: BTreeMap<String, u32>,
}

impl Chain {
    pub fn new() -> Self {
        Self {
            params: params(),
            state: State::genesis(),
            maker: Maker::default(),
            blocks: Vec::new(),
            issued: 0,
            burned: 0,
            seen: BTreeMap::new(),
        }
    }

    /// Adds a block of what the wishes become; those that are refused are left out.
    pub fn block(&mut self, wishes: &[Wish]) {
        let height = Height(u32::try_from(self.blocks.len()).unwrap() + 1);
        let (before, params) = (self.state.clone(), self.params.clone());
        let context = Context::new(&params, height, before.level());
        let mut draft = Draft::begin(&before, height, &params).unwrap();
        let mut trial = Draft::begin_trial(&before, height, &params).unwrap();
        self.removed_only_when_free(&before, draft.view(), height);
        let mut transactions = Vec::new();
        for wish in wishes {
            let body = self.maker.transaction(wish, draft.view(), height, &params);
            let tally = draft.tally();
            let steps = self.op_by_op(draft.view(), &body, &context, tally);
            let picture = self.picture(draft.view());
            let verdict = draft.apply(&unsigned(body.clone()));
            assert_eq!(trial.apply(&unsigned(body.clone())), verdict, "a trial says what a block says");
            let after = self.picture(draft.view());
            match verdict {
                Ok(()) => {
                    assert_eq!(after, steps.last().unwrap().1, "as its ops one by one");
                    let mut last = &picture;
                    for (op, next) in &steps {
                        self.nobody_is_robbed(op, &body, last, next, height);
                        last = next;
                    }
                    transactions.push(unsigned(body));
                }
                Err(error) => {
                    assert_eq!(after, picture, "refused, so nothing changed: {error}");
                    assert_eq!(draft.tally(), tally, "refused, so nothing is counted: {error}");
                }
            }
        }
        let connected = draft.finish(&coinbase(height)).unwrap();
        let again = ledger::apply_block(&before, height, &coinbase(height), &transactions, &params).unwrap();
        assert_eq!(again, connected, "the ledger makes the same of it");
        self.connect(height, connected.changes, connected.tally);
    }

    /// The picture after each of a transaction's ops: after those before it, and it. Ends where one is refused.
    fn op_by_op(
        &mut self,
        view: &mut View<'_>,
        body: &Body,
        context: &Context<'_>,
        tally: Tally,
    ) -> Vec<(Op, Picture)> {
        let mut steps = Vec::new();
        for (at, op) in body.ops.iter().enumerate() {
            let mark = view.mark();
            let part = Body { ops: body.ops[..=at].to_vec(), ..body.clone() };
            let verdict = apply_transaction(view, &part, context, &mut tally.clone());
            let kind = op.kind();
            *self
                .seen
                .entry(format!("{kind} {}", if verdict.is_ok() { "accepted" } else { "refused" }))
                .or_default() += 1;
            if verdict.is_ok() {
                steps.push((op.clone(), self.picture(view)));
            }
            view.rollback(mark);
            if verdict.is_err() {
                break;
            }
        }
        steps
    }

    fn picture(&self, view: &mut View<'_>) -> Picture {
        let accounts = (0..KEYS).map(|number| EntryKey::Account(key(number)));
        let names = (0..u8::try_from(NAMES.len()).unwrap()).map(|number| EntryKey::Name(name(number)));
        let commitments = self.maker.hashes.iter().map(|hash| EntryKey::Commitment(*hash));
        let keys = accounts.chain(names).chain(commitments).chain([EntryKey::Level]);
        keys.map(|key| (key.clone(), view.get(&key).map(without_place))).collect()
    }

    /// "A name's owner changes only by its owner's signature (with the recovery key's where one is set), by its recovery
    /// key's, by a purchase so offered, or after expiry and grace." And so that this cannot be got around: the recovery
    /// key, the offer and the records change only by those who may.
    fn nobody_is_robbed(&mut self, op: &Op, body: &Body, before: &Picture, after: &Picture, at: Height) {
        let signed = |key: &PublicKey| body.payer == *key || body.signers.contains(key);
        for number in 0..u8::try_from(NAMES.len()).unwrap() {
            let slot = EntryKey::Name(name(number));
            let entry = |picture: &Picture| picture[&slot].as_ref().and_then(Row::as_name).map(|row| row.entry.clone());
            let (old, new) = (entry(before), entry(after));
            if old == new {
                continue;
            }
            let new = new.expect("no transaction removes a name");
            let held = old.filter(|old| held(old, at, &self.params));
            let Some(old) = held else {
                assert!(matches!(op, Op::Claim(claim) if claim.owner == new.owner), "{op:?} takes a name nobody holds");
                self.saw("expiry and grace");
                continue;
            };
            let recovery_signed = old.recovery.is_some_and(|key| signed(&key));
            let both = signed(&old.owner) && (old.recovery.is_none() || recovery_signed);
            if new.owner != old.owner {
                let reason = match (old.recovery, both) {
                    (Some(_), true) => "owner and recovery key",
                    (None, true) => "owner alone",
                    (Some(_), false) if recovery_signed => "recovery key",
                    _ => {
                        self.is_a_purchase(op, body, &old, &new, before, after);
                        "purchase"
                    }
                };
                self.saw(reason);
                assert_eq!((new.manager, new.offer, new.since), (None, None, at), "nobody keeps a power over it");
                assert!(new.recovery.is_none() || new.recovery == old.recovery);
            } else {
                assert!(new.recovery == old.recovery || both, "{op:?} changes the recovery key");
                assert!(new.offer.is_none() || new.offer == old.offer || both, "{op:?} offers the name");
                let dismissed = new.manager.is_none() && recovery_signed;
                assert!(new.manager == old.manager || signed(&old.owner) || dismissed, "{op:?} changes the manager");
            }
            let manager_signed = old.manager.is_some_and(|key| signed(&key));
            let may_write = signed(&old.owner) || manager_signed;
            assert!(new.records == old.records || may_write, "{op:?} changes the records");
            assert!(new.expires >= old.expires, "{op:?} takes time away");
        }
    }

    /// The offer, which owner and recovery key signed, said just this.
    fn is_a_purchase(&self, op: &Op, body: &Body, old: &NameEntry, new: &NameEntry, before: &Picture, after: &Picture) {
        let Op::Buy(buy) = op else { panic!("{op:?} by {body:?} takes {old:?}") };
        let offer = old.offer.expect("it was offered");
        assert!(offer.buyer.is_none_or(|buyer| buyer == body.payer), "{body:?} is not the buyer of {old:?}");
        assert_eq!((buy.price, new.owner), (offer.price, body.payer));
        let balance = |picture: &Picture, key: PublicKey| match &picture[&EntryKey::Account(key)] {
            Some(Row::Account(account)) => account.balance.atoms(),
            _ => 0,
        };
        let gain = balance(after, old.owner) - balance(before, old.owner);
        assert_eq!(gain, offer.price.atoms(), "the seller is paid");
    }

    fn saw(&mut self, what: &str) {
        *self.seen.entry(what.to_owned()).or_default() += 1;
    }

    /// What a block does before its first transaction takes names from nobody.
    fn removed_only_when_free(&self, before: &State, view: &mut View<'_>, height: Height) {
        for number in 0..u8::try_from(NAMES.len()).unwrap() {
            let Some(row) = before.name(&name(number)) else { continue };
            let free = Stage::of(row.entry.expires, height, &self.params.rules) == Stage::Free;
            let kept = view.name(&name(number));
            assert_eq!(kept, Some(row).filter(|_| !free), "at {height}");
        }
    }

    /// Connects a block's changes; every law of S13, S14 and of the stored forms.
    fn connect(&mut self, height: Height, changes: Vec<Change>, tally: Tally) {
        let (before, rows_before) = (self.state.root(), rows(&self.state));
        self.state.apply(&changes);
        let (after, rows_after) = (self.state.root(), rows(&self.state));
        let mut back = self.state.clone();
        ledger::disconnect_block(&mut back, &changes);
        assert_eq!((back.root(), rows(&back)), (before, rows_before), "undo(apply(s)) == s");
        assert_eq!(indexes(&back), indexes(&State::from_rows(rows(&back))), "indexes go back, too");
        back.apply(&changes);
        assert_eq!(back.root(), after, "and forth again");

        let rebuilt = State::from_rows(rows_after.iter().rev().cloned().collect());
        assert_eq!(rebuilt.root(), after, "the root depends on the entries alone");
        assert_eq!(indexes(&rebuilt), indexes(&self.state));
        for (key, row) in &rows_after {
            assert_eq!(Row::decode(key, &row.encode()).as_ref(), Ok(row));
            assert_eq!(EntryKey::from_bytes(&key.bytes()).as_ref(), Some(key));
        }
        let undo = decode_undo(&encode_undo(&changes)).unwrap();
        assert_eq!(undo_changes(&self.state, undo), changes, "the stored undo leads back");

        self.issued += self.params.rules.subsidy_at(height).atoms();
        self.burned += tally.burned.atoms();
        let held = rows_after.iter().map(|(_, row)| match row {
            Row::Account(account) => account.balance.atoms(),
            Row::Reward(reward) => reward.amount.atoms(),
            _ => 0,
        });
        assert_eq!(held.sum::<u64>(), self.issued - self.burned, "supply at {height}");
        self.blocks.push((before, changes));
    }

    /// Disconnects everything down to genesis.
    pub fn take_all_back(mut self) {
        while let Some((root, changes)) = self.blocks.pop() {
            ledger::disconnect_block(&mut self.state, &changes);
            assert_eq!(self.state.root(), root);
        }
        assert_eq!(rows(&self.state), rows(&State::genesis()));
    }
}

/// Whether somebody has a right to the name: it is active or in grace.
fn held(entry: &NameEntry, at: Height, params: &Params) -> bool {
    matches!(Stage::of(entry.expires, at, &params.rules), Stage::Active | Stage::Grace)
}

/// A row without what only this node keeps of it.
fn without_place(row: Row) -> Row {
    let Row::Name(mut name) = row else { return row };
    let inner = std::sync::Arc::make_mut(&mut name);
    (inner.changed, inner.transaction) = (Height(0), 0);
    Row::Name(name)
}

fn rows(state: &State) -> Vec<(EntryKey, Row)> {
    state.tree().entries().collect()
}

/// What can be looked up otherwise than by key.
fn indexes(state: &State) -> Vec<String> {
    let owners = (0..KEYS).map(|number| format!("{number}: {:?}", state.names_of(&key(number)).collect::<Vec<_>>()));
    let heights = rows(state).into_iter().filter_map(|(_, row)| match row {
        Row::Name(row) => Some(row.entry.expires),
        Row::Commitment(entry) => Some(entry.height),
        _ => None,
    });
    let at = |height: Height| {
        let (names, hashes) = (state.names_expiring(height), state.commitments_of(height));
        format!("{height}: {:?} {:?}", names.collect::<Vec<_>>(), hashes.collect::<Vec<_>>())
    };
    let counts = format!("{} {}", state.name_count(), state.has_commitments());
    owners.chain(heights.map(at)).chain([counts]).collect()
}
