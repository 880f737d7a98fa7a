"""ops.json: one transaction on one state, accepted with what it changes or refused by its rule."""

from common import CHAIN_ID, NETWORKS, NO_POINT, Rng, key, networks
from gen_codec import SECRETS, entry_list
from rules import EMPTY_RECORDS, Refused, encode_records, free_from, premium, records_hash, stage
from scale import H, U32, U64, u64
from state import (ACCOUNT, COMMITMENT, LEVEL, NAME, Context, Name, account_value, apply_tx, commitment_value,
                   state_root)
from tx import Tx, claim_hash, decode_alone, encode_op, op, sign_tx, txid

A, B, C, D, E, F = (key(x) for x in "ABCDEF")
COIN = 10**8
ONE_A = encode_records([([], 1, 3600, [bytes([192, 0, 2, 7])])])
SALT = bytes(range(16))
RICH = 10**6 * COIN


def sized(n):
    """Records of exactly n bytes."""
    for pad in range(n):
        x = encode_records([([], 16, 0, [bytes(pad)])])
        if len(x) == n:
            return x
    raise ValueError(n)


class Builder:
    def __init__(self):
        self.cases = []
        self.letters = {}

    def case(self, comment, ops, want="ok", *, h=1000, net="regtest", entries=None, payer=A, signers=(), nonce=0,
             fee=1000, expiry=0, balance=RICH, level=10**6, commits=0, accounts=None, spoil=None, given=None):
        """want: "ok", or the refusal. balance: the payer's, None = no account. entries: besides level and payer."""
        rules, cid = NETWORKS[net], CHAIN_ID[net]
        state = {(LEVEL, b""): u64(level)}
        if balance is not None:
            state[ACCOUNT, payer] = account_value(balance, nonce if given is None else given)
        for k, b in (accounts or {}).items():
            state[ACCOUNT, k] = account_value(b, 0)
        state |= entries or {}
        tx = sign_tx(cid, Tx(payer, nonce, fee, ops, expiry, sorted(signers)), SECRETS)
        if spoil is not None:
            s = bytearray(tx.signatures[spoil])
            s[40] ^= 4
            tx.signatures[spoil] = bytes(s)
        data = tx.encode()
        out = {"comment": comment, "network": net, "height": h, "commits": commits, "level": str(level),
               "state": entry_list(state), "state_root": state_root(state).hex(), "tx": data.hex(),
               "ops": [o["op"] for o in ops]}
        ctx = Context(rules, cid, h, level, commits)
        try:
            tx = decode_alone(data, rules)
            after, ctx = apply_tx(state, ctx, tx)
        except Refused as e:
            assert want == e.rule or want is None, (comment, want, e.rule)
            out["rule"] = e.rule
            self.letters[e.rule] = self.letters.get(e.rule, 0) + 1
        else:
            assert want in ("ok", None), (comment, want, "accepted")
            changed = {k: after.get(k) for k in {*state, *after} if state.get(k) != after.get(k)}
            out |= {"txid": txid(cid, tx).hex(), "fee": str(ctx.fees), "burned": str(ctx.burned),
                    "commits_after": ctx.commits,
                    "changed": [[(bytes([k]) + i).hex(), None if v is None else v.hex()]
                                for (k, i), v in sorted(changed.items())],
                    "root_after": state_root(after).hex(),
                    "records": {x.hex(): y.hex() for x, y in sorted(ctx.records.items())}}
        self.cases.append(out)
        return out

    # -- states

    def name(self, label=b"alice", at="active", h=1000, net="regtest", expires=None, owner=B, **kw):
        """A name in a stage at h: one with its middle there."""
        r = NETWORKS[net]
        if expires is None:
            expires = {"active": h + r.year // 2, "grace": h - r.grace // 2, "released": h - r.grace - 1}[at]
        assert stage(r, expires, h) == at
        since = kw.pop("since", max(0, expires - r.year))
        return {(NAME, label): Name(owner, since, expires, **kw).encode()}


def pair(o, made, level=10**6, net="regtest"):
    """The commitment entry of a Claim."""
    return {(COMMITMENT, claim_hash(CHAIN_ID[net], o)): commitment_value(made, level)}


def ops_json():
    b = Builder()
    transactions(b)
    pay_commit(b)
    claims(b)
    updates(b)
    renewals(b)
    keys(b)
    transfers(b)
    offers(b)
    buys(b)
    recovers(b)
    stages(b)
    sequences(b)
    randoms(b)
    wanted = ["T7" + x for x in "bcdef"] + ["T9", "T11a"]
    wanted += ["N6a", "N6b", "N7a"] + ["N8" + x for x in "abcdefgh"] + ["N9" + x for x in "abcde"]
    wanted += ["N10" + x for x in "abcd"] + ["N11" + x for x in "abcde"] + ["N12" + x for x in "abcde"]
    wanted += ["N13" + x for x in "abcdefg"] + ["N14" + x for x in "abcdefgh"] + ["N15" + x for x in "abcde"]
    missing = [x for x in wanted if x not in b.letters]
    assert not missing, missing
    return {"about": "T7 to T14, N6 to N18. A block at `height`, the level before it `level`, with `commits` effective "
                     "Commits before this transaction. state: [kind byte + id, value]. Refused: `rule`. Accepted: what "
                     "changed (null = removed), what was burned, the fee, the root after, the records it brought. "
                     "Block steps are not part of a case.",
            "networks": networks("main", "regtest", "short", "oneyear", "steep", "wide"), "cases": b.cases}


# ---- T7, T9, T11, T12

def transactions(b):
    pay = [op("Pay", B, COIN)]
    b.case("a payment", pay, accounts={B: 0})
    for i in range(3):
        b.case(f"signature {i} of 3 is bad", pay, "T7b", signers=[C, D], spoil=i)
    b.case("a signer nobody asked for", pay, signers=[C], accounts={B: 0})
    b.case("16 signers nobody asked for", pay, signers=[key(i) for i in range(3, 19)], accounts={B: 0})
    b.case("a signer that is no point", pay, "T7b", signers=[NO_POINT])
    b.case("a payer that is no point", pay, "T7b", payer=NO_POINT)
    b.case("expiry: one block late", pay, "T7c", expiry=999)
    b.case("expiry: in the last block", pay, expiry=1000, accounts={B: 0})
    b.case("expiry: later", pay, expiry=1001, accounts={B: 0})
    b.case("expiry 0 is none", pay, h=U32, accounts={B: 0})
    b.case("expiry 2^32 - 1 at that height", pay, h=U32, expiry=U32, accounts={B: 0})
    b.case("expiry 1 at height 2", pay, "T7c", h=2, expiry=1)
    b.case("no account", pay, "T7d", balance=None)
    b.case("no account, though a signer has one", pay, "T7d", balance=None, signers=[C], accounts={C: RICH})
    b.case("nonce too low", pay, "T7e", nonce=4, given=5)
    b.case("nonce too high", pay, "T7e", nonce=6, given=5)
    b.case("nonce 2^32", pay, nonce=2**32, accounts={B: 0})
    b.case("nonce 2^64 - 2, the last that can be used", pay, nonce=U64 - 1, accounts={B: 0})
    b.case("nonce 2^64 - 1 cannot be used", pay, "T9", nonce=U64)
    b.case("fee above the balance", pay, "T7f", balance=999)
    b.case("fee 1 with balance 0", [op("Renew", b"alice", 1)], "T7f", balance=0, fee=1, entries=b.name())
    b.case("fee 2^64 - 1", pay, "T7f", fee=U64)
    b.case("fee of the whole balance 2^64 - 1, a free op", [op("SetKeys", b"alice", None, None)], balance=U64, fee=U64,
           entries=b.name(owner=A))
    b.case("fee of the whole balance, then a cost", pay, "T11a", balance=1000)
    b.case("fee 0, balance 0, a free op", [op("SetKeys", b"alice", C, None)], balance=0, fee=0,
           entries=b.name(owner=A))
    b.case("a payment of all that the fee leaves", pay, balance=COIN + 1000, accounts={B: 5})
    b.case("one atom short", pay, "T11a", balance=COIN + 999, accounts={B: 5})
    b.case("creation: all that the fee leaves", pay, balance=COIN + 1000 + 5_000_000)
    b.case("creation: one atom short", pay, "T11a", balance=COIN + 999 + 5_000_000)
    b.case("T12's example", [op("Pay", B, 2 * COIN)], balance=10 * COIN)
    b.case("the same key twice: one creation", [op("Pay", B, COIN), op("Pay", B, COIN)])
    b.case("the same key twice: the second needs no creation", [op("Pay", B, COIN), op("Pay", B, COIN)],
           balance=2 * COIN + 1000 + 5_000_000)
    b.case("the same key twice, one atom short", [op("Pay", B, COIN), op("Pay", B, COIN)], "T11a",
           balance=2 * COIN + 999 + 5_000_000)
    b.case("the second op refused: nothing remains", [op("Pay", B, COIN), op("Pay", C, RICH)], "T11a")
    b.case("a payment to an account of balance 0 creates nothing", pay, accounts={B: 0}, balance=COIN + 1000)
    b.case("a signer's money pays nothing", pay, "T11a", balance=1000, signers=[C], accounts={B: 0, C: RICH})
    b.case("100 payments to one key", [op("Pay", B, i + 1) for i in range(100)])
    b.case("100 payments to 100 new keys", [op("Pay", key(100 + i), 1) for i in range(100)])


def pay_commit(b):
    b.case("Pay 0", [op("Pay", B, 0)], "N6a")
    b.case("Pay 0 to oneself", [op("Pay", A, 0)], "N6a")
    b.case("Pay oneself", [op("Pay", A, 5)], "N6b")
    b.case("Pay 1 atom", [op("Pay", B, 1)], accounts={B: 0})
    b.case("Pay a signer", [op("Pay", B, 1)], accounts={B: 0}, signers=[B])
    b.case("Pay a key that is no point", [op("Pay", NO_POINT, 1)])
    b.case("Pay the key of zeros", [op("Pay", bytes(32), 1)])
    b.case("Pay 2^64 - 1", [op("Pay", B, U64)], "T11a", accounts={B: 0})
    b.case("Pay 2^64 - 1 with creation: beyond u64", [op("Pay", B, U64)], "T11a", balance=U64, fee=0)
    b.case("Pay 2^64 - 5,000,000 with creation: exactly 2^64", [op("Pay", B, U64 - 4_999_999)], "T11a", balance=U64,
           fee=0)
    b.case("Pay 2^64 - 5,000,001 with creation: exactly the balance", [op("Pay", B, U64 - 5_000_000)], balance=U64,
           fee=0)
    b.case("Pay 2^64 - 1, all there is", [op("Pay", B, U64)], balance=U64, fee=0, accounts={B: 0})

    h1, h2 = bytes(31) + b"\x01", bytes(31) + b"\x02"
    b.case("Commit", [op("Commit", h1)])
    b.case("Commit of zeros", [op("Commit", bytes(32))])
    for level in (10**6, 1_265_625, 10**6 + 1, 10**12):
        burn = 10 * level
        b.case(f"Commit at level {level}: exactly the cost", [op("Commit", h1)], level=level, balance=burn + 1000)
        b.case(f"Commit at level {level}: one atom short", [op("Commit", h1)], "T11a", level=level,
               balance=burn + 999)
    live = {(COMMITMENT, h1): commitment_value(950, 1_500_000)}
    b.case("a no-op Commit: the older height stays", [op("Commit", h1)], entries=live)
    b.case("a no-op Commit with nothing but the fee", [op("Commit", h1)], entries=live, balance=1000)
    b.case("a no-op Commit with balance and fee 0", [op("Commit", h1)], entries=live, balance=0, fee=0)
    b.case("Commit twice in a transaction: the second is a no-op", [op("Commit", h1), op("Commit", h1)])
    b.case("two Commits", [op("Commit", h1), op("Commit", h2)])
    b.case("the 16th effective Commit", [op("Commit", h1)], commits=15)
    b.case("the 17th effective Commit", [op("Commit", h1)], "N7a", commits=16)
    b.case("a no-op Commit after 16", [op("Commit", h1)], commits=16, entries=live)
    many = [op("Commit", bytes([i]) * 32) for i in range(17)]
    b.case("16 Commits in one transaction", many[:16])
    b.case("17 Commits in one transaction", many, "N7a")
    b.case("16 Commits, then one of them again", many[:16] + many[3:4])
    b.case("the 15th and 16th, then the 17th", many[:3], "N7a", commits=14)
    b.case("short: the 5th", many[:5], "N7a", net="short")
    b.case("the 17th with no money: refused either way", [op("Commit", h1)], "N7a", commits=16, balance=1000)


# ---- N8

def claims(b):
    def claim(comment, want="ok", label=b"alice", made=990, owner=B, salt=SALT, net="regtest", lc=10**6, entries=None,
              committed=None, **kw):
        o = op("Claim", label, owner, salt)
        got = dict(entries or {})
        if made is not None:
            got |= pair(committed or o, made, lc, net)
        return b.case("Claim: " + comment, [o], want, entries=got, net=net, **kw)

    claim("a free name")
    claim("exactly the cost", balance=90_000_000 + 1000)
    claim("one atom short", "T11a", balance=90_000_000 + 999)
    claim("the level now does not matter", level=10**12)
    claim("level of the commitment 1,265,625", lc=1_265_625)
    claim("exactly 113,906,250", lc=1_265_625, balance=113_906_250 + 1000)
    claim("level of the commitment 10^12", lc=10**12, balance=9 * 10**13 + 1000)
    claim("level of the commitment 10^12, one short", "T11a", lc=10**12, balance=9 * 10**13 + 999)
    for n, atoms in ((1, 199_990_000_000), (2, 49_990_000_000), (3, 9_990_000_000), (4, 1_990_000_000),
                     (5, 90_000_000), (6, 90_000_000), (63, 90_000_000)):
        claim(f"{n} bytes: exactly the cost", label=b"x" * n, balance=atoms + 1000)
        claim(f"{n} bytes: one short", "T11a", label=b"x" * n, balance=atoms + 999)
    claim("one byte, level 10^12", label=b"x", lc=10**12, balance=199_990 * 10**12 + 1000)
    for label in (b"", b"Alice", b"-a", b"a-", b"ab--c", b"a_b", b"xn--", b"a.b", b"\xc3\xa9", b"a\x00", b"a b",
                  b"-", b"a" * 62 + b"-", b"\xff" * 63):
        claim(f"label {label!r}"[:60], "N8a", label=label)
    for label in (b"dotp2p", b"example", b"invalid", b"local", b"localhost", b"onion", b"test"):
        claim(f"reserved {label.decode()}", "N8b", label=label)
        claim(f"reserved {label.decode()} on main", "N8b", label=label, net="main")
    for label in (b"0x", b"a--b", b"xn--mnchen-3ya", b"a" * 63, b"tests", b"p2p", b"7"):
        claim(f"label {label.decode()}", label=label)
    claim("no commitment", "N8c", made=None)
    o = op("Claim", b"alice", B, SALT)
    claim("the commitment is for another owner", "N8c", committed=op("Claim", b"alice", C, SALT))
    claim("the commitment is for another salt", "N8c", committed=op("Claim", b"alice", B, bytes(16)))
    claim("the commitment is for another name", "N8c", committed=op("Claim", b"bob", B, SALT))
    b.case("Claim: the commitment is main's", [o], "N8c", entries=pair(o, 990, net="main"))
    b.case("Claim: the commitment is the hash of the op without its number", [o], "N8c",
           entries={(COMMITMENT, H("claim", CHAIN_ID["regtest"] + encode_op(o)[1:])): commitment_value(990, 10**6)})
    claim("age 0", "N8d", made=1000)
    claim("age min - 1", "N8d", made=999)
    claim("age min", made=998)
    claim("age min + 1", made=997)
    claim("age max - 1", made=901)
    claim("age max", made=900)
    claim("age max + 1 (no block leaves such a state: N8c there)", "N8e", made=899)
    claim("main: age 9", "N8d", made=991, net="main")
    claim("main: age 10", made=990, net="main")
    claim("main: age 1,440", made=1000, h=2440, net="main")
    claim("main: age 1,441 (no block leaves such a state: N8c there)", "N8e", made=1000, h=2441, net="main")
    claim("short: age 1", made=999, net="short")
    claim("short: age 8", made=992, net="short")
    for owner, why in ((A, "the payer"), (NO_POINT, "no point"), (bytes(32), "zeros")):
        claim(f"owner: {why}", owner=owner)
    claim("somebody else's claim paid by C: for its author", payer=C)
    claim("the last height whose year fits", h=U32 - 200, made=U32 - 210)
    claim("h + year = 2^32", "N8h", h=U32 - 199, made=U32 - 210)
    claim("the last height of all", "N8h", h=U32, made=U32 - 10)
    # stages of the entry it meets
    for e, want, why in ((1001, "N8f", "active, its last block"), (1000, "N8g", "grace, its first block"),
                         (981, "N8g", "grace, its last block"), (980, "ok", "released, its first block"),
                         (961, "ok", "released, its last block")):
        old = b.name(owner=C, expires=e, at=stage(NETWORKS["regtest"], e, 1000), manager=D, recovery=E,
                     records=records_hash(ONE_A), offer=(7, D))
        claim(why, want, entries=old, balance=2 * RICH)
    for d in range(20):
        claim(f"released, h - d = {d}: exactly the cost", entries=b.name(at="released", expires=980 - d),
              balance=90_000_000 + premium(NETWORKS["regtest"], d) + 1000)
    for d in (0, 3, 4, 19):
        claim(f"released, h - d = {d}: one short", "T11a", entries=b.name(at="released", expires=980 - d),
              balance=90_000_000 + premium(NETWORKS["regtest"], d) + 999)
    for d in (0, 1, 720, 1439, 1440, 2881, 28800, 30239):
        e = 10**6 - d - 43200
        claim(f"main: released, h - d = {d}", h=10**6, made=10**6 - 10, net="main", balance=2 * RICH,
              entries=b.name(net="main", h=10**6, at="released", expires=e))
    claim("released, with the level", lc=1_265_625, balance=2 * RICH, entries=b.name(at="released"))
    e = b.name(net="steep", at="released", expires=980)
    claim("steep: the premium takes the burn beyond u64", "T11a", net="steep", entries=e, balance=U64, fee=0)
    claim("steep: beyond u64, wrapped it would cost little", "T11a", net="steep", entries=e, balance=U64 - 1)
    e = b.name(net="steep", at="released", expires=979)
    claim("steep: one block later it fits", net="steep", entries=e, balance=2**63 - 1 + 90_000_000 + 1000)
    claim("steep: one block later, one short", "T11a", net="steep", entries=e, balance=2**63 - 1 + 90_000_000 + 999)
    e = b.name(net="steep", at="released", expires=980 - 62)
    claim("steep: the last block of the premium", net="steep", entries=e)
    claim("released: the old owner's offer, keys and records are gone",
          entries=b.name(at="released", owner=C, manager=D, recovery=E, records=records_hash(ONE_A), offer=(1, None)),
          balance=2 * RICH)
    claim("released: claimed again by its old owner", owner=C, entries=b.name(at="released", owner=C), balance=2 * RICH)
    claim("the owner's account is not made")
    claim("signatures of others do not help a bad age", "N8d", made=999, signers=[B])


# ---- N9

def updates(b):
    def update(comment, want="ok", records=ONE_A, label=b"alice", net="regtest", payer=B, signers=(), entries=None,
               name=None, **kw):
        return b.case("Update: " + comment, [op("Update", label, records)], want, net=net, payer=payer,
                      signers=signers, entries=entries if entries is not None
                      else b.name(label=label, net=net, **(name or {})), **kw)

    update("by the owner who pays")
    update("by the owner who signs", payer=A, signers=[B])
    update("by the manager who pays", payer=C, name={"manager": C})
    update("by the manager who signs", payer=A, signers=[C], name={"manager": C})
    update("by the owner where a manager is set", name={"manager": C})
    update("by owner and manager", payer=A, signers=[B, C], name={"manager": C})
    update("by the recovery key alone", "N9d", payer=C, name={"recovery": C})
    update("by nobody", "N9d", payer=A)
    update("by nobody, others signing", "N9d", payer=A, signers=[C, D])
    update("by a former manager", "N9d", payer=C, name={"manager": D})
    update("keeps keys, offer, since, expires", name={"manager": C, "recovery": D, "offer": (5, E)})
    update("the same records again", name={"records": records_hash(ONE_A)})
    update("the empty set", records=EMPTY_RECORDS)
    update("512 bytes burn nothing", records=sized(512), balance=1000)
    update("513 bytes: exactly the cost", records=sized(513), balance=101_000)
    update("513 bytes: one short", "T11a", records=sized(513), balance=100_999)
    update("the same 513 bytes burn again", records=sized(513), name={"records": records_hash(sized(513))})
    update("4,096 bytes: exactly the cost", records=sized(4096), balance=358_400_000 + 1000)
    update("4,096 bytes: one short", "T11a", records=sized(4096), balance=358_400_000 + 999)
    update("the level does not matter", records=sized(513), level=10**12, balance=101_000)
    for records, why in ((b"", "no bytes"), (b"\x02\x00", "version 2"), (ONE_A + b"\0", "a byte left over"),
                         (ONE_A[:-1], "a byte missing"), (b"\x01\x05\x00" + ONE_A[2:], "not the shortest"),
                         (encode_records([([b"WWW"], 1, 0, [b""])]), "a capital"),
                         (encode_records([([], 6, 0, [b""])]), "SOA"),
                         (encode_records([([], 1, 0, [])]), "no rdata"),
                         (encode_records([([], 1, 2**31, [b""])]), "ttl 2^31"),
                         (encode_records([([], 2, 0, [b""]), ([], 1, 0, [b""])]), "not ascending")):
        update(why, "N9e", records=records)
    long = [b"x" * 63] * 3 + [b"x" * 51]
    update("an owner of 244 octets under alice", records=encode_records([(long, 1, 0, [b""])]))
    update("the same under alices", "N9e", label=b"alices", records=encode_records([(long, 1, 0, [b""])]))
    update("the same under alice with a tld of 63", "N9e", net="wide", records=encode_records([(long, 1, 0, [b""])]))
    update("absent", "N9a", entries={})
    update("a label that is none", "N9a", label=b"Alice", entries={})
    update("the empty label", "N9a", label=b"", entries={})
    update("grace", "N9c", name={"at": "grace"})
    update("released", "N9b", name={"at": "released"})


# ---- N10

def renewals(b):
    def renew(comment, want="ok", years=1, label=b"alice", h=1000, expires=None, net="regtest", entries=None, name=None,
              **kw):
        e = entries if entries is not None else b.name(label=label, net=net, h=h, expires=expires,
                                                       **({"at": stage(NETWORKS[net], expires, h)} if expires else {}),
                                                       **(name or {}))
        return b.case("Renew: " + comment, [op("Renew", label, years)], want, h=h, net=net, entries=e, **kw)

    renew("by anybody")
    renew("by the owner", payer=B)
    renew("exactly the cost", balance=COIN + 1000)
    renew("one short", "T11a", balance=COIN + 999)
    renew("the level does not matter", level=10**12, balance=COIN + 1000)
    for n, coins in ((1, 2000), (2, 500), (3, 100), (4, 20), (5, 1), (63, 1)):
        renew(f"{n} bytes, 3 years: exactly the cost", years=3, label=b"x" * n, balance=3 * coins * COIN + 1000)
        renew(f"{n} bytes, 3 years: one short", "T11a", years=3, label=b"x" * n, balance=3 * coins * COIN + 999)
    renew("0 years", "N10c", years=0)
    renew("11 years", "N10c", years=11)
    renew("255 years", "N10c", years=255)
    renew("11 years where ten would be a no-op", "N10c", years=11, expires=3000)
    renew("keeps keys, offer, records, since while active", name={"manager": C, "recovery": D, "offer": (5, E),
                                                                  "records": records_hash(ONE_A)})
    # h = 1000, ten years ahead = 3000
    renew("e + years = h + ten years exactly", years=1, expires=2800)
    renew("one block beyond: a no-op", years=1, expires=2801)
    renew("a no-op with nothing but the fee", years=1, expires=2801, balance=1000)
    renew("a no-op with balance and fee 0", years=1, expires=2801, balance=0, fee=0)
    renew("a no-op keeps an offer", years=10, expires=1100, name={"offer": (5, None)})
    renew("10 years from h + 1: a no-op", years=10, expires=1001)
    renew("9 years from h + a year: exactly ten", years=9, expires=1200)
    renew("10 years from h + a year: a no-op", years=10, expires=1200)
    renew("already ten years ahead: a no-op", years=1, expires=3000)
    e = 1000 + 525600
    renew("main, N10's example: 9 years", years=9, net="main", expires=e)
    renew("main, N10's example: 10 years is a no-op", years=10, net="main", expires=e)
    # grace
    full = {"manager": C, "recovery": D, "offer": (5, E), "records": records_hash(ONE_A)}
    for e, why in ((1000, "the first block"), (981, "the last block")):
        renew(f"grace, {why}: active again, the offer withdrawn", expires=e, name=full)
        renew(f"grace, {why}: 10 years", years=10, expires=e, name=full)
    renew("grace: one short", "T11a", expires=990, balance=COIN + 999)
    renew("oneyear, grace: 1 year", net="oneyear", expires=990, name=full)
    renew("oneyear, grace: 2 years is a no-op and keeps the offer", years=2, net="oneyear", expires=990, name=full,
          balance=1000)
    renew("oneyear, grace, its first block: 1 year is exactly one ahead", net="oneyear", expires=1000, name=full)
    renew("oneyear, active: 1 year is a no-op", net="oneyear", expires=1001, name=full)
    renew("released", "N10b", expires=980)
    renew("released, its last block", "N10b", expires=961)
    renew("released, 10 years", "N10b", years=10, expires=980)
    renew("absent", "N10a", entries={})
    # the end of heights
    renew("e + years = 2^32 - 1", h=U32 - 300, expires=U32 - 200)
    renew("e + years = 2^32", "N10d", h=U32 - 300, expires=U32 - 199)
    renew("e + 10 years beyond 2^32: effective, so refused", "N10d", years=10, h=U32 - 300, expires=U32 - 300)
    renew("beyond 2^32 and beyond ten years: a no-op", years=10, h=U32 - 300, expires=U32 - 200)
    renew("main: e + years beyond 2^32 - 1", "N10d", years=9, net="main", h=U32 - 10**6, expires=U32 - 10**6 + 1)


# ---- N11

def keys(b):
    def setk(comment, manager, recovery, want="ok", payer=B, signers=(), entries=None, name=None, **kw):
        return b.case("SetKeys: " + comment, [op("SetKeys", b"alice", manager, recovery)], want, payer=payer,
                      signers=signers, entries=entries if entries is not None else b.name(**(name or {})), **kw)

    offer = (5 * COIN, None)
    setk("none, none: changes nothing", None, None, name={"offer": offer})
    setk("a manager set: the offer stays", C, None, name={"offer": offer})
    setk("a manager replaced", D, None, name={"manager": C, "offer": offer})
    setk("a manager removed", None, None, name={"manager": C, "offer": offer})
    setk("none to K: the offer is withdrawn", None, D, name={"offer": offer})
    setk("none to K, no offer", None, D)
    setk("K to K: the offer stays", C, D, name={"recovery": D, "offer": offer})
    setk("K to another, K signing", None, E, signers=[D], name={"recovery": D, "offer": offer})
    setk("K to none, K signing", None, None, signers=[D], name={"recovery": D, "offer": offer})
    setk("K to another, K not signing", None, E, "N11e", name={"recovery": D})
    setk("K to none, K not signing", None, None, "N11e", name={"recovery": D})
    setk("K to another, only the new key signing", None, E, "N11e", signers=[E], name={"recovery": D})
    setk("K to another, K paying and the owner signing", None, E, payer=D, signers=[B], name={"recovery": D})
    setk("K to another, K signing without the owner", None, E, "N11d", payer=D, name={"recovery": D})
    setk("by nobody", C, None, "N11d", payer=A)
    setk("by the manager", D, None, "N11d", payer=C, name={"manager": C})
    setk("by the recovery key", C, D, "N11d", payer=D, name={"recovery": D})
    setk("the owner's own key for both", B, B)
    setk("keys that are no points", NO_POINT, bytes(32))
    setk("a recovery key that can never sign stays for ever", None, None, "N11e", name={"recovery": NO_POINT})
    setk("recovery = owner: the owner's one signature serves for both", None, None, name={"recovery": B})
    setk("by the owner, another paying", C, D, payer=A, signers=[B])
    setk("absent", None, None, "N11a", entries={})
    setk("grace", None, None, "N11c", name={"at": "grace"})
    setk("released", None, None, "N11b", name={"at": "released"})


# ---- N12

def transfers(b):
    def transfer(comment, want="ok", to=C, payer=B, signers=(), entries=None, name=None, **kw):
        return b.case("Transfer: " + comment, [op("Transfer", b"alice", to)], want, payer=payer, signers=signers,
                      entries=entries if entries is not None else b.name(**(name or {})), **kw)

    full = {"manager": D, "offer": (5, E), "records": records_hash(ONE_A)}
    transfer("by the owner", name=full)
    transfer("by the owner, another paying", payer=A, signers=[B], name=full)
    transfer("a recovery key set, owner and it sign", signers=[E], name=full | {"recovery": E})
    transfer("a recovery key set and not signing", "N12e", name=full | {"recovery": E})
    transfer("the recovery key alone", "N12d", payer=E, name={"recovery": E})
    transfer("by nobody", "N12d", payer=A)
    transfer("by the manager", "N12d", payer=D, name={"manager": D})
    transfer("by the new owner", "N12d", payer=C)
    transfer("to the present owner: keys, offer gone, since moves", to=B, name=full)
    transfer("to a key that is no point", to=NO_POINT)
    transfer("to the payer", to=A, payer=A, signers=[B])
    transfer("recovery = owner", name={"recovery": B})
    transfer("the new owner's account is not made")
    transfer("absent", "N12a", entries={})
    transfer("grace", "N12c", name={"at": "grace"})
    transfer("released", "N12b", name={"at": "released"})


# ---- N13

def offers(b):
    def offer(comment, price, buyer=None, want="ok", payer=B, signers=(), entries=None, name=None, **kw):
        return b.case("Offer: " + comment, [op("Offer", b"alice", price, buyer)], want, payer=payer, signers=signers,
                      entries=entries if entries is not None else b.name(**(name or {})), **kw)

    offer("to anybody", 5 * COIN)
    offer("to one buyer", 5 * COIN, C)
    offer("1 atom", 1)
    offer("2^64 - 1", U64, C)
    offer("to oneself", 5, B)
    offer("to a key that is no point", 5, NO_POINT)
    offer("keeps keys and records", 5, C, signers=[E], name={"manager": D, "recovery": E,
                                                            "records": records_hash(ONE_A)})
    offer("replaced by another", 6, name={"offer": (5, C)})
    offer("the same again", 5, C, name={"offer": (5, C)})
    offer("by the owner, another paying", 5, payer=A, signers=[B])
    offer("by nobody", 5, want="N13d", payer=A)
    offer("by the manager", 5, want="N13d", payer=D, name={"manager": D})
    offer("by the recovery key alone", 5, want="N13d", payer=E, name={"recovery": E})
    offer("a recovery key set and not signing", 5, want="N13e", name={"recovery": E})
    offer("a recovery key set and signing", 5, signers=[E], name={"recovery": E})
    offer("withdrawn", 0, name={"offer": (5, C)})
    offer("withdrawn by the owner alone, a recovery key set", 0, name={"offer": (5, None), "recovery": E})
    offer("withdrawn by the recovery key alone", 0, want="N13d", payer=E, name={"offer": (5, None), "recovery": E})
    offer("withdrawal with a buyer", 0, C, "N13f", name={"offer": (5, C)})
    offer("withdrawal with a buyer, no offer", 0, C, "N13f")
    offer("withdrawal without an offer", 0, want="N13g")
    offer("withdrawal by nobody", 0, want="N13d", payer=A, name={"offer": (5, C)})
    offer("absent", 5, want="N13a", entries={})
    offer("grace", 5, want="N13c", name={"at": "grace"})
    offer("withdrawal in grace", 0, want="N13c", name={"at": "grace", "offer": (5, None)})
    offer("released", 5, want="N13b", name={"at": "released"})


# ---- N14

def buys(b):
    def buy(comment, price=5 * COIN, want="ok", payer=A, signers=(), entries=None, name=None, **kw):
        full = {"manager": D, "recovery": E, "records": records_hash(ONE_A), "offer": (5 * COIN, None)}
        return b.case("Buy: " + comment, [op("Buy", b"alice", price)], want, payer=payer, signers=signers,
                      entries=entries if entries is not None else b.name(**(full | (name or {}))), **kw)

    buy("offered to anybody; the seller has an account", accounts={B: 7})
    buy("the seller's account is created")
    buy("exactly the cost", accounts={B: 7}, balance=5 * COIN + 1000)
    buy("one short", want="T11a", accounts={B: 7}, balance=5 * COIN + 999)
    buy("with creation, exactly the cost", balance=5 * COIN + 5_000_000 + 1000)
    buy("with creation, one short", want="T11a", balance=5 * COIN + 5_000_000 + 999)
    buy("offered to the payer", name={"offer": (5 * COIN, A)})
    buy("offered to another", want="N14g", name={"offer": (5 * COIN, C)})
    buy("offered to a signer, not the payer", want="N14g", signers=[C], name={"offer": (5 * COIN, C)})
    buy("price 0", 0, "N14d")
    buy("price 0, no offer", 0, "N14d", name={"offer": None})
    buy("no offer", want="N14e", name={"offer": None})
    buy("price one less", 5 * COIN - 1, "N14f")
    buy("price one more", 5 * COIN + 1, "N14f")
    buy("by the owner", want="N14h", payer=B)
    buy("by the owner, the named buyer", want="N14h", payer=B, name={"offer": (5 * COIN, B)})
    buy("the owner a signer too", signers=[B], accounts={B: 0})
    buy("price 2^64 - 1", U64, "T11a", name={"offer": (U64, None)})
    buy("price 2^64 - 1 with creation: beyond u64", U64, "T11a", balance=U64, fee=0, name={"offer": (U64, None)})
    buy("price 2^64 - 1, all there is", U64, balance=U64, fee=0, accounts={B: 0}, name={"offer": (U64, None)})
    buy("the manager buys", payer=D)
    buy("the recovery key buys", payer=E)
    buy("absent", want="N14a", entries={})
    buy("grace", want="N14c", name={"at": "grace"})
    buy("released", want="N14b", name={"at": "released"})


# ---- N15

def recovers(b):
    def recover(comment, want="ok", to=C, payer=E, signers=(), entries=None, name=None, **kw):
        full = {"manager": D, "recovery": E, "records": records_hash(ONE_A), "offer": (5, None)}
        return b.case("Recover: " + comment, [op("Recover", b"alice", to)], want, payer=payer, signers=signers,
                      entries=entries if entries is not None else b.name(**(full | (name or {}))), **kw)

    recover("by the recovery key: manager and offer gone, it stays")
    recover("by the recovery key, another paying", payer=A, signers=[E])
    recover("to the present owner", to=B)
    recover("to the recovery key", to=E)
    recover("to a key that is no point", to=NO_POINT)
    recover("no recovery key", "N15d", name={"recovery": None})
    recover("no recovery key, by the owner", "N15d", payer=B, name={"recovery": None})
    recover("by the owner", "N15e", payer=B)
    recover("by owner and manager", "N15e", payer=B, signers=[D])
    recover("by nobody", "N15e", payer=A)
    recover("recovery = owner", payer=B, name={"recovery": B})
    recover("absent", "N15a", entries={})
    recover("grace", "N15c", name={"at": "grace"})
    recover("released", "N15b", name={"at": "released"})


# ---- N17: every op at every edge of the stages

def stages(b):
    full = {"manager": D, "recovery": E, "offer": (5, None)}
    every = [("N9", op("Update", b"alice", ONE_A)), ("N10", op("Renew", b"alice", 1)),
             ("N11", op("SetKeys", b"alice", D, E)), ("N12", op("Transfer", b"alice", C)),
             ("N13", op("Offer", b"alice", 6, None)), ("N14", op("Buy", b"alice", 5)),
             ("N15", op("Recover", b"alice", C))]
    for net in ("regtest", "main", "short"):
        r = NETWORKS[net]
        e = 1000 + r.year
        for h in (e - 1, e, e + r.grace - 1, e + r.grace, free_from(r, e) - 1):
            at = stage(r, e, h)
            edges = {(NAME, b"alice"): Name(B, 1000, e, records=records_hash(ONE_A), **full).encode()}
            for rule, o in every:
                want = {"active": "ok", "grace": rule + "c", "released": rule + "b"}[at]
                if rule == "N10" and at == "grace":
                    want = "ok"
                b.case(f"{o['op']} at height {h}, expires {e}: {at}", [o], want, h=h, net=net, entries=edges,
                       signers=[B, E])
            o = op("Claim", b"alice", C, SALT)
            want = {"active": "N8f", "grace": "N8g", "released": "ok"}[at]
            b.case(f"Claim at height {h}, expires {e}: {at}", [o], want, h=h, net=net,
                   entries=edges | pair(o, h - r.min_age, net=net), balance=2 * RICH)
        h = free_from(r, e)
        for rule, o in every:
            b.case(f"{o['op']} at height {h}: free", [o], rule + "a", h=h, net=net, signers=[B, E])
        o = op("Claim", b"alice", C, SALT)
        b.case(f"Claim at height {h}: free", [o], h=h, net=net, entries=pair(o, h - r.min_age, net=net))


# ---- N18

def sequences(b):
    o = op("Claim", b"alice", B, SALT)
    ready = pair(o, 990)

    def seq(comment, ops, want="ok", **kw):
        return b.case("N18: " + comment, ops, want, **kw)

    up, upc = op("Update", b"alice", ONE_A), op("Update", b"alice", EMPTY_RECORDS)
    seq("Claim, Update, Renew 9", [o, up, op("Renew", b"alice", 9)], entries=ready, signers=[B])
    seq("Claim, Update without the owner", [o, up], "N9d", entries=ready)
    seq("Claim, Renew 10: a no-op", [o, op("Renew", b"alice", 10)], entries=ready)
    seq("Claim, Claim of the same", [o, o], None, entries=ready)
    other = op("Claim", b"alice", C, SALT)
    seq("Claim, Claim by another commitment", [o, other], "N8f", entries=ready | pair(other, 990))
    seq("Commit, Claim of it", [op("Commit", claim_hash(CHAIN_ID["regtest"], o)), o], "N8d")
    seq("no-op Commit, Claim of the older one", [op("Commit", claim_hash(CHAIN_ID["regtest"], o)), o], entries=ready)
    seq("Claim, Commit of the hash consumed: effective again",
        [o, op("Commit", claim_hash(CHAIN_ID["regtest"], o))], entries=ready)
    seq("Commit, Commit of the same hash", [op("Commit", bytes(32)), op("Commit", bytes(32))])
    seq("two Claims of two names", [o, op("Claim", b"bob", C, SALT)],
        entries=ready | pair(op("Claim", b"bob", C, SALT), 991))
    grace = b.name(at="grace", offer=(5, None))
    seq("Renew, Update in grace", [op("Renew", b"alice", 1), up], entries=grace, signers=[B])
    seq("Update, Renew in grace", [up, op("Renew", b"alice", 1)], "N9c", entries=grace, signers=[B])
    seq("Renew, Buy in grace", [op("Renew", b"alice", 1), op("Buy", b"alice", 5)], "N14e", entries=grace)
    seq("Renew, Offer, Buy in grace", [op("Renew", b"alice", 1), op("Offer", b"alice", 6, A), op("Buy", b"alice", 6)],
        entries=grace, signers=[B])
    seq("oneyear: a no-op Renew in grace, Update", [op("Renew", b"alice", 2), up], "N9c", net="oneyear",
        entries=b.name(at="grace", net="oneyear"), signers=[B])
    free = b.name()
    held = b.name(recovery=E)
    seq("Offer, Buy by the payer", [op("Offer", b"alice", 5, None), op("Buy", b"alice", 5)], entries=free, signers=[B])
    seq("Offer, Buy: the recovery key missing", [op("Offer", b"alice", 5, None), op("Buy", b"alice", 5)], "N13e",
        entries=held, signers=[B])
    seq("Offer, Buy with the recovery key", [op("Offer", b"alice", 5, A), op("Buy", b"alice", 5)], entries=held,
        signers=[B, E])
    seq("Offer, Buy by the owner who pays", [op("Offer", b"alice", 5, None), op("Buy", b"alice", 5)], "N14h",
        entries=free, payer=B)
    offered = b.name(offer=(5, None), recovery=E)
    seq("Buy, Update, SetKeys, Offer, Transfer", [op("Buy", b"alice", 5), up, op("SetKeys", b"alice", C, None),
                                                 op("Offer", b"alice", 9, C), op("Transfer", b"alice", D)],
        entries=offered)
    seq("Buy, Buy", [op("Buy", b"alice", 5), op("Buy", b"alice", 5)], "N14h", entries=offered)
    seq("Buy, Update by the old owner: the payer owns it", [op("Buy", b"alice", 5), up], entries=offered, signers=[B])
    seq("Buy, Recover by the old recovery key", [op("Buy", b"alice", 5), op("Recover", b"alice", B)], "N15d",
        entries=offered, signers=[E])
    seq("Transfer, Update: the new owner missing", [op("Transfer", b"alice", C), up], "N9d", entries=free, signers=[B])
    seq("Transfer, Update: the new owner signs", [op("Transfer", b"alice", C), up], entries=free, signers=[B, C])
    seq("Transfer, Update by the old manager", [op("Transfer", b"alice", C), up], "N9d",
        entries=b.name(manager=D), signers=[B, D])
    seq("Transfer, Transfer back", [op("Transfer", b"alice", C), op("Transfer", b"alice", B)], entries=free,
        signers=[B, C])
    seq("SetKeys setting K, Transfer without K", [op("SetKeys", b"alice", None, E), op("Transfer", b"alice", C)],
        "N12e", entries=free, signers=[B])
    seq("SetKeys setting K, Transfer with K", [op("SetKeys", b"alice", None, E), op("Transfer", b"alice", C)],
        entries=free, signers=[B, E])
    seq("SetKeys removing K, Transfer", [op("SetKeys", b"alice", None, None), op("Transfer", b"alice", C)],
        entries=held, signers=[B, E])
    seq("SetKeys removing K without K", [op("SetKeys", b"alice", None, None), op("Transfer", b"alice", C)], "N11e",
        entries=held, signers=[B])
    seq("SetKeys replacing K by F, Transfer without F", [op("SetKeys", b"alice", None, F),
                                                        op("Transfer", b"alice", C)], "N12e", entries=held,
        signers=[B, E])
    seq("SetKeys setting a manager, Update by it", [op("SetKeys", b"alice", D, None), up], entries=free,
        signers=[B, D])
    seq("Offer, SetKeys changing recovery, Buy", [op("Offer", b"alice", 5, None), op("SetKeys", b"alice", None, E),
                                                 op("Buy", b"alice", 5)], "N14e", entries=free, signers=[B])
    seq("Offer, SetKeys changing the manager, Buy", [op("Offer", b"alice", 5, None), op("SetKeys", b"alice", D, None),
                                                    op("Buy", b"alice", 5)], entries=free, signers=[B])
    seq("Offer, withdrawal, Buy", [op("Offer", b"alice", 5, None), op("Offer", b"alice", 0, None),
                                  op("Buy", b"alice", 5)], "N14e", entries=free, signers=[B])
    seq("Recover, Transfer with the new owner and K", [op("Recover", b"alice", C), op("Transfer", b"alice", D)],
        entries=held, signers=[C, E])
    seq("Recover, Transfer: the new owner missing", [op("Recover", b"alice", C), op("Transfer", b"alice", D)], "N12d",
        entries=held, signers=[B, E])
    seq("Recover, SetKeys removing K", [op("Recover", b"alice", C), op("SetKeys", b"alice", None, None)],
        entries=held, signers=[C, E])
    seq("Recover, SetKeys by the old owner", [op("Recover", b"alice", C), op("SetKeys", b"alice", None, None)],
        "N11d", entries=held, signers=[B, E])
    seq("Recover, Recover", [op("Recover", b"alice", C), op("Recover", b"alice", D)], entries=held, signers=[E])
    seq("Update, Update: both burn", [op("Update", b"alice", sized(600)), upc], entries=free, signers=[B])
    seq("Renew, Renew", [op("Renew", b"alice", 1), op("Renew", b"alice", 2)], entries=free)
    seq("Renew 5, Renew 4, Renew 1: the last a no-op", [op("Renew", b"alice", 5), op("Renew", b"alice", 4),
                                                       op("Renew", b"alice", 1)], entries=free)
    seq("two names in turn", [up, op("Update", b"bob", ONE_A), op("Transfer", b"alice", C),
                             op("Transfer", b"bob", C)], entries=free | b.name(b"bob", owner=D), signers=[B, D])
    seq("Pay creates the seller's account, Buy needs none", [op("Pay", B, 1), op("Buy", b"alice", 5)],
        entries=offered, balance=1 + 5 + 5_000_000 + 1000)
    seq("Buy, Pay to the seller: created once", [op("Buy", b"alice", 5), op("Pay", B, 1)], entries=offered,
        balance=1 + 5 + 5_000_000 + 1000)
    seq("the money runs out at the second op", [op("Commit", bytes(32)), op("Commit", b"\1" * 32)], "T11a",
        balance=19_999_999 + 1000)
    seq("released: Claim, Renew, Transfer", [o, op("Renew", b"alice", 2), op("Transfer", b"alice", D)],
        entries=ready | b.name(at="released", owner=C, recovery=E), signers=[B], balance=2 * RICH)
    seq("a refused op after good ones leaves nothing", [up, op("Renew", b"alice", 1), op("Pay", A, 1)], "N6b",
        entries=free, signers=[B])


# ---- random transactions: whatever the rules make of them

def randoms(b):
    rng = Rng("ops")
    people = [A, B, C, D, E]
    labels = [b"alice", b"bob", b"xy"]
    for i in range(160):
        net = rng.pick(["regtest", "regtest", "short", "oneyear"])
        r, h = NETWORKS[net], 1000
        some = [None, None, *people]
        entries, names = {}, {}
        for label in labels:
            at = rng.pick(["active", "active", "active", "grace", "released", "free"])
            if at == "free":
                continue
            names[label] = e = Name(rng.pick(people), 900, 0, rng.pick(some), rng.pick(some),
                                    offer=rng.pick([None, (5, None), (5, rng.pick(people)), (6, A)]))
            e.expires = {"active": h + 1 + rng.below(r.year * min(r.years_ahead, 3)), "grace": h - rng.below(r.grace),
                         "released": h - r.grace - rng.below(r.h * r.halvings)}[at]
            entries[NAME, label] = e.encode()
        ops = []
        for _ in range(1 + rng.below(4)):
            label, who = rng.pick(labels), rng.pick(people)
            kind = rng.pick(["Pay", "Commit", "Claim", "Update", "Renew", "SetKeys", "SetKeys", "Transfer", "Offer",
                             "Offer", "Buy", "Buy", "Recover"])
            o = {"Pay": lambda: op("Pay", rng.pick(people[1:]), 1 + rng.below(100)),
                 "Commit": lambda: op("Commit", bytes([rng.below(3)]) * 32),
                 "Claim": lambda: op("Claim", label, who, SALT),
                 "Update": lambda: op("Update", label, rng.pick([ONE_A, EMPTY_RECORDS])),
                 "Renew": lambda: op("Renew", label, 1 + rng.below(4)),
                 "SetKeys": lambda: op("SetKeys", label, rng.pick(some), rng.pick(some)),
                 "Transfer": lambda: op("Transfer", label, who),
                 "Offer": lambda: op("Offer", label, rng.pick([0, 5, 6]), None),
                 "Buy": lambda: op("Buy", label, rng.pick([5, 5, 6])),
                 "Recover": lambda: op("Recover", label, who)}[kind]()
            ops.append(o)
            if kind == "Claim" and rng.below(4):
                entries |= pair(o, h - r.min_age - rng.below(r.max_age - r.min_age + 1), 10**6 + rng.below(10**6), net)
        signers = sorted({k for k in people[1:] if rng.below(10) < 8})
        b.case(f"random {i}", ops, None, net=net, entries=entries, signers=signers, balance=2 * RICH,
               level=10**6 + rng.below(10**7), accounts={k: rng.below(COIN) for k in people[1:3]},
               commits=rng.below(5))
