//! The names of our protocols. Each carries the chain id, so two networks never get as far as a message.

use dotp2p_chain::hash::ChainId;
use libp2p::StreamProtocol;
use libp2p::gossipsub::IdentTopic;

/// The names on one chain.
#[derive(Clone, Debug)]
pub struct Protocols {
    /// What identify tells; a peer that tells another one is of another network.
    pub network: String,
    /// Questions and answers ([`crate::message::Request`]).
    pub ask: StreamProtocol,
    /// Finding peers.
    pub kad: StreamProtocol,
    /// What gossipsub's protocol names begin with.
    pub gossip: String,
    /// Where transactions are gossiped.
    pub transactions: IdentTopic,
    /// Where blocks are announced.
    pub blocks: IdentTopic,
}

impl Protocols {
    /// The names on the chain of this id.
    #[must_use]
    pub fn of(chain_id: &ChainId) -> Self {
        let stream = |what: &str| {
            StreamProtocol::try_from_owned(format!("/dotp2p/{chain_id}/{what}"))
                .expect("a name that begins with a slash is a protocol's")
        };
        Self {
            network: format!("/dotp2p/{chain_id}/1"),
            ask: stream("ask/1"),
            kad: stream("kad/1"),
            gossip: format!("/dotp2p/{chain_id}/gossip"),
            transactions: IdentTopic::new(format!("/dotp2p/{chain_id}/transactions/1")),
            blocks: IdentTopic::new(format!("/dotp2p/{chain_id}/blocks/1")),
        }
    }
}
