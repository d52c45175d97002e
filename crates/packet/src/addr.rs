//! Transport addresses and prefixes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;

/// A transport address: an IP address and a port (RFC 8489 section 4), without the flow label and scope that make
/// two equal `SocketAddr`s differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The IP address.
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// The endpoint at `ip` and `port`.
    pub const fn new(ip: IpAddr, port: u16) -> Self {
        Self { ip, port }
    }

    /// The endpoint at an IPv4 address.
    pub const fn v4(a: u8, b: u8, c: u8, d: u8, port: u16) -> Self {
        Self { ip: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port }
    }

    /// The address family.
    pub const fn family(self) -> Family {
        Family::of(self.ip)
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(value: SocketAddr) -> Self {
        Self { ip: value.ip(), port: value.port() }
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(value: Endpoint) -> Self {
        Self::new(value.ip, value.port)
    }
}

impl FromStr for Endpoint {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<SocketAddr>().map(Self::from)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of `ip`.
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Bits in an address: 32 or 128.
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// A block of addresses in CIDR notation (RFC 4632), with its host bits zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    network: IpAddr,
    length: u8,
}

/// Why a text or a pair is not a [`Prefix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PrefixError {
    /// The text is not `address/length`.
    #[error("expected an address and a length, such as 192.168.1.0/24")]
    Syntax,
    /// The length exceeds the bits of an address.
    #[error("the length is more than the {0} bits of the address")]
    Length(u8),
    /// Bits are set behind the length; the field holds the prefix that was probably meant.
    #[error("the address has bits set behind the length; the network is {0}")]
    HostBits(Prefix),
}

impl Prefix {
    /// The block of `length` leading bits at `network`, whose other bits must be zero.
    pub fn new(network: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let bits = Family::of(network).bits();
        if length > bits {
            return Err(PrefixError::Length(bits));
        }
        let masked = Self::masked(network, length);
        if masked.network == network { Ok(masked) } else { Err(PrefixError::HostBits(masked)) }
    }

    /// The block of `length` leading bits (at most all) that holds `ip`.
    pub fn masked(ip: IpAddr, length: u8) -> Self {
        let length = length.min(Family::of(ip).bits());
        let network = match ip {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask))
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask))
            }
        };
        Self { network, length }
    }

    /// The block of one address.
    pub fn host(ip: IpAddr) -> Self {
        Self { network: ip, length: Family::of(ip).bits() }
    }

    /// The first address.
    pub const fn network(self) -> IpAddr {
        self.network
    }

    /// Leading bits that every address in the block shares.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// The address family.
    pub const fn family(self) -> Family {
        Family::of(self.network)
    }

    /// Whether `ip` is in the block.
    pub fn contains(self, ip: IpAddr) -> bool {
        self.family() == Family::of(ip) && Self::masked(ip, self.length) == self
    }

    /// Whether some address is in both blocks.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.network) || other.contains(self.network)
    }

    /// How many addresses the block has, saturating at 2^64 - 1.
    pub fn size(self) -> u64 {
        1u64.checked_shl(u32::from(self.family().bits() - self.length)).unwrap_or(u64::MAX)
    }

    /// The address `index` places after the first, if it is in the block.
    pub fn nth(self, index: u64) -> Option<IpAddr> {
        if index >= self.size() {
            return None;
        }
        Some(match self.network {
            IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() + u32::try_from(index).ok()?).into(),
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() + u128::from(index)).into(),
        })
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (ip, length) = text.split_once('/').ok_or(PrefixError::Syntax)?;
        let ip: IpAddr = ip.parse().map_err(|_| PrefixError::Syntax)?;
        if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PrefixError::Syntax);
        }
        Self::new(ip, length.parse().map_err(|_| PrefixError::Length(Family::of(ip).bits()))?)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
