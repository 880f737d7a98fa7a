#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::fake::domain;

const NOW: u64 = 1_800_000_000;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn create(dir: &Path, algorithm: Algorithm) -> KeyFile {
    KeyFile::load_or_create(dir, algorithm, &domain("p2p.")).unwrap()
}

fn tags(file: &KeyFile) -> Vec<u16> {
    file.anchors().map(DnsKey::tag).collect()
}

#[test]
fn made_once() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(KeyFile::load(dir.path()), Err(KeyFileError::Missing(_))));
    let made = create(dir.path(), Algorithm::EcdsaP256);
    assert_eq!((mode(&dir.path().join(KEY_FILE)), mode(&dir.path().join(ANCHOR_FILE))), (0o600, 0o644));
    let again = create(dir.path(), Algorithm::Ed25519);
    assert_eq!(tags(&made), tags(&again), "the key that is there stays");
    assert_eq!(again.lasting().algorithm(), Algorithm::EcdsaP256);
    let other = tempfile::tempdir().unwrap();
    assert_eq!(create(other.path(), Algorithm::Ed25519).lasting().algorithm().number(), 15);
}

#[test]
fn the_anchors_are_lines_of_a_zone_file() {
    let dir = tempfile::tempdir().unwrap();
    let made = create(dir.path(), Algorithm::Ed25519);
    let path = dir.path().join(ANCHOR_FILE);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    let tag = made.lasting().tag().to_string();
    assert!(matches!(&lines[0][..], ["p2p.", "IN", "DS", it, "15", "2", digest] if *it == tag && digest.len() == 64));
    assert!(matches!(&lines[1][..], ["p2p.", "IN", "DNSKEY", "257", "3", "15", key] if key.len() == 44));
    assert_eq!(lines.len(), 2);
    fs::remove_file(&path).unwrap();
    create(dir.path(), Algorithm::Ed25519);
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "it comes back");
}

#[test]
fn what_others_may_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), Algorithm::EcdsaP256);
    let path = dir.path().join(KEY_FILE);
    for bits in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        let error = KeyFile::load_or_create(dir.path(), Algorithm::EcdsaP256, &domain("p2p.")).unwrap_err().to_string();
        let shown = path.display();
        assert_eq!(
            error,
            format!(
                "{shown} can be used by others (mode {bits:04o}): `chmod 600 {shown}`, and, if somebody may have read it, roll \
                the key: `dotp2p dns key roll`"
            )
        );
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(KeyFile::load(dir.path()).is_ok());
}

#[test]
fn a_damaged_file_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), Algorithm::EcdsaP256);
    begin_roll(dir.path(), Algorithm::Ed25519, &domain("p2p."), NOW).unwrap();
    finish_roll(dir.path(), &domain("p2p."), NOW, true).unwrap();
    begin_roll(dir.path(), Algorithm::EcdsaP256, &domain("p2p."), NOW).unwrap();
    let path = dir.path().join(KEY_FILE);
    let good = fs::read(&path).unwrap();
    let mut cases: Vec<Vec<u8>> = (0..good.len() - 1).step_by(7).map(|len| good[..len].to_vec()).collect();
    cases.push(vec![0xff; 10]);
    cases.push(String::from_utf8(good.clone()).unwrap().replace("\"version\": 1", "\"version\": 2").into());
    cases.push(String::from_utf8(good.clone()).unwrap().replace("pkcs8", "pkcs9").into());
    cases.push(String::from_utf8(good.clone()).unwrap().replace("\"ed25519\"", "\"rsa\"").into());
    cases.push(b"{\"version\":1,\"keys\":[]}".to_vec());
    for case in cases {
        fs::write(&path, &case).unwrap();
        let shown = String::from_utf8_lossy(&case);
        for error in [
            KeyFile::load_or_create(dir.path(), Algorithm::EcdsaP256, &domain("p2p.")).unwrap_err(),
            begin_roll(dir.path(), Algorithm::EcdsaP256, &domain("p2p."), NOW).unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.starts_with(&format!("{} is damaged: ", path.display())), "{error}: {shown}");
            assert!(!error.contains('\n'), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), case, "it was not touched");
    }
}

#[test]
fn no_flipped_bit_gives_another_key() {
    let dir = tempfile::tempdir().unwrap();
    let tag = tags(&create(dir.path(), Algorithm::EcdsaP256));
    let path = dir.path().join(KEY_FILE);
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        if let Ok(file) = KeyFile::load(dir.path()) {
            assert_eq!(tags(&file), tag, "byte {at}");
        }
    }
}

