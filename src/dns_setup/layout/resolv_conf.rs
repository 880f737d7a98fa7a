//! resolv.conf(5) alone: no ports, no domains, the servers asked in their order.
//!
//! So the node goes first and must pass on what is not its own; the servers that were there stay, for it to ask and for
//! when it does not answer.

use std::path::PathBuf;

use super::super::detect::nameservers;
use super::super::facts::RESOLV_CONF;
use super::super::{Facts, Kind, Plan, PlanError, Target, before_port};
use super::appended;

/// Servers that glibc looks at.
const SERVERS_MAX: usize = 3;

pub(in super::super) fn plan(facts: &Facts, target: &Target) -> Result<Plan, PlanError> {
    let Some(server) = target.server_on_53() else {
        let server = target.server()?;
        let instead = "; or put a resolver with ports before it, such as Unbound or dnsmasq, and choose it with --kind";
        return Err(PlanError::NeedsPort53 { what: RESOLV_CONF, server, ip: before_port(server.ip()), instead });
    };
    if let Some(to) = facts.link(RESOLV_CONF) {
        return Err(PlanError::Managed { path: PathBuf::from(RESOLV_CONF), to: to.to_owned(), ip: server.ip() });
    }
    let text = facts.text(RESOLV_CONF)?.unwrap_or_default();
    let mut plan = Plan::new(Kind::ResolvConf, server);
    let before = nameservers(text);
    if before.first() == Some(&server.ip()) {
        plan.change(RESOLV_CONF, text.to_owned());
    } else {
        let line = format!("nameserver {}\n", server.ip());
        let is_server = |line: &str| line.split_whitespace().next() == Some("nameserver");
        let (above, below): (Vec<&str>, Vec<&str>) = match text.split_inclusive('\n').position(is_server) {
            Some(at) => (text.split_inclusive('\n').take(at).collect(), text.split_inclusive('\n').skip(at).collect()),
            None => (vec![text], Vec::new()),
        };
        plan.change(RESOLV_CONF, format!("{}{}", appended(&above.concat(), &line), below.concat()));
    }
    if before.len() >= SERVERS_MAX {
        plan.note(format!(
            "of {} servers, the last is no longer asked by glibc, which looks at three",
            before.len() + 1
        ));
    }
    if let Some(line) =
        text.lines().find(|line| line.starts_with('#') && line.to_ascii_lowercase().contains("generated"))
    {
        plan.note(format!("{RESOLV_CONF} says {line:?}: that program may write it anew, and this would be lost"));
    }
    plan.note(format!(
        "every lookup goes to the node first, which must pass on what is not below .{}; while it does not run, .{} is asked \
         of the others",
        target.tld, target.tld
    ));
    if target.anchor.is_some() {
        plan.note("nobody checks signatures here, so the trust anchor is not used");
    }
    Ok(plan)
}
