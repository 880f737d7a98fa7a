"""Bytes: refusals, SCALE (C2, C3), tagged hashes (C5), addresses (C8)."""

import hashlib


class Refused(Exception):
    """A refusal, named by its rule. Which of several is named is not consensus (C4)."""

    def __init__(self, rule, why=""):
        super().__init__(f"{rule} {why}".strip())
        self.rule = rule


class Undecodable(Refused):
    """A refusal of form (C4)."""


U32 = 2**32 - 1
U64 = 2**64 - 1


def sha256(x):
    return hashlib.sha256(x).digest()


_tags = {}


def H(tag, data):
    """C5: the tagged hash; `tag` without its `dotp2p/`."""
    if tag not in _tags:
        t = sha256(b"dotp2p/" + tag.encode())
        _tags[tag] = hashlib.sha256(t + t)
    h = _tags[tag].copy()
    h.update(data)
    return h.digest()


# ---- C2: encoding

def u8(n):
    return n.to_bytes(1, "little")


def u32(n):
    return n.to_bytes(4, "little")


def u64(n):
    return n.to_bytes(8, "little")


def compact(n):
    """C2: the shortest compact form of n."""
    if n < 1 << 6:
        return (n * 4).to_bytes(1, "little")
    if n < 1 << 14:
        return (n * 4 + 1).to_bytes(2, "little")
    if n < 1 << 30:
        return (n * 4 + 2).to_bytes(4, "little")
    k = max(4, (n.bit_length() + 7) // 8)
    if k > 8:
        raise ValueError("compact beyond u64")
    return u8((k - 4) * 4 + 3) + n.to_bytes(k, "little")


def vec(b):
    """C2: Vec<u8>."""
    return compact(len(b)) + b


def option(x):
    """C2: Option of raw bytes."""
    return b"\x00" if x is None else b"\x01" + x


# ---- C2, C3: decoding

class Reader:
    """Reads canonical bytes; every length is checked before it is taken (C3)."""

    def __init__(self, data):
        self.data = bytes(data)
        self.pos = 0

    def left(self):
        return len(self.data) - self.pos

    def take(self, n):
        if n > self.left():
            raise Undecodable("C2", "bytes missing")
        self.pos += n
        return self.data[self.pos - n:self.pos]

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return int.from_bytes(self.take(2), "little")

    def u32(self):
        return int.from_bytes(self.take(4), "little")

    def u64(self):
        return int.from_bytes(self.take(8), "little")

    def compact(self, bits=32):
        """C2: a compact within `bits` bits, C3: in its shortest form."""
        start = self.pos
        first = self.take(1)[0]
        mode = first & 3
        if mode == 0:
            n = first >> 2
        elif mode == 1:
            n = int.from_bytes(bytes([first]) + self.take(1), "little") >> 2
        elif mode == 2:
            n = int.from_bytes(bytes([first]) + self.take(3), "little") >> 2
        else:
            k = (first >> 2) + 4
            if k > 8:
                raise Undecodable("C2", "compact of more than 8 bytes")
            n = int.from_bytes(self.take(k), "little")
        if n >= 1 << bits:
            raise Undecodable("C2", f"compact beyond u{bits}")
        if compact(n) != self.data[start:self.pos]:
            raise Undecodable("C3", "compact not the shortest")
        return n

    def vec(self, limit, rule):
        """Vec<u8> of at most `limit` bytes, else `rule`."""
        n = self.compact(32)
        if n > limit:
            raise Undecodable(rule, "too long")
        return self.take(n)

    def option(self, read):
        b = self.u8()
        if b > 1:
            raise Undecodable("C2", "bad Option byte")
        return read() if b else None

    def key(self):
        return self.take(32)

    def end(self, rule="C3"):
        if self.left():
            raise Undecodable(rule, "bytes left over")


# ---- C8: bech32m (BIP 350)

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32M = 0x2BC830A3
PREFIX = {"main": "p2p", "test": "tp2p", "regtest": "rp2p"}


def _polymod(values):
    c = 1
    for v in values:
        top = c >> 25
        c = (c & 0x1FFFFFF) << 5 ^ v
        for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> i & 1:
                c ^= g
    return c


def _expand(prefix):
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def bech32(prefix, symbols, constant=BECH32M):
    m = _polymod(_expand(prefix) + symbols + [0] * 6) ^ constant
    return prefix + "1" + "".join(CHARSET[s] for s in symbols + [m >> 5 * (5 - i) & 31 for i in range(6)])


def key_symbols(key, pad=0):
    """C8: 256 bits in 52 symbols, 4 zero bits at the end (`pad` sets them, for bad examples)."""
    n = int.from_bytes(key, "big") << 4 | pad
    return [n >> 5 * (51 - i) & 31 for i in range(52)]


def address(prefix, key):
    return bech32(prefix, key_symbols(key))


def read_address(prefix, text):
    """C8: the key of an address, or a refusal."""
    if text.lower() != text and text.upper() != text:
        raise Refused("C8", "mixed case")
    text = text.lower()
    hrp, sep, rest = text.rpartition("1")
    if not sep or hrp != prefix:
        raise Refused("C8", "another prefix")
    if len(rest) != 58:
        raise Refused("C8", "another length")
    if any(c not in CHARSET for c in rest):
        raise Refused("C8", "not a symbol")
    s = [CHARSET.index(c) for c in rest]
    if _polymod(_expand(hrp) + s) != BECH32M:
        raise Refused("C8", "bad checksum")
    n = 0
    for v in s[:52]:
        n = n << 5 | v
    if n & 15:
        raise Refused("C8", "padding bits set")
    return (n >> 4).to_bytes(32, "big")
