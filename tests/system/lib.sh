# Sourced by the scripts here: the program under test, a throwaway folder, a node in it, and an end that leaves nothing.
# shellcheck shell=bash

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
dotp2p=${DOTP2P_BIN:-${CARGO_TARGET_DIR:-$root/target}/debug/dotp2p}
[[ -x $dotp2p ]] || { echo "$dotp2p is missing: cargo build" >&2; exit 1; }

work=$(mktemp -d "${TMPDIR:-/tmp}/dotp2p-system-XXXXXX")
pids=()

# Ends what was started here, by its id, and removes the folder; after a failure it shows the logs' last lines.
finish() {
    local code=$? pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    if ((code != 0)); then tail -n 20 "$work"/*.log >&2 2>/dev/null || true; fi
    rm -rf "$work"
    exit "$code"
}
trap finish EXIT

# until_true SECONDS WHAT COMMAND…: waits for COMMAND to succeed, and fails loudly when it does not in time.
until_true() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then echo "not in time: $what" >&2; return 1; fi
        sleep 0.05
    done
}

# A command that the test needs, and the Debian package it is in.
need() { command -v "$1" >/dev/null || { echo "$1 is missing: apt-get install $2" >&2; exit 1; }; }

# json FILE EXPRESSION: a value of a JSON file, as a Python expression over `it`.
json() { python3 -c 'import json, sys; it = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }

node_is_up() { kill -0 "$1" && [[ $(json "$2" 'it["pid"]') == "$1" ]]; }

# Starts a mining node on regtest, any ports, and sets dns_ip and dns_port.
start_node() {
    export DOTP2P_NETWORK=regtest DOTP2P_DATA_DIR=$work/data
    "$dotp2p" node --mine --rpc-listen 127.0.0.1:0 --dns-listen 127.0.0.1:0 \
        --p2p-listen /ip4/127.0.0.1/tcp/0 --no-discovery >"$work/node.log" 2>&1 &
    local pid=$! file=$DOTP2P_DATA_DIR/regtest/node.json
    pids+=("$pid")
    until_true 60 "the node's node.json" node_is_up "$pid" "$file"
    local dns
    dns=$(json "$file" 'it["dns"][0]')
    dns_ip=${dns%:*} dns_port=${dns##*:}
    echo "node $pid answers DNS on $dns_ip port $dns_port"
}

# register NAME: makes a wallet and registers NAME with examples/hello.zone, as somebody at a shell would.
register() {
    "$dotp2p" wallet create >"$work/wallet.log"
    timeout 120 "$dotp2p" name register "$1" --zone "$root/examples/hello.zone" --yes --wait
}