#[test]
fn a_roll() {
    let (dir, apex) = (tempfile::tempdir().unwrap(), domain("p2p."));
    let error = begin_roll(dir.path(), Algorithm::EcdsaP256, &apex, NOW).unwrap_err().to_string();
    assert!(error.starts_with("there is no zone key "), "{error}");
    let [first] = tags(&create(dir.path(), Algorithm::EcdsaP256))[..] else { panic!("one key") };
    let error = finish_roll(dir.path(), &apex, NOW, false).unwrap_err().to_string();
    assert_eq!(error, "no roll is running, so there is none to finish: begin one with `dotp2p dns key roll`");

    let rolling = begin_roll(dir.path(), Algorithm::EcdsaP256, &apex, NOW).unwrap();
    let [_, second] = tags(&rolling)[..] else { panic!("two keys") };
    assert_eq!((rolling.lasting().tag(), rolling.roll_began()), (second, Some(NOW)));
    assert_eq!(mode(&dir.path().join(KEY_FILE)), 0o600);
    let text = fs::read_to_string(dir.path().join(ANCHOR_FILE)).unwrap();
    assert_eq!(text.lines().count(), 4);
    let error = begin_roll(dir.path(), Algorithm::Ed25519, &apex, NOW).unwrap_err().to_string();
    assert!(error.starts_with(&format!("a roll to key {second} is running already")), "{error}");

    let error = finish_roll(dir.path(), &apex, NOW + 3_599, false).unwrap_err().to_string();
    assert!(error.starts_with("the roll began 3599 s ago") && error.contains("wait 1 s"), "{error}");
    assert_eq!(tags(&KeyFile::load(dir.path()).unwrap()), [first, second]);
    let done = finish_roll(dir.path(), &apex, NOW + 3_600, false).unwrap();
    assert_eq!((tags(&done), done.roll_began()), (vec![second], None));
    let published = |at| done.published(at).map(DnsKey::tag).collect::<Vec<_>>();
    let gone = NOW + 3_600 + RETIRED_S;
    assert_eq!((published(gone - 1), published(gone)), (vec![second, first], vec![second]));
    assert_eq!((done.changes_at(gone - 1), done.changes_at(gone)), (Some(gone), None));
    let text = fs::read_to_string(dir.path().join(ANCHOR_FILE)).unwrap();
    assert!(text.starts_with(&format!("p2p. IN DS {second} 13 2 ")) && text.lines().count() == 2, "{text}");
    let text = fs::read_to_string(dir.path().join(KEY_FILE)).unwrap();
    assert_eq!(text.matches("pkcs8").count(), 1, "the old secret is gone");

    let again = begin_roll(dir.path(), Algorithm::EcdsaP256, &apex, gone).unwrap();
    assert_eq!(again.published(gone).count(), 2, "the retired one is dropped");
    assert!(!fs::read_to_string(dir.path().join(KEY_FILE)).unwrap().contains("until"));
}

/// RFC 4035 2.2: a zone has signatures of every algorithm that its keys have.
#[test]
fn a_key_of_another_algorithm_is_gone_when_its_signatures_are() {
    let (dir, apex) = (tempfile::tempdir().unwrap(), domain("p2p."));
    create(dir.path(), Algorithm::EcdsaP256);
    let rolling = begin_roll(dir.path(), Algorithm::Ed25519, &apex, NOW).unwrap();
    let done = finish_roll(dir.path(), &apex, NOW + 3_600, false).unwrap();
    let published: Vec<u16> = done.published(NOW + 3_600).map(DnsKey::tag).collect();
    assert_eq!(published, [rolling.lasting().tag()]);
    assert_eq!(done.changes_at(NOW + 3_600), None);
}

#[test]
fn two_rolls_at_once_are_one() {
    let (dir, apex) = (tempfile::tempdir().unwrap(), domain("p2p."));
    create(dir.path(), Algorithm::Ed25519);
    let began = std::thread::scope(|scope| {
        let roll = || begin_roll(dir.path(), Algorithm::Ed25519, &apex, NOW).is_ok();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(roll)).collect();
        threads.into_iter().map(|it| it.join().unwrap()).filter(|done| *done).count()
    });
    assert_eq!(began, 1);
}

/// What an interrupted write leaves beside the file is in nobody's way.
#[test]
fn a_leftover() {
    let (dir, apex) = (tempfile::tempdir().unwrap(), domain("p2p."));
    fs::write(dir.path().join("dnssec.key.new"), "half").unwrap();
    create(dir.path(), Algorithm::Ed25519);
    fs::write(dir.path().join("dnssec.key.new"), "half").unwrap();
    begin_roll(dir.path(), Algorithm::Ed25519, &apex, NOW).unwrap();
    assert!(!dir.path().join("dnssec.key.new").exists());
}
