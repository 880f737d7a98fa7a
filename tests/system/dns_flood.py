#!/usr/bin/env python3
"""DNS under a flood, on loopback, where all of 127/8 is this machine: who keeps to the limits is answered.

  dns_flood.py flood  [SECONDS]    20,000 hostile queries a second from 50 networks beside 1,000 honest ones from 100; again with
                                   5,000 idle and 100 slow TCP connections
  dns_flood.py mutate [PACKETS]    packets with wrong bytes (ten million), every 250 of them a good one, which must be answered

Needs `cargo build --workspace`. SEED=N repeats what was sent. Standard library only.
"""

import json
import os
import pathlib
import resource
import socket
import subprocess
import sys
import tempfile
import threading

import nodes
from nodes import Lost, Node, check, until

FLOOD = nodes.TARGET / "debug" / "dotp2p-dns-flood"
LIMIT = 200  # Answers a second to a network.
HOSTILE, HONEST_SHARE_MIN, GROWN_MIB_MAX = 50, 0.99, 64
P99_MS_MAX = int(os.environ.get("DNS_FLOOD_P99_MS", 20))
IDLE, SLOW = 5_000, 100
MIB = 1024 * 1024
NAME = "flooded"
NODES = []


def resident(node, key="VmRSS"):
    for line in pathlib.Path(f"/proc/{node.process.pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024 / MIB
    raise Lost(f"no {key} of {node.name}")


def started(folder, *args):
    """A node with a name that has an address and a long TXT."""
    node = Node(folder, "node")
    NODES.append(node)
    node.create_wallet()
    node.start("--dns-rate-limit", str(LIMIT), *args)
    node.address = node.call("getnewaddress")
    node.call("generatetoaddress", 10, node.address)
    records = [{"owner": "@", "type": "A", "data": "192.0.2.7"}]
    records += [{"owner": "@", "type": "TXT", "data": f'"{number}{"x" * 200}"'} for number in range(4)]
    node.call("name_register", NAME, records, 10)
    until("the name is registered", 60, lambda: node.call("generatetoaddress", 1, node.address) and
          all(one["step"] == "done" for one in node.call("name_registrations")), 0.02)
    return node


def asked(node, *args):
    """What the program says at its end."""
    check(FLOOD.exists(), f"{FLOOD} is missing: cargo build --workspace")
    host, port = node.dns
    command = ["nice", "-n", "5", FLOOD, "--server", f"{host}:{port}", "--name", f"{NAME}.{nodes.TLD}", *args]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    check(done.returncode == 0, f"{FLOOD.name} ended with {done.returncode}")
    check(node.process.poll() is None, "the node ended")
    return json.loads(done.stdout.splitlines()[-1])


def connected(node, count, block):
    """So many TCP connections, from networks of their own; those that were parted from stay in the list."""
    streams = []
    for number in range(count):
        stream = socket.socket()
        stream.bind((f"127.{block}.{number % 250}.{1 + number // 250}", 0))
        stream.settimeout(10)
        stream.connect(node.dns)
        streams.append(stream)
    return streams


def trickle(streams, stop):
    """A byte a second of a query that never ends, on each."""
    while not stop.wait(1):
        for stream in streams:
            try:
                stream.send(b"\0")
            except OSError:
                pass  # It was parted from.


def held(title, figures, seconds, before, node, missed):
    """Checks one run against the goals; a line of its figures."""
    honest, hostile = figures["honest"], figures["hostile"]
    share, p99_ms = honest["answered"] / honest["sent"], honest["p99_us"] / 1000
    grown = resident(node, "VmHWM") - before
    most = LIMIT * HOSTILE * (seconds + 1)
    for is_so, what in (
        (share >= HONEST_SHARE_MIN, f"{100 * share:.2f} % of the honest were answered"),
        (p99_ms <= P99_MS_MAX, f"99 % of the honest were answered within {p99_ms:.1f} ms"),
        (hostile["answered"] <= most, f"{hostile['answered']:,} hostile queries were answered, the limit is {most:,}"),
        (grown <= GROWN_MIB_MAX, f"the node grew by {grown:.1f} MiB"),
    ):
        if not is_so:
            missed.append(f"{title}: {what}")
    return (f"{title}: {hostile['sent']:,} hostile queries in {seconds} s, {hostile['answered']:,} answered, {hostile['cut']:,} told to"
            f" come again, {hostile['got_bytes'] / hostile['sent_bytes']:.2f} bytes for one; of {honest['sent']:,} honest ones"
            f" {100 * share:.2f} % answered, median {honest['median_us'] / 1000:.2f} ms, 99 % within {p99_ms:.1f} ms;"
            f" {grown:+.1f} MiB at most")


def flood(folder, seconds):
    resource.setrlimit(resource.RLIMIT_NOFILE, (16_384, 16_384))
    node = started(folder, "--dns-rate-limit-exempt", "none")
    before, missed, said = resident(node), [], []
    command = ("flood", "--seconds", str(seconds), "--hostile", str(HOSTILE))
    said.append(held("alone", asked(node, *command), seconds, before, node, missed))
    idle, slow, stop = connected(node, IDLE, 50), connected(node, SLOW, 51), threading.Event()
    trickling = threading.Thread(target=trickle, args=(slow, stop), daemon=True)
    trickling.start()
    said.append(held(f"beside {IDLE:,} idle and {SLOW} slow connections", asked(node, *command), seconds, before, node, missed))
    stop.set()
    trickling.join()
    for stream in (*idle, *slow):
        stream.close()
    node.end()
    check("panicked" not in node.said(), "the node panicked")
    print(f"assurance: {'; '.join(said)}")
    check(not missed, "; ".join(missed))


def mutate(folder, count):
    node = started(folder)
    figures = asked(node, "mutate", "--count", str(count))
    grown = resident(node, "VmHWM") - resident(node)
    node.end()
    check("panicked" not in node.said(), "the node panicked")
    print(f"assurance: {figures['sent']:,} packets with wrong bytes in {figures['seconds']:.0f} s: no panic, every good query between them"
          f" answered, the slowest in {figures['slowest_ms']} ms; {grown:.1f} MiB above the end at most")


def main():
    what, *rest = sys.argv[1:] or ["flood"]
    run, default = {"flood": (flood, 30), "mutate": (mutate, 10_000_000)}[what]
    with tempfile.TemporaryDirectory(prefix="dotp2p-dns-flood-") as folder:
        return nodes.finish(lambda: run(pathlib.Path(folder), int(rest[0]) if rest else default), lambda: NODES)


if __name__ == "__main__":
    sys.exit(main())
