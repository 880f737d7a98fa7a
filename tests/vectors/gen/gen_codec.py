"""trie.json and codec.json."""

from common import CHAIN_ID, NETWORKS, NO_POINT, Rng, key, networks, rule_of
from scale import H, compact, u32, u64, u8, vec, Reader
from state import (ACCOUNT, COMMITMENT, LEVEL, NAME, REWARD, ZERO, Name, account_value, check_proof, commitment_value,
                   decode_proof, encode_proof, leaf_hash, state_root, tree_key, tree_proof)
from tx import OPS, SHAPE, Tx, claim_hash, decode_alone, op, sighash, sign_tx, signatures_good, txid, wtxid, encode_op

SECRETS = {key(i): i for i in range(1, 100)}


def entry_list(entries):
    """A state in JSON: [key bytes (kind, id), value], ascending."""
    return [[(bytes([k]) + i).hex(), v.hex()] for (k, i), v in sorted(entries.items())]


# ---- trie.json

def deep_accounts(count, bits):
    """Account ids whose tree keys share many leading bits: the best pairs of a deterministic search."""
    keys = sorted((tree_key(ACCOUNT, H("vectors", u32(i))), H("vectors", u32(i))) for i in range(60000))
    pairs = []
    for (a, ida), (b, idb) in zip(keys, keys[1:]):
        common = 256 - (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length()
        if common >= bits:
            pairs.append((-common, ida, idb))
    return [(-c, x, y) for c, x, y in sorted(pairs)[:count]]


def random_entries(rng, n):
    out = {(LEVEL, b""): u64(10**6 + rng.below(10**6))}
    while len(out) < n:
        kind = rng.below(4)
        if kind == ACCOUNT:
            out[ACCOUNT, rng.bytes(32)] = account_value(rng.below(10**12), rng.below(1000))
        elif kind == NAME:
            label = bytes(97 + b % 26 for b in rng.bytes(1 + rng.below(20)))
            out[NAME, label] = Name(rng.bytes(32), rng.below(1000), 1000 + rng.below(1000),
                                    rng.bytes(32) if rng.below(2) else None,
                                    rng.bytes(32) if rng.below(2) else None, rng.bytes(32),
                                    rng.pick([None, (1 + rng.below(10**9), None),
                                              (1 + rng.below(10**9), rng.bytes(32))])).encode()
        elif kind == COMMITMENT:
            out[COMMITMENT, rng.bytes(32)] = commitment_value(rng.below(1000), 10**6 + rng.below(10**6))
        else:
            out[REWARD, u32(rng.below(10**6))] = rng.bytes(32) + u64(1 + rng.below(10**10))
    return out


def trie_json():
    rng, sets = Rng("trie"), []
    broken = []

    def proof_case(entries, root, kind, id_):
        p = tree_proof(entries, kind, id_)
        value = entries.get((kind, id_))
        assert check_proof(p, kind, id_, root) == value
        siblings, tag, _ = decode_proof(p)
        return {"key": (bytes([kind]) + id_).hex(), "tag": tag, "depth": len(siblings),
                "value": None if value is None else value.hex(), "proof": p.hex()}

    def add(comment, entries, absent=8, present=8):
        root = state_root(entries)
        ids = sorted(entries)
        chosen = ids if len(ids) <= present else [ids[rng.below(len(ids))] for _ in range(present)]
        proofs = [proof_case(entries, root, *k) for k in chosen]
        tags, tries = {}, 0
        while sum(tags.values()) < absent and tries < 400:
            tries += 1
            kind, id_ = NAME, bytes(97 + b % 26 for b in rng.bytes(6))
            case = proof_case(entries, root, kind, id_)
            if tags.get(case["tag"], 0) < absent // 2:
                tags[case["tag"]] = tags.get(case["tag"], 0) + 1
                proofs.append(case)
        sets.append({"comment": comment, "entries": entry_list(entries), "root": root.hex(), "proofs": proofs})
        return root

    a, b = key("A"), key("B")
    level = {(LEVEL, b""): u64(10**6)}
    acc = {(ACCOUNT, a): account_value(10**8, 0)}
    alice = {(NAME, b"alice"): Name(b, 12, 212).encode()}
    add("none (no real state)", {})
    add("the level alone", level)
    add("level, account", level | acc)
    add("level, account, name", level | acc | alice)
    widest = {(NAME, b"w" * 63): Name(a, 1, 2, b, a, rng.bytes(32), (2**64 - 1, b)).encode()}
    add("the largest value: 180 bytes", level | widest)
    for n in (2, 5, 9, 17, 33, 65):
        add(f"random, {n}", random_entries(rng, n))
    big = random_entries(rng, 200)
    big_root = add("random, 200", big, absent=16, present=16)
    pairs = deep_accounts(4, 24)
    deep = dict(level)
    for _, x, y in pairs[:2]:
        deep[ACCOUNT, x] = account_value(1, 2)
        deep[ACCOUNT, y] = account_value(3, 4)
    deep_root = add(f"keys that share {pairs[0][0]} and {pairs[1][0]} bits", deep)
    # x alone present; its neighbour y absent, ending at x (tag 2), far down beside another deep pair
    half = {k: v for k, v in deep.items() if k != (ACCOUNT, pairs[0][2])}
    half_root = state_root(half)
    sets.append({"comment": "the neighbour gone: all of a long path collapses", "entries": entry_list(half),
                 "root": half_root.hex(),
                 "proofs": [proof_case(half, half_root, ACCOUNT, pairs[0][2]),
                            proof_case(half, half_root, ACCOUNT, pairs[0][1])]})
    # an update history: the root depends on the content alone
    steps, entries = [], {}
    pool = sorted(random_entries(rng, 24).items())
    for i in range(60):
        k, v = pool[rng.below(len(pool))]
        if k in entries and rng.below(2):
            del entries[k]
            change = None
        else:
            v = v[:-1] + bytes([rng.below(256)])
            entries[k] = v
            change = v.hex()
        steps.append([(bytes([k[0]]) + k[1]).hex(), change, state_root(entries).hex()])

    def bad(rule, comment, proof, kind, id_, root):
        got = rule_of(check_proof, proof, kind, id_, root)
        assert got == rule, (comment, got)
        broken.append({"rule": rule, "comment": comment, "key": (bytes([kind]) + id_).hex(), "root": root.hex(),
                       "proof": proof.hex()})

    entries, root = big, big_root
    names = sorted((i for k, i in entries if k == NAME), key=lambda i: (len(entries[NAME, i]), i))
    accounts = sorted(i for k, i in entries if k == ACCOUNT)
    good = tree_proof(entries, NAME, names[0])
    siblings, _, value = decode_proof(good)
    depth = len(siblings)
    base = (NAME, names[0], root)

    def find_absent(tag):
        i = 0
        while True:
            id_ = b"q%d" % i
            p = tree_proof(entries, NAME, id_)
            if decode_proof(p)[1] == tag:
                return id_, p
            i += 1

    id0, p0 = find_absent(0)
    id2, p2 = find_absent(2)
    bad("V2f", "no bytes", b"", *base)
    bad("V2f", "one byte of the depth", good[:1], *base)
    bad("V2f", "a byte left over", good + b"\0", *base)
    bad("V2f", "a byte missing", good[:-1], *base)
    bad("V2f", "cut within the siblings", good[:40], *base)
    bad("V2f", "no tag", encode_proof(siblings, b""), *base)
    bad("V2f", "tag 0 with bytes after it", p0 + b"\0", NAME, id0, root)
    bad("V2f", "tag 2 with a byte missing", p2[:-1], NAME, id2, root)
    bad("V2a", "depth 257", b"\x01\x01" + bytes(33) + b"\x00", *base)
    bad("V2a", "depth 65535", b"\xff\xff" + good[2:], *base)
    if depth % 8:
        n = 2 + depth // 8
        for spare in {7, depth % 8}:
            t = bytearray(good)
            t[n] |= 0x80 >> spare
            bad("V2b", f"spare bit {spare} of the last bitmap byte", bytes(t), *base)
    t = bytearray(b"\x01\x00\x80" + bytes(32) + b"\x00")
    bad("V2c", "a present sibling of zeros", bytes(t), *base)
    end = encode_proof(siblings, b"")
    bad("V2d", "tag 3", end + b"\x03", *base)
    bad("V2d", "tag 255", end + b"\xff", *base)
    bad("V2e", "a value of 181 bytes", end + b"\x01" + vec(bytes(181)), *base)
    bad("V2e", "the length of the value not the shortest",
        end + b"\x01" + (len(value) * 4 + 2).to_bytes(4, "little") + value, *base)
    bad("V2f", "a value longer than the bytes left", end + b"\x01" + compact(len(value) + 1) + value, *base)
    bad("V3a", "tag 2 with the key asked for: absence of what is present",
        end + b"\x02" + tree_key(NAME, names[0]) + H("value", value), *base)
    other = next(k for k in sorted(entries) if tree_key(*k)[0] >> 7 != tree_key(NAME, names[0])[0] >> 7)
    bad("V3b", "tag 2 with a key from another subtree",
        end + b"\x02" + tree_key(*other) + H("value", entries[other]), *base)
    bad("V3c", "tag 0 in the place of an entry", end + b"\x00", *base)
    bad("V3c", "a changed value", end + b"\x01" + vec(bytes([value[0] ^ 1]) + value[1:]), *base)
    bad("V3c", "a present entry by another name", good, NAME, names[1], root)
    bad("V3c", "a present entry of another kind", good, ACCOUNT, names[0], root)
    bad("V3c", "another root", good, NAME, names[0], deep_root)
    bad("V3c", "a root of zeros", good, NAME, names[0], ZERO)
    bad("V3c", "an empty proof on a state that has entries", b"\x00\x00\x00", *base)
    bad("V3c", "one level less", encode_proof(siblings[:-1], b"\x01" + vec(value)), *base)
    bad("V3c", "one level more, empty", encode_proof(siblings + [ZERO], b"\x01" + vec(value)), *base)
    swapped = siblings[:]
    swapped[0], swapped[1] = swapped[1], swapped[0]
    bad("V3c", "two siblings swapped", encode_proof(swapped, b"\x01" + vec(value)), *base)
    bad("V3c", "a sibling left out", encode_proof([ZERO] + siblings[1:], b"\x01" + vec(value)), *base)
    bad("V3c", "tag 2 with another value hash", p2[:-1] + bytes([p2[-1] ^ 1]), NAME, id2, root)
    bad("V3c", "tag 0 of another absent name", p0, NAME, id2, root)
    acct = tree_proof(entries, ACCOUNT, accounts[0])
    bad("V3c", "depth 256 of random siblings", encode_proof([rng.bytes(32) for _ in range(256)], b"\x00"), *base)
    full = encode_proof([rng.bytes(32) for _ in range(256)], b"\x01" + vec(bytes(180)))
    assert len(full) == 8409
    bad("V3c", "8409 bytes: the largest that decodes", full, *base)
    bad("V2f", "8410 bytes", full + b"\0", *base)
    # an inner node passed off as a leaf's value or as a sibling does not open anything
    bad("V3c", "an inner node's two children as the value of a leaf",
        encode_proof(siblings[:-1], b"\x01" + vec(leaf_hash(tree_key(NAME, names[0]), value) + siblings[-1])), *base)
    assert check_proof(acct, ACCOUNT, accounts[0], root) == entries[ACCOUNT, accounts[0]]
    return {"about": "S8, V1 to V3. entries: [kind byte + id, value]. proofs: key = kind byte + id, value null = absent. "
                     "updates: starting from no entries, set (or with null remove) one entry, giving this root.",
            "sets": sets, "updates": steps, "broken": broken}


# ---- codec.json

def op_json(o):
    out = {"op": o["op"]}
    for name, typ in SHAPE[o["op"]]:
        v = o[name]
        out[name] = str(v) if typ == "u64" else v if typ == "u8" else None if v is None else v.hex()
    return out


COMPACTS = [0, 1, 62, 63, 64, 65, 255, 256, 1000, 16382, 16383, 16384, 65535, 65536, 10**7, 10**8, 2**30 - 1, 2**30,
            2**30 + 1, 2**32 - 1, 2**32, 5 * 10**9, 2**40 - 1, 2**40, 2**48 - 1, 2**48, 2**53, 2**56 - 1, 2**56,
            2**63, 2**64 - 1]


def codec_json():
    cid = CHAIN_ID["regtest"]
    compacts, bad_compacts = [], []
    for n in COMPACTS:
        compacts.append({"n": str(n), "bytes": compact(n).hex(),
                         "fits": [w for w in (16, 32, 64) if n < 1 << w]})
    for hx, why in (("0100", "0 in 2 bytes"), ("0500", "1 in 2 bytes"), ("fd00", "63 in 2 bytes"),
                    ("02000000", "0 in 4"), ("feff0000", "16383 in 4"), ("02010000", "64 in 4"),
                    ("0300000000", "0 in 5"), ("03ffffff3f", "2^30 - 1 in 5"), ("0301000000", "1 in 5"),
                    ("07ffffffff00", "a zero as last byte, 5"), ("0b000000000100", "6"), ("0f00000000000100", "7"),
                    ("13ffffffffffffff00", "a zero as last byte, 8"), ("130000000000000000", "0 in 8"),
                    ("17000000000000000001", "9 bytes: 2^64"), ("17ffffffffffffffff00", "9 bytes, zero on top"),
                    ("33" + "00" * 15 + "01", "16 bytes"), ("ff" + "01" * 67, "67 bytes"),
                    ("", "no bytes"), ("01", "1 of 2 bytes"), ("02", "1 of 4"), ("0200", "2 of 4"),
                    ("020001", "3 of 4"), ("03", "1 of 5"), ("03000000", "4 of 5"), ("13ffffffffffff", "7 of 9")):
        rule = rule_of(lambda: (lambda r: (r.compact(64), r.end()))(Reader(bytes.fromhex(hx))))
        assert rule in ("C2", "C3"), why
        bad_compacts.append({"rule": rule, "bytes": hx, "comment": why})

    txs, undecodable, signatures = [], [], []
    a, b, c = key("A"), key("B"), key("C")
    salt = bytes(range(16))

    def build(ops, payer=a, signers=(), nonce=0, fee=1000, expiry=0, sign=True, **kw):
        t = Tx(payer, nonce, fee, ops, expiry, sorted(signers), **kw)
        return sign_tx(cid, t, SECRETS if sign else {})

    def good(comment, t, net="regtest"):
        data = t.encode()
        again = decode_alone(data, NETWORKS[net])
        assert again.encode() == data and again == t, comment
        ok = signatures_good(CHAIN_ID[net], t)
        txs.append({"comment": comment, "network": net, "payer": t.payer.hex(), "nonce": str(t.nonce),
                    "fee": str(t.fee), "expiry": t.expiry, "signers": [k.hex() for k in t.signers],
                    "ops": [op_json(o) for o in t.ops], "signatures": [s.hex() for s in t.signatures],
                    "good": ok, "bytes": data.hex(), "body_length": len(t.body()),
                    "sighash": sighash(CHAIN_ID[net], t).hex(), "txid": txid(CHAIN_ID[net], t).hex(),
                    "wtxid": wtxid(t).hex(),
                    "claims": [claim_hash(CHAIN_ID[net], o).hex() for o in t.ops if o["op"] == "Claim"]})
        return data

    alice = op("Claim", b"alice", b, salt)
    one_a = bytes.fromhex("0104000441380410c0000207")
    commit = build([op("Commit", claim_hash(cid, alice))], expiry=13)
    good("T5: the Commit", commit)
    good("T5: Claim and Update", build([alice, op("Update", b"alice", one_a)], nonce=1, signers=[b]))
    examples = [
        op("Pay", b, 2 * 10**8), op("Pay", b, 0), op("Pay", a, 2**64 - 1), op("Commit", bytes(32)), alice,
        op("Claim", b"", NO_POINT, bytes(16)), op("Update", b"alice", b""), op("Update", b"alice", bytes(4096)),
        op("Update", b"", b"\xff"), op("Renew", b"alice", 2), op("Renew", b"alice", 0), op("Renew", b"\x00\xff", 255),
        op("SetKeys", b"alice", None, a), op("SetKeys", b"alice", b, None), op("SetKeys", b"alice", None, None),
        op("SetKeys", b"alice", b, c), op("Transfer", b"alice", bytes(32)), op("Offer", b"alice", 5 * 10**8, None),
        op("Offer", b"alice", 0, None), op("Offer", b"alice", 0, b), op("Offer", b"alice", 2**64 - 1, c),
        op("Buy", b"alice", 5 * 10**8), op("Buy", b"alice", 0), op("Recover", b"a" * 63, c),
    ]
    for o in examples:
        good(f"{o['op']} alone", build([o]))
    good("the shortest: 105 bytes", build([op("Renew", b"", 0)], fee=0))
    assert len(txs[-1]["bytes"]) == 210
    good("an ordinary update of 123 bytes: nonce below 64", build([op("Update", b"alice", one_a)], nonce=63))
    good("T15: an ordinary update of 124 bytes: nonce of two bytes", build([op("Update", b"alice", one_a)], nonce=64))
    assert [len(t["bytes"]) // 2 for t in txs[-2:]] == [123, 124] and len(txs[0]["bytes"]) == 2 * 136
    assert len(txs[1]["bytes"]) == 2 * 274
    for n in COMPACTS:
        good(f"nonce {n}", build([op("Renew", b"a", 1)], nonce=n, sign=False))
    good("fee 2^64 - 1", build([op("Renew", b"a", 1)], fee=2**64 - 1))
    good("expiry 2^32 - 1", build([op("Renew", b"a", 1)], expiry=2**32 - 1))
    good("16 signers", build([op("Renew", b"a", 1)], signers=[key(i) for i in range(2, 18)]))
    good("a signer that is no point", build([op("Renew", b"a", 1)], signers=[NO_POINT]))
    good("a payer that is no point", build([op("Renew", b"a", 1)], payer=NO_POINT))
    good("signers below and above the payer", build([op("Renew", b"a", 1)], payer=sorted([a, b, c])[1],
                                                    signers=[sorted([a, b, c])[0], sorted([a, b, c])[2]]))
    good("every op", build(examples[:1] + [o for o in examples if len(encode_op(o)) < 200]))
    good("100 ops", build([op("Renew", b"a", i + 1) for i in range(100)]))
    good("records of 600 bytes on short", sign_tx(CHAIN_ID["short"], Tx(a, 0, 0, [op("Update", b"a", bytes(600))]),
                                                  SECRETS), "short")
    # exactly body max - 34 on short: 1966
    filler = Tx(a, 0, 0, [op("Update", b"a", bytes(n)) for n in (600, 600, 400)])
    sign_tx(CHAIN_ID["short"], filler, SECRETS)
    room = 1966 - len(filler.encode())
    filler.ops.append(op("Update", b"a", bytes(room - 5)))
    sign_tx(CHAIN_ID["short"], filler, SECRETS)
    assert len(filler.encode()) == 1966, len(filler.encode())
    good("short: body max - 34 bytes", filler, "short")

    def no(rule, comment, data, net="regtest"):
        got = rule_of(decode_alone, data, NETWORKS[net])
        assert got == rule, (comment, got, rule)
        undecodable.append({"rule": rule, "comment": comment, "network": net, "bytes": data.hex()})

    filler.ops[-1]["records"] += b"\0"
    sign_tx(CHAIN_ID["short"], filler, SECRETS)
    no("T4h", "short: body max - 33 bytes", filler.encode(), "short")
    data = commit.encode()
    no("C2", "no bytes", b"")
    for n in (1, 20, 33, 34, 36, 38, 40, 60, 71, 72, 100, 135):
        no("C2", f"the first {n} bytes", data[:n])
    no("T3", "a byte left over", data + b"\0")
    no("T3", "a signature too many", data + bytes(64))
    for v in (0, 2, 255):
        no("T4a", f"version {v}", bytes([v]) + data[1:])
    renew = [op("Renew", b"a", 1)]
    ks = [key(i) for i in range(2, 19)]
    no("T4b", "17 signers", build(renew, signers=ks, sign=False).encode())
    t = build(renew)

    def with_signers(signers):
        t = Tx(a, 0, 1000, renew, 0, list(signers))
        return sign_tx(cid, t, SECRETS).encode()

    lo, hi = sorted([b, c])
    no("T4b", "signers descending", with_signers([hi, lo]))
    no("T4b", "a signer twice", with_signers([b, b]))
    no("T4b", "the payer alone as signer", with_signers([a]))
    no("T4b", "the payer among the signers", with_signers(sorted([a, b, c])))
    no("C2", "a signature fewer than signers", with_signers([lo, hi])[:-64])
    no("T4c", "0 ops", build([], sign=False).encode())
    no("T4c", "101 ops", build([op("Renew", b"a", 1)] * 101, sign=False).encode())
    head = Tx(a, 0, 1000, [], 0).body()[:-1]

    def raw(ops_bytes, count=1):
        return head + compact(count) + ops_bytes + bytes(64)

    for n in (10, 11, 128, 255):
        no("T4d", f"op number {n}", raw(u8(n) + vec(b"a") + b"\x01"))
    no("T4e", "a name of 64 bytes", raw(b"\x04" + vec(b"a" * 64) + b"\x01"))
    for n in (2, 3, 5, 6, 7, 8, 9):
        no("T4e", f"{OPS[n]}: a name of 64 bytes", raw(u8(n) + vec(b"a" * 64) + bytes(70)))
    no("T4e", "a name of 2^30 bytes told", raw(b"\x04" + compact(2**30) + b"\x01"))
    no("T4f", "records of 4097 bytes", raw(b"\x03" + vec(b"a") + vec(bytes(4097))))
    no("T4f", "records of 2^32 - 1 bytes told", raw(b"\x03" + vec(b"a") + compact(2**32 - 1)))
    no("T4f", "short: records of 601 bytes", sign_tx(CHAIN_ID["short"], Tx(a, 0, 0, [op("Update", b"a", bytes(601))]),
                                                     SECRETS).encode(), "short")
    no("C2", "records longer than what is left", raw(b"\x03" + vec(b"a") + compact(100) + bytes(10)))
    for byte in (2, 3, 255):
        no("C2", f"SetKeys: manager Option byte {byte}", raw(b"\x05" + vec(b"a") + u8(byte) + bytes(33)))
        no("C2", f"SetKeys: recovery Option byte {byte}", raw(b"\x05" + vec(b"a") + b"\x00" + u8(byte) + bytes(32)))
        no("C2", f"Offer: buyer Option byte {byte}", raw(b"\x07" + vec(b"a") + b"\x04" + u8(byte) + bytes(32)))
    no("C3", "nonce not the shortest", data[:33] + b"\x01\x00" + data[34:])
    no("C3", "fee not the shortest", data[:34] + bytes.fromhex("a20f0000") + data[36:])
    no("C3", "expiry not the shortest", data[:36] + b"\x35\x00" + data[37:])
    no("C3", "count of signers not the shortest", data[:37] + b"\x01\x00" + data[38:])
    no("C3", "count of ops not the shortest", data[:38] + b"\x05\x00" + data[39:])
    no("C3", "length of a name not the shortest", raw(b"\x04\x05\x00a\x01"))
    no("C3", "length of records not the shortest", raw(b"\x03\x04a\x05\x00\x01"))
    no("C3", "amount not the shortest", raw(b"\x00" + b + b"\x05\x00"))
    no("C3", "price not the shortest", raw(b"\x08\x04a\x02\x00\x00\x00"))
    no("C2", "nonce of 9 bytes", data[:33] + b"\x17" + bytes(8) + b"\x01" + data[34:])
    no("C2", "amount beyond u64", raw(b"\x00" + b + b"\x17" + bytes(8) + b"\x01"))
    no("C2", "expiry beyond u32", data[:36] + compact(2**32) + data[37:])
    no("C2", "count of signers beyond u32", data[:37] + compact(2**32) + data[38:])
    no("T3", "one op told, two given", head + compact(1) + encode_op(renew[0]) * 2 + bytes(64))
    no("C2", "two ops told, one given", head + compact(2) + encode_op(op("Transfer", b"a" * 63, b)) + bytes(10))

    # signatures
    def sig(comment, t, verdicts, net="regtest"):
        got = signatures_good(CHAIN_ID[net], t)
        assert got == verdicts, (comment, got)
        signatures.append({"comment": comment, "network": net, "bytes": t.encode().hex(), "good": got})

    def changed(t, i, s):
        return Tx(t.payer, t.nonce, t.fee, t.ops, t.expiry, t.signers,
                  [s if j == i else x for j, x in enumerate(t.signatures)])

    t = build([op("Pay", b, 5)], signers=[b, c])
    sig("all good", t, [True] * 3)
    for i in range(3):
        s = t.signatures[i]
        for at in (0, 31, 32, 63):
            x = bytearray(s)
            x[at] ^= 1
            sig(f"signature {i}: byte {at} changed", changed(t, i, bytes(x)), [j != i for j in range(3)])
        sig(f"signature {i}: zeros", changed(t, i, bytes(64)), [j != i for j in range(3)])
    s = t.signatures
    sig("two signatures in each other's place", Tx(t.payer, t.nonce, t.fee, t.ops, 0, t.signers, [s[0], s[2], s[1]]),
        [True, False, False])
    sig("the payer's signature for all", Tx(t.payer, t.nonce, t.fee, t.ops, 0, t.signers, [s[0]] * 3),
        [True, False, False])
    for field, value in (("nonce", 1), ("fee", 1001), ("expiry", 7)):
        x = Tx(t.payer, t.nonce, t.fee, t.ops, t.expiry, t.signers, s)
        setattr(x, field, value)
        sig(f"{field} changed after signing", x, [False] * 3)
    sig("an op changed after signing", Tx(t.payer, t.nonce, t.fee, [op("Pay", b, 6)], 0, t.signers, s), [False] * 3)
    for other in ("main", "test", "short"):
        x = sign_tx(CHAIN_ID[other], Tx(a, 0, 1000, [op("Pay", b, 5)], 0, sorted([b])), SECRETS)
        sig(f"signed for {other}", x, [False, False])
        sig(f"the same on {other}", x, [True, True], other)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    x = build([op("Pay", b, 5)])
    r, v = x.signatures[0][:32], int.from_bytes(x.signatures[0][32:], "big")
    sig("s negated", changed(x, 0, r + (order - v).to_bytes(32, "big")), [False])
    if v + order < 2**256:
        sig("s + n", changed(x, 0, r + (v + order).to_bytes(32, "big")), [False])
    sig("s = n", changed(x, 0, r + order.to_bytes(32, "big")), [False])
    sig("r = p", changed(x, 0, (2**256 - 2**32 - 977).to_bytes(32, "big") + x.signatures[0][32:]), [False])
    sig("a key that is no point", build([op("Pay", b, 5)], payer=NO_POINT), [False])
    sig("a key of zeros", build([op("Pay", b, 5)], payer=bytes(32)), [False])
    return {"about": "C2, C3, T1 to T6. compacts.fits: the widths that hold n. txs: decodable, not all valid; good = T6 "
                     "of each signature. claims: the commitment (N8) of each Claim. undecodable: rule of the refusal.",
            "networks": networks("regtest", "main", "test", "short"), "compacts": compacts,
            "bad_compacts": bad_compacts, "txs": txs, "undecodable": undecodable, "signatures": signatures}
