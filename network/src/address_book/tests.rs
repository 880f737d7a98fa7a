//! What becomes of an address, and of the files.

use super::*;
use std::net::{IpAddr, Ipv4Addr};

use super::place::{BUCKET_LEN, NEW_BUCKETS, TRIED_BUCKETS, Table};

const NOW: u64 = 1_700_000_000;
const DAY: u64 = 24 * 3600;

fn at(text: &str) -> PeerAddress {
    text.parse().unwrap()
}

/// A routable address of group `20 + group`, one a number.
fn numbered(group: u8, number: u16) -> PeerAddress {
    let [high, low] = number.to_be_bytes();
    PeerAddress::new(IpAddr::V4(Ipv4Addr::new(20 + group, group, high, low)), 9353).unwrap()
}

fn told(address: PeerAddress, group: u8) -> Sighting {
    Sighting { address, source: Source::Gossip(numbered(group, 0).group()), seen_s: NOW }
}

fn book() -> (AddressBook, fastrand::Rng) {
    (AddressBook::new([1; 32], false), fastrand::Rng::with_seed(1))
}

/// A book with addresses of groups 0 to `groups`, `each` of each, all in `tried` if `tried`.
fn filled(groups: u8, each: u16, tried: bool) -> (AddressBook, fastrand::Rng) {
    let (mut book, mut rng) = book();
    for (group, number) in (0..groups).flat_map(|group| (0..each).map(move |number| (group, number))) {
        let address = numbered(group, number);
        let _ = book.add(&told(address, group), NOW, &mut rng);
        if tried {
            book.good(&address, None, NOW);
        }
    }
    (book, rng)
}

#[test]
fn what_strangers_cannot_reach_is_not_kept() {
    let (mut book, mut rng) = book();
    for text in ["127.0.0.1:1", "10.0.0.1:1", "[fd00::1]:1", "[2001:db8::1]:1", "192.0.2.1:1"] {
        assert_eq!(book.add(&told(at(text), 1), NOW, &mut rng), Err(AddError::NotRoutable(at(text))));
    }
    let mut book = AddressBook::new([1; 32], true);
    assert_eq!(book.add(&told(at("127.0.0.1:1"), 1), NOW, &mut rng), Ok(Added::New));
    assert_eq!(book.add(&told(at("192.0.2.1:1"), 1), NOW, &mut rng), Err(AddError::NotRoutable(at("192.0.2.1:1"))));
}

#[test]
fn local_discovery_never_enters_the_tables() {
    let mut rng = fastrand::Rng::with_seed(1);
    for (accept_local, text) in [(false, "8.8.8.8:1"), (true, "8.8.8.8:1"), (true, "192.168.1.1:1")] {
        let mut book = AddressBook::new([1; 32], accept_local);
        let sighting = Sighting { address: at(text), source: Source::LocalDiscovery, seen_s: NOW };
        assert_eq!(book.add(&sighting, NOW, &mut rng), Err(AddError::LocalDiscovery(at(text))));
        assert_eq!(book.good(&at(text), None, NOW), Good::Unknown);
        assert_eq!(book.counts(), Counts::default());
    }
}

#[test]
fn from_told_to_tried() {
    let (mut book, mut rng) = book();
    let (address, peer) = (numbered(1, 1), PeerId::new(b"me").unwrap());
    assert_eq!(book.add(&told(address, 2), NOW, &mut rng), Ok(Added::New));
    assert_eq!(book.add(&told(address, 2), NOW, &mut rng), Ok(Added::Known));
    assert_eq!((book.is_tried(&address), book.peer_at(&address)), (Some(false), None));
    assert_eq!(book.good(&address, Some(&peer), NOW), Good::Tried);
    assert_eq!((book.is_tried(&address), book.peer_at(&address)), (Some(true), Some(&peer)));
    assert_eq!(book.counts(), Counts { new: 0, tried: 1, colliding: 0 });
    assert!(book.forget(&address) && !book.forget(&address));
    assert_eq!((book.counts(), book.slots.len()), (Counts::default(), 0));
}

