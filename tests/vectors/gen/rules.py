"""Rules, genesis, targets, labels and prices: all that needs no state (B1 to B5, B12, B19, P, N1 to N5)."""

from dataclasses import dataclass, replace

from scale import H, Reader, Refused, U64, compact, option, sha256, u32, u64, vec

COIN = 10**8
MAX_TARGET = 2**256 - 1

# B2: the fields in order; (name, width)
FIELDS = [
    ("spacing", 8), ("half_life", 0), ("limit_bits", 4), ("body_max", 4), ("subsidy", 8), ("halving_interval", 4),
    ("maturity", 4), ("min_age", 4), ("max_age", 4), ("commit_target", 4), ("commit_max", 4), ("year", 4),
    ("years_ahead", 4), ("grace", 4), ("p0", 8), ("h", 4), ("halvings", 4), ("records_max", 4),
    ("id", -1), ("tld", -2), ("genesis_time", 8), ("genesis_bits", 4),
]


@dataclass(frozen=True)
class Rules:
    """B2, C13; the defaults are main's."""

    spacing: int = 60
    half_life: int | None = 7200
    limit_bits: int = 0x1E00FFFF
    body_max: int = 262144
    subsidy: int = 50 * COIN
    halving_interval: int = 2102400
    maturity: int = 100
    min_age: int = 10
    max_age: int = 1440
    commit_target: int = 8
    commit_max: int = 16
    year: int = 525600
    years_ahead: int = 10
    grace: int = 43200
    p0: int = 1048576 * COIN
    h: int = 1440
    halvings: int = 21
    records_max: int = 4096
    id: bytes = sha256(b"dotp2p/main")[:16]
    tld: bytes = b"p2p"
    genesis_time: int = 1793491200
    genesis_bits: int = 0x1E00FFFF

    def encode(self):
        """B2."""
        out = b""
        for name, width in FIELDS:
            v = getattr(self, name)
            if name == "half_life":
                out += option(None if v is None else u64(v))
            elif name == "id":
                out += v
            elif name == "tld":
                out += vec(v)
            else:
                out += v.to_bytes(width, "little")
        return out

    def fields(self):
        """For JSON: u64 as decimal strings, u32 as numbers, bytes as hex, tld as text."""
        out = {}
        for name, width in FIELDS:
            v = getattr(self, name)
            if name == "id":
                out[name] = v.hex()
            elif name == "tld":
                out[name] = v.decode("latin-1")
            elif width in (8, 0):
                out[name] = None if v is None else str(v)
            else:
                out[name] = v
        return out

    def chain_id(self):
        """B4."""
        return genesis(self)["hash"]


def decode_rules(data):
    """B2, canonical and whole."""
    r, out = Reader(data), {}
    for name, width in FIELDS:
        if name == "half_life":
            out[name] = r.option(r.u64)
        elif name == "id":
            out[name] = r.take(16)
        elif name == "tld":
            out[name] = r.vec(63, "B2")
        else:
            out[name] = int.from_bytes(r.take(width), "little")
    r.end()
    return Rules(**out)


MAIN = Rules()
TEST = replace(MAIN, id=sha256(b"dotp2p/test")[:16])
REGTEST = replace(MAIN, half_life=None, limit_bits=0x207FFFFF, genesis_bits=0x207FFFFF, maturity=1, min_age=2,
                  max_age=100, year=200, grace=20, h=4, halvings=5, id=sha256(b"dotp2p/regtest")[:16])


def refusals(r):
    """B3: the letters of every refusal that holds, in order."""
    out = []
    numbers = [getattr(r, n) for n, w in FIELDS if w >= 0]
    if any(n == 0 for n in numbers):
        out.append("B3a")
    if not (canonical(r.limit_bits) and canonical(r.genesis_bits)):
        out.append("B3b")
    else:
        if target_of(r.genesis_bits) > target_of(r.limit_bits):
            out.append("B3c")
    if r.genesis_time < r.spacing:
        out.append("B3d")
    if r.genesis_time >= 2**40:
        out.append("B3e")
    if r.min_age >= r.max_age:
        out.append("B3f")
    if r.commit_target > r.commit_max or r.commit_target > 64:
        out.append("B3g")
    if r.halvings > 63:
        out.append("B3h")
    if r.grace + r.h * r.halvings >= r.year:
        out.append("B3i")
    if r.p0 * r.h > U64:
        out.append("B3j")
    if r.grace + r.h * r.halvings + r.year * r.years_ahead >= 2**32:
        out.append("B3k")
    if label_refusal(r.tld):
        out.append("B3l")
    if sum(r.subsidy >> k for k in range(64)) * r.halving_interval > U64:
        out.append("B3m")
    if r.body_max < 139:
        out.append("B3n")
    return out


# ---- targets, work, difficulty (P)

