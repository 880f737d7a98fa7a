//! Transactions: ops of one payer, signed as a whole.

use parity_scale_codec::{Compact, Decode, Encode};

use crate::amount::Amount;
use crate::codec::{DecodeError, decode_all, decode_len, take};
use crate::hash::{ChainId, Sighash, Txid, Wtxid, tag};
use crate::height::Height;
use crate::key::{PublicKey, Signature};
use crate::op::{Op, decode_compact_u32};
use crate::params::Rules;

/// The most keys besides the payer that can sign (T4).
pub const MAX_SIGNERS: usize = 16;
/// The most ops in a transaction (T4).
pub const MAX_OPS: usize = 100;

/// What is signed: everything but the signatures (T1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Pays fee and burns; always signs.
    pub payer: PublicKey,
    /// The payer's transactions so far, from 0.
    pub nonce: u64,
    /// To the miner.
    pub fee: Amount,
    /// The last height at which it is valid; `None` for ever.
    pub expiry: Option<Height>,
    /// Other keys that sign: strictly ascending, without the payer.
    pub signers: Vec<PublicKey>,
    /// 1 to [`MAX_OPS`] ops, carried out in order, all or none.
    pub ops: Vec<Op>,
}

impl Body {
    /// The only version.
    pub const VERSION: u8 = 1;

    /// The body's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        Self::VERSION.encode_to(&mut out);
        self.payer.encode_to(&mut out);
        Compact(self.nonce).encode_to(&mut out);
        Compact(self.fee.atoms()).encode_to(&mut out);
        Compact(self.expiry.map_or(0, |height| height.0)).encode_to(&mut out);
        self.signers.encode_to(&mut out);
        self.ops.encode_to(&mut out);
        out
    }

    /// Reads a body off the front of `input`; every bound of T4 is checked here.
    pub fn decode(input: &mut &[u8], rules: &Rules) -> Result<Self, DecodeError> {
        let version = u8::decode(input)?;
        if version != Self::VERSION {
            return Err(DecodeError::BodyVersion(version));
        }
        let payer = PublicKey::decode(input)?;
        let nonce = Compact::<u64>::decode(input)?.0;
        let fee = Amount::from_atoms(Compact::<u64>::decode(input)?.0);
        let expiry = decode_compact_u32(input)?;
        let count = decode_len(input, "signers", 0, MAX_SIGNERS)?;
        let signers = (0..count).map(|_| PublicKey::decode(input)).collect::<Result<Vec<_>, _>>()?;
        if !signers.is_sorted_by(|a, b| a < b) || signers.contains(&payer) {
            return Err(DecodeError::Signers);
        }
        let count = decode_len(input, "ops", 1, MAX_OPS)?;
        let ops = (0..count).map(|_| decode_op(input, rules)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { payer, nonce, fee, expiry: (expiry != 0).then_some(Height(expiry)), signers, ops })
    }

    /// What every signer signs: `H("dotp2p/sighash", chain_id ‖ Body)`.
    #[must_use]
    pub fn sighash(&self, chain_id: &ChainId) -> Sighash {
        Sighash(tag::SIGHASH.hash(&[&chain_id.0, &self.encode()]))
    }

    /// Every key that must sign, the payer first.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        std::iter::once(&self.payer).chain(&self.signers)
    }
}

fn decode_op(input: &mut &[u8], rules: &Rules) -> Result<Op, DecodeError> {
    let op = Op::decode(input)?;
    if let Op::Update(update) = &op {
        let (len, max) = (update.records.len(), usize::try_from(rules.records_max).unwrap_or(usize::MAX));
        if len > max {
            return Err(DecodeError::Length { what: "records", len, min: 0, max });
        }
    }
    Ok(op)
}

/// A signed transaction, with the bytes it was decoded from (T3).
///
/// Invariant: the bytes are the encoding of body and signatures, so hashes never encode again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    body: Body,
    signatures: Vec<Signature>,
    bytes: Vec<u8>,
    body_len: usize,
}

impl Transaction {
    /// Joins a body with its signatures: the payer's, then the signers' in their order.
    ///
    /// `None` if there are not as many signatures as keys.
    #[must_use]
    pub fn new(body: Body, signatures: Vec<Signature>) -> Option<Self> {
        if signatures.len() != 1 + body.signers.len() {
            return None;
        }
        let mut bytes = body.encode();
        let body_len = bytes.len();
        for signature in &signatures {
            signature.encode_to(&mut bytes);
        }
        Some(Self { body, signatures, bytes, body_len })
    }

    /// Reads a transaction off the front of `input`.
    pub fn decode(input: &mut &[u8], rules: &Rules) -> Result<Self, DecodeError> {
        let start = *input;
        let body = Body::decode(input, rules)?;
        let body_len = start.len() - input.len();
        let signatures = (0..=body.signers.len()).map(|_| Signature::decode(input)).collect::<Result<Vec<_>, _>>()?;
        let len = start.len() - input.len();
        let mut rest = start;
        let bytes = take(&mut rest, len)?.to_vec();
        Ok(Self { body, signatures, bytes, body_len })
    }

    /// Reads a transaction that stands alone: nothing is left over, and a block could hold it (T4h).
    pub fn from_bytes(bytes: &[u8], rules: &Rules) -> Result<Self, DecodeError> {
        let max = usize::try_from(rules.body_max).unwrap_or(usize::MAX).saturating_sub(Self::AROUND);
        if bytes.len() > max {
            return Err(DecodeError::Length { what: "transaction", len: bytes.len(), min: 0, max });
        }
        decode_all(bytes, |input| Self::decode(input, rules))
    }

    /// Bytes of the smallest body around one transaction: `to` 32, an empty extra 1, the count 1.
    pub const AROUND: usize = 34;

    /// What was signed.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The payer's signature, then the signers'.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The encoded transaction, signatures included.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn body_bytes(&self) -> &[u8] {
        self.bytes.get(..self.body_len).unwrap_or_default()
    }

    /// The identity that signatures cannot change: `H("dotp2p/tx", chain_id ‖ Body)`.
    #[must_use]
    pub fn txid(&self, chain_id: &ChainId) -> Txid {
        Txid(tag::TX.hash(&[&chain_id.0, self.body_bytes()]))
    }

    /// The identity with signatures: `H("dotp2p/wtx", Transaction)`.
    #[must_use]
    pub fn wtxid(&self) -> Wtxid {
        Wtxid(tag::WTX.hash(&[&self.bytes]))
    }

    /// What its keys signed.
    #[must_use]
    pub fn sighash(&self, chain_id: &ChainId) -> Sighash {
        Sighash(tag::SIGHASH.hash(&[&chain_id.0, self.body_bytes()]))
    }

    /// Each key with its signature.
    pub fn key_signatures(&self) -> impl Iterator<Item = (&PublicKey, &Signature)> {
        self.body.keys().zip(&self.signatures)
    }
}
