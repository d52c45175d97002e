//! A NAT's external addresses.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::address::Address;
use crate::engine::ConfigError;

/// The addresses, each with a place that mappings refer to.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Pool<A> {
    /// The first address, and how many follow one another from it on, itself among them.
    first: A,
    run: u16,
    /// Whether there are others.
    scattered: bool,
    addresses: Vec<A>,
    /// The addresses in order, with their places; none where each follows the one before.
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
            None => {
                let first = addresses.first().copied().unwrap_or_default();
                let run =
                    addresses.iter().zip(0..).take_while(|(ip, place)| ip.offset(first) == *place).count();
                if run == addresses.len() && addresses.is_sorted() {
                    sorted = Vec::new();
                }
                let (scattered, run) = (run < addresses.len(), u16::try_from(run).unwrap_or(u16::MAX));
                Ok(Self { first, run, scattered, addresses, sorted })
            }
        }
    }

    pub(crate) fn len(&self) -> u16 {
        u16::try_from(self.addresses.len()).unwrap_or(u16::MAX)
    }

    #[inline]
    pub(crate) fn get(&self, place: u16) -> Option<A> {
        if place < self.run {
            return Some(self.first.after(place));
        }
        self.addresses.get(usize::from(place)).copied()
    }

    /// The place of `ip`. Pools are mostly ranges, where it is the distance from the first address.
    #[inline]
    pub(crate) fn place(&self, ip: A) -> Option<u16> {
        self.place_in_run(ip).or_else(|| if self.scattered { self.search(ip) } else { None })
    }

    /// The same for the addresses that follow one another from the first on; `None` for others.
    #[inline]
    pub(crate) fn place_in_run(&self, ip: A) -> Option<u16> {
        let place = ip.offset(self.first);
        if place < usize::from(self.run) { u16::try_from(place).ok() } else { None }
    }

    /// The place of an address that is not among the first that follow one another.
    #[inline(never)]
    fn search(&self, ip: A) -> Option<u16> {
        if !self.span()?.contains(&ip) {
            return None;
        }
        let found = self.sorted.binary_search_by_key(&ip, |(address, _)| *address).ok()?;
        Some(self.sorted[found].1)
    }

    /// From the lowest address to the highest, if there is one.
    #[inline]
    pub(crate) fn span(&self) -> Option<RangeInclusive<A>> {
        match (self.sorted.first(), self.sorted.last()) {
            (Some((first, _)), Some((last, _))) => Some(*first..=*last),
            _ => Some(*self.addresses.first()?..=*self.addresses.last()?),
        }
    }

    /// Octets on the heap.
    pub(crate) fn allocated(&self) -> usize {
        self.addresses.capacity() * size_of::<A>() + self.sorted.capacity() * size_of::<(A, u16)>()
    }
}
