"""What a registered name can be like: hosts, each record type, wildcards, delegations, DNAME, aliases, odd labels, big RRsets."""

import collections

from compare_wire import name_of, name_wire

# Owner relative to the name, TTL, type, data as our zone files have it, and RDATA in hexadecimal where it stands as `\#`.
Line = collections.namedtuple("Line", "owner ttl type data generic")
DS = "DS 55648 13 2 B4C8C1FE2E7477127B27115656AD6256F424625BF5C1E2770CE6D6E37DF61D17"

# An example of each type that our zone files have a text form for.
TEXTS = {
    "A": "192.0.2.7", "AAAA": "2001:db8::7",
    "PTR": "Host.Example.", "HINFO": '"PDP-11" UNIX', "MINFO": "rmail.example. emailbx.example.", "MX": "10 Mail.Example.",
    "TXT": r'"a b" c "" "\"q\"\\" "\000\255;"', "RP": "admin.example. people.example.", "AFSDB": "1 afs.example.",
    "RT": "10 relay.example.", "LOC": "52 14 05 N 00 08 50 E 10m", "SRV": "0 5 5060 Sip.Example.",
    "KEY": "256 3 8 AwEAAQ==", "NAPTR": r'100 100 "u" "E2U+sip" "!^(\\+441632960083)$!sip:\\1@example.com!" Next.Example.',
    "KX": "10 kx.example.", "CERT": "PGP 0 0 AQIDBA==", "SSHFP": "4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789",
    "DHCID": "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
    "TLSA": "3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971", "SMIMEA": "3 0 0 308201",
    "CDS": "0 0 0 00", "CDNSKEY": "0 3 0 AA==", "OPENPGPKEY": "AQIDBA==", "CSYNC": "66 3 A NS AAAA",
    "SVCB": '16 Foo.Example. mandatory=alpn,ipv4hint alpn="h2,h3-19" ipv4hint=192.0.2.1', "HTTPS": "1 . alpn=h3,h2 ipv6hint=2001:db8::7",
    "SPF": '"v=spf1 -all"', "NID": "10 0014:4fff:ff20:ee64", "L32": "10 10.1.2.0", "L64": "10 2001:0db8:1140:1000",
    "LP": "10 l64-subnet1.example.", "EUI48": "00-00-5e-00-53-2a", "EUI64": "00-00-5e-ef-10-00-00-2a",
    "URI": '10 1 "ftp://ftp1.example.com/public"', "CAA": '0 issue "ca.example"',
    "ZONEMD": "2018031500 1 1 FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE7EB1A7B641A47BA7FED2DD5B97AE499FAFA4F22C6BD647DE",
}


def texts_wire(*strings):
    return b"".join(bytes([len(string)]) + string for string in strings).hex()


def domain_wire(text):
    return name_wire(name_of(text)).hex()


# Types that not every one of the servers has a text form for: theirs is `\#`, ours is text where there is one.
GENERIC = {
    "NULL": (None, "00ff00ff"), "WKS": (None, "c00002070600000000000040"), "NSAP": (None, "47000580005a0000000001e133ffffff000161"),
    "APL": (None, "000110020a40"), "IPSECKEY": (None, "0a0102c0000226010351"),
    "HIP": (None, "100200087b1c6e4d4ef6b7a0f41a87bed4f1cd3c0102030405060708"), "AMTRELAY": (None, "0a02" + "20010db8" + "00" * 11 + "07"),
    "MB": ("mail.example.", domain_wire("mail.example.")), "MG": ("group.example.", domain_wire("group.example.")),
    "MR": ("New.Example.", domain_wire("New.Example.")), "X25": ('"311061700956"', texts_wire(b"311061700956")),
    "AVC": ('"app-name:WOLFGANG"', texts_wire(b"app-name:WOLFGANG")), "RESINFO": ('"qnamemin" "exterr=15-17"', texts_wire(b"qnamemin", b"exterr=15-17")),
    "WALLET": ('"BTC" "bc1qexample"', texts_wire(b"BTC", b"bc1qexample")), "DLV": ("55648 13 2 " + "ab" * 32, "d9600d02" + "ab" * 32),
    "TYPE65280": (None, "68656c6c6f"), "TYPE65534": (None, ""), "TYPE4660": (None, "c00c" * 20), "TYPE127": (None, "00"),
    "TYPE20": (None, "03616263"), "TYPE31": (None, "ff"), "TYPE300": (None, "aa" * 300),
}


