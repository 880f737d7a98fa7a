#!/usr/bin/env bash
# The node against real clients, a real name server, and kill -9. Needs `cargo build` and the packages that .ci/run installs.
#
#   tests/system/run.sh [KILLS]
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
part ./kill9.py "${1:-100}"
