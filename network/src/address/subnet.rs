//! Blocks of addresses in CIDR notation.

use core::fmt;
use core::str::FromStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::AddressError;

/// The addresses that share their first bits with one; the others are zero in `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subnet {
    base: IpAddr,
    bits: u8,
}

impl Subnet {
    /// The subnet of the first `bits` bits of `ip`; what follows them is cleared.
    pub fn new(ip: IpAddr, bits: u8) -> Result<Self, AddressError> {
        let ip = ip.to_canonical();
        let max = width(ip);
        if bits > max {
            return Err(AddressError::Prefix { ip, bits, max });
        }
        Ok(Self::masked(ip, bits))
    }

    /// One address alone.
    #[must_use]
    pub fn exact(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        Self { base: ip, bits: width(ip) }
    }

    /// What one customer has: an IPv4 address, a /64 of IPv6.
    #[must_use]
    pub fn customer(ip: IpAddr) -> Self {
        Self::masked(ip.to_canonical(), if ip.to_canonical().is_ipv4() { 32 } else { 64 })
    }

    /// What one site has: a /24 of IPv4, a /48 of IPv6.
    #[must_use]
    pub fn site(ip: IpAddr) -> Self {
        Self::masked(ip.to_canonical(), if ip.to_canonical().is_ipv4() { 24 } else { 48 })
    }

    /// Whether an IP lies in it.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.base.is_ipv4() && Self::masked(ip, self.bits) == *self
    }

    /// All subnets that an IP lies in, the narrowest first.
    pub fn around(ip: IpAddr) -> impl Iterator<Item = Self> {
        let ip = ip.to_canonical();
        (0..=width(ip)).rev().map(move |bits| Self::masked(ip, bits))
    }

    fn masked(ip: IpAddr, bits: u8) -> Self {
        let base = match ip {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask))
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask))
            }
        };
        Self { base, bits }
    }
}

fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == width(self.base) {
            return self.base.fmt(f);
        }
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl FromStr for Subnet {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refused = || AddressError::SubnetText(text.to_owned());
        match text.split_once('/') {
            None => Ok(Self::exact(text.parse().map_err(|_| refused())?)),
            Some((ip, bits)) => {
                let ip: IpAddr = ip.parse().map_err(|_| refused())?;
                if ip != ip.to_canonical() {
                    return Err(refused());
                }
                Self::new(ip, bits.parse().map_err(|_| refused())?)
            }
        }
    }
}
