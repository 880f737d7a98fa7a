"""chain.json: whole chains, block by block, with bad blocks and branches between; proofs.json on top of them."""

from dataclasses import replace
from functools import lru_cache

from chain import Judged, Node, body_bytes, encode_coinbase, steps_before
from common import CHAIN_ID, NETWORKS, Rng, key, networks
from gen_codec import SECRETS, entry_list
from gen_ops import ONE_A, sized
from rules import (EMPTY_RECORDS, Refused, block_hash, commitment_of, encode_header, encode_roots, records_hash, stage,
                   target_of, work_check)
from scale import H, Reader, U64, Undecodable, compact, vec
from state import (ACCOUNT, COMMITMENT, LEVEL, NAME, REWARD, Context, apply_tx, check_proof, decode_proof, encode_proof,
                   read_account, read_name, state_root, supply, tree_proof)
from tx import Tx, claim_hash, op, sign_tx

A, B, C, D, E, F = (key(x) for x in "ABCDEF")
COIN = 10**8


class Script:
    """Feeds a node and writes down what must come of it."""

    def __init__(self, net):
        self.net, self.rules = net, NETWORKS[net]
        self.node = Node(self.rules)
        self.events = []
        self.salts = {}

    # -- transactions

    def tx(self, parent, ops, payer=A, signers=(), fee=1000, expiry=0, nonce=None, ahead=0, chain=None):
        """Signed, with the payer's nonce after `parent` (plus `ahead`)."""
        if nonce is None:
            v = parent.entries.get((ACCOUNT, payer))
            nonce = (read_account(v)[1] if v else 0) + ahead
        return sign_tx(chain or self.node.chain_id, Tx(payer, nonce, fee, ops, expiry, sorted(signers)), SECRETS)

    def claim(self, label, owner, attempt=0):
        return op("Claim", label, owner, H("vectors", self.net.encode() + label + bytes([attempt]))[:16])

    def commit(self, label, owner, attempt=0):
        return op("Commit", claim_hash(self.node.chain_id, self.claim(label, owner, attempt)))

    # -- events

    def make(self, txs=(), parent=None, to=A, time=None, **kw):
        parent = parent or self.node.tip
        if time is None:
            time = parent.time + self.rules.spacing
        return self.node.build(parent, list(txs), to, time, **kw)

    def good(self, txs=(), comment="", parent=None, **kw):
        data = self.make(txs, parent, **kw)
        return self.feed(data, comment)

    def feed(self, data, comment=""):
        b = self.node.deliver(data)
        balances, rewards = supply(b.entries)
        self.events.append({
            "block": data.hex(), "result": "good", "comment": comment, "hash": b.hash.hex(), "height": b.height,
            "prev": b.parent.hex(), "state_root": state_root(b.entries).hex(), "history_root": data[156:188].hex(),
            "level": str(int.from_bytes(b.entries[LEVEL, b""], "little")), "commits": b.commits, "fees": str(b.fees),
            "balances": str(balances), "unmatured": str(rewards), "issued": str(b.issued), "burned": str(b.burned),
            "work": f"{b.total:x}", "entries": len(b.entries), "tip": self.node.tip.hash.hex()})
        return b

    def bad(self, data, rule, step, condemns, comment, late=False):
        """late: on a branch that is not the best when it comes; a node may find out when it connects."""
        try:
            self.node.deliver(data)
        except Judged as j:
            assert (j.rule, j.step, j.condemns) == (rule, step, condemns), (comment, str(j))
        else:
            raise AssertionError(f"{comment}: accepted")
        self.events.append({"block": data.hex(), "result": "bad", "comment": comment, "rule": rule, "step": step,
                            "condemns": condemns, "late": late, "hash": block_hash(data[:88]).hex(),
                            "tip": self.node.tip.hash.hex()})

    def snapshot(self):
        """The whole state of the tip beside the last event."""
        self.events[-1]["state"] = entry_list(self.node.tip.entries)

    def run_to(self, height):
        while self.node.tip.height < height:
            self.good()

    def name_at(self, label):
        v = self.node.tip.entries.get((NAME, label))
        return v and read_name(v)

    def json(self, name, comment):
        g = self.node.genesis
        return {"chain": name, "comment": comment, "network": self.net, "genesis": g.bytes.hex(),
                "events": len(self.events), "tip": self.node.tip.hash.hex(), "height": self.node.tip.height}


