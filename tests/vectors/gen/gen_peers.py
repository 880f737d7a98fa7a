"""peers.json: every message of M2 and M3, good and bad."""

from chain import encode_coinbase
from common import key, networks
from gen_chain import worked_chain
from peers import (ANSWERS, ANSWER_MAX, QUESTIONS, QUESTION_MAX, WHOLE_MAX, framed, read_block, read_framed,
                   read_transaction, short_id, write, write_block, write_transaction)
from rules import block_hash, deployment_data
from scale import H, Undecodable, compact, u32
from tx import Tx, op

A, B, C, D = (key(x) for x in "ABCD")
FEW = 16  # what repeats as often is written as a run


def packed(data, unit=1):
    """Hex; or, where `unit` bytes repeat, parts: hex, and [hex, times]."""
    for at in range(min(len(data), 1000)):
        part, times = data[at:at + unit], 1
        while data[at + times * unit:at + (times + 1) * unit] == part:
            times += 1
        if times >= FEW and times * unit > 256:
            return [data[:at].hex(), [part.hex(), times], data[at + times * unit:].hex()]
    return data.hex()


def shown(name, value):
    """A field as JSON has it."""
    if name == "work":
        return f"{value:x}"
    if name == "agent":
        return value.decode()
    if isinstance(value, bytes):
        return packed(value)
    if name == "addresses":
        value = [[ip, port, str(seen)] for ip, port, seen in value]
    if isinstance(value, list) and len(value) >= FEW:
        if name == "places":
            assert value == [*range(value[0], value[0] + len(value))]
            return {"from": value[0], "times": len(value)}
        if value.count(value[0]) == len(value):
            return {"of": shown(None, value[0]), "times": len(value)}
    return [shown(None, x) for x in value] if isinstance(value, list) else value


def places_packed(question):
    """The bytes of a question for many places that follow on each other."""
    places = question["places"]
    data = framed(write(QUESTIONS, question))
    return [data[:-4 * len(places)].hex(), {"u32s": [places[0], len(places)]}]


def messages(kinds, cases):
    """[(comment, message, bytes that repeat in it)], each held against the reader."""
    out = []
    for comment, message, unit in cases:
        data = framed(write(kinds, message))
        assert read_framed(kinds, data) == message, comment
        long = len(message.get("places", [])) > 1000
        out.append({"comment": comment, "message": {k: shown(k, v) for k, v in message.items()},
                    "bytes": places_packed(message) if long else packed(data, unit)})
    return out


def hello(**over):
    return {"kind": 0, "version": 1, "deployment": H("deployment", deployment_data([], [])),
            "tip": block_hash(bytes(88)), "height": 0, "work": 2, "agent": b"dotp2p/0.1.0"} | over


def good_questions(blocks, wtxids):
    hashes = [block_hash(b[:88]) for b in blocks]
    tip = hello(tip=hashes[-1], height=6, work=14)
    return messages(QUESTIONS, [
        ("Hello", tip, 1),
        ("Hello: the largest numbers, an agent of 64", hello(height=2**32 - 1, work=2**256 - 1, agent=b"a" * 64), 1),
        ("Hello: no agent", hello(agent=b""), 1),
        ("Hello: the first and the last printable byte", hello(agent=b" ~"), 1),
        ("Hello: another version", hello(version=2), 1),
        ("heads: a locator", {"kind": 1, "locator": hashes[::-1]}, 1),
        ("heads: no locator", {"kind": 1, "locator": []}, 1),
        ("heads: 64 hashes", {"kind": 1, "locator": hashes[:1] * 64}, 32),
        ("blocks", {"kind": 2, "hashes": hashes[:3]}, 1),
        ("blocks: 64 hashes", {"kind": 2, "hashes": hashes[:1] * 64}, 32),
        ("transactions of a block", {"kind": 3, "hash": hashes[5], "places": [0, 2]}, 1),
        ("transactions of a block: none", {"kind": 3, "hash": hashes[5], "places": []}, 1),
        ("transactions of a block: the largest place", {"kind": 3, "hash": hashes[5], "places": [7, 2**32 - 1]}, 1),
        ("transactions of a block: 4,096 places", {"kind": 3, "hash": hashes[5], "places": [*range(4096)]}, 0),
        ("the pool", {"kind": 4}, 1),
        ("transactions of the pool", {"kind": 5, "wtxids": wtxids}, 1),
        ("transactions of the pool: 512", {"kind": 5, "wtxids": wtxids[:1] * 512}, 32),
        ("addresses", {"kind": 6}, 1),
    ])


