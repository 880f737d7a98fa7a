//! Upstreams over TLS and HTTPS, with certificates that are made here.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use hickory_proto::op::Metadata;
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record};
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::yield_now;

use super::*;

const NAME: &str = "dns.example";

/// Answers every question with one address; about names that begin with "slow" when it may.
#[derive(Clone)]
struct OneAddress {
    came: Arc<AtomicUsize>,
    may: Arc<Semaphore>,
}

#[async_trait]
impl RequestHandler for OneAddress {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut out: R) -> ResponseInfo {
        self.came.fetch_add(1, Ordering::SeqCst);
        let name = request.queries.queries()[0].original().name().clone();
        if name.to_lowercase().to_string().starts_with("slow") {
            self.may.acquire().await.unwrap().forget();
        }
        let record = Record::from_rdata(name, 0, RData::A(A::new(192, 0, 2, 1)));
        let metadata = Metadata::response_from_request(&request.metadata);
        let message = MessageResponseBuilder::from_message_request(request).build(metadata, [&record], [], [], []);
        out.send_response(message).await.unwrap()
    }
}

/// A server, its certificate in a file, how many questions came, and the slow ones that may be answered.
struct Encrypted {
    _server: Server<OneAddress>,
    addr: SocketAddr,
    folder: tempfile::TempDir,
    came: Arc<AtomicUsize>,
    may: Arc<Semaphore>,
}

/// A certificate, and the folder that has it in a file.
fn certificate() -> (Arc<dyn ResolvesServerCert>, tempfile::TempDir) {
    let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(made.key_pair.serialize_pem().as_bytes()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let certificate = CertifiedKey::new(vec![CertificateDer::from(made.cert.der().to_vec())], key);
    (Arc::new(SingleCertAndKey::from(certificate)), folder)
}

async fn start(is_https: bool) -> Encrypted {
    let (resolver, folder) = certificate();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, came) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let may = Arc::new(Semaphore::new(0));
    let mut server = Server::new(OneAddress { came: came.clone(), may: may.clone() });
    if is_https {
        let name = Some(NAME.to_owned());
        server.register_https_listener(listener, DEADLINE, resolver, name, "/dns-query".to_owned()).unwrap();
    } else {
        server.register_tls_listener(listener, DEADLINE, resolver).unwrap();
    }
    Encrypted { _server: server, addr, folder, came, may }
}

async fn is_asked_and_held_against_its_certificate(scheme: &str, path: &str) {
    let upstream = start(scheme == "https").await;
    let config = |name: &str, ca: Option<&str>| Config {
        to: format!("{scheme}://{}{path}#{name}", upstream.addr).parse().unwrap(),
        ca_file: ca.map(|file| upstream.folder.path().join(file)),
        ..Config::default()
    };
    let world = World::new(&config(NAME, Some("ca.pem")));
    let expected = |name: &str| format!("NOERROR rd ra | {name}. 0 IN A 192.0.2.1");
    assert_eq!(world.line("www.example A", "r").await, expected("www.example"));
    // Many at once share the connection.
    let names: Vec<String> = (0..100).map(|at| format!("n{at}.example")).collect();
    let questions: Vec<String> = names.iter().map(|name| format!("{name} A")).collect();
    let all = futures::future::join_all(questions.iter().map(|question| world.line(question, "r"))).await;
    for (name, line) in names.iter().zip(all) {
        assert_eq!(line, expected(name));
    }
    let came = upstream.came.load(Ordering::SeqCst);
    assert!(came >= 101);
    // Another name than the certificate's.
    let world = World::new(&config("other.example", Some("ca.pem")));
    assert!(world.line("www.example A", "r").await.starts_with("SERVFAIL rd ra ede=23"));
    assert_eq!(upstream.came.load(Ordering::SeqCst), came, "nothing was asked");
    // A file without certificates, and none at all.
    std::fs::write(upstream.folder.path().join("empty.pem"), "nothing").unwrap();
    for (file, error) in
        [("empty.pem", "empty.pem holds no certificate"), ("none.pem", "cannot read certificates from ")]
    {
        let error_is = Forwarder::new(&config(NAME, Some(file)), Vec::new()).err().unwrap().to_string();
        assert!(error_is.contains(error), "{error_is}");
    }
}

#[tokio::test]
async fn over_tls() {
    is_asked_and_held_against_its_certificate("tls", "").await;
}

#[tokio::test]
async fn over_https() {
    is_asked_and_held_against_its_certificate("https", "/dns-query").await;
}

/// Passes connections on to `to`. Those that stand when `dies` is called carry nothing more and say nothing about it; those
/// that are made while it is held wait.
struct Wire {
    addr: SocketAddr,
    generation: Arc<watch::Sender<usize>>,
    is_held: Arc<watch::Sender<bool>>,
    made: Arc<AtomicUsize>,
}

