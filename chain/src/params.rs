//! Networks: what they decide about validity, and how they are deployed. The only place where they differ.

use parity_scale_codec::{Decode, Encode};

use crate::amount::Amount;
use crate::block::Block;
use crate::hash::{BlockHash, ChainId, sha256, tag};
use crate::height::Height;
use crate::name::{Name, NameError};
use crate::pow::{CompactTarget, Work};
use crate::records::Limits;

/// Everything that decides validity at launch; its encoding is committed to by the genesis hash (B2).
///
/// Heights and durations count blocks, times are seconds, amounts atoms.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Rules {
    /// Seconds between blocks, aimed at.
    pub spacing: u64,
    /// ASERT half-life in seconds; `None`: bits always equal the limit.
    pub half_life: Option<u64>,
    /// The easiest target.
    pub limit_bits: CompactTarget,
    /// Most bytes of SCALE(coinbase, transactions).
    pub body_max: u32,
    /// Atoms for the first block.
    pub subsidy: u64,
    /// Blocks after which the subsidy halves.
    pub halving_interval: u32,
    /// Blocks until a reward can be spent.
    pub maturity: u32,
    /// Least age of a commitment to be claimed.
    pub age_min: u32,
    /// Greatest age of a commitment to be claimed.
    pub age_max: u32,
    /// Commits a block at which the price level stands still.
    pub commit_target: u32,
    /// Most Commits a block.
    pub commit_max: u32,
    /// Blocks of a year.
    pub year: u32,
    /// Most years a name can be paid ahead.
    pub years_ahead: u32,
    /// Blocks of grace after expiry.
    pub grace: u32,
    /// The premium at release.
    pub premium_start: u64,
    /// Blocks in which the premium halves.
    pub halving_blocks: u32,
    /// How often it halves before it is nothing.
    pub halvings: u32,
    /// Most bytes of a name's records.
    pub records_max: u32,
    /// Tells networks of equal rules apart.
    pub id: [u8; 16],
    /// The top-level domain, one label.
    pub tld: Vec<u8>,
    /// Time of the genesis block.
    pub genesis_time: u64,
    /// Bits of the genesis block and of block 1.
    pub genesis_bits: CompactTarget,
}

/// Why Rules contradict themselves (B3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// A field that may not be zero.
    #[error("rule {0} is 0 (B3)")]
    Zero(&'static str),
    /// Grace and premium outlast a year.
    #[error("grace + halving_blocks × halvings is not less than a year (B3)")]
    GraceOutlastsYear,
    /// No block with a transaction would fit.
    #[error("body_max is less than {min}, a body with the smallest transaction (B3)", min = Rules::BODY_MIN)]
    BodyMax,
    /// No age would do.
    #[error("age_min is not less than age_max (B3)")]
    Ages,
    /// The level could never rise.
    #[error("commit_target exceeds commit_max or 64 (B3)")]
    CommitTarget,
    /// The premium is shifted by it.
    #[error("halvings exceeds 63 (B3)")]
    Halvings,
    /// The premium's product must fit.
    #[error("premium_start × halving_blocks exceeds 64 bits (B3)")]
    Premium,
    /// Heights would overflow.
    #[error("the last height of a name paid ahead exceeds 32 bits (B3)")]
    Heights,
    /// Not canonical, or easier than the limit.
    #[error("genesis_bits or limit_bits not canonical, or genesis_bits easier than the limit (B3)")]
    Bits,
    /// Block 1's anchor would lie before 1970.
    #[error("genesis_time is less than spacing, or 2^40 or later (B3)")]
    GenesisTime,
    /// A balance could overflow.
    #[error("all subsidies together exceed 64 bits (B3)")]
    Issue,
    /// Not a label.
    #[error("tld is not one label of a-z, 0-9 and inner hyphens (B3)")]
    Tld,
}

impl Rules {
    /// Bytes of a body with the smallest transaction: 34 around it, 105 in it.
    pub const BODY_MIN: u32 = 139;

