#!/usr/bin/env python3
"""A node whose clock is wrong by up to ten years, and is mended: libfaketime around the real program.

  clock.py            every offset in every way (apt-get install faketime)
  clock.py quick      a few of each, within a minute

A network of a half-life, so that blocks from the future count (B12c), with three hours of blocks a minute apart. The
ways for a clock to be wrong:

  from the start      the node is started with the wrong clock on a folder that was whole; the clock is mended as it runs
  while it runs       the clock leaps and leaps back
  until a restart     the clock leaps, the node is stopped, and started again with the right clock
  always mining       as while it runs, on a network whose miner never rests
  asleep              wall clock and monotonic clock stand still and then leap together, as over a machine's sleep

While the clock is wrong a registration is under way and blocks are asked for. A judge, a node with the right clock, is given
every block the other ever had active, in order. What must hold:

  - DNS is asked ten times a second and always gives the same right answer, within a second; RPC answers.
  - Every block follows the median of the times before it (B12b). The judge refuses those beyond its clock for that
    reason, and what follows them for want of a parent; all others it takes.
  - A clock that is behind: blocks of the judge are refused with the reason and taken when they are given again.
  - The log says that the clock leapt, and that it is behind the chain where it is.
  - Within a minute of the mending: no active block lies ahead of the right clock, a new block is mined that the judge
    takes, both have the same tip, and the registration is done and resolves.
  - A payment that waits in the pool outlives the leap and the leap back, and is mined after ("a payment waits").
"""

import glob
import shutil
import sys
import threading
import time

from nodes import A, Lost, Node, NotStarted, Refused, check, finish, scratch, until

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400
OFFSETS = {"-10 y": -10 * YEAR, "-1 y": -YEAR, "-1 d": -DAY, "-2 h": -2 * HOUR, "-10 min": -10 * MINUTE,
           "+10 min": 10 * MINUTE, "+2 h": 2 * HOUR, "+1 d": DAY, "+1 y": YEAR, "+10 y": 10 * YEAR}
WAYS = ("from the start", "while it runs", "until a restart", "always mining")
PAYMENT = "a payment waits"
QUICK = [(PAYMENT, "+10 y"), ("from the start", "-10 y"), ("while it runs", "+10 y"), ("until a restart", "+2 h")]
FUTURE_S, MEND_S, LATENCY_S = 600, 60, 1.0
WRONG_S = 6      # How long a clock stays wrong at least: longer than a node waits between two looks at it.
HISTORY = 180    # Blocks, a minute apart.
RECORDS = [{"owner": "@", "type": "A", "ttl": 60, "data": "192.0.2.7"}]
NETWORK = """
name = "{name}"
[rules]
spacing = 60
half_life = 7200
limit_bits = "{bits}"
genesis_bits = "{bits}"
genesis_time = {genesis}
body_max = 262144
subsidy = 50
halving_interval = 2102400
maturity = 1
age_min = 2
age_max = 100
commit_target = 8
commit_max = 16
year = 20000
years_ahead = 10
grace = 20
premium_start = 1048576
halving_blocks = 4
halvings = 5
records_max = 4096
tld = "p2p"
[deployment]
p2p_port = 39353
rpc_port = 39354
dns_port = 39355
address_prefix = "lp2p"
dns_confirmations = 1
on_demand = {on_demand}
"""


def library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    check(found, "libfaketime is missing: apt-get install faketime")
    return found[0]


class ClockNode(Node):
    """A node of the network file, with a clock of its own unless it is the judge."""

    def __init__(self, folder, name, network, is_faked=True, fakes_monotonic=False):
        self.clock = folder / f"{name}.clock"
        env = {"DOTP2P_NETWORK": str(network)}
        if is_faked:
            env |= {"LD_PRELOAD": library(), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                    "NO_FAKE_STAT": "1"}
            if not fakes_monotonic:
                env |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        super().__init__(folder, name, **env)
        self.dir = self.folder / network.stem
        self.set_clock(0)

    def set_clock(self, offset_s):
        """Sets the node's clock to so many seconds off, in one step."""
        new = self.clock.with_suffix(".new")
        new.write_text(f"{offset_s:+d}\n")
        new.rename(self.clock)


