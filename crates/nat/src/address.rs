//! Addresses as the table keeps them: integers.

use std::fmt::Debug;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::{BitAnd, BitXor, RangeInclusive};

use natbed_packet::{Endpoint, Prefix};

/// An IP address of one family as an integer.
pub(crate) trait Address:
    Copy + Debug + Default + Eq + Ord + Hash + BitAnd<Output = Self> + BitXor<Output = Self> + 'static
{
    /// All bits set.
    const ONES: Self;

    type Tagged: Tagged<Self>;

    fn from_ip(ip: IpAddr) -> Option<Self>;
    fn to_ip(self) -> IpAddr;
    /// How many places after `base` it comes, where that is little.
    fn offset(self, base: Self) -> usize;
    /// The address so many places after.
    fn after(self, places: u16) -> Self;
    /// Whether no router forwards packets from or to it.
    fn is_martian(self) -> bool;
    /// The bits of `prefix`'s network part.
    fn mask(prefix: Prefix) -> Self;
}

impl Address for u32 {
    const ONES: Self = Self::MAX;

    type Tagged = u64;

    fn from_ip(ip: IpAddr) -> Option<Self> {
        match ip {
            IpAddr::V4(ip) => Some(ip.to_bits()),
            IpAddr::V6(_) => None,
        }
    }

    fn to_ip(self) -> IpAddr {
        Ipv4Addr::from_bits(self).into()
    }

    fn offset(self, base: Self) -> usize {
        self.wrapping_sub(base) as usize
    }

    fn after(self, places: u16) -> Self {
        self.wrapping_add(places.into())
    }

    /// This network, loopback, link-local, multicast and broadcast (RFC 6890). Class E is not: simulated networks
    /// use it.
    fn is_martian(self) -> bool {
        match self >> 24 {
            0 | 127 | 224..=239 => true,
            169 => self >> 16 & 0xff == 254,
            255 => self == Self::MAX,
            _ => false,
        }
    }

    fn mask(prefix: Prefix) -> Self {
        Self::MAX.checked_shl(32 - u32::from(prefix.length())).unwrap_or(0)
    }
}

impl Address for u128 {
    const ONES: Self = Self::MAX;

    type Tagged = Wide;

    fn from_ip(ip: IpAddr) -> Option<Self> {
        match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some(ip.to_bits()),
        }
    }

    fn to_ip(self) -> IpAddr {
        Ipv6Addr::from_bits(self).into()
    }

    fn offset(self, base: Self) -> usize {
        usize::try_from(self.wrapping_sub(base)).unwrap_or(usize::MAX)
    }

    fn after(self, places: u16) -> Self {
        self.wrapping_add(places.into())
    }

    /// Unspecified, loopback, IPv4-mapped, link-local and multicast (RFC 6890).
    fn is_martian(self) -> bool {
        self <= 1 || self >> 32 == 0xffff || self >> 118 == 0xfe80 >> 6 || self >> 120 == 0xff
    }

    fn mask(prefix: Prefix) -> Self {
        Self::MAX.checked_shl(128 - u32::from(prefix.length())).unwrap_or(0)
    }
}

/// A transport address as the table keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Socket<A> {
    pub(crate) ip: A,
    pub(crate) port: u16,
}

impl<A: Address> Socket<A> {
    /// All bits set.
    pub(crate) const ONES: Self = Self { ip: A::ONES, port: u16::MAX };

    pub(crate) const fn new(ip: A, port: u16) -> Self {
        Self { ip, port }
    }

    pub(crate) fn from_endpoint(endpoint: Endpoint) -> Option<Self> {
        Some(Self { ip: A::from_ip(endpoint.ip)?, port: endpoint.port })
    }

    pub(crate) fn endpoint(self) -> Endpoint {
        Endpoint::new(self.ip.to_ip(), self.port)
    }
}

/// A transport address with sixteen bits beside it, to be compared in one go. For IPv4 all is one word.
pub(crate) trait Tagged<A>: Copy + Debug + 'static {
    fn new(socket: Socket<A>, tag: u16) -> Self;
    fn socket(self) -> Socket<A>;
    fn has_port(self) -> bool;
    fn tag(self) -> u16;
    fn set_tag(&mut self, tag: u16);
    /// The bits of address and port that `mask` has, folded into 64.
    fn fold(self, mask: Self) -> u64;
    /// Whether, in the bits of `mask`, its address and port are those of `other`, which has no tag, and its tag is `tag`,
    /// which has no other bits.
    fn is(self, other: Self, tag: u16, mask: Self) -> bool;
}

