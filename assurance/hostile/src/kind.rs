//! What hostile peers say, a kind each: the bytes that are sent, and the answers to what they make the victim ask.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::{Block, BlockHead, Coinbase};
use dotp2p_chain::hash::{BlockHash, TxRoot, Wtxid};
use dotp2p_chain::header::Header;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::Params;
use dotp2p_chain::pow::{CompactTarget, Work};
use dotp2p_network::message::{BLOCKS_MAX, CompactBlock, GossipTransaction, Hello, Request, Response, VERSION};
use dotp2p_network::protocol::Protocols;
use dotp2p_wallet::{FeeRate, Keys, Phrase, TxPlan};

use crate::wire::{field, framed, opening, with_length};

/// Transactions of those who have nothing; sent again when all were.
const POOR: u64 = 4_096;

/// What a hostile peer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Questions that are none.
    Noise,
    /// Questions that announce four gigabytes.
    Lengths,
    /// Block announcements that do not decode.
    Garbled,
    /// Transactions with a bad signature.
    Signatures,
    /// Announcements of blocks without work.
    Workless,
    /// Announcements of blocks whose roots are not the header's.
    Roots,
    /// Announcements of blocks that are good, with another body when it is asked for.
    Bodies,
    /// Ids of transactions, and others when they are asked for.
    Unasked,
    /// Greetings, and no answers but noise.
    Answers,
    /// Good questions, without end.
    Questions,
    /// Ids of transactions, and never a word when they are asked for.
    Ids,
    /// Well-signed transactions of those who have nothing.
    Poor,
    /// One bad message, over and over: gossip shows it to the node once.
    Repeated,
    /// Messages that name their sender, which gossip does not show to the node.
    Named,
    /// Subscriptions to topics of its own.
    Topics,
    /// Messages that it is said to have, and has not.
    Promises,
    /// Messages of a topic that nobody listens to.
    Foreign,
    /// Questions for the victim's newest blocks, whose answers are never read.
    Unread,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Noise,
        Self::Lengths,
        Self::Garbled,
        Self::Signatures,
        Self::Workless,
        Self::Roots,
        Self::Bodies,
        Self::Unasked,
        Self::Answers,
        Self::Questions,
        Self::Ids,
        Self::Poor,
        Self::Repeated,
        Self::Named,
        Self::Topics,
        Self::Promises,
        Self::Foreign,
        Self::Unread,
    ];

    /// As it is called in figures and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::Lengths => "lengths",
            Self::Garbled => "garbled",
            Self::Signatures => "signatures",
            Self::Workless => "workless",
            Self::Roots => "roots",
            Self::Bodies => "bodies",
            Self::Unasked => "unasked",
            Self::Answers => "answers",
            Self::Questions => "questions",
            Self::Ids => "ids",
            Self::Poor => "poor",
            Self::Repeated => "repeated",
            Self::Named => "named",
            Self::Topics => "topics",
            Self::Promises => "promises",
            Self::Foreign => "foreign",
            Self::Unread => "unread",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| format!("the kinds are {}", known()))
    }

    /// Whether each message has a stream of its own; those of gossip share one.
    pub fn asks(self) -> bool {
        matches!(self, Self::Noise | Self::Lengths | Self::Answers | Self::Questions | Self::Unread)
    }

    /// Whether it reads what it is answered.
    pub fn reads(self) -> bool {
        self != Self::Unread
    }
}

/// What is known of the victim, and what was made beforehand.
pub struct Target {
    params: Params,
    protocols: Protocols,
    ask: Vec<u8>,
    seed: u64,
    head: BlockHead,
    /// The question for the newest blocks.
    newest: Request,
    /// A transaction of a key that has nothing, with a good signature.
    good: Vec<u8>,
    poor: Vec<Vec<u8>>,
}

