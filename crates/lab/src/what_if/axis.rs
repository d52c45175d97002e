//! One axis of a NAT's behaviour, set to a value.

use std::time::Duration;

use natbed_nat::Behavior;
use natbed_nat::behavior::{
    FilterScope, Filtering, Hairpinning, Kind, Mapping, OnFull, Pooling, PortAssignment, PortRange, Refresh,
    ReplyMapping, Unsolicited,
};

use super::order::Knob;

/// One axis of a NAT's behaviour, set to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Which remotes may send in.
    Filtering(Filtering),
    /// Which packets share an external endpoint.
    Mapping(Mapping),
    /// Whether packets for the NAT's own outside come back in.
    Hairpinning(Hairpinning),
    /// Where 'has been sent to' is remembered.
    FilterScope(FilterScope),
    /// Which mapping a packet leaves through.
    ReplyMapping(ReplyMapping),
    /// How an external port is chosen.
    Ports(PortAssignment),
    /// Whether several mappings may share a port.
    PortOverloading(bool),
    /// What an inbound packet that nothing lets in does.
    Unsolicited(Unsolicited),
    /// Which of several external addresses a mapping gets.
    Pooling(Pooling),
    /// How long a mapping lives.
    UdpTimeout(Duration),
    /// How long a mapping lives that has let nothing in yet.
    UdpTimeoutNew(Duration),
    /// How long a remote may send in.
    FilterTimeout(Duration),
    /// Which direction refreshes a mapping.
    Refresh(Refresh),
    /// Nothing is exempt from translation.
    NothingExempt,
    /// The external ports there are.
    PortRange(PortRange),
    /// Whether even ports get even ports, and odd ones odd ones.
    PortParity(bool),
    /// Whether ports below 1024 and those above are kept apart.
    PortRangePreservation(bool),
    /// Ports of one internal host.
    PortBlock(u16),
    /// How long a port stays taken after its mapping.
    PortHold(Duration),
    /// The most mappings of one internal host.
    MaxMappingsPerHost(u32),
    /// The most mappings that an internal host may open in a second.
    MappingRatePerHost(u32),
    /// The most mappings.
    MaxMappings(u32),
    /// What a packet is told that would need one more.
    OnFull(OnFull),
}

/// Lifetimes to try: the least that RFC 4787 REQ-5 allows, and what it recommends.
const LIFETIMES: [Duration; 2] = [Duration::from_secs(120), Duration::from_secs(300)];

/// Mappings that are enough for any scenario of a connection.
const ENOUGH: u32 = 65_536;

impl Axis {
    /// Sets it in `behavior`.
    pub fn set(self, behavior: &mut Behavior) {
        match self {
            Self::Filtering(value) => behavior.filtering = value,
            Self::Mapping(value) => behavior.mapping = value,
            Self::Hairpinning(value) => behavior.hairpinning = value,
            Self::FilterScope(value) => behavior.filter_scope = value,
            Self::ReplyMapping(value) => behavior.reply_mapping = value,
            Self::Ports(value) => behavior.ports = value,
            Self::PortOverloading(value) => behavior.port_overloading = value,
            Self::Unsolicited(value) => behavior.unsolicited = value,
            Self::Pooling(value) => behavior.pooling = value,
            Self::UdpTimeout(value) => behavior.udp_timeout = value,
            Self::UdpTimeoutNew(value) => behavior.udp_timeout_new = Some(value),
            Self::FilterTimeout(value) => behavior.filter_timeout = Some(value),
            Self::Refresh(value) => behavior.refresh = value,
            Self::NothingExempt => behavior.exempt.clear(),
            Self::PortRange(value) => behavior.port_range = value,
            Self::PortParity(value) => behavior.port_parity = value,
            Self::PortRangePreservation(value) => behavior.port_range_preservation = value,
            Self::PortBlock(value) => behavior.port_block = Some(value),
            Self::PortHold(value) => behavior.port_hold = value,
            Self::MaxMappingsPerHost(value) => behavior.max_mappings_per_host = Some(value),
            Self::MappingRatePerHost(value) => behavior.mapping_rate_per_host = Some(value),
            Self::MaxMappings(value) => behavior.max_mappings = Some(value),
            Self::OnFull(value) => behavior.on_full = value,
        }
    }