#[test]
fn told_times_are_not_believed_blindly() {
    let (address, other) = (numbered(1, 1), Source::Gossip(numbered(2, 1).group()));
    let own = Source::Gossip(address.group());
    for (told_s, source, expected) in [
        (NOW, other, NOW - GOSSIP_PENALTY_S),
        (NOW, own, NOW),
        (NOW + 5, own, NOW),
        (0, own, NOW - UNTOLD_AGE_S),
        (u64::MAX, other, NOW - UNTOLD_AGE_S),
        (NOW - DAY, Source::Seed(0), NOW - DAY),
    ] {
        assert_eq!(believed_seen(told_s, source, address, NOW), expected);
    }
}

#[test]
fn worth_nothing_any_more() {
    let entry = Entry { last_success_s: NOW, ..Entry::told(Source::Operator, NOW) };
    let never = Entry { last_success_s: 0, failures: 3, ..entry.clone() };
    let lost = Entry { failures: 10, seen_s: NOW + 8 * DAY, ..entry.clone() };
    assert!(!entry.is_terrible(NOW + 30 * DAY) && entry.is_terrible(NOW + 31 * DAY));
    assert!(never.is_terrible(NOW) && !Entry { failures: 2, ..never.clone() }.is_terrible(NOW));
    assert!(lost.is_terrible(NOW + 8 * DAY) && !lost.is_terrible(NOW + 7 * DAY));
    assert!(!Entry { last_attempt_s: NOW, ..never }.is_terrible(NOW + 59), "being dialled");
    assert!(lost.chance() < entry.chance() / 20);
}

#[test]
fn failures_without_any_success_are_our_own_networks() {
    let (mut book, mut rng) = filled(3, 1, false);
    let address = numbered(0, 0);
    for night in 0..100 {
        book.attempt(&address, NOW + night * 600);
        book.failed(&address, NOW + night * 600);
    }
    assert_eq!(book.entries[&address].failures, 1);
    for day in 1..4 {
        book.good(&numbered(1, 0), None, NOW + day * DAY);
        book.failed(&address, NOW + day * DAY + 1);
    }
    assert_eq!(book.entries[&address].failures, 4);
    assert!(book.entries[&address].is_terrible(NOW + 4 * DAY));
    assert!(book.sample(9, NOW + 4 * DAY, &mut rng).iter().all(|(sampled, _)| *sampled != address));
}

#[test]
fn one_outbound_a_group() {
    let (book, mut rng) = filled(8, 50, true);
    let mut connected = BTreeSet::new();
    for _ in 0..OUTBOUND {
        let chosen = book.select_outbound(&connected, NOW + 3600, &mut rng).unwrap();
        assert!(connected.insert(chosen.address.group()), "a group twice");
    }
    assert_eq!(book.select_outbound(&connected, NOW + 3600, &mut rng), None, "all groups are taken");
}

#[test]
fn local_groups_do_not_count() {
    let (mut book, mut rng) = (AddressBook::new([1; 32], true), fastrand::Rng::with_seed(1));
    let address = at("127.0.0.1:1");
    book.add(&told(address, 1), NOW, &mut rng).unwrap();
    let connected = BTreeSet::from([address.group()]);
    assert_eq!(book.select_outbound(&connected, NOW, &mut rng).unwrap().address, address);
}

#[test]
fn who_was_just_dialled_waits_unless_alone() {
    let (mut book, mut rng) = filled(2, 1, false);
    let none = BTreeSet::new();
    let mut select = |book: &AddressBook, now_s| book.select_outbound(&none, now_s, &mut rng).map(|it| it.address);
    book.attempt(&numbered(0, 0), NOW);
    for _ in 0..50 {
        assert_eq!(select(&book, NOW + 1), Some(numbered(1, 0)));
    }
    book.attempt(&numbered(1, 0), NOW + 1);
    assert_eq!(select(&book, NOW + 59), None);
    assert_eq!(select(&book, NOW + 60), Some(numbered(0, 0)));
    book.attempt(&numbered(0, 0), NOW + 10 * DAY);
    book.attempt(&numbered(1, 0), NOW + 10 * DAY);
    assert!(select(&book, NOW).is_some(), "a clock that was ahead locks nobody out");
}

