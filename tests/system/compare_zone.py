"""One `p2p.` zone, as the registered names it is made of and as the file that other servers read.

Each shape of compare_shapes is there at least once; the rest, up to so many names, is drawn from the seed.
"""

import collections

from compare_shapes import EVERY, FILL, aliases, cuts, host, redirected, servers, wildcards
from compare_wire import TYPES, name_of

TLD = "p2p"
# What the server makes by itself: dns-resolver/src/answer/apex.rs.
APEX = """$ORIGIN p2p.
@ 60 IN SOA ns.dotp2p hostmaster.dotp2p {serial} 1800 900 604800 60
@ 3600 IN NS ns.dotp2p
ns.dotp2p 3600 IN A 127.0.0.1
ns.dotp2p 3600 IN AAAA ::1
"""
SERVERS = "dotp2p"
LABELS = ["0123456789", "a-b-c-d-e", "x" * 63, "12345-67890", "xn--bcher-kva", "9" * 20]


def names(count, rng):
    """{label: lines} of so many names."""
    made = {}
    labels = LABELS + [f"name-{number:03}" for number in range(count - len(LABELS))]
    rng.shuffle(labels)
    pointed_to = labels[:len(labels) // 4]  # These are what others point to, so that chains meet.
    for number, label in enumerate(labels):
        if number < 8 * len(EVERY) and number % 8 == 0:
            shape = EVERY[number // 8]
        elif number < len(EVERY):
            shape = rng.choice((host, servers, cuts, aliases, redirected, wildcards))
        else:
            shape = rng.choice(FILL)
        made[label] = shape(label, pointed_to, rng)
    return made


def our_text(zone_lines):
    """The zone file of one name, for its registration."""
    return "".join(f"{it.owner} {it.ttl} IN {it.type} {it.data or generic(it)}\n" for it in zone_lines)


def generic(it):
    return rf"\# {len(it.generic) // 2} {it.generic}"


def their_text(made, serial):
    """The file of the whole zone, for the other servers."""
    out = [APEX.format(serial=serial)]
    for label, zone_lines in made.items():
        out.append(f"$ORIGIN {label}.p2p.\n")
        for it in zone_lines:
            rtype = it.type
            if it.generic is not None:
                number = TYPES.get(rtype) or int(rtype.removeprefix("TYPE"))
                out.append(f"{it.owner} {it.ttl} IN TYPE{number} {generic(it)}\n")
            else:
                out.append(f"{it.owner} {it.ttl} IN {rtype} {it.data}\n")
    return "".join(out)


def owners(made):
    """{owner: {type: [data]}} of the whole zone, owners as labels in lower case."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for label, zone_lines in made.items():
        for it in zone_lines:
            below = () if it.owner == "@" else name_of(it.owner)
            owner = tuple(part.lower() for part in below) + (label.encode(), TLD.encode())
            number = TYPES.get(it.type) or int(it.type.removeprefix("TYPE"))
            found[owner][number].append(it.data or it.generic)
    apex = (TLD.encode(),)
    found[apex].update({6: ["soa"], 2: ["ns"]})
    found[(b"ns", SERVERS.encode(), *apex)].update({1: ["127.0.0.1"], 28: ["::1"]})
    return found
