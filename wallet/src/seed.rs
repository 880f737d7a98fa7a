//! Seed phrases (BIP 39, English): the one thing to write down.
//!
//! A [`Phrase`] is entropy as 12 or 24 words with a checksum; its [`Seed`] is 64 bytes (PBKDF2, empty passphrase), from
//! which [`crate::Keys`] derives every key and salt. Both are wiped when dropped; neither is ever printed by `Debug`.

use core::fmt;
use core::str::FromStr;

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

/// How long a new phrase is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WordCount {
    /// 128 bits of entropy.
    #[default]
    Twelve,
    /// 256 bits of entropy.
    TwentyFour,
}

/// Why there is no phrase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// Not 12 or 24 words.
    #[error("a seed phrase has 12 or 24 words, this one has {0}")]
    WordCount(usize),
    /// A word that is not in the list.
    #[error("word {place} of the seed phrase, {word:?}, is not in the BIP 39 list of English words")]
    UnknownWord {
        /// Its place, from 1.
        place: usize,
        /// The word as given.
        word: String,
    },
    /// Each word is in the list, but not together.
    #[error(
        "the seed phrase's checksum is wrong: every word exists, but one is not the right one or two are exchanged"
    )]
    Checksum,
    /// Not as many bytes as 12 or 24 words hold.
    #[error("a seed phrase holds 16 or 32 bytes of entropy, not {0}")]
    Entropy(usize),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Random(String),
}

/// A seed phrase: 12 or 24 English words whose checksum is right.
#[derive(Clone, PartialEq, Eq)]
pub struct Phrase(Mnemonic);

impl Phrase {
    /// A new phrase from the operating system's randomness.
    pub fn generate(words: WordCount) -> Result<Self, SeedError> {
        let mut entropy = Zeroizing::new([0; 32]);
        getrandom::fill(entropy.as_mut_slice()).map_err(|error| SeedError::Random(error.to_string()))?;
        let (half, _) = entropy.split_at(16);
        match words {
            WordCount::Twelve => Self::from_entropy(half),
            WordCount::TwentyFour => Self::from_entropy(entropy.as_slice()),
        }
    }

    /// The phrase of 16 or 32 bytes of entropy.
    pub fn from_entropy(entropy: &[u8]) -> Result<Self, SeedError> {
        let wrong = SeedError::Entropy(entropy.len());
        if !matches!(entropy.len(), 16 | 32) {
            return Err(wrong);
        }
        Mnemonic::from_entropy_in(Language::English, entropy).map(Self).map_err(|_| wrong)
    }

    /// The words, one space between them.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(256));
        for word in self.0.words() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }

    /// The seed: PBKDF2-HMAC-SHA512 of the words with the empty passphrase. Source: BIP 39.
    #[must_use]
    pub fn seed(&self) -> Seed {
        Seed(Zeroizing::new(self.0.to_seed_normalized("")))
    }
}

impl FromStr for Phrase {
    type Err = SeedError;

    /// Reads words in either case, any white space between them.
    fn from_str(text: &str) -> Result<Self, SeedError> {
        let text = Zeroizing::new(text.to_lowercase());
        let count = text.split_whitespace().count();
        if !matches!(count, 12 | 24) {
            return Err(SeedError::WordCount(count));
        }
        Mnemonic::parse_in_normalized(Language::English, &text).map(Self).map_err(|error| match error {
            bip39::Error::UnknownWord(at) => SeedError::UnknownWord {
                place: at + 1,
                word: text.split_whitespace().nth(at).unwrap_or_default().to_owned(),
            },
            bip39::Error::InvalidChecksum => SeedError::Checksum,
            _ => SeedError::WordCount(count),
        })
    }
}

impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phrase(…)")
    }
}

/// The 64 bytes that every key and salt of a wallet is derived from.
#[derive(Clone)]
pub struct Seed(Zeroizing<[u8; 64]>);

impl Seed {
    /// The bytes; whoever has them has the wallet.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dotp2p_chain::hash::{from_hex, to_hex};

    const ABOUT: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

    #[test]
    fn published_vectors() {
        let file: serde_json::Value = serde_json::from_str(include_str!("../tests/vectors/bip39.json")).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            let phrase: Phrase = vector["phrase"].as_str().unwrap().parse().unwrap();
            assert_eq!(
                Phrase::from_entropy(&from_hex(vector["entropy"].as_str().unwrap()).unwrap()),
                Ok(phrase.clone())
            );
            assert_eq!(to_hex(&phrase.0.to_seed_normalized("TREZOR")), vector["seed_trezor"]);
            assert_eq!(to_hex(phrase.seed().as_bytes()), vector["seed"]);
        }
    }

    #[test]
    fn new_phrases_differ_and_read_back() {
        for (words, count) in [(WordCount::Twelve, 12), (WordCount::TwentyFour, 24)] {
            let (a, b) = (Phrase::generate(words).unwrap(), Phrase::generate(words).unwrap());
            assert_ne!(a, b);
            assert_eq!(a.text().split(' ').count(), count);
            assert_eq!(a.text().parse::<Phrase>().unwrap(), a);
        }
    }

    #[test]
    fn capitals_and_white_space_are_forgiven() {
        let typed = format!("  {}\n", ABOUT.to_uppercase().replace(' ', " \t"));
        assert_eq!(typed.parse::<Phrase>().unwrap().text().as_str(), ABOUT);
    }

    #[test]
    fn what_is_no_phrase() {
        let unknown = ABOUT.replacen("abandon", "abandn", 3).replacen("abandn", "abandon", 2);
        let cases = [
            ("".to_owned(), "a seed phrase has 12 or 24 words, this one has 0"),
            (format!("{ABOUT} about"), "a seed phrase has 12 or 24 words, this one has 13"),
            (unknown, "word 3 of the seed phrase, \"abandn\", is not in the BIP 39 list of English words"),
            (
                ABOUT.replace("about", "abandon"),
                "the seed phrase's checksum is wrong: every word exists, but one is not the right one or two are exchanged",
            ),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Phrase>().unwrap_err().to_string(), error);
        }
        assert_eq!(Phrase::from_entropy(&[0; 17]), Err(SeedError::Entropy(17)));
    }

    #[test]
    fn secrets_are_not_printed() {
        let phrase: Phrase = ABOUT.parse().unwrap();
        assert_eq!(format!("{phrase:?} {:?}", phrase.seed()), "Phrase(…) Seed(…)");
    }
}
