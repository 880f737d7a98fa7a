//! Bans come, hold, end, and survive in a file.

use super::*;
use proptest::prelude::*;

const NOW: u64 = 1_700_000_000;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn subject(text: &str) -> Subject {
    text.parse().unwrap()
}

fn peer() -> PeerId {
    PeerId::new(&[0xab; 38]).unwrap()
}

#[test]
fn set_list_and_remove_as_bitcoind_does() {
    let mut bans = Bans::new();
    let ban = bans.add(subject("8.8.0.0/16"), Term::Default, "noise", NOW).unwrap();
    assert_eq!((ban.created_s, ban.until_s, ban.origin), (NOW, NOW + 86_400, Origin::Manual));
    bans.add(subject("8.8.4.4"), Term::For(60), "more noise", NOW).unwrap();
    bans.add(subject("2a00::/32"), Term::Until(NOW + 100), "", NOW).unwrap();
    let reason = |bans: &Bans, text, now_s| bans.is_banned(ip(text), now_s).map(|ban| ban.reason.clone());
    assert_eq!(reason(&bans, "8.8.4.4", NOW).as_deref(), Some("more noise"), "the narrowest");
    assert_eq!(reason(&bans, "::ffff:8.8.4.4", NOW).as_deref(), Some("more noise"));
    assert_eq!(reason(&bans, "8.8.4.4", NOW + 60).as_deref(), Some("noise"), "over at its end");
    assert_eq!(reason(&bans, "8.9.4.4", NOW), None);
    assert!(bans.is_banned(ip("2a00::5"), NOW + 99).is_some() && bans.is_banned(ip("2a00::5"), NOW + 100).is_none());
    let listed: Vec<_> = bans.list(NOW).map(|ban| ban.subject.to_string()).collect();
    assert_eq!(listed, ["8.8.0.0/16", "8.8.4.4", "2a00::/32"]);
    assert_eq!(bans.expire(NOW + 100), 2);
    assert!(!bans.remove(&subject("8.8.4.4")) && bans.remove(&subject("8.8.0.0/16")));
    assert_eq!(bans, Bans::new());
}

#[test]
fn refused() {
    let mut bans = Bans::new();
    let over = BanError::Over { until_s: NOW, now_s: NOW };
    assert_eq!(bans.add(subject("8.8.8.8"), Term::Until(NOW), "", NOW), Err(over.clone()));
    assert_eq!(bans.add(subject("8.8.8.8"), Term::For(0), "", NOW), Err(over));
    for text in ["", "8.8", "8.8.8.8/33", "xyz", "8.8.8.8:1"] {
        assert_eq!(text.parse::<Subject>(), Err(BanError::Subject(text.to_owned())));
    }
    let ban = bans.add(subject("8.8.8.8"), Term::For(u64::MAX), &"é\n".repeat(300), NOW).unwrap();
    assert_eq!((ban.until_s, ban.reason), (u64::MAX, "é".repeat(128)));
}

#[test]
fn an_automatic_ban_takes_what_the_operator_cannot_change_and_spares_the_neighbours() {
    for (address, expected) in [
        ("8.8.8.8", vec!["8.8.8.8"]),
        ("2a00:1:2:3::4", vec!["2a00:1:2:3::/64"]),
        ("192.168.1.2", vec!["192.168.1.2"]),
        ("fd00::1", vec!["fd00::1"]),
        ("127.0.0.1", vec![]),
        ("::1", vec![]),
    ] {
        let mut bans = Bans::new();
        let banned = bans.add_automatic(ip(address), None, NOW + 9, "flood", NOW);
        assert_eq!(banned.iter().map(|ban| ban.subject.to_string()).collect::<Vec<_>>(), expected, "{address}");
        let banned = bans.add_automatic(ip(address), Some(&peer()), NOW + 9, "flood", NOW);
        assert_eq!(banned.len(), 1, "the address is banned already");
        assert!(bans.is_peer_banned(&peer(), NOW + 8).is_some() && bans.is_peer_banned(&peer(), NOW + 9).is_none());
    }
}