def target_of(bits):
    """P1: the target of valid bits, or P1a, P1b, P1c."""
    s, m = bits >> 24, bits & 0x7FFFFF
    if bits & 0x800000:
        raise Refused("P1a")
    t = m >> 8 * (3 - s) if s <= 3 else m << 8 * (s - 3)
    if t == 0:
        raise Refused("P1b")
    if t > MAX_TARGET:
        raise Refused("P1c")
    return t


def bits_of(t):
    """P2."""
    s = (t.bit_length() + 7) // 8
    m = t << 8 * (3 - s) if s <= 3 else t >> 8 * (s - 3)
    if m & 0x800000:
        m >>= 8
        s += 1
    return s << 24 | m


def canonical(bits):
    """P1: valid, and P2 gives them back."""
    try:
        return bits_of(target_of(bits)) == bits
    except Refused:
        return False


def work_of(bits):
    """P3."""
    return 2**256 // (target_of(bits) + 1)


def asert(anchor_bits, limit_bits, half_life, spacing, a, p, t_ref):
    """P4: (bits, e, shifts, frac, factor) for a parent at height p and a reference time."""
    n = (t_ref - a - spacing * p) * 65536
    e = abs(n) // half_life * (1 if n >= 0 else -1)  # truncated toward zero
    shifts = e >> 16  # toward -infinity
    frac = e - shifts * 65536
    factor = 65536 + ((195766423245049 * frac + 971821376 * frac**2 + 5127 * frac**3 + 2**47) >> 48)
    anchor, limit, by = target_of(anchor_bits), target_of(limit_bits), shifts - 16
    if by < 0:
        exact = anchor * factor >> -by
    else:
        exact = anchor * factor << min(by, 600)  # far above any limit
    exact = min(max(exact, 1), limit)
    return bits_of(exact), e, shifts, frac, factor


def reference_time(r, parent_time, time):
    """P5: the waiting rule, signed."""
    return max(parent_time, time - 20 * r.spacing)


def required_bits(r, h, first_time, parent_time, time):
    """P6. first_time is the time of block 1 of the branch; unused below height 2."""
    if h == 0:
        return r.genesis_bits
    if r.half_life is None:
        return r.limit_bits
    if h == 1:
        return r.genesis_bits
    return asert(r.genesis_bits, r.limit_bits, r.half_life, r.spacing, first_time - r.spacing, h - 1,
                 reference_time(r, parent_time, time))[0]


def work_check(r, header):
    """P7: the bits are valid, not above the limit, and the hash meets them."""
    t = target_of(int.from_bytes(header[76:80], "little"))
    if t > target_of(r.limit_bits):
        raise Refused("P7", "easier than the limit")
    if int.from_bytes(block_hash(header), "little") > t:
        raise Refused("P7", "hash above the target")


# ---- header, genesis (B)

def encode_header(version, prev, commitment, time, bits, nonce):
    """B6."""
    return u32(version) + prev + commitment + u64(time) + u32(bits) + u64(nonce)


def block_hash(header):
    """P7."""
    return sha256(sha256(header))


def encode_roots(height, tx_root, state_root, history_root):
    return u32(height) + tx_root + state_root + history_root


def commitment_of(roots):
    """B7."""
    return H("commitment", roots)


def tx_root(leaves):
    """B10: RFC 6962 with plain SHA-256, over the leaves' data."""
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0])
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + tx_root(leaves[:k]) + tx_root(leaves[k:]))


LEVEL_MIN, LEVEL_MAX = 10**6, 10**12


def genesis(r):
    """B5: the genesis block from Rules alone."""
    level_key, level = H("key", b"\x04"), u64(LEVEL_MIN)
    state_root = H("leaf", level_key + H("value", level))
    extra = H("rules", r.encode())
    coinbase = bytes(32) + vec(extra)
    root = tx_root([coinbase])
    roots = encode_roots(0, root, state_root, bytes(32))
    header = encode_header(1, bytes(32), commitment_of(roots), r.genesis_time, r.genesis_bits, 0)
    return {"extra": extra, "tx_root": root, "state_root": state_root, "commitment": commitment_of(roots),
            "roots": roots, "header": header, "hash": block_hash(header),
            "block": header + roots + b"\x00" + coinbase + compact(0)}


