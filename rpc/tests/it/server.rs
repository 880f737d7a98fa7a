//! The server over real sockets: who is let in, and what is too much.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dotp2p_rpc::auth::{COOKIE_FILE, basic};
use dotp2p_rpc::client::ClientError;
use dotp2p_rpc::error::code;
use dotp2p_rpc::types::{Coins, Info, NameInfo};
use dotp2p_rpc::{Auth, Client, Config, RpcServer, help};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fake_node::FakeNode;

struct Running {
    server: RpcServer,
    node: Arc<FakeNode>,
    dir: tempfile::TempDir,
}

impl Running {
    async fn start() -> Self {
        let (dir, node) = (tempfile::tempdir().unwrap(), FakeNode::with_alice());
        let config = Config { allowed_hosts: vec!["node.lan".to_owned()], ..Config::default() };
        let addr = "127.0.0.1:0".parse().unwrap();
        let server = RpcServer::start(addr, node.clone(), config, dir.path()).await.unwrap();
        Self { server, node, dir }
    }

    fn cookie(&self) -> String {
        fs::read_to_string(self.dir.path().join(COOKIE_FILE)).unwrap()
    }

    fn authorization(&self) -> String {
        format!("Authorization: {}\r\n", basic(&self.cookie()).unwrap().to_str().unwrap())
    }

    fn client(&self) -> Client {
        let auth = Auth::Cookie(self.dir.path().join(COOKIE_FILE));
        Client::connect(&self.server.local_addr().to_string(), &auth).unwrap()
    }

