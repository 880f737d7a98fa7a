"""BIP 340 Schnorr signatures over secp256k1 (C6). For making vectors only: not constant-time."""

import hashlib
from functools import lru_cache

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
GX = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
GY = 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8

# Points are Jacobian triples (X, Y, Z); z = 0 is infinity.
INF = (1, 1, 0)


def _double(p):
    x, y, z = p
    if not z or not y:
        return INF
    a = y * y % P
    b = 4 * x * a % P
    c = 3 * x * x % P
    x3 = (c * c - 2 * b) % P
    return x3, (c * (b - x3) - 8 * a * a) % P, 2 * y * z % P


def _add_affine(p, q):
    """Jacobian p plus affine q = (x, y)."""
    x1, y1, z1 = p
    x2, y2 = q
    if not z1:
        return x2, y2, 1
    zz = z1 * z1 % P
    u = x2 * zz % P
    s = y2 * zz * z1 % P
    h = (u - x1) % P
    r = (s - y1) % P
    if not h:
        return _double(p) if not r else INF
    hh = h * h % P
    hhh = h * hh % P
    v = x1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - y1 * hhh) % P, z1 * h % P


def _affine(p):
    x, y, z = p
    if not z:
        return None
    i = pow(z, -1, P)
    ii = i * i % P
    return x * ii % P, y * ii * i % P


def _table():
    """j * 16^i * G for i < 64, 1 <= j < 16."""
    rows, base = [], (GX, GY)
    for _ in range(64):
        row, p = [None], INF
        for _ in range(15):
            p = _add_affine(p, base)
            row.append(_affine(p))
        rows.append(row)
        base = _affine(_add_affine(p, base))
    return rows


_G = _table()


def _mul_g(k, start=INF):
    p = start
    for i in range(64):
        j = k >> 4 * i & 15
        if j:
            p = _add_affine(p, _G[i][j])
    return p


def _mul(k, q):
    row = [None, q]
    p = (*q, 1)
    for _ in range(14):
        p = _add_affine(p, q)
        row.append(_affine(p))
    p = INF
    for i in range(63, -1, -1):
        p = _double(_double(_double(_double(p))))
        j = k >> 4 * i & 15
        if j:
            p = _add_affine(p, row[j])
    return p


@lru_cache(maxsize=None)
def lift_x(x):
    """BIP 340 lift_x: the point of even y, or None."""
    if x >= P:
        return None
    c = (pow(x, 3, P) + 7) % P
    y = pow(c, (P + 1) // 4, P)
    if y * y % P != c:
        return None
    return x, (y if y % 2 == 0 else P - y)


def _hash(tag, data):
    t = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(t + t + data).digest()


def _int(b):
    return int.from_bytes(b, "big")


@lru_cache(maxsize=None)
def public(secret):
    """The x-only key of a secret (an integer)."""
    return _affine(_mul_g(secret))[0].to_bytes(32, "big")


@lru_cache(maxsize=None)
def sign(secret, message, aux=bytes(32)):
    """BIP 340 signing; the auxiliary bytes are zero unless given."""
    px, py = _affine(_mul_g(secret))
    d = secret if py % 2 == 0 else N - secret
    pub = px.to_bytes(32, "big")
    t = (d ^ _int(_hash("BIP0340/aux", aux))).to_bytes(32, "big")
    k = _int(_hash("BIP0340/nonce", t + pub + message)) % N
    rx, ry = _affine(_mul_g(k))
    if ry % 2:
        k = N - k
    r = rx.to_bytes(32, "big")
    e = _int(_hash("BIP0340/challenge", r + pub + message)) % N
    return r + ((k + e * d) % N).to_bytes(32, "big")


@lru_cache(maxsize=None)
def verify(key, message, signature):
    """C6: BIP 340 verification, strict."""
    if len(signature) != 64 or len(key) != 32:
        return False
    p = lift_x(_int(key))
    r, s = _int(signature[:32]), _int(signature[32:])
    if p is None or r >= P or s >= N:
        return False
    e = _int(_hash("BIP0340/challenge", signature[:32] + key + message)) % N
    q = _affine(_mul_g(s, _mul((N - e) % N, p)))
    return q is not None and q[1] % 2 == 0 and q[0] == r
