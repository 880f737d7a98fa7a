"""Accounts outside any wallet: transactions built and signed here, by the code that makes the test vectors.

So that a test decides nonce, fee and ops itself, and knows what was asked before any node has seen it.
"""

import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "vectors" / "gen"))

import rules  # noqa: E402
import scale  # noqa: E402
import secp  # noqa: E402
import tx  # noqa: E402

PREFIX = "rp2p"
A, TTL = 1, 60


def a_record(ip):
    """Records of a name: one address at the apex (R1)."""
    return rules.encode_records([([], A, TTL, [socket.inet_aton(ip)])])


class Payer:
    """An account on regtest, with the secret key `secret`. What it signs is (bytes in hexadecimal, txid)."""

    chain_id = rules.REGTEST.chain_id()

    def __init__(self, secret):
        self.secret = secret
        self.key = secp.public(secret)
        self.address = scale.address(PREFIX, self.key)
        self.nonce = 0

    def sign(self, ops, nonce=None, fee=20_000):
        """A transaction of these ops. Without `nonce` the account's next."""
        if nonce is None:
            nonce, self.nonce = self.nonce, self.nonce + 1
        it = tx.sign_tx(self.chain_id, tx.Tx(self.key, nonce, fee, ops), {self.key: self.secret})
        return it.encode().hex(), tx.txid(self.chain_id, it).hex()

    def update(self, name, ip, **how):
        return self.sign([tx.op("Update", name.encode(), a_record(ip))], **how)

    def pay(self, to, amount, **how):
        return self.sign([tx.op("Pay", to.key, amount)], **how)
