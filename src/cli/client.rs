//! The running node, as commands find and ask it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use dotp2p_rpc::auth::COOKIE_FILE;
use dotp2p_rpc::{Auth, Client};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::config::Settings;

/// What a running node writes about itself.
pub const NODE_FILE: &str = "node.json";

/// Why the node does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It has left no trace.
    #[error(
        "no node of network {network} is running in {dir}; start one with `dotp2p node`, or say where it is with --data-dir or --rpc"
    )]
    NoNode {
        /// The network.
        network: String,
        /// Its folder.
        dir: PathBuf,
    },
    /// What it wrote about itself cannot be read.
    #[error("cannot read {path}: {source}")]
    NodeFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It does not answer, or refuses.
    #[error(transparent)]
    Rpc(#[from] dotp2p_rpc::ClientError),
    /// It refuses what was asked, in the words of JSON-RPC.
    #[error("{message}: {detail}")]
    Detailed {
        /// The kind of refusal.
        message: String,
        /// What it is about.
        detail: String,
    },
    /// Its answer has another shape.
    #[error("the answer to {method} is not understood: {source}; node and program may be of different releases")]
    Answer {
        /// Of what.
        method: String,
        /// Why not.
        source: serde_json::Error,
    },
}

/// A node that can be asked.
pub struct NodeClient(Client);

/// What a method answered.
pub struct Answer {
    method: String,
    json: Box<RawValue>,
}

/// [`NODE_FILE`], as far as commands need it.
#[derive(Clone, Debug, Deserialize)]
pub struct NodeFile {
    /// Where it answers JSON-RPC: address and port.
    pub rpc: String,
    /// Where it answers DNS.
    #[serde(default)]
    pub dns: Vec<SocketAddr>,
}

impl NodeFile {
    /// What the node that runs in the network's folder wrote.
    pub fn read(settings: &Settings) -> Result<Self, ClientError> {
        let path = settings.dir.join(NODE_FILE);
        let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                let network = settings.params.deployment.name.clone();
                ClientError::NoNode { network, dir: settings.dir.clone() }
            }
            _ => ClientError::NodeFile { path: path.clone(), source },
        })?;
        serde_json::from_str(&text).map_err(|error| ClientError::NodeFile { path, source: error.into() })
    }
}

impl NodeClient {
    /// The node that `--rpc` names, else the one that runs in the network's folder.
    pub fn find(settings: &Settings) -> Result<Self, ClientError> {
        if let Some(url) = &settings.rpc {
            return Self::at(url, &settings.dir);
        }
        let file = NodeFile::read(settings)?;
        Self::at(&format!("http://{}", file.rpc), &settings.dir)
    }

    /// The node at `url`, which may hold `user:password@`; else the cookie in `dir` opens it.
    pub fn at(url: &str, dir: &Path) -> Result<Self, ClientError> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let (auth, host) = match rest.rsplit_once('@') {
            Some((credentials, host)) => (Auth::Credentials(credentials.to_owned()), host),
            None => (Auth::Cookie(dir.join(COOKIE_FILE)), rest),
        };
        Ok(Self(Client::connect(&format!("{scheme}://{host}"), &auth)?))
    }

    /// Calls a method; `params`: an object.
    pub async fn call(&self, method: &str, params: Value) -> Result<Answer, ClientError> {
        let json = self.0.call(method, params).await.map_err(detailed)?;
        Ok(Answer { method: method.to_owned(), json })
    }
}

/// With what JSON-RPC's own refusals tell beside their text.
fn detailed(error: dotp2p_rpc::ClientError) -> ClientError {
    match error {
        dotp2p_rpc::ClientError::Call { message, data: Some(Value::String(detail)), .. } => {
            ClientError::Detailed { message, detail }
        }
        other => other.into(),
    }
}

impl Answer {
    /// Exactly what came.
    #[must_use]
    pub fn raw(&self) -> &RawValue {
        &self.json
    }

    /// As one of [`dotp2p_rpc::types`].
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        let wrong = |source| ClientError::Answer { method: self.method.clone(), source };
        serde_json::from_str(self.json.get()).map_err(wrong)
    }
}