impl Wire {
    async fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (generation, made) = (Arc::new(watch::Sender::new(0)), Arc::new(AtomicUsize::new(0)));
        let is_held = Arc::new(watch::Sender::new(false));
        let (shown, held, counter) = (generation.clone(), is_held.clone(), made.clone());
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let (mut dies, mut held) = (shown.subscribe(), held.subscribe());
                tokio::spawn(async move {
                    held.wait_for(|is_held| !is_held).await.unwrap();
                    let mut far = TcpStream::connect(to).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = dies.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { addr, generation, is_held, made }
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    fn dies(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }
}

/// A server behind a wire, and a world that has asked it something.
async fn over_a_wire(scheme: &str, path: &str) -> (Encrypted, Wire, World) {
    let upstream = start(scheme == "https").await;
    let wire = Wire::to(upstream.addr).await;
    let config = Config {
        to: format!("{scheme}://{}{path}#{NAME}", wire.addr).parse().unwrap(),
        ca_file: Some(upstream.folder.path().join("ca.pem")),
        ..Config::default()
    };
    let world = World::new(&config);
    assert_eq!(world.line("a.example A", "r").await, "NOERROR rd ra | a.example. 0 IN A 192.0.2.1");
    (upstream, wire, world)
}

async fn a_connection_that_died_silently_is_made_again(scheme: &str, path: &str) {
    let (_upstream, wire, world) = over_a_wire(scheme, path).await;
    for round in 2..4 {
        wire.dies();
        let before = Instant::now();
        let questions: Vec<String> = (0..10).map(|at| format!("n{round}{at}.example A")).collect();
        let all = futures::future::join_all(questions.iter().map(|question| world.line(question, "r"))).await;
        assert!(all.iter().all(|line| line.starts_with("NOERROR rd ra | n")), "{all:?}");
        assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
        assert_eq!(wire.made(), round, "all share the new one");
    }
}

#[tokio::test]
async fn a_tls_connection_that_died_silently_is_made_again() {
    a_connection_that_died_silently_is_made_again("tls", "").await;
}

#[tokio::test]
async fn an_https_connection_that_died_silently_is_made_again() {
    a_connection_that_died_silently_is_made_again("https", "/dns-query").await;
}

const SLOW: &str = "NOERROR rd ra | slow.example. 0 IN A 192.0.2.1";

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        yield_now().await;
    }
}

/// The old one answers while another is being made.
async fn a_slow_name_leaves_its_connection_open(scheme: &str, path: &str) {
    let (upstream, wire, world) = over_a_wire(scheme, path).await;
    wire.is_held.send_replace(true);
    let (slow, ()) = tokio::join!(world.line("slow.example A", "r"), async {
        until(|| wire.made() == 2).await;
        upstream.may.add_permits(1);
    });
    assert_eq!(slow, SLOW);
    let before = Instant::now();
    assert_eq!(world.line("b.example A", "r").await, "NOERROR rd ra | b.example. 0 IN A 192.0.2.1");
    assert!(before.elapsed() < Duration::from_secs(1) && *wire.is_held.borrow(), "over the old one");
    assert_eq!(wire.made(), 2);
}

#[tokio::test]
async fn a_slow_name_leaves_its_tls_connection_open() {
    a_slow_name_leaves_its_connection_open("tls", "").await;
}

#[tokio::test]
async fn a_slow_name_leaves_its_https_connection_open() {
    a_slow_name_leaves_its_connection_open("https", "/dns-query").await;
}

/// The other one stands, and has said nothing yet when the old one answers.
#[tokio::test]
async fn a_slow_name_asked_twice_leaves_a_connection_open() {
    let (upstream, wire, world) = over_a_wire("https", "/dns-query").await;
    let (slow, ()) = tokio::join!(world.line("slow.example A", "r"), async {
        until(|| upstream.came.load(Ordering::SeqCst) == 3).await;
        upstream.may.add_permits(1);
    });
    assert_eq!((slow.as_str(), wire.made()), (SLOW, 2));
    assert_eq!(world.line("b.example A", "r").await, "NOERROR rd ra | b.example. 0 IN A 192.0.2.1");
    assert_eq!(wire.made(), 2, "none is made again");
}

/// Who has it made gets an answer over the old one.
#[tokio::test]
async fn those_who_wait_for_a_connection_get_it_though_who_began_it_has_left() {
    let (upstream, wire, world) = over_a_wire("https", "/dns-query").await;
    wire.is_held.send_replace(true);
    let slow = async {
        assert_eq!(world.line("slow.example A", "r").await, SLOW);
        wire.is_held.send_replace(false);
    };
    let other = async {
        until(|| wire.made() == 2).await;
        let (line, ()) = tokio::join!(world.line("b.example A", "r"), async {
            // It has come to wait by then.
            for _ in 0..100 {
                yield_now().await;
            }
            upstream.may.add_permits(1);
        });
        assert_eq!(line, "NOERROR rd ra | b.example. 0 IN A 192.0.2.1");
    };
    tokio::join!(slow, other);
    assert_eq!(wire.made(), 2);
}

