#!/usr/bin/env bash
# The node as the machine's only resolver, in a namespace with an /etc/resolv.conf of its own: names of the domain, names outside through
# dnsmasq and Unbound (plain, TLS, HTTPS), an alias from one to the other, a name that is delegated to Knot, an upstream that stops, and one
# that asks the node back; curl, a
# browser, and ssh, which believes a host by its SSHFP record through a validating Unbound. What goes to the upstreams is captured.
# Needs root and iproute2, dnsmasq, unbound, knot, bind9-dnsutils, openssl, openssh-server, curl, chromium, tcpdump, python3.
if [[ ${1:-} != inside ]]; then exec unshare --net --mount "$0" inside; fi
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need ip iproute2
need dnsmasq dnsmasq-base
need unbound unbound
need knotd knot
need dig bind9-dnsutils
need openssl openssl
need curl curl
need chromium chromium
need tcpdump tcpdump
need /usr/sbin/sshd openssh-server

ip link set lo up
echo "nameserver 127.0.0.1" >"$work/resolv.conf"
mount --bind "$work/resolv.conf" /etc/resolv.conf
export DOTP2P_NETWORK=regtest

# node NAME ADDRESS UPSTREAMS [FLAG…]: a node that answers on port 53 of ADDRESS; its process is in $node_pid.
node() {
    local name=$1 address=$2 upstreams=$3 dir=$work/$1
    shift 3
    "$dotp2p" node --data-dir "$dir" --rpc-listen 127.0.0.1:0 --dns-listen "$address:53" --dns-forward "$upstreams" \
        --p2p-listen /ip4/127.0.0.1/tcp/0 --no-discovery "$@" >"$work/$name.log" 2>&1 &
    node_pid=$!
    pids+=("$node_pid")
    until_true 60 "node $name" node_is_up "$node_pid" "$dir/regtest/node.json"
}

# upstream ADDRESS: dnsmasq, which knows two names and writes down what it is asked.
upstream() {
    dnsmasq --keep-in-foreground --no-resolv --no-hosts --conf-file=/dev/null --bind-interfaces --listen-address="$1" --user=root \
        --pid-file= --host-record=www.example.org,192.0.2.80 --host-record=other.example.org,192.0.2.81 --local=/example.org/ --log-queries --log-facility="$work/dnsmasq-$1.txt" &
    upstream_pid=$!
    pids+=("$upstream_pid")
    until_true 10 "dnsmasq on $1" dig +tries=1 +time=1 @"$1" www.example.org
}

# unbound_with NAME LINES: Unbound with these lines in its configuration.
unbound_with() {
    printf 'server:\n do-daemonize: no\n username: ""\n chroot: ""\n pidfile: ""\n logfile: "%s"\n use-syslog: no\n module-config: "iterator"\n do-not-query-localhost: no\n access-control: 127.0.0.0/8 allow\n%s\n' \
        "$work/$1.log" "$2" >"$work/$1.conf"
    unbound -d -c "$work/$1.conf" &
    pids+=($!)
}

# is WHAT EXPECTED COMMAND…: what the command prints is what is expected.
is() {
    local what=$1 expected=$2 got
    shift 2
    got=$("$@" || true)
    [[ $got == "$expected" ]] || { echo "$what: expected $expected, got $got" >&2; return 1; }
    echo "$what: ok"
}
address() { getent ahosts "$1" | awk 'NR == 1 { print $1 }'; }
status() { dig +tries=1 +time=5 "$@" | awk '/status:/ { sub(",", "", $6); print $6 }'; }
short() { dig +tries=1 +time=5 +short "$@"; }
ms() { date +%s%3N; }

