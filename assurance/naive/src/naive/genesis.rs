//! The chain id: B2, B4 to B7, B10.

use dotp2p_chain::params::Rules;

use super::bytes::{compact, sha256, tagged};
use super::state::State;

/// The genesis hash of a network, from its Rules alone (B5).
pub fn chain_id(rules: &Rules) -> [u8; 32] {
    let coinbase = [&[0; 32], [128].as_slice(), &tagged("rules", &encode(rules))].concat();
    let tx_root = sha256(&[&[0], coinbase.as_slice()].concat());
    let state_root = State::genesis().root();
    let commitment = tagged("commitment", &[[0; 4].as_slice(), &tx_root, &state_root, &[0; 32]].concat());
    let header = [
        [1, 0, 0, 0].as_slice(),
        &[0; 32],
        &commitment,
        &rules.genesis_time.to_le_bytes(),
        &rules.genesis_bits.to_consensus().to_le_bytes(),
        &[0; 8],
    ];
    sha256(&sha256(&header.concat()))
}

/// SCALE(Rules) (B2).
fn encode(rules: &Rules) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(rules.spacing.to_le_bytes());
    match rules.half_life {
        None => out.push(0),
        Some(seconds) => out.extend([[1].as_slice(), &seconds.to_le_bytes()].concat()),
    }
    out.extend(rules.limit_bits.to_consensus().to_le_bytes());
    out.extend(rules.body_max.to_le_bytes());
    out.extend(rules.subsidy.to_le_bytes());
    for number in [
        rules.halving_interval,
        rules.maturity,
        rules.age_min,
        rules.age_max,
        rules.commit_target,
        rules.commit_max,
        rules.year,
        rules.years_ahead,
        rules.grace,
    ] {
        out.extend(number.to_le_bytes());
    }
    out.extend(rules.premium_start.to_le_bytes());
    for number in [rules.halving_blocks, rules.halvings, rules.records_max] {
        out.extend(number.to_le_bytes());
    }
    out.extend(rules.id);
    out.extend(compact(rules.tld.len() as u64));
    out.extend(&rules.tld);
    out.extend(rules.genesis_time.to_le_bytes());
    out.extend(rules.genesis_bits.to_consensus().to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn b5_chain_ids() {
        let id = |name: &str| sha256(name.as_bytes()).first_chunk().copied().unwrap();
        let main = Rules::public(id("dotp2p/main"));
        assert_eq!(hex(&chain_id(&main)), "eaae5ed40509785af62c42f53cc4a5cd001e8d0f01501751a08704d9f952d67b");
        let regtest = Rules::regtest();
        assert_eq!(hex(&chain_id(&regtest)), "1d49b1e64ab3337b2290b28d8a95b1c9657c68f3c05fde555d1e7fc01661c21c");
    }
}
