//! Settings in layers: a flag beats a `DOTP2P_…` variable, which beats a line of `dotp2p.toml`, which beats the default.
//!
//! - [`Layer`]: what one layer says. The command line and the variables are read into one by clap, the file into another.
//! - [`Settings`]: all layers resolved, with the network they lead to.
//! - [`network_file`]: a private network as a file; [`camp`] writes one, [`psk`] is the key that may go with it.
//!
//! A key that nobody knows is an error that names the file and the key.

use std::env;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;
use dotp2p_chain::key::{AddressError, PublicKey};
use dotp2p_chain::params::{Deployment, Params, RulesError};
use dotp2p_dns::dnssec::key::Algorithm;
use dotp2p_dns::forward::config::{Allowed, Forward, IpNet};
use dotp2p_network::peer_text::{AddressTextError, Multiaddr, check_peer_text};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub mod camp;
pub mod network_file;
pub mod psk;

/// The configuration file's name, looked for in the data directory.
pub const FILE_NAME: &str = "dotp2p.toml";

/// The options that every command has, as one layer says them.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// main, test, regtest, or the file of a private network [default: main]
    #[arg(long, global = true, value_name = "NETWORK", env = "DOTP2P_NETWORK", hide_env_values = true)]
    #[arg(help_heading = "Global options")]
    pub network: Option<String>,
    /// Where chain, wallet and cookie are kept, a folder a network [default: ~/.local/share/dotp2p]
    #[arg(long, global = true, value_name = "DIR", env = "DOTP2P_DATA_DIR", hide_env_values = true)]
    #[arg(help_heading = "Global options")]
    pub data_dir: Option<PathBuf>,
    /// The configuration file [default: dotp2p.toml in the data directory]
    #[arg(long, global = true, value_name = "FILE", env = "DOTP2P_CONFIG", hide_env_values = true)]
    #[arg(help_heading = "Global options")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Where the node answers, such as http://127.0.0.1:9354 [default: the running node of this data directory]
    #[arg(long, global = true, value_name = "URL", env = "DOTP2P_RPC", hide_env_values = true)]
    #[arg(help_heading = "Global options")]
    pub rpc: Option<String>,
    /// Print the result as JSON, for programs
    #[arg(long, global = true, env = "DOTP2P_JSON", hide_env_values = true, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    #[arg(value_parser = BoolishValueParser::new())]
    #[arg(help_heading = "Global options")]
    pub json: Option<bool>,
    /// Log more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, env = "DOTP2P_VERBOSE", hide_env_values = true)]
    #[arg(help_heading = "Global options")]
    pub verbose: u8,
    /// The node's own options.
    #[arg(skip)]
    pub node: NodeLayer,
}

