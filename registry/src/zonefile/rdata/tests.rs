//! RDATA type by type, against what other software makes of the same text.

use hickory_proto::rr::{RData, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, BinEncodable, BinEncoder, Restrict};
use proptest::prelude::*;

use super::super::text::DomainName;
use super::super::types::{fields_of, type_name, type_number};
use super::*;

/// Type, text, RDATA and, where it differs from the text, what we write. The RDATA is what BIND 9.18's `named-rrchecker`
/// makes of the text below `hello.p2p.`; the examples are those of the types' RFCs.
pub(in super::super) const EXAMPLES: &[(&str, &str, &str, &str)] = &[
    ("A", "192.0.2.7", "C0000207", ""),
    ("AAAA", "2001:DB8:0:0:0:0:0:7", "20010DB8000000000000000000000007", "2001:db8::7"),
    ("AAAA", "::ffff:192.0.2.7", "00000000000000000000FFFFC0000207", ""),
    ("NS", "ns1", "036E73310568656C6C6F0370327000", "ns1.hello.p2p."),
    ("CNAME", "Www.Example.", "03577777074578616D706C6500", ""),
    ("CNAME", "@", "0568656C6C6F0370327000", "hello.p2p."),
    ("DNAME", r#"a\.b.c\032d\007."#, "03612E62046320640700", ""),
    ("PTR", "host.example.", "04686F7374076578616D706C6500", ""),
    ("MX", "10 mail", "000A046D61696C0568656C6C6F0370327000", "10 mail.hello.p2p."),
    ("MX", "0 .", "000000", ""),
    ("TXT", r#""a b" c "" "\"q\"\\" "\000\255;""#, "03612062016300042271225C0300FF3B", r#""a b" "c" "" "\"q\"\\" "\000\255;""#),
    ("SPF", r#""v=spf1 -all""#, "0B763D73706631202D616C6C", ""),
    ("SRV", "0 5 5060 sip.example.", "0000000513C403736970076578616D706C6500", ""),
    ("CAA", r#"0 issue "letsencrypt.org; validationmethods=dns-01""#, "000569737375656C657473656E63727970742E6F72673B2076616C69646174696F6E6D6574686F64733D646E732D3031", ""),
    ("CAA", r#"128 tbs """#, "8003746273", ""),
    ("TLSA", "3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971", "030101D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971", "3 1 1 D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971"),
    ("SMIMEA", "3 0 0 30 82 01", "030000308201", "3 0 0 308201"),
    ("SSHFP", "4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789", "0402123456789ABCDEF67890123456789ABCDEF67890123456789ABCDEF123456789", "4 2 123456789ABCDEF67890123456789ABCDEF67890123456789ABCDEF123456789"),
    ("DS", "60485 5 1 ( 2BB183AF5F22588179A53B0A 98631FAD1A292118 )", "EC4505012BB183AF5F22588179A53B0A98631FAD1A292118", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"),
    ("CDS", "0 0 0 00", "0000000000", ""),
    ("CDNSKEY", "0 3 0 AA==", "0000030000", ""),
    ("HINFO", r#""PDP-11" UNIX"#, "065044502D313104554E4958", r#""PDP-11" "UNIX""#),
    ("RP", "admin.example. people.example.", "0561646D696E076578616D706C65000670656F706C65076578616D706C6500", ""),
    ("AFSDB", "1 afs.example.", "000103616673076578616D706C6500", ""),
    ("RT", "10 relay.example.", "000A0572656C6179076578616D706C6500", ""),
    ("KX", "10 kx.example.", "000A026B78076578616D706C6500", ""),
    ("X25", r#""311061700956""#, "0C333131303631373030393536", ""),
    ("MINFO", "rmail.example. emailbx.example.", "05726D61696C076578616D706C650007656D61696C6278076578616D706C6500", ""),
    ("OPENPGPKEY", "AQIDBA==", "01020304", ""),
    ("EUI48", "00-00-5e-00-53-2a", "00005E00532A", ""),
    ("EUI64", "00-00-5e-ef-10-00-00-2a", "00005EEF1000002A", ""),
    ("CSYNC", "66 3 A NS AAAA", "000000420003000460000008", ""),
    ("CSYNC", "0 0", "000000000000", ""),
    ("CSYNC", "1 1 TYPE65280 CAA A", "000000010001000140010140FF0180", "1 1 A CAA TYPE65280"),
    ("ZONEMD", "2018031500 1 1 FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE7EB1A7B641A47BA7FED2DD5B97AE499FAFA4F22C6BD647DE", "7848B78C0101FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE7EB1A7B641A47BA7FED2DD5B97AE499FAFA4F22C6BD647DE", ""),
    ("CERT", "PGP 0 0 AQIDBA==", "000300000001020304", "3 0 0 AQIDBA=="),
    ("CERT", "65534 65535 254 AQIDBA==", "FFFEFFFFFE01020304", ""),
    ("NAPTR", r#"100 50 "s" "http+N2L+N2C+N2R" "" www.example.com."#, "00640032017310687474702B4E324C2B4E32432B4E32520003777777076578616D706C6503636F6D00", ""),
    ("NAPTR", r#"100 100 "u" "E2U+sip" "!^(\\+441632960083)$!sip:\\1@example.com!" ."#, "006400640175074532552B73697027215E285C2B3434313633323936303038332924217369703A5C31406578616D706C652E636F6D2100", ""),
    ("URI", r#"10 1 "ftp://ftp1.example.com/public""#, "000A00016674703A2F2F667470312E6578616D706C652E636F6D2F7075626C6963", ""),
    ("URI", r#"0 0 """#, "00000000", ""),
    ("NID", "10 0014:4fff:ff20:ee64", "000A00144FFFFF20EE64", ""),
    ("L32", "10 10.1.2.0", "000A0A010200", ""),
    ("L64", "10 2001:0DB8:1140:1000", "000A20010DB811401000", "10 2001:0db8:1140:1000"),
    ("LP", "10 l64-subnet1.example.com.", "000A0B6C36342D7375626E657431076578616D706C6503636F6D00", ""),
    ("DHCID", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=", "000201636FC0B8271C82825BB1AC5C41CF5351AA69B4FEBD94E8F17CDB95000DA48C40", ""),
    ("AVC", r#""app-name:WOLFGANG""#, "116170702D6E616D653A574F4C4647414E47", ""),
    ("LOC", "42 21 54 N 71 06 18 W -24m 30m", "0033161389172DD070BE15F000988D20", "42 21 54.000 N 71 6 18.000 W -24.00m 30m 10000m 10m"),
    ("LOC", "42 21 43.952 N 71 5 6.344 W -24m 1m 200m", "001224138917069070BF2DD800988D20", "42 21 43.952 N 71 5 6.344 W -24.00m 1m 200m 10m"),
    ("LOC", "52 14 05 N 00 08 50 E 10m", "001216138B3556C88008165000989A68", "52 14 5.000 N 0 8 50.000 E 10.00m 1m 10000m 10m"),
    ("LOC", "32 7 19 S 116 2 25 E 10m", "00121613791B7D2898E6486800989A68", "32 7 19.000 S 116 2 25.000 E 10.00m 1m 10000m 10m"),
    ("LOC", "42 21 28.764 N 71 00 51.617 W -44m 2000m", "002516138916CB3C70C310DF00988550", "42 21 28.764 N 71 0 51.617 W -44.00m 2000m 10000m 10m"),
    ("LOC", "90 S 180 W -100000.00m 0m 90000000m 0.05m", "000099506CB0270059604E0000000000", "90 0 0.000 S 180 0 0.000 W -100000.00m 0.00m 90000000m 0.05m"),
    ("LOC", "0 N 0 E 42849672.95m 12m 99.99m .5m", "001393518000000080000000FFFFFFFF", "0 0 0.000 N 0 0 0.000 E 42849672.95m 10m 90m 0.50m"),
    ("SVCB", "0 foo.example.com.", "000003666F6F076578616D706C6503636F6D00", ""),
    ("SVCB", "1 .", "000100", ""),
    ("SVCB", "16 foo.example.com. port=53", "001003666F6F076578616D706C6503636F6D00000300020035", ""),
    ("SVCB", "1 foo.example.com. key667=hello", "000103666F6F076578616D706C6503636F6D00029B000568656C6C6F", r#"1 foo.example.com. key667="hello""#),
    ("SVCB", r#"1 foo.example.com. key667="hello\210qoo""#, "000103666F6F076578616D706C6503636F6D00029B000968656C6C6FD2716F6F", ""),
    ("SVCB", r#"1 foo.example.com. ipv6hint="2001:db8::1,2001:db8::53:1""#, "000103666F6F076578616D706C6503636F6D000006002020010DB800000000000000000000000120010DB8000000000000000000530001", "1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1"),
    ("SVCB", r#"1 example.com. ipv6hint="2001:db8:122:344::192.0.2.33""#, "0001076578616D706C6503636F6D000006001020010DB80122034400000000C0000221", "1 example.com. ipv6hint=2001:db8:122:344::c000:221"),
    ("SVCB", "16 foo.example.org. (alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1)", "001003666F6F076578616D706C65036F7267000000000400010004000100090268320568332D313900040004C0000201", r#"16 foo.example.org. mandatory=alpn,ipv4hint alpn="h2,h3-19" ipv4hint=192.0.2.1"#),
    ("SVCB", r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#, "001003666F6F076578616D706C65036F7267000001000C08665C6F6F2C626172026832", ""),
    ("SVCB", r#"16 foo.example.org. alpn=f\\\092oo\092,bar,h2"#, "001003666F6F076578616D706C65036F7267000001000C08665C6F6F2C626172026832", r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#),
    ("HTTPS", "1 . alpn=h3 no-default-alpn ech=AEn+DQBFKwAgACABWIHUGj4u+PIggYXcR5JF0gYk3dCRioBW8uJq9H4mKAAIAAEAAQABAANAEnB1YmxpYy50bHMtZWNoLmRldgAA", "00010000010003026833000200000005004B0049FE0D00452B00200020015881D41A3E2EF8F2208185DC479245D20624DDD0918A8056F2E26AF47E26280008000100010001000340127075626C69632E746C732D6563682E6465760000", r#"1 . alpn="h3" no-default-alpn ech=AEn+DQBFKwAgACABWIHUGj4u+PIggYXcR5JF0gYk3dCRioBW8uJq9H4mKAAIAAEAAQABAANAEnB1YmxpYy50bHMtZWNoLmRldgAA"#),
    ("SVCB", r#"1 . key65534="""#, "000100FFFE0000", "1 . key65534"),
    ("SVCB", "1 . key668", "000100029C0000", ""),
    ("TYPE65280", r#"\# 4 0a000001"#, "0A000001", r#"\# 4 0A000001"#),
    ("A", r#"\# 4 c0000207"#, "C0000207", "192.0.2.7"),
    ("TYPE1", "192.0.2.7", "C0000207", ""),];

fn read(rtype: &str, text: &str) -> Result<Vec<u8>, String> {
    let name = "hello".parse().unwrap();
    let record = super::super::record_line(format!("@ {rtype} {text}").trim_end(), &name, "p2p");
    record.map(|record| record.rdata).map_err(|error| error.to_string())
}

pub(in super::super) fn octets(hex: &str) -> Vec<u8> {
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
        ("A", "C000020700", "A RDATA: 1 octets are left over"),
        ("A", "", "A RDATA: it ends before an IPv4 address is complete"),
        ("AAAA", "C0000207", "AAAA RDATA: it ends before an IPv6 address is complete"),
        ("NS", "", "NS RDATA: bad domain name: it does not end"),
        ("NS", "0161", "NS RDATA: bad domain name: it does not end"),
        ("NS", "0561", "NS RDATA: bad domain name: it does not end"),
        (
            "NS",
            "C00C",
            "NS RDATA: bad domain name: length octet 0xc0 is none (names in records are not compressed)",
        ),
        ("MX", "000A", "MX RDATA: bad domain name: it does not end"),
        ("TXT", "", "TXT RDATA: it ends before a string is complete"),
        ("TXT", "0568656C6C", "TXT RDATA: it ends before a string is complete"),
        ("HINFO", "0161", "HINFO RDATA: it ends before an operating system is complete"),
        ("CAA", "0000", "CAA RDATA: bad a tag of letters and digits"),
        ("CAA", "00012D", "CAA RDATA: bad a tag of letters and digits"),
        ("DS", "0001010201020304", "DS RDATA: a digest has 4 octets, expected 32"),
        ("DS", "000101F0", "DS RDATA: it ends before a digest is complete"),
        ("SSHFP", "040200", "SSHFP RDATA: a fingerprint has 1 octets, expected 32"),
        ("TLSA", "03010100", "TLSA RDATA: certificate association data has 1 octets, expected 32"),
        ("OPENPGPKEY", "", "OPENPGPKEY RDATA: it ends before an OpenPGP key is complete"),
        ("CSYNC", "0000000000000000", "CSYNC RDATA: bad a type bitmap"),
        ("CSYNC", "000000000000000100", "CSYNC RDATA: bad a type bitmap"),
        ("CSYNC", "000000000000000140000140", "CSYNC RDATA: bad a type bitmap"),
        ("LOC", "01121613800000008000000000989680", "LOC RDATA: bad LOC version: only 0 is known"),
        ("LOC", "00A21613800000008000000000989680", "LOC RDATA: bad LOC size or precision"),
        ("LOC", "00121613FFFFFFFF8000000000989680", "LOC RDATA: bad latitude"),
        ("LOC", "0012161380000000FFFFFFFF00989680", "LOC RDATA: bad longitude"),
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
        ("NS a\\300", "6: \"a\\\\300\" holds a bad escape: write \\DDD with a number up to 255, or \\ and one character"),
        ("NS a\\1", "6: \"a\\\\1\" holds a bad escape: write \\DDD with a number up to 255, or \\ and one character"),
        ("NS bücher.example.", "6: \"bücher.example.\" is no domain name: write it as an A-label, xn--bcher-kva.example"),
        (&label, "6: LABEL is no domain name: a label has 64 octets, at most 63 are allowed"),
        (&name, "6: NAME is no domain name: it has 257 octets in a message, at most 255 are allowed"),
        (&long, "7: a string has 256 octets, at most 255 fit one: split it into several in quotes"),
        ("TXT", "6: the line ends where a string should stand"),
        ("TXT \"open", "7: the quote is not closed on its line"),
        ("TXT a\"b\"", "8: a quote inside a word: put a space before it, or write \\\" for the character"),
        ("CAA 0 issue letsencrypt.org; a comment", "OK"),
        ("CAA 0 is-sue \"\"", "7: CAA RDATA: bad a tag of letters and digits"),
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
        ("LOC 1 N 1 E 0m 1m 1m 1m 1m", "30: \"1m\" is left over: the record was complete before it (text with spaces needs quotes)"),
        ("SVCB 1 . alpn=h2 alpn=h3", "20: SVCB RDATA: parameter alpn is out of order or there twice"),
        ("SVCB 1 . key1=h2 alpn=h3", "20: SVCB RDATA: parameter alpn is out of order or there twice"),
        ("SVCB 1 . alpn", "12: \"alpn\" is not a list of protocols of 1 to 255 octets, such as alpn=h2,h3"),
        ("SVCB 1 . alpn=h2,,h3", "12: \"alpn=h2,,h3\" is not a list of protocols of 1 to 255 octets, such as alpn=h2,h3"),
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
pub(in super::super) fn any_rdata() -> impl Strategy<Value = (u16, Vec<u8>)> {
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
