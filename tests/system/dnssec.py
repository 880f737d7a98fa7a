#!/usr/bin/env python3
"""DNSSEC as validators see it: Unbound and delv hold a real node's answers against its anchor.

  dnssec.py [ANSWERS]      10000 unless given; SEED=… replays the choices

Names of every kind are registered on a regtest node, then:

  accepted   ANSWERS answers, each to another question, in equal parts of six kinds: there is data; no such type; no such
             name; a wildcard; an empty non-terminal; behind a delegation without DS. The first five must come back from a
             validating Unbound with AD and as they are, the sixth without AD. One in twenty is asked through delv as well.
  refused    a tenth as many, changed on the way between node and Unbound: SERVFAIL. delv looks at one in twenty of them.
  roll       the key is rolled twice, the second time to the other algorithm, while questions go on: none may fail.

A change that would leave the message saying the same must not count as one. So only what a proof rests on is changed:
records that are signed (never a CNAME made of a DNAME, never glue), their signatures, NSEC records; a bit is never the one
that makes a capital of a letter; TTLs, order and names' compression stay; a record that is put in another's place says
something else. And every message that Unbound gets in this part was taken apart and put together again by the same code:
those that were not changed in between must be accepted.

Needs root for a name server of a delegated name on 127.0.0.77 port 53, unbound, and delv (bind9-dnsutils).
"""

import contextlib
import functools
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time

import dns_wire as dns
import nodes
from dns_wire import A, AAAA, CNAME, DNAME, DS, MX, NOERROR, NSEC, NXDOMAIN, RRSIG, SERVFAIL, SOA, SRV, TXT
from nodes import Lost, Node, check

CHILD = ("127.0.0.77", 53)
# What the delegated names have.
BEHIND = "192.0.2.99"
TLD = "p2p"
DELV_SHARE = 20
KINDS = ("data", "no type", "no name", "wildcard", "empty", "insecure")
TYPES = {A: "A", AAAA: "AAAA", MX: "MX", TXT: "TXT", SRV: "SRV", DS: "DS", SOA: "SOA", dns.DNSKEY: "DNSKEY"}


# Names of every kind

HOSTS, EMPTY, CUTS = 90, 90, 120


def record(owner, kind, data):
    return {"owner": owner, "type": kind, "ttl": 300, "data": data}


