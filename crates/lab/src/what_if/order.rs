//! Which of two changes is smaller.

use super::change::Change;
use crate::scenario::Scenario;

/// What a change is about; one that is easier to have comes first. What the two users can set in their programs, then
/// servers, then the NAT's three axes that RFC 4787 names first, then its finer points, then what nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Knob {
    /// Which candidates an agent uses.
    Policy,
    /// Whether an agent is lite.
    Lite,
    /// Which of its addresses an agent uses and tells.
    Addresses,
    /// Whether an ICMP error fails a pair.
    IcmpErrors,
    /// How many pairs an agent tries.
    MaxPairs,
    /// Which servers an agent asks.
    Servers,
    /// Which interfaces an agent gathers on.
    Interfaces,
    /// How long an agent waits for a path without a relay.
    RelayWait,
    /// How fast an agent repeats a check.
    Retransmission,
    /// How long the two may take.
    Within,
    /// Which side starts.
    Order,
    /// When they start.
    Start,
    /// How long signaling takes.
    Signaling,
    /// A STUN server more.
    StunServer,
    /// A TURN server more.
    TurnServer,
    /// A NAT's filtering.
    Filtering,
    /// A NAT's mapping.
    Mapping,
    /// A NAT's hairpinning.
    Hairpinning,
    /// How long a NAT's mappings live.
    UdpTimeout,
    /// How long they live before anything was let in.
    UdpTimeoutNew,
    /// How long a NAT lets a remote in.
    FilterTimeout,
    /// What refreshes a NAT's mappings.
    Refresh,
    /// How a NAT chooses ports.
    Ports,
    /// Whether its mappings share ports.
    PortOverloading,
    /// Which of its addresses a mapping gets.
    Pooling,
    /// Which destinations it does not translate for.
    Exempt,
    /// The ports that it has.
    PortRange,
    /// Whether its ports have the parity of those inside.
    PortParity,
    /// Whether it keeps ports below 1024 and those above apart.
    PortRangePreservation,
    /// The ports that it gives a host.
    PortBlock,
    /// How long its ports stay taken.
    PortHold,
    /// The mappings that it gives a host.
    MaxMappingsPerHost,
    /// The mappings that it lets a host open in a second.
    MappingRatePerHost,
    /// The mappings that it has.
    MaxMappings,
    /// What it says when it has no more.
    OnFull,
    /// What an unsolicited packet does to it.
    Unsolicited,
    /// Where it remembers what was sent.
    FilterScope,
    /// Which mapping its replies leave through.
    ReplyMapping,
    /// What a link loses.
    Loss,
    /// What a link carries at once.
    Mtu,
    /// How long a link takes.
    Delay,
    /// A fault less.
    Fault,
    /// Another kind of box.
    Box,
}

/// How large a change is, or several together; the smallest first. The fields decide from the first on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// How many changes: one before two.
    pub changes: usize,
    /// Steps of the longest: to the next less strict value before the one after it.
    pub longest: u8,
    /// Steps of all.
    pub steps: u8,
    /// What they are about.
    pub knobs: Vec<Knob>,
    /// Their nodes: the initiator's side first, the NATs from the host outward.
    pub places: Vec<usize>,
}

impl Size {
    /// The size of `changes` to connection `index` of `scenario`.
    pub fn of(changes: &[Change], scenario: &Scenario, index: usize) -> Self {
        let mut parts: Vec<(Knob, usize)> =
            changes.iter().map(|change| (change.knob(), change.place(scenario, index))).collect();
        parts.sort_unstable();
        Self {
            changes: changes.len(),
            longest: changes.iter().map(|change| change.steps).max().unwrap_or(0),
            steps: changes.iter().map(|change| change.steps).sum(),
            knobs: parts.iter().map(|(knob, _)| *knob).collect(),
            places: parts.iter().map(|(_, place)| *place).collect(),
        }
    }
}
