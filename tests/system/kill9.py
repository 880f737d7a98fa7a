#!/usr/bin/env python3
"""kill -9 at random moments, each after at least one newly acknowledged block, or write of the wallet.

  kill9.py [KILLS]        100 unless given; SEED=… replays the choices of a run

Two nodes on regtest: the victim is killed, the rival is not. Four phases take turns:

  mining          the victim makes blocks (generatetoaddress)
  importing       the rival makes a branch on the common tip; the victim is given its blocks (submitblock)
  reorganising    both make a branch, the rival's is longer; the victim is given it and has to disconnect its own
  wallet          the victim hands out keys and takes up registrations; one time in three it is `wallet create` that is
                  killed, in a folder of its own

Blocks hold commitments, claims and updates of names, and payments. A kill comes at a random moment around a random call;
every fourth time or so another one comes while the node opens again, which is counted beside.

After each restart: the node opens, which it refuses where the stored state has another root than the tip's header; every
block it acknowledged is there with the same bytes, and on the active chain where it must be; the wallet has its phrase,
gives no key twice and knows every registration it took up, unless the chain has its name by then. Then the nodes exchange what
the other lacks, the victim makes a block, whose state root the rival computes for itself, and both must agree. At the end
everything is rebuilt from the block files (--reindex) and must come out the same.
"""

import collections
import json
import os
import random
import shutil
import subprocess
import sys
import time

import nodes
from nodes import END_S, Gone, Lost, Node, NotStarted, Refused, check, kill_in

PHASES = ("mining", "importing", "reorganising", "wallet")


