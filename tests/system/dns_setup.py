#!/usr/bin/env python3
"""`dotp2p dns setup` on the real resolvers: for each, their own checker reads what was written, the resolver is started
with it, the node's names and others are looked up through it (`dotp2p dns check`, `getent`), and --undo gives every byte
back.

    tests/system/dns_setup.py             all layouts
    tests/system/dns_setup.py resolved    just those

Needs `cargo build` and root: it runs in namespaces of its own, with a copy of /etc in the place of /etc and port 53 to
itself. What is missing of unbound, dnsmasq-base and bind9 is installed; dnsmasq's own files and systemd-resolved are
unpacked and not installed, so that nothing of the system's changes.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
DOTP2P = os.environ.get("DOTP2P_BIN", str(TARGET / "debug" / "dotp2p"))
ANCHOR = "p2p. IN DS 3858 13 2 A611AE36C0F524ED493E6F0012D84A02DE951BF475050754D459BECE34322177\n"
ROOT_ANCHOR = ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
PACKAGES = {"unbound-checkconf": "unbound", "dnsmasq": "dnsmasq-base", "named-checkconf": "bind9", "dig": "bind9-dnsutils"}
UNPACKED = ["dnsmasq", "systemd-resolved"]
INSIDE = "DOTP2P_DNS_SETUP_INSIDE"
# Those that check signatures where they have an anchor.
CHECKING = {"unbound-debian", "unbound-bare", "dnsmasq-dnssec", "bind-debian", "bind-one-file", "bind-port-53", "resolved"}
os.environ["PATH"] += ":/usr/sbin:/sbin"
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def run(*words, code=0):
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    if code is not None and done.returncode != code:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def until(seconds, what, is_true, process):
    """Waits for something that is polled, and fails loudly when it does not come or the process ends before."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if process.poll() is not None:
            raise SystemExit(f"ended with {process.returncode}: {what}")
        if time.monotonic() > deadline:
            raise SystemExit(f"not in time: {what}")
        time.sleep(0.05)


def prepare():
    """Outside: installs and unpacks what is needed, then goes on in namespaces of its own."""
    if os.geteuid() != 0:
        raise SystemExit("root is needed: for namespaces and port 53")
    if not os.access(DOTP2P, os.X_OK):
        raise SystemExit(f"{DOTP2P} is missing: cargo build")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if missing:
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)
    with tempfile.TemporaryDirectory(prefix="dotp2p-system-") as work:
        os.chmod(work, 0o755)
        debs = pathlib.Path(work) / "debs"
        debs.mkdir()
        subprocess.run(["apt-get", "download", "-qq", *UNPACKED], cwd=debs, check=True, capture_output=True)
        for deb in sorted(debs.glob("*.deb")):
            run("dpkg", "-x", deb, debs / deb.name.split("_")[0])
        words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, __file__, *sys.argv[1:]]
        raise SystemExit(subprocess.run(words, env={**os.environ, INSIDE: work}).returncode)


def tree(folder):
    """Every path below a folder with its kind, rights and bytes."""
    seen = {}
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        name = str(path.relative_to(folder))
        if path.is_symlink():
            seen[name] = os.readlink(path)
        else:
            seen[name] = (stat.st_mode, stat.st_uid, stat.st_gid, path.read_bytes() if path.is_file() else None)
    return seen


