//! What a mapping is, which remotes share one, and which indexes a table wants.

use natbed_packet::Protocol;

use crate::address::{Address, Socket};
use crate::behavior::{Behavior, FilterScope, Filtering, Kind, Mapping, Pooling, PortAssignment, PortRange};
use crate::expiry::NONE;
use crate::timers::Timers;

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
const HELD: u32 = 8;
const PROTOCOL: u32 = 3 << PROTOCOL_SHIFT;
const PROTOCOL_SHIFT: u32 = 4;
const GENERATION_SHIFT: u32 = 8;

impl<A: Address> Record<A> {
    /// A mapping from `internal` to `external_port` of the `pool`th external address, first used towards `remote`.
    pub(crate) const fn new(
        protocol: Protocol,
        internal: Socket<A>,
        remote: Socket<A>,
        pool: u16,
        external_port: u16,
    ) -> Self {
        Self {
            deadline: 0,
            internal_ip: internal.ip,
            remote_ip: remote.ip,
            remotes: NONE,
            state: LIVE | (protocol as u32) << PROTOCOL_SHIFT,
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

    /// The same after its mapping has ended, so that nobody gets its port yet (RFC 6888 REQ-8).
    pub(crate) const fn held(mut self) -> Self {
        self.state |= HELD;
        self.remotes = NONE;
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

    /// Whether it translates: it is alive, and neither an unsolicited packet's nor held.
    pub(crate) const fn is_mapping(&self) -> bool {
        self.state & (LIVE | UNSOLICITED | HELD) == LIVE
    }

    #[inline]
    pub(crate) const fn is_mapping_of(&self, protocol: Protocol) -> bool {
        self.state & (LIVE | UNSOLICITED | HELD | PROTOCOL) == LIVE | (protocol as u32) << PROTOCOL_SHIFT
    }

    #[inline]
    pub(super) const fn is_live_of(&self, protocol: Protocol) -> bool {
        self.state & (LIVE | PROTOCOL) == LIVE | (protocol as u32) << PROTOCOL_SHIFT
    }

    pub(crate) const fn protocol(&self) -> Protocol {
        match (self.state & PROTOCOL) >> PROTOCOL_SHIFT {
            0 => Protocol::Udp,
            1 => Protocol::Tcp,
            _ => Protocol::Icmp,
        }
    }

    pub(crate) const fn is_held(&self) -> bool {
        self.state & HELD != 0
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

    /// Gives it this deadline, and leaves its memory clean if it has it.
    #[inline]
    pub(crate) const fn refresh(&mut self, deadline: u64) {
        if self.deadline != deadline {
            self.deadline = deadline;
        }
    }

    /// Whether packets from `internal` to `remote` leave through it.
    #[inline]
    pub(crate) fn leads(
        &self,
        key: &Key<A>,
        protocol: Protocol,
        internal: Socket<A>,
        remote: Socket<A>,
    ) -> bool {
        let ip = self.internal_ip == internal.ip;
        let port = self.internal_port == internal.port;
        ip & port & key.covers(self.remote(), remote) & self.is_mapping_of(protocol)
    }

    /// Whether it has let something in before and would let in a packet from a remote that is its first one to `key`.
    #[inline]
    pub(crate) fn answers(&self, key: &Key<A>, remote: Socket<A>) -> bool {
        let replied = self.state & (LIVE | UNSOLICITED | HELD | REPLIED) == LIVE | REPLIED;
        replied & key.covers(self.remote(), remote)
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

impl Key<u32> {
    /// All remotes share it.
    pub(crate) const ANY: Self = Self { ip: 0, port: 0, seed: 0 };
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

    /// The same for a filter, together with this.
    pub(crate) fn finer(self, filtering: Filtering) -> Self {
        match filtering {
            Filtering::EndpointIndependent => self,
            Filtering::AddressDependent => Self { ip: A::ONES, ..self },
            Filtering::AddressAndPortDependent => Self { ip: A::ONES, port: u16::MAX, ..self },
        }
    }

    /// Whether two remotes are the same to it.
    #[inline]
    pub(super) fn covers(&self, remote: Socket<A>, other: Socket<A>) -> bool {
        ((remote.ip ^ other.ip) & self.ip == A::default()) & ((remote.port ^ other.port) & self.port == 0)
    }

    /// What of `remote` a mapping depends on.
    #[inline]
    pub(crate) fn part(&self, remote: Socket<A>) -> Socket<A> {
        Socket::new(remote.ip & self.ip, remote.port & self.port)
    }

    #[inline]
    pub(super) fn hash(&self, protocol: Protocol, internal: Socket<A>, remote: Socket<A>) -> u64 {
        let factor = self.part(remote).fold() ^ 0x9e37_79b9_7f4a_7c15;
        let seed = self.seed ^ (protocol as u64) << 56;
        let product = u128::from(internal.fold() ^ seed) * u128::from(factor);
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
    /// A mapping may have the port of another one of its internal endpoint.
    pub(crate) keeps_shared: bool,
    /// An internal endpoint's mappings must be found all together.
    pub(crate) by_endpoint: bool,
    /// An internal host's mappings are counted, or its address or block remembered.
    pub(crate) by_host: bool,
    pub(crate) range: PortRange,
    /// Ports in a host's block; 0 if there are none.
    pub(crate) block: u16,
    /// A mapping of each protocol is looked at no later than so many nanoseconds after it was last looked at.
    pub(crate) reach: [u64; 3],
}

impl Shape {
    pub(crate) fn new(behavior: &Behavior, addresses: usize, timers: &Timers) -> Self {
        let dependent = behavior.mapping != Mapping::EndpointIndependent;
        let mixes =
            behavior.filter_scope == FilterScope::Endpoint || is_laxer(behavior.filtering, behavior.mapping);
        let translates = behavior.kind != Kind::Firewall;
        let overloads = behavior.port_overloading && translates;
        let keeps_shared = overloads && behavior.ports == PortAssignment::Preserve;
        Self {
            translates,
            overloads,
            keeps_shared,
            by_endpoint: (dependent && mixes && translates) || keeps_shared,
            by_host: behavior.max_mappings_per_host.is_some()
                || behavior.port_block.is_some()
                || (behavior.pooling == Pooling::Paired && addresses > 1),
            range: behavior.port_range,
            block: behavior.port_block.unwrap_or(0),
            reach: timers.reach(),
        }
    }

    /// The longest time after which any mapping is looked at.
    pub(super) fn horizon(&self) -> u64 {
        self.reach.iter().copied().max().unwrap_or(0)
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

/// How many generations `newer` comes after `older`, among as many as records tell apart.
pub(super) const fn age(newer: u32, older: u32) -> u32 {
    newer.wrapping_sub(older) << GENERATION_SHIFT >> GENERATION_SHIFT
}
