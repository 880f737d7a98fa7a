//! The ops themselves, in the order of their numbers. A file in itself because it is read beside `docs/spec/names.md`.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::{CommitmentEntry, EntryKey, NameEntry, NameOffer, Stage};
use dotp2p_chain::height::Height;
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{Buy, Claim, Commit, NameBytes, Offer, Op, Pay, Recover, Renew, SetKeys, Transfer, Update};
use dotp2p_chain::records::{self, Records, records_hash};
use dotp2p_chain::tx::Body;

use super::{Context, RuleError, Signed, Tally, pay};
use crate::price;
use crate::row::Row;
use crate::view::{Place, View};

/// Applies one op of `body`; on error nothing of the op is written. Rule N16.
pub(super) fn apply(
    view: &mut View<'_>,
    op: &Op,
    body: &Body,
    context: &Context<'_>,
    tally: &mut Tally,
) -> Result<(), RuleError> {
    match op {
        Op::Pay(op) => pay_op(view, op, body, tally),
        Op::Commit(op) => commit(view, op, body, context, tally),
        Op::Claim(op) => claim(view, op, body, context, tally),
        Op::Update(op) => update(view, op, body, context, tally),
        Op::Renew(op) => renew(view, op, body, context, tally),
        Op::SetKeys(op) => set_keys(view, op, body, context, tally),
        Op::Transfer(op) => transfer(view, op, body, context, tally),
        Op::Offer(op) => offer(view, op, body, context, tally),
        Op::Buy(op) => buy(view, op, body, context, tally),
        Op::Recover(op) => recover(view, op, body, context, tally),
    }
}

/// Op 0. Rule N6.
fn pay_op(view: &mut View<'_>, op: &Pay, body: &Body, tally: &mut Tally) -> Result<(), RuleError> {
    if op.amount == Amount::ZERO {
        return Err(RuleError::Zero("N6a"));
    }
    if op.to == body.payer {
        return Err(RuleError::PaysItself);
    }
    pay(view, &body.payer, Amount::ZERO, Some((op.to, op.amount)), tally)
}

/// Op 1. Rule N7: of a live hash a no-op that burns nothing and is not counted.
fn commit(
    view: &mut View<'_>,
    op: &Commit,
    body: &Body,
    context: &Context<'_>,
    tally: &mut Tally,
) -> Result<(), RuleError> {
    let key = EntryKey::Commitment(op.hash);
    if view.get(&key).is_some() {
        return Ok(());
    }
    if tally.commits >= context.rules.commit_max {
        return Err(RuleError::TooManyCommits(context.rules.commit_max));
    }
    pay(view, &body.payer, price::commit_burn(context.level), None, tally)?;
    tally.commits += 1;
    view.put(&key, Some(Row::Commitment(CommitmentEntry { height: context.height, level: context.level })));
    Ok(())
}

/// Op 2. Rule N8.
fn claim(
    view: &mut View<'_>,
    op: &Claim,
    body: &Body,
    context: &Context<'_>,
    tally: &mut Tally,
) -> Result<(), RuleError> {
    let name = op.name.to_name().map_err(RuleError::ClaimName)?;
    let key = EntryKey::Commitment(op.commitment(context.chain_id));
    let place = view.place(&EntryKey::Name(name.clone()));
    let before = view.entry_at(place);
    match before.as_ref().map(|entry| Stage::of(entry.expires, context.height, context.rules)) {
        Some(Stage::Active) => return Err(RuleError::Taken(name)),
        Some(Stage::Grace) => return Err(RuleError::ClaimInGrace(name)),
        Some(Stage::Released | Stage::Free) | None => {}
    }
    let Some(Row::Commitment(commitment)) = view.get(&key) else {
        return Err(RuleError::NoCommitment);
    };
    let age = context.height.0.saturating_sub(commitment.height.0);
    if age < context.rules.age_min {
        return Err(RuleError::TooYoung { age, min: context.rules.age_min });
    }
    if age > context.rules.age_max {
        return Err(RuleError::TooOld { age, max: context.rules.age_max });
    }
    let expires = context.height.0.checked_add(context.rules.year).ok_or(RuleError::Beyond("N8h"))?;
    let premium = price::premium(before.as_ref(), context.height, context.rules);
    let burn = price::claim_burn(&name, commitment.level, premium).ok_or(RuleError::CostRange)?;
    pay(view, &body.payer, burn, None, tally)?;
    view.put(&key, None);
    let entry = NameEntry {
        owner: op.owner,
        manager: None,
        recovery: None,
        since: context.height,
        expires: Height(expires),
        records: records_hash(&records::EMPTY),
        offer: None,
    };
    write(view, place, &entry, Some(&records::EMPTY), context, tally);
    Ok(())
}

