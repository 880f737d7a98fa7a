//! The system's resolvers, and never ourselves among them.
//!
//! `/etc/resolv.conf` names them. Where it names systemd-resolved's stub or us, they are in a file that systemd-resolved or
//! NetworkManager writes beside it. The files are looked at when a question comes, every few seconds at most.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use super::upstream::{Transport, Upstream};

/// How long a look at the files is good for.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Bytes of a file that are read.
const FILE_MAX: u64 = 64 << 10;
/// More resolvers than this are of no use.
const UPSTREAMS_MAX: usize = 8;

/// Where the system's resolvers are written down, the first that names any.
pub(super) fn files() -> Vec<PathBuf> {
    let all = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf"];
    all.map(PathBuf::from).into()
}

/// Time of change and length: what tells a file from the one before.
type Stamp = Option<(SystemTime, u64)>;

/// The files, as they were read last.
pub(super) struct Files {
    paths: Vec<PathBuf>,
    looked_at: Option<Instant>,
    stamps: Vec<Stamp>,
}

impl Files {
    pub fn new(paths: Vec<PathBuf>) -> Self {
        Self { paths, looked_at: None, stamps: Vec::new() }
    }

    /// The upstreams they name now; `None`: nothing has changed since the last call, or it was a moment ago.
    ///
    /// - `ours`: where this node listens.
    pub fn changed(&mut self, now: Instant, ours: &[SocketAddr]) -> Option<Vec<Upstream>> {
        if self.looked_at.is_some_and(|at| now.saturating_duration_since(at) < LOOK_EVERY) {
            return None;
        }
        let is_first = self.looked_at.replace(now).is_none();
        let stamp = |path: &PathBuf| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        let stamps: Vec<Stamp> = self.paths.iter().map(stamp).collect();
        if stamps == self.stamps && !is_first {
            return None;
        }
        self.stamps = stamps;
        let named = self.paths.iter().map(|path| {
            let is_short = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= FILE_MAX);
            let text = if is_short { fs::read(path).unwrap_or_default() } else { Vec::new() };
            let mut upstreams = nameservers(&String::from_utf8_lossy(&text));
            upstreams.retain(|upstream| !is_stub(upstream.addr.ip()) && !is_ours(upstream.addr, ours));
            upstreams
        });
        let upstreams = named.into_iter().find(|upstreams| !upstreams.is_empty()).unwrap_or_default();
        tracing::info!(upstreams = ?upstreams.iter().map(ToString::to_string).collect::<Vec<_>>(), "the system's resolvers");
        Some(upstreams)
    }
}

/// systemd-resolved's own: what it is told is in its file, and it may have been told to ask us.
fn is_stub(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if matches!(ip.octets(), [127, 0, 0, 53 | 54]))
}

/// The upstreams that a `resolv.conf` names.
fn nameservers(text: &str) -> Vec<Upstream> {
    let mut all: Vec<Upstream> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some("nameserver"), Some(word)) = (words.next(), words.next()) else { continue };
        let Some(addr) = address(word) else {
            tracing::warn!(nameserver = word, "resolv.conf names a resolver that is no address");
            continue;
        };
        let upstream = Upstream { addr, transport: Transport::Udp };
        if !all.contains(&upstream) && all.len() < UPSTREAMS_MAX {
            all.push(upstream);
        }
    }
    all
}