#[test]
fn a_manual_ban_is_neither_shortened_nor_dropped() {
    let mut bans = Bans::new();
    bans.add(subject("8.8.8.8"), Term::For(10), "by hand", NOW).unwrap();
    assert_eq!(bans.add_automatic(ip("8.8.8.8"), None, NOW + 100, "flood", NOW), []);
    for number in 0..3_000_u32 {
        bans.add_automatic(
            IpAddr::V4((0x0900_0000 + number).into()),
            None,
            NOW + 50,
            "flood",
            NOW + u64::from(number) / 1_000,
        );
    }
    assert_eq!(bans.list(NOW).count(), AUTOMATIC_MAX + 1);
    assert!(bans.is_banned(ip("8.8.8.8"), NOW + 9).is_some());
    assert!(bans.is_banned(ip("9.0.0.1"), NOW + 9).is_none(), "the oldest went");
    assert!(bans.is_banned(IpAddr::V4((0x0900_0000 + 2_999).into()), NOW + 9).is_some());
    for number in 1..MANUAL_MAX {
        bans.add(subject(&format!("10.0.{}.{}", number / 256, number % 256)), Term::Default, "", NOW).unwrap();
    }
    assert_eq!(bans.add(subject("7.7.7.7"), Term::Default, "", NOW), Err(BanError::Full));
    bans.add(subject("8.8.8.8"), Term::Default, "again", NOW).unwrap();
}

#[test]
fn the_file_can_be_read_by_people() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bans.json");
    assert_eq!(Bans::load(&path, NOW).0, Bans::new());
    let mut bans = Bans::new();
    bans.add(subject("8.8.0.0/16"), Term::For(5), "noise", NOW).unwrap();
    bans.add_automatic(ip("127.0.0.1"), Some(&PeerId::new(&[0xab, 0xcd]).unwrap()), NOW + 9, "invalid work", NOW);
    bans.save(&path).unwrap();
    let expected = r#"{
  "version": 1,
  "bans": [
    {
      "subject": "8.8.0.0/16",
      "reason": "noise",
      "created": 1700000000,
      "until": 1700000005,
      "manual": true
    },
    {
      "subject": "abcd",
      "reason": "invalid work",
      "created": 1700000000,
      "until": 1700000009,
      "manual": false
    }
  ]
}
"#;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    assert_eq!(Bans::load(&path, NOW).0, bans);
    assert_eq!(Bans::load(&path, NOW + 5).0.list(0).count(), 1, "what is over is left out");
    for damage in
        [&expected[..50], &expected.replace("8.8.0.0/16", "8.8.0.0/99"), &expected.replace("abcd", "8.8.0.0/16")]
    {
        std::fs::write(&path, damage).unwrap();
        let (none, told) = Bans::load(&path, NOW);
        assert_eq!(none, Bans::new());
        let told = told.unwrap().to_string();
        assert!(told.contains("bans.json.bad; nobody is banned"), "{told}");
        assert!(!path.exists());
    }
}

proptest! {
    #[test]
    fn bounded_and_read_back(
        steps in prop::collection::vec((any::<bool>(), any::<IpAddr>(), 0_u8..=32, 1_u64..100, ".{0,300}"), 0..40),
    ) {
        let mut bans = Bans::new();
        for (manual, ip, bits, seconds, reason) in steps {
            if manual {
                bans.add(Subject::Net(Subnet::new(ip, bits).unwrap()), Term::For(seconds), &reason, NOW).unwrap();
            } else {
                bans.add_automatic(ip, Some(&peer()), NOW + seconds, &reason, NOW);
            }
            if manual || NetGroup::of(ip) != NetGroup::Local(LocalNet::Loopback) {
                prop_assert!(bans.is_banned(ip, NOW).is_some());
            }
        }
        prop_assert_eq!(Bans::from_json(&bans.to_json(), NOW), Ok(bans.clone()));
    }
}
