//! A private network as a TOML file: its name, what decides validity, and how it is deployed.
//!
//! The rules have no defaults but `half_life` (none: no difficulty) and `id` (from the name): who starts a network
//! should have seen what it decides. [`super::camp`] writes one; `docs/how-to/private-network.md` is the manual, and a
//! test reads its sample.

use std::path::Path;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::{BlockHash, from_hex, sha256};
use dotp2p_chain::height::Height;
use dotp2p_chain::name::Name;
use dotp2p_chain::params::{Deployment, Params, Rules};
use dotp2p_chain::pow::{CompactTarget, Work};
use dotp2p_network::message::WTXIDS_MAX;
use serde::{Deserialize, Deserializer};

use super::{ConfigError, parse_toml, read_text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkFile {
    name: String,
    rules: RulesTable,
    deployment: DeploymentTable,
}

/// [`Rules`] as text; see there for each field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesTable {
    spacing: u64,
    half_life: Option<u64>,
    limit_bits: Bits,
    body_max: u32,
    subsidy: Coins,
    halving_interval: u32,
    maturity: u32,
    age_min: u32,
    age_max: u32,
    commit_target: u32,
    commit_max: u32,
    year: u32,
    years_ahead: u32,
    grace: u32,
    premium_start: Coins,
    halving_blocks: u32,
    halvings: u32,
    records_max: u32,
    id: Option<Hex<16>>,
    tld: String,
    genesis_time: u64,
    genesis_bits: Bits,
}

/// [`Deployment`] as text; see there for each field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeploymentTable {
    p2p_port: u16,
    rpc_port: u16,
    dns_port: u16,
    #[serde(default)]
    bootstrap: Vec<String>,
    address_prefix: String,
    minimum_work: Option<Hex<32>>,
    #[serde(default)]
    activations: Vec<Activation>,
    #[serde(default)]
    checkpoints: Vec<Checkpoint>,
    #[serde(default = "six")]
    dns_confirmations: u32,
    #[serde(default)]
    on_demand: bool,
    #[serde(default)]
    psk: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Activation {
    height: u32,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint {
    height: u32,
    hash: String,
}

const fn six() -> u32 {
    6
}

/// The most bytes of a body: as many of the smallest transactions, of 105 bytes, as an announcement has room for (M3).
#[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
const BODY_MAX: u32 = WTXIDS_MAX as u32 * 100;

/// Reads a network's file.
pub fn read(path: &Path) -> Result<Params, ConfigError> {
    parse(&read_text(path)?, path)
}

/// Reads the text of a network's file; errors call it `path`.
pub fn parse(text: &str, path: &Path) -> Result<Params, ConfigError> {
    let NetworkFile { name, rules, deployment } = parse_toml(text, path)?;
    let wrong = |key, what: &str| ConfigError::Value { path: path.to_owned(), key, what: what.to_owned() };
    if Params::named(&name).is_some() {
        return Err(wrong("name", &format!("{name:?} is built in, a private network needs another name")));
    }
    if name.parse::<Name>().is_err() {
        return Err(wrong("name", "it names a folder: 1 to 63 of a-z, 0-9 and inner hyphens"));
    }
    let prefix = &deployment.address_prefix;
    if !(1..=16).contains(&prefix.len()) || !prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Err(wrong("deployment.address_prefix", "1 to 16 of a-z and 0-9 are needed"));
    }
    if rules.body_max > BODY_MAX {
        return Err(wrong("rules.body_max", &format!("peers pass on blocks of at most {BODY_MAX} bytes")));
    }
    let rules = rules.into_rules(&name);
    let deployment = deployment.into_deployment(name).map_err(|(key, what)| wrong(key, &what))?;
    Params::new(rules, deployment).map_err(|source| ConfigError::Rules { path: path.to_owned(), source })
}

impl RulesTable {
    fn into_rules(self, name: &str) -> Rules {
        let id = sha256(format!("dotp2p/{name}").as_bytes());
        Rules {
            spacing: self.spacing,
            half_life: self.half_life,
            limit_bits: self.limit_bits.0,
            body_max: self.body_max,
            subsidy: self.subsidy.0.atoms(),
            halving_interval: self.halving_interval,
            maturity: self.maturity,
            age_min: self.age_min,
            age_max: self.age_max,
            commit_target: self.commit_target,
            commit_max: self.commit_max,
            year: self.year,
            years_ahead: self.years_ahead,
            grace: self.grace,
            premium_start: self.premium_start.0.atoms(),
            halving_blocks: self.halving_blocks,
            halvings: self.halvings,
            records_max: self.records_max,
            id: self.id.map_or(id.first_chunk().copied().unwrap_or_default(), |id| id.0),
            tld: self.tld.into_bytes(),
            genesis_time: self.genesis_time,
            genesis_bits: self.genesis_bits.0,
        }
    }
}

impl DeploymentTable {
    fn into_deployment(self, name: String) -> Result<Deployment, (&'static str, String)> {
        let activations = self.activations.into_iter().map(|it| (Height(it.height), it.name.into_bytes()));
        let checkpoints = self.checkpoints.into_iter().map(|it| {
            let hash: BlockHash = it.hash.parse().map_err(|error| ("checkpoints.hash", format!("{error}")))?;
            Ok((Height(it.height), hash))
        });
        let (activations, checkpoints): (Vec<_>, Result<Vec<_>, _>) = (activations.collect(), checkpoints.collect());
        let checkpoints = checkpoints?;
        if !checkpoints.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(("deployment.checkpoints", "list them by ascending height, one a height (B18)".to_owned()));
        }
        if !activations.is_sorted_by(|a, b| a < b) {
            return Err(("deployment.activations", "list them in ascending order (B18)".to_owned()));
        }
        let mut work = self.minimum_work.map_or([0; 32], |work| work.0);
        work.reverse();
        Ok(Deployment {
            name,
            p2p_port: self.p2p_port,
            rpc_port: self.rpc_port,
            dns_port: self.dns_port,
            bootstrap: self.bootstrap,
            address_prefix: self.address_prefix,
            minimum_work: Work::from_le_bytes(work),
            activations,
            checkpoints,
            dns_confirmations: self.dns_confirmations,
            on_demand: self.on_demand,
            psk: self.psk,
        })
    }
}

/// Bits as eight hexadecimal digits, such as `"1e00ffff"`.
struct Bits(CompactTarget);

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Hex::<4>::deserialize(from).map(|hex| Self(CompactTarget::from_consensus(u32::from_be_bytes(hex.0))))
    }
}

/// N bytes as 2 N hexadecimal digits.
struct Hex<const N: usize>([u8; N]);

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = from_hex(&text).and_then(|bytes| bytes.try_into().ok());
        let wrong = || serde::de::Error::custom(format!("{text:?} is not {} hexadecimal digits", 2 * N));
        bytes.map(Self).ok_or_else(wrong)
    }
}

/// Coins: a whole number, or decimal in quotes.
struct Coins(Amount);

impl<'de> Deserialize<'de> for Coins {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "coins are a whole number, or decimal in quotes such as \"12.5\"")]
        enum Form {
            Whole(u32),
            Decimal(String),
        }
        match Form::deserialize(from)? {
            Form::Whole(coins) => Ok(Self(Amount::from_coins(coins.into()))),
            Form::Decimal(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}