def median(times):
    """B12b: of the n = min(h, 11) times before a block."""
    return sorted(times)[len(times) // 2]


def subsidy(r, h):
    """B19."""
    if h == 0:
        return 0
    k = h // r.halving_interval
    return r.subsidy >> k if k < 64 else 0


def deployment_data(activations, checkpoints):
    """B18: [(height, name)], [(height, hash)]; the hash is H("deployment") of this."""
    a = compact(len(activations)) + b"".join(u32(h) + vec(n) for h, n in activations)
    return a + compact(len(checkpoints)) + b"".join(u32(h) + x for h, x in checkpoints)


# ---- the history: Merkle mountain range (B11)

def history_leaf(hash_, work, time):
    return hash_ + u32(1) + work.to_bytes(32, "little") + u64(time)


def history_parent(left, right):
    count = int.from_bytes(left[32:36], "little") + int.from_bytes(right[32:36], "little")
    work = int.from_bytes(left[36:68], "little") + int.from_bytes(right[36:68], "little")
    if work > MAX_TARGET:
        raise Refused("P3", "work overflows")
    return H("history", left + right) + u32(count) + work.to_bytes(32, "little") + right[68:]


def append_history(peaks, leaf):
    """B11: peaks from the left, each (size, node); two of equal size are joined at once."""
    peaks = peaks + [(1, leaf)]
    while len(peaks) > 1 and peaks[-1][0] == peaks[-2][0]:
        (n, left), (_, right) = peaks[-2:]
        peaks = peaks[:-2] + [(2 * n, history_parent(left, right))]
    return peaks


def bag(peaks):
    """B11: the node over all peaks; its first 32 bytes are the root."""
    node = peaks[-1][1]
    for _, p in reversed(peaks[:-1]):
        node = history_parent(p, node)
    return node


# ---- labels, stages, prices (N1 to N5)

LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789-"
RESERVED = {b"dotp2p", b"example", b"invalid", b"local", b"localhost", b"onion", b"test"}


def label_refusal(label):
    """N1: the letter, or None."""
    if not 1 <= len(label) <= 63:
        return "N1a"
    if any(c not in LETTERS for c in label):
        return "N1b"
    if label[:1] == b"-" or label[-1:] == b"-":
        return "N1c"
    if label[2:4] == b"--" and label[:4] != b"xn--":
        return "N1d"
    return None


def free_from(r, expires):
    return expires + r.grace + r.halvings * r.h


def stage(r, expires, h):
    """N3; expires None where the name has no entry."""
    if expires is None or h >= free_from(r, expires):
        return "free"
    if h < expires:
        return "active"
    return "grace" if h < expires + r.grace else "released"


BASE = {1: 2000 * COIN, 2: 500 * COIN, 3: 100 * COIN, 4: 20 * COIN}


def base_price(label):
    """N4."""
    return BASE.get(len(label), COIN)


def next_level(r, level, n):
    """N4."""
    return min(max(level * (64 - r.commit_target + n) // 64, LEVEL_MIN), LEVEL_MAX)


def premium(r, since_release):
    """N5: d <= h < d + halvings * H."""
    k, rem = divmod(since_release, r.h)
    p = r.p0 >> k
    return p - p * rem // (2 * r.h)


def commit_burn(level):
    """N7: exact."""
    return -(-10**7 * level // 10**6)


def claim_burn(label, level, prem):
    """N8."""
    return -(-base_price(label) * level // 10**6) + prem - commit_burn(level)


# ---- records (R1 to R9)

def encode_records(rrsets, version=1):
    """R1, R2: rrsets = [(owner labels, type, ttl, rdatas)], in the order given."""
    out = bytes([version]) + compact(len(rrsets))
    for owner, typ, ttl, rdatas in rrsets:
        out += compact(len(owner)) + b"".join(vec(x) for x in owner)
        out += compact(typ) + compact(ttl) + compact(len(rdatas)) + b"".join(vec(d) for d in rdatas)
    return out


def forbidden_type(t):
    """R6."""
    return t in (0, 6, 24, 30, 41, 46, 47, 48, 50, 51) or 128 <= t <= 255


def decode_records(r, name, data):
    """R1 to R7: the RRsets of a name's records, or the refusal."""
    if len(data) > r.records_max:
        raise Refused("R7", "too long")
    d = Reader(data)
    if d.u8() != 1:
        raise Refused("R1", "version")
    rrsets, before = [], None
    for _ in range(d.compact(32)):
        owner, size = [], len(name) + 1 + len(r.tld) + 1 + 1
        for _ in range(d.compact(32)):
            x = d.vec(63, "R3")
            if not x:
                raise Refused("R3", "empty label")
            if any(0x41 <= c <= 0x5A for c in x):
                raise Refused("R3", "capital")
            size += len(x) + 1
            owner.append(x)
        if size > 255:
            raise Refused("R3", "owner too long")
        typ = d.compact(16)
        ttl = d.compact(32)
        if forbidden_type(typ):
            raise Refused("R6")
        if ttl > 2**31 - 1:
            raise Refused("R5", "ttl")
        order = (owner[::-1], typ)
        if before is not None and order <= before:
            raise Refused("R4", "RRsets")
        before = order
        rdatas = []
        for _ in range(d.compact(32)):
            x = d.vec(65535, "R5")
            if rdatas and x <= rdatas[-1]:
                raise Refused("R4", "rdatas")
            rdatas.append(x)
        if not rdatas:
            raise Refused("R5", "no rdata")
        rrsets.append((owner, typ, ttl, rdatas))
    d.end("R1")
    return rrsets


EMPTY_RECORDS = b"\x01\x00"


def records_hash(data):
    """R9."""
    return H("records", data)
