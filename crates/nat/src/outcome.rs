//! What a NAT decides about a packet, and why.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use natbed_packet::{Datagram, IcmpErrorKind};

/// A mapping's identity, never given to another mapping of the same NAT (short of sixteen million mappings later).
///
/// Its generation is what makes it this mapping's. The slot is where it was, which is where to look first.
#[derive(Clone, Copy)]
pub struct MappingId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl PartialEq for MappingId {
    fn eq(&self, other: &Self) -> bool {
        self.generation == other.generation
    }
}

impl Eq for MappingId {}

impl PartialOrd for MappingId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MappingId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.generation.cmp(&other.generation)
    }
}

impl Hash for MappingId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.generation.hash(state);
    }
}

impl fmt::Debug for MappingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.generation)
    }
}

/// What becomes of a packet, which has been rewritten in place unless it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// It leaves through the outside interface.
    Outside(Forward),
    /// It leaves through the inside interface: let in, or hairpinned.
    Inside(Forward),
    /// It goes nowhere.
    Drop(Drop),
    /// It is a fragment, and waits in the NAT for others of its datagram: see
    /// [`Nat::poll_fragment`](crate::Nat::poll_fragment).
    Held(HeldFragment),
}

/// A fragment that waits in a NAT, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeldFragment(pub(crate) u64);

/// A fragment that waits no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleasedFragment {
    /// Which one.
    pub held: HeldFragment,
    /// The fragment, rewritten unless it is dropped.
    pub fragment: Datagram,
    /// What becomes of it; it is not held again.
    pub outcome: Outcome,
}

/// How a packet passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forward {
    /// The mapping that it passed through: for a hairpinned packet the sender's. `None` where nothing is tracked.
    pub mapping: Option<MappingId>,
    /// Whether the packet created that mapping.
    pub created: bool,
    /// Whether the packet permitted a remote that could not send in before.
    pub opened: bool,
    /// For a hairpinned packet, the mapping that it came back in through.
    pub hairpin: Option<MappingId>,
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drop {
    /// The reason.
    pub reason: DropReason,
    /// The table entry that decided, if one did.
    pub mapping: Option<MappingId>,
    /// The ICMP error to answer with, towards the packet's source; `None` for silence.
    pub reply: Option<IcmpErrorKind>,
    /// What it did to the table all the same: on the sender's side of a hairpin, or the entry that it took unsolicited.
    pub sent: Option<Forward>,
}

/// An ICMP error that is due some time after the packet that it is about was dropped: 6 seconds after an unsolicited
/// SYN, unless one for the same connection came from inside (RFC 5382 REQ-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateReply {
    /// The packet as it came, towards whose source the error goes.
    pub about: Datagram,
    /// The error.
    pub kind: IcmpErrorKind,
}

impl From<DropReason> for Drop {
    fn from(reason: DropReason) -> Self {
        Self { reason, mapping: None, reply: None, sent: None }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $text:literal: $explanation:literal,)+) => {
        /// Why a NAT drops a packet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DropReason {
            $($(#[$doc])* $reason,)+
        }

        impl DropReason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$reason,)+];

            /// The reason's stable name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => $text,)+
                }
            }

            /// The reason in a sentence, in a student's words.
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$reason => $explanation,)+
                }
            }
        }
    };
}

reasons! {
    /// No mapping has the packet's external endpoint.
    NoMapping = "no-mapping":
        "no mapping has this external address and port, so the NAT cannot know whom the packet is for",
    /// The mapping's filter does not permit the remote.
    Filtered = "filtered":
        "nothing that would let this source in has been sent to it, so the filter keeps it out",
    /// A packet from inside that goes on with something whose beginning the NAT has not seen.
    Stray = "stray":
        "it goes on with a TCP connection, or answers an ICMP query, that this NAT knows nothing of",
    /// A packet from inside to an external endpoint, and hairpinning is off.
    HairpinOff = "hairpin-off":
        "the packet came from inside and is for the NAT's own outside, and this NAT does not turn packets around",
    /// No external port is free.
    PortsExhausted = "ports-exhausted":
        "every external port that this packet could have is taken",
    /// There are as many mappings as there may be.
    TableFull = "table-full":
        "the table holds as many mappings as it may, and none is thrown out for a new one",
    /// The internal host has as many mappings as it may have.
    Quota = "quota":
        "this host has as many mappings as one host may have",
    /// The internal host opens mappings faster than it may.
    Rate = "rate":
        "this host opens mappings faster than one host may",
    /// A packet from inside whose source is not an inside address.
    SourceNotInside = "source-not-inside":
        "the packet came from inside, but its source is no address of the inside",
    /// A packet from outside whose source is an inside address or an address of the NAT.
    SpoofedSource = "spoofed-source":
        "the packet came from outside, but claims a source on the inside or the NAT itself",
    /// A packet from outside to an address that the NAT does not stand for.
    NotForUs = "not-for-us":
        "the packet's destination is no address that this NAT stands for",
    /// A source or destination port of zero.
    ZeroPort = "zero-port":
        "port 0 is not a port that can be used",
    /// A source or destination that no router forwards.
    Martian = "martian":
        "the source or destination is an address that is never forwarded, such as loopback or multicast",
    /// Source and destination of different families, or a family that the NAT does not handle.
    WrongFamily = "wrong-family":
        "the packet's addresses are not of the family that this NAT handles",
    /// A fragment, whose ports cannot be read.
    Fragment = "fragment":
        "only a whole packet shows its ports, and this is a fragment",
    /// A fragment that comes before the first of its datagram.
    FragmentTooEarly = "fragment-too-early":
        "it is a fragment without ports, and the first one, which has them, has not passed before it",
    /// A fragment that waited for others of its datagram in vain.
    FragmentTimeout = "fragment-timeout":
        "it is a fragment, and those of its datagram that it waited for did not come in time, or before the NAT rebooted \
         or got other addresses",
    /// There are as many fragments waiting as there may be.
    FragmentsFull = "fragments-full":
        "it is a fragment that has to wait for others, and as many as the NAT keeps do so already",
    /// Fragments of one datagram that do not fit together.
    FragmentOverlap = "fragment-overlap":
        "it is a fragment of a datagram whose fragments overlap, go on past its end, or can be part of none",
    /// A protocol that the NAT does not translate.
    UnsupportedProtocol = "unsupported-protocol":
        "this NAT does not track the packet's protocol",
    /// UDP is blocked.
    UdpBlocked = "udp-blocked":
        "the firewall lets no UDP through",
    /// Nothing but TCP is allowed.
    TcpOnly = "tcp-only":
        "the firewall lets nothing but TCP through",
}

impl DropReason {
    /// The axis of the NAT's behaviour that decides about this reason, in scenario spelling; `None` where every NAT
    /// drops the packet.
    pub const fn axis(self) -> Option<&'static str> {
        match self {
            Self::NoMapping => Some("mapping"),
            Self::Filtered => Some("filtering"),
            Self::HairpinOff => Some("hairpinning"),
            Self::PortsExhausted => Some("port-range"),
            Self::TableFull => Some("max-mappings"),
            Self::Quota => Some("max-mappings-per-host"),
            Self::Rate => Some("mapping-rate-per-host"),
            Self::Fragment
            | Self::FragmentTooEarly
            | Self::FragmentTimeout
            | Self::FragmentsFull
            | Self::FragmentOverlap => Some("fragments"),
            Self::UdpBlocked | Self::TcpOnly => Some("type"),
            _ => None,
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
