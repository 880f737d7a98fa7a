#!/usr/bin/env python3
"""Compares what name servers answer with examples/hello.expected, and with each other.

  answers.py clients --name alice --server IP --port PORT     dig, kdig and drill against the file
  answers.py knot    --name alice --server IP --port PORT --knot-port PORT     ours against Knot's
  answers.py free-port

The file says in its head what its lines mean. Its names end in hello.p2p.; here another name stands in their place.
Answers are compared as sets of records a section, each record in one form whoever printed it (`canonical`).
"""

import argparse
import collections
import pathlib
import re
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXPECTED = ROOT / "examples" / "hello.expected"
SECTIONS = ("answer", "authority", "additional")
TIMEOUT_S = 20

Question = collections.namedtuple("Question", "name type")
Answer = collections.namedtuple("Answer", "status aa answer authority additional")


# The file


def read_expected(name):
    """The questions of the file and what must be heard, with `name` in the place of hello."""
    asked = []
    for line in EXPECTED.read_text().splitlines():
        if not line.strip() or line.startswith(";"):
            continue
        line = re.sub(r"(?i)\bhello\.p2p\.", f"{name}.p2p.", line)
        word, rest = line.split(" ", 1)
        if word == "query":
            asked.append((Question(*rest.split()), {"status": None, **{section: [] for section in SECTIONS}}))
        elif word == "status":
            status, *aa = rest.split()
            asked[-1][1].update(status=status, aa=aa == ["aa"])
        elif word in SECTIONS:
            asked[-1][1][word].append(canonical(rest))
        else:
            sys.exit(f"{EXPECTED}: {line!r} is not understood")
    return [(question, Answer(**{k: sorted(v) if isinstance(v, list) else v for k, v in said.items()}))
            for question, said in asked]


# One form for each record


def words(text):
    """Splits at blanks; a quoted string is one word, with its quotes."""
    return re.findall(r'"(?:[^"\\]|\\.)*"|\S+', text)


def octets(text):
    r"""The octets of a string: quotes and \DDD and \X undone."""
    text = text[1:-1] if text.startswith('"') else text
    out = re.sub(r"\\(\d{3}|.)", lambda m: chr(int(m[1])) if len(m[1]) == 3 else m[1], text)
    return out.encode("latin-1")


def canonical(record):
    """`OWNER TTL IN TYPE RDATA`, the same for the same record whichever program printed it."""
    owner, ttl, klass, rtype, *rdata = words(record)
    rtype = {"TYPE64": "SVCB", "TYPE65": "HTTPS"}.get(rtype, rtype)
    if rdata[:1] == [r"\#"]:
        rdata = [r"\#", rdata[1], "".join(rdata[2:]).upper()]
    elif rtype in ("TLSA", "SSHFP", "DS"):
        head = 2 if rtype == "SSHFP" else 3
        rdata = rdata[:head] + ["".join(rdata[head:]).upper()]
    elif rtype == "OPENPGPKEY":
        rdata = ["".join(rdata)]
    elif rtype in ("TXT", "HINFO", "NAPTR", "CAA", "URI"):
        rdata = [octets(word).hex() if word.startswith('"') or rtype in ("TXT", "HINFO") else word for word in rdata]
    elif rtype == "LOC":
        rdata = [f"{float(word.rstrip('m')):g}" if re.fullmatch(r"-?[\d.]+m?", word) else word for word in rdata]
    elif rtype in ("SVCB", "HTTPS"):
        rdata = rdata[:2] + [word.replace('"', "") for word in " ".join(rdata[2:]).split()]
    elif rtype == "SOA":
        rdata[2] = "SERIAL"
    return " ".join([owner.lower(), ttl, klass, rtype, *rdata])


# The programs


def command(client, server, port, question, tcp):
    """How `client` asks: class IN, recursion not desired, DO set."""
    name, rtype = question
    if client == "dig":
        return ["dig", f"@{server}", "-p", str(port), "+norec", "+dnssec", "+nosplit", "+tries=2", "+time=5",
                "+tcp" if tcp else "+notcp", "-q", name, "-t", rtype]
    if client == "kdig":
        return ["kdig", f"@{server}", "-p", str(port), "+norec", "+dnssec", "+retry=1", "+time=5",
                "+tcp" if tcp else "+notcp", "-q", name, "-t", rtype]
    if client == "drill":
        return ["drill", "-D", "-a", "-o", "rd", "-p", str(port), "-t" if tcp else "-u", name, f"@{server}", rtype]
    raise ValueError(client)


HEAD = re.compile(r"->>HEADER<<- opcode: QUERY[,;] (?:status|rcode): (\w+)")
FLAGS = re.compile(r";; flags:([a-z ]*);", re.IGNORECASE)
SECTION = re.compile(r";; (ANSWER|AUTHORITY|ADDITIONAL) SECTION:")
SIGNED = ("RRSIG", "NSEC", "NSEC3")