def good_answers(blocks, txs, wtxids):
    heads = [b[:189] for b in blocks]
    v4, v6 = ("192.0.2.7", 9353, 1793500000), ("2001:db8::7", 9353, 1793500001)
    return messages(ANSWERS, [
        ("Hello", hello(tip=block_hash(blocks[-1][:88]), height=6, work=14), 1),
        ("heads", {"kind": 1, "heads": heads[:3]}, 1),
        ("heads: none follow", {"kind": 1, "heads": []}, 1),
        ("heads: 1,000; the same again and again, for form alone", {"kind": 1, "heads": heads[:1] * 1000}, 189),
        ("blocks", {"kind": 2, "blocks": blocks[3:5]}, 1),
        ("blocks: none is here", {"kind": 2, "blocks": []}, 1),
        ("blocks: 64, for form alone", {"kind": 2, "blocks": [b"\x07"] * 64}, 2),
        ("blocks: as long as an answer can be", {"kind": 2, "blocks": [b"\x07" * (ANSWER_MAX - 6)]}, 1),
        ("transactions of a block", {"kind": 3, "transactions": txs}, 1),
        ("transactions of a block: not all are here", {"kind": 3, "transactions": []}, 1),
        ("transactions of a block: 4,096, for form alone", {"kind": 3, "transactions": [b"\x07"] * 4096}, 2),
        ("the pool", {"kind": 4, "wtxids": wtxids}, 1),
        ("the pool: empty", {"kind": 4, "wtxids": []}, 1),
        ("the pool: 4,096", {"kind": 4, "wtxids": wtxids[:1] * 4096}, 32),
        ("transactions of the pool", {"kind": 5, "transactions": txs[:2]}, 1),
        ("transactions of the pool: 512, for form alone", {"kind": 5, "transactions": [b"\x07"] * 512}, 2),
        ("addresses: IPv4 and IPv6", {"kind": 6, "addresses": [v4, v6]}, 1),
        ("addresses: the largest port and time", {"kind": 6, "addresses": [("255.255.255.254", 65535, 2**64 - 1),
                                                                          ("::1", 1, 0)]}, 1),
        ("addresses: 256", {"kind": 6, "addresses": [v4] * 256}, 15),
        ("asked too much", {"kind": 255}, 1),
    ])


def gossiped_transactions(txs):
    """M3: the first form and, above 65,280 bytes, the second."""
    def of_length(n):
        long = Tx(A, 0, 0, [op("Update", b"a", b"")], signatures=[b"\x55" * 64])
        rest = n - len(long.encode()) - 3  # the length of its records then takes four bytes
        long.ops[0]["records"] = b"\x07" * rest
        data = long.encode()
        assert len(data) == n
        return data

    cases = [("a transaction", txs[0]), ("65,280 bytes: whole", of_length(WHOLE_MAX)),
             ("65,281 bytes: its wtxid", of_length(WHOLE_MAX + 1))]
    out = []
    for comment, data in cases:
        message, wtxid = write_transaction(data), H("wtx", data)
        assert read_transaction(message) == (("whole", data) if len(data) <= WHOLE_MAX else ("id", wtxid))
        out.append({"comment": comment, "transaction": packed(data), "wtxid": wtxid.hex(), "bytes": packed(message)})
    return out


def announced(comment, short_ids, head, to=A, extra=b"", unit=1, **more):
    fields = {"head": head, "to": to, "extra": extra, "short_ids": short_ids}
    data = write_block(fields)
    assert read_block(data) == fields
    return {"comment": comment, **{k: shown(k, v) for k, v in fields.items()}, "bytes": packed(data, unit), **more}


def good_blocks(found):
    """M3: announcements of blocks; `found` has each block's bytes and its transactions' bytes."""
    out = []
    for comment, data, txs in found:
        name, wtxids = block_hash(data[:88]), [H("wtx", t) for t in txs]
        n = data[221] >> 2
        to, extra = data[189:221], data[222:222 + n]
        assert data[189:] == encode_coinbase(to, extra) + compact(len(txs)) + b"".join(txs)
        out.append(announced(comment, [short_id(name, w) for w in wtxids], data[:189], to, extra, hash=name.hex(),
                             wtxids=[w.hex() for w in wtxids], block=data.hex()))
    head = found[0][1][:189]
    out.append(announced("4,096 short ids, an extra of 64 bytes, for form alone", [b"\x01\x02\x03\x04\x05\x06"] * 4096,
                         head, B, b"\xaa" * 64, 6))
    return out


