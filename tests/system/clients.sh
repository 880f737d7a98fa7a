#!/usr/bin/env bash
# dig, kdig and drill read a registered name type by type, over UDP and TCP, and hear what examples/hello.expected says.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need dig bind9-dnsutils
need kdig knot-dnsutils
need drill ldnsutils

start_node
register alice
python3 "$here/answers.py" clients --name alice --server "$dns_ip" --port "$dns_port"
