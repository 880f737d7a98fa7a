//! The ten operations a transaction can hold.
//!
//! Layout: the op's number in one byte, then its fields in order (T2). A name field holds any bytes up
//! to 63: whether they are a name is validity, not form, so that a block with a bad name is known to be bad by its hash.

#![allow(clippy::cast_possible_truncation, reason = "the derived encoding of an op's number, which is below 10")]

use parity_scale_codec::{Compact, Decode, Encode, Error, Input, Output};

use crate::amount::Amount;
use crate::codec::decode_len;
use crate::hash::{ChainId, CommitmentHash, tag};
use crate::key::PublicKey;
use crate::name::{Name, NameError};

/// The name field of an op: at most 63 bytes, a name or not. Which of both is found once, as it is read.
#[derive(Clone, Debug)]
pub struct NameBytes(Form);

#[derive(Clone, Debug)]
enum Form {
    Name(Name),
    Other(Vec<u8>),
}

impl NameBytes {
    /// Any bytes that fit the field.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let form = || Name::from_bytes(bytes).map_or_else(|_| Form::Other(bytes.to_vec()), Form::Name);
        (bytes.len() <= Name::MAX_LEN).then(|| Self(form()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Name(name) => name.as_bytes(),
            Form::Other(bytes) => bytes,
        }
    }

    /// The name they are, if they are one (N1, N2).
    pub fn to_name(&self) -> Result<Name, NameError> {
        match &self.0 {
            Form::Name(name) => Ok(name.clone()),
            Form::Other(bytes) => Name::from_bytes(bytes),
        }
    }
}

impl PartialEq for NameBytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for NameBytes {}

impl From<&Name> for NameBytes {
    fn from(name: &Name) -> Self {
        Self(Form::Name(name.clone()))
    }
}

impl Encode for NameBytes {
    fn encode_to<T: Output + ?Sized>(&self, out: &mut T) {
        self.as_bytes().encode_to(out);
    }
}

impl Decode for NameBytes {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let len = decode_len(input, "name", 0, Name::MAX_LEN).map_err(|_| Error::from("name of more than 63 bytes"))?;
        let mut bytes = [0; Name::MAX_LEN];
        let bytes = bytes.get_mut(..len).unwrap_or_default();
        input.read(bytes)?;
        Self::new(bytes).ok_or_else(|| Error::from("name of more than 63 bytes"))
    }
}

/// A salt: 16 bytes that hide which name a commitment is for.
pub type Salt = [u8; 16];

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Op {
    /// Moves coins.
    #[codec(index = 0)]
    Pay(Pay),
    /// Reserves a place for a claim without telling the name.
    #[codec(index = 1)]
    Commit(Commit),
    /// Takes a free or released name.
    #[codec(index = 2)]
    Claim(Claim),
    /// Replaces a name's records.
    #[codec(index = 3)]
    Update(Update),
    /// Adds years.
    #[codec(index = 4)]
    Renew(Renew),
    /// Sets manager and recovery key.
    #[codec(index = 5)]
    SetKeys(SetKeys),
    /// Gives a name away.
    #[codec(index = 6)]
    Transfer(Transfer),
    /// Offers a name for sale.
    #[codec(index = 7)]
    Offer(Offer),
    /// Takes an offer.
    #[codec(index = 8)]
    Buy(Buy),
    /// Takes a name back with the recovery key.
    #[codec(index = 9)]
    Recover(Recover),
}

/// Op 0: `amount` from the payer to `to`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Pay {
    /// Who is paid.
    pub to: PublicKey,
    /// How much; not 0.
    #[codec(compact)]
    pub amount: Amount,
}

/// Op 1: publishes the hash of a [`Claim`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Commit {
    /// [`Claim::commitment`].
    pub hash: CommitmentHash,
}

/// Op 2: takes `name` for `owner`, who committed to just this.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Claim {
    /// The name.
    pub name: NameBytes,
    /// Who will own it.
    pub owner: PublicKey,
    /// As committed.
    pub salt: Salt,
}

impl Claim {
    /// `H("dotp2p/claim", chain_id ‖ SCALE(op))`, the op's number included.
    #[must_use]
    pub fn commitment(&self, chain_id: &ChainId) -> CommitmentHash {
        let op = Op::Claim(self.clone()).encode();
        CommitmentHash(tag::CLAIM.hash(&[&chain_id.0, &op]))
    }
}

/// Op 3: `records` replace the name's records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Update {
    /// The name.
    pub name: NameBytes,
    /// Canonical [`crate::records::Records`]; checked as validity (R1 and following).
    pub records: Vec<u8>,
}

/// Op 4: `years` more, paid by anyone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Renew {
    /// The name.
    pub name: NameBytes,
    /// 1 to 10.
    pub years: u8,
}

/// Op 5: the new manager and recovery key; absent means none.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SetKeys {
    /// The name.
    pub name: NameBytes,
    /// May change records.
    pub manager: Option<PublicKey>,
    /// May take the name back.
    pub recovery: Option<PublicKey>,
}

/// Op 6: a new owner.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Transfer {
    /// The name.
    pub name: NameBytes,
    /// The new owner.
    pub to: PublicKey,
}

/// Op 7: sets, replaces or (price 0) withdraws an offer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Offer {
    /// The name.
    pub name: NameBytes,
    /// What a buyer pays; 0 withdraws.
    #[codec(compact)]
    pub price: Amount,
    /// The only key that may buy, if one is named.
    pub buyer: Option<PublicKey>,
}

/// Op 8: the payer takes the offer at its price.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Buy {
    /// The name.
    pub name: NameBytes,
    /// The offer's price.
    #[codec(compact)]
    pub price: Amount,
}

/// Op 9: the recovery key names a new owner.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Recover {
    /// The name.
    pub name: NameBytes,
    /// The new owner.
    pub to: PublicKey,
}

impl Op {
    /// The name the op is about, if it is about one.
    #[must_use]
    pub fn name(&self) -> Option<&NameBytes> {
        match self {
            Self::Pay(_) | Self::Commit(_) => None,
            Self::Claim(Claim { name, .. })
            | Self::Update(Update { name, .. })
            | Self::Renew(Renew { name, .. })
            | Self::SetKeys(SetKeys { name, .. })
            | Self::Transfer(Transfer { name, .. })
            | Self::Offer(Offer { name, .. })
            | Self::Buy(Buy { name, .. })
            | Self::Recover(Recover { name, .. }) => Some(name),
        }
    }

    /// The op's name in lower case, as RPC and CLI show it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Pay(_) => "pay",
            Self::Commit(_) => "commit",
            Self::Claim(_) => "claim",
            Self::Update(_) => "update",
            Self::Renew(_) => "renew",
            Self::SetKeys(_) => "setkeys",
            Self::Transfer(_) => "transfer",
            Self::Offer(_) => "offer",
            Self::Buy(_) => "buy",
            Self::Recover(_) => "recover",
        }
    }
}

/// Reads a compact `u32` (a transaction's expiry).
pub(crate) fn decode_compact_u32(input: &mut &[u8]) -> Result<u32, Error> {
    Ok(Compact::<u32>::decode(input)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_name_are_its_own() {
        let bytes = NameBytes::new(b"al_ce");
        assert_eq!(bytes.as_ref().map(NameBytes::as_bytes), Some(&b"al_ce"[..]));
        assert_eq!(NameBytes::new(&[b'a'; Name::MAX_LEN + 1]), None);
        assert_ne!(bytes, NameBytes::new(b"alice"));
        assert_ne!(NameBytes::new(b"alicf"), NameBytes::new(b"alice"));
    }
}
