"""Scenarios of who reaches whom: nearby, behind routers, and with a key."""

import socket
import subprocess
import time

import nodes
from nodes import A, Lost, NotStarted, TLD, check, until
from netns import P2P_PORT

FOUND_S, JOIN_S, RELAY_S, DIRECT_S = 10, 60, 60, 60
RECORDS = [{"owner": "@", "type": "A", "ttl": 60, "data": "192.0.2.7"}]
# Two nodes on one cable: their addresses, and what else their spaces have.
CABLES = {
    "link-local IPv4": ("169.254.7.1", "169.254.7.2", 16, None),
    "private IPv4": ("192.168.7.1", "192.168.7.2", 24, None),
    "private IPv4 and a multicast route": ("192.168.7.1", "192.168.7.2", 24, "route"),
    "private IPv4 and another interface": ("192.168.7.1", "192.168.7.2", 24, "interface"),
    "link-local IPv6 alone": (None, None, 64, None),
}


def nearby(net, cables, rng, goal):
    """No default route, no resolver, nobody named: found by what the cable carries."""
    figures = []
    for number, (label, (first, second, prefix, more)) in enumerate(list(CABLES.items())[:cables]):
        pair = [net.space(f"near{number}{side}") for side in "ab"]
        net.link(*pair)
        for space, ip in zip(pair, (first, second)):
            if ip:
                space.address(ip, prefix)
            if more == "route":
                space.do("route", "add", "224.0.0.0/4", "dev", "eth0")
            if more == "interface":
                # As a container engine makes one: the same address on every machine, and nobody behind it.
                space.do("link", "add", "aaa0", "type", "bridge")
                space.do("link", "set", "aaa0", "up")
                space.do("addr", "add", "172.17.0.1/16", "dev", "aaa0")
        # A cable's IPv6 address is tentative for a second or two.
        until("the cable's addresses", 10, lambda pair=pair: not any("tentative" in space.do("addr") for space in pair))
        found_s = one_cable(net, pair, label)
        if found_s is None:
            goal(False, f"with {label}, two nodes did not find each other within {JOIN_S} s")
        else:
            goal(found_s <= FOUND_S, f"with {label}, found after {found_s:.1f} s, the goal is {FOUND_S} s")
            figures.append(f"{label} {found_s:.1f} s")
    print(f"assurance: two nodes on one cable, no default route, no resolver, nobody named, found each other and a name of the one"
          f" resolved on the other: {', '.join(figures)}")


def one_cable(net, pair, label):
    """The seconds from the second node's start until both know each other; None if they never do."""
    one, other = (net.node(space) for space in pair)
    one.create_wallet()
    for node in (one, other):
        node.listens, node.discovers = "everywhere", True
    one.start("--mine=1")
    began = time.monotonic()
    other.start()
    try:
        until("both know each other", JOIN_S, lambda: one.peer_count() and other.peer_count(), 0.05)
    except Lost:
        print(f"{label}: not found; {[line for line in other.said().splitlines() if 'mdns' in line][:3]}")
        return None
    found_s = time.monotonic() - began
    kinds = sorted({peer["connection_type"] for node in (one, other) for peer in node.call("getpeerinfo")})
    check(kinds == ["inbound", "nearby"], f"found by {kinds}")
    one.call("name_register", "alice", RECORDS, 1)
    answer = (0, ["192.0.2.7"])
    resolved_s, _ = until("the name resolves on the other", JOIN_S, lambda: other.resolve(f"alice.{TLD}", A) == answer)
    for node in (one, other):
        node.end()
    print(f"{label}: found after {found_s:.1f} s, registered there and resolved here {resolved_s:.1f} s later", flush=True)
    return found_s


def nat(net, _, rng, goal):
    """Two nodes behind routers of their own, and a third in the open, the only one they are told of."""
    wan = net.switch("wan")
    middle_space = net.space("middle")
    net.plug(wan, middle_space)
    middle_space.address("203.0.113.1", 24)
    hidden = []
    for number, name in enumerate(("alice", "bob"), 2):
        router = net.router(f"router-{name}", wan)
        router.address(f"203.0.113.{number}", 24)
        space = net.space(name)
        net.link(router, space)
        router.do("addr", "add", "192.168.1.1/24", "dev", "eth1")
        space.address(f"192.168.1.{number}", 24)
        space.do("route", "add", "default", "via", "192.168.1.1")
        hidden.append(space)
    middle, alice, bob = (net.node(space) for space in (middle_space, *hidden))
    middle.discovers = True
    middle.start()
    for node in (alice, bob):
        node.discovers, node.listens, node.peers = True, "everywhere", [middle.at()]
        node.start()
    for node in (alice, bob):
        until(f"{node.name} reaches the middle", JOIN_S, lambda node=node: node.peer_count() > 0)
    ids = {node: node.call("getnetworkinfo")["id"] for node in (alice, bob)}

    def met():
        return [peer for peer in alice.call("getpeerinfo") if peer["id"] == ids[bob]]

    began = time.monotonic()
    try:
        until("the two are connected", RELAY_S, met)
        how = "by themselves"
    except Lost:
        goal(False, f"two nodes behind NAT did not connect by themselves within {RELAY_S} s")
        how = by_hand(alice, bob, middle, met)
    met_s = time.monotonic() - began
    if not how:
        raise Lost("two nodes behind NAT did not connect through a third, not even where they were told how")
    # Not only a connection: they have told each other how high their chains are.
    until("they speak", JOIN_S, lambda: [peer for peer in met() if peer["height"] is not None])
    how += f" after {met_s:.1f} s"
    if met()[0]["relayed"]:
        how += " by the relay"
    try:
        until("the two have a way of their own", DIRECT_S, lambda: [peer for peer in met() if not peer["relayed"]])
        how += f", directly after {time.monotonic() - began:.1f} s"
    except Lost:
        goal(False, f"two nodes behind NAT were never connected directly within {DIRECT_S} s")
    alice.create_wallet()
    alice.address = alice.call("getnewaddress")
    alice.call("generatetoaddress", 5, alice.address)
    until("bob has alice's blocks", JOIN_S, lambda: bob.tip() == alice.tip())
    for node in (alice, bob, middle):
        node.end()
    print(f"assurance: two nodes behind masquerading routers connected {how}")


