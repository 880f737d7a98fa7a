"""Questions that few ask and every server must stand: RFC 8906's, messages that are none, and who asks for the version.

Each case is a packet and what must be heard, so that it is the same for every server. Ours must pass all; what the others
say is told beside it, for who wants to know how strict a case is.
"""

import collections
import socket
import struct

from compare_ask import TIMEOUT_S
from compare_wire import AA, AD, CD, CLASS_CH, DO, QR, RA, RD, TC, TYPES, Edns, Malformed, Z, message_text, name_wire, opt_wire, query, read

SOA, DNSKEY, TXT, A, UNKNOWN = 6, 48, 16, 1, 1000
APEX = (b"p2p",)
NOERROR, FORMERR, NOTIMP, REFUSED, BADVERS, BADCOOKIE = 0, 1, 4, 5, 16, 23
OPCODE_IQUERY, OPCODE_STATUS, OPCODE_NOTIFY, OPCODE_UPDATE, OPCODE_UNKNOWN = 1, 2, 4, 5, 15
EDNS_FLAG_UNKNOWN = 0x0040
OPTION_UNKNOWN = struct.pack(">HH4s", 100, 4, b"\x01\x02\x03\x04")
NUMBER = 0x1234

# `source`: where it is asked for. `expected`: a function of the answer that gives what is wrong with it.
Case = collections.namedtuple("Case", "source name packet tcp expected")
NOTHING = "nothing"


def edns(payload=1232, version=0, flags=0, options=b""):
    return Edns(payload, 0, version, flags, options)


def wants(rcode, soa=None, aa=None, opt=None, version=0, options=None, questions=1, opcode=0, flags_set=0, edns_flags=None):
    """What an answer must be; `None`: either will do."""
    def expected(answer):
        if not hasattr(answer, "rcode"):
            yield f"no message: {answer}"
            return
        rcodes = rcode if isinstance(rcode, tuple) else (rcode,)
        has_soa = any(record.type == SOA for record in answer.answer)
        options_seen = answer.edns.options if answer.edns else b""
        for is_so, what in (
            (answer.flags & QR, "it is no response"),
            (answer.id == NUMBER, "another id"),
            (answer.rcode in rcodes, f"rcode {answer.rcode}, expected {rcodes}"),
            (answer.opcode == opcode, f"opcode {answer.opcode}, expected {opcode}"),
            (soa is None or has_soa == soa, f"SOA in the answer: {has_soa}"),
            (aa is None or bool(answer.flags & AA) == aa, "AA"),
            (not answer.flags & (Z | RA | TC), "Z, RA or TC is set"),
            (answer.flags & flags_set == flags_set, "a flag is not copied"),
            (opt is None or (answer.edns is not None) == opt, f"OPT: {answer.edns}"),
            (not answer.edns or answer.edns.version == version, "EDNS version"),
            (not answer.edns or not answer.edns.flags & ~DO, "unknown EDNS flags come back"),
            (edns_flags is None or (answer.edns and answer.edns.flags == edns_flags), "EDNS flags"),
            (options is None or options_seen == options, f"options {options_seen.hex()}"),
            (questions is None or answer.counts[0] == questions, f"{answer.counts[0]} questions come back"),
        ):
            if not is_so:
                yield what
    return expected


def silence(answer):
    if answer != NOTHING:
        yield f"an answer where there must be none: {answer}"


def hidden(version):
    """No answer at all, or one that gives nothing away."""
    def expected(answer):
        if not hasattr(answer, "rcode"):
            yield f"no message: {answer}"
        elif answer.answer or answer.additional:
            yield "it tells something"
        elif version in answer.raw or b"dotp2p 0" in answer.raw:
            yield "it tells the version"
    return expected


def head(flags=0, opcode=0, counts=(0, 0, 0, 0)):
    return struct.pack(">6H", NUMBER, flags | opcode << 11, *counts)


def question(name=APEX, qtype=SOA, klass=1):
    return name_wire(name) + struct.pack(">2H", qtype, klass)


def cookie(octets):
    return struct.pack(">HH", 10, octets) + bytes(range(octets))


def longest(octets):
    """A question for a name of 194 octets and so many."""
    labels = (b"a" * 63,) * 3 + (b"a" * octets,)
    return question(labels)


def soa(flags=0, opt=None, qtype=SOA):
    return query(NUMBER, APEX, qtype, flags=flags, edns=opt)


