//! The body of an HTTP request to an answer: the real server on a loopback socket, with cookie, limits, batches and every
//! method, over a node whose chain stands still. The first byte also says whether the body is repeated to 64 KiB.
//!
//! The node is that of the RPC crate's tests; whatever a call changed is put back.

#![no_main]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a target fails by panicking")]

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use dotp2p_chain::hash::{BlockHash, Txid};
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::op::Op;
use dotp2p_chain::tx::Transaction;
use dotp2p_fuzz::{Cost, text, within};
use dotp2p_registry::query::Reader;
use dotp2p_rpc::auth::{COOKIE_FILE, basic};
use dotp2p_rpc::node::{
    AddNode, BanStatus, BanTerm, BlockTaken, GenerateError, MiningStatus, NetworkStatus, NotReady, PeerError, PeerStatus,
    RegistrationStatus, SubmitBlockError, SubmitError, Unavailable, WalletError,
};
use dotp2p_rpc::{Config, Node, RpcServer};
use dotp2p_wallet::registration::Request;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

#[path = "../../rpc/tests/it/fake_node.rs"]
#[allow(dead_code, reason = "somebody else's module")]
mod fake_node;
#[path = "../../rpc/tests/it/test_chain.rs"]
#[allow(dead_code, reason = "somebody else's module")]
mod test_chain;

use fake_node::FakeNode;

/// The fake node of the tests, but nothing stays.
struct Still {
    fake: Arc<FakeNode>,
    reader: Arc<Reader>,
}

impl Still {
    fn new() -> Self {
        let fake = FakeNode::with_alice();
        fake.switches.not_on_demand.store(true, Ordering::Relaxed);
        let reader = fake.reader().unwrap();
        Self { fake, reader }
    }

    async fn put_back<T>(&self, work: impl Future<Output = T> + Send) -> T {
        let pool = self.fake.chain().pool.clone();
        let result = work.await;
        self.fake.chain().pool = pool;
        result
    }
}

impl Node for Still {
    fn reader(&self) -> Result<Arc<Reader>, NotReady> {
        Ok(self.reader.clone())
    }

    async fn submit(&self, transaction: Transaction) -> Result<Txid, SubmitError> {
        self.put_back(self.fake.submit(transaction)).await
    }

    async fn generate(&self, blocks: u32, to: PublicKey) -> Result<Vec<BlockHash>, GenerateError> {
        self.fake.generate(blocks, to).await
    }

    async fn submit_block(&self, encoded: Vec<u8>) -> Result<BlockTaken, SubmitBlockError> {
        self.fake.submit_block(encoded).await
    }

    fn mining(&self) -> MiningStatus {
        self.fake.mining()
    }

    fn wallet_keys(&self) -> Result<Vec<PublicKey>, WalletError> {
        self.fake.wallet_keys()
    }

    async fn new_key(&self) -> Result<PublicKey, WalletError> {
        self.fake.new_key().await
    }

    async fn send(&self, ops: Vec<Op>) -> Result<Txid, WalletError> {
        self.put_back(self.fake.send(ops)).await
    }

    async fn register(&self, request: Request) -> Result<RegistrationStatus, WalletError> {
        self.fake.register(request).await
    }

    fn registrations(&self) -> Result<Vec<RegistrationStatus>, WalletError> {
        self.fake.registrations()
    }

    async fn peers(&self) -> Result<Vec<PeerStatus>, Unavailable> {
        self.fake.peers().await
    }

    async fn network(&self) -> Result<NetworkStatus, Unavailable> {
        self.fake.network().await
    }

    async fn add_node(&self, text: String, what: AddNode) -> Result<(), PeerError> {
        self.fake.add_node(text, what).await
    }

    async fn disconnect_node(&self, text: String) -> Result<(), PeerError> {
        self.fake.disconnect_node(text).await
    }

    async fn set_ban(&self, subject: String, term: BanTerm) -> Result<(), PeerError> {
        self.fake.set_ban(subject, term).await
    }

    async fn lift_ban(&self, subject: String) -> Result<(), PeerError> {
        self.fake.lift_ban(subject).await
    }

    async fn banned(&self) -> Result<Vec<BanStatus>, Unavailable> {
        self.fake.banned().await
    }

    fn stop(&self) {}

    fn clock_behind_s(&self) -> Option<u64> {
        None
    }

    fn uptime_s(&self) -> u64 {
        3_600
    }
}