/// An address, which may have an interface after `%`, by name or number. The one that stands for all is loopback here.
fn address(word: &str) -> Option<SocketAddr> {
    if let Some((ip, interface)) = word.split_once('%') {
        let scope = interface.parse().ok().or_else(|| interface_index(interface))?;
        return Some(SocketAddrV6::new(ip.parse().ok()?, 53, 0, scope).into());
    }
    let ip = match word.parse().ok()? {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Some(Upstream::plain(ip).addr)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn interface_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn interface_index(_: &str) -> Option<u32> {
    None
}

/// Whether whoever asks `upstream` asks this node, which listens at `ours`.
pub(super) fn is_ours(upstream: SocketAddr, ours: &[SocketAddr]) -> bool {
    let ip = upstream.ip().to_canonical();
    ours.iter().any(|listener| {
        let is_here = listener.ip().to_canonical() == ip || (listener.ip().is_unspecified() && is_local(ip));
        listener.port() == upstream.port() && is_here
    })
}

/// Whether an address is this machine's: only then it can be bound.
fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(upstreams: &[Upstream]) -> Vec<String> {
        upstreams.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn resolv_conf() {
        let text = "# nameserver 1.1.1.1\n; nameserver 1.1.1.2\nsearch example\n nameserver\t192.0.2.1 # first\n\
                    nameserver 2001:db8::1\nnameserver fe80::1%7\nnameserver 192.0.2.1\nnameserver 0.0.0.0\n\
                    nameserver nowhere\nnameserver\noptions edns0 trust-ad\nnameserver fe80::1%no-such-interface\n";
        let expected = ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%7]:53", "127.0.0.1:53"];
        assert_eq!(texts(&nameservers(text)), expected);
        assert_eq!(nameservers(&"nameserver 192.0.2.1\n".repeat(50)).len(), 1);
        let many: String = (0..50).map(|at| format!("nameserver 192.0.2.{at}\n")).collect();
        assert_eq!(nameservers(&many).len(), UPSTREAMS_MAX);
    }

    #[test]
    fn this_node_is_never_its_own_upstream() {
        let addr = |text: &str| text.parse::<SocketAddr>().unwrap();
        let cases = [
            ("127.0.0.1:53", "127.0.0.1:53", true),
            ("127.0.0.1:53", "127.0.0.1:54", false),
            ("127.0.0.1:53", "127.0.0.2:53", false),
            ("127.0.0.1:53", "[::ffff:127.0.0.1]:53", true),
            ("127.0.0.1:53", "0.0.0.0:53", true),
            ("127.9.9.9:53", "0.0.0.0:53", true),
            ("127.0.0.1:53", "[::]:53", true),
            ("[::1]:53", "[::]:53", true),
            ("127.0.0.1:53", "0.0.0.0:9355", false),
            ("192.0.2.1:53", "0.0.0.0:53", false),
        ];
        for (upstream, listener, expected) in cases {
            assert_eq!(
                is_ours(addr(upstream), &[addr("127.0.0.3:1"), addr(listener)]),
                expected,
                "{upstream} {listener}"
            );
        }
    }

    #[test]
    fn files_are_read_again_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = ["resolv.conf", "resolved", "manager"].map(|name| folder.path().join(name)).into();
        let write = |at: usize, text: &str| fs::write(&paths[at], text).unwrap();
        let ours = ["127.0.0.1:53".parse().unwrap()];
        let (mut files, start) = (Files::new(paths.clone()), Instant::now());
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(files.changed(start, &ours), Some(vec![]), "there is none");
        write(0, "nameserver 192.0.2.1\n");
        assert_eq!(files.changed(later(1), &ours), None, "a moment ago");
        assert_eq!(texts(&files.changed(later(2), &ours).unwrap()), ["192.0.2.1:53"]);
        assert_eq!(files.changed(later(4), &ours), None, "nothing has changed");
        // systemd-resolved takes over.
        write(0, "nameserver 127.0.0.53\noptions edns0\n");
        write(1, "nameserver 192.0.2.77\nnameserver 192.0.2.78\n");
        assert_eq!(texts(&files.changed(later(6), &ours).unwrap()), ["192.0.2.77:53", "192.0.2.78:53"]);
        // It is told to ask us.
        write(1, "nameserver 127.0.0.1\n");
        write(2, "nameserver 192.0.2.9\n");
        assert_eq!(texts(&files.changed(later(8), &ours).unwrap()), ["192.0.2.9:53"]);
        fs::remove_file(&paths[2]).unwrap();
        assert_eq!(files.changed(later(10), &ours), Some(vec![]), "nobody but us");
    }
}
