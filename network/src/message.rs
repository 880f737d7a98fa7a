//! What crosses the wire between two peers: questions with their answers, and what is gossiped.
//!
//! SCALE, as blocks are; every count and length is checked **before** anything is allocated for it, nothing may be left
//! over, and what is decoded re-encodes to the same bytes. The chain is not named in any message: it is in the name of
//! every protocol ([`crate::protocol`]), so peers of two chains never get as far as a message.
//!
//! Absent: signatures (libp2p's connections are authenticated), and anything whose size a peer could choose.

mod compact;
#[cfg(test)]
mod tests;

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::codec::{DecodeError, decode_all, decode_bytes, decode_len};
use dotp2p_chain::hash::{BlockHash, Wtxid};
use dotp2p_chain::height::Height;
use dotp2p_chain::pow::Work;
use parity_scale_codec::{Compact, Decode, Encode};

use crate::address::PeerAddress;

pub use compact::{CompactBlock, ShortId, short_id};

/// The version that is told in [`Hello`]. A peer of another one is still talked to: what differs gets a new protocol name.
pub const VERSION: u32 = 1;

/// Hashes in a locator: the tip, then ever wider steps back to genesis.
pub const LOCATOR_MAX: usize = 64;
/// Heads in an answer.
pub const HEADS_MAX: usize = 1_000;
/// Blocks asked for at once.
pub const BLOCKS_MAX: usize = 64;
/// Bytes of blocks or transactions in an answer; the first always fits.
pub const BYTES_MAX: usize = 2 << 20;
/// Ids of transactions in a message.
pub const WTXIDS_MAX: usize = 4_096;
/// Transactions asked for at once.
pub const TRANSACTIONS_MAX: usize = 512;
/// Addresses in an answer.
pub const ADDRESSES_MAX: usize = 256;
/// Bytes of an address with its time, at least: a tag, four of IPv4, a port, eight of the time.
const ADDRESS_BYTES_MIN: usize = 15;
/// Bytes of what a program calls itself.
pub const AGENT_MAX: usize = 64;
/// Bytes of a question: as many places, or as many ids of transactions, as may be asked for.
pub const REQUEST_BYTES_MAX: usize = 32 << 10;
/// Bytes of an answer: one block too many, and lengths.
pub const RESPONSE_BYTES_MAX: usize = BYTES_MAX + (64 << 10);

/// What a peer says of itself, first thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// [`VERSION`] of its program.
    pub version: u32,
    /// `Deployment::hash` (B18). Another one is shown to the operator and no reason to part.
    pub deployment: [u8; 32],
    /// Its tip.
    pub tip: BlockHash,
    /// The tip's height.
    pub height: Height,
    /// Work of its active chain; a claim until its headers were checked.
    pub work: Work,
    /// The program and its version, for people.
    pub agent: String,
}

/// A question to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Who are you; this is me.
    Hello(Hello),
    /// Heads after the first hash of these that is on the active chain.
    Heads(Vec<BlockHash>),
    /// These blocks.
    Blocks(Vec<BlockHash>),
    /// Transactions of a block by their places in it, from 0, ascending.
    BlockTransactions(BlockHash, Vec<u32>),
    /// The ids of all transactions in the pool.
    Pool,
    /// These transactions of the pool.
    Transactions(Vec<Wtxid>),
    /// Addresses of peers.
    Addresses,
}

/// The answer; the kinds go with those of [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// To `Hello`.
    Hello(Hello),
    /// To `Heads`: in order, each the parent of the next; none where nothing follows.
    Heads(Vec<BlockHead>),
    /// To `Blocks`: encoded, as asked for, fewer where they do not fit or are not here.
    Blocks(Vec<Vec<u8>>),
    /// To `BlockTransactions`: encoded, all of them, or none where the block is not here or they do not fit.
    BlockTransactions(Vec<Vec<u8>>),
    /// To `Pool`.
    Pool(Vec<Wtxid>),
    /// To `Transactions`: encoded, those that are in the pool and fit.
    Transactions(Vec<Vec<u8>>),
    /// To `Addresses`: each with the time it was last seen, Unix seconds.
    Addresses(Vec<(PeerAddress, u64)>),
    /// Asked too much; nothing was looked up.
    Busy,
}

