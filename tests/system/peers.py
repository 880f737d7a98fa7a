#!/usr/bin/env python3
"""Nodes among themselves, each in a network namespace of its own: real sockets, real addresses, no Internet.

  peers.py SCENARIO [SIZE]    SEED=… replays the choices of a run

  join      a node that has nothing takes SIZE blocks (2000) from five others, once undisturbed and once killed ten times
  nearby    two nodes on one cable, told nothing of each other, on SIZE kinds of cable (5)
  islands   ten nodes in two parts for SIZE blocks (200) each, then one network again
  updates   a record that is not in any block yet, on ten nodes in a line, a ring and at random
  nat       two nodes, each behind a router that masquerades, and a third that both can reach
  psk       a network with a pre-shared key, and a stranger
  carry     a chain in a file, of SIZE blocks (300)
  idle      a node with SIZE peers (50) and nothing to do for a minute
  hostile   SIZE connections (1000) of those who have nothing good to say
  flood     SIZE peers (50), each a thousand bad messages a second
  unread    SIZE peers (50) that ask for blocks and do not read them

Needs root; Debian's iproute2 and nftables. All that is made is removed at the end, whatever happens: see netns.py. Each prints
its figures as `assurance: …`, and `MISSED: …` before them for a goal that was not reached, which also fails the run.
"""

import signal
import sys

import nodes
import peers_flood
import peers_gossip
import peers_load
import peers_reach
import peers_sync
from netns import Net

SCENARIOS = {
    "join": (peers_sync.join, 2000),
    "nearby": (peers_reach.nearby, 5),
    "islands": (peers_gossip.islands, 200),
    "updates": (peers_gossip.updates, 10),
    "nat": (peers_reach.nat, 1),
    "psk": (peers_reach.psk, 30),
    "carry": (peers_sync.carry, 300),
    "idle": (peers_load.idle, 50),
    "hostile": (peers_load.hostile, 1000),
    "flood": (peers_flood.flood, 50),
    "unread": (peers_flood.unread, 50),
}


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else None
    if name not in SCENARIOS:
        sys.exit(f"usage: peers.py SCENARIO [SIZE]; scenarios: {' '.join(SCENARIOS)}")
    scenario, unless_given = SCENARIOS[name]
    size, drawn = int(sys.argv[2]) if len(sys.argv) > 2 else unless_given, nodes.seed()
    print(f"to replay: SEED={drawn} tests/system/peers.py {name} {size}", flush=True)
    # So that whoever ends this script ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    missed = []

    def goal(is_reached, what):
        if not is_reached:
            missed.append(what)
            print(f"MISSED: {what}", flush=True)

    with nodes.scratch("peers") as folder, Net(folder) as net:
        code = nodes.finish(lambda: scenario(net, size, nodes.derived(drawn), goal), lambda: net.nodes)
    return code or bool(missed)


if __name__ == "__main__":
    sys.exit(main())
