"""DNS messages as bytes, as far as the tests change and compare them. Standard library only."""

import collections
import random
import socket
import struct

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, DNAME, DS, RRSIG, NSEC, DNSKEY = 1, 2, 5, 6, 12, 15, 16, 28, 33, 39, 43, 46, 47, 48
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3

# Owner in lower case, as labels; `rdata` without compression.
Record = collections.namedtuple("Record", "section owner type ttl rdata")


def labels_of(text):
    return tuple(label.encode("latin-1") for label in text.rstrip(".").split(".")) if text.rstrip(".") else ()


def put_name(labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def get_name(message, at):
    """Labels, and where the name ends."""
    labels, end = [], None
    while True:
        length = message[at]
        if length >= 0xC0:
            end = end or at + 2
            at = struct.unpack_from(">H", message, at)[0] & 0x3FFF
        elif length == 0:
            return tuple(labels), end or at + 1
        else:
            labels.append(message[at + 1:at + 1 + length])
            at += 1 + length


def plain(message, at, length, kind):
    """RDATA without compression, which servers use in the types of RFC 1035."""
    before, names = {NS: (0, 1), CNAME: (0, 1), PTR: (0, 1), SOA: (0, 2), MX: (2, 1)}.get(kind, (0, 0))
    out, end = message[at:at + before], at + length
    at += before
    for _ in range(names):
        labels, at = get_name(message, at)
        out += put_name(labels)
    return out + message[at:end]


def question(name, kind, flags=0x0100, payload=1232):
    """A query with DO, and its id."""
    number = random.SystemRandom().randrange(1 << 16)
    opt = b"\0" + struct.pack(">HHIH", 41, payload, 0x8000, 0)
    return number, struct.pack(">6H", number, flags, 1, 0, 0, 1) + put_name(labels_of(name)) + struct.pack(">2H", kind, 1) + opt


class Message:
    """A message taken apart: its id and flags, its question, its records but OPT."""

    def __init__(self, data):
        self.number, self.flags, _, *counts = struct.unpack_from(">6H", data)
        self.qname, at = get_name(data, 12)
        self.qtype, = struct.unpack_from(">H", data, at)
        at += 4
        self.records = []
        for section, count in enumerate(counts):
            for _ in range(count):
                owner, at = get_name(data, at)
                kind, _, ttl, length = struct.unpack_from(">HHIH", data, at)
                at += 10
                if kind != 41:
                    rdata = plain(data, at, length, kind)
                    self.records.append(Record(section, tuple(it.lower() for it in owner), kind, ttl, rdata))
                at += length

    @property
    def rcode(self):
        return self.flags & 15

    @property
    def is_authentic(self):
        return bool(self.flags & 0x20)

    def data(self, kind):
        return sorted(it.rdata for it in self.records if it.section == 0 and it.type == kind)

    def encode(self):
        """Written out again, owners uncompressed, with an OPT record that has DO."""
        counts = [sum(it.section == section for it in self.records) for section in range(3)]
        out = struct.pack(">6H", self.number, self.flags, 1, counts[0], counts[1], counts[2] + 1)
        out += put_name(self.qname) + struct.pack(">2H", self.qtype, 1)
        for section in range(3):
            for it in self.records:
                if it.section == section:
                    out += put_name(it.owner) + struct.pack(">HHIH", it.type, 1, it.ttl, len(it.rdata)) + it.rdata
        return out + b"\0" + struct.pack(">HHIH", 41, 1232, 0x8000, 0)


def ask(server, name, kind, flags=0x0100, seconds=10, tries=3):
    """One question over UDP, over TCP where the answer says so."""
    number, query = question(name, kind, flags)
    for _ in range(tries):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(seconds)
            sock.sendto(query, server)
            try:
                data = sock.recv(65535)
            except TimeoutError:
                continue
        if data[2] & 2:
            data = over_tcp(server, query, seconds)
        message = Message(data)
        if message.number == number:
            return message
    raise TimeoutError(f"{server} does not answer {name} {kind}")


def receive(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise ConnectionError("the connection was closed")
        data += more
    return data


def over_tcp(server, query, seconds=10):
    with socket.create_connection(server, timeout=seconds) as sock:
        sock.sendall(struct.pack(">H", len(query)) + query)
        return receive(sock, struct.unpack(">H", receive(sock, 2))[0])


def ask_all(server, questions, window=48, seconds=20):
    """Answers to many questions (name, type), so many at a time, in order; None where none came."""
    answers, waiting, queue = [None] * len(questions), {}, list(enumerate(questions))[::-1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        while queue or waiting:
            while queue and len(waiting) < window:
                at, (name, kind) = queue.pop()
                number, query = question(name, kind)
                while number in waiting:
                    number, query = question(name, kind)
                waiting[number] = at
                sock.sendto(query, server)
            try:
                data = sock.recv(65535)
            except TimeoutError:
                waiting.clear()
                continue
            at = waiting.pop(struct.unpack_from(">H", data)[0], None)
            if at is None:
                continue
            if data[2] & 2:
                _, query = question(*questions[at])
                data = over_tcp(server, query)
            answers[at] = Message(data)
    return answers
