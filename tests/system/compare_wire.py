"""DNS messages on the wire, for those who compare servers: queries made, answers taken apart.

A name is a tuple of labels, leftmost first, in bytes and in lower case; the root is the empty tuple. Records are compared
as (owner, type, class, TTL, RDATA): RDATA uncompressed, the names in it in lower case too (RFC 4343, 3597 7).
"""

import collections
import struct

CLASS_IN, CLASS_CH = 1, 3
OPT = 41
TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MB": 7, "MG": 8, "MR": 9, "NULL": 10, "WKS": 11, "PTR": 12, "HINFO": 13, "MINFO": 14,
    "MX": 15, "TXT": 16, "RP": 17, "AFSDB": 18, "X25": 19, "RT": 21, "NSAP": 22, "KEY": 25, "AAAA": 28, "LOC": 29, "SRV": 33,
    "NAPTR": 35, "KX": 36, "CERT": 37, "DNAME": 39, "APL": 42, "DS": 43, "SSHFP": 44, "IPSECKEY": 45, "NSEC": 47,
    "DNSKEY": 48, "DHCID": 49, "TLSA": 52, "SMIMEA": 53, "HIP": 55, "CDS": 59, "CDNSKEY": 60, "OPENPGPKEY": 61,
    "CSYNC": 62, "ZONEMD": 63, "SVCB": 64, "HTTPS": 65, "SPF": 99, "NID": 104, "L32": 105, "L64": 106, "LP": 107, "EUI48": 108,
    "EUI64": 109, "ANY": 255, "URI": 256, "CAA": 257, "AVC": 258, "AMTRELAY": 260, "RESINFO": 261, "WALLET": 262, "DLV": 32769,
}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 9: "NOTAUTH", 16: "BADVERS"}
QR, AA, TC, RD, RA, Z, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010
FLAGS = {"qr": QR, "aa": AA, "tc": TC, "rd": RD, "ra": RA, "z": Z, "ad": AD, "cd": CD}
DO = 0x8000

# Where the names in RDATA are: bytes before them, strings before them, and how many there are.
NAMES_IN_RDATA = {
    **dict.fromkeys((2, 3, 4, 5, 7, 8, 9, 12, 23, 39), (0, 0, 1)), 6: (0, 0, 2), 14: (0, 0, 2), 17: (0, 0, 2),
    **dict.fromkeys((15, 18, 21, 36, 64, 65, 107), (2, 0, 1)), 26: (2, 0, 2), 33: (6, 0, 1), 35: (4, 3, 1),
}

Record = collections.namedtuple("Record", "owner type klass ttl rdata")
Edns = collections.namedtuple("Edns", "payload rcode version flags options")
# `question` is its bytes as they came; the sections are lists of records without OPT, which is `edns` or None.
Message = collections.namedtuple("Message", "id flags rcode opcode counts question answer authority additional edns size")


class Malformed(Exception):
    """Bytes that are no DNS message."""


# Names

def lower(labels):
    return tuple(label.lower() for label in labels)


def name_wire(labels):
    """A name, uncompressed."""
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def name_text(labels):
    """A name as a zone file writes it."""
    return ".".join(label_text(label) for label in labels) + "."


def label_text(label):
    return "".join(chr(octet) if chr(octet).isalnum() and octet < 128 or octet in b"-_*" else f"\\{octet:03}" for octet in label)


def name_of(text):
    r"""The labels of a name as a zone file writes it, `\DDD` and `\X` undone, with or without its last dot."""
    labels, label, at = [], bytearray(), 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1:at + 4].isdigit():
            label.append(int(text[at + 1:at + 4]))
            at += 4
        elif text[at] == "\\":
            label.append(ord(text[at + 1]))
            at += 2
        elif text[at] == ".":
            labels.append(bytes(label))
            label, at = bytearray(), at + 1
        else:
            label.append(ord(text[at]))
            at += 1
    return tuple(labels) + ((bytes(label),) if label else ())


def read_name(packet, at):
    """The name at a place, in lower case, and where it ends."""
    labels, end, jumps = [], None, 0
    while True:
        length = packet[at]
        if length == 0:
            return tuple(labels), end or at + 1
        if length >= 0xC0:
            target = (length & 0x3F) << 8 | packet[at + 1]
            end = end or at + 2
            jumps += 1
            if target >= at or jumps > 128:
                raise Malformed(f"a pointer at {at} to {target}")
            at = target
        elif length > 63:
            raise Malformed(f"length octet {length:#x} at {at}")
        else:
            labels.append(packet[at + 1:at + 1 + length].lower())
            at += 1 + length


