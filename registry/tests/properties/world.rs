//! A small chain with a few keys and names, and a maker of transactions that are mostly valid.
//!
//! A [`Wish`] is a handful of numbers. What it becomes depends on the state: who must sign is looked up, a claim takes a
//! commitment that is old enough, a buyer pays what is asked. Some wishes go wrong on purpose.

use std::collections::BTreeSet;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::Coinbase;
use dotp2p_chain::entry::{EntryKey, NameEntry, Stage};
use dotp2p_chain::hash::CommitmentHash;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{Buy, Claim, Commit, NameBytes, Offer, Op, Pay, Recover, Renew, SetKeys, Transfer, Update};
use dotp2p_chain::params::{Params, Rules};
use dotp2p_chain::records::{Owner, RecordSet, Records};
use dotp2p_chain::tx::{Body, Transaction};
use dotp2p_registry::row::Row;
use dotp2p_registry::view::View;
use proptest::prelude::*;

/// Keys there are.
pub const KEYS: u8 = 5;
/// Names there are.
pub const NAMES: [&str; 4] = ["alice", "bobby", "dave", "carol-2"];

/// What a transaction shall be, before one knows the state.
#[derive(Clone, Debug)]
pub struct Wish {
    pub payer: u8,
    pub fee: u16,
    pub ops: Vec<OpWish>,
    /// 0 to 3: a signer is left out, the nonce is wrong, it has expired, its fee is too high. Else nothing is wrong.
    pub wrong: u8,
}

/// What an op shall be.
#[derive(Clone, Debug)]
pub struct OpWish {
    pub kind: u8,
    pub name: u8,
    pub key: u8,
    pub number: u16,
    /// Of 8: whether the op looks at the state at all.
    pub blind: u8,
}

pub fn op_wish() -> impl Strategy<Value = OpWish> {
    (0..16u8, 0..4u8, 0..KEYS, any::<u16>(), 0..8u8).prop_map(|(kind, name, key, number, blind)| OpWish {
        kind,
        name,
        key,
        number,
        blind,
    })
}

pub fn wish() -> impl Strategy<Value = Wish> {
    (0..KEYS, any::<u16>(), proptest::collection::vec(op_wish(), 1..4), 0..24u8)
        .prop_map(|(payer, fee, ops, wrong)| Wish { payer, fee, ops, wrong })
}

/// Terms so short that names live and die within a few dozen blocks, and prices that a few rewards can pay.
pub fn params() -> Params {
    let rules = Rules {
        maturity: 2,
        age_min: 1,
        age_max: 5,
        commit_target: 2,
        commit_max: 4,
        year: 24,
        years_ahead: 3,
        grace: 3,
        premium_start: 64 * 100_000_000,
        halving_blocks: 2,
        halvings: 3,
        records_max: 600,
        halving_interval: 500,
        ..Rules::regtest()
    };
    Params::new(rules, Params::regtest().deployment).unwrap()
}

pub fn key(number: u8) -> PublicKey {
    PublicKey([number + 1; 32])
}

pub fn name(number: u8) -> Name {
    NAMES[usize::from(number) % NAMES.len()].parse().unwrap()
}

pub fn coinbase(height: Height) -> Coinbase {
    Coinbase { to: key(u8::try_from(height.0 % u32::from(KEYS)).unwrap()), extra: Vec::new() }
}

/// What the maker remembers: commitments it made, and which hashes there ever were.
#[derive(Default)]
pub struct Maker {
    claims: Vec<Claim>,
    pub hashes: BTreeSet<CommitmentHash>,
    salts: u16,
}

impl Maker {
    /// The transaction that a wish becomes on `view`, in a block at `height`.
    pub fn transaction(&mut self, wish: &Wish, view: &mut View<'_>, height: Height, params: &Params) -> Body {
        let payer = key(wish.payer);
        let mut signers = BTreeSet::new();
        let ops = wish.ops.iter().map(|op| self.op(op, payer, &mut signers, view, height, params)).collect();
        signers.remove(&payer);
        if wish.wrong == 0 {
            signers.pop_first();
        }
        let account = view.account(&payer).unwrap_or_default();
        let fee = if wish.wrong == 3 { account.balance.atoms() + 1 } else { wish.fee.into() };
        Body {
            payer,
            nonce: if wish.wrong == 1 { account.nonce + 1 } else { account.nonce },
            fee: Amount::from_atoms(fee),
            expiry: (wish.wrong == 2).then(|| Height(height.0.saturating_sub(1).max(1))),
            signers: signers.into_iter().collect(),
            ops,
        }
    }