def ask(client, server, port, question, tcp):
    """What `client` hears; one that answers nothing is an error with what it printed."""
    line = command(client, server, port, question, tcp)
    done = subprocess.run(line, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    head, flags = HEAD.search(done.stdout), FLAGS.search(done.stdout)
    if done.returncode != 0 or not head or not flags:
        raise RuntimeError(f"{' '.join(line)}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    if "tc" in flags[1].split():
        raise RuntimeError(f"{' '.join(line)}\ntruncated, and not asked again\n{done.stdout}")
    sections, into = {section: [] for section in SECTIONS}, None
    for text in done.stdout.splitlines():
        if found := SECTION.match(text):
            into = sections[found[1].lower()]
        elif not text.strip() or text.startswith(";"):
            into = None if not text.strip() else into
        elif into is not None and words(text)[3] not in SIGNED:
            into.append(canonical(text))
    sections = {section: sorted(records) for section, records in sections.items()}
    return Answer(status=head[1], aa="aa" in flags[1].split(), **sections)


def lines(answer):
    yield f"status {answer.status}{' aa' if answer.aa else ''}"
    for section in SECTIONS:
        for record in getattr(answer, section):
            yield f"{section} {record}"


def difference(left, right):
    left, right = collections.Counter(lines(left)), collections.Counter(lines(right))
    return [f"  - {it}" for it in (left - right).elements()] + [f"  + {it}" for it in (right - left).elements()]


# The comparisons


def clients(args):
    bad = 0
    asked = read_expected(args.name)
    for client in ("dig", "kdig", "drill"):
        for tcp in (False, True):
            right = 0
            for question, expected in asked:
                differs = difference(expected, ask(client, args.server, args.port, question, tcp))
                if differs:
                    print(f"{client} {'TCP' if tcp else 'UDP'} {question.name} {question.type}", *differs, sep="\n")
                right += not differs
            print(f"{client:5} {'TCP' if tcp else 'UDP'}: {right} of {len(asked)} answers as expected")
            bad += len(asked) - right
    total = 6 * len(asked)
    print(f"assurance: {total - bad} of {total} answers as expected, by dig, kdig and drill over UDP and TCP")
    return bad


# In Knot the name is a zone of its own, signed so that referrals bring their DS; on the chain it is a part of the top-level
# domain's zone. Hence:
LEGITIMATE = """
- The name's own SOA and NS exist in Knot's zone and not in ours: those two questions are not compared.
- The SOA beside an empty answer is the zone's, so owner, RDATA and TTL differ: compared is that there is one.
- Knot adds addresses of targets (MX, SRV, SVCB) to an answer, which is optional (RFC 1034 3.7): beside an authoritative
  answer the additional section is not compared. In a referral it is glue, and compared.
- RRSIG and NSEC of Knot's signed zone are left out.
"""


def shared(answer):
    """The part of an answer in which both servers must agree."""
    is_referral = not answer.aa and any(record.split()[3] == "NS" for record in answer.authority)
    authority = ["(SOA)" if record.split()[3] == "SOA" else record for record in answer.authority]
    return answer._replace(authority=authority, additional=answer.additional if is_referral else [])


def knot(args):
    bad = compared = 0
    for question, _ in read_expected(args.name):
        if question in (Question(f"{args.name}.p2p.", "SOA"), Question(f"{args.name}.p2p.", "NS")):
            continue
        for tcp in (False, True):
            ours = ask("kdig", args.server, args.port, question, tcp)
            theirs = ask("kdig", "127.0.0.1", args.knot_port, question, tcp)
            compared += 1
            differs = difference(shared(theirs), shared(ours))
            if differs:
                print(f"{'TCP' if tcp else 'UDP'} {question.name} {question.type} (- Knot, + ours)", *differs, sep="\n")
                bad += 1
    print(f"Knot and ours: {compared - bad} of {compared} answers equal, but for:{LEGITIMATE}", end="")
    print(f"assurance: {compared - bad} of {compared} answers equal to Knot's")
    return bad


def free_port(_):
    """A port that is free for UDP and TCP on loopback."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind(("127.0.0.1", port))
                except OSError:
                    continue
            print(port)
            return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for run in (clients, knot):
        command_ = commands.add_parser(run.__name__)
        command_.add_argument("--name", required=True)
        command_.add_argument("--server", required=True)
        command_.add_argument("--port", required=True, type=int)
        command_.set_defaults(run=run)
        if run is knot:
            command_.add_argument("--knot-port", required=True, type=int)
    commands.add_parser("free-port").set_defaults(run=free_port)
    args = parser.parse_args()
    return 1 if args.run(args) else 0


if __name__ == "__main__":
    sys.exit(main())
