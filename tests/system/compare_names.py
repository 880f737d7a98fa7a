"""The names of a zone, claimed on a regtest node of their own: committed, claimed and given their records, as anybody would."""

import socket
import struct
import time

from compare_wire import name_wire, read
from compare_zone import our_text
from nodes import Refused, check

BLOCKS_BEFORE = 40  # Coins for all of it: prices rise while so many are claimed at once.
PER_PAYER = 25  # Transactions of one payer that the pool takes.
SETTLE_S, STAYED_S = 5, 0.25
BLOCKS_MAX = 150  # A year has 200 blocks; the first names must not expire before the last ones are there.


def claim(node, made):
    """Registers every name and mines until each has its records."""
    address = node.call("getnewaddress")
    node.call("generatetoaddress", BLOCKS_BEFORE, address)
    params = [[label, None, 1, None, our_text(lines), True] for label, lines in made.items()]
    for label, answer in zip(made, node.call_all("name_register", params)):
        check(not isinstance(answer, Refused), f"{label}: {answer}")
    for _ in range(BLOCKS_MAX):
        settle(node)
        node.call("generatetoaddress", 1, address)
        steps = {it["name"]: it for it in node.call("name_registrations")}
        failed = [it["text"] for it in steps.values() if it["step"] == "failed"]
        check(not failed, f"registrations failed: {failed[:3]}")
        if not any(it["step"] != "done" for it in steps.values()):
            break
    check(all(it["step"] == "done" for it in steps.values()), f"not all names were claimed within {BLOCKS_MAX} blocks")
    shown = node.call_all("name_show", [[label] for label in made])
    for label, info in zip(made, shown):
        check(not isinstance(info, Refused), f"{label}: {info}")
        check(info["state"] == "active" and info["records"], f"{label} has no records: {info['state']}")


def settle(node):
    """Waits until the wallet has done what it can on this tip: the pool is full, or has stayed as it is for a while."""
    size, since, began = -1, time.monotonic(), time.monotonic()
    while time.monotonic() - began < SETTLE_S:
        now = node.call("getmempoolinfo")["size"]
        if now >= PER_PAYER or time.monotonic() - since > STAYED_S:
            return
        if now != size:
            size, since = now, time.monotonic()
        time.sleep(0.02)


def serial(node):
    """The serial of the SOA that the node serves."""
    query = struct.pack(">6H", 1, 0, 1, 0, 0, 0) + name_wire((b"p2p",)) + struct.pack(">2H", 6, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.sendto(query, node.dns)
        answer = read(sock.recv(4096))
    return struct.unpack(">5I", answer.answer[0].rdata[-20:])[0]
