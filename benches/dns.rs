//! Answers a second: this program's node beside Knot, NSD and a bare echo, `cargo bench --bench dns -- 100000`.
//!
//! All serve the same names (100,000 unless given) with A and AAAA each at the apex and at `www`, MX and TXT, and are asked the same
//! questions: four of five for names that are there, by Zipf's law, one for a name that nobody has. They are asked by turns, ROUNDS
//! (3) times SECONDS (3) each, by one driver that sends and takes packets by the batch and keeps 1,024 under way. `-- N pinned`
//! keeps the server on core 0 and the driver on core 1. `-- N signed` asks for signatures with every answer; then there are no goals, and NSD, which
//! does not sign, is left out. Needs Linux, and Debian's knot and nsd; their figures are left
//! out, which is said, where they are not there.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a benchmark, not a service")]
#![allow(clippy::cast_possible_truncation, reason = "figures for people")]

mod chain_maker;
mod dns_load;

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chain_maker::{ChainMaker, Owners, file};
use dns_load::{Load, Question, echo};
use dotp2p::import::Importer;
use dotp2p_registry::mempool::Limits;
use dotp2p_registry::store::Store;

/// What must hold in the same run: our answers a second to each of these.
const GOALS: [(&str, f64); 2] = [("knot", 1.3), ("echo", 0.8)];
const START_WITHIN: Duration = Duration::from_secs(120);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => compare(100_000, false, false),
        ["echo", port, "serve"] => echo(loopback(port.parse().unwrap())),
        [names, how @ ..] if how.iter().all(|word| ["pinned", "signed"].contains(word)) => {
            let names = names.parse().expect("how many names");
            compare(names, how.contains(&"pinned"), how.contains(&"signed"));
        }
        other => panic!("{other:?}: expected how many names, and perhaps `pinned`, `signed`"),
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// A server that runs, and what was measured of it.
struct Server {
    name: &'static str,
    process: Child,
    addr: SocketAddr,
    start_s: f64,
    rounds: Vec<Load>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts a server and waits until it answers.
    fn start(name: &'static str, port: u16, mut command: Command, question: &Question) -> Option<Self> {
        let began = Instant::now();
        let mut process = match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(process) => process,
            Err(error) => {
                println!("{name} is left out: {error}");
                return None;
            }
        };
        let addr = loopback(port);
        while !question.is_answered_by(addr) {
            if let Some(status) = process.try_wait().unwrap() {
                println!("{name} is left out: it ended with {status}");
                return None;
            }
            assert!(began.elapsed() < START_WITHIN, "{name} does not answer");
        }
        let start_s = began.elapsed().as_secs_f64();
        Some(Self { name, process, addr, start_s, rounds: Vec::new() })
    }

    fn median(&self, of: impl Fn(&Load) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds.iter().map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    }
}

