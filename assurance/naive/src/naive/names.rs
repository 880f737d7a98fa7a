//! The ten ops: N3, N6 to N15. Everything that refuses an op is found, in the order of N16, before anything is written.

use dotp2p_chain::op::{Buy, Claim, Commit, Offer as OfferOp, Op, Pay, Recover, Renew, SetKeys, Transfer, Update};

use super::bend::Bend;
use super::bytes::tagged;
use super::chain::Block;
use super::state::{Commitment, Key, Name, Offer};
use super::{Refused, Rule, label, money, records};

/// What a transaction's keys are (T8).
pub struct Signed {
    /// Who pays.
    pub payer: Key,
    /// The payer and the signers.
    pub keys: Vec<Key>,
}

impl Signed {
    fn by(&self, key: Key) -> bool {
        self.keys.contains(&key)
    }
}

/// Where a name stands (N3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Resolves.
    Active,
    /// Can be renewed.
    Grace,
    /// Can be claimed, at a premium.
    Released,
    /// Has no entry.
    Free,
}

/// What became of an op that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It did what it is for.
    Done,
    /// A Commit of a live hash, a Renew beyond the years ahead.
    Nothing,
}

const LAST_HEIGHT: u64 = u32::MAX as u64;

impl Block {
    /// The first height at which a name is released, and the first at which it is free (N3).
    pub fn ends(&self, name: &Name) -> (u64, u64) {
        let released = u64::from(name.expires) + u64::from(self.rules.grace);
        let free = released + u64::from(self.rules.halvings) * u64::from(self.rules.halving_blocks);
        (released, free + u64::from(self.bend == Some(Bend::NameFreeABlockLate)))
    }

    /// The stage of a name at this block's height (N3).
    pub fn stage(&self, label: &[u8]) -> Stage {
        let Some(name) = self.state.names.get(label) else { return Stage::Free };
        let (released, free) = self.ends(name);
        match u64::from(self.height) {
            h if h < u64::from(name.expires) => Stage::Active,
            h if h < released => Stage::Grace,
            h if h < free => Stage::Released,
            _ => Stage::Free,
        }
    }

    /// The entry of a name that is active; else its stage is among what refuses (N17).
    fn active(
        &self,
        label: &[u8],
        mut found: Refused,
        [absent, released, grace]: [Rule; 3],
    ) -> Result<(Name, Refused), Refused> {
        found.push(match self.stage(label) {
            Stage::Active => return Ok((self.entry(label), found)),
            Stage::Grace => grace,
            Stage::Released => released,
            Stage::Free => absent,
        });
        Err(found)
    }

    fn entry(&self, label: &[u8]) -> Name {
        self.state.names.get(label).cloned().expect("its stage is not free")
    }

    fn put(&mut self, label: &[u8], name: Name) {
        self.state.names.insert(label.to_vec(), name);
    }

    /// One op, on the state as the former left it (T10).
    pub fn op(&mut self, op: &Op, signed: &Signed) -> Result<Effect, Refused> {
        match op {
            Op::Pay(op) => self.pay(op, signed),
            Op::Commit(op) => self.commit(op, signed),
            Op::Claim(op) => self.claim(op, signed),
            Op::Update(op) => self.update(op, signed),
            Op::Renew(op) => self.renew(op, signed),
            Op::SetKeys(op) => self.set_keys(op, signed),
            Op::Transfer(op) => self.transfer(op, signed),
            Op::Offer(op) => self.offer(op, signed),
            Op::Buy(op) => self.buy(op, signed),
            Op::Recover(op) => self.recover(op, signed),
        }
    }

    fn pay(&mut self, op: &Pay, signed: &Signed) -> Result<Effect, Refused> {
        let amount = op.amount.atoms();
        none_of(&[(amount == 0, "N6a"), (op.to.0 == signed.payer, "N6b")])?;
        self.charge(signed.payer, 0, Some((op.to.0, amount)))?;
        Ok(Effect::Done)
    }

    fn commit(&mut self, op: &Commit, signed: &Signed) -> Result<Effect, Refused> {
        let (height, level) = (self.height, self.level);
        if let Some(live) = self.state.commitments.get_mut(&op.hash.0) {
            if self.bend == Some(Bend::NoopCommitIsNewer) {
                live.height = height;
            }
            return Ok(Effect::Nothing);
        }
        let max = u64::from(self.rules.commit_max) + u64::from(self.bend == Some(Bend::CommitMaxAndOne));
        none_of(&[(self.commits >= max, "N7a")])?;
        self.charge(signed.payer, money::commit(level), None)?;
        self.state.commitments.insert(op.hash.0, Commitment { height, level });
        self.commits += 1;
        Ok(Effect::Done)
    }

