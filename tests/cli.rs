//! The program as people meet it: help pages, a session against a node, what it says to bad input.
//!
//! Every test runs the built binary. `cargo insta review` renews what it prints.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dotp2p::node::{Node, NodeConfig};
use dotp2p_chain::params::Params;
use tempfile::TempDir;

const PHRASE: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

/// The program in a folder of its own, without the user's settings.
struct Cli {
    folder: TempDir,
}

impl Cli {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// The network's folder.
    fn dir(&self) -> PathBuf {
        self.folder.path().join("regtest")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dotp2p"));
        command.env_clear().env("DOTP2P_NETWORK", "regtest").env("DOTP2P_DATA_DIR", self.folder.path());
        command.current_dir(self.folder.path()).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn run_with_stdin(&self, args: &[&str], stdin: &str) -> Output {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What a command that succeeds prints to stdout.
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", self.shown(&output));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Exit code, stdout and stderr as one text, without what differs from run to run.
    fn shown(&self, output: &Output) -> String {
        let text = |bytes: &[u8]| steady(&String::from_utf8_lossy(bytes), self.folder.path());
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let mut shown = format!("exit {}\n", output.status.code().unwrap_or(-1));
        for (title, text) in [("stdout", stdout), ("stderr", stderr)] {
            if !text.is_empty() {
                shown.push_str(&format!("--- {title}\n{}\n", text.trim_end()));
            }
        }
        shown
    }

    fn restore_wallet(&self) {
        let output = self.run_with_stdin(&["wallet", "restore"], PHRASE);
        assert!(output.status.success(), "{}", self.shown(&output));
    }

    async fn node(&self, mine: Option<usize>) -> Node {
        let any = "127.0.0.1:0".parse().unwrap();
        let config = NodeConfig {
            rpc_listen: any,
            dns_listen: vec![any],
            mine,
            // No two signatures are the same.
            dns: dotp2p_dns::server::Config { dnssec: false, ..Default::default() },
            ..NodeConfig::new(Params::regtest(), self.dir())
        };
        Node::start(config).await.unwrap()
    }
}

/// `text` with the folder as `DIR`, hashes as `HASH`, Unix times as `TIME`.
fn steady(text: &str, folder: &Path) -> String {
    let text = text.replace(folder.to_str().unwrap(), "DIR");
    let mut out = String::new();
    let mut word = String::new();
    for letter in text.chars().chain(['\n']) {
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
            continue;
        }
        let is_hex = word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let is_time = word.len() == 10 && word.starts_with('1') && word.bytes().all(|byte| byte.is_ascii_digit());
        match word.len() {
            64.. if is_hex => out.push_str("HASH"),
            _ if is_time => out.push_str("TIME"),
            _ => out.push_str(&word),
        }
        out.push(letter);
        word.clear();
    }
    out.pop();
    out
}

#[test]
fn help_pages() {
    let cli = Cli::new();
    let pages: [&[&str]; 38] = [
        &[],
        &["demo"],
        &["node"],
        &["name"],
        &["name", "register"],
        &["name", "show"],
        &["name", "list"],
        &["name", "history"],
        &["name", "update"],
        &["name", "renew"],
        &["name", "transfer"],
        &["name", "proof"],
        &["name", "price"],
        &["wallet"],
        &["wallet", "create"],
        &["wallet", "restore"],
        &["wallet", "address"],
        &["wallet", "balance"],
        &["wallet", "send"],
        &["chain"],
        &["chain", "status"],
        &["chain", "block"],
        &["chain", "export"],
        &["chain", "import"],
        &["dns"],
        &["dns", "setup"],
        &["dns", "check"],
        &["dns", "query"],
        &["network"],
        &["network", "new"],
        &["network", "show"],
        &["peer"],
        &["peer", "list"],
        &["peer", "add"],
        &["peer", "ban"],
        &["mine"],
        &["mine", "status"],
        &["stop"],
    ];
    for page in pages {
        let help = cli.ok(&[page, &["--help"]].concat());
        insta::assert_snapshot!(["help", &page.join("_")].join("_").trim_end_matches('_').to_owned(), help);
    }
    assert_eq!(cli.ok(&["--version"]), concat!("dotp2p ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn bad_input() {
    let cli = Cli::new();
    std::fs::write(cli.folder.path().join("bad.toml"), "\nnetwrk = 'test'\n").unwrap();
    std::fs::write(cli.folder.path().join("bad.zone"), "@ A 192.0.2\n").unwrap();
    std::fs::write(cli.folder.path().join("two.zone"), "@ CNAME a\n@ A 192.0.2.1\n").unwrap();
    std::fs::write(cli.folder.path().join("bad.psk"), "/key/swarm/psk/1.0.0/\n/base16/\n12\n").unwrap();
    cli.ok(&["network", "new", "--name", "keyed", "--psk"]);
    std::fs::remove_file(cli.folder.path().join("keyed.psk")).unwrap();
    std::fs::write(cli.folder.path().join("empty.zone"), "; nothing\n").unwrap();
    let cases: [&[&str]; 63] = [
        &["nme"],
        &["name", "show"],
        &["name", "show", "a_b"],
        &["name", "show", "www.alice.p2p"],
        &["name", "show", "localhost"],
        &["name", "show", "alice", "--height", "x"],
        &["name", "show", "alice"],
        &["name", "show", "alice", "--network", "mian"],
        &["name", "show", "alice", "--config", "bad.toml"],
        &["name", "show", "alice", "--config", "none.toml"],
        &["name", "register", "alice", "--record", "@ A"],
        &["name", "register", "alice", "--record", "@ A 1.2.3.4", "--zone", "x"],
        &["name", "register", "alice", "--zone", "none.zone"],
        &["name", "register", "alice", "--zone", "bad.zone"],
        &["name", "register", "alice", "--zone", "two.zone"],
        &["name", "register", "alice", "--zone", "-"],
        &["name", "register", "alice", "--zone", "empty.zone"],
        &["name", "register", "alice", "--years", "11"],
        &["name", "register", "alice", "--limit", "1e3"],
        &["name", "update", "alice"],
        &["name", "update", "alice", "--zone", "empty.zone"],
        &["name", "update", "alice", "--zone", "-"],
        &["name", "transfer", "alice", "p2p1x"],
        &["wallet", "address"],
        &["wallet", "restore"],
        &["node", "--rpc-listen", "here"],
        &["chain", "status", "--rpc", "127.0.0.1:1"],
        &["chain", "export"],
        &["chain", "export", "5..2", "a.dp2c"],
        &["chain", "export", "0..", "a.dp2c"],
        &["chain", "export", "1..2"],
        &["chain", "export", "a.dp2c"],
        &["chain", "export", "a.dp2c", "--rpc", "127.0.0.1:1"],
        &["chain", "import", "none.dp2c"],
        &["chain", "import", "bad.toml"],
        &["chain", "import", "-"],
        &["network", "new"],
        &["network", "new", "--name", "Camp"],
        &["network", "new", "--name", "main"],
        &["network", "new", "--name", "camp", "--tld", "a.b"],
        &["network", "new", "--name", "camp", "--spacing", "0"],
        &["network", "new", "--name", "camp", "none/camp.toml"],
        &["network", "show", "--network", "none.toml"],
        &["node", "--network", "keyed.toml"],
        &["node", "--network", "keyed.toml", "--psk", "bad.psk"],
        &["node", "--psk", "bad.psk"],
        &["node", "--dns-forward", ""],
        &["node", "--dns-forward", "https://192.0.2.1/x y"],
        &["node", "--dns-forward-ca", "none.pem"],
        &["node", "--dns-rate-limit", "-1"],
        &["demo", "--data-dir", "."],
        &["dns", "setup"],
        &["dns", "setup", "--server", "127.0.0.1"],
        &["dns", "setup", "--server", "127.0.0.1:1", "--root", "none"],
        &["dns", "setup", "--server", "127.0.0.1:1", "--root", ".", "--reload"],
        &["dns", "setup", "--server", "127.0.0.1:1", "--root", ".", "--kind", "unbound"],
        &["dns", "setup", "--server", "127.0.0.1:1", "--root", ".", "--anchor", "none.zone"],
        &["dns", "setup", "--server", "127.0.0.1:1", "--root", ".", "--anchor", "bad.zone"],
        &["dns", "setup", "--root", ".", "--undo"],
        &["dns", "query", "a..b"],
        &["dns", "query", "alice", "B"],
        &["dns", "query", "alice", "AXFR"],
        &["dns", "query", "alice", "--tcp", "--server", "127.0.0.1:1"],
    ];
    let mut shown = String::new();
    for args in cases {
        let output = cli.run(args);
        assert!(output.stdout.is_empty() && output.stderr.split(|byte| *byte == b'\n').count() == 2, "{args:?}");
        shown.push_str(&format!("$ dotp2p {}\n{}\n", args.join(" "), cli.shown(&output)));
    }
    insta::assert_snapshot!("bad_input", shown);
}

#[test]
fn a_wallet_is_made_and_restored() {
    let cli = Cli::new();
    let created = cli.ok(&["wallet", "create", "--json"]);
    let created: serde_json::Value = serde_json::from_str(&created).unwrap();
    assert_eq!(created["phrase"].as_str().unwrap().split(' ').count(), 12);
    assert_eq!(cli.ok(&["wallet", "address"]), created["address"].as_str().unwrap());
    insta::assert_snapshot!(cli.shown(&cli.run(&["wallet", "create"])), @r"
    exit 1
    --- stderr
    dotp2p: DIR/regtest/wallet.json exists already and is not overwritten: move it away first
    ");

    #[cfg(target_os = "linux")]
    {
        let refused = cli.shown(&cli.run(&["wallet", "create", "--data-dir", "/sys/dotp2p"]));
        assert!(refused.ends_with("; say with --data-dir where the wallet and the rest can be kept\n"), "{refused}");
    }

    let other = Cli::new();
    let phrase = other.folder.path().join("words.txt");
    std::fs::write(&phrase, format!("{}\n", created["phrase"].as_str().unwrap().to_uppercase())).unwrap();
    other.ok(&["wallet", "restore", "--phrase-file", "words.txt"]);
    assert_eq!(other.ok(&["wallet", "address"]), created["address"].as_str().unwrap());
}

#[test]
fn a_network_of_ones_own() {
    let cli = Cli::new();
    let shown = |args: &[&str]| cli.shown(&cli.run(args));
    let new = ["network", "new", "--name", "camp", "--tld", "camp"];
    let mut session = shown(&new);
    session.push_str(&shown(&new));
    session.push_str(&shown(&["network", "new", "--name", "club", "--psk", "--spacing", "20"]));
    session.push_str(&shown(&["network", "show", "--network", "camp.toml"]));
    session.push_str(&shown(&["network", "show", "--network", "club.toml"]));
    session.push_str(&shown(&["network", "show", "--network", "regtest"]));

    let json = |args: &[&str]| serde_json::from_str::<serde_json::Value>(&cli.ok(args)).unwrap();
    let camp = json(&["network", "show", "--network", "camp.toml", "--json"]);
    let again = json(&["network", "new", "--name", "camp", "--tld", "camp", "again.toml", "--json"]);
    assert_eq!(
        (&again["network"], &again["file"], &again["psk_file"]),
        (&"camp".into(), &"again.toml".into(), &().into())
    );
    assert_ne!(again["chain_id"], camp["chain_id"], "two camps of equal rules are two networks");
    let file = |name: &str| std::fs::read_to_string(cli.folder.path().join(name)).unwrap();
    assert!(!file("camp.toml").contains(camp["chain_id"].as_str().unwrap()));
    let lines = file("camp.toml");
    let lines = lines.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '[']));
    assert!(lines.clone().count() > 25 && lines.into_iter().all(|line| line.contains(" # ")), "a comment a line");

    let key = |name: &str| dotp2p::config::psk::read(&cli.folder.path().join(name)).unwrap();
    cli.ok(&["network", "new", "--name", "club", "--psk", "other.toml"]);
    assert_ne!(key("club.psk"), key("other.psk"));
    std::fs::remove_file(cli.folder.path().join("club.toml")).unwrap();
    session.push_str(&shown(&["network", "new", "--name", "club", "--psk"]));
    insta::assert_snapshot!("network", session);
    assert!(!cli.folder.path().join("club.toml").exists(), "both files or neither");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session() {
    let cli = Cli::new();
    cli.restore_wallet();
    let node = cli.node(None).await;
    let mut shown = String::new();
    let mut say = |args: &[&str]| {
        let output = cli.run(args);
        shown.push_str(&format!("$ dotp2p {}\n{}\n", args.join(" "), cli.shown(&output)));
    };
    tokio::task::block_in_place(|| {
        let to = cli.ok(&["wallet", "address", "--new"]);
        say(&["chain", "status"]);
        say(&["wallet", "balance"]);
        say(&["mine", "3"]);
        say(&["mine", "status"]);
        say(&["name", "price", "Bücher.P2P", "--years", "2"]);
        say(&["name", "show", "alice"]);
        say(&["name", "history", "alice"]);
        say(&["name", "list"]);
        say(&["name", "register", "alice", "--record", "@ A 192.0.2.7"]);
        let begun = cli.ok(&["name", "register", "alice", "--record", "@ A 192.0.2.7", "--yes"]);
        assert!(begun.contains("the commitment waits for its block"), "{begun}");
        say(&["mine", "1"]);
        say(&["name", "register", "alice"]);
        // Asked for otherwise, it stays as it is, and that is said.
        say(&["name", "register", "alice", "--record", "@ A 192.0.2.9", "--years", "2", "--limit", "9", "--yes"]);
        cli.ok(&["name", "register", "alice", "--record", "@ A 192.0.2.7", "--years", "1", "--yes"]);
        for _ in 0..4 {
            cli.ok(&["mine", "1"]);
            // Whoever asks has the node take its next step first.
            cli.ok(&["name", "register", "alice"]);
        }
        say(&["name", "show", "alice"]);
        say(&["name", "register", "alice", "--yes"]);
        say(&["name", "register", "alice", "--record", "@ A 192.0.2.8", "--yes", "--json"]);
        say(&["name", "list"]);
        say(&["name", "update", "alice", "--record", "@ A 192.0.2.8", "--record", "www 300 CNAME @"]);
        say(&["mine", "1"]);
        say(&["name", "renew", "alice", "--years", "2"]);
        say(&["name", "renew", "alice", "--years", "2", "--yes"]);
        say(&["mine", "1"]);
        say(&["name", "history", "alice"]);
        say(&["wallet", "send", &to, "1.5", "--yes"]);
        say(&["name", "transfer", "alice", &to, "--yes"]);
        say(&["mine", "1"]);
        say(&["name", "show", "alice", "--json"]);
        say(&["name", "show", "alice", "--height", "5"]);
        say(&["chain", "block"]);
        say(&["chain", "block", "99"]);
        say(&["wallet", "balance", "--json"]);
    });
    insta::assert_snapshot!("session", shown);
    let proof = cli.folder.path().join("alice.json");
    tokio::task::block_in_place(|| cli.ok(&["name", "proof", "alice", "--out", "alice.json"]));
    let proof: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(proof).unwrap()).unwrap();
    assert_eq!(proof["state"], "active");
    node.stop().await.unwrap();
}

#[test]
fn the_systems_resolver_is_set_up_and_given_back() {
    let cli = Cli::new();
    let conf = cli.folder.path().join("root/etc/unbound/unbound.conf");
    std::fs::create_dir_all(conf.parent().unwrap()).unwrap();
    std::fs::write(&conf, "server:\n    verbosity: 1\n").unwrap();
    let resolv_conf = cli.folder.path().join("root/etc/resolv.conf");
    std::fs::write(resolv_conf, "nameserver 127.0.0.1\n").unwrap();
    let mut session = String::new();
    let mut say = |args: &[&str]| {
        let args = [&["dns", "setup", "--root", "root"], args].concat();
        session.push_str(&format!("$ dotp2p {}\n{}\n", args.join(" "), cli.shown(&cli.run(&args))));
    };
    let server = ["--server", "127.0.0.1:9355"];
    say(&[&server[..], &["--dry-run"]].concat());
    say(&server);
    say(&[&server[..], &["--yes"]].concat());
    say(&[&server[..], &["--yes"]].concat());
    say(&["--server", "[::1]:9356", "--yes"]);
    say(&["--undo", "--dry-run", "--json"]);
    std::fs::write(&conf, "server:\n").unwrap();
    say(&["--undo", "--yes"]);
    say(&["--undo", "--yes", "--force"]);
    say(&["--kind", "windows", "--server", "127.0.0.1:53", "--json"]);
    insta::assert_snapshot!("dns_setup", session);
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), "server:\n    verbosity: 1\n");
    assert_eq!(std::fs::read_dir(cli.folder.path().join("root")).unwrap().count(), 1, "only etc is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nodes_dns_is_asked_and_checked() {
    let cli = Cli::new();
    let node = cli.node(None).await;
    let (dns, rpc) = (node.dns_addrs()[0].to_string(), node.rpc_addr().to_string());
    let mut session = String::new();
    let mut say = |args: &[&str]| {
        let shown = format!("$ dotp2p {}\n{}\n", args.join(" "), cli.shown(&cli.run(args)));
        let shown = shown.replace(&dns, "DNS").replace(&rpc, "RPC");
        for line in shown.lines() {
            // How long it took is another each time.
            let took = line.find(" in ").filter(|_| line.ends_with(" ms") && line.contains(" bytes from "));
            let took = took.map_or(line.to_owned(), |at| format!("{} in SOME ms", &line[..at]));
            let json = took.find("\"took_us\":").map(|at| (at, took[at..].find(',').unwrap()));
            let line = json.map_or(took.clone(), |(at, len)| format!("{}{}", &took[..at], &took[at + len + 1..]));
            session.push_str(&format!("{line}\n"));
        }
    };
    tokio::task::block_in_place(|| {
        say(&["dns", "query", "p2p", "soa"]);
        say(&["dns", "query", "ns.dotp2p.p2p", "--tcp", "--dnssec"]);
        say(&["dns", "query", "alice", "any", "--json"]);
        // The node itself stands for a resolver that asks it.
        say(&["dns", "check", "--resolver", &dns, "--ordinary", "ns.dotp2p.p2p"]);
        say(&["dns", "check", "alice", "--resolver", &dns, "--ordinary", "ns.dotp2p.p2p", "--json"]);
        say(&["dns", "check", "--resolver", "127.0.0.1:1", "--ordinary", "ns.dotp2p.p2p"]);
    });
    node.stop().await.unwrap();
    tokio::task::block_in_place(|| say(&["dns", "check", "--resolver", "127.0.0.1:1"]));
    insta::assert_snapshot!("dns", session);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_name() {
    let cli = Cli::new();
    cli.restore_wallet();
    let mut node = cli.node(Some(1)).await;
    let register = |args: &[&str]| cli.run(&[&["name", "register"], args, &["--yes", "--wait"]].concat());
    let output = tokio::task::block_in_place(|| register(&["Alice.P2P", "--record", "@ A 192.0.2.7"]));
    let mut stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.starts_with("Alice.P2P is taken as alice\nalice: "), "{stderr}");
    stderr.retain(|letter| letter == '\n');
    assert!(stderr.len() > 3, "a line a step");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.lines().last().is_some_and(|line| line.starts_with("alice is yours; ")), "{stdout}");
    let stop = cli.command(&["stop"]).spawn().unwrap();
    node.stopped().await.unwrap();
    node.stop().await.unwrap();
    let output = tokio::task::block_in_place(|| stop.wait_with_output().unwrap());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "the node has stopped\n");
}

