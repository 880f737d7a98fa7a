"""Blocks: building, mining, judging, and the choice of the tip (B6 to B16, S9 to S14)."""

from rules import (append_history, bag, block_hash, commitment_of, encode_header, encode_roots, free_from, genesis,
                   history_leaf, median, next_level, required_bits, subsidy, tx_root, work_check, work_of, MAX_TARGET)
from scale import Reader, Refused, U32, Undecodable, compact, u32, u64, vec
from state import (ACCOUNT, COMMITMENT, LEVEL, NAME, REWARD, Context, account_value, apply_tx, read_account,
                   read_commitment, read_name, state_root, supply)
from tx import decode_tx


class Judged(Exception):
    """The end of a block: the rule, the step of B13 or B14, and what it condemns (B15)."""

    def __init__(self, rule, step, condemns):
        super().__init__(f"{rule} {step} {condemns}")
        self.rule, self.step, self.condemns = rule, step, condemns


def steps_before(rules, entries, h):
    """S9 steps 1 and 2: rewards mature, commitments die, names become free."""
    s = dict(entries)
    due = (REWARD, u32(h - rules.maturity)) if h >= rules.maturity else None
    if due in s:
        v = s.pop(due)
        to, amount = v[:32], int.from_bytes(v[32:], "little")
        balance, nonce = read_account(s.get((ACCOUNT, to), account_value(0, 0)))
        s[ACCOUNT, to] = account_value(balance + amount, nonce)
    for k, v in list(s.items()):
        if k[0] == COMMITMENT and read_commitment(v)[0] == h - rules.max_age - 1:
            del s[k]
        elif k[0] == NAME and free_from(rules, read_name(v).expires) == h:
            del s[k]
    return s


def steps_after(rules, s, ctx, h, to):
    """S9 steps 4 and 5: the reward entry and the level."""
    reward = subsidy(rules, h) + ctx.fees
    if reward:
        s[REWARD, u32(h)] = to + u64(reward)
    s[LEVEL, b""] = u64(next_level(rules, ctx.level, ctx.commits))


def run_block(rules, chain_id, entries, h, to, txs):
    """S9: (state after, context), or Refused by a transaction's rule."""
    s = steps_before(rules, entries, h)
    ctx = Context(rules, chain_id, h, int.from_bytes(s[LEVEL, b""], "little"))
    for tx in txs:
        s, ctx = apply_tx(s, ctx, tx)
    steps_after(rules, s, ctx, h, to)
    return s, ctx


def encode_coinbase(to, extra):
    return to + vec(extra)


def body_bytes(to, extra, txs):
    """B8."""
    return encode_coinbase(to, extra) + compact(len(txs)) + b"".join(t.encode() for t in txs)


class Block:
    """What a known, good block left behind."""

    def __init__(self, **kw):
        self.__dict__.update(kw)


