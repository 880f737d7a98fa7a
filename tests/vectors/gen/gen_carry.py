"""carry.json: files of `dotp2p chain export`, whole, torn and damaged (X1 to X4)."""

from chain import Judged, Node
from common import CHAIN_ID, NETWORKS, networks
from gen_chain import short_life, worked_chain
from rules import block_hash
from scale import H, sha256, u8, u32
from state import state_root


def head(chain_id, magic=b"dp2c", version=1):
    """X1."""
    return magic + u8(version) + chain_id


def record(block):
    """X2."""
    return u32(len(block)) + sha256(sha256(block))[:4] + block


def read(rules, data):
    """X1 to X4: the whole blocks as (height, hash, where the record ends), and None or (rule, what, at)."""
    ours = head(rules.chain_id())
    if ours.startswith(data) and len(data) < len(ours):
        return [], ("X4", "torn", 0)
    for what, end in (("magic", 4), ("version", 5), ("chain", 37)):
        if data[:end] != ours[:end]:
            return [], ("X1", what, 0)
    blocks, at = [], len(ours)
    while at < len(data):
        n, sum_, block = data[at:at + 4], data[at + 4:at + 8], data[at + 8:]
        if len(data) < at + 8:
            return blocks, ("X4", "torn", at)
        n = int.from_bytes(n, "little")
        if not 190 <= n <= 189 + rules.body_max:
            return blocks, ("X2", "length", at)
        if len(block) < n:
            return blocks, ("X4", "torn", at)
        end, block = at + 8 + n, block[:n]
        if sum_ != sha256(sha256(block))[:4]:
            return blocks, ("X2", "checksum", at) if end < len(data) else ("X4", "checksum", at)
        if block[188] != 0:
            return blocks, ("X3", "pow", at)
        height = int.from_bytes(block[88:92], "little")
        last = blocks[-1] if blocks else None
        if height == 0 if last is None else (height, block[4:36]) != (last[0] + 1, last[1]):
            return blocks, ("X3", "order", at)
        blocks.append((height, block_hash(block[:88]), end))
        at = end
    return blocks, None


def imported(rules, data, blocks):
    """What a node that knows genesis alone has of them in the end: (height, hash, state root) of its tip."""
    node, start = Node(rules), 37
    for _, _, end in blocks:
        try:
            node.deliver(data[start + 8:end])
        except Judged:
            break
        start = end
    return node.tip.height, node.tip.hash, state_root(node.tip.entries)


