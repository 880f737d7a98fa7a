"""The state, its tree and proofs, and what a transaction does to it (S1 to S8, S14, T7 to T14, N6 to N18, V1 to V3)."""

from dataclasses import dataclass

from rules import (RESERVED, base_price, claim_burn, commit_burn, decode_records, label_refusal, premium, records_hash,
                   stage, EMPTY_RECORDS)
from scale import H, Reader, Refused, U32, U64, Undecodable, option, u32, u64, vec
from tx import claim_hash, signatures_good

ACCOUNT, NAME, COMMITMENT, REWARD, LEVEL = range(5)
ZERO = bytes(32)


# ---- entries (S2 to S6)

def account_value(balance, nonce):
    return u64(balance) + u64(nonce)


def read_account(v):
    return int.from_bytes(v[:8], "little"), int.from_bytes(v[8:], "little")


@dataclass
class Name:
    """S3."""

    owner: bytes
    since: int
    expires: int
    manager: bytes | None = None
    recovery: bytes | None = None
    records: bytes = records_hash(EMPTY_RECORDS)
    offer: tuple | None = None  # (price, buyer or None)

    def encode(self):
        offer = None if self.offer is None else u64(self.offer[0]) + option(self.offer[1])
        return (self.owner + option(self.manager) + option(self.recovery) + u32(self.since) + u32(self.expires)
                + self.records + option(offer))


def read_name(v):
    """S3, canonical and whole."""
    r = Reader(v)
    owner, manager, recovery = r.key(), r.option(r.key), r.option(r.key)
    since, expires, records = r.u32(), r.u32(), r.take(32)
    offer = r.option(lambda: (r.u64(), r.option(r.key)))
    r.end()
    return Name(owner, since, expires, manager, recovery, records, offer)


def commitment_value(height, level):
    return u32(height) + u64(level)


def read_commitment(v):
    return int.from_bytes(v[:4], "little"), int.from_bytes(v[4:], "little")


# ---- the tree (S8)

def tree_key(kind, id_):
    return H("key", bytes([kind]) + id_)


def leaf_hash(key, value):
    return H("leaf", key + H("value", value))


