//! Rules in SCALE: one form; those that pass B3 make a network on which no price, stage or subsidy goes wrong.

#![no_main]

use dotp2p_chain::amount::Amount;
use dotp2p_chain::codec::decode_all;
use dotp2p_chain::entry::{LEVEL_START, NameEntry, Stage};
use dotp2p_chain::hash::RecordsHash;
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_fuzz::{Cost, check_error, within};
use dotp2p_registry::price::{claim_burn, next_level, premium};
use libfuzzer_sys::fuzz_target;
use parity_scale_codec::{Decode, Encode};

fuzz_target!(|data: &[u8]| {
    within(data.len(), Cost { per_byte: 16, cpu_ms: 50 }, || run(data));
});

/// Bytes before the rules: two heights, a level, a number of Commits.
const FRONT: usize = 4 + 4 + 8 + 4;

fn run(data: &[u8]) {
    let Some((mut front, bytes)) = data.split_at_checked(FRONT) else { return };
    let rules = match decode_all(bytes, |input| Ok(Rules::decode(input)?)) {
        Ok(rules) => rules,
        Err(error) => return check_error(&error),
    };
    assert_eq!(rules.encode(), bytes, "rules have one form");
    if let Err(error) = rules.check() {
        check_error(&error);
        assert!(Params::new(rules, Params::regtest().deployment).is_err(), "no network of bad rules");
        return;
    }
    let params = Params::new(rules, Params::regtest().deployment).expect("good rules make a network");
    let rules = &params.rules;
    assert_eq!(params.genesis.hash().0, params.chain_id.0);
    let (expires, at, level, commits) = <(u32, u32, u64, u32)>::decode(&mut front).expect("as many bytes");
    let level = level.clamp(LEVEL_START, 1_000_000 * LEVEL_START);
    let next = next_level(level, commits.min(rules.commit_max), rules);
    assert!((LEVEL_START..=1_000_000 * LEVEL_START).contains(&next), "a level within its bounds: {next}");
    assert!(rules.subsidy_at(Height(at)) <= Amount::from_atoms(rules.subsidy));
    assert!(at == 0 || rules.subsidy_at(Height(at)) >= rules.subsidy_at(Height(at.saturating_add(1))), "it falls");
    let entry = NameEntry {
        owner: PublicKey([1; 32]),
        manager: None,
        recovery: None,
        since: Height(0),
        expires: Height(expires),
        records: RecordsHash::ZERO,
        offer: None,
    };
    let asked = premium(Some(&entry), Height(at), rules);
    assert!(asked <= Amount::from_atoms(rules.premium_start), "the premium starts at its most");
    if Stage::of(entry.expires, Height(at), rules) != Stage::Released {
        assert_eq!(asked, Amount::ZERO, "only a released name has one");
    } else if at < u32::MAX {
        assert!(premium(Some(&entry), Height(at + 1), rules) <= asked, "the premium falls");
    }
    let name = "alice".parse().expect("a name");
    assert!(claim_burn(&name, level, asked).is_none_or(|burn| burn >= asked), "at least the premium");
}
