//! RDATA type by type, against what other software makes of the same text.

use hickory_proto::rr::{RData, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, BinEncodable, BinEncoder, Restrict};
use proptest::prelude::*;

use self::examples::EXAMPLES;
use super::*;
use crate::zonefile::text::DomainName;
use crate::zonefile::types::{fields_of, type_name, type_number};

mod examples;

fn read(rtype: &str, text: &str) -> Result<Vec<u8>, String> {
    let name = "hello".parse().unwrap();
    let record = crate::zonefile::record_line(format!("@ {rtype} {text}").trim_end(), &name, "p2p");
    record.map(|record| record.rdata).map_err(|error| error.to_string())
}

pub(in crate::zonefile) fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn text_and_octets() {
    for &(mnemonic, text, hex, ours) in EXAMPLES {
        let rtype = type_number(mnemonic).unwrap();
        let rdata = read(mnemonic, text).unwrap_or_else(|error| panic!("{mnemonic} {text}: {error}"));
        assert_eq!(super::hex(&rdata), hex, "{mnemonic} {text}");
        assert_eq!(check_rdata(rtype, &rdata), Ok(()), "{mnemonic} {text}");
        let shown = rdata_text(rtype, &rdata);
        assert_eq!(shown, if ours.is_empty() { text } else { ours }, "{mnemonic}");
        assert_eq!(read(mnemonic, &shown), Ok(rdata), "{mnemonic} {shown}");
    }
}

#[test]
fn every_form_has_an_example() {
    let shown: Vec<u16> = EXAMPLES.iter().filter_map(|example| type_number(example.0)).collect();
    let same_as_another = ["SOA", "MB", "MG", "MR", "KEY", "RESINFO", "WALLET", "DLV"];
    for rtype in (0..=u16::MAX).filter(|rtype| !fields_of(*rtype).is_empty()) {
        let mnemonic = type_name(rtype);
        assert!(shown.contains(&rtype) || same_as_another.contains(&mnemonic.as_str()), "{mnemonic}");
        assert_eq!(type_number(&mnemonic), Some(rtype));
        assert_eq!(type_number(&format!("type{rtype}")), Some(rtype));
    }
}

/// hickory reads each example to its end, and writes the same octets again.
#[test]
fn hickory_reads_the_same() {
    for &(mnemonic, text, hex, _) in EXAMPLES {
        let rdata = octets(hex);
        let rtype = RecordType::from(type_number(mnemonic).unwrap());
        let mut decoder = BinDecoder::new(&rdata);
        let length = Restrict::new(u16::try_from(rdata.len()).unwrap());
        let read = RData::read(&mut decoder, rtype, length);
        let read = read.unwrap_or_else(|error| panic!("{mnemonic} {text}: {error}"));
        let mut out = Vec::new();
        let mut encoder = BinEncoder::new(&mut out);
        read.emit(&mut encoder).unwrap();
        assert_eq!(super::hex(&out), hex, "{mnemonic} {text}");
    }
}

