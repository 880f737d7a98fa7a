//! Upstreams over TLS and HTTPS, by hickory: one connection that all questions share, made again when it has ended.
//!
//! A connection may also die without a word. It is taken for dead when nothing at all has come over it since a question was
//! sent and the time has come to ask again; then another is made beside it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
use tokio::sync::Notify;

use super::query::{Match, Query};

/// When a question that a connection carries is given up by it; whoever asks has lost patience long before.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Questions that a connection carries at once.
const ACTIVE_MAX: usize = 1_024;
/// How often a question waits for the others to leave, so many milliseconds each time.
const BUSY_TRIES: usize = 100;
const BUSY_WAIT: Duration = Duration::from_millis(5);

type Exchange = DnsExchange<TokioRuntimeProvider>;

/// A connection that stands. A clone is the same one.
#[derive(Clone)]
struct Open {
    exchange: Exchange,
    /// Answers that have come over it.
    heard: Arc<AtomicU64>,
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
    open: Mutex<Option<Open>>,
    /// Held by the one who makes it.
    making: tokio::sync::Mutex<()>,
    /// What drives connections ends with it.
    runtime: TokioRuntimeProvider,
}

impl Connection {
    pub fn new(addr: SocketAddr, name: Arc<str>, kind: Kind, trust: Arc<ClientConfig>) -> Self {
        let (open, making, runtime) = (Mutex::new(None), tokio::sync::Mutex::new(()), TokioRuntimeProvider::new());
        Self { addr, name, kind, trust, open, making, runtime }
    }

    /// Asks over the connection; where it has ended, or seems dead when `again` is told, over a new one.
    ///
    /// Whoever stops waiting has a connection closed that nothing has come over meanwhile: it may lead nowhere any more.
    pub async fn ask(&self, query: &Query, again: &Notify) -> io::Result<Vec<u8>> {
        let reply = match self.opened() {
            Some(open) => self.ask_over_old(open, query, again).await,
            None => match self.made().await {
                Ok(open) => self.ask_over(&open, query).await,
                Err(error) => Err(error),
            },
        };
        let reply = reply.map_err(io::Error::other)?;
        // The connection sees to the ID, TLS to who answers.
        if query.matches_unnumbered(&reply) == Match::Stranger {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no reply to the question"));
        }
        Ok(reply)
    }

    /// Asks over a connection that has stood for a while, and over another where that does not answer.
    async fn ask_over_old(&self, open: Open, query: &Query, again: &Notify) -> Result<Vec<u8>, NetError> {
        let heard = open.heard.load(Ordering::Relaxed);
        let seems_dead = async {
            loop {
                again.notified().await;
                if open.heard.load(Ordering::Relaxed) == heard {
                    break;
                }
            }
        };
        let mut first = self.ask_over(&open, query).boxed();
        tokio::select! {
            reply = &mut first => match reply {
                Err(_) => self.ask_anew(&open, query).await,
                reply => reply,
            },
            () = seems_dead => {
                let anew = self.ask_anew(&open, query).boxed();
                select_ok([first, anew]).await.map(|(reply, _)| reply)
            }
        }
    }

    /// Asks over another connection than `old`.
    async fn ask_anew(&self, old: &Open, query: &Query) -> Result<Vec<u8>, NetError> {
        self.close(old);
        let open = match self.opened() {
            Some(newer) => newer,
            None => self.made().await?,
        };
        self.ask_over(&open, query).await
    }

    async fn ask_over(&self, open: &Open, query: &Query) -> Result<Vec<u8>, NetError> {
        let _closes = CloseUnlessHeard { connection: self, open, heard: open.heard.load(Ordering::Relaxed) };
        let reply = send(&open.exchange, query).await?;
        open.heard.fetch_add(1, Ordering::Relaxed);
        Ok(reply)
    }

    fn opened(&self) -> Option<Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets no more questions go over `old`.
    fn close(&self, old: &Open) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.as_ref().is_some_and(|open| Arc::ptr_eq(&open.heard, &old.heard)) {
            *open = None;
        }
    }

    /// A new connection, by whoever comes first; the others share it.
    async fn made(&self) -> Result<Open, NetError> {
        let Ok(_making) = self.making.try_lock() else {
            drop(self.making.lock().await);
            return self.opened().ok_or(NetError::NoConnections);
        };
        let open = Open { exchange: self.connect().await?, heard: Arc::default() };
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(open.clone());
        Ok(open)
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

/// Closes a connection that nothing has come over.
struct CloseUnlessHeard<'a> {
    connection: &'a Connection,
    open: &'a Open,
    /// Answers that had come before.
    heard: u64,
}

impl Drop for CloseUnlessHeard<'_> {
    fn drop(&mut self) {
        if self.open.heard.load(Ordering::Relaxed) == self.heard {
            self.connection.close(self.open);
        }
    }
}
