//! An upstream as it is written.
//!
//! - `192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`: over UDP, and over TCP where an answer does not fit
//! - `tcp://192.0.2.1`: over TCP alone
//! - `tls://9.9.9.9#dns.quad9.net`: DNS over TLS (RFC 7858)
//! - `https://9.9.9.9/dns-query#dns.quad9.net`: DNS over HTTPS (RFC 8484)
//!
//! The host is an address: its name would have to be asked for somewhere. The name after `#`, as systemd-resolved and
//! Unbound write it, is the one in the upstream's certificate; without it the certificate must be the address's.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use rustls::pki_types::ServerName;

/// How an upstream is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP, and TCP for what does not fit.
    Udp,
    /// TCP.
    Tcp,
    /// TLS.
    Tls {
        /// The certificate's name: a host name or an address.
        name: Arc<str>,
    },
    /// HTTPS.
    Https {
        /// The certificate's name: a host name or an IPv4 address.
        name: Arc<str>,
        /// Where on the server, from `/`.
        path: Arc<str>,
    },
}

/// A resolver that is asked about everything outside the domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Where it listens.
    pub addr: SocketAddr,
    /// How it is spoken to.
    pub transport: Transport,
}

/// Why a text is not an [`Upstream`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// No upstream at all.
    #[error("no upstream is named: write \"off\", \"system\", or upstreams such as \"9.9.9.9\"")]
    None,
    /// Neither an address nor an address and a port.
    #[error("upstream {0:?} has no IP address, such as 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53")]
    Address(String),
    /// Something before `://`.
    #[error("upstream {text:?}: scheme {scheme:?} is none of udp, tcp, tls and https")]
    Scheme {
        /// As given.
        text: String,
        /// Its beginning.
        scheme: String,
    },
    /// Port 0, or an address that is nobody's.
    #[error("upstream {0:?}: nobody can listen there")]
    Nobody(String),
    /// A name or a path, where none belongs.
    #[error("upstream {0:?}: only tls:// and https:// take a name after #, only https:// a path")]
    Extra(String),
    /// What no request can have.
    #[error("upstream {text:?}: {path:?} is no path: write %20 for a space, and other bytes likewise")]
    Path {
        /// As given.
        text: String,
        /// What stands from `/`.
        path: String,
    },
    /// Not a name.
    #[error("upstream {text:?}: {name:?} is no host name")]
    Name {
        /// As given.
        text: String,
        /// What stands after `#`.
        name: String,
    },
    /// HTTPS to an IPv6 address alone.
    #[error("upstream {0:?}: an IPv6 address needs the certificate's name after #, such as #dns.example")]
    NameNeeded(String),
}

impl Upstream {
    /// Plain DNS on port 53, as `resolv.conf` means it.
    #[must_use]
    pub const fn plain(ip: IpAddr) -> Self {
        Self { addr: SocketAddr::new(ip, 53), transport: Transport::Udp }
    }
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("udp", text));
        let (rest, name) = rest.split_once('#').map_or((rest, None), |(rest, name)| (rest, Some(name)));
        let (host, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
        let port = match scheme {
            "udp" | "tcp" => 53,
            "tls" => 853,
            "https" => 443,
            _ => return Err(UpstreamError::Scheme { text: text.to_owned(), scheme: scheme.to_owned() }),
        };
        let addr = address(host, port).ok_or_else(|| UpstreamError::Address(text.to_owned()))?;
        if addr.port() == 0 || addr.ip().is_unspecified() || addr.ip().is_multicast() {
            return Err(UpstreamError::Nobody(text.to_owned()));
        }
        let is_extra = (name.is_some() && matches!(scheme, "udp" | "tcp")) || (!path.is_empty() && scheme != "https");
        if is_extra {
            return Err(UpstreamError::Extra(text.to_owned()));
        }
        // As it stands in a request; `?` and what follows belongs to it (RFC 3986, 3.3 and 3.4).
        let is_of_path = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/?".contains(&byte);
        if !path.bytes().all(is_of_path) {
            return Err(UpstreamError::Path { text: text.to_owned(), path: path.to_owned() });
        }
        if let Some(name) = name.filter(|name| ServerName::try_from(*name).is_err()) {
            return Err(UpstreamError::Name { text: text.to_owned(), name: name.to_owned() });
        }
        if scheme == "https" && name.is_none() && addr.is_ipv6() {
            return Err(UpstreamError::NameNeeded(text.to_owned()));
        }
        let name: Arc<str> = name.map_or_else(|| addr.ip().to_string().into(), Into::into);
        let transport = match scheme {
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls { name },
            "https" => Transport::Https {
                name,
                path: if matches!(path, "" | "/") { "/dns-query".into() } else { path.into() },
            },
            _ => Transport::Udp,
        };
        Ok(Self { addr, transport })
    }
}

