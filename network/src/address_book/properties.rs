//! What holds whatever we are told: the bounds of the tables, and that a book is the same after it was saved.

use super::*;
use crate::address::NetGroup;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

use super::place::{BUCKET_LEN, NEW_BUCKETS, TRIED_BUCKETS};

#[derive(Clone, Debug)]
enum Step {
    Add { who: u16, teller: u8, age_s: u32 },
    Attempt(u16),
    Failed(u16),
    Good(u16),
    Disconnected(u16),
    Resolve,
    Forget(u16),
    Later(u32),
    Saved,
}

fn step() -> impl Strategy<Value = Step> {
    // Few addresses, so that the steps meet.
    let who = 0_u16..400;
    prop_oneof![
        12 => (who.clone(), any::<u8>(), 0_u32..3_000_000).prop_map(|(who, teller, age_s)| Step::Add { who, teller, age_s }),
        2 => who.clone().prop_map(Step::Attempt),
        4 => who.clone().prop_map(Step::Failed),
        6 => who.clone().prop_map(Step::Good),
        1 => who.clone().prop_map(Step::Disconnected),
        2 => Just(Step::Resolve),
        1 => who.prop_map(Step::Forget),
        2 => (0_u32..1_000_000).prop_map(Step::Later),
        1 => Just(Step::Saved),
    ]
}

/// All in two groups, so that they crowd their four buckets of `tried`.
fn address(who: u16) -> PeerAddress {
    let [high, low] = who.to_be_bytes();
    PeerAddress::new(IpAddr::V4(Ipv4Addr::new(20, low % 2, high, low)), 9353).unwrap()
}

fn check(book: &AddressBook) {
    let mut slots = 0;
    for (address, entry) in &book.entries {
        let max = if entry.tried { 1 } else { SOURCES_MAX };
        assert!((1..=max).contains(&entry.sources.len()), "{address} has {} sources", entry.sources.len());
        for slot in book.slots_of(address, entry) {
            assert_eq!(book.slots.get(&slot), Some(address), "{address} is not where it belongs");
            assert!(slot.bucket < slot.table.buckets() && slot.position < BUCKET_LEN);
            slots += 1;
        }
    }
    assert_eq!(book.slots.len(), slots, "a slot of nobody");
    let counts = book.counts();
    assert_eq!(counts.tried, book.entries.values().filter(|entry| entry.tried).count());
    assert!(counts.tried <= usize::from(TRIED_BUCKETS * BUCKET_LEN));
    assert!(counts.new <= usize::from(NEW_BUCKETS * BUCKET_LEN));
    assert!(counts.colliding <= COLLISIONS_MAX);
    for address in &book.collisions {
        assert_eq!(book.is_tried(address), Some(false), "what waits is in `new`");
    }
}

proptest! {
    #[test]
    fn bounds_hold_under_any_input(steps in prop::collection::vec(step(), 1..400), secret in any::<[u8; 32]>(), seed in any::<u64>()) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut book = AddressBook::new(secret, false);
        let mut now_s = 1_700_000_000_u64;
        for step in steps {
            match step {
                Step::Add { who, teller, age_s } => {
                    let source = Source::Gossip(NetGroup::V4([40, teller]));
                    let sighting = Sighting { address: address(who), source, seen_s: now_s - u64::from(age_s) };
                    book.add(&sighting, now_s, &mut rng).unwrap();
                }
                Step::Attempt(who) => book.attempt(&address(who), now_s),
                Step::Failed(who) => book.failed(&address(who), now_s),
                Step::Good(who) => {
                    let known = book.is_tried(&address(who)).is_some();
                    prop_assert_eq!(book.good(&address(who), None, now_s) != Good::Unknown, known);
                }
                Step::Disconnected(who) => book.disconnected(&address(who), now_s),
                Step::Resolve => book.resolve_collisions(now_s),
                Step::Forget(who) => { book.forget(&address(who)); }
                Step::Later(passed_s) => now_s += u64::from(passed_s),
                Step::Saved => {
                    let bytes = book.encode();
                    book = AddressBook::decode(&bytes, false, now_s).unwrap();
                    prop_assert_eq!(book.encode(), bytes);
                }
            }
            check(&book);
            let connected = BTreeSet::from([address(0).group()]);
            let chosen = book.select_outbound(&connected, now_s, &mut rng);
            prop_assert!(chosen.is_none_or(|chosen| !connected.contains(&chosen.address.group())));
        }
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), seal in any::<bool>()) {
        let mut bytes = bytes;
        if seal {
            bytes = [b"dotp2p peers\n\x01".as_slice(), &bytes].concat();
            bytes.extend(dotp2p_chain::hash::sha256(&bytes));
        }
        if let Ok(book) = AddressBook::decode(&bytes, false, 1) {
            check(&book);
        }
    }
}
