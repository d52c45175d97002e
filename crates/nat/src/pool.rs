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
    /// All addresses, unless each follows the one before.
    scattered: Option<Box<Scattered<A>>>,
}

#[derive(Clone, Debug)]
struct Scattered<A> {
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
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(ConfigError::DuplicateExternal(pair[0].0.to_ip()));
        }
        let first = addresses.first().copied().unwrap_or_default();
        let run = addresses.iter().zip(0..).take_while(|(ip, place)| ip.offset(first) == *place).count();
        let is_range = run == addresses.len() && addresses.is_sorted();
        let scattered = (!is_range).then(|| Box::new(Scattered { addresses, sorted }));
        Ok(Self { first, run: u16::try_from(run).unwrap_or(u16::MAX), scattered })
    }

    pub(crate) fn len(&self) -> u16 {
        self.scattered.as_ref().map_or(self.run, |all| u16::try_from(all.addresses.len()).unwrap_or(u16::MAX))
    }

    #[inline]
    pub(crate) fn get(&self, place: u16) -> Option<A> {
        match &self.scattered {
            _ if place < self.run => Some(self.first.after(place)),
            None => None,
            Some(all) => all.addresses.get(usize::from(place)).copied(),
        }
    }

    #[inline]
    pub(crate) const fn first(&self) -> A {
        self.first
    }

    /// How many addresses follow one another from the first on.
    #[inline]
    pub(crate) const fn run(&self) -> u16 {
        self.run
    }

    /// The addresses, by place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = A> {
        (0..self.len()).filter_map(|place| self.get(place))
    }

    /// The place of `ip`. Pools are mostly ranges, where it is the distance from the first address.
    #[inline]
    pub(crate) fn place(&self, ip: A) -> Option<u16> {
        match &self.scattered {
            None => self.place_in_run(ip),
            Some(all) => self.place_in_run(ip).or_else(|| all.place(ip)),
        }
    }

    #[inline]
    fn place_in_run(&self, ip: A) -> Option<u16> {
        let place = ip.offset(self.first);
        if place < usize::from(self.run) { u16::try_from(place).ok() } else { None }
    }

    /// From the lowest address to the highest, if there is one.
    #[inline]
    pub(crate) fn span(&self) -> Option<RangeInclusive<A>> {
        match &self.scattered {
            None => Some(self.first..=self.first.after(self.run.checked_sub(1)?)),
            Some(all) => all.span(),
        }
    }

    /// Octets on the heap.
    pub(crate) fn allocated(&self) -> usize {
        self.scattered.as_ref().map_or(0, |all| {
            size_of::<Scattered<A>>()
                + all.addresses.capacity() * size_of::<A>()
                + all.sorted.capacity() * size_of::<(A, u16)>()
        })
    }
}

impl<A: Address> Scattered<A> {
    #[inline(never)]
    fn place(&self, ip: A) -> Option<u16> {
        if !self.span()?.contains(&ip) {
            return None;
        }
        let found = self.sorted.binary_search_by_key(&ip, |(address, _)| *address).ok()?;
        Some(self.sorted[found].1)
    }

    fn span(&self) -> Option<RangeInclusive<A>> {
        Some(self.sorted.first()?.0..=self.sorted.last()?.0)
    }
}
