"""rules, pow, merkle, history, names, records, address: what follows from Rules and bytes alone."""

from dataclasses import replace

from common import NETWORKS, NO_POINT, Rng, key, networks, rule_of
from rules import (EMPTY_RECORDS, LEVEL_MAX, LEVEL_MIN, MAIN, REGTEST, RESERVED, append_history, asert, bag, base_price,
                   bits_of, block_hash, canonical, claim_burn, commit_burn, commitment_of, decode_records,
                   deployment_data, encode_header, encode_records, encode_roots, free_from, genesis, history_leaf,
                   label_refusal, median, next_level, premium, records_hash, reference_time, refusals, required_bits,
                   stage, subsidy, target_of, tx_root, work_of)
from scale import PREFIX, H, address, bech32, compact, key_symbols, read_address, sha256


# ---- rules.json

def rules_json():
    nets = {}
    for name in ("main", "test", "regtest", "short", "oneyear", "steep", "wide", "hard", "hardreg"):
        r = NETWORKS[name]
        g = genesis(r)
        assert not refusals(r), name
        nets[name] = {
            "fields": r.fields(), "rules": r.encode().hex(), "extra": g["extra"].hex(),
            "tx_root": g["tx_root"].hex(), "state_root": g["state_root"].hex(), "commitment": g["commitment"].hex(),
            "header": g["header"].hex(), "block": g["block"].hex(), "chain_id": g["hash"].hex(),
            "chain_id_text": g["hash"][::-1].hex(),
        }
    refused, good = [], []

    def bad(rule, comment, base=MAIN, **change):
        r = replace(base, **change)
        found = refusals(r)
        assert rule in found, (comment, found)
        refused.append({"rule": rule, "all": found, "comment": comment, "fields": r.fields(),
                        "rules": r.encode().hex()})

    def ok(comment, base=MAIN, **change):
        r = replace(base, **change)
        assert not refusals(r), (comment, refusals(r))
        good.append({"comment": comment, "fields": r.fields(), "rules": r.encode().hex(),
                     "chain_id": r.chain_id().hex()})

    for f in ("spacing", "half_life", "limit_bits", "body_max", "subsidy", "halving_interval", "maturity", "min_age",
              "max_age", "commit_target", "commit_max", "year", "years_ahead", "grace", "p0", "h", "halvings",
              "records_max", "genesis_time", "genesis_bits"):
        bad("B3a", f"{f} is 0", **{f: 0})
    bad("B3b", "limit bits not canonical: 1e0000ff", limit_bits=0x1E0000FF, genesis_bits=0x1B0404CB)
    bad("B3b", "genesis bits not canonical: 03000001", genesis_bits=0x03000001)
    bad("B3b", "genesis bits with the sign bit", genesis_bits=0x1D800001)
    bad("B3b", "limit bits of target >= 2^256", limit_bits=0x21010000)
    bad("B3b", "genesis bits of target 0", genesis_bits=0x01003456)
    bad("B3c", "genesis target above the limit by one step", limit_bits=0x1E00FFFF, genesis_bits=0x1E010000)
    bad("B3c", "regtest genesis bits on main's limit", genesis_bits=0x207FFFFF)
    bad("B3d", "genesis time one below spacing", genesis_time=59)
    ok("genesis time equal to spacing", genesis_time=60)
    bad("B3e", "genesis time 2^40", genesis_time=2**40)
    ok("genesis time 2^40 - 1", genesis_time=2**40 - 1)
    bad("B3f", "min age equal to max age", min_age=1440)
    bad("B3f", "min age above max age", min_age=1441)
    ok("min age one below max age", min_age=1439)
    bad("B3g", "commit target one above commit max", commit_target=17)
    bad("B3g", "commit target 65", commit_target=65, commit_max=100)
    ok("commit target 64 = commit max", commit_target=64, commit_max=64)
    bad("B3h", "halvings 64", halvings=64)
    ok("halvings 63", halvings=63)
    bad("B3i", "grace + H halvings = year", grace=525600 - 21 * 1440)
    ok("grace + H halvings = year - 1", grace=525600 - 21 * 1440 - 1)
    bad("B3j", "P0 H = 2^64 + 1439 at H 1440", p0=-(-2**64 // 1440))
    ok("P0 H just below 2^64", p0=(2**64 - 1) // 1440)
    bad("B3j", "P0 = 2^64 - 1 with H 2", p0=2**64 - 1, h=2)
    ok("P0 = 2^64 - 1 with H 1", p0=2**64 - 1, h=1)
    bad("B3k", "years ahead carry the end to 2^32 or more", years_ahead=8172)
    ok("the most years ahead below 2^32", years_ahead=8171)
    bad("B3k", "sum exactly 2^32", h=1, halvings=1, grace=1, year=2**31 - 1, years_ahead=2)
    ok("sum 2^32 - 1", h=1, halvings=1, grace=1, year=(2**32 - 3) // 7, years_ahead=7)
    bad("B3k", "year x years ahead = (2^32 - 1)^2", year=2**32 - 1, years_ahead=2**32 - 1)
    for tld, why in ((b"", "empty"), (b"P2P", "capital"), (b"-p", "hyphen first"), (b"p-", "hyphen last"),
                     (b"ab--c", "hyphens 3 and 4"), (b"a.b", "a dot")):
        bad("B3l", f"tld: {why}", tld=tld)
    for tld in (b"test", b"xn--abc", b"a" * 63, b"7"):
        ok("tld " + tld.decode(), tld=tld)
    bad("B3n", "a body with no room for a transaction", body_max=138)
    ok("a body with room for the shortest transaction", body_max=139)
    bad("B3m", "issue of all time above 2^64 - 1", halving_interval=2**32 - 1)
    bad("B3m", "subsidy 2^32, interval 2^31 + 1", subsidy=2**32, halving_interval=2**31 + 1)
    ok("subsidy 2^32, interval 2^31: 2^64 - 2^31", subsidy=2**32, halving_interval=2**31)
    bad("B3m", "subsidy 2^63, interval 2", subsidy=2**63, halving_interval=2)
    ok("subsidy 2^63, interval 1: exactly 2^64 - 1", subsidy=2**63, halving_interval=1)
    ok("half-life absent", half_life=None)
    ok("half-life 1", half_life=1)
    ok("id all zero", id=bytes(16))
    deployments = []
    for acts, cps in (([], []), ([(500000, b"auxpow")], [(1, REGTEST.chain_id())]),
                      ([(1, b"a"), (1, b"b"), (2, b"")], [(1, bytes(32)), (7, b"\xff" * 32)])):
        data = deployment_data(acts, cps)
        deployments.append({"activations": [[h, n.decode()] for h, n in acts],
                            "checkpoints": [[h, x.hex()] for h, x in cps], "data": data.hex(),
                            "hash": H("deployment", data).hex()})
    undecodable = []
    for comment, data in (("bytes missing", REGTEST.encode()[:-1]), ("bytes left over", REGTEST.encode() + b"\0"),
                          ("Option byte 2", REGTEST.encode()[:8] + b"\x02" + REGTEST.encode()[9:]),
                          ("tld of 64 bytes", replace(REGTEST, tld=b"a" * 64).encode()),
                          ("tld count not the shortest", REGTEST.encode().replace(b"\x0cp2p", b"\x0d\x00p2p")),
                          ("no bytes", b"")):
        undecodable.append({"comment": comment, "rules": data.hex()})
    return {"about": "B2 to B5, B18. networks: Rules and all of genesis. refused: rule = the letter meant, all = every "
                     "letter of B3 that holds. good: passes B3. undecodable: not SCALE(Rules).",
            "networks": nets, "refused": refused, "good": good, "undecodable": undecodable,
            "deployments": deployments}


# ---- pow.json

def pow_json():
    compact_cases = []
    for bits in (0x1E00FFFF, 0x207FFFFF, 0x1D7FFF80, 0x01010000, 0x2100FFFF, 0x01123456, 0x01120000, 0x02008000,
                 0x03000001, 0x220000FF, 0x2100FF00, 0x1E0000FF, 0x1D00FF00, 0x00123456, 0x01003456, 0x03000000,
                 0x02000056, 0x02123456, 0x03123456, 0x04123456, 0x04800001, 0x1E800000, 0x20FFFFFF, 0x21010000,
                 0x2200FFFF, 0x23000001, 0xFF123456, 0x1D00FFFF, 0x1B0404CB, 0x2300FFFF, 0x22000100, 0x2200FF00,
                 0x220000FF, 0x21008000, 0x2100FFFF, 0x21007FFF, 0x00000000, 0xFF000000, 0xFFFFFFFF, 0x007FFFFF,
                 0x017FFFFF, 0x01800000, 0x0200FF00, 0x027FFF00, 0x03008000, 0x037FFFFF, 0x04008000, 0x06123456,
                 0x220000FE, 0x23000000, 0x01000001, 0x2000FFFF, 0x207FFFFE, 0x1F7FFFFF, 0x00800000):
        rule = rule_of(target_of, bits)
        case = {"bits": f"{bits:08x}"}
        if rule:
            case["rule"] = rule
        else:
            t = target_of(bits)
            case |= {"target": f"{t:064x}", "work": f"{work_of(bits):064x}", "canonical": canonical(bits),
                     "canonical_bits": f"{bits_of(t):08x}"}
        compact_cases.append(case)
    targets = []
    ts = [1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFF, 0x800000, 0xFFFFFF, 0x123456789ABC,
          2**255, 2**255 - 1, 2**256 - 1, 2**254, 2**248 - 1, 2**248]
    rng = Rng("targets")
    ts += [int.from_bytes(rng.bytes(1 + rng.below(32)), "big") or 1 for _ in range(30)]
    for t in ts:
        b = bits_of(t)
        assert target_of(b) <= t
        targets.append({"target": f"{t:064x}", "bits": f"{b:08x}", "target_of_bits": f"{target_of(b):064x}",
                        "work_of_bits": f"{work_of(b):064x}"})

    required = []

    def need(net, h, first, parent, time, comment):
        r = NETWORKS[net]
        case = {"network": net, "height": h, "first_time": str(first), "parent_time": str(parent), "time": str(time),
                "bits": f"{required_bits(r, h, first, parent, time):08x}", "comment": comment}
        if r.half_life is not None and h > 1:
            ref = reference_time(r, parent, time)
            _, e, shifts, frac, factor = asert(r.genesis_bits, r.limit_bits, r.half_life, r.spacing,
                                               first - r.spacing, h - 1, ref)
            case |= {"t_ref": str(ref), "e": str(e), "shifts": str(shifts), "frac": frac, "factor": factor}
        required.append(case)

    first = 1793492200

    def s(k):
        return first + 60 * (k - 1)

    need("main", 0, 0, 0, MAIN.genesis_time, "genesis")
    need("main", 1, first, MAIN.genesis_time, first, "block 1, whatever its time")
    need("main", 1, 2**40 - 1, MAIN.genesis_time, 2**40 - 1, "block 1 at the last time of all")
    need("hard", 1, first, MAIN.genesis_time, first, "block 1 has the genesis bits")
    need("hardreg", 0, 0, 0, REGTEST.genesis_time, "no half-life: genesis")
    need("hardreg", 1, first, REGTEST.genesis_time, first, "no half-life: the limit bits from block 1")
    need("regtest", 1, first, first - 60, first, "no half-life")
    need("regtest", 2, first, first, first + 10**6, "no half-life")
    need("main", 2, first, first, first + 60, "on time")
    need("main", 242, first, first + 7200, first + 7260, "half")
    need("main", 242, first, s(241) + 7200, s(241) + 7260, "double, the limit")
    for dp, dt, why in ((0, 60, "on time"), (1, 60, "1 s late"), (-1, 60, "1 s early"), (7200, 7260, "double"),
                        (0, 1200, "waiting: equal"), (0, 1201, "waiting: 1 s"), (0, 8400, "waiting: double"),
                        (0, 86400, "waiting: a day"), (0, 864000, "waiting: to the limit"),
                        (-3600, 0, "the parent's time ran back"), (-7200, -7100, "half")):
        need("hard", 122, first, s(121) + dp, s(121) + dt, why)
    need("hard", 10_000_000, first, first + 600, first + 700, "0 becomes 1")
    need("hard", 2**32 - 1, first, 2**40 - 2, 2**40 - 1, "the last height, the last time")
    need("hard", 2**32 - 1, first, 1, 2, "the last height, the first times")
    need("hard", 2, 2**40 - 1, 2**40 - 1, 0, "the first time at its end, the block's at 0")
    need("hard", 2, 1, 2**40 - 2, 2**40 - 1, "the greatest lateness at the least height")
    need("hard", 122, 30, s(121) - first, s(121) - first + 60, "the anchor parent time is negative")
    need("hard", 3, 100, 0, 1, "the block's time less 20 spacings is negative")
    for k in (1, 2, 3, 17, 256):
        need("hard", 122, first, s(121) + 7200 * k, s(121) + 7200 * k + 1, f"{k} half-lives late")
        need("hard", 122, first, s(121) - 7200 * k, s(121) - 7200 * k + 1, f"{k} half-lives early")
    rng = Rng("required bits")
    for _ in range(120):
        net = rng.pick(["main", "hard", "hard", "short"])
        sp = NETWORKS[net].spacing
        h = 2 + rng.below(rng.pick([10, 1000, 10**6, 2**32 - 3]))
        on = first + sp * (h - 2)
        span = rng.pick([100, 10**4, 10**5, 10**6])
        parent = max(1, on + rng.below(2 * span) - span)
        need(net, h, first, parent, max(1, parent + rng.below(rng.pick([120, 5000, 10**5, 10**6])) - 600), "random")
    # a whole series, each block by the time before it
    series, t, times = [], first, Rng("series")
    parent = t
    for h in range(2, 120):
        step = times.pick([1, 30, 60, 61, 90, 300, 1199, 1200, 1201, 5000])
        if 60 <= h < 70:
            step = 40000
        t = parent + step
        series.append([h, str(parent), str(t), f"{required_bits(NETWORKS['hard'], h, first, parent, t):08x}"])
        parent = t

    medians = []
    for times_ in ([1793491200], [100, 200], [200, 100], [100, 300, 200], [1, 2, 3, 4], [5, 5, 5, 5, 5],
                   list(range(11)), list(range(11))[::-1], [7, 1, 9, 3, 5, 2, 8, 4, 6, 0],
                   [0, 2**40 - 1, 1, 2**40 - 2, 2, 2**40 - 3, 3, 2**40 - 4, 4, 2**40 - 5, 5]):
        m = median(times_)
        medians.append({"times": [str(x) for x in times_], "median": str(m), "least_time": str(m + 1)})

    headers = []
    rng = Rng("headers")
    samples = [(1, bytes(32), bytes(32), 0, 0, 0), (2**32 - 1, b"\xff" * 32, b"\xff" * 32, 2**64 - 1, 2**32 - 1,
                                                    2**64 - 1)]
    samples += [(1, rng.bytes(32), rng.bytes(32), rng.below(2**40), 0x207FFFFF, rng.below(2**64)) for _ in range(6)]
    for v, prev, com, time, bits, nonce in samples:
        h = encode_header(v, prev, com, time, bits, nonce)
        headers.append({"version": v, "prev": prev.hex(), "commitment": com.hex(), "time": str(time),
                        "bits": f"{bits:08x}", "nonce": str(nonce), "header": h.hex(), "hash": block_hash(h).hex(),
                        "text": block_hash(h)[::-1].hex(),
                        "meets": bits == 0x207FFFFF
                        and int.from_bytes(block_hash(h), "little") <= target_of(0x207FFFFF)})
    commitments = []
    for height, a, b, c in ((0, bytes(32), bytes(32), bytes(32)), (2**32 - 1, b"\xff" * 32, b"\xff" * 32, b"\xff" * 32),
                            (70000, rng.bytes(32), rng.bytes(32), rng.bytes(32))):
        roots = encode_roots(height, a, b, c)
        commitments.append({"height": height, "tx_root": a.hex(), "state_root": b.hex(), "history_root": c.hex(),
                            "roots": roots.hex(), "commitment": commitment_of(roots).hex()})
    subsidies = []
    for net in ("main", "regtest", "short"):
        r = NETWORKS[net]
        n = r.halving_interval
        hs = {0, 1, 2, 1000, 2**32 - 1}
        for k in (1, 2, 3, 31, 32, 33, 62, 63, 64, 65):
            hs |= {h for h in (k * n - 1, k * n, k * n + 1) if h < 2**32}
        subsidies += [[net, h, str(subsidy(r, h))] for h in sorted(hs)]
    odd = replace(NETWORKS["short"], subsidy=2**63, halving_interval=1)
    subsidies_odd = [[h, str(subsidy(odd, h))] for h in (0, 1, 2, 62, 63, 64, 65, 127, 128)]
    return {"about": "P1 to P7, B7, B12b, B19. bits as numbers in hex, targets and work big-endian hex of 32 bytes. "
                     "required: P6 from the time of block 1, of the parent and of the block itself. series: network "
                     "hard, first_time 1793492200, rows [height, parent time, time, bits]. subsidy_odd: Rules with "
                     "subsidy 2^63, interval 1. headers.meets: is P7 met with limit 207fffff.",
            "networks": networks("main", "regtest", "short", "hard", "hardreg"),
            "compact": compact_cases, "targets": targets, "required": required, "series": series, "medians": medians,
            "headers": headers, "commitments": commitments, "subsidy": subsidies, "subsidy_odd": subsidies_odd}


# ---- merkle.json, history.json

def merkle_json():
    cases = [{"leaves": [bytes([i]).hex() for i in range(n)], "root": tx_root([bytes([i]) for i in range(n)]).hex()}
             for n in (*range(1, 10), 15, 16, 17)]
    rng = Rng("merkle")
    leaves = [rng.bytes(rng.below(200)) for _ in range(100)]
    cases.append({"leaves": [x.hex() for x in leaves], "root": tx_root(leaves).hex()})
    cases.append({"leaves": [""], "root": tx_root([b""]).hex()})
    big = [{"leaves": n, "root": tx_root([i.to_bytes(4, "little") for i in range(n)]).hex()}
           for n in (100, 127, 128, 129, 1000)]
    return {"about": "B10. cases: leaf data in order. counted: leaf i is the 4 bytes LE of i.", "cases": cases,
            "counted": big}


def history_json():
    byte_series, peaks = [], []
    for i in range(40):
        peaks = append_history(peaks, history_leaf(sha256(bytes([i])), 16777472, 1793491200 + 60 * i))
        byte_series.append({"leaves": i + 1, "node": bag(peaks).hex(), "root": bag(peaks)[:32].hex(),
                            "peaks": [n for n, _ in peaks]})
    big, peaks = [], []
    for i in range(1000):
        peaks = append_history(peaks, history_leaf(sha256(i.to_bytes(4, "little")), 2**240 + i, 5 * i % 997))
        if i + 1 in (1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 100, 127, 128, 255, 256, 257, 511, 512, 513, 999, 1000):
            big.append({"leaves": i + 1, "node": bag(peaks).hex(), "root": bag(peaks)[:32].hex()})
    return {"about": "B11. same_work: leaf i has hash sha256(byte i), work 16777472, time 1793491200 + 60 i. counted: "
                     "leaf i has hash sha256(4 bytes LE of i), work 2^240 + i, time 5 i mod 997. node: the bagged node "
                     "of 76 bytes, root its first 32.", "same_work": byte_series, "counted": big}


# ---- names.json

def names_json():
    labels = []
    tests = [b"a", b"7", b"0x", b"a-b", b"a--b", b"xn--mnchen-3ya", b"a" * 63, b"", b"-a", b"a-", b"ab--c", b"Alice",
             b"a_b", b"xn--", b"a" * 64, b"-", b"--", b"---", b"a-", b"xn--a", b"xn---a", b"xn--a-", b"xN--a", b"yn--a",
             b"ab-c", b"a--", b"abc--d", b"a---b", b"ab---c", b"a.b", b"a b", b"a\x00", b"\xc3\xa9", b"a\x7f", b"a/",
             b"a:", b"a`", b"a{", b"a@", b"aZ", b"12--3", b"1-2", b"xn-a", b"xn", b"ab-", b"ab--", b"a" * 61 + b"-a",
             b"a" * 62 + b"-", b"A" * 64, b"\xff" * 63, b"z9", b"-" * 63]
    for x in tests + sorted(RESERVED) + [b"dotp2p2", b"tests", b"localhos", b"xn--local", b"p2p"]:
        rule = label_refusal(x)
        labels.append({"label": x.hex(), "text": x.decode("latin-1"), "rule": rule,
                       "reserved": x in RESERVED})
    stages = []
    for net in ("main", "regtest", "short", "steep"):
        r = NETWORKS[net]
        e = 1000 + r.year
        f = free_from(r, e)
        for h in sorted({1000, 1001, e - 1, e, e + 1, e + r.grace - 1, e + r.grace, e + r.grace + 1, f - 1, f, f + 1,
                         2**32 - 1}):
            stages.append([net, e, h, stage(r, e, h)])
        stages.append([net, 2**32 - 1, 2**32 - 1, stage(r, 2**32 - 1, 2**32 - 1)])
        stages.append([net, 2**32 - 1, 2**32 - 2, stage(r, 2**32 - 1, 2**32 - 2)])
    prices = [[n, str(base_price(b"a" * n))] for n in range(1, 64)]
    levels = []
    for net, level, series in (("regtest", LEVEL_MIN, [16] * 4 + [8, 12, 0, 0, 0, 0, 9, 16]),
                               ("regtest", LEVEL_MIN, [16] * 120), ("regtest", LEVEL_MAX, [0] * 106),
                               ("regtest", LEVEL_MIN + 1, [8, 7, 7]), ("regtest", LEVEL_MAX - 1, [9, 8, 7, 16]),
                               ("short", LEVEL_MIN, [4, 4, 3, 2, 1, 0, 0, 0, 4])):
        start, out = level, []
        for n in series:
            level = next_level(NETWORKS[net], level, n)
            out.append(str(level))
        levels.append({"network": net, "start": str(start), "commits": series, "levels": out})
    wide = replace(MAIN, commit_target=64, commit_max=1000)
    levels_wide = [[str(x), n, str(next_level(wide, x, n))] for x in (10**6, 10**9, 10**12) for n in
                   (0, 1, 63, 64, 65, 1000)]
    premiums = []
    for net in ("main", "regtest", "short", "steep"):
        r = NETWORKS[net]
        span = r.h * r.halvings
        ds = set(range(min(span, 70))) | {span - 1, span - 2}
        if net == "main":
            ds = {0, 1, 2, 3, 719, 720, 721, 1439, 1440, 1441, 2879, 2880, 2881, 28799, 28800, 28801, 30238, 30239}
            rng = Rng("premium")
            ds |= {rng.below(span) for _ in range(60)}
        premiums += [[net, d, str(premium(r, d))] for d in sorted(ds)]
    burns = []
    for label in (b"a", b"ab", b"abc", b"abcd", b"alice", b"a" * 63):
        for lc in (10**6, 1265625, 10**6 + 1, 999999999999, 10**12):
            for prem in (0, 1, 78643200000000):
                burns.append([label.decode(), str(lc), str(prem), str(commit_burn(lc)),
                              str(claim_burn(label, lc, prem))])
    return {"about": "N1 to N5, N7, N8. labels: rule null = good by N1. stages: [network, expires, height, stage]. "
                     "prices: [bytes, atoms of a year]. levels: after each block with so many effective Commits. "
                     "levels_wide: commit target 64, rows [L, n, L']. premiums: [network, h - d, atoms]. burns: "
                     "[label, Lc, premium, burn of the Commit, burn of the Claim].",
            "networks": networks("main", "regtest", "short", "steep"), "labels": labels, "stages": stages,
            "prices": prices, "levels": levels, "levels_wide": levels_wide, "premiums": premiums, "burns": burns}


# ---- records.json

def records_json():
    good, bad = [], []

    def shape(rrsets):
        return [{"owner": [x.hex() for x in o], "type": t, "ttl": ttl, "rdatas": [d.hex() for d in ds]}
                for o, t, ttl, ds in rrsets]

    def yes(comment, rrsets, name=b"alice", net="regtest", pad=0):
        data = encode_records(rrsets)
        got = decode_records(NETWORKS[net], name, data)
        assert got == [(list(o), t, ttl, list(ds)) for o, t, ttl, ds in rrsets], comment
        case = {"comment": comment, "network": net, "name": name.decode(),
                "bytes": (data[:-pad] if pad else data).hex(), "hash": records_hash(data).hex()}
        if pad:
            assert data.endswith(bytes(pad))
            case["pad"] = pad
        else:
            case["rrsets"] = shape(rrsets)
        good.append(case)

    def no(rule, comment, data, name=b"alice", net="regtest", pad=0):
        got = rule_of(decode_records, NETWORKS[net], name, data + bytes(pad))
        assert got == rule, (comment, got)
        case = {"rule": rule, "comment": comment, "network": net, "name": name.decode(), "bytes": data.hex()}
        if pad:
            case["pad"] = pad
        bad.append(case)

    a7, a8, a9 = bytes([192, 0, 2, 7]), bytes([192, 0, 2, 8]), bytes([192, 0, 2, 9])
    one = [([], 1, 3600, [a7])]
    yes("the empty set", [])
    assert encode_records([]) == EMPTY_RECORDS
    yes("one A record", one)
    yes("R7's example", [([], 1, 3600, [a7, a9]), ([], 16, 300, [b"\x02hi"]), ([b"www"], 1, 3600, [a7]),
                         ([b"a", b"www"], 1, 3600, [a8])])
    yes("R4's order of owners", [([], 1, 0, [a7]), ([b"www"], 1, 0, [a7]), ([b"a", b"www"], 1, 0, [a7]),
                                 ([b"b", b"www"], 1, 0, [a7]), ([b"wwx"], 1, 0, [a7])])
    yes("labels as octet strings, a prefix first", [([b"a"], 1, 0, [a7]), ([b"z", b"a"], 1, 0, [a7]),
                                                    ([b"aa"], 1, 0, [a7]), ([b"b"], 1, 0, [a7])])
    yes("octets: zero, dot, 0xff", [([b"\x00"], 1, 0, [a7]), ([b"a.b"], 1, 0, [a7]), ([b"\xff"], 1, 0, [a7])])
    yes("octets next to the capitals", [([b"@"], 1, 0, [a7]), ([b"["], 1, 0, [a7])])
    yes("types as numbers", [([], t, 0, [b""]) for t in (1, 2, 5, 15, 16, 28, 33, 52, 64, 127, 256, 257, 65535)])
    for t in (1, 5, 7, 23, 25, 29, 31, 40, 42, 43, 44, 45, 49, 52, 127, 256, 65280, 65535):
        yes(f"type {t} is allowed", [([], t, 60, [b"\x00"])])
    yes("rdata: empty, then a prefix first", [([], 16, 1, [b"", b"\x00", b"\x00\x00", b"\x01", b"\xff"])])
    yes("ttl 2^31 - 1", [([], 1, 2**31 - 1, [a7])])
    yes("ttl 2^30 and 0", [([], 1, 0, [a7]), ([], 2, 2**30, [a7])])
    yes("a CNAME beside others is consensus' business not", [([], 1, 0, [a7]), ([], 5, 0, [b"\x00"])])
    yes("rdata that does not parse", [([], 1, 0, [b"\x01\x02"])])
    yes("a label of 63 octets", [([b"x" * 63], 1, 0, [a7])])
    full = [b"x" * 63] * 3 + [b"x" * 51]
    yes("owner of 244 octets under alice.p2p", [(full, 1, 0, [a7])])
    yes("owner of 248 octets under a.p2p", [([b"x" * 63] * 3 + [b"x" * 55], 1, 0, [a7])], name=b"a")
    yes("122 labels of one octet", [([b"x"] * 122, 1, 0, [a7])])
    yes("owner of 126 octets under 63 bytes and a tld of 63",
        [([b"x" * 63, b"x" * 61], 1, 0, [a7])], name=b"n" * 63, net="wide")
    yes("4096 bytes", [([], 16, 0, [bytes(4096 - 8)])])
    assert len(encode_records([([], 16, 0, [bytes(4096 - 8)])])) == 4096
    yes("rdata of 64 octets: a 2-byte count", [([], 16, 0, [bytes(64)])])
    yes("rdata of 65,535 octets; append `pad` zero bytes", [([], 16, 0, [bytes(65535)])], net="wide", pad=65535)
    yes("100 rdatas", [([], 1, 0, [bytes([10, 0, 0, i]) for i in range(100)])])
    yes("70 RRsets: a 2-byte count", [([bytes([0x61 + i // 10, 0x30 + i % 10])], 1, 0, [a7]) for i in range(70)])

    e = encode_records
    no("C2", "no bytes at all", b"")
    no("R1", "version 0", b"\x00\x00")
    no("R1", "version 2", b"\x02\x00")
    no("C2", "version alone", b"\x01")
    no("R1", "a byte left over after the empty set", b"\x01\x00\x00")
    no("R1", "a byte left over", e(one) + b"\x00")
    no("C2", "a byte missing", e(one)[:-1])
    no("C2", "two RRsets told, one given", b"\x01\x08" + e(one)[2:])
    no("R1", "one RRset told, two given", b"\x01\x04" + e([([], 1, 0, [a7]), ([], 2, 0, [a7])])[2:])
    no("C2", "2^32 - 1 RRsets told", b"\x01\x03\xff\xff\xff\xff")
    no("C2", "a count beyond u32", b"\x01\x07\x00\x00\x00\x00\x01")
    no("C3", "the count of RRsets as 0500", b"\x01\x05\x00" + e(one)[2:])
    no("C3", "the count of labels not the shortest", bytes.fromhex("010401000441380410c0000207"))
    no("C3", "the type not the shortest", bytes.fromhex("010400050041380410c0000207"))
    no("C3", "the ttl not the shortest", bytes.fromhex("01040004423800000410c0000207"))
    no("C3", "the count of rdatas not the shortest", bytes.fromhex("010400044138050010c0000207"))
    no("C3", "the length of an rdata not the shortest", bytes.fromhex("010400044138041100c0000207"))
    no("C2", "a type beyond u16", b"\x01\x04\x00" + compact(65536) + b"\x00\x04\x00")
    no("C2", "a ttl beyond u32", b"\x01\x04\x00\x04" + compact(2**32) + b"\x04\x00")
    no("R4", "A twice at one owner", e([([], 1, 60, [a7]), ([], 1, 60, [a8])]))
    no("R4", "the same RRset twice", e(one + one))
    no("R4", "TXT before A", e([([], 16, 0, [b""]), ([], 1, 0, [a7])]))
    no("R4", "www before the apex", e([([b"www"], 1, 0, [a7]), ([], 1, 0, [a7])]))
    no("R4", "a.www before www", e([([b"a", b"www"], 1, 0, [a7]), ([b"www"], 1, 0, [a7])]))
    no("R4", "wwx before a.www", e([([b"wwx"], 1, 0, [a7]), ([b"a", b"www"], 1, 0, [a7])]))
    no("R4", "b before aa", e([([b"b"], 1, 0, [a7]), ([b"aa"], 1, 0, [a7])]))
    no("R4", "ordered by the first label instead of the last",
       e([([b"a", b"z"], 1, 0, [a7]), ([b"b", b"y"], 1, 0, [a7])]))
    no("R4", "a longer label first by length order only", e([([b"b"], 1, 0, [a7]), ([b"aa"], 1, 0, [a7])]))
    no("R4", "type before owner: www A, apex NS", e([([b"www"], 1, 0, [a7]), ([], 2, 0, [b"\0"])]))
    no("R4", "an rdata twice", e([([], 1, 0, [a7, a7])]))
    no("R4", "rdatas descending", e([([], 1, 0, [a9, a7])]))
    no("R4", "rdatas: the longer before its prefix", e([([], 16, 0, [b"\x00\x00", b"\x00"])]))
    no("R4", "rdatas by length instead of octets", e([([], 16, 0, [b"\x01", b"\x00\x00"])]))
    no("R5", "an RRset without rdata", e([([], 1, 0, [])]))
    no("R5", "ttl 2^31", e([([], 1, 2**31, [a7])]))
    no("R5", "ttl 2^32 - 1", e([([], 1, 2**32 - 1, [a7])]))
    no("R5", "rdata of 65,536 octets; append `pad` zero bytes", e([([], 16, 0, [bytes(65536)])])[:-65536], net="wide",
       pad=65536)
    no("R3", "WWW", e([([b"WWW"], 1, 0, [a7])]))
    no("R3", "A in the middle", e([([b"aAa"], 1, 0, [a7])]))
    no("R3", "Z", e([([b"Z"], 1, 0, [a7])]))
    no("R3", "an empty label", e([([b""], 1, 0, [a7])]))
    no("R3", "an empty label last", e([([b"www", b""], 1, 0, [a7])]))
    no("R3", "a label of 64 octets", e([([b"x" * 64], 1, 0, [a7])]))
    no("R3", "owner of 245 octets under alice.p2p", e([([b"x" * 63] * 3 + [b"x" * 52], 1, 0, [a7])]))
    no("R3", "owner of 249 octets under a.p2p", e([([b"x" * 63] * 3 + [b"x" * 56], 1, 0, [a7])]), name=b"a")
    no("R3", "owner of 248 octets under ab.p2p", e([([b"x" * 63] * 3 + [b"x" * 55], 1, 0, [a7])]), name=b"ab")
    no("R3", "123 labels of one octet", e([([b"x"] * 123, 1, 0, [a7])]))
    no("R3", "owner of 127 octets under 63 bytes and a tld of 63", e([([b"x" * 63, b"x" * 62], 1, 0, [a7])]),
       name=b"n" * 63, net="wide")
    no("C2", "2^30 labels told", b"\x01\x04" + compact(2**30) + b"\x04a")
    for t in (0, 6, 24, 30, 41, 46, 47, 48, 50, 51, 128, 129, 200, 249, 250, 251, 252, 253, 254, 255):
        no("R6", f"type {t}", e([([], t, 0, [a7])]))
    no("R7", "4097 bytes", e([([], 16, 0, [bytes(4097 - 8)])]))
    return {"about": "R1 to R9. good: structure, bytes and hash; owners leftmost label first. Where `pad` is given, so "
                     "many zero bytes follow `bytes`.",
            "networks": networks("regtest", "wide"), "good": good, "bad": bad}


# ---- address.json

def address_json():
    good, bad = [], []
    rng = Rng("addresses")
    keys = [key("A"), key("B"), bytes(32), NO_POINT, b"\x80" + bytes(31), bytes(31) + b"\x01"]
    keys += [rng.bytes(32) for _ in range(4)]
    for net, prefix in PREFIX.items():
        for k in keys:
            a = address(prefix, k)
            assert read_address(prefix, a) == k
            good.append({"network": net, "key": k.hex(), "address": a})
    g = address("p2p", keys[0])

    def no(comment, text, net="main"):
        assert rule_of(read_address, PREFIX[net], text) == "C8", comment
        bad.append({"rule": "C8", "network": net, "address": text, "comment": comment})

    for net in PREFIX:
        for other, prefix in PREFIX.items():
            if other != net:
                no(f"an address of {other}", address(prefix, keys[0]), net)
    no("another prefix", address("bc", keys[0]))
    no("mixed case", g[:-1] + g[-1].upper())
    no("mixed case: the prefix alone", "P2P" + g[3:])
    for pad in (1, 2, 4, 8, 15):
        no(f"padding bits {pad}", bech32("p2p", key_symbols(keys[0], pad)))
    no("bech32 instead of bech32m", bech32("p2p", key_symbols(keys[0]), 1))
    no("a symbol changed", g[:10] + ("q" if g[10] != "q" else "p") + g[11:])
    no("a symbol of the checksum changed", g[:-1] + ("q" if g[-1] != "q" else "p"))
    no("two symbols swapped", g[:8] + g[9] + g[8] + g[10:])
    no("51 symbols", bech32("p2p", key_symbols(keys[0])[:51]))
    no("53 symbols", bech32("p2p", key_symbols(keys[0]) + [0]))
    no("with a version symbol", bech32("p2p", [1] + key_symbols(keys[0])))
    no("31 bytes", bech32("p2p", key_symbols(keys[0])[:50]))
    no("no symbols", bech32("p2p", []))
    no("a letter out of the set (b)", g[:10] + "b" + g[11:])
    no("no separator", g.replace("1", "", 1))
    no("empty", "")
    no("prefix alone", "p2p1")
    no("a space before", " " + g)
    no("a space after", g + " ")
    no("a byte beyond ASCII", g[:10] + "\u00e9" + g[11:])
    return {"about": "C8. Wholly upper-case text is in neither list.", "good": good, "bad": bad}