def cases(version):
    ok = {"soa": True, "aa": True}
    plain, with_opt = wants(NOERROR, opt=False, **ok), wants(NOERROR, opt=True, options=b"", **ok)
    bad_version = wants(BADVERS, soa=False, opt=True, options=b"")
    of_8906 = [
        ("8.1.1", "a plain question", soa(), plain),
        ("8.1.2", "an unknown type", soa(qtype=UNKNOWN), wants(NOERROR, soa=False, aa=True, opt=False)),
        ("8.1.3.1", "CD", soa(CD), plain),
        ("8.1.3.2", "AD", soa(AD), plain),
        ("8.1.3.3", "the reserved flag Z", soa(Z), plain),
        ("8.1.3.4", "RD", soa(RD), wants(NOERROR, opt=False, flags_set=RD, **ok)),
        ("8.1.3", "all flags at once", soa(RD | CD | AD | Z), wants(NOERROR, opt=False, flags_set=RD, **ok)),
        ("8.1.4", "an unknown opcode, a header alone", head(opcode=OPCODE_UNKNOWN), wants(NOTIMP, soa=False, aa=False, opt=False, questions=0, opcode=OPCODE_UNKNOWN)),
        ("8.2.1", "EDNS", soa(opt=edns()), with_opt),
        ("8.2.2", "an unknown EDNS version", soa(opt=edns(version=1)), bad_version),
        ("8.2.2", "the last EDNS version", soa(opt=edns(version=255)), bad_version),
        ("8.2.3", "an unknown EDNS option", soa(opt=edns(options=OPTION_UNKNOWN)), with_opt),
        ("8.2.4", "an unknown EDNS flag", soa(opt=edns(flags=EDNS_FLAG_UNKNOWN)), with_opt),
        ("8.2.4", "all EDNS flags", soa(opt=edns(flags=0xFFFF)), wants(NOERROR, opt=True, options=b"", edns_flags=DO, **ok)),
        ("8.2.5", "an unknown version and flag", soa(opt=edns(version=1, flags=EDNS_FLAG_UNKNOWN)), bad_version),
        ("8.2.6", "an unknown version and option", soa(opt=edns(version=1, options=OPTION_UNKNOWN)), bad_version),
        ("8.2.7", "DO and 512 bytes", soa(opt=edns(512, flags=DO), qtype=DNSKEY), wants(NOERROR, aa=True, opt=True)),
        ("8.2.8", "DO", soa(opt=edns(flags=DO)), wants(NOERROR, opt=True, options=b"", edns_flags=DO, **ok)),
        ("8.2.9", "an unknown version and DO", soa(opt=edns(version=1, flags=DO)), bad_version),
        ("8.2", "options defined by others", soa(opt=edns(options=OPTIONS_DEFINED)), wants(NOERROR, opt=True, **ok)),
        ("8.2", "an option that is empty", soa(opt=edns(options=struct.pack(">HH", 65_001, 0))), with_opt),
        ("8.2", "a payload of nothing", soa(opt=edns(0)), with_opt),
    ]
    for source, name, packet, expected in of_8906:
        # 8.1.5 and 8.2.10: all of it over TCP, too.
        for tcp in (False, True):
            yield Case(f"RFC 8906 {source}", name, packet, tcp, expected)
    no_questions = wants((FORMERR, NOTIMP, REFUSED), soa=False, aa=False, questions=0)
    not_one = wants(FORMERR, soa=False, aa=False, questions=None)
    strange = [
        ("RFC 9619 3", "no question", head(), no_questions),
        ("RFC 9619 3", "no question, with EDNS", head(counts=(0, 0, 0, 1)) + opt_wire(edns()), no_questions),
        ("RFC 7873 5.4", "no question, for a cookie", head(counts=(0, 0, 0, 1)) + opt_wire(edns(options=cookie(8))), wants(NOERROR, soa=False, opt=True, questions=0)),
        ("RFC 7873 5.4", "no question, with a cookie of nobody", head(counts=(0, 0, 0, 1)) + opt_wire(edns(options=cookie(24))), wants(BADCOOKIE, soa=False, opt=True, questions=0)),
        ("RFC 9619 4", "two questions", head(counts=(2, 0, 0, 0)) + question() + question(qtype=A), not_one),
        ("RFC 9619 4", "the same question twice", head(counts=(2, 0, 0, 0)) + question() * 2, not_one),
        ("RFC 9619 4", "two questions are announced, one comes", head(counts=(2, 0, 0, 0)) + question(), not_one),
        ("RFC 9619 4", "65,535 questions are announced", head(counts=(65_535, 0, 0, 0)) + question(), not_one),
        ("RFC 1035 4.1.1", "a response", head(flags=QR, counts=(1, 0, 0, 0)) + question(), silence),
        ("RFC 1035 4.1.1", "a response of an unknown opcode", head(flags=QR, opcode=OPCODE_UNKNOWN), silence),
        ("RFC 1035 4.1.1", "half a header", head()[:6], silence),
        ("RFC 1035 4.1.4", "a question that points at itself", head(counts=(1, 0, 0, 0)) + b"\xc0\x0c" + struct.pack(">2H", SOA, 1), not_one),
        ("RFC 1035 4.1.4", "a question that points behind itself", head(counts=(1, 0, 0, 0)) + b"\xc0\x20" + struct.pack(">2H", SOA, 1), not_one),
        ("RFC 1035 4.1.2", "a question that ends in its name", head(counts=(1, 0, 0, 0)) + b"\x03p2", not_one),
        ("RFC 1035 4.1.2", "a question without class", head(counts=(1, 0, 0, 0)) + name_wire(APEX) + b"\0\x06", not_one),
        ("RFC 1035 3.1", "a label of 64 octets", head(counts=(1, 0, 0, 0)) + b"\x40" + b"a" * 64 + question(), not_one),
        ("RFC 1035 3.1", "a name of 256 octets", head(counts=(1, 0, 0, 0)) + longest(62), not_one),
        ("RFC 1035 3.1", "a name of 255 octets, of another zone", head(counts=(1, 0, 0, 0)) + longest(61), wants(REFUSED, soa=False, aa=False)),
        ("RFC 6891 6.1.1", "two OPT records", head(counts=(1, 0, 0, 2)) + question() + opt_wire(edns()) * 2, not_one),
        ("RFC 6891 6.1.1", "an OPT record that is not the root's", head(counts=(1, 0, 0, 1)) + question() + b"\x01a" + opt_wire(edns()), not_one),
        ("RFC 6891 6.1.2", "an option longer than its record", soa(opt=edns(options=struct.pack(">HH", 100, 9) + b"x")), not_one),
        ("RFC 1035 4.1.1", "IQUERY", head(opcode=OPCODE_IQUERY), wants(NOTIMP, questions=None, opcode=OPCODE_IQUERY)),
        ("RFC 1035 4.1.1", "STATUS", head(opcode=OPCODE_STATUS, counts=(1, 0, 0, 0)) + question(), wants(NOTIMP, questions=None, opcode=OPCODE_STATUS)),
        ("RFC 1996 3", "NOTIFY of a stranger", head(opcode=OPCODE_NOTIFY, flags=AA, counts=(1, 0, 0, 0)) + question(),
         wants((NOTIMP, REFUSED, 9), questions=None, opcode=OPCODE_NOTIFY)),
        ("RFC 2136 3", "UPDATE of a stranger", head(opcode=OPCODE_UPDATE, counts=(1, 0, 0, 0)) + question(),
         wants((NOTIMP, REFUSED, 9), questions=None, opcode=OPCODE_UPDATE)),
        ("RFC 5936 2.2", "AXFR of a stranger", soa(qtype=252), wants((NOTIMP, REFUSED, 9), soa=False)),
        ("RFC 1995 2", "IXFR of a stranger", soa(qtype=251), wants((NOTIMP, REFUSED, 9, FORMERR), soa=False)),
    ]
    for source, name, packet, expected in strange:
        for tcp in (False, True):
            if not (tcp and expected is silence and len(packet) < 12):
                yield Case(source, name, packet, tcp, expected)
    for name in (b"version.bind", b"version.server", b"id.server", b"hostname.bind", b"authors.bind"):
        for qtype in (TXT, TYPES["ANY"]):
            packet = query(NUMBER, tuple(name.split(b".")), qtype, CLASS_CH, edns=edns())
            yield Case("RFC 4892", f"{name.decode()}, class CHAOS", packet, False, hidden(version))


