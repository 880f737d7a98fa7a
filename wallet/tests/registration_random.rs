//! Registrations under everything at once: blocks that leave things out, drops, restarts, lost files, rivals, copied
//! claims, reorganisations. Whatever happens, they end, with the name or without, and nothing is paid for twice.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use common::{Net, keys, step};
use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::CommitmentHash;
use dotp2p_chain::op::Op;
use dotp2p_chain::records::{Limits, Owner, RecordSet, Records, records_hash};
use dotp2p_wallet::{Keys, Registration, Request, RequestError, Step, TxPlan};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Event {
    /// A block that takes of the pool what the bits say.
    Block(u8),
    /// Empty blocks.
    Empty(u8),
    /// The pool forgets one.
    Drop(u8),
    /// The node restarts: the registration is read back from its file.
    Restart,
    /// The file is lost; the same command is given again.
    LoseFile,
    /// Blocks are disconnected, and as many and one more follow, with the pool's content or without.
    Reorg(u8, bool),
    /// Somebody sends our Claim without what stands beside it.
    Copy,
    /// A payment of ours takes the next nonce.
    Pay,
    /// The other one who wants the name acts.
    Rival,
}

fn event(rival: bool, chaos: bool) -> impl Strategy<Value = Event> {
    let calm = prop_oneof![
        6 => any::<u8>().prop_map(Event::Block),
        1 => (1_u8..12).prop_map(Event::Empty),
        2 => any::<u8>().prop_map(Event::Drop),
        2 => Just(Event::Restart),
        1 => Just(Event::Pay),
    ];
    let wild = prop_oneof![
        2 => (1_u8..8, any::<bool>()).prop_map(|(depth, with)| Event::Reorg(depth, with)),
        1 => Just(Event::LoseFile),
        1 => Just(Event::Copy),
    ];
    let rivals = if rival { 3 } else { 0 };
    prop_oneof![8 => calm, if chaos { 3 } else { 0 } => wild, rivals => Just(Event::Rival)]
}

fn request() -> Request {
    let set = RecordSet { owner: Owner::APEX, rtype: 16, ttl: 60, rdatas: vec![b"\x02hi".to_vec()] };
    let records = Records::new(vec![set], Limits { name_len: 5, tld_len: 3, max: 4096 }).unwrap();
    let name = "alice".parse().unwrap();
    Request { name, owner: None, records: records.encode(), years: 2, limit: None }
}

/// What a run has come to.
struct Run {
    net: Net,
    ours: Keys,
    theirs: Keys,
    alice: Registration,
    rival: Registration,
    paid: u64,
    done: bool,
    lost: bool,
}

impl Run {
    fn new() -> Self {
        let (mut net, ours, theirs) = (Net::new(3, 12), keys(1), keys(2));
        net.give(ours.first(), 400);
        net.give(theirs.first(), 400);
        net.mine_empty(12);
        let alice = Registration::begin(request(), &net, &ours).unwrap();
        let rival = Registration::begin(request(), &net, &theirs).unwrap();
        Self { net, ours, theirs, alice, rival, paid: 0, done: false, lost: false }
    }

    fn happen(&mut self, event: &Event) {
        let Self { net, ours, theirs, alice, rival, .. } = self;
        match event {
            Event::Block(bits) => {
                let mut bits = u32::from(*bits) << 8 | u32::from(*bits);
                net.mine_some(|_| {
                    bits = bits.rotate_right(1);
                    bits & 1 == 1
                });
            }
            Event::Empty(blocks) => net.mine_empty((*blocks).into()),
            Event::Drop(which) if !net.pool.is_empty() => {
                net.pool.remove(usize::from(*which) % net.pool.len());
                net.clean_pool();
            }
            Event::Restart => {
                let json = serde_json::to_string(alice).unwrap();
                *alice = serde_json::from_str(&json).unwrap();
            }
            Event::LoseFile => {
                self.lost = true;
                match Registration::begin(request(), net, ours) {
                    Ok(anew) => *alice = anew,
                    Err(RequestError::Yours(_)) => self.done = true,
                    Err(_) => {}
                }
            }
            Event::Reorg(depth, with_pool) => {
                let depth = u32::from(*depth).min(net.height() - 3);
                net.disconnect(depth);
                for _ in 0..=depth {
                    net.mine_some(|_| *with_pool);
                }
            }
            Event::Copy => {
                let claim = net.pool.iter().flat_map(|tx| &tx.body().ops).find(|op| matches!(op, Op::Claim(_)));
                let nonce = net.state().accounts[&theirs.first()].nonce;
                if let Some(claim) = claim.cloned() {
                    let copy = TxPlan::new(theirs.first(), nonce).op(claim).with_fee(Amount::from_coins(1));
                    let copy = copy.sign(theirs, &net.params.chain_id).unwrap();
                    net.pool.insert(0, copy);
                    net.mine_some(|tx| tx.body().payer == theirs.first());
                }
            }
            Event::Pay => {
                let nonce = net.state().accounts[&ours.first()].nonce
                    + u64::try_from(net.pool.iter().filter(|tx| tx.body().payer == ours.first()).count()).unwrap();
                let pay = TxPlan::new(ours.first(), nonce).pay(theirs.first(), Amount::from_atoms(7));
                let _ = net.offer(pay.with_fee(Amount::from_atoms(900)).sign(ours, &net.params.chain_id).unwrap());
            }
            Event::Rival => {
                step(net, rival, theirs);
            }
            Event::Drop(_) => {}
        }
        step(&mut self.net, &mut self.alice, &self.ours);
    }

