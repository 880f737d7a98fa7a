"""What peers say to each other: questions, answers and gossip, written and read (M2, M3)."""

from collections import namedtuple
from ipaddress import IPv4Address, IPv6Address, ip_address

from scale import H, Reader, Undecodable, compact, u8, u32, u64, vec

QUESTION_MAX = 32 << 10
ANSWER_MAX = (2 << 20) + (64 << 10)
WHOLE_MAX = 65_280

# A field: how it is written, and how it is read.
Form = namedtuple("Form", "write read")


def several(limit, each, rule="M2"):
    """Vec<T> of at most `limit`; the count is judged before the items are read."""
    def read(r):
        n = r.compact()
        if n > limit:
            raise Undecodable(rule, "too many")
        return [each.read(r) for _ in range(n)]

    return Form(lambda xs: compact(len(xs)) + b"".join(map(each.write, xs)), read)


def take(n):
    return Form(bytes, lambda r: r.take(n))


def read_head(r):
    head = r.take(189)
    if head[188] != 0:
        raise Undecodable("P9", "unknown pow tag")
    return head


def read_agent(r):
    agent = r.vec(64, "M2")
    if any(not 0x20 <= c <= 0x7E for c in agent):
        raise Undecodable("M2", "agent not printable")
    return agent


def read_places(r):
    places = several(4096, Form(u32, Reader.u32)).read(r)
    if any(a >= b for a, b in zip(places, places[1:])):
        raise Undecodable("M2", "not ascending")
    return places


def is_dialable(ip, port):
    """M2: whether an address may stand in an answer."""
    mapped = ip.version == 6 and ip.ipv4_mapped is not None
    return port != 0 and not (mapped or ip.is_unspecified or ip.is_multicast or ip == IPv4Address("255.255.255.255"))


def write_address(a):
    ip = ip_address(a[0])
    return u8(0 if ip.version == 4 else 1) + ip.packed + a[1].to_bytes(2, "little") + u64(a[2])


def read_address(r):
    tag = r.u8()
    if tag > 1:
        raise Undecodable("M2", "unknown address tag")
    ip = IPv4Address(r.take(4)) if tag == 0 else IPv6Address(r.take(16))
    port, seen = r.u16(), r.u64()
    if not is_dialable(ip, port):
        raise Undecodable("M2", "nobody listens there")
    return str(ip), port, seen


HASH = take(32)
BYTES = Form(vec, lambda r: r.take(r.compact()))
U32 = Form(u32, Reader.u32)
WORK = Form(lambda n: n.to_bytes(32, "little"), lambda r: int.from_bytes(r.take(32), "little"))
HELLO = {"version": U32, "deployment": HASH, "tip": HASH, "height": U32, "work": WORK, "agent": Form(vec, read_agent)}

# M2: the fields of each kind, in order
QUESTIONS = {
    0: HELLO,
    1: {"locator": several(64, HASH)},
    2: {"hashes": several(64, HASH)},
    3: {"hash": HASH, "places": Form(several(4096, U32).write, read_places)},
    4: {},
    5: {"wtxids": several(512, HASH)},
    6: {},
}
ANSWERS = {
    0: HELLO,
    1: {"heads": several(1000, Form(bytes, read_head))},
    2: {"blocks": several(64, BYTES)},
    3: {"transactions": several(4096, BYTES)},
    4: {"wtxids": several(4096, HASH)},
    5: {"transactions": several(512, BYTES)},
    6: {"addresses": several(256, Form(write_address, read_address))},
    255: {},
}


def write(kinds, message):
    return u8(message["kind"]) + b"".join(form.write(message[name]) for name, form in kinds[message["kind"]].items())


def read(kinds, data):
    r = Reader(data)
    kind = r.u8()
    if kind not in kinds:
        raise Undecodable("M2", "unknown kind")
    message = {"kind": kind} | {name: form.read(r) for name, form in kinds[kind].items()}
    r.end()
    return message


def framed(message):
    """M2: as it stands on a stream."""
    return u32(len(message)) + message


def read_framed(kinds, data):
    r = Reader(data)
    n = r.u32()
    if n > (QUESTION_MAX if kinds is QUESTIONS else ANSWER_MAX):
        raise Undecodable("M2", "length above the limit")
    return read(kinds, r.take(n))


# ---- M3

def write_transaction(data):
    return b"\x00" + data if len(data) <= WHOLE_MAX else b"\x01" + H("wtx", data)


def read_transaction(data):
    """("whole", its bytes) or ("id", its wtxid)."""
    r = Reader(data)
    tag = r.u8()
    if tag > 1:
        raise Undecodable("M3", "unknown tag")
    if tag == 0 and r.left() > WHOLE_MAX:
        raise Undecodable("M3", "too long")
    out = ("whole", r.take(r.left())) if tag == 0 else ("id", r.take(32))
    r.end()
    return out


def short_id(block_hash, wtxid):
    return H("short-id", block_hash + wtxid)[:6]


BLOCK = {"head": Form(bytes, read_head), "to": HASH, "extra": Form(vec, lambda r: r.vec(64, "T4g")),
         "short_ids": several(4096, take(6), "M3")}


def write_block(message):
    return b"".join(form.write(message[name]) for name, form in BLOCK.items())


def read_block(data):
    r = Reader(data)
    message = {name: form.read(r) for name, form in BLOCK.items()}
    r.end()
    return message
