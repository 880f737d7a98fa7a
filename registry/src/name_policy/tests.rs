//! What people type, case by case.

use super::*;

fn ok(input: &str) -> (String, String, bool, Vec<String>) {
    let Typed { name, unicode, folded, warnings } = typed(input, "p2p").unwrap();
    (name.to_string(), unicode, folded, warnings.iter().map(ToString::to_string).collect())
}

#[test]
fn plain_names() {
    for (input, name, folded) in [
        ("alice", "alice", false),
        ("alice.p2p", "alice", false),
        ("alice.p2p.", "alice", false),
        ("alice.", "alice", false),
        (" alice\n", "alice", false),
        ("ALICE", "alice", true),
        ("Alice.P2P.", "alice", true),
        ("p2p", "p2p", false),
        ("p2p.p2p", "p2p", false),
        ("a-b--c", "a-b--c", false),
    ] {
        assert_eq!(ok(input), (name.to_owned(), name.to_owned(), folded, Vec::new()), "{input}");
    }
}

#[test]
fn letters_of_other_scripts() {
    for (input, name, unicode, folded) in [
        ("bücher", "xn--bcher-kva", "bücher", true),
        ("BÜCHER.p2p", "xn--bcher-kva", "bücher", true),
        ("bu\u{308}cher", "xn--bcher-kva", "bücher", true),
        ("xn--bcher-kva", "xn--bcher-kva", "bücher", false),
        ("XN--BCHER-KVA.p2p.", "xn--bcher-kva", "bücher", true),
        ("faß", "xn--fa-hia", "faß", true),
        ("ａｌｉｃｅ", "alice", "alice", true),
        ("alice。p2p", "alice", "alice", true),
        ("пример", "xn--e1afmkfd", "пример", true),
        ("日本語", "xn--wgv71a119e", "日本語", true),
    ] {
        assert_eq!(ok(input), (name.to_owned(), unicode.to_owned(), folded, Vec::new()), "{input}");
    }
}

#[test]
fn names_easily_mistaken() {
    for (input, warnings) in [
        ("аррӏе", &["аррӏе looks like apple, which is another name"][..]),
        (
            "pаypal",
            &["pаypal looks like paypal, which is another name", "pаypal mixes scripts that are not written together"],
        ),
        ("aлиса", &["aлиса mixes scripts that are not written together"]),
        ("i❤", &["❤ (U+2764) is unusual in names, and not every program accepts it"]),
    ] {
        assert_eq!(ok(input).3, warnings, "{input}");
    }
}

#[test]
fn what_is_no_name() {
    for (input, text) in [
        ("", "\"\": name has 0 bytes, expected 1 to 63 (N1)"),
        (".", "\".\": name has 0 bytes, expected 1 to 63 (N1)"),
        ("a_b", "\"a_b\": byte 0x5f is not allowed at offset 1 of a name: a-z, 0-9 and inner hyphens only (N1)"),
        ("-a.p2p", "\"-a.p2p\": byte 0x2d is not allowed at offset 0 of a name: a-z, 0-9 and inner hyphens only (N1)"),
        ("a-", "\"a-\": byte 0x2d is not allowed at offset 1 of a name: a-z, 0-9 and inner hyphens only (N1)"),
        ("Localhost", "\"Localhost\": name \"localhost\" is reserved (N2)"),
        (
            "www.alice.p2p",
            "\"www.alice.p2p\" has more than one label: a name is one label below p2p, what is below it goes into its records",
        ),
        (
            "alice.com",
            "\"alice.com\" has more than one label: a name is one label below p2p, what is below it goes into its records",
        ),
        ("a\u{202e}b", "\"a\\u{202e}b\" holds what no internationalised label may hold (UTS 46)"),
        ("\u{308}a", "\"\\u{308}a\" holds what no internationalised label may hold (UTS 46)"),
        ("xn--a", "\"xn--a\" begins with xn-- and is no A-label (RFC 5890): type the letters themselves"),
        ("xn--abc-", "\"xn--abc-\" begins with xn-- and is no A-label (RFC 5890): type the letters themselves"),
        (
            "xn--bucher-xyd",
            "\"xn--bucher-xyd\" begins with xn-- and is no A-label (RFC 5890): type the letters themselves",
        ),
    ] {
        let error = typed(input, "p2p").unwrap_err().to_string();
        assert_eq!(error, text, "{input}");
    }
    let long = "a".repeat(64);
    assert!(matches!(typed(&long, "p2p"), Err(TypedError::Name { error: NameError::Length(64), .. })));
}

/// Consensus allows what no software should offer; it is still shown.
#[test]
fn a_claimed_name_is_always_shown() {
    let name = |label: &str| label.parse::<Name>().unwrap();
    assert_eq!(unicode(&name("alice")), "alice");
    assert_eq!(unicode(&name("xn--bcher-kva")), "bücher");
    assert_eq!(unicode(&name("xn--a")), "xn--a");
}
