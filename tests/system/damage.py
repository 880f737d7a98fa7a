#!/usr/bin/env python3
"""Damage: one byte flipped, or the end cut off, in one file of a node's folder; then the node is started on it.

  damage.py [CASES]        1000 unless given; SEED=… replays the choices, CASE=12,40 looks at single cases only

One folder is made: a chain with names registered, updated and reorganised, a wallet with keys handed out, registrations
under way, a configuration, of the database a log of several parts, its settings and its snapshot, and the copy of the state
that a clean stop leaves; in every second case that is gone, as after a kill. Each case is one damage on a fresh copy. The cases take turns through the files; two in three flip a bit of a byte that is in use, the
others cut the file off anywhere. What may come of it:

  harmless      the node starts and all its answers are right: the byte was not in use, or the node made up for it
  found         the node starts, what needs the damaged part is refused with an error that names the file, all other
                answers are right, and what the error advises mends it; or the copy of the state is named and not used
  refused       the node does not start, with one error that names the file or its folder and says what to do; done, it
                starts and all its answers are right for its tip. Or, where a file of the wallet is damaged: the node
                serves, and the wallet is refused by the file's name until it is restored from its words

Where a block itself is damaged, mended means that the chain ends before it: what it says of names is what was true there.
Forbidden, whatever the damage: a panic, a hang, a wrong answer over RPC or DNS, another key, and that a damaged wallet is
written to.
"""

import collections
import json
import os
import re
import shutil
import subprocess
import sys
import time

import nodes
from nodes import Lost, Node, NotStarted, Refused, check

# The settings of the file; a flip in a number may be another valid setting, which the file cannot tell.
CONFIG = """# The operator's
network = "regtest"
json = false

[node]
dns_provisional_updates = true
"""


class Fixture:
    """The healthy folder, and what is true of it at each height."""

    def __init__(self, folder, seed):
        self.random = nodes.derived(seed, "fixture")
        self.node, self.rival = Node(folder, "healthy"), Node(folder, "rival")
        self.names, self.pictures, self.heights, self.bodies = [], {}, {}, {}

    def busy(self, node):
        what = self.random.random()
        try:
            if what < 0.6 and len(self.names) < 24:
                self.names.append(f"{node.name}-{len(self.names)}")
                records = [{"owner": "@", "type": "A", "ttl": 300, "data": f"192.0.2.{len(self.names)}"},
                           {"owner": "txt", "type": "TXT", "data": "x" * self.random.randrange(1, 200)}]
                node.call("name_register", self.names[-1], records, 1)
            else:
                held = [it["name"] for it in node.call("name_list") if it["state"] == "active"]
                if held:
                    record = {"owner": "@", "type": "A", "data": f"198.51.100.{self.random.randrange(256)}"}
                    node.call("name_update", self.random.choice(held), [record])
        except Refused:
            pass

    def mine(self, count):
        for _ in range(count):
            self.noted(*nodes.make(self.node, self.busy, 1, 0.7, self.random))

    def noted(self, block_hash):
        self.bodies[block_hash] = self.node.call("getblock", block_hash, 0)
        tip = self.node.tip()
        self.heights[tip] = self.node.call("getblockcount")
        self.pictures.setdefault(tip, nodes.says(self.node, self.names))

    def make(self):
        node = self.node
        for one in (node, self.rival):
            one.create_wallet()
        (node.folder / "dotp2p.toml").write_text(CONFIG)
        for one in (node, self.rival):
            one.start()
            one.address = one.call("getnewaddress")
        self.noted(node.call("getblockhash", 0))
        self.mine(40)
        # A reorganisation: undo records that were used, a branch that is not active.
        nodes.give(node, self.rival)
        self.mine(3)
        for block_hash in nodes.make(self.rival, self.busy, 5, 0, self.random):
            node.call("submitblock", self.rival.call("getblock", block_hash, 0))
            self.noted(block_hash)
        self.rival.end()
        self.mine(20)
        # The database takes stock at a start, and goes on writing: a snapshot and a log behind it.
        node.end()
        node.start()
        self.mine(10)
        node.call("name_register", "not-yet", [{"owner": "@", "type": "A", "data": "192.0.2.99"}], 1)
        self.mine(1)
        self.names.append("not-yet")
        self.pictures[node.tip()] = nodes.says(node, self.names)
        self.tip, self.keys = node.tip(), [node.call("getnewaddress") for _ in range(3)]
        self.under_way = sorted(it["name"] for it in node.call("name_registrations"))
        self.txids = {txid: height for height in range(self.heights[self.tip] + 1)
                      for txid in node.call("getblock", node.call("getblockhash", height), 1)["tx"]}
        node.end()
        self.phrase = json.loads((node.dir / "wallet.json").read_text())["phrase"]
        self.files = sorted(path.relative_to(node.folder) for path in node.folder.rglob("*") if path.is_file())


