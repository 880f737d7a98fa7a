//! `dotp2p demo`: a throwaway network on which a name is registered and resolved, in seconds.
//!
//! Everything is real: a node with its database, HTTP, UDP and TCP on ports of their own, a wallet, work, a commitment
//! that must grow old. Only the folder goes away at the end. [`query`] asks what [`expected`] knows the answer to.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use comfy_table::Cell;
use dotp2p_chain::params::Params;
use dotp2p_rpc::types::RegistrationInfo;
use dotp2p_wallet::{FileError, Wallet, WordCount};
use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;

use crate::cli::client::{ClientError, NodeClient};
use crate::cli::{CliError, Output, Tone, interrupted};
use crate::dns_client::Transport;
use crate::node::{Node, NodeConfig, NodeError};
use expected::{Expected, ExpectedError, parse_expected};
use query::ask;

pub mod expected;
pub mod query;

/// The name that is registered.
const NAME: &str = "hello";
/// Its records.
const ZONE: &str = include_str!("../examples/hello.zone");
/// What DNS must say of them.
const EXPECTED: &str = include_str!("../examples/hello.expected");
/// How long a registration may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often one looks how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Why the demo did not work.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No folder.
    #[error("cannot make a temporary folder: {0}")]
    Folder(#[from] std::io::Error),
    /// The embedded example is broken.
    #[error("hello.expected: {0}")]
    Expected(#[from] ExpectedError),
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// What it was asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The wallet.
    #[error(transparent)]
    Wallet(#[from] FileError),
    /// The name did not become ours.
    #[error("{NAME} was not registered: {0}")]
    Registration(String),
    /// DNS said something else.
    #[error("{differ} of {asked} answers differ, the first is {first}")]
    Differs {
        /// How many.
        differ: usize,
        /// Of how many.
        asked: usize,
        /// The first one's question.
        first: String,
    },
    /// Ctrl-C before the end.
    #[error("interrupted before all was checked")]
    Interrupted,
}

/// A question, and how the answers over UDP and TCP differ from what is expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Checked {
    question: String,
    ok: bool,
    records: usize,
    differences: Vec<String>,
}

/// Runs the demo; `once`: does not stay to be tried out.
pub async fn run(out: &Output, once: bool) -> Result<(), CliError> {
    let mut interrupt = pin!(interrupted());
    let folder = TempDir::with_prefix("dotp2p-demo-").map_err(DemoError::Folder)?;
    let params = Params::regtest();
    let dir = folder.path().join(&params.deployment.name);
    let demo = Demo { began: Instant::now(), out };
    demo.step(&format!("a network of its own in {}", folder.path().display()));
    let wallet = Wallet::create(&dir.join("wallet.json"), &params, WordCount::Twelve, None);
    demo.step(&format!("a wallet, its first address {}", wallet.map_err(DemoError::Wallet)?.first_address()));
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config =
        NodeConfig { rpc_listen: any, dns_listen: vec![any], mine: Some(1), ..NodeConfig::new(params, dir.clone()) };
    let node = Node::start(config).await.map_err(DemoError::Node)?;
    let (rpc, dns) = (node.rpc_addr(), node.dns_addrs().first().copied().unwrap_or(any));
    demo.step(&format!("a node: JSON-RPC on http://{rpc}, DNS on {dns} (UDP and TCP), mining on demand"));
    let ended = tokio::select! {
        ended = demo.check(&dir, rpc, dns) => ended,
        () = &mut interrupt => Err(DemoError::Interrupted.into()),
    };
    if !once && matches!(ended, Ok(()) | Err(CliError::Demo(DemoError::Differs { .. }))) {
        demo.what_next(folder.path(), &dir, rpc, dns);
        interrupt.await;
        out.note("");
    }
    node.stop().await.map_err(DemoError::Node)?;
    drop(folder);
    demo.step("stopped, and the folder is removed");
    ended
}

/// A demo under way.
struct Demo<'a> {
    began: Instant,
    out: &'a Output,
}