    fn claim(&mut self, op: &Claim, signed: &Signed) -> Result<Effect, Refused> {
        let label = op.name.as_bytes();
        if let Some(rule) = label::refused(label) {
            return Err(vec![rule]);
        }
        // SCALE(op): number, Vec<u8> of at most 63 bytes, key, salt (T2).
        let len = u8::try_from(label.len() * 4).expect("a label has at most 63 bytes");
        let data = [&self.chain_id, [2, len].as_slice(), label, &op.owner.0, &op.salt].concat();
        let hash = tagged("claim", &data);
        let (stage, commitment) = (self.stage(label), self.state.commitments.get(&hash).copied());
        let age = commitment.map(|commitment| u64::from(self.height) - u64::from(commitment.height));
        let early = u64::from(self.bend == Some(Bend::ClaimABlockEarly));
        let expires = u64::from(self.height) + u64::from(self.rules.year);
        none_of(&[
            (stage == Stage::Active, "N8f"),
            (stage == Stage::Grace, "N8g"),
            (commitment.is_none(), "N8c"),
            (age.is_some_and(|age| age + early < u64::from(self.rules.age_min)), "N8d"),
            (age.is_some_and(|age| age > u64::from(self.rules.age_max)), "N8e"),
            (expires > LAST_HEIGHT, "N8h"),
        ])?;
        let commit_level = commitment.expect("N8c").level;
        let before = (stage == Stage::Released).then(|| self.entry(label));
        let premium = before.as_ref().map_or(0, |name| {
            let since = u64::from(self.height) - self.ends(name).0;
            money::premium(&self.rules, since, self.bend)
        });
        let mut burn = money::claim(label, commit_level, premium);
        if self.bend == Some(Bend::ClaimBurnsFullPrice) {
            burn += money::commit(commit_level);
        }
        self.charge(signed.payer, burn, None)?;
        self.state.commitments.remove(&hash);
        let mut name = Name {
            owner: op.owner.0,
            manager: None,
            recovery: None,
            since: self.height,
            expires: height(expires),
            records: tagged("records", &[1, 0]),
            offer: None,
        };
        if let (Some(Bend::ClaimKeepsRecords), Some(before)) = (self.bend, before) {
            name.records = before.records;
        }
        self.put(label, name);
        Ok(Effect::Done)
    }

    fn update(&mut self, op: &Update, signed: &Signed) -> Result<Effect, Refused> {
        let (label, bytes) = (op.name.as_bytes(), op.records.as_slice());
        let allowed = records::allowed(bytes, label.len(), self.rules.tld.len(), self.rules.records_max);
        let (mut name, mut found) = match self.active(label, vec![], ["N9a", "N9b", "N9c"]) {
            Err(found) if self.bend == Some(Bend::UpdateOfReleased) && found == ["N9b"] => (self.entry(label), vec![]),
            active => active?,
        };
        let owner = signed.by(name.owner) && !(self.bend == Some(Bend::ManagerLocksOutOwner) && name.manager.is_some());
        if !owner && !name.manager.is_some_and(|key| signed.by(key)) {
            found.push("N9d");
        }
        if !allowed {
            found.push("N9e");
        }
        nothing(found)?;
        self.charge(signed.payer, money::update(bytes.len(), self.bend), None)?;
        name.records = tagged("records", bytes);
        self.put(label, name);
        Ok(Effect::Done)
    }

    fn renew(&mut self, op: &Renew, signed: &Signed) -> Result<Effect, Refused> {
        let label = op.name.as_bytes();
        let least = u8::from(self.bend != Some(Bend::RenewOfZeroYears));
        let years = (!(least..=10).contains(&op.years), "N10c");
        let stage = self.stage(label);
        none_of(&[years, (stage == Stage::Free, "N10a"), (stage == Stage::Released, "N10b")])?;
        let mut name = self.entry(label);
        let year = u64::from(self.rules.year);
        let expires = u64::from(name.expires) + u64::from(op.years) * year;
        let furthest = u64::from(self.height) + u64::from(self.rules.years_ahead) * year;
        if expires > furthest || expires == furthest && self.bend == Some(Bend::RenewStopsShort) {
            return Ok(Effect::Nothing);
        }
        none_of(&[(expires > LAST_HEIGHT, "N10d")])?;
        self.charge(signed.payer, money::base(label) * u128::from(op.years), None)?;
        name.expires = height(expires);
        if stage == Stage::Grace && self.bend != Some(Bend::RenewInGraceKeepsOffer) {
            name.offer = None;
        }
        self.put(label, name);
        Ok(Effect::Done)
    }

    fn set_keys(&mut self, op: &SetKeys, signed: &Signed) -> Result<Effect, Refused> {
        let label = op.name.as_bytes();
        let (mut name, _) = self.active(label, vec![], ["N11a", "N11b", "N11c"])?;
        let recovery = op.recovery.map(|key| key.0);
        let changes = recovery != name.recovery;
        let old_is_missing = changes && name.recovery.is_some_and(|old| !signed.by(old));
        none_of(&[(!signed.by(name.owner), "N11d"), (old_is_missing, "N11e")])?;
        name.manager = op.manager.map(|key| key.0);
        name.recovery = recovery;
        if changes && self.bend != Some(Bend::SetKeysKeepsOffer) {
            name.offer = None;
        }
        self.put(label, name);
        Ok(Effect::Done)
    }

