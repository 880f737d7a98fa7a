"""Scenarios of hostile peers that speak the protocols: those that send a thousand bad messages a second each, and those that
ask for much and read nothing; what honest ones notice of them."""

import json
import os
import pathlib
import subprocess
import time

import nodes
from netns import P2P_PORT
from nodes import check, until

MIB = 1 << 20
HOSTILE = nodes.BINARY.with_name("dotp2p-hostile")
RATE = int(os.environ.get("FLOOD_RATE", 1000))
SECONDS = int(os.environ.get("FLOOD_SECONDS", 60))
UNREAD_S = int(os.environ.get("UNREAD_SECONDS", 60))
NEWCOMER_S = 60
KINDS = os.environ.get("FLOOD_KINDS")  # By turns; unset: all that assurance/hostile knows.
# Of a run that shares its cores with nothing else; elsewhere more has to be allowed.
BAN_S, RELAY_S = int(os.environ.get("FLOOD_BAN_S", 5)), int(os.environ.get("FLOOD_RELAY_S", 2))
GROWN_MIB_MAX = 64


def resident(node, what="VmRSS"):
    """MiB that it holds now, or held at most (`VmHWM`)."""
    status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) / 1024


def flood(net, count, rng, goal):
    """One victim, an honest node on either side of it, and `count` hostile ones, of one address and of one each."""
    check(HOSTILE.exists(), f"{HOSTILE} is missing: cargo build --workspace")
    space = net.space("room")
    victim, source, sink = (net.node(space, name, port=P2P_PORT + number) for number, name in enumerate(("victim", "source", "sink")))
    source.peers = sink.peers = [victim.at()]
    for node in (victim, source, sink):
        node.start()
    source.create_wallet()
    source.address = source.call("getnewaddress")
    until("both honest nodes are connected", 30, lambda: victim.peer_count() == 2)
    source.call("generatetoaddress", 10, source.address)
    until("all have the tip", 30, lambda: victim.tip() == sink.tip() == source.tip())
    figures = []
    for label, first in (("one address", None), ("an address each", "127.1.0.1")):
        figures.append(f"from {label}: {pour(space, (victim, source, sink), count, first, rng, goal)}")
        print(figures[-1], flush=True)
    bans = [ban["address"] for ban in victim.call("listbanned")]
    honest = [node.call("getnetworkinfo")["id"] for node in (source, sink)]
    check(not set(bans) & set(honest), "an honest peer is banned")
    for node in (sink, source, victim):
        node.end()
        check("panicked" not in node.said(), f"{node.name} panicked")
    print(f"assurance: {count} peers, each {RATE:,} bad messages a second for {SECONDS} s, {'; '.join(figures)}")


