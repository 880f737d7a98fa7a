//! unbound.conf(5).
//!
//! A stub zone, not a forward zone: the node knows its names itself and does not recurse into what they delegate.

use std::path::Path;

use super::super::{Facts, Kind, Plan, PlanError, Target};
use super::{HEAD, appended, check_untaken};

const CONF: &str = "/etc/unbound/unbound.conf";
/// Where distributions put what is to be read.
const FOLDERS: [&str; 2] = ["/etc/unbound/unbound.conf.d", "/etc/unbound/conf.d"];

pub(in super::super) fn plan(facts: &Facts, target: &Target) -> Result<Plan, PlanError> {
    let server = target.server()?;
    let tld = &target.tld;
    let conf = facts.text(CONF)?.ok_or(PlanError::NotThere { kind: Kind::Unbound, path: CONF })?;
    for (path, text) in FOLDERS.iter().flat_map(|folder| facts.folder(folder)).chain([(Path::new(CONF), conf)]) {
        check_untaken(path, text, target, |line| is_about(line, tld))?;
    }
    let mut text = format!("{HEAD}server:\n");
    if server.ip().is_loopback() {
        text.push_str("    do-not-query-localhost: no\n");
    }
    match &target.anchor {
        Some(anchor) => text.extend(anchor.ds_lines().map(|line| format!("    trust-anchor: \"{line}\"\n"))),
        None => text.push_str(&format!("    domain-insecure: \"{tld}\"\n")),
    }
    text.push_str(&format!("stub-zone:\n    name: \"{tld}\"\n    stub-addr: {}@{}\n", server.ip(), server.port()));

    let mut plan = Plan::new(Kind::Unbound, server);
    match FOLDERS.iter().find(|folder| reads(conf, folder)) {
        Some(folder) => plan.change(&format!("{folder}/dotp2p.conf"), text),
        None => {
            let path = "/etc/unbound/dotp2p.conf";
            plan.change(path, text);
            plan.change(CONF, appended(conf, &format!("# `dotp2p dns setup`\ninclude: \"{path}\"\n")));
        }
    }
    Ok(plan)
}

/// Whether a line names the domain as a zone.
fn is_about(line: &str, tld: &str) -> bool {
    let value = line.strip_prefix("name:").or_else(|| line.strip_prefix("local-zone:"));
    let zone = value.and_then(|value| value.split_whitespace().next());
    zone.is_some_and(|zone| zone.trim_matches('"').trim_end_matches('.').eq_ignore_ascii_case(tld))
}

/// Whether a line includes every `.conf` of a folder.
fn reads(conf: &str, folder: &str) -> bool {
    let pattern = |line: &str| {
        let line = line.trim();
        let value = line.strip_prefix("include-toplevel:").or_else(|| line.strip_prefix("include:"))?;
        Some(value.trim().trim_matches('"') == format!("{folder}/*.conf"))
    };
    conf.lines().filter_map(pattern).any(|is_it| is_it)
}