def bad_headers(s):
    """A bad block of every kind on the tip; each good part is as it should be."""
    n = s.node
    tip = n.tip
    good = s.make([])
    # the message alone: the same hash may still come whole
    s.bad(good[:88], "B8", "B13.1", "message", "a header alone")
    s.bad(good[:188], "B8", "B13.1", "message", "no pow, no body")
    s.bad(good[:189], "C2", "B14.4", "message", "no body")
    s.bad(good[:-1], "C2", "B14.4", "message", "the last byte missing")
    s.bad(good + b"\0", "B8", "B14.4", "message", "a byte left over")
    s.bad(good[:188] + b"\x01" + good[189:], "P9", "B13.1", "message", "pow tag 1")
    s.bad(good[:188] + b"\xff" + good[189:], "P9", "B13.1", "message", "pow tag 255")
    s.bad(s.make([], meets=False), "P7", "B13.2", "message", "the work is not met")
    for bits, rule in ((0x20800001, "P1a"), (0x20000000, "P1b"), (0x21010000, "P1c"), (0x2100FFFF, "P7")):
        s.bad(s.make([], bits=bits, nonce=0), rule, "B13.2", "message", f"bits {bits:08x}")
    for at, what in ((88, "height"), (92, "tx_root"), (124, "state_root"), (156, "history_root")):
        x = bytearray(good)
        x[at] ^= 1
        s.bad(bytes(x), "B7", "B14.2", "message", f"the {what} does not open the commitment")
    body = good[189:]
    s.bad(good[:189] + body[:-1] + b"\x01\x00", "C3", "B14.4", "message", "the count of transactions not the shortest")
    s.bad(good[:189] + body[:-1] + b"\x04", "C2", "B14.4", "message", "one transaction told, none given")
    s.bad(good[:189] + A + vec(bytes(65)) + b"\x00", "T4g", "B14.4", "message", "coinbase extra of 65 bytes")
    s.bad(good[:189] + A + vec(b"x") + b"\x00", "B10", "B14.5", "message", "another coinbase than tx_root's")
    s.bad(good[:189] + B + good[221:], "B10", "B14.5", "message", "another key in the coinbase")
    if s.rules.body_max < 10**4:
        s.bad(good[:189] + body + bytes(s.rules.body_max + 1 - len(body)), "B9", "B14.4", "message",
              "a body of body max + 1 bytes")
    s.feed(good, "the same hash, whole")
    s.feed(good, "the same block again")
    tip = n.tip
    # the hash
    s.bad(s.make([], version=0), "B6", "B13.5", "hash", "version 0")
    s.bad(s.make([], version=2), "B6", "B13.5", "hash", "version 2")
    least = n.least_time(tip)
    s.bad(s.make([], time=least - 1), "B12b", "B13.7", "hash", "time: the median")
    s.bad(s.make([], time=s.rules.genesis_time), "B12b", "B13.7", "hash", "time: genesis time")
    if s.rules.half_life is None:
        s.bad(s.make([], time=2**40), "B12a", "B13.7", "hash", "time 2^40")
        s.bad(s.make([], time=U64), "B12a", "B13.7", "hash", "time 2^64 - 1")
    s.bad(s.make([], height=tip.height), "B7", "B14.3", "hash", "the roots hold the parent's height")
    s.bad(s.make([], height=tip.height + 2), "B7", "B14.3", "hash", "the roots hold the next height but one")
    s.bad(s.make([], tx_root=bytes(32)), "B10", "B14.5", "message", "a header that commits to another tx_root")
    s.bad(s.make([], history_root=bytes(32)), "B11", "B14.7", "hash", "history_root wrong")
    s.bad(s.make([], history_root=tip.bytes[156:188]), "B11", "B14.7", "hash", "the parent's history_root")
    s.bad(s.make([], state_root=state_root(tip.entries)), "S8", "B14.9", "hash", "the parent's state_root")
    wrong = s.make([], state_root=bytes(32))
    s.bad(wrong, "S8", "B14.9", "hash", "state_root wrong")
    s.bad(wrong, "B13", "B13.3", "hash", "the same again")
    child = s.make([], time=tip.time + 2 * s.rules.spacing, prev=block_hash(wrong[:88]), height=tip.height + 2)
    s.bad(child, "B15", "B13.4", "hash", "a child of a condemned block")
    orphan = s.make([], prev=H("vectors", b"nobody"))
    s.bad(orphan, "B13", "B13.4", "nothing", "an unknown parent")