impl Target {
    /// What peers of these kinds need.
    ///
    /// - `seed`: of another seed all messages are others, for gossip does not show a node twice what it has seen.
    /// - `heads`: the victim's answer when it was asked for them.
    pub fn new(params: Params, seed: u64, heads: &[u8], kinds: &[Kind]) -> Result<Self, String> {
        let entropy = seed.to_le_bytes().repeat(2);
        let phrase = Phrase::from_entropy(&entropy).map_err(|error| error.to_string())?;
        let keys = Keys::new(&phrase.seed(), 1).map_err(|error| error.to_string())?;
        let protocols = Protocols::of(&params.chain_id);
        let heads = heads.split_first_chunk::<4>().map(|(_, heads)| Response::decode(heads));
        let Some(Ok(Response::Heads(heads))) = heads else {
            return Err("the victim does not tell its heads".to_owned());
        };
        let newest = heads.iter().rev().take(BLOCKS_MAX).rev().map(BlockHead::hash).collect();
        let head = heads.last().copied();
        let transaction = |nonce| {
            let plan = TxPlan::new(keys.first(), nonce).pay(PublicKey([9; 32]), Amount::from_coins(1));
            let signed = plan.with_fee_rate(FeeRate(10)).sign(&keys, &params.chain_id);
            signed.map(|it| it.bytes().to_vec()).map_err(|error| error.to_string())
        };
        let good = transaction(0)?;
        let count = if kinds.contains(&Kind::Poor) { POOR } else { 0 };
        let poor = (1..=count).map(transaction).collect::<Result<_, _>>()?;
        let ask = opening(protocols.ask.as_ref());
        let head = head.unwrap_or_else(|| Block::genesis(&params.rules).head);
        Ok(Self { params, protocols, ask, seed, head, newest: Request::Blocks(newest), good, poor })
    }

    /// The names of its protocols.
    pub fn protocols(&self) -> &Protocols {
        &self.protocols
    }

    fn publish(&self, topic: &str, data: &[u8], more: &[u8]) -> Vec<u8> {
        framed(&field(2, &[more, &field(2, data), &field(4, topic.as_bytes())].concat()))
    }

    fn block(&self, data: &[u8]) -> Vec<u8> {
        self.publish(self.protocols.blocks.hash().as_str(), data, &[])
    }

    fn transaction(&self, message: &GossipTransaction) -> Vec<u8> {
        self.publish(self.protocols.transactions.hash().as_str(), &message.encode(), &[])
    }

    fn ask(&self, question: &[u8]) -> Vec<u8> {
        [self.ask.as_slice(), &with_length(question)].concat()
    }

    fn announcement(&self, head: BlockHead) -> Vec<u8> {
        let coinbase = Coinbase { to: PublicKey([9; 32]), extra: Vec::new() };
        self.block(&CompactBlock { head, coinbase, short_ids: Vec::new() }.encode())
    }

    /// The tip's header with another commitment, and enough work for it.
    fn worked(&self, header: Header, number: u64) -> Header {
        let target = header.bits.to_target();
        let first = number << 16;
        let tried = (first..first + 0xffff).map(|nonce| Header { nonce, ..header });
        let is_met = |header: &Header| target.is_some_and(|target| target.is_met_by(&header.hash()));
        tried.into_iter().find(is_met).unwrap_or(header)
    }

