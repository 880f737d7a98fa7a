//! Where questions about everything else go, and whose are taken.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

pub use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::upstream::{Upstream, UpstreamError};

/// What is done with a question outside the domain. As text: `off`, `system`, or upstreams with commas between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Form", try_from = "Form")]
pub enum Forward {
    /// It is refused.
    Off,
    /// It goes to the system's resolvers.
    #[default]
    System,
    /// It goes to these, the first that answers; at least one.
    Upstreams(Vec<Upstream>),
}

/// The text, or a list of its parts.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "upstreams are \"off\", \"system\", or addresses in a list")]
enum Form {
    Text(String),
    List(Vec<String>),
}

/// Prefixes of clients whose questions are forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Allowed(pub Vec<IpNet>);

/// All of the forwarder's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to.
    pub to: Forward,
    /// Whose questions.
    pub allow: Allowed,
    /// Certificates in PEM that upstreams over TLS and HTTPS are held against; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// Upstreams that are asked at once, each with a socket. Whoever starts the server knows how many files it may open.
    #[serde(skip)]
    pub sockets: usize,
}

/// With these a process of 1,024 files has some left for peers and TCP.
pub const SOCKETS: usize = 256;

impl Default for Config {
    fn default() -> Self {
        Self { to: Forward::default(), allow: Allowed::default(), ca_file: None, sockets: SOCKETS }
    }
}

/// Loopback, private, shared (RFC 6598) and link-local addresses.
const NEAR: [&str; 9] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

impl Default for Allowed {
    fn default() -> Self {
        Self(NEAR.iter().filter_map(|prefix| prefix.parse().ok()).collect())
    }
}

impl Allowed {
    /// Whether that client is among them.
    #[must_use]
    pub fn has(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.0.iter().any(|prefix| prefix.contains(&client))
    }
}

impl FromStr for Forward {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "off" => Ok(Self::Off),
            "system" => Ok(Self::System),
            "" => Err(UpstreamError::None),
            text => text.split(',').map(|part| part.trim().parse()).collect::<Result<_, _>>().map(Self::Upstreams),
        }
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => out.write_str("off"),
            Self::System => out.write_str("system"),
            Self::Upstreams(all) => out.write_str(&all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
        }
    }
}

impl TryFrom<Form> for Forward {
    type Error = UpstreamError;

    fn try_from(form: Form) -> Result<Self, Self::Error> {
        match form {
            Form::Text(text) => text.parse(),
            Form::List(parts) => parts.join(",").parse(),
        }
    }
}

impl From<Forward> for Form {
    fn from(forward: Forward) -> Self {
        Self::Text(forward.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        let two = Forward::Upstreams(vec!["192.0.2.1".parse().unwrap(), "tls://192.0.2.2#a.example".parse().unwrap()]);
        for (text, forward) in [
            ("off", Forward::Off),
            ("system", Forward::System),
            ("192.0.2.1:53,tls://192.0.2.2:853#a.example", two.clone()),
        ] {
            assert_eq!(text.parse(), Ok(forward.clone()));
            assert_eq!(forward.to_string(), text);
            let json = serde_json::to_string(&forward).unwrap();
            assert_eq!(serde_json::from_str::<Forward>(&json).unwrap(), forward);
        }
        let list = r#"["192.0.2.1", "tls://192.0.2.2#a.example"]"#;
        assert_eq!(serde_json::from_str::<Forward>(list).unwrap(), two);
        for wrong in ["", "on", "192.0.2.1,", "off,system"] {
            assert!(wrong.parse::<Forward>().is_err(), "{wrong}");
        }
        assert_eq!(
            serde_json::from_str::<Forward>("[]").unwrap_err().to_string().split(';').next().unwrap(),
            "no upstream is named: write \"off\", \"system\", or upstreams such as \"9.9.9.9\""
        );
    }

    #[test]
    fn near_clients_are_allowed() {
        let allowed = Allowed::default();
        assert_eq!(allowed.0.len(), NEAR.len());
        let near = [
            "127.0.0.1",
            "127.9.9.9",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.3.4",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ];
        for near in near {
            assert!(allowed.has(near.parse().unwrap()), "{near}");
        }
        for far in ["192.0.2.1", "172.32.0.1", "2001:db8::1", "8.8.8.8", "::ffff:8.8.8.8", "::"] {
            assert!(!allowed.has(far.parse().unwrap()), "{far}");
        }
    }
}
