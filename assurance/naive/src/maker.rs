//! Transactions from seeds: most of them nearly right for the state they meet, some of them hostile.

mod records;

use std::collections::{BTreeMap, BTreeSet};

use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::CommitmentHash;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::op::{Buy, Claim, Commit, NameBytes, Offer, Op, Pay, Recover, Renew, SetKeys, Transfer, Update};
use dotp2p_chain::tx::{Body, MAX_SIGNERS};
use fastrand::Rng;

use crate::naive::{self, Block, Key, Stage};
use crate::world::{ELDER, KEYS, World, key, no_name};

/// Commitments that are remembered.
const REMEMBERED: usize = 64;

/// What the maker knows besides the state: what was committed to.
#[derive(Default)]
pub struct Maker {
    claims: Vec<(Claim, CommitmentHash)>,
    salts: u64,
}

/// A transaction in the making: who will have to sign, and names as its ops so far would leave them.
struct Plan<'a> {
    world: &'a World,
    block: &'a Block,
    payer: PublicKey,
    fee: u64,
    signers: BTreeSet<PublicKey>,
    names: BTreeMap<Vec<u8>, naive::Name>,
    last: Option<Vec<u8>>,
}

impl Maker {
    /// The transaction that a step becomes in the open block.
    pub fn body(&mut self, seed: u64, ops: &[u64], world: &World, block: &Block) -> Body {
        let mut rng = Rng::with_seed(seed);
        let payer = payer(&mut rng, world, block);
        let account = block.state().accounts.get(&payer.0).copied();
        let (balance, nonce) = account.map_or((0, 0), |account| (account.balance, account.nonce));
        let balance = u64::try_from(balance).unwrap_or(u64::MAX);
        let fee = match rng.u8(0..40) {
            0 => balance,
            1 => balance.saturating_add(1),
            2 => u64::MAX,
            3 => 0,
            _ => rng.u64(0..1_000).min(balance),
        };
        let (signers, names, last) = (BTreeSet::new(), BTreeMap::new(), None);
        let mut plan = Plan { world, block, payer, fee, signers, names, last };
        let ops = ops.iter().map(|seed| self.op(&mut Rng::with_seed(*seed), &mut plan)).collect();
        let height = block.height();
        Body {
            payer,
            nonce: match rng.u8(0..50) {
                0 => nonce.wrapping_add(1),
                1 => nonce.wrapping_sub(1),
                2 => rng.choice([0, u64::MAX]).unwrap_or(0),
                _ => nonce,
            },
            fee: Amount::from_atoms(fee),
            expiry: (rng.u8(0..6) == 0).then(|| Height((height + rng.u32(0..4)).saturating_sub(1).max(1))),
            signers: signers_of(&mut rng, plan.signers, payer),
            ops,
        }
    }

    fn op(&mut self, rng: &mut Rng, plan: &mut Plan) -> Op {
        let total: u32 = plan.world.weights.iter().sum();
        let mut left = rng.u32(0..total);
        let kind = plan.world.weights.iter().position(|weight| {
            let here = left < *weight;
            left = left.wrapping_sub(*weight);
            here
        });
        let kind = kind.unwrap_or(0);
        match kind {
            0 => return plan.pay(rng),
            1 => return self.commit(rng, plan),
            2 => return self.claim(rng, plan),
            _ => {}
        }
        let blind = rng.u8(0..12) == 0;
        let label = plan.label(rng, kind, blind);
        let entry = plan.name(&label).filter(|_| !blind);
        let name = NameBytes::new(&label).unwrap_or_else(|| NameBytes::from(&dotp2p_chain::name::Name::first()));
        plan.last = Some(label.clone());
        let op = match kind {
            3 => plan.update(rng, name, entry.as_ref()),
            4 => Op::Renew(Renew { name, years: if rng.u8(0..8) == 0 { rng.u8(..) } else { rng.u8(0..12) } }),
            5 => plan.set_keys(rng, name, entry.as_ref()),
            6 => {
                plan.need(entry.iter().flat_map(|entry| [Some(entry.owner), entry.recovery]));
                Op::Transfer(Transfer { name, to: any_key(rng) })
            }
            7 => plan.offer(rng, name, entry.as_ref()),
            8 => {
                let offered = entry.as_ref().and_then(|entry| entry.offer).map_or(0, |offer| offer.price);
                let price = match rng.u8(0..12) {
                    0 => 0,
                    1 => offered.wrapping_add(1),
                    2 => rng.u64(..),
                    _ => offered,
                };
                Op::Buy(Buy { name, price: Amount::from_atoms(price) })
            }
            _ => {
                plan.need(entry.iter().map(|entry| entry.recovery));
                Op::Recover(Recover { name, to: any_key(rng) })
            }
        };
        plan.expect(&op, label);
        op
    }