/// A gossiped transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GossipTransaction {
    /// Its bytes.
    Whole(Vec<u8>),
    /// Its id, where it is too long for gossip: who wants it asks the sender.
    Id(Wtxid),
}

/// Bytes of a gossiped message.
pub const GOSSIP_BYTES_MAX: usize = 64 << 10;
/// Bytes of a transaction that is gossiped whole.
pub const WHOLE_MAX: usize = GOSSIP_BYTES_MAX - 256;

impl Hello {
    fn encode_to(&self, out: &mut Vec<u8>) {
        (self.version, self.deployment, self.tip, self.height).encode_to(out);
        self.work.to_le_bytes().encode_to(out);
        let agent = self.agent.as_bytes();
        agent.get(..AGENT_MAX.min(agent.len())).unwrap_or_default().encode_to(out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let (version, deployment, tip, height) = <(u32, [u8; 32], BlockHash, Height)>::decode(input)?;
        let work = Work::from_le_bytes(<[u8; 32]>::decode(input)?);
        let agent = decode_bytes(input, "agent", AGENT_MAX)?;
        // It is shown to people: nothing but what can be printed, so that it cannot write over a terminal.
        if !agent.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
            return Err(DecodeError::Scale("agent is not printable ASCII".to_owned()));
        }
        let agent = String::from_utf8_lossy(agent).into_owned();
        Ok(Self { version, deployment, tip, height, work, agent })
    }
}

/// A count, then as many fixed-size items: the count is bounded, and by what is left, before the vector is made.
fn decode_items<T: Decode>(
    input: &mut &[u8],
    what: &'static str,
    max: usize,
    each: usize,
) -> Result<Vec<T>, DecodeError> {
    let count = decode_len(input, what, 0, max.min(input.len() / each))?;
    (0..count).map(|_| Ok(T::decode(input)?)).collect()
}

fn decode_byte_vectors(
    input: &mut &[u8],
    what: &'static str,
    max: usize,
    each: usize,
) -> Result<Vec<Vec<u8>>, DecodeError> {
    let count = decode_len(input, what, 0, max.min(input.len()))?;
    (0..count).map(|_| Ok(decode_bytes(input, what, each)?.to_vec())).collect()
}

impl Request {
    /// The question's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Hello(hello) => {
                out.push(0);
                hello.encode_to(&mut out);
            }
            Self::Heads(locator) => (1u8, locator).encode_to(&mut out),
            Self::Blocks(hashes) => (2u8, hashes).encode_to(&mut out),
            Self::BlockTransactions(hash, places) => (3u8, hash, places).encode_to(&mut out),
            Self::Pool => out.push(4),
            Self::Transactions(wtxids) => (5u8, wtxids).encode_to(&mut out),
            Self::Addresses => out.push(6),
        }
        out
    }

    /// Reads a question; nothing may be left over.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_all(bytes, |input| {
            Ok(match u8::decode(input)? {
                0 => Self::Hello(Hello::decode(input)?),
                1 => Self::Heads(decode_items(input, "locator", LOCATOR_MAX, 32)?),
                2 => Self::Blocks(decode_items(input, "blocks", BLOCKS_MAX, 32)?),
                3 => {
                    let hash = BlockHash::decode(input)?;
                    let places: Vec<u32> = decode_items(input, "places", WTXIDS_MAX, 4)?;
                    if !places.is_sorted_by(|a, b| a < b) {
                        return Err(DecodeError::Scale("places are not strictly ascending".to_owned()));
                    }
                    Self::BlockTransactions(hash, places)
                }
                4 => Self::Pool,
                5 => Self::Transactions(decode_items(input, "transactions", TRANSACTIONS_MAX, 32)?),
                6 => Self::Addresses,
                kind => return Err(DecodeError::Scale(format!("unknown kind of request, {kind}"))),
            })
        })
    }
}

