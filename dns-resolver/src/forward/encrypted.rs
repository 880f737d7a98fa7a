//! Upstreams over TLS and HTTPS, by hickory: one connection that all questions share, made again when it has ended.
//!
//! A connection may also die without a word. It is taken for dead when the time has come to ask a question again and nothing
//! at all has come over it since it was sent, or since the last such time; then another is made beside it. Where it turns out
//! to have been slow alone, and the other is of no use, it is used on. What is made is made to the end, whoever waits for it.
//!
//! Where another upstream answers first nobody asks again. So a connection is left as well when a question is given up over it
//! and for two seconds there has been one without an answer; a slow name alone, given up sooner, does not end it. That of which
//! nobody waits for the answer any more is carried to its end, so that it is known whether one came.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{FutureExt, select_ok};
use hickory_net::NetError;
use hickory_net::h2::HttpsClientStream;
use hickory_net::runtime::{RuntimeProvider, Spawn, TokioRuntimeProvider};
use hickory_net::tls::tls_client_connect;
use hickory_net::xfer::{DnsExchange, DnsHandle, DnsMultiplexer, FirstAnswer};
use hickory_proto::op::{DnsRequest, DnsRequestOptions, Message};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::query::{Match, Query};

/// When a question that a connection carries is given up by it; whoever asks has lost patience then.
const TIMEOUT: Duration = Duration::from_secs(4);
/// How long a connection may take to be made; whoever asks has lost patience then.
const MAKING_MAX: Duration = Duration::from_secs(4);
/// How long a connection may be silent while questions wait. More than an upstream is given beside one that has refused: a name
/// that nobody keeps takes as long.
const SILENT_MAX: Duration = Duration::from_secs(2);
/// Questions that a connection carries at once.
const ACTIVE_MAX: usize = 2_048;
/// How often a question waits for the others to leave, so many milliseconds each time.
const BUSY_TRIES: usize = 100;
const BUSY_WAIT: Duration = Duration::from_millis(5);

type Exchange = DnsExchange<TokioRuntimeProvider>;

/// A connection that stands. A clone is the same one.
#[derive(Clone)]
struct Open {
    exchange: Exchange,
    life: Arc<Life>,
}

/// What has come over a connection.
#[derive(Default)]
struct Life {
    /// So many answers.
    heard: AtomicU64,
    /// Since when a question has been waiting, and nothing has come.
    waiting_since: Mutex<Option<Instant>>,
}

impl Open {
    fn heard(&self) -> u64 {
        self.life.heard.load(Ordering::Relaxed)
    }

    fn waiting_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.life.waiting_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has come.
    fn hears(&self) {
        self.life.heard.fetch_add(1, Ordering::Relaxed);
        *self.waiting_since() = None;
    }
}

/// What comes of a connection that is being made, when it has come.
type Making = watch::Receiver<Option<Result<Open, NetError>>>;

/// An upstream's connections.
#[derive(Default)]
struct Links {
    /// The one that questions go over.
    open: Option<Open>,
    making: Option<Making>,
}

/// Why upstreams over TLS and HTTPS cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file.
    #[error("cannot read certificates from {path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// There is nobody to trust.
    #[error("{0} holds no certificate")]
    Empty(String),
    /// The library of TLS.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// Whom upstreams' certificates are held against.
///
/// - `ca_file`: certificates in PEM; `None`: the system's.
/// - Errors: there are none.
pub(super) fn trust(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let error = |reason: String| TrustError::File { path: path.to_owned(), reason };
            let all = CertificateDer::pem_file_iter(path).map_err(|source| error(source.to_string()))?;
            for certificate in all {
                let certificate = certificate.map_err(|source| error(source.to_string()))?;
                roots.add(certificate).map_err(|source| error(source.to_string()))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        let place = ca_file.map_or_else(|| "the system's store".to_owned(), |path| path.display().to_string());
        return Err(TrustError::Empty(place));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(versions.with_root_certificates(roots).with_no_client_auth()))
}

/// How a connection is made.
pub(super) enum Kind {
    Tls,
    Https { path: Arc<str> },
}

/// An upstream's connection.
pub(super) struct Connection {
    addr: SocketAddr,
    name: Arc<str>,
    kind: Kind,
    trust: Arc<ClientConfig>,
    links: Mutex<Links>,
    /// What drives connections ends with it.
    runtime: TokioRuntimeProvider,
}

impl Connection {
    pub fn new(addr: SocketAddr, name: Arc<str>, kind: Kind, trust: Arc<ClientConfig>) -> Self {
        Self { addr, name, kind, trust, links: Mutex::default(), runtime: TokioRuntimeProvider::new() }
    }

    /// Asks over the connection; where it has ended, or seems dead when `again` is told, over a new one.
    ///
    pub async fn ask(self: &Arc<Self>, query: &Query, again: &Notify) -> io::Result<Vec<u8>> {
        let reply = match self.opened() {
            Some(open) => self.ask_over_old(open, query, again).await,
            None => match self.made().await {
                Ok(open) => self.ask_over(&open, query).await,
                Err(error) => Err(error),
            },
        };
        let reply = reply.map_err(|error| match &error {
            NetError::Io(inner) => {
                inner.raw_os_error().map_or_else(|| io::Error::other(error), io::Error::from_raw_os_error)
            }
            _ => io::Error::other(error),
        })?;
        // The connection sees to the ID, TLS to who answers.
        if query.matches_unnumbered(&reply) == Match::Stranger {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no reply to the question"));
        }
        Ok(reply)
    }