    /// Refuses rules that contradict themselves. Rule B3.
    pub fn check(&self) -> Result<(), RulesError> {
        let fields: [(&'static str, u64); 18] = [
            ("spacing", self.spacing),
            ("half_life", self.half_life.unwrap_or(1)),
            ("body_max", self.body_max.into()),
            ("subsidy", self.subsidy),
            ("halving_interval", self.halving_interval.into()),
            ("maturity", self.maturity.into()),
            ("age_min", self.age_min.into()),
            ("age_max", self.age_max.into()),
            ("commit_target", self.commit_target.into()),
            ("commit_max", self.commit_max.into()),
            ("year", self.year.into()),
            ("years_ahead", self.years_ahead.into()),
            ("grace", self.grace.into()),
            ("premium_start", self.premium_start),
            ("halving_blocks", self.halving_blocks.into()),
            ("halvings", self.halvings.into()),
            ("records_max", self.records_max.into()),
            ("genesis_time", self.genesis_time),
        ];
        if let Some((field, _)) = fields.into_iter().find(|(_, value)| *value == 0) {
            return Err(RulesError::Zero(field));
        }
        let premium_blocks = u128::from(self.halving_blocks) * u128::from(self.halvings);
        let end = u128::from(self.grace) + premium_blocks;
        let canonical = self.limit_bits.is_canonical() && self.genesis_bits.is_canonical();
        let refused = [
            (end >= self.year.into(), RulesError::GraceOutlastsYear),
            (self.body_max < Self::BODY_MIN, RulesError::BodyMax),
            (self.age_min >= self.age_max, RulesError::Ages),
            (self.commit_target > self.commit_max || self.commit_target > 64, RulesError::CommitTarget),
            (self.halvings > 63, RulesError::Halvings),
            (self.premium_start.checked_mul(self.halving_blocks.into()).is_none(), RulesError::Premium),
            (end + u128::from(self.year) * u128::from(self.years_ahead) >= 1 << 32, RulesError::Heights),
            (!canonical || self.genesis_bits.to_target() > self.limit_bits.to_target(), RulesError::Bits),
            (self.genesis_time < self.spacing || self.genesis_time >= TIME_END, RulesError::GenesisTime),
            (self.issue_ever() > u64::MAX.into(), RulesError::Issue),
            (!is_label(&self.tld), RulesError::Tld),
        ];
        refused.into_iter().find(|(is_refused, _)| *is_refused).map_or(Ok(()), |(_, error)| Err(error))
    }

    /// The subsidy of the block at `height`, in atoms; genesis issues nothing. Rule B19.
    #[must_use]
    pub fn subsidy_at(&self, height: Height) -> Amount {
        let halved = height.0 / self.halving_interval.max(1);
        let atoms = self.subsidy.checked_shr(halved).unwrap_or(0);
        Amount::from_atoms(if height == Height::GENESIS { 0 } else { atoms })
    }

    fn issue_ever(&self) -> u128 {
        (0..64).map(|halved| u128::from(self.subsidy >> halved) * u128::from(self.halving_interval)).sum()
    }

    /// What limits the records of a name of `name_len` bytes.
    #[must_use]
    pub fn record_limits(&self, name_len: usize) -> Limits {
        Limits { name_len, tld_len: self.tld.len(), max: usize::try_from(self.records_max).unwrap_or(usize::MAX) }
    }
}

/// Times are below this, in Unix seconds (B12a).
pub const TIME_END: u64 = 1 << 40;

fn is_label(bytes: &[u8]) -> bool {
    matches!(Name::from_bytes(bytes), Ok(_) | Err(NameError::Reserved(_)))
}

/// How a network is deployed; no block is judged by it, checkpoints excepted (B1, B17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// `main`, `test`, `regtest`, or what a network file says; also its folder's name.
    pub name: String,
    /// Default port for peers.
    pub p2p_port: u16,
    /// Default port for RPC.
    pub rpc_port: u16,
    /// Default port for DNS.
    pub dns_port: u16,
    /// Peers to begin with, host and port; names are looked up by the system. None for main until there are some.
    pub bootstrap: Vec<String>,
    /// The prefix of addresses.
    pub address_prefix: String,
    /// Header branches of less work are not stored.
    pub minimum_work: Work,
    /// Rules that begin later: height and name.
    pub activations: Vec<(Height, Vec<u8>)>,
    /// Hashes that a release vouches for.
    pub checkpoints: Vec<(Height, BlockHash)>,
    /// Blocks after which a change of owner is served in DNS (L2).
    pub dns_confirmations: u32,
    /// Whether blocks are made on demand and headers may come from the future (regtest).
    pub on_demand: bool,
    /// Whether peers must hold the network's pre-shared key: without it nobody even connects.
    pub psk: bool,
}

