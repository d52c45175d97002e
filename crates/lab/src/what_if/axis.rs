//! One axis of a NAT's behaviour, set to a value.

use std::time::Duration;

use natbed_nat::Behavior;
use natbed_nat::behavior::{
    FilterScope, Filtering, Hairpinning, Kind, Mapping, Pooling, PortAssignment, PortRange, Refresh,
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
    /// Ports of one internal host.
    PortBlock(u16),
    /// The most mappings of one internal host.
    MaxMappingsPerHost(u32),
    /// The most mappings that an internal host may open in a second.
    MappingRatePerHost(u32),
    /// The most mappings.
    MaxMappings(u32),
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
            Self::PortBlock(value) => behavior.port_block = Some(value),
            Self::MaxMappingsPerHost(value) => behavior.max_mappings_per_host = Some(value),
            Self::MappingRatePerHost(value) => behavior.mapping_rate_per_host = Some(value),
            Self::MaxMappings(value) => behavior.max_mappings = Some(value),
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
            Self::PortBlock(_) => Knob::PortBlock,
            Self::MaxMappingsPerHost(_) => Knob::MaxMappingsPerHost,
            Self::MappingRatePerHost(_) => Knob::MappingRatePerHost,
            Self::MaxMappings(_) => Knob::MaxMappings,
        }
    }
}

/// The values that may help of every axis that UDP depends on, each with its steps: how many values it is away in the
/// direction that lets more through, or 1 where values have no order. `shared` says whether both sides are behind the
/// NAT, which alone makes its hairpinning matter.
pub(crate) fn alternatives(behavior: &Behavior, shared: bool) -> Vec<(Axis, u8)> {
    let mut all = match behavior.kind {
        Kind::Nat => translating(behavior, shared),
        Kind::Firewall => open_filter(behavior),
        Kind::Static => vec![(Axis::NothingExempt, 1)],
        Kind::None | Kind::UdpBlocked | Kind::TcpOnly => Vec::new(),
    };
    if matches!(behavior.kind, Kind::Nat | Kind::Firewall) {
        all.extend(lifetimes(behavior));
        all.extend(limits(behavior));
    }
    all.retain(|(axis, _)| {
        let mut changed = behavior.clone();
        axis.set(&mut changed);
        changed != *behavior && changed.validate().is_ok()
    });
    all
}

fn translating(behavior: &Behavior, shared: bool) -> Vec<(Axis, u8)> {
    let mut all = open_filter(behavior);
    all.extend(
        less_strict(Mapping::ALL, behavior.mapping).map(|(value, steps)| (Axis::Mapping(value), steps)),
    );
    if shared {
        // RFC 4787 REQ-9 wants the external source.
        all.push((Axis::Hairpinning(Hairpinning::ExternalSource), 1));
        all.push((Axis::Hairpinning(Hairpinning::InternalSource), 2));
    }
    all.extend(FilterScope::ALL.iter().map(|value| (Axis::FilterScope(*value), 1)));
    all.extend(ReplyMapping::ALL.iter().map(|value| (Axis::ReplyMapping(*value), 1)));
    all.extend(PortAssignment::ALL.iter().map(|value| (Axis::Ports(*value), 1)));
    all.push((Axis::PortOverloading(!behavior.port_overloading), 1));
    all.push((Axis::Unsolicited(Unsolicited::Drop), 1));
    all.push((Axis::Pooling(Pooling::Paired), 1));
    all.push((Axis::NothingExempt, 1));
    all
}

fn open_filter(behavior: &Behavior) -> Vec<(Axis, u8)> {
    less_strict(Filtering::ALL, behavior.filtering)
        .map(|(value, steps)| (Axis::Filtering(value), steps))
        .collect()
}

/// The values before `current`, nearest first; `all` begins with the most open.
fn less_strict<T: Copy + PartialEq>(all: &[T], current: T) -> impl Iterator<Item = (T, u8)> {
    let at = all.iter().position(|value| *value == current).unwrap_or(0);
    all[..at].iter().rev().copied().zip(1..)
}

fn lifetimes(behavior: &Behavior) -> Vec<(Axis, u8)> {
    let longer = |current: Option<Duration>, axis: fn(Duration) -> Axis| {
        let longer =
            LIFETIMES.into_iter().filter(move |value| current.is_some_and(|current| current < *value));
        longer.zip(1..).map(move |(value, steps)| (axis(value), steps))
    };
    let mut all: Vec<(Axis, u8)> = longer(Some(behavior.udp_timeout), Axis::UdpTimeout).collect();
    all.extend(longer(behavior.udp_timeout_new, Axis::UdpTimeoutNew));
    all.extend(longer(behavior.filter_timeout, Axis::FilterTimeout));
    all.extend(match behavior.refresh {
        Refresh::Outbound => vec![(Axis::Refresh(Refresh::Both), 1)],
        Refresh::Both => Vec::new(),
        Refresh::Inbound => vec![(Axis::Refresh(Refresh::Outbound), 1), (Axis::Refresh(Refresh::Both), 2)],
    });
    all
}

/// Each limit lifted as far as the others allow.
fn limits(behavior: &Behavior) -> Vec<(Axis, u8)> {
    let whole = PortRange::new(1024, 65_535);
    let range = behavior.port_range.size();
    let mut all = Vec::new();
    if range < whole.size() {
        all.push((Axis::PortRange(whole), 1));
    }
    if let Some(block) = behavior.port_block.filter(|block| u32::from(*block) < range) {
        let block = u32::from(block).saturating_mul(16).min(range);
        all.push((Axis::PortBlock(u16::try_from(block).unwrap_or(u16::MAX)), 1));
    }
    if let Some(quota) = behavior.max_mappings_per_host {
        let ports = behavior.port_block.map_or(range, u32::from);
        let most = behavior.max_mappings.unwrap_or(ENOUGH).min(ports);
        if quota < most {
            all.push((Axis::MaxMappingsPerHost(most), 1));
        }
    }
    if behavior.mapping_rate_per_host.is_some_and(|rate| rate < ENOUGH) {
        all.push((Axis::MappingRatePerHost(ENOUGH), 1));
    }
    if behavior.max_mappings.is_some_and(|most| most < ENOUGH) {
        all.push((Axis::MaxMappings(ENOUGH), 1));
    }
    all
}
