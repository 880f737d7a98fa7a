#!/usr/bin/env python3
"""Power cuts: at every sync of a long run, the node is started on what the disk may hold then.

  powercut.py [BLOCKS]        300 unless given; SEED=… replays the choices, POINTS=12,40 looks at single sync points only
  powercut.py --check-shim    compares the log of a short run with what strace saw: no call is missed

A run is recorded: a wallet made, blocks mined with names registered and updated in them, blocks of a rival imported, the
chain reorganised, the node stopped, killed, started again and rebuilt (--reindex). A preloaded library (shim.c) logs what
the process does to its files, and this script adds what was acknowledged to whoever asked. Then the log is replayed on a
strict model of a disk (filesystem.py). Just before each sync, where most is unsynced and most was acknowledged, the cut:

  dropped     only what was synced is there
  kept        all that was written is there, as after a kill
  torn        some of what was not synced is there, whole or by sectors, in any order; another choice at each point

On each image the node starts without being told anything (on a torn one it may also refuse, if it names the folder and
--reindex helps), and every acknowledged block has its bytes, the tip is one that the run had and not below the
acknowledged one, RPC and DNS say of each name what the run said at that tip, the wallet has its phrase, hands out no key
twice and knows its registrations; and the next block can be made. Every tenth image is stopped and started once more.
"""

import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import filesystem  # noqa: E402
import nodes  # noqa: E402
from nodes import Lost, Node, NotStarted, Refused, check  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
VARIANTS = ("dropped", "kept", "torn")


