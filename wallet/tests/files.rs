//! The wallet's files: made safely, never overwritten, and each bad one called what it is.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use common::{Net, keys};
use dotp2p_chain::params::Params;
use dotp2p_chain::records::EMPTY;
use dotp2p_wallet::{Phrase, Registration, Registrations, Request, Wallet, WordCount};
use tempfile::TempDir;

const PHRASE: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("regtest/wallet.json");
    (folder, path)
}

fn write_private(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn good() -> String {
    let chain_id = Params::regtest().chain_id;
    format!(r#"{{"version":1,"network":"regtest","chain_id":"{chain_id}","phrase":"{PHRASE}","next_index":1}}"#)
}

#[test]
fn made_opened_and_counted() {
    let (_folder, path) = folder();
    let params = Params::regtest();
    let mut wallet = Wallet::create(&path, &params, WordCount::TwentyFour, Some(1_793_491_200)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(wallet.first_address().starts_with("rp2p1"));
    let second = wallet.new_key().unwrap();
    let third = wallet.new_address().unwrap();
    let again = Wallet::open(&path, &params).unwrap();
    assert_eq!(again.handed_out().count(), 3, "an address is noted before it is told");
    assert_eq!((again.keys().get(1), again.address(&again.keys().get(2).unwrap())), (Some(second), third.clone()));
    assert_eq!(again.parse_address(&third).unwrap(), again.keys().get(2).unwrap());
    assert_eq!((again.phrase(), again.created()), (wallet.phrase(), Some(1_793_491_200)));
    // Word for word: any of a random phrase may be a part of another word.
    assert_eq!(
        format!("{wallet:?}"),
        format!("Wallet {{ path: {path:?}, keys: Keys {{ count: {}, .. }}, .. }}", wallet.keys().count())
    );
}

#[test]
fn errors_of_a_changed_file_are_one_line() {
    let (_folder, path) = folder();
    write_private(&path, good().replace("next_index", r"a\u0007b\n").as_bytes());
    let error = Wallet::open(&path, &Params::regtest()).unwrap_err().to_string();
    assert!(error.contains('\u{fffd}') && !error.contains(char::is_control), "{error:?}");
}

#[test]
fn never_overwritten() {
    let (_folder, path) = folder();
    let params = Params::regtest();
    let wallet = Wallet::create(&path, &params, WordCount::Twelve, None).unwrap();
    let shown = path.display();
    let message = format!("{shown} exists already and is not overwritten: move it away first");
    let phrase: Phrase = PHRASE.parse().unwrap();
    for result in
        [Wallet::create(&path, &params, WordCount::Twelve, None), Wallet::restore(&path, &params, &phrase, None)]
    {
        assert_eq!(result.unwrap_err().to_string(), message);
    }
    assert_eq!(wallet.backup(&path).unwrap_err().to_string(), message);
    let copy = path.with_file_name("copy.json");
    wallet.backup(&copy).unwrap();
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&path).unwrap());
    assert_eq!(Wallet::open(&copy, &params).unwrap().phrase(), wallet.phrase());
}

#[test]
fn a_restored_wallet_finds_the_keys_it_used() {
    let (_folder, path) = folder();
    let phrase: Phrase = PHRASE.parse().unwrap();
    let mut wallet = Wallet::restore(&path, &Params::regtest(), &phrase, None).unwrap();
    wallet.new_key().unwrap();
    let used = dotp2p_wallet::Keys::new(&phrase.seed(), 60).unwrap();
    let used = [used.get(0).unwrap(), used.get(15).unwrap(), used.get(33).unwrap(), used.get(55).unwrap()];
    assert_eq!(wallet.discover(|key| used.contains(key)).unwrap(), 34, "55 is more than 20 beyond 33");
    let wallet = Wallet::open(&path, &Params::regtest()).unwrap();
    assert_eq!((wallet.handed_out().count(), wallet.keys().count()), (34, 54));
}

#[test]
fn bad_files() {
    let advice = "restore a backup of it, or the seed phrase with `dotp2p wallet restore`";
    let main = Params::main().chain_id;
    let ours = Params::regtest().chain_id;
    let cases: Vec<(Vec<u8>, String)> = vec![
        (vec![], format!("P is cut off at line 1, column 0: {advice}")),
        (good().as_bytes()[..60].to_vec(), format!("P is cut off at line 1, column 60: {advice}")),
        (
            good().as_bytes()[..good().len() - 1].to_vec(),
            format!("P is cut off at line 1, column {}: {advice}", good().len() - 1),
        ),
        (b"\xff\xfe\x00 garbage".to_vec(), format!("P is damaged at line 1, column 1: {advice}")),
        (format!("{}x", good()).into_bytes(), format!("P is damaged at line 1, column {}: {advice}", good().len() + 1)),
        (b"[]".to_vec(), "P, line 1: a value is not of the right kind".to_owned()),
        (b"{}".to_vec(), "P, line 1: missing field `version`".to_owned()),
        (
            good().replace("\"version\":1", "\"version\":2").into_bytes(),
            "P has version 2, this release reads version 1: use the release that wrote it".to_owned(),
        ),
        (
            good().replace("\"version\":1", "\"version\":2,\"cipher\":\"age\"").into_bytes(),
            "P has version 2, this release reads version 1: use the release that wrote it".to_owned(),
        ),
        (
            good().replace("\"regtest\"", "\"main\"").into_bytes(),
            "P belongs to network \"main\", not to \"regtest\"".to_owned(),
        ),
        (
            good().replace(&ours.to_string(), &main.to_string()).into_bytes(),
            format!("P belongs to another chain named \"regtest\": its chain id is {main}, expected {ours}"),
        ),
        (
            good().replace(&ours.to_string(), PHRASE).into_bytes(),
            format!("P: its chain_id is not 64 hexadecimal digits: {advice}"),
        ),
        (
            good().replace("\"regtest\"", &format!("\"{PHRASE}\"")).into_bytes(),
            format!("P: its network is not the name of one: {advice}"),
        ),
        (
            good().replace("\"next_index\"", "\"nextIndex\"").into_bytes(),
            "P, line 1: unknown field `nextIndex`, expected one of `version`, `network`, `chain_id`, `phrase`, \
             `next_index`, `created`"
                .to_owned(),
        ),
        (good().replace(",\"next_index\":1", "").into_bytes(), "P, line 1: missing field `next_index`".to_owned()),
        (
            good().replace("\"next_index\":1", &format!("\"next_index\":\"{PHRASE}\"")).into_bytes(),
            "P, line 1: a value is not of the right kind".to_owned(),
        ),
        (
            good().replace("abandon about", "about").into_bytes(),
            "P: a seed phrase has 12 or 24 words, this one has 11".to_owned(),
        ),
        (
            good().replace("about", "abuot").into_bytes(),
            "P: word 12 of the seed phrase, \"abuot\", is not in the BIP 39 list of English words".to_owned(),
        ),
        (
            good().replace("about", "zoo").into_bytes(),
            "P: the seed phrase's checksum is wrong: every word exists, but one is not the right one or two are \
             exchanged"
                .to_owned(),
        ),
        (vec![b' '; 70_000], "P has 70000 bytes, at most 65536 are expected".to_owned()),
    ];
    let (_folder, path) = folder();
    for (content, message) in cases {
        write_private(&path, &content);
        let error = Wallet::open(&path, &Params::regtest()).unwrap_err().to_string();
        assert_eq!(error.replace(&path.display().to_string(), "P"), message);
        assert_eq!(fs::read(&path).unwrap(), content, "and it is left as it is");
    }
    write_private(&path, good().as_bytes());
    assert_eq!(Wallet::open(&path, &Params::regtest()).unwrap().phrase().as_str(), PHRASE);
}

#[test]
fn files_in_the_open_are_refused() {
    let (_folder, path) = folder();
    let params = Params::regtest();
    let open = || Wallet::open(&path, &params).unwrap_err().to_string().replace(&path.display().to_string(), "P");
    assert_eq!(open(), "P does not exist");
    write_private(&path, good().as_bytes());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(open(), "P can be read by others (mode 0644): run `chmod 600 P`");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let real = path.with_file_name("real.json");
    fs::rename(&path, &real).unwrap();
    symlink(&real, &path).unwrap();
    assert_eq!(open(), "P is a symbolic link: give the path of the file itself");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(open(), "P is not a file");
}

#[test]
fn registrations_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registrations.json");
    let (mut net, keys) = (Net::new(3, 10), keys(1));
    net.give(keys.first(), 5);
    let params = Params::regtest();
    let mut all = Registrations::open(&path, &params).unwrap();
    assert_eq!((all.iter().count(), path.exists()), (0, false));
    let name: dotp2p_chain::name::Name = "alice".parse().unwrap();
    let request = Request { name: name.clone(), owner: None, records: EMPTY.to_vec(), years: 1, limit: None };
    let mut alice = Registration::begin(request.clone(), &net, &keys).unwrap();
    alice.next(&net, &keys);
    assert!(all.add(alice.clone()));
    assert!(!all.add(alice.clone()), "one a name");
    all.save().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let mut again = Registrations::open(&path, &params).unwrap();
    assert_eq!(again.find(&name), Some(&alice), "word for word");
    assert_eq!(again.under_way().collect::<Vec<_>>(), [(&name, keys.first())]);
    assert!(again.remove(&name) && !again.remove(&name));

    // Without the checksum, as if it were made by hand.
    let text = fs::read_to_string(&path).unwrap();
    let text = format!("{}\n}}\n", text.split_once(",\n  \"checksum\"").unwrap().0);
    for (content, message) in [
        (text.replace("\"years\"", "\"yaers\""), "unknown field `yaers`"),
        (text[..text.len() / 2].to_owned(), "is cut off at line"),
        (text.replace("\"version\": 1", "\"version\": 7"), "has version 7"),
        (text.replace("\"alice\"", "\"al_ce\""), "a value is not of the right kind"),
    ] {
        fs::write(&path, content).unwrap();
        let error = Registrations::open(&path, &params).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(
        Registrations::open(&path, &params)
            .unwrap_err()
            .to_string()
            .ends_with(&format!("`chmod 600 {}`", path.display()))
    );
}

/// A word of the phrase turned into another of the list passes the phrase's own checksum one time in sixteen.
#[test]
fn a_flipped_bit_is_never_another_key() {
    let (_folder, path) = folder();
    let params = Params::regtest();
    let wallet = Wallet::create(&path, &params, WordCount::Twelve, Some(1_793_491_200)).unwrap();
    let written = fs::read(&path).unwrap();
    for at in 0..written.len() {
        for bit in 0..8 {
            let mut bytes = written.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            match Wallet::open(&path, &params) {
                // A space after the last brace.
                Ok(opened) => assert_eq!((at, opened.phrase()), (written.len() - 1, wallet.phrase())),
                Err(error) => assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}"),
            }
            assert_eq!(fs::read(&path).unwrap(), bytes, "and it is left as it is");
        }
    }
    for len in 0..written.len() - 1 {
        fs::write(&path, &written[..len]).unwrap();
        assert!(Wallet::open(&path, &params).unwrap_err().to_string().contains("is cut off"), "{len} bytes");
    }
    let mut changed = String::from_utf8(written).unwrap();
    changed = changed.replace("\"next_index\": 1", "\"next_index\": 7");
    fs::write(&path, changed).unwrap();
    let said = Wallet::open(&path, &params).unwrap_err().to_string();
    let advice = "restore a backup of it, or the seed phrase with `dotp2p wallet restore`";
    let shown = path.display();
    assert_eq!(said, format!("{shown} was changed since it was written, its checksum is wrong: {advice}"));
}

/// Opening derives every key that was handed out: 2^32 of them took days.
#[test]
fn a_wallet_of_endless_keys_is_refused() {
    let (_folder, path) = folder();
    let params = Params::regtest();
    drop(Wallet::create(&path, &params, WordCount::Twelve, None).unwrap());
    let text = fs::read_to_string(&path).unwrap();
    let by_hand = format!("{}\n}}\n", text.split_once(",\n  \"checksum\"").unwrap().0);
    for found in [10_001, u32::MAX] {
        fs::write(&path, by_hand.replace("\"next_index\": 1", &format!("\"next_index\": {found}"))).unwrap();
        let said = Wallet::open(&path, &params).unwrap_err().to_string();
        let advice = "a wallet hands out at most 10000 keys: use an address again, or restore a backup";
        assert_eq!(said, format!("{}: next_index is {found}, {advice}", path.display()));
    }
}