    /// Blocks with everything, until the registration is at an end.
    fn finish(&mut self) {
        for _ in 0..1500 {
            let rested = matches!(self.alice.step(), Step::Done | Step::Failed(_));
            if rested && self.net.pool.is_empty() {
                return;
            }
            self.net.mine();
            step(&mut self.net, &mut self.alice, &self.ours);
        }
        panic!("no end: {:?}", self.alice);
    }

    fn commits(&self) -> BTreeMap<CommitmentHash, Vec<u32>> {
        let mut commits = BTreeMap::<_, Vec<u32>>::new();
        for (payer, hash, height) in &self.net.state().commits {
            if self.ours.contains(payer) {
                commits.entry(*hash).or_default().push(*height);
            }
        }
        commits
    }

    fn check(&self) {
        let (state, name) = (self.net.state(), self.alice.name());
        for (hash, heights) in self.commits() {
            let apart = heights.windows(2).all(|pair| pair[1] > pair[0] + 12);
            assert!(apart, "{hash} burned at {heights:?}");
        }
        let claims =
            state.claims.iter().filter(|(payer, claimed)| self.ours.contains(payer) && claimed == name).count();
        assert!(claims <= 1, "claimed {claims} times");
        match self.alice.step() {
            Step::Done => {
                let entry = &state.names[name];
                assert_eq!(entry.owner, self.alice.owner());
                assert_eq!(entry.records, records_hash(self.alice.records()));
                let years = entry.expires.0 - entry.since.0;
                // Who loses the file forgets what waits in pools: a Renew of it may come on top.
                assert!(years == 400 || (self.lost && years > 400), "two years, not fewer and not more: {years}");
            }
            Step::Failed(_) => {
                let owner = state.names.get(name).map(|entry| entry.owner);
                assert!(self.done || owner.is_none_or(|owner| !self.ours.contains(&owner)), "failed, and yet ours");
            }
            step => panic!("{step:?}"),
        }
    }
}

/// 60 cases, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// Without reorganisations, lost files and copies: exactly one commitment at a time, and the books are right.
    #[test]
    fn the_books_are_right(events in prop::collection::vec(event(true, false), 0..90)) {
        let mut run = Run::new();
        for event in &events {
            run.happen(event);
        }
        run.finish();
        run.check();
        let commits = run.commits();
        prop_assert!(commits.values().all(|heights| heights.len() == 1));
        let mut heights: Vec<u32> = commits.values().flatten().copied().collect();
        heights.sort_unstable();
        prop_assert!(heights.windows(2).all(|pair| pair[1] > pair[0] + 12), "two live at once: {:?}", heights);
        let pays = run.net.blocks.iter().flatten().filter(|tx| tx.body().payer == run.ours.first());
        let pays = pays.filter(|tx| matches!(tx.body().ops[0], Op::Pay(_))).count();
        run.paid = 907 * u64::try_from(pays).unwrap();
        let left = 400 * 100_000_000 - run.paid - run.net.balance(&run.ours);
        prop_assert_eq!(Amount::from_atoms(left), run.alice.spent());
    }

    /// With everything.
    #[test]
    fn it_ends_and_pays_once(events in prop::collection::vec(event(true, true), 0..120)) {
        let mut run = Run::new();
        for event in &events {
            run.happen(event);
        }
        run.finish();
        run.check();
    }

    /// Alone, it always gets the name, unless too many commitments died.
    #[test]
    fn without_a_rival_it_is_done(events in prop::collection::vec(event(false, true), 0..120)) {
        let mut run = Run::new();
        for event in &events {
            run.happen(event);
        }
        run.finish();
        run.check();
        prop_assert_eq!(run.alice.step(), &Step::Done);
    }
}