    fn transfer(&mut self, op: &Transfer, signed: &Signed) -> Result<Effect, Refused> {
        let label = op.name.as_bytes();
        let (before, _) = self.active(label, vec![], ["N12a", "N12b", "N12c"])?;
        let missing = before.recovery.is_some_and(|key| !signed.by(key));
        let missing = missing && self.bend != Some(Bend::TransferWithoutRecovery);
        none_of(&[(!signed.by(before.owner), "N12d"), (missing, "N12e")])?;
        let mut name = self.handed_over(&before, op.to.0);
        if self.bend == Some(Bend::TransferKeepsRecovery) {
            name.recovery = before.recovery;
        }
        if self.bend == Some(Bend::TransferToSelfKeepsSince) && before.owner == op.to.0 {
            name.since = before.since;
        }
        self.put(label, name);
        Ok(Effect::Done)
    }

    fn offer(&mut self, op: &OfferOp, signed: &Signed) -> Result<Effect, Refused> {
        let (label, price) = (op.name.as_bytes(), op.price.atoms());
        let found = none_of(&[(price == 0 && op.buyer.is_some(), "N13f")]).err().unwrap_or_default();
        let (mut name, mut found) = self.active(label, found, ["N13a", "N13b", "N13c"])?;
        let missing = price > 0 && name.recovery.is_some_and(|key| !signed.by(key));
        let missing = missing && self.bend != Some(Bend::OfferWithoutRecovery);
        let nothing_to_withdraw = price == 0 && name.offer.is_none();
        let refusals = [(!signed.by(name.owner), "N13d"), (missing, "N13e"), (nothing_to_withdraw, "N13g")];
        found.extend(none_of(&refusals).err().unwrap_or_default());
        nothing(found)?;
        name.offer = (price > 0).then(|| Offer { price, buyer: op.buyer.map(|key| key.0) });
        self.put(label, name);
        Ok(Effect::Done)
    }

    fn buy(&mut self, op: &Buy, signed: &Signed) -> Result<Effect, Refused> {
        let (label, price) = (op.name.as_bytes(), op.price.atoms());
        let found = none_of(&[(price == 0, "N14d")]).err().unwrap_or_default();
        let (before, mut found) = self.active(label, found, ["N14a", "N14b", "N14c"])?;
        let other = before.offer.is_some_and(|offer| offer.buyer.is_some_and(|key| key != signed.payer));
        let refusals = [
            (before.owner == signed.payer, "N14h"),
            (before.offer.is_none(), "N14e"),
            (before.offer.is_some_and(|offer| offer.price != price), "N14f"),
            (other && self.bend != Some(Bend::BuyByAnybody), "N14g"),
        ];
        found.extend(none_of(&refusals).err().unwrap_or_default());
        nothing(found)?;
        self.charge(signed.payer, 0, Some((before.owner, price)))?;
        let mut name = self.handed_over(&before, signed.payer);
        if self.bend == Some(Bend::BuyKeepsManager) {
            name.manager = before.manager;
        }
        self.put(label, name);
        Ok(Effect::Done)
    }

    fn recover(&mut self, op: &Recover, signed: &Signed) -> Result<Effect, Refused> {
        let label = op.name.as_bytes();
        let (before, _) = self.active(label, vec![], ["N15a", "N15b", "N15c"])?;
        let missing = before.recovery.is_some_and(|key| !signed.by(key));
        none_of(&[(before.recovery.is_none(), "N15d"), (missing, "N15e")])?;
        let mut name = self.handed_over(&before, op.to.0);
        if self.bend != Some(Bend::RecoverClearsRecovery) {
            name.recovery = before.recovery;
        }
        if self.bend == Some(Bend::RecoverKeepsOffer) {
            name.offer = before.offer;
        }
        self.put(label, name);
        Ok(Effect::Done)
    }

    /// As Transfer and Buy leave an entry: only records and expiry stay (N17).
    fn handed_over(&self, before: &Name, owner: Key) -> Name {
        let (manager, recovery, offer) = (None, None, None);
        Name { owner, manager, recovery, since: self.height, expires: before.expires, records: before.records, offer }
    }
}

/// Passes where no condition holds; else gives the rules of those that do.
fn none_of(refusals: &[(bool, Rule)]) -> Result<(), Refused> {
    nothing(refusals.iter().filter(|(holds, _)| *holds).map(|(_, rule)| *rule).collect())
}

fn nothing(found: Refused) -> Result<(), Refused> {
    if found.is_empty() { Ok(()) } else { Err(found) }
}

fn height(checked: u64) -> u32 {
    u32::try_from(checked).expect("N8h, N10d: beyond u32 was refused")
}