class Resolver(threading.Thread):
    """Asks DNS for a name ten times a second; what was wrong and how long the longest answer took."""

    def __init__(self, node, name):
        super().__init__(daemon=True)
        self.node, self.name_, self.done = node, name, threading.Event()
        self.asked, self.longest_s, self.wrong = 0, 0.0, None

    def run(self):
        while not self.done.wait(0.1):
            began = time.monotonic()
            try:
                answer = self.node.resolve(f"{self.name_}.p2p", A)
            except OSError as error:
                answer = repr(error)
            self.longest_s = max(self.longest_s, time.monotonic() - began)
            self.asked += 1
            if answer != (0, ["192.0.2.7"]):
                self.wrong = self.wrong or f"answer {self.asked}: {answer}"

    def finish(self):
        self.done.set()
        self.join()
        check(self.asked > 0 and not self.wrong, f"DNS failed: {self.wrong}")
        check(self.longest_s <= LATENCY_S, f"DNS took {self.longest_s:.2f} s for an answer")


def chain(node, known=()):
    """The active blocks above the last known one, the lowest first: (hash, header)."""
    new, at = [], node.tip()
    while at not in known:
        header = node.call("getblockheader", at)
        new.append((at, header))
        at = header["previousblockhash"]
        if at is None:
            break
    return new[::-1]


def attempt(node, method, *params):
    """What a call answers, or its refusal as text."""
    try:
        return node.call(method, *params), None
    except Refused as refused:
        return None, str(refused)