class Trials:
    def __init__(self, folder, fixture, cases, seed):
        self.folder, self.fixture, self.cases, self.seed = folder, fixture, cases, seed
        self.only = {int(it) for it in os.environ.get("CASE", "").split(",") if it}
        self.table = collections.defaultdict(collections.Counter)
        self.node = None
        self.what, self.failures = "", []

    def run(self):
        began = time.monotonic()
        sizes = {path: (self.fixture.node.folder / path).stat().st_size for path in self.fixture.files}
        files = [path for path in self.fixture.files if sizes[path]]
        # The blocks and the database's log hold the most, and get more turns.
        files += [path for path in files if path.suffix == ".dat"] + [path for path in files if path.name == "db"] * 3
        for case in range(1, self.cases + 1):
            rng = nodes.derived(self.seed, case)
            path = files[case % len(files)]
            if self.only and case not in self.only:
                continue
            self.node = Node(self.folder, "case")
            self.node.log.unlink(missing_ok=True)
            shutil.copytree(self.fixture.node.folder, self.node.folder)
            if path.name != "state.dat" and rng.random() < 0.5:
                (self.node.dir / "state.dat").unlink()
            try:
                flipped = self.damage(self.node.folder / path, rng)
                outcome = self.tried(path)
                check("panicked" not in self.node.said(), "the node panicked")
                kind = re.sub(r"[0-9A-F]{16}", "…", str(path)) if "snap." in str(path) else str(path)
                self.table[kind, flipped][outcome] += 1
            except (Lost, Refused, NotStarted, nodes.Gone, OSError) as error:
                if os.environ.get("KEEP"):
                    shutil.copytree(self.node.folder, f"{os.environ['KEEP']}/case-{case}", dirs_exist_ok=True)
                self.failures.append(f"case {case}, {path}, {self.what}: {error}")
                print(f"WRONG: {self.failures[-1]}", flush=True)
                check(len(self.failures) < 20, "and more")
            finally:
                self.node.kill()
                shutil.rmtree(self.node.folder)
            if case % 100 == 0:
                print(f"{case} cases, {time.monotonic() - began:.0f} s", flush=True)
        check(not self.failures, f"{len(self.failures)} of {self.cases} cases, see above")

    def damage(self, path, rng):
        """Flips a bit or cuts off the end; what was done."""
        data = bytearray(path.read_bytes())
        if rng.randrange(3):
            # The database's log is much larger than what is in use of it; trailing zeros are not in use.
            at = rng.randrange(len(bytes(data).rstrip(b"\0")) or 1)
            bit = rng.randrange(8)
            data[at] ^= 1 << bit
            self.what = f"bit {bit} of byte {at} flipped"
            path.write_bytes(data)
            return "flip"
        length = rng.randrange(len(data))
        self.what = f"cut off after {length} of {len(data)} bytes"
        os.truncate(path, length)
        return "cut"

    def tried(self, path):
        node, is_private = self.node, path.name in ("wallet.json", "registrations.json")
        damaged = (node.folder / path).read_bytes()
        try:
            node.start()
        except NotStarted:
            self.mend(path)
            self.all_right(lost_blocks="blocks" in path.parts)
            return "refused"
        if is_private:
            return self.wallet_tried(path, damaged)
        if path.name == "state.dat":
            check("state.dat" in node.said(), "nothing says that it is damaged")
            check(self.all_right(), "a block is refused")
            return "found"
        if self.all_right():
            return "harmless"
        # Something is refused, with an error that names the file: its advice is followed.
        node.end()
        node.start("--reindex")
        check(self.all_right(lost_blocks=True), "it is not mended")
        return "found"

    def mend(self, path):
        """Does what the error says; it must be one line that names the file or its folder."""
        node = self.node
        said = re.findall(r"^(?:dotp2p|error): .*", node.said(), re.M)
        check(len(said) == 1, f"no clear error: {node.said()}")
        check(str(node.dir) in said[0] or str(node.folder / path) in said[0], f"the error names no file: {said[0]}")
        if path.name == "dotp2p.toml":
            (node.folder / path).write_text(CONFIG)  # The error gives the line: whoever wrote it mends it.
            node.start()
        elif "format.json in it is damaged: remove it" in said[0]:
            (node.dir / "format.json").unlink()
            node.start()
        elif path.name == "dnssec.key":
            check("move it away" in said[0], f"the error does not say what to do: {said[0]}")
            (node.folder / path).rename(node.folder / "moved-away")
            node.start()
        else:
            check("--reindex" in said[0], f"the error does not say what to do: {said[0]}")
            node.start("--reindex")

    def wallet_tried(self, path, damaged):
        """The chain is served all the same; the wallet is as it was, or refused by its file's name."""
        node, fixture = self.node, self.fixture
        check(self.all_right(wallet=False), "a block is refused")
        try:
            key, under_way = node.call("getnewaddress"), sorted(it["name"] for it in node.call("name_registrations"))
        except Refused as error:
            check(str(node.folder / path) in str(error), f"the error names no file: {error}")
            node.end()
            check((node.folder / path).read_bytes() == damaged, "a damaged file was written to")
            (node.folder / path).rename(node.folder / "moved-away")
            if path.name == "wallet.json":
                restore = subprocess.run([nodes.BINARY, "wallet", "restore"], input=fixture.phrase, text=True, capture_output=True,
                                         env={**os.environ, "DOTP2P_NETWORK": "regtest", "DOTP2P_DATA_DIR": str(node.folder)})
                check(restore.returncode == 0, f"wallet restore: {restore.stderr}")
            node.start()
            check(node.call("getnewaddress"), "no wallet")
            phrase = json.loads((node.dir / "wallet.json").read_text())["phrase"]
            check(phrase == fixture.phrase, "another phrase")
            check(self.all_right(wallet=False), "a block is refused")
            return "refused"
        check(json.loads((node.dir / "wallet.json").read_text())["phrase"] == fixture.phrase, "the wallet has other words")
        check(key not in fixture.keys and under_way == fixture.under_way, f"the wallet says {key}, {under_way}")
        return "harmless"

    def all_right(self, lost_blocks=False, wallet=True):
        """Every answer is right for the tip; False if something was refused with an error that names the file."""
        node, fixture = self.node, self.fixture
        tip = node.tip()
        check(tip in fixture.pictures, f"the tip {tip} is none that the chain had")
        check(lost_blocks or tip == fixture.tip, f"the tip fell to {fixture.heights.get(tip)}")
        height = fixture.heights[tip]
        check(node.call("getblockcount") == height, "the height is another")
        picture, whole = fixture.pictures[tip], True
        try:
            found = nodes.says(node, list(picture))
            for name in picture:
                check(found[name] == picture[name], f"{name} is {found[name]}, right is {picture[name]}")
        except Refused as error:
            check("blocks/" in str(error) and "--reindex" in str(error), f"what a name is: {error}")
            whole = False
        nodes.check_dns(node, picture, picture)
        hashes = [*fixture.bodies]
        for block_hash, body in zip(hashes, node.call_all("getblock", [[it, 0] for it in hashes])):
            if isinstance(body, Refused):
                named = "blocks/" in str(body) and "--reindex" in str(body)
                check(named or lost_blocks, f"block {block_hash} is refused: {body}")
                whole = whole and not named
            else:
                check(body == fixture.bodies[block_hash], f"block {block_hash} has other bytes")
        txids = [txid for txid, at in fixture.txids.items() if at <= height]
        for txid, answer in zip(txids, node.call_all("getrawtransaction", [[it, True] for it in txids])):
            if isinstance(answer, Refused):
                check("blocks/" in str(answer), f"transaction {txid} is refused: {answer}")
                whole = False
        for name in picture:
            try:
                node.call("name_history", name)
            except Refused as error:
                check("blocks/" in str(error) or "free" in str(error) or picture[name] is None, f"history of {name}: {error}")
                whole = whole and "blocks/" not in str(error)
        if wallet and whole:
            key = node.call("getnewaddress")
            check(key not in fixture.keys, f"key {key} is handed out twice")
            made = node.call("generatetoaddress", 1, key)
            check(node.tip() == made[0], "the next block is not the tip")
        return whole

    def report(self, took_s):
        outcomes = ("harmless", "found", "refused")
        print(f"{'':44}" + "".join(f"{it:>10}" for it in outcomes))
        total = collections.Counter()
        for (path, how), counts in sorted(self.table.items()):
            print(f"{path + ', ' + how:44}" + "".join(f"{counts[it]:10}" for it in outcomes))
            total.update(counts)
        print(f"{'all':44}" + "".join(f"{total[it]:10}" for it in outcomes))
        print(f"assurance: {total.total():,} byte flips and truncations over {len({path for path, _ in self.table})} files:"
              f" {total['harmless']} harmless, {total['found']} found at first read, {total['refused']} refused at start;"
              f" all mended by what the message says, no wrong answer, no key lost, {took_s:.0f} s, seed {self.seed}")


def main():
    cases, seed = nodes.asked("cases", 1000)
    parts = []

    def run():
        began = time.monotonic()
        fixture = Fixture(folder, seed)
        parts.extend([fixture.node, fixture.rival])
        fixture.make()
        print(f"{len(fixture.bodies)} blocks, {len(fixture.names)} names, {len(fixture.files)} files:"
              f" {', '.join(map(str, fixture.files))}", flush=True)
        trials = Trials(folder, fixture, cases, seed)
        try:
            trials.run()
        finally:
            if trials.node:
                parts[:] = [trials.node]
        trials.report(time.monotonic() - began)

    with nodes.scratch("damage", in_memory=True) as folder:
        return nodes.finish(run, lambda: parts)


if __name__ == "__main__":
    sys.exit(main())
