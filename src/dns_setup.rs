//! The machine's own resolver, told to ask the node for names below its top-level domain.
//!
//! - [`Facts`]: what is read of the machine, or of a scratch root: configuration files and links, no more.
//! - [`detect()`]: which resolver the machine uses, of the [`Kind`]s that we know.
//! - [`plan()`]: [`Facts`] and a [`Target`] to a [`Plan`]: files as they are to be, what to run then, what to know. Pure.
//! - [`Machine`]: the only one that writes. It keeps a manifest of what it did, so that undoing gives every byte back.
//!
//! The layouts are in `layout/`, one a file, with the configuration syntax of that resolver and no other.
//!
//! What is absent: starting and stopping of services, and any network traffic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

pub mod anchor;
mod detect;
mod diff;
mod facts;
mod files;
mod layout;
mod machine;
mod manifest;

pub use anchor::Anchor;
pub use detect::{DetectError, detect};
pub use diff::unified_diff;
pub use facts::{Facts, FactsError};
pub use files::is_root;
pub use machine::{ApplyError, Machine, Step};
pub use manifest::{Manifest, ManifestError};

/// The port of plain DNS, which whoever knows no ports asks.
pub const DNS_PORT: u16 = 53;

/// A resolver that can be told to ask the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// systemd-resolved
    Resolved,
    /// NetworkManager with its dnsmasq plugin
    NetworkManager,
    /// dnsmasq by itself
    Dnsmasq,
    /// Unbound
    Unbound,
    /// BIND 9
    Bind,
    /// /etc/resolv.conf alone
    ResolvConf,
    /// macOS
    Macos,
    /// Windows
    Windows,
}

impl Kind {
    /// What people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Resolved => "systemd-resolved",
            Self::NetworkManager => "NetworkManager's dnsmasq",
            Self::Dnsmasq => "dnsmasq",
            Self::Unbound => "Unbound",
            Self::Bind => "BIND",
            Self::ResolvConf => "resolv.conf",
            Self::Macos => "macOS",
            Self::Windows => "Windows",
        }
    }

    /// The commands that make it read its files anew, in order; the first checks them where it has a program for that.
    #[must_use]
    pub fn reload(self, tld: &str) -> Vec<String> {
        let commands: &[&str] = match self {
            Self::Resolved => &["systemctl restart systemd-resolved"],
            Self::NetworkManager => &["nmcli general reload dns-full"],
            Self::Dnsmasq => &["dnsmasq --test", "systemctl restart dnsmasq"],
            Self::Unbound => &["unbound-checkconf", "systemctl restart unbound"],
            Self::Bind => &["named-checkconf", "rndc reconfig", "rndc flushtree TLD"],
            Self::Macos => &["dscacheutil -flushcache", "killall -HUP mDNSResponder"],
            Self::ResolvConf | Self::Windows => &[],
        };
        commands.iter().map(|command| command.replace("TLD", tld)).collect()
    }
}

/// What the resolver is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The top-level domain: one label in lower case, without a dot.
    pub tld: String,
    /// Where the node answers DNS: addresses that can be asked, the best first, one at least.
    pub servers: Vec<SocketAddr>,
    /// What its signatures are checked with; `None`: they are not checked.
    pub anchor: Option<Anchor>,
}

impl Target {
    /// The address for resolvers that know ports.
    fn server(&self) -> Result<SocketAddr, PlanError> {
        self.servers.first().copied().ok_or(PlanError::NoServer)
    }

    /// The address for resolvers that ask port 53 alone.
    fn server_on_53(&self) -> Option<SocketAddr> {
        self.servers.iter().copied().find(|server| server.port() == DNS_PORT)
    }
}

/// The addresses at which a node that listens at `listening` can be asked from its own machine, the best first.
///
/// Every address becomes loopback, loopback goes before others, and IPv4 before IPv6.
#[must_use]
pub fn askable(listening: &[SocketAddr]) -> Vec<SocketAddr> {
    let own = |at: &SocketAddr| match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, at.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, at.port())),
        _ => *at,
    };
    let mut all: Vec<SocketAddr> = listening.iter().map(own).collect();
    all.sort_by_key(|at| (!at.ip().is_loopback(), at.is_ipv6(), at.port() != DNS_PORT));
    all.dedup();
    all
}

/// A file as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where, on the machine: `/etc/…`, whatever the root is.
    pub path: PathBuf,
    /// All of its text.
    pub text: String,
}

impl Change {
    fn new(path: &str, text: String) -> Self {
        Self { path: PathBuf::from(path), text }
    }
}

