"""Questions to a zone, each drawn from the seed and its number alone, so that one can be asked again by itself.

Not asked: what makes long names out of a DNAME, in little room, and very long ones over UDP, where 1232 bytes is all that any
of the servers sends. Servers compress such chains more or less well, BIND and we better than Knot and NSD, so that one has room
left where another has none, and none of them is wrong.
"""

import collections

import nodes
from compare_wire import AD, CD, CLASS_CH, CLASS_IN, DO, RD, TYPES, Edns, lower, name_text, query, question_wire, type_text

Question = collections.namedtuple("Question", "number kind name type klass flags edns tcp wire")

ANY, A, NS, CNAME, SOA, TXT, AAAA, DNAME, DS = (TYPES[it] for it in ("ANY", "A", "NS", "CNAME", "SOA", "TXT", "AAAA", "DNAME", "DS"))
ASKED = [TYPES[it] for it in ("A", "A", "AAAA", "MX", "TXT", "NS", "SOA", "CNAME", "DNAME", "DS", "SRV", "HTTPS", "CAA", "TLSA", "PTR", "HINFO",
                              "NSEC", "DNSKEY", "NULL", "LOC", "WALLET")] + [65280, 65535, 1000]
PAYLOADS = (0, 511, 512, 513, 600, 700, 800, 1000, 1200, 1231, 1232, 1233, 1400, 4096, 65535)
CLASS_NONE, CLASS_HS = 254, 4
# So many bytes before a DNAME's owner stand in every link of a chain, twice: more of them may fill a UDP answer.
LONG, VERY_LONG = 20, 80

# What is asked, and how often of a hundred.
KINDS = {
    "existing": 20, "wrong type": 8, "missing": 8, "missing name": 3, "wildcard": 10, "wildcard itself": 1, "empty non-terminal": 3,
    "at a cut": 7, "below a cut": 8, "below a DNAME": 9, "alias": 7, "big": 7, "apex": 3, "ANY": 3, "elsewhere": 2, "class": 1,
}


