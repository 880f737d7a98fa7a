//! The wallet's files, `wallet.json` and `registrations.json`: opened or refused, the phrase in no error, and what is
//! written again is the same.

#![no_main]

use std::fs;

use dotp2p_fuzz::networks::regtest;
use dotp2p_fuzz::{Cost, check_error, private_file, within};
use dotp2p_wallet::{Registrations, Wallet};
use libfuzzer_sys::fuzz_target;

/// Of the seeds' phrases; a single word that is in no list may be named, two never.
const SECRETS: [&str; 2] = ["abandon abandon", "legal winner"];

fuzz_target!(|data: &[u8]| {
    within(data.len(), Cost { per_byte: 64, cpu_ms: 500 }, || run(data));
});

fn run(data: &[u8]) {
    let path = private_file("wallet.json", data);
    match Wallet::open(&path, regtest()) {
        Ok(wallet) => {
            let copy = path.with_extension("copy");
            let _ = fs::remove_file(&copy);
            wallet.backup(&copy).expect("written");
            let again = Wallet::open(&copy, regtest()).expect("what we wrote can be read");
            assert_eq!((again.phrase(), again.created()), (wallet.phrase(), wallet.created()));
            assert_eq!(again.keys().all(), wallet.keys().all());
            assert!(again.handed_out().eq(wallet.handed_out()));
        }
        Err(error) => {
            check_error(&error);
            let (text, elsewhere) = (error.to_string(), all_but_the_phrase(data));
            let told = SECRETS.into_iter().any(|secret| text.contains(secret) && !elsewhere.contains(secret));
            assert!(!told, "an error tells the phrase: {text}");
        }
    }
    let path = private_file("registrations.json", data);
    match Registrations::open(&path, regtest()) {
        Ok(all) => {
            all.save().expect("written");
            let again = Registrations::open(&path, regtest()).expect("what we wrote can be read");
            assert!(again.iter().eq(all.iter()), "and is the same");
            for (name, owner) in all.under_way() {
                let found = all.find(name).expect("it is there");
                assert!(!found.is_over() && !found.name().as_str().is_empty());
                let _ = (owner, found.records(), found.step(), found.error());
            }
        }
        Err(error) => check_error(&error),
    }
}

/// The names of the file's fields and what else an error may tell, where a mutation may have put the phrase too.
fn all_but_the_phrase(data: &[u8]) -> String {
    // Not every file that a wallet reads is a Value: a number that is too large stands where nobody looks at it.
    let Ok(mut file) = serde_json::from_slice::<serde_json::Value>(data) else {
        return String::from_utf8_lossy(data).into_owned();
    };
    if let Some(fields) = file.as_object_mut() {
        fields.remove("phrase");
    }
    file.to_string()
}