    /// What it is about.
    pub const fn knob(self) -> Knob {
        match self {
            Self::Filtering(_) => Knob::Filtering,
            Self::Mapping(_) => Knob::Mapping,
            Self::Hairpinning(_) => Knob::Hairpinning,
            Self::FilterScope(_) => Knob::FilterScope,
            Self::ReplyMapping(_) => Knob::ReplyMapping,
            Self::Ports(_) => Knob::Ports,
            Self::PortOverloading(_) => Knob::PortOverloading,
            Self::Unsolicited(_) => Knob::Unsolicited,
            Self::Pooling(_) => Knob::Pooling,
            Self::UdpTimeout(_) => Knob::UdpTimeout,
            Self::UdpTimeoutNew(_) => Knob::UdpTimeoutNew,
            Self::FilterTimeout(_) => Knob::FilterTimeout,
            Self::Refresh(_) => Knob::Refresh,
            Self::NothingExempt => Knob::Exempt,
            Self::PortRange(_) => Knob::PortRange,
            Self::PortParity(_) => Knob::PortParity,
            Self::PortRangePreservation(_) => Knob::PortRangePreservation,
            Self::PortBlock(_) => Knob::PortBlock,
            Self::PortHold(_) => Knob::PortHold,
            Self::MaxMappingsPerHost(_) => Knob::MaxMappingsPerHost,
            Self::MappingRatePerHost(_) => Knob::MappingRatePerHost,
            Self::MaxMappings(_) => Knob::MaxMappings,
            Self::OnFull(_) => Knob::OnFull,
        }
    }
}

/// The values of an axis that may let more through, each with its steps: how many values it is away in that direction, or
/// 1 where values have no order. The flag says whether both sides are behind the NAT.
type Trial = fn(&Behavior, bool) -> Vec<(Axis, u8)>;

/// The axes that decide about packets of agents, in the order of [`Behavior::AXES`].
pub(super) const TRIALS: &[(&str, Trial)] = &[
    ("mapping", |behavior, _| less_strict(Mapping::ALL, behavior.mapping, Axis::Mapping)),
    ("filtering", |behavior, _| less_strict(Filtering::ALL, behavior.filtering, Axis::Filtering)),
    ("filter-scope", |_, _| any(FilterScope::ALL, Axis::FilterScope)),
    ("reply-mapping", |_, _| any(ReplyMapping::ALL, Axis::ReplyMapping)),
    ("ports", |_, _| any(PortAssignment::ALL, Axis::Ports)),
    ("port-range", |behavior, _| port_range(behavior)),
    ("port-overloading", |behavior, _| one(Axis::PortOverloading(!behavior.port_overloading))),
    ("port-parity", |_, _| one(Axis::PortParity(false))),
    ("port-range-preservation", |_, _| one(Axis::PortRangePreservation(false))),
    ("port-block", |behavior, _| port_block(behavior)),
    ("pooling", |_, _| one(Axis::Pooling(Pooling::Paired))),
    ("hairpinning", |_, shared| if shared { hairpinning() } else { Vec::new() }),
    ("exempt", |_, _| one(Axis::NothingExempt)),
    ("unsolicited", |_, _| one(Axis::Unsolicited(Unsolicited::Drop))),
    ("udp-timeout", |behavior, _| longer(Some(behavior.udp_timeout), Axis::UdpTimeout)),
    ("udp-timeout-new", |behavior, _| longer(behavior.udp_timeout_new, Axis::UdpTimeoutNew)),
    ("refresh", |behavior, _| refresh(behavior.refresh)),
    ("filter-timeout", |behavior, _| longer(behavior.filter_timeout, Axis::FilterTimeout)),
    ("port-hold", |_, _| one(Axis::PortHold(Duration::ZERO))),
    ("max-mappings", |behavior, _| more(behavior.max_mappings, ENOUGH, Axis::MaxMappings)),
    ("max-mappings-per-host", |behavior, _| quota(behavior)),
    ("mapping-rate-per-host", |behavior, _| {
        more(behavior.mapping_rate_per_host, ENOUGH, Axis::MappingRatePerHost)
    }),
    // An agent that heeds ICMP errors gives up a pair for one.
    ("on-full", |_, _| one(Axis::OnFull(OnFull::Drop))),
];

