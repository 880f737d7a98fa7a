#!/usr/bin/env python3
"""Runs what docs/assurance.md promises and writes down the figures it saw.

    assurance/run.py              everything, in full; hours
    assurance/run.py naive model  just these
    assurance/run.py --list       what there is
    assurance/run.py --page       writes the page anew from the figures there are

Each command ends with a line `assurance: figures`; of several each is taken. A goal that was missed is told in a line
`MISSED: …` before it, stands beside the figures, and fails the run. The figures of what was not run stay as they were,
with their date.
"""

import datetime
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "assurance" / "figures.json"
PAGE = ROOT / "docs" / "assurance.md"
BEGIN, END = "<!-- figures: assurance/run.py -->", "<!-- end of figures -->"

# name, promise, how it is tested, command
PROMISES = [
    (
        "naive",
        "Every node gives every name to the same owner",
        "a second implementation, written from the spec alone, sees the same random chains; state, refusals, burns, roots",
        "cargo run --release -p dotp2p-naive -- --ops 10000000",
    ),
    (
        "model",
        "A name changes hands only by its owner's word, its recovery key's, or its expiry; no coin comes from nothing",
        "model checking of owners, thieves, sales, recoveries, expiry and reorganisations",
        "cargo run --release -p dotp2p-model -- --states 10000000",
    ),
    (
        "mutants",
        "The tests would notice if a rule were changed",
        "each rule changed in every way that cargo-mutants knows",
        "assurance/mutants/run.sh",
    ),
    (
        "fuzz",
        "No input crashes, hangs or fills the memory",
        "coverage-guided fuzzing of every decoder, parser and answer path",
        "fuzz/run.sh 600",
    ),
    (
        "kill",
        "What was acknowledged outlives the process",
        "kill -9 at random moments of mining, importing, reorganising and starting",
        "cargo build && python3 tests/system/kill9.py 1000",
    ),
    (
        "powercut",
        "What was acknowledged outlives a power cut",
        "every state that a cut before or after any sync may leave, unsynced writes dropped or torn, is started",
        "cargo build && python3 tests/system/powercut/powercut.py 300",
    ),
    (
        "disk-full",
        "A full disk loses nothing, and answers go on",
        "a small tmpfs filled at random moments",
        "cargo build && python3 tests/system/disk_full.py 200",
    ),
    (
        "damage",
        "A damaged file is found and named, never believed",
        "bytes flipped and files cut short, over all files of the folder",
        "cargo build && python3 tests/system/damage.py 1000",
    ),
    (
        "clock",
        "A wrong clock stops neither DNS nor, once mended, the chain",
        "libfaketime, from ten years behind to ten ahead, and jumps back",
        "cargo build && python3 tests/system/clock.py",
    ),
    (
        "join",
        "A node that joins gets what the others have, whatever stops it meanwhile",
        "2,000 blocks from five nodes over a network of namespaces; again, killed ten times; CPU time beside an import's",
        "cargo build --release && DOTP2P_BIN=target/release/dotp2p python3 tests/system/peers.py join",
    ),
    (
        "nearby",
        "Two nodes on one cable find each other, without anybody's server",
        "namespaces without default route or resolver; link-local and private addresses",
        "cargo build && python3 tests/system/peers.py nearby",
    ),
    (
        "islands",
        "A network that was cut in two becomes one, and everybody agrees who owns what",
        "ten nodes as 3 and 7 for 200 blocks each, 500 ops, 100 of them in conflict",
        "cargo build && python3 tests/system/peers.py islands",
    ),
    (
        "updates",
        "An owner's update is served everywhere before it is in a block",
        "ten nodes in a line, a ring and at random; replaced ones are withdrawn",
        "cargo build && python3 tests/system/peers.py updates",
    ),
    (
        "nat",
        "Nodes behind routers reach each other",
        "two masquerading routers and a third node in the open",
        "cargo build && python3 tests/system/peers.py nat",
    ),
    (
        "psk",
        "Without the key nothing is to be had",
        "a stranger with the network's file and another key",
        "cargo build && python3 tests/system/peers.py psk",
    ),
    (
        "carry",
        "A chain can be carried where no network reaches",
        "export, import into a folder and into a running node",
        "cargo build && python3 tests/system/peers.py carry",
    ),
    (
        "idle",
        "Idle peers cost next to nothing",
        "50 peers for a minute: memory and CPU time",
        "cargo build && python3 tests/system/peers.py idle",
    ),
    (
        "hostile",
        "Whoever has nothing good to say neither fills the memory nor stops the rest",
        "1,000 connections, silent, slow and noisy, of one address and of 500 networks",
        "cargo build && python3 tests/system/peers.py hostile",
    ),
    (
        "flood",
        "Whoever says what is not so is banned, and the rest goes on",
        "50 peers, 1,000 invalid messages a second each, for a minute; they come again under other names",
        "cargo build && python3 tests/system/peers.py flood",
    ),
    (
        "unread",
        "Whoever asks for much and reads nothing holds a bounded part of the memory",
        "50 peers that ask for a megabyte of blocks 20 times a second and never read an answer",
        "cargo build && python3 tests/system/peers.py unread",
    ),
    (
        "dns-flood",
        "A flood of queries neither stops DNS nor reaches anybody else through it",
        "20,000 hostile queries a second from 50 networks beside 1,000 honest ones from 100, then the same beside 5,100 TCP connections",
        "cargo build --workspace && tests/system/dns_flood.py flood",
    ),
    (
        "dns-mutate",
        "No packet stops DNS",
        "ten million queries with wrong bytes over UDP, every 250 of them a good one",
        "cargo build --workspace && tests/system/dns_flood.py mutate",
    ),
    (
        "simulation",
        "Whatever the network does, honest nodes come to one mind, and none of them is banned",
        "the machines of twenty nodes under loss, delay, reordering, partitions, crashes and liars, each run by its seed",
        "SEEDS=10000 cargo test --workspace --test simulation -- --nocapture",
    ),
    (
        "eclipse",
        "Nobody chooses all of a node's peers",
        "1,000 addresses of an attacker in 5 groups against the address book, over 3,000 restarts",
        "cargo test --workspace --test eclipse -- --nocapture",
    ),
    (
        "economics",
        "Difficulty, prices and commitments hold against those who have more",
        "simulations on the real rules, see [economics.md](economics.md)",
        "cargo run --release -p dotp2p-economics",
    ),
    (
        "connect",
        "Verifying is quick",
        "blocks of 600 updates, 6 × 100 and 600 × 1, beside hsd in the same run",
        "benches/hsd/run.sh",
    ),
    (
        "scale",
        "A million names fit a phone",
        "names imported from files at 10⁴, 10⁵ and 10⁶: time, memory, disk, proofs, start",
        "cargo bench --bench scale -- 1000000",
    ),
    (
        "clients",
        "The answers are those of other servers, to the clients people have",
        "dig, kdig, drill; the same zone in Knot",
        "cargo build && tests/system/clients.sh && tests/system/knot.sh",
    ),
    (
        "compare",
        "Whatever is asked, the answer is the one that Knot, NSD and BIND give",
        "one zone of 320 names, every type, in all four; 20,000 drawn questions, their answers compared section by section; RFC 8906",
        "cargo build && python3 tests/system/compare.py 20000",
    ),
    (
        "resolver",
        "A machine can have the node as its only resolver, and its names stay on it",
        "a namespace with its own resolv.conf: getent, curl, a browser, ssh by SSHFP, upstreams that stop, lie in wait or ask back, a capture",
        "cargo build && tests/system/forward.sh",
    ),
    (
        "dnssec",
        "A resolver that trusts a node's key believes every answer of it, and nothing else",
        "Unbound and delv: names of every kind, answers changed on the way, two rolls of the key while questions go on",
        "cargo build && python3 tests/system/dnssec.py 10000",
    ),
]