/// A shell's limit is mostly 1,024, which a node with peers, clients and upstreams may use up.
#[cfg(target_os = "linux")]
#[test]
fn a_node_may_have_as_many_files_open_as_the_system_allows() {
    let cli = Cli::new();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 256 && ulimit -Hn 2000 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_dotp2p")]);
    command.args(["node", "--rpc-listen", "127.0.0.1:0", "--dns-listen", "127.0.0.1:0", "--no-discovery"]);
    command.args(["--p2p-listen", "/ip4/127.0.0.1/tcp/0"]);
    command.env_clear().env("DOTP2P_NETWORK", "regtest").env("DOTP2P_DATA_DIR", cli.folder.path());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    lines.find(|line| line.as_ref().unwrap().contains("node is ready")).unwrap().unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let figures: Vec<&str> = files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(figures, ["2000", "2000"], "{files}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_wait_leaves_the_node_carrying_on() {
    let cli = Cli::new();
    cli.restore_wallet();
    let node = cli.node(None).await;
    let output = tokio::task::block_in_place(|| {
        let mut child = cli.command(&["name", "register", "alice", "--yes", "--wait"]).spawn().unwrap();
        // It says where it stands as soon as it waits.
        let mut line = String::new();
        let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
        std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
        assert!(line.starts_with("alice: "), "{line}");
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut stderr, &mut rest).unwrap();
        (child.wait().unwrap(), rest)
    });
    assert_eq!(output.0.code(), Some(1));
    assert_eq!(output.1, "dotp2p: no longer waiting: the node carries alice through by itself\n");
    node.stop().await.unwrap();
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let cli = Cli::new();
    cli.restore_wallet();
    for args in [["wallet", "address"], ["--help", "-v"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = cli.command(&args).stdout(writer).output().unwrap();
        assert_eq!(
            (output.status.code(), String::from_utf8(output.stderr).unwrap()),
            (Some(0), String::new()),
            "{args:?}"
        );
    }
}

#[test]
fn the_demo() {
    let cli = Cli::new();
    let output = cli.command(&["demo", "--once", "--json"]).env("TMPDIR", cli.folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", cli.shown(&output));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let questions = result["questions"].as_array().unwrap();
    assert!(questions.len() > 50 && questions.iter().all(|it| it["ok"] == true));
    assert_eq!(std::fs::read_dir(cli.folder.path()).unwrap().count(), 0, "nothing is left behind");
}
