//! Which resolver a machine uses: first where its own lookups go, then who is there.

use std::net::IpAddr;

use super::facts::{NSSWITCH, RESOLV_CONF, RESOLVED_RUNS};
use super::{Facts, FactsError, Kind};

/// Where systemd-resolved listens.
const RESOLVED_STUBS: [&str; 2] = ["127.0.0.53", "127.0.0.54"];

/// Why it cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DetectError {
    /// The file that says it cannot be read.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// Lookups go to this machine, and nothing that is known is installed.
    #[error(
        "resolv.conf sends lookups to {0} on this machine, and none of the resolvers known here is installed; say which \
         it is with --kind, if it is one of them"
    )]
    Unknown(IpAddr),
    /// More than one may be it.
    #[error("resolv.conf sends lookups to {server} on this machine, and {} are installed; say with --kind which answers there", list(.kinds))]
    Several {
        /// Where lookups go.
        server: IpAddr,
        /// Who may be there.
        kinds: Vec<Kind>,
    },
}

fn list(kinds: &[Kind]) -> String {
    kinds.iter().map(|kind| kind.title()).collect::<Vec<_>>().join(" and ")
}

/// The resolver that the machine's lookups go to, and how that is known.
///
/// Errors: they go to a resolver on this machine, and which one that is cannot be told.
pub fn detect(facts: &Facts) -> Result<(Kind, String), DetectError> {
    if cfg!(target_os = "macos") && !facts.has("/etc/nsswitch.conf") {
        return Ok((Kind::Macos, "this is macOS".to_owned()));
    }
    if cfg!(windows) {
        return Ok((Kind::Windows, "this is Windows".to_owned()));
    }
    if let Some(to) = facts.link(RESOLV_CONF).filter(|to| to.starts_with(RESOLVED_RUNS)) {
        return Ok((Kind::Resolved, format!("{RESOLV_CONF} leads to {}", to.display())));
    }
    let resolves =
        |line: &str| line.trim().strip_prefix("hosts:").is_some_and(|rest| rest.split(' ').any(|it| it == "resolve"));
    if facts.has_folder(RESOLVED_RUNS) && facts.text(NSSWITCH)?.is_some_and(|text| text.lines().any(resolves)) {
        return Ok((Kind::Resolved, format!("{NSSWITCH} has `resolve`, and systemd-resolved runs")));
    }
    let servers = nameservers(facts.text(RESOLV_CONF)?.unwrap_or_default());
    let first = servers.first().copied();
    if let Some(stub) = first.filter(|ip| RESOLVED_STUBS.contains(&ip.to_string().as_str())) {
        return Ok((Kind::Resolved, format!("{RESOLV_CONF} sends lookups to {stub}, where systemd-resolved listens")));
    }
    if let Some((path, line)) = network_manager_dnsmasq(facts) {
        return Ok((Kind::NetworkManager, format!("{path} has {line}")));
    }
    let Some(local) = first.filter(IpAddr::is_loopback) else {
        let to = first.map_or("names no server".to_owned(), |server| format!("sends lookups to {server}"));
        return Ok((Kind::ResolvConf, format!("{RESOLV_CONF} {to}: no resolver of this machine")));
    };
    let known = [
        (Kind::Unbound, "/etc/unbound/unbound.conf"),
        (Kind::Dnsmasq, "/etc/dnsmasq.conf"),
        (Kind::Bind, "/etc/bind/named.conf"),
        (Kind::Bind, "/etc/named.conf"),
    ];
    let mut kinds: Vec<Kind> = known.iter().filter(|(_, path)| facts.has(path)).map(|(kind, _)| *kind).collect();
    kinds.dedup();
    match kinds.as_slice() {
        [] => Err(DetectError::Unknown(local)),
        [kind] => Ok((*kind, format!("{RESOLV_CONF} sends lookups to {local}, and {} is installed", kind.title()))),
        _ => Err(DetectError::Several { server: local, kinds }),
    }
}

/// The addresses that a resolv.conf names, in order.
pub(super) fn nameservers(text: &str) -> Vec<IpAddr> {
    let (config, _) = resolv_conf::Config::parse_with_errors(text.as_bytes());
    config.nameservers.iter().map(IpAddr::from).collect()
}

/// Where `[main] dns=dnsmasq` stands last among NetworkManager's files, if nothing later says otherwise.
fn network_manager_dnsmasq(facts: &Facts) -> Option<(String, String)> {
    let main = "/etc/NetworkManager/NetworkManager.conf";
    let before = facts.folder("/usr/lib/NetworkManager/conf.d").chain(facts.folder("/run/NetworkManager/conf.d"));
    let middle = facts.text(main).ok().flatten().map(|text| (std::path::Path::new(main), text));
    let all = before.chain(middle).chain(facts.folder("/etc/NetworkManager/conf.d"));
    let mut last = None;
    for (path, text) in all {
        let mut section = "";
        for line in text.lines().map(str::trim) {
            match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                Some(name) => section = name,
                None if section == "main" => {
                    if let Some(("dns", value)) = line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                        last = Some((path.display().to_string(), value.to_owned()));
                    }
                }
                None => {}
            }
        }
    }
    last.filter(|(_, value)| value == "dnsmasq").map(|(path, value)| (path, format!("dns={value}")))
}
