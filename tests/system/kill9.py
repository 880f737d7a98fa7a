#!/usr/bin/env python3
"""kill -9 at random moments, each after at least one newly acknowledged block.

  kill9.py [KILLS]        100 unless given; SEED=… replays the choices of a run

Two nodes on regtest: the victim is killed, the rival is not. Three phases take turns:

  mining          the victim makes blocks (generatetoaddress)
  importing       the rival makes a branch on the common tip; the victim is given its blocks (submitblock)
  reorganising    both make a branch, the rival's is longer; the victim is given it and has to disconnect its own

Blocks hold commitments, claims and updates of names, and payments. A kill comes at a random moment around a random call;
every fourth time or so another one comes while the node opens again, which is counted beside.

After each restart: the node opens, which it refuses where the stored state has another root than the tip's header; every
block it acknowledged is there with the same bytes, and on the active chain where it must be. Then the nodes exchange what
the other lacks, the victim makes a block, whose state root the rival computes for itself, and both must agree. At the end
everything is rebuilt from the block files (--reindex) and must come out the same.
"""

import base64
import collections
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = pathlib.Path(os.environ.get("DOTP2P_BIN", TARGET / "debug" / "dotp2p"))
PHASES = ("mining", "importing", "reorganising")
START_S, CALL_S, END_S = 60, 60, 60


class Lost(Exception):
    """What must not happen happened."""


class Gone(Exception):
    """The node was killed before it answered."""


class Refused(Exception):
    """The node answers with an error."""


def check(is_so, what):
    if not is_so:
        raise Lost(what)