#[test]
fn octets_that_are_not_their_type() {
    for (mnemonic, hex, error) in [
        ("A", "C00002", "A RDATA: it ends before an IPv4 address is complete"),
        ("A", "C000020700", "A RDATA: octets left over: 1"),
        ("A", "", "A RDATA: it ends before an IPv4 address is complete"),
        ("AAAA", "C0000207", "AAAA RDATA: it ends before an IPv6 address is complete"),
        ("NS", "", "NS RDATA: bad domain name: it does not end"),
        ("NS", "0161", "NS RDATA: bad domain name: it does not end"),
        ("NS", "0561", "NS RDATA: bad domain name: it does not end"),
        ("NS", "C00C", "NS RDATA: bad domain name: length octet 0xc0 is none (names in records are not compressed)"),
        ("MX", "000A", "MX RDATA: bad domain name: it does not end"),
        ("TXT", "", "TXT RDATA: it ends before a string is complete"),
        ("TXT", "0568656C6C", "TXT RDATA: it ends before a string is complete"),
        ("HINFO", "0161", "HINFO RDATA: it ends before an operating system is complete"),
        ("CAA", "0000", "CAA RDATA: expected a tag of letters and digits"),
        ("CAA", "00012D", "CAA RDATA: expected a tag of letters and digits"),
        ("DS", "0001010201020304", "DS RDATA: a digest has 4 octets, expected 32"),
        ("DS", "000101F0", "DS RDATA: it ends before a digest is complete"),
        ("SSHFP", "040200", "SSHFP RDATA: a fingerprint has 1 octets, expected 32"),
        ("TLSA", "03010100", "TLSA RDATA: certificate association data has 1 octets, expected 32"),
        ("OPENPGPKEY", "", "OPENPGPKEY RDATA: it ends before an OpenPGP key is complete"),
        ("CSYNC", "0000000000000000", "CSYNC RDATA: expected a type bitmap"),
        ("CSYNC", "000000000000000100", "CSYNC RDATA: expected a type bitmap"),
        ("CSYNC", "000000000000000140000140", "CSYNC RDATA: expected a type bitmap"),
        ("LOC", "01121613800000008000000000989680", "LOC RDATA: expected version 0"),
        ("LOC", "00A21613800000008000000000989680", "LOC RDATA: expected a digit and a power of ten, each up to 9"),
        ("LOC", "00121613FFFFFFFF8000000000989680", "LOC RDATA: expected a latitude up to 90 degrees"),
        ("LOC", "0012161380000000FFFFFFFF00989680", "LOC RDATA: expected a longitude up to 180 degrees"),
        ("SVCB", "000100000300020035000300020035", "SVCB RDATA: parameter port is out of order or there twice"),
        ("SVCB", "00010000030002003500010003026832", "SVCB RDATA: parameter alpn is out of order or there twice"),
        ("SVCB", "0001000003000100", "SVCB RDATA: bad value of parameter port"),
        ("SVCB", "0001000001", "SVCB RDATA: it ends before a parameter is complete"),
        ("SVCB", "00010000010000", "SVCB RDATA: bad value of parameter alpn"),
        ("SVCB", "0001000001000100", "SVCB RDATA: bad value of parameter alpn"),
        ("SVCB", "00010000040003C00002", "SVCB RDATA: bad value of parameter ipv4hint"),
        ("SVCB", "00010000040000", "SVCB RDATA: bad value of parameter ipv4hint"),
        ("SVCB", "00010000060004C0000207", "SVCB RDATA: bad value of parameter ipv6hint"),
        ("SVCB", "00010000050000", "SVCB RDATA: bad value of parameter ech"),
        ("SVCB", "00010000070001FF", "SVCB RDATA: bad value of parameter dohpath"),
        ("SVCB", "000100FFFF0000", "SVCB RDATA: bad value of parameter key65535"),
        ("SVCB", "00010000020000", "SVCB RDATA: parameter alpn is needed by another and missing"),
        ("SVCB", "000100000000020003", "SVCB RDATA: parameter port is needed by another and missing"),
        ("SVCB", "000100000000020000", "SVCB RDATA: bad value of parameter mandatory"),
        ("SVCB", "0001000000000400030003000300020035", "SVCB RDATA: bad value of parameter mandatory"),
        ("HTTPS", "0001000000000103", "HTTPS RDATA: bad value of parameter mandatory"),
    ] {
        let (rtype, rdata) = (type_number(mnemonic).unwrap(), octets(hex));
        assert_eq!(check_rdata(rtype, &rdata).unwrap_err().to_string(), error, "{mnemonic} {hex}");
        let generic = rdata_text(rtype, &rdata);
        assert!(generic.starts_with("\\# "), "{generic}");
        assert_eq!(read(mnemonic, &generic), Ok(rdata), "kept as it is, for others to judge");
    }
}

/// Sound RDATA that text by type could not say again: a size of no metres with a power of ten.
#[test]
fn what_text_would_change_is_written_in_hexadecimal() {
    let loc = octets("00051613800000008000000000989680");
    assert_eq!(check_rdata(29, &loc), Ok(()));
    assert_eq!(rdata_text(29, &loc), "\\# 16 00051613800000008000000000989680");
    assert_eq!(rdata_text(65280, &[]), "\\# 0");
    assert_eq!(rdata_text(10, b"x"), "\\# 1 78");
}

