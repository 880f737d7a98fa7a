//! Bytes for an Update: records, and what is nearly records.

use dotp2p_chain::params::Rules;
use fastrand::Rng;

/// Bytes that may be allowed for a name of `name_len` bytes.
pub fn any(rng: &mut Rng, name_len: usize, rules: &Rules) -> Vec<u8> {
    match rng.u8(0..24) {
        0 => return (0..rng.usize(0..20)).map(|_| rng.u8(..)).collect(),
        1 => return Vec::new(),
        2..=5 => return vec![1, 0],
        _ => {}
    }
    let mut bytes = match rng.u8(0..24) {
        0..=2 => of_length(rng, rules),
        3 | 4 => long_owner(rng, name_len, rules.tld.len()),
        _ => several(rng),
    };
    if rng.u8(0..6) == 0 {
        damage(rng, &mut bytes);
    }
    bytes
}

fn damage(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = rng.usize(0..bytes.len().max(1));
    match rng.u8(0..4) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, rng.u8(..)),
        2 => bytes.push(0),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = if rng.bool() { rng.u8(..) } else { *byte ^ (1 << rng.u8(0..8)) };
            }
        }
    }
}

/// A few RRsets in order, with owners and types so few that some repeat.
fn several(rng: &mut Rng) -> Vec<u8> {
    const LABELS: [&str; 6] = ["a", "b", "ab", "\0.", "A", "\u{7f}"];
    const TYPES: [u32; 14] = [1, 2, 5, 6, 16, 24, 30, 41, 46, 52, 127, 128, 256, 65_535];
    let mut sets: Vec<(Vec<&str>, u32, Vec<u8>)> = (0..rng.usize(1..4))
        .map(|_| {
            // What no set may have comes seldom, or no set would be allowed.
            let label = |rng: &mut Rng| LABELS.get(if rng.u8(0..16) == 0 { 4 } else { rng.usize(0..4) }).copied();
            let mut owner: Vec<&str> = (0..rng.usize(0..3)).filter_map(|_| label(rng)).collect();
            owner.reverse();
            let rtype = if rng.u8(0..8) == 0 { rng.choice(TYPES) } else { rng.choice([1, 2, 5, 16, 52, 127, 256]) };
            (owner, rtype.unwrap_or(1), rdatas(rng))
        })
        .collect();
    if rng.u8(0..8) != 0 {
        sets.sort();
        sets.dedup_by(|a, b| (&a.0, a.1) == (&b.0, b.1));
    }
    let mut out = vec![1];
    compact(&mut out, sets.len());
    for (owner, rtype, rdatas) in sets {
        compact(&mut out, owner.len());
        for label in owner.into_iter().rev() {
            compact(&mut out, label.len());
            out.extend(label.as_bytes());
        }
        compact(&mut out, rtype as usize);
        let ttl = if rng.u8(0..8) == 0 { rng.choice([0, 1 << 30, (1 << 31) - 1, 1 << 31]) } else { Some(300) };
        compact(&mut out, ttl.unwrap_or(0));
        out.extend(rdatas);
    }
    out
}

fn rdatas(rng: &mut Rng) -> Vec<u8> {
    let mut rdatas: Vec<Vec<u8>> = (0..rng.usize(1..3)).map(|_| vec![rng.u8(0..3); rng.usize(0..3)]).collect();
    if rng.u8(0..8) != 0 {
        rdatas.sort();
        rdatas.dedup();
    }
    if rng.u8(0..24) == 0 {
        rdatas.clear();
    }
    let mut out = Vec::new();
    compact(&mut out, rdatas.len());
    for rdata in rdatas {
        compact(&mut out, rdata.len());
        out.extend(rdata);
    }
    out
}

/// Records of a length at one of the limits: 512 bytes, `records max`, 65,535 octets of rdata.
fn of_length(rng: &mut Rng, rules: &Rules) -> Vec<u8> {
    let max = usize::try_from(rules.records_max).unwrap_or(0).min(80_000);
    let target = match rng.u8(0..8) {
        0..=3 => 512,
        4 if max > 65_536 && rng.u8(0..16) == 0 => 65_535 + 14,
        5..=6 if max <= 4_096 || rng.u8(0..16) == 0 => max,
        _ => rng.usize(0..600),
    };
    let target = target + rng.usize(0..3);
    let mut out = vec![1, 4, 0, 64, 4, 4];
    // Around the rdata: the six bytes and its own length.
    let len = target.saturating_sub(7);
    let len = [0, 1, 3].iter().filter_map(|more| len.checked_sub(*more)).find(|len| {
        let mut prefix = Vec::new();
        compact(&mut prefix, *len);
        6 + prefix.len() + len <= target
    });
    let len = len.unwrap_or(0);
    compact(&mut out, len);
    out.extend(std::iter::repeat_n(7, len));
    out
}

/// One record at an owner that just fits a domain name of 255 octets, or just does not.
fn long_owner(rng: &mut Rng, name_len: usize, tld_len: usize) -> Vec<u8> {
    let mut left = 255_usize.saturating_sub(name_len + tld_len + 3) + rng.usize(0..3);
    left = left.saturating_sub(1);
    let mut labels = Vec::new();
    while left > 1 {
        let len = (left - 1).min(rng.usize(60..65));
        labels.push(len);
        left -= len + 1;
    }
    let mut out = vec![1, 4];
    compact(&mut out, labels.len());
    for len in labels {
        compact(&mut out, len);
        out.extend(std::iter::repeat_n(b'a', len));
    }
    out.extend([4, 4, 4, 0]);
    out
}

fn compact(out: &mut Vec<u8>, n: usize) {
    out.extend(crate::naive::compact(n as u64));
}
