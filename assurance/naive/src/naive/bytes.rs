//! Bytes and hashes: C2, C3, C5.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// SHA-256.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// sha256(tag) ‖ sha256(tag), absorbed: the only thing here that is not computed each time.
static TAGS: LazyLock<BTreeMap<&str, Sha256>> = LazyLock::new(|| {
    let tags = ["rules", "commitment", "claim", "records", "key", "value", "leaf", "node"];
    let begun = |tag| {
        let tag = sha256(format!("dotp2p/{tag}").as_bytes());
        Sha256::new().chain_update(tag).chain_update(tag)
    };
    tags.into_iter().map(|tag| (tag, begun(tag))).collect()
});

/// H(tag, data), the tag without its `dotp2p/` (C5).
pub fn tagged(tag: &str, data: &[u8]) -> [u8; 32] {
    let begun = TAGS.get(tag).expect("a tag of C5").clone();
    begun.chain_update(data).finalize().into()
}

/// A compact integer (C2).
pub fn compact(n: u64) -> Vec<u8> {
    let shifted = u128::from(n) * 4;
    let (bytes, width) = match n {
        0..0x40 => (shifted, 1),
        0x40..0x4000 => (shifted + 1, 2),
        0x4000..0x4000_0000 => (shifted + 2, 4),
        _ => {
            let len = n.to_le_bytes().into_iter().rposition(|byte| byte != 0).map_or(1, |last| last + 1).max(4);
            let first = (len as u128 - 4) * 4 + 3;
            (first + (u128::from(n) << 8), 1 + len)
        }
    };
    bytes.to_le_bytes().into_iter().take(width).collect()
}

/// Option of a key: `00`, or `01` and the key.
pub fn option(key: Option<[u8; 32]>) -> Vec<u8> {
    key.map_or(vec![0], |key| [&[1], key.as_slice()].concat())
}

/// What is left to read. Whatever is refused gives `None`: no rule distinguishes why bytes do not decode.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// A compact integer of at most `max`, in its shortest form.
    pub fn compact(&mut self, max: u64) -> Option<u64> {
        let start = self.0;
        let first = self.byte()?;
        let more = match first % 4 {
            0 => 0,
            1 => 1,
            2 => 3,
            _ => usize::from(first / 4) + 4,
        };
        let mut all = u128::from(first);
        if more > 8 {
            return None;
        }
        for (at, byte) in self.take(more)?.iter().enumerate() {
            all += u128::from(*byte) << (8 * (at + 1));
        }
        let n = if first % 4 == 3 { all >> 8 } else { all >> 2 };
        let n = u64::try_from(n).ok()?;
        let shortest = compact(n);
        (n <= max && start.get(..=more) == Some(shortest.as_slice())).then_some(n)
    }

    /// A byte vector.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.compact(u32::MAX.into())?;
        self.take(usize::try_from(len).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c2_compact_table() {
        let table: [(u64, &[u8]); 14] = [
            (0, &[0]),
            (1, &[4]),
            (63, &[0xfc]),
            (64, &[1, 1]),
            (1000, &[0xa1, 0x0f]),
            (16383, &[0xfd, 0xff]),
            (16384, &[2, 0, 1, 0]),
            (10_000_000, &[2, 0x5a, 0x62, 2]),
            (100_000_000, &[2, 0x84, 0xd7, 0x17]),
            ((1 << 30) - 1, &[0xfe, 0xff, 0xff, 0xff]),
            (1 << 30, &[3, 0, 0, 0, 0x40]),
            (1 << 32, &[7, 0, 0, 0, 0, 1]),
            (5_000_000_000, &[7, 0, 0xf2, 5, 0x2a, 1]),
            (u64::MAX, &[0x13, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (n, bytes) in table {
            assert_eq!(compact(n), bytes, "{n}");
            assert_eq!(Reader(bytes).compact(u64::MAX), Some(n));
        }
        assert_eq!(Reader(&[5, 0]).compact(9), None, "not the shortest");
        assert_eq!(Reader(&[4]).compact(0), None, "beyond its type");
    }

    #[test]
    fn c5_example() {
        let hash: String = tagged("records", &[1, 0]).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, "15bdf593b9d97aae7a045e8283ababdfb80ea22c0c83766f0bcd8e76ffd97918");
    }
}
