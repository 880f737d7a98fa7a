#!/usr/bin/env bash
# The same zone file in Knot DNS, asked the same questions: its answers and ours are equal.
# What may differ, and why, stands in answers.py beside `LEGITIMATE`.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need kdig knot-dnsutils
PATH=$PATH:/usr/sbin
need knotd knot

start_node
register alice

# Knot has no port 0: a port that is free now, and another try if somebody was faster.
knot_listens() { kill -0 "$1" && kdig +norec +timeout=1 +retry=0 "@127.0.0.1" -p "$2" alice.p2p. SOA | grep -q 'status: NOERROR'; }
start_knot() {
    knot_port=$(python3 "$here/answers.py" free-port)
    mkdir -p "$work/knot"
    cat >"$work/knot/knot.conf" <<CONF
server:
    rundir: "$work/knot"
    listen: 127.0.0.1@$knot_port
database:
    storage: "$work/knot"
log:
  - target: stderr
    any: info
zone:
  - domain: alice.p2p
    file: "$root/examples/hello.zone"
    zonefile-sync: -1
    dnssec-signing: on
CONF
    knotd -c "$work/knot/knot.conf" >"$work/knot.log" 2>&1 &
    local pid=$!
    pids+=("$pid")
    until_true 15 "Knot's first answer" knot_listens "$pid" "$knot_port" || return 1
    echo "knotd $pid answers on port $knot_port"
}
start_knot || start_knot

python3 "$here/answers.py" knot --name alice --server "$dns_ip" --port "$dns_port" --knot-port "$knot_port"