def bad_bodies(s, spare):
    """Blocks whose body gives tx_root and turns out bad (B15). A pays; `spare` is a name free to claim twice."""
    n = s.node
    tip = n.tip
    t = s.tx(tip, [op("Pay", B, 5)])
    s.bad(s.make([t, t]), "T7e", "B14.8", "hash", "a transaction twice")
    s.bad(s.make([s.tx(tip, [op("Pay", B, 5)], ahead=1), t]), "T7e", "B14.8", "hash", "nonces in the wrong order")
    bad = s.tx(tip, [op("Pay", B, 5)])
    bad.signatures[0] = bytes(63) + b"\x01"
    s.bad(s.make([bad]), "T7b", "B14.6", "hash", "a bad signature")
    s.bad(s.make([s.tx(tip, [op("Pay", B, 5)], chain=CHAIN_ID["main"])]), "T7b", "B14.6", "hash",
          "a transaction of main")
    s.bad(s.make([s.tx(tip, [op("Pay", B, 5)], expiry=tip.height)]), "T7c", "B14.8", "hash", "expired a block ago")
    s.bad(s.make([s.tx(tip, [op("Pay", B, 5)], payer=key(77))]), "T7d", "B14.8", "hash", "a payer without account")
    s.bad(s.make([s.tx(tip, [op("Pay", B, 10**17)])]), "T11a", "B14.8", "hash", "more than the balance")
    most = s.rules.commit_max
    s.bad(s.make([s.tx(tip, [op("Commit", H("vectors", bytes([i]))) for i in range(most + 1)])]), "N7a", "B14.8",
          "hash", f"{most + 1} effective Commits in a transaction")
    s.bad(s.make([s.tx(tip, [op("Commit", H("vectors", bytes([i]))) for i in range(most)]),
                  s.tx(tip, [op("Commit", H("vectors", b"\xff"))], ahead=1)]), "N7a", "B14.8", "hash",
          f"{most + 1} effective Commits in two transactions")
    if spare:
        s.bad(s.make([s.tx(tip, [s.claim(spare, B)]), s.tx(tip, [s.claim(spare, C, 1)], ahead=1)]), "N8f", "B14.8",
              "hash", "two claims of one name")
    x = s.make([t])
    s.bad(x[:189] + encode_coinbase(A, b"") + compact(0), "B10", "B14.5", "message", "the transaction left out")
    y = t.encode()
    s.bad(x[:189] + encode_coinbase(A, b"") + compact(2) + y + y, "B10", "B14.5", "message",
          "the transaction doubled: tx_root does not fit")
    other = bytearray(x)
    other[-1] ^= 1
    s.bad(bytes(other), "B10", "B14.5", "message", "a signature's byte changed on the way")
    s.feed(x, "the same hash, whole")


# ---- regtest: a long life

def worked_chain():
    """S9: the first five blocks as in the spec."""
    s = Script("regtest")
    cid = s.node.chain_id
    alice = op("Claim", b"alice", B, bytes(range(16)))
    s.good(comment="S9, block 1")
    s.good(comment="S9, block 2")
    s.good([s.tx(s.node.tip, [op("Commit", claim_hash(cid, alice))], expiry=13)], "S9, block 3")
    s.good(comment="S9, block 4")
    s.good([s.tx(s.node.tip, [alice, op("Update", b"alice", ONE_A)], signers=[B])], "S9, block 5")
    s.snapshot()
    return s