    fn commit(&mut self, rng: &mut Rng, plan: &mut Plan) -> Op {
        if rng.u8(0..8) == 0
            && let Some((_, hash)) = rng.choice(&self.claims)
        {
            return Op::Commit(Commit { hash: *hash });
        }
        let label = if rng.u8(0..24) == 0 { no_name(rng) } else { plan.label(rng, 1, rng.clone().u8(0..6) == 0) };
        let Some(name) = NameBytes::new(&label) else { return plan.pay(rng) };
        self.salts += 1;
        let mut salt = [0; 16];
        salt.iter_mut().zip(self.salts.to_le_bytes()).for_each(|(to, byte)| *to = byte);
        let claim = Claim { name, owner: any_key(rng), salt };
        let hash = claim.commitment(&plan.world.params.chain_id);
        if self.claims.len() == REMEMBERED {
            self.claims.remove(rng.usize(0..REMEMBERED));
        }
        self.claims.push((claim, hash));
        Op::Commit(Commit { hash })
    }

    fn claim(&mut self, rng: &mut Rng, plan: &mut Plan) -> Op {
        let (ages, height) = (&plan.world.params.rules, u64::from(plan.block.height()));
        let claimable = |(claim, hash): &&(Claim, CommitmentHash)| {
            let Some(commitment) = plan.block.state().commitments.get(&hash.0) else { return false };
            let age = height - u64::from(commitment.height);
            let label = claim.name.as_bytes();
            let stands = plan.names.contains_key(label)
                || matches!(plan.block.stage(label), Stage::Active | Stage::Grace) && rng.clone().u8(0..4) != 0;
            age + 1 >= u64::from(ages.age_min) && !stands
        };
        let ripe: Vec<_> = self.claims.iter().filter(claimable).collect();
        let chosen = if rng.u8(0..12) == 0 { None } else { rng.choice(ripe).cloned() };
        let chosen = chosen.or_else(|| rng.choice(&self.claims).cloned()).map(|(claim, _)| claim);
        let name = NameBytes::from(&dotp2p_chain::name::Name::first());
        let mut claim = chosen.unwrap_or_else(|| Claim { name, owner: any_key(rng), salt: [9; 16] });
        match rng.u8(0..40) {
            0 => claim.owner = any_key(rng),
            1 => claim.salt = [rng.u8(..); 16],
            2 => claim.name = NameBytes::new(&no_name(rng)).unwrap_or(claim.name),
            _ => {}
        }
        let label = claim.name.as_bytes().to_vec();
        let (manager, recovery, offer) = (None, None, None);
        let (since, expires, records) = (0, u32::MAX, [0; 32]);
        let name = naive::Name { owner: claim.owner.0, manager, recovery, since, expires, records, offer };
        plan.names.insert(label.clone(), name);
        plan.last = Some(label);
        Op::Claim(claim)
    }
}

