"""Shared by the generators: output, networks, keys."""

import json
from dataclasses import replace

import secp
from rules import MAIN, REGTEST, TEST, Refused, Rules
from scale import sha256

# Rules for what main and regtest cannot reach; every one passes B3.
NETWORKS = {
    "main": MAIN,
    "test": TEST,
    "regtest": REGTEST,
    # an all-short life, ASERT on, small bodies, a subsidy that runs out
    "short": Rules(spacing=10, half_life=100, limit_bits=0x207FFFFF, body_max=2000, subsidy=40 * 10**8,
                   halving_interval=5, maturity=3, min_age=1, max_age=8, commit_target=2, commit_max=4, year=30,
                   years_ahead=3, grace=5, p0=10**9, h=2, halvings=3, records_max=600,
                   id=sha256(b"dotp2p/vectors/short")[:16], tld=b"x", genesis_time=1700000000,
                   genesis_bits=0x207FFFFF),
    # one year ahead: a no-op Renew in grace
    "oneyear": replace(REGTEST, years_ahead=1, id=sha256(b"dotp2p/vectors/oneyear")[:16]),
    # the dearest premium: P0 * H = 2^64 - 1
    "steep": replace(REGTEST, p0=2**64 - 1, h=1, halvings=63, id=sha256(b"dotp2p/vectors/steep")[:16]),
    # a long tld and large records
    "wide": replace(REGTEST, tld=b"a" * 63, records_max=80000, id=sha256(b"dotp2p/vectors/wide")[:16]),
    # main with other genesis bits
    "hard": replace(MAIN, genesis_bits=0x1B0404CB, id=sha256(b"dotp2p/vectors/hard")[:16]),
    # regtest whose genesis bits are harder than the limit
    "hardreg": replace(REGTEST, genesis_bits=0x1E00FFFF, id=sha256(b"dotp2p/vectors/hardreg")[:16]),
}
CHAIN_ID = {n: r.chain_id() for n, r in NETWORKS.items()}


def networks(*names):
    """The table each file carries: SCALE(Rules) and chain id by name."""
    return {n: {"rules": NETWORKS[n].encode().hex(), "chain_id": CHAIN_ID[n].hex()} for n in names}


# Secret i of a letter: A = 1, B = 2, ...
def secret(who):
    return ord(who) - 64 if isinstance(who, str) else who


def key(who):
    return secp.public(secret(who))


NO_POINT = b"\xff" * 32  # a key that is no x coordinate of the curve


def rule_of(f, *args):
    """The rule f refuses by, or None."""
    try:
        f(*args)
    except Refused as e:
        return e.rule
    return None


class Rng:
    """A deterministic source: SHA-256 of a seed and a counter."""

    def __init__(self, seed):
        self.seed, self.n = seed.encode(), 0

    def bytes(self, n):
        out = b""
        while len(out) < n:
            out += sha256(self.seed + self.n.to_bytes(8, "little"))
            self.n += 1
        return out[:n]

    def below(self, n):
        return int.from_bytes(self.bytes(16), "little") % n

    def pick(self, xs):
        return xs[self.below(len(xs))]


def dump(value):
    """JSON with one line for each element of a top-level list, or each key of a top-level map."""
    def flat(v):
        return json.dumps(v, ensure_ascii=True, separators=(", ", ": "))

    lines = []
    for k, v in value.items():
        if isinstance(v, list) and v and isinstance(v[0], (dict, list)):
            lines.append(f"{flat(k)}: [\n" + ",\n".join(flat(x) for x in v) + "\n]")
        elif isinstance(v, dict) and v and isinstance(next(iter(v.values())), dict):
            lines.append(f"{flat(k)}: {{\n" + ",\n".join(f"{flat(n)}: {flat(x)}" for n, x in v.items()) + "\n}")
        else:
            lines.append(f"{flat(k)}: {flat(v)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