def line(text):
    """A line from `OWNER TTL TYPE DATA`."""
    owner, ttl, rtype, data = (text.split(None, 3) + [""])[:4]
    return Line(owner, int(ttl), rtype, data, None)


def lines(text):
    return [line(it) for it in text.splitlines() if it.strip() and not it.startswith(";")]


def typed(owner, ttl, rtype):
    """The example of a type."""
    if rtype in TEXTS:
        return Line(owner, ttl, rtype, TEXTS[rtype], None)
    data, rdata = GENERIC[rtype]
    return Line(owner, ttl, rtype, data, rdata)


def strings(octets):
    """TXT data of so many octets, all in all, in strings as long as they can be."""
    parts = []
    while octets > 0:
        parts.append('"' + "x" * min(octets - 1, 255) + '"')
        octets -= 256
    return " ".join(parts)


# Shapes: of the name's label, the labels of others to point to, and a generator of random choices

def host(label, others, rng):
    out = lines(f"""
@ 300 A 192.0.2.{rng.randrange(256)}
@ 300 A 198.51.100.{rng.randrange(256)}
@ 300 AAAA 2001:db8::{rng.randrange(1, 65536):x}
@ 3600 MX 10 mail
@ 3600 MX 20 Mail.{rng.choice(others)}.p2p.
@ 3600 TXT "v=spf1 mx -all"
mail {rng.choice((0, 1, 300, 2147483647))} A 203.0.113.{rng.randrange(256)}
www 300 CNAME @
ftp 300 CNAME www
_sip._tcp 60 SRV 0 5 5060 mail
_443._tcp.www 60 TLSA {TEXTS["TLSA"]}
MiXed.CASE 60 TXT "folded"
""")
    return out


def types(part):
    def shape(label, others, rng):
        every = sorted([*TEXTS, *GENERIC])
        return [typed(f"t-{rtype.lower()}", 60 + number, rtype) for number, rtype in enumerate(every) if number % 4 == part]
    return shape


def crowd(label, others, rng):
    """Many types at one owner."""
    some = rng.sample([it for it in sorted([*TEXTS, *GENERIC]) if it not in ("DLV", "ZONEMD", "TYPE300")], 18)
    return [typed("@", 300, rtype) for rtype in some] + [typed("below", 300, some[0])]


def wildcards(label, others, rng):
    return lines("""
@ 300 TXT "wild"
* 300 A 192.0.2.1
* 300 MX 5 mail
mail 300 A 192.0.2.25
*.deep 300 TXT "deep"
*.deep 300 SRV 0 0 53 @
*.a.b.c 300 AAAA 2001:db8::1
here.deep 300 A 192.0.2.2
x.y.deep 300 A 192.0.2.3
sub.*.star 300 A 192.0.2.4
*.star2 300 A 192.0.2.5
under.*.star2 300 TXT "under a wildcard"
*a.lit 300 A 192.0.2.6
a*.lit 300 A 192.0.2.7
a.*.lit2 300 TXT "in the middle"
*.*.two 300 TXT "two"
ent.ent.wild3 300 A 192.0.2.8
*.wild3 300 A 192.0.2.9
""")


def wild_aliases(label, others, rng):
    return lines(f"""
*.here 300 CNAME target
target 300 A 192.0.2.1
*.lost 300 CNAME nowhere
*.away 300 CNAME Elsewhere.Example.
*.next 300 CNAME www.{rng.choice(others)}.p2p.
*.again 300 CNAME x.y.here
*.self 300 CNAME a.self
*.cut 300 CNAME a.b.sub
*.dn 300 CNAME a.b.old
*.none 300 CNAME ent
a.ent 300 A 192.0.2.3
old 300 DNAME here
sub 300 NS ns.sub
ns.sub 300 A 192.0.2.53
""")


def empty(label, others, rng):
    return lines("""
a.b.c.d.e 300 A 192.0.2.1
f.c.d.e 300 TXT "beside"
_a._b._c 300 TXT "x"
www.only.below 300 CNAME a.b.c.d.e
cut.in.below 300 NS ns.elsewhere.example.
1.2.3.4.5.6.7.8.9.10.11.12 300 PTR x.example.
""")