/// The options of `dotp2p node`, as one layer says them; `[node]` in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeLayer {
    /// Answer JSON-RPC there [default: 127.0.0.1:9354; test 19354, regtest 29354]
    #[arg(long, value_name = "ADDR:PORT", env = "DOTP2P_RPC_LISTEN", hide_env_values = true)]
    pub rpc_listen: Option<SocketAddr>,
    /// Answer DNS there, over UDP and TCP; repeatable [default: 127.0.0.1:9355; test 19355, regtest 29355]
    #[arg(long, value_name = "ADDR:PORT", env = "DOTP2P_DNS_LISTEN", hide_env_values = true, value_delimiter = ',')]
    pub dns_listen: Option<Vec<SocketAddr>>,
    /// Listen for peers there; repeatable [default: all addresses, port 9353; test 19353, regtest 29353]
    #[arg(long, value_name = "MULTIADDR", env = "DOTP2P_P2P_LISTEN", hide_env_values = true, value_delimiter = ',')]
    pub p2p_listen: Option<Vec<String>>,
    /// Stay connected to this peer; repeatable
    #[arg(long, value_name = "HOST[:PORT]|MULTIADDR", env = "DOTP2P_PEER", hide_env_values = true)]
    #[arg(value_delimiter = ',')]
    pub peer: Option<Vec<String>>,
    /// Connect to nobody but the peers that were named
    #[arg(long, env = "DOTP2P_NO_DISCOVERY", hide_env_values = true, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub no_discovery: Option<bool>,
    /// Look for blocks, on so many threads [default: all but one]
    #[arg(long, value_name = "THREADS", env = "DOTP2P_MINE", hide_env_values = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "auto")]
    pub mine: Option<Threads>,
    /// Whom blocks pay [default: the wallet's first address]
    #[arg(long, value_name = "ADDRESS", env = "DOTP2P_MINE_TO", hide_env_values = true)]
    pub mine_to: Option<String>,
    /// Rebuild the database from the block files first
    #[arg(long, env = "DOTP2P_REINDEX", hide_env_values = true, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub reindex: Option<bool>,
    /// Serve small updates in DNS before they are in a block [default: true]
    #[arg(long, value_name = "BOOL", env = "DOTP2P_DNS_PROVISIONAL_UPDATES", hide_env_values = true)]
    #[arg(value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub dns_provisional_updates: Option<bool>,
    /// Answers a second over DNS to a network (/24, /56) that shows no cookie; 0: no limit [default: 200]
    #[arg(long, value_name = "NUMBER", env = "DOTP2P_DNS_RATE_LIMIT", hide_env_values = true)]
    #[arg(allow_negative_numbers = true, value_parser = answers_a_second)]
    pub dns_rate_limit: Option<u32>,
    /// A network without such a limit; repeatable, or none [default: 127.0.0.0/8 and ::1/128]
    #[arg(long, value_name = "NETWORK|none", env = "DOTP2P_DNS_RATE_LIMIT_EXEMPT", hide_env_values = true)]
    #[arg(value_delimiter = ',')]
    pub dns_rate_limit_exempt: Option<Vec<String>>,
    /// Sign answers in DNS, for those who ask for it (DNSSEC) [default: true]
    #[arg(long, value_name = "BOOL", env = "DOTP2P_DNSSEC", hide_env_values = true)]
    #[arg(value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub dnssec: Option<bool>,
    /// How a zone key signs that is made at first start: ecdsap256 or ed25519 [default: ecdsap256]
    #[arg(long, value_name = "ALGORITHM", env = "DOTP2P_DNSSEC_ALGORITHM", hide_env_values = true)]
    pub dnssec_algorithm: Option<Algorithm>,
    /// Where DNS questions outside the network's domain go: off, system, or upstreams such as 9.9.9.9 or
    /// tls://9.9.9.9#dns.quad9.net, the first that answers [default: system]
    #[arg(long, value_name = "UPSTREAM,…", env = "DOTP2P_DNS_FORWARD", hide_env_values = true)]
    pub dns_forward: Option<Forward>,
    /// Whose questions are forwarded [default: loopback, private and link-local addresses]
    #[arg(long, value_name = "PREFIX,…", env = "DOTP2P_DNS_FORWARD_ALLOW", hide_env_values = true)]
    #[arg(value_delimiter = ',')]
    pub dns_forward_allow: Option<Vec<IpNet>>,
    /// Certificates (PEM) that upstreams over TLS and HTTPS are held against [default: the system's]
    #[arg(long, value_name = "FILE", env = "DOTP2P_DNS_FORWARD_CA", hide_env_values = true)]
    pub dns_forward_ca: Option<PathBuf>,
    /// The pre-shared key of a network that needs one [default: the network file's path, ending in .psk]
    #[arg(long, value_name = "FILE", env = "DOTP2P_PSK", hide_env_values = true)]
    pub psk: Option<PathBuf>,
}

/// Threads to mine on: a number (0: none), or all but one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ThreadsForm")]
pub enum Threads {
    /// One a core, one core left to everything else.
    Auto,
    /// So many.
    Exactly(usize),
}

/// A number, or `"auto"`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "threads are a number, or \"auto\"")]
enum ThreadsForm {
    Count(usize),
    Text(String),
}

impl TryFrom<ThreadsForm> for Threads {
    type Error = std::num::ParseIntError;

