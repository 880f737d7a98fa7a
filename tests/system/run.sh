#!/usr/bin/env bash
# The node against real clients, a real name server, kill -9, power cuts, a full disk and damaged files. Needs
# `cargo build`, root for the full disk, and the packages that .ci/run installs.
#
#   tests/system/run.sh
#
# How much is tried: KILLS (100), POWERCUT_BLOCKS (40), DISK_FULL_POINTS (20), DAMAGE_CASES (100). In full:
# KILLS=1000 POWERCUT_BLOCKS=300 DISK_FULL_POINTS=200 DAMAGE_CASES=1000.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

part() {
    printf -- '\n---- %s\n' "$*"
    local began=$SECONDS
    "$@"
    printf -- '---- %s: %d s\n' "$1" $((SECONDS - began))
}

part ./clients.sh
part ./knot.sh
part ./kill9.py "${KILLS:-100}"
part ./powercut/powercut.py "${POWERCUT_BLOCKS:-40}"
part ./disk_full.py "${DISK_FULL_POINTS:-20}"
part ./damage.py "${DAMAGE_CASES:-100}"
