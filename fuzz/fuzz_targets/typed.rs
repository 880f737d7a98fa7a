//! What people type: names in any script, addresses, amounts, hashes. Understood or refused, and what is understood is
//! understood the same way again.

#![no_main]

use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::{BlockHash, Txid, from_hex, to_hex};
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_fuzz::{Cost, check_error, text, within};
use dotp2p_registry::name_policy::{typed, unicode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(text) = text(data) {
        within(text.len(), Cost { per_byte: 64, cpu_ms: 300 }, || run(&text));
    }
});

fn run(text: &str) {
    match typed(text, "p2p") {
        Ok(it) => {
            let again = typed(it.name.as_str(), "p2p").expect("the label itself can be typed");
            assert_eq!((&again.name, &again.unicode, again.folded), (&it.name, &it.unicode, false), "and is the same");
            let read = typed(&it.unicode, "p2p").expect("what is shown can be typed");
            assert_eq!(read.name, it.name, "what is shown of {text:?} leads back");
            assert_eq!(unicode(&it.name), it.unicode);
            assert_eq!(typed(&format!("{}.p2p.", it.name), "p2p").map(|it| it.name).as_ref(), Ok(&it.name));
            it.warnings.iter().for_each(|warning| assert!(!warning.to_string().contains('\n')));
        }
        Err(error) => check_error(&error),
    }
    match text.parse::<Name>() {
        Ok(name) => assert_eq!(Name::from_bytes(name.as_bytes()).as_ref(), Ok(&name)),
        Err(error) => check_error(&error),
    }
    for prefix in ["p2p", "tp2p", "rp2p"] {
        match PublicKey::from_address(text, prefix) {
            Ok(key) => assert_eq!(key.address(prefix), text.to_ascii_lowercase(), "an address has one form (C8)"),
            Err(error) => check_error(&error),
        }
    }
    match text.parse::<Amount>() {
        Ok(amount) => assert_eq!(amount.to_string().parse(), Ok(amount)),
        Err(error) => check_error(&error),
    }
    if let Some(bytes) = from_hex(text) {
        assert_eq!(to_hex(&bytes), text.to_ascii_lowercase());
    }
    if let Ok(hash) = text.parse::<BlockHash>() {
        assert_eq!(hash.to_string(), text.to_ascii_lowercase());
    }
    if let Ok(txid) = text.parse::<Txid>() {
        assert_eq!(txid.to_string(), text.to_ascii_lowercase());
    }
}