# NSID, a client's subnet (192.0.2.0/24), EXPIRE, a client's cookie, padding.
OPTIONS_DEFINED = b"".join(struct.pack(">HH", code, len(data)) + data for code, data in (
    (3, b""), (8, b"\0\x01\x18\0\xc0\0\x02"), (9, b""), (10, b"\1\2\3\4\5\6\7\x08"), (12, b"\0" * 8)))


class Raw:
    """A message and its bytes."""

    def __init__(self, packet):
        self.raw, self.message = packet, read(packet)

    def __getattr__(self, name):
        return getattr(self.message, name)


def ask(address, case):
    """What comes, `NOTHING`, or a text that says why it is no message.

    Silence is told from a loss by a plain question sent after it: servers answer a client's packets in order.
    """
    after = query(NUMBER ^ 0xFFFF, APEX, SOA)
    kind = socket.SOCK_STREAM if case.tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(TIMEOUT_S)
        sock.connect(address)
        try:
            for packet in (case.packet, after):
                sock.sendall(struct.pack(">H", len(packet)) + packet if case.tcp else packet)
            answer = framed(sock) if case.tcp else sock.recv(65_535)
        except (TimeoutError, ConnectionError):
            answer = b""
    if not answer or answer[:2] != case.packet[:2]:
        return NOTHING
    try:
        return Raw(answer)
    except Malformed as error:
        return f"malformed: {error}: {answer.hex()}"


def framed(sock):
    length, data = sock.recv(2, socket.MSG_WAITALL), b""
    if len(length) == 2:
        data = sock.recv(struct.unpack(">H", length)[0], socket.MSG_WAITALL)
    return data


def run(servers, ours, version):
    """Asks every case of every server; (how many, how many of them ours failed, {server: cases passed})."""
    passed, count, failed = collections.Counter(), 0, 0
    for case in cases(version):
        count += 1
        for name, address in servers.items():
            answer = ask(address, case)
            wrong = list(case.expected(answer))
            passed[name] += not wrong
            if wrong and name == ours:
                failed += 1
                print(f"{case.source}, {case.name}, {'TCP' if case.tcp else 'UDP'}: {'; '.join(wrong)}\n  asked {case.packet.hex()}")
                said = message_text(answer.message) if hasattr(answer, "rcode") else [answer]
                print(*(f"  {line}" for line in said), sep="\n")
    return count, failed, passed