#[test]
fn text_that_is_no_rdata() {
    let long = format!("TXT {}", "x".repeat(256));
    let label = format!("NS {}.", "x".repeat(64));
    let name = format!("NS {}", "a.".repeat(128));
    for (text, error) in [
        ("A 192.0.2", "5: \"192.0.2\" is not an IPv4 address, such as 192.0.2.7"),
        ("A 192.0.2.300", "5: \"192.0.2.300\" is not an IPv4 address, such as 192.0.2.7"),
        ("A", "4: the line ends where an IPv4 address should stand"),
        (
            "A 192.0.2.7 192.0.2.8",
            "15: \"192.0.2.8\" is left over: the record was complete before it (text with spaces needs quotes)",
        ),
        ("AAAA 192.0.2.7", "8: \"192.0.2.7\" is not an IPv6 address, such as 2001:db8::7"),
        ("MX mail 10", "6: \"mail\" is not a number from 0 to 65535"),
        ("MX +1 mail", "6: \"+1\" is not a number from 0 to 65535"),
        ("MX 65536 mail", "6: \"65536\" is not a number from 0 to 65535"),
        ("MX 10 a..b", "9: \"a..b\" is no domain name: a label is empty"),
        ("NS .a", "6: \".a\" is no domain name: a label is empty"),
        ("NS \"\"", "6: \"\" is no domain name: a label is empty"),
        (
            "NS a\\300",
            "6: \"a\\\\300\" holds a bad escape: write \\DDD with a number up to 255, or \\ and one character",
        ),
        ("NS a\\1", "6: \"a\\\\1\" holds a bad escape: write \\DDD with a number up to 255, or \\ and one character"),
        (
            "NS bücher.example.",
            "6: \"bücher.example.\" is no domain name: write it as an A-label, xn--bcher-kva.example",
        ),
        (&label, "6: LABEL is no domain name: a label has 64 octets, at most 63 are allowed"),
        (&name, "6: NAME is no domain name: it has 257 octets in a message, at most 255 are allowed"),
        (&long, "7: a string has 256 octets, at most 255 fit one: split it into several in quotes"),
        ("TXT", "6: the line ends where a string should stand"),
        ("TXT \"open", "7: the quote is not closed on its line"),
        ("TXT a\"b\"", "8: a quote inside a word: put a space before it, or write \\\" for the character"),
        ("CAA 0 issue letsencrypt.org; a comment", "OK"),
        ("CAA 0 is-sue \"\"", "7: CAA RDATA: expected a tag of letters and digits"),
        ("TLSA 3 1 1 ABC", "14: \"ABC\" is not hexadecimal of whole octets"),
        ("TLSA 3 1 1 AB", "8: TLSA RDATA: certificate association data has 1 octets, expected 32"),
        ("TLSA 3 1 256 AB", "12: \"256\" is not a number from 0 to 255"),
        ("OPENPGPKEY AQIDBA", "14: \"AQIDBA\" is not base64 with its padding"),
        ("EUI48 00-00-5e-00-53", "9: \"00-00-5e-00-53\" is not an EUI-48 address, such as 00-00-5e-00-53-2a"),
        ("EUI48 00-00-5e-00-53-2a-", "9: \"00-00-5e-00-53-2a-\" is not an EUI-48 address, such as 00-00-5e-00-53-2a"),
        ("NID 10 0014:4fff:ff20", "10: \"0014:4fff:ff20\" is not a node identifier of four hex groups"),
        ("CSYNC 0 0 NONSENSE", "13: \"NONSENSE\" is not a record type"),
        ("LOC 91 N 0 E 0m", "7: \"91\" is not degrees of latitude, then N or S"),
        ("LOC 90 0 1 N 0 E 0m", "7: \"90\" is not degrees of latitude, then N or S"),
        ("LOC 1 60 N 0 E 0m", "9: \"60\" is not degrees of latitude, then N or S"),
        ("LOC 1 2 3.4567 N 0 E 0m", "11: \"3.4567\" is not degrees of latitude, then N or S"),
        ("LOC 1 2 3 E 0 E 0m", "13: \"E\" is not degrees of latitude, then N or S"),
        ("LOC 1 N 181 E 0m", "11: \"181\" is not degrees of longitude, then E or W"),
        ("LOC 1 N 1 E", "14: the line ends where an altitude should stand"),
        ("LOC 1 N 1 E -100000.01m", "15: \"-100000.01m\" is not an altitude from -100000.00m to 42849672.95m"),
        ("LOC 1 N 1 E 0m 90000001m", "18: \"90000001m\" is not a size from 0.00m to 90000000.00m"),
        (
            "LOC 1 N 1 E 0m 1m 1m 1m 1m",
            "27: \"1m\" is left over: the record was complete before it (text with spaces needs quotes)",
        ),
        ("SVCB 1 . alpn=h2 alpn=h3", "20: parameter alpn is there twice"),
        ("SVCB 1 . key1=h2 alpn=h3", "20: parameter alpn is there twice"),
        ("SVCB 1 . alpn", "12: \"alpn\" is not a list of protocols of 1 to 255 octets, such as alpn=h2,h3"),
        (
            "SVCB 1 . alpn=h2,,h3",
            "12: \"alpn=h2,,h3\" is not a list of protocols of 1 to 255 octets, such as alpn=h2,h3",
        ),
        ("SVCB 1 . alpn=\"h2", "17: the quote is not closed on its line"),
        ("SVCB 1 . no-default-alpn", "8: SVCB RDATA: parameter alpn is needed by another and missing"),
        ("SVCB 1 . alpn=h2 no-default-alpn=1", "20: \"no-default-alpn=1\" is not a parameter without value"),
        ("SVCB 1 . port=65536", "12: \"port=65536\" is not a port from 0 to 65535"),
        ("SVCB 1 . port", "12: \"port\" is not a port from 0 to 65535"),
        ("SVCB 1 . ipv4hint=2001:db8::1", "12: \"ipv4hint=2001:db8::1\" is not a list of IPv4 addresses"),
        ("SVCB 1 . ipv6hint=", "12: \"ipv6hint=\" is not a list of IPv6 addresses"),
        ("SVCB 1 . ech=!", "12: \"ech=!\" is not base64 with its padding"),
        ("SVCB 1 . mandatory=alpn", "8: SVCB RDATA: parameter alpn is needed by another and missing"),
        ("SVCB 1 . mandatory=alpn,alpn alpn=h2", "8: SVCB RDATA: bad value of parameter mandatory"),
        ("SVCB 1 . mandatory=key0", "8: SVCB RDATA: bad value of parameter mandatory"),
        ("SVCB 1 . nonsense=1", "12: \"nonsense=1\" is not a parameter, such as alpn=h2,h3 or key667=TEXT"),
        ("SVCB 1 . key065=1", "12: \"key065=1\" is not a parameter, such as alpn=h2,h3 or key667=TEXT"),
        ("SVCB 1 . key65535=1", "8: SVCB RDATA: bad value of parameter key65535"),
        ("SVCB 1 . key3=1", "8: SVCB RDATA: bad value of parameter port"),
        ("A \\# 4 C00002", "8: \\# announces 4 octets, and 3 follow"),
        ("A \\# 4", "8: \\# announces 4 octets, and 0 follow"),
        ("A \\#", "7: the line ends where the length of the RDATA should stand"),
        ("A \\# x", "8: \"x\" is not a length from 0 to 65535"),
        ("TYPE65280 hello", "13: TYPE65280 has no text form here: write its RDATA as \\# LENGTH HEX (RFC 3597)"),
        ("APL 1:192.0.2.0/24", "7: APL has no text form here: write its RDATA as \\# LENGTH HEX (RFC 3597)"),
    ] {
        let (mnemonic, text) = text.split_once(' ').unwrap_or((text, ""));
        let found = read(mnemonic, text).map_or_else(|error| error, |_| "line 1, column OK".to_owned());
        let found = found.replace(&format!("\"{}.\"", "x".repeat(64)), "LABEL");
        let found = found.replace(&format!("\"{}\"", "a.".repeat(128)), "NAME");
        assert_eq!(found, format!("line 1, column {error}"), "{mnemonic} {text}");
    }
}