class Bad:
    """Collects what must be refused, and holds each against the reader."""

    def __init__(self):
        self.cases = []

    def add(self, what, reader, data, reason, comment, shown_as=None):
        try:
            reader(data)
        except Undecodable as e:
            assert str(e) == reason, (comment, str(e))
        else:
            raise AssertionError(f"{comment}: read")
        rule, why = reason.split(" ", 1)
        self.cases.append({"what": what, "rule": rule, "reason": why, "comment": comment,
                           "bytes": shown_as or data.hex()})

    def ask(self, kinds, message, reason, comment, unit=0):
        """A message with its right length before it."""
        self.stream(kinds, framed(message), reason, comment, unit)

    def stream(self, kinds, data, reason, comment, unit=0):
        what = "question" if kinds is QUESTIONS else "answer"
        self.add(what, lambda x: read_framed(kinds, x), data, reason, comment, packed(data, unit) if unit else None)


LEFT, MISSING, SHORTEST = "C3 bytes left over", "C2 bytes missing", "C3 compact not the shortest"
BEYOND, MANY, KIND, LENGTH = "C2 compact beyond u32", "M2 too many", "M2 unknown kind", "M2 length above the limit"


def bad_lengths(bad, blocks):
    hash_ = block_hash(blocks[0][:88])
    ask = write(QUESTIONS, {"kind": 1, "locator": [hash_]})
    for n, comment in ((QUESTION_MAX + 1, "a length of 32 KiB + 1, nothing behind"), (2**32 - 1, "the largest length")):
        bad.stream(QUESTIONS, u32(n), LENGTH, comment)
    bad.stream(QUESTIONS, u32(QUESTION_MAX), MISSING, "a length of 32 KiB, nothing behind")
    bad.ask(QUESTIONS, b"\x07" * QUESTION_MAX, KIND, "32 KiB of kind 7: read", 1)
    bad.ask(QUESTIONS, b"\x07" * (QUESTION_MAX + 1), LENGTH, "32 KiB + 1 of kind 7: not read", 1)
    bad.stream(QUESTIONS, len(ask).to_bytes(4, "big") + ask, LENGTH, "the length big-endian")
    bad.stream(QUESTIONS, compact(len(ask)) + ask, LENGTH, "the length compact")
    bad.stream(QUESTIONS, ask, LENGTH, "no length")
    bad.stream(QUESTIONS, framed(ask)[:-1], MISSING, "the stream ends a byte early")
    bad.stream(QUESTIONS, framed(ask)[:3], MISSING, "the stream ends in the length")
    bad.stream(QUESTIONS, b"", MISSING, "an empty stream")
    bad.ask(QUESTIONS, b"", MISSING, "a message of no bytes")
    bad.stream(ANSWERS, u32(ANSWER_MAX + 1), LENGTH, "a length of 2 MiB + 64 KiB + 1, nothing behind")
    bad.ask(ANSWERS, write(ANSWERS, {"kind": 2, "blocks": [b"\x07" * (ANSWER_MAX - 5)]}), LENGTH,
            "an answer a byte too long", 1)
    bad.ask(ANSWERS, b"", MISSING, "an answer of no bytes")