#[expect(clippy::cast_possible_truncation, reason = "the parts are taken apart")]
impl Tagged<u32> for u64 {
    #[inline]
    fn new(socket: Socket<u32>, tag: u16) -> Self {
        Self::from(socket.ip) << 32 | Self::from(socket.port) << 16 | Self::from(tag)
    }

    #[inline]
    fn socket(self) -> Socket<u32> {
        Socket::new((self >> 32) as u32, (self >> 16) as u16)
    }

    #[inline]
    fn has_port(self) -> bool {
        self & 0xffff_0000 != 0
    }

    #[inline]
    fn tag(self) -> u16 {
        self as u16
    }

    #[inline]
    fn set_tag(&mut self, tag: u16) {
        *self = *self & !0xffff | Self::from(tag);
    }

    #[inline]
    fn fold(self, mask: Self) -> u64 {
        (self & mask) >> 16
    }

    #[inline]
    fn is(self, other: Self, tag: u16, mask: Self) -> bool {
        debug_assert!(other.tag() == 0 && tag & !mask.tag() == 0, "they would never be the same");
        (self ^ other) & mask == Self::from(tag)
    }
}

/// The same for IPv6.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wide {
    /// The address, low half first: aligned to eight octets.
    ip: [u64; 2],
    port: u16,
    tag: u16,
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are taken apart")]
impl Tagged<u128> for Wide {
    fn new(socket: Socket<u128>, tag: u16) -> Self {
        Self { ip: [socket.ip as u64, (socket.ip >> 64) as u64], port: socket.port, tag }
    }

    fn socket(self) -> Socket<u128> {
        Socket::new(u128::from(self.ip[1]) << 64 | u128::from(self.ip[0]), self.port)
    }

    fn has_port(self) -> bool {
        self.port != 0
    }

    fn tag(self) -> u16 {
        self.tag
    }

    fn set_tag(&mut self, tag: u16) {
        self.tag = tag;
    }

    fn fold(self, mask: Self) -> u64 {
        let halves = [0, 1].map(|half| self.ip[half] & mask.ip[half]);
        halves[1].wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
            ^ halves[0].rotate_left(16)
            ^ u64::from(self.port & mask.port)
    }

    fn is(self, other: Self, tag: u16, mask: Self) -> bool {
        let ip = |half: usize| (self.ip[half] ^ other.ip[half]) & mask.ip[half];
        let port = (self.port ^ other.port) & mask.port;
        ip(0) | ip(1) | u64::from(port) == 0 && self.tag & mask.tag == tag
    }
}

/// A set of address blocks, each a network and its mask, the first of them in place.
#[derive(Clone, Debug)]
pub(crate) struct Blocks<A> {
    first: Option<(A, A)>,
    rest: Option<Box<Rest<A>>>,
}

/// Behind a pointer of one word.
#[derive(Clone, Debug)]
struct Rest<A>(Vec<(A, A)>);

impl<A: Address> Blocks<A> {
    /// The blocks of `prefixes`; `None` if one is of the other family.
    pub(crate) fn new(prefixes: &[Prefix]) -> Option<Self> {
        let block = |prefix: &Prefix| Some((A::from_ip(prefix.network())?, A::mask(*prefix)));
        let blocks: Vec<_> = prefixes.iter().map(block).collect::<Option<_>>()?;
        let (first, rest) =
            blocks.split_first().map_or((None, &[][..]), |(first, rest)| (Some(*first), rest));
        Some(Self { first, rest: (!rest.is_empty()).then(|| Box::new(Rest(rest.to_vec()))) })
    }

    #[inline]
    pub(crate) fn contains(&self, ip: A) -> bool {
        let holds = |(network, mask): &(A, A)| ip & *mask == *network;
        self.first.as_ref().is_some_and(holds)
            || self.rest.as_ref().is_some_and(|rest| rest.0.iter().any(holds))
    }

    /// Each from its first address to its last.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = RangeInclusive<A>> {
        let rest = self.rest.as_ref().map_or(&[][..], |rest| &rest.0);
        self.first.iter().chain(rest).map(|(network, mask)| *network..=*network ^ (*mask ^ A::ONES))
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}