    /// Message `number` of its kind: the whole stream of a question, a frame of gossip. No two are the same, but where that
    /// is what is bad about them.
    pub fn message(&self, kind: Kind, number: u64) -> Vec<u8> {
        let unique = (number ^ self.seed).to_le_bytes();
        let hash: [u8; 32] = std::array::from_fn(|at| unique.get(at % 8).copied().unwrap_or_default() ^ 0x5a);
        let id = || GossipTransaction::Id(Wtxid(hash));
        match kind {
            Kind::Noise => self.ask(&[[0xee; 8], unique].concat().repeat(16)),
            Kind::Lengths => [self.ask.as_slice(), &u32::MAX.to_le_bytes(), &unique].concat(),
            Kind::Garbled => self.block(&[7, 7, 7, 7].into_iter().chain(unique).cycle().take(300).collect::<Vec<_>>()),
            Kind::Signatures => {
                // The second half of the signature, which comes last, is a number; the first stays a point.
                let mut bytes = self.good.clone();
                let from = bytes.len().saturating_sub(unique.len());
                bytes.iter_mut().skip(from).zip(unique).for_each(|(byte, it)| *byte ^= it ^ 0xa5);
                self.transaction(&GossipTransaction::Whole(bytes))
            }
            Kind::Workless => {
                let bits = CompactTarget::from_consensus(0x0300_0001);
                self.announcement(BlockHead {
                    header: Header { bits, nonce: number ^ self.seed, ..self.head.header },
                    ..self.head
                })
            }
            Kind::Roots => {
                let mut head = self.head;
                head.roots.tx_root = TxRoot(hash);
                head.header = self.worked(head.header, number);
                self.announcement(head)
            }
            Kind::Bodies => {
                let mut head = self.head;
                head.roots.tx_root = TxRoot(hash);
                head.header = self.worked(Header { commitment: head.roots.commitment(), ..head.header }, number);
                self.announcement(head)
            }
            Kind::Unasked | Kind::Ids => self.transaction(&id()),
            Kind::Answers => self.ask(&Request::Hello(self.hello()).encode()),
            Kind::Questions => self.ask(&match number % 4 {
                0 => Request::Pool.encode(),
                1 => Request::Addresses.encode(),
                2 => Request::Heads(vec![BlockHash(hash)]).encode(),
                _ => Request::Blocks(vec![BlockHash(hash); 64]).encode(),
            }),
            Kind::Poor => {
                let at = usize::try_from(number).unwrap_or_default().checked_rem(self.poor.len()).unwrap_or_default();
                let bytes = self.poor.get(at).unwrap_or(&self.good).clone();
                self.transaction(&GossipTransaction::Whole(bytes))
            }
            Kind::Repeated => self.block(&self.seed.to_le_bytes().repeat(32)),
            Kind::Named => self.publish(self.protocols.blocks.hash().as_str(), &unique, &field(1, &hash)),
            Kind::Topics => {
                framed(&field(1, &[&[8, 1], field(2, format!("topic {number}").as_bytes()).as_slice()].concat()))
            }
            Kind::Promises => {
                let topic = self.protocols.blocks.hash();
                framed(&field(3, &field(1, &[field(1, topic.as_str().as_bytes()), field(2, &hash)].concat())))
            }
            Kind::Foreign => self.publish("elsewhere", &unique.repeat(128), &[]),
            Kind::Unread => self.ask(&self.newest.encode()),
        }
    }

    /// What a peer of that kind says when the victim asks it; `None`: nothing.
    pub fn answer(&self, kind: Kind, question: &[u8]) -> Option<Vec<u8>> {
        match (kind, Request::decode(question)) {
            (Kind::Bodies, Ok(Request::Blocks(_))) => Some(with_length(&Response::Blocks(vec![vec![3; 400]]).encode())),
            (Kind::Unasked, Ok(Request::Transactions(_))) => {
                Some(with_length(&Response::Transactions(vec![self.good.clone()]).encode()))
            }
            (Kind::Answers, _) => Some(with_length(&[0xee; 200])),
            _ => None,
        }
    }

    /// It claims so much work that it is asked for its heads.
    fn hello(&self) -> Hello {
        Hello {
            version: VERSION,
            deployment: self.params.deployment.hash(),
            tip: self.head.hash(),
            height: self.head.roots.height,
            work: Work::from_le_bytes([0x7f; 32]),
            agent: "hostile".to_owned(),
        }
    }
}

/// The name of gossip's protocol, of two the newer.
pub fn gossip_protocol(protocols: &Protocols) -> String {
    format!("{}/1.1.0", protocols.gossip)
}

/// The question for all heads, as a whole stream.
pub fn ask_heads(protocols: &Protocols) -> Vec<u8> {
    [opening(protocols.ask.as_ref()), with_length(&Request::Heads(Vec::new()).encode())].concat()
}
