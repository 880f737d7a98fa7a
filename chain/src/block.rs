//! Blocks: header, what it commits to, proof of work, coinbase and transactions.

use parity_scale_codec::{Compact, Decode, Encode};

use crate::codec::{DecodeError, decode_all, decode_bytes, decode_len};
use crate::hash::{BlockHash, TxRoot, tag};
use crate::header::{Header, Roots};
use crate::height::Height;
use crate::key::PublicKey;
use crate::merkle;
use crate::params::Rules;
use crate::tx::Transaction;

/// How a header proves its work (P8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pow {
    /// Tag 0: the header's own hash meets the target.
    Native,
}

impl Pow {
    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        match u8::decode(input)? {
            0 => Ok(Self::Native),
            tag => Err(DecodeError::PowTag(tag)),
        }
    }
}

/// Whom a block rewards (B8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coinbase {
    /// Subsidy and fees, once matured.
    pub to: PublicKey,
    /// Free for the miner, at most [`Coinbase::MAX_EXTRA`] bytes.
    pub extra: Vec<u8>,
}

impl Coinbase {
    /// The most bytes of `extra`.
    pub const MAX_EXTRA: usize = 64;

    /// SCALE(coinbase): leaf 0 of the transaction tree.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.to.encode();
        self.extra.encode_to(&mut out);
        out
    }

    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let to = PublicKey::decode(input)?;
        let extra = decode_bytes(input, "extra", Self::MAX_EXTRA)?.to_vec();
        Ok(Self { to, extra })
    }
}

/// A header together with its roots and its proof: what header messages, samples and proofs carry (B8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHead {
    /// The 88 bytes.
    pub header: Header,
    /// What its commitment opens to.
    pub roots: Roots,
    /// Its work.
    pub pow: Pow,
}

impl BlockHead {
    /// Bytes of a head with native proof: 88 + 100 + 1.
    pub const LEN: usize = 189;

    /// header ‖ height ‖ tx_root ‖ state_root ‖ history_root ‖ pow.
    pub fn encode_to(&self, out: &mut Vec<u8>) {
        self.header.encode_to(out);
        self.roots.encode_to(out);
        match self.pow {
            Pow::Native => out.push(0),
        }
    }

    /// Reads a head off the front of `input`.
    pub fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let header = Header::decode(input)?;
        let roots = Roots::decode(input)?;
        Ok(Self { header, roots, pow: Pow::decode(input)? })
    }

    /// The block's hash.
    #[must_use]
    pub fn hash(&self) -> BlockHash {
        self.header.hash()
    }
}

/// A block (B8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Header, roots, proof.
    pub head: BlockHead,
    /// Whom it rewards.
    pub coinbase: Coinbase,
    /// In the order they are carried out.
    pub transactions: Vec<Transaction>,
}

impl Block {
    /// The genesis block of a network: nothing in it but the Rules it commits to (B5).
    #[must_use]
    pub fn genesis(rules: &Rules) -> Self {
        let extra = tag::RULES.hash(&[&rules.encode()]).to_vec();
        let coinbase = Coinbase { to: PublicKey([0; 32]), extra };
        let roots = Roots {
            height: Height::GENESIS,
            tx_root: tx_root(&coinbase, &[]),
            state_root: crate::entry::genesis_state_root(),
            history_root: Default::default(),
        };
        let header = Header {
            version: 1,
            prev_blockhash: BlockHash::ZERO,
            commitment: roots.commitment(),
            time: rules.genesis_time,
            bits: rules.genesis_bits,
            nonce: 0,
        };
        Self { head: BlockHead { header, roots, pow: Pow::Native }, coinbase, transactions: Vec::new() }
    }

    /// The block's hash.
    #[must_use]
    pub fn hash(&self) -> BlockHash {
        self.head.hash()
    }

    /// The root its coinbase and transactions give.
    #[must_use]
    pub fn tx_root(&self) -> TxRoot {
        tx_root(&self.coinbase, &self.transactions)
    }

    /// SCALE(coinbase, transactions): the part that the body limit counts.
    #[must_use]
    pub fn encode_body(&self) -> Vec<u8> {
        let mut out = self.coinbase.encode();
        Compact(u32::try_from(self.transactions.len()).unwrap_or(u32::MAX)).encode_to(&mut out);
        for transaction in &self.transactions {
            out.extend_from_slice(transaction.bytes());
        }
        out
    }

    /// The whole block.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BlockHead::LEN + 512);
        self.head.encode_to(&mut out);
        out.append(&mut self.encode_body());
        out
    }

    /// Reads a whole block; nothing may be left over. Rule B8, with the limits of `rules`.
    pub fn decode(bytes: &[u8], rules: &Rules) -> Result<Self, DecodeError> {
        decode_all(bytes, |input| {
            let head = BlockHead::decode(input)?;
            let (coinbase, transactions) = decode_body(input, rules)?;
            Ok(Self { head, coinbase, transactions })
        })
    }
}

/// Reads coinbase and transactions, which are all of `input`; the body limit comes first.
fn decode_body(input: &mut &[u8], rules: &Rules) -> Result<(Coinbase, Vec<Transaction>), DecodeError> {
    let max = usize::try_from(rules.body_max).unwrap_or(usize::MAX);
    if input.len() > max {
        return Err(DecodeError::Length { what: "body", len: input.len(), min: 0, max });
    }
    let coinbase = Coinbase::decode(input)?;
    let count = decode_len(input, "transactions", 0, input.len() / MIN_TRANSACTION_LEN)?;
    let mut transactions = Vec::with_capacity(count);
    for _ in 0..count {
        transactions.push(Transaction::decode(input, rules)?);
    }
    Ok((coinbase, transactions))
}

/// version 1 + payer 32 + three compacts 3 + signers 1 + ops 1 + the shortest op 3 (Renew of a zero-byte name) + signature 64.
const MIN_TRANSACTION_LEN: usize = 105;

/// RFC 6962 root: leaf 0 the coinbase, then the transactions with their signatures (B10).
#[must_use]
pub fn tx_root(coinbase: &Coinbase, transactions: &[Transaction]) -> TxRoot {
    let coinbase = coinbase.encode();
    merkle::root(std::iter::once(coinbase.as_slice()).chain(transactions.iter().map(Transaction::bytes)))
}