/// Octets of an example with some of them changed, or anything at all.
pub(in crate::zonefile) fn any_rdata() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let example = (0..EXAMPLES.len()).prop_map(|at| {
        let (mnemonic, _, hex, _) = EXAMPLES[at];
        (type_number(mnemonic).unwrap(), octets(hex))
    });
    let known = (0..EXAMPLES.len()).prop_map(|at| type_number(EXAMPLES[at].0).unwrap());
    let rtype = prop_oneof![known, Just(65280), Just(10), Just(55)];
    let changed = (example.clone(), any::<prop::sample::Index>(), any::<u8>(), 0usize..3).prop_map(
        |((rtype, mut rdata), at, octet, how)| {
            match how {
                _ if rdata.is_empty() => rdata.push(octet),
                0 => *at.get_mut(&mut rdata) = octet,
                1 => rdata.truncate(at.index(rdata.len())),
                _ => rdata.insert(at.index(rdata.len()), octet),
            }
            (rtype, rdata)
        },
    );
    prop_oneof![example, changed, (rtype, prop::collection::vec(any::<u8>(), 0..40))]
}

proptest! {
    /// Whatever the octets, their text says them again, and by type exactly where they are sound.
    #[test]
    fn text_says_the_octets_again((rtype, rdata) in any_rdata()) {
        let text = rdata_text(rtype, &rdata);
        let lines = entries(&text).unwrap();
        let parsed = parse(rtype, &mut Cursor::new(&lines[0]), &DomainName::ROOT).unwrap();
        prop_assert_eq!(&parsed.octets, &rdata, "{}", text);
        prop_assert_eq!(parsed.doubt, check_rdata(rtype, &rdata).err());
    }
}

/// The answers that clients compare with are in the form that `rdata_text` gives them.
#[test]
fn the_expected_answers_are_written_as_we_write() {
    let lines = include_str!("../../../../examples/hello.expected").lines();
    let mut count = 0;
    for line in lines.filter(|line| !line.starts_with(';') && !line.contains(" IN SOA ")) {
        let mut words = line.splitn(6, ' ');
        let Some("answer" | "authority" | "additional") = words.next() else { continue };
        let rest: Vec<&str> = words.skip(3).collect();
        let [mnemonic, text] = rest[..] else { panic!("{line}") };
        let rdata = read(mnemonic, text).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(rdata_text(type_number(mnemonic).unwrap(), &rdata), text);
        count += 1;
    }
    assert!(count > 50, "{count}");
}