def bad_questions(bad, blocks):
    hash_ = block_hash(blocks[0][:88])
    for kind in (7, 254, 255):
        bad.ask(QUESTIONS, bytes([kind]), KIND, f"kind {kind}")
    for comment, message in (("Hello", hello()), ("heads", {"kind": 1, "locator": [hash_]}),
                             ("blocks", {"kind": 2, "hashes": [hash_]}),
                             ("transactions of a block", {"kind": 3, "hash": hash_, "places": [0, 1]}),
                             ("the pool", {"kind": 4}), ("transactions of the pool", {"kind": 5, "wtxids": [hash_]}),
                             ("addresses", {"kind": 6})):
        data = write(QUESTIONS, message)
        bad.ask(QUESTIONS, data + b"\0", LEFT, f"{comment}: a byte left over")
        if len(data) > 1:
            bad.ask(QUESTIONS, data[:-1], MISSING, f"{comment}: the last byte missing")
    for kind in (1, 2):
        bad.ask(QUESTIONS, bytes([kind]) + compact(65) + hash_ * 65, MANY, f"kind {kind}: 65 hashes", 32)
    many = {"kind": 3, "hash": hash_, "places": [*range(4097)]}
    bad.add("question", lambda x: read_framed(QUESTIONS, x), framed(write(QUESTIONS, many)), MANY, "4,097 places",
            places_packed(many))
    bad.ask(QUESTIONS, b"\x05" + compact(513) + hash_ * 513, MANY, "513 wtxids", 32)
    for count, reason, comment in (("0500", SHORTEST, "in 2 bytes"), ("06000000", SHORTEST, "in 4 bytes"),
                                   ("0301000000", SHORTEST, "in 5 bytes"), ("070100000000", SHORTEST, "in 6 bytes")):
        bad.ask(QUESTIONS, b"\x02" + bytes.fromhex(count) + hash_, reason, f"a count of 1 {comment}")
    bad.ask(QUESTIONS, b"\x02" + compact(2**32), BEYOND, "a count of 2^32")
    bad.ask(QUESTIONS, b"\x01" + compact(2**30 - 1) + bytes(40), MANY, "a count of 2^30 - 1")
    for places, comment in (([2, 2], "a place twice"), ([1, 0], "places descending"), ([0, 2, 1], "the last too low")):
        bad.ask(QUESTIONS, write(QUESTIONS, {"kind": 3, "hash": hash_, "places": places}), "M2 not ascending", comment)
    bad.ask(QUESTIONS, write(QUESTIONS, hello(agent=b"a" * 65)), "M2 too long", "an agent of 65")
    for agent, comment in ((b"a\x1f", "a control character"), (b"\x1b[2J", "an escape sequence"),
                           (b"a\n", "a line feed"), (b"a\0", "a zero"), (b"\x7f", "DEL"), ("é".encode(), "UTF-8"), (b"\xff", "no UTF-8")):
        bad.ask(QUESTIONS, write(QUESTIONS, hello(agent=agent)), "M2 agent not printable", f"agent: {comment}")
    data = write(QUESTIONS, hello(agent=b"a"))
    bad.ask(QUESTIONS, data[:-2] + b"\x05\x00a", SHORTEST, "agent: its length of 1 in 2 bytes")


def bad_answers(bad, blocks):
    hash_, head = block_hash(blocks[0][:88]), blocks[0][:189]
    for kind in (7, 254):
        bad.ask(ANSWERS, bytes([kind]), KIND, f"kind {kind}")
    v4 = ("192.0.2.7", 9353, 1793500000)
    for comment, message in (("Hello", hello()), ("heads", {"kind": 1, "heads": [head]}),
                             ("blocks", {"kind": 2, "blocks": [b"\x07" * 3]}),
                             ("transactions of a block", {"kind": 3, "transactions": [b"\x07" * 3]}),
                             ("the pool", {"kind": 4, "wtxids": [hash_]}),
                             ("transactions of the pool", {"kind": 5, "transactions": [b"\x07" * 3]}),
                             ("addresses", {"kind": 6, "addresses": [v4]}), ("too much", {"kind": 255})):
        data = write(ANSWERS, message)
        bad.ask(ANSWERS, data + b"\0", LEFT, f"{comment}: a byte left over")
        if len(data) > 1:
            bad.ask(ANSWERS, data[:-1], MISSING, f"{comment}: the last byte missing")
    bad.ask(ANSWERS, b"\x01" + compact(1001) + head * 1001, MANY, "1,001 heads", 189)
    bad.ask(ANSWERS, b"\x02" + compact(65) + b"\x04\x07" * 65, MANY, "65 blocks", 2)
    bad.ask(ANSWERS, b"\x03" + compact(4097) + b"\x04\x07" * 4097, MANY, "4,097 transactions of a block", 2)
    bad.ask(ANSWERS, b"\x04" + compact(4097) + hash_ * 4097, MANY, "4,097 wtxids", 32)
    bad.ask(ANSWERS, b"\x05" + compact(513) + b"\x04\x07" * 513, MANY, "513 transactions of the pool", 2)
    one = write(ANSWERS, {"kind": 6, "addresses": [v4]})[2:]
    bad.ask(ANSWERS, b"\x06" + compact(257) + one * 257, MANY, "257 addresses", 15)
    bad.ask(ANSWERS, b"\x01" + compact(1) + head[:188] + b"\x01", "P9 unknown pow tag", "a head with pow tag 1")
    bad.ask(ANSWERS, b"\x02\x04\x0d\x00\x07\x07\x07", SHORTEST, "a block's length of 3 in 2 bytes")
    bad.ask(ANSWERS, b"\x02\x04" + compact(2**32) + b"\x07", BEYOND, "a block's length of 2^32")
    bad.ask(ANSWERS, b"\x02\x08\x04\x07", MISSING, "two blocks told, one given")
    bad.ask(ANSWERS, b"\x04\x05\x00" + hash_, SHORTEST, "a count of 1 in 2 bytes")
    bad.ask(ANSWERS, b"\x06\x04\x02" + one[1:], "M2 unknown address tag", "an address of tag 2")
    for ip, port in (("192.0.2.7", 0), ("0.0.0.0", 9353), ("255.255.255.255", 9353), ("224.0.0.1", 9353),
                     ("239.255.255.255", 9353), ("::", 9353), ("ff02::1", 9353), ("::ffff:192.0.2.7", 9353)):
        bad.ask(ANSWERS, write(ANSWERS, {"kind": 6, "addresses": [(ip, port, 0)]}), "M2 nobody listens there",
                f"{ip}, port {port}")
    data = b"\x06\x08" + one + write(ANSWERS, {"kind": 6, "addresses": [("::", 1, 0)]})[2:]
    bad.ask(ANSWERS, data, "M2 nobody listens there", "a good address, then a bad one")


