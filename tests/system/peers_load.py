"""Scenarios of what peers cost: many that are idle, and many that are hostile."""

import os
import random
import selectors
import socket
import threading
import time

import nodes
from nodes import A, TLD, check, until
from netns import P2P_PORT

MIB = 1 << 20
IDLE_S = float(os.environ.get("IDLE_SECONDS", 60))
IDLE_MIB_MAX, IDLE_CPU_MAX = 25, 0.01
HOSTILE_S = float(os.environ.get("HOSTILE_SECONDS", 60))
HOSTILE_MIB_MAX, RELAY_S, NEWCOMER_S = 64, 10, 60


def over(node, seconds):
    """Lets time pass; (share of a core that the node took, bytes of memory at the end)."""
    began, (before, _) = time.monotonic(), node.stat()
    until("the time is over", seconds + 60, lambda: time.monotonic() - began >= seconds, 0.5)
    cpu, memory = node.stat()
    return (cpu - before) / (time.monotonic() - began), memory


def idle(net, count, rng, goal):
    """One node and so many others, real ones, connected to it alone over the loopback of one space."""
    space = net.space("room")
    hub = net.node(space, "hub")
    hub.create_wallet()
    hub.start()
    hub.address = hub.call("getnewaddress")
    hub.call("generatetoaddress", 10, hub.address)
    alone_cpu, alone = over(hub, IDLE_S / 2)
    others = [net.node(space, f"idle{number}", port=P2P_PORT + 1 + number) for number in range(count)]
    for node in others:
        node.peers = [hub.at()]
        node.start()
    until("all are connected and have the tip", 300, lambda: hub.peer_count() == count and
          all(peer["height"] == 10 for peer in hub.call("getpeerinfo")), 1)
    _, joined = hub.stat()
    cpu, after = over(hub, IDLE_S)
    check(hub.peer_count() == count, f"{count} were connected, then {hub.peer_count()}")
    grown = (after - alone) / MIB
    goal(grown <= IDLE_MIB_MAX, f"{count} idle peers cost {grown:.1f} MiB, the goal is {IDLE_MIB_MAX}")
    goal(cpu <= IDLE_CPU_MAX, f"{count} idle peers cost {100 * cpu:.1f} % of a core, the goal is {100 * IDLE_CPU_MAX:.0f} %")
    for node in (*others, hub):
        node.end()
    print(f"assurance: a node with {count} idle peers, {IDLE_S:.0f} s: {alone / MIB:.1f} MiB alone, {joined / MIB:.1f} once all were"
          f" connected, {after / MIB:.1f} at the end; {100 * alone_cpu:.2f} % of a core alone, {100 * cpu:.2f} % with them")


class Crowd(threading.Thread):
    """Connections of those who have nothing good to say, made anew when they are closed: silent ones, slow ones, and noise."""

    KINDS = ("silent", "slow", "noise", "noise after the greeting")

    def __init__(self, space, ips, target, count, rng):
        super().__init__(daemon=True)
        self.space, self.ips, self.target, self.count = space, ips, target, count
        self.rng, self.done, self.all_made = random.Random(rng.random()), threading.Event(), threading.Event()
        self.opened = self.closed = self.sent = self.failed = self.most = 0

    def run(self):
        with self.space.entered(), selectors.DefaultSelector() as selector:
            self.selector = selector
            while not self.done.is_set():
                # Not all in one moment: a thousand a second at most.
                for _ in range(min(50, self.count - len(selector.get_map()))):
                    self.open()
                self.most = max(self.most, len(selector.get_map()))
                if self.opened >= self.count:
                    self.all_made.set()
                for key, events in selector.select(0.05):
                    self.serve(key, events)
            for key in list(selector.get_map().values()):
                key.fileobj.close()

    def open(self):
        sock = socket.socket()
        sock.setblocking(False)
        try:
            sock.bind((self.ips[self.opened % len(self.ips)], 0))
            sock.connect_ex(self.target)
        except OSError:
            self.failed += 1
            sock.close()
            return
        kind = self.KINDS[self.opened % len(self.KINDS)]
        self.opened += 1
        greets = b"\x13/multistream/1.0.0\n"
        to_send = {"silent": [], "slow": [bytes([byte]) for byte in greets * 100], "noise": [self.rng.randbytes(16_384)] * 64,
                   "noise after the greeting": [greets + b"\x07/noise\n", *[self.rng.randbytes(16_384)] * 64]}[kind]
        self.selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, [kind, to_send, 0.0])

    def serve(self, key, events):
        sock, (kind, to_send, next_s) = key.fileobj, key.data
        now = time.monotonic()
        try:
            if events & selectors.EVENT_READ and not sock.recv(65_536):
                raise ConnectionResetError
            if events & selectors.EVENT_WRITE:
                if not to_send:
                    self.selector.modify(sock, selectors.EVENT_READ, key.data)
                elif now >= next_s:
                    self.sent += sock.send(to_send[0])
                    to_send.pop(0)
                    if kind == "slow":
                        key.data[2] = now + 1
        except BlockingIOError:
            pass
        except OSError:
            self.closed += 1
            self.selector.unregister(sock)
            sock.close()

    def finish(self):
        self.done.set()
        self.join()


