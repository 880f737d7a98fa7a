//! The files of the peer network, `peers.dat` and `bans.json`: read or set aside, and what is written again is the same.

#![no_main]

use std::fs;

use dotp2p_chain::hash::sha256;
use dotp2p_fuzz::{Cost, check_error, private_file, within};
use dotp2p_network::address_book::AddressBook;
use dotp2p_network::bans::Bans;
use libfuzzer_sys::fuzz_target;

const NOW_S: u64 = 1_800_000_000;

fuzz_target!(|data: &[u8]| {
    within(data.len(), Cost { per_byte: 256, cpu_ms: 500 }, || run(data));
});

fn run(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    match first % 3 {
        0 => bans(rest),
        1 => book(rest),
        // With the checksum it should have: nothing behind it is reached by chance.
        _ => book(&[rest, &sha256(rest)].concat()),
    }
}

fn bans(data: &[u8]) {
    let path = private_file("bans.json", data);
    let (bans, unusable) = Bans::load(&path, NOW_S);
    if let Some(unusable) = unusable {
        check_error(&unusable);
        assert_eq!(bans.list(NOW_S).count(), 0, "of a file that makes no sense nothing is taken");
    }
    assert!(bans.list(NOW_S).all(|ban| ban.until_s > NOW_S), "those that are over are left out");
    bans.save(&path).expect("written");
    let (again, unusable) = Bans::load(&path, NOW_S);
    assert!(unusable.is_none() && again.list(NOW_S).eq(bans.list(NOW_S)), "what we wrote is the same");
    tidy(&path);
}

fn book(data: &[u8]) {
    let path = private_file("peers.dat", data);
    for accept_local in [false, true] {
        fs::write(&path, data).expect("the file is ours");
        let (book, unusable) = AddressBook::load(&path, [1; 32], accept_local, NOW_S);
        if let Some(unusable) = unusable {
            check_error(&unusable);
            assert_eq!(book.addresses().count(), 0, "of a file that makes no sense nothing is taken");
        }
        let mut rng = fastrand::Rng::with_seed(1);
        let sample = book.sample(256, NOW_S, &mut rng);
        assert!(sample.iter().all(|(address, seen_s)| book.is_tried(address).is_some() && *seen_s <= NOW_S));
        if let Some(chosen) = book.select_outbound(&Default::default(), NOW_S, &mut rng) {
            assert!(book.is_tried(&chosen.address).is_some(), "who is dialled is in the book");
        }
        book.save(&path).expect("written");
        let (again, unusable) = AddressBook::load(&path, [2; 32], accept_local, NOW_S);
        assert!(unusable.is_none(), "what we wrote can be read");
        assert!(again.addresses().eq(book.addresses()) && again.counts() == book.counts(), "and is the same");
    }
    tidy(&path);
}

fn tidy(path: &std::path::Path) {
    for ending in ["", ".bad"] {
        let mut path = path.as_os_str().to_owned();
        path.push(ending);
        let _ = fs::remove_file(path);
    }
}