class Node:
    """Judges each block when it comes, whatever branch it is on, and keeps every state."""

    def __init__(self, rules):
        self.rules = rules
        g = genesis(rules)
        self.chain_id = g["hash"]
        entries = {(LEVEL, b""): u64(10**6)}
        assert state_root(entries) == g["state_root"]
        work = work_of(rules.genesis_bits)
        self.genesis = Block(hash=self.chain_id, parent=None, height=0, time=rules.genesis_time,
                             bits=rules.genesis_bits, entries=entries, peaks=[], work=work, total=work, issued=0,
                             burned=0, bytes=g["block"], first_time=None, order=0, commits=0, fees=0, records={})
        self.known = {self.chain_id: self.genesis}
        self.condemned = set()
        self.tip = self.genesis

    # -- what the next block of a branch must have

    def ancestors(self, block, n):
        out = []
        while block is not None and len(out) < n:
            out.append(block)
            block = self.known.get(block.parent)
        return out

    def least_time(self, parent):
        """B12b."""
        return median([b.time for b in self.ancestors(parent, min(parent.height + 1, 11))]) + 1

    def peaks_after(self, block):
        """B11: over the headers of heights 0 to this block's."""
        return append_history(block.peaks, history_leaf(block.hash, block.work, block.time))

    def bits(self, parent, time):
        """P6 on a branch."""
        h = parent.height + 1
        first = parent.first_time if h >= 2 else time
        return required_bits(self.rules, h, first, parent.time, time)

    # -- building

    def build(self, parent, txs, to, time, extra=b"", nonce=None, body=None, pow_=b"\x00", meets=True, **over):
        """A block on `parent`. `over` replaces version, bits, prev, height, tx_root, state_root, history_root or
        commitment; the nonce is the least that meets the target, or with meets=False the least that does not."""
        h = parent.height + 1
        try:
            after, _ = run_block(self.rules, self.chain_id, parent.entries, h, to, txs)
            root = state_root(after)
        except Refused:
            root = state_root(parent.entries)
        leaves = [encode_coinbase(to, extra)] + [t.encode() for t in txs]
        roots = encode_roots(over.get("height", h), over.get("tx_root", tx_root(leaves)),
                             over.get("state_root", root),
                             over.get("history_root", bag(self.peaks_after(parent))[:32]))
        bits = over.get("bits", self.bits(parent, time))
        n = 0 if nonce is None else nonce
        while True:
            header = encode_header(over.get("version", 1), over.get("prev", parent.hash),
                                   over.get("commitment", commitment_of(roots)), time, bits, n)
            if nonce is not None:
                break
            try:
                work_check(self.rules, header)
                good = True
            except Refused:
                good = False
                if bits != self.bits(parent, time) and meets:
                    break  # bits that no hash can meet: any nonce
            if good == meets:
                break
            n += 1
        return header + roots + pow_ + (body_bytes(to, extra, txs) if body is None else body)

    # -- judging: B13, B14

    def judge(self, data):
        rules = self.rules
        if len(data) < 189:
            raise Judged("B8", "B13.1", "message")
        header, roots, pow_, body = data[:88], data[88:188], data[188], data[189:]
        if pow_ != 0:
            raise Judged("P9", "B13.1", "message")
        try:
            work_check(rules, header)
        except Refused as e:
            raise Judged(e.rule, "B13.2", "message")
        name = block_hash(header)
        if name in self.condemned:
            raise Judged("B13", "B13.3", "hash")
        if name in self.known:
            return self.known[name]
        r = Reader(header)
        version, prev, commitment, time, bits = r.u32(), r.take(32), r.take(32), r.u64(), r.u32()
        if prev in self.condemned:
            raise Judged("B15", "B13.4", "hash")
        parent = self.known.get(prev)
        if parent is None:
            raise Judged("B13", "B13.4", "nothing")
        h = parent.height + 1
        if version != 1:
            raise Judged("B6", "B13.5", "hash")
        if time >= 2**40:
            raise Judged("B12a", "B13.7", "hash")
        if time < self.least_time(parent):
            raise Judged("B12b", "B13.7", "hash")
        if bits != self.bits(parent, time):
            raise Judged("P6", "B13.8", "hash")
        if commitment_of(roots) != commitment:
            raise Judged("B7", "B14.2", "message")
        if int.from_bytes(roots[:4], "little") != h or h > U32:
            raise Judged("B7", "B14.3", "hash")
        if len(body) > rules.body_max:
            raise Judged("B9", "B14.4", "message")
        try:
            b = Reader(body)
            to, extra = b.key(), b.vec(64, "T4g")
            txs = [decode_tx(b, rules) for _ in range(b.compact(32))]
            b.end("B8")
        except Undecodable as e:
            raise Judged(e.rule, "B14.4", "message")
        if tx_root([encode_coinbase(to, extra)] + [t.encode() for t in txs]) != roots[4:36]:
            raise Judged("B10", "B14.5", "message")
        peaks = self.peaks_after(parent)
        if bag(peaks)[:32] != roots[68:]:
            raise Judged("B11", "B14.7", "hash")
        try:
            after, ctx = run_block(rules, self.chain_id, parent.entries, h, to, txs)
        except Refused as e:
            raise Judged(e.rule, "B14.6" if e.rule == "T7b" else "B14.8", "hash")
        if state_root(after) != roots[36:68]:
            raise Judged("S8", "B14.9", "hash")
        work = work_of(bits)
        if parent.total + work > MAX_TARGET:
            raise Judged("P3", "B14.7", "hash")
        return Block(hash=name, parent=prev, height=h, time=time, bits=bits, entries=after, peaks=peaks, work=work,
                     total=parent.total + work, issued=parent.issued + subsidy(rules, h),
                     burned=parent.burned + ctx.burned, bytes=data, order=len(self.known), commits=ctx.commits,
                     first_time=time if h == 1 else parent.first_time, fees=ctx.fees,
                     records=parent.records | ctx.records)

    def deliver(self, data):
        """The block, or Judged; moves the tip (B16)."""
        try:
            block = self.judge(data)
        except Judged as j:
            if j.condemns == "hash":
                self.condemned.add(block_hash(data[:88]))
            raise
        if block.hash in self.known:
            return block
        balances, rewards = supply(block.entries)
        assert balances + rewards == block.issued - block.burned  # S14
        self.known[block.hash] = block
        if block.total > self.tip.total:
            self.tip = block
        return block