    /// Asks over a connection that has stood for a while, and over another where that does not answer.
    async fn ask_over_old(self: &Arc<Self>, open: Open, query: &Query, again: &Notify) -> Result<Vec<u8>, NetError> {
        let mut before = open.heard();
        let seems_dead = async {
            loop {
                again.notified().await;
                let heard = open.heard();
                if heard == before {
                    break heard;
                }
                before = heard;
            }
        };
        let mut first = self.ask_over(&open, query).boxed();
        let reply = tokio::select! {
            reply = &mut first => match reply {
                Err(error) if !is_of_answer(&error) => return self.ask_anew(&open, query).await,
                reply => reply,
            },
            heard = seems_dead => {
                let anew = self.ask_anew(&open, query).boxed();
                let reply = select_ok([first, anew]).await.map(|(reply, _)| reply);
                if open.heard() == heard {
                    return reply;
                }
                reply
            }
        };
        self.keep(&open);
        reply
    }

    /// Asks over another connection than `old`.
    async fn ask_anew(self: &Arc<Self>, old: &Open, query: &Query) -> Result<Vec<u8>, NetError> {
        self.close(old);
        let open = self.made().await?;
        self.ask_over(&open, query).await
    }

    async fn ask_over(self: &Arc<Self>, open: &Open, query: &Query) -> Result<Vec<u8>, NetError> {
        open.waiting_since().get_or_insert_with(Instant::now);
        let _leaves = LeaveIfSilent { connection: self, open };
        let (this, over, query, before) = (self.clone(), open.clone(), query.clone(), open.heard());
        let asked = tokio::spawn(async move {
            let reply = send(&over.exchange, &query).await;
            match &reply {
                // Others were answered meanwhile.
                Err(NetError::Timeout) if over.heard() != before => {}
                Err(error) if !is_of_answer(error) => this.close(&over),
                _ => over.hears(),
            }
            reply
        });
        asked.await.unwrap_or(Err(NetError::NoConnections))
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self) -> Option<Open> {
        self.links().open.clone()
    }

    /// Lets no more questions go over `old`.
    fn close(&self, old: &Open) {
        self.links().open.take_if(|open| Arc::ptr_eq(&open.life, &old.life));
    }

    /// Lets questions go over `old` again, which has just carried an answer, where there is no other.
    fn keep(&self, old: &Open) {
        self.links().open.get_or_insert_with(|| old.clone());
    }

    /// The connection that is open, or else a new one, which all share who wait for it.
    async fn made(self: &Arc<Self>) -> Result<Open, NetError> {
        let mut making = {
            let mut links = self.links();
            if let Some(open) = &links.open {
                return Ok(open.clone());
            }
            // Where whoever made it has panicked, it is made again.
            let making = links.making.take().filter(|making| making.has_changed().is_ok());
            links.making.insert(making.unwrap_or_else(|| self.make())).clone()
        };
        let made = making.wait_for(Option::is_some).await.ok().and_then(|made| made.clone());
        // The one before may have turned out to be alive.
        made.unwrap_or(Err(NetError::NoConnections)).or_else(|error| self.opened().ok_or(error))
    }

    /// Makes a connection, by a task: nobody who stops waiting takes it from the others.
    fn make(self: &Arc<Self>) -> Making {
        let (sender, making) = watch::channel(None);
        let this = self.clone();
        tokio::spawn(async move {
            let made = timeout(MAKING_MAX, this.connect()).await.unwrap_or(Err(NetError::Timeout));
            let made = made.map(|exchange| Open { exchange, life: Arc::default() });
            let mut links = this.links();
            links.making = None;
            if let Ok(open) = &made {
                links.open = Some(open.clone());
            }
            drop(links);
            sender.send_replace(Some(made));
        });
        making
    }

    async fn connect(&self) -> Result<Exchange, NetError> {
        let runtime = self.runtime.clone();
        match &self.kind {
            Kind::Tls => {
                let name = ServerName::try_from(self.name.to_string()).map_err(|error| error.to_string())?;
                let (stream, sender) = tls_client_connect(self.addr, name, self.trust.clone(), runtime);
                let carrier = DnsMultiplexer::new(stream.await?, sender)
                    .with_timeout(TIMEOUT)
                    .with_max_active_requests(ACTIVE_MAX);
                let (exchange, background) = Exchange::from_stream(carrier);
                self.runtime.create_handle().spawn_bg(background);
                Ok(exchange)
            }
            Kind::Https { path } => {
                let mut builder = HttpsClientStream::builder(self.trust.clone(), runtime);
                builder.request_timeout(TIMEOUT);
                builder.exchange(self.addr, self.name.clone(), path.clone()).await
            }
        }
    }
}

async fn send(exchange: &Exchange, query: &Query) -> Result<Vec<u8>, NetError> {
    let message = Message::from_vec(query.bytes()).map_err(|error| error.to_string())?;
    let mut tries = 0;
    loop {
        let request = DnsRequest::new(message.clone(), DnsRequestOptions::default());
        match exchange.send(request).first_answer().await {
            // Its queue takes but a few at once.
            Err(NetError::Busy) if tries < BUSY_TRIES => {
                tries += 1;
                tokio::time::sleep(BUSY_WAIT).await;
            }
            reply => return reply.map(|reply| reply.into_buffer()),
        }
    }
}

/// Whether an error is of this answer alone, and the connection good: the HTTP status, for which hickory has no error of its own.
fn is_of_answer(error: &NetError) -> bool {
    matches!(error, NetError::Msg(text) if text.starts_with("http unsuccessful code"))
}

/// A question that goes over a connection, answered or given up.
struct LeaveIfSilent<'a> {
    connection: &'a Connection,
    open: &'a Open,
}

impl Drop for LeaveIfSilent<'_> {
    fn drop(&mut self) {
        if self.open.waiting_since().is_some_and(|since| since.elapsed() >= SILENT_MAX) {
            self.connection.close(self.open);
        }
    }
}
