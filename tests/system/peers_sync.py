"""Scenarios of whole chains: taken from peers, and carried in a file."""

import os
import shutil
import statistics
import subprocess
import time

import nodes
from nodes import A, END_S, Node, TLD, check, until

CPU_SHARE_MAX = 1.25
ROUNDS = 5  # Of imports and joins by turns: one alone takes too short a time to tell.
KILLS = 10
SLOW_S = 20  # Over the slow cable a whole chain takes about so long.
SYNC_S = 120
# What is a node's own and no part of the chain.
OWN = ("peer.key", "peers.dat", "anchors.dat", "bans.json", "wallet.json", "registrations.json", "node.json", ".cookie")


def history(node, blocks, rng):
    """Blocks with names on a node by itself; the names that were asked for."""
    node.create_wallet()
    node.start()
    node.address = node.call("getnewaddress")
    node.call("generatetoaddress", 10, node.address)
    names, height = [], 10
    while height < blocks:
        for _ in range(4):
            names.append(f"name-{len(names)}")
            records = [{"owner": "@", "type": "A", "data": f"192.0.2.{len(names) % 256}"}]
            # Ten years: a year on regtest is over after 200 blocks.
            node.call("name_register", names[-1], records, 10)
        for name in rng.sample(names, 4) if len(names) > 20 else ():
            try:
                node.call("name_update", name, [{"owner": "@", "type": "A", "data": f"198.51.100.{rng.randrange(256)}"}])
            except nodes.Refused:
                pass  # Not ours yet, or the pool has enough of this payer's.
        step = min(10, blocks - height)
        node.call("generatetoaddress", step, node.address)
        height += step
    return names


def held(node, names):
    """The names that are active, with one of them that resolves."""
    picture = nodes.says(node, names)
    active = [name for name in names if picture[name] and picture[name][0] == "active"]
    check(active, "no name is active: the test is wrong")
    return picture, active