struct Running {
    addr: SocketAddr,
    authorization: String,
    /// Kept: dropping them ends the server.
    _server: RpcServer,
    _runtime: tokio::runtime::Runtime,
}

static RUNNING: LazyLock<Running> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let dir = std::env::temp_dir().join(format!("dotp2p-fuzz-{}-rpc", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = runtime.block_on(RpcServer::start(any, Arc::new(Still::new()), Config::default(), &dir)).unwrap();
    let cookie = std::fs::read_to_string(dir.join(COOKIE_FILE)).unwrap();
    let authorization = basic(&cookie).unwrap().to_str().unwrap().to_owned();
    Running { addr: server.local_addr(), authorization, _server: server, _runtime: runtime }
});

thread_local! {
    static CONNECTION: RefCell<Option<BufReader<TcpStream>>> = const { RefCell::new(None) };
}

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&RUNNING);
    let Some(body) = text(data) else { return };
    // Everything else is refused by its first byte, or for 128 blanks, and the server may hang up before it has read more.
    let start = body.trim_ascii_start();
    if !start.starts_with(['{', '[']) || body.len() - start.len() >= 128 {
        return;
    }
    within(body.len().max(64 * 1024), Cost { per_byte: 64, cpu_ms: 500 }, || {
        let (status, reply) = post(&body);
        check(&body, status, &reply);
    });
});

/// Posts a body over a connection that is kept; status and reply.
fn post(body: &str) -> (u16, String) {
    CONNECTION.with_borrow_mut(|connection| {
        let mut stream = connection.take().unwrap_or_else(|| {
            let stream = TcpStream::connect(RUNNING.addr).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.set_nodelay(true).unwrap();
            BufReader::new(stream)
        });
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: {}\r\nContent-Length: {}\r\n\r\n",
            RUNNING.authorization,
            body.len()
        );
        stream.get_mut().write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
        let (mut status, mut len, mut close) = (0, 0, false);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).expect("an answer in time");
            assert!(line.ends_with("\r\n"), "the server hung up: {line:?}");
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                len = value.parse().unwrap();
            } else if line == "connection: close" {
                close = true;
            } else if line.is_empty() {
                break;
            }
            assert!(!line.starts_with("transfer-encoding"), "answers have a length");
        }
        let mut reply = vec![0; len];
        stream.read_exact(&mut reply).expect("an answer in time");
        *connection = (!close).then_some(stream);
        (status, String::from_utf8(reply).expect("answers are text"))
    })
}

fn check(body: &str, status: u16, reply: &str) {
    assert_eq!(status, 200, "{reply}");
    let Ok(asked) = serde_json::from_str::<Value>(body) else {
        assert!(reply.is_empty() || reply.contains("error"), "what is no JSON has no result: {reply}");
        return;
    };
    if reply.is_empty() {
        return;
    }
    let got: Value = serde_json::from_str(reply).unwrap_or_else(|error| panic!("{error}: {reply}"));
    match &got {
        // So jsonrpsee answers what has no id that it knows, or two: for a notification there is nothing to say.
        Value::Null => assert!(!has_an_id(body, &asked), "a call has an answer: {body}"),
        Value::Array(replies) => {
            let calls = asked.as_array().expect("only a batch has an array of answers").len();
            assert!(replies.len() <= calls.min(50), "no more answers than calls");
            replies.iter().for_each(check_reply);
        }
        reply => {
            check_reply(reply);
            if let (Some(id), None) = (asked.get("id"), reply.get("error")) {
                assert_eq!(reply.get("id"), Some(id), "the id comes back");
            }
        }
    }
}

fn check_reply(reply: &Value) {
    assert_eq!(reply.get("jsonrpc").and_then(Value::as_str), Some("2.0"), "{reply}");
    let (result, error) = (reply.get("result"), reply.get("error"));
    assert!(result.is_some() != error.is_some(), "a result or an error: {reply}");
    if let Some(error) = error {
        let code = error.get("code").and_then(Value::as_i64).expect("an error has a number");
        assert_ne!(code, -32_603, "an internal error: {reply}");
        assert!(error.get("message").and_then(Value::as_str).is_some_and(|text| !text.is_empty()));
    }
}

fn has_an_id(body: &str, call: &Value) -> bool {
    let known = call.get("id").is_some_and(|id| id.is_null() || id.is_u64() || id.is_string());
    known && body.matches("\"id\"").count() == 1
}