/// Op 3. Rule N9.
fn update(
    view: &mut View<'_>,
    op: &Update,
    body: &Body,
    context: &Context<'_>,
    tally: &mut Tally,
) -> Result<(), RuleError> {
    let Held { name, place, entry, .. } = active(view, &op.name, context, "N9")?;
    let signed = Signed(body);
    if !signed.by(&entry.owner) && !entry.manager.is_some_and(|key| signed.by(&key)) {
        return Err(RuleError::NotOwnerNorManager(name));
    }
    Records::check(&op.records, context.rules.record_limits(name.as_bytes().len()))?;
    pay(view, &body.payer, price::update_burn(op.records.len()), None, tally)?;
    let entry = NameEntry { records: records_hash(&op.records), ..entry };
    write(view, place, &entry, Some(&op.records), context, tally);
    Ok(())
}

/// Op 4. Rule N10: anyone may pay; beyond the years ahead a no-op that burns nothing.
fn renew(
    view: &mut View<'_>,
    op: &Renew,
    body: &Body,
    context: &Context<'_>,
    tally: &mut Tally,
) -> Result<(), RuleError> {
    if !(1..=10).contains(&op.years) {
        return Err(RuleError::Years(op.years));
    }
    let Held { name, place, entry, stage } = held(view, &op.name, context, "N10")?;
    let year = u64::from(context.rules.year);
    let expires = u64::from(entry.expires.0) + u64::from(op.years) * year;
    if expires > u64::from(context.height.0) + u64::from(context.rules.years_ahead) * year {
        return Ok(());
    }
    let expires = u32::try_from(expires).map_err(|_| RuleError::Beyond("N10d"))?;
    let burn = price::renew_burn(&name, op.years).ok_or(RuleError::CostRange)?;
    pay(view, &body.payer, burn, None, tally)?;
    let offer = entry.offer.filter(|_| stage == Stage::Active);
    let entry = NameEntry { expires: Height(expires), offer, ..entry };
    write(view, place, &entry, None, context, tally);
    Ok(())
}

/// Op 5. Rule N11: a recovery key agrees to its own replacement, and its change withdraws an offer.
fn set_keys(
    view: &mut View<'_>,
    op: &SetKeys,
    body: &Body,
    context: &Context<'_>,
    tally: &mut Tally,
) -> Result<(), RuleError> {
    let Held { name, place, entry, .. } = active(view, &op.name, context, "N11")?;
    must_sign_owner(body, &name, &entry, "N11")?;
    let recovery_changes = op.recovery != entry.recovery;
    if recovery_changes {
        must_sign_recovery(body, &name, &entry, "N11")?;
    }
    let offer = entry.offer.filter(|_| !recovery_changes);
    let entry = NameEntry { manager: op.manager, recovery: op.recovery, offer, ..entry };
    write(view, place, &entry, None, context, tally);
    Ok(())
}

/// Op 6. Rule N12.
fn transfer(
    view: &mut View<'_>,
    op: &Transfer,
    body: &Body,
    context: &Context<'_>,
    tally: &mut Tally,
) -> Result<(), RuleError> {
    let Held { name, place, entry, .. } = active(view, &op.name, context, "N12")?;
    must_sign_owner(body, &name, &entry, "N12")?;
    must_sign_recovery(body, &name, &entry, "N12")?;
    let entry = new_owner(entry, op.to, context.height);
    write(view, place, &entry, None, context, tally);
    Ok(())
}

/// Op 7. Rule N13: price 0 withdraws, which needs the owner alone.
fn offer(
    view: &mut View<'_>,
    op: &Offer,
    body: &Body,
    context: &Context<'_>,
    tally: &mut Tally,
) -> Result<(), RuleError> {
    let withdraws = op.price == Amount::ZERO;
    if withdraws && op.buyer.is_some() {
        return Err(RuleError::WithdrawalWithBuyer);
    }
    let Held { name, place, entry, .. } = active(view, &op.name, context, "N13")?;
    must_sign_owner(body, &name, &entry, "N13")?;
    if withdraws && entry.offer.is_none() {
        return Err(RuleError::NoOffer { name, rule: "N13g" });
    }
    if !withdraws {
        must_sign_recovery(body, &name, &entry, "N13")?;
    }
    let offer = (!withdraws).then_some(NameOffer { price: op.price, buyer: op.buyer });
    let entry = NameEntry { offer, ..entry };
    write(view, place, &entry, None, context, tally);
    Ok(())
}