impl Deployment {
    /// `H("dotp2p/deployment", SCALE(activations, checkpoints))`, told in the handshake (B18).
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        tag::DEPLOYMENT.hash(&[&self.activations.encode(), &self.checkpoints.encode()])
    }
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// What decides validity.
    pub rules: Rules,
    /// What does not.
    pub deployment: Deployment,
    /// The genesis block that `rules` give.
    pub genesis: Block,
    /// The genesis hash (B4).
    pub chain_id: ChainId,
}

impl Params {
    /// A network of these rules.
    pub fn new(rules: Rules, deployment: Deployment) -> Result<Self, RulesError> {
        rules.check()?;
        let genesis = Block::genesis(&rules);
        let chain_id = ChainId(genesis.hash().0);
        Ok(Self { rules, deployment, genesis, chain_id })
    }

    /// The network that this release is made for.
    #[must_use]
    pub fn main() -> Self {
        Self::built_in("main", 0, "p2p")
    }

    /// The public test network: main's rules, coins without value.
    #[must_use]
    pub fn test() -> Self {
        Self::built_in("test", 10_000, "tp2p")
    }

    /// A private network whose blocks are made on demand, with short terms.
    #[must_use]
    pub fn regtest() -> Self {
        Self::built_in("regtest", 20_000, "rp2p")
    }

    /// The network of that name, if it is built in.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "main" => Some(Self::main()),
            "test" => Some(Self::test()),
            "regtest" => Some(Self::regtest()),
            _ => None,
        }
    }

    #[allow(clippy::expect_used, reason = "a test checks the three built-in networks")]
    fn built_in(name: &str, port_offset: u16, address_prefix: &str) -> Self {
        let regtest = name == "regtest";
        let rules = if regtest { Rules::regtest() } else { Rules::public(network_id(name)) };
        let deployment = Deployment {
            name: name.to_owned(),
            p2p_port: 9353 + port_offset,
            rpc_port: 9354 + port_offset,
            dns_port: 9355 + port_offset,
            bootstrap: Vec::new(),
            address_prefix: address_prefix.to_owned(),
            minimum_work: Work::default(),
            activations: Vec::new(),
            checkpoints: Vec::new(),
            dns_confirmations: if regtest { 1 } else { 6 },
            on_demand: regtest,
            psk: false,
        };
        Self::new(rules, deployment).expect("built-in rules do not contradict themselves")
    }
}

/// The first 16 bytes of sha256("dotp2p/" ‖ name) (C13).
fn network_id(name: &str) -> [u8; 16] {
    let hash = sha256(format!("dotp2p/{name}").as_bytes());
    hash.first_chunk().copied().unwrap_or_default()
}

impl Rules {
    /// The rules of main and test, which differ in their id alone.
    #[must_use]
    pub fn public(id: [u8; 16]) -> Self {
        Self {
            spacing: 60,
            half_life: Some(7_200),
            limit_bits: CompactTarget::from_consensus(0x1e00_ffff),
            body_max: 262_144,
            subsidy: 50 * 100_000_000,
            halving_interval: 2_102_400,
            maturity: 100,
            age_min: 10,
            age_max: 1_440,
            commit_target: 8,
            commit_max: 16,
            year: 525_600,
            years_ahead: 10,
            grace: 43_200,
            premium_start: 1_048_576 * 100_000_000,
            halving_blocks: 1_440,
            halvings: 21,
            records_max: 4_096,
            id,
            tld: b"p2p".to_vec(),
            genesis_time: 1_793_491_200,
            genesis_bits: CompactTarget::from_consensus(0x1e00_ffff),
        }
    }

    /// Short terms and the easiest work.
    #[must_use]
    pub fn regtest() -> Self {
        Self {
            half_life: None,
            limit_bits: CompactTarget::from_consensus(0x207f_ffff),
            genesis_bits: CompactTarget::from_consensus(0x207f_ffff),
            maturity: 1,
            age_min: 2,
            age_max: 100,
            year: 200,
            grace: 20,
            halving_blocks: 4,
            halvings: 5,
            ..Self::public(network_id("regtest"))
        }
    }
}
