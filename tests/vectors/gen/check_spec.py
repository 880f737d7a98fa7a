"""Every worked example of docs/spec against this implementation; also the published ASERT and BIP 340 vectors."""

import csv
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.dont_write_bytecode = True

import secp  # noqa: E402
from common import NETWORKS, key  # noqa: E402
from rules import (MAIN, REGTEST, TEST, asert, base_price, bits_of, block_hash, canonical, claim_burn,  # noqa: E402
                   commit_burn, free_from, genesis, label_refusal, median, next_level, premium, reference_time, subsidy, target_of,
                   work_of)
from scale import compact, sha256  # noqa: E402
from state import Name  # noqa: E402

HERE = pathlib.Path(__file__).parent.parent
SPEC = HERE.parent.parent / "docs" / "spec"
bad = []


def same(what, ours, theirs):
    if ours != theirs:
        bad.append(f"{what}: ours {ours}, the spec's {theirs}")


def numbers():
    for n, hx in ((0, "00"), (1, "04"), (63, "fc"), (64, "0101"), (1000, "a10f"), (16383, "fdff"), (16384, "02000100"),
                  (10**7, "025a6202"), (10**8, "0284d717"), (2**30 - 1, "feffffff"), (2**30, "0300000040"),
                  (2**32, "070000000001"), (5 * 10**9, "0700f2052a01"), (2**64 - 1, "13" + "ff" * 8)):
        same(f"C2 {n}", compact(n).hex(), hx)
    for bits, t in ((0x1E00FFFF, 0xFFFF << 216), (0x207FFFFF, 0x7FFFFF << 232), (0x1D7FFF80, 0x7FFF80 << 208),
                    (0x01010000, 1), (0x2100FFFF, 0xFFFF << 240), (0x01123456, 0x12), (0x02008000, 0x80),
                    (0x03000001, 1), (0x220000FF, 0xFF << 248), (0x1E0000FF, 0xFF << 216)):
        same(f"P1 {bits:08x}", target_of(bits), t)
    for bits, other in ((0x01123456, 0x01120000), (0x03000001, 0x01010000), (0x220000FF, 0x2100FF00),
                        (0x1E0000FF, 0x1D00FF00)):
        same(f"P1 canonical of {bits:08x}", (canonical(bits), bits_of(target_of(bits))), (False, other))
    for bits in (0x1E00FFFF, 0x207FFFFF, 0x1D7FFF80, 0x01010000, 0x2100FFFF, 0x02008000):
        same(f"P1 canonical {bits:08x}", canonical(bits), True)
    for t, bits in ((1, 0x01010000), (0x7F, 0x017F0000), (0x80, 0x02008000), (0xFF, 0x0200FF00), (0x7FFF, 0x027FFF00),
                    (0x8000, 0x03008000), (0x7FFFFF, 0x037FFFFF), (0x800000, 0x04008000), (0x123456789ABC, 0x06123456),
                    (2**255, 0x21008000), (2**256 - 1, 0x2100FFFF)):
        same(f"P2 {t:x}", bits_of(t), bits)
    for bits, w in ((0x207FFFFF, 2), (0x1E00FFFF, 16777472), (0x1D00FFFF, 4295032833), (0x01010000, 2**255)):
        same(f"P3 {bits:08x}", work_of(bits), w)
        t = target_of(bits)
        same(f"P3 {bits:08x}, in 256 bits", (2**256 - 1 - t) // (t + 1) + 1, w)
    first = 1793492200

    def s(k):
        return first + 60 * (k - 1)

    g = 0x1B0404CB
    for bits, h, parent, time, e, shifts, frac, factor, want in (
            (0x1E00FFFF, 2, first, first + 60, 0, 0, 0, 65536, 0x1E00FFFF),
            (0x1E00FFFF, 242, first + 7200, first + 7260, -65536, -1, 0, 65536, 0x1D7FFF80),
            (0x1E00FFFF, 242, s(241) + 7200, s(241) + 7260, 65536, 1, 0, 65536, 0x1E00FFFF),
            (g, 122, s(121), s(122), 0, 0, 0, 65536, g), (g, 122, s(121) + 1, s(122), 9, 0, 9, 65542, 0x1B0404E3),
            (g, 122, s(121) - 1, s(122), -9, -1, 65527, 131060, 0x1B0404B2),
            (g, 122, s(121) + 7200, s(121) + 7260, 65536, 1, 0, 65536, 0x1B080996),
            (g, 122, s(121), s(121) + 1200, 0, 0, 0, 65536, g),
            (g, 122, s(121), s(121) + 1201, 9, 0, 9, 65542, 0x1B0404E3),
            (g, 122, s(121), s(121) + 8400, 65536, 1, 0, 65536, 0x1B080996),
            (g, 122, s(121), s(121) + 86400, 775509, 11, 54613, 116784, 0x1C394A53),
            (g, 122, s(121), s(121) + 864000, 7853397, 119, 54613, 116784, 0x1E00FFFF),
            (g, 122, s(121) - 3600, s(121), -10922, -1, 54614, 116785, 0x1B0394A7),
            (g, 10**7, first + 600, first + 700, -5461326779, -83334, 50245, 111508, 0x01010000)):
        ref = reference_time(MAIN, parent, time)
        same(f"P5 row {want:08x} e {e}", asert(bits, 0x1E00FFFF, 7200, 60, first - 60, h - 1, ref),
             (want, e, shifts, frac, factor))
    for times, m in (([7], 7), ([100, 200], 200), ([100, 300, 200], 200)):
        same("B12b", median(times), m)
    for h, atoms in ((1, 5 * 10**9), (2102399, 5 * 10**9), (2102400, 2500000000), (67276799, 2), (67276800, 1),
                     (69379199, 1), (69379200, 0)):
        same(f"B19 {h}", subsidy(MAIN, h), atoms)
    same("B3m", sum(MAIN.subsidy >> k for k in range(64)) * MAIN.halving_interval, 21023999976873600)
    for r, size in ((MAIN, 121), (TEST, 121), (REGTEST, 113)):
        same("B2 length", len(r.encode()), size)
        same("B5 length", len(genesis(r)["block"]), 255)
    same("B9", MAIN.body_max + 189, 262333)
    same("T4h", MAIN.body_max - 34, 262110)
    for label in ("a", "7", "0x", "a-b", "a--b", "xn--mnchen-3ya", "a" * 63):
        same(f"N1 {label}", label_refusal(label.encode()), None)
    for label in ("", "-a", "a-", "ab--c", "Alice", "a_b", "xn--", "a" * 64):
        same(f"N1 {label}", label_refusal(label.encode()) is not None, True)
    same("N3 main", free_from(MAIN, 526600), 600040)
    same("N3 regtest", free_from(REGTEST, 205), 245)
    for n, atoms in ((1, 200000000000), (2, 50000000000), (3, 10000000000), (4, 2000000000), (5, 10**8), (63, 10**8)):
        same(f"N4 {n}", base_price(b"a" * n), atoms)
    level = 10**6
    for n, want in zip((16, 16, 16, 16, 8, 12, 0, 0, 0, 0, 9, 16),
                       (1125000, 1265625, 1423828, 1601806, 1601806, 1701918, 1489178, 1303030, 1140151, 1000000,
                        1015625, 1142578)):
        level = next_level(MAIN, level, n)
        same(f"N4 level, {n}", level, want)
    up, level = 0, 10**6
    while level < 10**12:
        level, up = next_level(MAIN, level, 16), up + 1
    down = 0
    while level > 10**6:
        level, down = next_level(MAIN, level, 0), down + 1
    same("N4 full blocks up, empty ones down", (up, down), (118, 104))
    for d, atoms in ((0, 104857600000000), (1, 104821191111112), (720, 78643200000000), (1439, 52465208888889),
                     (1440, 52428800000000), (2881, 26205297777778), (28800, 100000000), (30239, 50034723)):
        same(f"N5 main {d}", premium(MAIN, d), atoms)
    for d, atoms in ((0, 104857600000000), (1, 91750400000000), (2, 78643200000000), (3, 65536000000000),
                     (4, 52428800000000), (9, 22937600000000), (16, 6553600000000), (19, 4096000000000)):
        same(f"N5 regtest {d}", premium(REGTEST, d), atoms)
    for level, atoms in ((10**6, 10**7), (1265625, 12656250), (10**12, 10**13)):
        same(f"N7 {level}", commit_burn(level), atoms)
    for label, level, prem, atoms in ((b"alice", 10**6, 0, 90000000), (b"alice", 1265625, 0, 113906250),
                                      (b"a", 10**6, 0, 199990000000),
                                      (b"alice", 10**6, 78643200000000, 78643290000000)):
        same(f"N8 {label} {level}", claim_burn(label, level, prem), atoms)
    k = bytes(32)
    same("S1 widths", (len(Name(k, 0, 0).encode()), len(Name(k, 0, 0, k, k, k, (1, k)).encode())), (75, 180))
    same("C5", sha256(b"dotp2p/records").hex(), "07dbfab3f3a2584c1b64554869e6f1205a57fc6c05eb87213f3a84106f0d217c")
    same("C6", (key("A").hex(), key("B").hex()),
         ("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
          "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"))
    h = bytes.fromhex("010000001d49b1e64ab3337b2290b28d8a95b1c9657c68f3c05fde555d1e7fc01661c21c7f6b444b873e85c51c0b701c6f"
                      "1711f45e8afe810b33756858f0dd4c051a34f03c81e66a00000000ffff7f200100000000000000")
    same("P7", block_hash(h)[::-1].hex(), "672643fe273e985d4c61f804158eb9a9854e33c92e659c8273593c5d51f766b3")


def hex_in_vectors():
    """Each hex of four digits or more that the spec shows in a code span stands somewhere in the JSON files."""
    known = {"07dbfab3f3a2584c1b64554869e6f1205a57fc6c05eb87213f3a84106f0d217c",
             "672643fe273e985d4c61f804158eb9a9854e33c92e659c8273593c5d51f766b3"}  # checked above
    blob = "".join(p.read_text() for p in sorted(HERE.glob("*.json")) if p.name != "bip350.json")
    for p in sorted(SPEC.glob("*.md")):
        for t in re.findall(r"`((?:[0-9a-f]{2}){2,})`", p.read_text()):
            if t not in blob and t not in known:
                bad.append(f"{p.name}: {t} is in no JSON file")


def published():
    for p in sorted((HERE / "asert").glob("run*")):
        head = {}
        for line in p.read_text().splitlines():
            if line.startswith("##"):
                k, _, v = line[2:].strip().partition(": ")
                head[k] = v
            elif line.strip() and not line.startswith("#"):
                _, h, time, bits = line.split()
                a = int(head.get("anchor ancestor time", head.get("anchor parent time")))
                parent = int(h) - int(head["anchor height"]) + 1
                same(f"{p.name} {h}", asert(int(head["anchor nBits"], 16), 0x1D00FFFF, 172800, 600, a, parent,
                                            int(time))[0], int(bits, 16))
    with open(HERE / "bip340-test-vectors.csv") as f:
        for row in csv.DictReader(f):
            k, m, s, aux = (bytes.fromhex(row[x]) for x in ("public key", "message", "signature", "aux_rand"))
            same(f"BIP 340 {row['index']}", secp.verify(k, m, s), row["verification result"] == "TRUE")
            if row["secret key"]:
                same(f"BIP 340 signing {row['index']}", secp.sign(int(row["secret key"], 16), m, aux), s)


if __name__ == "__main__":
    numbers()
    hex_in_vectors()
    published()
    assert set(NETWORKS) >= {"main", "test", "regtest"}
    print("\n".join(bad) or "all examples agree")
    sys.exit(1 if bad else 0)
