//! What the database holds: keys, rows, entries and undo records. What decodes has no other bytes.
//!
//! The first byte is the length of the key.

#![no_main]

use dotp2p_chain::entry::{Entry, EntryKey};
use dotp2p_fuzz::{Cost, check_error, within};
use dotp2p_registry::row::Row;
use dotp2p_registry::state_tree::Leaf;
use dotp2p_registry::store::{decode_undo, encode_undo};
use dotp2p_registry::view::Change;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    within(data.len(), Cost { per_byte: 16, cpu_ms: 50 }, || run(data));
});

fn run(data: &[u8]) {
    if let Some(prior) = decode_undo(data) {
        let changes: Vec<Change> = prior
            .into_iter()
            .map(|(key, before)| {
                let before = before.map(|row| Leaf::of(&key, &row));
                Change { trie_key: key.trie_key(), key, before, after: None }
            })
            .collect();
        assert_eq!(encode_undo(&changes), data, "an undo has one form");
    }
    let Some((len, rest)) = data.split_first() else { return };
    let Some((key, value)) = rest.split_at_checked((*len).into()) else { return };
    let Some(key) = EntryKey::from_bytes(key) else { return };
    assert_eq!(key.bytes(), rest[..usize::from(*len)], "a key has one form");
    match Row::decode(&key, value) {
        Ok(row) => {
            assert_eq!(row.encode(), value, "a row has one form");
            assert_eq!(row.to_entry().encode(), row.value(), "its entry is its value");
            assert_eq!(Entry::decode(&key, &row.value()).as_ref(), Ok(&row.to_entry()));
        }
        Err(error) => check_error(&error),
    }
    match Entry::decode(&key, value) {
        Ok(entry) => {
            assert_eq!(entry.encode(), value, "an entry has one form");
        }
        Err(error) => check_error(&error),
    }
}