def cuts(label, others, rng):
    return lines(f"""
@ 300 A 192.0.2.1
ns 300 A 192.0.2.52
ns 300 AAAA 2001:db8::52
in 3600 NS ns1.in
in 3600 NS ns2.in
ns1.in 600 A 192.0.2.53
ns1.in 700 AAAA 2001:db8::53
ns2.in 600 A 192.0.2.54
signed 300 NS NS.Signed
signed 300 {DS}
signed 300 DS 1 8 1 2BB183AF5F22588179A53B0A98631FAD1A292118
ns.signed 300 AAAA 2001:db8::54
out 300 NS ns1.elsewhere.example.
out 300 NS ns2.elsewhere.example.
out 300 {DS}
side 300 NS ns
side 300 NS ns.elsewhere.example.
self 300 NS self
self 300 A 192.0.2.55
noglue 300 NS ns.noglue
other 300 NS ns1.in
other 300 NS ns.{rng.choice(others)}.p2p.
deep.in.here 300 NS ns.deep.in.here
ns.deep.in.here 300 A 192.0.2.56
*.in 300 TXT "hidden by the cut"
hidden.in 300 TXT "hidden"
down.in 300 NS ns.down.in
ns.down.in 300 A 192.0.2.57
to 300 CNAME a.b.in
to2 300 CNAME signed
to3 300 CNAME ns1.in
srv 300 SRV 0 0 53 ns1.in
mx 300 MX 1 ns
""")


def delegated(label, others, rng):
    """Others answer for the whole name."""
    return lines("""
@ 3600 NS ns1
@ 3600 NS ns2.sub
@ 3600 NS ns.elsewhere.example.
ns1 3600 A 192.0.2.53
ns2.sub 3600 AAAA 2001:db8::53
""" + (f"@ 3600 {DS}\n" if rng.random() < 0.5 else ""))


def delegated_beside(label, others, rng):
    """The servers are in somebody else's name."""
    return lines(f"""
@ 3600 NS ns.{rng.choice(others)}.p2p.
@ 3600 NS ns2.{rng.choice(others)}.p2p.
""")


def servers(label, others, rng):
    return lines("""
ns 3600 A 192.0.2.61
ns 3600 AAAA 2001:db8::61
ns2 3600 A 192.0.2.62
@ 300 TXT "serves others"
""")


def many_servers(label, others, rng):
    count = rng.choice((4, 8, 10, 13))
    out = []
    for number in range(count):
        out += lines(f"""
cut 300 NS name-server-{number}.cut
name-server-{number}.cut 300 A 192.0.2.{number}
name-server-{number}.cut 300 AAAA 2001:db8::{number}
beside 300 NS server-{number}.at
server-{number}.at 300 A 198.51.100.{number}
server-{number}.at 300 AAAA 2001:db8:1::{number}
""")
    return out


def redirected(label, others, rng):
    """A DNAME to below itself is not among them: the chain has no end but the bound that each server has (5 to 16)."""
    other = rng.choice(others)
    return lines(f"""
old 600 DNAME new
new 300 TXT "the new home"
a.new 300 A 192.0.2.1
*.b.new 300 A 192.0.2.2
c.new 300 CNAME a.new
away 300 DNAME Elsewhere.Example.
beside 300 DNAME {other}.p2p.
beside 300 A 192.0.2.3
beside 300 TXT "data where the DNAME is"
chain1 300 DNAME chain2
chain2 300 DNAME chain3
chain3 300 DNAME new
loop1 300 DNAME loop2
loop2 300 DNAME loop1
tocut 300 DNAME x.sub
sub 300 NS ns.sub
ns.sub 300 A 192.0.2.53
lost 300 DNAME nowhere
root 300 DNAME .
apex 300 DNAME @
long 300 DNAME {'l' * 63}.{'m' * 63}.{'n' * 40}
in.alias 300 CNAME a.old
to-dname 300 CNAME old
""")


def all_redirected(label, others, rng):
    return lines(f"""
@ 300 DNAME {rng.choice((rng.choice(others) + '.p2p.', 'Elsewhere.Example.'))}
@ 300 A 192.0.2.1
""")


def alias(label, others, rng):
    """The name itself is an alias."""
    return lines(f"@ 300 CNAME {rng.choice((rng.choice(others) + '.p2p.', 'www.' + rng.choice(others) + '.p2p.', 'Elsewhere.Example.', 'not-there-9.p2p.'))}")