class Scenario:
    """One way, one offset, on a copy of the base folder."""

    def __init__(self, folder, base, way, label):
        self.way, self.label, self.offset_s = way, label, OFFSETS[label]
        self.network = base.cpu if way == "always mining" else base.network
        self.folder = folder / f"{way}{label}".replace(" ", "")
        self.folder.mkdir()
        self.victim = ClockNode(self.folder, "victim", self.network, fakes_monotonic=way == "asleep")
        self.judge = ClockNode(self.folder, "judge", self.network, is_faked=False)
        if way != "always mining":
            for node in (self.victim, self.judge):
                shutil.copytree(base.folder, node.folder)
        else:
            self.victim.create_wallet()
        self.name = "alice"
        self.seen, self.blocks, self.times = set(), [], {}
        self.judged = {"taken": 0, "from the future": 0, "without a parent": 0}

    # Blocks

    def look(self):
        """Notes what has become active, and checks it against the median rule."""
        for block_hash, header in chain(self.victim, self.seen):
            self.seen.add(block_hash)
            self.blocks.append((block_hash, self.victim.call("getblock", block_hash, 0)))
            before, at = [], header
            while len(before) < 11 and at["previousblockhash"]:
                at = self.times.get(at["previousblockhash"]) or self.victim.call("getblockheader", at["previousblockhash"])
                before.append(at["time"])
            self.times[block_hash] = header
            median = sorted(before)[len(before) // 2] if before else -1
            check(header["time"] > median, f"block {header['height']} has time {header['time']}, the median is {median}")

    def give_judge(self):
        """Gives the judge what it has not seen, as a peer would, and checks what it makes of it."""
        for block_hash, encoded in self.blocks:
            header = self.times[block_hash]
            ahead_s = header["time"] - time.time() - FUTURE_S
            if self.judge.has(block_hash) or abs(ahead_s) < 5:
                continue
            has_parent = self.judge.has(header["previousblockhash"])
            _, refusal = attempt(self.judge, "submitblock", encoded)
            if ahead_s > 0:
                check(refusal and "ahead of this node's clock" in refusal and "B12" in refusal,
                      f"the judge says of a block {ahead_s + FUTURE_S:.0f} s ahead: {refusal}")
                self.judged["from the future"] += 1
            elif not has_parent:
                check(refusal and "is not known" in refusal, f"the judge says of a block without a parent: {refusal}")
                self.judged["without a parent"] += 1
            else:
                check(refusal is None, f"the judge refuses block {header['height']}, time {header['time']}: {refusal}")
                self.judged["taken"] += 1

    def generate(self):
        if self.way == "always mining":
            return None
        return attempt(self.victim, "generatetoaddress", 1, self.address)[1]

    # The parts of a run

    def run(self):
        victim, began = self.victim, time.monotonic()
        starts_wrong = self.way in ("from the start", "asleep")
        victim.set_clock(self.offset_s if starts_wrong else 0)
        mine = "--mine=1"
        self.judge.start()
        victim.start(mine)
        self.address = victim.call("getnewaddress")
        if self.way == "always mining":
            # It makes its own history; names come later, when there are coins.
            until("blocks at the right clock", MEND_S, lambda: victim.call("getblockcount") >= 30)
            victim.call("name_register", "alice", RECORDS, 1)
            until("alice resolves", MEND_S, lambda: victim.resolve("alice.p2p", A) == (0, ["192.0.2.7"]))
        elif not starts_wrong:
            victim.call("generatetoaddress", 1, self.address)
        self.look()
        resolver = Resolver(victim, self.name)
        resolver.start()
        if not starts_wrong:
            victim.set_clock(self.offset_s)
        self.wrong(victim)
        if self.way == "until a restart":
            resolver.finish()
            victim.end()
            victim.set_clock(0)
            mended = time.monotonic()
            victim.start(mine)
            again = Resolver(victim, self.name)
            again.asked, again.longest_s = resolver.asked, resolver.longest_s
            resolver = again
            resolver.start()
        else:
            victim.set_clock(0)
            mended = time.monotonic()
        took_s = self.mended(victim, mended)
        resolver.finish()
        self.check_log(starts_wrong)
        for node in (victim, self.judge):
            node.end()
            check("panicked" not in node.said(), f"{node.name} panicked")
        held = ", ".join(f"{count} {what}" for what, count in self.judged.items() if count)
        print(f"{self.way:16} {self.label:8} well after {took_s:5.1f} s   {resolver.asked:3} DNS answers,"
              f" longest {1000 * resolver.longest_s:4.0f} ms   blocks: {held}   ({time.monotonic() - began:.0f} s)", flush=True)
        return took_s, resolver.asked, resolver.longest_s, sum(self.judged.values())

    def wrong(self, victim):
        """The clock is wrong: a registration under way, blocks asked for here and coming from elsewhere."""
        began = time.monotonic()
        victim.call("name_register", "bob", RECORDS, 1)
        theirs = None
        while time.monotonic() - began < WRONG_S:
            refusal = self.generate()
            if self.offset_s < -FUTURE_S and self.way != "always mining":
                check(refusal and "ahead of this node's clock" in refusal, f"a block was asked for, and: {refusal}")
                if theirs is None:
                    theirs = self.from_elsewhere()
            elif self.way != "always mining":
                check(refusal is None, f"no block at {self.label}: {refusal}")
            check(victim.call("uptime") < 1_000 or self.way == "asleep", "the uptime follows the wall clock")
            self.look()
            time.sleep(0.3)
        self.theirs = theirs
        if self.way != "asleep":
            self.give_judge()

    def from_elsewhere(self):
        """A block made at the right time, which a clock that is behind refuses for that reason."""
        block_hash, = self.judge.call("generatetoaddress", 1, self.address)
        encoded = self.judge.call("getblock", block_hash, 0)
        refusal = attempt(self.victim, "submitblock", encoded)[1]
        check(refusal and "ahead of this node's clock" in refusal, f"a block from {self.label} ahead: {refusal}")
        return encoded

    def mended(self, victim, since):
        """The clock is right again; the seconds until all is well."""
        if self.theirs:
            until("their block is taken", MEND_S, lambda: not attempt(victim, "submitblock", self.theirs)[1])

        def is_well():
            self.look()
            if any(header["time"] > time.time() + FUTURE_S + 1 for _, header in chain(victim, self.base_of(victim))):
                return False
            before = victim.call("getblockcount")
            if self.generate():
                return False
            tip = victim.tip()
            self.look()
            self.give_judge()
            bob = [it for it in victim.call("name_registrations") if it["name"] == "bob"]
            return (victim.call("getblockcount") > before or self.way == "always mining") and bob[0]["step"] == "done" \
                and victim.resolve("bob.p2p", A) == (0, ["192.0.2.7"]) and self.judge.has(tip)

        until(f"{self.way}, {self.label}: all is well", MEND_S - (time.monotonic() - since), is_well)
        took_s = time.monotonic() - since
        # The judge is where the other is, and every block of it is of a time that has been.
        check(self.judge.has(self.judge.tip()) and victim.has(self.judge.tip()), "the judge has blocks that the other has not")
        return took_s

    def base_of(self, victim):
        """What was there before the clock was wrong need not be looked at again."""
        return {victim.call("getblockhash", max(0, victim.call("getblockcount") - 100))}

    def check_log(self, starts_wrong):
        wanted = []
        if abs(self.offset_s) > FUTURE_S and self.way not in ("until a restart", "asleep"):
            wanted.append("the clock leapt")
        if self.offset_s < -FUTURE_S - 11 * MINUTE:
            wanted.append("the clock is behind the chain")
        for what in wanted:
            until(f"the log says that {what}", MEND_S, lambda what=what: what in self.victim.said())

    def end(self):
        for node in (self.victim, self.judge):
            node.kill()


class Payment(Scenario):
    """A payment in the pool of a node that does not mine, over both leaps, with a block of somebody else's after each."""

    def run(self):
        victim, began = self.victim, time.monotonic()
        self.judge.start()
        victim.start()
        self.address = victim.call("getnewaddress")
        resolver = Resolver(victim, self.name)
        resolver.start()
        txid = victim.call("sendtoaddress", self.address, "0.5")
        encoded = self.elsewhere()
        victim.set_clock(max(self.offset_s, 0))
        time.sleep(WRONG_S)
        check(attempt(victim, "submitblock", encoded)[1] is None, "a block from elsewhere is refused")
        check(txid in victim.call("getrawmempool"), f"the payment is gone after a leap of {self.label}")
        # One that comes while the clock is wrong does not stay for ever, nor is it dropped at the leap back.
        victim.set_clock(self.offset_s)
        other = victim.call("sendtoaddress", self.address, "0.25")
        encoded = self.elsewhere()
        time.sleep(WRONG_S)
        victim.set_clock(0)
        mended = time.monotonic()
        until("a block from elsewhere", MEND_S, lambda: attempt(victim, "submitblock", encoded)[1] is None)
        waiting = victim.call("getrawmempool")
        check(txid in waiting and other in waiting, f"a payment is gone after the leap back from {self.label}")
        victim.call("generatetoaddress", 1, self.address)
        check(not victim.call("getrawmempool"), "the payments are not mined")
        took_s = time.monotonic() - mended
        resolver.finish()
        for node in (victim, self.judge):
            node.end()
            check("panicked" not in node.said(), f"{node.name} panicked")
        print(f"{self.way:16} {self.label:8} well after {took_s:5.1f} s   {resolver.asked:3} DNS answers,"
              f" longest {1000 * resolver.longest_s:4.0f} ms   ({time.monotonic() - began:.0f} s)", flush=True)
        return took_s, resolver.asked, resolver.longest_s, 2

    def elsewhere(self):
        block_hash, = self.judge.call("generatetoaddress", 1, self.address)
        return self.judge.call("getblock", block_hash, 0)


class Base:
    """Three hours of blocks with a name, made by a clock that is set a minute on for each."""

    def __init__(self, folder):
        genesis = int(time.time()) - 400 * DAY
        self.network, self.cpu = folder / "clock.toml", folder / "cpu.toml"
        self.network.write_text(NETWORK.format(name="clock", bits="207fffff", genesis=genesis, on_demand="true"))
        self.cpu.write_text(NETWORK.format(name="cpu", bits="1e7fffff", genesis=genesis, on_demand="false"))
        node = self.node = ClockNode(folder, "base", self.network)
        self.folder = node.folder
        node.set_clock(-HISTORY * MINUTE)
        node.create_wallet()
        node.start()
        address = node.call("getnewaddress")
        for at in range(HISTORY):
            node.set_clock((at + 1 - HISTORY) * MINUTE)
            node.call("generatetoaddress", 1, address)
            if at == 20:
                node.call("name_register", "alice", RECORDS, 1)
        until("alice resolves", MEND_S, lambda: node.resolve("alice.p2p", A) == (0, ["192.0.2.7"]))
        node.end()


def main():
    quick = sys.argv[1:] == ["quick"]
    cases = QUICK if quick else [(way, label) for label in OFFSETS for way in (*WAYS, PAYMENT)] + [("asleep", "-2 h")]
    if sys.argv[1:] and not quick:
        wanted = " ".join(sys.argv[1:])
        cases = [case for case in cases if wanted in " ".join(case)]
        if not cases:
            sys.exit(f"usage: clock.py [quick | words of a way and an offset: {', '.join(WAYS)}]")
    nodes, results, began = [], [], time.monotonic()

    def run():
        with scratch("clock") as folder:
            base = Base(folder)
            for way, label in cases:
                scenario = (Payment if way == PAYMENT else Scenario)(folder, base, way, label)
                nodes[:] = [scenario.victim, scenario.judge]
                try:
                    results.append(scenario.run())
                except (Lost, NotStarted, Refused) as error:
                    logs = "\n".join(f"--- {node.name}\n" + "\n".join(node.said().splitlines()[-25:]) for node in nodes)
                    raise Lost(f"{way}, {label}: {error}\n{logs}") from error
                finally:
                    scenario.end()
                shutil.rmtree(scenario.folder, ignore_errors=True)
            took, asked, longest, blocks = (list(it) for it in zip(*results))
            print(f"assurance: {len(results)} wrong clocks, -10 y to +10 y: all well {max(took):.0f} s after the mending at most;"
                  f" {sum(asked):,} DNS answers, 0 wrong, the longest {1000 * max(longest):.0f} ms; {sum(blocks):,} blocks"
                  f" judged, {time.monotonic() - began:.0f} s")

    return finish(run, lambda: nodes)


if __name__ == "__main__":
    sys.exit(main())
