"""Transactions: bytes, digests, signatures (T1 to T6)."""

from dataclasses import dataclass, field

import secp
from scale import H, Reader, Undecodable, compact, option, u8, vec

OPS = ["Pay", "Commit", "Claim", "Update", "Renew", "SetKeys", "Transfer", "Offer", "Buy", "Recover"]

# T2: the fields of each op, in order
SHAPE = {
    "Pay": [("to", "key"), ("amount", "u64")],
    "Commit": [("hash", "key")],
    "Claim": [("name", "name"), ("owner", "key"), ("salt", "salt")],
    "Update": [("name", "name"), ("records", "records")],
    "Renew": [("name", "name"), ("years", "u8")],
    "SetKeys": [("name", "name"), ("manager", "option"), ("recovery", "option")],
    "Transfer": [("name", "name"), ("to", "key")],
    "Offer": [("name", "name"), ("price", "u64"), ("buyer", "option")],
    "Buy": [("name", "name"), ("price", "u64")],
    "Recover": [("name", "name"), ("to", "key")],
}


def op(kind, *values):
    """An op as a map: its kind and its fields, in the order of T2."""
    shape = SHAPE[kind]
    assert len(shape) == len(values), kind
    return {"op": kind} | {n: v for (n, _), v in zip(shape, values)}


def encode_op(o):
    """T2."""
    out = u8(OPS.index(o["op"]))
    for name, typ in SHAPE[o["op"]]:
        v = o[name]
        out += {"key": lambda: v, "salt": lambda: v, "u64": lambda: compact(v), "u8": lambda: u8(v),
                "name": lambda: vec(v), "records": lambda: vec(v), "option": lambda: option(v)}[typ]()
    return out


def decode_op(r, records_max):
    n = r.u8()
    if n > 9:
        raise Undecodable("T4d")
    o = {"op": OPS[n]}
    for name, typ in SHAPE[OPS[n]]:
        o[name] = {"key": r.key, "salt": lambda: r.take(16), "u64": lambda: r.compact(64), "u8": r.u8,
                   "name": lambda: r.vec(63, "T4e"), "records": lambda: r.vec(records_max, "T4f"),
                   "option": lambda: r.option(r.key)}[typ]()
    return o


@dataclass
class Tx:
    payer: bytes
    nonce: int
    fee: int
    ops: list
    expiry: int = 0
    signers: list = field(default_factory=list)
    signatures: list = field(default_factory=list)
    version: int = 1

    def body(self):
        """T1."""
        return (u8(self.version) + self.payer + compact(self.nonce) + compact(self.fee) + compact(self.expiry)
                + compact(len(self.signers)) + b"".join(self.signers)
                + compact(len(self.ops)) + b"".join(encode_op(o) for o in self.ops))

    def encode(self):
        """T3."""
        return self.body() + b"".join(self.signatures)


def decode_tx(r, rules):
    """T1 to T4: one transaction from a reader; it tells its own end."""
    version = r.u8()
    if version != 1:
        raise Undecodable("T4a")
    payer, nonce, fee, expiry = r.key(), r.compact(64), r.compact(64), r.compact(32)
    n = r.compact(32)
    if n > 16:
        raise Undecodable("T4b", "too many signers")
    signers = []
    for _ in range(n):
        k = r.key()
        if signers and k <= signers[-1]:
            raise Undecodable("T4b", "not ascending")
        if k == payer:
            raise Undecodable("T4b", "the payer among the signers")
        signers.append(k)
    n = r.compact(32)
    if not 1 <= n <= 100:
        raise Undecodable("T4c")
    ops = [decode_op(r, rules.records_max) for _ in range(n)]
    signatures = [r.take(64) for _ in range(1 + len(signers))]
    return Tx(payer, nonce, fee, ops, expiry, signers, signatures)


def decode_alone(data, rules):
    """T3, T4h: a transaction standing alone."""
    if len(data) > rules.body_max - 34:
        raise Undecodable("T4h")
    r = Reader(data)
    tx = decode_tx(r, rules)
    r.end("T3")
    return tx


# ---- T5

def sighash(chain_id, tx):
    return H("sighash", chain_id + tx.body())


def txid(chain_id, tx):
    return H("tx", chain_id + tx.body())


def wtxid(tx):
    return H("wtx", tx.encode())


def claim_hash(chain_id, o):
    """N8: what a Commit of this Claim holds."""
    assert o["op"] == "Claim"
    return H("claim", chain_id + encode_op(o))


def sign_tx(chain_id, tx, secrets):
    """T6; `secrets` maps key to secret. A key without one gets a signature of zeros."""
    m = sighash(chain_id, tx)
    tx.signatures = [secp.sign(secrets[k], m) if k in secrets else bytes(64) for k in [tx.payer] + tx.signers]
    return tx


def signatures_good(chain_id, tx):
    """T6: one verdict for each signature."""
    m = sighash(chain_id, tx)
    return [secp.verify(k, m, s) for k, s in zip([tx.payer] + tx.signers, tx.signatures)]
