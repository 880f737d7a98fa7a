//! `dotp2p dns check`

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use clap::Args;
use comfy_table::Cell;
use hickory_proto::rr::{Name as DnsName, RecordType};
use serde_json::json;
use tokio::time::timeout;

use super::super::client::{NODE_FILE, NodeClient, NodeFile};
use super::super::{CliError, Output, Tone};
use super::links::{
    Heard, Link, State, addresses, asks_node, node_dns, node_has, node_passes_on, programs, resolver, same_answer,
    serial,
};
use super::query::full_name;
use super::random_id;
use crate::config::Settings;
use crate::dns_client::{DEADLINE, Question, Transport, ask};
use crate::dns_setup::{DNS_PORT, askable};

/// The file that names the system's servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Servers of it that glibc asks.
const SERVERS_MAX: usize = 3;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// A name of the network to look up [default: the node's own server, ns.dotp2p.p2p]
    name: Option<String>,
    /// An ordinary name to look up
    #[arg(long, value_name = "NAME", default_value = "example.com")]
    ordinary: String,
    /// Where the node answers DNS [default: the running node of this data directory]
    #[arg(long, value_name = "ADDR:PORT")]
    server: Option<SocketAddr>,
    /// Look at this resolver instead of those that /etc/resolv.conf names; repeatable
    #[arg(long, value_name = "ADDR:PORT")]
    resolver: Vec<SocketAddr>,
}

pub(super) async fn run(args: CheckArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let tld = settings.tld();
    let own = full_name(&format!("ns.dotp2p.{tld}"), &tld)?;
    let name = args.name.as_deref().map_or(Ok(own), |name| full_name(name, &tld))?;
    let ordinary = full_name(&args.ordinary, "")?;
    let check = Check { tld, name, ordinary, links: Vec::new() };
    let links = check.all(&args, settings).await?;
    let broken = links.iter().filter(|link| link.state == State::Broken).count();
    show(&links, broken == 0, out)?;
    // Which and why was said link by link.
    if broken == 0 { Ok(()) } else { Err(CliError::Shown { exit_code: 1 }) }
}

struct Check {
    tld: String,
    name: DnsName,
    ordinary: DnsName,
    links: Vec<Link>,
}

impl Check {
    /// From the node outwards. What lies behind a broken link is looked at all the same: it may be broken too.
    async fn all(mut self, args: &CheckArgs, settings: &Settings) -> Result<Vec<Link>, CliError> {
        let node = self.node(args.server, settings).await;
        let apex = self.apex()?;
        let (mut serial_there, mut answer): (_, Heard) = (None, Err("it was not found".to_owned()));
        let mut known = BTreeSet::new();
        match node {
            None => self.links.push(Link::skipped("DNS of the node", "where it answers is not known")),
            Some(server) => {
                let udp = hear(server, Transport::Udp, &apex).await?;
                let tcp = hear(server, Transport::Tcp, &apex).await?;
                serial_there = udp.as_ref().ok().and_then(|message| serial(message, &self.tld));
                self.links.push(node_dns(server, &self.tld, [("UDP", &udp), ("TCP", &tcp)]));
                let ordinary = hear(server, Transport::Udp, &self.question(&self.ordinary, RecordType::A)).await?;
                let name = self.ordinary.to_ascii();
                self.links.push(node_passes_on(server, name.trim_end_matches('.'), &ordinary));
                answer = hear(server, Transport::Udp, &self.question(&self.name, RecordType::A)).await?;
                if args.name.is_some() {
                    let name = self.name.to_ascii();
                    self.links.push(node_has(server, name.trim_end_matches('.'), &answer));
                }
                let v6 = hear(server, Transport::Udp, &self.question(&self.name, RecordType::AAAA)).await?;
                known = [&answer, &v6].into_iter().flatten().flat_map(addresses).collect();
            }
        }
        let resolvers = if args.resolver.is_empty() { self.resolvers() } else { args.resolver.clone() };
        let mut is_served = false;
        for server in resolvers {
            let links = self.resolver(server, serial_there, &answer).await?;
            let holds = links.iter().all(|link| link.state == State::Ok);
            self.links.extend(links.into_iter().map(|link| if is_served { link.aside() } else { link }));
            // Those of resolv.conf are asked in turn; those that were named are all meant.
            is_served |= holds && args.resolver.is_empty();
        }
        if args.resolver.is_empty() {
            let name = self.name.to_ascii();
            let got = look_up(&name).await;
            self.links.push(programs(name.trim_end_matches('.'), &known, &got));
        } else {
            self.links.push(Link::skipped("programs", "--resolver was given: programs ask those of the system"));
        }
        Ok(self.links)
    }