/// Two addresses of one slot in `tried`, both in the book; the first is in `tried`.
fn colliding() -> (AddressBook, fastrand::Rng, [PeerAddress; 2]) {
    let (mut book, mut rng) = book();
    let holder = numbered(0, 0);
    let slot = Slot::tried_for(&book.secret, &holder);
    let rival = (1..).map(|number| numbered(0, number)).find(|it| Slot::tried_for(&book.secret, it) == slot).unwrap();
    book.add(&told(holder, 1), NOW, &mut rng).unwrap();
    book.add(&told(rival, 2), NOW, &mut rng).unwrap();
    assert_eq!(book.good(&holder, None, NOW), Good::Tried);
    (book, rng, [holder, rival])
}

#[test]
fn a_holder_that_answers_keeps_its_slot() {
    let (mut book, mut rng, [holder, rival]) = colliding();
    let later = NOW + DAY;
    assert_eq!(book.good(&rival, None, later), Good::Collides(holder));
    assert_eq!(book.select_feeler(later, &mut rng).unwrap().address, holder, "tested first");
    book.resolve_collisions(later);
    assert_eq!(book.counts().colliding, 1, "not decided yet");
    book.attempt(&holder, later);
    book.good(&holder, None, later + 1);
    book.resolve_collisions(later + 2);
    assert_eq!((book.is_tried(&holder), book.is_tried(&rival)), (Some(true), Some(false)));
    assert_eq!(book.counts(), Counts { new: 1, tried: 1, colliding: 0 });
}

#[test]
fn a_holder_that_is_gone_goes_back_to_new() {
    let (mut book, _, [holder, rival]) = colliding();
    let later = NOW + DAY;
    book.good(&rival, None, later);
    book.attempt(&holder, later);
    book.failed(&holder, later + 30);
    book.resolve_collisions(later + 31);
    assert_eq!(book.is_tried(&holder), Some(true), "the dial may still be under way");
    book.resolve_collisions(later + 90);
    assert_eq!((book.is_tried(&holder), book.is_tried(&rival)), (Some(false), Some(true)));
}

#[test]
fn a_collision_that_nobody_tests_is_decided_in_forty_minutes() {
    let (mut book, _, [holder, rival]) = colliding();
    book.good(&rival, None, NOW + DAY);
    book.resolve_collisions(NOW + DAY + TEST_WINDOW_S);
    assert_eq!(book.is_tried(&rival), Some(false));
    book.resolve_collisions(NOW + DAY + TEST_WINDOW_S + 1);
    assert_eq!((book.is_tried(&holder), book.is_tried(&rival)), (Some(false), Some(true)));
}

#[test]
fn feelers_go_to_new_addresses() {
    let (mut book, mut rng) = filled(4, 1, true);
    assert_eq!(book.select_feeler(NOW + 3600, &mut rng), None);
    book.add(&told(numbered(9, 1), 9), NOW, &mut rng).unwrap();
    assert_eq!(book.select_feeler(NOW + 3600, &mut rng).unwrap().address, numbered(9, 1));
}

#[test]
fn a_sample_is_a_bounded_share() {
    let (mut book, mut rng) = book();
    for number in 0..20_000_u16 {
        let _ = book.add(&told(numbered((number % 100) as u8, number), (number % 199) as u8), NOW, &mut rng);
    }
    let known = book.counts().new;
    assert!(known > 4_400, "{known}");
    let mut len = |max| {
        let sample = book.sample(max, NOW, &mut rng);
        assert_eq!(sample.iter().collect::<BTreeSet<_>>().len(), sample.len(), "none twice");
        sample.len()
    };
    assert_eq!([len(0), len(256), len(usize::MAX)], [0, 256, 1_000]);
    let (book, mut rng) = filled(10, 10, false);
    assert_eq!(book.sample(1_000, NOW, &mut rng).len(), (book.counts().new * 23).div_ceil(100));
}

#[test]
fn one_teller_and_one_group_reach_few_buckets() {
    let (mut book, mut rng) = book();
    let buckets = |book: &AddressBook, table| {
        book.slots.keys().filter(|slot| slot.table == table).map(|slot| slot.bucket).collect::<BTreeSet<_>>().len()
    };
    for number in 0..20_000_u16 {
        let _ = book.add(&told(numbered((number % 200) as u8, number), 7), NOW, &mut rng);
    }
    let reached = buckets(&book, Table::New);
    assert!((12..=16).contains(&reached), "{reached} of {NEW_BUCKETS}");
    assert!(book.counts().new <= 16 * usize::from(BUCKET_LEN));
    let (mut book, mut rng) = self::book();
    for number in 0..5_000_u16 {
        let address = numbered(0, number);
        let _ = book.add(&told(address, (number % 200) as u8), NOW, &mut rng);
        book.good(&address, None, NOW);
    }
    let reached = buckets(&book, Table::Tried);
    assert!(reached <= 2, "{reached} of {TRIED_BUCKETS}");
    assert!(book.counts().tried <= 2 * usize::from(BUCKET_LEN));
}

