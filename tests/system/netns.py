"""Networks in network namespaces, and nodes in them: links, switches, routers, and an end that leaves nothing.

- `Net`: everything that one scenario has; a context manager, which ends its nodes and removes its namespaces.
- `Space`: a namespace. `entered` makes this thread's new sockets its own.
- `NetNode`: a `nodes.Node` that runs in a space, asked over that space's loopback.

Needs root and iproute2; routers need nftables. Namespaces are called `dotp2p-PID-NAME`. Their resolv.conf is empty, so that
nothing is ever asked of the machine's resolver. Nothing in the machine's own namespace is changed.

Absent: delay and loss (netem is no part of every kernel). A rate can be set with tbf, loss with nftables' `numgen`.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import time

from nodes import Gone, Lost, Node, check

CLONE_NEWNET = 0x4000_0000
LIBC = ctypes.CDLL(None, use_errno=True)
ETC = pathlib.Path("/etc/netns")
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)  # The machine's own namespace.
P2P_PORT = 9353


def sh(*command, may_fail=False):
    """Runs a command of iproute2 or nftables; what it printed."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and not may_fail:
        raise Lost(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def enter(namespace):
    if LIBC.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Space:
    """A namespace of a net."""

    def __init__(self, net, name):
        self.name, self.full = name, f"{net.prefix}{name}"
        self.ip, self.interfaces, self.ports = "127.0.0.1", 0, {}
        self.etc = ETC / self.full
        # What `ip netns exec` puts over /etc/resolv.conf.
        self.etc.mkdir(parents=True)
        (self.etc / "resolv.conf").touch()
        sh("ip", "netns", "add", self.full)
        self.handle = os.open(f"/run/netns/{self.full}", os.O_RDONLY)
        self.do("link", "set", "lo", "up")

    def do(self, *command):
        """`ip` in this space."""
        return sh("ip", "-n", self.full, *command)

    def exec(self, *command):
        """Any command in this space."""
        return sh("ip", "netns", "exec", self.full, *command)

    @contextlib.contextmanager
    def entered(self):
        """This thread's new sockets are this space's."""
        enter(self.handle)
        try:
            yield
        finally:
            enter(HOME)

    def address(self, ip, prefix, interface="eth0"):
        self.do("addr", "add", f"{ip}/{prefix}", "dev", interface)
        self.ip = ip

    def limit(self, other, bits_a_second):
        """Limits what this switch sends to a space that is plugged into it."""
        self.exec("tc", "qdisc", "add", "dev", self.ports[other.name], "root", "tbf", "rate", f"{bits_a_second}bit",
                  "burst", "32kbit", "latency", "400ms")

    def remove(self):
        # Whoever still runs there was started by this script.
        for pid in sh("ip", "netns", "pids", self.full, may_fail=True).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        os.close(self.handle)
        sh("ip", "netns", "del", self.full, may_fail=True)
        shutil.rmtree(self.etc, ignore_errors=True)


class Net:
    """Spaces, links and nodes of one scenario."""

    def __init__(self, folder):
        self.folder, self.prefix = folder, f"dotp2p-{os.getpid()}-"
        self.spaces, self.nodes, self.switches = [], [], []

    def __enter__(self):
        check(os.geteuid() == 0, "network namespaces need root")
        for tool in ("ip", "nft"):
            check(shutil.which(tool), f"{tool} is missing: apt-get install iproute2 nftables")
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.kill()
        for space in self.spaces:
            space.remove()
        with contextlib.suppress(OSError):
            ETC.rmdir()

    def space(self, name):
        space = Space(self, name)
        self.spaces.append(space)
        return space

    def link(self, one, other):
        """A cable between two spaces; the names of its ends, `eth0` where it is the first."""
        ends = []
        for space in (one, other):
            ends.append(f"eth{space.interfaces}")
            space.interfaces += 1
        one.do("link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", other.full)
        one.do("link", "set", ends[0], "up")
        other.do("link", "set", ends[1], "up")
        return ends

    def switch(self, name, spaces=()):
        """A switch in a space of its own, with cables to others."""
        switch = self.space(name)
        switch.do("link", "add", "br0", "type", "bridge")
        switch.do("link", "set", "br0", "up")
        self.switches.append(switch)
        for space in spaces:
            self.plug(switch, space)
        return switch

    def plug(self, switch, space):
        """A cable from a switch to a space; its two ends."""
        end, other = self.link(switch, space)
        switch.do("link", "set", end, "master", "br0")
        switch.ports[space.name] = end
        return end, other

    def router(self, name, outside):
        """A home router: a space that masquerades what comes from inside, eth1; its outside, eth0, is plugged into a switch."""
        router = self.space(name)
        self.plug(outside, router)
        router.exec("sysctl", "-qw", "net.ipv4.ip_forward=1")
        router.exec("nft", "\n".join((
            "table ip nat {", "chain post {", "type nat hook postrouting priority 100", 'oifname "eth0" masquerade', "}", "}",
            "table ip filter {", "chain forward {", "type filter hook forward priority 0; policy drop",
            "ct state established,related accept", 'iifname "eth1" accept', "}",
            # What nobody asked for is dropped, as home routers do: a refusal would end what makes a hole from both sides.
            "chain input {", "type filter hook input priority 0; policy accept", 'iifname "eth0" ct state new,invalid drop', "}", "}")))
        return router

    def node(self, space, name=None, **env):
        node = NetNode(self.folder, space, name or space.name, **env)
        self.nodes.append(node)
        return node

    def lan(self, names, base="10.77.0."):
        """A node for each name, each in a space of its own, all on one switch."""
        spaces = [self.space(name) for name in names]
        self.switch("switch", spaces)
        for number, space in enumerate(spaces, 1):
            space.address(f"{base}{number}", 24)
        return [self.node(space) for space in spaces]


class NetNode(Node):
    """A node in a space. `peers`: whom it is told to stay connected to; it looks for others only where `discovers`."""

    def __init__(self, folder, space, name, port=P2P_PORT, **env):
        super().__init__(folder, name, **env)
        self.space, self.port = space, port
        self.under = ["ip", "netns", "exec", space.full]
        self.peers, self.discovers = [], False
        self.listens = None  # A multiaddr, or the space's address.

    def at(self):
        """Where others reach it."""
        return f"/ip4/{self.space.ip}/tcp/{self.port}"

    def launch(self, *args):
        listens = [] if self.listens == "everywhere" else ["--p2p-listen", self.listens or self.at()]
        peers = [it for peer in self.peers for it in ("--peer", peer)]
        quiet = [] if self.discovers else ["--no-discovery"]
        self.process = self.run("node", "-v", "--rpc-listen", "127.0.0.1:0", "--dns-listen", "127.0.0.1:0",
                                *listens, *peers, *quiet, *args)

    def post(self, request):
        with self.space.entered():
            return super().post(request)

    def resolve(self, name, kind):
        try:
            with self.space.entered():
                return super().resolve(name, kind)
        except OSError as error:
            raise Gone(f"{self.name}: DNS: {error!r}") from error

    def stat(self):
        """(CPU seconds it took, bytes of memory it holds now)."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(fields[21]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_s(self):
        """CPU seconds it took, to the nanosecond: those of its threads that ended as well."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # CPUCLOCK_SCHED of the process, as of clock_getcpuclockid(3).

    def peer_count(self):
        return len(self.call("getpeerinfo"))

    def picture(self):
        """What two nodes must agree on: the tip, its state root and how many names there are."""
        info = self.call("getblockchaininfo")
        header = self.call("getblockheader", info["bestblockhash"])
        return info["bestblockhash"], header["state_root"], info["names"]