    fn try_from(form: ThreadsForm) -> Result<Self, Self::Error> {
        match form {
            ThreadsForm::Count(count) => Ok(Self::Exactly(count)),
            ThreadsForm::Text(text) => text.parse(),
        }
    }
}

impl std::str::FromStr for Threads {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Exactly) }
    }
}

impl Threads {
    /// The number; `None`: no mining.
    #[must_use]
    pub fn count(self) -> Option<usize> {
        match self {
            Self::Exactly(count) => Some(count).filter(|count| *count > 0),
            Self::Auto => {
                let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                Some(cores.saturating_sub(1).max(1))
            }
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Neither flag nor home.
    #[error("no data directory: HOME is not set, so give one with --data-dir")]
    NoHome,
    /// A file that cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("{path}, line {line}: {what}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// No network of addresses.
    #[error("{0:?} is no network of addresses: write 192.0.2.0/24, 2001:db8::/32, 192.0.2.7, or none alone")]
    Exempt(String),
    /// Neither built in nor a file.
    #[error("network {0:?} is none of main, test and regtest, and there is no such file")]
    UnknownNetwork(String),
    /// A value in a network file.
    #[error("{path}: {key}: {what}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A network whose rules contradict themselves.
    #[error("{path}: {source}")]
    Rules {
        /// The file.
        path: PathBuf,
        /// The rule.
        source: RulesError,
    },
    /// Where to listen for peers.
    #[error("--p2p-listen {0:?} is no multiaddr, such as /ip4/0.0.0.0/tcp/9353")]
    P2pListen(String),
    /// Whom to connect to.
    #[error("--peer {0}")]
    Peer(AddressTextError),
    /// Whom to pay.
    #[error("--mine-to {address:?}: {source}")]
    MineTo {
        /// As given.
        address: String,
        /// Why it is no address.
        source: AddressError,
    },
    /// The pre-shared key.
    #[error(transparent)]
    Psk(#[from] psk::PskError),
    /// The certificates that upstreams are held against.
    #[error("--dns-forward-ca {path}: {source}")]
    CaFile {
        /// Their file.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// A key, where none is used.
    #[error(
        "--psk {path}: network {network} uses no pre-shared key; leave it out, or give --network a file with psk = true"
    )]
    PskUnused {
        /// The key's file.
        path: PathBuf,
        /// The network.
        network: String,
    },
}

/// Every layer resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The network.
    pub params: Params,
    /// The data directory's folder of this network.
    pub dir: PathBuf,
    /// Where the node answers, if that was said.
    pub rpc: Option<String>,
    /// Whether results are printed as JSON.
    pub json: bool,
    /// How much is logged: 0, 1, 2.
    pub verbose: u8,
    /// What the node does.
    pub node: NodeSettings,
    /// The network's pre-shared key, once [`Settings::load_psk`] has read it.
    pub psk: Option<[u8; 32]>,
}

/// What `dotp2p node` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// Where it answers JSON-RPC.
    pub rpc_listen: SocketAddr,
    /// Where it answers DNS.
    pub dns_listen: Vec<SocketAddr>,
    /// Where it listens for peers; `None`: everywhere.
    pub p2p_listen: Option<Vec<Multiaddr>>,
    /// Whom it stays connected to.
    pub peers: Vec<String>,
    /// Whether it looks for others.
    pub discovery: bool,
    /// On how many threads it mines, if it does.
    pub mine: Option<usize>,
    /// Whom its blocks pay, if not the wallet.
    pub mine_to: Option<PublicKey>,
    /// Whether it rebuilds its database.
    pub reindex: bool,
    /// Whether it serves updates before they are mined (L5).
    pub dns_provisional: bool,
    /// How DNS answers.
    pub dns: dotp2p_dns::server::Config,
    /// Where the pre-shared key is, if that was said or the network needs one.
    pub psk: Option<PathBuf>,
}