class World:
    """The namespaces, with a node in them."""

    def __init__(self, work):
        self.work = pathlib.Path(work)
        self.debs = self.work / "debs"
        self.real = self.work / "real"
        shutil.copytree("/etc", self.real / "etc", symlinks=True)
        run("ip", "link", "set", "lo", "up")
        # systemd-resolved asks nobody while there is no link but loopback.
        run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
        run("ip", "address", "add", "192.0.2.1/24", "dev", "near")
        run("ip", "link", "set", "near", "up")
        run("ip", "link", "set", "far", "up")
        data = self.work / "data"
        self.words = ["--network", "regtest", "--data-dir", str(data)]
        self.log = open(self.work / "node.log", "w", encoding="utf-8")
        node = [DOTP2P, "node", *self.words, "--no-discovery", "--rpc-listen", "127.0.0.1:0",
                "--p2p-listen", "/ip4/127.0.0.1/tcp/0", "--dns-listen", "127.0.0.1:9355", "--dns-listen", "127.0.0.5:53"]
        self.node = subprocess.Popen(node, stdout=self.log, stderr=self.log)
        until(60, "the node", (data / "regtest" / "node.json").exists, self.node)
        self.anchor = self.work / "anchor"
        self.anchor.write_text(ANCHOR)

    def setup(self, root, *words, code=0):
        return run(DOTP2P, *self.words, "dns", "setup", "--root", root, *words, code=code)

    def check(self, ordinary="localhost", code=0):
        done = run(DOTP2P, *self.words, "dns", "check", "--ordinary", ordinary, "--json", code=None)
        if done.returncode != code:
            raise SystemExit(f"dns check: {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
        return {link["link"]: link for link in json.loads(done.stdout)["links"]}


class Layout:
    """A resolver: its files in a scratch root, its checker, how it is started in the foreground."""

    def __init__(self, world, name, kind, files, checker, daemon, server="127.0.0.1:9355"):
        self.world, self.name, self.kind, self.checker, self.daemon = world, name, kind, checker, daemon
        self.server = server
        self.root = world.work / name
        shutil.copytree(world.real, self.root, symlinks=True)
        resolv = self.root / "etc" / "resolv.conf"
        resolv.unlink(missing_ok=True)
        for path, text in {"/etc/resolv.conf": "nameserver 127.0.0.1\n", **files}.items():
            full = self.root / path.lstrip("/")
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_text(text)

    def validate(self):
        """The resolver's own program on what was written, with the scratch /etc as /etc."""
        if self.checker:
            run("mount", "--bind", self.root / "etc", "/etc")
            try:
                run(*self.checker)
            finally:
                run("umount", "/etc")

    def resolve(self):
        """The resolver itself, as the system's: a name of ours, one of others, and what programs get."""
        run("mount", "--bind", self.root / "etc", "/etc")
        log = open(self.world.work / f"{self.name}.log", "w", encoding="utf-8")
        process = self.daemon and subprocess.Popen(self.daemon, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            if process:
                server = (self.root / "etc/resolv.conf").read_text().split("nameserver ")[1].split()[0]
                asked = ["dig", "+time=1", "+tries=1", f"@{server}", "localhost"]
                until(30, f"{self.name} answers", lambda: "status: NOERROR" in run(*asked, code=None).stdout, process)
            # Without a resolver between, the node is asked for everything; it says itself that there is no such name.
            links = self.world.check("localhost" if process else "ns.dotp2p.p2p")
            got = run("getent", "ahosts", "ns.dotp2p.p2p").stdout
            assert "127.0.0." in got, got
            return links
        except SystemExit:
            sys.stderr.write((self.world.work / f"{self.name}.log").read_text()[-3000:])
            raise
        finally:
            if process:
                process.terminate()
                process.wait(20)
            run("umount", "/etc")

    def all(self):
        setup = self.world.setup
        before = tree(self.root)
        words = ["--kind", self.kind, "--server", self.server, "--yes"]
        for anchor in ("none", self.world.anchor):
            setup(self.root, *words, "--anchor", anchor)
            once = tree(self.root)
            assert once != before
            setup(self.root, *words, "--anchor", anchor)
            assert tree(self.root) == once, f"{self.name}: twice is not once"
            self.validate()
            setup(self.root, "--undo", "--yes")
            assert tree(self.root) == before, f"{self.name}: --undo left something"
        asks = []
        # Without an anchor, and with the node's own, which is the default.
        for anchor in (("--anchor", "none"), ()):
            setup(self.root, *words, *anchor)
            links = self.resolve()
            setup(self.root, "--undo", "--yes")
            assert tree(self.root) == before
            seen = [link["seen"] for name, link in links.items() if name.endswith("asks the node")]
            is_checked = any("signatures checked" in it for it in seen)
            assert is_checked == (not anchor and self.name in CHECKING), f"{self.name} {anchor}: {seen}"
            asks += seen
        print(f"{self.name}: set up, {'checked, ' if self.checker else ''}resolves ({'; '.join(asks)}), undone to the byte", flush=True)


def wrong_anchor(layout):
    """An anchor that is not the node's: the resolver refuses, and `dns check` says that it is for signatures."""
    world = layout.world
    world.setup(layout.root, "--kind", layout.kind, "--server", "127.0.0.1:9355", "--yes", "--anchor", world.anchor)
    run("mount", "--bind", layout.root / "etc", "/etc")
    process = subprocess.Popen(layout.daemon, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(30, "an answer", lambda: "status: NOERROR" in run("dig", "+time=1", "+tries=1", "@127.0.0.1", "localhost", code=None).stdout, process)
        links = world.check(code=1)
    finally:
        process.terminate()
        process.wait(20)
        run("umount", "/etc")
        world.setup(layout.root, "--undo", "--yes")
    link = links["resolver 127.0.0.1:53 asks the node"]
    assert link["state"] == "broken" and "trust anchor" in link["fix"], link
    print(f"{layout.name} with a wrong anchor: {link['seen']}", flush=True)


def running_bind(layout):
    """BIND that runs, on the system's own root: set up and taken back with --reload."""
    world = layout.world
    run("mount", "--bind", layout.root / "etc", "/etc")
    run("mount", "-t", "tmpfs", "tmpfs", "/var/lib")
    process = subprocess.Popen(layout.daemon, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(30, "an answer", lambda: "status: NOERROR" in run("dig", "+time=1", "+tries=1", "@127.0.0.1", "localhost", code=None).stdout, process)
        world.check(code=1)
        world.setup("/", "--server", layout.server, "--anchor", "none", "--kind", "bind", "--yes", "--reload")
        world.check()
        world.setup("/", "--undo", "--yes", "--reload")
        world.check(code=1)
    finally:
        process.terminate()
        process.wait(20)
        run("umount", "/var/lib")
        run("umount", "/etc")
    print(f"{layout.name}, running: set up and taken back by --reload", flush=True)


def without_rights(layout, world):
    """Who is not root is told which file, and what to type; nobody is asked first, and nothing changes."""
    before = tree(layout.root)
    program = world.work / "dotp2p"
    shutil.copy(DOTP2P, program)
    words = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program, "--network", "regtest", "--data-dir", "/nowhere"]
    done = run(*words, "dns", "setup", "--root", layout.root, "--kind", layout.kind, "--server", layout.server, "--anchor", "none", code=1)
    line = done.stderr.strip().splitlines()[-1]
    assert "cannot write /etc/" in line and "sudo dotp2p dns setup --network regtest --data-dir /nowhere" in line, line
    assert tree(layout.root) == before
    print(f"without rights: {line}", flush=True)
    # The same of the node's key, in a folder that is closed to others.
    words[words.index("/nowhere")] = world.words[-1]
    for command in (["dns", "key"], ["dns", "key", "roll"]):
        line = run(*words, *command, code=1).stderr.strip()
        assert "dnssec.key is for user root alone: `sudo -u root dotp2p " + " ".join(command) in line, line
    print(f"without rights: {line}", flush=True)


def main():
    world = World(os.environ[INSIDE])
    dnsmasq_conf = (world.debs / "dnsmasq/etc/dnsmasq.conf").read_text()
    unbound_bare = "server:\n    chroot: \"\"\n    username: \"\"\n    pidfile: \"\"\n    use-syslog: no\n"
    unbound = ["unbound", "-d", "-d", "-c", "/etc/unbound/unbound.conf"]
    named_conf = "options {\n\tdirectory \"/tmp\";\n\tlisten-on { 127.0.0.1; };\n\tpid-file none;\n};\nzone \"localhost\" { type master; file \"/etc/bind/db.local\"; };\n"
    dnsmasq = ["dnsmasq", "--keep-in-foreground", "--user=root", "--pid-file=", "--log-facility=-", "--bind-interfaces", "--listen-address=127.0.0.1"]
    network_manager = "[main]\ndns=dnsmasq\n"
    # What Debian's service makes at its first start.
    run("mount", "-t", "tmpfs", "tmpfs", "/var/lib/unbound")
    pathlib.Path("/var/lib/unbound/root.key").write_text(ROOT_ANCHOR)
    resolved = world.debs / "systemd-resolved/lib/systemd/systemd-resolved"
    pathlib.Path("/run/systemd").mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "tmpfs", "/run/systemd")
    users = (world.real / "etc/passwd").read_text()
    if "systemd-resolve:" not in users:
        (world.real / "etc/passwd").write_text(users + "systemd-resolve:x:996:996::/:/usr/sbin/nologin\n")
        group = world.real / "etc/group"
        group.write_text(group.read_text() + "systemd-resolve:x:996:\n")
    layouts = [
        Layout(world, "unbound-debian", "unbound", {}, ["unbound-checkconf"], unbound),
        Layout(world, "unbound-bare", "unbound", {"/etc/unbound/unbound.conf": unbound_bare}, ["unbound-checkconf"], unbound),
        Layout(world, "dnsmasq", "dnsmasq", {"/etc/dnsmasq.conf": dnsmasq_conf}, ["dnsmasq", "--test"], dnsmasq),
        Layout(world, "dnsmasq-dnssec", "dnsmasq", {"/etc/dnsmasq.conf": "dnssec\ntrust-anchor=.,20326,8,2," + ROOT_ANCHOR.split()[6] + "\n"},
               ["dnsmasq", "--test"], dnsmasq),
        Layout(world, "network-manager", "network-manager", {"/etc/NetworkManager/NetworkManager.conf": network_manager},
               ["dnsmasq", "--test", "--conf-dir=/etc/NetworkManager/dnsmasq.d"], [*dnsmasq, "--conf-dir=/etc/NetworkManager/dnsmasq.d"]),
        Layout(world, "bind-debian", "bind", {}, ["named-checkconf"], ["named", "-g", "-c", "/etc/bind/named.conf"]),
        Layout(world, "bind-one-file", "bind", {"/etc/bind/named.conf": named_conf, "/etc/bind/named.conf.local": "", "/etc/bind/named.conf.options": ""},
               ["named-checkconf"], ["named", "-g", "-c", "/etc/bind/named.conf"]),
        Layout(world, "bind-port-53", "bind", {}, ["named-checkconf"], ["named", "-g", "-c", "/etc/bind/named.conf"], "127.0.0.5:53"),
        Layout(world, "resolved", "resolved", {"/etc/resolv.conf": "nameserver 127.0.0.53\n", "/etc/systemd/resolved.conf": "[Resolve]\nDNSSEC=yes\nFallbackDNS=\n"},
               None, [str(resolved)]),
        Layout(world, "resolv-conf", "resolv-conf", {"/etc/resolv.conf": "nameserver 127.0.0.9\n"}, None, None, "127.0.0.5:53"),
    ]
    names = sys.argv[1:]
    for layout in layouts:
        if not names or layout.name in names:
            layout.all()
    if not names:
        wrong_anchor(layouts[0])
        wrong_anchor(layouts[3])
        wrong_anchor(layouts[6])
        running_bind(layouts[5])
        without_rights(layouts[0], world)
    world.node.terminate()
    world.node.wait(60)
    print("dns setup: all layouts hold")


if __name__ == "__main__":
    main() if INSIDE in os.environ else prepare()