/// `IP`, `IP:PORT` or `[IP]:PORT`.
fn address(text: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, port));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match bare {
        Some(ip) => Some(SocketAddr::new(ip.parse::<std::net::Ipv6Addr>().ok()?.into(), port)),
        None => text.parse().ok(),
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addr = self.addr;
        match &self.transport {
            Transport::Udp => write!(out, "{addr}"),
            Transport::Tcp => write!(out, "tcp://{addr}"),
            Transport::Tls { name } => write!(out, "tls://{addr}#{name}"),
            Transport::Https { name, path } => write!(out, "https://{addr}{path}#{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        let cases = [
            ("192.0.2.1", "192.0.2.1:53"),
            ("udp://192.0.2.1", "192.0.2.1:53"),
            ("192.0.2.1:5353", "192.0.2.1:5353"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("[2001:db8::1]", "[2001:db8::1]:53"),
            ("[2001:db8::1]:54", "[2001:db8::1]:54"),
            ("tcp://192.0.2.1", "tcp://192.0.2.1:53"),
            ("tls://9.9.9.9#dns.quad9.net", "tls://9.9.9.9:853#dns.quad9.net"),
            ("tls://9.9.9.9", "tls://9.9.9.9:853#9.9.9.9"),
            ("tls://[2620:fe::fe]:8853#dns.quad9.net", "tls://[2620:fe::fe]:8853#dns.quad9.net"),
            ("https://9.9.9.9/dns-query#dns.quad9.net", "https://9.9.9.9:443/dns-query#dns.quad9.net"),
            ("https://9.9.9.9:8443/my/id#dns.quad9.net", "https://9.9.9.9:8443/my/id#dns.quad9.net"),
            ("https://1.1.1.1", "https://1.1.1.1:443/dns-query#1.1.1.1"),
            ("https://1.1.1.1/", "https://1.1.1.1:443/dns-query#1.1.1.1"),
            ("https://1.1.1.1/a%20b?c=d", "https://1.1.1.1:443/a%20b?c=d#1.1.1.1"),
        ];
        for (text, full) in cases {
            let upstream: Upstream = text.parse().unwrap();
            assert_eq!(upstream.to_string(), full, "{text}");
            assert_eq!(full.parse(), Ok(upstream), "{full}");
        }
    }

    #[test]
    fn what_is_no_upstream() {
        let cases = [
            ("", "upstream \"\" has no IP address, such as 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53"),
            ("dns.quad9.net", "upstream \"dns.quad9.net\" has no IP address"),
            ("tls://dns.quad9.net", "upstream \"tls://dns.quad9.net\" has no IP address"),
            ("192.0.2.1:99999", "upstream \"192.0.2.1:99999\" has no IP address"),
            ("quic://192.0.2.1", "upstream \"quic://192.0.2.1\": scheme \"quic\" is none of udp, tcp, tls and https"),
            ("0.0.0.0", "upstream \"0.0.0.0\": nobody can listen there"),
            ("192.0.2.1:0", "upstream \"192.0.2.1:0\": nobody can listen there"),
            ("192.0.2.1#name", "upstream \"192.0.2.1#name\": only tls:// and https:// take a name"),
            ("tls://192.0.2.1/dns-query", "upstream \"tls://192.0.2.1/dns-query\": only tls:// and https://"),
            ("https://192.0.2.1/x y", "upstream \"https://192.0.2.1/x y\": \"/x y\" is no path: write %20 for a space"),
            ("https://192.0.2.1/ü#a", "upstream \"https://192.0.2.1/ü#a\": \"/ü\" is no path"),
            ("tls://192.0.2.1#a b", "upstream \"tls://192.0.2.1#a b\": \"a b\" is no host name"),
            (
                "https://[2001:db8::1]",
                "upstream \"https://[2001:db8::1]\": an IPv6 address needs the certificate's name",
            ),
        ];
        for (text, error) in cases {
            let got = text.parse::<Upstream>().unwrap_err().to_string();
            assert!(got.starts_with(error), "{got}");
        }
    }
}
