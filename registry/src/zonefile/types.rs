//! The record types by number, mnemonic and fields: one table for reading, writing and checking.

use super::fields::Field::{self, *};

/// What is known of a type.
pub(super) struct Form {
    pub(super) rtype: u16,
    pub(super) mnemonic: &'static str,
    /// Its RDATA, field by field; none if it has no text form here.
    pub(super) fields: &'static [Field],
}

const fn form(rtype: u16, mnemonic: &'static str, fields: &'static [Field]) -> Form {
    Form { rtype, mnemonic, fields }
}

pub(super) const CNAME: u16 = 5;
pub(super) const SOA: u16 = 6;
pub(super) const NS: u16 = 2;
pub(super) const A: u16 = 1;
pub(super) const MX: u16 = 15;
pub(super) const AAAA: u16 = 28;
pub(super) const SRV: u16 = 33;
pub(super) const DNAME: u16 = 39;
pub(super) const DS: u16 = 43;

const HOST: &[Field] = &[Name("a domain name")];
const PREFERRED_HOST: &[Field] = &[U16("a preference"), Name("a domain name")];
const TEXTS: &[Field] = &[Texts("a string")];
const DELEGATION: &[Field] = &[
    U16("a key tag"),
    U8("an algorithm"),
    U8("a digest type"),
    Digest("a digest", &[(1, 20), (2, 32), (3, 32), (4, 48)]),
];
const KEY: &[Field] = &[U16("flags"), U8("a protocol"), U8("an algorithm"), Base64("a public key")];
const CERTIFICATE: &[Field] = &[
    U8("a certificate usage"),
    U8("a selector"),
    U8("a matching type"),
    Digest("certificate association data", &[(1, 32), (2, 64)]),
];
const SERVICE: &[Field] = &[U16("a priority"), Name("a target name"), SvcParams];
const CERT_TYPES: &[(&str, u16)] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

/// Ascending by number.
static FORMS: &[Form] = &[
    form(1, "A", &[Ipv4]),
    form(2, "NS", HOST),
    form(5, "CNAME", HOST),
    form(
        6,
        "SOA",
        &[
            Name("the primary server"),
            Name("the mailbox"),
            U32("a serial"),
            Period("the refresh time"),
            Period("the retry time"),
            Period("the expiry time"),
            Period("the negative TTL"),
        ],
    ),
    form(7, "MB", HOST),
    form(8, "MG", HOST),
    form(9, "MR", HOST),
    form(10, "NULL", &[]),
    form(11, "WKS", &[]),
    form(12, "PTR", HOST),
    form(13, "HINFO", &[Text("a CPU"), Text("an operating system")]),
    form(14, "MINFO", &[Name("a mailbox"), Name("a mailbox for errors")]),
    form(15, "MX", PREFERRED_HOST),
    form(16, "TXT", TEXTS),
    form(17, "RP", &[Name("a mailbox"), Name("a name with TXT")]),
    form(18, "AFSDB", &[U16("a subtype"), Name("a host")]),
    form(19, "X25", &[Text("a PSDN address")]),
    form(21, "RT", PREFERRED_HOST),
    form(22, "NSAP", &[]),
    form(24, "SIG", &[]),
    form(25, "KEY", KEY),
    form(28, "AAAA", &[Ipv6]),
    form(29, "LOC", &[Loc]),
    form(30, "NXT", &[]),
    form(33, "SRV", &[U16("a priority"), U16("a weight"), U16("a port"), Name("a target")]),
    form(
        35,
        "NAPTR",
        &[
            U16("an order"),
            U16("a preference"),
            Text("flags"),
            Text("a service"),
            Text("a regular expression"),
            Name("a replacement"),
        ],
    ),
    form(36, "KX", PREFERRED_HOST),
    form(
        37,
        "CERT",
        &[Code("a certificate type", CERT_TYPES), U16("a key tag"), U8("an algorithm"), Base64("a certificate")],
    ),
    form(39, "DNAME", HOST),
    form(41, "OPT", &[]),
    form(42, "APL", &[]),
    form(43, "DS", DELEGATION),
    form(44, "SSHFP", &[U8("an algorithm"), U8("a fingerprint type"), Digest("a fingerprint", &[(1, 20), (2, 32)])]),
    form(45, "IPSECKEY", &[]),
    form(46, "RRSIG", &[]),
    form(47, "NSEC", &[]),
    form(48, "DNSKEY", &[]),
    form(49, "DHCID", &[Base64("an identifier")]),
    form(50, "NSEC3", &[]),
    form(51, "NSEC3PARAM", &[]),
    form(52, "TLSA", CERTIFICATE),
    form(53, "SMIMEA", CERTIFICATE),
    form(55, "HIP", &[]),
    form(59, "CDS", DELEGATION),
    form(60, "CDNSKEY", KEY),
    form(61, "OPENPGPKEY", &[Base64("an OpenPGP key")]),
    form(62, "CSYNC", &[U32("a serial"), U16("flags"), TypeBitmap]),
    form(
        63,
        "ZONEMD",
        &[U32("a serial"), U8("a scheme"), U8("a hash algorithm"), Digest("a digest", &[(1, 48), (2, 64)])],
    ),
    form(64, "SVCB", SERVICE),
    form(65, "HTTPS", SERVICE),
    form(99, "SPF", TEXTS),
    form(104, "NID", &[U16("a preference"), Groups("a node identifier of four hex groups")]),
    form(105, "L32", &[U16("a preference"), Ipv4]),
    form(106, "L64", &[U16("a preference"), Groups("a locator of four hex groups")]),
    form(107, "LP", PREFERRED_HOST),
    form(108, "EUI48", &[Eui("an EUI-48 address, such as 00-00-5e-00-53-2a", 6)]),
    form(109, "EUI64", &[Eui("an EUI-64 address, such as 00-00-5e-ef-10-00-00-2a", 8)]),
    form(256, "URI", &[U16("a priority"), U16("a weight"), LongText("a target")]),
    form(257, "CAA", &[U8("flags"), Tag("a tag of letters and digits"), LongText("a value")]),
    form(258, "AVC", TEXTS),
    form(260, "AMTRELAY", &[]),
    form(261, "RESINFO", TEXTS),
    form(262, "WALLET", TEXTS),
    form(32769, "DLV", DELEGATION),
];

/// What is known of `rtype`.
pub(super) fn form_of(rtype: u16) -> Option<&'static Form> {
    let at = FORMS.binary_search_by_key(&rtype, |form| form.rtype).ok()?;
    FORMS.get(at)
}

/// The fields of `rtype`, none if it has no text form here.
pub(super) fn fields_of(rtype: u16) -> &'static [Field] {
    form_of(rtype).map_or(&[], |form| form.fields)
}

/// The mnemonic of a type, `TYPE65280` if it has none.
#[must_use]
pub fn type_name(rtype: u16) -> String {
    form_of(rtype).map_or_else(|| format!("TYPE{rtype}"), |form| form.mnemonic.to_owned())
}

/// The number of a mnemonic in either case, or of `TYPE65280` (RFC 3597).
#[must_use]
pub fn type_number(text: &str) -> Option<u16> {
    if let Some(form) = FORMS.iter().find(|form| form.mnemonic.eq_ignore_ascii_case(text)) {
        return Some(form.rtype);
    }
    let (prefix, digits) = text.split_at_checked(4)?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if prefix.eq_ignore_ascii_case("TYPE") && plain { digits.parse().ok() } else { None }
}