def hostile(net, count, rng, goal):
    """A crowd of one address, then of many networks; meanwhile an honest peer's updates and blocks go on, and one joins."""
    names = ("victim", "honest", "crowd")
    spaces = [net.space(name) for name in names]
    newcomers = [net.space(f"newcomer{number}") for number in range(2)]
    net.switch("switch", [*spaces, *newcomers])
    for number, space in enumerate((spaces[0], spaces[1], *newcomers)):
        space.address(f"10.{200 + number}.0.1", 8)
    # Each in a network of its own: of one, only so many are let in.
    sources = [f"10.{1 + number // 250}.{number % 250}.1" for number in range(500)]
    commands = "".join(f"addr add {ip}/8 dev eth0\n" for ip in sources)
    batch = net.folder / "addresses"
    batch.write_text(commands)
    spaces[2].do("-batch", str(batch))
    victim, honest = net.node(spaces[0]), net.node(spaces[1])
    honest.peers = [victim.at()]
    for node in (victim, honest):
        node.create_wallet()
        node.start()
        node.address = node.call("getnewaddress")
    until("the honest peer is connected", 30, lambda: victim.peer_count() == 1)
    honest.call("generatetoaddress", 10, honest.address)
    honest.call("name_register", "alice", [{"owner": "@", "type": "A", "data": "192.0.2.1"}], 10)

    def is_registered():
        honest.call("generatetoaddress", 1, honest.address)
        return honest.call("name_registrations")[0]["step"] == "done"

    until("alice is registered", 60, is_registered)
    until("the victim has the tip", 30, lambda: victim.tip() == honest.tip())
    figures = []
    for number, (label, ips) in enumerate((("one address", sources[:1]), (f"{len(sources)} networks", sources))):
        _, before = victim.stat()
        crowd = Crowd(spaces[2], ips, (victim.space.ip, P2P_PORT), count, rng)
        crowd.start()
        relayed, longest_s, most = 0, 0.0, before
        began, (cpu, _) = time.monotonic(), victim.stat()
        newcomer = net.node(newcomers[number])
        newcomer.peers = [victim.at()]
        newcomer.start()
        came_s, joined_s = time.monotonic(), None
        # Whoever comes is let in sooner or later; how soon is told.
        while (passed := time.monotonic() - began) < HOSTILE_S or not crowd.all_made.is_set() or joined_s is None and passed < NEWCOMER_S:
            check(time.monotonic() - began < 10 * HOSTILE_S, f"{crowd.opened} connections made in all that time")
            longest_s = max(longest_s, relay_once(victim, honest, relayed))
            relayed += 1
            # A name's ten years are over after 2,000 blocks.
            until("it is time for the next", 1, lambda: time.monotonic() - began >= 0.1 * relayed, 0.02)
            most = max(most, victim.stat()[1])
            if joined_s is None and newcomer.tip() == honest.tip():
                joined_s = time.monotonic() - came_s
        share = (victim.stat()[0] - cpu) / (time.monotonic() - began)
        crowd.finish()
        newcomer.end()
        grown = (most - before) / MIB
        goal(grown <= HOSTILE_MIB_MAX, f"a crowd of {label} grew the node by {grown:.1f} MiB, the goal is {HOSTILE_MIB_MAX}")
        goal(joined_s is not None, f"beside a crowd of {label} an honest newcomer did not get in within {NEWCOMER_S} s")
        joined = "never got in" if joined_s is None else f"had the tip after {joined_s:.1f} s"
        figures.append(f"of {label}: {crowd.opened:,} connections, {crowd.most:,} at a time, {crowd.sent / MIB:.1f} MiB sent:"
                       f" the node grew by {grown:.1f} MiB at most and took {100 * share:.0f} % of a core, {relayed} updates and"
                       f" blocks were relayed, the slowest in {longest_s:.2f} s, an honest newcomer {joined}")
        print(figures[-1], flush=True)
    bans = [ban["address"] for ban in victim.call("listbanned")]
    check(not any(honest.space.ip in ban for ban in bans), f"the honest peer is banned: {bans}")
    for node in (victim, honest):
        node.end()
        check("panicked" not in node.said(), f"{node.name} panicked")
    print(f"assurance: hostile crowds {'; '.join(figures)}")


def relay_once(victim, honest, number):
    """An update from the honest peer is served by the victim, and its block arrives; the seconds of the slower."""
    ip = f"198.51.100.{number % 256}"
    honest.call("name_update", "alice", [{"owner": "@", "type": "A", "data": ip}])
    update_s, _ = until("the victim serves the update", RELAY_S, lambda: victim.resolve(f"alice.{TLD}", A) == (0, [ip]), 0.02)
    honest.call("generatetoaddress", 1, honest.address)
    block_s, _ = until("the victim has the block", RELAY_S, lambda: victim.tip() == honest.tip(), 0.02)
    return max(update_s, block_s)
