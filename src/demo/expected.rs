//! `examples/hello.expected`: questions, and what must be answered. Its head describes the form.

/// A question and its answer, each record a line in the file's form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The name asked for, absolute.
    pub qname: String,
    /// Its type as a mnemonic or `TYPE65280`.
    pub qtype: String,
    /// The response code as dig prints it: `NOERROR`, `NXDOMAIN`.
    pub rcode: String,
    /// Whether the answer is authoritative.
    pub aa: bool,
    /// The answer section, sorted.
    pub answer: Vec<String>,
    /// The authority section, sorted.
    pub authority: Vec<String>,
    /// The additional section, sorted.
    pub additional: Vec<String>,
}

/// A line that is none of the form's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text:?} is neither query, status, answer, authority nor additional in its place")]
pub struct ExpectedError {
    /// Its number, from 1.
    pub line: usize,
    /// What it says.
    pub text: String,
}

/// Reads the whole file.
pub fn parse_expected(text: &str) -> Result<Vec<Expected>, ExpectedError> {
    let mut out: Vec<Expected> = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if !text.is_empty() && !text.starts_with(';') {
            parse_line(text, &mut out).ok_or_else(|| ExpectedError { line, text: text.to_owned() })?;
        }
    }
    Ok(out)
}

fn parse_line(text: &str, out: &mut Vec<Expected>) -> Option<()> {
    let (word, rest) = text.split_once(' ')?;
    if word == "query" {
        let (qname, qtype) = rest.split_once(' ')?;
        out.push(Expected { qname: qname.to_owned(), qtype: qtype.to_owned(), ..Expected::default() });
        return Some(());
    }
    let expected = out.last_mut()?;
    let section = match word {
        "status" => {
            let (rcode, aa) = rest.strip_suffix(" aa").map_or((rest, false), |rcode| (rcode, true));
            (expected.rcode, expected.aa) = (rcode.to_owned(), aa);
            return Some(());
        }
        "answer" => &mut expected.answer,
        "authority" => &mut expected.authority,
        "additional" => &mut expected.additional,
        _ => return None,
    };
    section.push(rest.to_owned());
    section.sort_unstable();
    Some(())
}

/// A record of an answer in the file's form, to compare with; the serial of an SOA becomes `SERIAL`.
///
/// - `rdata`: as `dotp2p_registry::zonefile::rdata_text` writes it.
pub fn record_line(owner: &str, ttl: u32, rtype: &str, rdata: &str) -> String {
    let mut words: Vec<&str> = rdata.split(' ').collect();
    if let (true, Some(serial)) = (rtype == "SOA", words.get_mut(2)) {
        *serial = "SERIAL";
    }
    format!("{} {ttl} IN {rtype} {}", owner.to_ascii_lowercase(), words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example() {
        let all = parse_expected(include_str!("../../examples/hello.expected")).unwrap();
        assert_eq!(all.len(), 54);
        for expected in &all {
            let Expected { qname, rcode, answer, authority, .. } = expected;
            assert!(qname.ends_with('.') && ["NOERROR", "NXDOMAIN"].contains(&rcode.as_str()), "{qname}");
            assert!(!answer.is_empty() || !authority.is_empty(), "{qname}");
        }
        let referral = all.iter().find(|expected| expected.qname.starts_with("www.sub.")).unwrap();
        assert_eq!((referral.aa, referral.authority.len(), referral.additional.len()), (false, 3, 2));
    }

    #[test]
    fn a_line_of_another_form() {
        for (text, line) in [("answer x", 1), ("query a. A\n\nanswers x", 3), ("query a.", 1), ("; x\nquery", 2)] {
            assert_eq!(parse_expected(text).map_err(|error| error.line), Err(line), "{text}");
        }
    }

    #[test]
    fn a_record_as_a_line() {
        let soa = record_line("P2P.", 60, "SOA", "ns.dotp2p.p2p. hostmaster.dotp2p.p2p. 7 1800 900 604800 60");
        assert_eq!(soa, "p2p. 60 IN SOA ns.dotp2p.p2p. hostmaster.dotp2p.p2p. SERIAL 1800 900 604800 60");
        assert_eq!(record_line("a.", 1, "TXT", "\"a b  c\""), "a. 1 IN TXT \"a b  c\"");
    }
}
