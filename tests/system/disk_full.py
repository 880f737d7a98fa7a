#!/usr/bin/env python3
"""The disk runs full under a node, again and again.

  disk_full.py [POINTS]        200 unless given; SEED=… replays the choices. Needs root: it mounts a small tmpfs

BACK_S=… allows other than 10 seconds for the last step, on a machine that is busy with other things.

One node lives on a tmpfs of 64 MiB through all points. At each, a ballast file leaves a random rest of 0 to 128 KiB, and
the node is worked: blocks, registrations, updates, new keys, until something is refused for want of space, at two points
in three until a block is. Then

  - what was refused says so, and that was an error, not a hang or a panic;
  - RPC and DNS go on and say of each name what was acknowledged last;
  - the wallet's files are whole;
  - at every third point the node is stopped and started while the disk is still full: it starts, or says why not;
  - the ballast goes. What was refused by the wallet works again at once, and the chain after a restart if the error asked
    for one: within 10 seconds of the room being there the node has made a block, with every acknowledged one below it.
"""

import collections
import json
import os
import subprocess
import sys
import time

import nodes
from nodes import Node, NotStarted, Refused, check

DISK_MB, REST_KB = 64, 128
FULL = "No space left on device"
BACK_S = float(os.environ.get("BACK_S", 10))


