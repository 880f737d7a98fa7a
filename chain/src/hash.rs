//! Hashes, a newtype a meaning, and the tagged hash of BIP 340.
//!
//! Bytes are hashed, stored and sent in the order SHA-256 gives; only block hashes are shown reversed, as Bitcoin does.

use core::fmt;
use core::str::FromStr;
use std::sync::LazyLock;

use parity_scale_codec::{Decode, Encode, Output};
use sha2::{Digest, Sha256};

/// SHA-256 of `data`.
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// SHA-256 of the SHA-256 of `data`, as Bitcoin hashes its headers.
#[must_use]
pub fn sha256d(data: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(data)).into()
}

/// A tag's hasher with both copies of its hash already absorbed: 64 bytes not hashed again each time.
pub struct Tag(LazyLock<Sha256>);

impl Tag {
    /// `H(tag, parts[0] ‖ parts[1] ‖ …)`.
    #[must_use]
    pub fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = self.0.clone();
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().into()
    }

    /// `H(tag, bytes)` of the bytes that `encode` writes, which are nowhere else.
    #[must_use]
    pub fn hash_encoded(&self, encode: impl FnOnce(&mut Absorb)) -> [u8; 32] {
        let mut absorb = Absorb(self.0.clone());
        encode(&mut absorb);
        absorb.0.finalize().into()
    }
}

/// A hasher that values are encoded into.
pub struct Absorb(Sha256);

impl Output for Absorb {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

fn midstate(tag: &str) -> Sha256 {
    let tag = sha256(tag.as_bytes());
    Sha256::new_with_prefix(tag).chain_update(tag)
}

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$(
        $(#[$doc])*
        pub static $name: Tag = Tag(LazyLock::new(|| midstate($text)));
    )*};
}

/// The tags of the protocol, each used for one thing.
pub mod tag {
    use super::{LazyLock, Tag, midstate};

    tags! {
        /// The three roots and the height, in a header.
        COMMITMENT = "dotp2p/commitment";
        /// The Rules, in the genesis coinbase.
        RULES = "dotp2p/rules";
        /// Activation heights and checkpoints, told in the handshake.
        DEPLOYMENT = "dotp2p/deployment";
        /// An inner node of the header mountain range.
        HISTORY = "dotp2p/history";
        /// What a transaction's keys sign.
        SIGHASH = "dotp2p/sighash";
        /// A transaction without its signatures.
        TX = "dotp2p/tx";
        /// A transaction with its signatures.
        WTX = "dotp2p/wtx";
        /// What a commitment hides.
        CLAIM = "dotp2p/claim";
        /// A name's records.
        RECORDS = "dotp2p/records";
        /// An entry's place in the state tree.
        KEY = "dotp2p/key";
        /// A leaf of the state tree.
        LEAF = "dotp2p/leaf";
        /// An entry's value in the state tree.
        VALUE = "dotp2p/value";
        /// An inner node of the state tree.
        NODE = "dotp2p/node";
        /// A transaction in a compact block; between two peers alone.
        SHORT_ID = "dotp2p/short-id";
        /// What a signature answers to; BIP 340's own.
        CHALLENGE = "BIP0340/challenge";
        /// Coefficients of a batch of signatures; of no meaning outside one check.
        BATCH = "BIP0340/batch";
    }
}

/// Why a text is not a hash or key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not 64 hexadecimal digits")]
pub struct HexError(pub String);

/// Lower-case hexadecimal of `bytes`.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    use core::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of a hexadecimal text, in either case; `None` where it is none.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

fn array_from_hex(text: &str) -> Result<[u8; 32], HexError> {
    from_hex(text).and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| HexError(text.to_owned()))
}

macro_rules! hash_newtype {
    ($($(#[$doc:meta])* $name:ident $(, $reversed:ident)?;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// Thirty-two zero bytes.
            pub const ZERO: Self = Self([0; 32]);
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                #[allow(unused_mut, reason = "only some hashes are shown reversed")]
                let mut bytes = self.0;
                $(bytes.$reversed();)?
                f.write_str(&to_hex(&bytes))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = HexError;
            fn from_str(text: &str) -> Result<Self, HexError> {
                #[allow(unused_mut, reason = "only some hashes are shown reversed")]
                let mut bytes = array_from_hex(text)?;
                $(bytes.$reversed();)?
                Ok(Self(bytes))
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    )*};
}

hash_newtype! {
    /// A block's identity and its work: double SHA-256 of its header. Shown reversed.
    BlockHash, reverse;
    /// A transaction without its signatures.
    Txid;
    /// A transaction with its signatures; pools and relay go by it.
    Wtxid;
    /// What each key of a transaction signs.
    Sighash;
    /// Root of the RFC 6962 tree over a block's coinbase and transactions.
    TxRoot;
    /// Root of the state tree after a block.
    StateRoot;
    /// Root of the mountain range over all headers before a block.
    HistoryRoot;
    /// A header's commitment to its height and three roots.
    RootsCommitment;
    /// What a Commit publishes: the hash of a Claim to come.
    CommitmentHash;
    /// The hash of a name's records.
    RecordsHash;
    /// The genesis hash, which names the chain. Shown reversed, being a block's.
    ChainId, reverse;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tagged_hash_is_bip340s() {
        let tag = sha256(b"dotp2p/tx");
        let mut plain = Vec::from(tag);
        plain.extend_from_slice(&tag);
        plain.extend_from_slice(b"abc");
        assert_eq!(tag::TX.hash(&[b"a", b"bc"]), sha256(&plain));
        assert_eq!(tag::TX.hash_encoded(|out| b"abc".encode_to(out)), sha256(&plain));
    }

    #[test]
    fn only_block_hashes_are_reversed() {
        let mut bytes = [0; 32];
        bytes[31] = 0xab;
        assert!(BlockHash(bytes).to_string().starts_with("ab00"));
        assert!(Txid(bytes).to_string().ends_with("00ab"));
        assert_eq!(BlockHash(bytes).to_string().parse(), Ok(BlockHash(bytes)));
        assert_eq!("ab".parse::<Txid>(), Err(HexError("ab".to_owned())));
    }

    #[test]
    fn hex_refuses_what_is_not_hex() {
        assert_eq!(from_hex("0aFF"), Some(vec![0x0a, 0xff]));
        for text in ["0", "0g", "+1", "é0"] {
            assert_eq!(from_hex(text), None);
        }
    }
}