/// What makes a resolver ask the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which resolver.
    pub kind: Kind,
    /// The address that it asks.
    pub server: SocketAddr,
    /// Every file that is to be as it says, those that are so already included.
    pub changes: Vec<Change>,
    /// What is left to people: commands to type where nothing can be written.
    pub by_hand: Vec<String>,
    /// What to know.
    pub notes: Vec<String>,
}

impl Plan {
    fn new(kind: Kind, server: SocketAddr) -> Self {
        Self { kind, server, changes: Vec::new(), by_hand: Vec::new(), notes: Vec::new() }
    }

    fn change(&mut self, path: &str, text: String) {
        self.changes.push(Change::new(path, text));
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// Why a resolver cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nowhere to send anybody.
    #[error("the node answers no DNS; start it with --dns-listen, or say where it answers with --server")]
    NoServer,
    /// A file that matters cannot be read.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// There is no such resolver.
    #[error("there is no {path}, so {title} is not set up here; install it, or choose another --kind", title = .kind.title())]
    NotThere {
        /// Which one was asked for.
        kind: Kind,
        /// The file that it needs.
        path: &'static str,
    },
    /// A resolver that knows no ports, and a node on another one.
    #[error(
        "{what} knows no port but 53, and the node answers on {server}: start it with --dns-listen {ip}:53 (as root, or \
         with the capability CAP_NET_BIND_SERVICE){instead}"
    )]
    NeedsPort53 {
        /// The resolver or its file.
        what: &'static str,
        /// Where the node answers.
        server: SocketAddr,
        /// Its address alone, as it is typed before a port.
        ip: String,
        /// Another way.
        instead: &'static str,
    },
    /// Somebody configured the domain already.
    #[error("{path} already has something for .{tld}: {line:?}; take it out, or leave the resolver as it is")]
    Taken {
        /// The file.
        path: PathBuf,
        /// The domain.
        tld: String,
        /// The line.
        line: String,
    },
    /// Servers that would be asked for our names as often as the node.
    #[error(
        "{path} has DNS={servers}, and systemd-resolved before 258 takes all servers given there for one and the same, so \
         it would ask them for .{tld}; give them to a network link instead (`resolvectl dns LINK {servers}`), take that \
         line out, and try again"
    )]
    GlobalServers {
        /// The file.
        path: PathBuf,
        /// The servers.
        servers: String,
        /// The domain.
        tld: String,
    },
    /// A version that cannot do it.
    #[error("systemd {version} knows no ports in DNS=, which came with 246: start the node with --dns-listen {ip}:53")]
    TooOld {
        /// The version.
        version: u32,
        /// The node's address, as it is typed before a port.
        ip: String,
    },
    /// A file that another program writes.
    #[error(
        "{path} leads to {to}, which another program writes, so a change would not last; tell that program to use the \
         nameserver {ip}, or choose another --kind"
    )]
    Managed {
        /// The file.
        path: PathBuf,
        /// Where it leads.
        to: PathBuf,
        /// The node's address.
        ip: IpAddr,
    },
    /// Zones in views.
    #[error(
        "{path} has views, and a zone outside them is an error: put `{zone}` into each view that is to know .{tld} yourself"
    )]
    Views {
        /// The file.
        path: PathBuf,
        /// What to write there.
        zone: String,
        /// The domain.
        tld: String,
    },
    /// An option that can be given once.
    #[error("{path} already has {option}, which can be given once: add \"{tld}\" to it yourself, and try again")]
    Once {
        /// The file.
        path: PathBuf,
        /// The option.
        option: &'static str,
        /// The domain.
        tld: String,
    },
}

/// What makes the resolver `kind` ask the node for names below the target's domain. Pure.
///
/// - `facts`: of a machine on which nothing of ours is set up; [`Machine::facts`] gives them so.
///
/// Errors: the resolver is not there, is too old, or is configured in a way that this would break.
pub fn plan(kind: Kind, facts: &Facts, target: &Target) -> Result<Plan, PlanError> {
    match kind {
        Kind::Resolved => layout::resolved::plan(facts, target),
        Kind::NetworkManager => layout::dnsmasq::plan_network_manager(facts, target),
        Kind::Dnsmasq => layout::dnsmasq::plan(facts, target),
        Kind::Unbound => layout::unbound::plan(facts, target),
        Kind::Bind => layout::bind::plan(facts, target),
        Kind::ResolvConf => layout::resolv_conf::plan(facts, target),
        Kind::Macos => layout::macos::plan(target),
        Kind::Windows => layout::windows::plan(target),
    }
}

/// An address as it is typed before a port: `[::1]`.
fn before_port(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests;
