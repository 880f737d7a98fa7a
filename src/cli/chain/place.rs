//! Where the chain is that is exported or imported into: with a running node, or without one in the folder itself.

use std::sync::Arc;

use dotp2p_chain::hash::{BlockHash, from_hex, to_hex};
use dotp2p_chain::height::Height;
use dotp2p_registry::mempool::Limits;
use dotp2p_registry::query::Reader;
use dotp2p_rpc::ClientError as RpcError;
use dotp2p_rpc::error::code;
use dotp2p_rpc::types::BlockchainInfo;
use serde_json::json;

use crate::cli::CliError;
use crate::cli::client::{ClientError, NodeClient};
use crate::config::Settings;
use crate::import::Importer;
use crate::node;

/// A chain that can be asked for its blocks.
pub(super) enum Place {
    /// Over RPC.
    Node(NodeClient),
    /// The folder, locked; with a view of it as it was opened.
    Folder(Box<Importer>, Box<Reader>),
}

impl Place {
    /// The running node, else the folder. A folder that is not there is made.
    pub(super) async fn find(settings: &Settings) -> Result<Self, CliError> {
        let found = match NodeClient::find(settings) {
            Ok(node) => node.call("getblockchaininfo", json!({})).await.map(|answer| (node, answer)),
            Err(error) => Err(error),
        };
        let (node, answer) = match found {
            Ok(found) => found,
            Err(error) if settings.rpc.is_none() && is_not_running(&error) => return Self::open(settings),
            Err(error) => return Err(error.into()),
        };
        let info: BlockchainInfo = answer.read()?;
        let expected = settings.params.chain_id.to_string();
        if info.chain_id != expected {
            let text = format!(
                "the node is of network {}, chain {}, and not of {expected}: give the --network that it is of",
                info.chain, info.chain_id
            );
            return Err(CliError::Refused(text));
        }
        Ok(Self::Node(node))
    }

    fn open(settings: &Settings) -> Result<Self, CliError> {
        let importer = node::open(&Arc::new(settings.params.clone()), &settings.dir, false, Limits::default())?;
        let reader = importer.reader();
        Ok(Self::Folder(Box::new(importer), Box::new(reader)))
    }

    /// Height and hash of the tip.
    pub(super) async fn tip(&self) -> Result<(Height, BlockHash), CliError> {
        match self {
            Self::Node(node) => {
                let info: BlockchainInfo = node.call("getblockchaininfo", json!({})).await?.read()?;
                Ok((Height(info.blocks), hash_of(&info.bestblockhash)?))
            }
            Self::Folder(_, reader) => Ok((reader.tip, reader.tip_hash())),
        }
    }

    /// The hash of the active block at `height`, which is not above the tip.
    pub(super) async fn hash_at(&self, height: Height) -> Result<BlockHash, CliError> {
        match self {
            Self::Node(node) => {
                let hash: String = node.call("getblockhash", json!({ "height": height.0 })).await?.read()?;
                hash_of(&hash)
            }
            Self::Folder(_, reader) => Ok(reader.chain_row(height).map_err(refused)?.hash),
        }
    }

    /// Whether the header of that hash is here, on the active chain or not.
    pub(super) async fn is_known(&self, hash: &BlockHash) -> Result<bool, CliError> {
        match self {
            Self::Node(node) => {
                let header = node.call("getblockheader", json!({ "blockhash": hash.to_string() })).await;
                match header {
                    Ok(_) => Ok(true),
                    Err(ClientError::Rpc(RpcError::Call { code: code::NOT_FOUND, .. })) => Ok(false),
                    Err(error) => Err(error.into()),
                }
            }
            Self::Folder(_, reader) => Ok(reader.head(hash).is_ok()),
        }
    }

    /// The bytes of the active block of that height and hash.
    pub(super) async fn block(&self, height: Height, hash: &BlockHash) -> Result<Vec<u8>, CliError> {
        match self {
            Self::Node(node) => {
                let params = json!({ "blockhash": hash.to_string(), "verbosity": 0 });
                let hex: String = node.call("getblock", params).await?.read()?;
                from_hex(&hex).ok_or_else(|| CliError::Refused("the node's block is no hexadecimal text".to_owned()))
            }
            Self::Folder(_, reader) => {
                let place = reader.chain_row(height).map_err(refused)?.block;
                reader.files.read(place).map_err(refused)
            }
        }
    }

    /// Gives a block to the node: whether it is new there, or why it is refused, in the node's words. A folder takes many
    /// at once, through its importer.
    pub(super) async fn submit(&self, encoded: &[u8]) -> Result<Result<bool, String>, CliError> {
        let Self::Node(node) = self else { return Ok(Err("there is no node".to_owned())) };
        match node.call("submitblock", json!({ "hexdata": to_hex(encoded) })).await {
            Ok(answer) => Ok(Ok(answer.read::<Option<String>>()?.as_deref() != Some("duplicate"))),
            Err(ClientError::Rpc(RpcError::Call { code: code::REJECTED | code::DECODE, message, .. })) => {
                Ok(Err(message))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn hash_of(text: &str) -> Result<BlockHash, CliError> {
    text.parse().map_err(refused)
}

fn refused(error: impl ToString) -> CliError {
    CliError::Refused(error.to_string())
}

/// Whether there is no node, as opposed to one that cannot be asked.
fn is_not_running(error: &ClientError) -> bool {
    matches!(error, ClientError::NoNode { .. } | ClientError::Rpc(RpcError::NotRunning(_) | RpcError::NoCookie(_)))
}