/// `program`, on core 0 if it is to stay there.
fn on_its_core(program: impl AsRef<std::ffi::OsStr>, is_pinned: bool) -> Command {
    if !is_pinned {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

fn compare(names: u32, is_pinned: bool, is_signed: bool) {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let zone = home.path().join("p2p.zone");
    fs::write(&zone, zone_text(names)).unwrap();
    store(names, home.path());
    let mut questions = Question::mix(names);
    let first = Question::of("name-0.p2p", true);
    if is_signed {
        questions = questions.into_iter().map(Question::signed).collect();
    }
    let workers = if is_pinned { 1 } else { std::thread::available_parallelism().unwrap().get() };
    let mut servers: Vec<Server> = [
        Server::start("echo", 49_401, echo_command(is_pinned), &Question { rcode: None, ..first.clone() }),
        Server::start("knot", 49_402, knot(home.path(), &zone, workers, is_pinned, is_signed), &first),
        (!is_signed)
            .then(|| Server::start("nsd", 49_403, nsd(home.path(), &zone, workers, is_pinned), &first))
            .flatten(),
        Server::start("dotp2p", 49_404, node(home.path(), is_pinned), &first),
    ]
    .into_iter()
    .flatten()
    .collect();
    if is_pinned {
        dns_load::pin(1);
    }
    let seconds = Duration::from_secs(variable("SECONDS", 3));
    for _ in 0..variable("ROUNDS", 3) {
        for server in &mut servers {
            let load = dns_load::run(server.addr, server.process.id(), &questions, seconds, server.name == "echo");
            server.rounds.push(load);
        }
    }
    let is_met = report(names, is_pinned, is_signed, &servers);
    // An exit drops nothing, and they would go on.
    drop((servers, home));
    if !is_met {
        std::process::exit(1);
    }
}

/// Prints the figures; whether every goal was reached.
fn report(names: u32, is_pinned: bool, is_signed: bool, servers: &[Server]) -> bool {
    let pinned = if is_pinned { "server and driver on a core each" } else { "not pinned" };
    let signed = if is_signed { ", with signatures" } else { "" };
    println!("{names} names, {pinned}{signed}; medians");
    println!(
        "{:8}{:>12}{:>12}{:>10}{:>10}{:>8}{:>9}{:>9}",
        "", "answers/s", "CPU us", "p50 us", "p99 us", "lost", "MB", "start s"
    );
    for server in servers {
        println!(
            "{:8}{:>12.0}{:>12.2}{:>10.0}{:>10.0}{:>7.2}%{:>9.0}{:>9.1}",
            server.name,
            server.median(|load| load.rate),
            server.median(|load| load.cpu_us),
            server.median(|load| load.p50_us),
            server.median(|load| load.p99_us),
            server.median(|load| 100.0 * load.lost),
            server.median(|load| load.memory_mb),
            server.start_s,
        );
    }
    let rate = |name| servers.iter().find(|server| server.name == name).map(|server| server.median(|load| load.rate));
    let Some(ours) = rate("dotp2p") else { panic!("the node did not start") };
    let mut missed = Vec::new();
    let mut words = String::new();
    for (other, goal) in GOALS {
        let Some(theirs) = rate(other) else { continue };
        let times = ours / theirs;
        let _ = write!(words, ", {times:.2} times {other}");
        if times < goal && !is_signed {
            missed.push(format!("{times:.2} times {other}, the goal is {goal}"));
        }
    }
    missed.iter().for_each(|what| println!("MISSED: {what}"));
    let all: Vec<String> =
        servers.iter().map(|server| format!("{} {:.0}", server.name, server.median(|load| load.rate))).collect();
    println!("assurance: answers a second with {names} names, {pinned}{signed}: {}{words}", all.join(", "));
    missed.is_empty()
}

fn echo_command(is_pinned: bool) -> Command {
    let mut command = on_its_core(std::env::current_exe().unwrap(), is_pinned);
    command.args(["echo", "49401", "serve"]);
    command
}

fn knot(home: &Path, zone: &Path, workers: usize, is_pinned: bool, is_signed: bool) -> Command {
    let (home, zone) = (home.display(), zone.display());
    let how = if is_signed { "zonefile-sync: -1\n    dnssec-signing: on" } else { "zonefile-load: whole" };
    let text = format!(
        "server:\n  rundir: {home}\n  listen: 127.0.0.1@49402\n  udp-workers: {workers}\n  tcp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: {home}\nzone:\n  - domain: p2p.\n    file: {zone}\n    {how}\n"
    );
    let config = format!("{home}/knot.conf");
    fs::write(&config, text).unwrap();
    let mut command = on_its_core("knotd", is_pinned);
    command.args(["-c", &config]);
    command
}

fn nsd(home: &Path, zone: &Path, workers: usize, is_pinned: bool) -> Command {
    let (home, zone) = (home.display(), zone.display());
    let text = format!(
        "server:\n  ip-address: 127.0.0.1@49403\n  server-count: {workers}\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{home}\"\n  \
         database: \"\"\n  pidfile: \"{home}/nsd.pid\"\n  xfrdfile: \"{home}/xfrd.state\"\n  zonelistfile: \"{home}/zone.list\"\n  \
         xfrdir: \"{home}\"\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\nzone:\n  name: p2p\n  zonefile: {zone}\n"
    );
    let config = format!("{home}/nsd.conf");
    fs::write(&config, text).unwrap();
    let mut command = on_its_core("nsd", is_pinned);
    command.args(["-d", "-c", &config]);
    command
}

fn node(home: &Path, is_pinned: bool) -> Command {
    let mut command = on_its_core(env!("CARGO_BIN_EXE_dotp2p"), is_pinned);
    command.args(["node", "--rpc-listen", "127.0.0.1:0", "--dns-listen", "127.0.0.1:49404", "--mine=0"]);
    command.args(["--p2p-listen", "/ip4/127.0.0.1/tcp/0", "--no-discovery", "--network", chain_maker::NETWORK_FILE]);
    command.arg("--data-dir").arg(home);
    command
}

/// The names, made on a chain (kept between runs) and imported into a store.
fn store(names: u32, home: &Path) {
    let (main, params) = (file::path(&format!("{names}-served")), chain_maker::network());
    if !main.exists() {
        let mut maker = ChainMaker::new(params.clone());
        let mut owners = Owners::new(0, names, 1).with(chain_maker::zone_with_mail);
        maker.names(&owners);
        let updates = owners.updates(0, &params);
        maker.full_blocks(updates);
        file::write(&main, &maker.blocks);
    }
    let dir = home.join(&params.deployment.name);
    let (store, loaded) = Store::open(&dir, &params, false).unwrap();
    let mut importer = Importer::open(store, loaded, params.clone(), Limits::default(), |_| ()).unwrap().0;
    importer.import_all(file::read(&main).map(|block| (block, None)), |_| ()).unwrap();
    importer.close();
    // The first start after so much was written has the database take stock of it; what is measured is every other one.
    drop(Store::open(&dir, &params, false).unwrap());
}

/// The same names as a zone file.
fn zone_text(names: u32) -> String {
    let mut text =
        "$ORIGIN p2p.\n$TTL 3600\n@ 60 SOA ns.dotp2p hostmaster.dotp2p 1 1800 900 604800 60\n@ NS ns.dotp2p\n\
                    ns.dotp2p A 127.0.0.1\n"
            .to_owned();
    text.extend((0..names).map(chain_maker::zone_lines));
    text
}