impl Response {
    /// About how much memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Hello(_) | Self::Busy => 0,
            Self::Heads(heads) => heads.len() * BlockHead::LEN,
            Self::Pool(wtxids) => wtxids.len() * 32,
            Self::Blocks(items) | Self::BlockTransactions(items) | Self::Transactions(items) => {
                items.iter().map(|item| item.len() + 4).sum()
            }
            Self::Addresses(addresses) => addresses.len() * 32,
        }
    }

    /// The answer's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Hello(hello) => {
                out.push(0);
                hello.encode_to(&mut out);
            }
            Self::Heads(heads) => {
                out.reserve(8 + heads.len() * BlockHead::LEN);
                out.push(1);
                Compact(u32::try_from(heads.len()).unwrap_or(u32::MAX)).encode_to(&mut out);
                heads.iter().for_each(|head| head.encode_to(&mut out));
            }
            Self::Blocks(blocks) => (2u8, blocks).encode_to(&mut out),
            Self::BlockTransactions(transactions) => (3u8, transactions).encode_to(&mut out),
            Self::Pool(wtxids) => (4u8, wtxids).encode_to(&mut out),
            Self::Transactions(transactions) => (5u8, transactions).encode_to(&mut out),
            Self::Addresses(addresses) => (6u8, addresses).encode_to(&mut out),
            Self::Busy => out.push(255),
        }
        out
    }

    /// Reads an answer; nothing may be left over.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_all(bytes, |input| {
            Ok(match u8::decode(input)? {
                0 => Self::Hello(Hello::decode(input)?),
                1 => {
                    let count = decode_len(input, "heads", 0, HEADS_MAX.min(input.len() / BlockHead::LEN))?;
                    Self::Heads((0..count).map(|_| BlockHead::decode(input)).collect::<Result<_, _>>()?)
                }
                2 => Self::Blocks(decode_byte_vectors(input, "blocks", BLOCKS_MAX, RESPONSE_BYTES_MAX)?),
                3 => Self::BlockTransactions(decode_byte_vectors(input, "transactions", WTXIDS_MAX, BYTES_MAX)?),
                4 => Self::Pool(decode_items(input, "pool", WTXIDS_MAX, 32)?),
                5 => Self::Transactions(decode_byte_vectors(input, "transactions", TRANSACTIONS_MAX, BYTES_MAX)?),
                6 => Self::Addresses(decode_items(input, "addresses", ADDRESSES_MAX, ADDRESS_BYTES_MIN)?),
                255 => Self::Busy,
                kind => return Err(DecodeError::Scale(format!("unknown kind of response, {kind}"))),
            })
        })
    }
}

impl GossipTransaction {
    /// A transaction as it is gossiped.
    #[must_use]
    pub fn new(bytes: &[u8], wtxid: Wtxid) -> Self {
        if bytes.len() <= WHOLE_MAX { Self::Whole(bytes.to_vec()) } else { Self::Id(wtxid) }
    }

    /// The message's bytes: a tag, then the transaction or its id, without a length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Whole(bytes) => [&[0], bytes.as_slice()].concat(),
            Self::Id(wtxid) => [&[1], wtxid.0.as_slice()].concat(),
        }
    }

    /// Reads a message; that the bytes are a transaction is not looked at.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes.split_first() {
            Some((0, bytes)) if bytes.len() <= WHOLE_MAX => Ok(Self::Whole(bytes.to_vec())),
            Some((1, id)) => {
                let wrong = |_| DecodeError::Length { what: "wtxid", len: id.len(), min: 32, max: 32 };
                Ok(Self::Id(Wtxid(id.try_into().map_err(wrong)?)))
            }
            _ => Err(DecodeError::Scale("neither a transaction nor its id".to_owned())),
        }
    }
}