def bad_gossip(bad, txs, block):
    for data, reason, comment in (
            (b"", MISSING, "no bytes"), (b"\x02" + txs[0], "M3 unknown tag", "tag 2"),
            (b"\x01" + bytes(31), MISSING, "a wtxid of 31 bytes"), (b"\x01" + bytes(33), LEFT, "a wtxid of 33 bytes")):
        bad.add("transaction", read_transaction, data, reason, comment)
    long = b"\x00" + b"\x07" * (WHOLE_MAX + 1)
    bad.add("transaction", read_transaction, long, "M3 too long", "65,281 bytes, whole", packed(long))
    good = read_block(block)
    start = len(block) - 1 - 6 * len(good["short_ids"])
    upto = block[:start]
    for data, reason, comment in (
            (b"", MISSING, "no bytes"), (block + b"\0", LEFT, "a byte left over"),
            (block[:-1], MISSING, "the last byte missing"), (block[:189], MISSING, "a head alone"),
            (block[:188] + b"\x01" + block[189:], "P9 unknown pow tag", "pow tag 1"),
            (write_block(good | {"extra": bytes(65)}), "T4g too long", "an extra of 65 bytes"),
            (upto + b"\x0d\x00" + block[start + 1:], SHORTEST, "a count of 3 in 2 bytes"),
            (upto + compact(4) + block[start + 1:], MISSING, "four short ids told, three given"),
            (upto + compact(2**30 - 1) + bytes(60), "M3 too many", "a count of 2^30 - 1")):
        bad.add("block", read_block, data, reason, comment)
    many = upto + compact(4097) + b"\x01\x02\x03\x04\x05\x06" * 4097
    bad.add("block", read_block, many, "M3 too many", "4,097 short ids", packed(many, 6))


def peers_json():
    s = worked_chain()
    tip = s.node.tip
    pays = [s.tx(tip, [op("Pay", k, 10**8 + i)], ahead=i) for i, k in enumerate((B, C, D))]
    s.good(pays, "three transactions", extra=b"peers")
    found = sorted((b for b in s.node.known.values() if b.height), key=lambda b: b.height)
    blocks = [b.bytes for b in found]
    start = 189 + 33 + 1  # a coinbase without extra, one transaction
    txs = [blocks[4][start:], *(t.encode() for t in pays)]
    wtxids = [H("wtx", t) for t in txs]
    gossiped = good_blocks([("block 2 of S9: no transactions", blocks[1], []),
                            ("block 5 of S9: one transaction", blocks[4], txs[:1]),
                            ("three transactions, an extra", blocks[5], txs[1:])])
    bad = Bad()
    bad_lengths(bad, blocks)
    bad_questions(bad, blocks)
    bad_answers(bad, blocks)
    bad_gossip(bad, txs, bytes.fromhex(gossiped[2]["bytes"]))
    return {"about": "M2, M3. questions, answers: fields, and the bytes on the stream with the length before them; work "
                     "in hex, times as decimal strings. transactions, blocks: what is gossiped; a transaction of more "
                     "than 65,280 bytes by its wtxid. bad: must be refused; questions and answers as on the stream; "
                     "which of several refusals is named is free. bytes that repeat are a list of parts: hex, [hex, "
                     "times], or {u32s: [first, count]}, so many u32 LE, each one more than the one before. A list that "
                     "repeats is {of, times}, one that counts up {from, times}.",
            "networks": networks("regtest"),
            "questions": good_questions(blocks, wtxids), "answers": good_answers(blocks, txs[1:], wtxids),
            "transactions": gossiped_transactions(txs), "blocks": gossiped, "bad": bad.cases}
