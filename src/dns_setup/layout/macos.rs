//! resolver(5) of macOS.

use super::super::{Kind, Plan, PlanError, Target};
use super::HEAD;

pub(in super::super) fn plan(target: &Target) -> Result<Plan, PlanError> {
    let server = target.server()?;
    let mut plan = Plan::new(Kind::Macos, server);
    let text = format!("{HEAD}nameserver {}\nport {}\n", server.ip(), server.port());
    plan.change(&format!("/etc/resolver/{}", target.tld), text);
    plan.note("dig and host ask the servers of resolv.conf by themselves; see with `dscacheutil -q host -a name NAME`");
    if target.anchor.is_some() {
        plan.note("macOS checks no signatures, so the trust anchor is not used");
    }
    Ok(plan)
}
