#!/usr/bin/env bash
# The node against real clients, a real name server, real validators, kill -9, power cuts, a full disk, damaged files, and other nodes in
# network namespaces. Needs `cargo build`, root for the full disk and the namespaces, and the packages that .ci/run installs
# (bind9-dnsutils knot-dnsutils ldnsutils knot unbound for clients, nsd bind9 beside for the comparison, dnsmasq-base openssl for
# upstreams and resolvers, iproute2 nftables for peers).
#
#   tests/system/run.sh
#
# How much is tried: COMPARED (4000 questions), DNSSEC_ANSWERS (600), DNS_FLOOD_SECONDS (10), DNS_MUTATED (1000000), KILLS (100),
# POWERCUT_BLOCKS (40), DISK_FULL_POINTS (20), DAMAGE_CASES (100). In full: COMPARED=20000 DNSSEC_ANSWERS=10000
# DNS_FLOOD_SECONDS=30 DNS_MUTATED=10000000 KILLS=1000
# POWERCUT_BLOCKS=300 DISK_FULL_POINTS=200 DAMAGE_CASES=1000. Of peers: JOIN_BLOCKS (200), ISLANDS_BLOCKS (20), UPDATES
# (3), IDLE_PEERS (10), HOSTILE (200), FLOOD_PEERS and UNREAD_PEERS (20), IDLE_SECONDS, HOSTILE_SECONDS,
# FLOOD_SECONDS and UNREAD_SECONDS (10); in full, what peers.py does unless told otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Where builds go on beside it, an answer may wait for a core.
export DNS_FLOOD_P99_MS=${DNS_FLOOD_P99_MS:-2000}
export IDLE_SECONDS=${IDLE_SECONDS:-10} HOSTILE_SECONDS=${HOSTILE_SECONDS:-10}
export UNREAD_SECONDS=${UNREAD_SECONDS:-10} FLOOD_SECONDS=${FLOOD_SECONDS:-10} FLOOD_BAN_S=${FLOOD_BAN_S:-60} FLOOD_RELAY_S=${FLOOD_RELAY_S:-30}

part() {
    printf -- '\n---- %s\n' "$*"
    local began=$SECONDS
    "$@"
    printf -- '---- %s: %d s\n' "$1" $((SECONDS - began))
}

part ./clients.sh
part ./knot.sh
part ./dns_flood.py flood "${DNS_FLOOD_SECONDS:-10}"
part ./dns_flood.py mutate "${DNS_MUTATED:-1000000}"
part ./compare.py "${COMPARED:-4000}"
part ./dnssec.py "${DNSSEC_ANSWERS:-600}"
part ./forward.sh
part ./dns_setup.py
part ./kill9.py "${KILLS:-100}"
part ./powercut/powercut.py "${POWERCUT_BLOCKS:-40}"
part ./disk_full.py "${DISK_FULL_POINTS:-20}"
part ./damage.py "${DAMAGE_CASES:-100}"

part ./peers.py join "${JOIN_BLOCKS:-200}"
part ./peers.py nearby
part ./peers.py islands "${ISLANDS_BLOCKS:-20}"
part ./peers.py updates "${UPDATES:-3}"
part ./peers.py nat
part ./peers.py psk
part ./peers.py carry
part ./peers.py idle "${IDLE_PEERS:-10}"
part ./peers.py hostile "${HOSTILE:-200}"
part ./peers.py flood "${FLOOD_PEERS:-20}"
part ./peers.py unread "${UNREAD_PEERS:-20}"