/// Op 8. Rule N14: who offered has signed, so the payer's signature is enough.
fn buy(view: &mut View<'_>, op: &Buy, body: &Body, context: &Context<'_>, tally: &mut Tally) -> Result<(), RuleError> {
    if op.price == Amount::ZERO {
        return Err(RuleError::Zero("N14d"));
    }
    let Held { name, place, entry, .. } = active(view, &op.name, context, "N14")?;
    if entry.owner == body.payer {
        return Err(RuleError::BuysFromItself(name));
    }
    let Some(offer) = entry.offer else {
        return Err(RuleError::NoOffer { name, rule: "N14e" });
    };
    if op.price != offer.price {
        return Err(RuleError::Price { found: op.price, expected: offer.price });
    }
    if offer.buyer.is_some_and(|buyer| buyer != body.payer) {
        return Err(RuleError::NotTheBuyer(name));
    }
    pay(view, &body.payer, Amount::ZERO, Some((entry.owner, op.price)), tally)?;
    let entry = new_owner(entry, body.payer, context.height);
    write(view, place, &entry, None, context, tally);
    Ok(())
}

/// Op 9. Rule N15: the recovery key stays.
fn recover(
    view: &mut View<'_>,
    op: &Recover,
    body: &Body,
    context: &Context<'_>,
    tally: &mut Tally,
) -> Result<(), RuleError> {
    let Held { name, place, entry, .. } = active(view, &op.name, context, "N15")?;
    let Some(recovery) = entry.recovery else {
        return Err(RuleError::NoRecoveryKey(name));
    };
    if !Signed(body).by(&recovery) {
        return Err(RuleError::NotRecovery(name));
    }
    let entry = NameEntry { recovery: Some(recovery), ..new_owner(entry, op.to, context.height) };
    write(view, place, &entry, None, context, tally);
    Ok(())
}

/// A name with a new owner: nobody else keeps any power over it, its records and term stay.
fn new_owner(before: NameEntry, owner: dotp2p_chain::key::PublicKey, since: Height) -> NameEntry {
    NameEntry { owner, manager: None, recovery: None, offer: None, since, ..before }
}

/// A name that somebody holds: active or in grace.
struct Held {
    name: Name,
    place: Place,
    entry: NameEntry,
    stage: Stage,
}

/// The name in a stage in which somebody holds it.
fn held(view: &mut View<'_>, name: &NameBytes, context: &Context<'_>, rule: &'static str) -> Result<Held, RuleError> {
    let name = name.to_name().map_err(|error| RuleError::Name { error, rule })?;
    let place = view.place(&EntryKey::Name(name.clone()));
    let Some(entry) = view.entry_at(place) else {
        return Err(RuleError::Absent { name, rule });
    };
    match Stage::of(entry.expires, context.height, context.rules) {
        Stage::Free => Err(RuleError::Absent { name, rule }),
        Stage::Released => Err(RuleError::Released { name, rule }),
        stage => Ok(Held { name, place, entry, stage }),
    }
}

fn active(view: &mut View<'_>, name: &NameBytes, context: &Context<'_>, rule: &'static str) -> Result<Held, RuleError> {
    match held(view, name, context, rule)? {
        Held { name, stage: Stage::Grace, .. } => Err(RuleError::InGrace { name, rule }),
        held => Ok(held),
    }
}

fn must_sign_owner(body: &Body, name: &Name, entry: &NameEntry, rule: &'static str) -> Result<(), RuleError> {
    if Signed(body).by(&entry.owner) { Ok(()) } else { Err(RuleError::NotOwner { name: name.clone(), rule }) }
}

fn must_sign_recovery(body: &Body, name: &Name, entry: &NameEntry, rule: &'static str) -> Result<(), RuleError> {
    match entry.recovery {
        Some(key) if !Signed(body).by(&key) => Err(RuleError::RecoveryMustSign { name: name.clone(), rule }),
        _ => Ok(()),
    }
}

/// Writes a name; without `records` it keeps its own.
fn write(
    view: &mut View<'_>,
    place: Place,
    entry: &NameEntry,
    records: Option<&[u8]>,
    context: &Context<'_>,
    tally: &Tally,
) {
    view.put_name(place, entry, context.height, tally.transactions, records);
}
