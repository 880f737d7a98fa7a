//! What an Update may carry: R1 to R7.

use super::bytes::Reader;

/// Whether `bytes` are records that a name of `name_len` bytes under a TLD of `tld_len` may have.
pub fn allowed(bytes: &[u8], name_len: usize, tld_len: usize, max: u32) -> bool {
    bytes.len() as u64 <= u64::from(max) && container(bytes, name_len + tld_len).is_some()
}

type Set = (Vec<Vec<u8>>, u64);

fn container(bytes: &[u8], name_and_tld: usize) -> Option<()> {
    let mut reader = Reader(bytes);
    require(reader.byte()? == 1)?;
    let count = reader.compact(u32::MAX.into())?;
    let mut sets: Vec<Set> = Vec::new();
    for _ in 0..count {
        sets.push(set(&mut reader, name_and_tld)?);
    }
    require(reader.0.is_empty())?;
    require(ascending(&sets))
}

fn set(reader: &mut Reader, name_and_tld: usize) -> Option<Set> {
    let mut labels = Vec::new();
    for _ in 0..reader.compact(u32::MAX.into())? {
        let label = reader.bytes()?;
        require((1..=63).contains(&label.len()) && !label.iter().any(u8::is_ascii_uppercase))?;
        labels.push(label.to_vec());
    }
    // R3: each label with its length octet, the name and the TLD with theirs, the root's.
    let wire: usize = labels.iter().map(|label| label.len() + 1).sum();
    require(wire + name_and_tld + 3 <= 255)?;
    let rtype = reader.compact(u16::MAX.into())?;
    require(![0, 6, 24, 30, 41, 46, 47, 48, 50, 51].contains(&rtype) && !(128..=255).contains(&rtype))?;
    require(reader.compact(u32::MAX.into())? < 1 << 31)?;
    let mut rdatas: Vec<Vec<u8>> = Vec::new();
    for _ in 0..reader.compact(u32::MAX.into())? {
        rdatas.push(reader.bytes()?.to_vec());
    }
    require(!rdatas.is_empty() && ascending(&rdatas) && rdatas.iter().all(|rdata| rdata.len() <= 65_535))?;
    // R4 compares owners from the last label, which is how vectors of labels in reverse compare.
    labels.reverse();
    Some((labels, rtype))
}

fn ascending<T: Ord>(items: &[T]) -> bool {
    items.windows(2).all(|pair| matches!(pair, [a, b] if a < b))
}

fn require(holds: bool) -> Option<()> {
    holds.then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
        let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    #[test]
    fn r7_worked_example_and_what_is_refused() {
        let example = "01 10  00 04 4138 08 10c0000207 10c0000209  00 40 b104 04 0c026869 \
                       04 0c777777 04 4138 04 10c0000207  08 0461 0c777777 04 4138 04 10c0000208";
        let ok = |text: &str| allowed(&hex(text), 5, 3, 4096);
        assert!(ok(example) && ok("0100"));
        assert!(!ok(&format!("{example}00")), "left over");
        for bad in [
            "",
            "0200",
            "01 0500",
            "01 04 00 04 4138 00",
            "01 04 00 04 4138 08 10c0000207 10c0000207",
            "01 08 00 40 b104 04 0c026869 00 04 4138 04 10c0000207",
            "01 04 04 0c575757 04 4138 04 10c0000207",
            "01 04 04 00 04 4138 04 10c0000207",
            "01 04 00 04 0300000080 04 10c0000207",
            "01 04 00 18 4138 04 10c0000207",
        ] {
            assert!(!ok(bad), "{bad}");
        }
        let owner = |len: usize| {
            let labels = [63, 63, 63, len - 193];
            let all: String = labels.iter().map(|n| format!("{}{}", hex_of_compact(*n), "61".repeat(*n))).collect();
            format!("01 04 10 {all} 04 4138 04 10c0000207")
        };
        assert!(ok(&owner(244)), "R3: 244 with their length octets under alice.p2p");
        assert!(!ok(&owner(245)));
    }

    fn hex_of_compact(n: usize) -> String {
        super::super::bytes::compact(n as u64).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