@lru_cache(maxsize=None)
def long_life():
    s = worked_chain()
    n = s.node
    marks = {5: n.tip}

    def at(h, txs=(), comment="", **kw):
        s.run_to(h - 1)
        return s.good(txs, comment, **kw)

    def tx(ops, **kw):
        return s.tx(n.tip, ops, **kw)

    at(6, [tx([op("Pay", B, 20 * COIN), op("Pay", C, 30 * COIN)])], "accounts for B and C")
    s.good([tx([s.commit(b"twice", B), s.commit(b"twice", C, 1), s.commit(b"bobby", C)])], "commitments", to=C)
    s.good(extra=b"\xaa" * 64, comment="coinbase extra of 64 bytes", to=D)
    s.good(comment="D's account comes from its reward, free of creation")
    assert n.tip.entries[ACCOUNT, D]
    bad_headers(s)
    bad_bodies(s, b"twice")
    s.good([s.tx(n.tip, [s.claim(b"twice", B)]), s.tx(n.tip, [s.claim(b"bobby", C)], payer=B)],
           "two names; bobby is paid by B for C")
    s.good([tx([op("Update", b"bobby", sized(600))], payer=C), s.tx(n.tip, [s.commit(b"twice", B)])],
           "an Update above 512 bytes burns; a hash consumed is committed anew")
    anew = n.tip.height
    s.good([tx([op("SetKeys", b"bobby", D, E)], payer=C), s.tx(n.tip, [op("Offer", b"alice", 3 * COIN, None)],
                                                             payer=B)], "keys of bobby, an offer of alice")
    s.good([tx([op("Buy", b"alice", 3 * COIN)], payer=C), s.tx(n.tip, [op("Update", b"bobby", ONE_A)], payer=D)],
           "C buys alice; D, bobby's manager, updates it")
    s.good([tx([op("Recover", b"bobby", F)], signers=[E])], "E recovers bobby to F")
    s.good([tx([op("Transfer", b"alice", B)], payer=C), s.tx(n.tip, [op("Renew", b"twice", 1)], payer=D)],
           "alice back to B; D renews twice")
    s.good([tx([op("Pay", B, 1)]), s.tx(n.tip, [op("Pay", C, 2)], ahead=1), s.tx(n.tip, [op("Pay", D, 3)], ahead=2)],
           "three transactions of one payer")
    s.good([tx([op("Pay", key(50), COIN)]), s.tx(n.tip, [op("Pay", A, COIN // 2)], payer=key(50), nonce=0)],
           "an account made and spent from in one block")
    # a full block of Commits, so the level climbs, and no-ops beyond it
    many = [op("Commit", H("vectors", b"level" + bytes([i]))) for i in range(16)]
    s.good([tx(many[:10]), s.tx(n.tip, many[10:] + many[:3], ahead=1)], "16 effective Commits and 3 no-ops")
    s.good([tx([op("Commit", H("vectors", b"more" + bytes([i]))) for i in range(16)])], "16 again")
    s.good([tx([s.commit(b"late", B), s.commit(b"old", C)])], "commitments that will wait")
    late = n.tip.height
    s.good([tx([s.commit(b"late", B)])], "a no-op Commit: the older height stays")
    marks["climbed"] = n.tip
    # a branch: equal work does not move the tip, more does, and back again
    s.run_to(40)
    fork = n.tip
    s.good([tx([op("Pay", B, 111)])], "branch a, 1")
    a2 = s.good([tx([op("Transfer", b"alice", C)], payer=B)], "branch a, 2")
    s.snapshot()
    b1 = s.good([s.tx(fork, [op("Pay", B, 222)])], "branch b, 1: less work", parent=fork, extra=b"b")
    b2 = s.good([s.tx(b1, [op("Transfer", b"alice", D)], payer=B)], "branch b, 2: equal work, the tip stays",
                parent=b1, extra=b"b")
    assert n.tip is a2
    b3 = s.good([], "branch b, 3: more work, the tip moves", parent=b2, extra=b"b")
    assert n.tip is b3 and s.name_at(b"alice").owner == D
    s.snapshot()
    a3 = s.good([], "branch a, 3: equal", parent=a2, extra=b"a")
    s.bad(s.make([s.tx(a3, [op("Transfer", b"alice", B)], payer=D)], parent=a3, extra=b"a"), "N12d", "B14.8", "hash",
          "branch a, 4: valid on branch b only; the tip stays")
    a4 = s.good([s.tx(a3, [op("Transfer", b"alice", B)], payer=C)], "branch a, 4", parent=a3, extra=b"a")
    assert n.tip is a4
    s.snapshot()
    # a branch with a bad block that is not the best when it comes, and a child that would be
    c1 = s.good([], "branch c, 1", parent=a3, extra=b"c")
    assert n.tip is a4
    cbad = n.build(a3, [], A, c1.time, extra=b"cc", state_root=bytes(32))
    s.bad(cbad, "S8", "B14.9", "hash", "branch d, 1: equal work, state_root wrong", late=True)
    t = a4.time + 60
    dchild = n.build(c1, [], A, t, prev=block_hash(cbad[:88]), extra=b"cc")
    s.bad(dchild, "B15", "B13.4", "hash", "branch d, 2: would be the best, on a bad parent")
    assert n.tip is a4
    # median time: far ahead, then back as far as it goes
    s.good(comment="time an hour ahead", time=n.tip.time + 3600)
    s.good(comment="time back to the least", time=n.least_time(n.tip))
    s.bad(s.make([], time=n.least_time(n.tip) - 1), "B12b", "B13.7", "hash", "a second less")
    s.good(comment="the least again", time=n.least_time(n.tip))
    # alice is renewed away from the others; commitments live to age 100
    twice = (COMMITMENT, s.commit(b"twice", B)["hash"])
    s.run_to(anew + 100)
    assert twice in n.tip.entries
    s.good(comment="the hash committed anew goes by its own height")
    assert twice not in n.tip.entries
    s.run_to(late + 100 - 1)
    fork = n.tip
    s.good([tx([s.claim(b"late", B)], expiry=late + 100)], "claimed at age 100, the last block")
    assert (COMMITMENT, s.commit(b"old", C)["hash"]) in n.tip.entries
    s.bad(s.make([tx([s.claim(b"old", C)])]), "N8c", "B14.8", "hash", "age 101: the commitment is gone")
    s.good([tx([s.commit(b"old", C)])], "the same hash committed anew")
    assert (COMMITMENT, s.commit(b"old", C)["hash"]) in n.tip.entries
    s.snapshot()
    # a branch where late was not claimed and both commitments died, and back
    back = n.tip
    x = fork
    for i in range(n.tip.height - fork.height + 1):
        x = s.good([], "a branch without the claim" if not i else "", parent=x, extra=b"e")
    assert n.tip is x and s.name_at(b"late") is None
    s.snapshot()
    x = s.good([], "back: equal", parent=back, extra=b"f")
    x = s.good([], "back: more", parent=x, extra=b"f")
    assert n.tip is x and s.name_at(b"late")
    s.snapshot()
    s.run_to(140)
    # alice (claimed 5) expires 205: grace 205 to 224, released 225 to 244, free from 245
    s.run_to(203)
    s.good([tx([op("Update", b"alice", EMPTY_RECORDS)], payer=B)], "alice active: her last block")
    marks["active"] = n.tip
    s.bad(s.make([tx([op("Update", b"alice", ONE_A)], payer=B)]), "N9c", "B14.8", "hash", "alice in grace: no Update")
    marks["grace"] = s.good(comment="alice in grace")
    e_bob = s.name_at(b"bobby").expires
    s.run_to(223)
    assert stage(s.rules, e_bob, 224) == "grace"
    s.good([tx([op("Renew", b"bobby", 1), s.commit(b"alice", C, 1), s.commit(b"alice", D, 2),
                s.commit(b"alice", E, 3)])], "bobby is renewed out of grace; three commit to alice")
    s.good([], "alice released: her first block")
    marks["released"] = n.tip
    s.bad(s.make([tx([op("Renew", b"alice", 1)])]), "N10b", "B14.8", "hash", "alice released: no Renew")
    s.run_to(243)
    s.bad(s.make([tx([s.claim(b"alice", C, 1)])]), "T11a", "B14.8", "hash",
          "alice's last block released: the premium is beyond A's balance")
    s.good([], "alice released: her last block")
    marks["last"] = n.tip
    assert s.name_at(b"alice")
    s.snapshot()
    before = n.tip
    s.good([tx([s.claim(b"alice", C, 1)])], "alice free: claimed in the block that frees her")
    # the same on a branch without the claim: the entry is gone
    x = s.good([], "a branch without the claim: alice is gone", parent=before, extra=b"free")
    y = s.good([], "and it is the longer", parent=x, extra=b"free")
    assert n.tip is y and s.name_at(b"alice") is None
    marks["free"] = y
    s.snapshot()
    s.good([tx([s.claim(b"alice", D, 2)])], "claimed there by another")
    s.run_to(255)
    s.snapshot()
    return s, marks


def wrong_bits(s, time, bits, comment):
    """A block on the tip that meets other bits than P6's."""
    need = s.node.bits(s.node.tip, time)
    assert bits != need and target_of(bits) <= target_of(s.rules.limit_bits), comment
    nonce = 0
    while True:
        data = s.make([], time=time, bits=bits, nonce=nonce)
        try:
            work_check(s.rules, data[:88])
            break
        except Refused:
            nonce += 1
    s.bad(data, "P6", "B13.8", "hash", f"{comment}: {bits:08x} instead of {need:08x}")


# ---- short: ASERT, small bodies, a subsidy that ends, releases with a premium

@lru_cache(maxsize=None)
def short_life():
    s = Script("short")
    n, r = s.node, s.rules
    marks = {}
    rng = Rng("short times")

    def step():
        return n.tip.time + rng.pick([3, 5, 8, 9, 10, 10, 11, 12, 20])

    def good(txs=(), comment="", **kw):
        kw.setdefault("time", step())
        return s.good(txs, comment, **kw)

    def tx(ops, **kw):
        return s.tx(n.tip, ops, **kw)

    good(comment="block 1 starts the schedule", time=r.genesis_time + 10**6)
    for _ in range(16):
        good(time=n.tip.time + 2)
    bad_headers(s)
    wrong_bits(s, n.tip.time + 10, r.limit_bits, "the limit bits")
    bits = n.bits(n.tip, n.tip.time + 10)
    wrong_bits(s, n.tip.time + 10, bits - 1, "bits one less")
    wrong_bits(s, n.tip.time + 10, bits + 1, "bits one more")
    wrong_bits(s, n.tip.time + 10, n.bits(n.tip, n.tip.time + 250), "the bits that waiting would give")
    good(comment="waiting: 20 spacings", time=n.tip.time + 200)
    good(comment="waiting: 21 spacings ease the target", time=n.tip.time + 210)
    for _ in range(50):
        good(time=n.tip.time + 1)
    wrong_bits(s, n.tip.time + 300, n.bits(n.tip, n.tip.time + 10), "waited, but the harder bits")
    good(comment="waiting: 30 spacings", time=n.tip.time + 300)
    # bodies at the limit
    while (ACCOUNT, A) not in n.tip.entries:
        good()
    good([tx([s.commit(b"twice", B), s.commit(b"twice", C, 1)])])
    bad_bodies(s, b"twice")
    good([tx([s.claim(b"twice", B)])], "twice claimed")
    fill = tx([op("Update", b"twice", sized(600)), op("Update", b"twice", sized(600)),
               op("Update", b"twice", sized(400))], signers=[B])
    room = r.body_max - 34 - len(fill.encode())
    last = sized(room - len(op_bytes_overhead(b"twice", room)))
    fill = tx(fill.ops + [op("Update", b"twice", last)], signers=[B])
    assert len(body_bytes(A, b"", [fill])) == r.body_max, len(body_bytes(A, b"", [fill]))
    over = s.make([fill], extra=b"x", time=step())
    s.bad(over, "B9", "B14.4", "message", "a whole body of body max + 1 bytes")
    good([fill], "a body of body max bytes")
    e = s.name_at(b"twice").expires
    # into its release: commitments live 8 blocks
    released = e + r.grace
    while n.tip.height < released - 2:
        good()
    good([tx([s.commit(b"twice", C, 5), s.commit(b"twice", D, 6)])], "two commit to twice")
    good([], "twice released: its first block")
    assert n.tip.height == released
    marks["released"] = n.tip
    s.snapshot()
    good([tx([s.claim(b"twice", C, 5)])], "twice claimed in its release, with a premium")
    s.bad(s.make([tx([s.claim(b"twice", D, 6)])], time=step()), "N8f", "B14.8", "hash", "the other comes too late")
    while n.tip.height < r.halving_interval * 32 + 2:
        good()
    assert not any(k == REWARD for k, _ in n.tip.entries)
    good([], "no subsidy, no fees: no reward entry")
    s.snapshot()
    good([tx([op("Pay", B, 1)], fee=7)], "no subsidy: the fee alone")
    s.snapshot()
    good([tx([op("Pay", B, 1)], fee=0)], "no subsidy, fee 0: no reward entry")
    for _ in range(4):
        good()
    s.snapshot()
    marks["end"] = n.tip
    return s, marks


# ---- short, at random

@lru_cache(maxsize=None)
def random_life():
    s, rng = Script("short"), Rng("random life")
    n, r = s.node, s.rules
    people = [A, B, C, D, E]
    labels = [b"alpha", b"bravo", b"delta", b"gamma", b"omega", b"kappa", b"sigma"]
    pending, hashes = [], {}  # Claims whose Commit was accepted, Claims by hash

    def some_op():
        label, who = rng.pick(labels), rng.pick(people)
        some = [None, None, None, *people]
        kind = rng.pick(["Commit"] * 2 + ["Claim"] * 12 + ["Pay", "Update", "Renew", "SetKeys", "Transfer", "Offer",
                                                         "Offer", "Buy", "Buy", "Recover"])
        if kind == "Renew" and rng.below(8):
            kind = "Buy"
        if kind == "Claim" and pending:
            return rng.pick(pending[-10:])
        if kind in ("Commit", "Claim"):
            o = s.claim(label, who, rng.below(256))
            hashes[claim_hash(n.chain_id, o)] = o
            return op("Commit", claim_hash(n.chain_id, o))
        return {"Pay": lambda: op("Pay", rng.pick(people + [key(60 + rng.below(9))]), 1 + rng.below(COIN)),
                "Update": lambda: op("Update", label, rng.pick([ONE_A, EMPTY_RECORDS, sized(515)])),
                "Renew": lambda: op("Renew", label, 1 + rng.below(3)),
                "SetKeys": lambda: op("SetKeys", label, rng.pick(some), rng.pick(some)),
                "Transfer": lambda: op("Transfer", label, who),
                "Offer": lambda: op("Offer", label, rng.pick([0, 5, 5, COIN]), rng.pick(some)),
                "Buy": lambda: op("Buy", label, rng.pick([5, 5, COIN])),
                "Recover": lambda: op("Recover", label, who)}[kind]()

    def block(parent, comment=""):
        h = parent.height + 1
        state = steps_before(r, parent.entries, h)
        ctx = Context(r, n.chain_id, h, int.from_bytes(state[LEVEL, b""], "little"))
        txs = []
        for _ in range(40 if h > r.maturity else 0):
            if len(txs) == 2:
                break
            payers = [k for k in people if (ACCOUNT, k) in state]
            payer = rng.pick(payers)
            ops = [some_op() for _ in range(1 + rng.below(2))]
            signers = sorted({k for k in people if k != payer and rng.below(2)}) if rng.below(2) else []
            t = Tx(payer, read_account(state[ACCOUNT, payer])[1], rng.below(5000), ops, 0, signers)
            try:
                state, ctx = apply_tx(state, ctx, t, signed_already=True)
                txs.append(sign_tx(n.chain_id, t, SECRETS))
                pending.extend(hashes[o["hash"]] for o in ops if o["op"] == "Commit")
            except Refused:
                continue
        time = max(n.least_time(parent), parent.time + rng.pick([4, 8, 9, 10, 10, 12, 25]))
        return s.good(txs, comment, parent=parent, to=rng.pick(people), time=time,
                      extra=bytes([rng.below(256)]))

    while n.tip.height < 90:
        if n.tip.height > 6 and rng.below(12) == 0:
            fork = n.ancestors(n.tip, 5)[1 + rng.below(4)]
            old, x = n.tip, fork
            while n.tip is old:
                x = block(x, f"a branch from height {fork.height}")
        else:
            block(n.tip)
    s.snapshot()
    return s


def op_bytes_overhead(name, room):
    """The bytes an Update takes beside its records, where these are 64 bytes or more."""
    return b"\x03" + vec(name) + (b"\0\0" if room > 80 else b"\0")


def chain_json():
    s, _ = long_life()
    t, _ = short_life()
    u = random_life()
    return {"about": "B13 to B16, S9 to S14. Deliver the events of a chain in order to a node that knows only genesis "
                     "(no checkpoints, minimum_work 0, a clock far ahead). good: stored and valid, all values after it "
                     "on its own branch; work = cumulative, hex. bad: rule and step, condemns = message, hash or "
                     "nothing (B15); late = a node may find out only when it connects. tip = the active tip after the "
                     "event. state = the whole state of that tip.",
            "networks": networks("regtest", "short"),
            "chains": [s.json("regtest", "the worked chain of S9, then a long life"),
                       t.json("short", "ASERT, small bodies, a subsidy that ends"),
                       u.json("random", "short at random, with branches")],
            "regtest": s.events, "short": t.events, "random": u.events}


# ---- proofs.json (V4, V5)

def name_proof(block, label, records, proof=None, **over):
    """V4."""
    data = block.bytes
    p = tree_proof(block.entries, NAME, label) if proof is None else proof
    return (over.get("header", data[:88]) + over.get("roots", data[88:188]) + over.get("pow", b"\x00")
            + over.get("tree", vec(p)) + over.get("rest", vec(records)))


def check_name_proof(rules, label, trusted, data):
    """V5: (height, Name or None, records), or the refusal."""
    r = Reader(data)
    try:
        header, roots = r.take(88), r.take(100)
        if r.u8() != 0:
            raise Refused("V5a")
        tree, records = r.vec(8409, "V5a"), r.vec(rules.records_max, "V5a")
        r.end()
    except Refused:
        raise Refused("V5a")
    if block_hash(header) != trusted:
        raise Refused("V5b")
    if trusted != rules.chain_id():
        try:
            work_check(rules, header)
        except Refused:
            raise Refused("V5c")
    if commitment_of(roots) != header[36:68]:
        raise Refused("V5d")
    height = int.from_bytes(roots[:4], "little")
    try:
        value = check_proof(tree, NAME, label, roots[36:68])
    except Refused as e:
        raise Refused("V5e", e.rule)
    if value is None:
        if records:
            raise Refused("V5f")
        return height, None, None
    try:
        e = read_name(value)
    except Undecodable:
        raise Refused("V5g")
    if records_hash(records) != e.records:
        raise Refused("V5h")
    if stage(rules, e.expires, height) == "free":
        raise Refused("V5i")
    return height, e, records


def proofs_json():
    s, marks = long_life()
    good, bad = [], []
    tables = {records_hash(EMPTY_RECORDS): EMPTY_RECORDS}
    for b in s.node.known.values():
        tables |= b.records

    def yes(comment, block, label, net="regtest", **kw):
        v = block.entries.get((NAME, label))
        e = read_name(v) if v else None
        records = tables[e.records] if e else b""
        data = name_proof(block, label, records, **kw)
        trusted = block_hash(data[:88])
        height, got, rec = check_name_proof(NETWORKS[net], label, trusted, data)
        assert height == block.height and got == e
        case = {"comment": comment, "network": net, "name": label.decode(), "trusted": trusted.hex(),
                "height": height, "tag": decode_proof(tree_proof(block.entries, NAME, label))[1],
                "stage": stage(NETWORKS[net], e.expires if e else None, height), "proof": data.hex()}
        if e:
            case |= {"value": v.hex(), "records": rec.hex()}
        good.append(case)
        return data, trusted

    five = marks[5]
    alice, trusted = yes("block 5 of S9: alice, present", five, b"alice")
    for label in (b"bob", b"carol", b"dave"):
        yes(f"block 5 of S9: {label.decode()}, absent", five, label)
    for mark in ("active", "grace", "released", "last"):
        yes(f"alice in her stage: {mark}", marks[mark], b"alice")
    yes("alice: gone", marks["free"], b"alice")
    yes("bobby: keys of recovery, other records", marks["climbed"], b"bobby")
    i = 0
    seen = set()
    while len(seen) < 2:
        label = b"nobody%d" % i
        tag = decode_proof(tree_proof(marks["climbed"].entries, NAME, label))[1]
        if tag not in seen:
            seen.add(tag)
            yes(f"a larger state: absent by tag {tag}", marks["climbed"], label)
        i += 1
    yes("genesis: no work is asked for", s.node.genesis, b"alice")
    yes("genesis of main", Node(NETWORKS["main"]).genesis, b"alice", net="main")
    t, tmarks = short_life()
    for b in t.node.known.values():
        tables |= b.records
    yes("short: twice in its release", tmarks["released"], b"twice", net="short")
    yes("short: absent at the end", tmarks["end"], b"nobody", net="short")
    yes("a reserved name: absent", five, b"test")

    def no(rule, inner, comment, data, label=b"alice", trust=trusted, net="regtest"):
        try:
            check_name_proof(NETWORKS[net], label, trust, data)
        except Refused as e:
            assert e.rule == rule and (inner is None or str(e).endswith(inner)), (comment, str(e))
        else:
            raise AssertionError(comment)
        bad.append({"rule": rule, "inner": inner, "comment": comment, "network": net, "name": label.decode(),
                    "trusted": trust.hex(), "proof": data.hex()})

    tree = tree_proof(five.entries, NAME, b"alice")
    siblings, _, value = decode_proof(tree)
    end = encode_proof(siblings, b"")
    absent = tree_proof(five.entries, NAME, b"carol")
    bob = tree_proof(five.entries, NAME, b"bob")

    def made(rule, inner, comment, **kw):
        no(rule, inner, comment, name_proof(five, b"alice", ONE_A, **kw))

    no("V5a", None, "no bytes", b"")
    no("V5a", None, "the last byte missing", alice[:-1])
    no("V5a", None, "a byte left over", alice + b"\0")
    no("V5a", None, "the header alone", alice[:88])
    made("V5a", None, "pow tag 1", pow=b"\x01")
    made("V5a", None, "the length of the tree proof not the shortest",
         tree=(len(tree) * 4 + 2).to_bytes(4, "little") + tree)
    made("V5a", None, "a tree proof of 8,410 bytes", tree=vec(bytes(8410)))
    made("V5a", None, "records of 4,097 bytes", rest=vec(bytes(4097)))
    made("V5a", None, "the length of the records not the shortest", rest=b"\x31\x00" + ONE_A)
    no("V5b", None, "another hash is trusted", alice, trust=marks["grace"].hash)
    no("V5b", None, "the text form of the hash", alice, trust=trusted[::-1])
    x = bytearray(alice)
    x[80] ^= 1
    no("V5b", None, "the nonce changed", bytes(x))
    nonce = 0
    while True:  # a header whose hash is trusted though its work is not met
        lazy = five.bytes[:80] + nonce.to_bytes(8, "little")
        if int.from_bytes(block_hash(lazy), "little") > target_of(0x207FFFFF):
            break
        nonce += 1
    no("V5c", None, "trusted, but the work is not met", name_proof(five, b"alice", ONE_A, header=lazy),
       trust=block_hash(lazy))
    easy = five.bytes[:76] + (0x2100FFFF).to_bytes(4, "little") + five.bytes[80:88]
    no("V5c", None, "trusted, but the bits are easier than the limit", name_proof(five, b"alice", ONE_A, header=easy),
       trust=block_hash(easy))
    null = five.bytes[:76] + bytes(4) + five.bytes[80:88]
    no("V5c", None, "trusted, but the bits are no target", name_proof(five, b"alice", ONE_A, header=null),
       trust=block_hash(null))
    for at, what in ((0, "height"), (4, "tx_root"), (36, "state_root"), (68, "history_root")):
        x = bytearray(five.bytes[88:188])
        x[at] ^= 1
        made("V5d", None, f"another {what}", roots=bytes(x))
    made("V5d", None, "the roots of another block", roots=marks["grace"].bytes[88:188])
    made("V5e", "V2a", "depth 257", proof=b"\x01\x01" + bytes(33) + b"\x00")
    made("V5e", "V2b", "a spare bit", proof=tree[:2] + bytes([tree[2] | 1]) + tree[3:])
    made("V5e", "V2c", "a sibling of zeros", proof=b"\x01\x00\x80" + bytes(32) + b"\x00")
    made("V5e", "V2d", "tag 3", proof=end + b"\x03")
    made("V5e", "V2e", "a value of 181 bytes", proof=end + b"\x01" + vec(bytes(181)))
    made("V5e", "V2f", "an empty tree proof", proof=b"")
    made("V5e", "V2f", "a byte left over in the tree proof", proof=tree + b"\0")
    made("V5e", "V3a", "absence by its own key",
         proof=end + b"\x02" + H("key", b"\x01alice") + H("value", value))
    made("V5e", "V3b", "absence by a key elsewhere", proof=end + b"\x02" + decode_proof(bob)[2][0]
         + decode_proof(bob)[2][1])
    made("V5e", "V3c", "a changed value", proof=end + b"\x01" + vec(value[:-1] + b"\x01" + bytes(9)))
    made("V5e", "V3c", "the tree proof of carol", proof=absent)
    no("V5e", "V3c", "alice's proof for alicf", alice, label=b"alicf")
    made("V5e", "V3c", "the tree proof of another block", proof=tree_proof(marks["grace"].entries, NAME, b"alice"))
    no("V5f", None, "absent by tag 0, with records", name_proof(five, b"carol", EMPTY_RECORDS), label=b"carol")
    no("V5f", None, "absent by tag 2, with records", name_proof(five, b"bob", ONE_A), label=b"bob")
    made("V5h", None, "other records", rest=vec(EMPTY_RECORDS))
    made("V5h", None, "no records", rest=vec(b""))
    # states no block can have, to reach the last letters: mined for their own sake
    for rule, comment, v in (("V5g", "a value that is no entry: too short", value[:-1]),
                             ("V5g", "a value with a byte left over", value + b"\0"),
                             ("V5g", "an Option byte 2", value[:32] + b"\x02" + value[33:]),
                             ("V5g", "an empty value", b"")):
        no(*forged(s, marks, rule, comment, v))
    late = replace(read_name(value), expires=1)
    no(*forged(s, marks, "V5i", "free since the height before", late.encode(), at=marks["climbed"], height=42))
    return {"about": "V4, V5. good: stage is N3 at the height of the roots. bad: inner = the letter of V2 or V3 inside "
                     "V5e.", "networks": networks("regtest", "main", "short"), "good": good, "bad": bad}


def forged(s, marks, rule, comment, value, at=None, height=None):
    """A mined header over a state no block can have: alice's entry replaced by `value`."""
    base = at or marks[5]
    entries = dict(base.entries) | {(NAME, b"alice"): value}
    height = height or base.height
    roots = encode_roots(height, base.bytes[92:124], state_root(entries), base.bytes[156:188])
    nonce = 0
    while True:
        header = encode_header(1, base.parent, commitment_of(roots), base.time, 0x207FFFFF, nonce)
        try:
            work_check(s.rules, header)
            break
        except Refused:
            nonce += 1
    data = header + roots + b"\x00" + vec(tree_proof(entries, NAME, b"alice")) + vec(ONE_A)
    return rule, None, comment, data, b"alice", block_hash(header)