def pour(space, honest, count, first, rng, goal):
    """One flood; its figures."""
    victim, source, sink = honest
    before, log_before = resident(victim), victim.log.stat().st_size
    pathlib.Path(f"/proc/{victim.process.pid}/clear_refs").write_text("5")  # The highest so far is forgotten.
    (cpu, _), began = victim.stat(), time.monotonic()
    # On few cores the sender is the worst neighbour of what it sends to: a real one would have a machine of its own.
    command = ["ip", "netns", "exec", space.full, "nice", "-n", "10", HOSTILE, "--victim", victim.at(), "--peers", str(count),
               "--rate", str(RATE), "--seconds", str(SECONDS), "--seed", str(rng.randrange(1 << 48)),
               *(["--source", first] if first else []), *(["--kinds", KINDS] if KINDS else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hostile:
        line = hostile.stdout.readline()
        check(line, "the hostile program ended")
        ids = json.loads(line)["ids"]
        poured, waits, unseen, seen_s = time.monotonic(), [], set(ids), None
        while hostile.poll() is None:
            mined = time.monotonic()
            source.call("generatetoaddress", 1, source.address)
            tip = source.tip()
            until("the victim and who is behind it have the block", 60, lambda: victim.tip() == sink.tip() == tip, 0.02)
            waits.append(time.monotonic() - mined)
            if unseen:
                unseen -= {ban["address"] for ban in victim.call("listbanned")}
                seen_s = None if unseen else time.monotonic() - poured
            until("it is time for the next block", 2, lambda: time.monotonic() - mined >= 1 or hostile.poll() is not None, 0.02)
        said = json.loads(hostile.stdout.read())
    share = (victim.stat()[0] - cpu) / (time.monotonic() - began)
    grown, logged = resident(victim, "VmHWM") - before, (victim.log.stat().st_size - log_before) / MIB
    for name, kind in said["kinds"].items():
        print(f"  {name}: {json.dumps(kind)}", flush=True)
    longest, banned = max(waits), said["banned_s"]["max"] or 0
    goal(grown <= GROWN_MIB_MAX, f"the victim grew by {grown:.1f} MiB, the goal is {GROWN_MIB_MAX}")
    goal(longest <= RELAY_S, f"a block took {longest:.2f} s, the goal is {RELAY_S}")
    goal(banned <= BAN_S, f"an identity was banned after {banned:.2f} s, the goal is {BAN_S}")
    goal(not unseen, f"{len(unseen)} of the first {count} were never banned")
    goal(said["never_banned"] == 0, f"{said['never_banned']} of the first {count} were let in to the end")
    return (f"{said['sent']:,} sent, {said['sent_per_connected_s']:,} a second by each while it was let in;"
            f" banned after {said['banned_s']['median']} s in the median and {banned} at most, all of the first seen in the list after"
            f" {seen_s or 0:.1f} s; {said['accepted']:,} times one came again and was let in, most often as somebody else, {said['refused']:,} times not;"
            f" {len(waits)} honest blocks went through in {sorted(waits)[len(waits) // 2]:.2f} s in the median and {longest:.2f} at most;"
            f" {before:.1f} MiB before, {grown:+.1f} at most, {100 * share:.0f} % of a core, {logged:.1f} MiB of log")


def long_blocks(node):
    """A megabyte of blocks, so that an answer does not fit what a connection lets through unread."""
    node.create_wallet()
    node.start()
    node.address = node.call("getnewaddress")
    node.call("generatetoaddress", 10, node.address)
    names = [f"name-{number}" for number in range(16)]
    for name in names:
        node.call("name_register", name, [{"owner": "@", "type": "A", "data": "192.0.2.1"}], 10)
    until("all names are registered", 60, lambda: node.call("generatetoaddress", 1, node.address) and
          all(one["step"] == "done" for one in node.call("name_registrations")), 0.02)
    for number in range(16):
        texts = [{"owner": f"t{at}", "type": "TXT", "data": f'"{number:03}{"x" * 240}"'} for at in range(14)]
        for name in names:
            node.call("name_update", name, texts)
        node.call("generatetoaddress", 1, node.address)


def unread(net, count, rng, goal):
    """So many that ask for blocks and do not read them; meanwhile blocks go through, and a newcomer takes the chain."""
    check(HOSTILE.exists(), f"{HOSTILE} is missing: cargo build --workspace")
    space = net.space("room")
    names = ("victim", "source", "newcomer")
    victim, source, newcomer = (net.node(space, name, port=P2P_PORT + number) for number, name in enumerate(names))
    source.peers = newcomer.peers = [victim.at()]
    victim.start()
    long_blocks(source)
    until("the victim has the tip", 30, lambda: victim.tip() == source.tip())
    before = resident(victim)
    pathlib.Path(f"/proc/{victim.process.pid}/clear_refs").write_text("5")  # The highest so far is forgotten.
    (cpu, _), began = victim.stat(), time.monotonic()
    command = ["ip", "netns", "exec", space.full, "nice", "-n", "10", HOSTILE, "--victim", victim.at(), "--peers", str(count),
               "--rate", "20", "--seconds", str(UNREAD_S), "--seed", str(rng.randrange(1 << 48)), "--source", "127.1.0.1", "--kinds", "unread"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hostile:
        check(hostile.stdout.readline(), "the hostile program ended")
        waits, joined_s = [], None
        until("time passes", UNREAD_S, lambda: time.monotonic() - began >= min(5, UNREAD_S / 4))
        newcomer.start()
        came_s = time.monotonic()
        while hostile.poll() is None:
            mined = time.monotonic()
            source.call("generatetoaddress", 1, source.address)
            tip = source.tip()
            until("the victim has the block", 60, lambda: victim.tip() == tip, 0.02)
            waits.append(time.monotonic() - mined)
            if joined_s is None and newcomer.tip() == tip:
                joined_s = time.monotonic() - came_s
            until("it is time for the next block", 2, lambda: time.monotonic() - mined >= 1 or hostile.poll() is not None, 0.02)
        said = json.loads(hostile.stdout.read())
    share = (victim.stat()[0] - cpu) / (time.monotonic() - began)
    grown, longest = resident(victim, "VmHWM") - before, max(waits)
    if joined_s is None:
        until("the newcomer has the tip", NEWCOMER_S, lambda: newcomer.tip() == source.tip())
        joined_s = time.monotonic() - came_s
    goal(grown <= GROWN_MIB_MAX, f"the victim grew by {grown:.1f} MiB, the goal is {GROWN_MIB_MAX}")
    goal(longest <= RELAY_S, f"a block took {longest:.2f} s, the goal is {RELAY_S}")
    for node in (newcomer, source, victim):
        node.end()
        check("panicked" not in node.said(), f"{node.name} panicked")
    print(f"assurance: {count} peers, each asking for a megabyte 20 times a second for {UNREAD_S} s and reading nothing:"
          f" {said['sent']:,} questions, {said['accepted']:,} times one came again; the node grew by {grown:.1f} MiB at most and took"
          f" {100 * share:.0f} % of a core; {len(waits)} honest blocks went through, the slowest in {longest:.2f} s; an honest newcomer"
          f" had the chain after {joined_s:.1f} s")