    fn op(
        &mut self,
        wish: &OpWish,
        payer: PublicKey,
        signers: &mut BTreeSet<PublicKey>,
        view: &mut View<'_>,
        height: Height,
        params: &Params,
    ) -> Op {
        let (label, other) = (suited(wish, payer, view, height, params), key(wish.key));
        let entry = view.name(&label).map(|row| row.entry.clone());
        let field = NameBytes::from(&label);
        let optional = |bit: u16| (wish.number & bit != 0).then(|| key((wish.key + 1) % KEYS));
        if let Some(entry) = entry.as_ref().filter(|_| wish.blind != 0) {
            signers.extend(needed(wish, entry, optional(2)));
        }
        let offer = entry.as_ref().and_then(|entry| entry.offer);
        let price = Amount::from_atoms(u64::from(wish.number) * 1_000);
        match wish.kind {
            0 => Op::Pay(Pay { to: other, amount: price }),
            1 | 2 => self.commit(field, other, wish, params),
            3..=5 => self.claim(&label, payer, wish, view, height, params),
            6 => Op::Update(Update { name: field, records: records(wish.number) }),
            7 | 8 => Op::Renew(Renew { name: field, years: u8::try_from(wish.number % 3).unwrap() }),
            9 => Op::SetKeys(SetKeys { name: field, manager: optional(1), recovery: optional(2) }),
            10 => Op::Transfer(Transfer { name: field, to: other }),
            11 | 12 => Op::Offer(Offer {
                name: field,
                price,
                buyer: optional(4).filter(|_| price != Amount::ZERO && wish.blind < 4),
            }),
            13 | 14 => {
                let price = offer.filter(|_| wish.blind != 0).map_or(price, |offer| offer.price);
                Op::Buy(Buy { name: field, price })
            }
            _ => Op::Recover(Recover { name: field, to: other }),
        }
    }

    fn commit(&mut self, name: NameBytes, owner: PublicKey, wish: &OpWish, params: &Params) -> Op {
        // Sometimes a hash that was there before, live or not.
        let again = self.claims.get(usize::from(wish.number) % self.claims.len().max(1)).filter(|_| wish.blind == 0);
        let claim = again.cloned().unwrap_or_else(|| {
            self.salts += 1;
            let mut salt = [0; 16];
            salt[..2].copy_from_slice(&self.salts.to_le_bytes());
            Claim { name, owner, salt }
        });
        let hash = claim.commitment(&params.chain_id);
        self.hashes.insert(hash);
        self.claims.push(claim);
        Op::Commit(Commit { hash })
    }

    fn claim(
        &mut self,
        label: &Name,
        owner: PublicKey,
        wish: &OpWish,
        view: &mut View<'_>,
        height: Height,
        params: &Params,
    ) -> Op {
        let mut is_ripe = |claim: &&Claim| {
            let committed = view.get(&EntryKey::Commitment(claim.commitment(&params.chain_id)));
            matches!(committed, Some(Row::Commitment(it)) if it.height.0 + params.rules.age_min <= height.0)
        };
        let ripe = self.claims.iter().filter(&mut is_ripe).collect::<Vec<_>>();
        let chosen = match ripe.get(usize::from(wish.number) % ripe.len().max(1)) {
            Some(ripe) if wish.blind != 0 => Some((*ripe).clone()),
            _ => self.claims.get(usize::from(wish.number) % self.claims.len().max(1)).cloned(),
        };
        Op::Claim(chosen.unwrap_or_else(|| Claim { name: label.into(), owner, salt: [9; 16] }))
    }
}

/// The name a wish is about: the first, from its own on, that is in a state for the op, where there is one.
fn suited(wish: &OpWish, payer: PublicKey, view: &mut View<'_>, height: Height, params: &Params) -> Name {
    let is_suited = |name: &Name, view: &mut View<'_>| {
        let Some(entry) = view.name(name).map(|row| row.entry.clone()) else { return wish.kind <= 5 };
        let active = Stage::of(entry.expires, height, &params.rules) == Stage::Active;
        match wish.kind {
            0..=5 => !active,
            7 | 8 => true,
            13 | 14 => active && entry.owner != payer && entry.offer.is_some(),
            15 => active && entry.recovery.is_some(),
            _ => active,
        }
    };
    let mut names = (0..4).map(|step| name(wish.name + step));
    let found = names.find(|name| is_suited(name, view)).filter(|_| wish.blind != 0);
    found.unwrap_or_else(|| name(wish.name))
}

/// Who must sign, as the state says.
fn needed(wish: &OpWish, entry: &NameEntry, recovery: Option<PublicKey>) -> Vec<PublicKey> {
    let with_recovery = |needed: bool| std::iter::once(entry.owner).chain(entry.recovery.filter(|_| needed)).collect();
    match wish.kind {
        6 if wish.number.is_multiple_of(2) => entry.manager.into_iter().collect(),
        6 => vec![entry.owner],
        9 => with_recovery(entry.recovery != recovery),
        10 => with_recovery(true),
        11 | 12 => with_recovery(wish.number != 0),
        15 => entry.recovery.into_iter().collect(),
        _ => Vec::new(),
    }
}

fn records(number: u16) -> Vec<u8> {
    let set = RecordSet { owner: Owner::APEX, rtype: 16, ttl: 60, rdatas: vec![vec![7; usize::from(number % 590)]] };
    match Records::new(vec![set], params().rules.record_limits(7)) {
        Ok(records) => records.encode(),
        // Too long, or (rarely) anything else: an op to be refused.
        Err(_) => vec![1],
    }
}

/// With signatures that nobody checks here.
pub fn unsigned(body: Body) -> Transaction {
    let signatures = vec![Signature([0; 64]); 1 + body.signers.len()];
    Transaction::new(body, signatures).unwrap()
}
