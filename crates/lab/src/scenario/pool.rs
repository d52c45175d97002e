//! The pools that automatic subnets and addresses come from, and the ranges that have a meaning of their own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use natbed_packet::{Family, Prefix};

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> (IpAddr, u8) {
    (IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length)
}

/// Addresses of servers.
const SERVERS: &[(IpAddr, u8)] = &[v4(198, 51, 100, 0, 24)];
/// Addresses of NATs and public hosts, in this order.
const PUBLIC: &[(IpAddr, u8)] = &[v4(203, 0, 113, 0, 24), v4(198, 18, 0, 0, 15), v4(240, 0, 0, 0, 4)];
/// Subnets behind firewalls; 203.0.113.0/24 is left to single addresses.
const PUBLIC_SUBNETS: &[(IpAddr, u8)] = &[v4(198, 18, 0, 0, 15), v4(240, 0, 0, 0, 4)];
/// LANs.
const PRIVATE: &[(IpAddr, u8)] = &[v4(192, 168, 0, 0, 16), v4(10, 0, 0, 0, 8)];
/// LANs with NATs in them (RFC 6598).
const CARRIER: &[(IpAddr, u8)] = &[v4(100, 64, 0, 0, 10)];
/// IPv6 addresses (RFC 3849): the first /64 for the internet, one for each LAN after it.
const IPV6: (IpAddr, u8) = (IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0)), 32);

/// Hands out IPv4 blocks of a list of pools, in order.
pub(super) struct Subnets {
    pools: Vec<Prefix>,
    at: u64,
}

impl Subnets {
    pub(super) fn private() -> Self {
        Self { pools: prefixes(PRIVATE), at: 256 }
    }

    pub(super) fn carrier() -> Self {
        Self { pools: prefixes(CARRIER), at: 0 }
    }

    pub(super) fn public() -> Self {
        Self { pools: prefixes(PUBLIC_SUBNETS), at: 0 }
    }

    /// The next block of `length` that overlaps nothing in `avoid`.
    pub(super) fn deal(&mut self, length: u8, avoid: &[Prefix]) -> Option<Prefix> {
        loop {
            let pool = *self.pools.first()?;
            let size = 1u64 << (32 - length.min(32));
            let start = self.at.next_multiple_of(size);
            let Some(first) = pool.nth(start).filter(|_| start + size <= pool.size()) else {
                self.pools.remove(0);
                self.at = 0;
                continue;
            };
            let block = Prefix::masked(first, length);
            self.at = match avoid.iter().find(|other| other.overlaps(block)) {
                Some(other) if other.contains(first) => start + size.max(other.size()),
                Some(_) => start + size,
                None => {
                    self.at = start + size;
                    return Some(block);
                }
            };
        }
    }
}

/// Hands out single IPv4 addresses of a list of pools, in order; none that ends in 0 or 255.
pub(super) struct Addresses {
    pools: Vec<Prefix>,
    at: u64,
}

impl Addresses {
    pub(super) fn servers() -> Self {
        Self { pools: prefixes(SERVERS), at: 0 }
    }

    pub(super) fn public() -> Self {
        Self { pools: prefixes(PUBLIC), at: 0 }
    }

    /// The next address outside of `avoid` that is not taken.
    pub(super) fn deal(&mut self, avoid: &[Prefix], taken: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        loop {
            let pool = *self.pools.first()?;
            let Some(ip) = pool.nth(self.at) else {
                self.pools.remove(0);
                self.at = 0;
                continue;
            };
            if let Some(block) = avoid.iter().find(|block| block.contains(ip)) {
                let rest = Prefix::masked(ip, block.length()).size();
                self.at = (self.at / rest + 1) * rest;
                continue;
            }
            self.at += 1;
            if !matches!(self.at % 256, 0 | 1) && !taken(ip) {
                return Some(ip);
            }
        }
    }
}

/// The IPv6 /64 of the internet's own nodes.
pub(super) fn internet_ipv6() -> Prefix {
    Prefix::masked(IPV6.0, 64)
}

/// The IPv6 /64s for LANs, in order.
pub(super) fn lans_ipv6() -> impl Iterator<Item = Prefix> {
    let base = match IPV6.0 {
        IpAddr::V6(base) => base.to_bits(),
        IpAddr::V4(_) => 0,
    };
    (1..=u128::from(u16::MAX))
        .map(move |lan| Prefix::masked(IpAddr::V6(Ipv6Addr::from_bits(base | (lan << 80))), 64))
}

/// Whether a block is wholly on the internet, as far as its kind goes: neither private nor [`reserved`].
pub(super) fn is_global(block: Prefix) -> bool {
    let private = [v4(10, 0, 0, 0, 8), v4(172, 16, 0, 0, 12), v4(192, 168, 0, 0, 16), v4(100, 64, 0, 0, 10)];
    let local = (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7);
    let mut ranges = prefixes(&private);
    ranges.extend(prefixes(&[local]));
    reserved(block).is_none() && !ranges.iter().any(|range| range.overlaps(block))
}

/// What addresses of `block` are set apart for, if they can be no node's.
pub(super) fn reserved(block: Prefix) -> Option<&'static str> {
    let v6 =
        |first: u16, last: u16, length| (IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last)), length);
    let ranges = [
        (v4(0, 0, 0, 0, 8), "'this network' (RFC 791)"),
        (v4(127, 0, 0, 0, 8), "loopback (RFC 1122)"),
        (v4(169, 254, 0, 0, 16), "link-local addresses (RFC 3927)"),
        (v4(224, 0, 0, 0, 4), "multicast (RFC 5771)"),
        (v4(255, 255, 255, 255, 32), "broadcast (RFC 919)"),
        (v6(0, 0, 128), "no address (RFC 4291)"),
        (v6(0, 1, 128), "loopback (RFC 4291)"),
        (v6(0xfe80, 0, 10), "link-local addresses (RFC 4291)"),
        (v6(0xff00, 0, 8), "multicast (RFC 4291)"),
    ];
    let hit = ranges.into_iter().find(|((ip, length), _)| Prefix::masked(*ip, *length).overlaps(block));
    hit.map(|(_, meaning)| meaning)
}

/// Whether a node of `subnet` may have `ip`: IPv4 network and broadcast address (RFC 1122) and the IPv6 anycast
/// address of routers (RFC 4291 section 2.6.1) are nobody's; a /31 has neither (RFC 3021).
pub(super) fn is_usable(ip: IpAddr, subnet: Prefix) -> bool {
    let spare = subnet.family().bits() - subnet.length();
    let last = subnet.family() == Family::V4 && subnet.nth(subnet.size() - 1) == Some(ip);
    subnet.contains(ip) && (spare < 2 || (ip != subnet.network() && !last))
}

/// How many nodes an IPv4 subnet has room for.
pub(super) fn room(subnet: Prefix) -> u64 {
    if subnet.family().bits() - subnet.length() < 2 { subnet.size() } else { subnet.size() - 2 }
}

fn prefixes(blocks: &[(IpAddr, u8)]) -> Vec<Prefix> {
    blocks.iter().map(|(ip, length)| Prefix::masked(*ip, *length)).collect()
}