def command(node, *args):
    """A command on a node's folder; the CPU seconds it took, and what it said."""
    env = {**os.environ, "DOTP2P_NETWORK": "regtest", "DOTP2P_DATA_DIR": str(node.folder), "NO_COLOR": "1", **node.env}
    with node.log.open("ab") as log:
        process = subprocess.Popen([nodes.BINARY, *args], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    check(process.returncode == 0, f"{node.name}: {' '.join(map(str, args))} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def made(net, blocks, rng):
    """A chain made by a node that is gone afterwards: (folder, file, picture, names, those that are active)."""
    maker, file = Node(net.folder, "maker"), net.folder / "chain.dp2c"
    net.nodes.append(maker)
    began = time.monotonic()
    names = history(maker, blocks, rng)
    picture, (said, active) = picture_of(maker), held(maker, names)
    maker.end()
    command(maker, "chain", "export", str(file))
    print(f"{blocks} blocks with {picture[2]} names made in {time.monotonic() - began:.0f} s,"
          f" {file.stat().st_size / 1e6:.1f} MB as a file", flush=True)
    return maker, file, picture, said, active


def picture_of(node):
    info = node.call("getblockchaininfo")
    header = node.call("getblockheader", info["bestblockhash"])
    return info["bestblockhash"], header["state_root"], info["names"]


def check_same(node, picture, said, active, prover):
    """The node has the chain: tip, root, what it says of names, what it proves, and what it resolves."""
    check(node.picture() == picture, f"{node.name} has {node.picture()}, not {picture}")
    check(nodes.says(node, list(said)) == said, f"{node.name} says other things of names")
    for name in (*active[:3], *active[-3:]):
        ours, theirs = node.call("name_proof", name), prover.call("name_proof", name)
        check(ours == theirs, f"{node.name} proves {name} by {ours}, not {theirs}")
    nodes.check_dns(node, said, active[-3:])


def join(net, blocks, rng, goal):
    maker, file, picture, said, active = made(net, blocks, rng)
    others, joiners = [f"other{number}" for number in range(5)], ["joiner", "killed"]
    lan = net.lan([*others, *joiners])
    for at, node in enumerate(lan):
        node.peers = [other.at() for other in lan[:5] if other is not node][:at if at < 5 else 5]
        if at < 5:
            shutil.copytree(maker.folder, node.folder)
            for own in OWN:
                (node.dir / own).unlink(missing_ok=True)
            node.start()
    joiner, killed = lan[5:]
    importer = Node(net.folder, "importer")
    imports, joins = [], []
    for _ in range(ROUNDS):
        # The same blocks out of a file, into an empty folder.
        began = time.monotonic()
        imports.append((command(importer, "chain", "import", str(file)), time.monotonic() - began))
        shutil.rmtree(importer.folder)
        began = time.monotonic()
        joiner.start()
        until("the joiner has the tip", SYNC_S, lambda: joiner.tip() == picture[0], 0.05)
        joins.append((joiner.cpu_s(), time.monotonic() - began))
        if not joins[1:]:
            check_same(joiner, picture, said, active, lan[0])
        joiner.end()
        shutil.rmtree(joiner.folder)
    (import_cpu_s, import_s), (cpu_s, join_s) = (tuple(map(statistics.median, zip(*runs))) for runs in (imports, joins))
    share = cpu_s / import_cpu_s
    # Of a short chain it says what a start costs.
    goal(share <= CPU_SHARE_MAX or blocks < 1000, f"joining took {share:.2f} times the CPU time of an import, the goal is {CPU_SHARE_MAX}")
    # Over a cable so slow that the kills come meanwhile.
    net.switches[0].limit(killed.space, max(100_000, file.stat().st_size * 8 // SLOW_S))
    at = ten_kills(killed, blocks, rng)
    began = time.monotonic()
    killed.start()
    until("the killed one has the tip", SYNC_S, lambda: killed.tip() == picture[0], 0.25)
    check_same(killed, picture, said, active, lan[0])
    killed.end()
    check("panicked" not in killed.said() + joiner.said(), "a node panicked")
    for what, runs in (("import", imports), ("join", joins)):
        print(f"{what}: {', '.join(f'{cpu:.3f} s of CPU in {took:.2f} s' for cpu, took in runs)}")
    print(f"killed at heights {', '.join(map(str, at))}, then {time.monotonic() - began:.1f} s")
    print(f"assurance: joined {blocks:,} blocks with {picture[2]:,} names from five nodes in {join_s:.1f} s: same tip, state root"
          f" and proofs; CPU time {cpu_s:.3f} s, {share:.2f} times that of an import ({import_cpu_s:.3f} s,"
          f" {import_s:.2f} s in all), medians of {ROUNDS}; another, killed"
          f" {len(at)} times meanwhile ({sum(height < blocks for height in at)} before it had the tip), came out the same")


def ten_kills(node, blocks, rng):
    """Kills a node that joins, at random moments and, every other time, after it got further; the heights it was killed at."""
    at, height = [], 0
    for kill in range(KILLS):
        node.start()
        # Starts that are killed at once get nowhere, and neither would this test.
        patience_s = rng.uniform(0, SLOW_S / KILLS) if kill % 2 == 0 else SYNC_S
        target = min(blocks, height + rng.randrange(1, max(2, (blocks - height) // (KILLS - kill))))
        began = time.monotonic()
        while height < target and time.monotonic() - began < patience_s:
            height = node.call("getblockcount")
            time.sleep(0.002)
        check(height >= target or patience_s < SYNC_S, f"kill {kill + 1}: the chain stands at {height} of {blocks} after {SYNC_S} s")
        nodes.kill_in(node.process, rng.uniform(0, 0.05))
        node.process.wait(END_S)
        node.http.close()
        at.append(height)
    return at


def carry(net, blocks, rng, goal):
    """Export, carry, import: whole, gone on with, into a folder and into a running node."""
    maker, file, picture, said, active = made(net, blocks, rng)
    stick = net.folder / "stick.dp2c"
    shutil.copy(file, stick)
    space = net.space("away")
    away = net.node(space)
    began = time.monotonic()
    command(away, "chain", "import", str(stick))
    took_s = time.monotonic() - began
    away.start()
    maker.start()
    check_same(away, picture, said, active, maker)
    # Both run. More blocks, and the same stick again: only what is new is added to it.
    maker.call("name_register", "later", [{"owner": "@", "type": "A", "data": "192.0.2.77"}], 1)
    # A block at a time: the node takes its next step between two of them.
    until("the later name resolves where it was registered", SYNC_S, lambda: maker.call("generatetoaddress", 1, maker.address)
          and maker.resolve(f"later.{TLD}", A) == (0, ["192.0.2.77"]), 0.05)
    before = stick.stat().st_size
    command(maker, "chain", "export", str(stick))
    grown = stick.stat().st_size - before
    check(0 < grown < before, f"the second export added {grown} bytes to {before}")
    picture = picture_of(maker)
    with space.entered():  # Where the running node answers.
        command(away, "chain", "import", str(stick))
    check(away.picture() == picture, f"away has {away.picture()}, not {picture}")
    check(away.resolve(f"later.{TLD}", A) == (0, ["192.0.2.77"]), "the later name does not resolve")
    for node in (maker, away):
        node.end()
    print(f"assurance: {blocks:,} blocks carried in a file of {before / 1e6:.2f} MB and imported in {took_s:.1f} s: same tip, state"
          f" root, proofs and answers; a name more added {grown / 1e3:.1f} kB and went into the running node")
