//! What a mapping is, and which indexes a table wants.

use natbed_packet::Protocol;

use super::key::{Key, Sign};
use crate::address::{Address, Socket, Tagged};
use crate::behavior::{Behavior, FilterScope, Filtering, Kind, Mapping, Pooling, PortAssignment, PortRange};
use crate::expiry::NONE;
use crate::timers::Timers;

/// A mapping.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(crate) struct Record<A: Address> {
    /// When it expires, in nanoseconds.
    pub(crate) deadline: u64,
    /// The internal endpoint and the external port.
    internal: A::Tagged,
    /// The first remote that it has sent to, whose part that the key looks at is its destination, and the flags.
    remote: A::Tagged,
    /// Where its further remotes are, or `NONE`.
    pub(crate) remotes: u32,
    /// The place of the external address in the pool.
    pub(crate) pool: u16,
    /// The low bits of the generation; the high ones are among the flags.
    generation: u16,
}

const _: () = assert!(size_of::<Record<u32>>() == 32);

const LIVE: u16 = 1;
pub(super) const REPLIED: u16 = 2;
const UNSOLICITED: u16 = 4;
const HELD: u16 = 8;
pub(super) const PROTOCOL: u16 = 3 << PROTOCOL_SHIFT;
const PROTOCOL_SHIFT: u16 = 4;
/// Its first remote is neither martian nor inside nor the NAT's own.
pub(super) const ELSEWHERE: u16 = 0x40;
const GENERATION_SHIFT: u16 = 8;
const GENERATION: u16 = 0xff << GENERATION_SHIFT;

/// The flags of a mapping that translates, among [`MAPPING_MASK`].
pub(super) const MAPPING: u16 = LIVE;
pub(super) const MAPPING_MASK: u16 = LIVE | UNSOLICITED | HELD;

/// The flags that say of which protocol an entry is.
pub(super) const fn flags_of(protocol: Protocol) -> u16 {
    (protocol as u16) << PROTOCOL_SHIFT
}

impl<A: Address> Record<A> {
    /// A mapping from `internal` to `external_port` of the `pool`th external address, first used towards `remote`.
    pub(crate) fn new(
        protocol: Protocol,
        internal: Socket<A>,
        remote: Socket<A>,
        pool: u16,
        external_port: u16,
    ) -> Self {
        Self {
            deadline: 0,
            internal: Tagged::new(internal, external_port),
            remote: Tagged::new(remote, LIVE | flags_of(protocol)),
            remotes: NONE,
            pool,
            generation: 0,
        }
    }

    /// The same, taken by an unsolicited packet.
    pub(crate) fn unsolicited(mut self) -> Self {
        self.add_flags(UNSOLICITED);
        self
    }

    /// The same after its mapping has ended, so that nobody gets its port yet (RFC 6888 REQ-8).
    pub(crate) fn held(mut self) -> Self {
        self.add_flags(HELD);
        self.remotes = NONE;
        self
    }

    #[inline]
    pub(crate) fn internal(&self) -> Socket<A> {
        self.internal.socket()
    }

    /// The internal endpoint, with no tag.
    #[inline]
    pub(crate) fn inside(&self) -> A::Tagged {
        let mut inside = self.internal;
        inside.set_tag(0);
        inside
    }

    #[inline]
    pub(crate) fn external_port(&self) -> u16 {
        self.internal.tag()
    }

    #[inline]
    pub(crate) fn remote(&self) -> Socket<A> {
        self.remote.socket()
    }

    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        self.has(LIVE, LIVE)
    }

    /// Whether it translates: it is alive, and neither an unsolicited packet's nor held.
    #[inline]
    pub(crate) fn is_mapping(&self) -> bool {
        self.has(MAPPING, MAPPING_MASK)
    }

    #[inline]
    pub(crate) fn is_mapping_of(&self, protocol: Protocol) -> bool {
        self.has(MAPPING | flags_of(protocol), MAPPING_MASK | PROTOCOL)
    }

    #[inline]
    pub(super) fn is_live_of(&self, protocol: Protocol) -> bool {
        self.has(LIVE | flags_of(protocol), LIVE | PROTOCOL)
    }

    pub(crate) fn protocol(&self) -> Protocol {
        match (self.remote.tag() & PROTOCOL) >> PROTOCOL_SHIFT {
            0 => Protocol::Udp,
            1 => Protocol::Tcp,
            _ => Protocol::Icmp,
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.has(HELD, HELD)
    }

    pub(crate) fn is_unsolicited(&self) -> bool {
        self.has(UNSOLICITED, UNSOLICITED)
    }

    #[inline]
    pub(crate) fn has_replied(&self) -> bool {
        self.has(REPLIED, REPLIED)
    }

    pub(crate) fn set_replied(&mut self) {
        self.add_flags(REPLIED);
    }

    /// Notes whether its first remote is neither martian nor inside nor the NAT's own.
    pub(crate) fn set_elsewhere(&mut self, elsewhere: bool) {
        let flag = if elsewhere { ELSEWHERE } else { 0 };
        self.remote.set_tag(self.remote.tag() & !ELSEWHERE | flag);
    }

    #[inline]
    fn has(&self, flags: u16, mask: u16) -> bool {
        self.remote.tag() & mask == flags
    }

    fn add_flags(&mut self, flags: u16) {
        self.remote.set_tag(self.remote.tag() | flags);
    }

    /// Gives it this deadline, and leaves its memory clean if it has it.
    #[inline]
    pub(crate) const fn refresh(&mut self, deadline: u64) {
        if self.deadline != deadline {
            self.deadline = deadline;
        }
    }

    pub(super) fn hash(&self, key: &Key<A>) -> u64 {
        key.hash(self.protocol(), self.internal, self.remote)
    }

    /// Whether packets from `internal` to `remote`, with no tags, leave through it.
    #[inline]
    pub(crate) fn leads(
        &self,
        key: &Key<A>,
        protocol: Protocol,
        internal: A::Tagged,
        remote: A::Tagged,
    ) -> bool {
        let sign = Sign::new(key, MAPPING | flags_of(protocol), MAPPING_MASK | PROTOCOL);
        self.is_of(internal) && self.bears(&sign, remote)
    }

    /// Whether its internal endpoint is this, which has no tag.
    #[inline]
    pub(crate) fn is_of(&self, internal: A::Tagged) -> bool {
        self.internal.is(internal, 0, Tagged::new(Socket::ONES, 0))
    }

    /// Whether its first remote is this one, which has no tag, and its flags are those of the sign.
    #[inline]
    pub(crate) fn bears(&self, sign: &Sign<A>, remote: A::Tagged) -> bool {
        self.remote.is(remote, sign.flags, sign.mask)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low bits stand apart")]
    pub(super) fn set_generation(&mut self, generation: u32) {
        let high = (generation >> 16) as u16;
        self.generation = generation as u16;
        self.remote.set_tag(self.remote.tag() & !GENERATION | high << GENERATION_SHIFT);
    }

    pub(super) fn set_dead(&mut self) {
        self.remote.set_tag(self.remote.tag() & !LIVE);
    }

    pub(super) fn generation(&self) -> u32 {
        u32::from(self.remote.tag() >> GENERATION_SHIFT) << 16 | u32::from(self.generation)
    }
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
    newer.wrapping_sub(older) & 0xff_ffff
}
