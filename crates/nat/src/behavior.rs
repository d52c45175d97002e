//! What a NAT does, axis by axis, in the terms of RFC 4787.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

mod axes;
mod destination;
mod validate;

pub use axes::{Axis, Value, Values, WrongValue};
use axes::{AxisType, axes};
pub use destination::{Destination, DestinationSyntax};
pub use validate::BehaviorError;

/// A text is none of an axis's values.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{found}` is not one of {}", expected.join(", "))]
pub struct UnknownValue {
    /// The text.
    pub found: String,
    /// The values there are, in scenario spelling.
    pub expected: &'static [&'static str],
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        impl $name {
            /// Every value, in the order of the variants.
            pub const ALL: &[Self] = &[$(Self::$value,)+];
            /// Every value in scenario spelling, in the same order.
            pub const NAMES: &[&str] = &[$($text,)+];

            /// The value in scenario spelling.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownValue;

            fn from_str(text: &str) -> Result<Self, UnknownValue> {
                match text {
                    $($text => Ok(Self::$value),)+
                    _ => Err(UnknownValue { found: text.to_owned(), expected: Self::NAMES }),
                }
            }
        }

        impl AxisType for $name {
            const VALUES: Values = Values::Words(Self::NAMES);

            fn value(&self) -> Option<Value> {
                Some(Value::Word(self.as_str()))
            }

            fn of(value: &Value) -> Option<Self> {
                if let Value::Word(word) = value { word.parse().ok() } else { None }
            }
        }
    };
}

words! {
    /// What stands between inside and outside.
    Kind {
        /// A NAT that translates addresses and ports (NAPT, RFC 3022 section 4).
        Nat = "nat",
        /// Basic NAT (RFC 3022 section 3): one external address for each internal host, ports untouched, no filter.
        Static = "static",
        /// A stateful firewall: translates nothing and filters.
        Firewall = "firewall",
        /// A plain router: passes everything.
        None = "none",
        /// A firewall that drops UDP both ways.
        UdpBlocked = "udp-blocked",
        /// A firewall that passes TCP alone, both ways.
        TcpOnly = "tcp-only",
    }
}

words! {
    /// Which outbound packets of one internal endpoint share an external endpoint (RFC 4787 section 4.1).
    Mapping {
        /// All of them.
        EndpointIndependent = "endpoint-independent",
        /// Those to one address.
        AddressDependent = "address-dependent",
        /// Those to one address and port.
        AddressAndPortDependent = "address-and-port-dependent",
    }
}

words! {
    /// Which remotes may send to a mapping (RFC 4787 section 5).
    Filtering {
        /// All of them.
        EndpointIndependent = "endpoint-independent",
        /// Those whose address has been sent to.
        AddressDependent = "address-dependent",
        /// Those whose address and port have been sent to.
        AddressAndPortDependent = "address-and-port-dependent",
    }
}

words! {
    /// Where 'has been sent to' is remembered.
    FilterScope {
        /// In each mapping.
        Mapping = "mapping",
        /// In the internal endpoint, across its mappings, as RFC 4787 section 5 words it.
        Endpoint = "endpoint",
    }
}

words! {
    /// Which mapping an outbound packet leaves through.
    ReplyMapping {
        /// The one that its destination calls for.
        Outbound = "outbound",
        /// The one that first accepted a packet from exactly this destination, while that mapping lives; else as
        /// `outbound`.
        InboundSession = "inbound-session",
    }
}

words! {
    /// How an external port is chosen (RFC 4787 section 4.2).
    PortAssignment {
        /// The internal port if it is free, else as [`OnConflict`] says.
        Preserve = "preserve",
        /// One step after the last.
        Sequential = "sequential",
        /// Drawn at random (RFC 6056 section 3.3.1).
        Random = "random",
    }
}

words! {
    /// What a port-preserving NAT does when the internal port is taken.
    OnConflict {
        /// The next free port.
        Next = "next",
        /// A random free port.
        Random = "random",
    }
}

words! {
    /// Which of several external addresses a mapping gets (RFC 4787 section 4.1, REQ-2).
    Pooling {
        /// One for each internal host while it has mappings.
        Paired = "paired",
        /// Any.
        Arbitrary = "arbitrary",
    }
}

words! {
    /// Whether a packet from inside to an external endpoint comes back in (RFC 4787 section 6).
    Hairpinning {
        /// It is dropped.
        Off = "off",
        /// It comes from the sender's external endpoint, as REQ-9 wants.
        ExternalSource = "external-source",
        /// It comes from the sender's internal endpoint.
        InternalSource = "internal-source",
    }
}

