//! Whole zone files, JSON lists and lines; and the law that text brings back the same records.

use dotp2p_chain::name::Name;
use dotp2p_chain::records::{Limits, Owner, RecordSet, Records};
use proptest::prelude::*;

use super::rdata::tests::any_rdata;
use super::*;

const LIMITS: Limits = Limits { name_len: 5, tld_len: 3, max: 4_096 };
const DELEGATE: Options = Options { delegate: true };

fn hello() -> Name {
    "hello".parse().unwrap()
}

fn read(text: &str) -> Import {
    import(text, &hello(), "p2p", Options::default(), LIMITS).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What `text` imports as, exported again without its first line.
fn lines(text: &str) -> String {
    let exported = export(&read(text).records, &hello(), "p2p");
    exported.strip_prefix("$ORIGIN hello.p2p.\n").unwrap().to_owned()
}

fn notes(import: &Import) -> Vec<String> {
    import.notes.iter().map(ToString::to_string).collect()
}

fn refuse(text: &str) -> String {
    import(text, &hello(), "p2p", Options::default(), LIMITS).unwrap_err().to_string()
}

const EXAMPLE: &str = include_str!("../../../examples/hello.zone");

#[test]
fn the_example_zone() {
    let import = read(EXAMPLE);
    insta::assert_snapshot!(export(&import.records, &hello(), "p2p"));
    assert_eq!(
        notes(&import),
        [
            "line 8: SOA left out, the top-level domain has its own",
            "line 14: NS ns1.hello.p2p. left out, the name is served from the chain (--delegate keeps it)",
            "line 15: NS ns2.hello.p2p. left out, the name is served from the chain (--delegate keeps it)",
        ]
    );
    assert_eq!(check_for_signing(&import.records, &hello(), "p2p"), Ok(Vec::new()));
    let len = import.records.encode().len();
    assert!(len < 2_048, "half of what is allowed is enough for an example, it has {len}");
    for name in ["alice", "a", "xn--bcher-kva"] {
        let name: Name = name.parse().unwrap();
        let import = super::import(EXAMPLE, &name, "p2p", Options::default(), LIMITS).unwrap();
        assert!(export(&import.records, &name, "p2p").contains(&format!("10 mail.{name}.p2p.\n")));
    }
}

#[test]
fn delegating_keeps_the_ns_of_the_name() {
    let text = "@ SOA a b 1 2 3 4 5\n@ NS ns.elsewhere.example.\n@ NS ns\nns A 192.0.2.1\n";
    let import = import(text, &hello(), "p2p", DELEGATE, LIMITS).unwrap();
    assert_eq!(notes(&import), ["line 1: SOA left out, the top-level domain has its own"]);
    insta::assert_snapshot!(export(&import.records, &hello(), "p2p"), @r"
    $ORIGIN hello.p2p.
    ; The NS records delegate the whole name: they are kept only where the import is told to.
    @  5 IN NS ns.hello.p2p.
    @  5 IN NS ns.elsewhere.example.
    ns 5 IN A  192.0.2.1
    ");
}

#[test]
fn owners_and_origins() {
    insta::assert_snapshot!(lines(
        "\u{feff}$ORIGIN p2p.\r\n\
         hello 1 A 192.0.2.1\r\n\
         \t2 TXT x\r\n\
         WWW.Hello 3 A 192.0.2.3 ; comment\r\n\
         $origin sub.hello\r\n\
         @ 4 A 192.0.2.4\r\n\
         a 5 A 192.0.2.5\r\n\
         HELLO.P2P. 6 AAAA ::6\r\n\
         $ORIGIN hello.p2p.\r\n\
         a\\.b\\@\\032\\\\c\\\"\\;\\(\\$\\200 7 A 192.0.2.7\r\n"
    ), @r#"
    @                         1 IN A    192.0.2.1
    @                         2 IN TXT  "x"
    @                         6 IN AAAA ::6
    a\.b\@\032\\c\"\;\(\$\200 7 IN A    192.0.2.7
    sub                       4 IN A    192.0.2.4
    a.sub                     5 IN A    192.0.2.5
    www                       3 IN A    192.0.2.3
    "#);
}

#[test]
fn where_a_ttl_comes_from() {
    let a = |ttl: &str| format!("@ {ttl} IN A 192.0.2.1\n");
    for (text, ttl) in [
        (a(""), 3_600),
        (a("7"), 7),
        (a("0"), 0),
        (a("1h30m"), 5_400),
        (a("1W2d3H4m5S"), 788_645),
        (a("1m30"), 90),
        (a("2147483647"), 2_147_483_647),
        ("@ IN 7 A 192.0.2.1".to_owned(), 7),
        ("@ 7 A 192.0.2.1".to_owned(), 7),
        ("@ A 192.0.2.1".to_owned(), 3_600),
        (format!("$TTL 2h\n{}", a("")), 7_200),
        (format!("$TTL 2h\n{}", a("7")), 7),
        (format!("b 7 A 192.0.2.1\n{}", a("")), 7),
        (format!("$TTL 9\nb 7 A 192.0.2.1\n{}", a("")), 9),
        (format!("@ SOA a b 1 2 3 4 5m\n{}", a("")), 300),
        (format!("@ 8 SOA a b 1 2 3 4 5m\n{}", a("")), 8),
        (format!("$TTL 9\n@ SOA a b 1 2 3 4 5m\n{}", a("")), 9),
        (format!("{}$TTL 9\n", a("")), 3_600),
    ] {
        let records = read(&text).records;
        assert_eq!(records.get(&Owner::APEX, 1).map(|set| set.ttl), Some(ttl), "{text}");
    }
}

#[test]
fn what_is_noted() {
    let import = read(
        "@ 300 A 192.0.2.1\n@ 60 A 192.0.2.2\n@ 90 A 192.0.2.3\n@ 60 A 192.0.2.2\n\
         @ RRSIG A 13 2 300 20261223002734 20261123002734 1 p2p. AA==\n\
         @ DNSKEY nonsense\n\
         b A \\# 3 C00002\n",
    );
    assert_eq!(
        notes(&import),
        [
            "line 5: RRSIG left out, whoever serves the zone signs it",
            "line 6: DNSKEY left out, whoever serves the zone signs it",
            "b: A RDATA: it ends before an IPv4 address is complete",
            "@ A: TTLs from 60 to 300 in one RRset, the smallest is taken",
        ]
    );
    assert_eq!(import.records.get(&Owner::APEX, 1).map(|set| (set.ttl, set.rdatas.len())), Some((60, 3)));
    let error = check_for_signing(&import.records, &hello(), "p2p").unwrap_err();
    assert_eq!(error.to_string(), "b: A RDATA: it ends before an IPv4 address is complete");
}

#[test]
fn parentheses_quotes_and_comments() {
    insta::assert_snapshot!(lines(
        "; nothing\n\n   ; nothing\n\
         @ TXT ( a ; first\n  \"b ; c ( d\" ; second\n) e\\;f \"\" \"\\\"\\\\\\065\"\n\
         x IN ( A\n192.0.2.1\n)\n\
         y A 192.0.2.2;close\n\
         z TXT \"tab\there\" \"b\u{fc}cher\"\n\
         w TXT a=b=\"c d\" \"a\"\"b\"(c)d"
    ), @r#"
    @ 3600 IN TXT "a" "b ; c ( d" "e;f" "" "\"\\A"
    w 3600 IN TXT "a=b=\"c d\"" "a" "b" "c" "d"
    x 3600 IN A   192.0.2.1
    y 3600 IN A   192.0.2.2
    z 3600 IN TXT "tab\009here" "b\195\188cher"
    "#);
}

#[test]
fn what_is_no_zone_file() {
    for (text, error) in [
        (
            "@ A 192.0.2.1\n$INCLUDE other.zone\n",
            "line 2, column 1: $INCLUDE is not followed: put the lines of \"other.zone\" here instead",
        ),
        (
            "$GENERATE 1-9 host$ A 192.0.2.$\n",
            "line 1, column 1: $GENERATE is not expanded: write its records out, one a line",
        ),
        (
            "$NOPE\n",
            "line 1, column 1: \"$NOPE\" is no directive known here: $ORIGIN and $TTL are (write \\$ for an owner that begins with a dollar)",
        ),
        ("$TTL\n", "line 1, column 5: the line ends where a TTL should stand"),
        ("$TTL soon\n", "line 1, column 6: \"soon\" is not a time in seconds, or with units such as 1h30m"),
        ("$TTL 1h1x\n", "line 1, column 6: \"1h1x\" is not a time in seconds, or with units such as 1h30m"),
        ("$TTL 1hh\n", "line 1, column 6: \"1hh\" is not a time in seconds, or with units such as 1h30m"),
        ("$TTL 2147483648\n", "line 1, column 6: \"2147483648\" is not a TTL up to 2147483647"),
        (
            "$TTL 1 2\n",
            "line 1, column 8: \"2\" is left over: the record was complete before it (text with spaces needs quotes)",
        ),
        ("$ORIGIN\n", "line 1, column 8: the line ends where a domain name should stand"),
        (
            "  A 192.0.2.1\n",
            "line 1, column 3: an indented line belongs to the owner above it, and there is none: begin the line with its owner, `@` for the name itself",
        ),
        (
            "@ A 192.0.2.1\nwww.example.com. A 192.0.2.1\n",
            "line 2, column 1: owner www.example.com. is outside hello.p2p.: write it relative to the name, or correct $ORIGIN",
        ),
        (
            "$ORIGIN example.com.\n@ A 192.0.2.1\n",
            "line 2, column 1: owner example.com. is outside hello.p2p.: write it relative to the name, or correct $ORIGIN",
        ),
        (
            "othello.p2p. A 192.0.2.1\n",
            "line 1, column 1: owner othello.p2p. is outside hello.p2p.: write it relative to the name, or correct $ORIGIN",
        ),
        ("@ CH TXT x\n", "line 1, column 3: class \"CH\" is not served: only IN is"),
        ("@ 192.0.2.1\n", "line 1, column 3: \"192.0.2.1\" is not a time in seconds, or with units such as 1h30m"),
        (
            "@ IN IN A 192.0.2.1\n",
            "line 1, column 6: \"IN\" is no record type: expected [TTL] [IN] TYPE, such as A or TYPE65280, after the owner",
        ),
        ("www\n", "line 1, column 4: the line ends where a record type should stand"),
        (
            "@ TYPE65536 \\# 0\n",
            "line 1, column 3: \"TYPE65536\" is no record type: expected [TTL] [IN] TYPE, such as A or TYPE65280, after the owner",
        ),
        (
            "@ OPT \\# 0\n",
            "line 1, column 3: OPT records cannot be stored: servers make them, or they are only asked for (R6)",
        ),
        (
            "@ TYPE255 \\# 0\n",
            "line 1, column 3: TYPE255 records cannot be stored: servers make them, or they are only asked for (R6)",
        ),
        ("@ TXT (a\n(b)\n", "line 1, column 7: the parenthesis is never closed"),
        ("@ TXT a)\n", "line 1, column 8: the parenthesis closes nothing: write \\) for the character"),
        ("@ TXT \"a\nb\"\n", "line 1, column 7: the quote is not closed on its line"),
        ("@ TXT \"a\\\n", "line 1, column 7: the quote is not closed on its line"),
        (
            "@ TXT a\\\n",
            "line 1, column 7: \"a\\\\\" holds a bad escape: write \\DDD with a number up to 255, or \\ and one character",
        ),
        ("ü\tA 192.0.2.1\n", "line 1, column 1: \"ü\" is no domain name: write it as an A-label, xn--tda"),
        ("@ TXT ü A \"\n", "line 1, column 11: the quote is not closed on its line"),
        ("@ A 192.0.2.1\n@ A \\\n 1", "line 2, column 5: \"\\\\\" is not an IPv4 address, such as 192.0.2.7"),
    ] {
        assert_eq!(refuse(text), error, "{text}");
    }
    let long = format!("{}x A 192.0.2.1", "a.".repeat(122));
    assert_eq!(refuse(&long).split(": ").last(), Some("it has 257 octets in a message, at most 255 are allowed"));
    let big: String = (0..300).map(|n| format!("host{n} A 192.0.2.1\n")).collect();
    assert!(refuse(&big).ends_with("at most 4096 are allowed (R7)"), "{}", refuse(&big));
}

#[test]
fn one_line() {
    let line = |text: &str| record_line(text, &hello(), "p2p");
    let a = |owner: &[&str], ttl| Record {
        owner: Owner::new(owner.iter().map(|label| label.as_bytes())),
        rtype: 1,
        ttl,
        rdata: vec![192, 0, 2, 7],
    };
    assert_eq!(line("@ A 192.0.2.7"), Ok(a(&[], 3_600)));
    assert_eq!(line("  www 300 IN A 192.0.2.7 ; mine"), Ok(a(&["www"], 300)));
    assert_eq!(line("a.WWW in 1h a 192.0.2.7"), Ok(a(&["a", "www"], 3_600)));
    assert_eq!(line("hello.p2p. A 192.0.2.7"), Ok(a(&[], 3_600)));
    assert_eq!(line("@ NS ns").map(|record| record.rdata), Ok(b"\x02ns\x05hello\x03p2p\0".to_vec()));
    for (text, error) in [
        ("", "line 1, column 1: the line ends where an owner should stand"),
        ("192.0.2.7", "line 1, column 10: the line ends where a record type should stand"),
        ("A 192.0.2.7", "line 1, column 3: \"192.0.2.7\" is not a time in seconds, or with units such as 1h30m"),
        (
            "@ SOA a b 1 2 3 4 5",
            "line 1, column 3: SOA records cannot be stored: servers make them, or they are only asked for (R6)",
        ),
        (
            "@ A 192.0.2.7\n@ A 192.0.2.8",
            "line 2, column 1: \"@\" is left over: the record was complete before it (text with spaces needs quotes)",
        ),
    ] {
        assert_eq!(line(text).unwrap_err().to_string(), error, "{text}");
    }
}

#[test]
fn json() {
    let from = |text: &str| {
        let list: Vec<JsonRecord> = serde_json::from_str(text).unwrap();
        from_json(&list, &hello(), "p2p", LIMITS)
    };
    let text = r#"[
        {"owner": "@", "type": "MX", "data": "10 Mail"},
        {"owner": "WWW", "type": "TXT", "ttl": 60, "data": "\"a b\" c"},
        {"owner": "hello.p2p.", "type": "TYPE1", "ttl": 60, "data": "\\# 4 C0000207"}
    ]"#;
    let records = from(text).unwrap().records;
    insta::assert_json_snapshot!(to_json(&records), @r#"
    [
      {
        "owner": "@",
        "type": "A",
        "ttl": 60,
        "data": "192.0.2.7"
      },
      {
        "owner": "@",
        "type": "MX",
        "ttl": 3600,
        "data": "10 Mail.hello.p2p."
      },
      {
        "owner": "www",
        "type": "TXT",
        "ttl": 60,
        "data": "\"a b\" \"c\""
      }
    ]
    "#);
    for (record, error) in [
        (
            r#""owner":"@","type":"A","data":"192.0.2""#,
            "record 1: \"192.0.2\" is not an IPv4 address, such as 192.0.2.7",
        ),
        (r#""owner":"@","type":"A","data":"""#, "record 1: the line ends where an IPv4 address should stand"),
        (
            r#""owner":"@","type":"A","data":"192.0.2.1\n192.0.2.2""#,
            "record 1: \"192.0.2.2\" is left over: the record was complete before it (text with spaces needs quotes)",
        ),
        (
            r#""owner":"@","type":"B","data":"x""#,
            "record 1: \"B\" is no record type: expected [TTL] [IN] TYPE, such as A or TYPE65280, after the owner",
        ),
        (
            r#""owner":"@","type":"SOA","data":"a b 1 2 3 4 5""#,
            "record 1: SOA records cannot be stored: servers make them, or they are only asked for (R6)",
        ),
        (
            r#""owner":"a.example.","type":"A","data":"192.0.2.1""#,
            "record 1: owner a.example. is outside hello.p2p.: write it relative to the name, or correct $ORIGIN",
        ),
        (r#""owner":"","type":"A","data":"192.0.2.1""#, "record 1: \"\" is no domain name: a label is empty"),
        (r#""owner":"@","type":"A","ttl":2147483648,"data":"192.0.2.1""#, "TTL 2147483648 exceeds 2147483647 (R5)"),
    ] {
        let text = format!(r#"[{{"owner":"x","type":"A","data":"192.0.2.1"}},{{{record}}}]"#);
        assert_eq!(from(&text).unwrap_err().to_string(), error, "{record}");
    }
    let unknown = r#"[{"owner":"x","type":"A","data":"192.0.2.1","class":"IN"}]"#;
    assert!(serde_json::from_str::<Vec<JsonRecord>>(unknown).is_err());
}

/// Any canonical records at all: owners of any octets, sound and broken RDATA, types without a text form.
fn any_records() -> impl Strategy<Value = Records> {
    let label = prop_oneof![
        "[a-z0-9_*-]{1,8}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 1..4),
        Just(b"@".to_vec()),
    ];
    let owner = prop::collection::vec(label, 0..4).prop_map(|labels| Owner::new(labels.iter().map(Vec::as_slice)));
    let set = (owner, 0u32..=0x7fff_ffff, any_rdata(), prop::collection::vec(any::<u8>(), 0..9), any::<bool>())
        .prop_map(|(owner, ttl, (rtype, rdata), other, second)| {
            let rdatas = if second { vec![rdata, other] } else { vec![rdata] };
            RecordSet { owner, rtype, ttl, rdatas }
        });
    prop::collection::vec(set, 0..8).prop_map(|mut sets| {
        sets.sort_by(|a, b| a.owner.cmp(&b.owner).then(a.rtype.cmp(&b.rtype)));
        sets.dedup_by(|a, b| a.owner == b.owner && a.rtype == b.rtype);
        Records::new(sets, Limits { max: 65_535, ..LIMITS }).unwrap()
    })
}

proptest! {
    #[test]
    fn export_then_import_is_the_same(records in any_records()) {
        let limits = Limits { max: 65_535, ..LIMITS };
        let text = export(&records, &hello(), "p2p");
        let import = import(&text, &hello(), "p2p", DELEGATE, limits);
        prop_assert_eq!(import.map(|import| import.records), Ok(records), "{}", text);
    }

    #[test]
    fn json_then_records_is_the_same(records in any_records()) {
        let limits = Limits { max: 65_535, ..LIMITS };
        let text = serde_json::to_string(&to_json(&records)).unwrap();
        let list: Vec<JsonRecord> = serde_json::from_str(&text).unwrap();
        let import = from_json(&list, &hello(), "p2p", limits);
        prop_assert_eq!(import.map(|import| import.records), Ok(records.clone()), "{}", text);
        let gathered = gather(flatten(&records), limits).unwrap();
        prop_assert_eq!(gathered, Import { records, notes: Vec::new() });
    }

    /// Nothing that can be typed stops the program, and what is accepted can be written again.
    #[test]
    fn any_text_is_read_or_refused(text in "([@a.(\"\\\\;$ \n\t\u{fc}0-9]|A |TXT |IN |\\$TTL |SVCB 1 \\. |alpn=|LOC |\\\\# ){0,40}") {
        if let Ok(read) = import(&text, &hello(), "p2p", DELEGATE, LIMITS) {
            let again = export(&read.records, &hello(), "p2p");
            prop_assert_eq!(import(&again, &hello(), "p2p", DELEGATE, LIMITS).unwrap().records, read.records);
        }
        let _ = check_for_signing(&Records::default(), &hello(), "p2p");
    }
}
