#!/usr/bin/env python3
"""One `p2p.` zone in Knot, NSD, BIND and ours, the same questions to all four, their answers compared.

  compare.py [QUESTIONS]    20,000 unless told; SEED=… draws zone and questions again, ONLY=… asks the one of that number

Ours is a node on regtest whose names were registered one by one (compare_names), the others have the same records as a zone
file (compare_zone, compare_servers). Rcode, AA, TC and the answer section, as a set of records with their TTLs, must be what at
least two of the three say. Authority and additional section, too, unless the difference is one of those listed in
compare_classes and docs/compared.md, each with its RFC. Anything else is printed with the question, the seed and all four answers,
and fails; SHOW=… says how many (10).

Before it, the cases of RFC 8906 and messages that are none (compare_odd). Needs Debian's knot, nsd and bind9.
"""

import collections
import os
import signal
import subprocess
import sys
import time

import compare_classes
import compare_names
import compare_odd
import compare_servers
import nodes
from compare_ask import Asker
from compare_questions import KINDS, Zone, packet, question_text
from compare_wire import message_text
from compare_zone import names, owners, their_text
from nodes import Node, check

NAMES = 320
PAGE = nodes.ROOT / "docs" / "compared.md"
SHOWN_MAX = int(os.environ.get("SHOW", 10))
OURS = "ours"


class Test:
    def __init__(self, folder, count, seed):
        self.folder, self.count, self.seed = folder, count, seed
        self.node, self.peers = Node(folder, OURS), []
        self.counts, self.kinds, self.found = collections.Counter(), collections.Counter(), 0

    def nodes(self):
        return [self.node, *(Ended(peer) for peer in self.peers)]

    def start(self):
        """The names, in ours and in the others; {server: address}, and the zone to ask about."""
        page = PAGE.read_text()
        check(all(text in page for text in compare_classes.CLASSES.values()), f"{PAGE} does not list what compare_classes does")
        began = time.monotonic()
        made = names(NAMES, nodes.derived(self.seed, "zone"))
        self.node.create_wallet()
        # As the others are: their zone is not signed, and they ask nobody else.
        self.node.start("--dnssec", "false", "--dns-forward", "off")
        compare_names.claim(self.node, made)
        self.peers = compare_servers.peers(self.folder, their_text(made, compare_names.serial(self.node)))
        for peer in self.peers:
            peer.start()
        zone = Zone(owners(made))
        versions = ", ".join(f"{peer.name} {peer.version()}" for peer in self.peers)
        print(f"{len(made)} names with {len(zone.all)} owners and {sum(map(len, made.values()))} records, beside {versions}: {time.monotonic() - began:.0f} s", flush=True)
        return {OURS: self.node.dns, **{peer.name: (compare_servers.HOST, peer.port) for peer in self.peers}}, zone

    def run(self):
        servers, zone = self.start()
        cases, failed, passed = compare_odd.run(servers, OURS, our_version())
        others = ", ".join(f"{peer.name} {passed[peer.name]}" for peer in self.peers)
        print(f"assurance: {cases - failed} of {cases} cases of RFC 8906 and of messages that are none as recommended ({others})", flush=True)
        asker, began = Asker(servers), time.monotonic()
        only = os.environ.get("ONLY")
        for number in [int(only)] if only else range(self.count):
            self.compare(asker, zone, zone.question(self.seed, number), bool(only))
        asker.close()
        self.report(time.monotonic() - began)
        if not only:
            check(set(self.kinds) == set(KINDS) or self.count < 2_000, f"not every kind of question was asked: {dict(self.kinds)}")
        check(not failed and not self.found, f"{failed} cases and {self.found} questions of {self.count} are answered otherwise; SEED={self.seed}")
        self.node.end()

    def compare(self, asker, zone, question, show):
        answers = asker.messages(packet(question, asker.number()), question.tcp)
        theirs = {name: message for name, message in answers.items() if name != OURS}
        wrong, classes = compare_classes.differences(zone, question, answers[OURS], theirs)
        self.counts.update(classes)
        self.kinds[question.kind] += 1
        if wrong or show:
            self.found += bool(wrong)
            if self.found <= SHOWN_MAX:
                print(f"{question_text(question)}: {'; '.join(wrong) or 'as asked for'}; SEED={self.seed} ONLY={question.number}")
                for name, message in answers.items():
                    print(f"  {name}:", *(f"    {line}" for line in ([message] if isinstance(message, str) else message_text(message))), sep="\n")

    def report(self, seconds):
        for name, count in sorted(self.counts.items()):
            print(f"{count:7} {name}: {compare_classes.CLASSES[name]}")
        asked = sum(self.kinds.values())
        listed = ", ".join(f"{self.counts[name]} {name}" for name in compare_classes.CLASSES)
        print(f"assurance: {asked - self.found} of {asked} answers are those of at least two of Knot, NSD and BIND, but for what is listed "
              f"({listed}); {seconds:.0f} s, seed {self.seed}")


class Ended:
    """A peer, as `nodes.finish` wants what it ends."""

    def __init__(self, peer):
        self.name, self.log, self.kill, self.said = peer.name, peer.log, peer.end, peer.said


def our_version():
    return subprocess.run([nodes.BINARY, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1].encode()


def main():
    count, drawn = nodes.asked("questions", 20_000)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    with nodes.scratch("compare") as folder:
        test = Test(folder, count, drawn)
        return nodes.finish(test.run, test.nodes)


if __name__ == "__main__":
    sys.exit(main())
