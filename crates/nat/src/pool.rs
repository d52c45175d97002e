//! A NAT's external addresses.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::address::Address;
use crate::engine::ConfigError;

/// The addresses, each with a place that mappings refer to.
#[derive(Clone, Debug)]
pub(crate) struct Pool<A> {
    addresses: Vec<A>,
    /// The addresses in order, with their places.
    sorted: Vec<(A, u16)>,
}

impl<A: Address> Pool<A> {
    pub(crate) fn new(addresses: &[IpAddr]) -> Result<Self, ConfigError> {
        let addresses: Option<Vec<A>> = addresses.iter().map(|ip| A::from_ip(*ip)).collect();
        let addresses = addresses.ok_or(ConfigError::MixedFamilies)?;
        if addresses.len() > usize::from(u16::MAX) {
            return Err(ConfigError::TooManyExternal);
        }
        let mut sorted: Vec<(A, u16)> = addresses.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        match sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(ConfigError::DuplicateExternal(pair[0].0.to_ip())),
            None => Ok(Self { addresses, sorted }),
        }
    }

    pub(crate) fn len(&self) -> u16 {
        u16::try_from(self.addresses.len()).unwrap_or(u16::MAX)
    }

    pub(crate) fn get(&self, place: u16) -> Option<A> {
        self.addresses.get(usize::from(place)).copied()
    }

    /// The place of `ip`. Pools are mostly ranges, where it is the distance from the first address.
    #[inline]
    pub(crate) fn place(&self, ip: A) -> Option<u16> {
        let first = *self.addresses.first()?;
        let guess = ip.offset(first);
        if self.addresses.get(guess) == Some(&ip) {
            return u16::try_from(guess).ok();
        }
        if !self.span()?.contains(&ip) {
            return None;
        }
        let found = self.sorted.binary_search_by_key(&ip, |(address, _)| *address).ok()?;
        Some(self.sorted[found].1)
    }

    /// All addresses, by place.
    pub(crate) fn addresses(&self) -> &[A] {
        &self.addresses
    }

    /// From the lowest address to the highest, if there is one.
    #[inline]
    pub(crate) fn span(&self) -> Option<RangeInclusive<A>> {
        Some(self.sorted.first()?.0..=self.sorted.last()?.0)
    }

    /// Octets on the heap.
    pub(crate) fn allocated(&self) -> usize {
        self.addresses.capacity() * size_of::<A>() + self.sorted.capacity() * size_of::<(A, u16)>()
    }
}
