#!/usr/bin/env bash
# dotp2p and hsd (Handshake's full node) connect blocks of 600 updates, by turns on the same machine.
#
#   benches/hsd/run.sh        needs cargo, node, npm, a C++ compiler and node's headers
#
# 600 is hsd's limit a block. Two shapes: 600 transactions of one update, and 6 of a hundred. hsd runs in each of its
# ways (its chain in this process, and the program by RPC; with and without worker threads), on disk, on native
# libsecp256k1; the best of them counts. ROUNDS (3), BLOCKS a shape (20 of hsd, five times as many of ours).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/benches/hsd
rounds=${ROUNDS:-3} blocks=${BLOCKS:-20}
home=$root/target/bench/hsd
mkdir -p "$home"

if ! cmp -s "$here/package-lock.json" "$home/installed"; then
    echo "installing hsd into $home" >&2
    cp "$here/package.json" "$here/package-lock.json" "$home"
    # Headers that came with node spare a download.
    headers=$(node -p 'require("path").resolve(process.execPath, "../..")')
    if [[ -e $headers/include/node/node.h ]]; then export npm_config_nodedir=$headers; fi
    (cd "$home" && npm ci --no-audit --no-fund --loglevel=error >&2)
    cp "$here/package-lock.json" "$home/installed"
fi
export NODE_PATH=$home/node_modules

made_by=$(sha256sum "$here/make.js" "$here/package-lock.json" | sha256sum | cut -c1-12)
chain=$home/chain-$blocks-$made_by.bin
if [[ ! -e $chain ]]; then
    node "$here/make.js" "$chain.new" "$blocks"
    mv "$chain.new" "$chain"
fi

cd "$root"
cargo bench --bench connect --no-run >&2
results=$(mktemp)
trap 'rm -f "$results"' EXIT
for ((round = 1; round <= rounds; round++)); do
    echo "round $round of $rounds, load $(cut -d' ' -f1 /proc/loadavg)" >&2
    BLOCKS=$((blocks * 5)) cargo bench --quiet --bench connect -- shapes json | tail -n 1 >>"$results"
    for way in in-process rpc; do
        for workers in 0 1; do
            node "$here/connect.js" "$chain" "$way" "$workers" >>"$results"
        done
    done
done
python3 "$here/compare.py" "$results"
