//! What a mapping is, which remotes share one, and which indexes a table wants.

use crate::address::{Address, Socket};
use crate::behavior::{Behavior, FilterScope, Filtering, Kind, Mapping, Pooling, PortRange};
use crate::expiry::NONE;

/// A mapping.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(crate) struct Record<A> {
    /// When it expires, in nanoseconds.
    pub(crate) deadline: u64,
    pub(crate) internal_ip: A,
    /// The first remote that it has sent to, whose part that the key looks at is its destination.
    pub(crate) remote_ip: A,
    /// Where its further remotes are, or `NONE`.
    pub(crate) remotes: u32,
    /// The generation in the high 24 bits, and the flags.
    state: u32,
    pub(crate) internal_port: u16,
    pub(crate) remote_port: u16,
    pub(crate) external_port: u16,
    /// The place of the external address in the pool.
    pub(crate) pool: u16,
}

const LIVE: u32 = 1;
const REPLIED: u32 = 2;
const UNSOLICITED: u32 = 4;
const GENERATION_SHIFT: u32 = 8;

impl<A: Address> Record<A> {
    /// A mapping from `internal` to `external_port` of the `pool`th external address, first used towards `remote`.
    pub(crate) const fn new(internal: Socket<A>, remote: Socket<A>, pool: u16, external_port: u16) -> Self {
        Self {
            deadline: 0,
            internal_ip: internal.ip,
            remote_ip: remote.ip,
            remotes: NONE,
            state: LIVE,
            internal_port: internal.port,
            remote_port: remote.port,
            external_port,
            pool,
        }
    }

    /// The same, taken by an unsolicited packet.
    pub(crate) const fn unsolicited(mut self) -> Self {
        self.state |= UNSOLICITED;
        self
    }

    pub(crate) const fn internal(&self) -> Socket<A> {
        Socket::new(self.internal_ip, self.internal_port)
    }

    pub(crate) const fn remote(&self) -> Socket<A> {
        Socket::new(self.remote_ip, self.remote_port)
    }

    pub(crate) const fn is_live(&self) -> bool {
        self.state & LIVE != 0
    }

    /// Whether it translates: it is alive and no unsolicited packet's.
    pub(crate) const fn is_mapping(&self) -> bool {
        self.state & (LIVE | UNSOLICITED) == LIVE
    }

    pub(crate) const fn is_unsolicited(&self) -> bool {
        self.state & UNSOLICITED != 0
    }

    pub(crate) const fn has_replied(&self) -> bool {
        self.state & REPLIED != 0
    }

    pub(crate) const fn set_replied(&mut self) {
        self.state |= REPLIED;
    }

    pub(super) const fn set_generation(&mut self, generation: u32) {
        self.state = self.flags() | generation << GENERATION_SHIFT;
    }

    pub(super) const fn set_dead(&mut self) {
        self.state &= !LIVE;
    }

    pub(super) const fn generation(&self) -> u32 {
        self.state >> GENERATION_SHIFT
    }

    const fn flags(&self) -> u32 {
        self.state & ((1 << GENERATION_SHIFT) - 1)
    }
}

/// Which remotes share a mapping: all that are equal under these masks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<A> {
    ip: A,
    port: u16,
    seed: u64,
}

impl<A: Address> Key<A> {
    pub(super) fn new(mapping: Mapping, seed: u64) -> Self {
        let (ip, port) = match mapping {
            Mapping::EndpointIndependent => (A::default(), 0),
            Mapping::AddressDependent => (A::ONES, 0),
            Mapping::AddressAndPortDependent => (A::ONES, u16::MAX),
        };
        Self { ip, port, seed }
    }

    /// What of `remote` a mapping depends on.
    #[inline]
    pub(crate) fn part(&self, remote: Socket<A>) -> Socket<A> {
        Socket::new(remote.ip & self.ip, remote.port & self.port)
    }

    #[inline]
    pub(super) fn hash(&self, internal: Socket<A>, remote: Socket<A>) -> u64 {
        let factor = self.part(remote).fold() ^ 0x9e37_79b9_7f4a_7c15;
        let product = u128::from(internal.fold() ^ self.seed) * u128::from(factor);
        (product >> 64) as u64 ^ low_half(product)
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
const fn low_half(product: u128) -> u64 {
    product as u64
}

/// Which indexes the NAT's behaviour calls for.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an index that is there or not, independent of the others"
)]
pub(crate) struct Shape {
    /// Mappings have external ports: not in a firewall.
    pub(crate) translates: bool,
    /// Several mappings may have one external port.
    pub(crate) overloads: bool,
    /// An internal endpoint's mappings must be found all together.
    pub(crate) by_endpoint: bool,
    /// An internal host's mappings are counted, or its address or block remembered.
    pub(crate) by_host: bool,
    pub(crate) range: PortRange,
    /// Ports in a host's block; 0 if there are none.
    pub(crate) block: u16,
    /// The longest and the shortest time that a refresh may give, in nanoseconds.
    pub(crate) longest: u64,
    pub(crate) shortest: u64,
}

impl Shape {
    pub(crate) fn new(behavior: &Behavior, addresses: usize, longest: u64, shortest: u64) -> Self {
        let dependent = behavior.mapping != Mapping::EndpointIndependent;
        let mixes =
            behavior.filter_scope == FilterScope::Endpoint || is_laxer(behavior.filtering, behavior.mapping);
        Self {
            translates: behavior.kind != Kind::Firewall,
            overloads: behavior.port_overloading && behavior.kind != Kind::Firewall,
            by_endpoint: dependent && mixes && behavior.kind != Kind::Firewall,
            by_host: behavior.max_mappings_per_host.is_some()
                || behavior.port_block.is_some()
                || (behavior.pooling == Pooling::Paired && addresses > 1),
            range: behavior.port_range,
            block: behavior.port_block.unwrap_or(0),
            longest,
            shortest,
        }
    }

    /// The block that `port` belongs to.
    pub(super) fn block_of(&self, port: u16) -> u16 {
        port.saturating_sub(self.range.first).checked_div(self.block).unwrap_or(0)
    }
}

/// Whether a filter lets in remotes that have a mapping of their own.
pub(crate) const fn is_laxer(filtering: Filtering, mapping: Mapping) -> bool {
    (filtering as u8) < (mapping as u8)
}
