"""Scenarios of what nodes tell each other: two islands that become one, and records that no block has yet."""

import json
import os
import re
import time

import nodes
from nodes import A, Refused, TLD, check, until
from payer import Payer

NODES, LEFT = 10, 3
SETUP_S, POOL_S, MERGE_S, HEAL_S, SERVED_S = 120, 3, 60, 300, 2
PAYS = 25  # Of one payer, at most so many wait in a pool.
BLOCKS_MAX = 10
DISCOVERS = os.environ.get("ISLANDS_DISCOVERY", "1") != "0"


def records(ip):
    return [{"owner": "@", "type": "A", "ttl": 60, "data": ip}]


def agree(lan, what="one tip", seconds=SETUP_S):
    return until(what, seconds, lambda: len({node.tip() for node in lan}) == 1)[0]


def generate(node, blocks):
    node.call("generatetoaddress", blocks, node.address)


def fund(node, payers, coins):
    """Gives each account coins."""
    for at in range(0, len(payers), PAYS - 5):
        for payer in payers[at:at + PAYS - 5]:
            node.call("sendtoaddress", payer.address, coins)
        generate(node, 1)


def register(node, names, owners=None):
    """Registers names, for the wallet or for others, and makes the blocks they need."""
    for at in range(0, len(names), 8):
        for number, name in enumerate(names[at:at + 8], at):
            # Five years: one is over after 200 blocks here.
            if owners:
                node.call("name_register", name, None, 5, owners[number].address)
            else:
                node.call("name_register", name, records("192.0.2.1"), 5)
        generate(node, 1)
    waiting = set(names)
    for _ in range(200):
        generate(node, 1)
        waiting &= {it["name"] for it in node.call("name_registrations") if it["step"] != "done"}
        if not waiting:
            return
    nodes.check(False, f"not registered: {sorted(waiting)[:5]}")


