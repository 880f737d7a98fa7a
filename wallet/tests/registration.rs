//! A registration's way, step by step, and each way it can be thrown back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use common::{Net, keys, no_records, step};
use dotp2p_chain::amount::Amount;
use dotp2p_chain::height::Height;
use dotp2p_chain::op::Op;
use dotp2p_chain::records::{EMPTY, Limits, Owner, RecordSet, Records, records_hash};
use dotp2p_chain::tx::Transaction;
use dotp2p_wallet::registration::{Failure, SETTLED_BLOCKS};
use dotp2p_wallet::{Action, Chain, Keys, Registration, Registrations, Request, RequestError, Step, TxPlan, Waiting};

fn records() -> Vec<u8> {
    let set = RecordSet { owner: Owner::APEX, rtype: 1, ttl: 3600, rdatas: vec![vec![192, 0, 2, 7]] };
    Records::new(vec![set], Limits { name_len: 5, tld_len: 3, max: 4096 }).unwrap().encode()
}

fn alice(years: u8) -> Request {
    Request { name: "alice".parse().unwrap(), owner: None, records: records(), years, limit: None }
}

/// Ages 3 to 10, and 50 coins at the wallet's first key.
fn start() -> (Net, Keys) {
    let (mut net, keys) = (Net::new(3, 10), keys(1));
    net.give(keys.first(), 50);
    (net, keys)
}

fn sent(action: &Action) -> &Transaction {
    let Action::Send(tx) = action else { panic!("{action:?}") };
    tx
}

fn kinds(tx: &Transaction) -> Vec<&'static str> {
    tx.body().ops.iter().map(Op::kind).collect()
}

fn waits(action: &Action) -> (&Waiting, Option<u32>) {
    let Action::Wait { what, blocks_left } = action else { panic!("{action:?}") };
    (what, *blocks_left)
}

/// Asks and mines until the step is reached.
fn until(net: &mut Net, registration: &mut Registration, keys: &Keys, wanted: &Step) {
    for _ in 0..100 {
        step(net, registration, keys);
        if registration.step() == wanted {
            return;
        }
        net.mine();
    }
    panic!("{registration:?}");
}

#[test]
fn from_nothing_to_done() {
    let (mut net, keys) = start();
    let mut alice = Registration::begin(alice(3), &net, &keys).unwrap();

    let action = step(&mut net, &mut alice, &keys);
    let tx = sent(&action);
    assert_eq!((kinds(tx), tx.body().expiry), (vec!["commit"], Some(Height(4))), "tip 1 + least age 3");
    let action = step(&mut net, &mut alice, &keys);
    assert!(matches!(waits(&action), (Waiting::Commit(_), Some(4))), "asking twice sends once");
    net.mine();
    for left in [3, 2] {
        let action = step(&mut net, &mut alice, &keys);
        assert_eq!((waits(&action), alice.step()), ((&Waiting::Age, Some(left)), &Step::Age));
        net.mine();
    }
    let action = step(&mut net, &mut alice, &keys);
    let tx = sent(&action);
    assert_eq!((kinds(tx), tx.body().nonce), (vec!["claim", "update", "renew"], 1));
    assert_eq!(tx.body().expiry, Some(Height(12)), "the last height at which the commitment can be claimed");
    let action = step(&mut net, &mut alice, &keys);
    assert!(matches!(waits(&action), (Waiting::Claim(_), Some(1))));
    net.mine();
    assert_eq!(step(&mut net, &mut alice, &keys), Action::Done);

    let entry = &net.state().names[alice.name()];
    assert_eq!((entry.owner, entry.expires), (keys.first(), Height(5 + 3 * 200)));
    assert_eq!(entry.records, records_hash(&records()));
    assert_eq!(net.balance(&keys), Amount::from_coins(50).checked_sub(alice.spent()).unwrap().atoms());
    assert!(!alice.is_over());
    net.mine_empty(100);
    assert_eq!(step(&mut net, &mut alice, &keys), Action::Done);
    assert!(alice.is_over());
}