class Zone:
    """What there is to ask for, from the owners of the zone and their types."""

    def __init__(self, owners):
        self.owners = {owner: sorted(types) for owner, types in owners.items()}
        self.all = sorted(self.owners)
        self.apex = min(self.all, key=len)
        self.names = sorted({owner[-2:] for owner in self.all if len(owner) > 1})
        above = {owner[at:] for owner in self.all for at in range(1, len(owner))}
        self.empty = sorted(it for it in above if it not in self.owners and len(it) > 1)
        self.nodes = sorted({*above, *self.all} - {()})
        self.cuts = [it for it in self.with_type(NS) if it != self.apex]
        self.dnames, self.aliases = self.with_type(DNAME), self.with_type(CNAME)
        self.redirecting = set(self.dnames)
        self.long = {it for it in self.dnames if len(owners[it][DNAME][0]) > 60}
        self.data = owners
        self.wildcards = [it for it in self.all + self.empty if it[0] == b"*"]
        self.below_cuts = [it for it in self.all if any(it[at:] in set(self.cuts) for at in range(1, len(it)))]
        # An RRset of more than 400 bytes, or near it.
        self.big = [(owner, rtype) for owner in self.all for rtype, data in owners[owner].items() if sum(len(it) + 12 for it in data) > 400]

    def with_type(self, rtype):
        return [owner for owner in self.all if rtype in self.owners[owner]]

    def question(self, seed, number):
        rng = nodes.derived(seed, "question", number)
        kind = rng.choices(list(KINDS), KINDS.values())[0]
        name, rtype, klass = getattr(self, "_" + kind.lower().replace(" ", "_").replace("-", "_"))(rng)
        while sum(len(label) + 1 for label in name) > 254:
            name = name[1:]
        if rng.random() < 0.5:
            name = tuple(mixed(label, rng) for label in name)
        edns = None
        if rng.random() < 0.7:
            edns = Edns(rng.choice(PAYLOADS), 0, 0, DO if rng.random() < 0.4 else 0, b"")
        long = self.made_long(name)
        if long and edns:
            edns = edns._replace(payload=4096)
        flags = sum(bit for bit, chance in ((RD, 0.4), (CD, 0.2), (AD, 0.2)) if rng.random() < chance)
        tcp = rng.random() < 0.25 or (long and not edns) or long == "very"
        return Question(number, kind, name, rtype, klass, flags, edns, tcp, question_wire(name, rtype, klass))

    def made_long(self, name):
        """Whether a DNAME makes long names of this one; "very" for long ones, and for a loop, whose length is each server's choice."""
        name = lower(name)
        dname = next((name[at:] for at in range(1, len(name)) if name[at:] in self.redirecting), None)
        if dname is None:
            return False
        kept = sum(len(label) + 1 for label in name[:-len(dname)])
        if kept <= LONG and dname not in self.long:
            return False
        return "very" if kept > VERY_LONG or dname[0].startswith(b"loop") else True

    # A name, a type and a class of each kind

    def _existing(self, rng):
        owner = rng.choice(self.all)
        return owner, rng.choice(self.owners[owner]), CLASS_IN

    def _wrong_type(self, rng):
        return rng.choice(self.all), rng.choice(ASKED), CLASS_IN

    def _missing(self, rng):
        return new_labels(rng, rng.choice((1, 1, 1, 2, 4))) + rng.choice(self.nodes), rng.choice(ASKED), CLASS_IN

    def _missing_name(self, rng):
        label = rng.choice((b"not-there-9", b"-x-", b"_dmarc", b"a.b", b"*", b"name-001x", bytes([rng.randrange(256)]), b"\0"))
        return new_labels(rng, rng.choice((0, 0, 1, 3))) + (label,) + self.apex, rng.choice(ASKED), CLASS_IN

    def _wildcard(self, rng):
        wild = rng.choice(self.wildcards)
        types = self.owners.get(wild) or ASKED
        return new_labels(rng, rng.choice((1, 1, 2, 3))) + wild[1:], rng.choice((*types, rng.choice(ASKED))), CLASS_IN

    def _wildcard_itself(self, rng):
        wild = rng.choice(self.wildcards)
        return rng.choice(((), (b"*",), (b"a",))) + wild, rng.choice(self.owners.get(wild, []) + ASKED), CLASS_IN

    def _empty_non_terminal(self, rng):
        return rng.choice(self.empty), rng.choice(ASKED), CLASS_IN

    def _at_a_cut(self, rng):
        return rng.choice(self.cuts), rng.choice((DS, DS, NS, NS, A, SOA, CNAME, rng.choice(ASKED))), CLASS_IN

    def _below_a_cut(self, rng):
        name = rng.choice(self.below_cuts) if rng.random() < 0.4 else new_labels(rng, rng.choice((1, 2, 3))) + rng.choice(self.cuts)
        return name, rng.choice((A, DS, NS, rng.choice(ASKED))), CLASS_IN

    def _below_a_dname(self, rng):
        if rng.random() < 0.1:  # What comes out of it may be too long.
            labels = tuple(bytes([97 + rng.randrange(26)]) * rng.randrange(20, 64) for _ in range(rng.randrange(1, 4)))
        else:
            labels = rng.choice((new_labels(rng, rng.choice((1, 2))), (b"a",), (b"a",), (b"c",), (b"x", b"b"), (b"www",), (b"mail",)))
        return labels + rng.choice(self.dnames), rng.choice((A, A, TXT, CNAME, DNAME, rng.choice(ASKED))), CLASS_IN

    def _alias(self, rng):
        return rng.choice(self.aliases), rng.choice((A, A, AAAA, CNAME, TXT, NS, DS, rng.choice(ASKED))), CLASS_IN

    def _big(self, rng):
        return *rng.choice(self.big), CLASS_IN

    def _apex(self, rng):
        labels = rng.choice(((), (), (), (b"dotp2p",), (b"ns", b"dotp2p"), (b"NS", b"dotp2p"), (b"a", b"ns", b"dotp2p"), (b"x", b"dotp2p")))
        return labels + self.apex, rng.choice((SOA, NS, A, AAAA, DS, rng.choice(ASKED))), CLASS_IN

    def _any(self, rng):
        where = rng.choice((self.all, self.all, self.nodes, self.aliases, self.cuts, self.dnames))
        return rng.choice(((), (), (), (b"a",))) + rng.choice(where), ANY, CLASS_IN

    def _elsewhere(self, rng):
        return rng.choice(((), (b"example",), (b"www", b"example", b"com"), (b"p2p", b"example"), (b"p2pp",), (b"a.p2p",))), rng.choice(ASKED), CLASS_IN

    def _class(self, rng):
        return rng.choice(self.all), rng.choice(ASKED), rng.choice((CLASS_CH, CLASS_HS, CLASS_NONE))


def new_labels(rng, count):
    """Labels that most likely are nowhere else."""
    return tuple(bytes(rng.choice(b"abcdefghijklmnopqrstuvwxyz0123456789-_") for _ in range(rng.choice((1, 3, 8, 20)))) for _ in range(count))


def mixed(label, rng):
    """A label with each letter's case as it falls (0x20)."""
    return bytes(octet ^ 0x20 if chr(octet).isalpha() and octet < 128 and rng.random() < 0.5 else octet for octet in label)


def packet(question, number):
    """The question on the wire, with an id."""
    return query(number, question.name, question.type, question.klass, question.flags, 0, question.edns)


def question_text(question):
    edns = f"EDNS {question.edns.payload}{' DO' if question.edns.flags else ''}" if question.edns else "no EDNS"
    flags = "".join(f" {name}" for name, bit in (("RD", RD), ("AD", AD), ("CD", CD)) if question.flags & bit)
    klass = "" if question.klass == CLASS_IN else f" class {question.klass}"
    return f"question {question.number} ({question.kind}): {name_text(question.name)} {type_text(question.type)}{klass}, {'TCP' if question.tcp else 'UDP'}, {edns}{flags}"