# Messages

def query(number, qname, qtype, klass=CLASS_IN, flags=0, opcode=0, edns=None):
    """A query; `edns` is its OPT record as an `Edns`, options as bytes."""
    head = struct.pack(">6H", number, flags | opcode << 11, 1, 0, 0, 0 if edns is None else 1)
    return head + question_wire(qname, qtype, klass) + opt_wire(edns)


def question_wire(qname, qtype, klass=CLASS_IN):
    return name_wire(qname) + struct.pack(">2H", qtype, klass)


def opt_wire(edns):
    if edns is None:
        return b""
    ttl = edns.rcode << 24 | edns.version << 16 | edns.flags
    return struct.pack(">BHHIH", 0, OPT, edns.payload, ttl, len(edns.options)) + edns.options


def read(packet):
    """A message taken apart; everything in it must be used up."""
    try:
        number, flags, *counts = struct.unpack_from(">6H", packet)
        at = 12
        for _ in range(counts[0]):
            _, at = read_name(packet, at)
            at += 4
        question, sections, edns = packet[12:at], [], None
        for count in counts[1:]:
            records = []
            for _ in range(count):
                record, at = read_record(packet, at)
                if record.type == OPT:
                    ttl = record.ttl
                    edns = Edns(record.klass, ttl >> 24, ttl >> 16 & 0xFF, ttl & 0xFFFF, record.rdata)
                else:
                    records.append(record)
            sections.append(records)
    except (IndexError, struct.error) as error:
        raise Malformed(f"it ends too early: {error}") from None
    if at != len(packet):
        raise Malformed(f"{len(packet) - at} bytes are left over")
    rcode = flags & 15 | (edns.rcode << 4 if edns else 0)
    return Message(number, flags, rcode, flags >> 11 & 15, counts, question, *sections, edns, len(packet))


def read_record(packet, at):
    owner, at = read_name(packet, at)
    rtype, klass, ttl, length = struct.unpack_from(">2HIH", packet, at)
    at, end = at + 10, at + 10 + length
    if end > len(packet):
        raise Malformed("RDATA ends after the message")
    before, strings, names = NAMES_IN_RDATA.get(rtype, (0, 0, 0))
    if not names:
        return Record(owner, rtype, klass, ttl, packet[at:end]), end
    # The names in it may be compressed.
    start = at
    at += before
    for _ in range(strings):
        at += 1 + packet[at]
    rdata = packet[start:at]
    for _ in range(names):
        target, at = read_name(packet, at)
        rdata += name_wire(target)
    return Record(owner, rtype, klass, ttl, rdata + packet[at:end]), end


# As text, for who reads a difference

def type_text(number):
    return TYPE_NAMES.get(number, f"TYPE{number}")


def record_text(record):
    rdata = record.rdata
    names = NAMES_IN_RDATA.get(record.type)
    if names and names[:2] == (0, 0):
        try:
            data, at = [], 0
            for _ in range(names[2]):
                name, at = read_name(rdata, at)
                data.append(name_text(name))
            data = " ".join(data) + (f" {rdata[at:].hex()}" if rdata[at:] else "")
        except (IndexError, Malformed):
            data = rdata.hex()
    else:
        data = rdata.hex() if len(rdata) <= 48 else f"{rdata[:40].hex()}… ({len(rdata)} bytes)"
    return f"{name_text(record.owner)} {record.ttl} {type_text(record.type)} {data}"


def message_text(message, most=12):
    """A message, a line each for what it says."""
    flags = " ".join(name for name, bit in FLAGS.items() if message.flags & bit)
    yield f"{RCODES.get(message.rcode, message.rcode)} flags {flags}; opcode {message.opcode}; {message.size} bytes; question {message.question.hex()}"
    for section in ("answer", "authority", "additional"):
        records = sorted(record_text(record) for record in getattr(message, section))
        for text in records[:most]:
            yield f"  {section:10} {text}"
        if len(records) > most:
            yield f"  {section:10} … {len(records) - most} more"
    if message.edns:
        edns = message.edns
        yield f"  OPT        version {edns.version} payload {edns.payload} flags {edns.flags:#06x} options {edns.options.hex() or 'none'}"