#[test]
fn waits_for_coins_and_says_how_many() {
    let (mut net, keys) = (Net::new(3, 10), keys(1));
    let mut alice = Registration::begin(alice(1), &net, &keys).unwrap();
    let action = step(&mut net, &mut alice, &keys);
    let (Waiting::Coins { pay_to, needed, have }, None) = waits(&action) else { panic!("{action:?}") };
    assert_eq!((*pay_to, *have), (keys.first(), Amount::ZERO));
    assert!((Amount::from_coins(1)..Amount::from_atoms(100_100_000)).contains(needed), "{needed}");
    let second = keys.get(1).unwrap();
    net.give(second, 2);
    let action = step(&mut net, &mut alice, &keys);
    assert_eq!(sent(&action).body().payer, second, "any key of the wallet can pay");
    until(&mut net, &mut alice, &keys, &Step::Done);
    assert_eq!(net.owner("alice"), Some(keys.first()));
}

#[test]
fn a_limit_is_kept() {
    let (mut net, keys) = start();
    let request = Request { limit: Some(Amount::from_coins(1)), ..alice(1) };
    let mut alice = Registration::begin(request, &net, &keys).unwrap();
    let action = step(&mut net, &mut alice, &keys);
    assert!(matches!(waits(&action), (Waiting::Price { .. }, None)), "1 coin and the fees are more than 1 coin");
}

#[test]
fn a_commit_that_expires_is_sent_anew_for_more() {
    let (mut net, keys) = start();
    let mut alice = Registration::begin(alice(1), &net, &keys).unwrap();
    let mut fees = Vec::new();
    for _ in 0..3 {
        let action = step(&mut net, &mut alice, &keys);
        fees.push(sent(&action).body().fee.atoms());
        assert_eq!(sent(&action).body().nonce, 0);
        net.mine_empty(3);
    }
    assert_eq!((fees[1], fees[2]), (2 * fees[0], 4 * fees[0]));
    assert_eq!(alice.spent(), Amount::ZERO);
    until(&mut net, &mut alice, &keys, &Step::Done);
    assert_eq!((alice.attempt(), net.state().commits.len()), (0, 1));
}

#[test]
fn a_dropped_transaction_is_offered_again_byte_for_byte() {
    let (mut net, keys) = start();
    let mut alice = Registration::begin(alice(1), &net, &keys).unwrap();
    let first = step(&mut net, &mut alice, &keys);
    net.pool.clear();
    assert!(matches!(step(&mut net, &mut alice, &keys), Action::Wait { .. }), "not twice at one height");
    net.mine_empty(1);
    assert_eq!(step(&mut net, &mut alice, &keys), first);
}

#[test]
fn a_claim_is_bumped_every_two_blocks_up_to_the_commits_burn() {
    let (mut net, keys) = (Net::new(3, 90), keys(1));
    net.give(keys.first(), 50);
    net.fee_rate = 100;
    let mut alice = Registration::begin(alice(2), &net, &keys).unwrap();
    until(&mut net, &mut alice, &keys, &Step::Claim);
    let mut fees = vec![net.pool[0].body().fee.atoms()];
    for block in 1..=40 {
        net.mine_empty(1);
        match step(&mut net, &mut alice, &keys) {
            Action::Send(tx) => {
                assert_eq!((block % 2, tx.body().nonce, net.pool.len()), (0, 1, 1));
                fees.push(tx.body().fee.atoms());
            }
            action => assert!(matches!(waits(&action), (Waiting::Claim(_), Some(1)))),
        }
    }
    assert!(fees.is_sorted_by(|a, b| a < b) && fees.len() > 10, "{fees:?}");
    assert!((9_000_000..=10_000_000).contains(fees.last().unwrap()), "{fees:?}");
    net.mine();
    assert_eq!(step(&mut net, &mut alice, &keys), Action::Done);
    assert_eq!(net.balance(&keys), Amount::from_coins(50).checked_sub(alice.spent()).unwrap().atoms());
}

#[test]
fn a_commitment_that_grew_too_old_is_made_anew_with_another_salt() {
    let (mut net, keys) = start();
    let mut alice = Registration::begin(alice(1), &net, &keys).unwrap();
    until(&mut net, &mut alice, &keys, &Step::Claim);
    let burned = net.state().commits[0].1;
    net.mine_empty(10);
    let action = step(&mut net, &mut alice, &keys);
    assert_eq!((kinds(sent(&action)), alice.attempt()), (vec!["commit"], 1));
    assert_eq!(alice.spent(), Amount::from_atoms(10_000_000 + 1_360), "the first commitment and its fee");
    until(&mut net, &mut alice, &keys, &Step::Done);
    let commits = &net.state().commits;
    assert!(commits.len() == 2 && commits[1].1 != burned);
    assert_eq!(net.balance(&keys), Amount::from_coins(50).checked_sub(alice.spent()).unwrap().atoms());
}

