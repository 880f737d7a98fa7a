//! The other end: what the command line and the tests call a node with.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap};
use jsonrpsee::core::client::{ClientT, Error};
use jsonrpsee::core::traits::ToRpcParams;
use jsonrpsee_http_client::transport::Error as TransportError;
use jsonrpsee_http_client::{HttpClient, HttpClientBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::auth;
use crate::server::{REQUEST_MAX, RESPONSE_MAX};

/// How long an answer may take: many blocks are made in one call.
const TIMEOUT: Duration = Duration::from_secs(600);

/// How to be let in.
#[derive(Clone)]
pub enum Auth {
    /// By the cookie in a file.
    Cookie(PathBuf),
    /// By `user:password`.
    Credentials(String),
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cookie(path) => f.debug_tuple("Cookie").field(path).finish(),
            Self::Credentials(_) => f.write_str("Credentials(…)"),
        }
    }
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no node is running at {0}; start one with `dotp2p node`")]
    NotRunning(String),
    /// No cookie, so no node.
    #[error("no node is running: there is no {0}; start one with `dotp2p node`, or say where it is with --data-dir")]
    NoCookie(PathBuf),
    /// A cookie that cannot be read.
    #[error("cannot read the cookie {path}: {error}")]
    Cookie {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Credentials that no header can carry.
    #[error("the credentials hold characters that no HTTP header can carry")]
    Credentials,
    /// Not a URL.
    #[error("{url:?} is no address of a node, such as http://127.0.0.1:9354: {problem}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// The node lets somebody else in.
    #[error("the node at {0} refuses the cookie or password; it may have been restarted, or belong to another folder")]
    Unauthorized(String),
    /// The node does not answer to that host.
    #[error("the node at {0} does not answer to that host name; add it to rpc.allowed_hosts, or use 127.0.0.1")]
    Forbidden(String),
    /// The node, or something before it, refuses with an HTTP status.
    #[error("the node at {url} answers with HTTP status {status}")]
    Status {
        /// Where.
        url: String,
        /// The status.
        status: u16,
    },
    /// No answer in time.
    #[error("the node at {0} does not answer")]
    Timeout(String),
    /// The method refuses.
    #[error("{message}")]
    Call {
        /// See [`crate::error::code`].
        code: i32,
        /// For people.
        message: String,
        /// The rule, and which parameter broke it.
        data: Option<Value>,
    },
    /// The answer has another shape; node and program may be of different releases.
    #[error("the answer to {method} is not understood: {error}")]
    Answer {
        /// Of what.
        method: String,
        /// Why not.
        error: serde_json::Error,
    },
    /// The connection fails in another way.
    #[error("cannot talk to the node at {url}: {problem}")]
    Transport {
        /// Where.
        url: String,
        /// What it says.
        problem: String,
    },
}

/// A node somewhere.
#[derive(Clone, Debug)]
pub struct Client {
    url: String,
    http: HttpClient,
}

impl Client {
    /// A client of the node at `url` (`http://` may be left out). Reads the cookie; connects with the first call.
    pub fn connect(url: &str, auth: &Auth) -> Result<Self, ClientError> {
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let credentials = match auth {
            Auth::Credentials(credentials) => credentials.clone(),
            Auth::Cookie(path) => fs::read_to_string(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => ClientError::NoCookie(path.clone()),
                _ => ClientError::Cookie { path: path.clone(), error },
            })?,
        };
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, auth::basic(credentials.trim_end()).ok_or(ClientError::Credentials)?);
        let http = HttpClientBuilder::new()
            .max_request_size(REQUEST_MAX)
            .max_response_size(RESPONSE_MAX)
            .request_timeout(TIMEOUT)
            .set_headers(headers)
            .build(&url)
            .map_err(|error| ClientError::Url { url: url.clone(), problem: error.to_string() })?;
        Ok(Self { url, http })
    }

    /// The generated client: the traits of [`crate::api`] as methods.
    #[must_use]
    pub fn http(&self) -> &HttpClient {
        &self.http
    }

    /// Calls `method` with a list, an object or null, and reads the answer as `T`.
    ///
    /// As [`Value`], amounts go through floats; as a shape of [`crate::types`] or as [`RawValue`], they stay exact.
    pub async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, ClientError> {
        let answer: Box<RawValue> = self.http.request(method, Params(params)).await.map_err(|e| self.error(e))?;
        serde_json::from_str(answer.get()).map_err(|error| ClientError::Answer { method: method.to_owned(), error })
    }

    fn error(&self, error: Error) -> ClientError {
        let url = self.url.clone();
        let error = match error {
            Error::Call(error) => {
                let data = error.data().and_then(|data| serde_json::from_str(data.get()).ok());
                return ClientError::Call { code: error.code(), message: error.message().to_owned(), data };
            }
            Error::RequestTimeout => return ClientError::Timeout(url),
            Error::Transport(error) => error,
            other => return ClientError::Transport { url, problem: other.to_string() },
        };
        match error.downcast_ref::<TransportError>() {
            Some(TransportError::Rejected { status_code: 401 }) => return ClientError::Unauthorized(url),
            Some(TransportError::Rejected { status_code: 403 }) => return ClientError::Forbidden(url),
            Some(TransportError::Rejected { status_code }) => return ClientError::Status { url, status: *status_code },
            _ => {}
        }
        let mut cause = Some(error.as_ref() as &(dyn std::error::Error + 'static));
        let mut problem = error.to_string();
        while let Some(error) = cause {
            problem = error.to_string();
            if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::ConnectionRefused) {
                return ClientError::NotRunning(url);
            }
            cause = error.source();
        }
        ClientError::Transport { url, problem }
    }
}

/// Parameters that are JSON already.
struct Params(Value);

impl ToRpcParams for Params {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        if self.0.is_null() { Ok(None) } else { to_raw_value(&self.0).map(Some) }
    }
}