def carry_json():
    s = worked_chain()
    n = s.node
    b1, b2, b3, b4, b5 = (b.bytes for b in sorted(n.known.values(), key=lambda b: b.height)[1:])
    t, _ = short_life()
    full = next(b.bytes for b in t.node.known.values() if len(b.bytes) == 189 + t.rules.body_max)
    ours = head(n.chain_id)
    out = {"good": [], "torn": [], "bad": []}

    def case(comment, data, end=None, net="regtest"):
        """`end` = (rule, what) of what stops the reader, and after how many whole blocks."""
        rules = NETWORKS[net]
        blocks, stop = read(rules, data)
        found = stop and (stop[0], stop[1], len(blocks))
        assert found == end, (comment, found)
        height, tip, root = imported(rules, data, blocks)
        it = {"comment": comment, "network": net, "file": data.hex(),
              "blocks": [{"height": h, "hash": x.hex(), "end": e} for h, x, e in blocks],
              "tip": {"height": height, "hash": tip.hex(), "state_root": root.hex()}}
        if stop:
            it |= {"rule": stop[0], "what": stop[1], "at": stop[2]}
        out["torn" if stop and stop[0] == "X4" else "bad" if stop else "good"].append(it)

    def carried(*blocks, first=ours):
        return first + b"".join(map(record, blocks))

    whole, two = carried(b1, b2, b3, b4, b5), carried(b1, b2)
    one = len(carried(b1))
    case("the five blocks of S9", whole)
    case("no blocks", ours)
    case("a stretch: heights 3 to 5", carried(b3, b4, b5))
    case("short: a block of body max bytes", carried(full, first=head(t.node.chain_id)), net="short")
    case("190 bytes, the least: in form a record, and no block", carried(b1[:189] + b"\0"))
    case("roots that do not open the commitment: of no concern here", carried(b1, b2[:92] + bytes(32) + b2[124:]))

    for cut in (0, 1, 4, 5, 36):
        case(f"cut in the head, after {cut} bytes", whole[:cut], ("X4", "torn", 0))
    for cut, comment in ((1, "in the length"), (4, "after the length"), (7, "in the checksum"), (8, "before the block"),
                         (100, "in the block")):
        case(f"the second record cut {comment}", two[:one + cut], ("X4", "torn", 1))
    case("the last byte missing", two[:-1], ("X4", "torn", 1))
    case("a zero behind the last record", two + b"\0", ("X4", "torn", 2))
    case("the last block is zeros", two[:one + 8] + bytes(len(b2)), ("X4", "checksum", 1))
    case("the last block: a bit changed at its end", two[:-1] + bytes([two[-1] ^ 1]), ("X4", "checksum", 1))
    case("the last block: its checksum of one SHA-256", two[:one + 4] + sha256(b2)[:4] + b2, ("X4", "checksum", 1))

    for comment, what, first in (("magic dp2r", "magic", head(n.chain_id, b"dp2r")),
                                 ("magic in capitals", "magic", head(n.chain_id, b"DP2C")),
                                 ("version 0", "version", head(n.chain_id, version=0)),
                                 ("version 2", "version", head(n.chain_id, version=2)),
                                 ("main's chain", "chain", head(CHAIN_ID["main"])),
                                 ("the chain id as it is shown", "chain", head(n.chain_id[::-1]))):
        case(comment, carried(b1, first=first), ("X1", what, 0))
    case("some text", b"$ORIGIN p2p.\n", ("X1", "magic", 0))
    for length in (0, 189, 189 + 262144 + 1, 2**32 - 1):
        case(f"a length of {length}", carried(b1) + u32(length) + record(b2)[4:], ("X2", "length", 1))
    case("the length big-endian", carried(b1) + len(b2).to_bytes(4, "big") + record(b2)[4:], ("X2", "length", 1))
    case("189 bytes: no body", carried(b1[:189]), ("X2", "length", 0))
    case("short: a block of body max + 1 bytes", carried(full + b"\0", first=head(t.node.chain_id)),
         ("X2", "length", 0), net="short")
    for at, comment in ((one - 1, "the last byte of block 1"), (37 + 8, "the first byte of block 1"),
                        (37 + 4, "the checksum of block 1")):
        x = bytearray(two)
        x[at] ^= 0x10
        case(f"a bit changed: {comment}", bytes(x), ("X2", "checksum", 0))
    x = sha256(sha256(b1))
    for sum_, comment in ((sha256(b1)[:4], "of one SHA-256"), (x[3::-1], "reversed"), (x[28:], "the last four bytes")):
        case(f"the checksum {comment}", ours + u32(len(b1)) + sum_ + b1 + record(b2), ("X2", "checksum", 0))
    case("pow tag 1", carried(b1[:188] + b"\x01" + b1[189:]), ("X3", "pow", 0))
    case("genesis", carried(n.genesis.bytes), ("X3", "order", 0))
    case("genesis, then block 1", carried(n.genesis.bytes, b1), ("X3", "order", 0))
    case("a gap: heights 1, 3", carried(b1, b3), ("X3", "order", 1))
    case("block 1 twice", carried(b1, b1), ("X3", "order", 1))
    case("backwards: heights 2, 1", carried(b2, b1), ("X3", "order", 1))
    parent = n.known[block_hash(b1[:88])]
    for comment, over in (("height 2, another parent", {"prev": H("vectors", b"nobody")}),
                          ("block 1's child with height 3", {"height": 3}),
                          ("block 1's child with height 1", {"height": 1}),
                          ("block 1's child with height 0", {"height": 0})):
        case(comment, carried(b1, s.make([], parent=parent, **over)), ("X3", "order", 1))
    return {"about": "X1 to X4. blocks = the whole ones that a reader gives: height, hash, where the record ends. tip = "
                     "that of a node which knew genesis alone, after importing what it can. torn, bad: rule, what, and "
                     "at, the offset where what ends the reading begins. torn: an export goes on behind the last of "
                     "blocks; bad: it leaves the file as it is.",
            "networks": networks("regtest", "short"), **out}