words! {
    /// What an inbound packet that nothing lets in does.
    Unsolicited {
        /// It is dropped in silence.
        Drop = "drop",
        /// It is dropped and answered with an ICMP error: a SYN after 6 seconds, unless one for the same connection
        /// came from inside (RFC 5382 REQ-4), and no other TCP segment.
        Icmp = "icmp",
        /// It is dropped, yet takes its addresses and ports in the table, as connection tracking does: an outbound
        /// flow that would have had them gets another port.
        CreatesState = "creates-state",
    }
}

words! {
    /// Which direction resets a mapping's timer (RFC 4787 section 4.3, REQ-6).
    Refresh {
        /// Packets from inside.
        Outbound = "outbound",
        /// Packets of either direction.
        Both = "both",
        /// Packets from outside that the filter accepted.
        Inbound = "inbound",
    }
}

words! {
    /// What happens to a packet that would need a mapping more than there may be.
    OnFull {
        /// It is dropped in silence.
        Drop = "drop",
        /// It is dropped and answered with the ICMP error 'host unreachable' (RFC 6888 REQ-11).
        Icmp = "icmp",
        /// It is dropped and answered with 'communication administratively prohibited' (RFC 5508 REQ-8).
        IcmpProhibited = "icmp-prohibited",
    }
}

words! {
    /// What becomes of fragments (RFC 4787 section 11), where ports are translated or filtered.
    Fragments {
        /// They are dropped: 'Receive Fragments None'.
        Drop = "drop",
        /// Those that come after the first one, which alone shows the ports, go where it went: 'Received Fragments
        /// Ordered'.
        InOrder = "in-order",
        /// Those that come before it wait for it too: 'Receive Fragments Out of Order'.
        OutOfOrder = "out-of-order",
        /// All of them wait until the datagram is whole: one more way to 'Receive Fragments Out of Order'.
        Reassemble = "reassemble",
    }
}

impl Mapping {
    /// The code of the 3 x 3 grid: `EIM`, `ADM` or `APDM`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::EndpointIndependent => "EIM",
            Self::AddressDependent => "ADM",
            Self::AddressAndPortDependent => "APDM",
        }
    }
}

impl Filtering {
    /// The code of the 3 x 3 grid: `EIF`, `ADF` or `APDF`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::EndpointIndependent => "EIF",
            Self::AddressDependent => "ADF",
            Self::AddressAndPortDependent => "APDF",
        }
    }
}

/// A range of ports with both its ends, `1024-65535` in scenario spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortRange {
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

impl PortRange {
    /// The range from `first` to `last`.
    pub const fn new(first: u16, last: u16) -> Self {
        Self { first, last }
    }

    /// Whether `port` is in the range.
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// The ports of it that are on the same side of 1024 as `port`, which RFC 4787 section 4.2.1 keeps apart; an empty
    /// range if there are none.
    pub const fn half_of(self, port: u16) -> Self {
        let (first, last) = (self.first, self.last);
        if port < 1024 {
            Self { first, last: if last < 1024 { last } else { 1023 } }
        } else {
            Self { first: if first < 1024 { 1024 } else { first }, last }
        }
    }

    /// How many ports the range has; 0 if it is reversed.
    pub const fn size(self) -> u32 {
        (self.last as u32 + 1).saturating_sub(self.first as u32)
    }
}

/// A text is not a [`PortRange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected two ports, such as 1024-65535")]
pub struct PortRangeSyntax;

impl FromStr for PortRange {
    type Err = PortRangeSyntax;