class Test:
    def __init__(self, folder, kills, seed):
        self.kills, self.random = kills, random.Random(seed)
        self.folder = folder
        self.victim, self.rival = Node(folder, "victim"), Node(folder, "rival")
        self.keys, self.registered = [], []  # What the victim's wallet acknowledged.
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
                name = f"{node.name}-{self.names}"
                node.call("name_register", name, records, 1)
                if node is self.victim:
                    self.registered.append(name)
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
        return nodes.make(node, self.busy, blocks, 0.4, self.random)

    def agree(self):
        """Exchanges blocks until both nodes have the same tip, and compares their states."""
        for block_hash in nodes.give(self.victim, self.rival):
            self.acknowledged.setdefault(block_hash, None)
        for block_hash in nodes.give(self.rival, self.victim):
            self.acknowledged[block_hash] = self.rival.call("getblock", block_hash, 0)
        # The victim's next block commits to its state in memory, and the rival, which was never killed, computes that root
        # for itself. It also decides between branches of equal work.
        self.acknowledged.update(dict.fromkeys(self.make(self.victim, 1)))
        nodes.give(self.victim, self.rival)
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
        if phase == "wallet":
            return self.created() if self.random.random() < 0.3 else self.wallet_round()
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

    def wallet_round(self):
        """Keys and registrations, one after the other, until the kill."""
        victim, tip = self.victim, self.victim.call("getblockchaininfo")
        asked = self.random.choices(("getnewaddress", "name_register"), (4, 1), k=40)
        at, done, inside = self.random.randrange(1, 12), 0, False
        delay_s = self.random.uniform(0, 2 * self.mean_s[asked[at]])
        for number, method in enumerate(asked):
            self.requests["made"] += 1
            try:
                if number == at:
                    kill_in(victim.process, delay_s)
                if method == "getnewaddress":
                    self.keys.append(self.timed(victim, method))
                else:
                    self.names += 1
                    name = f"victim-{self.names}"
                    self.timed(victim, method, name, [{"owner": "@", "type": "A", "data": "192.0.2.1"}], 1)
                    self.registered.append(name)
                done += 1
            except Refused:
                self.requests["refused"] += 1
            except Gone:
                inside = True
                break
        victim.process.wait(END_S)
        check(done, "a kill without an acknowledged write: the test is wrong")
        stats = self.stats["wallet"]
        stats["kills"] += 1
        stats["in a call"] += inside
        stats["acknowledged"] += done
        self.after("wallet", tip, {}, [], [], 0)

    def created(self):
        """`wallet create` killed: the words were shown and the file has them, or there is no file or a whole one."""
        one = Node(self.folder, "created")
        shutil.rmtree(one.folder, ignore_errors=True)
        env = {**os.environ, "DOTP2P_NETWORK": "regtest", "DOTP2P_DATA_DIR": str(one.folder), "DOTP2P_JSON": "true"}
        process = subprocess.Popen([nodes.BINARY, "wallet", "create"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
        began = time.monotonic()
        kill_in(process, self.random.uniform(0, 2 * self.mean_s["created"]))
        shown = process.communicate()[0]
        if process.returncode == 0:
            self.mean_s["created"] += 0.2 * (time.monotonic() - began - self.mean_s["created"])
        elif not shown:
            self.mean_s["created"] *= 1.2  # Or no kill would ever come late enough.
        path = one.dir / "wallet.json"
        stats = self.stats["wallet"]
        stats["kills"] += 1
        stats["of `wallet create`"] += 1
        stats["which had shown the words"] += bool(shown)
        check(path.exists() or not shown, "the words were shown, and there is no wallet")
        if path.exists():
            phrase = json.loads(path.read_text())["phrase"]
            check(not shown or json.loads(shown)["phrase"] == phrase, "the wallet has other words than were shown")
        else:
            one.create_wallet()

    def wallet_there(self, tip):
        """What the wallet acknowledged is in its files."""
        victim = self.victim
        check(json.loads((victim.dir / "wallet.json").read_text())["phrase"] == self.phrase, "the wallet has another phrase")
        key = victim.call("getnewaddress")
        check(key not in self.keys, f"key {key} is handed out twice")
        self.keys.append(key)
        known = {it["name"] for it in victim.call("name_registrations")}
        gone = [name for name in self.registered if name not in known]
        for name, info in zip(gone, victim.call_all("name_show", [[name] for name in gone])):
            check(not isinstance(info, Refused) and info["state"] != "free", f"the registration of {name} is lost")

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
        self.wallet_there(tip)
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
        self.keys.append(self.victim.address)
        self.phrase = json.loads((self.victim.dir / "wallet.json").read_text())["phrase"]
        # Coins for both, whichever branch wins.
        self.make(self.rival, 10)
        self.acknowledged.update(dict.fromkeys(nodes.give(self.rival, self.victim)))
        self.acknowledged.update(dict.fromkeys(self.make(self.victim, 10)))
        self.agree()
        order = [PHASES[at % len(PHASES)] for at in range(self.kills)]
        self.random.shuffle(order)
        for number, phase in enumerate(order, 1):
            try:
                self.round(phase)
            except (Lost, Refused, Gone, NotStarted) as error:
                raise Lost(f"kill {number}, {phase}: {error}") from error
            if number % 20 == 0:
                print(f"{number} kills, {time.monotonic() - began:.0f} s", flush=True)
        self.last_look()
        return time.monotonic() - began

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

    def report(self, took_s, seed):
        columns = ("kills", "in a call", "acknowledged", "more while opening", "switched before the kill", "deepest",
                   "of `wallet create`", "which had shown the words")
        print(f"{'':14}" + "".join(f"{column:>{len(column) + 2}}" for column in columns))
        for phase in PHASES:
            print(f"{phase:14}" + "".join(f"{self.stats[phase][column] or '':>{len(column) + 2}}" for column in columns))
        print(f"{self.requests['made']} registrations, updates and payments asked for, {self.requests['refused']} refused")
        opens = sorted(self.open_s)
        print(f"restart to ready: median {opens[len(opens) // 2]:.2f} s, longest {opens[-1]:.2f} s;"
              f" reindex of {len(self.acknowledged)} blocks: {self.reindex_s:.2f} s")
        print(f"chain of {self.blocks} blocks, {self.names_held} names; acknowledged, none lost: {len(self.acknowledged)} blocks,"
              f" {len(self.keys)} keys, {len(self.registered)} registrations")
        more = sum(stats["more while opening"] for stats in self.stats.values())
        print(f"assurance: {self.kills:,} kill -9 and {more} more while opening: every restart opened, nothing acknowledged lost of"
              f" {len(self.acknowledged):,} blocks, {len(self.keys):,} keys, {len(self.registered):,} registrations;"
              f" {took_s:.0f} s, seed {seed}")


def main():
    kills, seed = nodes.asked("kills", 100)
    if kills < 1:
        sys.exit("at least one kill")
    with nodes.scratch("kill9") as folder:
        test = Test(folder, kills, seed)
        return nodes.finish(lambda: test.report(test.run(), seed), lambda: (test.victim, test.rival))


if __name__ == "__main__":
    sys.exit(main())
