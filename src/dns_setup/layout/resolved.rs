//! systemd-resolved: resolved.conf(5), systemd.dns-delegate(5), dnssec-trust-anchors.d(5).
//!
//! Before version 258 a server can only be given for everything; `Domains=~p2p` sends our names there, but what no link
//! has a route for goes there as well as to the links. A delegation, since 258, is asked for its domain and nothing else.

use std::path::{Path, PathBuf};

use super::super::facts::RESOLVED_RUNS;
use super::super::{DNS_PORT, Facts, Kind, Plan, PlanError, Target, before_port};
use super::HEAD;

const CONF: &str = "/etc/systemd/resolved.conf";

const ANCHORS: [&str; 3] =
    ["/etc/dnssec-trust-anchors.d", "/run/dnssec-trust-anchors.d", "/usr/lib/dnssec-trust-anchors.d"];
/// Anchors have another sign for comments.
const ANCHOR_HEAD: &str = "; Made by `dotp2p dns setup`; `dotp2p dns setup --undo` takes it away.\n";
/// Where drop-ins are, from the weakest to the strongest, after the file itself.
const DROP_INS: [&str; 4] = [
    "/usr/lib/systemd/resolved.conf.d",
    "/usr/local/lib/systemd/resolved.conf.d",
    "/run/systemd/resolved.conf.d",
    "/etc/systemd/resolved.conf.d",
];
/// The version that knows delegations.
const DELEGATES_SINCE: u32 = 258;
/// The version that knows ports.
const PORTS_SINCE: u32 = 246;
/// What resolved 252 to 258 takes for unsigned by itself, until there is a file that says what is.
const BUILT_IN_NEGATIVE: [&str; 31] = [
    "test",
    "10.in-addr.arpa",
    "16.172.in-addr.arpa",
    "17.172.in-addr.arpa",
    "18.172.in-addr.arpa",
    "19.172.in-addr.arpa",
    "20.172.in-addr.arpa",
    "21.172.in-addr.arpa",
    "22.172.in-addr.arpa",
    "23.172.in-addr.arpa",
    "24.172.in-addr.arpa",
    "25.172.in-addr.arpa",
    "26.172.in-addr.arpa",
    "27.172.in-addr.arpa",
    "28.172.in-addr.arpa",
    "29.172.in-addr.arpa",
    "30.172.in-addr.arpa",
    "31.172.in-addr.arpa",
    "168.192.in-addr.arpa",
    "d.f.ip6.arpa",
    "local",
    "home",
    "corp",
    "lan",
    "intranet",
    "internal",
    "private",
    "home.arpa",
    "ipv4only.arpa",
    "170.0.0.192.in-addr.arpa",
    "171.0.0.192.in-addr.arpa",
];

pub(in super::super) fn plan(facts: &Facts, target: &Target) -> Result<Plan, PlanError> {
    let server = target.server()?;
    let tld = &target.tld;
    if facts.systemd().is_none() && !facts.has(CONF) && !facts.has_folder(RESOLVED_RUNS) {
        return Err(PlanError::NotThere { kind: Kind::Resolved, path: CONF });
    }
    let mut plan = Plan::new(Kind::Resolved, server);
    let delegates = facts.systemd().is_some_and(|version| version >= DELEGATES_SINCE);
    if delegates {
        let text = format!("{HEAD}[Delegate]\nDNS={server}\nDomains=~{tld}\n");
        plan.change("/etc/systemd/dns-delegate.d/dotp2p.dns-delegate", text);
    } else {
        let port_known = facts.systemd().is_none_or(|version| version >= PORTS_SINCE);
        if let (false, Some(version), true) = (port_known, facts.systemd(), server.port() != DNS_PORT) {
            return Err(PlanError::TooOld { version, ip: before_port(server.ip()) });
        }
        check_no_global_servers(facts, target)?;
        let text = format!("{HEAD}[Resolve]\nDNS={server}\nDomains=~{tld}\n");
        plan.change("/etc/systemd/resolved.conf.d/dotp2p.conf", text);
        plan.note(
            "systemd-resolved before 258 has one set of servers for all: it also asks the node for names that no network \
             link has a route for, beside the links' servers",
        );
    }
    match &target.anchor {
        Some(anchor) => {
            let lines: String = anchor.ds_lines().map(|line| line + "\n").collect();
            plan.change("/etc/dnssec-trust-anchors.d/dotp2p.positive", format!("{ANCHOR_HEAD}{lines}"));
        }
        None => plan.change("/etc/dnssec-trust-anchors.d/dotp2p.negative", negative(facts, tld)),
    }
    Ok(plan)
}

/// Our domain as one that nobody signs. The first file of that kind replaces what is built in, so that is repeated.
fn negative(facts: &Facts, tld: &str) -> String {
    let is_first = ANCHORS.iter().all(|folder| facts.folder(folder).next().is_none());
    let mut text = format!("{ANCHOR_HEAD}{tld}\n");
    if is_first {
        text.push_str("; What systemd-resolved takes for unsigned as long as there is no such file:\n");
        text.extend(BUILT_IN_NEGATIVE.iter().map(|domain| format!("{domain}\n")));
    }
    text
}

/// Errors: there are servers for everything, which resolved would ask for our names too.
fn check_no_global_servers(facts: &Facts, target: &Target) -> Result<(), PlanError> {
    let file = facts.text(CONF)?.map(|text| (Path::new(CONF), text));
    let mut found: Vec<(PathBuf, &str)> = Vec::new();
    for (path, text) in file.into_iter().chain(DROP_INS.iter().flat_map(|folder| facts.folder(folder))) {
        // Spaces around the equals sign are allowed (systemd.syntax(7)).
        let set = text.lines().filter_map(|line| line.split_once('='));
        for value in set.filter(|(name, _)| name.trim() == "DNS").map(|(_, value)| value.trim()) {
            // An empty value takes back all that was given before.
            if value.is_empty() { found.clear() } else { found.push((path.to_owned(), value)) }
        }
    }
    match found.into_iter().next() {
        None => Ok(()),
        Some((path, servers)) => {
            Err(PlanError::GlobalServers { path, servers: servers.to_owned(), tld: target.tld.clone() })
        }
    }
}
