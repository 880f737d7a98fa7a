//! The Name Resolution Policy Table of Windows, which PowerShell changes.

use super::super::{Kind, Plan, PlanError, Target, before_port};

pub(in super::super) fn plan(target: &Target) -> Result<Plan, PlanError> {
    let Some(server) = target.server_on_53() else {
        let server = target.server()?;
        let what = "the Name Resolution Policy Table of Windows";
        return Err(PlanError::NeedsPort53 { what, server, ip: before_port(server.ip()), instead: "" });
    };
    let tld = &target.tld;
    let mut plan = Plan::new(Kind::Windows, server);
    plan.by_hand = vec![
        format!("Add-DnsClientNrptRule -Namespace '.{tld}' -NameServers '{}' -Comment 'dotp2p'", server.ip()),
        "Clear-DnsClientCache".to_owned(),
    ];
    plan.note("type it in PowerShell as administrator");
    plan.note(format!(
        "taken back by: Get-DnsClientNrptRule | Where-Object {{ $_.Namespace -eq '.{tld}' -and $_.Comment -eq 'dotp2p' }} | \
         Remove-DnsClientNrptRule -Force"
    ));
    plan.note("nslookup does not look at this table; see with `Resolve-DnsName NAME`");
    Ok(plan)
}
