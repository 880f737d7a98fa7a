//! dnsmasq(8), by itself or as NetworkManager's plugin.
//!
//! It checks no signatures of a domain that has servers of its own unless there is an anchor for it, so without an anchor
//! nothing need be said.

use std::net::SocketAddr;
use std::path::Path;

use super::super::{Facts, Kind, Plan, PlanError, Target};
use super::{HEAD, appended, check_untaken};

const CONF: &str = "/etc/dnsmasq.conf";
const FOLDER: &str = "/etc/dnsmasq.d";
/// Debian's start script reads the folder named there.
const DEFAULTS: &str = "/etc/default/dnsmasq";
const NETWORK_MANAGER: &str = "/etc/NetworkManager/NetworkManager.conf";
const NETWORK_MANAGER_FOLDER: &str = "/etc/NetworkManager/dnsmasq.d";

pub(in super::super) fn plan(facts: &Facts, target: &Target) -> Result<Plan, PlanError> {
    let server = target.server()?;
    let conf = facts.text(CONF)?.ok_or(PlanError::NotThere { kind: Kind::Dnsmasq, path: CONF })?;
    let mut plan = Plan::new(Kind::Dnsmasq, server);
    let validates = check(facts.folder(FOLDER).chain([(Path::new(CONF), conf)]), target)?;
    let text = text(target, server, validates, &mut plan);
    plan.change("/etc/dnsmasq.d/dotp2p.conf", text);
    if !reads_folder(conf, facts.text(DEFAULTS)?) {
        let line = format!("# `dotp2p dns setup`\nconf-dir={FOLDER}/,*.conf\n");
        plan.change(CONF, appended(conf, &line));
    }
    Ok(plan)
}

pub(in super::super) fn plan_network_manager(facts: &Facts, target: &Target) -> Result<Plan, PlanError> {
    let server = target.server()?;
    if !facts.has(NETWORK_MANAGER) && !facts.has_folder(NETWORK_MANAGER_FOLDER) {
        return Err(PlanError::NotThere { kind: Kind::NetworkManager, path: NETWORK_MANAGER });
    }
    let mut plan = Plan::new(Kind::NetworkManager, server);
    let validates = check(facts.folder(NETWORK_MANAGER_FOLDER), target)?;
    let text = text(target, server, validates, &mut plan);
    plan.change("/etc/NetworkManager/dnsmasq.d/dotp2p.conf", text);
    Ok(plan)
}

fn text(target: &Target, server: SocketAddr, validates: bool, plan: &mut Plan) -> String {
    let Target { tld, anchor, .. } = target;
    let mut text = format!("{HEAD}server=/{tld}/{}#{}\n", server.ip(), server.port());
    match anchor {
        Some(anchor) if validates => text.extend(
            anchor
                .ds()
                .iter()
                .map(|ds| format!("trust-anchor={tld},{},{},2,{}\n", ds.key_tag, ds.algorithm, ds.digest_text())),
        ),
        Some(_) => {
            plan.note("dnsmasq checks no signatures here, as it is not told `dnssec`; the trust anchor is left out")
        }
        None => {}
    }
    text
}

/// Whether dnsmasq validates. Errors: somebody configured the domain already.
fn check<'f>(files: impl Iterator<Item = (&'f Path, &'f str)>, target: &Target) -> Result<bool, PlanError> {
    let mut validates = false;
    for (path, text) in files {
        check_untaken(path, text, target, |line| line.contains(&format!("/{}/", target.tld)))?;
        validates |= text.lines().any(|line| line.trim() == "dnssec");
    }
    Ok(validates)
}

/// Whether the folder is read: by a line of the file, or by Debian's start script.
fn reads_folder(conf: &str, defaults: Option<&str>) -> bool {
    let folder =
        |value: &str| value.trim().trim_matches('"').split(',').next().map(|it| it.trim_end_matches('/').to_owned());
    let names_it = |text: &str, key: &str| {
        let values = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.trim_start().strip_prefix('='));
        values.filter_map(folder).any(|it| it == FOLDER)
    };
    names_it(conf, "conf-dir") || defaults.is_some_and(|text| names_it(text, "CONFIG_DIR"))
}