class Ops:
    """What is asked on both sides of a split."""

    def __init__(self, count, rng):
        # Of 500: 25 names claimed and 25 nonces used on both sides, 20 names claimed on one, 380 updates and payments.
        self.rivals = [f"rival-{number}" for number in range(max(2, count // 20))]
        self.own = {side: [f"{side}-{number}" for number in range(max(1, count // 50))] for side in ("west", "east")}
        self.torn = [Payer(1_000 + number) for number in range(max(2, count // 20))]
        alone = count - 2 * len(self.rivals) - 2 * len(self.torn) - 2 * len(self.own["west"])
        self.each = 10
        per_side = max(1, round(alone / 2 / self.each))
        self.payers = {side: [Payer(base + number) for number in range(per_side)]
                       for side, base in (("west", 2_000), ("east", 3_000))}
        self.rng = rng

    def accounts(self):
        return [*self.torn, *self.payers["west"], *self.payers["east"]]

    def count(self):
        conflicting = 2 * len(self.rivals) + 2 * len(self.torn)
        signed = self.each * (len(self.payers["west"]) + len(self.payers["east"]))
        return conflicting + signed + len(self.own["west"]) + len(self.own["east"]), conflicting

    def of(self, side):
        """The signed transactions of a side, each payer's in their order: (hex, txid, is conflicting, name, address)."""
        octet = 10 if side == "west" else 20
        chains = []
        for number, payer in enumerate(self.payers[side]):
            chain = []
            for turn in range(self.each):
                if turn % 2 == 0:
                    ip = f"10.{octet}.{number % 256}.{turn}"
                    chain.append((*payer.update(payer.name, ip), False, payer.name, ip))
                else:
                    to = self.rng.choice([it for it in self.accounts() if it is not payer])
                    chain.append((*payer.pay(to, self.rng.randrange(1_000, 1_000_000)), False, None, None))
            chains.append(chain)
        for number, payer in enumerate(self.torn):
            ip = f"10.{octet}.200.{number}"
            chains.append([(*payer.update(payer.name, ip, nonce=0), True, payer.name, ip)])
        mixed = []
        while chains:
            chain = self.rng.choice(chains)
            mixed.append(chain.pop(0))
            if not chain:
                chains.remove(chain)
        return mixed


def islands(net, blocks, rng, goal):
    """Ten nodes on two switches; the cable between the switches is cut, and joined again. At least 20 blocks."""
    spaces = [net.space(f"n{number}") for number in range(NODES)]
    west = net.switch("west", spaces[:LEFT])
    east = net.switch("east", spaces[LEFT:])
    cable, other_end = net.plug(west, east)
    east.do("link", "set", other_end, "master", "br0")
    for number, space in enumerate(spaces):
        space.address(f"10.77.0.{number + 1}", 24)
    lan = [net.node(space) for space in spaces]
    for number, node in enumerate(lan):
        earlier = lan[:number]
        chosen = {earlier[-1], *rng.sample(earlier, min(2, len(earlier)))} if earlier else ()
        node.peers, node.discovers = sorted(it.at() for it in chosen), DISCOVERS
        node.start()
    sides = {"west": lan[:LEFT], "east": lan[LEFT:]}
    heads = {side: its[0] for side, its in sides.items()}
    until("all have peers", SETUP_S, lambda: all(node.peer_count() >= 2 for node in lan))
    for head in heads.values():
        head.create_wallet()
        head.address = head.call("getnewaddress")
        generate(head, 10)
        agree(lan)
    ops = Ops(blocks * 5 // 2, rng)
    accounts = ops.accounts()
    for number, payer in enumerate(accounts):
        payer.name = f"held-{number}"
    generate(heads["west"], 10 * len(accounts) // 50 + 20)
    fund(heads["west"], accounts, 1)
    register(heads["west"], [payer.name for payer in accounts], accounts)
    # Coins for what each side claims while they are apart.
    heads["west"].call("sendtoaddress", heads["east"].address, 400)
    generate(heads["west"], 1)
    agree(lan)
    names = [*ops.rivals, *ops.own["west"], *ops.own["east"], *(payer.name for payer in accounts)]
    signed = {side: ops.of(side) for side in sides}
    common = lan[0].call("getblockcount")
    total, conflicting = ops.count()
    print(f"{common} blocks in common, {len(accounts)} accounts with a name each; {total} ops, {conflicting} of them conflict",
          flush=True)

    west.do("link", "set", cable, "down")
    began = time.monotonic()
    winner = rng.choice(("west", "east"))
    for side, its in sides.items():
        print(f"{side} alone", flush=True)
        apart(its, heads[side], signed[side], [*ops.rivals, *ops.own[side]], blocks + (side == winner), rng)
    loser = "east" if winner == "west" else "west"
    before = {side: nodes.says(heads[side], names) for side in sides}
    check(heads["west"].tip() != heads["east"].tip(), "the sides never parted: the test is wrong")
    for side in sides:
        check(all(before[side][name] for name in (*ops.rivals, *ops.own[side])), f"{side} did not claim its names")
    contested = [name for name in ops.rivals if before["west"][name][1] != before["east"][name][1]]
    check(len(contested) == len(ops.rivals), "a name that is claimed on both sides has one owner: the test is wrong")
    apart_s = time.monotonic() - began
    west.do("link", "set", cable, "up")
    merged_s = agree(lan, "one tip again", HEAL_S)
    goal(merged_s <= MERGE_S, f"one tip {merged_s:.1f} s after the cable was joined, the goal is {MERGE_S} s")
    tip = heads[winner].call("getblockchaininfo")
    check(tip["blocks"] == common + blocks + 1, f"height {tip['blocks']}, not {common + blocks + 1}")
    print(f"apart for {apart_s:.0f} s; one tip {merged_s:.1f} s after; {winner} won", flush=True)

    mined, left = all_mined(lan, heads[winner], heads[loser], signed, ops.own[loser])
    goal(not left, f"{len(left)} transactions that nothing contradicts are not mined {BLOCKS_MAX} blocks after the merge")
    agree(lan, "one tip at the end")
    after = [nodes.says(node, names) for node in lan]
    check(all(it == after[0] for it in after), "two nodes say different things of names")
    for name in ops.rivals:
        check(after[0][name][1] == before[winner][name][1], f"{name} is not of whom the longer chain gave it to")
    expected = {}
    for side in (loser, winner):  # Of a nonce used twice the winner's is what is done.
        late = {name for _, txid, _, name, _ in signed[side] if txid in left}
        expected |= {name: ip for _, _, _, name, ip in signed[side] if name and name not in late}
    for name, ip in expected.items():
        data = after[0][name][3] if after[0][name] else []
        check([it[2] for it in data] == [ip], f"{name} has {data}, not {ip}")
    lost = [it["step"] for it in heads[loser].call("name_registrations") if it["name"] in ops.rivals]
    check("done" not in lost, f"the loser's wallet takes what it lost for its own: {lost}")
    told = ""
    if "name_conflicts" in heads[loser].call("help"):
        conflicts = heads[loser].call("name_conflicts")
        untold = [name for name in ops.rivals if not re.search(rf"\b{name}\b", json.dumps(conflicts))]
        goal(not untold, f"{len(untold)} of {len(ops.rivals)} names that were lost to the other side are not told")
        told = f", {len(conflicts)} conflicts told"
    for node in lan:
        node.end()
        check("panicked" not in node.said(), f"{node.name} panicked")
    print(f"assurance: ten nodes as 3 and 7 for {blocks} blocks each and {total} ops, {conflicting} in conflict: one tip"
          f" {merged_s:.1f} s after they met, a reorganisation of {blocks} blocks; every other transaction mined {mined[0]} blocks"
          f" later, every other registration {mined[1]}; on all ten {len(names)} names as the longer chain gives them{told}")


def apart(its, head, signed, claimed, blocks, rng):
    """A side by itself: its ops, spread over its blocks."""
    start = head.call("getblockcount")
    chunk = max(2, blocks // 20)
    at, made, home = 0, 0, {}
    while made < blocks:
        step = min(chunk, blocks - made)
        upto = len(signed) * (made + step) // blocks
        for encoded, txid, *_ in signed[at:upto]:
            # A payer's go in by one node, and the next when whoever mines has the one before.
            node = home.setdefault(encoded[2:66], rng.choice(its))
            check(node.call("sendrawtransaction", encoded) == txid, f"another txid than {txid}")
            until(f"{head.name} has what {node.name} was given", POOL_S, lambda txid=txid: txid in head.call("getrawmempool"), 0.005)
        at = upto
        # The last ten blocks finish what is begun.
        while claimed and made < blocks - 10 and under_way(head) < 8:
            head.call("name_register", claimed.pop(), records("192.0.2.9"), 5)
        for _ in range(step):
            generate(head, 1)
        made += step
        agree(its)
    check(head.call("getblockcount") == start + blocks, "other blocks than were asked for")


def under_way(node):
    return sum(it["step"] not in ("done", "failed") for it in node.call("name_registrations"))


def agree_on_pool(*its):
    """Waits until all have the same transactions in their pools; what these lack where they never do, in words."""
    def pools():
        return {node: set(node.call("getrawmempool")) for node in its}

    try:
        until("one pool", POOL_S, lambda: len({frozenset(pool) for pool in pools().values()}) == 1, 0.01)
    except nodes.Lost:
        found = pools()
        every = set().union(*found.values())
        return {node.name: [show(its, txid) for txid in sorted(every - pool)[:5]]
                for node, pool in found.items() if pool != every}
    return None


def show(its, txid):
    """A transaction by what it does."""
    for other in its:
        try:
            it = other.call("getrawtransaction", txid, True)
        except Refused:
            continue
        return f"{it['payer'][:16]}'s nonce {it['nonce']} {', '.join(op['op'] for op in it['ops'])}"
    return txid


def all_mined(lan, winner, loser, signed, claimed):
    """Makes blocks until all that nothing contradicts is in them.

    ((blocks for transactions, blocks for registrations), the transactions that are still not in one).
    """
    waiting = {txid for side in signed.values() for _, txid, conflicts, *_ in side if not conflicts}
    in_blocks = in_registrations = None
    for count in range(BLOCKS_MAX + 1):
        found = winner.call_all("getrawtransaction", [[txid, True] for txid in sorted(waiting)])
        waiting = {txid for txid, it in zip(sorted(waiting), found) if isinstance(it, Refused) or not it["confirmations"]}
        if in_blocks is None and not waiting:
            in_blocks = count
        steps = {it["name"]: it["step"] for it in loser.call("name_registrations")}
        if in_registrations is None and all(steps.get(name, "done") == "done" for name in claimed):
            in_registrations = count
        if None not in (in_blocks, in_registrations):
            break
        # What the losing side takes back into its pool is on its way to whoever mines.
        lacking = agree_on_pool(winner, loser)
        if lacking:
            print(f"{count} blocks after the merge these lack: {lacking}", flush=True)
        generate(winner, 1)
        agree(lan)
    check(in_registrations is not None, f"{BLOCKS_MAX} blocks later registrations are not done: {steps}")
    told = f"more than {BLOCKS_MAX}" if in_blocks is None else in_blocks
    return (told, in_registrations), waiting


GRAPHS = ("line", "ring", "random")


def updates(net, rounds, rng, goal):
    """A record that no block has yet, on all ten; it stays after its block, and goes if what carried it is replaced."""
    lan = net.lan([f"n{number}" for number in range(NODES)])
    first, miner = lan[0], lan[5]
    figures, withdrawn = [], []
    for graph in GRAPHS:
        for number, node in enumerate(lan):
            before = {"line": lan[max(0, number - 1):number], "ring": [lan[number - 1]],
                      "random": [*lan[max(0, number - 1):number], *rng.sample([it for it in lan if it is not node], 2)]}[graph]
            node.peers = [it.at() for it in dict.fromkeys(before)]
            node.start()
        links = {"line": NODES - 1, "ring": NODES, "random": NODES - 1}[graph]
        until("all are connected", SETUP_S, lambda: sum(node.peer_count() for node in lan) >= 2 * links)
        if graph == GRAPHS[0]:
            account = prepare(first, miner)
        agree(lan)
        latencies = [one_update(lan, first, miner, f"198.51.100.{number}") for number in range(rounds)]
        withdrawn += [one_replaced(lan, first, account, number) for number in range(max(1, rounds // 3))]
        latencies.sort()
        longest_s = latencies[-1]
        goal(longest_s <= SERVED_S, f"in a {graph}, served everywhere after {longest_s:.2f} s, the goal is {SERVED_S} s")
        figures.append(f"{graph} {latencies[len(latencies) // 2]:.2f} s in the median, {longest_s:.2f} at most")
        print(figures[-1], flush=True)
        for node in lan:
            node.end()
            check("panicked" not in node.said(), f"{node.name} panicked")
    print(f"assurance: {rounds * len(GRAPHS)} updates served by DNS on ten nodes before any block: {'; '.join(figures)}; all"
          f" stayed over their blocks; {len(withdrawn)} replaced by a transaction without them withdrawn everywhere, after"
          f" {max(withdrawn):.2f} s at most")


def prepare(first, miner):
    """A name of the first node's wallet, and one of an account that no wallet has."""
    for node in (first, miner):
        node.create_wallet()
        node.address = node.call("getnewaddress")
    generate(first, 20)
    account = Payer(77)
    fund(first, [account], 100)
    register(first, ["alice"])
    register(first, ["bob"], [account])
    first.call("sendrawtransaction", account.update("bob", "192.0.2.1")[0])
    generate(first, 3)
    return account


def served_everywhere(lan, name, ips, seconds=60):
    """Waits until every node's DNS gives just these; the seconds until the last one did."""
    began, missing = time.monotonic(), list(lan)

    def is_served():
        missing[:] = [node for node in missing if node.resolve(f"{name}.{TLD}", A)[1] != ips]
        return not missing

    try:
        until(f"{name} is {ips} everywhere", seconds, is_served, 0.005)
    except nodes.Lost as error:
        raise nodes.Lost(f"{error}: not on {', '.join(node.name for node in missing)}") from None
    return time.monotonic() - began


def one_update(lan, first, miner, ip):
    height = first.call("getblockcount")
    first.call("name_update", "alice", records(ip))
    took_s = served_everywhere(lan, "alice", [ip])
    check(first.call("getblockcount") == height and first.call("name_show", "alice")["provisional"], "there was a block")
    generate(miner, 1)

    def everywhere():
        for node in lan:
            answer = node.resolve(f"alice.{TLD}", A)
            check(answer == (0, [ip]), f"{node.name} answers {answer} as the block comes, not {ip}")
        return len({node.tip() for node in lan}) == 1

    until("all have the block", SETUP_S, everywhere)
    everywhere()
    check(not lan[-1].call("getrawmempool") and not lan[-1].call("name_show", "alice")["provisional"], "it is not in the block")
    return took_s


def one_replaced(lan, first, account, number):
    """An update, then a payment of the same nonce and a higher fee; the seconds until the update is gone everywhere."""
    before = first.resolve(f"bob.{TLD}", A)[1]
    ip = f"203.0.113.{number}"
    nonce, account.nonce = account.nonce, account.nonce + 1
    first.call("sendrawtransaction", account.update("bob", ip, nonce=nonce)[0])
    served_everywhere(lan, "bob", [ip])
    _, txid = replacement = account.pay(Payer(78), 1_000_000, nonce=nonce, fee=2_000_000)
    lan[-1].call("sendrawtransaction", replacement[0])
    took_s = served_everywhere(lan, "bob", before)
    generate(first, 1)
    agree(lan)
    check(served_everywhere(lan, "bob", before) < 1, "the replaced update came back")
    check(all(not node.call("getrawmempool") for node in lan), "something is left in a pool")
    check(first.call("getrawtransaction", txid, True)["confirmations"] > 0, "the replacement was not mined")
    return took_s
