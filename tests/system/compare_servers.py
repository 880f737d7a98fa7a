"""Knot, NSD and BIND with one zone, each on a port of loopback, as near to the RFCs as they can be told to be.

What is told to them, and why: answers without what nobody needs (RFC 9471 names what a referral needs), 1,232 bytes over UDP
as here, ANY answered in full and not refused or cut short (our own answer to it is held against that, RFC 8482), no rate
limits, no cookies, no rotation, and no check that would keep a strange but legal zone from being loaded.
"""

import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess

from compare_wire import name_wire
from nodes import check, until

HOST = "127.0.0.1"
START_S, END_S = 20, 20
PACKAGES = {"knotd": "knot", "nsd": "nsd", "named": "bind9"}

KNOT = """
server:
    rundir: "{folder}"
    pidfile: "{folder}/knot.pid"
    listen: {host}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    tcp-idle-timeout: 600
    udp-max-payload: 1232
    identity: ""
    version: ""
database:
    storage: "{folder}"
log:
  - target: stderr
    any: info
zone:
  - domain: p2p
    file: "{zone}"
    zonefile-sync: -1
    semantic-checks: off
"""

NSD = """
server:
    server-count: 1
    ip-address: {host}@{port}
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: "{folder}/nsd.pid"
    xfrdfile: "{folder}/xfrd.state"
    zonelistfile: "{folder}/zone.list"
    tcp-timeout: 600
    tcp-query-count: 0
    ipv4-edns-size: 1232
    hide-version: yes
    hide-identity: yes
    round-robin: no
    minimal-responses: yes
    refuse-any: no
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    answer-cookie: no
remote-control:
    control-enable: no
zone:
    name: p2p
    zonefile: "{zone}"
"""

BIND = """
options {{
    directory "{folder}";
    pid-file "{folder}/named.pid";
    session-keyfile "{folder}/session.key";
    managed-keys-directory "{folder}";
    listen-on port {port} {{ {host}; }};
    listen-on-v6 {{ none; }};
    recursion no;
    allow-transfer {{ none; }};
    dnssec-validation no;
    minimal-responses yes;
    minimal-any no;
    max-udp-size 1232;
    edns-udp-size 1232;
    max-records-per-type 0;
    max-types-per-name 0;
    tcp-idle-timeout 1200;
    tcp-initial-timeout 1200;
    answer-cookie no;
    rrset-order {{ order none; }};
    version none;
    hostname none;
    server-id none;
    notify no;
}};
controls {{ }};
zone "p2p" {{
    type primary;
    file "{zone}";
    check-names ignore;
    check-mx ignore;
    check-mx-cname ignore;
    check-srv-cname ignore;
    check-integrity no;
    check-sibling no;
    check-wildcard no;
    check-spf ignore;
}};
"""


class Server:
    """One of them, started on a free port."""

    def __init__(self, name, folder, zone, config, command):
        self.name, self.folder = name, folder / name
        self.folder.mkdir()
        self.zone, self.config, self.command = zone, config, command
        self.log, self.process, self.port = folder / f"{name}.log", None, None

    def start(self):
        program = shutil.which(self.command[0], path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        check(program, f"{self.command[0]} is missing: apt-get install {PACKAGES[self.command[0]]}")
        # They have no port 0: a port that is free now, and another try if somebody was faster.
        for _ in range(5):
            self.port = free_port()
            path = self.folder / "server.conf"
            path.write_text(self.config.format(folder=self.folder, port=self.port, host=HOST, zone=self.zone))
            with self.log.open("ab") as log:
                self.process = subprocess.Popen([program, *self.command[1:], path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            until(f"{self.name} answers or ends", START_S, lambda: self.process.poll() is not None or self.answers(), 0.05)
            if self.process.poll() is None:
                return
        check(False, f"{self.name} does not start:\n{self.said()}")

    def answers(self):
        """Whether it has the zone: its SOA is answered with authority."""
        soa = struct.pack(">6H", 1, 0, 1, 0, 0, 0) + name_wire((b"p2p",)) + struct.pack(">2H", 6, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            try:
                sock.connect((HOST, self.port))
                sock.send(soa)
                answer = sock.recv(4096)
            except OSError:
                return False
        return answer[2] & 4 != 0 and answer[7] == 1

    def said(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def version(self):
        program = shutil.which(self.command[0], path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        flag = {"named": "-v", "nsd": "-v", "knotd": "-V"}[self.command[0]]
        done = subprocess.run([program, flag], capture_output=True, text=True, check=False)
        first = (done.stdout + done.stderr).splitlines()[0]
        return next((word.strip(",") for word in first.split() if word[0].isdigit()), first)

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(END_S)


def peers(folder, zone_text):
    """The three, not started yet, and their zone's file written."""
    zone = pathlib.Path(folder) / "p2p.zone"
    zone.write_text(zone_text)
    return [
        Server("knot", folder, zone, KNOT, ("knotd", "-c")),
        Server("nsd", folder, zone, NSD, ("nsd", "-d", "-c")),
        Server("bind", folder, zone, BIND, ("named", "-f", "-n", "1", "-4", "-c")),
    ]


def free_port():
    """A port that is free for UDP and TCP on loopback."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind((HOST, 0))
            port = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind((HOST, port))
                except OSError:
                    continue
            return port
