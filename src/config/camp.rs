//! A network file for a camp: a network of one's own, for a few days, on laptops and phones in one room or one field.
//!
//! Terms that people wait for are short (a name in some 20 seconds, a reward in a minute); terms after which something
//! is lost are as long as on main in days, so that nothing lapses while the camp lasts. Work is light at first and
//! follows whoever joins. What is absent: clock and randomness, which are arguments.

use dotp2p_chain::hash::{sha256, to_hex};
use dotp2p_chain::name::Name;
use dotp2p_chain::params::Params;
use dotp2p_chain::pow::{CompactTarget, Target};

/// Seconds between blocks where nothing else is said.
pub const SPACING_S: u64 = 5;
/// The most seconds between blocks: the longest that keeps every term below at more than one block.
pub const SPACING_MAX_S: u64 = 600;

const DAY_S: u64 = 86_400;
/// The lowest port, and how many places of three ports follow. All below those that systems hand out themselves, and
/// beside those of main, test and regtest.
const FIRST_PORT: u16 = 20_000;
const PORT_PLACES: u16 = 3_000;

/// What sets one camp apart from another.
#[derive(Clone, Debug)]
pub struct Camp<'a> {
    /// Also its folder's name.
    pub name: &'a Name,
    /// The top-level domain.
    pub tld: &'a str,
    /// Seconds between blocks, 1 to [`SPACING_MAX_S`].
    pub spacing_s: u64,
    /// Whether peers need a pre-shared key.
    pub psk: bool,
    /// Random, so that two camps of one name are two networks.
    pub id: [u8; 16],
    /// When it begins, in Unix seconds.
    pub genesis_time: u64,
}

/// A line: key, value, and what it means.
type Line<'a> = (&'a str, String, &'a str);

impl Camp<'_> {
    /// The text of its network file, a comment a line; whether its rules hold, [`super::network_file::parse`] tells.
    #[must_use]
    pub fn file(&self) -> String {
        let name = self.name.as_str();
        let mut text = format!(
            "# The network {name}: whoever has this file joins with `dotp2p node --network {name}.toml`.\n\
             # Everybody needs the very same file: two nodes whose rules differ do not even begin to agree.\n\n"
        );
        write_lines(&mut text, &[("name", quoted(name), "its folder's name")]);
        text.push_str("\n[rules]\n");
        write_lines(&mut text, &self.rules());
        text.push_str("\n[deployment]\n");
        write_lines(&mut text, &self.deployment());
        text
    }

    fn rules(&self) -> [Line<'_>; 22] {
        let blocks = |seconds: u64| seconds.div_ceil(self.spacing_s.max(1));
        // 2^20 hashes at 5 s: what a phone's core does in that time. Twice the time, twice the work.
        let limit = 18 + self.spacing_s.max(1).ilog2();
        [
            ("spacing", self.spacing_s.to_string(), "seconds between blocks, aimed at"),
            (
                "half_life",
                (60 * self.spacing_s).to_string(),
                "seconds in which difficulty follows who joins and leaves",
            ),
            ("limit_bits", bits(limit), "the easiest target: one phone alone can go on"),
            ("genesis_bits", bits(limit + 2), "the target of block 1: a laptop's start"),
            ("genesis_time", self.genesis_time.to_string(), "Unix seconds: when the network was made"),
            (
                "body_max",
                "65536".to_owned(),
                "bytes of a block's body: some 300 transactions, light on a crowded Wi-Fi",
            ),
            ("subsidy", "50".to_owned(), "coins a block; a name of five letters and more costs about 1"),
            ("halving_interval", blocks(1460 * DAY_S).to_string(), "blocks after which the subsidy halves: 4 years"),
            ("maturity", blocks(60).max(2).to_string(), "blocks until a reward can be spent: a minute"),
            ("age_min", blocks(15).max(2).to_string(), "blocks from a commitment to its claim: 15 seconds"),
            ("age_max", blocks(DAY_S).to_string(), "blocks after which a commitment is void: a day"),
            ("commit_target", "16".to_owned(), "commitments a block at which prices stand still"),
            ("commit_max", "32".to_owned(), "most commitments a block"),
            ("year", blocks(365 * DAY_S).to_string(), "blocks of a year, so that no name lapses at the camp"),
            ("years_ahead", "10".to_owned(), "most years a name can be paid ahead"),
            ("grace", blocks(30 * DAY_S).to_string(), "blocks in which an expired name can still be renewed: 30 days"),
            ("premium_start", "1048576".to_owned(), "coins on top when a name is released"),
            ("halving_blocks", blocks(DAY_S).to_string(), "blocks in which that halves: a day"),
            ("halvings", "21".to_owned(), "how often, before it is nothing"),
            ("records_max", "4096".to_owned(), "bytes of a name's records"),
            ("tld", quoted(self.tld), "the top-level domain: names are NAME.TLD"),
            ("id", quoted(&to_hex(&self.id)), "random: tells camps of equal rules apart"),
        ]
    }

    fn deployment(&self) -> [Line<'_>; 6] {
        let port = self.first_port();
        [
            ("p2p_port", port.to_string(), "peers; change the ports if something else has them"),
            ("rpc_port", (port + 1).to_string(), "JSON-RPC, on this machine alone"),
            ("dns_port", (port + 2).to_string(), "DNS, on this machine alone"),
            ("address_prefix", quoted(&self.address_prefix()), "what addresses begin with"),
            ("dns_confirmations", "2".to_owned(), "blocks until a new owner is served in DNS"),
            ("psk", self.psk.to_string(), "true: peers also need the key, which is in a file of its own"),
        ]
    }

    /// One of [`PORT_PLACES`] places, by the name.
    fn first_port(&self) -> u16 {
        let hash = sha256(format!("dotp2p/ports/{}", self.name.as_str()).as_bytes());
        let place = hash.first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes));
        FIRST_PORT + 3 * (place % PORT_PLACES)
    }

    /// Letters and digits of the name, at most 16, and never a built-in network's prefix.
    fn address_prefix(&self) -> String {
        let prefix: String = self.name.as_str().chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        let is_taken = |params: Params| params.deployment.address_prefix == prefix;
        if [Params::main(), Params::test(), Params::regtest()].into_iter().any(is_taken) {
            return format!("x{prefix}");
        }
        prefix
    }
}