/// The axes that a firewall heeds.
const OF_FIREWALLS: [&str; 10] = [
    "filtering",
    "unsolicited",
    "udp-timeout",
    "udp-timeout-new",
    "refresh",
    "filter-timeout",
    "max-mappings",
    "max-mappings-per-host",
    "mapping-rate-per-host",
    "on-full",
];

/// The axes that a static NAT heeds.
const OF_STATIC_NATS: [&str; 2] = ["hairpinning", "exempt"];

/// The values to try of every axis that a box heeds, in the order of their knobs. `shared` says whether both sides are
/// behind it.
pub(crate) fn alternatives(behavior: &Behavior, shared: bool) -> Vec<(Axis, u8)> {
    let heeds = |axis: &str| match behavior.kind {
        Kind::Nat => true,
        Kind::Firewall => OF_FIREWALLS.contains(&axis),
        Kind::Static => OF_STATIC_NATS.contains(&axis),
        Kind::None | Kind::UdpBlocked | Kind::TcpOnly => false,
    };
    let heeded = TRIALS.iter().filter(|(axis, _)| heeds(axis));
    let mut all: Vec<(Axis, u8)> = heeded.flat_map(|(_, trial)| trial(behavior, shared)).collect();
    all.retain(|(axis, _)| {
        let mut changed = behavior.clone();
        axis.set(&mut changed);
        changed != *behavior && changed.validate().is_ok()
    });
    all.sort_by_key(|(axis, _)| axis.knob());
    all
}

fn one(axis: Axis) -> Vec<(Axis, u8)> {
    vec![(axis, 1)]
}

fn any<T: Copy>(all: &[T], axis: fn(T) -> Axis) -> Vec<(Axis, u8)> {
    all.iter().map(|value| (axis(*value), 1)).collect()
}

/// The values before `current`, nearest first; `all` begins with the most open.
fn less_strict<T: Copy + PartialEq>(all: &[T], current: T, axis: fn(T) -> Axis) -> Vec<(Axis, u8)> {
    let at = all.iter().position(|value| *value == current).unwrap_or(0);
    all[..at].iter().rev().map(|value| axis(*value)).zip(1..).collect()
}

/// RFC 4787 REQ-9 wants the external source.
fn hairpinning() -> Vec<(Axis, u8)> {
    [Hairpinning::ExternalSource, Hairpinning::InternalSource]
        .map(Axis::Hairpinning)
        .into_iter()
        .zip(1..)
        .collect()
}

fn refresh(current: Refresh) -> Vec<(Axis, u8)> {
    match current {
        Refresh::Outbound => one(Axis::Refresh(Refresh::Both)),
        Refresh::Both => Vec::new(),
        Refresh::Inbound => vec![(Axis::Refresh(Refresh::Outbound), 1), (Axis::Refresh(Refresh::Both), 2)],
    }
}

fn longer(current: Option<Duration>, axis: fn(Duration) -> Axis) -> Vec<(Axis, u8)> {
    let longer = LIFETIMES.into_iter().filter(|value| current.is_some_and(|current| current < *value));
    longer.map(axis).zip(1..).collect()
}

/// A limit lifted to `most`.
fn more(limit: Option<u32>, most: u32, axis: fn(u32) -> Axis) -> Vec<(Axis, u8)> {
    if limit.is_some_and(|limit| limit < most) { one(axis(most)) } else { Vec::new() }
}

/// All ports, those below 1024 only where they are needed.
fn port_range(behavior: &Behavior) -> Vec<(Axis, u8)> {
    let whole = PortRange::new(if behavior.port_range_preservation { 1 } else { 1024 }, 65_535);
    if behavior.port_range.size() < whole.size() { one(Axis::PortRange(whole)) } else { Vec::new() }
}

fn port_block(behavior: &Behavior) -> Vec<(Axis, u8)> {
    let range = behavior.port_range.size();
    let Some(block) = behavior.port_block.map(u32::from).filter(|block| *block < range) else {
        return Vec::new();
    };
    one(Axis::PortBlock(u16::try_from(block.saturating_mul(16).min(range)).unwrap_or(u16::MAX)))
}

/// As far as ports and other mappings allow.
fn quota(behavior: &Behavior) -> Vec<(Axis, u8)> {
    let ports = behavior.port_block.map_or(behavior.port_range.size(), u32::from);
    let most = behavior.max_mappings.unwrap_or(ENOUGH).min(ports);
    more(behavior.max_mappings_per_host, most, Axis::MaxMappingsPerHost)
}