    fn from_str(text: &str) -> Result<Self, PortRangeSyntax> {
        let port = |text: &str| text.trim().parse().map_err(|_| PortRangeSyntax);
        let (first, last) = text.split_once('-').ok_or(PortRangeSyntax)?;
        Ok(Self { first: port(first)?, last: port(last)? })
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

axes! {
    /// What a NAT does. The default is an endpoint-independent mapping with address-and-port-dependent filtering and
    /// random ports. But for `kind` each field is one of the [`Behavior::AXES`].
    Behavior {
        /// What kind of box it is.
        kind: Kind = Kind::Nat,
    }
    /// Which outbound packets of one internal endpoint share an external endpoint (RFC 4787 section 4.1). A firewall
    /// has no use for it.
    "mapping" mapping: Mapping = Mapping::EndpointIndependent,
    /// Which remotes may send to a mapping (RFC 4787 section 5).
    "filtering" filtering: Filtering = Filtering::AddressAndPortDependent,
    /// Whether 'has been sent to' is remembered per mapping or per internal endpoint.
    "filter-scope" filter_scope: FilterScope = FilterScope::Mapping,
    /// Whether replies leave through the mapping that their destination calls for, or the one they answer.
    "reply-mapping" reply_mapping: ReplyMapping = ReplyMapping::Outbound,
    /// How an external port is chosen (RFC 4787 section 4.2).
    "ports" ports: PortAssignment = PortAssignment::Random,
    /// What a port-preserving NAT does when the internal port is taken or out of range.
    "on-conflict" on_conflict: OnConflict = OnConflict::Random,
    /// Distance from one sequential port to the next.
    "step" step: u16 = 1,
    /// The external ports, and identifiers of ICMP queries, that there are: as many for each protocol.
    "port-range" port_range: PortRange = PortRange::new(1024, 65535),
    /// Whether one external port may carry several mappings to different remotes.
    "port-overloading" port_overloading: bool = false,
    /// Whether even internal ports get even external ports, and odd ones odd ones (RFC 4787 REQ-4).
    "port-parity" port_parity: bool = false,
    /// Whether internal ports of 0-1023 get external ports of that range, and those of 1024-65535 likewise (RFC 4787
    /// REQ-3a). Identifiers of ICMP queries are no ports.
    "port-range-preservation" port_range_preservation: bool = false,
    /// Ports in the block that each internal host gets its ports from.
    "port-block" port_block: Option<u16> = None,
    /// Which of several external addresses a mapping gets (RFC 4787 REQ-2).
    "pooling" pooling: Pooling = Pooling::Paired,
    /// Whether a packet from inside to an external endpoint comes back in (RFC 4787 REQ-9).
    "hairpinning" hairpinning: Hairpinning = Hairpinning::Off,
    /// Destinations towards which nothing is translated, as by a plain router (RFC 6888 REQ-6); default: none.
    "exempt" exempt: Vec<Destination> = Vec::new(),
    /// What becomes of fragments (RFC 4787 REQ-14).
    "fragments" fragments: Fragments = Fragments::Drop,
    /// What an inbound packet that nothing lets in does.
    "unsolicited" unsolicited: Unsolicited = Unsolicited::Drop,
    /// How long a UDP mapping lives without a packet that refreshes it (RFC 4787 REQ-5).
    "udp-timeout" udp_timeout: Duration = Duration::from_secs(300),
    /// The same before the first packet from outside was let in; default: `udp-timeout`.
    "udp-timeout-new" udp_timeout_new: Option<Duration> = None,
    /// Which direction refreshes a mapping (RFC 4787 REQ-6); TCP connections live by their own timers.
    "refresh" refresh: Refresh = Refresh::Outbound,
    /// How long a TCP connection that both ends have opened lives without a segment (RFC 5382 REQ-5).
    "tcp-established" tcp_established: Duration = Duration::from_secs(2 * 3600 + 4 * 60),
    /// How long one lives that one end alone has opened (RFC 5382 REQ-5).
    "tcp-transitory" tcp_transitory: Duration = Duration::from_secs(4 * 60),
    /// How long one lives that both ends have closed, or one has reset (RFC 7857 section 2.1); default:
    /// `tcp-transitory`.
    "tcp-closing" tcp_closing: Option<Duration> = None,
    /// How long the mapping of an ICMP query identifier lives without a packet that refreshes it (RFC 5508 REQ-2).
    "icmp-timeout" icmp_timeout: Duration = Duration::from_secs(60),
    /// How long a remote may send in after the last packet to it; default: as long as the mapping lives. A TCP
    /// connection goes on for as long as it lives.
    "filter-timeout" filter_timeout: Option<Duration> = None,
    /// How long a port stays taken after its mapping has ended (RFC 6888 REQ-8, which asks for 120 seconds).
    "port-hold" port_hold: Duration = Duration::ZERO,
    /// The most mappings there may be.
    "max-mappings" max_mappings: Option<u32> = None,
    /// The most mappings of each protocol that one internal host may have (RFC 6888 REQ-4).
    "max-mappings-per-host" max_mappings_per_host: Option<u32> = None,
    /// The most mappings that one internal host may open in a second, all protocols together, and as many at once
    /// (RFC 6888 REQ-4c).
    "mapping-rate-per-host" mapping_rate_per_host: Option<u32> = None,
    /// What happens to a packet that would need one more.
    "on-full" on_full: OnFull = OnFull::Drop,
}

impl Behavior {
    /// The lifetime of a UDP mapping that has let nothing in yet.
    pub fn first_timeout(&self) -> Duration {
        self.udp_timeout_new.unwrap_or(self.udp_timeout)
    }

    /// The lifetime of a TCP connection that is closed.
    pub fn closing_timeout(&self) -> Duration {
        self.tcp_closing.unwrap_or(self.tcp_transitory)
    }
}

#[cfg(test)]
mod tests;
