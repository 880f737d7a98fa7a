//! Where a peer listens and which part of the internet that is.
//!
//! - [`PeerAddress`]: IP and TCP port, the key of the [address book](crate::address_book).
//! - [`PeerId`]: who a peer is, as opaque bytes that a handshake proved.
//! - [`NetGroup`]: what one operator can fill cheaply: a /16 of IPv4, a /32 of IPv6. Peers are spread over these.
//! - [`Subnet`]: a CIDR block, for bans and for counting inbound connections.
//!
//! What is absent: host names and transports. A peer's id is no part of its address: whoever gossips a wrong id could
//! otherwise make an honest address undialable.
//!
//! Invariant: IPv4 has one form. An IPv4-mapped IPv6 address becomes its IPv4 address wherever one is taken in.

use core::fmt;
use core::str::FromStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use dotp2p_chain::hash::{from_hex, to_hex};
use parity_scale_codec::{Compact, Decode, Encode, Input, Output};

mod group;
mod subnet;

pub use group::{LocalNet, NetGroup, is_routable};
pub use subnet::Subnet;

/// Why something is no address, id or subnet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// An id is short enough to be kept for thousands of peers.
    #[error("a peer id has 1 to {max} bytes, not {0}", max = PeerId::MAX_LEN)]
    IdLength(usize),
    /// Ids are written in hexadecimal.
    #[error("{0:?} is not a peer id in hexadecimal")]
    IdText(String),
    /// Nobody can be reached there.
    #[error("nobody listens on {0}")]
    Nowhere(SocketAddr),
    /// Not `IP:PORT`.
    #[error("{0:?} is not an address: expected 192.0.2.1:9353 or [2001:db8::1]:9353")]
    Text(String),
    /// Not `IP` or `IP/BITS`.
    #[error("{0:?} is not a subnet: expected 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32")]
    SubnetText(String),
    /// More bits than the address has.
    #[error("a prefix of {ip} has at most {max} bits, not {bits}")]
    Prefix {
        /// The address.
        ip: IpAddr,
        /// What was asked for.
        bits: u8,
        /// 32 or 128.
        max: u8,
    },
}

/// Who a peer is: 1 to 64 bytes that mean something to the transport alone. Shown in hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Box<[u8]>);

impl PeerId {
    /// Bytes of the longest id.
    pub const MAX_LEN: usize = 64;

    /// Checks the length.
    pub fn new(bytes: &[u8]) -> Result<Self, AddressError> {
        match bytes.len() {
            1..=Self::MAX_LEN => Ok(Self(bytes.into())),
            len => Err(AddressError::IdLength(len)),
        }
    }

    /// The bytes, as the transport gave them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

impl FromStr for PeerId {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::new(&from_hex(text).ok_or_else(|| AddressError::IdText(text.to_owned()))?)
    }
}

impl Encode for PeerId {
    fn encode_to<T: Output + ?Sized>(&self, out: &mut T) {
        self.0.encode_to(out);
    }
}

impl Decode for PeerId {
    fn decode<I: Input>(input: &mut I) -> Result<Self, parity_scale_codec::Error> {
        let Compact(len) = Compact::<u32>::decode(input)?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > Self::MAX_LEN {
            return Err("a peer id is too long".into());
        }
        let mut bytes = vec![0; len];
        input.read(&mut bytes)?;
        Self::new(&bytes).map_err(|_| "a peer id is empty".into())
    }
}

/// Where a peer can be dialled: an IP and a TCP port.
///
/// Neither the port nor the IP is zero, and IPv4 is never written as IPv6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddress {
    ip: IpAddr,
    port: u16,
}

impl PeerAddress {
    /// Brings the IP to its one form and refuses what nobody can be reached at.
    pub fn new(ip: IpAddr, port: u16) -> Result<Self, AddressError> {
        let ip = ip.to_canonical();
        if port == 0 || ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err(AddressError::Nowhere(SocketAddr::new(ip, port)));
        }
        Ok(Self { ip, port })
    }

    /// The IP.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it lies.
    #[must_use]
    pub fn group(&self) -> NetGroup {
        NetGroup::of(self.ip)
    }

    /// Whether strangers could reach it.
    #[must_use]
    pub fn is_routable(&self) -> bool {
        is_routable(self.ip)
    }
}

impl From<PeerAddress> for SocketAddr {
    fn from(address: PeerAddress) -> Self {
        Self::new(address.ip, address.port)
    }
}

impl TryFrom<SocketAddr> for PeerAddress {
    type Error = AddressError;
    fn try_from(address: SocketAddr) -> Result<Self, AddressError> {
        Self::new(address.ip(), address.port())
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerAddress({self})")
    }
}

impl FromStr for PeerAddress {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.parse::<SocketAddr>().map_err(|_| AddressError::Text(text.to_owned()))?.try_into()
    }
}

/// A byte for the family, 0 for IPv4 and 1 for IPv6, the IP in network order, the port: as SCALE writes a result.
/// Canonical, for a mapped IPv4 address is refused.
type Wire = Result<([u8; 4], u16), ([u8; 16], u16)>;

impl Encode for PeerAddress {
    fn encode_to<T: Output + ?Sized>(&self, out: &mut T) {
        let wire: Wire = match self.ip {
            IpAddr::V4(ip) => Ok((ip.octets(), self.port)),
            IpAddr::V6(ip) => Err((ip.octets(), self.port)),
        };
        wire.encode_to(out);
    }
}

impl Decode for PeerAddress {
    fn decode<I: Input>(input: &mut I) -> Result<Self, parity_scale_codec::Error> {
        let (ip, port) = match Wire::decode(input)? {
            Ok((ip, port)) => (IpAddr::V4(Ipv4Addr::from(ip)), port),
            Err((ip, port)) => (IpAddr::V6(Ipv6Addr::from(ip)), port),
        };
        match Self::new(ip, port) {
            Ok(address) if address.ip == ip => Ok(address),
            _ => Err("not an address in its one form".into()),
        }
    }
}

#[cfg(test)]
mod tests;