tcpdump -i lo -U -w "$work/upstreams.pcap" 'udp or tcp' and '(dst host 127.0.0.10 or dst host 127.0.0.11)' 2>"$work/tcpdump.txt" &
pids+=($!)
capture_pid=$!
until_true 10 "tcpdump" grep -q listening "$work/tcpdump.txt"
upstream 127.0.0.11
upstream 127.0.0.10
first_pid=$upstream_pid
node main 127.0.0.1 127.0.0.10,127.0.0.11 --mine
export DOTP2P_DATA_DIR=$work/main
"$dotp2p" wallet create >"$work/wallet.txt"
ssh-keygen -q -t ed25519 -N "" -f "$work/host_key"
ssh-keygen -q -t ed25519 -N "" -f "$work/user_key"
sshfp=$(ssh-keygen -r @ -f "$work/host_key.pub" | awk '$5 == 2 { print "host SSHFP", $4, $5, $6 }')
timeout 120 "$dotp2p" name register alice --record '@ A 127.0.0.9' --record 'www CNAME www.example.org.' --record 'host A 127.0.0.9' \
    --record "$sshfp" --record 'sub NS ns.sub' --record 'ns.sub A 192.0.2.53' --yes --wait

is "a name of the domain" 127.0.0.9 address alice.p2p
is "a name outside" 192.0.2.80 address www.example.org
is "an alias from one to the other" 192.0.2.80 address www.alice.p2p
is "a name that is not there" NXDOMAIN status @127.0.0.1 no.p2p
mkdir "$work/knot"
ip address add 192.0.2.53/32 dev lo
printf 'server:\n    rundir: %s\n    listen: 192.0.2.53@53\ndatabase:\n    storage: %s\nzone:\n  - domain: sub.alice.p2p\n    storage: %s\n    file: sub.zone\n' \
    "$work/knot" "$work/knot" "$work/knot" >"$work/knot/knot.conf"
printf '@ 60 SOA ns.sub.alice.p2p. root.sub.alice.p2p. 1 60 60 60 60\n@ 60 NS ns\nns 60 A 192.0.2.53\nwww 60 A 192.0.2.82\nout 60 CNAME www.example.org.\n' \
    >"$work/knot/sub.zone"
knotd -c "$work/knot/knot.conf" >"$work/knot/log" 2>&1 &
pids+=($!)
until_true 10 "knotd" dig +tries=1 +time=1 @192.0.2.53 www.sub.alice.p2p
is "a delegated name" 192.0.2.82 address www.sub.alice.p2p
is "a delegated name that leads outside" 192.0.2.80 address out.sub.alice.p2p
is "one that its server does not have" NXDOMAIN status @127.0.0.1 no.sub.alice.p2p
is "over TCP" 192.0.2.80 short +tcp @127.0.0.1 www.example.org

kill -STOP "$first_pid"
began=$(ms)
is "the first upstream stopped" 192.0.2.81 address other.example.org
took=$(($(ms) - began))
stopped_ms=$took
echo "the answer after the stop took $took ms"
((took <= 1000)) || { echo "more than a second" >&2; exit 1; }
kill -CONT "$first_pid"
mkdir "$work/pages"
echo "alice's page" >"$work/pages/index.html"
python3 -m http.server --bind 127.0.0.9 --directory "$work/pages" 8000 >"$work/pages.log" 2>&1 &
pids+=($!)
until_true 10 "a page" curl -s -o "$work/page" http://127.0.0.9:8000/
is "curl" "alice's page" curl -s http://alice.p2p:8000/
browser() {
    HOME=$work timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-background-networking --user-data-dir="$work/browser" \
        --dump-dom "$1" 2>"$work/browser.log" | sed 's/<[^>]*>//g'
}
is "a browser" "alice's page" browser http://alice.p2p:8000/

# ssh believes a fingerprint that the resolver has validated, if the system is told to trust it (trust-ad).
mkdir -p /run/sshd
cp "$work/user_key.pub" "$work/authorized_keys"
chmod 600 "$work/authorized_keys"
/usr/sbin/sshd -D -e -f /dev/null -p 2222 -o ListenAddress=127.0.0.9 -h "$work/host_key" -o "AuthorizedKeysFile=$work/authorized_keys" \
    -o StrictModes=no -o UsePAM=no -o PermitRootLogin=yes 2>"$work/sshd.log" &
pids+=($!)
printf 'server:\n do-daemonize: no\n username: ""\n chroot: ""\n pidfile: ""\n use-syslog: no\n logfile: "%s"\n interface: 127.0.0.53\n do-not-query-localhost: no\n access-control: 127.0.0.0/8 allow\n trust-anchor-file: "%s"\nstub-zone:\n name: "p2p"\n stub-addr: 127.0.0.1\n' \
    "$work/validating.log" "$work/main/regtest/dnssec.anchor" >"$work/validating.conf"