def by_hand(alice, bob, middle, met):
    """The relay named in both nodes' options; how that went, or None."""
    relay = f"{middle.at()}/p2p/{middle.call('getnetworkinfo')['id']}/p2p-circuit"
    bob.end()
    bob.listens = relay
    try:
        bob.start()
    except NotStarted as error:
        print(f"bob does not listen through the relay: {error}")
        return None
    began = bob.call("getnetworkinfo")
    print(f"bob listens on {began['localaddresses']}")
    alice.call("addnode", f"{relay}/p2p/{began['id']}", "add")
    try:
        until("the two are connected, told how", RELAY_S, met)
    except Lost:
        return None
    return "where the relay was named in their options"


def psk(net, blocks, rng, goal):
    """With file and key two nodes sync; with the file and another key, or none, nothing is to be had."""
    file, others = net.folder / "camp.toml", net.folder / "others"
    others.mkdir()
    for folder in (net.folder, others):
        done = subprocess.run([nodes.BINARY, "network", "new", "--name", "camp", "--psk", str(folder / "camp.toml")],
                              capture_output=True, text=True)
        check(done.returncode == 0, f"network new: {done.stdout}{done.stderr}")
    key, another = net.folder / "camp.psk", others / "camp.psk"
    check(key.stat().st_mode & 0o777 == 0o600, f"the key's mode is {key.stat().st_mode & 0o777:o}")
    check(key.read_text() != another.read_text(), "two camps have one key")
    # Its work would keep a miner busy; here blocks are made on demand and no header takes any.
    lines = [line.split("#")[0].rstrip() for line in file.read_text().splitlines() if not line.startswith("#")]
    easy = ['limit_bits = "207fffff"' if line.startswith("limit_bits") else
            'genesis_bits = "207fffff"' if line.startswith("genesis_bits") else line for line in lines]
    file.write_text("\n".join([*easy, "on_demand = true", ""]))
    inside, friend, stranger, keyless = lan = net.lan(["inside", "friend", "stranger", "keyless"])
    for node in lan:
        node.env["DOTP2P_NETWORK"], node.dir = str(file), node.folder / "camp"
        node.peers = [other.at() for other in lan if other is not node]
    stranger.env["DOTP2P_PSK"], keyless.env["DOTP2P_PSK"] = str(another), str(net.folder / "absent.psk")
    inside.create_wallet()
    inside.start()
    stranger.start("-v")
    try:
        keyless.start()
        raise Lost("a node without the key started")
    except NotStarted as refused:
        check("psk" in str(refused), f"without a key: {refused}")
    inside.address = inside.call("getnewaddress")
    inside.call("generatetoaddress", blocks, inside.address)
    began = time.monotonic()
    friend.start()
    until("the friend has the chain", JOIN_S, lambda: friend.tip() == inside.tip())
    joined_s = time.monotonic() - began
    inside.call("generatetoaddress", 1, inside.address)
    until("the friend has the new block", JOIN_S, lambda: friend.tip() == inside.tip())
    # The stranger has tried both, more than once, and both have tried it.
    tries = "cannot connect"
    until("the stranger has tried", JOIN_S, lambda: stranger.said().count(tries) >= 4)
    ids = {node.name: node.call("getnetworkinfo")["id"] for node in (inside, friend, stranger)}
    for node in (inside, friend):
        listed = [peer["id"] for peer in node.call("getpeerinfo")]
        check(ids["stranger"] not in listed, f"{node.name} lists the stranger")
        check(len(listed) == 1, f"{node.name} lists {listed}")
    check(stranger.call("getpeerinfo") == [], "the stranger lists a peer")
    info = stranger.call("getblockchaininfo")
    check((info["blocks"], info["headers"]) == (0, 0), f"the stranger has {info['blocks']} blocks, {info['headers']} headers")
    told = heard(stranger.space, inside.space.ip)
    check(len(told) <= 24, f"whoever connects is told {len(told)} bytes: {told[:64]!r}")
    for node in (inside, friend, stranger):
        node.end()
        check("panicked" not in node.said(), f"{node.name} panicked")
    print(f"assurance: with file and key a node took {blocks} blocks in {joined_s:.1f} s; a stranger with the file and another key"
          f" tried {stranger.said().count(tries)} times: no header, no block, no peer listed on either side, {len(told)} random bytes"
          f" on the wire; without a key the node does not start")


def heard(space, ip):
    """What a node says to somebody who connects and sends what libp2p would without a key."""
    with space.entered(), socket.create_connection((ip, P2P_PORT), timeout=10) as sock:
        sock.sendall(bytes(24) + b"\x13/multistream/1.0.0\n" * 4)
        told = b""
        sock.settimeout(15)
        try:
            while len(told) < 4096:
                data = sock.recv(4096)
                if not data:
                    break
                told += data
        except OSError:
            pass
    return told