#[test]
fn after_too_many_dead_commitments_it_fails() {
    let (mut net, keys) = start();
    let mut alice = Registration::begin(alice(1), &net, &keys).unwrap();
    for _ in 0..21 {
        until(&mut net, &mut alice, &keys, &Step::Claim);
        net.mine_empty(10);
        step(&mut net, &mut alice, &keys);
    }
    let Step::Failed(failure @ Failure::Attempts { attempts: 21, .. }) = alice.step() else { panic!("{alice:?}") };
    assert!(failure.to_string().starts_with("21 commitments grew too old without a claim being mined; 2.1"));
}

#[test]
fn who_is_second_is_told_what_was_spent() {
    let (mut net, ours, theirs) = (Net::new(3, 10), keys(1), keys(2));
    net.give(ours.first(), 50);
    net.give(theirs.first(), 50);
    let mut rival = Registration::begin(alice(1), &net, &theirs).unwrap();
    until(&mut net, &mut rival, &theirs, &Step::Age);
    let mut alice = Registration::begin(alice(1), &net, &ours).unwrap();
    until(&mut net, &mut alice, &ours, &Step::Age);
    until(&mut net, &mut rival, &theirs, &Step::Done);
    let action = step(&mut net, &mut alice, &ours);
    assert_eq!(waits(&action), (&Waiting::Rival { by: theirs.first() }, Some(2)), "a reorganisation could undo it");
    net.mine_empty(2);
    let failure = Failure::Taken { by: theirs.first(), since: Height(6), spent: alice.spent() };
    assert_eq!(step(&mut net, &mut alice, &ours), Action::Failed(failure.clone()));
    assert!(failure.to_string().ends_with("since height 6; 0.10001360 coins were spent"), "{failure}");
    assert_eq!(net.balance(&ours), Amount::from_coins(50).checked_sub(alice.spent()).unwrap().atoms());
    assert!(alice.is_over());
}

#[test]
fn a_rivals_claim_that_is_undone_is_no_end() {
    let (mut net, ours, theirs) = (Net::new(3, 30), keys(1), keys(2));
    net.give(ours.first(), 50);
    net.give(theirs.first(), 50);
    let mut alice = Registration::begin(alice(1), &net, &ours).unwrap();
    let mut rival = Registration::begin(self::alice(1), &net, &theirs).unwrap();
    step(&mut net, &mut rival, &theirs);
    until(&mut net, &mut alice, &ours, &Step::Claim);
    net.pool.insert(0, sent(&rival.next(&net, &theirs)).clone());
    let rivals = |tx: &Transaction| tx.body().payer == theirs.first();
    net.mine_some(rivals);
    step(&mut net, &mut alice, &ours);
    assert_eq!(alice.step(), &Step::Rival);
    net.disconnect(1);
    net.pool.retain(|tx| !rivals(tx));
    net.mine_empty(1);
    until(&mut net, &mut alice, &ours, &Step::Done);
    assert_eq!(net.owner("alice"), Some(ours.first()));
}

#[test]
fn a_reorganisation_goes_back_a_step() {
    for (depth, back_to) in [(1, Step::Claim), (5, Step::Commit)] {
        let (mut net, keys) = start();
        net.mine_empty(5);
        let mut alice = Registration::begin(alice(2), &net, &keys).unwrap();
        until(&mut net, &mut alice, &keys, &Step::Done);
        net.disconnect(depth);
        net.pool.clear();
        net.mine_empty(depth + 1);
        step(&mut net, &mut alice, &keys);
        assert_eq!(alice.step(), &back_to, "{depth} deep");
        until(&mut net, &mut alice, &keys, &Step::Done);
        assert_eq!((net.state().commits.len(), net.state().claims.len(), alice.attempt()), (1, 1, 0));
        assert_eq!(net.balance(&keys), Amount::from_coins(50).checked_sub(alice.spent()).unwrap().atoms());
    }
}