    /// Whether the node runs; where its DNS is.
    async fn node(&mut self, said: Option<SocketAddr>, settings: &Settings) -> Option<SocketAddr> {
        if let Some(server) = said {
            self.links.push(Link::skipped("node", "--server says where it answers"));
            return askable(&[server]).first().copied();
        }
        let file = match NodeFile::read(settings) {
            Ok(file) => file,
            Err(error) => {
                let fix = "start it with `dotp2p node`, or say where it is with --data-dir or --server";
                self.links.push(Link::broken("node", error.to_string(), fix));
                return None;
            }
        };
        let answers = match NodeClient::find(settings) {
            Ok(client) => client.call("uptime", json!({})).await.map(drop),
            Err(error) => Err(error),
        };
        self.links.push(match answers {
            Ok(()) => Link::ok("node", format!("runs, JSON-RPC at {}", file.rpc)),
            Err(error) => {
                let path = settings.dir.join(NODE_FILE);
                let fix = format!("start it with `dotp2p node`; {} is left from one that ended", path.display());
                Link::broken("node", error.to_string(), fix)
            }
        });
        askable(&file.dns).first().copied()
    }

    /// The system's servers, by resolv.conf.
    fn resolvers(&mut self) -> Vec<SocketAddr> {
        let link = RESOLV_CONF;
        let fix = "name a server in it; `dotp2p dns setup` can";
        let text = match fs::read(Path::new(RESOLV_CONF)) {
            Ok(text) => text,
            Err(error) => {
                self.links.push(Link::broken(link, error.to_string(), fix));
                return Vec::new();
            }
        };
        let (config, _) = resolv_conf::Config::parse_with_errors(&text);
        let servers: Vec<IpAddr> = config.nameservers.iter().map(IpAddr::from).take(SERVERS_MAX).collect();
        self.links.push(match servers.as_slice() {
            [] => Link::broken(link, "names no server", fix),
            _ => Link::ok(link, servers.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ")),
        });
        servers.into_iter().map(|ip| SocketAddr::from((ip, DNS_PORT))).collect()
    }

    /// The links over one server.
    async fn resolver(&self, server: SocketAddr, node: Option<u32>, answer: &Heard) -> Result<Vec<Link>, CliError> {
        let ordinary = self.ordinary.to_ascii();
        let heard = hear(server, Transport::Udp, &self.question(&self.ordinary, RecordType::A)).await?;
        let mut links = vec![resolver(server, ordinary.trim_end_matches('.'), &heard)];
        if let Err(why) = heard {
            links.push(Link::skipped(format!("resolver {server} asks the node"), why));
            return Ok(links);
        }
        let apex = self.apex()?;
        let checked = hear(server, Transport::Udp, &apex).await?;
        let unchecked = hear(server, Transport::Udp, &Question { unchecked: true, ..apex }).await?;
        let asks = asks_node(server, &self.tld, node, &checked, &unchecked);
        if asks.state == State::Ok {
            let name = self.name.to_ascii();
            let heard = hear(server, Transport::Udp, &self.question(&self.name, RecordType::A)).await?;
            links.extend([asks, same_answer(server, name.trim_end_matches('.'), answer, &heard)]);
        } else {
            links.push(asks);
        }
        Ok(links)
    }

    /// The domain's SOA, which only a node has; with signatures, as a resolver that checks them is to say so.
    fn apex(&self) -> Result<Question, CliError> {
        let apex = full_name(&self.tld, &self.tld)?;
        Ok(Question { recursion: true, dnssec: true, ..Question::new(apex, RecordType::SOA) })
    }

    /// The addresses of a name.
    fn question(&self, name: &DnsName, rtype: RecordType) -> Question {
        Question { recursion: true, ..Question::new(name.clone(), rtype) }
    }
}

async fn hear(server: SocketAddr, transport: Transport, question: &Question) -> Result<Heard, CliError> {
    let reply = ask(server, transport, random_id()?, question).await;
    Ok(reply.map(|reply| reply.message).map_err(|error| error.to_string()))
}

/// The addresses that programs get.
async fn look_up(name: &str) -> Result<BTreeSet<IpAddr>, String> {
    let looked_up = timeout(DEADLINE * 2, tokio::net::lookup_host((name, 0))).await;
    let found = looked_up.map_err(|_| format!("no answer within {} s", DEADLINE.as_secs() * 2))?;
    Ok(found.map_err(|error| error.to_string())?.map(|at| at.ip()).collect())
}

fn show(links: &[Link], holds: bool, out: &Output) -> Result<(), CliError> {
    if out.is_json() {
        return out.json(&json!({ "ok": holds, "links": links }));
    }
    let row = |link: &Link| {
        let state = match link.state {
            State::Ok => out.cell("ok", Tone::Good),
            State::Broken => out.cell("broken", Tone::Bad),
            State::Skipped => out.cell("skipped", Tone::Faint),
        };
        vec![Cell::new(&link.link), state, Cell::new(&link.seen)]
    };
    out.table(&["link", "state", "seen"], links.iter().map(row).collect())?;
    for (link, fix) in links.iter().filter_map(|link| Some((link, link.fix.as_ref()?))) {
        out.line("")?;
        out.line(format_args!("{}: {fix}", out.paint(&link.link, Tone::Bold)))?;
    }
    Ok(())
}