def run(name, command):
    print(f"\n==== {name}: {command}", flush=True)
    began = time.monotonic()
    figures, missed = [], []
    with subprocess.Popen(["bash", "-c", command], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith("assurance: "):
                figures.append(line.removeprefix("assurance: ").strip())
            if line.startswith("MISSED: "):
                missed.append(line.removeprefix("MISSED: ").strip())
    if not figures or (process.returncode != 0 and not missed):
        reason = f"exit {process.returncode}" if process.returncode else "it printed no line `assurance: …`"
        return None, reason
    figures = "; ".join(figures)
    if missed:
        figures += ". **Missed**: " + "; ".join(missed)
    seconds = round(time.monotonic() - began)
    return {"figures": figures, "seconds": seconds, "date": datetime.date.today().isoformat()}, "; ".join(missed) or None


def known_figures():
    return json.loads(FIGURES.read_text()) if FIGURES.exists() else {}


def write_page(figures):
    rows = ["| promise | how it is tested | what was seen | command |", "|---|---|---|---|"]
    for name, promise, how, command in PROMISES:
        seen = figures.get(name)
        text = f"{seen['figures']} ({seen['date']}, {seen['seconds']} s)" if seen else "not run yet"
        cells = (promise, how, text, f"`{command}`")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n".join(rows) + f"\n\n{END}{after}")


def main():
    names = [promise[0] for promise in PROMISES]
    asked = sys.argv[1:]
    if asked == ["--list"]:
        for name, promise, _, command in PROMISES:
            print(f"{name:10} {promise}\n{'':10} {command}")
        return
    unknown = [name for name in asked if name not in names and name != "--page"]
    if unknown:
        sys.exit(f"no promise is called {', '.join(unknown)}; there are: {' '.join(names)}")
    failed = []
    for name, _, _, command in PROMISES:
        if asked and name not in asked:
            continue
        seen, reason = run(name, command)
        if reason:
            failed.append(f"{name}: {reason}")
        # At once, of what stands there now: an interrupted run keeps what it has, and another may go on beside it.
        figures = known_figures()
        if seen:
            figures[name] = seen
        partial = FIGURES.with_suffix(".new")
        partial.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
        os.replace(partial, FIGURES)
        write_page(figures)
    write_page(known_figures())
    if failed:
        sys.exit("FAILED\n" + "\n".join(failed))


if __name__ == "__main__":
    main()