class Node:
    """A node on a folder of its own; JSON-RPC over one connection at a time."""

    def __init__(self, folder, name):
        self.name, self.folder = name, folder / name
        self.dir = self.folder / "regtest"
        self.log = folder / f"{name}.log"
        self.process = self.http = None
        self.address = None

    def run(self, *args):
        env = {**os.environ, "DOTP2P_NETWORK": "regtest", "DOTP2P_DATA_DIR": str(self.folder)}
        with self.log.open("ab") as log:
            return subprocess.Popen([BINARY, *args], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def create_wallet(self):
        check(self.run("wallet", "create").wait(END_S) == 0, f"{self.name}: wallet create failed")

    def launch(self, *args):
        self.process = self.run("node", "--rpc-listen", "127.0.0.1:0", "--dns-listen", "127.0.0.1:0", *args)

    def start(self, *args):
        """Starts the node and waits until its node.json is this process's; gives the seconds it took."""
        began = time.monotonic()
        self.launch(*args)
        while True:
            check(self.process.poll() is None, f"{self.name} did not open: exit code {self.process.returncode}")
            check(time.monotonic() - began < START_S, f"{self.name} did not open in {START_S} s")
            try:
                about = json.loads((self.dir / "node.json").read_text())
            except (OSError, ValueError):
                about = {}
            if about.get("pid") == self.process.pid:
                break
            time.sleep(0.005)
        took = time.monotonic() - began
        cookie = base64.b64encode((self.dir / ".cookie").read_bytes().strip()).decode()
        self.headers = {"Authorization": f"Basic {cookie}", "Content-Type": "application/json"}
        host, _, port = about["rpc"].rpartition(":")
        self.http = http.client.HTTPConnection(host, int(port), timeout=CALL_S)
        return took

    def call(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        try:
            self.http.request("POST", "/", body, self.headers)
            answer = self.http.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.http.close()
            raise Gone(f"{self.name}: {method}: {error!r}") from error
        try:
            answer = json.loads(text)
        except ValueError:
            raise Lost(f"{self.name}: {method}: HTTP status {answer.status}, {text[:200]!r}") from None
        if "error" in answer:
            raise Refused(f"{self.name}: {method}: {answer['error']}")
        return answer["result"]

    def has(self, block_hash):
        try:
            return self.call("getblockheader", block_hash)
        except Refused:
            return None

    def tip(self):
        return self.call("getbestblockhash")

    def end(self):
        """Ends it as an operator would; it must leave with exit code 0."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(END_S)
        check(code == 0, f"{self.name} ended with exit code {code}")


def kill_in(process, delay_s):
    """Kills the process after so many seconds, whatever it does then."""
    timer = threading.Timer(delay_s, process.kill)
    timer.daemon = True
    timer.start()


class Test:
    def __init__(self, folder, kills, seed):
        self.kills, self.random = kills, random.Random(seed)
        self.victim, self.rival = Node(folder, "victim"), Node(folder, "rival")
        self.acknowledged = {}  # hash -> bytes in hex, or None where it was made by the victim itself
        self.names = 0
        self.requests, self.last_refusal = collections.Counter(), None
        self.mean_s = collections.defaultdict(lambda: 0.02)
        self.stats = {phase: collections.Counter() for phase in PHASES}
        self.open_s = []

    # The pieces

    def timed(self, node, method, *params):
        began = time.monotonic()
        result = node.call(method, *params)
        self.mean_s[method] += 0.2 * (time.monotonic() - began - self.mean_s[method])
        return result

    def busy(self, node):
        """Puts something into the node's pool."""
        what = self.random.random()
        self.requests["made"] += 1
        try:
            if what < 0.5:
                self.names += 1
                records = [{"owner": "@", "type": "A", "ttl": 300, "data": f"192.0.2.{self.names % 256}"},
                           {"owner": "txt", "type": "TXT", "data": "x" * self.random.randrange(1, 200)}]
                node.call("name_register", f"{node.name}-{self.names}", records, 1)
            elif what < 0.8:
                held = [it["name"] for it in node.call("name_list") if it["state"] == "active"]
                if held:
                    record = {"owner": "@", "type": "A", "data": f"198.51.100.{self.random.randrange(256)}"}
                    node.call("name_update", self.random.choice(held), [record])
            else:
                other = self.rival if node is self.victim else self.victim
                node.call("sendtoaddress", other.address, "0.5")
        except Refused as error:  # Such as one too poor after a reorganisation; they may not be the rule.
            self.requests["refused"] += 1
            self.last_refusal = error

    def make(self, node, blocks):
        """Blocks on a node's tip, busy ones among them; their hashes."""
        made = []
        for _ in range(blocks):
            if self.random.random() < 0.4:
                self.busy(node)
            made += node.call("generatetoaddress", 1, node.address)
        return made

    def give(self, source, target):
        """Gives `target` the active blocks of `source` that it lacks."""
        missing, at = [], source.tip()
        while not target.has(at):
            missing.append(at)
            at = source.call("getblockheader", at)["previousblockhash"]
        for block_hash in reversed(missing):
            target.call("submitblock", source.call("getblock", block_hash, 0))
        return list(reversed(missing))

    def agree(self):
        """Exchanges blocks until both nodes have the same tip, and compares their states."""
        for block_hash in self.give(self.victim, self.rival):
            self.acknowledged.setdefault(block_hash, None)
        for block_hash in self.give(self.rival, self.victim):
            self.acknowledged[block_hash] = self.rival.call("getblock", block_hash, 0)
        # The victim's next block commits to its state in memory, and the rival, which was never killed, computes that root
        # for itself. It also decides between branches of equal work.
        self.acknowledged.update(dict.fromkeys(self.make(self.victim, 1)))
        self.give(self.victim, self.rival)
        ours, theirs = (node.call("getblockchaininfo") for node in (self.victim, self.rival))
        for key in ("bestblockhash", "blocks", "names", "issued", "burned"):
            check(ours[key] == theirs[key], f"{key}: the victim has {ours[key]}, the rival {theirs[key]}")

    # A round

    @staticmethod
    def is_longest(phase, number, before):
        """Whether the block of that number, from 0, makes the branch it is on the active chain."""
        return phase != "reorganising" or number >= len(before)

    def calls(self, phase):
        """The calls of a phase as (method, parameters, expected hash), and what has been acknowledged before them."""
        victim, rival = self.victim, self.rival
        if phase == "mining":
            return [("generatetoaddress", (self.random.randrange(1, 4), victim.address), None) for _ in range(8)], []
        before = []
        if phase == "reorganising":
            before = self.make(victim, self.random.randrange(1, 16))
        made = self.make(rival, len(before) + self.random.randrange(2, 8))
        return [("submitblock", (rival.call("getblock", it, 0),), it) for it in made], before

    def round(self, phase):
        calls, before = self.calls(phase)
        tip = self.victim.call("getblockchaininfo")
        first = 0 if before else 1  # The kill comes after a block that was acknowledged in this round.
        if phase == "reorganising" and self.random.random() < 0.6:
            at = len(before)  # The block that makes the rival's branch the longer one.
        else:
            at = self.random.randrange(first, len(calls))
        method = calls[at][0]
        delay_s = self.random.uniform(0, 2 * self.mean_s[method])
        fresh, inside, done = dict.fromkeys(before), False, 0
        for number, (method, params, block_hash) in enumerate(calls):
            try:
                if number == at:
                    kill_in(self.victim.process, delay_s)
                elif phase == "mining" and number < at and self.random.random() < 0.5:
                    self.busy(self.victim)
                result = self.timed(self.victim, method, *params)
            except Gone:
                inside = True
                break
            done += 1
            if block_hash:
                expected = None if self.is_longest(phase, number, before) else "inconclusive"
                check(result == expected, f"submitblock answers {result!r}, expected {expected!r}")
                fresh[block_hash] = params[0]
            else:
                fresh.update(dict.fromkeys(result))
        self.victim.process.wait(END_S)
        check(fresh, "a kill without an acknowledged block: the test is wrong")
        self.acknowledged.update(fresh)
        stats = self.stats[phase]
        stats["kills"] += 1
        stats["in a call"] += inside
        stats["acknowledged"] += len(fresh)
        if phase == "reorganising":
            stats["switched before the kill"] += done > len(before)
            stats["deepest"] = max(stats["deepest"], len(before))
        self.after(phase, tip, fresh, before, calls, done)

    def after(self, phase, tip, fresh, before, calls, done):
        """Restarts the victim and looks for what it lost."""
        victim = self.victim
        while self.random.random() < 0.25:
            victim.launch()
            kill_in(victim.process, self.random.uniform(0, 2 * self.mean_s["open"]))
            victim.process.wait(END_S)
            self.stats[phase]["more while opening"] += 1
        self.open_s.append(victim.start())
        self.mean_s["open"] += 0.2 * (self.open_s[-1] - self.mean_s["open"])
        for block_hash, encoded in fresh.items():
            header = victim.has(block_hash)
            check(header, f"acknowledged block {block_hash} is lost")
            stored = victim.call("getblock", block_hash, 0)
            check(encoded in (None, stored), f"block {block_hash} has other bytes")
            is_ours = block_hash in before
            if phase == "reorganising" and (done > len(before) or is_ours):
                # Once the longer branch was acknowledged it is the chain, and ours is not. Until then it may be either.
                check(done <= len(before) or (header["confirmations"] > 0) != is_ours,
                      f"block {block_hash} has {header['confirmations']} confirmations after the reorganisation")
            elif phase != "reorganising":
                check(header["confirmations"] > 0, f"acknowledged block {block_hash} is not on the active chain")
        info = victim.call("getblockchaininfo")
        header = victim.call("getblockheader", info["bestblockhash"])
        check(info["blocks"] >= tip["blocks"] and header["height"] == info["blocks"], f"the tip fell to {info['blocks']}")
        self.agree()

    def run(self):
        began = time.monotonic()
        for node in (self.victim, self.rival):
            node.create_wallet()
            node.start()
            node.address = node.call("getnewaddress")
        # Coins for both, whichever branch wins.
        self.make(self.rival, 10)
        self.acknowledged.update(dict.fromkeys(self.give(self.rival, self.victim)))
        self.acknowledged.update(dict.fromkeys(self.make(self.victim, 10)))
        self.agree()
        order = [PHASES[at % len(PHASES)] for at in range(self.kills)]
        self.random.shuffle(order)
        for number, phase in enumerate(order, 1):
            try:
                self.round(phase)
            except (Lost, Refused, Gone) as error:
                raise Lost(f"kill {number}, {phase}: {error}") from error
            if number % 20 == 0:
                print(f"{number} kills, {time.monotonic() - began:.0f} s", flush=True)
        self.last_look()
        self.report(time.monotonic() - began)

    def last_look(self):
        """Every block ever acknowledged is there, before and after a rebuild from the block files."""
        # The block files may hold blocks that a kill kept from being committed; after three more, none has as much work.
        self.acknowledged.update(dict.fromkeys(self.make(self.victim, 3)))
        self.agree()
        before = self.victim.call("getblockchaininfo")
        made, refused = self.requests["made"], self.requests["refused"]
        check(refused <= made / 4, f"{refused} of {made} requests to the wallets were refused, the last: {self.last_refusal}")
        for how in ("as it is", "rebuilt"):
            for block_hash in self.acknowledged:
                check(self.victim.has(block_hash), f"{how}: acknowledged block {block_hash} is lost")
            after = self.victim.call("getblockchaininfo")
            for key in ("bestblockhash", "names", "issued", "burned"):
                check(after[key] == before[key], f"{how}: {key} was {before[key]} and is {after[key]}")
            self.victim.end()
            if how == "as it is":
                self.reindex_s = self.victim.start("--reindex")
        self.rival.end()
        self.blocks, self.names_held = before["blocks"], before["names"]
        for node in (self.victim, self.rival):
            text = node.log.read_text(errors="replace")
            check("panicked" not in text, f"{node.name} panicked")

    def report(self, took_s):
        for phase in PHASES:
            print(f"{phase:13}", ", ".join(f"{count} {what}" for what, count in self.stats[phase].items()))
        print(f"{self.requests['made']} registrations, updates and payments asked for, {self.requests['refused']} refused")
        opens = sorted(self.open_s)
        print(f"restart to ready: median {opens[len(opens) // 2]:.2f} s, longest {opens[-1]:.2f} s;"
              f" reindex of {len(self.acknowledged)} blocks: {self.reindex_s:.2f} s")
        print(f"chain of {self.blocks} blocks, {self.names_held} names; {len(self.acknowledged)} blocks acknowledged, none lost")
        print(f"{self.kills} kills in {took_s:.0f} s: every restart opened, on the state of its tip")


def main():
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    if kills < 1:
        sys.exit("at least one kill")
    if not BINARY.exists():
        sys.exit(f"{BINARY} is missing: cargo build")
    print(f"{kills} kills; to replay: SEED={seed} tests/system/kill9.py {kills}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dotp2p-kill9-"))
    test = Test(folder, kills, seed)
    try:
        test.run()
    except (Lost, Refused, Gone) as error:
        print(f"FAILED: {error}")
        for node in (test.victim, test.rival):
            print(f"--- {node.name}, last lines of its log")
            print("\n".join(node.log.read_text(errors="replace").splitlines()[-15:]))
        return 1
    finally:
        for node in (test.victim, test.rival):
            if node.process and node.process.poll() is None:
                node.process.kill()
                node.process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