/// Something has come over it since the question was sent.
#[tokio::test]
async fn a_connection_that_dies_after_another_answer_is_made_again() {
    let (upstream, wire, world) = over_a_wire("https", "/dns-query").await;
    let before = Instant::now();
    let (slow, ()) = tokio::join!(world.line("slow.example A", "r"), async {
        until(|| upstream.came.load(Ordering::SeqCst) == 2).await;
        assert_eq!(world.line("b.example A", "r").await, "NOERROR rd ra | b.example. 0 IN A 192.0.2.1");
        wire.dies();
        // That which nobody hears, and another.
        upstream.may.add_permits(2);
    });
    assert_eq!((slow.as_str(), wire.made()), (SLOW, 2));
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
}

/// Beside an upstream over HTTPS one that answers at once, whom the slow names are asked when that has been waited for.
async fn beside_another() -> (Encrypted, Wire, World) {
    let upstream = start(true).await;
    let wire = Wire::to(upstream.addr).await;
    let other = FakeUpstream::start(|_, query| {
        let name = Message::from_vec(query).unwrap().queries[0].name().to_lowercase().to_string();
        vec![reply(query, 0, [&format!("{} 0 A 192.0.2.99", name.trim_end_matches('.')), "", ""])]
    })
    .await;
    let config = Config {
        to: format!("https://{}/dns-query#{NAME},{}", wire.addr, other.addr).parse().unwrap(),
        ca_file: Some(upstream.folder.path().join("ca.pem")),
        ..Config::default()
    };
    let world = World::new(&config);
    assert_eq!(world.line("a.example A", "r").await, "NOERROR rd ra | a.example. 0 IN A 192.0.2.1");
    (upstream, wire, world)
}

#[tokio::test]
async fn a_slow_name_that_another_answers_leaves_the_connection_open() {
    let (_upstream, wire, world) = beside_another().await;
    for name in ["b", "c", "d"] {
        assert_eq!(world.line("slow.example A", "r").await, "NOERROR rd ra | slow.example. 0 IN A 192.0.2.99");
        world.pass(60);
        assert_eq!(
            world.line(&format!("{name}.example A"), "r").await,
            format!("NOERROR rd ra | {name}.example. 0 IN A 192.0.2.1")
        );
        assert_eq!(wire.made(), 1, "over the same");
    }
}

#[tokio::test]
async fn a_connection_that_died_is_left_though_another_answers() {
    let (_upstream, wire, world) = beside_another().await;
    wire.dies();
    let before = Instant::now();
    while world.line("b.example A", "r").await.ends_with(".99") {
        world.pass(60);
        assert!(before.elapsed() < DEADLINE);
    }
    assert_eq!(wire.made(), 2);
}

/// An HTTPS server without any word but a status; gives how many connections and requests there were.
async fn saying_status(status: http::StatusCode) -> (SocketAddr, tempfile::TempDir, [Arc<AtomicUsize>; 2]) {
    let (resolver, folder) = certificate();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = versions.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, counts) = (listener.local_addr().unwrap(), [(); 2].map(|()| Arc::<AtomicUsize>::default()));
    let [connections, requests] = counts.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            let (acceptor, requests) = (acceptor.clone(), requests.clone());
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(acceptor.accept(stream).await.unwrap()).await.unwrap();
                while let Some(Ok((_, mut answer))) = connection.accept().await {
                    requests.fetch_add(1, Ordering::SeqCst);
                    let response = http::Response::builder().status(status).body(()).unwrap();
                    answer.send_response(response, true).unwrap();
                }
            });
        }
    });
    (addr, folder, counts)
}

/// Who is told that it asks too much does not ask twice as much.
#[tokio::test]
async fn a_status_neither_ends_the_connection_nor_is_asked_for_again() {
    let (addr, folder, [connections, requests]) = saying_status(http::StatusCode::TOO_MANY_REQUESTS).await;
    let config = Config {
        to: format!("https://{addr}/dns-query#{NAME}").parse().unwrap(),
        ca_file: Some(folder.path().join("ca.pem")),
        ..Config::default()
    };
    let world = World::new(&config);
    for name in ["a", "b", "c"] {
        assert_eq!(world.line(&format!("{name}.example A"), "r").await, "SERVFAIL rd ra ede=23");
    }
    assert_eq!([&connections, &requests].map(|count| count.load(Ordering::SeqCst)), [1, 3]);
}
