//! Groups of addresses that one operator fills as easily as one address, after Bitcoin Core's `netgroup.cpp`.

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The part of the internet an address lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetGroup {
    /// A /16 of IPv4; also what is carried over it: 6to4, Teredo, NAT64, SIIT.
    V4([u8; 2]),
    /// A /32 of IPv6.
    V6([u8; 4]),
    /// Reachable from here, not by strangers.
    Local(LocalNet),
    /// Everything else that is not routed: documentation, benchmarks, reserved blocks.
    Reserved,
}

/// The kinds of network that are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LocalNet {
    /// 127.0.0.0/8, ::1.
    Loopback,
    /// RFC 1918, and the carriers' 100.64.0.0/10 (RFC 6598).
    Private,
    /// 169.254.0.0/16, fe80::/10.
    LinkLocal,
    /// fc00::/7.
    UniqueLocal,
}

impl NetGroup {
    /// The group of an IP.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    /// Whether it is one of our own networks, where groups say nothing about operators.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// Five bytes that no other group has.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 5] {
        match self {
            Self::V4([a, b]) => [4, a, b, 0, 0],
            Self::V6([a, b, c, d]) => [6, a, b, c, d],
            Self::Local(LocalNet::Loopback) => [1, 0, 0, 0, 0],
            Self::Local(LocalNet::Private) => [1, 1, 0, 0, 0],
            Self::Local(LocalNet::LinkLocal) => [1, 2, 0, 0, 0],
            Self::Local(LocalNet::UniqueLocal) => [1, 3, 0, 0, 0],
            Self::Reserved => [0; 5],
        }
    }

    /// The group that [`Self::to_bytes`] was called on.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 5]) -> Option<Self> {
        Some(match bytes {
            [4, a, b, 0, 0] => Self::V4([a, b]),
            [6, a, b, c, d] => Self::V6([a, b, c, d]),
            [1, 0, 0, 0, 0] => Self::Local(LocalNet::Loopback),
            [1, 1, 0, 0, 0] => Self::Local(LocalNet::Private),
            [1, 2, 0, 0, 0] => Self::Local(LocalNet::LinkLocal),
            [1, 3, 0, 0, 0] => Self::Local(LocalNet::UniqueLocal),
            [0, 0, 0, 0, 0] => Self::Reserved,
            _ => return None,
        })
    }

    fn of_v4(ip: Ipv4Addr) -> Self {
        let [a, b, c, _] = ip.octets();
        match (a, b, c) {
            (127, ..) => Self::Local(LocalNet::Loopback),
            (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Self::Local(LocalNet::Private),
            (169, 254, _) => Self::Local(LocalNet::LinkLocal),
            // This network; protocol assignments; documentation; benchmarks; multicast, reserved and broadcast.
            (0, ..) | (192, 0, 0 | 2) | (198, 51, 100) | (203, 0, 113) | (198, 18 | 19, _) | (224.., ..) => {
                Self::Reserved
            }
            _ => Self::V4([a, b]),
        }
    }

    fn of_v6(ip: Ipv6Addr) -> Self {
        if ip.is_loopback() {
            return Self::Local(LocalNet::Loopback);
        }
        if let Some(carried) = carried_v4(ip) {
            return match Self::of_v4(carried) {
                group @ Self::V4(_) => group,
                _ => Self::Reserved,
            };
        }
        let [a, b, c, d, ..] = ip.octets();
        match ip.segments() {
            [0xfe80..=0xfebf, ..] => Self::Local(LocalNet::LinkLocal),
            [0xfc00..=0xfdff, ..] => Self::Local(LocalNet::UniqueLocal),
            // ORCHID (both), documentation (both).
            [0x2001, 0x10..=0x2f, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Self::Reserved,
            [0x2000..=0x3fff, ..] => Self::V6([a, b, c, d]),
            _ => Self::Reserved,
        }
    }
}

impl fmt::Display for NetGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4([a, b]) => write!(f, "{a}.{b}.0.0/16"),
            Self::V6([a, b, c, d]) => write!(f, "{a:02x}{b:02x}:{c:02x}{d:02x}::/32"),
            Self::Local(LocalNet::Loopback) => f.write_str("loopback"),
            Self::Local(LocalNet::Private) => f.write_str("private"),
            Self::Local(LocalNet::LinkLocal) => f.write_str("link-local"),
            Self::Local(LocalNet::UniqueLocal) => f.write_str("unique local"),
            Self::Reserved => f.write_str("reserved"),
        }
    }
}

/// Whether strangers could reach an IP. An address that carries IPv4 is as routable as what it carries.
#[must_use]
pub fn is_routable(ip: IpAddr) -> bool {
    matches!(NetGroup::of(ip), NetGroup::V4(_) | NetGroup::V6(_))
}

/// The IPv4 address that an IPv6 address stands for.
fn carried_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        // NAT64 (RFC 6052), SIIT (RFC 6145).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => Some(v4(high, low)),
        // 6to4 (RFC 3964).
        [0x2002, high, low, ..] => Some(v4(high, low)),
        // Teredo (RFC 4380) has the client's address with its bits inverted.
        [0x2001, 0, _, _, _, _, high, low] => Some(v4(!high, !low)),
        _ => None,
    }
}
