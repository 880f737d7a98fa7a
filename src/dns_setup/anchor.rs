//! A trust anchor: the keys with which a resolver checks what the node signs.
//!
//! It is text in the form of a zone file, as `dotp2p dns key` prints it and the node keeps it in `dnssec.anchor`:
//!
//! ```text
//! p2p. IN DS 12345 13 2 E06D44B8…
//! p2p. IN DNSKEY 257 3 13 mdsswUyr…
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dotp2p_chain::hash::to_hex;
use sha2::{Digest, Sha256};
/// Most bytes of such a file: keys of a few hundred bytes, old and new.
pub const ANCHOR_MAX: u64 = 64 * 1024;

/// SHA-256, the only digest that every resolver knows (RFC 8624).
const SHA_256: u8 = 2;
/// A zone key that is an entry point: what a DS may lead to.
const KEY_FLAGS: u16 = 257;

/// A zone's trust anchor; one key at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    tld: String,
    ds: Vec<Ds>,
    keys: Vec<Dnskey>,
}

/// The digest of a key (RFC 4034, 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ds {
    /// Which key.
    pub key_tag: u16,
    /// Its algorithm.
    pub algorithm: u8,
    /// SHA-256 of owner and key.
    pub digest: [u8; 32],
}

/// A key (RFC 4034, 2) with flags 257 and protocol 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dnskey {
    /// Its algorithm.
    pub algorithm: u8,
    /// The public key.
    pub key: Vec<u8>,
}

/// Why a text is no trust anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// Nothing in it.
    #[error("it has neither a DS nor a DNSKEY record of {0}.")]
    Empty(String),
    /// A line that is neither.
    #[error("line {line}: {what}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A record of something else.
    #[error("line {line}: it is of {owner:?}, not of {tld}.")]
    Owner {
        /// From 1.
        line: usize,
        /// Whose it is.
        owner: String,
        /// Whose it must be.
        tld: String,
    },
    /// Digest and key do not fit.
    #[error("the digest of key {0} is not that of the DNSKEY with this tag")]
    Digest(u16),
}

impl Anchor {
    /// Reads the anchor of `tld`, a label in lower case.
    pub fn parse(text: &str, tld: &str) -> Result<Self, AnchorError> {
        let mut anchor = Self { tld: tld.to_owned(), ds: Vec::new(), keys: Vec::new() };
        for (line, text) in (1..).zip(text.lines()) {
            let words: Vec<&str> = text.split(';').next().unwrap_or_default().split_whitespace().collect();
            let [owner, rest @ ..] = words.as_slice() else { continue };
            if !owner.trim_end_matches('.').eq_ignore_ascii_case(tld) {
                return Err(AnchorError::Owner { line, owner: (*owner).to_owned(), tld: tld.to_owned() });
            }
            anchor.add(rest).map_err(|what| AnchorError::Line { line, what })?;
        }
        let derived: Vec<Ds> = anchor.keys.iter().map(|key| key.ds(tld)).collect();
        for ds in derived {
            let given = anchor.ds.iter().find(|it| (it.key_tag, it.algorithm) == (ds.key_tag, ds.algorithm));
            match given {
                None => anchor.ds.push(ds),
                Some(it) if *it == ds => {}
                Some(it) => return Err(AnchorError::Digest(it.key_tag)),
            }
        }
        if anchor.ds.is_empty() { Err(AnchorError::Empty(tld.to_owned())) } else { Ok(anchor) }
    }

    /// Takes a record's words from after its owner: TTL and class may be left out.
    fn add(&mut self, words: &[&str]) -> Result<(), &'static str> {
        let is_lead = |word: &&&str| word.eq_ignore_ascii_case("IN") || word.bytes().all(|byte| byte.is_ascii_digit());
        let lead = words.iter().take_while(is_lead).count().min(2);
        let (rtype, fields) = words.get(lead..).and_then(<[_]>::split_first).ok_or("there is no type")?;
        match (rtype.to_ascii_uppercase().as_str(), fields) {
            ("DS", [tag, algorithm, digest_type, digest @ ..]) => {
                let key_tag = tag.parse().map_err(|_| "the key tag is no number from 0 to 65535")?;
                let algorithm = algorithm.parse().map_err(|_| "the algorithm is no number from 0 to 255")?;
                if digest_type.parse() != Ok(SHA_256) {
                    return Err("the digest type is not 2 (SHA-256)");
                }
                let digest = sha_256(&digest.concat()).ok_or("the digest is not 64 hexadecimal digits")?;
                self.ds.push(Ds { key_tag, algorithm, digest });
            }
            ("DNSKEY", [flags, protocol, algorithm, key @ ..]) => {
                if flags.parse() != Ok(KEY_FLAGS) || *protocol != "3" {
                    return Err(
                        "the key's flags are not 257 or its protocol is not 3: only a zone's entry point is an anchor",
                    );
                }
                let algorithm = algorithm.parse().map_err(|_| "the algorithm is no number from 0 to 255")?;
                let key = STANDARD.decode(key.concat()).ok().filter(|key| !key.is_empty());
                self.keys.push(Dnskey { algorithm, key: key.ok_or("the key is not Base64")? });
            }
            _ => return Err("it is no whole DS or DNSKEY record on one line"),
        }
        Ok(())
    }

    /// The digests of all keys, given or computed; one at least.
    #[must_use]
    pub fn ds(&self) -> &[Ds] {
        &self.ds
    }

    /// The keys that were given whole.
    #[must_use]
    pub fn keys(&self) -> &[Dnskey] {
        &self.keys
    }

    /// Its DS records, a line each: `p2p. IN DS 12345 13 2 E06D…`.
    pub fn ds_lines(&self) -> impl Iterator<Item = String> {
        self.ds.iter().map(|ds| {
            let Ds { key_tag, algorithm, .. } = ds;
            format!("{}. IN DS {key_tag} {algorithm} {SHA_256} {}", self.tld, ds.digest_text())
        })
    }
}

impl Ds {
    /// The digest in capital hexadecimal digits.
    #[must_use]
    pub fn digest_text(&self) -> String {
        to_hex(&self.digest).to_ascii_uppercase()
    }
}

impl Dnskey {
    /// Its RDATA.
    fn rdata(&self) -> Vec<u8> {
        let [high, low] = KEY_FLAGS.to_be_bytes();
        [&[high, low, 3, self.algorithm], self.key.as_slice()].concat()
    }

    /// Its tag (RFC 4034, appendix B).
    #[must_use]
    pub fn key_tag(&self) -> u16 {
        let rdata = self.rdata();
        let pairs = rdata.chunks(2).map(|pair| match pair {
            [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
            [high] => u32::from(*high) << 8,
            _ => 0,
        });
        let sum: u32 = pairs.fold(0, u32::wrapping_add);
        let folded = (sum & 0xffff).wrapping_add(sum >> 16) & 0xffff;
        u16::try_from(folded).unwrap_or_default()
    }

    /// Its digest at `tld`.
    fn ds(&self, tld: &str) -> Ds {
        let len = u8::try_from(tld.len()).unwrap_or_default();
        let owner = [&[len], tld.as_bytes(), &[0]].concat();
        let digest = Sha256::new().chain_update(owner).chain_update(self.rdata()).finalize();
        Ds { key_tag: self.key_tag(), algorithm: self.algorithm, digest: digest.into() }
    }
}

fn sha_256(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        let digits = hex.get(at * 2..at * 2 + 2).filter(|digits| !digits.starts_with('+'))?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests;