class Recording:
    """A run, its log, and what was true at each of its tips."""

    def __init__(self, folder, blocks, seed):
        self.blocks, self.random = blocks, nodes.derived(seed, "recording")
        self.root, self.log, shim = folder / "root", folder / "calls", folder / "shim.so"
        self.root.mkdir()
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", shim, HERE / "shim.c", "-lpthread"], check=True)
        env = {"LD_PRELOAD": str(shim), "POWERCUT_ROOT": str(self.root), "POWERCUT_LOG": str(self.log)}
        self.victim = Node(self.root, "victim", **env)
        self.victim.log = folder / "victim.log"
        self.rival = Node(folder, "rival")
        self.names, self.pictures, self.bodies, self.heights = [], {}, {}, {}
        self.did = collections.Counter()

    def acknowledge(self, **what):
        filesystem.mark(self.log, what)

    def busy(self, node):
        """Puts something into a node's pool, or takes a key of its wallet."""
        what = self.random.random()
        try:
            if what < 0.5:
                name = f"{node.name}-{len(self.names)}"
                records = [{"owner": "@", "type": "A", "ttl": 300, "data": f"192.0.2.{len(self.names) % 256}"},
                           {"owner": "txt", "type": "TXT", "data": "x" * self.random.randrange(1, 200)}]
                self.names.append(name)
                node.call("name_register", name, records, 1)
                if node is self.victim:
                    self.acknowledge(registration=name)
                self.did["registrations"] += 1
            elif what < 0.8:
                held = [it["name"] for it in node.call("name_list") if it["state"] == "active"]
                if held:
                    record = {"owner": "@", "type": "A", "data": f"198.51.100.{self.random.randrange(256)}"}
                    node.call("name_update", self.random.choice(held), [record])
                    self.did["updates"] += 1
            elif node is self.victim:
                self.acknowledge(key=node.call("getnewaddress"))
                self.did["keys"] += 1
        except Refused:  # Such as one too poor after a reorganisation.
            self.did["refused"] += 1

    def acked(self, *hashes):
        """The victim has answered for these blocks: notes its tip, and what is said there."""
        info = self.victim.call("getblockchaininfo")
        tip = info["bestblockhash"]
        self.acknowledge(blocks=hashes, tip=tip)
        self.heights[tip] = info["blocks"]
        for block_hash in hashes:
            self.bodies[block_hash] = self.victim.call("getblock", block_hash, 0)
        if tip not in self.pictures:
            self.pictures[tip] = nodes.says(self.victim, self.names)

    def mine(self, count):
        for _ in range(count):
            self.acked(*nodes.make(self.victim, self.busy, 1, 0.6, self.random))

    def take(self, blocks):
        """The victim is given blocks of the rival."""
        for block_hash in blocks:
            self.victim.call("submitblock", self.rival.call("getblock", block_hash, 0))
            self.acked(block_hash)

    def rivals(self, count):
        return nodes.make(self.rival, self.busy, count, 0.4, self.random)

    def round(self):
        nodes.give(self.victim, self.rival)
        what = self.random.random() if self.did["reorganisations"] else 1
        if what < 0.5:
            self.mine(self.random.randrange(1, 6))
        elif what < 0.7:
            self.take(self.rivals(self.random.randrange(1, 5)))
        else:
            ours = self.random.randrange(1, 8)
            theirs = self.rivals(ours + self.random.randrange(1, 3))
            self.mine(ours)
            self.take(theirs)
            self.did["reorganisations"] += 1

    def restart(self, how):
        if how == "kill":
            self.victim.process.send_signal(signal.SIGUSR2)  # The shim kills it, between two calls.
            check(self.victim.process.wait(nodes.END_S) == 137, "the shim does not kill")
            self.victim.http.close()
        else:
            self.victim.end()
        self.victim.start(*(["--reindex"] if how == "reindex" else []))
        self.acked()
        self.did[f"restarts: {how}"] += 1

    def run(self):
        self.victim.create_wallet()
        wallet = self.victim.dir / "wallet.json"
        self.acknowledge(phrase=json.loads(wallet.read_text())["phrase"])
        self.rival.create_wallet()
        for node in (self.victim, self.rival):
            node.start()
            node.address = node.call("getnewaddress")
        self.acknowledge(key=self.victim.address)
        self.acked()
        self.mine(12)
        self.take([*nodes.give(self.victim, self.rival), *self.rivals(12)][-12:])
        # The ways to start again, spread over the run.
        ways = ["stop", "kill", "reindex", "kill"] * max(1, self.blocks // 75)
        every = max(1, self.blocks // (len(ways) + 1))
        while len(self.bodies) < self.blocks or ways:
            self.round()
            if ways and len(self.bodies) >= every * (self.restarts() + 1):
                self.restart(ways.pop(0))
        self.victim.end()
        self.rival.end()

    def restarts(self):
        return sum(count for what, count in self.did.items() if what.startswith("restarts"))


class Promised:
    """What was acknowledged so far, and must be found whatever is cut."""

    def __init__(self):
        self.blocks, self.tip, self.phrase, self.keys, self.registrations = [], None, None, [], []

    def add(self, what):
        self.blocks += what.get("blocks", [])
        self.tip = what.get("tip", self.tip)
        self.phrase = what.get("phrase", self.phrase)
        self.keys += [what["key"]] if "key" in what else []
        self.registrations += [what["registration"]] if "registration" in what else []


class Cuts:
    """The recording replayed, and each image tried."""

    def __init__(self, folder, recording, seed):
        self.folder, self.recording, self.seed = folder, recording, seed
        self.only = {int(it) for it in os.environ.get("POINTS", "").split(",") if it}
        self.disk, self.promised = filesystem.Disk(recording.root), Promised()
        self.stats = {variant: collections.Counter() for variant in VARIANTS}
        self.points = self.calls = 0
        self.node = None
        self.promises, self.failures = 0, []
        self.seen = dict.fromkeys(VARIANTS)

    def run(self):
        began = time.monotonic()
        for kind, pid, fd, a, one, two, data in filesystem.records(self.recording.log):
            if kind == "K":
                self.promised.add(json.loads(data))
                self.promises += 1
                continue
            self.calls += 1
            if kind == "S":
                self.point()
            self.disk.take(kind, pid, fd, a, one, two, data)
            if kind == "S" and self.points % 200 == 0:
                print(f"{self.points} sync points, {time.monotonic() - began:.0f} s", flush=True)
        self.point()
        check(not self.failures, f"{len(self.failures)} images, see above")

    def point(self):
        """A cut just before the next sync. An image that was tried before, with as much promised, is not tried again."""
        self.points += 1
        live, durable = (self.disk.changes, self.promises), (self.disk.syncs, self.promises)
        for variant, now in (("dropped", durable), ("kept", live), ("torn", (live, durable))):
            if self.seen[variant] == now or self.only and self.points not in self.only:
                continue
            self.seen[variant] = now
            rng = nodes.derived(self.seed, self.points, variant)
            image = self.folder / "image"
            self.node = Node(image, "victim")
            self.node.log = self.folder / "image.log"
            self.node.log.unlink(missing_ok=True)
            if variant == "torn":
                self.disk.torn(image, rng)
            else:
                getattr(self.disk, variant)(image)
            try:
                self.tried(variant, rng)
                check("panicked" not in self.node.said(), "the node panicked")
            except (Lost, Refused, NotStarted, nodes.Gone, OSError, KeyError) as error:
                kept = os.environ.get("KEEP")
                if kept:
                    shutil.copytree(image, f"{kept}/{self.points}-{variant}", dirs_exist_ok=True)
                self.failures.append(f"sync point {self.points}, {variant}: {error}")
                print(f"WRONG: {self.failures[-1]}", flush=True)
                check(len(self.failures) < 20, "and more")
            finally:
                self.node.kill()
                shutil.rmtree(image)

    def tried(self, variant, rng):
        stats, node = self.stats[variant], self.node
        stats["images"] += 1
        try:
            node.start()
        except NotStarted as error:
            check(variant == "torn", f"it does not start: {error}")
            said = re.search(r"^dotp2p: .*", node.said(), re.M)
            check(said and str(node.folder) in said[0] and "--reindex" in said[0], f"no help: {error}")
            stats["rebuilt on the node's advice"] += 1
            node.start("--reindex")
        self.look(rng)
        if self.promised.phrase:
            node.address = self.keys()
            node.call("generatetoaddress", 1, node.address)
        if stats["images"] % 10 == 0:
            tip = node.tip()
            node.end()
            node.start()
            check(node.tip() == tip, "the tip is another after a stop and a start")
            stats["stopped and started again"] += 1

    def look(self, rng):
        node, recording, promised = self.node, self.recording, self.promised
        tip = node.tip()
        if promised.tip:
            height = node.call("getblockcount")
            check(tip in recording.pictures, f"the tip {tip} at height {height} is none that the run had")
            least = recording.heights[promised.tip]
            check(height > least or tip == promised.tip, f"the tip is {tip} at {height}, acknowledged was {promised.tip} at {least}")
            check(height == recording.heights[tip], f"the height is {height}")
        every = self.points % 20 == 0 or len(promised.blocks) < 40
        blocks = promised.blocks if every else promised.blocks[-20:] + rng.sample(promised.blocks, 10)
        for block_hash, body in zip(blocks, node.call_all("getblock", [[it, 0] for it in blocks])):
            check(not isinstance(body, Refused), f"acknowledged block {block_hash} is lost: {body}")
            check(body == recording.bodies[block_hash], f"block {block_hash} has other bytes")
        picture = recording.pictures.get(tip, {})
        names = list(picture)
        found = nodes.says(node, names)
        for name in names:
            check(found[name] == picture[name], f"{name} is {found[name]}, at this tip it was {picture[name]}")
        nodes.check_dns(node, picture, {*names[-6:], *rng.sample(names, min(4, len(names)))})
        if promised.registrations:
            under_way = {it["name"] for it in node.call("name_registrations")}
            for name in promised.registrations:
                check(name in under_way or picture.get(name), f"the registration of {name} is lost")

    def keys(self):
        """A new key, which must not be one that was handed out."""
        found = json.loads((self.node.dir / "wallet.json").read_text())
        check(found["phrase"] == self.promised.phrase, "the wallet has another phrase")
        key = self.node.call("getnewaddress")
        check(key not in self.promised.keys, f"key {key} is handed out twice")
        return key

    def report(self, took_s):
        did = ", ".join(f"{count} {what}" for what, count in sorted(self.recording.did.items()))
        print(f"recorded: {len(self.recording.bodies)} blocks, {did}; {self.calls} calls, {self.points} sync points")
        print(f"{'':10}{'images':>8}{'started':>9}{'by --reindex':>14}{'started twice':>15}")
        for variant, stats in self.stats.items():
            images, rebuilt = stats["images"], stats["rebuilt on the node's advice"]
            print(f"{variant:10}{images:8}{images - rebuilt:9}{rebuilt:14}{stats['stopped and started again']:15}")
        images = sum(stats["images"] for stats in self.stats.values())
        rebuilt = self.stats["torn"]["rebuilt on the node's advice"]
        print(f"assurance: power cut at each of {self.points} sync points over {len(self.recording.bodies)} blocks and"
              f" {len(self.recording.names)} names, {images:,} images started: nothing acknowledged lost, {rebuilt} torn images"
              f" needed --reindex, {took_s:.0f} s, seed {self.seed}")


# What strace calls the calls that change files, by the log's letter.
TRACED = {"O": ("open", "openat", "openat2", "creat"), "W": ("write", "pwrite64", "writev", "pwritev", "pwritev2"),
          "T": ("ftruncate", "truncate"), "S": ("fsync", "fdatasync"), "R": ("rename", "renameat", "renameat2"),
          "L": ("link", "linkat"), "U": ("unlink", "unlinkat", "rmdir"), "M": ("mkdir", "mkdirat"),
          "X": ("fallocate", "copy_file_range", "sendfile", "splice", "symlink", "symlinkat", "sync_file_range", "sync",
                "syncfs", "io_uring_setup", "io_submit", "mmap")}


def check_shim(folder, seed, parts):
    recording = Recording(folder, 30, seed)
    parts.extend([recording.victim, recording.rival])
    trace = folder / "trace"
    calls = ",".join(call for names in TRACED.values() for call in names if call not in ("open", "creat"))
    recording.victim.under = ["strace", "-D", "-f", "-y", "-A", "-o", trace, "-e", f"trace={calls},open,creat"]
    recording.run()
    letters, seen, unfinished = {name: letter for letter, names in TRACED.items() for name in names}, collections.Counter(), {}
    for line in trace.read_text(errors="replace").splitlines():
        pid, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            unfinished[pid] = rest.removesuffix("<unfinished ...>")
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>", rest):
            rest = unfinished.pop(pid) + rest[resumed.end():]
        call = re.match(r"(\w+)\((.*)\)\s+= (\S+)", rest)
        if not call or call[3].startswith("-") or call[1] not in letters or str(recording.root) not in call[2]:
            continue
        if call[1] == "mmap" and not ("MAP_SHARED" in call[2] and "PROT_WRITE" in call[2]):
            continue
        letter = letters[call[1]]
        if letter in "WST" and not re.match(rf"\d+<{re.escape(str(recording.root))}", call[2]) or letter == "W" and call[3] == "0":
            continue
        if letter == "O" and "O_CREAT" not in call[2]:  # The C library opens folders by itself, to list them.
            continue
        seen[letter] += 1
    logged = collections.Counter(kind for kind, _, _, flags, *_ in filesystem.records(recording.log)
                                 if kind in TRACED and (kind != "O" or flags & os.O_CREAT))
    for letter in sorted(TRACED):
        print(f"{', '.join(TRACED[letter])}: strace saw {seen[letter]}, the log has {logged[letter]}")
    check(seen == logged and not seen["X"], "the shim does not see what strace sees")
    print(f"assurance: the shim's log has each of the {seen.total():,} calls that strace saw")


def main():
    if sys.argv[1:] == ["--check-shim"]:
        parts = []
        with nodes.scratch("powercut") as folder:
            return nodes.finish(lambda: check_shim(folder, nodes.seed(), parts), lambda: parts)
    blocks, seed = nodes.asked("blocks", 300)
    os.umask(0o077)
    parts = []

    def run():
        began = time.monotonic()
        recording = Recording(folder, blocks, seed)
        parts.extend([recording.victim, recording.rival])
        recording.run()
        print(f"recorded in {time.monotonic() - began:.0f} s", flush=True)
        cuts = Cuts(folder, recording, seed)
        try:
            cuts.run()
        finally:
            if cuts.node:
                parts[:] = [cuts.node]
        cuts.report(time.monotonic() - began)

    with nodes.scratch("powercut", in_memory=True) as folder:
        return nodes.finish(run, lambda: parts)


if __name__ == "__main__":
    sys.exit(main())
