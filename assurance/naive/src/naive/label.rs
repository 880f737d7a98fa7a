//! Labels: N1, N2.

use super::Rule;

/// Which rule refuses these bytes as a name, if one does.
pub fn refused(label: &[u8]) -> Option<Rule> {
    let text = String::from_utf8_lossy(label);
    let form = label.is_empty()
        || label.len() > 63
        || label.iter().any(|byte| !b"abcdefghijklmnopqrstuvwxyz0123456789-".contains(byte))
        || text.starts_with('-')
        || text.ends_with('-')
        || text.chars().skip(2).take(2).eq("--".chars()) && !text.starts_with("xn--");
    if form {
        return Some("N8a");
    }
    ["dotp2p", "example", "invalid", "local", "localhost", "onion", "test"].contains(&text.as_ref()).then_some("N8b")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n1_examples() {
        let longest = "a".repeat(63);
        for good in ["a", "7", "0x", "a-b", "a--b", "xn--mnchen-3ya", &longest] {
            assert_eq!(refused(good.as_bytes()), None, "{good}");
        }
        for bad in ["", "-a", "a-", "ab--c", "Alice", "a_b", "xn--", &"a".repeat(64)] {
            assert_eq!(refused(bad.as_bytes()), Some("N8a"), "{bad}");
        }
        assert_eq!(refused(b"onion"), Some("N8b"));
    }
}