#[test]
fn a_registration_that_was_over_goes_on_when_its_claim_is_gone() {
    let (mut net, keys) = start();
    net.mine_empty(5);
    let mut alice = Registration::begin(alice(2), &net, &keys).unwrap();
    until(&mut net, &mut alice, &keys, &Step::Done);
    assert!(!alice.is_over() && !alice.reopen(&net, true));
    net.mine_empty(SETTLED_BLOCKS);
    step(&mut net, &mut alice, &keys);
    assert!(alice.is_over() && !alice.reopen(&net, true), "the claim is where it was");
    net.disconnect(SETTLED_BLOCKS + 5);
    net.pool.clear();
    net.mine_empty(SETTLED_BLOCKS + 6);
    let after_a_start = &mut alice.clone();
    assert!(after_a_start.reopen(&net, false), "the node was killed before it could look");
    assert!(alice.reopen(&net, true) && !alice.is_over());
    until(&mut net, &mut alice, &keys, &Step::Done);
    assert_eq!(net.owner("alice"), Some(keys.first()));
}

/// A wallet's files beside an empty chain: while that grew, what had lapsed long ago was once claimed again.
#[test]
fn a_registration_that_was_over_waits_for_a_chain_that_is_not_there_yet() {
    let (mut net, keys) = start();
    let mut alice = Registration::begin(alice(1), &net, &keys).unwrap();
    until(&mut net, &mut alice, &keys, &Step::Done);
    net.mine_empty(SETTLED_BLOCKS);
    step(&mut net, &mut alice, &keys);
    let (empty, _) = start();
    assert!(alice.is_over() && !alice.reopen(&empty, false));
    // A reorganisation that takes the claim when its year is over.
    net.disconnect(net.height());
    net.pool.clear();
    net.mine_empty(2 * net.params.rules.year);
    assert!(!alice.reopen(&net, true) && alice.is_over());
}

#[test]
fn a_restored_seed_takes_up_the_commitment() {
    let (mut net, keys) = start();
    let second = keys.get(1);
    for owner in [None, second] {
        let name = if owner.is_some() { "bobby" } else { "alice" };
        let request = Request { owner, name: name.parse().unwrap(), ..alice(1) };
        let mut lost = Registration::begin(request.clone(), &net, &keys).unwrap();
        until(&mut net, &mut lost, &keys, &Step::Claim);
        net.mine_empty(10);
        until(&mut net, &mut lost, &keys, &Step::Age);
        let commits = net.state().commits.len();

        let restored = common::keys(1);
        let mut found = Registration::begin(Request { owner: None, ..request }, &net, &restored).unwrap();
        assert_eq!((found.attempt(), found.owner()), (1, owner.unwrap_or(keys.first())));
        until(&mut net, &mut found, &restored, &Step::Done);
        assert_eq!(net.state().commits.len(), commits, "nothing was committed again");
    }
}

#[test]
fn a_copied_claim_pays_for_its_author_and_the_rest_follows() {
    let (mut net, ours, theirs) = (Net::new(3, 10), keys(1), keys(2));
    net.give(ours.first(), 50);
    net.give(theirs.first(), 50);
    let mut alice = Registration::begin(alice(3), &net, &ours).unwrap();
    until(&mut net, &mut alice, &ours, &Step::Claim);
    let claim = net.pool[0].body().ops[0].clone();
    let copy = TxPlan::new(theirs.first(), 0).op(claim).with_fee(Amount::from_coins(1));
    net.offer(copy.sign(&theirs, &net.params.chain_id).unwrap()).unwrap_err();
    net.pool.insert(0, copy.sign(&theirs, &net.params.chain_id).unwrap());
    net.mine_some(|tx| tx.body().payer == theirs.first());
    assert_eq!(net.state().names[alice.name()].records, no_records());
    let action = step(&mut net, &mut alice, &ours);
    assert_eq!((kinds(sent(&action)), alice.step()), (vec!["update", "renew"], &Step::Finish));
    until(&mut net, &mut alice, &ours, &Step::Done);
    let entry = &net.state().names[alice.name()];
    assert_eq!((entry.owner, entry.records), (ours.first(), records_hash(&records())));
    assert_eq!(entry.expires.0, entry.since.0 + 600);
    assert_eq!(net.balance(&ours), Amount::from_coins(50).checked_sub(alice.spent()).unwrap().atoms());
}