impl Demo<'_> {
    /// A line of what was done, with the time since the start.
    fn step(&self, text: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.out.note(format_args!("{seconds:5.2} s  {text}"));
    }

    /// Registers the name and compares every answer.
    async fn check(&self, dir: &Path, rpc: SocketAddr, dns: SocketAddr) -> Result<(), CliError> {
        let client = NodeClient::at(&format!("http://{rpc}"), dir).map_err(DemoError::Client)?;
        let info = self.register(&client).await?;
        self.step(&format!("{NAME}.p2p is registered, for {} coins in all", info.spent));
        let checked = check(dns).await?;
        let differ: Vec<&Checked> = checked.iter().filter(|it| !it.ok).collect();
        let (asked, equal) = (checked.len(), checked.len() - differ.len());
        self.step(&format!("{asked} questions over UDP and TCP, {equal} answered as expected"));
        self.print(&checked, rpc, dns)?;
        match differ.first() {
            None => Ok(()),
            Some(first) => {
                let first = first.question.clone();
                Err(DemoError::Differs { differ: differ.len(), asked, first }.into())
            }
        }
    }

    /// Registers [`NAME`] and waits until it is owned and served.
    async fn register(&self, client: &NodeClient) -> Result<RegistrationInfo, DemoError> {
        let answer = client.call("name_register", json!({ "name": NAME, "zone": ZONE, "years": 1 })).await?;
        let mut info: RegistrationInfo = answer.read()?;
        let began = Instant::now();
        let mut last = String::new();
        loop {
            if info.step == "failed" || began.elapsed() > PATIENCE {
                let why = info.error.unwrap_or(info.text);
                return Err(DemoError::Registration(why));
            }
            if info.step == "done" {
                return Ok(info);
            }
            if info.step != last {
                self.step(&format!("registering {NAME}: {}", info.text));
                last = info.step;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            let all: Vec<RegistrationInfo> = client.call("name_registrations", json!({})).await?.read()?;
            let found = all.into_iter().find(|it| it.name == NAME);
            info = found.ok_or_else(|| DemoError::Registration("the node has forgotten it".to_owned()))?;
        }
    }

    fn print(&self, checked: &[Checked], rpc: SocketAddr, dns: SocketAddr) -> Result<(), CliError> {
        if self.out.is_json() {
            let seconds = self.began.elapsed().as_secs_f64();
            let (rpc, dns) = (format!("http://{rpc}"), dns.to_string());
            return self.out.json(&json!({ "seconds": seconds, "rpc": rpc, "dns": dns, "questions": checked }));
        }
        let row = |it: &Checked| {
            let result = if it.ok { self.out.cell("ok", Tone::Good) } else { self.out.cell("differs", Tone::Bad) };
            vec![Cell::new(&it.question), Cell::new(it.records), result]
        };
        self.out.table(&["question", "records", "result"], checked.iter().map(row).collect())?;
        for it in checked.iter().filter(|it| !it.ok) {
            self.out.line("")?;
            self.out.line(self.out.paint(&it.question, Tone::Bold))?;
            it.differences.iter().try_for_each(|line| self.out.line(line))?;
        }
        Ok(())
    }

    fn what_next(&self, folder: &Path, dir: &Path, rpc: SocketAddr, dns: SocketAddr) {
        let (ip, port) = (dns.ip(), dns.port());
        let program = std::env::args().next().unwrap_or_else(|| "dotp2p".to_owned());
        let dotp2p = format!("{program} --network regtest --data-dir {}", folder.display());
        let cookie = dir.join(dotp2p_rpc::auth::COOKIE_FILE);
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"name_show","params":["hello"]}"#;
        self.out.note(format_args!(
            "
Try, in another terminal:
  dig @{ip} -p {port} hello.p2p A
  dig @{ip} -p {port} hello.p2p MX +tcp
  dig @{ip} -p {port} anything.wild.hello.p2p TXT
  curl -s -u \"$(cat {cookie})\" -H 'content-type: application/json' -d '{body}' http://{rpc}
  {dotp2p} name show hello
  {dotp2p} name register alice --record '@ A 192.0.2.7' --yes --wait
  dig @{ip} -p {port} alice.p2p

Ctrl-C ends it; nothing is left behind.",
            cookie = cookie.display(),
        ));
    }
}

/// Asks every question over both transports.
async fn check(dns: SocketAddr) -> Result<Vec<Checked>, DemoError> {
    let mut checked = Vec::new();
    for (id, expected) in (1u16..).zip(parse_expected(EXPECTED)?) {
        let mut differences = Vec::new();
        for (transport, title) in [(Transport::Udp, "UDP"), (Transport::Tcp, "TCP")] {
            match ask(dns, transport, id, &expected).await {
                Ok(got) => differences.extend(difference(&expected, &got).map(|line| format!("  {title} {line}"))),
                Err(error) => differences.push(format!("  {title} {error}")),
            }
        }
        let records = expected.answer.len() + expected.authority.len() + expected.additional.len();
        let question = format!("{} {}", expected.qname, expected.qtype);
        checked.push(Checked { question, ok: differences.is_empty(), records, differences });
    }
    Ok(checked)
}

/// What is in one and not in the other: `- expected` and `+ got`.
fn difference(expected: &Expected, got: &Expected) -> impl Iterator<Item = String> {
    let (expected, got) = (lines(expected), lines(got));
    let missing: Vec<String> = expected.difference(&got).map(|line| format!("- {line}")).collect();
    let extra: Vec<String> = got.difference(&expected).map(|line| format!("+ {line}")).collect();
    missing.into_iter().chain(extra)
}

/// An answer as lines; a line that is there twice is numbered.
fn lines(of: &Expected) -> BTreeSet<String> {
    let aa = if of.aa { " aa" } else { "" };
    let mut lines = BTreeSet::from([format!("status {}{aa}", of.rcode)]);
    for (title, section) in [("answer", &of.answer), ("authority", &of.authority), ("additional", &of.additional)] {
        for record in section {
            let line = format!("{title} {record}");
            if !lines.insert(line.clone()) {
                lines.insert(format!("{line} (again)"));
            }
        }
    }
    lines
}