def zones(answers):
    """Names with their records, so many that each question can be another one."""
    each = answers // len(KINDS) + answers // 10 // len(KINDS) + 60
    names = {
        "wild": [record("*", "A", "192.0.2.8"), record("*", "TXT", "Wild"), record("*.alias", "CNAME", "WWW"),
                 record("www", "A", "192.0.2.10"), record("old", "DNAME", "wild.p2p."), record("*.deep.x", "A", "192.0.2.9")],
        "kids": [record("ns", "A", CHILD[0])],
        "bare": [],
    }
    for number in range(each // (2 * HOSTS) + 1):
        names[f"host{number}"] = [it for host in range(HOSTS) for it in (
            record(f"h{host}", "A", f"198.51.100.{host}"), record(f"h{host}", "TXT", f"Host{host}"))]
    for number in range(each // (4 * EMPTY) + 1):
        names[f"empty{number}"] = [record(f"x.e{at}", "A", "192.0.2.1") for at in range(EMPTY)]
    for number in range(each // CUTS + 1):
        names[f"cut{number}"] = [record(f"d{at}", "NS", "ns.kids.p2p.") for at in range(CUTS)]
    return names


def questions(names, rng):
    """For each kind an endless supply of questions (name, type) that were not asked before."""
    hosts = [f"h{host}.{name}.{TLD}" for name in names if name.startswith("host") for host in range(HOSTS)]
    empties = [f"e{at}.{name}.{TLD}" for name in names if name.startswith("empty") for at in range(EMPTY)]
    cuts = [f"d{at}.{name}.{TLD}" for name in names if name.startswith("cut") for at in range(CUTS)]
    for some in (hosts, empties, cuts):
        rng.shuffle(some)
    fresh = lambda: "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=12))  # noqa: E731

    def no_name():
        below = ["", "bare.", "www.wild.", "dotp2p.", "ns.dotp2p."] + [f"{rng.choice(hosts)[:-len(TLD) - 1]}." for _ in range(4)]
        while True:
            yield f"{'a.' * rng.randrange(3)}{fresh()}.{rng.choice(below)}{TLD}", rng.choice((A, AAAA, TXT))

    def wildcard():
        while True:
            yield from ((f"{fresh()}.wild.{TLD}", A), (f"q.{fresh()}.wild.{TLD}", TXT), (f"{fresh()}.alias.wild.{TLD}", A),
                        (f"{fresh()}.wild.{TLD}", MX), (f"{fresh()}.deep.x.wild.{TLD}", A))

    def data():
        for host in hosts:
            yield from ((host, A), (host, TXT))

    def no_type():
        for kind in (MX, AAAA, SRV, DS):
            yield from ((host, kind) for host in hosts)

    def empty():
        for kind in (A, MX, TXT, AAAA):
            yield from ((name, kind) for name in empties)

    def insecure():
        yield from ((f"{fresh()}.{cut}", A) for cut in cuts)

    return {"data": data(), "no type": no_type(), "no name": no_name(), "wildcard": wildcard(), "empty": empty(), "insecure": insecure()}


def is_as_expected(kind, question, answer):
    """Whether an answer of Unbound is what the names say, with AD where it is signed."""
    name, qtype = question
    host = int(name.split(".")[0][1:]) if kind == "data" else 0
    rcode, data = NOERROR, []
    if kind == "data":
        data = [socket.inet_aton(f"198.51.100.{host}")] if qtype == A else [dns.put_name([f"Host{host}".encode()])[:-1]]
    elif kind == "no name":
        rcode = NXDOMAIN
    elif kind == "insecure":
        data = [socket.inet_aton(BEHIND)]
    elif kind == "wildcard" and qtype != MX:
        data = [b"\x04Wild"] if qtype == TXT else None
    is_data = answer.data(qtype) == data if data is not None else len(answer.data(A)) == 1
    return answer.rcode == rcode and is_data and answer.is_authentic == (kind != "insecure")


# The delegated names' server

class Child(socketserver.BaseRequestHandler):
    """Says that every name has the address BEHIND, and nothing else."""

    def handle(self):
        data, sock = self.request
        asked = dns.Message(data)
        answer = [dns.Record(0, asked.qname, A, 60, socket.inet_aton(BEHIND))] if asked.qtype == A else []
        reply = dns.Message(data)
        reply.flags, reply.records = 0x8400, answer
        sock.sendto(reply.encode(), self.client_address)


# On the way from the node to Unbound

class Proxy:
    """A name server that asks the node and changes what it was told to. UDP and TCP on one port."""

    def __init__(self, node):
        self.node, self.changes, self.port = node, {}, 0
        proxy = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                data, sock = self.request
                sock.sendto(proxy.answer(data), self.client_address)

        class Tcp(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    while True:
                        data = dns.receive(self.request, struct.unpack(">H", dns.receive(self.request, 2))[0])
                        reply = proxy.answer(data)
                        self.request.sendall(struct.pack(">H", len(reply)) + reply)

        for _ in range(20):
            self.udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Udp)
            self.port = self.udp.server_address[1]
            try:
                self.tcp = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Tcp)
                break
            except OSError:
                self.udp.server_close()
        for server in (self.udp, self.tcp):
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def answer(self, query):
        message = dns.Message(dns.over_tcp(self.node.dns, query))
        qname = tuple(label.lower() for label in message.qname)
        for length in range(len(qname) + 1):
            # A question, or whatever is asked at and below a name.
            change = self.changes.get((qname[length:], None if length else message.qtype)) or self.changes.get((qname[length:], None))
            if change:
                change(message)
        return message.encode()

    def close(self):
        for server in (self.udp, self.tcp):
            server.shutdown()
            server.server_close()


def sets_of(message, *kinds):
    """(section, owner, type) of the signed RRsets that the answer rests on, of some types if they are given."""
    signed = {(it.section, it.owner, struct.unpack_from(">H", it.rdata)[0]) for it in message.records if it.type == RRSIG and it.section < 2}
    qname = tuple(label.lower() for label in message.qname)
    # Of a chain a resolver may take the first link and ask for the next itself.
    first = [it for it in signed if it[0] == 0 and (it[1] == qname or it[2] == DNAME)]
    rests_on = [it for it in signed if it[0] == 1] + (first or [it for it in signed if it[0] == 0])
    return sorted(it for it in rests_on if not kinds or it[2] in kinds)


def is_of(record, which):
    section, owner, kind = which
    return (record.section, record.owner, record.type) == (section, owner, kind)


def signs(record, which):
    section, owner, kind = which
    return (record.section, record.owner, record.type) == (section, owner, RRSIG) and struct.unpack_from(">H", record.rdata)[0] == kind


def flipped(data, at, rng):
    # Never 0x20: it makes a capital of a small letter, which says the same.
    out = bytearray(data)
    out[at] ^= rng.choice((0x01, 0x02, 0x04, 0x08, 0x10, 0x40, 0x80))
    return bytes(out)


def changed(message, is_one, change):
    message.records = [it._replace(rdata=change(it.rdata)) if is_one(it) else it for it in message.records]


def flip_signature(message, rng, _, kinds):
    which = rng.choice(sets_of(message, *kinds))
    changed(message, lambda it: signs(it, which), lambda data: flipped(data, rng.randrange(18 + 5, len(data)), rng))


def flip_signature_head(message, rng, _, kinds):
    which = rng.choice(sets_of(message, *kinds))
    changed(message, lambda it: signs(it, which), lambda data: flipped(data, rng.randrange(2, 18), rng))


def flip_data(message, rng, _, kinds):
    which = rng.choice(sets_of(message, *kinds))
    one = rng.choice([it for it in message.records if is_of(it, which)])
    changed(message, lambda it: it == one, lambda data: flipped(data, rng.randrange(len(data)), rng))


def drop_signature(message, rng, _, kinds):
    which = rng.choice(sets_of(message, *kinds))
    message.records = [it for it in message.records if not signs(it, which)]


def drop_proof(message, rng, *_):
    which = rng.choice(sets_of(message, NSEC))
    message.records = [it for it in message.records if not signs(it, which) and not is_of(it, which)]


def swap(message, _, other, __):
    """Another answer's records under this question, its data at this owner."""
    theirs = tuple(label.lower() for label in other.qname)
    ours = tuple(label.lower() for label in message.qname)
    message.flags = message.flags & ~15 | other.rcode
    message.records = [it._replace(owner=ours if it.owner == theirs and it.section == 0 else it.owner) for it in other.records]


CHANGES = (flip_signature, flip_signature_head, flip_data, drop_signature, drop_proof, swap)


# The validators

def free_address():
    """An address whose port is free for UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                return tcp.getsockname()


class Unbound:
    def __init__(self, folder, name, upstream, anchors):
        self.name, self.folder, self.anchors = name, folder / name, folder / f"{name}.anchors"
        self.log = folder / f"{name}.log"
        self.folder.mkdir()
        self.trust(anchors)
        self.address = free_address()
        config = self.folder / "unbound.conf"
        config.write_text(f"""server:
    interface: 127.0.0.1@{self.address[1]}
    do-ip6: no
    do-daemonize: no
    chroot: ""
    username: ""
    directory: "{self.folder}"
    pidfile: ""
    use-syslog: no
    logfile: ""
    val-log-level: 2
    module-config: "validator iterator"
    do-not-query-localhost: no
    trust-anchor-file: "{self.anchors}"
    target-fetch-policy: "0 0 0 0 0"
stub-zone:
    name: "{TLD}."
    stub-addr: {upstream[0]}@{upstream[1]}
remote-control:
    control-enable: no
""")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([shutil.which("unbound", path=f"{os.environ['PATH']}:/usr/sbin"), "-d", "-c", str(config)],
                                            stdout=log, stderr=log)
        nodes.until("Unbound's first answer", 20, self.answers)

    def trust(self, anchors):
        self.anchors.write_text(anchors)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        nodes.until("Unbound's answer after a reload", 20, self.answers)

    def answers(self):
        try:
            return dns.ask(self.address, f"{TLD}.", SOA, seconds=2, tries=1).rcode != 5
        except (OSError, TimeoutError):
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def said(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def delv(unbound, anchors, name, qtype):
    """What delv says of a name: the lines that tell how far it believes."""
    line = ["delv", f"@{unbound.address[0]}", "-p", str(unbound.address[1]), "-a", str(anchors), f"+root={TLD}", "+cdflag",
            f"{name}.", TYPES[qtype]]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def delv_all(unbound, anchors, asked):
    """Several delv at a time; their words in order."""
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda it: delv(unbound, anchors, *it), asked))


# The parts

class Trial:
    def __init__(self, folder, answers, seed):
        self.folder, self.answers, self.seed = folder, answers, seed
        self.node = Node(folder, "node")
        self.unbounds, self.proxy, self.child = [], None, None
        self.names = zones(answers)

    def cli(self, *args, ok=True):
        env = {**os.environ, "DOTP2P_NETWORK": "regtest", "DOTP2P_DATA_DIR": str(self.node.folder)}
        done = subprocess.run([nodes.BINARY, *args], capture_output=True, text=True, env=env, check=False, timeout=60)
        check((done.returncode == 0) == ok, f"{args}: {done.stdout}{done.stderr}")
        return done.stdout if ok else done.stderr

    def anchors(self):
        return (self.node.dir / "dnssec.anchor").read_text()

    def unbound(self, name, upstream):
        self.unbounds.append(Unbound(self.folder, name, upstream, self.anchors()))
        return self.unbounds[-1]

    def set_up(self):
        node = self.node
        node.create_wallet()
        node.start()
        node.address = node.call("getnewaddress")
        node.call("generatetoaddress", 120, node.address)
        for name, records in self.names.items():
            node.call("name_register", name, records, 1)
        began = time.monotonic()
        while sum(it["state"] == "active" for it in node.call("name_list")) < len(self.names):
            check(time.monotonic() - began < 600, f"not registered in time: {node.call('name_registrations')}")
            node.call("generatetoaddress", 1, node.address)
        node.call("generatetoaddress", 3, node.address)
        self.child = socketserver.ThreadingUDPServer(CHILD, Child)
        threading.Thread(target=self.child.serve_forever, daemon=True).start()
        mode = (node.dir / "dnssec.key").stat().st_mode & 0o777
        check(mode == 0o600, f"the key's mode is {mode:o}")
        print(f"{len(self.names)} names registered, in {time.monotonic() - began:.0f} s", flush=True)

    def run(self):
        self.set_up()
        supply = questions(self.names, nodes.derived(self.seed, "questions"))
        figures = [self.accepted(supply), self.refused(supply), self.roll()]
        print("assurance: " + "; ".join(figures))

    def accepted(self, supply):
        unbound = self.unbound("validating", self.node.dns)
        asked = [(KINDS[at % len(KINDS)], next(supply[KINDS[at % len(KINDS)]])) for at in range(self.answers)]
        began = time.monotonic()
        answers = dns.ask_all(unbound.address, [question for _, question in asked])
        bad = []
        for (kind, question), answer in zip(asked, answers):
            if answer is None or not is_as_expected(kind, question, answer):
                bad.append((kind, question, answer and (answer.rcode, answer.is_authentic, answer.data(question[1]))))
        took = time.monotonic() - began
        print(f"Unbound: {len(asked) - len(bad)} of {len(asked)} answers validated, in {took:.0f} s", flush=True)
        check(not bad, f"not as they should be: {len(bad)}, such as {bad[:5]}\n{unbound.said()}")
        share = asked[::DELV_SHARE]
        # Every DELV_SHARE-th would be of two kinds only.
        share = [asked[min(at * DELV_SHARE + at % len(KINDS), len(asked) - 1)] for at in range(len(share))]
        anchors = self.delv_anchors()
        said = delv_all(unbound, anchors, [question for _, question in share])
        for (kind, question), text in zip(share, said):
            wanted = "; unsigned answer" if kind == "insecure" else "fully validated"
            check(wanted in text, f"delv of {kind} {question}: {text}")
        print(f"delv: {len(share)} of {len(share)} answers validated", flush=True)
        return f"{len(asked)} answers validated by Unbound, {len(share)} of them by delv too"

    def delv_anchors(self):
        path = self.folder / "delv.anchors"
        path.write_text(self.cli("dns", "key", "--for", "delv"))
        return path

    def refused(self, supply):
        rng = nodes.derived(self.seed, "changes")
        self.proxy = Proxy(self.node)
        unbound = self.unbound("lied-to", ("127.0.0.1", self.proxy.port))
        count, anchors = max(self.answers // 10, 30), self.delv_anchors()
        cases = []
        controls = [(kind, next(supply[kind])) for kind in KINDS for _ in range(10)]
        for number in range(count):
            kind = KINDS[number % len(KINDS)]
            question = next(supply[kind])
            if kind == "no name":
                # What is below a missing name is decided by the question for that name, which Unbound asks first.
                question = (re.sub(r"^(a\.)+", "", question[0]), question[1])
            change = rng.choice([it for it in CHANGES if it is not drop_proof or kind not in ("data",)])
            if kind == "insecure":
                # The proof that there is no DS is all that is signed there.
                change = rng.choice((flip_signature, flip_signature_head, flip_data, drop_signature, drop_proof))
            other = None
            if change is swap:
                # Data of another host, or what is said of another name.
                other = dns.ask(self.node.dns, *next(supply["data" if kind in ("data", "wildcard") else kind]))
            labels = dns.labels_of(question[0])
            # Several questions are about one host; of any other name all answers are changed, for Unbound may ask for A first.
            at = (labels[1:] if kind == "insecure" else labels, question[1] if kind in ("data", "no type", "empty") else None)
            seed = rng.random()
            # Of a delegation the SOA beside the proof is nobody's business.
            kinds = (NSEC,) if kind == "insecure" else ()
            self.proxy.changes[at] = functools.partial(self.change, change=change, other=other, kinds=kinds, seed=seed)
            cases.append((kind, change.__name__, question))
        answers = dns.ask_all(unbound.address, [question for *_, question in cases], window=16)
        believed, table = [], {}
        for (kind, what, question), answer in zip(cases, answers):
            table[what] = table.get(what, 0) + 1
            if answer is None or answer.rcode != SERVFAIL:
                believed.append((kind, what, question, answer and (answer.rcode, answer.is_authentic)))
        print(f"Unbound: {len(cases) - len(believed)} of {len(cases)} changed answers refused: {table}", flush=True)
        check(not believed, f"believed: {len(believed)}, such as {believed[:8]}\n{unbound.said()}")
        # delv asks for what Unbound would not say (CD) and looks itself. Of a negative answer it looks at the proof, and whether
        # the SOA is right is no matter to it.
        share = [it for it in cases if it[0] == "data" or it[0] != "insecure" and it[1] in ("drop_proof", "swap")]
        share = share[:max(count // DELV_SHARE, 5)]
        for (kind, what, question), text in zip(share, delv_all(unbound, anchors, [it[2] for it in share])):
            check("fully validated" not in text, f"delv believes {kind} {what} {question}: {text}")
        print(f"delv: {len(share)} of {len(share)} refused", flush=True)
        answers = dns.ask_all(unbound.address, [question for _, question in controls])
        for (kind, question), answer in zip(controls, answers):
            check(answer and is_as_expected(kind, question, answer), f"not changed, and refused: {kind} {question}")
        print(f"{len(controls)} of {len(controls)} answers that were not changed accepted on the same way", flush=True)
        return f"{len(cases)} of {len(cases)} changed answers refused"

    @staticmethod
    def change(message, change, other, kinds, seed):
        if sets_of(message, *kinds) and (change is not drop_proof or sets_of(message, NSEC)):
            change(message, random.Random(seed), other, kinds)

    def roll(self):
        unbound, stop, seen, failed = self.unbounds[0], threading.Event(), [0], []
        rng = nodes.derived(self.seed, "roll")
        hosts = [f"h{host}.host0.{TLD}" for host in range(HOSTS)]

        def go_on():
            number = 0
            while not stop.is_set():
                number += 1
                question = (rng.choice(hosts), A) if number % 2 else (f"roll{number}x{rng.randrange(1 << 30)}.{TLD}", A)
                try:
                    answer = dns.ask(unbound.address, *question, seconds=3, tries=5)
                except TimeoutError as error:
                    failed.append((question, str(error)))
                    continue
                seen[0] += 1
                if not answer.is_authentic or answer.rcode not in (NOERROR, NXDOMAIN):
                    failed.append((question, answer.rcode))

        asking = threading.Thread(target=go_on)
        asking.start()
        try:
            self.cli("dns", "key", "roll", "--finish", ok=False)
            for algorithm in ("ecdsap256", "ed25519"):
                old = self.anchors()
                self.cli("dns", "key", "roll", "--algorithm", algorithm)
                self.cli("dns", "key", "roll", ok=False)
                both = self.anchors()
                check(both.startswith(old) and both.count("DNSKEY") == 2, f"anchors: {both}")
                # CDS: what the anchor is to become.
                added = int(both.removeprefix(old).split()[3])
                nodes.until("the node's second key", 20, lambda: [struct.unpack_from(">H", it)[0] for it in
                            dns.ask(self.node.dns, TLD, 59).data(59)] == [added])
                by = {struct.unpack_from(">H", it, 16)[0] for it in dns.ask(self.node.dns, TLD, dns.DNSKEY).data(RRSIG)}
                check(by == {int(line.split()[3]) for line in both.splitlines() if " DS " in line}, f"the keys are signed by {by}")
                unbound.trust(both)
                unbound.reload()
                before = seen[0]
                nodes.until("answers while both keys are trusted", 30, lambda: seen[0] > before + 30)
                check("add --early" in self.cli("dns", "key", "roll", "--finish", ok=False), "a roll ends too soon")
                self.cli("dns", "key", "roll", "--finish", "--early")
                new = self.anchors()
                check(both == old + new, f"anchors: {new}")
                tag = int(new.split()[3])
                nodes.until("the new key's signatures", 20, lambda: {struct.unpack_from(">H", it, 16)[0] for it in
                            dns.ask(self.node.dns, f"h1.host0.{TLD}", A).data(RRSIG)} == {tag})
                before = seen[0]
                nodes.until("answers with the new key", 30, lambda: seen[0] > before + 30)
                unbound.trust(new)
                unbound.reload()
                before = seen[0]
                nodes.until("answers while the new key alone is trusted", 30, lambda: seen[0] > before + 30)
                # Who was not told is not fooled.
                stale = self.folder / f"stale-{algorithm}"
                stale.write_text("trust-anchors {\n" + "".join(
                    f'"{TLD}" static-ds {" ".join(line.split()[3:6])} "{line.split()[6]}";\n'
                    for line in old.splitlines() if " DS " in line) + "};\n")
                text = delv(unbound, stale, f"h2.host0.{TLD}", A)
                check("fully validated" not in text, f"delv believes by the old anchor: {text}")
        finally:
            stop.set()
            asking.join()
        check(not failed, f"{len(failed)} of {seen[0]} answers failed in the roll: {failed[:5]}\n{unbound.said()}")
        print(f"{seen[0]} answers validated through two rolls of the key, none failed", flush=True)
        return f"{seen[0]} answers through two rolls, none failed"

    def end(self):
        for it in self.unbounds:
            it.kill()
        if self.proxy:
            self.proxy.close()
        if self.child:
            self.child.shutdown()
            self.child.server_close()


def main():
    answers, seed = nodes.asked("answers", 10_000)
    for command in ("delv", "unbound"):
        if not shutil.which(command, path=f"{os.environ['PATH']}:/usr/sbin"):
            sys.exit(f"{command} is missing: apt-get install unbound bind9-dnsutils")
    with nodes.scratch("dnssec") as folder:
        trial = Trial(pathlib.Path(folder), answers, seed)
        try:
            return nodes.finish(trial.run, lambda: [trial.node])
        finally:
            trial.end()


if __name__ == "__main__":
    sys.exit(main())