impl Plan<'_> {
    fn name(&self, label: &[u8]) -> Option<naive::Name> {
        self.names.get(label).or_else(|| self.block.state().names.get(label)).cloned()
    }

    fn need(&mut self, keys: impl Iterator<Item = Option<Key>>) {
        self.signers.extend(keys.flatten().map(PublicKey));
    }

    /// A label on which an op of this kind may go well, where there is one: the last op's more often than not.
    fn label(&self, rng: &mut Rng, kind: usize, blind: bool) -> Vec<u8> {
        if blind {
            let any = if rng.u8(0..4) == 0 { None } else { rng.choice(&self.world.labels).cloned() };
            return any.unwrap_or_else(|| no_name(rng));
        }
        if let Some(last) = self.last.as_ref().filter(|_| rng.u8(0..3) != 0 && kind != 1) {
            return last.clone();
        }
        // Sometimes one that has expired.
        let past = rng.u8(0..8) == 0;
        let is_suited = |label: &&Vec<u8>| {
            let stage = self.block.stage(label);
            let Some(name) = self.name(label) else { return kind == 1 };
            if past {
                return stage != Stage::Active;
            }
            match kind {
                1 => stage != Stage::Active || u64::from(name.expires) < u64::from(self.block.height()) + 4,
                4 => matches!(stage, Stage::Active | Stage::Grace),
                8 => stage == Stage::Active && name.offer.is_some() && name.owner != self.payer.0,
                9 => stage == Stage::Active && name.recovery.is_some(),
                _ => stage == Stage::Active,
            }
        };
        let suited: Vec<_> = self.world.labels.iter().filter(is_suited).collect();
        rng.choice(suited).or_else(|| rng.choice(&self.world.labels)).cloned().unwrap_or_default()
    }

    fn pay(&self, rng: &mut Rng) -> Op {
        let state = self.block.state();
        let balance = state.accounts.get(&self.payer.0).map_or(0, |account| account.balance);
        let left = u64::try_from(balance).unwrap_or(u64::MAX).saturating_sub(self.fee);
        let amount = match rng.u8(0..16) {
            0 => 0,
            1 => left,
            2 => left.saturating_add(1),
            3 => left.saturating_sub(5_000_000).wrapping_add(rng.u64(0..3)).wrapping_sub(1),
            4 => rng.choice([u64::MAX, u64::MAX - 5_000_000, u64::MAX - 4_999_999]).unwrap_or(u64::MAX),
            5 => 1,
            _ => left / rng.u64(2..200),
        };
        Op::Pay(Pay { to: any_key(rng), amount: Amount::from_atoms(amount) })
    }

    fn update(&mut self, rng: &mut Rng, name: NameBytes, entry: Option<&naive::Name>) -> Op {
        if let Some(entry) = entry {
            let by = entry.manager.filter(|_| rng.bool()).unwrap_or(entry.owner);
            self.need([Some(by)].into_iter());
        }
        let records = records::any(rng, name.as_bytes().len(), &self.world.params.rules);
        Op::Update(Update { name, records })
    }

    fn set_keys(&mut self, rng: &mut Rng, name: NameBytes, entry: Option<&naive::Name>) -> Op {
        let manager = rng.bool().then(|| any_key(rng));
        let old = entry.and_then(|entry| entry.recovery);
        let recovery = match rng.u8(0..3) {
            0 => None,
            1 => old.map(PublicKey),
            _ => Some(any_key(rng)),
        };
        self.need(entry.iter().map(|entry| Some(entry.owner)));
        if old.map(PublicKey) != recovery {
            self.need([old].into_iter());
        }
        Op::SetKeys(SetKeys { name, manager, recovery })
    }

    fn offer(&mut self, rng: &mut Rng, name: NameBytes, entry: Option<&naive::Name>) -> Op {
        let price = match rng.u8(0..10) {
            0 | 1 => 0,
            2 => u64::MAX - rng.u64(0..6_000_000),
            3 => 1,
            _ => rng.u64(0..20_000_000),
        };
        let buyer = rng.u8(0..3) == 0 && (price != 0 || rng.u8(0..4) == 0);
        self.need(entry.iter().flat_map(|entry| [Some(entry.owner), entry.recovery.filter(|_| price != 0)]));
        Op::Offer(Offer { name, price: Amount::from_atoms(price), buyer: buyer.then(|| any_key(rng)) })
    }

    /// What an op does to who must sign the next, if it is not refused.
    fn expect(&mut self, op: &Op, label: Vec<u8>) {
        let Some(mut name) = self.name(&label) else { return };
        match op {
            Op::SetKeys(op) => {
                let (manager, recovery) = (op.manager.map(|key| key.0), op.recovery.map(|key| key.0));
                name = naive::Name { manager, recovery, ..name };
            }
            Op::Transfer(op) => {
                name = naive::Name { owner: op.to.0, manager: None, recovery: None, offer: None, ..name }
            }
            Op::Buy(_) => {
                name = naive::Name { owner: self.payer.0, manager: None, recovery: None, offer: None, ..name }
            }
            Op::Recover(op) => name = naive::Name { owner: op.to.0, manager: None, offer: None, ..name },
            Op::Offer(op) => {
                let (price, buyer) = (op.price.atoms(), op.buyer.map(|key| key.0));
                name.offer = (price > 0).then_some(naive::Offer { price, buyer });
            }
            _ => return,
        }
        self.names.insert(label, name);
    }
}

fn any_key(rng: &mut Rng) -> PublicKey {
    key(rng.u8(0..KEYS))
}

/// Mostly somebody with coins; sometimes whoever an offer names.
fn payer(rng: &mut Rng, world: &World, block: &Block) -> PublicKey {
    if world.elder && rng.u8(0..8) == 0 {
        return key(ELDER);
    }
    if rng.u8(0..8) == 0 {
        let buyers = block.state().names.values().filter_map(|name| name.offer.and_then(|offer| offer.buyer));
        if let Some(buyer) = rng.choice(buyers.collect::<Vec<_>>()) {
            return PublicKey(buyer);
        }
    }
    let rich = block.state().accounts.iter().filter(|(_, account)| account.balance > 0).map(|(key, _)| *key);
    let rich: Vec<Key> = rich.collect();
    let chosen = if rng.u8(0..24) == 0 { None } else { rng.choice(rich) };
    chosen.map_or_else(|| any_key(rng), PublicKey)
}

/// Who signs besides the payer: those who must, or a set that a thief can have.
fn signers_of(rng: &mut Rng, mut needed: BTreeSet<PublicKey>, payer: PublicKey) -> Vec<PublicKey> {
    match rng.u8(0..24) {
        0 | 1 => {
            let one = rng.choice(needed.iter().copied().collect::<Vec<_>>());
            needed.retain(|key| Some(*key) != one);
        }
        2 => needed = (0..rng.u8(0..4)).map(|_| any_key(rng)).collect(),
        3 => needed.extend((0..rng.u8(0..17)).map(|_| any_key(rng))),
        4 => needed.clear(),
        _ => {}
    }
    needed.remove(&payer);
    needed.into_iter().take(MAX_SIGNERS).collect()
}