#[test]
fn a_name_given_away_after_it_was_done_stays_done() {
    let (mut net, keys) = start();
    let mut alice = Registration::begin(alice(1), &net, &keys).unwrap();
    until(&mut net, &mut alice, &keys, &Step::Done);
    let (entry, _) = net.name(alice.name()).unwrap();
    let to = common::keys(2).first();
    let plan = TxPlan::new(keys.first(), 2).transfer(alice.name(), &entry, to).with_fee_rate(net.fee_rate());
    net.offer(plan.sign(&keys, &net.chain_id()).unwrap()).unwrap();
    net.mine();
    assert_eq!((net.owner("alice"), step(&mut net, &mut alice, &keys)), (Some(to), Action::Done));
    assert!(alice.is_over());
}

#[test]
fn a_foreign_owner_needs_no_key_here() {
    let (mut net, keys) = start();
    let to = common::keys(9).first();
    let request = Request { owner: Some(to), records: EMPTY.to_vec(), ..alice(2) };
    let mut alice = Registration::begin(request, &net, &keys).unwrap();
    until(&mut net, &mut alice, &keys, &Step::Done);
    assert_eq!(net.owner("alice"), Some(to));
}

#[test]
fn refusals_wait_for_a_block_and_end_in_failure() {
    let (mut net, keys) = start();
    let mut alice = Registration::begin(alice(1), &net, &keys).unwrap();
    for left in (0..20).rev() {
        let action = alice.next(&net, &keys);
        alice.refused(&sent(&action).txid(&net.params.chain_id), net.tip(), "no");
        assert_eq!(alice.error(), Some("no"));
        if left > 0 {
            assert!(matches!(waits(&alice.next(&net, &keys)), (Waiting::Refused { .. }, None)));
        }
        net.mine_empty(1);
    }
    let failure = Failure::Refused { reason: "no".to_owned() };
    assert_eq!((alice.next(&net, &keys), alice.txids().len()), (Action::Failed(failure), 0));
}

#[test]
fn what_cannot_begin() {
    let (mut net, keys, theirs) = (Net::new(3, 10), keys(1), keys(2));
    net.give(keys.first(), 50);
    let begin = |net: &Net, request: Request, keys: &Keys| Registration::begin(request, net, keys).unwrap_err();
    assert_eq!(begin(&net, alice(0), &keys), RequestError::Years { years: 0, max: 10 });
    assert_eq!(begin(&net, alice(11), &keys), RequestError::Years { years: 11, max: 10 });
    let bad = Request { records: vec![2, 0], ..alice(1) };
    assert_eq!(begin(&net, bad, &keys).to_string(), "records version 2, expected 1 (R1)");
    let foreign = Request { owner: Some(theirs.first()), ..alice(1) };
    assert_eq!(begin(&net, foreign, &keys), RequestError::ForeignOwner);
    let mut first = Registration::begin(alice(1), &net, &keys).unwrap();
    until(&mut net, &mut first, &keys, &Step::Done);
    let name = first.name().clone();
    assert_eq!(begin(&net, alice(1), &keys), RequestError::Yours(name.clone()));
    let expires = Height(net.height() + 200);
    assert_eq!(begin(&net, alice(1), &theirs), RequestError::Taken { name: name.clone(), expires });
    net.mine_empty(200);
    assert_eq!(begin(&net, alice(1), &keys), RequestError::YoursInGrace(name));
    net.mine_empty(20);
    assert!(Registration::begin(alice(1), &net, &theirs).is_ok(), "released");
}

#[test]
fn registrations_leave_each_other_the_coins_they_count_on() {
    let (mut net, keys) = (Net::new(3, 10), keys(1));
    net.give(keys.first(), 3);
    let folder = tempfile::tempdir().unwrap();
    let mut all = Registrations::open(&folder.path().join("registrations.json"), &net.params).unwrap();
    for name in ["alice", "bobby"] {
        let request = Request { name: name.parse().unwrap(), ..alice(2) };
        assert!(all.add(Registration::begin(request, &net, &keys).unwrap()));
    }
    let (a, b) = ("alice".parse().unwrap(), "bobby".parse().unwrap());
    let action = all.next(&a, &net, &keys).unwrap();
    net.offer(sent(&action).clone()).unwrap();
    net.mine();
    assert!(matches!(waits(&all.next(&a, &net, &keys).unwrap()), (Waiting::Age, _)));
    let action = all.next(&b, &net, &keys).unwrap();
    assert!(matches!(waits(&action).0, Waiting::Coins { .. }), "2.9 coins are there, but 1.9 of them are for alice");
}