unbound -d -c "$work/validating.conf" &
pids+=($!)
until_true 10 "the validating resolver" dig +tries=1 +time=1 @127.0.0.53 host.alice.p2p SSHFP
printf 'nameserver 127.0.0.53\noptions edns0 trust-ad\n' >"$work/resolv.conf"
over_ssh() {
    ssh -F /dev/null -p 2222 -i "$work/user_key" -o VerifyHostKeyDNS=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/dev/null \
        -o GlobalKnownHostsFile=/dev/null -o BatchMode=yes "$1" echo in 2>>"$work/ssh.log"
}
until_true 10 "sshd" grep -q listening "$work/sshd.log"
is "ssh by SSHFP" in over_ssh root@host.alice.p2p
is "ssh without SSHFP" "" over_ssh root@alice.p2p
echo "nameserver 127.0.0.1" >"$work/resolv.conf"

kill "$capture_pid"
tcpdump -r "$work/upstreams.pcap" -X >"$work/upstreams.txt" 2>/dev/null
grep -qi example "$work/upstreams.txt" || { echo "nothing was captured" >&2; exit 1; }
if grep -qi 'p2p' <(tcpdump -r "$work/upstreams.pcap" -A 2>/dev/null); then echo "the domain left the machine" >&2; exit 1; fi
if grep -i p2p "$work"/dnsmasq-*.txt; then echo "the domain left the machine" >&2; exit 1; fi
echo "no question about the domain left: ok"

for resolver in unbound dnsmasq; do
    if [[ $resolver == unbound ]]; then
        unbound_with round $' interface: 127.0.0.20\nforward-zone:\n name: "."\n forward-addr: 127.0.0.2'
        back=127.0.0.20 ours=127.0.0.2
    else
        back=127.0.0.21 ours=127.0.0.3
        dnsmasq --keep-in-foreground --no-resolv --no-hosts --conf-file=/dev/null --bind-interfaces --listen-address=$back --user=root \
            --pid-file= --server=$ours &
        pids+=($!)
    fi
    node "round-$resolver" "$ours" "$back"
    began=$(ms)
    for name in a-name another-name a-third-name; do
        is "$resolver asks the node back about $name" SERVFAIL status @$ours "$name-with-letters.example.org"
    done
    echo "it took $(($(ms) - began)) ms"
    is "the log says so once" 1 grep -c 'asks this node what this node asks it' "$work/round-$resolver.log"
done

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=dns.example -addext subjectAltName=DNS:dns.example \
    -addext basicConstraints=critical,CA:FALSE -keyout "$work/key.pem" -out "$work/ca.pem" 2>/dev/null
unbound_with encrypted " interface: 127.0.0.30@853
 interface: 127.0.0.30@443
 tls-service-key: \"$work/key.pem\"
 tls-service-pem: \"$work/ca.pem\"
 local-zone: example.org static
 local-data: \"www.example.org A 192.0.2.81\""
for way in "tls://127.0.0.30#dns.example" "https://127.0.0.30/dns-query#dns.example"; do
    ours=127.0.0.$([[ $way == tls* ]] && echo 4 || echo 5)
    node "way-${way%%:*}" "$ours" "$way" --dns-forward-ca "$work/ca.pem"
    is "over ${way%%:*}" 192.0.2.81 short @"$ours" www.example.org
done
node refused 127.0.0.6 "tls://127.0.0.30#other.example" --dns-forward-ca "$work/ca.pem"
is "a certificate of another name" SERVFAIL status @127.0.0.6 www.example.org
node off 127.0.0.7 off
is "forward off" REFUSED status @127.0.0.7 www.example.org
echo "assurance: with the node as the only resolver getent, curl, Chromium and ssh (by SSHFP, through a validating Unbound) reach alice.p2p, names" \
    "delegated to Knot and names outside resolve over UDP, TCP, TLS and HTTPS; after the first upstream stopped the next answer took $stopped_ms ms; a capture of what went" \
    "to the upstreams holds no name of the domain; resolvers that ask the node back are told SERVFAIL at once"
