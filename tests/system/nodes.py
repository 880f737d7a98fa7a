"""Nodes under test, shared by the scripts here: a process on a folder of its own, asked over JSON-RPC and DNS.

Standard library only. A script ends with `finish`, so that nothing is left running and its folder is removed.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = pathlib.Path(os.environ.get("DOTP2P_BIN", TARGET / "debug" / "dotp2p"))
START_S, CALL_S, END_S = 60, 60, 60
TLD = "p2p"
A, TXT = 1, 16
# A node by itself, wherever this machine is.
ALONE = ("--p2p-listen", "/ip4/127.0.0.1/tcp/0", "--no-discovery")


class Lost(Exception):
    """What must not happen happened."""


class Gone(Exception):
    """The node was killed before it answered."""


class Refused(Exception):
    """The node answers with an error."""


class NotStarted(Exception):
    """The node ended before it was ready; what it said."""


def check(is_so, what):
    if not is_so:
        raise Lost(what)


def until(what, seconds, is_so, every_s=0.1):
    """Waits for something; the seconds it took, and what came of it."""
    began = time.monotonic()
    while True:
        result = is_so()
        if result:
            return time.monotonic() - began, result
        check(time.monotonic() - began < seconds, f"not within {seconds} s: {what}")
        time.sleep(every_s)


class Node:
    """A node on a folder of its own; JSON-RPC over one connection at a time."""

    def __init__(self, folder, name, **env):
        self.name, self.folder, self.env = name, folder / name, env
        self.dir = self.folder / "regtest"
        self.log = folder / f"{name}.log"
        self.process = self.http = self.dns = None
        self.under = []  # A command that runs it, such as a tracer.
        self.address = None

    def run(self, *args):
        env = {**os.environ, "DOTP2P_NETWORK": "regtest", "DOTP2P_DATA_DIR": str(self.folder), "NO_COLOR": "1", **self.env}
        with self.log.open("ab") as log:
            return subprocess.Popen([*self.under, BINARY, *args], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def create_wallet(self):
        check(self.run("wallet", "create").wait(END_S) == 0, f"{self.name}: wallet create failed")

    def launch(self, *args):
        self.process = self.run("node", "--rpc-listen", "127.0.0.1:0", "--dns-listen", "127.0.0.1:0", *ALONE, *args)

    def start(self, *args):
        """Starts the node and waits until its node.json is this process's; gives the seconds it took."""
        began, at = time.monotonic(), self.log.stat().st_size if self.log.exists() else 0
        # A file that is there already may name the same pid: those of the dead are used again.
        old = self.written()
        self.launch(*args)
        while True:
            ended = self.process.poll()
            if ended is not None:
                raise NotStarted(f"{self.name} ended with {ended}: {self.said(at)}")
            check(time.monotonic() - began < START_S, f"{self.name} did not open in {START_S} s: it hangs")
            try:
                about = json.loads((self.dir / "node.json").read_text())
            except (OSError, ValueError):
                about = {}
            if isinstance(about, dict) and about.get("pid") == self.process.pid and self.written() != old:
                break
            time.sleep(0.003)
        took = time.monotonic() - began
        cookie = base64.b64encode((self.dir / ".cookie").read_bytes().strip()).decode()
        self.headers = {"Authorization": f"Basic {cookie}", "Content-Type": "application/json"}
        host, _, port = about["rpc"].rpartition(":")
        self.http = http.client.HTTPConnection(host, int(port), timeout=CALL_S)
        host, _, port = about["dns"][0].rpartition(":")
        self.dns = (host, int(port))
        return took

    def written(self):
        """Which node.json is there, if any."""
        try:
            stat = (self.dir / "node.json").stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    def said(self, since=0):
        """What its log has from an offset on."""
        with self.log.open("rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace").strip()

    def post(self, request):
        try:
            self.http.request("POST", "/", json.dumps(request), self.headers)
            answer = self.http.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.http.close()
            raise Gone(f"{self.name}: {request}: {error!r}") from error
        try:
            return json.loads(text)
        except ValueError:
            raise Lost(f"{self.name}: {request}: HTTP status {answer.status}, {text[:200]!r}") from None

    def call(self, method, *params):
        answer = self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        if "error" in answer:
            raise Refused(f"{self.name}: {method}: {answer['error']}")
        return answer["result"]

    def call_all(self, method, each):
        """One call for each list of parameters, many a request; the answers, errors as `Refused` among them."""
        answers, each = [], list(each)
        for at in range(0, len(each), 40):
            batch = [{"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                     for number, params in enumerate(each[at:at + 40])]
            for one in sorted(self.post(batch), key=lambda one: one["id"]):
                answers.append(Refused(f"{self.name}: {method}: {one['error']}") if "error" in one else one["result"])
        return answers

    def has(self, block_hash):
        try:
            return self.call("getblockheader", block_hash)
        except Refused:
            return None

    def tip(self):
        return self.call("getbestblockhash")

    def resolve(self, name, kind):
        """What DNS answers: the rcode and the sorted data of that type, an address or a text."""
        question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
        query = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + question + struct.pack(">2H", kind, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.sendto(query, self.dns)
            answer = sock.recv(4096)
        _, flags, _, count, _, _ = struct.unpack_from(">6H", answer)
        at, found = 12 + len(question) + 4, []
        for _ in range(count):
            while answer[at] and answer[at] < 0xC0:
                at += 1 + answer[at]
            at += 1 if answer[at] == 0 else 2
            its, _, _, length = struct.unpack_from(">2HIH", answer, at)
            data = answer[at + 10:at + 10 + length]
            at += 10 + length
            if its == kind:
                found.append(socket.inet_ntoa(data) if kind == A else data[1:1 + data[0]].decode())
        return flags & 15, sorted(found)

    def end(self):
        """Ends it as an operator would; it must leave with exit code 0."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(END_S)
        check(code == 0, f"{self.name} ended with exit code {code}")

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(END_S)
        if self.http:
            self.http.close()


def kill_in(process, delay_s):
    """Kills the process after so many seconds, whatever it does then."""
    timer = threading.Timer(delay_s, process.kill)
    timer.daemon = True
    timer.start()


# Blocks from one node to another

def make(node, busy, blocks, chance, rng):
    """Blocks on a node's tip, `busy` putting something into the pool of some; their hashes."""
    made = []
    for _ in range(blocks):
        if rng.random() < chance:
            busy(node)
        made += node.call("generatetoaddress", 1, node.address)
    return made


def give(source, target):
    """Gives `target` the active blocks of `source` that it lacks; their hashes."""
    missing, at = [], source.tip()
    while not target.has(at):
        missing.append(at)
        at = source.call("getblockheader", at)["previousblockhash"]
    for block_hash in reversed(missing):
        target.call("submitblock", source.call("getblock", block_hash, 0))
    return list(reversed(missing))


# What a node says of names

def says(node, names):
    """{name: [owner, until, records]} at the node's tip, over RPC; None for a name that nobody holds."""
    picture = {}
    for name, info in zip(names, node.call_all("name_show", [[name] for name in names])):
        if isinstance(info, Refused):
            raise info
        if info["state"] in ("free", "pending"):
            picture[name] = None
        else:
            picture[name] = [info["state"], info["owner"], info["expires_at"],
                             sorted([it["owner"], it["type"], it["data"]] for it in info["records"])]
    return picture


def check_dns(node, picture, names):
    """DNS gives what the picture says of `names`: the address of the name itself, and its text at `txt`."""
    for name in names:
        held = picture[name]
        for owner, kind, what in (("@", A, "A"), ("txt", TXT, "TXT")):
            expected = [] if not held or held[0] != "active" else sorted(data.strip('"') for at, its, data in held[3] if (at, its) == (owner, what))
            asked = f"{name}.{TLD}" if owner == "@" else f"{owner}.{name}.{TLD}"
            rcode, found = node.resolve(asked, kind)
            check(found == expected and rcode in ((0,) if expected else (0, 3)),
                  f"DNS answers {asked} {what} with {found}, rcode {rcode}; expected {expected}")


# A script's frame

def seed():
    """The seed of this run: SEED, or a new one."""
    return int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))


def asked(what, unless_given):
    """How many of `what` the command line asks for, and the seed; says how to replay them."""
    count, drawn = int(sys.argv[1]) if len(sys.argv) > 1 else unless_given, seed()
    script = pathlib.Path(sys.argv[0]).resolve().relative_to(ROOT)
    print(f"{count} {what}; to replay: SEED={drawn} {script} {count}", flush=True)
    return count, drawn


def derived(*parts):
    """A generator for one part of a run, whatever the other parts drew."""
    text = "/".join(map(str, parts)).encode()
    return random.Random(int.from_bytes(hashlib.sha256(text).digest()[:8]))


@contextlib.contextmanager
def scratch(name, in_memory=False):
    """A folder that is removed at the end; in memory where many copies are made and nothing depends on the disk."""
    check(BINARY.exists(), f"{BINARY} is missing: cargo build")
    shm = pathlib.Path("/dev/shm")
    where = shm if in_memory and os.access(shm, os.W_OK) else None
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"dotp2p-{name}-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def finish(run, nodes):
    """Runs a script's body: exit code 0, or 1 with the reason and the last lines of the nodes' logs."""
    try:
        run()
    except (Lost, Refused, Gone, NotStarted) as error:
        print(f"FAILED: {error}")
        for node in nodes():
            if node.log.exists():
                print(f"--- {node.name}, last lines of its log")
                print("\n".join(node.said().splitlines()[-15:]))
        return 1
    finally:
        for node in nodes():
            node.kill()
    sys.stdout.flush()
    return 0