#[test]
fn saved_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers.dat");
    let (empty, told) = AddressBook::load(&path, [9; 32], false, NOW);
    assert!(told.is_none() && empty.secret == [9; 32]);
    let (mut book, _) = filled(9, 9, true);
    book.good(&numbered(0, 0), Some(&PeerId::new(&[3; 38]).unwrap()), NOW);
    book.save(&path).unwrap();
    let (read, told) = AddressBook::load(&path, [9; 32], false, NOW);
    assert!(told.is_none() && read.secret == [1; 32], "a saved book keeps its secret");
    assert_eq!((&read.slots, read.tried), (&book.slots, book.tried));
    assert_eq!(read.encode(), book.encode());
    let (read, _) = AddressBook::load(&path, [9; 32], false, NOW - DAY);
    assert!(read.entries.values().all(|entry| entry.last_success_s <= NOW - DAY), "no time is ahead");
}

#[test]
fn a_sealed_file_of_another_form_is_refused_in_one_line() {
    let error = AddressBook::decode(&file::seal(b"dotp2p peers\n", 1, &[7u8; 40]), false, NOW).unwrap_err();
    assert_eq!(error, "what it holds is of another form");
}

#[test]
fn a_damaged_file_is_set_aside_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers.dat");
    let (book, _) = filled(3, 2, true);
    let bytes = book.encode();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let (empty, told) = AddressBook::load(&path, [9; 32], false, NOW);
    assert_eq!((empty.counts(), empty.secret), (Counts::default(), [9; 32]));
    let (shown, told) = (path.display(), told.unwrap().to_string());
    assert_eq!(
        told,
        format!(
            "{shown} is damaged: its checksum does not match; set aside as {shown}.bad; the address book starts empty"
        )
    );
    assert!(!path.exists() && folder.path().join("peers.dat.bad").exists());
    empty.save(&path).unwrap();
}

#[test]
fn every_flipped_byte_and_every_cut_is_found() {
    let (book, _) = filled(3, 2, true);
    let bytes = book.encode();
    assert!(AddressBook::decode(&bytes, false, NOW).is_ok());
    for at in 0..bytes.len() {
        assert!(AddressBook::decode(&bytes[..at], false, NOW).is_err());
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            assert!(AddressBook::decode(&damaged, false, NOW).is_err(), "byte {at}");
        }
    }
}

#[test]
fn local_addresses_are_left_out_where_they_are_no_longer_accepted() {
    let (mut book, mut rng) = (AddressBook::new([1; 32], true), fastrand::Rng::with_seed(1));
    book.add(&told(at("127.0.0.1:1"), 1), NOW, &mut rng).unwrap();
    book.add(&told(at("8.8.8.8:1"), 1), NOW, &mut rng).unwrap();
    let read = AddressBook::decode(&book.encode(), false, NOW).unwrap();
    assert_eq!(read.addresses().collect::<Vec<_>>(), [at("8.8.8.8:1")]);
}

#[test]
fn anchors_are_given_out_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anchors.dat");
    assert_eq!(anchors::take(&path).unwrap(), []);
    let outbound = [(numbered(1, 1), 30), (numbered(2, 1), 20), (numbered(2, 2), 10), (numbered(3, 1), 40)];
    let chosen = anchors::choose(&outbound);
    assert_eq!(chosen, [numbered(2, 2), numbered(1, 1)], "the longest, of two groups");
    anchors::save(&path, &chosen).unwrap();
    assert_eq!(anchors::take(&path).unwrap(), chosen);
    assert_eq!(anchors::take(&path).unwrap(), []);
    std::fs::write(&path, b"nonsense").unwrap();
    assert!(anchors::take(&path).unwrap_err().to_string().contains("set aside"));
    assert_eq!(anchors::take(&path).unwrap(), []);
}
