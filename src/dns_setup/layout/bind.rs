//! named.conf(5) of BIND 9.
//!
//! A static stub is what an authoritative server should be, but knows no port; on any other port than 53 it is a forward
//! zone. `trust-anchors` may be anywhere; `validate-except` is an option, and there is one block of options.

use std::path::{Path, PathBuf};

use super::super::{DNS_PORT, Facts, Kind, Plan, PlanError, Target};
use super::appended;

mod masked;

use masked::Masked;

const HEAD: &str = "// Made by `dotp2p dns setup`; `dotp2p dns setup --undo` takes it away.\n";
/// Debian's file, those that it includes, and the file that others have.
const DEBIAN: &str = "/etc/bind/named.conf";
const DEBIAN_PARTS: [&str; 2] = ["/etc/bind/named.conf.local", "/etc/bind/named.conf.options"];
const OTHERS: &str = "/etc/named.conf";
/// The option that names domains whose signatures are not checked; it can be given once.
const EXCEPT: &str = "validate-except";

pub(in super::super) fn plan(facts: &Facts, target: &Target) -> Result<Plan, PlanError> {
    let server = target.server_on_53().map_or_else(|| target.server(), Ok)?;
    let tld = &target.tld;
    let (main, own) = match facts.has(DEBIAN) {
        true => (DEBIAN, "/etc/bind/named.conf.dotp2p"),
        false => (OTHERS, "/etc/named.dotp2p.conf"),
    };
    let text = facts.text(main)?.ok_or(PlanError::NotThere { kind: Kind::Bind, path: DEBIAN })?;
    let mut files = vec![(main, Masked::new(text))];
    for path in DEBIAN_PARTS.iter().copied().filter(|path| Masked::new(text).includes(path)) {
        files.extend(facts.text(path)?.map(|text| (path, Masked::new(text))));
    }
    // Where Debian has a file for what is added, it goes there.
    let place = files.iter().find(|(path, _)| *path == DEBIAN_PARTS[0]).or(files.first());
    let (include_in, first) = place.ok_or(PlanError::NotThere { kind: Kind::Bind, path: DEBIAN })?;
    let zone = match server.port() {
        DNS_PORT => format!("zone \"{tld}\" {{ type static-stub; server-addresses {{ {}; }}; }};", server.ip()),
        port => {
            format!("zone \"{tld}\" {{ type forward; forward only; forwarders {{ {} port {port}; }}; }};", server.ip())
        }
    };
    for (path, text) in &files {
        if text.block("view").is_some() {
            return Err(PlanError::Views { path: PathBuf::from(path), zone, tld: tld.clone() });
        }
        if let Some(line) = text.zone(tld) {
            let (path, line) = (Path::new(path).to_owned(), line.to_owned());
            return Err(PlanError::Taken { path, tld: tld.clone(), line });
        }
    }
    let mut plan = Plan::new(Kind::Bind, server);
    let mut text = format!("{HEAD}{zone}\n");
    // Both may be one file, which then changes twice.
    let mut included = appended(first.text(), &format!("// `dotp2p dns setup`\ninclude \"{own}\";\n"));
    match &target.anchor {
        Some(anchor) => text.extend(anchor.ds().iter().map(|ds| {
            let (tag, algorithm, digest) = (ds.key_tag, ds.algorithm, ds.digest_text());
            format!("trust-anchors {{ \"{tld}\" static-ds {tag} {algorithm} 2 \"{digest}\"; }};\n")
        })),
        None => match files.iter().find_map(|(path, text)| Some((*path, text, text.block("options")?))) {
            None => text.push_str(&format!("options {{ {EXCEPT} {{ \"{tld}\"; }}; }};\n")),
            Some((path, options, _)) if options.list(EXCEPT).is_some() => {
                let list = options.list(EXCEPT).unwrap_or_default();
                let is_it = |word: &str| word.trim_matches('"').trim_end_matches('.').eq_ignore_ascii_case(tld);
                if !list.split(|letter: char| letter == ';' || letter.is_whitespace()).any(is_it) {
                    return Err(PlanError::Once { path: path.into(), option: EXCEPT, tld: tld.clone() });
                }
            }
            Some((path, options, begin)) => {
                // What follows on the same line goes on after it.
                let line = format!("\n\t{EXCEPT} {{ \"{tld}\"; }}; /* `dotp2p dns setup` */");
                if path == *include_in {
                    included.insert_str(begin, &line);
                } else {
                    let mut changed = options.text().to_owned();
                    changed.insert_str(begin, &line);
                    plan.change(path, changed);
                }
            }
        },
    }
    plan.change(own, text);
    plan.change(include_in, included);
    if server.port() != DNS_PORT {
        plan.note(
            "BIND follows delegations below the domain only from a server on port 53: names that are delegated to other \
             servers resolve where the node also listens there (--dns-listen 127.0.0.1:53)",
        );
    }
    Ok(plan)
}