def bit(key, i):
    return key[i // 8] >> (7 - i % 8) & 1


def subtree(leaves, depth):
    """S8: the hash over sorted (key, leaf hash) pairs that agree in their first `depth` bits."""
    if not leaves:
        return ZERO
    if len(leaves) == 1:
        return leaves[0][1]
    left, right = split(leaves, depth)
    return H("node", subtree(left, depth + 1) + subtree(right, depth + 1))


def split(leaves, depth):
    return [x for x in leaves if not bit(x[0], depth)], [x for x in leaves if bit(x[0], depth)]


def sorted_leaves(entries):
    return sorted((tree_key(*k), leaf_hash(tree_key(*k), v)) for k, v in entries.items())


def state_root(entries):
    """S8."""
    return subtree(sorted_leaves(entries), 0)


def tree_proof(entries, kind, id_):
    """V1: the proof that (kind, id) has its value, or none."""
    k = tree_key(kind, id_)
    by_key = {tree_key(*e): v for e, v in entries.items()}
    leaves, siblings, depth = sorted_leaves(entries), [], 0
    while len(leaves) > 1:
        sides = split(leaves, depth)
        siblings.append(subtree(sides[1 - bit(k, depth)], depth + 1))
        leaves = sides[bit(k, depth)]
        depth += 1
    if not leaves:
        end = b"\x00"
    elif leaves[0][0] == k:
        end = b"\x01" + vec(by_key[k])
    else:
        other = leaves[0][0]
        end = b"\x02" + other + H("value", by_key[other])
    return encode_proof(siblings, end)


def encode_proof(siblings, end):
    """V1; an all-zero sibling is one that is not present."""
    depth = len(siblings)
    bitmap = bytearray((depth + 7) // 8)
    for i, s in enumerate(siblings):
        if s != ZERO:
            bitmap[i // 8] |= 0x80 >> i % 8
    return depth.to_bytes(2, "little") + bytes(bitmap) + b"".join(s for s in siblings if s != ZERO) + end


def decode_proof(data):
    """V2: (siblings, tag, end)."""
    if len(data) > 8409:
        raise Undecodable("V2f")
    r = Reader(data)
    try:
        depth = r.u16()
        if depth > 256:
            raise Undecodable("V2a")
        bitmap = r.take((depth + 7) // 8)
        present = [bitmap[i // 8] >> (7 - i % 8) & 1 for i in range(len(bitmap) * 8)]
        if any(present[depth:]):
            raise Undecodable("V2b")
        siblings = []
        for p in present[:depth]:
            s = r.take(32) if p else ZERO
            if p and s == ZERO:
                raise Undecodable("V2c")
            siblings.append(s)
        tag = r.u8()
        if tag > 2:
            raise Undecodable("V2d")
        end = None
        if tag == 1:
            try:
                end = r.vec(180, "V2e")
            except Undecodable as e:
                raise Undecodable("V2e") if e.rule == "C3" else e
        elif tag == 2:
            end = r.take(32), r.take(32)
        r.end("V2f")
    except Undecodable as e:
        raise Undecodable("V2f") if e.rule == "C2" else e
    return siblings, tag, end


def check_proof(data, kind, id_, root):
    """V3: the proved value, or None where the proof is of absence."""
    siblings, tag, end = decode_proof(data)
    k, depth = tree_key(kind, id_), len(siblings)
    if tag == 0:
        x = ZERO
    elif tag == 1:
        x = leaf_hash(k, end)
    else:
        other, value_hash = end
        if other == k:
            raise Refused("V3a")
        if any(bit(other, i) != bit(k, i) for i in range(depth)):
            raise Refused("V3b")
        x = H("leaf", other + value_hash)
    for i in range(depth - 1, -1, -1):
        x = H("node", x + siblings[i]) if not bit(k, i) else H("node", siblings[i] + x)
    if x != root:
        raise Refused("V3c")
    return end if tag == 1 else None


# ---- transactions on the state

class Context:
    """What the ops of one block share (T10): rules, chain id, height, the level before it, its effective Commits."""

    def __init__(self, rules, chain_id, height, level, commits=0):
        self.rules, self.chain_id, self.height, self.level, self.commits = rules, chain_id, height, level, commits
        self.burned = self.fees = 0
        self.records = {}

    def copy(self):
        c = Context(self.rules, self.chain_id, self.height, self.level, self.commits)
        c.burned, c.fees, c.records = self.burned, self.fees, dict(self.records)
        return c


def apply_tx(entries, ctx, tx, signed_already=False):
    """T7b to T7g, T9: the entries and context after a decoded transaction; refused, nothing of it remains."""
    s, c = dict(entries), ctx.copy()
    if not signed_already and not all(signatures_good(c.chain_id, tx)):
        raise Refused("T7b")
    if tx.expiry and c.height > tx.expiry:
        raise Refused("T7c")
    if (ACCOUNT, tx.payer) not in s:
        raise Refused("T7d")
    balance, nonce = read_account(s[ACCOUNT, tx.payer])
    if tx.nonce != nonce:
        raise Refused("T7e")
    if nonce == U64:
        raise Refused("T9", "the account could not count further")
    if tx.fee > balance:
        raise Refused("T7f")
    s[ACCOUNT, tx.payer] = account_value(balance - tx.fee, nonce + 1)
    c.fees += tx.fee
    signed = {tx.payer, *tx.signers}
    for o in tx.ops:
        apply_op(s, c, tx.payer, signed, o)
    return s, c


def spend(s, c, payer, burn, payment=0, credited=None):
    """T11, T12: check, debit, credit."""
    creation = 5_000_000 if credited is not None and (ACCOUNT, credited) not in s else 0
    cost = burn + payment + creation
    balance, nonce = read_account(s[ACCOUNT, payer])
    if cost > U64 or cost > balance:
        raise Refused("T11a")
    s[ACCOUNT, payer] = account_value(balance - cost, nonce)
    if credited is not None:
        b, n = read_account(s.get((ACCOUNT, credited), account_value(0, 0)))
        s[ACCOUNT, credited] = account_value(b + payment, n)
    c.burned += burn + creation


def present_name(s, c, o, letters, grace_allowed=False):
    """N17: the entry of a name in a stage the op allows; letters = (absent, released, grace)."""
    v = s.get((NAME, o["name"]))
    e = read_name(v) if v else None
    at = stage(c.rules, e.expires if e else None, c.height)
    if at == "free":
        raise Refused(letters[0])
    if at == "released":
        raise Refused(letters[1])
    if at == "grace" and not grace_allowed:
        raise Refused(letters[2])
    return e, at


def apply_op(s, c, payer, signed, o):
    """N6 to N15 on `s` in place; N16's order of checks, T11's of writes."""
    r, h, kind = c.rules, c.height, o["op"]
    key = (NAME, o.get("name"))
    if kind == "Pay":
        if o["amount"] == 0:
            raise Refused("N6a")
        if o["to"] == payer:
            raise Refused("N6b")
        spend(s, c, payer, 0, o["amount"], o["to"])
    elif kind == "Commit":
        if (COMMITMENT, o["hash"]) in s:
            return
        if c.commits >= r.commit_max:
            raise Refused("N7a")
        spend(s, c, payer, commit_burn(c.level))
        s[COMMITMENT, o["hash"]] = commitment_value(h, c.level)
        c.commits += 1
    elif kind == "Claim":
        claim(s, c, payer, o)
    elif kind == "Update":
        e, _ = present_name(s, c, o, ("N9a", "N9b", "N9c"))
        if e.owner not in signed and (e.manager is None or e.manager not in signed):
            raise Refused("N9d")
        try:
            decode_records(r, o["name"], o["records"])
        except Refused:
            raise Refused("N9e")
        spend(s, c, payer, 100_000 * max(0, len(o["records"]) - 512))
        e.records = records_hash(o["records"])
        c.records[e.records] = o["records"]
        s[key] = e.encode()
    elif kind == "Renew":
        if not 1 <= o["years"] <= 10:
            raise Refused("N10c")
        e, at = present_name(s, c, o, ("N10a", "N10b", ""), grace_allowed=True)
        until = e.expires + o["years"] * r.year
        if until > h + r.years_ahead * r.year:
            return
        if until > U32:
            raise Refused("N10d")
        spend(s, c, payer, base_price(o["name"]) * o["years"])
        e.expires = until
        if at == "grace":
            e.offer = None
        s[key] = e.encode()
    elif kind == "SetKeys":
        e, _ = present_name(s, c, o, ("N11a", "N11b", "N11c"))
        if e.owner not in signed:
            raise Refused("N11d")
        changes = o["recovery"] != e.recovery
        if changes and e.recovery is not None and e.recovery not in signed:
            raise Refused("N11e")
        e.manager, e.recovery = o["manager"], o["recovery"]
        if changes:
            e.offer = None
        s[key] = e.encode()
    elif kind == "Transfer":
        e, _ = present_name(s, c, o, ("N12a", "N12b", "N12c"))
        if e.owner not in signed:
            raise Refused("N12d")
        if e.recovery is not None and e.recovery not in signed:
            raise Refused("N12e")
        e.owner, e.manager, e.recovery, e.offer, e.since = o["to"], None, None, None, h
        s[key] = e.encode()
    elif kind == "Offer":
        if o["price"] == 0 and o["buyer"] is not None:
            raise Refused("N13f")
        e, _ = present_name(s, c, o, ("N13a", "N13b", "N13c"))
        if e.owner not in signed:
            raise Refused("N13d")
        if o["price"] and e.recovery is not None and e.recovery not in signed:
            raise Refused("N13e")
        if o["price"] == 0 and e.offer is None:
            raise Refused("N13g")
        e.offer = (o["price"], o["buyer"]) if o["price"] else None
        s[key] = e.encode()
    elif kind == "Buy":
        if o["price"] == 0:
            raise Refused("N14d")
        e, _ = present_name(s, c, o, ("N14a", "N14b", "N14c"))
        if e.owner == payer:
            raise Refused("N14h")
        if e.offer is None:
            raise Refused("N14e")
        if e.offer[0] != o["price"]:
            raise Refused("N14f")
        if e.offer[1] is not None and e.offer[1] != payer:
            raise Refused("N14g")
        spend(s, c, payer, 0, o["price"], e.owner)
        e.owner, e.manager, e.recovery, e.offer, e.since = payer, None, None, None, h
        s[key] = e.encode()
    elif kind == "Recover":
        e, _ = present_name(s, c, o, ("N15a", "N15b", "N15c"))
        if e.recovery is None:
            raise Refused("N15d")
        if e.recovery not in signed:
            raise Refused("N15e")
        e.owner, e.manager, e.offer, e.since = o["to"], None, None, h
        s[key] = e.encode()


def claim(s, c, payer, o):
    """N8."""
    r, h, name = c.rules, c.height, o["name"]
    letter = label_refusal(name)
    if letter:
        raise Refused("N8a", letter)
    if name in RESERVED:
        raise Refused("N8b")
    v = s.get((NAME, name))
    e = read_name(v) if v else None
    at = stage(r, e.expires if e else None, h)
    if at == "active":
        raise Refused("N8f")
    if at == "grace":
        raise Refused("N8g")
    q = (COMMITMENT, claim_hash(c.chain_id, o))
    if q not in s:
        raise Refused("N8c")
    made, level = read_commitment(s[q])
    if h - made < r.min_age:
        raise Refused("N8d")
    if h - made > r.max_age:
        raise Refused("N8e")
    if h + r.year > U32:
        raise Refused("N8h")
    prem = premium(r, h - (e.expires + r.grace)) if at == "released" else 0
    spend(s, c, payer, claim_burn(name, level, prem))
    del s[q]
    s[NAME, name] = Name(o["owner"], h, h + r.year).encode()


def supply(entries):
    """S14: the sum of balances and of rewards."""
    balances = sum(read_account(v)[0] for (k, _), v in entries.items() if k == ACCOUNT)
    rewards = sum(int.from_bytes(v[32:], "little") for (k, _), v in entries.items() if k == REWARD)
    return balances, rewards