    /// Sends a request with these header lines; the status and the body.
    async fn http(&self, head: &str, headers: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let request =
            format!("{head} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        self.send(&request).await
    }

    /// Sends bytes as they are; the status and the body.
    async fn send(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.server.local_addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Posts JSON with the cookie.
    async fn post(&self, body: &str) -> (u16, String) {
        let headers = format!("Host: localhost\r\nContent-Type: application/json\r\n{}", self.authorization());
        self.http("POST /", &headers, body).await
    }
}

const STOP: &str = r#"{"jsonrpc":"2.0","id":1,"method":"stop","params":[]}"#;
const COUNT: &str = r#"{"jsonrpc":"2.0","id":1,"method":"getblockcount"}"#;

#[tokio::test]
async fn without_cookie_every_method_is_refused() {
    let running = Running::start().await;
    let unknown = ["nonsense", "rpc.discover"];
    for method in help::methods().iter().map(|method| method.name.as_str()).chain(unknown) {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[]}}"#);
        let (status, body) =
            running.http("POST /", "Host: localhost\r\nContent-Type: application/json\r\n", &body).await;
        assert_eq!((status, body.as_str()), (401, "the node's cookie is needed\n"), "{method}");
    }
    assert!(!running.node.stopped.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_wrong_cookie_is_refused() {
    let running = Running::start().await;
    let cookie = running.cookie();
    let shorter = &cookie[..cookie.len() - 1];
    let wrong = ["", "__cookie__:", "__cookie__", shorter, &format!("{cookie}0"), &cookie.to_uppercase()];
    let encoded = wrong.map(|credentials| basic(credentials).unwrap().to_str().unwrap().to_owned());
    for header in encoded.iter().map(String::as_str).chain(["Basic", "Basic !!!", "Bearer abc", ""]) {
        let headers = format!("Host: localhost\r\nContent-Type: application/json\r\nAuthorization: {header}\r\n");
        assert_eq!(running.http("POST /", &headers, STOP).await.0, 401, "{header}");
    }
    assert!(!running.node.stopped.load(Ordering::Relaxed));
    assert_eq!(running.post(COUNT).await, (200, r#"{"jsonrpc":"2.0","id":1,"result":7}"#.to_owned()));
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused_even_with_the_cookie() {
    let running = Running::start().await;
    let status = async |headers: &str| {
        let headers = format!("{headers}Content-Type: application/json\r\n{}", running.authorization());
        running.http("POST /", &headers, COUNT).await.0
    };
    for host in ["localhost", "127.0.0.1:9354", "[::1]:9354", "LOCALHOST:80", "node.lan"] {
        assert_eq!(status(&format!("Host: {host}\r\n")).await, 200, "{host}");
    }
    for host in ["evil.p2p", "localhost.evil.p2p", "127.0.0.1.evil.p2p", "", "0.0.0.0", "[::1", "localhost@evil.p2p"] {
        assert_eq!(status(&format!("Host: {host}\r\n")).await, 403, "{host}");
    }
    assert_eq!(status("").await, 403, "no Host");
    assert_eq!(status("Host: localhost\r\nHost: evil.p2p\r\n").await, 403);
    for (origin, expected) in [("http://localhost:9354", 200), ("http://evil.p2p", 403), ("null", 403)] {
        assert_eq!(status(&format!("Host: localhost\r\nOrigin: {origin}\r\n")).await, expected, "{origin}");
    }
    let absolute = format!("Host: localhost\r\nContent-Type: application/json\r\n{}", running.authorization());
    assert_eq!(running.http("POST http://evil.p2p/", &absolute, COUNT).await.0, 403);
}

#[tokio::test]
async fn limits() {
    let running = Running::start().await;
    let large = |length: usize| {
        let authorization = running.authorization();
        format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{authorization}\
             Content-Length: {length}\r\nConnection: close\r\n\r\n"
        )
    };
    assert_eq!(running.send(&large(1_000_001)).await.0, 413, "refused before the body comes");
    let padding = " ".repeat(1_000_000 - COUNT.len());
    assert_eq!(running.send(&format!("{}{COUNT}{padding}", large(1_000_000))).await.0, 200);
    let batch = |calls: usize| format!("[{}]", vec![COUNT; calls].join(","));
    let (status, body) = running.post(&batch(50)).await;
    assert_eq!((status, body.matches(r#""result":7"#).count()), (200, 50));
    let (_, body) = running.post(&batch(51)).await;
    assert!(body.contains("-32010") && !body.contains("result"), "{body}");
    let headers = format!("Host: localhost\r\nContent-Type: text/plain\r\n{}", running.authorization());
    assert_eq!(running.http("POST /", &headers, COUNT).await.0, 415);
    assert_eq!(running.http("GET /", &headers, "").await.0, 405);
}

#[tokio::test]
async fn unknown_parameters_are_refused_in_calls_and_batches() {
    let running = Running::start().await;
    let wrong = r#"{"jsonrpc":"2.0","id":2,"method":"name_update","params":{"name":"alice","record":[]}}"#;
    let error = r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"Invalid params","data":"there is no parameter \"record\": name_update name ( records ) ( zone ) ( delegate )"}}"#;
    assert_eq!(running.post(wrong).await, (200, error.to_owned()));
    let (_, body) = running.post(&format!("[{COUNT},{wrong}]")).await;
    assert_eq!(body, format!(r#"[{{"jsonrpc":"2.0","id":1,"result":7}},{error}]"#));
}

#[tokio::test]
async fn health_needs_no_cookie() {
    let running = Running::start().await;
    assert_eq!(running.http("GET /health", "Host: localhost\r\n", "").await, (200, "ok\n".to_owned()));
    assert_eq!(running.http("GET /health", "Host: evil.p2p\r\n", "").await.0, 403);
    running.node.switches.not_ready.store(true, Ordering::Relaxed);
    let (status, body) = running.http("GET /health", "Host: localhost\r\n", "").await;
    assert_eq!((status, body.as_str()), (503, "reads the blocks it has: 120 of 500\n"));
}

#[tokio::test]
async fn metrics_need_no_cookie_and_are_of_one_block() {
    let running = Running::start().await;
    assert_eq!(running.http("GET /metrics", "Host: evil.p2p\r\n", "").await.0, 403);
    let (status, body) = running.http("GET /metrics", "Host: localhost\r\n", "").await;
    assert_eq!(status, 200);
    insta::assert_snapshot!(body);
    running.node.switches.not_ready.store(true, Ordering::Relaxed);
    assert_eq!(running.http("GET /metrics", "Host: localhost\r\n", "").await.0, 503);
}

#[tokio::test]
async fn the_cookie_is_private_new_at_each_start_and_gone_after_it() {
    let running = Running::start().await;
    let path = running.dir.path().join(COOKIE_FILE);
    let first = running.cookie();
    assert!(first.starts_with("__cookie__:") && first.len() == 11 + 64, "{first}");
    assert_eq!(mode(&path), 0o600);
    let Running { server, node, dir } = running;
    server.stop().await;
    assert!(!path.exists());
    let again = RpcServer::start("127.0.0.1:0".parse().unwrap(), node, Config::default(), dir.path()).await.unwrap();
    assert_ne!(fs::read_to_string(&path).unwrap(), first);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
    drop(again);
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn the_client_reads_shapes_and_errors() {
    let running = Running::start().await;
    let client = running.client();
    let info: Info = client.call("getinfo", json!([])).await.unwrap();
    assert_eq!((info.blocks, info.network.as_str()), (7, "regtest"));
    let balance: Coins = client.call("getbalance", Value::Null).await.unwrap();
    assert_eq!(info.balance, Some(balance));
    let alice: NameInfo = client.call("name_show", json!({ "name": "alice", "height": null })).await.unwrap();
    assert_eq!((alice.state.as_str(), alice.served), ("active", true));
    let error = client.call::<Value>("name_show", json!(["a_b"])).await.unwrap_err();
    let ClientError::Call { code: number, data, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*number, &data.as_ref().unwrap()["rule"]), (code::WRONG_VALUE, &json!("N1")));
    assert!(error.to_string().starts_with("name: \"a_b\": byte"), "{error}");
}

#[tokio::test]
async fn the_client_says_what_to_do() {
    let running = Running::start().await;
    let url = format!("http://{}", running.server.local_addr());
    let refused = Client::connect(&url, &Auth::Credentials("somebody:else".to_owned())).unwrap();
    let error = refused.call::<Value>("uptime", Value::Null).await.unwrap_err();
    assert!(matches!(error, ClientError::Unauthorized(_)), "{error:?}");
    let client = running.client();
    let path = running.dir.path().join(COOKIE_FILE);
    running.server.stop().await;
    let error = client.call::<Value>("uptime", Value::Null).await.unwrap_err();
    assert_eq!(error.to_string(), format!("no node is running at {url}; start one with `dotp2p node`"));
    let error = Client::connect(&url, &Auth::Cookie(path)).unwrap_err();
    assert!(matches!(error, ClientError::NoCookie(_)), "{error:?}");
    let error = Client::connect("nonsense://", &Auth::Credentials("a:b".to_owned())).unwrap_err();
    assert!(matches!(error, ClientError::Url { .. }), "{error:?}");
}

#[tokio::test]
async fn the_stop_call_is_answered_before_the_server_ends() {
    let running = Running::start().await;
    let client = running.client();
    let text: String = client.call("stop", Value::Null).await.unwrap();
    assert_eq!(text, "dotp2p is stopping");
    assert!(running.node.stopped.load(Ordering::Relaxed));
    running.server.stop().await;
}

#[tokio::test]
async fn a_taken_port_leaves_the_others_cookie_alone() {
    let running = Running::start().await;
    let (addr, cookie) = (running.server.local_addr(), running.cookie());
    let second = RpcServer::start(addr, running.node.clone(), Config::default(), running.dir.path()).await;
    assert!(second.unwrap_err().to_string().contains("--rpc-listen"));
    assert_eq!(running.cookie(), cookie);
}
