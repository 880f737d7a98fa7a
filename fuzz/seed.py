#!/usr/bin/env python3
"""Writes the seeds that the fuzz targets start from: real bytes out of the vectors, the examples and the manual.

    fuzz/seed.py FOLDER    one folder a target below it

Standard library only. What comes out is minimised by `fuzz/minimise.sh` before it is committed.
"""

import hashlib
import json
import pathlib
import re
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
VECTORS = ROOT / "tests" / "vectors"


def vectors(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


class Seeds:
    """Files named by their content, so that nothing is there twice."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def add(self, target, data):
        if isinstance(data, str):
            data = data.encode()
        folder = self.folder / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)


def chain(seeds):
    codec = vectors("codec")
    for case in codec["txs"] + codec["undecodable"] + codec["signatures"]:
        if len(case["bytes"]) <= 2 * 8192:
            seeds.add("transaction", bytes.fromhex(case["bytes"]))
    history = vectors("chain")
    for name in ("regtest", "short", "random"):
        for event in history[name][::7]:
            block = bytes.fromhex(event["block"])
            seeds.add("block", block)
            # network, three switches, heights and times as `arbitrary` reads them, then the head.
            front = struct.pack("<B???IQ", 0, True, True, True, 5, 1_793_491_200)
            seeds.add("header", front + b"\1" + struct.pack("<QQ", 1_793_491_260, 1_793_500_000) + block[:189])
        blocks = [bytes.fromhex(event["block"]) for event in history[name][:6]]
        seeds.add("carry", b"\2" + b"".join(struct.pack("<H", len(block)) + block for block in blocks))
        seeds.add("carry", b"\2" + struct.pack("<H", len(blocks[0])) + blocks[0])
        sums = [hashlib.sha256(hashlib.sha256(block).digest()).digest()[:4] for block in blocks]
        records = b"".join(struct.pack("<I", len(block)) + mac + block for block, mac in zip(blocks, sums))
        seeds.add("carry", b"\1" + records)
        seeds.add("carry", b"\0dp2c\1" + records)
    for case in vectors("proofs")["good"] + vectors("proofs")["bad"]:
        names = [good["name"] for good in vectors("proofs")["good"] if good["name"] != "test"]
        place = names.index(case["name"]) if case["name"] in names else 0
        seeds.add("name_proof", bytes([place]) + bytes.fromhex(case["proof"]))
    for at, case in enumerate(proof for tree in vectors("trie")["sets"] for proof in tree["proofs"][:4]):
        seeds.add("tree_proof", struct.pack("<H?", at, False) + bytes([1, 2, 0, 3, 1, 4, 2]) * 3 + b"\0")
        seeds.add("tree_proof", struct.pack("<H??", at, False, False) + b"\1" + bytes.fromhex(case["proof"]))
    for case in vectors("rules")["refused"] + vectors("rules")["good"]:
        front = struct.pack("<IIQI", 1000, 1030, 1_000_000, 9)
        if "rules" in case:
            seeds.add("rules", front + bytes.fromhex(case["rules"]))
    for network in vectors("rules")["networks"].values():
        rules = network.get("rules") or network.get("bytes")
        if rules:
            seeds.add("rules", struct.pack("<IIQI", 1000, 1030, 1_000_000, 9) + bytes.fromhex(rules))
    for compact in vectors("pow")["compact"][::3]:
        bits = struct.pack("<I", int(compact["bits"], 16))
        seeds.add("difficulty", bits + bits + bytes(range(64)) + struct.pack("<QQQIQQ", 60, 7200, 1, 9, 999, 1999))
    for case in vectors("ops")["cases"][::20]:
        for key, value in case["state"]:
            key, value = bytes.fromhex(key), bytes.fromhex(value or "")
            if len(key) < 256:
                seeds.add("rows", bytes([len(key)]) + key + value)
                more = struct.pack("<II", 7, 0) + b"\x08\1\0" if key[:1] == b"\1" else b""
                seeds.add("rows", bytes([len(key)]) + key + value + more)
                row = value + more
                undo = b"\4" + compact_len(len(key)) + key + b"\1" + compact_len(len(row)) + row
                seeds.add("rows", undo)


def compact_len(number):
    return bytes([4 * number]) if number < 64 else struct.pack("<H", 4 * number + 1)


def texts(seeds):
    for case in vectors("records")["good"] + vectors("records")["bad"]:
        seeds.add("records", bytes.fromhex(case["bytes"])[:4096])
    hello = (ROOT / "examples" / "hello.zone").read_text()
    for first in (b"\0", b"\1", b"\xfe"):
        seeds.add("zone_text", first + hello.encode())
        for part in hello.split("\n\n"):
            seeds.add("zone_text", first + part.encode())
    # Every line of a zone that the tests of the zone file write out.
    for source in ("tests.rs", "rdata/tests.rs", "rdata/tests/examples.rs"):
        text = (ROOT / "registry" / "src" / "zonefile" / source).read_text()
        for line in re.findall(r'"((?:[^"\\\n]|\\.){6,200})"', text):
            line = line.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
            seeds.add("zone_text", b"\0" + line.encode())
            seeds.add("zone_text", b"\1@ " + line.encode())
    for case in vectors("names")["labels"]:
        text = bytes.fromhex(case["label"])
        seeds.add("typed", b"\0" + text)
    for case in vectors("address")["good"] + vectors("address")["bad"]:
        seeds.add("typed", b"\0" + case["address"].encode())
    for text in ("bücher", "Alice.P2P.", "xn--bcher-kva", "аррӏе", "☃", "ß", "faß.p2p", "例え", "مثال", "12.5", "0.00000001", "00" * 32,
                 "xn--a", "xn--", "a。p2p", "\u200d", "नी\u200d", "ﬁ", "A" * 63, "İ", "\u0345", "xn--zca"):
        seeds.add("typed", b"\0" + text.encode())
        seeds.add("typed", b"\xfe" + text.encode())


def files(seeds):
    manual = (ROOT / "docs" / "how-to" / "private-network.md").read_text()
    sample = manual.split("```toml\n")[1].split("```")[0]
    seeds.add("network_file", "\0" + sample)
    seeds.add("network_file", "\0" + sample.replace("# ", ""))
    manual = (ROOT / "docs" / "how-to" / "configuration.md").read_text()
    for block in manual.split("```toml\n")[1:]:
        seeds.add("network_file", "\0" + block.split("```")[0])
    seeds.add("network_file", '\0network = "regtest"\njson = true\n[node]\nmine = "auto"\ndns_listen = ["127.0.0.1:1"]\n'
              'rpc_listen = "[::1]:7"\nmine_to = "rp2p1"\nreindex = true\ndns_provisional_updates = false\n')
    seeds.add("network_file", b"\xfe" + b"a = [[{b=[1,'x',\"\\u00e9\"]}]]\n")
    chain_id = bytes.fromhex(vectors("codec")["networks"]["regtest"]["chain_id"])[::-1].hex()
    phrases = ["abandon " * 11 + "about", "legal winner thank year wave sausage worth useful legal winner thank yellow"]
    for phrase in phrases:
        wallet = {"version": 1, "network": "regtest", "chain_id": chain_id, "phrase": phrase, "next_index": 1, "created": 1793491200}
        for change in ({}, {"next_index": 4}, {"network": "main"}, {"version": 2}, {"created": None}, {"extra": 1}):
            seeds.add("wallet_file", json.dumps({**wallet, **change}))
    head = {"version": 1, "network": "regtest", "chain_id": chain_id}
    seeds.add("wallet_file", json.dumps({**head, "registrations": []}))
    for registration in registrations():
        seeds.add("wallet_file", json.dumps({**head, "registrations": [registration]}))


def registrations():
    """Registrations as `wallet/src/registration.rs` writes them: just begun, with a Commit sent, failed, done."""
    key = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    base = {"name": "alice", "owner": key, "records": "0100", "years": 1, "limit": None, "attempt": 0, "step": "commit", "commit": None,
            "claim": None, "finish": None, "committed": [], "claimed": None, "txids": [], "expired": 0, "refusals": 0, "refused_at": None,
            "error": None, "settled": False}
    version = {"txid": "11" * 32, "fee": 1000, "bytes": "0179be"}
    sent = {"attempt": 0, "payer": key, "nonce": 3, "burn": 10_000_000, "at": 7, "expiry": 27, "tried": 1000, "versions": [version]}
    committed = {"attempt": 0, "height": 8, "burn": 10_000_000, "sent": sent}
    claimed = {"since": 10, "expires": 210, "spent": 5, "complete": True, "by": "11" * 32}
    yield base
    for step in ("funds", "age", "claim", "finish", "rival", "done"):
        yield {**base, "step": step}
    yield {**base, "commit": sent, "txids": ["11" * 32], "limit": 500, "error": "the pool is full"}
    yield {**base, "step": "done", "committed": [committed], "claimed": claimed, "settled": True}
    yield {**base, "step": {"failed": {"taken": {"by": key, "since": 9, "spent": 3}}}}


def dns(seeds):
    def wire(name):
        return b"".join(bytes([len(label)]) + label for label in name.encode().split(b".") if label) + b"\0"

    def query(name, rtype, opt=None, flags=b"\1\0", do=False):
        tail = b"" if opt is None else b"\0\0\x29" + struct.pack(">HIH", opt, 0x8000 if do else 0, 0)
        counts = struct.pack(">HHHH", 1, 0, 0, 0 if opt is None else 1)
        return b"\x12\x34" + flags + counts + wire(name) + struct.pack(">HH", rtype, 1) + tail

    names = ["p2p", "ns.dotp2p.p2p", "hello.p2p", "www.hello.p2p", "a.b.hello.p2p", "x.old.hello.p2p", "tangle.p2p", "www.tangle.p2p",
             "web.p2p", "a.web.p2p", "q.web.p2p", "z.deep.web.p2p", "self.web.p2p", "k.x.web.p2p", "k.out.web.p2p", "k.up.web.p2p",
             "k.long.web.p2p", "sub.web.p2p", "h.sub.web.p2p", "hello.web.p2p", "tangle.web.p2p", "gone.web.p2p", "broken.web.p2p",
             "bad.web.p2p", "any.web.p2p", "many.big.p2p", "nobody.p2p", "fails.p2p", "example.com", "", "_443._tcp.www.hello.p2p"]
    for at, name in enumerate(names):
        for rtype in (1, 2, 5, 6, 16, 28, 39, 43, 255, 252)[at % 3::3]:
            seeds.add("dns_packet", query(name, rtype, (None, 512, 1232, 4096)[at % 4]))
        for rtype in (1, 2, 5, 6, 16, 28, 39, 43, 46, 47, 48, 59, 255)[at % 3::3]:
            seeds.add("dns_signed", query(name, rtype, (512, 1232, 4096)[at % 3], do=at % 7 != 0))
    seeds.add("dns_packet", query("HeLLo.p2P", 15, 1232, b"\1\x10"))
    seeds.add("dns_packet", query("hello.p2p", 1, 700, b"\x28\0"))
    seeds.add("dns_packet", query("hello.p2p", 1)[:-4] + b"\0\1\0\3")
    for at in range(48):
        seeds.add("dns_records", hashlib.sha512(bytes([at])).digest() * (1 + at % 4))


def rpc(seeds):
    def call(method, params):
        return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}

    calls = []
    source = (ROOT / "rpc" / "src" / "api.rs").read_text()
    for method in re.findall(r'#\[method\(name = "(\w+)"', source):
        calls += [call(method, []), call(method, {})]
        for example in re.findall(rf"Example: `{method} (.*)`$", source, re.M):
            calls.append(call(method, json.loads(example)))
    for test in sorted((ROOT / "rpc" / "tests" / "it").glob("*.rs")):
        for method, params in re.findall(r'call\(\s*"(\w+)",\s*r#"(.*?)"#', test.read_text(), re.S):
            calls.append(call(method, json.loads(params)))
    for case in vectors("codec")["txs"][:6]:
        calls.append(call("sendrawtransaction", [case["bytes"]]))
    calls.append(call("submitblock", [vectors("chain")["regtest"][0]["block"]]))
    for one in calls:
        seeds.add("rpc", b"\0" + json.dumps(one).encode())
    seeds.add("rpc", b"\0" + json.dumps(calls[:3]).encode())
    seeds.add("rpc", b"\0" + json.dumps([calls[0], {"jsonrpc": "2.0", "method": "uptime"}, 1]).encode())
    zone = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "name_update", "params": {"name": "alice", "zone": "x A 192.0.2.1\n" * 9}})
    seeds.add("rpc", b"\xfe" + zone.encode())


def peers(seeds):
    """Messages of `network/src/message.rs`, its files, and events for its machines."""
    def compact(count):
        if count < 64:
            return bytes([count << 2])
        return struct.pack("<H", count << 2 | 1) if count < 1 << 14 else struct.pack("<I", count << 2 | 2)

    def byte_vectors(items):
        return compact(len(items)) + b"".join(compact(len(item)) + item for item in items)

    blocks = [bytes.fromhex(event["block"]) for event in vectors("chain")["regtest"][:40]]
    hashes = [hashlib.sha256(hashlib.sha256(block[:88]).digest()).digest() for block in blocks]
    agent = b"dotp2p/0.1.0"
    hello = struct.pack("<I", 1) + bytes(32) + hashes[0] + struct.pack("<I", 7) + b"\2" * 32 + compact(len(agent)) + agent
    address = b"\0" + bytes([192, 0, 2, 1]) + struct.pack("<H", 9353) + struct.pack("<Q", 1_793_491_200)
    six = b"\1" + bytes.fromhex("20010db8" + "00" * 11 + "01") + struct.pack("<H", 9353) + struct.pack("<Q", 1_793_491_200)
    for kind, target in ((0, "peer_request"), (0, "peer_response")):
        seeds.add(target, bytes([kind]) + hello)
    for count in (0, 1, 12, 40):
        many = compact(count) + b"".join(hashes[:count])
        for kind in (1, 2, 5):
            seeds.add("peer_request", bytes([kind]) + many)
        seeds.add("peer_request", b"\3" + hashes[0] + compact(count) + b"".join(struct.pack("<I", at) for at in range(count)))
        seeds.add("peer_response", b"\4" + many)
        seeds.add("peer_response", b"\1" + compact(count) + b"".join(block[:189] for block in blocks[:count]))
    for kind in (4, 6, 7):
        seeds.add("peer_request", bytes([kind]))
    for kind in (2, 3, 5):
        seeds.add("peer_response", bytes([kind]) + byte_vectors(blocks[:3]))
    for count in (0, 1, 3):
        seeds.add("peer_response", b"\6" + compact(2 * count) + (address + six) * count)
    seeds.add("peer_response", b"\xff")
    for block in blocks[::4]:
        seeds.add("peer_gossip", b"\2" + block)
        seeds.add("peer_gossip", b"\0" + block[:189] + bytes(32) + b"\0" + compact(3) + bytes(range(18)))
    for case in vectors("codec")["txs"][:12]:
        seeds.add("peer_gossip", b"\1\0" + bytes.fromhex(case["bytes"]))
    seeds.add("peer_gossip", b"\1\1" + bytes(32))
    for at in range(48):
        seeds.add("peer_sync", b"".join(hashlib.sha512(bytes([at, part])).digest() for part in range(1 + at % 12)))
    bans = [
        {"subject": subject, "reason": "invalid block", "created": 1_793_491_200, "until": 1_893_491_200, "manual": manual}
        for subject, manual in (("192.0.2.1/32", True), ("2001:db8::/64", False), ("198.51.100.0/24", True))
    ]
    for some in ([], bans[:1], bans, bans + bans[:1]):
        seeds.add("peer_files", b"\0" + json.dumps({"version": 1, "bans": some}).encode())
    secret, tail = bytes(range(32)), struct.pack("<QQQI", 1_793_491_200, 1_793_491_000, 1_793_490_000, 1)
    row = address[:7] + compact(1) + b"\1" + bytes(5) + b"\0" + tail + b"\0"
    for rows in (b"\0", compact(1) + row, compact(2) + row + six[:19] + row[7:]):
        seeds.add("peer_files", b"\2dotp2p peers\n\1" + secret + rows)


def ledger(seeds):
    for at in range(64):
        seeds.add("ledger", b"".join(hashlib.sha512(bytes([at, part])).digest() for part in range(1 + at % 16)))
        seeds.add("history_proof", hashlib.sha512(bytes([at])).digest()[: 8 + at])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    seeds = Seeds(sys.argv[1])
    for part in (chain, texts, files, dns, rpc, peers, ledger):
        part(seeds)


if __name__ == "__main__":
    main()
