"""Whether an answer is what the other servers say, and the few ways in which it may be something else.

Where those three do not even agree among themselves, nobody's answer can be that of two of them; there is no rule for it here,
since there is no such question (compare_questions says what is not asked, and why).
"""

import ipaddress

from compare_wire import AA, AD, CLASS_IN, QR, RA, RD, TC, TYPES, Z, read_name

AGREE = 2  # So many of the three.
KNOT = "knot"
A, NS, DS, AAAA, HINFO = (TYPES[it] for it in ("A", "NS", "DS", "AAAA", "HINFO"))
RFC8482 = b"\x07RFC8482\x00"
UDP_MIN, UDP_MAX = 512, 1232
# The least room in which an address may still not fit: an AAAA record with a pointer as its owner, and some more of its RRset.
ROOM = 60

# The first two concern the answer itself, the others the authority and the additional section. docs/compared.md has them, too.
CLASSES = {
    "ANY": "RFC 8482 4.1, 4.2: to ANY we say HINFO, the zone's or one that names this RFC, where the others say all or another; what leads there is compared",
    "glue": "RFC 9471 3.1: in-domain glue that does not fit MUST set TC: Knot and we do, NSD 4.6 and BIND 9.18 do not",
    "DS": "RFC 4035 3.1.4: beside a referral we say DS to who sets DO; the others do not, since their zone is not signed",
    "room": "RFC 9471 3.2: which of the addresses that are no in-domain glue still fit",
    "wildcard": "RFC 1034 3.7: an address that only a wildcard gives a server is no glue; Knot and NSD add it, BIND and we do not",
}


def core(message):
    return message.rcode, message.flags & (AA | TC), frozenset(message.answer)


def agree(ours, theirs):
    return sum(it == ours for it in theirs) >= AGREE


def differences(zone, question, ours, theirs):
    """What is wrong with our answer, and the classes of what is merely different."""
    if isinstance(ours, str):
        return [ours], []
    theirs = {name: message for name, message in theirs.items() if not isinstance(message, str)}
    wrong, classes, found = list(malformed(question, ours, theirs.values())), [], None
    if not agree(core(ours), map(core, theirs.values())):
        found = next((name for name, rule in (("ANY", any_is_hinfo), ("glue", glue_sets_tc)) if rule(zone, question, ours, theirs)), None)
        if not found:
            wrong.append("rcode, AA, TC or the answer")
    if found:
        classes.append(found)
    if found != "glue":
        classes += sections(zone, question, ours, theirs.values(), wrong)
    return wrong, classes


def malformed(question, ours, theirs):
    """What of our message is not even compared: it must be so."""
    if ours.question != question.wire or ours.counts[0] != 1:
        yield "the question does not come back as it was"
    if ours.flags & (RA | AD | Z) or not ours.flags & QR or ours.flags & RD != question.flags & RD:
        yield "flags"
    for section in (ours.answer, ours.authority, ours.additional):
        if len(set(section)) < len(section):
            yield "a record is there twice"
    if not question.tcp and ours.size > limit(question):
        yield f"{ours.size} bytes, {limit(question)} may be sent"
    if not agree(ours.edns and ours.edns[:4], [it.edns and it.edns[:4] for it in theirs]):
        yield "OPT"


def limit(question):
    return max(UDP_MIN, min(question.edns.payload, UDP_MAX)) if question.edns else UDP_MIN


def sections(zone, question, ours, theirs, wrong):
    """Compares authority and additional section; the classes of differences that are listed."""
    authority = frozenset(ours.authority)
    if not agree(authority, [frozenset(it.authority) for it in theirs]):
        has_do = question.edns and question.edns.flags
        without = frozenset(it for it in authority if it.type != DS)
        if has_do and is_referral(ours) and without < authority and agree(without, [frozenset(it.authority) for it in theirs]):
            yield "DS"
        else:
            wrong.append("authority")
    if not agree(frozenset(ours.additional), [frozenset(it.additional) for it in theirs]):
        if is_referral(ours) and not question.tcp and limit(question) - ours.size < ROOM and not missing_glue(zone, ours) and are_addresses(zone, ours):
            yield "room"
        elif is_referral(ours) and agree(frozenset(ours.additional), [written(zone, it) for it in theirs]):
            yield "wildcard"
        else:
            wrong.append("additional")


# The rules that concern rcode, AA, TC and answer

def any_is_hinfo(zone, question, ours, theirs):
    """HINFO alone, which at least two others answer with data at the same owner; whatever leads there is the same."""
    made = [it for it in ours.answer if it.type == HINFO]
    if question.type != TYPES["ANY"] or not made or ours.flags & TC:
        return False
    owner = made[0].owner
    is_ours = [it.rdata for it in made] == [RFC8482] or set(made) <= {it for its in theirs.values() for it in its.answer}
    if not is_ours or any(it.owner == owner and it.type != HINFO for it in ours.answer):
        return False

    def rest(message):
        return message.rcode, message.flags & AA, frozenset(it for it in message.answer if it.owner != owner)
    return sum(rest(ours) == rest(it) and (it.flags & TC or any(its.owner == owner for its in it.answer)) for it in theirs.values()) >= AGREE


def glue_sets_tc(zone, question, ours, theirs):
    """TC in a referral, as Knot says it; at least one other left in-domain glue out without saying so."""
    knot = theirs.get(KNOT)
    others = [it for name, it in theirs.items() if name != KNOT and not it.flags & TC]
    return bool(knot and ours.flags & TC and core(knot) == core(ours) and is_referral(knot) and any(is_referral(it) and missing_glue(zone, it) for it in others))


# Referrals

def is_referral(message):
    return any(it.type == NS for it in message.authority)


def servers(message):
    """(the delegation, the servers it names)"""
    named = [it for it in message.authority if it.type == NS]
    return named[0].owner, [read_name(it.rdata, 0)[0] for it in named]


def addresses(zone, host):
    """{(type, RDATA)} of what the zone has for a server."""
    return {(rtype, ipaddress.ip_address(data).packed) for rtype in (A, AAAA) for data in zone.data.get(host, {}).get(rtype, ())}


def missing_glue(zone, message):
    """Whether an address of a server below the delegation is not in the referral."""
    cut, hosts = servers(message)
    said = {(it.owner, it.type, it.rdata) for it in message.additional}
    below = [host for host in hosts if host[-len(cut):] == cut]
    return any((host, *address) not in said for host in below for address in addresses(zone, host))


def written(zone, message):
    """The additional section without what stands nowhere in the zone, but for a wildcard."""
    return frozenset(it for it in message.additional if it.owner in zone.data)


def are_addresses(zone, message):
    """Whether the additional section has nothing but addresses of the servers, as the zone has them."""
    _, hosts = servers(message)
    return all(it.owner in hosts and (it.type, it.rdata) in addresses(zone, it.owner) and it.klass == CLASS_IN for it in message.additional)
