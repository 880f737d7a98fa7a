//! `dotp2p stop`

use std::time::{Duration, Instant};

use serde_json::json;

use super::client::NodeClient;
use super::{CliError, Output};
use crate::config::Settings;

/// How long a node may take to write what it has.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(settings: &Settings, out: &Output) -> Result<(), CliError> {
    let node = NodeClient::find(settings)?;
    let answer = node.call("stop", json!({})).await?;
    let began = Instant::now();
    let mut told = false;
    while node.call("uptime", json!({})).await.is_ok() {
        if began.elapsed() > PATIENCE {
            return Err(CliError::Refused("the node was asked to stop and still answers; look at its log".to_owned()));
        }
        if began.elapsed() > Duration::from_secs(2) && !told {
            out.note("waiting for the node to stop");
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    if out.is_json() { out.json(&answer.raw()) } else { out.line("the node has stopped") }
}
