//! Upstreams over TLS and HTTPS, by hickory: one connection that all questions share, made again when it has ended.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_net::NetError;
use hickory_net::h2::HttpsClientStream;
use hickory_net::runtime::{RuntimeProvider, Spawn, TokioRuntimeProvider};
use hickory_net::tls::tls_client_connect;
use hickory_net::xfer::{DnsExchange, DnsHandle, DnsMultiplexer, FirstAnswer};
use hickory_proto::op::{DnsRequest, DnsRequestOptions, Message};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::query::{Match, Query};

/// When a question that a connection carries is given up by it; whoever asks has lost patience long before.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Questions that a connection carries at once.
const ACTIVE_MAX: usize = 1_024;
/// How often a question waits for the others to leave, so many milliseconds each time.
const BUSY_TRIES: usize = 100;
const BUSY_WAIT: Duration = Duration::from_millis(5);

type Exchange = DnsExchange<TokioRuntimeProvider>;

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
    open: Mutex<Option<Exchange>>,
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

    /// Asks over the connection; where it has ended, over a new one.
    ///
    /// Whoever stops waiting has the connection closed: it may lead nowhere any more.
    pub async fn ask(&self, query: &Query) -> io::Result<Vec<u8>> {
        let closes = CloseUnlessAnswered { connection: self, is_answered: false };
        let reply = match self.opened() {
            Some(exchange) => match send(&exchange, query).await {
                Err(_) => self.ask_anew(query).await,
                reply => reply,
            },
            None => self.ask_anew(query).await,
        };
        let reply = reply.map_err(io::Error::other)?;
        // The connection sees to the ID, TLS to who answers.
        if query.matches_unnumbered(&reply) == Match::Stranger {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no reply to the question"));
        }
        closes.answered();
        Ok(reply)
    }

    fn opened(&self) -> Option<Exchange> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask_anew(&self, query: &Query) -> Result<Vec<u8>, NetError> {
        let before = self.making.try_lock().ok();
        let exchange = match before {
            Some(making) => {
                let exchange = self.connect().await?;
                *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(exchange.clone());
                drop(making);
                exchange
            }
            // Somebody else is at it.
            None => {
                drop(self.making.lock().await);
                self.opened().ok_or(NetError::NoConnections)?
            }
        };
        send(&exchange, query).await
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

/// Closes a connection that did not answer.
struct CloseUnlessAnswered<'a> {
    connection: &'a Connection,
    is_answered: bool,
}

impl CloseUnlessAnswered<'_> {
    fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for CloseUnlessAnswered<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            *self.connection.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}