impl Settings {
    /// Resolves `flags` (the command line and the variables) over the file and the defaults.
    pub fn resolve(flags: Layer) -> Result<Self, ConfigError> {
        let file = match &flags.config {
            Some(path) => Layer::read(path)?,
            None => {
                let path = flags.data_dir()?.join(FILE_NAME);
                if path.exists() { Layer::read(&path)? } else { Layer::default() }
            }
        };
        let layer = flags.over(file);
        let name = layer.network.as_deref().unwrap_or("main");
        let params = network(name)?;
        let dir = layer.data_dir()?.join(&params.deployment.name);
        let psk = params.deployment.psk.then(|| psk::beside(Path::new(name)));
        let node = layer.node.resolve(&params, psk)?;
        let json = layer.json == Some(true);
        Ok(Self { params, dir, rpc: layer.rpc, json, verbose: layer.verbose, node, psk: None })
    }

    /// Reads the pre-shared key of a network that needs one; only the node does.
    pub fn load_psk(&mut self) -> Result<(), ConfigError> {
        let Some(path) = &self.node.psk else { return Ok(()) };
        let Deployment { psk: is_needed, name: network, .. } = &self.params.deployment;
        if !is_needed {
            return Err(ConfigError::PskUnused { path: path.clone(), network: network.clone() });
        }
        self.psk = Some(psk::read(path)?);
        Ok(())
    }

    /// Errors: there is no such file of certificates, which nobody would notice before an upstream needs it; only the node does.
    pub fn check_ca_file(&self) -> Result<(), ConfigError> {
        let Some(path) = &self.node.dns.forward.ca_file else { return Ok(()) };
        fs::read(path).map(drop).map_err(|source| ConfigError::CaFile { path: path.clone(), source })
    }

    /// The wallet's file.
    #[must_use]
    pub fn wallet_path(&self) -> PathBuf {
        self.dir.join("wallet.json")
    }

    /// The top-level domain.
    #[must_use]
    pub fn tld(&self) -> String {
        String::from_utf8_lossy(&self.params.rules.tld).into_owned()
    }
}

impl Layer {
    /// Reads a file; paths in it are relative to its folder.
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut layer: Self = read_toml(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        layer.data_dir = layer.data_dir.map(|dir| folder.join(dir));
        layer.node.psk = layer.node.psk.map(|psk| folder.join(psk));
        layer.node.dns_forward_ca = layer.node.dns_forward_ca.map(|file| folder.join(file));
        layer.network = layer.network.map(|name| match Params::named(&name) {
            Some(_) => name,
            None => folder.join(name).to_string_lossy().into_owned(),
        });
        Ok(layer)
    }

    /// What `self` says, and where it says nothing, what `below` says.
    fn over(self, below: Self) -> Self {
        Self {
            network: self.network.or(below.network),
            data_dir: self.data_dir.or(below.data_dir),
            config: self.config,
            rpc: self.rpc.or(below.rpc),
            json: self.json.or(below.json),
            verbose: if self.verbose > 0 { self.verbose } else { below.verbose },
            node: NodeLayer {
                rpc_listen: self.node.rpc_listen.or(below.node.rpc_listen),
                dns_listen: self.node.dns_listen.or(below.node.dns_listen),
                p2p_listen: self.node.p2p_listen.or(below.node.p2p_listen),
                peer: self.node.peer.or(below.node.peer),
                no_discovery: self.node.no_discovery.or(below.node.no_discovery),
                mine: self.node.mine.or(below.node.mine),
                mine_to: self.node.mine_to.or(below.node.mine_to),
                reindex: self.node.reindex.or(below.node.reindex),
                dns_provisional_updates: self.node.dns_provisional_updates.or(below.node.dns_provisional_updates),
                dns_rate_limit: self.node.dns_rate_limit.or(below.node.dns_rate_limit),
                dns_rate_limit_exempt: self.node.dns_rate_limit_exempt.or(below.node.dns_rate_limit_exempt),
                dnssec: self.node.dnssec.or(below.node.dnssec),
                dnssec_algorithm: self.node.dnssec_algorithm.or(below.node.dnssec_algorithm),
                dns_forward: self.node.dns_forward.or(below.node.dns_forward),
                dns_forward_allow: self.node.dns_forward_allow.or(below.node.dns_forward_allow),
                dns_forward_ca: self.node.dns_forward_ca.or(below.node.dns_forward_ca),
                psk: self.node.psk.or(below.node.psk),
            },
        }
    }