/// The target that takes 2^`exponent` hashes, as eight digits in quotes.
fn bits(exponent: u32) -> String {
    let mut bytes = [0xff; 32];
    let zeros = usize::try_from(exponent / 8).unwrap_or(0);
    bytes.iter_mut().rev().take(zeros).for_each(|byte| *byte = 0);
    if let Some(byte) = bytes.iter_mut().rev().nth(zeros) {
        *byte >>= exponent % 8;
    }
    let compact = Target::from_le_bytes(bytes).map(Target::to_compact);
    quoted(&compact.unwrap_or(CompactTarget::from_consensus(0)).to_string())
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn write_lines(text: &mut String, lines: &[Line<'_>]) {
    for (key, value, comment) in lines {
        text.push_str(&format!("{:<40}# {comment}\n", format!("{key} = {value}")));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::network_file::parse;
    use super::*;

    const NOW_S: u64 = 1_800_000_000;

    fn camp(name: &str, spacing_s: u64, id: u8) -> Params {
        let name: Name = name.parse().unwrap();
        let camp = Camp { name: &name, tld: "camp", spacing_s, psk: true, id: [id; 16], genesis_time: NOW_S };
        parse(&camp.file(), Path::new("camp.toml")).unwrap()
    }

    #[test]
    fn a_camp_of_five_seconds() {
        let params = camp("camp", SPACING_S, 7);
        let (rules, deployment) = (&params.rules, &params.deployment);
        assert_eq!((rules.spacing, rules.half_life, rules.genesis_time), (5, Some(300), NOW_S));
        assert_eq!((rules.maturity, rules.age_min, rules.age_max), (12, 3, 17_280));
        assert_eq!((rules.year, rules.grace, rules.halving_blocks), (6_307_200, 518_400, 17_280));
        assert_eq!(
            (rules.limit_bits.to_string(), rules.genesis_bits.to_string()),
            ("1e0fffff".into(), "1e03ffff".into())
        );
        assert_eq!((rules.id, rules.tld.as_slice()), ([7; 16], b"camp".as_slice()));
        assert_eq!((deployment.name.as_str(), deployment.address_prefix.as_str()), ("camp", "camp"));
        assert_eq!((deployment.dns_confirmations, deployment.psk, deployment.on_demand), (2, true, false));
    }

    #[test]
    fn every_spacing_makes_good_rules() {
        for spacing in 1..=SPACING_MAX_S {
            let rules = camp("camp", spacing, 1).rules;
            let hashes = |bits: CompactTarget| bits.to_target().unwrap().work();
            assert!(hashes(rules.genesis_bits) > hashes(rules.limit_bits), "{spacing}");
            assert!(rules.age_min >= 2 && u64::from(rules.age_min) * spacing >= 15, "{spacing}");
            assert!(u64::from(rules.maturity) * spacing >= 60, "{spacing}");
            assert!(u64::from(rules.year) * spacing >= 365 * DAY_S, "{spacing}");
        }
    }

    #[test]
    fn two_camps_of_one_name_differ() {
        assert_ne!(camp("camp", 5, 1).chain_id, camp("camp", 5, 2).chain_id);
        assert_eq!(camp("camp", 5, 1).chain_id, camp("camp", 5, 1).chain_id);
    }

    #[test]
    fn ports_differ_by_name_and_from_the_built_in_networks() {
        let ports = |params: &Params| {
            let deployment = &params.deployment;
            [deployment.p2p_port, deployment.rpc_port, deployment.dns_port]
        };
        let (camp_ports, lab_ports) = (ports(&camp("camp", 5, 1)), ports(&camp("lab", 5, 1)));
        assert_ne!(camp_ports, lab_ports);
        let built_in: Vec<u16> = [Params::main(), Params::test(), Params::regtest()].iter().flat_map(ports).collect();
        let last = FIRST_PORT + 3 * PORT_PLACES;
        assert!(built_in.iter().all(|port| !(FIRST_PORT..last).contains(port)), "{built_in:?}");
        for name in ["a", "b", "camp-2026", "xn--bcher-kva"] {
            let [p2p, rpc, dns] = ports(&camp(name, 5, 1));
            assert_eq!((p2p + 1, p2p + 2), (rpc, dns));
            assert!((FIRST_PORT..last).contains(&p2p) && dns < last);
        }
    }

    #[test]
    fn the_prefix_is_of_the_name() {
        let prefix = |name: &str| camp(name, 5, 1).deployment.address_prefix;
        assert_eq!(prefix("camp-2026"), "camp2026");
        assert_eq!(prefix("a-very-long-name-of-a-camp"), "averylongnameofa");
        assert_eq!(["p2p", "tp2p", "rp-2p"].map(prefix), ["xp2p", "xtp2p", "xrp2p"]);
    }

    #[test]
    fn bits_take_so_many_hashes() {
        assert_eq!(
            [16, 18, 20, 24, 25].map(bits),
            ["1f00ffff", "1e3fffff", "1e0fffff", "1e00ffff", "1d7fffff"].map(quoted)
        );
    }
}