class Test:
    def __init__(self, disk, log, points, seed):
        self.disk, self.points, self.random = disk, points, nodes.derived(seed)
        self.ballast = disk / "ballast"
        self.node = Node(disk, "node")
        self.node.log = log
        self.names, self.keys, self.registered = [], [], []
        self.tip, self.blocks, self.picture = None, [], {}
        self.stats, self.slowest_s = collections.Counter(), 0

    def acked(self):
        """What is true now, with every answer given."""
        self.tip = self.node.tip()
        self.picture = nodes.says(self.node, self.names)

    # The load

    def fill(self, rest_kb):
        """Lets the ballast grow until so much is left."""
        room = os.statvfs(self.disk)
        more = room.f_bavail * room.f_frsize - rest_kb * 1024
        if more > 0:
            with self.ballast.open("ab") as file:
                os.posix_fallocate(file.fileno(), file.tell(), more)

    def work(self, until):
        """Works the node until what is asked for is refused for want of space; what it was, and what was said."""
        self.ballast.touch()
        for number in range(400):
            # The database uses again what it has freed, and might never ask for more.
            if number % 20 == 0:
                self.fill(self.random.randrange(REST_KB) if number == 0 else self.random.randrange(4))
            what = self.random.choices(("block", "register", "update", "key"), (6, 2, 2, 2))[0]
            try:
                if what == "block":
                    self.blocks += self.node.call("generatetoaddress", 1, self.node.address)
                    self.acked()
                elif what == "register" and len(self.names) < 40:
                    name = f"name-{len(self.names)}"
                    self.names.append(name)
                    self.picture[name] = None
                    self.node.call("name_register", name, [self.a_record(), self.a_text()], 1)
                    self.registered.append(name)
                elif what == "update":
                    held = [name for name, it in self.picture.items() if it]
                    if held:
                        self.node.call("name_update", self.random.choice(held), [self.a_record(), self.a_text()])
                else:
                    self.keys.append(self.node.call("getnewaddress"))
            except Refused as error:
                if FULL in str(error):
                    self.stats[f"refused: {what}"] += 1
                    if until in (what, "anything"):
                        return what, str(error)
                    continue
                check("no longer writes" not in str(error), f"stopped, but not for want of space: {error}")
                self.stats["refused for other reasons"] += 1  # Such as an update while one is in the pool.
        return None, ""

    def a_record(self):
        return {"owner": "@", "type": "A", "ttl": 300, "data": f"198.51.100.{self.random.randrange(256)}"}

    def a_text(self):
        return {"owner": "txt", "type": "TXT", "data": "x" * self.random.randrange(1, 255)}

    # The looks

    def look(self, when):
        """RPC and DNS say what was acknowledged last."""
        node = self.node
        check(node.tip() == self.tip, f"{when}: the tip is {node.tip()}, acknowledged was {self.tip}")
        self.look_at_names(when)
        phrase = json.loads((node.dir / "wallet.json").read_text())["phrase"]
        check(phrase == self.phrase, f"{when}: the wallet has another phrase")

    def look_at_names(self, when):
        found = nodes.says(self.node, self.names)
        for name in self.names:
            check(found[name] == self.picture[name], f"{when}: {name} is {found[name]}, acknowledged was {self.picture[name]}")
        # An update in the pool may be served already; after a restart, and where nothing is mined, none is.
        info = self.node.call_all("name_show", [[name] for name in self.names])
        settled = [name for name, it in zip(self.names, info) if not it.get("provisional")]
        nodes.check_dns(self.node, self.picture, settled)
        self.stats["DNS answers"] += 2 * len(settled)

    def point(self, number):
        node, stats = self.node, self.stats
        what, said = self.work(self.random.choice(("anything", "block", "block")))
        check(what, "400 requests, and the disk does not run full")
        self.look("full")
        down = False
        if number % 3 == 0:
            down = not self.restart_while_full()
        self.ballast.unlink()
        room = time.monotonic()
        if not down and "restart" not in said and number % 3:
            # The wallet's files; the chain was not concerned, unless it is by now.
            self.keys.append(node.call("getnewaddress"))
            stats["went on without a restart"] += 1
        if down:
            node.start()
            stats["started once there was room"] += 1
        try:
            made = node.call("generatetoaddress", 1, node.address)
        except Refused as error:
            check("restart" in str(error), f"it does not say what to do: {error}")
            node.end()
            node.start()
            self.blocks_there()
            made = node.call("generatetoaddress", 1, node.address)
            stats["went on after a restart"] += 1
        took = time.monotonic() - room
        self.slowest_s = max(self.slowest_s, took)
        check(took < BACK_S, f"{took:.1f} s from room to the next block")
        self.blocks += made
        self.blocks_there()
        self.acked()
        self.look_at_names("with room again")

    def restart_while_full(self):
        """Stops and starts it on the full disk; whether it starts."""
        self.node.end()
        try:
            self.node.start()
        except NotStarted as error:
            check(FULL in str(error) and "--reindex" not in str(error), f"it does not say why: {error}")
            self.stats["refused to start on the full disk"] += 1
            return False
        self.stats["started on the full disk"] += 1
        self.blocks_there()
        self.look_at_names("started on the full disk")
        return True

    def blocks_there(self):
        """Every acknowledged block is on the chain, every acknowledged key and registration in the wallet's files."""
        node = self.node
        tip = node.call("getblockheader", self.blocks[-1])
        check(tip["confirmations"] > 0, "an acknowledged block is not on the chain")
        for block_hash, body in zip(self.blocks, node.call_all("getblock", [[it, 0] for it in self.blocks[-30:]])):
            check(not isinstance(body, Refused), f"acknowledged block {block_hash} is lost: {body}")
        next_index = json.loads((node.dir / "wallet.json").read_text())["next_index"]
        check(next_index > len(self.keys), f"the wallet has handed out {next_index} keys, {len(self.keys)} were acknowledged")
        known = {it["name"] for it in node.call("name_registrations")}
        for name in self.registered:
            check(name in known or self.picture.get(name), f"the registration of {name} is lost")

    def run(self):
        began = time.monotonic()
        node = self.node
        node.create_wallet()
        self.phrase = json.loads((node.dir / "wallet.json").read_text())["phrase"]
        node.start()
        node.address = node.call("getnewaddress")
        self.keys.append(node.address)
        self.blocks += node.call("generatetoaddress", 10, node.address)
        self.acked()
        for number in range(1, self.points + 1):
            try:
                self.point(number)
            except (nodes.Lost, Refused, nodes.Gone, NotStarted, OSError) as error:
                raise nodes.Lost(f"point {number}: {error}") from error
            if number % 20 == 0:
                print(f"{number} points, {time.monotonic() - began:.0f} s", flush=True)
        node.end()
        check("panicked" not in node.said(), "the node panicked")
        node.start("--reindex")
        check(node.has(self.blocks[-1]), "the rebuilt chain lacks the last block")
        self.look("rebuilt")
        node.end()
        return time.monotonic() - began

    def report(self, took_s, seed):
        for what, count in sorted(self.stats.items()):
            print(f"{count:6} {what}")
        print(f"assurance: disk full at {self.points} points: {len(self.blocks)} blocks and {len(self.keys)} keys acknowledged,"
              f" none lost; {self.stats['DNS answers']:,} DNS answers while or after, all right; at work again"
              f" {self.slowest_s:.1f} s after there was room at the latest, {took_s:.0f} s, seed {seed}")


def main():
    points, seed = nodes.asked("points", 200)
    if os.geteuid():
        sys.exit("needs root, to mount a tmpfs")
    with nodes.scratch("disk-full") as folder:
        disk = folder / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", disk], check=True)
        try:
            test = Test(disk, folder / "node.log", points, seed)
            return nodes.finish(lambda: test.report(test.run(), seed), lambda: [test.node])
        finally:
            subprocess.run(["umount", disk], check=True)


if __name__ == "__main__":
    sys.exit(main())