    /// The data directory: as said, else the place the XDG base directories give it.
    fn data_dir(&self) -> Result<PathBuf, ConfigError> {
        let variable = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let xdg = || variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")));
        match &self.data_dir {
            Some(dir) => Ok(dir.clone()),
            None => Ok(xdg().ok_or(ConfigError::NoHome)?.join("dotp2p")),
        }
    }
}

impl NodeLayer {
    /// `psk`: where the pre-shared key is unless something else is said.
    fn resolve(self, params: &Params, psk: Option<PathBuf>) -> Result<NodeSettings, ConfigError> {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let deployment = &params.deployment;
        let mine_to = self.mine_to.map(|address| {
            let key = PublicKey::from_address(&address, &deployment.address_prefix);
            key.map_err(|source| ConfigError::MineTo { address, source })
        });
        let listen = self.p2p_listen.map(|all| {
            let one = |text: String| text.parse().map_err(|_| ConfigError::P2pListen(text));
            all.into_iter().map(one).collect::<Result<Vec<Multiaddr>, _>>()
        });
        if let Some(wrong) = self.peer.iter().flatten().find(|text| check_peer_text(text).is_err()) {
            return Err(ConfigError::Peer(AddressTextError(wrong.clone())));
        }
        let mut dns = dotp2p_dns::server::Config::default();
        dns.forward = dotp2p_dns::forward::config::Config {
            to: self.dns_forward.unwrap_or_default(),
            allow: self.dns_forward_allow.map(Allowed).unwrap_or_default(),
            ca_file: self.dns_forward_ca,
            ..Default::default()
        };
        dns.rate_limit = self.dns_rate_limit.unwrap_or(dns.rate_limit);
        dns.dnssec = self.dnssec.unwrap_or(dns.dnssec);
        dns.dnssec_algorithm = self.dnssec_algorithm.unwrap_or(dns.dnssec_algorithm);
        if let Some(networks) = self.dns_rate_limit_exempt {
            dns.rate_limit_exempt = exempt(&networks)?;
        }
        Ok(NodeSettings {
            rpc_listen: self.rpc_listen.unwrap_or(loopback(deployment.rpc_port)),
            dns_listen: self.dns_listen.unwrap_or_else(|| vec![loopback(deployment.dns_port)]),
            p2p_listen: listen.transpose()?,
            peers: self.peer.unwrap_or_default(),
            discovery: self.no_discovery != Some(true),
            mine: self.mine.and_then(Threads::count),
            mine_to: mine_to.transpose()?,
            reindex: self.reindex.unwrap_or(false),
            dns_provisional: self.dns_provisional_updates.unwrap_or(true),
            dns,
            psk: self.psk.or(psk),
        })
    }
}

fn answers_a_second(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("a number of answers from 1 to {} is expected, or 0 for no limit", u32::MAX))
}

/// Networks of addresses; `none` alone stands for no network.
fn exempt(texts: &[String]) -> Result<Vec<IpNet>, ConfigError> {
    let network = |text: &String| {
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        text.parse().ok().or_else(address).ok_or_else(|| ConfigError::Exempt(text.clone()))
    };
    if texts == ["none"] { Ok(Vec::new()) } else { texts.iter().map(network).collect() }
}

/// The network of that name, built in or a file.
fn network(name: &str) -> Result<Params, ConfigError> {
    if let Some(params) = Params::named(name) {
        return Ok(params);
    }
    let path = Path::new(name);
    if path.exists() { network_file::read(path) } else { Err(ConfigError::UnknownNetwork(name.to_owned())) }
}

fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    parse_toml(&read_text(path)?, path)
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// Reads the text of the file `path`.
fn parse_toml<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let what = error.message().lines().collect::<Vec<_>>().join(", ").replace(char::is_control, "\u{fffd}");
        ConfigError::Toml { path: path.to_owned(), line, what }
    })
}

#[cfg(test)]
mod tests;
