//! Keys and values of the state's entries, byte for byte (S1 to S8), and what is none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dotp2p_chain::amount::Amount;
use dotp2p_chain::codec::DecodeError;
use dotp2p_chain::entry::{Account, CommitmentEntry, Entry, EntryKey, RewardEntry};
use dotp2p_chain::hash::{CommitmentHash, tag, to_hex};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;

/// One of each kind, with its key's bytes in hexadecimal.
fn keys() -> [(EntryKey, String); 5] {
    [
        (EntryKey::Account(PublicKey([0xab; 32])), format!("00{}", "ab".repeat(32))),
        (EntryKey::Name("alice".parse().unwrap()), "01616c696365".to_owned()),
        (EntryKey::Commitment(CommitmentHash([0xcd; 32])), format!("02{}", "cd".repeat(32))),
        (EntryKey::Reward(Height(0x0102_0304)), "0304030201".to_owned()),
        (EntryKey::Level, "04".to_owned()),
    ]
}

#[test]
fn s1_keys_are_kind_and_id() {
    for (key, hex) in keys() {
        let bytes = key.bytes();
        assert_eq!(to_hex(&bytes), hex);
        assert_eq!(EntryKey::from_bytes(&bytes), Some(key.clone()));
        assert_eq!(key.trie_key(), tag::KEY.hash(&[&bytes]), "S8");
        let (_, id) = bytes.split_first().unwrap();
        assert!(key.has_id(id) && !key.has_id(&bytes), "{hex}");
        if let EntryKey::Name(_) = key {
            assert_eq!(EntryKey::trie_key_of_name(id), key.trie_key());
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(EntryKey::from_bytes(&longer), None, "a byte more than {hex}");
        let (last, shorter) = bytes.split_last().unwrap();
        let found = EntryKey::from_bytes(shorter);
        match key {
            EntryKey::Name(_) => assert_eq!((*last, found), (b'e', Some(EntryKey::Name("alic".parse().unwrap())))),
            _ => assert_eq!(found, None, "a byte less than {hex}"),
        }
    }
    for bytes in [b"".as_slice(), b"\x01", b"\x01-a", b"\x05", b"\x05alice"] {
        assert_eq!(EntryKey::from_bytes(bytes), None, "{bytes:?}");
    }
}

#[test]
fn s2_to_s6_values_are_read_whole_and_by_their_kind() {
    let [(account, _), _, (commitment, _), (reward, _), (level, _)] = keys();
    let amount = Amount::from_atoms(0x0102);
    let values = [
        (
            &account,
            Entry::Account(Account { balance: amount, nonce: 3 }),
            "02010000000000000300000000000000".to_owned(),
        ),
        (
            &commitment,
            Entry::Commitment(CommitmentEntry { height: Height(5), level: 7 }),
            "050000000700000000000000".to_owned(),
        ),
        (
            &reward,
            Entry::Reward(RewardEntry { to: PublicKey([0xab; 32]), amount }),
            format!("{}0201000000000000", "ab".repeat(32)),
        ),
        (&level, Entry::Level(9), "0900000000000000".to_owned()),
    ];
    for (key, entry, hex) in values {
        let bytes = entry.encode();
        assert_eq!(to_hex(&bytes), hex);
        assert_eq!(entry.value_hash(), tag::VALUE.hash(&[&bytes]));
        assert_eq!(Entry::decode(key, &bytes), Ok(entry));
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(Entry::decode(key, &longer), Err(DecodeError::TrailingBytes(1)));
        let (_, shorter) = bytes.split_last().unwrap();
        assert!(matches!(Entry::decode(key, shorter), Err(DecodeError::Scale(_))));
    }
}
