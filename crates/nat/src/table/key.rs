//! Which remotes share a mapping, and what a record of one must have.

use natbed_packet::Protocol;

use super::record::{ELSEWHERE, MAPPING, MAPPING_MASK, PROTOCOL, REPLIED, flags_of};
use crate::address::{Address, Socket, Tagged};
use crate::behavior::{Filtering, Mapping};

/// Which remotes share a mapping: all that are equal under this mask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<A: Address> {
    mask: A::Tagged,
    seed: u64,
}

impl<A: Address> Key<A> {
    pub(super) fn new(mapping: Mapping, seed: u64) -> Self {
        let mask = match mapping {
            Mapping::EndpointIndependent => Socket::default(),
            Mapping::AddressDependent => Socket::new(A::ONES, 0),
            Mapping::AddressAndPortDependent => Socket::ONES,
        };
        Self { mask: Tagged::new(mask, 0), seed }
    }

    /// All remotes share it.
    pub(crate) fn any() -> Self {
        Self::new(Mapping::EndpointIndependent, 0)
    }

    /// The same for a filter, together with this.
    pub(crate) fn finer(self, filtering: Filtering) -> Self {
        let mask = match filtering {
            Filtering::EndpointIndependent => return self,
            Filtering::AddressDependent => Socket::new(A::ONES, self.mask.socket().port),
            Filtering::AddressAndPortDependent => Socket::ONES,
        };
        Self { mask: Tagged::new(mask, 0), ..self }
    }

    pub(crate) fn covers_ports(&self) -> bool {
        self.mask.socket().port != 0
    }

    pub(crate) fn covers_addresses(&self) -> bool {
        self.mask.socket().ip != A::default()
    }

    /// What of `remote` a mapping depends on.
    #[inline]
    pub(crate) fn part(&self, remote: Socket<A>) -> Socket<A> {
        let mask = self.mask.socket();
        Socket::new(remote.ip & mask.ip, remote.port & mask.port)
    }

    #[inline]
    pub(super) fn hash(&self, protocol: Protocol, internal: A::Tagged, remote: A::Tagged) -> u64 {
        let factor = remote.fold(self.mask) ^ 0x9e37_79b9_7f4a_7c15;
        let seed = self.seed ^ protocol as u64;
        let product = u128::from(internal.fold(Tagged::new(Socket::ONES, 0)) ^ seed) * u128::from(factor);
        (product >> 64) as u64 ^ low_half(product)
    }
}

/// The first remote and the flags that a record must have, to be compared in one go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sign<A: Address> {
    pub(super) mask: A::Tagged,
    pub(super) flags: u16,
}

impl<A: Address> Sign<A> {
    /// A remote that is the same to `key`, and these among the flags in `mask`.
    pub(super) fn new(key: &Key<A>, flags: u16, mask: u16) -> Self {
        let mut masks = key.mask;
        masks.set_tag(mask);
        Self { mask: masks, flags }
    }

    /// Those of a mapping. Its remote must be elsewhere if the key looks at addresses.
    fn mapping(key: &Key<A>, flags: u16, mask: u16) -> Self {
        let elsewhere = if key.covers_addresses() { ELSEWHERE } else { 0 };
        Self::new(key, MAPPING | elsewhere | flags, MAPPING_MASK | elsewhere | mask)
    }

    /// Those of a mapping of a protocol.
    pub(crate) fn mapping_of(key: &Key<A>, protocol: Protocol) -> Self {
        Self::mapping(key, flags_of(protocol), PROTOCOL)
    }

    /// Those of a mapping that has let something in.
    pub(crate) fn replied_mapping(key: &Key<A>) -> Self {
        Self::mapping(key, REPLIED, REPLIED)
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
const fn low_half(product: u128) -> u64 {
    product as u64
}
