"""Writes every JSON file of tests/vectors, or with --check compares and exits 1 on a difference."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.dont_write_bytecode = True

import gen_carry  # noqa: E402
import gen_chain  # noqa: E402
import gen_codec  # noqa: E402
import gen_ops  # noqa: E402
import gen_peers  # noqa: E402
import gen_small  # noqa: E402
from common import dump  # noqa: E402

FILES = {
    "rules.json": gen_small.rules_json, "pow.json": gen_small.pow_json, "merkle.json": gen_small.merkle_json,
    "history.json": gen_small.history_json, "names.json": gen_small.names_json,
    "records.json": gen_small.records_json, "address.json": gen_small.address_json,
    "trie.json": gen_codec.trie_json, "codec.json": gen_codec.codec_json,
    "ops.json": gen_ops.ops_json,
    "chain.json": gen_chain.chain_json, "proofs.json": gen_chain.proofs_json,
    "peers.json": gen_peers.peers_json, "carry.json": gen_carry.carry_json,
}


def main():
    check, bad = "--check" in sys.argv[1:], []
    out = pathlib.Path(__file__).parent.parent
    for name, make in FILES.items():
        text = dump(make())
        path = out / name
        if check:
            if not path.exists() or path.read_text() != text:
                bad.append(name)
        else:
            path.write_text(text)
    for name in bad:
        print(f"{name} differs")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