def aliases(label, others, rng):
    other = rng.choice(others)
    return lines(f"""
c1 10 CNAME c2
c2 20 CNAME c3
c3 30 CNAME c4
c4 40 CNAME C5
c5 50 CNAME c6
c6 60 CNAME end
end 70 A 192.0.2.1
end 70 TXT "end"
self 300 CNAME self
two1 300 CNAME two2
two2 300 CNAME two1
three1 300 CNAME three2
three2 300 CNAME three3
three3 300 CNAME three1
in 300 CNAME three2
lost 300 CNAME nowhere
lost2 300 CNAME a.b.c.nowhere
no 300 CNAME ent
x.ent 300 A 192.0.2.2
away 300 CNAME Host.Elsewhere.Example.
tld 300 CNAME p2p.
ns 300 CNAME ns.dotp2p.p2p.
other 300 CNAME www.{other}.p2p.
other2 300 CNAME {other}.p2p.
missing 300 CNAME www.not-there-9.p2p.
big 300 CNAME large
large 300 TXT {strings(1300)}
wild 300 CNAME a.b.w
*.w 300 CNAME end
root 300 CNAME .
""")


def odd(label, others, rng):
    long = "abcdefghij" * 6 + "xyz"
    return lines(rf"""
\000 300 A 192.0.2.1
a\.b 300 A 192.0.2.2
a\032b 300 TXT "space"
\255\254 300 TXT "high"
\@ 300 TXT "at"
\042.q 300 TXT "a star, written with a backslash, is a star"
1 300 A 192.0.2.3
0123456789 300 A 192.0.2.4
-x- 300 A 192.0.2.5
--- 300 A 192.0.2.6
_ 300 TXT "underscore"
_dmarc 300 TXT "v=DMARC1; p=none"
{long} 300 A 192.0.2.7
{long}.{long}.{long[:40]} 300 A 192.0.2.8
xn--bcher-kva 300 A 192.0.2.9
\127\001\002 300 PTR \127.x\.y.example.
\(\;\$ 300 CNAME a\.b
\000.\000.\000 300 A 192.0.2.10
a\\b 300 TXT "backslash"
""" + "\n".join(rf"b\{octet:03} 60 A 192.0.2.{octet % 256}" for octet in rng.sample(range(256), 20) if chr(octet).lower() == chr(octet) or octet > 127))


def long_texts(label, others, rng):
    return [Line("@", 300, "TXT", strings(rng.randrange(1000, 2400)), None), Line("t", 60, "TXT", strings(rng.randrange(400, 600)), None),
            *(Line("many", 60, "TXT", f'"{number} {"y" * rng.randrange(60)}"', None) for number in range(20))]


def sizes(label, others, rng):
    """Answers whose bytes are around what fits."""
    out, left = [], 3_800
    for number in range(6):
        octets = rng.choice((512, 1232, 600, 800, 1000)) - 40 - rng.randrange(-12, 60)
        left -= octets
        if left > 0:
            out.append(Line(f"s{number}", 60, "TXT", strings(octets), None))
    return out


def many(label, others, rng):
    """RRsets with many records."""
    out = [Line("a", 300, "A", f"192.0.2.{number}", None) for number in rng.sample(range(256), rng.randrange(20, 90))]
    out += [Line("aaaa", 300, "AAAA", f"2001:db8::{number:x}", None) for number in rng.sample(range(1, 65536), rng.randrange(10, 45))]
    return out


def many_names(label, others, rng):
    """RRsets with many names in their RDATA, which a message may compress."""
    most = 24 if len(label) < 20 else 12  # A name's records have 4,096 bytes at most (R7).
    out = [Line("mx", 300, "MX", f"{number} mail-server-{number}", None) for number in range(rng.randrange(8, most))]
    out += [Line("ptr", 300, "PTR", f"Host-{number}.some.where.example.", None) for number in range(rng.randrange(8, 30))]
    out += [Line("srv", 300, "SRV", f"0 0 53 server-{number}", None) for number in range(rng.randrange(5, 10))]
    out += [Line("ns", 300, "NS", f"ns-{number}.some.where.example.", None) for number in range(rng.randrange(5, 26))]
    return out


def single(label, others, rng):
    rtype = rng.choice([it for it in sorted(TEXTS) if it not in ("CDS", "CDNSKEY", "ZONEMD", "CSYNC")])
    return [typed("@", rng.choice((0, 5, 300, 86_400)), rtype)]


EVERY = [host, types(0), types(1), types(2), types(3), crowd, wildcards, wild_aliases, empty, cuts, delegated, delegated_beside, servers,
         many_servers, redirected, all_redirected, alias, aliases, odd, long_texts, sizes, many, many_names]
# What the others are drawn from: mostly what most names are.
FILL = [host] * 6 + [single] * 6 + [servers] * 2 + [crowd, wildcards, wild_aliases, empty, cuts, delegated, delegated, delegated_beside, many_servers,
        redirected, all_redirected, alias, alias, aliases, odd, long_texts, sizes, sizes, sizes, many, many, many_names, many_names]
